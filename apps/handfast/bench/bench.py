#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""handfast bench: measures itself on one machine, without a NIC.

`handfast bench` starts this and says in HANDFAST where the program is.  Engine and generator are
two processes on two cores with shared memory between them.  Standard library only.
"""

import errno
import importlib.util
import json
import os
import signal
import statistics
import sys
from pathlib import Path

import flood
import idle
import report
import search
from arguments import USED, parse
from cases import crowd_once, limit_once, rounds, run_once, until_trouble
from machine import (HIGHEST, Gone, Trouble, choose_cores, environment, free_huge_mib, in_front,
                     moved, state)
from pace import ENDS, PACE, end_by_signal, expected, minutes, progress, stopped, until_stopped
from processes import Bench

EXIT_RUNTIME = 1
SYN_CASES = {"syn": ("syn4", "syn4-plain", "syn6", "syn6-plain"),
             "forged-ack": ("forged-ack4", "forged-ack6")}


def quartiles(values: list) -> dict:
    """Median and quartiles of the repetitions."""
    if len(values) == 1:
        return {"median": values[0], "q1": values[0], "q3": values[0]}
    q1, median, q3 = statistics.quantiles(values, n=4, method="inclusive")
    return {"median": median, "q1": q1, "q3": q3}


def conditions(states: list) -> dict:
    """What machine.state() said around some runs."""
    places = [one["core_to_core_ns"] for one in states]
    return {"core_to_core_ns": quartiles(places), "core_to_core_ns_runs": places,
            "load_average": max(one["load_average"] for one in states)}


def middle_run(runs: list) -> dict:
    """The run whose rate is the median: its latencies are shown."""
    return sorted(runs, key=lambda run: run["rate"])[len(runs) // 2]


def condense(name: str, measured: dict) -> dict:
    """Of all repetitions: what is reported of each contestant."""
    contestants = {}
    for contestant, runs in measured["runs"].items():
        chosen = middle_run(runs)
        contestants[contestant] = {
            "rate": quartiles([run["rate"] for run in runs]), "rates": [run["rate"] for run in runs],
            **{key: chosen[key] for key in (
                "packets_per_connection", "packets_per_connection_seen", "latency_us", "failures",
                "retransmits", "engine_share", "engine_busy", "generator_busy",
                "engine_rss_mib", "cycles_per_connection", "cycles_per_packet", "mode") if key in chosen},
            "series": [{**second, "t": round(run["begun"] + second["t"], 3)}
                       for run in runs for second in run.get("series", ())],
            "failures_of_all": sum(run.get("failures", 0) for run in runs),
            "core_to_core_ns": statistics.median(run["core_to_core_ns"] for run in runs),
            **{f"{key}_runs": [run[key] for run in runs]
               for key in ("core_to_core_ns", "core_to_core_after_ns")},
            "repeated": sum(run.get("repeated", False) for run in runs)}
    return {"name": name, "contestants": contestants, **conditions(measured["machine"])}


def compare_pairs(ours: list, theirs: list) -> dict:
    """The ratio to a limit, of each run to the limit's in the same turn: the machine changes."""
    ratios, apart = [], 0
    for one, limit in zip(ours, theirs):
        # testpmd is counted by packets; what it passes comes in and goes out.
        packets = one["rate"] * one["packets_per_connection_seen"] / 2
        ratios.append(packets / limit["rate"])
        places = [run[key] for run in (one, limit)
                  for key in ("core_to_core_ns", "core_to_core_after_ns")]
        apart += moved(min(places), max(places))
    return {"ratio_to_limit": round(statistics.median(ratios), 3),
            "ratio_to_limit_quartiles": quartiles(ratios), "ratio_to_limit_runs": ratios,
            "pairs_moved": apart}


def measure_case(bench: Bench, name: str, asked) -> dict:
    """A case over memif; beside it another handfast, and testpmd as the limit."""
    words = ["--concurrency", str(asked.concurrency)]
    contestants = [("handfast", lambda: run_once(bench, name, asked.seconds, words))]
    if asked.against:
        contestants.append(("against", lambda: run_once(bench, name, asked.seconds, words,
                                                        asked.against)))
    for mode in asked.limit:
        contestants.append((f"testpmd {mode}, packets",
                            lambda mode=mode: limit_once(bench, mode, asked.seconds)))
    measured_runs = rounds(bench, name, asked, contestants)
    result, runs = condense(name, measured_runs), measured_runs["runs"]
    for mode in asked.limit:
        if f"testpmd {mode}, packets" not in runs:
            continue
        for key, value in compare_pairs(runs["handfast"],
                                        runs[f"testpmd {mode}, packets"]).items():
            result.setdefault(key, {})[mode] = value
    return result


def syn_ratio():
    """tests/bench/syn_ratio.py, where the source tree is at hand."""
    path = Path(__file__).resolve().parents[3] / "tests" / "bench" / "syn_ratio.py"
    if not path.exists():
        raise Trouble("syn and forged-ack need tests/bench/syn_ratio.py of the source tree")
    spec = importlib.util.spec_from_file_location("syn_ratio", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def measure_syn_case(bench: Bench, module, case: str, asked, rows: list) -> None:
    """A row of as many rounds as were complete when it ended, by itself or by trouble or Ctrl-C."""
    states, pairs = [state(asked.core_pair)], []
    try:
        for pair in module.measure_case(bench, case, os.environ["HANDFAST"], asked.repetitions,
                                        asked.seconds):
            states.append(state(asked.core_pair))
            pairs.append(pair)
            progress(f"{case} {len(pairs)}/{asked.repetitions}: {module.rates(pair)}")
    finally:
        if pairs:
            row = module.summarise(case, pairs)
            rows.append({**row, **conditions(states), **{
                f"{key}_quartiles": quartiles(row[f"{key}_runs"])
                for key in ("pps", "limit_pps", "ratio")}})
            progress(f"{case}: {row['ratio']:.3f} of 5tswap")


def measure_syn(bench: Bench, name: str, asked) -> dict:
    """SYNs or forged ACKs from net_pcap infinite_rx, with testpmd's 5tswap in turns."""
    module, rows = syn_ratio(), []
    with until_stopped(), until_trouble(bench, rows):
        for case in SYN_CASES[name]:
            measure_syn_case(bench, module, case, asked, rows)
    if not rows:
        raise Trouble("ended before its first figure")
    return {"name": name, "rows": rows}


def measure_table(bench: Bench, _name: str, asked) -> dict:
    """Opening and closing beside more and more connections that are held, by turns."""
    runs, left = {size: [] for size in asked.sizes}, list(asked.sizes)
    with until_stopped():
        for number in range(asked.repetitions):
            for size in list(left):
                bench.turn = f"beside {size:,}, repetition {number + 1} of {asked.repetitions}"
                bench.connections = size * 9 // 8 + 65536
                try:
                    runs[size].append({**state(asked.core_pair), **crowd_once(
                        bench, size, asked.seconds, asked.concurrency)})
                except (Trouble, OSError) as trouble:
                    left.remove(size)
                    bench.end_all()
                    bench.accident(f"{len(runs[size])} complete, no more: {trouble}")
            if not left:
                break
            progress(f"table {number + 1}/{asked.repetitions}: " + ", ".join(
                f"beside {size:,} {runs[size][-1]['rate']:,.0f}/s" for size in left))
    rows = []
    for size, of in runs.items():
        if not of:
            continue
        rates = [run["rate"] for run in of]
        rows.append({"connections": size, "rate": quartiles(rates), "rates": rates,
                     **conditions(of),
                     **{key: statistics.median(run[key] for run in of) for key in (
                         "packets_per_connection", "packets_per_connection_seen")},
                     "cycles_per_connection": round(statistics.median(
                         run["cycles_per_connection"] for run in of)),
                     "failures": sum(run["failures"] for run in of),
                     "repetitions": len(of), "engine_rss_mib": of[-1]["engine_rss_mib"]})
    if not rows:
        raise Trouble((bench.accidents or ["ended before its first figure"])[-1])
    return {"name": "table", "rows": rows}


MEASURES = {"syn": measure_syn, "forged-ack": measure_syn, "table": measure_table,
            "flood": lambda bench, _name, asked: flood.measure(bench, asked),
            "search": lambda bench, _name, asked: search.measure(bench, asked),
            "idle": lambda bench, _name, asked: idle.measure(bench, asked)}


def ran_with(asked, name: str) -> dict:
    """What a name ran with: options that it has no use for are not among it."""
    at_once = {"syn": 0, "forged-ack": 0, "forward": 0, "flood": asked.flood_clients, "idle": 1}
    return {"memory": asked.memory if name in USED["memory"][1] else "none",
            "zero_copy": asked.lends and name in USED["zero_copy"][1],
            "concurrency": at_once.get(name, asked.concurrency),
            **({"open_loop_concurrency": max(asked.concurrency, search.LEAST_CONCURRENCY)}
               if name == "search" else {})}


def measure_one(asked, name: str) -> dict:
    """One name, or why it cannot be measured here; and what went wrong meanwhile."""
    accidents = []
    try:
        with Bench(asked.core_pair, asked.memory, lends=asked.lends,
                   concurrency=asked.concurrency) as bench:
            accidents = bench.accidents
            result = MEASURES.get(name, measure_case)(bench, name, asked)
    except (Trouble, OSError) as trouble:
        progress(f"{name}: cannot be measured here: {trouble}")
        result = {"name": name, "skipped": str(trouble)}
        if isinstance(trouble, Gone):
            accidents.append(str(trouble))
    return {**result, "ran_with": ran_with(asked, name), "accidents": accidents, "ended_early": stopped(),
            "one_core": asked.core_pair[0] == asked.core_pair[1]}


def measure_all(asked, document: dict) -> None:
    """Every name; one that cannot be measured here says why and the others go on."""
    for name in asked.names:
        if stopped():
            return
        PACE.next(name)
        document["results"].append(measure_one(asked, name))
        PACE.done()
        if asked.report and not is_special(asked.report):
            write_page(asked, document)


def is_special(page: str) -> bool:
    """Whether a page's place is no file that another one may take the place of."""
    return page.startswith(("/dev/", "/proc/")) or (os.path.exists(page)
                                                    and not os.path.isfile(page))


def beside(page: str) -> Path:
    """Where a page is written, so that half of it never takes the place of a whole one."""
    place = Path(page).resolve()
    return place.with_name(f"{place.name}.{os.getpid()}")


def try_page(page: str) -> None:
    """Half an hour later would be late to find that it cannot be written."""
    if not is_special(page):
        beside(page).touch()
        beside(page).unlink()
    elif os.path.isdir(page) or not os.access(page, os.W_OK):
        raise PermissionError(errno.EACCES, "no page can be written there", page)


def put_page(page: str, document: dict) -> None:
    """Put it where it is wanted; a device or a pipe stays what it is."""
    text = report.page(document)
    if is_special(page):
        # Of a pipe that nobody reads that is an error, not an endless wait.
        with open(os.open(page, os.O_WRONLY | os.O_NONBLOCK), "w", encoding="utf-8") as special:
            os.set_blocking(special.fileno(), True)
            special.write(text)
        return
    try:
        beside(page).write_text(text, encoding="utf-8")
        beside(page).replace(Path(page).resolve())
    finally:
        beside(page).unlink(missing_ok=True)


def write_page(asked, document: dict) -> None:
    """What is known by now; a page that cannot be written ends nothing that is measured."""
    try:
        put_page(asked.report, document)
        asked.unwritten = False
    except OSError as problem:
        asked.unwritten = True
        progress(f"the report is not written: {problem}")


def end_page(asked, document: dict) -> None:
    """The last of it, when the results are printed: who does not read a pipe holds up nothing."""
    if is_special(asked.report):
        for each in ENDS:
            signal.signal(each, signal.SIG_DFL)
        write_page(asked, document)
    if not asked.unwritten:
        progress(f"report: {asked.report}")


def say_what_comes(asked) -> None:
    """Before anything is measured: how long it will take."""
    PACE.plan({name: expected(name, asked) for name in asked.names})
    each = ", ".join(f"{name} {minutes(seconds)}" for name, seconds in PACE.ahead.items())
    progress(f"{each} (minutes:seconds, about); Ctrl-C ends and reports what is complete")
    if asked.core_pair[0] == asked.core_pair[1]:
        progress("one core only: engine and generator share it, so rates say little")


def measured(asked) -> dict:
    """What the report is made of."""
    asked.core_pair = choose_cores(asked.cores)
    if asked.memory == "huge" and not free_huge_mib():
        raise Trouble("argument --memory: 'huge' is not possible: no hugepage is free", 2)
    front = bool(in_front())
    if front:
        # Who reads counters and clock in turn must not wait for what it measures between them.
        os.setpriority(os.PRIO_PROCESS, 0, HIGHEST)
    document = {"schema": 1, "environment": environment(asked.core_pair),
                "settings": {"repetitions": asked.repetitions, "seconds": asked.seconds,
                             "priority": front}, "results": []}
    if asked.report:
        try_page(asked.report)
    say_what_comes(asked)
    measure_all(asked, document)
    return document


def main() -> int:
    """The command line."""
    asked = parse(sys.argv[1:])
    # Whoever ends us ends what we started, and what we wrote down for it.
    for each in ENDS:
        if signal.getsignal(each) is not signal.SIG_IGN:  # As nohup has it.
            signal.signal(each, end_by_signal)
    try:
        document = measured(asked)
        print(json.dumps(document) if asked.json else report.text(document), flush=True)
        if asked.report:
            end_page(asked, document)
    except Trouble as trouble:
        print(f"handfast bench: {trouble}", file=sys.stderr)
        return trouble.code
    except OSError as problem:
        print(f"handfast bench: {problem}", file=sys.stderr)
        return EXIT_RUNTIME
    except KeyboardInterrupt:
        return 128 + (PACE.ended_by or signal.SIGINT)
    if stopped():
        return 128 + PACE.ended_by
    failed = asked.unwritten or any(one["accidents"] for one in document["results"])
    nothing = all("skipped" in one for one in document["results"])
    return EXIT_RUNTIME if failed or nothing else 0


if __name__ == "__main__":
    sys.exit(main())
