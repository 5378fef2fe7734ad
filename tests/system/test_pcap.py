# SPDX-License-Identifier: BSD-3-Clause
"""Frames from a file, answers to a file: every hostile frame leaves by the reason it deserves.

The frames are made with scapy, one of a kind, and the engine reads them all from one file.  What
it must answer and what it must drop stands beside each frame.
"""

import lab

PEER_MAC = "02:00:00:00:0c:01"
ISN = 1_000_000


def frames() -> list:
    """(frame, drop reason or None, whether an answer is due) of everything that is sent."""
    # pylint: disable=import-outside-toplevel,import-error
    from scapy.all import ARP, Dot1Q, Ether, ICMP, IP, IPv6, Raw, TCP, UDP
    from scapy.all import ICMPv6EchoRequest, ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr
    from scapy.all import IPOption_LSRR, in6_getnsma, in6_getnsmac, inet_ntop, inet_pton
    import socket

    ether = Ether(src=PEER_MAC, dst=lab.ENGINE_MAC)
    ip4 = ether / IP(src=lab.CLIENT4, dst=lab.ENGINE4)
    ip6 = ether / IPv6(src=lab.CLIENT6, dst=lab.ENGINE6)
    wide = Ether(src=PEER_MAC, dst="ff:ff:ff:ff:ff:ff")
    options = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (77, 0)), ("NOP", None),
               ("WScale", 7)]
    target = inet_pton(socket.AF_INET6, lab.ENGINE6)
    group = Ether(src=PEER_MAC, dst=in6_getnsmac(in6_getnsma(target)))
    to_group = inet_ntop(socket.AF_INET6, in6_getnsma(target))

    def arp(address: str) -> Ether:
        return wide / ARP(hwsrc=PEER_MAC, psrc=lab.CLIENT4, pdst=address)

    def solicit(address: str, hop_limit: int = 255) -> Ether:
        return (group / IPv6(src=lab.CLIENT6, dst=to_group, hlim=hop_limit)
                / ICMPv6ND_NS(tgt=address) / ICMPv6NDOptSrcLLAddr(lladdr=PEER_MAC))

    def tcp(port: int, flags: str, source: int, **more) -> TCP:
        return TCP(sport=source, dport=port, flags=flags, seq=ISN, **more)

    def cut(frame: Ether, length: int) -> Raw:
        return Raw(bytes(frame)[:length])

    syn = ip4 / tcp(80, "S", 4000)
    return [
        # Answered.
        (arp(lab.ENGINE4), None, True),
        (solicit(lab.ENGINE6), None, True),
        (ip4 / ICMP(id=5, seq=1) / Raw(b"four"), None, True),
        (ip6 / ICMPv6EchoRequest(id=6, seq=1, data=b"six"), None, True),
        (ip4 / UDP(sport=1, dport=2), None, True),
        (ip4 / tcp(80, "S", 1001, options=options), None, True),
        (ip6 / tcp(80, "S", 1002, options=options), None, True),
        (ip4 / tcp(80, "S", 1003), None, True),
        (ip4 / tcp(80, "S", 1004) / Raw(b"pktgen"), None, True),
        (ip4 / tcp(81, "S", 1005), None, True),
        (ip4 / tcp(80, "A", 1006, ack=4242), None, True),
        (ip4 / tcp(81, "FPU", 1007), None, True),
        # Dropped, each for its own reason.
        (ip4 / tcp(80, "F", 2001), "not_a_syn", False),
        (ip4 / tcp(80, "", 2002), "not_a_syn", False),
        (ip4 / tcp(80, "R", 2003), "bad_rst", False),
        (ether / IP(src=lab.CLIENT4, dst=lab.ENGINE4, flags="MF") / tcp(80, "S", 2004),
         "fragment", False),
        (ether / IP(src=lab.CLIENT4, dst=lab.ENGINE4, frag=100, proto=6) / Raw(bytes(40)),
         "fragment", False),
        (ether / IP(src=lab.CLIENT4, dst=lab.ENGINE4, chksum=0x1234) / tcp(80, "S", 2005),
         "bad_ip_checksum", False),
        (ip4 / tcp(80, "S", 2006, chksum=0x1234), "bad_tcp_checksum", False),
        (ip6 / tcp(80, "S", 2007, chksum=0x1234), "bad_tcp_checksum", False),
        (cut(syn, 50), "truncated", False),
        (cut(syn, 20), "too_short", False),
        (ether / IP(version=5, src=lab.CLIENT4, dst=lab.ENGINE4) / tcp(80, "S", 2008),
         "bad_ip_header", False),
        (ip4 / tcp(80, "S", 2009, dataofs=4), "bad_tcp_header", False),
        (ip4 / UDP(sport=1, dport=2, chksum=0x1234), "unknown_protocol", False),
        (ether / IP(src=lab.CLIENT4, dst="10.9.0.99") / tcp(80, "S", 2010),
         "unknown_destination", False),
        (ether / IP(src="224.0.0.1", dst=lab.ENGINE4) / tcp(80, "S", 2011), "bad_source", False),
        (ether / IP(src=lab.ENGINE4, dst=lab.ENGINE4) / tcp(80, "S", 2012), "bad_source", False),
        (Ether(src=PEER_MAC, dst="02:00:00:00:0d:0d") / syn.payload, "not_for_us", False),
        (Ether(src=PEER_MAC, dst=lab.ENGINE_MAC, type=0x88b5) / Raw(bytes(46)), "ethertype",
         False),
        (Ether(src=PEER_MAC, dst=lab.ENGINE_MAC) / Dot1Q(vlan=3) / syn.payload, "bad_vlan",
         False),
        (ether / IP(src=lab.CLIENT4, dst=lab.ENGINE4,
                    options=[IPOption_LSRR(routers=["10.9.0.50"])]) / tcp(80, "S", 2013),
         "ip_options", False),
        (ip4 / ICMP(chksum=0x1234), "bad_icmp", False),
        (ip4 / ICMP(type=13), "icmp_ignored", False),
        (arp("10.9.0.77"), "arp_ignored", False),
        (wide / ARP(hwsrc=PEER_MAC, psrc=lab.CLIENT4, pdst=lab.ENGINE4, hwtype=6), "bad_arp",
         False),
        (solicit("fd00:9::77"), "ndp_ignored", False),
        (solicit(lab.ENGINE6, hop_limit=64), "bad_ndp", False),
    ]


def replay(here: lab.Lab, sent: list) -> tuple:
    """Counters after the engine has read the frames, and the frames it wrote."""
    from scapy.all import rdpcap, wrpcap  # pylint: disable=import-outside-toplevel,import-error
    source, answers = here.path("in.pcap"), here.path("out.pcap")
    wrpcap(str(source), sent, linktype=1)
    # Retransmissions of SYN-ACKs would come between the answers.
    running = here.engine(
        [{"name": "lan", "device": f"pcap:{source},{answers}", "mac": lab.ENGINE_MAC,
          "addresses": [f"{lab.ENGINE4}/24", f"{lab.ENGINE6}/64"]}], tcp={"synack_retries": 0})
    lab.wait_for("the last frame", lambda: running.counters("lan")["rx"] >= len(sent), 10)
    counters = running.settled("lan")
    running.stop()
    PcapFile(answers).judge()
    return counters, rdpcap(str(answers))


class PcapFile(lab.Capture):
    """A file of frames that the engine wrote, for the same judge."""

    def __init__(self, file):  # pylint: disable=super-init-not-called
        self.file = file


def need_scapy() -> None:
    """Skip without scapy."""
    try:
        import scapy.all  # pylint: disable=import-outside-toplevel,unused-import
    except ImportError:
        raise lab.Skip("python3-scapy is not installed") from None


def test_every_frame_is_answered_or_dropped_for_its_reason():
    """One frame of each kind: replies are counted, and each drop reason as often as expected."""
    need_scapy()
    with lab.Lab() as here:
        kinds = frames()
        now, _ = replay(here, [frame for frame, _, _ in kinds])
        expected = {}
        for _, reason, _ in kinds:
            if reason:
                expected[f"drop_{reason}"] = expected.get(f"drop_{reason}", 0) + 1
        got = {name: value for name, value in now.items() if name.startswith("drop_") and value}
        lab.check(got == expected, "drops differ:\n" + "\n".join(
            f"  {name}: {got.get(name, 0)}, not {expected.get(name, 0)}"
            for name in sorted({*got, *expected}) if got.get(name) != expected.get(name)))
        lab.check(now["replies"] == sum(answer for _, _, answer in kinds), f"counters: {now}")


def test_every_answer_is_the_right_one():
    """ARP, NDP, echo, SYN-ACK and RST carry the addresses, numbers and options they should."""
    need_scapy()
    with lab.Lab() as here:
        # pylint: disable=import-outside-toplevel,import-error
        from scapy.all import (ARP, Ether, ICMP, ICMPv6EchoReply, ICMPv6ND_NA, IP, IPv6, TCP,
                               UDPerror)
        _, got = replay(here, [frame for frame, _, answer in frames() if answer])
        for frame in got:
            lab.check(frame[Ether].src == lab.ENGINE_MAC and frame[Ether].dst == PEER_MAC,
                      frame.summary())
        arp = [frame[ARP] for frame in got if ARP in frame]
        lab.check([(one.op, one.hwsrc, one.psrc, one.hwdst, one.pdst) for one in arp]
                  == [(2, lab.ENGINE_MAC, lab.ENGINE4, PEER_MAC, lab.CLIENT4)], arp)
        na = [frame[ICMPv6ND_NA] for frame in got if ICMPv6ND_NA in frame]
        lab.check([(one.tgt, one.S, one.R, one.lladdr) for one in na]
                  == [(lab.ENGINE6, 1, 0, lab.ENGINE_MAC)], na)
        lab.check([frame[IPv6].hlim for frame in got if ICMPv6ND_NA in frame] == [255],
                  "hop limit of the advertisement")
        unreachable = [frame[ICMP] for frame in got if ICMP in frame and frame[ICMP].type == 3]
        lab.check([(one.code, one[UDPerror].dport) for one in unreachable] == [(3, 2)],
                  f"port unreachable: {unreachable}")
        echo4 = [frame[ICMP] for frame in got if ICMP in frame and frame[ICMP].type != 3]
        lab.check([(one.type, one.id, one.seq, bytes(one.payload)) for one in echo4]
                  == [(0, 5, 1, b"four")], echo4)
        echo6 = [frame[ICMPv6EchoReply] for frame in got if ICMPv6EchoReply in frame]
        lab.check([(one.id, one.seq, one.data) for one in echo6] == [(6, 1, b"six")], echo6)
        tcp = {frame[TCP].dport: frame for frame in got if TCP in frame}
        lab.check(sorted(tcp) == [1001, 1002, 1003, 1004, 1005, 1006, 1007], sorted(tcp))

        for port in (1001, 1002):
            one = tcp[port][TCP]
            options = dict(one.options)
            lab.check((one.flags, one.ack) == ("SA", ISN + 1), tcp[port].summary())
            lab.check(options["MSS"] == (1460 if port == 1001 else 1440), options)
            lab.check("SAckOK" in options and "WScale" in options, options)
            lab.check(options["Timestamp"][1] == 77, options)
        one = tcp[1003][TCP]
        lab.check((one.flags, one.ack, [name for name, _ in one.options]) ==
                  ("SA", ISN + 1, ["MSS"]), f"only MSS to a SYN without options: {one.options}")
        lab.check((tcp[1004][TCP].flags, tcp[1004][TCP].ack) == ("SA", ISN + 1),
                  "data in a SYN is not acknowledged")
        lab.check((tcp[1005][TCP].flags, tcp[1005][TCP].seq, tcp[1005][TCP].ack)
                  == ("RA", 0, ISN + 1), "RST to a closed port")
        lab.check((tcp[1006][TCP].flags, tcp[1006][TCP].seq) == ("R", 4242),
                  "RST to an ACK of nothing")
        lab.check((tcp[1007][TCP].flags, tcp[1007][TCP].ack) == ("RA", ISN + 1),
                  "RST to a FIN at a closed port")
        lab.check(len({frame[TCP].seq for frame in tcp.values() if "S" in frame[TCP].flags}) == 4,
                  "initial sequence numbers repeat")
        for frame in tcp.values():
            lab.check(IP not in frame or frame[IP].ttl >= 64, "TTL")


if __name__ == "__main__":
    lab.main(globals())
