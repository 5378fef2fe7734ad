/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The classify stage: whose each packet is that the parser did not know.
 *
 * Link headers first, then what is not TCP, then segments of proxied connections, then listeners.
 * Whom a segment came to is what the parser expects of the next ones.
 */

#include <string.h>

#include <rte_ether.h>
#include <rte_prefetch.h>

#include "engine/burst.h"
#include "engine/health.h"
#include "engine/local.h"
#include "engine/proxy.h"
#include "engine/proxy_icmp.h"
#include "engine/steering.h"
#include "engine/targets.h"
#include "engine/transparent.h"
#include "engine/worker.h"
#include "wire/icmp_error.h"

/* The reason why a frame is not for this port at all, by its Ethernet and VLAN headers. */
static enum counter
burst_refuse_link(const struct port *port, const struct rte_mbuf *packet, const struct frame *frame)
{
	const struct rte_ether_hdr *ethernet =
			rte_pktmbuf_mtod(packet, const struct rte_ether_hdr *);

	if (!port_takes_vlan(port, (frame->flags & FRAME_TAGGED) != 0, frame->vlan))
		return DROP_bad_vlan;
	if ((frame->flags & FRAME_GROUP) != 0)
		/* RFC 1122 3.3.6: TCP is never said to a group. */
		return frame->kind == FRAME_TCP ? DROP_not_for_us : DROP_NONE;
	if (!rte_is_same_ether_addr(&ethernet->dst_addr, &port->mac))
		return DROP_not_for_us;
	return DROP_NONE;
}

/* The check of a backend that a segment from key->address and port belongs to, or TARGETS_NONE. */
static unsigned int
burst_find_check(const struct worker *worker, uint8_t port, rte_be16_t local_port,
		const struct flow_key *key)
{
	const unsigned int number = health_of_port(worker->engine->health, local_port);
	const struct backends_entry *entry;

	if (number == HEALTH_NOBODY)
		return TARGETS_NONE;
	entry = &worker->engine->backends->entry[number - 1];
	if (entry->port != key->port || entry->port_index != port ||
			memcmp(entry->address, key->address, sizeof(entry->address)) != 0)
		return TARGETS_NONE;
	return FLOW_KEY_CHECK | (number - 1);
}

/*
 * Whose a segment is that goes from key->address and port to a local end: of whom listens there, or
 * else of what we opened from there to where it comes from.  The endpoint is SERVICE_MAP_NONE where
 * nobody waits for it, SERVICE_MAP_FOREIGN where the address is not ours.
 */
static void
burst_complete_key(const struct worker *worker, uint8_t port, const uint8_t local[16],
		rte_be16_t local_port, struct flow_key *key)
{
	unsigned int target;

	key->endpoint = service_map_lookup(worker->services->map[port], local, local_port);
	if (key->endpoint != SERVICE_MAP_NONE)
		return;
	target = targets_find(&worker->engine->targets, port, key->address, key->port);
	if (target == TARGETS_NONE)
		target = burst_find_check(worker, port, local_port, key);
	if (target == TARGETS_NONE)
		return;
	memcpy(key->address, local, sizeof(key->address));
	key->port = local_port;
	key->endpoint = (uint16_t)(FLOW_KEY_ACTIVE | target);
}

static inline bool
burst_same_end(const struct flow_key *a, const struct flow_key *b)
{
	return memcmp(a->address, b->address, sizeof(a->address)) == 0 && a->port == b->port;
}

/* The next segments of the family may be for the same end: the parser will know them. */
static void
burst_expect(struct worker *worker, const struct rte_mbuf *packet, const struct flow_key *local,
		struct parse_columns_end *end)
{
	const struct port *port = &worker->engine->port[packet->port];

	if (worker->expected_port != packet->port) {
		worker_expect_none(worker);
		worker->expected_port = packet->port;
	}
	memcpy(end->mac, &port->mac, sizeof(port->mac));
	end->local = *local;
	end->no_peers = &worker->services->map[packet->port]->no_peers;
}

/* The key of a TCP segment. */
static inline enum counter
burst_find_key(struct worker *worker, const struct rte_mbuf *packet, const struct frame *frame,
		struct flow_key *key)
{
	struct parse_columns_end *last = &worker->expected[frame->family == 6];
	const uint8_t *data = rte_pktmbuf_mtod(packet, const uint8_t *);
	const uint8_t *ports = data + frame->l4_offset;
	struct flow_key local;

	parse_source(data, frame, key->address);
	parse_destination(data, frame, local.address);
	memcpy(&key->port, ports, sizeof(key->port));
	memcpy(&local.port, ports + 2, sizeof(local.port));
	if (likely(packet->port == worker->expected_port && burst_same_end(&local, &last->local))) {
		key->endpoint = last->local.endpoint;
		return DROP_NONE;
	}
	burst_complete_key(worker, (uint8_t)packet->port, local.address, local.port, key);
	if (flow_key_is_passive(key)) {
		local.endpoint = key->endpoint;
		burst_expect(worker, packet, &local, last);
	}
	return key->endpoint == SERVICE_MAP_FOREIGN ? DROP_unknown_destination : DROP_NONE;
}

/*
 * An ICMP error about one of our connections is an event of that connection: it goes on with its
 * key like a segment, of which only the quoted number and, for a smaller MTU, the MSS are filled.
 *
 * @return DROP_NONE; icmp_ignored for what is no such error; bad_icmp.
 */
static enum counter
burst_take_icmp_error(const struct worker *worker, const struct rte_mbuf *packet,
		const struct frame *frame, struct burst *burst, unsigned int to)
{
	struct icmp_error error;
	const enum counter reason =
			icmp_error_read(rte_pktmbuf_mtod(packet, const uint8_t *), frame, &error);

	if (reason != DROP_NONE)
		return reason;
	if (error.kind == ICMP_ERROR_SOFT) /* MUST-56: never acted on. */
		return DROP_icmp_ignored;
	memcpy(burst->key[to].address, error.remote, sizeof(burst->key[to].address));
	burst->key[to].port = error.remote_port;
	burst_complete_key(worker, (uint8_t)packet->port, error.local, error.local_port,
			&burst->key[to]);
	if (burst->key[to].endpoint >= SERVICE_MAP_FOREIGN)
		return DROP_icmp_ignored;
	burst->segment[to] = (struct tcp_segment){
			.seq = error.seq,
			.mss = (uint16_t)(error.mtu - (error.family == 4 ? 40 : 60)),
	};
	burst->event[to] =
			error.kind == ICMP_ERROR_HARD ? TCP_EVENT_UNREACHABLE : TCP_EVENT_TOO_BIG;
	return DROP_NONE;
}

/* What is not TCP. @return whether it goes on as an event of a connection, at @p to. */
static bool
burst_classify_other(struct worker *worker, struct burst *burst, unsigned int i, unsigned int to)
{
	struct rte_mbuf *packet = burst->packet[i];
	const struct frame *frame = &burst->frame[i];
	const bool is_icmp = frame->kind == FRAME_ICMP || frame->kind == FRAME_ICMP6;
	enum counter reason = DROP_icmp_ignored;

	if (is_icmp && (steering_pass_error(worker, packet, frame) ||
				       proxy_icmp(worker, packet, frame)))
		return false;
	if (is_icmp)
		reason = burst_take_icmp_error(worker, packet, frame, burst, to);
	if (reason == DROP_icmp_ignored)
		local_input(worker, packet, frame);
	else if (reason != DROP_NONE)
		worker_drop(worker, packet, reason);
	return reason == DROP_NONE;
}

/*
 * Where local ports say whose they are, of the whole burst at once: there are as many of these as
 * connections, and none is near.
 */
static void
burst_seek_returns(const struct worker *worker, struct burst *burst)
{
	struct burst_returns *returns = &burst->returns;

	returns->n = 0;
	if (worker->proxy == NULL)
		return;
	for (unsigned int i = 0; i < burst->n; i++) {
		const uint8_t *data = rte_pktmbuf_mtod(burst->packet[i], const uint8_t *);

		if ((burst->known >> i & 1) != 0 || burst->frame[i].kind != FRAME_TCP)
			continue;
		returns->place[i] = local_ports_place(worker, data, &burst->frame[i]);
		rte_prefetch0(returns->place[i]);
	}
}

/* A segment for a local port that is in use towards a backend goes another way. */
static inline bool
burst_is_return(const struct worker *worker, struct burst *burst, unsigned int i)
{
	struct burst_returns *returns = &burst->returns;
	uint32_t slot;

	if (worker->proxy == NULL)
		return false;
	slot = returns->place[i] != NULL ? *returns->place[i] : CONN_TABLE_NO_SLOT;
	if (slot == CONN_TABLE_NO_SLOT && worker->services->transparent != NULL)
		slot = transparent_slot(worker, rte_pktmbuf_mtod(burst->packet[i], const uint8_t *),
				&burst->frame[i]);
	if (slot == CONN_TABLE_NO_SLOT)
		return false;
	rte_prefetch0(&worker->proxy->splice[slot]);
	rte_prefetch0(conn_table_conns(worker->table) + slot);
	returns->packet[returns->n] = burst->packet[i];
	returns->frame[returns->n] = burst->frame[i];
	returns->segment[returns->n] = burst->segment[i];
	returns->slot[returns->n++] = slot;
	return true;
}

/* Take packet i for what is known of it. @return whether it goes on, at @p to. */
static bool
burst_classify_one(struct worker *worker, struct burst *burst, const struct port *port,
		unsigned int i, unsigned int to)
{
	struct rte_mbuf *packet = burst->packet[i];
	enum counter reason = burst_refuse_link(port, packet, &burst->frame[i]);

	if (reason == DROP_NONE && burst->frame[i].kind != FRAME_TCP)
		return burst_classify_other(worker, burst, i, to);
	if (reason == DROP_NONE && burst_is_return(worker, burst, i))
		return false;
	if (reason == DROP_NONE)
		reason = burst_find_key(worker, packet, &burst->frame[i], &burst->key[to]);
	if (reason != DROP_NONE) {
		worker_drop(worker, packet, reason);
		return false;
	}
	burst->event[to] = (uint8_t)tcp_step_event(burst->segment[i].flags);
	if (to != i)
		burst->segment[to] = burst->segment[i];
	return true;
}

void
burst_classify(struct worker *worker, struct burst *burst)
{
	const struct port *port = &worker->engine->port[0];
	unsigned int kept = 0;

	burst->returns.n = 0;
	if (burst->known == burst_all(burst))
		return;
	burst_seek_returns(worker, burst);
	for (unsigned int i = 0; i < burst->n; i++) {
		struct rte_mbuf *packet = burst->packet[i];
		const bool known = (burst->known >> i & 1) != 0;

		port = worker_port_of(worker, packet, port);
		if (!known && !burst_classify_one(worker, burst, port, i, kept))
			continue;
		if (kept != i) {
			burst_known_move(burst, i, kept);
			burst->packet[kept] = packet;
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
