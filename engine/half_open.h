/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef HALF_OPEN_H
#define HALF_OPEN_H

/**
 * @file
 * A worker's half-open connections of one service, by age, so that the oldest can give way.
 *
 * SYN cookies need no memory, but not every SYN can have one: the service may not want them, the
 * MSS may be too small, the flow's last cookie may still be spent.  Those are kept, and a flood of
 * them must neither grow nor keep newcomers out.  The oldest goes, for of all it is the least
 * likely to be answered: a client answers within a round trip, a spoofed address never (Lemon,
 * "Resisting SYN flood DoS attacks with a SYN cache", 2002).
 *
 * The queue's links lie in the connections' tails, where the responder's state is once they are
 * open.  Those that TCP Fast Open serves before that are not in it; they have a limit of their own.
 */

#include <stdbool.h>

#include "engine/worker.h"

/**
 * Whether the table has no place to spare.  Half-open ones leave some of it free; as a place is
 * free only when the burst is over, it is a burst's worth, if the table is not too small for that.
 */
static inline bool
half_open_is_crowded(const struct worker *worker)
{
	const uint32_t capacity = conn_table_capacity(worker->table);
	const uint32_t spare = RTE_MIN((uint32_t)BURST_MAX, capacity / 16);

	return conn_table_count(worker->table) + spare >= capacity;
}

/** A connection in SYN_RCVD, with its tail zero where the links are: the newest. */
void half_open_push(struct worker *worker, struct service_share *share, struct conn *conn);

/** Many of them, at least one, in their order; the share has counted them already. */
void half_open_push_many(struct worker *worker, struct service_share *share,
		struct conn *const conns[], unsigned int n);

/**
 * The oldest half-open connection of the service gives way, without a word: nobody may be there.
 * It is known as CLOSED at once, and settled like any other that ends in this burst.
 *
 * @return whether there was one.
 */
bool half_open_evict(
		struct worker *worker, const struct service *service, struct service_share *share);

/**
 * Room for one more.  When it is the table that is full, the service that has most half-open
 * connections pays, whosever turn it is: a flood of one keeps nobody out of another.
 *
 * @param proven
 *   The client is there: it takes no place in the backlog.
 */
void half_open_limit(struct worker *worker, const struct flow_key *key, bool proven);

/** A connection came back to SYN_RCVD, out of TIME_WAIT, or out of SYN_SENT (RFC 9293 figure 7). */
void half_open_entered(struct worker *worker, struct conn *conn);

/** Take a connection out, if it is in; the links are zero again. */
void half_open_take_out(struct worker *worker, struct service_share *share, struct conn *conn);

/**
 * A connection left SYN_RCVD.
 *
 * @param early
 *   Its service had it since its SYN.
 */
void half_open_left(struct worker *worker, struct conn *conn, bool early);

#endif /* HALF_OPEN_H */
