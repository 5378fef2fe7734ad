# SPDX-License-Identifier: BSD-3-Clause
"""How long it takes, said before it begins and with every line; and an end before that.

Ctrl-C, SIGTERM and SIGHUP end what runs.  What is complete by then is still reported: nobody is to
lose twenty minutes of figures for not having had thirty.
"""

import contextlib
import math
import signal
import sys
import time

# Seconds that a run takes beside what is measured: processes start, find each other and end.
STARTUP_S = {"open-close": 0.5, "cookies": 0.5, "request": 0.5, "proxy": 2.3, "forward": 3.9,
             "syn": 1.2, "forged-ack": 1.2, "table": 1.2, "flood": 1.0, "search": 0.6, "idle": 0.5}
LIMIT_S = 2.0
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
OPENED_PER_S = 1.4e6  # Connections that bench table opens before it measures.


class Pace:
    """The clock of all that was asked for."""

    def __init__(self):
        self.begun = self.name_begun = time.monotonic()
        self.name, self.ahead, self.ended_by = "", {}, 0
        self.measuring = False  # Whether a signal may interrupt what runs.

    def plan(self, seconds: dict) -> None:
        """What is to be done, and how long each name takes about."""
        self.begun, self.ahead = time.monotonic(), dict(seconds)

    def next(self, name: str) -> None:
        """This one begins."""
        self.name, self.name_begun = name, time.monotonic()

    def done(self) -> None:
        """It has ended, sooner or later than expected."""
        self.ahead.pop(self.name, None)

    def total(self, now: float) -> float:
        """Seconds from beginning to end, by what is known now."""
        left = sum(self.ahead.values())
        return now - self.begun + left - min(now - self.name_begun, self.ahead.get(self.name, 0))


PACE = Pace()


def minutes(seconds: float) -> str:
    """123 as 2:03."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def progress(text: str) -> None:
    """A line for people, beside the results."""
    now = time.monotonic()
    # An estimate that looks exact would only be a wrong one.
    about = math.ceil(PACE.total(now) / 10) * 10
    print(f"[{minutes(now - PACE.begun)} of about {minutes(about)}] {text}", file=sys.stderr,
          flush=True)


def stopped() -> bool:
    """Whether somebody wants no more."""
    return PACE.ended_by != 0


@contextlib.contextmanager
def until_stopped():
    """Measure in here; Ctrl-C goes to the end of it, with what is complete by then."""
    try:
        try:
            PACE.measuring = True
            if stopped():
                raise KeyboardInterrupt
            yield
        finally:
            PACE.measuring = False
    except KeyboardInterrupt:
        PACE.ended_by = PACE.ended_by or signal.SIGINT
        progress("ending; what is complete is reported")


@contextlib.contextmanager
def undisturbed():
    """What a signal must not cut in two: it takes effect at the end of this."""
    before, PACE.measuring = PACE.measuring, False
    try:
        yield
    finally:
        PACE.measuring = before
    if before and stopped():
        raise KeyboardInterrupt


def end_by_signal(number: int, _frame) -> None:
    """The first signal of ENDS ends what is measured, and nothing interrupts the end of it.

    `timeout` and terminals signal a whole group, and people do so twice.
    """
    if stopped():
        return  # It came together with the first.
    PACE.ended_by = number
    for each in ENDS:
        signal.signal(each, signal.SIG_IGN)
    if PACE.measuring:
        raise KeyboardInterrupt


def search_runs(asked) -> float:
    """Runs of bench search: a closed loop, two bisections with most loads in common, the curve."""
    trials = min(asked.repetitions, 3)
    loads = math.log2(1.5 / asked.precision)
    return 2 * trials + 1.3 * loads * (trials // 2 + 1) + 13 * asked.repetitions


def expected(name: str, asked) -> float:
    """Seconds that a name takes about."""
    each = asked.seconds + STARTUP_S[name]
    turns = asked.repetitions
    if name == "syn":
        return 4 * 2 * turns * each
    if name == "forged-ack":
        return 2 * 2 * turns * each
    if name == "table":
        return turns * sum(each + size / OPENED_PER_S for size in asked.sizes)
    if name == "flood":
        return turns * len(asked.flood_times) * each
    if name == "search":
        return search_runs(asked) * each
    if name == "idle":
        return 4 * turns * each + 0.3 * turns + 2 * each
    against = asked.seconds + STARTUP_S[name] if asked.against else 0
    return turns * (each + against + len(asked.limit) * (asked.seconds + LIMIT_S))
