/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BUILD_TURN_H
#define BUILD_TURN_H

/**
 * @file
 * A received TCP frame turned around in place, into a segment of a connection that is open: no
 * options but timestamps, and text that is in its place already.
 *
 * The bytes are those of build_path_reverse() and build_tcp().  Every number comes from a register,
 * and what the text adds to the checksum is the caller's to know: texts that are sent often are
 * summed once.  In line, since it is done for every answer.
 */

#include <stdbool.h>
#include <stdint.h>

#include "wire/build_reply.h"

/** What the segment says. */
struct build_turn {
	uint32_t seq;
	uint32_t ack;
	uint32_t tsval;
	uint32_t tsecr;
	uint64_t payload_sum; /**< checksum_add() of it; without software checksums any. */
	uint16_t payload_length;
	uint16_t window;
	uint8_t flags;
	bool timestamps;
};

/** Whether a frame can be turned around: between its headers is nothing that has to go. */
static inline bool
build_turn_may(const struct frame *frame)
{
	return frame->kind == FRAME_TCP &&
	       frame->l4_offset - frame->l3_offset == (frame->family == 4 ? 20 : 40);
}

/** Length of the TCP header. */
static inline unsigned int
build_turn_header(const struct build_turn *turn)
{
	return turn->timestamps ? 32 : 20;
}

/** @return the sum of the two addresses. */
static inline uint64_t
build_turn_ipv4(uint8_t *ip, unsigned int length, bool complete)
{
	const uint32_t words[2] = {BYTES_SWAP_32(0x45000000u | (20 + length)),
			BYTES_SWAP_32(0x4000u)}; /* Don't fragment. */
	const uint16_t life = BYTES_SWAP_16(BUILD_HOP_LIMIT << 8 | BUILD_PROTOCOL_TCP);

	return build_reply_ipv4(ip, words, (uint64_t)words[0] + words[1] + life, complete);
}

/** @return the sum of the two addresses. */
static inline uint64_t
build_turn_ipv6(uint8_t *ip, unsigned int length)
{
	const uint32_t words[2] = {BYTES_SWAP_32(0x60000000u),
			BYTES_SWAP_32(length << 16 | BUILD_PROTOCOL_TCP << 8 | BUILD_HOP_LIMIT)};

	return build_reply_ipv6(ip, words);
}

/** @return the sum of the header. */
static inline uint64_t
build_turn_tcp(uint8_t *tcp, const struct build_turn *turn)
{
	const uint32_t none = 0, timestamps = BYTES_SWAP_32(0x0101080au);
	uint32_t ports, turned;
	uint64_t sum;

	memcpy(&ports, tcp, sizeof(ports));
	turned = ports << 16 | ports >> 16;
	sum = ports;
	memcpy(tcp, &turned, sizeof(turned));
	build_reply_put(tcp + 4, turn->seq, &sum);
	build_reply_put(tcp + 8, turn->ack, &sum);
	build_reply_put(tcp + 12,
			build_turn_header(turn) << 26 | (uint32_t)turn->flags << 16 | turn->window,
			&sum);
	memcpy(tcp + 16, &none, sizeof(none));
	if (turn->timestamps) {
		memcpy(tcp + 20, &timestamps, sizeof(timestamps));
		sum += timestamps;
		build_reply_put(tcp + 24, turn->tsval, &sum);
		build_reply_put(tcp + 28, turn->tsecr, &sum);
	}
	return sum;
}

/**
 * Turn a frame around, in place.
 *
 * @param data
 *   The frame, of which build_turn_may() is true; its text, if any, is where it will be.
 * @return
 *   Length of the answer, a whole frame.
 */
static inline unsigned int
build_turn(uint8_t *data, const struct frame *frame, const struct build_turn *turn,
		enum build_checksum checksum)
{
	const unsigned int length = build_turn_header(turn) + turn->payload_length;
	const bool complete = checksum == BUILD_CHECKSUM_SOFTWARE;
	uint8_t *ip = data + frame->l3_offset, *tcp = data + frame->l4_offset;
	uint64_t sum, pseudo;
	uint16_t field;

	build_reply_ethernet(data, frame);
	pseudo = (uint64_t)BYTES_SWAP_32(length) + BYTES_SWAP_16(BUILD_PROTOCOL_TCP);
	pseudo += frame->family == 4 ? build_turn_ipv4(ip, length, complete)
				     : build_turn_ipv6(ip, length);
	sum = build_turn_tcp(tcp, turn);
	field = complete ? checksum_finish(sum + pseudo + turn->payload_sum)
			 : checksum_fold(pseudo);
	memcpy(tcp + 16, &field, sizeof(field));
	return frame->l4_offset + length;
}

#endif /* BUILD_TURN_H */
