# SPDX-License-Identifier: BSD-3-Clause
"""The highest rate without loss, and what comes of more than that.

Bisection as RFC 2544 26.1 has it for throughput, with the loss ratio of MLRsearch (RFC 9971): what
was lost by what was to be done, which is the load times the duration, whether the generator got
around to it or not.  Lost is a connection that failed, was not started though it was due, or was
not done by the trial's end; RFC 2544 23 waits for what is under way then, and so do we for what
came due within the last TAIL_S.  There are two goals: NDR, none lost, and PDR, at most 0.5 %.  A
load passes when most of its trials do (a goal exceed ratio of one half): one trial that the machine
disturbed decides nothing.

Offers are an open loop: what does not get through is not waited for, up to LEAST_CONCURRENCY
connections at once.  The knee lies at the capacity or, if it was overrated, a little before: what
is offered from there on is compared with the peak, a closed loop's rate right before, for a virtual
machine whose cores move apart loses a fifth of its capacity between two seconds.  When they moved
meanwhile, both are done again.
"""

import math
import statistics

from cases import run_once, until_trouble
from machine import Trouble, core_to_core, moved
from pace import progress, until_stopped

GOALS = {"ndr": 0.0, "pdr": 0.005}
# The generator calls no start late that came due so shortly before the end (LOAD_LATE_US).
TAIL_S = 0.01
GAP_S = 1e-6 / 65536  # What its gaps between starts are whole multiples of (PACE_SHIFT).
TAKEN = 0.99  # An offer that was done but for the tail of its plan, with what a machine jitters.
STEPS = (0.25, 0.5, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5)
PLATEAU = 0.9  # Past the knee goodput stays within 10 % of the peak.
KNEE = 0.85  # of the capacity; steps above that are past the knee.
LEAST_CONCURRENCY = 65536
TRIALS_MAX = 3
FASTER = 1.1  # A machine that has become so much faster since is searched once more.


def lost(run: dict, seconds: float) -> int:
    """Of a trial's connections: failed, not started, never done, or done long after its end."""
    known = run["failures"] + run["not_started"] + run["unfinished"]
    planned = run["offered"] * seconds * (1 - run["offered"] * GAP_S / 2)
    return max(known, math.ceil(planned - run["done"] - run["offered"] * TAIL_S))


def reaches(run: dict, goal: str) -> bool:
    """Whether a trial reaches a goal."""
    return run["lost_share"] <= GOALS[goal]


class Search:
    """All trials of a search, by what was offered, and what was found."""

    def __init__(self, bench, asked):
        self.bench, self.case, self.asked = bench, asked.exchange, asked
        self.count = min(asked.repetitions, TRIALS_MAX)
        self.closed_rates, self.runs, self.found, self.rounds = [], {}, {}, []

    def run(self, offered: int, why: str) -> dict:
        """One open-loop run at a rate."""
        run = run_once(self.bench, self.case, self.asked.seconds, [
            "--rate", str(offered), "--concurrency",
            str(max(self.asked.concurrency, LEAST_CONCURRENCY))])
        run["offered"] = offered
        run["lost"] = lost(run, self.asked.seconds)
        run["lost_share"] = run["lost"] / (offered * self.asked.seconds)
        run["taken"] = run["rate"] / offered
        progress(f"{self.case}, {why}: offered {offered:,}/s, done {run['rate']:,.0f}/s "
                 f"({run['taken']:.1%}), lost {run['lost']:,} ({run['lost_share']:.4%}), of which "
                 f"{run['failures']:,} failed")
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
            run = self.run(offered, f"looking for {goal.upper()}")
            self.runs.setdefault(offered, []).append(run)
        return self.verdict(offered, goal)

    def bisect(self, goal: str) -> int:
        """The highest load that passes."""
        capacity = self.closed_loop()
        known = {offered: self.verdict(offered, goal) for offered in self.runs}
        high = min([offered for offered, good in known.items() if good is False],
                   default=round(capacity * STEPS[-1]))
        low = max([offered for offered, good in known.items() if good and offered < high],
                  default=0)
        while high - low > capacity * self.asked.precision:
            middle = round((low + high) / 2)
            low, high = (middle, high) if self.passes(middle, goal) else (low, middle)
        progress(f"{self.case}: {goal.upper()} {low:,}/s, not {high:,}/s")
        return low

    def closed(self) -> float:
        """What a closed loop does."""
        return run_once(self.bench, self.case, self.asked.seconds,
                        ["--concurrency", str(self.asked.concurrency)])["rate"]

    def closed_loop(self) -> float:
        """The median of those before the search."""
        return statistics.median(self.closed_rates)

    def capacity(self) -> float:
        """The best that was seen."""
        return max([self.closed_loop(), *self.found.values()])

    def point(self, step: float, number: int) -> dict:
        """One of the curve, beside a closed loop right before it, by cores that did not move."""
        offered = round(self.capacity() * step)
        why = f"curve {number + 1}/{self.asked.repetitions}, {step:.0%} of capacity"
        after = core_to_core(self.bench.cores)
        for _ in range(TRIALS_MAX):
            before = after
            peak = self.closed() if step > KNEE else offered
            run = self.run(offered, why)
            after = core_to_core(self.bench.cores)
            if not moved(before, after):
                break
            progress(f"{self.case}, {why}: core to core and back took {before:.0f} ns before and "
                     f"{after:.0f} ns after")
        run["kept"] = run["rate"] / min(offered, peak)
        run["core_to_core_ns"] = after
        return run

    def closed_loops(self) -> None:
        """As many as a load has trials."""
        self.closed_rates = []
        while len(self.closed_rates) < self.count:
            self.closed_rates.append(self.closed())
            progress(f"{self.case}, closed loop: {self.closed_rates[-1]:,.0f}/s")

    def goals(self) -> None:
        """All loads that are looked for."""
        self.runs, self.found = {}, {}
        for goal in GOALS:
            self.found[goal] = self.bisect(goal)

    def all(self) -> None:
        """The goals, then offered and done up to 1.5 times capacity, each step in turns."""
        self.closed_loops()
        self.goals()
        before = self.capacity()
        self.closed_loops()
        if self.closed_loop() > before * FASTER:
            progress(f"{self.case}: the machine was slower when this began; once more")
            self.goals()
        for number in range(self.asked.repetitions):
            self.rounds.append([self.point(step, number) for step in STEPS])


def condense(runs: list, seconds: float) -> dict:
    """The run of the median rate, with the medians of what others say and the sums of losses."""
    chosen = dict(sorted(runs, key=lambda run: run["rate"])[len(runs) // 2])
    for key in ("rate", "kept", "taken", "core_to_core_ns"):
        chosen[key] = statistics.median(run[key] for run in runs)
    for key in ("failures", "lost", "retransmits"):
        chosen[key] = sum(run[key] for run in runs)
    chosen["lost_share"] = chosen["lost"] / sum(run["offered"] * seconds for run in runs)
    for name, key in (("rates", "rate"), ("kepts", "kept"),
                      ("core_to_core_ns_runs", "core_to_core_ns")):
        chosen[name] = [run[key] for run in runs]
    return chosen


def row(step: float, run: dict) -> dict:
    """A step of the curve in the words of the results."""
    return {"offered": run["offered"], "past_knee": step > KNEE, "done": run["rate"],
            **{key: run[key] for key in ("rates", "kept", "kepts", "taken", "core_to_core_ns",
                                         "core_to_core_ns_runs", "lost", "lost_share", "failures", "retransmits",
                                         "packets_per_connection", "packets_per_connection_seen")},
            "p50_us": run["latency_us"]["connect"]["p50"],
            "p99_us": run["latency_us"]["connect"]["p99"]}


def plateau(curve: list) -> dict:
    """How much of the peak is done past the knee, at least, and whether that is enough."""
    kept = min(one["kept"] for one in curve if one["past_knee"])
    # All of the highest offer done: nothing was seen of what comes after the knee.
    unseen = kept >= PLATEAU and curve[-1]["taken"] >= TAKEN
    return {"plateau": round(kept, 3), "plateau_kept": None if unseen else kept >= PLATEAU}


def measure(bench, asked) -> dict:
    """Search, then the curve of offered and done."""
    search = Search(bench, asked)
    with until_stopped(), until_trouble(bench, search.rounds):
        search.all()
    if not search.rounds:
        known = [f"{goal.upper()} {rate:,}/s" for goal, rate in search.found.items()]
        raise Trouble("; ".join(["ended before the curve had its first round", *known]))
    steps = [condense(list(runs), asked.seconds) for runs in zip(*search.rounds)]
    curve = [row(step, run) for step, run in zip(STEPS, steps)]
    later = [run["offered"] for run in steps if reaches(run, "ndr")]
    return {
        "name": "search", "case": search.case, "closed_loop": search.closed_loop(),
        "capacity": search.capacity(), **search.found, "later": max(later, default=0),
        "trials": [{key: run[key] for key in ("offered", "rate", "lost", "lost_share", "failures",
                                              "not_started", "unfinished", "taken")}
                   for runs in search.runs.values() for run in runs],
        "trials_of_a_load": search.count,
        "curve": curve, **plateau(curve),
    }
