#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""handfast and dperf in the same places: generators and servers of both, crosswise, over memif.

    tests/bench/dperf.py --dperf PROGRAM [--rounds N] [--memory none|huge] [PAIR...]

Four pairs of generator and server take turns: dperf-dperf, dperf-handfast, handfast-dperf and
handfast-handfast.  Each connection is dperf's: SYN, SYN-ACK, ACK with a request of 85 bytes,
answer of 128 bytes with FIN, FIN-ACK, ACK; both are a closed loop of as many at once (dperf's `cc`).
The generator has one core, the server another, with the same rings for all.  Each server has the
memif that it is faster with: ours lends its buffers to the generator, which copies, unless --copy;
dperf's copies, as it took 735 cycles for a connection when it lent and 590 when it copied.  No
hugepages for anybody, unless --memory huge (then the machine must have them; what we lend is in
ordinary pages all the same).

dperf is not part of this project (https://github.com/baidu/dperf) and takes PCI addresses only.
What is named here must put the words of $DPERF_EAL before the `-a` words of its rte_eal_init() (in
dpdk_eal_init() of its src/dpdk.c); `port net_memif0 ...` then finds the port by its name.  Some
versions' src/config.c wants names as long as a PCI address, or `keepalive` beside `cc`: without those
checks it takes what is written here.  A DPDK without KNI, such as Debian's, must not define KNI_ENABLE.

What a dperf says of itself is by the second, so its share of a core is in whole per cent: cycles
of a dperf server are by that.  dperf's "failed" are its skErr and httpErr, "again" is synRt, pushRt,
finRt and ackRt; both by connections.  How long a cache line takes from one core to the other and
back is measured before and after each run: there is a table for cores that were near throughout,
and one for cores that were far.
"""

import argparse
import json
import os
import re
import statistics
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "apps" / "handfast" / "bench"))

import machine  # noqa: E402  pylint: disable=wrong-import-position
from cases import HEAD  # noqa: E402  pylint: disable=wrong-import-position
from machine import Trouble  # noqa: E402  pylint: disable=wrong-import-position
from processes import COPIED, LENT, Bench, Process  # noqa: E402  pylint: disable=C0413
from report import Table, number  # noqa: E402  pylint: disable=wrong-import-position

SKIP = 77
PAIRS = ("dperf-dperf", "dperf-handfast", "handfast-dperf", "handfast-handfast")
CLIENT, SERVER = "10.9.0.1", "10.9.0.2"
ADDRESSES = 191  # 10.9.128.1 and on: dperf wants two tuples for each connection per second.
SOURCES = "10.9.128.64/26,10.9.128.128/26"
AGAIN = ("synRt", "pushRt", "finRt", "ackRt")
FAILED = ("skErr", "httpErr")
# dperf measures the TSC for four seconds, then asks for its neighbour.
PATIENCE = 30
NEAR_NS = 200
WORD = re.compile(r"(\w+(?:\(us\))?) +([\d,.]+)")
COLOUR = re.compile("\x1b\\[[\\d;]*m")

DPERF = """\
mode        {mode}
cpu         {core}
duration    10m
tx_burst    {tx_burst}
port        net_memif0 {us} {them}
client      10.9.128.1 {addresses}
server      10.9.0.2 1
listen      80 1
"""

# What both servers answer is as long; so is what both generators ask for.
DPERF_SERVER = """\
payload_size 128
"""
PATH = "/" + "a" * 32

DPERF_CLIENT = """\
cps         {cps}
cc          {concurrency}
wait        1
slow_start  {slow_start}
"""

HANDFAST = HEAD + """\
services:
  - {{name: web, listen: "10.9.0.2:80", reply: http, body_size: 26, close: after_reply}}
"""


class Dperf(Process):
    """A dperf at one end of the memif."""

    def __init__(self, bench: Bench, asked, mode: str):
        name, server = bench.name(), mode == "server"
        us, them = (SERVER, CLIENT) if server else (CLIENT, SERVER)
        config = bench.folder / f"{name}.conf"
        text = DPERF + (DPERF_SERVER if server else DPERF_CLIENT)
        config.write_text(text.format(
            mode=mode, core=bench.cores[0 if server else 1], us=us, them=them,
            addresses=ADDRESSES, tx_burst=asked.tx_burst, cps=asked.cps,
            concurrency=asked.concurrency, slow_start=asked.slow_start))
        memory = "--in-memory" if asked.memory == "huge" else "--no-huge"
        # Of the memif the other one is the server where the server of connections lends.
        role = "server" if bench.lends else mode
        eal = (f"{memory} -m 2048 --no-pci --no-telemetry --file-prefix {name} --vdev net_memif0,"
               f"role={role},id=0,socket={bench.folder}/a.sock,socket-abstract=no")
        super().__init__(bench, [*bench.front, "env", f"DPERF_EAL={eal}", "stdbuf", "-oL",
                                 asked.dperf, "-c", config], name)

    def seconds(self) -> list:
        """What it said of each second that is over."""
        blocks = COLOUR.sub("", self.said()).split("\nseconds ")[1:]
        return [{word: float(value.replace(",", "")) for word, value in WORD.findall(block)}
                for block in blocks if "imissed" in block]

    def wait_for(self, count: int) -> None:
        """Wait until so many seconds are over."""
        until = time.monotonic() + PATIENCE + count
        while len(self.seconds()) < count:
            if self.process.poll() is not None or time.monotonic() > until:
                raise Trouble(f"dperf does not run:\n{self.said()[-2000:]}")
            time.sleep(0.02)

    def since(self, first: int, tsc_hz: int) -> dict:
        """The seconds from one on, added up."""
        seconds = self.seconds()[first:]
        if not seconds:
            raise Trouble("dperf said nothing of the measured seconds")

        def mean(*words):
            return sum(second[word] for second in seconds for word in words) / len(seconds)
        closed = mean("skClose")
        busy = mean("cpuUsage") / 100
        return {"rate": closed, "busy": busy, "failed": mean(*FAILED) * len(seconds),
                "again": mean(*AGAIN) / closed if closed else 0,
                "packets": mean("pktRx", "pktTx") / closed if closed else 0,
                "cycles": busy * tsc_hz / closed if closed else 0,
                "words": {word: round(mean(word)) for word in seconds[0]}}


def engine_between(engine, before: dict, after: dict) -> dict:
    """The same of an engine of ours."""
    spent = engine.spent(before, after)
    counters = spent["counters"]
    seconds = (after["clock"] - before["clock"]) / 1e9
    busy = spent["busy_us"]
    opened = counters.get("opened", 0)
    return {"rate": opened / seconds, "busy": busy / 1e6 / seconds,
            "cycles": busy * engine.tsc_hz / 1e6 / opened if opened else 0,
            "packets": (counters.get("rx", 0) + counters.get("tx", 0)) / opened if opened else 0,
            "counters": counters}


def start_server(bench: Bench, asked, name: str):
    """The server of a pair, once its end of the memif is there."""
    if name == "handfast":
        return bench.engine(HANDFAST, link=LENT if bench.lends else COPIED)
    server = Dperf(bench, asked, "server")
    bench.await_socket(server)
    time.sleep(0.3)
    return server


def await_load(server) -> None:
    """Wait until connections come; neighbours may have to be asked for more than once."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if isinstance(server, Dperf):
            coming = any(second["skOpen"] for second in server.seconds())
        else:
            coming = server.ask("/handfast/counters").get("opened", 0)
        if coming:
            time.sleep(0.5)
            return
        time.sleep(0.02)
    raise Trouble("no connection comes")


def served(server, asked) -> dict:
    """The measured seconds of a server; it is under load before them and after them."""
    if isinstance(server, Dperf):
        first = len(server.seconds()) + 1  # The second that runs is not wholly ours.
        server.wait_for(first + asked.seconds)
        return server.since(first, asked.tsc_hz)
    before = server.snapshot()
    time.sleep(asked.seconds)
    return engine_between(server, before, server.snapshot())


def start_load(bench: Bench, asked, name: str):
    """The generator of a pair."""
    if name == "dperf":
        client = Dperf(bench, asked, "client")
        if bench.lends:
            bench.await_socket(client)
            time.sleep(0.3)
        return client
    load = bench.listening_load if bench.lends else bench.load
    return load("--address", f"{CLIENT}/16", "--sources", SOURCES, "--target", f"{SERVER}:80",
                "--exchange", "request", "--path", PATH, "--concurrency", str(asked.concurrency),
                "--ramp-up", "500ms", "--duration", f"{asked.seconds + 4}s", "--resolve",
                f"{PATIENCE}s")


def by_dperf(asked, server, client: Dperf) -> dict:
    """dperf opens connections."""
    client.wait_for(1 + asked.slow_start + 1)
    first = len(client.seconds())
    at_server = served(server, asked)
    client.wait_for(first + asked.seconds)
    return {"generator": client.since(first, asked.tsc_hz), "server": at_server}


def by_handfast(asked, server, load) -> dict:
    """handfast-load opens connections."""
    await_load(server)
    at_server = served(server, asked)
    end = load.result(PATIENCE)
    done = max(1, end["done"])
    return {"server": at_server, "generator": {
        "rate": end["rate"], "busy": end["busy"], "failed": end["failures"],
        "again": (end["figures"]["syn_retransmits"] + end["figures"]["retransmits"]) / done,
        "packets": end["packets_per_connection_seen"], "figures": end["figures"],
        "latency_us": end["latency_us"]}}


def run_pair(bench: Bench, asked, pair: str) -> dict:
    """A generator and a server from start to end."""
    generator, server_name = pair.split("-")
    bench.lends = server_name == "handfast" and not asked.copy
    starts = [lambda: start_server(bench, asked, server_name),
              lambda: start_load(bench, asked, generator)]
    # Who listens for the memif's client is the first.
    started = [start() for start in (reversed(starts) if bench.lends else starts)]
    server, load = reversed(started) if bench.lends else started
    run = by_dperf if generator == "dperf" else by_handfast
    result = run(asked, server, load)
    bench.end_all()
    (bench.folder / "a.sock").unlink(missing_ok=True)
    return result


def distance(before_ns: float, after_ns: float) -> str:
    """How far a virtual machine's cores were from each other while a pair ran; they are moved."""
    kinds = {"near" if ns < NEAR_NS else "far" for ns in (before_ns, after_ns)}
    return kinds.pop() if len(kinds) == 1 else "first this, then that"


def show(results: dict) -> None:
    """A table of all pairs for each distance of the two cores."""
    for kind in sorted({run["distance"] for runs in results.values() for run in runs},
                       reverse=True):
        chosen = {pair: [run for run in runs if run["distance"] == kind]
                  for pair, runs in results.items()}
        took = [ns for runs in chosen.values() for run in runs for ns in run["core_to_core_ns"]]
        print(f"Cores {kind}: {min(took):.0f} to {max(took):.0f} ns there and back")
        show_pairs({pair: runs for pair, runs in chosen.items() if runs})


def show_pairs(results: dict) -> None:
    """A table of all pairs."""
    table = Table("generator-server", "runs", "per second", "quartiles", "packets/conn", "generator busy",
                  "server busy", "server cycles", "failed", "again")
    for pair, runs in results.items():
        rates = sorted(run["generator"]["rate"] for run in runs)
        low, middle, high = (rates[0], rates[0], rates[0]) if len(rates) == 1 else \
            statistics.quantiles(rates, n=4, method="inclusive")

        def median(side, word, runs=runs):
            return statistics.median(run[side][word] for run in runs)
        table.add(pair, len(runs), number(middle), f"{number(low)} .. {number(high)}",
                  f"{median('generator', 'packets'):.2f}",
                  f"{median('generator', 'busy'):.0%}", f"{median('server', 'busy'):.0%}",
                  number(median("server", "cycles")),
                  number(sum(run["generator"]["failed"] for run in runs)),
                  f"{median('generator', 'again'):.2%}")
    print(table.text(), flush=True)


def options() -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("pairs", nargs="*", metavar="PAIR", help=", ".join(PAIRS))
    parser.add_argument("--dperf", help="dperf that takes EAL arguments from $DPERF_EAL")
    parser.add_argument("--handfast", default=str(TOP / "build/apps/handfast/handfast"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--concurrency", type=int, default=512)
    parser.add_argument("--cps", default="6m", help="dperf's limit; half its tuples at most")
    parser.add_argument("--tx-burst", type=int, default=8, help="dperf's (8 is its default)")
    parser.add_argument("--slow-start", type=int, default=10, help="dperf's (10 is its least)")
    parser.add_argument("--memory", choices=("none", "huge"), default="none")
    parser.add_argument("--copy", action="store_true", help="our server lends no buffers")
    parser.add_argument("--cores", default="", help="server's, generator's")
    parser.add_argument("--json", help="file for all results")
    asked = parser.parse_args()
    for pair in asked.pairs:
        if pair not in PAIRS:
            parser.error(f"{pair} is none of {', '.join(PAIRS)}")
    asked.pairs = asked.pairs or list(PAIRS)
    return asked


def main() -> int:
    """Measure all pairs in turns."""
    asked = options()
    if not asked.dperf or not os.access(asked.dperf, os.X_OK):
        print("skipped: no dperf (--dperf PROGRAM; how it has to be built: this file's beginning)")
        return SKIP
    if os.cpu_count() < 2:
        print("skipped: two cores are needed")
        return SKIP
    os.environ["HANDFAST"] = asked.handfast
    if machine.in_front():
        os.setpriority(os.PRIO_PROCESS, 0, machine.HIGHEST)  # Else we come late to the end of a window.
    results = {pair: [] for pair in asked.pairs}
    try:
        with Bench(machine.choose_cores(asked.cores), asked.memory) as bench:
            asked.tsc_hz = bench.engine(HANDFAST).tsc_hz
            bench.end_all()
            for _ in range(asked.rounds):
                for pair in asked.pairs:
                    before = machine.core_to_core(bench.cores)
                    run = run_pair(bench, asked, pair)
                    took = [before, machine.core_to_core(bench.cores)]
                    results[pair].append(run | {"core_to_core_ns": took,
                                                "distance": distance(*took)})
        show(results)
    except Trouble as trouble:
        print(f"dperf.py: {trouble}", file=sys.stderr)
        return trouble.code
    if asked.json:
        Path(asked.json).write_text(json.dumps({"pairs": results}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
