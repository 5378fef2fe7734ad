/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef PROXY_HELD_H
#define PROXY_HELD_H

/**
 * @file
 * What clients say before a backend has answered: kept, and given to the backend in order.
 *
 * Text is copied out of its packets into chunks of 256 bytes, one chain per client, from a pool
 * that each worker has for itself (engine.early_memory).  So the bound is one of bytes, whatever
 * the size of segments: who sends a byte at a time fills a chunk like everybody else, and packet
 * buffers, of which the NIC needs all, are never held.  A chain is a piece of the client's stream:
 * what came twice is in it once, and the backend gets it in segments of the size that it takes.
 *
 * What was acknowledged to the client is ours to repeat until the backend has it
 * (SPLICE_OURS); the copies stay that long.  What was not stays the client's to repeat.
 */

#include <stdbool.h>
#include <stdint.h>

#include "splice/splice.h"
#include "table/conn_table.h"

struct proxy_held_chunk;
struct service;
struct settings;
struct worker;

/** A worker's chunks. */
struct proxy_held_pool {
	struct proxy_held_chunk *chunk; /**< Numbered from 1; 0 is none. */
	uint32_t count;
	uint32_t fresh; /**< So many were used, ever. */
	uint32_t free;  /**< The first of those that were used and are not. */
	uint32_t used;
	uint64_t bytes; /**< Of text, now. */
};

/** Bytes of memory for proxy_held_create(). */
uint64_t proxy_held_footprint(const struct settings *settings);

/** Make a pool, all of it zero, for a worker.  @return 0, or -1 without memory. */
int proxy_held_create(const struct worker *worker, struct proxy_held_pool *pool);

/** A piece of the client's stream, next in order. */
struct proxy_held_text {
	const uint8_t *bytes;
	uint32_t length;
	uint32_t urgent; /**< With TCP_URG: how many bytes are to be read at once. */
	uint8_t flags;   /**< TCP_FIN, behind the bytes; TCP_PSH; TCP_URG */
};

/** Keep as much as there is room for. @return how many numbers that is; a FIN has one. */
uint32_t proxy_held_push(
		struct worker *worker, struct splice *splice, const struct proxy_held_text *text);

/** Whether the client's FIN is held. */
bool proxy_held_has_fin(const struct worker *worker, const struct splice *splice);

/**
 * What our SYN-ACK may promise: all that is wanted, or nothing once the pool is nearly used up, so
 * that those who were promised something find it.
 */
uint16_t proxy_held_first_window(const struct worker *worker, const struct service *service);

/** Of so many bytes promised, how many may be said to a client now: all, or 0. */
uint32_t proxy_held_window(const struct worker *worker, uint32_t promised);

/** Forget all of a connection. */
void proxy_held_drop(struct worker *worker, struct splice *splice);

/**
 * The backend has answered: send it what is held.
 *
 * @param mss
 *   The largest text that it takes in a segment.
 */
void proxy_held_begin(struct worker *worker, struct conn *conn, uint32_t mss);

/**
 * A segment passes, while some of what we acknowledged is not the backend's.
 *
 * @param limit
 *   How far the backend let the client send before this segment.
 * @return
 *   Whether it is to be dropped: it says nothing that the client may know.
 */
bool proxy_held_hear(struct worker *worker, struct conn *conn, enum splice_side from,
		const struct tcp_segment *segment, uint32_t limit);

/**
 * A router dropped a segment, as it was too long for the path to the backend (RFC 1191).
 *
 * @param seq
 *   The client's number that the segment began with.
 * @param mss
 *   The largest text that passes in a segment.
 * @return
 *   Whether it was one that we sent of what is held; then all is sent anew, unless it was before.
 */
bool proxy_held_shorten(struct worker *worker, struct conn *conn, uint32_t seq, uint32_t mss);

/** The backend was silent: send it again what is ours. */
void proxy_held_repeat(struct worker *worker, struct conn *conn);

#endif /* PROXY_HELD_H */
