# SPDX-License-Identifier: BSD-3-Clause
"""What a figure was measured on, and how undisturbed the machine was meanwhile."""

import contextlib
import json
import os
import platform
import subprocess
import time
from pathlib import Path

HIGHEST = -20  # The best priority that setpriority(2) knows.
FARTHER = 1.5  # Times as far are cores another time; the same place varies by less.


class Trouble(Exception):
    """The benchmark cannot go on; says why."""

    def __init__(self, text: str, code: int = 1):
        super().__init__(text)
        self.code = code


class Gone(Trouble):
    """A process ended by itself, or does not answer any more."""


def program(name: str) -> str:
    """A program that is built or installed together with handfast."""
    handfast = Path(os.environ.get("HANDFAST", "handfast"))
    for place in (handfast.parent / name, handfast.parent.parent / name / name):
        if os.access(place, os.X_OK) and place.is_file():
            return str(place)
    raise Trouble(f"{name} is neither beside {handfast} nor in the build's folder of that name")


def output(*argv: object, timeout: float = 20) -> str:
    """What a command says; empty when it fails."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run([str(word) for word in argv], capture_output=True, text=True,
                              check=False, timeout=timeout, stdin=subprocess.DEVNULL)
        if done.returncode == 0:
            return done.stdout.strip()
    return ""


def cpu_model() -> str:
    """The processor, as the kernel calls it."""
    with open("/proc/cpuinfo", encoding="utf-8") as text:
        for line in text:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def core_to_core(cores: tuple) -> float:
    """Nanoseconds from the one core to the other and back; 0 when it cannot be measured."""
    if cores[0] == cores[1]:
        return 0.0
    text = output(program("handfast-core-to-core"), *cores, timeout=60)
    return float(text) if text else 0.0


def moved(near: float, far: float) -> bool:
    """Whether core_to_core() found the cores in other places the second time."""
    return min(near, far) > 0 and max(near, far) > FARTHER * min(near, far)


def load_average() -> float:
    """How many others wanted to run, over the last minute."""
    return os.getloadavg()[0]


def state(cores: tuple) -> dict:
    """What a figure depends on beside the code, at this moment."""
    return {"core_to_core_ns": core_to_core(cores), "load_average": load_average()}


def memory_words() -> dict:
    """What the kernel says of memory: a name, and kB or a number."""
    lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    return {name: int(value.split()[0]) for name, value in (line.split(":", 1) for line in lines)}


def free_huge_mib() -> int:
    """Hugepages that somebody can have."""
    words = memory_words()
    return words.get("HugePages_Free", 0) * words.get("Hugepagesize", 0) // 1024


def environment(cores: tuple) -> dict:
    """CPU, kernel, DPDK, commit, cores."""
    version = json.loads(output(os.environ["HANDFAST"], "version", "--json") or "{}")
    words = memory_words()
    return {
        "cpu": cpu_model(), "cpus": os.cpu_count(), "engine_core": cores[0],
        "generator_core": cores[1], "kernel": platform.release(),
        "system": platform.system(), "dpdk": version.get("dpdk", ""),
        "handfast": version.get("version", ""), "commit": version.get("commit", ""),
        "compiler": version.get("compiler", ""),
        "memory_mib": words["MemTotal"] // 1024,
        "free_hugepages": words.get("HugePages_Free", 0),
        "date": time.strftime("%Y-%m-%d %H:%M:%S %z"), "load_average": load_average(),
    }


def choose_cores(text: str) -> tuple:
    """Engine's and generator's core: those asked for, or the last two we may use."""
    allowed = sorted(os.sched_getaffinity(0))
    if text:
        words = text.split(",")
        if len(words) != 2 or not all(word.isdecimal() and int(word) in allowed for word in words):
            raise Trouble(f"argument --cores: '{text}' is not two of {allowed}, such as "
                          f"{allowed[-1]},{allowed[0]}", 2)
        return int(words[0]), int(words[1])
    return (allowed[-1], allowed[-2]) if len(allowed) > 1 else (allowed[0], allowed[0])


def in_front() -> list:
    """Words that put us before others on our cores, where we may.

    Not real-time priority: two spinning workers on two cores would leave nothing to anybody, their
    own control threads included.
    """
    before = os.getpriority(os.PRIO_PROCESS, 0)
    try:
        os.setpriority(os.PRIO_PROCESS, 0, HIGHEST)
    except PermissionError:  # Also root's, in a container without CAP_SYS_NICE.
        return []
    os.setpriority(os.PRIO_PROCESS, 0, before)
    return ["nice", "-n", str(HIGHEST)]
