/* SPDX-License-Identifier: BSD-3-Clause */

#include <unistd.h>

#include <rte_branch_prediction.h>
#include <rte_mempool.h>
#include <rte_prefetch.h>

#include "engine/buffers.h"
#include "engine/memif_queue.h"

/* Fewer empty buffers than so many are not worth a look at the pool. */
#define QUEUE_REFILL_MIN 32

#define QUEUE_REGION     1

#define QUEUE_PER_LINE   (RTE_CACHE_LINE_SIZE / sizeof(struct memif_descriptor))

static inline uint16_t
queue_at(const struct memif_queue *queue, uint16_t number)
{
	return (uint16_t)(number & (queue->slots - 1));
}

/* How many have come back; 0 where the other end claims more than it has. */
static inline uint16_t
queue_came_back(const struct memif_lent *lent)
{
	const uint16_t tail = __atomic_load_n(&lent->ring->tail, __ATOMIC_ACQUIRE);
	const uint16_t n = (uint16_t)(tail - lent->back);

	return likely(n <= (uint16_t)(lent->head - lent->back)) ? n : 0;
}

static inline void
queue_describe(struct memif_lent *lent, uint16_t place, uint32_t length, uint32_t offset)
{
	lent->ring->descriptor[place] = (struct memif_descriptor){
			.region = QUEUE_REGION, .length = length, .offset = offset};
}

/* @return whether the pool had so many, for places that follow each other. */
static bool
queue_refill(struct memif_queue *queue, uint16_t place, unsigned int n)
{
	struct memif_lent *empty = &queue->empty;

	if (rte_mempool_get_bulk(queue->pool, (void **)&empty->buffer[place], n) != 0) {
		queue->no_buffers++;
		return false;
	}
	for (unsigned int i = 0; i < n; i++)
		queue_describe(empty, (uint16_t)(place + i), queue->room,
				(uint32_t)(memif_queue_frame(empty->buffer[place + i]) -
						queue->base));
	empty->head += (uint16_t)n;
	return true;
}

static void
queue_refill_all(struct memif_queue *queue)
{
	struct memif_lent *empty = &queue->empty;
	unsigned int n = queue->slots - (uint16_t)(empty->head - empty->back);

	if (n < RTE_MIN(queue->slots, (uint32_t)QUEUE_REFILL_MIN))
		return;
	while (n > 0) {
		const uint16_t place = queue_at(queue, empty->head);
		const unsigned int piece = RTE_MIN(n, queue->slots - place);

		if (!queue_refill(queue, place, piece))
			break;
		n -= piece;
	}
	__atomic_store_n(&empty->ring->head, empty->head, __ATOMIC_RELEASE);
}

static void
queue_fetch_all(const struct memif_queue *queue, unsigned int n)
{
	const struct memif_lent *empty = &queue->empty;

	for (unsigned int i = 0; i < n + QUEUE_PER_LINE - 1; i += QUEUE_PER_LINE)
		memif_queue_fetch(&empty->ring->descriptor[queue_at(
				queue, (uint16_t)(empty->back + i))]);
	for (unsigned int i = 0; i < n; i++) {
		const struct rte_mbuf *buffer =
				empty->buffer[queue_at(queue, (uint16_t)(empty->back + i))];

		memif_queue_fetch(memif_queue_frame(buffer));
		memif_queue_fetch(buffer);
	}
}

/* Frames in more than one buffer are longer than an MTU that we have: they are left out. */
static unsigned int
queue_leave_out(struct memif_queue *queue, struct rte_mbuf *packets[], unsigned int n)
{
	bool goes_on = false;
	unsigned int kept = 0;

	for (unsigned int i = 0; i < n; i++) {
		const uint16_t place = queue_at(queue, (uint16_t)(queue->empty.back - n + i));
		const bool more = (queue->empty.ring->descriptor[place].flags & MEMIF_MORE) != 0;

		if (more || goes_on)
			rte_pktmbuf_free(packets[i]);
		else
			packets[kept++] = packets[i];
		goes_on = more;
	}
	return kept;
}

unsigned int
memif_queue_receive(struct memif_queue *queue, struct rte_mbuf *packets[], unsigned int most)
{
	struct memif_lent *empty = &queue->empty;
	unsigned int n;
	uint16_t flags = 0;

	if (unlikely(!__atomic_load_n(queue->up, __ATOMIC_ACQUIRE)))
		return 0;
	n = RTE_MIN((unsigned int)queue_came_back(empty), most);
	queue_fetch_all(queue, n);
	for (unsigned int i = 0; i < n; i++) {
		const uint16_t place = queue_at(queue, (uint16_t)(empty->back + i));
		const struct memif_descriptor *descriptor = &empty->ring->descriptor[place];
		const uint32_t length = RTE_MIN(descriptor->length, queue->room);
		struct rte_mbuf *packet = empty->buffer[place];

		flags |= descriptor->flags;
		memif_queue_make(packet, queue->rearm, length);
		packets[i] = packet;
	}
	empty->back += (uint16_t)n;
	if (unlikely((flags & MEMIF_MORE) != 0))
		n = queue_leave_out(queue, packets, n);
	queue_refill_all(queue);
	return n;
}

/* Buffers that the other end has read go back to the pool as they are. */
static void
queue_reclaim(struct memif_queue *queue, unsigned int n)
{
	struct memif_lent *full = &queue->full;

	while (n > 0) {
		const uint16_t place = queue_at(queue, full->back);
		const unsigned int piece = RTE_MIN(n, queue->slots - place);

		rte_mempool_put_bulk(queue->pool, (void *const *)&full->buffer[place], piece);
		full->back += (uint16_t)piece;
		n -= piece;
	}
}

void
memif_queue_wake_up(const struct memif_queue *queue, const struct memif_ring *ring)
{
	const uint64_t one = 1;

	if (unlikely((ring->flags & MEMIF_NO_WAKE_UP) == 0 &&
			    write(queue->event, &one, sizeof(one)) < 0))
		return; /* It has been told already. */
}

unsigned int
memif_queue_transmit(struct memif_queue *queue, struct rte_mbuf *packets[], unsigned int n)
{
	struct memif_lent *full = &queue->full;
	unsigned int lent = 0;
	uint16_t room;

	if (unlikely(!__atomic_load_n(queue->up, __ATOMIC_ACQUIRE)))
		return 0;
	queue_reclaim(queue, queue_came_back(full));
	room = (uint16_t)(queue->slots - (uint16_t)(full->head - full->back));
	n = RTE_MIN(n, (unsigned int)room);
	for (unsigned int i = 0; i < n; i++) {
		const uint16_t place = queue_at(queue, (uint16_t)(full->head + lent));
		struct rte_mbuf *packet = packets[i];

		if (unlikely(!buffers_is_plain(queue->pool, packet) &&
				    (rte_pktmbuf_linearize(packet) != 0 ||
						    !buffers_is_plain(queue->pool, packet)))) {
			rte_pktmbuf_free(packet);
			continue;
		}
		full->buffer[place] = packet;
		queue_describe(full, place, packet->data_len,
				(uint32_t)(rte_pktmbuf_mtod(packet, uint8_t *) - queue->base));
		lent++;
	}
	full->head += (uint16_t)lent;
	__atomic_store_n(&full->ring->head, full->head, __ATOMIC_RELEASE);
	memif_queue_wake_up(queue, full->ring);
	return n;
}

void
memif_queue_take_back(struct memif_queue *queue)
{
	queue_reclaim(queue, (uint16_t)(queue->full.head - queue->full.back));
	while (queue->empty.back != queue->empty.head)
		rte_mempool_put(queue->pool,
				queue->empty.buffer[queue_at(queue, queue->empty.back++)]);
}

static void
queue_empty(struct memif_lent *lent)
{
	lent->head = 0;
	lent->back = 0;
	__atomic_store_n(&lent->ring->head, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&lent->ring->tail, 0, __ATOMIC_RELAXED);
}

void
memif_queue_begin_anew(struct memif_queue *queue)
{
	memif_queue_take_back(queue);
	queue_empty(&queue->empty);
	queue_empty(&queue->full);
	queue->full.ring->flags = 0; /* Its next reader says whether it polls. */
}
