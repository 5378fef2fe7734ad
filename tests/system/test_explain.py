# SPDX-License-Identifier: BSD-3-Clause
"""`handfast explain` on captures of strangers: curl and nginx, openssl, a lossy cable; tshark judges."""

import contextlib
import json
import os
import socket
import struct
import threading

import lab
from test_lossy import BadSite

CONFIG = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  ssl_certificate {folder}/cert.pem;
  ssl_certificate_key {folder}/key.pem;
  server {{ listen 80; listen [::]:80; location / {{ return 200 "hello"; }}
    location /upgrade {{ add_header Upgrade websocket; keepalive_timeout 100ms; return 101; }} }}
  server {{ listen 443 ssl; listen [::]:443 ssl; ssl_protocols TLSv1.3; location / {{ return 200 "hello"; }} }}
  server {{ listen 442 ssl; listen [::]:442 ssl; ssl_protocols TLSv1.2; location / {{ return 200 "hello"; }} }}
}}
"""

# What curl prints and what it is called here.
TIMES = ("time_connect", "time_appconnect", "time_starttransfer")
# Bytes of the server are kept back so long.  So the events that curl could mean are that far apart
# or more: the client's Finished, then the tickets and the response.
DELAY_SECONDS = 0.04
# Of the best of several runs: curl stops its clock after it has noticed, on a busy machine after
# others had their turn.  A quarter of what the events are apart tells them from each other.
TOLERANCE_SECONDS = DELAY_SECONDS / 4
# curl begins before its SYN and ends after the segment, so it never measures less; but the capture
# has whole microseconds of a clock that NTP may turn, by 500 ppm at most (adjtimex(2)).
EARLIER_SECONDS = 2e-6 + 500e-6 * 5 * DELAY_SECONDS
RUNS = 4


def explain(file, *options: str) -> dict:
    """The JSON of handfast explain."""
    return json.loads(lab.run([lab.HANDFAST, "explain", str(file), "--json", *options]).stdout)


def events(connection: dict) -> list:
    """The set of events of each segment."""
    return [set(step["events"]) for step in connection["ladder"]]


class Pair:
    """Two kernels on a veth, and a capture with a chosen snap length on the client's end."""

    def __init__(self, here: lab.Lab, *options: str):
        self.lab, self.client, self.server = here, here.namespace(), here.namespace()
        near, far = here.name(), here.name()
        self.client.ip("link", "add", near, "type", "veth", "peer", "name", far, "netns",
                       self.server.name)
        self.client.address(near, f"{lab.CLIENT4}/24", f"{lab.CLIENT6}/64")
        self.server.address(far, f"{lab.ENGINE4}/24", f"{lab.ENGINE6}/64")
        self.files = {}
        self.dumps = []
        for name, device in (("device", near), ("any", "any")):
            self.files[name] = here.path(f"{name}.pcap")
            # In immediate mode each packet has room for the longest there could be, so the usual
            # buffer of 2 MiB has eight places and loses some on a busy machine.
            dump = self.client.spawn("tcpdump", "-i", device, "-w", str(self.files[name]), "-U",
                                     "-n", "--immediate-mode", "-B", "32768", "-Z", "root",
                                     *options, "tcp",
                                     stderr=lab.subprocess.PIPE, text=True)
            # On "any" a line about the link layer comes first.
            said = dump.stderr.readline() + (dump.stderr.readline() if name == "any" else "")
            lab.check("listening" in said, f"tcpdump: {said}")
            self.dumps.append(dump)

    def stop(self) -> None:
        """End the captures."""
        lab.pause(0.3)
        for dump in self.dumps:
            dump.send_signal(lab.signal.SIGINT)
            dump.wait(10)


def start_nginx(pair: Pair) -> None:
    """nginx with TLS on the server's side."""
    folder = pair.lab.folder
    lab.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=hf.test",
             "-days", "2", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"])
    config = pair.lab.path("nginx.conf")
    config.write_text(CONFIG.format(folder=folder))
    pair.server.spawn("nginx", "-c", str(config), "-p", str(folder))
    lab.wait_for("nginx", lambda: not pair.server.run(
        "curl", "-s", "-o", "/dev/null", "http://127.0.0.1/", ok=False).returncode, 10)


def fetch(pair: Pair, url: str, *options: str) -> dict:
    """curl, and the times that it measured."""
    said = pair.client.run("curl", "-sk", "-o", "/dev/null", "-m", "20", "-w",
                           " ".join(f"%{{{name}}}" for name in TIMES), *options,
                           url, ok=False).stdout
    return dict(zip(TIMES, map(float, said.split())))


class Delay:
    """Carries TCP connections to another port in the same namespace, the server's bytes late."""

    def __init__(self, pair: Pair, port: int, to_port: int):
        self.namespace, self.to_port = pair.server, to_port
        with pair.server.entered():
            self.listener = socket.create_server((lab.ENGINE4, port))
        pair.lab.at_exit(self.listener.close)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        """Until the listener is closed."""
        with contextlib.suppress(OSError):
            while True:
                client = self.listener.accept()[0]
                server = self.namespace.connect("127.0.0.1", self.to_port)
                for words in ((client, server, 0), (server, client, DELAY_SECONDS)):
                    threading.Thread(target=self.carry, args=words, daemon=True).start()

    @staticmethod
    def carry(source: socket.socket, target: socket.socket, seconds: float) -> None:
        """One direction, to its end."""
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                lab.time.sleep(seconds)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


def check_times(runs: list, names: dict) -> None:
    """What curl measured is what the captures say: names, curl's by the capture's."""
    for name, of_curl in names.items():
        behind = []
        for measured, connection in runs:
            # curl says 0 of what there was not.
            seen = connection["times"].get(name, 0)
            lab.check((seen == 0) == (measured[of_curl] == 0), f"{name}: {measured}, {connection}")
            behind.append(measured[of_curl] - seen)
        lab.check(min(behind) >= -EARLIER_SECONDS and min(behind) < TOLERANCE_SECONDS,
                  f"{connection['protocol']} {name}: curl was later than the capture by {behind}")


# Port of the server, what it speaks, and what is curl's.  Not time_starttransfer in TLS 1.3: before
# its response a server sends tickets, and nobody else can tell those records from others.
DELAYED = (
    (443, "TLS 1.3", TIMES[:2]),
    (442, "TLS 1.2", TIMES),
    # It wants another group than the client guesses: HelloRetryRequest, a trip more.
    (444, "TLS 1.3", TIMES[:2]),
)


def test_handshakes_end_when_curls_do():
    """time_appconnect is curl's for TLS 1.2 and 1.3, with and without HelloRetryRequest."""
    lab.need("curl", "nginx", "openssl", "tcpdump")
    with lab.Lab() as here:
        pair = Pair(here)
        start_nginx(pair)
        pair.server.spawn("openssl", "s_server", "-accept", "127.0.0.1:444", "-www", "-key",
                          str(here.path("key.pem")), "-cert", str(here.path("cert.pem")),
                          "-groups", "P-384", stdout=lab.subprocess.DEVNULL,
                          stderr=lab.subprocess.DEVNULL)
        lab.wait_for("openssl", lambda: not pair.server.run(
            "curl", "-sk", "-o", "/dev/null", "https://127.0.0.1:444/", ok=False).returncode, 10)
        for port, _, _ in DELAYED:
            Delay(pair, 1000 + port, port)
        measured = [fetch(pair, f"https://{lab.ENGINE4}:{1000 + port}/")
                    for port, _, _ in DELAYED for _ in range(RUNS)]
        # Who trusts nobody sends an alert where the Finished would be.
        distrusted = pair.client.run("curl", "-s", "-o", "/dev/null", "-w", "%{time_appconnect}",
                                     f"https://{lab.ENGINE4}:1443/", ok=False)
        lab.check(distrusted.returncode == 60, distrusted)
        pair.stop()
        connections = explain(pair.files["device"])["connections"]
        lab.check(len(connections) == len(measured) + 1, f"{len(connections)} connections")
        for index, (_, protocol, names) in enumerate(DELAYED):
            of_port = slice(index * RUNS, (index + 1) * RUNS)
            runs = list(zip(measured[of_port], connections[of_port]))
            lab.check(all(one["protocol"] == protocol for _, one in runs), runs)
            check_times(runs, {name: name for name in names})
        lab.check(float(distrusted.stdout) == 0 and
                  "time_appconnect" not in connections[-1]["times"], connections[-1])


def test_times_are_curls():
    """Times, addresses and names of HTTP, TLS and WebSockets on both kinds of capture are curl's."""
    lab.need("curl", "nginx", "openssl", "tcpdump")
    with lab.Lab() as here:
        pair = Pair(here)
        start_nginx(pair)
        urls = [(f"http://{lab.ENGINE4}/",), (f"http://[{lab.ENGINE6}]/",),
                (f"https://[{lab.ENGINE6}]/",),
                ("https://hf.test/", "--resolve", f"hf.test:443:{lab.ENGINE4}"),
                (f"http://{lab.ENGINE4}/upgrade", "-H", "Upgrade: websocket", "-H",
                 "Connection: Upgrade")]
        measured = [fetch(pair, *words) for words in urls for _ in range(RUNS)]
        pair.stop()
        for name, link in (("device", "EN10MB"), ("any", "LINUX_SLL2")):
            told = explain(pair.files[name])
            lab.check(told["link"] == link, f"{name}: {told['link']}")
            connections = told["connections"]
            lab.check(len(connections) == len(measured), f"{len(connections)} connections")
            of_url = [list(zip(measured[at:at + RUNS], connections[at:at + RUNS]))
                      for at in range(0, len(measured), RUNS)]
            for runs in of_url[:-1]:
                check_times(runs, {name: name for name in TIMES})
            # To curl an upgrade is a response like others; its handshake is over with the 101.
            check_times(of_url[-1], {"time_appconnect": "time_starttransfer"})
            lab.check([runs[0][1]["protocol"] for runs in of_url]
                      == ["HTTP", "HTTP", "TLS 1.3", "TLS 1.3", "WebSocket"], name)
            ends = [connection["end"] for connection in connections]
            lab.check(set(ends[:-RUNS]) == {"closed"}, ends)
            lab.check(of_url[3][0][1]["server_name"] == "hf.test", of_url[3])


def test_short_captures_are_understood():
    """With 80 bytes of each packet kept, states, names and TCP's times are still there."""
    lab.need("curl", "nginx", "openssl", "tcpdump")
    with lab.Lab() as here:
        pair = Pair(here, "-s", "80")
        start_nginx(pair)
        measured = fetch(pair, f"https://{lab.ENGINE4}/")
        pair.stop()
        connection = explain(pair.files["device"])["connections"][0]
        seen = connection["times"]["time_connect"]
        lab.check(-EARLIER_SECONDS <= measured["time_connect"] - seen < TOLERANCE_SECONDS, connection)
        lab.check(connection["end"] == "closed" and "gap" not in connection["events"], connection)


def test_kernels_odd_ends_have_names():
    """Refusal, half close, abort and keep-alive of a kernel are called so."""
    lab.need("tcpdump")
    with lab.Lab() as here:
        pair = Pair(here)
        with pair.server.entered():
            listener = socket.create_server((lab.ENGINE4, 7))
        # Refused.
        try:
            pair.client.connect(lab.ENGINE4, 9)
        except ConnectionRefusedError:
            pass
        # Half closed, with more from the other end.
        client = pair.client.connect(lab.ENGINE4, 7)
        server = listener.accept()[0]
        client.shutdown(socket.SHUT_WR)
        server.recv(1)
        server.sendall(b"more")
        client.recv(4)
        server.close()
        client.close()
        # Aborted.
        client = pair.client.connect(lab.ENGINE4, 7)
        server = listener.accept()[0]
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        server.close()
        # Kept alive.
        client = pair.client.connect(lab.ENGINE4, 7)
        server = listener.accept()[0]
        client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
        lab.pause(1.5)
        client.close()
        server.close()
        pair.stop()
        refused, half, aborted, kept = explain(pair.files["device"])["connections"]
        lab.check(refused["end"] == "refused" and "refused" in refused["why"], refused)
        lab.check(any("half_closed" in step for step in events(half)), half)
        lab.check(half["end"] == "closed", half)
        lab.check(aborted["end"] == "reset" and "aborted" in aborted["why"], aborted)
        lab.check(kept["events"]["keep_alive"] == kept["events"]["keep_alive_ack"] >= 1, kept)


def websocket(namespace: lab.Namespace) -> None:
    """A WebSocket's handshake, and the end."""
    with namespace.connect(lab.ENGINE4, 80) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       b"Sec-WebSocket-Version: 13\r\n"
                       b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        lab.check(client.recv(1000).startswith(b"HTTP/1.1 101"), "no upgrade")


def test_retransmissions_are_tsharks():
    """On a cable that loses 4 %, what is called a retransmission is what tshark calls one."""
    lab.need("tshark", "tcpdump")
    with lab.Lab() as here:
        body = os.urandom(1 << 19)
        here.path("body").write_bytes(body)
        site = BadSite(here, lab.services(web={"body_file": str(here.path("body"))}),
                       "--drop", "4", "--seed", "5")
        for _ in range(3):
            site.client.run("curl", "-sS", "--max-time", "60", "-o", "/dev/null",
                            f"http://{lab.ENGINE4}/")
        websocket(site.client)
        site.faults()
        site.capture.stop()
        # The engine's end sees all that the engine sent, so its retransmissions are certain.
        ours = {step["frame"] for connection in explain(site.capture.file)["connections"]
                for step in connection["ladder"] if "retransmission" in step["events"]
                and step["from"] == "server"}
        theirs = {int(line) for line in site.capture.tshark(
            f"eth.src == {lab.ENGINE_MAC} && (tcp.analysis.retransmission || "
            "tcp.analysis.fast_retransmission || tcp.analysis.spurious_retransmission || "
            "tcp.analysis.out_of_order)", "frame.number")}
        lab.check(len(ours) > 5 and ours == theirs,
                  f"{len(ours)} and {len(theirs)}; ours alone {sorted(ours - theirs)}, "
                  f"tshark's alone {sorted(theirs - ours)}")
        last = explain(site.capture.file)["connections"][-1]
        lab.check(last["protocol"] == "WebSocket" and "time_appconnect" in last["times"], last)


if __name__ == "__main__":
    lab.main(globals())
