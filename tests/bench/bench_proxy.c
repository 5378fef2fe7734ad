/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Whole proxied connections a worker completes in a second: SYN cookie, both handshakes, a request
 * and a response of 100 bytes, both closes.
 *
 * Clients and backends are a script in the same thread, so the rate of the program means nothing:
 * what is measured is the time that the worker's turns took.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_debug.h>

#include "bench.h"
#include "bench_engine.h"
#include "bench_peers.h"

#define SECONDS_WARM    1
#define SECONDS         2
#define CONNECTIONS_MAX 1000000
#define CLIENTS         8000000 /* A client comes again when as many others have come. */

struct figures {
	uint64_t cycles;
	uint64_t tsc;
	uint64_t closed;
	uint64_t received;
	uint64_t sent;
};

static void
look(const struct bench_peers *peers, struct figures *figures)
{
	figures->cycles = peers->engine->cycles;
	figures->tsc = rte_get_tsc_cycles();
	figures->closed = peers->closed;
	figures->received = bench_engine_counter(peers->engine, COUNTER_rx);
	figures->sent = bench_engine_counter(peers->engine, COUNTER_tx);
}

/* Keep so many connections on their way, until so much time has gone by. */
static void
converse(struct bench_peers *peers, uint64_t *begun, unsigned int concurrency, double seconds)
{
	const uint64_t until =
			rte_get_tsc_cycles() + (uint64_t)(seconds * (double)rte_get_tsc_hz());

	while (rte_get_tsc_cycles() < until) {
		/* What is lost stays lost; it must not stop the others. */
		const uint64_t over = peers->closed + peers->resets;

		for (unsigned int i = 0; i < 256 && *begun - over < concurrency; i++)
			bench_peers_open(peers, (uint32_t)((*begun)++ % CLIENTS));
		bench_engine_turn(peers->engine);
		bench_peers_serve(peers);
	}
}

static void
run(const struct bench *bench, bool linux_like, unsigned int concurrency)
{
	struct bench_engine *engine = calloc(1, sizeof(*engine));
	struct bench_peers peers = {.engine = engine, .closing = true, .linux_like = linux_like};
	char *yaml = bench_peers_yaml(CONNECTIONS_MAX, "proxy");
	struct figures before, after;
	uint64_t begun = 0;
	double n, hz = (double)rte_get_tsc_hz();

	bench_engine_open(engine, yaml);
	free(yaml);
	bench_peers_begin(&peers);
	converse(&peers, &begun, concurrency, bench->quick ? 0.1 : SECONDS_WARM);
	look(&peers, &before);
	converse(&peers, &begun, concurrency, bench->quick ? 0.1 : SECONDS);
	look(&peers, &after);
	n = (double)(after.closed - before.closed);
	printf("  %-20s %6u at once  %7.0f cycles  %8.0f connections/s of the worker's time  "
	       "%.1f packets in, %.1f out  (%8.0f/s with script)\n",
			linux_like ? "options as Linux" : "MSS only", concurrency,
			(double)(after.cycles - before.cycles) / n,
			n * hz / (double)(after.cycles - before.cycles),
			(double)(after.received - before.received) / n,
			(double)(after.sent - before.sent) / n,
			n * hz / (double)(after.tsc - before.tsc));
	printf("    of %llu begun %llu were reset, %llu are in the table\n",
			(unsigned long long)begun, (unsigned long long)peers.resets,
			(unsigned long long)conn_table_count(engine->worker->table));
	bench_engine_print_drops(engine);
	fflush(stdout);
	bench_engine_close(engine);
	free(engine);
}

int
main(int argc, char *argv[])
{
	const struct bench bench = bench_start(argc, argv, 768);

	printf("\nproxied connections\n");
	run(&bench, true, 512);
	if (getenv("ONLY_FIRST") != NULL)
		return bench_stop();
	run(&bench, false, 512);
	run(&bench, true, 4096);
	return bench_stop();
}
