# SPDX-License-Identifier: BSD-3-Clause
"""An engine with nothing to do: how soon it is there, what it takes of a core, how soon it answers.

Start-up is from exec() to the line that says ready.  The CPU time is that of all threads of an
engine nobody talks to.  The round trip is a handshake on an idle engine: a connection each
millisecond, from the SYN to the SYN-ACK, in microseconds, the generator spinning.
"""

import time

from cases import RESPOND, target, until_trouble, watched
from machine import Gone, Trouble
from pace import progress, until_stopped
from processes import PATIENCE

READY = "control ready"
READY_WITHIN_S = 1.0
IDLE_SHARE = 0.05
POLICIES = ("sleep", "pause", "spin")


def startup_once(bench) -> float:
    """Seconds from exec() to ready."""
    begun = time.monotonic()
    engine = bench.engine(RESPOND, wait=False)
    while READY not in engine.said():
        code = engine.process.poll()
        if code is not None or time.monotonic() - begun > PATIENCE:
            kind = Gone if code is not None and code < 0 else Trouble
            raise kind(f"{engine.name} is not ready: {engine.last_words()}")
        time.sleep(0.001)
    taken = time.monotonic() - begun
    bench.end_all()
    return taken


def share_once(bench, seconds: float) -> float:
    """Of a core, by all threads."""
    engine = bench.engine(RESPOND)
    time.sleep(0.3)
    before = engine.snapshot()
    time.sleep(seconds)
    after = engine.snapshot()
    bench.end_all()
    used = sum(ns - before["threads"].get(thread, 0) for thread, ns in after["threads"].items())
    return used / (after["clock"] - before["clock"])


def trip_once(bench, seconds: float) -> dict:
    """Latency of handshakes, each after a millisecond of rest."""
    bench.engine(RESPOND)
    load = bench.load(*target(9), "--exchange", "open-close", "--concurrency", "1", "--rate",
                      "1000", "--duration", f"{int(seconds * 1000)}ms")
    end = load.result(seconds + 30)
    bench.end_all()
    return end["latency_us"]["connect"]


def add(rows: list, what: str, unit: str, value: float, most: float = 0) -> None:
    """One more value of a figure, with its goal, if it has one: a row is of what is complete."""
    for row in rows:
        if row["what"] == what:
            row["values"].append(value)
            return
    rows.append({"what": what, "unit": unit, "values": [value], "most": most})


def add_policy(bench, asked, policy: str, rows: list) -> None:
    """What is measured with one idle policy."""
    bench.idle, bench.turn = policy, f"idle: {policy}"
    for _ in range(asked.repetitions if policy == "sleep" else 1):
        share = watched(bench, lambda: share_once(bench, asked.seconds)) * 100
        add(rows, f"core taken, idle: {policy}", "%", share,
            IDLE_SHARE * 100 if policy == "sleep" else 0)
    for _ in range(asked.repetitions):
        trip = trip_once(bench, asked.seconds)
        for percentile in ("p50", "p99"):
            add(rows, f"handshake {percentile}, idle: {policy}", "us", trip[percentile])
    progress(f"idle: {policy}: {share:.2f} % of a core, handshake p50 {trip['p50']} us")


def measure(bench, asked) -> dict:
    """All figures."""
    rows, usual = [], bench.idle
    with until_stopped(), until_trouble(bench, rows):
        for number in range(asked.repetitions):
            bench.turn = f"start-up, repetition {number + 1} of {asked.repetitions}"
            add(rows, "start-up, exec to ready", "ms", startup_once(bench) * 1000,
                READY_WITHIN_S * 1000)
        for policy in POLICIES:
            add_policy(bench, asked, policy, rows)
    bench.idle = usual
    if not rows:
        raise Trouble("ended before its first figure")
    return {"name": "idle", "rows": rows}
