/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef PLAY_H
#define PLAY_H

/**
 * @file
 * Plays a script to a whole engine on a clock moved by hand, and compares every answer.
 *
 * Beyond the script's own lines each play checks that every answer's bytes are sound, that bytes
 * sent again are the same bytes, that an echo is what was said, that nothing comes that no line
 * expects, and that no packet is lost count of.
 */

#include <stdbool.h>
#include <stddef.h>

#include "script.h"

/**
 * Play a script with one IP version.
 *
 * @param failure
 *   Room for @p size bytes: filled with the line, what was expected and what came.
 */
bool play(const struct script *script, const char *path, unsigned int family, char *failure,
		size_t size);

/** Print the rows of the TCP table that no play so far fired. @return how many. */
unsigned int play_print_unfired(void);

#endif /* PLAY_H */
