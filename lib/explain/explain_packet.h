/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef EXPLAIN_PACKET_H
#define EXPLAIN_PACKET_H

/**
 * @file
 * From a captured packet of any host to a TCP segment, as far as the capture goes.
 *
 * lib/wire/parse.h is a gatekeeper: it refuses what an engine must not answer.  This is a reader:
 * a capture holds what happened, whatever the checksums (which the NIC of the capturing host may
 * not have filled in yet), the link layer and the number of bytes that were kept.  It allocates
 * nothing and keeps pointers into the packet.  It does not look into tunnels and does not
 * reassemble fragments.
 */

#include <stdbool.h>
#include <stdint.h>

#include "tcp/tcp_segment.h"

/** Link layers, by the numbers that libpcap's pcap_datalink() answers on Linux. */
enum explain_link {
	EXPLAIN_LINK_NULL = 0, /**< BSD loopback, family in the writer's byte order. */
	EXPLAIN_LINK_ETHERNET = 1,
	EXPLAIN_LINK_RAW = 12,       /**< No link layer: IPv4 or IPv6. */
	EXPLAIN_LINK_RAW_BSD = 14,   /**< The same, by its number on OpenBSD. */
	EXPLAIN_LINK_RAW_FILE = 101, /**< The same, by its number in files. */
	EXPLAIN_LINK_LOOP = 108,     /**< OpenBSD loopback, family in network order. */
	EXPLAIN_LINK_SLL = 113,      /**< Linux "any", version 1. */
	EXPLAIN_LINK_IPV4 = 228,
	EXPLAIN_LINK_IPV6 = 229,
	EXPLAIN_LINK_SLL2 = 276, /**< Linux "any", version 2. */
};

/** What a captured packet is. */
enum explain_kind {
	EXPLAIN_TCP,
	EXPLAIN_NOT_TCP,  /**< IP with something else in it. */
	EXPLAIN_NOT_IP,   /**< ARP, LLDP... */
	EXPLAIN_FRAGMENT, /**< Part of an IP packet. */
	EXPLAIN_CUT,      /**< The capture kept too little of it, or it is malformed. */
	EXPLAIN_KINDS,
};

/** A packet as it lies in the file. */
struct explain_frame {
	const uint8_t *data;
	uint32_t captured; /**< Readable bytes. */
	uint32_t length;   /**< What it was on the wire; at least @ref captured. */
	int link;          /**< enum explain_link, or any other number. */
};

struct explain_packet {
	int64_t time_ns;    /**< Since the epoch; the caller's to fill in. */
	uint64_t number;    /**< In the file, from 1; the caller's to fill in. */
	uint8_t source[16]; /**< IPv4-mapped. */
	uint8_t destination[16];
	uint16_t source_port;
	uint16_t destination_port;
	struct tcp_segment segment; /**< payload_length in it is cut off at 65535. */
	uint32_t payload_length;    /**< As the IP header has it; may exceed 65535 (offloads). */
	uint32_t payload_captured;
	const uint8_t *payload;
	const uint8_t *options;
	uint8_t options_length; /**< Captured bytes of options. */
	bool options_cut;       /**< There were more. */
};

/** Whether packets of a link layer can be read at all. */
bool explain_packet_link_known(int link);

/** What follows the link layer. */
struct explain_network {
	const uint8_t *data;
	uint32_t captured;
	uint16_t ethertype; /**< 0x0800, 0x86dd, or something else. */
};

/** Find it. @return false when the packet ends before. */
bool explain_packet_network(const struct explain_frame *frame, struct explain_network *network);

/**
 * Read one packet.
 *
 * @param packet
 *   Filled when the answer is EXPLAIN_TCP.  Sixteen bytes of the TCP header suffice.
 */
enum explain_kind explain_packet_parse(
		const struct explain_frame *frame, struct explain_packet *packet);

#endif /* EXPLAIN_PACKET_H */
