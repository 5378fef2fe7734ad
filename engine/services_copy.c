/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdlib.h>
#include <string.h>

#include "engine/pools.h"
#include "engine/services_copy.h"
#include "engine/services_prefixes.h"
#include "engine/worker.h"

static const struct settings_service services_copy_nobody;

/* Put an edition into a place of the snapshot, whose settings are copied to the same place. */
static void
services_copy_put(struct services *next, unsigned int place, const struct service *service)
{
	struct settings_service *copy = &next->copy[place];

	*copy = *service->settings;
	next->service[place] = *service;
	next->service[place].settings = copy;
	if (service->replies != NULL)
		service->replies->users++;
	if (service->limit != NULL)
		service->limit->users++;
	pools_keep(service->pools);
}

static void
services_copy_drop(struct services *next, unsigned int place)
{
	struct service *service = &next->service[place];

	if (service->replies != NULL && --service->replies->users == 0) {
		respond_free(service->replies->respond);
		free(service->replies);
	}
	if (service->limit != NULL && --service->limit->users == 0)
		free(service->limit);
	pools_let_go(service->pools);
	*service = (struct service){.settings = &services_copy_nobody, .number = (uint16_t)place};
}

/* Room for so many more of each. */
static struct services *
services_copy_alloc(const struct services *running, unsigned int services, unsigned int listeners)
{
	struct services *next = calloc(1, sizeof(*next));
	/* The editions of all services may become older ones. */
	const unsigned int editions = running->edition_count + running->service_count + services;

	if (next == NULL)
		return NULL;
	next->listener = calloc(running->listener_count + listeners + 1, sizeof(*next->listener));
	next->service = calloc(editions + 1, sizeof(*next->service));
	next->copy = calloc(editions + 1, sizeof(*next->copy));
	if (next->listener != NULL && next->service != NULL && next->copy != NULL)
		return next;
	services_free(next);
	return NULL;
}

/* Have so many numbers; older editions stand behind them, and those between are nobody's. */
static void
services_copy_number_up_to(struct services *next, unsigned int count)
{
	const unsigned int before = next->service_count;
	const unsigned int older = next->edition_count - before;

	memmove(&next->service[count], &next->service[before], older * sizeof(*next->service));
	memmove(&next->copy[count], &next->copy[before], older * sizeof(*next->copy));
	for (unsigned int i = count; i < count + older; i++)
		next->service[i].settings = &next->copy[i];
	for (unsigned int i = before; i < count; i++)
		next->service[i] = (struct service){
				.settings = &services_copy_nobody, .number = (uint16_t)i};
	for (unsigned int i = 0; i < next->listener_count; i++) {
		if (next->listener[i].edition >= before)
			next->listener[i].edition =
					(uint16_t)(next->listener[i].edition + count - before);
	}
	next->service_count = count;
	next->edition_count = count + older;
}

/* Everything as it is. */
static void
services_copy_fill(const struct services *running, struct services *next)
{
	next->settings = running->settings;
	next->listener_count = running->listener_count;
	next->service_count = running->service_count;
	next->edition_count = running->edition_count;
	next->pools = running->pools;
	pools_keep(next->pools);
	next->prefixes = running->prefixes;
	services_prefixes_keep(next->prefixes);
	if (running->listener_count > 0)
		memcpy(next->listener, running->listener,
				running->listener_count * sizeof(*next->listener));
	for (unsigned int i = 0; i < running->edition_count; i++)
		services_copy_put(next, i, &running->service[i]);
}

struct services *
services_copy(const struct services *running, unsigned int services, unsigned int listeners)
{
	struct services *next = services_copy_alloc(running, services, listeners);

	if (next == NULL)
		return NULL;
	services_copy_fill(running, next);
	services_copy_number_up_to(next, running->service_count + services);
	return next;
}

void
services_copy_replace(struct services *next, unsigned int place, const struct service *service)
{
	/* What stays must not lose its last user in between. */
	service->replies->users++;
	service->limit->users++;
	services_copy_drop(next, place);
	services_copy_put(next, place, service);
	service->replies->users--;
	service->limit->users--;
}

/* Whether an edition is any listener's. */
static bool
services_copy_has_listeners(const struct services *services, unsigned int edition)
{
	for (unsigned int i = 0; i < services->listener_count; i++) {
		if (services->listener[i].family != 0 && services->listener[i].edition == edition)
			return true;
	}
	return false;
}

void
services_copy_set_aside(struct services *next, unsigned int number)
{
	unsigned int place;

	if (!services_copy_has_listeners(next, number))
		return;
	place = next->edition_count++;
	services_copy_put(next, place, &next->service[number]);
	next->service[place].retired = true;
	for (unsigned int i = 0; i < next->listener_count; i++) {
		if (next->listener[i].edition == number)
			next->listener[i].edition = (uint16_t)place;
	}
}

void
services_copy_forget(struct services *next, unsigned int number)
{
	struct listener *gone = &next->listener[number];

	for (unsigned int i = 0; i < next->listener_count; i++) {
		if (next->listener[i].older == number)
			next->listener[i].older = gone->older;
	}
	*gone = (struct listener){.older = LISTENER_NONE};
}

/* Whether any listener, of whatever edition, is the service's. */
static bool
services_copy_is_reachable(const struct services *services, unsigned int number)
{
	for (unsigned int i = 0; i < services->listener_count; i++) {
		if (services->listener[i].family != 0 && services->listener[i].service == number)
			return true;
	}
	return false;
}

static void
services_copy_remove_older(struct services *next, unsigned int place)
{
	const unsigned int last = --next->edition_count;

	services_copy_drop(next, place);
	if (place == last)
		return;
	next->service[place] = next->service[last];
	next->copy[place] = next->copy[last];
	next->service[place].settings = &next->copy[place];
	for (unsigned int i = 0; i < next->listener_count; i++) {
		if (next->listener[i].edition == last)
			next->listener[i].edition = (uint16_t)place;
	}
}

void
services_copy_sweep(struct services *next)
{
	unsigned int last;

	for (unsigned int i = SERVICES_OWN + 1; i < next->service_count; i++) {
		if (next->service[i].retired && !services_copy_is_reachable(next, i))
			services_copy_drop(next, i);
	}
	/* The last one takes the place of one that is nobody's any more. */
	for (unsigned int i = next->edition_count; i-- > next->service_count;) {
		if (!services_copy_has_listeners(next, i))
			services_copy_remove_older(next, i);
	}
	for (last = next->service_count; last > 1 && !services_is_used(next, last - 1); last--)
		;
	services_copy_number_up_to(next, last);
}

void
services_copy_finish(struct services *next)
{
	for (unsigned int i = 0; i < next->edition_count; i++) {
		next->synacks_limited |= next->service[i].synack_cost != 0;
		next->has_proxy |= next->service[i].settings->mode == SETTINGS_MODE_PROXY;
		next->has_direct |= next->service[i].settings->mode == SETTINGS_MODE_DIRECT;
		next->has_echo |= worker_echoes(next->service[i].settings);
	}
	for (unsigned int i = 0; i < next->listener_count; i++)
		next->listener[i].newest = (uint16_t)i;
	for (unsigned int i = 0; i < next->listener_count; i++) {
		struct listener *listener = &next->listener[i];

		if (listener->family == 0)
			continue;
		listener->closed = listener->retired || next->service[listener->service].drained;
		if (listener->closed || listener->older != LISTENER_NONE)
			next->changing = true;
		if (listener->older != LISTENER_NONE)
			next->listener[listener->older].newest = (uint16_t)i;
	}
	/* Chains are short: each round carries the newest one step further down. */
	for (unsigned int round = 0; round < SERVICES_OLDER_MAX; round++) {
		for (unsigned int i = 0; i < next->listener_count; i++) {
			struct listener *listener = &next->listener[i];

			listener->newest = next->listener[listener->newest].newest;
		}
	}
}
