/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The four ways to choose, each bounded in time whoever is down.
 *
 * A way that names a backend which is not available asks again a bounded number of times; what is
 * left then is a walk over all.  That happens when nearly everybody is down.
 */

#include <string.h>

#include <rte_common.h>

#include "balance/choice.h"
#include "balance/turns.h"
#include "tcp/flow_key.h"

/* How often a way may name somebody who is not available. */
#define ATTEMPTS_MAX 32

/* Backends compared by least_connections; in a larger pool another window of them each time. */
#define COMPARED_MAX 64

struct choice {
	enum choice_kind kind;
	uint32_t count;
	struct siphash_key key;
	struct maglev *maglev;
	uint16_t *numbers; /* By position. */
	uint8_t *weights;  /* By position. */
} __rte_aligned(64);

struct choice_state {
	const struct choice_load *load;
	struct turns *turns;
	uint32_t cursor; /* A position. */
} __rte_aligned(64);

/* Where the parts are, from the beginning. */
struct layout {
	size_t maglev, numbers, weights, backends, scratch, end;
};

static struct layout
layout_of(const struct choice_pool *pool)
{
	struct layout layout;

	layout.maglev = sizeof(struct choice);
	layout.numbers = layout.maglev + maglev_footprint(pool->table_size);
	layout.weights = layout.numbers + pool->count * sizeof(uint16_t);
	layout.backends = RTE_ALIGN_CEIL(layout.weights + pool->count, (size_t)8);
	layout.scratch = RTE_ALIGN_CEIL(
			layout.backends + pool->count * sizeof(struct maglev_backend), (size_t)8);
	layout.end = RTE_ALIGN_CEIL(layout.scratch + maglev_scratch(pool->count), (size_t)64);
	return layout;
}

size_t
choice_footprint(const struct choice_pool *pool)
{
	return layout_of(pool).end;
}

struct choice *
choice_init(void *memory, const struct choice_pool *pool)
{
	const struct layout layout = layout_of(pool);
	struct choice *choice = memory;
	uint8_t *bytes = memory;
	uint8_t *backends = bytes + layout.backends;

	*choice = (struct choice){
			.kind = pool->kind,
			.count = pool->count,
			.key = *pool->key,
			.numbers = (uint16_t *)(bytes + layout.numbers),
			.weights = bytes + layout.weights,
	};
	for (uint32_t i = 0; i < pool->count; i++) {
		choice->numbers[i] = pool->backends[i].number;
		choice->weights[i] = pool->backends[i].maglev.weight;
		memcpy(backends + i * sizeof(struct maglev_backend), &pool->backends[i].maglev,
				sizeof(struct maglev_backend));
	}
	choice->maglev = maglev_init(bytes + layout.maglev, pool->table_size, pool->key,
			(const struct maglev_backend *)backends, pool->count,
			bytes + layout.scratch);
	return choice;
}

uint32_t
choice_count(const struct choice *choice)
{
	return choice->count;
}

uint16_t
choice_number(const struct choice *choice, uint32_t position)
{
	return choice->numbers[position];
}

uint32_t
choice_position(const struct choice *choice, uint16_t number)
{
	for (uint32_t i = 0; i < choice->count; i++)
		if (choice->numbers[i] == number)
			return i;
	return CHOICE_NONE;
}

uint8_t
choice_weight(const struct choice *choice, uint32_t position)
{
	return choice->weights[position];
}

size_t
choice_state_footprint(const struct choice *choice)
{
	return RTE_ALIGN_CEIL(
			sizeof(struct choice_state) + turns_footprint(choice->count), (size_t)64);
}

struct choice_state *
choice_state_init(void *memory, const struct choice *choice, const struct choice_load *load,
		uint32_t worker)
{
	struct choice_state *state = memory;
	uint32_t first = choice->count == 0 ? 0 : worker % choice->count;

	/* Workers that all began with the same backend would visit it together for ever. */
	*state = (struct choice_state){.load = load, .cursor = first};
	state->turns = turns_init(state + 1, choice->weights, choice->count, first);
	return state;
}

static inline bool
is_usable(const struct choice *choice, const struct choice_load *load, uint32_t position)
{
	return choice->weights[position] != 0 &&
	       __atomic_load_n(&load->usable[choice->numbers[position]], __ATOMIC_RELAXED) != 0;
}

static inline bool
is_avoided(const struct choice *choice, const struct choice_client *client, uint32_t position)
{
	for (unsigned int i = 0; i < client->avoid_count; i++)
		if (client->avoid[i] == choice->numbers[position])
			return true;
	return false;
}

/* Nobody yet tried, when the choice is by hash alone. */
static const struct choice_client anybody;

static inline bool
is_available(const struct choice *choice, const struct choice_load *load,
		const struct choice_client *client, uint32_t position)
{
	return is_usable(choice, load, position) && !is_avoided(choice, client, position);
}

static inline uint32_t
position_after(const struct choice *choice, uint32_t position)
{
	return position + 1 == choice->count ? 0 : position + 1;
}

/* The first available one from @p position on, or CHOICE_NONE. */
static uint32_t
walk(const struct choice *choice, const struct choice_load *load,
		const struct choice_client *client, uint32_t position)
{
	for (uint32_t i = 0; i < choice->count; i++) {
		if (is_available(choice, load, client, position))
			return position;
		position = position_after(choice, position);
	}
	return CHOICE_NONE;
}

/* Another hash from a hash; the upper bits are what is looked at. */
static inline uint64_t
hash_again(uint64_t hash)
{
	hash = (hash ^ hash >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return (hash ^ hash >> 32) * UINT64_C(0xd6e8feb86659fd93);
}

static uint32_t
pick_by_hash(const struct choice *choice, const struct choice_load *load,
		const struct choice_client *client, uint64_t hash)
{
	for (unsigned int i = 0; i < ATTEMPTS_MAX; i++) {
		uint16_t position = maglev_lookup(choice->maglev, hash);

		if (position == MAGLEV_NONE)
			return CHOICE_NONE;
		if (is_available(choice, load, client, position))
			return position;
		hash = hash_again(hash);
	}
	return walk(choice, load, client, (uint32_t)((hash >> 32) * choice->count >> 32));
}

static uint32_t
pick_in_turn(const struct choice *choice, struct choice_state *state,
		const struct choice_client *client)
{
	uint32_t position = 0;

	for (unsigned int i = 0; i < ATTEMPTS_MAX; i++) {
		position = turns_next(state->turns);
		if (position == TURNS_NONE)
			return CHOICE_NONE;
		if (is_available(choice, state->load, client, position))
			return position;
	}
	state->cursor = position_after(choice, state->cursor);
	return walk(choice, state->load, client, state->cursor);
}

/* Connections of all workers to a backend. */
static inline uint64_t
connections(const struct choice_load *load, uint16_t number)
{
	return (uint64_t)load->own[number] +
	       __atomic_load_n(&load->others[number], __ATOMIC_RELAXED);
}

static uint32_t
pick_least(const struct choice *choice, struct choice_state *state,
		const struct choice_client *client)
{
	const uint32_t window = RTE_MIN(choice->count, (uint32_t)COMPARED_MAX);
	uint32_t position = state->cursor;
	uint32_t best = CHOICE_NONE;
	uint64_t best_count = 0;
	uint64_t best_weight = 0;

	for (uint32_t i = 0; i < window; i++) {
		if (is_available(choice, state->load, client, position)) {
			/* One more than there are: what it would be, so that an idle backend of
			 * greater weight comes first. */
			uint64_t count = connections(state->load, choice->numbers[position]) + 1;
			uint64_t weight = choice->weights[position];

			if (best == CHOICE_NONE || count * best_weight < best_count * weight) {
				best = position;
				best_count = count;
				best_weight = weight;
			}
		}
		position = position_after(choice, position);
	}
	if (best == CHOICE_NONE)
		return walk(choice, state->load, client, position);
	state->cursor = position_after(choice, state->cursor);
	return best;
}

uint64_t
choice_hash(const struct choice *choice, const uint8_t address[16], rte_be16_t port)
{
	struct flow_key key = {.port = choice->kind == CHOICE_SOURCE_HASH ? 0 : port};

	memcpy(key.address, address, sizeof(key.address));
	return siphash_flow(&choice->key, &key);
}

uint32_t
choice_pick(const struct choice *choice, struct choice_state *state,
		const struct choice_client *client)
{
	uint32_t position = CHOICE_NONE;

	if (choice->count == 0)
		return CHOICE_NONE;
	switch (choice->kind) {
	case CHOICE_MAGLEV:
	case CHOICE_SOURCE_HASH:
		position = pick_by_hash(choice, state->load, client,
				choice_hash(choice, client->address, client->port));
		break;
	case CHOICE_ROUND_ROBIN:
		position = pick_in_turn(choice, state, client);
		break;
	case CHOICE_LEAST_CONNECTIONS:
		position = pick_least(choice, state, client);
		break;
	}
	return position == CHOICE_NONE ? CHOICE_NONE : choice->numbers[position];
}

uint32_t
choice_by_hash(const struct choice *choice, const struct choice_load *load, uint64_t hash)
{
	uint32_t position;

	if (choice->count == 0)
		return CHOICE_NONE;
	position = pick_by_hash(choice, load, &anybody, hash);
	return position == CHOICE_NONE ? CHOICE_NONE : choice->numbers[position];
}
