/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * `handfast probe`: have a running engine open, time and close connections.
 *
 * It is the engine that says the SYN and measures, so what is timed is the wire and the peer, not
 * this program.  One probe follows the other; a handshake that did not come is one of the results.
 */

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "endpoint.h"
#include "exit_code.h"
#include "sample.h"
#include "telemetry_client.h"
#include "verbs.h"

/* Beyond the timeout of a probe: resolving the next hop, waiting for other probes. */
#define ANSWER_EXTRA_SECONDS 70
#define TIMEOUT_MAX_MS       60000

const char probe_help[] =
		"usage: handfast probe ADDRESS:PORT [--count N] [--interval SECONDS]\n"
		"           [--timeout SECONDS] [--close fin|rst] [--json] [--instance NAME]\n"
		"\n"
		"Has a running engine open, time and close TCP connections from one of its own\n"
		"addresses; the kernel has no part in it.  Says for each how the handshake ended:\n"
		"opened, refused, timed out, unreachable.\n"
		"\n"
		"  --count N           how many, default 4; 0 until interrupted\n"
		"  --interval SECONDS  from one to the next, default 1\n"
		"  --timeout SECONDS   how long a handshake may take, default 3, at most 60\n"
		"  --close fin|rst     close by FIN, the default; or answer the SYN-ACK with RST, "
		"so\n"
		"                      that the peer's program never hears of it, and nothing "
		"stays\n"
		"                      in TIME_WAIT\n"
		"  --json              one JSON object per line, the last one sums up\n"
		"  --instance NAME     engine.instance of the configuration, default handfast\n"
		"\n"
		"Exit code 0 if at least one connection opened, else 1.\n"
		"\n"
		"examples:\n"
		"  handfast probe 10.9.0.1:80\n"
		"  handfast probe '[fd00:9::1]:443' --count 1000 --interval 0.01 --close rst\n";

struct probe_request {
	struct endpoint target;
	const char *instance;
	const char *close;
	uint64_t count; /**< 0 for no end. */
	unsigned int interval_ms;
	unsigned int timeout_ms;
	bool json;
};

/** What came of all probes. */
struct probe_tally {
	uint64_t sent;
	uint64_t refused;
	uint64_t lost; /**< Neither opened nor refused. */
	size_t opened; /**< Entries of handshake_us. */
	size_t room;
	uint32_t *handshake_us;
};

static volatile sig_atomic_t interrupted;

static void
note_interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

static bool
tally_opened(struct probe_tally *tally, uint32_t handshake_us)
{
	if (tally->opened == tally->room) {
		const size_t room = tally->room == 0 ? 64 : tally->room * 2;
		uint32_t *larger = realloc(tally->handshake_us, room * sizeof(*larger));

		if (larger == NULL)
			return false;
		tally->handshake_us = larger;
		tally->room = room;
	}
	tally->handshake_us[tally->opened++] = handshake_us;
	return true;
}

static int
compare_times(const void *left, const void *right)
{
	const uint32_t a = *(const uint32_t *)left;
	const uint32_t b = *(const uint32_t *)right;

	return (a > b) - (a < b);
}

/** The smallest time at or below which so many per cent lie; the times are sorted. */
static uint32_t
percentile(const struct probe_tally *tally, unsigned int percent)
{
	const size_t rank = (tally->opened * percent + 99) / 100;

	return tally->handshake_us[rank == 0 ? 0 : rank - 1];
}

static void
print_probe_json(const struct probe_request *request, uint64_t number, json_t *answer)
{
	json_object_set_new(answer, "schema", json_integer(1));
	json_object_set_new(answer, "seq", json_integer((json_int_t)number));
	json_object_set_new(answer, "address", json_string(request->target.address));
	json_object_set_new(answer, "port", json_integer(request->target.port));
	json_dumpf(answer, stdout, JSON_COMPACT);
	fputc('\n', stdout);
}

static void
print_probe(const struct probe_request *request, uint64_t number, const char *result,
		const json_t *answer)
{
	const char *reason = json_string_value(json_object_get(answer, "reason"));
	const double ms = (double)sample_number(answer, "handshake_us") / 1000;
	char target[64];

	printf("seq=%" PRIu64 " %s ", number, endpoint_format(&request->target, target));
	if (strcmp(result, "opened") == 0 || strcmp(result, "refused") == 0)
		printf("%s %.3f ms\n", result, ms);
	else if (strcmp(result, "timed_out") == 0)
		puts("timed out");
	else
		printf("%s: %s\n", result, reason == NULL ? "the engine does not say why" : reason);
}

static void
print_summary_json(const struct probe_request *request, const struct probe_tally *tally)
{
	json_t *object = json_pack("{s:i, s:s, s:i, s:I, s:I, s:I, s:I}", "schema", 1, "address",
			request->target.address, "port", (int)request->target.port, "probes",
			(json_int_t)tally->sent, "opened", (json_int_t)tally->opened, "refused",
			(json_int_t)tally->refused, "lost", (json_int_t)tally->lost);

	if (tally->opened > 0) {
		json_object_set_new(object, "min_us", json_integer(tally->handshake_us[0]));
		json_object_set_new(object, "p50_us", json_integer(percentile(tally, 50)));
		json_object_set_new(object, "p99_us", json_integer(percentile(tally, 99)));
		json_object_set_new(object, "max_us", json_integer(percentile(tally, 100)));
	}
	json_dumpf(object, stdout, JSON_COMPACT);
	fputc('\n', stdout);
	json_decref(object);
}

static void
print_summary(const struct probe_request *request, struct probe_tally *tally)
{
	char target[64];

	if (tally->opened > 0)
		qsort(tally->handshake_us, tally->opened, sizeof(tally->handshake_us[0]),
				compare_times);
	if (request->json) {
		print_summary_json(request, tally);
		return;
	}
	printf("--- %s: %" PRIu64 " probe%s, %zu opened, %" PRIu64 " refused, %" PRIu64
	       " lost (%.1f%%)\n",
			endpoint_format(&request->target, target), tally->sent,
			tally->sent == 1 ? "" : "s", tally->opened, tally->refused, tally->lost,
			tally->sent == 0 ? 0.0 : (double)tally->lost * 100 / (double)tally->sent);
	if (tally->opened > 0)
		printf("handshake min %.3f  p50 %.3f  p99 %.3f  max %.3f ms\n",
				tally->handshake_us[0] / 1e3, percentile(tally, 50) / 1e3,
				percentile(tally, 99) / 1e3, percentile(tally, 100) / 1e3);
}

/** @return whether another probe of the same target could end otherwise. */
static bool
is_worth_repeating(const char *result)
{
	static const char *const final[] = {"error", "no_route", "our_own", "stopped"};

	for (size_t i = 0; i < sizeof(final) / sizeof(final[0]); i++)
		if (strcmp(result, final[i]) == 0)
			return false;
	return true;
}

/** @return 1 to go on, 0 when there is no sense in that, -1 after a failure was reported. */
static int
probe_once(struct telemetry_client *client, const struct probe_request *request,
		struct probe_tally *tally)
{
	json_t *answer = telemetry_client_ask(client, "/handfast/probe,%s,%u,%s,%u",
			request->target.address, request->target.port, request->close,
			request->timeout_ms);
	const char *result = json_string_value(json_object_get(answer, "result"));
	int next = 1;

	if (answer == NULL)
		return -1;
	if (result == NULL) {
		fputs("handfast: the engine knows no probes; is it of another version?\n", stderr);
		json_decref(answer);
		return -1;
	}
	tally->sent++;
	if (strcmp(result, "refused") == 0)
		tally->refused++;
	else if (strcmp(result, "opened") != 0)
		tally->lost++;
	else if (!tally_opened(tally, (uint32_t)sample_number(answer, "handshake_us")))
		next = -1;
	if (!is_worth_repeating(result))
		next = 0;
	if (request->json)
		print_probe_json(request, tally->sent, answer);
	else
		print_probe(request, tally->sent, result, answer);
	fflush(stdout);
	json_decref(answer);
	return next;
}

static void
wait_until(const struct timespec *when)
{
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, when, NULL) == EINTR && !interrupted)
		;
}

static void
add_ms(struct timespec *time, unsigned int ms)
{
	time->tv_sec += ms / 1000;
	time->tv_nsec += (long)(ms % 1000) * 1000000;
	if (time->tv_nsec >= 1000000000) {
		time->tv_nsec -= 1000000000;
		time->tv_sec++;
	}
}

static int
probe_all(struct telemetry_client *client, const struct probe_request *request,
		struct probe_tally *tally)
{
	struct timespec next;
	int result;

	clock_gettime(CLOCK_MONOTONIC, &next);
	for (;;) {
		result = probe_once(client, request, tally);
		if (result <= 0 || tally->sent == request->count || interrupted)
			break;
		add_ms(&next, request->interval_ms);
		wait_until(&next);
		if (interrupted)
			break;
	}
	return result < 0 ? -1 : 0;
}

static int
parse_milliseconds(const char *text, unsigned int least_ms, unsigned int most_ms, unsigned int *ms)
{
	char *end;
	const double seconds = strtod(text, &end);

	/* Written so that "nan" fails, too. */
	if (end == text || *end != '\0' || !(seconds >= least_ms / 1e3 && seconds <= most_ms / 1e3))
		return -1;
	*ms = (unsigned int)(seconds * 1000 + 0.5);
	return 0;
}

static int
parse_count(const char *text, uint64_t *count)
{
	char *end;

	errno = 0;
	*count = strtoull(text, &end, 10);
	return errno == 0 && text[0] >= '0' && text[0] <= '9' && *end == '\0' ? 0 : -1;
}

/** @return what the option takes when it does not take this, else NULL. */
static const char *
parse_option(int option, const char *text, struct probe_request *request)
{
	switch (option) {
	case 'n':
		return parse_count(text, &request->count) != 0 ? "--count takes a number" : NULL;
	case 'i':
		return parse_milliseconds(text, 0, 86400000, &request->interval_ms) != 0
				       ? "--interval takes seconds from 0 to 86400"
				       : NULL;
	case 't':
		return parse_milliseconds(text, 1, TIMEOUT_MAX_MS, &request->timeout_ms) != 0
				       ? "--timeout takes seconds from 0.001 to 60"
				       : NULL;
	case 'c':
		request->close = text;
		return strcmp(text, "fin") != 0 && strcmp(text, "rst") != 0
				       ? "--close takes fin or rst"
				       : NULL;
	case 'I':
		request->instance = text;
		return NULL;
	default:
		request->json = true;
		return NULL;
	}
}

static int
parse_arguments(int argc, char **argv, struct probe_request *request)
{
	static const struct option options[] = {{"close", required_argument, NULL, 'c'},
			{"count", required_argument, NULL, 'n'},
			{"instance", required_argument, NULL, 'I'},
			{"interval", required_argument, NULL, 'i'},
			{"json", no_argument, NULL, 'j'}, {"timeout", required_argument, NULL, 't'},
			{0}};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		const char *wrong = option == '?' ? "" : parse_option(option, optarg, request);

		if (option == '?')
			return -1;
		if (wrong != NULL) {
			fprintf(stderr, "%s: %s\n", argv[0], wrong);
			return -1;
		}
	}
	if (optind + 1 == argc && endpoint_parse(argv[optind], &request->target))
		return 0;
	fprintf(stderr, "%s: needs one ADDRESS:PORT, or [ADDRESS]:PORT for IPv6; no names\n",
			argv[0]);
	return -1;
}

int
probe_verb(int argc, char **argv)
{
	struct probe_request request = {
			.instance = "handfast",
			.close = "fin",
			.count = 4,
			.interval_ms = 1000,
			.timeout_ms = 3000,
	};
	const struct sigaction on_interrupt = {.sa_handler = note_interrupt};
	struct probe_tally tally = {0};
	struct telemetry_client *client;
	int code;

	if (parse_arguments(argc, argv, &request) != 0)
		return EXIT_CODE_USAGE;
	client = telemetry_client_open(request.instance, &code);
	if (client == NULL)
		return code;
	telemetry_client_be_patient(client, request.timeout_ms / 1000 + ANSWER_EXTRA_SECONDS);
	sigaction(SIGINT, &on_interrupt, NULL);
	sigaction(SIGTERM, &on_interrupt, NULL);
	if (probe_all(client, &request, &tally) != 0)
		code = EXIT_CODE_RUNTIME;
	if (tally.sent > 0)
		print_summary(&request, &tally);
	if (tally.opened == 0)
		code = EXIT_CODE_RUNTIME;
	telemetry_client_close(client);
	free(tally.handshake_us);
	return code;
}
