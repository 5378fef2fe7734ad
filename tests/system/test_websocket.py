# SPDX-License-Identifier: BSD-3-Clause
"""WebSockets (RFC 6455) on an http service: the handshake, the echo, and every way to end."""

import base64
import hashlib
import os
import re
import socket
import struct
import threading
import time

import lab

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
FIN = 0x80


class WebSocket:
    """A client, by hand."""

    def __init__(self, site: lab.Site, host: str = lab.ENGINE4, key: bytes = b"", **headers):
        self.socket = site.client.connect(host, 80, timeout=20)
        self.pending = b""
        self.key = key or base64.b64encode(os.urandom(16))
        fields = {"Host": "engine", "Upgrade": "websocket", "Connection": "keep-alive, Upgrade",
                  "Sec-WebSocket-Key": self.key.decode(), "Sec-WebSocket-Version": "13"}
        fields.update({name.replace("_", "-"): value for name, value in headers.items()})
        self.socket.sendall(b"GET /chat HTTP/1.1\r\n" + b"".join(
            f"{name}: {value}\r\n".encode() for name, value in fields.items() if value) + b"\r\n")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.receive(1)
        self.status = int(head.split()[1])
        self.fields = {line.split(": ")[0].lower(): line.split(": ")[1]
                       for line in head.decode().split("\r\n")[1:-2]}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def receive(self, size: int) -> bytes:
        """Exactly so many bytes."""
        while len(self.pending) < size:
            chunk = self.socket.recv(65536)
            lab.check(chunk, f"the stream ended after {len(self.pending)} of {size} bytes")
            self.pending += chunk
        taken, self.pending = self.pending[:size], self.pending[size:]
        return taken

    def assert_accepted(self) -> None:
        """101, and proof that the server read the key."""
        accept = base64.b64encode(hashlib.sha1(self.key + GUID).digest()).decode()
        lab.check(self.status == 101, f"status {self.status}: {self.fields}")
        lab.check(self.fields["sec-websocket-accept"] == accept, f"{self.fields}")
        lab.check(self.fields["upgrade"].lower() == "websocket", f"{self.fields}")
        lab.check("upgrade" in self.fields["connection"].lower(), f"{self.fields}")
        for name in ("sec-websocket-extensions", "sec-websocket-protocol"):
            lab.check(name not in self.fields, f"{self.fields}")

    def send(self, opcode: int, payload: bytes = b"", fin: int = FIN) -> None:
        """One masked frame."""
        self.socket.sendall(frame(fin | opcode, payload))

    def next(self) -> tuple:
        """The next frame: its first byte and its payload."""
        first, length = self.receive(2)
        lab.check(length < 128, "the server masks")
        if length == 126:
            length = struct.unpack(">H", self.receive(2))[0]
        elif length == 127:
            length = struct.unpack(">Q", self.receive(8))[0]
        return first, self.receive(length)

    def expect(self, first: int, payload: bytes) -> None:
        """The next frame is this one."""
        got = self.next()
        lab.check(got == (first, payload),
                  f"frame {got[0]:#x} of {len(got[1])} bytes {got[1][:20]!r}, not {first:#x} of"
                  f" {len(payload)} bytes {payload[:20]!r}")

    def assert_over(self) -> None:
        """The server has closed, by FIN."""
        lab.check(self.pending == b"" and self.socket.recv(1) == b"", "more after the last frame")


def frame(first: int, payload: bytes) -> bytes:
    """A client's frame with a masking key by chance."""
    key = os.urandom(4)
    if len(payload) < 126:
        length = struct.pack(">B", 0x80 | len(payload))
    elif len(payload) < 65536:
        length = struct.pack(">BH", 0x80 | 126, len(payload))
    else:
        length = struct.pack(">BQ", 0x80 | 127, len(payload))
    size = len(payload)
    mask = int.from_bytes((key * (size // 4 + 1))[:size], "big")
    masked = (int.from_bytes(payload, "big") ^ mask).to_bytes(size, "big")
    return bytes([first]) + length + key + masked


def test_curl_is_told_101():
    """curl gets RFC 6455's own answer to RFC 6455's own key."""
    lab.need("curl")
    with lab.Lab() as here:
        site = lab.Site(here)
        done = site.client.run(
            "curl", "-sS", "-i", "--http1.1", "--max-time", "1", "-H", "Upgrade: websocket",
            "-H", "Connection: Upgrade", "-H", "Sec-WebSocket-Version: 13",
            "-H", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", f"http://{lab.ENGINE4}/",
            ok=False)
        lab.check(done.stdout.startswith("HTTP/1.1 101 Switching Protocols\r\n") or
                  done.stdout.startswith("HTTP/1.1 101 Switching Protocols\n"), done.stdout)
        lab.check("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in done.stdout, done.stdout)


def test_messages_come_back():
    """Text and binary of many lengths, pings and fragments, over both families."""
    with lab.Lab() as here:
        site = lab.Site(here)
        for host in (lab.ENGINE4, lab.ENGINE6):
            with WebSocket(site, host) as client:
                client.assert_accepted()
                for size in (0, 1, 125, 126, 1459, 4095, 4097, 16384, 65535, 65536):
                    payload = os.urandom(size)
                    sender = threading.Thread(target=client.send, args=(BINARY, payload))
                    sender.start()
                    client.expect(FIN | BINARY, payload)
                    sender.join()
                client.send(TEXT, "grüß €𝄞".encode())
                client.expect(FIN | TEXT, "grüß €𝄞".encode())
                client.send(PING, b"are you there?")
                client.expect(FIN | PONG, b"are you there?")
                client.send(TEXT, b"\xe2\x82", fin=0)
                client.send(PING)
                client.send(PONG, b"nobody asked")
                client.send(CONTINUATION, b"\xac")
                client.expect(TEXT, b"\xe2\x82")
                client.expect(FIN | PONG, b"")
                client.expect(FIN | CONTINUATION, b"\xac")
                client.send(CLOSE, struct.pack(">H", 1000) + b"bye")
                client.expect(FIN | CLOSE, struct.pack(">H", 1000))
                client.assert_over()
        now = site.settled()
        lab.check(now["requests"] == 2, f"counters: {now}")


def test_bytes_may_come_one_by_one():
    """A handshake and frames in segments of one byte are the same handshake and frames."""
    with lab.Lab() as here:
        site = lab.Site(here)
        with site.client.connect(lab.ENGINE4, 80) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sent = (b"GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                    b"Sec-WebSocket-Version: 13\r\n"
                    b"Upgrade: WebSocket\r\nConnection: upgrade\r\n\r\n"
                    + frame(FIN | TEXT, b"Hello") + frame(FIN | CLOSE, b"\x03\xe9"))
            for byte in sent:
                client.sendall(bytes([byte]))
                time.sleep(0.002)
            answer = b""
            while chunk := client.recv(4096):
                answer += chunk
        lab.check(answer.startswith(b"HTTP/1.1 101 "), repr(answer))
        lab.check(b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in answer, repr(answer))
        lab.check(answer.endswith(b"\r\n\r\n\x81\x05Hello\x88\x02\x03\xe9"), repr(answer))


def test_five_megabytes_in_one_frame():
    """One frame longer than every buffer comes back unchanged."""
    with lab.Lab() as here:
        site = lab.Site(here)
        payload = os.urandom(5_000_000)
        with WebSocket(site) as client:
            client.assert_accepted()
            client.socket.settimeout(60)
            sender = threading.Thread(target=client.send, args=(BINARY, payload))
            sender.start()
            client.expect(FIN | BINARY, payload)
            sender.join()
            client.send(CLOSE)
            client.expect(FIN | CLOSE, b"")
            client.assert_over()


def test_errors_are_closed_with_their_code():
    """Protocol errors get Close 1002, invalid text 1007, and then a FIN."""
    errors = {
        1002: (b"\x81\x05Hello", b"\xc1\x80", b"\x83\x80", b"\x09\x80", b"\x89\xfe\x00\x7e",
               b"\x80\x80", b"\x82\xfe\x00\x05", frame(FIN | CLOSE, b"\x03\xed")),
        1007: (frame(FIN | TEXT, b"\xc0\x80"), frame(FIN | TEXT, b"\xed\xa0\x80"),
               frame(FIN | TEXT, b"half \xe2\x82")),
    }
    with lab.Lab() as here:
        site = lab.Site(here)
        for code, samples in errors.items():
            for sample in samples:
                with WebSocket(site) as client:
                    client.assert_accepted()
                    client.send(TEXT, b"fine")
                    client.socket.sendall(sample)
                    client.expect(FIN | TEXT, b"fine")
                    client.expect(FIN | CLOSE, struct.pack(">H", code))
                    client.assert_over()


def test_wrong_handshakes_are_refused():
    """Another version is 426 with ours, a bad key 400, and half an upgrade is a plain GET."""
    with lab.Lab() as here:
        site = lab.Site(here)
        with WebSocket(site, Sec_WebSocket_Version="8") as client:
            lab.check(client.status == 426, f"status {client.status}")
            lab.check(client.fields["sec-websocket-version"] == "13", f"{client.fields}")
        with WebSocket(site, key=b"c2hvcnQ=") as client:
            lab.check(client.status == 400, f"status {client.status}")
        with WebSocket(site, Sec_WebSocket_Key="") as client:
            lab.check(client.status == 400, f"status {client.status}")
        with WebSocket(site, Upgrade="") as client:
            lab.check(client.status == 200, f"status {client.status}")


def test_rings_are_bounded_and_come_back():
    """When the echo buffers are all taken the answer is 503; a closed WebSocket frees its own."""
    with lab.Lab() as here:
        site = lab.Site(here, [{"name": "web", "listen": f"{lab.ENGINE4}:80", "reply": "http"}],
                        echo_buffers=3, workers=1)
        for _ in range(3):
            clients = [WebSocket(site) for _ in range(3)]
            for client in clients:
                client.assert_accepted()
            with WebSocket(site) as late:
                lab.check(late.status == 503, f"status {late.status}")
            for client in clients:
                client.send(CLOSE)
                client.expect(FIN | CLOSE, b"")
                client.assert_over()
                client.socket.close()
            lab.wait_for("the connections' end", lambda: not open_connections(site))


def open_connections(site: lab.Site) -> int:
    """How many the engine has not closed."""
    now = site.settled()
    return now["opened"] - now["closed"] - now["reset"] - now["timed_out"]


def test_a_service_may_decline():
    """With websocket: false a handshake is a GET like any other."""
    with lab.Lab() as here:
        site = lab.Site(here, lab.services(web={"websocket": False}))
        with WebSocket(site) as client:
            lab.check(client.status == 200, f"status {client.status}")
            lab.check(re.fullmatch(r"\d+", client.fields["content-length"]), f"{client.fields}")


if __name__ == "__main__":
    lab.main(globals())
