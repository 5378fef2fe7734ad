# SPDX-License-Identifier: BSD-3-Clause
"""Capture files made of bytes, for the tests of `handfast explain` and `handfast replay`."""

import socket
import struct

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
CLIENT, SERVER = "10.0.0.1", "10.0.0.2"


def checksum(data):
    """RFC 1071."""
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def packet(source, destination, flags, seq, ack, data=b"", ports=(40000, 80), options=b""):
    """An IPv4 packet with right checksums; addresses as text, ports of source and destination."""
    ends = socket.inet_aton(source) + socket.inet_aton(destination)
    offset = (20 + len(options)) << 2
    tcp = struct.pack("!HHIIBBHHH", *ports, seq, ack, offset, flags, 1000, 0, 0) + options + data
    pseudo = ends + struct.pack("!BBH", 0, 6, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + ends
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + tcp


def exchange(port=40000, server=SERVER):
    """A connection that opens, says hello and closes: (milliseconds, packet)."""
    there, back = (port, 80), (80, port)
    steps = [(CLIENT, server, SYN, 0, 0, b"", there), (server, CLIENT, SYN | ACK, 99, 1, b"", back),
             (CLIENT, server, ACK, 1, 100, b"", there),
             (CLIENT, server, ACK | PSH, 1, 100, b"hello", there),
             (CLIENT, server, FIN | ACK, 6, 100, b"", there),
             (server, CLIENT, FIN | ACK, 100, 7, b"", back),
             (CLIENT, server, ACK, 7, 101, b"", there)]
    return [(index * 10, packet(*step[:6], ports=step[6])) for index, step in enumerate(steps)]


def pcap(packets, link=101, prefix=b"", order="<", magic=0xa1b2c3d4, snap=65535, start=1000):
    """A capture file; every packet behind a link layer header.  It starts at this second."""
    parts = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snap, link)]
    for milliseconds, data in packets:
        data = prefix + data
        parts.append(struct.pack(order + "IIII", start, int(milliseconds * 1000), len(data[:snap]),
                                 len(data)) + data[:snap])
    return b"".join(parts)


def pcapng(packets, link=101, start=1000):
    """The same in the other format, with nanoseconds."""
    def block(kind, body):
        body += bytes(-len(body) % 4)
        size = struct.pack("<I", 12 + len(body))
        return struct.pack("<I", kind) + size + body + size
    text = block(0x0a0d0d0a, struct.pack("<IHHq", 0x1a2b3c4d, 1, 0, -1))
    text += block(1, struct.pack("<HHI", link, 0, 0) + struct.pack("<HHB3x", 9, 1, 9) + bytes(4))
    for milliseconds, data in packets:
        when = (start * 1000 + milliseconds) * 1000 * 1000
        text += block(6, struct.pack("<IIIII", 0, when >> 32, when & 0xffffffff, len(data),
                                     len(data)) + data)
    return text
