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

struct conn;
struct service_share;
struct worker;

/** A connection in SYN_RCVD, with its tail zero where the links are: the newest. */
void half_open_push(struct worker *worker, struct service_share *share, struct conn *conn);

/** Take a connection out, if it is in; the links are zero again. */
void half_open_remove(struct worker *worker, struct service_share *share, struct conn *conn);

/** The oldest; NULL when there is none. */
struct conn *half_open_oldest(const struct worker *worker, const struct service_share *share);

#endif /* HALF_OPEN_H */
