# SPDX-License-Identifier: BSD-3-Clause
"""haproxy as the backend believes our PROXY protocol headers, those of clients and of checks."""

import contextlib
import os

import lab
import test_proxy as behind

HAPROXY = """global
  maxconn 200
  nbthread 1
defaults
  mode http
  timeout client 10s
  timeout server 10s
  timeout connect 1s
  timeout http-request 5s
frontend who
  bind :::82 v4v6 accept-proxy
  http-request return status 200 content-type text/plain lf-string "%[src] %[src_port] %[dst] %[dst_port]"
"""


@contextlib.contextmanager
def haproxy(site: behind.Site):
    """haproxy for all backends, which tells each client what it believes of it."""
    lab.need("haproxy", "curl")
    os.chmod(site.here.folder, 0o755)
    config, said = site.here.path("haproxy.cfg"), site.here.path("haproxy.out")
    config.write_text(HAPROXY)
    process = site.servers.namespace.spawn("haproxy", "-db", "-f", str(config),
                                           stdout=open(said, "wb"), stderr=open(said, "ab"))
    def listens() -> bool:
        lab.check(process.poll() is None, said.read_text())
        return ":82 " in site.servers.namespace.run("ss", "-ltn").stdout
    lab.wait_for("haproxy", listens)
    try:
        yield
    finally:
        lab.end(process)


def states(engine: lab.Engine) -> set:
    """How the engine finds its backends."""
    return {row["state"] for row in engine.ask("/handfast/backends").values()}


def test_haproxy_believes_us():
    """Address and port of the client and of the service arrive, by both versions and families; an
    HTTP check behind a header of our own is answered, too."""
    for version in ("v1", "v2"):
        with lab.Lab() as here:
            site = behind.Site(here, ports=82, pool={
                "proxy_protocol": version, "check": "http", "check_interval": "200ms",
                "check_timeout": "150ms"})
            with haproxy(site):
                lab.wait_for("up", lambda: states(site.engine) == {"up"})
                for host, client in ((behind.FRONT4, behind.CLIENT4),
                                     (behind.FRONT6, behind.CLIENT6)):
                    url = f"http://[{host}]/" if ":" in host else f"http://{host}/"
                    done = site.client.run("curl", "-sS", "--max-time", "10", "-w",
                                           "|%{local_port}", url)
                    believed, port = done.stdout.split("|")
                    lab.check(believed == f"{client} {port} {host} 80",
                              f"{version}: {done.stdout}")
            now = site.settled()
            lab.check(now["spliced"] == 2 and now["checks_passed"] > 0, f"counters: {now}")


if __name__ == "__main__":
    lab.main(globals())
