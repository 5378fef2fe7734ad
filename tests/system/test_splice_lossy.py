# SPDX-License-Identifier: BSD-3-Clause
"""The splice between two bad cables: each end repeats what was lost, and we repeat nothing."""

import collections
import os
import random

import lab
from test_lossy import Cable
from test_proxy import BACK_MAC, FRONT4, FRONT6, Site, check_transfers, nginx

FAULTS = ("--drop", "2", "--reorder", "2")
BULK_BYTES, UPLOAD_BYTES = 20 << 20, 2 << 20
# What a client may say before a server has answered; it goes on in segments of ours.
FIRST_WINDOW = 5888


class BadSite(Site):
    """Client and servers behind bad cables of their own; captures at the engine's ends."""

    def __init__(self, here: lab.Lab, *faults: str, **more):
        self.faults, self.cables = faults, []
        super().__init__(here, 2, packets=200000, **more)

    def plug(self, device: str, target: lab.Namespace) -> lab.Namespace:
        seed = ("--seed", str(5 + len(self.cables)))
        self.cables.append(Cable(self.engine.namespace, device, target, *self.faults, *seed))
        return self.cables[-1].wire

    def assert_bad(self) -> None:
        """The cables did harm."""
        for cable in self.cables:
            said = cable.faults()
            for line in said.splitlines():
                lab.check(" dropped 0 " not in line and " reordered 0 " not in line, said)


def streams(capture: lab.Capture, ours: bool) -> collections.Counter:
    """How often each text and FIN passed that we sent, or that we were sent.

    A text is named by its place in its stream and what it says, for a connection has other ports
    and addresses on the other side.  What is in the first window is counted once for each byte.
    """
    direction = "==" if ours else "!="
    lines = capture.tshark(f"eth.src {direction} {capture.mac} && (tcp.len > 0 || tcp.flags.fin == 1)",
                           "tcp.seq", "tcp.len", "tcp.flags.fin", "tcp.payload")
    counted, early = collections.Counter(), set()
    for seq, length, fin, text in (line.split("\t") for line in lines):
        if int(length) > 0 and int(seq) < FIRST_WINDOW:
            early.update(enumerate(bytes.fromhex(text), int(seq)))
        else:
            counted[seq, length, fin, hash(text)] += 1
    counted.update(early)
    return counted


def assert_translated(site: Site) -> None:
    """What either end sent left on the other side as often as it came, and nothing else did."""
    front, back = site.captures
    for source, target in ((front, back), (back, front)):
        came, left = streams(source, ours=False), streams(target, ours=True)
        extra = left - came
        lab.check(came and not extra, f"{target.file}: {sum(extra.values())} texts left more often"
                  f" than they came, first {list(extra.items())[:3]}")
        # Before a server has answered a client's text is held, and the same text again is not.
        lost = came - left
        lab.check(sum(lost.values()) * 10 < sum(came.values()),
                  f"{sum(lost.values())} of {sum(came.values())} texts did not leave")


def test_bulk_survives_loss_on_both_sides():
    """20 MiB down and 2 MiB up, whole, while 2 % are lost and 2 % reordered on either side."""
    lab.need("curl")
    with lab.Lab() as here:
        site = BadSite(here, *FAULTS)
        with nginx(site) as folder:
            (folder / "large").write_bytes(random.Random(3).randbytes(BULK_BYTES))
            (folder / "small").write_bytes(os.urandom(UPLOAD_BYTES))
            check_transfers(site, folder, f"[{FRONT6}]")
        site.assert_bad()
        for capture in site.captures:
            capture.stop()
        assert_translated(site)


def test_ab_survives_loss_on_both_sides():
    """Of 200 connections of one request each none fails, over the same two cables."""
    lab.need("ab")
    with lab.Lab() as here:
        site = BadSite(here, *FAULTS)
        with nginx(site):
            said = site.client.run("ab", "-q", "-s", "60", "-n", "200", "-c", "40",
                                   f"http://{FRONT4}/", timeout=150).stdout
            lab.check("Complete requests:      200" in said and
                      "Failed requests:        0" in said, said)
        now = site.settled()
        lab.check(now["backends_no_answer"] == 0 and now["spliced"] >= 200, f"{now}")
        site.assert_bad()
        for capture in site.captures:
            capture.stop()
        assert_translated(site)


if __name__ == "__main__":
    lab.main(globals())
