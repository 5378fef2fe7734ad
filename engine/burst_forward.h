/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BURST_FORWARD_H
#define BURST_FORWARD_H

/**
 * @file
 * The stage behind the lookup: segments of spliced connections, in place and out again.
 *
 * They never reach the TCP machine.  What is left in the burst is everybody else's.
 */

#include "engine/burst.h"
#include "splice/splice.h"

struct port;
struct worker;

/** Translate and send what belongs to spliced connections; give answers of backends to the proxy.
 */
void burst_forward(struct worker *worker, struct burst *burst);

/** One packet, parsed. */
struct burst_forward_packet {
	struct rte_mbuf *packet;
	const struct frame *frame;
	const struct tcp_segment *segment;
};

/** Translate and send one segment of a spliced connection. */
void burst_forward_segment(struct worker *worker, struct conn *conn, enum splice_side from,
		const struct burst_forward_packet *in);

/**
 * A new Ethernet header in front of an IP header inside the packet, which begins with it then, and
 * ends with the IP packet.
 */
void burst_forward_link(struct rte_mbuf *packet, uint8_t *ip, const struct port *port,
		const uint8_t remote_mac[6]);

/** Make the checksum complete that a local kernel has left to a NIC. */
void burst_forward_complete(struct rte_mbuf *packet, const struct frame *frame);

#endif /* BURST_FORWARD_H */
