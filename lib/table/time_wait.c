/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * TIME_WAIT: an index of one-line buckets over a ring of records.
 *
 * The ring is a log.  A record is one slot of 32 bytes, or two for IPv6, and is named by its first
 * slot; new ones are written at the tail, so entering TIME_WAIT streams through memory and only the
 * bucket is a cache miss.  Records leave at the head.  One that is removed before leaves a hole,
 * which costs no more than the connection would have cost by staying.  No links, no free list.
 *
 * One slot more than the capacity lets an IPv6 record begin in the last slot, so there is no
 * padding, and every slot from head to tail belongs to a record.
 *
 * Most keys that are looked up are not here: they are SYNs.  So a key has one home bucket, filled
 * to the half when the table is full, and only a bucket that sent keys away sends look-ups on: a
 * miss is one cache line, a hit two.  With 5 keys on average, Poisson says that 1.4 % of the
 * buckets have more than ten and 0.4 % of the keys are away.  The hash is keyed: nobody can do
 * worse than chance.
 *
 * A record keeps the 48 bits of hash that placed it: nothing is hashed when it leaves.
 */

#include <string.h>

#include <rte_bitops.h>
#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_prefetch.h>

#include "table/bucket.h"
#include "table/time_wait.h"
#include "table/time_wait_entry.h"

/* Keys per bucket when the table is full. */
#define BUCKET_LOAD 5

/* Records that an insertion into a full table looks at before it evicts even a restarted one. */
#define LOOKS_MAX 4

/* How far ahead of the records that will give way the ring is fetched. */
#define RING_AHEAD 16

/* Records whose buckets are fetched together on expiry. */
#define EXPIRE_BURST 16U

struct time_wait {
	struct bucket *buckets;
	struct time_wait_entry *ring; /* One slot more than the capacity. */
	uint32_t bucket_count;        /* At least two. */
	uint32_t capacity;
	uint32_t head;    /* The oldest record, if there is any. */
	uint32_t tail;    /* Where the next one goes. */
	uint32_t records; /* Holes included. */
	uint32_t count;   /* Holes not included. */
	uint32_t lifetime_ms;
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

static inline struct time_wait_entry *
find_in_bucket(const struct time_wait *table, const struct bucket *bucket, uint16_t tag,
		const struct flow_key *key)
{
	for (uint32_t ways = bucket_ways(bucket, tag); ways != 0; ways &= ways - 1) {
		struct time_wait_entry *entry = &table->ring[bucket->slot[rte_bsf32(ways)]];

		if (likely(time_wait_entry_has_key(entry, key)))
			return entry;
	}
	return NULL;
}

/* The entry with this key, lapsed or not. */
static struct time_wait_entry *
find(const struct time_wait *table, const struct flow_key *key, uint64_t hash)
{
	const struct bucket *home = home_bucket(table, hash);
	uint16_t tag = bucket_tag(hash);
	struct time_wait_entry *entry = find_in_bucket(table, home, tag, key);

	if (entry == NULL && home->sent_away != 0)
		entry = find_in_bucket(table, other_bucket(table, hash), tag, key);
	return entry;
}

/* Take an entry out of the index and make its record a hole. */
static void
entry_kill(struct time_wait *table, struct time_wait_entry *entry)
{
	uint64_t hash = time_wait_entry_hash(entry);
	uint32_t slot = slot_of(table, entry);
	uint16_t tag = bucket_tag(hash);
	struct bucket *home = home_bucket(table, hash);

	if (!bucket_clear(home, tag, slot)) {
		bucket_clear(other_bucket(table, hash), tag, slot);
		home->sent_away--;
	}
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
		uint32_t slot = bucket->slot[way];
		uint64_t hash = time_wait_entry_hash(&table->ring[slot]);
		struct bucket *home = home_bucket(table, hash);
		struct bucket *to = home == bucket ? other_bucket(table, hash) : home;
		uint32_t empty = bucket_ways(to, BUCKET_TAG_EMPTY);

		if (empty == 0)
			continue;
		if (home == bucket)
			home->sent_away++;
		else
			home->sent_away--;
		bucket_set(to, empty, bucket->tag[way], slot);
		bucket->tag[way] = BUCKET_TAG_EMPTY;
		return 1U << way;
	}
	return 0;
}

/* Empty the way of a full bucket whose entry came first; it is evicted. */
static uint32_t
bucket_evict(struct time_wait *table, struct bucket *bucket)
{
	uint32_t oldest = bucket->slot[0];

	for (unsigned int way = 1; way < BUCKET_WAYS; way++) {
		if (slot_age(table, bucket->slot[way]) < slot_age(table, oldest))
			oldest = bucket->slot[way];
	}
	entry_kill(table, &table->ring[oldest]);
	return bucket_ways(bucket, BUCKET_TAG_EMPTY);
}

/* Enter a slot into the index; returns how many entries were evicted for it, 0 or 1. */
static unsigned int
index_add(struct time_wait *table, uint64_t hash, uint32_t slot)
{
	struct bucket *home = home_bucket(table, hash);
	struct bucket *bucket = home;
	uint32_t empty = bucket_ways(home, BUCKET_TAG_EMPTY);
	unsigned int evicted = 0;

	if (unlikely(empty == 0)) {
		bucket = other_bucket(table, hash);
		empty = bucket_ways(bucket, BUCKET_TAG_EMPTY);
		home->sent_away += empty != 0;
	}
	if (unlikely(empty == 0)) {
		bucket = home;
		empty = bucket_make_room(table, home);
	}
	if (unlikely(empty == 0)) {
		empty = bucket_evict(table, home);
		evicted = 1;
	}
	bucket_set(bucket, empty, bucket_tag(hash), slot);
	return evicted;
}

/* The slot behind a record. */
static inline uint32_t
slot_after(const struct time_wait *table, uint32_t slot, uint32_t slots)
{
	slot += slots;
	return slot >= table->capacity ? 0 : slot;
}

static inline void
ring_pop(struct time_wait *table)
{
	table->head = slot_after(
			table, table->head, time_wait_entry_slots(&table->ring[table->head]));
	table->records--;
}

/* Write a record, for which there is room; returns how many entries the index evicted for it. */
static unsigned int
ring_push(struct time_wait *table, const struct time_wait_entry record[])
{
	uint32_t slots = time_wait_entry_slots(record);
	uint32_t slot = table->tail;

	memcpy(&table->ring[slot], record, slots * sizeof(*record));
	table->tail = slot_after(table, slot, slots);
	table->records++;
	table->count++;
	return index_add(table, time_wait_entry_hash(record), slot);
}

/* Whether the record at the head has come to its end, or must be queued again. */
static inline bool
record_is_ripe(const struct time_wait *table, const struct time_wait_entry *entry, uint32_t now_ms)
{
	return (entry->flags & (TIME_WAIT_FLAG_DEAD | TIME_WAIT_FLAG_RESTARTED)) != 0 ||
	       entry_lapsed(table, entry, now_ms);
}

/* Take a ripe record from the head; true if its entry lapsed. */
static bool
ring_reap(struct time_wait *table, uint32_t now_ms)
{
	struct time_wait_entry *entry = &table->ring[table->head];
	struct time_wait_entry again[2];

	if ((entry->flags & TIME_WAIT_FLAG_DEAD) != 0) {
		ring_pop(table);
		return false;
	}
	if (entry_lapsed(table, entry, now_ms)) {
		entry_kill(table, entry);
		ring_pop(table);
		return true;
	}
	/* The room it leaves, in the ring and in the index, is room enough to come again. */
	memcpy(again, entry, time_wait_entry_slots(entry) * sizeof(*entry));
	again[0].flags &= (uint8_t)~TIME_WAIT_FLAG_RESTARTED;
	entry_kill(table, entry);
	ring_pop(table);
	ring_push(table, again);
	return false;
}

static inline bool
ring_has_room(const struct time_wait *table, uint32_t slots)
{
	return table->records == 0 || table->head < table->tail ||
	       table->head - table->tail >= slots;
}

/* Reap or evict from the head until a record fits; returns how many entries were evicted. */
static unsigned int
ring_make_room(struct time_wait *table, uint32_t slots, uint32_t now_ms)
{
	unsigned int evicted = 0;

	for (unsigned int looks = 0; unlikely(!ring_has_room(table, slots)); looks++) {
		struct time_wait_entry *entry = &table->ring[table->head];

		if (looks >= LOOKS_MAX)
			entry->flags &= (uint8_t)~TIME_WAIT_FLAG_RESTARTED;
		if (record_is_ripe(table, entry, now_ms)) {
			ring_reap(table, now_ms);
		} else {
			entry_kill(table, entry);
			ring_pop(table);
			evicted++;
		}
		/* The next insertion will do the same to the next one. */
		rte_prefetch0(home_bucket(table, time_wait_entry_hash(&table->ring[table->head])));
	}
	return evicted;
}

void
time_wait_prefetch(const struct time_wait *table, uint64_t hash)
{
	rte_prefetch0(home_bucket(table, hash));
}

/*
 * A slot that holds the rest of an IPv6 record names some bucket that is not needed; so do slots
 * that are not the ones that will give way, since others were IPv6 ones.
 */
void
time_wait_prefetch_room(const struct time_wait *table, unsigned int before)
{
	uint32_t slot = table->head + before;

	if (likely(ring_has_room(table, 2)) || before >= table->capacity)
		return;
	slot = slot >= table->capacity ? slot - table->capacity : slot;
	rte_prefetch0(home_bucket(table, time_wait_entry_hash(&table->ring[slot])));
	rte_prefetch0(&table->ring[RTE_MIN(slot + RING_AHEAD, table->capacity - 1)]);
}

unsigned int
time_wait_insert(struct time_wait *table, const struct flow_key *key, uint64_t hash,
		const struct tcp_conn *tcp, uint32_t now_ms)
{
	struct time_wait_entry *before = find(table, key, hash);
	struct time_wait_entry record[2];
	unsigned int evicted;

	if (unlikely(before != NULL)) {
		time_wait_store(before, tcp);
		time_wait_restart(before, now_ms);
		return 0;
	}
	record[0] = (struct time_wait_entry){
			.key_end = time_wait_entry_key_end(key),
			.since_ms = now_ms,
			.hash_low = (uint32_t)hash,
			.hash_high = (uint16_t)(hash >> 32),
	};
	if (!flow_key_is_ipv4(key->address)) {
		struct time_wait_second_slot second = {.flags = TIME_WAIT_FLAG_DEAD};

		memcpy(second.key_start, key->address, sizeof(second.key_start));
		memcpy(&record[1], &second, sizeof(second));
		record[0].flags = TIME_WAIT_FLAG_IPV6;
	}
	time_wait_store(record, tcp);
	evicted = ring_make_room(table, time_wait_entry_slots(record), now_ms);
	return evicted + ring_push(table, record);
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
 * compare keys.  Keys that may be away from home take the long way, one by one.
 */
uint64_t
time_wait_lookup_bulk(const struct time_wait *table, const struct flow_key keys[],
		const uint64_t hashes[], unsigned int n, uint32_t now_ms,
		struct time_wait_entry *entries[])
{
	uint64_t unsure = 0;
	uint64_t hits = 0;

	if (table->count == 0) {
		memset(entries, 0, n * sizeof(entries[0]));
		return 0;
	}
	for (unsigned int i = 0; i < n; i++)
		rte_prefetch0(home_bucket(table, hashes[i]));

	for (unsigned int i = 0; i < n; i++) {
		const struct bucket *home = home_bucket(table, hashes[i]);
		uint32_t ways = bucket_ways(home, bucket_tag(hashes[i]));

		entries[i] = NULL;
		if (ways != 0) {
			entries[i] = &table->ring[home->slot[rte_bsf32(ways)]];
			rte_prefetch0(entries[i]);
		} else if (unlikely(home->sent_away != 0)) {
			rte_prefetch0(other_bucket(table, hashes[i]));
			unsure |= UINT64_C(1) << i;
		}
	}

	for (unsigned int i = 0; i < n; i++) {
		bool unlucky = entries[i] != NULL && !time_wait_entry_has_key(entries[i], &keys[i]);

		if (unlikely(unlucky || (unsure >> i & 1) != 0))
			entries[i] = find(table, &keys[i], hashes[i]);
		if (entries[i] == NULL)
			continue;
		if (unlikely(entry_lapsed(table, entries[i], now_ms)))
			entries[i] = NULL;
		hits |= (uint64_t)(entries[i] != NULL) << i;
	}
	return hits;
}

bool
time_wait_load(const struct time_wait_entry *entry, struct tcp_conn *tcp)
{
	*tcp = (struct tcp_conn){
			.snd_una = entry->snd_nxt,
			.snd_nxt = entry->snd_nxt,
			.rcv_nxt = entry->rcv_nxt,
			.ts_recent = entry->ts_recent,
			.flags = TCP_CONN_FIN_SENT,
			.state = TCP_TIME_WAIT,
			.scales = entry->scales,
	};
	if ((entry->flags & TIME_WAIT_FLAG_TIMESTAMPS) != 0)
		tcp->flags |= TCP_CONN_TIMESTAMPS;
	if ((entry->scales & 0xf) == TIME_WAIT_SHIFT_NONE)
		tcp->scales &= 0xf0;
	else
		tcp->flags |= TCP_CONN_WINDOW_SCALE;
	return (entry->flags & TIME_WAIT_FLAG_DEAD) == 0;
}

void
time_wait_store(struct time_wait_entry *entry, const struct tcp_conn *tcp)
{
	entry->snd_nxt = tcp->snd_nxt;
	entry->rcv_nxt = tcp->rcv_nxt;
	entry->ts_recent = tcp->ts_recent;
	entry->scales = tcp->scales;
	if ((tcp->flags & TCP_CONN_WINDOW_SCALE) == 0)
		entry->scales |= TIME_WAIT_SHIFT_NONE;
	entry->flags &= (uint8_t)~TIME_WAIT_FLAG_TIMESTAMPS;
	if ((tcp->flags & TCP_CONN_TIMESTAMPS) != 0)
		entry->flags |= TIME_WAIT_FLAG_TIMESTAMPS;
}

uint8_t
time_wait_challenged(const struct time_wait_entry *entry)
{
	return entry->flags & TIME_WAIT_FLAGS_CHALLENGED;
}

void
time_wait_set_challenged(struct time_wait_entry *entry, uint8_t half_second)
{
	entry->flags &= (uint8_t)~TIME_WAIT_FLAGS_CHALLENGED;
	entry->flags |= half_second & TIME_WAIT_FLAGS_CHALLENGED;
}

void
time_wait_restart(struct time_wait_entry *entry, uint32_t now_ms)
{
	entry->since_ms = now_ms;
	entry->flags |= TIME_WAIT_FLAG_RESTARTED;
}

void
time_wait_remove(struct time_wait *table, struct time_wait_entry *entry)
{
	if ((entry->flags & TIME_WAIT_FLAG_DEAD) == 0)
		entry_kill(table, entry);
}

/* Fetch the buckets of the ripe records at the head; how many there are, at most @p max. */
static unsigned int
ring_prefetch_ripe(const struct time_wait *table, uint32_t now_ms, unsigned int max)
{
	uint32_t slot = table->head;
	unsigned int n;

	for (n = 0; n < max && n < table->records; n++) {
		const struct time_wait_entry *entry = &table->ring[slot];

		if (!record_is_ripe(table, entry, now_ms))
			break;
		rte_prefetch0(home_bucket(table, time_wait_entry_hash(entry)));
		slot = slot_after(table, slot, time_wait_entry_slots(entry));
	}
	return n;
}

unsigned int
time_wait_expire(struct time_wait *table, uint32_t now_ms, unsigned int max)
{
	unsigned int lapsed = 0;

	while (max > 0) {
		unsigned int n = ring_prefetch_ripe(table, now_ms, RTE_MIN(max, EXPIRE_BURST));

		if (n == 0)
			break;
		max -= n;
		for (unsigned int i = 0; i < n; i++)
			lapsed += ring_reap(table, now_ms);
	}
	return lapsed;
}

bool
time_wait_at(const struct time_wait *table, uint32_t slot, struct flow_key *key,
		struct tcp_conn *tcp)
{
	uint32_t used = slot_age(table, table->tail); /* 0: none or all. */

	if (table->records == 0 || slot >= table->capacity)
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
