/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * `handfast conns`: the connections of a running engine, worker by worker.
 *
 * Asked for in small pages with a cursor, so that a worker is never held up by a dump.  The list is
 * therefore no snapshot: what opens or closes meanwhile may be missing.
 */

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conns_act.h"
#include "exit_code.h"
#include "sample.h"
#include "telemetry_client.h"
#include "verbs.h"

/* The largest page that surely fits DPDK's 16 KiB, a line being at most 127 bytes. */
#define PAGE_CONNS 100
/* The engine cuts the service's name to this, so that a line stays below DPDK's 128 bytes. */
#define SERVICE_NAME_SENT 20

const char conns_help[] =
		"usage: handfast conns [--limit N] [--service NAME] [--json] [--instance NAME]\n"
		"       handfast conns close|shutdown|reset SERVICE ADDRESS PORT\n"
		"       handfast conns close|shutdown|reset ADDRESS:PORT\n"
		"\n"
		"Lists the connections of a running engine.  It does not stop for that: "
		"connections\n"
		"that open or close meanwhile may be missing.  What `probe` opened has the "
		"service\n"
		"probe:PORT, with our own port.  One that a backend answers has a second "
		"line: where\n"
		"it goes, and how far its close is.  Or ends one of them, named as listed; "
		"ADDRESS:PORT\n"
		"names that client's connections to whatever service:\n"
		"\n"
		"  close            FIN behind what is still owed; data that comes later is "
		"refused\n"
		"  shutdown         FIN behind what is still owed; the client may go on sending\n"
		"  reset            RST, at once\n"
		"\n"
		"  --limit N        stop after N connections\n"
		"  --service NAME   those of one service only\n"
		"  --json           one JSON object per line\n"
		"  --instance NAME  engine.instance of the configuration, default handfast\n"
		"\n"
		"examples:\n"
		"  handfast conns --service web --limit 20\n"
		"  handfast conns --json > conns.jsonl\n"
		"  handfast conns close web 10.9.0.1 40312\n"
		"  handfast conns reset '[fd00:9::1]:40312'\n";

struct conns_request {
	const char *instance;
	const char *service; /**< NULL for all. */
	uint64_t limit;
	uint64_t printed;
	bool json;
};

/** The fields of a connection, in the order in which the engine writes them. */
struct conns_row {
	char service[32];
	char address[48];
	unsigned int port;
	char state[16];
	uint32_t snd_una;
	uint32_t snd_nxt;
	uint32_t rcv_nxt;
	unsigned int retries;
	char timer[24];
	/** The other half of a proxied connection: where it goes, and from which end of ours. */
	bool has_backend;
	char backend[48];
	unsigned int backend_port;
	char local[48];
	unsigned int local_port;
	char closing[16];
};

static bool
parse_row(const char *text, struct conns_row *row)
{
	return text != NULL &&
	       sscanf(text, "%31s %47s %u %15s %" SCNu32 " %" SCNu32 " %" SCNu32 " %u %23s",
			       row->service, row->address, &row->port, row->state, &row->snd_una,
			       &row->snd_nxt, &row->rcv_nxt, &row->retries, row->timer) == 9;
}

/* An empty text is a connection without a backend, as is an engine that does not know of any. */
static void
parse_half(const char *text, struct conns_row *row)
{
	row->has_backend = text != NULL &&
			   sscanf(text, "%47s %u %47s %u %15s", row->backend, &row->backend_port,
					   row->local, &row->local_port, row->closing) == 5;
}

static void
print_json(const struct conns_row *row)
{
	json_t *object = json_pack("{s:i, s:s, s:s, s:i, s:s, s:I, s:I, s:I, s:i, s:s}", "schema",
			1, "service", row->service, "address", row->address, "port", (int)row->port,
			"state", row->state, "snd_una", (json_int_t)row->snd_una, "snd_nxt",
			(json_int_t)row->snd_nxt, "rcv_nxt", (json_int_t)row->rcv_nxt, "retries",
			(int)row->retries, "timer_ms", row->timer);

	if (row->has_backend)
		json_object_set_new(object, "backend",
				json_pack("{s:s, s:i, s:s, s:i, s:s}", "address", row->backend,
						"port", (int)row->backend_port, "local_address",
						row->local, "local_port", (int)row->local_port,
						"closing", row->closing));
	json_dumpf(object, stdout, JSON_COMPACT);
	fputc('\n', stdout);
	json_decref(object);
}

static void
print_text(const struct conns_row *row)
{
	printf("%-20s %-39s %5u %-12s %10" PRIu32 " %10" PRIu32 " %10" PRIu32 " %7u %8s\n",
			row->service, row->address, row->port, row->state, row->snd_una,
			row->snd_nxt, row->rcv_nxt, row->retries, row->timer);
	if (row->has_backend)
		printf("%-20s %-39s %5u %-12s from %s port %u\n", "  to backend", row->backend,
				row->backend_port, row->closing, row->local, row->local_port);
}

static int
print_page(const json_t *page, struct conns_request *request)
{
	const json_t *conns = json_object_get(page, "conns");
	const json_t *backends = json_object_get(page, "backends");

	for (size_t i = 0; i < json_array_size(conns) && request->printed < request->limit; i++) {
		const char *text = json_string_value(json_array_get(conns, i));
		struct conns_row row;

		if (!parse_row(text, &row)) {
			fprintf(stderr, "handfast: cannot read the connection \"%s\"\n",
					text == NULL ? "" : text);
			return -1;
		}
		parse_half(json_string_value(json_array_get(backends, i)), &row);
		if (request->service != NULL &&
				strncmp(row.service, request->service, SERVICE_NAME_SENT) != 0)
			continue;
		if (request->json)
			print_json(&row);
		else
			print_text(&row);
		request->printed++;
	}
	return 0;
}

static int
print_worker(struct telemetry_client *client, uint64_t worker, struct conns_request *request)
{
	json_int_t cursor = 0;

	while (cursor >= 0 && request->printed < request->limit) {
		json_t *page = telemetry_client_ask(client,
				"/handfast/conns,%" PRIu64 ",%" JSON_INTEGER_FORMAT ",%u", worker,
				cursor, PAGE_CONNS);
		json_t *next = json_object_get(page, "next");
		int result;

		if (page == NULL)
			return -1;
		cursor = json_is_integer(next) ? json_integer_value(next) : -1;
		result = print_page(page, request);
		json_decref(page);
		if (result != 0)
			return result;
	}
	return 0;
}

static int
print_all(struct telemetry_client *client, struct conns_request *request)
{
	json_t *info = telemetry_client_ask(client, "/handfast/info");
	uint64_t workers = sample_number(info, "workers");
	int result = info == NULL ? -1 : 0;

	json_decref(info);
	if (result == 0 && !request->json)
		printf("%-20s %-39s %5s %-12s %10s %10s %10s %7s %8s\n", "SERVICE", "ADDRESS",
				"PORT", "STATE", "SND.UNA", "SND.NXT", "RCV.NXT", "RETRIES",
				"TIMER_MS");
	for (uint64_t i = 0; i < workers && result == 0; i++)
		result = print_worker(client, i, request);
	if (result == 0 && request->printed == request->limit)
		fprintf(stderr, "handfast: stopped after %" PRIu64 " connections, as asked for\n",
				request->limit);
	return result;
}

static int
parse_limit(const char *program, const char *text, uint64_t *limit)
{
	char *end;

	errno = 0;
	*limit = strtoull(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || text[0] == '-') {
		fprintf(stderr, "%s: --limit %s: a number of connections\n", program, text);
		return -1;
	}
	return 0;
}

static int
parse_arguments(int argc, char **argv, struct conns_request *request)
{
	static const struct option options[] = {{"instance", required_argument, NULL, 'i'},
			{"json", no_argument, NULL, 'j'}, {"limit", required_argument, NULL, 'l'},
			{"service", required_argument, NULL, 's'}, {0}};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'i')
			request->instance = optarg;
		else if (option == 'j')
			request->json = true;
		else if (option == 's')
			request->service = optarg;
		else if (option != 'l' || parse_limit(argv[0], optarg, &request->limit) != 0)
			return -1;
	}
	if (optind == argc || conns_act_is(argv[optind]))
		return 0;
	fprintf(stderr, "%s: \"%s\" is neither an option nor close, shutdown or reset\n", argv[0],
			argv[optind]);
	return -1;
}

int
conns_verb(int argc, char **argv)
{
	struct conns_request request = {.instance = "handfast", .limit = UINT64_MAX};
	struct telemetry_client *client;
	int code;
	int result;

	if (parse_arguments(argc, argv, &request) != 0)
		return EXIT_CODE_USAGE;
	if (optind < argc)
		return conns_act(argv[0], request.instance, argc - optind, argv + optind);
	client = telemetry_client_open(request.instance, &code);
	if (client == NULL)
		return code;
	result = print_all(client, &request);
	telemetry_client_close(client);
	return result == 0 ? EXIT_CODE_OK : EXIT_CODE_RUNTIME;
}
