/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef FRAME_TEMPLATE_H
#define FRAME_TEMPLATE_H

/**
 * @file
 * TCP frames to one target from any of our addresses, by copying what never changes.
 *
 * Everything that a target's frames have in common is written once, and so is its part of both
 * checksums.  A frame then costs a copy of the headers, the stores of what differs and an addition
 * for each.  Checksums are complete: no device has to finish them.  Like build.h's frames: TTL 64,
 * DF, ID 0.
 */

#include <stdint.h>

#include "tcp/flow_key.h"
#include "wire/build.h"
#include "wire/checksum.h"

#define FRAME_TEMPLATE_BYTES (14 + 4 + 40 + 20)

struct frame_template {
	uint8_t bytes[FRAME_TEMPLATE_BYTES]; /**< Ethernet, IP and TCP; no options. */
	uint8_t family;                      /**< 4 or 6. */
	uint8_t l3;                          /**< Where the IP header begins, */
	uint8_t l4;                          /**< and the TCP header. */
	uint32_t ip_sum;                     /**< IPv4 header without length and source. */
	uint64_t tcp_sum; /**< Pseudo-header and TCP header without what a frame adds. */
};

/** Options and payload that are the same in many frames, with their sum. */
struct frame_text {
	const uint8_t *bytes;
	uint32_t length;
	uint64_t sum; /**< checksum_add() of it. */
};

/** What one frame adds. */
struct frame_tcp {
	const uint8_t *source; /**< 16 bytes, IPv4-mapped, of the template's family. */
	rte_be16_t port;
	uint16_t window; /**< As it goes on the wire. */
	uint32_t seq;
	uint32_t ack;
	uint8_t flags; /**< enum tcp_flag */
};

/** Prepare frames along a path; its local address and port are ignored. */
void frame_template_init(struct frame_template *frames, const struct build_path *path);

/**
 * Write a frame.
 *
 * @param options
 *   A multiple of four bytes; or NULL.
 * @param payload
 *   Copied behind the options; or NULL.
 * @return its length.
 */
static inline unsigned int
frame_template_write(const struct frame_template *frames, uint8_t *to, const struct frame_tcp *tcp,
		const struct frame_text *options, const struct frame_text *payload)
{
	const unsigned int options_length = options != NULL ? options->length : 0;
	const unsigned int payload_length = payload != NULL ? payload->length : 0;
	const unsigned int l4_length = 20 + options_length + payload_length;
	const uint32_t words[3] = {
			rte_cpu_to_be_32(tcp->seq),
			rte_cpu_to_be_32(tcp->ack),
			rte_cpu_to_be_32((20 + options_length) << 26 | (uint32_t)tcp->flags << 16 |
					 tcp->window),
	};
	uint8_t *ip = to + frames->l3, *header = to + frames->l4;
	uint64_t sum = frames->tcp_sum + tcp->port + words[0] + words[1] + words[2] +
		       rte_cpu_to_be_16((uint16_t)l4_length);
	rte_be16_t field;

	memcpy(to, frames->bytes, sizeof(frames->bytes));
	if (frames->family == 4) {
		const rte_be16_t length = rte_cpu_to_be_16((uint16_t)(20 + l4_length));
		uint32_t source;

		memcpy(&source, tcp->source + 12, sizeof(source));
		memcpy(ip + 2, &length, sizeof(length));
		memcpy(ip + 12, &source, sizeof(source));
		field = checksum_finish((uint64_t)frames->ip_sum + source + length);
		memcpy(ip + 10, &field, sizeof(field));
		sum += source;
	} else {
		const rte_be16_t length = rte_cpu_to_be_16((uint16_t)l4_length);
		uint32_t source[4];

		memcpy(source, tcp->source, sizeof(source));
		memcpy(ip + 4, &length, sizeof(length));
		memcpy(ip + 8, source, sizeof(source));
		sum += (uint64_t)source[0] + source[1] + source[2] + source[3];
	}
	memcpy(header, &tcp->port, sizeof(tcp->port));
	memcpy(header + 4, words, sizeof(words));
	if (options_length > 0) {
		memcpy(header + 20, options->bytes, options_length);
		sum += options->sum;
	}
	if (payload_length > 0) {
		memcpy(header + 20 + options_length, payload->bytes, payload_length);
		sum += payload->sum;
	}
	field = checksum_finish(sum);
	memcpy(header + 16, &field, sizeof(field));
	return frames->l4 + l4_length;
}

#endif /* FRAME_TEMPLATE_H */
