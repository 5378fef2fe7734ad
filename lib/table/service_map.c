/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The service map: open addressing with linear probing, nothing is ever removed.
 */

#include <errno.h>
#include <string.h>

#include <rte_bitops.h>
#include <rte_branch_prediction.h>
#include <rte_common.h>

#include "table/service_map.h"

/*
 * No entry.  An address that is ours has port 0 and SERVICE_MAP_NONE; one that is a broadcast
 * address has port 0 and a number that is no service's.
 */
#define SERVICE_EMPTY     SERVICE_MAP_FOREIGN
#define SERVICE_BROADCAST (SERVICE_MAP_FOREIGN - 1)

#define PORT_NONE         0

_Static_assert(sizeof(struct service_map_entry) == 20, "no padding");

/* A listener may bring its address along, so two entries each, and as many again empty. */
static uint32_t
places_for(unsigned int entries)
{
	return rte_align32pow2(4 * RTE_MAX(entries, 1U));
}

size_t
service_map_footprint(unsigned int entries)
{
	return sizeof(struct service_map) + places_for(entries) * sizeof(struct service_map_entry);
}

struct service_map *
service_map_init(void *memory, unsigned int entries)
{
	struct service_map *map = memory;
	uint32_t places = places_for(entries);

	memset(map, 0, service_map_footprint(entries));
	map->mask = places - 1;
	map->spare = places / 2;
	for (uint32_t place = 0; place < places; place++)
		map->entry[place].service = SERVICE_EMPTY;
	return map;
}

static inline uint32_t
hash_of(const uint8_t address[16], rte_be16_t port)
{
	uint64_t high;
	uint64_t low;

	memcpy(&high, address, sizeof(high));
	memcpy(&low, address + sizeof(high), sizeof(low));
	low = (low ^ high * UINT64_C(0x9e3779b97f4a7c15) ^ port) * UINT64_C(0xd6e8feb86659fd93);
	return (uint32_t)(low >> 32);
}

/* The place of an address and port, or the empty one where it would go; there always is one. */
static inline uint32_t
place_of(const struct service_map *map, const uint8_t address[16], rte_be16_t port)
{
	uint32_t place = hash_of(address, port) & map->mask;

	for (;;) {
		const struct service_map_entry *entry = &map->entry[place];

		if (likely(entry->service == SERVICE_EMPTY))
			return place;
		if (entry->port == port && memcmp(entry->address, address, 16) == 0)
			return place;
		place = (place + 1) & map->mask;
	}
}

static int
add(struct service_map *map, const uint8_t address[16], rte_be16_t port, uint16_t service)
{
	struct service_map_entry *entry = &map->entry[place_of(map, address, port)];

	if (entry->service != SERVICE_EMPTY)
		return entry->service == service ? 0 : -EEXIST;
	if (map->spare == 0)
		return -ENOSPC;
	map->spare--;
	memcpy(entry->address, address, sizeof(entry->address));
	entry->port = port;
	entry->service = service;
	if (port == PORT_NONE)
		no_peers_add(&map->no_peers, address);
	return 0;
}

int
service_map_add_address(struct service_map *map, const uint8_t address[16])
{
	return add(map, address, PORT_NONE, SERVICE_MAP_NONE);
}

int
service_map_add_broadcast(struct service_map *map, const uint8_t address[16])
{
	return add(map, address, PORT_NONE, SERVICE_BROADCAST);
}

int
service_map_add_listener(struct service_map *map, const uint8_t address[16], rte_be16_t port,
		uint16_t service)
{
	int result;

	if (port == PORT_NONE || service >= SERVICE_BROADCAST)
		return -EINVAL;
	result = service_map_add_address(map, address);
	if (result != 0)
		return result;
	return add(map, address, port, service);
}

bool
service_map_is_ours(const struct service_map *map, const uint8_t address[16])
{
	return map->entry[place_of(map, address, PORT_NONE)].service == SERVICE_MAP_NONE;
}

bool
service_map_has_no_peer(const struct service_map *map, const uint8_t address[16])
{
	return map->entry[place_of(map, address, PORT_NONE)].service != SERVICE_EMPTY;
}

uint16_t
service_map_lookup(const struct service_map *map, const uint8_t address[16], rte_be16_t port)
{
	uint16_t service = map->entry[place_of(map, address, port)].service;

	if (likely(service < SERVICE_BROADCAST))
		return service;
	return service_map_is_ours(map, address) ? SERVICE_MAP_NONE : SERVICE_MAP_FOREIGN;
}
