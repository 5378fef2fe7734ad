/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * TIME_WAIT entries against a plain array in virtual time.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <rte_common.h>

#include "random.h"
#include "time_wait_keys.h"

#define POOL 1500

/* A table next to the plainest thing that can say the same. */
struct pair {
	struct time_wait *table;
	uint64_t random;
	uint32_t lifetime_ms;
	uint32_t now_ms;
	bool roomy; /* Nothing may be evicted. */
	struct {
		bool there;
		uint32_t number; /* What was stored last. */
		uint32_t since_ms;
	} model[POOL];
};

static struct flow_key
pair_key(uint32_t number)
{
	return number % 3 == 0 ? key6_of(number) : key_of(number);
}

static bool
pair_expects(const struct pair *pair, uint32_t number)
{
	return pair->model[number].there &&
	       pair->now_ms - pair->model[number].since_ms < pair->lifetime_ms;
}

static struct time_wait_entry *
pair_lookup(const struct pair *pair, uint32_t number)
{
	struct flow_key key = pair_key(number);

	return lookup_key(pair->table, &key, pair->now_ms);
}

static void
pair_bulk(struct pair *pair)
{
	struct flow_key keys[TIME_WAIT_BURST_MAX];
	uint32_t numbers[TIME_WAIT_BURST_MAX];
	uint64_t hashes[TIME_WAIT_BURST_MAX];
	struct time_wait_entry *found[TIME_WAIT_BURST_MAX];
	unsigned int n = random_below(&pair->random, TIME_WAIT_BURST_MAX + 1);
	uint64_t hits;

	for (unsigned int i = 0; i < n; i++) {
		numbers[i] = random_below(&pair->random, POOL);
		keys[i] = pair_key(numbers[i]);
		hashes[i] = hash_of(&keys[i]);
	}
	hits = lookup_bulk(pair->table, keys, hashes, n, pair->now_ms, found);
	for (unsigned int i = 0; i < n; i++) {
		assert_int_equal(hits >> i & 1, pair_expects(pair, numbers[i]));
		assert_int_equal(hits >> i & 1, found[i] != NULL);
		if (found[i] != NULL)
			check_tcp(found[i], pair->model[numbers[i]].number);
	}
	assert_true(n == TIME_WAIT_BURST_MAX || hits >> n == 0);
}

/* What the model still has and the table has not: exactly those that gave way. */
static void
pair_insert(struct pair *pair, uint32_t number)
{
	struct flow_key key = pair_key(number);
	uint32_t stored = (uint32_t)random_next(&pair->random);
	unsigned int evicted = insert_key(pair->table, &key, stored, pair->now_ms);

	pair->model[number].there = true;
	pair->model[number].number = stored;
	pair->model[number].since_ms = pair->now_ms;
	assert_true(!pair->roomy || evicted == 0);
	check_tcp(pair_lookup(pair, number), stored);
	if (evicted == 0)
		return;
	for (uint32_t i = 0; i < POOL; i++) {
		if (!pair_expects(pair, i) || pair_lookup(pair, i) != NULL)
			continue;
		pair->model[i].there = false;
		evicted--;
	}
	assert_int_equal(evicted, 0);
}

static void
pair_change(struct pair *pair)
{
	uint32_t number = random_below(&pair->random, POOL);
	struct time_wait_entry *entry = pair_lookup(pair, number);
	struct tcp_conn tcp = tcp_of((uint32_t)random_next(&pair->random));

	assert_int_equal(entry != NULL, pair_expects(pair, number));
	if (entry == NULL || random_below(&pair->random, 8) == 0) {
		pair_insert(pair, number);
		return;
	}
	check_tcp(entry, pair->model[number].number);
	switch (random_below(&pair->random, 3)) {
	case 0:
		time_wait_restart(entry, pair->now_ms);
		pair->model[number].since_ms = pair->now_ms;
		break;
	case 1:
		time_wait_store(entry, &tcp);
		pair->model[number].number = ~tcp.rcv_nxt;
		break;
	default:
		time_wait_remove(pair->table, entry);
		pair->model[number].there = false;
		break;
	}
}

static void
pair_compare(const struct pair *pair)
{
	uint32_t expected = 0;

	for (uint32_t i = 0; i < POOL; i++) {
		assert_int_equal(pair_lookup(pair, i) != NULL, pair_expects(pair, i));
		expected += pair_expects(pair, i);
	}
	assert_true(time_wait_count(pair->table) >= expected);
}

/* Changes while the clock runs, then silence: the table drains. */
static void
pair_run(uint32_t capacity, uint64_t seed)
{
	struct pair pair = {
			.table = table_new(capacity),
			.random = seed,
			.lifetime_ms = LIFETIME_MS,
			.now_ms = UINT32_MAX - 5 * LIFETIME_MS,
			.roomy = capacity >= 10 * POOL,
	};

	for (uint32_t operation = 0; operation < 40000; operation++) {
		pair_change(&pair);
		pair.now_ms += random_below(&pair.random, 60);
		if (operation % 16 == 0)
			pair_bulk(&pair);
		if (operation % 32 == 0)
			time_wait_expire(pair.table, pair.now_ms, random_below(&pair.random, 100));
		if (operation % 4096 == 0)
			pair_compare(&pair);
	}
	pair_compare(&pair);
	pair.now_ms += LIFETIME_MS;
	pair_compare(&pair);
	while (time_wait_expire(pair.table, pair.now_ms, 64) > 0)
		continue;
	assert_int_equal(time_wait_count(pair.table), 0);
	free(pair.table);
}

static void
table_agrees_with_a_plain_array(void **state)
{
	static const uint32_t capacities[] = {1, 2, 3, 7, 64, 500, 1001, 2000, 10 * POOL};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(capacities); i++) {
		print_message("capacity %u, seed %zu\n", capacities[i], i);
		pair_run(capacities[i], i);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(table_agrees_with_a_plain_array),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
