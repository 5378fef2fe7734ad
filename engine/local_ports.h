/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef LOCAL_PORTS_H
#define LOCAL_PORTS_H

/**
 * @file
 * Our addresses and TCP ports towards backends, and whose connection each is.
 *
 * A reply finds its connection by its destination alone: address to number, port to slot, both by
 * index and range-checked.  So a port of an address is used once by a worker, whatever the backend.
 * Workers do not share ports out among each other: each takes only ports whose replies steering
 * brings to it (steering_flow_owner()), and those are different ones, with the NIC's hash as with
 * ours.
 *
 * A free port waits at the end of a queue, so the one that rested longest is taken.  With it is
 * kept how far its last connection's numbers went, so that the next one begins beyond: a backend
 * still in TIME_WAIT then takes the SYN at once (RFC 9293 3.10.7.4, RFC 6191).
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <rte_byteorder.h>

#include "settings/settings.h"
#include "table/conn_table.h"
#include "wire/parse.h"

struct engine;
struct proxy;
struct worker;

#define LOCAL_PORTS_ADDRESSES_MAX 255
#define LOCAL_PORTS_NONE          UINT32_MAX

/** In struct splice, instead of a number: the client's own address and port (source: client). */
#define LOCAL_PORTS_CLIENT UINT8_MAX

/** Addresses of ours by number; control adds, nobody removes. */
struct local_addresses {
	uint32_t count;     /**< Atomic. */
	uint64_t missed;    /**< Clients that got none, as of the last report; control's. */
	uint64_t missed_us; /**< When that was. */
	uint8_t head[256];  /**< By last byte: number plus one; 0 is none.  Atomic. */
	struct {
		uint8_t address[16]; /**< IPv4-mapped. */
		uint16_t first;      /**< Ports. */
		uint16_t last;
		uint16_t ruled; /**< Engine ports whose NIC steers by rules; one bit each. */
		uint8_t next;   /**< As head. */
	} entry[LOCAL_PORTS_ADDRESSES_MAX];
};

/** One worker's ports of one address. */
struct local_ports {
	uint32_t first;
	uint32_t count;
	uint32_t head; /**< Of the queue of free ones. */
	uint32_t free;
	uint32_t *slot; /**< By port: the connection's, or CONN_TABLE_NO_SLOT. */
	uint32_t *last; /**< By port: where its last connection's numbers ended; 0: none yet. */
	uint16_t *queue;
};

/** Bytes of one port: of slot, last and queue. */
#define LOCAL_PORTS_BYTES (sizeof(uint32_t) + sizeof(uint32_t) + sizeof(uint16_t))

/** Bytes of one worker's ports of one address; for sizing. */
uint64_t local_ports_footprint(const struct settings_port_range *range);

/**
 * Find or add an address, for all workers that exist; by control.
 *
 * @param apart
 *   Whether it is there for this alone, so that NICs may steer what comes to it (flow_rules.h).
 * @return
 *   Its number, or LOCAL_PORTS_NONE after the reason was logged.
 */
unsigned int local_ports_add(struct engine *engine, const uint8_t address[16],
		const struct settings_port_range *range, bool apart);

/** The number of an address, or LOCAL_PORTS_NONE. */
unsigned int local_ports_find(const struct local_addresses *addresses, const uint8_t address[16]);

/** Say in the log that clients are reset for want of ports, at most once a minute; by control. */
void local_ports_report(struct engine *engine);

/** Free a worker's ports. */
void local_ports_free(struct proxy *proxy);

/** A reply's ends, and the way it comes. */
struct local_ports_way {
	const uint8_t *remote; /**< The backend. */
	rte_be16_t remote_port;
	uint8_t port_index;
	unsigned int local; /**< Number of our address. */
};

/**
 * Take a port whose replies come to this worker.
 *
 * @return
 *   The port, or 0 when there is none.
 */
rte_be16_t local_ports_take(
		struct worker *worker, const struct local_ports_way *way, uint32_t slot);

/** Give a port back. @param last where its connection's numbers ended */
void local_ports_give(struct worker *worker, unsigned int local, rte_be16_t port, uint32_t last);

/** Whether so many of an address's ports are in use that those which rest are missed. */
static inline bool
local_ports_are_scarce(const struct local_ports *ports)
{
	return ports->free * 2 < ports->count;
}

/** Where the numbers of the last connection of a port ended; 0 when there was none. */
uint32_t local_ports_last(const struct worker *worker, unsigned int local, rte_be16_t port);

/**
 * Where it is written whose a TCP segment's destination is: the slot, or CONN_TABLE_NO_SLOT; to be
 * fetched before it is read, for there are as many of these as connections.
 *
 * @return
 *   NULL where the destination is none of our addresses and ports towards backends.
 */
const uint32_t *local_ports_place(
		const struct worker *worker, const uint8_t *data, const struct frame *frame);

/** Whether some worker's connection has a port; for control, which may be told too late. */
bool local_ports_is_used(const struct engine *engine, const uint8_t address[16], rte_be16_t port);

/** The connection at a port of one of our addresses, or CONN_TABLE_NO_SLOT. */
uint32_t local_ports_slot_at(
		const struct worker *worker, const uint8_t address[16], rte_be16_t port);

#endif /* LOCAL_PORTS_H */
