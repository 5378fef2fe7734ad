#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""tests/conformance.md names every line of the conformance list once, and only tests that exist.

A line that is done names at least one test, or says why none can show it; one that is not done
says why not.  A check of tests/system/test_conformance.py is named by every line whose number its
name begins with.  Exit code 0 kept, 1 broken.
"""

import re
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
TABLE = TESTS / "conformance.md"

# How many lines each section of the list has.
SECTIONS = {"A": 30, "B": 15, "C": 21, "D": 5, "E": 19, "F": 22, "G": 19, "H": 10, "I": 6, "J": 15,
            "K": 16, "P": 13, "L": 8, "M": 9}
REASON_MIN = 15  # characters


def rows() -> list:
    """The table's rows as lists of cells, with their line numbers."""
    found = []
    for number, line in enumerate(TABLE.read_text().splitlines(), 1):
        if re.match(r"\| [A-Z]\d", line):
            found.append((number, [cell.strip() for cell in line.strip("|").split(" | ")]))
    return found


def existing() -> set:
    """The names of all tests: scripts, cmocka tests, Python functions of the system tests."""
    names = {path.name for path in (TESTS / "scripts").rglob("*.pkt")}
    for folder in ("unit", "rules", "pipeline"):
        for path in (TESTS / folder).glob("test_*.c"):
            text = path.read_text()
            names.update(re.findall(r"(?:cmocka_unit_test\w*|\b[A-Z_]*TEST)\(\s*(\w+)", text))
    for path in (TESTS / "system").glob("*.py"):
        names.update(re.findall(r"^ *def (\w+)", path.read_text(), re.MULTILINE))
    return names


def seen_from_outside() -> list:
    """(line of the list, check) for every check of the black-box test."""
    found = []
    for path in (TESTS / "system").glob("*.py"):
        for name in re.findall(r"^def ((?:[a-m]\d+_)+\w+)", path.read_text(), re.MULTILINE):
            numbers = re.match(r"(?:[a-m]\d+_)+", name)[0].rstrip("_").split("_")
            found += [(number.upper(), name) for number in numbers]
    return found


def judge_row(cells: list, names: set) -> list:
    """What is wrong with one row."""
    if len(cells) != 5:
        return [f"{len(cells)} columns, not 5"]
    _, what, level, done, shown = cells
    tests = re.findall(r"`([^`]+)`", shown)
    reason = re.sub(r"`[^`]+`[,;]?", "", shown).strip()
    problems = [f"there is no test `{name}`" for name in tests if name not in names]
    if not what or not re.fullmatch(r"[MSYR*/-]+ ?.*", level) or done not in ("yes", "no"):
        problems.append("a cell is empty, or done is neither yes nor no")
    if len(reason) < REASON_MIN and (done == "no" or not tests) and "issue" not in reason:
        problems.append("neither a test nor a reason")
    return problems


def main() -> int:
    """Check the whole table."""
    problems, names, table = [], existing(), {}
    for number, cells in rows():
        problems += [f"{TABLE.name}:{number}: {cells[0]}: {problem}"
                     for problem in judge_row(cells, names)]
        if cells[0] in table:
            problems.append(f"{TABLE.name}:{number}: {cells[0]} for the second time")
        table[cells[0]] = cells[-1]
    wanted = [f"{section}{line}" for section, count in SECTIONS.items()
              for line in range(1, count + 1)]
    problems += [f"{TABLE.name}: {line} is missing" for line in wanted if line not in table]
    problems += [f"{TABLE.name}: {line} is not in the list" for line in table
                 if line not in wanted]
    problems += [f"{TABLE.name}: {line} does not name `{check}`" for line, check in
                 seen_from_outside() if f"`{check}`" not in table.get(line, "")]
    for problem in problems:
        print(problem)
    print(f"{len(table)} lines, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
