/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * `handfast version`: what to put into a bug report.
 */

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

#include <rte_version.h>

#include "exit_code.h"
#include "verbs.h"
#include "version.h"

#ifdef __clang__
#define VERSION_COMPILER "clang " __clang_version__
#else
#define VERSION_COMPILER "gcc " __VERSION__
#endif

const char version_help[] = "usage: handfast version [--json]\n"
			    "\n"
			    "Prints the version and commit of handfast, the DPDK it was built with "
			    "and the one it\n"
			    "runs with, and the compiler.\n"
			    "\n"
			    "  --json    one JSON object\n"
			    "\n"
			    "example:\n"
			    "  handfast version --json | python3 -m json.tool\n";

static void
print_json(void)
{
	json_t *object = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s}", "schema", 1, "version",
			VERSION_TEXT, "commit", VERSION_COMMIT, "dpdk", rte_version(),
			"dpdk_built_with", RTE_VER_PREFIX " " VERSION_DPDK, "compiler",
			VERSION_COMPILER);

	json_dumpf(object, stdout, JSON_COMPACT);
	fputc('\n', stdout);
	json_decref(object);
}

int
version_verb(int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {0}};
	bool json = false;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option != 'j')
			return EXIT_CODE_USAGE;
		json = true;
	}
	if (optind != argc) {
		fprintf(stderr, "%s: takes no arguments\n", argv[0]);
		return EXIT_CODE_USAGE;
	}
	if (json) {
		print_json();
		return EXIT_CODE_OK;
	}
	printf("handfast  %s\n", VERSION_TEXT);
	printf("commit    %s\n", VERSION_COMMIT);
	printf("dpdk      %s (built with %s)\n", rte_version(), VERSION_DPDK);
	printf("compiler  %s\n", VERSION_COMPILER);
	return EXIT_CODE_OK;
}
