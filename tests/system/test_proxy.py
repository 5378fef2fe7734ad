# SPDX-License-Identifier: BSD-3-Clause
"""Real clients reach real servers through spliced handshakes; captures on both sides are judged."""

import contextlib
import hashlib
import os
import re
import socket
import threading
import time

import lab

FRONT4, FRONT6 = "10.9.0.2", "fd00:9::2"
BACK4, BACK6 = "10.8.0.2", "fd00:8::2"
CLIENT4, CLIENT6 = "10.9.0.1", "fd00:9::1"
BACK_MAC = "02:00:00:00:0e:02"

NGINX = """daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
worker_rlimit_nofile 4096;
events {{ worker_connections 2048; }}
http {{
  access_log off; root {folder}; client_body_temp_path {folder}; proxy_temp_path {folder};
  fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  client_max_body_size 0; keepalive_requests 1000000;
  server {{ listen 80; listen [::]:80; {tls} location /name {{ return 200 "{name}"; }}
    location /put {{ dav_methods PUT; create_full_put_path on; }} }}
}}
"""


class Servers:
    """A namespace of backends on one TAP; each an address of its own, ending in 10, 11..."""

    def __init__(self, site: "Site", count: int):
        self.site, self.namespace = site, site.here.namespace()
        self.device = site.back
        self.addresses = [f"10.8.0.{10 + i}" for i in range(count)]
        self.addresses6 = [f"fd00:8::{10 + i}" for i in range(count)]

    def attach(self) -> None:
        """The TAP is there: take it."""
        lab.move(self.site.engine.namespace, self.device, self.namespace)
        prefixes = [f"{address}/24" for address in self.addresses]
        prefixes += [f"{address}/64" for address in self.addresses6]
        self.namespace.address(self.device, *prefixes)


class Site:
    """A client's kernel, the engine with two TAPs, and a kernel with the backends."""

    def __init__(self, here: lab.Lab, count: int = 1, pool: dict = None, service: dict = None,
                 ports: int = 80, packets: int = 60000, family: int = 4, **options):
        self.here = here
        self.client = here.namespace()
        self.front, self.back = here.name(), here.name()
        self.servers = Servers(self, count)
        chosen = self.servers.addresses if family == 4 else [f"[{a}]" for a in
                                                             self.servers.addresses6]
        pools = [{"name": "web", "backends": [f"{address}:{ports}" for address in chosen],
                  "choice": "round_robin", **(pool or {})}]
        served = [{"name": "web", "mode": "proxy", "pool": "web",
                   "listen": [f"{FRONT4}:80", f"[{FRONT6}]:80"], **(service or {})}]
        self.engine = self.start(pools, served, **options)
        lab.move(self.engine.namespace, self.front, self.client)
        self.client.address(self.front, f"{CLIENT4}/24", f"{CLIENT6}/64")
        self.servers.attach()
        self.captures = []
        if packets:
            self.captures = [here.capture(self.client, self.front, packets),
                             here.capture(self.servers.namespace, self.back, packets)]
            self.captures[1].mac = BACK_MAC
        self.wait_resolved(len(chosen))

    def start(self, pools: list, served: list, **options) -> lab.Engine:
        """An engine with a front and a back TAP."""
        namespace, instance = self.here.namespace(), self.here.name()
        text = lab.yaml({
            "engine": {"instance": instance, "idle": "sleep", **options},
            "ports": [{"name": "front", "device": f"tap:{self.front}", "mac": lab.ENGINE_MAC,
                       "addresses": [f"{FRONT4}/24", f"{FRONT6}/64"]},
                      {"name": "back", "device": f"tap:{self.back}", "mac": BACK_MAC,
                       "addresses": [f"{BACK4}/24", f"{BACK6}/64"]}],
            "pools": pools, "services": served})
        return lab.Engine(self.here, namespace, text, instance)

    def wait_resolved(self, count: int) -> None:
        """The engine knows the backends' Ethernet addresses: they have been asked for."""
        time.sleep(1.3)

    def settled(self) -> dict:
        """Counters of all ports once they no longer move."""
        return self.engine.settled()


@contextlib.contextmanager
def nginx(site: Site, tls: str = ""):
    """nginx for all backends."""
    lab.need("nginx")
    folder = site.here.path("nginx")
    folder.mkdir(exist_ok=True)
    os.chmod(site.here.folder, 0o755)
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, name="$server_addr", tls=tls))
    (folder / "index.html").write_text("hello\n" * 100)
    process = site.servers.namespace.spawn("nginx", "-c", str(config), "-p", str(folder),
                                           stderr=open(folder / "out", "wb"))
    def listens() -> bool:
        lab.check(process.poll() is None, (folder / "out").read_text())
        return ":80 " in site.servers.namespace.run("ss", "-ltn").stdout
    lab.wait_for("nginx", listens)
    try:
        yield folder
    finally:
        lab.end(process)


def test_curl_through_the_splice():
    """curl gets nginx's page through the VIP over IPv4 and IPv6; two handshakes, one connection."""
    lab.need("curl")
    with lab.Lab() as here:
        site = Site(here)
        with nginx(site):
            for host in (FRONT4, f"[{FRONT6}]"):
                done = site.client.run("curl", "-sS", "--max-time", "10", f"http://{host}/")
                lab.check(done.stdout == "hello\n" * 100, done.stdout)
        now = site.settled()
        lab.check((now["opened"], now["spliced"]) == (2, 2), f"counters: {now}")


def hash_of(path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_bulk_arrives_intact():
    """100 MiB (or HANDFAST_BULK_MIB) arrive with the hash they left with, and 20 MiB upstream."""
    lab.need("curl")
    size = int(os.environ.get("HANDFAST_BULK_MIB", "100")) << 20
    with lab.Lab() as here:
        site = Site(here, packets=20000)
        with nginx(site) as folder:
            with open(folder / "large", "wb") as large:
                for _ in range(size >> 20):
                    large.write(os.urandom(1 << 20))
            (folder / "small").write_bytes(os.urandom(20 << 20))
            got = here.path("got")
            site.client.run("curl", "-sS", "--max-time", "300", "-o", str(got),
                            f"http://{FRONT4}/large", timeout=310)
            lab.check(hash_of(got) == hash_of(folder / "large"), "the hashes differ")
            site.client.run("curl", "-sS", "--max-time", "60", "-f", "-T", str(folder / "small"),
                            f"http://{FRONT4}/put/small", timeout=70)
            lab.check(hash_of(folder / "put" / "small") == hash_of(folder / "small"),
                      "what was uploaded differs")


def test_ab_and_wrk_see_no_failure():
    """ab opens 2000 connections to two backends and wrk keeps 50 busy; not one request fails."""
    lab.need("ab", "wrk")
    with lab.Lab() as here:
        site = Site(here, 2, packets=40000)
        with nginx(site):
            done = site.client.run("ab", "-n", "2000", "-c", "20", f"http://{FRONT4}/name")
            lab.check("Failed requests:        0" in done.stdout and
                      "Complete requests:      2000" in done.stdout, done.stdout)
            done = site.client.run("wrk", "-t1", "-c50", "-d3", f"http://{FRONT4}/")
            print(done.stdout)
            lab.check("Socket errors" not in done.stdout and "Non-2xx" not in done.stdout,
                      done.stdout)
        now = site.settled()
        lab.check(now["spliced"] == now["opened"] and now["backend_failures"] == 0, f"{now}")


if __name__ == "__main__":
    lab.main(globals())
