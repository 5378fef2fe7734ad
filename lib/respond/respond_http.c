/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * HTTP/1 with a fixed body: requests are read as they come and become replies owed.
 *
 * Pipelined requests are answered in order (RFC 9112 9.3.2).  The receive window shrinks with what
 * is owed, so that a peer that asks and does not listen runs out of window before we run out of
 * queue; only one that alternates GET and HEAD more often than the queue has runs is told 503 and
 * closed.
 *
 * A connection that becomes a WebSocket takes a ring for what it says from the 101 on, and the
 * queue of what is owed before that moves to the ring's area, so that the ring's number has room in
 * the connection.  A handshake that is read in pieces needs the ring earlier, for the key.
 */

#include <stdio.h>
#include <string.h>

#include <rte_common.h>

#include "echo_buffer.h"
#include "http_reply.h"
#include "http_request.h"
#include "respond_service.h"
#include "websocket.h"
#include "websocket_key.h"

/** In the place of the queue, told from it by what no queue ends with. */
struct http_ring {
	uint32_t mark : 4; /**< HTTP_REPLY_SWITCHING */
	uint32_t number : 28;
};

/** respond_conn.state of http. */
struct http {
	struct http_request request;
	union {
		struct http_reply_queue queue;
		struct http_ring ring;
	};
};

/** What a connection with a ring has in the ring's area. */
struct http_area {
	struct websocket socket;
	struct http_reply_queue queue; /**< What is said before the ring's bytes. */
	struct websocket_key key;      /**< Of the handshake that is being read. */
};

/** What http_input() works on. */
struct http_reading {
	const struct respond_service *service;
	struct echo_buffers *buffers;
	struct http_request request;
	struct http_reply_queue queue;
	struct websocket_key key;
	uint32_t ring; /**< 0: none. */
};

/*
 * The last request that came in one piece, in the worker's note: who asks often asks the same
 * again, and what it deserves need not be read twice.
 */
struct http_seen {
	uint16_t length; /* 0: none. */
	uint8_t reply;   /* enum http_reply */
	bool websocket;  /* Read by a service with WebSockets. */
	uint8_t text[ECHO_BUFFER_NOTE_BYTES - 4];
};

_Static_assert(sizeof(struct http_seen) <= ECHO_BUFFER_NOTE_BYTES, "fits the note");
_Static_assert(sizeof(struct http) == RESPOND_STATE_BYTES, "fits respond_conn.state");
_Static_assert(sizeof(struct http_area) <= ECHO_BUFFER_AREA_BYTES, "fits the ring's area");
_Static_assert(HTTP_REPLY_OWED_MAX *HTTP_REQUEST_BYTES_MIN <= RESPOND_WINDOW_BYTES,
		"the window that respond.h promises as the largest");

/* What was promised to HTTP is there for frames, too. */
#define HTTP_SWITCHING_MAX 256
_Static_assert(HTTP_REPLY_OWED_MAX *HTTP_REQUEST_BYTES_MIN + HTTP_SWITCHING_MAX < ECHO_BUFFER_BYTES,
		"the right edge does not move back when a connection switches");

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

/* NULL without a ring. */
static struct http_area *
http_area(const struct http *http, struct echo_buffers *buffers)
{
	if (http->ring.mark != HTTP_REPLY_SWITCHING)
		return NULL;
	return echo_buffer_area(buffers, http->ring.number);
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

static struct http_reading
http_reading_begin(const struct respond_service *service, const struct http *http,
		struct echo_buffers *buffers)
{
	const struct http_area *area = http_area(http, buffers);
	struct http_reading reading = {
			.service = service, .buffers = buffers, .request = http->request};

	if (area == NULL) {
		reading.queue = http->queue;
	} else {
		reading.queue = area->queue;
		reading.key = area->key;
		reading.ring = http->ring.number;
	}
	return reading;
}

static void
http_reading_end(const struct http_reading *reading, struct http *http)
{
	struct http_area *area;

	http->request = reading->request;
	http->queue = reading->queue;
	if (reading->ring == 0)
		return;
	http->ring = (struct http_ring){
			.mark = HTTP_REPLY_SWITCHING, .number = reading->ring & 0xfffffff};
	area = echo_buffer_area(reading->buffers, reading->ring);
	*area = (struct http_area){.queue = reading->queue, .key = reading->key};
}

static void
http_give_ring(struct http_reading *reading)
{
	if (reading->ring != 0)
		echo_buffer_give(reading->buffers, reading->ring);
	reading->ring = 0;
}

/* @return whether there is a ring; if not, the connection ends with 503. */
static bool
http_take_ring(struct http_reading *reading)
{
	if (reading->ring == 0)
		reading->ring = echo_buffer_take(reading->buffers);
	if (reading->ring != 0)
		return true;
	http_reply_push(&reading->queue, HTTP_REPLY_UNAVAILABLE);
	http_request_stop(&reading->request);
	return false;
}

/* RFC 6455 4.2.2 */
static void
http_switch(struct http_reading *reading)
{
	char accept[WEBSOCKET_ACCEPT_LENGTH + 1], text[HTTP_SWITCHING_MAX];
	int length;

	if (!http_take_ring(reading))
		return;
	if (!websocket_key_accept(&reading->key, reading->service->sha1, accept)) {
		http_give_ring(reading);
		http_reply_push(&reading->queue, HTTP_REPLY_UNAVAILABLE);
		return;
	}
	length = snprintf(text, sizeof(text),
			"HTTP/1.1 101 Switching Protocols\r\nServer: handfast\r\n"
			"Upgrade: websocket\r\nConnection: Upgrade\r\n"
			"Sec-WebSocket-Accept: %s\r\n\r\n",
			accept);
	echo_buffer_push(reading->buffers, reading->ring, (const uint8_t *)text, (uint32_t)length);
	http_request_switch(&reading->request);
}

static enum http_reply
closing(enum http_reply reply)
{
	if (reply == HTTP_REPLY_GET)
		return HTTP_REPLY_GET_CLOSE;
	return reply == HTTP_REPLY_HEAD ? HTTP_REPLY_HEAD_CLOSE : reply;
}

static void
http_reply(struct http_reading *reading, enum http_reply reply)
{
	if (reply == HTTP_REPLY_SWITCHING) {
		http_switch(reading);
	} else {
		if (reading->service->close == RESPOND_CLOSE_AFTER_REPLY)
			reply = closing(reply);
		if (!http_reply_push(&reading->queue, reply) || reply >= HTTP_REPLY_CLOSING)
			http_request_stop(&reading->request);
		http_give_ring(reading);
	}
	reading->key = (struct websocket_key){0};
}

/* As http_request_read(). */
static size_t
http_read(struct http_reading *reading, const uint8_t *data, size_t length, enum http_reply *reply)
{
	const bool websocket = reading->service->sha1 != NULL;
	const bool begins = http_request_is_new(&reading->request) && reading->buffers != NULL;
	struct http_seen *seen = begins ? echo_buffers_note(reading->buffers) : NULL;
	size_t used;

	if (begins && length == seen->length && websocket == seen->websocket &&
			memcmp(data, seen->text, length) == 0) {
		*reply = (enum http_reply)seen->reply;
		if (*reply >= HTTP_REPLY_CLOSING)
			http_request_stop(&reading->request);
		return length;
	}
	used = http_request_read(
			&reading->request, websocket ? &reading->key : NULL, data, length, reply);
	/* A handshake leaves a key. */
	if (begins && used == length && length <= sizeof(seen->text) && *reply != HTTP_REPLY_NONE &&
			*reply != HTTP_REPLY_SWITCHING) {
		memcpy(seen->text, data, length);
		seen->length = (uint16_t)length;
		seen->reply = (uint8_t)*reply;
		seen->websocket = websocket;
	}
	return used;
}

static unsigned int
http_input(const struct respond_service *service, struct respond_conn *conn,
		struct echo_buffers *buffers, const uint8_t *data, size_t length)
{
	struct http http = http_load(conn);
	struct http_reading reading;
	struct http_area *area;
	unsigned int requests = 0;

	if (!http_request_switched(&http.request) && !http_request_stopped(&http.request)) {
		reading = http_reading_begin(service, &http, buffers);
		while (length > 0 && !http_request_switched(&reading.request)) {
			enum http_reply reply;
			size_t used = http_read(&reading, data, length, &reply);

			data += used;
			length -= used;
			if (reply == HTTP_REPLY_NONE)
				continue;
			requests++;
			http_reply(&reading, reply);
		}
		if (reading.key.length > 0)
			http_take_ring(&reading);
		http_reading_end(&reading, &http);
	}
	if (length > 0 && http_request_switched(&http.request)) {
		area = http_area(&http, buffers);
		if (!websocket_read(&area->socket, buffers, http.ring.number, data, length))
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
	struct http_area *area = http_area(&http, buffers);
	uint32_t bytes;

	if (area == NULL) {
		conn->base += http_reply_pop(&service->http, &http.queue, acked);
		http_store(conn, &http);
		return;
	}
	bytes = http_reply_pop(&service->http, &area->queue, acked);
	conn->base += bytes;
	if (http_reply_bytes(&service->http, &area->queue) > 0)
		return;
	bytes = RTE_MIN(acked - bytes, websocket_ready(&area->socket, buffers, http.ring.number));
	echo_buffer_pop(buffers, http.ring.number, bytes);
	conn->base += bytes;
}

static uint32_t
http_ready(const struct respond_service *service, const struct respond_conn *conn,
		struct echo_buffers *buffers, bool *fin)
{
	struct http http = http_load(conn);
	struct http_area *area = http_area(&http, buffers);

	*fin = http_request_stopped(&http.request);
	if (area == NULL)
		return http_reply_bytes(&service->http, &http.queue);
	return http_reply_bytes(&service->http, &area->queue) +
	       websocket_ready(&area->socket, buffers, http.ring.number);
}

static void
http_fill(const struct respond_service *service, const struct respond_conn *conn,
		struct echo_buffers *buffers, uint32_t offset, uint8_t *to, size_t length)
{
	struct http http = http_load(conn);
	struct http_area *area = http_area(&http, buffers);
	uint32_t before, part;

	if (area == NULL) {
		http_reply_fill(&service->http, &http.queue, offset, to, length);
		return;
	}
	before = http_reply_bytes(&service->http, &area->queue);
	if (offset < before) {
		part = RTE_MIN((uint32_t)length, before - offset);
		http_reply_fill(&service->http, &area->queue, offset, to, part);
		offset += part;
		to += part;
		length -= part;
	}
	echo_buffer_peek(buffers, http.ring.number, offset - before, to, (uint32_t)length);
}

bool
respond_http_fill_whole(const struct respond_service *service, const struct respond_conn *conn,
		uint32_t offset, uint8_t *to, size_t length, uint64_t *sum)
{
	const struct http http = http_load(conn);

	return http.ring.mark != HTTP_REPLY_SWITCHING && offset == 0 &&
	       http_reply_fill_whole(&service->http, &http.queue, to, length, sum);
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
	struct http_area *area = http_area(&http, buffers);
	uint32_t room = HTTP_REPLY_OWED_MAX * HTTP_REQUEST_BYTES_MIN;
	uint32_t used;

	(void)service;
	/* What is swallowed never fills up; no window before was larger. */
	if (http_request_stopped(&http.request))
		return ECHO_BUFFER_BYTES;
	if (http_request_switched(&http.request))
		return websocket_window(&area->socket, buffers, http.ring.number);
	used = http_reply_owed(area != NULL ? &area->queue : &http.queue) * HTTP_REQUEST_BYTES_MIN +
	       RTE_MIN((uint32_t)http.request.length, (uint32_t)HTTP_REQUEST_BYTES_MIN);
	return used < room ? room - used : 0;
}

static void
http_closed(struct respond_conn *conn, struct echo_buffers *buffers)
{
	struct http http = http_load(conn);

	if (http_area(&http, buffers) != NULL)
		echo_buffer_give(buffers, http.ring.number);
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
