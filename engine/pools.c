/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "engine/engine.h"
#include "engine/log.h"
#include "engine/pools.h"
#include "engine/worker.h"

/* Clients' handshakes that fail, none in between succeeding, until a backend is down. */
#define POOLS_MARKS_MAX         5

#define POOLS_MARKS_HALFLIFE_MS 10000

/* How long one that nobody checks stays down before it is tried again, at first. */
#define POOLS_RETRY_MS 5000

_Static_assert((unsigned int)CHOICE_MAGLEV == SETTINGS_CHOICE_MAGLEV &&
				(unsigned int)CHOICE_ROUND_ROBIN == SETTINGS_CHOICE_ROUND_ROBIN &&
				(unsigned int)CHOICE_LEAST_CONNECTIONS ==
						SETTINGS_CHOICE_LEAST_CONNECTIONS &&
				(unsigned int)CHOICE_SOURCE_HASH == SETTINGS_CHOICE_SOURCE_HASH,
		"settings name what choice.h has");

static struct backend_rules
pools_rules(const struct settings_pool *settings)
{
	return (struct backend_rules){
			.interval_ms = settings->check_interval_ms,
			.mark_halflife_ms = POOLS_MARKS_HALFLIFE_MS,
			.retry_ms = POOLS_RETRY_MS,
			.fall = (uint8_t)settings->fall,
			.rise = (uint8_t)settings->rise,
			.marks_max = POOLS_MARKS_MAX,
			.checked = settings->check != SETTINGS_CHECK_NONE,
	};
}

static void *
pools_alloc(size_t size)
{
	void *memory = aligned_alloc(RTE_CACHE_LINE_SIZE, size);

	if (memory == NULL)
		log_error("pools", "out of memory");
	return memory;
}

/* Numbers for all backends of a pool; those already taken are in pools->pool_of after a failure. */
static bool
pools_take(struct engine *engine, struct pools *pools, unsigned int index,
		struct choice_backend backends[])
{
	const struct settings_pool *settings = pools->pool[index].settings;

	for (unsigned int i = 0; i < settings->backends.count; i++) {
		const struct settings_backend *wanted = &settings->backends.item[i];
		const unsigned int number = backends_take(engine, settings, wanted);

		if (number == BACKENDS_NONE)
			return false;
		pools->pool_of[number] = (uint16_t)index;
		backends[i].number = (uint16_t)number;
		backends[i].maglev.port = wanted->port;
		backends[i].maglev.weight = (uint8_t)wanted->weight;
		memcpy(backends[i].maglev.address, wanted->address, 16);
	}
	return true;
}

static bool
pools_prepare(struct engine *engine, struct pools *pools, unsigned int index,
		const struct siphash_key *key)
{
	struct choice_backend backends[SETTINGS_POOL_BACKENDS_MAX];
	struct pool *pool = &pools->pool[index];
	const struct choice_pool wanted = {
			.kind = (enum choice_kind)pool->settings->choice,
			.backends = backends,
			.count = pool->settings->backends.count,
			.table_size = MAGLEV_SIZE_DEFAULT,
			.key = key,
	};
	void *memory;

	pool->rules = pools_rules(pool->settings);
	if (!pools_take(engine, pools, index, backends))
		return false;
	memory = pools_alloc(choice_footprint(&wanted));
	if (memory == NULL)
		return false;
	pool->choice = choice_init(memory, &wanted);
	for (unsigned int w = 0; w < engine->worker_count; w++) {
		memory = pools_alloc(choice_state_footprint(pool->choice));
		if (memory == NULL)
			return false;
		pool->state[w] = choice_state_init(memory, pool->choice, &pools->load[w], w);
	}
	return true;
}

struct pools *
pools_create(struct engine *engine, const struct settings *settings)
{
	struct pools *pools = calloc(1, sizeof(*pools));
	struct siphash_key key;
	bool good;

	if (pools == NULL)
		goto no_memory;
	memset(pools->pool_of, 0xff, sizeof(pools->pool_of));
	pools->pool = calloc(settings->pool_count + 1, sizeof(*pools->pool));
	if (pools->pool == NULL)
		goto no_memory;
	for (unsigned int w = 0; w < engine->worker_count; w++)
		pools->load[w] = (struct choice_load){
				.usable = engine->backends->usable,
				.own = engine->worker[w]->backends->own,
				.others = engine->worker[w]->backends->others,
		};
	good = cookies_derive(&engine->cookies, CHOICE_KEY_LABEL, &key);
	pthread_mutex_lock(&engine->backends->control);
	for (unsigned int i = 0; i < settings->pool_count && good; i++) {
		pools->pool[i].settings = &settings->pool[i];
		pools->count = i + 1;
		good = pools_prepare(engine, pools, i, &key);
	}
	pthread_mutex_unlock(&engine->backends->control);
	if (good)
		return pools;
	pools_free(engine, pools);
	return NULL;
no_memory:
	log_error("pools", "out of memory");
	free(pools);
	return NULL;
}

void
pools_free(struct engine *engine, struct pools *pools)
{
	if (pools == NULL)
		return;
	pthread_mutex_lock(&engine->backends->control);
	for (unsigned int i = 0; i < BACKENDS_MAX; i++) {
		if (pools->pool_of[i] != POOLS_NONE)
			backends_let_go(engine, i);
	}
	pthread_mutex_unlock(&engine->backends->control);
	for (unsigned int i = 0; i < pools->count; i++) {
		free(pools->pool[i].choice);
		for (unsigned int w = 0; w < SETTINGS_WORKERS_MAX; w++)
			free(pools->pool[i].state[w]);
	}
	free(pools->pool);
	free(pools);
}

const struct pool *
pools_find(const struct pools *pools, const char *name)
{
	for (unsigned int i = 0; i < pools->count; i++) {
		if (strcmp(pools->pool[i].settings->name, name) == 0)
			return &pools->pool[i];
	}
	return NULL;
}

unsigned int
pools_pick(const struct worker *worker, const struct pool *pool, const struct choice_client *client)
{
	return choice_pick(pool->choice, pool->state[worker->index], client);
}
