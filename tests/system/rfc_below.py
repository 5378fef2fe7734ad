# SPDX-License-Identifier: BSD-3-Clause
"""Sections A, B, C and L of the conformance list, seen from outside: what reaches TCP at all, what
no connection answers, options, and ICMP.

Each function is one or more lines of the list: their numbers begin its name.  None was written from
the engine's source.
"""

import random
import struct
import time

import lab
from rfc_peer import (CLOSED_PORT, EOL, MSS, NOP, PEER_MAC, SACK_OK, SACK_PERMITTED, SACKS,
                      TIMESTAMPS, WSCALE, Net, Peer, Segment, checksum, mac, mss, option, packed,
                      pseudo, times, wscale)

ECHO, DISCARD, MAIL, WEB, LARGE = 7, 9, 25, 80, 8081
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def answered_or_silent(peer: Peer) -> None:
    """A SYN,ACK, or nothing."""
    for got in peer.drain():
        lab.check(got.flags == "SA" and got.ack == (peer.nxt + 1) % 2**32, f"got {got}")


def a1_a2_a3_bad_checksum_is_silence(net: Net) -> None:
    """Wrong, zero, without or with another pseudo-header: silence; a good SYN then works."""
    peer = Peer(net)
    right = struct.unpack("!H", peer.tcp("S", options=mss(1460))[16:18])[0]
    peer.send("S", options=mss(1460), tcp_sum=right ^ 0x0100)
    peer.send("S", options=mss(1460), tcp_sum=0)
    peer.send("S", options=mss(1460), sums=(net.ours, net.ours))
    bare = peer.tcp("S", options=mss(1460), tcp_sum=0)
    peer.send("S", options=mss(1460), tcp_sum=checksum(bare))
    peer.silent()
    peer.open().alive()


def a5_bad_header_checksum_is_silence(net: Net) -> None:
    """IPv4's own checksum."""
    if net.family == 4:
        peer = Peer(net)
        peer.send("S", ip={"ip_sum": 0x1234})
        peer.silent()


def a6_bad_checksum_changes_no_connection(net: Net) -> None:
    """ACK, data, FIN, RST and SYN with bad checksums."""
    peer = Peer(net, ECHO).open()
    for flags, data in (("A", b""), ("PA", b"abc"), ("FA", b""), ("R", b""), ("RA", b""),
                        ("S", b"")):
        peer.send(flags, data=data, tcp_sum=0x4321)
    peer.silent()
    peer.alive()


def a7_longer_than_the_frame_is_silence(net: Net) -> None:
    """An IP length beyond the frame."""
    peer = Peer(net)
    peer.send("S", ip={"length": 44 if net.family == 4 else 24})
    peer.send("S", ip={"length": 1000})
    peer.silent()


def a8_padding_is_not_data(net: Net) -> None:
    """Bytes behind the packet."""
    peer = Peer(net, ECHO)
    peer.syn()
    net.wire.send(peer.frame(peer.tcp("A")) + b"padding")
    peer.silent()
    peer.alive()


def a9_short_of_a_header_is_silence(net: Net) -> None:
    """Zero to nineteen bytes of TCP."""
    peer = Peer(net)
    segment = peer.tcp("S")
    for size in range(20):
        net.wire.send(peer.frame(segment[:size]))
    peer.silent()


def a10_bad_data_offset_is_silence(net: Net) -> None:
    """Below five words, or beyond the segment."""
    peer = Peer(net)
    for offset in (0, 1, 4, 6, 15):
        peer.send("S", options=b"", offset=offset)
    peer.silent()


def a11_bad_ip_header_is_silence(net: Net) -> None:
    """Header length and version."""
    peer = Peer(net)
    for first in ((0x40, 0x44, 0x4f, 0x55, 0x65) if net.family == 4 else (0x40, 0x50, 0x00)):
        peer.send("S", ip={"version_ihl": first})
    peer.silent()


def a12_ip_options_are_not_misparsed(net: Net) -> None:
    """NOPs, router alert and record route before TCP: found behind them, or dropped."""
    for options in (b"\x01\x01\x01\x01", b"\x94\x04\x00\x00", b"\x07\x07\x04\0\0\0\0\0"):
        if net.family == 4:
            peer = Peer(net)
            peer.send("S", ip={"options": options})
            answered_or_silent(peer)


def a13_source_routes_and_nonsense_in_ip_options(net: Net) -> None:
    """Loose and strict source routes, and options that are no options."""
    for options in (b"\x83\x07\x04" + packed("10.9.0.99") + b"\0",
                    b"\x89\x07\x04" + packed("10.9.0.99") + b"\0",
                    b"\x83\x07\x04\x0a\x09", b"\x83\x00\x00\x00", b"\x83\xff\x00\x00",
                    b"\x07\x01\x00\x00", b"\x99\x28\x00\x00"):
        if net.family == 4:
            peer = Peer(net)
            peer.send("S", ip={"options": options + b"\0" * (-len(options) % 4)})
            answered_or_silent(peer)
    routed = (b"\x06\x02\x00\x01\0\0\0\0" + packed("fd00:9::99"),
              b"\x06\x02\x02\x01\0\0\0\0" + packed("fd00:9::99"))
    for header in routed if net.family == 6 else ():
        peer = Peer(net)
        peer.send("S", ip={"options": header, "protocol": 43})
        answered_or_silent(peer)


def fragment(net: Net, offset: int, more: bool, ident: int = 7) -> dict:
    """What makes a packet a fragment; offset in eights of bytes."""
    if net.family == 4:
        return {"fragment": offset | (0x2000 if more else 0), "ident": ident}
    return {"options": struct.pack("!BBHI", 6, 0, offset << 3 | more, ident), "protocol": 44}


def a14_a15_fragments_are_silence(net: Net) -> None:
    """A first fragment with a whole header; a later one that looks like a SYN."""
    peer = Peer(net)
    peer.send("S", ip=fragment(net, 0, True))
    peer.send("S", ip=fragment(net, 2, False, 8))
    peer.send("S", ip=fragment(net, 1, True, 9))
    peer.silent()


def a16_a17_two_fragments(net: Net) -> None:
    """Two halves of a SYN, then with an overlap, then tiny: answered once whole, or silence."""
    peer = Peer(net)
    segment = peer.tcp("S", options=mss(1460) + SACK_PERMITTED + NOP + NOP)
    for ident, cut, second in ((1, 16, 16), (2, 16, 8), (3, 8, 8)):
        net.wire.send(peer.frame(segment[:cut], **fragment(net, 0, True, ident)))
        net.wire.send(peer.frame(segment[second:], **fragment(net, second // 8, False, ident)))
        answered_or_silent(peer)
    Peer(net).open().alive()


def a18_extension_headers(net: Net) -> None:
    """Hop-by-hop, destination options, atomic fragment: processed or dropped; 59: silence."""
    if net.family == 4:
        return
    for options, first in ((b"\x06\x00\x01\x04\0\0\0\0", 0), (b"\x06\x00\x01\x04\0\0\0\0", 60),
                           (struct.pack("!BBHI", 6, 0, 0, 5), 44)):
        peer = Peer(net)
        peer.send("S", ip={"options": options, "protocol": first})
        answered_or_silent(peer)
    peer = Peer(net)
    peer.send("S", ip={"protocol": 59})
    peer.send("S", ip={"options": b"\x3b\x00\x01\x04\0\0\0\0", "protocol": 0})
    peer.silent()


def a19_hop_limit_is_for_routers(net: Net) -> None:
    """One and even zero are taken by a host."""
    for ttl in (1, 0):
        peer = Peer(net)
        peer.send("S", ip={"ttl": ttl})
        peer.want("SA")


def a20_a21_no_answer_to_what_is_no_host(net: Net) -> None:
    """Multicast, broadcast, loopback and unspecified sources."""
    for source in (("224.0.0.1", "255.255.255.255", "127.0.0.1", "0.0.0.0", "10.9.0.255")
                   if net.family == 4 else ("::1", "ff02::1", "ff00::1", "::")):
        peer = Peer(net, source=source)
        peer.send("S", options=mss(1460))
        peer.silent()
        peer = Peer(net, CLOSED_PORT, source=source)
        peer.send("S")
        peer.send("A")
        peer.silent()


def a22_a23_no_answer_from_what_is_not_ours(net: Net) -> None:
    """To multicast, broadcast, and another's unicast address, in frames to us."""
    for target in (("224.0.0.1", "255.255.255.255", "10.9.0.255", "10.9.0.77")
                   if net.family == 4 else ("ff02::1", "ff02::1:ff00:2", "fd00:9::77")):
        for port in (80, CLOSED_PORT):
            peer = Peer(net, port, target=target)
            for to in (lab.ENGINE_MAC, "ff:ff:ff:ff:ff:ff"):
                peer.send("S", to=to)
                peer.send("A", to=to)
            peer.silent()


def a24_a25_frames_to_others_are_theirs(net: Net) -> None:
    """Another unicast address, broadcast and multicast, around a packet for us."""
    peer = Peer(net)
    for to in ("02:00:00:00:0e:02", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01",
               "33:33:00:00:00:01"):
        peer.send("S", to=to)
        peer.send("A", to=to)
    peer.silent()


def a26_land(net: Net) -> None:
    """Our own address and port as the source."""
    for sport in (80, CLOSED_PORT, 4711):
        peer = Peer(net, source=net.engine, sport=sport)
        peer.send("S", options=mss(1460))
        peer.silent()


def a27_cut_and_mutated_frames(net: Net) -> None:
    """A frame cut at every length: silence; three thousand mutated segments: still alive."""
    peer, witness = Peer(net), Peer(net, ECHO).open()
    frame = peer.frame(peer.tcp("S", options=mss(1460) + SACK_PERMITTED + times(1) + wscale(7)))
    for length in range(14, len(frame)):
        net.wire.send(frame[:length])
    peer.silent()
    dice = random.Random(27 + net.family)
    for count in range(3000):
        victim = witness if dice.random() < 0.3 else Peer(net, dice.choice((7, 80, 25)))
        segment = bytearray(victim.tcp(dice.choice(("S", "A", "PA", "FA", "RA", "SA")),
                                       options=mss(1460) + SACK_PERMITTED + times(1) + wscale(7)))
        if victim is witness:
            segment[4] ^= 0x80  # far out of its window, so that it has to survive
            segment[13] &= ~4
        for _ in range(dice.randrange(1, 6)):
            segment[dice.randrange(12 if victim is not witness else 20, len(segment))] = \
                dice.randrange(256)
        segment[16:18] = b"\0\0"
        summed = pseudo(packed(net.ours), packed(net.engine), 6, len(segment)) + bytes(segment)
        segment[16:18] = struct.pack("!H", checksum(summed))
        net.wire.send(victim.frame(bytes(segment)))
        if count % 100 == 99:
            net.fence()
    witness.drain()
    witness.alive()


def a29_reserved_bits_are_ignored(net: Net) -> None:
    """Set in a SYN: answered all the same, and (A28) not reflected."""
    for bits in (1, 2, 4, 8, 15):
        peer = Peer(net)
        peer.send("S", reserved=bits)
        lab.check(peer.want("SA").reserved == 0, "reflected")


def a30_only_our_address_is_resolved(net: Net) -> None:
    """ARP requests and neighbour solicitations."""
    def ask(address: str) -> bool:
        if net.family == 4:
            net.wire.send(net.ether(struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac(PEER_MAC) +
                                    packed(net.ours) + bytes(6) + packed(address),
                                    "ff:ff:ff:ff:ff:ff", 0x0806))
        else:
            target = packed(address)
            group = "ff02::1:ff" + f"{target[13]:02x}:{target[14]:02x}{target[15]:02x}"
            body = struct.pack("!BBHI", 135, 0, 0, 0) + target + b"\x01\x01" + mac(PEER_MAC)
            total = checksum(pseudo(packed(net.ours), packed(group), 58, len(body)) + body)
            body = body[:2] + struct.pack("!H", total) + body[4:]
            net.wire.send(net.ether(net.ip(body, target=group, protocol=58, ttl=255),
                                    f"33:33:ff:{target[13]:02x}:{target[14]:02x}:{target[15]:02x}"))
        net.fence()
        with net.wire.changed:
            return any(packed(address) in bytes(getattr(frame, "frame", frame))[14:] and
                       bytes(getattr(frame, "frame", frame))[:6] == mac(PEER_MAC) and
                       (net.family == 4 or getattr(frame, "body", b"\0")[0] == 136)
                       for frame in net.wire.others)
    lab.check(ask(net.engine), "our own address is not resolved")
    other = "10.9.0.78" if net.family == 4 else "fd00:9::78"
    lab.check(not ask(other), "another's address is resolved")


def b1_closed_answers_what_has_no_ack(net: Net) -> None:
    """<SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>."""
    for flags, data in (("S", b""), ("S", b"abc"), ("F", b""), ("", b""), ("P", b"abcde"),
                        ("SF", b"xy"), ("FPU", b""), ("U", b"z")):
        peer = Peer(net, CLOSED_PORT)
        peer.send(flags, data=data)
        peer.want("RA", seq=0, ack=peer.nxt + len(data) + ("S" in flags) + ("F" in flags))


def b2_closed_answers_what_has_ack(net: Net) -> None:
    """<SEQ=SEG.ACK><CTL=RST>."""
    for flags, data in (("A", b""), ("SA", b""), ("FA", b""), ("PA", b"abc"), ("SFA", b"")):
        peer = Peer(net, CLOSED_PORT)
        peer.send(flags, ack=0x9abcdef0, data=data)
        peer.want("R", seq=0x9abcdef0)


def b3_closed_is_silent_to_resets(net: Net) -> None:
    """No RST war."""
    peer = Peer(net, CLOSED_PORT)
    for flags in ("R", "RA", "RS", "RSA", "RF", "FSRPAU"):
        peer.send(flags, ack=5, data=b"x")
    peer.silent()


def b4_numbers_wrap(net: Net) -> None:
    """A SYN at 2^32-1 is acknowledged by 0."""
    peer = Peer(net, CLOSED_PORT, isn=2**32 - 1)
    peer.send("S")
    peer.want("RA", seq=0, ack=0)
    peer = Peer(net, isn=2**32 - 1)
    peer.send("S")
    peer.want("SA", ack=0)


def b5_b7_b8_b9_listen_is_silent(net: Net) -> None:
    """To resets, to what is neither SYN, ACK nor RST, to SYN,RST, to all flags, to SYN,FIN."""
    for flags in ("R", "RA", "", "F", "FPU", "P", "U", "SR", "SRA", "FSRPAU", "SF"):
        peer = Peer(net)
        peer.send(flags, ack=77, data=b"x" if flags == "P" else b"")
        peer.silent()


def b6_listen_resets_acknowledgments(net: Net) -> None:
    """<SEQ=SEG.ACK><CTL=RST>."""
    for flags, data in (("A", b""), ("SA", b""), ("FA", b""), ("PA", b"abc")):
        peer = Peer(net)
        peer.send(flags, ack=0x12345678, data=data)
        peer.want("R", seq=0x12345678)


def b10_b11_listen_takes_a_syn(net: Net) -> None:
    """<SEQ=ISS><ACK=SEG.SEQ+1><CTL=SYN,ACK>, a window, no data; also with PSH or URG."""
    for flags in ("S", "SP", "SU", "SPU"):
        peer = Peer(net)
        peer.send(flags)
        got = peer.want("SA", ack=peer.nxt + 1)
        lab.check(got.window > 0 and not got.data, f"got {got}")


def b12_syn_with_data(net: Net) -> None:
    """Its text is acknowledged or to be sent again, and delivered once."""
    peer = Peer(net, ECHO)
    peer.send("S", data=b"hello")
    got = peer.want("SA")
    taken = (got.ack - peer.nxt - 1) % 2**32
    lab.check(taken in (0, 5), f"{got} acknowledges {taken} of 5 bytes")
    peer.nxt, peer.rcv = (peer.nxt + 1 + taken) % 2**32, (got.seq + 1) % 2**32
    peer.say(b"hello"[taken:] + b"more")
    echoed = b""
    while len(echoed) < 9:
        got = peer.want("A", ack=peer.nxt)
        echoed += got.data
    lab.check(echoed == b"hellomore", f"echoed {echoed}")


def b13_port_zero(net: Net) -> None:
    """No SYN,ACK to port 0; nothing breaks."""
    peer = Peer(net, sport=0)
    peer.send("S")
    lab.check(not [got for got in peer.drain() if "S" in got.flags], "a SYN,ACK to port 0")
    peer = Peer(net, port=0)
    peer.send("S")
    lab.check(not [got for got in peer.drain() if "S" in got.flags], "a SYN,ACK from port 0")
    Peer(net).open().alive()


def b14_syn_with_window_zero(net: Net) -> None:
    """Accepted; no text until the window opens, then all of it."""
    peer = Peer(net, MAIL)
    peer.window = 0
    peer.open()
    for got in peer.drain(0.5):
        lab.check(len(got.data) <= 1, f"got {got}")
    peer.window = 65535
    peer.send("A")
    lab.check(peer.heard().data.startswith(b"220 handfast"), "not the banner")


def b15_interleaved_handshakes(net: Net) -> None:
    """Two hundred at once, each right."""
    peers = [Peer(net, ECHO) for _ in range(200)]
    for peer in peers:
        peer.send("S", options=mss(1460))
    for peer in peers:
        got = peer.want("SA", ack=peer.nxt + 1)
        peer.nxt, peer.rcv = (peer.nxt + 1) % 2**32, (got.seq + 1) % 2**32
    for peer in reversed(peers):
        peer.send("A")
    for peer in peers:
        peer.alive()


def c1_c9_options_as_offered(net: Net) -> None:
    """All sixteen combinations; TSecr is TSval of the SYN; then on every segment."""
    for which in range(16):
        peer = Peer(net, ECHO)
        peer.syn((mss(1400) if which & 1 else b"") + (wscale(3) if which & 2 else b"") +
                 (SACK_PERMITTED if which & 4 else b"") + (times(12345) if which & 8 else b""))
        got = set(peer.synack.options)
        wanted = {MSS} | ({WSCALE} if which & 2 else set()) | \
            ({SACK_OK} if which & 4 else set()) | ({TIMESTAMPS} if which & 8 else set())
        lab.check(got == wanted, f"{got} for {wanted}")
        if which & 8:
            lab.check(peer.synack.tsecr == 12345, f"{peer.synack}")
            peer.stamp += 5
            peer.send("A")
            peer.say(b"abc")
            lab.check(peer.heard().tsecr == 12350, "no timestamp, or not the latest")


def c2_mss_is_the_mtu_less_headers(net: Net) -> None:
    """Also beside other options."""
    for options in (b"", mss(1460), mss(500) + times(1) + wscale(1)):
        got = Peer(net).syn(options).mss
        lab.check(got == net.path_mss, f"MSS {got}")


def c3_syn_options_elsewhere_are_ignored(net: Net) -> None:
    """MSS, window scale and SACK-permitted on the third ACK and on data change nothing."""
    peer = Peer(net, LARGE)
    peer.syn(mss(1000) + wscale(0))
    peer.send("A", options=mss(200) + wscale(9) + SACK_PERMITTED)
    peer.window = 3000
    peer.say(GET, options=mss(200) + wscale(9))
    came = peer.drain(0.1)
    lab.check(max(len(got.data) for got in came) == 1000, "another MSS")
    lab.check(reach(peer, came) <= 3000, "another shift")


def largest(net: Net, options: bytes) -> int:
    """The largest of the segments of a long answer."""
    peer = Peer(net, LARGE).open(options)
    peer.say(GET)
    return max((len(got.data) for got in peer.drain(0.2)), default=0)


def c4_default_mss(net: Net) -> None:
    """No MSS option: at most 536 or 1220 bytes."""
    lab.check(largest(net, b"") == net.default_mss, f"{largest(net, b'')}")


def c5_mss_is_obeyed(net: Net) -> None:
    """The smaller of the peer's and our own, less the options of each segment."""
    for options, most in ((mss(1000), 1000), (mss(1000) + times(1), 988),
                          (mss(9000), net.path_mss), (mss(65535), net.path_mss)):
        lab.check(largest(net, options) == most, f"{largest(net, options)} is not {most}")


def c6_tiny_mss(net: Net) -> None:
    """Zero, one, 47: it works, and not with a header for every byte."""
    for size in (0, 1, 47):
        got = largest(net, mss(size))
        lab.check(48 <= got <= net.default_mss, f"MSS {size} makes segments of {got}")


def reach(peer: Peer, came: list) -> int:
    """How many bytes have come, however often."""
    return max((got.seq + len(got.data) - peer.rcv) % 2**32 for got in came)


def c7_shift_is_at_most_14(net: Net) -> None:
    """Fifteen and more are used as 14: a window of 1 is 16384."""
    for shift in (14, 15, 255):
        peer = Peer(net, LARGE)
        peer.syn(mss(1460) + wscale(shift))
        peer.window = 1
        peer.say(GET)
        most = reach(peer, peer.drain(0.1))
        lab.check(8192 < most <= 16384, f"{most} bytes with shift {shift}")


def c8_syn_windows_are_not_scaled(net: Net) -> None:
    """1000 in the SYN is 1000; 20 in the third ACK, shifted by seven, is 2560."""
    peer = Peer(net, MAIL)
    peer.syn(mss(1460) + wscale(7), window=4)
    peer.send("A", window=0)
    lab.check(sum(len(got.data) for got in peer.drain(0.1)) <= 1, "text into a closed window")
    peer = Peer(net, LARGE)
    synack = peer.syn(mss(1460) + wscale(7), window=1000)
    lab.check(synack.window > 0, "no window")
    peer.window = 20
    peer.say(GET)
    most = reach(peer, peer.drain(0.1))
    lab.check(1280 <= most <= 2560, f"{most} bytes")


def c10_no_timestamp_is_silence(net: Net) -> None:
    """Once negotiated, a segment without is dropped; a reset is not."""
    peer = Peer(net, ECHO).open(mss(1460) + times(100))
    peer.send("PA", data=b"abc", options=b"")
    peer.silent()
    peer.alive()
    peer.send("R", options=b"")
    peer.silent()
    peer.gone()


def c11_tsval_ticks(net: Net) -> None:
    """Between a millisecond and a second each tick; never backwards is audited of all."""
    peer = Peer(net, ECHO).open(mss(1460) + times(1))
    peer.say(b"a")
    first = peer.heard()
    peer.drain(1.2)
    peer.say(b"b")
    last = peer.heard()
    ticks = (last.tsval - first.tsval) % 2**32
    lab.check(1 <= ticks <= 1100 * (last.when - first.when), f"{ticks} in 1.2 s")


def c12_ts_recent(net: Net) -> None:
    """Taken from what is in order and newer; not from beyond RCV.NXT, nor backwards."""
    peer = Peer(net, DISCARD).open(mss(1460) + times(1000))
    peer.say(b"a", options=times(2000, peer.echo))
    lab.check(peer.heard().tsecr == 2000, "a newer TSval in order is not echoed")
    peer.send("A", seq=peer.nxt + 10, data=b"x", options=times(3000, peer.echo))
    lab.check(peer.want("A").tsecr == 2000, "taken from beyond a gap")
    peer.send("A", seq=peer.nxt + 2**30, options=times(4000, peer.echo))
    lab.check(peer.want("A").tsecr == 2000, "taken from outside the window")
    time.sleep(0.6)  # one challenge ACK each half second
    peer.send("A", data=b"x", options=times(1999, peer.echo))
    lab.check(peer.want("A", ack=peer.nxt).tsecr == 2000, "taken backwards")


def c13_sack_blocks_only_if_negotiated(net: Net) -> None:
    """A gap: without SACK-permitted no SACK; with it the first block is the newest, or none."""
    for options in (mss(1460), mss(1460) + SACK_PERMITTED):
        peer = Peer(net, DISCARD).open(options)
        peer.send("A", seq=peer.nxt + 10, data=b"abc")
        got = peer.want("A", ack=peer.nxt)
        if SACKS in got.options:
            lab.check(SACK_PERMITTED in options, "not negotiated")
            left, right = struct.unpack("!II", got.options[SACKS][:8])
            lab.check((left - peer.nxt) % 2**32 == 10 and (right - left) == 3, f"{got}")


def c14_c15_c16_c19_options_in_any_order(net: Net) -> None:
    """Unknown kinds, any alignment, forty bytes, bytes behind EOL, and everything twice."""
    known = mss(1000) + wscale(2) + SACK_PERMITTED + option(TIMESTAMPS, struct.pack("!II", 9, 0))
    everything = {MSS, WSCALE, SACK_OK, TIMESTAMPS}
    for options in (option(253, b"abc") + known, known + option(77) + option(254, bytes(9)),
                    NOP * 3 + known, NOP + wscale(2) + NOP * 2 + mss(1000) + SACK_PERMITTED + NOP +
                    option(TIMESTAMPS, struct.pack("!II", 9, 0)), known + NOP * (40 - len(known)),
                    known + EOL + mss(1)[:3], known + known[:19], known[:9] + known):
        got = Peer(net).syn(options)
        lab.check(set(got.options) == everything, f"{options.hex()} got {got}")
    got = Peer(net).syn(mss(1000) + EOL + SACK_PERMITTED + NOP)
    lab.check(set(got.options) == {MSS}, f"read behind EOL: {got}")
    got = Peer(net).syn(option(200, bytes(38)))
    lab.check(set(got.options) == {MSS}, f"{got}")


def c17_c18_malformed_options(net: Net) -> None:
    """Lengths missing, 0, 1, beyond the header, or wrong for the kind: unused, no crash."""
    for bad in (b"\x02", b"\x02\x00\x05\xb4", b"\x02\x01\x05\xb4", b"\x02\x08\x05\xb4",
                b"\x08\x0a\0\0", b"\x01\x01\x01\x08", b"\x02\x03\x05\x00", b"\x03\x04\x07\x00",
                b"\x04\x03\x00\x00", b"\x08\x09" + bytes(7), b"\xfd\xff\x00\x00", b"\xfd\x00" * 20):
        got = Peer(net, WEB).syn(bad)
        lab.check(set(got.options) == {MSS}, f"{bad.hex()} got {got}")
    peer = Peer(net, ECHO).open()
    for bad in (b"\x05\x00\x00\x00", b"\x05\x03\x00\x00", b"\x05\x22" + bytes(30), b"\x08\x01\0\0"):
        peer.send("A", options=bad)
    peer.drain()
    peer.alive()


def c21_options_of_others(net: Net) -> None:
    """User timeout, MPTCP and TCP-AO in a SYN: a plain SYN,ACK.  MD5: that, or silence."""
    for kind, value in ((28, b"\x80\x10"), (30, bytes(10)), (29, bytes(14))):
        got = Peer(net).syn(mss(1460) + option(kind, value))
        lab.check(set(got.options) == {MSS}, f"kind {kind}: {got}")
    peer = Peer(net)
    peer.send("S", options=option(19, bytes(16)))
    answered_or_silent(peer)


# What the quoted packet says, and the error around it.

def icmp(net: Net, peer: Peer, kind: int, code: int, rest: int, seq: int, keep: int = 28,
         spoil: bool = False) -> None:
    """An ICMP error that quotes a segment the engine sent in this flow."""
    quoted = struct.pack("!HHI", peer.port, peer.sport, seq % 2**32) + bytes(12)
    inner = net.ip(quoted, peer.target, peer.source)
    if net.family == 4:
        body = struct.pack("!BBHI", kind, code, 0, rest) + inner[:keep]
        total = checksum(body)
    else:
        body = struct.pack("!BBHI", kind, code, 0, rest) + inner[:keep + 20]
        total = checksum(pseudo(packed(peer.source), packed(peer.target), 58, len(body)) + body)
    body = body[:2] + struct.pack("!H", total ^ (0x55 if spoil else 0)) + body[4:]
    net.wire.send(peer.net.ether(net.ip(body, peer.source, protocol=1 if net.family == 4 else 58)))


def in_flight(net: Net, port: int = LARGE) -> Peer:
    """A connection with an answer in flight."""
    peer = Peer(net, port).open()
    peer.say(GET)
    peer.want("A", ack=peer.nxt)
    peer.drain()
    return peer


def alive_in_flight(peer: Peer) -> None:
    """As alive(), with text on its way that may be sent again."""
    peer.drain()
    peer.send("A", seq=peer.nxt - 1, data=b"x")
    came = peer.drain()
    lab.check([got for got in came if not got.data] and
              not [got for got in came if got.flags != "A" or got.ack != peer.nxt],
              f"it is not alive: {[str(got) for got in came]}")


def l1_l2_l4_errors_do_not_abort(net: Net) -> None:
    """Unreachable, time exceeded, parameter problem, source quench, quoting what is in flight."""
    kinds = ((3, 0), (3, 1), (3, 2), (3, 3), (3, 5), (3, 13), (11, 0), (12, 0), (4, 0)) \
        if net.family == 4 else ((1, 0), (1, 1), (1, 3), (1, 4), (3, 0), (4, 0), (4, 1))
    peer = in_flight(net)
    for kind, code in kinds:
        icmp(net, peer, kind, code, 0, peer.rcv)
    alive_in_flight(peer)
    # Half-open: RFC 9293's hard errors may end it, the soft ones may not.
    peer = Peer(net)
    peer.syn()
    for kind, code in ((3, 1), (11, 0)) if net.family == 4 else ((1, 0), (3, 0)):
        icmp(net, peer, kind, code, 0, peer.rcv - 1)
    peer.send("A")
    peer.silent()
    peer.alive()


def lengths_again(peer: Peer, most: int) -> list:
    """The lengths of what is sent again within two seconds, until one fits."""
    found = []
    for got in peer.drain(1.2):
        if got.data:
            found.append(len(got.data))
            if len(got.data) <= most:
                break
    return found


def too_big(net: Net, peer: Peer, mtu: int, seq: int) -> None:
    """Packet too big, of either family."""
    if net.family == 4:
        icmp(net, peer, 3, 4, mtu, seq)
    else:
        icmp(net, peer, 2, 0, mtu, seq)


def l3_blind_errors_are_ignored(net: Net) -> None:
    """Packet too big that quotes nothing in flight: segments stay as long as they were."""
    peer = in_flight(net)
    too_big(net, peer, 1300, peer.rcv - 5)
    too_big(net, peer, 1300, peer.rcv + 2**20)
    found = [len(got.data) for got in peer.drain(0.7) if got.data]
    lab.check(found and min(found) == net.path_mss, f"segments of {found}")


def l5_absurd_mtus(net: Net) -> None:
    """0, 68 and 65535: a floor, never more than before, and it goes on."""
    for mtu in (0, 68, 65535) if net.family == 4 else (0, 68, 1279, 65535):
        peer = in_flight(net)
        too_big(net, peer, mtu, peer.rcv)
        found = [len(got.data) for got in peer.drain(0.7) if got.data]
        floor = 28 if net.family == 4 else 1220
        lab.check(found and floor <= min(found) <= max(found) <= net.path_mss,
                  f"MTU {mtu}: segments of {found}")
        if mtu == 65535:
            lab.check(max(found) == net.path_mss, f"raised or lowered to {found}")


def l6_packet_too_big_makes_smaller(net: Net) -> None:
    """What is in flight comes again in pieces that fit; the SYN,ACK fits 576 and 1280 anyway."""
    peer = in_flight(net)
    too_big(net, peer, 1300, peer.rcv)
    most = 1300 - (1500 - net.path_mss)
    found = lengths_again(peer, most)
    lab.check(found and found[-1] <= most, f"segments of {found}, not {most}")
    got = Peer(net).syn(mss(1460) + SACK_PERMITTED + times(1) + wscale(7))
    lab.check(len(got.frame) - 14 <= (576 if net.family == 4 else 1280), "a long SYN,ACK")


def l7_broken_icmp_is_harmless(net: Net) -> None:
    """Cut, badly summed, quoting an ICMP error: no answer, no harm."""
    peer = in_flight(net)
    kind, code = (3, 4) if net.family == 4 else (2, 0)
    with net.wire.changed:
        before = len(net.wire.others)
    for keep in (0, 4, 8, 19, 20, 23, 24, 27):
        icmp(net, peer, kind, code, 600, peer.rcv + 2**24, keep=keep)
    icmp(net, peer, kind, code, 600, peer.rcv, spoil=True)
    alive_in_flight(peer)
    with net.wire.changed:
        new = list(net.wire.others)[before:]
    lab.check(not [one for one in new if isinstance(one, Segment) and one.family == net.family and
                   one.protocol in (1, 58) and one.target == packed(peer.source) and
                   one.body[0] not in (0, 129, 136)], "an ICMP answer to ICMP")
