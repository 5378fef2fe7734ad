# SPDX-License-Identifier: BSD-3-Clause
"""A laboratory for one test: namespaces, devices, the engine, captures, and their judge.

Everything has a name that begins with `hft` and the pid of the test, and everything is taken down
again by pid and by name, also after an exception or a signal.  The engine is asked over DPDK's
telemetry socket.  When it is stopped, the laboratory itself asserts what holds for every test:

  * SIGTERM ends the engine with exit code 0;
  * on every port rx = replies + forwards + sum(drops);
  * tshark finds no malformed packet and no bad checksum among the frames the engine sent.

A test file is a list of functions `test_...`, whose docstrings say what they claim, and ends with
`lab.main(globals())`.  Exit codes as meson has them: 0, 1, and 77 for a skip with its reason.
"""

import contextlib
import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
HANDFAST = os.environ.get("HANDFAST", str(HERE.parents[1] / "build/apps/handfast/handfast"))
TOOLS = Path(os.environ.get("HANDFAST_TOOLS", HERE.parents[1] / "build/tests/system"))

CLIENT4, ENGINE4 = "10.9.0.1", "10.9.0.2"
CLIENT6, ENGINE6 = "fd00:9::1", "fd00:9::2"
ENGINE_MAC = "02:00:00:00:0e:01"

PIECE_S = 0.02  # of a pause: so much of a standstill is taken for the sleep that it was part of
EXPERT_ERROR = "8388608"  # tshark's severity of what cannot be right

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_PTRACE_DETACH, _PTRACE_SEIZE, _PTRACE_INTERRUPT = 17, 0x4206, 0x4207


class Failure(AssertionError):
    """A claim that does not hold."""


class Skip(Exception):
    """A claim that cannot be tried here, with the reason."""


def check(holds: object, message: str) -> None:
    """Fail with the message unless the claim holds."""
    if not holds:
        raise Failure(message)


def wait_for(what: str, condition, seconds: float = 10.0, every: float = 0.02):
    """Poll until condition() is true, and return what it returned; fail after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        check(time.monotonic() < end, f"waited {seconds} s in vain for {what}")
        time.sleep(every)


def pause(seconds: float) -> None:
    """Sleep until everybody else could have run so long: while the machine stands still nobody does."""
    left = seconds
    while left > 0:
        piece = min(left, PIECE_S)
        time.sleep(piece)
        left -= piece


def run(argv: list, timeout: float = 120, ok: bool = True, **more) -> subprocess.CompletedProcess:
    """Run a command to its end, with its output captured; fail on its failure if ok."""
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True,
                          timeout=timeout, check=False, stdin=subprocess.DEVNULL, **more)
    check(not ok or done.returncode == 0,
          f"{' '.join(map(str, argv))}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def need(*programs: str) -> None:
    """Skip unless the programs are installed."""
    for program in programs:
        if shutil.which(program) is None:
            raise Skip(f"{program} is not installed")


def tool(name: str) -> str:
    """A test program of our own, built by meson beside the tests."""
    path = TOOLS / name
    check(path.exists(), f"{path} is not built")
    return str(path)


def _die_with_parent() -> None:
    """In a child: end when the test ends, however it ends."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Namespace:
    """A network namespace of this test."""

    def __init__(self, lab: "Lab", name: str):
        self.lab, self.name = lab, name
        run(["ip", "netns", "add", name])
        lab.at_exit(lambda: run(["ip", "netns", "del", name], ok=False))
        self.ip("link", "set", "lo", "up")

    def ip(self, *words: str, ok: bool = True) -> subprocess.CompletedProcess:
        """ip(8) inside."""
        return run(["ip", "-n", self.name, *words], ok=ok)

    def run(self, *argv: str, **more) -> subprocess.CompletedProcess:
        """A command inside, to its end."""
        return run(["ip", "netns", "exec", self.name, *argv], **more)

    def spawn(self, *argv: str, **more) -> subprocess.Popen:
        """A command inside, left running."""
        return self.lab.spawn(["ip", "netns", "exec", self.name, *argv], **more)

    @contextlib.contextmanager
    def entered(self):
        """Sockets made inside the block belong to this namespace."""
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            check(_LIBC.setns(there, _CLONE_NEWNET) == 0, f"setns to {self.name} failed")
            yield
        finally:
            _LIBC.setns(home, _CLONE_NEWNET)
            os.close(there)
            os.close(home)

    def connect(self, host: str, port: int, timeout: float = 10) -> socket.socket:
        """A TCP connection of this namespace's kernel."""
        with self.entered():
            return socket.create_connection((host, port), timeout)

    def set(self, key: str, value: object) -> None:
        """A kernel setting inside, by its sysctl(8) name."""
        path = "/proc/sys/" + key.replace(".", "/")
        self.run("sh", "-c", f"echo {value} > {path}")

    def quiet_ipv6(self) -> None:
        """Keep addresses usable at once and the kernel from talking by itself."""
        for which in ("default", "all"):
            self.set(f"net.ipv6.conf.{which}.accept_dad", 0)
            self.set(f"net.ipv6.conf.{which}.router_solicitations", 0)

    def address(self, device: str, *prefixes: str, mtu: int = 0) -> None:
        """Set a device up with addresses, usable at once."""
        if mtu:
            self.ip("link", "set", device, "mtu", str(mtu))
        self.ip("link", "set", device, "up")
        for prefix in prefixes:
            nodad = ["nodad"] if ":" in prefix else []
            self.ip("addr", "add", prefix, "dev", device, *nodad)


class Capture:
    """tcpdump on one device, judged by tshark afterwards."""

    mac = ENGINE_MAC  # whose frames are judged
    silent = False    # whether the engine is to send none

    def __init__(self, namespace: Namespace, device: str, packets: int = 0):
        self.file = namespace.lab.path(f"{device}.pcap")
        limit = ["-c", str(packets)] if packets else []
        self.process = namespace.spawn("tcpdump", "-i", device, "-w", str(self.file), "-U", "-n",
                                       "--immediate-mode", "-B", "32768", "-Z", "root", *limit,
                                       stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        check("listening" in line, f"tcpdump: {line}")

    def stop(self) -> None:
        """End the capture; what the kernel still holds is written first."""
        if self.process.poll() is None:
            pause(0.2)
            self.process.send_signal(signal.SIGINT)
        self.process.wait(20)

    def tshark(self, condition: str, *fields: str) -> list:
        """The frames for which a display filter holds: a line each, or the fields asked for."""
        columns = [word for field in fields for word in ("-e", field)]
        # What TCP carries is judged by the clients; reassembly only confuses the judge, and so
        # do dissectors that take the kernel's port numbers for their protocol's.
        done = run(["tshark", "-n", "-r", self.file, "-o", "tcp.check_checksum:TRUE",
                    "-o", "ip.check_checksum:TRUE", "-o", "tcp.desegment_tcp_streams:FALSE",
                    "-d", "tcp.port==1-65535,data",
                    "-Y", condition, *(["-T", "fields", *columns] if fields else [])])
        return done.stdout.splitlines()

    def judge(self) -> None:
        """Fail on a malformed frame or an unverified checksum among those the engine sent."""
        sums = [f"{protocol}.checksum.status" for protocol in ("ip", "tcp", "icmp", "icmpv6")]
        lines = self.tshark(f"eth.src == {self.mac}", "frame.number", "_ws.malformed",
                            "_ws.expert.severity", *sums)
        check(lines or self.silent, f"{self.file} has no frame from the engine")
        bad = []
        for line in lines:
            number, malformed, severity, *statuses = line.split("\t")
            # An ICMP error has a second IP header, the one that it quotes.
            unverified = set(",".join(statuses).split(",")) - {"", "1"}
            if malformed or unverified or EXPERT_ERROR in severity.split(","):
                bad.append(number)
        check(not bad, f"tshark on {self.file}: {len(bad)} bad frames of {len(lines)}, first:\n"
              + "\n".join(self.tshark(f"frame.number == {number}")[0] for number in bad[:5]))


class Telemetry:
    """A connection to a DPDK process's telemetry socket, version 2."""

    def __init__(self, instance: str):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(10)
        self.socket.connect(f"/var/run/dpdk/{instance}/dpdk_telemetry.v2")
        self.hello = json.loads(self.socket.recv(16384))

    def ask(self, command: str):
        """The value that a command answers with."""
        self.socket.send(command.encode())
        answer = json.loads(self.socket.recv(65536))
        return answer.get(command.split(",")[0], answer)

    def close(self) -> None:
        """Hang up."""
        self.socket.close()


class Engine:
    """A running handfast."""

    def __init__(self, lab: "Lab", namespace: Namespace, text: str, instance: str):
        self.lab, self.namespace, self.instance = lab, namespace, instance
        self.config = lab.path(f"{instance}.yaml")
        self.config.write_text(text)
        self.log = lab.path(f"{instance}.log")
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = namespace.spawn(HANDFAST, "run", "-c", str(self.config), stdout=log,
                                           stderr=subprocess.STDOUT)
        self.telemetry = None
        self.ports = []
        lab.engines.append(self)
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until the engine answers telemetry."""
        def answers() -> bool:
            check(self.process.poll() is None,
                  f"the engine ended with code {self.process.returncode}:\n{self.said()}")
            try:
                self.telemetry = Telemetry(self.instance)
                return isinstance(self.ask("/handfast/info"), dict)
            except (OSError, ValueError):
                return False
        try:
            wait_for("the engine's telemetry", answers, 30)
        except Failure as failure:
            raise Failure(f"{failure}\n{self.said()}") from None
        self.ports = [port["name"] for port in self.ask("/handfast/ports").values()]

    def said(self) -> str:
        """What the engine has printed so far."""
        return self.log.read_text(errors="replace")

    def ask(self, command: str):
        """A telemetry command's answer."""
        return self.telemetry.ask(command)

    def workers(self) -> list:
        """Each worker's figures, by name."""
        return list(self.ask("/handfast/workers").values())

    def counters(self, port: str = "") -> dict:
        """Counters of a port, or of all, by name; drop reasons are called drop_<reason>."""
        return self.ask("/handfast/counters" + (f",{port}" if port else ""))

    def settled(self, port: str = "") -> dict:
        """Counters once they no longer move, though every worker has looked again."""
        last, turns = self.counters(port), self.turns()
        for _ in range(50):
            pause(0.1)
            now = self.counters(port)
            if now == last and self.has_looked(turns):
                break
            last, turns = now, self.turns()
        return last

    def turns(self) -> list:
        """How often each worker has looked for work."""
        return [worker["loops"] for worker in self.workers()]

    def has_looked(self, since: list) -> bool:
        """Whether every worker has begun and ended a look since then."""
        return all(now > before + 1 for before, now in zip(since, self.turns()))

    @contextlib.contextmanager
    def hold_workers(self):
        """The workers get no turn, as if something else had their cores."""
        def ptrace(request: int, task: Path) -> None:
            check(_LIBC.ptrace(request, int(task.name), None, None) == 0,
                  f"ptrace: {os.strerror(ctypes.get_errno())}")

        def stopped(task: Path) -> bool:
            return (task / "stat").read_text().rpartition(") ")[2].startswith("t")

        held = [task for task in Path(f"/proc/{self.process.pid}/task").iterdir()
                if "worker" in (task / "comm").read_text()]
        check(held, "no thread is called a worker")
        for task in held:
            ptrace(_PTRACE_SEIZE, task)
            ptrace(_PTRACE_INTERRUPT, task)
            wait_for("a worker to be held", lambda task=task: stopped(task))
        try:
            yield
        finally:
            for task in held:
                ptrace(_PTRACE_DETACH, task)

    def assert_balance(self) -> None:
        """Every received packet left by a reply, a forward or exactly one drop reason."""
        for port in self.ports:
            for attempt in range(30):
                now = self.counters(port)
                drops = sum(value for name, value in now.items() if name.startswith("drop_"))
                out = now["replies"] + now["forwards"] + drops
                if now["rx"] == out:
                    break
                time.sleep(0.1)
            check(now["rx"] == out, f"port {port}: rx {now['rx']} is not replies {now['replies']}"
                  f" + forwards {now['forwards']} + drops {drops} after {attempt + 1} looks: {now}")

    def assert_final_balance(self) -> None:
        """The same, of the counters that the engine printed at its end, when nothing moves."""
        for port in self.ports:
            last = {name: int(value) for name, value in
                    re.findall(rf"^{port}\.(\w+) (\d+)$", self.said(), re.MULTILINE)}
            drops = sum(value for name, value in last.items() if name.startswith("drop_"))
            out = last.get("replies", 0) + last.get("forwards", 0) + drops
            check(last.get("rx", 0) == out, f"port {port} at the end: rx {last.get('rx', 0)} is"
                  f" not replies + forwards + drops {out}: {last}")
            check(last.get("steered_in", 0) == last.get("steered_out", 0),
                  f"port {port} at the end: packets lost between workers: {last}")

    def signal(self, number: int) -> None:
        """Send the engine a signal."""
        self.process.send_signal(number)

    def stop(self, code: int = 0) -> None:
        """Check the balance, end the engine and check its exit code."""
        if self.process.poll() is None:
            self.assert_balance()
            self.signal(signal.SIGTERM)
        self.ended(code)

    def ended(self, code: int = 0, seconds: float = 20) -> None:
        """The engine ends by itself with this code."""
        if self in self.lab.engines:
            self.lab.engines.remove(self)
        try:
            got = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"the engine still runs after {seconds} s:\n{self.said()}") from None
        check(got == code, f"the engine's exit code is {got}, not {code}:\n{self.said()}")
        self.assert_final_balance()
        check("ERROR: AddressSanitizer" not in self.said() and "runtime error" not in self.said(),
              f"a sanitizer complained:\n{self.said()}")


def yaml(sections: dict) -> str:
    """A configuration file from dictionaries; JSON's scalars and lists are YAML's too."""
    lines = []
    for section, body in sections.items():
        if isinstance(body, dict):
            lines.append(f"{section}:")
            lines += [f"  {key}: {json.dumps(value)}" for key, value in body.items()]
        else:
            lines.append(f"{section}:")
            for item in body:
                for index, (key, value) in enumerate(item.items()):
                    lines.append(f"  {'-' if index == 0 else ' '} {key}: {json.dumps(value)}")
    return "\n".join(lines) + "\n"


def services(**changes) -> list:
    """One service of every kind on both addresses; `name={...}` changes or adds options."""
    kinds = {
        "web": {"port": 80, "reply": "http", "body_size": "1KiB"},
        "echo": {"port": 7, "reply": "echo"},
        "discard": {"port": 9, "reply": "discard"},
        "mail": {"port": 25, "reply": "banner", "banner": "220 handfast ready\r\n"},
    }
    for name, change in changes.items():
        kinds.setdefault(name, {}).update(change)
    listed = []
    for name, kind in kinds.items():
        port = kind.pop("port")
        listed.append({"name": name, "listen": [f"{ENGINE4}:{port}", f"[{ENGINE6}]:{port}"],
                       "mode": "respond", **kind})
    return listed


class Lab(contextlib.AbstractContextManager):
    """Everything one test makes, and its end."""

    def __init__(self):
        self.prefix = f"hft{os.getpid()}"
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.prefix}-"))
        self.undo, self.engines, self.captures, self.count = [], [], [], 0

    def at_exit(self, action) -> None:
        """Do this at the end, last things first."""
        self.undo.append(action)

    def huge_pages(self, count: int) -> None:
        """So many more of the machine's, until the lab ends."""
        file = Path("/proc/sys/vm/nr_hugepages")
        before = int(file.read_text())
        self.at_exit(lambda: file.write_text(f"{before}\n"))
        file.write_text(f"{before + count}\n")
        check(int(file.read_text()) == before + count, "memory in pieces: no huge pages")

    def path(self, name: str) -> Path:
        """A file of this test."""
        return self.folder / name

    def name(self) -> str:
        """A name nobody else has, short enough for an interface."""
        self.count += 1
        return f"{self.prefix}{chr(96 + self.count)}"

    def namespace(self) -> Namespace:
        """A new network namespace, quiet."""
        made = Namespace(self, self.name())
        made.quiet_ipv6()
        return made

    def spawn(self, argv: list, **more) -> subprocess.Popen:
        """A process that does not outlive the test."""
        more.setdefault("stdout", subprocess.DEVNULL)
        more.setdefault("stderr", subprocess.DEVNULL)
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, preexec_fn=_die_with_parent,
                                   **more)
        self.at_exit(lambda: end(process))
        return process

    def engine(self, ports: list, served: list = None, namespace: Namespace = None,
               tcp: dict = None, **options) -> Engine:
        """Start an engine with these ports and services, inside a namespace of its own."""
        namespace = namespace or self.namespace()
        instance = self.name()
        sections = {"engine": {"instance": instance, "idle": "sleep", "memory": "none",
                               **options}}
        if tcp:
            sections["tcp"] = tcp
        sections["ports"] = ports
        if served is None:
            served = services()
        if served:
            sections["services"] = served
        return Engine(self, namespace, yaml(sections), instance)

    def capture(self, namespace: Namespace, device: str, packets: int = 0) -> Capture:
        """Capture on a device until the end of the test."""
        need("tcpdump", "tshark")
        made = Capture(namespace, device, packets)
        self.captures.append(made)
        return made

    def finish(self) -> None:
        """The claims of every test: balance, exit code 0, nothing for tshark to find."""
        for engine in list(self.engines):
            engine.stop()
        for capture in self.captures:
            capture.stop()
            capture.judge()

    def __exit__(self, kind, value, trace) -> None:
        try:
            if kind is None:
                self.finish()
        except BaseException:
            kind = Failure
            raise
        finally:
            self.clean(keep=kind is not None and kind is not Skip)

    def clean(self, keep: bool) -> None:
        """Take everything down, whatever state it is in; keep the files of a failure."""
        for engine in self.engines:
            if keep:
                print(f"--- the engine said:\n{engine.said()}---")
        while self.undo:
            with contextlib.suppress(Exception):
                self.undo.pop()()
        if keep:
            print(f"kept {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)


class Site:
    """The usual scene: an engine on one TAP, and a client's kernel at the other end."""

    def __init__(self, lab: Lab, served: list = None, port: dict = None, tcp: dict = None,
                 packets: int = 60000, **options):
        self.lab = lab
        self.client = lab.namespace()
        self.device = lab.name()
        self.engine = lab.engine(
            [{"name": "lan", "device": f"tap:{self.device}", "mac": ENGINE_MAC,
              "addresses": [f"{ENGINE4}/24", f"{ENGINE6}/64"], **(port or {})}],
            served, tcp=tcp, **options)
        move(self.engine.namespace, self.device, self.client)
        self.client.address(self.device, f"{CLIENT4}/24", f"{CLIENT6}/64")
        self.capture = lab.capture(self.client, self.device, packets) if packets else None

    def settled(self) -> dict:
        """The port's counters once they no longer move."""
        return self.engine.settled("lan")


def move(source: Namespace, device: str, target: Namespace) -> None:
    """Hand a device over to another namespace."""
    wait_for(f"device {device}", lambda: not source.ip("link", "show", device, ok=False).returncode)
    source.ip("link", "set", device, "netns", target.name)


def end(process: subprocess.Popen) -> None:
    """End a process: first asked, then made to."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def sweep() -> None:
    """Take down namespaces of tests that were killed before they could."""
    for line in run(["ip", "netns", "list"], ok=False).stdout.splitlines():
        name = line.split()[0]
        match = re.match(r"hft(\d+)[a-z]$", name)
        if match and not Path(f"/proc/{match[1]}").exists():
            run(["ip", "netns", "del", name], ok=False)


def need_privileges() -> None:
    """Skip without what every namespace test needs."""
    if os.geteuid() != 0:
        raise Skip("not root: namespaces and TAP devices need root")
    if not os.path.exists("/dev/net/tun"):
        raise Skip("no TAP: /dev/net/tun is missing")
    need("ip")
    check(os.access(HANDFAST, os.X_OK), f"{HANDFAST} is not built (or set HANDFAST)")


def trace(client: "Namespace", host: str) -> None:
    """Check that traceroute by UDP, ICMP and TCP finds an engine's address at the first hop."""
    for how in ([], ["-I"], ["-T", "-p", "80"]):
        said = client.run("traceroute", "-n", "-q", "1", "-w", "2", "-m", "3", *how, host).stdout
        hops = [line.split()[:2] for line in said.splitlines()[1:]]
        check(hops == [["1", host]], f"traceroute {' '.join(how)}: {said}")


def main(names: dict) -> None:
    """Run the test functions of a file, or those named on the command line."""
    def stopped(number, _frame):
        raise SystemExit(128 + number)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stopped)
    sys.stdout.reconfigure(line_buffering=True)

    tests = {name: value for name, value in names.items() if name.startswith("test_")}
    chosen = sys.argv[1:] or list(tests)
    failed, skipped = [], []
    for name in chosen:
        began = time.monotonic()
        try:
            need_privileges()
            sweep()
            tests[name]()
            print(f"ok      {name} ({time.monotonic() - began:.1f} s): {tests[name].__doc__}")
        except Skip as reason:
            skipped.append(str(reason))
            print(f"skipped {name}: {reason}")
        except Exception:  # pylint: disable=broad-except
            failed.append(f"{traceback.format_exc()}{name}")
            print(f"FAILED  {name} ({time.monotonic() - began:.1f} s): {tests[name].__doc__}")
    if failed:
        # Why is said last: the end of the output is all that a summary shows.
        print("failed:", "\nfailed: ".join(failed))
        sys.exit(1)
    if len(skipped) == len(chosen):
        print(f"skipped: {'; '.join(sorted(set(skipped)))}")
        sys.exit(77)
