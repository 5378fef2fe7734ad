/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TIME_WAIT_KEYS_H
#define TIME_WAIT_KEYS_H

/**
 * @file
 * Connections by number, to put into TIME_WAIT and to know again; for its tests.
 */

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cookie/siphash.h"
#include "table/time_wait.h"

#define LIFETIME_MS 60000

static const struct siphash_key hash_key = {
		UINT64_C(0x0123456789abcdef), UINT64_C(0xfedcba9876543210)};

/* Memory that is anything but zero, of exactly the size asked for. */
static inline struct time_wait *
table_new(uint32_t capacity)
{
	size_t size = time_wait_footprint(capacity);
	void *memory = aligned_alloc(64, size);

	assert_non_null(memory);
	memset(memory, 0xa5, size);
	return time_wait_init(memory, capacity, LIFETIME_MS);
}

static inline struct flow_key
key_of(uint32_t number)
{
	struct flow_key key = {.port = (rte_be16_t)(number * 7), .endpoint = (uint16_t)number};

	flow_key_map_ipv4(key.address, number * 11);
	return key;
}

/* The IPv6 key that ends as the IPv4 one of the same number. */
static inline struct flow_key
key6_of(uint32_t number)
{
	struct flow_key key = key_of(number);

	memcpy(key.address, "\x20\x01\x0d\xb8", 4);
	return key;
}

/* What an entry keeps of a connection, different for every number. */
static inline struct tcp_conn
tcp_of(uint32_t number)
{
	const bool scaled = (number & TCP_CONN_WINDOW_SCALE) != 0;

	return (struct tcp_conn){
			.snd_una = number * 3,
			.snd_nxt = number * 3,
			.rcv_nxt = ~number,
			.ts_recent = number * 5,
			.flags = (uint16_t)(TCP_CONN_FIN_SENT |
					    (number & (TCP_CONN_TIMESTAMPS |
								      TCP_CONN_WINDOW_SCALE))),
			.state = TCP_TIME_WAIT,
			.scales = (uint8_t)((number >> 8) << 4 | (scaled ? number % 15 : 0)),
	};
}

static inline uint64_t
hash_of(const struct flow_key *key)
{
	return siphash_flow(&hash_key, key);
}

static inline unsigned int
insert_key(struct time_wait *table, const struct flow_key *key, uint32_t number, uint32_t now_ms)
{
	struct tcp_conn tcp = tcp_of(number);

	return time_wait_insert(table, key, hash_of(key), &tcp, now_ms);
}

static inline struct time_wait_entry *
lookup_key(const struct time_wait *table, const struct flow_key *key, uint32_t now_ms)
{
	return time_wait_lookup(table, key, hash_of(key), now_ms);
}

/* The first n keys, of which those that are not there are NULL. */
static inline uint64_t
lookup_bulk(const struct time_wait *table, const struct flow_key keys[], const uint64_t hashes[],
		unsigned int n, uint32_t now_ms, struct time_wait_entry *found[])
{
	const uint64_t all = n == TIME_WAIT_BURST_MAX ? UINT64_MAX : (UINT64_C(1) << n) - 1;

	memset(found, 0, n * sizeof(found[0]));
	return time_wait_lookup_bulk(table, keys, hashes, all, now_ms, found);
}

static inline void
check_tcp(const struct time_wait_entry *entry, uint32_t number)
{
	struct tcp_conn expected = tcp_of(number);
	struct tcp_conn tcp;

	assert_non_null(entry);
	memset(&tcp, 0x77, sizeof(tcp));
	assert_true(time_wait_load(entry, &tcp));
	assert_memory_equal(&tcp, &expected, sizeof(tcp));
}

#endif /* TIME_WAIT_KEYS_H */
