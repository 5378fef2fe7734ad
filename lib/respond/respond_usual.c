/* SPDX-License-Identifier: BSD-3-Clause */

#include "echo_buffer.h"
#include "respond_service.h"
#include "respond_usual.h"
#include "wire/checksum.h"

/* Of so many other texts one is remembered: where all differ, learning each would be in vain. */
#define TEXTS_TO_LEARN 16

/* What a connection whose first byte is number 0 has become. */
static struct respond_usual_turn
turn_of(const struct respond_service *service, const struct respond_conn *conn,
		struct echo_buffers *buffers)
{
	struct respond_usual_turn turn = {.state = respond_usual_state(conn)};

	turn.says = respond_end(service, conn, buffers, &turn.fin);
	turn.window = respond_window(service, conn, buffers);
	return turn;
}

/* Whose connections need no ring, and say nothing of their own. */
static bool
is_usual(const struct respond_service *service)
{
	if (service->kind == &respond_http_kind)
		return service->sha1 == NULL;
	return service->kind != &respond_echo_kind && service->banner_length == 0;
}

void
respond_usual_begin(struct respond_usual *usual, const struct respond_service *service,
		struct echo_buffers *buffers)
{
	struct respond_conn conn;

	usual->known = is_usual(service);
	usual->deaf = service->kind != &respond_http_kind;
	usual->again = 0;
	usual->text_length = 0;
	if (!usual->known)
		return;
	respond_open(service, &conn, 0, buffers);
	usual->opened = turn_of(service, &conn, buffers);
	respond_peer_closed(service, &conn);
	usual->closed = turn_of(service, &conn, buffers);
	respond_closed(service, &conn, buffers);
	usual->gone_window = respond_window(service, &conn, buffers);
}

void
respond_usual_learn(struct respond_usual *usual, const struct respond_service *service,
		struct echo_buffers *buffers, const uint8_t *text, size_t length)
{
	struct respond_conn conn;

	if (usual->again++ % TEXTS_TO_LEARN != 0 || length > RESPOND_USUAL_TEXT_MAX)
		return;
	usual->text_length = 0;
	respond_open(service, &conn, 0, buffers);
	usual->requests = respond_input(service, &conn, buffers, text, length);
	usual->asked = turn_of(service, &conn, buffers);
	if (conn.base != 0 || usual->asked.says > RESPOND_USUAL_REPLY_MAX)
		return;
	usual->reply_sum = checksum_fold(respond_fill_sum(
			service, &conn, buffers, 0, usual->reply, usual->asked.says));
	memcpy(usual->text, text, length);
	usual->text_length = (uint16_t)length;
}
