/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TCP_OPTIONS_H
#define TCP_OPTIONS_H

/**
 * @file
 * TCP options, from bytes and to bytes (RFC 9293 3.2; 7323; 2018; 7413).
 *
 * A malformed option ends the walk: what was read before it counts, what follows does not.  A
 * known kind with a wrong length is skipped.  MSS, window scale, SACK-permitted and Fast Open count
 * only on a SYN.  Of a duplicated option the last one counts.  Unknown kinds are ignored and never
 * reflected.
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>

#include "tcp/tcp_segment.h"
#include "wire/bytes.h"

#define TCP_OPTIONS_BYTES_MAX    40
#define TCP_OPTIONS_COOKIE_BYTES 8 /**< Of the Fast Open cookies that we write. */

/** The first four bytes of usual layouts, and of those that we write. */
#define TCP_OPTIONS_WORD_MSS             0x02040000u
#define TCP_OPTIONS_WORD_SACK_TIMESTAMPS 0x0402080au
#define TCP_OPTIONS_WORD_TIMESTAMPS      0x0101080au
#define TCP_OPTIONS_WORD_SACK            0x01010402u
#define TCP_OPTIONS_WORD_SACK_END        0x04020000u
#define TCP_OPTIONS_WORD_WINDOW_SCALE    0x01030300u
#define TCP_OPTIONS_WORD_FAST_OPEN       0x01012200u

/**
 * Read the options of a header into @p segment, whose flags are set already, by a walk.
 *
 * @param options
 *   The bytes after the fixed header; @p length of them are readable.
 * @param length
 *   0 to 40.
 */
void tcp_options_parse(struct tcp_segment *segment, const uint8_t *options, unsigned int length);

static inline void
tcp_options_none(struct tcp_segment *segment)
{
	segment->tsval = 0;
	segment->tsecr = 0;
	segment->mss = 0;
	segment->options = 0;
	segment->window_scale = 0;
	segment->sack_offset = 0;
	segment->sack_count = 0;
	segment->cookie_offset = 0;
	segment->cookie_length = 0;
}

static inline void
tcp_options_read_timestamps(struct tcp_segment *segment, const uint8_t *from)
{
	segment->options |= TCP_OPTION_TIMESTAMPS;
	segment->tsval = bytes_read_32(from);
	segment->tsecr = bytes_read_32(from + 4);
}

static inline void
tcp_options_read_mss(struct tcp_segment *segment, uint16_t mss)
{
	segment->options |= TCP_OPTION_MSS;
	segment->mss = mss;
}

static inline void
tcp_options_read_scale(struct tcp_segment *segment, uint8_t shift)
{
	segment->options |= TCP_OPTION_WINDOW_SCALE;
	segment->window_scale = shift;
}

/** MSS, SACK-permitted, timestamps, NOP, window scale: a Linux client's SYN. */
static inline bool
tcp_options_are_linux(const uint8_t *options, unsigned int length)
{
	return length == 20 && bytes_read_32(options + 4) == TCP_OPTIONS_WORD_SACK_TIMESTAMPS &&
	       (bytes_read_32(options + 16) & 0xffffff00) == TCP_OPTIONS_WORD_WINDOW_SCALE;
}

/** MSS, NOP, window scale, two NOPs, SACK-permitted: a Windows client's SYN. */
static inline bool
tcp_options_are_windows(const uint8_t *options, unsigned int length)
{
	return length == 12 &&
	       (bytes_read_32(options + 4) & 0xffffff00) == TCP_OPTIONS_WORD_WINDOW_SCALE &&
	       bytes_read_32(options + 8) == TCP_OPTIONS_WORD_SACK;
}

/** MSS, NOP, window scale, two NOPs, timestamps, SACK-permitted, end: an Apple client's SYN. */
static inline bool
tcp_options_are_apple(const uint8_t *options, unsigned int length)
{
	return length == 24 &&
	       (bytes_read_32(options + 4) & 0xffffff00) == TCP_OPTIONS_WORD_WINDOW_SCALE &&
	       bytes_read_32(options + 8) == TCP_OPTIONS_WORD_TIMESTAMPS &&
	       bytes_read_32(options + 20) == TCP_OPTIONS_WORD_SACK_END;
}

/** The options of a SYN when they are one of the usual layouts. @return whether they were. */
static inline bool
tcp_options_read_syn(struct tcp_segment *segment, const uint8_t *options, unsigned int length)
{
	const uint32_t first = bytes_read_32(options);

	if ((first & 0xffff0000) != TCP_OPTIONS_WORD_MSS)
		return false;
	if (likely(tcp_options_are_linux(options, length))) {
		segment->options = TCP_OPTION_SACK_PERMITTED;
		tcp_options_read_timestamps(segment, options + 8);
		tcp_options_read_scale(segment, options[19]);
	} else if (tcp_options_are_windows(options, length)) {
		segment->options = TCP_OPTION_SACK_PERMITTED;
		tcp_options_read_scale(segment, options[7]);
	} else if (tcp_options_are_apple(options, length)) {
		segment->options = TCP_OPTION_SACK_PERMITTED;
		tcp_options_read_timestamps(segment, options + 12);
		tcp_options_read_scale(segment, options[7]);
	} else if (length != 4) {
		return false;
	}
	tcp_options_read_mss(segment, (uint16_t)first);
	return true;
}

/**
 * tcp_options_parse() in line: usual layouts are known by a few words, the rest is walked.
 *
 * @param length
 *   A multiple of 4.
 */
static inline void
tcp_options_read(struct tcp_segment *segment, const uint8_t *options, unsigned int length)
{
	tcp_options_none(segment);
	if (length == 0)
		return;
	if (length == 12 && bytes_read_32(options) == TCP_OPTIONS_WORD_TIMESTAMPS)
		tcp_options_read_timestamps(segment, options + 4);
	else if ((segment->flags & TCP_SYN) == 0 || !tcp_options_read_syn(segment, options, length))
		tcp_options_parse(segment, options, length);
}

/** What to write; only the bits in @ref options are. */
struct tcp_options {
	uint32_t tsval;
	uint32_t tsecr;
	uint16_t mss;
	uint8_t window_scale;
	uint8_t options;       /**< enum tcp_option_bit, all but SACK. */
	uint8_t cookie_length; /**< With FAST_OPEN: TCP_OPTIONS_COOKIE_BYTES, or 0 to ask for one.
				*/
	uint8_t cookie[TCP_OPTIONS_COOKIE_BYTES];
};

/** How many bytes tcp_options_build() will write. */
static inline unsigned int
tcp_options_length(const struct tcp_options *options)
{
	unsigned int length = 0;

	if (options->options & TCP_OPTION_MSS)
		length += 4;
	if (options->options & TCP_OPTION_TIMESTAMPS)
		length += 12; /* With SACK-permitted or two NOPs in front. */
	else if (options->options & TCP_OPTION_SACK_PERMITTED)
		length += 4;
	if (options->options & TCP_OPTION_WINDOW_SCALE)
		length += 4;
	if (options->options & TCP_OPTION_FAST_OPEN)
		length += 4 + options->cookie_length; /* With two NOPs in front. */
	return length;
}

/** Store a word in network byte order and add it to a checksum's sum. */
static inline uint8_t *
tcp_options_put(uint8_t *to, uint32_t value, uint64_t *sum)
{
	const rte_be32_t word = BYTES_SWAP_32(value);

	memcpy(to, &word, sizeof(word));
	*sum += word;
	return to + sizeof(word);
}

/** tcp_options_build() in line, for whoever writes a header and sums it up (checksum.h) at once. */
static inline unsigned int
tcp_options_write(uint8_t *to, const struct tcp_options *options, uint64_t *sum)
{
	const bool sack = options->options & TCP_OPTION_SACK_PERMITTED;
	uint8_t *end = to;

	if (options->options & TCP_OPTION_MSS)
		end = tcp_options_put(end, TCP_OPTIONS_WORD_MSS | options->mss, sum);
	if (options->options & TCP_OPTION_TIMESTAMPS) {
		end = tcp_options_put(end,
				sack ? TCP_OPTIONS_WORD_SACK_TIMESTAMPS
				     : TCP_OPTIONS_WORD_TIMESTAMPS,
				sum);
		end = tcp_options_put(end, options->tsval, sum);
		end = tcp_options_put(end, options->tsecr, sum);
	} else if (sack) {
		end = tcp_options_put(end, TCP_OPTIONS_WORD_SACK, sum);
	}
	if (options->options & TCP_OPTION_WINDOW_SCALE)
		end = tcp_options_put(
				end, TCP_OPTIONS_WORD_WINDOW_SCALE | options->window_scale, sum);
	if (options->options & TCP_OPTION_FAST_OPEN) {
		end = tcp_options_put(end,
				TCP_OPTIONS_WORD_FAST_OPEN | (2u + options->cookie_length), sum);
		for (unsigned int i = 0; i < options->cookie_length; i += 4) {
			uint32_t word;

			memcpy(&word, options->cookie + i, sizeof(word));
			end = tcp_options_put(end, BYTES_SWAP_32(word), sum);
		}
	}
	return (unsigned int)(end - to);
}

/**
 * Write options, padded with NOPs to a multiple of four so that timestamps are aligned.
 *
 * @param to
 *   Room for TCP_OPTIONS_BYTES_MAX bytes.
 * @return
 *   Bytes written, a multiple of four.
 */
unsigned int tcp_options_build(uint8_t *to, const struct tcp_options *options);

#endif /* TCP_OPTIONS_H */
