/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Cookies made in columns are those made one by one.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "cookie/syncookie_columns.h"
#include "random.h"

#define SEED 20261124

/* Flows that differ in single bytes, too, so that none is left out of the hash. */
static void
random_flows(uint64_t *random, struct flow_key flows[SYNCOOKIE_COLUMNS])
{
	random_fill(random, (uint8_t *)flows, SYNCOOKIE_COLUMNS * sizeof(flows[0]));
	if (random_below(random, 2) == 0)
		for (unsigned int i = 0; i < SYNCOOKIE_COLUMNS; i++)
			flow_key_map_ipv4(flows[i].address, (uint32_t)random_next(random));
	if (random_below(random, 4) == 0)
		for (unsigned int i = 1; i < SYNCOOKIE_COLUMNS; i++) {
			flows[i] = flows[0];
			((uint8_t *)&flows[i])[i] ^= 1;
		}
}

static void
check_cookies(uint64_t *random)
{
	struct tcp_segment segment = {.flags = TCP_SYN,
			.options = (uint8_t)random_next(random),
			.window_scale = (uint8_t)random_below(random, 16),
			.mss = (uint16_t)random_next(random)};
	struct flow_key flows[SYNCOOKIE_COLUMNS];
	struct tcp_segment segments[SYNCOOKIE_COLUMNS];
	uint64_t hashes[SYNCOOKIE_COLUMNS];
	uint32_t seq[SYNCOOKIE_COLUMNS], ack[SYNCOOKIE_COLUMNS];
	uint32_t tsval[SYNCOOKIE_COLUMNS], tsecr[SYNCOOKIE_COLUMNS];
	const struct syncookie_columns columns = {
			.flows = flows,
			.segments = segments,
			.hashes = hashes,
			.n = 1 + random_below(random, SYNCOOKIE_COLUMNS),
			.ts_clock = (uint32_t)random_next(random),
			.ts_flow_mask = random_below(random, 2) ? 0xffff0000 : 0,
			.seq = seq,
			.ack = ack,
			.tsval = tsval,
			.tsecr = tsecr,
	};
	struct syncookie_request request = {.flow = &flows[0],
			.segment = &segment,
			.endpoint = random_next(random) >> 16,
			.options = (uint8_t)random_next(random)};
	struct syncookie_syn syns[SYNCOOKIE_COLUMNS];
	struct syncookie_numbers numbers[SYNCOOKIE_COLUMNS];
	struct syncookie_keys keys;
	struct syncookie_offer offer;

	random_fill(random, (uint8_t *)&keys, sizeof(keys));
	keys.made_slot %= SYNCOOKIE_SLOTS;
	random_flows(random, flows);
	syncookie_offer(&keys, &request, &offer);
	random_fill(random, (uint8_t *)segments, sizeof(segments));
	random_fill(random, (uint8_t *)hashes, sizeof(hashes));
	for (unsigned int i = 0; i < SYNCOOKIE_COLUMNS; i++)
		syns[i] = (struct syncookie_syn){&flows[i], &offer, segments[i].seq,
				columns.ts_clock + ((uint32_t)(hashes[i] >> 32) &
								   columns.ts_flow_mask)};
	syncookie_columns_make(&keys, &offer, &columns);
	syncookie_make_offered(&keys, syns, SYNCOOKIE_COLUMNS, numbers);
	for (unsigned int i = 0; i < columns.n; i++) {
		assert_int_equal(seq[i], numbers[i].isn);
		assert_int_equal(ack[i], segments[i].seq + 1);
		assert_int_equal(tsval[i], numbers[i].tsval);
		assert_int_equal(tsecr[i], segments[i].tsval);
	}
}

static void
cookies_made_at_once_are_those_made_alone(void **state)
{
	uint64_t random = SEED;

	(void)state;
	if (!syncookie_columns_available()) {
		print_message("this CPU has no AVX-512\n");
		skip();
	}
	print_message("seed %u\n", SEED);
	for (unsigned int round = 0; round < 20000; round++)
		check_cookies(&random);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(cookies_made_at_once_are_those_made_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
