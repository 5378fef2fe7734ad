/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include "engine/load.h"
#include "engine/load_table.h"
#include "engine/local.h"
#include "engine/targets.h"
#include "engine/transmit.h"
#include "engine/worker.h"
#include "wire/icmp_error.h"

/* How often the level of a ramp is looked at. */
#define LOAD_LEVEL_US         1000
#define LOAD_RESOLVE_EVERY_US 100000
/* A start that waits so long waits for more than the worker's next turn. */
#define LOAD_LATE_US 10000

/* Where a worker is in the plan, and how much is wanted now, from 0 to 1. */
struct load_place {
	uint64_t begin_us;
	enum load_phase phase;
	bool began;
	bool starting;
	double level;
};

/* Control may set the beginning meanwhile: it is read once, and may be ahead of the turn. */
static struct load_place
load_place(const struct load *load, uint64_t now_us)
{
	const struct load_plan *plan = &load->plan;
	struct load_place place = {
			.begin_us = __atomic_load_n(&load->begin_us, __ATOMIC_ACQUIRE),
			.phase = LOAD_RAMP_UP,
	};
	uint64_t elapsed_us = now_us - place.begin_us;

	place.began = place.begin_us != 0 && now_us >= place.begin_us;
	if (!place.began)
		return place;
	place.phase = LOAD_RAMP_DOWN;
	if (now_us >= __atomic_load_n(&load->end_us, __ATOMIC_RELAXED))
		return place;
	place.starting = true;
	if (elapsed_us < plan->ramp_up_us) {
		place.phase = LOAD_RAMP_UP;
		place.level = (double)elapsed_us / (double)plan->ramp_up_us;
		return place;
	}
	elapsed_us -= plan->ramp_up_us;
	if (plan->duration_us == 0 || elapsed_us < plan->duration_us) {
		place.phase = LOAD_SUSTAIN;
		place.level = 1.0;
		return place;
	}
	elapsed_us -= plan->duration_us;
	place.starting = elapsed_us < plan->ramp_down_us;
	if (place.starting)
		place.level = 1.0 - (double)elapsed_us / (double)plan->ramp_down_us;
	return place;
}

bool
load_keeps_state(enum load_exchange exchange)
{
	return exchange == LOAD_HANDSHAKE || exchange == LOAD_OPEN_CLOSE ||
	       exchange == LOAD_REQUEST || exchange == LOAD_KEEPALIVE;
}

/* How long the measured part is so far: until now, or until the last of all connections ended. */
static void
load_measure(struct worker *worker)
{
	struct load_worker *load = worker->load;
	const uint64_t from_us = load->load->begin_us + load->load->plan.ramp_up_us;
	const uint64_t end_us =
			load->starting || load->active > 0 ? worker->now_us : load->finished_us;

	if (load->phase == LOAD_SUSTAIN)
		__atomic_store_n(&load->sustained_us, RTE_MAX(end_us, from_us) - from_us,
				__ATOMIC_RELAXED);
}

/* Seconds of the full rate in the plan's first @p us, of which a ramp has half. */
static double
load_full_seconds(const struct load_plan *plan, uint64_t us)
{
	const double ramp_s = (double)plan->ramp_up_us / 1e6, s = (double)us / 1e6;

	return s < ramp_s ? s * s / (2 * ramp_s) : s - ramp_s / 2;
}

/*
 * No starts from now on. Those that were due before the measured part's end and were not made, as
 * too many were open or the worker was too slow, are ones that no latency knows of.
 */
static void
load_count_not_started(struct worker *worker)
{
	struct load_worker *load = worker->load;
	const struct load_plan *plan = &load->load->plan;
	const uint64_t begin_us = load->load->begin_us;
	const uint64_t from_us = RTE_MAX(pace_next_us(&load->pace), begin_us);
	uint64_t until_us = RTE_MIN(
			worker->now_us, __atomic_load_n(&load->load->end_us, __ATOMIC_RELAXED));
	double due;

	if (plan->duration_us != 0)
		until_us = RTE_MIN(until_us, begin_us + plan->ramp_up_us + plan->duration_us);
	/* What came due since the last turn is not late. */
	if (plan->rate == 0.0 || load->idle != NULL || from_us >= until_us ||
			(load->active < load->limit && until_us - from_us < LOAD_LATE_US))
		return;
	due = load_rate(worker) * (load_full_seconds(plan, until_us - begin_us) -
						  load_full_seconds(plan, from_us - begin_us));
	figures_count(load->figures, FIGURE_not_started, RTE_MIN((uint64_t)due, load->left));
}

static void
load_set_level(struct worker *worker)
{
	struct load_worker *load = worker->load;
	const struct load_plan *plan = &load->load->plan;
	const struct load_place place = load_place(load->load, worker->now_us);
	const uint64_t wanted = (uint64_t)(plan->concurrency * place.level + 0.5);

	load_measure(worker);
	/* Nor was there time to start for who looks when all is over. */
	if (place.began && !place.starting && (load->starting || !load->began))
		load_count_not_started(worker);
	load->level_us = worker->now_us;
	/* A worker that looks late is late with what was due since the beginning. */
	if (place.began)
		pace_set_rate(&load->pace, place.starting ? load_rate(worker) * place.level : 0.0,
				load->began ? worker->now_us : place.begin_us);
	load->began = place.began;
	load->phase = place.phase;
	load->figures = &load->phases[place.phase];
	load->starting = place.starting && load->left > 0;
	/* One at least: a ramp must not hold up what is due.  Who has no share has nothing left.
	 */
	load->limit = RTE_MAX((uint32_t)load_share(worker, wanted), 1u);
}

/* The ends of phases are met to the microsecond, ramps in steps of a millisecond. */
static void
load_keep_level(struct worker *worker)
{
	struct load_worker *load = worker->load;
	const struct load_plan *plan = &load->load->plan;
	const uint64_t elapsed_us = worker->now_us - load->load->begin_us - plan->ramp_up_us;

	if (worker->now_us - load->level_us >= LOAD_LEVEL_US ||
			(plan->duration_us != 0 && load->phase == LOAD_SUSTAIN &&
					elapsed_us >= plan->duration_us))
		load_set_level(worker);
}

/* Whose the packet is, of load->target_count targets. @return false: nobody's. */
static inline bool
load_find_key_4(const struct load *load, uint16_t by_port, const uint8_t *ip, const uint8_t *tcp,
		struct flow_key *key)
{
	rte_be32_t remote, local;
	uint32_t ports;

	memcpy(&remote, ip + 12, sizeof(remote));
	memcpy(&local, ip + 16, sizeof(local));
	memcpy(&ports, tcp, sizeof(ports));
	for (unsigned int t = 0; t < load->target_count; t++) {
		if (load->target[t].ipv4 != remote || load->target[t].port != (rte_be16_t)ports ||
				load->target[t].by_port != by_port)
			continue;
		flow_key_map_ipv4(key->address, local);
		key->port = (rte_be16_t)(ports >> 16);
		key->endpoint = (uint16_t)(FLOW_KEY_ACTIVE | t);
		return true;
	}
	return false;
}

static inline bool
load_find_key_6(const struct load *load, uint16_t by_port, const uint8_t *ip, const uint8_t *tcp,
		struct flow_key *key)
{
	rte_be64_t remote[2], address[2];
	rte_be16_t port;

	memcpy(remote, ip + 8, sizeof(remote));
	memcpy(&port, tcp, sizeof(port));
	for (unsigned int t = 0; t < load->target_count; t++) {
		const struct load_target *target = &load->target[t];

		memcpy(address, target->address, sizeof(address));
		if (((address[0] ^ remote[0]) | (address[1] ^ remote[1])) != 0 ||
				target->port != port || target->by_port != by_port)
			continue;
		memcpy(key->address, ip + 24, sizeof(key->address));
		memcpy(&key->port, tcp + 2, sizeof(key->port));
		key->endpoint = (uint16_t)(FLOW_KEY_ACTIVE | t);
		return true;
	}
	return false;
}

/* Ours or not, and which target's; the hash is not needed to tell. */
static inline bool
load_find_key(const struct load *load, const struct rte_mbuf *packet, const struct frame *frame,
		struct flow_key *key)
{
	const uint8_t *data = rte_pktmbuf_mtod(packet, const uint8_t *);
	const uint8_t *ip = data + frame->l3_offset, *tcp = data + frame->l4_offset;

	return frame->family == 4 ? load_find_key_4(load, packet->port, ip, tcp, key)
				  : load_find_key_6(load, packet->port, ip, tcp, key);
}

static inline enum counter
load_refuse(const struct port *port, const struct rte_mbuf *packet, const struct frame *frame)
{
	const struct rte_ether_hdr *ethernet =
			rte_pktmbuf_mtod(packet, const struct rte_ether_hdr *);

	if (!port_takes_vlan(port, (frame->flags & FRAME_TAGGED) != 0, frame->vlan))
		return DROP_bad_vlan;
	if (frame->kind == FRAME_TCP &&
			((frame->flags & FRAME_GROUP) != 0 ||
					!rte_is_same_ether_addr(&ethernet->dst_addr, &port->mac)))
		return DROP_not_for_us;
	return DROP_NONE;
}

/* An ICMP error about one of our connections. @return whether it is one. */
static bool
load_take_icmp_error(struct worker *worker, struct burst *burst, unsigned int i, unsigned int to)
{
	const struct load *load = worker->load->load;
	struct icmp_error error;

	if (burst->frame[i].kind == FRAME_ARP || burst->frame[i].kind == FRAME_UDP ||
			icmp_error_read(rte_pktmbuf_mtod(burst->packet[i], const uint8_t *),
					&burst->frame[i], &error) != DROP_NONE ||
			error.kind == ICMP_ERROR_SOFT)
		return false;
	for (unsigned int t = 0; t < load->target_count; t++) {
		if (load->target[t].port != error.remote_port ||
				load->target[t].by_port != burst->packet[i]->port ||
				memcmp(load->target[t].address, error.remote, 16) != 0)
			continue;
		memcpy(burst->key[to].address, error.local, 16);
		burst->key[to].port = error.local_port;
		burst->key[to].endpoint = (uint16_t)(FLOW_KEY_ACTIVE | t);
		burst->segment[to] = (struct tcp_segment){
				.seq = error.seq,
				.mss = (uint16_t)(error.mtu - (error.family == 4 ? 40 : 60)),
		};
		burst->event[to] = error.kind == ICMP_ERROR_HARD ? TCP_EVENT_UNREACHABLE
								 : TCP_EVENT_TOO_BIG;
		return true;
	}
	return false;
}

/* The next segments of the family come from the same target, mostly: the parser will know them. */
static inline void
load_expect(struct worker *worker, const struct rte_mbuf *packet, const struct frame *frame,
		const struct flow_key *key)
{
	const struct load_target *target = &worker->load->load->target[flow_key_target(key)];
	struct parse_columns_end *end = &worker->expected[frame->family == 6];
	const struct port *port = &worker->engine->port[packet->port];

	if (worker->expected_port != packet->port) {
		worker_expect_none(worker);
		worker->expected_port = packet->port;
	}
	memcpy(end->mac, &port->mac, sizeof(port->mac));
	memcpy(end->local.address, target->address, sizeof(target->address));
	end->local.port = target->port;
	end->local.endpoint = key->endpoint;
	end->is_source = true;
	end->no_peers = NULL;
}

/* Take packet i for what is known of it. @return whether it goes on, at @p to. */
static bool
load_classify_one(struct worker *worker, struct burst *burst, unsigned int i, unsigned int to)
{
	struct rte_mbuf *packet = burst->packet[i];
	const struct frame *frame = &burst->frame[i];
	const enum counter reason = load_refuse(&worker->engine->port[packet->port], packet, frame);

	if (reason != DROP_NONE) {
		worker_drop(worker, packet, reason);
		return false;
	}
	if (frame->kind != FRAME_TCP) {
		if (load_take_icmp_error(worker, burst, i, to))
			return true;
		local_input(worker, packet, frame);
		return false;
	}
	if (!load_find_key(worker->load->load, packet, frame, &burst->key[to])) {
		worker_drop(worker, packet, DROP_not_for_us);
		return false;
	}
	load_expect(worker, packet, frame, &burst->key[to]);
	burst->event[to] = (uint8_t)tcp_step_event(burst->segment[i].flags);
	if (to != i)
		burst->segment[to] = burst->segment[i];
	return true;
}

void
load_classify(struct worker *worker, struct burst *burst)
{
	unsigned int kept = 0;

	if (burst->known == burst_all(burst))
		return;
	for (unsigned int i = 0; i < burst->n; i++) {
		const bool known = (burst->known >> i & 1) != 0;

		if (!known && !load_classify_one(worker, burst, i, kept))
			continue;
		if (kept != i) {
			burst->packet[kept] = burst->packet[i];
			burst->frame[kept] = burst->frame[i];
		}
		if (kept != i && known) {
			burst->segment[kept] = burst->segment[i];
			burst->key[kept] = burst->key[i];
			burst->event[kept] = burst->event[i];
		}
		kept++;
	}
	burst->n = kept;
}

/* The connections' timeouts. */
static bool
load_expire(struct worker *worker, struct burst *burst)
{
	burst_expire(worker, burst);
	if (burst->n == 0)
		return false;
	load_step(worker, burst);
	return true;
}

bool
load_is_drained(const struct worker *worker)
{
	const struct load *load = worker->load->load;
	const uint64_t end_us = RTE_MIN(__atomic_load_n(&load->end_us, __ATOMIC_RELAXED),
			load_planned_end_us(load));

	return end_us != UINT64_MAX && worker->now_us >= end_us + load->plan.drain_us;
}

/* All has ended, or the patience for it has. */
static void
load_settle_end(struct worker *worker, struct burst *burst)
{
	struct load_worker *load = worker->load;
	uint32_t slot = 0;

	if (!load->began || load->starting || load->done)
		return;
	if ((load->active > 0 || load->batch_first < load->batch_end) && !load_is_drained(worker))
		return;
	if (load->idle != NULL && load_idle_is_releasing(worker))
		return;
	while (load->active > 0 && slot < conn_table_capacity(worker->table)) {
		slot = burst_abort(worker, burst, slot);
		load_step(worker, burst);
		transmit_flush(worker);
	}
	load_measure(worker);
	__atomic_store_n(&load->done, true, __ATOMIC_RELEASE);
}

static void
load_count_turn(struct worker *worker, bool busy)
{
	struct load_worker *load = worker->load;
	uint64_t full = 0;
	uint32_t sent = 0, received = 0;

	for (unsigned int p = 0; p < worker->engine->port_count; p++) {
		full += worker->counters[p].value[COUNTER_tx_full];
		sent += (uint32_t)worker->counters[p].value[COUNTER_tx];
		received += (uint32_t)worker->counters[p].value[COUNTER_rx];
	}
	/* Those of the ports: what other workers handed over they have counted. */
	if (received != load->received_before)
		figures_count(load->figures, FIGURE_packets_received,
				received - load->received_before);
	load->received_before = received;
	if (sent != load->sent_before)
		figures_count(load->figures, FIGURE_packets_sent, sent - load->sent_before);
	load->sent_before = sent;
	if (full != load->full_before)
		figures_count(load->figures, FIGURE_transmit_full, full - load->full_before);
	load->full_before = full;
	if (!busy)
		return;
	figures_count(load->figures, FIGURE_busy_us,
			clock_us(&worker->engine->clock) - worker->now_us);
}

/* Packets of this turn, from @p first on: a burst of them. */
static void
load_burst(struct worker *worker, struct burst *burst, unsigned int first)
{
	const struct load_worker *load = worker->load;

	burst->n = RTE_MIN(load->received - first, (unsigned int)BURST_MAX);
	memcpy(burst->packet, &load->packet[first], burst->n * sizeof(burst->packet[0]));
	burst_parse(worker, burst);
	load_classify(worker, burst);
	load_table_find_all(worker, burst);
	load_step(worker, burst);
}

/* Connections that are kept: answer what came, begin others. @return whether there was work. */
static bool
load_keep(struct worker *worker, struct burst *burst)
{
	struct load_worker *load = worker->load;
	bool busy;

	load->received = burst_receive_some(worker, load->packet, LOAD_RECEIVE_MAX);
	for (unsigned int first = 0; first < load->received; first += BURST_MAX)
		load_burst(worker, burst, first);
	busy = load_open(worker) > 0;
	load_watch(worker);
	return load_expire(worker, burst) || busy;
}

static void
load_receive(struct worker *worker, struct burst *burst)
{
	burst_receive(worker, burst);
	burst_parse(worker, burst);
	load_classify(worker, burst);
}

bool
load_turn(struct worker *worker)
{
	struct load_worker *load = worker->load;
	struct burst burst;
	bool busy;

	worker_begin(worker);
	load_keep_level(worker);
	load_set_env(worker);
	if (load_keeps_state(load->load->plan.exchange)) {
		busy = load_keep(worker, &burst);
	} else if (load->idle != NULL) {
		load_receive(worker, &burst);
		load_idle_input(worker, &burst);
		busy = load_idle(worker) > 0;
	} else {
		load_receive(worker, &burst);
		load_flood_input(worker, &burst);
		busy = load_flood(worker) > 0;
	}
	transmit_flush(worker);
	busy |= worker->turn_packets > 0;
	busy |= mailbox_serve(worker);
	if (worker->index == 0 && worker->now_us - worker->resolved_us > LOAD_RESOLVE_EVERY_US) {
		worker->resolved_us = worker->now_us;
		resolver_poll(worker);
	}
	load_settle_end(worker, &burst);
	load_count_turn(worker, busy);
	__atomic_store_n(&worker->turns, worker->turns + 1, __ATOMIC_RELEASE);
	return busy;
}

int
load_run(void *argument)
{
	struct worker *worker = argument;

	while (engine_phase(worker->engine) != ENGINE_STOPPING) {
		if (load_turn(worker))
			worker->idle_turns = 0;
		else
			worker_idle(worker);
	}
	worker_leave(worker);
	return 0;
}
