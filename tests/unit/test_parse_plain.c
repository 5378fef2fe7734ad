/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The short cuts of the parser say what the long ways say, or nothing.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "random.h"
#include "usual_options.h"
#include "wire/parse_plain.h"

#define SEED      20261121
#define FRAME_MAX 256

/* Whether the short cut took the frame; then the long way took it for the same. */
static bool
taken_alike(const uint8_t *bytes, uint32_t length, unsigned int flags)
{
	struct tcp_segment plain_segment, segment;
	struct frame plain_frame, frame;
	uint8_t *exact = malloc(length); /* So that a sanitizer sees a byte too many. */
	bool taken;

	assert_non_null(exact);
	memcpy(exact, bytes, length);
	memset(&plain_segment, 0xa5, sizeof(plain_segment));
	taken = parse_plain(exact, length, flags, &plain_frame, &plain_segment);
	if (taken) {
		memset(&segment, 0x5a, sizeof(segment));
		assert_int_equal(parse_frame_carefully(exact, length, flags, &frame, &segment),
				DROP_NONE);
		assert_memory_equal(&plain_frame, &frame, sizeof(frame));
		assert_memory_equal(&plain_segment, &segment, sizeof(segment));
	}
	free(exact);
	return taken;
}

static void
usual_frames_are_taken(void **state)
{
	(void)state;
	assert_true(taken_alike(golden_syn_v4, sizeof(golden_syn_v4), 0));
	assert_true(taken_alike(golden_syn_v6, sizeof(golden_syn_v6), 0));
	assert_true(taken_alike(golden_syn_mss_only, sizeof(golden_syn_mss_only), 0));
	assert_true(taken_alike(golden_ack_padded, sizeof(golden_ack_padded), 0));
	assert_true(taken_alike(golden_ack_timestamps, sizeof(golden_ack_timestamps), 0));
	assert_true(taken_alike(golden_ack_sacks, sizeof(golden_ack_sacks), 0));
	assert_true(taken_alike(golden_data_odd, sizeof(golden_data_odd), 0));
	assert_false(taken_alike(golden_syn_v4_vlan, sizeof(golden_syn_v4_vlan), 0));
	assert_false(taken_alike(golden_syn_extensions, sizeof(golden_syn_extensions), 0));
}

static void
frames_cut_at_every_length_are_taken_alike(void **state)
{
	(void)state;
	for (size_t i = 0; i < RTE_DIM(golden_inputs); i++) {
		for (uint32_t length = 0; length <= golden_inputs[i].length; length++) {
			taken_alike(golden_inputs[i].bytes, length, 0);
			taken_alike(golden_inputs[i].bytes, length,
					PARSE_IP_CHECKSUM_GOOD | PARSE_TCP_CHECKSUM_GOOD);
		}
	}
}

static void
mutated_frames_are_taken_alike(void **state)
{
	uint64_t random = SEED;
	unsigned int taken = 0;

	(void)state;
	print_message("seed %u\n", SEED);
	for (unsigned int round = 0; round < 400000; round++) {
		const unsigned int which = random_below(&random, RTE_DIM(golden_inputs));
		const uint32_t length =
				(uint32_t)RTE_MIN(golden_inputs[which].length, (size_t)FRAME_MAX);
		/* Without a NIC's word for the checksums hardly any mutant would be taken. */
		const unsigned int flags = random_below(&random, 8);
		uint8_t bytes[FRAME_MAX];

		memcpy(bytes, golden_inputs[which].bytes, length);
		for (unsigned int n = random_below(&random, 4); n > 0; n--)
			bytes[random_below(&random, length)] = (uint8_t)random_next(&random);
		taken += taken_alike(bytes, length, flags);
	}
	assert_in_range(taken, 10000, 400000);
}

/* Options as the walk reads them and as the short cut does. */
static void
check_options(const uint8_t *options, unsigned int length, uint8_t flags)
{
	struct tcp_segment walked = {.flags = flags}, read = {.flags = flags};

	tcp_options_parse(&walked, options, length);
	tcp_options_read(&read, options, length);
	assert_memory_equal(&walked, &read, sizeof(read));
}

static void
usual_options_are_read_as_by_the_walk(void **state)
{
	uint64_t random = SEED;

	(void)state;
	print_message("seed %u\n", SEED);
	for (unsigned int round = 0; round < 200000; round++) {
		const unsigned int which = random_below(&random, RTE_DIM(usual_options));
		uint8_t options[TCP_OPTIONS_BYTES_MAX];
		unsigned int length = usual_options[which].length;

		memcpy(options, usual_options[which].bytes, sizeof(options));
		if (round & 1)
			options[random_below(&random, sizeof(options))] =
					(uint8_t)random_next(&random);
		if ((round & 14) == 0)
			length = random_below(&random, 11) * 4;
		check_options(options, length, round & 16 ? TCP_ACK : TCP_SYN);
	}
}

static void
headers_of_every_length_sum_up_alike(void **state)
{
	uint8_t bytes[CHECKSUM_WORDS_MAX];
	uint64_t random = SEED;

	(void)state;
	for (unsigned int length = 0; length <= sizeof(bytes); length += 4) {
		for (unsigned int round = 0; round < 1000; round++) {
			const uint64_t start = random_next(&random) >> 16;
			uint64_t sum;

			random_fill(&random, bytes, sizeof(bytes));
			if (round == 0)
				memset(bytes, 0xff, sizeof(bytes));
			sum = checksum_add(start, bytes, length);
			assert_int_equal(checksum_fold(checksum_add_words(start, bytes, length)),
					checksum_fold(sum));
			assert_int_equal(checksum_is_good(sum), checksum_fold(sum) == 0xffff);
		}
	}
	assert_false(checksum_is_good(0));
	assert_true(checksum_is_good(0xffff));
	assert_true(checksum_is_good(UINT64_C(0xffff) << 16));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(usual_frames_are_taken),
			cmocka_unit_test(frames_cut_at_every_length_are_taken_alike),
			cmocka_unit_test(mutated_frames_are_taken_alike),
			cmocka_unit_test(usual_options_are_read_as_by_the_walk),
			cmocka_unit_test(headers_of_every_length_sum_up_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
