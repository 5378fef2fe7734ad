/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef SERVICES_POOLS_H
#define SERVICES_POOLS_H

/**
 * @file
 * Services that stand in front of backends: their pools, and what they may promise clients.
 */

#include <rte_common.h>

#include "engine/pools.h"
#include "engine/services.h"
#include "tcp/tcp_segment.h"

struct engine;

/** However small a backend says it is, clients are not asked for less. */
#define SERVICES_MSS_MIN ((uint16_t)256)

/** The MSS that clients of a service in front of backends are told, where the port takes @p mss. */
static inline uint16_t
services_mss(const struct service *service, uint16_t mss)
{
	const uint16_t learned = pools_profile(service->pool).mss;
	const uint16_t limit = RTE_MAX(learned, SERVICES_MSS_MIN);

	mss = RTE_MIN(mss, service->path_mss);
	return learned == 0 || mss < limit ? mss : limit;
}

/**
 * Which options of a client's SYN may be granted: all but those that a backend is known to lack,
 * for what was promised to a client cannot be taken back.
 */
static inline uint8_t
services_granted(const struct service *service)
{
	const struct backends_profile learned = pools_profile(service->pool);
	unsigned int refused = 0;

	if (learned.mss == 0)
		return UINT8_MAX;
	refused |= learned.has_timestamps ? 0 : TCP_OPTION_TIMESTAMPS;
	refused |= learned.has_sack ? 0 : TCP_OPTION_SACK_PERMITTED;
	refused |= learned.has_window_scale ? 0 : TCP_OPTION_WINDOW_SCALE;
	return (uint8_t)~refused;
}

/**
 * Prepare the pools of a new snapshot's settings, and put them behind the services that name them;
 * ports and workers exist.  Services that the settings do not have any more keep theirs.
 *
 * @return 0, or -1 after the reason was logged.
 */
int services_attach_pools(struct engine *engine, struct services *services);

#endif /* SERVICES_POOLS_H */
