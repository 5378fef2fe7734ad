/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef MEMIF_QUEUE_H
#define MEMIF_QUEUE_H

/**
 * @file
 * A queue of a memif whose packet buffers we lend: a ring of empty buffers that come back with
 * frames in them, and a ring of frames that come back as empty buffers.
 *
 * What comes back belongs to the other process as long as it wants: whatever it says is asked
 * whether it can be, and where a buffer is we know ourselves.
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <rte_mbuf.h>

#define MEMIF_COOKIE         0x3E31F20
#define MEMIF_NO_WAKE_UP     1 /* Flag of a ring: who reads it polls. */
#define MEMIF_LOG2_SLOTS_MAX 14
#define MEMIF_MORE           1 /* Flag of a descriptor: the frame goes on in the next one. */

struct memif_descriptor {
	uint16_t flags;
	uint16_t region;
	uint32_t length;
	uint32_t offset;
	uint32_t metadata;
};

/** As both processes see it. */
struct memif_ring {
	uint32_t cookie;
	uint16_t flags;
	uint16_t head; /**< Atomic: the client's, who lends. */
	uint8_t apart[56];
	uint16_t tail; /**< Atomic: the server's, who gives back. */
	uint8_t apart_too[62];
	struct memif_descriptor descriptor[];
};

_Static_assert(offsetof(struct memif_ring, tail) == 64, "the server's own line");
_Static_assert(offsetof(struct memif_ring, descriptor) == 128, "two lines, then descriptors");

/** One direction: a ring, and which buffers lie in it. */
struct memif_lent {
	struct memif_ring *ring;
	struct rte_mbuf **buffer; /**< One for each place. */
	uint16_t head;            /**< So many were lent, modulo 2^16. */
	uint16_t back;            /**< So many of them have come back. */
};

/** Pieces of memory that a client may share; the last one is none. */
#define MEMIF_REGIONS 257

struct memif_region {
	uint8_t *base;
	size_t bytes; /**< 0: it is none. */
};

/** Belongs to one worker. */
struct memif_queue {
	const bool *up; /**< Whether the other process is there.  Atomic. */
	struct rte_mempool *pool;
	uint8_t *base;                     /**< Of region 1, that holds the pool. */
	const struct memif_region *region; /**< The client's, at the server's end. */
	uint32_t slots;
	uint32_t room;  /**< Bytes of a frame that fit a buffer. */
	uint64_t rearm; /**< What a received buffer's first fields are. */
	struct memif_lent empty;
	struct memif_lent full;
	int event;
	uint64_t no_buffers; /**< How often the pool had none. */
};

/** What a received buffer is. */
static inline void
memif_queue_make(struct rte_mbuf *packet, uint64_t rearm, uint32_t length)
{
	memcpy((uint8_t *)packet + offsetof(struct rte_mbuf, rearm_data), &rearm, sizeof(rearm));
	packet->ol_flags = 0;
	packet->pkt_len = length;
	packet->data_len = (uint16_t)length;
}

/** Where a buffer's frame begins when it is empty, without a look at it. */
static inline uint8_t *
memif_queue_frame(const struct rte_mbuf *buffer)
{
	return (uint8_t *)(uintptr_t)buffer + sizeof(*buffer) + RTE_PKTMBUF_HEADROOM;
}

/**
 * Have a line come here to be read and written: what another core wrote would come to be read
 * only, and a second time for the answer.
 */
static inline void
memif_queue_fetch(const volatile void *line)
{
#ifdef RTE_ARCH_X86
	__asm__ volatile("prefetchw %0" : : "m"(*(const volatile uint8_t *)line));
#else
	__builtin_prefetch((const void *)(uintptr_t)line, 1, 3);
#endif
}

/** Tell the other end of what is in a ring, unless it polls. */
void memif_queue_wake_up(const struct memif_queue *queue, const struct memif_ring *ring);

/** Frames that came. @return how many. */
unsigned int memif_queue_receive(
		struct memif_queue *queue, struct rte_mbuf *packets[], unsigned int most);

/** Lend frames. @return how many; the others stay the caller's. */
unsigned int memif_queue_transmit(
		struct memif_queue *queue, struct rte_mbuf *packets[], unsigned int n);

/** What is lent goes back to the pool, whatever the other process thinks of it. */
void memif_queue_take_back(struct memif_queue *queue);

/** The same, and the rings are empty for the next server. */
void memif_queue_begin_anew(struct memif_queue *queue);

#endif /* MEMIF_QUEUE_H */
