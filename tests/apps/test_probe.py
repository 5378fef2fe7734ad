#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The verbs that have an engine do something, `probe` and `conns close`, against a made-up one.

    test_probe.py HANDFAST
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest

from fake_telemetry import FakeEngine

HANDFAST = ""


class Asking(unittest.TestCase):
    """A made-up engine, and what it was asked."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.environment = dict(os.environ, RUNTIME_DIRECTORY=directory.name)
        self.engine = FakeEngine(directory.name).start()
        self.addCleanup(self.engine.stop)

    def handfast(self, *arguments):
        return subprocess.run([HANDFAST, *arguments], env=self.environment, timeout=60,
                              capture_output=True, text=True, check=False)


class Probe(Asking):
    """Output, summary and exit code."""

    def test_opened_connections_are_timed_and_summed_up(self):
        result = self.handfast("probe", "10.9.0.1:80", "--count", "3", "--interval", "0")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout.splitlines(), [
            "seq=1 10.9.0.1:80 opened 0.100 ms",
            "seq=2 10.9.0.1:80 opened 0.200 ms",
            "seq=3 10.9.0.1:80 opened 0.300 ms",
            "--- 10.9.0.1:80: 3 probes, 3 opened, 0 refused, 0 lost (0.0%)",
            "handshake min 0.100  p50 0.200  p99 0.300  max 0.300 ms"])

    def test_percentiles_are_of_all_probes(self):
        result = self.handfast("probe", "10.9.0.1:80", "--count", "200", "--interval", "0",
                               "--json")
        summary = json.loads(result.stdout.splitlines()[-1])
        self.assertEqual(summary, {"schema": 1, "address": "10.9.0.1", "port": 80, "probes": 200,
                                   "opened": 200, "refused": 0, "lost": 0, "min_us": 100,
                                   "p50_us": 10000, "p99_us": 19800, "max_us": 20000})

    def test_refusals_are_answers_but_no_success(self):
        result = self.handfast("probe", "[fd00::1]:81", "--count", "1")
        self.assertEqual(result.returncode, 1)
        self.assertIn("seq=1 [fd00::1]:81 refused 0.100 ms\n", result.stdout)
        self.assertIn("1 probe, 0 opened, 1 refused, 0 lost (0.0%)", result.stdout)

    def test_timeouts_are_losses(self):
        result = self.handfast("probe", "10.9.0.1:82", "--count", "2", "--interval", "0")
        self.assertEqual(result.returncode, 1)
        self.assertIn("seq=2 10.9.0.1:82 timed out\n", result.stdout)
        self.assertIn("2 lost (100.0%)", result.stdout)

    def test_reasons_are_passed_on(self):
        result = self.handfast("probe", "10.9.0.1:83", "--count", "1", "--close", "rst")
        self.assertIn("unresolved: no answer for 10.9.0.1, rst\n", result.stdout)

    def test_what_cannot_change_is_not_repeated(self):
        result = self.handfast("probe", "10.9.0.1:84", "--count", "5", "--interval", "0")
        self.assertEqual(result.returncode, 1)
        self.assertIn("1 probe,", result.stdout)

    def test_options_reach_the_engine(self):
        self.handfast("probe", "10.9.0.1:80", "--count", "1", "--close", "rst", "--timeout", "1.5")
        self.assertIn("/handfast/probe,10.9.0.1,80,rst,1500", self.engine.asked)

    def test_interrupt_ends_with_the_summary(self):
        with subprocess.Popen([HANDFAST, "probe", "10.9.0.1:80", "--count", "0"], text=True,
                              env=self.environment, stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 0)
        self.assertIn("opened, 0 refused, 0 lost", said)

    def test_an_engine_without_probes_is_recognised(self):
        self.engine.raw["/handfast/probe,10.9.0.1,80,fin,3000"] = b'{"/handfast/probe":null}'
        result = self.handfast("probe", "10.9.0.1:80")
        self.assertEqual(result.returncode, 1)
        self.assertIn("another version", result.stderr)

    def test_nonsense_is_a_usage_error(self):
        good = "10.9.0.1:80"
        for words in ([], ["10.9.0.1"], ["10.9.0.1:0"], ["10.9.0.1:65536"], ["10.9.0.1:"],
                      ["fd00::1:80"], ["[fd00::1]"], ["[fd00::1]80"], ["host:80"], [":80"],
                      ["]:80"], [good, good], [good, "--close", "no"], [good, "--count", "-1"],
                      [good, "--timeout", "0"], [good, "--timeout", "61"],
                      [good, "--interval", "nan"]):
            result = self.handfast("probe", *words)
            self.assertEqual((result.returncode, result.stdout), (2, ""), words)
            self.assertIn("handfast probe: ", result.stderr)
        self.assertEqual(self.engine.probes, 0)


class Act(Asking):
    """conns close, shutdown, reset."""

    def test_a_connection_is_named_as_it_is_listed(self):
        result = self.handfast("conns", "close", "web", "fd00::1", "1000")
        self.assertEqual((result.returncode, result.stdout), (0, "close: 1 connection\n"))
        self.assertIn("/handfast/conn_act,close,web,fd00::1,1000", self.engine.asked)

    def test_or_by_address_and_port(self):
        for act in ("close", "shutdown", "reset"):
            result = self.handfast("conns", act, "10.9.0.1:1000")
            self.assertEqual(result.returncode, 0)
            self.assertIn("/handfast/conn_act,%s,*,10.9.0.1,1000" % act, self.engine.asked)

    def test_nothing_done_is_a_failure_with_a_reason(self):
        for port, reason in (("1001", "closing already"), ("1002", "no such connection")):
            result = self.handfast("conns", "close", "web", "10.9.0.1", port)
            self.assertEqual(result.returncode, 1)
            self.assertIn(reason, result.stderr)

    def test_nonsense_is_a_usage_error(self):
        for words in (["close"], ["close", "web"], ["close", "web", "10.9.0.1"],
                      ["close", "a,b", "10.9.0.1", "1000"], ["open", "10.9.0.1:1000"],
                      ["close", "web", "10.9.0.1", "1000", "more"]):
            self.assertEqual(self.handfast("conns", *words).returncode, 2, words)


if __name__ == "__main__":
    HANDFAST = sys.argv[1]
    unittest.main(argv=sys.argv[:1])
