/* SPDX-License-Identifier: BSD-3-Clause */

#include <rte_ethdev.h>
#include <rte_ring.h>

#include "engine/transmit.h"
#include "engine/worker.h"

/* Hand packets to the device; what it refuses is freed and counted. */
static unsigned int
transmit_to_device(struct worker *worker, uint8_t port, struct rte_mbuf **packets, unsigned int n)
{
	const struct port *to = &worker->engine->port[port];
	uint64_t bytes = 0, refused_bytes = 0;
	unsigned int sent;

	for (unsigned int i = 0; i < n; i++)
		bytes += packets[i]->pkt_len;
	sent = rte_eth_tx_burst(to->id, (uint16_t)worker->index, packets, (uint16_t)n);
	for (unsigned int i = sent; i < n; i++) {
		refused_bytes += packets[i]->pkt_len;
		rte_pktmbuf_free(packets[i]);
	}
	worker_count(worker, port, COUNTER_tx, sent);
	worker_count(worker, port, COUNTER_tx_bytes, bytes - refused_bytes);
	worker_count(worker, port, COUNTER_tx_full, n - sent);
	return sent;
}

static unsigned int
transmit_through(struct worker *worker, uint8_t port, struct rte_mbuf **packets, unsigned int n)
{
	const unsigned int sent = rte_ring_sp_enqueue_burst(
			worker->transmit_through[port], (void **)packets, n, NULL);

	rte_pktmbuf_free_bulk(&packets[sent], n - sent);
	worker_count(worker, port, COUNTER_tx_full, n - sent);
	return sent;
}

void
transmit_flush_port(struct worker *worker, uint8_t port)
{
	struct worker_transmit *buffer = &worker->transmit[port];

	worker_count(worker, port, COUNTER_replies, buffer->replies);
	worker_count(worker, port, COUNTER_originated, buffer->originated);
	if (worker->transmit_through[port] == NULL)
		transmit_to_device(worker, port, buffer->packet, buffer->n);
	else
		transmit_through(worker, port, buffer->packet, buffer->n);
	buffer->n = 0;
	buffer->replies = 0;
	buffer->originated = 0;
}

unsigned int
transmit_many(struct worker *worker, struct rte_mbuf *packets[], unsigned int n, uint8_t port)
{
	worker_count(worker, port, COUNTER_originated, n);
	if (worker->transmit_through[port] == NULL)
		return transmit_to_device(worker, port, packets, n);
	for (unsigned int i = 0; i < n; i++)
		packets[i]->port = port;
	return transmit_through(worker, port, packets, n);
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
			transmit_to_device(worker, (uint8_t)packets[0]->port, packets, n);
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
