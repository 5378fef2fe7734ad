/* SPDX-License-Identifier: BSD-3-Clause */

#include "engine/load_predict.h"

#include <string.h>

#include "engine/load.h"
#include "engine/transmit.h"
#include "engine/worker.h"
#include "load/predict.h"

/* Whether the third segment says nothing else, and another one follows. */
static inline bool
load_predict_is_alone(const struct load_plan *plan)
{
	return plan->third_ack_alone || plan->exchange == LOAD_HANDSHAKE;
}

void
load_predict_prepare(struct worker *worker)
{
	struct load_worker *load = worker->load;
	const unsigned int n = load->syn_acks;

	load->syn_acks = 0;
	if (!load->predicts || !load_predict_is_alone(&load->load->plan))
		return;
	if (n > 0 && rte_pktmbuf_alloc_bulk(worker->pool, load->spare, n) == 0)
		load->spare_count = n;
}

void
load_predict_finish(struct load_worker *load)
{
	if (load->spare_count == 0)
		return;
	rte_pktmbuf_free_bulk(load->spare, load->spare_count);
	load->spare_count = 0;
}

static inline void
load_predict_write(struct rte_mbuf *packet, const struct frame_shape *shape,
		const struct conn *conn, uint32_t seq)
{
	const unsigned int length = frame_shape_write(shape, rte_pktmbuf_mtod(packet, uint8_t *),
			&conn->key, seq, conn->tcp.rcv_nxt);

	packet->data_len = (uint16_t)length;
	packet->pkt_len = length;
}

/* The received packet becomes an answer. */
static inline void
load_predict_answer(struct worker *worker, struct burst *burst, unsigned int i,
		const struct frame_shape *shape, uint32_t seq)
{
	struct rte_mbuf *packet = burst->packet[i];

	burst->packet[i] = NULL;
	rte_pktmbuf_reset_headroom(packet);
	packet->ol_flags = 0;
	load_predict_write(packet, shape, burst->conn[i], seq);
	transmit_reply(worker, packet);
}

/* The deadline is in the connection; load_watch() finds it there. */
static inline void
load_predict_set_deadline(struct worker *worker, struct conn *conn)
{
	const uint32_t deadline_ms =
			worker->now_ms + predict_rto_ms(&conn->tcp, &worker->load->config);

	if (unlikely(timer_wheel_is_scheduled(conn)))
		timer_wheel_schedule(worker->wheel, conn, deadline_ms);
	else
		conn->timer_deadline_ms = deadline_ms;
}

/* What the connection says first: a FIN, a reset, or its request. @return NULL: not for us to say.
 */
static inline const struct frame_shape *
load_predict_speak(const struct load_worker *load, struct tcp_conn *tcp,
		const struct load_target *target)
{
	if (load->load->plan.exchange == LOAD_HANDSHAKE) {
		tcp->state = TCP_CLOSED; /* TCP_EVENT_ABORT */
		return &target->reset;
	}
	if (load->load->plan.exchange == LOAD_OPEN_CLOSE) {
		predict_close(tcp);
		return &target->fin;
	}
	return predict_send(tcp, load->request.length) ? &target->request : NULL;
}

static inline void
load_predict_note_open(struct worker *worker, struct load_conn *own, const struct tcp_conn *tcp)
{
	struct load_worker *load = worker->load;
	struct figures *figures = load->figures;

	figures_count(figures, FIGURE_opened, 1);
	histogram_record(&figures->connect_us, (uint32_t)worker->now_us - own->begin_us, 1);
	own->recover = tcp->snd_una - 1;
	own->ssthresh = UINT8_MAX;
	own->end = tcp->snd_una;
	own->flags |= LOAD_CONN_OPEN;
	if (load->load->plan.exchange == LOAD_OPEN_CLOSE) {
		own->flags |= LOAD_CONN_FIN_DUE | LOAD_CONN_FIN_SENT;
		own->mark_us = (uint32_t)worker->now_us;
	} else if (load->load->plan.exchange != LOAD_HANDSHAKE) {
		own->end = tcp->snd_nxt;
		figures_count(figures, FIGURE_bytes_sent, load->request.length);
	}
}

/* All that was planned is done: it leaves the table when the burst is over. */
static inline void
load_predict_note_ended(struct worker *worker, struct conn *conn, uint64_t hash)
{
	struct load_worker *load = worker->load;

	figures_count(load->figures, FIGURE_completed, 1);
	worker->ending[worker->ending_count++] = (struct worker_ending){.conn = conn, .hash = hash};
	load->active--;
	load->finished_us = worker->now_us;
}

/* The SYN,ACK: the third segment, and what follows at once. */
static inline bool
load_predict_opened(struct worker *worker, struct burst *burst, unsigned int i)
{
	struct load_worker *load = worker->load;
	const bool alone = load_predict_is_alone(&load->load->plan);
	struct conn *conn = burst->conn[i];
	const struct load_target *target = &load->load->target[flow_key_target(&conn->key)];
	struct tcp_conn tcp = conn->tcp;
	const struct frame_shape *shape;
	struct rte_mbuf *packet;

	if (alone && load->spare_count == 0)
		return false;
	if (!predict_open(&tcp, &burst->segment[i], &load->env))
		return false;
	shape = load_predict_speak(load, &tcp, target);
	if (shape == NULL)
		return false;
	conn->tcp = tcp;
	load_predict_note_open(worker, load_conn_of(load, conn), &tcp);
	if (tcp.state == TCP_CLOSED)
		load_predict_note_ended(worker, conn, burst->hash[i]);
	else
		load_predict_set_deadline(worker, conn);
	if (!alone) {
		load_predict_answer(worker, burst, i, shape, tcp.snd_una);
		return true;
	}
	load_predict_answer(worker, burst, i, &target->ack, tcp.snd_una);
	packet = load->spare[--load->spare_count];
	load_predict_write(packet, shape, conn, tcp.snd_una);
	transmit_originated(worker, packet, 0);
	return true;
}

/* It closed as it should. */
static inline void
load_predict_note_closed(struct worker *worker, const struct load_conn *own, struct conn *conn,
		uint64_t hash)
{
	histogram_record(&worker->load->figures->close_us, (uint32_t)worker->now_us - own->mark_us,
			1);
	load_predict_note_ended(worker, conn, hash);
}

/* Whether it only has to close, and nothing went wrong. */
static inline bool
load_predict_is_closing(const struct load_conn *own)
{
	return (own->flags & (LOAD_CONN_FAILED | LOAD_CONN_FIN_SENT)) == LOAD_CONN_FIN_SENT &&
	       own->requests_left == 0;
}

/* The FIN that also acknowledges ours: the last acknowledgement, and TIME_WAIT. */
static inline bool
load_predict_closed(struct worker *worker, struct burst *burst, unsigned int i)
{
	struct load_worker *load = worker->load;
	struct conn *conn = burst->conn[i];
	const struct load_conn *own = load_conn_of(worker->load, conn);

	if (!load_predict_is_closing(own) ||
			!predict_finish(&conn->tcp, &burst->segment[i], &load->env))
		return false;
	load_predict_answer(worker, burst, i, &load->load->target[flow_key_target(&conn->key)].ack,
			conn->tcp.snd_nxt);
	load_predict_note_closed(worker, own, conn, burst->hash[i]);
	return true;
}

/* The peer closed first, and this acknowledges our FIN. */
static inline bool
load_predict_last_ack(struct worker *worker, struct burst *burst, unsigned int i)
{
	struct conn *conn = burst->conn[i];
	const struct load_conn *own = load_conn_of(worker->load, conn);

	if (!load_predict_is_closing(own) ||
			!predict_is_last_ack(&conn->tcp, &burst->segment[i], &worker->load->env))
		return false;
	conn->tcp.state = TCP_CLOSED;
	load_predict_note_closed(worker, own, conn, burst->hash[i]);
	worker_drop(worker, burst->packet[i], DROP_consumed);
	burst->packet[i] = NULL;
	return true;
}

/* Whether text is the whole of an answer that begins like the latest one. */
static inline bool
load_predict_is_answer(const struct load_worker *load, const struct load_conn *own,
		const uint8_t *text, uint32_t length)
{
	const uint32_t head = load->head_length;

	if (own->answer_state != 0 || own->answer_match != 0 || head == 0 || length < head ||
			memcmp(text, load->head, head) != 0)
		return false;
	return load->head_ends ? length == head : load->head_answer.left == length - head;
}

/* The only, or last, answer, and the peer's FIN behind it. */
static inline bool
load_predict_answered(struct worker *worker, struct burst *burst, unsigned int i)
{
	struct load_worker *load = worker->load;
	const struct load_plan *plan = &load->load->plan;
	const struct tcp_segment *segment = &burst->segment[i];
	const uint8_t *text = rte_pktmbuf_mtod_offset(burst->packet[i], const uint8_t *,
			burst->frame[i].l4_offset + segment->payload_offset);
	struct conn *conn = burst->conn[i];
	struct load_conn *own = load_conn_of(worker->load, conn);
	const bool first = own->requests_left == plan->requests;

	if (!plan->http || own->requests_left != 1 ||
			(own->flags & (LOAD_CONN_FAILED | LOAD_CONN_BYTES)) != 0 ||
			!load_predict_is_answer(load, own, text, segment->payload_length) ||
			!predict_answer(&conn->tcp, segment, &load->env, own->ssthresh))
		return false;
	figures_count(load->figures, FIGURE_bytes_received, segment->payload_length);
	figures_count(load->figures, FIGURE_requests, 1);
	histogram_record(&load->figures->first_byte_us,
			(uint32_t)worker->now_us - (first ? own->begin_us : own->mark_us), 1);
	own->requests_left = 0;
	own->flags |= LOAD_CONN_ANSWERED | LOAD_CONN_FIN_DUE | LOAD_CONN_FIN_SENT;
	own->mark_us = (uint32_t)worker->now_us;
	load_predict_set_deadline(worker, conn);
	load_predict_answer(worker, burst, i, &load->load->target[flow_key_target(&conn->key)].fin,
			conn->tcp.snd_una);
	return true;
}

bool
load_predict(struct worker *worker, struct burst *burst, unsigned int i)
{
	if (!worker->load->predicts)
		return false;
	switch (burst->event[i]) {
	case TCP_EVENT_SYN_ACK:
		return load_predict_opened(worker, burst, i);
	case TCP_EVENT_ACK:
		return load_predict_last_ack(worker, burst, i);
	case TCP_EVENT_FIN:
		return burst->conn[i]->tcp.state == TCP_ESTABLISHED
				       ? load_predict_answered(worker, burst, i)
				       : load_predict_closed(worker, burst, i);
	default:
		return false;
	}
}
