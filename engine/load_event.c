/* SPDX-License-Identifier: BSD-3-Clause */

#include "engine/load_event.h"

#include "engine/load_table.h"
#include "engine/worker.h"
#include "tcp/tcp_output.h"

void
load_event_opened(struct load_event *event)
{
	const struct load_plan *plan = &event->load->load->plan;
	struct load_conn *own = event->own;
	struct tcp_sender sender;

	figures_count(event->load->figures, FIGURE_opened, 1);
	histogram_record(&event->load->figures->connect_us,
			(uint32_t)event->worker->now_us - own->begin_us, 1);
	tcp_output_open(event->tcp, &sender, &event->load->config);
	own->recover = sender.recover;
	own->ssthresh = sender.ssthresh;
	own->end = event->tcp->snd_una;
	own->mark_us = (uint32_t)event->worker->now_us;
	own->flags |= LOAD_CONN_OPEN;
	if (plan->exchange == LOAD_OPEN_CLOSE)
		own->flags |= LOAD_CONN_FIN_DUE;
	if (own->requests_left > 0)
		own->end += event->load->request.length;
}

void
load_event_fail(struct load_event *event, enum failure failure)
{
	if ((event->own->flags & LOAD_CONN_FAILED) == 0)
		figures_fail(event->load->figures, failure);
	event->own->flags |= LOAD_CONN_FAILED;
}

void
load_event_note(struct load_event *event)
{
	struct worker *worker = event->worker;

	worker->ending[worker->ending_count++].conn = event->conn;
	event->load->active--;
	event->load->finished_us = worker->now_us;
}

void
load_event_closed(struct load_event *event)
{
	struct figures *figures = event->load->figures;
	const struct load_conn *own = event->own;

	if ((own->flags & LOAD_CONN_FAILED) != 0)
		return;
	figures_count(figures, FIGURE_completed, 1);
	if ((own->flags & LOAD_CONN_FIN_SENT) != 0)
		histogram_record(&figures->close_us, (uint32_t)event->worker->now_us - own->mark_us,
				1);
}

static enum failure
load_event_timeout(const struct load_conn *own, enum tcp_state state)
{
	const bool only_to_be_closed = (own->flags & (LOAD_CONN_ANSWERED | LOAD_CONN_FIN_DUE)) ==
				       LOAD_CONN_ANSWERED;

	switch (state) {
	case TCP_SYN_RCVD:
		return FAILURE_timeout_syn_rcvd;
	case TCP_FIN_WAIT_1:
		return FAILURE_timeout_fin_wait_1;
	case TCP_FIN_WAIT_2:
		return FAILURE_timeout_fin_wait_2;
	case TCP_CLOSE_WAIT:
		return FAILURE_timeout_close_wait;
	case TCP_CLOSING:
		return FAILURE_timeout_closing;
	case TCP_LAST_ACK:
		return FAILURE_timeout_last_ack;
	default:
		return only_to_be_closed ? FAILURE_timeout_answered : FAILURE_timeout_established;
	}
}

/* Why a connection is over that had not done what was planned. */
static enum failure
load_event_failure(const struct load_event *event, enum tcp_event happened, enum tcp_state before)
{
	if (before == TCP_SYN_SENT) {
		if (happened == TCP_EVENT_RST)
			return FAILURE_refused;
		if (happened == TCP_EVENT_UNREACHABLE)
			return FAILURE_unreachable;
		if ((event->own->flags & LOAD_CONN_BAD_ACK) != 0)
			return FAILURE_bad_ack;
		return (event->own->flags & LOAD_CONN_UNSENT) != 0 ? FAILURE_transmit_full
								   : FAILURE_no_syn_ack;
	}
	if (happened == TCP_EVENT_TIMEOUT)
		return load_event_timeout(event->own, before);
	return before == TCP_SYN_RCVD || before == TCP_ESTABLISHED ? FAILURE_reset_established
								   : FAILURE_reset_closing;
}

void
load_event_ended(struct load_event *event, enum tcp_event happened, enum tcp_state before,
		uint8_t outcome)
{
	/*
	 * At the end of the run what is unfinished is reset, and that is nobody's failure; but that
	 * a SYN was repeated and had no answer is.
	 */
	if (happened == TCP_EVENT_ABORT && (before != TCP_SYN_SENT || event->tcp->retries == 0))
		return;
	if ((outcome & (TCP_OUTCOME_RESET | TCP_OUTCOME_TIMED_OUT)) == 0)
		load_event_closed(event);
	else
		load_event_fail(event, load_event_failure(event, happened, before));
}

void
load_event_settle(struct worker *worker)
{
	for (unsigned int i = 0; i < worker->ending_count; i++) {
		struct conn *conn = worker->ending[i].conn;

		if (timer_wheel_is_scheduled(conn))
			timer_wheel_cancel(worker->wheel, conn);
		load_table_remove(worker, conn);
	}
	worker->ending_count = 0;
}
