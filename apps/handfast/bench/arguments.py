# SPDX-License-Identifier: BSD-3-Clause
"""The command line of handfast bench.

Whatever cannot be measured is refused here: after minutes of figures it would be late.
"""

import argparse
import shutil

from cases import CASES

EVERYTHING = ("syn", "forged-ack", "open-close", "cookies", "request", "proxy", "forward", "table",
              "flood", "search", "idle")
NAMES = (*EVERYTHING, "all")
MODES = ("5tswap", "macswap", "io")
# The engine's most: half-open connections, of which twice as many as are under way have to fit,
# and connections, of which table asks for an eighth more than it holds.
CONCURRENCY_MOST, SIZE_MOST = 8388608, 200_000_000
DAY_S = 86400

EXCHANGES = ("open-close", "cookies", "request", "proxy", "forward")
# Options that not all names use: their defaults, and the names that do.
USED = {
    "memory": ("auto", (*EXCHANGES, "table", "flood", "search", "idle")),
    "zero_copy": ("yes", (*EXCHANGES, "search")),
    "concurrency": (512, ("open-close", "cookies", "request", "proxy", "table", "search")),
    "against": (None, EXCHANGES), "limit": ([], EXCHANGES),
    "exchange": ("open-close", ("search",)), "precision": (0.05, ("search",)),
    "flood_clients": (64, ("flood",)), "flood_times": ([0, 1, 3, 10], ("flood",)),
    "sizes": ([10_000, 100_000, 1_000_000, 10_000_000], ("table",)),
}


def refuse(text: str, allowed: str) -> argparse.ArgumentTypeError:
    """What is said of a value; argparse says which option it is of."""
    return argparse.ArgumentTypeError(f"'{text}' is not {allowed}")


def amount(kind: type, least, most):
    """A type of numbers from least to most; nan is none of them."""
    allowed = f"a {'whole ' if kind is int else ''}number from {least} to {most}"

    def read(text: str):
        try:
            value = kind(text)
        except ValueError:
            raise refuse(text, allowed) from None
        if not least <= value <= most:
            raise refuse(text, allowed)
        return value
    return read


def several(read):
    """A type of values of another type, separated by commas, each once."""
    return lambda text: list(dict.fromkeys(read(word) for word in text.split(",")))


def flood_times(text: str) -> list:
    """Multiples of what clients get while nobody floods, which has to be known first."""
    times = several(amount(int, 0, 1000))(text)
    if times[0] != 0 or len(times) < 2:
        raise refuse(text, "a list that begins with 0, no flood, which the others are times of, "
                     "such as 0,3")
    return times


def file_name(text: str) -> str:
    """Where to write."""
    if not text:
        raise refuse(text, "a file's name")
    return text


def executable(text: str) -> str:
    """A program that can be started, as the shell finds it."""
    found = shutil.which(text)
    if found is None:
        raise refuse(text, "an executable file")
    return found


def mode(text: str) -> str:
    """One of testpmd's, which a name that stands behind --limit is taken for."""
    if text in NAMES:
        raise refuse(text, f"one of the modes {', '.join(MODES)}; write names before --limit, or "
                     f"--limit=5tswap {text}")
    if text not in MODES:
        raise refuse(text, f"one of the modes {', '.join(MODES)}, separated by commas")
    return text


def parser() -> argparse.ArgumentParser:
    """All options."""
    made = argparse.ArgumentParser(prog="handfast bench", add_help=False)
    made.add_argument("names", nargs="*")
    made.add_argument("--repetitions", type=amount(int, 1, 1_000_000), default=10)
    made.add_argument("--seconds", type=amount(float, 0.2, DAY_S), default=2.0)
    made.add_argument("--concurrency", type=amount(int, 1, CONCURRENCY_MOST))
    made.add_argument("--cores", default="")
    made.add_argument("--memory", choices=("auto", "huge", "none"))
    made.add_argument("--zero-copy", choices=("yes", "no"))
    made.add_argument("--against", type=executable)
    made.add_argument("--limit", nargs="?", type=several(mode), const=["5tswap"])
    made.add_argument("--exchange",
                      choices=[name for name, case in CASES.items() if not case[3]])
    made.add_argument("--precision", type=amount(float, 0.001, 0.999))
    made.add_argument("--flood-clients", type=amount(int, 1, CONCURRENCY_MOST))
    made.add_argument("--flood-times", type=flood_times)
    made.add_argument("--sizes", type=several(amount(int, 1, SIZE_MOST)))
    made.add_argument("--json", action="store_true")
    made.add_argument("--report", type=file_name)
    return made


def parse(arguments: list) -> argparse.Namespace:
    """What is asked for."""
    made = parser()
    asked = made.parse_args(arguments)
    unknown = [name for name in asked.names if name not in NAMES]
    if unknown or not asked.names:
        made.error("".join(f"'{name}' is not known; " for name in unknown)
                   + "name what to measure: " + " ".join(NAMES))
    asked.names = list(EVERYTHING) if "all" in asked.names else list(dict.fromkeys(asked.names))
    for option, (default, names) in USED.items():
        if getattr(asked, option) is None:
            setattr(asked, option, default)
        elif not set(names) & set(asked.names):
            made.error(f"argument --{option.replace('_', '-')}: {', '.join(asked.names)} would "
                       f"not use it, only {', '.join(names)}")
    asked.lends, asked.unwritten = asked.zero_copy == "yes", False
    return asked
