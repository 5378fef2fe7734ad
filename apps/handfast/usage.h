/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef USAGE_H
#define USAGE_H

/**
 * @file
 * What a verb says to an option with a value that it cannot have.
 */

#include <getopt.h>

/**
 * Say which option, what it was given, and what it may be.
 *
 * @param known getopt_long()'s table, in which @p option is a val.
 * @param allowed what follows "must be".
 */
void usage_refuse(const char *program, const struct option known[], int option, const char *value,
		const char *allowed);

#endif /* USAGE_H */
