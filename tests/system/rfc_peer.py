# SPDX-License-Identifier: BSD-3-Clause
"""A TCP peer made of bytes, for judging a TCP from outside.

It sends and receives Ethernet frames on one device with addresses that no kernel owns, so nothing
but the test answers.  Whatever the test wants to get wrong it can: every field is an argument.

"Nothing comes" is not waited for but proved: the engine takes frames in order, so a SYN to a
closed port behind the segment in question (the fence) is answered only after the segment was
dealt with.  Every frame that arrives is also audited for what must hold of all frames.
"""

import itertools
import socket
import struct
import threading
from collections import deque

import lab

PEER_MAC = "02:00:00:00:0c:01"
CLOSED_PORT = 1
LETTERS = "FSRPAUEC"  # bit 0 first
PATIENCE = 5.0        # seconds; the machine may be busy
SO_TIMESTAMPNS = 35   # the socket module has no name for it

MSS, WSCALE, SACK_OK, SACKS, TIMESTAMPS = 2, 3, 4, 5, 8
NOP, EOL = b"\x01", b"\x00"


def option(kind: int, value: bytes = b"") -> bytes:
    """One TCP option."""
    return bytes([kind, len(value) + 2]) + value


def mss(size: int) -> bytes:
    """The MSS option."""
    return option(MSS, struct.pack("!H", size))


def wscale(shift: int) -> bytes:
    """The window scale option."""
    return option(WSCALE, bytes([shift]))


def times(tsval: int, tsecr: int = 0) -> bytes:
    """The timestamps option, as everybody aligns it."""
    return NOP + NOP + option(TIMESTAMPS, struct.pack("!II", tsval % 2**32, tsecr % 2**32))


SACK_PERMITTED = option(SACK_OK)


def checksum(data: bytes) -> int:
    """RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def packed(address: str) -> bytes:
    """An address of either family as bytes."""
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def mac(text: str) -> bytes:
    """An Ethernet address as bytes."""
    return bytes.fromhex(text.replace(":", ""))


def pseudo(source: bytes, target: bytes, protocol: int, length: int) -> bytes:
    """The pseudo-header of either family."""
    if len(source) == 4:
        return source + target + struct.pack("!BBH", 0, protocol, length)
    return source + target + struct.pack("!IHBB", length, 0, 0, protocol)


def flag_bits(letters: str) -> int:
    """Control bits from letters."""
    return sum(1 << LETTERS.index(letter) for letter in letters)


class Segment:
    """A segment that came."""

    def __init__(self, frame: bytes, when: float):
        self.frame, self.when = frame, when
        self.bad_options = False
        self.family = 4 if frame[12:14] == b"\x08\x00" else 6
        packet = frame[14:]
        if self.family == 4:
            header = (packet[0] & 15) * 4
            length, self.ident, self.fragment = struct.unpack("!HHH", packet[2:8])
            self.tos, self.ttl, protocol = packet[1], packet[8], packet[9]
            self.source, self.target = packet[12:16], packet[16:20]
            self.ip_sum = checksum(packet[:header])
        else:
            header, self.ip_sum = 40, 0
            length = struct.unpack("!H", packet[4:6])[0] + 40
            self.tos = struct.unpack("!H", packet[:2])[0] >> 4 & 0xff
            self.ttl, protocol = packet[7], packet[6]
            self.source, self.target = packet[8:24], packet[24:40]
        self.protocol, self.body, self.trailer = protocol, packet[header:length], packet[length:]
        if protocol == 6:
            self.parse(self.body)

    def parse(self, tcp: bytes) -> None:
        """The TCP header."""
        (self.sport, self.dport, self.seq, self.ack, offset, bits, self.window, self.tcp_sum,
         self.urgent) = struct.unpack("!HHIIBBHHH", tcp[:20])
        self.reserved = offset & 15
        self.bits = bits
        self.flags = "".join(letter for bit, letter in enumerate(LETTERS)
                             if bits >> bit & 1 and letter not in "P")
        self.data = tcp[(offset >> 4) * 4:]
        self.raw_options = tcp[20:(offset >> 4) * 4]
        self.options = self.parse_options(self.raw_options)

    def parse_options(self, raw: bytes) -> dict:
        """Options by kind."""
        found = {}
        while raw:
            if raw[0] == 0:
                self.bad_options |= any(raw)
                break
            if raw[0] == 1:
                raw = raw[1:]
                continue
            if len(raw) < 2 or raw[1] < 2 or raw[1] > len(raw):
                self.bad_options = True
                break
            found[raw[0]] = raw[2:raw[1]]
            raw = raw[raw[1]:]
        return found

    @property
    def tsval(self) -> int:
        """The timestamp's value."""
        return struct.unpack("!II", self.options[TIMESTAMPS])[0]

    @property
    def tsecr(self) -> int:
        """The timestamp's echo."""
        return struct.unpack("!II", self.options[TIMESTAMPS])[1]

    @property
    def mss(self) -> int:
        """The MSS option's value."""
        return struct.unpack("!H", self.options[MSS])[0]

    def __str__(self) -> str:
        return (f"<SEQ={self.seq}><ACK={self.ack}><CTL={self.flags}><LEN={len(self.data)}>"
                f"<WND={self.window}>{self.options}")


class Audit:
    """What must hold of every frame, whatever it answers."""

    def __init__(self):
        self.seen = 0
        self.broken = {}  # id: what was seen first
        self.tsval = {}

    def need(self, name: str, holds: bool, segment: Segment) -> None:
        """Note the first frame that breaks a rule."""
        if not holds:
            self.broken.setdefault(name, f"{segment}: {segment.frame.hex()}")

    def audit_every_frame(self, segment: Segment) -> None:
        """Check one segment."""
        self.seen += 1
        self.need("A4", segment.ip_sum == 0 and checksum(
            pseudo(segment.source, segment.target, 6, len(segment.body)) + segment.body) == 0,
            segment)
        self.need("A28", segment.reserved == 0 and "U" not in segment.flags and
                  segment.urgent == 0 and not any(segment.trailer) and segment.ttl > 1, segment)
        self.need("C3", "S" in segment.flags or
                  not {MSS, WSCALE, SACK_OK} & set(segment.options), segment)
        self.need("C14", set(segment.options) <= {MSS, WSCALE, SACK_OK, SACKS, TIMESTAMPS, 34},
                  segment)
        self.need("C16", not segment.bad_options, segment)
        self.need("M3", segment.tos & 3 == 0, segment)
        if segment.family == 4:
            self.need("L8", segment.fragment == 0x4000, segment)
        if TIMESTAMPS in segment.options:
            flow = (segment.target, segment.dport, segment.sport)
            # A new incarnation may begin with another offset.
            last = segment.tsval if "S" in segment.flags else self.tsval.get(flow, segment.tsval)
            self.need("C11", (segment.tsval - last) % 2**32 < 2**31, segment)
            self.tsval[flow] = segment.tsval


class Wire:
    """One raw socket on one device, its listener, and the frames by flow."""

    def __init__(self, namespace: lab.Namespace, device: str):
        self.audit = Audit()
        self.flows, self.others = {}, deque(maxlen=4096)
        self.changed = threading.Condition()
        self.ports = itertools.count(20000)
        with namespace.entered():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            # When it came is the kernel's word: this program may be late in asking.
            self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            self.socket.bind((device, 0))
        self.running = True
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def close(self) -> None:
        """End listening."""
        self.running = False
        self.thread.join(5)
        self.socket.close()

    def listen(self) -> None:
        """Sort what the engine sends."""
        self.socket.settimeout(0.2)
        engine = mac(lab.ENGINE_MAC)
        while self.running:
            try:
                frame, more, _, _ = self.socket.recvmsg(65536, 64)
            except TimeoutError:
                continue
            except OSError:  # the device is gone with the engine
                return
            if frame[6:12] != engine:
                continue
            stamp = [data for _, kind, data in more if kind == SO_TIMESTAMPNS]
            seconds, nanoseconds = struct.unpack("qq", stamp[0])
            self.arrived(frame, seconds + nanoseconds / 1e9)

    def arrived(self, frame: bytes, when: float) -> None:
        """One frame of the engine's."""
        segment = None
        if frame[12:14] in (b"\x08\x00", b"\x86\xdd"):
            segment = Segment(frame, when)
        with self.changed:
            if segment is not None and segment.protocol == 6:
                self.audit.audit_every_frame(segment)
                key = (segment.target, segment.dport, segment.sport)
                self.flows.setdefault(key, deque()).append(segment)
            else:
                self.others.append(segment or frame)
            self.changed.notify_all()

    def send(self, frame: bytes) -> None:
        """One frame, as it is."""
        self.socket.send(frame)

    def wait(self, queue_of, seconds: float):
        """The next of a queue, or None."""
        with self.changed:
            self.changed.wait_for(lambda: queue_of(), seconds)
            queue = queue_of()
            return queue.popleft() if queue else None


class Net:
    """One family's addresses on a wire."""

    def __init__(self, wire: Wire, family: int):
        self.wire, self.family = wire, family
        self.ours = "10.9.0.100" if family == 4 else "fd00:9::100"
        self.engine = lab.ENGINE4 if family == 4 else lab.ENGINE6
        self.path_mss = 1460 if family == 4 else 1440
        self.default_mss = 536 if family == 4 else 1220

    def ether(self, packet: bytes, target: str = lab.ENGINE_MAC, kind: int = 0) -> bytes:
        """A frame around a packet."""
        kind = kind or (0x0800 if self.family == 4 else 0x86dd)
        return mac(target) + mac(PEER_MAC) + struct.pack("!H", kind) + packet

    def ip(self, body: bytes, source: str = "", target: str = "", protocol: int = 6, ttl: int = 64,
           options: bytes = b"", fragment: int = 0, length: int = -1, ident: int = 1,
           version_ihl: int = -1, ip_sum: int = -1, tos: int = 0) -> bytes:
        """A packet around a segment; for IPv6 options are extension headers."""
        source, target = packed(source or self.ours), packed(target or self.engine)
        if self.family == 6:
            version = 6 if version_ihl < 0 else version_ihl >> 4
            length = len(options) + len(body) if length < 0 else length
            return struct.pack("!IHBB", version << 28 | tos << 20, length, protocol, ttl) + \
                source + target + options + body
        header = 20 + len(options)
        first = 0x40 | header // 4 if version_ihl < 0 else version_ihl
        length = header + len(body) if length < 0 else length
        packet = struct.pack("!BBHHHBBH", first, tos, length, ident, fragment, ttl, protocol, 0) + \
            source + target + options
        ip_sum = checksum(packet) if ip_sum < 0 else ip_sum
        return packet[:10] + struct.pack("!H", ip_sum) + packet[12:] + body

    def fence(self) -> None:
        """Return when the engine has dealt with everything sent before."""
        guard = Peer(self, CLOSED_PORT)
        guard.send("S")
        answer = guard.get()
        lab.check(answer is not None and answer.flags == "RA", f"the fence got {answer}")


class Peer:
    """One end of one flow."""

    def __init__(self, net: Net, port: int = 80, source: str = "", target: str = "",
                 sport: int = -1, isn: int = -1):
        self.net, self.port = net, port
        self.source, self.target = source or net.ours, target or net.engine
        self.sport = next(net.wire.ports) if sport < 0 else sport
        self.key = (packed(self.source), self.sport, port)
        # Half of all connections wrap, in one direction or the other.
        self.nxt = (self.sport * 2654435761) % 2**32 if isn < 0 else isn
        self.rcv = 0
        self.stamp, self.echo = 0, 0  # timestamps, once negotiated
        self.window = 65535
        self.synack = None

    def tcp(self, flags: str, seq: int = None, ack: int = None, data: bytes = b"",
            options: bytes = None, window: int = -1, urgent: int = 0, reserved: int = 0,
            offset: int = -1, tcp_sum: int = -1, sums: tuple = None) -> bytes:
        """A segment; what is not said is as it should be."""
        if options is None:
            options = times(self.stamp, self.echo) if self.stamp and "R" not in flags else b""
        options += b"\0" * (-len(options) % 4)
        seq = self.nxt if seq is None else seq % 2**32
        ack = (self.rcv if "A" in flags else 0) if ack is None else ack % 2**32
        offset = 5 + len(options) // 4 if offset < 0 else offset
        header = struct.pack("!HHIIBBHHH", self.sport, self.port, seq, ack,
                             offset << 4 | reserved, flag_bits(flags),
                             self.window if window < 0 else window, 0, urgent)
        segment = header + options + data
        source, target = (packed(word) for word in sums or (self.source, self.target))
        if tcp_sum < 0:
            tcp_sum = checksum(pseudo(source, target, 6, len(segment)) + segment)
        return segment[:16] + struct.pack("!H", tcp_sum) + segment[18:]

    def frame(self, segment: bytes, to: str = lab.ENGINE_MAC, **ip) -> bytes:
        """The frame around a segment of this flow."""
        return self.net.ether(self.net.ip(segment, self.source, self.target, **ip), to)

    def send(self, flags: str, seq: int = None, ack: int = None, data: bytes = b"",
             ip: dict = None, to: str = lab.ENGINE_MAC, **tcp) -> None:
        """Send a segment."""
        self.net.wire.send(self.frame(self.tcp(flags, seq, ack, data, **tcp), to, **(ip or {})))

    def get(self, seconds: float = PATIENCE):
        """The next segment, or None."""
        return self.net.wire.wait(lambda: self.net.wire.flows.get(self.key), seconds)

    def want(self, flags: str, seq: int = None, ack: int = None,
             seconds: float = PATIENCE) -> Segment:
        """The next segment, which must be this."""
        got = self.get(seconds)
        lab.check(got is not None, f"nothing came, {flags} was due")
        lab.check(got.flags == flags and (seq is None or got.seq == seq % 2**32) and
                  (ack is None or got.ack == ack % 2**32),
                  f"got {got}, not {flags} seq {seq} ack {ack}")
        if self.stamp and TIMESTAMPS in got.options:
            self.echo = got.tsval
        return got

    def silent(self) -> None:
        """Nothing came, and nothing comes for what was sent until now."""
        self.net.fence()
        got = self.get(0)
        lab.check(got is None, f"silence was due, got {got}")

    def drain(self, seconds: float = 0.0) -> list:
        """Whatever came, and comes for so long."""
        if seconds:
            lab.pause(seconds)
        self.net.fence()
        found = []
        while (got := self.get(0)) is not None:
            found.append(got)
        return found

    def syn(self, options: bytes = None, **more) -> Segment:
        """Send a SYN and take the SYN,ACK."""
        options = mss(1460) if options is None else options
        self.send("S", options=options, **more)
        self.synack = self.want("SA", ack=self.nxt + 1)
        self.nxt, self.rcv = (self.nxt + 1) % 2**32, (self.synack.seq + 1) % 2**32
        if TIMESTAMPS in self.synack.options:
            at = options.index(option(TIMESTAMPS)[:1] + b"\x0a")
            self.stamp = struct.unpack("!I", options[at + 2:at + 6])[0]
            self.echo = self.synack.tsval
        return self.synack

    def open(self, options: bytes = None, **more) -> "Peer":
        """The three-way handshake."""
        self.syn(options, **more)
        self.send("A")
        return self

    def say(self, data: bytes, flags: str = "PA", **more) -> None:
        """Send bytes, or a FIN, and move on."""
        self.send(flags, data=data, **more)
        self.nxt = (self.nxt + len(data) + ("F" in flags)) % 2**32

    def heard(self, flags: str = "A") -> Segment:
        """Take an answer at the number expected, and move on by what it holds."""
        got = self.want(flags, seq=self.rcv, ack=self.nxt)
        self.rcv = (self.rcv + len(got.data) + ("F" in flags)) % 2**32
        return got

    def alive(self) -> None:
        """The connection is there: an old byte is answered by its numbers."""
        self.send("A", seq=self.nxt - 1, data=b"x")
        self.want("A", seq=self.rcv, ack=self.nxt)

    def gone(self) -> None:
        """The connection is not there: an ACK is answered by RST."""
        self.send("A")
        self.want("R", seq=self.rcv)
