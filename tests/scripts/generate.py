#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Write the scripts that differ only in state, event and place in the window.

The expectations are RFC 9293's (3.10.7), a table here and an exchange there; the files are
committed, so that each can be read and played by itself.  Scripts that exist only once are written
by hand and left alone.

    generate.py FOLDER            write the files
    generate.py FOLDER --check    fail if a file is not what would be written
"""

import pathlib
import sys

WINDOW = 65535  # What the services take, as far as the field goes without a scale.
FIRST_WINDOW = 16384  # In the SYN,ACK, before a service has been asked.


class State:
    """How to get there, and the numbers that hold then (relative, RFC 9293 3.3.1)."""

    def __init__(self, name, service, lines, rcv_nxt, una, snd_nxt, window, client_window=65535):
        self.name = name
        self.service = service
        self.lines = lines
        self.rcv_nxt = rcv_nxt
        self.una = una
        self.snd_nxt = snd_nxt
        self.window = window
        self.client_window = client_window
        self.synchronized = name != "SYN_RCVD"
        self.peer_has_closed = name in ("CLOSE_WAIT", "CLOSING", "LAST_ACK", "TIME_WAIT")

    def acknowledgment(self, ack=None, window=None, seq=None):
        """<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>"""
        seq = self.snd_nxt if seq is None else seq
        ack = self.rcv_nxt if ack is None else ack
        window = self.window if window is None else window
        return f". {seq}:{seq}(0) ack {ack} win {window}"


HANDSHAKE = [
    "< S 0:0(0) win 65535 <mss 1460>",
    "> S. 0:0(0) ack 1 win 16384 <mss PATH>",
]
OPENED = HANDSHAKE + ["< . 1:1(0) ack 1 win 65535"]
ACTIVE_CLOSE = OPENED + ["> F. 1:1(0) ack 1 win 65535"]

STATES = {
    state.name: state
    for state in (
        State("SYN_RCVD", "discard", HANDSHAKE, 1, 0, 1, FIRST_WINDOW),
        State("ESTABLISHED", "discard",
              OPENED + ["< P. 1:11(10) ack 1 win 65535", "> . 1:1(0) ack 11 win 65535"],
              11, 1, 1, WINDOW),
        State("FIN_WAIT_1", "at_once", ACTIVE_CLOSE, 1, 1, 2, WINDOW),
        State("FIN_WAIT_2", "at_once", ACTIVE_CLOSE + ["< . 1:1(0) ack 2 win 65535"],
              1, 2, 2, WINDOW),
        # The banner cannot be said to a closed window, so our FIN has to wait behind it.
        State("CLOSE_WAIT", "banner",
              HANDSHAKE + ["< . 1:1(0) ack 1 win 0", "< F. 1:1(0) ack 1 win 0",
                           "> . 1:1(0) ack 2 win 65535"],
              2, 1, 1, WINDOW, 0),
        State("CLOSING", "at_once",
              ACTIVE_CLOSE + ["< F. 1:1(0) ack 1 win 65535", "> . 2:2(0) ack 2 win 65535"],
              2, 1, 2, WINDOW),
        State("LAST_ACK", "discard",
              OPENED + ["< F. 1:1(0) ack 1 win 65535", "> F. 1:1(0) ack 2 win 65535"],
              2, 1, 2, WINDOW),
        State("TIME_WAIT", "at_once",
              ACTIVE_CLOSE + ["< . 1:1(0) ack 2 win 65535", "< F. 1:1(0) ack 2 win 65535",
                              "> . 2:2(0) ack 2 win 65535"],
              2, 2, 2, WINDOW),
    )
}

PLACES = {
    "outside_left": ("before the window", lambda s: s.rcv_nxt - 10),
    "left_edge": ("at RCV.NXT", lambda s: s.rcv_nxt),
    "inside": ("inside the window", lambda s: s.rcv_nxt + 100),
    "right_edge": ("at the window's last number", lambda s: s.rcv_nxt + s.window - 1),
    "outside_right": ("just beyond the window", lambda s: s.rcv_nxt + s.window),
}
OUTSIDE = ("outside_left", "outside_right")

NOT_ACCEPTABLE = (
    "If an incoming segment is not acceptable, an acknowledgment should be sent in reply (unless\n"
    "# the RST bit is set, if so drop the segment and return)")
CHALLENGE_SYN = (
    "if the SYN bit is set, irrespective of the sequence number, TCP endpoints MUST send a\n"
    '# "challenge ACK" to the remote peer')
RST_OUTSIDE = (
    "If the RST bit is set and the sequence number is outside the current receive window,\n"
    "# silently drop the segment.")
RST_EXACT = (
    "If the RST bit is set and the sequence number exactly matches the next expected sequence\n"
    "# number (RCV.NXT), then TCP endpoints MUST reset the connection")
RST_INSIDE = (
    "If the RST bit is set and the sequence number does not exactly match the next expected\n"
    "# sequence value, yet is within the current receive window, TCP endpoints MUST send an\n"
    "# acknowledgment (challenge ACK)")
NO_ACK_BIT = "if the ACK bit is off, drop the segment and return"
NO_TEXT = (
    "This should not occur since a FIN has been received from the remote side. Ignore the\n"
    "# segment text.")
GAP = (
    "only processing further if the segment then begins at RCV.NXT. Segments with higher"
    " beginning\n"
    "# sequence numbers SHOULD be held for later processing (not kept here; 3.4 asks for no more)")
ACK_IGNORED = "If the ACK is a duplicate (SEG.ACK =< SND.UNA), it can be ignored."
ACK_FUTURE = (
    "If the ACK acks something not yet sent (SEG.ACK > SND.NXT), then send an ACK, drop the\n"
    "# segment, and return.")
ACK_ANCIENT = (
    "All incoming segments whose ACK value doesn't satisfy the above condition MUST be discarded\n"
    "# and an ACK sent back.")
ACK_OF_SYN = "If SND.UNA < SEG.ACK =< SND.NXT, then enter ESTABLISHED state"
ACK_NOT_OF_SYN = (
    "If the segment acknowledgment is not acceptable, form a reset segment <SEQ=SEG.ACK><CTL=RST>\n"
    "# and send it.")
FIN_TAKEN = "advance RCV.NXT over the FIN, and send an acknowledgment for the FIN"


class Case:
    """What one event must bring about."""

    def __init__(self, claim, quote, packet, replies, state, more=(), known_failure=None):
        self.claim = claim
        self.quote = quote
        self.packet = packet
        self.replies = replies
        self.state = state
        self.more = list(more)
        self.known_failure = known_failure


def shape(state, flags, seq, length=0, ack=None, options=""):
    text = f"{flags} {seq}:{seq + length}({length})"
    if "." in flags:
        text += f" ack {state.una if ack is None else ack}"
    return text + f" win {state.client_window}{options}"


def syn(state, place):
    where, position = PLACES[place]
    seq = position(state)
    packet = shape(state, "S", seq, options=" <mss 1460>")
    if state.name == "TIME_WAIT" and place != "outside_left":
        if place == "left_edge":
            return None  # A hand-written script: RFC 6191 and 1122 draw the line differently.
        return Case(
            f"RFC 6191 2, RFC 9293 3.6.1 (MAY-2): in TIME_WAIT a SYN {where} opens a new"
            f" connection,"
            " its ISS above the old numbers",
            "It assigns its initial sequence number for the new connection to be larger than the\n"
            "# largest sequence number it used on the previous connection incarnation",
            packet, [f"> S. above(0) ack {seq + 1} win 16384 <mss PATH>"], "SYN_RCVD")
    if state.name == "SYN_RCVD":
        if place in OUTSIDE:
            return Case(f"RFC 9293 3.10.7.4 first: in SYN_RCVD another SYN, {where}, gets an ACK",
                        NOT_ACCEPTABLE, packet, ["> " + state.acknowledgment()], "SYN_RCVD")
        return Case(
            f"RFC 5961 4.2: in SYN_RCVD another SYN, {where}, is challenged and undoes nothing",
            "If the SYN bit is set, irrespective of the sequence number, TCP MUST send an ACK\n"
            "# (also referred to as challenge ACK) to the remote peer",
            packet, ["> " + state.acknowledgment()], "SYN_RCVD")
    return Case(f"RFC 9293 3.10.7.4 fourth (RFC 5961 4.2): in {state.name} a SYN {where} is"
                " challenged", CHALLENGE_SYN, packet, ["> " + state.acknowledgment()], state.name)


def syn_ack(state, place):
    where, position = PLACES[place]
    packet = shape(state, "S.", position(state), ack=state.snd_nxt, options=" <mss 1460>")
    if state.name == "SYN_RCVD" and place in OUTSIDE:
        claim = "RFC 9293 3.10.7.4 first: in SYN_RCVD a SYN,ACK {} gets an ACK"
        quote = NOT_ACCEPTABLE
    else:
        claim = "RFC 5961 4.2 (RFC 9293 3.10.7.4 fourth): in " + state.name
        claim += " a SYN,ACK {} is challenged"
        quote = CHALLENGE_SYN
    return Case(claim.format(where), quote, packet, ["> " + state.acknowledgment()], state.name)


def not_acceptable(state, what, place, packet):
    return Case(f"RFC 9293 3.10.7.4 first: in {state.name} {what} {PLACES[place][0]} gets an ACK"
                " and changes nothing", NOT_ACCEPTABLE, packet, ["> " + state.acknowledgment()],
                state.name)


def ack(state, place):
    where, position = PLACES[place]
    number = state.snd_nxt if state.name == "SYN_RCVD" else state.una
    packet = shape(state, ".", position(state), ack=number)
    if place in OUTSIDE:
        return not_acceptable(state, "a bare ACK", place, packet)
    if state.name == "SYN_RCVD":
        return Case(f"RFC 9293 3.10.7.4 fifth: in SYN_RCVD the ACK of our SYN, {where}, opens the"
                    " connection in silence", ACK_OF_SYN, packet, [], "ESTABLISHED")
    return Case(f"RFC 9293 3.10.7.4 fifth: in {state.name} a bare ACK {where} that acknowledges"
                " nothing new is not answered", ACK_IGNORED, packet, [], state.name)


def data(state, place):
    where, position = PLACES[place]
    number = state.snd_nxt if state.name == "SYN_RCVD" else state.una
    packet = shape(state, "P.", position(state), 10, ack=number)
    opened = "ESTABLISHED" if state.name == "SYN_RCVD" else state.name
    if place in OUTSIDE:
        return not_acceptable(state, "text", place, packet)
    if state.peer_has_closed:
        return Case(f"RFC 9293 3.10.7.4 seventh: in {state.name} text {where} is ignored, not"
                    " acknowledged", NO_TEXT, packet, [], state.name)
    if place == "left_edge":
        reply = state.acknowledgment(state.rcv_nxt + 10, WINDOW)
        return Case(f"RFC 9293 3.10.7.4 seventh: in {state.name} text {where} is taken and"
                    " acknowledged at once",
                    "Once in the ESTABLISHED state, it is possible to deliver segment data to"
                    " user\n"
                    "# RECEIVE buffers.", packet, ["> " + reply], opened)
    reply = state.acknowledgment(window=WINDOW)
    return Case(f"RFC 9293 3.10.7.4, RFC 5681 4.2: in {state.name} text {where}, behind a gap,"
                f" gets a"
                " duplicate ACK at once", GAP, packet, ["> " + reply], opened)


def fin(state, place):
    where, position = PLACES[place]
    seq = position(state)
    number = state.snd_nxt if state.name == "SYN_RCVD" else state.una
    packet = shape(state, "F.", seq, ack=number)
    opened = "ESTABLISHED" if state.name == "SYN_RCVD" else state.name
    if place in OUTSIDE:
        return not_acceptable(state, "a FIN", place, packet)
    if state.peer_has_closed:
        return Case(f"RFC 9293 3.10.7.4 eighth: in {state.name} a FIN {where}, where nothing can be"
                    " behind the peer's FIN, moves nothing",
                    f"Remain in the {state.name.replace('_', '-')} state.",
                    packet, ["> " + state.acknowledgment()], state.name)
    if place != "left_edge":
        reply = state.acknowledgment(window=WINDOW)
        return Case(f"RFC 9293 3.10.7.4: in {state.name} a FIN {where}, behind a gap, is not taken"
                    " and gets a duplicate ACK", GAP, packet, ["> " + reply], opened)
    if state.name in ("SYN_RCVD", "ESTABLISHED"):
        return Case(f"RFC 9293 3.10.7.4 eighth: in {state.name} the peer's FIN is acknowledged,"
                    f" here"
                    " by our own FIN, and we wait for the last ACK", FIN_TAKEN, packet,
                    [f"> F. 1:1(0) ack {seq + 1} win {WINDOW}"], "LAST_ACK")
    following = "CLOSING" if state.name == "FIN_WAIT_1" else "TIME_WAIT"
    return Case(f"RFC 9293 3.10.7.4 eighth: in {state.name} the peer's FIN is acknowledged and"
                f" leads"
                f" to {following}", FIN_TAKEN, packet,
                ["> " + state.acknowledgment(seq + 1)], following)


def rst(state, place, with_ack=False):
    where, position = PLACES[place]
    packet = shape(state, "R." if with_ack else "R", position(state))
    what = "a RST,ACK" if with_ack else "a RST"
    head = f"in {state.name} {what} {where}"
    if place in OUTSIDE:
        return Case(f"RFC 9293 3.10.7.4 second 1): {head} is dropped in silence", RST_OUTSIDE,
                    packet, [], state.name)
    if place == "left_edge":
        return Case(f"RFC 9293 3.10.7.4 second 2): {head} ends the connection in silence",
                    RST_EXACT,
                    packet, [], "CLOSED", ["+0 connections 0"])
    return Case(f"RFC 9293 3.10.7.4 second 3), RFC 5961 3.2: {head} is challenged and ends nothing",
                RST_INSIDE, packet, ["> " + state.acknowledgment()], state.name,
                ["+0 counter challenge_acks 1"])


def rst_ack(state, place):
    return rst(state, place, True)


def bare(state, place):
    where, position = PLACES[place]
    packet = shape(state, "P", position(state), 10)
    if place in OUTSIDE:
        return Case(f"RFC 9293 3.10.7.4 first: in {state.name} text without ACK {where} gets an"
                    f" ACK,"
                    " as the first check comes before the fifth", NOT_ACCEPTABLE, packet,
                    ["> " + state.acknowledgment()], state.name,
                    known_failure="drops what has no ACK bit in silence, wherever it is"
                                  " (conformance.md F12); see the first check")
    return Case(f"RFC 9293 3.10.7.4 fifth: in {state.name} text without ACK {where} is dropped in"
                " silence", NO_ACK_BIT, packet, [], state.name)


EVENTS = {"syn": syn, "syn_ack": syn_ack, "ack": ack, "data": data, "fin": fin, "rst": rst,
          "rst_ack": rst_ack, "bare": bare}


def acknowledgment_cases(state):
    """SEG.ACK instead of SEG.SEQ: old, ancient and future, in a segment at RCV.NXT."""
    future = state.snd_nxt + 1
    if state.name == "SYN_RCVD":
        for place, number in (("ack_of_nothing", 0), ("ack_old", -50), ("ack_future", 2)):
            packet = shape(state, ".", 1, ack=number)
            yield "ack", place, Case(
                f"RFC 9293 3.10.7.4 fifth: in SYN_RCVD an ACK of {number} instead of 1 gets a"
                f" RST and"
                " leaves the right one possible", ACK_NOT_OF_SYN, packet,
                [f"> R {number}:{number}(0)"], "SYN_RCVD",
                ["+0 < . 1:1(0) ack 1 win 65535", "+0 state ESTABLISHED"])
        return
    for event, flags, length in (("ack", ".", 0), ("data", "P.", 10), ("fin", "F.", 0)):
        what = {"ack": "an ACK", "data": "text", "fin": "a FIN"}[event]
        yield event, "ack_future", Case(
            f"RFC 9293 3.10.7.4 fifth: in {state.name} {what} that acknowledges what was never sent"
            " gets an ACK and is dropped", ACK_FUTURE,
            shape(state, flags, state.rcv_nxt, length, future),
            ["> " + state.acknowledgment()], state.name)
        yield event, "ack_ancient", Case(
            f"RFC 5961 5.2: in {state.name} {what} that acknowledges what is older than any window"
            " gets an ACK and is dropped", ACK_ANCIENT,
            shape(state, flags, state.rcv_nxt, length, state.una - 200000),
            ["> " + state.acknowledgment()], state.name)
    yield "ack", "ack_old", Case(
        f"RFC 9293 3.10.7.4 fifth: in {state.name} an ACK below SND.UNA is ignored", ACK_IGNORED,
        shape(state, ".", state.rcv_nxt, ack=state.una - 1), [], state.name)


OPTIONS = " <mss 1460,nop,wscale 7,nop,nop,TS val 1000 ecr 0>"


def with_timestamps(line, tsval):
    """A line of a state's exchange, with the options that both sides agreed upon."""
    if line.startswith("< S "):
        return "< S 0:0(0) win 65535" + OPTIONS
    if line.startswith("> S. "):
        return "> S. 0:0(0) ack 1 win 16384 <mss PATH,wscale 2,TS val 0 ecr 1000>"
    if line.startswith("<"):
        return f"{line} <nop,nop,TS val {tsval} ecr 0>"
    return f"{line} <TS val 0 ecr {tsval}>"


def timestamp_cases(state):
    """With timestamps negotiated: missing ones, old ones, and those of a RST."""
    # Both sides have a scale too: only SYN and SYN,ACK carry unscaled windows (RFC 7323 2.2).
    window = state.window >> 2 if state.name == "SYN_RCVD" else state.window
    reply = state.acknowledgment(window=window) + " <TS val 0 ecr 1000>"
    number = state.snd_nxt if state.name == "SYN_RCVD" else state.una
    old = " <nop,nop,TS val 900 ecr 0>"
    for event, flags, length in (("ack", ".", 0), ("data", "P.", 10), ("fin", "F.", 0)):
        what = {"ack": "an ACK", "data": "text", "fin": "a FIN"}[event]
        yield event, "no_timestamp", Case(
            f"RFC 7323 3.2: in {state.name} {what} without the timestamps agreed upon is dropped in"
            " silence",
            "If a non-<RST> segment is received without a TSopt, a TCP SHOULD silently drop the\n"
            "# segment.", shape(state, flags, state.rcv_nxt, length, number), [], state.name,
            ["+0 counter drop_no_timestamp 1"])
        yield event, "old_timestamp", Case(
            f"RFC 7323 5.3 R1: in {state.name} {what} with a timestamp before TS.Recent gets an ACK"
            " and is dropped",
            "if SEG.TSval < TS.Recent, the segment is not acceptable. Send an acknowledgment in\n"
            "# reply as specified in Section 3.10.7.4 of RFC 9293 and drop the segment.",
            shape(state, flags, state.rcv_nxt, length, number, old), ["> " + reply], state.name)
    yield "rst", "no_timestamp", Case(
        f"RFC 7323 3.2, 5.2: in {state.name} a RST at RCV.NXT needs no timestamp",
        "If a non-<RST> segment is received without a TSopt", shape(state, "R", state.rcv_nxt),
        [], "CLOSED")
    yield "rst", "old_timestamp", Case(
        f"RFC 7323 5.2: in {state.name} a RST at RCV.NXT is not subject to PAWS",
        "RST segments ... MUST NOT be subjected to the PAWS check", shape(
            state, "R", state.rcv_nxt, options=old), [], "CLOSED")
    yield "syn", "old_timestamp", Case(
        f"RFC 9293 3.10.7.4 fourth: in {state.name} a SYN at RCV.NXT with an old timestamp is"
        " challenged", CHALLENGE_SYN,
        shape(state, "S", state.rcv_nxt, options=" <mss 1460,nop,nop,TS val 900 ecr 0>"),
        ["> " + reply], state.name)


class Clock:
    """A state's timer at one second, and what happens when it runs out."""

    def __init__(self, state, settings, after):
        self.state = state
        self.settings = settings
        self.after = after


def retransmits(state, packet):
    return Clock(state, ["set tcp.rto_min 1s"], ["+0.5 > " + packet])


def lapses(state, setting):
    return Clock(state, [f"set tcp.{setting} 1s"],
                 [f"+0.45 state {state.name}", "+0.1 state CLOSED"])


CLOCKS = (
    retransmits(STATES["SYN_RCVD"], HANDSHAKE[1][2:]),
    retransmits(State("ESTABLISHED", "banner", OPENED + ["> P. 1:9(8) ack 1 win 65535"],
                      1, 1, 9, WINDOW), "P. 1:9(8) ack 1 win 65535"),
    retransmits(STATES["FIN_WAIT_1"], "F. 1:1(0) ack 1 win 65535"),
    lapses(STATES["FIN_WAIT_2"], "fin_timeout"),
    retransmits(STATES["CLOSE_WAIT"], ". *:*(*) ack 2 win 65535"),
    retransmits(STATES["CLOSING"], "F. 1:1(0) ack 2 win 65535"),
    retransmits(STATES["LAST_ACK"], "F. 1:1(0) ack 2 win 65535"),
    lapses(STATES["TIME_WAIT"], "time_wait"),
)


def timer_cases(clock):
    """What says nothing new does not put the timer off."""
    state = clock.state
    for event, expect in EVENTS.items():
        for place in ("outside_left", "inside"):
            case = expect(state, place)
            if case is None or case.known_failure or case.state != state.name:
                continue
            what = {"syn_ack": "SYN,ACK", "rst_ack": "RST,ACK", "data": "text",
                    "bare": "text without ACK"}.get(event, event.upper())
            yield event, place + "_timer", Case(
                f"RFC 6298 5.3, RFC 9293 3.10.8: in {state.name} {what} {PLACES[place][0]}"
                " does not put off what the timer will do",
                "When an ACK is received that acknowledges new data, restart the retransmission\n"
                "# timer", case.packet, case.replies, state.name, clock.after)


def render(state, case, timestamps=False, settings=(), wait="+0"):
    lines = ["# " + case.claim + ".", '# "' + case.quote + '"', "service " + state.service]
    lines += settings
    if case.known_failure:
        lines.append("known_failure " + case.known_failure)
    for line in state.lines:
        lines.append("+0 " + (with_timestamps(line, 1000) if timestamps else line))
    lines.append("+0 state " + state.name)
    lines.append("")
    lines.append(wait + " < " + case.packet)
    lines += ["+0 " + reply for reply in case.replies]
    lines.append("+0 state " + case.state)
    return "\n".join(lines + case.more) + "\n"


def without_connection():
    """CLOSED and LISTEN have no window; what counts is which bits are set."""
    closed, listen = [], []
    for name, flags, length, what in (
            ("syn", "S", 0, "a SYN"), ("syn_data", "S", 10, "a SYN with text"),
            ("syn_fin", "FS", 0, "a SYN,FIN"), ("bare_null", "-", 0, "a segment without any bit"),
            ("bare_data", "P", 10, "text without ACK"), ("bare_fin", "F", 0, "a FIN without ACK"),
            ("bare_fin_data", "FP", 10, "text and FIN without ACK"),
            ("bare_xmas", "FPU", 0, "FIN, PSH and URG")):
        end = 5000 + length + ("S" in flags) + ("F" in flags)
        event, _, variant = name.partition("_")
        closed.append((event, variant or "plain",
                       f"RFC 9293 3.10.7.1: {what} to a closed port gets a RST that"
                       f" acknowledges all"
                       " of it",
                       "If the ACK bit is off, sequence number zero is used,\n"
                       "# <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>",
                       f"{flags} 5000:{5000 + length}({length}) win 65535",
                       [f"> R. 0:0(0) ack {end}"]))
        if "S" not in flags:
            listen.append((event, variant, f"RFC 9293 3.10.7.2 fourth: in LISTEN {what} is"
                                           f" dropped in"
                           " silence",
                           "Any other control or data-bearing segment (not containing SYN) must"
                           " have\n"
                           "# an ACK and thus would be discarded by the ACK processing.",
                           f"{flags} 5000:{5000 + length}({length}) win 65535", []))
    for name, flags, length, what in (
            ("ack", ".", 0, "an ACK"), ("syn_ack", "S.", 0, "a SYN,ACK"),
            ("data", "P.", 10, "text with ACK"), ("fin", "F.", 0, "a FIN,ACK"),
            ("fin_data", "FP.", 10, "text and FIN with ACK")):
        event, _, variant = name.partition("_") if name == "fin_data" else (name, "", "")
        packet = f"{flags} 5000:{5000 + length}({length}) ack 77777 win 65535"
        quote = ("If the ACK bit is on, <SEQ=SEG.ACK><CTL=RST>",
                 "Any acknowledgment is bad if it arrives on a connection still in the LISTEN"
                 " state.\n"
                 "# An acceptable reset segment should be formed for any arriving ACK-bearing\n"
                 "# segment.")
        for cases, section, where, text in (
                (closed, "3.10.7.1", "to a closed port", quote[0]),
                (listen, "3.10.7.2 second", "in LISTEN", quote[1])):
            cases.append((event, variant or "plain",
                          f"RFC 9293 {section}: {what} {where} gets a RST with its ACK's number and"
                          " no ACK", text, packet, ["> R 77777:77777(0)"]))
    for name, flags in (("plain", "R"), ("ack", "R."), ("syn", "SR"), ("fin", "FR"),
                        ("everything", "FSRPU.")):
        packet = f"{flags} 5000:5000(0) win 65535" + (" ack 77777" if "." in flags else "")
        closed.append(("rst", name, f"RFC 9293 3.10.7.1: a RST ({flags}) to a closed port is not"
                       " answered", "An incoming segment containing a RST is discarded.", packet,
                       []))
        listen.append(("rst", name, f"RFC 9293 3.10.7.2 first: in LISTEN a RST ({flags}) is"
                                    f" ignored",
                       "An incoming RST should be ignored. Return.", packet, []))
    for state, service, cases in (("CLOSED", "none", closed), ("LISTEN", "discard", listen)):
        for event, variant, claim, quote, packet, replies in cases:
            lines = [f"# {claim}.", f'# "{quote}"', "service " + service, "+0 < " + packet]
            lines += ["+0 " + reply for reply in replies]
            lines += ["+0.1 silence", "+0 connections 0"]
            yield state, event, variant, "\n".join(lines) + "\n"


def scripts():
    """Every (path, text)."""
    for state, event, variant, text in without_connection():
        yield f"{state.lower()}/{event}_in_{state.lower()}_{variant}.pkt", text
    for name, state in STATES.items():
        folder = name.lower()
        for event, expect in EVENTS.items():
            for place in PLACES:
                case = expect(state, place)
                if case is not None:
                    yield f"{folder}/{event}_in_{folder}_{place}.pkt", render(state, case)
        for event, place, case in acknowledgment_cases(state):
            yield f"{folder}/{event}_in_{folder}_{place}.pkt", render(state, case)
        for event, place, case in timestamp_cases(state):
            yield f"{folder}/{event}_in_{folder}_{place}.pkt", render(state, case, True)
    for clock in CLOCKS:
        folder = clock.state.name.lower()
        for event, place, case in timer_cases(clock):
            yield (f"{folder}/{event}_in_{folder}_{place}.pkt",
                   render(clock.state, case, settings=clock.settings, wait="+0.5"))


def main():
    folder = pathlib.Path(sys.argv[1])
    check = "--check" in sys.argv
    stale = 0
    for path, text in scripts():
        file = folder / path
        if check:
            if not file.exists() or file.read_text() != text:
                print(f"{file}: not what generate.py writes")
                stale += 1
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
