/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef SYNCOOKIE_COLUMNS_H
#define SYNCOOKIE_COLUMNS_H

/**
 * @file
 * Cookies for sixteen SYNs that get the same offer: syncookie_make_offered() in columns.
 *
 * Flows and numbers come in arrays and go out in arrays, so that nothing is gathered one by one.
 * For CPUs with AVX-512; the others make their cookies as before.
 */

#include <stdbool.h>
#include <stdint.h>

#include "cookie/syncookie.h"

#define SYNCOOKIE_COLUMNS 16

/** SYNs with the same possible offer. */
struct syncookie_columns {
	const struct flow_key *flows;         /**< One behind the other. */
	uint32_t seq[SYNCOOKIE_COLUMNS];      /**< Theirs. */
	uint32_t ts_clock[SYNCOOKIE_COLUMNS]; /**< The TSval that each connection would send. */
	uint32_t isn[SYNCOOKIE_COLUMNS];      /**< Of the answer; filled, as is the next. */
	uint32_t tsval[SYNCOOKIE_COLUMNS];
};

/** Whether this CPU can. */
bool syncookie_columns_available(void);

/** Make the cookies of all; where there are fewer SYNs, the rest may be anything. */
void syncookie_columns_make(const struct syncookie_keys *keys, const struct syncookie_offer *offer,
		struct syncookie_columns *columns);

#endif /* SYNCOOKIE_COLUMNS_H */
