/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef FLOW_RULES_H
#define FLOW_RULES_H

/**
 * @file
 * Replies of backends to the worker that asked, by rules in the NIC (rte_flow).
 *
 * A worker may only speak to backends from local ports whose replies its own queue receives.  RSS
 * decides that by a hash, so free ports have to be tried until one fits.  Where the NIC takes
 * rules that match some bits of a port, the low bits of a local port name the queue instead: each
 * class of ports, of each address that a pool has for itself, is one rule.  A NIC that refuses any
 * of them gets none, and RSS decides as before.
 *
 * Only for addresses in `local_addresses`: at any other one clients may be served, and all clients
 * of a service would go to one queue.
 */

#include <stdbool.h>
#include <stdint.h>

#include <rte_byteorder.h>
#include <rte_common.h>

#include "engine/port.h"

/**
 * Into how many classes ports are divided for some workers, a power of two: one each, or so many
 * that none has a quarter more ports than another.
 */
static inline uint32_t
flow_rules_classes(unsigned int workers)
{
	return rte_is_power_of_2(workers) ? workers : rte_align32pow2(4 * workers);
}

/** The queue, and worker, that has a local port. */
static inline unsigned int
flow_rules_queue(unsigned int workers, rte_be16_t local_port)
{
	return (rte_be_to_cpu_16(local_port) & (flow_rules_classes(workers) - 1)) % workers;
}

/**
 * Have a port's NIC bring TCP segments for an address to queues by their destination port.
 *
 * @param port
 *   Started, one queue for each worker; its other steering is by RSS.
 * @param address
 *   IPv4-mapped.
 * @return
 *   Whether it does; if not, the reason was logged and nothing changed.
 */
bool flow_rules_add(const struct port *port, const uint8_t address[16]);

#endif /* FLOW_RULES_H */
