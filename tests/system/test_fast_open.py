# SPDX-License-Identifier: BSD-3-Clause
"""The kernel's client opens fast: it asks for a cookie, and its next SYN brings the request."""

import re
import socket
import struct
import time

import lab
from test_lossy import BadSite

MSG_FASTOPEN = 0x20000000
REQUEST = b"GET / HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n"


def site_of(here: lab.Lab, client: int = 1) -> lab.Site:
    """An engine whose web and echo services open fast, and a kernel that does so as a client."""
    on = {"fast_open": True}
    site = lab.Site(here, lab.services(web=on, echo=on))
    site.client.set("net.ipv4.tcp_fastopen", client)
    return site


def netstat(site: lab.Site, name: str) -> int:
    """One of the client kernel's TcpExt counters."""
    lines = site.client.run("cat", "/proc/net/netstat").stdout.splitlines()
    for names, values in zip(lines[::2], lines[1::2]):
        if names.startswith("TcpExt:"):
            return int(dict(zip(names.split(), values.split()))[name])
    raise lab.Failure("no TcpExt counters")


def ask(site: lab.Site, host: str, port: int, text: bytes) -> bytes:
    """What the service answers to a text that the kernel may send with its SYN."""
    with site.client.entered():
        client = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    with client:
        # Of the kernel's own: with Python's the socket would not block, and not wait for a cookie.
        for limit in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
            client.setsockopt(socket.SOL_SOCKET, limit, struct.pack("ll", 20, 0))
        sent = client.sendto(text, MSG_FASTOPEN, (host, port))
        client.sendall(text[sent:])
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := client.recv(65536):
            answer += chunk
    return answer


def test_second_connection_sends_its_request_with_the_syn():
    """The first connection gets a cookie; the next ones send the request in the SYN, and count."""
    with lab.Lab() as here:
        site = site_of(here)
        for active, host in ((0, lab.ENGINE4), (3, lab.ENGINE6)):
            for times in range(4):
                answer = ask(site, host, 80, REQUEST)
                lab.check(re.match(rb"HTTP/1\.1 200 ", answer), repr(answer[:100]))
                lab.check(len(answer) > 1024, repr(answer))
                got = netstat(site, "TCPFastOpenActive")
                lab.check(got == active + times, f"{host}: {got} fast opens after {times + 1}")
        now = site.settled()
        lab.check(now["fast_opens"] == 6, f"counters: {now}")
        lab.check(now["fast_open_cookies"] == 2, f"counters: {now}")
        lab.check(now["fast_open_refused"] == 0, f"counters: {now}")
        lab.check((now["opened"], now["requests"]) == (8, 8), f"counters: {now}")
        lab.check(netstat(site, "TCPFastOpenActiveFail") == 0, "a fast open failed")
        site.capture.stop()
        early = site.capture.tshark("tcp.flags.syn == 1 && tcp.flags.ack == 0 && tcp.len > 0")
        lab.check(len(early) == 6, f"{len(early)} SYNs with text")
        acks = site.capture.tshark("tcp.flags.syn == 1 && tcp.flags.ack == 1", "tcp.ack")
        taken = [ack for ack in acks if int(ack) == len(REQUEST) + 1]
        lab.check((len(acks), len(taken)) == (8, 6), f"SYN,ACKs up to {acks}")


def test_echo_opens_fast_too():
    """An echo service says again what came with the SYN, and what came after it, once."""
    with lab.Lab() as here:
        site = site_of(here)
        for size in (10, 100, 1000, 5000, 20000):
            text = bytes(i % 251 for i in range(size))
            lab.check(ask(site, lab.ENGINE4, 7, text) == text, f"{size} bytes differ")
        now = site.settled()
        lab.check(now["fast_opens"] == 4, f"counters: {now}")


def test_foreign_cookie_is_replaced():
    """A restarted engine refuses the cookies of the one before, and grants its own; none is lost."""
    with lab.Lab() as here:
        site = site_of(here)
        ask(site, lab.ENGINE4, 80, REQUEST)
        ask(site, lab.ENGINE4, 80, REQUEST)
        lab.check(site.settled()["fast_opens"] == 1, "no fast open to begin with")
        device = here.name()
        site.capture.stop()
        site.engine.stop()
        again = here.engine([{"name": "lan", "device": f"tap:{device}", "mac": lab.ENGINE_MAC,
                              "addresses": [f"{lab.ENGINE4}/24"]}],
                            lab.services(web={"fast_open": True, "listen": f"{lab.ENGINE4}:80"},
                                         echo={"listen": f"{lab.ENGINE4}:7"},
                                         discard={"listen": f"{lab.ENGINE4}:9"},
                                         mail={"listen": f"{lab.ENGINE4}:25"}))
        lab.move(again.namespace, device, site.client)
        site.client.address(device, f"{lab.CLIENT4}/24")
        for _ in range(2):
            lab.check(b" 200 " in ask(site, lab.ENGINE4, 80, REQUEST)[:20], "no answer")
        now = again.settled("lan")
        lab.check(now["requests"] == 2, f"counters: {now}")
        lab.check(now["fast_open_refused"] == 1, f"counters: {now}")
        lab.check(now["fast_opens"] == 1, f"counters: {now}")


def test_service_without_fast_open_grants_none():
    """Without the option a client that wants to open fast opens as ever, each time."""
    with lab.Lab() as here:
        site = lab.Site(here)
        site.client.set("net.ipv4.tcp_fastopen", 1)
        for _ in range(3):
            lab.check(b" 200 " in ask(site, lab.ENGINE4, 80, REQUEST)[:20], "no answer")
        now = site.settled()
        lab.check(now["fast_open_cookies"] == 0 and now["fast_opens"] == 0, f"counters: {now}")
        lab.check(netstat(site, "TCPFastOpenActive") == 0, "the kernel opened fast")


def test_fast_opens_survive_loss():
    """With every seventh frame lost on the way, ten answers arrive, each once and whole."""
    with lab.Lab() as here:
        site = BadSite(here, lab.services(web={"fast_open": True}), "--drop", "14", "--seed", "5")
        site.client.set("net.ipv4.tcp_fastopen", 1)
        began = time.monotonic()
        for _ in range(10):
            answer = ask(site, lab.ENGINE4, 80, REQUEST)
            lab.check(len(answer) > 1024 and answer.count(b"HTTP/1.1") == 1, repr(answer[:100]))
        print(f"{time.monotonic() - began:.1f} s for ten connections")
        now = site.engine.settled("lan")
        lab.check(now["fast_opens"] > 0, f"counters: {now}")
        site.faults()


if __name__ == "__main__":
    lab.main(globals())
