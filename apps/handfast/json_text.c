/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdlib.h>
#include <string.h>

#include "json_text.h"

json_t *
json_text(const char *text)
{
	static const char replacement[] = "\xef\xbf\xbd";
	json_t *string = json_string(text);
	char *clean, *to;

	if (string != NULL)
		return string;
	clean = malloc(strlen(text) * (sizeof(replacement) - 1) + 1);
	if (clean == NULL)
		return NULL;
	to = clean;
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < 0x80)
			*to++ = *text;
		else
			to = stpcpy(to, replacement);
	}
	*to = '\0';
	string = json_string(clean);
	free(clean);
	return string;
}
