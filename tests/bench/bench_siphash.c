/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Hashing flow keys: each way of siphash_flow_bulk(), and the hashes DPDK offers, which are faster
 * for one key but can be aimed at.
 */

#include <rte_hash_crc.h>
#include <rte_jhash.h>

#include "bench.h"
#include "cookie/siphash.h"

#define FLOWS  64
#define ROUNDS 2000

static struct siphash_key key;
static struct flow_key flows[FLOWS];
static uint64_t hashes[FLOWS];

static uint64_t
run_bulk(void *context)
{
	enum siphash_path path = *(const enum siphash_path *)context;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		siphash_flow_bulk_by(path, &key, flows, FLOWS, hashes);
		bench_keep(hashes[round % FLOWS]);
	}
	return ROUNDS * FLOWS;
}

static uint64_t
run_24(void *context)
{
	(void)context;
	for (unsigned int round = 0; round < ROUNDS; round++)
		for (unsigned int i = 0; i < FLOWS; i++)
			bench_keep(siphash_24(&key, &flows[i], sizeof(flows[i])));
	return ROUNDS * FLOWS;
}

static uint64_t
run_jhash(void *context)
{
	(void)context;
	for (unsigned int round = 0; round < ROUNDS; round++)
		for (unsigned int i = 0; i < FLOWS; i++)
			bench_keep(rte_jhash(&flows[i], sizeof(flows[i]), 0));
	return ROUNDS * FLOWS;
}

static uint64_t
run_crc(void *context)
{
	(void)context;
	for (unsigned int round = 0; round < ROUNDS; round++)
		for (unsigned int i = 0; i < FLOWS; i++)
			bench_keep(rte_hash_crc(&flows[i], sizeof(flows[i]), 0));
	return ROUNDS * FLOWS;
}

int
main(int argc, char *argv[])
{
	struct bench bench = bench_start(argc, argv, 256);
	enum siphash_path paths[SIPHASH_PATHS] = {SIPHASH_SCALAR, SIPHASH_AVX2, SIPHASH_AVX512};
	const char *names[SIPHASH_PATHS] = {"siphash_flow_bulk, scalar", "siphash_flow_bulk, AVX2",
			"siphash_flow_bulk, AVX-512"};
	struct bench_case cases[SIPHASH_PATHS + 3];
	unsigned int n = 0;

	bench_random(&key, sizeof(key));
	bench_random(flows, sizeof(flows));
	for (unsigned int i = 0; i < SIPHASH_PATHS; i++)
		if (siphash_path_available(paths[i]))
			cases[n++] = (struct bench_case){names[i], &paths[i], run_bulk, NULL};
	cases[n++] = (struct bench_case){"siphash_24, one at a time", NULL, run_24, NULL};
	cases[n++] = (struct bench_case){"rte_jhash (not keyed)", NULL, run_jhash, NULL};
	cases[n++] = (struct bench_case){"rte_hash_crc (not keyed)", NULL, run_crc, NULL};
	bench_run(&bench, "one key of 20 bytes, 64 in a burst", cases, n);
	return bench_stop();
}
