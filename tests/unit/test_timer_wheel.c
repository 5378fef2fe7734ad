/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The timer wheel: its promises one by one, then against a plain list of deadlines.
 */

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <rte_common.h>

#include "table/timer_wheel.h"

#define SEED   1234
#define CONNS  300
#define TICK   TIMER_WHEEL_TICK_MS
#define NO_MAX CONNS

struct fixture {
	struct conn_table *table;
	struct timer_wheel *wheel;
	struct conn *conn[CONNS];
	struct conn *expired[CONNS];
};

static void
fixture_start(struct fixture *fixture, uint32_t now_ms)
{
	const struct siphash_key key = {1, 2};
	void *memory = aligned_alloc(64, timer_wheel_footprint());

	fixture->table = conn_table_init(
			aligned_alloc(64, conn_table_footprint(CONNS)), CONNS, &key);
	for (uint32_t i = 0; i < CONNS; i++) {
		struct flow_key flow = {.port = (rte_be16_t)i};

		fixture->conn[i] = conn_table_insert(
				fixture->table, &flow, conn_table_hash(fixture->table, &flow));
		assert_non_null(fixture->conn[i]);
	}
	memset(memory, 0xa5, timer_wheel_footprint());
	fixture->wheel = timer_wheel_init(memory, fixture->table, now_ms);
}

static void
fixture_stop(struct fixture *fixture)
{
	free(fixture->wheel);
	free(fixture->table);
}

/* When the first connection comes out, the clock going on by step_ms; never, after limit_ms. */
static uint32_t
time_of_expiry(struct fixture *fixture, uint32_t from_ms, uint32_t step_ms, uint32_t limit_ms)
{
	for (uint32_t passed = 0; passed <= limit_ms; passed += step_ms)
		if (timer_wheel_expire(fixture->wheel, from_ms + passed, fixture->expired,
				    NO_MAX) != 0)
			return passed;
	return UINT32_MAX;
}

static void
every_deadline_expires_in_time_and_never_early(void **state)
{
	static const uint32_t starts[] = {0, 1, 7, 8, 1000003, UINT32_MAX - 700};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(starts); i++) {
		for (uint32_t delay = 0; delay < 1500; delay += 1 + delay / 20) {
			struct fixture fixture;
			uint32_t passed;

			fixture_start(&fixture, starts[i]);
			timer_wheel_schedule(fixture.wheel, fixture.conn[0], starts[i] + delay);
			passed = time_of_expiry(&fixture, starts[i], 1, 2000);
			assert_in_range(passed, delay, delay + TICK - 1);
			assert_ptr_equal(fixture.expired[0], fixture.conn[0]);
			assert_int_equal(time_of_expiry(&fixture, starts[i] + passed, 1, 100),
					UINT32_MAX);
			fixture_stop(&fixture);
		}
	}
}

static void
deadlines_beyond_the_wheel_are_kept(void **state)
{
	static const uint32_t delays[] = {
			131063, 131064, 131065, 131071, 131072, 131073, 131080, 300000, 86400000};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(delays); i++) {
		struct fixture fixture;

		fixture_start(&fixture, 12345);
		timer_wheel_schedule(fixture.wheel, fixture.conn[0], 12345 + delays[i]);
		assert_in_range(time_of_expiry(&fixture, 12345, TICK, delays[i] + 100), delays[i],
				delays[i] + 2 * TICK);
		fixture_stop(&fixture);
	}
}

static void
deadline_in_the_past_expires_at_the_next_tick(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, 1000);
	assert_int_equal(timer_wheel_expire(fixture.wheel, 5001, fixture.expired, NO_MAX), 0);
	timer_wheel_schedule(fixture.wheel, fixture.conn[0], 3000);
	assert_in_range(time_of_expiry(&fixture, 5001, 1, 100), 0, TICK);
	fixture_stop(&fixture);
}

static void
postponing_is_one_store(void **state)
{
	struct fixture fixture;
	struct conn before;

	(void)state;
	fixture_start(&fixture, 0);
	timer_wheel_schedule(fixture.wheel, fixture.conn[0], 100);
	timer_wheel_schedule(fixture.wheel, fixture.conn[1], 100);
	before = *fixture.conn[0];
	timer_wheel_schedule(fixture.wheel, fixture.conn[0], 100);
	assert_memory_equal(fixture.conn[0], &before, sizeof(before));
	before.timer_deadline_ms = 500;
	timer_wheel_schedule(fixture.wheel, fixture.conn[0], 500);
	assert_memory_equal(fixture.conn[0], &before, sizeof(before));
	assert_in_range(time_of_expiry(&fixture, 0, 1, 1000), 100, 107);
	assert_ptr_equal(fixture.expired[0], fixture.conn[1]);
	assert_in_range(time_of_expiry(&fixture, 107, 1, 1000), 500 - 107, 507 - 107);
	assert_ptr_equal(fixture.expired[0], fixture.conn[0]);
	fixture_stop(&fixture);
}

static void
shortened_deadline_is_honoured(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, 0);
	timer_wheel_schedule(fixture.wheel, fixture.conn[0], 60000);
	timer_wheel_schedule(fixture.wheel, fixture.conn[0], 50);
	assert_in_range(time_of_expiry(&fixture, 0, 1, 1000), 50, 57);
	fixture_stop(&fixture);
}

static void
cancelled_connections_never_expire_and_leave_the_others(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, 0);
	timer_wheel_cancel(fixture.wheel, fixture.conn[9]); /* was never scheduled */
	for (int i = 0; i < 5; i++)
		timer_wheel_schedule(fixture.wheel, fixture.conn[i], 100);
	timer_wheel_cancel(fixture.wheel, fixture.conn[4]); /* first of the list */
	timer_wheel_cancel(fixture.wheel, fixture.conn[2]); /* in the middle */
	timer_wheel_cancel(fixture.wheel, fixture.conn[0]); /* last */
	timer_wheel_cancel(fixture.wheel, fixture.conn[0]);
	assert_int_equal(timer_wheel_expire(fixture.wheel, 200, fixture.expired, NO_MAX), 2);
	assert_true(fixture.expired[0] == fixture.conn[1] || fixture.expired[0] == fixture.conn[3]);
	assert_int_equal(timer_wheel_expire(fixture.wheel, 100000, fixture.expired, NO_MAX), 0);
	fixture_stop(&fixture);
}

static void
expired_connection_may_be_removed_and_its_slot_used_again(void **state)
{
	struct fixture fixture;
	struct flow_key flow = {.port = 0};
	struct conn *conn;

	(void)state;
	fixture_start(&fixture, 0);
	timer_wheel_schedule(fixture.wheel, fixture.conn[0], 10);
	assert_int_equal(timer_wheel_expire(fixture.wheel, 16, fixture.expired, NO_MAX), 1);
	conn_table_remove(fixture.table, fixture.conn[0], conn_table_hash(fixture.table, &flow));
	conn = conn_table_insert(fixture.table, &flow, conn_table_hash(fixture.table, &flow));
	assert_ptr_equal(conn, fixture.conn[0]);
	timer_wheel_schedule(fixture.wheel, conn, 100);
	assert_in_range(time_of_expiry(&fixture, 16, 1, 200), 84, 91);
	fixture_stop(&fixture);
}

static void
budget_limits_expiries_and_the_rest_follows(void **state)
{
	struct fixture fixture;
	unsigned int total = 0;

	(void)state;
	fixture_start(&fixture, 0);
	for (int i = 0; i < CONNS; i++)
		timer_wheel_schedule(fixture.wheel, fixture.conn[i], (uint32_t)i);
	for (int call = 0; call < CONNS / 30; call++) {
		assert_int_equal(timer_wheel_idle_ms(fixture.wheel, 5000, 1000), 0);
		assert_int_equal(timer_wheel_expire(fixture.wheel, 5000, fixture.expired, 30), 30);
		total += 30;
	}
	assert_int_equal(total, CONNS);
	assert_int_equal(timer_wheel_expire(fixture.wheel, 5000, fixture.expired, 30), 0);
	assert_int_equal(timer_wheel_idle_ms(fixture.wheel, 5000, 1000), 1000);
	fixture_stop(&fixture);
}

static void
budget_limits_looks_too(void **state)
{
	struct fixture fixture;
	unsigned int calls = 0;

	(void)state;
	fixture_start(&fixture, 0);
	for (int i = 0; i < CONNS; i++) {
		timer_wheel_schedule(fixture.wheel, fixture.conn[i], 100);
		timer_wheel_schedule(fixture.wheel, fixture.conn[i], 10000);
	}
	while (timer_wheel_idle_ms(fixture.wheel, 1000, 500) == 0) {
		assert_int_equal(timer_wheel_expire(fixture.wheel, 1000, fixture.expired, 5), 0);
		calls++;
	}
	assert_int_equal(calls, CONNS / 20);
	fixture_stop(&fixture);
}

static void
idle_time_ends_when_the_next_slot_is_due(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, UINT32_MAX - 20);
	assert_int_equal(timer_wheel_idle_ms(fixture.wheel, UINT32_MAX - 20, 1000000), 1000000);
	timer_wheel_schedule(fixture.wheel, fixture.conn[0], 82); /* tick 11 */
	assert_int_equal(timer_wheel_idle_ms(fixture.wheel, UINT32_MAX - 20, 1000), 109);
	assert_int_equal(timer_wheel_idle_ms(fixture.wheel, UINT32_MAX - 20, 109), 109);
	assert_int_equal(timer_wheel_idle_ms(fixture.wheel, UINT32_MAX - 20, 50), 50);
	assert_int_equal(timer_wheel_idle_ms(fixture.wheel, UINT32_MAX - 20, 0), 0);
	assert_int_equal(timer_wheel_idle_ms(fixture.wheel, 88, 50), 0);
	fixture_stop(&fixture);
}

static void
clock_that_stands_or_goes_back_does_nothing(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, 1000);
	timer_wheel_schedule(fixture.wheel, fixture.conn[0], 1100);
	assert_int_equal(timer_wheel_expire(fixture.wheel, 1000, fixture.expired, NO_MAX), 0);
	assert_int_equal(timer_wheel_expire(fixture.wheel, 1000, fixture.expired, NO_MAX), 0);
	assert_int_equal(timer_wheel_expire(fixture.wheel, 500, fixture.expired, NO_MAX), 0);
	assert_int_equal(timer_wheel_expire(fixture.wheel, 1104, fixture.expired, NO_MAX), 1);
	fixture_stop(&fixture);
}

/* Seen from a wheel that is late, such a deadline seems to lie in the past. */
static void
farthest_deadline_does_not_hold_up_a_late_wheel(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, 0);
	timer_wheel_schedule(fixture.wheel, fixture.conn[0], 500);
	timer_wheel_schedule(fixture.wheel, fixture.conn[1], 1000 + (uint32_t)INT32_MAX);
	assert_int_equal(timer_wheel_expire(fixture.wheel, 1000, fixture.expired, NO_MAX), 1);
	assert_ptr_equal(fixture.expired[0], fixture.conn[0]);
	assert_int_equal(timer_wheel_idle_ms(fixture.wheel, 1000, 1000), 1000);
	fixture_stop(&fixture);
}

/* The plainest wheel: deadlines and whether they count. */
struct model {
	uint32_t deadline_ms[CONNS];
	bool scheduled[CONNS];
};

static uint32_t
random_delay_ms(void)
{
	switch (random() % 5) {
	case 0:
		return (uint32_t)random() % 20;
	case 1:
		return (uint32_t)random() % 1000;
	case 2:
		return (uint32_t)random() % 60000;
	case 3:
		return (uint32_t)random() % 400000;
	default:
		return 131072 - 20 + (uint32_t)random() % 40;
	}
}

/* In one of the three ways, which all mean the same. */
static void
model_schedule(struct fixture *fixture, unsigned int i, uint32_t deadline_ms, uint32_t now_ms)
{
	switch (random() % 3) {
	case 0:
		timer_wheel_schedule(fixture->wheel, fixture->conn[i], deadline_ms);
		break;
	case 1:
		timer_wheel_postpone(fixture->wheel, fixture->conn[i], deadline_ms);
		break;
	default:
		timer_wheel_schedule_early(fixture->wheel, fixture->conn[i], deadline_ms,
				now_ms + random_delay_ms());
		break;
	}
}

static void
model_change(struct model *model, struct fixture *fixture, uint32_t now_ms)
{
	unsigned int i = (unsigned int)random() % CONNS;

	if (random() % 4 == 0) {
		timer_wheel_cancel(fixture->wheel, fixture->conn[i]);
		model->scheduled[i] = false;
	} else {
		model->deadline_ms[i] = now_ms + random_delay_ms();
		model->scheduled[i] = true;
		model_schedule(fixture, i, model->deadline_ms[i], now_ms);
	}
}

static void
model_expire(struct model *model, struct fixture *fixture, uint32_t now_ms, unsigned int max)
{
	unsigned int n = timer_wheel_expire(fixture->wheel, now_ms, fixture->expired, max);

	assert_in_range(n, 0, max);
	for (unsigned int e = 0; e < n; e++) {
		uint32_t i = conn_table_slot(fixture->table, fixture->expired[e]);

		assert_true(model->scheduled[i]);
		assert_true((int32_t)(now_ms - model->deadline_ms[i]) >= 0);
		model->scheduled[i] = false;
	}
}

/* Nobody is left whose tick has begun, and idle time does not pass anybody's deadline's tick. */
static void
model_check(const struct model *model, const struct fixture *fixture, uint32_t now_ms)
{
	uint32_t idle_ms = timer_wheel_idle_ms(fixture->wheel, now_ms, 1000);

	assert_in_range(idle_ms, 1, 1000);
	for (unsigned int i = 0; i < CONNS; i++) {
		int32_t left_ms = (int32_t)(model->deadline_ms[i] - now_ms);

		if (!model->scheduled[i])
			continue;
		assert_true(left_ms > -TICK);
		assert_true((int32_t)idle_ms <= left_ms + TICK);
	}
}

static void
run_model(uint32_t start_ms, int rounds)
{
	struct fixture fixture;
	struct model model = {0};
	uint32_t now_ms = start_ms;

	fixture_start(&fixture, now_ms);
	for (int round = 0; round < rounds; round++) {
		int changes = (int)(random() % 40);
		unsigned int max = random() % 2 ? NO_MAX : 1 + (unsigned int)random() % 10;

		while (changes-- > 0)
			model_change(&model, &fixture, now_ms);
		now_ms += random() % 50 == 0 ? (uint32_t)random() % 500000
					     : (uint32_t)random() % 300;
		model_expire(&model, &fixture, now_ms, max);
		if (max == NO_MAX || random() % 3 == 0) {
			for (int call = 0; call <= CONNS; call++)
				model_expire(&model, &fixture, now_ms, NO_MAX);
			model_check(&model, &fixture, now_ms);
		}
	}
	fixture_stop(&fixture);
}

static void
wheel_agrees_with_a_plain_list(void **state)
{
	(void)state;
	print_message("seed %d\n", SEED);
	srandom(SEED);
	run_model(0, 2000);
	run_model(UINT32_MAX - 100000, 2000);
	run_model(INT32_MAX - 100000, 2000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(every_deadline_expires_in_time_and_never_early),
			cmocka_unit_test(deadlines_beyond_the_wheel_are_kept),
			cmocka_unit_test(deadline_in_the_past_expires_at_the_next_tick),
			cmocka_unit_test(postponing_is_one_store),
			cmocka_unit_test(shortened_deadline_is_honoured),
			cmocka_unit_test(cancelled_connections_never_expire_and_leave_the_others),
			cmocka_unit_test(expired_connection_may_be_removed_and_its_slot_used_again),
			cmocka_unit_test(budget_limits_expiries_and_the_rest_follows),
			cmocka_unit_test(budget_limits_looks_too),
			cmocka_unit_test(idle_time_ends_when_the_next_slot_is_due),
			cmocka_unit_test(clock_that_stands_or_goes_back_does_nothing),
			cmocka_unit_test(farthest_deadline_does_not_hold_up_a_late_wheel),
			cmocka_unit_test(wheel_agrees_with_a_plain_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
