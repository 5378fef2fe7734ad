/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "engine/engine.h"
#include "engine/log.h"
#include "engine/pools.h"
#include "engine/services_build.h"
#include "engine/worker.h"
#include "wire/proxy_protocol.h"

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
_Static_assert((unsigned int)PROXY_PROTOCOL_V1 == SETTINGS_PROXY_PROTOCOL_V1 &&
				(unsigned int)PROXY_PROTOCOL_V2 == SETTINGS_PROXY_PROTOCOL_V2,
		"settings name what proxy_protocol.h has");

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
	pool->usable = pool->settings->backends.count;
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

/* An HTTP check's request, behind the header that tells whose connection it is: ours. */
static size_t
pools_check_text(const struct settings_pool *settings, const struct settings_backend *backend,
		char *text, size_t size)
{
	const bool ipv4 = flow_key_is_ipv4(backend->address);
	const size_t header = proxy_protocol_write_own(
			(uint8_t *)text, (enum proxy_protocol_version)settings->proxy_protocol);
	char address[46];

	settings_format_address(backend->address, address);
	return header +
	       (size_t)snprintf(text + header, size - header,
			       "GET %s HTTP/1.1\r\nHost: %s%s%s:%u\r\nUser-Agent: handfast\r\n"
			       "Accept: */*\r\nConnection: close\r\n\r\n",
			       settings->check_path, ipv4 ? "" : "[", address, ipv4 ? "" : "]",
			       rte_be_to_cpu_16(backend->port));
}

static bool
pools_prepare_checks(struct pools *pools, const struct pool *pool, const struct settings *settings)
{
	const struct settings_pool *wanted = pool->settings;

	for (uint32_t i = 0; i < wanted->backends.count && wanted->check == SETTINGS_CHECK_HTTP;
			i++) {
		struct service **check = &pools->check[choice_number(pool->choice, i)];
		char text[SETTINGS_TEXT_MAX + 256];
		const size_t length = pools_check_text(
				wanted, &wanted->backends.item[i], text, sizeof(text));

		*check = calloc(1, sizeof(**check));
		if (*check == NULL) {
			log_error(wanted->name, "out of memory");
			return false;
		}
		if (services_prepare_check(*check, settings, (uint8_t *)text, length) != 0)
			return false;
	}
	return true;
}

void
pools_keep(struct pools *pools)
{
	if (pools != NULL)
		pools->users++;
}

static void
pools_free(struct pools *pools)
{
	struct engine *engine = pools->engine;

	pthread_mutex_lock(&engine->backends->control);
	for (unsigned int i = 0; i < BACKENDS_MAX; i++) {
		if (pools->pool_of[i] != POOLS_NONE)
			backends_let_go(engine, i);
		if (pools->check[i] != NULL)
			services_free_check(pools->check[i]);
		free(pools->check[i]);
	}
	pthread_mutex_unlock(&engine->backends->control);
	for (unsigned int i = 0; i < pools->count; i++) {
		free(pools->pool[i].choice);
		for (unsigned int w = 0; w < SETTINGS_WORKERS_MAX; w++)
			free(pools->pool[i].state[w]);
	}
	free(pools->settings);
	free(pools->pool);
	free(pools);
}

void
pools_let_go(struct pools *pools)
{
	if (pools != NULL && --pools->users == 0)
		pools_free(pools);
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
	pools->engine = engine;
	pools->users = 1;
	pools->pool = calloc(settings->pool_count + 1, sizeof(*pools->pool));
	pools->settings = calloc(settings->pool_count + 1, sizeof(*pools->settings));
	if (pools->pool == NULL || pools->settings == NULL)
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
		pools->settings[i] = settings->pool[i];
		pools->pool[i].settings = &pools->settings[i];
		pools->count = i + 1;
		good = pools_prepare(engine, pools, i, &key) &&
		       pools_prepare_checks(pools, &pools->pool[i], settings);
	}
	pthread_mutex_unlock(&engine->backends->control);
	if (good)
		return pools;
	pools_let_go(pools);
	return NULL;
no_memory:
	log_error("pools", "out of memory");
	if (pools != NULL) {
		free(pools->pool);
		free(pools->settings);
	}
	free(pools);
	return NULL;
}

void
pools_inherit(struct pools *pools, const struct pools *before)
{
	for (unsigned int i = 0; before != NULL && i < pools->count; i++) {
		struct pool *pool = &pools->pool[i];
		const struct pool *same = pools_find(before, pool->settings->name);

		if (same == NULL)
			continue;
		pool->usable = same->usable;
		pool->profile = same->profile;
	}
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
