/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "engine/burst_forward.h"
#include "engine/no_backend.h"
#include "engine/pools.h"
#include "engine/proxy.h"
#include "engine/proxy_close.h"
#include "engine/proxy_held.h"
#include "engine/proxy_icmp.h"
#include "engine/proxy_send.h"
#include "engine/transmit.h"
#include "engine/worker.h"
#include "tcp/tcp_seq.h"
#include "wire/bytes.h"
#include "wire/checksum.h"

void
burst_forward_complete(struct rte_mbuf *packet, const struct frame *frame)
{
	uint8_t *data = rte_pktmbuf_mtod(packet, uint8_t *);
	uint8_t *tcp = data + frame->l4_offset;
	const unsigned int length = frame->family == 4 ? 4 : 16;
	const uint8_t *source = data + frame->l3_offset + (frame->family == 4 ? 12 : 8);
	rte_be16_t checksum = 0;

	if ((frame->flags & FRAME_PARTIAL) == 0)
		return;
	memcpy(tcp + 16, &checksum, sizeof(checksum));
	checksum = checksum_finish(checksum_add(
			checksum_pseudo(source, source + length, length, 6, frame->l4_length), tcp,
			frame->l4_length));
	memcpy(tcp + 16, &checksum, sizeof(checksum));
}

static inline void
burst_forward_link_to(struct rte_mbuf *packet, uint8_t *ip, unsigned int length, bool ipv4,
		const struct port *port, const uint8_t remote_mac[6])
{
	uint8_t *ethernet = ip - (port->tagged ? 18 : 14);

	packet->data_off = (uint16_t)(ethernet - (uint8_t *)packet->buf_addr);
	packet->data_len = (uint16_t)(ip - ethernet + length);
	packet->pkt_len = packet->data_len;
	packet->ol_flags = 0;
	memcpy(ethernet, remote_mac, 6);
	memcpy(ethernet + 6, port->mac.addr_bytes, 6);
	if (port->tagged) {
		bytes_write_16(ethernet + 12, RTE_ETHER_TYPE_VLAN);
		bytes_write_16(ethernet + 14, port->vlan);
	}
	bytes_write_16(ip - 2, ipv4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6);
}

void
burst_forward_link(struct rte_mbuf *packet, uint8_t *ip, const struct port *port,
		const uint8_t remote_mac[6])
{
	const bool ipv4 = *ip >> 4 == 4;
	const unsigned int length = ipv4 ? bytes_read_16(ip + 2) : 40u + bytes_read_16(ip + 4);

	burst_forward_link_to(packet, ip, length, ipv4, port, remote_mac);
}

/*
 * A deadline that only moves on is written down; the wheel comes to it by itself.
 *
 * @return whether there is none: the connection is over, and there is no room for it to linger.
 */
static inline bool
burst_forward_postpone(struct worker *worker, struct conn *conn, struct splice *splice)
{
	const struct service *service = services_of(worker->services, &conn->key);
	const bool open = splice->closing == 0;
	const uint32_t after_ms = likely(open) ? service->tcp.idle_timeout_ms
					       : proxy_close_after_ms(worker, service, splice);
	const uint32_t deadline_ms = worker->now_ms + after_ms;

	if (unlikely(!open || (splice->flags & SPLICE_UNCOUNTED) != 0))
		proxy_close_count(worker, splice);
	if (unlikely(after_ms == 0))
		return true;
	if (likely(open && timer_wheel_is_scheduled(conn) &&
			    (int32_t)(deadline_ms - conn->timer_deadline_ms) >= 0))
		conn->timer_deadline_ms = deadline_ms;
	else
		timer_wheel_schedule(worker->wheel, conn, deadline_ms);
	return false;
}

/* What we would have to say in the name of a side, if we had to: its clock (RFC 7323 3.2). */
static inline void
burst_forward_read_clock(struct conn *conn, const struct splice *splice, enum splice_side from,
		const struct tcp_segment *segment)
{
	const enum splice_side other = from == SPLICE_CLIENT ? SPLICE_SERVER : SPLICE_CLIENT;
	const uint32_t seq = segment->seq + (from == SPLICE_SERVER ? splice->add[from] : 0);
	uint32_t *clock = from == SPLICE_CLIENT ? &conn->tcp.ts_recent : &PROXY_SEND_TSVAL(conn);

	/* In flight, or next: of anything else nobody knows who says it. */
	if ((segment->options & TCP_OPTION_TIMESTAMPS) != 0 &&
			splice->next[from] - seq <= splice->next[from] - splice->ack[other] &&
			tcp_seq_lt(*clock, segment->tsval))
		*clock = segment->tsval;
}

void
burst_forward_segment(struct worker *worker, struct conn *conn, enum splice_side from,
		const struct burst_forward_packet *in)
{
	struct splice *splice = proxy_splice(worker->proxy, worker->table, conn);
	const enum splice_side to = from == SPLICE_CLIENT ? SPLICE_SERVER : SPLICE_CLIENT;
	const struct port *port = &worker->engine->port[splice->port[to]];
	uint8_t *data = rte_pktmbuf_mtod(in->packet, uint8_t *);
	uint8_t mac[6];
	struct splice_ends ends;
	unsigned int family, headers;
	bool over = false;

	const uint32_t limit = splice->limit[SPLICE_CLIENT];
	const bool ours = (splice->flags & SPLICE_OURS) != 0;

	burst_forward_read_clock(conn, splice, from, in->segment);
	splice_track(splice, from, in->segment);
	if (unlikely(ours) && proxy_held_hear(worker, conn, from, in->segment, limit)) {
		worker_drop(worker, in->packet, DROP_consumed);
		return;
	}
	/* While something is ours to repeat the timer is for that. */
	if (likely((splice->flags & SPLICE_OURS) == 0))
		over = burst_forward_postpone(worker, conn, splice);
	proxy_send_ends(worker, conn, splice, from, &ends);
	family = flow_key_is_ipv4(ends.destination) ? 4 : 6;
	headers = family == in->frame->family
				  ? (unsigned int)(in->frame->l4_offset - in->frame->l3_offset)
				  : (family == 4 ? 20 : 40);
	if (unlikely(headers + in->frame->l4_length > port->mtu)) {
		worker_drop(worker, in->packet, DROP_too_big);
		proxy_icmp_too_big(worker, conn, from, in->segment->seq, port->mtu);
		return;
	}
	if (from == SPLICE_SERVER) {
		memcpy(mac, splice->client_mac, sizeof(mac));
	} else {
		if (unlikely(!backends_mac(worker->engine, splice->server, mac))) {
			worker_drop(worker, in->packet, DROP_unresolved);
			return;
		}
		/* Where the client's frames come from may change: answers follow. */
		memcpy(splice->client_mac, data + 6, sizeof(splice->client_mac));
	}
	if (unlikely((in->frame->flags & FRAME_PARTIAL) != 0))
		burst_forward_complete(in->packet, in->frame);
	splice_segment(splice, from, &ends, data + in->frame->l4_offset);
	burst_forward_link_to(in->packet, splice_addresses(data, in->frame, &ends, family),
			headers + in->frame->l4_length, family == 4, port, mac);
	transmit_forward(worker, in->packet, port->index);
	/* At once, while all of it is near: the next connection takes its place. */
	if (unlikely(over))
		proxy_forget(worker, conn);
}

/* @return whether the segment is the burst's no more. */
static bool
burst_forward_client(struct worker *worker, struct burst *burst, unsigned int i)
{
	struct conn *conn = burst->conn[i];
	const struct splice *splice = proxy_splice(worker->proxy, worker->table, conn);

	switch ((enum tcp_event)burst->event[i]) {
	case TCP_EVENT_ACK:
	case TCP_EVENT_FIN:
	case TCP_EVENT_RST:
		burst_forward_segment(worker, conn, SPLICE_CLIENT,
				&(struct burst_forward_packet){burst->packet[i], &burst->frame[i],
						&burst->segment[i]});
		return true;
	case TCP_EVENT_SYN:
		/* Over and waiting for the last segments: the client may begin anew. */
		if ((splice->closing & SPLICE_ANY_RESET) != 0 ||
				(splice->closing & SPLICE_BOTH_FINS_ACKED) ==
						SPLICE_BOTH_FINS_ACKED) {
			proxy_forget(worker, conn);
			return false;
		}
		proxy_challenge(worker, conn, SPLICE_CLIENT, burst->packet[i]);
		return true;
	case TCP_EVENT_SYN_ACK:
		proxy_challenge(worker, conn, SPLICE_CLIENT, burst->packet[i]);
		return true;
	case TCP_EVENT_BARE:
		worker_drop(worker, burst->packet[i], DROP_no_ack_bit);
		return true;
	default:
		worker_drop(worker, burst->packet[i], DROP_icmp_ignored);
		return true;
	}
}

/* Whether a segment comes from the backend that the connection has. */
static bool
burst_forward_is_from(const struct worker *worker, const struct splice *splice, const uint8_t *data,
		const struct frame *frame)
{
	const struct backends_entry *server = &worker->engine->backends->entry[splice->server];
	rte_be16_t port;

	memcpy(&port, data + frame->l4_offset, sizeof(port));
	if (port != server->port || frame->family != server->family)
		return false;
	return frame->family == 4
			       ? memcmp(data + frame->l3_offset + 12, server->address + 12, 4) == 0
			       : memcmp(data + frame->l3_offset + 8, server->address, 16) == 0;
}

static void
burst_forward_server(struct worker *worker, struct burst_returns *returns, unsigned int i)
{
	struct conn *conn = conn_table_conns(worker->table) + returns->slot[i];
	const struct splice *splice = &worker->proxy->splice[returns->slot[i]];
	struct rte_mbuf *packet = returns->packet[i];
	const uint8_t flags = returns->segment[i].flags;

	/* It may have ended since, by a segment in front of this one. */
	if ((conn->tcp.state != TCP_JOINING && conn->tcp.state != TCP_SPLICED) ||
			!burst_forward_is_from(worker, splice,
					rte_pktmbuf_mtod(packet, const uint8_t *),
					&returns->frame[i]))
		worker_drop(worker, packet, DROP_foreign_reply);
	else if (conn->tcp.state == TCP_JOINING)
		proxy_answer(worker, conn, returns, i);
	else if ((flags & TCP_SYN) != 0 && (flags & TCP_RST) == 0)
		proxy_challenge(worker, conn, SPLICE_SERVER, packet);
	else
		burst_forward_segment(worker, conn, SPLICE_SERVER,
				&(struct burst_forward_packet){
						packet, &returns->frame[i], &returns->segment[i]});
}

static bool
burst_forward_is_spliced(const struct burst *burst, unsigned int i)
{
	return burst->conn[i] != NULL && burst->conn[i]->tcp.state == TCP_SPLICED;
}

/* The SYN of a client for whom nobody is left. @return whether packet i was one. */
static bool
burst_forward_refuse(struct worker *worker, struct burst *burst, unsigned int i)
{
	const uint8_t port = (uint8_t)burst->packet[i]->port;

	if (!no_backend_concerns(worker, burst, i))
		return false;
	worker_count(worker, port, COUNTER_syn_received, 1);
	worker_count(worker, port, COUNTER_backends_all_down, 1);
	no_backend_answer(worker, burst, i, services_of(worker->services, &burst->key[i])->pool);
	return true;
}

/* A packet moves up: the place of one that was forwarded is free. */
static void
burst_forward_move(struct burst *burst, unsigned int from, unsigned int to)
{
	burst_known_move(burst, from, to);
	burst->packet[to] = burst->packet[from];
	burst->frame[to] = burst->frame[from];
	burst->segment[to] = burst->segment[from];
	burst->key[to] = burst->key[from];
	burst->event[to] = burst->event[from];
	burst->hash[to] = burst->hash[from];
	burst->conn[to] = burst->conn[from];
	burst->waiting[to] = burst->waiting[from];
}

void
burst_forward(struct worker *worker, struct burst *burst)
{
	struct burst_returns *returns = &burst->returns;
	unsigned int kept = 0;
	bool any_down;

	if (worker->proxy == NULL)
		return;
	any_down = __atomic_load_n(&worker->engine->backends->pools_down, __ATOMIC_RELAXED) != 0;
	for (unsigned int i = 0; i < burst->n; i++) {
		if (burst_forward_is_spliced(burst, i))
			rte_prefetch0(proxy_splice(worker->proxy, worker->table, burst->conn[i]));
	}
	for (unsigned int i = 0; i < returns->n; i++)
		burst_forward_server(worker, returns, i);
	returns->n = 0;
	for (unsigned int i = 0; i < burst->n; i++) {
		if (burst_forward_is_spliced(burst, i) && burst_forward_client(worker, burst, i))
			continue;
		if (unlikely(any_down) && burst_forward_refuse(worker, burst, i))
			continue;
		if (kept != i)
			burst_forward_move(burst, i, kept);
		kept++;
	}
	burst->n = kept;
}
