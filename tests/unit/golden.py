#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Frames as scapy makes them, so that lib/wire is not tested against itself.

golden.py --write         write golden.h and the fuzz corpora
golden.py --check         exit 0 when golden.h is what scapy makes, 77 without scapy
"""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
HEADER = HERE / "golden.h"
CORPUS = HERE.parent / "fuzz" / "corpus"

try:
    from scapy.all import (
        ARP, ICMP, IP, TCP, UDP, Dot1AD, Dot1Q, Ether, ICMPv6EchoReply, ICMPv6EchoRequest,
        ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr, IPOption_LSRR,
        IPOption_Router_Alert, IPOption_SSRR, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment,
        IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, Padding, RouterAlert, raw)
except ImportError:
    sys.exit(77)

C, S = "02:00:00:00:00:01", "02:00:00:00:00:02"  # MAC addresses of client and server
c4, s4 = "192.0.2.1", "198.51.100.2"
c6, s6 = "2001:db8::1", "2001:db8:1::2"
ALL = "ff:ff:ff:ff:ff:ff"
LINUX = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (0x01020304, 0)), ("NOP", None),
         ("WScale", 7)]
ANSWER = [("MSS", 1440), ("SAckOK", b""), ("Timestamp", (0x0a0b0c0d, 0x01020304)),
          ("NOP", None), ("WScale", 9)]
TIMES = [("NOP", None), ("NOP", None), ("Timestamp", (0x11223344, 0x55667788))]
SACKS = TIMES + [("NOP", None), ("NOP", None), ("SAck", (10, 20, 30, 40))]

ETH_IN = "Ether(src=C,dst=S)"
ETH_OUT = "Ether(src=S,dst=C)"
IP_IN = "IP(src=c4,dst=s4)"
IP_OUT = "IP(src=s4,dst=c4,id=0,flags='DF',ttl=64)"
IP6_IN = "IPv6(src=c6,dst=s6)"
IP6_OUT = "IPv6(src=s6,dst=c6,hlim=64)"
SYN = "TCP(sport=40000,dport=80,seq=0xfffffffe,flags='S',window=64240,options=LINUX)"
TCP_IN = "TCP(sport=40000,dport=80,seq=1000,ack=2000,"
TCP_OUT = "TCP(sport=80,dport=40000,seq=2000,ack=1001,"

# What peers send us.
INPUT = {
    "syn_v4": f"{ETH_IN}/{IP_IN}/{SYN}",
    "syn_v4_vlan": f"{ETH_IN}/Dot1Q(vlan=100,prio=5)/{IP_IN}/{SYN}",
    "syn_v6": f"{ETH_IN}/IPv6(src=c6,dst=s6,tc=0xb9,fl=0xfffff)/{SYN}",
    "syn_v6_vlan": f"{ETH_IN}/Dot1Q(vlan=4094)/{IP6_IN}/{SYN}",
    "syn_mss_only": f"{ETH_IN}/{IP_IN}/TCP(sport=40000,dport=80,flags='S',"
                    "options=[('MSS',1300)])",
    "syn_group": f"Ether(src=C,dst=ALL)/{IP_IN}/{SYN}",
    "syn_router_alert": f"{ETH_IN}/IP(src=c4,dst=s4,options=[IPOption_Router_Alert()])/{SYN}",
    "syn_loose_route": f"{ETH_IN}/IP(src=c4,dst=s4,options=[IPOption_LSRR(routers=['192.0.2.9'])])"
                       f"/{SYN}",
    "syn_strict_route": f"{ETH_IN}/IP(src=c4,dst=s4,"
                        f"options=[IPOption_SSRR(routers=['192.0.2.9'])])/{SYN}",
    "syn_malformed_option": f"{ETH_IN}/IP(src=c4,dst=s4,options=b'\\x07\\x09\\x04\\x00')/{SYN}",
    "syn_first_fragment": f"{ETH_IN}/IP(src=c4,dst=s4,flags='MF')/{SYN}",
    "syn_later_fragment": f"{ETH_IN}/IP(src=c4,dst=s4,frag=3)/{SYN}",
    "syn_extensions": f"{ETH_IN}/{IP6_IN}/IPv6ExtHdrHopByHop(options=[RouterAlert()])"
                      f"/IPv6ExtHdrDestOpt()/{SYN}",
    "syn_routed": f"{ETH_IN}/{IP6_IN}/IPv6ExtHdrRouting(type=2,segleft=1,"
                  f"addresses=['2001:db8::9'])/{SYN}",
    "syn_was_routed": f"{ETH_IN}/{IP6_IN}/IPv6ExtHdrRouting(type=2,segleft=0,"
                      f"addresses=['2001:db8::9'])/{SYN}",
    "syn_atomic_fragment": f"{ETH_IN}/{IP6_IN}/IPv6ExtHdrFragment()/{SYN}",
    "syn_double_tag": f"{ETH_IN}/Dot1Q(vlan=1)/Dot1Q(vlan=2)/{IP_IN}/{SYN}",
    "syn_service_tag": f"{ETH_IN}/Dot1AD(vlan=1)/{IP_IN}/{SYN}",
    "syn_zero_checksum": f"{ETH_IN}/{IP_IN}/TCP(sport=40000,dport=80,flags='S',chksum=0)",
    "syn_v6_zero_checksum": f"{ETH_IN}/{IP6_IN}/TCP(sport=40000,dport=80,flags='S',chksum=0)",
    "ack_padded": f"{ETH_IN}/{IP_IN}/{TCP_IN}flags='A',window=502)/Padding(b'\\xa5'*6)",
    "ack_timestamps": f"{ETH_IN}/{IP_IN}/{TCP_IN}flags='A',options=TIMES)",
    "ack_sacks": f"{ETH_IN}/{IP6_IN}/{TCP_IN}flags='A',options=SACKS)",
    "data_odd": f"{ETH_IN}/IP(src=c4,dst=s4,tos=3)/{TCP_IN}flags='PA',options=TIMES)"
                "/b'GET / HTTP/1.0\\r\\n\\r'",
    "syn_reserved_bits": f"{ETH_IN}/{IP_IN}/TCP(sport=40000,dport=80,reserved=7,flags='SEC')",
    "no_next_header": f"{ETH_IN}/IPv6(src=c6,dst=s6,nh=59)/b'12345678'",
    "datagram": f"{ETH_IN}/{IP_IN}/UDP(sport=1,dport=2)/b'12345678'",
    "arp_request": "Ether(src=C,dst=ALL)/ARP(op=1,hwsrc=C,psrc=c4,pdst=s4)",
    "arp_request_vlan": "Ether(src=C,dst=ALL)/Dot1Q(vlan=100)/ARP(op=1,hwsrc=C,psrc=c4,pdst=s4)",
    "arp_answer": "Ether(src=C,dst=S)/ARP(op=2,hwsrc=C,psrc=c4,hwdst=S,pdst=s4)",
    "arp_probe": "Ether(src=C,dst=ALL)/ARP(op=1,hwsrc=C,psrc='0.0.0.0',pdst=s4)",
    "arp_gratuitous": "Ether(src=C,dst=ALL)/ARP(op=1,hwsrc=C,psrc=c4,pdst=c4)",
    "arp_token_ring": "Ether(src=C,dst=ALL)/ARP(hwtype=6,op=1,hwsrc=C,psrc=c4,pdst=s4)",
    "echo_v4": f"{ETH_IN}/{IP_IN}/ICMP(type=8,id=7,seq=9)/b'handfast!'",
    "echo_v4_zeroes": f"{ETH_IN}/{IP_IN}/ICMP(type=8,id=0,seq=0)/bytes(16)",
    "echo_v4_options": f"{ETH_IN}/IP(src=c4,dst=s4,options=[IPOption_Router_Alert()])"
                       "/ICMP(type=8,id=7,seq=9)/b'handfast!'",
    "echo_v6": f"{ETH_IN}/{IP6_IN}/ICMPv6EchoRequest(id=7,seq=9,data=b'handfast!')",
    "unreachable": f"{ETH_IN}/{IP_IN}/ICMP(type=3,code=4,nexthopmtu=1400)/{IP_OUT}/b'12345678'",
    "solicitation": "Ether(src=C,dst='33:33:ff:00:00:02')/IPv6(src=c6,dst='ff02::1:ff00:2',"
                    "hlim=255)/ICMPv6ND_NS(tgt=s6)/ICMPv6NDOptSrcLLAddr(lladdr=C)",
    "solicitation_bare": f"{ETH_IN}/Dot1Q(vlan=100)/IPv6(src=c6,dst=s6,hlim=255)"
                         "/ICMPv6ND_NS(tgt=s6)",
    "solicitation_dad": "Ether(src=C,dst='33:33:ff:00:00:02')/IPv6(src='::',dst='ff02::1:ff00:2',"
                        "hlim=255)/ICMPv6ND_NS(tgt=s6)",
    "solicitation_routed": f"{ETH_IN}/IPv6(src=c6,dst=s6,hlim=254)/ICMPv6ND_NS(tgt=s6)",
    "advertisement": f"{ETH_IN}/IPv6(src=c6,dst=s6,hlim=255)/ICMPv6ND_NA(tgt=c6,R=0,S=1,O=1)"
                     "/ICMPv6NDOptDstLLAddr(lladdr=C)",
    "advertisement_unasked": "Ether(src=C,dst='33:33:00:00:00:01')/IPv6(src=c6,dst='ff02::1',"
                             "hlim=255)/ICMPv6ND_NA(tgt=c6,R=0,S=0,O=1)",
}

# What we send.
OUTPUT = {
    "out_synack_v4": f"{ETH_OUT}/{IP_OUT}/TCP(sport=80,dport=40000,seq=0xdeadbeef,ack=0xffffffff,"
                     "flags='SA',window=65535,options=ANSWER)",
    "out_synack_v6_vlan": f"{ETH_OUT}/Dot1Q(vlan=100)/{IP6_OUT}/TCP(sport=80,dport=40000,"
                          "seq=0xdeadbeef,ack=0xffffffff,flags='SA',window=65535,options=ANSWER)",
    "out_reset_v4": f"{ETH_OUT}/{IP_OUT}/{TCP_OUT}flags='RA',window=0)",
    "out_reset_v6": f"{ETH_OUT}/{IP6_OUT}/{TCP_OUT}flags='R',window=0)",
    "out_data_v4": f"{ETH_OUT}/{IP_OUT}/{TCP_OUT}flags='FPA',window=502,options=TIMES)/b'hello'",
    "out_arp_reply": f"{ETH_OUT}/ARP(op=2,hwsrc=S,psrc=s4,hwdst=C,pdst=c4)",
    "out_arp_reply_vlan": f"{ETH_OUT}/Dot1Q(vlan=100)/ARP(op=2,hwsrc=S,psrc=s4,hwdst=C,pdst=c4)",
    "out_arp_probe_reply": f"{ETH_OUT}/ARP(op=2,hwsrc=S,psrc=s4,hwdst=C,pdst='0.0.0.0')",
    "out_arp_request": "Ether(src=S,dst=ALL)/ARP(op=1,hwsrc=S,psrc=s4,"
                       "hwdst='00:00:00:00:00:00',pdst=c4)",
    "out_echo_v4": f"{ETH_OUT}/{IP_OUT}/ICMP(type=0,id=7,seq=9)/b'handfast!'",
    "out_echo_v4_zeroes": f"{ETH_OUT}/{IP_OUT}/ICMP(type=0,id=0,seq=0)/bytes(16)",
    "out_echo_v6": f"{ETH_OUT}/{IP6_OUT}/ICMPv6EchoReply(id=7,seq=9,data=b'handfast!')",
    "out_advertisement": f"{ETH_OUT}/IPv6(src=s6,dst=c6,hlim=255)/ICMPv6ND_NA(tgt=s6,R=0,S=1,O=1)"
                         "/ICMPv6NDOptDstLLAddr(lladdr=S)",
    "out_advertisement_vlan": f"{ETH_OUT}/Dot1Q(vlan=100)/IPv6(src=s6,dst=c6,hlim=255)"
                              "/ICMPv6ND_NA(tgt=s6,R=0,S=1,O=1)/ICMPv6NDOptDstLLAddr(lladdr=S)",
    "out_advertisement_dad": "Ether(src=S,dst='33:33:00:00:00:01')/IPv6(src=s6,dst='ff02::1',"
                             "hlim=255)/ICMPv6ND_NA(tgt=s6,R=0,S=0,O=1)"
                             "/ICMPv6NDOptDstLLAddr(lladdr=S)",
    "out_solicitation": "Ether(src=S,dst='33:33:ff:00:00:01')/IPv6(src=s6,dst='ff02::1:ff00:1',"
                        "hlim=255)/ICMPv6ND_NS(tgt=c6)/ICMPv6NDOptSrcLLAddr(lladdr=S)",
}


def frames(table):
    """Evaluate the expressions."""
    return {name: raw(eval(expression)) for name, expression in table.items()}


def wrap(text, width, indent):
    """Break at commas or slashes; expressions have few blanks."""
    lines, line = [], ""
    for i, char in enumerate(text):
        line += char
        if char in ",/" and len(line) > width - 20:
            lines.append(line)
            line = ""
    return ("\n" + indent).join([text_line for text_line in lines + [line] if text_line])


def header():
    """The text of golden.h."""
    out = ["/* SPDX-License-Identifier: BSD-3-Clause */", "", "#ifndef GOLDEN_H",
           "#define GOLDEN_H", "", "/**", " * @file",
           " * Frames made by scapy; written by golden.py, not by hand.", " */", "",
           "#include <stddef.h>", "#include <stdint.h>", "", "/* clang-format off */"]
    for table in (INPUT, OUTPUT):
        for name, data in frames(table).items():
            expression = table[name].replace("*/", "* /")
            out += ["", "/* " + wrap(expression, 90, " * ") + " */",
                    f"static const uint8_t golden_{name}[] = {{"]
            out += ["\t" + " ".join(f"0x{byte:02x}," for byte in data[i:i + 12])
                    for i in range(0, len(data), 12)]
            out += ["};"]
    out += ["", "/** Every frame a peer sends, for tests that hold for all of them. */",
            "static const struct golden {", "\tconst char *name;", "\tconst uint8_t *bytes;",
            "\tsize_t length;", "} golden_inputs[] = {"]
    out += [f'\t{{"{name}", golden_{name}, sizeof(golden_{name})}},' for name in INPUT]
    out += ["};", "", "/* clang-format on */", "", "#endif /* GOLDEN_H */", ""]
    return "\n".join(out)


def corpora():
    """Seeds: whole frames, and options behind a byte of TCP flags."""
    seeds = {"parse": {**frames(INPUT), **frames(OUTPUT)}, "tcp_options": {}}
    for name, options in {"linux": LINUX, "answer": ANSWER, "times": TIMES, "sacks": SACKS}.items():
        for flags in ("S", "A"):
            data = raw(TCP(flags=flags, options=options))
            seeds["tcp_options"][f"{name}_{flags}"] = data[13:14] + data[20:]
    seeds["tcp_options"]["fast_open"] = bytes([2, 34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1])
    seeds["tcp_options"]["cut_off"] = bytes([2, 1, 1, 1, 2])
    seeds["tcp_options"]["no_length"] = bytes([2, 8, 0, 3, 3])
    return seeds


def main():
    if sys.argv[1:] == ["--check"]:
        return 0 if HEADER.read_text() == header() else 1
    if sys.argv[1:] != ["--write"]:
        print(__doc__, file=sys.stderr)
        return 2
    HEADER.write_text(header())
    for target, seeds in corpora().items():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in seeds.items():
            (folder / name).write_bytes(data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
