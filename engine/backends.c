/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdlib.h>
#include <string.h>

#include <rte_malloc.h>

#include "engine/backends.h"
#include "engine/engine.h"
#include "engine/health.h"
#include "engine/log.h"
#include "engine/resolver.h"
#include "engine/route.h"
#include "engine/worker.h"

struct backends *
backends_create(void)
{
	struct backends *backends = calloc(1, sizeof(*backends));

	if (backends == NULL) {
		log_error("backends", "out of memory");
		return NULL;
	}
	pthread_mutex_init(&backends->control, NULL);
	return backends;
}

void
backends_free(struct backends *backends)
{
	free(backends);
}

struct backends_counts *
backends_counts_create(int numa_node)
{
	return rte_zmalloc_socket("handfast_backends", sizeof(struct backends_counts),
			RTE_CACHE_LINE_SIZE, numa_node);
}

void
backends_counts_free(struct backends_counts *counts)
{
	if (counts == NULL)
		return;
	for (unsigned int i = 0; i < BACKENDS_MAX; i++)
		rte_free(counts->share[i]);
	rte_free(counts);
}

/* One that is reached through another port of ours, as after a reload, is another one. */
static bool
backends_is(const struct backends_entry *entry, const struct settings_pool *pool,
		const struct settings_backend *wanted, const struct route *route)
{
	return entry->port == wanted->port && memcmp(entry->address, wanted->address, 16) == 0 &&
	       strcmp(entry->pool, pool->name) == 0 && entry->port_index == route->port->index;
}

/* The number that a backend has or had, or else one that nobody uses. */
static unsigned int
backends_find(const struct engine *engine, const struct settings_pool *pool,
		const struct settings_backend *wanted, const struct route *route)
{
	const struct backends *backends = engine->backends;
	unsigned int vacant = BACKENDS_NONE;

	for (unsigned int i = 0; i < backends->count; i++) {
		if (backends_is(&backends->entry[i], pool, wanted, route))
			return i;
		if (vacant == BACKENDS_NONE && backends->entry[i].users == 0 &&
				!engine->health->asked[i] && backends_connections(engine, i) == 0)
			vacant = i;
	}
	return backends->count < BACKENDS_MAX ? backends->count : vacant;
}

/* Every worker has something to count in; what another backend left there is forgotten. */
static bool
backends_prepare_shares(struct engine *engine, unsigned int number)
{
	for (unsigned int w = 0; w < engine->worker_count; w++) {
		struct worker *worker = engine->worker[w];
		struct backends_share **share = &worker->backends->share[number];

		if (*share == NULL)
			*share = rte_zmalloc_socket("handfast_backends", sizeof(**share),
					RTE_CACHE_LINE_SIZE, worker->numa_node);
		if (*share == NULL) {
			log_error("backends", "out of memory on NUMA node %d", worker->numa_node);
			return false;
		}
		memset(*share, 0, sizeof(**share));
	}
	return true;
}

static bool
backends_begin(struct engine *engine, unsigned int number, const struct settings_pool *pool,
		const struct settings_backend *wanted, const struct route *route)
{
	struct backends *backends = engine->backends;
	struct backends_entry *entry = &backends->entry[number];
	char text[46];

	if (!backends_prepare_shares(engine, number))
		return false;
	*entry = (struct backends_entry){
			.port = wanted->port,
			.port_index = route->port->index,
			.family = flow_key_is_ipv4(wanted->address) ? 4 : 6,
	};
	memcpy(entry->address, wanted->address, sizeof(entry->address));
	memcpy(entry->local, route->local, sizeof(entry->local));
	memcpy(entry->pool, pool->name, sizeof(entry->pool));
	pthread_mutex_lock(&engine->targets.control);
	entry->next_hop = resolver_keep(engine, route->port->index, route->next_hop);
	pthread_mutex_unlock(&engine->targets.control);
	if (entry->next_hop == RESOLVER_NONE) {
		log_error(pool->name, "no room to resolve backend %s",
				settings_format_address(wanted->address, text));
		return false;
	}
	backends->seen[number].opened = 0;
	backends->seen[number].failed = 0;
	backends_forget(backends, number);
	if (number == backends->count)
		__atomic_store_n(&backends->count, number + 1, __ATOMIC_RELEASE);
	return true;
}

unsigned int
backends_take(struct engine *engine, const struct settings_pool *pool,
		const struct settings_backend *wanted)
{
	struct backends *backends = engine->backends;
	struct route route;
	unsigned int number;
	char text[46];

	if (!route_find(engine, wanted->address, &pool->local_addresses, &route)) {
		log_error(pool->name, "no way to backend %s: no port has its subnet or a gateway",
				settings_format_address(wanted->address, text));
		return BACKENDS_NONE;
	}
	number = backends_find(engine, pool, wanted, &route);
	if (number == BACKENDS_NONE) {
		log_error(pool->name, "more than %u backends, those with connections included",
				BACKENDS_MAX);
		return number;
	}
	if (number == backends->count ||
			!backends_is(&backends->entry[number], pool, wanted, &route)) {
		if (!backends_begin(engine, number, pool, wanted, &route))
			return BACKENDS_NONE;
	}
	if (backends->entry[number].users++ == 0) {
		backends->is_new[number] = true;
		__atomic_store_n(&backends->usable[number], 1, __ATOMIC_RELEASE);
	}
	return number;
}

void
backends_let_go(struct engine *engine, unsigned int number)
{
	struct backends *backends = engine->backends;

	if (--backends->entry[number].users > 0)
		return;
	backends->drained[number] = false;
	__atomic_store_n(&backends->usable[number], 0, __ATOMIC_RELEASE);
}

bool
backends_mac(const struct engine *engine, unsigned int number, uint8_t mac[6])
{
	return resolver_get(&engine->resolver, engine->backends->entry[number].next_hop, mac);
}

uint32_t
backends_connections(const struct engine *engine, unsigned int number)
{
	uint32_t sum = 0;

	for (unsigned int w = 0; w < engine->worker_count; w++)
		sum += __atomic_load_n(&engine->worker[w]->backends->own[number], __ATOMIC_RELAXED);
	return sum;
}

void
backends_merge(struct engine *engine)
{
	const unsigned int count = __atomic_load_n(&engine->backends->count, __ATOMIC_ACQUIRE);

	if (engine->worker_count < 2)
		return;
	for (unsigned int i = 0; i < count; i++) {
		const uint32_t sum = backends_connections(engine, i);

		for (unsigned int w = 0; w < engine->worker_count; w++) {
			struct backends_counts *counts = engine->worker[w]->backends;
			const uint32_t own = __atomic_load_n(&counts->own[i], __ATOMIC_RELAXED);

			/* It may have grown since it was added. */
			__atomic_store_n(&counts->others[i], sum > own ? sum - own : 0,
					__ATOMIC_RELAXED);
		}
	}
}
