/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Read one configuration and write what is wrong with it, under the name it has without folders.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settings/settings.h"

int
main(int argument_count, char **arguments)
{
	struct settings *settings;
	char *text = malloc((1 << 20) + 1);
	size_t length;
	FILE *file;

	if (argument_count != 2 || text == NULL)
		return 2;
	file = fopen(arguments[1], "re");
	if (file == NULL)
		return 2;
	length = fread(text, 1, (1 << 20) + 1, file);
	fclose(file);
	settings = settings_parse(basename(arguments[1]), text, length, stdout);
	free(text);
	if (settings == NULL)
		return 1;
	settings_free(settings);
	return 0;
}
