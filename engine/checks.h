/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef CHECKS_H
#define CHECKS_H

/**
 * @file
 * Checks of backends that a worker makes: connections like any other, opened by the TCP table's
 * active role, many at a time.  Who is checked when, and what follows from it, is health.h's.
 *
 * A backend has at most one check at a time, in a struct of its own that changes hands: control
 * fills it in and raises `asked`; the worker to which the answers are steered makes the connection,
 * ends it by RST as soon as it knows (neither side is left with TIME_WAIT), and sets `done`.  A
 * local port belongs to one check at a time, over all workers, so that a segment's port alone tells
 * whose it is: one look into an array also in a flood.
 */

#include <stdbool.h>
#include <stdint.h>

#include "engine/burst.h"
#include "respond/http_status.h"
#include "settings/settings.h"
#include "tcp/flow_key.h"

struct engine;
struct worker;

#define CHECKS_RUNNING_MAX 256 /**< Of one worker at a time; more wait. */
#define CHECKS_RING        SETTINGS_BACKENDS_MAX

_Static_assert(FLOW_KEY_CHECK_NUMBERS >= SETTINGS_BACKENDS_MAX, "every backend has a key");
_Static_assert((CHECKS_RING & (CHECKS_RING - 1)) == 0, "positions wrap");

/** How a check ended. */
enum check_result {
	CHECK_GOOD,
	CHECK_REFUSED,     /**< A reset. */
	CHECK_UNREACHABLE, /**< ICMP says so. */
	CHECK_TIMED_OUT,
	CHECK_CLOSED,     /**< It closed before it had answered. */
	CHECK_BAD_STATUS, /**< HTTP, but neither 2xx nor 3xx. */
	CHECK_NO_HTTP,    /**< Something else answered. */
	CHECK_UNRESOLVED, /**< Its next hop does not answer ARP or neighbour discovery. */
	CHECK_NOT_MADE,   /**< We could not: says nothing of the backend. */
	CHECK_RESULTS,
};

struct check {
	/* The question: control's until it is asked. */
	struct flow_key key; /**< Our end, and FLOW_KEY_ACTIVE | FLOW_KEY_CHECK | backend. */
	struct burst_origin origin;
	uint32_t timeout_ms;
	bool http; /**< Else a handshake is enough. */

	/* The worker's, from then until it is done. */
	struct conn *conn; /**< NULL: not begun, or over. */
	uint64_t began_us;
	struct http_status status;
	bool decided; /**< @ref result is known, the connection is yet to be ended. */

	/* The answer. */
	uint8_t result; /**< enum check_result */
	uint16_t code;  /**< HTTP's. */
	uint32_t took_us;

	uint8_t done; /**< Nobody waits for the worker.  Atomic. */
};

/** A worker's part. */
struct checks {
	uint32_t asked;                       /**< So many were.  Atomic; written by control. */
	uint32_t begun;                       /**< So many of them. */
	uint16_t ring[CHECKS_RING];           /**< Backends. */
	uint16_t running[CHECKS_RUNNING_MAX]; /**< Backends. */
	unsigned int running_count;
	uint32_t looked_ms;
};

/** Have a worker make a check; control's part. */
void checks_ask(struct worker *worker, unsigned int backend);

/** Begin what is asked, end what is decided or late; once a turn. @return whether busy. */
bool checks_serve(struct worker *worker);

/** A check's handshake is done. @return whether to keep the connection. */
bool checks_opened(struct worker *worker, const struct conn *conn);

/** A backend answers. */
void checks_input(struct worker *worker, const struct conn *conn, const uint8_t *data,
		unsigned int length);

/** A backend has no more to say. */
void checks_peer_closed(struct worker *worker, const struct conn *conn);

/** A check's connection ended by an event. */
void checks_ended(struct worker *worker, const struct conn *conn, enum tcp_event event);

#endif /* CHECKS_H */
