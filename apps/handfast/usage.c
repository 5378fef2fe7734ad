/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdio.h>

#include "usage.h"

void
usage_refuse(const char *program, const struct option known[], int option, const char *value,
		const char *allowed)
{
	while (known->name != NULL && known->val != option)
		known++;
	fprintf(stderr, "%s: --%s \"%s\": must be %s\n", program,
			known->name != NULL ? known->name : "?", value, allowed);
}
