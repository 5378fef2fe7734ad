# SPDX-License-Identifier: BSD-3-Clause
"""Legitimate clients while SYNs flood the engine at multiples of their packet rate (issue 4).

The clients are a closed loop on one port, the flood comes by another one, from random sources, and
both share the engine's core.  On a machine of two cores both generators share the other one, so
what is offered is less than what is asked for; the table says what arrived.
"""

import statistics
import time

from cases import FLOODED, SHARED, summarise, target, twice, until_trouble, wild_target
from machine import Trouble
from pace import progress, until_stopped

CLIENT_PACKETS = 3


def survive(bench, asked, times: int, packets_per_second: float) -> dict:
    """One run at one multiple."""
    engine = bench.engine(FLOODED)
    if times:
        bench.load(*wild_target(9), "--order", "random", "--exchange", "syn", "--rate",
                   str(round(packets_per_second * times)), "--duration",
                   f"{int(asked.seconds) + 60}s", *SHARED, socket_name="b.sock")
        _wait_for_flood(engine)
    before = engine.snapshot()
    load = bench.load(*target(9), "--exchange", "open-close", "--concurrency",
                      str(asked.flood_clients), "--duration", f"{int(asked.seconds * 1000)}ms",
                      *SHARED)
    end = load.result(asked.seconds + 30)
    spent = engine.spent(before, engine.snapshot())
    run = summarise(end, spent, engine.tsc_hz)
    bench.end_all()
    counters = spent["counters"]
    started = end["figures"]["started"]
    # The clients' own SYNs are in there, too.
    flood = max(0, counters.get("syn_received", 0) - started)
    run.update({"times": times, "started": started,
                "completed_share": end["figures"]["completed"] / max(1, started
                                                                     - end["unfinished"]),
                "flood_rate": flood * 1e9 / max(1, spent["cpu_ns"]) * spent["share"],
                "flood_syns": flood, "cookies": counters.get("syn_cookies_sent", 0),
                "tsc_hz": engine.tsc_hz})
    return run


def _wait_for_flood(engine) -> None:
    """Until the flood has begun: clients that live through none prove nothing."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if engine.ask("/handfast/counters").get("syn_received", 0) > 1000:
            return
        time.sleep(0.05)
    raise Trouble("no flood arrives")


def one_round(bench, asked) -> list:
    """Each multiple once; the first is what the others are multiples of."""
    runs = []
    for times in asked.flood_times:
        # A client sends three packets a connection.
        packets = runs[0]["rate"] * CLIENT_PACKETS if runs else 0
        run = twice(bench, lambda times=times, packets=packets: survive(bench, asked, times,
                                                                        packets))
        quiet = runs[0] if runs else run
        cycles = run["engine_busy_us"] * run["tsc_hz"] / 1e6
        own = quiet["cycles_per_connection"] * run["done"]
        run["cycles_per_syn"] = round(max(0, cycles - own) / run["flood_syns"]) \
            if run["flood_syns"] else 0
        run["arrived_times"] = run["flood_rate"] / (quiet["rate"] * CLIENT_PACKETS)
        runs.append(run)
    return runs


def condense(runs: list) -> dict:
    """Of all repetitions of a multiple: the median one, and the worst of what has to be none."""
    row = dict(sorted(runs, key=lambda run: run["rate"])[len(runs) // 2])
    for key in ("rate", "flood_rate", "arrived_times", "cycles_per_syn"):
        row[key] = statistics.median(run[key] for run in runs)
    row["completed_share"] = min(run["completed_share"] for run in runs)
    row["failures"] = sum(run["failures"] for run in runs)
    row["rates"] = [run["rate"] for run in runs]
    keys = ("times", "flood_rate", "arrived_times", "rate", "rates", "packets_per_connection",
            "packets_per_connection_seen", "completed_share", "failures", "engine_rss_mib",
            "cycles_per_syn", "cookies", "latency_us")
    return {key: row[key] for key in keys}


def measure(bench, asked) -> dict:
    """The table."""
    turns = []
    with until_stopped(), until_trouble(bench, turns):
        for number in range(asked.repetitions):
            bench.turn = f"repetition {number + 1} of {asked.repetitions}"
            turns.append(one_round(bench, asked))
            progress(f"flood {number + 1}/{asked.repetitions}: " + ", ".join(
                f"x{run['times']} {run['flood_rate']:,.0f} SYN/s, clients {run['rate']:,.0f}/s, "
                f"completed {run['completed_share']:.2%}" for run in turns[-1]))
    if not turns:
        raise Trouble("ended before its first round")
    return {"name": "flood", "rows": [condense(list(runs)) for runs in zip(*turns)]}
