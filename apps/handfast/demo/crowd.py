#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Thousands of connections of the Linux kernel, all open at once, then a page for each.

Runs inside the client's namespace: crowd.py COUNT ADDRESS PORT; prints its figures as JSON.
"""

import contextlib
import errno
import json
import os
import resource
import selectors
import socket
import sys
import time

IN_FLIGHT = 256         # handshakes at a time; those done stay open
PATIENCE_S = 20         # without any progress


class Crowd:
    """Opens, asks, counts."""

    def __init__(self, count: int, address: str, port: int):
        self.server = (address, port)
        self.count, self.started, self.connecting = count, 0, 0
        self.opened, self.answered, self.failed = {}, 0, 0
        self.times, self.first_failure = [], ""
        self.selector = selectors.DefaultSelector()

    def fail(self, client: socket.socket, why: str) -> None:
        """One connection less."""
        self.failed += 1
        self.first_failure = self.first_failure or why
        with contextlib.suppress(KeyError, ValueError):
            self.selector.unregister(client)
        client.close()

    def start_one(self) -> None:
        """Send a SYN."""
        client = socket.socket()
        client.setblocking(False)
        self.started += 1
        began = time.perf_counter()
        code = client.connect_ex(self.server)
        if code not in (0, errno.EINPROGRESS):
            self.fail(client, os.strerror(code))
            return
        self.connecting += 1
        self.selector.register(client, selectors.EVENT_WRITE, began)

    def open_all(self) -> float:
        """Open every connection and keep it; the seconds it took."""
        began = time.perf_counter()
        while len(self.opened) + self.failed < self.count:
            while self.started < self.count and self.connecting < IN_FLIGHT:
                self.start_one()
            ready = self.selector.select(PATIENCE_S)
            if not ready:
                self.first_failure = self.first_failure or "handshakes without an end"
                break
            now = time.perf_counter()
            for key, _ in ready:
                client = key.fileobj
                self.connecting -= 1
                code = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code:
                    self.fail(client, os.strerror(code))
                    continue
                self.times.append(1000 * (now - key.data))
                self.selector.unregister(client)
                self.opened[client] = True
        return time.perf_counter() - began

    def ask_all(self) -> None:
        """A page for each, and the end of each."""
        for client in self.opened:
            try:
                client.send(b"GET / HTTP/1.0\r\n\r\n")
                self.selector.register(client, selectors.EVENT_READ, bytearray())
            except OSError as error:
                self.fail(client, str(error))
        while self.answered + self.failed < self.count:
            ready = self.selector.select(PATIENCE_S)
            if not ready:
                self.first_failure = self.first_failure or "pages without an end"
                break
            for key, _ in ready:
                self.read(key.fileobj, key.data)

    def read(self, client: socket.socket, page: bytearray) -> None:
        """Collect a page up to the server's FIN."""
        try:
            piece = client.recv(8192)
        except OSError as error:
            self.fail(client, str(error))
            return
        page += piece
        if piece:
            return
        head, _, body = page.partition(b"\r\n\r\n")
        if b" 200 " in head[:20] and len(body) == 1024:
            self.answered += 1
            self.selector.unregister(client)
            client.close()
        else:
            self.fail(client, f"a page of {len(body)} bytes")

    def run(self) -> None:
        """Everything, and the figures on standard output."""
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = self.count + 100
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
        seconds = self.open_all()
        self.ask_all()
        times = sorted(self.times) or [0.0]
        print(json.dumps({"opened": len(self.opened), "answered": self.answered,
                          "seconds": seconds, "p50_ms": times[len(times) // 2],
                          "p99_ms": times[len(times) * 99 // 100],
                          "first_failure": self.first_failure}))


if __name__ == "__main__":
    Crowd(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])).run()
