/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef CLOCK_H
#define CLOCK_H

/**
 * @file
 * Microseconds since the engine started, from the time stamp counter, by multiplication.
 *
 * A clock that stands still and is moved by hand (tests, replay) has the factor 0.
 */

#include <stdint.h>

#include <rte_cycles.h>

struct clock {
	uint64_t start_tsc;
	uint64_t us_per_tsc_2_64; /**< 2^64 times microseconds per cycle. */
	uint64_t base_us;         /**< Added to what the counter says. */
};

static inline void
clock_init(struct clock *clock)
{
	clock->start_tsc = rte_get_tsc_cycles();
	clock->base_us = 0;
	clock->us_per_tsc_2_64 = (uint64_t)(((unsigned __int128)1000000 << 64) / rte_get_tsc_hz());
}

static inline uint64_t
clock_us(const struct clock *clock)
{
	const uint64_t tsc = rte_get_tsc_cycles() - clock->start_tsc;

	return clock->base_us + (uint64_t)(((unsigned __int128)tsc * clock->us_per_tsc_2_64) >> 64);
}

#endif /* CLOCK_H */
