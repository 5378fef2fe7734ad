/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Initial sequence numbers: they follow the clock, and depend on every bit of the connection.
 */

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cookie/isn.h"

static const struct siphash_key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};

/* 00 01 .. 07, the message of eight bytes of the published vectors. */
#define HASH UINT64_C(0x0706050403020100)

static void
at_time_zero_it_is_the_hash_of_a_hash(void **state)
{
	const uint8_t bytes[8] = {0, 1, 2, 3, 4, 5, 6, 7};

	(void)state;
	assert_int_equal(isn_make(&key, HASH, 0), (uint32_t)siphash_13(&key, bytes, sizeof(bytes)));
}

static void
many_at_once_get_what_each_alone_gets(void **state)
{
	uint64_t hashes[ISN_BULK_MAX];
	uint32_t isns[ISN_BULK_MAX + 1];

	(void)state;
	for (unsigned int i = 0; i < ISN_BULK_MAX; i++)
		hashes[i] = HASH * (i + 1);
	for (unsigned int n = 1; n <= ISN_BULK_MAX; n++) {
		isns[n] = 4711;
		isn_make_bulk(&key, hashes, n, 123456, isns);
		for (unsigned int i = 0; i < n; i++)
			assert_int_equal(isns[i], isn_make(&key, hashes[i], 123456));
		assert_int_equal(isns[n], 4711);
	}
}

static void
clock_ticks_every_four_microseconds(void **state)
{
	uint32_t isn = isn_make(&key, HASH, 0);

	(void)state;
	assert_int_equal(isn_make(&key, HASH, 3), isn);
	assert_int_equal(isn_make(&key, HASH, 4), isn + 1);
	assert_int_equal(isn_make(&key, HASH, 1000000), isn + 250000);
}

static void
clock_goes_round_in_four_and_three_quarter_hours(void **state)
{
	uint32_t isn = isn_make(&key, HASH, 0);

	(void)state;
	assert_int_equal(isn_make(&key, HASH, UINT64_C(4) << 32), isn);
	assert_int_equal(isn_make(&key, HASH, (UINT64_C(4) << 32) - 4), isn - 1);
}

static void
every_bit_of_hash_and_key_matters(void **state)
{
	struct siphash_key other = key;
	uint32_t isn = isn_make(&key, HASH, 77);

	(void)state;
	for (unsigned int bit = 0; bit < 64; bit++)
		assert_int_not_equal(isn_make(&key, HASH ^ UINT64_C(1) << bit, 77), isn);
	other.k1 ^= 1;
	assert_int_not_equal(isn_make(&other, HASH, 77), isn);
}

/* As the engine makes it: of the hash by which tables know the connection. */
static void
every_bit_of_connection_matters(void **state)
{
	const struct siphash_key table = {HASH, ~HASH};
	struct flow_key flow = {.address = {1, 2, 3}, .port = 4, .endpoint = 5};
	uint32_t isn = isn_make(&key, siphash_flow(&table, &flow), 77);

	(void)state;
	for (unsigned int bit = 0; bit < 8 * sizeof(flow); bit++) {
		uint8_t *byte = (uint8_t *)&flow + bit / 8;

		*byte ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(isn_make(&key, siphash_flow(&table, &flow), 77), isn);
		*byte ^= (uint8_t)(1 << bit % 8);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(at_time_zero_it_is_the_hash_of_a_hash),
			cmocka_unit_test(many_at_once_get_what_each_alone_gets),
			cmocka_unit_test(clock_ticks_every_four_microseconds),
			cmocka_unit_test(clock_goes_round_in_four_and_three_quarter_hours),
			cmocka_unit_test(every_bit_of_hash_and_key_matters),
			cmocka_unit_test(every_bit_of_connection_matters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
