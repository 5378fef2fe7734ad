/* SPDX-License-Identifier: BSD-3-Clause */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "load/tuple_walk.h"
#include "tcp/flow_key.h"

static struct tuple_walk walk;

/* 10.0.b.c */
static void
ipv4(uint8_t address[16], unsigned int b, unsigned int c)
{
	flow_key_map_ipv4(address, rte_cpu_to_be_32(10u << 24 | b << 8 | c));
}

static void
add_ipv4(unsigned int b, unsigned int c, unsigned int length)
{
	uint8_t address[16];

	ipv4(address, b, c);
	assert_true(tuple_walk_add(&walk, address, length));
}

static unsigned int
last_byte(const struct tuple *tuple)
{
	return tuple->address[15];
}

static void
subnets_lose_their_first_and_last_address(void **state)
{
	uint8_t address[16];

	(void)state;
	tuple_walk_init(&walk, 1, 1, 1);
	add_ipv4(3, 77, 24);
	assert_int_equal(walk.source_count, 254);
	ipv4(address, 3, 0);
	assert_false(tuple_walk_has_source(&walk, address));
	ipv4(address, 3, 255);
	assert_false(tuple_walk_has_source(&walk, address));
	ipv4(address, 3, 1);
	assert_true(tuple_walk_has_source(&walk, address));
	ipv4(address, 3, 254);
	assert_true(tuple_walk_has_source(&walk, address));
}

static void
small_prefixes_are_all_hosts(void **state)
{
	(void)state;
	tuple_walk_init(&walk, 1, 1, 1);
	add_ipv4(0, 7, 32);
	add_ipv4(1, 6, 31);
	assert_int_equal(walk.source_count, 3);
	add_ipv4(2, 4, 30);
	assert_int_equal(walk.source_count, 5);
}

static void
a_walk_visits_every_tuple_once_a_round(void **state)
{
	const uint64_t count = 2 * (14 + 1) * 7;
	uint8_t seen[2 * 15 * 7];
	struct tuple tuple;

	(void)state;
	tuple_walk_init(&walk, 60000, 60006, 2);
	add_ipv4(0, 0, 28);
	add_ipv4(1, 9, 32);
	assert_int_equal(tuple_walk_count(&walk), count);
	for (uint64_t start = 0; start < count; start += 11) {
		memset(seen, 0, sizeof(seen));
		tuple_walk_seek(&walk, start);
		for (uint64_t i = 0; i < count; i++) {
			uint64_t number;

			assert_int_equal(walk.rounds, 0);
			tuple_walk_next(&walk, &tuple);
			number = tuple_walk_number(&walk, &tuple);
			assert_int_equal(number, (start + i) % count);
			assert_int_equal(seen[number]++, 0);
		}
		assert_int_equal(walk.rounds, 1);
	}
}

static void
a_tuple_and_its_number_name_each_other(void **state)
{
	struct tuple tuple;

	(void)state;
	tuple_walk_init(&walk, 1024, 65535, 3);
	add_ipv4(0, 0, 16);
	srand(1);
	for (unsigned int i = 0; i < 100000; i++) {
		const uint64_t number = ((uint64_t)rand() << 31 | (uint64_t)rand()) %
					tuple_walk_count(&walk);

		tuple_walk_seek(&walk, number);
		tuple_walk_next(&walk, &tuple);
		assert_int_equal(tuple_walk_number(&walk, &tuple), number);
	}
}

static void
strangers_have_no_number(void **state)
{
	struct tuple tuple = {.port = rte_cpu_to_be_16(1000)};

	(void)state;
	tuple_walk_init(&walk, 1000, 1001, 1);
	add_ipv4(0, 0, 24);
	ipv4(tuple.address, 0, 1);
	assert_int_equal(tuple_walk_number(&walk, &tuple), 0);
	tuple.port = rte_cpu_to_be_16(999);
	assert_int_equal(tuple_walk_number(&walk, &tuple), TUPLE_WALK_NONE);
	tuple.port = rte_cpu_to_be_16(1002);
	assert_int_equal(tuple_walk_number(&walk, &tuple), TUPLE_WALK_NONE);
	tuple.port = rte_cpu_to_be_16(1001);
	tuple.target = 1;
	assert_int_equal(tuple_walk_number(&walk, &tuple), TUPLE_WALK_NONE);
	tuple.target = 0;
	ipv4(tuple.address, 1, 1);
	assert_int_equal(tuple_walk_number(&walk, &tuple), TUPLE_WALK_NONE);
}

static void
excluded_addresses_are_never_sources(void **state)
{
	static const unsigned int excluded[] = {2, 1, 254, 100, 99, 101, 100};
	uint8_t address[16];
	struct tuple tuple;

	(void)state;
	tuple_walk_init(&walk, 5, 5, 1);
	add_ipv4(0, 0, 24);
	for (unsigned int i = 0; i < 7; i++) {
		ipv4(address, 0, excluded[i]);
		assert_true(tuple_walk_exclude(&walk, address));
		assert_false(tuple_walk_has_source(&walk, address));
	}
	assert_int_equal(walk.source_count, 254 - 6);
	tuple_walk_seek(&walk, 0);
	for (unsigned int n = 0; n < 2 * 248; n++) {
		tuple_walk_next(&walk, &tuple);
		for (unsigned int i = 0; i < 7; i++)
			assert_int_not_equal(last_byte(&tuple), excluded[i]);
		assert_in_range(last_byte(&tuple), 3, 253);
	}
	assert_int_equal(walk.rounds, 2);
}

static void
a_single_source_that_is_excluded_leaves_none(void **state)
{
	uint8_t address[16];

	(void)state;
	tuple_walk_init(&walk, 5, 5, 1);
	add_ipv4(0, 9, 32);
	ipv4(address, 0, 9);
	assert_true(tuple_walk_exclude(&walk, address));
	assert_int_equal(walk.source_count, 0);
	assert_int_equal(walk.range_count, 0);
}

static void
ipv6_prefixes_are_as_large_as_counts_go(void **state)
{
	uint8_t address[16] = {0xfd, [7] = 9, [15] = 3};
	struct tuple tuple;

	(void)state;
	tuple_walk_init(&walk, 1, 65535, 1);
	assert_true(tuple_walk_add(&walk, address, 64));
	assert_int_equal(walk.source_count, (UINT64_C(1) << 32) - 1);
	tuple_walk_seek(&walk, 0);
	tuple_walk_next(&walk, &tuple);
	assert_int_equal(tuple.address[0], 0xfd);
	assert_int_equal(tuple.address[15], 1);
	tuple_walk_seek(&walk, (UINT64_C(1) << 32) - 2);
	tuple_walk_next(&walk, &tuple);
	assert_int_equal(tuple.address[12], 0xff);
	assert_int_equal(tuple.address[15], 0xff);
	assert_int_equal(tuple.address[11], 0);
}

static void
random_tuples_are_of_the_walk_and_of_all_of_it(void **state)
{
	unsigned int hits[3 * 4 * 2] = {0};
	uint64_t random = 12345;
	struct tuple tuple;

	(void)state;
	tuple_walk_init(&walk, 10, 13, 2);
	add_ipv4(0, 7, 32);
	add_ipv4(1, 6, 31);
	for (unsigned int i = 0; i < 24000; i++) {
		uint64_t number;

		random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
		tuple_walk_random(&walk, random ^ random >> 31, &tuple);
		number = tuple_walk_number(&walk, &tuple);
		assert_in_range(number, 0, 23);
		hits[number]++;
	}
	for (unsigned int i = 0; i < 24; i++)
		assert_in_range(hits[i], 700, 1300);
}

static void
targets_are_numbered_from_the_first_on(void **state)
{
	struct tuple tuple;

	(void)state;
	tuple_walk_init(&walk, 10, 12, 2);
	walk.first_target = 5;
	add_ipv4(0, 16, 30);
	tuple_walk_seek(&walk, 0);
	for (uint64_t i = 0; i < tuple_walk_count(&walk); i++) {
		tuple_walk_next(&walk, &tuple);
		assert_in_range(tuple.target, 5, 6);
		assert_int_equal(tuple_walk_number(&walk, &tuple), i);
		tuple_walk_random(&walk, i * UINT64_C(0x9e3779b97f4a7c15), &tuple);
		assert_in_range(tuple.target, 5, 6);
	}
	tuple.target = 4;
	assert_true(tuple_walk_number(&walk, &tuple) == TUPLE_WALK_NONE);
}

static void
walks_overlap_when_they_share_a_source(void **state)
{
	static struct tuple_walk other;
	uint8_t address[16];

	(void)state;
	tuple_walk_init(&walk, 1, 1, 1);
	add_ipv4(1, 0, 24);
	tuple_walk_init(&other, 1, 1, 1);
	ipv4(address, 2, 0);
	assert_true(tuple_walk_add(&other, address, 24));
	assert_false(tuple_walk_overlaps(&walk, &other));
	ipv4(address, 1, 77);
	assert_true(tuple_walk_add(&other, address, 32));
	assert_true(tuple_walk_overlaps(&walk, &other));
	assert_true(tuple_walk_overlaps(&other, &walk));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(subnets_lose_their_first_and_last_address),
			cmocka_unit_test(small_prefixes_are_all_hosts),
			cmocka_unit_test(a_walk_visits_every_tuple_once_a_round),
			cmocka_unit_test(a_tuple_and_its_number_name_each_other),
			cmocka_unit_test(strangers_have_no_number),
			cmocka_unit_test(excluded_addresses_are_never_sources),
			cmocka_unit_test(a_single_source_that_is_excluded_leaves_none),
			cmocka_unit_test(ipv6_prefixes_are_as_large_as_counts_go),
			cmocka_unit_test(random_tuples_are_of_the_walk_and_of_all_of_it),
			cmocka_unit_test(targets_are_numbered_from_the_first_on),
			cmocka_unit_test(walks_overlap_when_they_share_a_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
