/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * TIME_WAIT entries next to what they replace: connections in the table and its timer wheel.
 *
 * Steady state: 2 MSL are 60 s, the table holds one entry for each close of the last minute, and
 * every millisecond brings as many closes as expiries.  A close is an insertion and, a minute
 * later, an expiry; "close, look up, expire" adds one look-up that hits, as for a repeated FIN or a
 * new SYN, hashing included.  A million closes per second leave 1000 ns for each.
 *
 * With 60 million entries only the entries are measured: as connections they would take 6 GB.
 */

#include <stdio.h>

#include <rte_common.h>
#include <rte_debug.h>

#include "bench.h"
#include "table/conn_table.h"
#include "table/time_wait.h"
#include "table/timer_wheel.h"

#define LIFETIME_MS 60000
#define BURST       32

/* Closes, or look-ups, that one repetition does. */
#define OPERATIONS 32768

struct world {
	uint32_t entries;
	uint32_t closes; /* So many so far; the next key's number. */
	struct time_wait *table;
	struct conn_table *conns;
	struct timer_wheel *wheel;
	uint32_t numbers[OPERATIONS]; /* Keys to look up, as closes ago. */
	uint64_t evicted;
};

static const struct siphash_key secret = {
		UINT64_C(0x0123456789abcdef), UINT64_C(0xfedcba9876543210)};

static const struct tcp_conn tcp = {
		.snd_nxt = 1,
		.rcv_nxt = 2,
		.ts_recent = 3,
		.flags = TCP_CONN_TIMESTAMPS | TCP_CONN_FIN_SENT,
		.state = TCP_TIME_WAIT,
};

static struct flow_key
key_of(uint32_t number, uint16_t endpoint)
{
	struct flow_key key = {.port = (rte_be16_t)(number * 40503), .endpoint = endpoint};

	flow_key_map_ipv4(key.address, number * UINT32_C(2654435761));
	return key;
}

/* When a close happens: as many in each minute as there are entries. */
static uint32_t
time_of(const struct world *world, uint32_t number)
{
	return (uint32_t)((uint64_t)number * LIFETIME_MS / world->entries);
}

static void
keys_from(uint32_t number, struct flow_key keys[BURST], uint64_t hashes[BURST])
{
	for (unsigned int i = 0; i < BURST; i++)
		keys[i] = key_of(number + i, 0);
	siphash_flow_bulk(&secret, keys, BURST, hashes);
}

static void
close_burst(struct world *world)
{
	const uint32_t now_ms = time_of(world, world->closes);
	struct flow_key keys[BURST];
	uint64_t hashes[BURST];

	keys_from(world->closes, keys, hashes);
	for (unsigned int i = 0; i < BURST; i++)
		time_wait_prefetch(world->table, hashes[i]);
	for (unsigned int i = 0; i < BURST; i++)
		world->evicted += time_wait_insert(world->table, &keys[i], hashes[i], &tcp, now_ms);
	world->closes += BURST;
}

static void
close_burst_as_conns(struct world *world)
{
	const uint32_t now_ms = time_of(world, world->closes);
	struct flow_key keys[BURST];
	uint64_t hashes[BURST];

	keys_from(world->closes, keys, hashes);
	for (unsigned int i = 0; i < BURST; i++) {
		struct conn *conn = conn_table_insert(world->conns, &keys[i], hashes[i]);

		RTE_VERIFY(conn != NULL);
		conn->tcp = tcp;
		timer_wheel_schedule(world->wheel, conn, now_ms + LIFETIME_MS);
	}
	world->closes += BURST;
}

static void
expire_conns(struct world *world)
{
	const uint32_t now_ms = time_of(world, world->closes);
	struct conn *expired[BURST * 2];
	unsigned int n;

	n = timer_wheel_expire(world->wheel, now_ms, expired, RTE_DIM(expired));
	for (unsigned int i = 0; i < n; i++)
		conn_table_remove(world->conns, expired[i],
				conn_table_hash(world->conns, &expired[i]->key));
}

static void
prepare_numbers(void *context)
{
	struct world *world = context;

	bench_random(world->numbers, sizeof(world->numbers));
	for (unsigned int i = 0; i < OPERATIONS; i++)
		world->numbers[i] = 1 + world->numbers[i] % (world->entries / 10 * 9);
}

/* @return how many of a burst were found. */
static unsigned int
look_up(const struct world *world, unsigned int at, uint16_t endpoint)
{
	struct time_wait_entry *found[BURST];
	struct flow_key keys[BURST];
	uint64_t hashes[BURST];
	unsigned int hits;

	for (unsigned int i = 0; i < BURST; i++)
		keys[i] = key_of(world->closes - world->numbers[at + i], endpoint);
	siphash_flow_bulk(&secret, keys, BURST, hashes);
	hits = (unsigned int)__builtin_popcountll(time_wait_lookup_bulk(world->table, keys, hashes,
			(UINT64_C(1) << BURST) - 1, time_of(world, world->closes), found));
	for (unsigned int i = 0; i < BURST && hits == BURST; i++) {
		struct tcp_conn loaded;

		bench_keep(time_wait_load(found[i], &loaded));
		bench_keep(loaded.rcv_nxt);
	}
	return hits;
}

static unsigned int
look_up_conns(const struct world *world, unsigned int at, uint16_t endpoint)
{
	struct flow_key keys[BURST];
	struct conn *found[BURST];
	uint64_t hashes[BURST];

	for (unsigned int i = 0; i < BURST; i++)
		keys[i] = key_of(world->closes - world->numbers[at + i], endpoint);
	siphash_flow_bulk(&secret, keys, BURST, hashes);
	return (unsigned int)__builtin_popcountll(
			conn_table_lookup_bulk(world->conns, keys, hashes, BURST, found));
}

static uint64_t
run_hits(void *context)
{
	for (unsigned int i = 0; i < OPERATIONS; i += BURST)
		RTE_VERIFY(look_up(context, i, 0) == BURST);
	return OPERATIONS;
}

static uint64_t
run_hits_conns(void *context)
{
	for (unsigned int i = 0; i < OPERATIONS; i += BURST)
		RTE_VERIFY(look_up_conns(context, i, 0) == BURST);
	return OPERATIONS;
}

static uint64_t
run_misses(void *context)
{
	for (unsigned int i = 0; i < OPERATIONS; i += BURST)
		RTE_VERIFY(look_up(context, i, 1) == 0);
	return OPERATIONS;
}

static uint64_t
run_misses_conns(void *context)
{
	for (unsigned int i = 0; i < OPERATIONS; i += BURST)
		RTE_VERIFY(look_up_conns(context, i, 1) == 0);
	return OPERATIONS;
}

static uint64_t
run_steady(void *context)
{
	struct world *world = context;

	for (unsigned int i = 0; i < OPERATIONS; i += BURST) {
		time_wait_expire(world->table, time_of(world, world->closes), BURST * 2);
		close_burst(world);
		RTE_VERIFY(look_up(world, i, 0) == BURST);
	}
	return OPERATIONS;
}

static uint64_t
run_steady_conns(void *context)
{
	struct world *world = context;

	for (unsigned int i = 0; i < OPERATIONS; i += BURST) {
		expire_conns(world);
		close_burst_as_conns(world);
		RTE_VERIFY(look_up_conns(world, i, 0) == BURST);
	}
	return OPERATIONS;
}

/* The policy when full: each close evicts one. */
static uint64_t
run_full(void *context)
{
	struct world *world = context;

	world->evicted = 0;
	for (unsigned int i = 0; i < OPERATIONS; i += BURST)
		close_burst(world);
	RTE_VERIFY(world->evicted == OPERATIONS);
	return OPERATIONS;
}

static void
fill(struct world *world, uint32_t capacity)
{
	const size_t size = time_wait_footprint(capacity);

	world->table = time_wait_init(bench_alloc(size), capacity, LIFETIME_MS);
	while (world->closes < world->entries)
		close_burst(world);
	RTE_VERIFY(world->evicted == 0 && time_wait_count(world->table) >= world->entries);
	printf("\n%u entries, %.1f bytes each, index included\n", world->entries,
			(double)size / capacity);
}

static void
fill_conns(struct world *world, uint32_t capacity)
{
	world->conns = conn_table_init(
			bench_alloc(conn_table_footprint(capacity)), capacity, &secret);
	world->wheel = timer_wheel_init(bench_alloc(timer_wheel_footprint()), world->conns, 0);
	while (world->closes < world->entries)
		close_burst_as_conns(world);
}

static void
measure(const struct bench *bench, uint32_t entries, bool with_conns)
{
	struct world *world = bench_alloc(sizeof(*world));
	struct world *other = bench_alloc(sizeof(*other));
	const unsigned int n = with_conns ? 2 : 1;
	const struct bench_case hits[] = {
			{"time_wait", world, run_hits, prepare_numbers},
			{"conn_table", other, run_hits_conns, prepare_numbers},
	};
	const struct bench_case misses[] = {
			{"time_wait", world, run_misses, prepare_numbers},
			{"conn_table", other, run_misses_conns, prepare_numbers},
	};
	const struct bench_case steady[] = {
			{"time_wait", world, run_steady, prepare_numbers},
			{"conn_table and timer_wheel", other, run_steady_conns, prepare_numbers},
	};
	const struct bench_case full[] = {{"time_wait", world, run_full, NULL}};

	world->entries = entries;
	fill(world, entries + entries / 1000 + OPERATIONS);
	if (with_conns) {
		other->entries = entries;
		fill_conns(other, entries + entries / 20 + OPERATIONS);
	}
	bench_run(bench, "hash, look up: hits, bursts of 32", hits, n);
	bench_run(bench, "hash, look up: misses, bursts of 32", misses, n);
	bench_run(bench, "hash, close, look up, expire", steady, n);
	RTE_VERIFY(world->evicted == 0);
	time_wait_set_lifetime(world->table, 2 * LIFETIME_MS); /* Now nothing lapses in time. */
	while (time_wait_count(world->table) < time_wait_capacity(world->table))
		close_burst(world);
	bench_run(bench, "hash, close when full", full, 1);
	bench_free(world->table);
	bench_free(other->conns);
	bench_free(other->wheel);
	bench_free(world);
	bench_free(other);
}

int
main(int argc, char *argv[])
{
	struct bench bench = bench_start(argc, argv, 3072);

	if (bench.quick) {
		measure(&bench, 100000, true);
	} else {
		measure(&bench, 1000000, true);
		measure(&bench, 60000000, false);
	}
	return bench_stop();
}
