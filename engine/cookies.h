/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef COOKIES_H
#define COOKIES_H

/**
 * @file
 * The keys of SYN cookies, kept in time for the workers.
 *
 * The control thread derives the keys of the epoch into the one of two snapshots that nobody uses,
 * and publishes it.  A worker holds a snapshot for one burst; a snapshot is written again 16 s
 * after it was replaced, at the earliest.
 */

#include <stdbool.h>

#include "cookie/secret.h"
#include "cookie/syncookie.h"

struct engine;
struct settings;

struct cookies {
	struct secret *secret;
	bool shared; /**< From a file: other nodes may have it, so their cookies come here. */
	/**
	 * What is added to the milliseconds since the start to make TSval.  Nodes that share the
	 * secret count from the same moment, so that a client who got its cookie from one does not
	 * see time run backwards on another (RFC 7323 5.4).
	 */
	uint32_t ts_base_ms;
	uint32_t ts_flow_mask; /**< Which bits of a flow's hash are added, too: none when shared. */
	struct syncookie_keys *snapshot[2];
	const struct syncookie_keys *keys; /**< One of them.  Atomic. */
};

/** Get the secret and the first keys. @return 0, or -1 after the reason and remedy were logged. */
int cookies_init(struct cookies *cookies, const struct settings *settings);

/** Overwrite and free them. */
void cookies_free(struct cookies *cookies);

/** Derive new keys when it is time; at least once in 16 s. */
void cookies_refresh(struct cookies *cookies);

/** Say which services began or ended cookies since the last call. */
void cookies_report(const struct engine *engine);

/** The keys for a burst. */
static inline const struct syncookie_keys *
cookies_keys(const struct cookies *cookies)
{
	return __atomic_load_n(&cookies->keys, __ATOMIC_ACQUIRE);
}

#endif /* COOKIES_H */
