/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "engine/control.h"
#include "engine/engine.h"
#include "engine/health.h"
#include "engine/log.h"
#include "engine/telemetry.h"

/* How often draining looks whether it is over. */
#define CONTROL_POLL_MS 20

static void
control_signals(sigset_t *signals)
{
	sigemptyset(signals);
	sigaddset(signals, SIGINT);
	sigaddset(signals, SIGTERM);
	sigaddset(signals, SIGUSR1);
}

void
control_block_signals(void)
{
	sigset_t signals;

	control_signals(&signals);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* Wait for a signal. @return its number, or 0 when the time is over. */
static int
control_wait(unsigned int timeout_ms)
{
	const struct timespec timeout = {
			.tv_sec = timeout_ms / 1000,
			.tv_nsec = (long)(timeout_ms % 1000) * 1000000,
	};
	sigset_t signals;
	int number;

	control_signals(&signals);
	do
		number = sigtimedwait(&signals, NULL, &timeout);
	while (number < 0 && errno == EINTR);
	return number < 0 ? 0 : number;
}

/* @return whether to stop. */
static bool
control_signal(struct engine *engine, int number)
{
	if (number == 0)
		return false;
	if (number == SIGUSR1) {
		telemetry_dump(engine, stderr);
		return false;
	}
	if (engine_phase(engine) == ENGINE_RUNNING) {
		log_info("control", "%s: draining %u connections, at most %u ms; again to stop now",
				strsignal(number), telemetry_connections(engine),
				engine->settings->engine.drain_timeout_ms);
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

void
control_run(struct engine *engine)
{
	const uint64_t patience_us = (uint64_t)engine->settings->engine.drain_timeout_ms * 1000;
	uint64_t draining_us = 0;

	for (;;) {
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
		if (!draining)
			draining_us = clock_us(&engine->clock);
		if (health_is_needed(engine))
			health_poll(engine);
		if (control_signal(engine, control_wait(control_pause_ms(engine, draining))))
			return;
	}
}
