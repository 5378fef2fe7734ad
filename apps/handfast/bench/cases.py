# SPDX-License-Identifier: BSD-3-Clause
"""What can be measured between an engine and handfast-load over memif, and one run of it."""

import contextlib
import time

from machine import Gone, Trouble, state
from pace import progress, until_stopped
from processes import (BACK_MAC, Bench, CLIENT, COPIED, ENGINE_MAC, LENT, Load, RING, SERVER,
                       SERVER_MAC, SOURCES, Testpmd, WILD, WILD_SOURCES)

HEAD = """\
engine: {{instance: {name}, workers: [{core}], main_core: {main}, memory: {memory}, idle: {idle},
         connections: {connections}, drain_timeout: 0ms}}
tcp: {{max_tw_buckets: {time_wait}}}
ports:
  - name: lan
    device: "memif:socket={folder}/a.sock,{link},id=0,socket-abstract=no"
    mac: "%s"
    addresses: [10.9.0.2/16]
""" % ENGINE_MAC

RESPOND = HEAD + """\
services:
  - {{name: sink, listen: "10.9.0.2:9", reply: discard}}
  - {{name: wary, listen: "10.9.0.2:19", reply: discard, cookies: always}}
  - {{name: web, listen: "10.9.0.2:80", reply: http, body_size: 64, close: after_reply}}
"""

# The second port takes the flood, so that the clients' own link is not what is full.
FLOODED = HEAD + """\
  - name: wild
    device: "memif:socket={folder}/b.sock,role=server,id=0,socket-abstract=no"
    mac: "02:00:00:00:07:02"
    addresses: [%s/16]
services:
  - {{name: sink, listen: ["10.9.0.2:9", "%s:9"], reply: discard}}
""" % (WILD, WILD)

# A port of ours rests after its connection, so it takes many addresses to go on opening.
PROXY = HEAD + """\
  - name: back
    device: "memif:socket={folder}/b.sock,{link},id=0,socket-abstract=no"
    mac: "%s"
    addresses: [10.8.0.2/16]
pools:
  - {{name: web, backends: ["10.8.0.3:80"], source: local, local_addresses: [%s]}}
services:
  - {{name: web, listen: "10.9.0.2:80", mode: proxy, pool: web, max_syn_backlog: {backlog}}}
""" % (BACK_MAC, ", ".join(f"10.8.1.{number}" for number in range(1, 65)))

FORWARD = PROXY.replace("mode: proxy, pool: web, max_syn_backlog: {backlog}",
                        "mode: direct, pool: web")

# Generator and backend share a core: who spins there has the other one's packets wait for its turn
# to end, milliseconds later, in rings that are full by then; and who naps has the engine wait.
SHARED = ["--idle", "yield"]
# Seconds after which they are: they are asked for once a second.
BACKENDS_KNOWN = 2
# Seconds until packets come to testpmd, at most, and until they come evenly.
PACKETS_WITHIN, SETTLED = 10, 0.3

BACKEND = """\
engine: {{instance: {name}, workers: [{core}], main_core: {main}, memory: {memory}, idle: yield,
         connections: {connections}, drain_timeout: 0ms}}
tcp: {{max_tw_buckets: {time_wait}}}
ports:
  - name: back
    device: "memif:socket={folder}/b.sock,{link},id=0,socket-abstract=no"
    mac: "%s"
    addresses: [10.8.0.3/16]
    gateways: [10.8.0.2]
services:
  - {{name: web, listen: "10.8.0.3:80", reply: http, body_size: 64, close: after_reply,
     max_syn_backlog: {backlog}}}
""" % SERVER_MAC

# name: configuration, port, words of handfast-load, whether a backend is needed.
CASES = {
    "open-close": (RESPOND, 9, ["--exchange", "open-close"], False),
    "cookies": (RESPOND, 19, ["--exchange", "open-close"], False),
    "handshake": (RESPOND, 9, ["--exchange", "handshake"], False),
    "request": (RESPOND, 80, ["--exchange", "request"], False),
    "proxy": (PROXY, 80, ["--exchange", "request", *SHARED], True),
}


def target(port: int) -> list:
    """handfast-load's words for the engine."""
    return ["--address", f"{CLIENT}/16", "--sources", SOURCES, "--target", f"{SERVER}:{port}",
            "--order", "random"]


def wild_target(port: int) -> list:
    """The same for the second port, in turn: what is held is."""
    return ["--address", "10.7.0.1/16", "--sources", WILD_SOURCES, "--target", f"{WILD}:{port}"]


def summarise(end: dict, engine: dict, tsc_hz: int) -> dict:
    """One run in the words of the results."""
    opened = engine["counters"].get("opened", 0)
    packets = engine["counters"].get("rx", 0) + engine["counters"].get("tx", 0)
    busy = engine["busy_us"]
    return {
        "rate": end["rate"], "done": end["done"], "failures": end["failures"],
        "unfinished": end["unfinished"], "not_started": end["figures"]["not_started"],
        "goodput": end["goodput"],
        "packets_per_connection": end["packets_per_connection"],
        "packets_per_connection_seen": end["packets_per_connection_seen"],
        "latency_us": end["latency_us"], "generator_busy": end["busy"],
        "retransmits": end["figures"]["syn_retransmits"] + end["figures"]["retransmits"],
        "engine_share": round(engine["share"], 3), "engine_busy_us": round(busy),
        "engine_busy": round(busy / opened * end["rate"] / 1e6, 3) if opened else 0,
        "engine_rss_mib": engine["rss_kib"] // 1024,
        "cycles_per_connection": round(busy * tsc_hz / 1e6 / opened) if opened else 0,
        "cycles_per_packet": round(busy * tsc_hz / 1e6 / packets) if packets else 0,
        "series": [{"t": line["t"], "rate": line["rate"], "phase": line["phase"]}
                   for line in end["series"]],
    }


def lending(bench: Bench, text: str, words: list, path: str, backend: bool) -> tuple:
    """The engine, which lends its buffers at every port, and a load: the others are there first."""
    link, words = LENT, [*words, "--resolve", "30s"]
    if backend:
        bench.engine(BACKEND, core=bench.cores[1], link=COPIED)
        link = f"{LENT},rsize={bench.ring}"
        words += ["--delay", f"{BACKENDS_KNOWN}s"]
    load = bench.listening_load(*words)
    return bench.engine(text, path=path, link=link), load


def copying(bench: Bench, text: str, words: list, path: str, backend: bool) -> tuple:
    """The same of an engine that copies, whose peers come to it."""
    engine = bench.engine(text, path=path)
    if backend:
        bench.engine(BACKEND, core=bench.cores[1], link=f"role=client,rsize={bench.ring}")
        words = [*words, "--delay", f"{BACKENDS_KNOWN}s"]
    # Larger rings cost caches, so only where milliseconds have to fit: a core is shared.
    return engine, bench.load(*words, ring=bench.ring if backend else RING)


def engine_and_load(bench: Bench, text: str, words: list, path: str, backend: bool) -> tuple:
    """Both, running, and a backend where there has to be one."""
    start = lending if bench.lends else copying
    return start(bench, text, words, path, backend)


def forward_once(bench: Bench, seconds: float, path: str = "") -> dict:
    """Frames passed on to a backend; the generator sends SYNs and waits for nobody."""
    words = [*target(80), "--exchange", "syn", "--duration", f"{int(seconds * 1000) + 1000}ms",
             *SHARED]
    engine, load = engine_and_load(bench, FORWARD, words, path, True)
    until = time.monotonic() + 30
    while not engine.ask("/handfast/counters").get("forwards", 0):
        if time.monotonic() > until:
            raise Trouble("nothing is passed on")
        time.sleep(0.02)
    time.sleep(0.3)
    before = engine.snapshot()
    time.sleep(seconds)
    after = engine.snapshot()
    bench.all_run()
    spent = engine.spent(before, after)
    forwards = spent["counters"].get("forwards", 0)
    if not forwards:
        raise Trouble(f"nothing more is passed on; handfast-load: {load.last_words()}")
    bench.end_all()
    elapsed_us = (after["clock"] - before["clock"]) / 1000
    busy_us = spent["busy_us"]
    return {"rate": forwards * 1e6 / elapsed_us, "failures": 0,
            "packets_per_connection": 2, "packets_per_connection_seen": 2,
            "cycles_per_connection": round(busy_us * engine.tsc_hz / 1e6 / forwards),
            "engine_busy": round(busy_us / elapsed_us, 3),
            "engine_share": round(spent["share"], 3), "engine_rss_mib": spent["rss_kib"] // 1024}


def watched(bench: Bench, run):
    """A run; when a process ended by itself that is the trouble, whatever showed it first."""
    try:
        return run()
    except (Trouble, OSError, ValueError):
        bench.all_run()
        raise


def twice(bench: Bench, run):
    """A run, and once more when a process ended by itself; the result says so."""
    try:
        return watched(bench, run)
    except Gone as gone:
        bench.end_all()
        bench.accident(f"measured once more: {gone}")
    result = watched(bench, run)
    result["repeated"] = True
    return result


@contextlib.contextmanager
def until_trouble(bench: Bench, complete: list):
    """Measure in here; trouble goes to the end of it when anything is complete by then."""
    try:
        yield
    except (Trouble, OSError) as trouble:
        bench.end_all()
        if not complete:
            raise
        bench.accident(trouble)


def run_once(bench: Bench, case: str, seconds: float, words: list, path: str = "") -> dict:
    """Engine and generator from start to end."""
    if case == "forward":
        return twice(bench, lambda: forward_once(bench, seconds, path))
    return twice(bench, lambda: exchange_once(bench, case, seconds, words, path))


def exchange_once(bench: Bench, case: str, seconds: float, words: list, path: str) -> dict:
    """The same, of connections."""
    text, port, exchange, backend = CASES[case]
    words = [*target(port), *exchange, "--duration", f"{int(seconds * 1000)}ms", *words]
    engine, load = engine_and_load(bench, text, words, path, backend)
    before = engine.snapshot()
    end = load.result(seconds + 30)
    spent = engine.spent(before, engine.snapshot())
    result = summarise(end, spent, engine.tsc_hz)
    counters = spent["counters"]
    if case == "cookies" and counters["syn_cookies_opened"] < 0.99 * counters["opened"]:
        raise Trouble(f"only {counters['syn_cookies_opened']:,} of {counters['opened']:,}"
                      " connections were opened by a cookie")
    bench.end_all()
    return result


def crowd_once(bench: Bench, size: int, seconds: float, concurrency: int) -> dict:
    """Connections opened and closed beside so many that are held, which came by another port."""
    return twice(bench, lambda: _crowd_once(bench, size, seconds, concurrency))


def _crowd_once(bench: Bench, size: int, seconds: float, concurrency: int) -> dict:
    engine = bench.engine(FLOODED)
    bench.load(*wild_target(9), "--exchange", "idle", "--concurrency", str(size), "--duration",
               f"{int(seconds) + 3600}s", "--idle", "sleep", socket_name="b.sock")
    until = time.monotonic() + 20 + size / 100_000
    while engine.ask("/handfast/counters").get("opened", 0) < size:
        if time.monotonic() > until:
            raise Trouble(f"{size:,} connections do not open")
        time.sleep(0.02)
    before = engine.snapshot()
    load = bench.load(*target(9), "--exchange", "open-close", "--concurrency", str(concurrency),
                      "--duration", f"{int(seconds * 1000)}ms")
    end = load.result(seconds + 30)
    result = summarise(end, engine.spent(before, engine.snapshot()), engine.tsc_hz)
    held = sum(worker["connections"] for worker in engine.ask("/handfast/workers").values())
    if held < size:
        raise Trouble(f"{held:,} of {size:,} connections are held")
    bench.end_all()
    return result


def limit_once(bench: Bench, mode: str, seconds: float) -> dict:
    """Packets per second that testpmd passes on the same memif and core, from the same generator."""
    testpmd = Testpmd(bench, "a.sock", mode)
    # What testpmd sends back is nobody's answer, so the generator sends stateless SYNs.
    load = bench.load(*target(9), "--target-mac", ENGINE_MAC, "--exchange", "syn", "--duration",
                      f"{int((PACKETS_WITHIN + SETTLED + seconds) * 1000)}ms")
    _wait_for_packets(testpmd, load)
    time.sleep(SETTLED)
    before, first = testpmd.snapshot(), testpmd.received()
    time.sleep(seconds)
    after, last = testpmd.snapshot(), testpmd.received()
    bench.all_run()
    if last == first:
        raise Trouble(_no_packets(testpmd, load))
    spent = testpmd.spent(before, after)
    bench.end_all()
    return {"mode": mode, "rate": (last - first) * 1e9 / (after["clock"] - before["clock"]),
            "engine_share": round(spent["share"], 3)}


def _wait_for_packets(testpmd: Testpmd, load: Load) -> None:
    """Until the generator's packets arrive: a rate of none would only say who was late."""
    until = time.monotonic() + PACKETS_WITHIN
    while not testpmd.received():
        if load.process.poll() is not None or time.monotonic() > until:
            raise Trouble(_no_packets(testpmd, load))
        time.sleep(0.02)


def _no_packets(testpmd: Testpmd, load: Load) -> str:
    """What both of them have to say about it."""
    return (f"testpmd passes no packets; handfast-load: {load.last_words()}\n"
            f"testpmd: {testpmd.last_words()}")


def rounds(bench: Bench, case: str, asked, contestants: list) -> dict:
    """Every contestant once in each round, in turns, with the machine's state before and after.

    Who has trouble has no more turns; what it and the others have done by then counts.
    """
    runs = {name: [] for name, _ in contestants}
    machine, beginning, left = [], time.monotonic(), list(contestants)
    with until_stopped():
        machine.append(state(bench.cores))
        for number in range(asked.repetitions):
            for name, run in list(left):
                bench.turn = f"{name}, repetition {number + 1} of {asked.repetitions}"
                begun = time.monotonic() - beginning
                try:
                    done = run()
                except (Trouble, OSError) as trouble:
                    left.remove((name, run))
                    bench.end_all()
                    if not runs[contestants[0][0]]:
                        raise Trouble(f"{case}, {name}: {trouble}") from None
                    bench.accident(f"{len(runs[name])} complete, no more: {trouble}")
                    continue
                machine.append(state(bench.cores))
                runs[name].append({**done, "begun": round(begun, 3), **machine[-2],
                                   "core_to_core_after_ns": machine[-1]["core_to_core_ns"]})
            if contestants[0] not in left:
                break
            progress(f"{case} {number + 1}/{asked.repetitions}: " + ", ".join(
                f"{name} {runs[name][-1]['rate']:,.0f}/s" for name, _ in left)
                + f"; core to core {machine[-1]['core_to_core_ns']:.0f} ns")
    if not runs[contestants[0][0]]:
        raise Trouble("ended before its first figure")
    return {"runs": {name: of for name, of in runs.items() if of}, "machine": machine}
