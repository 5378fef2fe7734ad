/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The options parser with its fast paths, against a walk without any.
 *
 * Input: one byte of TCP flags, then up to 40 bytes of options.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/tcp_options.h"

#include "fuzz.h"

/** What one well-formed option means, said in the plainest way. */
static void
oracle_option(struct tcp_segment *segment, const uint8_t *option, uint8_t offset)
{
	bool syn = segment->flags & TCP_SYN;
	uint8_t kind = option[0], length = option[1];

	if (kind == 2 && length == 4 && syn) {
		segment->options |= TCP_OPTION_MSS;
		segment->mss = (uint16_t)(option[2] << 8 | option[3]);
	}
	if (kind == 3 && length == 3 && syn) {
		segment->options |= TCP_OPTION_WINDOW_SCALE;
		segment->window_scale = option[2];
	}
	if (kind == 4 && length == 2 && syn)
		segment->options |= TCP_OPTION_SACK_PERMITTED;
	if (kind == 5 && (length == 10 || length == 18 || length == 26 || length == 34)) {
		segment->options |= TCP_OPTION_SACK;
		segment->sack_offset = offset;
		segment->sack_count = length / 8;
	}
	if (kind == 8 && length == 10) {
		segment->options |= TCP_OPTION_TIMESTAMPS;
		segment->tsval = (uint32_t)option[2] << 24 | option[3] << 16 | option[4] << 8 |
				 option[5];
		segment->tsecr = (uint32_t)option[6] << 24 | option[7] << 16 | option[8] << 8 |
				 option[9];
	}
	if (kind == 34 && syn && length % 2 == 0 && length != 4 && length <= 18) {
		segment->options |= TCP_OPTION_FAST_OPEN;
		segment->cookie_offset = offset;
		segment->cookie_length = length - 2;
	}
}

static void
oracle(struct tcp_segment *segment, const uint8_t *options, size_t length)
{
	for (size_t at = 0; at < length && options[at] != 0;) {
		if (options[at] == 1) {
			at++;
			continue;
		}
		if (at + 1 >= length || options[at + 1] < 2 || at + options[at + 1] > length)
			return;
		oracle_option(segment, options + at, (uint8_t)(20 + at + 2));
		at += options[at + 1];
	}
}

/** What is built from what was read is read again as the same. */
static void
check_build(const struct tcp_segment *segment)
{
	/* Cookies of another length than ours are read, never written. */
	const bool cookie = segment->cookie_length == 0 ||
			    segment->cookie_length == TCP_OPTIONS_COOKIE_BYTES;
	const struct tcp_options options = {
			.tsval = segment->tsval,
			.tsecr = segment->tsecr,
			.mss = segment->mss,
			.window_scale = segment->window_scale,
			.options = segment->options & (cookie ? 0x2f : 0x0f),
			.cookie_length = segment->cookie_length,
	};
	struct tcp_segment again = {.flags = segment->flags | TCP_SYN};
	uint8_t bytes[TCP_OPTIONS_BYTES_MAX];
	unsigned int length = tcp_options_build(bytes, &options);

	if (length != tcp_options_length(&options))
		abort();
	tcp_options_parse(&again, bytes, length);
	if (again.options != options.options || again.mss != options.mss ||
			again.window_scale != options.window_scale ||
			(cookie && again.cookie_length != options.cookie_length) ||
			again.tsval != options.tsval || again.tsecr != options.tsecr)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tcp_segment parsed = {0}, expected = {0};

	if (size == 0 || size > 1 + TCP_OPTIONS_BYTES_MAX)
		return 0;
	parsed.flags = expected.flags = data[0];
	tcp_options_parse(&parsed, data + 1, (unsigned int)size - 1);
	oracle(&expected, data + 1, size - 1);
	if (memcmp(&parsed, &expected, sizeof(parsed)) != 0)
		abort();
	check_build(&parsed);
	return 0;
}
