/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BUILD_REPLY_H
#define BUILD_REPLY_H

/**
 * @file
 * A received TCP frame turned around in place, for many answers that differ in a few numbers.
 *
 * What all of them have in common is a form: written once, summed once, then copied behind the two
 * ends, which go from registers to each other's place.  The bytes are those of build_path_reverse()
 * and build_tcp() without payload.  In line, since it is done for every SYN of a flood.
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <rte_branch_prediction.h>

#include "wire/build.h"
#include "wire/bytes.h"
#include "wire/checksum.h"

/** The TCP header from its data offset on; the copy is always that long. */
#define BUILD_REPLY_REST 48

/** What answers of a kind have in common; build_reply_form() makes it. */
struct build_form {
	uint8_t rest[BUILD_REPLY_REST]; /**< TCP from the data offset on, the rest of it zero. */
	uint8_t ip[8];                  /**< The first words of the IP header. */
	uint64_t ip_sum;                /**< Of the IPv4 header without addresses. */
	uint64_t pseudo_sum;            /**< Of the pseudo-header without addresses. */
	uint64_t tcp_sum;               /**< Of @ref rest. */
	uint16_t l4_length;
	uint8_t timestamps; /**< Offset of TSval in the TCP header; 0: none. */
	uint8_t family;     /**< 4 or 6. */
};

/** What they differ in. */
struct build_numbers {
	uint32_t seq;
	uint32_t ack;
	uint32_t tsval;
	uint32_t tsecr;
};

/** Write the form of segments like @p tcp, whose numbers do not matter; no Fast Open. */
void build_reply_form(struct build_form *form, const struct build_tcp *tcp, uint8_t family);

/** In registers: through memory, a load across two stores would wait for both. */
struct build_mac {
	uint32_t first;
	uint16_t last;
};

static inline struct build_mac
build_mac_load(const uint8_t *from)
{
	struct build_mac mac;

	memcpy(&mac.first, from, sizeof(mac.first));
	memcpy(&mac.last, from + sizeof(mac.first), sizeof(mac.last));
	return mac;
}

static inline void
build_mac_store(uint8_t *to, struct build_mac mac)
{
	memcpy(to, &mac.first, sizeof(mac.first));
	memcpy(to + sizeof(mac.first), &mac.last, sizeof(mac.last));
}

/** Both MAC addresses change places; of an 802.1Q tag only the identifier stays. */
static inline void
build_reply_ethernet(uint8_t *data, const struct frame *frame)
{
	const struct build_mac local = build_mac_load(data), remote = build_mac_load(data + 6);

	build_mac_store(data, remote);
	build_mac_store(data + 6, local);
	if (unlikely(frame->flags & FRAME_TAGGED))
		bytes_write_16(data + 14, frame->vlan);
}

/**
 * @param first
 *   The first words of the header; @p sum of them and the third.
 * @return
 *   The sum of the two addresses.
 */
static inline uint64_t
build_reply_ipv4(uint8_t *ip, const void *first, uint64_t sum, bool complete)
{
	uint32_t source, destination;
	uint16_t checksum = 0;
	uint64_t addresses;

	memcpy(&source, ip + 12, sizeof(source));
	memcpy(&destination, ip + 16, sizeof(destination));
	addresses = (uint64_t)source + destination;
	if (complete)
		checksum = checksum_finish(sum + addresses);
	memcpy(ip, first, 8);
	bytes_write_16(ip + 8, BUILD_HOP_LIMIT << 8 | BUILD_PROTOCOL_TCP);
	memcpy(ip + 10, &checksum, sizeof(checksum));
	memcpy(ip + 12, &destination, sizeof(destination));
	memcpy(ip + 16, &source, sizeof(source));
	return addresses;
}

/** @return the sum of the two addresses. */
static inline uint64_t
build_reply_ipv6(uint8_t *ip, const void *first)
{
	const uint64_t sum = checksum_add_words(0, ip + 8, 32);
	uint8_t source[16], destination[16];

	memcpy(source, ip + 8, sizeof(source));
	memcpy(destination, ip + 24, sizeof(destination));
	memcpy(ip, first, 8);
	memcpy(ip + 8, destination, sizeof(destination));
	memcpy(ip + 24, source, sizeof(source));
	return sum;
}

/** Store a number and add it to a sum. */
static inline void
build_reply_put(uint8_t *to, uint32_t number, uint64_t *sum)
{
	const rte_be32_t word = BYTES_SWAP_32(number);

	memcpy(to, &word, sizeof(word));
	*sum += word;
}

/** @return the sum of the header with its ports, which are those that were received. */
static inline uint64_t
build_reply_tcp(uint8_t *tcp, const struct build_form *form, const struct build_numbers *numbers,
		uint32_t ports)
{
	const uint32_t turned = ports << 16 | ports >> 16;
	uint64_t sum = form->tcp_sum + ports;

	memcpy(tcp, &turned, sizeof(turned));
	build_reply_put(tcp + 4, numbers->seq, &sum);
	build_reply_put(tcp + 8, numbers->ack, &sum);
	memcpy(tcp + 12, form->rest, sizeof(form->rest));
	if (form->timestamps != 0) {
		build_reply_put(tcp + form->timestamps, numbers->tsval, &sum);
		build_reply_put(tcp + form->timestamps + 4, numbers->tsecr, &sum);
	}
	return sum;
}

/**
 * Turn a frame of the form's family around, in place.
 *
 * @param data
 *   The frame, FRAME_TCP; room for BUILD_HEADERS_MAX bytes, which may all be written to.
 * @return
 *   Length of the answer, a whole frame without payload.
 */
static inline unsigned int
build_reply(uint8_t *data, const struct frame *frame, const struct build_form *form,
		const struct build_numbers *numbers, enum build_checksum checksum)
{
	const bool complete = checksum == BUILD_CHECKSUM_SOFTWARE;
	uint8_t *ip = data + frame->l3_offset, *tcp;
	uint64_t sum, pseudo;
	uint16_t field;
	uint32_t ports;

	memcpy(&ports, data + frame->l4_offset, sizeof(ports));
	build_reply_ethernet(data, frame);
	if (form->family == 4) {
		pseudo = form->pseudo_sum + build_reply_ipv4(ip, form->ip, form->ip_sum, complete);
		tcp = ip + 20;
	} else {
		pseudo = form->pseudo_sum + build_reply_ipv6(ip, form->ip);
		tcp = ip + 40;
	}
	sum = build_reply_tcp(tcp, form, numbers, ports);
	field = complete ? checksum_finish(sum + pseudo) : checksum_fold(pseudo);
	memcpy(tcp + 16, &field, sizeof(field));
	return (unsigned int)(tcp - data) + form->l4_length;
}

#endif /* BUILD_REPLY_H */
