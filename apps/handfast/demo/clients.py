# SPDX-License-Identifier: BSD-3-Clause
"""The clients of the demos, none of them ours: curl, ab, wrk, hping3 and the kernel itself."""

import csv
import json
import re
import sys
import threading
import time
from pathlib import Path

from stage import Paint, Stage, Trouble, thousands

LIVE_INTERVAL_S = 0.5
WRK_CONNECTIONS = 32


class Live:
    """The engine's statistics, shown while a client works: one line that renews itself."""

    def __init__(self, stage: Stage):
        self.stage, self.over = stage, threading.Event()
        self.thread = threading.Thread(target=self.show, daemon=True)
        self.drawn = False

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(5)
        if self.drawn and Paint.on:
            print("\r\033[K", end="", flush=True)

    def show(self) -> None:
        """Poll and print until the client is done."""
        before, then = None, 0.0
        while not self.over.is_set():
            now, moment = self.stage.statistics(), time.monotonic()
            if now and before:
                line = self.line(now, before, moment - then)
                print(f"\r\033[K{line}" if Paint.on else line, end="" if Paint.on else "\n",
                      flush=True)
                self.drawn = True
            if now:
                before, then = now, moment
            self.over.wait(LIVE_INTERVAL_S if Paint.on else 2 * LIVE_INTERVAL_S)

    @staticmethod
    def line(now: dict, before: dict, seconds: float) -> str:
        """Rates since the last look."""
        counters, earlier = now["counters"], before["counters"]

        def rate(name: str) -> str:
            return thousands((counters[name] - earlier[name]) / seconds)

        table = sum(worker.get("connections", 0) for worker in now["workers"])
        refused = sum(value for name, value in counters.items()
                      if name.startswith("drop_") and name != "drop_consumed")
        return (f"     live  opened {rate('opened')}/s  requests {rate('requests')}/s"
                f"  rx {rate('rx')}/s  tx {rate('tx')}/s  connections {thousands(table)}"
                f"  dropped {thousands(refused)}")


class Row:
    """One line of the result table."""

    def __init__(self, step: str, requests: int, failures: int, handshakes: float = None,
                 p50_ms: float = None, p99_ms: float = None):
        self.step, self.requests, self.failures = step, requests, failures
        self.handshakes, self.p50_ms, self.p99_ms = handshakes, p50_ms, p99_ms

    def allow(self, failures: int, why: str) -> None:
        """Take failures that nobody can prevent off the count, and say so."""
        if 0 < self.failures <= failures:
            print(f"       {self.failures} requests lost: {why}")
            self.failures = 0

    def cells(self) -> list:
        """The columns as text."""
        def time_of(value: float) -> str:
            return "-" if value is None else f"{value:.2f} ms"
        return [self.step, thousands(self.requests), thousands(self.failures),
                "-" if self.handshakes is None else thousands(self.handshakes),
                time_of(self.p50_ms), time_of(self.p99_ms)]


def curl(stage: Stage, namespace: str, step: str, url: str, size: int) -> Row:
    """One page, by curl."""
    done = stage.run_in(namespace, "curl", "-sS", "--max-time", "10", "-o", "/dev/null", "-w",
                        "%{http_code} %{size_download} %{time_total}", url)
    print(f"     curl {url}")
    if done.returncode == 0 and done.stdout.startswith(f"200 {size} "):
        seconds = float(done.stdout.split()[2])
        print(f"       HTTP 200, {size} bytes, {1000 * seconds:.1f} ms")
        return Row(step, 1, 0, None, 1000 * seconds)
    print(f"       {done.stdout} {done.stderr.strip()}")
    return Row(step, 1, 1)


def ab_failures(said: str, requests: int) -> int:
    """Requests that did not come back whole, from what ab prints."""
    figures = {name: int(value) for name, value in re.findall(
        r"^(Complete requests|Failed requests|Non-2xx responses):\s+(\d+)", said, re.MULTILINE)}
    return (requests - figures.get("Complete requests", 0) + figures.get("Failed requests", 0)
            + figures.get("Non-2xx responses", 0))


def ab(stage: Stage, namespace: str, step: str, url: str, requests: int) -> Row:
    """A connection for every request, 50 at a time, by ab."""
    table = stage.folder / "ab.csv"
    print("     ab -n", requests, "-c 50", url)
    with Live(stage):
        done = stage.run_in(namespace, "ab", "-q", "-n", requests, "-c", "50", "-e", table, url,
                            timeout=300)
    failures = ab_failures(done.stdout, requests)
    taken = re.search(r"^Time taken for tests:\s+([\d.]+)", done.stdout, re.MULTILINE)
    if done.returncode or failures or taken is None:
        print(done.stderr.strip() or done.stdout.strip())
        return Row(step, requests, max(failures, 1))
    with open(table, encoding="utf-8") as file:
        percentile = {row[0]: float(row[1]) for row in list(csv.reader(file))[1:]}
    return Row(step, requests, 0, requests / float(taken.group(1)), percentile["50"],
               percentile["99"])


class Wrk:
    """A new connection for every request, by wrk, for some seconds, while other things happen."""

    def __init__(self, stage: Stage, namespace: str, step: str, url: str, seconds: int):
        self.step, self.seconds, self.output = step, seconds, stage.folder / "wrk.txt"
        print(f"     wrk -t1 -c{WRK_CONNECTIONS} -d{seconds}s --latency -H 'Connection: close' {url}")
        with open(self.output, "w", encoding="utf-8") as output:
            self.process = stage.spawn(namespace, "wrk", "-t1", f"-c{WRK_CONNECTIONS}", f"-d{seconds}s",
                                       "--latency", "-H", "Connection: close", url,
                                       stdout=output, stderr=output)

    def result(self) -> Row:
        """Wait for its end, and read its table."""
        code = self.process.wait(self.seconds + 30)
        said = self.output.read_text()
        requests = re.search(r"(\d+) requests in ([\d.]+)s", said)
        if code or requests is None:
            print(said.strip())
            return Row(self.step, 1, 1)
        errors = re.search(r"connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
        failures = sum(map(int, errors.groups())) if errors else 0
        failures += int(bad.group(1)) if bad else 0
        if failures:
            print(said.strip())
        return Row(self.step, int(requests.group(1)), failures,
                   int(requests.group(1)) / float(requests.group(2)),
                   self.percentile(said, 50), self.percentile(said, 99))

    @staticmethod
    def percentile(said: str, which: int) -> float:
        """One line of wrk's latency distribution, in milliseconds."""
        found = re.search(rf"^\s+{which}%\s+([\d.]+)(us|ms|s)\s*$", said, re.MULTILINE)
        if found is None:
            return None
        return float(found.group(1)) * {"us": 1e-3, "ms": 1, "s": 1e3}[found.group(2)]


def crowd(stage: Stage, namespace: str, connections: int, address: str) -> Row:
    """Thousands of connections that are all open at the same time, by the kernel."""
    print(f"     {thousands(connections)} connections of the Linux kernel, all open at once,"
          " then a page for each")
    with Live(stage):
        done = stage.run_in(namespace, sys.executable, Path(__file__).with_name("crowd.py"),
                            connections, address, 80, timeout=300)
    if done.returncode or not done.stdout:
        raise Trouble(f"the crowd failed: {done.stderr.strip()}")
    figures = json.loads(done.stdout)
    if figures["first_failure"]:
        print(f"       first failure: {figures['first_failure']}")
    return Row(f"{thousands(connections)} open at once", connections,
               connections - figures["answered"], figures["opened"] / figures["seconds"],
               figures["p50_ms"], figures["p99_ms"])


def print_table(rows: list) -> None:
    """The result."""
    heads = ["step", "requests", "failures", "handshakes/s", "p50", "p99"]
    lines = [heads, *(row.cells() for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    print()
    for number, line in enumerate(lines):
        text = "   ".join([line[0].ljust(widths[0]),
                           *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:]))])
        if number == 0:
            print("  " + Paint.bold(text))
        else:
            print("  " + Paint.verdict(rows[number - 1].failures == 0, text))
    print("\n  p50 and p99 are times of whole requests for curl and ab, and of handshakes for the"
          "\n  connections at once.  Clients and engine share this machine's cores.")


def print_engine(statistics: dict) -> list:
    """What the engine itself counted; returns what does not add up."""
    counters = statistics["counters"]
    drops = sum(value for name, value in counters.items() if name.startswith("drop_"))
    print(f"\n  The engine counted {thousands(counters['opened'])} connections opened,"
          f" {thousands(counters['closed'])} closed, {thousands(counters['reset'])} reset,"
          f" {thousands(counters['timed_out'])} timed out;"
          f"\n  {thousands(counters['requests'])} requests answered;"
          f" {thousands(counters['rx'])} packets in, {thousands(counters['tx'])} out.")
    if counters["rx"] != counters["replies"] + counters["forwards"] + drops:
        return [f"rx {counters['rx']} is not replies {counters['replies']} + forwards"
                f" {counters['forwards']} + drops {drops}"]
    return []
