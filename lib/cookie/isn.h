/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef ISN_H
#define ISN_H

/**
 * @file
 * Initial sequence numbers: ISN = M + F(connection, secret) (RFC 6528 3).
 *
 * M is a clock of 4 microseconds; F is SipHash-1-3 of the hash by which tables know the connection,
 * truncated, under a key of its own that never leaves memory.
 *
 * The inner hash is keyed, too, and of the whole four-tuple.  So F is a pseudorandom function of
 * the tuple, being one of such a function: two tuples get the same F only if they share all 64 bits
 * of the inner hash.  The outer key keeps what is seen from telling anything of the inner hash, by
 * which connections are placed.  A four-tuple always comes to the same worker, and a table's key
 * lasts as long as its worker, so a tuple that is reused gets the same F (RFC 6528 3: its numbers
 * rise).  Tuples are hashed for every packet anyhow, so a number costs no more than hashing a word.
 */

#include <stdint.h>

#include "cookie/siphash.h"

/**
 * The ISN for a connection opened now.
 *
 * @param hash
 *   A keyed hash of its four-tuple, all 64 bits of it: conn_table_hash().
 */
uint32_t isn_make(const struct siphash_key *key, uint64_t hash, uint64_t now_us);

/** isn_make() for @p n connections, at most ISN_BULK_MAX. */
void isn_make_bulk(const struct siphash_key *key, const uint64_t hashes[], unsigned int n,
		uint64_t now_us, uint32_t isns[]);

#define ISN_BULK_MAX 64

#endif /* ISN_H */
