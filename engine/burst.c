/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include <rte_bitops.h>
#include <rte_ethdev.h>
#include <rte_prefetch.h>

#include "cookie/spent_cookies.h"
#include "engine/burst.h"
#include "engine/burst_cookie.h"
#include "engine/burst_older.h"
#include "engine/memif.h"
#include "engine/steering.h"
#include "engine/tap.h"
#include "engine/transmit.h"
#include "engine/worker.h"
#include "step/step_masks.h"

/* A VLAN tag that the kernel took off (AF_PACKET) goes back where parse_frame() looks for it. */
static void
burst_restore_vlan(struct rte_mbuf **packet)
{
	if (((*packet)->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0)
		rte_vlan_insert(packet);
}

/* @return how many packets of a queue stay with this worker. */
static unsigned int
burst_receive_queue(struct worker *worker, const struct worker_queue *queue,
		struct rte_mbuf *packets[], unsigned int most)
{
	const struct port *port = &worker->engine->port[queue->port];
	unsigned int n;
	uint64_t bytes = 0;

	/* All of them may be another worker's. */
	if (port->software_steering)
		most = RTE_MIN(most, (unsigned int)BURST_MAX);
	n = port->memif == NULL ? rte_eth_rx_burst(port->id, queue->queue, packets, (uint16_t)most)
				: memif_receive(port->memif, queue->queue, packets, most);
	if (n == 0)
		return 0;
	for (unsigned int i = 0; i < n; i++) {
		bytes += packets[i]->pkt_len;
		burst_restore_vlan(&packets[i]);
		packets[i]->port = port->index;
	}
	worker->turn_packets += n;
	worker_count(worker, port->index, COUNTER_rx, n);
	worker_count(worker, port->index, COUNTER_rx_bytes, bytes);
	tap_received(worker, port->index, packets, n);
	return port->software_steering ? steering_keep_own(worker, packets, n) : n;
}

unsigned int
burst_receive_some(struct worker *worker, struct rte_mbuf *packets[], unsigned int most)
{
	unsigned int n = steering_take(worker, packets, BURST_MAX / 2);

	worker->turn_packets = n;
	for (unsigned int i = 0; i < n; i++)
		worker_count(worker, (uint8_t)packets[i]->port, COUNTER_steered_in, 1);

	/* Begin with another queue each turn, so that a full one cannot starve the rest. */
	for (unsigned int i = 0; i < worker->queue_count && n < most; i++) {
		n += burst_receive_queue(worker, &worker->queue[worker->queue_next], &packets[n],
				RTE_MIN(most - n, worker->receive_most));
		if (++worker->queue_next == worker->queue_count)
			worker->queue_next = 0;
	}
	return n;
}

void
burst_receive(struct worker *worker, struct burst *burst)
{
	burst->n = burst_receive_some(worker, burst->packet, BURST_MAX);
}

void
burst_lookup(struct worker *worker, struct burst *burst)
{
	const uint64_t all = burst_all(burst);
	uint64_t syns = 0, found;

	if ((all & ~burst->sought) != 0)
		conn_table_hash_bulk(worker->table, burst->key, burst->n, burst->hash);
	/* Hardly anybody knows these yet: where TIME_WAIT would have them is far away. */
	if (time_wait_count(worker->time_wait) > 0)
		syns = step_masks_equal(burst->event, TCP_EVENT_SYN, worker->columns) & all;
	for (; syns != 0; syns &= syns - 1)
		time_wait_prefetch(worker->time_wait, burst->hash[rte_bsf64(syns)]);
	found = conn_table_lookup_bulk(
			worker->table, burst->key, burst->hash, burst->n, burst->conn);
	/* In pieces whose size the compiler knows: it would begin a loop of microcode else. */
	for (unsigned int i = 0; i < burst->n; i += BURST_MAX / 8)
		memset(&burst->waiting[i], 0, sizeof(burst->waiting) / 8);
	time_wait_lookup_bulk(worker->time_wait, burst->key, burst->hash, all & ~found,
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
	if (worker->inserted)
		memset(worker->inserted_hashes, 0, sizeof(worker->inserted_hashes));
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
	burst->silent = 0;
	for (unsigned int i = 0; i < burst->n; i++) {
		burst->packet[i] = NULL;
		burst->waiting[i] = NULL;
		burst->event[i] = (uint8_t)event;
		burst->key[i] = burst->conn[i]->key;
	}
	conn_table_hash_bulk(worker->table, burst->key, burst->n, burst->hash);
	/* Whom nobody has spoken to for long is far away, and where it is found, too. */
	for (unsigned int i = 0; i < burst->n; i++) {
		rte_prefetch0(conn_table_tail(worker->table, burst->conn[i]));
		conn_table_prefetch(worker->table, burst->hash[i]);
		spent_cookies_prefetch(worker->spent, burst->hash[i]);
	}
}

void
burst_expire(struct worker *worker, struct burst *burst)
{
	burst->n = timer_wheel_expire(worker->wheel, worker->now_ms, burst->conn, BURST_MAX);
	if (burst->n == 0)
		return;
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
