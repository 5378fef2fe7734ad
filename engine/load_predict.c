/* SPDX-License-Identifier: BSD-3-Clause */

#include "engine/load_predict.h"

#include "engine/load.h"
#include "engine/transmit.h"
#include "engine/worker.h"
#include "load/predict.h"

void
load_predict_prepare(struct worker *worker, const struct burst *burst)
{
	struct load_worker *load = worker->load;
	unsigned int n = 0;

	if (!load->predicts || !load->load->plan.third_ack_alone)
		return;
	for (unsigned int i = 0; i < burst->n; i++)
		n += burst->event[i] == TCP_EVENT_SYN_ACK;
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

/* What the connection says first: a FIN, or its request. @return NULL: not for us to say. */
static inline const struct frame_shape *
load_predict_speak(const struct load_worker *load, struct tcp_conn *tcp,
		const struct load_target *target)
{
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
	} else {
		own->end = tcp->snd_nxt;
		figures_count(figures, FIGURE_bytes_sent, load->request.length);
	}
}

/* The SYN,ACK: the third segment, and what follows at once. */
static inline bool
load_predict_opened(struct worker *worker, struct burst *burst, unsigned int i)
{
	struct load_worker *load = worker->load;
	const struct load_plan *plan = &load->load->plan;
	struct conn *conn = burst->conn[i];
	const struct load_target *target = &load->load->target[flow_key_target(&conn->key)];
	struct tcp_conn tcp = conn->tcp;
	const struct frame_shape *shape;
	struct rte_mbuf *packet;

	if (plan->third_ack_alone && load->spare_count == 0)
		return false;
	if (!predict_open(&tcp, &burst->segment[i], &load->env))
		return false;
	shape = load_predict_speak(load, &tcp, target);
	if (shape == NULL)
		return false;
	conn->tcp = tcp;
	load_predict_note_open(worker, load_conn_of(worker->table, conn), &tcp);
	load_predict_set_deadline(worker, conn);
	if (!plan->third_ack_alone) {
		load_predict_answer(worker, burst, i, shape, tcp.snd_una);
		return true;
	}
	load_predict_answer(worker, burst, i, &target->ack, tcp.snd_una);
	packet = load->spare[--load->spare_count];
	load_predict_write(packet, shape, conn, tcp.snd_una);
	transmit_originated(worker, packet, 0);
	return true;
}

/* The FIN that also acknowledges ours: the last acknowledgement, and TIME_WAIT. */
static inline bool
load_predict_closed(struct worker *worker, struct burst *burst, unsigned int i)
{
	struct load_worker *load = worker->load;
	struct conn *conn = burst->conn[i];
	const struct load_conn *own = load_conn_of(worker->table, conn);

	if ((own->flags & (LOAD_CONN_FAILED | LOAD_CONN_FIN_SENT)) != LOAD_CONN_FIN_SENT ||
			own->requests_left > 0 ||
			!predict_finish(&conn->tcp, &burst->segment[i], &load->env))
		return false;
	load_predict_answer(worker, burst, i, &load->load->target[flow_key_target(&conn->key)].ack,
			conn->tcp.snd_nxt);
	figures_count(load->figures, FIGURE_completed, 1);
	histogram_record(&load->figures->close_us, (uint32_t)worker->now_us - own->mark_us, 1);
	worker->ending[worker->ending_count++] =
			(struct worker_ending){.conn = conn, .hash = burst->hash[i]};
	load->active--;
	load->finished_us = worker->now_us;
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
	case TCP_EVENT_FIN:
		return load_predict_closed(worker, burst, i);
	default:
		return false;
	}
}
