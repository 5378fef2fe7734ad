#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The demo: real clients against handfast, on any machine, without a NIC.

Makes two network namespaces, starts the engine as a responder on a TAP device in one, hands the
device to the other, and lets clients that nobody here wrote use it: curl, ab, and some thousand
connections of the Linux kernel at once.  Shows the engine's live statistics meanwhile and a table
at the end.  Everything it makes has a name of its own and is removed again, also when interrupted.

`handfast demo` starts this and says in HANDFAST where the program is.  Standard library only.
"""

import argparse
import contextlib
import csv
import errno
import json
import os
import re
import resource
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

EXIT_RUNTIME, EXIT_USAGE, EXIT_PREFLIGHT, EXIT_PERMISSION = 1, 2, 4, 6
HANDFAST = os.environ.get("HANDFAST", "handfast")
NAME = f"hfd{os.getpid()}"
CLIENT4, ENGINE4 = "10.9.0.1", "10.9.0.2"
CLIENT6, ENGINE6 = "fd00:9::1", "fd00:9::2"

CONFIGURATION = """\
engine:
  instance: {name}
  workers: auto
  memory: auto
  idle: sleep
ports:
  - name: lan
    device: tap:{name}
    addresses: [{engine4}/24, "{engine6}/64"]
services:
  - name: web
    listen: ["{engine4}:80", "[{engine6}]:80"]
    mode: respond
    reply: http
    body_size: 1KiB
"""

IN_FLIGHT = 256         # handshakes at a time of the crowd; those done stay open
CROWD_PATIENCE_S = 20   # without any progress
LIVE_INTERVAL_S = 0.5


class Trouble(Exception):
    """The demo cannot go on; says why and what to do."""

    def __init__(self, text: str, code: int = EXIT_RUNTIME):
        super().__init__(text)
        self.code = code


class Stopped(Exception):
    """A signal asked us to stop."""


class Paint:
    """Colours on a terminal, nothing elsewhere."""

    on = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    @classmethod
    def bold(cls, text: str) -> str:
        """Text that stands out."""
        return f"\033[1m{text}\033[0m" if cls.on else text

    @classmethod
    def verdict(cls, good: bool, text: str) -> str:
        """Green or red."""
        return f"\033[{32 if good else 31}m{text}\033[0m" if cls.on else text


def command(*argv: object, timeout: float = 120) -> subprocess.CompletedProcess:
    """Run a command to its end, keeping what it says."""
    return subprocess.run([str(word) for word in argv], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=timeout, check=False)


def must(*argv: object) -> None:
    """Run a command that has to succeed."""
    done = command(*argv)
    if done.returncode:
        raise Trouble(f"{' '.join(map(str, argv))}: {done.stderr.strip()}")


def thousands(number: float) -> str:
    """12345.6 as 12,346."""
    return f"{number:,.0f}"


class Scene:
    """Namespaces, device and engine of the demo, and their removal."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix=f"{NAME}-"))
        self.engine_side, self.client_side = f"{NAME}e", f"{NAME}c"
        self.processes = []
        self.engine = None

    def log(self) -> str:
        """What the engine said."""
        with contextlib.suppress(OSError):
            return (self.folder / "engine.log").read_text(errors="replace")
        return ""

    def spawn(self, namespace: str, *argv: object, **more) -> subprocess.Popen:
        """A process inside a namespace; removed with the scene, if need be."""
        process = subprocess.Popen(["ip", "netns", "exec", namespace, *map(str, argv)],
                                   stdin=subprocess.DEVNULL, **more)
        self.processes.append(process)
        return process

    def client(self, *argv: object, timeout: float = 120) -> subprocess.CompletedProcess:
        """Run a client to its end."""
        return command("ip", "netns", "exec", self.client_side, *argv, timeout=timeout)

    def build(self) -> None:
        """Namespaces, engine, and the TAP moved to the client."""
        for namespace in (self.engine_side, self.client_side):
            must("ip", "netns", "add", namespace)
        configuration = self.folder / "demo.yaml"
        configuration.write_text(CONFIGURATION.format(name=NAME, engine4=ENGINE4,
                                                      engine6=ENGINE6))
        with open(self.folder / "engine.log", "w", encoding="utf-8") as log:
            # A process group of its own: Ctrl-C is for us, and we stop it in order.
            self.engine = self.spawn(self.engine_side, HANDFAST, "run", "-c", configuration,
                                     stdout=log, stderr=subprocess.STDOUT,
                                     start_new_session=True)
        end = time.monotonic() + 30
        while self.statistics() is None:
            if self.engine.poll() is not None:
                raise Trouble(f"the engine ended with code {self.engine.returncode}:\n"
                              f"{self.log()}\n'handfast doctor' may know why")
            if time.monotonic() > end:
                raise Trouble(f"the engine does not answer after 30 s:\n{self.log()}")
            time.sleep(0.1)
        must("ip", "-n", self.engine_side, "link", "set", NAME, "netns", self.client_side)
        must("ip", "-n", self.client_side, "link", "set", "lo", "up")
        must("ip", "-n", self.client_side, "link", "set", NAME, "up")
        must("ip", "-n", self.client_side, "addr", "add", f"{CLIENT4}/24", "dev", NAME)
        must("ip", "-n", self.client_side, "addr", "add", f"{CLIENT6}/64", "dev", NAME, "nodad")

    def statistics(self) -> dict:
        """What `handfast stats --json` says, or None while nobody answers."""
        with contextlib.suppress(ValueError, subprocess.TimeoutExpired):
            done = command(HANDFAST, "stats", "--json", "--instance", NAME, timeout=10)
            if done.returncode == 0:
                return json.loads(done.stdout)
        return None

    def stop_engine(self) -> int:
        """SIGTERM, and the exit code."""
        self.engine.send_signal(signal.SIGTERM)
        try:
            return self.engine.wait(20)
        except subprocess.TimeoutExpired:
            raise Trouble(f"the engine does not stop:\n{self.log()}") from None

    def remove(self) -> None:
        """Take everything down, by pid and by name, whatever state it is in."""
        for process in reversed(self.processes):
            with contextlib.suppress(Exception):
                if process.poll() is None:
                    process.terminate()
                    try:
                        process.wait(5)
                    except subprocess.TimeoutExpired:
                        process.kill()
                        process.wait(5)
        for namespace in (self.client_side, self.engine_side):
            command("ip", "netns", "del", namespace)
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(f"/var/run/dpdk/{NAME}", ignore_errors=True)


class Live:
    """The engine's statistics, shown while a client works: one line that renews itself."""

    def __init__(self, scene: Scene):
        self.scene, self.over = scene, threading.Event()
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
            now, moment = self.scene.statistics(), time.monotonic()
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

    def cells(self) -> list:
        """The columns as text."""
        def time_of(value: float) -> str:
            return "-" if value is None else f"{value:.2f} ms"
        return [self.step, thousands(self.requests), thousands(self.failures),
                "-" if self.handshakes is None else thousands(self.handshakes),
                time_of(self.p50_ms), time_of(self.p99_ms)]


def run_curl(scene: Scene, family: str, url: str) -> Row:
    """One page, by curl."""
    done = scene.client("curl", "-sS", "--max-time", "10", "-o", "/dev/null", "-w",
                        "%{http_code} %{size_download} %{time_total}", url)
    print(f"     curl {url}")
    good = done.returncode == 0 and done.stdout.startswith("200 1024 ")
    if good:
        seconds = float(done.stdout.split()[2])
        print(f"       HTTP 200, 1024 bytes, {1000 * seconds:.1f} ms")
        return Row(f"curl over {family}", 1, 0, None, 1000 * seconds)
    print(f"       {done.stdout} {done.stderr.strip()}")
    return Row(f"curl over {family}", 1, 1)


def run_ab(scene: Scene, requests: int) -> Row:
    """A connection for every request, 50 at a time, by ab."""
    table = scene.folder / "ab.csv"
    argv = ["ab", "-q", "-n", requests, "-c", "50", "-e", table, f"http://{ENGINE4}/"]
    print("     ab -n", requests, "-c 50", argv[-1])
    with Live(scene):
        done = scene.client(*argv, timeout=300)
    said = done.stdout
    figures = {name: float(value) for name, value in re.findall(
        r"^(Complete requests|Failed requests|Non-2xx responses|Time taken for tests):"
        r"\s+([\d.]+)", said, re.MULTILINE)}
    complete = int(figures.get("Complete requests", 0))
    failures = requests - complete + int(figures.get("Failed requests", 0)) \
        + int(figures.get("Non-2xx responses", 0))
    if done.returncode or failures:
        print(done.stderr.strip() or said.strip())
        return Row("ab, 50 at a time", requests, max(failures, 1))
    with open(table, encoding="utf-8") as file:
        percentile = {row[0]: float(row[1]) for row in list(csv.reader(file))[1:]}
    seconds = figures["Time taken for tests"]
    return Row("ab, 50 at a time", complete, 0, complete / seconds, percentile["50"],
               percentile["99"])


def run_crowd(scene: Scene, connections: int) -> Row:
    """Thousands of connections that are all open at the same time, by the kernel."""
    print(f"     {thousands(connections)} connections of the Linux kernel, all open at once,"
          " then a page for each")
    with Live(scene):
        done = scene.client(sys.executable, __file__, "--crowd", connections, timeout=300)
    if done.returncode or not done.stdout:
        raise Trouble(f"the crowd failed: {done.stderr.strip()}")
    figures = json.loads(done.stdout)
    if figures["first_failure"]:
        print(f"       first failure: {figures['first_failure']}")
    return Row(f"{thousands(connections)} open at once", connections,
               connections - figures["answered"], figures["opened"] / figures["seconds"],
               figures["p50_ms"], figures["p99_ms"])


class Crowd:
    """What --crowd runs inside the client's namespace: opens, asks, counts, prints JSON."""

    def __init__(self, count: int):
        self.count, self.started, self.connecting = count, 0, 0
        self.opened, self.answered, self.failed = {}, 0, 0
        self.times, self.first_failure = [], ""
        self.selector = selectors.DefaultSelector()

    def fail(self, client: socket.socket, why: str) -> None:
        """One connection less."""
        self.failed += 1
        self.first_failure = self.first_failure or why
        with contextlib.suppress(KeyError, ValueError):
            self.selector.unregister(client)
        client.close()

    def start_one(self) -> None:
        """Send a SYN."""
        client = socket.socket()
        client.setblocking(False)
        self.started += 1
        began = time.perf_counter()
        code = client.connect_ex((ENGINE4, 80))
        if code not in (0, errno.EINPROGRESS):
            self.fail(client, os.strerror(code))
            return
        self.connecting += 1
        self.selector.register(client, selectors.EVENT_WRITE, began)

    def open_all(self) -> float:
        """Open every connection and keep it; the seconds it took."""
        began = time.perf_counter()
        while len(self.opened) + self.failed < self.count:
            while self.started < self.count and self.connecting < IN_FLIGHT:
                self.start_one()
            ready = self.selector.select(CROWD_PATIENCE_S)
            if not ready:
                self.first_failure = self.first_failure or "handshakes without an end"
                break
            now = time.perf_counter()
            for key, _ in ready:
                client = key.fileobj
                self.connecting -= 1
                code = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code:
                    self.fail(client, os.strerror(code))
                    continue
                self.times.append(1000 * (now - key.data))
                self.selector.unregister(client)
                self.opened[client] = True
        return time.perf_counter() - began

    def ask_all(self) -> None:
        """A page for each, and the end of each."""
        for client in self.opened:
            try:
                client.send(b"GET / HTTP/1.0\r\n\r\n")
                self.selector.register(client, selectors.EVENT_READ, bytearray())
            except OSError as error:
                self.fail(client, str(error))
        while self.answered + self.failed < self.count:
            ready = self.selector.select(CROWD_PATIENCE_S)
            if not ready:
                self.first_failure = self.first_failure or "pages without an end"
                break
            for key, _ in ready:
                self.read(key.fileobj, key.data)

    def read(self, client: socket.socket, page: bytearray) -> None:
        """Collect a page up to the server's FIN."""
        try:
            piece = client.recv(8192)
        except OSError as error:
            self.fail(client, str(error))
            return
        page += piece
        if piece:
            return
        head, _, body = page.partition(b"\r\n\r\n")
        if b" 200 " in head[:20] and len(body) == 1024:
            self.answered += 1
            self.selector.unregister(client)
            client.close()
        else:
            self.fail(client, f"a page of {len(body)} bytes")

    def run(self) -> None:
        """Everything, and the figures on standard output."""
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = self.count + 100
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
        seconds = self.open_all()
        self.ask_all()
        times = sorted(self.times) or [0.0]
        print(json.dumps({"opened": len(self.opened), "answered": self.answered,
                          "seconds": seconds, "p50_ms": times[len(times) // 2],
                          "p99_ms": times[len(times) * 99 // 100],
                          "first_failure": self.first_failure}))


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


def look_first() -> None:
    """What the demo needs, checked before anything is made."""
    if os.geteuid() != 0:
        raise Trouble("the demo makes network namespaces and a TAP device, which needs root:\n"
                      "  sudo ./run          (or: sudo handfast demo)", EXIT_PERMISSION)
    missing = [package for program, package in
               (("ip", "iproute2"), ("curl", "curl"), ("ab", "apache2-utils"))
               if shutil.which(program) is None]
    if missing:
        raise Trouble(f"to install what is missing: apt-get install {' '.join(missing)}",
                      EXIT_PREFLIGHT)
    if not os.path.exists("/dev/net/tun"):
        raise Trouble("/dev/net/tun is missing, so there are no TAP devices; in a container start"
                      " it with\n  --device /dev/net/tun --cap-add NET_ADMIN,SYS_ADMIN",
                      EXIT_PREFLIGHT)
    if shutil.which(HANDFAST) is None:
        raise Trouble(f"{HANDFAST} is no program: HANDFAST should say where handfast is",
                      EXIT_PREFLIGHT)


def show(scene: Scene, requests: int, connections: int) -> list:
    """The whole performance; returns what went wrong."""
    print(Paint.bold("  1  the scene"))
    print(f"     engine on TAP device {NAME}, {ENGINE4} and {ENGINE6};"
          f"\n     clients in network namespace {scene.client_side}, {CLIENT4} and {CLIENT6};"
          "\n     nothing of this machine's own network is used")
    scene.build()
    info = scene.statistics()["info"]
    print(f"     running: handfast {info.get('version', '')}, workers: {info.get('workers', '?')}")

    print(Paint.bold("\n  2  one page"))
    rows = [run_curl(scene, "IPv4", f"http://{ENGINE4}/"),
            run_curl(scene, "IPv6", f"http://[{ENGINE6}]/")]
    print(Paint.bold("\n  3  many connections, one after the other"))
    rows.append(run_ab(scene, requests))
    print(Paint.bold("\n  4  many connections at once"))
    rows.append(run_crowd(scene, connections))

    print_table(rows)
    time.sleep(0.5)
    wrong = [f"{row.step}: {row.failures} failures" for row in rows if row.failures]
    wrong += print_engine(scene.statistics())
    code = scene.stop_engine()
    if code:
        wrong.append(f"the engine's exit code is {code}:\n{scene.log()}")
    return wrong


def stopped(number, _frame):
    """A signal ends the demo in order."""
    raise Stopped(signal.Signals(number).name)


def perform(requests: int, connections: int) -> int:
    """Build, show, remove; the exit code."""
    sys.stdout.reconfigure(line_buffering=True)
    try:
        look_first()
    except Trouble as trouble:
        print(f"demo: {trouble}", file=sys.stderr)
        return trouble.code
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stopped)
    scene = Scene()
    try:
        wrong = show(scene, requests, connections)
    except Stopped as why:
        print(f"\ndemo: stopped by {why}; removing everything", file=sys.stderr)
        return EXIT_RUNTIME
    except (Trouble, subprocess.TimeoutExpired) as trouble:
        print(f"\ndemo: {trouble}", file=sys.stderr)
        return getattr(trouble, "code", EXIT_RUNTIME)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        scene.remove()
    for line in wrong:
        print(Paint.verdict(False, f"\n  failed: {line}"))
    if wrong:
        return EXIT_RUNTIME
    print(Paint.verdict(True, "\n  Everything worked, and everything is removed again."))
    print("  Next: config/responder.yaml is such a responder for you to change;"
          "\n        ./run check config/responder.yaml reads it, ./run --help lists the rest.")
    return 0


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="handfast demo", description=__doc__.split("\n\n")[0])
    parser.add_argument("--requests", type=int, default=20000, metavar="N",
                        help="requests of ab (default 20000)")
    parser.add_argument("--connections", type=int, default=4000, metavar="N",
                        help="connections open at once (default 4000)")
    parser.add_argument("--crowd", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.crowd:
        Crowd(options.crowd).run()
        return 0
    if options.requests < 50 or not 1 <= options.connections <= 25000:
        parser.error("--requests is at least 50, --connections between 1 and 25000")
    return perform(options.requests, options.connections)


if __name__ == "__main__":
    sys.exit(main())
