/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef OPENING_H
#define OPENING_H

/**
 * @file
 * The connection that a worker is opening because control asked it to; one at a time.
 *
 * The handshake is timed here, where its segments are, and its end is answered through the
 * worker's mailbox `openings`.  The time limit is kept by the connection's own timer: its delays
 * never reach beyond the limit, and a timeout at the limit finds no retries left.
 */

#include <stdbool.h>
#include <stdint.h>

#include "engine/burst.h"
#include "table/conn_table.h"
#include "tcp/flow_key.h"

struct worker;

/** How an attempt to open a connection ended. */
enum opening_result {
	OPENING_OPENED,
	OPENING_REFUSED,     /**< The peer answered with a reset. */
	OPENING_UNREACHABLE, /**< The peer, or a router, said so by ICMP. */
	OPENING_TIMED_OUT,   /**< Nothing came back, or not enough. */
	OPENING_STOPPED,     /**< The engine, or somebody through control, ended it. */
	OPENING_PORT_USED,   /**< The local port has a connection, or lately had one. */
	OPENING_FULL,        /**< No room in the table. */
};

/** What control asks for. */
struct opening_question {
	struct flow_key key; /**< Active; its packets are steered to this worker. */
	struct burst_origin origin;
	bool reset; /**< Abort as soon as it is open; else close it by FIN. */
	uint32_t timeout_ms;
};

struct opening_answer {
	uint8_t result;        /**< enum opening_result */
	uint32_t handshake_us; /**< From our SYN to the segment that opened or refused. */
};

/** The attempt in progress. */
struct opening {
	struct conn *conn; /**< Until it is open or over; NULL: none. */
	uint64_t began_us;
	uint64_t deadline_us;
	bool reset;
};

/** Begin; the answer follows at once, or in a later turn. */
void opening_begin(struct worker *worker, const struct opening_question *question);

/** A connection of ours opened. @return whether to keep it. */
bool opening_opened(struct worker *worker, const struct conn *conn);

/** A connection ended by an event. */
void opening_ended(struct worker *worker, const struct conn *conn, enum tcp_event event);

/** Whether a timeout of the connection is the last. */
static inline bool
opening_is_late(const struct opening *opening, const struct conn *conn, uint64_t now_us)
{
	return conn != NULL && conn == opening->conn && now_us >= opening->deadline_us;
}

/** How long the connection's timer may run, instead of @p delay_ms. */
static inline uint32_t
opening_patience_ms(const struct opening *opening, const struct conn *conn, uint64_t now_us,
		uint32_t delay_ms)
{
	uint64_t left_ms;

	if (conn != opening->conn || now_us >= opening->deadline_us)
		return delay_ms;
	/* Rounded up, as the millisecond clock is rounded down. */
	left_ms = (opening->deadline_us - now_us) / 1000 + 1;
	return left_ms < delay_ms ? (uint32_t)left_ms : delay_ms;
}

#endif /* OPENING_H */
