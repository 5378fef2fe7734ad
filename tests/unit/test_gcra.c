/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The bucket in one number: what it holds, how it fills, and that sharing it makes no tokens.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "limit/gcra.h"

static unsigned int
take_all(uint64_t *bucket, uint64_t now_us, uint32_t rate)
{
	unsigned int taken = 0;

	while (gcra_take(bucket, gcra_time(now_us), gcra_cost(rate)))
		taken++;
	return taken;
}

static void
zeroed_bucket_holds_one_second(void **state)
{
	static const uint32_t rates[] = {1, 2, 3, 100, 999, 65536, 1000000};

	(void)state;
	for (unsigned int i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		uint64_t bucket = 0;

		assert_int_equal(take_all(&bucket, 7, rates[i]), rates[i]);
		assert_int_equal(take_all(&bucket, 7, rates[i]), 0);
	}
}

static void
tokens_come_at_the_rate(void **state)
{
	uint64_t bucket = 0;
	unsigned int taken = 0;

	(void)state;
	take_all(&bucket, 0, 1000);
	for (uint64_t now_us = 0; now_us <= 3000000; now_us += 7)
		taken += take_all(&bucket, now_us, 1000);
	assert_in_range(taken, 2999, 3001);
}

static void
silence_saves_no_more_than_a_second(void **state)
{
	uint64_t bucket = 0;

	(void)state;
	take_all(&bucket, 0, 50);
	assert_int_equal(take_all(&bucket, 500000, 50), 25);
	assert_int_equal(take_all(&bucket, 3600000000, 50), 50);
}

static void
highest_rate_still_has_a_cost(void **state)
{
	(void)state;
	assert_true(gcra_cost(UINT32_MAX) >= 1);
}

#define SHARED_RATE 100000

static void *
take_shared(void *argument)
{
	uint64_t *bucket = argument;
	uintptr_t taken = 0;

	for (unsigned int i = 0; i < SHARED_RATE; i++)
		taken += gcra_take_shared(bucket, gcra_time(5), gcra_cost(SHARED_RATE));
	return (void *)taken;
}

static void
sharing_makes_no_tokens(void **state)
{
	uint64_t bucket = 0;
	pthread_t other;
	void *theirs;
	uintptr_t ours;

	(void)state;
	assert_int_equal(pthread_create(&other, NULL, take_shared, &bucket), 0);
	ours = (uintptr_t)take_shared(&bucket);
	assert_int_equal(pthread_join(other, &theirs), 0);
	assert_int_equal(ours + (uintptr_t)theirs, SHARED_RATE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(zeroed_bucket_holds_one_second),
			cmocka_unit_test(tokens_come_at_the_rate),
			cmocka_unit_test(silence_saves_no_more_than_a_second),
			cmocka_unit_test(highest_rate_still_has_a_cost),
			cmocka_unit_test(sharing_makes_no_tokens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
