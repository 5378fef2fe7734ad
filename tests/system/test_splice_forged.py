# SPDX-License-Identifier: BSD-3-Clause
"""Segments that scapy forges on either side of a splice, and ports that are used again at once."""

import contextlib
import itertools
import socket
import time

import lab
from test_proxy import BACK_MAC, CLIENT4, FRONT4, Site, read_all, serve, stop

FIN, SYN, RST, ACK = 1, 2, 4, 16
FAR = 1 << 31
TICKS_S = 0.02  # until a port that is not to linger is free
SOON_S = 0.2    # no SYN was lost or ignored: ours is sent again after so long, the client's after 1 s
PASSES = 3      # where the machine stood still in one of them a connection takes longer
WORD = 1 << 32

# What, flags, how far from the end's next number, from what it acknowledges, and text.
FORGED = (
    ("RST one too high", RST, 1, 0, b""),
    ("RST in the window", RST, 1000, 0, b""),
    ("RST one too low", RST, -1, 0, b""),
    ("RST far away", RST, FAR, 0, b""),
    ("RST,ACK in the window", RST | ACK, 500, 0, b""),
    ("SYN with the next number", SYN, 0, 0, b""),
    ("SYN far away", SYN, FAR, 0, b""),
    ("SYN,ACK", SYN | ACK, 0, 0, b""),
    ("text with a far number", ACK, FAR, 0, b"forged"),
    ("text with an old number", ACK, -100000, 0, b"forged"),
    ("text that acknowledges what was never sent", ACK, 0, 1 << 20, b"forged"),
    # Behind a gap, for where nothing is missing Linux takes text first and judges the ACK then.
    ("text that acknowledges what is too old", ACK, 300, -(1 << 30), b"forged"),
    ("text without ACK", 0, 0, 0, b"forged"),
    ("FIN far away", FIN | ACK, FAR, 0, b""),
)


class Wire:
    """What an end says on its device, in its newest connection, and what is forged into that."""

    def __init__(self, site: Site, namespace: lab.Namespace, device: str, mac: str, source: str):
        from scapy.all import Ether, IP, TCP, conf  # pylint: disable=import-outside-toplevel
        self.ether, self.ip, self.tcp, self.mac, self.source = Ether, IP, TCP, mac, source
        self.ports = None
        conf.verb = 0
        with namespace.entered():
            self.mouth = conf.L2socket(iface=device)
            self.ear = conf.L2listen(iface=device)  # hears both directions
        site.here.at_exit(self.mouth.close)
        site.here.at_exit(self.ear.close)

    def heard(self) -> list:
        """What the end has said since the last time."""
        said = []
        while self.ear.select([self.ear], 0.005):
            frame = self.ear.recv()
            if frame is None or self.tcp not in frame or frame[self.ip].src != self.source:
                continue
            ports = (frame[self.tcp].sport, frame[self.tcp].dport)
            if frame[self.tcp].flags & SYN:
                self.ports = ports
            # Who was reset without hearing of it says his last words again.
            if ports == self.ports:
                said.append(frame)
        return said

    def forget(self) -> None:
        """Whatever was said is of no interest."""
        self.heard()

    def forge(self, what: tuple) -> None:
        """A segment like the last that the end said, but for what is to be wrong."""
        _, flags, seq, ack, text = what
        like = self.heard()[-1]
        last = like[self.tcp]
        length = like[self.ip].len - 20 - 4 * last.dataofs
        self.mouth.send(
            self.ether(src=like.src, dst=self.mac)
            / self.ip(src=self.source, dst=like[self.ip].dst)
            / self.tcp(sport=last.sport, dport=last.dport, flags=flags, window=last.window,
                       seq=(last.seq + length + seq) % WORD, ack=(last.ack + ack) % WORD)
            / text)


def echo(client: socket.socket) -> None:
    """Send everything back."""
    with client, contextlib.suppress(OSError):
        while said := client.recv(65536):
            client.sendall(said)


def talk(client: socket.socket, text: bytes) -> None:
    """Text goes there and back, and nothing else does."""
    client.sendall(text)
    got = b""
    while len(got) < len(text):
        more = client.recv(65536)
        lab.check(more, f"the connection ended after {got}")
        got += more
    lab.check(got == text, f"{got}, not {text}")


def test_forged_segments_end_nothing():
    """RSTs that are not exact, SYNs and text from far away, with an end's address and ports, on
    either side, with timestamps and without: the connection goes on.  An exact RST ends it."""
    with lab.Lab() as here:
        site = Site(here, ports=25)
        server = serve(site, 25, echo)
        backend = site.servers.chosen[0]
        sides = (Wire(site, site.client, site.front, lab.ENGINE_MAC, CLIENT4),
                 Wire(site, site.servers.namespace, site.back, BACK_MAC, backend))
        # The client's side first: a backend's socket does not hear of the RST forged in its name.
        for wire, stamps in itertools.product(sides, (0, 1)):
            site.client.set("net.ipv4.tcp_timestamps", stamps)
            with site.client.connect(FRONT4, 80, timeout=5) as client:
                for number, what in enumerate(FORGED):
                    wire.forget()
                    talk(client, f"before {number}".encode())
                    wire.forge(what)
                    talk(client, f"after {number}, {what[0]}".encode())
                wire.forget()
                talk(client, b"the last")
                wire.forge(("exact RST", RST, 0, 0, b""))
                if wire is sides[1]:
                    with contextlib.suppress(ConnectionResetError):
                        lab.check(client.recv(1) == b"never", "an exact RST did not pass")
                else:
                    lab.wait_for("the backend's reset", lambda: "ESTAB" not in
                                 site.servers.namespace.run("ss", "-tn", "src", backend).stdout)
        stop(server)
        now = site.settled()
        lab.check(now["challenge_acks"] > 0 and now["spliced"] == 4, f"{now}")


def farewell(client: socket.socket) -> None:
    """Say a word, and be the first to close."""
    with client:
        client.sendall(b"farewell")
        client.shutdown(socket.SHUT_WR)
        read_all(client)


def again(site: Site, address: str, seconds: float = 5) -> None:
    """A whole connection from the same port as before."""
    with site.client.entered():
        client = socket.socket()
    with client:
        client.settimeout(seconds)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.bind((address, 30000))
        lab.wait_for("the port", lambda: client.connect_ex((FRONT4, 80)) == 0, seconds)
        lab.check(read_all(client) == b"farewell", "not all came")


def longest_of(site: Site, addresses: list) -> float:
    """What the longest of connections took that come one behind the other."""
    took = []
    for address in addresses:
        began = time.monotonic()
        again(site, address)
        took.append(time.monotonic() - began)
        time.sleep(TICKS_S)
    print(f"the longest took {max(took) * 1000:.0f} ms")
    return max(took)


def test_ports_are_used_again_at_once():
    """Of four local ports a fifth client at a time gets none and is reset.  Then clients with clocks
    of their own connect from one port of theirs again and again, through those four, to a backend
    that has them in TIME_WAIT, and nobody waits."""
    addresses = [f"10.9.0.{11 + i}" for i in range(6)]
    with lab.Lab() as here:
        site = Site(here, ports=25, pool={"local_ports": "20000-20003"})
        site.client.address(site.front, *(f"{address}/24" for address in addresses))
        server = serve(site, 25, echo)
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(site.client.connect(FRONT4, 80)) for _ in range(4)]
            for client in clients:
                talk(client, b"one of four")
            with contextlib.suppress(ConnectionResetError):
                fifth = stack.enter_context(site.client.connect(FRONT4, 80))
                lab.check(fifth.recv(1) == b"never", "the fifth was not reset")
            for client in clients:
                talk(client, b"still one of four")
        stop(server)
        lab.check(site.settled()["local_ports_used_up"] == 1, f"{site.settled()}")
        server = serve(site, 25, farewell)
        passes = 1
        while longest_of(site, addresses * 8) >= SOON_S:
            lab.check(passes < PASSES, "somebody waited in each pass")
            passes += 1
        stop(server)
        waiting = site.servers.namespace.run("ss", "-tan", "state", "time-wait").stdout
        lab.check("10.8.0.2:2000" in waiting, f"the backend has no TIME_WAIT: {waiting}")
        now = site.settled()
        lab.check(now["spliced"] == 4 + passes * len(addresses) * 8 and now["local_ports_used_up"] == 1, f"{now}")


if __name__ == "__main__":
    lab.main(globals())
