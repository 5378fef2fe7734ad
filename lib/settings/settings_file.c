/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * YAML to a tree, from libyaml's events, which carry their place.
 *
 * The text is checked to be UTF-8 first: libyaml reports bad bytes by offset, not by line, and
 * would take UTF-16 by guessing.
 */

#include "settings/settings_file.h"

#include <stdlib.h>
#include <string.h>

#include <yaml.h>

struct reader {
	struct settings_problems *errors;
	struct settings_node *root;
	struct settings_node *open[SETTINGS_FILE_DEPTH_MAX]; /* Containers being read. */
	unsigned int depth;
	unsigned int documents;
};

static struct settings_place
place_of(const yaml_mark_t *mark)
{
	return (struct settings_place){
			mark->index, (uint32_t)mark->line + 1, (uint32_t)mark->column + 1};
}

/* Length of the UTF-8 character at @p text, 0 when it is not one (RFC 3629). */
static unsigned int
utf8_length(const unsigned char *text, size_t left, uint32_t *character)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned int length, i;

	if (text[0] < 0x80) {
		*character = text[0];
		return 1;
	}
	length = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
	if (text[0] < 0xc0 || text[0] > 0xf4 || length > left)
		return 0;
	*character = text[0] & (0x7fu >> length);
	for (i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		*character = *character << 6 | (text[i] & 0x3f);
	}
	if (*character < smallest[length] || *character > 0x10ffff ||
			(*character >= 0xd800 && *character <= 0xdfff))
		return 0;
	return length;
}

/* U+0085, U+2028 and U+2029 end a line for YAML 1.1 and for no editor: refused with the controls */
static bool
is_refused(uint32_t character)
{
	if (character < 0x20)
		return character != '\t' && character != '\n' && character != '\r';
	return (character >= 0x7f && character < 0xa0) || character == 0x2028 ||
	       character == 0x2029;
}

static bool
check_characters(struct settings_problems *errors)
{
	const unsigned char *text = (const unsigned char *)errors->text;
	struct settings_place place = {0, 1, 1};
	uint32_t character = 0;
	unsigned int length;
	size_t at;

	for (at = 0; at < errors->length; at += length) {
		length = utf8_length(text + at, errors->length - at, &character);
		errors->doubtful = length == 0 || is_refused(character);
		if (length == 0) {
			settings_problem_add(errors, &place, "byte 0x%02x is not UTF-8", text[at]);
			settings_problem_hint(errors, "save the file as UTF-8 or plain ASCII");
			return false;
		}
		if (errors->doubtful) {
			settings_problem_add(errors, &place, "control character 0x%02x", character);
			settings_problem_hint(errors,
					"in double quotes it can be written as \\u%04x", character);
			return false;
		}
		place.index++;
		place.column++;
		if (character == '\n' || (character == '\r' && at + 1 < errors->length &&
							 text[at + 1] != '\n')) {
			place.line++;
			place.column = 1;
		}
	}
	return true;
}

/* Hang a node where the events have come to. */
static void
attach(struct reader *reader, struct settings_node *node)
{
	struct settings_node *parent;

	if (reader->depth == 0) {
		reader->root = node;
		return;
	}
	parent = reader->open[reader->depth - 1];
	if (parent->kind == SETTINGS_NODE_MAP) {
		if (parent->pending == NULL) {
			if (node->kind != SETTINGS_NODE_SCALAR) {
				node->refused = true;
				settings_problem_add(reader->errors, &node->place,
						"a key must be a word, not a list or a map");
			}
			parent->pending = node;
			return;
		}
		node->key = parent->pending;
		parent->pending = NULL;
	}
	if (parent->last == NULL)
		parent->child = node;
	else
		parent->last->next = node;
	parent->last = node;
}

static struct settings_node *
add(struct reader *reader, enum settings_node_kind kind, const yaml_event_t *event)
{
	struct settings_node *node = calloc(1, sizeof(*node));

	if (node == NULL)
		return NULL;
	node->kind = kind;
	node->place = place_of(&event->start_mark);
	attach(reader, node);
	return node;
}

static void
refuse_properties(struct reader *reader, struct settings_node *node, const yaml_char_t *anchor,
		const yaml_char_t *tag)
{
	if (anchor != NULL) {
		settings_problem_add(reader->errors, &node->place,
				"anchors (&%s) are not supported", (const char *)anchor);
		settings_problem_hint(reader->errors, "write the value where it is needed");
	}
	if (tag != NULL) {
		settings_problem_add(reader->errors, &node->place, "tags (%s) are not supported",
				(const char *)tag);
		settings_problem_hint(reader->errors,
				"remove it: every option knows the type of its value");
	}
}

static bool
add_scalar(struct reader *reader, const yaml_event_t *event)
{
	struct settings_node *node = add(reader, SETTINGS_NODE_SCALAR, event);
	const char *text = (const char *)event->data.scalar.value;

	if (node == NULL)
		return false;
	node->text = strdup(text);
	if (node->text == NULL)
		return false;
	if (strlen(text) != event->data.scalar.length) {
		node->refused = true;
		settings_problem_add(reader->errors, &node->place, "a value cannot hold \\0");
	}
	refuse_properties(reader, node, event->data.scalar.anchor, event->data.scalar.tag);
	return true;
}

static bool
add_alias(struct reader *reader, const yaml_event_t *event)
{
	struct settings_node *node = add(reader, SETTINGS_NODE_SCALAR, event);

	if (node == NULL)
		return false;
	node->refused = true;
	settings_problem_add(reader->errors, &node->place, "aliases (*%s) are not supported",
			(const char *)event->data.alias.anchor);
	settings_problem_hint(reader->errors,
			"write the value again, or quote it if it begins with a star");
	node->text = strdup("");
	return node->text != NULL;
}

static bool
open_container(struct reader *reader, enum settings_node_kind kind, const yaml_event_t *event)
{
	struct settings_place place = place_of(&event->start_mark);
	struct settings_node *node;

	if (reader->depth == SETTINGS_FILE_DEPTH_MAX) {
		settings_problem_add(reader->errors, &place,
				"more than %u levels of lists and maps", SETTINGS_FILE_DEPTH_MAX);
		return false;
	}
	node = add(reader, kind, event);
	if (node == NULL)
		return false;
	if (kind == SETTINGS_NODE_MAP)
		refuse_properties(reader, node, event->data.mapping_start.anchor,
				event->data.mapping_start.tag);
	else
		refuse_properties(reader, node, event->data.sequence_start.anchor,
				event->data.sequence_start.tag);
	reader->open[reader->depth++] = node;
	return true;
}

static bool
start_document(struct reader *reader, const yaml_event_t *event)
{
	struct settings_place place = place_of(&event->start_mark);

	if (reader->documents++ == 0)
		return true;
	settings_problem_add(reader->errors, &place, "a second document begins here");
	settings_problem_hint(
			reader->errors, "a configuration is one document: remove the line ---");
	return false;
}

static bool
take_event(struct reader *reader, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		return start_document(reader, event);
	case YAML_SCALAR_EVENT:
		return add_scalar(reader, event);
	case YAML_ALIAS_EVENT:
		return add_alias(reader, event);
	case YAML_SEQUENCE_START_EVENT:
		return open_container(reader, SETTINGS_NODE_LIST, event);
	case YAML_MAPPING_START_EVENT:
		return open_container(reader, SETTINGS_NODE_MAP, event);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		reader->depth--;
		return true;
	default:
		return true;
	}
}

static char
character_at(const struct settings_problems *errors, size_t index)
{
	size_t at;

	for (at = 0; at < errors->length; at++)
		if (((unsigned char)errors->text[at] & 0xc0) != 0x80 && index-- == 0)
			return errors->text[at];
	return '\0';
}

static void
report_syntax(struct reader *reader, const yaml_parser_t *parser)
{
	struct settings_problems *errors = reader->errors;
	struct settings_place place = place_of(&parser->problem_mark);

	if (parser->error == YAML_MEMORY_ERROR)
		return;
	if (parser->error == YAML_READER_ERROR)
		place = place_of(&parser->mark);
	settings_problem_add(errors, &place, "this is not YAML: %s", parser->problem);
	if (character_at(errors, place.index) == '\t')
		settings_problem_hint(errors, "indent with spaces, not with tabs");
	else if (strncmp(parser->problem, "mapping values", 14) == 0)
		settings_problem_hint(errors,
				"quote a value that holds \": \" or ends in a colon, and "
				"check the indentation");
	else if (parser->context_mark.line > 0 || parser->context_mark.column > 0)
		settings_problem_hint(errors,
				"it began in line %zu, column %zu: check indentation, "
				"brackets and quotes",
				parser->context_mark.line + 1, parser->context_mark.column + 1);
}

static bool
read_events(struct reader *reader, yaml_parser_t *parser)
{
	bool more = true;

	while (more) {
		yaml_event_t event;
		bool taken;

		if (!yaml_parser_parse(parser, &event)) {
			report_syntax(reader, parser);
			return false;
		}
		more = event.type != YAML_STREAM_END_EVENT;
		taken = take_event(reader, &event);
		yaml_event_delete(&event);
		if (!taken)
			return false;
	}
	return true;
}

struct settings_node *
settings_file_read(struct settings_problems *errors)
{
	struct reader reader = {.errors = errors};
	yaml_parser_t parser;
	bool whole;

	if (!check_characters(errors) || !yaml_parser_initialize(&parser))
		return NULL;
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)errors->text, errors->length);
	whole = read_events(&reader, &parser);
	yaml_parser_delete(&parser);
	if (whole && (reader.root == NULL || (reader.root->kind == SETTINGS_NODE_SCALAR &&
							     reader.root->text[0] == '\0'))) {
		static const struct settings_place start = {0, 1, 1};

		settings_problem_add(errors, &start, "the file is empty");
		settings_problem_hint(errors, "config/responder.yaml is an example to start from");
		whole = false;
	}
	if (!whole) {
		settings_file_free(reader.root);
		return NULL;
	}
	return reader.root;
}

void
settings_file_free(struct settings_node *node)
{
	while (node != NULL) {
		struct settings_node *next = node->next;

		settings_file_free(node->key);
		settings_file_free(node->pending);
		settings_file_free(node->child);
		free(node->text);
		free(node);
		node = next;
	}
}
