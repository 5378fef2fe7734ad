/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * `handfast reload`, `handfast drain` and `handfast undrain`: change a running engine.
 *
 * The engine does the work and writes the report; all that is done here is to ask for it, print it
 * and say in the exit code what came of it.
 */

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "exit_code.h"
#include "sample.h"
#include "telemetry_client.h"
#include "verbs.h"

/* The largest page of a report, and a terminator. */
#define PAGE_MAX 8192

const char reload_help[] =
		"usage: handfast reload [--dry-run] [--instance NAME]\n"
		"\n"
		"Has a running engine read its configuration file again and take what is new in "
		"it.\n"
		"Services that did not change lose no packet and keep their state.  Connections of "
		"those\n"
		"that did are served to their end as they began.  A file with a mistake changes "
		"nothing.\n"
		"Prints each difference; those that need a restart are named and left as they "
		"are.\n"
		"SIGHUP does the same, and the engine's log says what came of it.\n"
		"\n"
		"  --dry-run            only print what would change\n"
		"  -f, --instance NAME  engine.instance of the configuration, default handfast\n"
		"\n"
		"exit codes: 0 done, or nothing to do; 1 the engine cannot take it without a "
		"restart, or\n"
		"does not answer; 3 the file has a mistake, which is shown as `handfast check` "
		"does\n"
		"\n"
		"examples:\n"
		"  handfast reload --dry-run\n"
		"  handfast reload\n";

#define DRAIN_OPTIONS                                                                 \
	"  --backend POOL/ADDRESS:PORT\n"                                             \
	"                       a backend of a pool, as the configuration names it\n" \
	"  --all                every service\n"                                      \
	"  -f, --instance NAME  engine.instance of the configuration, default handfast\n"

const char drain_help[] =
		"usage: handfast drain SERVICE|--all|--backend POOL/ADDRESS:PORT [--instance "
		"NAME]\n"
		"\n"
		"Has a service of a running engine take no new connections: a SYN is answered as "
		"at a\n"
		"port where nobody listens.  Connections that are open stay until they end; "
		"`handfast\n"
		"stats` counts them.  A backend that is drained is not chosen for new connections, "
		"as\n"
		"with a weight of 0.  `handfast undrain` takes it back.  It lasts over a reload, "
		"not over\n"
		"a restart.\n"
		"\n" DRAIN_OPTIONS "\n"
		"examples:\n"
		"  handfast drain web && sleep 60 && handfast conns\n";

const char undrain_help[] =
		"usage: handfast undrain SERVICE|--all|--backend POOL/ADDRESS:PORT [--instance "
		"NAME]\n"
		"\n"
		"Has a service or backend that was drained take new connections again.\n"
		"\n" DRAIN_OPTIONS "\n"
		"examples:\n"
		"  handfast undrain --all\n";

struct reload_request {
	const char *program;
	const char *instance;
	bool dry_run;
	const char *backend; /**< NULL: a service. */
	bool all;
};

/* @return false after the failure was reported. */
static bool
print_report(struct telemetry_client *client, json_t *answer, FILE *out)
{
	const uint64_t serial = sample_number(answer, "serial");
	uint64_t next = sample_number(answer, "next");
	char page[PAGE_MAX];

	fputs(telemetry_client_join(answer, "report", page, sizeof(page)), out);
	while (next > 0) {
		json_t *more = telemetry_client_ask(client, "/handfast/reload_report,%llu,%llu",
				(unsigned long long)serial, (unsigned long long)next);

		if (more == NULL)
			return false;
		fputs(telemetry_client_join(more, "report", page, sizeof(page)), out);
		/* A report that another command has replaced ends here. */
		next = json_is_object(more) ? sample_number(more, "next") : 0;
		json_decref(more);
	}
	return true;
}

/* @return the exit code. */
static int
conclude(const struct reload_request *request, struct telemetry_client *client, json_t *answer)
{
	const char *result = json_string_value(json_object_get(answer, "result"));
	char reason[256];

	if (result == NULL) {
		fprintf(stderr, "%s: the engine does not know this command\n", request->program);
		return EXIT_CODE_RUNTIME;
	}
	if (strcmp(result, "error") == 0) {
		fprintf(stderr, "%s: %s\n", request->program,
				telemetry_client_join(answer, "reason", reason, sizeof(reason)));
		return EXIT_CODE_RUNTIME;
	}
	if (strcmp(result, "done") == 0 || strcmp(result, "same") == 0)
		return print_report(client, answer, stdout) ? EXIT_CODE_OK : EXIT_CODE_RUNTIME;
	print_report(client, answer, stderr);
	return strcmp(result, "bad_file") == 0 ? EXIT_CODE_SETTINGS : EXIT_CODE_RUNTIME;
}

static int
ask_engine(const struct reload_request *request, const char *command, const char *word,
		const char *name)
{
	struct telemetry_client *client;
	json_t *answer;
	int code;

	client = telemetry_client_open(request->instance, &code);
	if (client == NULL)
		return code;
	answer = telemetry_client_ask(
			client, "%s,%s%s%s", command, word, name[0] != '\0' ? "," : "", name);
	code = answer == NULL ? EXIT_CODE_RUNTIME : conclude(request, client, answer);
	json_decref(answer);
	telemetry_client_close(client);
	return code;
}

static int
parse_arguments(int argc, char **argv, struct reload_request *request)
{
	static const struct option options[] = {{"all", no_argument, NULL, 'a'},
			{"backend", required_argument, NULL, 'b'},
			{"dry-run", no_argument, NULL, 'd'},
			{"instance", required_argument, NULL, 'f'}, {0}};
	int option;

	while ((option = getopt_long(argc, argv, "f:", options, NULL)) != -1) {
		if (option == 'f')
			request->instance = optarg;
		else if (option == 'd')
			request->dry_run = true;
		else if (option == 'b')
			request->backend = optarg;
		else if (option == 'a')
			request->all = true;
		else
			return -1;
	}
	return 0;
}

int
reload_verb(int argc, char **argv)
{
	struct reload_request request = {.program = argv[0], .instance = "handfast"};

	if (parse_arguments(argc, argv, &request) != 0)
		return EXIT_CODE_USAGE;
	if (optind != argc || request.all || request.backend != NULL) {
		fprintf(stderr, "%s: takes --dry-run and --instance only\n", argv[0]);
		return EXIT_CODE_USAGE;
	}
	return ask_engine(&request, "/handfast/reload", request.dry_run ? "dry" : "run", "");
}

static int
drain_or_undrain(int argc, char **argv, const char *word)
{
	struct reload_request request = {.program = argv[0], .instance = "handfast"};

	if (parse_arguments(argc, argv, &request) != 0)
		return EXIT_CODE_USAGE;
	if (request.dry_run || request.all + (request.backend != NULL) + argc - optind != 1) {
		fprintf(stderr, "%s: needs one of a service, --all and --backend\n", argv[0]);
		return EXIT_CODE_USAGE;
	}
	if (request.backend != NULL && strchr(request.backend, '/') == NULL) {
		fprintf(stderr, "%s: %s is not POOL/ADDRESS:PORT\n", argv[0], request.backend);
		return EXIT_CODE_USAGE;
	}
	return ask_engine(&request, "/handfast/drain", word,
			request.all               ? "*"
			: request.backend != NULL ? request.backend
						  : argv[optind]);
}

int
drain_verb(int argc, char **argv)
{
	return drain_or_undrain(argc, argv, "on");
}

int
undrain_verb(int argc, char **argv)
{
	return drain_or_undrain(argc, argv, "off");
}
