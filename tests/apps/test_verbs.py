#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The command line itself: help, unknown words, exit codes, check, version.

    test_verbs.py HANDFAST SOURCE_ROOT
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest

HANDFAST = SOURCE_ROOT = ""


def handfast(*arguments, **options):
    """Run it to its end."""
    return subprocess.run([HANDFAST, *arguments], capture_output=True, text=True, check=False,
                          timeout=60, **options)


def verbs():
    """The names in the list that --help prints."""
    lines = handfast("--help").stdout.split("\n\n")[2].split("\n")
    return [line.split()[0] for line in lines]


class Verbs(unittest.TestCase):
    """What scripts and people rely on, whatever the verb."""

    def test_help_lists_the_verbs(self):
        for verb in ("check", "conns", "demo", "doctor", "key", "lists", "probe", "stats", "top", "version"):
            self.assertIn(verb, verbs())

    def test_every_verb_has_help_with_an_example(self):
        for verb in verbs():
            result = handfast(verb, "--help")
            self.assertEqual((result.returncode, result.stderr), (0, ""), verb)
            self.assertTrue(result.stdout.startswith("usage: handfast " + verb), verb)
            self.assertRegex(result.stdout, r"\nexamples?:\n  (sudo )?handfast " + verb)
            self.assertEqual(handfast("help", verb).stdout, result.stdout)
            longest = max(result.stdout.split("\n"), key=len)
            self.assertLessEqual(len(longest), 90, longest)

    def test_no_verb_is_a_usage_error(self):
        result = handfast()
        self.assertEqual((result.returncode, result.stdout), (2, ""))

    def test_near_miss_is_suggested(self):
        for word, verb in (("doctr", "doctor"), ("stat", "stats"), ("chekc", "check")):
            result = handfast(word)
            self.assertEqual(result.returncode, 2)
            self.assertIn("did you mean: handfast %s\n" % verb, result.stderr)

    def test_key_makes_a_secret_and_keeps_the_one_before(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "secret")
            self.assertIn("old none, new ", handfast("key", "rotate", "--file", path).stdout)
            first = handfast("key", "show-id", "--file", path).stdout
            self.assertEqual(handfast("key", "rotate", "--file", path).returncode, 0)
            self.assertEqual(handfast("key", "show-id", "--file", path + ".previous").stdout, first)
            self.assertNotEqual(handfast("key", "show-id", "--file", path).stdout, first)
            self.assertEqual(sorted(os.listdir(folder)), ["secret", "secret.previous"])
            for name in os.listdir(folder):
                self.assertEqual(os.stat(os.path.join(folder, name)).st_mode & 0o777, 0o600)
            os.chmod(path, 0o640)
            for act in ("rotate", "show-id"):
                refused = handfast("key", act, "--file", path)
                self.assertEqual((refused.returncode, refused.stdout), (1, ""))
                self.assertIn("chmod 600 " + path, refused.stderr)
            self.assertEqual(handfast("key", "turn").returncode, 2)

    def test_nonsense_is_not_guessed_at(self):
        result = handfast("x" * 200)
        self.assertEqual(result.returncode, 2)
        self.assertNotIn("did you mean", result.stderr)

    def test_unknown_options_are_usage_errors_naming_the_verb(self):
        for verb in verbs():
            if verb == "demo":  # Hands all of its arguments to the script.
                continue
            result = handfast(verb, "--nonsense")
            self.assertEqual(result.returncode, 2, verb)
            self.assertIn("handfast %s: " % verb, result.stderr)

    def test_full_disk_is_not_success(self):
        for verb in ("version", "--help"):
            with open("/dev/full", "w", encoding="utf-8") as full:
                result = subprocess.run([HANDFAST, verb], stdout=full, check=False, timeout=60)
            self.assertEqual(result.returncode, 1, verb)

    def test_version_as_json(self):
        report = json.loads(handfast("version", "--json").stdout)
        self.assertRegex(report["version"], r"^\d+\.\d+\.\d+$")
        self.assertTrue(report["dpdk"].startswith("DPDK "))
        self.assertIn(report["commit"], handfast("--version").stdout)

    def test_check_accepts_the_example(self):
        path = os.path.join(SOURCE_ROOT, "config", "responder.yaml")
        self.assertEqual(handfast("check", path).returncode, 0)

    def test_printed_configuration_is_a_fixed_point(self):
        path = os.path.join(SOURCE_ROOT, "config", "responder.yaml")
        printed = handfast("check", path, "--print-config").stdout
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(printed)
            file.flush()
            self.assertEqual(handfast("check", file.name, "--print-config").stdout, printed)

    def test_check_refuses_with_3_and_says_where(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write("engine:\n  wrokers: 1\n")
            file.flush()
            result = handfast("check", file.name)
        self.assertEqual(result.returncode, 3)
        self.assertIn(file.name + ":2:", result.stderr)

    def test_options_are_explained(self):
        result = handfast("check", "--options")
        self.assertEqual(result.returncode, 0)
        self.assertIn("synack_retries", result.stdout)


if __name__ == "__main__":
    HANDFAST, SOURCE_ROOT = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1])
