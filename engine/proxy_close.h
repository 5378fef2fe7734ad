/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef PROXY_CLOSE_H
#define PROXY_CLOSE_H

/**
 * @file
 * The end of a proxied connection, joining or spliced: when it has been silent for too long, who
 * hears of it, and what is given back.
 */

#include "observe/counters.h"
#include "splice/splice.h"
#include "table/conn_table.h"

struct service;
struct worker;

/** The connection is over; it stays in the table until the burst is. */
void proxy_close(struct worker *worker, struct conn *conn, enum counter how);

/** Let go of the server, and of our port towards it. */
void proxy_close_server(struct worker *worker, struct splice *splice);

/** A spliced connection was silent for so long as proxy_close_after_ms() said. */
void proxy_close_timeout(struct worker *worker, struct conn *conn);

/** End it now: whoever still talks is reset. */
void proxy_close_abort(struct worker *worker, struct conn *conn);

/** A spliced connection's close has changed: is it one of its backend's still? */
void proxy_close_count(struct worker *worker, struct splice *splice);

/** How long a spliced connection may be silent, as its close stands. */
uint32_t proxy_close_after_ms(const struct worker *worker, const struct service *service,
		const struct splice *splice);

#endif /* PROXY_CLOSE_H */
