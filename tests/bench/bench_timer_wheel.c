/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The timer wheel next to rte_timer, a skip list that moves a timer each time it is set.
 *
 * Postponing is what every packet of a connection does.  Setting and expiring is what every
 * connection does once, often long after, when its line is far away.  rte_timer has no clock of its
 * own choosing, so its timers are set to run out at once, spread over a thousand cycles, and are
 * then collected.
 */

#include <stdio.h>
#include <string.h>

#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_debug.h>
#include <rte_lcore.h>
#include <rte_timer.h>

#include "bench.h"
#include "table/timer_wheel.h"

/* Timers postponed by one repetition. */
#define POSTPONED_PER_RUN 8192

/* Timers set and expired by one repetition: rte_timer_manage() takes them all at once. */
#define EXPIRED_PER_RUN 8192
#define SPREAD_MS       1000 /* Repetitions take half a minute: nothing else runs out. */
#define SPREAD_CYCLES   1000

#define MINUTE_MS       60000

struct world {
	uint32_t entries;
	uint32_t now_ms;
	struct conn_table *table;
	struct timer_wheel *wheel;
	struct rte_timer *timers; /* One more EXPIRED_PER_RUN beyond the entries. */
	uint64_t hz;
	uint32_t expired;
	uint32_t picked[POSTPONED_PER_RUN]; /* Which are postponed next. */
	uint32_t delay[POSTPONED_PER_RUN];
};

static void
expired(struct rte_timer *timer, void *argument)
{
	struct world *world = argument;

	(void)timer;
	world->expired++;
}

static struct conn *
conn_new(struct world *world, uint32_t number)
{
	struct flow_key key = {.endpoint = 1};
	struct conn *conn;

	memcpy(key.address, &number, sizeof(number));
	conn = conn_table_insert(world->table, &key, conn_table_hash(world->table, &key));
	RTE_VERIFY(conn != NULL);
	return conn;
}

/* All timers pending, one minute to two minutes away. */
static void
world_open(struct world *world, uint32_t entries)
{
	const struct siphash_key key = {1, 2};
	uint32_t capacity = entries + EXPIRED_PER_RUN;

	memset(world, 0, sizeof(*world));
	world->entries = entries;
	world->hz = rte_get_timer_hz();
	world->table = conn_table_init(bench_alloc(conn_table_footprint(capacity)), capacity, &key);
	world->wheel = timer_wheel_init(bench_alloc(timer_wheel_footprint()), world->table, 0);
	world->timers = bench_alloc((size_t)capacity * sizeof(struct rte_timer));
	for (uint32_t i = 0; i < capacity; i++) {
		uint32_t delay_ms;

		bench_random(&delay_ms, sizeof(delay_ms));
		delay_ms = MINUTE_MS + delay_ms % MINUTE_MS;
		conn_new(world, i);
		rte_timer_init(&world->timers[i]);
		if (i >= entries)
			continue;
		timer_wheel_schedule(world->wheel, conn_table_at(world->table, i), delay_ms);
		rte_timer_reset(&world->timers[i], world->hz / 1000 * (10 * MINUTE_MS + delay_ms),
				SINGLE, rte_lcore_id(), expired, world);
	}
}

static void
world_close(struct world *world)
{
	for (uint32_t i = 0; i < world->entries; i++)
		rte_timer_stop(&world->timers[i]);
	bench_free(world->timers);
	bench_free(world->wheel);
	bench_free(world->table);
}

static void
prepare_picks(void *context)
{
	struct world *world = context;

	bench_random(world->picked, sizeof(world->picked));
	bench_random(world->delay, sizeof(world->delay));
	for (unsigned int i = 0; i < POSTPONED_PER_RUN; i++) {
		world->picked[i] %= world->entries;
		world->delay[i] %= MINUTE_MS;
	}
}

static uint64_t
run_wheel_postpone(void *context)
{
	struct world *world = context;
	struct conn *conns = conn_table_conns(world->table);

	for (unsigned int i = 0; i < POSTPONED_PER_RUN; i++)
		timer_wheel_schedule(world->wheel, &conns[world->picked[i]],
				world->now_ms + 2 * MINUTE_MS + world->delay[i]);
	return POSTPONED_PER_RUN;
}

static uint64_t
run_timer_postpone(void *context)
{
	struct world *world = context;

	for (unsigned int i = 0; i < POSTPONED_PER_RUN; i++)
		rte_timer_reset(&world->timers[world->picked[i]],
				world->hz / 1000 * (12 * MINUTE_MS + world->delay[i]), SINGLE,
				rte_lcore_id(), expired, world);
	return POSTPONED_PER_RUN;
}

/* What closing one connection and opening the next costs. */
static uint64_t
run_wheel_change(void *context)
{
	struct world *world = context;
	struct conn *conns = conn_table_conns(world->table);

	for (unsigned int i = 0; i < POSTPONED_PER_RUN; i++) {
		struct conn *conn = &conns[world->picked[i]];

		timer_wheel_cancel(world->wheel, conn);
		timer_wheel_schedule(
				world->wheel, conn, world->now_ms + MINUTE_MS + world->delay[i]);
	}
	return POSTPONED_PER_RUN;
}

static uint64_t
run_timer_change(void *context)
{
	struct world *world = context;

	for (unsigned int i = 0; i < POSTPONED_PER_RUN; i++) {
		struct rte_timer *timer = &world->timers[world->picked[i]];

		rte_timer_stop(timer);
		rte_timer_reset(timer, world->hz / 1000 * (11 * MINUTE_MS + world->delay[i]),
				SINGLE, rte_lcore_id(), expired, world);
	}
	return POSTPONED_PER_RUN;
}

/* The clock goes on by a second; connections among the entries are moved on when they come up. */
static uint64_t
run_wheel_expire(void *context)
{
	struct world *world = context;
	struct conn *conns = conn_table_conns(world->table) + world->entries;
	struct conn *batch[64];
	uint32_t done = 0;

	for (unsigned int i = 0; i < EXPIRED_PER_RUN; i++)
		timer_wheel_schedule(world->wheel, &conns[i],
				world->now_ms + world->delay[i] % SPREAD_MS);
	for (uint32_t ms = 0; ms < SPREAD_MS + TIMER_WHEEL_TICK_MS; ms++) {
		unsigned int n;

		do {
			n = timer_wheel_expire(world->wheel, world->now_ms, batch, RTE_DIM(batch));
			done += n;
		} while (n != 0);
		world->now_ms++;
	}
	RTE_VERIFY(done == EXPIRED_PER_RUN);
	return EXPIRED_PER_RUN;
}

/* The clock goes on until so many of the entries came up, a minute or two after they were set. */
static uint64_t
run_wheel_come_up(void *context)
{
	struct world *world = context;
	struct conn *batch[64];
	uint32_t done = 0;

	while (done < EXPIRED_PER_RUN) {
		const unsigned int n = timer_wheel_expire(
				world->wheel, world->now_ms, batch, RTE_DIM(batch));

		for (unsigned int i = 0; i < n; i++)
			timer_wheel_schedule(world->wheel, batch[i],
					world->now_ms + MINUTE_MS +
							world->delay[(done + i) % EXPIRED_PER_RUN]);
		done += n;
		if (n == 0)
			world->now_ms++;
	}
	return done;
}

static uint64_t
run_timer_expire(void *context)
{
	struct world *world = context;
	struct rte_timer *timers = world->timers + world->entries;

	world->expired = 0;
	for (unsigned int i = 0; i < EXPIRED_PER_RUN; i++)
		rte_timer_reset(&timers[i], world->delay[i] % SPREAD_CYCLES, SINGLE, rte_lcore_id(),
				expired, world);
	do
		rte_timer_manage();
	while (world->expired < EXPIRED_PER_RUN);
	return EXPIRED_PER_RUN;
}

int
main(int argc, char *argv[])
{
	static const uint32_t sizes[] = {10000, 1000000};
	struct bench bench = bench_start(argc, argv, 1024);
	struct world *world = bench_alloc(sizeof(*world));
	const struct bench_case postpone[] = {
			{"timer_wheel_schedule", world, run_wheel_postpone, prepare_picks},
			{"rte_timer_reset", world, run_timer_postpone, prepare_picks},
	};
	const struct bench_case change[] = {
			{"timer_wheel_cancel, _schedule", world, run_wheel_change, prepare_picks},
			{"rte_timer_stop, _reset", world, run_timer_change, prepare_picks},
	};
	const struct bench_case expire[] = {
			{"timer_wheel_schedule, _expire", world, run_wheel_expire, prepare_picks},
			{"rte_timer_reset, _manage", world, run_timer_expire, prepare_picks},
	};
	const struct bench_case come_up[] = {
			{"timer_wheel_expire, _schedule", world, run_wheel_come_up, prepare_picks},
	};

	RTE_VERIFY(rte_timer_subsystem_init() == 0);
	for (unsigned int i = 0; i < (bench.quick ? 1 : RTE_DIM(sizes)); i++) {
		world_open(world, sizes[i]);
		printf("\n%u timers pending\n", sizes[i]);
		bench_run(&bench, "postpone", postpone, RTE_DIM(postpone));
		bench_run(&bench, "forget and set anew", change, RTE_DIM(change));
		bench_run(&bench, "set and expire", expire, RTE_DIM(expire));
		bench_run(&bench, "come up and set anew", come_up, RTE_DIM(come_up));
		world_close(world);
	}
	rte_timer_subsystem_finalize();
	bench_free(world);
	return bench_stop();
}
