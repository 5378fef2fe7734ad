/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdio.h>
#include <stdlib.h>

#include <rte_telemetry.h>

#include "engine/compat.h"
#include "engine/engine.h"
#include "engine/health.h"
#include "engine/pools.h"
#include "engine/telemetry_backends.h"
#include "engine/worker.h"

/* Rows of one answer, which is cut silently at 16 KiB. */
#define TELEMETRY_BACKENDS_PAGE 24

/* What all workers counted of one backend. */
struct telemetry_backend {
	uint64_t chosen;
	uint64_t opened;
	uint64_t failed;
	struct histogram handshake_us;
};

unsigned int
telemetry_backends_count(const struct engine *engine)
{
	const struct pools *pools = engine_services(engine)->pools;
	unsigned int count = 0;

	for (unsigned int i = 0; i < pools->count; i++)
		count += choice_count(pools->pool[i].choice);
	return count;
}

/* The pool of a row, and the position in it. */
static const struct pool *
telemetry_backends_find(const struct engine *engine, unsigned int row, uint32_t *position)
{
	const struct pools *pools = engine_services(engine)->pools;

	*position = row;
	for (unsigned int i = 0; i < pools->count; i++) {
		const uint32_t count = choice_count(pools->pool[i].choice);

		if (*position < count)
			return &pools->pool[i];
		*position -= count;
	}
	return NULL;
}

static void
telemetry_backends_sum(
		const struct engine *engine, unsigned int number, struct telemetry_backend *sum)
{
	*sum = (struct telemetry_backend){0};
	for (unsigned int w = 0; w < engine->worker_count; w++) {
		const struct backends_share *share = engine->worker[w]->backends->share[number];

		sum->chosen += __atomic_load_n(&share->chosen, __ATOMIC_RELAXED);
		sum->opened += __atomic_load_n(&share->opened, __ATOMIC_RELAXED);
		sum->failed += __atomic_load_n(&share->failed, __ATOMIC_RELAXED);
		histogram_add(&sum->handshake_us, &share->handshake_us);
	}
}

static void
telemetry_backends_health(
		const struct engine *engine, unsigned int number, struct rte_tel_data *row)
{
	const struct health_record *record = &engine->health->record[number];
	const struct backend *backend = &engine->backends->health[number];
	const uint64_t now_ms = clock_us(&engine->clock) / 1000;

	rte_tel_data_add_dict_string(row, "state", backend_state_name(backend_state(backend)));
	compat_add_dict_uint(row, "state_seconds",
			now_ms > backend->since_ms ? (now_ms - backend->since_ms) / 1000 : 0);
	compat_add_dict_uint(row, "ups", record->ups);
	compat_add_dict_uint(row, "downs", record->downs);
	rte_tel_data_add_dict_string(row, "check",
			health_result_name(backends_is_new(engine->backends, number)
							   ? CHECK_RESULTS
							   : (enum check_result)record->result));
	compat_add_dict_uint(row, "check_code", record->code);
	compat_add_dict_uint(row, "check_us", record->took_us);
	compat_add_dict_uint(row, "checks", record->checks);
	compat_add_dict_uint(row, "check_failures", record->failures);
}

static void
telemetry_backends_row(const struct engine *engine, const struct pool *pool, uint32_t position,
		struct telemetry_backend *sum, struct rte_tel_data *row)
{
	const unsigned int number = choice_number(pool->choice, position);
	const struct backends_entry *entry = &engine->backends->entry[number];
	const struct backends_profile profile = backends_profile(engine->backends, number);
	char address[46];
	char text[64];

	telemetry_backends_sum(engine, number, sum);
	snprintf(text, sizeof(text), entry->family == 4 ? "%s:%u" : "[%s]:%u",
			settings_format_address(entry->address, address),
			rte_be_to_cpu_16(entry->port));
	rte_tel_data_start_dict(row);
	rte_tel_data_add_dict_string(row, "pool", pool->settings->name);
	rte_tel_data_add_dict_string(row, "backend", text);
	compat_add_dict_uint(row, "weight", choice_weight(pool->choice, position));
	telemetry_backends_health(engine, number, row);
	compat_add_dict_uint(row, "connections", backends_connections(engine, number));
	compat_add_dict_uint(row, "chosen", sum->chosen);
	compat_add_dict_uint(row, "opened", sum->opened);
	compat_add_dict_uint(row, "failed", sum->failed);
	compat_add_dict_uint(row, "handshake_us_p50", histogram_percentile(&sum->handshake_us, 50));
	compat_add_dict_uint(row, "handshake_us_p99", histogram_percentile(&sum->handshake_us, 99));
	compat_add_dict_uint(row, "mss", profile.mss);
}

int
telemetry_backends(struct engine *engine, const char *parameters, struct rte_tel_data *data)
{
	const unsigned int first =
			parameters == NULL ? 0 : (unsigned int)strtoul(parameters, NULL, 10);
	struct telemetry_backend *sum = malloc(sizeof(*sum));
	int result = 0;

	if (sum == NULL)
		return -1;
	rte_tel_data_start_dict(data);
	pthread_mutex_lock(&engine->backends->control);
	for (unsigned int i = first; i - first < TELEMETRY_BACKENDS_PAGE && result == 0; i++) {
		uint32_t position;
		const struct pool *pool = telemetry_backends_find(engine, i, &position);
		struct rte_tel_data *row;
		char key[16];

		if (pool == NULL)
			break;
		row = rte_tel_data_alloc();
		if (row == NULL) {
			result = -1;
			break;
		}
		telemetry_backends_row(engine, pool, position, sum, row);
		snprintf(key, sizeof(key), "%u", i);
		rte_tel_data_add_dict_container(data, key, row, 0);
	}
	pthread_mutex_unlock(&engine->backends->control);
	free(sum);
	return result;
}
