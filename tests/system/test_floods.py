# SPDX-License-Identifier: BSD-3-Clause
"""Floods by programs nobody here wrote, while ab goes on as if nothing were.

hping3 and trafgen send as fast as they can.  In each phase ab opens, asks and closes, and not one
of its requests may fail; the counter that names the flood accounts for what came; nothing is said
in the log but that cookies begin and end; the engine's memory stays.
"""

import os
import re
import signal
import time

import lab

REQUESTS, CLIENTS = 300, 10
AB_PACKETS = REQUESTS * 10  # of a phase at most, with every segment sent a few times
ENOUGH = 200_000  # packets of a flood
ABOUT = "hping3 -q -n --flood --rand-source"

# What is flooded, the program, and the counters whose sum accounts for what came.
PHASES = (
    ("SYN", f"{ABOUT} -S -p 80", ("syn_received",)),
    ("ACK", f"{ABOUT} -A -p 80 -M 7 -L 99", ("stray_acks",)),
    ("SYN-ACK", f"{ABOUT} -S -A -p 80", ("stray_syn_acks",)),
    ("RST", f"{ABOUT} -R -p 80", ("stray_resets",)),
    ("FIN", f"{ABOUT} -F -A -p 80", ("stray_fins",)),
    ("Christmas tree", f"{ABOUT} -F -P -U -p 80", ("stray_bare",)),
    ("all flags", f"{ABOUT} -S -A -F -R -P -U -X -Y -p 80", ("stray_resets",)),
    ("closed port", f"{ABOUT} -S -p 81", ("refused_syns",)),
    ("fragment", f"{ABOUT} -S -p 80 -x -g 8 -d 64", ("drop_fragment",)),
    ("UDP", f"{ABOUT} -2 -p 80", ("drop_unknown_protocol", "unreachables_sent")),
    ("own address", f"hping3 -q -n --flood -a {lab.ENGINE4} -S -p 80", ("drop_bad_source",)),
    ("garbage", "trafgen", ("drop_ethertype", "drop_bad_ip_header")),
)

# Frames that are for the engine and nothing else about them is right.
GARBAGE = """
{ eth(da=%s, sa=02:00:00:00:00:99, type=0x88b5), drnd(64) }
{ eth(da=%s, sa=02:00:00:00:00:99, type=0x0800), 0x41, drnd(63) }
"""


class Flood:
    """A running flooder; ended when the block ends."""

    def __init__(self, site: lab.Site, command: str):
        self.site = site
        if command == "trafgen":
            path = site.lab.path("garbage.trafgen")
            path.write_text(GARBAGE % (lab.ENGINE_MAC, lab.ENGINE_MAC))
            words = ["trafgen", "--cpp", "--dev", site.device, "--conf", str(path), "--cpus", "1",
                     "--rate", "40000pps"]
        else:
            words = [*command.split(), lab.ENGINE4]
        # A real flood does not take the victim's CPU to be made: this one gets what is left.
        self.process = site.client.spawn("nice", "-n", "19", *words, start_new_session=True)

    def __enter__(self):
        return self

    def stop(self) -> None:
        """No more."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(5)

    def __exit__(self, *_):
        self.stop()


def ab(site: lab.Site, name: str, enough=lambda: None) -> float:
    """ab finishes without a failure. @return its longest request in milliseconds."""
    with open(site.lab.path("ab.txt"), "w+", encoding="utf-8") as output:
        process = site.client.spawn("ab", "-q", "-s", "20", "-n", str(REQUESTS), "-c",
                                    str(CLIENTS), f"http://{lab.ENGINE4}/", stdout=output,
                                    stderr=output)
        while process.poll() is None:
            enough()
            time.sleep(0.02)
        said = site.lab.path("ab.txt").read_text()
    lab.check(re.search(r"Complete requests:\s+%d\b" % REQUESTS, said), f"{name}: {said}")
    lab.check(re.search(r"Failed requests:\s+0\b", said), f"{name}: {said}")
    return float(re.search(r"100%\s+(\d+) \(longest", said)[1])


def memory_kib(engine: lab.Engine) -> int:
    """What the engine has resident."""
    with open(f"/proc/{engine.process.pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])


def at_rest(engine: lab.Engine) -> dict:
    """The counters once nothing comes any more; half-open connections may still be at work."""
    last = engine.counters("lan")
    for _ in range(100):
        turns = engine.turns()
        lab.pause(0.03)
        now = engine.counters("lan")
        if now["rx"] == last["rx"] and engine.has_looked(turns):
            break
        last = now
    return now


def endure(site: lab.Site, name: str, command: str, counters: tuple) -> None:
    """One phase."""
    engine = site.engine
    before, said = at_rest(engine), len(engine.said().splitlines())
    def enough() -> None:
        # A machine that is busy with other things lets ab finish in peace.
        if engine.counters("lan")["rx"] > before["rx"] + ENOUGH:
            flood.stop()

    with Flood(site, command) as flood:
        lab.wait_for(f"the {name} flood",
                     lambda: engine.counters("lan")["rx"] > before["rx"] + 20000, 20)
        longest = ab(site, name, enough)
        kept = sum(worker["connections"] for worker in engine.workers())
    after = at_rest(engine)
    moved = {key: after[key] - before[key] for key in after}
    # hping3 also makes up sources that are nobody's, such as 127.0.0.1.
    named = sum(moved[counter] for counter in {*counters, "drop_bad_source"})
    print(f"{name}: {moved['rx']} packets, {named} of them {' + '.join(counters)}; "
          f"{REQUESTS} requests, the longest {longest:.0f} ms")
    lab.check(0 <= moved["rx"] - named <= AB_PACKETS, f"{name}: {moved}")
    lab.check(named >= 10000, f"{name}: {moved}")
    lab.check(kept <= 64 + 2 * CLIENTS, f"{name}: {kept} connections")
    lines = engine.said().splitlines()[said:]
    lab.check(len(lines) <= 8, f"{name}: the log grew by {len(lines)} lines: {lines[:20]}")


def test_floods_do_no_harm():
    """Twelve floods, each with a name, in constant memory; every ab request succeeds meanwhile."""
    lab.need("hping3", "trafgen", "ab")
    with lab.Lab() as here:
        site = lab.Site(here, served=lab.services(web={"max_syn_backlog": 64}), packets=3000)
        # A longer queue in front of the TAP: clients and flood share it.
        site.client.ip("link", "set", site.device, "txqueuelen", "10000")
        # The machine may be busy with other tests as well, which is not what is tested.
        for thread in os.listdir(f"/proc/{site.engine.process.pid}/task"):
            os.setpriority(os.PRIO_PROCESS, int(thread), -15)
        ab(site, "before")
        endure(site, *PHASES[0])
        memory = memory_kib(site.engine)
        for phase in PHASES[1:]:
            endure(site, *phase)
        grown = memory_kib(site.engine) - memory
        print(f"memory: {memory} KiB after the first flood, {grown:+d} KiB after the last")
        lab.check(grown < 2048, f"memory grew by {grown} KiB")


if __name__ == "__main__":
    lab.main(globals())
