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

/* 00 01 .. 13, the message of 20 bytes of the published vectors. */
static struct flow_key
counting_flow(void)
{
	struct flow_key flow;
	uint8_t *bytes = (uint8_t *)&flow;

	for (uint8_t i = 0; i < sizeof(flow); i++)
		bytes[i] = i;
	return flow;
}

static void
at_time_zero_it_is_the_hash(void **state)
{
	struct flow_key flow = counting_flow();

	(void)state;
	assert_int_equal(isn_make(&key, &flow, 0), (uint32_t)siphash_13(&key, &flow, sizeof(flow)));
}

static void
many_at_once_get_what_each_alone_gets(void **state)
{
	struct flow_key flows[ISN_BULK_MAX];
	uint32_t isns[ISN_BULK_MAX];

	(void)state;
	for (unsigned int i = 0; i < ISN_BULK_MAX; i++) {
		flows[i] = counting_flow();
		flows[i].port += i;
	}
	for (unsigned int n = 1; n <= ISN_BULK_MAX; n += 7) {
		isn_make_bulk(&key, flows, n, 123456, isns);
		for (unsigned int i = 0; i < n; i++)
			assert_int_equal(isns[i], isn_make(&key, &flows[i], 123456));
	}
}

static void
clock_ticks_every_four_microseconds(void **state)
{
	struct flow_key flow = counting_flow();
	uint32_t isn = isn_make(&key, &flow, 0);

	(void)state;
	assert_int_equal(isn_make(&key, &flow, 3), isn);
	assert_int_equal(isn_make(&key, &flow, 4), isn + 1);
	assert_int_equal(isn_make(&key, &flow, 1000000), isn + 250000);
}

static void
clock_goes_round_in_four_and_three_quarter_hours(void **state)
{
	struct flow_key flow = counting_flow();
	uint32_t isn = isn_make(&key, &flow, 0);

	(void)state;
	assert_int_equal(isn_make(&key, &flow, UINT64_C(4) << 32), isn);
	assert_int_equal(isn_make(&key, &flow, (UINT64_C(4) << 32) - 4), isn - 1);
}

static void
every_bit_of_connection_and_key_matters(void **state)
{
	struct flow_key flow = counting_flow();
	struct siphash_key other = key;
	uint32_t isn = isn_make(&key, &flow, 77);

	(void)state;
	for (unsigned int bit = 0; bit < 8 * sizeof(flow); bit++) {
		uint8_t *byte = (uint8_t *)&flow + bit / 8;

		*byte ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(isn_make(&key, &flow, 77), isn);
		*byte ^= (uint8_t)(1 << bit % 8);
	}
	other.k1 ^= 1;
	assert_int_not_equal(isn_make(&other, &flow, 77), isn);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(at_time_zero_it_is_the_hash),
			cmocka_unit_test(many_at_once_get_what_each_alone_gets),
			cmocka_unit_test(clock_ticks_every_four_microseconds),
			cmocka_unit_test(clock_goes_round_in_four_and_three_quarter_hours),
			cmocka_unit_test(every_bit_of_connection_and_key_matters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
