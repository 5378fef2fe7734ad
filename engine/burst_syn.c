/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include <rte_bitops.h>

#include "cookie/isn.h"
#include "engine/burst_expecting.h"
#include "engine/burst_reply.h"
#include "engine/burst_syn.h"
#include "engine/transmit.h"
#include "step/step_masks.h"
#include "tcp/tcp_expect.h"
#include "wire/build_columns.h"
#include "wire/turn_columns.h"

#define AVX512 COLUMNS_AVX512

/* Fewer than so many at once take longer than one by one. */
#define BURST_SYN_MIN 3

/* SYNs that came to one desk, and are kept. */
struct syns {
	struct worker *worker;
	struct burst *burst;
	struct burst_desk *desk;
	const struct port *port;
	unsigned int n;
	uint8_t packet[BURST_MAX];
	uint32_t isn[BURST_MAX];
	/* Answers that are alike, to be sent. */
	const struct build_form *form;
	struct build_columns answers;
	struct rte_mbuf *answer[COLUMNS];
};

/* Packets of nobody who is known; those that are SYNs. */
static inline uint64_t
syns_find(const struct burst *burst, uint64_t *strangers)
{
	*strangers = burst_all(burst) & ~step_masks_there(burst->conn, true) &
		     step_masks_there(burst->packet, true);
	return *strangers & ~step_masks_there(burst->waiting, true) &
	       step_masks_equal(burst->event, TCP_EVENT_SYN, true);
}

/* Flows are told apart by so many kinds of hashes. */
#define SYNS_KINDS 1024

/*
 * Of SYNs, those whose flow has no other one among the strangers.  Whatever is in the list is of a
 * stranger.
 */
AVX512 static inline uint64_t
syns_alone(const struct burst *burst, uint64_t syns, uint64_t strangers)
{
	uint8_t list[SYNS_KINDS];
	uint64_t alone = syns;

	for (uint64_t left = strangers; left != 0; left &= left - 1)
		list[burst->hash[rte_bsf64(left)] % SYNS_KINDS] = (uint8_t)rte_bsf64(left);
	for (uint64_t left = strangers; left != 0; left &= left - 1) {
		const unsigned int i = rte_bsf64(left);
		const unsigned int last = list[burst->hash[i] % SYNS_KINDS];

		alone &= ~((uint64_t)(last != i) << i | (uint64_t)(last != i) << last);
	}
	return alone;
}

/* Whether a SYN is for the desk, and can be answered in columns. */
AVX512 static inline bool
syns_may(const struct syns *syns, unsigned int i)
{
	const struct burst *burst = syns->burst;
	const struct rte_mbuf *packet = burst->packet[i];
	const struct flow_key *key = &burst->key[i];
	const struct frame *frame = &burst->frame[i];
	const bool known = (burst->known >> i & 1) != 0;

	return (burst_desk_place((uint8_t)packet->port, key->endpoint) == syns->desk->place) &
			       ((burst->segment[i].flags & TCP_FIN) == 0) & (key->port != 0) &
			       (packet->buf_len - packet->data_off >= BUILD_HEADERS_MAX) &&
	       (likely(known) || (build_turn_may(frame) && turn_columns_may(frame))) &&
	       !service_map_is_no_peer(
			       syns->worker->services->map[syns->port->index], key->address);
}

AVX512 static void
syns_make_isns(struct syns *syns)
{
	uint64_t hash[BURST_MAX];

	for (unsigned int k = 0; k < syns->n; k++)
		hash[k] = syns->burst->hash[syns->packet[k]];
	isn_make_bulk(&syns->worker->engine->isn_key, hash, syns->n, syns->worker->now_us,
			syns->isn);
}

AVX512 static void
syns_send(struct syns *syns)
{
	const unsigned int n = syns->answers.n;
	unsigned int length;

	if (n == 0)
		return;
	length = build_columns(&syns->answers, syns->form);
	for (unsigned int k = 0; k < n; k++)
		burst_reply_finish(syns->answer[k], length);
	transmit_replies(syns->worker, syns->answer, n, syns->port->index);
	syns->answers.n = 0;
}

AVX512 static inline void
syns_answer(struct syns *syns, unsigned int i, const struct tcp_conn *tcp, uint32_t ts_clock)
{
	const struct build_form *form = burst_desk_form(syns->desk, tcp->flags);
	struct build_columns *answers = &syns->answers;
	unsigned int lane;

	if (form != syns->form || answers->n == COLUMNS)
		syns_send(syns);
	syns->form = form;
	lane = answers->n++;
	syns->answer[lane] = syns->burst->packet[i];
	answers->data[lane] = rte_pktmbuf_mtod(syns->burst->packet[i], uint8_t *);
	answers->seq[lane] = tcp->snd_una;
	answers->ack[lane] = tcp->rcv_nxt;
	answers->tsval[lane] = ts_clock;
	answers->tsecr[lane] = tcp->ts_recent;
}

/* @return the row that fired, or 0: no room. */
AVX512 static inline unsigned int
syns_keep(struct syns *syns, unsigned int k)
{
	struct burst_desk *desk = syns->desk;
	struct worker *worker = syns->worker;
	struct burst *burst = syns->burst;
	const unsigned int i = syns->packet[k];
	const uint8_t *frame = rte_pktmbuf_mtod(burst->packet[i], const uint8_t *);
	struct conn *conn = conn_table_insert(worker->table, &burst->key[i], burst->hash[i]);
	struct tcp_action action;
	struct conn_tail *tail;

	if (unlikely(conn == NULL))
		return 0;
	desk->env.ts_clock = burst_env_ts_clock(worker, burst->hash[i]);
	desk->env.isn = syns->isn[k];
	conn->tcp.state = TCP_LISTEN;
	if (unlikely(!tcp_expect_syn(&conn->tcp, &burst->segment[i], &desk->env, &action))) {
		conn_table_remove(worker->table, conn, burst->hash[i]);
		return 0;
	}
	tail = conn_table_tail(worker->table, conn);
	tail->port = syns->port->index & 0xf;
	tail->recover = (uint32_t)worker->now_us;
	memcpy(tail->peer_mac, frame + RTE_ETHER_ADDR_LEN, sizeof(tail->peer_mac));
	desk->share->half_open++;
	half_open_push(worker, desk->share, conn);
	syns_answer(syns, i, &conn->tcp, desk->env.ts_clock);
	burst_reply_first_timer(worker, conn, action.delay_ms, desk->env.config);
	return action.rule;
}

/* All whose number was made. @return which of them are answered. */
AVX512 static uint64_t
syns_keep_all(struct syns *syns)
{
	struct service_share *share = syns->desk->share;
	struct worker *worker = syns->worker;
	unsigned int row = 0, kept = 0;
	uint64_t done = 0;

	syns->form = NULL;
	syns->answers.n = 0;
	syns->desk->env.rcv_wnd = BURST_ENV_FIRST_WINDOW;
	for (unsigned int k = 0; k < syns->n; k++) {
		const unsigned int rule = syns_keep(syns, k);

		if (unlikely(rule == 0))
			continue;
		row = rule;
		kept++;
		done |= UINT64_C(1) << syns->packet[k];
		syns->burst->packet[syns->packet[k]] = NULL;
	}
	syns_send(syns);
	/* services_admit(): there is credit for all of a burst. */
	share->credit -= kept;
	share->connections += kept;
	worker->rules[row] += kept;
	worker_count(worker, syns->port->index, COUNTER_syn_received, kept);
	worker_count(worker, syns->port->index, COUNTER_synack_sent, kept);
	return done;
}

AVX512 static void
syns_choose(struct syns *syns, uint64_t packets)
{
	for (uint64_t left = packets; left != 0; left &= left - 1) {
		const unsigned int i = rte_bsf64(left);

		syns->packet[syns->n] = (uint8_t)i;
		syns->n += syns_may(syns, i);
	}
}

/* Whether SYNs to the desk are kept, whatever else is in the burst. */
static bool
syns_are_kept(const struct worker *worker, const struct burst_desk *desk, const struct port *port)
{
	return desk->opens && !port->transmit_offload && expecting_has_room(worker, desk) &&
	       engine_phase(worker->engine) == ENGINE_RUNNING;
}

uint64_t
burst_syn(struct worker *worker, struct burst *burst, uint64_t packets)
{
	uint64_t strangers, left;
	struct syns syns;
	unsigned int first;

	if (!worker->columns || worker->inserted || unlikely(worker->services->changing))
		return 0;
	left = syns_find(burst, &strangers) & packets;
	if (left == 0 || (left & (left - 1)) == 0)
		return 0;
	first = rte_bsf64(left);
	if (!flow_key_is_passive(&burst->key[first]))
		return 0;
	syns.worker = worker;
	syns.burst = burst;
	syns.n = 0;
	syns.port = &worker->engine->port[burst->packet[first]->port];
	syns.desk = burst_desk(worker, syns.port->index, burst->key[first].endpoint);
	if (syns.desk == NULL || !syns_are_kept(worker, syns.desk, syns.port))
		return 0;
	syns_choose(&syns, syns_alone(burst, left, strangers));
	if (syns.n < BURST_SYN_MIN)
		return 0;
	syns_make_isns(&syns);
	left = syns_keep_all(&syns);
	burst->silent |= left;
	return left;
}
