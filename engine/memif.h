/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef MEMIF_H
#define MEMIF_H

/**
 * @file
 * Both ends of a memif, but for a client that copies, which is DPDK's driver.
 *
 * The client's end lends its packet buffers to the server: `zero-copy=yes`.  DPDK's driver takes
 * buffers from the pool one by one, writes both lines of each when it comes and when it goes, and
 * calls a function for each: 107 of the 490 cycles of a connection.  Here buffers pass from ring to
 * pool and back as pointers, unlooked at; what frames and descriptors the other core has written is
 * asked for all at once (memif_queue.h).  The server's end copies (memif_copy.h).
 *
 * No worker can be caught reading what is unmapped: a client's rings stay until it closes, and a
 * server waits for its workers.  A client whose server has gone waits for them, too, takes back
 * what was lent, and connects anew once somebody listens.
 */

#include <stdbool.h>
#include <stddef.h>

#include "engine/memif_copy.h"
#include "engine/memif_message.h"
#include "engine/memif_queue.h"

struct memif_server;
struct rte_mempool;

/** What one is made of; all that it points at outlives it. */
struct memif_plan {
	const char *name; /**< The port's, for the log. */
	const struct settings_device *device;
	unsigned int queues;
	uint8_t port; /**< Engine's number. */
	struct rte_mempool *pool;
	const struct memif_memory *lent; /**< It holds the pool. */
};

/** One such port. */
struct memif {
	bool up;                     /**< Atomic: written by control. */
	struct memif_server *server; /**< NULL: we are the client. */
	struct memif_plan plan;
	int socket; /**< A client's, -1: none. */
	unsigned int queues;
	struct memif_memory rings;
	struct memif_queue *queue;
};

/** Whether a device is a memif of ours: all but a client that copies, which is DPDK's. */
static inline bool
memif_is_ours(const struct settings_device *device)
{
	return device->kind == SETTINGS_DEVICE_MEMIF &&
	       (settings_device_is_zero_copy(device) || !settings_device_is_memif_client(device));
}

/** Memory to be shared, of zeros. @return 0, or -1 with errno. */
int memif_memory_create(struct memif_memory *memory, const char *name, size_t bytes);

void memif_memory_free(struct memif_memory *memory);

/** Connect to the server, which must listen, or be one. @return NULL after the reason and the
 * remedy were logged. */
struct memif *memif_open(const struct memif_plan *plan);

/** Whether the other end is there. */
static inline bool
memif_is_up(const struct memif *memif)
{
	return __atomic_load_n(&memif->up, __ATOMIC_ACQUIRE);
}

/** See whether a client's server has gone or come back; control does, about every second. */
void memif_watch(struct memif *memif);

/** Leave; what is lent goes back to the pool.  After the workers. */
void memif_close(struct memif *memif);

/** Frames that came to a queue. @return how many. */
static inline unsigned int
memif_receive(struct memif *memif, unsigned int queue, struct rte_mbuf *packets[],
		unsigned int most)
{
	return memif->server == NULL ? memif_queue_receive(&memif->queue[queue], packets, most)
				     : memif_copy_receive(&memif->queue[queue], packets, most);
}

/** Send frames. @return how many; the others stay the caller's. */
static inline unsigned int
memif_transmit(struct memif *memif, unsigned int queue, struct rte_mbuf *packets[], unsigned int n)
{
	return memif->server == NULL ? memif_queue_transmit(&memif->queue[queue], packets, n)
				     : memif_copy_transmit(&memif->queue[queue], packets, n);
}

#endif /* MEMIF_H */
