/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef MAGLEV_H
#define MAGLEV_H

/**
 * @file
 * Maglev hashing (Eisenbud and others, NSDI 2016, section 3.4), weighted and keyed.
 *
 * A table of prime size in which every backend owns as many slots as its weight says.  Backends
 * take turns, and each takes the first free slot of its own permutation, which comes from a keyed
 * hash of its address and port: so neither its position in a list nor the others matter, all nodes
 * with the same key build the same table, and nobody without it can aim at a backend.  When one of
 * N leaves, its share moves, and of the others' few (test_maglev.c says how few).
 *
 * Built outside the packet path; immutable then.  A look-up is one multiplication, one shift and
 * one load.  Who is down is not known here: see choice.h.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_byteorder.h>

#include "cookie/siphash.h"

/** 128 KiB, within a core's own cache; fair to 1 % for some hundred backends. */
#define MAGLEV_SIZE_DEFAULT 65537
#define MAGLEV_SIZE_MAX     (1U << 20)
#define MAGLEV_NONE         UINT16_MAX

struct maglev_backend {
	uint8_t address[16]; /**< IPv4-mapped. */
	rte_be16_t port;
	uint8_t weight; /**< 0 owns nothing. */
};

struct maglev {
	uint32_t size;
	uint16_t owner[]; /**< Position of the backend; MAGLEV_NONE everywhere when there is none.
			   */
};

/** Whether a table can have this size: a prime, more than two, at most MAGLEV_SIZE_MAX. */
bool maglev_size_is_good(uint32_t size);

/** Bytes of a table, a multiple of 8. */
size_t maglev_footprint(uint32_t size);

/** Bytes needed while a table for @p n backends is built. */
size_t maglev_scratch(uint32_t n);

/**
 * Build a table.
 *
 * @param memory
 *   maglev_footprint(size) bytes, aligned to 8; the caller allocates, keeps and frees it.
 * @param scratch
 *   maglev_scratch(n) bytes, aligned to 8; not needed any more afterwards.
 * @param n
 *   Below MAGLEV_NONE, and not more than @p size; no two of one address and port.
 */
struct maglev *maglev_init(void *memory, uint32_t size, const struct siphash_key *key,
		const struct maglev_backend backends[], uint32_t n, void *scratch);

/** The position of the backend that owns a hash's slot, or MAGLEV_NONE; the upper half counts. */
static inline uint16_t
maglev_lookup(const struct maglev *maglev, uint64_t hash)
{
	return maglev->owner[(hash >> 32) * maglev->size >> 32];
}

#endif /* MAGLEV_H */
