/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * HTTP/1 with a fixed body: requests are read as they come and become replies owed.
 *
 * Pipelined requests are answered in order (RFC 9112 9.3.2).  The receive window shrinks with what
 * is owed, so that a peer that asks and does not listen runs out of window before we run out of
 * queue; only one that alternates GET and HEAD more often than the queue has runs is told 503 and
 * closed.
 */

#include <string.h>

#include <rte_common.h>

#include "http_reply.h"
#include "http_request.h"
#include "respond_service.h"

/** respond_conn.state of http. */
struct http {
	struct http_request request;
	struct http_reply_queue queue;
};

_Static_assert(sizeof(struct http) == RESPOND_STATE_BYTES, "fits respond_conn.state");
_Static_assert(HTTP_REPLY_OWED_MAX *HTTP_REQUEST_BYTES_MIN <= RESPOND_WINDOW_BYTES,
		"the window that respond.h promises as the largest");

static struct http
http_load(const struct respond_conn *conn)
{
	struct http http;

	memcpy(&http, conn->state, sizeof(http));
	return http;
}

static void
http_store(struct respond_conn *conn, const struct http *http)
{
	memcpy(conn->state, http, sizeof(*http));
}

static bool
http_open(const struct respond_service *service, struct respond_conn *conn,
		struct echo_buffers *buffers)
{
	struct http http = {0};

	(void)buffers;
	if (service->close == RESPOND_CLOSE_AT_ONCE)
		http_request_stop(&http.request);
	http_store(conn, &http);
	return true;
}

static enum http_reply
closing(enum http_reply reply)
{
	if (reply == HTTP_REPLY_GET)
		return HTTP_REPLY_GET_CLOSE;
	return reply == HTTP_REPLY_HEAD ? HTTP_REPLY_HEAD_CLOSE : reply;
}

static unsigned int
http_input(const struct respond_service *service, struct respond_conn *conn,
		struct echo_buffers *buffers, const uint8_t *data, size_t length)
{
	struct http http = http_load(conn);
	unsigned int requests = 0;

	(void)buffers;
	while (length > 0) {
		enum http_reply reply;
		size_t used = http_request_read(&http.request, data, length, &reply);

		data += used;
		length -= used;
		if (reply == HTTP_REPLY_NONE)
			continue;
		requests++;
		if (service->close == RESPOND_CLOSE_AFTER_REPLY)
			reply = closing(reply);
		if (!http_reply_push(&http.queue, reply) || reply >= HTTP_REPLY_CLOSING)
			http_request_stop(&http.request);
	}
	http_store(conn, &http);
	return requests;
}

/* RFC 9112 9.6: what was asked is still answered; half a request never will be. */
static void
http_peer_closed(struct respond_conn *conn)
{
	struct http http = http_load(conn);

	http_request_stop(&http.request);
	http_store(conn, &http);
}

static void
http_acked(const struct respond_service *service, struct respond_conn *conn,
		struct echo_buffers *buffers, uint32_t acked)
{
	struct http http = http_load(conn);

	(void)buffers;
	conn->base += http_reply_pop(&service->http, &http.queue, acked);
	http_store(conn, &http);
}

static uint32_t
http_ready(const struct respond_service *service, const struct respond_conn *conn,
		struct echo_buffers *buffers, bool *fin)
{
	struct http http = http_load(conn);

	(void)buffers;
	*fin = http_request_stopped(&http.request);
	return http_reply_bytes(&service->http, &http.queue);
}

static void
http_fill(const struct respond_service *service, const struct respond_conn *conn,
		struct echo_buffers *buffers, uint32_t offset, uint8_t *to, size_t length)
{
	struct http http = http_load(conn);

	(void)buffers;
	http_reply_fill(&service->http, &http.queue, offset, to, length);
}

/*
 * Each reply that may still be owed is worth the bytes of the shortest request, and the request in
 * progress has used up its share as it came.  So the right edge never moves back
 * (RFC 9293 3.8.6.2.1), however requests are split.
 */
static uint32_t
http_window(const struct respond_service *service, const struct respond_conn *conn,
		struct echo_buffers *buffers)
{
	struct http http = http_load(conn);
	uint32_t room = HTTP_REPLY_OWED_MAX * HTTP_REQUEST_BYTES_MIN;
	uint32_t used;

	(void)service, (void)buffers;
	if (http_request_stopped(&http.request))
		return room;
	used = http_reply_owed(&http.queue) * HTTP_REQUEST_BYTES_MIN +
	       RTE_MIN((uint32_t)http.request.length, (uint32_t)HTTP_REQUEST_BYTES_MIN);
	return used < room ? room - used : 0;
}

static void
http_closed(struct respond_conn *conn, struct echo_buffers *buffers)
{
	(void)conn, (void)buffers;
}

const struct respond_kind respond_http_kind = {
		.open = http_open,
		.input = http_input,
		.peer_closed = http_peer_closed,
		.acked = http_acked,
		.ready = http_ready,
		.fill = http_fill,
		.window = http_window,
		.closed = http_closed,
};
