/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef PROXY_HELD_H
#define PROXY_HELD_H

/**
 * @file
 * Early segments of clients, kept as they came until a backend has answered.
 */

#include <stdbool.h>

#include "observe/counters.h"
#include "splice/splice.h"
#include "table/conn_table.h"

struct proxy;
struct rte_mbuf;
struct worker;

void proxy_held_init(struct proxy *proxy);

/** Keep one more. @return false when there is no room for it; then the packet is the caller's. */
bool proxy_held_push(struct worker *worker, struct splice *splice, struct rte_mbuf *packet,
		const struct frame *frame);

/** Free all of a connection. */
void proxy_held_drop(struct worker *worker, struct splice *splice, enum counter reason);

/**
 * Send all of a connection to its backend, in order.
 *
 * @param tsval
 *   Of the backend's SYN-ACK.  Early segments echo what we said before there was one, and the
 *   kernel (6.14 and later) takes an ACK of its SYN-ACK only if it echoes just that.
 */
void proxy_held_forward(
		struct worker *worker, struct conn *conn, struct splice *splice, uint32_t tsval);

#endif /* PROXY_HELD_H */
