/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include <rte_bitops.h>

#include "cookie/isn.h"
#include "engine/burst_expecting.h"
#include "engine/burst_reply.h"
#include "engine/burst_syn.h"
#include "engine/transmit.h"
#include "step/step_masks.h"
#include "step/step_syns.h"
#include "tcp/tcp_effect.h"
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
};

/* Those of them that happen together. */
struct syns_some {
	struct step_syns step;
	struct conn *conn[COLUMNS];
	uint8_t packet[COLUMNS];
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

/* Whether a SYN's source may be a peer; of most the parser is sure. */
AVX512 static inline bool
syns_have_source(const struct syns *syns, unsigned int i)
{
	const struct service_map *map = syns->worker->services->map[syns->port->index];
	const struct burst *burst = syns->burst;
	const struct flow_key *key = &burst->key[i];

	if (likely(((burst->known & ~burst->doubtful) >> i & 1) != 0))
		return true;
	return key->port != 0 && !service_map_is_no_peer(map, key->address);
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
			       ((burst->segment[i].flags & TCP_FIN) == 0) &
			       (packet->buf_len - packet->data_off >= BUILD_HEADERS_MAX) &&
	       (likely(known) || (build_turn_may(frame) && turn_columns_may(frame))) &&
	       syns_have_source(syns, i);
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

/* Who gets a place in the table, of the next SYNs. @return how many were asked for. */
AVX512 static unsigned int
syns_insert(const struct syns *syns, struct syns_some *some, unsigned int first)
{
	const unsigned int most = RTE_MIN(syns->n - first, (unsigned int)COLUMNS);
	const struct burst *burst = syns->burst;
	unsigned int n = 0;

	for (unsigned int k = first; k < first + most; k++) {
		const unsigned int i = syns->packet[k];
		struct conn *conn = conn_table_insert(
				syns->worker->table, &burst->key[i], burst->hash[i]);

		if (unlikely(conn == NULL))
			continue;
		some->packet[n] = (uint8_t)i;
		some->conn[n] = conn;
		some->step.conn[n] = &conn->tcp;
		some->step.segment[n] = &burst->segment[i];
		some->step.isn[n] = syns->isn[k];
		some->step.ts_clock[n] = burst_env_ts_clock(syns->worker, burst->hash[i]);
		n++;
	}
	some->step.n = n;
	return most;
}

/* Until they open, their tails know where from and when. */
AVX512 static void
syns_fill_tails(const struct syns *syns, const struct syns_some *some)
{
	const struct worker *worker = syns->worker;

	for (unsigned int k = 0; k < some->step.n; k++) {
		const uint8_t *frame = rte_pktmbuf_mtod(
				syns->burst->packet[some->packet[k]], const uint8_t *);
		struct conn_tail *tail = conn_table_tail(worker->table, some->conn[k]);

		tail->port = syns->port->index & 0xf;
		tail->recover = (uint32_t)worker->now_us;
		memcpy(tail->peer_mac, frame + RTE_ETHER_ADDR_LEN, sizeof(tail->peer_mac));
	}
}

/* One form after the other; mostly all have the same. */
AVX512 static void
syns_answer(const struct syns *syns, const struct syns_some *some)
{
	uint32_t left = (1u << some->step.n) - 1;

	while (left != 0) {
		const uint16_t flags = (uint16_t)some->step.flags[rte_bsf32(left)];
		struct rte_mbuf *packets[COLUMNS];
		struct build_columns answers = {.n = 0};
		uint32_t alike = step_syns_answer(&some->step, (uint16_t)left, &answers);
		unsigned int length;

		left &= ~alike;
		for (; alike != 0; alike &= alike - 1) {
			packets[answers.n] = syns->burst->packet[some->packet[rte_bsf32(alike)]];
			answers.data[answers.n] = rte_pktmbuf_mtod(packets[answers.n], uint8_t *);
			answers.n++;
		}
		length = build_columns(&answers, burst_desk_form(syns->desk, flags));
		for (unsigned int k = 0; k < answers.n; k++)
			burst_reply_finish(packets[k], length);
		transmit_replies(syns->worker, packets, answers.n, syns->port->index);
	}
}

/* What the table says to a SYN; the same for all of them. */
static struct tcp_action
syns_action(const struct syns *syns, const struct conn *conn)
{
	const unsigned int row = tcp_rules_expected[TCP_LISTEN][0];
	struct tcp_action action = {.rule = (uint16_t)row};

	tcp_effect_timer(&conn->tcp, (enum tcp_rule_timer)tcp_rules[row].timer, 0,
			syns->desk->env.config, &action);
	return action;
}

/* Connections become half open. */
AVX512 static void
syns_keep(const struct syns *syns, struct syns_some *some)
{
	const unsigned int n = some->step.n;
	struct service_share *share = syns->desk->share;
	struct worker *worker = syns->worker;
	struct tcp_action action;

	step_syns_take(&some->step, &syns->desk->env);
	action = syns_action(syns, some->conn[0]);
	syns_fill_tails(syns, some);
	share->half_open += n;
	half_open_push_many(worker, share, some->conn, n);
	timer_wheel_schedule_new(worker->wheel, some->conn, n, worker->now_ms + action.delay_ms,
			worker->now_ms + syns->desk->env.config->rto_min_ms);
	syns_answer(syns, some);
	/* services_admit(): there is credit for all of a burst. */
	share->credit -= n;
	share->connections += n;
	worker->rules[action.rule] += n;
	worker_count(worker, syns->port->index, COUNTER_syn_received, n);
	worker_count(worker, syns->port->index, COUNTER_synack_sent, n);
}

/* All whose number was made. @return which of them are answered. */
AVX512 static uint64_t
syns_keep_all(const struct syns *syns)
{
	uint64_t done = 0;

	for (unsigned int first = 0; first < syns->n;) {
		struct syns_some some;

		first += syns_insert(syns, &some, first);
		if (unlikely(some.step.n == 0))
			continue;
		syns_keep(syns, &some);
		for (unsigned int k = 0; k < some.step.n; k++) {
			done |= UINT64_C(1) << some.packet[k];
			syns->burst->packet[some.packet[k]] = NULL;
		}
	}
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
