# SPDX-License-Identifier: BSD-3-Clause
"""Real clients reach real servers through spliced handshakes; captures on both sides are judged."""

import contextlib
import hashlib
import json
import os
import re
import socket
import subprocess
import threading
import time

import lab

FRONT4, FRONT6 = "10.9.0.2", "fd00:9::2"
BACK4, BACK6 = "10.8.0.2", "fd00:8::2"
CLIENT4, CLIENT6 = "10.9.0.1", "fd00:9::1"
BACK_MAC = "02:00:00:00:0e:02"

NGINX = """daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
worker_rlimit_nofile 4096;
events {{ worker_connections 2048; }}
http {{
  access_log off; root {folder}; client_body_temp_path {folder}; proxy_temp_path {folder};
  fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  client_max_body_size 0; keepalive_requests 1000000;
  server {{ listen 80; listen [::]:80; {tls} location /name {{ return 200 "{name}"; }}
    location /put {{ dav_methods PUT; create_full_put_path on; }} }}
}}
"""


class Servers:
    """A namespace of backends on one TAP; each an address of its own, ending in 10, 11..."""

    def __init__(self, site: "Site", count: int):
        self.site, self.namespace = site, site.here.namespace()
        self.device = site.back
        self.addresses = [f"10.8.0.{10 + i}" for i in range(count)]
        self.addresses6 = [f"fd00:8::{10 + i}" for i in range(count)]

    def attach(self) -> lab.Namespace:
        """The TAP is there: take it. @return where to capture."""
        place = self.site.plug(self.device, self.namespace)
        prefixes = [f"{address}/24" for address in self.addresses]
        prefixes += [f"{address}/64" for address in self.addresses6]
        self.namespace.address(self.device, *prefixes)
        return place


class Site:
    """A client's kernel, the engine with two TAPs, and a kernel with the backends."""

    def __init__(self, here: lab.Lab, count: int = 1, pool: dict = None, service: dict = None,
                 ports: int = 80, packets: int = 5000, family: int = 4, also: list = (), **options):
        self.here = here
        self.client = here.namespace()
        self.front, self.back = here.name(), here.name()
        self.servers = Servers(self, count)
        self.servers.chosen = self.servers.addresses if family == 4 else self.servers.addresses6
        chosen = [f"[{a}]" if ":" in a else a for a in self.servers.chosen]
        pools = [{"name": "web", "backends": [f"{address}:{ports}" for address in chosen],
                  "choice": "round_robin", **(pool or {})}]
        served = [{"name": "web", "mode": "proxy", "pool": "web",
                   "listen": [f"{FRONT4}:80", f"[{FRONT6}]:80"], **(service or {})}, *also]
        self.engine = self.start(pools, served, **options)
        front = self.plug(self.front, self.client)
        self.client.address(self.front, f"{CLIENT4}/24", f"{CLIENT6}/64")
        back = self.servers.attach()
        self.captures = []
        if packets:
            self.captures = [here.capture(front, self.front, packets),
                             here.capture(back, self.back, packets)]
            self.captures[1].mac = BACK_MAC
        self.wait_resolved(len(chosen))

    def plug(self, device: str, target: lab.Namespace) -> lab.Namespace:
        """Hand a TAP of the engine to whom it is for. @return where to capture."""
        lab.move(self.engine.namespace, device, target)
        return target

    def start(self, pools: list, served: list, **options) -> lab.Engine:
        """An engine with a front and a back TAP."""
        namespace, instance = self.here.namespace(), self.here.name()
        # What is closed lingers for two seconds, which no test is about.
        text = lab.yaml({
            "engine": {"instance": instance, "idle": "sleep", "drain_timeout": "100ms",
                       **options},
            "ports": [{"name": "front", "device": f"tap:{self.front}", "mac": lab.ENGINE_MAC,
                       "addresses": [f"{FRONT4}/24", f"{FRONT6}/64"]},
                      {"name": "back", "device": f"tap:{self.back}", "mac": BACK_MAC,
                       "addresses": [f"{BACK4}/24", f"{BACK6}/64"]}],
            "pools": pools, "services": served})
        return lab.Engine(self.here, namespace, text, instance)

    def wait_resolved(self, count: int) -> None:
        """Each backend makes itself known: who asks for our Ethernet address tells its own."""
        for address in self.servers.chosen[:count]:
            ours = BACK6 if ":" in address else BACK4
            self.servers.namespace.ip("neigh", "flush", "dev", self.back)
            self.servers.namespace.run("ping", "-c1", "-w5", "-I", address, ours)

    def settled(self) -> dict:
        """Counters of all ports once they no longer move."""
        return self.engine.settled()


@contextlib.contextmanager
def nginx(site: Site, tls: str = ""):
    """nginx for all backends."""
    lab.need("nginx")
    folder = site.here.path("nginx")
    folder.mkdir(exist_ok=True)
    os.chmod(site.here.folder, 0o755)
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, name="$server_addr", tls=tls))
    (folder / "index.html").write_text("hello\n" * 100)
    process = site.servers.namespace.spawn("nginx", "-c", str(config), "-p", str(folder),
                                           stderr=open(folder / "out", "wb"))
    def listens() -> bool:
        lab.check(process.poll() is None, (folder / "out").read_text())
        return ":80 " in site.servers.namespace.run("ss", "-ltn").stdout
    lab.wait_for("nginx", listens)
    try:
        yield folder
    finally:
        lab.end(process)


def test_curl_through_the_splice():
    """curl gets nginx's page through the VIP over IPv4 and IPv6, where traceroute ends as well."""
    lab.need("curl", "traceroute")
    with lab.Lab() as here:
        site = Site(here)
        with nginx(site):
            for host in (FRONT4, f"[{FRONT6}]"):
                done = site.client.run("curl", "-sS", "--max-time", "10", f"http://{host}/")
                lab.check(done.stdout == "hello\n" * 100, done.stdout)
        now = site.settled()
        lab.check((now["opened"], now["spliced"]) == (2, 2), f"counters: {now}")
        for host in (FRONT4, FRONT6):
            lab.trace(site.client, host)


def hash_of(path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_transfers(site: Site, folder, upload_to: str) -> None:
    """nginx's file `large` arrives at the client, and what the client has in `small` at nginx."""
    got = site.here.path("got")
    site.client.run("curl", "-sS", "--max-time", "300", "-o", str(got), f"http://{FRONT4}/large",
                    timeout=310)
    lab.check(hash_of(got) == hash_of(folder / "large"), "the hashes differ")
    site.client.run("curl", "-sS", "--max-time", "60", "-f", "-T", str(folder / "small"),
                    f"http://{upload_to}/put/small", timeout=70)
    lab.check(hash_of(folder / "put" / "small") == hash_of(folder / "small"),
              "what was uploaded differs")


def test_bulk_arrives_intact():
    """64 MiB (or HANDFAST_BULK_MIB) arrive with the hash they left with, and 20 MiB upstream."""
    lab.need("curl")
    size = int(os.environ.get("HANDFAST_BULK_MIB", "64")) << 20
    with lab.Lab() as here:
        site = Site(here, packets=5000)
        with nginx(site) as folder:
            with open(folder / "large", "wb") as large:
                for _ in range(size >> 20):
                    large.write(os.urandom(1 << 20))
            (folder / "small").write_bytes(os.urandom(20 << 20))
            check_transfers(site, folder, FRONT4)


def test_ab_and_wrk_see_no_failure():
    """ab opens 600 connections to two backends and wrk keeps 50 busy; not one request fails."""
    lab.need("ab", "wrk")
    with lab.Lab() as here:
        site = Site(here, 2, packets=3000)
        with nginx(site):
            done = site.client.run("ab", "-n", "600", "-c", "20", f"http://{FRONT4}/name")
            lab.check("Failed requests:        0" in done.stdout and
                      "Complete requests:      600" in done.stdout, done.stdout)
            done = site.client.run("wrk", "-t1", "-c50", "-d1", f"http://{FRONT4}/")
            lab.check("Socket errors" not in done.stdout and "Non-2xx" not in done.stdout,
                      done.stdout)
        now = site.settled()
        lab.check(now["spliced"] == now["opened"] and now["backend_failures"] == 0, f"{now}")


def serve(site: Site, port: int, talk) -> socket.socket:
    """A server among the backends that hands each connection to a function, in a thread."""
    with site.servers.namespace.entered():
        listener = socket.create_server(("", port), backlog=256)

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(client,), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    return listener


def stop(listener: socket.socket) -> None:
    """End a server of ours."""
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def read_all(client: socket.socket) -> bytes:
    """Everything until the other end closes."""
    got = b""
    while chunk := client.recv(65536):
        got += chunk
    return got


def test_server_speaks_first():
    """A banner comes before the client has said a word, and a dialogue like SMTP's follows."""
    def mail(client: socket.socket) -> None:
        with client:
            client.sendall(b"220 mail.test ESMTP\r\n")
            lines = client.makefile("rb")
            for line in lines:
                if line.startswith(b"QUIT"):
                    client.sendall(b"221 bye\r\n")
                    return
                client.sendall(b"250 " + line)
    with lab.Lab() as here:
        site = Site(here, ports=25)
        server = serve(site, 25, mail)
        for host in (FRONT4, FRONT6):
            with site.client.connect(host, 80) as client:
                lines = client.makefile("rb")
                lab.check(lines.readline() == b"220 mail.test ESMTP\r\n", "no banner")
                for word in (b"EHLO me\r\n", b"NOOP\r\n"):
                    client.sendall(word)
                    lab.check(lines.readline() == b"250 " + word, "no answer")
                client.sendall(b"QUIT\r\n")
                lab.check(read_all(client) == b"221 bye\r\n", "no farewell")
        stop(server)


def test_half_close_in_both_orders():
    """Who has closed its half still hears the other's last words, whichever end closed first."""
    def last_words(client: socket.socket) -> None:
        with client:
            said = read_all(client)
            client.sendall(b"after your FIN: " + said)

    def first_to_close(client: socket.socket) -> None:
        with client:
            client.sendall(b"that is all")
            client.shutdown(socket.SHUT_WR)
            heard.append(read_all(client))
    heard = []
    with lab.Lab() as here:
        site = Site(here, ports=25)
        server = serve(site, 25, last_words)
        with site.client.connect(FRONT4, 80) as client:
            client.sendall(b"x" * 100000)
            client.shutdown(socket.SHUT_WR)
            lab.check(read_all(client) == b"after your FIN: " + b"x" * 100000, "not all came")
        stop(server)
        server = serve(site, 25, first_to_close)
        with site.client.connect(FRONT4, 80) as client:
            lab.check(read_all(client) == b"that is all", "not all came")
            client.sendall(b"y" * 50000)
        lab.wait_for("the backend to hear it all", lambda: heard == [b"y" * 50000])
        stop(server)


def test_tls_passes():
    """openssl and curl speak TLS to an nginx behind the VIP."""
    lab.need("openssl", "curl")
    with lab.Lab() as here:
        site = Site(here, ports=443)
        key, certificate = here.path("key.pem"), here.path("certificate.pem")
        lab.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=vip",
                 "-days", "2", "-keyout", key, "-out", certificate])
        tls = f"listen 443 ssl; ssl_certificate {certificate}; ssl_certificate_key {key};"
        with nginx(site, tls):
            done = site.client.run("curl", "-sSk", "--max-time", "10", f"https://{FRONT4}:80/name")
            lab.check(done.stdout == "10.8.0.10", done.stdout)
            done = site.client.run("openssl", "s_client", "-connect", f"[{FRONT6}]:80", "-brief",
                                   ok=False)
            lab.check("CONNECTION ESTABLISHED" in done.stderr, done.stderr)


WEBSOCKETS = """
import asyncio, sys, websockets
async def talk(connection, *_):
    async for said in connection:
        await connection.send(said)
async def serve():
    async with websockets.serve(talk, "0.0.0.0", 80, max_size=None, ping_interval=0.2):
        print("ready", flush=True)
        await asyncio.Future()
async def ask(host):
    async with websockets.connect(f"ws://{host}:80/", max_size=None, ping_interval=0.2) as one:
        for said in ("hello", "", b"\\0" * 3_000_000, "x" * 70_000):
            await one.send(said)
            assert await one.recv() == said
        await (await one.ping())
        await asyncio.sleep(0.3)
    print(one.close_code)
asyncio.run(ask(sys.argv[1]) if len(sys.argv) > 1 else serve())
"""


def test_websockets_pass():
    """Two Python WebSocket libraries speak through the VIP: 3 MB messages, pings, a closing 1000."""
    python = "/usr/bin/python3"
    if lab.run([python, "-c", "import websockets"], ok=False).returncode != 0:
        raise lab.Skip("python3-websockets is not installed")
    with lab.Lab() as here:
        site = Site(here)
        server = site.servers.namespace.spawn(python, "-c", WEBSOCKETS, stdout=subprocess.PIPE,
                                              text=True)
        lab.check(server.stdout.readline() == "ready\n", "no server")
        done = site.client.run(python, "-c", WEBSOCKETS, FRONT4)
        lab.check(done.stdout == "1000\n", done.stdout + done.stderr)


def test_ipv6_backends_and_workers():
    """Three workers on two TAPs, clients of both IP versions to IPv6 backends: ab sees no failure."""
    lab.need("ab", "curl")
    with lab.Lab() as here:
        site = Site(here, 2, family=6, workers=3)
        with nginx(site):
            for host in (FRONT4, f"[{FRONT6}]"):
                done = site.client.run("curl", "-sS", "--max-time", "10", f"http://{host}/")
                lab.check(done.stdout == "hello\n" * 100, done.stdout)
                done = site.client.run("ab", "-n", "100", "-c", "10", f"http://{host}/name")
                lab.check("Failed requests:        0" in done.stdout, done.stdout)
        now = site.settled()
        lab.check(now["drop_foreign_reply"] == 0 and now["steered_out"] > 0, f"{now}")


def test_backends_learn_who_the_client_is():
    """nginx reads PROXY protocol headers of both versions and answers the client's address."""
    lab.need("curl")
    tls = ("listen 81 proxy_protocol; listen [::]:81 proxy_protocol; "
           "location /who { return 200 $proxy_protocol_addr; }")
    for version in ("v1", "v2"):
        with lab.Lab() as here:
            site = Site(here, ports=81, packets=0, pool={"proxy_protocol": version})
            with nginx(site, tls):
                for host, want in ((FRONT4, CLIENT4), (f"[{FRONT6}]", CLIENT6)):
                    done = site.client.run("curl", "-sS", "--max-time", "10",
                                           f"http://{host}/who")
                    lab.check(done.stdout == want, f"{version}: {done.stdout}")


def test_conns_shows_both_halves():
    """`handfast conns` lists the client's half and the backend's, as --json and as text."""
    with lab.Lab() as here:
        site = Site(here, ports=25, packets=0)
        server = serve(site, 25, lambda client: client.recv(1))
        with site.client.connect(FRONT4, 80) as client:
            lab.wait_for("the splice", lambda: site.engine.counters()["spliced"] == 1)
            asked = [lab.HANDFAST, "conns", "--instance", site.engine.instance]
            row = json.loads(lab.run([*asked, "--json"]).stdout)
            lab.check((row["state"], row["address"], row["port"]) ==
                      ("SPLICED", CLIENT4, client.getsockname()[1]), f"{row}")
            half = row["backend"]
            lab.check((half["address"], half["port"], half["local_address"], half["closing"]) ==
                      ("10.8.0.10", 25, BACK4, "open"), f"{row}")
            text = lab.run(asked).stdout
            lab.check(re.search(rf"to backend +10.8.0.10 +25 open +from {BACK4} port "
                                rf"{half['local_port']}\n", text), text)
        stop(server)


def test_backends_may_hear_the_client_itself():
    """source: client: nginx sees the client's own address, and its replies return through us."""
    lab.need("ab", "curl")
    tls = "location /who { return 200 $remote_addr; }"
    for workers in (1, 2):
        with lab.Lab() as here:
            listen = [f"{FRONT4}:80"] if workers > 1 else [f"{FRONT4}:80", f"{FRONT4}:8080"]
            site = Site(here, 2, pool={"source": "client"}, service={"listen": listen},
                        workers=workers)
            site.servers.namespace.ip("route", "add", "10.9.0.0/24", "via", BACK4)
            with nginx(site, tls):
                for endpoint in listen:
                    done = site.client.run("curl", "-sS", "--max-time", "10",
                                           f"http://{endpoint}/who")
                    lab.check(done.stdout == CLIENT4, done.stdout)
                done = site.client.run("ab", "-n", "200", "-c", "10", f"http://{FRONT4}/name")
                lab.check("Failed requests:        0" in done.stdout, done.stdout)


if __name__ == "__main__":
    lab.main(globals())
