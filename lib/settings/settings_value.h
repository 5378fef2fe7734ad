/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef SETTINGS_VALUE_H
#define SETTINGS_VALUE_H

/**
 * @file
 * One option's value: from text to the member of the struct.
 */

#include "settings/settings_problem.h"
#include "settings/settings_file.h"
#include "settings/settings_option.h"

/** A value being read, and where to say what is wrong with it. */
struct settings_value {
	struct settings_problems *errors;
	const struct settings_option *option;
	const struct settings_place *place;
	const char *text;
	bool in_list;
	bool full; /**< The list takes no more, which was reported. */
	void *member;
};

/** Whether an option takes a list (and then also a single value). */
bool settings_value_is_list(enum settings_kind kind);

/** Read the option's value, or append one value of its list.  @return false after an error. */
bool settings_value_read(struct settings_value *value);

/** Set an option to its default; @p section is the struct that it is a member of. */
void settings_value_set_default(struct settings_problems *errors,
		const struct settings_option *option, void *section);

/* Readers of their own files: settings_device.c, settings_network.c. */
bool settings_device_read(struct settings_value *value);
bool settings_network_mac(struct settings_value *value);
bool settings_network_prefix(struct settings_value *value);
bool settings_network_address(struct settings_value *value);
bool settings_network_endpoint(struct settings_value *value);
bool settings_network_backend(struct settings_value *value);
bool settings_network_port_range(struct settings_value *value);

/** Step over decimal digits; a number too large becomes UINT64_MAX.  @return false without any */
bool settings_value_digits(const char **text, uint64_t *number);

/** Report a list with more than @p limit values.  @return false */
bool settings_value_refuse_more(struct settings_value *value, unsigned int limit);

/** The words of an option that takes one of a few, in the order of their enum; else NULL and 0. */
const char *const *settings_value_words(enum settings_kind kind, unsigned int *count);

/** An enum member's value. */
unsigned int settings_value_word(enum settings_kind kind, const void *member);

#define SETTINGS_NUMBER_TEXT_MAX 24

/** Write a number in the largest unit of its kind that divides it.  @return text */
const char *settings_value_number(
		enum settings_kind kind, uint64_t number, char text[SETTINGS_NUMBER_TEXT_MAX]);

#endif /* SETTINGS_VALUE_H */
