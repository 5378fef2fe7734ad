/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_common.h>

#include "exit_code.h"
#include "script.h"

/** The script of the source tree this was built from, or else the installed one. */
static bool
script_find(const char *name, char path[PATH_MAX])
{
	static const char *const places[] = {HANDFAST_SCRIPTS_SOURCE, HANDFAST_SCRIPTS_INSTALLED};

	for (unsigned int i = 0; i < RTE_DIM(places); i++) {
		snprintf(path, PATH_MAX, "%s/%s", places[i], name);
		if (access(path, R_OK) == 0)
			return true;
	}
	return false;
}

int
script_become(const char *name, int argc, char **argv)
{
	char program[PATH_MAX], path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
	char **arguments;

	if (!script_find(name, path)) {
		fprintf(stderr, "%s: %s is neither in %s nor in %s\n", argv[0], name,
				HANDFAST_SCRIPTS_SOURCE, HANDFAST_SCRIPTS_INSTALLED);
		return EXIT_CODE_RUNTIME;
	}
	if (length < 0) {
		fprintf(stderr, "%s: /proc/self/exe: %s\n", argv[0], strerror(errno));
		return EXIT_CODE_RUNTIME;
	}
	program[length] = '\0';
	setenv("HANDFAST", program, 1);

	/* python3, the script, our arguments without argv[0], NULL. */
	arguments = calloc((size_t)argc + 2, sizeof(*arguments));
	if (arguments == NULL)
		return EXIT_CODE_RUNTIME;
	arguments[0] = strdup("python3");
	arguments[1] = path;
	for (int i = 1; i < argc; i++)
		arguments[i + 1] = argv[i];
	execvp("python3", arguments);
	fprintf(stderr, "%s: python3: %s; to install it: apt-get install python3\n", argv[0],
			strerror(errno));
	free(arguments[0]);
	free(arguments);
	return EXIT_CODE_RUNTIME;
}
