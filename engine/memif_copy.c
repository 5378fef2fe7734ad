/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>
#include <unistd.h>

#include <rte_branch_prediction.h>
#include <rte_mempool.h>
#include <rte_prefetch.h>

#include "engine/buffers.h"
#include "engine/memif_copy.h"

/* More are copied in pieces: so many lines can be on their way at once. */
#define COPY_MOST 64
#define LINE      RTE_CACHE_LINE_SIZE

/* Where frames are, or shall be, in the client's memory. */
struct copies {
	unsigned int n;
	uint16_t flags;
	uint8_t *at[COPY_MOST]; /* NULL: nowhere. */
	uint32_t length[COPY_MOST];
};

static inline struct memif_descriptor *
copy_descriptor(const struct memif_queue *queue, const struct memif_ring *ring, uint16_t number)
{
	return (struct memif_descriptor *)(uintptr_t)&ring->descriptor[number & (queue->slots - 1)];
}

/* Whole lines, of which the last one may hold more than is asked for. */
static inline void
copy_lines(uint8_t *to, const uint8_t *from, uint32_t length)
{
	uint32_t done = 0;

	do {
		memcpy(to + done, from + done, LINE);
		done += LINE;
	} while (done < length);
}

/*
 * What descriptors say, all at once; checked.  Whole lines may be read there: behind each region
 * there is one more (memif_server.c).
 */
static inline void
copy_look(const struct memif_queue *queue, const struct memif_ring *ring, uint16_t first,
		struct copies *copies, bool to_write)
{
	copies->flags = 0;
	for (unsigned int i = 0; i < copies->n + LINE / sizeof(struct memif_descriptor) - 1;
			i += LINE / sizeof(struct memif_descriptor)) {
		const struct memif_descriptor *descriptor =
				copy_descriptor(queue, ring, (uint16_t)(first + i));

		if (to_write)
			memif_queue_fetch(descriptor);
		else
			rte_prefetch0(descriptor);
	}
	for (unsigned int i = 0; i < copies->n; i++) {
		const struct memif_descriptor *descriptor =
				copy_descriptor(queue, ring, (uint16_t)(first + i));
		const uint16_t number = descriptor->region;
		const uint32_t length = descriptor->length;
		const uint64_t end = (uint64_t)descriptor->offset + length;
		const struct memif_region *region =
				&queue->region[RTE_MIN(number, MEMIF_REGIONS - 1)];

		copies->flags |= descriptor->flags;
		copies->length[i] = length;
		copies->at[i] = likely(length > 0 && end <= region->bytes)
						? region->base + descriptor->offset
						: NULL;
	}
}

/* Where the last line of a frame begins: mostly there is none between it and the first. */
static inline const void *
copy_last_line(const uint8_t *frame, uint32_t length)
{
	return (const void *)((uintptr_t)frame + ((length - (length > 0)) & ~(LINE - 1u)));
}

static inline void
copy_in(const struct memif_queue *queue, struct rte_mbuf *packet, const uint8_t *from,
		uint32_t length)
{
	memif_queue_make(packet, queue->rearm, length);
	copy_lines(memif_queue_frame(packet), from, length);
}

/* Those that lie nowhere, are too long, or go on in another buffer, are left out. */
static unsigned int
copy_in_some(const struct memif_queue *queue, struct rte_mbuf *packets[],
		const struct copies *copies)
{
	const struct memif_ring *ring = queue->full.ring;
	bool goes_on = false;
	unsigned int kept = 0, left_out = copies->n;
	struct rte_mbuf *unused[COPY_MOST];

	for (unsigned int i = 0; i < copies->n; i++) {
		struct rte_mbuf *packet = packets[i];
		const bool more = (copy_descriptor(queue, ring, (uint16_t)(queue->full.back + i))
								  ->flags &
						  MEMIF_MORE) != 0;

		if (copies->at[i] == NULL || copies->length[i] > queue->room || more || goes_on) {
			unused[--left_out] = packet;
		} else {
			copy_in(queue, packet, copies->at[i], copies->length[i]);
			packets[kept++] = packet;
		}
		goes_on = more;
	}
	rte_mempool_put_bulk(queue->pool, (void *const *)&unused[left_out], copies->n - left_out);
	return kept;
}

static unsigned int
copy_in_burst(struct memif_queue *queue, struct rte_mbuf *packets[], unsigned int most)
{
	struct memif_lent *full = &queue->full;
	struct copies copies;
	bool usual = true;
	unsigned int n;

	copies.n = (uint16_t)(__atomic_load_n(&full->ring->head, __ATOMIC_ACQUIRE) - full->back);
	if (copies.n == 0 || unlikely(copies.n > queue->slots))
		return 0;
	copies.n = RTE_MIN(copies.n, most);
	copies.n = RTE_MIN(copies.n, (unsigned int)COPY_MOST);
	if (unlikely(rte_mempool_get_bulk(queue->pool, (void **)packets, copies.n) != 0)) {
		queue->no_buffers++;
		return 0;
	}
	copy_look(queue, full->ring, full->back, &copies, false);
	for (unsigned int i = 0; i < copies.n; i++) {
		memif_queue_fetch(packets[i]);
		memif_queue_fetch(memif_queue_frame(packets[i]));
		rte_prefetch0(copies.at[i]);
		rte_prefetch0(copy_last_line(copies.at[i], copies.length[i]));
		usual &= copies.at[i] != NULL && copies.length[i] <= queue->room;
	}
	n = copies.n;
	if (likely(usual && (copies.flags & MEMIF_MORE) == 0)) {
		for (unsigned int i = 0; i < n; i++)
			copy_in(queue, packets[i], copies.at[i], copies.length[i]);
	} else {
		n = copy_in_some(queue, packets, &copies);
	}
	full->back += (uint16_t)copies.n;
	__atomic_store_n(&full->ring->tail, full->back, __ATOMIC_RELEASE);
	return n;
}

unsigned int
memif_copy_receive(struct memif_queue *queue, struct rte_mbuf *packets[], unsigned int most)
{
	unsigned int n = 0, some;

	if (unlikely(!__atomic_load_n(queue->up, __ATOMIC_ACQUIRE) || queue->full.ring == NULL))
		return 0;
	do {
		some = copy_in_burst(queue, &packets[n], most - n);
		n += some;
	} while (some == COPY_MOST && n < most);
	return n;
}

/* One frame into a buffer of the client's.  What cannot be is left out: its length is 0. */
static inline void
copy_out(struct rte_mbuf *packet, struct memif_descriptor *descriptor, uint8_t *to, uint32_t room)
{
	const uint32_t length = packet->data_len;

	if (unlikely(to == NULL || length > room || packet->nb_segs != 1)) {
		descriptor->length = 0;
		descriptor->flags = 0;
		return;
	}
	if (likely(length > 0 && RTE_ALIGN_CEIL(length, LINE) <= room &&
			    packet->data_off + RTE_ALIGN_CEIL(length, LINE) <= packet->buf_len))
		copy_lines(to, rte_pktmbuf_mtod(packet, const uint8_t *), length);
	else
		memcpy(to, rte_pktmbuf_mtod(packet, const uint8_t *), length);
	descriptor->length = length;
	descriptor->flags = 0;
}

static unsigned int
copy_out_some(struct memif_queue *queue, struct rte_mbuf *packets[], unsigned int n)
{
	struct memif_lent *empty = &queue->empty;
	struct copies copies;
	unsigned int waiting = (uint16_t)(__atomic_load_n(&empty->ring->head, __ATOMIC_ACQUIRE) -
					  empty->back);

	if (unlikely(waiting > queue->slots))
		return 0;
	copies.n = RTE_MIN(waiting, n);
	copies.n = RTE_MIN(copies.n, (unsigned int)COPY_MOST);
	copy_look(queue, empty->ring, empty->back, &copies, true);
	for (unsigned int i = 0; i < copies.n; i++) {
		memif_queue_fetch(copies.at[i]);
		memif_queue_fetch(copy_last_line(copies.at[i], packets[i]->data_len));
	}
	for (unsigned int i = 0; i < copies.n; i++)
		copy_out(packets[i],
				copy_descriptor(queue, empty->ring, (uint16_t)(empty->back + i)),
				copies.at[i], copies.length[i]);
	empty->back += (uint16_t)copies.n;
	__atomic_store_n(&empty->ring->tail, empty->back, __ATOMIC_RELEASE);
	if (copies.n > 0)
		buffers_free(packets, copies.n);
	return copies.n;
}

unsigned int
memif_copy_transmit(struct memif_queue *queue, struct rte_mbuf *packets[], unsigned int n)
{
	unsigned int sent = 0, some;

	if (unlikely(!__atomic_load_n(queue->up, __ATOMIC_ACQUIRE) || queue->empty.ring == NULL))
		return 0;
	do {
		some = copy_out_some(queue, &packets[sent], n - sent);
		sent += some;
	} while (some > 0 && sent < n);
	memif_queue_wake_up(queue, queue->empty.ring);
	return sent;
}
