/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef PACE_H
#define PACE_H

/**
 * @file
 * When the next connection of an open loop is to begin: evenly, or as a Poisson process.
 *
 * The plan does not wait for whoever carries it out.  A start that comes late keeps the time at
 * which it was due, so that latencies measured from there hold what a real client would have
 * waited for (coordinated omission).  Times are kept in 2^-16 microseconds: at ten million starts
 * a second the error of a gap is below 2^-10.  Taking a start costs an addition, for Poisson a
 * multiplication and a table of quantiles; no division, no logarithm.
 */

#include <stdbool.h>
#include <stdint.h>

enum pace_shape {
	PACE_EVEN,
	PACE_POISSON,
};

#define PACE_QUANTILE_BITS 12
/* Times are in 2^-PACE_SHIFT us. */
#define PACE_SHIFT 16

struct pace {
	enum pace_shape shape;
	uint64_t next; /**< When the next start is due, in 2^-16 us. */
	uint64_t gap;  /**< Mean distance in 2^-16 us; 0: no starts. */
	uint64_t random;
	uint32_t quantile[1 << PACE_QUANTILE_BITS]; /**< Of the exponential distribution, mean
						       2^16. */
};

/** Begin at @p now_us without any rate; @p seed is not 0. */
void pace_init(struct pace *pace, enum pace_shape shape, uint64_t seed, uint64_t now_us);

/** From now on @p per_second starts; 0 stops. */
void pace_set_rate(struct pace *pace, double per_second, uint64_t now_us);

/**
 * Take one start that is due.
 *
 * @param intended_us
 *   When it was due, at or before @p now_us.
 * @return
 *   false when none is due.
 */
bool pace_take(struct pace *pace, uint64_t now_us, uint64_t *intended_us);

/** When the first start that was not taken is due. */
static inline uint64_t
pace_next_us(const struct pace *pace)
{
	return pace->next >> PACE_SHIFT;
}

#endif /* PACE_H */
