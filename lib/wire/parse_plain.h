/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef PARSE_PLAIN_H
#define PARSE_PLAIN_H

/**
 * @file
 * The short cut through parse_frame() for what nearly every frame is: no tag, IPv4 without options
 * or IPv6 without extension headers, TCP, and nothing wrong with any of it.
 *
 * It judges everything that the long way judges, but says only "good" or "somebody else look at
 * it": the long way finds the reason of a refusal, and takes what is rare.  So there is one
 * comparison for each thing that may be wrong, and none for what it is.
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>

#include "wire/bytes.h"
#include "wire/checksum.h"
#include "wire/parse.h"
#include "wire/tcp_options.h"

#define PARSE_PLAIN_ETHER 14
#define PARSE_PLAIN_IPV4  20
#define PARSE_PLAIN_IPV6  40
#define PARSE_PLAIN_TCP   20

static inline uint64_t
parse_plain_load_64(const uint8_t *from)
{
	uint64_t word;

	memcpy(&word, from, sizeof(word));
	return word;
}

static inline uint32_t
parse_plain_load_32(const uint8_t *from)
{
	uint32_t word;

	memcpy(&word, from, sizeof(word));
	return word;
}

/** Not "this network", loopback, multicast or broadcast. */
static inline bool
parse_plain_is_host(uint8_t first_byte)
{
	return (uint8_t)(first_byte - 1) < 223 && first_byte != 127;
}

/**
 * A TCP header that is whole, with the right checksum.
 *
 * @param pseudo
 *   The pseudo-header's sum.
 */
static __rte_always_inline bool
parse_plain_tcp(const uint8_t *tcp, uint32_t length, unsigned int flags, uint64_t pseudo,
		struct tcp_segment *segment)
{
	const uint32_t ports = parse_plain_load_32(tcp);
	const uint8_t control = tcp[13];
	const uint32_t header = (tcp[12] >> 4) * 4u;
	uint64_t sum;

	/* Equal ports may be a "land" attack. */
	if (header < PARSE_PLAIN_TCP || header > length || ports == (ports << 16 | ports >> 16))
		return false;
	if (!(flags & PARSE_TCP_CHECKSUM_GOOD)) {
		sum = checksum_add_words(pseudo, tcp, header);
		if (length != header)
			sum = checksum_add(sum, tcp + header, length - header);
		if (!checksum_is_good(sum))
			return false;
	}
	segment->seq = bytes_read_32(tcp + 4);
	segment->ack = control & TCP_ACK ? bytes_read_32(tcp + 8) : 0;
	segment->window = bytes_read_16(tcp + 14);
	segment->payload_length = (uint16_t)(length - header);
	segment->payload_offset = (uint16_t)header;
	segment->flags = control;
	segment->reserved = 0;
	tcp_options_read(segment, tcp + PARSE_PLAIN_TCP, header - PARSE_PLAIN_TCP);
	return true;
}

static __rte_always_inline bool
parse_plain_ipv4(const uint8_t *data, uint32_t length, unsigned int flags, struct frame *frame,
		struct tcp_segment *segment)
{
	const uint8_t *ip = data + PARSE_PLAIN_ETHER, *tcp = ip + PARSE_PLAIN_IPV4;
	const uint32_t total = bytes_read_16(ip + 2), l4_length = total - PARSE_PLAIN_IPV4;
	const uint64_t addresses =
			(uint64_t)parse_plain_load_32(ip + 12) + parse_plain_load_32(ip + 16);
	const uint64_t header = (uint64_t)parse_plain_load_32(ip) + parse_plain_load_32(ip + 4) +
				parse_plain_load_32(ip + 8);

	if (ip[0] != 0x45 || ip[9] != 6 || (bytes_read_16(ip + 6) & 0x3fff) != 0 ||
			total < PARSE_PLAIN_IPV4 + PARSE_PLAIN_TCP ||
			total > length - PARSE_PLAIN_ETHER)
		return false;
	if (!parse_plain_is_host(ip[12]) || !parse_plain_is_host(ip[16]))
		return false;
	if (!(flags & PARSE_IP_CHECKSUM_GOOD) && !checksum_is_good(header + addresses))
		return false;
	*frame = (struct frame){
			.l3_offset = PARSE_PLAIN_ETHER,
			.l4_offset = PARSE_PLAIN_ETHER + PARSE_PLAIN_IPV4,
			.l4_length = (uint16_t)l4_length,
			.kind = FRAME_TCP,
			.family = 4,
			.flags = data[0] & FRAME_GROUP,
			.traffic_class = ip[1],
	};
	return parse_plain_tcp(tcp, l4_length, flags,
			addresses + BYTES_SWAP_16((uint16_t)l4_length) + BYTES_SWAP_16(6), segment);
}

static __rte_always_inline bool
parse_plain_ipv6(const uint8_t *data, uint32_t length, unsigned int flags, struct frame *frame,
		struct tcp_segment *segment)
{
	const uint8_t *ip = data + PARSE_PLAIN_ETHER, *tcp = ip + PARSE_PLAIN_IPV6;
	const uint32_t l4_length = bytes_read_16(ip + 4);
	const uint64_t source = parse_plain_load_64(ip + 8);
	const uint64_t destination = parse_plain_load_64(ip + 24);

	if (ip[0] >> 4 != 6 || ip[6] != 6 || l4_length < PARSE_PLAIN_TCP ||
			l4_length > length - PARSE_PLAIN_ETHER - PARSE_PLAIN_IPV6)
		return false;
	/* Unspecified, loopback and IPv4-mapped begin with zeroes, multicast with ones. */
	if (source == 0 || destination == 0 || ip[8] == 0xff || ip[24] == 0xff)
		return false;
	*frame = (struct frame){
			.l3_offset = PARSE_PLAIN_ETHER,
			.l4_offset = PARSE_PLAIN_ETHER + PARSE_PLAIN_IPV6,
			.l4_length = (uint16_t)l4_length,
			.kind = FRAME_TCP,
			.family = 6,
			.flags = data[0] & FRAME_GROUP,
			.traffic_class = (uint8_t)(bytes_read_16(ip) >> 4),
	};
	return parse_plain_tcp(tcp, l4_length, flags,
			checksum_add_words((uint64_t)BYTES_SWAP_16((uint16_t)l4_length) +
							   BYTES_SWAP_16(6),
					ip + 8, 32),
			segment);
}

/** Parse a frame; false: for parse_frame_carefully() to say. */
static __rte_always_inline bool
parse_plain(const uint8_t *data, uint32_t length, unsigned int flags, struct frame *frame,
		struct tcp_segment *segment)
{
	rte_be16_t ether_type;

	if (unlikely(length < PARSE_PLAIN_ETHER + PARSE_PLAIN_IPV4 + PARSE_PLAIN_TCP))
		return false;
	memcpy(&ether_type, data + 12, sizeof(ether_type));
	if (ether_type == BYTES_SWAP_16(0x0800))
		return parse_plain_ipv4(data, length, flags, frame, segment);
	return ether_type == BYTES_SWAP_16(0x86dd) &&
	       length >= PARSE_PLAIN_ETHER + PARSE_PLAIN_IPV6 + PARSE_PLAIN_TCP &&
	       parse_plain_ipv6(data, length, flags, frame, segment);
}

#endif /* PARSE_PLAIN_H */
