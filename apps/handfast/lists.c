/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * `handfast lists`: who a running engine denies, and have it read its files again.
 */

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "exit_code.h"
#include "sample.h"
#include "telemetry_client.h"
#include "verbs.h"

/* A million lines are read in less than a second; the machine may be busy. */
#define ANSWER_SECONDS 60

const char lists_help[] =
		"usage: handfast lists show|reload [--instance NAME]\n"
		"\n"
		"The lists engine.deny and engine.allow of a running engine: files of prefixes, "
		"one in\n"
		"a line, IPv4 and IPv6; # and ; begin comments.  The longest prefix that holds a\n"
		"client's address decides.  Who is in none may connect, unless there is a list "
		"of\n"
		"the allowed alone.\n"
		"\n"
		"  show             how many prefixes are in use\n"
		"  reload           have the files read again; when one is wrong, nothing "
		"changes\n"
		"  --instance NAME  engine.instance of the configuration, default handfast\n"
		"\n"
		"examples:\n"
		"  handfast lists reload\n"
		"  handfast lists show\n";

static int
report(const char *program, const char *act, const json_t *answer)
{
	char reason[4096];

	if (!json_is_object(answer)) {
		fprintf(stderr, "%s: the engine does not know this command\n", program);
		return EXIT_CODE_RUNTIME;
	}
	if (json_object_get(answer, "reason") != NULL) {
		fputs(telemetry_client_join(answer, "reason", reason, sizeof(reason)), stderr);
		fprintf(stderr, "%s %s: the lists in use stay\n", program, act);
		return EXIT_CODE_SETTINGS;
	}
	if (strcmp(json_string_value(json_object_get(answer, "used")), "yes") != 0) {
		puts("no lists: engine.deny and engine.allow are empty");
		return EXIT_CODE_OK;
	}
	printf("denied %" PRIu64 " allowed %" PRIu64 " prefixes: %" PRIu64 " ranges, %" PRIu64
	       " KiB",
			sample_number(answer, "denied"), sample_number(answer, "allowed"),
			sample_number(answer, "ranges"), sample_number(answer, "bytes") >> 10);
	if (json_object_get(answer, "ms") != NULL)
		printf(", read in %" PRIu64 " ms", sample_number(answer, "ms"));
	putchar('\n');
	return EXIT_CODE_OK;
}

static int
ask(const char *program, const char *act, const char *instance)
{
	struct telemetry_client *client;
	json_t *answer;
	int code;

	client = telemetry_client_open(instance, &code);
	if (client == NULL)
		return code;
	telemetry_client_be_patient(client, ANSWER_SECONDS);
	answer = telemetry_client_ask(client, "%s",
			strcmp(act, "reload") == 0 ? "/handfast/lists_reload" : "/handfast/lists");
	code = answer == NULL ? EXIT_CODE_RUNTIME : report(program, act, answer);
	json_decref(answer);
	telemetry_client_close(client);
	return code;
}

int
lists_verb(int argc, char **argv)
{
	static const struct option options[] = {{"instance", required_argument, NULL, 'i'}, {0}};
	const char *instance = "handfast";
	int option;

	while ((option = getopt_long(argc, argv, "i:", options, NULL)) != -1) {
		if (option != 'i')
			return EXIT_CODE_USAGE;
		instance = optarg;
	}
	if (argc - optind != 1 || (strcmp(argv[optind], "show") != 0 &&
						  strcmp(argv[optind], "reload") != 0)) {
		fprintf(stderr, "%s: show or reload; see %s --help\n", argv[0], argv[0]);
		return EXIT_CODE_USAGE;
	}
	return ask(argv[0], argv[optind], instance);
}
