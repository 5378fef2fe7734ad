/* SPDX-License-Identifier: BSD-3-Clause */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "conns_act.h"
#include "endpoint.h"
#include "exit_code.h"
#include "sample.h"
#include "telemetry_client.h"

/* What the engine takes for any service. */
#define ANY_SERVICE "*"

bool
conns_act_is(const char *word)
{
	return strcmp(word, "close") == 0 || strcmp(word, "shutdown") == 0 ||
	       strcmp(word, "reset") == 0;
}

/** @return whether the words name a connection. */
static bool
parse_connection(int argc, char *const *words, const char **service, struct endpoint *remote)
{
	if (argc < 1 || argc > 3)
		return false;
	*service = argc == 1 ? ANY_SERVICE : words[0];
	/* A comma would separate parameters of the command. */
	if (strchr(*service, ',') != NULL)
		return false;
	return argc == 3 ? endpoint_parse_words(words[1], words[2], remote)
			 : endpoint_parse(words[argc - 1], remote);
}

static int
report(const char *program, const char *act, const json_t *answer)
{
	const char *reason = json_string_value(json_object_get(answer, "reason"));
	const uint64_t done = sample_number(answer, "done");

	if (reason != NULL)
		fprintf(stderr, "%s: %s\n", program, reason);
	else if (done > 0)
		printf("%s: %" PRIu64 " %s\n", act, done, done == 1 ? "connection" : "connections");
	else if (sample_number(answer, "unfit") > 0)
		fprintf(stderr,
				"%s: it is not open yet, or closing already; only `reset` would "
				"do\n",
				program);
	else
		fprintf(stderr, "%s: no such connection\n", program);
	return done > 0 ? EXIT_CODE_OK : EXIT_CODE_RUNTIME;
}

int
conns_act(const char *program, const char *instance, int argc, char *const *words)
{
	struct telemetry_client *client;
	struct endpoint remote;
	const char *service;
	json_t *answer;
	int code;

	if (!parse_connection(argc - 1, words + 1, &service, &remote)) {
		fprintf(stderr, "%s: %s needs SERVICE ADDRESS PORT, as listed, or ADDRESS:PORT\n",
				program, words[0]);
		return EXIT_CODE_USAGE;
	}
	client = telemetry_client_open(instance, &code);
	if (client == NULL)
		return code;
	answer = telemetry_client_ask(client, "/handfast/conn_act,%s,%s,%s,%u", words[0], service,
			remote.address, remote.port);
	code = answer == NULL ? EXIT_CODE_RUNTIME : report(program, words[0], answer);
	json_decref(answer);
	telemetry_client_close(client);
	return code;
}
