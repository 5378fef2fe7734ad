/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * counters: the tables are complete, names are fit for telemetry, sums are sums.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "observe/counters.h"

static void
every_counter_has_a_name_and_a_help_text(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < COUNTERS; i++) {
		assert_non_null(counters_name(i));
		assert_non_null(counters_help(i));
		assert_true(strlen(counters_help(i)) > 10);
	}
}

static void
names_are_unique_lower_case_words(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < COUNTERS; i++) {
		const char *name = counters_name(i);

		assert_true(name[0] >= 'a' && name[0] <= 'z');
		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_"),
				strlen(name));
		for (unsigned int j = 0; j < i; j++)
			assert_string_not_equal(name, counters_name(j));
	}
}

static void
help_texts_are_unique_single_lines(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < COUNTERS; i++) {
		assert_null(strpbrk(counters_help(i), "\r\n\"\\"));
		for (unsigned int j = 0; j < i; j++)
			assert_string_not_equal(counters_help(i), counters_help(j));
	}
}

static void
exactly_the_drop_reasons_are_prefixed(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < COUNTERS; i++)
		assert_int_equal(strncmp(counters_name(i), "drop_", 5) == 0,
				i >= COUNTERS_BEFORE_DROPS);
	assert_string_equal(counters_name(COUNTER_rx), "rx");
	assert_string_equal(counters_name(DROP_consumed), "drop_consumed");
	assert_string_equal(counters_name(DROP_shutdown), "drop_shutdown");
	assert_int_equal(DROP_consumed, COUNTERS_BEFORE_DROPS);
}

static void
bumping_changes_one_counter(void **state)
{
	struct counters block;

	(void)state;
	memset(&block, 0, sizeof(block));
	counters_bump(&block, COUNTER_opened, 3);
	counters_bump(&block, COUNTER_opened, 4);
	for (unsigned int i = 0; i < COUNTERS; i++)
		assert_int_equal(block.value[i], i == COUNTER_opened ? 7 : 0);
}

static void
adding_sums_every_value(void **state)
{
	struct counters sum, block;

	(void)state;
	for (unsigned int i = 0; i < COUNTERS; i++) {
		sum.value[i] = 1000 * (uint64_t)i;
		block.value[i] = UINT64_C(0x100000000) + i;
	}
	counters_add(&sum, &block);
	counters_add(&sum, &block);
	for (unsigned int i = 0; i < COUNTERS; i++)
		assert_true(sum.value[i] == UINT64_C(0x200000000) + 1002 * (uint64_t)i);
}

static void
drops_are_the_sum_of_the_drop_reasons_only(void **state)
{
	struct counters block;

	(void)state;
	memset(&block, 0, sizeof(block));
	assert_int_equal(counters_drops(&block), 0);
	for (unsigned int i = 0; i < COUNTERS_BEFORE_DROPS; i++)
		block.value[i] = 1000000;
	assert_int_equal(counters_drops(&block), 0);
	for (unsigned int i = COUNTERS_BEFORE_DROPS; i < COUNTERS; i++)
		block.value[i] = 1;
	assert_int_equal(counters_drops(&block), COUNTERS - COUNTERS_BEFORE_DROPS);
	counters_bump(&block, DROP_shutdown, 41);
	assert_int_equal(counters_drops(&block), COUNTERS - COUNTERS_BEFORE_DROPS + 41);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(every_counter_has_a_name_and_a_help_text),
			cmocka_unit_test(names_are_unique_lower_case_words),
			cmocka_unit_test(help_texts_are_unique_single_lines),
			cmocka_unit_test(exactly_the_drop_reasons_are_prefixed),
			cmocka_unit_test(bumping_changes_one_counter),
			cmocka_unit_test(adding_sums_every_value),
			cmocka_unit_test(drops_are_the_sum_of_the_drop_reasons_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
