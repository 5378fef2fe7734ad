/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef RESOLVER_H
#define RESOLVER_H

/**
 * @file
 * The Ethernet addresses of our gateways, of backends and of whom we open connections to, by ARP
 * and neighbour discovery; never of clients, whose frames say where the answer goes: a spoofed
 * flood would fill any queue.
 *
 * The first worker asks, once a second until answered and then every 30 s; whichever worker gets
 * an answer stores it with one atomic word, and anybody may read.  Control adds entries while the
 * engine runs; they are asked for only as long as somebody wants them, and then make room.
 */

#include <stdbool.h>
#include <stdint.h>

#include "settings/settings.h"

struct engine;
struct worker;

#define RESOLVER_GATEWAYS_MAX (SETTINGS_PORTS_MAX * 4)
#define RESOLVER_MAX          (RESOLVER_GATEWAYS_MAX + 64)
#define RESOLVER_KEPT_MAX     SETTINGS_BACKENDS_MAX
#define RESOLVER_NONE         UINT32_MAX

struct resolver_entry {
	uint8_t address[16];
	uint8_t port;       /**< Index of the port it is behind; PORT_NONE: no entry.  Atomic. */
	uint64_t mac;       /**< RESOLVER_KNOWN | 48 bits; 0 until answered.  Atomic. */
	uint64_t asked_us;  /**< The first worker's. */
	uint64_t wanted_us; /**< Until when it is asked for; UINT64_MAX: for ever.  Atomic. */
};

#define RESOLVER_KNOWN (UINT64_C(1) << 48)

struct resolver {
	unsigned int count; /**< Atomic; grows only. */
	unsigned int kept;  /**< How many of them resolver_keep() added; control's. */
	struct resolver_entry entry[RESOLVER_MAX + RESOLVER_KEPT_MAX];
};

/** Take the gateways of all ports from the settings. @return 0, or -1 when there are too many. */
int resolver_init(struct resolver *resolver, const struct settings *settings);

/**
 * Have a neighbour's address resolved for the next half minute; by control, which holds
 * targets.control.
 *
 * @return
 *   Its entry, or RESOLVER_NONE when all are wanted.
 */
unsigned int resolver_want(struct engine *engine, uint8_t port, const uint8_t address[16]);

/**
 * Have a neighbour's address resolved from now on, as a gateway's is; by control, which holds
 * targets.control.
 *
 * @return
 *   Its entry, which it keeps; RESOLVER_NONE when there is no room.
 */
unsigned int resolver_keep(struct engine *engine, uint8_t port, const uint8_t address[16]);

/** The entry of an address behind a port, or RESOLVER_NONE. */
unsigned int resolver_find(
		const struct resolver *resolver, uint8_t port, const uint8_t address[16]);

/** Somebody told the address of @p address on a port; ignored unless it is one we asked for. */
void resolver_learn(struct resolver *resolver, uint8_t port, const uint8_t address[16],
		const uint8_t mac[6]);

/** Whether the address of an entry is known; copies it. */
bool resolver_get(const struct resolver *resolver, unsigned int entry, uint8_t mac[6]);

/** Ask for what is not known or growing old; called by the first worker about once a second. */
void resolver_poll(struct worker *worker);

#endif /* RESOLVER_H */
