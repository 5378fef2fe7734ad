/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Frames turned around sixteen at a time are those turned around one by one.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <rte_common.h>

#include "golden.h"
#include "columns_begin.h"
#include "random.h"
#include "wire/build_columns.h"

#define SEED 20261123

static const uint8_t options[] = {TCP_OPTION_MSS, TCP_OPTION_WINDOW_SCALE,
		TCP_OPTION_SACK_PERMITTED, TCP_OPTION_TIMESTAMPS};

static void
random_tcp(uint64_t *random, struct build_tcp *tcp)
{
	random_fill(random, (uint8_t *)tcp, sizeof(*tcp));
	tcp->options.options = TCP_OPTION_MSS;
	for (unsigned int i = 1; i < RTE_DIM(options); i++)
		tcp->options.options |= random_below(random, 2) != 0 ? options[i] : 0;
}

/* Frames of some clients: a golden one with other addresses, ports and MAC addresses. */
static void
random_frames(uint64_t *random, const uint8_t *golden, size_t length, unsigned int n,
		uint8_t frames[COLUMNS][BUILD_HEADERS_MAX])
{
	const unsigned int addresses = golden[12] == 0x08 ? 14 + 12 : 14 + 8;
	const unsigned int end = golden[12] == 0x08 ? 34 + 8 : 54 + 8;

	for (unsigned int i = 0; i < n; i++) {
		memcpy(frames[i], golden, length);
		random_fill(random, frames[i], 12);
		random_fill(random, frames[i] + addresses, end - addresses);
		if (random_below(random, 8) == 0)
			memset(frames[i] + addresses, random_below(random, 2) ? 0xff : 0,
					end - addresses);
	}
}

static void
check_replies(uint64_t *random, const uint8_t *golden, size_t golden_length, uint8_t family)
{
	uint8_t frames[COLUMNS][BUILD_HEADERS_MAX], expected[COLUMNS][BUILD_HEADERS_MAX];
	const unsigned int n = 1 + random_below(random, COLUMNS);
	const struct frame frame = {.l3_offset = 14,
			.l4_offset = family == 4 ? 34 : 54,
			.kind = FRAME_TCP,
			.family = family};
	struct build_columns replies = {.n = n};
	struct build_form form;
	struct build_tcp tcp;
	unsigned int length;

	random_tcp(random, &tcp);
	build_reply_form(&form, &tcp, family);
	assert_true(build_columns_takes(&form));
	memset(frames, 0xa5, sizeof(frames));
	random_frames(random, golden, golden_length, n, frames);
	memcpy(expected, frames, sizeof(frames));
	for (unsigned int i = 0; i < n; i++) {
		replies.data[i] = frames[i];
		replies.seq[i] = (uint32_t)random_next(random);
		replies.ack[i] = random_below(random, 4) == 0 ? 0 : (uint32_t)random_next(random);
		replies.tsval[i] = (uint32_t)random_next(random);
		replies.tsecr[i] = (uint32_t)random_next(random);
	}
	length = build_columns(&replies, &form);
	for (unsigned int i = 0; i < n; i++) {
		const struct build_numbers numbers = {
				replies.seq[i], replies.ack[i], replies.tsval[i], replies.tsecr[i]};

		assert_int_equal(build_reply(expected[i], &frame, &form, &numbers,
						 BUILD_CHECKSUM_SOFTWARE),
				length);
		assert_memory_equal(frames[i], expected[i], length);
	}
	for (unsigned int i = n; i < COLUMNS; i++)
		for (unsigned int at = 0; at < BUILD_HEADERS_MAX; at++)
			assert_int_equal(frames[i][at], 0xa5);
}

static void
frames_turned_around_at_once_are_those_turned_around_alone(void **state)
{
	uint64_t random = columns_begin(SEED);

	(void)state;
	for (unsigned int round = 0; round < 20000; round++) {
		check_replies(&random, golden_syn_v4, sizeof(golden_syn_v4), 4);
		check_replies(&random, golden_syn_v6, sizeof(golden_syn_v6), 6);
	}
}

static void
longer_forms_are_not_taken(void **state)
{
	struct build_tcp tcp = {.options.options = TCP_OPTION_TIMESTAMPS};
	struct build_form form;

	(void)state;
	build_reply_form(&form, &tcp, 4); /* Timestamps come first here. */
	assert_false(build_columns_takes(&form));
	tcp.options.options = TCP_OPTION_MSS | TCP_OPTION_TIMESTAMPS | TCP_OPTION_FAST_OPEN;
	tcp.options.cookie_length = 8;
	build_reply_form(&form, &tcp, 4);
	assert_false(build_columns_takes(&form));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(
					frames_turned_around_at_once_are_those_turned_around_alone),
			cmocka_unit_test(longer_forms_are_not_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
