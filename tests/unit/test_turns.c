/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Turns: shares, spacing, ranks, and that who leaves does not reorder the others.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "balance/turns.h"
#include "random.h"

#define SEED 11

static struct turns *
turns_new(const uint8_t weights[], uint32_t n, uint32_t first)
{
	void *memory = malloc(turns_footprint(n));

	assert_non_null(memory);
	memset(memory, 0xa5, turns_footprint(n));
	return turns_init(memory, weights, n, first);
}

static void
equal_takers_follow_one_another(void **state)
{
	const uint8_t weights[] = {7, 7, 7};
	struct turns *turns = turns_new(weights, 3, 1);

	(void)state;
	for (unsigned int round = 0; round < 10; round++)
		for (uint32_t i = 0; i < 3; i++)
			assert_int_equal(turns_next(turns), (i + 1) % 3);
	free(turns);
}

static void
heavy_taker_is_not_served_in_a_row(void **state)
{
	const uint8_t weights[] = {4, 1, 1};
	struct turns *turns = turns_new(weights, 3, 0);
	unsigned int in_a_row = 0;
	unsigned int worst = 0;

	(void)state;
	for (unsigned int i = 0; i < 600; i++) {
		in_a_row = turns_next(turns) == 0 ? in_a_row + 1 : 0;
		worst = in_a_row > worst ? in_a_row : worst;
	}
	assert_int_equal(worst, 4);
	free(turns);
}

static void
nobody_has_a_turn_without_weight(void **state)
{
	const uint8_t weights[] = {0, 3, 0};
	struct turns *turns = turns_new(weights, 3, 0);

	(void)state;
	assert_int_equal(turns_takers(turns), 1);
	for (unsigned int i = 0; i < 10; i++)
		assert_int_equal(turns_next(turns), 1);
	free(turns);
	turns = turns_new(weights, 1, 0);
	assert_int_equal(turns_next(turns), TURNS_NONE);
	free(turns);
	turns = turns_new(NULL, 0, 0);
	assert_int_equal(turns_next(turns), TURNS_NONE);
	free(turns);
}

static void
shares_are_weights_at_any_time(void **state)
{
	uint64_t seed = SEED;

	(void)state;
	printf("seed %d\n", SEED);
	for (unsigned int trial = 0; trial < 50; trial++) {
		uint32_t n = 1 + random_below(&seed, 40);
		uint32_t taken[40] = {0};
		uint8_t weights[40];
		struct turns *turns;
		uint32_t sum = 0;

		for (uint32_t i = 0; i < n; i++) {
			weights[i] = (uint8_t)(1 + random_below(&seed, 255));
			sum += weights[i];
		}
		turns = turns_new(weights, n, random_below(&seed, n));
		for (uint32_t i = 1; i <= 3 * sum; i++) {
			uint32_t who = turns_next(turns);
			double fair = (double)i * weights[who] / sum;

			taken[who]++;
			assert_true(taken[who] <= fair + 2 && taken[who] >= fair - 2);
		}
		for (uint32_t i = 0; i < n; i++)
			assert_in_range(taken[i], 3 * weights[i] - 1, 3 * weights[i] + 1);
		free(turns);
	}
}

static void
leaving_does_not_reorder_the_others(void **state)
{
	uint64_t seed = SEED;

	(void)state;
	printf("seed %d\n", SEED);
	for (unsigned int trial = 0; trial < 100; trial++) {
		uint32_t n = 2 + random_below(&seed, 30);
		uint32_t gone = random_below(&seed, n);
		uint8_t weights[32];
		struct turns *before;
		struct turns *after;

		for (uint32_t i = 0; i < n; i++)
			weights[i] = (uint8_t)(1 + random_below(&seed, 255));
		weights[gone] = TURNS_WEIGHT_MAX;
		before = turns_new(weights, n, 0);
		weights[gone] = 0;
		after = turns_new(weights, n, 0);
		for (unsigned int i = 0; i < 1000; i++) {
			uint32_t who;

			do
				who = turns_next(before);
			while (who == gone);
			assert_int_equal(turns_next(after), who);
		}
		free(before);
		free(after);
	}
}

static void
time_may_wrap(void **state)
{
	const uint8_t weights[] = {1, 2};
	struct turns *turns = turns_new(weights, 2, 0);
	uint64_t *words = (uint64_t *)turns;
	unsigned int heavy = 0;

	(void)state;
	/* Shift all times to just before the wrap: count, then {time, period, rank and number}. */
	for (unsigned int i = 0; i < 2; i++)
		words[1 + 3 * i] += UINT64_MAX - (UINT64_C(5) << 32);
	for (unsigned int i = 0; i < 300; i++)
		heavy += turns_next(turns) == 1;
	assert_in_range(heavy, 199, 201);
	free(turns);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(equal_takers_follow_one_another),
			cmocka_unit_test(heavy_taker_is_not_served_in_a_row),
			cmocka_unit_test(nobody_has_a_turn_without_weight),
			cmocka_unit_test(shares_are_weights_at_any_time),
			cmocka_unit_test(leaving_does_not_reorder_the_others),
			cmocka_unit_test(time_may_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
