#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Adds up meson's test logs.

Usage: summary.py [--brief] LABEL=JSON... [-- FAILURE...]
       summary.py --failed JSON

A label is the name of a build and of suites.  A log holds one JSON object per line and test.  A
run without a log, or without a test of each suite, is a failure: a suite that quietly runs nothing
must not look green.  With --brief only the failures,
each with its last words, and one line of counts are printed; otherwise failures, skips with their
reasons and, last, the line `N passed, N failed, N skipped`.  Exit code 1 when something failed.

Beside X.json, X-again.json holds second runs of what failed in the first.  What passes then has
passed, but is said to be unsteady, with the last words of its failure.  --failed prints the names
of what failed.
"""

import json
import sys
from pathlib import Path

PASSED = {"OK", "EXPECTEDFAIL"}
LAST_LINES, LONGEST_LINE = 12, 400


def last_words(test: dict) -> str:
    """The end of what a failed test said, as whoever reads a CI run has no other way to see it."""
    said = ((test.get("stdout") or "") + (test.get("stderr") or "")).strip().splitlines()
    return "".join(f"\n           {line[:LONGEST_LINE]}" for line in said[-LAST_LINES:])


def tests_of(path: Path) -> list:
    """The tests of one log, none if it is missing or broken."""
    try:
        return [json.loads(line) for line in path.read_text().splitlines()]
    except (OSError, ValueError):
        return []


def short_name(test: dict) -> str:
    """A name is PROJECT:SUITE+SUITE / TEST."""
    return test["name"].rpartition(" / ")[2]


def has_failed(test: dict) -> bool:
    """Neither passed nor skipped."""
    return test["result"] not in PASSED | {"SKIP"}


def read(label: str, path: Path) -> dict:
    """Lines of one log by what is said of them, and how many passed."""
    passed, failed, skipped, unsteady = 0, [], [], []
    tests = tests_of(path)
    steady = {test["name"] for test in tests_of(path.with_name(f"{path.stem}-again.json"))
              if test["result"] in PASSED}
    seen = {suite for test in tests
            for suite in test["name"].rpartition(" / ")[0].partition(":")[2].split("+")}
    for suite in label.split()[1:]:
        # Benchmarks are in no suite.
        if not tests or (seen != {""} and suite not in seen):
            failed.append(f"{label}: no test of {suite} ran: see {path.with_suffix('.txt')}")
    for test in tests:
        name = f"{label}: {short_name(test)}"
        if has_failed(test):
            said = (f"{name}: {test['result'].lower()} after {test['duration']:.0f} s:"
                    f" {path.with_suffix('.txt')}" + last_words(test))
            if test["name"] in steady:
                passed += 1
                unsteady.append(said)
            else:
                failed.append(said)
        elif test["result"] == "SKIP":
            said = (test.get("stdout") or "").strip().splitlines()
            skipped.append(f"{name}: {said[-1] if said else 'no reason given'}")
        else:
            passed += 1
    return {"passed": passed, "failed": failed, "skipped": skipped, "unsteady": unsteady}


def main() -> int:
    """Read, print, judge."""
    words = sys.argv[1:]
    if words[:1] == ["--failed"]:
        print("\n".join(short_name(test) for test in tests_of(Path(words[1])) if has_failed(test)))
        return 0
    brief = words[:1] == ["--brief"]
    words = words[brief:]
    cut = words.index("--") if "--" in words else len(words)
    total, failed, skipped, unsteady = 0, words[cut + 1:], [], []
    for word in words[:cut]:
        label, _, path = word.partition("=")
        one = read(label, Path(path))
        total += one["passed"]
        failed += one["failed"]
        skipped += one["skipped"]
        unsteady += one["unsteady"]
    indent = "         " if brief else ""
    if not brief:
        for line in skipped:
            print(f"skipped  {line}")
    for line in unsteady:
        print(f"{indent}unsteady, passed when run again: {line}")
    for line in failed:
        print(f"{indent}FAILED   {line}")
    print(f"{indent}{total} passed, {len(failed)} failed, {len(skipped)} skipped")
    return 1 if not brief and (failed or not total) else 0


if __name__ == "__main__":
    sys.exit(main())
