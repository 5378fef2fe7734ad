/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Choosing a backend, the four ways next to each other, and building a Maglev table.
 *
 * A choice is made once per connection, or once per packet of `mode: direct` that has no entry; at
 * a million connections per second all of it has 1000 ns.
 */

#include <stdio.h>
#include <string.h>

#include <rte_common.h>

#include "balance/choice.h"
#include "bench.h"
#include "tcp/flow_key.h"

#define CLIENTS      16384
#define BACKENDS_MAX 1024

static const struct siphash_key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};

struct world {
	struct choice_backend backends[BACKENDS_MAX];
	uint8_t usable[BACKENDS_MAX];
	uint32_t own[BACKENDS_MAX];
	uint32_t others[BACKENDS_MAX];
	struct choice_load load;
	struct choice_pool pool;
	struct choice *choice;
	struct choice_state *state;
	uint32_t clients[CLIENTS];
};

static uint64_t
run_pick(void *context)
{
	struct world *world = context;

	for (unsigned int i = 0; i < CLIENTS; i++) {
		struct choice_client client = {.port = (rte_be16_t)world->clients[i]};
		uint32_t number;

		flow_key_map_ipv4(client.address, world->clients[i]);
		number = choice_pick(world->choice, world->state, &client);
		world->own[number]++;
	}
	return CLIENTS;
}

static uint64_t
run_build(void *context)
{
	struct world *world = context;

	bench_keep(choice_count(choice_init(world->choice, &world->pool)));
	return 1;
}

static void
begin(struct world *world, enum choice_kind kind, uint32_t n, unsigned int down_percent)
{
	uint32_t noise[BACKENDS_MAX];

	bench_random(noise, sizeof(noise));
	bench_random(world->clients, sizeof(world->clients));
	for (uint32_t i = 0; i < n; i++) {
		struct choice_backend *backend = &world->backends[i];

		flow_key_map_ipv4(backend->maglev.address, i + 1);
		backend->maglev.weight = (uint8_t)(1 + noise[i] % 255);
		backend->number = (uint16_t)i;
		world->usable[i] = i == 0 || (noise[i] >> 8) % 100 >= down_percent;
	}
	world->load = (struct choice_load){
			.usable = world->usable, .own = world->own, .others = world->others};
	world->pool = (struct choice_pool){.kind = kind,
			.backends = world->backends,
			.count = n,
			.table_size = MAGLEV_SIZE_DEFAULT,
			.key = &key};
	world->choice = choice_init(bench_alloc(choice_footprint(&world->pool)), &world->pool);
	world->state = choice_state_init(bench_alloc(choice_state_footprint(world->choice)),
			world->choice, &world->load, 0);
}

static void
measure(const struct bench *bench, uint32_t n, unsigned int down_percent)
{
	static const char *const names[] = {
			"maglev", "round_robin", "least_connections", "source_hash"};
	struct world *world = bench_alloc(RTE_DIM(names) * sizeof(*world));
	struct bench_case cases[RTE_DIM(names)];
	char title[64];

	for (unsigned int k = 0; k < RTE_DIM(names); k++) {
		begin(&world[k], (enum choice_kind)k, n, down_percent);
		cases[k] = (struct bench_case){names[k], &world[k], run_pick, NULL};
	}
	snprintf(title, sizeof(title), "%u backends, %u %% down", n, down_percent);
	bench_run(bench, title, cases, RTE_DIM(names));
	if (down_percent == 0) {
		const struct bench_case build[] = {{"choice_init", &world[0], run_build, NULL}};

		snprintf(title, sizeof(title), "a table for %u backends", n);
		bench_run(bench, title, build, 1);
	}
	for (unsigned int k = 0; k < RTE_DIM(names); k++) {
		bench_free(world[k].choice);
		bench_free(world[k].state);
	}
	bench_free(world);
}

int
main(int argc, char *argv[])
{
	struct bench bench = bench_start(argc, argv, 256);

	measure(&bench, 4, 0);
	measure(&bench, 64, 0);
	measure(&bench, 64, 50);
	measure(&bench, BACKENDS_MAX, 0);
	return bench_stop();
}
