/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "engine/log.h"
#include "engine/pools.h"
#include "engine/proxy.h"
#include "engine/steering.h"
#include "engine/transparent.h"
#include "engine/worker.h"
#include "table/service_map.h"
#include "wire/icmp_error.h"
#include "wire/steering_hash.h"

#define TRANSPARENT_LISTENERS_MAX 15

/* Listeners whose clients may be talking to a backend. */
struct transparent_group {
	uint16_t count;
	uint16_t listener[TRANSPARENT_LISTENERS_MAX];
};

struct transparent {
	struct service_map *map; /* Backend's address and port to group. */
	unsigned int count;
	struct transparent_group group[SETTINGS_BACKENDS_MAX];
};

_Static_assert(SETTINGS_BACKENDS_MAX < SERVICE_MAP_FOREIGN, "a group's number fits the map");

static bool
transparent_is_wanted(const struct service *service)
{
	return service->pool != NULL && service->settings->mode == SETTINGS_MODE_PROXY &&
	       service->pool->settings->source == SETTINGS_SOURCE_CLIENT;
}

static int
transparent_add(struct transparent *transparent, const struct backends_entry *server,
		uint16_t listener)
{
	uint16_t number = service_map_lookup(transparent->map, server->address, server->port);
	struct transparent_group *group;

	if (number >= SERVICE_MAP_FOREIGN) {
		number = (uint16_t)transparent->count++;
		if (service_map_add_listener(
				    transparent->map, server->address, server->port, number) != 0)
			return -1;
	}
	group = &transparent->group[number];
	if (group->count == TRANSPARENT_LISTENERS_MAX) {
		log_error("pools", "source: client: more than %u listeners lead to one backend",
				TRANSPARENT_LISTENERS_MAX);
		return -1;
	}
	group->listener[group->count++] = listener;
	return 0;
}

/* The listeners of one service to all of its backends of the same IP version. */
static int
transparent_add_all(const struct engine *engine, const struct services *services,
		struct transparent *transparent, uint16_t listener)
{
	const struct listener *from = &services->listener[listener];
	const struct choice *choice = services->service[from->edition].pool->choice;

	for (uint32_t i = 0; i < choice_count(choice); i++) {
		const struct backends_entry *server =
				&engine->backends->entry[choice_number(choice, i)];

		if (server->family == from->family &&
				transparent_add(transparent, server, listener) != 0)
			return -1;
	}
	return 0;
}

/* A reply must be taken to its connection's worker, which a NIC cannot know. */
static int
transparent_steer(struct engine *engine, const struct services *services,
		const struct transparent *transparent)
{
	if (engine->worker_count == 1)
		return 0;
	for (unsigned int i = 0; i < transparent->count; i++) {
		if (transparent->group[i].count > 1) {
			log_error("pools", "source: client: with several workers only one address "
					   "and port of ours may lead to a backend; use one "
					   "worker, or source: local");
			return -1;
		}
	}
	for (unsigned int p = 0; p < engine->port_count; p++) {
		if (engine->port[p].software_steering)
			continue;
		if (services != engine->services) {
			log_error("pools",
					"source: client: port %s spreads packets by itself; "
					"this needs a restart",
					engine->port[p].settings->name);
			return -1;
		}
		engine->port[p].software_steering = true;
	}
	return 0;
}

int
transparent_create(struct engine *engine, struct services *services)
{
	struct transparent *transparent;
	const size_t bytes = RTE_ALIGN_CEIL(service_map_footprint(SETTINGS_BACKENDS_MAX), 64);
	bool wanted = false;
	int result = 0;

	for (unsigned int i = 0; i < services->listener_count; i++)
		wanted |= transparent_is_wanted(&services->service[services->listener[i].edition]);
	if (!wanted)
		return 0;
	transparent = calloc(1, sizeof(*transparent));
	services->transparent = transparent;
	if (transparent != NULL)
		transparent->map = aligned_alloc(64, bytes);
	if (transparent == NULL || transparent->map == NULL) {
		log_error("pools", "out of memory");
		return -1;
	}
	transparent->map = service_map_init(transparent->map, SETTINGS_BACKENDS_MAX);
	for (unsigned int i = 0; i < services->listener_count && result == 0; i++) {
		if (transparent_is_wanted(&services->service[services->listener[i].edition]))
			result = transparent_add_all(engine, services, transparent, (uint16_t)i);
	}
	return result == 0 ? transparent_steer(engine, services, transparent) : result;
}

void
transparent_free(struct transparent *transparent)
{
	if (transparent == NULL)
		return;
	free(transparent->map);
	free(transparent);
}

static const struct transparent_group *
transparent_group(const struct transparent *transparent, const uint8_t address[16], rte_be16_t port)
{
	const uint16_t number = service_map_lookup(transparent->map, address, port);

	return number < SERVICE_MAP_FOREIGN ? &transparent->group[number] : NULL;
}

static bool
transparent_leads_to(const struct worker *worker, const struct conn *conn,
		const uint8_t address[16], rte_be16_t port)
{
	const struct splice *splice;
	const struct backends_entry *server;

	if (conn->tcp.state < TCP_JOINING)
		return false;
	splice = proxy_splice(worker->proxy, worker->table, conn);
	server = &worker->engine->backends->entry[splice->server];
	return splice->local_port != 0 && server->port == port &&
	       memcmp(server->address, address, 16) == 0;
}

/* A client's connection to a server, by any of the listeners that lead there. */
static const struct conn *
transparent_find(const struct worker *worker, const struct flow_key *client,
		const uint8_t address[16], rte_be16_t port)
{
	const struct transparent_group *group =
			transparent_group(worker->services->transparent, address, port);
	struct flow_key key = *client;

	for (unsigned int i = 0; group != NULL && i < group->count; i++) {
		const struct conn *conn;

		key.endpoint = group->listener[i];
		conn = conn_table_lookup(worker->table, &key, conn_table_hash(worker->table, &key));
		if (conn != NULL && transparent_leads_to(worker, conn, address, port))
			return conn;
	}
	return NULL;
}

uint32_t
transparent_slot(const struct worker *worker, const uint8_t *data, const struct frame *frame)
{
	const struct conn *conn;
	struct flow_key key;
	uint8_t server[16];
	rte_be16_t ports[2];

	parse_source(data, frame, server);
	memcpy(ports, data + frame->l4_offset, sizeof(ports));
	parse_destination(data, frame, key.address);
	key.port = ports[1];
	conn = transparent_find(worker, &key, server, ports[0]);
	return conn == NULL ? CONN_TABLE_NO_SLOT : conn_table_slot(worker->table, conn);
}

uint32_t
transparent_slot_of(const struct worker *worker, const struct icmp_error *error)
{
	struct flow_key key = {.port = error->local_port};
	const struct conn *conn;

	memcpy(key.address, error->local, sizeof(key.address));
	conn = transparent_find(worker, &key, error->remote, error->remote_port);
	return conn == NULL ? CONN_TABLE_NO_SLOT : conn_table_slot(worker->table, conn);
}

bool
transparent_is_taken(const struct worker *worker, const struct conn *conn,
		const struct backends_entry *server)
{
	return transparent_find(worker, &conn->key, server->address, server->port) != NULL;
}

unsigned int
transparent_owner(const struct worker *worker, const uint8_t *data, uint32_t length,
		unsigned int otherwise)
{
	const struct transparent_group *group;
	const struct listener *listener;
	struct tcp_segment segment;
	struct frame frame;
	uint8_t server[16], client[16];
	rte_be16_t ports[2];

	if (parse_frame(data, length, PARSE_IP_CHECKSUM_GOOD | PARSE_TCP_CHECKSUM_GOOD, &frame,
			    &segment) != DROP_NONE ||
			frame.kind != FRAME_TCP)
		return otherwise;
	parse_source(data, &frame, server);
	memcpy(ports, data + frame.l4_offset, sizeof(ports));
	group = transparent_group(worker->services->transparent, server, ports[0]);
	if (group == NULL)
		return otherwise;
	parse_destination(data, &frame, client);
	listener = &worker->services->listener[group->listener[0]];
	return steering_owner(steering_hash_of(&worker->engine->steering_key, client,
					      listener->address, ports[1], listener->port),
			worker->engine->worker_count);
}
