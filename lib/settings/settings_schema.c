/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Walking the tree along the table of options.
 *
 * A value that is refused leaves the default and its node marked, so that settings_verify.c draws
 * no conclusions from it and one mistake is one message.
 */

#include "settings/settings_schema.h"

#include <stdlib.h>
#include <string.h>

#include "settings/settings_value.h"

static const size_t section_size[SETTINGS_SECTION_COUNT] = {
		[SETTINGS_SECTION_port] = sizeof(struct settings_port),
		[SETTINGS_SECTION_pool] = sizeof(struct settings_pool),
		[SETTINGS_SECTION_service] = sizeof(struct settings_service),
};

static const unsigned int section_limit[SETTINGS_SECTION_COUNT] = {
		[SETTINGS_SECTION_port] = SETTINGS_PORTS_MAX,
		[SETTINGS_SECTION_pool] = SETTINGS_POOLS_MAX,
		[SETTINGS_SECTION_service] = SETTINGS_SERVICES_MAX,
};

static const char *
kind_text(const struct settings_node *node)
{
	switch (node->kind) {
	case SETTINGS_NODE_MAP:
		return "a map";
	case SETTINGS_NODE_LIST:
		return "a list";
	default:
		return "a single value";
	}
}

/* The option's row, or SETTINGS_OPTION_COUNT. */
static unsigned int
find(enum settings_section section, const char *name)
{
	unsigned int i;

	for (i = 0; i < SETTINGS_OPTION_COUNT; i++)
		if (settings_options[i].section == section &&
				strcmp(settings_options[i].name, name) == 0)
			break;
	return i;
}

static void
report_unknown(struct settings_problems *errors, const struct settings_node *key,
		enum settings_section section)
{
	struct settings_nearest nearest = {.word = key->text};
	unsigned int i;

	settings_problem_add(errors, &key->place, "\"%s\" is no option of %s", key->text,
			settings_option_section[section]);
	for (i = 0; i < SETTINGS_OPTION_COUNT; i++)
		if (settings_options[i].section == section)
			settings_nearest_offer(&nearest, settings_options[i].name);
	if (nearest.best != NULL) {
		settings_problem_hint(errors, "did you mean %s?", nearest.best);
		return;
	}
	settings_problem_hint(errors, "handfast check --options lists them all");
	for (i = 0; i < SETTINGS_OPTION_COUNT; i++)
		if (strcmp(settings_options[i].name, key->text) == 0)
			settings_problem_hint(errors, "%s is an option of %s", key->text,
					settings_option_section[settings_options[i].section]);
}

/* Read one scalar into value, which holds the rest already. */
static bool
read_item(struct settings_value *value, struct settings_node *node)
{
	const struct settings_option *option = value->option;

	if (node->refused)
		return false;
	node->refused = true;
	if (node->kind != SETTINGS_NODE_SCALAR && value->in_list) {
		settings_problem_add(value->errors, &node->place,
				"an entry of %s must be a single value, not %s", option->name,
				kind_text(node));
		return false;
	}
	if (node->kind != SETTINGS_NODE_SCALAR) {
		settings_problem_add(value->errors, &node->place, "%s takes %s, not %s",
				option->name,
				settings_value_is_list(option->kind) ? "a value or a list of them"
								     : "a single value",
				kind_text(node));
		return false;
	}
	if (node->text[0] == '\0' && option->kind != SETTINGS_KIND_TEXT &&
			option->kind != SETTINGS_KIND_PATH) {
		settings_problem_add(value->errors, &node->place, "%s has no value", option->name);
		settings_problem_hint(value->errors, "give it one or remove the line");
		return false;
	}
	value->place = &node->place;
	value->text = node->text;
	node->refused = !settings_value_read(value);
	return !node->refused;
}

static void
read_option(struct settings_problems *errors, const struct settings_option *option,
		struct settings_node *node, void *section)
{
	struct settings_value value = {
			.errors = errors,
			.option = option,
			.member = (char *)section + option->offset,
	};
	struct settings_node *item;

	if (node->kind != SETTINGS_NODE_LIST || !settings_value_is_list(option->kind)) {
		read_item(&value, node);
		return;
	}
	if (node->child == NULL && option->kind == SETTINGS_KIND_WORKERS) {
		settings_problem_add(errors, &node->place, "workers: no core is listed");
		settings_problem_hint(errors, "write auto, or a list such as [1, 2]");
		node->refused = true;
	}
	value.in_list = true;
	for (item = node->child; item != NULL && !value.full; item = item->next)
		if (!read_item(&value, item))
			node->refused = true;
}

void
settings_schema_set_defaults(
		struct settings_problems *errors, enum settings_section section, void *member)
{
	unsigned int i;

	for (i = 0; i < SETTINGS_OPTION_COUNT; i++)
		if (settings_options[i].section == section)
			settings_value_set_default(errors, &settings_options[i], member);
}

static void
read_section(struct settings_problems *errors, enum settings_section section,
		struct settings_node *map, void *member, struct settings_marks *marks)
{
	struct settings_node *node;

	marks->map = map;
	for (node = map->child; node != NULL && !settings_problem_full(errors); node = node->next) {
		const struct settings_node *key = node->key;
		unsigned int option;

		if (key->refused)
			continue;
		option = find(section, key->text);
		if (option == SETTINGS_OPTION_COUNT) {
			report_unknown(errors, key, section);
			continue;
		}
		if (marks->option[option] != NULL) {
			settings_problem_add(errors, &key->place, "%s is given twice", key->text);
			settings_problem_hint(errors, "it was given in line %u",
					marks->option[option]->key->place.line);
			continue;
		}
		marks->option[option] = node;
		read_option(errors, &settings_options[option], node, member);
	}
}

/* Count the entries of a list of maps, refusing what is something else. */
static unsigned int
count_entries(struct settings_problems *errors, enum settings_section section,
		const struct settings_node *list)
{
	struct settings_node *node;
	unsigned int count = 0;

	for (node = list->child; node != NULL; node = node->next) {
		if (node->refused)
			continue;
		if (node->kind != SETTINGS_NODE_MAP) {
			settings_problem_add(errors, &node->place,
					"an entry of %s must be a map, not %s",
					settings_option_section[section], kind_text(node));
			settings_problem_hint(errors, "begin it as \"- name: ...\"");
			node->refused = true;
			continue;
		}
		if (count == section_limit[section]) {
			settings_problem_add(errors, &node->place, "more than %u %s",
					section_limit[section], settings_option_section[section]);
			break;
		}
		count++;
	}
	return count;
}

static void
read_list(struct settings_problems *errors, enum settings_section section,
		const struct settings_node *list, unsigned int count, void *members,
		struct settings_marks *marks)
{
	struct settings_node *node;
	unsigned int i = 0;

	for (node = list->child; node != NULL && i < count; node = node->next) {
		void *member = (char *)members + i * section_size[section];

		if (node->refused || node->kind != SETTINGS_NODE_MAP)
			continue;
		settings_schema_set_defaults(errors, section, member);
		read_section(errors, section, node, member, &marks[i++]);
	}
}

static bool
read_top(struct settings_problems *errors, enum settings_section section,
		struct settings_node *node, struct settings *settings,
		struct settings_source *source)
{
	switch (section) {
	case SETTINGS_SECTION_engine:
		read_section(errors, section, node, &settings->engine, &source->engine);
		return true;
	case SETTINGS_SECTION_tcp:
		read_section(errors, section, node, &settings->tcp, &source->tcp);
		return true;
	case SETTINGS_SECTION_port:
		settings->port_count = count_entries(errors, section, node);
		read_list(errors, section, node, settings->port_count, settings->port,
				source->port);
		return true;
	case SETTINGS_SECTION_pool:
		settings->pool_count = count_entries(errors, section, node);
		settings->pool = calloc(settings->pool_count + 1, sizeof(*settings->pool));
		source->pool = calloc(settings->pool_count + 1, sizeof(*source->pool));
		if (settings->pool == NULL || source->pool == NULL)
			return false;
		read_list(errors, section, node, settings->pool_count, settings->pool,
				source->pool);
		return true;
	default:
		settings->service_count = count_entries(errors, section, node);
		settings->service = calloc(settings->service_count + 1, sizeof(*settings->service));
		source->service = calloc(settings->service_count + 1, sizeof(*source->service));
		if (settings->service == NULL || source->service == NULL)
			return false;
		read_list(errors, section, node, settings->service_count, settings->service,
				source->service);
		return true;
	}
}

/* A section's number, or SETTINGS_SECTION_COUNT after reporting an unknown or repeated one. */
static enum settings_section
find_section(struct settings_problems *errors, const struct settings_node *key,
		const struct settings_source *source)
{
	struct settings_nearest nearest = {.word = key->text};
	unsigned int i;

	for (i = 0; i < SETTINGS_SECTION_COUNT; i++) {
		if (strcmp(key->text, settings_option_section[i]) != 0) {
			settings_nearest_offer(&nearest, settings_option_section[i]);
			continue;
		}
		if (source->list[i] == NULL)
			return i;
		settings_problem_add(errors, &key->place, "%s is there twice", key->text);
		settings_problem_hint(errors, "it was there in line %u",
				source->list[i]->key->place.line);
		return SETTINGS_SECTION_COUNT;
	}
	settings_problem_add(
			errors, &key->place, "\"%s\" is no part of a configuration", key->text);
	if (nearest.best != NULL)
		settings_problem_hint(errors, "did you mean %s?", nearest.best);
	else
		settings_problem_hint(
				errors, "the parts are engine, tcp, ports, pools and services");
	return SETTINGS_SECTION_COUNT;
}

bool
settings_schema_read(struct settings_problems *errors, struct settings_node *root,
		struct settings *settings, struct settings_source *source)
{
	struct settings_node *node;

	source->engine.map = root;
	source->tcp.map = root;
	settings_schema_set_defaults(errors, SETTINGS_SECTION_engine, &settings->engine);
	settings_schema_set_defaults(errors, SETTINGS_SECTION_tcp, &settings->tcp);
	if (root->kind != SETTINGS_NODE_MAP) {
		settings_problem_add(errors, &root->place, "the file must be a map, not %s",
				kind_text(root));
		settings_problem_hint(errors,
				"it begins with engine:, tcp:, ports:, pools: or services:");
		source->doubtful = true;
	}
	for (node = root->child; node != NULL && !settings_problem_full(errors);
			node = node->next) {
		enum settings_node_kind wanted;
		enum settings_section section;

		section = SETTINGS_SECTION_COUNT;
		if (root->kind == SETTINGS_NODE_MAP && !node->key->refused)
			section = find_section(errors, node->key, source);
		if (section == SETTINGS_SECTION_COUNT) {
			source->doubtful = true;
			continue;
		}
		source->list[section] = node;
		wanted = section_limit[section] > 0 ? SETTINGS_NODE_LIST : SETTINGS_NODE_MAP;
		if (node->refused || (node->text != NULL && node->text[0] == '\0'))
			continue;
		if (node->kind != wanted) {
			node->refused = true;
			settings_problem_add(errors, &node->place, "%s must be %s, not %s",
					node->key->text,
					wanted == SETTINGS_NODE_LIST ? "a list of maps" : "a map",
					kind_text(node));
			if (wanted == SETTINGS_NODE_LIST)
				settings_problem_hint(
						errors, "begin each entry as \"- name: ...\"");
			continue;
		}
		if (!read_top(errors, section, node, settings, source))
			return false;
	}
	return true;
}

const struct settings_place *
settings_schema_place(const struct settings_marks *marks, unsigned int option)
{
	return &(marks->option[option] != NULL ? marks->option[option] : marks->map)->place;
}

const struct settings_place *
settings_schema_item_place(
		const struct settings_marks *marks, unsigned int option, unsigned int index)
{
	const struct settings_node *node = marks->option[option];
	const struct settings_node *item;

	for (item = node->child; item != NULL; item = item->next)
		if (!item->refused && index-- == 0)
			return &item->place;
	return &node->place;
}
