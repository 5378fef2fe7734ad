/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef RESPOND_H
#define RESPOND_H

/**
 * @file
 * What a responder service says, as a function of sequence numbers.
 *
 * `discard`, `banner` and `http` keep no send buffer: what they have said can be written again
 * from any sequence number that the peer has not acknowledged, because a reply is one of a few
 * prepared texts and a body that the service holds once.  `echo` keeps what it owes in a ring from
 * a bounded pool (echo_buffer.h) and closes its receive window when that is full; so does a
 * connection of `http` that became a WebSocket, which also echoes (websocket.h).
 *
 * The stream starts at snd_una when the connection opens (ISS + 1).  The caller promises: bytes are
 * given to respond_input() in order, once each, never more than respond_window() allowed; a
 * sequence number is reported acknowledged only after it was offered.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What a service answers. */
enum respond_reply {
	RESPOND_DISCARD, /**< Takes everything, says nothing (RFC 863). */
	RESPOND_ECHO,    /**< Says what it hears (RFC 862). */
	RESPOND_BANNER,  /**< Speaks first, then discards. */
	RESPOND_HTTP,    /**< Answers GET and HEAD with a fixed body. */
};

/** Who closes first. */
enum respond_close {
	RESPOND_CLOSE_PEER,    /**< The peer; we follow its FIN. */
	RESPOND_CLOSE_AT_ONCE, /**< We, as soon as the connection is open (and the banner said). */
	RESPOND_CLOSE_AFTER_REPLY, /**< We, behind the first reply. */
};

/** Per connection: twelve bytes in the connection's tail.  Zero means not opened. */
struct respond_conn {
	uint32_t base;    /**< Sequence number at which the oldest unfinished reply starts. */
	uint8_t state[8]; /**< The reply's own: request parser and reply queue, or ring number. */
};

_Static_assert(sizeof(struct respond_conn) == 12, "fits the connection's tail");

struct echo_buffers;

/** What to prepare a service from; all pointers are only read during respond_create(). */
struct respond_options {
	enum respond_reply reply;
	enum respond_close close;
	const char *banner; /**< With RESPOND_BANNER; sent as it is. */
	/** With RESPOND_HTTP: the body, or NULL to generate one.  With RESPOND_BANNER and without a
	 * banner: what is said instead, if it is not text. */
	const uint8_t *body;
	size_t body_length;       /**< At most RESPOND_BODY_MAX. */
	const char *content_type; /**< With RESPOND_HTTP; NULL is text/plain. */
	/** With RESPOND_HTTP and RESPOND_CLOSE_PEER: switch to WebSocket when asked to. */
	bool websocket;
};

#define RESPOND_BODY_MAX (1u << 20)

/** The largest window any service offers; a window scale of 2 says it exactly. */
#define RESPOND_WINDOW_BYTES (65535u << 2)

struct respond_service;

/**
 * Prepare a service: format its replies, copy or generate its body.
 *
 * @return
 *   An immutable service for any number of workers, free it with respond_free(); NULL with errno
 *   ENOMEM, EINVAL: a text too long, or a content type that is no field value; or ENOTSUP: no
 *   SHA-1 in this libcrypto.
 */
struct respond_service *respond_create(const struct respond_options *options);

void respond_free(struct respond_service *service);

/** Whether two services say the same, byte for byte: a connection cannot tell them apart. */
bool respond_same(const struct respond_service *left, const struct respond_service *right);

/** Whether respond_open() cannot fail. */
bool respond_opens_always(const struct respond_service *service);

/**
 * A connection opened.
 *
 * @param first
 *   Sequence number of the first byte we may say.
 * @param buffers
 *   The worker's echo rings; may be NULL unless the service echoes or serves WebSockets.
 * @return
 *   false when an echo ring was needed and none is free: abort the connection.
 */
bool respond_open(const struct respond_service *service, struct respond_conn *conn, uint32_t first,
		struct echo_buffers *buffers);

/** New bytes came.  @return how many requests they completed, for the counters. */
unsigned int respond_input(const struct respond_service *service, struct respond_conn *conn,
		struct echo_buffers *buffers, const uint8_t *data, size_t length);

/** The peer will send no more (its FIN came). */
void respond_peer_closed(const struct respond_service *service, struct respond_conn *conn);

/** Everything below @p snd_una has arrived. */
void respond_acked(const struct respond_service *service, struct respond_conn *conn,
		struct echo_buffers *buffers, uint32_t snd_una);

/**
 * How far the stream reaches now.
 *
 * @param fin
 *   Set when nothing will ever follow: close behind the last byte.
 * @return
 *   The sequence number after the last byte that is ready.
 */
uint32_t respond_end(const struct respond_service *service, const struct respond_conn *conn,
		struct echo_buffers *buffers, bool *fin);

/** Write the bytes [seq, seq + length) of the stream to @p to; they must be ready. */
void respond_fill(const struct respond_service *service, const struct respond_conn *conn,
		struct echo_buffers *buffers, uint32_t seq, uint8_t *to, size_t length);

/** respond_fill(). @return what the bytes add to an Internet checksum, as checksum_add(). */
uint64_t respond_fill_sum(const struct respond_service *service, const struct respond_conn *conn,
		struct echo_buffers *buffers, uint32_t seq, uint8_t *to, size_t length);

/** How many bytes the service takes now: RCV.WND. */
uint32_t respond_window(const struct respond_service *service, const struct respond_conn *conn,
		struct echo_buffers *buffers);

/** The connection is gone; gives an echo ring back. */
void respond_closed(const struct respond_service *service, struct respond_conn *conn,
		struct echo_buffers *buffers);

#endif /* RESPOND_H */
