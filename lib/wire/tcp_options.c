/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * TCP options: three layouts that nearly every packet has, and a walk for the rest.
 */

#include <stdbool.h>
#include <string.h>

#include <rte_branch_prediction.h>

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

/** The first four bytes of usual layouts, and of those we write. */
#define WORD_MSS                       0x02040000u
#define WORD_SACK_PERMITTED_TIMESTAMPS 0x0402080au
#define WORD_TIMESTAMPS                0x0101080au
#define WORD_SACK_PERMITTED            0x01010402u
#define WORD_WINDOW_SCALE              0x01030300u
#define WORD_FAST_OPEN                 0x01012200u

static inline void
read_timestamps(struct tcp_segment *segment, const uint8_t *from)
{
	segment->options |= TCP_OPTION_TIMESTAMPS;
	segment->tsval = bytes_read_32(from);
	segment->tsecr = bytes_read_32(from + 4);
}

static inline void
read_mss(struct tcp_segment *segment, uint16_t mss)
{
	segment->options |= TCP_OPTION_MSS;
	segment->mss = mss;
}

static inline void
read_window_scale(struct tcp_segment *segment, uint8_t shift)
{
	segment->options |= TCP_OPTION_WINDOW_SCALE;
	segment->window_scale = shift;
}

/** Nothing but timestamps; nothing but MSS; the SYN and SYN-ACK of Linux. */
static inline bool
parse_usual(struct tcp_segment *segment, const uint8_t *options, unsigned int length)
{
	uint32_t first;

	if (length < 4)
		return length == 0;
	first = bytes_read_32(options);
	if (likely(length == 12 && first == WORD_TIMESTAMPS)) {
		read_timestamps(segment, options + 4);
		return true;
	}
	if (!(segment->flags & TCP_SYN) || (first & 0xffff0000) != WORD_MSS)
		return false;
	if (length == 20 && bytes_read_32(options + 4) == WORD_SACK_PERMITTED_TIMESTAMPS &&
			(bytes_read_32(options + 16) & 0xffffff00) == WORD_WINDOW_SCALE) {
		segment->options = TCP_OPTION_SACK_PERMITTED;
		read_timestamps(segment, options + 8);
		read_window_scale(segment, options[19]);
	} else if (length != 4) {
		return false;
	}
	read_mss(segment, (uint16_t)first);
	return true;
}

/** An option that is looked at on a SYN only. */
static inline void
parse_syn_option(struct tcp_segment *segment, const uint8_t *option, unsigned int at)
{
	unsigned int length = option[1];

	switch (option[0]) {
	case KIND_MSS:
		if (length == 4)
			read_mss(segment, bytes_read_16(option + 2));
		break;
	case KIND_WINDOW_SCALE:
		if (length == 3)
			read_window_scale(segment, option[2]);
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
			read_timestamps(segment, option + 2);
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

	segment->tsval = 0;
	segment->tsecr = 0;
	segment->mss = 0;
	segment->options = 0;
	segment->window_scale = 0;
	segment->sack_offset = 0;
	segment->sack_count = 0;
	segment->cookie_offset = 0;
	segment->cookie_length = 0;
	if (likely(parse_usual(segment, options, length)))
		return;
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
	bool sack_permitted = options->options & TCP_OPTION_SACK_PERMITTED;
	uint8_t *end = to;

	if (options->options & TCP_OPTION_MSS) {
		bytes_write_32(end, WORD_MSS | options->mss);
		end += 4;
	}
	if (options->options & TCP_OPTION_TIMESTAMPS) {
		bytes_write_32(end,
				sack_permitted ? WORD_SACK_PERMITTED_TIMESTAMPS : WORD_TIMESTAMPS);
		bytes_write_32(end + 4, options->tsval);
		bytes_write_32(end + 8, options->tsecr);
		end += 12;
	} else if (sack_permitted) {
		bytes_write_32(end, WORD_SACK_PERMITTED);
		end += 4;
	}
	if (options->options & TCP_OPTION_WINDOW_SCALE) {
		bytes_write_32(end, WORD_WINDOW_SCALE | options->window_scale);
		end += 4;
	}
	if (options->options & TCP_OPTION_FAST_OPEN) {
		bytes_write_32(end, WORD_FAST_OPEN | (2u + options->cookie_length));
		memcpy(end + 4, options->cookie, options->cookie_length);
		end += 4 + options->cookie_length;
	}
	return (unsigned int)(end - to);
}
