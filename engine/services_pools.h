/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef SERVICES_POOLS_H
#define SERVICES_POOLS_H

/**
 * @file
 * Services that stand in front of backends: their pools, and what they may promise clients.
 */

struct engine;
struct services;

/**
 * Prepare the pools of a new snapshot's settings, and put them behind the services that name them;
 * ports and workers exist.  Services that the settings do not have any more keep theirs.
 *
 * @return 0, or -1 after the reason was logged.
 */
int services_attach_pools(struct engine *engine, struct services *services);

#endif /* SERVICES_POOLS_H */
