/* SPDX-License-Identifier: BSD-3-Clause */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "load/pace.h"

static struct pace pace;

/* Starts that are due in a stretch of time, looked at every @p step_us. */
static uint64_t
taken(uint64_t from_us, uint64_t to_us, uint64_t step_us)
{
	uint64_t intended_us, n = 0;

	for (uint64_t now_us = from_us; now_us < to_us; now_us += step_us) {
		while (pace_take(&pace, now_us, &intended_us)) {
			assert_true(intended_us <= now_us);
			n++;
		}
	}
	return n;
}

static void
nothing_is_due_without_a_rate(void **state)
{
	uint64_t intended_us;

	(void)state;
	pace_init(&pace, PACE_EVEN, 1, 1000);
	assert_false(pace_take(&pace, 100000000, &intended_us));
}

static void
even_starts_are_equally_far_apart(void **state)
{
	uint64_t intended_us;

	(void)state;
	pace_init(&pace, PACE_EVEN, 1, 1000);
	pace_set_rate(&pace, 10000, 1000);
	for (uint64_t i = 0; i < 50; i++) {
		assert_true(pace_take(&pace, 1000 + i * 100, &intended_us));
		assert_int_equal(intended_us, 1000 + i * 100);
		assert_false(pace_take(&pace, 1000 + i * 100 + 99, &intended_us));
	}
}

static void
a_late_start_keeps_the_time_it_was_due(void **state)
{
	uint64_t intended_us;

	(void)state;
	pace_init(&pace, PACE_EVEN, 1, 0);
	pace_set_rate(&pace, 1000, 0);
	for (uint64_t i = 0; i <= 500; i++) {
		assert_true(pace_take(&pace, 500000, &intended_us));
		assert_int_equal(intended_us, i * 1000);
	}
	assert_false(pace_take(&pace, 500000, &intended_us));
}

/* A ramp of an hour begins with less than one start in a million years. */
static void
rates_of_almost_nothing_are_as_good_as_none(void **state)
{
	static const double rates[] = {1e-4, 1e-9, 1e-12, 1e-300};
	uint64_t intended_us;

	(void)state;
	for (unsigned int i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		for (unsigned int shape = PACE_EVEN; shape <= PACE_POISSON; shape++) {
			pace_init(&pace, (enum pace_shape)shape, 1, 1000);
			pace_set_rate(&pace, rates[i], 1000);
			assert_true(pace_take(&pace, 1000, &intended_us));
			assert_int_equal(taken(1001, 10001, 1), 0);
			/* And what comes next is not late for it. */
			pace_set_rate(&pace, 1000, 11000);
			assert_in_range(taken(11000, 1011000, 100), 900, 1100);
		}
	}
}

static void
high_rates_are_met(void **state)
{
	static const double rates[] = {1e3, 33333, 1e6, 3.3e6, 1e7, 4e7};

	(void)state;
	for (unsigned int i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		double n;

		pace_init(&pace, PACE_EVEN, 1, 0);
		pace_set_rate(&pace, rates[i], 0);
		n = (double)taken(0, 100000, 7);
		assert_true(fabs(n - rates[i] / 10) <= rates[i] / 10 / 1000 + 1 + rates[i] * 7e-6);
	}
}

static void
poisson_starts_have_the_rate_and_the_spread(void **state)
{
	uint64_t before_us = 0, n = 0, intended_us;
	double squares = 0.0;

	(void)state;
	pace_init(&pace, PACE_POISSON, 42, 0);
	pace_set_rate(&pace, 1000, 0);
	while (pace_take(&pace, 1000000000, &intended_us)) {
		const double gap = (double)(intended_us - before_us) / 1000;

		squares += (gap - 1) * (gap - 1);
		before_us = intended_us;
		n++;
	}
	/* A thousand seconds at a thousand: the count's deviation is 1000, 0.1 %. */
	assert_in_range(n, 995000, 1005000);
	/* The exponential distribution's deviation is its mean. */
	assert_true(fabs(squares / (double)n - 1.0) < 0.02);
}

static void
poisson_has_bursts_and_silences(void **state)
{
	unsigned int most = 0, empty = 0;

	(void)state;
	pace_init(&pace, PACE_POISSON, 7, 0);
	pace_set_rate(&pace, 1000, 0);
	for (uint64_t ms = 0; ms < 10000; ms++) {
		uint64_t intended_us;
		unsigned int n = 0;

		while (pace_take(&pace, ms * 1000, &intended_us))
			n++;
		if (n > most)
			most = n;
		empty += n == 0;
	}
	/* e^-1 of the milliseconds have none. */
	assert_in_range(empty, 3500, 3860);
	assert_in_range(most, 5, 12);
}

static void
a_changed_rate_holds_from_then_on(void **state)
{
	(void)state;
	pace_init(&pace, PACE_EVEN, 1, 0);
	pace_set_rate(&pace, 1000, 0);
	assert_in_range(taken(0, 1000000, 100), 999, 1001);
	pace_set_rate(&pace, 5000, 1000000);
	assert_in_range(taken(1000000, 2000000, 100), 4995, 5005);
}

/* Half of what the full rate would have been, however slowly it begins. */
static void
a_ramp_begins_half_of_it(void **state)
{
	static const double rates[] = {10, 500, 5000, 1e6};
	static const enum pace_shape shapes[] = {PACE_EVEN, PACE_POISSON};

	(void)state;
	for (unsigned int i = 0; i < 8; i++) {
		const double rate = rates[i / 2], half = rate * 4 / 2;
		double n = 0;

		pace_init(&pace, shapes[i % 2], 5, 0);
		for (uint64_t ms = 0; ms < 4000; ms++) {
			pace_set_rate(&pace, rate * (double)ms / 4000, ms * 1000);
			n += (double)taken(ms * 1000, ms * 1000 + 1000, 50);
		}
		assert_true(fabs(n - half) <= 2 + half / 100 + (i % 2) * 4 * sqrt(half));
		/* And back to nothing. */
		for (uint64_t ms = 4000; ms < 8000; ms++) {
			pace_set_rate(&pace, rate * (double)(8000 - ms) / 4000, ms * 1000);
			n += (double)taken(ms * 1000, ms * 1000 + 1000, 50);
		}
		assert_true(fabs(n - 2 * half) <= 2 + half / 100 + (i % 2) * 4 * sqrt(2 * half));
	}
}

static void
a_pause_leaves_no_debt(void **state)
{
	(void)state;
	pace_init(&pace, PACE_EVEN, 1, 0);
	pace_set_rate(&pace, 1000, 0);
	taken(0, 1000000, 100);
	pace_set_rate(&pace, 0, 1000000);
	assert_int_equal(taken(1000000, 5000000, 1000), 0);
	pace_set_rate(&pace, 1000, 5000000);
	assert_in_range(taken(5000000, 5100000, 100), 99, 101);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(nothing_is_due_without_a_rate),
			cmocka_unit_test(even_starts_are_equally_far_apart),
			cmocka_unit_test(a_late_start_keeps_the_time_it_was_due),
			cmocka_unit_test(rates_of_almost_nothing_are_as_good_as_none),
			cmocka_unit_test(high_rates_are_met),
			cmocka_unit_test(poisson_starts_have_the_rate_and_the_spread),
			cmocka_unit_test(poisson_has_bursts_and_silences),
			cmocka_unit_test(a_changed_rate_holds_from_then_on),
			cmocka_unit_test(a_ramp_begins_half_of_it),
			cmocka_unit_test(a_pause_leaves_no_debt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
