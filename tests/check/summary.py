#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Adds up meson's test logs.

Usage: summary.py [--brief] LABEL=JSON... [-- FAILURE...]

A label is the name of a build and of suites.  A log holds one JSON object per line and test.  A
run without a log, or without a test of each suite, is a failure: a suite that quietly runs nothing
must not look green.  With --brief only the failures,
each with its last words, and one line of counts are printed; otherwise failures, skips with their
reasons and, last, the line `N passed, N failed, N skipped`.  Exit code 1 when something failed.
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


def read(label: str, path: Path) -> tuple:
    """(passed, failed lines, skipped lines) of one log."""
    passed, failed, skipped = 0, [], []
    try:
        tests = [json.loads(line) for line in path.read_text().splitlines()]
    except (OSError, ValueError):
        tests = []
    # A name is PROJECT:SUITE+SUITE / TEST.
    seen = {suite for test in tests
            for suite in test["name"].rpartition(" / ")[0].partition(":")[2].split("+")}
    for suite in label.split()[1:]:
        # Benchmarks are in no suite.
        if not tests or (seen != {""} and suite not in seen):
            failed.append(f"{label}: no test of {suite} ran: see {path.with_suffix('.txt')}")
    for test in tests:
        name = f"{label}: {test['name'].rpartition(' / ')[2]}"
        if test["result"] in PASSED:
            passed += 1
        elif test["result"] == "SKIP":
            said = (test.get("stdout") or "").strip().splitlines()
            skipped.append(f"{name}: {said[-1] if said else 'no reason given'}")
        else:
            failed.append(f"{name}: {test['result'].lower()} after {test['duration']:.0f} s:"
                          f" {path.with_suffix('.txt')}" + last_words(test))
    return passed, failed, skipped


def main() -> int:
    """Read, print, judge."""
    words = sys.argv[1:]
    brief = words[:1] == ["--brief"]
    words = words[brief:]
    cut = words.index("--") if "--" in words else len(words)
    total, failed, skipped = 0, words[cut + 1:], []
    for word in words[:cut]:
        label, _, path = word.partition("=")
        passed, bad, missed = read(label, Path(path))
        total += passed
        failed += bad
        skipped += missed
    if brief:
        print(f"         {total} passed, {len(failed)} failed, {len(skipped)} skipped")
        for line in failed:
            print(f"         FAILED {line}")
        return 0
    for line in skipped:
        print(f"skipped  {line}")
    for line in failed:
        print(f"FAILED   {line}")
    print(f"{total} passed, {len(failed)} failed, {len(skipped)} skipped")
    return 1 if failed or not total else 0


if __name__ == "__main__":
    sys.exit(main())
