#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The demo: real clients and servers around handfast, on any machine, without a NIC.

By default handfast is the load balancer in front of two nginx (front_end.py); with --responder it
answers the clients itself (responder.py).  Clients and servers are programs that nobody here wrote.
Ends with a table; everything made is removed again, also when interrupted.

`handfast demo` starts this and says in HANDFAST where the program is.  Standard library only.
"""

import argparse
import signal
import subprocess
import sys
import time

import clients
import front_end
import responder
from stage import EXIT_RUNTIME, Paint, Stage, Trouble, need


class Stopped(Exception):
    """A signal asked us to stop."""


def stopped(number, _frame):
    """A signal ends the demo in order."""
    raise Stopped(signal.Signals(number).name)


def judge(stage: Stage, rows: list) -> list:
    """Print the result; returns what went wrong."""
    clients.print_table(rows)
    time.sleep(0.5)
    wrong = [f"{row.step}: {row.failures} failures" for row in rows if row.failures]
    wrong += clients.print_engine(stage.statistics())
    code = stage.stop_engine()
    if code:
        wrong.append(f"the engine's exit code is {code}:\n{stage.log()}")
    return wrong


def perform(performance, options) -> int:
    """Build, show, remove; the exit code."""
    try:
        need(performance.PROGRAMS)
    except Trouble as trouble:
        print(f"demo: {trouble}", file=sys.stderr)
        return trouble.code
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stopped)
    stage = Stage()
    try:
        wrong = judge(stage, performance.perform(stage, options))
    except Stopped as why:
        print(f"\ndemo: stopped by {why}; removing everything", file=sys.stderr)
        return EXIT_RUNTIME
    except (Trouble, subprocess.TimeoutExpired) as trouble:
        print(f"\ndemo: {trouble}", file=sys.stderr)
        return getattr(trouble, "code", EXIT_RUNTIME)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        stage.remove()
    for line in wrong:
        print(Paint.verdict(False, f"\n  failed: {line}"))
    if wrong:
        return EXIT_RUNTIME
    print(Paint.verdict(True, "\n  Everything worked, and everything is removed again."))
    print("  Next: config/responder.yaml and config/front-end.yaml are for you to change;"
          "\n        ./run check config/responder.yaml reads one, ./run --help lists the rest.")
    return 0


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="handfast demo", description=__doc__.split("\n\n")[0])
    parser.add_argument("--responder", action="store_true",
                        help="handfast answers itself, instead of balancing over two nginx")
    parser.add_argument("--requests", type=int, default=20000, metavar="N",
                        help="requests of ab (default 20000)")
    parser.add_argument("--connections", type=int, default=4000, metavar="N",
                        help="connections open at once (default 4000)")
    options = parser.parse_args()
    if options.requests < 50 or not 1 <= options.connections <= 25000:
        parser.error("--requests is at least 50, --connections between 1 and 25000")
    sys.stdout.reconfigure(line_buffering=True)
    return perform(responder if options.responder else front_end, options)


if __name__ == "__main__":
    sys.exit(main())
