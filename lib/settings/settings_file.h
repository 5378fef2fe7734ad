/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef SETTINGS_FILE_H
#define SETTINGS_FILE_H

/**
 * @file
 * A configuration file as a tree of scalars, lists and maps, each with its place in the file.
 *
 * The subset of YAML that has one reading: every scalar is a string, quoted or not; no anchors, no
 * aliases, no tags, one document, at most SETTINGS_FILE_DEPTH_MAX levels.
 */

#include "settings/settings_problem.h"

#define SETTINGS_FILE_MAX       (1u << 20)
#define SETTINGS_FILE_DEPTH_MAX 8

enum settings_node_kind { SETTINGS_NODE_SCALAR, SETTINGS_NODE_LIST, SETTINGS_NODE_MAP };

struct settings_node {
	enum settings_node_kind kind;
	bool refused; /**< An error was reported here: draw no further conclusions from it. */
	struct settings_place place;
	struct settings_node *key; /**< Of an entry of a map. */
	char *text;                /**< Of a scalar; refused when it holds a NUL. */
	struct settings_node *child;
	struct settings_node *last;
	struct settings_node *next;
	struct settings_node *pending; /**< While reading a map: the key without a value yet. */
};

/**
 * Read the text that @p errors was set up with.
 *
 * @return
 *   The tree, to be freed with settings_file_free(); NULL when the text is not YAML at all (which
 *   was reported) or memory ran out (which was not).
 */
struct settings_node *settings_file_read(struct settings_problems *errors);

void settings_file_free(struct settings_node *node);

#endif /* SETTINGS_FILE_H */
