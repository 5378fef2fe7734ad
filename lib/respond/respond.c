/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Prepares services and hands each call to the kind of service it is for; discard and banner, which
 * need hardly any state, are here too.
 *
 * A kind is a table of functions (respond_service.h).  The calls are per segment, not per byte, and
 * a service's connections all go the same way, so the indirect call is predicted.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include <rte_common.h>

#include "respond_service.h"
#include "wire/checksum.h"

/** respond_conn.state of discard and banner. */
struct talk {
	uint8_t peer_closed;
};

_Static_assert(sizeof(struct talk) <= RESPOND_STATE_BYTES, "fits respond_conn.state");

static bool
talk_open(const struct respond_service *service, struct respond_conn *conn,
		struct echo_buffers *buffers)
{
	(void)service, (void)conn, (void)buffers;
	return true;
}

static unsigned int
talk_input(const struct respond_service *service, struct respond_conn *conn,
		struct echo_buffers *buffers, const uint8_t *data, size_t length)
{
	(void)service, (void)conn, (void)buffers, (void)data, (void)length;
	return 0;
}

static void
talk_peer_closed(struct respond_conn *conn)
{
	const struct talk talk = {.peer_closed = 1};

	memcpy(conn->state, &talk, sizeof(talk));
}

/* The banner is the only reply and stays the oldest: base does not move. */
static void
talk_acked(const struct respond_service *service, struct respond_conn *conn,
		struct echo_buffers *buffers, uint32_t acked)
{
	(void)service, (void)conn, (void)buffers, (void)acked;
}

static uint32_t
talk_ready(const struct respond_service *service, const struct respond_conn *conn,
		struct echo_buffers *buffers, bool *fin)
{
	struct talk talk;

	(void)buffers;
	memcpy(&talk, conn->state, sizeof(talk));
	*fin = talk.peer_closed || service->close == RESPOND_CLOSE_AT_ONCE ||
	       (service->close == RESPOND_CLOSE_AFTER_REPLY && service->banner_length > 0);
	return service->banner_length;
}

static void
talk_fill(const struct respond_service *service, const struct respond_conn *conn,
		struct echo_buffers *buffers, uint32_t offset, uint8_t *to, size_t length)
{
	const size_t left = service->banner_length - RTE_MIN(offset, service->banner_length);
	const size_t there = RTE_MIN(length, left);

	(void)conn, (void)buffers;
	/* A reload may have made the text of a health check shorter than what was sent of it. */
	if (there > 0)
		memcpy(to, service->banner + offset, there);
	memset(to + there, 0, length - there);
}

static uint32_t
talk_window(const struct respond_service *service, const struct respond_conn *conn,
		struct echo_buffers *buffers)
{
	(void)service, (void)conn, (void)buffers;
	return RESPOND_WINDOW_BYTES;
}

static void
talk_closed(struct respond_conn *conn, struct echo_buffers *buffers)
{
	(void)conn, (void)buffers;
}

static const struct respond_kind talk_kind = {
		.open = talk_open,
		.input = talk_input,
		.peer_closed = talk_peer_closed,
		.acked = talk_acked,
		.ready = talk_ready,
		.fill = talk_fill,
		.window = talk_window,
		.closed = talk_closed,
};

static const struct respond_kind *const kinds[] = {
		[RESPOND_DISCARD] = &talk_kind,
		[RESPOND_ECHO] = &respond_echo_kind,
		[RESPOND_BANNER] = &talk_kind,
		[RESPOND_HTTP] = &respond_http_kind,
};

/* What would break the replies' framing, or the arithmetic. */
static bool
options_are_sound(const struct respond_options *options)
{
	const char *type = options->content_type;

	if (options->body_length > RESPOND_BODY_MAX)
		return false;
	if (options->banner != NULL && strlen(options->banner) > RESPOND_BODY_MAX)
		return false;
	if (type == NULL)
		return true;
	if (strlen(type) > RESPOND_CONTENT_TYPE_MAX)
		return false;
	for (; *type != '\0'; type++)
		if (*type < ' ' || *type == 127)
			return false;
	return true;
}

static bool
prepare(struct respond_service *service, const struct respond_options *options)
{
	const struct http_reply_content content = {
			.body = options->body,
			.body_length = options->body_length,
			.type = options->content_type,
	};

	errno = ENOMEM;
	if (options->reply == RESPOND_HTTP) {
		if (!http_reply_prepare(&service->http, &content))
			return false;
		/* A service that closes first has nothing to say behind a 101. */
		if (!options->websocket || options->close != RESPOND_CLOSE_PEER)
			return true;
		service->sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
		errno = ENOTSUP;
		return service->sha1 != NULL;
	}
	if (options->reply == RESPOND_BANNER && options->banner != NULL) {
		service->banner = strdup(options->banner);
		if (service->banner == NULL)
			return false;
		service->banner_length = (uint32_t)strlen(service->banner);
	} else if (options->reply == RESPOND_BANNER && options->body != NULL) {
		service->banner = malloc(options->body_length + 1);
		if (service->banner == NULL)
			return false;
		memcpy(service->banner, options->body, options->body_length);
		service->banner_length = (uint32_t)options->body_length;
	}
	return true;
}

struct respond_service *
respond_create(const struct respond_options *options)
{
	struct respond_service *service;

	if (!options_are_sound(options)) {
		errno = EINVAL;
		return NULL;
	}
	service = calloc(1, sizeof(*service));
	if (service == NULL)
		return NULL;
	service->kind = kinds[options->reply];
	service->close = options->close;
	if (!prepare(service, options)) {
		int error = errno;

		respond_free(service);
		errno = error;
		return NULL;
	}
	return service;
}

void
respond_free(struct respond_service *service)
{
	if (service == NULL)
		return;
	http_reply_free(&service->http);
	EVP_MD_free(service->sha1);
	free(service->banner);
	free(service);
}

bool
respond_same(const struct respond_service *left, const struct respond_service *right)
{
	return left->kind == right->kind && left->close == right->close &&
	       (left->sha1 == NULL) == (right->sha1 == NULL) &&
	       left->banner_length == right->banner_length &&
	       (left->banner_length == 0 ||
			       memcmp(left->banner, right->banner, left->banner_length) == 0) &&
	       http_reply_same(&left->http, &right->http);
}

bool
respond_opens_always(const struct respond_service *service)
{
	return service->kind != &respond_echo_kind;
}

bool
respond_open(const struct respond_service *service, struct respond_conn *conn, uint32_t first,
		struct echo_buffers *buffers)
{
	memset(conn, 0, sizeof(*conn));
	conn->base = first;
	return service->kind->open(service, conn, buffers);
}

unsigned int
respond_input(const struct respond_service *service, struct respond_conn *conn,
		struct echo_buffers *buffers, const uint8_t *data, size_t length)
{
	return service->kind->input(service, conn, buffers, data, length);
}

void
respond_peer_closed(const struct respond_service *service, struct respond_conn *conn)
{
	service->kind->peer_closed(conn);
}

void
respond_acked(const struct respond_service *service, struct respond_conn *conn,
		struct echo_buffers *buffers, uint32_t snd_una)
{
	uint32_t acked = snd_una - conn->base;

	if ((int32_t)acked > 0)
		service->kind->acked(service, conn, buffers, acked);
}

uint32_t
respond_end(const struct respond_service *service, const struct respond_conn *conn,
		struct echo_buffers *buffers, bool *fin)
{
	return conn->base + service->kind->ready(service, conn, buffers, fin);
}

void
respond_fill(const struct respond_service *service, const struct respond_conn *conn,
		struct echo_buffers *buffers, uint32_t seq, uint8_t *to, size_t length)
{
	if (length > 0)
		service->kind->fill(service, conn, buffers, seq - conn->base, to, length);
}

uint64_t
respond_fill_sum(const struct respond_service *service, const struct respond_conn *conn,
		struct echo_buffers *buffers, uint32_t seq, uint8_t *to, size_t length)
{
	uint64_t sum;

	if (service->kind == &respond_http_kind &&
			respond_http_fill_whole(service, conn, seq - conn->base, to, length, &sum))
		return sum;
	respond_fill(service, conn, buffers, seq, to, length);
	return checksum_add(0, to, length);
}

uint32_t
respond_window(const struct respond_service *service, const struct respond_conn *conn,
		struct echo_buffers *buffers)
{
	return service->kind->window(service, conn, buffers);
}

void
respond_closed(const struct respond_service *service, struct respond_conn *conn,
		struct echo_buffers *buffers)
{
	service->kind->closed(conn, buffers);
	memset(conn, 0, sizeof(*conn));
}
