#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The rules of the house that a program can check, one per command-line word.

Usage: check.py RULE [ARGUMENT]; `check.py list` names the rules.  Exit code 0 kept, 1 broken,
77 cannot be checked here.  Run by the meson suite "check".
"""

import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
CODE = ("lib", "engine", "apps", "tests")
SKIP = 77

# lib/ sees these of DPDK's headers and no others: values and macros, nothing that runs.
LIB_MAY_INCLUDE = {
    "rte_common.h", "rte_prefetch.h", "rte_byteorder.h", "rte_ether.h", "rte_ip.h", "rte_tcp.h",
    "rte_arp.h", "rte_bitops.h", "rte_branch_prediction.h", "rte_icmp.h", "rte_vect.h",
}
# Nothing else lies at the top.
TOP_LEVEL = {
    "lib", "engine", "apps", "config", "tests", "README.md", "LICENSE", "meson.build",
    "meson_options.txt", "run", "test",
}
LINES_MAX = {"lib": 600, "engine": 600, "apps": 600, "tests": 1000}


def sources(*suffixes: str, folders: tuple = CODE) -> list:
    """Every file of ours with one of the suffixes, generated and build folders left out."""
    return sorted(path for folder in folders for path in (TOP / folder).rglob("*")
                  if path.suffix in suffixes and path.is_file() and "corpus" not in path.parts)


def complain(problems: list) -> int:
    """Print what was found, and say how it ended."""
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems")
    return 1 if problems else 0


def show(path: Path, line: int, text: str) -> str:
    """A problem as file:line: text, the way compilers and editors have it."""
    return f"{path.relative_to(TOP)}:{line}: {text}"


def includes(path: Path) -> list:
    """(line number, file) of every #include."""
    found = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*[<"]([^">]+)[">]', line)
        if match:
            found.append((number, match[1]))
    return found


def headers() -> int:
    """Every header compiles alone, so that no file depends on what was included before it."""
    compiler = os.environ.get("CC", "cc").split()
    flags = subprocess.run(["pkg-config", "--cflags", "libdpdk"], capture_output=True, text=True,
                           check=True).stdout.split()

    def compile_alone(header: Path) -> str:
        with tempfile.NamedTemporaryFile("w", suffix=".c") as unit:
            unit.write(f'#include "{header}"\n#include "{header}"\n')
            unit.flush()
            run = subprocess.run(
                [*compiler, "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror",
                 "-Wno-unused-function", "-fsyntax-only", f"-I{TOP}", f"-I{TOP}/lib",
                 f"-I{header.parent}", *flags, unit.name],
                capture_output=True, text=True, check=False)
        return f"{header.relative_to(TOP)} does not compile alone:\n{run.stderr}" \
            if run.returncode else ""

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(compile_alone, sources(".h")))
    print(f"{len(results)} headers")
    return complain([problem for problem in results if problem])


def style() -> int:
    """Every C file is as clang-format leaves it."""
    tool = shutil.which("clang-format")
    if tool is None:
        print("skipped: clang-format is not installed")
        return SKIP
    run = subprocess.run([tool, "--dry-run", "-Werror", *sources(".c", ".h")], cwd=TOP, check=False)
    return 1 if run.returncode else 0


def words() -> int:
    """Every source says its licence and its purpose, and none promises work for later."""
    problems = []
    promise = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
    for path in sources(".c", ".h", ".py", ".sh", ".def"):
        text = path.read_text()
        if "SPDX-License-Identifier: BSD-3-Clause" not in text[:200]:
            problems.append(show(path, 1, "no SPDX line"))
        # A unit test's purpose is its name; a file with a header has its purpose there.
        explained = path.with_suffix(".h").exists() or path.parent.name == "unit"
        if "@file" not in text and (path.suffix == ".h" or path.suffix == ".c" and not explained):
            problems.append(show(path, 1, "no @file comment: purpose, owner, why, what it won't"))
        for number, line in enumerate(text.splitlines(), 1):
            if promise.search(line):
                problems.append(show(path, number, f"work for later: {line.strip()}"))
    return complain(problems)


def length() -> int:
    """A file that outgrows its limit has two subjects."""
    problems = []
    for path in sources(".c", ".h", ".py"):
        lines = path.read_text().count("\n")
        most = LINES_MAX[path.relative_to(TOP).parts[0]]
        if lines > most:
            problems.append(show(path, lines, f"{lines} lines, at most {most}: split its subjects"))
    return complain(problems)


def layers() -> int:
    """Dependencies point one way: apps, engine, lib, and inside lib nobody but tcp's values."""
    problems = []
    for path in sources(".c", ".h", folders=("lib", "engine")):
        area, folder = path.relative_to(TOP).parts[:2]
        for number, name in includes(path):
            first = name.split("/")[0]
            if first == "apps" or (area == "lib" and first == "engine"):
                problems.append(show(path, number, f"{area} includes {name}"))
            if area != "lib":
                continue
            if name.startswith("rte_") and name not in LIB_MAY_INCLUDE:
                problems.append(show(path, number, f"lib includes {name}, not on the short list"))
            foreign = "/" in name and first != "tcp" and (TOP / "lib" / first).is_dir()
            if folder == "tcp" and foreign:
                problems.append(show(path, number, f"lib/tcp includes {name}: it knows nobody"))
    return complain(problems)


def symbols(build: str) -> int:
    """The library needs no DPDK function: it can be linked and tested without one."""
    archives = list(Path(build).rglob("libhandfast_lib.a"))
    if not archives:
        print(f"no libhandfast_lib.a under {build}")
        return 1
    # A thin archive names its objects relative to its own folder; nm follows.
    run = subprocess.run(["nm", "--undefined-only", archives[0]], capture_output=True, text=True,
                         check=True)
    wanted = sorted({word for word in run.stdout.split() if word.startswith(("rte_", "per_lcore"))})
    return complain([f"lib calls {name}" for name in wanted])


def layout() -> int:
    """The top level holds what the README says and nothing else."""
    names = sorted(path.name for path in TOP.iterdir())
    return complain([f"{name} at the top level" for name in names if name not in TOP_LEVEL
                     and not name.startswith((".", "build")) and name != "out"])


def shell() -> int:
    """shellcheck has nothing to say about the scripts."""
    tool = shutil.which("shellcheck")
    if tool is None:
        print("skipped: shellcheck is not installed")
        return SKIP
    scripts = [TOP / "run", TOP / "test", TOP / ".ci" / "run", *sources(".sh")]
    run = subprocess.run([tool, "-x", "-P", TOP, *scripts], cwd=TOP, check=False)
    return 1 if run.returncode else 0


def python() -> int:
    """Every Python file parses, and its functions say what they are for."""
    problems = []
    for path in sources(".py"):
        tree = ast.parse(path.read_text(), str(path))
        for node in [tree, *ast.walk(tree)]:
            if isinstance(node, (ast.Module, ast.ClassDef)) and not ast.get_docstring(node):
                problems.append(show(path, getattr(node, "lineno", 1), "no docstring"))
    return complain(problems)


RULES = {rule.__name__: rule for rule in
         (headers, style, words, length, layers, symbols, layout, shell, python)}


def main() -> int:
    """Check the rule that was asked for."""
    if len(sys.argv) < 2 or sys.argv[1] not in RULES:
        for name, rule in RULES.items():
            print(f"{name:10} {rule.__doc__.splitlines()[0]}")
        return 0 if sys.argv[1:] == ["list"] else 2
    return RULES[sys.argv[1]](*sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
