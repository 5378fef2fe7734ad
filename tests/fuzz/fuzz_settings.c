/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Any bytes as a configuration: refused with a message, or settings that print and read back.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settings/settings.h"

#include "fuzz.h"

static struct settings *
parse(const char *text, size_t length)
{
	char *messages = NULL;
	size_t size;
	FILE *errors = open_memstream(&messages, &size);
	struct settings *settings = settings_parse("fuzz.yaml", text, length, errors);

	fclose(errors);
	if ((settings == NULL) != (size > 0))
		abort();
	free(messages);
	return settings;
}

static char *
print(const struct settings *settings, size_t *length)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, length);

	settings_print(settings, out);
	fclose(out);
	return text;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct settings *first = parse((const char *)data, size);
	struct settings *second;
	size_t length, again_length;
	char *text, *again;

	if (first == NULL)
		return 0;
	text = print(first, &length);
	second = parse(text, length);
	if (second == NULL)
		abort();
	again = print(second, &again_length);
	if (strcmp(text, again) != 0)
		abort();
	free(text);
	free(again);
	settings_free(first);
	settings_free(second);
	return 0;
}
