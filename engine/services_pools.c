/* SPDX-License-Identifier: BSD-3-Clause */

#include "engine/engine.h"
#include "engine/log.h"
#include "engine/pools.h"
#include "engine/proxy.h"
#include "engine/services.h"
#include "engine/services_map.h"
#include "engine/services_pools.h"
#include "engine/transparent.h"
#include "engine/worker.h"

/* What Linux takes for 4 MiB: windows of most backends pass as they are. */
#define SERVICES_PROXY_SCALE 7

/* What our SYN-ACKs may promise in the name of backends. */
static void
services_intersect(const struct engine *engine, struct service *service)
{
	const struct settings_pool *pool = service->pool->settings;
	uint32_t mss = pool->mss != 0 ? pool->mss : UINT16_MAX;

	for (unsigned int i = 0; i < pool->backends.count; i++) {
		const unsigned int number = choice_number(service->pool->choice, (uint32_t)i);
		const struct backends_entry *entry = &engine->backends->entry[number];
		const uint32_t path = engine->port[entry->port_index].mtu -
				      (entry->family == 4 ? 40u : 60u);

		mss = RTE_MIN(mss, path);
	}
	service->path_mss = (uint16_t)mss;
	service->first_window = (uint16_t)RTE_ALIGN_CEIL(
			RTE_MIN(mss * PROXY_FIRST_SEGMENTS, 32768u), 1u << SERVICES_PROXY_SCALE);
	service->tcp.rcv_wnd_scale = SERVICES_PROXY_SCALE;
	service->tcp.timestamps &= pool->timestamps;
	service->tcp.sack &= pool->sack;
	service->tcp.window_scaling &= pool->window_scaling;
	/* Two ends that agree on ECN do so with each other, and we are in between. */
	service->tcp.ecn = false;
}

/* Our addresses towards the backends of a pool. */
static int
services_add_local_addresses(struct engine *engine, const struct pool *pool)
{
	const struct settings_addresses *addresses = &pool->settings->local_addresses;
	const struct settings_port_range *range = &pool->settings->local_ports;

	for (unsigned int i = 0; i < addresses->count; i++) {
		if (local_ports_add(engine, addresses->item[i], range, true) == LOCAL_PORTS_NONE)
			return -1;
	}
	for (unsigned int i = 0; addresses->count == 0 && i < choice_count(pool->choice); i++) {
		const unsigned int number = choice_number(pool->choice, i);

		if (local_ports_add(engine, engine->backends->entry[number].local, range, false) ==
				LOCAL_PORTS_NONE)
			return -1;
	}
	return 0;
}

/* Frames are passed on as they are: whoever answers them is on the other end of our wire. */
static int
services_verify_neighbours(const struct engine *engine, const struct service *service)
{
	for (uint32_t i = 0; i < choice_count(service->pool->choice); i++) {
		const struct backends_entry *backend =
				&engine->backends->entry[choice_number(service->pool->choice, i)];
		const struct port *port = &engine->port[backend->port_index];
		char text[46];

		if (services_in_subnets(backend->address, port->settings))
			continue;
		log_error(service->settings->name,
				"mode: direct needs neighbours, but backend %s is behind a gateway",
				settings_format_address(backend->address, text));
		return -1;
	}
	return 0;
}

int
services_attach_pools(struct engine *engine, struct services *services)
{
	struct pools *pools = pools_create(engine, services->settings);

	if (pools == NULL)
		return -1;
	pools_inherit(pools, services->pools);
	pools_let_go(services->pools);
	services->pools = pools;
	for (unsigned int i = 0; i < services->service_count; i++) {
		struct service *service = &services->service[i];

		if (service->settings->mode == SETTINGS_MODE_RESPOND || service->retired)
			continue;
		pools_let_go(service->pools);
		service->pools = pools;
		pools_keep(pools);
		service->pool = pools_find(pools, service->settings->pool);
		if (service->settings->mode == SETTINGS_MODE_DIRECT) {
			if (services_verify_neighbours(engine, service) != 0)
				return -1;
			continue;
		}
		services_intersect(engine, service);
		if (service->pool->settings->source == SETTINGS_SOURCE_LOCAL &&
				services_add_local_addresses(engine, service->pool) != 0)
			return -1;
	}
	return transparent_create(engine, services);
}
