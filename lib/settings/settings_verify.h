/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef SETTINGS_VERIFY_H
#define SETTINGS_VERIFY_H

/**
 * @file
 * The rules that hold between options.
 */

#include "settings/settings_schema.h"

/** What is verified, and where errors go. */
struct settings_verify {
	struct settings_problems *errors;
	const struct settings *settings;
	const struct settings_source *source;
};

/**
 * Report every rule that the settings break; values that were refused before are left alone.
 *
 * @return
 *   false when memory ran out.
 */
bool settings_verify(const struct settings_verify *verify);

/** The part about addresses, in settings_verify_address.c. */
bool settings_verify_addresses(const struct settings_verify *verify);

/** Whether an option was given and read without an error. */
static inline bool
settings_verify_given(const struct settings_marks *marks, unsigned int option)
{
	return marks->option[option] != NULL && !marks->option[option]->refused;
}

/** Whether an option's value, given or default, is the one that counts. */
static inline bool
settings_verify_sound(const struct settings_marks *marks, unsigned int option)
{
	return marks->option[option] == NULL || !marks->option[option]->refused;
}

#endif /* SETTINGS_VERIFY_H */
