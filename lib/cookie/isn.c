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
isn_make(const struct siphash_key *key, const struct flow_key *flow, uint64_t now_us)
{
	return (uint32_t)(now_us >> TICK_SHIFT_US) + (uint32_t)siphash_flow(key, flow);
}

void
isn_make_bulk(const struct siphash_key *key, const struct flow_key flows[], unsigned int n,
		uint64_t now_us, uint32_t isns[])
{
	uint64_t hashes[ISN_BULK_MAX];

	siphash_flow_bulk(key, flows, n, hashes);
	for (unsigned int i = 0; i < n; i++)
		isns[i] = (uint32_t)(now_us >> TICK_SHIFT_US) + (uint32_t)hashes[i];
}
