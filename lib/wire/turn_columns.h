/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TURN_COLUMNS_H
#define TURN_COLUMNS_H

/**
 * @file
 * build_turn() for many frames, sixteen at once, which say different things.
 *
 * As build_columns.h, but without a form: flags, windows and lengths are each lane's own.  All have
 * timestamps or none has, and all are of one family.  For frames without a tag, IP options or
 * extension headers, complete checksums, and CPUs with AVX-512 (columns_available()).
 *
 * They are gathered first, a burst of them, because sixteen take as long as one.
 */

#include <stdbool.h>
#include <stdint.h>

#include "wire/build_turn.h"
#include "wire/columns.h"

/** What is told of a frame, as the words that it becomes. */
enum turn_columns_number {
	TURN_COLUMNS_SEQ,
	TURN_COLUMNS_ACK,
	TURN_COLUMNS_TSVAL,
	TURN_COLUMNS_TSECR,
	TURN_COLUMNS_SAYS,        /**< Flags << 16 | window. */
	TURN_COLUMNS_PAYLOAD,     /**< Length. */
	TURN_COLUMNS_PAYLOAD_SUM, /**< checksum_fold() of what it adds to the checksum. */
	TURN_COLUMNS_NUMBERS,
};

/** Frames at most. */
#define TURN_COLUMNS_MAX 64

/** Registers are stored whole: beyond the last one is room for what means nothing. */
#define TURN_COLUMNS_ROOM (TURN_COLUMNS_MAX + COLUMNS)

struct turn_columns {
	uint8_t *data[TURN_COLUMNS_ROOM]; /**< Frames; texts, if any, are where they will be. */
	uint32_t number[TURN_COLUMNS_NUMBERS][TURN_COLUMNS_ROOM];
	unsigned int n;
	uint8_t family; /**< 4 or 6. */
	bool timestamps;
};

/** Add what build_turn() would be told. */
static inline void
turn_columns_add(struct turn_columns *turns, uint8_t *data, const struct build_turn *turn)
{
	const unsigned int lane = turns->n++;

	turns->data[lane] = data;
	turns->number[TURN_COLUMNS_SEQ][lane] = turn->seq;
	turns->number[TURN_COLUMNS_ACK][lane] = turn->ack;
	turns->number[TURN_COLUMNS_TSVAL][lane] = turn->tsval;
	turns->number[TURN_COLUMNS_TSECR][lane] = turn->tsecr;
	turns->number[TURN_COLUMNS_SAYS][lane] = (uint32_t)turn->flags << 16 | turn->window;
	turns->number[TURN_COLUMNS_PAYLOAD][lane] = turn->payload_length;
	turns->number[TURN_COLUMNS_PAYLOAD_SUM][lane] =
			turn->payload_length > 0 ? checksum_fold(turn->payload_sum) : 0;
}

/** Whether a frame, of which build_turn_may() is true, is one that is turned around so. */
static inline bool
turn_columns_may(const struct frame *frame)
{
	return frame->l3_offset == 14 && (frame->flags & FRAME_TAGGED) == 0;
}

/**
 * Add the numbers of some lanes, in their order; their frames are the caller's to be added, before
 * turn_columns(), from data[n] of before on.
 *
 * @param lanes
 *   A bit for each; there must be room for them.
 */
void turn_columns_add_lanes(struct turn_columns *turns,
		const uint32_t number[TURN_COLUMNS_NUMBERS][COLUMNS], uint16_t lanes);

/** Turn them around, in place; none is left then. */
void turn_columns(struct turn_columns *turns);

#endif /* TURN_COLUMNS_H */
