/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * TCP options: the walk that takes any layout.
 */

#include "wire/bytes.h"
#include "wire/tcp_options.h"

enum kind {
	KIND_END = 0,
	KIND_NOP = 1,
	KIND_MSS = 2,
	KIND_WINDOW_SCALE = 3,
	KIND_SACK_PERMITTED = 4,
	KIND_SACK = 5,
	KIND_TIMESTAMPS = 8,
	KIND_FAST_OPEN = 34,
};

/** The TCP header without options: offsets in a segment count from its first byte. */
#define FIXED_HEADER 20

/** An option that is looked at on a SYN only. */
static inline void
parse_syn_option(struct tcp_segment *segment, const uint8_t *option, unsigned int at)
{
	unsigned int length = option[1];

	switch (option[0]) {
	case KIND_MSS:
		if (length == 4)
			tcp_options_read_mss(segment, bytes_read_16(option + 2));
		break;
	case KIND_WINDOW_SCALE:
		if (length == 3)
			tcp_options_read_scale(segment, option[2]);
		break;
	case KIND_SACK_PERMITTED:
		if (length == 2)
			segment->options |= TCP_OPTION_SACK_PERMITTED;
		break;
	case KIND_FAST_OPEN:
		/* RFC 7413 4.1.1: none, or 4 to 16 bytes and even; anything else is ignored. */
		if (length == 2 || (length >= 6 && length <= 18 && length % 2 == 0)) {
			segment->options |= TCP_OPTION_FAST_OPEN;
			segment->cookie_offset = (uint8_t)(FIXED_HEADER + at + 2);
			segment->cookie_length = (uint8_t)(length - 2);
		}
		break;
	default:
		break;
	}
}

/** One option whose @p option[1] bytes are all there. */
static inline void
parse_option(struct tcp_segment *segment, const uint8_t *option, unsigned int at)
{
	unsigned int length = option[1];

	switch (option[0]) {
	case KIND_TIMESTAMPS:
		if (length == 10)
			tcp_options_read_timestamps(segment, option + 2);
		break;
	case KIND_SACK:
		if (length >= 10 && (length - 2) % 8 == 0) {
			segment->options |= TCP_OPTION_SACK;
			segment->sack_offset = (uint8_t)(FIXED_HEADER + at + 2);
			segment->sack_count = (uint8_t)((length - 2) / 8);
		}
		break;
	default:
		if (segment->flags & TCP_SYN)
			parse_syn_option(segment, option, at);
		break;
	}
}

void
tcp_options_parse(struct tcp_segment *segment, const uint8_t *options, unsigned int length)
{
	unsigned int at = 0;

	tcp_options_none(segment);
	while (at < length && options[at] != KIND_END) {
		if (options[at] == KIND_NOP) {
			at++;
			continue;
		}
		if (length - at < 2 || options[at + 1] < 2 || options[at + 1] > length - at)
			break;
		parse_option(segment, options + at, at);
		at += options[at + 1];
	}
}

unsigned int
tcp_options_build(uint8_t *to, const struct tcp_options *options)
{
	uint64_t sum = 0;

	return tcp_options_write(to, options, &sum);
}
