/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TIME_WAIT_AWAY_H
#define TIME_WAIT_AWAY_H

/**
 * @file
 * What a bucket of TIME_WAIT's index knows of the keys it sent away: their kinds, which are
 * sixteenths of all tags, and when the newest of them came; for time_wait.c alone.
 *
 * Both in one word, bucket.sent_away.  Its upper half is an era, a piece of a lap of the ring, so
 * that what is said of those who left means nothing after a while, and nobody counts back.
 */

#include <stdbool.h>
#include <stdint.h>

#include <rte_bitops.h>
#include <rte_common.h>

#include "table/bucket.h"

/** How positions in the ring become eras. */
struct time_wait_away {
	uint32_t shift;
	uint32_t mask; /**< As many bits as an era has: 16, or those that the shift leaves. */
};

/** A lap has 32 to 64 eras, if it has so many slots; and there are more than twice as many. */
static inline struct time_wait_away
time_wait_away_for(uint32_t capacity)
{
	const uint32_t shift = capacity < 64 ? 0 : rte_fls_u32(capacity) - 6;

	return (struct time_wait_away){
			.shift = shift,
			.mask = UINT16_MAX >> (shift > 16 ? shift - 16 : 0),
	};
}

static inline uint32_t
time_wait_away_kind(uint16_t tag)
{
	return UINT32_C(1) << tag / 4096;
}

/** Eras from one to another one. */
static inline uint32_t
time_wait_away_age(const struct time_wait_away *away, uint32_t era, uint32_t newest)
{
	return ((newest >> away->shift) - era) & away->mask;
}

static inline bool
time_wait_away_any(const struct time_wait_away *away, const struct bucket *home, uint32_t newest,
		uint32_t used)
{
	return time_wait_away_age(away, home->sent_away >> 16, newest) <= (used >> away->shift) + 1;
}

/**
 * Whether a key may be away.
 *
 * @param newest
 *   The last position in use.
 * @param used
 *   So many positions up to it are.
 */
static inline bool
time_wait_away_has(const struct time_wait_away *away, const struct bucket *home, uint16_t tag,
		uint32_t newest, uint32_t used)
{
	return (home->sent_away & time_wait_away_kind(tag)) != 0 &&
	       time_wait_away_any(away, home, newest, used);
}

/** A key went away: of all who did, the newest will leave last. */
static inline void
time_wait_away_note(const struct time_wait_away *away, struct bucket *home, uint16_t tag,
		uint32_t position, uint32_t newest, uint32_t used)
{
	uint32_t era = position >> away->shift & away->mask;
	uint32_t kinds = time_wait_away_kind(tag);

	if (time_wait_away_any(away, home, newest, used)) {
		const uint32_t last = home->sent_away >> 16;

		kinds |= home->sent_away & UINT16_MAX;
		if (time_wait_away_age(away, last, newest) < time_wait_away_age(away, era, newest))
			era = last;
	}
	home->sent_away = era << 16 | kinds;
}

#endif /* TIME_WAIT_AWAY_H */
