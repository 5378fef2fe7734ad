/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TARGETS_H
#define TARGETS_H

/**
 * @file
 * Whom we open connections to: the known end of an active connection, by number.
 *
 * Control adds targets while the engine runs; workers find the target that a segment comes from.
 * They look only where nobody listens, and at one array of 32-bit tags first, so that a flood to
 * closed ports stays cheap.  When all numbers are taken, the target without connections that was
 * not used for longest makes room, after every worker has taken a turn without it.
 */

#include <stdint.h>
#include <string.h>

#include <pthread.h>

#include <rte_byteorder.h>

#include "table/service_map.h"
#include "tcp/flow_key.h"

struct engine;

#define TARGETS_MAX  64
#define TARGETS_NONE UINT32_MAX

_Static_assert((FLOW_KEY_ACTIVE | TARGETS_MAX) < (FLOW_KEY_ACTIVE | FLOW_KEY_NOBODY),
		"every target has an endpoint");
_Static_assert((SERVICE_MAP_NONE & FLOW_KEY_NOBODY) != 0 &&
				(SERVICE_MAP_FOREIGN & FLOW_KEY_NOBODY) != 0,
		"nobody is neither a service nor a target");

struct target {
	uint8_t address[16];
	rte_be16_t port;
	uint8_t port_index; /**< The engine port that its segments come in through. */
};

struct targets {
	uint32_t count;            /**< Slots ever used.  Atomic; grows only. */
	uint32_t tag[TARGETS_MAX]; /**< targets_tag(), 0 where free.  Atomic. */
	struct target target[TARGETS_MAX];

	pthread_mutex_t control;       /**< Among control's threads: for what follows, for adding,
					* and for adding to the resolver. */
	uint32_t pending[TARGETS_MAX]; /**< Questions on their way that name the target. */
	uint64_t used[TARGETS_MAX];    /**< When it was taken last, by counting. */
	uint64_t uses;
};

/** A few bits of an address and port, never 0. */
static inline uint32_t
targets_tag(const uint8_t address[16], rte_be16_t port)
{
	uint64_t words[2];

	memcpy(words, address, sizeof(words));
	words[0] = (words[0] ^ words[1] ^ port) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(words[0] >> 32) | 1;
}

/** The number of the target at an address and port behind an engine port, or TARGETS_NONE. */
static inline unsigned int
targets_find(const struct targets *targets, uint8_t port_index, const uint8_t address[16],
		rte_be16_t port)
{
	const unsigned int count = __atomic_load_n(&targets->count, __ATOMIC_ACQUIRE);
	uint32_t tag;

	if (count == 0)
		return TARGETS_NONE;
	tag = targets_tag(address, port);
	for (unsigned int i = 0; i < count; i++) {
		const struct target *target = &targets->target[i];

		if (__atomic_load_n(&targets->tag[i], __ATOMIC_ACQUIRE) == tag &&
				target->port == port && target->port_index == port_index &&
				memcmp(target->address, address, sizeof(target->address)) == 0)
			return i;
	}
	return TARGETS_NONE;
}

void targets_init(struct targets *targets);

/**
 * Find or add a target, and keep it until targets_let_go(); from any control thread.
 *
 * @return
 *   Its number, or TARGETS_NONE when all have connections.
 */
unsigned int targets_take(struct engine *engine, const struct target *wanted);

/** The question that named the target has been answered. */
void targets_let_go(struct engine *engine, unsigned int number);

/** Copy a target; zero where there is none. */
void targets_get(struct engine *engine, unsigned int number, struct target *target);

#endif /* TARGETS_H */
