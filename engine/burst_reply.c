/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The sixth stage: what is to be said becomes bytes, in the packet that asked for it where there is
 * one, in a new one for timeouts and for the second and later segments of a reply.
 */

#include <string.h>

#include <rte_bitops.h>
#include <rte_ether.h>

#include "engine/burst.h"
#include "engine/burst_env.h"
#include "engine/burst_expect.h"
#include "engine/burst_fast_open.h"
#include "engine/burst_reply.h"
#include "engine/proxy_held.h"
#include "engine/transmit.h"
#include "engine/worker.h"
#include "tcp/tcp_output.h"
#include "wire/build.h"

/* One answer in the making. */
struct reply {
	struct worker *worker;
	struct rte_mbuf *packet; /* The packet to answer, until it has become the answer. */
	struct conn *conn;       /* NULL: an answer to a stranger. */
	struct conn_tail *tail;
	const struct port *port;
	struct build_path path;
	struct tcp_env env;
	bool grants_cookie; /* In a SYN,ACK (RFC 7413 4.1.2). */
};

static const enum counter reply_refusals[TCP_REFUSALS] = {
		[TCP_REFUSAL_NONE] = DROP_consumed,
		[TCP_REFUSAL_NOT_A_SYN] = DROP_not_a_syn,
		[TCP_REFUSAL_BAD_RST] = DROP_bad_rst,
		[TCP_REFUSAL_NO_ACK] = DROP_no_ack_bit,
		[TCP_REFUSAL_BAD_ACK] = DROP_bad_ack,
		[TCP_REFUSAL_OUT_OF_WINDOW] = DROP_out_of_window,
		[TCP_REFUSAL_OUT_OF_ORDER] = DROP_out_of_order,
		[TCP_REFUSAL_PAWS] = DROP_paws,
		[TCP_REFUSAL_NO_TIMESTAMP] = DROP_no_timestamp,
		[TCP_REFUSAL_ICMP] = DROP_icmp_ignored,
		[TCP_REFUSAL_STATE] = DROP_no_rule,
};

/* The way to the peer of a connection, when no packet of it is at hand. */
static void
reply_path_of_conn(struct reply *reply)
{
	const struct flow_key *key = &reply->conn->key;
	const struct engine *engine = reply->worker->engine;
	struct build_path *path = &reply->path;

	memcpy(path->remote_mac, reply->tail->peer_mac, sizeof(path->remote_mac));
	memcpy(path->local_mac, reply->port->mac.addr_bytes, sizeof(path->local_mac));
	path->tagged = reply->port->tagged;
	path->vlan = reply->port->vlan;
	path->family = flow_key_is_ipv4(key->address) ? 4 : 6;
	if (flow_key_is_check(key)) {
		const struct backends_entry *backend =
				&engine->backends->entry[flow_key_backend(key)];

		memcpy(path->remote, backend->address, sizeof(path->remote));
		memcpy(path->local, key->address, sizeof(path->local));
		path->remote_port = backend->port;
		path->local_port = key->port;
	} else if (flow_key_is_active(key)) {
		const struct target *target = &engine->targets.target[flow_key_target(key)];

		memcpy(path->remote, target->address, sizeof(path->remote));
		memcpy(path->local, key->address, sizeof(path->local));
		path->remote_port = target->port;
		path->local_port = key->port;
	} else {
		const struct listener *listener = &reply->worker->services->listener[key->endpoint];

		memcpy(path->remote, key->address, sizeof(path->remote));
		memcpy(path->local, listener->address, sizeof(path->local));
		path->remote_port = key->port;
		path->local_port = listener->port;
	}
}

static void
reply_begin(struct reply *reply, struct worker *worker, const struct burst *burst, unsigned int i)
{
	reply->worker = worker;
	reply->packet = burst->packet[i];
	reply->conn = burst->conn[i];
	reply->tail = reply->conn != NULL ? conn_table_tail(worker->table, reply->conn) : NULL;
	burst_env(worker, burst, i, reply->conn, &reply->env);
	reply->grants_cookie = burst_fast_open_grants(worker, burst, i);
	if (reply->packet != NULL && burst->frame[i].kind == FRAME_TCP) {
		reply->port = &worker->engine->port[reply->packet->port];
		build_path_reverse(&reply->path, rte_pktmbuf_mtod(reply->packet, const uint8_t *),
				&burst->frame[i]);
	} else {
		reply->port = &worker->engine->port[reply->tail->port];
		reply_path_of_conn(reply);
	}
}

/* Our window as it goes on the wire. */
static uint16_t
reply_window(const struct reply *reply)
{
	const bool scaled = (reply->conn->tcp.flags & TCP_CONN_WINDOW_SCALE) != 0;
	const uint32_t window =
			reply->env.rcv_wnd >> (scaled ? reply->env.config->rcv_wnd_scale : 0);

	return (uint16_t)RTE_MIN(window, (uint32_t)UINT16_MAX);
}

/* The options of every segment of the connection (RFC 7323 3.2). */
static void
reply_timestamps(const struct reply *reply, struct build_tcp *tcp)
{
	if ((reply->conn->tcp.flags & TCP_CONN_TIMESTAMPS) == 0)
		return;
	tcp->options.options |= TCP_OPTION_TIMESTAMPS;
	tcp->options.tsval = reply->env.ts_clock;
	tcp->options.tsecr = reply->conn->tcp.ts_recent;
}

/* What a SYN-ACK in the name of a backend may promise depends on what may be held just now. */
static uint32_t
reply_syn_window(const struct reply *reply)
{
	const struct worker *worker = reply->worker;
	const struct flow_key *key = &reply->conn->key;
	const struct service *service;

	if (likely(worker->proxy == NULL) || !flow_key_is_passive(key))
		return reply->env.rcv_wnd;
	service = services_of(worker->services, key);
	return service->first_window != 0 ? proxy_held_first_window(worker, service)
					  : reply->env.rcv_wnd;
}

/* The options of SYN and SYN-ACK; the window there is never scaled (RFC 7323 2.2). */
static void
reply_syn_options(const struct reply *reply, struct build_tcp *tcp)
{
	const uint16_t flags = reply->conn->tcp.flags;

	tcp->window = (uint16_t)RTE_MIN(reply_syn_window(reply), (uint32_t)UINT16_MAX);
	tcp->options.options |= TCP_OPTION_MSS;
	tcp->options.mss = reply->env.path_mss;
	if ((flags & TCP_CONN_SACK) != 0)
		tcp->options.options |= TCP_OPTION_SACK_PERMITTED;
	if ((flags & TCP_CONN_WINDOW_SCALE) != 0) {
		tcp->options.options |= TCP_OPTION_WINDOW_SCALE;
		tcp->options.window_scale = reply->env.config->rcv_wnd_scale;
	}
	if ((flags & TCP_CONN_ECN) != 0)
		tcp->flags |= TCP_ECE;
}

/* The header of a control segment. */
static struct build_tcp
reply_control_header(
		const struct reply *reply, enum tcp_send send, const struct tcp_segment *segment)
{
	const struct tcp_conn *conn = reply->conn != NULL ? &reply->conn->tcp : NULL;
	struct build_tcp tcp = {0};

	switch (send) {
	case TCP_SEND_RST:
		tcp.seq = segment->ack;
		tcp.flags = TCP_RST;
		return tcp;
	case TCP_SEND_RST_ACK:
		tcp.ack = segment->seq + tcp_segment_length(segment);
		tcp.flags = TCP_RST | TCP_ACK;
		return tcp;
	case TCP_SEND_SYN:
		tcp.seq = conn->snd_una;
		tcp.flags = TCP_SYN;
		reply_timestamps(reply, &tcp);
		reply_syn_options(reply, &tcp);
		return tcp;
	case TCP_SEND_SYN_ACK:
		tcp.seq = conn->snd_una;
		tcp.ack = conn->rcv_nxt;
		tcp.flags = TCP_SYN | TCP_ACK;
		reply_timestamps(reply, &tcp);
		reply_syn_options(reply, &tcp);
		if (reply->grants_cookie)
			burst_fast_open_cookie(reply->worker, &reply->conn->key, &tcp.options);
		return tcp;
	case TCP_SEND_ABORT:
		tcp.flags = TCP_RST;
		break;
	case TCP_SEND_FIN:
		tcp.flags = TCP_FIN;
		break;
	case TCP_SEND_NOTHING:
	case TCP_SEND_ACK:
	case TCP_SEND_CHALLENGE_ACK:
	case TCP_SEND_PROBE:
		break;
	}
	tcp.flags |= TCP_ACK;
	tcp.seq = conn->snd_nxt;
	if (send == TCP_SEND_FIN)
		tcp.seq = conn->snd_nxt - 1;
	if (send == TCP_SEND_PROBE)
		tcp.seq = conn->snd_una - 1;
	tcp.ack = conn->rcv_nxt;
	tcp.window = reply_window(reply);
	reply_timestamps(reply, &tcp);
	return tcp;
}

/* A buffer for the next segment: the packet that is answered, or a new one; NULL when out. */
static struct rte_mbuf *
reply_buffer(struct reply *reply, bool *answers)
{
	struct rte_mbuf *packet = reply->packet;

	*answers = packet != NULL;
	reply->packet = NULL;
	if (packet == NULL) {
		packet = rte_pktmbuf_alloc(reply->worker->pool);
		if (packet == NULL)
			worker_count(reply->worker, reply->port->index, COUNTER_unsent, 1);
		return packet;
	}
	rte_pktmbuf_reset_headroom(packet);
	return packet;
}

/* Headers in front of the payload that is in place, and off it goes. */
static void
reply_send(struct reply *reply, struct rte_mbuf *packet, bool answers, const struct build_tcp *tcp,
		unsigned int payload_length)
{
	const bool offload = reply->port->transmit_offload;
	struct build_lengths lengths;
	const unsigned int length = build_tcp(rte_pktmbuf_mtod(packet, uint8_t *), &reply->path,
			tcp, payload_length,
			offload ? BUILD_CHECKSUM_OFFLOAD : BUILD_CHECKSUM_SOFTWARE, &lengths);

	burst_reply_finish(packet, length);
	if (reply->conn != NULL)
		reply->conn->tcp.flags &= (uint16_t)~TCP_CONN_ACK_DUE;
	if (offload)
		burst_reply_offload(packet, reply->path.family, &lengths);
	if (answers)
		transmit_reply(reply->worker, packet);
	else
		transmit_originated(reply->worker, packet, reply->port->index);
}

/*
 * Challenge ACKs are limited twice (RFC 5961 7): one per connection in half a second, as the kernel
 * does, and so many per second in all.  What each takes from the common limit is random, so that
 * nobody learns of other people's connections by counting what is left (CVE-2016-5696).
 */
static bool
reply_may_challenge(struct worker *worker, struct conn_tail *tail)
{
	const uint8_t half_second = (uint8_t)(1 + worker->now_ms / 500 % 15);
	uint64_t random = worker->challenge_random;

	if (tail->challenged == half_second)
		return false;
	random ^= random << 13;
	random ^= random >> 7;
	random ^= random << 17;
	worker->challenge_random = random;
	if (!token_bucket_take_cost(&worker->challenges, worker->now_us,
			    TOKEN_BUCKET_UNIT / 2 + (random >> 44)))
		return false;
	tail->challenged = half_second & 0xf;
	return true;
}

/* The reason why a due control segment is not sent, or DROP_NONE. */
static enum counter
reply_limited(struct reply *reply, enum tcp_send send)
{
	struct worker *worker = reply->worker;

	switch (send) {
	case TCP_SEND_RST:
	case TCP_SEND_RST_ACK:
		return token_bucket_take(&worker->resets, worker->now_us) ? DROP_NONE
									  : DROP_rst_limited;
	case TCP_SEND_CHALLENGE_ACK:
		return reply_may_challenge(worker, reply->tail) ? DROP_NONE
								: DROP_challenge_limited;
	default:
		return DROP_NONE;
	}
}

static void
reply_count_control(const struct reply *reply, enum tcp_send send)
{
	const uint8_t port = reply->port->index;

	if (send == TCP_SEND_SYN_ACK) {
		worker_count(reply->worker, port, COUNTER_synack_sent, 1);
		if (reply->conn->tcp.retries > 0)
			worker_count(reply->worker, port, COUNTER_synack_retransmits, 1);
		if (reply->grants_cookie)
			worker_count(reply->worker, port, COUNTER_fast_open_cookies, 1);
	} else if (send == TCP_SEND_SYN) {
		worker_count(reply->worker, port, COUNTER_syn_sent, 1);
	} else if (send == TCP_SEND_RST || send == TCP_SEND_RST_ACK || send == TCP_SEND_ABORT) {
		worker_count(reply->worker, port, COUNTER_resets_sent, 1);
	} else if (send == TCP_SEND_CHALLENGE_ACK) {
		worker_count(reply->worker, port, COUNTER_challenge_acks, 1);
	}
}

static void
reply_control(struct reply *reply, enum tcp_send send, const struct tcp_segment *segment)
{
	const struct build_tcp tcp = reply_control_header(reply, send, segment);
	bool answers;
	struct rte_mbuf *packet = reply_buffer(reply, &answers);

	if (packet == NULL)
		return;
	reply_count_control(reply, send);
	reply_send(reply, packet, answers, &tcp, 0);
}

/* @return false when no buffer was free: the retransmission timer will come back to it. */
static bool
reply_chunk(struct reply *reply, const struct respond_service *respond,
		const struct tcp_chunk *chunk)
{
	struct worker *worker = reply->worker;
	struct build_tcp tcp = {
			.seq = chunk->seq,
			.ack = reply->conn->tcp.rcv_nxt,
			.window = reply_window(reply),
			.flags = chunk->flags,
	};
	struct rte_mbuf *packet;
	bool answers;

	packet = reply_buffer(reply, &answers);
	if (packet == NULL)
		return false;
	reply_timestamps(reply, &tcp);
	if (chunk->length > 0)
		respond_fill(respond, &reply->tail->respond, worker->echo_buffers, chunk->seq,
				rte_pktmbuf_mtod_offset(packet, uint8_t *,
						build_tcp_headers_length(
								&reply->path, &tcp.options)),
				chunk->length);
	if (chunk->again)
		worker_count(worker, reply->port->index, COUNTER_data_retransmits, 1);
	else
		worker_count(worker, reply->port->index, COUNTER_data_bytes_sent, chunk->length);
	reply_send(reply, packet, answers, &tcp, chunk->length);
	return true;
}

/* Everything the windows allow of what the service has to say. @return whether anything went. */
static bool
reply_stream(struct reply *reply)
{
	struct worker *worker = reply->worker;
	struct conn *conn = reply->conn;
	const struct service *service = services_of(worker->services, &conn->key);
	struct tcp_stream stream;
	struct tcp_chunk chunk;
	uint32_t delay_ms;
	bool sent = false;

	stream.end = respond_end(
			service->respond, &reply->tail->respond, worker->echo_buffers, &stream.fin);
	while (tcp_output_next(&conn->tcp, &stream, &reply->env, &chunk)) {
		sent = true;
		if (!reply_chunk(reply, service->respond, &chunk))
			break;
	}
	delay_ms = tcp_output_timer(&conn->tcp, &service->tcp);
	if (delay_ms != TCP_OUTPUT_TIMER_KEEP)
		timer_wheel_schedule(worker->wheel, conn, worker->now_ms + delay_ms);
	return sent;
}

#define REPLY_OUTPUT                                                                        \
	(TCP_OUTCOME_OPENED | TCP_OUTCOME_DATA | TCP_OUTCOME_PEER_FIN | TCP_OUTCOME_ACKED | \
			TCP_OUTCOME_OUTPUT)

/* The SYN's text was taken: the service may answer before the handshake is complete. */
static bool
reply_has_early_stream(const struct conn *conn, const struct tcp_action *action)
{
	return action->send == TCP_SEND_SYN_ACK && (action->outcome & TCP_OUTCOME_DATA) != 0 &&
	       tcp_conn_syn_text(&conn->tcp) > 0;
}

/* Whether the connection's service may have something to say now. */
static bool
reply_has_stream(const struct conn *conn, const struct tcp_action *action)
{
	return conn != NULL && (action->outcome & REPLY_OUTPUT) != 0 &&
	       conn->tcp.state >= TCP_ESTABLISHED && conn->tcp.state != TCP_TIME_WAIT;
}

/*
 * Several segments of one connection in a burst are answered by one ACK (RFC 9293 3.8.6.3,
 * MUST-58): what this one brought is acknowledged when anything was sent since it was taken.
 */
static bool
reply_is_acknowledged(const struct conn *conn, const struct tcp_action *action)
{
	return action->send == TCP_SEND_ACK &&
	       (action->outcome & (TCP_OUTCOME_DATA | TCP_OUTCOME_PEER_FIN)) != 0 &&
	       (conn->tcp.flags & TCP_CONN_ACK_DUE) == 0 && conn->tcp.state != TCP_TIME_WAIT;
}

/*
 * The timeout of a segment that makes the service say nothing.  The machine named it before the
 * burst was answered: if an earlier segment of the connection let data out since, that data's
 * retransmission timeout stands.
 */
static void
reply_timer(struct worker *worker, struct conn *conn, const struct tcp_action *action)
{
	const struct tcp_config *config = &services_of(worker->services, &conn->key)->tcp;
	uint32_t delay_ms = action->delay_ms;

	if (conn->tcp.state >= TCP_ESTABLISHED && conn->tcp.state != TCP_TIME_WAIT)
		delay_ms = tcp_output_timer(&conn->tcp, config);
	if (conn->tcp.state == TCP_SYN_RCVD)
		burst_reply_first_timer(worker, conn, delay_ms, config);
	else if (delay_ms != TCP_OUTPUT_TIMER_KEEP)
		timer_wheel_schedule(worker->wheel, conn, worker->now_ms + delay_ms);
}

/* Who has no connection gets a reset at most: nothing is prepared for one that may not be sent. */
static void
reply_to_stranger(struct worker *worker, const struct burst *burst, unsigned int i)
{
	const enum tcp_send send = (enum tcp_send)burst->action[i].send;
	enum counter reason = reply_refusals[burst->action[i].drop];
	struct reply reply = {.worker = worker};

	if (send != TCP_SEND_NOTHING) {
		reason = reply_limited(&reply, send);
		if (reason == DROP_NONE) {
			reply_begin(&reply, worker, burst, i);
			reply_control(&reply, send, &burst->segment[i]);
			return;
		}
	}
	worker_drop(worker, burst->packet[i], reason);
}

static void
reply_one(struct worker *worker, const struct burst *burst, unsigned int i)
{
	const struct tcp_action *action = &burst->action[i];
	const enum tcp_send send = (enum tcp_send)action->send;
	struct conn *conn = burst->conn[i];
	enum counter reason = reply_refusals[action->drop];
	const bool has_stream = reply_has_stream(conn, action);
	struct reply reply;

	reply.packet = burst->packet[i];
	if (has_stream || send != TCP_SEND_NOTHING)
		reply_begin(&reply, worker, burst, i);
	if (has_stream && reply_stream(&reply)) {
		/* Data and FIN carry the acknowledgement. */
	} else if (send != TCP_SEND_NOTHING && !reply_is_acknowledged(conn, action)) {
		const enum counter limited = reply_limited(&reply, send);

		if (limited == DROP_NONE)
			reply_control(&reply, send, &burst->segment[i]);
		else
			reason = limited;
	}
	if (!has_stream && conn != NULL && action->timer == TCP_TIMER_SET)
		reply_timer(worker, conn, action);
	if (reply_has_early_stream(conn, action))
		reply_stream(&reply);
	if (reply.packet != NULL)
		worker_drop(worker, reply.packet, reason);
}

void
burst_reply(struct worker *worker, struct burst *burst)
{
	uint64_t left = burst_all(burst) & ~burst->silent;

	for (; (left = burst_expect_replies(worker, burst, left)) != 0; left &= left - 1) {
		const unsigned int i = rte_bsf64(left);

		if (burst->conn[i] == NULL && burst->packet[i] == NULL)
			continue; /* Somebody else's by now. */
		if (burst->conn[i] == NULL)
			reply_to_stranger(worker, burst, i);
		else
			reply_one(worker, burst, i);
	}
}
