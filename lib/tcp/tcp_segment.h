/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TCP_SEGMENT_H
#define TCP_SEGMENT_H

/**
 * @file
 * What a segment says, as a value in host byte order.
 *
 * lib/wire turns bytes into this once; nobody after that looks at the bytes of the TCP header
 * again.  Half a cache line, so that a burst of 64 streams through two kilobytes.
 */

#include <stdint.h>

/** Control bits, as in the header's 13th byte (RFC 9293 3.1). */
enum tcp_flag {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_URG = 0x20,
	TCP_ECE = 0x40,
	TCP_CWR = 0x80,
};

/** Which options a segment carried, well formed; anything else is as if it were absent. */
enum tcp_option_bit {
	TCP_OPTION_MSS = 0x01,            /**< RFC 9293 3.7.1 */
	TCP_OPTION_WINDOW_SCALE = 0x02,   /**< RFC 7323 2 */
	TCP_OPTION_SACK_PERMITTED = 0x04, /**< RFC 2018 2 */
	TCP_OPTION_TIMESTAMPS = 0x08,     /**< RFC 7323 3 */
	TCP_OPTION_SACK = 0x10,           /**< RFC 2018 3 */
	TCP_OPTION_FAST_OPEN = 0x20,      /**< RFC 7413 4.1.1 */
};

struct tcp_segment {
	uint32_t seq;            /**< SEG.SEQ */
	uint32_t ack;            /**< SEG.ACK; 0 without TCP_ACK. */
	uint32_t tsval;          /**< TSval, with TCP_OPTION_TIMESTAMPS. */
	uint32_t tsecr;          /**< TSecr, with TCP_OPTION_TIMESTAMPS. */
	uint16_t window;         /**< SEG.WND as on the wire, not scaled. */
	uint16_t payload_length; /**< Bytes of data; SEG.LEN without SYN and FIN. */
	uint16_t payload_offset; /**< From the first byte of the TCP header; the header's length. */
	uint16_t mss;            /**< MSS, with TCP_OPTION_MSS; may be any value, also 0. */
	uint8_t flags;           /**< enum tcp_flag */
	uint8_t options;         /**< enum tcp_option_bit */
	uint8_t window_scale;    /**< shift.cnt as sent, may be above 14; see TCP_OPTION_... */
	uint8_t sack_offset;   /**< First SACK block, from the TCP header, with TCP_OPTION_SACK. */
	uint8_t sack_count;    /**< SACK blocks, 1 to 4. */
	uint8_t cookie_offset; /**< Fast Open cookie, from the TCP header. */
	uint8_t cookie_length; /**< 0 asks for one; otherwise 4 to 16. */
	uint8_t reserved;
};

_Static_assert(sizeof(struct tcp_segment) == 32, "half a cache line");

/** SEG.LEN: data, and one each for SYN and FIN (RFC 9293 3.4). */
static inline uint32_t
tcp_segment_length(const struct tcp_segment *segment)
{
	return segment->payload_length + !!(segment->flags & TCP_SYN) +
	       !!(segment->flags & TCP_FIN);
}

#endif /* TCP_SEGMENT_H */
