/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Echo (RFC 862): what came in waits in a ring until the peer has acknowledged hearing it again.
 *
 * The ring's room is the receive window, so a peer that does not listen stops being listened to.
 */

#include <string.h>

#include <rte_common.h>

#include "echo_buffer.h"
#include "respond_service.h"

/** respond_conn.state of echo. */
struct echo {
	uint32_t ring; /**< 0: none, there is nothing to say. */
	uint32_t last; /**< What is held is the last we say; more input is swallowed. */
};

_Static_assert(sizeof(struct echo) <= RESPOND_STATE_BYTES, "fits respond_conn.state");

static struct echo
echo_load(const struct respond_conn *conn)
{
	struct echo echo;

	memcpy(&echo, conn->state, sizeof(echo));
	return echo;
}

static void
echo_store(struct respond_conn *conn, struct echo echo)
{
	memcpy(conn->state, &echo, sizeof(echo));
}

static bool
echo_open(const struct respond_service *service, struct respond_conn *conn,
		struct echo_buffers *buffers)
{
	struct echo echo = {0};

	if (service->close == RESPOND_CLOSE_AT_ONCE) {
		echo.last = 1;
	} else {
		echo.ring = echo_buffer_take(buffers);
		if (echo.ring == 0)
			return false;
	}
	echo_store(conn, echo);
	return true;
}

static unsigned int
echo_input(const struct respond_service *service, struct respond_conn *conn,
		struct echo_buffers *buffers, const uint8_t *data, size_t length)
{
	struct echo echo = echo_load(conn);
	uint32_t room;

	if (echo.last || length == 0)
		return 0;
	room = echo_buffer_room(buffers, echo.ring);
	echo_buffer_push(buffers, echo.ring, data, (uint32_t)RTE_MIN(length, (size_t)room));
	/* Beyond the window there is no honest echo: end it rather than leave a hole in it. */
	if (service->close == RESPOND_CLOSE_AFTER_REPLY || length > room) {
		echo.last = 1;
		echo_store(conn, echo);
	}
	return 0;
}

static void
echo_peer_closed(struct respond_conn *conn)
{
	struct echo echo = echo_load(conn);

	echo.last = 1;
	echo_store(conn, echo);
}

static uint32_t
echo_held(const struct echo *echo, const struct echo_buffers *buffers)
{
	return echo->ring == 0 ? 0 : echo_buffer_used(buffers, echo->ring);
}

static void
echo_acked(const struct respond_service *service, struct respond_conn *conn,
		struct echo_buffers *buffers, uint32_t acked)
{
	struct echo echo = echo_load(conn);
	uint32_t bytes = RTE_MIN(acked, echo_held(&echo, buffers));

	(void)service;
	if (bytes == 0)
		return;
	echo_buffer_pop(buffers, echo.ring, bytes);
	conn->base += bytes;
}

static uint32_t
echo_ready(const struct respond_service *service, const struct respond_conn *conn,
		struct echo_buffers *buffers, bool *fin)
{
	struct echo echo = echo_load(conn);

	(void)service;
	*fin = echo.last;
	return echo_held(&echo, buffers);
}

static void
echo_fill(const struct respond_service *service, const struct respond_conn *conn,
		struct echo_buffers *buffers, uint32_t offset, uint8_t *to, size_t length)
{
	(void)service;
	echo_buffer_peek(buffers, echo_load(conn).ring, offset, to, (uint32_t)length);
}

static uint32_t
echo_window(const struct respond_service *service, const struct respond_conn *conn,
		struct echo_buffers *buffers)
{
	struct echo echo = echo_load(conn);

	(void)service;
	return echo.ring == 0 ? ECHO_BUFFER_BYTES : echo_buffer_room(buffers, echo.ring);
}

static void
echo_closed(struct respond_conn *conn, struct echo_buffers *buffers)
{
	struct echo echo = echo_load(conn);

	if (echo.ring != 0)
		echo_buffer_give(buffers, echo.ring);
}

const struct respond_kind respond_echo_kind = {
		.open = echo_open,
		.input = echo_input,
		.peer_closed = echo_peer_closed,
		.acked = echo_acked,
		.ready = echo_ready,
		.fill = echo_fill,
		.window = echo_window,
		.closed = echo_closed,
};
