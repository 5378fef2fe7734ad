/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef SERVICES_BUILD_H
#define SERVICES_BUILD_H

/**
 * @file
 * From one snapshot of the services to the next; control only.
 *
 * The running snapshot is copied and the copy changed, so that whatever is not mentioned keeps its
 * number, its replies and its limit.  Nothing here looks at a connection: whether a listener still
 * has any is told by who counted (retire.h).
 */

#include <stdbool.h>
#include <stdint.h>

#include "engine/services.h"

/** What went wrong, for people. */
struct services_problem {
	char text[SETTINGS_TEXT_MAX + 256];
};

/**
 * The services of the settings.
 *
 * @param running
 *   What the numbers are taken from; NULL at the start.
 * @param settings
 *   Must live as long as the snapshot.
 * @return
 *   A snapshot without maps; NULL after the problem was written (a body file that cannot be read,
 *   no memory, too many numbers in use).
 */
struct services *services_build(const struct services *running, const struct settings *settings,
		unsigned int workers, struct services_problem *problem);

/** What is to change in a copy. */
struct services_change {
	const bool *drain;  /**< By number: these change their drained; NULL: none. */
	const bool *seal;   /**< By listener: these are sealed; NULL: none. */
	const bool *forget; /**< By listener: these are free from now on; NULL: none. */
};

/** The same snapshot but for a change, without maps; NULL: out of memory. */
struct services *services_change(
		const struct services *running, const struct services_change *change);

/**
 * Prepare what says @p text, at most RESPOND_BODY_MAX bytes, as soon as it is connected, and then
 * listens; to be let go with services_free_check().
 *
 * @return 0, or -1 after the reason was logged.
 */
int services_prepare_check(struct service *service, const struct settings *settings,
		const uint8_t *text, size_t length);

/** The number of the service of that name, or 0. */
unsigned int services_find(const struct services *services, const char *name);

#endif /* SERVICES_BUILD_H */
