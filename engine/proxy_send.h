/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef PROXY_SEND_H
#define PROXY_SEND_H

/**
 * @file
 * Segments of our own to the client or the backend of a connection that is being spliced, or is.
 */

#include "splice/splice.h"
#include "table/conn_table.h"
#include "wire/build.h"

struct rte_mbuf;
struct worker;

/**
 * Send a segment without payload.
 *
 * @param packet
 *   A received packet to be turned into it, or NULL.
 */
void proxy_send(struct worker *worker, const struct conn *conn, enum splice_side to,
		struct rte_mbuf *packet, const struct build_tcp *tcp);

/** Text of our own. */
struct proxy_send_text {
	const uint8_t *bytes;
	unsigned int length;
};

/** Send a segment with text of our own, in a packet of its own. */
void proxy_send_text(struct worker *worker, const struct conn *conn, enum splice_side to,
		const struct build_tcp *tcp, const struct proxy_send_text *text);

/** The way from us to a side. @return false while the next hop's Ethernet address is not known. */
bool proxy_send_path(const struct worker *worker, const struct conn *conn, enum splice_side to,
		struct build_path *path);

/** What a backend's segments, or a client's, are translated to. */
void proxy_send_ends(const struct worker *worker, const struct conn *conn,
		const struct splice *splice, enum splice_side from, struct splice_ends *ends);

/** Of a spliced connection the machine's words are free: TSval that the backend said last; what
 * the client did is TS.Recent. */
#define PROXY_SEND_TSVAL(conn) ((conn)->tcp.snd_una)

/** TSval for the client now, as the machine would say it (burst_env()). */
uint32_t proxy_send_stamp(const struct worker *worker, const struct conn *conn);

/** What the backend takes of a spliced client; we may have taken more than that ourselves. */
uint16_t proxy_send_window(const struct splice *splice);

/** A segment to a client that waits for a backend; the packet as with proxy_send(). */
void proxy_send_client(struct worker *worker, struct conn *conn, struct rte_mbuf *packet,
		uint8_t flags, uint16_t window);

/** Our SYN to the backend that was chosen. */
void proxy_send_syn(struct worker *worker, struct conn *conn, const struct splice *splice);

/** Bytes of the PROXY protocol's header for a connection; 0 is none. */
uint8_t proxy_send_header_length(const struct worker *worker, const struct conn *conn);

/** That header, once more. */
void proxy_send_header(struct worker *worker, struct conn *conn);

/** Say to a side of a spliced connection where we are; the packet as with proxy_send(). */
void proxy_send_challenge(struct worker *worker, const struct conn *conn, enum splice_side to,
		struct rte_mbuf *packet);

/** What the server is not to wait for any longer. */
void proxy_send_reset(struct worker *worker, struct conn *conn, uint32_t seq);

#endif /* PROXY_SEND_H */
