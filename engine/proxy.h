/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef PROXY_H
#define PROXY_H

/**
 * @file
 * mode: proxy: from a client that has proven itself to two handshakes spliced, and to their end.
 *
 * When the client's handshake is complete the TCP machine lets go of the connection: its state is
 * TCP_JOINING while a backend is being asked, TCP_SPLICED once one has answered.  Both live in the
 * client's slot of the connection table, whose tail then is a whole line (struct splice); the
 * backend's segments find the slot by our port (local_ports.h).  There is no second connection and
 * no second machine: of the backend's side nothing can happen but an answer to our SYN, and what a
 * splice translates.
 *
 * What the client says early is held (proxy_held.h) and acknowledged as by any TCP: the second
 * segment at once, one alone only when it has waited.  So a backend that answers quickly makes
 * neither a packet more nor anything that is ours to repeat, and one that is slow no client's timer
 * expire.  A SYN is sent again after 200 ms and given up after 400 more; then another backend is
 * asked, three at most; then the client is reset.
 */

#include <stdbool.h>
#include <stdint.h>

#include "engine/burst.h"
#include "engine/local_ports.h"
#include "engine/proxy_held.h"
#include "splice/splice.h"

struct settings;

/** Bytes of a connection's tail: with a proxy it may become a splice. */
size_t proxy_tail(const struct settings *settings);

/** Until a SYN, or a header, is sent again; twice as long each time. */
#define PROXY_RETRY_MS 200

/** Segments of the largest size that a client may send before a backend has answered. */
#define PROXY_FIRST_SEGMENTS 4

/** A worker's part; there is none until a service is proxied. */
struct proxy {
	struct splice *splice; /**< By slot: the connection table's tails, or apart from them. */
	void *apart;           /**< Holds them then, or NULL. */
	struct local_ports *ports[LOCAL_PORTS_ADDRESSES_MAX];
	struct proxy_held_pool held;
	uint32_t turn; /**< For taking one local address after the other. */
};

/** Whether any service needs it. */
bool proxy_is_wanted(const struct settings *settings);

/** Bytes that it takes of each worker, ports of local addresses included; for sizing. */
uint64_t proxy_footprint(const struct settings *settings);

/** The same for a table of connections that has no room for splices. */
uint64_t proxy_footprint_apart(const struct settings *settings);

/** Packet buffers that each worker may need at once to send what was held; for sizing. */
unsigned int proxy_buffers(const struct settings *settings);

/**
 * Make a worker's part, in worker.made.
 *
 * @param at_start
 *   The table of connections has room for splices.
 * @return 0, or -1 after the reason was logged.
 */
int proxy_create(struct worker *worker, bool at_start);

void proxy_free(struct worker *worker);

/** The splice of a connection. */
static inline struct splice *
proxy_splice(const struct proxy *proxy, const struct conn_table *table, const struct conn *conn)
{
	return &proxy->splice[conn_table_slot(table, conn)];
}

/**
 * The client's handshake is complete: ask a backend.
 *
 * @param rcv_nxt
 *   The client's first number that the backend shall have, whatever the segment brought.
 */
void proxy_open(struct worker *worker, struct burst *burst, unsigned int i, uint32_t rcv_nxt);

/** A segment of the client, or an event, for a connection in TCP_JOINING or TCP_SPLICED. */
void proxy_step(struct worker *worker, struct burst *burst, unsigned int i);

/** A segment of a backend for a connection in TCP_JOINING; the packet is the proxy's then. */
void proxy_answer(struct worker *worker, struct conn *conn, struct burst_returns *returns,
		unsigned int i);

/** A spliced connection is over, and nobody waits for more; it stays until the burst ends. */
void proxy_forget(struct worker *worker, struct conn *conn);

/** A SYN for a live splice, or a SYN-ACK again: say where we are (RFC 5961 4). */
void proxy_challenge(struct worker *worker, struct conn *conn, enum splice_side to,
		struct rte_mbuf *packet);

#endif /* PROXY_H */
