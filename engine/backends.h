/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BACKENDS_H
#define BACKENDS_H

/**
 * @file
 * The backends of all pools, by number: where they are, how they are, and what goes to them.
 *
 * A number is a backend's for as long as a configuration names it: same pool, same address and
 * port, same number, so that a reload keeps its health, its counts and its connections.  Control
 * gives numbers out and takes them back; a worker may use a number that it has from its snapshot of
 * the services, or from a connection.
 *
 * Three writers, three memories: control writes entries, states and what others count; a worker
 * writes its own struct backends_counts and nobody else's.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "balance/backend.h"
#include "observe/histogram.h"
#include "settings/settings.h"

struct engine;
struct worker;

#define BACKENDS_MAX  SETTINGS_BACKENDS_MAX
#define BACKENDS_NONE UINT32_MAX

/** What a backend's SYN,ACK told of it; a word, so that it is read and written whole. */
struct backends_profile {
	uint16_t mss; /**< 0: nothing is known. */
	uint8_t window_scale;
	bool has_window_scale;
	bool has_sack;
	bool has_timestamps;
	uint8_t reserved[2];
};

_Static_assert(sizeof(struct backends_profile) == sizeof(uint64_t), "one word");

/** Where a backend is; written before its number is known to any worker. */
struct backends_entry {
	uint8_t address[16]; /**< IPv4-mapped. */
	uint8_t local[16];   /**< Our address towards it, of its family. */
	rte_be16_t port;
	uint8_t port_index; /**< The engine port it is behind. */
	uint8_t family;     /**< 4 or 6. */
	uint32_t next_hop;  /**< Its, or its gateway's, entry of the resolver. */
	uint32_t users;     /**< Snapshots that name it; 0: free.  Control's. */
	char pool[SETTINGS_NAME_MAX];
};

/** What a worker did with one backend; made by control when the number is given out. */
struct backends_share {
	uint64_t chosen;               /**< Connections that were to go there. */
	uint64_t opened;               /**< Handshakes that succeeded.  Atomic. */
	uint64_t failed;               /**< Handshakes that did not.  Atomic. */
	struct histogram handshake_us; /**< From our SYN to its SYN,ACK. */
};

/** One worker's counts, by number. */
struct backends_counts {
	uint32_t own[BACKENDS_MAX];    /**< Its connections.  Atomic; written by the worker. */
	uint32_t others[BACKENDS_MAX]; /**< Of all other workers, lately.  Atomic; control's. */
	struct backends_share *share[BACKENDS_MAX]; /**< NULL where no number was given out. */
};

struct backends {
	uint32_t count; /**< Numbers ever given out.  Atomic; grows only. */
	struct backends_entry entry[BACKENDS_MAX];
	uint8_t usable[BACKENDS_MAX];   /**< Whether new connections may go there.  Atomic. */
	uint64_t profile[BACKENDS_MAX]; /**< struct backends_profile.  Atomic. */
	unsigned int pools_down;        /**< Pools with nobody left.  Atomic. */

	pthread_mutex_t control; /**< Among control's threads: for all that follows and above. */
	struct backend health[BACKENDS_MAX];
	bool drained[BACKENDS_MAX]; /**< By hand: backends_drain(). */
	bool is_new[BACKENDS_MAX];  /**< Nothing is known of its health. */
	struct {
		uint64_t opened; /**< As of the last look, over all workers. */
		uint64_t failed;
	} seen[BACKENDS_MAX];
};

/** Make an empty list; NULL when there is no memory. */
struct backends *backends_create(void);

void backends_free(struct backends *backends);

/** Make a worker's counts, on its NUMA node. @return NULL when there is no memory. */
struct backends_counts *backends_counts_create(int numa_node);

void backends_counts_free(struct backends_counts *counts);

/**
 * Find or give out the number of a backend for one more snapshot; by control, which holds
 * backends.control.  When workers exist they get their shares.
 *
 * @return
 *   BACKENDS_NONE after the reason was logged: no way to it, no number, no memory.
 */
unsigned int backends_take(struct engine *engine, const struct settings_pool *pool,
		const struct settings_backend *wanted);

/** One snapshot less names it; the number is free when nobody does and no connection is left. */
void backends_let_go(struct engine *engine, unsigned int number);

/** The Ethernet address of a backend's next hop. @return false while it is not known. */
bool backends_mac(const struct engine *engine, unsigned int number, uint8_t mac[6]);

/** Connections of a backend over all workers. */
uint32_t backends_connections(const struct engine *engine, unsigned int number);

/** Tell every worker what the others have; by control, some times a second. */
void backends_merge(struct engine *engine);

static inline bool
backends_is_usable(const struct backends *backends, unsigned int number)
{
	return __atomic_load_n(&backends->usable[number], __ATOMIC_RELAXED) != 0;
}

/** Whether nothing is known of its health: it was given its number a moment ago. */
static inline bool
backends_is_new(const struct backends *backends, unsigned int number)
{
	return backends->is_new[number];
}

/** What is known of a backend's TCP. */
static inline struct backends_profile
backends_profile(const struct backends *backends, unsigned int number)
{
	const uint64_t word = __atomic_load_n(&backends->profile[number], __ATOMIC_RELAXED);
	struct backends_profile profile;

	memcpy(&profile, &word, sizeof(profile));
	return profile;
}

/** Remember what a SYN,ACK of a backend told; by any thread. */
static inline void
backends_learn(struct backends *backends, unsigned int number,
		const struct backends_profile *profile)
{
	uint64_t word;

	memcpy(&word, profile, sizeof(word));
	if (__atomic_load_n(&backends->profile[number], __ATOMIC_RELAXED) != word)
		__atomic_store_n(&backends->profile[number], word, __ATOMIC_RELAXED);
}

/** Nothing is known of a backend's TCP any more. */
static inline void
backends_forget(struct backends *backends, unsigned int number)
{
	__atomic_store_n(&backends->profile[number], 0, __ATOMIC_RELAXED);
}

/** One that was believed to be over goes on. */
static inline void
backends_continued(struct backends_counts *counts, unsigned int number)
{
	__atomic_store_n(&counts->own[number], counts->own[number] + 1, __ATOMIC_RELAXED);
}

/** A worker's connection is to go to a backend, or came to be counted as one of its. */
static inline void
backends_chosen(struct backends_counts *counts, unsigned int number)
{
	counts->share[number]->chosen++;
	backends_continued(counts, number);
}

/** It is over, or goes to another one. */
static inline void
backends_closed(struct backends_counts *counts, unsigned int number)
{
	__atomic_store_n(&counts->own[number], counts->own[number] - 1, __ATOMIC_RELAXED);
}

/** One more of what control sums up meanwhile; only the worker whose it is writes. */
static inline void
backends_add(uint64_t *count)
{
	__atomic_store_n(count, *count + 1, __ATOMIC_RELAXED);
}

/** A backend completed a handshake, after so long. */
static inline void
backends_opened(struct backends_counts *counts, unsigned int number, uint32_t handshake_us)
{
	backends_add(&counts->share[number]->opened);
	histogram_record(&counts->share[number]->handshake_us, handshake_us, 1);
}

/** A backend refused a handshake or did not answer: a mark. */
static inline void
backends_failed(struct backends_counts *counts, unsigned int number)
{
	backends_add(&counts->share[number]->failed);
}

#endif /* BACKENDS_H */
