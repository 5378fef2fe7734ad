/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef HTTP_REPLY_H
#define HTTP_REPLY_H

/**
 * @file
 * The HTTP replies of a service, prepared once, and the queue of those a connection owes.
 *
 * A prepared reply never changes, so any byte of it can be written again at any time: that is what
 * replaces a send buffer.  It is also why there is no Date field (RFC 9110 6.6.1 lets a server
 * without a clock leave it out): a retransmission in the next second would differ from what it
 * repeats.
 *
 * The queue is four bytes.  Replies that keep the connection are of two kinds only, so runs of
 * them alternate and a run is just its length; at most one reply that closes stands behind them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Every reply there is. */
enum http_reply {
	HTTP_REPLY_NONE,
	HTTP_REPLY_GET,  /**< 200 with the body; the connection is kept. */
	HTTP_REPLY_HEAD, /**< The same without the body. */
	HTTP_REPLY_CLOSING,
	HTTP_REPLY_GET_CLOSE = HTTP_REPLY_CLOSING, /**< From here on the connection is closed. */
	HTTP_REPLY_HEAD_CLOSE,
	HTTP_REPLY_BAD_REQUEST,        /**< 400 */
	HTTP_REPLY_METHOD_NOT_ALLOWED, /**< 405 */
	HTTP_REPLY_CONTENT_TOO_LARGE,  /**< 413 */
	HTTP_REPLY_URI_TOO_LONG,       /**< 414 */
	HTTP_REPLY_HEADER_TOO_LARGE,   /**< 431 */
	HTTP_REPLY_NOT_IMPLEMENTED,    /**< 501 */
	HTTP_REPLY_UNAVAILABLE,        /**< 503 */
	HTTP_REPLY_UPGRADE_REQUIRED,   /**< 426 */
	HTTP_REPLY_VERSION,            /**< 505 */
	HTTP_REPLIES,
	/** 101 is no prepared text, it differs from one connection to the next; it ends HTTP. */
	HTTP_REPLY_SWITCHING = HTTP_REPLIES,
};

/** One prepared reply. */
struct http_reply_text {
	char *head; /**< Status line, fields and the empty line. */
	uint32_t head_length;
	uint32_t length;     /**< With the body. */
	uint32_t reciprocal; /**< 2^32 / length, to divide without dividing. */
	uint64_t sum;        /**< checksum_add() of it all. */
};

/** A service's replies; immutable once prepared. */
struct http_reply_texts {
	struct http_reply_text reply[HTTP_REPLIES];
	uint8_t *body;
	uint32_t body_length;
};

/** What is served. */
struct http_reply_content {
	const uint8_t *body; /**< NULL: generate one. */
	size_t body_length;
	const char *type; /**< NULL: text/plain. */
};

/**
 * Prepare the replies of @p content in @p texts, which is all zero.
 *
 * @return
 *   false when out of memory; http_reply_free() in either case.
 */
bool http_reply_prepare(struct http_reply_texts *texts, const struct http_reply_content *content);

void http_reply_free(struct http_reply_texts *texts);

/** Whether all replies are the same. */
bool http_reply_same(const struct http_reply_texts *left, const struct http_reply_texts *right);

#define HTTP_REPLY_RUNS     3
#define HTTP_REPLY_RUN_BITS 9
#define HTTP_REPLY_OWED_MAX 511 /**< Replies owed at once, a closing one not counted. */

/** The replies a connection owes, oldest first; all zero is none. */
struct http_reply_queue {
	uint32_t final : 4; /**< enum http_reply, a prepared closing one, behind all runs. */
	uint32_t kind : 1;  /**< The first run is of HTTP_REPLY_HEAD; then they alternate. */
	uint32_t run_0 : HTTP_REPLY_RUN_BITS; /**< How many replies the first run has, */
	uint32_t run_1 : HTTP_REPLY_RUN_BITS; /**< the second: none unless the first has some, */
	uint32_t run_2 : HTTP_REPLY_RUN_BITS; /**< and the third. */
};

_Static_assert(sizeof(struct http_reply_queue) == 4, "half of respond_conn.state");
_Static_assert(HTTP_REPLY_SWITCHING < 16, "fits http_reply_queue.final");

/**
 * Owe one more reply.  Nothing is added behind a closing one.
 *
 * @return
 *   false when the queue cannot hold it; it then ends with HTTP_REPLY_UNAVAILABLE.
 */
bool http_reply_push(struct http_reply_queue *queue, enum http_reply reply);

/** How many replies are owed, a closing one not counted. */
unsigned int http_reply_owed(const struct http_reply_queue *queue);

/** How many bytes they all are. */
uint32_t http_reply_bytes(
		const struct http_reply_texts *texts, const struct http_reply_queue *queue);

/**
 * Forget the replies that lie wholly in the first @p acked bytes.
 *
 * @return
 *   How many bytes they were.
 */
uint32_t http_reply_pop(const struct http_reply_texts *texts, struct http_reply_queue *queue,
		uint32_t acked);

/** Write the bytes [offset, offset + length) of all that is owed. */
void http_reply_fill(const struct http_reply_texts *texts, const struct http_reply_queue *queue,
		uint32_t offset, uint8_t *to, size_t length);

/**
 * Write all that is owed, if it is a single reply of @p length.
 *
 * @param sum
 *   Becomes checksum_add() of it.
 */
bool http_reply_fill_whole(const struct http_reply_texts *texts,
		const struct http_reply_queue *queue, uint8_t *to, size_t length, uint64_t *sum);

#endif /* HTTP_REPLY_H */
