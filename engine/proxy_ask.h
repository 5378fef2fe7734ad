/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef PROXY_ASK_H
#define PROXY_ASK_H

/**
 * @file
 * Asking backends for a client that waits (TCP_JOINING): which one, from which port of ours, with
 * which SYN, how often, and when to give up.  What an answer leads to is proxy.c's.
 *
 * A server that is silent or refuses is never asked twice for one client: those tried are kept in
 * the splice, where the numbers of an answered one will be.
 */

#include "observe/counters.h"
#include "splice/splice.h"
#include "table/conn_table.h"

struct icmp_error;
struct rte_mbuf;
struct worker;

/* While nobody has answered, six members of the splice mean something else. */
#define PROXY_ASK_SINCE_US(splice) ((splice)->limit[SPLICE_SERVER])
#define PROXY_ASK_HELD_TO(splice)  ((splice)->limit[SPLICE_CLIENT])
#define PROXY_ASK_ACKED(splice)    ((splice)->next[SPLICE_SERVER]) /**< What the client heard. */
#define PROXY_ASK_TRIED(splice)    ((splice)->ack)                 /**< Servers' numbers. */
#define PROXY_ASK_TOLD(splice)     ((splice)->our_scale) /**< That the window is closed. */

/** What was agreed upon with the client. */
void proxy_ask_client(
		const struct worker *worker, const struct conn *conn, struct splice_client *client);

/** Call again when the SYN is to be repeated, or an acknowledgement that was put off is due. */
void proxy_ask_schedule(struct worker *worker, struct conn *conn);

/** Tell a client that waits what we hold, and what more it may say; the packet as proxy_send(). */
void proxy_ask_acknowledge(struct worker *worker, struct conn *conn, struct rte_mbuf *packet);

/** Send a SYN to a backend that was not asked yet; without any the client is given up. */
void proxy_ask_server(struct worker *worker, struct conn *conn);

/** The backend refused, or was silent: ask another. */
void proxy_ask_failed(struct worker *worker, struct conn *conn);

/** No answer in time: the SYN once more, or another backend. */
void proxy_ask_timeout(struct worker *worker, struct conn *conn);

/** The backend had an older connection that our RST ends: the SYN once more, if it is the first. */
void proxy_ask_again(struct worker *worker, struct conn *conn);

/** ICMP about our SYN to a backend. @return what the message was */
enum counter proxy_ask_unreachable(
		struct worker *worker, struct conn *conn, const struct icmp_error *error);

#endif /* PROXY_ASK_H */
