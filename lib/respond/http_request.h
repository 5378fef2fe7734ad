/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

/**
 * @file
 * Reads HTTP/1 requests byte by byte and names the reply each deserves (RFC 9110, RFC 9112).
 *
 * All it remembers between two bytes is four bytes, so a million half-read requests cost four
 * megabytes and a request may be split anywhere.  For that price it knows only what the reply
 * depends on: method, version, Host, persistence, whether content follows and whether a WebSocket
 * is asked for.  It takes no content: requests that announce some are refused and the connection
 * closed, as is everything malformed, because after a message of uncertain length nothing can be
 * read for sure.
 *
 * The key of a WebSocket handshake is the one thing that does not fit into four bytes; the caller
 * keeps it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "http_reply.h"
#include "websocket_key.h"

/** Longest request line and header section, with what precedes it (RFC 9110 5.4). */
#define HTTP_REQUEST_BYTES_MAX 16383

/**
 * Bytes of the shortest request that keeps the connection: "GET / HTTP/1.1\nHost:\n\n".  So many
 * bytes of window never bring more than one reply to keep.
 */
#define HTTP_REQUEST_BYTES_MIN 22

/** Where in a request we are; all zero is before the first. */
struct http_request {
	uint32_t place : 8;   /**< What the next byte is; private to http_request.c. */
	uint32_t length : 14; /**< Bytes of this request so far. */
	uint32_t method : 2;
	uint32_t minor : 1;      /**< HTTP/1.1 (or later), not 1.0. */
	uint32_t close : 1;      /**< Connection: close was seen, */
	uint32_t keep : 1;       /**< or keep-alive. */
	uint32_t host : 1;       /**< A Host field was seen. */
	uint32_t content : 1;    /**< Content is announced. */
	uint32_t upgrade : 1;    /**< Connection: upgrade was seen, */
	uint32_t websocket : 1;  /**< Upgrade: websocket, */
	uint32_t version_13 : 1; /**< and Sec-WebSocket-Version: 13. */
};

_Static_assert(sizeof(struct http_request) == 4, "half of respond_conn.state");
_Static_assert(HTTP_REQUEST_BYTES_MAX < 1 << 14, "fits http_request.length");

/**
 * Read on, to the end of the request or of @p data.
 *
 * @param key
 *   What was read of this request's Sec-WebSocket-Key, all zero at its beginning; NULL when no
 *   WebSocket is served and such a request is like any other.
 * @param reply
 *   What the request deserves, HTTP_REPLY_NONE when it is not complete.  A closing reply may come
 *   before the request ends; after one nothing more is read.
 * @return
 *   How many bytes were used: all, unless there is a reply.
 */
size_t http_request_read(struct http_request *request, struct websocket_key *key,
		const uint8_t *data, size_t length, enum http_reply *reply);

/** Whether nothing of the next request has been read. */
static inline bool
http_request_is_new(const struct http_request *request)
{
	static const struct http_request new;

	return memcmp(request, &new, sizeof(new)) == 0;
}

/** Read nothing any more: what comes is swallowed. */
void http_request_stop(struct http_request *request);

/** Whether nothing is read any more, for whatever reason. */
bool http_request_stopped(const struct http_request *request);

/** HTTP is over on this connection, and what comes is not for http_request_read(). */
void http_request_switch(struct http_request *request);

/** Whether HTTP was left and what follows it still goes on. */
bool http_request_switched(const struct http_request *request);

#endif /* HTTP_REQUEST_H */
