/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef POOLS_H
#define POOLS_H

/**
 * @file
 * The pools of backends as the workers see them: part of the snapshot behind engine.services.
 *
 * Built by control, never changed after it was published; what changes while it is used (health,
 * counts, whose turn it is) lies in backends.h and in each worker's own memory.
 */

#include <stdint.h>

#include "balance/choice.h"
#include "engine/backends.h"
#include "settings/settings.h"

struct engine;
struct service;
struct worker;

#define POOLS_NONE UINT16_MAX

struct pool {
	const struct settings_pool *settings; /**< A copy: it may outlive the settings. */
	struct choice *choice;
	struct choice_state *state[SETTINGS_WORKERS_MAX]; /**< Each worker's; nobody else's. */
	struct backend_rules rules;                       /**< How its backends are judged. */
	uint64_t profile;    /**< struct backends_profile.  Atomic; control's. */
	unsigned int usable; /**< Backends that take connections.  Atomic; control's. */
};

struct pools {
	struct engine *engine;
	unsigned int users; /**< Snapshots and services in them.  Control's. */
	unsigned int count;
	struct pool *pool;
	struct settings_pool *settings;      /**< By pool. */
	struct service *check[BACKENDS_MAX]; /**< What HTTP checks say; NULL: nothing. */
	uint16_t pool_of[BACKENDS_MAX]; /**< By backend; POOLS_NONE: of none in this snapshot. */
	struct choice_load load[SETTINGS_WORKERS_MAX]; /**< What each worker chooses by. */
};

/**
 * Prepare every pool of the settings; workers exist, ports are open.
 *
 * @return
 *   With one user; NULL after the reason was logged.
 */
struct pools *pools_create(struct engine *engine, const struct settings *settings);

/** One more user; NULL is fine. */
void pools_keep(struct pools *pools);

/** One less, and with the last one they are freed; NULL is fine.  No worker uses them any more. */
void pools_let_go(struct pools *pools);

/** Know of pools what those of the same names know, which they replace. */
void pools_inherit(struct pools *pools, const struct pools *before);

/** The pool of that name, or NULL. */
const struct pool *pools_find(const struct pools *pools, const char *name);

/** What all backends of a pool understand, as far as is known; its settings have a say, too. */
static inline struct backends_profile
pools_profile(const struct pool *pool)
{
	const uint64_t word = __atomic_load_n(&pool->profile, __ATOMIC_RELAXED);
	struct backends_profile profile;

	memcpy(&profile, &word, sizeof(profile));
	return profile;
}

/** Whether a backend takes connections, as of control's last look. */
static inline bool
pools_is_usable(const struct pool *pool)
{
	return __atomic_load_n(&pool->usable, __ATOMIC_RELAXED) != 0;
}

/** Choose a backend of a pool for a worker's connection; as choice_pick(). */
unsigned int pools_pick(const struct worker *worker, const struct pool *pool,
		const struct choice_client *client);

#endif /* POOLS_H */
