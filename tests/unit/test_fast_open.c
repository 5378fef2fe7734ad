/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Fast Open cookies: they are good for one pair of addresses and for one to two periods.
 */

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cookie/fast_open.h"

static const struct siphash_key secret = {
		UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
static const struct fast_open_pair pair = {.client = {[10] = 0xff, 0xff, 10, 9, 0, 1},
		.server = {[10] = 0xff, 0xff, 10, 9, 0, 2}};

#define NOW (5 * FAST_OPEN_PERIOD_US + 17)

static enum fast_open_verdict
check_at(uint64_t now_us, const uint8_t *cookie)
{
	return fast_open_check(&secret, &pair, now_us, cookie, FAST_OPEN_COOKIE_BYTES);
}

static void
cookie_is_good_in_its_period_and_retired_in_the_next(void **state)
{
	const uint64_t begin = 5 * FAST_OPEN_PERIOD_US;
	uint8_t cookie[FAST_OPEN_COOKIE_BYTES];

	(void)state;
	fast_open_make(&secret, &pair, NOW, cookie);
	assert_int_equal(check_at(begin - 1, cookie), FAST_OPEN_BAD);
	assert_int_equal(check_at(begin, cookie), FAST_OPEN_GOOD);
	assert_int_equal(check_at(begin + FAST_OPEN_PERIOD_US - 1, cookie), FAST_OPEN_GOOD);
	assert_int_equal(check_at(begin + FAST_OPEN_PERIOD_US, cookie), FAST_OPEN_RETIRED);
	assert_int_equal(check_at(begin + 2 * FAST_OPEN_PERIOD_US - 1, cookie), FAST_OPEN_RETIRED);
	assert_int_equal(check_at(begin + 2 * FAST_OPEN_PERIOD_US, cookie), FAST_OPEN_BAD);
}

static void
first_period_has_cookies_too(void **state)
{
	uint8_t cookie[FAST_OPEN_COOKIE_BYTES];

	(void)state;
	fast_open_make(&secret, &pair, 0, cookie);
	assert_int_equal(check_at(0, cookie), FAST_OPEN_GOOD);
	assert_int_equal(check_at(FAST_OPEN_PERIOD_US, cookie), FAST_OPEN_RETIRED);
}

static void
every_bit_of_a_cookie_matters(void **state)
{
	uint8_t cookie[FAST_OPEN_COOKIE_BYTES];

	(void)state;
	fast_open_make(&secret, &pair, NOW, cookie);
	for (unsigned int bit = 0; bit < 8 * sizeof(cookie); bit++) {
		cookie[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(check_at(NOW, cookie), FAST_OPEN_BAD);
		cookie[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(check_at(NOW, cookie), FAST_OPEN_GOOD);
}

static void
every_bit_of_the_addresses_and_of_the_secret_matters(void **state)
{
	uint8_t cookie[FAST_OPEN_COOKIE_BYTES], other[FAST_OPEN_COOKIE_BYTES];
	struct siphash_key key = secret;
	struct fast_open_pair changed = pair;
	uint8_t *bytes = (uint8_t *)&changed;

	(void)state;
	fast_open_make(&secret, &pair, NOW, cookie);
	for (unsigned int bit = 0; bit < 8 * sizeof(changed); bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		fast_open_make(&secret, &changed, NOW, other);
		assert_memory_not_equal(cookie, other, sizeof(cookie));
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (unsigned int bit = 0; bit < 64; bit++) {
		key.k0 = secret.k0 ^ UINT64_C(1) << bit;
		fast_open_make(&key, &pair, NOW, other);
		assert_memory_not_equal(cookie, other, sizeof(cookie));
	}
}

static void
only_our_own_length_is_good(void **state)
{
	uint8_t cookie[16] = {0};

	(void)state;
	fast_open_make(&secret, &pair, NOW, cookie);
	for (unsigned int length = 0; length <= sizeof(cookie); length++)
		assert_int_equal(fast_open_check(&secret, &pair, NOW, cookie, length),
				length == FAST_OPEN_COOKIE_BYTES ? FAST_OPEN_GOOD : FAST_OPEN_BAD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(cookie_is_good_in_its_period_and_retired_in_the_next),
			cmocka_unit_test(first_period_has_cookies_too),
			cmocka_unit_test(every_bit_of_a_cookie_matters),
			cmocka_unit_test(every_bit_of_the_addresses_and_of_the_secret_matters),
			cmocka_unit_test(only_our_own_length_is_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
