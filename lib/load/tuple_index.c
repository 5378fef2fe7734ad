/* SPDX-License-Identifier: BSD-3-Clause */

#include "load/tuple_index.h"

/*
 * With so many places for each connection one in sixteen, on average, finds its own taken; with
 * fewer where they would no longer stay near the core.
 */
#define PLACES_EACH      8
#define PLACES_EACH_MANY 2
#define BITS_MIN         10
#define BITS_NEAR        16
#define BITS_MAX         30

static uint32_t
bits_for(uint32_t connections)
{
	uint32_t bits = BITS_MIN;

	while (bits < BITS_NEAR && (UINT64_C(1) << bits) < (uint64_t)connections * PLACES_EACH)
		bits++;
	while (bits < BITS_MAX && (UINT64_C(1) << bits) < (uint64_t)connections * PLACES_EACH_MANY)
		bits++;
	return bits;
}

size_t
tuple_index_footprint(uint32_t connections)
{
	return ((size_t)1 << bits_for(connections)) * sizeof(uint32_t);
}

void
tuple_index_init(struct tuple_index *index, void *memory, uint32_t connections)
{
	index->word = memory;
	index->shift = 64 - bits_for(connections);
}
