#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""`handfast explain` on files made here: link layers, damage, filters, exit codes.

    test_explain.py HANDFAST
"""

import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest

from captures import ACK, CLIENT, FIN, PSH, RST, SERVER, SYN, exchange, packet, pcap, pcapng

HANDFAST = ""


def explain(content, *options):
    """handfast explain on these bytes."""
    with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
        file.write(content)
        file.flush()
        return subprocess.run([HANDFAST, "explain", file.name, *options], capture_output=True,
                              text=True, check=False, timeout=60)


def told(content, *options):
    """Its JSON."""
    return json.loads(explain(content, "--json", *options).stdout)


def talk(*said):
    """A connection in which client and server say this by turns, 10 ms apart."""
    packets, numbers = exchange()[:3], [1, 100]
    for index, text in enumerate(said):
        ends, ports = ((CLIENT, SERVER), (40000, 80)) if index % 2 == 0 else (
            (SERVER, CLIENT), (80, 40000))
        mine, other = numbers if index % 2 == 0 else reversed(numbers)
        packets.append((30 + index * 10, packet(*ends, ACK | PSH, mine, other, text, ports)))
        numbers[index % 2] += len(text)
    return packets


def tls(kind, body):
    """A record of TLS (RFC 8446 5.1)."""
    return bytes((kind, 3, 3)) + struct.pack("!H", len(body)) + body


def hello(message, body):
    """ClientHello or ServerHello in its record."""
    return tls(22, struct.pack("!I", message << 24 | len(body)) + body)


CLIENT_HELLO = hello(1, b"\3\3" + bytes(32) + b"\0\0\2\x13\1\1\0")
SERVER_HELLO = hello(2, b"\3\3" + bytes(32) + b"\0\x13\1\0")
SERVER_HELLO_13 = hello(2, b"\3\3" + bytes(32) + b"\0\x13\1\0\0\6\0\x2b\0\2\3\4")


class Explain(unittest.TestCase):
    """What people and scripts rely on."""

    def check_exchange(self, content):
        connection = told(content)["connections"][0]
        self.assertEqual(connection["end"], "closed")
        self.assertEqual([(step["client"], step["server"]) for step in connection["ladder"]], [
            ("SYN_SENT", "SYN_RCVD"), ("ESTABLISHED", "SYN_RCVD"), ("ESTABLISHED", "ESTABLISHED"),
            ("ESTABLISHED", "ESTABLISHED"), ("FIN_WAIT_1", "CLOSE_WAIT"), ("TIME_WAIT", "LAST_ACK"),
            ("TIME_WAIT", "CLOSED")])
        self.assertAlmostEqual(connection["times"]["time_connect"], 0.02)
        self.assertAlmostEqual(connection["times"]["time_total"], 0.06)

    def test_every_format_and_link_layer_tells_the_same(self):
        packets = exchange()
        self.check_exchange(pcap(packets))
        self.check_exchange(pcap(packets, order=">"))
        self.check_exchange(pcapng(packets))
        self.check_exchange(pcap(packets, 1, bytes(12) + b"\x08\x00"))
        self.check_exchange(pcap(packets, 1, bytes(12) + b"\x81\x00\x00\x05\x08\x00"))
        self.check_exchange(pcap(packets, 113, bytes(14) + b"\x08\x00"))
        self.check_exchange(pcap(packets, 276, b"\x08\x00" + bytes(18)))
        self.check_exchange(pcap(packets, 0, b"\x02\x00\x00\x00"))
        self.check_exchange(pcap(packets, 108, b"\x00\x00\x00\x02"))
        self.check_exchange(pcap(packets, 228))
        self.check_exchange(pcap(packets, snap=36))

    def test_ladder_is_readable(self):
        result = explain(pcap(exchange()))
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("connection 1  10.0.0.1:40000 --> 10.0.0.2:80  7 segments, closed\n"
                      "  time_connect 0.020000  time_total 0.060000\n", result.stdout)
        self.assertIn("   0.020000  ESTABLISHED --> ESTABLISHED  [.], seq 1, ack 1, win 1000, "
                      "length 0  # handshake complete\n", result.stdout)
        self.assertIn("   0.030000  ESTABLISHED --> ESTABLISHED  [P.], seq 1:6, ack 1, win 1000, "
                      "length 5  # data\n", result.stdout)

    def test_filters_choose_connections_and_keep_their_numbers(self):
        content = pcap(exchange() + exchange(40001) + exchange(40002, "10.0.0.3"))
        self.assertEqual(told(content)["total"], 3)
        for options, numbers in ((("--connection", "2"), [2]), (("--address", "10.0.0.3"), [3]),
                                 (("--port", "40001"), [2]), (("--port", "80"), [1, 2, 3]),
                                 (("--address", "10.0.0.2", "--port", "40000"), [1]),
                                 (("--address", "fd00::1"), [])):
            found = told(content, *options)
            self.assertEqual([one["number"] for one in found["connections"]], numbers, options)

    def test_same_ports_later_are_another_connection(self):
        again = [(when + 100, data) for when, data in exchange()]
        found = told(pcap(exchange() + again))
        self.assertEqual([one["end"] for one in found["connections"]], ["closed", "closed"])

    def test_capture_of_one_direction_has_later_connections_of_the_same_ports(self):
        def client(first, *numbers):
            return packet(CLIENT, SERVER, first, *numbers)

        def server(first, *numbers):
            return packet(SERVER, CLIENT, first, *numbers, ports=(80, 40000))
        one = [client(SYN, 1000, 0), client(ACK, 1001, 5001), client(FIN | ACK, 1001, 5001),
               client(ACK, 1002, 5002)]
        two = [client(SYN, 70000, 0), client(ACK, 70001, 9001), client(ACK, 70001, 9001, b"hello")]
        other = [server(SYN | ACK, 5000, 1001), server(ACK, 5001, 1002),
                 server(FIN | ACK, 5001, 1002)]
        next_one = [server(SYN | ACK, 9000, 70001), server(ACK, 9001, 70006)]
        # The client closes first, or has nothing to say after its FIN.
        for old, new in ((one, two), (one[:3], two), (other, next_one)):
            found = told(pcap(enumerate(old + new)))["connections"]
            self.assertEqual([(each["end"], each["segments"]) for each in found],
                             [("closing", len(old)), ("open", len(new))])
            # Its own SYN once more is none.
            found = told(pcap(enumerate(old + old[:1])))["connections"]
            self.assertEqual([each["segments"] for each in found], [len(old) + 1])
            # Nor is one for an open connection.
            found = told(pcap(enumerate(old[:2] + new[:1])))["connections"]
            self.assertEqual([each["ladder"][-1]["events"] for each in found], [["stray_syn"]])
        # Where both are heard, a SYN may be forged.
        both = [one[0], other[0]] + one[1:3]
        for forged in two[0], next_one[0]:
            only, = told(pcap(enumerate(both + [forged])))["connections"]
            self.assertEqual(only["ladder"][-1]["events"], ["stray_syn"])

    def test_syn_ack_of_an_end_that_is_gone_opens_the_next(self):
        def client(first, *numbers):
            return packet(CLIENT, SERVER, first, *numbers)

        def server(first, *numbers):
            return packet(SERVER, CLIENT, first, *numbers, ports=(80, 40000))

        def segments(packets):
            return [(each["end"], each["segments"])
                    for each in told(pcap(enumerate(packets)))["connections"]]
        opened = [client(SYN, 1000, 0), server(SYN | ACK, 5000, 1001), client(ACK, 1001, 5001)]
        reset = opened + [client(RST | ACK, 1001, 5001)]
        aborted = opened + [server(RST | ACK, 5001, 1001)]
        closed = opened + [client(FIN | ACK, 1001, 5001), server(FIN | ACK, 5001, 1002),
                           client(ACK, 1002, 5002)]
        refused = [opened[0], server(RST | ACK, 0, 1001)]
        server_alone = [opened[1], server(ACK, 5001, 1010, b"hello"), server(RST | ACK, 5006, 1010)]
        syn, answer = client(SYN, 70000, 0), server(SYN | ACK, 90000, 70001)
        request = [client(ACK, 70001, 90001), client(ACK, 70001, 90001, b"hello")]
        for old, end in ((reset, "reset"), (aborted, "reset"), (closed, "closed"),
                         (refused, "refused"), (server_alone, "reset")):
            # Without its SYN, and before it.
            self.assertEqual(segments(old + [answer] + request), [(end, len(old)), ("open", 3)])
            late = told(pcap(enumerate(old + [answer, syn] + request)))["connections"]
            self.assertEqual([each["segments"] for each in late], [len(old), 4])
            self.assertEqual([step["events"] for step in late[1]["ladder"]],
                             [["syn_ack"], ["syn", "out_of_order"], ["handshake"], ["data"]])
            self.assertIn("time_connect", late[1]["times"])
            # The old one once more, and another one for the same SYN, are none.
            for again in opened[1], server(SYN | ACK, 7000, 1001):
                self.assertEqual(segments(old + [again])[1:], [])
        # Of one direction.
        after = [answer, server(ACK, 90001, 70006, b"hello"), server(FIN | ACK, 90006, 70006)]
        self.assertEqual(segments(server_alone + after), [("reset", 3), ("closing", 3)])
        # Forged, as long as there is somebody: nothing begins there.
        for old in opened[:1], opened[:2], opened, closed[:4], closed[:5]:
            self.assertEqual(len(segments(old + [answer])), 1)
        # A SYN that was held goes with its answer, though nobody but the client had it open.
        half = opened + [server(FIN | ACK, 5001, 1001), client(FIN | ACK, 1001, 5002)]
        self.assertEqual(segments(half + [syn, answer] + request), [("closing", 5), ("open", 4)])

    def test_answered_syn_for_an_open_connection_opens_the_next(self):
        back = (80, 40000)
        syn = packet(CLIENT, SERVER, SYN, 70000, 0)
        answers = [(90010, packet(SERVER, CLIENT, SYN | ACK, 5000, 70001, ports=back)),
                   (90020, packet(CLIENT, SERVER, ACK, 70001, 5001))]
        for count in (3, 5):
            old = exchange()[:count]
            for syns in ([(90000, syn)], [(89000, syn), (90000, syn)]):
                for options in ((), ("--summary",)):
                    first, second = told(pcap(old + syns + answers), *options)["connections"]
                    self.assertEqual((first["end"], first["segments"]),
                                     ("open" if count == 3 else "closing", count))
                    self.assertEqual(first["client"]["segments"], count - 1)
                    self.assertNotIn("stray_syn", first["events"])
                    self.assertAlmostEqual(first["times"]["time_total"], (count - 1) / 100)
                    self.assertEqual((second["end"], second["segments"]), ("open", len(syns) + 2))
                first, second = told(pcap(old + syns + answers))["connections"]
                self.assertEqual([step["frame"] for step in first["ladder"]],
                                 list(range(1, count + 1)))
                self.assertEqual([step["frame"] for step in second["ladder"]],
                                 list(range(count + 1, count + len(syns) + 3)))
        challenge = packet(SERVER, CLIENT, ACK, 100, 1, ports=back)
        only, = told(pcap(exchange()[:3] + [(90000, syn), (90010, challenge)]))["connections"]
        self.assertEqual([step["events"] for step in only["ladder"][3:]],
                         [["stray_syn"], ["challenge_ack"]])

    def test_scans_are_named_for_what_is_known(self):
        xmas = packet(CLIENT, SERVER, FIN | PSH, 1, 0)
        answer = packet(SERVER, CLIENT, RST | ACK, 0, 2, ports=(80, 40000))
        for packets, end in (([(0, xmas)], "ignored"), ([(0, xmas), (1, answer)], "reset")):
            self.assertIn("# neither SYN, RST nor ACK: only a closed port answers\n",
                          explain(pcap(packets)).stdout)
            self.assertEqual(told(pcap(packets))["connections"][0]["end"], end)

    def test_reset_before_anything_opened_is_no_repetition(self):
        both = packet(CLIENT, SERVER, SYN | RST, 1, 0)
        answer = packet(SERVER, CLIENT, RST | ACK, 0, 2, ports=(80, 40000))
        for packets in ([both], [both, answer], [both, both]):
            one, = told(pcap(enumerate(packets)))["connections"]
            self.assertEqual(one["end"], "ignored")
            for step in one["ladder"]:
                self.assertEqual((step["events"], step["why"]), (
                    ["reset"], "to be ignored, nothing is open "
                    "(RFC 9293 3.10.7.1, 3.10.7.2)"))
        # The SYN that comes after all opens one.
        content = pcap([(0, both)] + [(when + 1, data) for when, data in exchange()])
        self.assertEqual([one["end"] for one in told(content)["connections"]],
                         ["ignored", "closed"])

    def test_syn_after_its_answer_opens_the_connection(self):
        scale = b"\1\3\3\7"
        syn = packet(CLIENT, SERVER, SYN, 0, 0, options=scale)
        early = packet(CLIENT, SERVER, SYN, 0, 0, b"early", options=scale)
        for opening, taken, again in ((syn, 0, False), (syn, 0, True), (early, 5, False),
                                      (early, 0, False)):
            answer = packet(SERVER, CLIENT, SYN | ACK, 99, 1 + taken, ports=(80, 40000),
                            options=scale)
            packets = [answer, opening] + [opening] * again
            packets.append(packet(CLIENT, SERVER, ACK, 1 + taken, 100))
            one, = told(pcap(enumerate(packets, 1)))["connections"]
            self.assertEqual((one["end"], one["client"]["bytes"]),
                             ("open", 5 if opening == early else 0))
            self.assertEqual(one["ladder"][1]["events"][0], "syn")
            self.assertEqual(one["ladder"][1]["seq"], 0)
            self.assertIn("out_of_order", one["ladder"][1]["events"])
            self.assertEqual(one["client"]["retransmissions"], again)
            self.assertEqual(one["ladder"][-1]["events"], ["handshake"])
            self.assertEqual(one["ladder"][-1]["window"], 1000 << 7)
            self.assertAlmostEqual(one["times"]["time_connect"], 0.002 if again else 0.001)
        # What the SYN-ACK does not acknowledge is another one.
        other = packet(CLIENT, SERVER, SYN, 7, 0)
        one, = told(pcap(enumerate([answer, other])))["connections"]
        self.assertEqual(one["ladder"][1]["events"], ["stray_syn"])

    def test_reset_in_time_wait_leaves_the_connection_closed(self):
        back = (80, 40000)
        again = exchange() + [
            (70, packet(SERVER, CLIENT, FIN | ACK, 100, 7, ports=back)),
            (80, packet(CLIENT, SERVER, ACK, 7, 101)),
            (90, packet(SERVER, CLIENT, RST, 101, 0, ports=back))]
        one, = told(pcap(again))["connections"]
        self.assertEqual((one["end"], one["client"]["state"]), ("closed", "CLOSED"))
        self.assertNotIn("why", one)
        self.assertEqual(one["ladder"][-1]["why"], "this end knows no such connection")
        # Before the last ACK it ends the connection.
        one, = told(pcap(again[:6] + again[-1:]))["connections"]
        self.assertEqual(one["end"], "reset")

    def test_gap_in_the_capture_is_no_forgery(self):
        def capture(echo, finish):
            """A client, of which the capture lacks 100000 bytes, sends the last ones with FIN."""
            def stamp(value, echoed):
                return b"\1\1\10\12" + struct.pack("!II", value, echoed) if echo else b""
            back = (80, 40000)
            return pcap(enumerate([
                packet(CLIENT, SERVER, SYN, 0, 0, options=stamp(70, 0)),
                packet(SERVER, CLIENT, SYN | ACK, 99, 1, options=stamp(5000, 70), ports=back),
                packet(CLIENT, SERVER, ACK, 1, 100, options=stamp(71, 5000)),
                packet(CLIENT, SERVER, ACK | FIN, 100001, 100, b"end", options=stamp(99, echo)),
                packet(SERVER, CLIENT, finish | ACK, 100, 100005, options=stamp(5900, 99),
                       ports=back),
                packet(CLIENT, SERVER, ACK, 100005, 101, options=stamp(100, 5900))]))
        # Who echoes a timestamp has had it; without any, the answer tells.
        for echo, events in ((5800, ["gap", "data", "fin"]), (90000000, ["outside_window"]),
                             (0, ["outside_window"])):
            one, = told(capture(echo, FIN))["connections"]
            self.assertEqual(one["ladder"][3]["events"], events)
            self.assertEqual((one["end"], one["client"]["bytes"]), ("closed", 3))
            one, = told(capture(echo, 0))["connections"]
            self.assertEqual((one["client"]["state"], one["server"]["state"]),
                             ("FIN_WAIT_2", "CLOSE_WAIT"))

    def test_summary_has_a_line_for_each(self):
        lines = explain(pcap(exchange() + exchange(40001)), "--summary").stdout.splitlines()
        self.assertEqual(len([line for line in lines if "closed" in line and ":80 " in line]), 2)
        self.assertNotIn("ladder", told(pcap(exchange()), "--summary")["connections"][0])

    def test_clock_that_goes_backward_is_said(self):
        times = (0, 10, -400, 30, 40, 50, 20)
        content = pcap([(500 + when, data) for when, (_, data) in zip(times, exchange())])
        for options in ((), ("--summary",)):
            result = explain(content, *options)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertIn("7 packets in 0.450000 s, 1 connections", result.stdout)
            self.assertIn("\n2 packets are older than the one before them: ", result.stdout)
            # Of a handshake that ended before it began nothing is said; nor is a minus sign lost.
            self.assertNotIn("time_connect", result.stdout.replace("again  time_connect", ""))
        self.assertIn("  -0.400000  ESTABLISHED", explain(content).stdout)
        found = told(content)
        self.assertEqual(found["backward"], 2)
        self.assertAlmostEqual(found["seconds"], 0.45)
        self.assertNotIn("time_connect", found["connections"][0]["times"])
        self.assertEqual(told(pcap(exchange()))["backward"], 0)
        self.assertNotIn("older", explain(pcap(exchange())).stdout)

    def test_capture_may_begin_at_time_zero(self):
        self.check_exchange(pcap(exchange(), start=0))
        # Simple Packet Blocks of pcapng have no time at all.
        one, = told(pcap([(0, data) for _, data in exchange()], start=0))["connections"]
        self.assertEqual(one["end"], "closed")
        self.assertEqual(one["times"]["time_connect"], 0)
        one, = told(pcap([(0, data) for _, data in exchange()[:5]], start=0))["connections"]
        self.assertEqual(one["end"], "closing")
        answer = packet(SERVER, CLIENT, ACK | PSH, 100, 6, b"world", ports=(80, 40000))
        one, = told(pcap([(0, data) for _, data in exchange()[:4]] + [(0, answer)],
                         start=0))["connections"]
        self.assertEqual(one["times"]["time_starttransfer"], 0)

    def test_time_is_as_far_as_64_bits_have_it(self):
        packets = exchange()
        late = [(when + 16_500_000_000_000, data) for when, data in packets[5:]]
        self.assertEqual(told(pcapng(packets[:5] + late))["backward"], 0)

    def test_reply_may_be_on_the_syn_ack(self):
        one, = told(pcap([
            (0, packet(CLIENT, SERVER, SYN, 0, 0, b"hello")),
            (10, packet(SERVER, CLIENT, SYN | ACK, 99, 6, b"world", ports=(80, 40000))),
            (20, packet(CLIENT, SERVER, ACK, 6, 105)),
            (30, packet(SERVER, CLIENT, ACK, 105, 6, b"more", ports=(80, 40000)))]))["connections"]
        self.assertAlmostEqual(one["times"]["time_starttransfer"], 0.01)

    def test_first_segment_of_a_request_may_come_last(self):
        request = b"POST / HTTP/1.1\r\nContent-Length: 13000\r\n\r\n" + bytes(13000)
        segments = [packet(CLIENT, SERVER, ACK, 1 + at, 100, request[at:at + 1448])
                    for at in range(0, len(request), 1448)]
        for order in segments, segments[1:] + segments[:1]:
            packets = exchange()[:3] + [(30 + at, data) for at, data in enumerate(order)]
            one, = told(pcap(packets))["connections"]
            self.assertEqual(one["protocol"], "HTTP")

    def test_request_may_follow_finished_in_its_segment(self):
        cipher, finished, text = tls(20, b"\1"), tls(22, bytes(40)), tls(23, bytes(60))
        answers = [text, b"", text]
        for flight, said, times in (
                # Of TLS 1.3 both are alike, and without a request there is no reply.
                ([SERVER_HELLO_13 + text, text + text], answers, (0.05, 0.06)),
                ([SERVER_HELLO_13 + text, text + text[:9]], [text], (0.05, 0.06)),
                ([SERVER_HELLO_13 + text, text, b"", text], answers, (0.05, 0.08)),
                ([SERVER_HELLO_13 + text, text], answers, (0.05, None)),
                # A session of TLS 1.2 that is resumed, and a new one (RFC 5246 7.3).
                ([SERVER_HELLO + cipher + finished, cipher + finished + text], answers,
                 (0.05, 0.06)),
                ([SERVER_HELLO, cipher + finished, cipher + finished, text], answers,
                 (0.06, 0.08))):
            one, = told(pcap(talk(CLIENT_HELLO, *flight, *said)))["connections"]
            found = one["times"]
            self.assertAlmostEqual(found["time_appconnect"], times[0])
            if times[1] is None:
                self.assertNotIn("time_starttransfer", found)
            else:
                self.assertAlmostEqual(found["time_starttransfer"], times[1])

    def test_standard_input_is_a_file(self):
        result = subprocess.run([HANDFAST, "explain", "-"], input=pcap(exchange()), check=False,
                                capture_output=True, timeout=60)
        self.assertEqual(result.returncode, 0)
        self.assertIn(b"handshake complete", result.stdout)

    def test_name_need_not_be_utf_8(self):
        with tempfile.TemporaryDirectory() as directory:
            for name, told_name in ((b"a\xff\xc3.pcap", "a\ufffd\ufffd.pcap"),
                                    ("\u00e4.pcap".encode(), "\u00e4.pcap")):
                path = os.path.join(directory.encode(), name)
                with open(path, "wb") as file:
                    file.write(pcap(exchange())[:-10])
                result = subprocess.run([HANDFAST, "explain", path, "--json"], check=False,
                                        capture_output=True, timeout=60)
                found = json.loads(result.stdout)
                self.assertEqual(os.path.basename(found["file"]), told_name)
                self.assertIn("trunc", found["problem"])
                self.assertEqual(found["total"], 1)

    def test_damage_is_an_error_after_what_was_good(self):
        result = explain(pcap(exchange())[:-10])
        self.assertEqual(result.returncode, 1)
        self.assertIn("FIN: says no more", result.stdout)
        self.assertRegex(result.stderr, r"handfast explain: .*pcap: after 6 packets: .*trunc")
        self.assertIn("trunc", json.loads(explain(pcap(exchange())[:-10], "--json").stdout)
                      ["problem"])

    def test_what_is_no_capture_is_refused(self):
        for content in (b"", b"hello, world, this is text\n" * 3):
            result = explain(content)
            self.assertEqual((result.returncode, result.stdout), (1, ""))
            self.assertRegex(result.stderr, "^handfast explain: .*pcap: ")

    def test_unknown_link_layer_is_named(self):
        result = explain(pcap([], link=105))
        self.assertEqual(result.returncode, 1)
        self.assertIn("IEEE802_11", result.stderr)

    def test_missing_file_and_directory(self):
        for path in ("/nowhere/at/all.pcap", "/tmp"):
            result = subprocess.run([HANDFAST, "explain", path], capture_output=True, text=True,
                                    check=False)
            self.assertEqual(result.returncode, 1, path)
            self.assertIn(path, result.stderr)

    def test_missing_connection_is_an_error(self):
        result = explain(pcap(exchange()), "--connection", "7")
        self.assertEqual(result.returncode, 1)
        self.assertIn("there is no connection 7, only 1", result.stderr)

    def test_senseless_options_are_usage_errors(self):
        for options in (("--connection", "0"), ("--connection", "x"), ("--address", "10.0.0"),
                        ("--port", "65536"), ("second.pcap",)):
            self.assertEqual(explain(pcap([]), *options).returncode, 2, options)
        for options, text in ((("-c", "0"), '--connection "0": must be a number from 1 on'),
                              (("-p", "70000"),
                               '--port "70000": must be a number from 1 to 65535'),
                              (("-a", "x"), '--address "x": must be an IP address')):
            self.assertEqual(explain(pcap([]), *options).stderr, f"handfast explain: {text}\n")

    def test_full_disk_is_said(self):
        for options in ([], ["--json"], ["--summary"]):
            with open("/dev/full", "wb") as full:
                result = subprocess.run([HANDFAST, "explain", "-", *options], check=False,
                                        input=pcap(exchange() * 50), stdout=full,
                                        stderr=subprocess.PIPE, timeout=60)
            self.assertEqual((result.returncode, result.stderr), (
                1, b"handfast explain: standard output: No space left on device\n"), options)

    def test_noise_does_not_disturb(self):
        noise = os.urandom(3000)
        packets = exchange()
        for index in range(30):
            packets.append((70, noise[index * 100:index * 100 + 100]))
        self.check_exchange(pcap(packets))


if __name__ == "__main__":
    HANDFAST = sys.argv[1]
    unittest.main(argv=sys.argv[:1])
