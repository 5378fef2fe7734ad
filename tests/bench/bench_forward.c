/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * 64-byte segments of established connections through a worker: mode: proxy and mode: direct.
 *
 * Connections are opened by their handshakes, through the engine.  Then segments of connections
 * drawn at random, half of them clients' and half of them backends' (with mode: direct, which sees
 * no others, all of them clients'), are put into the port's ring,
 * some hundreds at a time, and the worker's turns are timed.  Frames are as warm as they would be
 * behind a NIC that writes into the cache; tables are as cold as their size makes them.
 *
 * CONNECTIONS in the environment: that many, and nothing else.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_debug.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

#include "bench.h"
#include "bench_engine.h"
#include "bench_peers.h"

#define BATCH         1024 /* Segments between two looks at the clock. */
#define BATCHES       1024
#define BATCHES_QUICK 8
#define OPENING       1024 /* Handshakes at once. */
#define LOOK_AT       61   /* Every so many a frame is looked at. */

struct forward {
	struct bench_engine engine;
	struct bench_peers peers;
	bool direct;
	uint64_t state; /* Of the generator of clients. */
};

static uint32_t
next_random(struct forward *forward)
{
	forward->state = forward->state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)(forward->state >> 32);
}

static void
put_batch(struct forward *forward)
{
	for (unsigned int i = 0; i < BATCH; i++) {
		const uint32_t random = next_random(forward);
		const uint32_t client =
				(uint32_t)(((uint64_t)random * forward->peers.clients) >> 32);

		const bool from_server = !forward->direct && (random & 1) != 0;

		bench_engine_put(&forward->engine,
				bench_peers_segment(&forward->peers, client, from_server));
	}
}

static void
take_batch(struct forward *forward)
{
	struct rte_mbuf *packets[BURST_MAX];
	unsigned int taken = 0, n;

	while ((n = bench_engine_take(&forward->engine, packets, BURST_MAX)) > 0) {
		for (unsigned int i = taken % LOOK_AT; i < n; i += LOOK_AT)
			RTE_VERIFY(bench_peers_is_right(&forward->peers, packets[i]));
		rte_pktmbuf_free_bulk(packets, n);
		taken += n;
	}
	if (taken != BATCH) {
		printf("  %u of %u segments went through\n", taken, BATCH);
		bench_engine_print_drops(&forward->engine);
		exit(EXIT_FAILURE);
	}
}

static void
open_all(struct forward *forward)
{
	struct bench_peers *peers = &forward->peers;
	uint64_t idle = 0;
	uint32_t next = 0;

	bench_peers_begin(peers);
	while (!forward->direct && peers->opened < peers->clients && idle < 1000) {
		for (unsigned int i = 0; i < OPENING && next < peers->clients &&
					 next - peers->opened < OPENING;
				i++)
			bench_peers_open(peers, next++);
		bench_engine_turn(peers->engine);
		idle = bench_peers_serve(peers) > 0 ? 0 : idle + 1;
	}
	/* Who passes on what clients say knows a flow from its first segment on. */
	for (unsigned int i = 0; forward->direct && i < peers->clients / BATCH * 4; i++) {
		put_batch(forward);
		bench_engine_turn(peers->engine);
		take_batch(forward);
	}
	if (!forward->direct && peers->opened < peers->clients) {
		printf("  only %llu of %u connections were opened\n",
				(unsigned long long)peers->opened, peers->clients);
		bench_engine_print_drops(peers->engine);
		exit(EXIT_FAILURE);
	}
}

static int
compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
measure(struct forward *forward, unsigned int batches)
{
	const double hz = (double)rte_get_tsc_hz();
	struct bench_engine_stages stages = {{0}};
	double *cycles = calloc(batches, sizeof(*cycles));

	for (unsigned int i = 0; i < batches; i++) {
		put_batch(forward);
		forward->engine.cycles = 0;
		bench_engine_turn(&forward->engine);
		cycles[i] = (double)forward->engine.cycles / BATCH;
		take_batch(forward);
	}
	qsort(cycles, batches, sizeof(*cycles), compare);
	printf("  %10u connections  %6.1f cycles  %6.2f ns  %6.2f Mpps  (quartiles %.1f .. %.1f)\n",
			forward->peers.clients, cycles[batches / 2], cycles[batches / 2] / hz * 1e9,
			hz / cycles[batches / 2] / 1e6, cycles[batches / 4],
			cycles[batches - 1 - batches / 4]);
	free(cycles);
	for (unsigned int i = 0; i < batches / 4; i++) {
		put_batch(forward);
		bench_engine_turn_by_stages(&forward->engine, &stages);
		take_batch(forward);
	}
	printf("     ");
	for (unsigned int i = 0; i < BENCH_ENGINE_STAGES; i++) {
		const double mean = (double)stages.cycles[i] / (batches / 4) / BATCH;

		if (mean >= 0.5)
			printf(" %s %.0f", bench_engine_stage_names[i], mean);
	}
	printf("\n");
	fflush(stdout);
}

static size_t
heap_used(void)
{
	struct rte_malloc_socket_stats stats;

	RTE_VERIFY(rte_malloc_get_socket_stats(0, &stats) == 0);
	return stats.heap_allocsz_bytes;
}

static void
run(uint32_t connections, unsigned int batches, bool direct)
{
	struct forward *forward = calloc(1, sizeof(*forward));
	const size_t before = heap_used();
	char *yaml = bench_peers_yaml(connections, direct ? "direct" : "proxy");

	bench_engine_open(&forward->engine, yaml);
	free(yaml);
	forward->state = 1;
	forward->direct = direct;
	forward->peers = (struct bench_peers){
			.engine = &forward->engine,
			.conn = calloc(connections, sizeof(struct bench_peers_conn)),
			.clients = connections,
	};
	RTE_VERIFY(forward->peers.conn != NULL);
	open_all(forward);
	measure(forward, batches);
	printf("      %.1f bytes of the EAL's heap for each connection, all tables and buffers of "
	       "the worker\n",
			(double)(heap_used() - before) / connections);
	free(forward->peers.conn);
	bench_engine_close(&forward->engine);
	free(forward);
}

int
main(int argc, char *argv[])
{
	static const uint32_t sizes[] = {10000, 1000000};
	const struct bench bench = bench_start(argc, argv, 3072);
	const unsigned int batches = bench.quick ? BATCHES_QUICK : BATCHES;
	const char *chosen = getenv("CONNECTIONS");

	for (int direct = 0; direct <= 1; direct++) {
		printf("\n64-byte segments with mode: %s, per segment\n",
				direct ? "direct" : "proxy");
		if (chosen != NULL)
			run((uint32_t)strtoul(chosen, NULL, 10), batches, direct);
		for (unsigned int i = 0; chosen == NULL && i < (bench.quick ? 1 : RTE_DIM(sizes));
				i++)
			run(sizes[i], batches, direct);
	}
	return bench_stop();
}
