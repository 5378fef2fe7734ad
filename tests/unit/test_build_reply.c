/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Frames turned around in place, against the long way by a path, which is compared with scapy.
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
#include "wire/build_reply.h"

#define SEED 20261120

static void
check_reply(const struct golden *golden, const struct build_tcp *tcp, enum build_checksum checksum)
{
	const struct build_numbers numbers = {
			tcp->seq, tcp->ack, tcp->options.tsval, tcp->options.tsecr};
	uint8_t expected[256], data[256];
	struct build_lengths lengths;
	struct tcp_segment segment;
	struct build_path path;
	struct build_form form;
	struct frame frame;
	unsigned int length;

	memset(data, 0xa5, sizeof(data));
	memcpy(data, golden->bytes, RTE_MIN(golden->length, sizeof(data)));
	if (parse_frame(data, (uint32_t)golden->length, 0, &frame, &segment) != DROP_NONE ||
			frame.kind != FRAME_TCP)
		return;
	build_path_reverse(&path, data, &frame);
	length = build_tcp(expected, &path, tcp, 0, checksum, &lengths);
	build_reply_form(&form, tcp, frame.family);
	assert_int_equal(build_reply(data, &frame, &form, &numbers, checksum), length);
	assert_memory_equal(data, expected, length);
	assert_int_equal(form.l4_length, lengths.l4);
	assert_int_equal(frame.l3_offset, lengths.l2);
}

static void
frame_turned_around_is_the_one_built_on_its_path(void **state)
{
	static const uint8_t options[] = {TCP_OPTION_MSS, TCP_OPTION_WINDOW_SCALE,
			TCP_OPTION_SACK_PERMITTED, TCP_OPTION_TIMESTAMPS};
	uint64_t random = SEED;

	(void)state;
	print_message("seed %u\n", SEED);
	for (unsigned int round = 0; round < 3200; round++) {
		struct build_tcp tcp;

		random_fill(&random, (uint8_t *)&tcp, sizeof(tcp));
		tcp.options.options = 0;
		tcp.urgent = 0; /* No form has any. */
		for (unsigned int i = 0; i < RTE_DIM(options); i++)
			tcp.options.options |= round >> i & 1 ? options[i] : 0;
		for (unsigned int i = 0; i < RTE_DIM(golden_inputs); i++)
			check_reply(&golden_inputs[i], &tcp,
					round & 16 ? BUILD_CHECKSUM_OFFLOAD
						   : BUILD_CHECKSUM_SOFTWARE);
	}
}

static void
nothing_behind_the_longest_headers_is_written(void **state)
{
	const struct build_tcp tcp = {.flags = TCP_SYN | TCP_ACK};
	const struct build_numbers numbers = {0};
	uint8_t data[BUILD_HEADERS_MAX + 16];
	struct tcp_segment segment;
	struct build_form form;
	struct frame frame;

	(void)state;
	memset(data, 0xa5, sizeof(data));
	memcpy(data, golden_syn_v6_vlan, sizeof(golden_syn_v6_vlan));
	assert_int_equal(parse_frame(data, sizeof(golden_syn_v6_vlan), 0, &frame, &segment),
			DROP_NONE);
	build_reply_form(&form, &tcp, 6);
	build_reply(data, &frame, &form, &numbers, BUILD_CHECKSUM_SOFTWARE);
	for (unsigned int i = BUILD_HEADERS_MAX; i < sizeof(data); i++)
		assert_int_equal(data[i], 0xa5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(frame_turned_around_is_the_one_built_on_its_path),
			cmocka_unit_test(nothing_behind_the_longest_headers_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
