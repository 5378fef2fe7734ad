# SPDX-License-Identifier: BSD-3-Clause
"""The highest rate without loss, and what comes of more than that.

Bisection as RFC 2544 26.1 has it for throughput, with MLRsearch's two goals: NDR, no failed
connection, and PDR, at most 0.5 % of them.  A trial also fails when less than 99 % of what was
offered was done, for then the offer was not taken.  A load passes when most of its trials do
(MLRsearch's goal exceed ratio of one half): one trial that the machine disturbed decides nothing.

Offers are an open loop: what does not get through is not waited for, up to LEAST_CONCURRENCY
connections at once.  How much is done past the knee is compared with a closed loop right before: a
virtual machine whose cores move apart loses a fifth of its capacity between two seconds.
"""

import statistics

from cases import progress, run_once
from machine import core_to_core

GOALS = {"ndr": 0.0, "pdr": 0.005}
TAKEN = 0.99
STEPS = (0.25, 0.5, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5)
PLATEAU = 0.9  # Past the knee goodput stays within 10 % of the peak.
LEAST_CONCURRENCY = 65536
TRIALS_MAX = 3
KNEE = 0.85


def lost_share(run: dict) -> float:
    """Failed connections by all that ended."""
    ended = run["done"] + run["failures"]
    return run["failures"] / ended if ended else 1.0


def reaches(run: dict, goal: str) -> bool:
    """Whether a trial reaches a goal."""
    return run["lost_share"] <= GOALS[goal] and run["taken"] >= TAKEN


class Trials:
    """All trials of a search, by what was offered."""

    def __init__(self, bench, case: str, asked):
        self.bench, self.case, self.asked = bench, case, asked
        self.count = min(asked.repetitions, TRIALS_MAX)
        self.runs = {}

    def run(self, offered: int) -> dict:
        """One open-loop run at a rate."""
        run = run_once(self.bench, self.case, self.asked.seconds, [
            "--rate", str(offered), "--concurrency",
            str(max(self.asked.concurrency, LEAST_CONCURRENCY))])
        run["offered"] = offered
        run["lost_share"] = lost_share(run)
        run["taken"] = run["rate"] / offered
        progress(f"{self.case} offered {offered:,}/s: done {run['rate']:,.0f}/s, failed "
                 f"{run['lost_share']:.4%}")
        self.runs.setdefault(offered, []).append(run)
        return run

    def verdict(self, offered: int, goal: str):
        """Whether most trials reach it; None while that is open."""
        runs = self.runs.get(offered, [])
        good = sum(reaches(run, goal) for run in runs)
        if good * 2 > self.count:
            return True
        return False if (len(runs) - good) * 2 >= self.count else None

    def passes(self, offered: int, goal: str) -> bool:
        """The same, with as many trials as it takes."""
        while self.verdict(offered, goal) is None:
            self.run(offered)
        return self.verdict(offered, goal)

    def bisect(self, goal: str, capacity: float) -> int:
        """The highest load that passes."""
        known = {offered: self.verdict(offered, goal) for offered in self.runs}
        high = min([offered for offered, good in known.items() if good is False],
                   default=round(capacity * 1.5))
        low = max([offered for offered, good in known.items() if good and offered < high],
                  default=0)
        while high - low > capacity * self.asked.precision:
            middle = round((low + high) / 2)
            low, high = (middle, high) if self.passes(middle, goal) else (low, middle)
        return low

    def closed(self) -> float:
        """What a closed loop does."""
        return run_once(self.bench, self.case, self.asked.seconds,
                        ["--concurrency", str(self.asked.concurrency)])["rate"]

    def point(self, offered: int, peak: float) -> dict:
        """One of the curve, beside a closed loop right before it."""
        peak = self.closed() if offered > peak * KNEE else peak
        run = self.run(offered)
        run["kept"] = run["rate"] / min(offered, peak)
        run["core_to_core_ns"] = core_to_core(self.bench.cores)
        return run

    def curve(self, capacity: float) -> list:
        """Offered and done up to 1.5 times capacity; each step as often as others, in turns."""
        rounds = [[self.point(round(capacity * step), capacity) for step in STEPS]
                  for _ in range(self.asked.repetitions)]
        return [middle(list(runs)) for runs in zip(*rounds)]

    def all(self) -> list:
        """Every run there was."""
        return [run for runs in self.runs.values() for run in runs]


def middle(runs: list) -> dict:
    """The run of the median rate, with the medians of what others say."""
    chosen = dict(sorted(runs, key=lambda run: run["rate"])[len(runs) // 2])
    for key in ("rate", "kept", "core_to_core_ns"):
        chosen[key] = statistics.median(run[key] for run in runs)
    chosen["rates"] = [run["rate"] for run in runs]
    return chosen


def measure(bench, asked) -> dict:
    """Search, then the curve of offered and done."""
    case = asked.exchange
    trials = Trials(bench, case, asked)
    closed = statistics.median(trials.closed() for _ in range(trials.count))
    progress(f"{case} closed loop: {closed:,.0f}/s")
    found = {goal: trials.bisect(goal, closed) for goal in GOALS}
    searched = [{key: run[key] for key in ("offered", "rate", "lost_share", "taken")}
                for run in trials.all()]
    capacity = max([closed, *found.values()])
    curve = trials.curve(capacity)
    kept = min(run["kept"] for run in curve)
    return {
        "name": "search", "case": case, "closed_loop": closed, "capacity": capacity, **found,
        "trials": searched, "trials_of_a_load": trials.count,
        "curve": [{"offered": run["offered"], "done": run["rate"], "rates": run["rates"], "kept": run["kept"],
                   "core_to_core_ns": run["core_to_core_ns"], "lost_share": run["lost_share"],
                   "retransmits": run["retransmits"],
                   "p50_us": run["latency_us"]["connect"]["p50"],
                   "p99_us": run["latency_us"]["connect"]["p99"]} for run in curve],
        "plateau": round(kept, 3), "plateau_kept": kept >= PLATEAU,
    }
