/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>
#include <time.h>

#include "engine/engine.h"
#include "engine/outside.h"
#include "engine/probe.h"
#include "engine/route.h"
#include "engine/steering.h"
#include "engine/worker.h"

#define PROBE_RESOLVE_MS 1000
#define PROBE_PAUSE_NS   500000
/* RFC 6056 3.2, RFC 6335 6: the dynamic ports. */
#define PROBE_PORT_FIRST 49152
#define PROBE_PORT_COUNT 16384
#define PROBE_PORT_TRIES 64

/* How packets get to the address. */
struct probe_route {
	const struct port *port;
	const uint8_t *local; /* Our address. */
	unsigned int next_hop;
};

static bool
probe_is_ours(const struct engine *engine, const uint8_t address[16])
{
	for (unsigned int p = 0; p < engine->port_count; p++) {
		if (service_map_is_ours(engine_services(engine)->map[p], address))
			return true;
	}
	return false;
}

/* @return PROBE_OPENED when there is a way so far. */
static enum probe_result
probe_find_route(struct engine *engine, const struct probe *probe, struct probe_route *route,
		struct probe_report *report)
{
	struct route way;
	bool ours;

	pthread_rwlock_rdlock(&engine->reload.readers);
	ours = probe_is_ours(engine, probe->address);
	pthread_rwlock_unlock(&engine->reload.readers);
	if (ours)
		return PROBE_OUR_OWN;
	if (!route_find(engine, probe->address, NULL, &way))
		return PROBE_NO_ROUTE;
	route->port = way.port;
	route->local = way.local;
	memcpy(report->next_hop, way.next_hop, sizeof(report->next_hop));
	pthread_mutex_lock(&engine->targets.control);
	route->next_hop = resolver_want(engine, route->port->index, way.next_hop);
	pthread_mutex_unlock(&engine->targets.control);
	return route->next_hop == RESOLVER_NONE ? PROBE_NO_TARGET : PROBE_OPENED;
}

static bool
probe_resolve(const struct engine *engine, const struct probe_route *route, uint8_t mac[6])
{
	const struct timespec pause = {.tv_nsec = PROBE_PAUSE_NS};
	const uint64_t end_us = clock_us(&engine->clock) + PROBE_RESOLVE_MS * 1000;

	while (!resolver_get(&engine->resolver, route->next_hop, mac)) {
		if (clock_us(&engine->clock) > end_us || engine_phase(engine) != ENGINE_RUNNING)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

/* A random dynamic port at which nobody listens. */
static bool
probe_choose_port(struct engine *engine, const struct probe_route *route, rte_be16_t *port)
{
	bool found = false;

	pthread_rwlock_rdlock(&engine->reload.readers);
	for (unsigned int i = 0; i < PROBE_PORT_TRIES && !found; i++) {
		uint16_t random;

		if (!outside_random(&random, sizeof(random)))
			break;
		*port = rte_cpu_to_be_16((uint16_t)(PROBE_PORT_FIRST + random % PROBE_PORT_COUNT));
		found = service_map_lookup(engine_services(engine)->map[route->port->index],
					route->local, *port) == SERVICE_MAP_NONE;
	}
	pthread_rwlock_unlock(&engine->reload.readers);
	return found;
}

/* One attempt from one local port. */
static enum probe_result
probe_ask(struct engine *engine, const struct probe *probe, const struct probe_route *route,
		struct mailbox_question *question, struct probe_report *report)
{
	struct flow_key *key = &question->opening.key;
	struct port_flow flow = {.remote_port = probe->port, .local_port = key->port};
	struct mailbox_answer answer;
	unsigned int owner;
	int result;

	memcpy(flow.remote, probe->address, sizeof(flow.remote));
	memcpy(flow.local, route->local, sizeof(flow.local));
	owner = steering_flow_owner(engine, route->port, &flow);
	/* Whoever receives the answer shall not be in a nap that began before. */
	__atomic_fetch_add(&engine->timing, 1, __ATOMIC_SEQ_CST);
	worker_wait_for_turns(engine);
	result = mailbox_ask(&engine->worker[owner]->openings, question,
			probe->timeout_ms + MAILBOX_WAIT_MS, &answer);
	__atomic_fetch_sub(&engine->timing, 1, __ATOMIC_SEQ_CST);
	if (result != 0)
		return PROBE_NO_ANSWER;
	report->handshake_us = answer.opening.handshake_us;
	report->local_port = rte_be_to_cpu_16(key->port);
	return (enum probe_result)answer.opening.result;
}

static enum probe_result
probe_target(struct engine *engine, const struct probe *probe, const struct probe_route *route,
		unsigned int number, struct probe_report *report)
{
	struct mailbox_question question = {
			.kind = MAILBOX_OPEN,
			.opening.key.endpoint = (uint16_t)(FLOW_KEY_ACTIVE | number),
			.opening.origin.port = route->port->index,
			.opening.reset = probe->reset,
			.opening.timeout_ms = probe->timeout_ms,
	};
	enum probe_result result = PROBE_NO_PORT;

	memcpy(question.opening.key.address, route->local, 16);
	if (!probe_resolve(engine, route, question.opening.origin.peer_mac))
		return engine_phase(engine) == ENGINE_RUNNING ? PROBE_UNRESOLVED : PROBE_STOPPED;
	for (unsigned int i = 0; i < PROBE_PORT_TRIES && result == PROBE_NO_PORT; i++) {
		if (!probe_choose_port(engine, route, &question.opening.key.port))
			return PROBE_NO_PORT;
		result = probe_ask(engine, probe, route, &question, report);
	}
	return result;
}

void
probe_run(struct engine *engine, const struct probe *probe, struct probe_report *report)
{
	struct probe_route route;
	struct target target = {.port = probe->port};
	unsigned int number;

	*report = (struct probe_report){0};
	report->result = probe_find_route(engine, probe, &route, report);
	if (report->result != PROBE_OPENED)
		return;
	memcpy(target.address, probe->address, sizeof(target.address));
	target.port_index = route.port->index;
	number = targets_take(engine, &target);
	if (number == TARGETS_NONE) {
		report->result = PROBE_NO_TARGET;
		return;
	}
	report->result = probe_target(engine, probe, &route, number, report);
	/* A worker that has not answered may still open it. */
	if (report->result != PROBE_NO_ANSWER)
		targets_let_go(engine, number);
}
