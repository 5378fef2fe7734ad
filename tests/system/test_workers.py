# SPDX-License-Identifier: BSD-3-Clause
"""Several workers on a device with one queue: steered by flow, over software rings."""

import os
import re

import lab
from test_services import echo


def shares(site: lab.Site) -> list:
    """Connections each worker has opened."""
    each = [worker["opened"] for worker in site.engine.workers()]
    print("opened by each worker:", each)
    return each


def use(site: lab.Site) -> None:
    """500 connections by ab and one long echo."""
    said = site.client.run("ab", "-q", "-n", "600", "-c", "20", f"http://{lab.ENGINE4}/").stdout
    lab.check(re.search(r"Complete requests:\s+600\b", said), said)
    lab.check(re.search(r"Failed requests:\s+0\b", said), said)
    sent = os.urandom(300_000)
    with site.client.connect(lab.ENGINE6, 7) as client:
        lab.check(echo(client, sent) == sent, "the echo differs")


def test_two_workers_share_one_queue():
    """Of 600 connections each of two workers opens at least a quarter; none fails."""
    lab.need("ab")
    with lab.Lab() as here:
        site = lab.Site(here, workers=2, port={"queues": 1})
        use(site)
        each = shares(site)
        lab.check(len(each) == 2 and min(each) >= sum(each) / 4, f"shares: {each}")
        lab.check(sum(each) >= 601, f"{each} opened")
        now = site.settled()
        lab.check(now["steered_out"] > 0, f"nothing was steered: {now}")
        lab.check(now["steered_out"] == now["steered_in"], f"lost on the way: {now}")


def test_three_workers_share_one_queue():
    """Any number of workers: three share by flow as well, also on two cores."""
    lab.need("ab")
    with lab.Lab() as here:
        site = lab.Site(here, workers=3, port={"queues": 1})
        use(site)
        each = shares(site)
        lab.check(len(each) == 3 and min(each) >= sum(each) / 6, f"shares: {each}")


def test_two_queues_spread_by_the_device():
    """With two queues on the TAP, the kernel spreads flows and each flow finds its owner."""
    lab.need("ab")
    with lab.Lab() as here:
        site = lab.Site(here, workers=2, port={"queues": 2})
        use(site)
        each = shares(site)
        lab.check(len(each) == 2 and min(each) >= sum(each) / 4, f"shares: {each}")


if __name__ == "__main__":
    lab.main(globals())
