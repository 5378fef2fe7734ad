/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef SYNCOOKIE_COLUMNS_H
#define SYNCOOKIE_COLUMNS_H

/**
 * @file
 * Cookies for sixteen SYNs that get the same offer: syncookie_make_offered() in columns.
 *
 * Flows and segments come as they lie in a burst, and what answers say goes out in arrays, so that
 * nothing is gathered one by one.
 * For CPUs with AVX-512; the others make their cookies as before.
 */

#include <stdbool.h>
#include <stdint.h>

#include "cookie/syncookie.h"

#define SYNCOOKIE_COLUMNS 16

/** SYNs with the same possible offer. */
struct syncookie_columns {
	const struct flow_key *flows; /**< One behind the other, of all columns; so are these. */
	const struct tcp_segment *segments;
	const uint64_t *hashes; /**< Of @p n flows. */
	unsigned int n;
	uint32_t ts_clock;     /**< The TSval that each connection would send, */
	uint32_t ts_flow_mask; /**< and the bits of its hash's upper half that are added to it. */
	/** Of the answers; filled.  SYNCOOKIE_COLUMNS each. */
	uint32_t *seq;
	uint32_t *ack;
	uint32_t *tsval;
	uint32_t *tsecr;
};

/** Whether this CPU can. */
bool syncookie_columns_available(void);

/** Make the cookies of all; where there are fewer SYNs, the rest may be anything.
 * All rows may be read. */
void syncookie_columns_make(const struct syncookie_keys *keys, const struct syncookie_offer *offer,
		const struct syncookie_columns *columns);

#endif /* SYNCOOKIE_COLUMNS_H */
