/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BENCH_ENGINE_H
#define BENCH_ENGINE_H

/**
 * @file
 * An engine with one worker and one port that is two rings: what a worker's turn costs, without a
 * NIC, without a second process, and without the cycles of who makes the frames.
 *
 * It runs in the thread that calls it, by the real clock.  Frames are put between turns and taken
 * away between turns; only turns are timed.
 */

#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"
#include "engine/worker.h"

/** Frames that either ring holds at most. */
#define BENCH_ENGINE_FRAMES 8191

struct bench_engine {
	struct settings *settings;
	struct engine engine;
	struct worker *worker;
	struct rte_ring *to_engine;
	struct rte_ring *from_engine;
	uint64_t cycles; /**< Of the turns so far. */
	uint64_t turns;
};

/** The stages of worker_burst(), each with its cycles. */
#define BENCH_ENGINE_STAGES 11

struct bench_engine_stages {
	uint64_t cycles[BENCH_ENGINE_STAGES];
};

extern const char *const bench_engine_stage_names[BENCH_ENGINE_STAGES];

/** Put one together; its port's device must be "vdev:net_ring_bench".  Exits when it cannot. */
void bench_engine_open(struct bench_engine *engine, const char *yaml);

void bench_engine_close(struct bench_engine *engine);

/** A frame to be filled and given to bench_engine_put(). */
struct rte_mbuf *bench_engine_frame(struct bench_engine *engine, unsigned int length);

void bench_engine_put(struct bench_engine *engine, struct rte_mbuf *packet);

/** Turns until all frames are taken, at least one; they add to cycles and turns. */
void bench_engine_turn(struct bench_engine *engine);

/** The same without what a turn does beside packets, and each stage timed. */
void bench_engine_turn_by_stages(struct bench_engine *engine, struct bench_engine_stages *stages);

/** Frames that the engine has sent. @return how many */
unsigned int bench_engine_take(
		struct bench_engine *engine, struct rte_mbuf *packets[], unsigned int max);

/** A counter of the port. */
uint64_t bench_engine_counter(const struct bench_engine *engine, enum counter counter);

/** Counters of what was dropped, by name, to standard output. */
void bench_engine_print_drops(const struct bench_engine *engine);

#endif /* BENCH_ENGINE_H */
