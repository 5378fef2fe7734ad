/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef ALLOWED_H
#define ALLOWED_H

/**
 * @file
 * What the value of an option may be, for who gave another one. A file of its own because it is
 * long, as help.c is.
 */

/** @return what a sentence that begins with "must be " goes on with; of any option with a value. */
const char *allowed_values(const char *option);

#endif /* ALLOWED_H */
