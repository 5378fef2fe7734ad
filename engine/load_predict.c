/* SPDX-License-Identifier: BSD-3-Clause */

#include "engine/load_predict.h"

#include <string.h>

#include "engine/buffers.h"
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

/*
 * Segments of a burst, one behind the other, that are answered alike: their frames are written
 * together.
 */
struct load_predict_run {
	struct frame_shape_rows rows;
	bool timed; /* Connections with timestamps, all of them or none. */
	struct rte_mbuf *packet[FRAME_SHAPE_ROWS];
	struct rte_mbuf *spare[FRAME_SHAPE_ROWS]; /* For what is said besides the answer. */
};

static inline bool
load_predict_is_timed(const struct tcp_conn *tcp)
{
	return (tcp->flags & TCP_CONN_TIMESTAMPS) != 0;
}

static inline void
load_predict_begin(struct load_predict_run *run, const struct load_worker *load, bool timed)
{
	run->rows.n = 0;
	run->rows.tsval = load->env.ts_clock;
	run->timed = timed;
}

/* A packet that was received is to be an answer. */
static inline void
load_predict_take(struct load_predict_run *run, const struct burst *burst, unsigned int i,
		uint32_t seq)
{
	struct frame_shape_rows *rows = &run->rows;
	struct rte_mbuf *packet = burst->packet[i];

	rte_pktmbuf_reset_headroom(packet);
	packet->ol_flags = 0;
	rows->to[rows->n] = rte_pktmbuf_mtod(packet, uint8_t *);
	rows->local[rows->n] = &burst->conn[i]->key;
	rows->seq[rows->n] = seq;
	rows->ack[rows->n] = burst->conn[i]->tcp.rcv_nxt;
	rows->tsecr[rows->n] = burst->conn[i]->tcp.ts_recent;
	run->packet[rows->n++] = packet;
}

static inline void
load_predict_write(struct load_predict_run *run, const struct frame_shape *shape)
{
	for (uint32_t k = 0; k < run->rows.n; k++) {
		run->packet[k]->data_len = shape->length;
		run->packet[k]->pkt_len = shape->length;
	}
	frame_shape_write_rows(shape, &run->rows);
}

static inline void
load_predict_answer(struct worker *worker, struct load_predict_run *run,
		const struct frame_shape *shape)
{
	load_predict_write(run, shape);
	transmit_replies(worker, run->packet, run->rows.n, (uint8_t)run->packet[0]->port);
}

/* Another segment of each, behind the answer and with the same numbers. */
static inline void
load_predict_say(struct worker *worker, struct load_predict_run *run,
		const struct frame_shape *shape)
{
	const uint8_t port = (uint8_t)run->packet[0]->port;

	for (uint32_t k = 0; k < run->rows.n; k++) {
		run->packet[k] = run->spare[k];
		run->rows.to[k] = rte_pktmbuf_mtod(run->packet[k], uint8_t *);
	}
	load_predict_write(run, shape);
	for (uint32_t k = 0; k < run->rows.n; k++)
		transmit_originated(worker, run->packet[k], port);
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
		const struct load_shapes *shapes)
{
	if (load->load->plan.exchange == LOAD_HANDSHAKE) {
		tcp->state = TCP_CLOSED; /* TCP_EVENT_ABORT */
		return &shapes->reset;
	}
	if (load->load->plan.exchange == LOAD_OPEN_CLOSE) {
		predict_close(tcp);
		return &shapes->fin;
	}
	return predict_send(tcp, load->request.length) ? &shapes->request : NULL;
}

static inline void
load_predict_note_open(struct load_worker *load, struct load_conn *own, const struct tcp_conn *tcp,
		uint32_t now_us)
{
	own->recover = tcp->snd_una - 1;
	own->ssthresh = UINT8_MAX;
	own->end = tcp->snd_una;
	own->mark_us = now_us;
	own->flags |= LOAD_CONN_OPEN;
	if (load->load->plan.exchange == LOAD_OPEN_CLOSE)
		own->flags |= LOAD_CONN_FIN_DUE | LOAD_CONN_FIN_SENT;
	else if (load->load->plan.exchange != LOAD_HANDSHAKE)
		own->end = tcp->snd_nxt;
}

/* All that was planned is done: it leaves the table when the burst is over. */
static inline void
load_predict_note_ended(struct worker *worker, const struct burst *burst, unsigned int i)
{
	worker->ending[worker->ending_count++].conn = burst->conn[i];
}

/* So many of those came to their end. */
static void
load_predict_count_ended(struct worker *worker, unsigned int n)
{
	struct load_worker *load = worker->load;

	figures_count(load->figures, FIGURE_completed, n);
	load->active -= n;
	load->finished_us = worker->now_us;
}

/* SYN,ACKs: the third segment, and what follows at once. @return how many. */
static unsigned int
load_predict_opened(
		struct worker *worker, struct burst *burst, unsigned int first, unsigned int end)
{
	struct load_worker *load = worker->load;
	const struct load_target *target = &load->load->target[flow_key_target(&burst->key[first])];
	const bool alone = load_predict_is_alone(&load->load->plan);
	const uint32_t now_us = (uint32_t)worker->now_us;
	const struct frame_shape *shape = NULL, *speak;
	uint32_t took_us[FRAME_SHAPE_ROWS];
	struct load_predict_run run;
	bool ended = false;
	uint32_t n = 0;

	/* Offered by us; what the first peer says to it, those after it will say, too. */
	load_predict_begin(&run, load,
			load->config.timestamps && (burst->segment[first].options &
								   TCP_OPTION_TIMESTAMPS) != 0);
	if (alone && rte_pktmbuf_alloc_bulk(worker->pool, run.spare, end - first) != 0)
		return 0;
	for (unsigned int i = first; i < end; i++) {
		struct conn *conn = burst->conn[i];
		struct load_conn *own = load_conn_of(load, conn);
		struct tcp_conn tcp = conn->tcp;

		if (!predict_open(&tcp, &burst->segment[i], &load->env) ||
				load_predict_is_timed(&tcp) != run.timed)
			break;
		speak = load_predict_speak(load, &tcp, &target->shapes[run.timed]);
		if (speak == NULL)
			break;
		shape = speak;
		conn->tcp = tcp;
		took_us[n++] = now_us - own->begin_us;
		load_predict_note_open(load, own, &tcp, now_us);
		ended = tcp.state == TCP_CLOSED;
		if (ended)
			load_predict_note_ended(worker, burst, i);
		else
			load_predict_set_deadline(worker, conn);
		load_predict_take(&run, burst, i, tcp.snd_una);
	}
	if (alone && n < end - first)
		buffers_free(&run.spare[n], end - first - n);
	if (n == 0)
		return 0;
	figures_count(load->figures, FIGURE_opened, n);
	histogram_record_each(&load->figures->connect_us, took_us, n);
	if (ended)
		load_predict_count_ended(worker, n);
	else if (load->load->plan.exchange != LOAD_OPEN_CLOSE)
		figures_count(load->figures, FIGURE_bytes_sent, (uint64_t)n * load->request.length);
	load_predict_answer(worker, &run, alone ? &target->shapes[run.timed].ack : shape);
	if (alone)
		load_predict_say(worker, &run, shape);
	return n;
}

/* Whether it only has to close, and nothing went wrong. */
static inline bool
load_predict_is_closing(const struct load_conn *own)
{
	return (own->flags & (LOAD_CONN_FAILED | LOAD_CONN_FIN_SENT)) == LOAD_CONN_FIN_SENT &&
	       own->requests_left == 0;
}

/* FINs that also acknowledge ours: the last acknowledgement, and TIME_WAIT. @return how many. */
static unsigned int
load_predict_closed(
		struct worker *worker, struct burst *burst, unsigned int first, unsigned int end)
{
	struct load_worker *load = worker->load;
	const struct load_target *target = &load->load->target[flow_key_target(&burst->key[first])];
	uint32_t took_us[FRAME_SHAPE_ROWS];
	struct load_predict_run run;

	load_predict_begin(&run, load, load_predict_is_timed(&burst->conn[first]->tcp));
	for (unsigned int i = first; i < end; i++) {
		struct conn *conn = burst->conn[i];
		const struct load_conn *own = load_conn_of(load, conn);

		if (!load_predict_is_closing(own) ||
				load_predict_is_timed(&conn->tcp) != run.timed ||
				!predict_finish(&conn->tcp, &burst->segment[i], &load->env))
			break;
		took_us[run.rows.n] = (uint32_t)worker->now_us - own->mark_us;
		load_predict_note_ended(worker, burst, i);
		load_predict_take(&run, burst, i, conn->tcp.snd_nxt);
	}
	if (run.rows.n == 0)
		return 0;
	histogram_record_each(&load->figures->close_us, took_us, run.rows.n);
	load_predict_count_ended(worker, run.rows.n);
	load_predict_answer(worker, &run, &target->shapes[run.timed].ack);
	return run.rows.n;
}

/* The peer closed first, and these acknowledge our FIN. @return how many. */
static unsigned int
load_predict_last_ack(
		struct worker *worker, struct burst *burst, unsigned int first, unsigned int end)
{
	struct load_worker *load = worker->load;
	uint32_t took_us[FRAME_SHAPE_ROWS];
	unsigned int n = 0;

	for (unsigned int i = first; i < end; i++) {
		struct conn *conn = burst->conn[i];
		const struct load_conn *own = load_conn_of(load, conn);

		if (!load_predict_is_closing(own) ||
				!predict_is_last_ack(&conn->tcp, &burst->segment[i], &load->env))
			break;
		conn->tcp.state = TCP_CLOSED;
		took_us[n++] = (uint32_t)worker->now_us - own->mark_us;
		load_predict_note_ended(worker, burst, i);
	}
	if (n == 0)
		return 0;
	histogram_record_each(&load->figures->close_us, took_us, n);
	load_predict_count_ended(worker, n);
	worker_count(worker, (uint8_t)burst->packet[first]->port, DROP_consumed, n);
	buffers_free(&burst->packet[first], n);
	return n;
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

/* Whether segment i is an answer, all of it. */
static inline bool
load_predict_has_answer(const struct load_worker *load, const struct load_conn *own,
		const struct burst *burst, unsigned int i)
{
	const uint8_t *text = rte_pktmbuf_mtod_offset(burst->packet[i], const uint8_t *,
			burst->frame[i].l4_offset + burst->segment[i].payload_offset);

	return own->requests_left > 0 && (own->flags & (LOAD_CONN_FAILED | LOAD_CONN_BYTES)) == 0 &&
	       load_predict_is_answer(load, own, text, burst->segment[i].payload_length);
}

/* The only, or last, answers, and the peer's FIN behind each. @return how many. */
static unsigned int
load_predict_answered(
		struct worker *worker, struct burst *burst, unsigned int first, unsigned int end)
{
	struct load_worker *load = worker->load;
	const struct load_target *target = &load->load->target[flow_key_target(&burst->key[first])];
	const uint32_t now_us = (uint32_t)worker->now_us;
	uint32_t took_us[FRAME_SHAPE_ROWS];
	struct load_predict_run run;
	uint64_t bytes = 0;

	if (!load->load->plan.http)
		return 0;
	load_predict_begin(&run, load, load_predict_is_timed(&burst->conn[first]->tcp));
	for (unsigned int i = first; i < end; i++) {
		struct conn *conn = burst->conn[i];
		struct load_conn *own = load_conn_of(load, conn);

		if (own->requests_left != 1 || load_predict_is_timed(&conn->tcp) != run.timed ||
				!load_predict_has_answer(load, own, burst, i) ||
				!predict_answer(&conn->tcp, &burst->segment[i], &load->env,
						own->ssthresh))
			break;
		bytes += burst->segment[i].payload_length;
		took_us[run.rows.n] = now_us - own->mark_us;
		own->requests_left = 0;
		own->flags |= LOAD_CONN_ANSWERED | LOAD_CONN_FIN_DUE | LOAD_CONN_FIN_SENT;
		own->mark_us = now_us;
		load_predict_set_deadline(worker, conn);
		load_predict_take(&run, burst, i, conn->tcp.snd_una);
	}
	if (run.rows.n == 0)
		return 0;
	figures_count(load->figures, FIGURE_bytes_received, bytes);
	figures_count(load->figures, FIGURE_requests, run.rows.n);
	histogram_record_each(&load->figures->first_byte_us, took_us, run.rows.n);
	load_predict_answer(worker, &run, &target->shapes[run.timed].fin);
	return run.rows.n;
}

/* What follows an answer: the next request, or our FIN. @return false: not as predicted. */
static inline bool
load_predict_go_on(struct worker *worker, struct burst *burst, unsigned int i, bool last)
{
	struct load_worker *load = worker->load;
	struct conn *conn = burst->conn[i];
	struct load_conn *own = load_conn_of(load, conn);
	struct tcp_sender sender = {.recover = own->recover, .ssthresh = own->ssthresh};

	if ((own->requests_left == 1) != last || !load_predict_has_answer(load, own, burst, i) ||
			!predict_go_on(&conn->tcp, &burst->segment[i], &load->env,
					last ? 0 : load->request.length, &sender))
		return false;
	own->recover = sender.recover;
	own->requests_left--;
	if (last)
		own->flags |= LOAD_CONN_ANSWERED | LOAD_CONN_FIN_DUE | LOAD_CONN_FIN_SENT;
	else
		own->end = conn->tcp.snd_nxt;
	own->mark_us = (uint32_t)worker->now_us;
	load_predict_set_deadline(worker, conn);
	return true;
}

/* Answers that the peer does not close behind. @return how many. */
static unsigned int
load_predict_went_on(
		struct worker *worker, struct burst *burst, unsigned int first, unsigned int end)
{
	struct load_worker *load = worker->load;
	const struct load_plan *plan = &load->load->plan;
	const struct load_target *target = &load->load->target[flow_key_target(&burst->key[first])];
	const bool last = load_conn_of(load, burst->conn[first])->requests_left == 1;
	const struct load_shapes *shapes;
	uint32_t took_us[FRAME_SHAPE_ROWS];
	struct load_predict_run run;
	uint64_t bytes = 0;

	if (!plan->http || (last && plan->peer_closes))
		return 0;
	load_predict_begin(&run, load, load_predict_is_timed(&burst->conn[first]->tcp));
	for (unsigned int i = first; i < end; i++) {
		const uint32_t since_us = load_conn_of(load, burst->conn[i])->mark_us;

		if (load_predict_is_timed(&burst->conn[i]->tcp) != run.timed ||
				!load_predict_go_on(worker, burst, i, last))
			break;
		bytes += burst->segment[i].payload_length;
		took_us[run.rows.n] = (uint32_t)worker->now_us - since_us;
		load_predict_take(&run, burst, i, burst->conn[i]->tcp.snd_una);
	}
	if (run.rows.n == 0)
		return 0;
	shapes = &target->shapes[run.timed];
	figures_count(load->figures, FIGURE_bytes_received, bytes);
	figures_count(load->figures, FIGURE_requests, run.rows.n);
	if (!last)
		figures_count(load->figures, FIGURE_bytes_sent,
				(uint64_t)run.rows.n * load->request.length);
	histogram_record_each(&load->figures->first_byte_us, took_us, run.rows.n);
	load_predict_answer(worker, &run, last ? &shapes->fin : &shapes->request);
	return run.rows.n;
}

/* The first segment from @p first on that is not like it. */
static inline unsigned int
load_predict_end(const struct burst *burst, unsigned int first)
{
	const unsigned int most = RTE_MIN(burst->n, first + FRAME_SHAPE_ROWS);
	unsigned int i = first;

	do {
		if (burst->conn[i] == NULL || burst->event[i] != burst->event[first] ||
				burst->key[i].endpoint != burst->key[first].endpoint)
			break;
	} while (++i < most);
	return i;
}

unsigned int
load_predict(struct worker *worker, struct burst *burst, unsigned int first)
{
	const unsigned int end = load_predict_end(burst, first);

	if (!worker->load->predicts || end == first)
		return 0;
	switch (burst->event[first]) {
	case TCP_EVENT_SYN_ACK:
		return load_predict_opened(worker, burst, first, end);
	case TCP_EVENT_ACK:
		return burst->segment[first].payload_length > 0
				       ? load_predict_went_on(worker, burst, first, end)
				       : load_predict_last_ack(worker, burst, first, end);
	case TCP_EVENT_FIN:
		return burst->conn[first]->tcp.state == TCP_ESTABLISHED
				       ? load_predict_answered(worker, burst, first, end)
				       : load_predict_closed(worker, burst, first, end);
	default:
		return 0;
	}
}
