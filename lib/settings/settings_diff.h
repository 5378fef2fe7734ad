/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef SETTINGS_DIFF_H
#define SETTINGS_DIFF_H

/**
 * @file
 * How two configurations differ, in words, and what of the second a running engine can take.
 *
 * Ports, pools and services are the same when their names are; their order means nothing.  Values
 * are the same when they are written the same.  Which options need a restart is said in
 * options.def and nowhere else.
 */

#include <stdbool.h>
#include <stdio.h>

#include "settings/settings.h"

/** How many differences there are. */
struct settings_diff {
	unsigned int reload;  /**< That take effect at a reload. */
	unsigned int restart; /**< That need a restart: until then the running value stays. */
};

/**
 * Write what changes from @p running to @p wanted, a line for each difference.
 *
 * @return
 *   false when memory ran out.
 */
bool settings_diff_print(const struct settings *running, const struct settings *wanted, FILE *out,
		struct settings_diff *diff);

/** Give @p wanted the running value of whatever needs a restart. */
void settings_diff_keep(const struct settings *running, struct settings *wanted);

#endif /* SETTINGS_DIFF_H */
