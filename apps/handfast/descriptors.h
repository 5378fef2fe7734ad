/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef DESCRIPTORS_H
#define DESCRIPTORS_H

/**
 * @file
 * Standard input, output and error are there, whoever started the program.
 */

#include <stdbool.h>

/**
 * Open those of descriptors 0 to 2 that are closed, so that no file or socket gets their number and
 * what is meant for standard output.  To be called before anything is opened.
 *
 * @return false when one cannot be opened, after it was reported.
 */
bool descriptors_open_standard(const char *program);

#endif /* DESCRIPTORS_H */
