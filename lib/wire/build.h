/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BUILD_H
#define BUILD_H

/**
 * @file
 * From values to the bytes of a frame.  Every frame is written from scratch, in place of the one it
 * answers or into a new buffer; nothing the peer sent is reflected but its addresses, ports and
 * an echo request's payload.
 *
 * TTL and hop limit 64, DF set on IPv4 with ID 0 (RFC 6864 4.1), flow label 0, not ECN capable.
 * An 802.1Q tag is repeated with its identifier only, priority 0.
 *
 * Room: an answer in place may be longer or shorter than the frame it answers, so the caller sets
 * the packet's length to what is returned, and the buffer has room beforehand:
 *  - TCP: build_tcp_headers_length() and the payload, at most BUILD_HEADERS_MAX and the payload;
 *  - ARP reply and echo reply: never longer than the request;
 *  - neighbour advertisement: 18 + 40 + 32 bytes, 8 more than a solicitation without an option.
 * A frame shorter than Ethernet's 60 bytes is not padded here; who pads it does so with zeroes, not
 * with what the request had there (CVE-2003-0001).
 */

#include <stdbool.h>
#include <stdint.h>

#include "tcp/tcp_segment.h"
#include "wire/parse.h"
#include "wire/tcp_options.h"

/** Headers of the longest frame we build: Ethernet, tag, IPv6, TCP with 40 bytes of options. */
#define BUILD_HEADERS_MAX (14 + 4 + 40 + 60)

/** Longest answer of build_port_unreachable(): RFC 1812 4.3.2.3. */
#define BUILD_UNREACHABLE_MAX (14 + 4 + 576)

/** Of every IP header for TCP. */
#define BUILD_HOP_LIMIT    64
#define BUILD_PROTOCOL_TCP 6

/** Between whom a packet travels, from our side. */
struct build_path {
	uint8_t remote_mac[6];
	uint8_t local_mac[6];
	uint8_t remote[16]; /**< Addresses, IPv4-mapped. */
	uint8_t local[16];
	rte_be16_t remote_port;
	rte_be16_t local_port;
	uint16_t vlan; /**< VLAN identifier with @ref tagged. */
	bool tagged;
	uint8_t family; /**< 4 or 6. */
};

/** The way back from where an IP frame came; ports are 0 for anything but FRAME_TCP. */
void build_path_reverse(struct build_path *path, const uint8_t *data, const struct frame *frame);

/** A TCP header to write. */
struct build_tcp {
	uint32_t seq;
	uint32_t ack;
	uint16_t window; /**< As it goes on the wire. */
	uint8_t flags;   /**< enum tcp_flag */
	uint16_t urgent; /**< With TCP_URG: bytes from seq on. */
	struct tcp_options options;
};

/** How checksums are made. */
enum build_checksum {
	BUILD_CHECKSUM_SOFTWARE, /**< Complete, IP and TCP. */
	BUILD_CHECKSUM_OFFLOAD,  /**< IP zero, TCP the pseudo-header's sum: the NIC finishes. */
};

/** Where the parts of a built frame are; for the NIC's transmit offload. */
struct build_lengths {
	uint16_t l2; /**< 14 or 18 */
	uint16_t l3; /**< 20 or 40 */
	uint16_t l4; /**< 20 to 60 */
};

/** How long the headers for this path and these options will be; the payload goes behind them. */
unsigned int build_tcp_headers_length(
		const struct build_path *path, const struct tcp_options *options);

/**
 * Write Ethernet, IP and TCP headers in front of a payload that is already in place, at
 * @p frame + build_tcp_headers_length().
 *
 * @return
 *   Length of the whole frame, headers and payload.
 */
unsigned int build_tcp(uint8_t *frame, const struct build_path *path, const struct build_tcp *tcp,
		unsigned int payload_length, enum build_checksum checksum,
		struct build_lengths *lengths);

/**
 * Turn an ARP request (FRAME_ARP, already parsed) into the reply, in place; it goes to the address
 * in the packet, not in the frame (RFC 826).
 *
 * @return
 *   Length of the reply.
 */
unsigned int build_arp_reply(uint8_t *data, const struct frame *frame, const uint8_t local_mac[6]);

/** Write an ARP request for @p target from @p source, network byte order. @return its length. */
unsigned int build_arp_request(uint8_t *data, const uint8_t local_mac[6], rte_be32_t source,
		rte_be32_t target, bool tagged, uint16_t vlan);

/**
 * Turn an ICMP or ICMPv6 echo request into the reply, in place; IP options and extension headers
 * are left out.  @return its length.
 */
unsigned int build_echo_reply(uint8_t *data, const struct frame *frame, const uint8_t local_mac[6]);

/**
 * Turn a datagram into ICMP's or ICMPv6's "port unreachable" about it, in place (RFC 1122 3.2.2.1,
 * RFC 4443 3.1); of the datagram so much is quoted that the answer is no longer than the smallest
 * MTU.  The buffer has room for BUILD_UNREACHABLE_MAX bytes.  @return its length.
 */
unsigned int build_port_unreachable(
		uint8_t *data, const struct frame *frame, const uint8_t local_mac[6]);

/**
 * Turn a neighbour solicitation into the advertisement, in place (RFC 4861 7.2.4): to the sender,
 * or to all nodes when the sender has no address yet.  The buffer has room for 18 + 40 + 32 bytes.
 *
 * @return
 *   Length of the advertisement.
 */
unsigned int build_neighbour_advertisement(
		uint8_t *data, const struct frame *frame, const uint8_t local_mac[6]);

/**
 * Write a neighbour solicitation for @p target (16 bytes) from @p source, to the target's
 * solicited-node group; from the unspecified address it carries no option.  @return its length.
 */
unsigned int build_neighbour_solicitation(uint8_t *data, const uint8_t local_mac[6],
		const uint8_t source[16], const uint8_t target[16], bool tagged, uint16_t vlan);

#endif /* BUILD_H */
