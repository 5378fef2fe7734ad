/* SPDX-License-Identifier: BSD-3-Clause */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../handfast/exit_code.h"
#include "given.h"
#include "given_problem.h"
#include "tuples.h"

static int
complain(const struct given *given, const char *what)
{
	fprintf(stderr, "%s: %s; see handfast-load --help\n", given->program, what);
	return EXIT_CODE_USAGE;
}

static int
read_send_file(struct given *given)
{
	struct options *options = given->options;
	FILE *file = fopen(given->send_file, "rb");
	size_t length;

	if (file == NULL) {
		fprintf(stderr, "%s: %s: %s\n", given->program, given->send_file, strerror(errno));
		return EXIT_CODE_USAGE;
	}
	options->request = malloc(LOAD_REQUEST_MAX + 1);
	length = options->request != NULL ? fread(options->request, 1, LOAD_REQUEST_MAX + 1, file)
					  : 0;
	fclose(file);
	if (length == 0 || length > LOAD_REQUEST_MAX)
		return complain(given, "the request must have 1 to 1200 bytes");
	options->plan.request_length = (uint32_t)length;
	return EXIT_CODE_OK;
}

/* \r, \n, \t, \\ and \xHH. @return whether no others are there. */
static bool
unescape(const char *text, uint8_t *to, uint32_t *length)
{
	static const char names[] = "rnt\\", bytes[] = "\r\n\t\\";

	for (*length = 0; *text != '\0'; (*length)++) {
		unsigned int byte = (uint8_t)*text++;
		const char *name;

		if (byte == '\\' && *text == 'x') {
			if (!isxdigit((uint8_t)text[1]) || !isxdigit((uint8_t)text[2]))
				return false;
			sscanf(text + 1, "%2x", &byte);
			text += 3;
		} else if (byte == '\\') {
			name = *text != '\0' ? strchr(names, *text++) : NULL;
			if (name == NULL)
				return false;
			byte = (uint8_t)bytes[name - names];
		}
		to[*length] = (uint8_t)byte;
	}
	return true;
}

static int
make_http_request(struct given *given)
{
	struct options *options = given->options;
	const struct settings_endpoint *target = &options->plan.targets.item[0];
	const bool ipv6 = !flow_key_is_ipv4(target->address);
	const unsigned int number = rte_be_to_cpu_16(target->port);
	char address[46], port[8] = "", *text;
	int length;

	settings_format_address(target->address, address);
	/* RFC 9110 7.2: as in the URI, where http has 80 without saying so (4.2.1). */
	if (number != 80)
		snprintf(port, sizeof(port), ":%u", number);
	length = asprintf(&text, "GET %s HTTP/1.1\r\nHost: %s%s%s%s\r\n%s\r\n",
			given->path != NULL ? given->path : "/", ipv6 ? "[" : "", address,
			ipv6 ? "]" : "", port,
			options->plan.peer_closes ? "Connection: close\r\n" : "");
	if (length < 0 || length > LOAD_REQUEST_MAX)
		return complain(given, "the request must have 1 to 1200 bytes");
	options->request = (uint8_t *)text;
	options->plan.request_length = (uint32_t)length;
	return EXIT_CODE_OK;
}

/* Instead of HTTP. */
static bool
is_raw(const struct given *given)
{
	return given->send != NULL || given->send_file != NULL;
}

static int
make_request(struct given *given)
{
	struct options *options = given->options;
	struct load_plan *plan = &options->plan;
	int code = EXIT_CODE_OK;

	if (plan->exchange != LOAD_REQUEST && plan->exchange != LOAD_KEEPALIVE) {
		plan->requests = 0;
		return EXIT_CODE_OK;
	}
	if (plan->exchange == LOAD_REQUEST)
		plan->requests = 1;
	plan->http = !is_raw(given);
	if (!plan->http && plan->requests > 1 && plan->answer_bytes == 0)
		return complain(given, "several raw requests need --expect-bytes");
	/* Every request is the same text, and a server closes behind the first that asks for it. */
	if (plan->http && plan->requests > 1 && plan->peer_closes)
		return complain(given, "--close peer is for one HTTP request, which asks for it: "
				       "use --close us, or --requests 1");
	if (plan->http) {
		code = make_http_request(given);
	} else if (given->send_file != NULL) {
		code = read_send_file(given);
	} else {
		options->request = malloc(strlen(given->send) + 1);
		if (!unescape(given->send, options->request, &plan->request_length))
			return complain(given,
					"--send: behind a \\ comes r, n, t, another \\, or x "
					"and two hexadecimal digits");
		if (plan->request_length == 0 || plan->request_length > LOAD_REQUEST_MAX)
			return complain(given, "the request must have 1 to 1200 bytes");
	}
	plan->request = options->request;
	return code;
}

/* What the exchange has no use for is a misunderstanding. */
static int
check_exchange(const struct given *given)
{
	const struct load_plan *plan = &given->options->plan;
	const bool raw = is_raw(given);

	if (plan->exchange != LOAD_KEEPALIVE && plan->requests != 0)
		return complain(given, "--requests is for --exchange keepalive");
	if (plan->exchange != LOAD_KEEPALIVE && plan->exchange != LOAD_REQUEST &&
			(raw || given->path != NULL || plan->answer_bytes != 0))
		return complain(given, "--path, --send, --send-file and --expect-bytes are for "
				       "--exchange request and keepalive");
	if ((given->send != NULL) + (given->send_file != NULL) + (given->path != NULL) > 1)
		return complain(given, "--path, --send and --send-file exclude each other");
	if (plan->answer_bytes != 0 && !raw)
		return complain(given, "--expect-bytes is for --send and --send-file");
	if (plan->count != 0 && plan->exchange == LOAD_IDLE)
		return complain(given,
				"--exchange idle opens --concurrency connections, and ends after "
				"--duration: it has no --count");
	if (given->options->max_p99_us > 0 && !load_keeps_state(plan->exchange))
		return complain(given, "--max-p99 is for --exchange handshake, open-close, request "
				       "and keepalive");
	return EXIT_CODE_OK;
}

/* Nor has it, or the closed loop, for how what it does not do is done. */
static int
check_manner(const struct given *given)
{
	const struct load_plan *plan = &given->options->plan;
	const bool asks = plan->exchange == LOAD_REQUEST || plan->exchange == LOAD_KEEPALIVE;

	if (given->closes && !asks)
		return complain(given, "--close is for --exchange request and keepalive");
	if (given->closes && !plan->peer_closes && is_raw(given) && plan->answer_bytes == 0)
		return complain(given, "--close us needs --expect-bytes: without it a raw answer "
				       "ends when the peer closes");
	if (given->third_ack && !asks && plan->exchange != LOAD_OPEN_CLOSE)
		return complain(given, "--third-ack is for --exchange open-close, request and "
				       "keepalive");
	if (given->spacing && plan->rate == 0.0)
		return complain(given, "--spacing is for --rate");
	return EXIT_CODE_OK;
}

/* What knows no connections has no use for what is said about them. */
static int
check_state(const struct given *given)
{
	const struct load_plan *plan = &given->options->plan;
	const bool keeps = load_keeps_state(plan->exchange);

	if (plan->concurrency != 0 && !keeps && plan->exchange != LOAD_IDLE)
		return complain(given, "--exchange syn, forged-ack and rst-flood open no "
				       "connections: they have no --concurrency; see --rate");
	if (given->retries && !keeps && plan->exchange != LOAD_IDLE)
		return complain(given, "--exchange syn, forged-ack and rst-flood repeat nothing: "
				       "they have no --retries");
	if (given->timeout && !keeps)
		return complain(given, "--exchange syn, idle, forged-ack and rst-flood wait for no "
				       "answer: they have no --timeout");
	if (plan->timestamps &&
			(plan->exchange == LOAD_FORGED_ACK || plan->exchange == LOAD_RST_FLOOD))
		return complain(given, "--timestamps are offered in a SYN: --exchange forged-ack "
				       "and rst-flood send none");
	if (plan->random_order && plan->exchange == LOAD_IDLE)
		return complain(given, "--exchange idle takes its tuples in turn: it has no "
				       "--order random");
	return EXIT_CODE_OK;
}

/* A ramp changes the rate, or how many are open at once; where there is neither, nothing. */
static int
check_ramps(const struct given *given)
{
	const struct load_plan *plan = &given->options->plan;

	if (plan->ramp_down_us != 0 && plan->exchange == LOAD_IDLE)
		return complain(given, "--exchange idle holds its connections to the end: it has "
				       "no --ramp-down");
	if ((plan->ramp_up_us != 0 || plan->ramp_down_us != 0) && plan->rate == 0.0 &&
			!load_keeps_state(plan->exchange))
		return complain(given, "--exchange syn, idle, forged-ack and rst-flood go as fast "
				       "as they can without --rate: name one for --ramp-up and "
				       "--ramp-down");
	if (plan->ramp_down_us != 0 && plan->count != 0 && plan->duration_us == 0)
		return complain(given, "--ramp-down follows a --duration: name one beside --count");
	return EXIT_CODE_OK;
}

/* What was not said, from what was. */
static void
complete_plan(struct given *given)
{
	struct load_plan *plan = &given->options->plan;

	/* A raw answer of no known length ends with the peer's FIN. */
	if (!given->closes)
		plan->peer_closes = plan->exchange == LOAD_REQUEST ||
				    (is_raw(given) && plan->answer_bytes == 0);
	if (!given->third_ack)
		plan->third_ack_alone = plan->exchange == LOAD_OPEN_CLOSE;
	if (plan->concurrency == 0)
		plan->concurrency = plan->rate > 0.0 ? 262144 : 256;
	if (plan->duration_us == 0 && plan->count == 0)
		plan->duration_us = 10000000;
	if (plan->requests == 0)
		plan->requests = 10;
}

static bool
has_target(const struct load_plan *plan, unsigned int port)
{
	for (unsigned int t = 0; t < plan->targets.count; t++) {
		if (plan->target_port[t] == port)
			return true;
	}
	return false;
}

static int
check_plan(const struct given *given)
{
	const struct load_plan *plan = &given->options->plan;
	const bool ipv4 = flow_key_is_ipv4(plan->targets.item[0].address);

	if (given->port[0].device == NULL)
		return complain(given, "needs a --port");
	for (unsigned int p = 0; p <= given->at; p++) {
		if (given->port[p].addresses[0] == '\0')
			return complain(given, given->at == 0 ? "needs an --address"
							      : "each --port needs an --address");
		if (!has_target(plan, p))
			return complain(given, given->at == 0 ? "needs a --target"
							      : "each --port needs a --target");
		if (!tuples_check_sources(&plan->sources[p], given->program))
			return EXIT_CODE_USAGE;
	}
	if (given->at > 0 && plan->exchange == LOAD_IDLE)
		return complain(given, "--exchange idle takes one --port");
	for (unsigned int i = 1; i < plan->targets.count; i++) {
		if (flow_key_is_ipv4(plan->targets.item[i].address) != ipv4)
			return complain(given, "targets are all IPv4 or all IPv6");
	}
	if (plan->count == 0 && plan->duration_us == 0)
		return complain(given, "needs a --duration or a --count");
	return EXIT_CODE_OK;
}

static void
write_word(FILE *out, const char *name, const char *value)
{
	if (value != NULL)
		fprintf(out, "  %s: \"%s\"\n", name, value);
}

static void
write_port(FILE *out, const struct given_port *port, unsigned int number)
{
	fprintf(out, "  - name: load%.0u\n", number);
	fprintf(out, "    device: \"%s\"\n    addresses: [%s]\n", port->device, port->addresses);
	if (port->gateways[0] != '\0')
		fprintf(out, "    gateways: [%s]\n", port->gateways);
	if (port->mac != NULL)
		fprintf(out, "    mac: \"%s\"\n", port->mac);
	if (port->vlan != NULL)
		fprintf(out, "    vlan: %s\n", port->vlan);
	if (port->mtu != NULL)
		fprintf(out, "    mtu: %s\n", port->mtu);
	if (port->queues != NULL)
		fprintf(out, "    queues: %s\n", port->queues);
}

/* Settings must have a service; the generator has none, so this one goes again. */
static void
write_placeholder(FILE *out, const char *addresses)
{
	const int length = (int)strcspn(addresses, "/,");
	const bool ipv6 = memchr(addresses, ':', (size_t)length) != NULL;

	fprintf(out, "services:\n  - name: none\n    listen: \"%s%.*s%s:1\"\n", ipv6 ? "[" : "",
			length, addresses, ipv6 ? "]" : "");
}

static int
read_settings(struct given *given, const char *text, size_t length)
{
	char *problems = NULL;
	size_t problems_length = 0;
	FILE *errors = open_memstream(&problems, &problems_length);

	if (errors == NULL)
		return EXIT_CODE_RUNTIME;
	given->options->settings = settings_parse("", text, length, errors);
	fclose(errors);
	given_problem_print(text, problems, given->program, stderr);
	free(problems);
	if (given->options->settings == NULL)
		return EXIT_CODE_USAGE;
	given->options->settings->service_count = 0;
	return EXIT_CODE_OK;
}

/* The engine's settings, through the same door as a file. */
static int
make_settings(struct given *given)
{
	const struct given_words *words = &given->words;
	const struct load_plan *plan = &given->options->plan;
	char *text = NULL, instance[SETTINGS_NAME_MAX];
	const uint64_t connections = (uint64_t)plan->concurrency * 5 / 4 + 4096;
	size_t length = 0;
	int code;
	FILE *out = open_memstream(&text, &length);

	if (out == NULL)
		return EXIT_CODE_RUNTIME;
	snprintf(instance, sizeof(instance), "load-%d", (int)getpid());
	fprintf(out, "engine:\n");
	write_word(out, "instance", words->instance != NULL ? words->instance : instance);
	if (words->workers != NULL)
		fprintf(out, "  workers: %s\n", words->workers);
	write_word(out, "main_core", words->main_core);
	write_word(out, "memory", words->memory);
	write_word(out, "memory_size", words->memory_size);
	write_word(out, "idle", words->idle != NULL ? words->idle : "pause");
	write_word(out, "eal", words->eal);
	write_word(out, "log_level", words->log_level != NULL ? words->log_level : "warning");
	if (words->connections != NULL)
		write_word(out, "connections", words->connections);
	else
		fprintf(out, "  connections: %llu\n",
				(unsigned long long)(load_keeps_state(plan->exchange) ? connections
										      : 64));
	/* The generator's TIME_WAIT needs no table (engine/load_stranger.c): as small as it goes.
	 */
	fprintf(out, "tcp:\n  max_tw_buckets: 64\n");
	fprintf(out, "ports:\n");
	for (unsigned int p = 0; p <= given->at; p++)
		write_port(out, &given->port[p], p);
	write_placeholder(out, given->port[0].addresses);
	fclose(out);
	code = read_settings(given, text, length);
	free(text);
	return code;
}

/* Nobody would answer: what is sent to ourselves does not leave. */
static int
check_targets(const struct given *given)
{
	const struct load_plan *plan = &given->options->plan;
	char address[46];

	for (unsigned int t = 0; t < plan->targets.count; t++) {
		const uint8_t *target = plan->targets.item[t].address;
		const struct settings_prefixes *own =
				&given->options->settings->port[plan->target_port[t]].addresses;

		for (unsigned int i = 0; i < own->count; i++) {
			if (memcmp(own->item[i].address, target, sizeof(own->item[i].address)) != 0)
				continue;
			fprintf(stderr, "%s: --target: %s is our own address, given by --address\n",
					given->program, settings_format_address(target, address));
			return EXIT_CODE_USAGE;
		}
	}
	return EXIT_CODE_OK;
}

int
given_complete(struct given *given)
{
	int code;

	code = check_exchange(given);
	if (code == EXIT_CODE_OK)
		code = check_manner(given);
	if (code == EXIT_CODE_OK)
		code = check_state(given);
	if (code == EXIT_CODE_OK)
		code = check_ramps(given);
	if (code != EXIT_CODE_OK)
		return code;
	complete_plan(given);
	code = check_plan(given);
	if (code == EXIT_CODE_OK)
		code = make_request(given);
	if (code == EXIT_CODE_OK)
		code = make_settings(given);
	if (code == EXIT_CODE_OK)
		code = check_targets(given);
	return code;
}
