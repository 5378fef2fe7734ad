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

#include <stdint.h>

#include "tcp/tcp_segment.h"

#define TCP_OPTIONS_BYTES_MAX    40
#define TCP_OPTIONS_COOKIE_BYTES 8 /**< Of the Fast Open cookies that we write. */

/**
 * Read the options of a header into @p segment, whose flags are set already.
 *
 * @param options
 *   The bytes after the fixed header; @p length of them are readable.
 * @param length
 *   0 to 40.
 */
void tcp_options_parse(struct tcp_segment *segment, const uint8_t *options, unsigned int length);

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
