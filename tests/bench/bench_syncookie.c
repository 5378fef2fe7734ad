/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Cookies made and judged, a burst of 64 at a time, by each way this CPU has.
 *
 * Forged ACKs are random, so a quarter of them is tried a second time, and all of them while two
 * secrets are accepted.  SYNs of one client's kind have one offer, which is made once: the flood
 * path makes those cookies in columns.
 */

#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "bench.h"
#include "cookie/syncookie.h"
#include "cookie/syncookie_columns.h"

#define FLOWS  SYNCOOKIE_BURST_MAX
#define ROUNDS 2000

enum work { MAKE, CHECK_GOOD, CHECK_FORGED, CHECK_FORGED_ROTATING, WORKS };

struct contestant {
	enum siphash_path path;
	enum work work;
};

static struct syncookie_keys keys, rotating;
static struct flow_key flows[FLOWS];
static struct tcp_segment segments[WORKS][FLOWS];
static struct syncookie_request requests[WORKS][FLOWS];
static struct syncookie cookies[FLOWS];
static struct tcp_segment rebuilt[FLOWS];
static uint8_t verdicts[FLOWS];

static uint64_t
run(void *context)
{
	const struct contestant *contestant = context;
	const enum work work = contestant->work;
	const struct syncookie_keys *with = work == CHECK_FORGED_ROTATING ? &rotating : &keys;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		if (work == MAKE)
			bench_keep(syncookie_make_bulk_by(
					contestant->path, with, requests[work], FLOWS, cookies));
		else
			bench_keep(syncookie_check_bulk_by(contestant->path, with, requests[work],
					FLOWS, rebuilt, verdicts));
	}
	return ROUNDS * FLOWS;
}

/* Half of the clients have timestamps, half have IPv6. */
static void
prepare_flow(unsigned int i)
{
	struct tcp_segment *syn = &segments[MAKE][i];

	if (i & 1)
		flow_key_map_ipv4(flows[i].address, (rte_be32_t)(0x0a000000 + i));
	syn->flags = TCP_SYN;
	syn->mss = i & 1 ? 1460 : 1440;
	syn->window_scale = 7;
	syn->options = TCP_OPTION_MSS | TCP_OPTION_SACK_PERMITTED | TCP_OPTION_WINDOW_SCALE |
		       (i & 2 ? TCP_OPTION_TIMESTAMPS : 0);
	for (enum work work = 0; work < WORKS; work++)
		requests[work][i] = (struct syncookie_request){
				.flow = &flows[i],
				.segment = &segments[work][i],
				.endpoint = 0x123456789abc,
				.options = 0x0f,
		};
	syncookie_make_bulk(&keys, &requests[MAKE][i], 1, &cookies[i]);
	for (enum work work = CHECK_GOOD; work < WORKS; work++) {
		struct tcp_segment *ack = &segments[work][i];

		bench_random(&ack->ack, sizeof(ack->ack));
		if (work == CHECK_GOOD)
			ack->ack = cookies[i].isn + 1;
		ack->flags = TCP_ACK;
		ack->seq = syn->seq + 1;
		ack->options = syn->options & TCP_OPTION_TIMESTAMPS;
		ack->tsecr = cookies[i].tsval;
	}
}

static void
prepare(void)
{
	struct secret_problem problem;
	struct secret *active = secret_random(&problem), *accepted = secret_random(&problem);

	if (active == NULL || accepted == NULL ||
			!syncookie_keys_derive(&keys, active, NULL, 1700000000000) ||
			!syncookie_keys_derive(&rotating, active, accepted, 1700000000000))
		exit(EXIT_FAILURE);
	secret_free(active);
	secret_free(accepted);
	bench_random(flows, sizeof(flows));
	for (unsigned int i = 0; i < FLOWS; i++)
		prepare_flow(i);
	/* Or the figures are not of what they say. */
	if (syncookie_check_bulk(&keys, requests[CHECK_GOOD], FLOWS, rebuilt, verdicts) !=
					UINT64_MAX ||
			syncookie_check_bulk(&keys, requests[CHECK_FORGED], FLOWS, rebuilt,
					verdicts) != 0)
		exit(EXIT_FAILURE);
}

/** SYNs with one offer, for both ways. */
static struct offered {
	struct syncookie_offer offer;
	struct syncookie_syn syns[FLOWS];
	struct syncookie_numbers numbers[FLOWS];
	uint64_t hashes[FLOWS];
	struct syncookie_columns columns[FLOWS / SYNCOOKIE_COLUMNS];
	uint32_t answers[4][SYNCOOKIE_COLUMNS];
} offered;

static uint64_t
run_whole(void *context)
{
	static struct syncookie_request same[FLOWS];

	(void)context;
	for (unsigned int i = 0; i < FLOWS; i++) {
		same[i] = requests[MAKE][0];
		same[i].flow = &flows[i];
	}
	for (unsigned int round = 0; round < ROUNDS; round++)
		bench_keep(syncookie_make_bulk(&keys, same, FLOWS, cookies));
	return ROUNDS * FLOWS;
}

static uint64_t
run_offered(void *context)
{
	(void)context;
	for (unsigned int round = 0; round < ROUNDS; round++) {
		syncookie_make_offered(&keys, offered.syns, FLOWS, offered.numbers);
		bench_keep(offered.numbers[0].isn);
	}
	return ROUNDS * FLOWS;
}

static uint64_t
run_columns(void *context)
{
	(void)context;
	for (unsigned int round = 0; round < ROUNDS; round++)
		for (unsigned int i = 0; i < RTE_DIM(offered.columns); i++) {
			syncookie_columns_make(&keys, &offered.offer, &offered.columns[i]);
			bench_keep(offered.answers[0][0]);
		}
	return ROUNDS * FLOWS;
}

static void
measure_offered(const struct bench *bench)
{
	const struct bench_case cases[] = {
			{"syncookie_make_bulk, its offer each time", NULL, run_whole, NULL},
			{"syncookie_make_offered, best path", NULL, run_offered, NULL},
			{"syncookie_columns_make, sixteen at once", NULL, run_columns, NULL},
	};

	syncookie_offer(&keys, &requests[MAKE][0], &offered.offer);
	for (unsigned int i = 0; i < FLOWS; i++) {
		offered.syns[i] = (struct syncookie_syn){
				&flows[i], &offered.offer, segments[MAKE][i].seq, i};
		offered.hashes[i] = (uint64_t)i << 32;
		if (i % SYNCOOKIE_COLUMNS == 0)
			offered.columns[i / SYNCOOKIE_COLUMNS] = (struct syncookie_columns){
					.flows = &flows[i],
					.segments = &segments[MAKE][i],
					.hashes = &offered.hashes[i],
					.n = SYNCOOKIE_COLUMNS,
					.ts_flow_mask = UINT32_MAX,
					.seq = offered.answers[0],
					.ack = offered.answers[1],
					.tsval = offered.answers[2],
					.tsecr = offered.answers[3],
			};
	}
	bench_run(bench, "one cookie made for SYNs of one offer", cases,
			RTE_DIM(cases) - (syncookie_columns_available() ? 0 : 1));
}

int
main(int argc, char *argv[])
{
	static const char *const titles[WORKS] = {"one cookie made, 64 in a burst",
			"one good ACK judged and its SYN rebuilt, 64 in a burst",
			"one forged ACK refused, 64 in a burst",
			"one forged ACK refused while two secrets are accepted, 64 in a burst"};
	static const char *const names[SIPHASH_PATHS] = {"scalar", "AVX2", "AVX-512"};
	struct bench bench = bench_start(argc, argv, 256);

	prepare();
	for (enum work work = 0; work < WORKS; work++) {
		struct contestant contestants[SIPHASH_PATHS];
		struct bench_case cases[SIPHASH_PATHS];
		unsigned int n = 0;

		for (enum siphash_path path = 0; path < SIPHASH_PATHS; path++) {
			if (!siphash_path_available(path))
				continue;
			contestants[n] = (struct contestant){path, work};
			cases[n] = (struct bench_case){names[path], &contestants[n], run, NULL};
			n++;
		}
		bench_run(&bench, titles[work], cases, n);
	}
	measure_offered(&bench);
	return bench_stop();
}
