/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_debug.h>
#include <rte_dev.h>
#include <rte_eth_ring.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "engine/burst_cookie.h"
#include "engine/burst_forward.h"
#include "engine/burst_limit.h"
#include "engine/direct.h"
#include "engine/eal.h"
#include "engine/launch.h"
#include "engine/log.h"

#include "bench_engine.h"

const char *const bench_engine_stage_names[BENCH_ENGINE_STAGES] = {"receive", "parse", "classify",
		"limit", "direct", "lookup", "forward", "cookie", "step", "reply", "transmit"};

void
bench_engine_open(struct bench_engine *engine, const char *yaml)
{
	const struct eal_cores cores = {.worker_count = 1};
	int port;

	memset(engine, 0, sizeof(*engine));
	log_init(LOG_LEVEL_WARNING);
	engine->to_engine = rte_ring_create(
			"to_engine", BENCH_ENGINE_FRAMES + 1, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);
	engine->from_engine = rte_ring_create(
			"from_engine", BENCH_ENGINE_FRAMES + 1, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);
	RTE_VERIFY(engine->to_engine != NULL && engine->from_engine != NULL);
	port = rte_eth_from_rings("bench", &engine->to_engine, 1, &engine->from_engine, 1, 0);
	RTE_VERIFY(port >= 0);
	engine->settings = settings_parse("bench.yaml", yaml, strlen(yaml), stderr);
	if (engine->settings == NULL ||
			launch_assemble(&engine->engine, engine->settings, &cores) != LAUNCH_OK)
		rte_exit(EXIT_FAILURE, "no engine\n");
	engine->worker = engine->engine.worker[0];
}

void
bench_engine_close(struct bench_engine *engine)
{
	struct rte_mbuf *packets[BURST_MAX];
	unsigned int n;

	while ((n = bench_engine_take(engine, packets, BURST_MAX)) > 0)
		rte_pktmbuf_free_bulk(packets, n);
	launch_disassemble(&engine->engine);
	rte_eal_hotplug_remove("vdev", "net_ring_bench");
	rte_ring_free(engine->to_engine);
	rte_ring_free(engine->from_engine);
	settings_free(engine->settings);
}

struct rte_mbuf *
bench_engine_frame(struct bench_engine *engine, unsigned int length)
{
	struct rte_mbuf *packet = rte_pktmbuf_alloc(engine->engine.pool);

	RTE_VERIFY(packet != NULL);
	packet->data_len = (uint16_t)length;
	packet->pkt_len = length;
	return packet;
}

void
bench_engine_put(struct bench_engine *engine, struct rte_mbuf *packet)
{
	RTE_VERIFY(rte_ring_sp_enqueue(engine->to_engine, packet) == 0);
}

void
bench_engine_turn(struct bench_engine *engine)
{
	const uint64_t start = rte_rdtsc_precise();

	do {
		worker_turn(engine->worker);
		engine->turns++;
	} while (!rte_ring_empty(engine->to_engine));
	engine->cycles += rte_rdtsc_precise() - start;
}

void
bench_engine_turn_by_stages(struct bench_engine *engine, struct bench_engine_stages *stages)
{
	static void (*const stage[BENCH_ENGINE_STAGES])(struct worker *, struct burst *) = {
			burst_receive,
			burst_parse,
			burst_classify,
			burst_limit,
			burst_direct,
			burst_lookup,
			burst_forward,
			burst_cookie,
			burst_step,
			burst_reply,
			burst_transmit,
	};
	static struct burst burst;

	do {
		uint64_t before, now;

		worker_begin(engine->worker);
		before = rte_rdtsc();
		for (unsigned int i = 0; i < BENCH_ENGINE_STAGES; i++) {
			stage[i](engine->worker, &burst);
			now = rte_rdtsc();
			stages->cycles[i] += now - before;
			before = now;
		}
	} while (!rte_ring_empty(engine->to_engine));
}

unsigned int
bench_engine_take(struct bench_engine *engine, struct rte_mbuf *packets[], unsigned int max)
{
	return rte_ring_sc_dequeue_burst(engine->from_engine, (void **)packets, max, NULL);
}

uint64_t
bench_engine_counter(const struct bench_engine *engine, enum counter counter)
{
	return engine->worker->counters[0].value[counter];
}

void
bench_engine_print_drops(const struct bench_engine *engine)
{
	for (unsigned int i = COUNTERS_BEFORE_DROPS; i < COUNTERS; i++) {
		const uint64_t value = bench_engine_counter(engine, (enum counter)i);

		if (value != 0)
			printf("    %s %llu\n", counters_name((enum counter)i),
					(unsigned long long)value);
	}
}
