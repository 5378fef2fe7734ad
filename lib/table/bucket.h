/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BUCKET_H
#define BUCKET_H

/**
 * @file
 * One cache line of an index: ten 16-bit tags, and the slots they stand for.
 *
 * For the index of a table in this directory and nobody else.  A tag is never proof: who finds one
 * compares the key in the slot.  Of a hash only the low 48 bits are used, for tags and for places;
 * the upper 16 may be shown to the world.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_bitops.h>
#include <rte_common.h>
#include <rte_vect.h>

#define BUCKET_WAYS      10
#define BUCKET_ALL_WAYS  ((1U << BUCKET_WAYS) - 1)
#define BUCKET_TAG_EMPTY 0

/** Of the product whose upper bits are a tag. */
#define BUCKET_TAG_FACTOR UINT64_C(0x9e3779b97f4a7c15)

struct bucket {
	uint16_t tag[BUCKET_WAYS];  /**< BUCKET_TAG_EMPTY, or some bits of the hash. */
	uint32_t sent_away;         /**< Of keys that are elsewhere; each table's own way. */
	uint32_t slot[BUCKET_WAYS]; /**< Valid where the tag is not empty. */
} __rte_aligned(64);

_Static_assert(sizeof(struct bucket) == 64, "a bucket is one cache line");
_Static_assert(offsetof(struct bucket, tag) == 0, "tags are loaded from the line's beginning");

/** Scale a 32-bit fraction to [0, @p size) without a division. */
static inline uint32_t
bucket_scale(uint32_t fraction, uint32_t size)
{
	return (uint32_t)((uint64_t)fraction * size >> 32);
}

/**
 * The place among @p size ones that the low half of a hash's 48 bits chooses.
 *
 * The other half's low bits only refine it, so that sizes near 2^24 are filled evenly too.
 */
static inline uint32_t
bucket_first(uint64_t hash, uint32_t size)
{
	return bucket_scale((uint32_t)(hash << 8 | (hash >> 24 & 0xff)), size);
}

/** The place that the high half chooses. */
static inline uint32_t
bucket_second(uint64_t hash, uint32_t size)
{
	return bucket_scale((uint32_t)((hash >> 24) << 8 | (hash & 0xff)), size);
}

/**
 * The tag of a hash.
 *
 * Both places together take all 48 bits, so the tag mixes them: within one bucket, that is within
 * equal bits of one half, it is as good as the other half.
 */
static inline uint16_t
bucket_tag(uint64_t hash)
{
	uint16_t tag = (uint16_t)((hash << 16) * BUCKET_TAG_FACTOR >> 48);

	return tag == BUCKET_TAG_EMPTY ? 1 : tag;
}

/** Bit w set where way w holds @p tag. */
static inline uint32_t
bucket_ways(const struct bucket *bucket, uint16_t tag)
{
#ifdef RTE_ARCH_X86_64
	const __m128i *tags = (const __m128i *)bucket;
	/* Of 16 bits a compiler makes a store that a wider load has to wait for. */
	__m128i wanted = _mm_set1_epi32((int)(tag * UINT32_C(0x10001)));
	__m128i equal = _mm_packs_epi16(_mm_cmpeq_epi16(_mm_load_si128(tags), wanted),
			_mm_cmpeq_epi16(_mm_load_si128(tags + 1), wanted));

	return (uint32_t)_mm_movemask_epi8(equal) & BUCKET_ALL_WAYS;
#else
	uint32_t ways = 0;

	for (unsigned int way = 0; way < BUCKET_WAYS; way++)
		ways |= (uint32_t)(bucket->tag[way] == tag) << way;
	return ways;
#endif
}

/** Bit w set where the slot of way w is none of the @p n up to @p last, modulo 2^32. */
static inline uint32_t
bucket_ways_outside(const struct bucket *bucket, uint32_t last, uint32_t n)
{
#ifdef RTE_ARCH_X86_64
	/* Slots 0 to 3, 4 to 7 and 6 to 9.  There is no comparison of unsigned words. */
	const __m128i sign = _mm_set1_epi32(INT32_MIN);
	const __m128i limit = _mm_xor_si128(_mm_set1_epi32((int)n), sign);
	const __m128i newest = _mm_set1_epi32((int)last);
	__m128i inside[3];
	uint32_t ways;

	for (unsigned int i = 0; i < 3; i++) {
		const uint32_t *slots = &bucket->slot[i < 2 ? 4 * i : BUCKET_WAYS - 4];
		const __m128i before = _mm_sub_epi32(
				newest, _mm_loadu_si128((const __m128i *)(const void *)slots));

		inside[i] = _mm_cmpgt_epi32(limit, _mm_xor_si128(before, sign));
	}
	ways = (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(_mm_packs_epi32(inside[0], inside[1]),
			_mm_packs_epi32(inside[2], inside[2])));
	return ~((ways & 0xff) | (ways >> 2 & 0x300)) & BUCKET_ALL_WAYS;
#else
	uint32_t ways = 0;

	for (unsigned int way = 0; way < BUCKET_WAYS; way++)
		ways |= (uint32_t)(last - bucket->slot[way] >= n) << way;
	return ways;
#endif
}

/** Fill the lowest of @p empty_ways, which are not none. */
static inline void
bucket_set(struct bucket *bucket, uint32_t empty_ways, uint16_t tag, uint32_t slot)
{
	unsigned int way = rte_bsf32(empty_ways);

	bucket->tag[way] = tag;
	bucket->slot[way] = slot;
}

/** Empty the way that holds @p slot under @p tag; false if none does. */
static inline bool
bucket_clear(struct bucket *bucket, uint16_t tag, uint32_t slot)
{
	for (uint32_t ways = bucket_ways(bucket, tag); ways != 0; ways &= ways - 1) {
		unsigned int way = rte_bsf32(ways);

		if (bucket->slot[way] == slot) {
			bucket->tag[way] = BUCKET_TAG_EMPTY;
			return true;
		}
	}
	return false;
}

#endif /* BUCKET_H */
