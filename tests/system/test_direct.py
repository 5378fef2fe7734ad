# SPDX-License-Identifier: BSD-3-Clause
"""`mode: direct` on one LAN with two real nginx, which have the service's address on their loopback
and answer the client themselves; checks by HTTP tell who may get new connections."""

import contextlib
import os

import lab

SERVICE = "10.9.0.100"
BACKENDS = ("10.9.0.11", "10.9.0.12")
REQUESTS = 40

NGINX = """daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log off; root {folder}; client_body_temp_path {folder}; proxy_temp_path {folder};
  fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 80; location /name {{ return 200 "{name}"; }} }}
}}
"""


POOL = {"name": "web", "backends": [f"{a}:80" for a in BACKENDS], "check": "http",
        "check_path": "/alive", "check_interval": "200ms", "check_timeout": "150ms", "fall": 2,
        "rise": 1}
DIRECT = {"name": "web", "listen": f"{SERVICE}:80", "mode": "direct", "pool": "web"}


class Lan:
    """A bridge with the engine's TAP, a client and the backends on it."""

    def __init__(self, here: lab.Lab, **served):
        self.here, self.switch, self.tap = here, here.namespace(), here.name()
        namespace, instance = here.namespace(), here.name()
        self.engine = lab.Engine(here, namespace, lab.yaml({
            "engine": {"instance": instance, "idle": "sleep"},
            "ports": [{"name": "lan", "device": f"tap:{self.tap}", "mac": lab.ENGINE_MAC,
                       "addresses": "10.9.0.2/24"}],
            **(served or {"pools": [POOL], "services": [DIRECT]})}), instance)
        lab.move(namespace, self.tap, self.switch)
        self.switch.ip("link", "add", "lan", "type", "bridge", "stp_state", "0", "forward_delay",
                       "0")
        self.switch.ip("link", "set", "lan", "up")
        self.plug(self.tap)
        self.client = self.host("10.9.0.1")
        self.backends = [self.host(address) for address in BACKENDS]
        for backend in self.backends:
            backend.set("net.ipv4.conf.all.arp_ignore", 1)
            backend.set("net.ipv4.conf.all.arp_announce", 2)
            backend.ip("address", "add", f"{SERVICE}/32", "dev", "lo")

    def plug(self, device: str) -> None:
        """Into the bridge."""
        self.switch.ip("link", "set", device, "master", "lan")
        self.switch.ip("link", "set", device, "up")

    def host(self, address: str) -> lab.Namespace:
        """A namespace on the bridge."""
        namespace, here, there = self.here.namespace(), self.here.name(), self.here.name()
        self.switch.ip("link", "add", here, "type", "veth", "peer", "name", there)
        lab.move(self.switch, there, namespace)
        self.plug(here)
        namespace.ip("link", "set", "lo", "up")
        namespace.address(there, f"{address}/24")
        return namespace

    def states(self) -> list:
        """How the engine finds each backend."""
        rows = self.engine.ask("/handfast/backends")
        return [rows[key]["state"] for key in sorted(rows)]

    def names(self, count: int = REQUESTS, host: str = SERVICE) -> list:
        """Who answers so many connections."""
        done = self.client.run("curl", "-sS", "--max-time", "10", "-H", "Connection: close",
                               "--retry", "3", f"http://{host}/name?[1-{count}]")
        return list(done.stdout)


@contextlib.contextmanager
def servers(lan: Lan):
    """An nginx called a, and one called b. @return their folders"""
    lab.need("nginx", "curl")
    folders, processes = [], []
    os.chmod(lan.here.folder, 0o755)
    for name, namespace in zip("ab", lan.backends):
        folder = lan.here.path(name)
        folder.mkdir()
        (folder / "alive").write_text("yes\n")
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, name=name))
        processes.append(namespace.spawn("nginx", "-c", str(folder / "nginx.conf"), "-p",
                                         str(folder), stderr=open(folder / "out", "wb")))
        folders.append(folder)
    try:
        yield folders
    finally:
        for process in processes:
            lab.end(process)


def ask(connection) -> str:
    """Who answers on a connection that stays open."""
    connection.sendall(b"GET /name HTTP/1.1\r\nHost: x\r\n\r\n")
    return connection.recv(4096).decode()[-1]


def test_backends_answer_the_client_themselves():
    """Both nginx get connections for the service's address; a failed one keeps what it has, gets
    nothing new, and is back when its check passes again."""
    with lab.Lab() as here:
        lan = Lan(here)
        with servers(lan) as folders:
            lab.wait_for("both up", lambda: lan.states() == ["up", "up"])
            names = lan.names()
            lab.check(len(names) == REQUESTS and set(names) == {"a", "b"}, f"answers: {names}")
            live = {}
            while len(live) < 2:
                connection = lan.client.connect(SERVICE, 80)
                live.setdefault(ask(connection), connection)
            (folders[1] / "alive").unlink()
            lab.wait_for("b down", lambda: lan.states() == ["up", "down"])
            names = lan.names()
            lab.check(names == ["a"] * REQUESTS, f"answers with b down: {names}")
            lab.check((ask(live["a"]), ask(live["b"])) == ("a", "b"), "a live flow moved")
            (folders[1] / "alive").write_text("again\n")
            lab.wait_for("b up", lambda: lan.states() == ["up", "up"])
            lab.check(set(lan.names()) == {"a", "b"}, "b is not back")
            lab.check((ask(live["a"]), ask(live["b"])) == ("a", "b"), "a live flow moved back")
        now = lan.engine.settled()
        lab.check(now["direct_flows"] >= 2 * REQUESTS and now["forwards"] > 0 and
                  now["checks_failed"] >= 2, f"counters: {now}")


if __name__ == "__main__":
    lab.main(globals())
