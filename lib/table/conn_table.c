/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The connection table: an index of one-line buckets over an array of one-line connections.
 *
 * The buckets are two halves and a key has one bucket in each; it goes into the first as long as
 * that is half empty and the table is not crowded, and then into the emptier one, the first when
 * they are equal (Voecking's "always go left"), which keeps the fullest bucket within two or three
 * of the mean.  Should both be full nevertheless, one resident moves to its other bucket: only its
 * tag and slot move, the connection stays where it is.
 *
 * First buckets count the keys that are in the second one.  In a table that is not crowded hardly
 * any is, and a look-up fetches one line, and rarely another one after it.  In a crowded one it
 * fetches both at once: the lines travel in parallel, the extra step would not, and was measured
 * slower.
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
#include "table/conn_index.h"
#include "table/conn_table.h"

/* As long as a first bucket has so many free ways, its keys come to it. */
#define FIRST_FREE 5

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

struct conn *
conn_table_lookup(const struct conn_table *table, const struct flow_key *key, uint64_t hash)
{
	return conn_index_find(table, key, hash, conn_index_ways(table, hash));
}

/* A key's place is its second bucket from now on, or not any more. */
static inline void
count_away(const struct conn_table *table, uint64_t hash, const struct bucket *bucket, int change)
{
	struct bucket *first = conn_index_first(table, hash);

	if (bucket != first)
		first->sent_away += (uint32_t)change;
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
		struct bucket *other = conn_index_first(table, hash);
		uint32_t empty;

		if (other == bucket)
			other = conn_index_second(table, hash);
		empty = bucket_ways(other, BUCKET_TAG_EMPTY);
		if (empty != 0) {
			count_away(table, hash, bucket, -1);
			count_away(table, hash, other, 1);
			bucket_set(other, empty, bucket->tag[way], slot);
			bucket->tag[way] = BUCKET_TAG_EMPTY;
			return 1U << way;
		}
	}
	return 0;
}

/* The bucket a new key goes to and its empty ways, or NULL.  In a crowded table no branch. */
static inline struct bucket *
bucket_for(const struct conn_table *table, uint64_t hash, uint32_t *empty)
{
	struct bucket *first = conn_index_first(table, hash);
	struct bucket *second = conn_index_second(table, hash);
	uint32_t empty_first = bucket_ways(first, BUCKET_TAG_EMPTY);
	uint32_t empty_second;
	bool go_first;

	*empty = empty_first;
	if (likely(!conn_index_is_crowded(table)) &&
			likely(__builtin_popcount(empty_first) >= FIRST_FREE))
		return first;
	empty_second = bucket_ways(second, BUCKET_TAG_EMPTY);
	go_first = __builtin_popcount(empty_first) >= __builtin_popcount(empty_second);
	*empty = go_first ? empty_first : empty_second;
	if (unlikely(*empty == 0)) {
		*empty = bucket_make_room(table, first);
		return *empty != 0 ? first : NULL;
	}
	first->sent_away += !go_first;
	return go_first ? first : second;
}

/*
 * A free line and its tail become the key's.  The next ones may have been left long ago, and the
 * first says where the one after it is.
 */
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
	if (table->free_slot != CONN_TABLE_NO_SLOT) {
		rte_prefetch0(&table->conns[table->free_slot]);
		rte_prefetch0(table->tails + table->free_slot * table->tail);
	}
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
	struct bucket *buckets[2] = {conn_index_first(table, hash), conn_index_second(table, hash)};
	uint32_t slot = conn_table_slot(table, conn);
	uint32_t ways = conn_index_ways(table, hash);
	unsigned int way = 0;

	/* Which bucket is a coin's toss: no branch. */
	for (; ways != 0; ways &= ways - 1) {
		way = rte_bsf32(ways);
		if (likely(buckets[way / CONN_INDEX_SECOND]->slot[way % CONN_INDEX_SECOND] == slot))
			break;
	}
	if (unlikely(ways == 0))
		return;
	buckets[way / CONN_INDEX_SECOND]->tag[way % CONN_INDEX_SECOND] = BUCKET_TAG_EMPTY;
	buckets[0]->sent_away -= way / CONN_INDEX_SECOND;
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
	rte_prefetch0(conn_index_first(table, hash));
	if (conn_index_is_crowded(table))
		rte_prefetch0(conn_index_second(table, hash));
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
