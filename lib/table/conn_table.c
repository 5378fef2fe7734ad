/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The connection table: an index of one-line buckets over an array of one-line connections.
 *
 * The buckets are two halves and a key has one bucket in each; it goes into the emptier one, the
 * first when they are equal (Voecking's "always go left"), which keeps the fullest bucket within
 * two or three of the mean.  Should both be full nevertheless, one resident moves to its other
 * bucket: only its tag and slot move, the connection stays where it is.
 *
 * A look-up fetches both buckets at once.  Filling first buckets first and fetching the second only
 * for keys that were sent away saves a line out of three, but with the table full it was measured
 * slower: the lines travel in parallel, the extra step does not.
 *
 * Where a key goes is decided by the low 48 bits of its hash only.  The upper 16 are left to the
 * caller, who may show them to the world without telling anything about placement.
 *
 * A free slot's line holds a key that no connection has, and a link to the next free slot.  Slots
 * that were never used are not on that list but above a high-water mark, so that laying out a
 * table touches its buckets and no connection.
 */

#include <string.h>

#include <rte_bitops.h>
#include <rte_branch_prediction.h>
#include <rte_prefetch.h>

#include "table/bucket.h"
#include "table/conn_table.h"

/* Ways of both buckets in one mask: the second bucket's from this bit on, to this one. */
#define SECOND_SHIFT 16
#define LAST_WAY     (UINT32_C(1) << (SECOND_SHIFT + BUCKET_WAYS - 1))

/* The key of free lines: its address is multicast, so no connection has it. */
static const struct flow_key free_key = {
		.address = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
				0xff, 0xff, 0xff, 0xff},
		.port = 0xffff,
		.endpoint = 0xffff,
};

static bool
cpu_has_avx512(void)
{
#ifdef RTE_ARCH_X86_64
	return siphash_path_available(SIPHASH_AVX512) && __builtin_cpu_supports("avx512bw");
#else
	return false;
#endif
}

static inline size_t
round_to_line(size_t size)
{
	return RTE_ALIGN_CEIL(size, (size_t)64);
}

/*
 * An eighth of a bucket per connection fills four ways in five.  Large tables do with a little
 * less, which pays for the table's own line; small ones get some more, since their luck is worse.
 */
static uint32_t
half_size_for(uint32_t capacity)
{
	return capacity / 16 - capacity / 4096 + 2;
}

static size_t
buckets_size(uint32_t capacity)
{
	return (size_t)half_size_for(capacity) * 2 * sizeof(struct bucket);
}

size_t
conn_table_footprint_with(uint32_t capacity, size_t tail)
{
	if (capacity == 0)
		return 0;
	return sizeof(struct conn_table) + buckets_size(capacity) +
	       (size_t)capacity * sizeof(struct conn) + round_to_line((size_t)capacity * tail);
}

size_t
conn_table_footprint(uint32_t capacity)
{
	return conn_table_footprint_with(capacity, sizeof(struct conn_tail));
}

struct conn_table *
conn_table_init_with(void *memory, uint32_t capacity, size_t tail, const struct siphash_key *key)
{
	struct conn_table *table = memory;
	uint8_t *bytes = memory;

	memset(table, 0, sizeof(*table));
	table->key = *key;
	table->has_avx512 = cpu_has_avx512();
	table->capacity = capacity;
	table->half_size = half_size_for(capacity);
	table->free_slot = CONN_TABLE_NO_SLOT;
	bytes += sizeof(*table);
	table->buckets = (struct bucket *)bytes;
	memset(table->buckets, 0, buckets_size(capacity));
	bytes += buckets_size(capacity);
	table->conns = (struct conn *)bytes;
	bytes += (size_t)capacity * sizeof(struct conn);
	table->tails = bytes;
	table->tail = tail;
	return table;
}

struct conn_table *
conn_table_init(void *memory, uint32_t capacity, const struct siphash_key *key)
{
	return conn_table_init_with(memory, capacity, sizeof(struct conn_tail), key);
}

void
conn_table_hash_bulk(const struct conn_table *table, const struct flow_key keys[], unsigned int n,
		uint64_t hashes[])
{
	siphash_flow_bulk(&table->key, keys, n, hashes);
}

uint64_t
conn_table_hash(const struct conn_table *table, const struct flow_key *key)
{
	return siphash_flow(&table->key, key);
}

static inline struct bucket *
first_bucket(const struct conn_table *table, uint64_t hash)
{
	return &table->buckets[bucket_first(hash, table->half_size)];
}

static inline struct bucket *
second_bucket(const struct conn_table *table, uint64_t hash)
{
	return &table->buckets[table->half_size + bucket_second(hash, table->half_size)];
}

static inline uint32_t
ways_of_hash(const struct conn_table *table, uint64_t hash)
{
	uint16_t tag = bucket_tag(hash);

	return bucket_ways(first_bucket(table, hash), tag) |
	       bucket_ways(second_bucket(table, hash), tag) << SECOND_SHIFT;
}

/* The connection that the lowest way of a mask names.  Which bucket is a coin's toss: no branch. */
static inline struct conn *
conn_of_ways(const struct conn_table *table, uint64_t hash, uint32_t ways)
{
	const struct bucket *buckets[2] = {first_bucket(table, hash), second_bucket(table, hash)};
	unsigned int way = rte_bsf32(ways);

	return &table->conns[buckets[way / SECOND_SHIFT]->slot[way % SECOND_SHIFT]];
}

static inline struct conn *
first_with_key(const struct conn_table *table, const struct flow_key *key, uint64_t hash,
		uint32_t ways)
{
	for (; ways != 0; ways &= ways - 1) {
		struct conn *conn = conn_of_ways(table, hash, ways);

		if (likely(flow_key_equal(&conn->key, key)))
			return conn;
	}
	return NULL;
}

/* Where the keys of a burst may be. */
struct places {
	const struct bucket *first[CONN_TABLE_BURST_MAX];
	const struct bucket *second[CONN_TABLE_BURST_MAX];
	uint16_t tag[CONN_TABLE_BURST_MAX];
};

static void
places_find(const struct conn_table *table, const uint64_t hashes[], unsigned int n,
		struct places *places)
{
	for (unsigned int i = 0; i < n; i++) {
		places->first[i] = first_bucket(table, hashes[i]);
		places->second[i] = second_bucket(table, hashes[i]);
		places->tag[i] = bucket_tag(hashes[i]);
	}
}

/* Who is there in the lowest of some ways, fetched, or NULL.  No branch. */
static inline struct conn *
candidate(const struct conn_table *table, const struct places *places, unsigned int i,
		uint32_t ways)
{
	const unsigned int way = rte_bsf32(ways | LAST_WAY);
	const struct bucket *bucket = way < SECOND_SHIFT ? places->first[i] : places->second[i];
	const uint32_t slot = bucket->slot[way % SECOND_SHIFT];

	rte_prefetch0(&table->conns[slot]);
	rte_prefetch0(table->tails + slot * table->tail);
	return ways != 0 ? &table->conns[slot] : NULL;
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
AVX512 static void
places_avx512(const struct conn_table *table, const uint64_t hashes[], unsigned int n,
		struct places *places)
{
	const __m512i byte = _mm512_set1_epi64(0xff), one = _mm512_set1_epi64(1);
	const __m512i factor = _mm512_set1_epi64((long long)BUCKET_TAG_FACTOR);

	for (unsigned int i = 0; i < n; i += 8) {
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

/* The ways of both buckets that hold the tag. */
AVX512 static inline uint32_t
ways_of_place(const struct places *places, unsigned int i)
{
	const __m512i tags = _mm512_inserti64x4(
			_mm512_castsi256_si512(_mm256_load_si256((const void *)places->first[i])),
			_mm256_load_si256((const void *)places->second[i]), 1);

	return _mm512_mask_cmpeq_epi16_mask(BUCKET_ALL_WAYS | BUCKET_ALL_WAYS << SECOND_SHIFT, tags,
			_mm512_set1_epi16((short)places->tag[i]));
}

_Static_assert(SECOND_SHIFT == 32 / sizeof(uint16_t), "the second bucket's tags are behind it");

AVX512 static inline bool
has_key_avx512(const struct conn *conn, const struct flow_key *key)
{
	const __mmask8 words = (1 << sizeof(*key) / 4) - 1;

	return _mm256_mask_cmpneq_epi32_mask(words, _mm256_maskz_loadu_epi32(words, &conn->key),
			       _mm256_maskz_loadu_epi32(words, key)) == 0;
}

_Static_assert(sizeof(struct flow_key) % 4 == 0 && sizeof(struct flow_key) <= 32, "words");

AVX512 static uint64_t
lookup_bulk_avx512(const struct conn_table *table, const struct flow_key keys[],
		const uint64_t hashes[], unsigned int n, struct conn *conns[])
{
	uint32_t ways[CONN_TABLE_BURST_MAX];
	struct places places;
	uint64_t hits = 0, candidates = 0;

	places_avx512(table, hashes, n, &places);
	for (unsigned int i = 0; i < n; i++) {
		rte_prefetch0(places.first[i]);
		rte_prefetch0(places.second[i]);
	}

	for (unsigned int i = 0; i < n; i++) {
		ways[i] = ways_of_place(&places, i);
		candidates |= (uint64_t)(ways[i] != 0) << i;
		conns[i] = candidate(table, &places, i, ways[i]);
	}

	for (; candidates != 0; candidates &= candidates - 1) {
		const unsigned int i = rte_bsf64(candidates);

		if (unlikely(!has_key_avx512(conns[i], &keys[i])))
			conns[i] = first_with_key(
					table, &keys[i], hashes[i], ways[i] & (ways[i] - 1));
		hits |= (uint64_t)(conns[i] != NULL) << i;
	}
	return hits;
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
	places_find(table, hashes, n, &places);
	for (unsigned int i = 0; i < n; i++) {
		rte_prefetch0(places.first[i]);
		rte_prefetch0(places.second[i]);
	}

	for (unsigned int i = 0; i < n; i++) {
		ways[i] = bucket_ways(places.first[i], places.tag[i]) |
			  bucket_ways(places.second[i], places.tag[i]) << SECOND_SHIFT;
		candidates |= (uint64_t)(ways[i] != 0) << i;
		conns[i] = candidate(table, &places, i, ways[i]);
	}

	for (; candidates != 0; candidates &= candidates - 1) {
		const unsigned int i = rte_bsf64(candidates);

		if (unlikely(!flow_key_equal(&conns[i]->key, &keys[i])))
			conns[i] = first_with_key(
					table, &keys[i], hashes[i], ways[i] & (ways[i] - 1));
		hits |= (uint64_t)(conns[i] != NULL) << i;
	}
	return hits;
}

struct conn *
conn_table_lookup(const struct conn_table *table, const struct flow_key *key, uint64_t hash)
{
	return first_with_key(table, key, hash, ways_of_hash(table, hash));
}

/*
 * Make room in a full bucket by moving one resident to its other bucket; the ways that are empty
 * then, 0 if none could move.  Costs up to ten connection lines, but is needed only when both
 * buckets of a key are full, and nobody without the key can bring that about.
 */
static uint32_t
bucket_make_room(const struct conn_table *table, struct bucket *bucket)
{
	for (unsigned int way = 0; way < BUCKET_WAYS; way++) {
		uint32_t slot = bucket->slot[way];
		uint64_t hash = conn_table_hash(table, &table->conns[slot].key);
		struct bucket *other = first_bucket(table, hash);
		uint32_t empty;

		if (other == bucket)
			other = second_bucket(table, hash);
		empty = bucket_ways(other, BUCKET_TAG_EMPTY);
		if (empty != 0) {
			bucket_set(other, empty, bucket->tag[way], slot);
			bucket->tag[way] = BUCKET_TAG_EMPTY;
			return 1U << way;
		}
	}
	return 0;
}

/* The bucket a new key goes to and its empty ways, or NULL. */
static inline struct bucket *
bucket_for(const struct conn_table *table, uint64_t hash, uint32_t *empty)
{
	struct bucket *first = first_bucket(table, hash);
	struct bucket *second = second_bucket(table, hash);
	uint32_t empty_first = bucket_ways(first, BUCKET_TAG_EMPTY);
	uint32_t empty_second = bucket_ways(second, BUCKET_TAG_EMPTY);
	bool go_first = __builtin_popcount(empty_first) >= __builtin_popcount(empty_second);
	struct bucket *bucket = go_first ? first : second;

	*empty = go_first ? empty_first : empty_second;
	if (unlikely(*empty == 0)) {
		*empty = bucket_make_room(table, bucket);
		if (*empty == 0)
			bucket = NULL;
	}
	return bucket;
}

/* A free line and its tail become the key's. */
static inline struct conn *
slot_take(struct conn_table *table, const struct flow_key *key, uint32_t *slot)
{
	struct conn *conn;

	*slot = table->free_slot;
	if (*slot != CONN_TABLE_NO_SLOT)
		table->free_slot = table->conns[*slot].timer_next;
	else
		*slot = table->high_water++;
	table->count++;
	conn = &table->conns[*slot];
	memset(conn, 0, sizeof(*conn));
	conn->key = *key;
	memset(table->tails + *slot * table->tail, 0, sizeof(struct conn_tail));
	return conn;
}

struct conn *
conn_table_insert(struct conn_table *table, const struct flow_key *key, uint64_t hash)
{
	struct bucket *bucket;
	struct conn *conn;
	uint32_t empty;
	uint32_t slot;

	if (unlikely(table->count == table->capacity || flow_key_equal(key, &free_key)))
		return NULL;
	bucket = bucket_for(table, hash, &empty);
	if (unlikely(bucket == NULL))
		return NULL;
	conn = slot_take(table, key, &slot);
	bucket_set(bucket, empty, bucket_tag(hash), slot);
	return conn;
}

struct conn *
conn_table_take(struct conn_table *table, const struct flow_key *key)
{
	uint32_t slot;

	if (unlikely(table->count == table->capacity))
		return NULL;
	return slot_take(table, key, &slot);
}

void
conn_table_release(struct conn_table *table, struct conn *conn)
{
	conn->key = free_key;
	conn->timer_next = table->free_slot;
	table->free_slot = conn_table_slot(table, conn);
	table->count--;
}

void
conn_table_remove(struct conn_table *table, struct conn *conn, uint64_t hash)
{
	struct bucket *buckets[2] = {first_bucket(table, hash), second_bucket(table, hash)};
	uint32_t slot = conn_table_slot(table, conn);
	uint32_t ways = ways_of_hash(table, hash);
	unsigned int way = 0;

	/* Which bucket is a coin's toss: no branch. */
	for (; ways != 0; ways &= ways - 1) {
		way = rte_bsf32(ways);
		if (likely(buckets[way / SECOND_SHIFT]->slot[way % SECOND_SHIFT] == slot))
			break;
	}
	if (unlikely(ways == 0))
		return;
	buckets[way / SECOND_SHIFT]->tag[way % SECOND_SHIFT] = BUCKET_TAG_EMPTY;
	conn_table_release(table, conn);
}

struct conn *
conn_table_at(const struct conn_table *table, uint32_t slot)
{
	struct conn *conn = &table->conns[slot];

	if (slot >= table->high_water || flow_key_equal(&conn->key, &free_key))
		return NULL;
	return conn;
}

void
conn_table_prefetch(const struct conn_table *table, uint64_t hash)
{
	rte_prefetch0(first_bucket(table, hash));
	rte_prefetch0(second_bucket(table, hash));
}

void *
conn_table_tails(const struct conn_table *table)
{
	return table->tails;
}

uint32_t
conn_table_used(const struct conn_table *table)
{
	return table->high_water;
}

uint32_t
conn_table_count(const struct conn_table *table)
{
	return table->count;
}

uint32_t
conn_table_capacity(const struct conn_table *table)
{
	return table->capacity;
}
