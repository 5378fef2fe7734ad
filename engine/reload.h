/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef RELOAD_H
#define RELOAD_H

/**
 * @file
 * Other settings for an engine that runs: read, compare, build a snapshot of the services beside
 * the one in use, and swap.
 *
 * All or nothing: until the swap, which is one pointer, everything can fail and nothing has
 * changed.  The old snapshot is freed when every worker has begun a turn after the swap and no
 * other thread reads one.  All of it is the control thread's; other threads ask it
 * (control_call()).
 */

#include <stdbool.h>
#include <stdio.h>

#include <pthread.h>

#include "engine/retire.h"

struct engine;
struct reload_stale;
struct services;
struct settings;

struct reload {
	const char *path;           /**< The configuration file; NULL: there is none to read. */
	const char *eal;            /**< What stands in for engine.eal; NULL: nothing. */
	struct settings *settings;  /**< In force; NULL: those of the start. */
	struct reload_stale *stale; /**< Snapshots that somebody may still look at. */
	struct retire retire;
	/** Held, shared, by threads other than control's and the workers' while they use a
	 * snapshot. */
	pthread_rwlock_t readers;
};

enum reload_result {
	RELOAD_DONE,
	RELOAD_SAME,     /**< There was nothing to do. */
	RELOAD_BAD_FILE, /**< The file cannot be read or has mistakes. */
	RELOAD_REFUSED,  /**< The file is good, but not for this engine without a restart. */
};

void reload_init(struct engine *engine);

void reload_free(struct engine *engine);

/**
 * Read the configuration file again and take what is new in it.
 *
 * @param dry_run
 *   Only say what would happen.
 * @param report
 *   A line for each difference, or what is wrong; and what came of it.
 */
enum reload_result reload_file(struct engine *engine, bool dry_run, FILE *report);

/** The same with settings that were read already, and are freed later. */
enum reload_result reload_settings(
		struct engine *engine, struct settings *wanted, bool dry_run, FILE *report);

/**
 * Let a service take no new connections, or take them again.
 *
 * @param name
 *   NULL: all services.
 */
enum reload_result reload_drain(
		struct engine *engine, const char *name, bool drained, FILE *report);

/**
 * Swap: @p next becomes the snapshot in use.
 *
 * @param settings
 *   Those of @p next when they are new, to be freed when they are not in force any more; or NULL.
 * @return
 *   false after the reason was written; @p next is freed then, @p settings is not.
 */
bool reload_publish(struct engine *engine, struct services *next, struct settings *settings,
		FILE *report);

/** What takes time: free what nobody looks at any more, retire listeners.  A few times a second
 * at most; never waits. */
void reload_poll(struct engine *engine);

/** Whether a snapshot that was replaced may still be in use. */
bool reload_is_settling(const struct engine *engine);

#endif /* RELOAD_H */
