/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "engine/grow.h"
#include "engine/log.h"
#include "engine/reload.h"
#include "engine/services_build.h"
#include "engine/services_map.h"
#include "engine/services_pools.h"
#include "engine/services_prefixes.h"
#include "engine/worker.h"
#include "settings/settings_diff.h"
#include "settings/settings_verify.h"

/* A snapshot that was replaced. */
struct reload_stale {
	struct reload_stale *next;
	struct services *services;
	struct settings *settings; /* That went out of force with it; or NULL. */
	uint64_t turns[];          /* Of each worker when it was replaced. */
};

void
reload_init(struct engine *engine)
{
	pthread_rwlock_init(&engine->reload.readers, NULL);
}

static void
reload_free_stale(struct reload_stale *stale)
{
	services_free(stale->services);
	settings_free(stale->settings);
	free(stale);
}

void
reload_free(struct engine *engine)
{
	struct reload *reload = &engine->reload;

	while (reload->stale != NULL) {
		struct reload_stale *stale = reload->stale;

		reload->stale = stale->next;
		reload_free_stale(stale);
	}
	retire_free(engine);
	settings_free(reload->settings);
	reload->settings = NULL;
	pthread_rwlock_destroy(&reload->readers);
}

/* Whether every worker has begun a turn since; the turn in progress may have looked before. */
static bool
reload_is_unseen(const struct engine *engine, const struct reload_stale *stale)
{
	for (unsigned int w = 0; w < engine->worker_count; w++) {
		if (__atomic_load_n(&engine->worker[w]->turns, __ATOMIC_SEQ_CST) - stale->turns[w] <
				2)
			return false;
	}
	return true;
}

/* Free the snapshots that nobody looks at. */
static void
reload_collect(struct engine *engine)
{
	struct reload *reload = &engine->reload;
	struct reload_stale **link = &reload->stale;

	/* Readers are quick; if there is one now, there is another time. */
	if (reload->stale == NULL || pthread_rwlock_trywrlock(&reload->readers) != 0)
		return;
	while (*link != NULL) {
		struct reload_stale *stale = *link;

		if (reload_is_unseen(engine, stale)) {
			*link = stale->next;
			reload_free_stale(stale);
		} else {
			link = &stale->next;
		}
	}
	pthread_rwlock_unlock(&reload->readers);
}

bool
reload_is_settling(const struct engine *engine)
{
	return engine->reload.stale != NULL;
}

void
reload_poll(struct engine *engine)
{
	reload_collect(engine);
	retire_poll(engine);
}

/* A number that is used again begins at nothing; no worker looks at it now. */
static void
reload_clear_shares(struct engine *engine, const struct services *next)
{
	const struct services *services = engine->services;

	for (unsigned int i = 0; i < next->service_count; i++) {
		if (!services_is_used(next, i) ||
				(i < services->service_count && services_is_used(services, i)))
			continue;
		for (unsigned int w = 0; w < engine->worker_count; w++)
			memset(&engine->worker[w]->share[i], 0,
					sizeof(engine->worker[w]->share[i]));
	}
}

bool
reload_publish(struct engine *engine, struct services *next, struct settings *settings,
		FILE *report)
{
	struct reload *reload = &engine->reload;
	struct reload_stale *stale =
			malloc(sizeof(*stale) + engine->worker_count * sizeof(stale->turns[0]));
	bool good = stale != NULL;

	for (unsigned int p = 0; good && p < engine->port_count; p++)
		good = services_map_port(engine, next, &engine->port[p]) == 0;
	if (!good) {
		fputs("out of memory\n", report);
		services_free(next);
		free(stale);
		return false;
	}
	reload_clear_shares(engine, next);
	*stale = (struct reload_stale){.next = reload->stale, .services = engine->services};
	if (settings != NULL) {
		stale->settings = reload->settings;
		reload->settings = settings;
	}
	__atomic_store_n(&engine->services, next, __ATOMIC_SEQ_CST);
	for (unsigned int w = 0; w < engine->worker_count; w++)
		stale->turns[w] = __atomic_load_n(&engine->worker[w]->turns, __ATOMIC_SEQ_CST);
	reload->stale = stale;
	return true;
}

/* With the ports as they are: what listens behind one that needs a restart is not reached. */
static bool
reload_reaches(const struct settings *wanted, const struct settings_service *service, FILE *report)
{
	bool good = true;

	for (unsigned int i = 0; i < service->listen.count; i++) {
		const uint8_t *address = service->listen.item[i].address;
		bool reached = false;
		char text[46];

		for (unsigned int p = 0; p < wanted->port_count; p++)
			reached |= settings_verify_reaches(&wanted->port[p], address);
		if (reached)
			continue;
		fprintf(report, "service %s: %s is behind a port that needs a restart\n",
				service->name, settings_format_address(address, text));
		good = false;
	}
	return good;
}

/* Whether the services fit what stays as it was at the start. */
static bool
reload_fits(const struct settings *wanted, FILE *report)
{
	bool good = true;

	for (unsigned int i = 0; i < wanted->service_count; i++)
		good &= reload_reaches(wanted, &wanted->service[i], report);
	return good;
}

/* A body file may have changed although its name has not. @return how many have. */
static unsigned int
reload_compare_bodies(const struct services *before, const struct services *after, FILE *report)
{
	unsigned int changed = 0;

	for (unsigned int i = SERVICES_OWN + 1; i < before->service_count; i++) {
		const struct settings_service *old = before->service[i].settings;
		const struct settings_service *new;

		if (i >= after->service_count || before->service[i].retired ||
				after->service[i].retired ||
				before->service[i].replies == after->service[i].replies)
			continue;
		new = after->service[i].settings;
		if (old->body_file[0] == '\0' || strcmp(old->body_file, new->body_file) != 0)
			continue;
		fprintf(report, "service %s: body_file %s was read again\n", new->name,
				new->body_file);
		changed++;
	}
	return changed;
}

static uint32_t
reload_conns(const struct engine *engine, unsigned int service)
{
	uint32_t sum = 0;

	for (unsigned int w = 0; w < engine->worker_count; w++)
		sum += __atomic_load_n(
				&engine->worker[w]->share[service].connections, __ATOMIC_RELAXED);
	return sum;
}

/* Who stays a while although the settings do not have it any more. */
static void
reload_report_removed(const struct engine *engine, const struct services *after, FILE *report)
{
	const struct services *before = engine->services;

	for (unsigned int i = SERVICES_OWN + 1; i < after->service_count; i++) {
		if (!after->service[i].retired || i >= before->service_count ||
				before->service[i].retired || reload_conns(engine, i) == 0)
			continue;
		fprintf(report, "service %s: %u connections stay until they end\n",
				after->service[i].settings->name, reload_conns(engine, i));
	}
}

/* Lists may have changed in their files alone. @return how many changes that are */
static unsigned int
reload_compare_lists(struct engine *engine, const struct lists_fresh *lists, FILE *report)
{
	if (!lists_differ(&engine->lists, lists))
		return 0;
	fprintf(report, "engine.deny, engine.allow: %zu prefixes denied, %zu allowed\n",
			lists->denied, lists->allowed);
	return 1;
}

static void
reload_conclude(const struct settings_diff *diff, bool dry_run, FILE *report)
{
	if (diff->reload + diff->restart == 0) {
		fputs("nothing has changed\n", report);
		return;
	}
	if (diff->reload > 0)
		fprintf(report, "%u %s %s", diff->reload, diff->reload == 1 ? "change" : "changes",
				dry_run ? "would take effect" : "in force");
	if (diff->restart > 0)
		fprintf(report, "%s%u %s for a restart", diff->reload > 0 ? ", " : "",
				diff->restart, diff->restart == 1 ? "waits" : "wait");
	fputc('\n', report);
}

/*
 * @param grow
 *   What was made for it; what is made before a failure is undone.
 * @return
 *   NULL after the reason was written.
 */
static struct services *
reload_build(struct engine *engine, const struct settings *wanted, struct grow *grow, FILE *report)
{
	struct services_problem problem;
	struct services *next;

	if (!reload_fits(wanted, report) || !grow_for(engine, wanted, grow, report))
		return NULL;
	next = services_build(engine->services, wanted, engine->worker_count, &problem);
	if (next == NULL) {
		fprintf(report, "%s\n", problem.text);
	} else {
		log_copy_to(report);
		if (services_attach_pools(engine, next) != 0 ||
				services_attach_prefixes(engine, next) != 0) {
			services_free(next);
			next = NULL;
		}
		log_copy_to(NULL);
	}
	if (next == NULL)
		grow_cancel(engine, grow);
	return next;
}

static enum reload_result
reload_refuse(struct settings *wanted, FILE *report)
{
	fputs("nothing was changed\n", report);
	settings_free(wanted);
	return RELOAD_REFUSED;
}

enum reload_result
reload_settings(struct engine *engine, struct settings *wanted, bool dry_run, FILE *report)
{
	const struct settings *running = engine->services->settings;
	struct settings_diff diff;
	struct lists_fresh lists;
	struct services *next;
	struct grow grow;

	if (!settings_diff_print(running, wanted, report, &diff)) {
		fputs("out of memory\n", report);
		return reload_refuse(wanted, report);
	}
	settings_diff_keep(running, wanted);
	if (!lists_read(&lists, wanted, report))
		return reload_refuse(wanted, report);
	next = reload_build(engine, wanted, &grow, report);
	if (next == NULL) {
		lists_discard(&lists);
		return reload_refuse(wanted, report);
	}
	diff.reload += reload_compare_lists(engine, &lists, report);
	diff.reload += reload_compare_bodies(engine->services, next, report);
	if (dry_run || diff.reload == 0) {
		reload_conclude(&diff, dry_run, report);
		services_free(next);
		grow_cancel(engine, &grow);
		settings_free(wanted);
		lists_discard(&lists);
		return diff.reload == 0 ? RELOAD_SAME : RELOAD_DONE;
	}
	reload_report_removed(engine, next, report);
	if (!reload_publish(engine, next, wanted, report)) {
		grow_cancel(engine, &grow);
		lists_discard(&lists);
		return reload_refuse(wanted, report);
	}
	lists_commit(engine, &lists);
	log_init((enum log_level)wanted->engine.log_level);
	reload_conclude(&diff, dry_run, report);
	return RELOAD_DONE;
}

enum reload_result
reload_file(struct engine *engine, bool dry_run, FILE *report)
{
	const struct reload *reload = &engine->reload;
	struct settings *wanted;

	if (reload->path == NULL) {
		fputs("there is no configuration file to read\n", report);
		return RELOAD_REFUSED;
	}
	wanted = settings_load(reload->path, report);
	if (wanted == NULL) {
		fputs("nothing was changed\n", report);
		return RELOAD_BAD_FILE;
	}
	if (reload->eal != NULL)
		snprintf(wanted->engine.eal, sizeof(wanted->engine.eal), "%s", reload->eal);
	return reload_settings(engine, wanted, dry_run, report);
}

/* Whether draining, or not, changes anything for a service that is asked for. */
static bool
reload_drain_changes(const struct service *service, const char *name, bool drained)
{
	const char *own = service->settings->name;

	return own[0] != '\0' && service->number != SERVICES_OWN && !service->retired &&
	       service->drained != drained && (name == NULL || strcmp(name, own) == 0);
}

static void
reload_report_drain(const struct engine *engine, const struct service *service, bool drained,
		FILE *report)
{
	if (drained)
		fprintf(report, "service %s: takes no new connections; %u stay until they end\n",
				service->settings->name, reload_conns(engine, service->number));
	else
		fprintf(report, "service %s: takes new connections\n", service->settings->name);
}

enum reload_result
reload_drain(struct engine *engine, const char *name, bool drained, FILE *report)
{
	const struct services *services = engine->services;
	const unsigned int only = name != NULL ? services_find(services, name) : 0;
	bool *drain = calloc(services->service_count, sizeof(*drain));
	const struct services_change change = {.drain = drain};
	enum reload_result result = RELOAD_REFUSED;
	struct services *next = NULL;
	bool any = false;

	for (unsigned int i = 0; drain != NULL && i < services->service_count; i++) {
		const struct service *service = &services->service[i];

		drain[i] = reload_drain_changes(service, name, drained);
		if (drain[i])
			reload_report_drain(engine, service, drained, report);
		any |= drain[i];
	}
	if (name != NULL && (only == 0 || services->service[only].retired)) {
		fprintf(report, "there is no service %s\n", name);
	} else if (!any) {
		fputs("nothing has changed\n", report);
		result = RELOAD_SAME;
	} else {
		next = services_change(services, &change);
		if (next == NULL)
			fputs("out of memory\n", report);
		else if (reload_publish(engine, next, NULL, report))
			result = RELOAD_DONE;
	}
	free(drain);
	return result;
}
