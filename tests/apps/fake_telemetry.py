#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""An engine as seen through DPDK's telemetry socket, for testing its clients without one.

Serves the commands under /handfast/ with figures that grow by the clock.  Answers are cut to whole
list elements below max_output_len, as DPDK does.

    fake_telemetry.py DIRECTORY [INSTANCE]    serve DIRECTORY/dpdk/INSTANCE until interrupted
"""

import json
import os
import socket
import sys
import threading
import time

MAX_OUTPUT = 16384


class FakeEngine:
    """Serves in threads of its own between start() and stop()."""

    def __init__(self, directory, instance="handfast", workers=2, services=3, conns=250,
                 backends=2):
        self.path = os.path.join(directory, "dpdk", instance, "dpdk_telemetry.v2")
        self.instance = instance
        self.workers = workers
        self.services = services
        self.backends = backends
        self.conns = conns
        self.asked = []
        self.probes = 0
        self.raw = {}  # Command to a reply to send as it is.
        self.born = time.monotonic()
        self.sockets = []

    def start(self):
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(self.path)
        listener.listen(10)
        self.sockets.append(listener)
        threading.Thread(target=self.accept, args=(listener,), daemon=True).start()
        return self

    def stop(self):
        for each in self.sockets:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            each.close()
        if os.path.exists(self.path):
            os.unlink(self.path)

    def accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.sockets.append(client)
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        greeting = {"version": "DPDK 22.11.11", "pid": os.getpid(), "max_output_len": MAX_OUTPUT}
        try:
            client.send(json.dumps(greeting).encode())
            while True:
                text = client.recv(1024).decode()
                if not text:
                    break
                self.asked.append(text)
                client.send(self.reply(text))
        except OSError:
            pass

    def reply(self, text):
        if text in self.raw:
            return self.raw[text]
        command, _, parameters = text.partition(",")
        method = getattr(self, command.replace("/handfast/", "answer_"), None)
        value = method(parameters) if method else None
        if isinstance(value, list):
            # DPDK 22.11 knows no array of objects, and leaves out what does not fit.
            offset = int(parameters or 0)
            value = {str(i): value[i] for i in range(offset, min(len(value), offset + 256))}
            while len(json.dumps({command: value})) > MAX_OUTPUT:
                value.popitem()
        return json.dumps({command: value}).encode()

    def grown(self, per_second):
        return int((time.monotonic() - self.born) * per_second)

    def answer_info(self, _):
        return {"version": "0.1.0", "commit": "0123456789ab",
                "uptime_seconds": 252 + self.grown(1), "instance": self.instance,
                "workers": self.workers, "ports": 1, "services": self.services,
                "backends": self.backends,
                "tsc_hz": 2600000000}

    def answer_workers(self, _):
        return [{"core": core + 1, "busy_percent": 41, "connections": 8113, "capacity": 65536,
                 "rx": self.grown(206100), "tx": self.grown(205900), "loops": self.grown(1e6)}
                for core in range(self.workers)]

    def answer_ports(self, _):
        return [{"name": "wan", "device": "tap:hf0", "driver": "net_tap", "link": "up",
                 "queues": 2, "csum": "sw", "rss": "sw", "mtu": 1500, "numa": -1, "imissed": 7,
                 "rx_nombuf": 0}]

    def answer_counters(self, _):
        return {"rx": self.grown(412200), "rx_bytes": self.grown(412200 * 60),
                "replies": self.grown(400000), "tx": self.grown(411800), "tx_full": 0,
                "syn_received": self.grown(4020), "opened": self.grown(4000),
                "closed": self.grown(3990), "reset": 3, "timed_out": 1,
                "requests": self.grown(4000), "drop_consumed": self.grown(12000),
                "drop_not_a_syn": 12, "drop_table_full": 0}

    def answer_services(self, _):
        return [{"name": "service%d" % i, "reply": "http", "connections": 12,
                 "opened": self.grown(4000), "closed": self.grown(3990), "reset": 1,
                 "timed_out": 0, "requests": self.grown(4000), "max_connections": 0}
                for i in range(self.services)]

    def answer_backends(self, _):
        return [{"pool": "web", "backend": "10.8.0.%d:80" % i, "weight": 1,
                 "state": "down" if i % 2 else "up", "connections": 1000 + i,
                 "chosen": self.grown(2000), "opened": self.grown(2000), "failed": 3 * i,
                 "handshake_us_p50": 120, "handshake_us_p99": 15000,
                 "check": "refused" if i % 2 else "good"}
                for i in range(self.backends)]

    def answer_latency(self, _):
        return {"handshake_us_p50": 38, "handshake_us_p90": 60, "handshake_us_p99": 112,
                "handshake_us_p999": 20400, "handshake_us_max": 12400000, "count": 1234567}

    def answer_rules(self, parameters):
        rows = ["%d LISTEN SYN -> SYN_RECEIVED row %d" % (1000 - i, i) for i in range(250)]
        start = int(parameters or 0)
        end = start + 100
        return {"next": end if end < len(rows) else -1, "rules": rows[start:end]}

    def answer_probe(self, parameters):
        """What a probe ends in is its port's last digit."""
        address, port, close, _ = parameters.split(",")
        result = {"0": "opened", "1": "refused", "2": "timed_out", "3": "unresolved",
                  "4": "no_route"}[port[-1]]
        self.probes += 1
        answer = {"result": result, "handshake_us": 100 * self.probes, "local_port": 50000}
        if result not in ("opened", "refused", "timed_out"):
            answer["reason"] = "no answer for %s, %s" % (address, close)
        return answer

    def answer_conn_act(self, parameters):
        port = parameters.split(",")[3]
        return {"done": int(port == "1000"), "unfit": int(port == "1001")}

    def answer_conns(self, parameters):
        worker, cursor, limit = (int(each) for each in parameters.split(","))
        rows = ["service%d 2001:db8::%x %d ESTABLISHED 4294967295 1 2 0 %ds" %
                (i % self.services, i, 1024 + i, worker) for i in range(self.conns)]
        end = cursor + limit
        return {"next": end if end < len(rows) else -1, "conns": rows[cursor:end]}


if __name__ == "__main__":
    engine = FakeEngine(*sys.argv[1:3]).start()
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        engine.stop()
