/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef STEERING_H
#define STEERING_H

/**
 * @file
 * Every packet of a flow to the one worker that owns it.
 *
 * Where the NIC spreads flows with RSS and every worker has a queue, only ICMP errors pass here.
 * Everywhere else the owner is computed from the packet and the packet goes there over a
 * single-producer single-consumer ring, in bursts.  Any number of workers, any number of queues.
 *
 * A flow may come in through several ports, and has one owner even so: what is computed here is the
 * same for all of them, and NICs only spread by themselves when all ports' do it alike.
 */

#include <stdbool.h>
#include <stdint.h>

#include "engine/port.h"

struct engine;
struct frame;
struct rte_mbuf;
struct worker;

/** The owner of a flow among @p workers, from its steering hash; multiplication, not modulo. */
static inline unsigned int
steering_owner(uint32_t hash, unsigned int workers)
{
	return (unsigned int)(((uint64_t)hash * workers) >> 32);
}

/**
 * Make the rings between workers, and those to workers that have a transmit queue.
 *
 * @return 0, or -1 after the reason was logged.
 */
int steering_init(struct engine *engine);

/** Free what steering_init() made, with the packets still inside. */
void steering_free(struct engine *engine);

/**
 * Keep our own packets of those just received, hand the others to their owners.
 *
 * @return
 *   How many stay, moved to the front of @p packets.
 */
unsigned int steering_keep_own(struct worker *worker, struct rte_mbuf *packets[], unsigned int n);

/**
 * Hand an ICMP error to whose connection it is about.  NICs hash ports only of TCP itself, so the
 * error comes to any queue; software steering has looked inside before.
 *
 * @return
 *   Whether it went; then it is the other worker's.
 */
bool steering_pass_error(struct worker *worker, struct rte_mbuf *packet, const struct frame *frame);

/** The worker to which packets of a TCP flow go that come in through @p port. */
unsigned int steering_flow_owner(
		const struct engine *engine, const struct port *port, const struct port_flow *flow);

/** Packets that other workers received for us. @return how many, at most @p room. */
unsigned int steering_take(struct worker *worker, struct rte_mbuf *packets[], unsigned int room);

#endif /* STEERING_H */
