/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/random.h>

#include "engine/engine.h"
#include "engine/health.h"
#include "engine/local_ports.h"
#include "engine/log.h"
#include "engine/pools.h"
#include "engine/steering.h"
#include "engine/worker.h"

/* How often workers' counts are added up. */
#define HEALTH_SUM_MS 100

/* RFC 6335 6: the dynamic ports. */
#define HEALTH_PORT_FIRST 49152
#define HEALTH_PORT_COUNT 16384
#define HEALTH_PORT_TRIES 64

struct health *
health_create(void)
{
	struct health *health = calloc(1, sizeof(*health));

	if (health == NULL) {
		log_error("health", "out of memory");
		return NULL;
	}
	if (getrandom(&health->random, sizeof(health->random), 0) != sizeof(health->random)) {
		log_error("health", "the kernel gives no random bytes");
		free(health);
		return NULL;
	}
	return health;
}

void
health_free(struct health *health)
{
	free(health);
}

const char *
health_result_name(enum check_result result)
{
	static const char *const names[CHECK_RESULTS + 1] = {
			[CHECK_GOOD] = "good",
			[CHECK_REFUSED] = "refused",
			[CHECK_UNREACHABLE] = "unreachable",
			[CHECK_TIMED_OUT] = "timed out",
			[CHECK_CLOSED] = "closed without an answer",
			[CHECK_BAD_STATUS] = "HTTP status",
			[CHECK_NO_HTTP] = "no HTTP",
			[CHECK_UNRESOLVED] = "next hop unknown",
			[CHECK_NOT_MADE] = "not made",
			[CHECK_RESULTS] = "none",
	};

	return names[result];
}

bool
health_is_needed(const struct engine *engine)
{
	return engine_services(engine)->pools->count > 0;
}

static uint32_t
health_random_below(struct health *health, uint32_t limit)
{
	health->random = health->random * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)((health->random >> 32) * limit >> 32);
}

/* For people: what brought a backend where it is. */
static void
health_describe(const struct health_record *record, char *text, size_t size)
{
	if (record->result == CHECK_BAD_STATUS)
		snprintf(text, size, "%s %u", health_result_name(CHECK_BAD_STATUS), record->code);
	else
		snprintf(text, size, "%s", health_result_name((enum check_result)record->result));
}

/* A backend is in another state: say so and count it. */
static void
health_changed(struct engine *engine, unsigned int number, const struct backend_change *change)
{
	const struct backends_entry *entry = &engine->backends->entry[number];
	struct health_record *record = &engine->health->record[number];
	const enum backend_state to = (enum backend_state)change->to;
	char address[46];
	char last[64];

	if (!backend_changed(change))
		return;
	record->ups += to == BACKEND_UP;
	record->downs += to == BACKEND_DOWN;
	/* Whoever comes up there again may be another machine. */
	if (to == BACKEND_DOWN)
		backends_forget(engine->backends, number);
	health_describe(record, last, sizeof(last));
	log_write(to == BACKEND_DOWN ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, entry->pool,
			"backend=%s port=%u is %s, was %s, because of %s; last check: %s",
			settings_format_address(entry->address, address),
			rte_be_to_cpu_16(entry->port), backend_state_name(to),
			backend_state_name((enum backend_state)change->from),
			backend_reason_name((enum backend_reason)change->reason), last);
}

/* Take a local port that nothing else uses, and where nobody listens; 0 when none is found. */
static uint16_t
health_take_port(struct engine *engine, const struct backends_entry *entry, uint16_t owner)
{
	struct health *health = engine->health;
	const struct service_map *map = engine_services(engine)->map[entry->port_index];

	for (unsigned int i = 0; i < HEALTH_PORT_TRIES; i++) {
		const uint16_t port = (uint16_t)(HEALTH_PORT_FIRST +
						 health_random_below(health, HEALTH_PORT_COUNT));

		if (health->of_port[port] != HEALTH_NOBODY ||
				service_map_lookup(map, entry->local, rte_cpu_to_be_16(port)) !=
						SERVICE_MAP_NONE)
			continue;
		__atomic_store_n(&health->of_port[port], owner, __ATOMIC_SEQ_CST);
		/* Who looks for a port for a proxied connection sees it from here on. */
		if (!local_ports_is_used(engine, entry->local, rte_cpu_to_be_16(port)))
			return port;
		__atomic_store_n(&health->of_port[port], HEALTH_NOBODY, __ATOMIC_SEQ_CST);
	}
	return 0;
}

/* Hand a check to the worker to which the answers will be steered. */
static void
health_ask(struct engine *engine, const struct pool *pool, unsigned int number,
		const uint8_t mac[6])
{
	const struct backends_entry *entry = &engine->backends->entry[number];
	struct check *check = &engine->health->check[number];
	const uint16_t port = health_take_port(engine, entry, (uint16_t)(number + 1));
	struct port_flow flow = {
			.remote_port = entry->port,
			.local_port = rte_cpu_to_be_16(port),
	};

	if (port == 0)
		return;
	memcpy(flow.remote, entry->address, sizeof(flow.remote));
	memcpy(flow.local, entry->local, sizeof(flow.local));
	memcpy(check->key.address, entry->local, sizeof(check->key.address));
	check->key.port = flow.local_port;
	check->key.endpoint = (uint16_t)(FLOW_KEY_ACTIVE | FLOW_KEY_CHECK | number);
	check->origin.port = entry->port_index;
	memcpy(check->origin.peer_mac, mac, sizeof(check->origin.peer_mac));
	check->timeout_ms = pool->settings->check_timeout_ms;
	check->http = pool->settings->check == SETTINGS_CHECK_HTTP;
	check->done = 0;
	engine->health->asked[number] = true;
	checks_ask(engine->worker[steering_flow_owner(
				   engine, &engine->port[entry->port_index], &flow)],
			number);
}

/* The result of a check that ended, or could not begin. */
static void
health_take_result(struct engine *engine, const struct pool *pool, unsigned int number,
		enum check_result result, uint64_t now_ms)
{
	struct health_record *record = &engine->health->record[number];
	struct backend_change change;

	if (result == CHECK_NOT_MADE)
		return;
	record->checks++;
	record->failures += result != CHECK_GOOD;
	record->result = (uint8_t)result;
	change = backend_checked(&engine->backends->health[number], &pool->rules,
			result == CHECK_GOOD, now_ms);
	health_changed(engine, number, &change);
}

static void
health_begin(struct engine *engine, const struct pool *pool, unsigned int number, uint64_t now_ms)
{
	struct backend *backend = &engine->backends->health[number];
	uint8_t mac[6];

	if (!backends_mac(engine, number, mac)) {
		/* It may just not have been asked for long enough. */
		if (now_ms - backend->since_ms < pool->rules.interval_ms &&
				backend_state(backend) == BACKEND_UNKNOWN)
			return;
		backend_check_begun(backend, &pool->rules, now_ms);
		health_take_result(engine, pool, number, CHECK_UNRESOLVED, now_ms);
		return;
	}
	backend_check_begun(backend, &pool->rules, now_ms);
	health_ask(engine, pool, number, mac);
}

/* A worker is done with a check. */
static void
health_collect(struct engine *engine, const struct pool *pool, unsigned int number, uint64_t now_ms)
{
	struct health *health = engine->health;
	const struct check *check = &health->check[number];

	if (!__atomic_load_n(&check->done, __ATOMIC_ACQUIRE))
		return;
	health->asked[number] = false;
	__atomic_store_n(&health->of_port[rte_be_to_cpu_16(check->key.port)], HEALTH_NOBODY,
			__ATOMIC_RELAXED);
	if (pool == NULL || !pool->rules.checked)
		return;
	health->record[number].took_us = check->took_us;
	health->record[number].code = check->code;
	health_take_result(engine, pool, number, (enum check_result)check->result, now_ms);
}

/* What clients' connections met since the last look. */
static void
health_sum(struct engine *engine, const struct pool *pool, unsigned int number, uint64_t now_ms)
{
	struct backends *backends = engine->backends;
	struct backend_change change;
	uint64_t opened = 0;
	uint64_t failed = 0;

	for (unsigned int w = 0; w < engine->worker_count; w++) {
		const struct backends_share *share = engine->worker[w]->backends->share[number];

		opened += __atomic_load_n(&share->opened, __ATOMIC_RELAXED);
		failed += __atomic_load_n(&share->failed, __ATOMIC_RELAXED);
	}
	change = backend_handshakes(&backends->health[number], &pool->rules,
			(uint32_t)(failed - backends->seen[number].failed),
			(uint32_t)(opened - backends->seen[number].opened), now_ms);
	backends->seen[number].failed = failed;
	backends->seen[number].opened = opened;
	health_changed(engine, number, &change);
}

/* A number was given out: nothing is known of whose it is now. */
static void
health_meet(struct engine *engine, const struct pool *pool, unsigned int number, uint64_t now_ms)
{
	struct health *health = engine->health;

	backend_init(&engine->backends->health[number], &pool->rules,
			health_random_below(health, UINT32_MAX), now_ms);
	health->record[number] = (struct health_record){.result = CHECK_RESULTS};
	engine->backends->is_new[number] = false;
}

static void
health_look(struct engine *engine, const struct pool *pool, unsigned int number, bool sum,
		uint64_t now_ms)
{
	struct backends *backends = engine->backends;
	struct backend *backend = &backends->health[number];
	struct backend_change change;
	uint32_t position;
	bool is_usable;

	if (backends->is_new[number])
		health_meet(engine, pool, number, now_ms);
	if (engine->health->asked[number])
		health_collect(engine, pool, number, now_ms);
	if (sum) {
		health_sum(engine, pool, number, now_ms);
		change = backend_tick(backend, &pool->rules, now_ms);
		health_changed(engine, number, &change);
		position = choice_position(pool->choice, (uint16_t)number);
		change = backend_drain(backend,
				backends->drained[number] ||
						choice_weight(pool->choice, position) == 0,
				now_ms);
		health_changed(engine, number, &change);
	}
	if (backend_check_is_due(backend, &pool->rules, now_ms) && !engine->health->asked[number] &&
			engine_phase(engine) == ENGINE_RUNNING)
		health_begin(engine, pool, number, now_ms);
	is_usable = backend->health != BACKEND_DOWN && !backends->drained[number];
	if (is_usable != backends->usable[number])
		engine->health->changed = true;
	__atomic_store_n(&backends->usable[number], is_usable, __ATOMIC_RELAXED);
}

/* What all of a pool's backends that can be used understand, @return whether there are any */
static bool
health_summarize(struct engine *engine, struct pool *pool)
{
	struct backends_profile all = {
			.mss = UINT16_MAX,
			.window_scale = 14,
			.has_window_scale = true,
			.has_sack = true,
			.has_timestamps = true,
	};
	unsigned int usable = 0;
	uint64_t word;

	for (uint32_t i = 0; i < choice_count(pool->choice); i++) {
		const unsigned int number = choice_number(pool->choice, i);
		const struct backends_profile profile = backends_profile(engine->backends, number);

		if (choice_weight(pool->choice, i) == 0 ||
				!backends_is_usable(engine->backends, number))
			continue;
		usable++;
		if (profile.mss == 0)
			continue;
		all.mss = RTE_MIN(all.mss, profile.mss);
		all.window_scale = RTE_MIN(all.window_scale, profile.window_scale);
		all.has_window_scale &= profile.has_window_scale;
		all.has_sack &= profile.has_sack;
		all.has_timestamps &= profile.has_timestamps;
	}
	memcpy(&word, &all, sizeof(word));
	__atomic_store_n(&pool->profile, word, __ATOMIC_RELAXED);
	if (usable == 0 && pool->usable != 0)
		log_error(pool->settings->name, "no backend is left: clients get %s",
				pool->settings->when_down == SETTINGS_WHEN_DOWN_RESET
						? "a reset"
						: "no answer");
	else if (usable != 0 && pool->usable == 0)
		log_info(pool->settings->name, "backends can be used again: %u", usable);
	__atomic_store_n(&pool->usable, usable, __ATOMIC_RELAXED);
	return usable != 0;
}

static void
health_summarize_all(struct engine *engine, const struct pools *pools)
{
	unsigned int down = 0;

	for (unsigned int p = 0; p < pools->count; p++)
		down += !health_summarize(engine, &pools->pool[p]);
	__atomic_store_n(&engine->backends->pools_down, down, __ATOMIC_RELAXED);
	engine->health->changed = false;
}

void
health_poll(struct engine *engine)
{
	struct backends *backends = engine->backends;
	const uint64_t now_ms = clock_us(&engine->clock) / 1000;
	struct pools *pools;
	bool sum;

	pthread_mutex_lock(&backends->control);
	pools = engine_services(engine)->pools;
	sum = now_ms - engine->health->summed_ms >= HEALTH_SUM_MS;
	for (unsigned int i = 0; i < backends->count; i++) {
		if (pools->pool_of[i] != POOLS_NONE)
			health_look(engine, &pools->pool[pools->pool_of[i]], i, sum, now_ms);
		else if (engine->health->asked[i])
			health_collect(engine, NULL, i, now_ms);
	}
	/* At once: clients are refused as long as a pool counts as down. */
	if (sum || engine->health->changed)
		health_summarize_all(engine, pools);
	if (sum) {
		engine->health->summed_ms = now_ms;
		backends_merge(engine);
	}
	pthread_mutex_unlock(&backends->control);
}
