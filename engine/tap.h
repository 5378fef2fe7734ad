/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TAP_H
#define TAP_H

/**
 * @file
 * Copies of packets for `handfast capture`, taken inside the engine.
 *
 * dpdk-dumpcap needs to be a secondary process and so shared memory; this works in every memory
 * mode.  Not armed, it costs a worker one branch for each burst in and out.  Armed, a worker copies
 * into its ring of the shared memory and goes on; filters and files are the reader's work, with the
 * reader's rights.  One capture at a time.
 */

#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>
#include <rte_mbuf.h>

#include "engine/tap_shared.h"
#include "engine/worker.h"

/** What a capture asks for. */
struct tap_wish {
	uint8_t port;       /**< Engine's number, or TAP_ANY. */
	uint8_t directions; /**< enum tap_direction bits. */
	uint32_t snap;
};

/** What came of it. */
enum tap_result {
	TAP_OK,
	TAP_BUSY,      /**< Another capture is running. */
	TAP_NO_MEMORY, /**< Or no room in the run-time directory. */
	TAP_STOPPING,  /**< The engine ends. */
};

/** Arm it; from any of control's threads. */
enum tap_result tap_start(struct engine *engine, const struct tap_wish *wish);

/** Disarm it, if it is armed. */
void tap_stop(struct engine *engine);

/** Disarm it when its reader is gone; control calls it about every second. */
void tap_watch(struct engine *engine);

/** Whether a capture is interested. */
static inline bool
tap_wants(const struct tap_memory *memory, uint8_t port, enum tap_direction direction)
{
	return (memory->port == TAP_ANY || memory->port == port) &&
	       (memory->directions & direction) != 0;
}

/**
 * Copy a burst into free slots, for tap_show() to show: a device frees what it takes, and may take
 * less than all.
 *
 * @return how many found one.
 */
unsigned int tap_copy(struct worker *worker, struct tap_memory *memory, uint8_t port,
		struct rte_mbuf *const packets[], unsigned int n, enum tap_direction direction);

/**
 * Show the reader the first of the packets copied last.
 *
 * @param n
 *   So many of them were received or sent; those without a slot are counted.
 */
void tap_show(struct worker *worker, struct tap_memory *memory, unsigned int copied,
		unsigned int n);

/** Where a worker's packets are copied to; mostly NULL. */
static inline struct tap_memory *
tap_memory_of(const struct worker *worker)
{
	return __atomic_load_n(&worker->tap, __ATOMIC_ACQUIRE);
}

/** Show received packets to a capture, if there is one. */
static inline void
tap_received(struct worker *worker, uint8_t port, struct rte_mbuf *const packets[], unsigned int n)
{
	struct tap_memory *memory = tap_memory_of(worker);

	if (unlikely(memory != NULL) && tap_wants(memory, port, TAP_IN))
		tap_show(worker, memory, tap_copy(worker, memory, port, packets, n, TAP_IN), n);
}

#endif /* TAP_H */
