#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""How close the engine's flood path comes to dpdk-testpmd's `5tswap` on the same port and core.

`5tswap` exchanges addresses and ports and looks at nothing else, so it is what a port and a core
can do at most when a packet is touched.  Both get the same frames from the same driver (net_pcap
with infinite_rx) on the same core, in turns (A-B-A-B), and are compared by the packets per second
of CPU time their worker got, so that a busy machine does less harm.

Every SYN is answered by a cookie, every forged ACK is refused by its MAC; all checksums are
verified and made in software.

  syn_ratio.py [--handfast PROGRAM] [--seconds S] [--rounds N] [--huge] [--json] [CASE...]

With --huge both have huge pages, which are reserved meanwhile: testpmd gains by them, since its
buffers then do not each begin a page any more; the engine's never do.
"""

import argparse
import contextlib
import ctypes
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "apps" / "handfast" / "bench"))

from processes import remove_run_time, run_time_folder  # noqa: E402  pylint: disable=C0413

FLOWS = 1024
ENGINE_MAC = bytes.fromhex("020000000902")
CLIENT_MAC = bytes.fromhex("020000000901")
ENGINE = {4: socket.inet_pton(socket.AF_INET, "10.9.0.2"),
          6: socket.inet_pton(socket.AF_INET6, "fd00:9::2")}
PREFIX = {4: socket.inet_pton(socket.AF_INET, "198.18.0.0")[:2],
          6: socket.inet_pton(socket.AF_INET6, "2001:2::")[:12]}
SYN, ACK = 0x02, 0x10

# Words that keep everybody else from the worker's core; see --in-front.
IN_FRONT = []

# Huge pages that one contestant may need, and where the kernel is asked for them.
HUGE_PAGES = 512
HUGE_PAGES_FILE = pathlib.Path("/proc/sys/vm/nr_hugepages")

# Name: IP version, flags, options of what is received.
CASES = {
    "syn4": (4, SYN, "linux"),
    "syn4-plain": (4, SYN, ""),
    "syn6": (6, SYN, "linux"),
    "syn6-plain": (6, SYN, ""),
    "forged-ack4": (4, ACK, "timestamps"),
    "forged-ack6": (6, ACK, "timestamps"),
}

CONFIG = """\
engine: {{instance: {name}, workers: [{core}], main_core: {main}, memory: {memory}, idle: spin,
         connections: 65536, secret: "{secret}"}}
ports:
  - name: flood
    device: "vdev:net_pcap0,rx_pcap={frames},infinite_rx=1"
    mac: 02:00:00:00:09:02
    addresses: [10.9.0.2/24, "fd00:9::2/64"]
    gateways: [10.9.0.1, "fd00:9::1"]
services:
  - {{name: web, listen: ["10.9.0.2:80", "[fd00:9::2]:80"], cookies: always}}
"""


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071) of an even number of bytes."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def options(layout: str, noise: random.Random) -> bytes:
    """TCP options as a Linux client sends them."""
    clock = noise.getrandbits(32)
    if layout == "linux":  # MSS, SACK-permitted, timestamps, NOP, window scale
        return struct.pack("!BBHBBBBIIBBBB", 2, 4, 1460, 4, 2, 8, 10, clock, 0, 1, 3, 3, 7)
    if layout == "timestamps":
        return struct.pack("!BBBBII", 1, 1, 8, 10, clock, noise.getrandbits(32))
    return b""


def frame(case: str, noise: random.Random) -> bytes:
    """One frame of a case; its source, port and numbers are like no other's."""
    family, flags, layout = CASES[case]
    source = PREFIX[family] + noise.randbytes(len(ENGINE[family]) - len(PREFIX[family]))
    text = options(layout, noise)
    length = 20 + len(text)
    tcp = struct.pack("!HHIIBBHHH", noise.randrange(1024, 65536), 80, noise.getrandbits(32),
                      noise.getrandbits(32) if flags & ACK else 0, length << 2, flags, 64240, 0,
                      0) + text
    pseudo = source + ENGINE[family] + struct.pack("!II", length, 6)
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    if family == 4:
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, noise.getrandbits(16), 0x4000, 64, 6,
                           0) + source + ENGINE[4]
        head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
        kind = 0x0800
    else:
        head = struct.pack("!IHBB", 6 << 28, length, 6, 64) + source + ENGINE[6]
        kind = 0x86dd
    return ENGINE_MAC + CLIENT_MAC + struct.pack("!H", kind) + head + tcp


def write_frames(file: pathlib.Path, case: str) -> None:
    """A capture of FLOWS frames."""
    noise = random.Random(case)
    with open(file, "wb") as out:
        out.write(struct.pack("=IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for _ in range(FLOWS):
            data = frame(case, noise)
            out.write(struct.pack("=IIII", 0, 0, len(data), len(data)) + data)


def change(before: dict, after: dict) -> dict:
    """What happened between two looks."""
    ns = max(after["threads"][thread] - ns for thread, ns in before["threads"].items())
    counters = {name: after["counters"][name] - n for name, n in before["counters"].items()
                if isinstance(n, int)}
    return {"packets": after["packets"] - before["packets"], "ns": ns,
            "share": ns / (after["clock"] - before["clock"]),
            "counters": {name: n for name, n in counters.items() if n}}


def die_with_parent() -> None:
    """In a child: a worker that spins in front of everybody must not outlive who watches it."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Contestant:
    """A running DPDK process whose worker is on one core."""

    def __init__(self, argv: list, name: str, command: str, counted: str):
        self.name, self.command, self.counted = name, command, counted
        self.said = tempfile.TemporaryFile()
        self.process = subprocess.Popen(argv, stdout=self.said, stderr=self.said,
                                        stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self.connect()
        except BaseException:
            self.end()
            raise

    def connect(self) -> None:
        """Wait for the telemetry socket, and for packets."""
        until = time.monotonic() + 20
        while True:
            try:
                self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                self.socket.settimeout(5)
                self.socket.connect(str(run_time_folder() / self.name / "dpdk_telemetry.v2"))
                self.socket.recv(4096)
                if self.counters()[self.counted] > 0:
                    return
            except (OSError, ValueError, KeyError, TypeError):
                self.socket.close()
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{self.name} does not run:\n{self.last_words()}")
            time.sleep(0.05)

    def last_words(self) -> str:
        """What it printed."""
        self.said.seek(0)
        return self.said.read().decode(errors="replace")

    def counters(self) -> dict:
        """All counters of the port."""
        self.socket.send(self.command.encode())
        return list(json.loads(self.socket.recv(65536)).values())[0]

    def thread_ns(self) -> dict:
        """CPU time of each thread so far."""
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task")
        return {task.name: int((task / "schedstat").read_text().split()[0])
                for task in tasks.iterdir()}

    def measure(self, seconds: float) -> dict:
        """Packets, CPU time and what the counters say of a while; and how fast its best parts were.

        Somebody else on the machine takes cache and memory, not only time, so besides the whole
        there is the ninth decile of the rates of its parts.
        """
        time.sleep(0.2)
        looks = [self.look()]
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(0.05)
            looks.append(self.look())
        parts = [change(before, after) for before, after in zip(looks, looks[1:])]
        rates = sorted(part["packets"] / part["ns"] for part in parts)
        whole = change(looks[0], looks[-1])
        whole["best_ns_per_packet"] = 1 / rates[len(rates) * 9 // 10]
        return whole

    def look(self) -> dict:
        """What the counters and clocks say now."""
        try:
            counters = self.counters()
        except (OSError, ValueError) as problem:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(1)
            raise RuntimeError(f"{self.name} does not answer ({problem}), exit code "
                               f"{self.process.poll()}:\n{self.last_words()}") from None
        return {"packets": counters[self.counted], "counters": counters,
                "threads": self.thread_ns(), "clock": time.monotonic_ns()}

    def end(self) -> None:
        """Stop the process."""
        self.socket.close()
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        remove_run_time(self.name)
        self.said.close()


@contextlib.contextmanager
def huge_pages(wanted: bool):
    """Reserve huge pages, and give them back."""
    if not wanted:
        yield
        return
    before = HUGE_PAGES_FILE.read_text()
    try:
        HUGE_PAGES_FILE.write_text(f"{HUGE_PAGES}\n")
        if int(HUGE_PAGES_FILE.read_text()) < HUGE_PAGES:
            raise RuntimeError("the kernel has not so many huge pages: memory is in pieces")
        yield
    finally:
        HUGE_PAGES_FILE.write_text(before)


def start_engine(program: str, frames: pathlib.Path, core: int, main: int,
                 huge: bool) -> Contestant:
    """The engine, with a secret from a file so that every ACK's cookie is judged."""
    name = f"synratio{os.getpid()}"
    secret, config = frames.with_suffix(".secret"), frames.with_suffix(".yaml")
    secret.write_bytes(os.urandom(32))
    secret.chmod(0o600)
    config.write_text(CONFIG.format(name=name, core=core, main=main, secret=secret, frames=frames,
                                    memory="huge" if huge else "none"))
    return Contestant(IN_FRONT + [program, "run", "-c", str(config)], name,
                      "/handfast/counters,flood", "rx")


def start_testpmd(frames: pathlib.Path, core: int, main: int, huge: bool) -> Contestant:
    """dpdk-testpmd with 5tswap."""
    name = f"synlimit{os.getpid()}"
    # Its prompt ends at the end of its input; with a statistics period it runs until told.
    return Contestant(
        IN_FRONT + ["dpdk-testpmd", "-l", f"{main},{core}", "--no-pci", f"--file-prefix={name}",
                      *(["--in-memory"] if huge else ["--no-huge", "-m", "1024"]),
                      f"--vdev=net_pcap0,rx_pcap={frames},infinite_rx=1", "--",
                      "--forward-mode=5tswap", "--auto-start", "--stats-period", "60",
                      "--nb-cores=1", "--total-num-mbufs=16384"],
        name, "/ethdev/stats,0", "ipackets")


def check_answers(case: str, counters: dict) -> None:
    """The figures are worth nothing when packets went another way than they should."""
    rx = counters["rx"]
    wanted = "syn_cookies_sent" if CASES[case][1] == SYN else "syn_cookies_bad"
    if counters.get(wanted, 0) < rx * 0.99:
        raise RuntimeError(f"{case}: of {rx} packets not all are {wanted}: {counters}")


def measure_case(case: str, program: str, cores: tuple, rounds: int, seconds: float,
                 told=lambda text: None, huge: bool = False) -> dict:
    """Engine and testpmd in turns, over the same frames; medians of the rounds."""
    engine, limit = [], []
    with tempfile.TemporaryDirectory(prefix="handfast-syn-") as folder:
        frames = pathlib.Path(folder) / "frames.pcap"
        write_frames(frames, case)
        for number in range(rounds):
            for start, results in ((lambda: start_engine(program, frames, *cores, huge), engine),
                                   (lambda: start_testpmd(frames, *cores, huge), limit)):
                contestant = start()
                try:
                    results.append(contestant.measure(seconds))
                finally:
                    contestant.end()
            check_answers(case, engine[-1]["counters"])
            told(f"{case} {number + 1}/{rounds}: " + ", 5tswap ".join(
                f"{results[-1]['packets'] * 1e9 / results[-1]['ns']:,.0f}/s"
                for results in (engine, limit)))
    each, limit_each = ([run["ns"] / run["packets"] for run in runs] for runs in (engine, limit))
    ns, limit_ns = statistics.median(each), statistics.median(limit_each)
    # Of each round's two, which the machine disturbed alike.
    ratios = [theirs / ours for ours, theirs in zip(each, limit_each)]
    best_ns = min(run["best_ns_per_packet"] for run in engine)
    limit_best_ns = min(run["best_ns_per_packet"] for run in limit)
    return {"case": case, "pps": round(1e9 / ns), "ns_per_packet": round(ns, 2),
            "limit_pps": round(1e9 / limit_ns), "limit_ns_per_packet": round(limit_ns, 2),
            "pps_runs": [round(1e9 / one) for one in each],
            "limit_pps_runs": [round(1e9 / one) for one in limit_each],
            "ratio": round(statistics.median(ratios), 3), "ratio_runs": ratios, "best_ns_per_packet": round(best_ns, 2),
            "limit_best_ns_per_packet": round(limit_best_ns, 2),
            "best_ratio": round(limit_best_ns / best_ns, 3),
            "core_share": round(min(run["share"] for run in engine + limit), 2)}


def table(results: list) -> str:
    """The results for people."""
    lines = [f"{'case':<14}{'Mpps':>8}{'ns/packet':>11}{'5tswap Mpps':>13}{'ns/packet':>11}"
             f"{'ratio':>8}{'best ns':>9}{'best ratio':>12}{'core':>7}"]
    for one in results:
        lines.append(f"{one['case']:<14}{one['pps'] / 1e6:8.2f}{one['ns_per_packet']:11.1f}"
                     f"{one['limit_pps'] / 1e6:13.2f}{one['limit_ns_per_packet']:11.1f}"
                     f"{one['ratio']:8.3f}{one['best_ns_per_packet']:9.1f}"
                     f"{one['best_ratio']:12.3f}{one['core_share']:7.0%}")
    return "\n".join(lines)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case", nargs="*", help=" ".join(CASES) + "; all when none is given")
    parser.add_argument("--handfast", default=str(TOP / "build/apps/handfast/handfast"))
    parser.add_argument("--seconds", type=float, default=1.0, help="of each run")
    parser.add_argument("--rounds", type=int, default=3, help="of each case")
    parser.add_argument("--core", type=int, default=1, help="the worker's")
    parser.add_argument("--main-core", type=int, default=0)
    parser.add_argument("--huge", action="store_true", help="pages, for both")
    parser.add_argument("--in-front", action="store_true",
                        help="by a real-time class; starves whoever else needs the cores")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if set(asked.case) - set(CASES):
        parser.error("there are the cases " + " ".join(CASES))
    if shutil.which("dpdk-testpmd") is None:
        print("syn_ratio: dpdk-testpmd is not installed (package dpdk-dev)", file=sys.stderr)
        return 77
    if asked.in_front:
        IN_FRONT.extend(["chrt", "-f", "10"])
    results = []
    with huge_pages(asked.huge):
        for case in asked.case or CASES:
            results.append(measure_case(case, asked.handfast, (asked.core, asked.main_core),
                                        asked.rounds, asked.seconds, huge=asked.huge))
            if asked.json:
                print(json.dumps(results[-1]), flush=True)
    if not asked.json:
        print(table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
