# SPDX-License-Identifier: BSD-3-Clause
"""`handfast probe` and `handfast conns close` against kernels: nginx, closed ports, nobody."""

import json
import re
import signal
import socket
import subprocess
import time

import lab

NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 80;
        listen [::]:80;
        location / {{ return 200 "hello\\n"; }}
    }}
}}
"""


def nginx(namespace: lab.Namespace) -> None:
    """An nginx in a namespace, listening on port 80 over both families."""
    lab.need("nginx")
    config = namespace.lab.path("nginx.conf")
    config.write_text(NGINX.format(folder=namespace.lab.folder))
    namespace.spawn("nginx", "-c", str(config), "-p", str(namespace.lab.folder))

    def answers() -> bool:
        try:
            namespace.connect("::1", 80, timeout=1).close()
            return True
        except OSError:
            return False
    lab.wait_for("nginx", answers, 10)


def handfast(site: lab.Site, *words: str, code: int = 0) -> str:
    """What a verb says to the site's engine, with the exit code that is expected."""
    done = lab.run([lab.HANDFAST, *words, "--instance", site.engine.instance], ok=False)
    lab.check(done.returncode == code,
              f"{words}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def probe(site: lab.Site, target: str, *words: str, code: int = 0) -> tuple:
    """Results of each probe, and the summary."""
    said = handfast(site, "probe", target, "--json", *words, code=code)
    *each, summary = [json.loads(line) for line in said.splitlines()]
    return each, summary


def use_nginx(site: lab.Site) -> None:
    """Open to nginx a hundred times each way, over both families."""
    nginx(site.client)
    before = site.settled()
    for target in (f"{lab.CLIENT4}:80", f"[{lab.CLIENT6}]:80"):
        for close in ("fin", "rst"):
            each, summary = probe(site, target, "--count", "25", "--interval", "0", "--close",
                                  close)
            print(target, close, summary)
            lab.check(summary["opened"] == 25 and summary["lost"] == 0, f"{summary} {each}")
            lab.check(0 < summary["min_us"] <= summary["p50_us"] <= summary["max_us"] < 1_000_000,
                      f"times: {summary}")
            ports = {one["local_port"] for one in each}
            lab.check(len(ports) >= 24 and min(ports) >= 49152, f"ports: {sorted(ports)}")
    now = site.settled()
    lab.check(now["opened"] - before["opened"] == 100, f"counters: {now}")
    lab.check(now["closed"] - before["closed"] == 50, f"counters: {now}")
    lab.check(now["timed_out"] == 0, f"counters: {now}")


def test_nginx_is_opened_and_closed_by_one_worker():
    """nginx opens 100 of 100 probes, over IPv4 and IPv6, closed by FIN and by RST."""
    with lab.Lab() as here:
        site = lab.Site(here, workers=1)
        use_nginx(site)
        # What a probe looks like on the wire: SYN, SYN-ACK, FIN, FIN, ACK. The port is chosen by
        # chance, so one of the hundred before may have had it too: theirs is another stream.
        port = probe(site, f"{lab.CLIENT4}:80", "--count", "1")[0][0]["local_port"]
        site.settled()
        site.capture.stop()
        stream = site.capture.tshark(f"tcp.port == {port}", "tcp.stream")[-1]
        flags = [int(word, 16) & 0x17 for word in
                 site.capture.tshark(f"tcp.stream == {stream}", "tcp.flags")]
        lab.check(flags[:3] == [0x02, 0x12, 0x11] and flags[-1] == 0x10 and 0x04 not in flags,
                  f"flags: {flags}")


def test_nginx_is_opened_by_two_workers():
    """With two workers on one queue, answers find the worker that asked, and both ask."""
    with lab.Lab() as here:
        site = lab.Site(here, workers=2, port={"queues": 1})
        use_nginx(site)
        each = [worker["opened"] for worker in site.engine.workers()]
        lab.check(min(each) >= 20, f"opened by each worker: {each}")


def test_a_closed_port_refuses():
    """The kernel's RST is a refusal, at once."""
    with lab.Lab() as here:
        site = lab.Site(here)
        for target in (f"{lab.CLIENT4}:81", f"[{lab.CLIENT6}]:81"):
            each, summary = probe(site, target, "--count", "3", "--interval", "0", code=1)
            lab.check(summary["refused"] == 3 and summary["lost"] == 0, f"{summary}")
            lab.check(all(one["handshake_us"] < 1_000_000 for one in each), f"{each}")


def test_an_address_that_does_not_exist_is_named():
    """Nobody answers ARP or neighbour discovery: said within seconds, for both families."""
    with lab.Lab() as here:
        site = lab.Site(here)
        for target, asked in (("10.9.0.77", "ARP"), ("fd00:9::77", "neighbour discovery")):
            began = time.monotonic()
            shown = f"[{target}]:80" if ":" in target else f"{target}:80"
            said = handfast(site, "probe", shown, "--count", "1", code=1)
            lab.check(f"no answer to {asked} for {target}" in said, said)
            lab.check(time.monotonic() - began < 3, "it took too long")
        for target, why in (("192.0.2.1:80", "gateway"), (f"{lab.ENGINE4}:80", "this engine")):
            said = handfast(site, "probe", target, code=1)
            lab.check(why in said and "1 probe," in said, said)


def test_silence_is_a_timeout():
    """A peer that drops everything: the SYN is sent again, and --timeout is kept."""
    with lab.Lab() as here:
        site = lab.Site(here)
        probe(site, f"{lab.CLIENT4}:81", "--count", "1", code=1)
        # The kernel takes nothing from an address to which it has no way back.
        site.client.ip("route", "add", "blackhole", f"{lab.ENGINE4}/32")
        before = site.settled()
        began = time.monotonic()
        said = handfast(site, "probe", f"{lab.CLIENT4}:81", "--count", "1", "--timeout", "2.5",
                        code=1)
        took = time.monotonic() - began
        lab.check("timed out" in said and "1 lost (100.0%)" in said, said)
        lab.check(2.4 < took < 3.5, f"it took {took} s")
        now = site.settled()
        lab.check(now["syn_sent"] - before["syn_sent"] == 2, f"counters: {now}")


def test_statistics_do_not_wait_for_a_probe():
    """While a probe waits for its timeout, other commands are answered."""
    with lab.Lab() as here:
        site = lab.Site(here)
        probe(site, f"{lab.CLIENT4}:81", "--count", "1", code=1)
        site.client.ip("route", "add", "blackhole", f"{lab.ENGINE4}/32")
        with subprocess.Popen([lab.HANDFAST, "probe", f"{lab.CLIENT4}:81", "--count", "1",
                               "--timeout", "3", "--instance", site.engine.instance],
                              stdout=subprocess.PIPE, text=True) as asking:

            def asks() -> bool:
                began = time.monotonic()
                said = handfast(site, "conns")
                lab.check(time.monotonic() - began < 1, "conns had to wait")
                return re.search(rf"^probe:\d+ +{lab.CLIENT4} +81 SYN_SENT", said, re.MULTILINE)
            lab.wait_for("the probe's SYN", asks, 3)
            lab.check(asking.poll() is None, "the probe did not wait")
            # And stopping the engine does not wait for it either.
            site.engine.signal(signal.SIGTERM)
            site.engine.ended(0, 2)
            asking.communicate(timeout=10)


def test_a_gateway_is_used():
    """An nginx two hops away opens through the port's gateway, over both families."""
    with lab.Lab() as here:
        far = here.namespace()
        site = lab.Site(here, port={"gateways": [lab.CLIENT4, lab.CLIENT6]})
        near, inner = here.name(), here.name()
        site.client.ip("link", "add", near, "type", "veth", "peer", "name", inner, "netns",
                       far.name)
        site.client.address(near, "10.77.0.1/24", "fd00:77::1/64")
        far.address(inner, "10.77.0.2/24", "fd00:77::2/64")
        far.ip("route", "add", "default", "via", "10.77.0.1")
        far.ip("-6", "route", "add", "default", "via", "fd00:77::1")
        site.client.set("net.ipv4.ip_forward", 1)
        site.client.set("net.ipv6.conf.all.forwarding", 1)
        nginx(far)
        for target in ("10.77.0.2:80", "[fd00:77::2]:80"):
            summary = probe(site, target, "--count", "5", "--interval", "0")[1]
            lab.check(summary["opened"] == 5, f"{target}: {summary}")
        # A router's word that there is no such network, or silence; never an opened connection.
        each, summary = probe(site, "192.0.2.1:80", "--count", "1", "--timeout", "1", code=1)
        lab.check(each[0]["result"] in ("unreachable", "timed_out"), f"{each}")


def test_connections_are_closed_shut_down_and_reset():
    """`conns` ends what it lists: FIN, FIN with the peer still heard, RST; two workers."""
    with lab.Lab() as here:
        site = lab.Site(here, workers=2)
        for host, own in ((lab.ENGINE4, lab.CLIENT4), (lab.ENGINE6, lab.CLIENT6)):
            clients = [site.client.connect(host, 7) for _ in range(3)]
            names = [str(client.getsockname()[1]) for client in clients]
            lab.check(handfast(site, "conns", "close", "echo", own, names[0]) ==
                      "close: 1 connection\n", "close")
            lab.check(clients[0].recv(1) == b"", "no FIN after close")
            shown = f"[{own}]:{names[1]}" if ":" in own else f"{own}:{names[1]}"
            handfast(site, "conns", "shutdown", shown)
            lab.check(clients[1].recv(1) == b"", "no FIN after shutdown")
            before = site.settled()["data_bytes_received"]
            clients[1].sendall(b"still heard")
            lab.wait_for("what is still said", lambda: site.engine.counters()
                         ["data_bytes_received"] == before + 11)
            handfast(site, "conns", "reset", "echo", own, names[2])
            try:
                lab.check(False, f"{clients[2].recv(1)!r} after a reset")
            except ConnectionResetError:
                pass
            # Data behind a close is answered by RST.
            clients[0].sendall(b"too late")

            def is_reset(client: socket.socket = clients[0]) -> bool:
                return client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0
            lab.wait_for("the reset", is_reset, 5)
            said = handfast(site, "conns", "close", shown, code=1)
            lab.check("closing already" in said, said)
            said = handfast(site, "conns", "reset", "web", own, names[1], code=1)
            lab.check("no such connection" in said, said)
            for client in clients:
                client.close()


def test_rules_are_counted():
    """`stats rules` says which rows of the TCP table a probe used."""
    with lab.Lab() as here:
        site = lab.Site(here)
        probe(site, f"{lab.CLIENT4}:81", "--count", "3", "--interval", "0", code=1)
        said = handfast(site, "stats", "rules")
        for row in ("CLOSED OPEN: always -> SYN_SENT, send SYN",
                    "SYN_SENT RST: ACK_NEW -> CLOSED"):
            lab.check(re.search(rf"\b3 {re.escape(row)}", said), f"{row} is not in\n{said}")


if __name__ == "__main__":
    lab.main(globals())
