# SPDX-License-Identifier: BSD-3-Clause
"""handfast-load against servers that count for themselves: our engine, nginx, the kernel."""

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
from pathlib import Path

import lab

HANDFAST_LOAD = os.environ.get(
    "HANDFAST_LOAD", str(Path(lab.HANDFAST).parents[1] / "handfast-load/handfast-load"))

NGINX = """
daemon off; worker_processes 1; error_log stderr; pid {folder}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 100000;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen {address4}:80 backlog=1024; listen [{address6}]:80 backlog=1024;
    location / {{ return 200 "{body}"; }}
    location /missing {{ return 404; }}
  }}
  server {{
    listen {address4}:8080; listen [{address6}]:8080;
    location / {{
      if ($http_host !~ "^([^:]+|[[].+[]]):8080$") {{ return 400; }}
      return 200 "{body}";
    }}
  }}
  server {{ listen 127.0.0.1:81; location / {{ stub_status; }} }}
}}
"""


class Load:
    """A run of handfast-load, told in JSON lines."""

    def __init__(self, namespace: lab.Namespace, port: str, *words: str, address: str = None):
        address = address or f"{lab.ENGINE4}/24,{lab.ENGINE6}/64"
        self.lines, self.said = [], ""
        self.process = namespace.spawn(
            HANDFAST_LOAD, "--port", port, "--address", address, "--mac", lab.ENGINE_MAC,
            "--idle", "sleep", "--memory", "none", "--resolve", "20s", "--json", *words,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def is_ready(self, instance: str) -> bool:
        """Whether its device is up: it answers telemetry."""
        lab.check(self.process.poll() is None, "the generator ended at once")
        try:
            return isinstance(lab.Telemetry(instance).ask("/handfast/info"), dict)
        except (OSError, ValueError):
            return False

    def end(self, code: int = 0) -> dict:
        """Wait for its end; the last line."""
        out, self.said = self.process.communicate(timeout=60)
        lab.check(self.process.returncode == code,
                  f"exit code {self.process.returncode}, not {code}\n{out}{self.said}")
        self.lines = [json.loads(line) for line in out.splitlines()]
        kinds = [line["type"] for line in self.lines]
        lab.check(kinds[0] == "start" and kinds[-1] == "end" and
                  set(kinds[1:-1]) <= {"second"}, kinds)
        last = self.lines[-1]
        lab.check(last["failures"] == sum(last["failed"].values()), last)
        figures = last["figures"]
        if last["exchange"] in ("open-close", "request", "keepalive", "handshake"):
            lab.check(figures["started"] == figures["completed"] + last["failures"]
                      + last["unfinished"], last)
        return last


class Kernel:
    """The other end: a namespace that gets the generator's TAP, with a server in it."""

    def __init__(self, here: lab.Lab):
        self.here = here
        self.inside, self.outside = here.namespace(), here.namespace()

    def load(self, *words: str, target: str = f"{lab.CLIENT4}:80", captured: bool = False) -> Load:
        """Start a generator whose TAP is handed to the server's namespace."""
        device = self.here.name()
        load = Load(self.inside, f"tap:{device}", "--target", target, "--instance", device, *words)
        lab.wait_for("the generator", lambda: load.is_ready(device), 20)
        lab.move(self.inside, device, self.outside)
        # What it waits for comes last: it may be done a moment later, and its device gone.
        prefixes = [f"{lab.CLIENT4}/24", f"{lab.CLIENT6}/64"]
        prefixes.sort(key=lambda prefix: prefix.split("/")[0] in target)
        self.outside.address(device, prefixes[0])
        if captured:
            self.here.capture(self.outside, device, 20000)
        self.outside.address(device, prefixes[1])
        return load

    def nginx(self, body: int = 300) -> None:
        """Serve a body of so many bytes by HTTP on the kernel's addresses, which need not be there yet."""
        lab.need("nginx")
        self.outside.run("sysctl", "-qw", "net.ipv4.ip_nonlocal_bind=1",
                         "net.ipv6.ip_nonlocal_bind=1")
        configuration = self.here.path("nginx.conf")
        configuration.write_text(NGINX.format(folder=self.here.folder, address4=lab.CLIENT4,
                                              address6=lab.CLIENT6, body="x" * body))
        self.outside.spawn("nginx", "-c", str(configuration), "-e", "stderr")
        lab.wait_for("nginx", lambda: "LISTEN" in self.outside.run("ss", "-Hltn").stdout)

    def listen(self, port: int) -> subprocess.Popen:
        """A kernel's connections that nobody accepts."""
        process = self.outside.spawn("/usr/bin/python3", "-c", "import socket, time\n"
                                     f"s = socket.create_server(('', {port}), backlog=512)\n"
                                     "time.sleep(600)")
        lab.wait_for("a listener", lambda: "LISTEN" in self.outside.run("ss", "-Hltn").stdout)
        return process

    def status(self) -> list:
        """nginx's accepts, handled and requests, without this question."""
        said = self.outside.run("curl", "-sS", "http://127.0.0.1:81/").stdout
        accepts, handled, requests = map(int, re.search(r"(\d+) (\d+) (\d+)", said).groups())
        return [accepts - 1, handled - 1, requests - 1]


def figure(last: dict, name: str) -> int:
    """A figure of the whole run."""
    return last["figures"][name]


def failed(last: dict) -> dict:
    """What failed."""
    return {name: n for name, n in last["failed"].items() if n}


def test_memif_engine_counts_the_same():
    """Every exchange against our engine over memif: both sides count the same connections."""
    exchanges = {
        "open-close": [f"{lab.CLIENT4}:9"],
        "request": [f"{lab.CLIENT4}:81"],
        "keepalive": [f"{lab.CLIENT4}:80", "--requests", "7"],
        "handshake": [f"{lab.CLIENT4}:9"],
        "idle": [f"[{lab.CLIENT6}]:9", "--duration", "1s", "--concurrency", "3000"],
    }
    packets = {"open-close": 6, "request": 6, "keepalive": 19, "handshake": 4}
    with lab.Lab() as here:
        inside = here.namespace()
        for number, (exchange, words) in enumerate(exchanges.items()):
            path = here.path(f"{number}.sock")
            device = f"memif:id=0,socket={path},socket-abstract=no,role="
            engine = here.engine(
                [{"name": "lan", "device": device + "server", "mac": "02:00:00:00:0e:02",
                  "addresses": [f"{lab.CLIENT4}/16", f"{lab.CLIENT6}/64"]}],
                [{"name": "web", "listen": f"{lab.CLIENT4}:80", "body_size": "3KiB"},
                 {"name": "once", "listen": f"{lab.CLIENT4}:81", "close": "after_reply"},
                 {"name": "sink", "listen": [f"{lab.CLIENT4}:9", f"[{lab.CLIENT6}]:9"],
                  "reply": "discard"}], inside)
            last = Load(inside, device + "client", "--exchange", exchange, "--target", *words,
                        *([] if "--duration" in words else ["--count", "4000"]),
                        "--sources", "10.9.128.0/24,fd00:9::8000/121",
                        address=f"{lab.ENGINE4}/16,{lab.ENGINE6}/64").end()
            lab.check(not failed(last), last)
            count = engine.settled("lan")
            if exchange == "idle":
                lab.check(figure(last, "opened") == count["opened"] == 3000, (last, count))
                lab.check(count["reset"] == 3000 and figure(last, "lost") == 0, (last, count))
            else:
                lab.check(figure(last, "completed") == count["opened"] == 4000, (last, count))
                lab.check(figure(last, "requests") == count["requests"], (last, count))
                if figure(last, "syn_retransmits") + figure(last, "retransmits") == 0:
                    seen = last["packets_per_connection_seen"]
                    wanted = packets[exchange] + (7 * 4 if exchange == "keepalive" else 0)
                    lab.check(abs(seen - wanted) < 0.1, f"{exchange}: {seen} packets, {last}")
            engine.stop()


def test_two_ports_share_the_load():
    """One generator, two workers, two memifs: each port opens its half, from its own addresses."""
    with lab.Lab() as here:
        inside = here.namespace()
        memif = [f"memif:id=0,socket={here.path(name)},socket-abstract=no,role="
                 for name in ("a.sock", "b.sock")]
        engine = here.engine(
            [{"name": "lan", "device": memif[0] + "server", "mac": "02:00:00:00:0e:02",
              "addresses": [f"{lab.CLIENT4}/16"]},
             {"name": "wan", "device": memif[1] + "server", "mac": "02:00:00:00:0e:03",
              "addresses": ["10.8.0.2/16"]}],
            [{"name": "web", "listen": [f"{lab.CLIENT4}:80", "10.8.0.2:80"],
              "close": "after_reply"}], inside)
        last = Load(inside, memif[0] + "client", "--target", f"{lab.CLIENT4}:80",
                    "--sources", "10.9.128.0/24", "--port", memif[1] + "client",
                    "--address", "10.8.0.1/16", "--target", "10.8.0.2:80", "--workers", "2",
                    "--exchange", "request", "--count", "4000", "--concurrency", "200",
                    address=f"{lab.ENGINE4}/16").end()
        lab.check(not failed(last) and figure(last, "completed") == 4000, last)
        opened = [engine.settled(port)["opened"] for port in ("lan", "wan")]
        lab.check(sum(opened) == 4000 and min(opened) > 1200, opened)
        engine.stop()


def test_nginx_counts_the_same():
    """HTTP requests to nginx, at a rate and in a closed loop, over IPv4: accepted one by one."""
    with lab.Lab() as here:
        kernel = Kernel(here)
        kernel.nginx()
        last = kernel.load("--exchange", "request", "--concurrency", "20", "--count", "1500",
                           captured=True).end()
        lab.check(not failed(last) and figure(last, "completed") == 1500, last)
        lab.check(kernel.status() == [1500] * 3, kernel.status())
        lab.check(last["latency_us"]["first_byte"]["count"] == 1500, last)
        lab.check(figure(last, "bytes_received") > 1500 * 300, last)
        before = kernel.status()
        last = kernel.load("--exchange", "keepalive", "--requests", "5", "--rate", "400",
                           "--spacing", "poisson", "--count", "400").end()
        lab.check(not failed(last) and figure(last, "completed") == 400, last)
        # Standard deviation of the sum of 400 intervals: 50 ms.
        lab.check(0.75 < last["seconds"] < 5, last)
        after = kernel.status()
        lab.check(after[0] - before[0] == figure(last, "completed") + 1 and
                  after[2] - before[2] == figure(last, "requests") + 1, (before, after, last))
        lab.check(figure(last, "requests") == 5 * figure(last, "completed"), last)


def test_ipv6_from_many_sources():
    """IPv6 connections from a prefix: the kernel resolves each source and sees it."""
    with lab.Lab() as here:
        kernel = Kernel(here)
        kernel.nginx()
        last = kernel.load("--exchange", "request", "--count", "200", "--concurrency", "10",
                           "--sources", "fd00:9::100/122", "--timestamps", captured=True,
                           target=f"[{lab.CLIENT6}]:80").end()
        lab.check(not failed(last) and figure(last, "completed") == 200, last)
        lab.check(kernel.status() == [200] * 3, kernel.status())
        sources = set(here.captures[0].tshark("tcp.flags == 0x02", "ipv6.src"))
        lab.check(len(sources) == 63, f"{len(sources)} sources")


def test_the_host_field_has_the_port():
    """RFC 9110 7.2: unless it is 80; an IPv6 address is in brackets."""
    with lab.Lab() as here:
        kernel = Kernel(here)
        kernel.nginx()
        for target in (f"{lab.CLIENT4}:8080", f"[{lab.CLIENT6}]:8080"):
            last = kernel.load("--exchange", "request", "--count", "5", target=target).end()
            lab.check(not failed(last) and figure(last, "completed") == 5, last)


def test_a_delay_comes_before_the_first_start():
    """--delay counts from when the peer's address is known, and is no part of what is measured."""
    with lab.Lab() as here:
        kernel = Kernel(here)
        kernel.nginx()
        load = kernel.load("--delay", "1500ms", "--count", "10", captured=True)
        last = load.end()
        lab.check(not failed(last) and figure(last, "completed") == 10, last)
        lab.check(load.lines[0]["delay"] == 1.5 and last["seconds"] < 1.5, load.lines)
        known, = here.captures[0].tshark(
            f"arp.opcode == 2 and arp.src.proto_ipv4 == {lab.CLIENT4}", "frame.time_epoch")[:1]
        first = here.captures[0].tshark("tcp.flags == 0x02", "frame.time_epoch")[0]
        lab.check(float(first) - float(known) >= 1.5, (known, first))


def test_failures_are_classified():
    """A closed port refuses, a black hole is silent, a wrong page is wrong; exit code 7."""
    with lab.Lab() as here:
        kernel = Kernel(here)
        kernel.nginx()
        last = kernel.load("--count", "50", "--max-failures", "10%",
                           target=f"{lab.CLIENT4}:81").end(7)
        lab.check(failed(last) == {"refused": 50}, last)
        lab.check(last["thresholds"] == [{"name": "max_failures_share", "wanted": 0.1, "got": 1,
                                          "met": False}] and not last["met"], last)
        last = kernel.load("--count", "20", "--retries", "0", "--gateway", lab.CLIENT4,
                           "--max-failures", "20", target="192.0.2.1:80").end()
        lab.check(failed(last) == {"no_syn_ack": 20} and figure(last, "opened") == 0, last)
        load = kernel.load("--exchange", "request", "--path", "/missing", "--count", "30",
                           "--min-rate", "100M", "--max-p99", "30s")
        last = load.end(7)
        lab.check(failed(last) == {"wrong_reply": 30}, last)
        lab.check([threshold["met"] for threshold in last["thresholds"]] == [False, True], last)
        lab.check("min_rate: wanted 100,000,000, got 0: MISSED" in load.said, load.said)


def test_what_never_opened_misses_a_percentile():
    """Half of all SYNs are refused: the percentile of those that opened is that of none of all."""
    with lab.Lab() as here:
        kernel = Kernel(here)
        kernel.nginx()
        words = ["--exchange", "request", "--count", "100", "--max-p99", "30s"]
        last = kernel.load(*words).end()
        lab.check([threshold["met"] for threshold in last["thresholds"]] == [True], last)
        last = kernel.load(*words, "--target", f"{lab.CLIENT4}:82").end(7)
        lab.check(failed(last) == {"refused": 50} and figure(last, "opened") == 50, last)
        lab.check([threshold["met"] for threshold in last["thresholds"]] == [False], last)


def test_an_offloading_peer_is_named():
    """A veth's peer hands over segments longer than any frame: lost, and a hint says what to do."""
    with lab.Lab() as here:
        kernel = Kernel(here)
        kernel.nginx(3500)
        near, far = here.name(), here.name()
        kernel.inside.ip("link", "add", near, "type", "veth", "peer", "name", far, "netns",
                         kernel.outside.name)
        kernel.inside.set(f"net.ipv6.conf.{near}.disable_ipv6", 1)
        kernel.inside.address(near)
        kernel.outside.address(far, f"{lab.CLIENT4}/24")
        load = Load(kernel.inside, f"veth:{near},af_packet", "--target", f"{lab.CLIENT4}:80",
                    "--exchange", "request", "--concurrency", "5", "--duration", "1s",
                    "--drain", "100ms")
        load.end()
        lab.check(re.search(r"\n  [1-9]\d* frames longer than the MTU were dropped: the peer of "
                            rf"{near} offloads segmentation; ", load.said), load.said)


def test_a_tuple_with_an_old_connection_is_reset_and_retried():
    """A peer that still has the tuple's last connection answers by a challenge ACK (RFC 5961)."""
    with lab.Lab() as here:
        kernel = Kernel(here)
        kernel.nginx()
        words = ["--source-ports", "4000-4009", "--concurrency", "10"]
        first = kernel.load("--exchange", "idle", *words, "--duration", "60s")
        lab.wait_for("ten connections", lambda: kernel.outside.run(
            "ss", "-Htn", "state", "established").stdout.count(lab.ENGINE4) == 10)
        first.process.kill()
        first.process.wait()
        last = kernel.load("--exchange", "request", *words, "--count", "10").end()
        lab.check(not failed(last) and figure(last, "completed") == 10, last)
        lab.check(figure(last, "challenges") >= 10, last)


def test_what_never_began_or_was_lost_misses_thresholds():
    """Connections that fill --concurrency, or are reset while they are held, are no good figures."""
    with lab.Lab() as here:
        kernel = Kernel(here)
        listener = kernel.listen(81)
        load = kernel.load("--exchange", "request", "--rate", "1000", "--concurrency", "10",
                           "--duration", "1s", "--drain", "100ms", "--max-p99", "900ms",
                           "--max-failures", "10", target=f"{lab.CLIENT4}:81")
        last = load.end(7)
        # The first one is due when the run begins, whenever the worker looks.
        lab.check(figure(last, "started") == 10 and 989 <= figure(last, "not_started") <= 990, last)
        lab.check([threshold["met"] for threshold in last["thresholds"]] == [False, False], last)
        lab.check("starts were due and not made: 10 connections" in load.said, load.said)
        load = kernel.load("--exchange", "idle", "--concurrency", "20", "--duration", "2s",
                           "--max-failures", "0", target=f"{lab.CLIENT4}:81")
        lab.wait_for("held connections", lambda: kernel.outside.run(
            "ss", "-Htn", "state", "established").stdout.count(lab.ENGINE4) == 20)
        lab.end(listener)  # Its kernel resets what it has not accepted.
        last = load.end(7)
        lab.check(figure(last, "opened") == figure(last, "lost") == 20, last)
        lab.check("held to the end: 0, lost (reset or closed by the peer): 20" in load.said,
                  load.said)
        load = kernel.load("--count", "5", "--ramp-up", "2s", "--max-p99", "1s")
        load.end(7)
        lab.check("nothing was measured" in load.said and "got nothing: MISSED" in load.said,
                  load.said)


def test_what_did_not_open_before_the_end_misses_the_latency():
    """A full accept queue drops SYNs, and the run ends before any of them is repeated."""
    with lab.Lab() as here:
        kernel = Kernel(here)
        kernel.listen(81)
        last = kernel.load("--exchange", "handshake", "--rate", "1k", "--duration", "900ms",
                           "--drain", "50ms", "--max-p99", "500ms",
                           target=f"{lab.CLIENT4}:81").end(7)
        lab.check(last["failures"] == 0 and last["unfinished"] > 300, last)
        lab.check(last["latency_us"]["connect"]["p99"] < 500_000, last)


def test_a_run_that_a_signal_ends_says_so():
    """128 and the signal's number, a sentence, and the figures up to then."""
    with lab.Lab() as here:
        kernel = Kernel(here)
        kernel.nginx()
        for number in (signal.SIGINT, signal.SIGTERM):
            # What is not open when it ends misses a percentile: one of hundreds may.
            load = kernel.load("--exchange", "request", "--concurrency", "1", "--duration", "60s",
                               "--max-p99", "10s")
            before = kernel.status()[2]
            # Each question is a request, too.
            asked = itertools.count(400)
            lab.wait_for("requests", lambda: kernel.status()[2] > before + next(asked), 30)
            load.process.send_signal(number)
            last = load.end(128 + number)
            lab.check(last["cut_short"] and last["met"] and last["done"] > 300, last)
            lab.check("ended by a signal after " in load.said, load.said)
        last = kernel.load("--exchange", "request", "--count", "10").end()
        lab.check(not last["cut_short"], last)


def test_usage_is_explained():
    """What cannot be run is said to be so, by exit code and sentence."""
    for words, code, sentence in (
            (["--target", "10.0.0.2:80"], 2, "needs a --port"),
            (["--port", "null:", "--address", "10.0.0.1/24"], 2, "needs a --target"),
            (["--port", "null:", "--address", "10.0.0.1/24", "--target", "10.0.0.2:80",
              "--exchange", "http"], 2, "must be syn, handshake"),
            (["--port", "nul:", "--address", "10.0.0.1/24", "--target", "10.0.0.2:80"], 2,
             '--port: "nul:" names'),
            (["--port", "null:", "--address", "10.0.0.1/24", "--target", "10.0.0.2:80",
              "--port", "null:", "--address", "10.0.0.3/24"], 2, "each --port needs a --target"),
            (["--port", "null:", "--address", "10.0.0.1/24", "--target", "10.0.0.2:80",
              "--sources", "10.0.0.16/28", "--port", "null:", "--address", "10.0.0.3/24",
              "--target", "10.0.0.2:80", "--sources", "10.0.0.24/29", "--memory", "none"], 2,
             "a target twice"),
            (["--port", "null:", "--address", "10.0.0.1/24", "--target", "10.0.0.2:80",
              "--exchange", "idle", "--count", "5"], 2, "has no --count"),
            (["--port", "null:", "--address", "10.0.0.1/24", "--target", "10.0.0.2:80",
              "--exchange", "idle", "--concurrency", "70k", "--memory", "none"], 2,
             "there are 64512 tuples"),
            (["--port", "null:", "--address", "10.0.0.1/24", "--target", "10.0.0.2:80",
              "--source-ports", "4000-4099", "--memory", "none"], 2, "there are 100 tuples"),
            (["--port", "null:", "--address", "10.0.0.1/24", "--target", "10.7.0.2:80",
              "--memory", "none"], 2, "--gateway")):
        done = lab.run([HANDFAST_LOAD, *words], ok=False)
        lab.check(done.returncode == code and sentence in done.stderr,
                  f"{words}: {done.returncode}, {done.stderr}")
    said = lab.run([HANDFAST_LOAD, "--help"]).stdout
    lab.check("exit codes" in said and "handshake" in said, said)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        lab.main(globals())
