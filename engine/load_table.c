/* SPDX-License-Identifier: BSD-3-Clause */

#include "engine/load_table.h"

#include <rte_prefetch.h>

static bool
load_table_is_away(const struct worker *worker, const struct flow_key *key)
{
	const uint64_t hash = conn_table_hash(worker->table, key);

	return conn_table_lookup(worker->table, key, hash) != NULL;
}

/* Not where it belongs, which somebody else has. */
static enum load_table_result
load_table_add_away(struct worker *worker, const struct flow_key *key, uint32_t place,
		struct conn **conn)
{
	const uint64_t hash = conn_table_hash(worker->table, key);

	*conn = conn_table_insert(worker->table, key, hash);
	if (*conn == NULL)
		return LOAD_TABLE_FULL;
	tuple_index_sent_away(&worker->load->index, place);
	return LOAD_TABLE_ADDED;
}

enum load_table_result
load_table_add(struct worker *worker, const struct flow_key *key, uint32_t place,
		struct conn **conn)
{
	struct load_worker *load = worker->load;
	const uint32_t slot = tuple_index_at(&load->index, place);

	if (slot != TUPLE_INDEX_NONE && flow_key_equal(&load->conns[slot].key, key))
		return LOAD_TABLE_PRESENT;
	if (tuple_index_has_away(&load->index, place) && load_table_is_away(worker, key))
		return LOAD_TABLE_PRESENT;
	if (slot != TUPLE_INDEX_NONE)
		return load_table_add_away(worker, key, place, conn);
	*conn = conn_table_take(worker->table, key);
	if (*conn == NULL)
		return LOAD_TABLE_FULL;
	tuple_index_set(&load->index, place, conn_table_slot(worker->table, *conn));
	return LOAD_TABLE_ADDED;
}

/* Who is not where it belongs. */
static struct conn *
load_table_find_away(const struct worker *worker, const struct flow_key *key, uint32_t place)
{
	if (!tuple_index_has_away(&worker->load->index, place))
		return NULL;
	return conn_table_lookup(worker->table, key, conn_table_hash(worker->table, key));
}

static inline struct conn *
load_table_find_at(const struct worker *worker, const struct flow_key *key, uint32_t place)
{
	const uint32_t slot = tuple_index_at(&worker->load->index, place);
	struct conn *conns = conn_table_conns(worker->table);

	if (likely(slot != TUPLE_INDEX_NONE && flow_key_equal(&conns[slot].key, key)))
		return &conns[slot];
	return load_table_find_away(worker, key, place);
}

struct conn *
load_table_find(const struct worker *worker, const struct flow_key *key)
{
	return load_table_find_at(worker, key, tuple_index_place(&worker->load->index, key));
}

/* In three passes, each of which waits for one cache miss of all. */
void
load_table_find_all(const struct worker *worker, struct burst *burst)
{
	const struct load_worker *load = worker->load;
	const struct tuple_index *index = &load->index;
	uint32_t place[BURST_MAX];

	for (unsigned int i = 0; i < burst->n; i++) {
		place[i] = tuple_index_place(index, &burst->key[i]);
		tuple_index_prefetch(index, place[i]);
	}
	for (unsigned int i = 0; i < burst->n; i++) {
		const uint32_t slot = tuple_index_at(index, place[i]);

		/* Of nobody's the first: that one is there. */
		rte_prefetch0(&load->conns[slot & -(slot != TUPLE_INDEX_NONE)]);
		rte_prefetch0(&load->own[slot & -(slot != TUPLE_INDEX_NONE)]);
	}
	for (unsigned int i = 0; i < burst->n; i++)
		burst->conn[i] = load_table_find_at(worker, &burst->key[i], place[i]);
}

void
load_table_remove(struct worker *worker, struct conn *conn)
{
	struct tuple_index *index = &worker->load->index;
	const uint32_t place = tuple_index_place(index, &conn->key);

	if (likely(tuple_index_at(index, place) == conn_table_slot(worker->table, conn))) {
		tuple_index_clear(index, place);
		conn_table_release(worker->table, conn);
		return;
	}
	tuple_index_came_back(index, place);
	conn_table_remove(worker->table, conn, conn_table_hash(worker->table, &conn->key));
}
