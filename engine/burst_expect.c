/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include <rte_bitops.h>

#include "cookie/isn.h"
#include "engine/burst.h"
#include "engine/burst_cookie.h"
#include "engine/burst_desk.h"
#include "engine/burst_expect.h"
#include "engine/burst_expecting.h"
#include "engine/burst_reply.h"
#include "engine/half_open.h"
#include "engine/transmit.h"
#include "tcp/tcp_expect.h"
#include "wire/build_turn.h"

/* Tell the service what came. */
static inline void
expect_outcome(const struct expected *this, const struct tcp_action *action, uint32_t una)
{
	struct tcp_conn *tcp = &this->conn->tcp;

	if ((action->outcome & TCP_OUTCOME_OPENED) != 0)
		expect_opened(this);
	if (tcp->state == TCP_CLOSED || tcp->state == TCP_TIME_WAIT) {
		expect_ended(this);
		return;
	}
	if ((action->outcome & (TCP_OUTCOME_ACKED | TCP_OUTCOME_OUTPUT)) != 0) {
		burst_step_outcome(
				this->run->worker, this->run->burst, this->i, tcp->snd_una - una);
		return;
	}
	if ((action->outcome & (TCP_OUTCOME_DATA | TCP_OUTCOME_PEER_FIN)) != 0)
		tcp->flags |= TCP_CONN_ACK_DUE;
	if ((action->outcome & TCP_OUTCOME_DATA) != 0)
		expect_data(this, action->take);
	if ((action->outcome & TCP_OUTCOME_PEER_FIN) != 0)
		respond_peer_closed(this->run->desk->service->respond, &this->tail->respond);
}

static inline bool
expect_segment(const struct expected *this, struct tcp_action *action)
{
	struct worker *worker = this->run->worker;
	const struct burst *burst = this->run->burst;
	const struct tcp_segment *segment = &burst->segment[this->i];
	struct tcp_conn *tcp = &this->conn->tcp;
	struct burst_desk *desk = this->run->desk;
	const uint32_t una = tcp->snd_una;

	if (this->tail->port != this->run->port || (tcp->state == TCP_SYN_RCVD && !desk->starts))
		return false;
	desk->env.ts_clock = burst_env_ts_clock(worker, burst->hash[this->i]);
	desk->env.rcv_wnd = BURST_ENV_FIRST_WINDOW;
	if (tcp->state >= TCP_ESTABLISHED && tcp_segment_length(segment) != 0)
		desk->env.rcv_wnd = burst_env_window(worker, desk->service, this->conn);
	if (!tcp_expect(tcp, segment, &desk->env, action))
		return false;
	worker->rules[action->rule]++;
	expect_outcome(this, action, una);
	return true;
}

/* Whether a SYN may be kept without anybody having to give way. */
static inline bool
expect_may_keep(const struct expected *this)
{
	const struct worker *worker = this->run->worker;
	const struct burst *burst = this->run->burst;
	const struct burst_desk *desk = this->run->desk;
	const struct flow_key *key = &burst->key[this->i];

	return desk->opens && burst->waiting[this->i] == NULL &&
	       (burst->segment[this->i].flags & TCP_FIN) == 0 && key->port != 0 &&
	       desk->share->half_open < desk->service->settings->max_syn_backlog &&
	       engine_phase(worker->engine) == ENGINE_RUNNING && !half_open_is_crowded(worker) &&
	       !service_map_is_no_peer(worker->services->map[this->run->port], key->address);
}

/* SYNs of nobody who is known, without a branch: in a mixture they are anywhere. */
static inline uint64_t
expect_syns(const struct burst *burst)
{
	uint64_t syns = 0;

	for (unsigned int i = 0; i < burst->n; i++)
		syns |= (uint64_t)((burst->event[i] == TCP_EVENT_SYN) & (burst->conn[i] == NULL))
			<< i;
	return syns;
}

/* Where the connections of this packet and of the other SYNs in the burst begin, worked out at
 * once. */
static void
expect_isns(const struct worker *worker, struct burst *burst, unsigned int i)
{
	const uint64_t syns = expect_syns(burst) | UINT64_C(1) << i;
	uint64_t hash[BURST_MAX];
	uint32_t isn[BURST_MAX];
	unsigned int n = 0;

	for (uint64_t left = syns; left != 0; left &= left - 1)
		hash[n++] = burst->hash[rte_bsf64(left)];
	isn_make_bulk(&worker->engine->isn_key, hash, n, worker->now_us, isn);
	n = 0;
	for (uint64_t left = syns; left != 0; left &= left - 1)
		burst->isn[rte_bsf64(left)] = isn[n++];
	burst->isns |= syns;
}

static inline bool
expect_syn(struct expected *this, struct tcp_action *action)
{
	struct worker *worker = this->run->worker;
	struct burst *burst = this->run->burst;
	struct burst_desk *desk = this->run->desk;
	const unsigned int i = this->i;
	struct conn_tail *tail;
	struct conn *conn;

	if (!expect_may_keep(this) || !services_admit(desk->service, desk->share))
		return false;
	conn = conn_table_insert(worker->table, &burst->key[i], burst->hash[i]);
	if (conn == NULL) {
		services_release(desk->service, desk->share);
		return false;
	}
	if (unlikely((burst->isns >> i & 1) == 0))
		expect_isns(worker, burst, i);
	burst->conn[i] = conn;
	worker_inserted(worker, burst->hash[i]);
	desk->env.ts_clock = burst_env_ts_clock(worker, burst->hash[i]);
	desk->env.rcv_wnd = BURST_ENV_FIRST_WINDOW;
	desk->env.isn = burst->isn[i];
	conn->tcp.state = TCP_LISTEN;
	tcp_expect_syn(&conn->tcp, &burst->segment[i], &desk->env, action);
	worker->rules[action->rule]++;
	this->run->syns++;
	tail = conn_table_tail(worker->table, conn);
	tail->port = this->run->port & 0xf;
	tail->recover = (uint32_t)worker->now_us;
	memcpy(tail->peer_mac,
			rte_pktmbuf_mtod(burst->packet[i], const uint8_t *) + RTE_ETHER_ADDR_LEN,
			sizeof(tail->peer_mac));
	burst_cookie_half_open(worker, desk->service, desk->share, true);
	half_open_push(worker, desk->share, conn);
	return true;
}

static inline bool
expect_packet(struct expecting *run, unsigned int i)
{
	struct worker *worker = run->worker;
	struct burst *burst = run->burst;
	const uint8_t event = burst->event[i];
	struct expected this = {run, i, .conn = burst->conn[i]};
	const struct flow_key *key = &burst->key[i];

	if (burst->packet[i] == NULL)
		return false;
	if (this.conn == NULL && worker_may_have_inserted(worker, burst->hash[i]))
		this.conn = conn_table_lookup(worker->table, key, burst->hash[i]);
	burst->conn[i] = this.conn;
	if (!flow_key_is_passive(key) || !expecting_desk(run, burst->packet[i], key->endpoint))
		return false;
	if (this.conn == NULL)
		return event == TCP_EVENT_SYN && expect_syn(&this, &burst->action[i]);
	if ((event != TCP_EVENT_ACK && event != TCP_EVENT_FIN) ||
			this.conn->tcp.state >= TCP_STATES)
		return false;
	this.tail = conn_table_tail(worker->table, this.conn);
	return expect_segment(&this, &burst->action[i]);
}

uint64_t
burst_expect(struct worker *worker, struct burst *burst, uint64_t packets)
{
	struct expecting run;

	/* While services change, a packet's listener may not be its connection's. */
	if (packets == 0 || unlikely(worker->services->changing))
		return packets;
	expecting_begin(&run, worker, burst);
	while (packets != 0 && expect_packet(&run, rte_bsf64(packets)))
		packets &= packets - 1;
	expecting_end(&run);
	return packets;
}

#define EXPECT_OUTPUT                                                                       \
	(TCP_OUTCOME_OPENED | TCP_OUTCOME_DATA | TCP_OUTCOME_PEER_FIN | TCP_OUTCOME_ACKED | \
			TCP_OUTCOME_OUTPUT)

static inline void
expect_send_syn_ack(const struct expected *this)
{
	const struct worker *worker = this->run->worker;
	const struct burst *burst = this->run->burst;
	struct tcp_conn *tcp = &this->conn->tcp;
	const struct build_numbers numbers = {
			.seq = tcp->snd_una,
			.ack = tcp->rcv_nxt,
			.tsval = burst_env_ts_clock(worker, burst->hash[this->i]),
			.tsecr = tcp->ts_recent,
	};

	expecting_send(this->run);
	this->run->syn_acks++;
	if (unlikely(tcp->retries > 0))
		worker_count(this->run->worker, this->run->port, COUNTER_synack_retransmits, 1);
	burst_reply_form(burst->packet[this->i], &burst->frame[this->i],
			&worker->engine->port[this->run->port],
			burst_desk_form(this->run->desk, tcp->flags), &numbers);
	tcp->flags &= (uint16_t)~TCP_CONN_ACK_DUE;
	transmit_reply(this->run->worker, burst->packet[this->i]);
}

/* Turned around together with others; lengths are those that it will have. */
static inline void
expect_turn(struct expecting *run, struct rte_mbuf *packet, const struct build_turn *turn)
{
	struct expecting_answers *answers = &run->answers[turn->timestamps];
	const unsigned int ip = run->desk->family == 4 ? 20 : 40;

	answers->packet[answers->turns.n] = packet;
	turn_columns_add(&answers->turns, rte_pktmbuf_mtod(packet, uint8_t *), turn);
	burst_reply_finish(packet, 14 + ip + build_turn_header(turn) + turn->payload_length);
}

/* An ACK, with what is to be said. */
static inline void
expect_send(const struct expected *this, const struct tcp_chunk *chunk)
{
	const struct burst_desk *desk = this->run->desk;
	struct worker *worker = this->run->worker;
	const struct port *port = &worker->engine->port[this->run->port];
	const struct frame *frame = &this->run->burst->frame[this->i];
	struct rte_mbuf *packet = this->run->burst->packet[this->i];
	struct tcp_conn *tcp = &this->conn->tcp;
	const bool scaled = (tcp->flags & TCP_CONN_WINDOW_SCALE) != 0;
	const uint32_t window = burst_env_window(worker, desk->service, this->conn) >>
				(scaled ? desk->env.config->rcv_wnd_scale : 0);
	struct build_turn turn = {
			.seq = chunk->seq,
			.ack = tcp->rcv_nxt,
			.tsval = burst_env_ts_clock(worker, this->run->burst->hash[this->i]),
			.tsecr = tcp->ts_recent,
			.payload_length = chunk->length,
			.window = (uint16_t)RTE_MIN(window, (uint32_t)UINT16_MAX),
			.flags = chunk->flags,
			.timestamps = (tcp->flags & TCP_CONN_TIMESTAMPS) != 0,
	};
	const unsigned int header = build_turn_header(&turn);
	uint8_t *data = rte_pktmbuf_mtod(packet, uint8_t *);

	if (chunk->length > 0)
		turn.payload_sum = respond_fill_sum(desk->service->respond, &this->tail->respond,
				worker->echo_buffers, chunk->seq, data + frame->l4_offset + header,
				chunk->length);
	tcp->flags &= (uint16_t)~TCP_CONN_ACK_DUE;
	if (likely(worker->columns && !port->transmit_offload && turn_columns_may(frame))) {
		expect_turn(this->run, packet, &turn);
		return;
	}
	/* What was said before leaves before. */
	expecting_send(this->run);
	burst_reply_finish(packet, build_turn(data, frame, &turn,
						   unlikely(port->transmit_offload)
								   ? BUILD_CHECKSUM_OFFLOAD
								   : BUILD_CHECKSUM_SOFTWARE));
	if (unlikely(port->transmit_offload)) {
		const struct build_lengths lengths = {
				.l2 = frame->l3_offset,
				.l3 = (uint16_t)(frame->l4_offset - frame->l3_offset),
				.l4 = (uint16_t)header,
		};

		burst_reply_offload(packet, frame->family, &lengths);
	}
	transmit_reply(worker, packet);
}

/* Room for the longest header and the most that the stream may say now. */
static inline bool
expect_has_room(const struct expected *this)
{
	const struct rte_mbuf *packet = this->run->burst->packet[this->i];

	return build_turn_may(&this->run->burst->frame[this->i]) &&
	       packet->buf_len - packet->data_off >= BUILD_HEADERS_MAX + this->conn->tcp.mss;
}

static inline void
expect_timer(const struct expected *this, uint32_t delay_ms)
{
	struct worker *worker = this->run->worker;

	if (delay_ms != TCP_OUTPUT_TIMER_KEEP)
		timer_wheel_postpone(worker->wheel, this->conn, worker->now_ms + delay_ms);
}

/* Whether the ACK that is due has not been sent with what answered an earlier segment of the burst.
 */
static inline bool
expect_acks(const struct tcp_conn *tcp, const struct tcp_action *action)
{
	return action->send == TCP_SEND_ACK &&
	       ((tcp->flags & TCP_CONN_ACK_DUE) != 0 || tcp->state == TCP_TIME_WAIT ||
			       (action->outcome & (TCP_OUTCOME_DATA | TCP_OUTCOME_PEER_FIN)) == 0);
}

/* The answer of an open connection, what its service says with it, and the time until the next. */
static inline bool
expect_answer(const struct expected *this, const struct tcp_action *action)
{
	const struct burst_desk *desk = this->run->desk;
	struct worker *worker = this->run->worker;
	struct tcp_conn *tcp = &this->conn->tcp;
	const bool lasts = tcp->state >= TCP_ESTABLISHED && tcp->state != TCP_TIME_WAIT;
	const bool has_stream = lasts && (action->outcome & EXPECT_OUTPUT) != 0;
	enum tcp_expect_output output = TCP_EXPECT_NOTHING;
	struct tcp_stream stream;
	struct tcp_chunk chunk;

	if (has_stream) {
		stream.end = respond_end(desk->service->respond, &this->tail->respond,
				worker->echo_buffers, &stream.fin);
		output = tcp_expect_output(tcp, &stream, &chunk);
		if (output == TCP_EXPECT_UNKNOWN)
			return false;
	}
	if (output == TCP_EXPECT_CHUNK) {
		this->run->bytes_sent += chunk.length;
		expect_send(this, &chunk);
	} else if (expect_acks(tcp, action)) {
		chunk = (struct tcp_chunk){.seq = tcp->snd_nxt, .flags = TCP_ACK};
		expect_send(this, &chunk);
	} else {
		this->run->consumed[this->run->consumed_count++] =
				this->run->burst->packet[this->i];
	}
	if (has_stream)
		expect_timer(this, tcp_expect_output_timer(tcp, desk->env.config));
	else if (action->timer == TCP_TIMER_SET)
		expect_timer(this,
				lasts ? tcp_output_timer(tcp, desk->env.config) : action->delay_ms);
	return true;
}

/* Of a connection. */
static inline bool
expect_reply(struct expecting *run, unsigned int i)
{
	struct burst *burst = run->burst;
	const struct tcp_action *action = &burst->action[i];
	struct expected this = {run, i, .conn = burst->conn[i]};

	if (this.conn == NULL || burst->packet[i] == NULL ||
			!flow_key_is_passive(&this.conn->key) || action->drop != TCP_REFUSAL_NONE ||
			this.conn->tcp.state >= TCP_STATES || !expect_has_room(&this) ||
			!expecting_desk(run, burst->packet[i], this.conn->key.endpoint))
		return false;
	this.tail = conn_table_tail(run->worker->table, this.conn);
	if (action->send == TCP_SEND_SYN_ACK) {
		if (!run->desk->opens || action->outcome != 0)
			return false;
		expect_send_syn_ack(&this);
		if (action->timer == TCP_TIMER_SET)
			burst_reply_first_timer(run->worker, this.conn, action->delay_ms,
					run->desk->env.config);
		return true;
	}
	return (action->send == TCP_SEND_NOTHING || action->send == TCP_SEND_ACK) &&
	       expect_answer(&this, action);
}

uint64_t
burst_expect_replies(struct worker *worker, struct burst *burst, uint64_t packets)
{
	struct expecting run;

	if (packets == 0)
		return 0;
	expecting_begin(&run, worker, burst);
	while (packets != 0 && expect_reply(&run, rte_bsf64(packets)))
		packets &= packets - 1;
	expecting_end(&run);
	return packets;
}
