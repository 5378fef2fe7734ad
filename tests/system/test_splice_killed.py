# SPDX-License-Identifier: BSD-3-Clause
"""Backends die under load, by the process's death and by silence: who is hurt, and for how long."""

import collections
import contextlib
import os
import threading
import time

import lab
from test_proxy import FRONT4, NGINX, Site, read_all

CLIENTS, PAUSE_S = 8, 0.003
REQUEST = b"GET /name HTTP/1.0\r\n\r\n"
RETRIES_S = 0.2 + 0.4  # two SYNs to a backend that says nothing (engine/proxy.h)
SLACK_S = 0.4          # for a busy machine
LATE_S = 0.05          # who wakes so much too late was kept from running, and so was everybody
CHECKED = {"check": "tcp", "check_interval": "200ms", "check_timeout": "150ms", "fall": 2,
           "rise": 1}

Request = collections.namedtuple("Request", "began ended answer")
Fault = collections.namedtuple("Fault", "what began dead ended")  # times


class Nginx:
    """An nginx for one of the backends' addresses, to be killed and started again."""

    def __init__(self, site: Site, address: str):
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


class Standstills:
    """When nothing ran on this machine, as somebody finds out who sleeps for moments only."""

    def __init__(self):
        self.seen, self.over = [], False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self) -> None:
        """Until the end."""
        while not self.over:
            began = time.monotonic()
            time.sleep(lab.PIECE_S)
            ended = time.monotonic()
            if ended - began > lab.PIECE_S + LATE_S:
                self.seen.append((began + lab.PIECE_S, ended))

    def stop(self) -> None:
        """This is the end."""
        self.over = True
        self.thread.join(5)

    def during(self, one: Request) -> float:
        """For how much of a request."""
        return sum(max(0, min(one.ended, ended) - max(one.began, began))
                   for began, ended in self.seen)


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
            self.done.append(Request(began, time.monotonic(), answer))
            time.sleep(PAUSE_S)

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


def hurt(site: Site, one: Nginx, how) -> Fault:
    """Let a backend fail in a way until the engine knows, and come back until it knows."""
    began = time.monotonic()
    with how():
        dead = time.monotonic()
        lab.wait_for(f"{one.address} down", lambda: state(site, one.address)["state"] == "down")
        time.sleep(0.1)
        ended = time.monotonic()
    lab.wait_for(f"{one.address} up", lambda: state(site, one.address)["state"] == "up")
    return Fault(how.__name__, began, dead, ended)


def drained(site: Site, one: Nginx) -> Fault:
    """Drain a backend, kill it when its last connection is over, start it and take it back."""
    words = ["--backend", f"web/{one.address}:80", "-f", site.engine.instance]
    began = time.monotonic()
    lab.run([lab.HANDFAST, "drain", *words])
    lab.wait_for("the last connection", lambda: state(site, one.address)["connections"] == 0)
    with one.killed():
        time.sleep(0.3)
    lab.wait_for(f"{one.address} up", lambda: state(site, one.address)["check"] == "good")
    lab.run([lab.HANDFAST, "undrain", *words])
    ended = time.monotonic()
    time.sleep(0.1)
    return Fault("drained", began, began, ended)


def judge(done: list, faults: list, standstills: Standstills) -> None:
    """Only what a killed process had in its hands is lost; nobody waits longer than for retries."""
    for fault in faults:
        during = [one for one in done if fault.dead <= one.began < fault.ended]
        longest = max((one.ended - one.began - standstills.during(one) for one in during),
                      default=0)
        print(f"{fault.what}: {len(during)} requests, the longest took {longest * 1000:.0f} ms")
        lab.check(longest < RETRIES_S + SLACK_S, f"{fault}: {longest} s")
        if fault.what == "killed":
            lab.check(longest < RETRIES_S, f"{fault}: {longest} s")
    killed = [fault for fault in faults if fault.what == "killed"]
    lost = [one for one in done if not one.answer.startswith("10.8.0.")]
    print(f"{len(done)} requests, {len(lost)} lost: {collections.Counter(one.answer for one in lost)}")
    for one in lost:
        lab.check(any(one.began < fault.dead and one.ended > fault.began for fault in killed),
                  f"{one} failed, among {faults}")
    lab.check(len(lost) <= CLIENTS * len(killed), f"{lost}")


def test_backends_are_killed_in_turn():
    """Each of three is killed and falls silent while eight clients ask, and one is drained before:
    nobody waits longer than for two SYNs, and only what a killed one was answering fails."""
    lab.need("nft", "nginx")
    with lab.Lab() as here:
        site = Site(here, 3, packets=0, pool=CHECKED)
        servers = [Nginx(site, address) for address in site.servers.chosen]
        for one in servers:
            lab.wait_for(f"{one.address} up", lambda: state(site, one.address)["state"] == "up")
        standstills = Standstills()
        with Load(site.client) as load:
            # First, for what a killed one has reset is not forgotten for ten seconds.
            faults = [drained(site, servers[0])]
            for one in servers:
                faults += [hurt(site, one, one.killed), hurt(site, one, one.silent)]
            time.sleep(0.1)
        standstills.stop()
        judge(load.done, faults, standstills)
        for one in servers:
            lab.check(any(done.answer == one.address and done.began > faults[-1].ended
                          for done in load.done), f"nothing comes from {one.address} any more")
        now = site.settled()
        lab.check(now["backends_no_answer"] == now["backends_all_down"] == 0, f"{now}")


if __name__ == "__main__":
    lab.main(globals())
