/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BURST_GROUP_H
#define BURST_GROUP_H

/**
 * @file
 * Segments of up to sixteen connections of one desk, a lane for each, on their way through the
 * fifth stage and, where nothing stands in the way, through the sixth.
 *
 * burst_columns.c says whose turn it is; here it happens to them.  Most segments are the next one
 * of a connection whose service does what it did before (respond_usual.h): their connections are
 * loaded once, stepped, asked, answered and stored once.  A connection is answered at once only if
 * the burst has nothing more of it, for one answer has to speak for all its segments; else, and
 * where there is more to say than fits into one segment, the answer is left to burst_reply().
 */

#include <stdbool.h>
#include <stdint.h>

#include "engine/burst_expecting.h"
#include "step/step_answer.h"

/** Connections are told apart by so many kinds of slots. */
#define BURST_GROUP_KINDS 1024

/** Kinds of connections. */
struct burst_kinds {
	uint64_t bits[BURST_GROUP_KINDS / 64];
};

/** The packets of a burst that came to one desk, and those of them that are stepped together. */
struct burst_group {
	struct expecting run;
	uint64_t left;            /**< Packets that were left alone. */
	uint64_t roomy;           /**< Packets in which an answer can be turned at once. */
	uint64_t alone;           /**< Packets of whose connection the burst has nothing more. */
	bool crowded;             /**< Some connection may have several packets. */
	bool usual;               /**< The desk's service is, and its answers can be turned. */
	struct burst_kinds owing; /**< Connections to be answered later. */
	uint16_t kind[BURST_MAX]; /**< Of a packet's connection. */
	uint64_t packets;         /**< Those of the lanes. */
	unsigned int n;           /**< Lanes. */
	uint8_t stranger;         /**< The lane of a text that is not the usual one, or COLUMNS. */
	uint8_t packet[COLUMNS];
	struct conn *conn[COLUMNS];
	struct conn_tail *tail[COLUMNS];
	uint8_t *frame[COLUMNS];
	struct step_columns columns;
	struct step_answer answer;
};

/** Bits by kind, to which one is added. */
static inline void
burst_kinds_add(struct burst_kinds *kinds, unsigned int kind)
{
	kinds->bits[kind / 64] |= UINT64_C(1) << kind % 64;
}

static inline bool
burst_kinds_have(const struct burst_kinds *kinds, unsigned int kind)
{
	return (kinds->bits[kind / 64] >> kind % 64 & 1) != 0;
}

/** @param lanes  A bit for each lane to which nothing has happened. */
static inline void
burst_group_leave(struct burst_group *group, uint32_t lanes)
{
	for (; lanes != 0; lanes &= lanes - 1)
		group->left |= UINT64_C(1) << group->packet[rte_bsf32(lanes)];
}

/** Let the segments of the lanes happen. */
void burst_group_step(struct burst_group *group);

#endif /* BURST_GROUP_H */
