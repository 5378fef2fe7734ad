/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The connection table: its promises one by one, then against a plain array.
 */

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <rte_bitops.h>
#include <rte_common.h>

#include "table/bucket.h"
#include "table/conn_table.h"
#include "wire/columns.h"

#define SEED 42

static const struct siphash_key table_key = {
		UINT64_C(0x0123456789abcdef), UINT64_C(0xfedcba9876543210)};

/* Memory that is anything but zero, of exactly the size asked for. */
static struct conn_table *
table_new(uint32_t capacity)
{
	size_t size = conn_table_footprint(capacity);
	void *memory = aligned_alloc(64, size);

	assert_non_null(memory);
	memset(memory, 0xa5, size);
	return conn_table_init(memory, capacity, &table_key);
}

static struct flow_key
key_of(uint32_t number)
{
	struct flow_key key;

	memset(&key, 0, sizeof(key));
	flow_key_map_ipv4(key.address, number);
	key.port = (rte_be16_t)(number * 7);
	return key;
}

static struct conn *
insert(struct conn_table *table, uint32_t number)
{
	struct flow_key key = key_of(number);

	return conn_table_insert(table, &key, conn_table_hash(table, &key));
}

static struct conn *
lookup(struct conn_table *table, uint32_t number)
{
	struct flow_key key = key_of(number);

	return conn_table_lookup(table, &key, conn_table_hash(table, &key));
}

static void
forget(struct conn_table *table, uint32_t number)
{
	struct flow_key key = key_of(number);
	uint64_t hash = conn_table_hash(table, &key);

	conn_table_remove(table, conn_table_lookup(table, &key, hash), hash);
}

static void
footprint_is_ninety_six_bytes_a_connection(void **state)
{
	(void)state;
	assert_true(conn_table_footprint(1000000) <= UINT64_C(96) * 1000000);
	assert_true(conn_table_footprint(1 << 20) <= UINT64_C(96) << 20);
	assert_true(conn_table_footprint(10000000) <= UINT64_C(96) * 10000000);
	assert_true(conn_table_footprint(100000000) <= UINT64_C(12) << 30);
	assert_int_equal(conn_table_footprint(0), 0);
	for (uint32_t capacity = 1; capacity < 5000; capacity += 7)
		assert_int_equal(conn_table_footprint(capacity) % 64, 0);
}

static void
inserted_connection_is_found_and_zero_but_for_its_key(void **state)
{
	struct conn_table *table = table_new(100);
	struct flow_key key = key_of(5);
	const struct conn_tail no_tail = {0};
	struct conn expected = {.key = key};
	struct conn *conn = insert(table, 5);

	(void)state;
	assert_non_null(conn);
	assert_memory_equal(conn, &expected, sizeof(expected));
	assert_memory_equal(conn_table_tail(table, conn), &no_tail, sizeof(no_tail));
	assert_ptr_equal(lookup(table, 5), conn);
	assert_null(lookup(table, 6));
	assert_int_equal(conn_table_count(table), 1);
	assert_int_equal(conn_table_capacity(table), 100);
	free(table);
}

static void
removed_connection_is_gone_and_its_slot_is_clean_when_reused(void **state)
{
	struct conn_table *table = table_new(1);
	struct conn *conn = insert(table, 1);
	struct flow_key key = key_of(2);
	struct conn expected = {.key = key};
	const struct conn_tail no_tail = {0};

	(void)state;
	memset(&conn->tcp, 0x77, sizeof(conn->tcp));
	memset(conn_table_tail(table, conn), 0x77, sizeof(struct conn_tail));
	forget(table, 1);
	assert_null(lookup(table, 1));
	assert_int_equal(conn_table_count(table), 0);
	assert_ptr_equal(insert(table, 2), conn);
	assert_memory_equal(conn, &expected, sizeof(expected));
	assert_memory_equal(conn_table_tail(table, conn), &no_tail, sizeof(no_tail));
	assert_null(lookup(table, 1));
	free(table);
}

static void
taken_connection_is_not_found_and_its_slot_is_used_again(void **state)
{
	struct conn_table *table = table_new(1);
	struct flow_key key = key_of(2);
	const struct conn expected = {.key = key};
	struct conn *conn = conn_table_take(table, &key);

	(void)state;
	assert_non_null(conn);
	assert_memory_equal(conn, &expected, sizeof(expected));
	assert_null(lookup(table, 2));
	assert_ptr_equal(conn_table_at(table, 0), conn);
	assert_int_equal(conn_table_count(table), 1);
	assert_null(conn_table_take(table, &key));
	assert_null(insert(table, 3));
	conn_table_release(table, conn);
	assert_int_equal(conn_table_count(table), 0);
	assert_null(conn_table_at(table, 0));
	assert_ptr_equal(insert(table, 3), conn);
	free(table);
}

static void
longer_tails_are_lines_of_their_own(void **state)
{
	const uint32_t capacity = 100;
	const size_t size = conn_table_footprint_with(capacity, 64);
	uint8_t *memory = aligned_alloc(64, size);
	struct conn_table *table = conn_table_init_with(memory, capacity, 64, &table_key);
	uint8_t *tails = conn_table_tails(table);

	(void)state;
	assert_int_equal(size,
			conn_table_footprint(capacity) + RTE_ALIGN_CEIL(64 * capacity, 64) -
					RTE_ALIGN_CEIL(sizeof(struct conn_tail) * capacity, 64));
	assert_int_equal((uintptr_t)tails % 64, 0);
	assert_ptr_equal(tails + 64 * capacity, memory + size);
	for (uint32_t i = 0; i < capacity; i++) {
		struct conn *conn = insert(table, i);

		assert_ptr_equal(conn_table_tail(table, conn),
				tails + 64 * conn_table_slot(table, conn));
		memset(conn_table_tail(table, conn), (int)i, 64);
	}
	for (uint32_t i = 0; i < capacity; i++) {
		const struct conn *conn = lookup(table, i);

		assert_non_null(conn);
		assert_int_equal(*(uint8_t *)conn_table_tail(table, conn), i);
	}
	free(memory);
}

static void
removing_twice_changes_nothing(void **state)
{
	struct conn_table *table = table_new(4);
	struct conn *conn = insert(table, 1);
	struct flow_key key = key_of(1);

	(void)state;
	insert(table, 2);
	conn_table_remove(table, conn, conn_table_hash(table, &key));
	conn_table_remove(table, conn, conn_table_hash(table, &key));
	assert_int_equal(conn_table_count(table), 1);
	assert_ptr_not_equal(insert(table, 3), insert(table, 4));
	assert_non_null(lookup(table, 2));
	free(table);
}

static void
slot_names_a_connection_until_it_is_removed(void **state)
{
	struct conn_table *table = table_new(10);
	struct conn *first = insert(table, 1);
	struct conn *second = insert(table, 2);
	uint32_t slot = conn_table_slot(table, second);

	(void)state;
	assert_ptr_equal(conn_table_at(table, conn_table_slot(table, first)), first);
	assert_ptr_equal(conn_table_at(table, slot), second);
	assert_ptr_equal(conn_table_conns(table) + slot, second);
	assert_null(conn_table_at(table, 2)); /* never used */
	assert_null(conn_table_at(table, 9));
	assert_null(conn_table_at(table, CONN_TABLE_NO_SLOT));
	forget(table, 2);
	assert_null(conn_table_at(table, slot));
	assert_non_null(conn_table_at(table, conn_table_slot(table, first)));
	free(table);
}

static void
key_of_free_slots_is_refused(void **state)
{
	struct conn_table *table = table_new(10);
	struct flow_key key;

	(void)state;
	memset(&key, 0xff, sizeof(key));
	assert_null(conn_table_insert(table, &key, conn_table_hash(table, &key)));
	insert(table, 1);
	forget(table, 1);
	assert_null(conn_table_lookup(table, &key, conn_table_hash(table, &key)));
	free(table);
}

static void
full_table_refuses_and_recovers(void **state)
{
	(void)state;
	for (uint32_t capacity = 1; capacity <= 200; capacity++) {
		struct conn_table *table = table_new(capacity);

		for (uint32_t i = 0; i < capacity; i++)
			assert_non_null(insert(table, i));
		assert_null(insert(table, capacity));
		assert_int_equal(conn_table_count(table), capacity);
		for (uint32_t i = 0; i < capacity; i++)
			assert_non_null(lookup(table, i));
		forget(table, capacity / 2);
		assert_non_null(insert(table, capacity));
		assert_null(lookup(table, capacity / 2));
		free(table);
	}
}

/* Equal hashes mean equal buckets and equal tags: only the keys differ. */
static void
check_equal_hashes(uint64_t hash)
{
	struct conn_table *table = table_new(64);
	uint64_t hashes[20];
	struct flow_key keys[20];
	struct conn *conns[20];
	struct conn *found[20];

	for (uint32_t i = 0; i < 20; i++) {
		hashes[i] = hash;
		keys[i] = key_of(i);
		conns[i] = conn_table_insert(table, &keys[i], hashes[i]);
		assert_non_null(conns[i]);
	}
	assert_int_equal(conn_table_lookup_bulk(table, keys, hashes, 20, found), 0xfffff);
	assert_memory_equal(found, conns, sizeof(found));
	for (uint32_t i = 0; i < 20; i += 2)
		conn_table_remove(table, conns[i], hashes[i]);
	assert_int_equal(conn_table_lookup_bulk(table, keys, hashes, 20, found), 0xaaaaa);
	for (uint32_t i = 0; i < 20; i++)
		assert_ptr_equal(found[i], i % 2 ? conns[i] : NULL);
	free(table);
}

static void
equal_hashes_are_told_apart_by_key(void **state)
{
	(void)state;
	check_equal_hashes(UINT64_C(0x123456789abc));
	check_equal_hashes(UINT64_MAX);
	check_equal_hashes(0); /* whose tag would mean "empty" */
}

static void
upper_sixteen_bits_have_no_part_in_placement(void **state)
{
	struct conn_table *table = table_new(100000);

	(void)state;
	for (uint32_t i = 0; i < 100000; i++) {
		struct flow_key key = key_of(i);
		uint64_t hash = conn_table_hash(table, &key);
		struct conn *conn = conn_table_insert(table, &key, hash);

		assert_ptr_equal(conn_table_lookup(table, &key, hash ^ UINT64_C(0xffff) << 48),
				conn);
	}
	free(table);
}

/*
 * What the placement does with a hash, said again: the first bucket is that of 24 bits and the
 * second that of the next 24, each scaled to half the buckets.
 */
static void
buckets_of(const struct conn_table *table, uint32_t number, uint32_t half_size, uint32_t *first,
		uint32_t *second)
{
	struct flow_key key = key_of(number);
	uint64_t hash = conn_table_hash(table, &key);

	*first = (uint32_t)((hash & 0xffffff) * half_size >> 24);
	*second = (uint32_t)((hash >> 24 & 0xffffff) * half_size >> 24);
}

/* The next number, from *number on, whose buckets are these. */
static uint32_t
number_in(const struct conn_table *table, uint32_t *number, uint32_t first, uint32_t second)
{
	for (;;) {
		uint32_t a;
		uint32_t b;

		buckets_of(table, (*number)++, 6, &a, &b);
		if (a == first && b == second)
			return *number - 1;
	}
}

static void
two_full_buckets_refuse(void **state)
{
	struct conn_table *table = table_new(64); /* two times six buckets */
	uint32_t next = 0;

	(void)state;
	for (int i = 0; i < 20; i++)
		assert_non_null(insert(table, number_in(table, &next, 3, 4)));
	assert_null(insert(table, number_in(table, &next, 3, 4)));
	assert_int_equal(conn_table_count(table), 20);
	assert_non_null(insert(table, number_in(table, &next, 2, 4)));
	assert_non_null(insert(table, number_in(table, &next, 3, 5)));
	free(table);
}

static void
resident_makes_room_and_keeps_its_slot(void **state)
{
	struct conn_table *table = table_new(64);
	uint32_t next = 0;
	uint32_t resident = number_in(table, &next, 3, 1);
	struct conn *conn = insert(table, resident);

	(void)state;
	for (int i = 0; i < 19; i++)
		assert_non_null(insert(table, number_in(table, &next, 3, 4)));
	assert_non_null(insert(table, number_in(table, &next, 3, 4)));
	assert_ptr_equal(lookup(table, resident), conn);
	assert_null(insert(table, number_in(table, &next, 3, 4)));
	forget(table, resident);
	assert_null(lookup(table, resident));
	for (int i = 0; i < 9; i++)
		assert_non_null(insert(table, number_in(table, &next, 0, 1)));
	free(table);
}

static void
index_is_never_full_before_the_table(void **state)
{
	const uint32_t capacity = 100003;
	struct conn_table *table = table_new(capacity);
	uint32_t i = 0;

	(void)state;
	while (insert(table, i) != NULL)
		i++;
	print_message("first refusal at %.2f %% of %u\n", 100.0 * i / capacity, capacity);
	assert_int_equal(i, capacity);
	free(table);
}

#define POOL 3000

/* A table next to the plainest thing that can say the same. */
struct pair {
	struct conn_table *table;
	struct conn *model[POOL]; /* The connection of key_of(i), or NULL. */
	uint32_t count;
};

static void
pair_bulk(const struct pair *pair)
{
	struct flow_key keys[CONN_TABLE_BURST_MAX];
	uint32_t numbers[CONN_TABLE_BURST_MAX];
	uint64_t hashes[CONN_TABLE_BURST_MAX];
	struct conn *found[CONN_TABLE_BURST_MAX];
	unsigned int n = (unsigned int)random() % (CONN_TABLE_BURST_MAX + 1);
	uint64_t hits;

	for (unsigned int i = 0; i < n; i++) {
		numbers[i] = (uint32_t)random() % POOL;
		keys[i] = key_of(numbers[i]);
	}
	conn_table_hash_bulk(pair->table, keys, n, hashes);
	hits = conn_table_lookup_bulk(pair->table, keys, hashes, n, found);
	for (unsigned int i = 0; i < n; i++) {
		assert_int_equal(hashes[i], conn_table_hash(pair->table, &keys[i]));
		assert_ptr_equal(found[i], pair->model[numbers[i]]);
		assert_int_equal(hits >> i & 1, found[i] != NULL);
	}
	assert_true(n == CONN_TABLE_BURST_MAX || hits >> n == 0);
}

/* First buckets know how many of their keys are in second ones. */
static void
pair_check_away(const struct pair *pair)
{
	const struct conn_table *table = pair->table;
	uint32_t *away = calloc(table->half_size, sizeof(*away));

	assert_non_null(away);
	for (uint32_t i = 0; i < POOL; i++) {
		struct flow_key key = key_of(i);
		uint64_t hash = conn_table_hash(table, &key);
		uint32_t first = bucket_first(hash, table->half_size);
		uint32_t ways = bucket_ways(&table->buckets[first], bucket_tag(hash));

		for (; ways != 0 && pair->model[i] != NULL; ways &= ways - 1) {
			if (table->buckets[first].slot[rte_bsf32(ways)] ==
					conn_table_slot(table, pair->model[i]))
				break;
		}
		away[first] += pair->model[i] != NULL && ways == 0;
	}
	for (uint32_t i = 0; i < table->half_size; i++)
		assert_int_equal(table->buckets[i].sent_away, away[i]);
	free(away);
}

static void
pair_change(struct pair *pair, bool grow)
{
	uint32_t number = (uint32_t)random() % POOL;
	struct conn *conn = pair->model[number];

	assert_ptr_equal(lookup(pair->table, number), conn);
	if (conn == NULL && grow) {
		conn = insert(pair->table, number);
		assert_int_equal(conn == NULL, pair->count == conn_table_capacity(pair->table));
		pair->model[number] = conn;
		pair->count += conn != NULL;
	} else if (conn != NULL && !grow) {
		forget(pair->table, number);
		assert_null(conn_table_at(pair->table, conn_table_slot(pair->table, conn)));
		pair->model[number] = NULL;
		pair->count--;
	}
	assert_int_equal(conn_table_count(pair->table), pair->count);
}

static void
pair_compare(const struct pair *pair)
{
	uint32_t used = 0;

	for (uint32_t slot = 0; slot < conn_table_capacity(pair->table); slot++)
		used += conn_table_at(pair->table, slot) != NULL;
	assert_int_equal(used, pair->count);
	for (uint32_t i = 0; i < POOL; i++) {
		assert_ptr_equal(lookup(pair->table, i), pair->model[i]);
		if (pair->model[i] != NULL) {
			struct flow_key key = key_of(i);

			assert_true(flow_key_equal(&pair->model[i]->key, &key));
		}
	}
}

/* Phases of growth and decay, mostly near the table's capacity. */
static void
table_agrees_with_a_plain_array(void **state)
{
	static const uint32_t capacities[] = {1, 7, 64, 500, 1000, 2047, 2999, 6000, 20000};

	(void)state;
	print_message("seed %d\n", SEED);
	srandom(SEED);
	for (size_t i = 0; i < RTE_DIM(capacities); i++) {
		struct pair pair = {.table = table_new(capacities[i])};

		for (int phase = 0; phase < 6; phase++) {
			int growth = phase % 2 ? 35 : 90;

			for (int operation = 0; operation < 4000; operation++) {
				pair_change(&pair, random() % 100 < growth);
				if (operation % 16 == 0)
					pair_bulk(&pair);
			}
			pair_compare(&pair);
			pair_check_away(&pair);
		}
		free(pair.table);
	}
}

static void
rows_are_hashed_like_one_key_at_a_time(void **state)
{
	struct conn_table *table = table_new(1000);
	struct flow_key keys[CONN_TABLE_ROWS];
	uint64_t hashes[CONN_TABLE_ROWS];

	(void)state;
	if (!columns_available())
		skip();
	for (uint32_t i = 0; i < CONN_TABLE_ROWS; i++) {
		keys[i] = key_of(i * 77);
		keys[i].address[i] ^= 0x55;
		keys[i].endpoint = (uint16_t)(i * 1009);
	}
	for (unsigned int n = 1; n <= CONN_TABLE_ROWS; n++) {
		memset(hashes, 0, sizeof(hashes));
		conn_table_seek(table, keys, n, hashes);
		for (unsigned int i = 0; i < CONN_TABLE_ROWS; i++)
			assert_int_equal(hashes[i], conn_table_hash(table, &keys[i]));
	}
	free(table);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(rows_are_hashed_like_one_key_at_a_time),
			cmocka_unit_test(footprint_is_ninety_six_bytes_a_connection),
			cmocka_unit_test(inserted_connection_is_found_and_zero_but_for_its_key),
			cmocka_unit_test(
					removed_connection_is_gone_and_its_slot_is_clean_when_reused),
			cmocka_unit_test(taken_connection_is_not_found_and_its_slot_is_used_again),
			cmocka_unit_test(longer_tails_are_lines_of_their_own),
			cmocka_unit_test(removing_twice_changes_nothing),
			cmocka_unit_test(slot_names_a_connection_until_it_is_removed),
			cmocka_unit_test(key_of_free_slots_is_refused),
			cmocka_unit_test(full_table_refuses_and_recovers),
			cmocka_unit_test(equal_hashes_are_told_apart_by_key),
			cmocka_unit_test(upper_sixteen_bits_have_no_part_in_placement),
			cmocka_unit_test(two_full_buckets_refuse),
			cmocka_unit_test(resident_makes_room_and_keeps_its_slot),
			cmocka_unit_test(index_is_never_full_before_the_table),
			cmocka_unit_test(table_agrees_with_a_plain_array),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
