/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef CONN_INDEX_H
#define CONN_INDEX_H

/**
 * @file
 * Where the index of a connection table has a hash; for conn_table.c and conn_table_find.c alone.
 */

#include <stdbool.h>
#include <stdint.h>

#include <rte_bitops.h>
#include <rte_branch_prediction.h>

#include "table/bucket.h"
#include "table/conn_table.h"

/* Ways of both buckets in one mask: the second bucket's from this bit on, to this one. */
#define CONN_INDEX_SECOND 16
#define CONN_INDEX_LAST   (UINT32_C(1) << (CONN_INDEX_SECOND + BUCKET_WAYS - 1))

static inline struct bucket *
conn_index_first(const struct conn_table *table, uint64_t hash)
{
	return &table->buckets[bucket_first(hash, table->half_size)];
}

static inline struct bucket *
conn_index_second(const struct conn_table *table, uint64_t hash)
{
	return &table->buckets[table->half_size + bucket_second(hash, table->half_size)];
}

/* Whether so many keys may be in second buckets that these are looked at in any case. */
static inline bool
conn_index_is_crowded(const struct conn_table *table)
{
	return table->count > table->capacity / 4;
}

static inline uint32_t
conn_index_ways(const struct conn_table *table, uint64_t hash)
{
	const struct bucket *first = conn_index_first(table, hash);
	const uint16_t tag = bucket_tag(hash);
	uint32_t ways = bucket_ways(first, tag);

	if (conn_index_is_crowded(table) || first->sent_away != 0)
		ways |= bucket_ways(conn_index_second(table, hash), tag) << CONN_INDEX_SECOND;
	return ways;
}

/* The connection that the lowest way of a mask names.  Which bucket is a coin's toss: no branch. */
static inline struct conn *
conn_index_at(const struct conn_table *table, uint64_t hash, uint32_t ways)
{
	const struct bucket *buckets[2] = {
			conn_index_first(table, hash), conn_index_second(table, hash)};
	unsigned int way = rte_bsf32(ways);

	return &table->conns[buckets[way / CONN_INDEX_SECOND]->slot[way % CONN_INDEX_SECOND]];
}

static inline struct conn *
conn_index_find(const struct conn_table *table, const struct flow_key *key, uint64_t hash,
		uint32_t ways)
{
	for (; ways != 0; ways &= ways - 1) {
		struct conn *conn = conn_index_at(table, hash, ways);

		if (likely(flow_key_equal(&conn->key, key)))
			return conn;
	}
	return NULL;
}

#endif /* CONN_INDEX_H */
