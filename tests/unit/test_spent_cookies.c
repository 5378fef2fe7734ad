/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Spent cookies: remembered as long as they could come back, and who is forgotten when all is full.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cookie/spent_cookies.h"
#include "cookie/syncookie.h"
#include "random.h"

#define SEED     17
#define CAPACITY 100000
#define NOW      4294967290u /* Seconds wrap during a cookie's life. */
#define LIFE     SYNCOOKIE_SPENT_S

/* What memory holds before is not asked. */
static struct spent_cookies *
spent_new(uint32_t capacity)
{
	void *memory = aligned_alloc(64, spent_cookies_footprint(capacity));

	assert_non_null(memory);
	memset(memory, 0xa5, spent_cookies_footprint(capacity));
	return spent_cookies_init(memory, capacity);
}

static void
a_spent_cookie_is_remembered_for_its_life(void **state)
{
	struct spent_cookies *spent = spent_new(CAPACITY);
	uint64_t seed = SEED;

	(void)state;
	printf("seed %d\n", SEED);
	assert_false(spent_cookies_any(spent, NOW));
	for (unsigned int i = 0; i < 1000; i++) {
		const uint64_t hash = random_next(&seed);

		assert_false(spent_cookies_has(spent, hash, NOW));
		assert_false(spent_cookies_add(spent, hash, NOW));
		assert_true(spent_cookies_any(spent, NOW));
		assert_true(spent_cookies_has(spent, hash, NOW));
		assert_true(spent_cookies_has(spent, hash, NOW + LIFE));
		assert_false(spent_cookies_has(spent, hash, NOW + LIFE + 1));
	}
	assert_true(spent_cookies_any(spent, NOW + LIFE));
	assert_false(spent_cookies_any(spent, NOW + LIFE + 1));
	free(spent);
}

static void
a_cookie_spent_again_lives_anew_in_one_place(void **state)
{
	struct spent_cookies *spent = spent_new(CAPACITY);
	const uint64_t hash = UINT64_C(0x123456789abcdef0);

	(void)state;
	for (uint32_t s = 0; s < 100; s++)
		assert_false(spent_cookies_add(spent, hash, NOW + s));
	assert_true(spent_cookies_has(spent, hash, NOW + 99 + LIFE));
	assert_false(spent_cookies_has(spent, hash, NOW + 99 + LIFE + 1));
	free(spent);
}

/** Any difference in the hash makes another flow. */
static void
one_changed_bit_is_another_flow(void **state)
{
	struct spent_cookies *spent = spent_new(CAPACITY);
	const uint64_t hash = UINT64_C(0x0f1e2d3c4b5a6978);
	unsigned int taken = 0;

	(void)state;
	spent_cookies_add(spent, hash, NOW);
	for (unsigned int bit = 0; bit < 64; bit++)
		taken += spent_cookies_has(spent, hash ^ UINT64_C(1) << bit, NOW);
	/* The lowest bits choose a place, roughly, and one of the others says "in use". */
	assert_true(taken <= 17);
	for (unsigned int bit = 17; bit < 64; bit++)
		assert_false(spent_cookies_has(spent, hash ^ UINT64_C(1) << bit, NOW));
	free(spent);
}

/** So many as was said: one in a hundred is forgotten too early at most, and each is told. */
static void
nearly_all_are_remembered_up_to_capacity(void **state)
{
	struct spent_cookies *spent = spent_new(CAPACITY);
	uint64_t seed = SEED;
	unsigned int forgotten = 0, missing = 0;

	(void)state;
	printf("seed %d\n", SEED);
	for (unsigned int i = 0; i < CAPACITY; i++)
		forgotten += spent_cookies_add(spent, random_next(&seed), NOW + i / 2000);
	seed = SEED;
	for (unsigned int i = 0; i < CAPACITY; i++)
		missing += !spent_cookies_has(spent, random_next(&seed), NOW + CAPACITY / 2000);
	assert_int_equal(missing, forgotten);
	assert_in_range(forgotten, CAPACITY / 200, CAPACITY / 100);
	free(spent);
}

/** Who is forgotten in a full bucket is the oldest. */
static void
the_oldest_gives_way(void **state)
{
	static const uint32_t seconds[8] = {3, 5, 2, 7, 4, 1, 6, 0};
	struct spent_cookies *spent = spent_new(1);

	(void)state;
	/* In the order of their times, which wrap. */
	for (uint32_t s = 0; s < 8; s++)
		for (unsigned int i = 0; i < 8; i++)
			if (seconds[i] == s)
				assert_false(spent_cookies_add(
						spent, UINT64_C(1) << (40 + i), NOW + s));
	for (uint32_t s = 8; s < 12; s++)
		assert_true(spent_cookies_add(spent, UINT64_C(1) << (40 + s), NOW + s));
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(spent_cookies_has(spent, UINT64_C(1) << (40 + i), NOW + 12),
				seconds[i] >= 4);
	free(spent);
}

/** Room of those whose time is over is taken first, and nobody is told. */
static void
nobody_is_missed_whose_time_is_over(void **state)
{
	struct spent_cookies *spent = spent_new(1);

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		const uint32_t now_s = NOW + i / 8 * (LIFE + 1);

		assert_false(spent_cookies_add(spent, (uint64_t)i << 32, now_s));
		assert_true(spent_cookies_has(spent, (uint64_t)i << 32, now_s));
	}
	free(spent);
}

static void
footprint_is_sixteen_bytes_each(void **state)
{
	(void)state;
	assert_int_equal(spent_cookies_footprint(1) % 64, 0);
	assert_in_range(spent_cookies_footprint(1u << 20), 16u << 20, (16u << 20) + 4096);
	assert_in_range(spent_cookies_footprint(1u << 30), UINT64_C(16) << 30,
			(UINT64_C(16) << 30) + (1 << 20));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(a_spent_cookie_is_remembered_for_its_life),
			cmocka_unit_test(a_cookie_spent_again_lives_anew_in_one_place),
			cmocka_unit_test(one_changed_bit_is_another_flow),
			cmocka_unit_test(nearly_all_are_remembered_up_to_capacity),
			cmocka_unit_test(the_oldest_gives_way),
			cmocka_unit_test(nobody_is_missed_whose_time_is_over),
			cmocka_unit_test(footprint_is_sixteen_bytes_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
