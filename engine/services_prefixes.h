/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef SERVICES_PREFIXES_H
#define SERVICES_PREFIXES_H

/**
 * @file
 * The rate of SYNs per source network (tcp.synack_rate_per_prefix): each worker's buckets.
 *
 * They are the snapshot's and not the worker's, so that a reload may change the rate, and with it
 * how many buckets there have to be: a worker finds others with the next snapshot, and the old ones
 * are freed when nobody looks at theirs.  Snapshots in which the rate is the same share them;
 * another rate begins with full buckets.
 */

#include <stdint.h>

#include "engine/services.h"

struct engine;
struct prefix_limit;

struct services_prefixes {
	unsigned int users; /**< Snapshots.  Control's. */
	uint32_t rate;
	struct prefix_limit *limit[SETTINGS_WORKERS_MAX]; /**< Each worker's, and written by it. */
};

/** Bytes that the settings ask for, of each worker. */
uint64_t services_prefixes_footprint(const struct settings *settings);

/** The most that settings can ask for, of each worker. */
uint64_t services_prefixes_footprint_max(void);

/**
 * Have the buckets that the settings of a new snapshot ask for; workers exist.
 *
 * @return 0, or -1 after the reason was logged.
 */
int services_attach_prefixes(struct engine *engine, struct services *services);

/** One more snapshot has them; NULL is fine. */
void services_prefixes_keep(struct services_prefixes *prefixes);

/** One less, and with the last one they are freed; NULL is fine. */
void services_prefixes_let_go(struct services_prefixes *prefixes);

/** A worker's, or NULL without a rate. */
static inline struct prefix_limit *
services_prefixes_of(const struct services *services, unsigned int worker)
{
	return services->prefixes != NULL ? services->prefixes->limit[worker] : NULL;
}

#endif /* SERVICES_PREFIXES_H */
