# SPDX-License-Identifier: BSD-3-Clause
"""Every mixture of TCP options, client's kernel by backend's kernel, through the splice."""

import collections
import hashlib
import itertools
import os
import socket
import struct

import lab
from test_proxy import FRONT4, Site, read_all, serve, stop

OPTIONS = ("window_scaling", "sack", "timestamps")
MSS_CLIENT, MSS_SERVER = (1460, 536, 1200), (1460, 1000, 700)
UP_BYTES, DOWN_BYTES = 40_000, 150_000
FIRST_PORT, PLAIN, COOKIES = 20000, 80, 81
SUM_UP_S = 0.25  # control looks at what checks have learnt more often than that
SYN, ACK, RST = 0x02, 0x10, 0x04

Segment = collections.namedtuple("Segment", "ours flags length mss scale permitted stamp sacks")
Cell = collections.namedtuple("Cell", "client server mss_client mss_server")


def set_kernel(namespace: lab.Namespace, options: tuple) -> None:
    """Turn the kernel's options on and off; sockets look at them at each handshake."""
    with namespace.entered():
        for name, wanted in zip(OPTIONS, options):
            with open(f"/proc/sys/net/ipv4/tcp_{name}", "w", encoding="ascii") as file:
                file.write(str(int(wanted)))


def set_mss(namespace: lab.Namespace, device: str, subnet: str, mss: int) -> None:
    """What the kernel advertises to its neighbours."""
    namespace.ip("route", "change", subnet, "dev", device, "advmss", str(mss))


def wait_for_check(site: Site) -> None:
    """A check that begins from now on, whose result is known to all."""
    def checks() -> int:
        return site.engine.ask("/handfast/backends")["0"]["checks"]
    before = checks()
    lab.wait_for("two checks", lambda: checks() >= before + 2)
    lab.pause(SUM_UP_S)


def answer(client: socket.socket) -> None:
    """Read to the client's FIN; say what came, and much more."""
    with client:
        said = read_all(client)
        client.sendall(hashlib.sha256(said).digest() + said * 3 + bytes(DOWN_BYTES - len(said) * 3))


def transfer(site: Site, port: int, service: int) -> None:
    """Text both ways over one connection from this port to a service's."""
    text = os.urandom(UP_BYTES)
    with site.client.entered():
        client = socket.socket()
    with client:
        client.settimeout(5)
        client.bind(("", port))
        client.connect((FRONT4, service))
        client.sendall(text)
        client.shutdown(socket.SHUT_WR)
        got = read_all(client)
        # No TIME_WAIT, no late FIN.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    want = hashlib.sha256(text).digest() + text * 3 + bytes(DOWN_BYTES - UP_BYTES * 3)
    lab.check(got == want, f"from port {port}: {len(got)} bytes, other than were sent")


def number(field: str) -> int:
    """The first value of a field of tshark's, 0 when it is not there."""
    return int(field.split(",")[0], 0) if field else 0


def read(capture: lab.Capture) -> list:
    """The segments of each connection that carries text, in the order in which they began."""
    connections = collections.defaultdict(list)
    for line in capture.tshark(
            "tcp", "tcp.stream", "eth.src", "tcp.flags", "tcp.len", "tcp.options.mss_val",
            "tcp.options.wscale.shift", "tcp.options.sack_perm", "tcp.options.timestamp.tsval",
            "tcp.options.sack_le"):
        stream, source, flags, length, mss, scale, permitted, stamp, sacks = line.split("\t")
        connections[int(stream)].append(Segment(
            source == capture.mac, number(flags), int(length), number(mss), bool(scale),
            bool(permitted), bool(stamp), bool(sacks)))
    return [segments for _, segments in sorted(connections.items())
            if any(one.length > 0 for one in segments)]


def judge(segments: list, agreed: tuple, mss: int, where: str) -> None:
    """What we sent on one side has just the options that were agreed upon, and fits the MSS."""
    handshakes = [one for one in segments if one.ours and one.flags & SYN]
    lab.check(len(handshakes) == 1, f"{where}: {len(handshakes)} SYNs of ours")
    one = handshakes[0]
    lab.check((one.scale, one.permitted, one.stamp) == agreed, f"{where}: {one}, not {agreed}")
    lab.check(0 < one.mss <= 1460, f"{where}: {one}")
    for one in segments:
        if not one.ours or one.flags & (SYN | RST):
            continue
        lab.check(one.stamp == agreed[2], f"{where}: timestamps: {one}")
        lab.check(agreed[1] or not one.sacks, f"{where}: SACK: {one}")
        lab.check(not (one.mss or one.scale or one.permitted), f"{where}: an option of SYNs: {one}")
        lab.check(one.length + 12 * one.stamp <= mss, f"{where}: longer than {mss}: {one}")


def test_every_mixture_of_options():
    """Window scale, SACK, timestamps: 8 clients by 8 backends, 9 pairs of MSS, two real kernels:
    text arrives whole, and tshark sees the intersection of options on both sides."""
    subsets = list(itertools.product((True, False), repeat=3))
    turns = itertools.cycle(itertools.product(MSS_SERVER, MSS_CLIENT))
    cells = []
    with lab.Lab() as here:
        site = Site(here, ports=25, packets=100000,
                    pool={"check": "tcp", "check_interval": "100ms", "check_timeout": "100ms"},
                    also=[{"name": "cookies", "mode": "proxy", "pool": "web", "cookies": "always",
                           "listen": f"{FRONT4}:{COOKIES}"}])
        server = serve(site, 25, answer)
        for options in subsets:
            set_kernel(site.servers.namespace, options)
            mss_server, _ = next(turns)
            set_mss(site.servers.namespace, site.back, "10.8.0.0/24", mss_server)
            wait_for_check(site)
            for client in subsets:
                _, mss_client = next(turns)
                set_kernel(site.client, client)
                set_mss(site.client, site.front, "10.9.0.0/24", mss_client)
                # Every other handshake is completed by a cookie.
                transfer(site, FIRST_PORT + len(cells), (PLAIN, COOKIES)[sum(client + options) % 2])
                cells.append(Cell(client, options, mss_client, mss_server))
        stop(server)
        now = site.settled()
        lab.check((now["spliced"], now["syn_cookies_opened"]) == (len(cells), len(cells) // 2),
                  f"counters: {now}")
        for capture in site.captures:
            capture.stop()
        front, back = (read(capture) for capture in site.captures)
        lab.check(len(front) == len(back) == len(cells), f"{len(front)} and {len(back)} streams")
        for i, cell in enumerate(cells):
            agreed = tuple(a and b for a, b in zip(cell.client, cell.server))
            judge(front[i], agreed, cell.mss_client, f"{cell}, at the client")
            judge(back[i], agreed, cell.mss_server, f"{cell}, at the backend")


if __name__ == "__main__":
    lab.main(globals())
