#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""handfast, haproxy and nginx in the same place: a connection for each request, to two backends.

    sudo tests/bench/proxy_compare.py [--seconds N] [--rounds N] [--json FILE] [PROXY...]

A client's kernel with wrk (50 at a time, `Connection: close`) and a kernel with two nginx are on
core 0.  On core 1 is the proxy with two veths, one to each:

    handfast    mode: proxy, one worker, both veths through AF_PACKET; cookies: never, and always
    haproxy     mode tcp, one thread
    nginx       stream, one worker (left out where the module is missing)

All choose round robin and speak to the backends from an address of their own.  Rounds are taken in
turn, so that a machine that gets busier does so for all.  Of each: connections per second, median
and 99th percentile of a request, how much of core 1 was busy, and the CPU that a connection cost
there: user, system and softirq.  handfast polls; it is told to sleep when idle (`idle: sleep`).

On machines with two cores the client and the backends take core 0 from each other, and that is what
limits a fast proxy: the CPU per connection says more than the rate.
"""

import argparse
import contextlib
import json
import os
import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
import lab  # noqa: E402  pylint: disable=wrong-import-position
import nginx  # noqa: E402  pylint: disable=wrong-import-position

PROXIES = ("handfast", "cookies", "haproxy", "nginx")
CLIENT_CORE, PROXY_CORE = 0, 1
FRONT, BACK, CLIENT = "10.9.0.2", "10.8.0.2", "10.9.0.1"
BACKENDS = ("10.8.0.10", "10.8.0.11")
STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"

HAPROXY = """
global
  maxconn 8000
  nbthread 1
defaults
  mode tcp
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend front
  bind {front}:80
  default_backend back
backend back
  balance roundrobin
{servers}
"""

NGINX = """
load_module {module};
daemon off; master_process off; pid {folder}/stream.pid; error_log {folder}/stream.err;
worker_rlimit_nofile 32768; events {{ worker_connections 16384; multi_accept on; }}
stream {{
    access_log off;
    upstream back {{ {servers} }}
    server {{ listen {front}:80 backlog=4096; proxy_pass back; }}
}}
"""


class Place:
    """Client, proxy's place and backends, each a namespace, with veths between."""

    def __init__(self, here: lab.Lab):
        self.here = here
        self.client, self.proxy, self.servers = (here.namespace() for _ in range(3))
        self.front = self.wire(self.client, f"{CLIENT}/24")
        self.back = self.wire(self.servers, *(f"{address}/24" for address in BACKENDS))
        self.folder = here.path("files")
        self.folder.mkdir()
        os.chmod(here.folder, 0o755)
        self.spawn(self.servers, CLIENT_CORE, *nginx.command(self.folder, "80", "x" * 100))
        lab.wait_for("the backends", lambda: ":80 " in self.servers.run("ss", "-ltn").stdout)

    def wire(self, namespace: lab.Namespace, *prefixes: str) -> str:
        """A veth from the proxy's place to a namespace. @return the proxy's end"""
        ours, theirs = self.here.name(), self.here.name()
        self.proxy.ip("link", "add", ours, "type", "veth", "peer", "name", theirs)
        lab.move(self.proxy, theirs, namespace)
        namespace.address(theirs, *prefixes)
        self.proxy.ip("link", "set", ours, "up")
        return ours

    def spawn(self, namespace: lab.Namespace, core: int, *argv: str):
        """A program on a core."""
        return namespace.spawn("taskset", "-c", str(core), *argv,
                               stdout=open(self.folder / "out", "ab"),
                               stderr=open(self.folder / "out", "ab"))


@contextlib.contextmanager
def kernel_proxy(place: Place, *argv: str):
    """A proxy on top of the kernel's TCP."""
    place.proxy.address(place.front, f"{FRONT}/24")
    place.proxy.address(place.back, f"{BACK}/24")
    process = place.spawn(place.proxy, PROXY_CORE, *argv)
    try:
        lab.wait_for(argv[0], lambda: ":80 " in place.proxy.run("ss", "-ltn").stdout)
        yield
    finally:
        lab.end(process)


@contextlib.contextmanager
def handfast(place: Place, cookies: str):
    """handfast, whose kernel has no address there."""
    instance = place.here.name()
    engine = lab.Engine(place.here, place.proxy, lab.yaml({
        "engine": {"instance": instance, "idle": "sleep", "workers": [PROXY_CORE],
                   "connections": 200000},
        "ports": [{"name": "front", "device": f"veth:{place.front},af_packet",
                   "addresses": f"{FRONT}/24"},
                  {"name": "back", "device": f"veth:{place.back},af_packet",
                   "addresses": f"{BACK}/24"}],
        "pools": [{"name": "web", "backends": [f"{a}:80" for a in BACKENDS],
                   "choice": "round_robin"}],
        "services": [{"name": "web", "listen": f"{FRONT}:80", "mode": "proxy", "pool": "web",
                      "cookies": cookies}]}), instance)
    yield
    engine.stop()


def started(place: Place, name: str):
    """The proxy of that name, for a with statement."""
    servers = [f"{address}:80" for address in BACKENDS]
    config = place.folder / f"{name}.conf"
    if name == "handfast":
        return handfast(place, "never")
    if name == "cookies":
        return handfast(place, "always")
    if name == "haproxy":
        lab.need("haproxy")
        config.write_text(HAPROXY.format(front=FRONT, servers="\n".join(
            f"  server s{i} {server}" for i, server in enumerate(servers))))
        return kernel_proxy(place, "haproxy", "-db", "-f", str(config))
    if not os.path.exists(STREAM_MODULE):
        raise lab.Skip("nginx has no stream module: apt-get install libnginx-mod-stream")
    config.write_text(NGINX.format(module=STREAM_MODULE, folder=place.folder, front=FRONT,
                                   servers=" ".join(f"server {server};" for server in servers)))
    return kernel_proxy(place, "nginx", "-c", str(config), "-p", str(place.folder))


def core_times() -> list:
    """Ticks of the proxy's core since the start: user, nice, system, idle, iowait, irq, softirq."""
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith(f"cpu{PROXY_CORE} "):
            return [int(word) for word in line.split()[1:8]]
    raise lab.Failure("the proxy's core is not in /proc/stat")


def microseconds(text: str) -> float:
    """wrk's 1.23ms."""
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]


def percentile(said: str, number: int) -> float:
    """A line of wrk's latency distribution; other lines end in percentages, too."""
    return microseconds(re.search(rf"^ +{number}% +(\S+)$", said, re.MULTILINE).group(1))


def measure(place: Place, seconds: int) -> dict:
    """One round of wrk."""
    before, began = core_times(), time.monotonic()
    done = place.client.run("taskset", "-c", str(CLIENT_CORE), "wrk", "-t1", "-c50", "--latency",
                            f"-d{seconds}", "-H", "Connection: close", f"http://{FRONT}/")
    after, elapsed = core_times(), time.monotonic() - began
    ticks = [b - a for a, b in zip(before, after)]
    busy = sum(ticks) - ticks[3] - ticks[4]
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout).group(1))
    errors = re.search(r"Socket errors:.*", done.stdout)
    return {"connections_per_s": rate,
            "p50_us": percentile(done.stdout, 50), "p99_us": percentile(done.stdout, 99),
            "busy_percent": 100 * busy / max(sum(ticks), 1),
            "cpu_us_per_connection":
                busy * 1e6 / os.sysconf("SC_CLK_TCK") / max(rate * elapsed, 1),
            "errors": errors.group(0) if errors else ""}


def run_round(name: str, seconds: int) -> dict:
    """A proxy in a place of its own."""
    with lab.Lab() as here:
        place = Place(here)
        with started(place, name):
            place.client.run("curl", "-sS", "--retry", "5", "--retry-all-errors", "--max-time",
                             "10", f"http://{FRONT}/")
            return {"proxy": name, **measure(place, seconds)}


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("proxies", nargs="*", choices=[*PROXIES, []], default=[])
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json")
    options = parser.parse_args()
    try:
        lab.need_privileges()
        lab.need("wrk", "curl", "nginx", "taskset")
    except lab.Skip as reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    results, left_out = [], set()
    print(f"{os.uname().release}, {os.cpu_count()} cores; wrk and backends on core {CLIENT_CORE}, "
          f"the proxy on core {PROXY_CORE}")
    print(f"{'proxy':>10} {'conn/s':>8} {'p50 us':>8} {'p99 us':>8} {'busy %':>7} {'us/conn':>8}")
    for name in [*(options.proxies or PROXIES)] * options.rounds:
        if name in left_out:
            continue
        try:
            row = run_round(name, options.seconds)
        except lab.Skip as reason:
            print(f"{name:>10} left out: {reason}")
            left_out.add(name)
            continue
        results.append(row)
        print(f"{name:>10} {row['connections_per_s']:8.0f} {row['p50_us']:8.0f} "
              f"{row['p99_us']:8.0f} {row['busy_percent']:7.0f} "
              f"{row['cpu_us_per_connection']:8.1f} {row['errors']}", flush=True)
    if options.json:
        Path(options.json).write_text(json.dumps({"kernel": os.uname().release,
                                                  "cores": os.cpu_count(), "results": results},
                                                 indent=1))


if __name__ == "__main__":
    main()
