/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Collecting and writing what is wrong with a configuration file.
 *
 * The file is somebody else's text: nothing of it reaches the terminal as a control character, and
 * a line of a megabyte is shown as the stretch around the place.
 */

#include "settings/settings_problem.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* How much of a long source line is shown, in characters. */
#define SHOWN_MAX    120
#define SHOWN_BEFORE 80

#define NEAREST_MAX  32

static bool
is_continuation(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80;
}

static bool
is_control(char byte)
{
	return (unsigned char)byte < 0x20 || byte == 0x7f;
}

/* Copy a message; of one that is too long, because it quotes the file, the ends are what helps. */
static void
copy_ends(char *text, const char *whole, size_t length)
{
	static const char gap[] = " ... ";
	const char *tail = whole + length - (SETTINGS_PROBLEM_TEXT_MAX / 3);
	size_t head = SETTINGS_PROBLEM_TEXT_MAX - SETTINGS_PROBLEM_TEXT_MAX / 3 - sizeof(gap);

	if (length < SETTINGS_PROBLEM_TEXT_MAX) {
		memcpy(text, whole, length + 1);
		return;
	}
	while (head > 0 && is_continuation(whole[head]))
		head--;
	while (is_continuation(*tail))
		tail++;
	snprintf(text, SETTINGS_PROBLEM_TEXT_MAX, "%.*s%s%s", (int)head, whole, gap, tail);
}

static void
format_text(char *text, const char *format, va_list arguments)
{
	char *whole;
	int length = vasprintf(&whole, format, arguments);
	size_t i;

	/* Out of memory: the place alone has to do. */
	if (length < 0) {
		text[0] = '\0';
		return;
	}
	copy_ends(text, whole, (size_t)length);
	free(whole);
	for (i = 0; text[i] != '\0'; i++) {
		/* U+0080 to U+009F are controls, too: an escape in double quotes can make them. */
		bool second = i > 0 && text[i - 1] == '\xc2' && (unsigned char)text[i] < 0xa0;

		if (is_control(text[i]) || second)
			text[i] = '?';
		if (second)
			text[i - 1] = '?';
	}
}

void
settings_problem_add(struct settings_problems *errors, const struct settings_place *place,
		const char *format, ...)
{
	struct settings_problem *error;
	va_list arguments;

	if (settings_problem_full(errors)) {
		errors->last = NULL;
		return;
	}
	error = &errors->item[errors->count];
	error->place = *place;
	error->order = errors->count++;
	error->hint[0] = '\0';
	va_start(arguments, format);
	format_text(error->text, format, arguments);
	va_end(arguments);
	errors->last = error;
}

void
settings_problem_hint(struct settings_problems *errors, const char *format, ...)
{
	va_list arguments;

	if (errors->last == NULL)
		return;
	va_start(arguments, format);
	format_text(errors->last->hint, format, arguments);
	va_end(arguments);
}

bool
settings_problem_full(const struct settings_problems *errors)
{
	return errors->count == SETTINGS_PROBLEMS_MAX;
}

static int
compare(const void *left, const void *right)
{
	const struct settings_problem *a = left;
	const struct settings_problem *b = right;

	if (a->place.line != b->place.line)
		return a->place.line < b->place.line ? -1 : 1;
	if (a->place.column != b->place.column)
		return a->place.column < b->place.column ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

/* The byte at which character number @p index starts, or the end. */
static size_t
byte_of(const struct settings_problems *errors, size_t index)
{
	size_t at = 0;

	while (at < errors->length && index > 0) {
		at++;
		while (at < errors->length && is_continuation(errors->text[at]))
			at++;
		index--;
	}
	return at;
}

static bool
is_line_end(const struct settings_problems *errors, size_t at)
{
	return at >= errors->length || errors->text[at] == '\n' || errors->text[at] == '\r';
}

/* Write what precedes the place as blanks, so that the caret stands under it. */
static void
write_caret(const struct settings_problems *errors, size_t from, size_t to, FILE *out)
{
	size_t at;

	fputs("  ", out);
	for (at = from; at < to; at++)
		if (!is_continuation(errors->text[at]))
			fputc(errors->text[at] == '\t' ? '\t' : ' ', out);
	fputs("^\n", out);
}

static void
write_source(const struct settings_problems *errors, const struct settings_place *place, FILE *out)
{
	size_t before = place->column - 1 < SHOWN_BEFORE ? place->column - 1 : SHOWN_BEFORE;
	size_t from = byte_of(errors, place->index - before);
	size_t to = byte_of(errors, place->index);
	size_t at;
	unsigned int shown = 0;

	fputs("  ", out);
	for (at = from; !is_line_end(errors, at); at++) {
		char byte = errors->text[at];

		if (is_continuation(byte) && errors->doubtful)
			continue;
		if (!is_continuation(byte) && shown++ == SHOWN_MAX)
			break;
		if ((is_control(byte) && byte != '\t') ||
				((unsigned char)byte >= 0x80 && errors->doubtful))
			byte = '?';
		fputc(byte, out);
	}
	fputc('\n', out);
	write_caret(errors, from, to, out);
}

void
settings_problem_write(struct settings_problems *errors, FILE *out)
{
	unsigned int i;

	qsort(errors->item, errors->count, sizeof(errors->item[0]), compare);
	errors->last = NULL;
	for (i = 0; i < errors->count; i++) {
		const struct settings_problem *error = &errors->item[i];

		if (error->place.line == 0) {
			fprintf(out, "%s: error: %s\n", errors->name, error->text);
		} else {
			fprintf(out, "%s:%u:%u: error: %s\n", errors->name, error->place.line,
					error->place.column, error->text);
			write_source(errors, &error->place, out);
		}
		if (error->hint[0] != '\0')
			fprintf(out, "  hint: %s\n", error->hint);
	}
	if (settings_problem_full(errors))
		fprintf(out, "%s: there may be more than these %u errors\n", errors->name,
				SETTINGS_PROBLEMS_MAX);
}

/* Levenshtein's distance: insertions, deletions and replacements from one word to the other. */
static unsigned int
distance(const char *from, const char *to)
{
	unsigned int row[NEAREST_MAX + 1];
	size_t columns = strlen(to);
	size_t i, j;

	for (j = 0; j <= columns; j++)
		row[j] = (unsigned int)j;
	for (i = 1; from[i - 1] != '\0'; i++) {
		unsigned int diagonal = row[0];

		row[0] = (unsigned int)i;
		for (j = 1; j <= columns; j++) {
			unsigned int replaced = diagonal + (from[i - 1] != to[j - 1]);
			unsigned int shorter = RTE_MIN(row[j], row[j - 1]) + 1;

			diagonal = row[j];
			row[j] = RTE_MIN(shorter, replaced);
		}
	}
	return row[columns];
}

void
settings_nearest_offer(struct settings_nearest *nearest, const char *candidate)
{
	size_t length = strlen(nearest->word);
	unsigned int allowed = length < 4 ? 1 : length < 8 ? 2 : 3;
	unsigned int found;

	if (length > NEAREST_MAX || strlen(candidate) > NEAREST_MAX)
		return;
	found = distance(nearest->word, candidate);
	if (found > allowed || (nearest->best != NULL && found >= nearest->distance))
		return;
	nearest->best = candidate;
	nearest->distance = found;
}
