#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""`handfast capture` against a made-up engine: how a capture ends.

    test_capture.py HANDFAST
"""

import mmap
import os
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from fake_telemetry import FakeEngine

HANDFAST = ""

# engine/tap_shared.h
MAGIC = 0x3150415446414e48
SLOTS = 4096
SNAP = 64
SLOT_BYTES = 128
BEAT = 552
ENDED = 560
RING = 576
TAIL = RING + 64
SLOT = RING + 128
STOPPED, SILENT = 1, 2


class TapEngine(FakeEngine):
    """One whose worker fills its ring as the test says."""

    def __init__(self, directory):
        super().__init__(directory)
        self.tap = os.path.join(os.path.dirname(self.path), "handfast_tap")
        self.memory = None
        self.stopped = threading.Event()

    def answer_capture_start(self, _):
        return {"result": "ok"}

    def answer_capture_stop(self, _):
        self.stopped.set()
        return {"result": "ok"}

    def make_memory(self):
        size = SLOT + SLOTS * SLOT_BYTES
        with open(self.tap, "w+b") as file:
            file.truncate(size)
            self.memory = mmap.mmap(file.fileno(), size)
        struct.pack_into("=QQIIIIBB", self.memory, 0, MAGIC, size, 1, SLOT_BYTES, SNAP, 1, 255, 3)
        for i in range(SLOTS):
            struct.pack_into("=QIHBB", self.memory, SLOT + i * SLOT_BYTES, i + 1, SNAP, SNAP, 0, 1)
        return self

    def get(self, offset, form="=Q"):
        return struct.unpack_from(form, self.memory, offset)[0]

    def put(self, offset, value, form="=Q"):
        struct.pack_into(form, self.memory, offset, value)

    def fill(self):
        """A worker with more packets than any reader takes."""
        while not self.stopped.is_set():
            self.put(RING, (self.get(TAIL, "=I") + SLOTS - 1) & 0xffffffff, "=I")


class Ends(unittest.TestCase):
    """However a capture ends, who began it is told."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        self.file = os.path.join(self.directory, "x.pcap")
        self.engine = TapEngine(self.directory).start()
        self.addCleanup(self.engine.stop)

    def begin(self, *arguments, **options):
        process = subprocess.Popen(
            [HANDFAST, "capture", *(arguments or [self.file])], stderr=subprocess.PIPE,
            env=dict(os.environ, RUNTIME_DIRECTORY=self.directory), **options)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def running(self, *arguments, **options):
        """A capture that has begun, of an engine that has five packets."""
        self.engine.make_memory()
        process = self.begin(*arguments, **options)
        self.assertIn(b"capturing into", process.stderr.readline())
        self.engine.put(RING, 5, "=I")
        return process

    def said(self, process, code):
        """What it says when it ends."""
        text = process.communicate(timeout=10)[1].decode()
        self.assertEqual(process.returncode, code, text)
        return text

    def test_a_busy_engine_hears_of_it_until_its_time_is_over(self):
        process = self.running("-", "--duration", "2", stdout=subprocess.PIPE)
        worker = threading.Thread(target=self.engine.fill)
        worker.start()
        self.addCleanup(worker.join)
        self.addCleanup(self.engine.stopped.set)
        until = time.monotonic() + 6
        while not self.engine.stopped.wait(0.2) and time.monotonic() < until:
            process.stdout.read1(65536)  # As slowly as a disk that is busy.
        self.assertTrue(self.engine.stopped.is_set())
        self.assertGreaterEqual(self.engine.get(BEAT), 2)
        self.assertRegex(self.said(process, 0), r"\d{4,} packets written")

    def test_a_closed_standard_output_is_no_connection_to_the_engine(self):
        """Packets must not go to it as commands."""
        self.engine.make_memory()
        self.engine.put(RING, 5, "=I")
        process = subprocess.Popen(
            ["sh", "-c", 'exec "$@" >&-', "sh", HANDFAST, "capture", "-", "--duration", "1"],
            stderr=subprocess.PIPE, env=dict(os.environ, RUNTIME_DIRECTORY=self.directory))
        self.addCleanup(process.stderr.close)
        self.assertIn("Bad file descriptor", self.said(process, 1))

    def test_an_engine_that_stops_is_the_end(self):
        process = self.running()
        self.engine.put(ENDED, STOPPED)
        self.engine.stop()
        self.assertIn("5 packets written", self.said(process, 0))

    def test_an_engine_that_gave_it_up_is_told(self):
        process = self.running()
        self.engine.put(ENDED, SILENT)
        text = self.said(process, 1)
        self.assertIn("the engine ended the capture", text)
        self.assertIn("5 packets written", text)
        self.assertFalse(self.engine.stopped.is_set())

    def test_an_engine_that_was_killed_is_told(self):
        process = self.running()
        self.engine.stop()
        text = self.said(process, 1)
        self.assertIn("the engine is gone", text)
        self.assertIn("5 packets written", text)

    def test_memory_that_cannot_be_had_makes_room_for_the_next(self):
        self.assertIn("handfast_tap", self.said(self.begin(), 1))
        self.assertTrue(self.engine.stopped.is_set())


if __name__ == "__main__":
    HANDFAST = sys.argv[1]
    unittest.main(argv=sys.argv[:1])
