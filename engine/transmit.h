/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TRANSMIT_H
#define TRANSMIT_H

/**
 * @file
 * Out of a port in bursts.
 *
 * Packets gather in the worker's buffer of the port and leave when it is full or the burst is
 * over.  What the device does not take is freed and counted (tx_full), never waited for.  A worker
 * without a transmit queue of its own hands its packets to one that has.
 */

#include <stdint.h>

struct rte_mbuf;
struct worker;

/** Send a received packet, now an answer, back through the port it came from. */
void transmit_reply(struct worker *worker, struct rte_mbuf *packet);

/** Send a received packet on, by any port. */
void transmit_forward(struct worker *worker, struct rte_mbuf *packet, uint8_t port);

/** Send a packet that answers none directly. */
void transmit_originated(struct worker *worker, struct rte_mbuf *packet, uint8_t port);

/**
 * Send many packets that answer none, at once; what the device does not take is freed and counted.
 *
 * @return how many it took.
 */
unsigned int transmit_many(
		struct worker *worker, struct rte_mbuf *packets[], unsigned int n, uint8_t port);

/** Empty every port's buffer, and pass on what other workers gave us to send. */
void transmit_flush(struct worker *worker);

#endif /* TRANSMIT_H */
