/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "limit/prefix_list.h"
#include "settings/settings_address.h"
#include "settings/settings_problem.h"

/* Longer than any address with a length. */
#define WORD_MAX 64

/* What a file may have at most; far more than a list of every network there is. */
#define FILE_MAX ((size_t)1 << 30)

/* Bits that stand before an IPv4 address in the 128. */
#define MAPPED_BITS 96

/* Where we are in a file. */
struct reader {
	struct settings_problems *errors;
	const char *line;
	const char *end; /* Of the line. */
	uint32_t number;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool
ends_word(char c)
{
	return is_blank(c) || c == '#' || c == ';';
}

static void
complain(const struct reader *reader, const char *at, const char *what, const char *hint)
{
	const struct settings_place place = {
			.index = (size_t)(at - reader->errors->text),
			.line = reader->number,
			.column = (uint32_t)(at - reader->line) + 1,
	};

	settings_problem_add(reader->errors, &place, "%s", what);
	settings_problem_hint(reader->errors, "%s", hint);
}

static bool
list_add(struct prefix_list *list, const struct prefix *prefix)
{
	if (list->count == list->room) {
		const size_t room = list->room == 0 ? 1024 : list->room * 2;
		struct prefix *larger = realloc(list->item, room * sizeof(*larger));

		if (larger == NULL)
			return false;
		list->item = larger;
		list->room = room;
	}
	list->item[list->count++] = *prefix;
	return true;
}

/* Decimal digits alone, at most three of them. @return the number, or -1 */
static int
parse_length(const char *text)
{
	int length = 0;

	if (text[0] == '\0' || strlen(text) > 3)
		return -1;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		length = length * 10 + (*text - '0');
	}
	return length;
}

static bool
has_bits_behind(const struct prefix *prefix)
{
	for (unsigned int bit = prefix->length; bit < 128; bit++) {
		if ((prefix->address[bit / 8] >> (7 - bit % 8) & 1) != 0)
			return true;
	}
	return false;
}

/* @return whether the word is a prefix; else a mistake was added */
static bool
parse_word(const struct reader *reader, const char *at, char *word, struct prefix *prefix)
{
	char *slash = strchr(word, '/');
	int length = -1, longest;

	if (slash != NULL) {
		*slash = '\0';
		length = parse_length(slash + 1);
	}
	if (!settings_address_parse(word, prefix->address)) {
		complain(reader, at, "this is neither an IPv4 nor an IPv6 prefix",
				"such as 192.0.2.0/24 or 2001:db8::/32, one in a line");
		return false;
	}
	longest = settings_address_is_ipv4(prefix->address) ? 32 : 128;
	if (slash == NULL)
		length = longest;
	if (length < 0 || length > longest) {
		complain(reader, at + (slash - word) + 1,
				longest == 32 ? "the prefix length is not from 0 to 32"
					      : "the prefix length is not from 0 to 128",
				"how many bits all addresses of the prefix have in common");
		return false;
	}
	prefix->length = (uint8_t)(length + (longest == 32 ? MAPPED_BITS : 0));
	if (has_bits_behind(prefix)) {
		complain(reader, at, "the address has bits set behind the prefix length",
				"a longer prefix, or zeros");
		return false;
	}
	return true;
}

/* @return false when there is no memory for more */
static bool
parse_line(const struct reader *reader, struct prefix_list *list, bool allow)
{
	struct prefix prefix = {.allow = allow};
	const char *at = reader->line, *end;
	char word[WORD_MAX];

	while (at < reader->end && is_blank(*at))
		at++;
	for (end = at; end < reader->end && !ends_word(*end);)
		end++;
	if (end == at)
		return true;
	/* What is longer than any prefix is none, however it is cut. */
	snprintf(word, sizeof(word), "%.*s", (int)(end - at < WORD_MAX ? end - at : WORD_MAX), at);
	if (!parse_word(reader, at, word, &prefix))
		return true;
	for (at = end; at < reader->end && is_blank(*at);)
		at++;
	if (at < reader->end && !ends_word(*at)) {
		complain(reader, at, "there is something behind the prefix",
				"one prefix in a line; # begins a comment");
		return true;
	}
	return list_add(list, &prefix);
}

bool
prefix_list_parse(struct prefix_list *list, const char *name, const char *text, size_t length,
		bool allow, FILE *errors)
{
	struct settings_problems *problems = calloc(1, sizeof(*problems));
	struct reader reader = {.errors = problems, .line = text};
	const char *end = text + length;
	bool good;

	if (problems == NULL) {
		fprintf(errors, "%s: error: out of memory\n", name);
		return false;
	}
	problems->name = name;
	problems->text = text;
	problems->length = length;
	problems->doubtful = true;
	while (reader.line < end && !settings_problem_full(problems)) {
		reader.number++;
		reader.end = memchr(reader.line, '\n', (size_t)(end - reader.line));
		if (reader.end == NULL)
			reader.end = end;
		if (!parse_line(&reader, list, allow)) {
			complain(&reader, reader.line, "no memory for so many prefixes",
					"a shorter list");
			break;
		}
		reader.line = reader.end + 1;
	}
	good = problems->count == 0;
	settings_problem_write(problems, errors);
	free(problems);
	return good;
}

/* The whole file, to be freed; NULL with errno. */
static char *
read_whole(const char *path, size_t *length)
{
	FILE *file = fopen(path, "rb");
	char *text = NULL;
	size_t room = 0;
	int reason = 0;

	*length = 0;
	if (file == NULL)
		return NULL;
	do {
		char *larger;

		room = room == 0 ? 1u << 16 : room * 2;
		larger = room <= FILE_MAX ? realloc(text, room) : NULL;
		if (larger == NULL) {
			reason = room > FILE_MAX ? EFBIG : ENOMEM;
			break;
		}
		text = larger;
		*length += fread(text + *length, 1, room - *length, file);
	} while (*length == room);
	if (ferror(file))
		reason = errno;
	fclose(file);
	if (reason == 0)
		return text;
	free(text);
	errno = reason;
	return NULL;
}

bool
prefix_list_read(struct prefix_list *list, const char *path, bool allow, FILE *errors)
{
	size_t length;
	char *text = read_whole(path, &length);
	bool good;

	if (text == NULL) {
		fprintf(errors, "%s: error: cannot be read: %s\n", path, strerror(errno));
		return false;
	}
	good = prefix_list_parse(list, path, text, length, allow, errors);
	free(text);
	return good;
}

void
prefix_list_free(struct prefix_list *list)
{
	free(list->item);
	*list = (struct prefix_list){0};
}
