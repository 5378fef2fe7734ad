/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef PORT_H
#define PORT_H

/**
 * @file
 * One network port: what was asked for, what the device can do, and what came of it.
 *
 * Everything a device cannot do is done in software; nothing but the device itself is required of
 * it.  port_open() prints one line that says what was found.
 */

#include <stdbool.h>
#include <stdint.h>

#include <rte_ethdev.h>

#include "engine/device.h"
#include "settings/settings.h"

#define PORT_NONE UINT8_MAX

struct memif;
struct memif_memory;
struct tuple_walk;

/** Packet buffers, and what holds them where they can be lent to other processes. */
struct port_memory {
	struct rte_mempool *pool;
	const struct memif_memory *lent;
};

struct port {
	uint16_t id;         /**< DPDK's number; RTE_MAX_ETHPORTS: it is not DPDK's. */
	struct memif *memif; /**< In place of a device of DPDK's; NULL: it is one. */
	uint8_t index;       /**< Ours: the position in the settings. */
	bool tagged;
	bool software_steering; /**< Packets must be looked at to find their worker. */
	bool hardware_steering; /**< The NIC finds it.  With one worker neither is needed. */
	bool transmit_offload;  /**< The NIC computes checksums. */
	bool receive_offload;   /**< The NIC verifies checksums. */
	bool link_up;           /**< When control looked last. */
	uint16_t vlan;
	uint16_t mtu;
	uint16_t receive_queues;
	uint16_t transmit_queues;
	uint16_t reta_size;               /**< Entries of the NIC's table from hash to queue. */
	uint64_t rss_types;               /**< What the NIC spreads by its ports: RTE_ETH_RSS_... */
	unsigned int parse_flags;         /**< enum parse_flag for every packet of the port. */
	struct rte_ether_addr mac;        /**< Ours. */
	const struct tuple_walk *sources; /**< More addresses of ours; NULL: none. */
	const struct settings_port *settings;
	struct device device;
	int numa_node; /**< -1 when the device has none. */
	const char *driver;
	const char *rss; /**< For people: how packets find their worker. */
};

/**
 * Configure a probed device and start it.
 *
 * @param workers
 *   How many workers there are.
 * @param memory
 *   Packet buffers for its queues.
 * @return
 *   0, or -1 after the reason and the remedy were logged.
 */
int port_open(struct port *port, const struct settings_port *settings, unsigned int index,
		unsigned int workers, const struct port_memory *memory);

/** Descriptors of each queue at most, but for rings of a memif; for sizing buffer pools. */
#define PORT_DESCRIPTORS 1024

/** Whether the other end of the cable, or of the memory, is there. */
bool port_link_is_up(const struct port *port);

/** Say when the other end of a memif comes or goes; control calls it about every second. */
void port_watch(struct port *port);

/** Stop the device and close it. */
void port_close(struct port *port);

/** The two ends of a TCP flow, as its packets come in. */
struct port_flow {
	uint8_t remote[16]; /**< IPv4-mapped. */
	uint8_t local[16];
	rte_be16_t remote_port;
	rte_be16_t local_port;
};

/** The receive queue to which a NIC that spreads by RSS brings a flow. */
uint16_t port_rss_queue(const struct port *port, const struct port_flow *flow);

/** Whether a frame's 802.1Q tag is the one this port has. */
static inline bool
port_takes_vlan(const struct port *port, bool tagged, uint16_t vlan)
{
	return (tagged ? vlan : 0) == port->vlan;
}

#endif /* PORT_H */
