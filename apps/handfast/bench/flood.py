# SPDX-License-Identifier: BSD-3-Clause
"""Legitimate clients while SYNs flood the engine at multiples of their packet rate (issue 4).

The clients are a closed loop on one port, the flood comes by another one, from random sources, and
both share the engine's core.  On a machine of two cores both generators share the other one, so
what is offered is less than what is asked for; the table says what arrived.
"""

import time

from cases import FLOODED, SHARED, progress, summarise, target, twice, wild_target

TIMES = (0, 1, 3, 10)


def survive(bench, asked, times: int, packets_per_second: float) -> dict:
    """One run at one multiple."""
    engine = bench.engine(FLOODED)
    if times:
        bench.load(*wild_target(9), "--exchange", "syn", "--rate",
                   str(round(packets_per_second * times)), "--concurrency", "4096", "--duration",
                   "60s", *SHARED, socket_name="b.sock")
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
    """Until the flood has begun."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if engine.ask("/handfast/counters").get("syn_received", 0) > 1000:
            return
        time.sleep(0.05)


def measure(bench, asked) -> dict:
    """The table."""
    rows, quiet = [], None
    for times in asked.flood_times:
        rate = quiet["rate"] * 3 if quiet else 0  # A client sends three packets a connection.
        run = twice(bench, lambda times=times, rate=rate: survive(bench, asked, times, rate))
        if quiet is None:
            quiet = run
        cycles = run["engine_busy_us"] * run["tsc_hz"] / 1e6
        own = quiet["cycles_per_connection"] * run["done"]
        run["cycles_per_syn"] = round(max(0, cycles - own) / run["flood_syns"]) \
            if run["flood_syns"] else 0
        rows.append(run)
        progress(f"flood x{times}: {run['flood_rate']:,.0f} SYN/s, clients {run['rate']:,.0f}/s, "
                 f"completed {run['completed_share']:.2%}")
    keys = ("times", "flood_rate", "rate", "completed_share", "failures", "engine_rss_mib",
            "cycles_per_syn", "cookies", "latency_us")
    return {"name": "flood", "rows": [{key: row[key] for key in keys} for row in rows]}
