# SPDX-License-Identifier: BSD-3-Clause
"""The conformance list, line by line, against a running engine on a TAP.

The lines are those of tests/conformance.md; each check is a function whose name begins with the
numbers it shows, in rfc_below.py and rfc_states.py.  All run at once, in threads, since most of
their time is waiting; then a table of `number ok|FAIL` says how it went.
"""

import os
import re
import time
from concurrent.futures import ThreadPoolExecutor

import lab
import rfc_below
import rfc_states
from rfc_peer import TIMESTAMPS, Net, Peer, Wire, mss, times, wscale

THREADS = 24
TCP = {"synack_retries": 2, "orphan_retries": 3, "fin_timeout": "2s", "time_wait": "2s",
       "initial_cwnd": 64}
MEASUREMENTS = 3  # of seconds: a machine that stood still is late once, a wrong timer each time
AUDITED = ("A4", "A28", "C3", "C11", "C14", "C16", "L8", "M3")


def checks_of(*modules) -> dict:
    """The checks of a module, by name, the ones that wait for timers first."""
    found = {name: value for module in modules for name, value in vars(module).items()
             if re.match(r"[a-m]\d+_", name) and value.__module__ == module.__name__}
    slow = re.compile(r"e7|e1[67]|f20|g4|g6|g18|h1_|h2|i1|i5|l5|a27")
    return dict(sorted(found.items(), key=lambda item: not slow.match(item[0])))


def numbers(name: str) -> list:
    """The lines of the list that a check shows."""
    return [word.upper() for word in re.match(r"(?:[a-m]\d+_)+", name)[0].split("_") if word]


def attempt(check, net: Net) -> str:
    """Run a check, a measurement of times more than once; what went wrong, or nothing."""
    what = ""
    for _ in range(MEASUREMENTS):
        try:
            check(net)
            return ""
        except lab.Failure as failure:
            what = f"{check.__name__} over IPv{net.family}: {failure}"
            if not isinstance(failure, rfc_states.Untimely):
                break
            print(what)
    return what


def run_all(checks: dict, wire: Wire) -> dict:
    """Run all checks over both families: for each line of the list what went wrong."""
    nets = [Net(wire, family) for family in (4, 6)]
    verdict = {}
    with ThreadPoolExecutor(THREADS) as pool:
        jobs = [(name, pool.submit(attempt, check, net))
                for name, check in checks.items() for net in nets]
        for name, job in jobs:
            for number in numbers(name):
                verdict.setdefault(number, [])
                if job.result():
                    verdict[number].append(job.result())
    for number in AUDITED:
        broken = wire.audit.broken.get(number)
        verdict.setdefault(number, [])
        if broken:
            verdict[number].append(f"of {wire.audit.seen} frames audited: {broken}")
    return verdict


def report(verdict: dict) -> None:
    """Print the table, and fail on any failure."""
    for number in sorted(verdict, key=lambda word: (word[0], int(word[1:]))):
        print(f"{number:4} {'FAIL' if verdict[number] else 'ok'}")
        for failure in verdict[number]:
            print(f"     {failure}")
    failed = [number for number in verdict if verdict[number]]
    lab.check(not failed, f"{len(failed)} of {len(verdict)} lines: {' '.join(sorted(failed))}")


def services() -> list:
    """Every kind of service."""
    return lab.services(
        large={"port": rfc_below.LARGE, "reply": "http", "body_size": "64KiB"},
        fast={"port": rfc_states.AT_ONCE, "reply": "discard", "close": "at_once"})


def site(here: lab.Lab, tcp: dict) -> Wire:
    """An engine on a TAP, and a wire to it that no kernel answers on."""
    made = lab.Site(here, services(), tcp=tcp, packets=0)
    wire = Wire(made.client, made.device)
    here.at_exit(wire.close)
    return wire


def veth_site(here: lab.Lab, tcp: dict) -> Wire:
    """The same on one end of a veth pair."""
    client, inside = here.namespace(), here.namespace()
    near, far = here.name(), here.name()
    inside.ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", client.name)
    inside.set(f"net.ipv6.conf.{near}.disable_ipv6", 1)
    inside.address(near)
    client.address(far)
    here.engine([{"name": "lan", "device": f"veth:{near},af_packet", "mac": lab.ENGINE_MAC,
                  "addresses": [f"{lab.ENGINE4}/24", f"{lab.ENGINE6}/64"]}],
                services(), inside, tcp)
    wire = Wire(client, far)
    here.at_exit(wire.close)
    return wire


def every_line(make_site) -> None:
    """All checks against one engine."""
    with lab.Lab() as here:
        wire = make_site(here, TCP)
        began = time.monotonic()
        # On a veth frames from two processors overtake each other, and a fence proves nothing.
        processors = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(processors)})
        verdict = run_all(checks_of(rfc_below, rfc_states), wire)
        os.sched_setaffinity(0, processors)
        report(verdict)
        print(f"{len(verdict)} lines in {time.monotonic() - began:.0f} s")


def test_every_line_that_can_be_seen():
    """Every line of the list that can be seen from outside holds, over IPv4 and IPv6."""
    every_line(site)


def test_every_line_over_veth():
    """The same on a veth, through AF_PACKET."""
    every_line(veth_site)


def m1_m2_m4_m5_ecn_is_on(net: Net) -> None:
    """An ECN-setup SYN gets ECE without CWR; only ECE or only CWR gets neither; AccECN is no
    worse than ECN; then a SYN without is accepted, too."""
    for flags, reserved, answers in (("SEC", 0, ("SAE",)), ("SE", 0, ("SA",)), ("SC", 0, ("SA",)),
                                     ("SEC", 1, ("SA", "SAE"))):
        peer = Peer(net)
        peer.send(flags, options=mss(1460), reserved=reserved)
        got = peer.get()
        lab.check(got is not None and got.flags in answers, f"{flags} got {got}")
        peer.send("S", options=mss(1460))
        got = peer.get()
        lab.check(got is not None and got.flags.startswith("SA"), f"{flags}, S got {got}")


def h5_resets_do_not_assassinate(net: Net) -> None:
    """RFC 1337: with the setting, TIME-WAIT outlives an exact reset."""
    peer = rfc_states.in_time_wait(net)
    peer.send("R")
    peer.silent()
    peer.send("FA", seq=peer.nxt - 1)
    peer.want("A", seq=peer.rcv, ack=peer.nxt)


def c1_nothing_is_negotiated(net: Net) -> None:
    """With timestamps, SACK and window scaling off, none is in the SYN,ACK."""
    got = Peer(net).syn(mss(1460) + b"\x04\x02" + wscale(7) + times(9))
    lab.check(set(got.options) == {2} and TIMESTAMPS not in got.options, f"got {got}")


def test_settings_change_the_answers():
    """The lines that a setting decides, with the setting the other way round."""
    with lab.Lab() as here:
        wire = site(here, TCP | {"ecn": True, "rfc1337": True, "timestamps": False, "sack": False,
                                 "window_scaling": False})
        report(run_all({check.__name__: check for check in (
            m1_m2_m4_m5_ecn_is_on, h5_resets_do_not_assassinate, c1_nothing_is_negotiated)}, wire))


def d4_first_numbers(net: Net) -> list:
    """The initial sequence numbers of eight tuples that are the same in every run."""
    return [Peer(net, sport=40000 + count).syn().seq for count in range(8)]


def test_the_secret_is_new_with_each_start():
    """With the secret of the last start the numbers of all tuples would have risen alike."""
    runs = []
    for _ in range(2):
        with lab.Lab() as here:
            runs.append(d4_first_numbers(Net(site(here, TCP), 4)))
    rises = [(after - before) % 2**32 for before, after in zip(*runs)]
    lab.check(max(rises) - min(rises) > 2**28, f"numbers rose by {rises}")


if __name__ == "__main__":
    lab.main(globals())
