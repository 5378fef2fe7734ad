#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The same SYN flood against the kernel, nft synproxy and handfast, on the same kind of veth.

    sudo tests/bench/flood_compare.py [--seconds N] [--rates R,R,...] [--json FILE] [SERVER...]

A client's kernel, ab (closed loop, a connection for each request) and the flooder (trafgen, 4096
SYNs of as many spoofed addresses, over and over) are on core 0.  On core 1 is all of the server:
the veth's receive queue (threaded NAPI), and behind it

    listener    nginx, one worker, and the kernel's TCP with tcp_syncookies=2 (always)
    synproxy    the same behind `nft ... synproxy`, as the kernel's documentation sets it up
    af_packet   handfast, one worker, cookies: always, through AF_PACKET
    af_xdp      the same through AF_XDP (copy mode: a veth has no other)

All serve the same kilobyte.  Of each, for each rate of SYNs that was asked for (0 is no flood,
`max` is what the flooder can): SYNs that were sent, SYN-ACKs that came back, requests and their
latency, how much of core 1 was busy, and with what.  ab counts a request as failed only when a
connection breaks; one that waits for a lost SYN shows in p99.

A veth whose sender has TSO passes TCP by its NAPI thread: all but AF_XDP then receive on core 0,
at the sender's cost, and what core 1 does is the rest.

Each server takes half a minute.  Linux 6.18 refused (TcpExtTSEcrRejected) one in 200 of the
connections that synproxy opens to its listener, which then stand still: ab does so, too, when all
of its 16 are such.

On machines with less than four cores, flooder and ab take core 0 from each other.
"""

import argparse
import json
import os
import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
import lab  # noqa: E402  pylint: disable=wrong-import-position
import nginx  # noqa: E402  pylint: disable=wrong-import-position

SERVERS = ("listener", "synproxy", "af_packet", "af_xdp")
CLIENT_CORE, SERVER_CORE = 0, 1
FLOOD_SYNS = 4096
PRIORITY = -15  # of all that takes part, so that little else of the machine does

# https://wiki.nftables.org/wiki-nftables/index.php/Synproxy
SYNPROXY = """
table ip proxy {{
    chain pre {{
        type filter hook prerouting priority raw;
        iifname {device} tcp dport 80 tcp flags syn notrack
    }}
    chain in {{
        type filter hook input priority 0;
        iifname {device} tcp dport 80 ct state invalid,untracked \
            synproxy mss 1460 wscale 7 timestamp sack-perm
        ct state invalid drop
    }}
}}
"""

# What comes back to addresses that were made up: counted, and gone.
COUNT_ANSWERS = """
table netdev count {{
    chain in {{
        type filter hook ingress device {device} priority 0;
        ip daddr 11.0.0.0/8 counter drop
    }}
}}
"""


def threads(name: str) -> list:
    """Threads whose name begins so."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "comm").read_text().startswith(name):
                    found.append(int(entry.name))
            except OSError:
                pass
    return found


class Scene:
    """A client and a server at the ends of a veth."""

    def __init__(self, here: lab.Lab):
        self.here = here
        self.client, self.inside = here.namespace(), here.namespace()
        self.far, self.near = here.name(), here.name()
        self.inside.ip("link", "add", self.near, "numrxqueues", "1", "numtxqueues", "1", "type",
                       "veth", "peer", "name", self.far, "numrxqueues", "1", "numtxqueues", "1",
                       "netns", self.client.name)
        self.inside.set(f"net.ipv6.conf.{self.near}.disable_ipv6", 1)
        self.inside.ip("link", "set", self.near, "address", lab.ENGINE_MAC, "up")
        self.client.address(self.far, f"{lab.CLIENT4}/24")
        self.pin(self.client, self.far, CLIENT_CORE)
        self.pin(self.inside, self.near, SERVER_CORE)
        self.client.run("nft", COUNT_ANSWERS.format(device=self.far))
        # No look-up and no port may run out under ab.
        self.client.ip("neigh", "replace", lab.ENGINE4, "lladdr", lab.ENGINE_MAC, "dev", self.far)
        self.client.set("net.ipv4.ip_local_port_range", "1024 65535")
        self.client.set("net.ipv4.tcp_tw_reuse", 1)
        self.engine = None
        # What goes through lo (synproxy to nginx) or over a timer is done here.
        for thread in threads("ksoftirqd/"):
            usual = os.getpriority(os.PRIO_PROCESS, thread)
            os.setpriority(os.PRIO_PROCESS, thread, PRIORITY)
            here.at_exit(lambda one=thread, nice=usual: os.setpriority(os.PRIO_PROCESS, one, nice))

    def pin(self, namespace: lab.Namespace, device: str, core: int) -> None:
        """Receive on one core, in a thread of the kernel."""
        namespace.run("ethtool", "-K", device, "gro", "on")
        namespace.run("sh", "-c", f"echo 1 > /sys/class/net/{device}/threaded")

        for thread in lab.wait_for(f"napi/{device}", lambda: threads(f"napi/{device}"[:15])):
            os.sched_setaffinity(thread, {core})
            os.setpriority(os.PRIO_PROCESS, thread, PRIORITY)

    def kernel(self, proxy: bool) -> None:
        """nginx, and maybe synproxy in front of it."""
        self.inside.address(self.near, f"{lab.ENGINE4}/24")
        self.inside.ip("neigh", "replace", lab.CLIENT4, "lladdr", self.mac(), "dev", self.near)
        self.inside.ip("route", "add", "11.0.0.0/8", "via", lab.CLIENT4)
        self.inside.set("net.ipv4.tcp_syncookies", 1 if proxy else 2)
        self.inside.set("net.core.somaxconn", 16384)
        self.inside.set("net.ipv4.tcp_max_syn_backlog", 16384)
        if proxy:
            done = self.inside.run("nft", SYNPROXY.format(device=self.near), ok=False)
            if done.returncode != 0:
                raise lab.Skip("this kernel has no nft synproxy: "
                               + done.stderr.strip().splitlines()[0])
            self.inside.set("net.netfilter.nf_conntrack_tcp_loose", 0)
            self.inside.set("net.ipv4.tcp_timestamps", 1)
        self.inside.spawn("taskset", "-c", str(SERVER_CORE), *nginx.command(
            self.here.folder, f"{lab.ENGINE4}:80", "x" * 1024))

    def mac(self) -> str:
        """The client's Ethernet address."""
        return json.loads(self.client.run("ip", "-j", "link", "show", self.far).stdout)[0][
            "address"]

    def handfast(self, driver: str) -> None:
        """handfast on the same core."""
        self.engine = self.here.engine(
            [{"name": "lan", "device": f"veth:{self.near},{driver}", "mac": lab.ENGINE_MAC,
              "addresses": [f"{lab.ENGINE4}/24"]}],
            [{"name": "web", "listen": f"{lab.ENGINE4}:80", "cookies": "always",
              "body_size": "1KiB"}], self.inside, workers=[SERVER_CORE], main_core=CLIENT_CORE)

    def answers(self) -> int:
        """SYN-ACKs to the flood so far."""
        return int(re.search(r"packets (\d+)", self.client.run(
            "nft", "list chain netdev count in").stdout)[1])

    def sent(self) -> int:
        """Packets that the client has sent."""
        return int(self.client.run(
            "cat", f"/sys/class/net/{self.far}/statistics/tx_packets").stdout)

    def flood(self, rate: str):
        """Start the flooder."""
        path = self.here.path("syns.trafgen")
        if not path.exists():
            path.write_text(syns(self.mac()))
        # Without a rate trafgen uses a ring that ends at the first full queue.
        paced = 10_000_000 if rate == "max" else rate
        return self.client.spawn("taskset", "-c", str(CLIENT_CORE), "nice", "-n", "5", "trafgen",
                                 "--dev", self.far, "--conf", str(path), "--cpus", "1", "--rate",
                                 f"{paced}pps", start_new_session=True)


def syns(mac: str) -> str:
    """trafgen's packets: SYNs as Linux sends them, from 11.0.0.0/8."""
    from scapy.all import Ether, IP, TCP  # pylint: disable=import-outside-toplevel
    lines = []
    for number in range(FLOOD_SYNS):
        frame = (Ether(src=mac, dst=lab.ENGINE_MAC)
                 / IP(src=f"11.{number >> 8}.{number & 255}.7", dst=lab.ENGINE4, id=number)
                 / TCP(sport=1024 + number * 13, dport=80, flags="S", seq=number * 1000003,
                       window=64240, options=[("MSS", 1460), ("SAckOK", b""),
                                              ("Timestamp", (number, 0)), ("NOP", None),
                                              ("WScale", 7)]))
        lines.append("{ " + ", ".join(f"0x{byte:02x}" for byte in bytes(frame)) + " }")
    return "\n".join(lines) + "\n"


def core_times(core: int) -> dict:
    """Seconds that a core has spent, by kind."""
    kinds = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
    for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
        words = line.split()
        if words[0] == f"cpu{core}":
            return dict(zip(kinds, (int(word) / 100 for word in words[1:])))
    return {}


def worker_time(scene: Scene) -> float:
    """Seconds that handfast's worker has run."""
    if scene.engine is None:
        return 0.0
    folder = Path(f"/proc/{scene.engine.process.pid}/task")
    for thread in folder.iterdir():
        if "worker" in (thread / "comm").read_text():
            return int((thread / "schedstat").read_text().split()[0]) / 1e9
    return 0.0


def measure(scene: Scene, rate: str, seconds: float) -> dict:
    """One flood and its figures."""
    flooder = scene.flood(rate) if rate != "0" else None
    if flooder:
        start = scene.answers() + scene.sent()
        lab.wait_for("the flood", lambda: scene.answers() + scene.sent() > start + 1000)
        time.sleep(0.5)
    before = core_times(SERVER_CORE), worker_time(scene), scene.answers(), scene.sent()
    began = time.monotonic()
    said = scene.client.run("taskset", "-c", str(CLIENT_CORE), "ab", "-q", "-s", "10", "-r", "-t",
                            str(seconds), "-n", "10000000", "-c", "16",
                            f"http://{lab.ENGINE4}/", ok=False).stdout
    took = time.monotonic() - began
    after = core_times(SERVER_CORE), worker_time(scene), scene.answers(), scene.sent()
    if flooder:
        lab.check(flooder.poll() is None, f"the flooder ended with {flooder.poll()}")
        os.killpg(flooder.pid, 9)
        flooder.wait()

    def found(pattern: str) -> float:
        match = re.search(pattern, said)
        return float(match[1]) if match else 0.0
    spent = {kind: (after[0][kind] - before[0][kind]) / took for kind in after[0]}
    done = found(r"Complete requests:\s+(\d+)")
    return {
        "asked_syns_per_s": rate,
        "sent_per_s": round((after[3] - before[3]) / took),
        "flood_synacks_per_s": round((after[2] - before[2]) / took),
        "requests_per_s": round(done / took),
        "failed": int(found(r"Failed requests:\s+(\d+)")),
        "p50_ms": found(r"\n\s+50%\s+(\d+)"), "p99_ms": found(r"\n\s+99%\s+(\d+)"),
        "longest_ms": found(r"100%\s+(\d+)"),
        "core_busy": round(1 - spent["idle"] - spent["iowait"], 3),
        "core_softirq": round(spent["softirq"] + spent["irq"], 3),
        "core_system": round(spent["system"], 3), "core_user": round(spent["user"], 3),
        "worker_busy": round((after[1] - before[1]) / took, 3),
    }


def run_server(name: str, rates: list, seconds: float) -> list:
    """All floods against one server."""
    with lab.Lab() as here:
        scene = Scene(here)
        if name in ("listener", "synproxy"):
            scene.kernel(name == "synproxy")
        else:
            scene.handfast(name)
        lab.wait_for("the server", lambda: scene.client.run(
            "curl", "-s", "-m", "1", "-o", "/dev/null", f"http://{lab.ENGINE4}/",
            ok=False).returncode == 0, 20)
        results = []
        for rate in rates:
            results.append({"server": name, **measure(scene, rate, seconds)})
            print(row(results[-1]), flush=True)
        return results


COLUMNS = (("server", "server", 10), ("flood asked", "asked_syns_per_s", 12),
           ("sent/s", "sent_per_s", 9), ("SYN-ACK/s", "flood_synacks_per_s", 10),
           ("requests/s", "requests_per_s", 11), ("failed", "failed", 7), ("p50 ms", "p50_ms", 7),
           ("p99 ms", "p99_ms", 7), ("max ms", "longest_ms", 7), ("core 1", "core_busy", 7),
           ("softirq", "core_softirq", 8), ("system", "core_system", 7), ("user", "core_user", 6),
           ("worker", "worker_busy", 7))


def row(result: dict) -> str:
    """A line of the table."""
    return " ".join(f"{result[key]:>{width}}" for _, key, width in COLUMNS)


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("servers", nargs="*", choices=[*SERVERS, []], default=[])
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rates", default="0,50000,150000,max")
    parser.add_argument("--json")
    parser.add_argument("--quick", action="store_true", help="only show that it runs")
    options = parser.parse_args()
    if options.quick:
        options.servers, options.rates, options.seconds = ["af_packet"], "20000", 1
    try:
        lab.need_privileges()
        lab.need("ab", "curl", "nft", "trafgen", "nginx", "ethtool", "taskset")
    except lab.Skip as reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    if os.cpu_count() < 2:
        print("skipped: two cores are needed")
        sys.exit(77)
    os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
    print(f"{os.uname().release}, {os.cpu_count()} cores; client, ab and flooder on core "
          f"{CLIENT_CORE}, all of the server on core {SERVER_CORE}")
    print(" ".join(f"{title:>{width}}" for title, _, width in COLUMNS), flush=True)
    results = []
    for name in options.servers or SERVERS:
        try:
            results += run_server(name, options.rates.split(","), options.seconds)
        except lab.Skip as reason:
            print(f"{name:>10} left out: {reason}")
            results.append({"server": name, "left_out": str(reason)})
    if options.json:
        Path(options.json).write_text(json.dumps(
            {"kernel": os.uname().release, "cores": os.cpu_count(), "results": results}, indent=1))


if __name__ == "__main__":
    main()
