#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""handfast-load's command line: what cannot be meant is refused before anything is sent.

    test_load.py HANDFAST_LOAD
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
import unittest

HANDFAST_LOAD = ""
ENOUGH = ("--port", "null:", "--address", "10.0.0.1/16", "--target", "10.0.0.2:80")
LARGEST = 268435456
# A run of a moment, which needs nothing of the machine.
QUICK = ("--target-mac", "02:00:00:00:00:01", "--exchange", "syn", "--count", "10", "--workers",
         "1", "--connections", "1024", "--memory", "none", "--idle", "sleep")


def catches(pid: int, number: int, how: str = "SigCgt") -> bool:
    """Whether a process has a handler of a signal, or has it blocked (SigBlk)."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        caught = re.search(how + r":\s+([0-9a-f]+)", file.read()).group(1)
    return int(caught, 16) >> number - 1 & 1 == 1


class Refusals(unittest.TestCase):
    """Exit code 2, and a line that names what was wrong."""

    def refused(self, said: str, *words: str) -> None:
        """These words beside enough others are refused, and this is said."""
        done = subprocess.run([HANDFAST_LOAD, *ENOUGH, *words], capture_output=True, text=True,
                              check=False, timeout=60)
        self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
        self.assertTrue(done.stderr.startswith("handfast-load: " + said), done.stderr)

    def test_values_are_shown_as_they_were_given(self):
        for option, value, allowed in (
                ("--sources", "10.0.0.0/33", "PREFIX/LENGTH"), ("--count", "0", "a number from 1"),
                ("--sources", "", "PREFIX/LENGTH"), ("--sources", " ,", "PREFIX/LENGTH"),
                ("--source-ports", "4294968320-4294968330", "FIRST-LAST"),
                ("--source-ports", "1-65536", "FIRST-LAST"),
                ("--target", "10.0.0.2:80,x", "ADDRESS:PORT"), ("--rate", "0", "a number from 0.0001"),
                ("--target", "fd00::1:80", "ADDRESS:PORT or [IPV6-ADDRESS]:PORT"),
                ("--target", "10.0.0.2:0", "ADDRESS:PORT"), ("--duration", "-1s", "a time such "),
                ("--concurrency", "1e9", "a number from 1 to 268435456"),
                ("--max-failures", "x%", "a number from 0 on, or a share from 0% to 100%"),
                # Infinite, and with gaps that no counter holds.
                ("--rate", "1e308G", "a number "), ("--rate", "1e-9", "a number from 0.0001"),
                ("--min-rate", "1e308G", "a number "), ("--max-failures", "1e308G", "a number "),
                ("--max-failures", "101%", "a number "), ("--source-ports", "5-1", "FIRST-LAST"),
                ("--exchange", "http", "syn, handshake, "), ("--close", "me", "peer or us")):
            self.refused(f'{option} "{value}": must be {allowed}', option, value)

    def test_settings_are_named_by_their_options(self):
        for option, value, said in (("--vlan", "5000", ": 5000 is above 4094\n"),
                                    ("--gateway", "1.2.3", ': "1.2.3" is no IP address\n'),
                                    ("--memory-size", "1", ": 1 is below 16MiB\n"),
                                    ("--idle", "x", ' cannot be "x"\n  hint: idle is spin, ')):
            self.refused(option + said, option, value)

    def test_hints_name_options_and_no_lines(self):
        for words, said in (
                (("--workers", "[0,1]", "--main-core", "0"),
                 "--main-core 0 is a worker's core, too\n  hint: the control thread needs a core of "
                 "its own: workers are given by --workers\n"),
                (("--mtu", "1000", "--address", "fd00::1/64"),
                 "--address: an IPv6 address needs an mtu of 1280\n  hint: mtu is given by --mtu\n"),
                (("--address", "10.0.0.1/16"), "--address: address 10.0.0.1 is taken already\n"
                 "  hint: the other one is given by --address\n")):
            self.refused(said, *words)

    def test_a_target_is_somebody_else(self):
        for address, target in (("10.0.0.1", "10.0.0.1:80"), ("fd00::1", "[fd00::1]:80")):
            done = subprocess.run([HANDFAST_LOAD, "--port", "null:", "--address",
                                   "10.0.0.1/24,fd00::1/64", "--target", target],
                                  capture_output=True, text=True, check=False, timeout=60)
            self.assertEqual((done.returncode, done.stderr), (
                2, f"handfast-load: --target: {address} is our own address, given by "
                   "--address\n"))

    def test_a_source_is_named_once(self):
        """What is in two prefixes would be counted, and used, twice."""
        for sources, said in (("10.0.0.0/16,10.0.1.0/24", "10.0.0.0/16 and 10.0.1.0/24"),
                              ("10.0.1.0/24,10.0.0.0/16", "10.0.1.0/24 and 10.0.0.0/16"),
                              ("10.0.0.9,10.0.1.9,10.0.0.9", "10.0.0.9/32 and 10.0.0.9/32"),
                              ("10.0.0.0/30,fd00::7,fd00::/64", "fd00::7/128 and fd00::/64")):
            self.refused(f"--sources: {said} overlap; name each address once\n", "--sources",
                         sources)
        first, second = "10.0.0.0/17,10.0.128.0/25", "10.0.128.64/26"
        self.refused("--sources: 10.0.128.0/25 and 10.0.128.64/26 overlap", "--sources", first,
                     "--sources", second)

    def test_what_the_exchange_has_no_use_for_is_refused(self):
        for exchange in ("syn", "handshake", "open-close", "idle", "forged-ack", "rst-flood"):
            self.refused("--path, --send, ", "--exchange", exchange, "--send", "x")
        self.refused("--path, --send, ", "--path", "/x")
        for exchange in ("syn", "idle", "forged-ack", "rst-flood"):
            self.refused("--max-p99 is for ", "--exchange", exchange, "--max-p99", "10s")
        self.refused("--requests is for ", "--exchange", "request", "--requests", "3")
        self.refused("--expect-bytes is for ", "--exchange", "request", "--expect-bytes", "3")
        self.refused("--path, --send and ", "--exchange", "request", "--path", "/x", "--send", "x")
        for exchange in ("syn", "handshake", "open-close", "idle", "forged-ack", "rst-flood"):
            self.refused("--close is for ", "--exchange", exchange, "--close", "peer")
        for exchange in ("syn", "handshake", "idle", "forged-ack", "rst-flood"):
            self.refused("--third-ack is for ", "--exchange", exchange, "--third-ack", "ride")
        self.refused("--spacing is for --rate", "--spacing", "even")

    def test_who_ends_an_answer_by_closing_closes_first(self):
        for words in (("--send", "x"), ("--send-file", "/dev/null")):
            for more in (("request",), ("keepalive", "--requests", "1")):
                self.refused("--close us needs --expect-bytes", "--close", "us", *words,
                             "--exchange", *more)

    def test_what_knows_no_connections_is_told_nothing_of_them(self):
        for exchange in ("syn", "forged-ack", "rst-flood"):
            self.refused("--exchange syn, forged-ack and rst-flood open no connections",
                         "--exchange", exchange, "--concurrency", "256", "--rate", "1k")
            self.refused("--exchange syn, forged-ack and rst-flood repeat nothing", "--exchange",
                         exchange, "--retries", "3")
        for exchange in ("syn", "idle", "forged-ack", "rst-flood"):
            self.refused("--exchange syn, idle, forged-ack and rst-flood wait for no answer",
                         "--exchange", exchange, "--timeout", "10s")
        for exchange in ("forged-ack", "rst-flood"):
            self.refused("--timestamps are offered in a SYN", "--exchange", exchange,
                         "--timestamps")
        self.refused("--exchange idle takes its tuples in turn", "--exchange", "idle", "--order",
                     "random")

    def test_ramps_without_effect_are_refused(self):
        for exchange in ("syn", "idle", "forged-ack", "rst-flood"):
            self.refused("--exchange syn, idle, forged-ack and rst-flood go as fast as they can "
                         "without --rate", "--exchange", exchange, "--ramp-up", "1s")
        for exchange in ("syn", "forged-ack", "rst-flood"):
            self.refused("--exchange syn, idle, ", "--exchange", exchange, "--ramp-down", "1s")
        for more in ((), ("--rate", "1k")):
            self.refused("--exchange idle holds its connections to the end", "--exchange", "idle",
                         "--ramp-down", "1s", *more)
        self.refused("--ramp-down follows a --duration: name one", "--count", "5", "--ramp-down",
                     "5s")

    def test_a_path_is_one_of_a_request_line(self):
        """RFC 9112 3.2: blanks and line ends would make another request of it."""
        for path in ("", "x", "/a b", "/a\r\nX: y", "/a\n", "/\t", "/a#b", "/a|b", "/\xe9", "/%",
                     "/%4", "/%4g", "/a\\b", '/"', "/[a]", "/\x7f"):
            self.refused('--path "', "--exchange", "request", "--path", path)
        # It is taken, and something else is not.
        self.refused("--path, --send and ", "--exchange", "request", "--send", "x", "--path",
                     "/-._~!$&'()*+,;=:@/a%C3%a9?b=/?&0")

    def test_escapes_are_whole(self):
        """The g of \\x4g was lost; what is no escape may have been meant as one."""
        for text in (r"a\x4gb", r"\x4", r"\x", r"a\q", "a\\"):
            self.refused("--send: behind a \\ comes ", "--exchange", "request", "--send", text)
        for text in (r"\x4fk\r\n\t\\", r"\xfF"):
            self.refused("several raw requests", "--exchange", "keepalive", "--send", text)

    def test_a_peer_closes_behind_one_http_request(self):
        """Each of several would ask it to close, and it would do so behind the first answer."""
        words = ("--exchange", "keepalive", "--close", "peer")
        for more in ((), ("--requests", "2"), ("--path", "/x")):
            self.refused("--close peer is for one HTTP request", *words, *more)


class Room(unittest.TestCase):
    """Exit code 2 when a closed loop cannot have as many connections at once as it is to have."""

    def run_with(self, *words: str) -> subprocess.CompletedProcess:
        """A short run of one worker."""
        return subprocess.run([HANDFAST_LOAD, *ENOUGH, *QUICK, "--duration", "10ms", "--drain",
                               "1ms", "--quiet", *words], capture_output=True, text=True,
                              check=False, timeout=60)

    def test_tuples_for_all(self):
        few = ("--source-ports", "4000-4002", "--sources", "10.0.0.8,10.0.0.9")
        for exchange in ("handshake", "open-close", "request", "keepalive"):
            done = self.run_with("--exchange", exchange, "--count", "7", "--concurrency", "7", *few)
            self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
            self.assertTrue(done.stderr.endswith(
                "handfast-load: --concurrency 7: there are 6 tuples of source address, port and "
                "target; name more --sources or --source-ports, or lower --concurrency\n"),
                done.stderr)
        for words in (("--concurrency", "6"), ("--count", "6"), ("--rate", "1k"),
                      ("--exchange", "syn")):
            done = self.run_with("--exchange", "open-close", "--count", "7", *few, *words)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_places_for_all(self):
        words = ("--exchange", "open-close", "--connections", "64", "--concurrency", "1000")
        done = self.run_with(*words, "--count", "1000")
        self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
        self.assertRegex(done.stderr, r"handfast-load: --concurrency 1000: 1 worker with "
                         r"--connections for \d+; raise --connections, or lower --concurrency\n$")
        self.assertEqual(self.run_with(*words, "--count", "64").returncode, 0)


class Capacity(unittest.TestCase):
    """Exit code 4, before any memory is taken, and the option to lower."""

    def refused(self, pattern: str, *words: str) -> None:
        """These words are refused so."""
        done = subprocess.run([HANDFAST_LOAD, *ENOUGH, *QUICK, *words], capture_output=True,
                              text=True, check=False, timeout=60)
        self.assertEqual((done.returncode, done.stdout), (4, ""), done.stderr)
        self.assertRegex(done.stderr, "^handfast-load: " + pattern)

    def test_workers_without_cores(self):
        cores = len(os.sched_getaffinity(0))
        if cores == 128:
            self.skipTest("as many as there can be workers")
        self.refused(rf"--workers: {cores + 1} workers, and this process may use {cores} cores?; "
                     rf"use at most {cores}\n$", "--workers", str(cores + 1))

    def test_memory_that_is_not_there(self):
        with open("/proc/meminfo", encoding="ascii") as file:
            available = int(re.search(r"MemAvailable:\s+(\d+)", file.read()).group(1)) << 10
        # A table has a line of 64 bytes for each, at least.
        cores = len(os.sched_getaffinity(0))
        if available > cores * LARGEST * 64:
            self.skipTest("so much memory")
        self.refused(r"\d+ MiB of memory are needed, and \d+ MiB are free; lower --concurrency or "
                     r"--connections\n$", "--connections", str(LARGEST), "--workers", str(cores))


class Text(unittest.TestCase):
    """The report for people."""

    def test_few_are_told_with_their_fraction(self):
        done = subprocess.run([HANDFAST_LOAD, *ENOUGH, *QUICK, "--count", "1", "--rate", "0.5"],
                              capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("0.5 starts/s", done.stdout)
        self.assertIn("1 packet per connection", done.stdout)

    def test_packets_are_counted_by_who_closes(self):
        """The peer's FIN rides on its last answer, ours does not."""
        raw = ("--send", "x", "--expect-bytes", "1")
        for words, packets in ((("keepalive", "--requests", "7"), 19),
                               (("keepalive", "--requests", "7", "--third-ack", "alone"), 20),
                               (("keepalive", "--requests", "7", "--close", "peer", *raw), 18),
                               (("keepalive", "--requests", "1", "--close", "peer"), 6),
                               (("keepalive", "--requests", "1", *raw[:2]), 6),
                               (("keepalive", "--requests", "1", *raw), 7),
                               (("request",), 6), (("request", "--close", "us"), 7)):
            done = subprocess.run([HANDFAST_LOAD, *ENOUGH, *QUICK, "--duration", "10ms", "--drain",
                                   "1ms", "--quiet", "--exchange", *words], capture_output=True,
                                  text=True, check=False, timeout=60)
            self.assertTrue(done.stdout.startswith(f"{words[0]}, {packets} packets each"),
                            (words, done.stdout, done.stderr))

    def test_syns_that_the_end_cut_off_are_told_as_such(self):
        """One repetition of three was sent, after a second."""
        done = subprocess.run([HANDFAST_LOAD, *ENOUGH, *QUICK, "--exchange", "open-close",
                               "--duration", "100ms", "--drain", "1500ms", "--quiet"],
                              capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("retransmitted: 10 SYN", done.stdout)
        self.assertRegex(done.stdout, r"\n +10  no_syn_ack +no answer to the SYN, repeated "
                         r"--retries times or until the run ended\n")


class Lines(unittest.TestCase):
    """The JSON lines of a run."""

    def run_for(self, duration: str, stop: float = 0.0) -> tuple:
        """Its seconds, and its end; stopped for so long after the first second."""
        words = ("--workers", "1", "--memory", "none", "--target-mac", "02:00:00:00:00:01",
                 "--exchange", "syn", "--duration", duration, "--json", "--quiet")
        with subprocess.Popen([HANDFAST_LOAD, *ENOUGH, *words], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            lines = [json.loads(process.stdout.readline()) for _ in range(2)]
            if stop:
                process.send_signal(signal.SIGSTOP)
                time.sleep(stop)
                process.send_signal(signal.SIGCONT)
            rest, said = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, said)
        lines += map(json.loads, rest.splitlines())
        return lines[1:-1], lines[-1]

    def test_seconds_add_up_to_the_end(self):
        """Though frames come, and workers turn, after the end as before it."""
        seconds, end = self.run_for("1200ms")
        for kind in ("figures", "failed"):
            sums = {name: sum(second[kind][name] for second in seconds) for name in end[kind]}
            self.assertEqual(sums, end[kind])
        self.assertGreater(end["figures"]["packets_received"], 0)

    def test_a_stopped_process_tells_one_long_second(self):
        """It used to catch up line by line, with seconds of microseconds, busy 11 times over."""
        seconds, end = self.run_for("6s", stop=3.2)
        lengths = [second["seconds"] for second in seconds]
        self.assertEqual(len([length for length in lengths if length > 2]), 1, lengths)
        # The last one is what was left of a second.
        self.assertGreaterEqual(min(lengths[:-1]), 0.4, lengths)
        self.assertTrue(all(second["t"] % 1 < 0.3 for second in seconds if second["seconds"] < 2),
                        "back in step")
        self.assertLessEqual(max(line["busy"] for line in (*seconds, end)), 1)


class Signals(unittest.TestCase):
    """It ends when it is told to, also before it has begun."""

    def test_a_signal_ends_the_search_for_the_target(self):
        words = ("--workers", "1", "--connections", "1024", "--memory", "none", "--resolve", "1m")
        for number in (signal.SIGINT, signal.SIGTERM):
            with subprocess.Popen([HANDFAST_LOAD, *ENOUGH, *words, "--json"], text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
                until = time.monotonic() + 20
                while not catches(process.pid, number) and time.monotonic() < until:
                    time.sleep(0.02)
                process.send_signal(number)
                lines, said = process.communicate(timeout=20)
            self.assertEqual((process.returncode, lines), (128 + number, ""), said)
            self.assertTrue(said.endswith("stopped before the first start\n"), said)


    def test_a_signal_is_not_lost_when_nothing_is_waited_for(self):
        """It comes while DPDK starts, and is taken as the run begins, without ARP or a delay."""
        words = ("--target-mac", "02:00:00:00:00:01", "--workers", "1", "--connections", "1024",
                 "--memory", "none", "--idle", "sleep", "--exchange", "syn", "--rate", "1k",
                 "--duration", "5s", "--quiet")
        with subprocess.Popen([HANDFAST_LOAD, *ENOUGH, *words], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            until = time.monotonic() + 20
            while not catches(process.pid, signal.SIGTERM, "SigBlk") and time.monotonic() < until:
                time.sleep(0.002)
            process.send_signal(signal.SIGTERM)
            said = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 128 + signal.SIGTERM, said)


class Writing(unittest.TestCase):
    """Exit code 1 when what was to be told is lost, and a line that says where and why."""

    def lost(self, said: str, *words: str, out: str = os.devnull) -> None:
        """A run whose standard output is a file; this is said."""
        with open(out, "w", encoding="ascii") as file:
            done = subprocess.run([HANDFAST_LOAD, *ENOUGH, *QUICK, *words], stdout=file,
                                  stderr=subprocess.PIPE, text=True, check=False, timeout=60)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(done.stderr.count(f"handfast-load: {said}: No space left on device\n"), 1,
                         done.stderr)

    def test_rows_that_are_lost_are_missed(self):
        self.lost("/dev/full", "--csv", "/dev/full")

    def test_lines_that_are_lost_are_missed(self):
        self.lost("standard output", "--json", out="/dev/full")
        self.lost("standard output", out="/dev/full")
        self.lost("standard output", "--help", out="/dev/full")

    def test_nothing_else_has_the_number_of_a_closed_standard_output(self):
        words = ("--workers", "1", "--connections", "1024", "--memory", "none", "--resolve", "1m")
        with subprocess.Popen(["sh", "-c", 'exec "$@" >&-', "sh", HANDFAST_LOAD, *ENOUGH, *words],
                              stderr=subprocess.PIPE, text=True) as process:
            until = time.monotonic() + 20
            while not catches(process.pid, signal.SIGTERM) and time.monotonic() < until:
                time.sleep(0.02)
            at = os.readlink(f"/proc/{process.pid}/fd/1")
            process.terminate()
            said = process.communicate(timeout=20)[1]
        self.assertEqual(at, os.devnull)
        self.assertEqual(process.returncode, 128 + signal.SIGTERM, said)


if __name__ == "__main__":
    HANDFAST_LOAD = sys.argv[1]
    unittest.main(argv=sys.argv[:1])
