/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Maglev tables: shares, how little moves, what the table depends on, and what it does not.
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

#include "balance/maglev.h"
#include "random.h"
#include "tcp/flow_key.h"

#define SEED         12
#define BACKENDS_MAX 64
#define SIZE         MAGLEV_SIZE_DEFAULT

/* What the issue allows beyond the share of who leaves. */
#define MOVED_BEYOND_MAX 0.02

static const struct siphash_key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};

static struct maglev *
table_new(const struct maglev_backend backends[], uint32_t n, uint32_t size,
		const struct siphash_key *with)
{
	void *memory = malloc(maglev_footprint(size));
	void *scratch = malloc(maglev_scratch(n) + 1);
	struct maglev *maglev;

	assert_non_null(memory);
	assert_non_null(scratch);
	memset(memory, 0xa5, maglev_footprint(size));
	memset(scratch, 0xa5, maglev_scratch(n));
	maglev = maglev_init(memory, size, with, backends, n, scratch);
	free(scratch);
	return maglev;
}

static struct maglev_backend
backend_of(uint32_t number, uint8_t weight)
{
	struct maglev_backend backend = {.port = rte_cpu_to_be_16(80), .weight = weight};

	flow_key_map_ipv4(backend.address, rte_cpu_to_be_32(0x0a000100 + number));
	return backend;
}

static uint32_t
weights_sum(const struct maglev_backend backends[], uint32_t n)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += backends[i].weight;
	return sum;
}

/*
 * Every owner has the slots of its weight: each rounds by at most half a slot, so the table ends at
 * most n / 2 slots early or late, which are shared by weight.
 */
static void
expect_shares(const struct maglev *maglev, const struct maglev_backend backends[], uint32_t n)
{
	const uint32_t sum = weights_sum(backends, n);
	uint32_t slots[BACKENDS_MAX] = {0};

	for (uint32_t i = 0; i < maglev->size; i++) {
		assert_true(maglev->owner[i] < n);
		slots[maglev->owner[i]]++;
	}
	for (uint32_t i = 0; i < n; i++) {
		double fair = (double)maglev->size * backends[i].weight / sum;

		double slack = 1 + (double)n / 2 * backends[i].weight / sum;

		assert_true(slots[i] <= fair + slack && slots[i] >= fair - slack);
	}
}

/* The part of the table that moves when each of the backends leaves in turn; the worst excess. */
static double
worst_excess(struct maglev_backend backends[], uint32_t n)
{
	const uint32_t sum = weights_sum(backends, n);
	struct maglev *before = table_new(backends, n, SIZE, &key);
	double worst = 0;

	expect_shares(before, backends, n);
	for (uint32_t gone = 0; gone < n; gone += 1 + n / 4) {
		const uint8_t weight = backends[gone].weight;
		struct maglev *after;
		uint32_t moved = 0;
		double excess;

		backends[gone].weight = 0;
		after = table_new(backends, n, SIZE, &key);
		backends[gone].weight = weight;
		for (uint32_t i = 0; i < SIZE; i++) {
			assert_int_not_equal(after->owner[i], gone);
			moved += after->owner[i] != before->owner[i];
		}
		excess = (double)moved / SIZE - (double)weight / sum;
		worst = excess > worst ? excess : worst;
		free(after);
	}
	free(before);
	return worst;
}

static void
few_flows_move_when_one_of_equals_leaves(void **state)
{
	double worst = 0;

	(void)state;
	for (uint32_t n = 2; n <= BACKENDS_MAX; n++) {
		struct maglev_backend backends[BACKENDS_MAX];
		double excess;

		for (uint32_t i = 0; i < n; i++)
			backends[i] = backend_of(i, 1);
		excess = worst_excess(backends, n);
		assert_true(excess <= MOVED_BEYOND_MAX);
		worst = excess > worst ? excess : worst;
	}
	printf("at most 1/N + %.2f %% moved, N = 2 to %d\n", 100 * worst, BACKENDS_MAX);
}

static void
few_flows_move_when_a_weighted_one_leaves(void **state)
{
	uint64_t seed = SEED;
	double worst = 0;

	(void)state;
	printf("seed %d\n", SEED);
	for (uint32_t n = 2; n <= BACKENDS_MAX; n++) {
		struct maglev_backend backends[BACKENDS_MAX];
		double excess;

		for (uint32_t i = 0; i < n; i++)
			backends[i] = backend_of(i, (uint8_t)(1 + random_below(&seed, 255)));
		excess = worst_excess(backends, n);
		assert_true(excess <= MOVED_BEYOND_MAX);
		worst = excess > worst ? excess : worst;
	}
	printf("at most its share + %.2f %% moved, N = 2 to %d\n", 100 * worst, BACKENDS_MAX);
}

static void
few_flows_move_when_the_giant_leaves(void **state)
{
	struct maglev_backend backends[BACKENDS_MAX];

	(void)state;
	for (uint32_t i = 0; i < BACKENDS_MAX; i++)
		backends[i] = backend_of(i, i == 0 ? 255 : 1);
	assert_true(worst_excess(backends, BACKENDS_MAX) <= MOVED_BEYOND_MAX);
}

static void
order_in_the_list_does_not_matter(void **state)
{
	struct maglev_backend backends[BACKENDS_MAX];
	struct maglev_backend reversed[BACKENDS_MAX];
	struct maglev *one;
	struct maglev *other;

	(void)state;
	for (uint32_t i = 0; i < BACKENDS_MAX; i++) {
		backends[i] = backend_of(i, (uint8_t)(1 + i % 3));
		reversed[BACKENDS_MAX - 1 - i] = backends[i];
	}
	one = table_new(backends, BACKENDS_MAX, SIZE, &key);
	other = table_new(reversed, BACKENDS_MAX, SIZE, &key);
	for (uint32_t i = 0; i < SIZE; i++)
		assert_int_equal(one->owner[i], BACKENDS_MAX - 1 - other->owner[i]);
	free(one);
	free(other);
}

static void
another_key_makes_another_table(void **state)
{
	const struct siphash_key another = {key.k0, key.k1 ^ 1};
	struct maglev_backend backends[10];
	struct maglev *one;
	struct maglev *other;
	uint32_t same = 0;

	(void)state;
	for (uint32_t i = 0; i < 10; i++)
		backends[i] = backend_of(i, 1);
	one = table_new(backends, 10, SIZE, &key);
	other = table_new(backends, 10, SIZE, &another);
	for (uint32_t i = 0; i < SIZE; i++)
		same += one->owner[i] == other->owner[i];
	assert_in_range(same, SIZE / 10 * 8 / 10, SIZE / 10 * 12 / 10);
	free(one);
	free(other);
}

static void
port_tells_backends_apart(void **state)
{
	struct maglev_backend backends[2] = {backend_of(1, 1), backend_of(1, 1)};
	struct maglev *maglev;

	(void)state;
	backends[1].port = rte_cpu_to_be_16(81);
	maglev = table_new(backends, 2, SIZE, &key);
	expect_shares(maglev, backends, 2);
	free(maglev);
}

static void
table_without_weight_is_empty(void **state)
{
	struct maglev_backend backends[2] = {backend_of(1, 0), backend_of(2, 0)};
	struct maglev *maglev = table_new(backends, 2, 7, &key);

	(void)state;
	for (uint32_t i = 0; i < 7; i++)
		assert_int_equal(maglev->owner[i], MAGLEV_NONE);
	assert_int_equal(maglev_lookup(maglev, UINT64_MAX), MAGLEV_NONE);
	free(maglev);
	maglev = table_new(NULL, 0, 7, &key);
	assert_int_equal(maglev_lookup(maglev, 0), MAGLEV_NONE);
	free(maglev);
}

static void
smallest_table_serves_as_many_as_it_has_slots(void **state)
{
	const struct maglev_backend backends[3] = {
			backend_of(1, 1), backend_of(2, 1), backend_of(3, 1)};
	struct maglev *maglev = table_new(backends, 3, 3, &key);

	(void)state;
	expect_shares(maglev, backends, 3);
	free(maglev);
}

static void
lookup_reaches_every_slot_and_none_beyond(void **state)
{
	const struct maglev_backend backends[2] = {backend_of(1, 1), backend_of(2, 1)};
	struct maglev *maglev = table_new(backends, 2, SIZE, &key);
	uint32_t seen = 0;

	(void)state;
	for (uint32_t i = 0; i < SIZE; i++)
		maglev->owner[i] = 0;
	maglev->owner[0] = 1;
	maglev->owner[SIZE - 1] = 1;
	assert_int_equal(maglev_lookup(maglev, 0), 1);
	assert_int_equal(maglev_lookup(maglev, UINT64_MAX), 1);
	for (uint32_t i = 0; i < SIZE; i++)
		maglev->owner[i] = (uint16_t)(i % 2);
	for (uint64_t hash = 0; hash < UINT64_C(1) << 32; hash += 1 << 15)
		seen += maglev_lookup(maglev, hash << 32) == 0;
	/* 131072 hashes over 65537 slots: about two to each, half of the slots are even. */
	assert_in_range(seen, 65536 - 700, 65536 + 700);
	free(maglev);
}

static void
only_primes_are_good_sizes(void **state)
{
	const uint32_t good[] = {3, 5, 251, 65537, 1048573};
	const uint32_t bad[] = {
			0, 1, 2, 4, 9, 65536, 65535, 251 * 257, 1048576, 1048583, UINT32_MAX};

	(void)state;
	for (unsigned int i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(maglev_size_is_good(good[i]));
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(maglev_size_is_good(bad[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(few_flows_move_when_one_of_equals_leaves),
			cmocka_unit_test(few_flows_move_when_a_weighted_one_leaves),
			cmocka_unit_test(few_flows_move_when_the_giant_leaves),
			cmocka_unit_test(order_in_the_list_does_not_matter),
			cmocka_unit_test(another_key_makes_another_table),
			cmocka_unit_test(port_tells_backends_apart),
			cmocka_unit_test(table_without_weight_is_empty),
			cmocka_unit_test(smallest_table_serves_as_many_as_it_has_slots),
			cmocka_unit_test(lookup_reaches_every_slot_and_none_beyond),
			cmocka_unit_test(only_primes_are_good_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
