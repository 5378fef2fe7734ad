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
import json
import os
import pathlib
import random
import shutil
import socket
import statistics
import struct
import sys
import time

sys.dont_write_bytecode = True
TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "apps" / "handfast" / "bench"))

from cases import twice  # noqa: E402  pylint: disable=wrong-import-position
from machine import Gone, Trouble  # noqa: E402  pylint: disable=wrong-import-position
from processes import Bench, Dpdk  # noqa: E402  pylint: disable=wrong-import-position

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
# Seconds until the first packet, at most.
PACKETS_WITHIN = 20

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
engine: {{instance: {name}, workers: [{core}], main_core: {main}, memory: {memory}, idle: {idle},
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
    spent = Dpdk.spent(before, after)
    counters = {name: after["counters"][name] - n for name, n in before["counters"].items()
                if isinstance(n, int)}
    return {"packets": after["packets"] - before["packets"], "ns": spent["cpu_ns"],
            "share": spent["share"],
            "counters": {name: n for name, n in counters.items() if n}}


class Contestant(Dpdk):
    """A running DPDK process whose worker is on one core, and to which packets come."""

    def __init__(self, bench: Bench, argv: list, name: str, command: str, counted: str):
        self.command, self.counted = command, counted
        super().__init__(bench, [*IN_FRONT, *argv], name, command)
        until = time.monotonic() + PACKETS_WITHIN
        while not self.look()["packets"]:
            if time.monotonic() > until:
                raise Trouble(f"{name} gets no packets: {self.last_words()}")
            time.sleep(0.05)

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
        counters = self.ask(self.command)
        if not counters:  # Its port is closed already: it ends.
            raise Gone(f"{self.name} has no counters any more: {self.last_words()}")
        return {"packets": counters.get(self.counted, 0), "counters": counters,
                **self.snapshot()}


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
            raise Trouble("the kernel has not so many huge pages: memory is in pieces")
        yield
    finally:
        HUGE_PAGES_FILE.write_text(before)


def start_engine(bench: Bench, program: str, frames: pathlib.Path, huge: bool) -> Contestant:
    """The engine, with a secret from a file so that every ACK's cookie is judged."""
    name, core = bench.name(), bench.cores[0]
    secret, config = frames.with_suffix(".secret"), frames.with_suffix(".yaml")
    secret.write_bytes(os.urandom(32))
    secret.chmod(0o600)
    config.write_text(CONFIG.format(name=name, core=core, main=bench.main_core(core),
                                    idle=bench.idle, secret=secret, frames=frames,
                                    memory="huge" if huge else "none"))
    return Contestant(bench, [program, "run", "-c", config], name, "/handfast/counters,flood", "rx")


def start_testpmd(bench: Bench, frames: pathlib.Path, huge: bool) -> Contestant:
    """dpdk-testpmd with 5tswap."""
    name, (core, main) = bench.name(), bench.cores
    # Its prompt ends at the end of its input; with a statistics period it runs until told.  It
    # wants another lcore for that than the worker's, which --lcores gives it on the same core, too.
    return Contestant(
        bench, ["dpdk-testpmd", "--lcores", f"0@{main},1@{core}", "--no-pci",
                f"--file-prefix={name}",
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
        raise Trouble(f"{case}: of {rx} packets not all are {wanted}: {counters}")


def run_once(bench: Bench, start, seconds: float) -> dict:
    """One contestant from start to end."""
    def run() -> dict:
        done = start().measure(seconds)
        bench.end_all()
        return done
    return twice(bench, run)


def measure_case(bench: Bench, case: str, program: str, rounds: int, seconds: float,
                 huge: bool = False):
    """Engine and testpmd in turns, over the same frames: both, after each round."""
    frames = bench.folder / f"{case}.pcap"
    write_frames(frames, case)
    for number in range(rounds):
        bench.turn = f"{case}, repetition {number + 1} of {rounds}"
        engine = run_once(bench, lambda: start_engine(bench, program, frames, huge), seconds)
        check_answers(case, engine["counters"])
        yield engine, run_once(bench, lambda: start_testpmd(bench, frames, huge), seconds)


def rates(pair: tuple) -> str:
    """Of a round, for people."""
    return ", 5tswap ".join(f"{run['packets'] * 1e9 / run['ns']:,.0f}/s" for run in pair)


def summarise(case: str, pairs: list) -> dict:
    """Medians of the rounds."""
    engine, limit = zip(*pairs)
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
            "ratio": round(statistics.median(ratios), 3), "ratio_runs": ratios,
            "best_ns_per_packet": round(best_ns, 2),
            "limit_best_ns_per_packet": round(limit_best_ns, 2),
            "best_ratio": round(limit_best_ns / best_ns, 3),
            "core_share": round(min(run["share"] for run in engine + limit), 2),
            "repeated": sum(run.get("repeated", False) for run in engine + limit)}


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


def measure(asked) -> int:
    """All cases, told as they are asked for; the exit code says whether nobody crashed meanwhile."""
    results = []
    with huge_pages(asked.huge), Bench((asked.core, asked.main_core), "none") as bench:
        for case in asked.case or CASES:
            results.append(summarise(case, list(measure_case(
                bench, case, asked.handfast, asked.rounds, asked.seconds, asked.huge))))
            if asked.json:
                print(json.dumps(results[-1]), flush=True)
    if not asked.json:
        print(table(results))
    return 1 if bench.accidents else 0


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
    try:
        return measure(asked)
    except Trouble as trouble:
        print(f"syn_ratio: {trouble}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
