# SPDX-License-Identifier: BSD-3-Clause
"""veth pairs, through AF_PACKET and AF_XDP, with the kernel's checksum offload left on.

With its offload on, the kernel leaves the checksum of every TCP segment unfinished: it holds the
sum of the pseudo header only.  The engine takes such segments on veths and counts them.
"""

import hashlib
import os
import re
from pathlib import Path

import lab

SYNS = 1000
AF_PACKET, AF_XDP = "veth:{},af_packet", "veth:{},af_xdp"


class VethSite:
    """An engine on one end of a veth pair, a client's kernel at the other."""

    def __init__(self, here: lab.Lab, device: str, served: list = None, **port):
        self.client, inside = here.namespace(), here.namespace()
        near, far = here.name(), here.name()
        inside.ip("link", "add", near, "numrxqueues", "1", "numtxqueues", "1", "type", "veth",
                  "peer", "name", far, "numrxqueues", "1", "numtxqueues", "1", "netns",
                  self.client.name)
        inside.set(f"net.ipv6.conf.{near}.disable_ipv6", 1)
        inside.address(near)
        self.client.address(far, f"{lab.CLIENT4}/24", f"{lab.CLIENT6}/64")
        self.engine = here.engine(
            [{"name": "lan", "device": device.format(near), "mac": lab.ENGINE_MAC,
              "addresses": [f"{lab.ENGINE4}/24", f"{lab.ENGINE6}/64"], **port}], served,
            inside)
        self.far, self.capture = far, here.capture(self.client, far, 40000)


def use(device: str) -> None:
    """curl over both families, a random MiB and 2000 connections by ab."""
    lab.need("curl", "ab")
    with lab.Lab() as here:
        body = os.urandom(1 << 20)
        here.path("body").write_bytes(body)
        site = VethSite(here, device, lab.services(
            file={"port": 81, "reply": "http", "body_file": str(here.path("body"))}))
        for host in (lab.ENGINE4, f"[{lab.ENGINE6}]"):
            done = site.client.run("curl", "-sS", "--max-time", "10", f"http://{host}/")
            lab.check(len(done.stdout) == 1024, f"{len(done.stdout)} bytes from {host}")
        got = here.path("got")
        site.client.run("curl", "-sS", "--max-time", "30", "-o", str(got),
                        f"http://{lab.ENGINE4}:81/")
        lab.check(hashlib.sha256(got.read_bytes()).digest() == hashlib.sha256(body).digest(),
                  "the body differs")
        said = site.client.run("ab", "-q", "-n", "2000", "-c", "20",
                               f"http://{lab.ENGINE4}/").stdout
        lab.check(re.search(r"Complete requests:\s+2000\b", said), said)
        lab.check(re.search(r"Failed requests:\s+0\b", said), said)
        now = site.engine.settled("lan")
        lab.check(now["partial_checksums"] > 2000, f"counters: {now}")
        lab.check(now["drop_bad_tcp_checksum"] == 0, f"counters: {now}")


def test_af_packet_serves():
    """Real clients work over AF_PACKET though no checksum is finished."""
    use(AF_PACKET)


def test_af_xdp_serves():
    """Real clients work over AF_XDP though no checksum is finished."""
    use(AF_XDP)


def test_partial_checksums_can_be_refused():
    """partial_checksums: refuse drops the same segments as what they look like."""
    lab.need("curl")
    with lab.Lab() as here:
        site = VethSite(here, AF_PACKET, partial_checksums="refuse")
        done = site.client.run("curl", "-sS", "--max-time", "3", f"http://{lab.ENGINE4}/",
                               ok=False)
        lab.check(done.returncode == 28, f"curl: {done.returncode} {done.stderr}")
        lab.check(site.engine.settled("lan")["drop_bad_tcp_checksum"] > 0, "not counted")


def test_pktgens_frames_by_trafgen_are_answered():
    """config/pktgen/syn.trafgen, which sends to the address in config/veth.yaml: all answered."""
    lab.need("trafgen")
    config = Path(__file__).resolve().parents[2] / "config"
    mac = re.search(r'mac: "([\w:]+)"', (config / "veth.yaml").read_text())[1]
    with lab.Lab() as here:
        site = VethSite(here, AF_PACKET, lab.services(web={"cookies": "always"}), mac=mac)
        site.capture.mac = mac
        site.client.run("trafgen", "--dev", site.far, "--conf", str(config / "pktgen/syn.trafgen"),
                        "--cpus", "1", "-n", str(SYNS), "--rate", "2000pps")
        now = site.engine.settled("lan")
        lab.check(now["syn_cookies_sent"] == now["syn_received"] > SYNS // 2, f"counters: {now}")
        # One source in 65536 is the engine's own.
        lab.check(now["syn_received"] + now["drop_bad_source"] == SYNS, f"counters: {now}")


if __name__ == "__main__":
    lab.main(globals())
