/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef SIPHASH_H
#define SIPHASH_H

/**
 * @file
 * SipHash (Aumasson, Bernstein 2012): a keyed hash an attacker cannot steer.
 *
 * SipHash-1-3 places connections in tables, where only a few bits are ever visible, and of that
 * makes initial sequence numbers; SipHash-2-4 makes cookies, which prove something.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tcp/flow_key.h"

struct siphash_key {
	uint64_t k0;
	uint64_t k1;
};

/** SipHash-2-4 of any bytes. */
uint64_t siphash_24(const struct siphash_key *key, const void *data, size_t length);

/** SipHash-1-3 of any bytes. */
uint64_t siphash_13(const struct siphash_key *key, const void *data, size_t length);

/** SipHash-1-3 of a flow key: equal to siphash_13(key, flow, 20), unrolled. */
uint64_t siphash_flow(const struct siphash_key *key, const struct flow_key *flow);

/** siphash_flow() of @p n keys; the fastest way this CPU has, chosen at the first call. */
void siphash_flow_bulk(const struct siphash_key *key, const struct flow_key flows[], unsigned int n,
		uint64_t hashes[]);

/** SipHash-1-3 of a word: equal to siphash_13() of its eight bytes, lowest first, unrolled. */
uint64_t siphash_word(const struct siphash_key *key, uint64_t word);

/** siphash_word() of @p n words. */
void siphash_word_bulk(const struct siphash_key *key, const uint64_t words[], unsigned int n,
		uint64_t hashes[]);

/** The ways the bulk functions choose from, slowest first. */
enum siphash_path {
	SIPHASH_SCALAR, /**< One message after the other; every CPU. */
	SIPHASH_AVX2,   /**< Eight messages at a time, as two vectors of four. */
	SIPHASH_AVX512, /**< Sixteen messages at a time, as two vectors of eight. */
	SIPHASH_PATHS,
};

#define SIPHASH_BATCH_MAX   64
#define SIPHASH_BATCH_WORDS 4

/**
 * Messages of 24 to 31 bytes, each under a key of its own, one to a column.
 *
 * The last word has the length in its top byte, as the specification pads.
 */
struct siphash_batch {
	uint64_t k0[SIPHASH_BATCH_MAX];
	uint64_t k1[SIPHASH_BATCH_MAX];
	uint64_t word[SIPHASH_BATCH_WORDS][SIPHASH_BATCH_MAX];
	uint64_t hash[SIPHASH_BATCH_MAX];
};

/** Whether this CPU can run @p path. */
bool siphash_path_available(enum siphash_path path);

/** siphash_flow_bulk() by one available path, for tests and benchmarks. */
void siphash_flow_bulk_by(enum siphash_path path, const struct siphash_key *key,
		const struct flow_key flows[], unsigned int n, uint64_t hashes[]);

/** siphash_word_bulk() by one available path. */
void siphash_word_bulk_by(enum siphash_path path, const struct siphash_key *key,
		const uint64_t words[], unsigned int n, uint64_t hashes[]);

/**
 * SipHash-2-4 of the first @p n messages, at most SIPHASH_BATCH_MAX, into @ref siphash_batch.hash;
 * the fastest way this CPU has.  The columns after them may be overwritten.
 */
void siphash_24_batch(struct siphash_batch *batch, unsigned int n);

/** siphash_24_batch() by one available path, for tests and benchmarks. */
void siphash_24_batch_by(enum siphash_path path, struct siphash_batch *batch, unsigned int n);

#endif /* SIPHASH_H */
