/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef PREFIX_LIMIT_H
#define PREFIX_LIMIT_H

/**
 * @file
 * A rate for each source network: a token bucket per IPv4 /24 and IPv6 /64, in constant memory.
 *
 * A set of four buckets is one cache line; a keyed hash (SipHash-1-3) says which set a network
 * belongs to, so that nobody can aim at another's.  A network that is not in its set takes the
 * place of the fullest bucket, and what that holds: the one that would be forgotten with the least
 * loss.  Mostly it is full, and the newcomer has everything.  A network that uses up its own tokens
 * keeps its place, and the others their three.  When more networks than there are places use up
 * their tokens, those of a set share four buckets: the sum stays limited, however many there are.
 *
 * So a flood from everywhere is limited, too, to the rate times the number of places, and takes its
 * share from everybody: there should be so many of them that no worker gets so many packets.
 *
 * Not defended against: who has a /48 has 65536 networks; limits of a service are for that.
 *
 * One owner.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cookie/siphash.h"
#include "tcp/flow_key.h"

#define PREFIX_LIMIT_WAYS      4
#define PREFIX_LIMIT_BURST_MAX 64 /**< One bit of a mask per packet. */

struct prefix_limit;

/** Bytes for about @p networks networks, a multiple of 64. */
size_t prefix_limit_footprint(uint32_t networks);

/**
 * Lay it out in @p memory.
 *
 * @param memory
 *   prefix_limit_footprint(networks) bytes, 64-byte aligned.
 * @param rate_per_second
 *   Not 0.  Each bucket holds one second's worth.
 * @param key
 *   Copied; must be random and secret.
 */
struct prefix_limit *prefix_limit_init(void *memory, uint32_t networks, uint32_t rate_per_second,
		const struct siphash_key *key);

/**
 * Take a token of the network that an address is in, if there is one.
 *
 * @param address
 *   IPv4-mapped or IPv6.
 */
bool prefix_limit_take(struct prefix_limit *limit, const uint8_t address[16], uint64_t now_us);

/**
 * The same for those of up to PREFIX_LIMIT_BURST_MAX flows whose bit is set in @p which, all cache
 * misses at once.
 *
 * @return
 *   The bits of those for whom there was none.
 */
uint64_t prefix_limit_take_bulk(struct prefix_limit *limit, const struct flow_key flows[],
		uint64_t which, uint64_t now_us);

#endif /* PREFIX_LIMIT_H */
