/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef ROUTE_H
#define ROUTE_H

/**
 * @file
 * How packets of our own get to an address: which port, from which address of ours, by which
 * neighbour.  For control: settings are walked through, nothing is kept.
 */

#include <stdbool.h>
#include <stdint.h>

#include "engine/port.h"

struct engine;

struct route {
	const struct port *port;
	const uint8_t *local;    /**< Our address, of the same family. */
	const uint8_t *next_hop; /**< The address itself, or a gateway. */
};

/**
 * Find the way: a port in whose subnet the address is, else one with a gateway of its family.
 *
 * @param address
 *   IPv4-mapped; route.next_hop may point to it.
 * @param from
 *   Addresses of ours that will be used: of several ports with a gateway, one in whose subnet is
 *   one of them.  NULL: the first.
 * @return
 *   false when there is none.
 */
bool route_find(const struct engine *engine, const uint8_t address[16],
		const struct settings_addresses *from, struct route *route);

#endif /* ROUTE_H */
