/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Exchanges that keep nothing: SYNs whose answers are only counted, ACKs and RSTs of no connection.
 *
 * A SYN's number is a keyed hash of its tuple, so that an answer says by itself whether it is one.
 */

#include <string.h>

#include "engine/load.h"
#include "engine/transmit.h"
#include "engine/worker.h"

#define LOAD_FLOOD_MAX 64

/* The number of the SYN from a tuple; not for those who guess, only for those who mistake. */
static inline uint32_t
load_flood_isn(const struct load_worker *load, const uint8_t address[16], rte_be16_t port,
		unsigned int target)
{
	uint64_t words[2];

	memcpy(words, address, sizeof(words));
	words[0] = (words[0] ^ words[1] ^ ((uint64_t)port << 16 | target) ^ load->secret) *
		   UINT64_C(0x9e3779b97f4a7c15);
	words[0] ^= words[0] >> 29;
	return (uint32_t)((words[0] * UINT64_C(0xbf58476d1ce4e5b9)) >> 32);
}

static void
load_flood_judge(struct load_worker *load, const struct burst *burst, unsigned int i)
{
	const struct tcp_segment *segment = &burst->segment[i];
	const struct flow_key *key = &burst->key[i];

	if (burst->event[i] == TCP_EVENT_RST)
		figures_count(load->figures, FIGURE_resets, 1);
	else if (burst->event[i] == TCP_EVENT_SYN_ACK &&
			segment->ack - 1 == load_flood_isn(load, key->address, key->port,
							    flow_key_target(key)))
		figures_count(load->figures, FIGURE_syn_acks, 1);
	else if (burst->event[i] == TCP_EVENT_SYN_ACK)
		figures_count(load->figures, FIGURE_bad_syn_acks, 1);
}

void
load_flood_input(struct worker *worker, struct burst *burst)
{
	if (burst->n == 0)
		return;
	for (unsigned int i = 0; i < burst->n; i++)
		load_flood_judge(worker->load, burst, i);
	worker_count(worker, 0, DROP_consumed, burst->n);
	rte_pktmbuf_free_bulk(burst->packet, burst->n);
	burst->n = 0;
}

static unsigned int
load_flood_due(struct worker *worker)
{
	struct load_worker *load = worker->load;
	unsigned int n = 0, room = LOAD_FLOOD_MAX;
	uint64_t intended_us;

	if (room > load->left)
		room = (unsigned int)load->left;
	if (load->load->plan.rate == 0.0)
		return room;
	while (n < room && pace_take(&load->pace, worker->now_us, &intended_us))
		n++;
	return n;
}

static unsigned int
load_flood_write(struct load_worker *load, uint8_t *to)
{
	const struct load_plan *plan = &load->load->plan;
	const struct frame_text *options = NULL;
	struct tuple tuple;
	struct frame_tcp tcp = {.source = tuple.address, .window = UINT16_MAX};
	uint64_t random;

	if (plan->random_order)
		tuple_walk_random(&load->walk, load_random(load), &tuple);
	else
		tuple_walk_next(&load->walk, &tuple);
	tcp.port = tuple.port;
	if (plan->exchange == LOAD_SYN) {
		tcp.flags = TCP_SYN;
		tcp.seq = load_flood_isn(load, tuple.address, tuple.port, tuple.target);
		options = &load->syn_options;
	} else {
		random = load_random(load);
		tcp.seq = (uint32_t)random;
		tcp.ack = plan->exchange == LOAD_FORGED_ACK ? (uint32_t)(random >> 32) : 0;
		tcp.flags = plan->exchange == LOAD_FORGED_ACK ? TCP_ACK : TCP_RST;
	}
	return frame_template_write(
			&load->load->target[tuple.target].frames, to, &tcp, options, NULL);
}

unsigned int
load_flood(struct worker *worker)
{
	struct load_worker *load = worker->load;
	struct rte_mbuf *packet[LOAD_FLOOD_MAX];
	unsigned int n, sent;

	if (!load->starting)
		return 0;
	n = load_flood_due(worker);
	if (n == 0)
		return 0;
	if (rte_pktmbuf_alloc_bulk(worker->pool, packet, n) != 0) {
		figures_count(load->figures, FIGURE_no_buffer, n);
		return 0;
	}
	for (unsigned int i = 0; i < n; i++) {
		const unsigned int length =
				load_flood_write(load, rte_pktmbuf_mtod(packet[i], uint8_t *));

		packet[i]->data_len = (uint16_t)length;
		packet[i]->pkt_len = length;
	}
	sent = transmit_many(worker, packet, n, 0);
	figures_count(load->figures, FIGURE_started, sent);
	load->left -= sent;
	load->starting = load->left > 0;
	load->finished_us = worker->now_us;
	return n;
}
