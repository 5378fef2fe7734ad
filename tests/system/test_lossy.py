# SPDX-License-Identifier: BSD-3-Clause
"""Connections over a bad cable: lossy.c drops, reorders and duplicates on the way."""

import hashlib
import os
import select
import socket
import struct
import subprocess

import lab
from test_close import at_end
from test_services import echo


class Cable:
    """A bad cable from a TAP of the engine to one of the same name in another namespace."""

    def __init__(self, source: lab.Namespace, device: str, target: lab.Namespace, *faults: str):
        self.wire = source.lab.namespace()
        lab.move(source, device, self.wire)
        self.wire.set(f"net.ipv6.conf.{device}.disable_ipv6", 1)
        self.wire.address(device)
        self.process = self.wire.spawn(lab.tool("lossy"), "--near", device, "--far", device,
                                       "--namespace", target.name, *faults,
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said = self.process.stdout.readline()
        lab.check(said == "ready\n", f"lossy: {said}")

    def faults(self) -> str:
        """End the cable and read what it did."""
        self.process.terminate()
        said = self.process.communicate(timeout=10)[0]
        print(said)
        return said


class BadSite:
    """An engine on a TAP, a bad cable, and the client's kernel behind it."""

    def __init__(self, here: lab.Lab, served: list, *faults: str, port: dict = None):
        self.client, device = here.namespace(), here.name()
        self.engine = here.engine(
            [{"name": "lan", "device": f"tap:{device}", "mac": lab.ENGINE_MAC,
              "addresses": [f"{lab.ENGINE4}/24", f"{lab.ENGINE6}/64"], **(port or {})}], served)
        self.cable = Cable(self.engine.namespace, device, self.client, *faults)
        self.client.address(device, f"{lab.CLIENT4}/24", f"{lab.CLIENT6}/64")
        # At the engine's end, so that the judge sees every frame it sent.
        self.capture = here.capture(self.cable.wire, device)

    def faults(self) -> str:
        """End the cable and read what it did."""
        return self.cable.faults()


def test_a_mebibyte_survives_loss_and_reordering():
    """curl fetches 1 MiB intact over both families while 2 % are dropped and 2 % reordered."""
    lab.need("curl")
    with lab.Lab() as here:
        body = os.urandom(1 << 20)
        here.path("body").write_bytes(body)
        site = BadSite(here, lab.services(web={"body_file": str(here.path("body"))}),
                       "--drop", "2", "--reorder", "2", "--seed", "7")
        for url in (f"http://{lab.ENGINE4}/", f"http://[{lab.ENGINE6}]/"):
            got = here.path("got")
            site.client.run("curl", "-sS", "--max-time", "60", "-o", str(got), url)
            lab.check(hashlib.sha256(got.read_bytes()).digest() == hashlib.sha256(body).digest(),
                      f"{url} differs")
        now = site.engine.settled("lan")
        lab.check(now["data_retransmits"] > 0, f"nothing was sent again: {now}")
        said = site.faults()
        lab.check("dropped 0 " not in said.splitlines()[0], f"the cable dropped nothing: {said}")


def test_echo_survives_loss_in_both_directions():
    """200 kB echo unchanged while 2 % are dropped, 2 % reordered and 2 % come twice."""
    with lab.Lab() as here:
        site = BadSite(here, None, "--drop", "2", "--reorder", "2", "--duplicate", "2",
                       "--seed", "11")
        sent = os.urandom(200_000)
        with site.client.connect(lab.ENGINE4, 7, timeout=90) as client:
            lab.check(echo(client, sent) == sent, "the echo differs")
        site.faults()


def test_a_hundred_handshakes_survive_loss():
    """Of 100 pages over connections of their own, none fails while 5 % are dropped."""
    lab.need("ab")
    with lab.Lab() as here:
        site = BadSite(here, None, "--drop", "5", "--seed", "3")
        said = site.client.run("ab", "-q", "-s", "60", "-n", "100", "-c", "25",
                               f"http://{lab.ENGINE4}/", timeout=150).stdout
        lab.check("Complete requests:      100" in said, said)
        lab.check("Failed requests:        0" in said, said)
        site.faults()


def close_in_every_order(client: lab.Namespace, host: str) -> None:
    """A client's kernel ends five connections in five ways."""
    with client.connect(host, 7, timeout=40) as first:  # the client's FIN first
        first.sendall(b"hello")
        lab.check(first.recv(5) == b"hello", "no echo")
    with client.connect(host, 25, timeout=40) as second:  # the server's FIN first
        lab.check(at_end(second) == b"220 handfast ready\r\n", "banner, then end")
    with client.connect(host, 7, timeout=40) as third:  # half a close, then the rest
        third.sendall(bytes(4000))
        third.shutdown(socket.SHUT_WR)
        lab.check(at_end(third) == bytes(4000), "the echo after a half close")
    fourth = client.connect(host, 7, timeout=40)  # a reset
    fourth.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    fourth.close()
    fifth = client.connect(host, 80, timeout=40)  # an abort with unread text
    fifth.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    select.select([fifth], [], [], 40)
    fifth.close()


def test_every_close_order_survives_loss():
    """However the kernel closes, over 10 % loss, the engine's connections all end; no text is lost."""
    with lab.Lab() as here:
        site = BadSite(here, lab.services(mail={"close": "at_once"}, web={"idle_timeout": "15s"},
                                          echo={"idle_timeout": "15s"}),
                       "--drop", "10", "--reorder", "5", "--seed", "11")
        for host in (lab.ENGINE4, lab.ENGINE6):
            for _ in range(4):
                close_in_every_order(site.client, host)
        lab.wait_for("the engine's connections to end", lambda: sum(
            worker["connections"] for worker in site.engine.workers()) == 0, 60)
        now = site.engine.settled("lan")
        # A reset that overtakes the lost third segment ends a connection that never opened.
        lab.check(now["closed"] + now["reset"] + now["timed_out"] == 40, f"counters: {now}")
        lab.check(now["opened"] > 30, f"counters: {now}")


def test_duplicates_change_nothing():
    """With every frame coming twice, 20 pages open and close 20 connections."""
    lab.need("curl")
    with lab.Lab() as here:
        site = BadSite(here, None, "--duplicate", "100")
        for _ in range(20):
            done = site.client.run("curl", "-sS", "--max-time", "20", f"http://{lab.ENGINE4}/")
            lab.check(len(done.stdout) == 1024, f"{len(done.stdout)} bytes")
        now = site.engine.settled("lan")
        lab.check((now["opened"], now["closed"]) == (20, 20), f"counters: {now}")


if __name__ == "__main__":
    lab.main(globals())
