/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The health of a backend: checks, marks, draining, and when checks are due.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "balance/backend.h"

static const struct backend_rules checked = {
		.interval_ms = 2000,
		.mark_halflife_ms = 10000,
		.retry_ms = 5000,
		.fall = 3,
		.rise = 2,
		.marks_max = 5,
		.checked = true,
};

static const struct backend_rules unchecked = {
		.interval_ms = 2000,
		.mark_halflife_ms = 10000,
		.retry_ms = 5000,
		.fall = 3,
		.rise = 2,
		.marks_max = 5,
};

static void
expect_change(struct backend_change change, enum backend_state from, enum backend_state to,
		enum backend_reason reason)
{
	assert_int_equal(change.from, from);
	assert_int_equal(change.to, to);
	assert_int_equal(change.reason, reason);
	assert_int_equal(backend_changed(&change), from != to);
}

static void
expect_no_change(struct backend_change change)
{
	assert_false(backend_changed(&change));
	assert_int_equal(change.reason, BACKEND_REASON_NONE);
}

static void
first_result_counts_at_once(void **state)
{
	struct backend backend;

	(void)state;
	backend_init(&backend, &checked, 1, 0);
	assert_int_equal(backend_state(&backend), BACKEND_UNKNOWN);
	assert_true(backend_is_usable(&backend));
	expect_change(backend_checked(&backend, &checked, true, 10), BACKEND_UNKNOWN, BACKEND_UP,
			BACKEND_REASON_CHECK);
	assert_int_equal(backend.since_ms, 10);
	backend_init(&backend, &checked, 1, 0);
	expect_change(backend_checked(&backend, &checked, false, 10), BACKEND_UNKNOWN, BACKEND_DOWN,
			BACKEND_REASON_CHECK);
	assert_false(backend_is_usable(&backend));
}

static void
falls_and_rises_after_so_many_in_a_row(void **state)
{
	struct backend backend;

	(void)state;
	backend_init(&backend, &checked, 1, 0);
	backend_checked(&backend, &checked, true, 0);
	expect_no_change(backend_checked(&backend, &checked, false, 1));
	expect_no_change(backend_checked(&backend, &checked, false, 2));
	expect_no_change(backend_checked(&backend, &checked, true, 3));
	expect_no_change(backend_checked(&backend, &checked, false, 4));
	expect_no_change(backend_checked(&backend, &checked, false, 5));
	expect_change(backend_checked(&backend, &checked, false, 6), BACKEND_UP, BACKEND_DOWN,
			BACKEND_REASON_CHECK);
	expect_no_change(backend_checked(&backend, &checked, false, 7));
	expect_no_change(backend_checked(&backend, &checked, true, 8));
	expect_no_change(backend_checked(&backend, &checked, false, 9));
	expect_no_change(backend_checked(&backend, &checked, true, 10));
	expect_change(backend_checked(&backend, &checked, true, 11), BACKEND_DOWN, BACKEND_UP,
			BACKEND_REASON_CHECK);
	assert_int_equal(backend.since_ms, 11);
}

static void
many_results_do_not_overflow(void **state)
{
	struct backend backend;

	(void)state;
	backend_init(&backend, &checked, 1, 0);
	for (unsigned int i = 0; i < 1000; i++)
		backend_checked(&backend, &checked, false, i);
	assert_int_equal(backend_state(&backend), BACKEND_DOWN);
	for (unsigned int i = 0; i < 1000; i++)
		backend_checked(&backend, &checked, true, i);
	assert_int_equal(backend_state(&backend), BACKEND_UP);
	expect_no_change(backend_checked(&backend, &checked, false, 2000));
}

static void
marks_bring_it_down_and_checks_up_again(void **state)
{
	struct backend backend;

	(void)state;
	backend_init(&backend, &checked, 1, 0);
	backend_checked(&backend, &checked, true, 0);
	expect_no_change(backend_handshakes(&backend, &checked, 4, 0, 10));
	expect_change(backend_handshakes(&backend, &checked, 1, 0, 20), BACKEND_UP, BACKEND_DOWN,
			BACKEND_REASON_MARKS);
	expect_no_change(backend_tick(&backend, &checked, 1000000));
	expect_no_change(backend_checked(&backend, &checked, true, 1000001));
	expect_change(backend_checked(&backend, &checked, true, 1000002), BACKEND_DOWN, BACKEND_UP,
			BACKEND_REASON_CHECK);
	expect_no_change(backend_handshakes(&backend, &checked, 4, 0, 1000003));
}

static void
a_handshake_that_succeeds_wipes_marks_off(void **state)
{
	struct backend backend;

	(void)state;
	backend_init(&backend, &unchecked, 1, 0);
	for (unsigned int i = 0; i < 100; i++) {
		expect_no_change(backend_handshakes(&backend, &unchecked, 4, 0, i));
		expect_no_change(backend_handshakes(&backend, &unchecked, 0, 1, i));
	}
	/* Of several at once, one that went well is enough. */
	expect_no_change(backend_handshakes(&backend, &unchecked, 1000, 1, 200));
}

static void
marks_fade(void **state)
{
	struct backend backend;

	(void)state;
	backend_init(&backend, &unchecked, 1, 0);
	backend_handshakes(&backend, &unchecked, 4, 0, 100);
	expect_no_change(backend_tick(&backend, &unchecked, 100 + 10000));
	/* Two are left: with two more it is four. */
	expect_no_change(backend_handshakes(&backend, &unchecked, 2, 0, 100 + 10000));
	expect_no_change(backend_handshakes(&backend, &unchecked, 4, 0, 100 + 10000 * 400));
	expect_change(backend_handshakes(&backend, &unchecked, 1, 0, 101 + 10000 * 400),
			BACKEND_UNKNOWN, BACKEND_DOWN, BACKEND_REASON_MARKS);
}

static void
absurd_numbers_of_marks_do_not_overflow(void **state)
{
	const uint32_t numbers[] = {255, 256, 1 << 24, UINT32_MAX};

	(void)state;
	for (unsigned int i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		struct backend backend;

		backend_init(&backend, &unchecked, 1, 0);
		backend_handshakes(&backend, &unchecked, 4, 0, 1);
		expect_change(backend_handshakes(&backend, &unchecked, numbers[i], 0, 1),
				BACKEND_UNKNOWN, BACKEND_DOWN, BACKEND_REASON_MARKS);
	}
}

static void
without_checks_it_is_tried_again_ever_later(void **state)
{
	struct backend backend;
	uint64_t now_ms = 0;
	uint64_t wait_ms = 5000;

	(void)state;
	backend_init(&backend, &unchecked, 1, 0);
	backend_handshakes(&backend, &unchecked, 5, 0, now_ms);
	for (unsigned int i = 0; i < 10; i++) {
		expect_no_change(backend_tick(&backend, &unchecked, now_ms + wait_ms - 1));
		now_ms += wait_ms;
		expect_change(backend_tick(&backend, &unchecked, now_ms), BACKEND_DOWN,
				BACKEND_UNKNOWN, BACKEND_REASON_RETRY);
		expect_change(backend_handshakes(&backend, &unchecked, 1, 0, now_ms),
				BACKEND_UNKNOWN, BACKEND_DOWN, BACKEND_REASON_MARKS);
		wait_ms = i < 5 ? wait_ms * 2 : wait_ms;
	}
	backend_tick(&backend, &unchecked, now_ms + wait_ms);
	backend_handshakes(&backend, &unchecked, 0, 1, now_ms + wait_ms);
	expect_no_change(backend_handshakes(&backend, &unchecked, 4, 0, now_ms + wait_ms));
}

static void
no_marks_are_kept_where_none_count(void **state)
{
	struct backend_rules rules = unchecked;
	struct backend backend;

	(void)state;
	rules.marks_max = 0;
	backend_init(&backend, &rules, 1, 0);
	expect_no_change(backend_handshakes(&backend, &rules, UINT32_MAX, 0, 0));
	rules.mark_halflife_ms = 0;
	expect_no_change(backend_tick(&backend, &rules, UINT64_MAX / 2));
}

static void
draining_is_shown_unless_it_is_down(void **state)
{
	struct backend backend;

	(void)state;
	backend_init(&backend, &checked, 1, 0);
	backend_checked(&backend, &checked, true, 0);
	expect_change(backend_drain(&backend, true, 5), BACKEND_UP, BACKEND_DRAIN,
			BACKEND_REASON_WEIGHT);
	assert_false(backend_is_usable(&backend));
	backend_checked(&backend, &checked, false, 6);
	backend_checked(&backend, &checked, false, 7);
	expect_change(backend_checked(&backend, &checked, false, 8), BACKEND_DRAIN, BACKEND_DOWN,
			BACKEND_REASON_CHECK);
	expect_no_change(backend_drain(&backend, true, 9));
	backend_checked(&backend, &checked, true, 10);
	expect_change(backend_checked(&backend, &checked, true, 11), BACKEND_DOWN, BACKEND_DRAIN,
			BACKEND_REASON_CHECK);
	expect_change(backend_drain(&backend, false, 12), BACKEND_DRAIN, BACKEND_UP,
			BACKEND_REASON_WEIGHT);
}

static void
checks_of_many_are_spread_and_jittered(void **state)
{
	unsigned int early = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 1000; seed++) {
		struct backend backend;
		uint64_t begun_ms;

		backend_init(&backend, &checked, seed, 100);
		early += backend.check_ms < 1100;
		for (begun_ms = 100; !backend_check_is_due(&backend, &checked, begun_ms);)
			begun_ms++;
		assert_in_range(begun_ms, 100, 2099);
		backend_check_begun(&backend, &checked, begun_ms);
		assert_false(backend_check_is_due(&backend, &checked, begun_ms + 1749));
		assert_true(backend_check_is_due(&backend, &checked, begun_ms + 2250));
	}
	assert_in_range(early, 430, 570);
}

static void
no_check_is_due_without_checks(void **state)
{
	struct backend backend;

	(void)state;
	backend_init(&backend, &unchecked, 1, 0);
	assert_false(backend_check_is_due(&backend, &unchecked, UINT64_MAX));
}

static void
states_and_reasons_have_names(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < BACKEND_STATES; i++)
		assert_non_null(backend_state_name((enum backend_state)i));
	for (unsigned int i = 0; i < BACKEND_REASONS; i++)
		assert_non_null(backend_reason_name((enum backend_reason)i));
	assert_null(backend_state_name(BACKEND_STATES));
	assert_null(backend_reason_name(BACKEND_REASONS));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(first_result_counts_at_once),
			cmocka_unit_test(falls_and_rises_after_so_many_in_a_row),
			cmocka_unit_test(many_results_do_not_overflow),
			cmocka_unit_test(marks_bring_it_down_and_checks_up_again),
			cmocka_unit_test(a_handshake_that_succeeds_wipes_marks_off),
			cmocka_unit_test(marks_fade),
			cmocka_unit_test(absurd_numbers_of_marks_do_not_overflow),
			cmocka_unit_test(without_checks_it_is_tried_again_ever_later),
			cmocka_unit_test(no_marks_are_kept_where_none_count),
			cmocka_unit_test(draining_is_shown_unless_it_is_down),
			cmocka_unit_test(checks_of_many_are_spread_and_jittered),
			cmocka_unit_test(no_check_is_due_without_checks),
			cmocka_unit_test(states_and_reasons_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
