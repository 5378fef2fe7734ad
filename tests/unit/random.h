/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef RANDOM_H
#define RANDOM_H

/**
 * @file
 * Repeatable random numbers for property tests (splitmix64).  Tests print their seed.
 */

#include <stddef.h>
#include <stdint.h>

static inline uint64_t
random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/** A number below @p limit. */
static inline uint32_t
random_below(uint64_t *state, uint32_t limit)
{
	return (uint32_t)((random_next(state) >> 32) * limit >> 32);
}

static inline void
random_fill(uint64_t *state, uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)random_next(state);
}

#endif /* RANDOM_H */
