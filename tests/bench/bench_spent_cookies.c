/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Spent cookies: what a close costs to remember, and a SYN of a flood to look up, by how many there
 * are; the last row is what it would cost not to fetch a burst's lines at once.
 */

#include <stdio.h>

#include <rte_debug.h>

#include "bench.h"
#include "cookie/spent_cookies.h"
#include "cookie/syncookie.h"

#define BURST      32
#define OPERATIONS 32768

struct world {
	struct spent_cookies *spent;
	uint32_t capacity;
	uint64_t number; /* Of the next flow. */
	uint64_t forgotten;
	uint64_t found;
};

/* A keyed hash is noise: so is this. */
static inline uint64_t
hash_of(uint64_t number)
{
	uint64_t z = number * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* As many in a cookie's life as there is room for. */
static inline uint32_t
time_of(const struct world *world)
{
	return (uint32_t)(world->number * (SYNCOOKIE_SPENT_S + 1) / world->capacity);
}

static void
add_burst(struct world *world)
{
	const uint32_t now_s = time_of(world);

	for (unsigned int i = 0; i < BURST; i++)
		spent_cookies_prefetch(world->spent, hash_of(world->number + i));
	for (unsigned int i = 0; i < BURST; i++)
		world->forgotten +=
				spent_cookies_add(world->spent, hash_of(world->number + i), now_s);
	world->number += BURST;
}

static uint64_t
run_add(void *context)
{
	for (unsigned int i = 0; i < OPERATIONS; i += BURST)
		add_burst(context);
	return OPERATIONS;
}

static uint64_t
look_up(struct world *world, bool fetch)
{
	const uint32_t now_s = time_of(world);
	static uint64_t stranger = UINT64_C(1) << 40;

	for (unsigned int done = 0; done < OPERATIONS; done += BURST, stranger += BURST) {
		for (unsigned int i = 0; i < BURST && fetch; i++)
			spent_cookies_prefetch(world->spent, hash_of(stranger + i));
		for (unsigned int i = 0; i < BURST; i++)
			world->found += spent_cookies_has(
					world->spent, hash_of(stranger + i), now_s);
	}
	return OPERATIONS;
}

static uint64_t
run_fetched(void *context)
{
	return look_up(context, true);
}

static uint64_t
run_unfetched(void *context)
{
	return look_up(context, false);
}

static void
measure(const struct bench *bench, uint32_t capacity)
{
	struct world world = {.capacity = capacity};
	const struct bench_case cases[] = {
			{"look up a stranger, a burst's lines fetched", &world, run_fetched, NULL},
			{"remember a close", &world, run_add, NULL},
			{"look up a stranger, one by one", &world, run_unfetched, NULL},
	};
	const size_t size = spent_cookies_footprint(capacity);
	char title[96];

	world.spent = spent_cookies_init(bench_alloc(size), capacity);
	while (world.number < capacity)
		add_burst(&world);
	snprintf(title, sizeof(title), "%u spent cookies, %.1f MB, %.2f %% forgotten too early",
			capacity, (double)size / 1e6, (double)world.forgotten * 100 / capacity);
	bench_run(bench, title, cases, RTE_DIM(cases));
	RTE_VERIFY(world.found == 0);
	bench_free(world.spent);
}

int
main(int argc, char *argv[])
{
	const struct bench bench = bench_start(argc, argv, 512);

	measure(&bench, 65536);
	measure(&bench, 1048576);
	if (!bench.quick)
		measure(&bench, 16777216);
	return bench_stop();
}
