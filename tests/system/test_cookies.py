# SPDX-License-Identifier: BSD-3-Clause
"""SYN cookies with real clients: nothing is lost by them, and a flood does not keep clients out."""

import re

import lab


def ab(site: lab.Site, requests: int, host: str) -> None:
    """ab finishes without a failure."""
    said = site.client.run("ab", "-q", "-n", str(requests), "-c", "50", f"http://{host}/").stdout
    lab.check(re.search(r"Complete requests:\s+%d\b" % requests, said), said)
    lab.check(re.search(r"Failed requests:\s+0\b", said), said)


def test_handshakes_by_cookie():
    """With cookies: always, ab and curl open and close by cookies, over both families."""
    lab.need("ab", "curl")
    with lab.Lab() as here:
        site = lab.Site(here, served=lab.services(web={"cookies": "always"}))
        ab(site, 5000, lab.ENGINE4)
        ab(site, 2000, f"[{lab.ENGINE6}]")
        done = site.client.run("curl", "-sS", "--max-time", "20", "-o", "/dev/null", "-w",
                               "%{http_code} %{size_download}", f"http://{lab.ENGINE4}/")
        lab.check(done.stdout == "200 1024", done.stdout + done.stderr)
        now = site.settled()
        # A SYN out of TIME_WAIT is answered with state: its ISN has to be above the old one.
        lab.check(now["opened"] == now["syn_received"] >= 7001, f"counters: {now}")
        lab.check(now["syn_cookies_opened"] == now["syn_cookies_sent"] > 5000, f"counters: {now}")


def test_without_timestamps():
    """A client without timestamps keeps window scale and SACK through a cookie."""
    lab.need("ab")
    with lab.Lab() as here:
        site = lab.Site(here, served=lab.services(web={"cookies": "always"}))
        site.client.set("net.ipv4.tcp_timestamps", 0)
        ab(site, 2000, lab.ENGINE4)
        now = site.settled()
        lab.check(now["syn_cookies_opened"] == now["syn_cookies_sent"] > 1000, f"counters: {now}")


def test_clients_get_in_during_a_flood():
    """Spoofed SYNs fill the backlog; cookies begin, memory stays, and every curl gets its page."""
    lab.need("hping3", "curl")
    with lab.Lab() as here:
        site = lab.Site(here, served=lab.services(web={"cookies": "auto", "max_syn_backlog": 64}))
        flood = site.client.spawn("hping3", "-n", "-q", "-S", "-c", "20000", "-i", "u100",
                                  "--rand-source", "-p", "80", lab.ENGINE4)
        for _ in range(20):
            done = site.client.run("curl", "-sS", "-m", "5", "-o", "/dev/null", "-w",
                                   "%{http_code}", f"http://{lab.ENGINE4}/")
            lab.check(done.stdout == "200", done.stdout + done.stderr)
        half_open = sum(worker["connections"] for worker in site.engine.workers())
        lab.check(half_open <= 64 + 20, f"{half_open} connections are kept")
        now = site.engine.counters()
        lab.check(now["syn_cookies_sent"] > 100, f"counters: {now}")
        lab.end(flood)


if __name__ == "__main__":
    lab.main(globals())
