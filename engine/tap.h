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

/** Copy a burst; use tap_look(). */
void tap_copy(struct worker *worker, struct tap_memory *memory, uint8_t port,
		struct rte_mbuf *const packets[], unsigned int n, enum tap_direction direction);

/** Show a burst to a capture, if there is one. */
static inline void
tap_look(struct worker *worker, uint8_t port, struct rte_mbuf *const packets[], unsigned int n,
		enum tap_direction direction)
{
	struct tap_memory *memory = __atomic_load_n(&worker->tap, __ATOMIC_ACQUIRE);

	if (unlikely(memory != NULL))
		tap_copy(worker, memory, port, packets, n, direction);
}

#endif /* TAP_H */
