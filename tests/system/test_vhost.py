# SPDX-License-Identifier: BSD-3-Clause
"""Shared memory as virtual machines have it: the engine behind vhost-user, a peer with virtio-user.

That is how Pktgen-DPDK reaches the engine without a NIC.  No distribution has a package of it, so
its place is taken by dpdk-testpmd with Pktgen's frames: 60 bytes, a SYN without options, six bytes
of payload, window 8192, always the same sequence number and an acknowledgement number that means
nothing (what tests/pipeline/test_pktgen.c has, too).
"""

import json
import os
import subprocess
from pathlib import Path

import lab

SYNS = 2000
LOAD_CONNECTIONS = 2000
HUGE_PAGES = 160
GENERATOR_MAC = "02:00:00:00:09:01"


def pktgen_syns(path: Path) -> None:
    """Pktgen's frames, from as many ports."""
    from scapy.all import Ether, IP, TCP, wrpcap  # pylint: disable=import-outside-toplevel
    head = Ether(src=GENERATOR_MAC, dst=lab.ENGINE_MAC) / IP(src=lab.CLIENT4, dst=lab.ENGINE4)
    wrpcap(str(path), [head / TCP(sport=2049 + number, dport=80, flags="S", seq=74616, ack=74640,
                                  window=8192) / bytes(6) for number in range(SYNS)])


def engine_on_vhost(here: lab.Lab, path: Path, cookies: str) -> lab.Engine:
    """The engine makes the socket; its neighbour never speaks, so it is told who that is."""
    return here.engine([{"name": "lan", "device": f"vhost:{path}", "mac": lab.ENGINE_MAC,
                         "addresses": [f"{lab.ENGINE4}/24"]}],
                       [{"name": "web", "listen": f"{lab.ENGINE4}:80", "cookies": cookies}], workers=1)


def test_pktgens_syns_are_answered():
    """Of 2000 of Pktgen's SYNs each gets one SYN-ACK, through vhost-user and virtio-user."""
    lab.need("dpdk-testpmd", "tshark")
    with lab.Lab() as here:
        path, syns, answers = (here.path(name) for name in ("v.sock", "syns.pcap", "answers.pcap"))
        pktgen_syns(syns)
        # Half-open connections would be repeated.
        engine = engine_on_vhost(here, path, "always")
        log = here.path("testpmd.log")
        with open(log, "wb") as out:
            testpmd = subprocess.Popen(
                ["dpdk-testpmd", "-l", "0,1", "--no-huge", "-m", "256", "--no-pci", "--file-prefix",
                 here.name(), "--vdev", f"net_pcap0,rx_pcap={syns},tx_pcap={answers}", "--vdev",
                 f"net_virtio_user0,path={path},queues=1,queue_size=1024,mac={GENERATOR_MAC}",
                 "--", "-i", "--total-num-mbufs=16384", "--disable-link-check", "--no-flush-rx"],
                stdin=subprocess.PIPE, stdout=out, stderr=out)
        here.at_exit(lambda: lab.end(testpmd))

        def tell(*lines: str) -> None:
            testpmd.stdin.write("".join(f"{line}\n" for line in lines).encode())
            testpmd.stdin.flush()
        # With retry nothing is lost where a ring is full.
        tell("set fwd io retry", "set burst tx delay 100 retry 100000", "start")
        lab.wait_for("the SYNs", lambda: engine.counters("lan")["syn_received"] >= SYNS, 20)
        now = engine.settled("lan")
        tell("stop", "quit")
        testpmd.wait(20)
        lab.check(now["syn_received"] == SYNS and now["replies"] == now["rx"] == SYNS, now)
        seen = lab.run(["tshark", "-n", "-r", answers, "-o", "tcp.check_checksum:TRUE", "-Y",
                        "tcp.flags == 0x12 and tcp.ack_raw == 74617 and tcp.checksum.status == 1 "
                        f"and eth.src == {lab.ENGINE_MAC}", "-T", "fields", "-e", "tcp.dstport"])
        ports = {int(word) for word in seen.stdout.split()}
        lab.check(len(ports) == now["tx"] == SYNS - now["tx_full"],
                  f"{len(ports)} SYN-ACKs: {now}")


def load_through_virtio_user(memory: str) -> None:
    """`request` with the generator's memory of that kind, all of which the engine's port maps."""
    with lab.Lab() as here:
        path = here.path("v.sock")
        if memory == "huge":
            here.huge_pages(HUGE_PAGES)
        engine = engine_on_vhost(here, path, "never")
        load = os.environ.get("HANDFAST_LOAD", str(
            Path(lab.HANDFAST).parents[1] / "handfast-load" / "handfast-load"))
        done = lab.run([load, "--port", f"vdev:net_virtio_user0,path={path},queues=1", "--address",
                        f"{lab.CLIENT4}/24", "--target", f"{lab.ENGINE4}:80", "--exchange",
                        "request", "--count", LOAD_CONNECTIONS, "--concurrency", 32, "--instance",
                        here.name(), "--memory", memory, "--idle", "sleep", "--json", "--quiet",
                        "--max-failures", 0])
        end = json.loads(done.stdout.splitlines()[-1])
        lab.check(end["done"] == LOAD_CONNECTIONS and end["failures"] == 0, end)
        lab.check(engine.settled("lan")["requests"] == LOAD_CONNECTIONS, engine.counters("lan"))


def test_load_through_virtio_user():
    """handfast-load behind virtio-user opens, asks and closes; no connection fails."""
    load_through_virtio_user("none")


def test_load_through_virtio_user_with_huge_pages():
    """vhost-user maps eight files at most, fewer than handfast-load has huge pages."""
    load_through_virtio_user("huge")


if __name__ == "__main__":
    lab.main(globals())
