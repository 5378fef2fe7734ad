# SPDX-License-Identifier: BSD-3-Clause
"""Every order in which two ends can close a connection."""

import socket
import struct

import lab


def states(site: lab.Site) -> str:
    """The client kernel's TCP sockets that are not established."""
    return site.client.run("ss", "-tanH").stdout


def at_end(client: socket.socket) -> bytes:
    """Everything up to the peer's FIN."""
    parts = []
    while chunk := client.recv(65536):
        parts.append(chunk)
    return b"".join(parts)


def test_client_closes_first():
    """The client's FIN is acknowledged and answered by one: the client reaches TIME_WAIT."""
    with lab.Lab() as here:
        site = lab.Site(here)
        client = site.client.connect(lab.ENGINE4, 7)
        client.sendall(b"hello")
        lab.check(client.recv(5) == b"hello", "no echo")
        client.close()
        lab.wait_for("the client's TIME_WAIT", lambda: "TIME-WAIT" in states(site), 5)
        now = site.settled()
        lab.check((now["closed"], now["reset"]) == (1, 0), f"counters: {now}")


def test_server_closes_at_once():
    """close: at_once sends the banner and a FIN; the client keeps no TIME_WAIT."""
    with lab.Lab() as here:
        site = lab.Site(here, lab.services(mail={"close": "at_once"}))
        for _ in range(20):
            with site.client.connect(lab.ENGINE4, 25) as client:
                lab.check(at_end(client) == b"220 handfast ready\r\n", "banner, then end")
        lab.wait_for("the last sockets to go", lambda: not states(site).strip(), 5)
        now = site.settled()
        lab.check((now["opened"], now["closed"], now["reset"]) == (20, 20, 0), f"counters: {now}")


def test_server_closes_after_reply():
    """close: after_reply ends the connection after one page though keep-alive was asked for."""
    with lab.Lab() as here:
        site = lab.Site(here, lab.services(web={"close": "after_reply"}))
        with site.client.connect(lab.ENGINE4, 80) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            head, _, body = at_end(client).partition(b"\r\n\r\n")
            lab.check(len(body) == 1024, f"{head!r} and {len(body)} bytes")
        lab.check(site.settled()["closed"] == 1, "not counted as closed")


def test_half_close_still_answers():
    """After shutdown(SHUT_WR) everything sent before comes back, then the other FIN."""
    with lab.Lab() as here:
        site = lab.Site(here)
        sent = bytes(range(256)) * 32
        for host in (lab.ENGINE4, lab.ENGINE6):
            with site.client.connect(host, 7) as client:
                client.sendall(sent)
                client.shutdown(socket.SHUT_WR)
                lab.check(at_end(client) == sent, "the echo after a half close")
            with site.client.connect(host, 80) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                client.shutdown(socket.SHUT_WR)
                body = at_end(client).partition(b"\r\n\r\n")[2]
                lab.check(len(body) == 1024, f"{len(body)} bytes after a half close")
        now = site.settled()
        lab.check((now["closed"], now["reset"]) == (4, 0), f"counters: {now}")


def test_reset_ends_at_once():
    """SO_LINGER 0 sends RST: the connection is gone, counted, and not answered."""
    with lab.Lab() as here:
        site = lab.Site(here)
        client = site.client.connect(lab.ENGINE4, 7)
        client.sendall(b"hello")
        lab.check(client.recv(5) == b"hello", "no echo")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        now = site.settled()
        lab.check((now["reset"], now["closed"]) == (1, 0), f"counters: {now}")
        lab.check(now["resets_sent"] == 0, f"a reset was answered by a reset: {now}")


def test_ports_are_used_again_at_once():
    """The same client port opens and closes twenty times in a row, whoever closes first."""
    with lab.Lab() as here:
        site = lab.Site(here, lab.services(mail={"close": "at_once"}))
        for _ in range(20):
            with site.client.entered():
                client = socket.socket()
            client.settimeout(5)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            client.bind((lab.CLIENT4, 20000))
            client.connect((lab.ENGINE4, 25))
            lab.check(at_end(client) == b"220 handfast ready\r\n", "banner, then end")
            client.close()
            lab.wait_for("the socket to go", lambda: not states(site).strip(), 5)


if __name__ == "__main__":
    lab.main(globals())
