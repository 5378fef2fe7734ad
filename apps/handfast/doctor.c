/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * `handfast doctor`: looks at the machine before any EAL does, and changes nothing.
 */

#include <getopt.h>
#include <stdbool.h>
#include <stdlib.h>

#include <rte_version.h>

#include "doctor.h"
#include "exit_code.h"
#include "preflight.h"
#include "verbs.h"
#include "version.h"

const char doctor_help[] = "usage: handfast doctor [-c FILE] [--json] [--quiet]\n"
			   "\n"
			   "Looks at this machine and says what is missing or slow, why that "
			   "matters and which\n"
			   "command mends it.  Changes nothing.  Exits 4 when something would keep "
			   "the engine\n"
			   "from running, as it was configured or, without a file, at all.\n"
			   "\n"
			   "  -c, --config FILE  also check what this configuration needs\n"
			   "  --json             one JSON object\n"
			   "  --quiet            warnings and what blocks only\n"
			   "\n"
			   "examples:\n"
			   "  handfast doctor\n"
			   "  sudo handfast doctor -c config/responder.yaml\n"
			   "  handfast doctor --json | python3 -m json.tool\n";

struct doctor_request {
	const char *config; /**< NULL without. */
	const char *root;   /**< Of another machine's tree, for tests. */
	bool json;
	bool quiet;
};

static void
print_json(const struct findings *findings)
{
	json_t *object = json_pack("{s:i, s:s, s:s, s:i, s:i, s:o}", "schema", 1, "version",
			VERSION_TEXT, "dpdk", rte_version(), "blocking",
			(int)findings->by_severity[FINDING_BLOCKING], "warnings",
			(int)findings->by_severity[FINDING_WARNING], "findings",
			findings_json(findings));

	json_dumpf(object, stdout, JSON_COMPACT);
	fputc('\n', stdout);
	json_decref(object);
}

static void
print_text(const struct findings *findings, bool quiet)
{
	findings_print(findings, quiet ? FINDING_WARNING : FINDING_OK, stdout);
	printf("%sok %u, info %u, warning %u, blocking %u\n", quiet ? "" : "\n",
			findings->by_severity[FINDING_OK], findings->by_severity[FINDING_INFO],
			findings->by_severity[FINDING_WARNING],
			findings->by_severity[FINDING_BLOCKING]);
}

static void
examine(const struct machine *machine, struct findings *findings)
{
	doctor_system(machine, findings);
	doctor_cpu(machine, findings);
	doctor_memory(machine, findings);
	doctor_plugins(machine, findings);
	doctor_network(machine, findings);
}

static int
run_checks(const struct doctor_request *request, const struct settings *settings)
{
	struct findings *findings = findings_create();
	struct machine machine;
	bool blocked;

	if (findings == NULL)
		return EXIT_CODE_RUNTIME;
	machine_init(&machine, request->root);
	examine(&machine, findings);
	if (settings != NULL)
		preflight_check(&machine, settings, findings);
	if (request->json)
		print_json(findings);
	else
		print_text(findings, request->quiet);
	blocked = findings->by_severity[FINDING_BLOCKING] > 0;
	free(findings);
	return blocked ? EXIT_CODE_PREFLIGHT : EXIT_CODE_OK;
}

static int
parse_arguments(int argc, char **argv, struct doctor_request *request)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
			{"json", no_argument, NULL, 'j'}, {"quiet", no_argument, NULL, 'q'},
			{"root", required_argument, NULL, 'r'}, {0}};
	int option;

	while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		if (option == 'c')
			request->config = optarg;
		else if (option == 'j')
			request->json = true;
		else if (option == 'q')
			request->quiet = true;
		else if (option == 'r')
			request->root = optarg;
		else
			return -1;
	}
	if (optind != argc) {
		fprintf(stderr, "%s: \"%s\": a file is given with -c\n", argv[0], argv[optind]);
		return -1;
	}
	return 0;
}

int
doctor_verb(int argc, char **argv)
{
	struct doctor_request request = {.root = ""};
	struct settings *settings = NULL;
	int code;

	if (parse_arguments(argc, argv, &request) != 0)
		return EXIT_CODE_USAGE;
	if (request.config != NULL) {
		settings = settings_load(request.config, stderr);
		if (settings == NULL)
			return EXIT_CODE_SETTINGS;
	}
	code = run_checks(&request, settings);
	if (settings != NULL)
		settings_free(settings);
	return code;
}
