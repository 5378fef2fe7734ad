/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef ISN_H
#define ISN_H

/**
 * @file
 * Initial sequence numbers: ISN = M + F(connection, secret) (RFC 6528 3).
 *
 * M is a clock of 4 microseconds; F is SipHash-2-4, truncated, under a key that never leaves
 * memory.
 */

#include <stdint.h>

#include "cookie/siphash.h"
#include "tcp/flow_key.h"

/** The ISN for a connection opened now. */
uint32_t isn_make(const struct siphash_key *key, const struct flow_key *flow, uint64_t now_us);

#endif /* ISN_H */
