/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef GCRA_H
#define GCRA_H

/**
 * @file
 * The generic cell rate algorithm (ITU-T I.371): a token bucket in one number, the time when it
 * will be full again.
 *
 * Taking a token moves that time on by what a token takes to come back; a bucket that holds one
 * second's worth is empty when the time is a second ahead.  Nothing is divided when packets come,
 * zeroed memory is a full bucket, and one word is enough to share a bucket between workers.
 */

#include <stdbool.h>
#include <stdint.h>

/** Time is counted in 2^-16 microseconds: fine enough for rates of millions, and for nine years. */
#define GCRA_SHIFT_US 16
#define GCRA_SECOND   (UINT64_C(1000000) << GCRA_SHIFT_US)

/** How long a token takes to come back; for control, since this divides.  @p rate is not 0. */
static inline uint64_t
gcra_cost(uint32_t rate_per_second)
{
	const uint64_t cost = GCRA_SECOND / rate_per_second;

	return cost == 0 ? 1 : cost;
}

static inline uint64_t
gcra_time(uint64_t now_us)
{
	return now_us << GCRA_SHIFT_US;
}

/**
 * Take a token, if there is one.
 *
 * @param full_at
 *   The bucket.
 * @param now
 *   gcra_time().
 */
static inline bool
gcra_take(uint64_t *full_at, uint64_t now, uint64_t cost)
{
	const uint64_t from = *full_at > now ? *full_at : now;

	if (from - now > GCRA_SECOND - cost)
		return false;
	*full_at = from + cost;
	return true;
}

/** The same of a bucket that others take from, too; at most a second's worth at a time. */
static inline bool
gcra_take_shared(uint64_t *full_at, uint64_t now, uint64_t cost)
{
	uint64_t seen = __atomic_load_n(full_at, __ATOMIC_RELAXED);
	uint64_t next;

	do {
		next = seen;
		if (!gcra_take(&next, now, cost))
			return false;
	} while (!__atomic_compare_exchange_n(
			full_at, &seen, next, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return true;
}

#endif /* GCRA_H */
