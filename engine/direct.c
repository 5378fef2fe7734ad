/* SPDX-License-Identifier: BSD-3-Clause */

#include <rte_malloc.h>
#include <rte_mbuf.h>

#include "balance/affinity.h"
#include "engine/burst_forward.h"
#include "engine/direct.h"
#include "engine/log.h"
#include "engine/no_backend.h"
#include "engine/pools.h"
#include "engine/transmit.h"
#include "engine/worker.h"

/* How long flows are remembered, beside those that are alive. */
#define DIRECT_SYN_S       60
#define DIRECT_NEW_S       60
#define DIRECT_RESET_S     10

#define DIRECT_TIMEOUT_MAX 32767

/* Bit fields of affinity.h hold a backend's number. */
_Static_assert(BACKENDS_MAX <= AFFINITY_BACKENDS_MAX, "every backend has a number there");

/* All buckets are looked at once a minute, at most so many a turn. */
#define DIRECT_SWEEP_MS  60000
#define DIRECT_SWEEP_MAX 64

struct direct {
	struct affinity *flows;
	uint32_t buckets_per_ms;
	uint32_t swept_ms;
};

/* One packet on its way. */
struct direct_packet {
	struct rte_mbuf *packet;
	const struct frame *frame;
	const struct flow_key *key;
	const struct service *service;
	uint64_t hash;
	enum tcp_event event;
};

/* The longest that a direct service's connection may be silent, in seconds; 0: there is none. */
static uint32_t
direct_idle_s(const struct settings *settings)
{
	uint32_t longest = 0;

	for (unsigned int i = 0; i < settings->service_count; i++) {
		const struct settings_service *service = &settings->service[i];

		if (service->mode == SETTINGS_MODE_DIRECT)
			longest = RTE_MAX(longest, service->idle_timeout_ms / 1000 + 1);
	}
	return RTE_MIN(longest, (uint32_t)DIRECT_TIMEOUT_MAX);
}

bool
direct_is_wanted(const struct settings *settings)
{
	return direct_idle_s(settings) != 0;
}

uint64_t
direct_footprint(const struct settings *settings)
{
	return sizeof(struct direct) + affinity_footprint(settings->engine.connections);
}

int
direct_create(struct worker *worker)
{
	const uint32_t connections = worker->engine->settings->engine.connections;
	struct direct *direct;
	void *memory;

	direct = rte_zmalloc_socket(
			"handfast_direct", sizeof(*direct), RTE_CACHE_LINE_SIZE, worker->numa_node);
	memory = rte_malloc_socket("handfast_flows", affinity_footprint(connections),
			RTE_CACHE_LINE_SIZE, worker->numa_node);
	if (direct == NULL || memory == NULL) {
		log_error("direct", "no memory for flows on NUMA node %d", worker->numa_node);
		rte_free(direct);
		rte_free(memory);
		return -1;
	}
	direct->flows = affinity_init(memory, connections);
	direct->buckets_per_ms = affinity_capacity(direct->flows) / 8 / DIRECT_SWEEP_MS + 1;
	worker->made.direct = direct;
	return 0;
}

void
direct_free(struct worker *worker)
{
	if (worker->made.direct == NULL)
		return;
	rte_free(worker->made.direct->flows);
	rte_free(worker->made.direct);
	worker->made.direct = NULL;
	worker->direct = NULL;
}

void
direct_adopt(struct worker *worker)
{
	const struct settings *settings = worker->services->settings;
	const uint32_t idle_s = direct_idle_s(settings);
	const uint32_t closed_s = settings->tcp.fin_timeout_ms / 500 + 1;
	const struct affinity_timeouts timeouts = {
			.seconds = {
					[AFFINITY_SYN] = DIRECT_SYN_S,
					[AFFINITY_NEW] = DIRECT_NEW_S,
					[AFFINITY_LIVE] = (uint16_t)idle_s,
					[AFFINITY_CLOSED] = (uint16_t)RTE_MIN(
							closed_s, (uint32_t)DIRECT_TIMEOUT_MAX),
					[AFFINITY_RESET] = DIRECT_RESET_S,
			}};

	if (worker->direct == NULL)
		worker->made.direct->swept_ms = worker->now_ms;
	worker->direct = worker->made.direct;
	/* Flows of a service that was removed keep what it had. */
	if (idle_s != 0)
		affinity_set_timeouts(worker->direct->flows, &timeouts);
}

void
direct_expire(struct worker *worker)
{
	struct direct *direct = worker->direct;
	uint16_t backends[DIRECT_SWEEP_MAX * 8];
	uint32_t buckets;
	unsigned int n;

	if (direct == NULL || direct->swept_ms == worker->now_ms)
		return;
	buckets = (worker->now_ms - direct->swept_ms) * direct->buckets_per_ms;
	direct->swept_ms = worker->now_ms;
	n = affinity_sweep(direct->flows, worker->now_ms / 1000,
			RTE_MIN(buckets, (uint32_t)DIRECT_SWEEP_MAX), backends);
	for (unsigned int i = 0; i < n; i++)
		backends_closed(worker->backends, backends[i]);
}

static void
direct_forget(struct worker *worker, struct affinity_flow *flow)
{
	backends_closed(worker->backends, flow->backend);
	affinity_remove(flow);
}

/*
 * The flow of a packet, unless a SYN follows the end of a connection.  Its backend may have left
 * the pool: as long as it has flows, its number stays its own.
 */
static struct affinity_flow *
direct_find(struct worker *worker, const struct direct_packet *in)
{
	struct affinity_flow *flow;

	if (worker->direct == NULL)
		return NULL;
	flow = affinity_find(worker->direct->flows, in->hash, worker->now_ms / 1000);
	if (flow == NULL)
		return NULL;
	if (in->event != TCP_EVENT_SYN || flow->state == AFFINITY_SYN ||
			flow->state == AFFINITY_NEW || flow->state == AFFINITY_LIVE)
		return flow;
	direct_forget(worker, flow);
	return NULL;
}

/* A flow has its first segment behind the SYN. */
static void
direct_opened(struct worker *worker, const struct direct_packet *in, unsigned int backend)
{
	struct service_share *share = &worker->share[services_number(worker->services, in->key)];

	worker_count(worker, (uint8_t)in->packet->port, COUNTER_direct_flows, 1);
	share->opened++;
	backends_chosen(worker->backends, backend);
}

static void
direct_displace(struct worker *worker, const struct direct_packet *in, uint16_t displaced)
{
	if (displaced == AFFINITY_NONE)
		return;
	worker_count(worker, (uint8_t)in->packet->port, COUNTER_direct_displaced, 1);
	backends_closed(worker->backends, displaced);
}

/* A flow that nothing is known of: its backend is its own from now on, whoever comes and goes. */
static void
direct_remember(struct worker *worker, const struct direct_packet *in, unsigned int backend)
{
	const uint32_t now_s = worker->now_ms / 1000;
	uint16_t displaced;

	if (worker->direct == NULL || in->frame->kind != FRAME_TCP)
		return;
	if (in->event == TCP_EVENT_SYN) {
		displaced = affinity_expect(
				worker->direct->flows, in->hash, (uint16_t)backend, now_s);
		direct_displace(worker, in, displaced);
		return;
	}
	if (in->event != TCP_EVENT_ACK && in->event != TCP_EVENT_FIN)
		return;
	if (affinity_insert(worker->direct->flows, in->hash, (uint16_t)backend, now_s,
			    &displaced) == NULL) {
		worker_count(worker, (uint8_t)in->packet->port, COUNTER_direct_full, 1);
		return;
	}
	direct_opened(worker, in, backend);
	direct_displace(worker, in, displaced);
}

/*
 * A segment of a flow of which there was only a SYN.  The backend that had it answered it; but one
 * that is down did not, and when the SYN comes again another one shall have it.
 * @return whether the flow's backend is still the one.
 */
static bool
direct_follow_syn(struct worker *worker, const struct direct_packet *in, struct affinity_flow *flow)
{
	if (in->frame->kind != FRAME_TCP)
		return true;
	if (in->event == TCP_EVENT_ACK || in->event == TCP_EVENT_FIN) {
		affinity_open(flow, worker->now_ms / 1000);
		direct_opened(worker, in, flow->backend);
	} else if (in->event == TCP_EVENT_SYN &&
			!backends_is_usable(worker->engine->backends, flow->backend)) {
		affinity_remove(flow);
		return false;
	}
	return true;
}

/* What a segment says of the flow that it belongs to. */
static void
direct_follow(struct worker *worker, const struct direct_packet *in, struct affinity_flow *flow)
{
	struct service_share *share = &worker->share[services_number(worker->services, in->key)];
	const uint8_t before = flow->state;

	if (in->event == TCP_EVENT_FIN || in->event == TCP_EVENT_RST)
		affinity_close(flow, in->event == TCP_EVENT_RST);
	else if (in->frame->kind != FRAME_TCP || in->event == TCP_EVENT_SYN)
		return; /* Anybody can send these. */
	affinity_touch(flow, worker->now_ms / 1000);
	if (flow->state == before)
		return;
	share->closed += flow->state == AFFINITY_CLOSED;
	share->reset += flow->state == AFFINITY_RESET;
}

/* The backend of a packet, or CHOICE_NONE. */
static unsigned int
direct_choose(struct worker *worker, const struct direct_packet *in)
{
	const struct choice *choice = in->service->pool->choice;
	struct affinity_flow *flow = direct_find(worker, in);
	unsigned int backend;

	if (flow != NULL && flow->state > AFFINITY_SYN) {
		direct_follow(worker, in, flow);
		return flow->backend;
	}
	if (flow != NULL && direct_follow_syn(worker, in, flow))
		return flow->backend;
	backend = choice_by_hash(choice, &in->service->pools->load[worker->index],
			choice_hash(choice, in->key->address, in->key->port));
	if (backend != CHOICE_NONE)
		direct_remember(worker, in, backend);
	return backend;
}

/* The reason why a packet is not passed on, or DROP_NONE. */
static enum counter
direct_send(struct worker *worker, const struct direct_packet *in, unsigned int backend)
{
	const struct engine *engine = worker->engine;
	const struct port *port = &engine->port[engine->backends->entry[backend].port_index];
	const struct frame *frame = in->frame;
	uint8_t *ip = rte_pktmbuf_mtod_offset(in->packet, uint8_t *, frame->l3_offset);
	uint8_t mac[6];

	if ((unsigned int)(frame->l4_offset - frame->l3_offset) + frame->l4_length > port->mtu)
		return DROP_too_big;
	if (!backends_mac(engine, backend, mac))
		return DROP_unresolved;
	if (frame->kind == FRAME_TCP)
		burst_forward_complete(in->packet, frame);
	burst_forward_link(in->packet, ip, port, mac);
	transmit_forward(worker, in->packet, port->index);
	return DROP_NONE;
}

static void
direct_packet(struct worker *worker, struct burst *burst, unsigned int i, uint64_t hash)
{
	const struct service *service = services_of(worker->services, &burst->key[i]);
	const struct direct_packet in = {
			.packet = burst->packet[i],
			.frame = &burst->frame[i],
			.key = &burst->key[i],
			.service = service,
			.hash = hash,
			.event = (enum tcp_event)burst->event[i],
	};
	enum counter reason = DROP_NONE;
	unsigned int backend;

	if (in.event == TCP_EVENT_SYN &&
			(engine_phase(worker->engine) != ENGINE_RUNNING ||
					worker->services->listener[in.key->endpoint].closed))
		reason = DROP_shutdown;
	else if (in.frame->kind == FRAME_TCP && in.event == TCP_EVENT_BARE)
		reason = DROP_no_ack_bit;
	else if (service_map_is_no_peer(worker->services->map[in.packet->port], in.key->address))
		reason = DROP_bad_source;
	if (reason != DROP_NONE) {
		worker_drop(worker, in.packet, reason);
		return;
	}
	if (in.event == TCP_EVENT_SYN)
		worker_count(worker, (uint8_t)in.packet->port, COUNTER_syn_received, 1);
	backend = direct_choose(worker, &in);
	if (backend == CHOICE_NONE) {
		no_backend_answer(worker, burst, i, service->pool);
		return;
	}
	reason = direct_send(worker, &in, backend);
	if (reason != DROP_NONE)
		worker_drop(worker, in.packet, reason);
}

static bool
direct_is_for(const struct services *services, const struct flow_key *key)
{
	return flow_key_is_passive(key) &&
	       services_of(services, key)->settings->mode == SETTINGS_MODE_DIRECT;
}

/* Take the packets of direct services out of the burst. @return how many, with their places. */
static unsigned int
direct_take(const struct worker *worker, struct burst *burst, struct burst *taken)
{
	unsigned int kept = 0;

	taken->n = 0;
	for (unsigned int i = 0; i < burst->n; i++) {
		const bool mine = direct_is_for(worker->services, &burst->key[i]);
		struct burst *to = mine ? taken : burst;
		const unsigned int place = mine ? taken->n++ : kept++;

		if (to == burst && place == i)
			continue;
		if (to == burst)
			burst_known_move(burst, i, place);
		to->packet[place] = burst->packet[i];
		to->frame[place] = burst->frame[i];
		to->segment[place] = burst->segment[i];
		to->key[place] = burst->key[i];
		to->event[place] = burst->event[i];
	}
	burst->n = kept;
	return taken->n;
}

/* A reload may number listeners anew: a flow is known by the listener's address and port. */
static void
direct_hash(const struct worker *worker, struct burst *burst)
{
	struct flow_key keys[BURST_MAX];

	for (unsigned int i = 0; i < burst->n; i++) {
		keys[i] = burst->key[i];
		keys[i].endpoint = (uint16_t)worker->services->listener[keys[i].endpoint]
						   .cookie_endpoint;
	}
	conn_table_hash_bulk(worker->table, keys, burst->n, burst->hash);
}

void
burst_direct(struct worker *worker, struct burst *burst)
{
	struct burst taken;

	if (!worker->services->has_direct || direct_take(worker, burst, &taken) == 0)
		return;
	direct_hash(worker, &taken);
	for (unsigned int i = 0; i < taken.n && worker->direct != NULL; i++)
		affinity_prefetch(worker->direct->flows, taken.hash[i]);
	for (unsigned int i = 0; i < taken.n; i++)
		direct_packet(worker, &taken, i, taken.hash[i]);
}
