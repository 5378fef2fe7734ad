/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef GIVEN_PROBLEM_H
#define GIVEN_PROBLEM_H

/**
 * @file
 * What is wrong with settings that were made of a command line, in words of the command line:
 * nobody has seen their lines and columns.
 */

#include <stdio.h>

/**
 * @param settings
 *   Their text.
 * @param problems
 *   What settings_parse(), with an empty name, wrote about it.
 */
void given_problem_print(
		const char *settings, const char *problems, const char *program, FILE *errors);

#endif /* GIVEN_PROBLEM_H */
