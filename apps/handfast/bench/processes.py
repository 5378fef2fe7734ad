# SPDX-License-Identifier: BSD-3-Clause
"""The processes of a benchmark: engines, generators and testpmd, and what they say of themselves."""

import contextlib
import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from machine import Gone, Trouble, free_huge_mib, in_front, program
from pace import progress, undisturbed

CLIENT, SERVER = "10.9.0.1", "10.9.0.2"
SOURCES = "10.9.128.0/17"
ENGINE_MAC, BACK_MAC, SERVER_MAC = ("02:00:00:00:09:02", "02:00:00:00:08:02", "02:00:00:00:08:03")
WILD, WILD_SOURCES = "10.7.0.2", "10.7.128.0/17"
RING, RING_MOST = 10, 14  # A memif's places, as powers of two: by default, at most.
HUGE_MIB = 1024  # More than an engine or testpmd wants here, unless it holds millions.
TIME_WAIT, TIME_WAIT_LONG = 262144, 4194304
# What an engine's end of the memif is: what lends its buffers must be the client.
COPIED, LENT = "role=server", "role=client,zero-copy=yes"
# Seconds that a process may take to listen, and another one to come.
PATIENCE = 30
TERMINAL = re.compile(r"\x1b\[[0-9;?]*[@-~]")
_LIBC = ctypes.CDLL(None, use_errno=True)


def run_time_folder() -> Path:
    """Where DPDK of this user keeps its sockets; as apps/handfast/telemetry_client.c has it."""
    base = os.environ.get("RUNTIME_DIRECTORY") or ("/var/run" if os.geteuid() == 0 else
                                                   os.environ.get("XDG_RUNTIME_DIR", "/tmp"))
    return Path(base) / "dpdk"


def remove_run_time(name: str) -> None:
    """What DPDK left of a process that has ended: without hugepages testpmd leaves megabytes."""
    shutil.rmtree(run_time_folder() / name, ignore_errors=True)


def ring_size(concurrency: int) -> int:
    """Places, as a power of two, for what so many connections may have under way at once."""
    return min(max((2 * concurrency - 1).bit_length(), RING), RING_MOST)


def time_wait(concurrency: int) -> int:
    """How many connections TIME_WAIT has to remember.

    What does not fit the rings may be lost, and comes again 200 ms later.  A connection that was
    closed before has to be known yet, or its peer is reset: at millions a second it takes more
    than the usual number to know it so long.
    """
    return TIME_WAIT if 2 * concurrency <= 1 << RING else TIME_WAIT_LONG


def _child() -> None:
    """In a child: end with us."""
    _LIBC.prctl(1, signal.SIGKILL)


class Process:
    """A running program, and its end, which is the benchmark's at the latest."""

    def __init__(self, bench: "Bench", argv: list, name: str):
        self.bench, self.name, self.log = bench, name, bench.folder / f"{name}.log"
        self.may_end = False  # Until somebody wants it to end or waits for that.
        with open(self.log, "wb") as log, undisturbed():
            self.process = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, preexec_fn=_child)
            bench.running.append(self)

    def said(self) -> str:
        """What it printed, without what moves a terminal's cursor or clears it."""
        return TERMINAL.sub("", self.log.read_text(errors="replace"))

    def last_words(self) -> str:
        """How it ended, or that it did not, and what it printed last; it has ended then."""
        code = self.process.poll()
        self.end()
        how = "it did not end by itself" if code is None else f"exit code {code}"
        if code is not None and code < 0:
            how += f" ({signal.Signals(-code).name})"
        said = self.said()[-2000:].strip()
        return f"{how}, its last words:\n{said}" if said else f"{how}, it printed nothing"

    def threads(self) -> dict:
        """Nanoseconds of CPU time of each thread; DPDK's for telemetry may end meanwhile."""
        times = {}
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                times[task.name] = int((task / "schedstat").read_text().split()[0])
        return times

    def rss_kib(self) -> int:
        """Resident memory, of which the kernel counts hugepages apart."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines
                   if line.startswith(("VmRSS:", "HugetlbPages:")))

    def end(self) -> None:
        """Ask it to end, then make it."""
        if self.process.poll() is None:
            self.may_end = True
            self.process.terminate()
            try:
                self.process.wait(1)
            except subprocess.TimeoutExpired:
                self.process.terminate()
                try:
                    self.process.wait(4)
                except subprocess.TimeoutExpired:
                    self.process.kill()
                    self.process.wait()


class Telemetry:
    """Questions to a DPDK process."""

    def __init__(self, name: str):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(10)
        self.socket.connect(str(run_time_folder() / name / "dpdk_telemetry.v2"))
        self.socket.recv(16384)

    def ask(self, command: str):
        """The value that a command answers with."""
        self.socket.send(command.encode())
        return list(json.loads(self.socket.recv(65536)).values())[0]


class Dpdk(Process):
    """A DPDK process that answers telemetry."""

    def __init__(self, bench: "Bench", argv: list, name: str, probe: str, wait: bool = True):
        super().__init__(bench, argv, name)
        if wait:
            self.await_answer(probe)

    def await_answer(self, probe: str) -> None:
        """Until it says something of itself."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                self.telemetry = Telemetry(self.name)
                if self.telemetry.ask(probe):
                    return
            except (OSError, ValueError):
                pass
            code = self.process.poll()
            if code is not None or time.monotonic() > until:
                self.may_end = True  # It is told here.
                kind = Gone if code is not None and code < 0 else Trouble
                raise kind(f"{self.name} does not run: {self.last_words()}")
            time.sleep(0.02)

    def ask(self, command: str):
        """The value that a telemetry command answers with."""
        try:
            return self.telemetry.ask(command)
        except (OSError, ValueError) as problem:  # Who ends amid a question answers nothing.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(1)
            raise Gone(f"{self.name} does not answer ({problem}): "
                       f"{self.last_words()}") from None

    def snapshot(self) -> dict:
        """CPU time, and the clock."""
        return {"clock": time.monotonic_ns(), "threads": self.threads()}

    @staticmethod
    def spent(before: dict, after: dict) -> dict:
        """What the busiest thread used between two snapshots."""
        ns = max(after["threads"][thread] - before["threads"].get(thread, 0)
                 for thread in after["threads"])
        return {"cpu_ns": ns, "share": ns / (after["clock"] - before["clock"])}


class Engine(Dpdk):
    """`handfast run` with a configuration."""

    def __init__(self, bench: "Bench", text: str, core: int, main_core: object, path: str = "",
                 wait: bool = True, link: str = COPIED):
        name = bench.name()
        config = bench.folder / f"{name}.yaml"
        config.write_text(text.format(name=name, core=core, main=main_core, memory=bench.memory,
                                      folder=bench.folder, idle=bench.idle, link=link,
                                      connections=bench.connections,
                                      ring=bench.ring, backlog=bench.backlog,
                                      time_wait=max(bench.time_wait, bench.connections)))
        super().__init__(bench, [*bench.front, path or os.environ["HANDFAST"], "run", "-c",
                                 config], name, "/handfast/info", wait)
        self.tsc_hz = self.ask("/handfast/info")["tsc_hz"] if wait else 0

    def snapshot(self) -> dict:
        """CPU time, counters and busy time as well."""
        workers = self.ask("/handfast/workers").values()
        return {**super().snapshot(), "counters": self.ask("/handfast/counters"),
                "busy_us": sum(worker["busy_us"] for worker in workers)}

    def spent(self, before: dict, after: dict) -> dict:  # pylint: disable=arguments-differ
        """The differences."""
        counters = {name: value - before["counters"][name]
                    for name, value in after["counters"].items()
                    if value != before["counters"][name]}
        spent = Dpdk.spent(before, after)
        # Busy time is by the clock; what others took of the core meanwhile is not ours.  Who
        # yields the core gives it away while there is nothing to do, too.
        busy_us = after["busy_us"] - before["busy_us"]
        own_us = (min(busy_us, spent["cpu_ns"] / 1000) if self.bench.idle == "yield"
                  else busy_us * min(1.0, spent["share"]))
        return {**spent, "counters": counters, "busy_us": own_us, "rss_kib": self.rss_kib()}


class Load(Process):
    """handfast-load, left running; its JSON lines at the end."""

    def __init__(self, bench: "Bench", socket_name: str, role: str, *words: object):
        name, core = bench.name(), bench.cores[1]
        self.out = bench.folder / f"{name}.json"
        argv = [*bench.front, program("handfast-load"), "--port",
                f"memif:role={role},id=0,socket={bench.folder}/{socket_name},socket-abstract=no",
                "--workers", f"[{core}]", "--main-core", bench.main_core(core), "--memory",
                bench.memory, "--idle", bench.load_idle, "--instance", name, "--json", "--quiet",
                *words]
        super().__init__(bench, ["sh", "-c", 'out=$1; shift; exec "$@" >"$out"', "sh", self.out,
                                 *argv], name)

    def result(self, patience: float) -> dict:
        """The last line, with the seconds before it; Gone as soon as anybody else ends."""
        until, self.may_end = time.monotonic() + patience, True
        while self.process.poll() is None:
            self.bench.all_run()
            if time.monotonic() > until:
                raise Trouble(f"handfast-load does not end: {self.last_words()}")
            time.sleep(0.02)
        self.bench.all_run()
        if self.process.returncode < 0:
            raise Gone(f"handfast-load: {self.last_words()}")
        try:
            lines = [json.loads(line) for line in self.out.read_text().splitlines()]
        except ValueError as problem:
            raise Trouble(f"handfast-load's figures are cut off: {problem}") from None
        if not lines or lines[-1]["type"] != "end":
            raise Trouble(f"handfast-load: {self.last_words()}")
        # The last one may be so short that its rate says nothing.
        return {**lines[-1], "series": [line for line in lines if line["type"] == "second"
                                        and line["seconds"] > 0.5]}


class Testpmd(Dpdk):
    """dpdk-testpmd on a memif of its own making."""

    def __init__(self, bench: "Bench", socket_name: str, mode: str):
        if shutil.which("dpdk-testpmd") is None:
            raise Trouble("dpdk-testpmd is not installed (Debian: dpdk-dev)")
        name = bench.name()
        memory = ["--in-memory"] if bench.hugepages else ["--no-huge", "-m", "512"]
        super().__init__(
            bench,
            [*bench.front, "dpdk-testpmd", "--lcores", f"0@{bench.cores[1]},1@{bench.cores[0]}",
             *memory, "--no-pci", f"--file-prefix={name}", "--vdev",
             f"net_memif0,role=server,id=0,socket={bench.folder}/{socket_name},socket-abstract=no",
             "--", f"--forward-mode={mode}", "--auto-start", "--stats-period", "60",
             "--nb-cores=1", "--total-num-mbufs=16384", "--disable-link-check"],
            name, "/ethdev/list")

    def received(self) -> int:
        """Packets taken from the port."""
        return self.ask("/ethdev/stats,0")["ipackets"]


class Bench(contextlib.AbstractContextManager):
    """What all processes of a benchmark share, and the end of all of them."""

    def __init__(self, cores: tuple, memory: str, connections: int = 262144, lends: bool = False,
                 concurrency: int = 1):
        self.cores, self.memory, self.connections = cores, memory, connections
        # What the engine decides by itself for memory=auto, testpmd has to be told.
        self.hugepages = memory == "huge" or (memory == "auto" and free_huge_mib() >= HUGE_MIB)
        self.lends = lends  # Whether engines that can do so lend their buffers to the generator.
        self.ring, self.time_wait = ring_size(concurrency), time_wait(concurrency)
        # The engine's own default, but that cookies do not come in where nobody floods.
        self.backlog = max(4096, 2 * concurrency)
        self.folder = Path(tempfile.mkdtemp(prefix="handfast-bench-"))
        self.front = in_front()
        # Who spins on one core that is also the other's would only steal from it, and who naps
        # has it wait.
        self.one_core = cores[0] == cores[1]
        self.idle = "yield" if self.one_core else "spin"
        self.load_idle = "yield" if self.one_core else "pause"
        self.count, self.running, self.names = 0, [], []
        self.turn, self.accidents = "", []  # What is being measured; what went wrong.

    def name(self) -> str:
        """A name nobody else has."""
        self.count += 1
        self.names.append(f"hfb{os.getpid()}-{self.count}")
        return self.names[-1]

    def engine(self, text: str, **more) -> Engine:
        """Start an engine on the engine's core."""
        core = more.pop("core", self.cores[0])
        return Engine(self, text, core, self.main_core(core), **more)

    def main_core(self, core: int) -> object:
        """Of a process with this worker: the other one.  Of one core only auto takes the worker's."""
        if self.one_core:
            return "auto"
        return self.cores[1] if core == self.cores[0] else self.cores[0]

    def load(self, *words: object, socket_name: str = "a.sock", ring: int = RING) -> Load:
        """Start a generator on the generator's core."""
        return Load(self, socket_name, f"client,rsize={ring}", *words)

    def listening_load(self, *words: object) -> Load:
        """The same for an engine that is the memif's client, and to be started then."""
        load = Load(self, "a.sock", "server", *words)
        self.await_socket(load)
        return load

    def await_socket(self, process: Process) -> None:
        """Wait until a process listens for the memif's client."""
        until = time.monotonic() + PATIENCE
        while not self.listens("a.sock"):
            if process.process.poll() is not None or time.monotonic() > until:
                raise Trouble(f"{process.name} does not listen: {process.last_words()}")
            time.sleep(0.02)

    def listens(self, socket_name: str) -> bool:
        """Whether somebody takes connections at a socket of the kernel's list of them."""
        path = f"{self.folder}/{socket_name}"
        # Number, references, protocol, flags: those of who listens, type, state, inode, path.
        return any(line.endswith(" " + path) and line.split()[3] == "00010000"
                   for line in Path("/proc/net/unix").read_text().splitlines())

    def all_run(self) -> None:
        """Gone when one has ended by itself: what the others then say is of no use."""
        for process in self.running:
            if process.process.poll() is not None and not process.may_end:
                raise Gone(f"{process.name} ended by itself: {process.last_words()}")

    def accident(self, text: object) -> None:
        """What went wrong while the rest is measured all the same; the results say it."""
        self.accidents.append(f"{self.turn}: {text}" if self.turn else str(text))
        progress(self.accidents[-1])

    def end_all(self) -> None:
        """End what runs, last things first."""
        # Nothing is forgotten before it is done: a signal may come amid this.
        while self.running:
            self.running[-1].end()
            self.running.pop()
        while self.names:
            remove_run_time(self.names[-1])
            self.names.pop()
        # testpmd leaves its socket behind now and then, where the next one could not listen.
        for left in self.folder.glob("*.sock"):
            left.unlink(missing_ok=True)

    def __exit__(self, *_unused) -> None:
        with undisturbed():
            self.end_all()
            shutil.rmtree(self.folder, ignore_errors=True)
