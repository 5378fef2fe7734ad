/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TRANSMIT_H
#define TRANSMIT_H

/**
 * @file
 * Out of a port in bursts.
 *
 * Packets gather in the worker's buffer of the port and leave when it is full or the burst is
 * over.  What the device does not take is freed and counted (tx_full), and only a generator waits
 * for it (worker.patience_us).  A worker
 * without a transmit queue of its own hands its packets to one that has.
 */

#include <stdint.h>

#include <rte_branch_prediction.h>
#include <rte_mbuf.h>

#include "engine/worker.h"

/**
 * Send packets that answer none, at once, as far as the device takes them; the others stay the
 * caller's, to be tried again or given to transmit_discard().  Each names its port.
 *
 * @return how many it took.
 */
unsigned int transmit_some(
		struct worker *worker, struct rte_mbuf *packets[], unsigned int n, uint8_t port);

/**
 * Empty a port's buffer, and send packets that answer none behind it in the same burst: each burst
 * is a round trip between two cores where the device is memory.
 *
 * @return how many of @p packets the device took; the others stay the caller's.
 */
unsigned int transmit_flush_with(
		struct worker *worker, struct rte_mbuf *packets[], unsigned int n, uint8_t port);

/** Free packets that the device did not take, and count them (tx_full). */
void transmit_discard(
		struct worker *worker, struct rte_mbuf *packets[], unsigned int n, uint8_t port);

/** Empty a port's buffer. */
void transmit_flush_port(struct worker *worker, uint8_t port);

/** Empty every port's buffer, and pass on what other workers gave us to send. */
void transmit_flush(struct worker *worker);

/** Put a packet, counted by the caller, into a port's buffer. */
static inline void
transmit_packet(struct worker *worker, struct rte_mbuf *packet, uint8_t port)
{
	struct worker_transmit *buffer = &worker->transmit[port];

	buffer->packet[buffer->n++] = packet;
	if (unlikely(buffer->n == WORKER_TRANSMIT_MAX))
		transmit_flush_port(worker, port);
}

/** Send received packets, now answers, back through the port that they came from. */
void transmit_replies(
		struct worker *worker, struct rte_mbuf *packets[], unsigned int n, uint8_t port);

/** Send a received packet, now an answer, back through the port it came from. */
static inline void
transmit_reply(struct worker *worker, struct rte_mbuf *packet)
{
	const uint8_t port = (uint8_t)packet->port;

	worker->transmit[port].replies++;
	transmit_packet(worker, packet, port);
}

/** Send a received packet on, by any port. */
static inline void
transmit_forward(struct worker *worker, struct rte_mbuf *packet, uint8_t port)
{
	worker_count(worker, (uint8_t)packet->port, COUNTER_forwards, 1);
	packet->port = port;
	transmit_packet(worker, packet, port);
}

/** Send a packet that answers none directly. */
static inline void
transmit_originated(struct worker *worker, struct rte_mbuf *packet, uint8_t port)
{
	worker->transmit[port].originated++;
	packet->port = port;
	transmit_packet(worker, packet, port);
}

#endif /* TRANSMIT_H */
