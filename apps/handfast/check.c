/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * `handfast check`: reads a configuration file as `run` would and touches nothing else.
 */

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

#include "observe/counters.h"
#include "settings/settings.h"
#include "tcp/tcp_rules.h"

#include "exit_code.h"
#include "verbs.h"

const char check_help[] =
		"usage: handfast check FILE [--print-config]\n"
		"       handfast check --options|--counters|--rules\n"
		"\n"
		"Reads a configuration file and reports every mistake at once, each with its line, "
		"its\n"
		"column and a hint.  Needs no privileges and opens no device.  Exits 3 on a "
		"mistake.\n"
		"\n"
		"  --print-config    print the settings in full, defaults included, as a file\n"
		"  --options         explain every option with its default\n"
		"  --counters        explain every counter and drop reason\n"
		"  --rules           print the TCP machine's table, row by row, with its reasons\n"
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

static void
check_print_counters(FILE *out)
{
	fputs("| counter | meaning |\n|---|---|\n", out);
	for (unsigned int i = 0; i < COUNTERS; i++)
		fprintf(out, "| `%s` | %s |\n", counters_name((enum counter)i),
				counters_help((enum counter)i));
}

int
check_verb(int argc, char **argv)
{
	static const struct option options[] = {{"counters", no_argument, NULL, 'c'},
			{"options", no_argument, NULL, 'o'},
			{"print-config", no_argument, NULL, 'p'}, {"rules", no_argument, NULL, 'r'},
			{0}};
	void (*reference)(FILE * out) = NULL;
	bool print = false;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'c')
			reference = check_print_counters;
		else if (option == 'o')
			reference = settings_print_reference;
		else if (option == 'r')
			reference = tcp_rules_print;
		else if (option == 'p')
			print = true;
		else
			return EXIT_CODE_USAGE;
	}
	if (reference != NULL && optind == argc) {
		reference(stdout);
		return EXIT_CODE_OK;
	}
	if (optind + 1 != argc || reference != NULL) {
		fprintf(stderr, "%s: needs one file: handfast check FILE\n", argv[0]);
		return EXIT_CODE_USAGE;
	}
	return check_file(argv[optind], print);
}
