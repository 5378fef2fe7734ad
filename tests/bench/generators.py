#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""wrk, ab and handfast-load about the same servers: do they agree, and if not, why?

    sudo tests/bench/generators.py [--seconds N] [--rounds N] [--json FILE] [SERVER...]

A veth; the generator and all of its end of the veth on core 0, the server and all of its end on
core 1 (RPS sees to it: without, whoever sends does the work of who receives).  All ask for one
answer on each connection, as many at once.

    nginx       one worker, keepalive_timeout 0
    listener    tests/bench/listener.c: accept, read, write, close
    slow        the same with 100 microseconds of work for each connection: its core is the limit,
                so that whoever asks, the rate has to be the same
    handfast    one worker, AF_PACKET, `idle: sleep`

    wrk         -t1, `Connection: close`
    ab          without -k
    load        handfast-load --exchange request through AF_PACKET, the kernel's address gone;
                --third-ack alone, so that a connection has as many packets as a kernel's;
                --idle spin, so that each is answered at once: one that sleeps answers many
                together, which costs a kernel's server a tenth less

Generators take turns.  Of each pair: what the generator says of itself; what the server's end
counted meanwhile (the kernel's PassiveOpens, the engine's `opened`); packets on the veth for each
connection; how much of both cores was busy, and the server's CPU for a connection; failures.

A rate says something about a server only where its core is full and the generator's is not.  Below
the table is said of each server whether those that fill it agree, which is whether the quartiles of
their rounds meet, and of the others what of them is full.  A kernel's client costs its core more
than a kernel's server costs the other: wrk and ab are at their own end with all servers but the
slow one.  And a server that is not kept busy wakes for each connection, which costs it twice what a
connection costs in a queue of many: its core looks full long before it is.
"""

import argparse
import json
import os
import re
import signal
import statistics
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))
sys.path.insert(0, str(HERE.parents[1] / "apps" / "handfast" / "bench"))
import lab  # noqa: E402  pylint: disable=wrong-import-position
from arguments import DAY_S, amount, refuse, several  # noqa: E402  pylint: disable=wrong-import-position
import nginx  # noqa: E402  pylint: disable=wrong-import-position
from flood_compare import core_times  # noqa: E402  pylint: disable=wrong-import-position
from report import Table, number  # noqa: E402  pylint: disable=wrong-import-position

SERVERS = ("nginx", "listener", "slow", "handfast")
GENERATORS = ("wrk", "ab", "load")
GENERATOR_CORE, SERVER_CORE = 0, 1
WORK_US = 100  # of the slow server
# As with wrk and ab no tuple comes again while a server remembers it: Linux has 28,000 ports and
# waits for none of them, since it knows which of them its own server has left behind.
SOURCES = "10.9.0.64/26"
WARM_UP = 1.0
FULL = 0.95  # of a core: who has less left is the limit
INTERRUPTED = "ended early"
EXIT_INTERRUPTED = 128 + signal.SIGINT
URL = f"http://{lab.ENGINE4}/"


class Place:
    """Two namespaces, a veth and a server."""

    def __init__(self, here: lab.Lab, name: str):
        self.here, self.engine = here, None
        self.outside, self.inside = here.namespace(), here.namespace()
        self.far, self.near = here.name(), here.name()
        self.inside.ip("link", "add", self.near, "type", "veth", "peer", "name", self.far,
                       "netns", self.outside.name)
        self.inside.ip("link", "set", self.near, "address", lab.ENGINE_MAC, "up")
        self.mac = json.loads(self.outside.ip("-j", "link", "show", self.far).stdout)[0]["address"]
        self.outside.set("net.ipv4.ip_local_port_range", "1024 65535")
        self.kernel_has_address = False
        for namespace, device, core in ((self.outside, self.far, GENERATOR_CORE),
                                        (self.inside, self.near, SERVER_CORE)):
            self.receive_on(namespace, device, core)
        self.give_address(True)
        if name == "handfast":
            self.engine = here.engine(
                [{"name": "lan", "device": f"veth:{self.near},af_packet", "mac": lab.ENGINE_MAC,
                  "addresses": f"{lab.ENGINE4}/24"}],
                [{"name": "web", "listen": f"{lab.ENGINE4}:80", "body_size": 64}], self.inside,
                workers=[SERVER_CORE], main_core=GENERATOR_CORE)
        else:
            self.kernel(name)
        lab.wait_for(name, lambda: self.outside.run("curl", "-s", "-m", "1", "-o", "/dev/null", URL,
                                                    ok=False).returncode == 0, 20)

    @staticmethod
    def receive_on(namespace: lab.Namespace, device: str, core: int) -> None:
        """A core does what a device receives, and not the core that sent it."""
        namespace.run("sh", "-c",
                      f"echo {1 << core:x} > /sys/class/net/{device}/queues/rx-0/rps_cpus")

    def give_address(self, kernel: bool) -> None:
        """The generator's address is the kernel's, or it is not."""
        if kernel and not self.kernel_has_address:
            self.outside.address(self.far, f"{lab.CLIENT4}/24")
        elif not kernel and self.kernel_has_address:
            self.outside.ip("address", "flush", "dev", self.far)
        self.kernel_has_address = kernel

    def kernel(self, name: str) -> None:
        """A server on top of the kernel's TCP."""
        self.inside.address(self.near, f"{lab.ENGINE4}/24")
        self.inside.set("net.core.somaxconn", 16384)
        folder = self.here.path("nginx")
        folder.mkdir()
        os.chmod(self.here.folder, 0o755)
        words = {"nginx": nginx.command(folder, f"{lab.ENGINE4}:80", "x" * 64),
                 "listener": [listener(), lab.ENGINE4, "80"],
                 "slow": [listener(), lab.ENGINE4, "80", str(WORK_US)]}[name]
        self.inside.spawn("taskset", "-c", str(SERVER_CORE), *words)

    def opened(self) -> int:
        """Connections that the server's end has seen open."""
        if self.engine:
            return self.engine.counters("lan")["opened"]
        lines = self.inside.run("cat", "/proc/net/snmp").stdout.splitlines()
        names, values = (line.split() for line in lines if line.startswith("Tcp:"))
        return int(values[names.index("PassiveOpens")])

    def packets(self) -> int:
        """Packets on the veth, both ways."""
        return sum(int(word) for word in self.inside.run(
            "sh", "-c", f"cd /sys/class/net/{self.near}/statistics && cat rx_packets tx_packets"
        ).stdout.split())

    def look(self) -> dict:
        """All that is counted."""
        return {"clock": time.monotonic(), "opened": self.opened(), "packets": self.packets(),
                "interrupts": interrupts(SERVER_CORE), "cores": [core_times(core) for core in (GENERATOR_CORE, SERVER_CORE)]}


def listener() -> str:
    """tests/bench/listener.c, as built."""
    path = Path(lab.HANDFAST).parents[2] / "tests" / "bench" / "listener"
    lab.check(path.exists(), f"{path} is not built")
    return str(path)


def interrupts(core: int) -> int:
    """How often another core has interrupted this one: to hand over packets, to wake somebody."""
    return sum(int(line.split()[1 + core]) for line in Path("/proc/interrupts").read_text(
        encoding="ascii").splitlines() if line.split()[0] in ("CAL:", "RES:"))


def words_of(name: str, place: Place, asked, seconds: float) -> list:
    """A generator's command line."""
    at_once = str(asked.concurrency)
    pinned = ["taskset", "-c", str(GENERATOR_CORE)]
    if name == "wrk":
        return [*pinned, "wrk", "-t1", "-c", at_once, f"-d{round(seconds)}", "-H",
                "Connection: close", URL]
    if name == "ab":
        return [*pinned, "ab", "-q", "-r", "-t", str(round(seconds)), "-n", "100000000", "-c",
                at_once, URL]
    # The engine's user has it beside handfast; here it is in a folder of its own.
    load = Path(lab.HANDFAST).parents[1] / "handfast-load" / "handfast-load"
    return [str(load), "--port", f"veth:{place.far},af_packet", "--mac", place.mac, "--address",
            f"{lab.CLIENT4}/24", "--sources", SOURCES, "--target", f"{lab.ENGINE4}:80",
            "--exchange", "request", "--third-ack", "alone", "--concurrency", at_once,
            "--duration", f"{round(seconds)}s", "--idle", asked.idle, "--workers",
            f"[{GENERATOR_CORE}]", "--main-core", str(SERVER_CORE), "--memory", "none",
            "--instance", place.here.name(), "--json", "--quiet", *asked.more]


def own_word(name: str, said: str) -> dict:
    """What a generator says of itself."""
    def found(pattern: str) -> float:
        return sum(float(one) for one in re.findall(pattern, said))
    if name == "wrk":
        return {"rate": found(r"Requests/sec:\s+([\d.]+)"), "failed": found(
            r"(?:connect|read|write|timeout) (\d+)") + found(r"Non-2xx.*: (\d+)")}
    if name == "ab":
        return {"rate": found(r"Requests per second:\s+([\d.]+)"),
                "failed": found(r"(?:Failed|Non-2xx) \w+:\s+(\d+)")}
    end = json.loads(said.splitlines()[-1])
    return {"rate": end["rate"], "failed": end["failures"], "busy": end["busy"],
            "failures": {key: value for key, value in end["failed"].items() if value}}


def run(name: str, place: Place, asked) -> dict:
    """A generator from start to end; the middle of it is measured."""
    place.give_address(name != "load")
    path = place.here.path(f"{name}.out")
    with open(path, "wb") as out:
        process = place.outside.spawn(*words_of(
            name, place, asked, WARM_UP + asked.seconds + 1.0), stdout=out,
            stderr=open(place.here.path(f"{name}.err"), "wb"))
    lab.wait_for(f"{name}'s connections", lambda first=place.opened(): place.opened() > first, 20)
    time.sleep(WARM_UP)
    before = place.look()
    time.sleep(asked.seconds)
    after = place.look()
    lab.check(process.wait(30) == 0, f"{name}: exit code {process.returncode}: {path.read_text()}")
    opened, took = after["opened"] - before["opened"], after["clock"] - before["clock"]
    busy = []
    for first, last in zip(before["cores"], after["cores"]):
        spent = {kind: last[kind] - first[kind] for kind in first}
        busy.append(1 - (spent["idle"] + spent["iowait"]) / max(sum(spent.values()), 0.01))
    word = own_word(name, path.read_text())
    return {**word, "counted": opened / took,
            "packets": (after["packets"] - before["packets"]) / max(opened, 1),
            "interrupts": (after["interrupts"] - before["interrupts"]) / max(opened, 1),
            # Who spins is never idle by the kernel's count.
            "generator_core": word.get("busy", busy[0]), "server_core": busy[1]}


def quartiles(runs: list, key: str) -> tuple:
    """Of all rounds."""
    values = sorted(one[key] for one in runs)
    return tuple(values * 3) if len(values) == 1 else \
        tuple(statistics.quantiles(values, n=4, method="inclusive"))


def show(results: dict) -> None:
    """A table, and what it means."""
    table = Table("server, generator", "says", "quartiles", "server counted", "packets/conn",
                  "server's core", "us/conn", "interrupts/conn", "generator's core",
                  "failed")
    for server, by_generator in results.items():
        for generator, runs in by_generator.items():
            low, middle, high = quartiles(runs, "rate")
            table.add(f"{server}, {generator}", number(middle), f"{number(low)} .. {number(high)}",
                      number(quartiles(runs, "counted")[1]),
                      f"{quartiles(runs, 'packets')[1]:.2f}",
                      f"{core_of(runs, 'server'):.0%}",
                      f"{core_of(runs, 'server') * 1e6 / quartiles(runs, 'counted')[1]:.1f}",
                      f"{quartiles(runs, 'interrupts')[1]:.2f}",
                      f"{core_of(runs, 'generator'):.0%}",
                      number(sum(one["failed"] for one in runs)))
    print(table.text())
    for server, by_generator in results.items():
        print(f"{server}: {verdict(by_generator)}")


def core_of(runs: list, which: str) -> float:
    """How much of a core was busy."""
    return quartiles(runs, f"{which}_core")[1]


def verdict(by_generator: dict) -> str:
    """Whether those that fill the server agree, and what stops the others."""
    rates, said = {}, []
    for generator, runs in by_generator.items():
        server, own = (core_of(runs, which) for which in ("server", "generator"))
        if own >= FULL:
            said.append(f"{generator} is at its own end (its core is full)")
        elif server < FULL:
            said.append(f"{generator} waits: {1 - server:.0%} of the server's core and "
                        f"{1 - own:.0%} of its own are idle")
        else:
            rates[generator] = quartiles(runs, "counted")
    if len(rates) > 1:
        lowest = min(rates.values(), key=lambda one: one[1])
        highest = max(rates.values(), key=lambda one: one[1])
        word = "agree" if highest[0] <= lowest[2] else "DISAGREE"
        said.insert(0, f"{', '.join(rates)} fill its core and {word}: "
                       f"{highest[1] / lowest[1] - 1:.1%} apart, quartiles "
                       f"{number(lowest[0])} .. {number(lowest[2])} and "
                       f"{number(highest[0])} .. {number(highest[2])}")
    elif rates:
        said.insert(0, f"only {', '.join(rates)} fills its core")
    return "; ".join(said)


def one_of(allowed: tuple):
    """A type of some names."""
    def read(text: str) -> str:
        if text not in allowed:
            raise refuse(text, f"one of {', '.join(allowed)}")
        return text
    return read


def options(words: list) -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("servers", nargs="*", type=one_of(SERVERS), metavar="SERVER",
                        help=f"{', '.join(SERVERS)}; all when none is given")
    parser.add_argument("--seconds", type=amount(float, 0.2, DAY_S), default=2)
    parser.add_argument("--rounds", type=amount(int, 1, 1_000_000), default=5)
    # ab takes no more at once.
    parser.add_argument("--concurrency", type=amount(int, 1, 20_000), default=256)
    parser.add_argument("--generators", type=several(one_of(GENERATORS)), default=GENERATORS,
                        metavar="GENERATOR,...", help=",".join(GENERATORS))
    parser.add_argument("--idle", default="spin", choices=("sleep", "pause", "spin"),
                        help="of handfast-load")
    parser.add_argument("--more", default="", help="further words for handfast-load")
    parser.add_argument("--json", help="file for all results")
    asked = parser.parse_args(words)
    asked.more = asked.more.split()
    return asked


def measure(asked, results: dict) -> bool:
    """All servers by all generators, into results; Ctrl-C ends it, and what is complete is kept."""
    try:
        for server in asked.servers or SERVERS:
            with lab.Lab() as here:
                try:
                    take_turns(Place(here, server), asked, results, server)
                except KeyboardInterrupt:
                    # What is skipped is taken down without a word, and none of its files is kept.
                    raise lab.Skip(INTERRUPTED) from None
    except lab.Skip as reason:
        if str(reason) != INTERRUPTED:
            raise
        print(f"{INTERRUPTED}; what is complete by now:", flush=True)
        return False
    return True


def take_turns(place: Place, asked, results: dict, server: str) -> None:
    """All rounds about one server; results have a run when it is complete."""
    for _ in range(asked.rounds):
        for name in asked.generators:
            one = run(name, place, asked)
            results.setdefault(server, {}).setdefault(name, []).append(one)


def main() -> int:
    """Compare."""
    asked = options(sys.argv[1:])
    try:
        lab.need_privileges()
        lab.need("wrk", "ab", "curl", "nginx", "taskset")
        if os.cpu_count() < 2:
            raise lab.Skip("two cores are needed")
    except lab.Skip as reason:
        print(f"skipped: {reason}")
        return 77
    print(f"{os.uname().release}, {os.cpu_count()} cores, generators on core {GENERATOR_CORE}, "
          f"servers on core {SERVER_CORE}, {asked.concurrency} connections at once", flush=True)
    results = {}
    complete = measure(asked, results)
    show(results)
    if asked.json:
        Path(asked.json).write_text(json.dumps({"kernel": os.uname().release,
                                                "cores": os.cpu_count(), "results": results},
                                               indent=1))
    return 0 if complete else EXIT_INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
