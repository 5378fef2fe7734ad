/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef WEBSOCKET_H
#define WEBSOCKET_H

/**
 * @file
 * A WebSocket that says what it hears (RFC 6455 5), from a client's bytes into an echo ring.
 *
 * Frames keep their lengths and their fragmentation and lose their masks, so what is said is never
 * longer than what was heard and room in the ring is honest as a receive window.  Payload of any
 * length streams through.  Only a short frame of text is held back until it is complete, so that
 * a wrong one is answered by Close 1007 and not by half an echo.
 *
 * No extensions, no subprotocols.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "echo_buffer.h"
#include "utf8.h"

#define WEBSOCKET_HEADER_MAX 14 /**< A client's: two bytes, long length, masking key. */

/** Between two bytes; all zero is before the first frame. */
struct websocket {
	uint64_t left; /**< Payload bytes of this frame that are still to come. */
	uint16_t held; /**< The newest bytes in the ring, not to be said yet. */
	uint16_t code; /**< Status code of the peer's Close. */
	uint8_t header[WEBSOCKET_HEADER_MAX];
	uint8_t header_length; /**< Bytes of this frame's header so far. */
	uint8_t message;       /**< Opcode of the message under way, 0 between messages. */
	uint8_t mask_at;       /**< Which byte of the masking key is the next. */
	struct utf8 utf8;
};

/**
 * Read what came and put into the ring what is to be said.
 *
 * @return
 *   false when the last was said: after a Close, the peer's or ours.
 */
bool websocket_read(struct websocket *socket, struct echo_buffers *buffers, uint32_t ring,
		const uint8_t *data, size_t length);

/** How many bytes websocket_read() takes now without losing any. */
uint32_t websocket_window(
		const struct websocket *socket, const struct echo_buffers *buffers, uint32_t ring);

/** How many of the ring's bytes may be said. */
uint32_t websocket_ready(
		const struct websocket *socket, const struct echo_buffers *buffers, uint32_t ring);

#endif /* WEBSOCKET_H */
