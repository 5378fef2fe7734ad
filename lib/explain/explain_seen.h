/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef EXPLAIN_SEEN_H
#define EXPLAIN_SEEN_H

/**
 * @file
 * Which part of what an end said is in the capture, so that every byte counts once: when it is
 * there for the first time, in whatever order and in however many segments.
 *
 * It is what the capture has, not what the other end has: that may have acknowledged what comes
 * here later, or never.  Holes take memory as long as there are any, half a kilobyte.  When there
 * are more than EXPLAIN_HOLES the lowest is forgotten, and what fills it later counts as seen: too
 * little is counted then, never too much.
 */

#include <stdint.h>

#define EXPLAIN_HOLES 64

/** Sequence space [from, to). */
struct explain_piece {
	uint32_t from;
	uint32_t to;
};

struct explain_seen {
	uint32_t next;               /**< After the highest that was there. */
	struct explain_holes *holes; /**< Below it; NULL: none. */
};

/** Begin, or begin anew, with @p next as the first byte. */
void explain_seen_start(struct explain_seen *seen, uint32_t next);

/** Note [@p from, @p to). @return how many of its bytes are new. */
uint32_t explain_seen_add(struct explain_seen *seen, uint32_t from, uint32_t to);

void explain_seen_free(struct explain_seen *seen);

#endif /* EXPLAIN_SEEN_H */
