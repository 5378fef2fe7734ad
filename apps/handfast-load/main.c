/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The handfast-load command: reads the command line, starts the workers, tells what they do.
 */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/launch.h"
#include "engine/load.h"
#include "engine/log.h"
#include "engine/telemetry.h"
#include "engine/worker.h"

#include "../handfast/descriptors.h"
#include "../handfast/exit_code.h"
#include "../handfast/preflight.h"
#include "capacity.h"
#include "options.h"
#include "report.h"

/* How long the workers may take to notice the end of a run. */
#define POLL_NS   5000000

#define SECOND_US UINT64_C(1000000)

static void
block_signals(sigset_t *signals)
{
	sigemptyset(signals);
	sigaddset(signals, SIGINT);
	sigaddset(signals, SIGTERM);
	pthread_sigmask(SIG_BLOCK, signals, NULL);
	/* A reader of our lines that goes away is an error of writing, not the end. */
	signal(SIGPIPE, SIG_IGN);
}

static struct engine *starting;
static volatile sig_atomic_t stopped_by;

static void
stop_starting(int signal)
{
	stopped_by = signal;
	load_end(starting);
}

/* Say why it does not begin. @return an exit code. */
static int
explain(const struct engine *engine, const struct load_plan *plan, enum load_result result,
		unsigned int which)
{
	char address[46];

	settings_format_address(plan->targets.item[which].address, address);
	switch (result) {
	case LOAD_NO_ROUTE:
		fprintf(stderr, "handfast-load: %s is in no --address subnet; name a --gateway\n",
				address);
		return EXIT_CODE_USAGE;
	case LOAD_NO_SOURCE:
		fprintf(stderr, "handfast-load: no source address of %s's family; see --sources\n",
				address);
		return EXIT_CODE_USAGE;
	case LOAD_SAME_TUPLES:
		fprintf(stderr,
				"handfast-load: %s is a target twice, from the same source "
				"addresses; "
				"see --sources\n",
				address);
		return EXIT_CODE_USAGE;
	case LOAD_UNRESOLVED:
		settings_format_address(engine->load->target[which].next_hop, address);
		fprintf(stderr,
				"handfast-load: %s does not answer %s; is it there? --target-mac "
				"does without\n",
				address,
				strchr(address, ':') != NULL ? "neighbour discovery" : "ARP");
		return EXIT_CODE_RUNTIME;
	case LOAD_NO_MEMORY:
		fputs("handfast-load: out of memory\n", stderr);
		return EXIT_CODE_RUNTIME;
	case LOAD_STOPPED:
		fputs("handfast-load: stopped before the first start\n", stderr);
		return EXIT_CODE_SIGNAL + stopped_by;
	case LOAD_OK:
		break;
	}
	return EXIT_CODE_OK;
}

/*
 * The way to the targets and --delay may take long: until they are over a signal ends them. The
 * other threads have theirs blocked.
 */
static enum load_result
begin(struct engine *engine, const struct options *options, const sigset_t *signals,
		unsigned int *which)
{
	const struct sigaction action = {.sa_handler = stop_starting};
	enum load_result result;

	starting = engine;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	pthread_sigmask(SIG_UNBLOCK, signals, NULL);
	result = load_begin(engine, options->resolve_ms, which);
	pthread_sigmask(SIG_BLOCK, signals, NULL);
	return result;
}

/* Wait for a signal until a time. @return its number; 0: none came. */
static int
wait_until(const sigset_t *signals, const struct engine *engine, uint64_t until_us)
{
	const struct timespec pause = {.tv_nsec = POLL_NS};

	while (clock_us(&engine->clock) < until_us && !load_is_done(engine)) {
		const int number = sigtimedwait(signals, NULL, &pause);

		if (number > 0)
			return number;
	}
	return 0;
}

/*
 * When the line after one told at @p now_us is due: at a whole second of the run, and not so soon
 * that it tells of less than half a one, should this one be late as the process was stopped.
 */
static uint64_t
next_line_us(uint64_t begin_us, uint64_t now_us)
{
	const uint64_t second = (now_us - begin_us + SECOND_US / 2) / SECOND_US + 1;

	return begin_us + second * SECOND_US;
}

/*
 * A line per second until all is done; the first signal ends it in order, the second at once.
 *
 * @return its number if it came before the plan's end, or 0.
 */
static int
watch(struct engine *engine, const sigset_t *signals, struct report *report)
{
	const uint64_t begin_us = engine->load->begin_us;
	uint64_t next_us = begin_us + SECOND_US;
	int told = stopped_by; /* It may have come when nothing was left to wait for. */

	report_start(report);
	while (!load_is_done(engine)) {
		const int number = wait_until(signals, engine, next_us);

		if (number != 0 && told != 0)
			break;
		if (number != 0) {
			load_end(engine);
			told = number;
		}
		if (clock_us(&engine->clock) >= next_us) {
			report_second(report);
			next_us = next_line_us(begin_us, clock_us(&engine->clock));
		}
	}
	report_rest(report);
	return load_is_cut_short(engine) ? told : 0;
}

static int
run(struct engine *engine, const struct options *options, const sigset_t *signals)
{
	static struct report report;
	unsigned int which = 0;
	enum load_result result;
	int code = report_open(&report, options, engine), ended_by, told;

	if (code != EXIT_CODE_OK)
		return code;
	result = begin(engine, options, signals, &which);
	if (result == LOAD_OK) {
		ended_by = watch(engine, signals, &report);
		code = report_end(&report);
		if (ended_by != 0)
			code = EXIT_CODE_SIGNAL + ended_by;
	} else {
		code = explain(engine, &options->plan, result, which);
	}
	told = report_close(&report);
	return code != EXIT_CODE_OK ? code : told;
}

/* How many connections are to be open at once; 0: as many as there turn out to be. */
static uint64_t
at_once(const struct load_plan *plan)
{
	/* In an open loop --concurrency is only a limit. */
	if (plan->exchange != LOAD_IDLE && (!load_keeps_state(plan->exchange) || plan->rate > 0.0))
		return 0;
	return plan->count != 0 ? RTE_MIN(plan->count, plan->concurrency) : plan->concurrency;
}

/*
 * Each open connection has a tuple of its own, and but for idle a place in the table of the worker
 * whose tuple it is.
 */
static bool
has_room(const struct engine *engine, const struct load_plan *plan)
{
	const uint64_t wanted = at_once(plan), tuples = load_tuples(engine),
		       places = load_places(engine);

	if (wanted > tuples) {
		fprintf(stderr,
				"handfast-load: --concurrency %u: there are %" PRIu64
				" tuples of source address, port and target; name more --sources "
				"or --source-ports, or lower --concurrency\n",
				plan->concurrency, tuples);
		return false;
	}
	if (wanted > places && plan->exchange != LOAD_IDLE) {
		fprintf(stderr,
				"handfast-load: --concurrency %u: %u worker%s with --connections "
				"for %" PRIu64 "; raise --connections, or lower --concurrency\n",
				plan->concurrency, engine->worker_count,
				engine->worker_count == 1 ? "" : "s", places);
		return false;
	}
	return true;
}

static int
launch(const struct options *options)
{
	struct engine *engine;
	unsigned int which = 0;
	enum load_result result;
	sigset_t signals;
	int code;

	log_init((enum log_level)options->settings->engine.log_level);
	block_signals(&signals);
	switch (launch_prepare(options->settings, &engine)) {
	case LAUNCH_OK:
		break;
	case LAUNCH_NO_DEVICE:
		return EXIT_CODE_DEVICE;
	case LAUNCH_NO_MEMORY:
	case LAUNCH_NO_EAL:
		return EXIT_CODE_RUNTIME;
	}
	result = load_init(engine, &options->plan, &which);
	if (result == LOAD_OK && !has_room(engine, &options->plan)) {
		code = EXIT_CODE_USAGE;
	} else if (result == LOAD_OK) {
		launch_workers(engine, load_run);
		code = run(engine, options, &signals);
		launch_quiesce(engine);
	} else {
		code = explain(engine, &options->plan, result, which);
	}
	load_free(engine);
	launch_stop(engine);
	return code;
}

int
main(int argc, char **argv)
{
	struct options options;
	static char name[] = "handfast-load";
	int code;

	argv[0] = name;
	if (!descriptors_open_standard(name))
		return EXIT_CODE_RUNTIME;
	code = options_parse(argc, argv, &options);
	if (code == EXIT_CODE_OK)
		code = preflight(options.settings, stderr);
	if (code == EXIT_CODE_OK)
		code = capacity_check(&options);
	if (code == EXIT_CODE_OK)
		code = launch(&options);
	options_free(&options);
	/* Help was asked for and given. */
	if (code < 0)
		code = EXIT_CODE_OK;
	if ((fflush(stdout) != 0 || ferror(stdout)) && code == EXIT_CODE_OK) {
		fprintf(stderr, "handfast-load: standard output: %s\n", strerror(errno));
		code = EXIT_CODE_RUNTIME;
	}
	return code;
}
