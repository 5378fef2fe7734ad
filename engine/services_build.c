/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cookie/syncookie.h"
#include "engine/log.h"
#include "engine/services_build.h"
#include "engine/services_copy.h"
#include "limit/gcra.h"

/* Below this limit workers take credits one by one, so that none lies idle. */
#define SERVICES_BATCH_LIMIT 1024

#define SERVICES_BATCH       16

/* RESPOND_WINDOW_BYTES is 65535 shifted by this. */
#define SERVICES_WINDOW_SCALE 2

_Static_assert(RESPOND_WINDOW_BYTES == UINT16_MAX << SERVICES_WINDOW_SCALE,
		"the largest window is said exactly");

/* A snapshot in the making. */
struct build {
	struct services *next;
	const struct settings *settings;
	unsigned int workers;
	struct service_map *newest; /* Of the running snapshot, over all ports. */
	bool *wanted;               /* By listener: the settings have it. */
	bool *wanted_service;       /* By number. */
	struct services_problem *problem;
};

static void services_complain(const struct build *build, const char *format, ...)
		__rte_format_printf(2, 3);

static void
services_complain(const struct build *build, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(build->problem->text, sizeof(build->problem->text), format, arguments);
	va_end(arguments);
}

static void
services_tcp_config(struct tcp_config *config, const struct settings_tcp *tcp,
		const struct settings_service *service)
{
	*config = (struct tcp_config){
			.fin_timeout_ms = tcp->fin_timeout_ms,
			.idle_timeout_ms = service->idle_timeout_ms,
			.keepalive_time_ms = tcp->keepalive_time_ms,
			.keepalive_intvl_ms = tcp->keepalive_intvl_ms,
			.keepalive_probes = (uint8_t)tcp->keepalive_probes,
			.time_wait_ms = tcp->time_wait_ms,
			.rto_min_ms = tcp->rto_min_ms,
			.rto_max_ms = tcp->rto_max_ms,
			.synack_retries = (uint8_t)tcp->synack_retries,
			.syn_retries = (uint8_t)tcp->syn_retries,
			.retries2 = (uint8_t)tcp->retries2,
			.orphan_retries = (uint8_t)tcp->orphan_retries,
			.initial_cwnd = (uint8_t)tcp->initial_cwnd,
			.rcv_wnd_scale = SERVICES_WINDOW_SCALE,
			.timestamps = tcp->timestamps,
			.sack = tcp->sack,
			.window_scaling = tcp->window_scaling,
			.ecn = tcp->ecn,
			.rfc1337 = tcp->rfc1337,
	};
}

/* The whole body file, to be freed; NULL after the problem was written. */
static uint8_t *
services_read_body(const struct build *build, const struct settings_service *wanted, size_t *length)
{
	FILE *file = fopen(wanted->body_file, "rbe");
	uint8_t *body = malloc(RESPOND_BODY_MAX + 1);

	if (file == NULL || body == NULL) {
		services_complain(build, "service %s: body_file %s cannot be read: %s",
				wanted->name, wanted->body_file, strerror(errno));
		goto fail;
	}
	*length = fread(body, 1, RESPOND_BODY_MAX + 1, file);
	if (ferror(file)) {
		services_complain(build, "service %s: body_file %s cannot be read", wanted->name,
				wanted->body_file);
		goto fail;
	}
	if (*length > RESPOND_BODY_MAX) {
		services_complain(build, "service %s: body_file %s is larger than 1 MiB",
				wanted->name, wanted->body_file);
		goto fail;
	}
	fclose(file);
	return body;
fail:
	if (file != NULL)
		fclose(file);
	free(body);
	return NULL;
}

static struct service_replies *
services_prepare_replies(const struct build *build, const struct settings_service *wanted)
{
	struct respond_options options = {
			.reply = (enum respond_reply)wanted->reply,
			.close = (enum respond_close)wanted->close,
			.banner = wanted->banner,
			.body_length = wanted->body_size,
			.content_type = wanted->content_type,
			.websocket = wanted->websocket,
	};
	struct service_replies *replies;
	uint8_t *body = NULL;

	/* What others answer needs nothing prepared. */
	if (wanted->mode != SETTINGS_MODE_RESPOND)
		options.reply = RESPOND_DISCARD;
	if (wanted->body_file[0] != '\0') {
		body = services_read_body(build, wanted, &options.body_length);
		if (body == NULL)
			return NULL;
		options.body = body;
	}
	replies = calloc(1, sizeof(*replies));
	if (replies != NULL)
		replies->respond = respond_create(&options);
	free(body);
	if (replies != NULL && replies->respond != NULL)
		return replies;
	services_complain(build, "service %s: cannot prepare the replies: %s", wanted->name,
			strerror(errno));
	free(replies);
	return NULL;
}

/* The limit of a service's connections: the one it has if that is the same. */
static struct service_limit *
services_limit(const struct build *build, const struct service *before,
		const struct settings_service *wanted)
{
	/* 2^32 reloads pass before a number comes again. */
	static uint32_t serial;
	struct service_limit *limit;

	if (before->limit != NULL && before->settings->max_connections == wanted->max_connections)
		return before->limit;
	limit = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*limit));
	if (limit == NULL) {
		services_complain(build, "service %s: out of memory", wanted->name);
		return NULL;
	}
	if (++serial == 0)
		serial++;
	*limit = (struct service_limit){
			.lowered = before->limit != NULL && wanted->max_connections != 0 &&
				   (before->settings->max_connections == 0 ||
						   wanted->max_connections <
								   before->settings->max_connections),
			.credit = wanted->max_connections == 0 ? INT64_MAX
							       : wanted->max_connections,
			.batch = wanted->max_connections == 0 ? UINT32_MAX / 2
				 : wanted->max_connections < SERVICES_BATCH_LIMIT * build->workers
						 ? 1
						 : SERVICES_BATCH,
			.serial = serial,
	};
	return limit;
}

unsigned int
services_find(const struct services *services, const char *name)
{
	for (unsigned int i = SERVICES_OWN + 1; i < services->service_count; i++) {
		if (strcmp(services->service[i].settings->name, name) == 0)
			return i;
	}
	return 0;
}

/* A number for a service that has none: the first that is free.  0 after a problem. */
static unsigned int
services_new_number(struct build *build, const char *name)
{
	struct services *next = build->next;

	for (unsigned int i = SERVICES_OWN + 1; i < next->service_count; i++) {
		if (!services_is_used(next, i))
			return i;
	}
	services_complain(build,
			"service %s: there are %u services, with those that were removed and still "
			"have connections, and there is room for no more",
			name, SERVICES_MAX - 1);
	return 0;
}

/* Whether connections of the running edition can go on with the wanted one. */
static bool
services_same(const struct service *running, const struct settings_service *wanted,
		const struct service_replies *replies)
{
	return running->replies != NULL && running->settings->mode == wanted->mode &&
	       respond_same(running->replies->respond, replies->respond);
}

/* Fill a service's place from its settings. */
static bool
services_prepare(struct build *build, unsigned int number, const struct settings_service *wanted)
{
	struct services *next = build->next;
	struct service *before = &next->service[number];
	struct service_replies *replies = services_prepare_replies(build, wanted);
	struct service service = {
			.settings = wanted,
			.number = (uint16_t)number,
			.drained = before->drained,
			.fast_open_pending = wanted->fast_open ? wanted->fast_open_pending : 0,
	};

	if (replies == NULL)
		return false;
	if (wanted->synack_rate != 0) {
		service.synack_cost = gcra_cost(wanted->synack_rate);
		service.synack_batch = wanted->synack_rate < SERVICES_BATCH_LIMIT * build->workers
						       ? 1
						       : SERVICES_BATCH;
	}
	service.limit = services_limit(build, before, wanted);
	if (services_same(before, wanted, replies)) {
		respond_free(replies->respond);
		free(replies);
		replies = before->replies;
	} else {
		services_copy_set_aside(next, number);
	}
	if (service.limit == NULL) {
		if (replies->users == 0) {
			respond_free(replies->respond);
			free(replies);
		}
		return false;
	}
	service.replies = replies;
	service.respond = replies->respond;
	services_tcp_config(&service.tcp, &build->settings->tcp, wanted);
	services_copy_replace(next, number, &service);
	return true;
}

/* The number of a listener that is not there yet, or LISTENER_NONE after a problem. */
static uint16_t
services_new_listener(struct build *build)
{
	struct services *next = build->next;

	for (unsigned int i = 0; i < next->listener_count; i++) {
		if (next->listener[i].family == 0)
			return (uint16_t)i;
	}
	if (next->listener_count < SERVICES_LISTENERS_MAX)
		return (uint16_t)next->listener_count++;
	services_complain(build,
			"there are %u listeners, with those that still have connections of before, "
			"and there is room for no more",
			SERVICES_LISTENERS_MAX);
	return LISTENER_NONE;
}

static unsigned int
services_older_count(const struct services *services, uint16_t listener)
{
	unsigned int count = 0;

	for (; listener != LISTENER_NONE; listener = services->listener[listener].older)
		count++;
	return count;
}

static bool
services_listen(struct build *build, unsigned int number, const struct settings_endpoint *endpoint)
{
	struct services *next = build->next;
	uint16_t place = service_map_lookup(build->newest, endpoint->address, endpoint->port);
	const uint16_t older = place < SERVICE_MAP_FOREIGN ? place : LISTENER_NONE;
	struct listener *listener;

	if (older != LISTENER_NONE && next->listener[older].service == number &&
			next->listener[older].edition == number) {
		next->listener[older].retired = false;
		next->listener[older].sealed = false;
		build->wanted[older] = true;
		return true;
	}
	if (services_older_count(next, older) > SERVICES_OLDER_MAX) {
		services_complain(build,
				"service %s: connections of %u earlier versions of it are still "
				"open; end some (`handfast conns`), or wait",
				next->service[number].settings->name, SERVICES_OLDER_MAX);
		return false;
	}
	place = services_new_listener(build);
	if (place == LISTENER_NONE)
		return false;
	listener = &next->listener[place];
	*listener = (struct listener){
			.port = endpoint->port,
			.service = (uint16_t)number,
			.edition = (uint16_t)number,
			.older = older,
			.family = flow_key_is_ipv4(endpoint->address) ? 4 : 6,
			.cookie_endpoint = syncookie_endpoint(endpoint->address, endpoint->port),
	};
	memcpy(listener->address, endpoint->address, sizeof(listener->address));
	build->wanted[place] = true;
	return true;
}

/* What answers on connections that we open. */
static bool
services_prepare_own(struct build *build)
{
	static const struct settings_service own = {
			.name = SERVICES_OWN_NAME,
			.reply = RESPOND_DISCARD,
			.close = RESPOND_CLOSE_AT_ONCE,
			.idle_timeout_ms = 60000,
	};

	return services_prepare(build, SERVICES_OWN, &own);
}

static bool
services_prepare_all(struct build *build)
{
	const struct settings *settings = build->settings;
	struct services *next = build->next;

	if (!services_prepare_own(build))
		return false;
	for (unsigned int i = 0; i < settings->service_count; i++) {
		const struct settings_service *wanted = &settings->service[i];
		unsigned int number = services_find(next, wanted->name);

		if (number == 0)
			number = services_new_number(build, wanted->name);
		if (number == 0 || !services_prepare(build, number, wanted))
			return false;
		build->wanted_service[number] = true;
		for (unsigned int k = 0; k < wanted->listen.count; k++) {
			if (!services_listen(build, number, &wanted->listen.item[k]))
				return false;
		}
	}
	return true;
}

/* What the settings do not have is retired; services without a listener left are nobody's. */
static void
services_retire(struct build *build)
{
	struct services *next = build->next;

	for (unsigned int i = 0; i < next->listener_count; i++) {
		if (!build->wanted[i])
			next->listener[i].retired = true;
	}
	for (unsigned int i = SERVICES_OWN + 1; i < next->service_count; i++) {
		if (build->wanted_service[i])
			continue;
		next->service[i].retired = true;
		next->service[i].drained = false;
	}
}

/* Older editions count with the limit that their service has now. */
static void
services_share_limits(struct services *next)
{
	for (unsigned int i = next->service_count; i < next->edition_count; i++) {
		struct service *older = &next->service[i];
		struct service_limit *limit = next->service[older->number].limit;

		if (older->limit == limit)
			continue;
		if (--older->limit->users == 0)
			free(older->limit);
		older->limit = limit;
		limit->users++;
	}
}

/* Where each address and port is found now. */
static struct service_map *
services_map_newest(const struct services *running)
{
	const unsigned int entries = running->listener_count + 1;
	void *memory = aligned_alloc(64, RTE_ALIGN_CEIL(service_map_footprint(entries), 64));
	struct service_map *map;

	if (memory == NULL)
		return NULL;
	map = service_map_init(memory, entries);
	for (unsigned int i = 0; i < running->listener_count; i++) {
		const struct listener *listener = &running->listener[i];

		if (listener->family != 0 && listener->newest == i)
			service_map_add_listener(
					map, listener->address, listener->port, (uint16_t)i);
	}
	return map;
}

/* Make room for the numbers that the settings can need: numbers are places of the current ones. */
static struct services *
services_begin(const struct services *running, const struct settings *settings)
{
	const unsigned int services = RTE_MIN(running->service_count + settings->service_count + 1,
			(unsigned int)SERVICES_MAX);
	unsigned int listeners = 0;
	struct services *next;

	for (unsigned int i = 0; i < settings->service_count; i++)
		listeners += settings->service[i].listen.count;
	next = services_copy(running, services - running->service_count, listeners);
	if (next != NULL)
		next->settings = settings;
	return next;
}

struct services *
services_build(const struct services *running, const struct settings *settings,
		unsigned int workers, struct services_problem *problem)
{
	static const struct services none;
	const struct services *from = running != NULL ? running : &none;
	struct build build = {
			.next = services_begin(from, settings),
			.settings = settings,
			.workers = workers,
			.newest = services_map_newest(from),
			.wanted = calloc(UINT16_MAX, sizeof(bool)),
			.wanted_service = calloc(SERVICES_MAX, sizeof(bool)),
			.problem = problem,
	};
	bool good = build.next != NULL && build.newest != NULL && build.wanted != NULL &&
		    build.wanted_service != NULL;

	if (!good)
		services_complain(&build, "out of memory");
	good = good && services_prepare_all(&build);
	if (good) {
		services_retire(&build);
		services_copy_sweep(build.next);
		services_share_limits(build.next);
		services_copy_finish(build.next);
	} else {
		services_free(build.next);
		build.next = NULL;
	}
	free(build.newest);
	free(build.wanted);
	free(build.wanted_service);
	return build.next;
}

struct services *
services_change(const struct services *running, const struct services_change *change)
{
	struct services *next = services_copy(running, 0, 0);

	if (next == NULL)
		return NULL;
	for (unsigned int i = 0; change->drain != NULL && i < next->service_count; i++)
		next->service[i].drained ^= change->drain[i];
	for (unsigned int i = 0; i < next->listener_count; i++) {
		if (change->seal != NULL && change->seal[i])
			next->listener[i].sealed = true;
		if (change->forget != NULL && change->forget[i])
			services_copy_forget(next, i);
	}
	services_copy_sweep(next);
	services_copy_finish(next);
	return next;
}

int
services_prepare_check(struct service *service, const struct settings *settings,
		const uint8_t *text, size_t length)
{
	static const struct settings_service check = {
			.name = SERVICES_CHECK_NAME,
			.idle_timeout_ms = 60000,
	};
	static const struct service nothing = {.settings = &check};
	const struct respond_options options = {
			.reply = RESPOND_BANNER,
			.close = RESPOND_CLOSE_PEER,
			.body = text,
			.body_length = length,
	};
	struct services_problem problem;
	const struct build build = {.workers = 1, .problem = &problem};

	*service = (struct service){.settings = &check};
	services_tcp_config(&service->tcp, &settings->tcp, &check);
	service->limit = services_limit(&build, &nothing, &check);
	service->replies = calloc(1, sizeof(*service->replies));
	if (service->limit != NULL)
		service->limit->users = 1;
	if (service->replies != NULL) {
		service->replies->users = 1;
		service->replies->respond = respond_create(&options);
		service->respond = service->replies->respond;
	}
	if (service->respond != NULL && service->limit != NULL)
		return 0;
	log_error(check.name, "cannot prepare a check: %s", strerror(errno));
	services_free_check(service);
	return -1;
}
