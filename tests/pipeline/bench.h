/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BENCH_H
#define BENCH_H

/**
 * @file
 * A load generator on the bench: against a rig's engine, ring to ring, or against a peer played by
 * hand, a segment at a time, on a clock that is moved by hand.
 */

#include <stdbool.h>
#include <stdint.h>

#include "engine/load.h"

#include "rig.h"

/** A generator whose port is the other end of a rig's. */
struct bench {
	struct rig rig;
	struct settings *settings;
	struct engine generator;
	struct load_plan plan;
	unsigned int workers;
	const char *vlan; /**< Of the generator's port, as a line of its settings; or NULL. */
	bool open;
	struct rig_frame heard;
	uint32_t seq; /**< What a peer played by hand says next. */
	uint32_t ack;
	uint32_t tsval; /**< And with these timestamps; 0: none. */
};

extern struct bench bench;

/** What is asked for, by who closes. */
extern const char bench_request[];
extern const char bench_request_close[];

/** The generator's first worker. */
struct load_worker *bench_load(void);

/** Figures and failures, over all workers and phases; of all classes, which are printed. */
uint64_t bench_count(enum figure figure);

uint64_t bench_failed(enum failure failure);

uint64_t bench_all_failed(void);

/** A plan with the usual numbers, to one target. */
struct load_plan bench_plan(enum load_exchange exchange, const char *target, uint16_t port);

/** Assemble both sides, and begin. */
void bench_begin(const struct load_plan *plan);

/** Take both sides apart. */
void bench_end(void);

/** After a test that failed in the middle. */
int bench_tidy_up(void **state);

/** Time passes for both; nobody takes a turn. */
void bench_advance(uint64_t us);

/** Both sides take turns, a microsecond each. */
void bench_play(unsigned int turns);

/** Time passes for the generator alone, a turn a millisecond. */
void bench_wait_ms(unsigned int ms);

/** The generator's next frame. @return whether there is one. */
bool bench_hear(void);

/** The generator's next frame is this. */
void bench_expect(uint8_t flags, unsigned int payload);

/** The peer says something to whom it heard last. */
void bench_say(uint8_t flags, uint16_t window, const char *text);

/** One connection, whose SYN was just sent and heard. */
void bench_begin_one(enum load_exchange exchange);

/** A test whose bench is taken apart, however the test ends. */
#define BENCH_TEST(name) cmocka_unit_test_teardown(name, bench_tidy_up)

#endif /* BENCH_H */
