# SPDX-License-Identifier: BSD-3-Clause
"""HTTP clients that nobody here wrote open, use and close connections without one failure."""

import hashlib
import os
import re

import lab


def page(site: lab.Site, host: str, *options: str) -> str:
    """What curl gets from the web service."""
    host = f"[{host}]" if ":" in host else host
    return site.client.run("curl", "-sS", "--max-time", "20", *options, f"http://{host}/").stdout


def test_curl_fetches_over_both_families():
    """curl gets the whole body over IPv4 and IPv6, from an engine with a MAC of its own making."""
    lab.need("curl")
    with lab.Lab() as here:
        site = lab.Site(here, port={"mac": "auto"})
        for host in (lab.ENGINE4, lab.ENGINE6):
            body = page(site, host)
            lab.check(len(body) == 1024, f"{len(body)} bytes from {host}")
            head = page(site, host, "-I")
            lab.check(re.match(r"HTTP/1\.[01] 200 ", head), head)
            lab.check("content-length: 1024" in head.lower(), head)
        site.capture.mac = list(site.engine.ask("/handfast/ports").values())[0]["mac"]


def test_requests_share_a_connection():
    """curl fetches three pages over one connection, and a fourth after `Connection: close`."""
    lab.need("curl")
    with lab.Lab() as here:
        site = lab.Site(here)
        url = f"http://{lab.ENGINE4}/"
        done = site.client.run("curl", "-sS", "--max-time", "20", "-o", "/dev/null", "-o",
                               "/dev/null", "-o", "/dev/null", "-w",
                               "%{num_connects} %{http_code}\n", url, url, url)
        lab.check(done.stdout.split("\n")[:3] == ["1 200", "0 200", "0 200"], done.stdout)
        done = site.client.run("curl", "-sS", "--max-time", "10", "-H", "Connection: close",
                               "-o", "/dev/null", "-w", "%{http_code}", url)
        lab.check(done.stdout == "200", done.stdout)
        now = site.settled()
        lab.check((now["opened"], now["requests"]) == (2, 4), f"counters: {now}")


def test_nonsense_is_answered_400():
    """A request that is none is answered 400 and the connection is closed."""
    with lab.Lab() as here:
        site = lab.Site(here)
        with site.client.connect(lab.ENGINE4, 80) as client:
            client.sendall(b"\x16\x03\x01 what is this\r\n\r\n")
            answer = b""
            while chunk := client.recv(4096):
                answer += chunk
        lab.check(re.match(rb"HTTP/1\.[01] 400 ", answer), repr(answer))


def test_a_mebibyte_arrives_intact():
    """curl fetches a random 1 MiB file over both families, byte for byte."""
    lab.need("curl")
    with lab.Lab() as here:
        body = os.urandom(1 << 20)
        here.path("body").write_bytes(body)
        site = lab.Site(here, lab.services(web={"body_file": str(here.path("body"))}))
        for host in (lab.ENGINE4, lab.ENGINE6):
            got = here.path("got")
            page(site, host, "-o", str(got))
            lab.check(hashlib.sha256(got.read_bytes()).digest() == hashlib.sha256(body).digest(),
                      f"body from {host} differs")


def run_ab(site: lab.Site, *options: str) -> None:
    """20 000 requests by ab, 50 at a time, without a failure."""
    said = site.client.run("ab", "-q", "-n", "20000", "-c", "50", *options,
                           f"http://{lab.ENGINE4}/", timeout=180).stdout
    print("\n".join(line for line in said.splitlines()
                    if re.match(r"Requests per|  ?(50|99)%|Complete|Failed", line)))
    lab.check(re.search(r"Complete requests:\s+20000\b", said), said)
    lab.check(re.search(r"Failed requests:\s+0\b", said), said)
    lab.check("Non-2xx" not in said, said)


def test_ab_without_keep_alive():
    """ab opens 20 000 connections, 50 at a time: zero failures, and each is closed."""
    lab.need("ab")
    with lab.Lab() as here:
        site = lab.Site(here)
        run_ab(site)
        now = site.settled()
        lab.check(now["requests"] == 20000, f"counters: {now}")
        lab.check(now["opened"] >= 20000, f"counters: {now}")
        lab.check(now["timed_out"] == 0, f"counters: {now}")


def test_ab_with_keep_alive():
    """ab asks 20 000 times over 50 kept connections: zero failures."""
    lab.need("ab")
    with lab.Lab() as here:
        site = lab.Site(here)
        run_ab(site, "-k")
        now = site.settled()
        lab.check(now["requests"] == 20000, f"counters: {now}")
        lab.check(now["opened"] < 1000, f"keep-alive was not kept: {now}")


def test_wrk_with_a_hundred_connections():
    """wrk keeps 100 connections busy for 5 s: no socket error, no answer but 200."""
    lab.need("wrk")
    with lab.Lab() as here:
        site = lab.Site(here)
        said = site.client.run("wrk", "-t1", "-c100", "-d5s", f"http://{lab.ENGINE4}/").stdout
        print(said)
        lab.check("Socket errors" not in said and "Non-2xx" not in said, said)
        count = int(re.search(r"(\d+) requests in", said)[1])
        lab.check(count > 1000, f"only {count} requests")


if __name__ == "__main__":
    lab.main(globals())
