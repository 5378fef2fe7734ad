/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include "cookie/isn.h"
#include "engine/burst.h"
#include "engine/burst_cookie.h"
#include "engine/burst_desk.h"
#include "engine/burst_expect.h"
#include "engine/burst_reply.h"
#include "engine/half_open.h"
#include "engine/transmit.h"
#include "tcp/tcp_expect.h"
#include "wire/build_turn.h"

/* One packet of a burst, and who it is for. */
struct expected {
	struct worker *worker;
	struct burst *burst;
	unsigned int i;
	struct burst_desk *desk;
	struct conn *conn;
	struct conn_tail *tail;
};

static void
expect_opened(const struct expected *this)
{
	struct worker *worker = this->worker;
	struct conn *conn = this->conn;
	struct conn_tail *tail = this->tail;
	struct tcp_sender sender;

	half_open_left(worker, conn, false);
	histogram_record(&worker->handshake_us, (uint32_t)worker->now_us - tail->recover, 1);
	worker_count(worker, tail->port, COUNTER_opened, 1);
	this->desk->share->opened++;
	tcp_output_open(&conn->tcp, &sender, this->desk->env.config);
	tail->recover = sender.recover;
	tail->ssthresh = sender.ssthresh;
	respond_open(this->desk->service->respond, &tail->respond, conn->tcp.snd_una,
			worker->echo_buffers);
}

/* The end of a connection that counted: by the peer's last ACK, or in TIME_WAIT. */
static void
expect_ended(const struct expected *this)
{
	struct worker *worker = this->worker;
	const struct burst_desk *desk = this->desk;
	const uint64_t hash = this->burst->hash[this->i];

	respond_closed(desk->service->respond, &this->tail->respond, worker->echo_buffers);
	services_release(desk->service, desk->share);
	worker_count(worker, this->tail->port, COUNTER_closed, 1);
	desk->share->closed++;
	if (this->conn->tcp.state == TCP_TIME_WAIT)
		time_wait_prefetch(worker->time_wait, hash);
	burst_step_note(worker, &(struct worker_ending){.conn = this->conn, .hash = hash});
}

static void
expect_data(const struct expected *this, const struct tcp_action *action)
{
	const struct burst *burst = this->burst;
	const struct rte_mbuf *packet = burst->packet[this->i];
	const uint8_t *data = rte_pktmbuf_mtod(packet, const uint8_t *);
	const uint8_t *payload = data + burst->frame[this->i].l4_offset +
				 burst->segment[this->i].payload_offset;
	const unsigned int requests = respond_input(this->desk->service->respond,
			&this->tail->respond, this->worker->echo_buffers, payload, action->take);

	/* What a timer may have to send goes where the latest data came from. */
	memcpy(this->tail->peer_mac, data + RTE_ETHER_ADDR_LEN, sizeof(this->tail->peer_mac));
	worker_count(this->worker, this->tail->port, COUNTER_data_bytes_received, action->take);
	worker_count(this->worker, this->tail->port, COUNTER_requests, requests);
	this->desk->share->requests += requests;
}

/* @return false when the connection is told of it by burst_step(). */
static bool
expect_segment(const struct expected *this, struct tcp_action *action)
{
	const struct burst *burst = this->burst;
	const struct tcp_segment *segment = &burst->segment[this->i];
	const uint32_t una = this->conn->tcp.snd_una;
	struct tcp_env *env = &this->desk->env;
	struct tcp_conn *tcp = &this->conn->tcp;

	if (tcp->state == TCP_SYN_RCVD && !this->desk->starts)
		return false;
	env->ts_clock = burst_env_ts_clock(this->worker, burst->hash[this->i]);
	env->rcv_wnd = BURST_ENV_FIRST_WINDOW;
	if (tcp->state >= TCP_ESTABLISHED && tcp_segment_length(segment) != 0)
		env->rcv_wnd = burst_env_window(this->worker, this->desk->service, this->conn);
	if (!tcp_expect(tcp, segment, env, action))
		return false;
	this->worker->rules[action->rule]++;
	if ((action->outcome & TCP_OUTCOME_OPENED) != 0)
		expect_opened(this);
	if (tcp->state == TCP_CLOSED || tcp->state == TCP_TIME_WAIT) {
		expect_ended(this);
		return true;
	}
	if ((action->outcome & (TCP_OUTCOME_ACKED | TCP_OUTCOME_OUTPUT)) != 0) {
		burst_step_outcome(this->worker, this->burst, this->i, tcp->snd_una - una);
		return true;
	}
	if ((action->outcome & (TCP_OUTCOME_DATA | TCP_OUTCOME_PEER_FIN)) != 0)
		tcp->flags |= TCP_CONN_ACK_DUE;
	if ((action->outcome & TCP_OUTCOME_DATA) != 0)
		expect_data(this, action);
	if ((action->outcome & TCP_OUTCOME_PEER_FIN) != 0)
		respond_peer_closed(this->desk->service->respond, &this->tail->respond);
	return true;
}

/* Whether a SYN may be kept without anybody having to give way. */
static bool
expect_may_keep(const struct expected *this)
{
	const struct worker *worker = this->worker;
	const struct flow_key *key = &this->burst->key[this->i];
	const uint8_t port = (uint8_t)this->burst->packet[this->i]->port;

	return this->desk->opens && this->burst->waiting[this->i] == NULL &&
	       (this->burst->segment[this->i].flags & TCP_FIN) == 0 && key->port != 0 &&
	       this->desk->share->half_open < this->desk->service->settings->max_syn_backlog &&
	       engine_phase(worker->engine) == ENGINE_RUNNING && !half_open_is_crowded(worker) &&
	       !service_map_is_no_peer(worker->services->map[port], key->address);
}

static bool
expect_syn(struct expected *this, struct tcp_action *action)
{
	struct worker *worker = this->worker;
	struct burst *burst = this->burst;
	const unsigned int i = this->i;
	const struct rte_mbuf *packet = burst->packet[i];
	const struct burst_desk *desk = this->desk;
	struct tcp_env *env = &this->desk->env;

	if (!expect_may_keep(this) || !services_admit(desk->service, desk->share))
		return false;
	this->conn = conn_table_insert(worker->table, &burst->key[i], burst->hash[i]);
	if (this->conn == NULL) {
		services_release(desk->service, desk->share);
		return false;
	}
	burst->conn[i] = this->conn;
	worker->inserted = true;
	env->ts_clock = burst_env_ts_clock(worker, burst->hash[i]);
	env->rcv_wnd = BURST_ENV_FIRST_WINDOW;
	env->isn = isn_make(&worker->engine->isn_key, &burst->key[i], worker->now_us);
	this->conn->tcp.state = TCP_LISTEN;
	tcp_expect_syn(&this->conn->tcp, &burst->segment[i], env, action);
	worker->rules[action->rule]++;
	worker_count(worker, (uint8_t)packet->port, COUNTER_syn_received, 1);
	this->tail = conn_table_tail(worker->table, this->conn);
	this->tail->port = (uint8_t)packet->port;
	this->tail->recover = (uint32_t)worker->now_us;
	memcpy(this->tail->peer_mac, rte_pktmbuf_mtod(packet, const uint8_t *) + RTE_ETHER_ADDR_LEN,
			sizeof(this->tail->peer_mac));
	burst_cookie_half_open(worker, desk->service, desk->share, true);
	half_open_push(worker, desk->share, this->conn);
	return true;
}

bool
burst_expect(struct worker *worker, struct burst *burst, unsigned int i)
{
	const uint8_t event = burst->event[i];
	struct expected this = {worker, burst, i, .conn = burst->conn[i]};
	const struct flow_key *key = this.conn != NULL ? &this.conn->key : &burst->key[i];

	if (burst->packet[i] == NULL || !flow_key_is_passive(key))
		return false;
	this.desk = burst_desk(worker, (uint8_t)burst->packet[i]->port, key->endpoint);
	if (this.desk == NULL)
		return false;
	if (this.conn == NULL)
		return event == TCP_EVENT_SYN && expect_syn(&this, &burst->action[i]);
	if (event != TCP_EVENT_ACK && event != TCP_EVENT_FIN)
		return false;
	this.tail = conn_table_tail(worker->table, this.conn);
	return expect_segment(&this, &burst->action[i]);
}

#define EXPECT_OUTPUT                                                                       \
	(TCP_OUTCOME_OPENED | TCP_OUTCOME_DATA | TCP_OUTCOME_PEER_FIN | TCP_OUTCOME_ACKED | \
			TCP_OUTCOME_OUTPUT)

/* Off it goes. */
static void
expect_send(const struct expected *this, const struct port *port, unsigned int length,
		const struct build_lengths *lengths)
{
	struct rte_mbuf *packet = this->burst->packet[this->i];

	burst_reply_finish(packet, length);
	this->conn->tcp.flags &= (uint16_t)~TCP_CONN_ACK_DUE;
	if (unlikely(port->transmit_offload))
		burst_reply_offload(packet, this->burst->frame[this->i].family, lengths);
	transmit_reply(this->worker, packet);
}

static void
expect_send_syn_ack(const struct expected *this)
{
	const struct rte_mbuf *packet = this->burst->packet[this->i];
	const struct tcp_conn *tcp = &this->conn->tcp;
	const struct build_numbers numbers = {
			.seq = tcp->snd_una,
			.ack = tcp->rcv_nxt,
			.tsval = burst_env_ts_clock(this->worker, this->burst->hash[this->i]),
			.tsecr = tcp->ts_recent,
	};
	const uint8_t port = (uint8_t)packet->port;

	worker_count(this->worker, port, COUNTER_synack_sent, 1);
	if (tcp->retries > 0)
		worker_count(this->worker, port, COUNTER_synack_retransmits, 1);
	burst_reply_form(this->burst->packet[this->i], &this->burst->frame[this->i],
			&this->worker->engine->port[port], burst_desk_form(this->desk, tcp->flags),
			&numbers);
	this->conn->tcp.flags &= (uint16_t)~TCP_CONN_ACK_DUE;
	transmit_reply(this->worker, this->burst->packet[this->i]);
}

/* An ACK, with what is to be said. */
static void
expect_send_chunk(const struct expected *this, const struct tcp_chunk *chunk)
{
	const struct worker *worker = this->worker;
	const struct frame *frame = &this->burst->frame[this->i];
	struct rte_mbuf *packet = this->burst->packet[this->i];
	const struct port *port = &worker->engine->port[packet->port];
	const struct tcp_conn *tcp = &this->conn->tcp;
	const bool scaled = (tcp->flags & TCP_CONN_WINDOW_SCALE) != 0;
	const uint32_t window = burst_env_window(worker, this->desk->service, this->conn) >>
				(scaled ? this->desk->env.config->rcv_wnd_scale : 0);
	struct build_turn turn = {
			.seq = chunk->seq,
			.ack = tcp->rcv_nxt,
			.tsval = burst_env_ts_clock(worker, this->burst->hash[this->i]),
			.tsecr = tcp->ts_recent,
			.payload_length = chunk->length,
			.window = (uint16_t)RTE_MIN(window, (uint32_t)UINT16_MAX),
			.flags = chunk->flags,
			.timestamps = (tcp->flags & TCP_CONN_TIMESTAMPS) != 0,
	};
	const struct build_lengths lengths = {
			.l2 = frame->l3_offset,
			.l3 = (uint16_t)(frame->l4_offset - frame->l3_offset),
			.l4 = (uint16_t)build_turn_header(&turn),
	};
	uint8_t *data = rte_pktmbuf_mtod(packet, uint8_t *);

	if (chunk->length > 0) {
		uint8_t *text = data + frame->l4_offset + lengths.l4;

		respond_fill(this->desk->service->respond, &this->tail->respond,
				worker->echo_buffers, chunk->seq, text, chunk->length);
		if (likely(!port->transmit_offload))
			turn.payload_sum = checksum_add(0, text, chunk->length);
	}
	expect_send(this, port,
			build_turn(data, frame, &turn,
					port->transmit_offload ? BUILD_CHECKSUM_OFFLOAD
							       : BUILD_CHECKSUM_SOFTWARE),
			&lengths);
}

/* Room for the longest header and the most that the stream may say now. */
static bool
expect_has_room(const struct expected *this)
{
	const struct rte_mbuf *packet = this->burst->packet[this->i];

	return build_turn_may(&this->burst->frame[this->i]) &&
	       packet->buf_len - packet->data_off >= BUILD_HEADERS_MAX + this->conn->tcp.mss;
}

/* What the windows allow of what the service has to say. @return whether it was looked at. */
static bool
expect_stream(const struct expected *this, enum tcp_expect_output *output, struct tcp_chunk *chunk)
{
	struct worker *worker = this->worker;
	struct tcp_stream stream;

	stream.end = respond_end(this->desk->service->respond, &this->tail->respond,
			worker->echo_buffers, &stream.fin);
	*output = tcp_expect_output(&this->conn->tcp, &stream, chunk);
	return *output != TCP_EXPECT_UNKNOWN;
}

static void
expect_timer(const struct expected *this, uint32_t delay_ms)
{
	if (delay_ms != TCP_OUTPUT_TIMER_KEEP)
		timer_wheel_schedule(
				this->worker->wheel, this->conn, this->worker->now_ms + delay_ms);
}

bool
burst_expect_reply(struct worker *worker, struct burst *burst, unsigned int i)
{
	const struct tcp_action *action = &burst->action[i];
	struct expected this = {worker, burst, i, .conn = burst->conn[i]};
	struct tcp_conn *tcp = &this.conn->tcp;
	enum tcp_expect_output output = TCP_EXPECT_NOTHING;
	struct tcp_chunk chunk;
	bool has_stream, acks;

	if (burst->packet[i] == NULL || !flow_key_is_passive(&this.conn->key) ||
			action->drop != TCP_REFUSAL_NONE || tcp->state >= TCP_STATES ||
			!expect_has_room(&this))
		return false;
	this.desk = burst_desk(worker, (uint8_t)burst->packet[i]->port, this.conn->key.endpoint);
	if (this.desk == NULL)
		return false;
	this.tail = conn_table_tail(worker->table, this.conn);
	if (action->send == TCP_SEND_SYN_ACK) {
		if (!this.desk->opens || action->outcome != 0)
			return false;
		expect_send_syn_ack(&this);
		if (action->timer == TCP_TIMER_SET)
			expect_timer(&this, action->delay_ms);
		return true;
	}
	if (action->send != TCP_SEND_NOTHING && action->send != TCP_SEND_ACK)
		return false;
	has_stream = (action->outcome & EXPECT_OUTPUT) != 0 && tcp->state >= TCP_ESTABLISHED &&
		     tcp->state != TCP_TIME_WAIT;
	if (has_stream && !expect_stream(&this, &output, &chunk))
		return false;
	/* Of several segments in a burst the first may have been answered for all. */
	acks = action->send == TCP_SEND_ACK &&
	       ((tcp->flags & TCP_CONN_ACK_DUE) != 0 || tcp->state == TCP_TIME_WAIT ||
			       (action->outcome & (TCP_OUTCOME_DATA | TCP_OUTCOME_PEER_FIN)) == 0);
	if (output == TCP_EXPECT_CHUNK) {
		worker_count(worker, (uint8_t)burst->packet[i]->port, COUNTER_data_bytes_sent,
				chunk.length);
		expect_send_chunk(&this, &chunk);
	} else if (acks) {
		chunk = (struct tcp_chunk){.seq = tcp->snd_nxt, .flags = TCP_ACK};
		expect_send_chunk(&this, &chunk);
	} else {
		worker_drop(worker, burst->packet[i], DROP_consumed);
	}
	if (has_stream)
		expect_timer(&this, tcp_expect_output_timer(tcp, this.desk->env.config));
	else if (action->timer == TCP_TIMER_SET && tcp->state == TCP_TIME_WAIT)
		expect_timer(&this, action->delay_ms);
	else if (action->timer == TCP_TIMER_SET)
		expect_timer(&this, tcp_output_timer(tcp, this.desk->env.config));
	return true;
}
