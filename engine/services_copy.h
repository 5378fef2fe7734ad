/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef SERVICES_COPY_H
#define SERVICES_COPY_H

/**
 * @file
 * A copy of a snapshot of the services, to be changed before it is published; control only.
 *
 * Keeps what numbers mean from one snapshot to the next: a service's is its place, its older
 * editions stand behind all numbers, and a listener's chain leads to those that its address had
 * before.  Counts the users of whatever snapshots share.  What is wanted of the settings is not
 * known here (services_build.h).
 */

#include "engine/services.h"

/**
 * Everything as it is, without maps, and so many more numbers of services, which are nobody's, and
 * room for so many more listeners; NULL: out of memory.
 */
struct services *services_copy(
		const struct services *running, unsigned int services, unsigned int listeners);

/**
 * Put an edition with replies and a limit in the place of another, which is let go.  Its settings
 * are copied.
 */
void services_copy_replace(
		struct services *next, unsigned int place, const struct service *service);

/**
 * The edition of a number becomes an older one if it has listeners, which go with it.  It keeps
 * what its connections began with, but for the limit, which is shared.
 */
void services_copy_set_aside(struct services *next, unsigned int number);

/** The listener is gone: whoever was found through it is found through the next. */
void services_copy_forget(struct services *next, unsigned int number);

/** Retired services and older editions without a listener are nobody's, and their numbers free. */
void services_copy_sweep(struct services *next);

/** Work out what follows from everything else; the last step. */
void services_copy_finish(struct services *next);

#endif /* SERVICES_COPY_H */
