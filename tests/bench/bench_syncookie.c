/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Cookies made and judged, a burst of 64 at a time, by each way this CPU has.
 *
 * Forged ACKs are random, so a quarter of them is tried a second time, and all of them while two
 * secrets are accepted.
 */

#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "bench.h"
#include "cookie/syncookie.h"

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
	return bench_stop();
}
