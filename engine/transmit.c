/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include <rte_ethdev.h>
#include <rte_pause.h>
#include <rte_ring.h>

#include "engine/load.h"
#include "engine/memif.h"
#include "engine/tap.h"
#include "engine/transmit.h"
#include "engine/worker.h"

static inline unsigned int
transmit_device(struct worker *worker, const struct port *to, struct rte_mbuf **packets,
		unsigned int n)
{
	if (to->memif == NULL)
		return rte_eth_tx_burst(to->id, (uint16_t)worker->index, packets, (uint16_t)n);
	return memif_transmit(to->memif, worker->index, packets, n);
}

/* The same before a capture: what is refused is tried again, and sent once for all that. */
static unsigned int
transmit_watched(struct worker *worker, const struct port *to, struct tap_memory *tap,
		struct rte_mbuf **packets, unsigned int n)
{
	const bool wanted = tap_wants(tap, to->index, TAP_OUT);
	const unsigned int copied =
			wanted ? tap_copy(worker, tap, to->index, packets, n, TAP_OUT) : 0;
	const unsigned int sent = transmit_device(worker, to, packets, n);

	if (wanted)
		tap_show(worker, tap, copied, sent);
	return sent;
}

/* Hand packets to the device, or to who has a queue of it. @return how many were taken. */
static unsigned int
transmit_try(struct worker *worker, uint8_t port, struct rte_mbuf **packets, unsigned int n)
{
	struct rte_ring *through = worker->transmit_through[port];
	const struct port *to = &worker->engine->port[port];
	struct tap_memory *tap = tap_memory_of(worker);
	uint64_t bytes = 0, refused_bytes = 0;
	unsigned int sent;

	if (through != NULL)
		return rte_ring_sp_enqueue_burst(through, (void **)packets, n, NULL);
	for (unsigned int i = 0; i < n; i++)
		bytes += packets[i]->pkt_len;
	sent = likely(tap == NULL) ? transmit_device(worker, to, packets, n)
				   : transmit_watched(worker, to, tap, packets, n);
	for (unsigned int i = sent; i < n; i++)
		refused_bytes += packets[i]->pkt_len;
	worker_count(worker, port, COUNTER_tx, sent);
	worker_count(worker, port, COUNTER_tx_bytes, bytes - refused_bytes);
	return sent;
}

void
transmit_discard(struct worker *worker, struct rte_mbuf *packets[], unsigned int n, uint8_t port)
{
	if (worker->load != NULL)
		load_refused(worker, packets, n, port);
	rte_pktmbuf_free_bulk(packets, n);
	worker_count(worker, port, COUNTER_tx_full, n);
}

/* What is refused is freed and counted. */
static void
transmit_all(struct worker *worker, uint8_t port, struct rte_mbuf **packets, unsigned int n)
{
	const uint64_t until_us = worker->now_us + worker->patience_us;
	unsigned int sent = transmit_try(worker, port, packets, n);

	/* Only a generator has time: until its device takes this, it has nothing better to do. */
	while (sent < n && clock_us(&worker->engine->clock) < until_us) {
		rte_pause();
		sent += transmit_try(worker, port, &packets[sent], n - sent);
	}
	if (sent < n)
		transmit_discard(worker, &packets[sent], n - sent, port);
}

void
transmit_flush_port(struct worker *worker, uint8_t port)
{
	struct worker_transmit *buffer = &worker->transmit[port];

	worker_count(worker, port, COUNTER_replies, buffer->replies);
	worker_count(worker, port, COUNTER_originated, buffer->originated);
	transmit_all(worker, port, buffer->packet, buffer->n);
	buffer->n = 0;
	buffer->replies = 0;
	buffer->originated = 0;
}

unsigned int
transmit_flush_with(struct worker *worker, struct rte_mbuf *packets[], unsigned int n, uint8_t port)
{
	struct worker_transmit *buffer = &worker->transmit[port];
	const unsigned int before = buffer->n;
	unsigned int sent;

	if (before == 0 || before + n > WORKER_TRANSMIT_MAX) {
		if (before > 0)
			transmit_flush_port(worker, port);
		return transmit_some(worker, packets, n, port);
	}
	memcpy(&buffer->packet[before], packets, n * sizeof(packets[0]));
	sent = transmit_try(worker, port, buffer->packet, before + n);
	if (sent < before) {
		/* The buffer's own go first, whatever becomes of the others. */
		memmove(buffer->packet, &buffer->packet[sent],
				(before - sent) * sizeof(packets[0]));
		buffer->n -= sent;
		transmit_flush_port(worker, port);
		return 0;
	}
	worker_count(worker, port, COUNTER_replies, buffer->replies);
	worker_count(worker, port, COUNTER_originated, buffer->originated + sent - before);
	buffer->n = 0;
	buffer->replies = 0;
	buffer->originated = 0;
	return sent - before;
}

void
transmit_replies(struct worker *worker, struct rte_mbuf *packets[], unsigned int n, uint8_t port)
{
	struct worker_transmit *buffer = &worker->transmit[port];

	while (n > 0) {
		const unsigned int room = RTE_MIN(n, WORKER_TRANSMIT_MAX - buffer->n);

		memcpy(&buffer->packet[buffer->n], packets, room * sizeof(packets[0]));
		buffer->n += room;
		buffer->replies += room;
		packets += room;
		n -= room;
		if (buffer->n == WORKER_TRANSMIT_MAX)
			transmit_flush_port(worker, port);
	}
}

unsigned int
transmit_some(struct worker *worker, struct rte_mbuf *packets[], unsigned int n, uint8_t port)
{
	const unsigned int sent = transmit_try(worker, port, packets, n);

	worker_count(worker, port, COUNTER_originated, sent);
	return sent;
}

/* Packets of workers that have no queue at a port come by ring, one ring per worker and port. */
static void
transmit_for_others(struct worker *worker)
{
	for (unsigned int i = 0; i < worker->transmit_for_count; i++) {
		struct rte_mbuf *packets[WORKER_TRANSMIT_MAX];
		const unsigned int n = rte_ring_sc_dequeue_burst(
				worker->transmit_for[i], (void **)packets, RTE_DIM(packets), NULL);

		if (n > 0)
			transmit_all(worker, (uint8_t)packets[0]->port, packets, n);
	}
}

void
transmit_flush(struct worker *worker)
{
	for (uint8_t port = 0; port < worker->engine->port_count; port++) {
		if (worker->transmit[port].n > 0)
			transmit_flush_port(worker, port);
	}
	transmit_for_others(worker);
}
