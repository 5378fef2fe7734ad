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

/** The part about pools and the services that use them, in settings_verify_pool.c. */
void settings_verify_pools(const struct settings_verify *verify);

/** Report an option that has no value but needs one. */
void settings_verify_require(const struct settings_verify *verify,
		const struct settings_marks *marks, unsigned int option);

/** Report an option that another option's value, @p with, makes pointless. */
void settings_verify_pointless(const struct settings_verify *verify,
		const struct settings_marks *marks, unsigned int option, const char *with);

/** Report a value that an earlier entry has, too. */
void settings_verify_duplicate(const struct settings_verify *verify,
		const struct settings_marks *marks, const struct settings_marks *earlier,
		unsigned int option);

/** Whether a port has the address in a subnet of its own, or a gateway of its family. */
bool settings_verify_reaches(const struct settings_port *port, const uint8_t address[16]);

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
