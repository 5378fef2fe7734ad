/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * A binary heap of times in 2^-32 of a turn of weight 1.
 *
 * Times wrap after 2^32 rounds; two of them are never further apart than one round, so they are
 * compared by their difference.
 */

#include <stdbool.h>

#include "balance/turns.h"

#define ROUND (UINT64_C(1) << 32)

struct taker {
	uint64_t time;   /* Of its next turn. */
	uint64_t period; /* Between two of its turns. */
	uint32_t rank;
	uint32_t number;
};

struct turns {
	uint64_t count;
	struct taker heap[];
};

_Static_assert(sizeof(struct turns) % 8 == 0 && sizeof(struct taker) % 8 == 0,
		"what follows is aligned, too");

size_t
turns_footprint(uint32_t n)
{
	return sizeof(struct turns) + n * sizeof(struct taker);
}

static inline bool
is_before(const struct taker *a, const struct taker *b)
{
	const int64_t difference = (int64_t)(a->time - b->time);

	return difference < 0 || (difference == 0 && a->rank < b->rank);
}

/* Let the taker at @p at sink to where nobody below it comes before it. */
static void
sink(struct turns *turns, uint64_t at)
{
	struct taker *heap = turns->heap;
	const struct taker sinking = heap[at];

	for (;;) {
		uint64_t child = 2 * at + 1;

		if (child >= turns->count)
			break;
		if (child + 1 < turns->count && is_before(&heap[child + 1], &heap[child]))
			child++;
		if (is_before(&sinking, &heap[child]))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = sinking;
}

struct turns *
turns_init(void *memory, const uint8_t weights[], uint32_t n, uint32_t first)
{
	struct turns *turns = memory;

	turns->count = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct taker *taker = &turns->heap[turns->count];

		if (weights[i] == 0)
			continue;
		taker->period = ROUND / weights[i];
		taker->time = taker->period / 2;
		taker->rank = i >= first ? i - first : i + n - first;
		taker->number = i;
		turns->count++;
	}
	for (uint64_t at = turns->count / 2; at > 0; at--)
		sink(turns, at - 1);
	return turns;
}

uint32_t
turns_takers(const struct turns *turns)
{
	return (uint32_t)turns->count;
}

uint32_t
turns_next(struct turns *turns)
{
	uint32_t number;

	if (turns->count == 0)
		return TURNS_NONE;
	number = turns->heap[0].number;
	turns->heap[0].time += turns->heap[0].period;
	sink(turns, 0);
	return number;
}
