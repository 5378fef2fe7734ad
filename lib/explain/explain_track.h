/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef EXPLAIN_TRACK_H
#define EXPLAIN_TRACK_H

/**
 * @file
 * The rules of explain_conn.h's tracker; nobody but explain_conn.c calls it.
 */

#include "explain/explain_conn.h"

/** One segment on its way from one end to the other. */
struct track {
	struct explain_conn *conn;
	const struct explain_packet *packet;
	struct explain_step *step;
	struct explain_end *sender;
	struct explain_end *receiver;
	uint32_t data_seq; /**< Of the first byte of payload. */
	uint32_t end_seq;  /**< SEG.SEQ + SEG.LEN */
};

static inline uint32_t
track_bit(enum explain_event event)
{
	return 1u << event;
}

static inline void
track_name(const struct track *track, enum explain_event event)
{
	track->step->events |= track_bit(event);
}

static inline bool
track_named(const struct track *track, enum explain_event event)
{
	return track->step->events & track_bit(event);
}

/** Name the segment, and move both ends on. */
void track_segment(const struct track *track);

/** The same for one with RST. */
void track_reset(const struct track *track);

/** SEG.WND in bytes. */
uint32_t track_window(const struct track *track);

#endif /* EXPLAIN_TRACK_H */
