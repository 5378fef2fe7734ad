/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef SERVICE_MAP_H
#define SERVICE_MAP_H

/**
 * @file
 * Our addresses, and which service listens where: built once, then read by every worker.
 *
 * Open addressing over a few hundred entries at most, more than half empty; an address is an entry
 * with port 0, which nobody listens on.  So a listener is found by one probe, and "nobody listens
 * there" and "not ours" are told apart by a second one.  Keys come from our own settings, so the
 * hash needs no secret.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>

#include "table/no_peers.h"

#define SERVICE_MAP_NONE    UINT16_MAX       /**< The address is ours, but nobody listens there. */
#define SERVICE_MAP_FOREIGN (UINT16_MAX - 1) /**< The address is not ours. */

struct service_map_entry {
	uint8_t address[16];
	rte_be16_t port;
	uint16_t service;
};

/** Opaque, but for what is asked of every SYN. */
struct service_map {
	uint32_t mask;  /**< Number of places, a power of two, minus 1. */
	uint32_t spare; /**< Entries that may still be added. */
	struct no_peers no_peers;
	struct service_map_entry entry[];
};

/** Bytes for at least @p entries addresses and listeners together, each listener with an address
 * of its own.
 */
size_t service_map_footprint(unsigned int entries);

/** Lay an empty map out in @p memory, the caller's, aligned to 8 bytes. */
struct service_map *service_map_init(void *memory, unsigned int entries);

/**
 * Say that @p address (16 bytes, IPv4-mapped) is ours.
 *
 * @return 0, or -ENOSPC; adding it again is fine.
 */
int service_map_add_address(struct service_map *map, const uint8_t address[16]);

/**
 * Say that @p address is a subnet's broadcast address: nobody's, and no segment may come from it.
 *
 * @return 0, -EEXIST when it is ours, or -ENOSPC; adding it again is fine.
 */
int service_map_add_broadcast(struct service_map *map, const uint8_t address[16]);

/**
 * Say that @p service listens at @p address and @p port; the address becomes ours.
 *
 * @return 0, -EEXIST when another service has it, -EINVAL for port 0 or a service number that
 * means something else, or -ENOSPC.
 */
int service_map_add_listener(struct service_map *map, const uint8_t address[16], rte_be16_t port,
		uint16_t service);

/** Whether the address is ours. */
bool service_map_is_ours(const struct service_map *map, const uint8_t address[16]);

/** service_map_is_no_peer(), of an address that ends as one that is no peer's. */
bool service_map_has_no_peer(const struct service_map *map, const uint8_t address[16]);

/** Whether no peer has the address, since it is ours or a subnet's broadcast address. */
static inline bool
service_map_is_no_peer(const struct service_map *map, const uint8_t address[16])
{
	return unlikely(no_peers_may_hold(&map->no_peers, address)) &&
	       service_map_has_no_peer(map, address);
}

/** The service at an address and port, SERVICE_MAP_NONE, or SERVICE_MAP_FOREIGN. */
uint16_t service_map_lookup(
		const struct service_map *map, const uint8_t address[16], rte_be16_t port);

#endif /* SERVICE_MAP_H */
