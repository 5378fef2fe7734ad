/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The token bucket: rate, burst, silence, and nothing at rate zero.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "limit/token_bucket.h"

static unsigned int
take_all(struct token_bucket *bucket, uint64_t now_us)
{
	unsigned int taken = 0;

	while (token_bucket_take(bucket, now_us))
		taken++;
	return taken;
}

static void
full_bucket_holds_one_second(void **state)
{
	struct token_bucket bucket;

	(void)state;
	token_bucket_init(&bucket, 100, 5);
	assert_int_equal(take_all(&bucket, 5), 100);
	assert_int_equal(take_all(&bucket, 5), 0);
}

static void
tokens_come_at_the_rate(void **state)
{
	struct token_bucket bucket;
	unsigned int taken = 0;

	(void)state;
	token_bucket_init(&bucket, 1000, 0);
	take_all(&bucket, 0);
	for (uint64_t now_us = 0; now_us < 10000000; now_us += 77)
		taken += take_all(&bucket, now_us);
	assert_in_range(taken, 9998, 10000);
}

static void
silence_fills_no_more_than_one_second(void **state)
{
	struct token_bucket bucket;

	(void)state;
	token_bucket_init(&bucket, 10, 0);
	take_all(&bucket, 0);
	assert_int_equal(take_all(&bucket, UINT64_MAX / 2), 10);
}

static void
rate_zero_gives_nothing(void **state)
{
	struct token_bucket bucket;

	(void)state;
	token_bucket_init(&bucket, 0, 0);
	assert_int_equal(take_all(&bucket, 0), 0);
	assert_int_equal(take_all(&bucket, 1000000000), 0);
}

static void
largest_rate_does_not_overflow(void **state)
{
	struct token_bucket bucket;

	(void)state;
	token_bucket_init(&bucket, UINT32_MAX, 0);
	for (unsigned int i = 0; i < 1000; i++)
		assert_true(token_bucket_take(&bucket, i * 999999));
}

static void
cost_is_taken_as_a_part_of_a_token(void **state)
{
	struct token_bucket bucket;
	unsigned int taken = 0;

	(void)state;
	token_bucket_init(&bucket, 10, 0);
	while (token_bucket_take_cost(&bucket, 0, TOKEN_BUCKET_UNIT / 2))
		taken++;
	assert_int_equal(taken, 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(full_bucket_holds_one_second),
			cmocka_unit_test(tokens_come_at_the_rate),
			cmocka_unit_test(silence_fills_no_more_than_one_second),
			cmocka_unit_test(rate_zero_gives_nothing),
			cmocka_unit_test(largest_rate_does_not_overflow),
			cmocka_unit_test(cost_is_taken_as_a_part_of_a_token),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
