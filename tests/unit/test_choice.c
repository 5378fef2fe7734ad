/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The four ways to choose a backend: fair, alike on all nodes, and never somebody who is not
 * available as long as anybody is.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <rte_byteorder.h>
#include <rte_common.h>

#include "balance/choice.h"
#include "random.h"
#include "tcp/flow_key.h"

#define SEED         13
#define BACKENDS_MAX 200
#define NUMBER_FIRST 100 /* Positions are not numbers. */
#define NUMBERS      (NUMBER_FIRST + BACKENDS_MAX)
#define CLIENTS      20000

static const struct siphash_key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};

static const enum choice_kind kinds[] = {
		CHOICE_MAGLEV, CHOICE_ROUND_ROBIN, CHOICE_LEAST_CONNECTIONS, CHOICE_SOURCE_HASH};

/* A pool and one worker of it. */
struct world {
	struct choice_backend backends[BACKENDS_MAX];
	uint8_t usable[NUMBERS];
	uint32_t own[NUMBERS];
	uint32_t others[NUMBERS];
	struct choice_load load;
	struct choice *choice;
	struct choice_state *state;
};

static void *
memory_new(size_t size)
{
	void *memory = aligned_alloc(64, size);

	assert_non_null(memory);
	assert_int_equal(size % 64, 0);
	memset(memory, 0xa5, size);
	return memory;
}

static struct choice *
choice_new(const struct choice_backend backends[], enum choice_kind kind, uint32_t n)
{
	const struct choice_pool pool = {.kind = kind,
			.backends = backends,
			.count = n,
			.table_size = MAGLEV_SIZE_DEFAULT,
			.key = &key};

	return choice_init(memory_new(choice_footprint(&pool)), &pool);
}

static struct world *
world_new(enum choice_kind kind, uint32_t n, const uint8_t weights[])
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	for (uint32_t i = 0; i < n; i++) {
		struct choice_backend *backend = &world->backends[i];

		flow_key_map_ipv4(backend->maglev.address, rte_cpu_to_be_32(0x0a000100 + i));
		backend->maglev.port = rte_cpu_to_be_16(80);
		backend->maglev.weight = weights == NULL ? 1 : weights[i];
		backend->number = (uint16_t)(NUMBER_FIRST + i);
	}
	memset(world->usable, 1, sizeof(world->usable));
	world->load = (struct choice_load){
			.usable = world->usable, .own = world->own, .others = world->others};
	world->choice = choice_new(world->backends, kind, n);
	world->state = choice_state_init(memory_new(choice_state_footprint(world->choice)),
			world->choice, &world->load, 0);
	return world;
}

static void
world_free(struct world *world)
{
	free(world->state);
	free(world->choice);
	free(world);
}

static struct choice_client
client_of(uint32_t number)
{
	struct choice_client client = {.port = rte_cpu_to_be_16((uint16_t)(1024 + number % 60000))};

	flow_key_map_ipv4(client.address, rte_cpu_to_be_32(0xc0000200 + number / 100));
	return client;
}

static uint32_t
pick(struct world *world, uint32_t client_number)
{
	const struct choice_client client = client_of(client_number);

	return choice_pick(world->choice, world->state, &client);
}

/* How many of CLIENTS connections, none of which ends, go to each number. */
static void
count_picks(struct world *world, uint32_t picks[NUMBERS])
{
	memset(picks, 0, NUMBERS * sizeof(picks[0]));
	for (uint32_t i = 0; i < CLIENTS; i++) {
		uint32_t number = pick(world, i);

		assert_in_range(number, NUMBER_FIRST, NUMBERS - 1);
		picks[number]++;
		world->own[number]++;
	}
}

static void
shares_follow_weights_in_every_kind(void **state)
{
	const uint8_t weights[] = {1, 2, 3, 4};

	(void)state;
	for (unsigned int k = 0; k < RTE_DIM(kinds); k++) {
		struct world *world = world_new(kinds[k], 4, weights);
		/* Turns and counts are exact; hashes of 20000 clients, or 200 of one address. */
		const uint32_t slack[] = {400, 2, 2, 1600};
		uint32_t picks[NUMBERS];

		count_picks(world, picks);
		for (uint32_t i = 0; i < 4; i++) {
			uint32_t fair = CLIENTS / 10 * weights[i];

			assert_in_range(picks[NUMBER_FIRST + i], fair - RTE_MIN(fair, slack[k]),
					fair + slack[k]);
		}
		world_free(world);
	}
}

static void
whoever_is_not_available_is_not_picked(void **state)
{
	uint64_t seed = SEED;

	(void)state;
	printf("seed %d\n", SEED);
	for (unsigned int trial = 0; trial < 60; trial++) {
		struct world *world;
		uint32_t n = 1 + random_below(&seed, BACKENDS_MAX);
		uint32_t available_percent = random_below(&seed, 101);
		uint8_t weights[BACKENDS_MAX];

		for (uint32_t i = 0; i < n; i++)
			weights[i] = (uint8_t)(random_below(&seed, 5) * random_below(&seed, 60));
		world = world_new(kinds[trial % RTE_DIM(kinds)], n, weights);
		for (uint32_t i = 0; i < n; i++)
			world->usable[NUMBER_FIRST + i] =
					random_below(&seed, 100) < available_percent;
		for (uint32_t i = 0; i < 500; i++) {
			struct choice_client client = client_of((uint32_t)random_next(&seed));
			uint32_t available = 0;
			uint32_t number;

			client.avoid_count = (uint8_t)random_below(&seed, CHOICE_AVOID_MAX + 1);
			for (unsigned int a = 0; a < client.avoid_count; a++)
				client.avoid[a] = (uint16_t)(NUMBER_FIRST + random_below(&seed, n));
			for (uint32_t b = 0; b < n; b++) {
				bool avoided = false;

				for (unsigned int a = 0; a < client.avoid_count; a++)
					avoided |= client.avoid[a] == NUMBER_FIRST + b;
				available += !avoided && weights[b] != 0 &&
					     world->usable[NUMBER_FIRST + b];
			}
			number = choice_pick(world->choice, world->state, &client);
			if (available == 0) {
				assert_int_equal(number, CHOICE_NONE);
				continue;
			}
			assert_in_range(number, NUMBER_FIRST, NUMBER_FIRST + n - 1);
			assert_true(world->usable[number]);
			assert_int_not_equal(weights[number - NUMBER_FIRST], 0);
			for (unsigned int a = 0; a < client.avoid_count; a++)
				assert_int_not_equal(number, client.avoid[a]);
			world->own[number]++;
		}
		world_free(world);
	}
}

static void
flows_of_others_stay_when_one_goes_down(void **state)
{
	struct world *world = world_new(CHOICE_MAGLEV, 10, NULL);
	uint32_t before[CLIENTS];
	uint32_t to[NUMBERS] = {0};
	uint32_t moved = 0;

	(void)state;
	for (uint32_t i = 0; i < CLIENTS; i++)
		before[i] = pick(world, i);
	world->usable[NUMBER_FIRST + 3] = 0;
	for (uint32_t i = 0; i < CLIENTS; i++) {
		uint32_t now = pick(world, i);

		if (before[i] != NUMBER_FIRST + 3) {
			assert_int_equal(now, before[i]);
		} else {
			to[now]++;
			moved++;
		}
	}
	/* And what moves goes to all of the others. */
	for (uint32_t i = 0; i < 10; i++)
		if (i != 3)
			assert_in_range(to[NUMBER_FIRST + i], moved / 9 * 7 / 10,
					moved / 9 * 13 / 10);
	world->usable[NUMBER_FIRST + 3] = 1;
	for (uint32_t i = 0; i < CLIENTS; i++)
		assert_int_equal(pick(world, i), before[i]);
	world_free(world);
}

static void
nodes_with_lists_in_another_order_choose_alike(void **state)
{
	struct world *world = world_new(CHOICE_MAGLEV, 20, NULL);
	struct choice_backend reversed[20];
	struct choice *other;

	(void)state;
	for (uint32_t i = 0; i < 20; i++)
		reversed[i] = world->backends[19 - i];
	other = choice_new(reversed, CHOICE_MAGLEV, 20);
	world->usable[NUMBER_FIRST + 7] = 0;
	for (uint32_t i = 0; i < CLIENTS; i++) {
		const struct choice_client client = client_of(i);
		uint64_t hash = choice_hash(other, client.address, client.port);

		assert_int_equal(choice_by_hash(other, &world->load, hash), pick(world, i));
	}
	free(other);
	world_free(world);
}

static void
source_hash_looks_at_the_address_alone(void **state)
{
	struct world *world = world_new(CHOICE_SOURCE_HASH, 10, NULL);
	struct world *by_flow = world_new(CHOICE_MAGLEV, 10, NULL);
	uint32_t differ = 0;

	(void)state;
	for (uint32_t i = 0; i < CLIENTS; i++) {
		assert_int_equal(pick(world, i), pick(world, i / 100 * 100));
		differ += pick(by_flow, i) != pick(by_flow, i / 100 * 100);
	}
	assert_true(differ > CLIENTS / 2);
	world_free(world);
	world_free(by_flow);
}

static void
connections_of_other_workers_count(void **state)
{
	struct world *world = world_new(CHOICE_LEAST_CONNECTIONS, 3, NULL);

	(void)state;
	world->others[NUMBER_FIRST] = 10;
	world->others[NUMBER_FIRST + 1] = 4;
	world->own[NUMBER_FIRST + 1] = 4;
	world->own[NUMBER_FIRST + 2] = 9;
	assert_int_equal(pick(world, 0), NUMBER_FIRST + 1);
	world->own[NUMBER_FIRST + 1] += 2;
	assert_int_equal(pick(world, 0), NUMBER_FIRST + 2);
	world_free(world);
}

static void
least_connections_spreads_over_a_large_pool(void **state)
{
	struct world *world = world_new(CHOICE_LEAST_CONNECTIONS, BACKENDS_MAX, NULL);
	uint32_t picks[NUMBERS];

	(void)state;
	count_picks(world, picks);
	for (uint32_t i = 0; i < BACKENDS_MAX; i++)
		assert_in_range(picks[NUMBER_FIRST + i], CLIENTS / BACKENDS_MAX - 2,
				CLIENTS / BACKENDS_MAX + 2);
	world_free(world);
}

static void
workers_begin_with_different_backends(void **state)
{
	struct world *world = world_new(CHOICE_ROUND_ROBIN, 3, NULL);
	const struct choice_client client = client_of(0);

	(void)state;
	for (uint32_t worker = 0; worker < 6; worker++) {
		struct choice_state *mine =
				choice_state_init(memory_new(choice_state_footprint(world->choice)),
						world->choice, &world->load, worker);

		assert_int_equal(choice_pick(world->choice, mine, &client),
				NUMBER_FIRST + worker % 3);
		free(mine);
	}
	world_free(world);
}

static void
empty_pool_has_nobody(void **state)
{
	(void)state;
	for (unsigned int k = 0; k < RTE_DIM(kinds); k++) {
		struct world *world = world_new(kinds[k], 0, NULL);

		assert_int_equal(pick(world, 1), CHOICE_NONE);
		assert_int_equal(choice_by_hash(world->choice, &world->load, 5), CHOICE_NONE);
		world_free(world);
	}
}

static void
positions_and_numbers_are_told_apart(void **state)
{
	const uint8_t weights[] = {7, 0, 9};
	struct world *world = world_new(CHOICE_MAGLEV, 3, weights);

	(void)state;
	assert_int_equal(choice_count(world->choice), 3);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(choice_number(world->choice, i), NUMBER_FIRST + i);
		assert_int_equal(choice_position(world->choice, (uint16_t)(NUMBER_FIRST + i)), i);
		assert_int_equal(choice_weight(world->choice, i), weights[i]);
	}
	assert_int_equal(choice_position(world->choice, 3), CHOICE_NONE);
	world_free(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(shares_follow_weights_in_every_kind),
			cmocka_unit_test(whoever_is_not_available_is_not_picked),
			cmocka_unit_test(flows_of_others_stay_when_one_goes_down),
			cmocka_unit_test(nodes_with_lists_in_another_order_choose_alike),
			cmocka_unit_test(source_hash_looks_at_the_address_alone),
			cmocka_unit_test(connections_of_other_workers_count),
			cmocka_unit_test(least_connections_spreads_over_a_large_pool),
			cmocka_unit_test(workers_begin_with_different_backends),
			cmocka_unit_test(empty_pool_has_nobody),
			cmocka_unit_test(positions_and_numbers_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
