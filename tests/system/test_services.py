# SPDX-License-Identifier: BSD-3-Clause
"""The responder's other services, used by the kernel's TCP: echo, banner, discard."""

import os
import socket
import threading

import lab

SIZES = (1, 2, 100, 536, 1459, 1460, 1461, 4095, 4096, 16383, 16384, 16385, 65536, 200000)


def receive(client: socket.socket, size: int) -> bytes:
    """Exactly so many bytes, or fewer at the end of the stream."""
    parts = []
    while size and (chunk := client.recv(min(size, 65536))):
        parts.append(chunk)
        size -= len(chunk)
    return b"".join(parts)


def echo(client: socket.socket, sent: bytes) -> bytes:
    """Send and receive at the same time, as an echo must be used."""
    sender = threading.Thread(target=client.sendall, args=(sent,))
    sender.start()
    got = receive(client, len(sent))
    sender.join()
    return got


def test_echo_returns_what_was_sent():
    """Pieces of many sizes come back unchanged, over both families, on one connection each."""
    with lab.Lab() as here:
        site = lab.Site(here)
        for host in (lab.ENGINE4, lab.ENGINE6):
            with site.client.connect(host, 7) as client:
                for size in SIZES:
                    sent = os.urandom(size)
                    lab.check(echo(client, sent) == sent, f"{size} bytes came back changed")


def test_echo_carries_ten_megabytes():
    """10 MB go round on one connection unchanged, more than any buffer holds."""
    with lab.Lab() as here:
        site = lab.Site(here)
        sent = os.urandom(10_000_000)
        with site.client.connect(lab.ENGINE4, 7, timeout=60) as client:
            lab.check(echo(client, sent) == sent, "10 MB came back changed")


def test_echo_waits_for_a_reader():
    """Nothing is lost when the client sends first and reads only later."""
    with lab.Lab() as here:
        site = lab.Site(here)
        sent = os.urandom(300_000)
        with site.client.connect(lab.ENGINE4, 7, timeout=60) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sender = threading.Thread(target=client.sendall, args=(sent,))
            sender.start()
            sender.join(1.0)
            lab.check(receive(client, len(sent)) == sent, "300 kB came back changed")
            sender.join()


def test_many_echoes_do_not_mix():
    """Fifty connections with different data at the same time each get their own back."""
    with lab.Lab() as here:
        site = lab.Site(here)
        wrong = []

        def one(client: socket.socket) -> None:
            sent = os.urandom(50_000)
            if echo(client, sent) != sent:
                wrong.append(client)

        clients = [site.client.connect(lab.ENGINE4, 7) for _ in range(50)]
        threads = [threading.Thread(target=one, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for client in clients:
            client.close()
        lab.check(not wrong, f"{len(wrong)} connections got something else back")


def test_banner_speaks_first():
    """The banner comes without being asked for, and then the client may go."""
    with lab.Lab() as here:
        site = lab.Site(here)
        for host in (lab.ENGINE4, lab.ENGINE6):
            with site.client.connect(host, 25) as client:
                lab.check(client.recv(100) == b"220 handfast ready\r\n", f"banner of {host}")


def test_discard_takes_everything_and_says_nothing():
    """2 MB are acknowledged and not answered."""
    with lab.Lab() as here:
        site = lab.Site(here)
        size = 2_000_000
        with site.client.connect(lab.ENGINE4, 9) as client:
            client.sendall(bytes(size))
            client.shutdown(socket.SHUT_WR)
            lab.check(client.recv(1) == b"", "discard answered")
        now = site.settled()
        lab.check(now["data_bytes_received"] == size, f"counters: {now}")


def test_a_full_service_refuses():
    """With max_connections 10 the eleventh is not served, and one more is once one has gone."""
    with lab.Lab() as here:
        site = lab.Site(here, lab.services(mail={"max_connections": 10}))
        clients = [site.client.connect(lab.ENGINE4, 25) for _ in range(10)]
        try:
            with site.client.connect(lab.ENGINE4, 25, timeout=1.5) as client:
                lab.check(client.recv(100) == b"", "the eleventh was served")
        except OSError:
            pass
        lab.check(site.settled()["drop_service_full"] > 0, "nothing was counted as refused")
        for client in clients:
            client.close()

        def served() -> bool:
            try:
                with site.client.connect(lab.ENGINE4, 25, timeout=2) as client:
                    return client.recv(100) == b"220 handfast ready\r\n"
            except OSError:
                return False
        lab.wait_for("a free place", served, 10)


def test_an_idle_connection_ends():
    """A connection that is silent longer than idle_timeout is ended and counted."""
    with lab.Lab() as here:
        site = lab.Site(here, lab.services(discard={"idle_timeout": "1s"}))
        with site.client.connect(lab.ENGINE4, 9, timeout=8) as client:
            try:
                lab.check(client.recv(1) == b"", "data on a silent connection")
            except ConnectionResetError:
                pass
        lab.check(site.settled()["timed_out"] == 1, "not counted")


def test_a_silent_client_is_kept_while_it_answers():
    """Keep-alives every 0.3 s: a kernel that answers outlives an idle_timeout of 1 s; once it is
    cut off, the third probe without an answer ends it."""
    with lab.Lab() as here:
        site = lab.Site(here, lab.services(discard={"idle_timeout": "1s"}),
                        tcp={"keepalive_time": "300ms", "keepalive_intvl": "100ms",
                             "keepalive_probes": 3})
        with site.client.connect(lab.ENGINE4, 9) as client:
            client.settimeout(2.5)
            try:
                raise lab.Failure(f"the silent connection ended: {client.recv(1)}")
            except TimeoutError:
                pass
            lab.check(site.engine.counters("lan")["timed_out"] == 0, "given up")
            site.client.ip("link", "set", site.device, "down")
            lab.wait_for("the end of it", lambda: site.engine.counters("lan")["timed_out"] == 1, 3)


if __name__ == "__main__":
    lab.main(globals())
