/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Flows of `mode: direct` next to the connection table, which they do without: hashing included, in
 * bursts of 32, as the engine asks.
 */

#include <stdio.h>

#include <rte_common.h>
#include <rte_debug.h>

#include "balance/affinity.h"
#include "bench.h"
#include "table/conn_table.h"

#define BURST      32
#define OPERATIONS 32768

struct world {
	uint32_t flows;
	uint32_t beyond; /* Added to a number: such a flow is in neither table. */
	struct affinity *affinity;
	struct conn_table *conns;
	uint32_t numbers[OPERATIONS];
	uint32_t found;
};

static const struct siphash_key secret = {
		UINT64_C(0x0123456789abcdef), UINT64_C(0xfedcba9876543210)};

static const struct affinity_timeouts timeouts = {.seconds = {0, 60, 60, 600, 120, 10}};

static void
keys_of(const uint32_t numbers[BURST], uint32_t beyond, struct flow_key keys[BURST],
		uint64_t hashes[BURST])
{
	for (unsigned int i = 0; i < BURST; i++) {
		const uint32_t number = numbers[i] + beyond;

		keys[i] = (struct flow_key){.port = (rte_be16_t)(number * 40503)};
		flow_key_map_ipv4(keys[i].address, number * UINT32_C(2654435761));
	}
	siphash_flow_bulk(&secret, keys, BURST, hashes);
}

static uint64_t
run_affinity(void *context)
{
	struct world *world = context;

	world->found = 0;
	for (unsigned int at = 0; at < OPERATIONS; at += BURST) {
		struct flow_key keys[BURST];
		uint64_t hashes[BURST];

		keys_of(&world->numbers[at], world->beyond, keys, hashes);
		for (unsigned int i = 0; i < BURST; i++)
			affinity_prefetch(world->affinity, hashes[i]);
		for (unsigned int i = 0; i < BURST; i++) {
			struct affinity_flow *flow = affinity_find(world->affinity, hashes[i], 1);

			if (flow == NULL)
				continue;
			affinity_touch(flow, 1);
			world->found++;
		}
	}
	return OPERATIONS;
}

static uint64_t
run_conn_table(void *context)
{
	struct world *world = context;

	world->found = 0;
	for (unsigned int at = 0; at < OPERATIONS; at += BURST) {
		struct conn *conns[BURST];
		struct flow_key keys[BURST];
		uint64_t hashes[BURST];

		keys_of(&world->numbers[at], world->beyond, keys, hashes);
		world->found += (uint32_t)__builtin_popcountll(
				conn_table_lookup_bulk(world->conns, keys, hashes, BURST, conns));
	}
	return OPERATIONS;
}

static void
prepare(void *context)
{
	struct world *world = context;

	bench_random(world->numbers, sizeof(world->numbers));
	for (unsigned int i = 0; i < OPERATIONS; i++)
		world->numbers[i] %= world->flows;
}

static void
fill(struct world *world, uint32_t flows)
{
	world->flows = flows;
	world->affinity = affinity_init(bench_alloc(affinity_footprint(flows)), flows);
	affinity_set_timeouts(world->affinity, &timeouts);
	world->conns = conn_table_init(bench_alloc(conn_table_footprint(flows + flows / 8)),
			flows + flows / 8, &secret);
	for (uint32_t number = 0; number < flows; number += BURST) {
		struct flow_key keys[BURST];
		uint32_t numbers[BURST];
		uint64_t hashes[BURST];

		for (unsigned int i = 0; i < BURST; i++)
			numbers[i] = number + i;
		keys_of(numbers, 0, keys, hashes);
		for (unsigned int i = 0; i < BURST; i++) {
			uint16_t displaced;

			affinity_insert(world->affinity, hashes[i], 1, 0, &displaced);
			RTE_VERIFY(conn_table_insert(world->conns, &keys[i], hashes[i]) != NULL);
		}
	}
}

static void
measure(const struct bench *bench, uint32_t flows)
{
	struct world *world = bench_alloc(sizeof(*world));
	const struct bench_case cases[] = {
			{"affinity", world, run_affinity, prepare},
			{"conn_table", world, run_conn_table, prepare},
	};

	fill(world, flows);
	printf("\n%u flows, %.1f bytes each, index included\n", flows,
			(double)affinity_footprint(flows) / flows);
	bench_run(bench, "hash, look up: hits", cases, RTE_DIM(cases));
	world->beyond = flows;
	bench_run(bench, "hash, look up: misses", cases, RTE_DIM(cases));
	bench_free(world->affinity);
	bench_free(world->conns);
	bench_free(world);
}

int
main(int argc, char *argv[])
{
	struct bench bench = bench_start(argc, argv, 2048);

	measure(&bench, 16384);
	measure(&bench, bench.quick ? 131072 : 1 << 20);
	return bench_stop();
}
