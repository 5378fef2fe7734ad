/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef RETIRE_H
#define RETIRE_H

/**
 * @file
 * When a listener that the settings do not have any more can be forgotten, and its number used
 * again.
 *
 * Nobody counts connections per listener as they come and go: that would cost every one of them,
 * for something that is needed after a reload only.  Instead the workers go through their tables
 * when asked, a piece a turn, as long as there is a retired listener.  One without connections
 * stays as it is until neither TIME_WAIT nor a cookie can name it (then it is sealed: no cookie
 * opens it), and is forgotten when it has none even so.
 */

#include <stdbool.h>
#include <stdint.h>

struct engine;

/** Control's. */
struct retire {
	bool asked;        /**< A census is under way. */
	uint64_t asked_us; /**< When it began, */
	uint64_t due_us;   /**< and when the next one is to. */
	uint64_t *idle_us; /**< By listener: since when it has had no connections; 0: not known. */
};

/** Go on with it, if there are retired listeners.  Never waits. */
void retire_poll(struct engine *engine);

void retire_free(struct engine *engine);

#endif /* RETIRE_H */
