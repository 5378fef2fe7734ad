/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef MEMIF_H
#define MEMIF_H

/**
 * @file
 * The client's end of a memif that lends its packet buffers to the server: `zero-copy=yes`.
 *
 * Instead of DPDK's driver, which takes buffers from the pool one by one, writes both lines of each
 * when it comes and when it goes, and calls a function for each: 107 of the 490 cycles of a
 * connection.  Here buffers pass from ring to pool and back as pointers, unlooked at; what frames
 * and descriptors the other core has written is asked for all at once.  And the rings stay mapped
 * when the server leaves, so that no worker can be caught reading them.
 *
 * Every other memif is DPDK's.
 */

#include <stdbool.h>
#include <stddef.h>

#include "engine/memif_message.h"
#include "engine/memif_queue.h"

struct rte_mempool;

/** One such port. */
struct memif {
	bool up; /**< Atomic: written by control. */
	int socket;
	unsigned int queues;
	struct memif_memory rings;
	struct memif_queue *queue;
};

/** What it is made of. */
struct memif_plan {
	const char *name; /**< The port's, for the log. */
	const struct settings_device *device;
	unsigned int queues;
	uint8_t port; /**< Engine's number. */
	struct rte_mempool *pool;
	const struct memif_memory *lent; /**< It holds the pool. */
};

/** Memory to be shared, of zeros. @return 0, or -1 with errno. */
int memif_memory_create(struct memif_memory *memory, const char *name, size_t bytes);

void memif_memory_free(struct memif_memory *memory);

/** Connect to the server. @return NULL after the reason and the remedy were logged. */
struct memif *memif_open(const struct memif_plan *plan);

/** Whether the server is still there; control asks about every second. */
bool memif_look(struct memif *memif);

/** Leave; what is lent goes back to the pool.  After the workers. */
void memif_close(struct memif *memif);

#endif /* MEMIF_H */
