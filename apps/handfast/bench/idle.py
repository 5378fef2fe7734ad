# SPDX-License-Identifier: BSD-3-Clause
"""An engine with nothing to do: how soon it is there, what it takes of a core, how soon it answers.

Start-up is from exec() to the line that says ready.  The CPU time is that of all threads of an
engine nobody talks to.  The round trip is a handshake on an idle engine: a connection each
millisecond, from the SYN to the SYN-ACK, in microseconds, the generator spinning.
"""

import time

from cases import RESPOND, target, until_trouble, watched
from machine import Trouble
from pace import progress, until_stopped

READY = "control ready"
READY_WITHIN_S = 1.0
IDLE_SHARE = 0.05
POLICIES = ("sleep", "pause", "spin")


def startup_once(bench) -> float:
    """Seconds from exec() to ready."""
    begun = time.monotonic()
    engine = bench.engine(RESPOND, wait=False)
    while READY not in engine.said():
        if time.monotonic() - begun > 30 or engine.process.poll() is not None:
            raise Trouble(f"not ready:\n{engine.said()[-2000:]}")
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


def row(what: str, unit: str, values: list, most: float = 0) -> dict:
    """A figure with its goal, if it has one."""
    return {"what": what, "unit": unit, "values": values, "most": most}


def policy_rows(bench, asked, policy: str) -> list:
    """What is measured with one idle policy."""
    bench.idle = policy
    few = asked.repetitions if policy == "sleep" else 1
    shares = [watched(bench, lambda: share_once(bench, asked.seconds)) * 100 for _ in range(few)]
    trips = [trip_once(bench, asked.seconds) for _ in range(asked.repetitions)]
    progress(f"idle: {policy}: {shares[-1]:.2f} % of a core, handshake p50 {trips[-1]['p50']} us")
    return [row(f"core taken, idle: {policy}", "%", shares,
                IDLE_SHARE * 100 if policy == "sleep" else 0)] + [
        row(f"handshake {percentile}, idle: {policy}", "us", [trip[percentile] for trip in trips])
        for percentile in ("p50", "p99")]


def measure(bench, asked) -> dict:
    """All figures."""
    rows, usual = [], bench.idle
    with until_stopped(), until_trouble(bench, rows):
        rows.append(row("start-up, exec to ready", "ms",
                        [startup_once(bench) * 1000 for _ in range(asked.repetitions)],
                        READY_WITHIN_S * 1000))
        for policy in POLICIES:
            rows += policy_rows(bench, asked, policy)
    bench.idle = usual
    if not rows:
        raise Trouble("ended before its first figure")
    return {"name": "idle", "rows": rows}
