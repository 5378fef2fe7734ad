/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Exchanges that keep nothing: SYNs whose answers are only counted, ACKs and RSTs of no connection.
 *
 * A SYN's number is a hash of its tuple and a secret, so that an answer says by itself whether it
 * is one; it keeps mistakes apart, not somebody who guesses.
 */

#include <string.h>

#include "engine/load.h"
#include "engine/worker.h"

uint32_t
load_isn(const struct load_worker *load, const struct tuple *tuple)
{
	uint64_t words[2];

	memcpy(words, tuple->address, sizeof(words));
	words[0] = (words[0] ^ words[1] ^ ((uint64_t)tuple->port << 16 | tuple->target) ^
				   load->secret) *
		   UINT64_C(0x9e3779b97f4a7c15);
	words[0] ^= words[0] >> 29;
	return (uint32_t)((words[0] * UINT64_C(0xbf58476d1ce4e5b9)) >> 32);
}

static void
load_flood_judge(struct load_worker *load, const struct burst *burst, unsigned int i)
{
	const struct tcp_segment *segment = &burst->segment[i];
	struct tuple tuple = {
			.port = burst->key[i].port, .target = flow_key_target(&burst->key[i])};

	if (burst->event[i] == TCP_EVENT_RST) {
		figures_count(load->figures, FIGURE_resets, 1);
	} else if (burst->event[i] == TCP_EVENT_SYN_ACK) {
		memcpy(tuple.address, burst->key[i].address, sizeof(tuple.address));
		figures_count(load->figures,
				segment->ack - 1 == load_isn(load, &tuple) ? FIGURE_syn_acks
									   : FIGURE_bad_syn_acks,
				1);
	}
}

void
load_flood_input(struct worker *worker, struct burst *burst)
{
	if (burst->n == 0)
		return;
	for (unsigned int i = 0; i < burst->n; i++)
		load_flood_judge(worker->load, burst, i);
	for (unsigned int i = 0; i < burst->n; i++)
		worker_drop(worker, burst->packet[i], DROP_consumed);
	burst->n = 0;
}

static unsigned int
load_flood_due(struct worker *worker)
{
	struct load_worker *load = worker->load;
	unsigned int n = 0, room = LOAD_BATCH_MAX;
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
load_flood_write(struct load_worker *load, uint64_t now_us, uint8_t *to)
{
	const struct load_plan *plan = &load->load->plan;
	const struct frame_text *options = NULL;
	struct tuple tuple;
	struct frame_tcp tcp = {.source = tuple.address, .window = UINT16_MAX};
	struct flow_key key;
	uint64_t random;

	if (plan->random_order)
		tuple_walk_random(&load->walk[load->port], load_random(load), &tuple);
	else
		tuple_walk_next(&load->walk[load->port], &tuple);
	load_set_key(&key, &tuple);
	load_note_start(load, &key, now_us);
	tcp.port = tuple.port;
	if (plan->exchange == LOAD_SYN) {
		tcp.flags = TCP_SYN;
		tcp.seq = load_isn(load, &tuple);
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
	unsigned int n;

	/* What is left of the last ones, too. */
	if (!load_batch_send(worker) || !load->starting)
		return 0;
	n = load_flood_due(worker);
	if (n == 0)
		return 0;
	if (rte_pktmbuf_alloc_bulk(worker->pool, load->batch, n) != 0) {
		figures_count(load->figures, FIGURE_no_buffer, n);
		return 0;
	}
	for (unsigned int i = 0; i < n; i++) {
		struct rte_mbuf *packet = load->batch[i];
		const unsigned int length = load_flood_write(
				load, worker->now_us, rte_pktmbuf_mtod(packet, uint8_t *));

		packet->data_len = (uint16_t)length;
		packet->pkt_len = length;
		packet->port = load->port;
	}
	load->batch_port = load->port;
	load_next_port(load, worker->engine->port_count);
	load->batch_end = n;
	load->batch_us = worker->now_us;
	figures_count(load->figures, FIGURE_started, n);
	load->left -= n;
	load->starting = load->left > 0;
	load->finished_us = worker->now_us;
	load_batch_send(worker);
	return n;
}
