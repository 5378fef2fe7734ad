# SPDX-License-Identifier: BSD-3-Clause
"""The highest rate without loss, and what comes of more than that.

Bisection as RFC 2544 26.1 has it for throughput, with MLRsearch's two goals: NDR, no failed
connection, and PDR, at most 0.5 % of them.  A trial also fails when less than 99 % of what was
offered was done, for then the offer was not taken.
"""

from cases import progress, run_once

GOALS = {"ndr": 0.0, "pdr": 0.005}
TAKEN = 0.99
STEPS = (0.25, 0.5, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5)
PLATEAU = 0.9  # Past the knee goodput stays within 10 % of the peak.


def lost_share(run: dict) -> float:
    """Failed connections by all that ended."""
    ended = run["done"] + run["failures"]
    return run["failures"] / ended if ended else 1.0


def trial(bench, case: str, asked, offered: float) -> dict:
    """One open-loop run at a rate."""
    run = run_once(bench, case, asked.seconds, ["--rate", str(round(offered)), "--concurrency",
                                                str(asked.concurrency)])
    run["offered"] = round(offered)
    run["lost_share"] = lost_share(run)
    run["taken"] = run["rate"] / offered
    progress(f"{case} offered {offered:,.0f}/s: done {run['rate']:,.0f}/s, failed "
             f"{run['lost_share']:.4%}")
    return run


def passes(run: dict, goal: str) -> bool:
    """Whether a trial reaches a goal."""
    return run["lost_share"] <= GOALS[goal] and run["taken"] >= TAKEN


def bisect(bench, case: str, asked, capacity: float) -> tuple:
    """The rates of both goals, and all trials."""
    trials, found = [], {}
    for goal in GOALS:
        low, high = 0.0, capacity * 1.5
        for run in trials:
            if passes(run, goal):
                low = max(low, run["offered"])
            else:
                high = min(high, run["offered"])
        while high - low > capacity * asked.precision and high > low:
            run = trial(bench, case, asked, (low + high) / 2)
            trials.append(run)
            if passes(run, goal):
                low = run["offered"]
            else:
                high = run["offered"]
        found[goal] = round(low)
    return found, trials


def measure(bench, asked) -> dict:
    """Search, then the curve of offered and done."""
    case = asked.exchange
    capacity = run_once(bench, case, asked.seconds,
                        ["--concurrency", str(asked.concurrency)])["rate"]
    progress(f"{case} closed loop: {capacity:,.0f}/s")
    found, trials = bisect(bench, case, asked, capacity)
    base = found["pdr"] or capacity
    curve = [trial(bench, case, asked, base * step) for step in STEPS]
    peak = max(run["rate"] for run in curve)
    past = [run["rate"] for run in curve if run["offered"] > base]
    return {
        "name": "search", "case": case, "closed_loop": capacity, **found,
        "trials": [{key: run[key] for key in ("offered", "rate", "lost_share", "taken")}
                   for run in trials],
        "curve": [{"offered": run["offered"], "done": run["rate"], "lost_share": run["lost_share"],
                   "p99_us": run["latency_us"]["connect"]["p99"]} for run in curve],
        "plateau": round(min(past) / peak, 3), "plateau_kept": min(past) >= PLATEAU * peak,
    }
