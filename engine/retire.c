/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "engine/log.h"
#include "engine/services_build.h"
#include "engine/worker.h"

/* Between two censuses at least so long, and so many times as long as one takes. */
#define RETIRE_PAUSE_US     1000000
#define RETIRE_PAUSE_FACTOR 20

/* Beyond what TIME_WAIT and cookies take: clocks are read once a turn. */
#define RETIRE_SLACK_MS 1000

static bool
retire_has_work(const struct services *services)
{
	for (unsigned int i = 0; services->changing && i < services->listener_count; i++) {
		if (services->listener[i].family != 0 && services->listener[i].retired)
			return true;
	}
	return false;
}

/* Memory for the count, the first time. */
static bool
retire_prepare(struct engine *engine)
{
	struct retire *retire = &engine->reload.retire;

	if (retire->idle_us == NULL)
		retire->idle_us = calloc(SERVICES_LISTENERS_MAX, sizeof(*retire->idle_us));
	for (unsigned int w = 0; w < engine->worker_count; w++) {
		struct worker *worker = engine->worker[w];

		if (worker->listener_conns == NULL)
			worker->listener_conns = calloc(
					SERVICES_LISTENERS_MAX, sizeof(*worker->listener_conns));
		if (worker->listener_conns == NULL)
			return false;
	}
	return retire->idle_us != NULL;
}

static void
retire_ask(struct engine *engine, uint64_t now_us)
{
	const struct mailbox_question question = {.kind = MAILBOX_CENSUS};
	struct retire *retire = &engine->reload.retire;

	if (!retire_prepare(engine))
		return;
	for (unsigned int w = 0; w < engine->worker_count; w++)
		mailbox_post(&engine->worker[w]->census, &question);
	retire->asked = true;
	retire->asked_us = now_us;
}

static bool
retire_is_answered(const struct engine *engine)
{
	for (unsigned int w = 0; w < engine->worker_count; w++) {
		if (!mailbox_is_answered(&engine->worker[w]->census))
			return false;
	}
	return true;
}

static uint32_t
retire_conns(const struct engine *engine, unsigned int listener)
{
	uint32_t sum = 0;

	for (unsigned int w = 0; w < engine->worker_count; w++)
		sum += engine->worker[w]->listener_conns[listener];
	return sum;
}

/*
 * Until then TIME_WAIT, or a cookie that is on its way or spent, may name the listener; and flows
 * of mode: direct, which nobody counts, have at least their idle_timeout.
 */
static uint64_t
retire_quiet_us(const struct services *services, const struct listener *listener)
{
	const struct settings_service *service = services->service[listener->edition].settings;
	uint32_t quiet_ms = RTE_MAX(
			services->settings->tcp.time_wait_ms, (uint32_t)SYNCOOKIE_SPENT_S * 1000);

	if (service->mode == SETTINGS_MODE_DIRECT)
		quiet_ms = RTE_MAX(quiet_ms, service->idle_timeout_ms);
	return ((uint64_t)quiet_ms + RETIRE_SLACK_MS) * 1000;
}

/* What the count means for one listener. @return whether anything is to be changed. */
static bool
retire_judge(const struct engine *engine, unsigned int number, bool *seal, bool *forget)
{
	const struct services *services = engine->services;
	const struct listener *listener = &services->listener[number];
	uint64_t *idle_us = &engine->reload.retire.idle_us[number];
	const uint64_t asked_us = engine->reload.retire.asked_us;

	if (listener->family == 0 || !listener->retired || retire_conns(engine, number) > 0) {
		*idle_us = 0;
		return false;
	}
	if (*idle_us == 0)
		*idle_us = asked_us;
	if (asked_us - *idle_us < retire_quiet_us(services, listener))
		return false;
	if (listener->sealed)
		*forget = true;
	else
		*seal = true;
	return true;
}

static void
retire_report(const struct services *before, const struct services *after)
{
	for (unsigned int i = SERVICES_OWN + 1; i < before->service_count; i++) {
		if (services_is_used(before, i) &&
				(i >= after->service_count || !services_is_used(after, i)))
			log_info("reload", "service %s: gone with its last connection",
					before->service[i].settings->name);
	}
}

static void
retire_evaluate(struct engine *engine)
{
	const struct services *services = engine->services;
	bool *seal = calloc(services->listener_count + 1, sizeof(*seal));
	bool *forget = calloc(services->listener_count + 1, sizeof(*forget));
	const struct services_change change = {.seal = seal, .forget = forget};
	struct services *next = NULL;
	bool any = false;

	for (unsigned int i = 0; seal != NULL && forget != NULL && i < services->listener_count;
			i++)
		any |= retire_judge(engine, i, &seal[i], &forget[i]);
	if (any)
		next = services_change(services, &change);
	if (next != NULL) {
		retire_report(services, next);
		reload_publish(engine, next, NULL, stderr);
	}
	free(seal);
	free(forget);
}

void
retire_poll(struct engine *engine)
{
	struct retire *retire = &engine->reload.retire;
	const uint64_t now_us = clock_us(&engine->clock);

	if (retire->asked) {
		if (!retire_is_answered(engine))
			return;
		retire->asked = false;
		retire->due_us = now_us + RETIRE_PAUSE_US +
				 (now_us - retire->asked_us) * RETIRE_PAUSE_FACTOR;
		retire_evaluate(engine);
	} else if (now_us >= retire->due_us && !reload_is_settling(engine) &&
			retire_has_work(engine->services)) {
		/* Whoever is counted now is counted by workers who know who is retired. */
		retire_ask(engine, now_us);
	}
}

void
retire_free(struct engine *engine)
{
	free(engine->reload.retire.idle_us);
	engine->reload.retire.idle_us = NULL;
}
