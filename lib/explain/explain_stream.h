/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef EXPLAIN_STREAM_H
#define EXPLAIN_STREAM_H

/**
 * @file
 * The beginning of what one end of a connection said, put in order.
 *
 * The handshakes above TCP (TLS, WebSocket) are at the beginning, so the first
 * EXPLAIN_STREAM_BYTES are enough; what comes later is not kept.  Bytes that the capture did not
 * keep count as arrived, read as zero, and are known as such.
 */

#include <stdbool.h>
#include <stdint.h>

#define EXPLAIN_STREAM_BYTES  32768
#define EXPLAIN_STREAM_PIECES 16 /**< Islands beyond a gap; more are forgotten. */

struct explain_stream {
	uint8_t *data;
	uint8_t *kept; /**< A bit for each byte of data: it is what was said. */
	uint32_t room;
	uint32_t ready; /**< Bytes in order from the first. */
	unsigned int pieces;
	struct {
		uint32_t from;
		uint32_t to;
	} piece[EXPLAIN_STREAM_PIECES];
};

/** What arrived. */
struct explain_text {
	uint32_t offset; /**< In the stream, from 0. */
	uint32_t length;
	uint32_t captured; /**< How many of them are at @ref bytes. */
	const uint8_t *bytes;
	uint32_t acked; /**< How much of the other end's stream its sender has had. */
};

/** Add a piece. @return false when memory ran out. */
bool explain_stream_add(struct explain_stream *stream, const struct explain_text *text);

/** How many bytes from @p from on, @p most at most, the capture has without one missing. */
uint32_t explain_stream_kept(const struct explain_stream *stream, uint32_t from, uint32_t most);

void explain_stream_free(struct explain_stream *stream);

#endif /* EXPLAIN_STREAM_H */
