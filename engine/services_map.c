/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "engine/log.h"
#include "engine/port.h"
#include "engine/services.h"
#include "engine/services_map.h"

/* Whether @p address is in the subnet of @p prefix. */
static bool
services_in_prefix(const uint8_t address[16], const struct settings_prefix *prefix)
{
	const bool ipv4 = flow_key_is_ipv4(prefix->address);
	const unsigned int bits = prefix->length + (ipv4 ? 96 : 0);
	const unsigned int bytes = bits / 8;
	const uint8_t mask = (uint8_t)(0xff00 >> (bits % 8));

	if (ipv4 != flow_key_is_ipv4(address) || memcmp(address, prefix->address, bytes) != 0)
		return false;
	return bits % 8 == 0 || ((address[bytes] ^ prefix->address[bytes]) & mask) == 0;
}

bool
services_in_subnets(const uint8_t address[16], const struct settings_port *port)
{
	for (unsigned int i = 0; i < port->addresses.count; i++) {
		if (services_in_prefix(address, &port->addresses.item[i]))
			return true;
	}
	return false;
}

/* Whether packets to @p address come in through @p port. */
static bool
services_reached_through(const uint8_t address[16], const struct settings *settings,
		const struct settings_port *port)
{
	if (services_in_subnets(address, port))
		return true;
	for (unsigned int i = 0; i < settings->port_count; i++) {
		if (services_in_subnets(address, &settings->port[i]))
			return false;
	}
	return port->gateways.count > 0;
}

/* fe80::/64 and the interface identifier of RFC 4291 appendix A. */
static void
services_link_local(const struct rte_ether_addr *mac, uint8_t address[16])
{
	memset(address, 0, 16);
	address[0] = 0xfe;
	address[1] = 0x80;
	memcpy(&address[8], &mac->addr_bytes[0], 3);
	address[8] ^= 0x02;
	address[11] = 0xff;
	address[12] = 0xfe;
	memcpy(&address[13], &mac->addr_bytes[3], 3);
}

/*
 * Addresses towards backends are ours, too, whether the port has them itself or not; and those that
 * pools no longer name as long as connections may use them.
 */
static int
services_map_local_addresses(struct service_map *map, const struct engine *engine,
		const struct settings *settings, const struct port *port)
{
	const struct local_addresses *known = &engine->local_addresses;
	int result = 0;

	for (unsigned int i = 0; i < known->count; i++) {
		if (services_reached_through(known->entry[i].address, settings, port->settings))
			result |= service_map_add_address(map, known->entry[i].address);
	}
	for (unsigned int i = 0; i < settings->pool_count; i++) {
		const struct settings_addresses *addresses = &settings->pool[i].local_addresses;

		for (unsigned int j = 0; j < addresses->count; j++) {
			if (services_reached_through(addresses->item[j], settings, port->settings))
				result |= service_map_add_address(map, addresses->item[j]);
		}
	}
	return result;
}

/* The last address of an IPv4 subnet that has more than two, unless it is ours. */
static void
services_map_broadcast(struct service_map *map, const struct settings_prefix *prefix)
{
	uint8_t address[16];
	rte_be32_t last;

	if (!flow_key_is_ipv4(prefix->address) || prefix->length > 30)
		return;
	memcpy(&last, prefix->address + 12, sizeof(last));
	flow_key_map_ipv4(address, last | rte_cpu_to_be_32(UINT32_MAX >> prefix->length));
	service_map_add_broadcast(map, address);
}

int
services_map_port(const struct engine *engine, struct services *services, const struct port *port)
{
	const struct settings *settings = services->settings;
	const struct settings_prefixes *addresses = &port->settings->addresses;
	const unsigned int entries = services->listener_count * 2 + addresses->count * 2 + 1 +
				     LOCAL_PORTS_ADDRESSES_MAX +
				     settings->pool_count * SETTINGS_ADDRESSES_MAX;
	struct service_map *map;
	uint8_t link_local[16];
	void *memory = aligned_alloc(64, RTE_ALIGN_CEIL(service_map_footprint(entries), 64));
	int result = 0;

	if (memory == NULL) {
		log_error(port->settings->name, "out of memory for the service map");
		return -1;
	}
	map = service_map_init(memory, entries);
	services->map[port->index] = map;
	services_link_local(&port->mac, link_local);
	result |= service_map_add_address(map, link_local);
	for (unsigned int i = 0; i < addresses->count; i++)
		result |= service_map_add_address(map, addresses->item[i].address);
	result |= services_map_local_addresses(map, engine, settings, port);
	for (unsigned int i = 0; i < services->listener_count; i++) {
		const struct listener *listener = &services->listener[i];

		if (listener->family == 0 || listener->newest != i)
			continue;
		if (services_reached_through(listener->address, settings, port->settings))
			result |= service_map_add_listener(
					map, listener->address, listener->port, (uint16_t)i);
	}
	if (result != 0)
		log_error(port->settings->name, "two services listen at the same address");
	for (unsigned int i = 0; i < addresses->count; i++)
		services_map_broadcast(map, &addresses->item[i]);
	return result != 0 ? -1 : 0;
}
