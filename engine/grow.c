/* SPDX-License-Identifier: BSD-3-Clause */

#include <rte_eal.h>
#include <rte_malloc.h>

#include "engine/direct.h"
#include "engine/engine.h"
#include "engine/grow.h"
#include "engine/proxy.h"
#include "engine/services_prefixes.h"
#include "engine/worker.h"

/* One kind of services. */
struct grow_kind {
	const char *what;
	bool (*is_wanted)(const struct settings *settings);
	bool (*is_made)(const struct worker *worker);
	/* Beside a worker that runs. */
	bool (*make)(struct worker *worker, const struct settings *settings);
	void (*unmake)(struct worker *worker);
	uint64_t (*footprint)(const struct settings *settings);
};

static bool
grow_wants_echo(const struct settings *settings)
{
	return worker_echo_rings(settings) > 1;
}

static bool
grow_has_echo(const struct worker *worker)
{
	return grow_wants_echo(worker->engine->settings) || worker->made.echo != NULL;
}

static bool
grow_make_echo(struct worker *worker, const struct settings *settings)
{
	const uint32_t rings = settings->engine.echo_buffers;
	void *memory = rte_malloc_socket("handfast_echo", echo_buffers_footprint(rings),
			RTE_CACHE_LINE_SIZE, worker->numa_node);

	if (memory != NULL)
		worker->made.echo = echo_buffers_init(memory, rings);
	return memory != NULL;
}

static void
grow_unmake_echo(struct worker *worker)
{
	rte_free(worker->made.echo);
	worker->made.echo = NULL;
}

static uint64_t
grow_echo_footprint(const struct settings *settings)
{
	return echo_buffers_footprint(settings->engine.echo_buffers);
}

static bool
grow_has_proxy(const struct worker *worker)
{
	return worker->made.proxy != NULL;
}

static bool
grow_make_proxy(struct worker *worker, const struct settings *settings)
{
	(void)settings;
	return proxy_create(worker, false) == 0;
}

static bool
grow_has_direct(const struct worker *worker)
{
	return worker->made.direct != NULL;
}

static bool
grow_make_direct(struct worker *worker, const struct settings *settings)
{
	(void)settings;
	return direct_create(worker) == 0;
}

static const struct grow_kind grow_echo = {
		.what = "services that echo, or take WebSockets",
		.is_wanted = grow_wants_echo,
		.is_made = grow_has_echo,
		.make = grow_make_echo,
		.unmake = grow_unmake_echo,
		.footprint = grow_echo_footprint,
};

static const struct grow_kind grow_proxy = {
		.what = "services with mode: proxy",
		.is_wanted = proxy_is_wanted,
		.is_made = grow_has_proxy,
		.make = grow_make_proxy,
		.unmake = proxy_free,
		.footprint = proxy_footprint_apart,
};

static const struct grow_kind grow_direct = {
		.what = "services with mode: direct",
		.is_wanted = direct_is_wanted,
		.is_made = grow_has_direct,
		.make = grow_make_direct,
		.unmake = direct_free,
		.footprint = direct_footprint,
};

int
grow_start(struct worker *worker)
{
	const struct settings *settings = worker->engine->settings;

	if (proxy_is_wanted(settings) && proxy_create(worker, true) != 0)
		return -1;
	return direct_is_wanted(settings) ? direct_create(worker) : 0;
}

void
grow_free(struct worker *worker)
{
	grow_unmake_echo(worker);
	proxy_free(worker);
	direct_free(worker);
}

static void
grow_unmake(struct engine *engine, const struct grow_kind *kind)
{
	for (unsigned int w = 0; w < engine->worker_count; w++)
		kind->unmake(engine->worker[w]);
}

/* @return whether there is what is wanted; @p made is set where it was not there before. */
static bool
grow_make(struct engine *engine, const struct settings *wanted, const struct grow_kind *kind,
		bool *made)
{
	*made = false;
	if (!kind->is_wanted(wanted) || kind->is_made(engine->worker[0]))
		return true;
	*made = true;
	for (unsigned int w = 0; w < engine->worker_count; w++) {
		if (kind->make(engine->worker[w], wanted))
			continue;
		grow_unmake(engine, kind);
		*made = false;
		return false;
	}
	return true;
}

static void
grow_refuse(const struct settings *wanted, const struct grow_kind *kind, FILE *report)
{
	fprintf(report,
			"no memory for %s, of which there were none until now: each worker needs "
			"%llu MiB; %sraise engine.memory_size and restart\n",
			kind->what, (unsigned long long)(kind->footprint(wanted) >> 20) + 1,
			rte_eal_has_hugepages() ? "free hugepages, or " : "");
}

bool
grow_for(struct engine *engine, const struct settings *wanted, struct grow *grow, FILE *report)
{
	const struct grow_kind *const kinds[] = {&grow_echo, &grow_proxy, &grow_direct};
	bool *const made[] = {&grow->echo, &grow->proxy, &grow->direct};

	*grow = (struct grow){0};
	for (unsigned int i = 0; i < RTE_DIM(kinds); i++) {
		if (grow_make(engine, wanted, kinds[i], made[i]))
			continue;
		grow_refuse(wanted, kinds[i], report);
		grow_cancel(engine, grow);
		return false;
	}
	return true;
}

void
grow_cancel(struct engine *engine, const struct grow *grow)
{
	if (grow->echo)
		grow_unmake(engine, &grow_echo);
	if (grow->proxy)
		grow_unmake(engine, &grow_proxy);
	if (grow->direct)
		grow_unmake(engine, &grow_direct);
}

uint64_t
grow_footprint(const struct settings *settings)
{
	const struct grow_kind *const kinds[] = {&grow_echo, &grow_proxy, &grow_direct};
	uint64_t bytes = services_prefixes_footprint_max();

	for (unsigned int i = 0; i < RTE_DIM(kinds); i++)
		bytes += kinds[i]->is_wanted(settings) ? 0 : kinds[i]->footprint(settings);
	return bytes;
}
