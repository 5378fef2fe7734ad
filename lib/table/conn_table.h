/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef CONN_TABLE_H
#define CONN_TABLE_H

/**
 * @file
 * The connections one worker owns, found by flow key, a burst at a time.
 *
 * One lcore creates, reads and writes a table; nothing here locks because nothing here is shared.
 * Steering sends every packet of a flow to the same worker, so a key lives in exactly one table.
 * Other threads ask the owner through its mailbox.
 *
 * A bucket is one cache line of ten 16-bit tags and 32-bit slots; each key may live in either of
 * two buckets, and when both are full and nobody in them can change over, the insertion is refused,
 * never chained: a lookup costs at most two buckets and, for a hit, one connection line.  A
 * connection is never moved, so a slot names it for its whole life.  The hash is keyed
 * (siphash.h): without the key nobody can aim at a bucket.  Bits 48 to 63 of a hash have no part in
 * placement and may be shown to the world.
 *
 * Memory: a 64-byte line and a 24-byte tail per connection, and a bucket per eight connections:
 * 96 bytes, index included.  Whoever keeps more of a connection than that can have longer tails,
 * and what a connection does not need any more of its tail is theirs to use.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_common.h>

#include "cookie/siphash.h"
#include "respond/respond.h"
#include "tcp/flow_key.h"
#include "tcp/tcp_conn.h"

#define CONN_TABLE_BURST_MAX 64         /**< One bit of a hit mask per packet. */
#define CONN_TABLE_NO_SLOT   UINT32_MAX /**< No connection. */

/** One connection.  Key first: the line that proves the match is the line we use. */
struct conn {
	struct flow_key key; /**< Who; compared in full after the tag matches. */
	struct tcp_conn tcp; /**< Where in its life; only tcp_step() and tcp_output change it. */
	uint32_t timer_next; /**< Timer wheel links, slots rather than pointers. */
	uint32_t timer_prev;
	uint32_t timer_deadline_ms; /**< When the timeout is due; written per packet. */
} __rte_aligned(64);

_Static_assert(sizeof(struct conn) == 64, "a connection fills one cache line");

/** A place in a queue of connections; slots plus one, 0 is none. */
struct conn_links {
	uint32_t older;
	uint32_t newer;
};

/** What opening, closing and acknowledging do not need: in a parallel array, same slot. */
struct conn_tail {
	uint8_t peer_mac[6];    /**< Where the peer's frames came from; for what timers send. */
	uint8_t port : 4;       /**< The engine port the connection lives on. */
	uint8_t challenged : 4; /**< Half second of its last challenge ACK, 1 to 15; 0 is none. */
	uint8_t ssthresh;       /**< struct tcp_sender, spread to fit. */
	uint32_t recover;
	union {
		struct respond_conn respond; /**< The responder's state. */
		struct conn_links half_open; /**< Before it is open: among its likes, by age. */
	};
};

_Static_assert(sizeof(struct conn_tail) == 24, "96 bytes a connection with its share of index");

struct bucket;

/** The table's own line; nobody's but conn_table.c's and the functions' in line below. */
struct conn_table {
	struct siphash_key key;
	struct bucket *buckets; /* The first half_size ones are the first half. */
	struct conn *conns;
	uint8_t *tails;
	size_t tail;        /* Bytes of one. */
	uint32_t half_size; /* Buckets in each half. */
	uint32_t capacity;
	uint32_t count;
	uint32_t free_slot;  /* Head of the free list, linked by conn.timer_next. */
	uint32_t high_water; /* Slots from here on were never used. */
	bool has_avx512;     /* The CPU. */
} __rte_aligned(64);

/** Bytes conn_table_init() needs for @p capacity connections, a multiple of 64; 0 if capacity is 0.
 */
size_t conn_table_footprint(uint32_t capacity);

/**
 * Lay an empty table out in @p memory.
 *
 * @param memory
 *   conn_table_footprint(capacity) bytes, 64-byte aligned; the caller allocates, keeps, frees it.
 *   Need not be zeroed; only the index is written, the rest when it is first used.
 * @param key
 *   Copied; must be random and secret.
 */
struct conn_table *conn_table_init(void *memory, uint32_t capacity, const struct siphash_key *key);

/** The same for tails of @p tail bytes, at least those of struct conn_tail, a multiple of 8. */
size_t conn_table_footprint_with(uint32_t capacity, size_t tail);
struct conn_table *conn_table_init_with(
		void *memory, uint32_t capacity, size_t tail, const struct siphash_key *key);

/** Hash a burst of keys with the table's key. */
void conn_table_hash_bulk(const struct conn_table *table, const struct flow_key keys[],
		unsigned int n, uint64_t hashes[]);

#define CONN_TABLE_ROWS 16 /**< Of keys, hashed at once. */

/**
 * Hash rows of keys, and fetch where the first @p n of them may be; where the CPU has AVX-512 as
 * columns_available() says.
 */
void conn_table_seek(const struct conn_table *table, const struct flow_key keys[CONN_TABLE_ROWS],
		unsigned int n, uint64_t hashes[CONN_TABLE_ROWS]);

/**
 * Find a burst of connections, and fetch their tails.
 *
 * @param hashes
 *   One per key, from conn_table_hash_bulk().
 * @param n
 *   How many keys, at most CONN_TABLE_BURST_MAX.
 * @param conns
 *   Filled where a key is found; NULL elsewhere.
 * @return
 *   A mask with bit i set when keys[i] was found.
 */
uint64_t conn_table_lookup_bulk(const struct conn_table *table, const struct flow_key keys[],
		const uint64_t hashes[], unsigned int n, struct conn *conns[]);

/** Find one connection, or NULL. */
struct conn *conn_table_lookup(
		const struct conn_table *table, const struct flow_key *key, uint64_t hash);

/**
 * Add a key that is not in the table; into the emptier of its two buckets.
 *
 * @param key
 *   Not all ones (the mark of a free slot; its address could be nobody's).
 * @param hash
 *   The key's, from conn_table_hash_bulk() or conn_table_hash().
 * @return
 *   The connection: key set, everything else zero, and its tail zero; NULL when both buckets or
 *   the table are full.
 */
struct conn *conn_table_insert(struct conn_table *table, const struct flow_key *key, uint64_t hash);

/**
 * Forget a connection of the table; the pointer is dead on return.  It must not be in a timer
 * wheel.
 *
 * @param hash
 *   The key's: with another one, nothing is forgotten.
 */
void conn_table_remove(struct conn_table *table, struct conn *conn, uint64_t hash);

/**
 * Make a connection that the table's index does not know: who takes it finds it by other means.
 *
 * @return
 *   As conn_table_insert(); NULL when the table is full.
 */
struct conn *conn_table_take(struct conn_table *table, const struct flow_key *key);

/** Forget a connection that was taken; the pointer is dead on return. */
void conn_table_release(struct conn_table *table, struct conn *conn);

/** The hash of a connection's key; for removals that no packet caused. */
uint64_t conn_table_hash(const struct conn_table *table, const struct flow_key *key);

/** The slot of a connection, below conn_table_capacity(). */
static inline uint32_t
conn_table_slot(const struct conn_table *table, const struct conn *conn)
{
	return (uint32_t)(conn - table->conns);
}

/** The connection in a slot, or NULL when the slot is free. */
struct conn *conn_table_at(const struct conn_table *table, uint32_t slot);

/** All lines, for the timer wheel. */
static inline struct conn *
conn_table_conns(const struct conn_table *table)
{
	return table->conns;
}

/** Fetch what looking a hash up, inserting and removing it will need. */
void conn_table_prefetch(const struct conn_table *table, uint64_t hash);

/** All tails, the first one at a multiple of 64; by slot, as long as they were asked for. */
void *conn_table_tails(const struct conn_table *table);

/** The tail of a connection. */
static inline struct conn_tail *
conn_table_tail(const struct conn_table *table, const struct conn *conn)
{
	return (struct conn_tail *)(void *)(table->tails +
					    conn_table_slot(table, conn) * table->tail);
}

/** Every connection's slot is below this: the most there ever were. */
uint32_t conn_table_used(const struct conn_table *table);

uint32_t conn_table_count(const struct conn_table *table);
uint32_t conn_table_capacity(const struct conn_table *table);

#endif /* CONN_TABLE_H */
