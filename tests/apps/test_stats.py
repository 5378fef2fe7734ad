#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The telemetry clients `stats`, `top` and `conns` against a made-up engine.

    test_stats.py HANDFAST
"""

import json
import os
import pty
import select
import statistics
import subprocess
import sys
import tempfile
import time
import unittest

from fake_telemetry import FakeEngine

HANDFAST = ""
LOOKS = 5  # at rates: a machine that stands still spoils two of them


class Clients(unittest.TestCase):
    """Verbs whose output is a pipe."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        self.environment = dict(os.environ, RUNTIME_DIRECTORY=self.directory)

    def engine(self, **options):
        engine = FakeEngine(self.directory, **options).start()
        self.addCleanup(engine.stop)
        return engine

    def handfast(self, *arguments):
        return subprocess.run([HANDFAST, *arguments], env=self.environment, timeout=60,
                              capture_output=True, text=True, check=False)

    def lines(self, count, *arguments):
        """The first lines of a verb that would go on for ever."""
        with subprocess.Popen([HANDFAST, *arguments], env=self.environment, text=True,
                              stdout=subprocess.PIPE) as process:
            try:
                return [process.stdout.readline() for _ in range(count)]
            finally:
                process.terminate()

    def test_no_instance_is_said_and_fails(self):
        result = self.handfast("stats")
        self.assertEqual(result.returncode, 1)
        self.assertIn('no instance "handfast" runs', result.stderr)

    def test_other_instances_are_offered(self):
        self.engine(instance="lab")
        result = self.handfast("stats")
        self.assertIn("running instances: lab", result.stderr)
        self.assertEqual(self.handfast("stats", "--instance", "lab", "--json").returncode, 0)

    def test_instance_names_cannot_leave_the_directory(self):
        self.assertEqual(self.handfast("stats", "--instance", "../x").returncode, 2)

    def test_screen_shows_rates_of_one_second(self):
        self.engine()
        result = self.handfast("stats")
        self.assertEqual(result.returncode, 0, result.stderr)
        total = next(line for line in result.stdout.split("\n") if line.startswith("total"))
        rate = total.split()[1]
        self.assertRegex(rate, r"^(3\.9|4\.0|4\.1)\dk$")
        self.assertEqual(total.split()[-1], "16,226")
        self.assertIn("p50 38us", result.stdout)
        self.assertIn("p99.9 20.4ms", result.stdout)
        self.assertIn("max 12.4s  of 1,234,567", result.stdout)
        self.assertIn("not_a_syn 12", result.stdout)
        self.assertNotIn("table_full", result.stdout)

    def test_consumed_packets_are_not_counted_as_drops(self):
        self.engine()
        result = self.handfast("stats")
        total = next(line for line in result.stdout.split("\n") if line.startswith("total"))
        self.assertEqual(total.split()[-2], "0")

    def test_json_is_one_object_with_whole_numbers(self):
        self.engine()
        result = self.handfast("stats", "--json")
        self.assertEqual(result.stdout.count("\n"), 1)
        report = json.loads(result.stdout, parse_float=self.fail)
        self.assertEqual(report["schema"], 1)
        self.assertEqual(len(report["workers"]), 2)
        self.assertEqual(report["ports"][0]["counters"]["drop_not_a_syn"], 12)
        self.assertNotIn("rates_per_second", report)

    def test_watch_without_a_terminal_prints_key_value_lines(self):
        self.engine()
        rates = []
        for line in self.lines(LOOKS, "stats", "--watch=0.2"):
            pairs = dict(word.split("=") for word in line.split())
            self.assertEqual(pairs["conns"], "16226")
            rates.append(int(pairs["opened_per_s"]))
        self.assertAlmostEqual(statistics.median(rates), 4000, delta=400)

    def test_watch_with_json_has_rates(self):
        self.engine()
        rates = [json.loads(line)["rates_per_second"]["opened"]
                 for line in self.lines(LOOKS, "stats", "--watch=0.2", "--json")]
        self.assertAlmostEqual(statistics.median(rates), 4000, delta=400)

    def test_watching_ends_with_the_engine(self):
        engine = self.engine()
        with subprocess.Popen([HANDFAST, "stats", "--watch=0.1"], env=self.environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            process.stdout.readline()
            engine.stop()
            _, errors = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 1)
        self.assertIn("stopped", errors)

    def test_lists_longer_than_an_answer_are_read_in_pages(self):
        engine = self.engine(services=1000, workers=128)
        report = json.loads(self.handfast("stats", "--json").stdout)
        self.assertEqual([each["name"] for each in report["services"]],
                         ["service%d" % i for i in range(1000)])
        self.assertEqual(len(report["workers"]), 128)
        self.assertIn("/handfast/services,0", engine.asked)

    def test_backends_are_shown_with_state_and_handshakes(self):
        self.engine()
        lines = [line for line in self.handfast("stats").stdout.split("\n")
                 if line.startswith("backend")]
        self.assertEqual(len(lines), 2)
        self.assertRegex(lines[0], r"web +10\.8\.0\.0:80 +up +weight 1  conns 1,000  new [12]\.\d\d?k/s"
                                   r"  failed 0  handshake p50 120us p99 15\.0ms  check good$")
        self.assertRegex(lines[1], r"10\.8\.0\.1:80 +down .* failed 3 .* check refused$")

    def test_many_backends_are_read_in_pages(self):
        self.engine(backends=700)
        report = json.loads(self.handfast("stats", "--json").stdout)
        self.assertEqual([each["backend"] for each in report["backends"]],
                         ["10.8.0.%d:80" % i for i in range(700)])

    def test_rules_are_read_in_pages(self):
        self.engine()
        result = self.handfast("stats", "rules")
        self.assertEqual(len(result.stdout.splitlines()), 250)
        self.assertEqual(result.stdout.splitlines()[249],
                         "751 LISTEN SYN -> SYN_RECEIVED row 249")

    def test_conns_lists_every_worker(self):
        self.engine(conns=250)
        result = self.handfast("conns")
        self.assertEqual(len(result.stdout.splitlines()), 1 + 2 * 250)

    def test_conns_stops_at_the_limit_and_says_so(self):
        self.engine(conns=250)
        result = self.handfast("conns", "--limit", "7")
        self.assertEqual(len(result.stdout.splitlines()), 1 + 7)
        self.assertIn("stopped after 7", result.stderr)

    def test_conns_of_a_service_as_json(self):
        self.engine(conns=9)
        result = self.handfast("conns", "--service", "service1", "--json")
        rows = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertEqual(len(rows), 2 * 3)
        self.assertEqual(rows[0], {"schema": 1, "service": "service1", "address": "2001:db8::1",
                                   "port": 1025, "state": "ESTABLISHED", "snd_una": 4294967295,
                                   "snd_nxt": 1, "rcv_nxt": 2, "retries": 0, "timer_ms": "0s"})

    def test_another_dpdk_program_is_recognised(self):
        engine = self.engine()
        engine.raw["/handfast/info"] = b'{"/handfast/info":null}'
        result = self.handfast("stats")
        self.assertEqual(result.returncode, 1)
        self.assertIn("some other DPDK program", result.stderr)

    def test_an_answer_that_is_not_json_is_an_error(self):
        engine = self.engine()
        engine.raw["/handfast/info"] = b'{"/handfast/info":'
        result = self.handfast("stats")
        self.assertEqual(result.returncode, 1)
        self.assertIn("not JSON", result.stderr)

    def test_bad_intervals_are_usage_errors(self):
        for interval in ("0", "-1", "nan", "1x", "1e9"):
            self.assertEqual(self.handfast("stats", "--watch=" + interval).returncode, 2)


class Top(Clients):
    """On a terminal.  Runs none of the tests above again."""

    def on_terminal(self, keys, **variables):
        process_id, terminal = pty.fork()
        if process_id == 0:
            os.environ.update(RUNTIME_DIRECTORY=self.directory, TERM="xterm", **variables)
            os.execv(HANDFAST, [HANDFAST, "top", "--interval", "0.3"])
        output = b""
        deadline = time.monotonic() + 10
        sent = False
        while time.monotonic() < deadline:
            if not select.select([terminal], [], [], 0.1)[0]:
                continue
            try:
                output += os.read(terminal, 65536)
            except OSError:
                break
            if not sent and b"drops" in output:
                os.write(terminal, keys)
                sent = True
        _, status = os.waitpid(process_id, 0)
        os.close(terminal)
        return os.waitstatus_to_exitcode(status), output.decode()

    def test_q_leaves_and_shows_the_cursor_again(self):
        self.engine()
        code, output = self.on_terminal(b"q")
        self.assertEqual(code, 0, output)
        self.assertIn("\033[H", output)
        self.assertIn("\033[1m", output)
        self.assertTrue(output.endswith("\033[?25h"), repr(output[-40:]))

    def test_interrupt_leaves_and_shows_the_cursor_again(self):
        self.engine()
        code, output = self.on_terminal(b"\003")
        self.assertEqual(code, 0, output)
        self.assertTrue(output.endswith("\033[?25h"), repr(output[-40:]))

    def test_no_color_means_no_bold(self):
        self.engine()
        _, output = self.on_terminal(b"q", NO_COLOR="1")
        self.assertNotIn("\033[1m", output)


def load_tests(loader, _tests, _pattern):
    suite = loader.loadTestsFromTestCase(Clients)
    for name in loader.getTestCaseNames(Top):
        if name in Top.__dict__:
            suite.addTest(Top(name))
    return suite


if __name__ == "__main__":
    HANDFAST = sys.argv[1]
    unittest.main(argv=sys.argv[:1])
