/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * `handfast demo`: hands over to demo.py.  Making namespaces and running other people's clients is
 * a script's work; the script finds this very program in the environment variable HANDFAST.
 */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_common.h>

#include "exit_code.h"
#include "verbs.h"

const char demo_help[] = "usage: handfast demo [--requests N] [--connections N]\n"
			 "\n"
			 "Makes two network namespaces and a TAP device, starts the engine as a "
			 "responder, sends it\n"
			 "curl, ab and thousands of parallel connects, prints a table and removes "
			 "everything.\n"
			 "Needs root; needs no NIC and no hugepages.\n"
			 "\n"
			 "example:\n"
			 "  sudo handfast demo\n";

/** The script of the source tree this was built from, or else the installed one. */
static const char *
script_path(void)
{
	static const char *const places[] = {HANDFAST_DEMO_SCRIPT, HANDFAST_DEMO_INSTALLED};

	for (unsigned int i = 0; i < RTE_DIM(places); i++)
		if (access(places[i], R_OK) == 0)
			return places[i];
	return NULL;
}

int
demo_verb(int argc, char **argv)
{
	char program[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
	const char *script = script_path();
	char **arguments;

	if (script == NULL) {
		fprintf(stderr, "%s: demo.py is neither at %s nor at %s\n", argv[0],
				HANDFAST_DEMO_SCRIPT, HANDFAST_DEMO_INSTALLED);
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
	arguments[1] = strdup(script);
	for (int i = 1; i < argc; i++)
		arguments[i + 1] = argv[i];
	execvp("python3", arguments);
	fprintf(stderr, "%s: python3: %s; to install it: apt-get install python3\n", argv[0],
			strerror(errno));
	free(arguments[0]);
	free(arguments[1]);
	free(arguments);
	return EXIT_CODE_RUNTIME;
}
