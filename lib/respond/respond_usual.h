/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef RESPOND_USUAL_H
#define RESPOND_USUAL_H

/**
 * @file
 * What a service makes of what nearly all its connections consist of, asked once and then known: a
 * connection opens, says what the one before it said, and is closed.
 *
 * What a service without rings does depends on its own twelve bytes and on the text that comes,
 * nothing else (respond.h).  So what it did to a connection to which nothing had been said it does
 * to the next one, and who has many of them at once need not ask for each.  Whatever else happens
 * is respond.h's.  That both are the same is tested (tests/unit/test_respond_usual.c).
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "respond.h"

/** The longest text that is remembered, and the longest reply. */
#define RESPOND_USUAL_TEXT_MAX  512
#define RESPOND_USUAL_REPLY_MAX 1536

/** What a connection has become. */
struct respond_usual_turn {
	uint64_t state;  /**< respond_conn.state, as it is in memory. */
	uint32_t says;   /**< Bytes from respond_conn.base on: respond_end(). */
	uint32_t window; /**< respond_window() */
	bool fin;        /**< Nothing follows them. */
};

struct respond_usual {
	bool known;    /**< The service is of those; else nothing below means anything. */
	bool deaf;     /**< Whatever it hears, it stays as it opened. */
	uint8_t again; /**< Texts that were not the one that is remembered; wraps. */
	struct respond_usual_turn opened; /**< The connection is open. */
	struct respond_usual_turn closed; /**< And the peer will send no more. */
	struct respond_usual_turn asked;  /**< Or it sent the text. */
	uint32_t gone_window;             /**< respond_window() after respond_closed(). */
	uint32_t requests;                /**< respond_input() of the text. */
	uint16_t reply_sum;               /**< checksum_fold() of the reply. */
	uint16_t text_length;             /**< 0: none. */
	uint8_t text[RESPOND_USUAL_TEXT_MAX];
	uint8_t reply[RESPOND_USUAL_REPLY_MAX]; /**< asked.says bytes. */
};

/** Ask a service, with @p buffers as for respond_open(). */
void respond_usual_begin(struct respond_usual *usual, const struct respond_service *service,
		struct echo_buffers *buffers);

/** A text that came first on a connection was not the one that is remembered: perhaps it is from
 * now on. */
void respond_usual_learn(struct respond_usual *usual, const struct respond_service *service,
		struct echo_buffers *buffers, const uint8_t *text, size_t length);

/** The state of a connection. */
static inline uint64_t
respond_usual_state(const struct respond_conn *conn)
{
	uint64_t state;

	memcpy(&state, conn->state, sizeof(state));
	return state;
}

/** Let a connection be what it has become. */
static inline void
respond_usual_set(struct respond_conn *conn, uint32_t base, const struct respond_usual_turn *turn)
{
	conn->base = base;
	memcpy(conn->state, &turn->state, sizeof(turn->state));
}

#endif /* RESPOND_USUAL_H */
