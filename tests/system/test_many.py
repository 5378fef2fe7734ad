# SPDX-License-Identifier: BSD-3-Clause
"""Thousands of connections of a real kernel at the same time."""

import json

import lab

CONNECTIONS = 4000


def crowd(site: lab.Site, host: str, port: int, *options: str) -> dict:
    """Run connect_many and return what it measured."""
    done = site.client.run(lab.tool("connect_many"), host, str(port), str(CONNECTIONS), *options,
                           ok=False)
    lab.check(done.stdout, done.stderr)
    figures = json.loads(done.stdout)
    print(f"{host} port {port}: {figures}")
    lab.check(figures["failed"] == 0, f"{figures} {done.stderr}")
    return figures


def test_4000_connections_are_open_at_once():
    """4000 connections open, all are answered while all are open, and all close."""
    with lab.Lab() as here:
        site = lab.Site(here)
        figures = crowd(site, lab.ENGINE4, 80, "--ask")
        lab.check(figures["answered"] == CONNECTIONS, figures)
        now = site.settled()
        lab.check(now["opened"] == CONNECTIONS, f"counters: {now}")
        lab.check(now["requests"] == CONNECTIONS, f"counters: {now}")


def test_4000_connections_over_ipv6():
    """The same over IPv6, to a service that says nothing."""
    with lab.Lab() as here:
        site = lab.Site(here)
        figures = crowd(site, lab.ENGINE6, 9)
        lab.check(figures["opened"] == CONNECTIONS, figures)


if __name__ == "__main__":
    lab.main(globals())
