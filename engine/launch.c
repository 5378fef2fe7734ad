/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_mbuf_pool_ops.h>
#include <rte_memzone.h>
#include <rte_pdump.h>

#include "engine/eal.h"
#include "engine/engine.h"
#include "engine/health.h"
#include "engine/launch.h"
#include "engine/log.h"
#include "engine/memif.h"
#include "engine/outside.h"
#include "engine/services_build.h"
#include "engine/services_map.h"
#include "engine/services_pools.h"
#include "engine/services_prefixes.h"
#include "engine/steering.h"
#include "engine/tap.h"
#include "engine/telemetry.h"
#include "engine/unmap.h"
#include "engine/worker.h"

/* Buffers that each worker keeps at hand. */
#define LAUNCH_POOL_CACHE 256

static void
launch_free_zone(struct rte_mempool_memhdr *memory, void *zone)
{
	(void)memory;
	rte_memzone_free(zone);
}

/* Objects in memory that other processes see.  @return 0, or a negative errno. */
static int
launch_populate_lent(struct rte_mempool *pool, size_t bytes, struct memif_memory *lent)
{
	int result;

	if (memif_memory_create(lent, "handfast_packets", bytes) != 0)
		return -errno;
	result = rte_mempool_populate_iova(
			pool, (char *)lent->base, RTE_BAD_IOVA, lent->bytes, NULL, NULL);
	return result < 0 ? result : 0;
}

/*
 * Objects in one piece of memory, without gaps; in @p lent where it is not NULL.
 *
 * @return 0, or a negative errno.
 */
static int
launch_populate(struct rte_mempool *pool, struct memif_memory *lent)
{
	const size_t object = pool->header_size + pool->elt_size + pool->trailer_size;
	const struct rte_memzone *zone;
	char name[RTE_MEMZONE_NAMESIZE];
	int result;

	if (lent != NULL)
		return launch_populate_lent(pool, pool->size * object, lent);
	snprintf(name, sizeof(name), "%s_", pool->name);
	zone = rte_memzone_reserve(name, pool->size * object, SOCKET_ID_ANY, 0);
	if (zone == NULL)
		return -rte_errno;
	result = rte_mempool_populate_iova(pool, zone->addr, zone->iova, zone->len,
			launch_free_zone, (void *)(uintptr_t)zone);
	if (result < 0)
		rte_memzone_free(zone);
	return result < 0 ? result : 0;
}

/*
 * Packet buffers for memory without huge pages and devices of software, one behind the other.
 *
 * rte_pktmbuf_pool_create() keeps each inside a page, for the sake of devices that address memory
 * themselves; so each begins a small page.  The headers of a burst, all at the same
 * place of a page, then fall into the same few lines of the first cache and push each other out:
 * a SYN took 60 ns instead of 38.
 */
static struct rte_mempool *
launch_packed_pool(const char *name, unsigned int count, uint16_t bytes, struct memif_memory *lent)
{
	struct rte_pktmbuf_pool_private room = {.mbuf_data_room_size = bytes};
	struct rte_mempool *pool = rte_mempool_create_empty(name, count,
			(unsigned int)sizeof(struct rte_mbuf) + bytes, LAUNCH_POOL_CACHE,
			sizeof(room), SOCKET_ID_ANY, RTE_MEMPOOL_F_NO_IOVA_CONTIG);
	int result;

	if (pool == NULL)
		return NULL;
	result = rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), NULL);
	if (result == 0) {
		rte_pktmbuf_pool_init(pool, &room);
		result = launch_populate(pool, lent);
	}
	if (result != 0) {
		rte_mempool_free(pool);
		rte_errno = -result;
		return NULL;
	}
	rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
	return pool;
}

static int
launch_pool(struct engine *engine, const struct eal_cores *cores)
{
	const unsigned int count = eal_buffer_count(engine->settings, cores);
	const uint16_t bytes = (uint16_t)eal_buffer_bytes(engine->settings);
	char name[RTE_MEMPOOL_NAMESIZE];

	/* A process may have two engines: a generator and what it measures. */
	snprintf(name, sizeof(name), "packets_%p", (void *)engine);
	if (eal_lends_buffers(engine->settings) && !rte_eal_has_pci())
		engine->pool = launch_packed_pool(name, count, bytes, &engine->lent);
	else if (rte_eal_has_hugepages() || rte_eal_has_pci())
		engine->pool = rte_pktmbuf_pool_create(
				name, count, LAUNCH_POOL_CACHE, 0, bytes, SOCKET_ID_ANY);
	else
		engine->pool = launch_packed_pool(name, count, bytes, NULL);
	if (engine->pool == NULL)
		log_error("memory",
				"no room for %u packet buffers: %s; raise engine.memory_size, or "
				"apt install librte-mempool-ring23 if its driver is missing",
				count, rte_strerror(rte_errno));
	return engine->pool != NULL ? 0 : -1;
}

static int
launch_ports(struct engine *engine, unsigned int workers)
{
	for (unsigned int i = 0; i < engine->settings->port_count; i++) {
		engine->port_count = i + 1;
		if (port_open(&engine->port[i], &engine->settings->port[i], i, workers,
				    &(struct port_memory){engine->pool, &engine->lent}) != 0) {
			engine->port_count = i;
			return -1;
		}
		if (services_map_port(engine, engine->services, &engine->port[i]) != 0)
			return -1;
	}
	return 0;
}

static int
launch_create_workers(struct engine *engine)
{
	const unsigned int count = engine->worker_count;

	for (unsigned int i = 0; i < count; i++) {
		engine->worker[i] = worker_create(engine, i, i + 1);
		if (engine->worker[i] == NULL) {
			engine->worker_count = i;
			return -1;
		}
	}
	if (services_attach_pools(engine, engine->services) != 0 ||
			services_attach_prefixes(engine, engine->services) != 0)
		return -1;
	return steering_init(engine);
}

static struct services *
launch_services(const struct settings *settings, unsigned int workers)
{
	struct services_problem problem;
	struct services *services = services_build(NULL, settings, workers, &problem);

	if (services == NULL)
		log_error("services", "%s", problem.text);
	return services;
}

enum launch_result
launch_assemble(struct engine *engine, const struct settings *settings,
		const struct eal_cores *cores)
{
	engine->settings = settings;
	reload_init(engine);
	clock_init(&engine->clock);
	targets_init(&engine->targets);
	if (!outside_random(&engine->isn_key, sizeof(engine->isn_key)) ||
			!outside_random(&engine->fast_open_secret,
					sizeof(engine->fast_open_secret)) ||
			!outside_random(&engine->steering_key, sizeof(engine->steering_key))) {
		log_error("launch", "the kernel gives no random bytes");
		return LAUNCH_NO_MEMORY;
	}
	engine->services = launch_services(settings, cores->worker_count);
	engine->backends = backends_create();
	engine->health = health_create();
	if (engine->services == NULL || engine->backends == NULL || engine->health == NULL ||
			cookies_init(&engine->cookies, settings) != 0 ||
			lists_init(&engine->lists, settings) != 0 ||
			resolver_init(&engine->resolver, settings) != 0 ||
			launch_pool(engine, cores) != 0)
		return LAUNCH_NO_MEMORY;
	if (launch_ports(engine, cores->worker_count) != 0)
		return LAUNCH_NO_DEVICE;
	engine->worker_count = cores->worker_count;
	if (launch_create_workers(engine) != 0)
		return LAUNCH_NO_MEMORY;
	return LAUNCH_OK;
}

void
launch_disassemble(struct engine *engine)
{
	steering_free(engine);
	for (unsigned int i = 0; i < engine->worker_count; i++)
		worker_free(engine->worker[i]);
	for (unsigned int i = 0; i < engine->port_count; i++)
		port_close(&engine->port[i]);
	rte_mempool_free(engine->pool);
	memif_memory_free(&engine->lent);
	services_free(engine->services);
	reload_free(engine);
	backends_free(engine->backends);
	health_free(engine->health);
	cookies_free(&engine->cookies);
	lists_free(&engine->lists);
}

enum launch_result
launch_prepare(const struct settings *settings, struct engine **prepared)
{
	struct engine *engine = calloc(1, sizeof(*engine));
	enum launch_result result;
	struct eal_memory memory;
	struct eal_cores cores;

	if (engine == NULL) {
		log_error("launch", "out of memory");
		return LAUNCH_NO_MEMORY;
	}
	eal_choose_cores(settings, &cores);
	eal_choose_memory(settings, &cores, &memory);
	if (eal_start(settings, &cores, &memory) != 0) {
		free(engine);
		return LAUNCH_NO_EAL;
	}
	result = launch_assemble(engine, settings, &cores);
	if (result == LAUNCH_NO_MEMORY)
		eal_explain_shortage(&memory);
	if (result != LAUNCH_OK) {
		launch_disassemble(engine);
		rte_eal_cleanup();
		free(engine);
		return result;
	}
	/* What dpdk-dumpcap asks for its packets. */
	if (memory.mode == SETTINGS_MEMORY_SHARED && rte_pdump_init() != 0)
		log_warning("launch", "dpdk-dumpcap will find nothing: %s",
				rte_strerror(rte_errno));
	*prepared = engine;
	return LAUNCH_OK;
}

void
launch_workers(struct engine *engine, int (*loop)(void *))
{
	for (unsigned int i = 0; i < engine->worker_count; i++)
		rte_eal_remote_launch(loop, engine->worker[i], engine->worker[i]->lcore);
	unmap_wait_for(engine);
	telemetry_init(engine);
}

/*
 * No core file when it crashes: pages of keys are left out of one anyway, but what a worker was
 * computing a cookie with is on its stack.  The limit is 1, not 0: a pipe in core_pattern, such as
 * systemd-coredump, is written to whatever the limit, only not with that one (core(5), Linux
 * fs/coredump.c).
 */
static void
launch_forbid_core_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_CORE, &limit) != 0)
		limit.rlim_max = 1;
	limit.rlim_cur = RTE_MIN(limit.rlim_max, (rlim_t)1);
	if (setrlimit(RLIMIT_CORE, &limit) != 0)
		log_warning("launch", "core files cannot be switched off (%s): one might hold keys",
				strerror(errno));
}

enum launch_result
launch_start(const struct settings *settings, struct engine **engine)
{
	enum launch_result result;

	if (!settings->engine.core_files)
		launch_forbid_core_files();
	result = launch_prepare(settings, engine);
	if (result == LAUNCH_OK)
		launch_workers(*engine, worker_run);
	return result;
}

void
launch_quiesce(struct engine *engine)
{
	tap_stop(engine);
	__atomic_store_n(&engine->phase, ENGINE_STOPPING, __ATOMIC_RELEASE);
	rte_eal_mp_wait_lcore();
	unmap_wait_for(NULL);
}

void
launch_stop(struct engine *engine)
{
	telemetry_stop();
	launch_disassemble(engine);
	rte_eal_cleanup();
	free(engine);
}
