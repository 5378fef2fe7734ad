/* SPDX-License-Identifier: BSD-3-Clause */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "explain/explain_seen.h"

#define FIRST UINT32_C(0xffffff00) /* The numbers wrap on the way. */

/* Add [from, to), counted from FIRST. */
static uint32_t
add(struct explain_seen *seen, uint32_t from, uint32_t to)
{
	return explain_seen_add(seen, FIRST + from, FIRST + to);
}

static void
holes_are_filled_in_any_order(void **state)
{
	struct explain_seen seen = {0};

	(void)state;
	explain_seen_start(&seen, FIRST);
	assert_int_equal(add(&seen, 0, 100), 100);
	assert_int_equal(add(&seen, 0, 100), 0);
	assert_int_equal(add(&seen, 300, 400), 100);
	assert_int_equal(add(&seen, 500, 600), 100);
	/* Its beginning, its end, its middle, and all that is left of both. */
	assert_int_equal(add(&seen, 50, 110), 10);
	assert_int_equal(add(&seen, 290, 310), 10);
	assert_int_equal(add(&seen, 200, 210), 10);
	assert_int_equal(add(&seen, 0, 700), 90 + 80 + 100 + 100);
	assert_null(seen.holes);
	explain_seen_free(&seen);
}

static void
what_lies_before_the_first_byte_counts_nothing(void **state)
{
	struct explain_seen seen = {0};

	(void)state;
	explain_seen_start(&seen, FIRST);
	assert_int_equal(add(&seen, (uint32_t)-1, 0), 0);
	assert_int_equal(add(&seen, (uint32_t)-10, 5), 5);
	explain_seen_free(&seen);
}

static void
more_holes_than_are_remembered_count_too_little(void **state)
{
	struct explain_seen seen = {0};
	uint32_t sum = 0;

	(void)state;
	explain_seen_start(&seen, FIRST);
	for (uint32_t i = 0; i < EXPLAIN_HOLES + 2; i++)
		sum += add(&seen, 30 * i + 20, 30 * i + 30);
	/* A split finds no room either. */
	sum += add(&seen, 60 + 5, 60 + 10);
	for (uint32_t i = 0; i < EXPLAIN_HOLES + 2; i++)
		sum += add(&seen, 30 * i, 30 * i + 20);
	assert_int_equal(sum, 30 * (EXPLAIN_HOLES + 2) - 20 - 20 - 5);
	assert_null(seen.holes);
	explain_seen_free(&seen);
}

static void
holes_of_the_round_before_are_forgotten(void **state)
{
	struct explain_seen seen = {0};

	(void)state;
	explain_seen_start(&seen, FIRST);
	assert_int_equal(add(&seen, 10, 20), 10);
	for (uint32_t from = 20; from < UINT32_C(0xffff0000); from += 0x8000)
		assert_int_equal(add(&seen, from, from + 0x8000), 0x8000);
	assert_null(seen.holes);
	explain_seen_free(&seen);
}

/* Against a byte map. */
static void
every_byte_counts_once(void **state)
{
	struct explain_seen seen = {0};
	uint8_t there[512] = {0};

	(void)state;
	srand(9);
	explain_seen_start(&seen, FIRST);
	for (unsigned int round = 0; round < 2000; round++) {
		const uint32_t from = (uint32_t)rand() % 500, to = from + (uint32_t)rand() % 12;
		uint32_t fresh = 0;

		for (uint32_t i = from; i < to; i++) {
			fresh += !there[i];
			there[i] = 1;
		}
		assert_int_equal(add(&seen, from, to), fresh);
	}
	explain_seen_free(&seen);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(holes_are_filled_in_any_order),
			cmocka_unit_test(what_lies_before_the_first_byte_counts_nothing),
			cmocka_unit_test(more_holes_than_are_remembered_count_too_little),
			cmocka_unit_test(holes_of_the_round_before_are_forgotten),
			cmocka_unit_test(every_byte_counts_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
