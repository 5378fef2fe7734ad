/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef GROW_H
#define GROW_H

/**
 * @file
 * Memory of workers that only some kinds of services need: echo rings, splices and what belongs to
 * them, flows of `mode: direct`.
 *
 * An engine whose settings have no such service starts without.  A reload that brings the first one
 * has the memory made by control, beside workers that run; each takes it with the first snapshot
 * that needs it (worker.made).  It stays when the last such service goes: connections may be in it.
 *
 * Splices lie over the tails of connections where the table was laid out for them.  A table that
 * was not keeps its tails, and splices are an array of their own: 24 bytes more a connection, until
 * the next start, rather than moving connections that are open.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct engine;
struct settings;
struct worker;

/** What was made for a reload that has not been taken yet. */
struct grow {
	bool echo;
	bool proxy;
	bool direct;
};

/** Make what the settings of the start ask for. @return 0, or -1 after the reason was logged. */
int grow_start(struct worker *worker);

/** Free it, and what came later. */
void grow_free(struct worker *worker);

/**
 * Make, for all workers, what settings ask for and none did before.
 *
 * @param grow
 *   For grow_cancel().
 * @return
 *   false after the reason was written; nothing was made then.
 */
bool grow_for(struct engine *engine, const struct settings *wanted, struct grow *grow,
		FILE *report);

/** No snapshot needs it after all. */
void grow_cancel(struct engine *engine, const struct grow *grow);

/** Bytes that reloads may ask for later, of each worker; for sizing where it costs nothing. */
uint64_t grow_footprint(const struct settings *settings);

#endif /* GROW_H */
