/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef LOAD_TABLE_H
#define LOAD_TABLE_H

/**
 * @file
 * The generator's connections by their tuples: by tuple_index.h, whose lines are the table's, and
 * by the table where a tuple's place is taken.
 */

#include <stdbool.h>

#include "engine/load.h"
#include "engine/worker.h"

/** What became of a tuple. */
enum load_table_result {
	LOAD_TABLE_ADDED,
	LOAD_TABLE_PRESENT, /**< It has a connection. */
	LOAD_TABLE_FULL,
};

/**
 * A connection for a tuple, all zero but its key.
 *
 * @param place
 *   The tuple's.
 * @param conn
 *   Set when it was added.
 */
enum load_table_result load_table_add(struct worker *worker, const struct flow_key *key,
		uint32_t place, struct conn **conn);

/** The connection of a tuple, or NULL. */
struct conn *load_table_find(const struct worker *worker, const struct flow_key *key);

/** Those of a burst's segments. */
void load_table_find_all(const struct worker *worker, struct burst *burst);

/** A connection that is over; it must not be in the timer wheel. */
void load_table_remove(struct worker *worker, struct conn *conn);

#endif /* LOAD_TABLE_H */
