/* SPDX-License-Identifier: BSD-3-Clause */

#include <stddef.h>

#include "engine/engine.h"
#include "engine/resolver.h"
#include "engine/route.h"
#include "engine/services_map.h"
#include "settings/settings_address.h"
#include "tcp/flow_key.h"

/* Our address in the next hop's subnet, else our first one of its family, else NULL. */
static const uint8_t *
route_local(const struct settings_port *settings, const uint8_t next_hop[16])
{
	const struct settings_prefixes *addresses = &settings->addresses;
	const uint8_t *local = NULL;

	for (unsigned int i = 0; i < addresses->count; i++) {
		const struct settings_prefix *prefix = &addresses->item[i];

		if (settings_prefix_holds(prefix, next_hop))
			return prefix->address;
		if (local == NULL &&
				flow_key_is_ipv4(prefix->address) == flow_key_is_ipv4(next_hop))
			local = prefix->address;
	}
	return local;
}

/* The first gateway of the family whose Ethernet address is known, or else the first. */
static const uint8_t *
route_gateway(const struct engine *engine, const struct port *port, bool ipv4)
{
	const struct settings_addresses *gateways = &port->settings->gateways;
	const uint8_t *gateway = NULL;

	for (unsigned int i = 0; i < gateways->count; i++) {
		const uint8_t *address = gateways->item[i];
		unsigned int entry;
		uint8_t mac[6];

		if (flow_key_is_ipv4(address) != ipv4)
			continue;
		if (gateway == NULL)
			gateway = address;
		entry = resolver_find(&engine->resolver, port->index, address);
		if (entry != RESOLVER_NONE && resolver_get(&engine->resolver, entry, mac))
			return address;
	}
	return gateway;
}

/* Whether packets from one of these addresses belong to a port, as the one whose subnet it is in.
 */
static bool
route_is_home(const struct port *port, const struct settings_addresses *from, bool ipv4)
{
	for (unsigned int i = 0; i < from->count; i++) {
		if (flow_key_is_ipv4(from->item[i]) == ipv4 &&
				services_in_subnets(from->item[i], port->settings))
			return true;
	}
	return false;
}

/* The port and the neighbour through which an address is reached. @return NULL: none. */
static const struct port *
route_find_port(const struct engine *engine, const uint8_t address[16],
		const struct settings_addresses *from, const uint8_t **next_hop)
{
	const bool ipv4 = flow_key_is_ipv4(address);
	const struct port *found = NULL;

	for (unsigned int p = 0; p < engine->port_count; p++) {
		*next_hop = address;
		if (services_in_subnets(address, engine->port[p].settings))
			return &engine->port[p];
	}
	for (unsigned int p = 0; p < engine->port_count; p++) {
		const struct port *port = &engine->port[p];
		const uint8_t *gateway = route_gateway(engine, port, ipv4);
		const bool is_home = from != NULL && route_is_home(port, from, ipv4);

		if (gateway == NULL || (found != NULL && !is_home))
			continue;
		*next_hop = gateway;
		found = port;
		if (is_home)
			break;
	}
	return found;
}

bool
route_find(const struct engine *engine, const uint8_t address[16],
		const struct settings_addresses *from, struct route *route)
{
	route->port = route_find_port(engine, address, from, &route->next_hop);
	if (route->port == NULL)
		return false;
	route->local = route_local(route->port->settings, route->next_hop);
	return route->local != NULL;
}
