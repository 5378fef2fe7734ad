/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Bursts of connections found: each pass over the burst waits for one cache miss, which all share.
 */

#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_prefetch.h>
#include <rte_vect.h>

#include "cookie/siphash_lanes.h"
#include "table/bucket.h"
#include "table/conn_index.h"
#include "table/conn_table.h"

/* Where the keys of a burst may be. */
struct places {
	const struct bucket *first[CONN_TABLE_BURST_MAX];
	const struct bucket *second[CONN_TABLE_BURST_MAX];
	uint16_t tag[CONN_TABLE_BURST_MAX];
};

/* Places of packets from @p i to @p n. */
static void
places_find(const struct conn_table *table, const uint64_t hashes[], unsigned int i, unsigned int n,
		struct places *places)
{
	for (; i < n; i++) {
		places->first[i] = conn_index_first(table, hashes[i]);
		places->second[i] = conn_index_second(table, hashes[i]);
		places->tag[i] = bucket_tag(hashes[i]);
	}
}

static inline struct conn *
conn_fetched(const struct conn_table *table, uint32_t slot)
{
	rte_prefetch0(&table->conns[slot]);
	rte_prefetch0(table->tails + slot * table->tail);
	return &table->conns[slot];
}

/* @p conn or NULL; no branch, which the compiler would make of a condition. */
static inline struct conn *
conn_if(bool there, struct conn *conn)
{
	return (struct conn *)((uintptr_t)conn & -(uintptr_t)there);
}

/* Who is there in the lowest of some ways, fetched, or NULL. */
static inline struct conn *
candidate(const struct conn_table *table, const struct places *places, unsigned int i,
		uint32_t ways)
{
	const unsigned int way = rte_bsf32(ways | CONN_INDEX_LAST);
	const struct bucket *bucket =
			way < CONN_INDEX_SECOND ? places->first[i] : places->second[i];
	struct conn *conn = conn_fetched(table, bucket->slot[way % CONN_INDEX_SECOND]);

	return conn_if(ways != 0, conn);
}

/* The same where all ways are the first bucket's. */
static inline struct conn *
candidate_of_first(const struct conn_table *table, const struct bucket *first, uint32_t ways)
{
	const unsigned int way = rte_bsf32(ways | CONN_INDEX_LAST >> CONN_INDEX_SECOND);
	struct conn *conn = conn_fetched(table, first->slot[way]);

	return conn_if(ways != 0, conn);
}

#ifdef RTE_ARCH_X86_64

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))

/* The addresses of the buckets that the low halves of words choose. */
AVX512 static inline __m512i
buckets_8(const struct bucket *buckets, __m512i fractions, uint32_t size)
{
	const __m512i scaled = _mm512_mul_epu32(fractions, _mm512_set1_epi64(size));

	return _mm512_add_epi64(_mm512_set1_epi64((long long)(uintptr_t)buckets),
			_mm512_slli_epi64(_mm512_srli_epi64(scaled, 32), 6));
}

/* Eight at a time what bucket_first(), bucket_second() and bucket_tag() say. */
AVX512 static inline void
places_avx512(const struct conn_table *table, const uint64_t hashes[], unsigned int i,
		unsigned int n, struct places *places)
{
	const __m512i byte = _mm512_set1_epi64(0xff), one = _mm512_set1_epi64(1);
	const __m512i factor = _mm512_set1_epi64((long long)BUCKET_TAG_FACTOR);

	for (; i < n; i += 8) {
		const unsigned int left = RTE_MIN(n - i, 8u);
		const __m512i hash =
				_mm512_maskz_loadu_epi64((__mmask8)((1u << left) - 1), &hashes[i]);
		const __m512i high = _mm512_srli_epi64(hash, 24);
		const __m512i first = _mm512_or_si512(
				_mm512_slli_epi64(hash, 8), _mm512_and_si512(high, byte));
		const __m512i second = _mm512_or_si512(
				_mm512_slli_epi64(high, 8), _mm512_and_si512(hash, byte));
		const __m512i tag = _mm512_max_epu64(one,
				_mm512_srli_epi64(_mm512_mullo_epi64(_mm512_slli_epi64(hash, 16),
								  factor),
						48));

		_mm512_storeu_si512(&places->first[i],
				buckets_8(table->buckets, first, table->half_size));
		_mm512_storeu_si512(&places->second[i], buckets_8(table->buckets + table->half_size,
									second, table->half_size));
		_mm_storeu_si128((__m128i *)(void *)&places->tag[i], _mm512_cvtepi64_epi16(tag));
	}
}

_Static_assert(CONN_TABLE_BURST_MAX % 8 == 0, "rows of eight places");
_Static_assert(sizeof(struct bucket) == 1 << 6 && BUCKET_TAG_EMPTY == 0, "as it is shifted");

AVX512 static inline __m256i
tags_of(const struct bucket *bucket)
{
	return _mm256_load_si256((const void *)bucket);
}

/* The ways of the first bucket that hold the tag. */
AVX512 static inline uint32_t
ways_of_first(const struct places *places, unsigned int i)
{
	return _mm256_mask_cmpeq_epi16_mask(BUCKET_ALL_WAYS, tags_of(places->first[i]),
			_mm256_set1_epi16((short)places->tag[i]));
}

/* Those of both. */
AVX512 static inline uint32_t
ways_of_place(const struct places *places, unsigned int i)
{
	const __m512i tags = _mm512_inserti64x4(_mm512_castsi256_si512(tags_of(places->first[i])),
			tags_of(places->second[i]), 1);

	return _mm512_mask_cmpeq_epi16_mask(BUCKET_ALL_WAYS | BUCKET_ALL_WAYS << CONN_INDEX_SECOND,
			tags, _mm512_set1_epi16((short)places->tag[i]));
}

_Static_assert(CONN_INDEX_SECOND == 32 / sizeof(uint16_t),
		"the second bucket's tags are behind it");

AVX512 static inline bool
has_key_avx512(const struct conn *conn, const struct flow_key *key)
{
	const __mmask8 words = (1 << sizeof(*key) / 4) - 1;

	return _mm256_mask_cmpneq_epi32_mask(words, _mm256_maskz_loadu_epi32(words, &conn->key),
			       _mm256_maskz_loadu_epi32(words, key)) == 0;
}

_Static_assert(sizeof(struct flow_key) % 4 == 0 && sizeof(struct flow_key) <= 32, "words");

/* Fetch the buckets of packets from @p i to @p n. */
AVX512 static inline void
places_fetch(const struct conn_table *table, const uint64_t hashes[], unsigned int i,
		unsigned int n, struct places *places)
{
	const bool both = conn_index_is_crowded(table);

	places_avx512(table, hashes, i, n, places);
	for (; i < n; i++) {
		rte_prefetch0(places->first[i]);
		if (both)
			rte_prefetch0(places->second[i]);
	}
}

/* Of a crowded table. @return who may have connections. */
AVX512 static inline uint64_t
seek_in_both(const struct conn_table *table, const struct places *places, unsigned int n,
		uint32_t ways[], struct conn *conns[])
{
	uint64_t candidates = 0;

	for (unsigned int i = 0; i < n; i++) {
		ways[i] = ways_of_place(places, i);
		candidates |= (uint64_t)(ways[i] != 0) << i;
		conns[i] = candidate(table, places, i, ways[i]);
	}
	return candidates;
}

/*
 * So many are passed over together where nobody is there, as in a flood; among others who is
 * missing is no branch.  They are few, so that those of them who are there are fetched while the
 * next ones are sought.
 */
#define SEEK_TOGETHER 8

/* Of one that is not: who may be in his second bucket is sought there, too. */
AVX512 static inline uint64_t
seek_in_first(const struct conn_table *table, const struct places *places, unsigned int n,
		uint32_t ways[], struct conn *conns[])
{
	uint64_t candidates = 0, away = 0;

	for (unsigned int from = 0; from < n; from += SEEK_TOGETHER) {
		const unsigned int to = RTE_MIN(from + SEEK_TOGETHER, n);

		for (unsigned int i = from; i < to; i++) {
			ways[i] = ways_of_first(places, i);
			candidates |= (uint64_t)(ways[i] != 0) << i;
			away |= (uint64_t)(places->first[i]->sent_away != 0) << i;
			conns[i] = NULL;
		}
		for (unsigned int i = from; candidates >> from != 0 && i < to; i++)
			conns[i] = candidate_of_first(table, places->first[i], ways[i]);
	}
	for (uint64_t left = away; left != 0; left &= left - 1)
		rte_prefetch0(places->second[rte_bsf64(left)]);
	for (; away != 0; away &= away - 1) {
		const unsigned int i = rte_bsf64(away);

		ways[i] = ways_of_place(places, i);
		candidates |= (uint64_t)(ways[i] != 0) << i;
		conns[i] = candidate(table, places, i, ways[i]);
	}
	return candidates;
}

AVX512 static inline uint64_t
seek_avx512(const struct conn_table *table, const struct places *places,
		const struct flow_key keys[], const uint64_t hashes[], unsigned int n,
		struct conn *conns[])
{
	uint32_t ways[CONN_TABLE_BURST_MAX];
	uint64_t hits = 0, candidates;

	candidates = conn_index_is_crowded(table) ? seek_in_both(table, places, n, ways, conns)
						  : seek_in_first(table, places, n, ways, conns);
	for (; candidates != 0; candidates &= candidates - 1) {
		const unsigned int i = rte_bsf64(candidates);

		if (unlikely(!has_key_avx512(conns[i], &keys[i])))
			conns[i] = conn_index_find(
					table, &keys[i], hashes[i], ways[i] & (ways[i] - 1));
		hits |= (uint64_t)(conns[i] != NULL) << i;
	}
	return hits;
}

AVX512 void
conn_table_seek(const struct conn_table *table, const struct flow_key keys[CONN_TABLE_ROWS],
		unsigned int n, uint64_t hashes[CONN_TABLE_ROWS])
{
	struct places places;

	siphash_words_store(hashes, siphash_lanes_of_flows(siphash_words_set(table->key.k0),
						    siphash_words_set(table->key.k1), keys));
	places_fetch(table, hashes, 0, n, &places);
}

AVX512 static uint64_t
lookup_bulk_avx512(const struct conn_table *table, const struct flow_key keys[],
		const uint64_t hashes[], unsigned int n, struct conn *conns[])
{
	struct places places;

	places_fetch(table, hashes, 0, n, &places);
	return seek_avx512(table, &places, keys, hashes, n, conns);
}

#else

void
conn_table_seek(const struct conn_table *table, const struct flow_key keys[CONN_TABLE_ROWS],
		unsigned int n, uint64_t hashes[CONN_TABLE_ROWS])
{
	siphash_flow_bulk(&table->key, keys, CONN_TABLE_ROWS, hashes);
	for (unsigned int i = 0; i < n; i++)
		conn_table_prefetch(table, hashes[i]);
}

#endif

/*
 * Three passes, so that each waits for one cache miss and the burst shares it: fetch buckets;
 * match tags and fetch candidates; compare keys.
 */
uint64_t
conn_table_lookup_bulk(const struct conn_table *table, const struct flow_key keys[],
		const uint64_t hashes[], unsigned int n, struct conn *conns[])
{
	uint32_t ways[CONN_TABLE_BURST_MAX];
	struct places places;
	uint64_t hits = 0, candidates = 0;

#ifdef RTE_ARCH_X86_64
	if (likely(table->has_avx512))
		return lookup_bulk_avx512(table, keys, hashes, n, conns);
#endif
	places_find(table, hashes, 0, n, &places);
	for (unsigned int i = 0; i < n; i++) {
		rte_prefetch0(places.first[i]);
		rte_prefetch0(places.second[i]);
	}

	for (unsigned int i = 0; i < n; i++) {
		ways[i] = bucket_ways(places.first[i], places.tag[i]) |
			  bucket_ways(places.second[i], places.tag[i]) << CONN_INDEX_SECOND;
		candidates |= (uint64_t)(ways[i] != 0) << i;
		conns[i] = candidate(table, &places, i, ways[i]);
	}

	for (; candidates != 0; candidates &= candidates - 1) {
		const unsigned int i = rte_bsf64(candidates);

		if (unlikely(!flow_key_equal(&conns[i]->key, &keys[i])))
			conns[i] = conn_index_find(
					table, &keys[i], hashes[i], ways[i] & (ways[i] - 1));
		hits |= (uint64_t)(conns[i] != NULL) << i;
	}
	return hits;
}
