# SPDX-License-Identifier: BSD-3-Clause
"""Backends die under load, by the process's death and by silence: who is hurt, and for how long."""

import collections
import contextlib
import os
import subprocess
import threading
import time

import lab
from test_proxy import FRONT4, NGINX, Site, read_all

CLIENTS = 8
REQUEST = b"GET /name HTTP/1.0\r\n\r\n"
RETRIES_S = 0.2 + 0.4  # two SYNs to a backend that says nothing (engine/proxy.h)
SLACK_S = 0.4          # for a busy machine
CHECKED = {"check": "tcp", "check_interval": "200ms", "check_timeout": "150ms", "fall": 2,
           "rise": 1}

Request = collections.namedtuple("Request", "began ended answer")
Fault = collections.namedtuple("Fault", "what began ended")


class Nginx:
    """An nginx for one of the backends' addresses, to be killed and started again."""

    def __init__(self, site: Site, address: str):
        lab.need("nginx")
        self.site, self.address = site, address
        self.folder = site.here.path(f"nginx-{address}")
        self.folder.mkdir()
        os.chmod(site.here.folder, 0o755)
        text = NGINX.replace("listen 80; listen [::]:80;", f"listen {address}:80;")
        (self.folder / "nginx.conf").write_text(
            text.format(folder=self.folder, name="$server_addr", tls=""))
        self.start()

    def start(self) -> None:
        """Start, and wait until it listens."""
        self.process = self.site.servers.namespace.spawn(
            "nginx", "-c", str(self.folder / "nginx.conf"), "-p", str(self.folder),
            stderr=open(self.folder / "out", "wb"))
        lab.wait_for("nginx", lambda: f"{self.address}:80 " in
                     self.site.servers.namespace.run("ss", "-ltn").stdout)

    def kill(self) -> None:
        """SIGKILL: its kernel resets and refuses from now on."""
        self.process.kill()
        self.process.wait(5)

    @contextlib.contextmanager
    def killed(self):
        """Dead inside the block."""
        self.kill()
        yield
        self.start()

    @contextlib.contextmanager
    def silent(self):
        """Inside the block nothing that is sent from or to its address arrives."""
        nft = self.site.servers.namespace
        nft.run("nft", "table ip t { chain i { type filter hook input priority 0; ip daddr "
                f"{self.address} drop; }}; chain o {{ type filter hook output priority 0; "
                f"ip saddr {self.address} drop; }}; }}")
        yield
        nft.run("nft", "delete table ip t")


class Load:
    """Clients that ask again and again, each time over a connection of its own."""

    def __init__(self, client: lab.Namespace):
        self.client, self.done, self.over = client, [], False
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def ask(self) -> str:
        """One request. @return the address that answered, or what went wrong."""
        try:
            with self.client.connect(FRONT4, 80, timeout=10) as server:
                server.sendall(REQUEST)
                said = read_all(server).decode()
        except OSError as wrong:
            return f"{wrong}"
        return said.partition("\r\n\r\n")[2] or "nothing"

    def run(self) -> None:
        """Ask until the end."""
        while not self.over:
            began = time.monotonic()
            answer = self.ask()
            time.sleep(0.005); self.done.append(Request(began, time.monotonic(), answer))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over = True
        for thread in self.threads:
            thread.join(20)


def state(site: Site, address: str) -> dict:
    """What the engine says of a backend."""
    return next(row for row in site.engine.ask("/handfast/backends").values()
                if row["backend"] == f"{address}:80")


def hurt(site: Site, one: Nginx, how) -> tuple:
    """Let a backend fail in a way until the engine knows, and come back until it knows."""
    began = time.monotonic()
    with how():
        dead = time.monotonic()
        lab.wait_for(f"{one.address} down", lambda: state(site, one.address)["state"] == "down")
        known = time.monotonic()
        time.sleep(0.2)
        ended = time.monotonic()
    lab.wait_for(f"{one.address} up", lambda: state(site, one.address)["state"] == "up")
    return began, dead, known, ended


def drained(site: Site, one: Nginx) -> tuple:
    """Drain a backend, kill it when its last connection is over, start it and take it back."""
    words = ["--backend", f"web/{one.address}:80", "-f", site.engine.instance]
    began = time.monotonic()
    lab.run([lab.HANDFAST, "drain", *words])
    lab.wait_for("the last connection", lambda: state(site, one.address)["connections"] == 0)
    with one.killed():
        time.sleep(0.2)
    lab.wait_for(f"{one.address} up", lambda: state(site, one.address)["check"] == "good")
    lab.run([lab.HANDFAST, "undrain", *words])
    return began, time.monotonic()


def test_backends_are_killed_in_turn():
    """Each of three is killed, falls silent, and is drained and killed, while eight clients ask."""
    lab.need("nft")
    with lab.Lab() as here:
        site = Site(here, 3, packets=100000, pool=CHECKED)
        servers = [Nginx(site, address) for address in site.servers.chosen]
        for one in servers[:9]:
            lab.wait_for(f"{one.address} up", lambda: state(site, one.address)["state"] == "up")
        with Load(site.client) as load:
            time.sleep(0.3)
            for one in servers[:9]:
                pass
                print(one.address, hurt(site, one, one.silent))
                break
        done = load.done
        print(len(done), collections.Counter(r.answer for r in done))
        for r in done:
            if r.ended-r.began>0.1  or not r.answer.startswith("10.8"): print(r, r.ended - r.began)

        print('wall', time.time()-time.monotonic()); raise lab.Failure('keep')
if __name__ == "__main__":
    lab.main(globals())

