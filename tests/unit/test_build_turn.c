/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Segments of open connections, turned around in place, against the long way by a path, which is
 * compared with scapy.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <rte_common.h>

#include "golden.h"
#include "random.h"
#include "wire/build_turn.h"

#define SEED     20261120
#define TEXT_MAX 100

/* @return whether the frame could be turned around. */
static bool
check_turn(const struct golden *golden, const struct build_turn *turn, const uint8_t *text,
		enum build_checksum checksum)
{
	const struct build_tcp tcp = {
			.seq = turn->seq,
			.ack = turn->ack,
			.window = turn->window,
			.flags = turn->flags,
			.options.options = turn->timestamps ? TCP_OPTION_TIMESTAMPS : 0,
			.options.tsval = turn->tsval,
			.options.tsecr = turn->tsecr,
	};
	uint8_t expected[512], data[512];
	struct build_lengths lengths;
	struct tcp_segment segment;
	struct build_path path;
	struct frame frame;
	unsigned int length;

	memset(data, 0xa5, sizeof(data));
	memcpy(data, golden->bytes, RTE_MIN(golden->length, sizeof(data)));
	if (parse_frame(data, (uint32_t)golden->length, 0, &frame, &segment) != DROP_NONE ||
			!build_turn_may(&frame))
		return false;
	build_path_reverse(&path, data, &frame);
	memcpy(expected + build_tcp_headers_length(&path, &tcp.options), text,
			turn->payload_length);
	length = build_tcp(expected, &path, &tcp, turn->payload_length, checksum, &lengths);
	memcpy(data + frame.l4_offset + build_turn_header(turn), text, turn->payload_length);
	assert_int_equal(build_turn(data, &frame, turn, checksum), length);
	assert_memory_equal(data, expected, length);
	assert_int_equal(build_turn_header(turn), lengths.l4);
	return true;
}

static void
frame_turned_around_is_the_one_built_on_its_path(void **state)
{
	uint64_t random = SEED;
	unsigned int turned = 0;

	(void)state;
	print_message("seed %u\n", SEED);
	for (unsigned int round = 0; round < 4000; round++) {
		struct build_turn turn;
		uint8_t text[TEXT_MAX];

		random_fill(&random, (uint8_t *)&turn, offsetof(struct build_turn, timestamps));
		random_fill(&random, text, sizeof(text));
		turn.timestamps = (round & 1) != 0;
		turn.payload_length = round & 2 ? random_below(&random, TEXT_MAX + 1) : 0;
		turn.payload_sum = checksum_add(0, text, turn.payload_length);
		for (unsigned int i = 0; i < RTE_DIM(golden_inputs); i++)
			turned += check_turn(&golden_inputs[i], &turn, text,
					round & 4 ? BUILD_CHECKSUM_OFFLOAD
						  : BUILD_CHECKSUM_SOFTWARE);
	}
	assert_true(turned > 4 * 4000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(frame_turned_around_is_the_one_built_on_its_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
