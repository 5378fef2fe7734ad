/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef SCREEN_H
#define SCREEN_H

/**
 * @file
 * Statistics for people: the screen of `stats` and `top`, and the one line per second for logs.
 * Plain text; what is wrong is said with a word, never with a colour alone.
 */

#include <stdio.h>

#include "sample.h"

/** Write the screen: what happened between two samples. */
void screen_print(FILE *out, const struct sample *now, const struct sample *before);

/** Write one line of key=value pairs. */
void screen_print_line(FILE *out, const struct sample *now, const struct sample *before);

#endif /* SCREEN_H */
