/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TCP_SEQ_H
#define TCP_SEQ_H

/**
 * @file
 * Sequence number arithmetic modulo 2^32 (RFC 9293 3.4), and nothing else.
 */

#include <stdbool.h>
#include <stdint.h>

/** a < b on the circle. */
static inline bool
tcp_seq_lt(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

/** a <= b on the circle. */
static inline bool
tcp_seq_leq(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) <= 0;
}

/** Whether @p seq lies in [@p left, @p left + @p size). */
static inline bool
tcp_seq_within(uint32_t seq, uint32_t left, uint32_t size)
{
	return seq - left < size;
}

#endif /* TCP_SEQ_H */
