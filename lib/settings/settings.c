/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Loading a configuration: text, tree, values, rules, and every error of all of them in one list.
 */

#include "settings/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "settings/settings_file.h"
#include "settings/settings_schema.h"
#include "settings/settings_verify.h"

/* What loading needs beside its result. */
struct loading {
	struct settings_problems errors;
	struct settings_source source;
};

/* @return false when memory ran out */
static bool
read_text(struct loading *loading, struct settings *settings)
{
	struct settings_problems *errors = &loading->errors;
	const struct settings_verify verify = {errors, settings, &loading->source};
	struct settings_node *root = settings_file_read(errors);
	bool whole;

	if (root == NULL)
		return errors->count > 0;
	whole = settings_schema_read(errors, root, settings, &loading->source) &&
		(settings_problem_full(errors) || settings_verify(&verify));
	free(loading->source.pool);
	free(loading->source.service);
	settings_file_free(root);
	return whole;
}

static bool
is_small(struct settings_problems *errors)
{
	static const struct settings_place whole_file;

	if (errors->length <= SETTINGS_FILE_MAX)
		return true;
	settings_problem_add(errors, &whole_file, "the file is larger than 1 MiB");
	return false;
}

struct settings *
settings_parse(const char *name, const char *text, size_t length, FILE *errors)
{
	static const char byte_order_mark[] = "\xef\xbb\xbf";
	struct loading *loading = calloc(1, sizeof(*loading));
	struct settings *settings = calloc(1, sizeof(*settings));
	bool good = false;

	if (length >= 3 && memcmp(text, byte_order_mark, 3) == 0) {
		text += 3;
		length -= 3;
	}
	if (loading != NULL && settings != NULL) {
		loading->errors.name = name;
		loading->errors.text = text;
		loading->errors.length = length;
		good = !is_small(&loading->errors) || read_text(loading, settings);
	}
	if (!good) {
		fprintf(errors, "%s: error: out of memory\n", name);
	} else if (loading->errors.count > 0) {
		settings_problem_write(&loading->errors, errors);
		good = false;
	}
	free(loading);
	if (good)
		return settings;
	settings_free(settings);
	return NULL;
}

/* Read at most one byte more than a configuration may have.  @return NULL with errno set */
static char *
read_file(const char *path, size_t *length)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	int error = 0;

	if (file == NULL)
		return NULL;
	text = malloc(SETTINGS_FILE_MAX + 1);
	if (text != NULL) {
		*length = fread(text, 1, SETTINGS_FILE_MAX + 1, file);
		if (ferror(file) != 0)
			error = errno;
	}
	fclose(file);
	if (error == 0)
		return text;
	free(text);
	errno = error;
	return NULL;
}

struct settings *
settings_load(const char *path, FILE *errors)
{
	struct settings *settings;
	size_t length;
	char *text = read_file(path, &length);

	if (text == NULL) {
		fprintf(errors, "%s: error: cannot be read: %s\n", path, strerror(errno));
		return NULL;
	}
	settings = settings_parse(path, text, length, errors);
	free(text);
	return settings;
}

void
settings_free(struct settings *settings)
{
	if (settings == NULL)
		return;
	free(settings->pool);
	free(settings->service);
	free(settings);
}

unsigned int
settings_find_pool(const struct settings *settings, const char *name)
{
	unsigned int i;

	for (i = 0; i < settings->pool_count; i++)
		if (strcmp(settings->pool[i].name, name) == 0)
			return i;
	return SETTINGS_POOLS_MAX;
}
