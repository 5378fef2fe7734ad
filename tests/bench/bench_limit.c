/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * What it costs to find out that a packet is one too many, or not: by the generic cell rate
 * algorithm, by the token bucket that it is compared with, and by a rate for each source network,
 * whose sets of buckets are a cache line each.
 */

#include <stdio.h>
#include <string.h>

#include <rte_common.h>
#include <rte_debug.h>

#include "bench.h"
#include "limit/gcra.h"
#include "limit/prefix_limit.h"
#include "limit/token_bucket.h"

#define OPERATIONS 65536
#define BURST      32
#define RATE       1000000 /* of one bucket */

static const struct siphash_key secret = {
		UINT64_C(0x0123456789abcdef), UINT64_C(0xfedcba9876543210)};

static uint64_t
run_gcra(void *context)
{
	const uint64_t cost = gcra_cost(RATE);
	uint64_t full_at = 0;

	(void)context;
	for (uint64_t i = 0; i < OPERATIONS; i++)
		bench_keep(gcra_take(&full_at, gcra_time(i), cost));
	return OPERATIONS;
}

static uint64_t
run_gcra_shared(void *context)
{
	const uint64_t cost = gcra_cost(RATE);
	uint64_t full_at = 0;

	(void)context;
	for (uint64_t i = 0; i < OPERATIONS; i++)
		bench_keep(gcra_take_shared(&full_at, gcra_time(i), cost));
	return OPERATIONS;
}

static uint64_t
run_token_bucket(void *context)
{
	struct token_bucket bucket;

	(void)context;
	token_bucket_init(&bucket, RATE, 0);
	for (uint64_t i = 0; i < OPERATIONS; i++)
		bench_keep(token_bucket_take(&bucket, i));
	return OPERATIONS;
}

struct world {
	struct prefix_limit *limit;
	struct flow_key flows[OPERATIONS];
	uint64_t now_us;
};

static uint64_t
run_prefix_one(void *context)
{
	struct world *world = context;

	for (unsigned int i = 0; i < OPERATIONS; i++)
		bench_keep(prefix_limit_take(
				world->limit, world->flows[i].address, world->now_us++));
	return OPERATIONS;
}

static uint64_t
run_prefix_bulk(void *context)
{
	struct world *world = context;

	for (unsigned int i = 0; i < OPERATIONS; i += BURST) {
		bench_keep(prefix_limit_take_bulk(world->limit, &world->flows[i],
				UINT64_MAX >> (64 - BURST), world->now_us));
		world->now_us += BURST;
	}
	return OPERATIONS;
}

static void
measure_prefix(const struct bench *bench, uint32_t networks)
{
	struct world *world = bench_alloc(sizeof(*world));
	void *memory = bench_alloc(prefix_limit_footprint(networks));
	const struct bench_case cases[] = {
			{"prefix_limit_take_bulk, 32 at once", world, run_prefix_bulk, NULL},
			{"prefix_limit_take", world, run_prefix_one, NULL},
	};
	char title[64];

	bench_random(world->flows, sizeof(world->flows));
	for (unsigned int i = 0; i < OPERATIONS; i += 2) {
		uint32_t address;

		memcpy(&address, &world->flows[i], sizeof(address));
		flow_key_map_ipv4(world->flows[i].address, address);
	}
	world->limit = prefix_limit_init(memory, networks, 100, &secret);
	snprintf(title, sizeof(title), "one source among %u networks", networks);
	bench_run(bench, title, cases, RTE_DIM(cases));
	bench_free(memory);
	bench_free(world);
}

int
main(int argc, char *argv[])
{
	struct bench bench = bench_start(argc, argv, 512);
	static const struct bench_case cases[] = {
			{"gcra_take", NULL, run_gcra, NULL},
			{"gcra_take_shared, nobody else", NULL, run_gcra_shared, NULL},
			{"token_bucket_take", NULL, run_token_bucket, NULL},
	};

	bench_run(&bench, "one token, a microsecond after the other", cases, RTE_DIM(cases));
	measure_prefix(&bench, 4096);
	measure_prefix(&bench, bench.quick ? 65536 : 1 << 20);
	return bench_stop();
}
