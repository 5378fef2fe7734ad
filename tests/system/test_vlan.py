# SPDX-License-Identifier: BSD-3-Clause
"""A port whose traffic is all tagged with one VLAN identifier (802.1Q)."""

import lab
from test_lossy import BadSite

VLAN = 42


def test_a_tagged_port_serves():
    """ARP, NDP, ping and curl work through tagged frames, and the answers carry the tag."""
    lab.need("curl", "ping")
    with lab.Lab() as here:
        # The cable adds and takes away the tag: not every kernel has 8021q.
        site = BadSite(here, None, "--vlan", str(VLAN), port={"vlan": VLAN})
        for host in (lab.ENGINE4, lab.ENGINE6):
            site.client.run("ping", "-n", "-c", "2", "-W", "2", host)
            url = f"http://[{host}]/" if ":" in host else f"http://{host}/"
            done = site.client.run("curl", "-sS", "--max-time", "10", url)
            lab.check(len(done.stdout) == 1024, f"{len(done.stdout)} bytes from {url}")
        said = site.faults()
        lab.check("foreign 0 " in said.splitlines()[0], f"answers without the tag: {said}")
        site.capture.stop()
        lab.check(not site.capture.tshark(f"eth.src == {lab.ENGINE_MAC} && !(vlan.id == {VLAN})"),
                  "the capture has untagged answers")


def test_foreign_tags_are_dropped():
    """Frames with another identifier, or none, are dropped and counted as bad_vlan."""
    with lab.Lab() as here:
        site = BadSite(here, None, "--vlan", str(VLAN + 1), port={"vlan": VLAN})
        site.capture.silent = True
        site.client.run("ping", "-n", "-c", "1", "-W", "1", lab.ENGINE4, ok=False)
        now = site.engine.settled("lan")
        lab.check(now["drop_bad_vlan"] > 0 and now["replies"] == 0, f"counters: {now}")
        site.faults()


def test_an_untagged_port_refuses_tags():
    """A port without a VLAN answers no tagged frame."""
    with lab.Lab() as here:
        site = BadSite(here, None, "--vlan", str(VLAN))
        site.capture.silent = True
        site.client.run("ping", "-n", "-c", "1", "-W", "1", lab.ENGINE4, ok=False)
        now = site.engine.settled("lan")
        lab.check(now["drop_bad_vlan"] > 0 and now["replies"] == 0, f"counters: {now}")
        site.faults()


if __name__ == "__main__":
    lab.main(globals())
