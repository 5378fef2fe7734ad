/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BURST_EXPECTING_H
#define BURST_EXPECTING_H

/**
 * @file
 * What expected segments bring about outside the TCP machine, in line: for burst_expect.c, which
 * takes them one by one, and burst_group.c, which takes many at once.
 */

#include <string.h>

#include "engine/buffers.h"
#include "engine/burst.h"
#include "engine/burst_cookie.h"
#include "engine/burst_desk.h"
#include "engine/half_open.h"
#include "engine/transmit.h"
#include "tcp/tcp_output.h"
#include "wire/turn_columns.h"

/*
 * Whether no limit is so near that the order of a burst's packets could be told: everybody is
 * admitted, nobody has to give way, cookies do not begin, and no batch of credit goes back.
 */
static inline bool
expecting_has_room(const struct worker *worker, const struct burst_desk *desk)
{
	const struct service_share *share = desk->share;
	const uint32_t batch = desk->service->limit->batch;

	return share->half_open + BURST_MAX < desk->service->settings->max_syn_backlog &&
	       share->credit >= BURST_MAX &&
	       (share->credit + BURST_MAX <= batch ||
			       share->credit + share->connections <= batch) &&
	       conn_table_count(worker->table) + 3 * BURST_MAX <=
			       conn_table_capacity(worker->table);
}

/* Answers that are turned around together, and then sent. */
struct expecting_answers {
	struct turn_columns turns;
	struct rte_mbuf *packet[TURN_COLUMNS_MAX];
};

_Static_assert(BURST_MAX <= TURN_COLUMNS_MAX, "a burst's answers");

/* A burst on its way through, and what the packets that went by left to be counted. */
struct expecting {
	struct worker *worker;
	struct burst *burst;
	struct burst_desk *desk; /* Of the packet before. */
	uint8_t port;            /* Where that came in, and the counts belong. */
	uint32_t syns;
	uint32_t syn_acks;
	uint32_t opened;
	uint32_t closed;
	uint32_t requests;
	uint32_t bytes_received;
	uint32_t bytes_sent;
	unsigned int consumed_count;
	struct rte_mbuf *consumed[BURST_MAX];
	struct expecting_answers answers[2]; /* Without timestamps, and with. */
};

/* One packet of it, and who it is for. */
struct expected {
	struct expecting *run;
	unsigned int i;
	struct conn *conn;
	struct conn_tail *tail;
};

static inline void
expecting_begin(struct expecting *run, struct worker *worker, struct burst *burst)
{
	run->worker = worker;
	run->burst = burst;
	run->desk = NULL;
	for (unsigned int timestamps = 0; timestamps < 2; timestamps++) {
		run->answers[timestamps].turns.n = 0;
		run->answers[timestamps].turns.timestamps = timestamps != 0;
	}
	run->consumed_count = 0;
	run->syns = 0;
	run->syn_acks = 0;
	run->opened = 0;
	run->closed = 0;
	run->requests = 0;
	run->bytes_received = 0;
	run->bytes_sent = 0;
}

static inline void
expecting_count(struct worker *worker, uint8_t port, enum counter counter, uint32_t *n)
{
	if (*n > 0)
		worker_count(worker, port, counter, *n);
	*n = 0;
}

static inline void
expecting_send(struct expecting *run)
{
	for (unsigned int timestamps = 0; timestamps < 2; timestamps++) {
		struct expecting_answers *answers = &run->answers[timestamps];
		const unsigned int n = answers->turns.n;

		if (n == 0)
			continue;
		answers->turns.family = run->desk->family;
		turn_columns(&answers->turns);
		transmit_replies(run->worker, answers->packet, n, run->port);
	}
}

/* What was counted belongs to one desk. */
static inline void
expecting_end(struct expecting *run)
{
	struct worker *worker = run->worker;
	struct service_share *share;

	if (run->desk == NULL)
		return;
	expecting_send(run);
	share = run->desk->share;
	share->opened += run->opened;
	share->closed += run->closed;
	share->requests += run->requests;
	expecting_count(worker, run->port, COUNTER_syn_received, &run->syns);
	expecting_count(worker, run->port, COUNTER_synack_sent, &run->syn_acks);
	expecting_count(worker, run->port, COUNTER_opened, &run->opened);
	expecting_count(worker, run->port, COUNTER_closed, &run->closed);
	expecting_count(worker, run->port, COUNTER_requests, &run->requests);
	expecting_count(worker, run->port, COUNTER_data_bytes_received, &run->bytes_received);
	expecting_count(worker, run->port, COUNTER_data_bytes_sent, &run->bytes_sent);
	if (run->consumed_count > 0) {
		worker_count(worker, run->port, DROP_consumed, run->consumed_count);
		buffers_free(run->consumed, run->consumed_count);
		run->consumed_count = 0;
	}
}

/* After it nothing is to be said. */
static inline void
expecting_consume(struct expecting *run, unsigned int i)
{
	run->consumed[run->consumed_count++] = run->burst->packet[i];
	run->burst->packet[i] = NULL;
	run->burst->conn[i] = NULL;
	run->burst->silent |= UINT64_C(1) << i;
}

/* @return false when nobody is there for such packets. */
static inline bool
expecting_desk(struct expecting *run, const struct rte_mbuf *packet, uint16_t listener)
{
	const uint32_t place = burst_desk_place((uint8_t)packet->port, listener);
	struct burst_desk *desk;

	if (likely(run->desk != NULL && run->desk->place == place))
		return true;
	expecting_end(run);
	run->desk = NULL;
	desk = burst_desk(run->worker, (uint8_t)packet->port, listener);
	run->desk = desk;
	run->port = (uint8_t)packet->port;
	return desk != NULL;
}

static inline void
expect_opened(const struct expected *this)
{
	struct worker *worker = this->run->worker;
	struct burst_desk *desk = this->run->desk;
	struct conn_tail *tail = this->tail;
	struct tcp_sender sender;

	half_open_take_out(worker, desk->share, this->conn);
	burst_cookie_half_open(worker, desk->service, desk->share, false);
	histogram_record(&worker->handshake_us, (uint32_t)worker->now_us - tail->recover, 1);
	this->run->opened++;
	tcp_output_open(&this->conn->tcp, &sender, desk->env.config);
	tail->recover = sender.recover;
	tail->ssthresh = sender.ssthresh;
	respond_open(desk->service->respond, &tail->respond, this->conn->tcp.snd_una,
			worker->echo_buffers);
}

/* The end of a connection that counted: by the peer's last ACK, or in TIME_WAIT. */
static inline void
expect_ended(const struct expected *this)
{
	struct worker *worker = this->run->worker;
	const struct burst_desk *desk = this->run->desk;
	const uint64_t hash = this->run->burst->hash[this->i];

	respond_closed(desk->service->respond, &this->tail->respond, worker->echo_buffers);
	services_release(desk->service, desk->share);
	this->run->closed++;
	if (this->conn->tcp.state == TCP_TIME_WAIT) {
		time_wait_prefetch(worker->time_wait, hash);
		time_wait_prefetch_room(worker->time_wait, worker->ending_count);
	}
	if (unlikely(worker->revived))
		burst_step_note(worker, &(struct worker_ending){.conn = this->conn, .hash = hash});
	else
		worker->ending[worker->ending_count++] =
				(struct worker_ending){.conn = this->conn, .hash = hash};
}

static inline void
expect_data(const struct expected *this, uint16_t length)
{
	struct expecting *run = this->run;
	const struct burst *burst = run->burst;
	const uint8_t *data = rte_pktmbuf_mtod(burst->packet[this->i], const uint8_t *);
	const uint8_t *payload = data + burst->frame[this->i].l4_offset +
				 burst->segment[this->i].payload_offset;

	run->requests += respond_input(run->desk->service->respond, &this->tail->respond,
			run->worker->echo_buffers, payload, length);
	run->bytes_received += length;
	/* What a timer may have to send goes where the latest data came from. */
	memcpy(this->tail->peer_mac, data + RTE_ETHER_ADDR_LEN, sizeof(this->tail->peer_mac));
}

#endif /* BURST_EXPECTING_H */
