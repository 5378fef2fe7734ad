# SPDX-License-Identifier: BSD-3-Clause
"""The demo that `./run` shows: it works, and it leaves nothing behind."""

import contextlib
import glob
import re
import signal
import subprocess
import time
from pathlib import Path

import lab


def traces(pid: int) -> list:
    """What a demo with this pid has left: namespaces, devices, files, an engine."""
    left = [line for line in lab.run(["ip", "netns", "list"]).stdout.splitlines()
            if line.startswith(f"hfd{pid}")]
    left += re.findall(rf"hfd{pid}\w*", lab.run(["ip", "-o", "link"]).stdout)
    left += glob.glob(f"/tmp/hfd{pid}*") + glob.glob(f"/var/run/dpdk/hfd{pid}*")
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            command = Path(path).read_text()
            left += [command] if f"hfd{pid}" in command else []
    return left


def start(here: lab.Lab, *options: str) -> subprocess.Popen:
    """Start a demo whose output goes to a file."""
    return here.spawn([lab.HANDFAST, "demo", *options], stderr=subprocess.STDOUT,
                      stdout=open(here.path("demo.txt"), "wb"))


def succeeds(programs: list, options: list, steps: list) -> None:
    """A demo ends with exit code 0, a table without failures, and nothing left."""
    lab.need(*programs)
    with lab.Lab() as here:
        demo = start(here, "--requests", "3000", "--connections", "1500", *options)
        code = demo.wait(120)
        said = here.path("demo.txt").read_text()
        print(said)
        lab.check(code == 0, f"exit code {code}")
        for step in ("curl over IPv4 +1 +0", "ab, 50 at a time +3,000 +0",
                     "1,500 open at once +1,500 +0", *steps):
            lab.check(re.search(step, said), f"no '{step}' in the table")
        lab.check(not traces(demo.pid), f"left behind: {traces(demo.pid)}")


def test_the_responder_demo_succeeds():
    """curl, ab and a crowd against the engine alone."""
    succeeds(["curl", "ab"], ["--responder"], ["curl over IPv6 +1 +0"])


def test_the_demo_succeeds():
    """The engine between clients and two nginx: a backend dies, a reload, a SYN flood."""
    succeeds(["curl", "ab", "wrk", "nginx", "hping3"], [],
             ["curl over IPv6, nginx over IPv4 +1 +0", r"wrk, a backend killed +[\d,]+ +0",
              r"wrk, a reload +[\d,]+ +0", r"wrk, a SYN flood +[\d,]+ +0"])


def test_an_interrupted_demo_cleans_up():
    """Interrupted while ab runs, the demo removes everything and its exit code is not 0."""
    lab.need("curl", "ab")
    with lab.Lab() as here:
        for number in (signal.SIGINT, signal.SIGTERM):
            demo = start(here, "--requests", "1000000")
            lab.wait_for("ab", lambda: "ab -n" in here.path("demo.txt").read_text(), 30)
            time.sleep(0.5)
            demo.send_signal(number)
            code = demo.wait(30)
            lab.check(code != 0, f"exit code {code}")
            lab.check(not traces(demo.pid), f"left behind: {traces(demo.pid)}")


if __name__ == "__main__":
    lab.main(globals())
