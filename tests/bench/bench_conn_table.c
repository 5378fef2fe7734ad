/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The connection table next to rte_hash, which most DPDK programs use for this.
 *
 * Both hold the same keys and get the same bursts, hashing included.  rte_hash answers with a
 * pointer to a connection that nobody has touched; the table answers with one whose line has
 * arrived.  So rte_hash is also measured up to that point ("and its line").  It is given CRC-32,
 * its default, which can be aimed at, and SipHash, which cannot.
 */

#include <stdio.h>

#include <rte_bitops.h>
#include <rte_common.h>
#include <rte_debug.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <rte_memory.h>
#include <rte_prefetch.h>

#include "bench.h"
#include "table/conn_table.h"

#define BURST_MAX CONN_TABLE_BURST_MAX

/* Keys that a repetition asks for; a multiple of every burst, and another part each time. */
#define ASKED_PER_RUN 32768
#define ASKED_RUNS    16
#define ASKED         (ASKED_PER_RUN * ASKED_RUNS)

/* Keys inserted and removed again by one repetition. */
#define CHANGED_PER_RUN 8192

struct world {
	struct conn_table *table;
	struct rte_hash *crc;
	struct rte_hash *sip;
	struct conn *lines; /* What rte_hash's data points at. */
	struct flow_key *hits;
	struct flow_key *misses;
	unsigned int cursor;
};

/* One case: which contestant, which keys, how many at a time. */
struct question {
	struct world *world;
	struct rte_hash *hash;
	const struct flow_key *keys;
	unsigned int burst;
	bool touch;
};

static struct siphash_key secret;

static uint32_t
keyed_hash(const void *key, uint32_t length, uint32_t initial)
{
	(void)length;
	(void)initial;
	return (uint32_t)siphash_flow(&secret, key);
}

static struct flow_key
key_of(uint32_t number, uint16_t endpoint)
{
	struct flow_key key = {.port = (rte_be16_t)(number * 40503), .endpoint = endpoint};

	flow_key_map_ipv4(key.address, number * UINT32_C(2654435761));
	return key;
}

static struct rte_hash *
hash_new(const char *name, uint32_t entries, rte_hash_function function)
{
	struct rte_hash_parameters parameters = {
			.name = name,
			.entries = entries,
			.key_len = sizeof(struct flow_key),
			.hash_func = function,
			.socket_id = (int)SOCKET_ID_ANY,
	};
	struct rte_hash *hash = rte_hash_create(&parameters);

	if (hash == NULL)
		printf("  (no memory for %s with %u entries)\n", name, entries);
	return hash;
}

static void
hash_fill(struct rte_hash *hash, struct conn *lines, uint32_t entries)
{
	uint32_t refused = 0;

	for (uint32_t i = 0; hash != NULL && i < entries; i++) {
		struct flow_key key = key_of(i, 0);

		lines[i].key = key;
		refused += rte_hash_add_key_data(hash, &key, &lines[i]) != 0;
	}
	if (refused != 0)
		printf("  (rte_hash refused %u of %u keys)\n", refused, entries);
}

static void
world_open(struct world *world, uint32_t entries)
{
	uint32_t capacity = entries + entries / 16 + BURST_MAX;

	world->table = conn_table_init(
			bench_alloc(conn_table_footprint(capacity)), capacity, &secret);
	for (uint32_t i = 0; i < entries; i++) {
		struct flow_key key = key_of(i, 0);

		RTE_VERIFY(conn_table_insert(world->table, &key,
					   conn_table_hash(world->table, &key)) != NULL);
	}
	world->lines = bench_alloc((size_t)entries * sizeof(struct conn));
	world->crc = hash_new("crc", capacity, rte_hash_crc);
	world->sip = hash_new("sip", capacity, keyed_hash);
	hash_fill(world->crc, world->lines, entries);
	hash_fill(world->sip, world->lines, entries);
	world->hits = bench_alloc(ASKED * sizeof(struct flow_key));
	world->misses = bench_alloc(ASKED * sizeof(struct flow_key));
	for (unsigned int i = 0; i < ASKED; i++) {
		uint32_t number;

		bench_random(&number, sizeof(number));
		world->hits[i] = key_of(number % entries, 0);
		world->misses[i] = key_of(number, 1);
	}
}

static void
world_close(struct world *world)
{
	rte_hash_free(world->crc);
	rte_hash_free(world->sip);
	bench_free(world->lines);
	bench_free(world->hits);
	bench_free(world->misses);
	bench_free(world->table);
}

/* The next keys to ask for. */
static const struct flow_key *
question_next(const struct question *question)
{
	question->world->cursor = (question->world->cursor + ASKED_PER_RUN) % ASKED;
	return question->keys + question->world->cursor;
}

static uint64_t
run_table_lookup(void *context)
{
	const struct question *question = context;
	const struct flow_key *keys = question_next(question);

	for (unsigned int i = 0; i < ASKED_PER_RUN; i += question->burst) {
		uint64_t hashes[BURST_MAX];
		struct conn *conns[BURST_MAX];

		conn_table_hash_bulk(question->world->table, &keys[i], question->burst, hashes);
		bench_keep(conn_table_lookup_bulk(
				question->world->table, &keys[i], hashes, question->burst, conns));
	}
	return ASKED_PER_RUN;
}

/* What a careful program does with rte_hash's answer: prefetch all lines, then read them. */
static void
touch(void *const data[], uint64_t hits)
{
	uint64_t sum = 0;

	for (uint64_t left = hits; left != 0; left &= left - 1)
		rte_prefetch0(data[rte_bsf64(left)]);
	for (uint64_t left = hits; left != 0; left &= left - 1) {
		const struct conn *conn = data[rte_bsf64(left)];

		sum += conn->key.port;
	}
	bench_keep(sum);
}

static uint64_t
run_hash_lookup(void *context)
{
	const struct question *question = context;
	const struct flow_key *keys = question_next(question);

	for (unsigned int i = 0; i < ASKED_PER_RUN; i += question->burst) {
		const void *pointers[BURST_MAX];
		void *data[BURST_MAX];
		uint64_t hits = 0;

		for (unsigned int k = 0; k < question->burst; k++)
			pointers[k] = &keys[i + k];
		bench_keep((uint64_t)rte_hash_lookup_bulk_data(
				question->hash, pointers, question->burst, &hits, data));
		bench_keep(hits);
		if (question->touch)
			touch(data, hits);
	}
	return ASKED_PER_RUN;
}

static uint64_t
run_table_change(void *context)
{
	const struct question *question = context;
	struct conn_table *table = question->world->table;
	const struct flow_key *keys = question_next(question);

	for (unsigned int i = 0; i < CHANGED_PER_RUN; i += BURST_MAX) {
		uint64_t hashes[BURST_MAX];
		struct conn *conns[BURST_MAX];

		conn_table_hash_bulk(table, &keys[i], BURST_MAX, hashes);
		for (unsigned int k = 0; k < BURST_MAX; k++)
			conns[k] = conn_table_insert(table, &keys[i + k], hashes[k]);
		for (unsigned int k = 0; k < BURST_MAX; k++)
			conn_table_remove(table, conns[k], hashes[k]);
	}
	return CHANGED_PER_RUN;
}

static uint64_t
run_hash_change(void *context)
{
	const struct question *question = context;
	const struct flow_key *keys = question_next(question);

	for (unsigned int i = 0; i < CHANGED_PER_RUN; i += BURST_MAX) {
		for (unsigned int k = 0; k < BURST_MAX; k++)
			rte_hash_add_key_data(question->hash, &keys[i + k], question->world->lines);
		for (unsigned int k = 0; k < BURST_MAX; k++)
			rte_hash_del_key(question->hash, &keys[i + k]);
	}
	return CHANGED_PER_RUN;
}

static void
compare_lookups(const struct bench *bench, struct world *world, const struct flow_key *keys,
		unsigned int burst, const char *title)
{
	struct question table = {.world = world, .keys = keys, .burst = burst};
	struct question crc = {world, world->crc, keys, burst, false};
	struct question sip = {world, world->sip, keys, burst, false};
	struct question crc_line = {world, world->crc, keys, burst, true};
	struct question sip_line = {world, world->sip, keys, burst, true};
	struct bench_case cases[5] = {{"conn_table", &table, run_table_lookup, NULL}};
	unsigned int n = 1;

	if (world->crc != NULL)
		cases[n++] = (struct bench_case){"rte_hash, CRC", &crc, run_hash_lookup, NULL};
	if (world->sip != NULL)
		cases[n++] = (struct bench_case){"rte_hash, SipHash", &sip, run_hash_lookup, NULL};
	if (world->crc != NULL && keys == world->hits)
		cases[n++] = (struct bench_case){
				"rte_hash, CRC, and its line", &crc_line, run_hash_lookup, NULL};
	if (world->sip != NULL && keys == world->hits)
		cases[n++] = (struct bench_case){"rte_hash, SipHash, and its line", &sip_line,
				run_hash_lookup, NULL};
	bench_run(bench, title, cases, n);
}

static void
compare_changes(const struct bench *bench, struct world *world)
{
	struct question table = {.world = world, .keys = world->misses};
	struct question crc = {.world = world, .hash = world->crc, .keys = world->misses};
	struct question sip = {.world = world, .hash = world->sip, .keys = world->misses};
	struct bench_case cases[3] = {{"conn_table", &table, run_table_change, NULL}};
	unsigned int n = 1;

	if (world->crc != NULL)
		cases[n++] = (struct bench_case){"rte_hash, CRC", &crc, run_hash_change, NULL};
	if (world->sip != NULL)
		cases[n++] = (struct bench_case){"rte_hash, SipHash", &sip, run_hash_change, NULL};
	bench_run(bench, "insert and remove", cases, n);
}

int
main(int argc, char *argv[])
{
	static const uint32_t sizes[] = {10000, 1000000, 10000000};
	struct bench bench = bench_start(argc, argv, 4096);

	bench_random(&secret, sizeof(secret));
	for (unsigned int i = 0; i < (bench.quick ? 1 : RTE_DIM(sizes)); i++) {
		struct world world = {0};

		world_open(&world, sizes[i]);
		printf("\n%u connections, %.1f bytes each in conn_table\n", sizes[i],
				(double)conn_table_footprint(conn_table_capacity(world.table)) /
						conn_table_capacity(world.table));
		compare_lookups(&bench, &world, world.hits, 32, "lookup that hits, bursts of 32");
		compare_lookups(&bench, &world, world.hits, 64, "lookup that hits, bursts of 64");
		compare_lookups(&bench, &world, world.misses, 32,
				"lookup that misses, bursts of 32");
		compare_lookups(&bench, &world, world.misses, 64,
				"lookup that misses, bursts of 64");
		compare_changes(&bench, &world);
		world_close(&world);
	}
	return bench_stop();
}
