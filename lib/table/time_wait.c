/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * TIME_WAIT: an index of one-line buckets over a ring of records.
 *
 * The ring is a log.  A record is one slot of 32 bytes, or two for IPv6; new ones are written at
 * the tail, so entering TIME_WAIT streams through memory and only the bucket is a cache miss.
 * Records leave at the head.  One that is removed before leaves a hole, which costs no more than
 * the connection would have cost by staying.  No links, no free list.
 *
 * The index knows records by position: slots counted from the beginning, lap after lap, modulo
 * 2^32.  What it says of positions that the head has passed means nothing, so a record leaves
 * without its bucket being looked up: that would be one more cache miss for every connection.  A
 * way is free when its position is not in the ring any more.  Positions that nobody reused for 2^32
 * slots seem to be there once more, for a lap: such a way is taken for full, or found and refused
 * for its key.
 *
 * One slot more than the capacity lets an IPv6 record begin in the last slot, so there is no
 * padding, and every slot from head to tail belongs to a record.
 *
 * Most keys that are looked up are not here: they are SYNs.  So a key has one home bucket, filled
 * to the half when the table is full, and only a bucket that sent keys away sends look-ups on: a
 * miss is one cache line, a hit two.  With 5 keys on average, Poisson says that 1.4 % of the
 * buckets have more than ten and 0.4 % of the keys are away.  As that second line would be waited
 * for alone, a bucket knows sixteen kinds of tags apart that it sent away, and roughly when.  The
 * hash is keyed: nobody can do worse than chance.
 *
 * A record keeps the 48 bits of hash that placed it: nothing is hashed when it is queued again.
 */

#include <string.h>

#include <rte_bitops.h>
#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_prefetch.h>

#include "table/bucket.h"
#include "table/time_wait.h"
#include "table/time_wait_away.h"
#include "table/time_wait_entry.h"

/* Keys per bucket when the table is full. */
#define BUCKET_LOAD 5

/* Records that an insertion into a full table looks at before it evicts even a restarted one. */
#define LOOKS_MAX 4

/* How far ahead of the next record the ring is fetched. */
#define RING_AHEAD 16

/* Where a ring begins to count: so that whatever may happen where 2^32 is passed happens soon. */
#define FIRST_POSITION (UINT32_MAX - 5000)

struct time_wait {
	struct bucket *buckets;
	struct time_wait_entry *ring; /* One slot more than the capacity. */
	uint32_t bucket_count;        /* At least two. */
	uint32_t capacity;
	uint32_t head;      /* The oldest record, if there is any. */
	uint32_t tail;      /* Where the next one goes. */
	uint32_t used;      /* Slots from head to tail. */
	uint32_t count;     /* Records but for holes. */
	uint32_t lap;       /* The position of slot 0, where the tail was there last. */
	uint32_t lap_slots; /* So many more slots have been since it was there before. */
	uint32_t lifetime_ms;
	struct time_wait_away away;
} __rte_aligned(64);

static uint32_t
bucket_count_for(uint32_t capacity)
{
	return capacity / BUCKET_LOAD + 2;
}

size_t
time_wait_footprint(uint32_t capacity)
{
	if (capacity == 0)
		return 0;
	return sizeof(struct time_wait) + bucket_count_for(capacity) * sizeof(struct bucket) +
	       RTE_ALIGN_CEIL(((size_t)capacity + 1) * sizeof(struct time_wait_entry), (size_t)64);
}

struct time_wait *
time_wait_init(void *memory, uint32_t capacity, uint32_t lifetime_ms)
{
	struct time_wait *table = memory;
	uint8_t *bytes = memory;
	size_t index_size = bucket_count_for(capacity) * sizeof(struct bucket);

	memset(table, 0, sizeof(*table));
	table->bucket_count = bucket_count_for(capacity);
	table->capacity = capacity;
	table->lifetime_ms = lifetime_ms;
	table->lap = FIRST_POSITION;
	table->away = time_wait_away_for(capacity);
	bytes += sizeof(*table);
	table->buckets = (struct bucket *)bytes;
	memset(table->buckets, 0, index_size);
	bytes += index_size;
	table->ring = (struct time_wait_entry *)bytes;
	return table;
}

void
time_wait_set_lifetime(struct time_wait *table, uint32_t lifetime_ms)
{
	table->lifetime_ms = lifetime_ms;
}

static inline struct bucket *
home_bucket(const struct time_wait *table, uint64_t hash)
{
	return &table->buckets[bucket_first(hash, table->bucket_count)];
}

/* Where a key goes when its home is full; never its home. */
static inline struct bucket *
other_bucket(const struct time_wait *table, uint64_t hash)
{
	uint32_t other = bucket_second(hash, table->bucket_count - 1);

	return &table->buckets[other + (other >= bucket_first(hash, table->bucket_count))];
}

static inline bool
entry_lapsed(const struct time_wait *table, const struct time_wait_entry *entry, uint32_t now_ms)
{
	return (int32_t)(now_ms - entry->since_ms - table->lifetime_ms) >= 0;
}

static inline uint32_t
slot_of(const struct time_wait *table, const struct time_wait_entry *entry)
{
	return (uint32_t)(entry - table->ring);
}

/* Slots from the head to this one: the smaller, the older. */
static inline uint32_t
slot_age(const struct time_wait *table, uint32_t slot)
{
	return slot >= table->head ? slot - table->head : slot + table->capacity - table->head;
}

/* The last position in use. */
static inline uint32_t
newest_position(const struct time_wait *table)
{
	return table->lap + table->tail - 1;
}

static inline bool
position_is_there(const struct time_wait *table, uint32_t position)
{
	return newest_position(table) - position < table->used;
}

/* The record at a position that is there: in the tail's lap, or in the one before. */
static inline struct time_wait_entry *
entry_at(const struct time_wait *table, uint32_t position)
{
	const uint32_t slot = position - table->lap;

	return &table->ring[(int32_t)slot >= 0 ? slot : slot + table->lap_slots];
}

/* What to fetch for a position that may be there. */
static inline const struct time_wait_entry *
entry_near(const struct time_wait *table, uint32_t position)
{
	return position_is_there(table, position) ? entry_at(table, position) : table->ring;
}

static inline uint32_t
position_of(const struct time_wait *table, const struct time_wait_entry *entry)
{
	const uint32_t slot = slot_of(table, entry);

	return table->lap + slot - (slot < table->tail ? 0 : table->lap_slots);
}

/* Ways of a bucket whose records left, were removed, or never were. */
static inline uint32_t
free_ways(const struct time_wait *table, const struct bucket *bucket)
{
	return bucket_ways(bucket, BUCKET_TAG_EMPTY) |
	       bucket_ways_outside(bucket, newest_position(table), table->used);
}

static inline struct time_wait_entry *
find_in_bucket(const struct time_wait *table, const struct bucket *bucket, uint16_t tag,
		const struct flow_key *key)
{
	for (uint32_t ways = bucket_ways(bucket, tag); ways != 0; ways &= ways - 1) {
		const uint32_t position = bucket->slot[rte_bsf32(ways)];

		if (position_is_there(table, position) &&
				time_wait_entry_has_key(entry_at(table, position), key))
			return entry_at(table, position);
	}
	return NULL;
}

/* Whether a bucket sent away a key with such a tag, whose record may still be there. */
static inline bool
has_sent_away(const struct time_wait *table, const struct bucket *home, uint16_t tag)
{
	return time_wait_away_has(&table->away, home, tag, newest_position(table), table->used);
}

static inline void
note_sent_away(const struct time_wait *table, struct bucket *home, uint16_t tag, uint32_t position)
{
	time_wait_away_note(&table->away, home, tag, position, newest_position(table), table->used);
}

/* The entry with this key, lapsed or not. */
static struct time_wait_entry *
find(const struct time_wait *table, const struct flow_key *key, uint64_t hash)
{
	const struct bucket *home = home_bucket(table, hash);
	uint16_t tag = bucket_tag(hash);
	struct time_wait_entry *entry = find_in_bucket(table, home, tag, key);

	if (entry == NULL && has_sent_away(table, home, tag))
		entry = find_in_bucket(table, other_bucket(table, hash), tag, key);
	return entry;
}

/* Take an entry out of the index and make its record a hole. */
static void
entry_kill(struct time_wait *table, struct time_wait_entry *entry)
{
	uint64_t hash = time_wait_entry_hash(entry);
	uint32_t position = position_of(table, entry);
	uint16_t tag = bucket_tag(hash);

	if (!bucket_clear(home_bucket(table, hash), tag, position))
		bucket_clear(other_bucket(table, hash), tag, position);
	entry->flags |= TIME_WAIT_FLAG_DEAD;
	table->count--;
}

/*
 * Make room in a full bucket by moving one entry to its other bucket; the ways that are empty then,
 * 0 if none could move.  Costs up to ten records and ten buckets, one insertion in 2000 at most.
 */
static uint32_t
bucket_make_room(const struct time_wait *table, struct bucket *bucket)
{
	for (unsigned int way = 0; way < BUCKET_WAYS; way++) {
		const uint32_t position = bucket->slot[way];
		const struct time_wait_entry *entry = entry_at(table, position);
		const uint64_t hash = time_wait_entry_hash(entry);
		struct bucket *home = home_bucket(table, hash);
		struct bucket *to = home == bucket ? other_bucket(table, hash) : home;
		const uint32_t empty = free_ways(table, to);

		/* It only seems to be there once more. */
		if (unlikely(bucket->tag[way] != bucket_tag(hash) ||
				    (entry->flags & TIME_WAIT_FLAG_DEAD) != 0))
			return 1U << way;
		if (empty == 0)
			continue;
		if (home == bucket)
			note_sent_away(table, home, bucket->tag[way], position);
		bucket_set(to, empty, bucket->tag[way], position);
		bucket->tag[way] = BUCKET_TAG_EMPTY;
		return 1U << way;
	}
	return 0;
}

/* Empty the way of a full bucket whose entry came first; it is evicted. */
static uint32_t
bucket_evict(struct time_wait *table, struct bucket *bucket)
{
	const uint32_t newest = newest_position(table);
	unsigned int oldest = 0;

	for (unsigned int way = 1; way < BUCKET_WAYS; way++) {
		if (newest - bucket->slot[way] > newest - bucket->slot[oldest])
			oldest = way;
	}
	entry_kill(table, entry_at(table, bucket->slot[oldest]));
	return 1U << oldest;
}

/* Who has no free way at home; returns the free ways of the bucket that @p bucket becomes. */
static __rte_noinline uint32_t
index_make_room(struct time_wait *table, uint64_t hash, uint32_t position, struct bucket **bucket,
		unsigned int *evicted)
{
	struct bucket *home = *bucket;
	uint32_t empty;

	*bucket = other_bucket(table, hash);
	empty = free_ways(table, *bucket);
	if (empty != 0) {
		note_sent_away(table, home, bucket_tag(hash), position);
		return empty;
	}
	*bucket = home;
	empty = bucket_make_room(table, home);
	if (empty == 0) {
		empty = bucket_evict(table, home);
		(*evicted)++;
	}
	return empty;
}

/* Enter a record into the index; returns how many entries were evicted for it, 0 or 1. */
static inline unsigned int
index_add(struct time_wait *table, struct bucket *bucket, uint64_t hash, uint32_t position)
{
	uint32_t empty = free_ways(table, bucket);
	unsigned int evicted = 0;

	if (unlikely(empty == 0))
		empty = index_make_room(table, hash, position, &bucket, &evicted);
	bucket_set(bucket, empty, bucket_tag(hash), position);
	return evicted;
}

static inline void
ring_pop(struct time_wait *table)
{
	const uint32_t slots = time_wait_entry_slots(&table->ring[table->head]);

	table->head += slots;
	if (table->head >= table->capacity)
		table->head = 0;
	table->used -= slots;
}

/* A record was written behind the last; returns how many entries the index evicted for it. */
static inline unsigned int
ring_push(struct time_wait *table, struct bucket *home, uint64_t hash, uint32_t slots)
{
	const uint32_t position = table->lap + table->tail;

	table->tail += slots;
	if (unlikely(table->tail >= table->capacity)) {
		table->lap_slots = table->tail;
		table->lap += table->tail;
		table->tail = 0;
	}
	table->used += slots;
	table->count++;
	return index_add(table, home, hash, position);
}

/* Whether the record at the head has come to its end, or must be queued again. */
static inline bool
record_is_ripe(const struct time_wait *table, const struct time_wait_entry *entry, uint32_t now_ms)
{
	return (entry->flags & (TIME_WAIT_FLAG_DEAD | TIME_WAIT_FLAG_RESTARTED)) != 0 ||
	       entry_lapsed(table, entry, now_ms);
}

/* The room it leaves, in the ring and in the index, is room enough to come again. */
static void
ring_queue_again(struct time_wait *table)
{
	const struct time_wait_entry *entry = &table->ring[table->head];
	const uint64_t hash = time_wait_entry_hash(entry);
	const uint32_t slots = time_wait_entry_slots(entry);
	struct time_wait_entry again[2];

	memcpy(again, entry, slots * sizeof(*entry));
	again[0].flags &= (uint8_t)~TIME_WAIT_FLAG_RESTARTED;
	table->count--;
	ring_pop(table);
	memcpy(&table->ring[table->tail], again, slots * sizeof(again[0]));
	ring_push(table, home_bucket(table, hash), hash, slots);
}

/* Take a ripe record from the head; true if its entry lapsed. */
static inline bool
ring_reap(struct time_wait *table, uint32_t now_ms)
{
	const struct time_wait_entry *entry = &table->ring[table->head];

	if ((entry->flags & TIME_WAIT_FLAG_DEAD) != 0) {
		ring_pop(table);
		return false;
	}
	if (unlikely(!entry_lapsed(table, entry, now_ms))) {
		ring_queue_again(table);
		return false;
	}
	table->count--;
	ring_pop(table);
	return true;
}

static inline bool
ring_has_room(const struct time_wait *table, uint32_t slots)
{
	return table->used == 0 || table->head < table->tail || table->head - table->tail >= slots;
}

/* Reap or evict from the head until a record fits; returns how many entries were evicted. */
static unsigned int
ring_make_room(struct time_wait *table, uint32_t slots, uint32_t now_ms)
{
	unsigned int evicted = 0;

	for (unsigned int looks = 0; !ring_has_room(table, slots); looks++) {
		struct time_wait_entry *entry = &table->ring[table->head];

		if (unlikely(looks >= LOOKS_MAX))
			entry->flags &= (uint8_t)~TIME_WAIT_FLAG_RESTARTED;
		if (record_is_ripe(table, entry, now_ms)) {
			ring_reap(table, now_ms);
		} else {
			table->count--;
			ring_pop(table);
			evicted++;
		}
	}
	return evicted;
}

void
time_wait_prefetch(const struct time_wait *table, uint64_t hash)
{
	rte_prefetch0(home_bucket(table, hash));
}

void
time_wait_prefetch_room(const struct time_wait *table, unsigned int before)
{
	const uint32_t slot = table->tail + before + RING_AHEAD;

	rte_prefetch0(&table->ring[slot < table->capacity ? slot : 0]);
}

unsigned int
time_wait_insert(struct time_wait *table, const struct flow_key *key, uint64_t hash,
		const struct tcp_conn *tcp, uint32_t now_ms)
{
	struct bucket *home = home_bucket(table, hash);
	const uint16_t tag = bucket_tag(hash);
	const uint32_t slots = flow_key_is_ipv4(key->address) ? 1 : 2;
	struct time_wait_entry *record = NULL;
	unsigned int evicted;

	if (unlikely(bucket_ways(home, tag) != 0 || has_sent_away(table, home, tag)))
		record = find(table, key, hash);
	if (unlikely(record != NULL)) {
		time_wait_store(record, tcp);
		time_wait_restart(record, now_ms);
		return 0;
	}
	evicted = ring_make_room(table, slots, now_ms);
	record = &table->ring[table->tail];
	*record = (struct time_wait_entry){
			.key_end = time_wait_entry_key_end(key),
			.since_ms = now_ms,
			.hash_low = (uint32_t)hash,
			.hash_high = (uint16_t)(hash >> 32),
			.flags = slots == 1 ? 0 : TIME_WAIT_FLAG_IPV6,
	};
	if (slots != 1) {
		struct time_wait_second_slot second = {.flags = TIME_WAIT_FLAG_DEAD};

		memcpy(second.key_start, key->address, sizeof(second.key_start));
		memcpy(&record[1], &second, sizeof(second));
	}
	time_wait_store(record, tcp);
	return evicted + ring_push(table, home, hash, slots);
}

struct time_wait_entry *
time_wait_lookup(const struct time_wait *table, const struct flow_key *key, uint64_t hash,
		uint32_t now_ms)
{
	struct time_wait_entry *entry = find(table, key, hash);

	return entry != NULL && !entry_lapsed(table, entry, now_ms) ? entry : NULL;
}

/*
 * Three passes, as conn_table_lookup_bulk(): fetch buckets; match tags and fetch candidates;
 * compare keys.  Keys that may be away from home take the long way, one by one, and so do those
 * whose tag somebody else has.
 */
uint64_t
time_wait_lookup_bulk(const struct time_wait *table, const struct flow_key keys[],
		const uint64_t hashes[], uint64_t wanted, uint32_t now_ms,
		struct time_wait_entry *entries[])
{
	const struct bucket *home[TIME_WAIT_BURST_MAX];
	uint64_t candidates = 0, hits = 0;

	if (table->count == 0)
		wanted = 0;
	for (uint64_t left = wanted; left != 0; left &= left - 1) {
		const unsigned int i = rte_bsf64(left);

		home[i] = home_bucket(table, hashes[i]);
		rte_prefetch0(home[i]);
	}

	for (uint64_t left = wanted; left != 0; left &= left - 1) {
		const unsigned int i = rte_bsf64(left);
		const uint16_t tag = bucket_tag(hashes[i]);
		const uint32_t ways = bucket_ways(home[i], tag);

		candidates |= (uint64_t)(ways != 0) << i;
		if (unlikely(ways != 0))
			rte_prefetch0(entry_near(table, home[i]->slot[rte_bsf32(ways)]));
		if (unlikely(has_sent_away(table, home[i], tag))) {
			rte_prefetch0(other_bucket(table, hashes[i]));
			candidates |= UINT64_C(1) << i;
		}
	}

	for (; candidates != 0; candidates &= candidates - 1) {
		const unsigned int i = rte_bsf64(candidates);

		entries[i] = time_wait_lookup(table, &keys[i], hashes[i], now_ms);
		hits |= (uint64_t)(entries[i] != NULL) << i;
	}
	return hits;
}

void
time_wait_remove(struct time_wait *table, struct time_wait_entry *entry)
{
	if ((entry->flags & TIME_WAIT_FLAG_DEAD) == 0)
		entry_kill(table, entry);
}

unsigned int
time_wait_expire(struct time_wait *table, uint32_t now_ms, unsigned int max)
{
	unsigned int lapsed = 0;

	for (; max > 0 && table->used > 0; max--) {
		if (!record_is_ripe(table, &table->ring[table->head], now_ms))
			break;
		lapsed += ring_reap(table, now_ms);
	}
	return lapsed;
}

bool
time_wait_at(const struct time_wait *table, uint32_t slot, struct flow_key *key,
		struct tcp_conn *tcp)
{
	uint32_t used = slot_age(table, table->tail); /* 0: none or all. */

	if (table->used == 0 || slot >= table->capacity)
		return false;
	if (used != 0 && slot_age(table, slot) >= used)
		return false;
	if (!time_wait_load(&table->ring[slot], tcp))
		return false;
	time_wait_entry_get_key(&table->ring[slot], key);
	return true;
}

uint32_t
time_wait_count(const struct time_wait *table)
{
	return table->count;
}

uint32_t
time_wait_capacity(const struct time_wait *table)
{
	return table->capacity;
}
