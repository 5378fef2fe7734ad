/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdlib.h>

#include <rte_malloc.h>

#include "engine/engine.h"
#include "engine/log.h"
#include "engine/outside.h"
#include "engine/services_prefixes.h"
#include "engine/worker.h"
#include "limit/prefix_limit.h"

/* Networks whose SYNs are counted, and the SYNs that a core may have to answer in a second. */
#define PREFIXES_MIN  16384u
#define PREFIXES_MAX  1048576u
#define PREFIXES_SYNS 16777216u

/*
 * So many networks that they are more than a core gets SYNs for in a second, divided by what each
 * may have: then a flood from everywhere uses up nobody's tokens (prefix_limit.h).
 */
static uint32_t
prefixes_networks(uint32_t rate)
{
	const uint32_t networks = RTE_MAX(PREFIXES_MIN, PREFIXES_SYNS / rate);

	return RTE_MIN(PREFIXES_MAX, networks);
}

uint64_t
services_prefixes_footprint(const struct settings *settings)
{
	const uint32_t rate = settings->tcp.synack_rate_per_prefix;

	return rate == 0 ? 0 : prefix_limit_footprint(prefixes_networks(rate));
}

uint64_t
services_prefixes_footprint_max(void)
{
	return prefix_limit_footprint(PREFIXES_MAX);
}

void
services_prefixes_keep(struct services_prefixes *prefixes)
{
	if (prefixes != NULL)
		prefixes->users++;
}

void
services_prefixes_let_go(struct services_prefixes *prefixes)
{
	if (prefixes == NULL || --prefixes->users > 0)
		return;
	for (unsigned int w = 0; w < SETTINGS_WORKERS_MAX; w++)
		rte_free(prefixes->limit[w]);
	free(prefixes);
}

static struct prefix_limit *
prefixes_create_for(const struct worker *worker, uint32_t rate)
{
	const uint32_t networks = prefixes_networks(rate);
	const size_t bytes = prefix_limit_footprint(networks);
	struct siphash_key key;
	void *memory;

	if (!outside_random(&key, sizeof(key))) {
		log_error("prefixes", "the kernel gives no random bytes");
		return NULL;
	}
	memory = rte_malloc_socket(
			"handfast_prefixes", bytes, RTE_CACHE_LINE_SIZE, worker->numa_node);
	if (memory == NULL) {
		log_error("prefixes",
				"no %llu MiB of memory for tcp.synack_rate_per_prefix on NUMA "
				"node %d; raise engine.memory_size and restart",
				(unsigned long long)(bytes >> 20) + 1, worker->numa_node);
		return NULL;
	}
	return prefix_limit_init(memory, networks, rate, &key);
}

static struct services_prefixes *
prefixes_create(const struct engine *engine, uint32_t rate)
{
	struct services_prefixes *prefixes = calloc(1, sizeof(*prefixes));

	if (prefixes == NULL) {
		log_error("prefixes", "out of memory");
		return NULL;
	}
	prefixes->users = 1;
	prefixes->rate = rate;
	for (unsigned int w = 0; w < engine->worker_count; w++) {
		prefixes->limit[w] = prefixes_create_for(engine->worker[w], rate);
		if (prefixes->limit[w] == NULL) {
			services_prefixes_let_go(prefixes);
			return NULL;
		}
	}
	return prefixes;
}

int
services_attach_prefixes(struct engine *engine, struct services *services)
{
	const uint32_t rate = services->settings->tcp.synack_rate_per_prefix;
	struct services_prefixes *wanted = NULL;

	if (services->prefixes != NULL && services->prefixes->rate == rate)
		return 0;
	if (rate != 0) {
		wanted = prefixes_create(engine, rate);
		if (wanted == NULL)
			return -1;
	}
	services_prefixes_let_go(services->prefixes);
	services->prefixes = wanted;
	return 0;
}
