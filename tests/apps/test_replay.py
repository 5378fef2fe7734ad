#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""`handfast replay`: the engine without a network, on the clock of a capture.

    test_replay.py HANDFAST
"""

import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from captures import ACK, CLIENT, FIN, PSH, RST, SERVER, SYN, exchange, packet, pcap, pcapng

HANDFAST = ""
MSS = b"\x02\x04\x05\xb4"
TO_US = bytes.fromhex("020000000902") + bytes.fromhex("020000000001") + b"\x08\x00"


def flood(count):
    """SYNs from as many clients, 10 us apart."""
    return [(index / 100, packet(f"10.1.{index >> 8 & 255}.{index & 255}", SERVER, SYN, index, 0,
                                 ports=(1024 + index % 60000, 80), options=MSS))
            for index in range(count)]


def request(close_after=20):
    """A client of HTTP, with what a server said to it: (milliseconds, packet)."""
    ask = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    there, back = (40000, 80), (80, 40000)
    end = 1 + len(ask)
    return [(0, packet(CLIENT, SERVER, SYN, 0, 0, b"", there, MSS)),
            (1, packet(SERVER, CLIENT, SYN | ACK, 900, 1, b"", back, MSS)),
            (2, packet(CLIENT, SERVER, ACK, 1, 901, b"", there)),
            (3, packet(CLIENT, SERVER, ACK | PSH, 1, 901, ask, there)),
            (5, packet(SERVER, CLIENT, ACK | FIN, 901, end, b"short", back)),
            (6, packet(CLIENT, SERVER, ACK, end, 907, b"", there)),
            (close_after, packet(CLIENT, SERVER, ACK | FIN, end, 907, b"", there)),
            (close_after + 1, packet(SERVER, CLIENT, ACK, 907, end + 1, b"", back))]


def kept(start=0, isn=0, options=MSS, stamp=b""):
    """A client of HTTP that may ask again, and the server's next sequence number and its own."""
    ask = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
    there, back, server = (40000, 80), (80, 40000), isn + 900
    seq, end = isn + 1, isn + 1 + len(ask)
    return [(start, packet(CLIENT, SERVER, SYN, isn, 0, b"", there, options)),
            (start + 1, packet(SERVER, CLIENT, SYN | ACK, server, seq, b"", back, options)),
            (start + 2, packet(CLIENT, SERVER, ACK, seq, server + 1, b"", there, stamp)),
            (start + 3, packet(CLIENT, SERVER, ACK | PSH, seq, server + 1, ask, there, stamp)),
            (start + 5, packet(SERVER, CLIENT, ACK | PSH, server + 1, end, b"short", back, stamp)),
            (start + 6, packet(CLIENT, SERVER, ACK, end, server + 6, b"", there, stamp))
            ], server + 6, end


def server_closes(server, client, stamp=b""):
    """The end of such a connection: the server's FIN before the client's."""
    there, back = (40000, 80), (80, 40000)
    return [(20, packet(SERVER, CLIENT, FIN | ACK, server, client, b"", back, stamp)),
            (21, packet(CLIENT, SERVER, ACK, client, server + 1, b"", there, stamp)),
            (30, packet(CLIENT, SERVER, FIN | ACK, client, server + 1, b"", there, stamp)),
            (31, packet(SERVER, CLIENT, ACK, server + 1, client + 1, b"", back, stamp))]


def times(content):
    """Magic number of a capture, and its packets' (seconds, fraction)."""
    found, at = [], 24
    while at < len(content):
        found.append(struct.unpack_from("<iI", content, at))
        at += 16 + struct.unpack_from("<I", content, at + 8)[0]
    return struct.unpack_from("<I", content)[0], found


class Replay(unittest.TestCase):
    """What comes out, and that it is the same each time."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        # Whoever it runs as may write here.
        self.folder.chmod(0o777)

    def replay(self, content, *options, code=0, out="out.pcap", user=()):
        """handfast replay on these bytes; its JSON."""
        (self.folder / "in.pcap").write_bytes(content)
        files = [str(self.folder / "in.pcap")] + ([str(self.folder / out)] if out else [])
        done = subprocess.run([*user, HANDFAST, "replay", *files, "--json", *options],
                              capture_output=True, text=True, check=False, timeout=100)
        self.assertEqual(done.returncode, code, done.stderr)
        return json.loads(done.stdout) if code == 0 else done

    def explained(self, out="out.pcap"):
        """What happened in OUT."""
        done = subprocess.run([HANDFAST, "explain", str(self.folder / out), "--json"], check=True,
                              capture_output=True, timeout=60)
        return json.loads(done.stdout)

    def check_checksums(self, out="out.pcap"):
        """tshark finds every checksum right and nothing malformed."""
        if shutil.which("tshark") is None:
            return
        done = subprocess.run(
            ["tshark", "-n", "-r", str(self.folder / out), "-o", "tcp.check_checksum:TRUE", "-o",
             "ip.check_checksum:TRUE", "-Y", "tcp.checksum.status != 1 || "
             "ip.checksum.status != 1 || _ws.malformed"], capture_output=True, text=True,
            check=True, timeout=100)
        self.assertEqual(done.stdout, "")

    def test_flood_is_answered_with_cookies(self):
        told = self.replay(pcap(flood(3000)), "--cookies", "always", "--tail", "0")
        counters = told["counters"]
        self.assertEqual((counters["rx"], counters["syn_cookies_sent"], counters["tx"]),
                         (3000, 3000, 3000))
        self.assertEqual(told["connections"], 0)
        self.check_checksums()
        found = self.explained()
        self.assertEqual(found["total"], 3000)
        self.assertTrue(all(one["ladder"][0]["flags"] == "S." for one in found["connections"]))

    def test_half_open_connections_ask_again_on_the_captures_clock(self):
        self.replay(pcap(flood(1)), "--cookies", "never", "--tail", "4")
        steps = self.explained()["connections"][0]["ladder"]
        self.assertEqual(len(steps), 3)
        # After one second, then two more; the timer wheel has milliseconds.
        for step, seconds in zip(steps, (0, 1, 3)):
            self.assertAlmostEqual(step["time"], seconds, delta=0.2)

    def test_clients_of_another_server_get_through(self):
        for options in ((), ("--cookies", "always")):
            told = self.replay(pcap(request()), "--both", *options)
            counters = told["counters"]
            self.assertEqual((counters["opened"], counters["requests"], counters["closed"]),
                             (1, 1, 1), counters)
            self.assertEqual((told["played"], told["left_out"]), (5, 3))
            self.check_checksums()
            connection = self.explained()["connections"][0]
            self.assertEqual((connection["end"], connection["protocol"]), ("closed", "HTTP"))
            self.assertNotIn("retransmission", connection["events"])

    def test_one_direction_of_a_capture_is_enough(self):
        clients = [(when, data) for when, data in request() if data[12:16] == b"\x0a\0\0\1"]
        counters = self.replay(pcap(clients))["counters"]
        self.assertEqual((counters["opened"], counters["requests"]), (1, 1))

    def test_one_direction_of_ports_that_are_used_again(self):
        """The second server's initial sequence number is far below the first one's."""
        steps = []
        for isn, server in ((0, 0x70000000), (0x10000000, 900)):
            steps += [(SYN, isn, 0), (ACK, isn + 1, server + 1), (ACK | FIN, isn + 1, server + 1),
                      (ACK, isn + 2, server + 2)]
        clients = [(10 * index, packet(CLIENT, SERVER, *step)) for index, step in enumerate(steps)]
        for cookies in ("never", "always"):
            counters = self.replay(pcap(clients), "-r", "discard", "-k", cookies)["counters"]
            self.assertEqual((counters["opened"], counters["closed"]), (2, 2), counters)

    def check_both(self, packets, ended=1, prefix=b"", **expected):
        """Two connections of the same ports get through, one after the other."""
        content = pcap(packets, 1 if prefix else 101, prefix)
        told = self.replay(content, "--both")
        counters = told["counters"]
        self.assertEqual((counters["opened"], counters["requests"], counters["challenge_acks"],
                          told["ended"]), (2, 2, 0, ended), counters)
        for name, value in expected.items():
            self.assertEqual(counters[name], value, name)
        self.check_checksums()
        return self.explained()["connections"]

    def test_ports_are_used_again_after_the_captured_server_reset(self):
        packets, server, client = kept()
        tagged = TO_US[:12] + b"\x81\0\0\7" + TO_US[12:]
        for flags, prefix in ((RST | ACK, b""), (RST, TO_US), (RST, tagged)):
            reset = [(10, packet(SERVER, CLIENT, flags, server, client, b"", (80, 40000)))]
            first, _ = self.check_both(packets + reset + kept(5000, 7000000)[0], prefix=prefix,
                                       reset=1)
            self.assertEqual((first["end"], first["ladder"][-1]["time"]), ("reset", 0.01))
        # It is not the server's next: the client did not believe it, and asks once more.
        forged = [(10, packet(SERVER, CLIENT, RST, server + 9, client, b"", (80, 40000)))]
        ask = packets[3][1][40:]
        again = [(20, packet(CLIENT, SERVER, ACK | PSH, client, server, ask))]
        told = self.replay(pcap(packets + forged + again))
        self.assertEqual((told["counters"]["requests"], told["ended"]), (2, 0))

    def test_ports_are_used_again_after_the_captured_server_closed_first(self):
        """The ACK of the engine's FIN is nowhere in the capture."""
        stamp = struct.pack("!HBBII", 0x0101, 8, 10, 77, 88)
        for options in ((), (MSS + stamp, stamp)):
            packets, server, client = kept(0, 0, *options)
            packets = packets + server_closes(server, client, *options[1:])
            later = kept(5000, 7000000, *options)[0]
            first, _ = self.check_both(packets + later, closed=1)
            self.assertEqual((first["end"], first["ladder"][-1]["time"]), ("closed", 0.031))
            # With what the client said only, it is known when the ports are used again.
            clients = [(when, data) for when, data in packets + later
                       if data[12:16] == b"\x0a\0\0\1"]
            self.check_both(clients, reset=1)
            told = self.replay(pcap(clients), "--reply", "discard")
            self.assertEqual((told["counters"]["opened"], told["counters"]["closed"],
                              told["ended"]), (2, 1, 1))

    def test_ports_are_used_again_when_no_end_was_captured(self):
        """Of the client's, but the captured server's FIN."""
        packets, server, client = kept()
        packets = packets + server_closes(server, client)[:1]
        self.check_both(packets + kept(5000, 7000000)[0], reset=1)

    def test_a_forged_syn_meets_the_connection_that_it_met(self):
        packets, server, client = kept()
        ask = packets[3][1][40:]
        packets = packets + [(10, packet(CLIENT, SERVER, SYN, 70000, 0, b"", (40000, 80), MSS)),
                             (20, packet(CLIENT, SERVER, ACK | PSH, client, server, ask))]
        told = self.replay(pcap(packets))
        counters = told["counters"]
        self.assertEqual((counters["opened"], counters["requests"], counters["challenge_acks"],
                          told["ended"]), (1, 2, 1, 0), counters)

    def test_as_it_is_a_wrong_acknowledgement_is_reset(self):
        counters = self.replay(pcap(request()), "--as-is")["counters"]
        self.assertEqual(counters["opened"], 0)
        self.assertGreater(counters["resets_sent"], 0)

    def test_every_format_gives_the_same_answers(self):
        packets = request()
        for index, content in enumerate((
                pcap(packets), pcapng(packets), pcap(packets, 276, b"\x08\0" + bytes(18)),
                pcap(packets, 1, bytes(12) + b"\x08\0"))):
            self.replay(content, out=f"{index}.pcap")
            self.assertEqual([step["seq"] for step in
                              self.explained(f"{index}.pcap")["connections"][0]["ladder"]],
                             [step["seq"] for step in
                              self.explained("0.pcap")["connections"][0]["ladder"]])

    def test_a_gap_of_years_takes_no_years(self):
        years = 20 * 365 * 86400 * 1000
        late = [(years + ms, data) for ms, data in request()]
        told = self.replay(pcapng(request()[:4] + late))
        self.assertEqual(told["counters"]["requests"], 2)
        self.assertEqual(told["connections"], 0)

    def test_a_time_that_is_far_from_its_neighbours(self):
        """Nobody times out because of it, and the others keep their time."""
        years = 20 * 365 * 86400 * 1000
        for index, away in ((1, years), (3, years), (3, -1000 * 1000)):
            packets = request(close_after=5000)
            packets[index] = (away + packets[index][0], packets[index][1])
            told = self.replay(pcapng(packets), "--both")
            self.assertEqual((told["counters"]["requests"], told["counters"]["closed"]), (1, 1))
            self.assertAlmostEqual(self.explained()["connections"][0]["ladder"][-1]["time"], 5)
            self.assertEqual(told["backward"], 1)

    def test_a_part_that_is_older(self):
        """After a step back the capture's clock goes on; a little disorder is none."""
        first, second = (data for _, data in flood(2))
        started = [(100000 + when, data) for when, data in request()]
        for packets, backward in ((started + [(0, first), (4000, second)], 1),
                                  ([(0, first), (2000, second), (1500, second), (4000, second)], 1),
                                  ([(0, first), (4000, second)], 0)):
            told = self.replay(pcapng(packets), "--cookies", "never", "--tail", "0")
            steps = next(one for one in self.explained()["connections"]
                         if one["client"]["address"] == "10.1.0.0")["ladder"]
            self.assertEqual(len(steps), 3)
            for step, seconds in zip(steps, (0, 1, 3)):
                self.assertAlmostEqual(step["time"], seconds, delta=0.2)
            self.assertEqual(told["backward"], backward)
            self.assertEqual("; time went backwards 1 times" in self.run_replay().stdout,
                             backward == 1)

    def test_times_before_1970_and_after_2262(self):
        far = 9300000000 * 1000
        told = self.replay(pcapng(request() + [(far + ms, data) for ms, data in request()]))
        self.assertEqual(told["counters"]["requests"], 2)
        seconds = struct.pack("<i", -16)
        self.replay(pcap(request()).replace(struct.pack("<i", 1000) + b"\0\0", seconds + b"\0\0"))
        self.assertEqual(times((self.folder / "out.pcap").read_bytes())[1][0], (-16, 0))

    def test_nanoseconds_stay_nanoseconds(self):
        packets = [(123 / 1000 + index, data) for index, (_, data) in enumerate(flood(3))]
        for magic, fractions in ((0xa1b23c4d, [123, 1123, 2123]), (0xa1b2c3d4, [123, 1123, 2123])):
            self.replay(pcap(packets, magic=magic), "--cookies", "always", "--tail", "0")
            found = times((self.folder / "out.pcap").read_bytes())
            self.assertEqual(found, (magic, [(1000, fraction) for fraction in fractions]))

    def test_interfaces_of_different_link_layers(self):
        """What libpcap can read is played; how to have the rest is said, and does it."""
        other = pcapng([(50, TO_US + data) for _, data in flood(2)], 1)[28:]
        other = other.replace(struct.pack("<III", 6, 92, 0), struct.pack("<III", 6, 92, 1))
        done = self.replay(pcapng(request()) + other, code=1)
        self.assertEqual(json.loads(done.stdout)["counters"]["requests"], 1)
        self.assertEqual(done.stderr.count("try: tshark -r IN.pcapng"), 1)
        if shutil.which("tshark") is None or shutil.which("editcap") is None:
            return
        hint = done.stderr.split("try: ")[1].replace("IN.pcapng", "in.pcap")
        hint = hint.replace("interface_id == 0", "interface_id == 1")
        subprocess.run(hint, shell=True, check=True, capture_output=True, cwd=self.folder)
        told = self.replay((self.folder / "ONE.pcap").read_bytes())
        self.assertEqual(told["counters"]["syn_received"], 2)

    def test_segments_of_hosts_that_offload(self):
        """What TSO and GRO put together is played; what no buffer has room for is not in OUT."""
        there, sizes = (40000, 80), (1460, 20000, 65160)
        packets = request()[:3]
        for size in sizes:
            packets.append((len(packets) * 10, packet(CLIENT, SERVER, ACK | PSH, 1, 901,
                                                      bytes(size), there)))
        self.check_offloaded(packets, played=5, too_long=0)
        self.assertNotIn("ethtool", self.run_replay().stderr)
        packets.append((100, b"\x45" + bytes(65519)))
        self.check_offloaded(packets, played=5, too_long=1)
        self.assertIn("1 packets are too long", self.run_replay().stderr)

    def test_the_longest_frame(self):
        """A loopback's MTU has longer ones; they are told how long they may be."""
        headers = len(TO_US) + 40
        for length, too_long in ((65407, 0), (65408, 1)):
            data = packet(CLIENT, SERVER, ACK | PSH, 1, 901, bytes(length - headers))
            told = self.replay(pcap([*request()[:3], (10, data)], 1, TO_US))
            self.assertEqual(told["too_long"], too_long)
        said = self.run_replay().stderr
        self.assertIn("which has 65407 bytes with the Ethernet header", said)
        self.assertIn("ip link set lo mtu 1500", said)

    def check_offloaded(self, packets, played, too_long):
        """All of the client's that were not too long were played, and are in OUT."""
        told = self.replay(pcap(packets, 1, TO_US), "--both", "--reply", "discard")
        self.assertEqual((told["played"], told["refused"], told["too_long"]),
                         (played, too_long, too_long))
        self.assertEqual(told["counters"]["data_bytes_received"], 65160)
        out = (self.folder / "out.pcap").read_bytes()
        self.assertEqual(len(times(out)[1]), played + told["counters"]["tx"])

    def test_same_input_gives_the_same_bytes(self):
        content = pcap(flood(500) + [(30 + when, data) for when, data in request()])
        for name in ("first", "second"):
            self.replay(content, out=name)
        self.replay(content, "--seed", "2", out="third")
        first, second, third = ((self.folder / name).read_bytes()
                                for name in ("first", "second", "third"))
        self.assertEqual(first, second)
        self.assertNotEqual(first, third)
        largest = 2 ** 63 - 1
        self.assertEqual(self.replay(content, "--seed", str(largest))["seed"], largest)

    def test_needs_no_privileges(self):
        user = ()
        if os.geteuid() == 0:
            user = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        self.assertEqual(self.replay(pcap(exchange()), user=user)["counters"]["opened"], 1)

    def test_a_configuration_is_used(self):
        config = self.folder / "config.yaml"
        config.write_text("ports:\n  - name: lan\n    device: 'tap:hf0'\n"
                          "    mac: '02:00:00:00:09:02'\n    addresses: [10.0.0.2/24]\n"
                          "services:\n  - {name: mail, listen: '10.0.0.2:80', reply: banner, "
                          "close: at_once}\n")
        told = self.replay(pcap(exchange(), 1, TO_US), "-c", str(config))
        self.assertEqual(told["counters"]["data_bytes_sent"], len("220 handfast ready\r\n"))
        config.write_text("prots: []\n")
        done = self.replay(pcap(exchange()), "-c", str(config), code=3)
        self.assertIn("config.yaml:1", done.stderr)

    def test_checksums_that_the_configured_devices_kernel_leaves_unfinished(self):
        """`partial_checksums: auto` is what it is with that device."""
        config = self.folder / "config.yaml"
        pseudo = sum(struct.unpack("!4H", socket.inet_aton(CLIENT) + socket.inet_aton(SERVER)))
        syn = exchange()[0][1]
        pseudo += 6 + len(syn) - 20
        syn = syn[:36] + struct.pack("!H", (pseudo & 0xffff) + (pseudo >> 16)) + syn[38:]
        for device, syns in (("veth:hf0", 1), ("tap:hf0", 0)):
            config.write_text(f"ports:\n  - {{name: lan, device: '{device}', addresses: "
                              f"[{SERVER}/24]}}\nservices:\n  - {{name: web, reply: http, "
                              f"listen: '{SERVER}:80'}}\n")
            told = self.replay(pcap([(0, syn)], 1, TO_US), "-c", str(config), "-t", "0")
            counters = told["counters"]
            self.assertEqual((counters["tx"], counters["drop_bad_tcp_checksum"]),
                             (syns, 1 - syns), device)

    def test_listening_elsewhere_answers_nobody(self):
        counters = self.replay(pcap(exchange()), "--listen", "10.0.0.9:80")["counters"]
        self.assertEqual(counters["tx"], 0)
        self.assertEqual(counters["drop_unknown_destination"], counters["rx"])

    def test_the_capture_itself_is_never_written_to(self):
        content = pcap(exchange())
        os.symlink(self.folder / "in.pcap", self.folder / "link.pcap")
        for out in ("in.pcap", "link.pcap"):
            self.assertIn("the capture itself", self.replay(content, code=2, out=out).stderr)
            self.assertEqual((self.folder / "in.pcap").read_bytes(), content)

    def test_what_comes_before_the_break_is_played(self):
        done = self.replay(pcap(request())[:-5], "--both", code=1)
        self.assertEqual(done.stderr.count("truncated"), 1)
        told = json.loads(done.stdout)
        self.assertEqual((told["played"], told["left_out"]), (5, 2))
        self.assertEqual(told["counters"]["requests"], 1)
        self.assertEqual(self.explained()["connections"][0]["protocol"], "HTTP")

    def test_hosts_that_connect_to_each_other(self):
        """The engine is whom the first SYN goes to; what it cannot be, too, is named."""
        other = [(40 + when, packet(SERVER, CLIENT, SYN, 0, 0, b"", (50000, 80), MSS))
                 for when in (0, 1000)]
        told = self.replay(pcap(request() + other))
        self.assertEqual((told["counters"]["requests"], told["left_out"]), (1, 5))
        done = self.run_replay("--listen", f"{SERVER}:80")
        self.assertIn("2 SYNs of hosts that are servers, too", done.stderr)

    def test_hints_and_reports_that_cannot_be_written(self):
        self.replay(pcap(exchange()), out=None)
        done = self.run_replay("--listen", "10.0.0.9:80")
        self.assertIn("no segment of the capture is for", done.stderr)
        with open("/dev/full", "wb") as full:
            done = self.run_replay(stdout=full)
        self.assertEqual(done.returncode, 1)
        self.assertIn("No space left", done.stderr)
        done = self.run_replay("-")  # OUT: counters do not go where packets go.
        self.assertEqual(done.returncode, 0)
        self.assertTrue(done.stdout.startswith("\xd4\xc3\xb2\xa1"), done.stdout[:20])
        self.assertIn("packets played", done.stderr)

    def test_answers_that_find_no_room_are_reported(self):
        """Also where the write that failed was not the last."""
        for count in (1, 100):
            (self.folder / "in.pcap").write_bytes(pcap(flood(count)))
            done = self.run_replay("/dev/full", "--cookies", "always", "--tail", "0")
            self.assertEqual((done.returncode, done.stderr.count("/dev/full: cannot be written")),
                             (1, 1), count)

    def test_a_closed_standard_output_is_no_capture(self):
        """OUT must not be what the counters are written to."""
        (self.folder / "in.pcap").write_bytes(pcap(request()))
        self.run_replay(str(self.folder / "expected.pcap"))
        done = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", HANDFAST, "replay",
                               str(self.folder / "in.pcap"), str(self.folder / "out.pcap")],
                              stderr=subprocess.PIPE, check=False, timeout=100)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"standard output: Bad file descriptor", done.stderr)
        self.assertEqual((self.folder / "out.pcap").read_bytes(),
                         (self.folder / "expected.pcap").read_bytes())

    def test_a_name_that_is_not_utf_8(self):
        name = os.fsencode(self.folder) + b"/caf\xe9.pcap"
        Path(os.fsdecode(name)).write_bytes(pcap(request()))
        done = subprocess.run([HANDFAST, "replay", name, "--json"], capture_output=True,
                              check=False, timeout=100)
        self.assertEqual(done.returncode, 0, done.stderr)
        told = json.loads(done.stdout)
        self.assertEqual(Path(told["file"]).name, "caf\ufffd.pcap")
        self.assertEqual(told["counters"]["requests"], 1)

    def run_replay(self, *options, stdout=subprocess.PIPE):
        """handfast replay as people use it, on the capture that is there."""
        return subprocess.run([HANDFAST, "replay", str(self.folder / "in.pcap"), *options],
                              stdout=stdout, stderr=subprocess.PIPE, check=False, timeout=100,
                              encoding="latin-1")

    def test_errors_say_what_is_wrong(self):
        self.assertIn("no SYN", self.replay(pcap([]), code=1).stderr)
        self.assertIn("not a loopback", self.replay(pcap(exchange(server="127.0.0.1")), code=1).stderr)
        self.assertIn("in.pcap", self.replay(b"text", code=1).stderr)
        self.assertIn("--cookies \"x\": must be auto, always or never",
                      self.replay(pcap(exchange()), "--cookies", "x", code=2).stderr)
        done = subprocess.run([HANDFAST, "replay", "-"], input=pcap(exchange()),
                              capture_output=True, check=False, timeout=100)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"write it to a file first", done.stderr)
        for options in (("--listen", "10.0.0.2"), ("--seed", "x"), ("--tail", "-1"),
                        ("--reply", "a: b"), ("-c", "x.yaml", "--listen", "10.0.0.2:80")):
            self.replay(pcap(exchange()), *options, code=2)
        for seed in ("-1", " -1", "9223372036854775808", "18446744073709551615"):
            self.assertIn("must be a number, 0 to 9223372036854775807",
                          self.replay(pcap(exchange()), "--seed", seed, code=2).stderr)
        self.assertIn("nowhere", self.replay(pcap(exchange()), code=1, out="nowhere/x").stderr)


if __name__ == "__main__":
    HANDFAST = sys.argv[1]
    unittest.main(argv=sys.argv[:1])
