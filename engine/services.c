/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cookie/syncookie.h"
#include "engine/engine.h"
#include "engine/log.h"
#include "engine/pools.h"
#include "engine/port.h"
#include "engine/proxy.h"
#include "engine/services.h"
#include "limit/gcra.h"
#include "tcp/flow_key.h"

/* Below this limit workers take credits one by one, so that none lies idle. */
#define SERVICES_BATCH_LIMIT 1024

#define SERVICES_BATCH       16

/* RESPOND_WINDOW_BYTES is 65535 shifted by this. */
#define SERVICES_WINDOW_SCALE 2

/* What Linux takes for 4 MiB: windows of most backends pass as they are. */
#define SERVICES_PROXY_SCALE 7

_Static_assert(RESPOND_WINDOW_BYTES == UINT16_MAX << SERVICES_WINDOW_SCALE,
		"the largest window is said exactly");

static void
services_tcp_config(struct tcp_config *config, const struct settings_tcp *tcp,
		const struct settings_service *service)
{
	*config = (struct tcp_config){
			.fin_timeout_ms = tcp->fin_timeout_ms,
			.idle_timeout_ms = service->idle_timeout_ms,
			.keepalive_time_ms = tcp->keepalive_time_ms,
			.keepalive_intvl_ms = tcp->keepalive_intvl_ms,
			.keepalive_probes = (uint8_t)tcp->keepalive_probes,
			.time_wait_ms = tcp->time_wait_ms,
			.rto_min_ms = tcp->rto_min_ms,
			.rto_max_ms = tcp->rto_max_ms,
			.synack_retries = (uint8_t)tcp->synack_retries,
			.syn_retries = (uint8_t)tcp->syn_retries,
			.retries2 = (uint8_t)tcp->retries2,
			.orphan_retries = (uint8_t)tcp->orphan_retries,
			.initial_cwnd = (uint8_t)tcp->initial_cwnd,
			.rcv_wnd_scale = SERVICES_WINDOW_SCALE,
			.timestamps = tcp->timestamps,
			.sack = tcp->sack,
			.window_scaling = tcp->window_scaling,
			.ecn = tcp->ecn,
			.rfc1337 = tcp->rfc1337,
	};
}

/* The whole body file, to be freed; NULL after a message. */
static uint8_t *
services_read_body(const struct settings_service *service, size_t *length)
{
	FILE *file = fopen(service->body_file, "rb");
	uint8_t *body = malloc(RESPOND_BODY_MAX + 1);

	if (file == NULL || body == NULL) {
		log_error(service->name, "body_file %s cannot be read: %s", service->body_file,
				strerror(errno));
		goto fail;
	}
	*length = fread(body, 1, RESPOND_BODY_MAX + 1, file);
	if (ferror(file)) {
		log_error(service->name, "body_file %s cannot be read", service->body_file);
		goto fail;
	}
	if (*length > RESPOND_BODY_MAX) {
		log_error(service->name, "body_file %s is larger than 1 MiB", service->body_file);
		goto fail;
	}
	fclose(file);
	return body;
fail:
	if (file != NULL)
		fclose(file);
	free(body);
	return NULL;
}

static struct service_limit *
services_limit(const struct settings_service *wanted, unsigned int workers)
{
	struct service_limit *limit = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*limit));

	if (limit == NULL) {
		log_error(wanted->name, "out of memory");
		return NULL;
	}
	limit->synack_full_at = 0;
	limit->credit = wanted->max_connections == 0 ? INT64_MAX : wanted->max_connections;
	limit->batch = wanted->max_connections == 0                               ? UINT32_MAX / 2
		       : wanted->max_connections < SERVICES_BATCH_LIMIT * workers ? 1
										  : SERVICES_BATCH;
	return limit;
}

/* What is read and verified, but nobody can do yet. */
static int
services_refuse_mode(const struct settings *settings, const struct settings_service *wanted)
{
	const unsigned int pool = settings_find_pool(settings, wanted->pool);

	if (wanted->mode == SETTINGS_MODE_DIRECT) {
		log_error(wanted->name, "mode: direct is not in this version yet");
		return -1;
	}
	if (wanted->mode == SETTINGS_MODE_PROXY &&
			settings->pool[pool].source == SETTINGS_SOURCE_CLIENT) {
		log_error(wanted->name, "source: client is not in this version yet");
		return -1;
	}
	if (wanted->mode == SETTINGS_MODE_PROXY &&
			settings->pool[pool].proxy_protocol != SETTINGS_PROXY_PROTOCOL_NONE) {
		log_error(wanted->name, "proxy_protocol is not in this version yet");
		return -1;
	}
	return 0;
}

static int
services_prepare(struct service *service, const struct settings *settings,
		const struct settings_service *wanted, unsigned int workers)
{
	struct respond_options options = {
			.reply = (enum respond_reply)wanted->reply,
			.close = (enum respond_close)wanted->close,
			.banner = wanted->banner,
			.body_length = wanted->body_size,
			.content_type = wanted->content_type,
			.websocket = wanted->websocket,
	};
	uint8_t *body = NULL;

	/* What others answer needs nothing prepared. */
	if (wanted->mode != SETTINGS_MODE_RESPOND)
		options.reply = RESPOND_DISCARD;
	if (services_refuse_mode(settings, wanted) != 0)
		return -1;
	if (wanted->body_file[0] != '\0') {
		body = services_read_body(wanted, &options.body_length);
		if (body == NULL)
			return -1;
		options.body = body;
	}
	service->settings = wanted;
	services_tcp_config(&service->tcp, &settings->tcp, wanted);
	service->fast_open_pending = wanted->fast_open ? wanted->fast_open_pending : 0;
	service->respond = respond_create(&options);
	free(body);
	if (service->respond == NULL) {
		log_error(wanted->name, "cannot prepare the replies: %s", strerror(errno));
		return -1;
	}
	if (wanted->synack_rate != 0) {
		service->synack_cost = gcra_cost(wanted->synack_rate);
		service->synack_batch = wanted->synack_rate < SERVICES_BATCH_LIMIT * workers
							? 1
							: SERVICES_BATCH;
	}
	service->limit = services_limit(wanted, workers);
	return service->limit != NULL ? 0 : -1;
}

/* What answers on connections that we open. */
static int
services_prepare_own(
		struct services *services, const struct settings *settings, unsigned int workers)
{
	static const struct settings_service own = {
			.name = SERVICES_OWN_NAME,
			.reply = RESPOND_DISCARD,
			.close = RESPOND_CLOSE_AT_ONCE,
			.idle_timeout_ms = 60000,
	};

	return services_prepare(&services->service[SERVICES_OWN], settings, &own, workers);
}

int
services_prepare_check(struct service *service, const struct settings *settings,
		const uint8_t *text, size_t length)
{
	static const struct settings_service check = {
			.name = SERVICES_CHECK_NAME,
			.idle_timeout_ms = 60000,
	};
	const struct respond_options options = {
			.reply = RESPOND_BANNER,
			.close = RESPOND_CLOSE_PEER,
			.body = text,
			.body_length = length,
	};

	service->settings = &check;
	services_tcp_config(&service->tcp, &settings->tcp, &check);
	service->respond = respond_create(&options);
	service->limit = services_limit(&check, 1);
	if (service->respond == NULL || service->limit == NULL) {
		log_error(check.name, "cannot prepare a check: %s", strerror(errno));
		services_free_check(service);
		return -1;
	}
	return 0;
}

void
services_free_check(struct service *service)
{
	respond_free(service->respond);
	free(service->limit);
	service->respond = NULL;
	service->limit = NULL;
}

const struct service *
services_of_check(const struct services *services, const struct flow_key *key)
{
	const struct service *service = services->pools->check[flow_key_backend(key)];

	return service != NULL ? service : &services->service[SERVICES_OWN];
}

static void
services_add_listeners(struct services *services, const struct settings_service *wanted,
		unsigned int number)
{
	for (unsigned int i = 0; i < wanted->listen.count; i++) {
		struct listener *listener = &services->listener[services->listener_count++];

		memcpy(listener->address, wanted->listen.item[i].address, 16);
		listener->port = wanted->listen.item[i].port;
		listener->service = (uint16_t)number;
		listener->cookie_endpoint = syncookie_endpoint(listener->address, listener->port);
		listener->family = flow_key_is_ipv4(listener->address) ? 4 : 6;
	}
}

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
			RTE_MIN(mss * PROXY_HELD_SEGMENTS, 32768u), 1u << SERVICES_PROXY_SCALE);
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
		if (local_ports_add(engine, addresses->item[i], range) == LOCAL_PORTS_NONE)
			return -1;
	}
	for (unsigned int i = 0; addresses->count == 0 && i < choice_count(pool->choice); i++) {
		const unsigned int number = choice_number(pool->choice, i);

		if (local_ports_add(engine, engine->backends->entry[number].local, range) ==
				LOCAL_PORTS_NONE)
			return -1;
	}
	return 0;
}

int
services_attach_pools(
		struct engine *engine, struct services *services, const struct settings *settings)
{
	services->pools = pools_create(engine, settings);
	if (services->pools == NULL)
		return -1;
	for (unsigned int i = 0; i < services->service_count; i++) {
		struct service *service = &services->service[i];

		if (service->settings->mode != SETTINGS_MODE_PROXY)
			continue;
		service->pool = pools_find(services->pools, service->settings->pool);
		services_intersect(engine, service);
		if (services_add_local_addresses(engine, service->pool) != 0)
			return -1;
	}
	return 0;
}

struct services *
services_create(const struct settings *settings, unsigned int workers)
{
	struct services *services = calloc(1, sizeof(*services));
	unsigned int listeners = 0;

	for (unsigned int i = 0; i < settings->service_count; i++)
		listeners += settings->service[i].listen.count;
	if (listeners >= FLOW_KEY_ACTIVE) {
		log_error("services", "%u listeners are more than %u", listeners,
				FLOW_KEY_ACTIVE - 1);
		goto fail;
	}
	if (services == NULL)
		goto no_memory;
	services->listener = calloc(listeners + 1, sizeof(*services->listener));
	services->service = calloc(settings->service_count + 1, sizeof(*services->service));
	if (services->listener == NULL || services->service == NULL)
		goto no_memory;
	services->service_count = 1 + settings->service_count;
	if (services_prepare_own(services, settings, workers) != 0)
		goto fail;
	for (unsigned int i = 0; i < settings->service_count; i++) {
		if (services_prepare(&services->service[1 + i], settings, &settings->service[i],
				    workers) != 0)
			goto fail;
		services->synacks_limited |= settings->service[i].synack_rate != 0;
		services_add_listeners(services, &settings->service[i], 1 + i);
	}
	return services;
no_memory:
	log_error("services", "out of memory");
fail:
	services_free(services);
	return NULL;
}

void
services_free(struct services *services)
{
	if (services == NULL)
		return;
	for (unsigned int i = 0; i < services->service_count; i++) {
		if (services->service[i].respond != NULL)
			respond_free(services->service[i].respond);
		free(services->service[i].limit);
	}
	for (unsigned int p = 0; p < SETTINGS_PORTS_MAX; p++)
		free(services->map[p]);
	free(services->service);
	free(services->listener);
	free(services);
}

/* Whether @p address is in the subnet of @p prefix. */
static bool
services_in_prefix(const uint8_t address[16], const struct settings_prefix *prefix)
{
	const bool ipv4 = flow_key_is_ipv4(prefix->address);
	const unsigned int bits = prefix->length + (ipv4 ? 96 : 0);
	const unsigned int bytes = bits / 8;
	const uint8_t mask = (uint8_t)(0xff00 >> (bits % 8));

	if (ipv4 != flow_key_is_ipv4(address) || memcmp(address, prefix->address, bytes) != 0)
		return false;
	return bits % 8 == 0 || ((address[bytes] ^ prefix->address[bytes]) & mask) == 0;
}

bool
services_in_subnets(const uint8_t address[16], const struct settings_port *port)
{
	for (unsigned int i = 0; i < port->addresses.count; i++) {
		if (services_in_prefix(address, &port->addresses.item[i]))
			return true;
	}
	return false;
}

/* Whether packets to @p address come in through @p port. */
static bool
services_reached_through(const uint8_t address[16], const struct settings *settings,
		const struct settings_port *port)
{
	if (services_in_subnets(address, port))
		return true;
	for (unsigned int i = 0; i < settings->port_count; i++) {
		if (services_in_subnets(address, &settings->port[i]))
			return false;
	}
	return port->gateways.count > 0;
}

/* fe80::/64 and the interface identifier of RFC 4291 appendix A. */
static void
services_link_local(const struct rte_ether_addr *mac, uint8_t address[16])
{
	memset(address, 0, 16);
	address[0] = 0xfe;
	address[1] = 0x80;
	memcpy(&address[8], &mac->addr_bytes[0], 3);
	address[8] ^= 0x02;
	address[11] = 0xff;
	address[12] = 0xfe;
	memcpy(&address[13], &mac->addr_bytes[3], 3);
}

/* Addresses towards backends are ours, too, whether the port has them itself or not. */
static int
services_map_local_addresses(
		struct service_map *map, const struct settings *settings, const struct port *port)
{
	int result = 0;

	for (unsigned int i = 0; i < settings->pool_count; i++) {
		const struct settings_addresses *addresses = &settings->pool[i].local_addresses;

		for (unsigned int j = 0; j < addresses->count; j++) {
			if (services_reached_through(addresses->item[j], settings, port->settings))
				result |= service_map_add_address(map, addresses->item[j]);
		}
	}
	return result;
}

int
services_map_port(
		struct services *services, const struct settings *settings, const struct port *port)
{
	const struct settings_prefixes *addresses = &port->settings->addresses;
	const unsigned int entries = services->listener_count * 2 + addresses->count + 1 +
				     settings->pool_count * SETTINGS_ADDRESSES_MAX;
	struct service_map *map;
	uint8_t link_local[16];
	void *memory = aligned_alloc(64, RTE_ALIGN_CEIL(service_map_footprint(entries), 64));
	int result = 0;

	if (memory == NULL) {
		log_error(port->settings->name, "out of memory for the service map");
		return -1;
	}
	map = service_map_init(memory, entries);
	services->map[port->index] = map;
	services_link_local(&port->mac, link_local);
	result |= service_map_add_address(map, link_local);
	for (unsigned int i = 0; i < addresses->count; i++)
		result |= service_map_add_address(map, addresses->item[i].address);
	result |= services_map_local_addresses(map, settings, port);
	for (unsigned int i = 0; i < services->listener_count; i++) {
		const struct listener *listener = &services->listener[i];

		if (services_reached_through(listener->address, settings, port->settings))
			result |= service_map_add_listener(
					map, listener->address, listener->port, (uint16_t)i);
	}
	if (result != 0)
		log_error(port->settings->name, "two services listen at the same address");
	return result != 0 ? -1 : 0;
}

bool
services_admit(const struct service *service, struct service_share *share)
{
	struct service_limit *limit = service->limit;
	const int64_t batch = limit->batch;

	if (share->credit == 0) {
		if (__atomic_fetch_sub(&limit->credit, batch, __ATOMIC_RELAXED) < batch) {
			__atomic_fetch_add(&limit->credit, batch, __ATOMIC_RELAXED);
			return false;
		}
		share->credit = (uint32_t)batch;
	}
	share->credit--;
	share->connections++;
	return true;
}

void
services_release(const struct service *service, struct service_share *share)
{
	struct service_limit *limit = service->limit;

	share->connections--;
	share->credit++;
	if (share->credit > limit->batch) {
		share->credit -= limit->batch;
		__atomic_fetch_add(&limit->credit, (int64_t)limit->batch, __ATOMIC_RELAXED);
	}
}
