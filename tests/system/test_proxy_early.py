# SPDX-License-Identifier: BSD-3-Clause
"""Clients that speak at once to backends that answer late: what is said arrives, and only once."""

import concurrent.futures
import hashlib
import random
import socket
import time

import lab
from test_proxy import FRONT4, Site, read_all, serve, stop

BYTES = 64 << 10
RETRY_S = 0.2  # until a backend's SYN is sent again (engine/proxy.h)
PORT = 9000
CONNECTIONS = 5


def digest(client: socket.socket) -> None:
    """A server that says what it has heard, by its hash."""
    with client:
        client.sendall(hashlib.sha256(read_all(client)).digest())


def lose_syns(site: Site, lost: int, each: int) -> None:
    """Of so many SYNs each the backends do not hear the first ones."""
    site.servers.namespace.run(
        "nft", "table ip late { chain i { type filter hook input priority 0; tcp dport "
        f"{PORT} tcp flags & (syn | ack) == syn numgen inc mod {each} < {lost} drop; }}; }}")


def say_at_once(site: Site, text: bytes) -> float:
    """All of a text right behind the handshake. @return how long its answer took."""
    began = time.monotonic()
    with site.client.connect(FRONT4, 80) as server:
        server.sendall(text)
        server.shutdown(socket.SHUT_WR)
        lab.check(read_all(server) == hashlib.sha256(text).digest(), "the hashes differ")
    return time.monotonic() - began


def repeated(capture: lab.Capture) -> set:
    """Connections in which a text came twice, whoever sent it."""
    return set(capture.tshark("tcp.len > 0 && (tcp.analysis.retransmission || "
                              "tcp.analysis.fast_retransmission || "
                              "tcp.analysis.spurious_retransmission)", "tcp.stream"))


def nothing_is_left(site, server):
    """No text is held, and tshark finds no fault in what was captured."""
    lab.check(all(worker["early_bytes_held"] == 0 for worker in site.engine.workers()),
              "something is still held")
    stop(server)
    for capture in site.captures:
        capture.stop()
        capture.judge()


def test_nothing_is_said_twice_to_a_late_backend():
    """64 KiB said at once while a backend's SYN is lost: whole, and neither end repeats a byte."""
    with lab.Lab() as here:
        site = Site(here, ports=PORT)
        server = serve(site, PORT, digest)
        lose_syns(site, 1, 2)
        # Linux repeats its last segment when it has waited for a few milliseconds (RFC 8985 7), and
        # where the machine is busy that is soon over.
        for namespace in (site.client, site.servers.namespace):
            namespace.set("net.ipv4.tcp_early_retrans", 0)
        for number in range(CONNECTIONS):
            took = say_at_once(site, random.Random(number).randbytes(BYTES))
            lab.check(RETRY_S <= took < 3, f"it took {took:.3f} s")
        now = site.settled()
        lab.check(now["early_bytes"] > 4000 * CONNECTIONS and now["drop_early_full"] == 0, f"{now}")
        nothing_is_left(site, server)
        for capture in site.captures:
            # Where the machine stands still timers run out all the same, but not in each of them.
            lab.check(len(repeated(capture)) < CONNECTIONS, f"{capture.file}: {repeated(capture)}")


def test_a_crowd_waits_where_memory_is_short():
    """Twenty at once where there is room for two: told to wait, all are whole in the end."""
    crowd = 20
    with lab.Lab() as here:
        site = Site(here, ports=PORT, packets=20000, early_memory="16KiB")
        server = serve(site, PORT, digest)
        lose_syns(site, crowd, 1000)
        texts = [random.Random(n).randbytes(BYTES) for n in range(crowd)]
        with concurrent.futures.ThreadPoolExecutor(crowd) as pool:
            for took in pool.map(lambda text: say_at_once(site, text), texts):
                lab.check(took < 10, f"it took {took:.3f} s")
        now = site.settled()
        lab.check(now["spliced"] == crowd and now["early_bytes"] > 4000, f"{now}")
        nothing_is_left(site, server)
        told = site.captures[0].tshark(
            f"eth.src == {lab.ENGINE_MAC} && tcp.flags.syn == 0 && tcp.flags.reset == 0 && "
            "tcp.window_size_value == 0 || tcp.flags.syn == 1 && tcp.window_size_value == 0")
        lab.check(told, "nobody was told to wait")


if __name__ == "__main__":
    lab.main(globals())
