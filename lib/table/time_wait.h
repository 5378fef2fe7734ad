/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TIME_WAIT_H
#define TIME_WAIT_H

/**
 * @file
 * Connections in TIME_WAIT: what is left of them for 2 MSL, in 32 bytes.
 *
 * TIME_WAIT is the one state that lasts a minute and does nothing, so at a million closes a second
 * it is where the memory goes.  An entry keeps the key and what RFC 9293 3.10.7.4, RFC 7323 5 and
 * RFC 6191 2 ask about: SND.NXT (which SND.UNA equals, our FIN being acknowledged), RCV.NXT,
 * TS.Recent, the order of the largest SND.WND (RFC 5961 5.2), whether there are timestamps and
 * window scaling, and when the last challenge ACK was sent (RFC 5961 7).  tcp_step() decides here
 * as everywhere: time_wait_load() makes the connection that it runs on.
 *
 * Keys are compared in full, so nothing collides.  An IPv4 entry is 32 bytes and a bucket's share
 * of 12.8: 45 bytes, index included.  An IPv6 one takes the room of two entries.
 *
 * Entries lie in a ring in the order in which they came.  All wait equally long, so that is the
 * order in which they lapse.  A peer that repeats its FIN starts 2 MSL anew (RFC 9293 3.10.7.4
 * eighth); that only writes the time, and when the entry's turn comes it is queued once more.  It
 * costs the ring one entry per turn however often the peer does it.  An entry that lapsed is not
 * found from that millisecond on, whether its room has been reclaimed or not.
 *
 * When the ring is full, the entry at its head, the next to lapse, gives way to the new one: its
 * ports have been quiet for longest.  For IPv6 that may be two.  One that was just restarted is
 * queued again rather than evicted, within a small budget.  So the table never refuses and never
 * grows.  RFC 9293 3.6.1 wants 2 MSL in any case: evictions are returned, to be counted, and do not
 * happen with room for 2 MSL times the closes per second (60 million in 2.7 GB for a million closes
 * per second and a minute).  Should the two buckets of a key be full and nobody in its home able to
 * change over, the oldest of ten gives way; with keyed hashes that was never seen.
 *
 * One lcore creates, reads and writes a table; nothing here locks because nothing here is shared.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tcp/flow_key.h"
#include "tcp/tcp_conn.h"

#define TIME_WAIT_BURST_MAX 64 /**< One bit of a hit mask per packet. */

struct time_wait;

/** One connection; its address is good until the next insertion or expiry, also when removed. */
struct time_wait_entry;

/**
 * Bytes time_wait_init() needs, a multiple of 64; 0 if capacity is 0.
 *
 * @param capacity
 *   How many IPv4 connections, or twice how many IPv6 ones; below 2^31.
 */
size_t time_wait_footprint(uint32_t capacity);

/**
 * Lay an empty table out in @p memory.
 *
 * Times are milliseconds of any clock that wraps at 2^32.
 *
 * @param memory
 *   time_wait_footprint(capacity) bytes, 64-byte aligned; the caller allocates, keeps, frees it.
 *   Need not be zeroed; only the index is written, the rest when it is first used.
 * @param lifetime_ms
 *   2 MSL, below 2^31.
 */
struct time_wait *time_wait_init(void *memory, uint32_t capacity, uint32_t lifetime_ms);

/** Change 2 MSL, at once and for all entries. */
void time_wait_set_lifetime(struct time_wait *table, uint32_t lifetime_ms);

/** Fetch what the insertion of a key with @p hash will need; a few hundred cycles before it. */
void time_wait_prefetch(const struct time_wait *table, uint64_t hash);

/** Fetch where one more connection will be written, after @p before others. */
void time_wait_prefetch_room(const struct time_wait *table, unsigned int before);

/**
 * Add a connection that entered TIME_WAIT; 2 MSL begin now.
 *
 * @param hash
 *   The key's, from conn_table_hash_bulk(); only the low 48 bits are used.
 * @param tcp
 *   The connection; not needed any more.
 * @return
 *   How many entries lost their 2 MSL for it: 0 unless the table is full.  An older entry of the
 *   same key takes what the connection says and begins 2 MSL anew, which costs no room.
 */
unsigned int time_wait_insert(struct time_wait *table, const struct flow_key *key, uint64_t hash,
		const struct tcp_conn *tcp, uint32_t now_ms);

/**
 * Find a burst of connections that have not lapsed at @p now_ms.
 *
 * @param hashes
 *   One per key.
 * @param wanted
 *   A bit for each key that is looked up, of TIME_WAIT_BURST_MAX.
 * @param entries
 *   Filled where a key is found; NULL, or left alone, elsewhere.
 * @return
 *   A mask with bit i set when keys[i] was found.
 */
uint64_t time_wait_lookup_bulk(const struct time_wait *table, const struct flow_key keys[],
		const uint64_t hashes[], uint64_t wanted, uint32_t now_ms,
		struct time_wait_entry *entries[]);

/** Find one connection that has not lapsed, or NULL. */
struct time_wait_entry *time_wait_lookup(const struct time_wait *table, const struct flow_key *key,
		uint64_t hash, uint32_t now_ms);

/**
 * Make the connection that tcp_step() is to run on; what TIME_WAIT never reads is zero.
 *
 * @return
 *   false when the entry was removed since it was looked up, as by an earlier packet of the burst.
 */
bool time_wait_load(const struct time_wait_entry *entry, struct tcp_conn *tcp);

/** Keep what tcp_step() made of it; it is still in TIME_WAIT. */
void time_wait_store(struct time_wait_entry *entry, const struct tcp_conn *tcp);

/** 2 MSL begin anew: tcp_step() set the timer. */
void time_wait_restart(struct time_wait_entry *entry, uint32_t now_ms);

/** As conn_tail.challenged: when this connection was last sent a challenge ACK, 0 at first. */
uint8_t time_wait_challenged(const struct time_wait_entry *entry);

/** Remember a challenge ACK; @p half_second is 1 to 15. */
void time_wait_set_challenged(struct time_wait_entry *entry, uint8_t half_second);

/** Forget an entry: tcp_step() closed or reopened the connection.  Once is enough. */
void time_wait_remove(struct time_wait *table, struct time_wait_entry *entry);

/**
 * Reclaim the room of entries that lapsed.
 *
 * @param max
 *   Budget: at most this many are looked at; the next call goes on where this one stopped.
 * @return
 *   How many lapsed.
 */
unsigned int time_wait_expire(struct time_wait *table, uint32_t now_ms, unsigned int max);

/**
 * The connection in a slot below time_wait_capacity(); for listing them all.
 *
 * @return
 *   false when there is none.
 */
bool time_wait_at(const struct time_wait *table, uint32_t slot, struct flow_key *key,
		struct tcp_conn *tcp);

/** How many there are; some may have lapsed and wait to be reclaimed. */
uint32_t time_wait_count(const struct time_wait *table);

uint32_t time_wait_capacity(const struct time_wait *table);

#endif /* TIME_WAIT_H */
