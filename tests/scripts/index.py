#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Write README.md of the scripts: their language, and how many there are for each state and event.

    index.py FOLDER            write FOLDER/README.md
    index.py FOLDER --check    fail if it is not what would be written
"""

import collections
import pathlib
import re
import sys

STATES = ("CLOSED", "LISTEN", "SYN_SENT", "SYN_RCVD", "ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2",
          "CLOSE_WAIT", "CLOSING", "LAST_ACK", "TIME_WAIT")
EVENTS = ("syn", "syn_ack", "ack", "data", "fin", "rst", "bare", "timeout", "icmp",
          "open", "close", "abort")
PLACES = ("outside_left", "left_edge", "inside", "right_edge", "outside_right")
NAME = re.compile(r"(?P<event>[a-z_]+?)_in_(?P<state>%s)_(?P<place>[a-z0-9_]+)\.pkt"
                  % "|".join(state.lower() for state in STATES))

HEAD = """<!-- Written by index.py; do not edit. -->
# Packet exchanges

Each file is one exchange with a whole engine (`tests/pipeline/rig.h`) on a clock that is moved by
hand, so that answers and times are exact. Its first line is the claim, with the RFC's section; its
name is `<event>_in_<state>_<place>.pkt`. Each is played over IPv4 and over IPv6.

    build/tests/scripts/run_script -v tests/scripts/time_wait
    build/tests/scripts/run_script tests/scripts/listen/syn_in_listen_plain.pkt

Most files are written by `generate.py` from a table of what RFC 9293 says; the others are by hand.
The suite `scripts` plays them all and checks that generated files and this page are fresh.

## The language

- `service NAME`: who listens: http, http_close, http_large, echo, discard, banner, banner_close,
  at_once; `none`: a closed port. Without it, discard
- `set SECTION.KEY VALUE`: a setting: `tcp.rfc1337 true`, `service.max_connections 1`, `engine...`,
  `port...`
- `family 4`: only over IPv4; `PATH` and `DEFAULT` in packets are the family's MSS values
- `known_failure REASON`: it fails today, for this reason; that it does is checked
- `isn N`, `engine_isn N`: initial sequence numbers of the client and of the engine
- `port N`: from now on the client's port N, with numbers of its own
- `+T < PACKET`: T seconds later the client sends; before that, nothing may come
- `& < PACKET`: the client sends, in one burst with the packet before
- `+T > PACKET`: T seconds later, and not before, the engine sends this; a timer has a tick of 8 ms
- `+T icmp too_big MTU quoting SEQ`, `+T icmp unreachable quoting SEQ`: an ICMP error comes that
  quotes a segment of the engine's with this number
- `+T silence`: for T seconds nothing comes
- `+T state NAME`: the connection's state; CLOSED when there is none
- `+T open`: the engine opens a connection to the client's port; its own ports begin at 50000
- `+T close`, `+T shutdown`, `+T reset`: local calls on the connection, as by `handfast conns`
- `+T counter NAME N`, `+T connections N`: a counter of `handfast stats`; connections in the table

A packet is `FLAGS SEQ:END(LEN) ack N win N urg N <OPTIONS> "TEXT"`. Flags are `F S R P U E W`, `.`
for ACK, `X` for a reserved bit, `-` for none. Numbers are relative to the SYN of their side, those
of the engine's timestamps to its SYN,ACK; `@N` is as on the wire, `*` is not compared. Of an answer
`new` and `above` as SEQ say that a new connection begins, and that its number is above all before.
Options are `mss N`, `wscale N`, `sackOK`, `TS val N ecr N`, `sack L:R`, `nop`, `eol` and `raw HEX`;
an answer must have exactly these, in any order, padding apart. A payload that is not quoted is a
pattern; `"..."...` is how it begins. `badsum` and `offset N` spoil checksum and data offset.

Beyond its lines every exchange fails on a wrong checksum, length, address or reserved bit in an
answer, on bytes that change when they are sent again, on an answer that no line expects, and when
`rx = replies + forwards + sum(drops)` does not hold at the end.

"""


def read(folder):
    """Every script as (state, event, place, first line, known failure)."""
    for path in sorted(folder.rglob("*.pkt")):
        match = NAME.fullmatch(path.name)
        if match is None:
            sys.exit(f"{path}: not <event>_in_<state>_<place>.pkt")
        event = match["event"]
        if event == "rst_ack":
            event = "rst"
        if event not in EVENTS:
            sys.exit(f"{path}: no event is called {event}")
        text = path.read_text()
        failure = re.search(r"^known_failure (.*)", text, re.M)
        yield (match["state"].upper(), event, match["place"], path.relative_to(folder),
               failure[1] if failure else None)


def table(rows, columns, counts):
    yield "| | " + " | ".join(columns) + " |"
    yield "|---|" + "---|" * len(columns)
    for row in rows:
        cells = (str(counts[row, column] or "x") for column in columns)
        yield f"| {row} | " + " | ".join(cells) + " |"


def page(folder):
    scripts = list(read(folder))
    by_event = collections.Counter((state, event) for state, event, *_ in scripts)
    by_place = collections.Counter((state, place) for state, _, place, *_ in scripts)
    windows = [state for state in STATES if state not in ("CLOSED", "LISTEN", "SYN_SENT")]
    lines = [f"## How many: {len(scripts)}", "",
             "State and event (`x`: none; the last three are local calls):", ""]
    lines += table(STATES, EVENTS, by_event)
    lines += ["", "State and place of SEG.SEQ in the receive window:", ""]
    lines += table(windows, PLACES, by_place)
    failures = collections.defaultdict(list)
    for *_, path, failure in scripts:
        if failure:
            failures[failure].append(path)
    lines += ["", "## Known failures", ""]
    for failure, paths in sorted(failures.items()):
        lines.append(f"- {failure}: " + ", ".join(f"`{path}`" for path in paths))
    if not failures:
        lines.append("None.")
    return HEAD + "\n".join(lines) + "\n"


def main():
    folder = pathlib.Path(sys.argv[1])
    readme = folder / "README.md"
    text = page(folder)
    if "--check" not in sys.argv:
        readme.write_text(text)
        return 0
    if readme.exists() and readme.read_text() == text:
        return 0
    print(f"{readme} is out of date: run {sys.argv[0]} {folder}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
