/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * `handfast key`: the secrets of SYN cookies, by their public numbers only.
 *
 * A running engine reads its files again when asked; a new file is made here, without an engine,
 * since a fleet's secret has to reach every node before any of them makes cookies with it.
 */

#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cookie/secret.h"
#include "exit_code.h"
#include "sample.h"
#include "telemetry_client.h"
#include "verbs.h"

const char key_help[] =
		"usage: handfast key show-id [--file FILE] [--instance NAME]\n"
		"       handfast key rotate [--instance NAME]\n"
		"       handfast key rotate --file FILE\n"
		"\n"
		"The secrets of SYN cookies.  Each has a public number, derived from it and "
		"useless\n"
		"for finding it: nodes that show the same number share the secret.\n"
		"\n"
		"  show-id          numbers of the secrets that a running engine uses\n"
		"  rotate           have a running engine read engine.secret and "
		"engine.secret_accepted\n"
		"                   (or systemd's credentials) again; without either it makes a "
		"new\n"
		"                   secret.  Handshakes under way are not lost: the secret used "
		"until\n"
		"                   then is accepted for another 64 s.  When a file is wrong, "
		"nothing\n"
		"                   changes\n"
		"  --file FILE      show-id: the number of the secret in FILE.  rotate: write a "
		"new\n"
		"                   random secret to FILE, and the old one to FILE.previous; "
		"engines\n"
		"                   take it when they are told to\n"
		"  --instance NAME  engine.instance of the configuration, default handfast\n"
		"\n"
		"A fleet changes its secret without losing a handshake in two rounds: make FILE on "
		"one\n"
		"machine; give it to all nodes as secret_accepted, and rotate them all; then as "
		"secret,\n"
		"with FILE.previous as secret_accepted, and rotate them all again.\n"
		"\n"
		"examples:\n"
		"  handfast key rotate --file /etc/handfast/secret && handfast key rotate\n"
		"  handfast key show-id\n";

struct key_request {
	const char *program;
	const char *act;
	const char *file; /**< NULL: ask an engine. */
	const char *instance;
};

/* @return the exit code */
static int
report_problem(const struct key_request *request, const struct secret_problem *problem)
{
	fprintf(stderr, "%s %s: %s\n", request->program, request->act, problem->what);
	if (problem->remedy[0] != '\0')
		fprintf(stderr, "try: %s\n", problem->remedy);
	return EXIT_CODE_RUNTIME;
}

static int
show_file(const struct key_request *request)
{
	char id[SECRET_ID_DIGITS + 1];
	struct secret_problem problem;
	struct secret *secret = secret_load(request->file, &problem);
	bool good;

	if (secret == NULL)
		return report_problem(request, &problem);
	good = secret_id(secret, id);
	secret_free(secret);
	if (good)
		puts(id);
	return good ? EXIT_CODE_OK : EXIT_CODE_RUNTIME;
}

/* The old secret is kept before the new one takes its name: there is no moment without either. */
static int
rotate_file(const struct key_request *request)
{
	char previous[PATH_MAX], id[SECRET_ID_DIGITS + 1] = "", old_id[sizeof(id)] = "none";
	struct secret_problem problem = {0};
	struct secret *old = NULL, *fresh = NULL;
	bool good = false;

	if ((size_t)snprintf(previous, sizeof(previous), "%s.previous", request->file) >=
			sizeof(previous)) {
		fprintf(stderr, "%s %s: the path is too long\n", request->program, request->act);
		return EXIT_CODE_USAGE;
	}
	if (access(request->file, F_OK) == 0) {
		old = secret_load(request->file, &problem);
		if (old == NULL || !secret_store(old, previous, &problem) ||
				!secret_id(old, old_id))
			goto end;
	}
	fresh = secret_random(&problem);
	good = fresh != NULL && secret_store(fresh, request->file, &problem) &&
	       secret_id(fresh, id);
end:
	secret_free(fresh);
	if (good)
		printf("%s: old %s, new %s\n", request->file, old_id, id);
	if (good && old != NULL)
		printf("%s: %s\n", previous, old_id);
	secret_free(old);
	return good ? EXIT_CODE_OK : report_problem(request, &problem);
}

static const char *
text_of(const json_t *answer, const char *name)
{
	const char *text = json_string_value(json_object_get(answer, name));

	return text == NULL || text[0] == '\0' ? "none" : text;
}

static int
report_engine(const struct key_request *request, const json_t *answer)
{
	struct secret_problem problem;

	if (!json_is_object(answer)) {
		fprintf(stderr, "%s %s: the engine does not know this command\n", request->program,
				request->act);
		return EXIT_CODE_RUNTIME;
	}
	if (json_object_get(answer, "reason") != NULL) {
		telemetry_client_join(answer, "reason", problem.what, sizeof(problem.what));
		telemetry_client_join(answer, "remedy", problem.remedy, sizeof(problem.remedy));
		return report_problem(request, &problem);
	}
	if (json_object_get(answer, "before") != NULL)
		printf("before   %s\n", text_of(answer, "before"));
	printf("active   %s (%s)\n", text_of(answer, "active"), text_of(answer, "source"));
	printf("accepted %s\n", text_of(answer, "accepted"));
	if (sample_number(answer, "retired_seconds") > 0)
		printf("retired  %s, accepted for another %" PRIu64 " s\n",
				text_of(answer, "retired"),
				sample_number(answer, "retired_seconds"));
	return EXIT_CODE_OK;
}

static int
ask_engine(const struct key_request *request)
{
	struct telemetry_client *client;
	json_t *answer;
	int code;

	client = telemetry_client_open(request->instance, &code);
	if (client == NULL)
		return code;
	answer = telemetry_client_ask(client, "%s",
			strcmp(request->act, "rotate") == 0 ? "/handfast/key_rotate"
							    : "/handfast/key");
	code = answer == NULL ? EXIT_CODE_RUNTIME : report_engine(request, answer);
	json_decref(answer);
	telemetry_client_close(client);
	return code;
}

static int
parse_arguments(int argc, char **argv, struct key_request *request)
{
	static const struct option options[] = {{"file", required_argument, NULL, 'f'},
			{"instance", required_argument, NULL, 'i'}, {0}};
	int option;

	while ((option = getopt_long(argc, argv, "f:i:", options, NULL)) != -1) {
		if (option == 'f')
			request->file = optarg;
		else if (option == 'i')
			request->instance = optarg;
		else
			return -1;
	}
	if (argc - optind != 1 || (strcmp(argv[optind], "rotate") != 0 &&
						  strcmp(argv[optind], "show-id") != 0)) {
		fprintf(stderr, "%s: rotate or show-id; see %s --help\n", argv[0], argv[0]);
		return -1;
	}
	request->act = argv[optind];
	return 0;
}

int
key_verb(int argc, char **argv)
{
	struct key_request request = {.program = argv[0], .instance = "handfast"};

	if (parse_arguments(argc, argv, &request) != 0)
		return EXIT_CODE_USAGE;
	if (request.file == NULL)
		return ask_engine(&request);
	return strcmp(request.act, "rotate") == 0 ? rotate_file(&request) : show_file(&request);
}
