/* SPDX-License-Identifier: BSD-3-Clause */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"
#include "wire/tcp_options.h"

#define SEED 20251120

/** Parse from memory that ends where the options end; fields that stay must have been cleared. */
static struct tcp_segment
parse(uint8_t flags, const uint8_t *options, unsigned int length)
{
	struct tcp_segment segment;
	uint8_t *exact = calloc(1, length);

	memset(&segment, 0xa5, sizeof(segment));
	segment.flags = flags;
	if (length > 0)
		memcpy(exact, options, length);
	tcp_options_parse(&segment, exact, length);
	free(exact);
	return segment;
}

#define PARSE(flags, ...)                            \
	parse(flags, (const uint8_t[]){__VA_ARGS__}, \
			(unsigned int)sizeof((const uint8_t[]){__VA_ARGS__}))

static void
syn_of_linux_is_read(void **state)
{
	struct tcp_segment s = PARSE(
			TCP_SYN, 2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 3, 3, 7);

	(void)state;
	assert_int_equal(s.options, TCP_OPTION_MSS | TCP_OPTION_SACK_PERMITTED |
						    TCP_OPTION_TIMESTAMPS |
						    TCP_OPTION_WINDOW_SCALE);
	assert_int_equal(s.mss, 1460);
	assert_int_equal(s.tsval, 0x01020304);
	assert_int_equal(s.tsecr, 0x05060708);
	assert_int_equal(s.window_scale, 7);
}

static void
syn_options_without_syn_are_ignored(void **state)
{
	struct tcp_segment s = PARSE(
			TCP_ACK, 2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 3, 3, 7);

	(void)state;
	assert_int_equal(s.options, TCP_OPTION_TIMESTAMPS);
	assert_int_equal(s.mss, 0);
	assert_int_equal(s.window_scale, 0);
	assert_int_equal(s.tsecr, 0x05060708);
	s = PARSE(TCP_ACK, 2, 4, 5, 0xb4);
	assert_int_equal(s.options, 0);
	s = PARSE(TCP_ACK, 34, 2, 1, 1);
	assert_int_equal(s.options, 0);
}

static void
timestamps_alone_are_read(void **state)
{
	struct tcp_segment s = PARSE(TCP_ACK, 1, 1, 8, 10, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1);

	(void)state;
	assert_int_equal(s.options, TCP_OPTION_TIMESTAMPS);
	assert_int_equal(s.tsval, 0xffffffff);
	assert_int_equal(s.tsecr, 1);
}

static void
timestamps_are_found_at_every_alignment(void **state)
{
	(void)state;
	for (unsigned int before = 0; before <= 30; before++) {
		uint8_t options[40];
		struct tcp_segment s;

		memset(options, 1, sizeof(options));
		memcpy(options + before, (const uint8_t[]){8, 10, 1, 2, 3, 4, 5, 6, 7, 8}, 10);
		s = parse(TCP_ACK, options, before + 10);
		assert_int_equal(s.options, TCP_OPTION_TIMESTAMPS);
		assert_int_equal(s.tsval, 0x01020304);
	}
}

static void
nothing_counts_behind_the_end_of_the_list(void **state)
{
	struct tcp_segment s = PARSE(TCP_SYN, 2, 4, 1, 0, 0, 3, 3, 7);

	(void)state;
	assert_int_equal(s.options, TCP_OPTION_MSS);
	assert_int_equal(s.mss, 256);
}

static void
malformed_option_ends_the_walk(void **state)
{
	struct tcp_segment s;

	(void)state;
	s = PARSE(TCP_SYN, 3, 3, 5, 99, 0, 2, 4, 5, 6); /* Length 0. */
	assert_int_equal(s.options, TCP_OPTION_WINDOW_SCALE);
	s = PARSE(TCP_SYN, 99, 1, 2, 4, 5, 0xb4); /* Length 1. */
	assert_int_equal(s.options, 0);
	s = PARSE(TCP_SYN, 4, 2, 2, 5, 5, 0xb4); /* Over the end. */
	assert_int_equal(s.options, TCP_OPTION_SACK_PERMITTED);
	s = PARSE(TCP_SYN, 1, 1, 1, 2); /* No length byte. */
	assert_int_equal(s.options, 0);
	s = PARSE(TCP_SYN, 2, 4, 5); /* Cut off. */
	assert_int_equal(s.options, 0);
}

static void
known_kind_with_wrong_length_is_skipped(void **state)
{
	struct tcp_segment s;

	(void)state;
	s = PARSE(TCP_SYN, 2, 3, 5, 3, 4, 1, 1, 4, 3, 1, 8, 9, 1, 2, 3, 4, 5, 6, 7, 3, 3, 9);
	assert_int_equal(s.options, TCP_OPTION_WINDOW_SCALE);
	assert_int_equal(s.window_scale, 9);
	s = PARSE(TCP_ACK, 5, 2, 5, 9, 1, 2, 3, 4, 5, 6, 7, 1);
	assert_int_equal(s.options, 0);
}

static void
last_of_a_duplicated_option_counts(void **state)
{
	struct tcp_segment s = PARSE(TCP_SYN, 2, 4, 0, 1, 2, 4, 0, 2);

	(void)state;
	assert_int_equal(s.mss, 2);
}

static void
unknown_options_are_passed_over(void **state)
{
	struct tcp_segment s = PARSE(TCP_SYN, 30, 12, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 28, 4, 0, 1,
			253, 2, 2, 4, 2, 0x18);

	(void)state;
	assert_int_equal(s.options, TCP_OPTION_MSS);
	assert_int_equal(s.mss, 536);
}

static void
sack_blocks_are_located(void **state)
{
	uint8_t options[40] = {1, 1, 5};
	struct tcp_segment s;

	(void)state;
	for (uint8_t blocks = 1; blocks <= 4; blocks++) {
		options[3] = (uint8_t)(2 + 8 * blocks);
		s = parse(TCP_ACK, options, 4u + 8 * blocks);
		assert_int_equal(s.options, TCP_OPTION_SACK);
		assert_int_equal(s.sack_count, blocks);
		assert_int_equal(s.sack_offset, 24);
	}
}

static void
fast_open_cookies_have_lawful_lengths(void **state)
{
	(void)state;
	for (uint8_t length = 2; length <= 30; length++) {
		uint8_t options[40] = {1, 34, length};
		struct tcp_segment s = parse(TCP_SYN, options, 1u + length);
		bool lawful = length == 2 || (length >= 6 && length <= 18 && length % 2 == 0);

		assert_int_equal(s.options, lawful ? TCP_OPTION_FAST_OPEN : 0);
		assert_int_equal(s.cookie_length, lawful ? length - 2 : 0);
		assert_int_equal(s.cookie_offset, lawful ? 23 : 0);
	}
}

static void
extreme_values_are_told_as_they_are(void **state)
{
	struct tcp_segment s = PARSE(TCP_SYN, 2, 4, 0, 0, 1, 3, 3, 255);

	(void)state;
	assert_int_equal(s.options, TCP_OPTION_MSS | TCP_OPTION_WINDOW_SCALE);
	assert_int_equal(s.mss, 0);
	assert_int_equal(s.window_scale, 255);
}

static void
no_options_are_no_options(void **state)
{
	struct tcp_segment s = parse(TCP_SYN, NULL, 0);

	(void)state;
	assert_int_equal(s.options, 0);
	assert_int_equal(s.mss, 0);
	assert_int_equal(s.sack_count, 0);
}

static void
what_is_built_is_read_back(void **state)
{
	static const uint8_t bits[] = {TCP_OPTION_MSS, TCP_OPTION_WINDOW_SCALE,
			TCP_OPTION_SACK_PERMITTED, TCP_OPTION_TIMESTAMPS};

	(void)state;
	for (unsigned int mask = 0; mask < 16; mask++) {
		struct tcp_options options = {
				.tsval = 0xfeedbeef, .tsecr = 1, .mss = 1220, .window_scale = 14};
		uint8_t bytes[TCP_OPTIONS_BYTES_MAX];
		struct tcp_segment s;
		unsigned int length;

		for (unsigned int i = 0; i < 4; i++)
			options.options |= mask & 1u << i ? bits[i] : 0;
		memset(bytes, 0xa5, sizeof(bytes));
		length = tcp_options_build(bytes, &options);
		assert_int_equal(length % 4, 0);
		assert_int_equal(length, tcp_options_length(&options));
		assert_int_equal(bytes[length], 0xa5);
		s = parse(TCP_SYN, bytes, length);
		assert_int_equal(s.options, options.options);
		if (mask & 1)
			assert_int_equal(s.mss, 1220);
		if (mask & 2)
			assert_int_equal(s.window_scale, 14);
		if (mask & 8) {
			assert_int_equal(s.tsval, 0xfeedbeef);
			assert_int_equal(s.tsecr, 1);
		}
	}
}

static void
built_cookies_are_read_back(void **state)
{
	struct tcp_options options = {.options = TCP_OPTION_MSS | TCP_OPTION_WINDOW_SCALE |
						 TCP_OPTION_SACK_PERMITTED | TCP_OPTION_TIMESTAMPS |
						 TCP_OPTION_FAST_OPEN,
			.cookie = {1, 2, 3, 4, 5, 6, 7, 8}};

	(void)state;
	for (uint8_t length = 0; length <= TCP_OPTIONS_COOKIE_BYTES;
			length += TCP_OPTIONS_COOKIE_BYTES) {
		uint8_t bytes[TCP_OPTIONS_BYTES_MAX];
		struct tcp_segment s;

		options.cookie_length = length;
		memset(bytes, 0xa5, sizeof(bytes));
		assert_int_equal(tcp_options_build(bytes, &options), 24 + length);
		assert_int_equal(tcp_options_length(&options), 24 + length);
		assert_int_equal(bytes[24 + length], 0xa5);
		s = parse(TCP_SYN, bytes, 24 + length);
		assert_int_equal(s.options, options.options);
		assert_int_equal(s.cookie_length, length);
		assert_memory_equal(bytes + (s.cookie_offset - 20), options.cookie, length);
	}
}

static void
built_timestamps_are_aligned(void **state)
{
	(void)state;
	for (unsigned int mask = 0; mask < 8; mask++) {
		struct tcp_options options = {.tsval = 0x41424344,
				.options = (uint8_t)(TCP_OPTION_TIMESTAMPS | mask)};
		uint8_t bytes[TCP_OPTIONS_BYTES_MAX];
		unsigned int length = tcp_options_build(bytes, &options);
		uint8_t *found = memmem(bytes, length, "ABCD", 4);

		assert_non_null(found);
		assert_int_equal((found - bytes) % 4, 0);
	}
}

static void
random_bytes_do_no_harm(void **state)
{
	static const uint8_t likely[] = {0, 1, 2, 3, 4, 5, 8, 10, 18, 34, 40};
	uint64_t seed = SEED;

	(void)state;
	print_message("seed %d\n", SEED);
	for (unsigned int round = 0; round < 100000; round++) {
		unsigned int length = random_below(&seed, 41);
		uint8_t options[40];
		struct tcp_segment s;

		random_fill(&seed, options, sizeof(options));
		for (unsigned int i = 0; i < length; i++)
			if (random_below(&seed, 2))
				options[i] = likely[random_below(&seed, sizeof(likely))];
		s = parse(round & 1 ? TCP_SYN : TCP_ACK, options, length);
		assert_true(s.sack_offset + 8u * s.sack_count <= 20 + length);
		assert_true(s.cookie_offset + s.cookie_length <= 20u + length);
		assert_int_equal(s.sack_count > 0, !!(s.options & TCP_OPTION_SACK));
		assert_true(s.sack_count <= 4);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(syn_of_linux_is_read),
			cmocka_unit_test(syn_options_without_syn_are_ignored),
			cmocka_unit_test(timestamps_alone_are_read),
			cmocka_unit_test(timestamps_are_found_at_every_alignment),
			cmocka_unit_test(nothing_counts_behind_the_end_of_the_list),
			cmocka_unit_test(malformed_option_ends_the_walk),
			cmocka_unit_test(known_kind_with_wrong_length_is_skipped),
			cmocka_unit_test(last_of_a_duplicated_option_counts),
			cmocka_unit_test(unknown_options_are_passed_over),
			cmocka_unit_test(sack_blocks_are_located),
			cmocka_unit_test(fast_open_cookies_have_lawful_lengths),
			cmocka_unit_test(extreme_values_are_told_as_they_are),
			cmocka_unit_test(no_options_are_no_options),
			cmocka_unit_test(what_is_built_is_read_back),
			cmocka_unit_test(built_cookies_are_read_back),
			cmocka_unit_test(built_timestamps_are_aligned),
			cmocka_unit_test(random_bytes_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
