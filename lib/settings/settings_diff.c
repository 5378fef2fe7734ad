/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Two configurations side by side, along the table of options.
 */

#include "settings/settings_diff.h"

#include <stdlib.h>
#include <string.h>

#include "settings/settings_option.h"

/* The structs of one section; a section that stands once has one without a name. */
struct entries {
	char *first;
	unsigned int count;
	size_t size;
	const struct settings_option *name; /* NULL: not a list. */
	const char *word;
};

#define NAME_OF(section) &settings_options[SETTINGS_OPTION_##section##_name]

static struct entries
entries_of(const struct settings *settings, enum settings_section section)
{
	struct settings *all = (struct settings *)(uintptr_t)settings;

	switch (section) {
	case SETTINGS_SECTION_engine:
		return (struct entries){
				(char *)&all->engine, 1, sizeof(all->engine), NULL, "engine"};
	case SETTINGS_SECTION_tcp:
		return (struct entries){(char *)&all->tcp, 1, sizeof(all->tcp), NULL, "tcp"};
	case SETTINGS_SECTION_port:
		return (struct entries){(char *)all->port, all->port_count, sizeof(*all->port),
				NAME_OF(port), "port"};
	case SETTINGS_SECTION_pool:
		return (struct entries){(char *)all->pool, all->pool_count, sizeof(*all->pool),
				NAME_OF(pool), "pool"};
	case SETTINGS_SECTION_service:
		return (struct entries){(char *)all->service, all->service_count,
				sizeof(*all->service), NAME_OF(service), "service"};
	case SETTINGS_SECTION_COUNT:
		break;
	}
	return (struct entries){0};
}

static char *
entry_at(const struct entries *entries, unsigned int number)
{
	return entries->first + number * entries->size;
}

static const char *
entry_name(const struct entries *entries, unsigned int number)
{
	return entries->name == NULL ? "" : entry_at(entries, number) + entries->name->offset;
}

/* The entry of that name, or NULL. */
static char *
entry_named(const struct entries *entries, const char *name)
{
	for (unsigned int i = 0; i < entries->count; i++)
		if (strcmp(entry_name(entries, i), name) == 0)
			return entry_at(entries, i);
	return NULL;
}

/* What a comparison goes along with. */
struct comparison {
	FILE *out;
	struct settings_diff *diff;
	const struct entries *entries;
	const char *name;
};

static void
count(struct comparison *comparison, enum settings_change change)
{
	if (change == SETTINGS_CHANGE_reload)
		comparison->diff->reload++;
	else
		comparison->diff->restart++;
}

static void
print_subject(const struct comparison *comparison)
{
	fprintf(comparison->out, "%s%s%s: ", comparison->entries->word,
			comparison->name[0] != '\0' ? " " : "", comparison->name);
}

/* @return the value in a file's words, to be freed; NULL when memory ran out */
static char *
value_text(const struct settings_option *option, const char *entry)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		return NULL;
	settings_print_value(option, entry + option->offset, out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

/* The next value of a list as it is written, behind *text.  @return its length, 0 at the end */
static size_t
next_item(const char **text)
{
	*text += strspn(*text, "[], ");
	return **text == '\0' ? 0 : strcspn(*text + 1, "\"") + 2;
}

static bool
has_item(const char *text, const char *item, size_t length)
{
	size_t found;

	for (; (found = next_item(&text)) > 0; text += found)
		if (found == length && memcmp(text, item, length) == 0)
			return true;
	return false;
}

/* The values of a list that the other has not.  @return how many */
static unsigned int
print_items(const char *text, const char *other, char sign, FILE *out)
{
	unsigned int printed = 0;
	size_t length;

	for (; (length = next_item(&text)) > 0; text += length) {
		if (has_item(other, text, length))
			continue;
		fprintf(out, " %c%.*s", sign, (int)length, text);
		printed++;
	}
	return printed;
}

static bool
is_list(const char *text)
{
	return text[0] == '[' && text[1] == '"';
}

static void
print_change(const struct comparison *comparison, const struct settings_option *option,
		const char *before, const char *after)
{
	FILE *out = comparison->out;

	print_subject(comparison);
	fputs(option->name, out);
	if (is_list(before) && is_list(after)) {
		if (print_items(before, after, '-', out) + print_items(after, before, '+', out) ==
				0)
			fputs(" in another order", out);
	} else {
		fprintf(out, " %s -> %s", before, after);
	}
	if (option->change == SETTINGS_CHANGE_restart)
		fputs(is_list(before) ? "; needs a restart" : "; needs a restart, stays ", out);
	if (option->change == SETTINGS_CHANGE_restart && !is_list(before))
		fputs(before, out);
	fputc('\n', out);
}

static bool
compare_option(struct comparison *comparison, const struct settings_option *option,
		const char *running, const char *wanted)
{
	char *before, *after;
	bool whole;

	if (memcmp(running + option->offset, wanted + option->offset, option->size) == 0)
		return true;
	before = value_text(option, running);
	after = value_text(option, wanted);
	whole = before != NULL && after != NULL;
	if (whole && strcmp(before, after) != 0) {
		count(comparison, option->change);
		print_change(comparison, option, before, after);
	}
	free(before);
	free(after);
	return whole;
}

static bool
compare_entries(struct comparison *comparison, enum settings_section section, const char *running,
		const char *wanted)
{
	for (unsigned int i = 0; i < SETTINGS_OPTION_COUNT; i++)
		if (settings_options[i].section == section &&
				!compare_option(comparison, &settings_options[i], running, wanted))
			return false;
	return true;
}

/* An entry that only one of the two has. */
static void
print_alone(struct comparison *comparison, const char *what)
{
	const enum settings_change change = comparison->entries->name->change;

	count(comparison, change);
	print_subject(comparison);
	fprintf(comparison->out, "%s%s\n", what,
			change == SETTINGS_CHANGE_restart ? "; needs a restart" : "");
}

bool
settings_diff_print(const struct settings *running, const struct settings *wanted, FILE *out,
		struct settings_diff *diff)
{
	*diff = (struct settings_diff){0};
	for (unsigned int section = 0; section < SETTINGS_SECTION_COUNT; section++) {
		const struct entries before = entries_of(running, section);
		const struct entries after = entries_of(wanted, section);
		struct comparison comparison = {out, diff, &after, NULL};

		for (unsigned int i = 0; i < before.count; i++) {
			comparison.name = entry_name(&before, i);
			if (entry_named(&after, comparison.name) == NULL)
				print_alone(&comparison, "removed");
		}
		for (unsigned int i = 0; i < after.count; i++) {
			const char *entry;

			comparison.name = entry_name(&after, i);
			entry = entry_named(&before, comparison.name);
			if (entry == NULL)
				print_alone(&comparison, "added");
			else if (!compare_entries(&comparison, section, entry, entry_at(&after, i)))
				return false;
		}
	}
	return true;
}

static void
keep_options(enum settings_section section, const char *running, char *wanted)
{
	for (unsigned int i = 0; i < SETTINGS_OPTION_COUNT; i++) {
		const struct settings_option *option = &settings_options[i];

		if (option->section == section && option->change == SETTINGS_CHANGE_restart)
			memcpy(wanted + option->offset, running + option->offset, option->size);
	}
}

void
settings_diff_keep(const struct settings *running, struct settings *wanted)
{
	/* Ports neither come nor go. */
	memcpy(wanted->port, running->port, sizeof(wanted->port));
	wanted->port_count = running->port_count;
	for (unsigned int section = 0; section < SETTINGS_SECTION_COUNT; section++) {
		const struct entries before = entries_of(running, section);
		const struct entries after = entries_of(wanted, section);

		for (unsigned int i = 0; i < after.count; i++) {
			const char *entry = entry_named(&before, entry_name(&after, i));

			if (entry != NULL)
				keep_options(section, entry, entry_at(&after, i));
		}
	}
}
