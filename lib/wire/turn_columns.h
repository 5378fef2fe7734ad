/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TURN_COLUMNS_H
#define TURN_COLUMNS_H

/**
 * @file
 * build_turn() for sixteen frames at once, which say different things.
 *
 * As build_columns.h, but without a form: flags, windows and lengths are each lane's own.  All have
 * timestamps or none has, and all are of one family.  For frames without a tag, IP options or
 * extension headers, complete checksums, and CPUs with AVX-512 (columns_available()).
 */

#include <stdbool.h>
#include <stdint.h>

#include "wire/build_turn.h"
#include "wire/columns.h"

struct turn_columns {
	uint8_t *data[COLUMNS]; /**< Frames; their texts, if any, are where they will be. */
	uint32_t seq[COLUMNS];
	uint32_t ack[COLUMNS];
	uint32_t tsval[COLUMNS];
	uint32_t tsecr[COLUMNS];
	uint32_t says[COLUMNS];        /**< Flags << 16 | window. */
	uint32_t payload[COLUMNS];     /**< Length. */
	uint32_t payload_sum[COLUMNS]; /**< checksum_fold() of what it adds to the checksum. */
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
	turns->seq[lane] = turn->seq;
	turns->ack[lane] = turn->ack;
	turns->tsval[lane] = turn->tsval;
	turns->tsecr[lane] = turn->tsecr;
	turns->says[lane] = (uint32_t)turn->flags << 16 | turn->window;
	turns->payload[lane] = turn->payload_length;
	turns->payload_sum[lane] = turn->payload_length > 0 ? checksum_fold(turn->payload_sum) : 0;
}

/** Whether a frame, of which build_turn_may() is true, is one that is turned around so. */
static inline bool
turn_columns_may(const struct frame *frame)
{
	return frame->l3_offset == 14 && (frame->flags & FRAME_TAGGED) == 0;
}

/** Turn them around, in place; none is left then. */
void turn_columns(struct turn_columns *turns);

#endif /* TURN_COLUMNS_H */
