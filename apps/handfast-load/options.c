/* SPDX-License-Identifier: BSD-3-Clause */

#include <ctype.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "../handfast/exit_code.h"
#include "allowed.h"
#include "given.h"
#include "number.h"
#include "options.h"
#include "tuples.h"

const char *const options_exchanges[] = {"syn", "handshake", "open-close", "request", "keepalive",
		"idle", "forged-ack", "rst-flood"};

/* One start in three hours; the time to the next one is a number of 64 bits (lib/load/pace.h). */
#define RATE_LEAST 1e-4

enum known_option {
	OPTION_HELP = 'h',
	OPTION_PORT = 0x100,
	OPTION_ADDRESS,
	OPTION_GATEWAY,
	OPTION_MAC,
	OPTION_VLAN,
	OPTION_MTU,
	OPTION_QUEUES,
	OPTION_TARGET,
	OPTION_TARGET_MAC,
	OPTION_SOURCES,
	OPTION_SOURCE_PORTS,
	OPTION_ORDER,
	OPTION_EXCHANGE,
	OPTION_PATH,
	OPTION_SEND,
	OPTION_SEND_FILE,
	OPTION_EXPECT_BYTES,
	OPTION_REQUESTS,
	OPTION_CLOSE,
	OPTION_THIRD_ACK,
	OPTION_CONCURRENCY,
	OPTION_RATE,
	OPTION_SPACING,
	OPTION_COUNT,
	OPTION_DURATION,
	OPTION_RAMP_UP,
	OPTION_RAMP_DOWN,
	OPTION_DELAY,
	OPTION_DRAIN,
	OPTION_TIMEOUT,
	OPTION_RETRIES,
	OPTION_TIMESTAMPS,
	OPTION_RESOLVE,
	OPTION_WORKERS,
	OPTION_MAIN_CORE,
	OPTION_MEMORY,
	OPTION_MEMORY_SIZE,
	OPTION_CONNECTIONS,
	OPTION_IDLE,
	OPTION_INSTANCE,
	OPTION_EAL,
	OPTION_LOG_LEVEL,
	OPTION_JSON,
	OPTION_CSV,
	OPTION_QUIET,
	OPTION_MIN_RATE,
	OPTION_MAX_P99,
	OPTION_MAX_FAILURES,
};

static const struct option known[] = {
		{"help", no_argument, NULL, OPTION_HELP},
		{"port", required_argument, NULL, OPTION_PORT},
		{"address", required_argument, NULL, OPTION_ADDRESS},
		{"gateway", required_argument, NULL, OPTION_GATEWAY},
		{"mac", required_argument, NULL, OPTION_MAC},
		{"vlan", required_argument, NULL, OPTION_VLAN},
		{"mtu", required_argument, NULL, OPTION_MTU},
		{"queues", required_argument, NULL, OPTION_QUEUES},
		{"target", required_argument, NULL, OPTION_TARGET},
		{"target-mac", required_argument, NULL, OPTION_TARGET_MAC},
		{"sources", required_argument, NULL, OPTION_SOURCES},
		{"source-ports", required_argument, NULL, OPTION_SOURCE_PORTS},
		{"order", required_argument, NULL, OPTION_ORDER},
		{"exchange", required_argument, NULL, OPTION_EXCHANGE},
		{"path", required_argument, NULL, OPTION_PATH},
		{"send", required_argument, NULL, OPTION_SEND},
		{"send-file", required_argument, NULL, OPTION_SEND_FILE},
		{"expect-bytes", required_argument, NULL, OPTION_EXPECT_BYTES},
		{"requests", required_argument, NULL, OPTION_REQUESTS},
		{"close", required_argument, NULL, OPTION_CLOSE},
		{"third-ack", required_argument, NULL, OPTION_THIRD_ACK},
		{"concurrency", required_argument, NULL, OPTION_CONCURRENCY},
		{"rate", required_argument, NULL, OPTION_RATE},
		{"spacing", required_argument, NULL, OPTION_SPACING},
		{"count", required_argument, NULL, OPTION_COUNT},
		{"duration", required_argument, NULL, OPTION_DURATION},
		{"ramp-up", required_argument, NULL, OPTION_RAMP_UP},
		{"ramp-down", required_argument, NULL, OPTION_RAMP_DOWN},
		{"delay", required_argument, NULL, OPTION_DELAY},
		{"drain", required_argument, NULL, OPTION_DRAIN},
		{"timeout", required_argument, NULL, OPTION_TIMEOUT},
		{"retries", required_argument, NULL, OPTION_RETRIES},
		{"timestamps", no_argument, NULL, OPTION_TIMESTAMPS},
		{"resolve", required_argument, NULL, OPTION_RESOLVE},
		{"workers", required_argument, NULL, OPTION_WORKERS},
		{"main-core", required_argument, NULL, OPTION_MAIN_CORE},
		{"memory", required_argument, NULL, OPTION_MEMORY},
		{"memory-size", required_argument, NULL, OPTION_MEMORY_SIZE},
		{"connections", required_argument, NULL, OPTION_CONNECTIONS},
		{"idle", required_argument, NULL, OPTION_IDLE},
		{"instance", required_argument, NULL, OPTION_INSTANCE},
		{"eal", required_argument, NULL, OPTION_EAL},
		{"log-level", required_argument, NULL, OPTION_LOG_LEVEL},
		{"json", no_argument, NULL, OPTION_JSON},
		{"csv", required_argument, NULL, OPTION_CSV},
		{"quiet", no_argument, NULL, OPTION_QUIET},
		{"min-rate", required_argument, NULL, OPTION_MIN_RATE},
		{"max-p99", required_argument, NULL, OPTION_MAX_P99},
		{"max-failures", required_argument, NULL, OPTION_MAX_FAILURES},
		{0},
};

unsigned int
options_packets(const struct load_plan *plan)
{
	const unsigned int alone = plan->third_ack_alone;

	switch (plan->exchange) {
	case LOAD_HANDSHAKE:
		return 4; /* SYN, SYN,ACK, ACK, RST */
	case LOAD_OPEN_CLOSE:
		return 5 + alone; /* SYN, SYN,ACK, (ACK,) FIN, FIN,ACK, ACK */
	case LOAD_REQUEST:
	case LOAD_KEEPALIVE:
		/* SYN, SYN,ACK, (ACK,) each request and its answer, FIN on the last, FIN, ACK */
		return 4 + alone + 2u * plan->requests + !plan->peer_closes;
	case LOAD_IDLE:
		return 4;
	default:
		return 1;
	}
}

static bool
append_list(char list[SETTINGS_TEXT_MAX], const char *more)
{
	const size_t length = strlen(list);

	return (size_t)snprintf(list + length, SETTINGS_TEXT_MAX - length, "%s%s",
			       length > 0 ? ", " : "", more) < SETTINGS_TEXT_MAX - length;
}

static bool
parse_mac(const char *text, uint8_t mac[6])
{
	unsigned int byte[6];
	char more;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &byte[0], &byte[1], &byte[2], &byte[3],
			    &byte[4], &byte[5], &more) != 6)
		return false;
	for (unsigned int i = 0; i < 6; i++)
		mac[i] = (uint8_t)byte[i];
	return true;
}

/* One of a few words; its number, or -1. */
static int
parse_word(const char *text, const char *const words[], unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		if (strcmp(text, words[i]) == 0)
			return (int)i;
	}
	return -1;
}

static bool
parse_either(const char *text, const char *no, const char *yes, bool *chosen)
{
	const char *const words[] = {no, yes};
	const int word = parse_word(text, words, 2);

	*chosen = word == 1;
	return word >= 0;
}

static bool
parse_max_failures(char *text, struct options *options)
{
	const size_t length = strlen(text);

	options->has_max_failures = true;
	options->max_failures_is_share = length > 0 && text[length - 1] == '%';
	if (options->max_failures_is_share)
		text[length - 1] = '\0';
	if (!number_parse(text, &options->max_failures))
		return false;
	if (options->max_failures_is_share)
		options->max_failures /= 100.0;
	return !options->max_failures_is_share || options->max_failures <= 1.0;
}

/* What follows another --port is about that one; what comes before the first is about the first. */
static int
begin_port(struct given *given, const char *device)
{
	if (given->port[given->at].device != NULL) {
		if (given->at + 1 == SETTINGS_PORTS_MAX)
			return 0;
		given->at++;
	}
	given->port[given->at].device = device;
	return 1;
}

/* Options about a port, taken to the settings as they are. @return 1: read, 0: wrong, -1: another.
 */
static int
read_port(struct given *given, int option, char *value)
{
	struct given_port *port = &given->port[given->at];

	switch (option) {
	case OPTION_PORT:
		return begin_port(given, value);
	case OPTION_MAC:
		port->mac = value;
		return 1;
	case OPTION_VLAN:
		port->vlan = value;
		return 1;
	case OPTION_MTU:
		port->mtu = value;
		return 1;
	case OPTION_QUEUES:
		port->queues = value;
		return 1;
	case OPTION_ADDRESS:
		return append_list(port->addresses, value);
	case OPTION_GATEWAY:
		return append_list(port->gateways, value);
	default:
		return -1;
	}
}

/* Options about the process, taken to the settings as they are. @return whether the
 * option is one. */
static bool
read_word(struct given_words *words, int option, char *value)
{
	switch (option) {
	case OPTION_WORKERS:
		words->workers = value;
		return true;
	case OPTION_MAIN_CORE:
		words->main_core = value;
		return true;
	case OPTION_MEMORY:
		words->memory = value;
		return true;
	case OPTION_MEMORY_SIZE:
		words->memory_size = value;
		return true;
	case OPTION_IDLE:
		words->idle = value;
		return true;
	case OPTION_EAL:
		words->eal = value;
		return true;
	case OPTION_LOG_LEVEL:
		words->log_level = value;
		return true;
	case OPTION_CONNECTIONS:
		words->connections = value;
		return true;
	case OPTION_INSTANCE:
		words->instance = value;
		return true;
	default:
		return false;
	}
}

static int
read_targets(struct given *given, char *value)
{
	struct load_plan *plan = &given->options->plan;
	const uint32_t before = plan->targets.count;

	if (!tuples_parse_targets(value, &plan->targets))
		return 0;
	memset(&plan->target_port[before], (int)given->at, plan->targets.count - before);
	return 1;
}

/* Options about peers and tuples. @return 1: read, 0: wrong, -1: another. */
static int
read_tuples(struct given *given, int option, char *value)
{
	struct load_plan *plan = &given->options->plan;

	switch (option) {
	case OPTION_TARGET:
		return read_targets(given, value);
	case OPTION_TARGET_MAC:
		plan->has_target_mac = true;
		return parse_mac(value, plan->target_mac);
	case OPTION_SOURCES:
		return tuples_parse_sources(value, &plan->sources[given->at]);
	case OPTION_SOURCE_PORTS:
		return tuples_parse_ports(value, plan);
	case OPTION_ORDER:
		return parse_either(value, "turn", "random", &plan->random_order);
	default:
		return -1;
	}
}

static int
read_whole32(const char *value, uint64_t least, uint64_t most, uint32_t *into)
{
	uint64_t number;

	if (!number_parse_whole(value, least, most, &number))
		return 0;
	*into = (uint32_t)number;
	return 1;
}

/* RFC 9112 3.2.1: an absolute path and perhaps a query, of what RFC 3986 3.3 and 3.4 have there. */
static bool
is_origin_form(const char *text)
{
	if (text[0] != '/')
		return false;
	for (; *text != '\0'; text++) {
		const uint8_t byte = (uint8_t)*text;

		if (byte == '%' && isxdigit((uint8_t)text[1]) && isxdigit((uint8_t)text[2]))
			continue;
		if (byte > 127 || (!isalnum(byte) && strchr("-._~!$&'()*+,;=:@/?", byte) == NULL))
			return false;
	}
	return true;
}

/* Options about what is done with a connection. */
static int
read_exchange(struct given *given, int option, char *value)
{
	struct load_plan *plan = &given->options->plan;
	uint32_t number;
	int word;

	switch (option) {
	case OPTION_EXCHANGE:
		word = parse_word(value, options_exchanges, RTE_DIM(options_exchanges));
		plan->exchange = (enum load_exchange)word;
		return word >= 0;
	case OPTION_PATH:
		given->path = value;
		return is_origin_form(value);
	case OPTION_SEND:
		given->send = value;
		return 1;
	case OPTION_SEND_FILE:
		given->send_file = value;
		return 1;
	case OPTION_EXPECT_BYTES:
		return read_whole32(value, 0, UINT32_MAX, &plan->answer_bytes);
	case OPTION_REQUESTS:
		if (!read_whole32(value, 1, UINT16_MAX, &number))
			return 0;
		plan->requests = (uint16_t)number;
		return 1;
	case OPTION_CLOSE:
		given->closes = true;
		return parse_either(value, "us", "peer", &plan->peer_closes);
	case OPTION_THIRD_ACK:
		given->third_ack = true;
		return parse_either(value, "ride", "alone", &plan->third_ack_alone);
	case OPTION_TIMESTAMPS:
		plan->timestamps = true;
		return 1;
	default:
		return -1;
	}
}

/* Options about how much and how long. */
static int
read_amount(struct given *given, int option, char *value)
{
	struct load_plan *plan = &given->options->plan;
	uint64_t us;
	uint32_t number;
	bool poisson;

	switch (option) {
	case OPTION_CONCURRENCY:
		return read_whole32(value, 1, 268435456, &plan->concurrency);
	case OPTION_RATE:
		return number_parse(value, &plan->rate) && plan->rate >= RATE_LEAST;
	case OPTION_SPACING:
		if (!parse_either(value, "even", "poisson", &poisson))
			return 0;
		given->spacing = true;
		plan->shape = poisson ? PACE_POISSON : PACE_EVEN;
		return 1;
	case OPTION_COUNT:
		return number_parse_whole(value, 1, UINT64_C(1) << 53, &plan->count);
	case OPTION_DURATION:
		return number_parse_time(value, &plan->duration_us) && plan->duration_us > 0;
	case OPTION_RAMP_UP:
		return number_parse_time(value, &plan->ramp_up_us);
	case OPTION_RAMP_DOWN:
		return number_parse_time(value, &plan->ramp_down_us);
	case OPTION_DELAY:
		return number_parse_time(value, &plan->delay_us);
	case OPTION_DRAIN:
		return number_parse_time(value, &plan->drain_us);
	case OPTION_TIMEOUT:
		if (!number_parse_time(value, &us) || us < 1000 || us > 3600000000)
			return 0;
		given->timeout = true;
		plan->timeout_ms = (uint32_t)(us / 1000);
		return 1;
	case OPTION_RETRIES:
		if (!read_whole32(value, 0, 15, &number))
			return 0;
		given->retries = true;
		plan->retries = (uint8_t)number;
		return 1;
	case OPTION_RESOLVE:
		if (!number_parse_time(value, &us) || us > 3600000000)
			return 0;
		given->options->resolve_ms = (uint32_t)(us / 1000);
		return 1;
	default:
		return -1;
	}
}

/* Options about what is told. */
static int
read_report(struct given *given, int option, char *value)
{
	struct options *options = given->options;

	switch (option) {
	case OPTION_JSON:
		options->json = true;
		return 1;
	case OPTION_CSV:
		options->csv = value;
		return 1;
	case OPTION_QUIET:
		options->quiet = true;
		return 1;
	case OPTION_MIN_RATE:
		return number_parse(value, &options->min_rate) && options->min_rate > 0.0;
	case OPTION_MAX_P99:
		return number_parse_time(value, &options->max_p99_us) && options->max_p99_us > 0;
	case OPTION_MAX_FAILURES:
		return parse_max_failures(value, options);
	default:
		return -1;
	}
}

static int
read_option(struct given *given, int option, char *value)
{
	int (*const readers[])(struct given *, int, char *) = {
			read_port, read_tuples, read_exchange, read_amount, read_report};
	int result;

	if (read_word(&given->words, option, value))
		return 1;
	for (unsigned int i = 0; i < RTE_DIM(readers); i++) {
		result = readers[i](given, option, value);
		if (result >= 0)
			return result;
	}
	return 0;
}

int
options_parse(int argc, char **argv, struct options *options)
{
	struct given given = {.options = options, .program = argv[0]};
	int option, at = -1;

	*options = (struct options){
			.resolve_ms = 5000,
			.plan =
					{
							.exchange = LOAD_OPEN_CLOSE,
							.first_port = 1024,
							.last_port = UINT16_MAX,
							.retries = 3,
							.timeout_ms = 10000,
							.drain_us = 1000000,
					},
	};
	while ((option = getopt_long(argc, argv, "h", known, &at)) != -1) {
		char said[128]; /* What reads it cuts it up. */

		snprintf(said, sizeof(said), "%s", optarg != NULL ? optarg : "");
		if (option == '?')
			return EXIT_CODE_USAGE;
		if (option == OPTION_HELP) {
			fputs(options_help, stdout);
			return -1;
		}
		if (!read_option(&given, option, optarg)) {
			fprintf(stderr, "%s: --%s \"%s\": must be %s\n", argv[0], known[at].name,
					said, allowed_values(known[at].name));
			return EXIT_CODE_USAGE;
		}
	}
	if (optind != argc) {
		fprintf(stderr, "%s: do not know \"%s\"; see handfast-load --help\n", argv[0],
				argv[optind]);
		return EXIT_CODE_USAGE;
	}
	return given_complete(&given);
}

void
options_free(struct options *options)
{
	settings_free(options->settings);
	free(options->request);
}
