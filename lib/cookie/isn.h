/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef ISN_H
#define ISN_H

/**
 * @file
 * Initial sequence numbers: ISN = M + F(connection, secret) (RFC 6528 3).
 *
 * M is a clock of 4 microseconds; F is SipHash-1-3, truncated, under a key that never leaves
 * memory: what SYN cookies rely on, too, so that a burst of SYNs is hashed at once.
 */

#include <stdint.h>

#include "cookie/siphash.h"
#include "tcp/flow_key.h"

/** The ISN for a connection opened now. */
uint32_t isn_make(const struct siphash_key *key, const struct flow_key *flow, uint64_t now_us);

/** isn_make() for @p n connections, at most ISN_BULK_MAX. */
void isn_make_bulk(const struct siphash_key *key, const struct flow_key flows[], unsigned int n,
		uint64_t now_us, uint32_t isns[]);

#define ISN_BULK_MAX 64

#endif /* ISN_H */
