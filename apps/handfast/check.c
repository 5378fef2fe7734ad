/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * `handfast check`: reads a configuration file as `run` would and touches nothing else.
 */

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

#include "settings/settings.h"

#include "exit_code.h"
#include "verbs.h"

const char check_help[] =
		"usage: handfast check FILE [--print-config]\n"
		"       handfast check --options\n"
		"\n"
		"Reads a configuration file and reports every mistake at once, each with its line, "
		"its\n"
		"column and a hint.  Needs no privileges and opens no device.  Exits 3 on a "
		"mistake.\n"
		"\n"
		"  --print-config    print the settings in full, defaults included, as a file\n"
		"  --options         explain every option with its default\n"
		"\n"
		"examples:\n"
		"  handfast check config/responder.yaml\n"
		"  handfast check config/responder.yaml --print-config > full.yaml\n";

static int
check_file(const char *path, bool print)
{
	struct settings *settings = settings_load(path, stderr);

	if (settings == NULL)
		return EXIT_CODE_SETTINGS;
	if (print)
		settings_print(settings, stdout);
	else
		printf("%s: ok: %u ports, %u services\n", path, settings->port_count,
				settings->service_count);
	settings_free(settings);
	return EXIT_CODE_OK;
}

int
check_verb(int argc, char **argv)
{
	static const struct option options[] = {{"options", no_argument, NULL, 'o'},
			{"print-config", no_argument, NULL, 'p'}, {0}};
	bool print = false;
	bool reference = false;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'o')
			reference = true;
		else if (option == 'p')
			print = true;
		else
			return EXIT_CODE_USAGE;
	}
	if (reference && optind == argc) {
		settings_print_reference(stdout);
		return EXIT_CODE_OK;
	}
	if (optind + 1 != argc || reference) {
		fprintf(stderr, "%s: needs one file: handfast check FILE\n", argv[0]);
		return EXIT_CODE_USAGE;
	}
	return check_file(argv[optind], print);
}
