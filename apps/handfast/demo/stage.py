# SPDX-License-Identifier: BSD-3-Clause
"""What every demo stands on: namespaces, processes, the engine, and the removal of all of it.

Everything made here has the process number in its name, so that two demos do not meet and nothing
of the machine's own network is touched.  Processes are ended by pid.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXIT_RUNTIME, EXIT_USAGE, EXIT_PREFLIGHT, EXIT_PERMISSION = 1, 2, 4, 6
HANDFAST = os.environ.get("HANDFAST", "handfast")
NAME = f"hfd{os.getpid()}"


class Trouble(Exception):
    """The demo cannot go on; says why and what to do."""

    def __init__(self, text: str, code: int = EXIT_RUNTIME):
        super().__init__(text)
        self.code = code


class Paint:
    """Colours on a terminal, nothing elsewhere."""

    on = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    @classmethod
    def bold(cls, text: str) -> str:
        """Text that stands out."""
        return f"\033[1m{text}\033[0m" if cls.on else text

    @classmethod
    def verdict(cls, good: bool, text: str) -> str:
        """Green or red."""
        return f"\033[{32 if good else 31}m{text}\033[0m" if cls.on else text


def command(*argv: object, timeout: float = 120) -> subprocess.CompletedProcess:
    """Run a command to its end, keeping what it says."""
    return subprocess.run([str(word) for word in argv], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=timeout, check=False)


def must(*argv: object) -> subprocess.CompletedProcess:
    """Run a command that has to succeed."""
    done = command(*argv)
    if done.returncode:
        raise Trouble(f"{' '.join(map(str, argv))}: {done.stderr.strip() or done.stdout.strip()}")
    return done


def thousands(number: float) -> str:
    """12345.6 as 12,346."""
    return f"{number:,.0f}"


def need(programs: dict) -> None:
    """Look for root, TAP devices and programs (name to Debian package) before making anything."""
    if os.geteuid() != 0:
        raise Trouble("the demo makes network namespaces and TAP devices, which needs root:\n"
                      "  sudo ./run          (or: sudo handfast demo)", EXIT_PERMISSION)
    missing = [package for program, package in programs.items() if shutil.which(program) is None]
    if missing:
        raise Trouble(f"to install what is missing: apt-get install {' '.join(missing)}",
                      EXIT_PREFLIGHT)
    if not os.path.exists("/dev/net/tun"):
        raise Trouble("/dev/net/tun is missing, so there are no TAP devices; in a container start"
                      " it with\n  --device /dev/net/tun --cap-add NET_ADMIN,SYS_ADMIN",
                      EXIT_PREFLIGHT)
    if shutil.which(HANDFAST) is None:
        raise Trouble(f"{HANDFAST} is no program: HANDFAST should say where handfast is",
                      EXIT_PREFLIGHT)


class Stage:
    """Namespaces, processes and the engine of a demo."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix=f"{NAME}-"))
        self.configuration = self.folder / "demo.yaml"
        self.namespaces, self.processes = [], []
        self.engine = None

    def namespace(self, letter: str) -> str:
        """Make a namespace with loopback up; returns its name."""
        name = NAME + letter
        must("ip", "netns", "add", name)
        self.namespaces.append(name)
        must("ip", "-n", name, "link", "set", "lo", "up")
        # wrk often closes before it has seen the server's FIN; then its port rests for a minute.
        # Of the usual 28,000 ports the kernel tries 14,000 at first, and these are soon used up: it
        # then sought for ports, and clients opened 80 connections a second.
        must("ip", "netns", "exec", name, "sh", "-c",
             "echo 1024 65535 >/proc/sys/net/ipv4/ip_local_port_range")
        return name

    def spawn(self, namespace: str, *argv: object, **more) -> subprocess.Popen:
        """A process inside a namespace; ended with the stage, if need be."""
        process = subprocess.Popen(["ip", "netns", "exec", namespace, *map(str, argv)],
                                   stdin=subprocess.DEVNULL, **more)
        self.processes.append(process)
        return process

    @staticmethod
    def end(process: subprocess.Popen) -> None:
        """End a process, politely at first."""
        if process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)

    @staticmethod
    def run_in(namespace: str, *argv: object, timeout: float = 120):
        """Run a client to its end."""
        return command("ip", "netns", "exec", namespace, *argv, timeout=timeout)

    @staticmethod
    def give_device(device: str, origin: str, namespace: str) -> None:
        """Move a device from one namespace to another and set it up there."""
        must("ip", "-n", origin, "link", "set", device, "netns", namespace)
        must("ip", "-n", namespace, "link", "set", device, "up")

    def start_engine(self, namespace: str, configuration: str) -> None:
        """The engine, and its first answer."""
        self.configuration.write_text(configuration)
        with open(self.folder / "engine.log", "w", encoding="utf-8") as log:
            # A process group of its own: Ctrl-C is for us, and we stop it in order.
            self.engine = self.spawn(namespace, HANDFAST, "run", "-c", self.configuration,
                                     stdout=log, stderr=subprocess.STDOUT,
                                     start_new_session=True)
        end = time.monotonic() + 30
        while self.statistics() is None:
            if self.engine.poll() is not None:
                raise Trouble(f"the engine ended with code {self.engine.returncode}:\n"
                              f"{self.log()}\n'handfast doctor' may know why")
            if time.monotonic() > end:
                raise Trouble(f"the engine does not answer after 30 s:\n{self.log()}")
            time.sleep(0.1)

    def log(self) -> str:
        """What the engine said."""
        with contextlib.suppress(OSError):
            return (self.folder / "engine.log").read_text(errors="replace")
        return ""

    @staticmethod
    def statistics() -> dict:
        """What `handfast stats --json` says, or None while nobody answers."""
        with contextlib.suppress(ValueError, subprocess.TimeoutExpired):
            done = command(HANDFAST, "stats", "--json", "--instance", NAME, timeout=10)
            if done.returncode == 0:
                return json.loads(done.stdout)
        return None

    def stop_engine(self) -> int:
        """SIGTERM, and the exit code."""
        os.kill(self.engine.pid, 15)
        try:
            return self.engine.wait(20)
        except subprocess.TimeoutExpired:
            raise Trouble(f"the engine does not stop:\n{self.log()}") from None

    def remove(self) -> None:
        """Take everything down, by pid and by name, whatever state it is in."""
        for process in reversed(self.processes):
            with contextlib.suppress(Exception):
                self.end(process)
        for namespace in reversed(self.namespaces):
            command("ip", "netns", "del", namespace)
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(f"/var/run/dpdk/{NAME}", ignore_errors=True)
