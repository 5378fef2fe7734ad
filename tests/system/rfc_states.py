# SPDX-License-Identifier: BSD-3-Clause
"""Sections D to I of the conformance list, seen from outside: initial sequence numbers, the states
and their timers.

Each function is one or more lines of the list: their numbers begin its name.  None was written from
the engine's source.
"""

import time

import lab
from rfc_below import DISCARD, ECHO, GET, LARGE, MAIL, WEB
from rfc_peer import MSS, SACK_PERMITTED, TIMESTAMPS, Net, Peer, Segment, mss, times, wscale

AT_ONCE = 37              # the service that closes first
LATE = 0.45               # seconds a timer may be late on a busy machine
FAR = 2**30

TIMED = mss(1460) + times(1000)


class Untimely(lab.Failure):
    """A time that is not what it should be: of the engine, or of a machine that stood still."""


def between(what: str, value: float, least: float, most: float) -> None:
    """Fail unless a figure lies in its bounds."""
    lab.check(least <= value <= most, f"{what} is {value:.3f}, not {least} to {most}")


def lasting(what: str, value: float, least: float, most: float) -> None:
    """The same of seconds; who runs the check may measure again."""
    try:
        between(what, value, least, most)
    except lab.Failure as failure:
        raise Untimely(*failure.args) from None


def d1_isns_have_no_pattern(net: Net) -> None:
    """Forty-eight are distinct, their steps too, and no bit is stuck or biased."""
    numbers = [Peer(net).syn().seq for _ in range(48)]
    steps = {(after - before) % 2**32 for before, after in zip(numbers, numbers[1:])}
    lab.check(len(set(numbers)) == 48 and len(steps) == 47, "repeated")
    for bit in range(32):
        between(f"bit {bit}", sum(number >> bit & 1 for number in numbers), 7, 41)


def d2_isn_follows_the_clock(net: Net) -> None:
    """The same tuple 0.3 s later: larger, by about a tick of four microseconds each."""
    peer = Peer(net)
    first = peer.syn()
    peer.send("R", seq=peer.nxt)
    time.sleep(0.3)
    peer.syn()
    step = (peer.synack.seq - first.seq) % 2**32
    took = peer.synack.when - first.when
    between("the step", step, 0.2 * 250000, (took + 0.5) * 250000)


def e1_e3_e15_third_ack(net: Net) -> None:
    """Outside the window: an ACK, and it stays; of another tuple: RST; right: silence."""
    peer = Peer(net, ECHO)
    peer.syn()
    peer.send("A", seq=peer.nxt + FAR)
    peer.want("A", seq=peer.rcv, ack=peer.nxt)
    other = Peer(net, ECHO)
    other.send("A", seq=peer.nxt, ack=peer.rcv)
    other.want("R", seq=peer.rcv)
    peer.send("A")
    peer.silent()
    peer.say(b"abc")
    lab.check(peer.heard().data in (b"", b"abc"), "not opened")


def e2_wrong_ack_is_reset(net: Net) -> None:
    """<SEQ=SEG.ACK><CTL=RST>, and the right ACK still works."""
    peer = Peer(net, ECHO)
    peer.syn()
    for ack in (peer.rcv - 1, peer.rcv + 1, peer.rcv + FAR, peer.rcv - FAR):
        peer.send("A", ack=ack)
        peer.want("R", seq=ack)
    peer.send("A")
    peer.silent()
    peer.alive()


def e4_no_ack_bit_is_dropped(net: Net) -> None:
    """Data, FIN, nothing."""
    peer = Peer(net, ECHO)
    peer.syn()
    for flags, data in (("P", b"abc"), ("F", b""), ("", b"")):
        peer.send(flags, data=data)
    peer.silent()
    peer.send("A")
    peer.silent()
    peer.alive()


def e5_data_in_place_of_the_third_ack(net: Net) -> None:
    """Opened, and the text acknowledged."""
    peer = Peer(net, DISCARD)
    peer.syn()
    peer.say(b"hello")
    peer.heard()
    peer.alive()


def e6_fin_in_place_of_the_third_ack(net: Net) -> None:
    """Both FINs are exchanged."""
    peer = Peer(net, DISCARD)
    peer.syn()
    peer.say(b"", "FA")
    close_after_peer(peer)


def close_after_peer(peer: Peer) -> None:
    """The peer's FIN was sent: its ACK and the engine's FIN come; acknowledged, all is over."""
    got = peer.want(peer_flags(peer), ack=peer.nxt)
    if "F" not in got.flags:
        got = peer.want("FA", ack=peer.nxt)
    peer.rcv = (got.seq + len(got.data) + 1) % 2**32
    peer.send("A")
    peer.silent()
    peer.gone()


def peer_flags(peer: Peer) -> str:
    """Whether ACK or FIN,ACK comes next."""
    wire = peer.net.wire
    with wire.changed:
        wire.changed.wait_for(lambda: wire.flows.get(peer.key), 5)
        queue = wire.flows.get(peer.key)
        return queue[0].flags if queue and queue[0].flags in ("A", "FA") else "A"


def e7_exact_reset(net: Net) -> None:
    """Silence, gone, and no SYN,ACK any more."""
    for flags in ("R", "RA"):
        peer = Peer(net)
        peer.syn()
        peer.send(flags)
        lab.check(not peer.drain(1.4), "a SYN,ACK after the reset")
        peer.gone()


def e8_e9_inexact_resets(net: Net) -> None:
    """Outside: ignored.  Inside but not exact: challenged."""
    peer = Peer(net)
    peer.syn()
    peer.send("R", seq=peer.nxt + FAR)
    peer.send("R", seq=peer.nxt - 1)
    peer.silent()
    peer.send("R", seq=peer.nxt + 10)
    peer.want("A", seq=peer.rcv, ack=peer.nxt)
    peer.send("A")
    peer.silent()
    peer.alive()


def e10_c20_syn_again(net: Net) -> None:
    """The same SYN,ACK with the same options."""
    peer = Peer(net)
    options = mss(1400) + SACK_PERMITTED + times(77) + wscale(7)
    first = peer.syn(options)
    peer.send("S", seq=peer.nxt - 1, options=options)
    again = peer.want("SA", seq=first.seq, ack=first.ack)
    same_but_tsval(first, again)


def same_but_tsval(first: Segment, again: Segment) -> None:
    """Two SYN,ACKs of one connection."""
    def rest(segment):
        return {kind: value[4:] if kind == TIMESTAMPS else value
                for kind, value in segment.options.items()}
    lab.check(first.seq == again.seq and first.ack == again.ack and rest(first) == rest(again) and
              first.window == again.window, f"{first} then {again}")


def e11_e12_another_syn(net: Net) -> None:
    """Out of the window or in it: an ACK at most, and the first handshake goes on."""
    for offset in (FAR, -FAR, 100):
        peer = Peer(net)
        peer.syn()
        peer.send("S", seq=peer.nxt + offset, options=mss(1460))
        peer.want("A", seq=peer.rcv, ack=peer.nxt)
        peer.send("A")
        peer.silent()
        peer.alive()


def e13_synack_does_not_open(net: Net) -> None:
    """Neither established nor reset."""
    peer = Peer(net)
    peer.syn()
    peer.send("SA", seq=peer.nxt - 1)
    for got in peer.drain():
        lab.check(got.flags == "A", f"got {got}")
    peer.send("A")
    peer.silent()
    peer.alive()


def e16_e18_c20_synack_is_retransmitted(net: Net) -> None:
    """After 1 s, then 2 s; identical; given up after synack_retries."""
    peer = Peer(net)
    # From what is answered: a machine that stops before an answer leaves would make it shorter.
    began = time.time()
    first = peer.syn(mss(1460) + SACK_PERMITTED + times(5) + wscale(7))
    second = peer.want("SA", seconds=4)
    third = peer.want("SA", seconds=5)
    lasting("the first RTO", second.when - began, 0.95, 1 + LATE)
    lasting("the first and the second RTO", third.when - began, 2.95, 3 + 2 * LATE)
    same_but_tsval(first, second)
    same_but_tsval(first, third)
    lab.check(peer.get(4.0 + 2 * LATE) is None, "a SYN,ACK beyond synack_retries")
    peer.gone()


def e17_e19_after_a_lost_synack(net: Net) -> None:
    """An RTO of 3 s for the first text, and one segment in flight."""
    peer = Peer(net, LARGE)
    peer.syn()
    peer.want("SA", seconds=4)
    peer.want("SA", seconds=5)
    peer.send("A")
    began = time.time()
    peer.say(GET)
    first = peer.want("A", seq=peer.rcv, ack=peer.nxt)
    if not first.data:
        first = peer.want("A", seq=peer.rcv, ack=peer.nxt)
    again = peer.want("A", seq=peer.rcv, seconds=5)
    lab.check(first.data and again.data == first.data, "more than one segment in flight")
    # From what is asked: a machine that stops before the answer leaves would make it shorter.
    lasting("the RTO", again.when - began, 2.9, 3 + LATE)


def f1_f2_syn_is_challenged(net: Net) -> None:
    """SYN and SYN,ACK, whatever their numbers."""
    for flags in ("S", "SA"):
        for offset in (0, -1, 100, FAR, -FAR):
            peer = Peer(net, ECHO).open()
            peer.send(flags, seq=peer.nxt + offset)
            peer.want("A", seq=peer.rcv, ack=peer.nxt)
            peer.alive()


def f3_exact_reset(net: Net) -> None:
    """Gone in silence; SEG.ACK plays no role."""
    for flags, ack in (("R", None), ("RA", None), ("RA", 12345)):
        peer = Peer(net, ECHO).open()
        peer.send(flags, ack=ack)
        peer.silent()
        peer.gone()


def f4_f5_inexact_resets(net: Net) -> None:
    """In the window: challenged.  Outside: silence."""
    for flags in ("R", "RA"):
        peer = Peer(net, ECHO).open()
        for offset in (-1, FAR, -FAR):
            peer.send(flags, seq=peer.nxt + offset)
        peer.silent()
        peer.send(flags, seq=peer.nxt + 100)
        peer.want("A", seq=peer.rcv, ack=peer.nxt)
        peer.alive()


def f6_old_rcv_nxt_is_no_longer_exact(net: Net) -> None:
    """A reset at RCV.NXT as it was before the text."""
    peer = Peer(net, DISCARD).open()
    old = peer.nxt
    peer.say(b"abc")
    peer.heard()
    peer.send("R", seq=old)
    peer.silent()
    peer.alive()


def f7_challenges_are_limited(net: Net) -> None:
    """Five hundred blind SYNs: few ACKs; and another connection still gets its own."""
    peer, other = Peer(net, ECHO).open(), Peer(net, ECHO).open()
    frame = peer.frame(peer.tcp("S", seq=peer.nxt + FAR))
    for count in range(500):
        net.wire.send(frame)
        if count % 100 == 99:
            net.fence()
    got = peer.drain()
    between("challenges", len(got), 1, 12)
    other.send("S", seq=other.nxt + FAR)
    other.want("A", seq=other.rcv, ack=other.nxt)


def f8_f9_unacceptable_acks(net: Net) -> None:
    """Of what was never sent, and far too old: an ACK, and the text is not taken."""
    for offset in (1, 1000, FAR, -FAR, -200000):
        peer = Peer(net, ECHO).open()
        peer.send("PA", ack=peer.rcv + offset, data=b"evil")
        peer.want("A", seq=peer.rcv, ack=peer.nxt)
        peer.silent()
        peer.alive()


def f10_overlap(net: Net) -> None:
    """Old text is acknowledged at once; what overlaps is taken from RCV.NXT."""
    peer = Peer(net, ECHO).open()
    peer.say(b"abc")
    echoed = peer.heard().data or peer.heard().data
    peer.send("A")
    peer.send("PA", seq=peer.nxt - 3, data=b"abc")
    peer.want("A", seq=peer.rcv, ack=peer.nxt)
    peer.send("PA", seq=peer.nxt - 3, data=b"abcdef")
    peer.nxt = (peer.nxt + 3) % 2**32
    echoed += peer.heard().data or peer.heard().data
    lab.check(echoed == b"abcdef", f"echoed {echoed}")


def f11_beyond_the_window(net: Net) -> None:
    """An ACK of RCV.NXT."""
    peer = Peer(net, ECHO).open()
    peer.send("PA", seq=peer.nxt + 2**20, data=b"abc")
    peer.want("A", seq=peer.rcv, ack=peer.nxt)
    peer.silent()
    peer.alive()


def f12_g10_no_ack_bit(net: Net) -> None:
    """Dropped, whatever else is set: nothing, FIN, PSH, URG, in order."""
    peer = Peer(net, ECHO).open()
    for flags, data in (("", b""), ("F", b""), ("P", b"abc"), ("FPU", b"x"), ("U", b"")):
        peer.send(flags, data=data)
    peer.silent()
    peer.alive()


def f13_acks_are_prompt(net: Net) -> None:
    """Within half a second; every second full segment at once."""
    peer = Peer(net, DISCARD).open()
    began = time.time()
    peer.say(b"a")
    lasting("the delay", peer.heard().when - began, 0, 0.5)
    for _ in range(6):
        peer.say(bytes(1400))
    net.fence()
    got = peer.drain()
    lab.check(got and got[-1].ack == peer.nxt, f"{len(got)} ACKs for six segments")


def f14_gaps(net: Net) -> None:
    """Text beyond a gap gets a duplicate ACK at once, and is kept or dropped, not both."""
    peer = Peer(net, ECHO).open()
    peer.send("PA", seq=peer.nxt + 3, data=b"def")
    peer.want("A", seq=peer.rcv, ack=peer.nxt)
    peer.send("PA", data=b"abc")
    echoed, reached = bytearray(), 0
    for got in peer.drain(0.1):
        at = (got.seq - peer.rcv) % 2**32  # what is sent again comes to lie upon itself
        echoed[at:at + len(got.data)] = got.data
        reached = (got.ack - peer.nxt) % 2**32
    lab.check(reached in (3, 6) and b"abcdef".startswith(echoed) and len(echoed) == reached,
              f"acknowledged {reached}, echoed {bytes(echoed)}")


def f15_no_ack_war(net: Net) -> None:
    """A bare ACK in order and a window update: silence."""
    peer = Peer(net, ECHO).open()
    for window in (65535, 1000, 0, 65535):
        peer.send("A", window=window)
    peer.silent()


def f16_urgent(net: Net) -> None:
    """The urgent pointer does not disturb the stream; with a window of zero URG and RST work."""
    peer = Peer(net, ECHO).open()
    echoed = b""
    for urgent, data in ((1, b"ab"), (0, b"cd"), (65535, b"ef"), (2, b"gh")):
        peer.say(data, "PAU", urgent=urgent)
        while len(echoed) < 2 or not echoed.endswith(data):
            echoed += peer.heard().data
        peer.send("A")
    lab.check(echoed == b"abcdefgh", f"echoed {echoed}")
    peer.send("AU", urgent=10)
    peer.silent()
    closed = stuff(net)
    closed.send("AU", urgent=1)
    closed.drain()
    closed.alive()
    closed.send("R")
    closed.silent()
    closed.gone()


def stuff(net: Net) -> Peer:
    """An echo that is not read: its own receive window has closed."""
    peer = Peer(net, ECHO)
    peer.syn(mss(1460))
    peer.window = 0
    peer.send("A")
    left = peer.synack.window
    while left > 0:
        size = min(left, 1400)
        peer.say(bytes(size))
        got = peer.want("A")
        peer.nxt, left = got.ack, got.window
    return peer


def f17_paws(net: Net) -> None:
    """SEG.TSval < TS.Recent: an ACK, and dropped; but a reset is a reset."""
    peer = Peer(net, ECHO).open(TIMED)
    peer.send("PA", data=b"old", options=times(999, peer.echo))
    peer.want("A", seq=peer.rcv, ack=peer.nxt)
    peer.silent()
    peer.alive()
    peer.send("R", options=times(999, peer.echo))
    peer.silent()
    peer.gone()


def f19_keep_alives_are_answered(net: Net) -> None:
    """SND.NXT-1 with no byte and with one."""
    peer = Peer(net, ECHO).open()
    for data in (b"", b"x"):
        peer.send("A", seq=peer.nxt - 1, data=data)
        peer.want("A", seq=peer.rcv, ack=peer.nxt)


def f20_no_keep_alives_of_our_own(net: Net) -> None:
    """An idle connection is silent."""
    peer = Peer(net, ECHO).open()
    lab.check(not peer.drain(4), "an idle connection spoke")
    peer.alive()


def f21_numbers_wrap(net: Net) -> None:
    """Ours, in the middle of the text."""
    peer = Peer(net, ECHO, isn=2**32 - 4).open()
    echoed = b""
    for count in range(5):
        peer.say(bytes([65 + count]) * 2)
        while len(echoed) < 2 * count + 2:
            echoed += peer.heard().data
        peer.send("A")
    lab.check(echoed == b"AABBCCDDEE", f"echoed {echoed}")
    peer.send("R")
    peer.silent()
    peer.gone()


def g1_g2_g11_peer_closes_first(net: Net) -> None:
    """FIN, with text and without: all acknowledged, gone; and the same tuple opens again."""
    peer = Peer(net, DISCARD).open()
    for text in (b"", b"last words"):
        peer.say(text, "FA")
        close_after_peer(peer)
        peer.nxt = (peer.nxt + 100000) % 2**32
        peer.open()
        peer.alive()


def in_last_ack(net: Net) -> Peer:
    """The peer closed, the engine's FIN is on its way."""
    peer = Peer(net, DISCARD).open()
    peer.say(b"", "FA")
    got = peer.want(peer_flags(peer), ack=peer.nxt)
    if "F" not in got.flags:
        peer.want("FA", ack=peer.nxt)
    return peer


def in_close_wait(net: Net) -> Peer:
    """The peer closed, and the engine has more to say than the window takes."""
    peer = Peer(net, LARGE).open()
    peer.window = 1000
    peer.say(GET)
    peer.say(b"", "FA")
    peer.drain()
    return peer


def g3_fin_again(net: Net) -> None:
    """In CLOSE-WAIT, LAST-ACK, CLOSING and TIME-WAIT a FIN is acknowledged again."""
    peer = in_close_wait(net)
    peer.send("FA", seq=peer.nxt - 1)
    lab.check([got for got in peer.drain() if not got.data and got.ack == peer.nxt], "no ACK")
    for peer in (in_last_ack(net), in_closing(net), in_time_wait(net)):
        peer.send("FA", seq=peer.nxt - 1, ack=peer.rcv)
        until_ack(peer)


def until_ack(peer: Peer) -> Segment:
    """The next ACK that is no retransmitted FIN."""
    while True:
        got = peer.get()
        lab.check(got is not None, "no ACK came")
        if got.flags == "A":
            lab.check(got.ack == peer.nxt, f"got {got}")
            return got


def g4_i1_fin_is_retransmitted(net: Net) -> None:
    """With back-off, identical, until orphan_retries; then it is over."""
    peer = Peer(net, AT_ONCE).open()
    fins = [peer.want("FA", seq=peer.rcv, ack=peer.nxt)]
    for _ in range(3):
        fins.append(peer.want("FA", seq=peer.rcv, ack=peer.nxt, seconds=4))
    gaps = [after.when - before.when for before, after in zip(fins, fins[1:])]
    lasting("the first RTO", gaps[0], 0.15, 1 + LATE)
    for before, after in zip(gaps, gaps[1:]):
        lasting("the back-off", after - 2 * before, -0.6, 0.6)
    lab.check(peer.get(2 * gaps[-1] + 1.5) is None, "a FIN beyond orphan_retries")
    peer.rcv += 1
    peer.gone()


def g5_last_ack(net: Net) -> None:
    """An ACK below the FIN: nothing; beyond SND.NXT: not accepted; the right one: over."""
    peer = in_last_ack(net)
    peer.send("A", ack=peer.rcv)
    peer.send("A", ack=peer.rcv + 2)
    for got in peer.drain():
        lab.check(got.flags in ("A", "FA"), f"got {got}")
    peer.rcv = (peer.rcv + 1) % 2**32
    peer.send("A")
    peer.drain()
    peer.gone()


def g6_exact_reset_ends_every_state(net: Net) -> None:
    """Gone, and neither text nor FIN comes any more."""
    for peer in (in_close_wait(net), in_last_ack(net), in_closing(net), in_fin_wait_1(net), in_fin_wait_2(net)):
        peer.drain()
        peer.send("R")
        peer.drain()
        lab.check(not peer.drain(1.2), "something came after the reset")
        peer.gone()


def g7_syn_while_closing(net: Net) -> None:
    """Challenged in LAST-ACK, FIN-WAIT-1, FIN-WAIT-2 and CLOSING."""
    for peer in (in_last_ack(net), in_closing(net), in_fin_wait_1(net), in_fin_wait_2(net)):
        peer.drain()
        peer.send("S", seq=peer.nxt + 5)
        until_ack(peer)


def g8_g9_fin_elsewhere(net: Net) -> None:
    """Beyond the window or a gap: not taken.  Text behind the FIN: never acknowledged."""
    peer = Peer(net, DISCARD).open()
    peer.send("FA", seq=peer.nxt + 2**20)
    peer.want("A", seq=peer.rcv, ack=peer.nxt)
    peer.send("FA", seq=peer.nxt + 5)
    peer.want("A", seq=peer.rcv, ack=peer.nxt)
    peer.silent()
    peer = in_fin_wait_2(net)
    peer.say(b"", "FA")
    until_ack(peer)
    peer.send("PA", data=b"behind")
    for got in peer.drain():
        lab.check(got.flags == "A" and got.ack == peer.nxt, f"got {got}")


def in_fin_wait_1(net: Net) -> Peer:
    """The engine closed first; its FIN is not acknowledged."""
    peer = Peer(net, AT_ONCE).open()
    peer.want("FA", seq=peer.rcv, ack=peer.nxt)
    return peer


def in_fin_wait_2(net: Net, options: bytes = None) -> Peer:
    """The engine closed first; its FIN is acknowledged."""
    peer = Peer(net, AT_ONCE).open(options)
    peer.want("FA", seq=peer.rcv, ack=peer.nxt)
    peer.rcv = (peer.rcv + 1) % 2**32
    peer.send("A")
    net.fence()
    return peer


def in_closing(net: Net) -> Peer:
    """Both closed, neither FIN acknowledged."""
    peer = in_fin_wait_1(net)
    peer.say(b"", "FA", ack=peer.rcv)
    until_ack(peer)
    return peer


def in_time_wait(net: Net, options: bytes = None) -> Peer:
    """The engine closed first, and all is acknowledged."""
    peer = in_fin_wait_2(net, options)
    peer.say(b"", "FA")
    until_ack(peer)
    return peer


def g12_g13_engine_closes_first(net: Net) -> None:
    """ACK and FIN separate, and in one segment: acknowledged, TIME-WAIT."""
    peer = in_time_wait(net)
    peer.send("A")
    peer.silent()
    peer = in_fin_wait_1(net)
    peer.rcv = (peer.rcv + 1) % 2**32
    peer.say(b"", "FA")
    peer.want("A", seq=peer.rcv, ack=peer.nxt)
    peer.send("FA", seq=peer.nxt - 1)
    peer.want("A", seq=peer.rcv, ack=peer.nxt)


def g14_simultaneous_close(net: Net) -> None:
    """A FIN that does not cover ours: ACK; then the ACK: TIME-WAIT."""
    peer = in_closing(net)
    peer.rcv = (peer.rcv + 1) % 2**32
    peer.send("A")
    peer.drain()
    lab.check(not peer.drain(0.7), "the FIN is retransmitted in TIME-WAIT")
    peer.send("FA", seq=peer.nxt - 1)
    peer.want("A", seq=peer.rcv, ack=peer.nxt)


def g15_g19_text_for_nobody(net: Net) -> None:
    """After a full close: RST, or taken."""
    for peer in (in_fin_wait_2(net), in_fin_wait_1(net)):
        peer.drain()
        peer.say(b"too late")
        got = peer.get()
        lab.check(got is not None and (got.flags in ("R", "RA") or got.ack == peer.nxt),
                  f"got {got}")


def g16_inexact_reset_while_closing(net: Net) -> None:
    """In FIN-WAIT-1 and FIN-WAIT-2: not the end."""
    for make in (in_fin_wait_1, in_fin_wait_2):
        peer = make(net)
        peer.drain()
        peer.send("R", seq=peer.nxt + 100)
        until_ack(peer)
        peer.drain()
        peer.send("FA", seq=peer.nxt)
        peer.nxt = (peer.nxt + 1) % 2**32
        until_ack(peer)


def g17_half_close(net: Net) -> None:
    """A request with FIN: the whole answer, then FIN."""
    peer = Peer(net, WEB).open()
    peer.say(GET, "FA")
    body, fin = b"", False
    while not fin:
        got = peer.get()
        lab.check(got is not None, f"{len(body)} bytes, then nothing")
        lab.check(got.seq == peer.rcv and got.ack == peer.nxt, f"got {got}")
        body += got.data
        fin = "F" in got.flags
        peer.rcv = (peer.rcv + len(got.data) + fin) % 2**32
        peer.send("A")
    head, _, rest = body.partition(b"\r\n\r\n")
    lab.check(head.startswith(b"HTTP/1.1 200") and len(rest) == 1024, f"{len(body)} bytes")
    peer.silent()
    peer.gone()


def g18_fin_wait_2_ends(net: Net) -> None:
    """After fin_timeout (two seconds here)."""
    peer = in_fin_wait_2(net)
    time.sleep(1)
    peer.send("A", seq=peer.nxt - 1, data=b"x")
    peer.want("A", seq=peer.rcv, ack=peer.nxt)
    peer.drain(2 + LATE)
    peer.gone()


def h1_time_wait_ends(net: Net) -> None:
    """After time_wait (two seconds here), and not before."""
    peer = in_time_wait(net)
    time.sleep(1.2)
    peer.send("FA", seq=peer.nxt - 1)
    peer.want("A", seq=peer.rcv, ack=peer.nxt)
    lab.pause(2 + LATE)
    peer.gone()


def h2_fin_restarts_time_wait(net: Net) -> None:
    """Another FIN at 1.2 s: still there at 2.4 s."""
    peer = in_time_wait(net)
    for _ in range(2):
        time.sleep(1.2)
        peer.send("FA", seq=peer.nxt - 1)
        peer.want("A", seq=peer.rcv, ack=peer.nxt)


def h3_h4_h5_segments_in_time_wait(net: Net) -> None:
    """Old and out of the window: an ACK.  In order and bare: silence.  RST: by its place."""
    peer = in_time_wait(net)
    peer.send("A")
    peer.silent()
    peer.send("PA", seq=peer.nxt - 1, data=b"x")
    peer.want("A", seq=peer.rcv, ack=peer.nxt)
    time.sleep(0.6)
    peer.send("PA", seq=peer.nxt + FAR, data=b"x")
    peer.want("A", seq=peer.rcv, ack=peer.nxt)
    peer.send("R", seq=peer.nxt + FAR)
    peer.send("R", seq=peer.nxt - 1)
    peer.silent()
    peer.send("FA", seq=peer.nxt - 1)
    peer.want("A", seq=peer.rcv, ack=peer.nxt)
    peer.send("R")
    peer.silent()
    peer.gone()


def h6_d3_newer_timestamp_reopens(net: Net) -> None:
    """Even with a lower SEQ; ISN above the last number used."""
    peer = in_time_wait(net, TIMED)
    last = peer.rcv
    peer.nxt = (peer.nxt - 5000) % 2**32
    stamp, peer.stamp = peer.stamp, 0
    got = peer.syn(mss(1460) + times(stamp + 1))
    between("ISN less the last number", (got.seq - last) % 2**32, 0, 2**31)
    peer.send("A")
    peer.drain()


def h7_d3_higher_seq_reopens(net: Net) -> None:
    """Without timestamps; ISN above the last number used."""
    peer = in_time_wait(net)
    last = peer.rcv
    peer.nxt = (peer.nxt + 5000) % 2**32
    got = peer.syn()
    between("ISN less the last number", (got.seq - last) % 2**32, 0, 2**31)


def h8_h9_older_syn_stays(net: Net) -> None:
    """An older TSval, a lower SEQ without timestamps: an ACK, with timestamps if negotiated."""
    peer = in_time_wait(net, TIMED)
    peer.send("S", seq=peer.nxt + 5000, options=mss(1460) + times(peer.stamp - 1))
    got = peer.want("A", seq=peer.rcv, ack=peer.nxt)
    lab.check(TIMESTAMPS in got.options, "no timestamp")
    peer = in_time_wait(net)
    peer.send("S", seq=peer.nxt - 5000, options=mss(1460))
    peer.want("A", seq=peer.rcv, ack=peer.nxt)
    peer.send("FA", seq=peer.nxt - 1)
    peer.want("A", seq=peer.rcv, ack=peer.nxt)


def i5_acknowledged_is_quiet(net: Net) -> None:
    """When all is acknowledged the timer is off."""
    peer = Peer(net, MAIL).open()
    peer.heard()
    peer.send("A")
    lab.check(not peer.drain(1.5), "sent again although acknowledged")


def i1_text_is_retransmitted(net: Net) -> None:
    """With back-off, the same bytes."""
    peer = Peer(net, MAIL).open()
    sent = [peer.want("A", seq=peer.rcv) for _ in range(1)]
    for _ in range(2):
        sent.append(peer.want("A", seq=peer.rcv, seconds=4))
    gaps = [after.when - before.when for before, after in zip(sent, sent[1:])]
    lab.check(len({one.data for one in sent}) == 1, "other bytes")
    lasting("the first RTO", gaps[0], 0.15, 1 + LATE)
    lasting("the back-off", gaps[1] - 2 * gaps[0], -0.5, 0.5)


def m1_m2_m4_m5_ecn_is_off(net: Net) -> None:
    """No ECN by default: neither ECE nor CWR in a SYN,ACK; an AccECN SYN is a SYN."""
    for flags, reserved in (("SEC", 0), ("SE", 0), ("SC", 0), ("SEC", 1)):
        peer = Peer(net)
        peer.send(flags, options=mss(1460), reserved=reserved)
        peer.want("SA", ack=peer.nxt + 1)
        peer.send("S", options=mss(1460))
        peer.want("SA", ack=peer.nxt + 1)


def m6_m7_fast_open_is_off(net: Net) -> None:
    """A cookie request gets an ordinary SYN,ACK, or a cookie of 4 to 16 bytes; a forged cookie
    gets ISS+1, and its text is not delivered."""
    peer = Peer(net, ECHO)
    got = peer.syn(mss(1460) + b"\x22\x02")
    cookie = got.options.get(34, bytes(4))
    lab.check(4 <= len(cookie) <= 16 and len(cookie) % 2 == 0, f"got {got}")
    peer = Peer(net, ECHO)
    peer.syn(mss(1460) + b"\x22\x0aforgery!", data=b"evil")
    peer.send("A")
    peer.silent()


def m9_user_timeout_is_ignored(net: Net) -> None:
    """An option that asks for a second changes nothing."""
    peer = Peer(net, ECHO)
    peer.syn(mss(1460) + b"\x1c\x04\x00\x01")
    lab.check(set(peer.synack.options) == {MSS}, f"{peer.synack}")
    peer.send("A", options=b"\x1c\x04\x00\x01")
    peer.drain(2)
    peer.alive()
