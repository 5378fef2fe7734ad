#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""`handfast bench`: its command line, and the page that it draws of what it measured.

    test_bench.py HANDFAST SOURCE_ROOT
"""

import html.parser
import importlib.machinery
import importlib.util
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

HANDFAST = SOURCE_ROOT = ""
VOID = {"meta", "line", "rect", "circle", "polyline", "br"}


def latencies(base: float) -> dict:
    """What handfast-load says of a run."""
    return {name: {"count": 9, "p50": base, "p90": 2 * base, "p99": 3 * base, "p99.9": 5 * base,
                   "p99.99": 8 * base, "max": 9 * base}
            for name in ("connect", "first_byte", "close")}


def contestant(rate: float) -> dict:
    """What bench.py says of one side of a comparison."""
    return {"rate": {"median": rate, "q1": rate * 0.9, "q3": rate * 1.1},
            "rates": [rate * 0.9, rate, rate * 1.1], "packets_per_connection": 6,
            "packets_per_connection_seen": 6.0, "latency_us": latencies(20), "failures": 0,
            "retransmits": 0, "engine_share": 0.99, "engine_busy": 0.95, "generator_busy": 0.9,
            "engine_rss_mib": 60, "cycles_per_connection": 900, "cycles_per_packet": 150, "failures_of_all": 0,
            "series": [{"t": second, "rate": rate, "phase": "sustain"} for second in (1, 2)]}


def document() -> dict:
    """Every kind of result once."""
    packets = {"packets_per_connection": 6, "packets_per_connection_seen": 6.25}
    flood = [{"times": times, "arrived_times": times * 0.9, "flood_rate": times * 1e6, "rate": 1e5,
              **packets, "completed_share": 1.0, "failures": 0, "engine_rss_mib": 70,
              "cycles_per_syn": 300, "cookies": 1, "latency_us": latencies(30)} for times in (0, 1, 3, 10)]
    curve = [{"offered": step * 1e6, "done": min(step, 1) * 1e6, "lost": 0, "lost_share": 0.0,
              "failures": 0, "retransmits": 0, "kept": 0.99, "past_knee": step > 0.85, "core_to_core_ns": 90, "p50_us": 9, "p99_us": 90,
              **packets} for step in (0.5, 1.0, 1.5)]
    return {
        "schema": 1,
        "environment": {"cpu": "a <CPU> & more", "cpus": 2, "engine_core": 1, "generator_core": 0,
                        "kernel": "6.1", "system": "Linux", "dpdk": "DPDK 22.11", "handfast": "0.1",
                        "commit": "abc", "compiler": "gcc", "memory_mib": 1, "free_hugepages": 0,
                        "date": "today", "load_average": 0.5},
        "settings": {"repetitions": 3, "seconds": 2.0, "concurrency": 512, "memory": "none",
                     "priority": True},
        "results": [
            {"name": "syn", "rows": [{"case": "syn4", "pps": 20e6, "ns_per_packet": 50.0,
                                      "limit_pps": 30e6, "limit_ns_per_packet": 33.3,
                                      "pps_quartiles": BENCH.quartiles([18e6, 20e6, 22e6]),
                                      "limit_pps_quartiles": {"q1": 29e6, "median": 30e6,
                                                              "q3": 31e6},
                                      "ratio_quartiles": {"q1": 0.65, "median": 0.667, "q3": 0.7},
                                      "core_to_core_ns": {"q1": 90, "median": 91, "q3": 92},
                                      "ratio": 0.667, "core_share": 0.99}]},
            {"name": "open-close", "contestants": {"handfast": contestant(1e6),
                                                   "testpmd 5tswap, packets": contestant(9e6)},
             "core_to_core_ns": {"median": 100, "q1": 90, "q3": 110}, "load_average": 1.0,
             "ratio_to_limit": {"5tswap": 0.333}, "pairs_moved": {"5tswap": 0},
             "ratio_to_limit_runs": {"5tswap": [0.3, 0.333, 0.4]},
             "ratio_to_limit_quartiles": {"5tswap": {"median": 0.333, "q1": 0.317, "q3": 0.367}}},
            {"name": "table", "rows": [{"connections": size, "rate": {
                "median": 1e6, "q1": 9e5, "q3": 1.1e6}, **packets, "cycles_per_connection": 900,
                "failures": 0, "engine_rss_mib": size // 10000} for size in (10000, 1000000)]},
            {"name": "flood", "rows": flood},
            {"name": "search", "case": "open-close", "closed_loop": 1e6, "capacity": 1e6,
             "trials_of_a_load": 3, "ndr": 900000,
             "pdr": 950000, "trials": [{"offered": 900000, "rate": 899000.0}],
             "curve": curve, "plateau": 0.7, "plateau_kept": False},
            {"name": "idle", "rows": [
                {"what": "start-up", "unit": "ms", "values": [160, 170, 1010], "most": 1000},
                {"what": "handshake", "unit": "us", "values": [50, 60], "most": 0}]},
            {"name": "forward", "skipped": "this machine lacks <something>"},
        ],
    }


class Page(html.parser.HTMLParser):
    """Checks that elements close, and keeps what is looked for."""

    def __init__(self, text: str):
        super().__init__()
        self.open, self.seen, self.sections, self.words = [], {}, [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.seen[tag] = self.seen.get(tag, 0) + 1
        words = dict(attrs)
        for name in ("src", "onload"):
            assert name not in words, f"{tag} has {name}: the page is not self-contained"
        assert words.get("href", "#").startswith("#"), attrs
        if tag == "section":
            self.sections.append(words["id"])
        for name in ("points", "cx", "x1", "width"):
            assert "nan" not in words.get(name, "") and "inf" not in words.get(name, ""), attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in VOID:
            last = self.open.pop()
            assert last == tag, f"</{tag}> closes <{last}>"

    def handle_data(self, data):
        self.words.append(data)


def size_and_colours(png: bytes) -> tuple:
    """Width, height and the bytes of the picture's data: a blank page has hardly any."""
    width, height = struct.unpack("!II", png[16:24])
    return width, height, len(png)


class Bench(unittest.TestCase):
    """Nothing is measured here; the system tests do."""

    def run_bench(self, *arguments):
        """handfast bench with these words."""
        return subprocess.run([HANDFAST, "bench", *arguments], capture_output=True, text=True,
                              check=False, timeout=60)

    def test_senseless_words_are_usage_errors(self):
        for words in ((), ("nonsense",), ("syn", "--repetitions", "0"), ("syn", "--limit", "fast"),
                      ("open-close", "--cores", "x"), ("table", "--sizes", "1,b"),
                      ("search", "--precision", "0")):
            done = self.run_bench(*words)
            self.assertEqual(done.returncode, 2, f"{words}: {done.stderr}")
            self.assertIn("handfast bench: ", done.stderr)

    def test_refused_values_are_named_with_what_is_allowed(self):
        seconds, sizes = "a number from 0.2 to 86400", "a whole number from 1 to 200000000"
        times, clients = "a whole number from 0 to 1000", "a whole number from 1 to 8388608"
        for words, refused, allowed in (
                (("open-close", "--seconds", "nan"), "nan", seconds),
                (("open-close", "--seconds", "inf"), "inf", seconds),
                (("open-close", "--repetitions", "1.5"), "1.5", "a whole number from 1 to 1000000"),
                (("table", "--sizes", "-5"), "-5", sizes),
                (("table", "--sizes", "10,0"), "0", sizes),
                (("flood", "--flood-times", "0,-1"), "-1", times),
                (("flood", "--flood-times", "1,3"), "1,3", "a list that begins with 0, no flood"),
                (("flood", "--flood-clients", "0"), "0", clients),
                (("flood", "--flood-times", "0"), "0", "a list that begins with 0, no flood"),
                (("open-close", "--report", ""), "", "a file's name"),
                (("open-close", "--against", "/nonexistent"), "/nonexistent", "an executable file"),
                (("open-close", "--against", "/etc/passwd"), "/etc/passwd", "an executable file"),
                (("open-close", "--against", "/"), "/", "an executable file"),
                (("--limit", "open-close"), "open-close",
                 "one of the modes 5tswap, macswap, io; write names before --limit"),
                (("search", "--precision", "nan"), "nan", "a number from 0.001 to 0.999"),
                (("open-close", "--cores", "\u00b2,0"), "\u00b2,0", "two of [")):
            done = self.run_bench(*words)
            self.assertEqual(done.returncode, 2, f"{words}: {done.stderr}")
            option = next(word for word in words if word.startswith("--"))
            self.assertIn(f"argument {option}: '{refused}' is not {allowed}", done.stderr)

    def test_options_that_no_name_uses_are_refused(self):
        for words in (("syn", "forged-ack", "--memory", "none"), ("table", "--limit"),
                      ("flood", "--against", "/bin/true"), ("table", "--zero-copy", "no"),
                      ("idle", "--concurrency", "9"), ("open-close", "--sizes", "9")):
            done = self.run_bench(*words)
            self.assertEqual(done.returncode, 2, f"{words}: {done.stderr}")
            option = next(word for word in words if word.startswith("--"))
            self.assertIn(f"argument {option}: ", done.stderr)
            self.assertIn(" would not use it, only ", done.stderr)
        asked = BENCH.parse(["syn", "open-close", "--memory", "huge", "--zero-copy", "no"])
        self.assertEqual([BENCH.ran_with(asked, name)["memory"] for name in asked.names],
                         ["none", "huge"])

    def test_huge_pages_that_nobody_has_are_refused_at_once(self):
        asked = BENCH.parse(["open-close", "--memory", "huge"])
        with mock.patch.object(BENCH, "free_huge_mib", lambda: 0), \
             self.assertRaises(BENCH.Trouble) as raised:
            BENCH.measured(asked)
        self.assertEqual(raised.exception.code, 2)

    def test_conditions_are_said_of_each_name(self):
        asked = BENCH.parse(["all", "--flood-clients", "7"])
        said = {name: REPORT.conditions({"name": name, "ran_with": BENCH.ran_with(asked, name)})
                for name in asked.names}
        self.assertEqual(said["flood"], "ran with memory: auto, 7 at once, the engine copies")
        self.assertEqual(said["syn"], "ran with memory: none")
        self.assertIn("512 at once, the engine lends its buffers", said["request"])
        self.assertEqual(said["forward"], "ran with memory: auto, the engine lends its buffers")
        self.assertIn("512 at once in closed loops, 65,536 in open ones",
                      said["search"])
        whole = document()
        whole["results"][1]["ran_with"] = BENCH.ran_with(asked, "open-close")
        for shown in (REPORT.text(whole), REPORT.page(whole)):
            self.assertIn(said["open-close"], shown)

    def test_what_is_asked_twice_is_done_once(self):
        asked = BENCH.parse(["open-close", "table", "open-close", "--limit", "io,5tswap,io",
                             "--sizes", "9,8,9"])
        self.assertEqual((asked.names, asked.limit, asked.sizes),
                         (["open-close", "table"], ["io", "5tswap"], [9, 8]))

    def test_accidents_are_said_everywhere(self):
        hurt = document()
        hurt["results"][2]["accidents"] = hurt["results"][6]["accidents"] = [
            "repetition 2: exit code -11 (SIGSEGV), its last words:\n<oh>"]
        self.assertEqual(REPORT.text(hurt).count("  accident: repetition 2: exit code -11"), 2)
        page = " ".join(Page(REPORT.page(hurt)).words)
        self.assertEqual(page.count("accident: repetition 2: exit code -11"), 4)
        self.assertEqual(page.count("<oh>"), 2)

    def test_a_page_that_cannot_be_written_leaves_the_old_one(self):
        with tempfile.TemporaryDirectory() as folder:
            asked = mock.Mock(report=f"{folder}/page.html")
            BENCH.write_page(asked, document())
            self.assertFalse(asked.unwritten)
            old = Path(asked.report).read_text(encoding="utf-8")
            writes = Path.write_text

            def full(path, text, **more):
                writes(path, text[:99], **more)
                raise OSError(28, "No space left on device")
            with mock.patch.object(Path, "write_text", full):
                BENCH.write_page(asked, document())
            self.assertTrue(asked.unwritten)
            self.assertEqual(Path(asked.report).read_text(encoding="utf-8"), old)
            self.assertEqual(os.listdir(folder), ["page.html"])

    def test_a_page_takes_no_place_of_a_pipe(self):
        with tempfile.TemporaryDirectory() as folder:
            asked = mock.Mock(report=f"{folder}/pipe")
            os.mkfifo(asked.report)
            # Open at both ends, so that nobody waits.
            pipe = os.open(asked.report, os.O_RDWR)
            with mock.patch.object(BENCH.report, "page", lambda _: "a page"), \
                 mock.patch.object(BENCH.signal, "signal"):
                BENCH.try_page(asked.report)
                for name in (asked.report, f"/dev/fd/{pipe}"):
                    asked.unwritten, asked.report = True, name
                    BENCH.end_page(asked, document())
                    self.assertFalse(asked.unwritten)
                    self.assertEqual(os.read(pipe, 99), b"a page")
            os.close(pipe)
            self.assertEqual(os.listdir(folder), ["pipe"])
            self.assertTrue(Path(folder, "pipe").is_fifo())
            # A pipe that nobody reads holds up nobody.
            BENCH.write_page(mock.Mock(report=f"{folder}/pipe"), document())
            with self.assertRaises(PermissionError):
                BENCH.try_page(folder)

    def test_the_plot_of_frames_has_the_medians(self):
        row = {"case": "syn4", "pps_quartiles": BENCH.quartiles([10e6, 23e6, 40e6]),
               "limit_pps_quartiles": BENCH.quartiles([40e6, 40e6, 40e6])}
        drawn = REPORT.syn_plots({"rows": [row]})
        self.assertIn(">23M<", drawn)

    def test_a_failed_page_or_an_accident_is_a_failure(self):
        for unwritten, accidents, code in ((False, [], 0), (True, [], 1), (False, ["x"], 1)):
            asked = mock.Mock(json=True, unwritten=unwritten)
            told = {"results": [{"name": "idle", "accidents": accidents}]}
            with mock.patch.object(BENCH, "parse", lambda _, asked=asked: asked), \
                 mock.patch.object(BENCH, "measured", lambda _, told=told: told), \
                 mock.patch.object(BENCH.signal, "signal"), mock.patch("builtins.print") as said:
                asked.report = None
                self.assertEqual(BENCH.main(), code)
            said.assert_called_once_with(json.dumps(told), flush=True)

    def test_page_has_every_result_and_nothing_from_elsewhere(self):
        text = REPORT.page(document())
        page = Page(text)
        self.assertEqual(page.open, [])
        self.assertEqual(page.sections, [one["name"] for one in document()["results"]])
        self.assertEqual(page.seen["table"], 6)
        self.assertEqual(page.seen["svg"], 1 + 3 + 2 + 2 + 2 + 1)
        self.assertNotIn("script", page.seen)
        self.assertNotIn("http", text)
        self.assertIn("a <CPU> & more", " ".join(page.words))

    def test_packets_stand_beside_every_rate_of_connections(self):
        # One row of open-close (testpmd's is of packets), and all of table, flood and search.
        said = REPORT.text(document())
        self.assertEqual(said.count("packets/conn"), 4)
        self.assertEqual(said.count(" 6 (6.25) "), 2 + 4 + 3)
        self.assertEqual(REPORT.page(document()).count("<td>6</td>"), 1)

    def test_missed_goals_are_said(self):
        text = REPORT.text(document())
        self.assertIn("missed: past the knee goodput stays within 10 % of the peak: at least 70.0% of it", text)
        self.assertIn("ok: at least 0.5 of 5tswap: 0.667", text)
        self.assertIn("ok: start-up: at most 1000 ms", text)
        self.assertIn("forward: this machine lacks <something>", text)

    def test_a_busy_machine_is_said(self):
        busy = document()
        self.assertNotIn("busy with other things", REPORT.text(busy))
        busy["results"][1]["contestants"]["handfast"]["engine_share"] = 0.28
        self.assertIn("careful: the machine was busy with other things: the engine had 28% of its "
                      "core", REPORT.text(busy))

    def test_a_shared_core_is_said(self):
        shared = document()
        shared["results"][1].update(one_core=True)
        shared["results"][1]["contestants"]["handfast"]["engine_share"] = 0.5
        said = REPORT.text(shared)
        self.assertIn("careful: engine and generator share a core", said)
        self.assertNotIn("busy with other things", said)

    def test_a_limit_under_other_conditions_is_said(self):
        unlike = document()
        self.assertIn("0.333 of the packets that testpmd 5tswap passes on the same port and core; "
                      "median of 3 pairs, quartiles 0.317 .. 0.367\n", REPORT.text(unlike))
        ours, limit = unlike["results"][1]["contestants"].values()
        limit["engine_share"], ours["core_to_core_ns"], limit["core_to_core_ns"] = 0.3, 90, 380
        self.assertIn("port and core; careful: testpmd had 30% of its core; careful: core to core "
                      "and back took 90 ns, and 380 ns while testpmd ran", REPORT.text(unlike))

    def test_a_limit_is_of_pairs_and_moved_cores_are_said(self):
        # The machine had two places: each pair is of one of them, but that the last one moved.
        asked = mock.Mock(repetitions=3, concurrency=512, seconds=1, limit=["io"], against=None)
        ours, limit = iter((5e6, 1e6, 5e6)), iter((20e6, 4e6, 4e6))
        places = iter((90, 90, 90, 400, 400, 90, 400))
        with mock.patch.object(CASES, "state", lambda _: {"core_to_core_ns": next(places),
                                                          "load_average": 1.0}), \
             mock.patch.object(BENCH, "run_once", lambda *_: {
                 "rate": next(ours), "packets_per_connection_seen": 6}), \
             mock.patch.object(BENCH, "limit_once", lambda *_: {"rate": next(limit)}):
            result = BENCH.measure_case(mock.Mock(cores=(0, 1)), "open-close", asked)
        self.assertEqual(result["ratio_to_limit"]["io"], 0.75)
        self.assertEqual(result["ratio_to_limit_runs"]["io"], [0.75, 0.75, 3.75])
        self.assertEqual(result["ratio_to_limit_quartiles"]["io"]["q3"], 2.25)
        self.assertEqual(result["pairs_moved"]["io"], 2)
        self.assertEqual(result["core_to_core_ns_runs"], [90, 90, 90, 400, 400, 90, 400])
        result["ratio_to_limit"]["io"] = 1.212
        said = REPORT.limit_note(result, "io")
        self.assertIn("careful: in 2 of 3 pairs the cores moved meanwhile; careful: above 1", said)

    def test_every_row_has_its_repetitions(self):
        asked = mock.Mock(repetitions=3, seconds=1, core_pair=(0, 1), sizes=[10], concurrency=1)
        rates = iter((3.0, 1.0, 2.0))
        with mock.patch.object(BENCH, "state", lambda _: {"core_to_core_ns": 90,
                                                          "load_average": 1.0}), \
             mock.patch.object(BENCH, "crowd_once", lambda *_: {
                     "rate": next(rates), "packets_per_connection": 6, "failures": 0,
                     "packets_per_connection_seen": 6, "cycles_per_connection": 1,
                     "engine_rss_mib": 1}):
            row = BENCH.measure_table(mock.Mock(), "table", asked)["rows"][0]
        self.assertEqual(row["rates"], [3.0, 1.0, 2.0])
        self.assertEqual(row["core_to_core_ns_runs"], [90, 90, 90])
        self.assertEqual(row["load_average"], 1.0)

    def syn(self, turns: tuple) -> dict:
        """What is said of three repetitions: nanoseconds of engine and testpmd, or what happens."""
        module, left, pace = BENCH.syn_ratio(), iter(turns), sys.modules["pace"]

        def measure(_):
            turn = next(left)
            if isinstance(turn, BaseException):
                raise turn
            return {"ns": turn, "packets": 1, "counters": {}, "best_ns_per_packet": 1, "share": 1.0}

        def start(*_):
            return mock.Mock(measure=measure)
        asked = BENCH.parse(["syn", "--repetitions", "3", "--seconds", "1"])
        asked.core_pair = (0, 1)
        with mock.patch.object(BENCH, "state", lambda _: {"core_to_core_ns": 90,
                                                          "load_average": 1.0}), \
             mock.patch.object(BENCH, "syn_ratio", lambda: module), \
             mock.patch.object(pace, "PACE", pace.Pace()), \
             mock.patch.dict(BENCH.SYN_CASES, {"syn": ("syn4",)}), \
             mock.patch.multiple(module, start_engine=start, start_testpmd=start,
                                 check_answers=lambda *_: None):
            return BENCH.measure_one(asked, "syn")

    def test_syn_ratios_are_of_pairs(self):
        row = self.syn((100, 50, 200, 150, 100, 80))["rows"][0]
        self.assertEqual(row["pps_runs"], [10_000_000, 5_000_000, 10_000_000])
        self.assertEqual(row["pps_quartiles"], {"q1": 7_500_000, "median": 10_000_000,
                                                "q3": 10_000_000})
        self.assertEqual((row["ratio_runs"], row["ratio"]), ([0.5, 0.75, 0.8], 0.75))
        self.assertEqual(row["core_to_core_ns_runs"], [90] * 4)

    def test_rounds_of_the_flood_path_outlive_what_ends_them(self):
        gone, turn = CASES.Gone("exit code -11 (SIGSEGV)"), "syn4, repetition 2 of 3: "
        for turns, runs, accidents in (
                ((100, 50, gone, 200, 150, 100, 80), [0.5, 0.75, 0.8], [f"{turn}measured once more: {gone}"]),
                ((100, 50, 200, gone, gone), [0.5], [f"{turn}measured once more: {gone}", f"{turn}{gone}"]),
                ((100, 50, CASES.Trouble("no memory")), [0.5], [f"{turn}no memory"]),
                ((100, 50, 200, KeyboardInterrupt()), [0.5], [])):
            said = self.syn(turns)
            self.assertEqual(said["rows"][0]["ratio_runs"], runs)
            self.assertEqual(said["accidents"], accidents)
            self.assertEqual(said["ended_early"], isinstance(turns[-1], KeyboardInterrupt))
        said = self.syn((gone, gone))
        self.assertEqual(said["skipped"], str(gone))
        self.assertEqual(len(said["accidents"]), 2)

    def test_last_words_of_who_cannot_run_are_said(self):
        lame = document()
        lame["results"][6]["skipped"] = "a does not run: exit code 2, its last words:\nno memory"
        self.assertIn("forward: a does not run: exit code 2, its last words:\n    no memory",
                      REPORT.text(lame))

    def test_a_search_while_the_machine_was_slower_is_said(self):
        faster = document()
        self.assertNotIn("while this searched", REPORT.text(faster))
        faster["results"][4]["later"] = 1_200_000
        self.assertIn("careful: later 1,200,000/s were done and none lost", REPORT.text(faster))

    def trial(self, offered: int, done: int, **more) -> dict:
        """What a second of an open loop says."""
        return {"offered": offered, "rate": done, "done": done, "kept": 1.0, "taken": done / offered,
                "failures": 0, "not_started": 0, "unfinished": 0, "retransmits": 0,
                "core_to_core_ns": 90, "packets_per_connection": 6,
                "packets_per_connection_seen": 6, "latency_us": latencies(20), **more}

    def lost(self, done: int, **more) -> int:
        """Of a million that were offered."""
        return SEARCH.lost(self.trial(1_000_000, done, **more), 1.0)

    def test_whatever_was_due_and_not_done_is_lost(self):
        self.assertEqual(self.lost(1_000_000), 0)
        self.assertEqual(self.lost(999_000, failures=1), 1)
        self.assertEqual(self.lost(993_000, not_started=6_000, unfinished=1_000), 7_000)
        # What came due in the last 10 ms may be done after the end, no more than that.
        self.assertEqual(self.lost(990_010), 0)
        self.assertEqual(self.lost(980_000), 9_993)  # The generator's gaps are rounded.

    def test_goals_are_of_what_was_lost(self):
        asked = mock.Mock(repetitions=1, concurrency=512, seconds=1, exchange="open-close")
        for missing, ndr, pdr in ((0, True, True), (1, False, True), (5_000, False, True),
                                  (5_001, False, False)):
            search = SEARCH.Search(mock.Mock(), asked)
            with mock.patch.object(SEARCH, "run_once", lambda *_, missing=missing: self.trial(
                    1, 1_000_000 - missing, not_started=missing)):
                run = search.run(1_000_000, "")
            self.assertEqual((SEARCH.reaches(run, "ndr"), SEARCH.reaches(run, "pdr")), (ndr, pdr))

    def test_losses_of_all_repetitions_count(self):
        runs = [self.trial(1_000_000, 999_990 + number, lost=lost, failures=lost, retransmits=2)
                for number, lost in enumerate((0, 0, 30))]
        one = SEARCH.row(1.0, SEARCH.condense(runs, 1.0))
        self.assertEqual((one["lost"], one["failures"], one["retransmits"]), (30, 30, 6))
        self.assertAlmostEqual(one["lost_share"], 1e-5)
        self.assertEqual(one["rates"], [999_990, 999_991, 999_992])
        self.assertFalse(SEARCH.reaches(one, "ndr"))

    def test_the_plateau_is_of_what_is_past_the_knee(self):
        kept = (1.0, 1.0, 0.89, 0.99, 0.91, 1.056, 0.911, 1.071)
        curve = [SEARCH.row(step, SEARCH.condense([self.trial(
            round(step * 1e6), 900_000, kept=share, lost=0)], 1.0))
                 for step, share in zip(SEARCH.STEPS, kept)]
        self.assertEqual(SEARCH.plateau(curve), {"plateau": 0.91, "plateau_kept": True})
        slow = document()
        slow["results"][4].update(curve=curve, **SEARCH.plateau(curve))
        said = REPORT.text(slow)
        self.assertIn("ok: past the knee goodput stays within 10 % of the peak: at least 91.0%",
                      said)
        self.assertIn("careful: below the knee, 75% of the capacity, only 89.0% of the offer were "
                      "done", said)
        curve[4]["kept"] = 0.899
        self.assertIs(SEARCH.plateau(curve)["plateau_kept"], False)

    def test_the_criterion_of_a_goal_is_said(self):
        self.assertIn("NDR (none lost) 900,000/s, PDR (at most 0.5 % lost) 950,000/s, closed loop "
                      "1,000,000/s; in most of 3 trials of a load\n  lost: failed, not started "
                      "though due, or not done by the end of the trial (RFC 9971: of load times "
                      "duration); what came due in its last 10 ms may end later",
                      REPORT.text(document()))

    def test_a_load_and_its_closed_loop_are_of_the_same_cores(self):
        asked = mock.Mock(repetitions=1, concurrency=512, seconds=1, exchange="open-close")
        search = SEARCH.Search(mock.Mock(cores=(0, 1)), asked)
        search.closed_rates, search.found = [1e6], {}
        rates = iter((1e6, 7e5, 8e5, 7.6e5))  # Closed loop, open loop; the cores moved; again.
        places = iter((100, 400, 410))
        with mock.patch.object(SEARCH, "core_to_core", lambda _: next(places)), \
             mock.patch.object(SEARCH, "run_once", lambda *_: {
                 "rate": next(rates), "done": 1, "failures": 0, "not_started": 0,
                 "unfinished": 0}):
            run = search.point(1.5, 0)
        self.assertEqual((run["rate"], run["kept"], run["core_to_core_ns"]), (7.6e5, 0.95, 410))

    def test_plots_bear_zeros_and_single_points(self):
        bare = document()
        bare["results"] = [{"name": "open-close", "contestants": {"handfast": contestant(0)},
                            "core_to_core_ns": {"median": 0, "q1": 0, "q3": 0},
                            "load_average": 0.0}]
        bare["results"][0]["contestants"]["handfast"]["series"] = []
        self.assertEqual(Page(REPORT.page(bare)).open, [])

    def test_chromium_draws_it(self):
        chromium = shutil.which("chromium")
        if chromium is None:
            self.skipTest("chromium is not installed")
        with tempfile.TemporaryDirectory() as folder:
            page, picture = Path(folder) / "page.html", Path(folder) / "page.png"
            page.write_text(REPORT.page(document()), encoding="utf-8")
            subprocess.run([chromium, "--headless", "--no-sandbox", "--disable-gpu",
                            "--disable-quic", "--no-first-run", "--disable-background-networking",
                            "--disable-component-update", "--disable-sync",
                            f"--user-data-dir={folder}/user", "--window-size=1400,3600",
                            f"--screenshot={picture}", page.as_uri()], capture_output=True,
                           check=True, timeout=100)
            width, height, amount = size_and_colours(picture.read_bytes())
            self.assertEqual((width, height), (1400, 3600))
            self.assertGreater(amount, 100_000)


# What a DPDK process shows of itself: a folder named by --file-prefix=, and telemetry in it, whose
# packets go on for as many questions as PACKETS says.
MADE_UP = """#!/usr/bin/env python3
import json, os, socket, sys
name = next(word for word in sys.argv if word.startswith("--file-prefix=")).split("=")[1]
folder = os.path.join(os.environ["RUNTIME_DIRECTORY"], "dpdk", name)
os.makedirs(folder)
open(os.path.join(folder, "fbarray_nohugemem"), "w").close()
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind(os.path.join(folder, "dpdk_telemetry.v2"))
listener.listen()
print("Port 0: link state change event", flush=True)
peer, packets = listener.accept()[0], 0
peer.send(b"{}")
while True:
    asked = peer.recv(1024).decode()
    packets += asked == "/ethdev/stats,0" and packets < int(os.environ["PACKETS"])
    peer.send(json.dumps({asked: {"ipackets": packets}}).encode())
"""


class Processes(unittest.TestCase):
    """What bench does with processes, which are made up here."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.testpmd = self.folder / "dpdk-testpmd"
        self.testpmd.write_text(MADE_UP, encoding="utf-8")
        self.testpmd.chmod(0o755)
        changed = mock.patch.dict(os.environ, {
            "RUNTIME_DIRECTORY": temporary.name, "PATH": f"{temporary.name}:{os.environ['PATH']}",
            "HANDFAST": str(self.folder / "handfast"), "PACKETS": "1000000"})
        changed.start()
        self.addCleanup(changed.stop)
        self.run_time = self.folder / "dpdk"

    def test_flood_path_finds_and_clears_the_users_run_time_folder(self):
        with PROCESSES.Bench((0, 0), "none") as bench:
            name = bench.name()
            BENCH.syn_ratio().Contestant(bench, [self.testpmd, f"--file-prefix={name}"], name,
                                         "/ethdev/stats,0", "ipackets")
            self.assertTrue((self.run_time / name).exists())
            bench.end_all()
            self.assertEqual(list(self.run_time.iterdir()), [])

    def test_flood_path_says_who_crashes(self):
        with PROCESSES.Bench((0, 0), "none") as bench, self.assertRaises(CASES.Gone) as raised:
            BENCH.syn_ratio().Contestant(bench, ["sh", "-c", "echo oh; kill -SEGV $$"], "a",
                                         "/ethdev/stats,0", "ipackets")
        self.assertIn("exit code -11 (SIGSEGV), its last words:\noh", str(raised.exception))
        with PROCESSES.Bench((0, 0), "none") as bench, self.assertRaises(CASES.Gone), \
             mock.patch.object(BENCH.syn_ratio().Dpdk, "ask", mock.Mock(side_effect=(
                 {"ipackets": 1}, {"ipackets": 1}, None))):
            name = bench.name()
            BENCH.syn_ratio().Contestant(bench, [self.testpmd, f"--file-prefix={name}"], name,
                                         "/ethdev/stats,0", "ipackets").measure(1)

    def test_a_start_up_that_crashes_leaves_those_before(self):
        turns = self.folder / "turns"
        engine = self.folder / "handfast"
        engine.write_text(f"#!/bin/sh\necho >>{turns}; [ $(wc -l <{turns}) = 3 ] && kill -SEGV $$\n"
                          "echo control ready; exec sleep 60\n", encoding="utf-8")
        engine.chmod(0o755)
        with PROCESSES.Bench((0, 0), "none") as bench:
            rows = IDLE.measure(bench, mock.Mock(repetitions=9, seconds=1))["rows"]
            self.assertEqual([(row["what"], len(row["values"])) for row in rows],
                             [("start-up, exec to ready", 2)])
            self.assertEqual(len(bench.accidents), 1)
            self.assertIn("start-up, repetition 3 of 9: ", bench.accidents[0])
            self.assertIn("is not ready: exit code -11 (SIGSEGV)", bench.accidents[0])
            turns.write_text("\n\n", encoding="utf-8")
            with self.assertRaises(CASES.Gone):
                IDLE.measure(bench, mock.Mock(repetitions=9, seconds=1))

    def test_a_round_trip_that_fails_leaves_those_before(self):
        trips = iter(({"p50": 5, "p99": 9}, {"p50": 6, "p99": 8}, CASES.Trouble("no memory")))

        def trip(*_):
            done = next(trips)
            if isinstance(done, Exception):
                raise done
            return done
        with PROCESSES.Bench((0, 0), "none") as bench, \
             mock.patch.multiple(IDLE, startup_once=lambda _: 1, share_once=lambda *_: 0.02,
                                 trip_once=trip):
            rows = IDLE.measure(bench, mock.Mock(repetitions=3, seconds=1))["rows"]
        self.assertEqual({row["what"]: row["values"] for row in rows}, {
            "start-up, exec to ready": [1000] * 3, "core taken, idle: sleep": [2.0] * 3,
            "handshake p50, idle: sleep": [5, 6], "handshake p99, idle: sleep": [9, 8]})
        self.assertEqual(bench.accidents, ["idle: sleep: no memory"])

    def no_packets(self, load: str, seconds: float = 0.2, within: float = 10) -> str:
        """What a limit says that is not to be measured, with a generator that is a shell's line."""
        generator = self.folder / "handfast-load"
        generator.write_text(f"#!/bin/sh\n{load}\n", encoding="utf-8")
        generator.chmod(0o755)
        with PROCESSES.Bench((0, 0), "none") as bench, \
             mock.patch.object(CASES, "PACKETS_WITHIN", within), \
             self.assertRaises(CASES.Trouble) as raised:
            CASES.limit_once(bench, "5tswap", seconds)
        return str(raised.exception)

    def test_a_limit_of_no_packets_is_trouble(self):
        os.environ["PACKETS"] = "0"
        said = self.no_packets("exec sleep 60", within=0.3)
        self.assertIn("testpmd passes no packets; handfast-load: it did not end by itself, it "
                      "printed nothing", said)
        self.assertIn("testpmd: it did not end by itself, its last words:\nPort 0: link", said)
        self.assertIn("handfast-load: exit code 3, its last words:\nno memory",
                      self.no_packets("echo no memory >&2; exit 3"))

    def test_a_limit_whose_packets_cease_is_trouble(self):
        os.environ["PACKETS"] = "1"
        self.assertIn("testpmd passes no packets", self.no_packets("exec sleep 60"))

    def test_a_limit_whose_generator_crashes_is_trouble(self):
        said = self.no_packets("sleep 0.4; printf '\\033[2Joh' >&2; kill -SEGV $$", 2)
        self.assertIn("hfb", said)
        self.assertIn(" ended by itself: exit code -11 (SIGSEGV), its last words:\noh", said)

    def test_cpu_time_that_was_given_away_is_not_taken_off_twice(self):
        ask = mock.Mock(busy_us=0)
        before, after = ({"clock": clock, "threads": {"1": cpu}, "counters": {}, "busy_us": busy}
                         for clock, cpu, busy in ((0, 0, 0), (10**9, 5 * 10**8, 400_000)))
        for idle, busy in (("spin", 200_000), ("yield", 400_000)):
            ask.bench.idle = idle
            with self.subTest(idle):
                self.assertEqual(PROCESSES.Engine.spent(ask, before, after)["busy_us"], busy)

    def test_a_program_that_ends_at_once_says_how(self):
        with PROCESSES.Bench((0, 0), "none") as bench, \
             self.assertRaises(CASES.Trouble) as raised:
            bench.engine(CASES.RESPOND, path="/bin/true")
        self.assertIn("does not run: exit code 0, it printed nothing", str(raised.exception))

    def test_who_crashes_is_not_waited_for(self):
        generator = self.folder / "handfast-load"
        generator.write_text("#!/bin/sh\nexec sleep 60\n", encoding="utf-8")
        generator.chmod(0o755)

        def crash():
            PROCESSES.Process(bench, ["sh", "-c", "echo oh; sleep 0.3; kill -SEGV $$"], "engine")
            return bench.load().result(30)
        begun = time.monotonic()
        with PROCESSES.Bench((0, 0), "none") as bench:
            with self.assertRaises(CASES.Gone) as raised:
                CASES.twice(bench, crash)
            self.assertEqual(len(bench.accidents), 1)
        for said in (str(raised.exception), bench.accidents[0]):
            self.assertIn("engine ended by itself: exit code -11 (SIGSEGV), its last words:\noh", said)
        self.assertLess(time.monotonic() - begun, 20)

    def test_a_signal_amid_a_start_loses_no_process(self):
        pace = sys.modules["pace"]
        started = subprocess.Popen

        def interrupted(*words, **more):
            process = started(*words, **more)
            pace.end_by_signal(2, None)
            return process
        with mock.patch.object(pace, "PACE", pace.Pace()), mock.patch.object(pace.signal, "signal"), \
             PROCESSES.Bench((0, 0), "none") as bench:
            with mock.patch.object(subprocess, "Popen", interrupted), pace.until_stopped():
                PROCESSES.Process(bench, ["sleep", "60"], "engine")
                self.fail("the signal was lost")
            self.assertEqual([one.name for one in bench.running], ["engine"])
        self.assertEqual(bench.running, [])

    def test_what_is_complete_outlives_trouble(self):
        turns = iter([1, 2, CASES.Trouble("no memory")])

        def run():
            turn = next(turns)
            if isinstance(turn, Exception):
                raise turn
            return {"rate": turn}

        def never():
            raise CASES.Trouble("does not run")
        with PROCESSES.Bench((0, 0), "none") as bench:
            runs = CASES.rounds(bench, "request", mock.Mock(repetitions=9), [
                ("handfast", run), ("against", never)])["runs"]
        self.assertEqual([run["rate"] for run in runs.pop("handfast")], [1, 2])
        self.assertEqual(runs, {})
        self.assertEqual(bench.accidents, [
            "against, repetition 1 of 9: 0 complete, no more: does not run",
            "handfast, repetition 3 of 9: 2 complete, no more: no memory"])

    def test_sizes_that_fail_leave_the_others(self):
        def crowd(_bench, size, *_):
            if size == 90:
                raise CASES.Trouble("no memory")
            return {key: 1 for key in ("rate", "packets_per_connection", "failures", "engine_rss_mib",
                                       "packets_per_connection_seen", "cycles_per_connection")}
        asked = mock.Mock(repetitions=2, sizes=[80, 90])
        with PROCESSES.Bench((0, 0), "none") as bench, \
             mock.patch.object(BENCH, "state", lambda _: {"core_to_core_ns": 90,
                                                          "load_average": 1.0}), \
             mock.patch.object(BENCH, "crowd_once", crowd):
            rows = BENCH.measure_table(bench, "table", asked)["rows"]
        self.assertEqual([(row["connections"], row["repetitions"]) for row in rows], [(80, 2)])
        self.assertEqual(bench.accidents,
                         ["beside 90, repetition 1 of 2: 0 complete, no more: no memory"])

    def test_a_flood_that_does_not_arrive_is_trouble(self):
        engine = mock.Mock()
        engine.ask.return_value = {"syn_received": 3}
        with mock.patch.object(FLOOD.time, "monotonic", iter(range(0, 99, 4)).__next__), \
             mock.patch.object(FLOOD.time, "sleep"), self.assertRaises(CASES.Trouble):
            FLOOD._wait_for_flood(engine)

    def test_one_core_has_no_other_for_the_control_threads(self):
        words = self.folder / "words"
        for name in ("handfast-load", "dpdk-testpmd"):
            (self.folder / name).write_text(f"#!/bin/sh\necho $* >>{words}\n", encoding="utf-8")
            (self.folder / name).chmod(0o755)
        for cores, load, testpmd in (((3, 3), "[3] --main-core auto", "0@3,1@3"),
                                     ((1, 0), "[0] --main-core 1", "0@0,1@1")):
            with PROCESSES.Bench(cores, "none") as bench:
                bench.load().process.wait(10)
                with self.assertRaises(CASES.Trouble):
                    PROCESSES.Testpmd(bench, "a.sock", "io")
            said = words.read_text(encoding="utf-8")
            self.assertIn(f"--workers {load} ", said)
            self.assertIn(f"--lcores {testpmd} ", said)
            self.assertEqual("--idle yield" in said, cores == (3, 3))
            words.unlink()

    def test_flood_path_on_one_core(self):
        words, module = self.folder / "words", BENCH.syn_ratio()
        self.testpmd.write_text(f"#!/bin/sh\necho $* >>{words}\n", encoding="utf-8")
        for cores, main, lcores in (((3, 3), "main_core: auto, memory: none, idle: yield", "0@3,1@3"),
                                    ((1, 0), "main_core: 0, memory: none, idle: spin", "0@0,1@1")):
            with PROCESSES.Bench(cores, "none") as bench:
                for start in (lambda bench: module.start_engine(bench, "/bin/true", frames, False),
                              lambda bench: module.start_testpmd(bench, frames, False)):
                    frames = bench.folder / "frames.pcap"
                    with self.assertRaises(CASES.Trouble):
                        start(bench)
                config = frames.with_suffix(".yaml").read_text(encoding="utf-8")
            self.assertIn(" ".join(main.split()), " ".join(config.split()))
            self.assertIn(f"--lcores {lcores} ", words.read_text(encoding="utf-8"))
            words.unlink()

    def test_run_time_folders_go_with_their_processes(self):
        other = self.run_time / f"hfb{os.getpid()}-x"
        other.mkdir(parents=True)
        with PROCESSES.Bench((0, 0), "none") as bench:
            testpmd = PROCESSES.Testpmd(bench, "a.sock", "io")
            self.assertTrue((self.run_time / testpmd.name / "fbarray_nohugemem").exists())
        self.assertEqual(list(self.run_time.iterdir()), [other])


class RunTimeFolders(unittest.TestCase):
    """What DPDK makes for a program of the tests goes with it: thousands would be left."""

    def test_micro_benchmarks_and_rigs_leave_none(self):
        tests = Path(HANDFAST).parents[2] / "tests"
        for words in (("bench/bench_limit", "--quick"), ("pipeline/test_flow",)):
            with self.subTest(words[0]), tempfile.TemporaryDirectory() as folder:
                done = subprocess.run([tests / words[0], *words[1:]], capture_output=True,
                                      check=False, timeout=100,
                                      env={**os.environ, "RUNTIME_DIRECTORY": folder,
                                           "ASAN_OPTIONS": "detect_leaks=0"})
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(list((Path(folder) / "dpdk").iterdir()), [])


TABLES = """\
AMD EPYC, DPDK 22.11.11, commit abc, 4 KiB pages, 31 repetitions

10000 flows, 9.0 bytes each

look up: hits                                   median quartiles             ratio
  affinity                                     11.00 ns  10.50 ..  11.50      1.00
  conn_table, and its line                  12345.60 ns  16.50 ..  17.50      1.50

90000 flows, 9.0 bytes each

look up: hits                                   median quartiles             ratio
  affinity                                     21.00 ns  20.50 ..  21.50      1.00
"""


class Compare(unittest.TestCase):
    """tests/bench/compare: what it reads and how it judges; building and measuring take minutes."""

    @classmethod
    def setUpClass(cls):
        path = str(Path(SOURCE_ROOT) / "tests" / "bench" / "compare")
        loader = importlib.machinery.SourceFileLoader("compare", path)
        cls.compare = importlib.util.module_from_spec(
            importlib.util.spec_from_loader("compare", loader))
        loader.exec_module(cls.compare)

    def verdict(self, a: list, b: list, more_is_better=False) -> str:
        """Of figures of both, with the usual threshold."""
        return self.compare.judge(("", "", ""), (a, b), more_is_better, 0.05)["verdict"]

    def test_rows_of_all_tables_are_read(self):
        self.assertEqual(self.compare.rows_of(TABLES), {
            "10000 flows, look up: hits: affinity": 11.0,
            "10000 flows, look up: hits: conn_table, and its line": 12345.6,
            "90000 flows, look up: hits: affinity": 21.0})

    def test_changes_beyond_threshold_and_noise_are_flagged(self):
        self.assertEqual(self.verdict([100, 101, 100, 101], [104, 103, 104, 103]), "")
        self.assertEqual(self.verdict([100, 101, 100, 101], [108, 107, 108, 107]), "slower")
        self.assertEqual(self.verdict([100, 101, 100, 101], [90, 91, 90, 91]), "faster")
        self.assertEqual(self.verdict([100, 101, 100, 101], [90, 91, 90, 91], True), "slower")

    def test_noise_leaves_doubt(self):
        self.assertEqual(self.verdict([100, 130, 100, 130], [122, 123, 124, 150]), "slower?")
        self.assertEqual(self.verdict([90, 92, 110, 112], [100, 108, 112, 130]), "slower?")

    def test_too_few_rounds_are_said(self):
        builds = (mock.Mock(), mock.Mock())
        for build in builds:
            build.name = "same"
        said = {}
        for rounds in (4, 10):
            found = [self.compare.judge(("parse", "row", "ns"), ([1, 2] * rounds, [2] * rounds),
                                        False, 0.05)]
            said[rounds] = self.compare.text(builds, found,
                                             mock.Mock(rounds=rounds, threshold=0.05), [])
        self.assertIn("careful: 4 rounds say little about the machine's noise", said[4])
        self.assertNotIn("careful", said[10])

    def whole(self, runs: dict, accidents: list, ended: int = 0) -> tuple:
        """What is printed of so many rounds of ten, and the exit code."""
        def rounds(bench, *_):
            bench.accidents += accidents
            pace.PACE.ended_by = ended
            return {"runs": {mark: [{"rate": rate} for rate in of] for mark, of in runs.items()}}
        pace, said = sys.modules["pace"], []
        with mock.patch.object(self.compare.cases, "rounds", rounds), \
             mock.patch.object(self.compare, "Bench", wraps=PROCESSES.Bench) as bench, \
             mock.patch.object(self.compare.Build, "make"), \
             mock.patch.dict(os.environ), mock.patch("builtins.print", said.append):
            for words in ((), ("--json",)):
                with mock.patch.object(pace, "PACE", pace.Pace()), \
                     mock.patch.object(sys, "argv", ["compare", ".", "-b", "open-close", *words]):
                    code = self.compare.main()
        self.assertEqual(bench.call_args.kwargs, {"lends": True, "concurrency": 512})
        return *said, code

    def test_the_rounds_done_are_said_and_judged(self):
        accident = "B, repetition 3 of 10: 2 complete, no more: exit code -11 (SIGSEGV)"
        for runs, accidents, ended, code in (
                ({"A": [10] * 10, "B": [10] * 10}, [], 0, 0),
                ({"A": [10] * 10, "B": [5] * 10}, [], 0, 1),
                ({"A": [10] * 10, "B": [5] * 2}, [accident], 0, 3),
                ({"A": [10, 10, 5], "B": [5, 5]}, [], 2, 130)):
            text, told, given = self.whole(runs, accidents, ended)
            done, told = len(runs["B"]), json.loads(told)
            self.assertEqual(given, code)
            self.assertIn(f"1 figures, {done} rounds in turns", text)
            self.assertEqual((told["rounds"], told["results"][0]["rounds"]), (done, done))
            self.assertEqual(told["results"][0]["a"]["median"], 10)
            self.assertEqual("careful: 2 rounds say little" in text, done == 2)
            self.assertEqual("ended before all of 10 rounds" in text, bool(ended))
            self.assertEqual(told["ended_early"], bool(ended))
            self.assertEqual(told["accidents"], [f"open-close, {one}" for one in accidents])
            self.assertEqual("accident: open-close, B, repetition 3" in text, bool(accidents))

    def test_one_round_leaves_doubt(self):
        self.assertEqual(self.verdict([100, 100], [50]), "faster?")

    def test_what_is_complete_outlives_a_name_that_is_not(self):
        pace, one = sys.modules["pace"], self.compare.judge(("x", "", ""), ([1], [1]), False, 0.05)
        for ended, names in ((0, ["x", "y", "z"]), (2, ["x", "y"])):
            asked, accidents, seen = mock.Mock(names=["x", "y", "z"]), [], []

            def micro(_, name, __, ended=ended, seen=seen):
                seen.append(name)
                if name == "y":
                    pace.PACE.ended_by = ended
                    raise CASES.Trouble("ended")
                return [one]
            with mock.patch.object(pace, "PACE", pace.Pace()), \
                 mock.patch.object(self.compare, "measure_micro", micro):
                found = self.compare.measure((), asked, accidents)
            self.assertEqual((seen, len(found)), (names, len(names) - 1))
            self.assertEqual(accidents, [] if ended else ["y: ended"])

    def test_unknown_words_are_usage_errors(self):
        for words in ((), ("nosuchcommit",), ("HEAD", "-b", "nosuchbench"), (".", "--rounds", "1")):
            done = subprocess.run([Path(SOURCE_ROOT) / "tests" / "bench" / "compare", *words],
                                  capture_output=True, text=True, check=False, timeout=60)
            self.assertEqual(done.returncode, 2, f"{words}: {done.stderr}")


class Generators(unittest.TestCase):
    """tests/bench/generators.py: its words, and its end before the end."""

    @classmethod
    def setUpClass(cls):
        path = Path(SOURCE_ROOT) / "tests" / "bench" / "generators.py"
        spec = importlib.util.spec_from_file_location("generators", path)
        cls.generators = importlib.util.module_from_spec(spec)
        with mock.patch.object(sys, "path", [str(path.parent), *sys.path]):
            spec.loader.exec_module(cls.generators)

    def test_senseless_words_are_usage_errors(self):
        for words, said in ((("handfast", "--rounds", "0"), "argument --rounds: '0' is not"),
                            (("--seconds", "-1"), "argument --seconds: '-1' is not"),
                            (("--concurrency", "0"), "argument --concurrency: '0' is not"),
                            (("apache",), "argument SERVER: 'apache' is not one of nginx, "),
                            (("--generators", "wrk,hey"), "'hey' is not one of wrk, ab, load")):
            done = subprocess.run([Path(SOURCE_ROOT) / "tests" / "bench" / "generators.py", *words],
                                  capture_output=True, text=True, check=False, timeout=60)
            self.assertEqual(done.returncode, 2, f"{words}: {done.stderr}")
            self.assertIn(said, done.stderr)
            self.assertIn("[SERVER ...]", done.stderr)

    def test_an_interrupt_ends_with_what_is_complete(self):
        lab, one = self.generators.lab, {"rate": 1.0}
        runs = iter((one, one, one))

        def run(*_):
            try:
                return next(runs)
            except StopIteration:
                raise KeyboardInterrupt from None
        asked, results = self.generators.options(["--generators", "wrk,ab"]), {}
        place = mock.MagicMock()
        place.__exit__.return_value = False
        with mock.patch.object(self.generators, "Place"), \
             mock.patch.object(self.generators, "run", run), \
             mock.patch.object(lab, "Lab", lambda: place):
            self.assertFalse(self.generators.measure(asked, results))
        self.assertEqual(results, {"nginx": {"wrk": [one, one], "ab": [one]}})
        # Of a failure the files are kept, of this none.
        self.assertIs(place.__exit__.call_args.args[0], lab.Skip)
        with mock.patch.object(self.generators, "measure", lambda *_: False), \
             mock.patch.multiple(lab, need_privileges=mock.DEFAULT, need=mock.DEFAULT), \
             mock.patch.object(sys, "argv", ["generators.py"]):
            self.assertEqual(self.generators.main(), 130)


if __name__ == "__main__":
    HANDFAST, SOURCE_ROOT = sys.argv[1:3]
    os.environ["HANDFAST"] = HANDFAST
    sys.path.insert(0, str(Path(SOURCE_ROOT) / "apps" / "handfast" / "bench"))
    import bench as BENCH
    import cases as CASES
    import flood as FLOOD
    import idle as IDLE
    import processes as PROCESSES
    import report as REPORT
    import search as SEARCH
    json.dumps(document())
    unittest.main(argv=sys.argv[:1])
