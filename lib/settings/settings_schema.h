/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef SETTINGS_SCHEMA_H
#define SETTINGS_SCHEMA_H

/**
 * @file
 * The tree of a file as settings, and where in the file each of them was written.
 */

#include "settings/settings_file.h"
#include "settings/settings_option.h"

/** Where one section's options were written; NULL where the default stands. */
struct settings_marks {
	const struct settings_node *map;
	const struct settings_node *option[SETTINGS_OPTION_COUNT];
};

/** The same shape as struct settings. */
struct settings_source {
	bool doubtful; /**< The file has parts of which it is not clear what they are. */
	struct settings_marks engine;
	struct settings_marks tcp;
	struct settings_marks port[SETTINGS_PORTS_MAX];
	struct settings_marks *pool;
	struct settings_marks *service;
	const struct settings_node *list[SETTINGS_SECTION_COUNT]; /**< ports, pools, services. */
};

/**
 * Fill settings and source from a tree; options that the file leaves out get their defaults.
 *
 * @return
 *   false when memory ran out; errors in the file are in @p errors.
 */
bool settings_schema_read(struct settings_problems *errors, struct settings_node *root,
		struct settings *settings, struct settings_source *source);

/** Set every option of a section's struct to its default. */
void settings_schema_set_defaults(
		struct settings_problems *errors, enum settings_section section, void *member);

/** Where an option stands, or its section when it stands nowhere. */
const struct settings_place *settings_schema_place(
		const struct settings_marks *marks, unsigned int option);

/** Where value number @p index of an option's list stands. */
const struct settings_place *settings_schema_item_place(
		const struct settings_marks *marks, unsigned int option, unsigned int index);

#endif /* SETTINGS_SCHEMA_H */
