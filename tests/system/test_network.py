# SPDX-License-Identifier: BSD-3-Clause
"""What a kernel and a scanner see of the engine below and around TCP."""

import re

import lab


def test_kernel_resolves_and_pings():
    """The kernel resolves our addresses by ARP and NDP, and pings of many sizes come back."""
    lab.need("ping")
    with lab.Lab() as here:
        site = lab.Site(here)
        for host in (lab.ENGINE4, lab.ENGINE6):
            for size in (0, 56, 1000, 1400):
                said = site.client.run("ping", "-n", "-i", "0.1", "-c", "3", "-W", "2", "-s",
                                       str(size), host).stdout
                lab.check(" 0% packet loss" in said, said)
        neighbours = site.client.ip("neigh").stdout
        for host in (lab.ENGINE4, lab.ENGINE6):
            lab.check(re.search(rf"{host} .*{lab.ENGINE_MAC}", neighbours), neighbours)
        now = site.settled()
        lab.check(now["arp_replies"] >= 1 and now["ndp_replies"] >= 1, f"counters: {now}")
        lab.check(now["echo_replies"] == 24, f"counters: {now}")


def test_other_addresses_are_not_ours():
    """An address beside ours is neither resolved nor answered."""
    lab.need("ping")
    with lab.Lab() as here:
        site = lab.Site(here)
        site.capture.silent = True
        done = site.client.run("ping", "-n", "-c", "1", "-W", "1", "10.9.0.3", ok=False)
        lab.check(done.returncode != 0, done.stdout)
        lab.check(site.settled()["drop_arp_ignored"] > 0, "the ARP request was not counted")


def test_traceroute_ends_at_the_first_hop():
    """By UDP, ICMP and TCP, over both families: one hop, which is the address asked for."""
    lab.need("traceroute")
    with lab.Lab() as here:
        site = lab.Site(here)
        for host in (lab.ENGINE4, lab.ENGINE6):
            lab.trace(site.client, host)
        now = site.settled()
        lab.check(now["unreachables_sent"] >= 2, f"counters: {now}")


def test_fragments_are_counted_and_not_answered():
    """A ping that needs two fragments is dropped: handfast does not reassemble."""
    lab.need("ping")
    with lab.Lab() as here:
        site = lab.Site(here)
        done = site.client.run("ping", "-n", "-c", "1", "-W", "1", "-s", "3000", lab.ENGINE4,
                               ok=False)
        lab.check(done.returncode != 0, done.stdout)
        lab.check(site.settled()["drop_fragment"] >= 2, "fragments were not counted")


def scan(site: lab.Site, kind: str) -> dict:
    """nmap's verdict on an open and a closed port, as {port: state}."""
    said = site.client.run("nmap", "-n", "-Pn", kind, "-p", "80,81", "--max-retries", "2",
                           lab.ENGINE4).stdout
    return dict(re.findall(r"^(\d+)/tcp +(\S+)", said, re.MULTILINE))


def test_nmap_sees_what_rfc_9293_says():
    """SYN: open and closed.  NULL, FIN, XMAS: silence from LISTEN, RST from a closed port.  ACK:
    RST from both (RFC 9293 3.10.7.1, 3.10.7.2)."""
    lab.need("nmap")
    with lab.Lab() as here:
        site = lab.Site(here)
        for kind, opened, closed in (("-sS", "open", "closed"), ("-sT", "open", "closed"),
                                     ("-sN", "open|filtered", "closed"),
                                     ("-sF", "open|filtered", "closed"),
                                     ("-sX", "open|filtered", "closed"),
                                     ("-sA", "unfiltered", "unfiltered")):
            got = scan(site, kind)
            lab.check(got == {"80": opened, "81": closed}, f"nmap {kind}: {got}")


def test_hping_gets_its_answers():
    """hping3: SYN to a service gets SYN-ACK, SYN to a closed port and a bare ACK get RST."""
    lab.need("hping3")
    with lab.Lab() as here:
        site = lab.Site(here)
        for options, flags in ((("-S", "-p", "80"), "SA"), (("-S", "-p", "81"), "RA"),
                               (("-A", "-p", "80"), "R")):
            said = site.client.run("hping3", "-n", "-c", "3", "-i", "u200000", *options,
                                   lab.ENGINE4, ok=False).stdout
            got = re.findall(r"flags=(\w+)", said)
            lab.check(got == [flags] * 3, f"hping3 {' '.join(options)}: {said}")


if __name__ == "__main__":
    lab.main(globals())
