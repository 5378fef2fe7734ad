/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Initial sequence numbers (RFC 6528 3): a clock plus a keyed hash of the connection.
 *
 * The clock makes a reused four-tuple's numbers rise, so that a peer in TIME-WAIT takes the new
 * SYN (RFC 9293 3.10.7.4); the hash keeps everybody but the peer from guessing them.
 */

#include "cookie/isn.h"

/* RFC 9293 3.4.1: the clock's low-order bit counts roughly every 4 microseconds. */
#define TICK_SHIFT_US 2

uint32_t
isn_make(const struct siphash_key *key, uint64_t hash, uint64_t now_us)
{
	return (uint32_t)(now_us >> TICK_SHIFT_US) + (uint32_t)siphash_word(key, hash);
}

void
isn_make_bulk(const struct siphash_key *key, const uint64_t hashes[], unsigned int n,
		uint64_t now_us, uint32_t isns[])
{
	const uint32_t ticks = (uint32_t)(now_us >> TICK_SHIFT_US);
	uint64_t sums[ISN_BULK_MAX];

	siphash_word_bulk(key, hashes, n, sums);
	for (unsigned int i = 0; i < n; i++)
		isns[i] = ticks + (uint32_t)sums[i];
}
