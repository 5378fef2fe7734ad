/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <pthread.h>

#include <rte_common.h>

#include "engine/control.h"
#include "engine/engine.h"
#include "engine/health.h"
#include "engine/log.h"
#include "engine/reload.h"
#include "engine/tap.h"
#include "engine/telemetry.h"
#include "engine/worker.h"

/* How often draining looks whether it is over. */
#define CONTROL_POLL_MS  20

#define CONTROL_NS_PER_S 1000000000

static void
control_signals(sigset_t *signals)
{
	sigemptyset(signals);
	sigaddset(signals, SIGINT);
	sigaddset(signals, SIGTERM);
	sigaddset(signals, SIGHUP);
	sigaddset(signals, SIGUSR1);
	sigaddset(signals, SIGUSR2);
}

void
control_block_signals(void)
{
	sigset_t signals;

	control_signals(&signals);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int64_t
control_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * CONTROL_NS_PER_S + now.tv_nsec;
}

/*
 * Wait for a signal.  Others than ours do not prolong it: the TAP driver has one sent for packets,
 * and with traffic they come so often that the time would never be over.
 *
 * @return its number, or 0 when the time is over.
 */
static int
control_wait(unsigned int timeout_ms)
{
	const int64_t end_ns = control_now_ns() + (int64_t)timeout_ms * 1000000;
	int64_t left_ns = (int64_t)timeout_ms * 1000000;
	sigset_t signals;
	int number;

	control_signals(&signals);
	do {
		const struct timespec timeout = {
				.tv_sec = left_ns / CONTROL_NS_PER_S,
				.tv_nsec = left_ns % CONTROL_NS_PER_S,
		};

		number = sigtimedwait(&signals, NULL, &timeout);
		left_ns = RTE_MAX(end_ns - control_now_ns(), (int64_t)0);
	} while (number < 0 && errno == EINTR);
	return number < 0 ? 0 : number;
}

/* Something to do for another thread, on that thread's stack. */
struct control_call {
	struct control_call *next;
	void (*work)(struct engine *engine, void *argument);
	void *argument;
	bool done;
	bool refused;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t done;
	pthread_t thread;
	bool open; /* Calls are taken. */
	struct control_call *first;
} control_calls = {.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};

bool
control_call(void (*work)(struct engine *engine, void *argument), void *argument)
{
	struct control_call call = {.work = work, .argument = argument};
	struct control_call **last;

	pthread_mutex_lock(&control_calls.lock);
	call.refused = !control_calls.open;
	if (!call.refused) {
		for (last = &control_calls.first; *last != NULL; last = &(*last)->next)
			;
		*last = &call;
		pthread_kill(control_calls.thread, SIGUSR2);
	}
	while (!call.done && !call.refused)
		pthread_cond_wait(&control_calls.done, &control_calls.lock);
	pthread_mutex_unlock(&control_calls.lock);
	return !call.refused;
}

static void
control_take_calls(struct engine *engine)
{
	struct control_call *call;

	pthread_mutex_lock(&control_calls.lock);
	while ((call = control_calls.first) != NULL) {
		pthread_mutex_unlock(&control_calls.lock);
		call->work(engine, call->argument);
		pthread_mutex_lock(&control_calls.lock);
		control_calls.first = call->next;
		call->done = true;
		pthread_cond_broadcast(&control_calls.done);
	}
	pthread_mutex_unlock(&control_calls.lock);
}

static void
control_open_calls(void)
{
	pthread_mutex_lock(&control_calls.lock);
	control_calls.thread = pthread_self();
	control_calls.open = true;
	pthread_mutex_unlock(&control_calls.lock);
}

static void
control_refuse_calls(void)
{
	struct control_call *call;

	pthread_mutex_lock(&control_calls.lock);
	control_calls.open = false;
	for (call = control_calls.first; call != NULL; call = call->next)
		call->refused = true;
	control_calls.first = NULL;
	pthread_cond_broadcast(&control_calls.done);
	pthread_mutex_unlock(&control_calls.lock);
}

void
control_await_workers(const struct engine *engine, FILE *report)
{
	if (!worker_wait_for_turns(engine))
		fputs("a worker has no core: it follows when it has its next turn\n", report);
}

void
control_log_report(const char *report, bool good)
{
	while (*report != '\0') {
		const size_t length = strcspn(report, "\n");

		log_write(good ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, "reload", "%.*s", (int)length,
				report);
		report += length + (report[length] == '\n');
	}
}

/* SIGHUP. */
static void
control_reload(struct engine *engine)
{
	char *text = NULL;
	size_t length;
	FILE *report = open_memstream(&text, &length);
	enum reload_result result;

	if (report == NULL) {
		log_error("reload", "out of memory");
		return;
	}
	result = reload_file(engine, false, report);
	if (result == RELOAD_DONE)
		control_await_workers(engine, report);
	fclose(report);
	control_log_report(text, result == RELOAD_DONE || result == RELOAD_SAME);
	free(text);
}

/* @return whether to stop. */
static bool
control_signal(struct engine *engine, int number)
{
	if (number == 0)
		return false;
	if (number == SIGUSR2) {
		control_take_calls(engine);
		return false;
	}
	if (number == SIGUSR1) {
		telemetry_dump(engine, stderr);
		return false;
	}
	if (number == SIGHUP) {
		control_reload(engine);
		return false;
	}
	if (engine_phase(engine) == ENGINE_RUNNING) {
		log_info("control", "%s: draining %u connections, at most %u ms; again to stop now",
				strsignal(number), telemetry_connections(engine),
				engine->services->settings->engine.drain_timeout_ms);
		__atomic_store_n(&engine->phase, ENGINE_DRAINING, __ATOMIC_RELEASE);
		return false;
	}
	log_info("control", "%s again: stopping now", strsignal(number));
	return true;
}

/* How long nothing but a signal matters. */
static unsigned int
control_pause_ms(const struct engine *engine, bool draining)
{
	if (health_is_needed(engine))
		return HEALTH_POLL_MS;
	return draining ? CONTROL_POLL_MS : 1000;
}

static void
control_loop(struct engine *engine)
{
	uint64_t draining_us = 0;

	for (;;) {
		const uint64_t patience_us =
				(uint64_t)engine->services->settings->engine.drain_timeout_ms *
				1000;
		const bool draining = engine_phase(engine) == ENGINE_DRAINING;

		if (draining && telemetry_connections(engine) == 0)
			return;
		if (draining && clock_us(&engine->clock) - draining_us > patience_us) {
			log_warning("control", "%u connections did not finish and are reset",
					telemetry_connections(engine));
			return;
		}
		cookies_refresh(&engine->cookies);
		cookies_report(engine);
		local_ports_report(engine);
		reload_poll(engine);
		tap_watch(engine);
		for (unsigned int p = 0; p < engine->port_count; p++)
			port_watch(&engine->port[p]);
		if (!draining)
			draining_us = clock_us(&engine->clock);
		if (health_is_needed(engine))
			health_poll(engine);
		if (control_signal(engine, control_wait(control_pause_ms(engine, draining))))
			return;
	}
}

void
control_run(struct engine *engine)
{
	control_open_calls();
	control_loop(engine);
	control_refuse_calls();
}
