/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef CHOICE_H
#define CHOICE_H

/**
 * @file
 * Which backend of a pool a connection goes to.
 *
 * Three kinds of memory, by who writes it.  struct choice is the pool as configured: immutable,
 * replaced whole.  struct choice_state is one worker's and its alone: whose turn it is.  struct
 * choice_load is what concerns backends in all pools, by backend number: whether they can be used
 * (control writes, workers read) and how many connections they have (each worker writes its own
 * array and reads an array of what the others had when control last added them up).  So no cache
 * line is written by two workers, and counts of others are as old as control's last round:
 * `least_connections` is approximate, which it is anyway while connections are being opened.
 *
 * `maglev` and `source_hash` depend on the pool, the key, the client and who can be used, and on
 * nothing else: nodes that agree on these choose alike.  Whoever is down keeps its slots; its flows
 * go by a second hash to the others, whose own flows stay where they are.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_byteorder.h>

#include "balance/maglev.h"
#include "cookie/siphash.h"

#define CHOICE_NONE      UINT32_MAX
#define CHOICE_AVOID_MAX 3

/** Label of the key that nodes derive from the secret they share: secret_derive(). */
#define CHOICE_KEY_LABEL "handfast balance"

enum choice_kind {
	CHOICE_MAGLEV,            /**< By the client's address and port. */
	CHOICE_ROUND_ROBIN,       /**< In turns, by weight; each worker for itself. */
	CHOICE_LEAST_CONNECTIONS, /**< The fewest connections for its weight. */
	CHOICE_SOURCE_HASH,       /**< By the client's address. */
};

struct choice;
struct choice_state;

struct choice_backend {
	struct maglev_backend maglev;
	uint16_t number; /**< Among the backends of all pools. */
};

/** A pool, as configured. */
struct choice_pool {
	enum choice_kind kind;
	const struct choice_backend *backends;
	uint32_t count;      /**< Below MAGLEV_NONE. */
	uint32_t table_size; /**< Maglev's: maglev_size_is_good(), at least @ref count. */
	const struct siphash_key *key;
};

/** What is known of backends while they are used, indexed by their numbers; read only here. */
struct choice_load {
	const uint8_t *usable;  /**< Whether new connections may go there.  Atomic. */
	const uint32_t *own;    /**< Connections of this worker; NULL unless least_connections. */
	const uint32_t *others; /**< Of all other workers, lately.  Atomic. */
};

/** Who asks, and whom not to name: those that were tried. */
struct choice_client {
	uint8_t address[16];
	rte_be16_t port;
	uint16_t avoid[CHOICE_AVOID_MAX];
	uint8_t avoid_count;
};

/** Bytes for choice_init(), a multiple of 64; what is needed while building is included. */
size_t choice_footprint(const struct choice_pool *pool);

/** Lay a pool out in @p memory, the caller's, aligned to 64 bytes; @p pool is copied. */
struct choice *choice_init(void *memory, const struct choice_pool *pool);

/** How many backends the pool has, those with weight 0 included. */
uint32_t choice_count(const struct choice *choice);

/** The number of the backend at a position below choice_count(). */
uint16_t choice_number(const struct choice *choice, uint32_t position);

/** The position of the backend with a number; CHOICE_NONE if it is not in the pool. */
uint32_t choice_position(const struct choice *choice, uint16_t number);

/** The weight at a position. */
uint8_t choice_weight(const struct choice *choice, uint32_t position);

/** Bytes for one worker's choice_state_init(), a multiple of 64. */
size_t choice_state_footprint(const struct choice *choice);

/**
 * Begin as one of the workers, numbered from 0, in @p memory, the caller's, aligned to 64 bytes.
 *
 * A state belongs to the pool it was made for; @p load outlives it.
 */
struct choice_state *choice_state_init(void *memory, const struct choice *choice,
		const struct choice_load *load, uint32_t worker);

/** A hash that chooses for a client; the same on all nodes, for choice_by_hash(). */
uint64_t choice_hash(const struct choice *choice, const uint8_t address[16], rte_be16_t port);

/**
 * Choose a backend for a new connection.
 *
 * @return
 *   Its number, or CHOICE_NONE when none has a weight, can be used and was not tried.
 */
uint32_t choice_pick(const struct choice *choice, struct choice_state *state,
		const struct choice_client *client);

/**
 * Choose by hash, whatever the pool's kind: what `maglev` would say; for packets without a
 * connection, which must always go the same way.
 *
 * @return
 *   As choice_pick().
 */
uint32_t choice_by_hash(const struct choice *choice, const struct choice_load *load, uint64_t hash);

#endif /* CHOICE_H */
