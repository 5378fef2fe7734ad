/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * What happens to the generator's connections: events go through the TCP machine, its actions
 * become segments at once.  What becomes of a connection is counted in load_event.c.
 *
 * A segment is answered before the next one of the burst is looked at, so acknowledgements and
 * timers need no second thought.  A connection that ended stays in the table until the burst is
 * over, because a later packet may be its.
 */

#include <string.h>

#include "engine/load.h"
#include "engine/load_event.h"
#include "engine/load_predict.h"
#include "engine/transmit.h"
#include "engine/worker.h"
#include "tcp/tcp_expect.h"
#include "tcp/tcp_output.h"

#define LOAD_STEP_ENDED (TCP_OUTCOME_CLOSED | TCP_OUTCOME_RESET | TCP_OUTCOME_TIMED_OUT)
#define LOAD_STEP_OUTPUT                                                                    \
	(TCP_OUTCOME_OPENED | TCP_OUTCOME_DATA | TCP_OUTCOME_PEER_FIN | TCP_OUTCOME_ACKED | \
			TCP_OUTCOME_OUTPUT)
/* Soonest that a SYN goes out again after the reset that a challenge asked for. */
#define LOAD_STEP_RETRY_MS 2

/* A buffer for the next segment. */
static struct rte_mbuf *
load_step_buffer(struct load_event *event, bool *answers)
{
	struct rte_mbuf *packet = event->packet;

	*answers = packet != NULL;
	event->packet = NULL;
	if (packet == NULL) {
		packet = rte_pktmbuf_alloc(event->worker->pool);
		if (packet == NULL)
			figures_count(event->load->figures, FIGURE_no_buffer, 1);
		return packet;
	}
	rte_pktmbuf_reset_headroom(packet);
	packet->ol_flags = 0;
	return packet;
}

/* What every segment carries (RFC 7323 3.2), in front of the SYN's own. */
static const struct frame_text *
load_step_timestamps(const struct load_event *event, uint8_t bytes[12], struct frame_text *text)
{
	const struct tcp_options options = {
			.options = TCP_OPTION_TIMESTAMPS,
			.tsval = event->load->env.ts_clock,
			.tsecr = event->tcp->ts_recent,
	};

	if ((event->tcp->flags & TCP_CONN_TIMESTAMPS) == 0)
		return NULL;
	text->bytes = bytes;
	text->length = tcp_options_build(bytes, &options);
	text->sum = checksum_add(0, bytes, text->length);
	return text;
}

static uint16_t
load_step_window(const struct load_event *event)
{
	const struct tcp_env *env = &event->load->env;
	const bool scaled = (event->tcp->flags & TCP_CONN_WINDOW_SCALE) != 0;

	return (uint16_t)RTE_MIN(env->rcv_wnd >> (scaled ? env->config->rcv_wnd_scale : 0),
			(uint32_t)UINT16_MAX);
}

/* Write a segment and send it. @return false when there is no buffer. */
static bool
load_step_send(struct load_event *event, struct frame_tcp *tcp, const struct frame_text *options,
		const struct frame_text *payload)
{
	const struct load_target *target = &event->load->load->target[flow_key_target(event->key)];
	bool answers;
	struct rte_mbuf *packet = load_step_buffer(event, &answers);
	unsigned int length;

	if (packet == NULL)
		return false;
	tcp->source = event->key->address;
	tcp->port = event->key->port;
	length = frame_template_write(&target->frames, rte_pktmbuf_mtod(packet, uint8_t *), tcp,
			options, payload);
	packet->data_len = (uint16_t)length;
	packet->pkt_len = length;
	if (answers)
		transmit_reply(event->worker, packet);
	else
		transmit_originated(event->worker, packet, target->by_port);
	return true;
}

/* SYN or SYN,ACK, with all options; the window there is never scaled (RFC 7323 2.2). */
static void
load_step_send_syn(struct load_event *event, uint8_t flags)
{
	const struct tcp_env *env = &event->load->env;
	struct frame_tcp tcp = {
			.window = (uint16_t)RTE_MIN(env->rcv_wnd, (uint32_t)UINT16_MAX),
			.seq = event->tcp->snd_una,
			.ack = (flags & TCP_ACK) != 0 ? event->tcp->rcv_nxt : 0,
			.flags = flags,
	};

	load_step_send(event, &tcp, &event->load->syn_options, NULL);
}

static void
load_step_control(struct load_event *event, enum tcp_send send, const struct tcp_segment *segment)
{
	const struct tcp_conn *conn = event->tcp;
	struct frame_tcp tcp = {.flags = TCP_ACK};
	struct frame_text text;
	uint8_t bytes[12];

	switch (send) {
	case TCP_SEND_SYN:
		if (conn->retries > 0)
			figures_count(event->load->figures, FIGURE_syn_retransmits, 1);
		/* Unless the device does not take this one either: load_refused(). */
		event->own->flags &= (uint8_t)~LOAD_CONN_UNSENT;
		load_step_send_syn(event, TCP_SYN);
		return;
	case TCP_SEND_SYN_ACK:
		load_step_send_syn(event, TCP_SYN | TCP_ACK);
		return;
	case TCP_SEND_RST:
		tcp.seq = segment->ack;
		tcp.flags = TCP_RST;
		load_step_send(event, &tcp, NULL, NULL);
		return;
	case TCP_SEND_RST_ACK:
		tcp.ack = segment->seq + tcp_segment_length(segment);
		tcp.flags = TCP_RST | TCP_ACK;
		load_step_send(event, &tcp, NULL, NULL);
		return;
	case TCP_SEND_ABORT:
		tcp.flags |= TCP_RST;
		break;
	case TCP_SEND_FIN:
		tcp.flags |= TCP_FIN;
		break;
	default:
		break;
	}
	tcp.seq = conn->snd_nxt;
	if (send == TCP_SEND_FIN)
		tcp.seq = conn->snd_nxt - 1;
	else if (send == TCP_SEND_PROBE)
		tcp.seq = conn->snd_una - 1;
	tcp.ack = conn->rcv_nxt;
	tcp.window = load_step_window(event);
	load_step_send(event, &tcp, load_step_timestamps(event, bytes, &text), NULL);
}

/* The bytes of a chunk: of the request, from wherever it starts. */
static const struct frame_text *
load_step_payload(const struct load_event *event, const struct tcp_chunk *chunk,
		struct frame_text *text)
{
	const struct frame_text *request = &event->load->request;
	uint32_t behind = event->own->end - chunk->seq;

	if (chunk->length == 0)
		return NULL;
	if (chunk->length == request->length)
		return request;
	while (behind > request->length)
		behind -= request->length;
	text->bytes = request->bytes + (request->length - behind);
	text->length = RTE_MIN((uint32_t)chunk->length, behind);
	text->sum = checksum_add(0, text->bytes, text->length);
	return text;
}

static bool
load_step_chunk(struct load_event *event, const struct tcp_chunk *chunk)
{
	struct figures *figures = event->load->figures;
	struct frame_tcp tcp = {
			.seq = chunk->seq,
			.ack = event->tcp->rcv_nxt,
			.window = load_step_window(event),
			.flags = chunk->flags,
	};
	struct frame_text timestamps, text;
	uint8_t bytes[12];

	if (chunk->again)
		figures_count(figures, FIGURE_retransmits, 1);
	else if (chunk->length > 0)
		figures_count(figures, FIGURE_bytes_sent, chunk->length);
	if ((chunk->flags & TCP_FIN) != 0 && !chunk->again) {
		event->own->flags |= LOAD_CONN_FIN_SENT;
		event->own->mark_us = (uint32_t)event->worker->now_us;
	}
	return load_step_send(event, &tcp, load_step_timestamps(event, bytes, &timestamps),
			load_step_payload(event, chunk, &text));
}

/* Whether there can be no further chunk: to ask for one would cost as much as the first. */
static bool
load_step_said_all(const struct tcp_conn *tcp, const struct tcp_stream *stream)
{
	return (tcp->flags & TCP_CONN_FIN_SENT) != 0 ||
	       (!stream->fin && tcp->snd_nxt == stream->end);
}

/* Everything the windows allow of what there is to say. @return whether anything went. */
static bool
load_step_stream(struct load_event *event)
{
	struct worker *worker = event->worker;
	struct tcp_conn *tcp = event->tcp;
	const struct tcp_stream stream = {
			.end = event->own->end,
			.fin = (event->own->flags & LOAD_CONN_FIN_DUE) != 0,
	};
	const bool held = (tcp->flags & TCP_CONN_PERSIST) != 0;
	struct tcp_chunk chunk;
	uint32_t delay_ms;
	bool sent = false;

	while (tcp_output_next(tcp, &stream, &event->load->env, &chunk)) {
		sent = true;
		if (!load_step_chunk(event, &chunk) || load_step_said_all(tcp, &stream))
			break;
	}
	if (!held && (tcp->flags & TCP_CONN_PERSIST) != 0)
		figures_count(event->load->figures, FIGURE_held_back, 1);
	delay_ms = tcp_output_timer(tcp, &event->load->config);
	if (delay_ms != TCP_OUTPUT_TIMER_KEEP)
		timer_wheel_schedule(worker->wheel, event->conn, worker->now_ms + delay_ms);
	return sent;
}

/* An answer is complete: the next request, or nothing more. */
static void
load_step_answered(struct load_event *event)
{
	const struct load_plan *plan = &event->load->load->plan;
	struct load_conn *own = event->own;

	figures_count(event->load->figures, FIGURE_requests, 1);
	own->flags &= (uint8_t)~LOAD_CONN_BYTES;
	own->answer_state = 0;
	own->answer_match = 0;
	if (--own->requests_left > 0) {
		own->end += event->load->request.length;
		own->mark_us = (uint32_t)event->worker->now_us;
		return;
	}
	own->flags |= LOAD_CONN_ANSWERED;
	if (!plan->peer_closes)
		own->flags |= LOAD_CONN_FIN_DUE;
}

/* Remember a header that is complete in one segment, and what follows it. */
static void
load_step_learn_head(struct load_worker *load, const uint8_t *data, size_t length)
{
	const uint8_t *end = memmem(data, length, "\r\n\r\n", 4);
	struct http_answer answer = {0};
	enum http_answer_result result;
	size_t head, taken;

	if (end == NULL)
		return;
	head = (size_t)(end - data) + 4;
	if (head > LOAD_HEAD_MAX)
		return;
	result = http_answer_input(&answer, data, head, &taken);
	if (result == HTTP_ANSWER_WRONG || taken != head)
		return;
	/* Only of a body of a known length nothing but its bytes need be counted. */
	if (result == HTTP_ANSWER_MORE && !http_answer_is_counted(&answer))
		return;
	memcpy(load->head, data, head);
	load->head_length = (uint16_t)head;
	load->head_answer = answer;
	load->head_ends = result == HTTP_ANSWER_DONE;
}

/* An answer that begins with the header that all had so far, without reading it. */
static bool
load_step_known_head(const struct load_worker *load, struct http_answer *answer,
		const uint8_t *data, size_t length)
{
	if (load->head_length == 0 || length < load->head_length ||
			memcmp(data, load->head, load->head_length) != 0)
		return false;
	*answer = load->head_answer;
	return true;
}

static enum http_answer_result
load_step_read_http(struct load_event *event, const uint8_t *data, size_t length, size_t *taken)
{
	struct load_conn *own = event->own;
	struct http_answer answer = {own->answer_left, own->answer_state, own->answer_match};
	enum http_answer_result result;
	size_t skipped = 0;

	if (answer.state == 0 && answer.match == 0) {
		answer.left = 0;
		if (load_step_known_head(event->load, &answer, data, length))
			skipped = event->load->head_length;
		else
			load_step_learn_head(event->load, data, length);
	}
	*taken = 0;
	if (skipped > 0 && event->load->head_ends)
		result = HTTP_ANSWER_DONE;
	else
		result = http_answer_input(&answer, data + skipped, length - skipped, taken);
	*taken += skipped;
	own->answer_left = answer.left;
	own->answer_state = answer.state;
	own->answer_match = answer.match;
	return result;
}

/* An answer that is so many bytes of anything. */
static enum http_answer_result
load_step_read_raw(struct load_event *event, size_t length, size_t *taken)
{
	struct load_conn *own = event->own;
	const uint32_t wanted = event->load->load->plan.answer_bytes;

	if (own->answer_state == 0) {
		own->answer_state = 1;
		own->answer_left = wanted;
	}
	*taken = wanted == 0 ? length : RTE_MIN(length, (size_t)own->answer_left);
	if (wanted == 0)
		return HTTP_ANSWER_MORE;
	own->answer_left -= (uint32_t)*taken;
	return own->answer_left == 0 ? HTTP_ANSWER_DONE : HTTP_ANSWER_MORE;
}

/* New bytes came. @return false when they are wrong. */
static bool
load_step_data(struct load_event *event, const uint8_t *data, size_t length)
{
	const struct load_plan *plan = &event->load->load->plan;
	struct load_conn *own = event->own;

	figures_count(event->load->figures, FIGURE_bytes_received, length);
	while (length > 0) {
		enum http_answer_result result;
		size_t taken;

		/* Nothing was asked, or no more than was answered. */
		if (own->requests_left == 0)
			return plan->exchange == LOAD_OPEN_CLOSE;
		if ((own->flags & LOAD_CONN_BYTES) == 0) {
			histogram_record(&event->load->figures->first_byte_us,
					(uint32_t)event->worker->now_us - own->mark_us, 1);
			own->flags |= LOAD_CONN_BYTES;
		}
		result = plan->http ? load_step_read_http(event, data, length, &taken)
				    : load_step_read_raw(event, length, &taken);
		if (result == HTTP_ANSWER_WRONG)
			return false;
		if (result == HTTP_ANSWER_DONE)
			load_step_answered(event);
		data += taken;
		length -= taken;
	}
	return true;
}

/* The peer will say no more. */
static void
load_step_peer_closed(struct load_event *event)
{
	const struct load_plan *plan = &event->load->load->plan;
	struct load_conn *own = event->own;
	const struct http_answer answer = {own->answer_left, own->answer_state, own->answer_match};

	own->flags |= LOAD_CONN_FIN_DUE;
	if (own->requests_left == 0)
		return;
	if ((own->flags & LOAD_CONN_BYTES) != 0 && own->requests_left == 1 &&
			(plan->http ? http_answer_closed(&answer) == HTTP_ANSWER_DONE
				    : plan->answer_bytes == 0))
		load_step_answered(event);
	else
		load_event_fail(event, FAILURE_closed_early);
}

/* What the step brought, for the congestion window and for the exchange. @return false: wrong. */
static bool
load_step_outcome(struct load_event *event, const struct burst *burst, unsigned int i,
		const struct tcp_action *action, uint32_t acked)
{
	struct load_conn *own = event->own;
	const uint8_t outcome = action->outcome;
	bool good = true;

	if ((outcome & (TCP_OUTCOME_ACKED | TCP_OUTCOME_OUTPUT)) != 0) {
		struct tcp_sender sender = {own->recover, own->ssthresh};

		tcp_output_react(event->tcp, &sender, action, acked);
		own->recover = sender.recover;
		own->ssthresh = sender.ssthresh;
	}
	if ((outcome & TCP_OUTCOME_DATA) != 0)
		good = load_step_data(event,
				rte_pktmbuf_mtod_offset(burst->packet[i], const uint8_t *,
						burst->frame[i].l4_offset +
								burst->segment[i].payload_offset +
								action->skip),
				action->take);
	/* The end of a wrong answer is not one that came too early. */
	if (good && (outcome & TCP_OUTCOME_PEER_FIN) != 0)
		load_step_peer_closed(event);
	return good;
}

/* We end it ourselves. */
static void
load_step_abort(struct load_event *event)
{
	const struct tcp_action action =
			tcp_step(event->tcp, TCP_EVENT_ABORT, NULL, &event->load->env);

	if (action.send != TCP_SEND_NOTHING)
		load_step_control(event, (enum tcp_send)action.send, NULL);
	load_event_note(event);
}

/* Whether there may be something to say now. */
static bool
load_step_has_stream(const struct load_event *event, uint8_t outcome)
{
	return (outcome & LOAD_STEP_OUTPUT) != 0 && event->tcp->state >= TCP_ESTABLISHED &&
	       event->tcp->state != TCP_TIME_WAIT;
}

/* Send what the action says, set the timer. */
static void
load_step_answer(struct load_event *event, const struct tcp_action *action,
		const struct tcp_segment *segment)
{
	struct worker *worker = event->worker;
	const bool has_stream = load_step_has_stream(event, action->outcome);

	const bool alone = event->load->load->plan.third_ack_alone &&
			   (action->outcome & TCP_OUTCOME_OPENED) != 0;

	if (alone)
		load_step_control(event, TCP_SEND_ACK, segment);
	if ((!has_stream || !load_step_stream(event)) && !alone && action->send != TCP_SEND_NOTHING)
		load_step_control(event, (enum tcp_send)action->send, segment);
	if (!has_stream && action->timer == TCP_TIMER_SET && event->tcp->state != TCP_TIME_WAIT)
		timer_wheel_schedule(worker->wheel, event->conn, worker->now_ms + action->delay_ms);
}

/*
 * The SYN met an older connection of the peer's (RFC 5961 4.2, RFC 9293 figure 9): the reset that
 * the machine answers with ends that one, and the next SYN will be taken.  Not to wait for the
 * timeout is what makes a reused tuple cost a millisecond and not a second.
 */
static void
load_step_challenged(struct load_event *event, const struct tcp_action *action)
{
	if (action->drop != TCP_REFUSAL_BAD_ACK || event->tcp->state != TCP_SYN_SENT)
		return;
	figures_count(event->load->figures, FIGURE_challenges, 1);
	event->own->flags |= LOAD_CONN_BAD_ACK;
	if (event->tcp->retries == 0)
		timer_wheel_schedule(event->worker->wheel, event->conn,
				event->worker->now_ms + LOAD_STEP_RETRY_MS);
}

static void
load_step_known(struct worker *worker, struct burst *burst, unsigned int i)
{
	struct conn *conn = burst->conn[i];
	struct load_event event = {
			.worker = worker,
			.load = worker->load,
			.packet = burst->packet[i],
			.key = &conn->key,
			.tcp = &conn->tcp,
			.conn = conn,
			.own = load_conn_of(worker->load, conn),
	};
	const enum tcp_event happened = (enum tcp_event)burst->event[i];
	const struct tcp_segment *segment = event.packet != NULL ? &burst->segment[i] : NULL;
	const enum tcp_state before = (enum tcp_state)conn->tcp.state;
	const uint32_t una = conn->tcp.snd_una;
	struct tcp_action action;
	bool good = true;

	if (segment == NULL || !tcp_expect(&conn->tcp, segment, &event.load->env, &action))
		action = tcp_step(&conn->tcp, happened, segment, &event.load->env);

	if ((action.outcome & TCP_OUTCOME_OPENED) != 0)
		load_event_opened(&event);
	/* What ends TIME_WAIT, as a reset may, ends what was counted already. */
	if ((action.outcome & LOAD_STEP_ENDED) != 0 && before != TCP_TIME_WAIT)
		load_event_ended(&event, happened, before, action.outcome);
	else if (action.outcome != 0)
		good = load_step_outcome(&event, burst, i, &action, conn->tcp.snd_una - una);

	if (good) {
		load_step_answer(&event, &action, segment);
	} else {
		load_event_fail(&event, FAILURE_wrong_reply);
		load_step_abort(&event);
	}
	load_step_challenged(&event, &action);
	if (before != TCP_TIME_WAIT && conn->tcp.state == TCP_TIME_WAIT) {
		load_event_closed(&event);
		load_event_note(&event);
	} else if ((action.outcome & LOAD_STEP_ENDED) != 0 && before != TCP_TIME_WAIT) {
		load_event_note(&event);
	} else if (good && (action.outcome & TCP_OUTCOME_OPENED) != 0 &&
			event.load->load->plan.exchange == LOAD_HANDSHAKE) {
		figures_count(event.load->figures, FIGURE_completed, 1);
		load_step_abort(&event);
	}
	if (event.packet != NULL)
		worker_drop(worker, event.packet, DROP_consumed);
	burst->packet[i] = NULL;
}

void
load_step(struct worker *worker, struct burst *burst)
{
	unsigned int taken;

	for (unsigned int i = 0; i < burst->n; i += RTE_MAX(taken, 1u)) {
		taken = load_predict(worker, burst, i);
		if (taken > 0)
			continue;
		if (burst->conn[i] != NULL && burst->conn[i]->tcp.state != TCP_CLOSED)
			load_step_known(worker, burst, i);
		else if (burst->packet[i] != NULL)
			load_stranger(worker, burst, i);
	}
	burst->n = 0;
	load_event_settle(worker);
}
