/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef ECHO_BUFFER_H
#define ECHO_BUFFER_H

/**
 * @file
 * A worker's bounded pool of byte rings, for connections that must say again what they heard.
 *
 * Rings are named by number; number 0 means none, so that a zeroed connection has none.
 */

#include <stddef.h>
#include <stdint.h>

#define ECHO_BUFFER_BYTES      16384 /**< Per ring; a power of two. */
#define ECHO_BUFFER_NOTE_BYTES 320   /**< What a worker's services may keep for themselves. */
#define ECHO_BUFFER_AREA_BYTES 64    /**< What a ring's user may keep beside it. */

struct echo_buffers;

/** Bytes for @p rings rings. */
size_t echo_buffers_footprint(uint32_t rings);

/** Lay the pool out in @p memory, the caller's, 64-byte aligned. */
struct echo_buffers *echo_buffers_init(void *memory, uint32_t rings);

/** A free, empty ring, or 0. */
uint32_t echo_buffer_take(struct echo_buffers *buffers);

/** Give a ring back. */
void echo_buffer_give(struct echo_buffers *buffers, uint32_t ring);

/** Bytes held, and room left. */
uint32_t echo_buffer_used(const struct echo_buffers *buffers, uint32_t ring);
uint32_t echo_buffer_room(const struct echo_buffers *buffers, uint32_t ring);

/** Append; @p length must not exceed the room. */
void echo_buffer_push(
		struct echo_buffers *buffers, uint32_t ring, const uint8_t *data, uint32_t length);

/** Copy [offset, offset + length) of what is held, oldest first. */
void echo_buffer_peek(const struct echo_buffers *buffers, uint32_t ring, uint32_t offset,
		uint8_t *to, uint32_t length);

/** Drop the @p length oldest bytes. */
void echo_buffer_pop(struct echo_buffers *buffers, uint32_t ring, uint32_t length);

/** Drop the @p length newest bytes. */
void echo_buffer_retract(struct echo_buffers *buffers, uint32_t ring, uint32_t length);

/** The ring's area, 64-byte aligned; taking a ring leaves it as it was. */
void *echo_buffer_area(struct echo_buffers *buffers, uint32_t ring);

/** The worker's note, 64-byte aligned; all zero at first. */
void *echo_buffers_note(struct echo_buffers *buffers);

#endif /* ECHO_BUFFER_H */
