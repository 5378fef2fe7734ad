/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef PARSE_H
#define PARSE_H

/**
 * @file
 * From the bytes of a frame to values: every length and every checksum is checked here, once.
 *
 * Ethernet, at most one 802.1Q tag, IPv4 (options skipped, source routes refused), IPv6 (hop-by-hop
 * and destination options skipped, at most 4 extension headers), TCP, ARP, ICMP, ICMPv6, UDP.
 * Fragments are refused, also an IPv6 atomic one.  The result names offsets into the frame, which
 * the caller keeps contiguous.
 *
 * Whether addresses, VLAN and Ethernet destination are ours is for the caller to say, and so is
 * that a TCP segment in a group's frame (FRAME_GROUP) gets no answer.  Bytes behind the IP packet
 * are Ethernet padding and never payload.
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <rte_byteorder.h>

#include "observe/counters.h"
#include "tcp/flow_key.h"
#include "tcp/tcp_segment.h"

/** What a frame is. */
enum frame_kind {
	FRAME_TCP,
	FRAME_ARP,
	FRAME_ICMP,  /**< ICMP over IPv4, checksum verified. */
	FRAME_ICMP6, /**< ICMPv6, checksum verified; neighbour discovery too. */
	FRAME_UDP,   /**< A datagram, checksum verified, and not for a group: it can be refused. */
};

enum frame_flag {
	FRAME_GROUP = 0x01,   /**< The Ethernet destination is a broadcast or multicast address. */
	FRAME_PARTIAL = 0x02, /**< The TCP checksum field held only the pseudo-header's sum. */
	FRAME_TAGGED = 0x04,  /**< An 802.1Q tag was there. */
};

/** What parse_frame() may leave out and must let pass; from the port's capabilities. */
enum parse_flag {
	PARSE_IP_CHECKSUM_GOOD = 0x01,  /**< The NIC verified the IPv4 header checksum. */
	PARSE_TCP_CHECKSUM_GOOD = 0x02, /**< The NIC verified the TCP checksum. */
	PARSE_PARTIAL_ALLOWED = 0x04,   /**< Accept the local kernel's unfinished TCP checksums. */
};

struct frame {
	uint16_t l3_offset; /**< First byte of the IP or ARP header: 14 or 18. */
	uint16_t l4_offset; /**< First byte of the TCP, ICMP or UDP header. */
	uint16_t l4_length; /**< Bytes from there to the end of the IP packet; padding is not in. */
	uint16_t vlan;      /**< VLAN identifier, with FRAME_TAGGED; 0 for a priority tag. */
	uint8_t kind;       /**< enum frame_kind */
	uint8_t family;     /**< 4 or 6; 0 for ARP. */
	uint8_t flags;      /**< enum frame_flag */
	uint8_t traffic_class; /**< TOS or traffic class, ECN in the low two bits. */
};

/**
 * Parse one frame.
 *
 * @param data
 *   The frame from its Ethernet header on; @p length readable bytes.
 * @param flags
 *   enum parse_flag bits.
 * @param segment
 *   Filled when the frame is TCP.
 * @return
 *   DROP_NONE, or the one reason why the frame is refused (then @p frame holds what was learnt).
 *   Of the addresses only those of TCP segments, echo requests and datagrams are judged.  No host
 * has them: multicast, limited broadcast, loopback, this network, unspecified, and IPv4-mapped
 * inside IPv6 (which would alias an IPv4 peer's key).  As source they are bad_source, as is the
 * destination itself with equal TCP ports (land); as destination they are unknown_destination.
 */
enum counter parse_frame(const uint8_t *data, uint32_t length, unsigned int flags,
		struct frame *frame, struct tcp_segment *segment);

/** parse_frame() without its short cut for frames that are as usual (parse_plain.h). */
enum counter parse_frame_carefully(const uint8_t *data, uint32_t length, unsigned int flags,
		struct frame *frame, struct tcp_segment *segment);

/** Copy an address of an IP frame, at @p ipv4 or @p ipv6 from its IP header, IPv4-mapped. */
static inline void
parse_address(const uint8_t *data, const struct frame *frame, unsigned int ipv4, unsigned int ipv6,
		uint8_t address[16])
{
	const uint8_t *ip = data + frame->l3_offset;
	rte_be32_t word;

	if (frame->family == 6) {
		memcpy(address, ip + ipv6, 16);
		return;
	}
	memcpy(&word, ip + ipv4, sizeof(word));
	flow_key_map_ipv4(address, word);
}

/** Copy the source address of an IP frame, IPv4-mapped. */
static inline void
parse_source(const uint8_t *data, const struct frame *frame, uint8_t address[16])
{
	parse_address(data, frame, 12, 8, address);
}

/** Copy the destination address of an IP frame, IPv4-mapped. */
static inline void
parse_destination(const uint8_t *data, const struct frame *frame, uint8_t address[16])
{
	parse_address(data, frame, 16, 24, address);
}

#endif /* PARSE_H */
