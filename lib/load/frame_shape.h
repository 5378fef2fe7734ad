/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef FRAME_SHAPE_H
#define FRAME_SHAPE_H

/**
 * @file
 * TCP frames to one target that differ in who sends them and in their numbers, and in nothing else.
 *
 * What frame_template.h asks anew for every frame is settled here once: flags, window, options,
 * payload, hence lengths and nearly all of both sums.  A frame is a copy of two cache lines at
 * most, five stores and two foldings.  For frames that every connection sends; the bytes are those
 * of frame_template_write().
 */

#include <stdbool.h>
#include <string.h>

#include "load/frame_template.h"
#include "tcp/flow_key.h"

/** As far as a shape is copied: Ethernet, tag, IPv6 and TCP with all options. */
#define FRAME_SHAPE_BYTES 128

/** Payload is copied in pieces whose size the compiler knows. */
#define FRAME_SHAPE_CHUNK 64

struct frame_shape {
	uint8_t bytes[FRAME_SHAPE_BYTES]; /**< Sender, numbers and checksums are zero. */
	uint64_t tcp_sum;                 /**< Of pseudo-header, header and payload. */
	uint32_t ip_sum;
	uint16_t length;  /**< Of the frame. */
	uint16_t headers; /**< Where the payload begins. */
	uint8_t family;   /**< 4 or 6. */
	uint8_t l3;
	uint8_t l4;
	uint8_t times;                    /**< Where TSval is; 0: no timestamps. */
	bool columns;                     /**< This CPU writes many at once. */
	const struct frame_text *payload; /**< NULL: none. */
} __rte_aligned(64);

/** Frames of one shape that are written together. */
#define FRAME_SHAPE_ROWS 16

struct frame_shape_rows {
	uint32_t n;
	uint32_t tsval; /**< Of all; this and TSecr only where the shape has timestamps. */
	/** Room for FRAME_SHAPE_BYTES, which may all be written to, and for the payload's pieces.
	 */
	uint8_t *to[FRAME_SHAPE_ROWS];
	const struct flow_key *local[FRAME_SHAPE_ROWS]; /**< Address and port are the sender's. */
	uint32_t seq[FRAME_SHAPE_ROWS];
	uint32_t ack[FRAME_SHAPE_ROWS];
	uint32_t tsecr[FRAME_SHAPE_ROWS];
};

_Static_assert(BUILD_HEADERS_MAX <= FRAME_SHAPE_BYTES, "any header fits");

/**
 * Prepare frames to a target.
 *
 * @param tcp
 *   Flags and window; the rest of it does not matter.
 * @param options
 *   Or NULL.
 * @param payload
 *   Kept, and read up to the next multiple of FRAME_SHAPE_CHUNK bytes; or NULL.
 */
void frame_shape_init(struct frame_shape *shape, const struct frame_template *frames,
		const struct frame_tcp *tcp, const struct frame_text *options,
		const struct frame_text *payload);

/** TSval, and TSecr behind it, are in the options from @p offset on, where there are zeroes yet. */
static inline void
frame_shape_set_times(struct frame_shape *shape, unsigned int offset)
{
	shape->times = (uint8_t)(shape->l4 + 20 + offset);
}

/** Write the sender, and fold the IPv4 header's sum. @return what it adds to the TCP sum. */
static inline uint64_t
frame_shape_write_source(const struct frame_shape *shape, uint8_t *to, const uint8_t source[16])
{
	uint8_t *ip = to + shape->l3;
	uint32_t word[4];

	memcpy(word, source, sizeof(word));
	if (shape->family == 4) {
		const rte_be16_t field = checksum_finish((uint64_t)shape->ip_sum + word[3]);

		memcpy(ip + 10, &field, sizeof(field));
		memcpy(ip + 12, &word[3], sizeof(word[3]));
		return word[3];
	}
	memcpy(ip + 8, word, sizeof(word));
	return (uint64_t)word[0] + word[1] + word[2] + word[3];
}

/** What is the same in all frames of a shape. */
static inline void
frame_shape_copy(const struct frame_shape *shape, uint8_t *to)
{
	memcpy(to, shape->bytes, FRAME_SHAPE_BYTES / 2);
	if (shape->headers > FRAME_SHAPE_BYTES / 2)
		memcpy(to + FRAME_SHAPE_BYTES / 2, shape->bytes + FRAME_SHAPE_BYTES / 2,
				FRAME_SHAPE_BYTES / 2);
	if (shape->payload == NULL)
		return;
	for (uint32_t at = 0; at < shape->payload->length; at += FRAME_SHAPE_CHUNK)
		memcpy(to + shape->headers + at, shape->payload->bytes + at, FRAME_SHAPE_CHUNK);
}

/** Write row i. @return its length. */
static inline unsigned int
frame_shape_write(const struct frame_shape *shape, const struct frame_shape_rows *rows, uint32_t i)
{
	const uint32_t numbers[2] = {
			rte_cpu_to_be_32(rows->seq[i]), rte_cpu_to_be_32(rows->ack[i])};
	const struct flow_key *local = rows->local[i];
	uint8_t *to = rows->to[i], *header = to + shape->l4;
	rte_be16_t field;
	uint64_t sum;

	frame_shape_copy(shape, to);
	sum = shape->tcp_sum + frame_shape_write_source(shape, to, local->address);
	sum += (uint64_t)local->port + numbers[0] + numbers[1];
	if (shape->times != 0) {
		const uint32_t times[2] = {
				rte_cpu_to_be_32(rows->tsval), rte_cpu_to_be_32(rows->tsecr[i])};

		sum += (uint64_t)times[0] + times[1];
		memcpy(to + shape->times, times, sizeof(times));
	}
	field = checksum_finish(sum);
	memcpy(header, &local->port, sizeof(local->port));
	memcpy(header + 4, numbers, sizeof(numbers));
	memcpy(header + 16, &field, sizeof(field));
	return shape->length;
}

/** Write frames, whose sums are made all at once; each is shape->length long. */
void frame_shape_write_rows(const struct frame_shape *shape, const struct frame_shape_rows *rows);

#endif /* FRAME_SHAPE_H */
