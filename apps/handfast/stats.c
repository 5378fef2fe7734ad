/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * `handfast stats`: what a running engine does, for people, for logs and for programs.
 */

#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "exit_code.h"
#include "sample.h"
#include "screen.h"
#include "telemetry_client.h"
#include "top.h"
#include "verbs.h"

#define RULES_PAGES_MAX 1000

const char stats_help[] =
		"usage: handfast stats [--watch[=SECONDS]] [--json] [--instance NAME]\n"
		"       handfast stats rules [--instance NAME]\n"
		"\n"
		"Prints what a running engine does: rates over one second, connections, ports,\n"
		"services, backends, time of handshakes, drops by reason.  \"drop/s\" leaves out "
		"`consumed`:\n"
		"packets that had done their work and needed no answer.\n"
		"\n"
		"  --watch[=SECONDS]  again and again, every second unless told otherwise; on a\n"
		"                     terminal as `top` does, else one line of key=value pairs\n"
		"  --json             one JSON object per line, totals since the start; with "
		"--watch\n"
		"                     also the rates; \"schema\" changes when a field changes "
		"meaning\n"
		"  --instance NAME    engine.instance of the configuration, default handfast\n"
		"  rules              how often each row of the TCP state table was used\n"
		"\n"
		"examples:\n"
		"  handfast stats\n"
		"  handfast stats --watch | tee engine.log\n"
		"  handfast stats --json | python3 -m json.tool\n"
		"  handfast stats rules | sort -nr | head\n";

struct stats_request {
	const char *instance;
	double interval_seconds; /**< 0 unless watching. */
	bool json;
};

/** The two counters' growth per second, by name, as whole numbers. */
static json_t *
rates_object(const struct sample *now, const struct sample *before)
{
	json_t *rates = json_object();
	const char *name;
	json_t *value;

	json_object_foreach(now->counters, name, value)
	{
		double rate = sample_rate(now, before, (uint64_t)json_integer_value(value),
				sample_number(before->counters, name));

		json_object_set_new(rates, name, json_integer((json_int_t)llround(rate)));
	}
	return rates;
}

static void
print_json(const struct sample *now, const struct sample *before)
{
	json_t *object = json_pack("{s:i, s:I, s:O, s:O, s:O, s:O, s:O, s:O, s:O}", "schema", 1,
			"ts", (json_int_t)now->unix_seconds, "info", now->info, "workers",
			now->workers, "ports", now->ports, "services", now->services, "backends",
			now->backends, "counters", now->counters, "latency", now->latency);

	if (before != NULL)
		json_object_set_new(object, "rates_per_second", rates_object(now, before));
	json_dumpf(object, stdout, JSON_COMPACT);
	fputc('\n', stdout);
	fflush(stdout);
	json_decref(object);
}

static void
wait_seconds(double seconds)
{
	struct timespec time = {.tv_sec = (time_t)seconds};

	time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
	nanosleep(&time, NULL);
}

/** The screen, or with @p request->json the totals, once. */
static int
print_once(struct telemetry_client *client, const struct stats_request *request)
{
	struct sample before = {0};
	struct sample now = {0};
	int result = sample_take(&before, client);

	if (result == 0 && request->json) {
		print_json(&before, NULL);
	} else if (result == 0) {
		wait_seconds(1);
		result = sample_take(&now, client);
		if (result == 0)
			screen_print(stdout, &now, &before);
	}
	sample_free(&before);
	sample_free(&now);
	return result;
}

/** A line per interval until the engine stops, which is reported, or we are interrupted. */
static int
print_lines(struct telemetry_client *client, const struct stats_request *request)
{
	struct sample before = {0};
	int result = sample_take(&before, client);

	while (result == 0) {
		struct sample now = {0};

		wait_seconds(request->interval_seconds);
		result = sample_take(&now, client);
		if (result == 0 && request->json)
			print_json(&now, &before);
		else if (result == 0)
			screen_print_line(stdout, &now, &before);
		/* A reader that went away ends us: nobody is left to print for. */
		if (fflush(stdout) != 0)
			result = -1;
		sample_free(&before);
		before = now;
	}
	sample_free(&before);
	return result;
}

/** Rows of the TCP table with their counts, page by page. */
static int
print_rules(struct telemetry_client *client)
{
	json_int_t offset = 0;

	for (unsigned int page = 0; offset >= 0 && page < RULES_PAGES_MAX; page++) {
		json_t *answer = telemetry_client_ask(
				client, "/handfast/rules,%" JSON_INTEGER_FORMAT, offset);
		json_t *rules = json_object_get(answer, "rules");
		json_t *next = json_object_get(answer, "next");
		json_t *rule;
		size_t i;

		if (answer == NULL)
			return -1;
		json_array_foreach(rules, i, rule) printf("%s\n", json_string_value(rule));
		offset = json_is_integer(next) ? json_integer_value(next) : -1;
		json_decref(answer);
	}
	return 0;
}

static int
parse_interval(const char *text, double *seconds)
{
	char *end;

	if (text == NULL) {
		*seconds = 1;
		return 0;
	}
	*seconds = strtod(text, &end);
	/* Written so that "nan" fails, too. */
	if (end == text || *end != '\0' || !(*seconds >= 0.1 && *seconds <= 86400))
		return -1;
	return 0;
}

static int
parse_arguments(int argc, char **argv, struct stats_request *request)
{
	static const struct option options[] = {{"instance", required_argument, NULL, 'i'},
			{"json", no_argument, NULL, 'j'}, {"watch", optional_argument, NULL, 'w'},
			{0}};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'i') {
			request->instance = optarg;
		} else if (option == 'j') {
			request->json = true;
		} else if (option != 'w') {
			return -1;
		} else if (parse_interval(optarg, &request->interval_seconds) != 0) {
			fprintf(stderr, "%s: \"%s\" is no number of seconds from 0.1 to 86400\n",
					argv[0], optarg);
			return -1;
		}
	}
	return 0;
}

int
stats_verb(int argc, char **argv)
{
	struct stats_request request = {.instance = "handfast"};
	struct telemetry_client *client;
	bool rules;
	int code;
	int result;

	if (parse_arguments(argc, argv, &request) != 0)
		return EXIT_CODE_USAGE;
	rules = optind + 1 == argc && strcmp(argv[optind], "rules") == 0;
	if (!rules && optind != argc) {
		fprintf(stderr, "%s: \"%s\" is neither an option nor `rules`\n", argv[0],
				argv[optind]);
		return EXIT_CODE_USAGE;
	}
	if (rules && (request.json || request.interval_seconds > 0)) {
		fprintf(stderr, "%s: rules takes --instance only\n", argv[0]);
		return EXIT_CODE_USAGE;
	}
	client = telemetry_client_open(request.instance, &code);
	if (client == NULL)
		return code;
	if (rules)
		result = print_rules(client);
	else if (request.interval_seconds == 0)
		result = print_once(client, &request);
	else if (isatty(STDOUT_FILENO) && !request.json)
		result = top_show(client, request.interval_seconds);
	else
		result = print_lines(client, &request);
	telemetry_client_close(client);
	return result == 0 ? EXIT_CODE_OK : EXIT_CODE_RUNTIME;
}
