/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include <rte_ethdev.h>
#include <rte_prefetch.h>

#include "engine/burst.h"
#include "engine/burst_cookie.h"
#include "engine/burst_older.h"
#include "engine/health.h"
#include "engine/local.h"
#include "engine/proxy.h"
#include "engine/proxy_icmp.h"
#include "engine/steering.h"
#include "engine/tap.h"
#include "engine/targets.h"
#include "engine/transmit.h"
#include "engine/transparent.h"
#include "engine/worker.h"
#include "wire/icmp_error.h"
#include "wire/parse_plain.h"

/* How many packets ahead the first line of a frame is fetched. */
#define BURST_PREFETCH 4

/*
 * Packets taken from a queue at once.  With 32 everything a burst touches stays in the first cache:
 * SYNs took 5 % longer with 64, and with 24 the hashes waste lanes.
 */
#define BURST_RECEIVE 32

/* A VLAN tag that the kernel took off (AF_PACKET) goes back where parse_frame() looks for it. */
static void
burst_restore_vlan(struct rte_mbuf **packet)
{
	if (((*packet)->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0)
		rte_vlan_insert(packet);
}

static void
burst_receive_queue(struct worker *worker, struct burst *burst, const struct worker_queue *queue)
{
	const struct port *port = &worker->engine->port[queue->port];
	struct rte_mbuf **packets = &burst->packet[burst->n];
	unsigned int n = rte_eth_rx_burst(port->id, queue->queue, packets,
			(uint16_t)RTE_MIN(BURST_MAX - burst->n, (unsigned int)BURST_RECEIVE));
	uint64_t bytes = 0;

	if (n == 0)
		return;
	for (unsigned int i = 0; i < n; i++) {
		bytes += packets[i]->pkt_len;
		burst_restore_vlan(&packets[i]);
		packets[i]->port = port->index;
	}
	worker->turn_packets += n;
	worker_count(worker, port->index, COUNTER_rx, n);
	worker_count(worker, port->index, COUNTER_rx_bytes, bytes);
	tap_look(worker, port->index, packets, n, TAP_IN);
	if (port->software_steering)
		n = steering_keep_own(worker, packets, n);
	burst->n += n;
}

void
burst_receive(struct worker *worker, struct burst *burst)
{
	burst->n = steering_take(worker, burst->packet, BURST_MAX / 2);
	worker->turn_packets = burst->n;
	for (unsigned int i = 0; i < burst->n; i++)
		worker_count(worker, (uint8_t)burst->packet[i]->port, COUNTER_steered_in, 1);

	/* Begin with another queue each turn, so that a full one cannot starve the rest. */
	for (unsigned int i = 0; i < worker->queue_count && burst->n < BURST_MAX; i++) {
		burst_receive_queue(worker, burst, &worker->queue[worker->queue_next]);
		if (++worker->queue_next == worker->queue_count)
			worker->queue_next = 0;
	}
}

/* The port of a packet, mostly that of the one before. */
static inline const struct port *
burst_port(const struct worker *worker, const struct rte_mbuf *packet, const struct port *before)
{
	return likely(packet->port == before->index) ? before : &worker->engine->port[packet->port];
}

static inline unsigned int
burst_parse_flags(const struct port *port, const struct rte_mbuf *packet)
{
	unsigned int flags = port->parse_flags;

	if (!port->receive_offload)
		return flags;
	if ((packet->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_GOOD)
		flags |= PARSE_IP_CHECKSUM_GOOD;
	if ((packet->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		flags |= PARSE_TCP_CHECKSUM_GOOD;
	return flags;
}

void
burst_parse(struct worker *worker, struct burst *burst)
{
	const struct port *port = &worker->engine->port[0];
	unsigned int kept = 0;
	enum counter reason;

	for (unsigned int i = 0; i < RTE_MIN(burst->n, (unsigned int)BURST_PREFETCH); i++)
		rte_prefetch0(rte_pktmbuf_mtod(burst->packet[i], void *));

	for (unsigned int i = 0; i < burst->n; i++) {
		struct rte_mbuf *packet = burst->packet[i];
		const uint8_t *data = rte_pktmbuf_mtod(packet, const uint8_t *);
		unsigned int flags;

		if (i + BURST_PREFETCH < burst->n)
			rte_prefetch0(rte_pktmbuf_mtod(burst->packet[i + BURST_PREFETCH], void *));
		port = burst_port(worker, packet, port);
		flags = burst_parse_flags(port, packet);
		if (likely(parse_plain(data, packet->data_len, flags, &burst->frame[kept],
				    &burst->segment[kept]))) {
			burst->packet[kept++] = packet;
			continue;
		}
		reason = parse_frame_carefully(data, packet->data_len, flags, &burst->frame[kept],
				&burst->segment[kept]);
		if (reason != DROP_NONE) {
			worker_drop(worker, packet, reason);
			continue;
		}
		if ((burst->frame[kept].flags & FRAME_PARTIAL) != 0)
			worker_count(worker, (uint8_t)packet->port, COUNTER_partial_checksums, 1);
		burst->packet[kept++] = packet;
	}
	burst->n = kept;
}

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

/* Where the last segment for a service of ours went: the next one often goes there, too. */
struct burst_listener {
	struct flow_key local; /* Of the local end: address, port; and who listens there. */
	uint16_t port;         /* Engine port. */
};

/* A local end that no packet has. */
#define BURST_LISTENER_NONE ((struct burst_listener){.port = UINT16_MAX})

static inline bool
burst_same_end(const struct flow_key *a, const struct flow_key *b)
{
	return memcmp(a->address, b->address, sizeof(a->address)) == 0 && a->port == b->port;
}

/* The key of a TCP segment. */
static inline enum counter
burst_find_key(const struct worker *worker, const struct rte_mbuf *packet,
		const struct frame *frame, struct flow_key *key, struct burst_listener *last)
{
	const uint8_t *data = rte_pktmbuf_mtod(packet, const uint8_t *);
	const uint8_t *ports = data + frame->l4_offset;
	struct flow_key local;

	parse_source(data, frame, key->address);
	parse_destination(data, frame, local.address);
	memcpy(&key->port, ports, sizeof(key->port));
	memcpy(&local.port, ports + 2, sizeof(local.port));
	if (likely(packet->port == last->port && burst_same_end(&local, &last->local))) {
		key->endpoint = last->local.endpoint;
		return DROP_NONE;
	}
	burst_complete_key(worker, (uint8_t)packet->port, local.address, local.port, key);
	if (flow_key_is_passive(key)) {
		local.endpoint = key->endpoint;
		*last = (struct burst_listener){.local = local, .port = packet->port};
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
	enum counter reason = DROP_icmp_ignored;

	if (frame->kind != FRAME_ARP && (steering_pass_error(worker, packet, frame) ||
							proxy_icmp(worker, packet, frame)))
		return false;
	if (frame->kind != FRAME_ARP)
		reason = burst_take_icmp_error(worker, packet, frame, burst, to);
	if (reason == DROP_icmp_ignored)
		local_input(worker, packet, frame);
	else if (reason != DROP_NONE)
		worker_drop(worker, packet, reason);
	return reason == DROP_NONE;
}

/* A segment for a local port that is in use towards a backend goes another way. */
static bool
burst_is_return(const struct worker *worker, struct burst *burst, unsigned int i)
{
	struct burst_returns *returns = &burst->returns;
	uint32_t slot;

	if (worker->proxy == NULL)
		return false;
	slot = local_ports_slot(worker, rte_pktmbuf_mtod(burst->packet[i], const uint8_t *),
			&burst->frame[i]);
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

void
burst_classify(struct worker *worker, struct burst *burst)
{
	const struct port *port = &worker->engine->port[0];
	struct burst_listener last = BURST_LISTENER_NONE;
	unsigned int kept = 0;

	burst->returns.n = 0;
	for (unsigned int i = 0; i < burst->n; i++) {
		struct rte_mbuf *packet = burst->packet[i];
		enum counter reason;

		port = burst_port(worker, packet, port);
		reason = burst_refuse_link(port, packet, &burst->frame[i]);
		if (reason == DROP_NONE && burst->frame[i].kind != FRAME_TCP) {
			if (!burst_classify_other(worker, burst, i, kept))
				continue;
		} else {
			if (reason == DROP_NONE && burst_is_return(worker, burst, i))
				continue;
			if (reason == DROP_NONE)
				reason = burst_find_key(worker, packet, &burst->frame[i],
						&burst->key[kept], &last);
			if (reason != DROP_NONE) {
				worker_drop(worker, packet, reason);
				continue;
			}
			burst->event[kept] = (uint8_t)tcp_step_event(burst->segment[i].flags);
			if (kept != i)
				burst->segment[kept] = burst->segment[i];
		}
		burst->packet[kept] = packet;
		if (kept != i)
			burst->frame[kept] = burst->frame[i];
		kept++;
	}
	burst->n = kept;
}

void
burst_lookup(struct worker *worker, struct burst *burst)
{
	const uint64_t all = burst->n == BURST_MAX ? UINT64_MAX : (UINT64_C(1) << burst->n) - 1;
	uint64_t found;

	conn_table_hash_bulk(worker->table, burst->key, burst->n, burst->hash);
	found = conn_table_lookup_bulk(
			worker->table, burst->key, burst->hash, burst->n, burst->conn);
	for (unsigned int i = 0; i < burst->n; i++) {
		if (burst->conn[i] != NULL)
			rte_prefetch0(conn_table_tail(worker->table, burst->conn[i]));
	}
	memset(burst->waiting, 0, burst->n * sizeof(burst->waiting[0]));
	if (found != all && time_wait_count(worker->time_wait) > 0)
		time_wait_lookup_bulk(worker->time_wait, burst->key, burst->hash, burst->n,
				worker->now_ms, burst->waiting);
	if (unlikely(worker->services->changing))
		burst_older(worker, burst);
}

/*
 * TIME_WAIT lasts in its own small table: a connection that entered it moves there, one that was
 * lent to this burst goes back, with 2 MSL anew if the machine set its timer.
 */
static void
burst_settle_time_wait(struct worker *worker, const struct worker_ending *ending)
{
	const struct conn *conn = ending->conn;
	const struct conn_tail *tail = conn_table_tail(worker->table, conn);
	struct time_wait_entry *entry;
	unsigned int evicted;

	if (timer_wheel_is_scheduled(conn)) {
		evicted = time_wait_insert(worker->time_wait, &conn->key, ending->hash, &conn->tcp,
				worker->now_ms);
		worker_count(worker, tail->port, COUNTER_time_wait_evicted, evicted);
		/* A cookie may outlive TIME_WAIT, which may be short, or cut short. */
		burst_cookie_spend(worker, conn, ending->hash);
	}
	if (!ending->borrowed)
		return;
	entry = time_wait_lookup(worker->time_wait, &conn->key, ending->hash, worker->now_ms);
	if (entry != NULL) {
		time_wait_store(entry, &conn->tcp);
		time_wait_set_challenged(entry, tail->challenged);
	}
}

/* A connection that was lent by TIME_WAIT and is not in it any more. */
static void
burst_settle_left_time_wait(struct worker *worker, const struct worker_ending *ending)
{
	struct time_wait_entry *entry = time_wait_lookup(
			worker->time_wait, &ending->conn->key, ending->hash, worker->now_ms);

	if (entry != NULL)
		time_wait_remove(worker->time_wait, entry);
}

/*
 * A connection that ended in this burst may have been opened again by a later packet of the same
 * burst; then it stays.
 */
static void
burst_settle(struct worker *worker)
{
	for (unsigned int i = 0; i < worker->ending_count; i++) {
		const struct worker_ending *ending = &worker->ending[i];
		struct conn *conn = ending->conn;

		if (conn->tcp.state == TCP_TIME_WAIT)
			burst_settle_time_wait(worker, ending);
		else if (ending->borrowed)
			burst_settle_left_time_wait(worker, ending);
		if (conn->tcp.state != TCP_TIME_WAIT && conn->tcp.state != TCP_CLOSED)
			continue;
		timer_wheel_cancel(worker->wheel, conn);
		if (flow_key_is_active(&conn->key))
			worker_count_target(worker, flow_key_target(&conn->key), -1);
		else if (conn->tcp.state == TCP_CLOSED && !ending->unopened)
			burst_cookie_spend(worker, conn, ending->hash);
		conn_table_remove(worker->table, conn, ending->hash);
	}
	worker->ending_count = 0;
	worker->revived = false;
	worker->inserted = false;
}

void
burst_transmit(struct worker *worker, struct burst *burst)
{
	burst->n = 0;
	transmit_flush(worker);
	burst_settle(worker);
}

/* Make a burst of one event out of the burst->n connections in burst->conn. */
static void
burst_of_event(struct worker *worker, struct burst *burst, enum tcp_event event)
{
	for (unsigned int i = 0; i < burst->n; i++) {
		burst->packet[i] = NULL;
		burst->waiting[i] = NULL;
		burst->event[i] = (uint8_t)event;
		burst->key[i] = burst->conn[i]->key;
	}
	conn_table_hash_bulk(worker->table, burst->key, burst->n, burst->hash);
}

void
burst_expire(struct worker *worker, struct burst *burst)
{
	burst->n = timer_wheel_expire(worker->wheel, worker->now_ms, burst->conn, BURST_MAX);
	burst_of_event(worker, burst, TCP_EVENT_TIMEOUT);
}

uint32_t
burst_abort(struct worker *worker, struct burst *burst, uint32_t slot)
{
	const uint32_t capacity = conn_table_capacity(worker->table);

	burst->n = 0;
	for (; slot < capacity && burst->n < BURST_MAX; slot++) {
		struct conn *conn = conn_table_at(worker->table, slot);

		if (conn != NULL)
			burst->conn[burst->n++] = conn;
	}
	burst_of_event(worker, burst, TCP_EVENT_ABORT);
	return slot;
}

bool
burst_open(struct worker *worker, struct burst *burst, const struct flow_key *key,
		const struct burst_origin *origin)
{
	const uint64_t hash = conn_table_hash(worker->table, key);
	struct conn_tail *tail;

	burst->conn[0] = conn_table_insert(worker->table, key, hash);
	if (burst->conn[0] == NULL)
		return false;
	worker_count_target(worker, flow_key_target(key), 1);
	tail = conn_table_tail(worker->table, burst->conn[0]);
	tail->port = origin->port;
	memcpy(tail->peer_mac, origin->peer_mac, sizeof(tail->peer_mac));
	burst_happen(worker, burst, burst->conn[0], TCP_EVENT_OPEN);
	return true;
}

void
burst_happen(struct worker *worker, struct burst *burst, struct conn *conn, enum tcp_event event)
{
	burst->n = 1;
	burst->conn[0] = conn;
	burst_of_event(worker, burst, event);
}
