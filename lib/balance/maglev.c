/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Filling a Maglev table.
 *
 * The paper lets backends take turns in a fixed order and asks for weights by changing how often.
 * Here turns.h says whose turn it is, in an order that no other backend's weight influences;
 * otherwise the table would be reshuffled when the heaviest one leaves.  Ties go by the keyed hash,
 * not by the position: a list in another order makes the same table.
 */

#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "balance/maglev.h"
#include "balance/turns.h"

/* What makes two hashes of one backend independent. */
enum purpose {
	PURPOSE_OFFSET,
	PURPOSE_SKIP,
	PURPOSE_RANK,
};

struct permutation {
	uint64_t rank;
	uint32_t at;   /* The slot to try next. */
	uint32_t skip; /* From one slot to the next: prime to the size, so all are visited. */
	uint16_t position;
	uint8_t weight;
};

bool
maglev_size_is_good(uint32_t size)
{
	if (size < 3 || size > MAGLEV_SIZE_MAX || size % 2 == 0)
		return false;
	for (uint32_t divisor = 3; divisor * divisor <= size; divisor += 2)
		if (size % divisor == 0)
			return false;
	return true;
}

size_t
maglev_footprint(uint32_t size)
{
	return RTE_ALIGN_CEIL(sizeof(struct maglev) + size * sizeof(uint16_t), (size_t)8);
}

size_t
maglev_scratch(uint32_t n)
{
	return n * sizeof(struct permutation) + turns_footprint(n) + n;
}

static uint64_t
hash_backend(const struct siphash_key *key, const struct maglev_backend *backend,
		enum purpose purpose)
{
	uint8_t message[sizeof(backend->address) + sizeof(backend->port) + 1];

	memcpy(message, backend->address, sizeof(backend->address));
	memcpy(message + sizeof(backend->address), &backend->port, sizeof(backend->port));
	message[sizeof(message) - 1] = (uint8_t)purpose;
	return siphash_24(key, message, sizeof(message));
}

static int
compare_ranks(const void *left, const void *right)
{
	const struct permutation *a = left;
	const struct permutation *b = right;

	return (a->rank > b->rank) - (a->rank < b->rank);
}

/* The slot that the backend of @p permutation takes: the first free one. */
static uint32_t
take_slot(struct maglev *maglev, struct permutation *permutation)
{
	uint32_t slot;

	do {
		slot = permutation->at;
		permutation->at += permutation->skip;
		if (permutation->at >= maglev->size)
			permutation->at -= maglev->size;
	} while (maglev->owner[slot] != MAGLEV_NONE);
	return slot;
}

struct maglev *
maglev_init(void *memory, uint32_t size, const struct siphash_key *key,
		const struct maglev_backend backends[], uint32_t n, void *scratch)
{
	struct maglev *maglev = memory;
	struct permutation *permutations = scratch;
	void *turns_memory = &permutations[n];
	uint8_t *weights = (uint8_t *)turns_memory + turns_footprint(n);
	struct turns *turns;

	maglev->size = size;
	memset(maglev->owner, 0xff, size * sizeof(maglev->owner[0]));
	for (uint32_t i = 0; i < n; i++)
		permutations[i] = (struct permutation){
				.rank = hash_backend(key, &backends[i], PURPOSE_RANK),
				.at = (uint32_t)(hash_backend(key, &backends[i], PURPOSE_OFFSET) %
						 size),
				.skip = (uint32_t)(hash_backend(key, &backends[i], PURPOSE_SKIP) %
							(size - 1)) +
					1,
				.position = (uint16_t)i,
				.weight = backends[i].weight,
		};
	if (n != 0)
		qsort(permutations, n, sizeof(permutations[0]), compare_ranks);
	for (uint32_t i = 0; i < n; i++)
		weights[i] = permutations[i].weight;
	turns = turns_init(turns_memory, weights, n, 0);
	for (uint32_t taken = 0; taken < size && turns_takers(turns) != 0; taken++) {
		struct permutation *permutation = &permutations[turns_next(turns)];

		maglev->owner[take_slot(maglev, permutation)] = permutation->position;
	}
	return maglev;
}
