/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef PROBE_H
#define PROBE_H

/**
 * @file
 * Open a connection from one of our own addresses, time it, close it: control's part.
 *
 * Finds the way (port, own address, next hop), has the next hop resolved, chooses a local port at
 * random (RFC 6056 3.3.1) and asks the worker to which the answers will be steered.
 */

#include <stdbool.h>
#include <stdint.h>

#include <rte_byteorder.h>

#include "engine/opening.h"

struct engine;

#define PROBE_TIMEOUT_MAX_MS 60000

struct probe {
	uint8_t address[16]; /**< IPv4-mapped. */
	rte_be16_t port;
	bool reset; /**< End it by RST in place of the third segment; else by FIN. */
	uint32_t timeout_ms;
};

enum probe_result {
	PROBE_OPENED = OPENING_OPENED,
	PROBE_REFUSED = OPENING_REFUSED,
	PROBE_UNREACHABLE = OPENING_UNREACHABLE,
	PROBE_TIMED_OUT = OPENING_TIMED_OUT,
	PROBE_STOPPED = OPENING_STOPPED,
	PROBE_NO_PORT = OPENING_PORT_USED,
	PROBE_FULL = OPENING_FULL,
	PROBE_NO_ROUTE,   /**< Neither on a port's subnet nor behind a gateway. */
	PROBE_OUR_OWN,    /**< The address is one of ours. */
	PROBE_NO_TARGET,  /**< Too many others have connections. */
	PROBE_UNRESOLVED, /**< The next hop does not answer ARP or neighbour discovery. */
	PROBE_NO_ANSWER,  /**< The worker did not answer. */
};

struct probe_report {
	enum probe_result result;
	uint32_t handshake_us;
	uint16_t local_port;  /**< 0 unless something was sent. */
	uint8_t next_hop[16]; /**< Who was to be resolved. */
};

/** Probe once; waits for the end of it.  From any control thread. */
void probe_run(struct engine *engine, const struct probe *probe, struct probe_report *report);

#endif /* PROBE_H */
