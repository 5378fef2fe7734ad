/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * A rate per network: what is one network, that floods stay in theirs, and that many cannot get
 * more out of it than its places give.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "limit/prefix_limit.h"
#include "tcp/flow_key.h"

#define NETWORKS 4096
#define RATE     100

static const struct siphash_key key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
static void *memory;

static struct prefix_limit *
make(uint32_t networks, uint32_t rate)
{
	const size_t size = prefix_limit_footprint(networks);

	free(memory);
	assert_int_equal(size % 64, 0);
	memory = aligned_alloc(64, size);
	assert_non_null(memory);
	memset(memory, 0xa5, size);
	return prefix_limit_init(memory, networks, rate, &key);
}

static bool
take4(struct prefix_limit *limit, uint32_t address, uint64_t now_us)
{
	uint8_t bytes[16];

	flow_key_map_ipv4(bytes, rte_cpu_to_be_32(address));
	return prefix_limit_take(limit, bytes, now_us);
}

static bool
take6(struct prefix_limit *limit, uint64_t network, uint64_t host, uint64_t now_us)
{
	uint8_t bytes[16];

	network = rte_cpu_to_be_64(network);
	memcpy(bytes, &network, 8);
	memcpy(bytes + 8, &host, 8);
	return prefix_limit_take(limit, bytes, now_us);
}

static void
hosts_of_a_network_share_its_tokens(void **state)
{
	struct prefix_limit *limit = make(NETWORKS, RATE);
	unsigned int taken = 0, taken6 = 0;

	(void)state;
	for (uint32_t i = 0; i < 3 * RATE; i++) {
		taken += take4(limit, 0xc0000200 | (i & 0xff), 5);
		taken6 += take6(limit, 0x20010db800010002, (uint64_t)i * 0x9e3779b97f4a7c15, 5);
	}
	assert_int_equal(taken, RATE);
	assert_int_equal(taken6, RATE);
	/* The next networks have their own. */
	assert_true(take4(limit, 0xc0000300, 5));
	assert_true(take4(limit, 0xc00001ff, 5));
	assert_true(take6(limit, 0x20010db800010003, 0, 5));
	/* And a second later all is as before. */
	assert_true(take4(limit, 0xc0000201, 1000005));
}

static void
flood_of_one_network_leaves_the_others_alone(void **state)
{
	struct prefix_limit *limit = make(NETWORKS, RATE);
	unsigned int flood = 0;

	(void)state;
	/* Ten seconds; a million a second from one, twenty a second from each of a thousand. */
	for (uint64_t now_us = 0; now_us < 10000000; now_us++) {
		flood += take4(limit, 0x0a000001, now_us);
		if (now_us % 50 == 0)
			assert_true(take4(limit, 0xc0000000 | (uint32_t)(now_us / 50 % 1000) << 8,
					now_us));
	}
	assert_in_range(flood, 10 * RATE, 11 * RATE + 1);
}

/* Spoofed from everywhere: nobody has many, so all are answered; who has a lot is still known. */
static void
random_sources_do_not_wash_a_flood_out(void **state)
{
	struct prefix_limit *limit = make(NETWORKS, RATE);
	const char *wanted = getenv("SEED");
	unsigned int seed = wanted != NULL ? (unsigned int)strtoul(wanted, NULL, 0) : 4711;
	unsigned int flood = 0, spoofed = 0;

	(void)state;
	print_message("SEED=%u\n", seed);
	for (uint64_t now_us = 0; now_us < 1000000; now_us++) {
		flood += take4(limit, 0x0a000001, now_us);
		spoofed += take4(limit, (uint32_t)rand_r(&seed) << 1, now_us);
	}
	assert_in_range(flood, RATE, 2 * RATE + 1);
	/* 1024 sets get a thousand each, all from new networks, and give four buckets' worth. */
	assert_in_range(spoofed, 4 * RATE * 1000, 4 * 2 * RATE * 1024);
}

/* More networks than places, all greedy: the sum is what the places give. */
static void
greedy_networks_share_what_the_places_give(void **state)
{
	struct prefix_limit *limit = make(64, RATE);
	unsigned int taken = 0;

	(void)state;
	for (unsigned int round = 0; round < 1000; round++) {
		for (uint64_t network = 0; network < 1000; network++)
			taken += take6(limit, 0x20010db800000000 | network, 0, 5);
	}
	assert_int_equal(taken, 64 * RATE);
}

static void
burst_is_judged_as_one_by_one(void **state)
{
	struct flow_key flows[PREFIX_LIMIT_BURST_MAX] = {0};
	struct prefix_limit *limit = make(NETWORKS, 3);
	uint64_t refused;

	(void)state;
	for (uint32_t i = 0; i < PREFIX_LIMIT_BURST_MAX; i++)
		flow_key_map_ipv4(flows[i].address, rte_cpu_to_be_32(0x0a000000 | (i % 8) << 8));
	/* Every second one is asked for: four networks, eight times each. */
	refused = prefix_limit_take_bulk(limit, flows, 0x5555555555555555, 9);
	for (unsigned int i = 0; i < PREFIX_LIMIT_BURST_MAX; i++)
		assert_int_equal(refused >> i & 1, i % 2 == 0 && i / 8 >= 3);
	assert_int_equal(prefix_limit_take_bulk(limit, flows, 0, 9), 0);
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(prefix_limit_take(limit, flows[i].address, 9), i % 2 == 1);
}

static void
smallest_table_works(void **state)
{
	struct prefix_limit *limit = make(1, 1);

	(void)state;
	assert_true(take4(limit, 0x01020304, 0));
	assert_false(take4(limit, 0x01020304, 0));
	assert_true(take4(limit, 0x02020304, 0));
	free(memory);
	memory = NULL;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(hosts_of_a_network_share_its_tokens),
			cmocka_unit_test(flood_of_one_network_leaves_the_others_alone),
			cmocka_unit_test(random_sources_do_not_wash_a_flood_out),
			cmocka_unit_test(greedy_networks_share_what_the_places_give),
			cmocka_unit_test(burst_is_judged_as_one_by_one),
			cmocka_unit_test(smallest_table_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
