/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef LISTS_H
#define LISTS_H

/**
 * @file
 * The lists of who may speak TCP to our services: engine.deny and engine.allow.
 *
 * Of the prefixes that hold a source the longest decides, and allow of two equal ones.  Who is in
 * none may speak, unless there is a list of the allowed alone.  What we open ourselves, and what
 * backends answer, is not asked about, and neither are ARP, neighbour discovery and ICMP.
 *
 * Control makes a new set of ranges, publishes it and frees the old one when every worker has begun
 * another turn.  A worker looks for the set once a turn.  When a file is wrong, nothing changes.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "settings/settings.h"

struct engine;
struct prefix_set;

struct lists {
	pthread_mutex_t lock;         /**< Among control's threads: all but set. */
	char deny[SETTINGS_TEXT_MAX]; /**< Files; empty: none. */
	char allow[SETTINGS_TEXT_MAX];
	size_t denied; /**< Prefixes in them. */
	size_t allowed;
	const struct prefix_set *set; /**< NULL without lists.  Atomic. */
};

/** Lists that were read, and are not in use yet. */
struct lists_fresh {
	const char *deny; /**< Files. */
	const char *allow;
	size_t denied; /**< Prefixes in them. */
	size_t allowed;
	struct prefix_set *set; /**< NULL when there are no lists. */
};

/** What is in use. */
struct lists_report {
	bool used;
	size_t denied; /**< Prefixes. */
	size_t allowed;
	size_t ranges;
	size_t bytes;
};

/** Read the lists at the start. @return 0, or -1 after the reasons were logged */
int lists_init(struct lists *lists, const struct settings *settings);

void lists_free(struct lists *lists);

/**
 * Read the lists again, and use them.  From any of control's threads.
 *
 * @param settings
 *   Where the files are from now on; NULL: where they were.
 * @param errors
 *   What is wrong is written there, as `FILE:LINE:COLUMN: error: TEXT`; then nothing has changed.
 */
bool lists_reload(struct engine *engine, const struct settings *settings, FILE *errors);

/**
 * The same in steps, for who has more to change at a time: read,
 *
 * @param settings
 *   Where the files are; to last until the lists are in use or thrown away.
 * @return false after the reason was written to @p errors.
 */
bool lists_read(struct lists_fresh *fresh, const struct settings *settings, FILE *errors);

/** look whether anything would change, */
bool lists_differ(struct lists *lists, const struct lists_fresh *fresh);

/** and use them, */
void lists_commit(struct engine *engine, struct lists_fresh *fresh);

/** or throw them away. */
void lists_discard(struct lists_fresh *fresh);

void lists_show(struct lists *lists, struct lists_report *report);

/** The set for a turn. */
static inline const struct prefix_set *
lists_set(const struct lists *lists)
{
	return __atomic_load_n(&lists->set, __ATOMIC_ACQUIRE);
}

#endif /* LISTS_H */
