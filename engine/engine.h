/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef ENGINE_H
#define ENGINE_H

/**
 * @file
 * The running engine: what the control thread owns and the workers read.
 *
 * Everything here is written before the first worker starts and after the last one stopped, except
 * where a member says otherwise.
 */

#include <stdbool.h>
#include <stdint.h>

#include "cookie/siphash.h"
#include "engine/backends.h"
#include "engine/clock.h"
#include "engine/cookies.h"
#include "engine/lists.h"
#include "engine/local_ports.h"
#include "engine/memif_message.h"
#include "engine/port.h"
#include "engine/reload.h"
#include "engine/resolver.h"
#include "engine/services.h"
#include "engine/targets.h"
#include "settings/settings.h"
#include "wire/steering_hash.h"

struct health;
struct load;
struct worker;
struct rte_mempool;

/** How far the engine is from stopping. */
enum engine_phase {
	ENGINE_RUNNING,
	ENGINE_DRAINING, /**< No new connections; the others may finish. */
	ENGINE_STOPPING, /**< Workers leave their loops. */
};

struct engine {
	/** Those of the start.  What a reload may change is in engine_services()->settings. */
	const struct settings *settings;
	struct clock clock;
	struct siphash_key isn_key;
	struct siphash_key fast_open_secret;
	struct siphash_key steering_key; /**< Which worker a flow goes to. */
	unsigned int port_count;
	struct port port[SETTINGS_PORTS_MAX];
	unsigned int worker_count;
	struct worker *worker[SETTINGS_WORKERS_MAX];
	struct services *services; /**< Written by control.  Atomic; engine_services(). */
	struct reload reload;
	struct cookies cookies;
	struct lists lists;
	struct backends *backends;              /**< All that pools name. */
	struct health *health;                  /**< How they are checked. */
	struct resolver resolver;               /**< Grows while the engine runs. */
	struct targets targets;                 /**< The same. */
	struct local_addresses local_addresses; /**< From which we speak to backends; grows only. */
	struct rte_mempool *pool;
	struct memif_memory lent; /**< Holds the pool, where other processes see it. */
	struct load *load;        /**< NULL unless this is the generator. */
	uint32_t timing; /**< How many handshakes control is timing; naps are short until it is 0.
			  */
	uint32_t workers_done; /**< How many have reset their connections and only wait.  Atomic. */
	uint8_t phase; /**< enum engine_phase; written by control, read by workers once a turn. */
};

/** The services as they are now; workers look once a turn and keep what they saw. */
static inline const struct services *
engine_services(const struct engine *engine)
{
	return __atomic_load_n(&engine->services, __ATOMIC_ACQUIRE);
}

static inline enum engine_phase
engine_phase(const struct engine *engine)
{
	return (enum engine_phase)__atomic_load_n(&engine->phase, __ATOMIC_ACQUIRE);
}

#endif /* ENGINE_H */
