/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef RESPOND_SERVICE_H
#define RESPOND_SERVICE_H

/**
 * @file
 * What the kinds of services have in common; private to lib/respond.
 *
 * Sequence numbers end in respond.c: a kind counts bytes from respond_conn.base.
 */

#include "http_reply.h"
#include "respond.h"

#define RESPOND_STATE_BYTES sizeof(((struct respond_conn *)NULL)->state)

/** Keeps a reply's head within a kilobyte. */
#define RESPOND_CONTENT_TYPE_MAX 255

/** One kind of service: respond.h's functions after their dispatch. */
struct respond_kind {
	bool (*open)(const struct respond_service *service, struct respond_conn *conn,
			struct echo_buffers *buffers);
	unsigned int (*input)(const struct respond_service *service, struct respond_conn *conn,
			struct echo_buffers *buffers, const uint8_t *data, size_t length);
	void (*peer_closed)(struct respond_conn *conn);
	/** @p acked bytes from base have arrived, our FIN counted as one; moves base. */
	void (*acked)(const struct respond_service *service, struct respond_conn *conn,
			struct echo_buffers *buffers, uint32_t acked);
	/** How many bytes behind base are ready. */
	uint32_t (*ready)(const struct respond_service *service, const struct respond_conn *conn,
			struct echo_buffers *buffers, bool *fin);
	void (*fill)(const struct respond_service *service, const struct respond_conn *conn,
			struct echo_buffers *buffers, uint32_t offset, uint8_t *to, size_t length);
	uint32_t (*window)(const struct respond_service *service, const struct respond_conn *conn,
			struct echo_buffers *buffers);
	void (*closed)(struct respond_conn *conn, struct echo_buffers *buffers);
};

struct respond_service {
	const struct respond_kind *kind;
	enum respond_close close;
	uint32_t banner_length;
	char *banner;
	struct http_reply_texts http;
	struct evp_md_st *sha1; /**< With RESPOND_HTTP that serves WebSockets, else NULL. */
};

extern const struct respond_kind respond_echo_kind;
extern const struct respond_kind respond_http_kind;

/** Of the http kind: write a single reply that is owed alone, whose sum is known. @return false:
 * something else is asked for. */
bool respond_http_fill_whole(const struct respond_service *service, const struct respond_conn *conn,
		uint32_t offset, uint8_t *to, size_t length, uint64_t *sum);

#endif /* RESPOND_SERVICE_H */
