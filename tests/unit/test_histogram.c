/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * histogram: percentiles against a sorted list of the same values.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "observe/histogram.h"
#include "random.h"

#define VALUES 20000
#define SEED   UINT64_C(0x68616e6466617374)

static struct histogram histogram, other, sum;
static uint64_t values[VALUES];

static int
setup(void **state)
{
	(void)state;
	memset(&histogram, 0, sizeof(histogram));
	memset(&other, 0, sizeof(other));
	memset(&sum, 0, sizeof(sum));
	return 0;
}

static int
compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Never below the value, and above it by at most 3.2 %. */
static void
assert_close(uint64_t answer, uint64_t exact)
{
	assert_true(answer >= exact);
	assert_true((double)(answer - exact) <= 0.032 * (double)exact);
}

static void
empty_has_no_values(void **state)
{
	(void)state;
	assert_int_equal(histogram_total(&histogram), 0);
	assert_int_equal(histogram_percentile(&histogram, 0), 0);
	assert_int_equal(histogram_percentile(&histogram, 50), 0);
	assert_int_equal(histogram_percentile(&histogram, 100), 0);
}

static void
zero_is_a_value(void **state)
{
	(void)state;
	histogram_record(&histogram, 0, 5);
	histogram_record(&histogram, 7, 5);
	assert_int_equal(histogram_total(&histogram), 10);
	assert_int_equal(histogram_percentile(&histogram, 50), 0);
	assert_int_equal(histogram_percentile(&histogram, 51), 7);
}

static void
the_largest_word_is_a_value(void **state)
{
	(void)state;
	histogram_record(&histogram, UINT64_MAX, 1);
	assert_true(histogram.max == UINT64_MAX);
	assert_true(histogram_percentile(&histogram, 0) == UINT64_MAX);
	assert_true(histogram_percentile(&histogram, 100) == UINT64_MAX);
}

static void
recording_none_changes_nothing(void **state)
{
	(void)state;
	histogram_record(&histogram, 1000, 0);
	assert_int_equal(histogram_total(&histogram), 0);
	assert_int_equal(histogram.max, 0);
}

static void
small_values_are_exact(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 64; i++)
		histogram_record(&histogram, i, 1);
	for (unsigned int i = 1; i <= 64; i++)
		assert_int_equal(histogram_percentile(&histogram, 100.0 * i / 64), i - 1);
}

static void
every_power_of_two_and_its_neighbours_are_close(void **state)
{
	(void)state;
	for (unsigned int bit = 0; bit < 64; bit++) {
		for (int delta = -1; delta <= 1; delta++) {
			uint64_t value = (UINT64_C(1) << bit) + (uint64_t)(int64_t)delta;

			memset(&histogram, 0, sizeof(histogram));
			histogram_record(&histogram, value, 1);
			histogram_record(&histogram, UINT64_MAX, 1);
			assert_close(histogram_percentile(&histogram, 50), value);
		}
	}
}

static void
no_percentile_exceeds_the_maximum(void **state)
{
	(void)state;
	histogram_record(&histogram, 1000003, 1);
	assert_int_equal(histogram_percentile(&histogram, 50), 1000003);
	assert_int_equal(histogram_percentile(&histogram, 100), 1000003);
}

static void
nearest_rank_has_no_rounding_surprises(void **state)
{
	(void)state;
	histogram_record(&histogram, 1, 999);
	histogram_record(&histogram, 30, 1);
	assert_int_equal(histogram_percentile(&histogram, 99.9), 1);
	assert_int_equal(histogram_percentile(&histogram, 99.91), 30);
	assert_int_equal(histogram_percentile(&histogram, -3), 1);
	assert_int_equal(histogram_percentile(&histogram, 300), 30);
}

static void
percentiles_agree_with_a_sorted_list(void **state)
{
	const double percentiles[] = {0.01, 1, 10, 25, 50, 75, 90, 99, 99.9, 99.99};
	uint64_t seed = SEED;

	(void)state;
	print_message("seed %#llx\n", (unsigned long long)SEED);
	for (unsigned int i = 0; i < VALUES; i++) {
		values[i] = random_next(&seed) >> (random_next(&seed) % 64);
		histogram_record(&histogram, values[i], 1);
	}
	qsort(values, VALUES, sizeof(values[0]), compare);
	for (unsigned int i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++) {
		unsigned int rank = (unsigned int)(percentiles[i] * VALUES / 100.0);

		assert_close(histogram_percentile(&histogram, percentiles[i]), values[rank - 1]);
	}
	assert_true(histogram_percentile(&histogram, 100) == values[VALUES - 1]);
}

static void
merging_equals_recording_both(void **state)
{
	struct histogram both;
	uint64_t seed = SEED;

	(void)state;
	memset(&both, 0, sizeof(both));
	for (unsigned int i = 0; i < VALUES; i++) {
		uint64_t value = random_next(&seed) >> (i % 64);
		uint64_t n = random_next(&seed) % 5;

		histogram_record(i % 3 == 0 ? &histogram : &other, value, n);
		histogram_record(&both, value, n);
	}
	histogram_add(&sum, &histogram);
	histogram_add(&sum, &other);
	assert_memory_equal(&sum, &both, sizeof(sum));
	assert_int_equal(histogram_total(&sum),
			histogram_total(&histogram) + histogram_total(&other));
}

static void
many_are_recorded_like_single_ones(void **state)
{
	static struct histogram many, single;
	uint32_t took[16] = {0};

	(void)state;
	memset(&many, 0, sizeof(many));
	memset(&single, 0, sizeof(single));
	for (unsigned int n = 0; n <= 16; n++) {
		for (unsigned int i = 0; i < n; i++) {
			took[i] = (n * 2654435761u + i * 40503u) >> (i * 2);
			histogram_record(&single, took[i], 1);
		}
		histogram_record_each(&many, took, n);
	}
	assert_memory_equal(&many, &single, sizeof(many));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup(empty_has_no_values, setup),
			cmocka_unit_test_setup(zero_is_a_value, setup),
			cmocka_unit_test_setup(the_largest_word_is_a_value, setup),
			cmocka_unit_test_setup(recording_none_changes_nothing, setup),
			cmocka_unit_test_setup(small_values_are_exact, setup),
			cmocka_unit_test_setup(
					every_power_of_two_and_its_neighbours_are_close, setup),
			cmocka_unit_test_setup(no_percentile_exceeds_the_maximum, setup),
			cmocka_unit_test_setup(nearest_rank_has_no_rounding_surprises, setup),
			cmocka_unit_test_setup(percentiles_agree_with_a_sorted_list, setup),
			cmocka_unit_test_setup(merging_equals_recording_both, setup),
			cmocka_unit_test(many_are_recorded_like_single_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
