/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef STEERING_HASH_H
#define STEERING_HASH_H

/**
 * @file
 * A hash that is the same for every packet of a TCP flow, for choosing its owner in software.
 *
 * SipHash-1-3 under a random key, so that nobody can aim what he sends at one worker.  It takes 8
 * ns for IPv4 and 13 for IPv6, headers included.  Keyed multiplication took 4, and is not enough:
 * neighbouring ports get hashes at equal distances from each other, and under one key in thirty a
 * worker of three has none among fifty of them.
 */

#include <stdint.h>

#include <rte_byteorder.h>

#include "cookie/siphash.h"

/**
 * The hash of a received frame; all workers and ports have to use the same key.
 *
 * Looks at lengths itself, and answers 0 for anything that is not TCP over IP, is a fragment or is
 * cut off, and for nothing else; it does not verify checksums.  Share it out by
 * (hash * workers) >> 32: the upper bits are the good ones.
 */
uint32_t steering_hash(const struct siphash_key *key, const uint8_t *data, uint32_t length);

/**
 * The same hash from a connection's two ends; addresses 16 bytes, IPv4-mapped.  Remote is who sends
 * the packets we receive, so (remote, local) and (local, remote) hash differently.
 */
uint32_t steering_hash_of(const struct siphash_key *key, const uint8_t remote[16],
		const uint8_t local[16], rte_be16_t remote_port, rte_be16_t local_port);

#endif /* STEERING_HASH_H */
