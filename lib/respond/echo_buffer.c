/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * A pool of byte rings in one piece of memory: a head, what is known of each ring, their users'
 * areas, the bytes.
 *
 * A ring is described apart from its bytes, so that taking and giving one touches sixteen bytes.
 * Free rings are a list through their descriptions, last given first, because that one is still
 * in the cache; rings that were never taken are not in the list but above a mark, so that a
 * large pool costs no memory before it is used.
 */

#include <string.h>

#include <rte_common.h>

#include "echo_buffer.h"

#define ECHO_BUFFER_MASK (ECHO_BUFFER_BYTES - 1)

_Static_assert((ECHO_BUFFER_BYTES & ECHO_BUFFER_MASK) == 0, "positions wrap by masking");

/** What is known of one ring. */
struct echo_ring {
	uint32_t oldest; /**< Position of the oldest byte; only its low bits count. */
	uint32_t used;   /**< Bytes held. */
	uint32_t next;   /**< While free: the next free ring. */
};

/* A line of its own for each, so that an echo that needs none touches none. */
struct echo_area {
	uint8_t bytes[ECHO_BUFFER_AREA_BYTES];
} __rte_cache_aligned;

struct echo_buffers {
	uint8_t *bytes;
	struct echo_area *area; /**< [0] is that of ring number 1, as below. */
	uint32_t rings;
	uint32_t fresh; /**< Rings above this number were never taken. */
	uint32_t free;  /**< First of the rings given back. */
	uint8_t note[ECHO_BUFFER_NOTE_BYTES] __rte_cache_aligned;
	struct echo_ring ring[]; /**< [0] is ring number 1. */
} __rte_cache_aligned;

static size_t
head_bytes(uint32_t rings)
{
	return RTE_ALIGN_CEIL(sizeof(struct echo_buffers) + rings * sizeof(struct echo_ring),
			(size_t)RTE_CACHE_LINE_SIZE);
}

size_t
echo_buffers_footprint(uint32_t rings)
{
	return head_bytes(rings) + rings * (sizeof(struct echo_area) + ECHO_BUFFER_BYTES);
}

struct echo_buffers *
echo_buffers_init(void *memory, uint32_t rings)
{
	struct echo_buffers *buffers = memory;

	buffers->area = RTE_PTR_ADD(memory, head_bytes(rings));
	buffers->bytes = (uint8_t *)(buffers->area + rings);
	buffers->rings = rings;
	buffers->fresh = 0;
	buffers->free = 0;
	memset(buffers->note, 0, sizeof(buffers->note));
	return buffers;
}

static uint8_t *
ring_bytes(const struct echo_buffers *buffers, uint32_t ring)
{
	return buffers->bytes + (size_t)(ring - 1) * ECHO_BUFFER_BYTES;
}

uint32_t
echo_buffer_take(struct echo_buffers *buffers)
{
	uint32_t ring = buffers->free;
	struct echo_ring *taken;

	if (ring != 0)
		buffers->free = buffers->ring[ring - 1].next;
	else if (buffers->fresh < buffers->rings)
		ring = ++buffers->fresh;
	else
		return 0;
	taken = &buffers->ring[ring - 1];
	taken->oldest = 0;
	taken->used = 0;
	return ring;
}

void
echo_buffer_give(struct echo_buffers *buffers, uint32_t ring)
{
	buffers->ring[ring - 1].next = buffers->free;
	buffers->free = ring;
}

uint32_t
echo_buffer_used(const struct echo_buffers *buffers, uint32_t ring)
{
	return buffers->ring[ring - 1].used;
}

uint32_t
echo_buffer_room(const struct echo_buffers *buffers, uint32_t ring)
{
	return ECHO_BUFFER_BYTES - buffers->ring[ring - 1].used;
}

void
echo_buffer_push(struct echo_buffers *buffers, uint32_t ring, const uint8_t *data, uint32_t length)
{
	struct echo_ring *pushed = &buffers->ring[ring - 1];
	uint8_t *bytes = ring_bytes(buffers, ring);
	uint32_t at = (pushed->oldest + pushed->used) & ECHO_BUFFER_MASK;
	uint32_t before_end = RTE_MIN(length, ECHO_BUFFER_BYTES - at);

	memcpy(bytes + at, data, before_end);
	memcpy(bytes, data + before_end, length - before_end);
	pushed->used += length;
}

void
echo_buffer_peek(const struct echo_buffers *buffers, uint32_t ring, uint32_t offset, uint8_t *to,
		uint32_t length)
{
	const uint8_t *bytes = ring_bytes(buffers, ring);
	uint32_t at = (buffers->ring[ring - 1].oldest + offset) & ECHO_BUFFER_MASK;
	uint32_t before_end = RTE_MIN(length, ECHO_BUFFER_BYTES - at);

	memcpy(to, bytes + at, before_end);
	memcpy(to + before_end, bytes, length - before_end);
}

void
echo_buffer_pop(struct echo_buffers *buffers, uint32_t ring, uint32_t length)
{
	struct echo_ring *popped = &buffers->ring[ring - 1];

	popped->oldest += length;
	popped->used -= length;
}

void
echo_buffer_retract(struct echo_buffers *buffers, uint32_t ring, uint32_t length)
{
	buffers->ring[ring - 1].used -= length;
}

void *
echo_buffer_area(struct echo_buffers *buffers, uint32_t ring)
{
	return &buffers->area[ring - 1];
}

void *
echo_buffers_note(struct echo_buffers *buffers)
{
	return buffers->note;
}
