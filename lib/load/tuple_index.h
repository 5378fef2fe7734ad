/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TUPLE_INDEX_H
#define TUPLE_INDEX_H

/**
 * @file
 * Where a generator's connection is, by its tuple: one place for each, in front of the table.
 *
 * A table whose keys others choose needs a keyed hash, and two buckets for each key.  A generator
 * chooses its tuples itself, so a few multiplications are hash enough, and a tuple whose place is
 * taken can be left alone, or go to the table: the place counts those.  So what the index does not
 * know it need not ask the table for, mostly.
 *
 * Peers can look for any tuple, but bring none in.  One writer, nothing is locked.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <rte_prefetch.h>

#include "tcp/flow_key.h"

/** Nobody is there. */
#define TUPLE_INDEX_NONE UINT32_MAX

/** A place's word: the slot of who is there, plus one, or 0; above that, how many are elsewhere. */
#define TUPLE_INDEX_SLOT_BITS 29
#define TUPLE_INDEX_SLOT      ((UINT32_C(1) << TUPLE_INDEX_SLOT_BITS) - 1)
#define TUPLE_INDEX_AWAY_ONE  (UINT32_C(1) << TUPLE_INDEX_SLOT_BITS)
#define TUPLE_INDEX_AWAY      (~TUPLE_INDEX_SLOT)

struct tuple_index {
	uint32_t *word; /**< Of each place: one line says all. */
	uint32_t shift; /**< What is left of 64 bits is a place. */
};

/** Connections at once, at most: so many as may be asked for. */
#define TUPLE_INDEX_CONNECTIONS_MAX (1u << 28)

_Static_assert(TUPLE_INDEX_CONNECTIONS_MAX <= TUPLE_INDEX_SLOT, "every slot plus one fits");

/** Bytes for so many connections at once. */
size_t tuple_index_footprint(uint32_t connections);

/**
 * @param memory
 *   tuple_index_footprint(connections) bytes of zeroes, aligned to 64, which stay the caller's.
 */
void tuple_index_init(struct tuple_index *index, void *memory, uint32_t connections);

/** The place of a tuple. */
static inline uint32_t
tuple_index_place(const struct tuple_index *index, const struct flow_key *key)
{
	uint64_t word[2];
	uint32_t last;
	uint64_t hash;

	memcpy(word, key->address, sizeof(word));
	memcpy(&last, &key->port, sizeof(last));
	hash = word[0] * UINT64_C(0x9e3779b97f4a7c15) + word[1] * UINT64_C(0xc2b2ae3d27d4eb4f);
	/* What is consecutive differs in high bits, of bytes in network order: down with them. */
	hash ^= hash >> 32;
	hash += last * UINT64_C(0x165667b19e3779f9);
	hash ^= hash >> 29;
	return (uint32_t)((hash * UINT64_C(0xff51afd7ed558ccd)) >> index->shift);
}

/** Fetch what is known of a place. */
static inline void
tuple_index_prefetch(const struct tuple_index *index, uint32_t place)
{
	rte_prefetch0(&index->word[place]);
}

/** Who is at a place, whatever its tuple; or TUPLE_INDEX_NONE. */
static inline uint32_t
tuple_index_at(const struct tuple_index *index, uint32_t place)
{
	return (index->word[place] & TUPLE_INDEX_SLOT) - 1;
}

static inline void
tuple_index_set(struct tuple_index *index, uint32_t place, uint32_t slot)
{
	index->word[place] = (index->word[place] & TUPLE_INDEX_AWAY) | (slot + 1);
}

static inline void
tuple_index_clear(struct tuple_index *index, uint32_t place)
{
	index->word[place] &= TUPLE_INDEX_AWAY;
}

/** Whether tuples of a place may be elsewhere. */
static inline bool
tuple_index_has_away(const struct tuple_index *index, uint32_t place)
{
	return index->word[place] > TUPLE_INDEX_SLOT;
}

/** A tuple of the place went elsewhere; of the most that can be counted it is not known any more.
 */
static inline void
tuple_index_sent_away(struct tuple_index *index, uint32_t place)
{
	if (index->word[place] < TUPLE_INDEX_AWAY)
		index->word[place] += TUPLE_INDEX_AWAY_ONE;
}

/** One is not there any more. */
static inline void
tuple_index_came_back(struct tuple_index *index, uint32_t place)
{
	if (index->word[place] < TUPLE_INDEX_AWAY)
		index->word[place] -= TUPLE_INDEX_AWAY_ONE;
}

#endif /* TUPLE_INDEX_H */
