/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_ring.h>

#include "engine/flow_rules.h"
#include "engine/local_ports.h"
#include "engine/log.h"
#include "engine/steering.h"
#include "engine/transparent.h"
#include "engine/worker.h"
#include "wire/icmp_error.h"
#include "wire/steering_hash.h"

/* Deep enough for the owner to sleep a millisecond at a million packets per second. */
#define STEERING_RING_SIZE 2048

static struct rte_ring *
steering_ring(const struct engine *engine, const char *kind, unsigned int from, unsigned int to)
{
	char name[64];
	struct rte_ring *ring;

	snprintf(name, sizeof(name), "%s_%u_%u", kind, from, to);
	ring = rte_ring_create(name, STEERING_RING_SIZE, engine->worker[to]->numa_node,
			RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (ring == NULL)
		log_error("steering", "no memory for ring %s: %s", name, rte_strerror(rte_errno));
	return ring;
}

static int
steering_init_receive(struct engine *engine)
{
	for (unsigned int to = 0; to < engine->worker_count; to++) {
		for (unsigned int from = 0; from < engine->worker_count; from++) {
			struct worker *worker = engine->worker[to];

			if (from == to)
				continue;
			worker->steer_in[from] = steering_ring(engine, "steer", from, to);
			if (worker->steer_in[from] == NULL)
				return -1;
		}
	}
	return 0;
}

/* A worker beyond a port's transmit queues sends through worker index % queues. */
static int
steering_init_transmit(struct engine *engine)
{
	for (unsigned int p = 0; p < engine->port_count; p++) {
		const unsigned int queues = engine->port[p].transmit_queues;

		for (unsigned int w = queues; w < engine->worker_count; w++) {
			struct worker *owner = engine->worker[w % queues];
			char kind[24];
			struct rte_ring *ring;

			snprintf(kind, sizeof(kind), "transmit%u", p);
			ring = steering_ring(engine, kind, w, owner->index);
			if (ring == NULL)
				return -1;
			engine->worker[w]->transmit_through[p] = ring;
			owner->transmit_for[owner->transmit_for_count++] = ring;
		}
	}
	return 0;
}

/* Whether a flow goes to the same worker through either port. */
static bool
steering_alike(const struct port *a, const struct port *b)
{
	return a->software_steering == b->software_steering &&
	       (a->software_steering ||
			       (a->reta_size == b->reta_size && a->rss_types == b->rss_types &&
					       strcmp(a->driver, b->driver) == 0));
}

/* Ports that spread flows each in its own way leave it to us. */
static void
steering_agree(struct engine *engine)
{
	bool alike = true;

	for (unsigned int p = 1; p < engine->port_count; p++)
		alike &= steering_alike(&engine->port[0], &engine->port[p]);
	for (unsigned int p = 0; p < engine->port_count && !alike; p++) {
		struct port *port = &engine->port[p];

		if (!port->hardware_steering)
			continue;
		port->hardware_steering = false;
		port->software_steering = true;
		port->rss = "software";
		log_info(port->settings->name, "steering=\"software\": other ports spread flows "
					       "another way, and a flow has one worker");
	}
}

int
steering_init(struct engine *engine)
{
	steering_agree(engine);
	if (steering_init_receive(engine) != 0 || steering_init_transmit(engine) != 0)
		return -1;
	return 0;
}

static void
steering_free_ring(struct rte_ring *ring)
{
	void *packet;

	if (ring == NULL)
		return;
	while (rte_ring_sc_dequeue(ring, &packet) == 0)
		rte_pktmbuf_free(packet);
	rte_ring_free(ring);
}

void
steering_free(struct engine *engine)
{
	for (unsigned int w = 0; w < engine->worker_count; w++) {
		struct worker *worker = engine->worker[w];

		for (unsigned int from = 0; from < engine->worker_count; from++)
			steering_free_ring(worker->steer_in[from]);
		for (unsigned int i = 0; i < worker->transmit_for_count; i++)
			steering_free_ring(worker->transmit_for[i]);
	}
}

static void
steering_hand_over(struct worker *worker, unsigned int owner)
{
	struct worker_handover *handover = &worker->handover[owner];
	struct rte_ring *ring = worker->engine->worker[owner]->steer_in[worker->index];
	uint16_t port_of[BURST_MAX];
	unsigned int sent;

	/* Once enqueued a packet is the owner's: what is counted must be read before. */
	for (unsigned int i = 0; i < handover->n; i++)
		port_of[i] = handover->packet[i]->port;
	sent = rte_ring_sp_enqueue_burst(ring, (void **)handover->packet, handover->n, NULL);
	for (unsigned int i = 0; i < sent; i++)
		worker_count(worker, (uint8_t)port_of[i], COUNTER_steered_out, 1);
	for (unsigned int i = sent; i < handover->n; i++)
		worker_drop(worker, handover->packet[i], DROP_ring_full);
	handover->n = 0;
}

/* What is neither TCP nor about TCP is dealt with by whoever received it. */
static unsigned int
steering_owner_of(const struct worker *worker, const struct rte_mbuf *packet)
{
	const uint8_t *data = rte_pktmbuf_mtod(packet, const uint8_t *);
	uint32_t hash = steering_hash(&worker->engine->steering_key, data, packet->data_len);
	unsigned int owner;

	if (hash == 0)
		hash = icmp_error_steering_hash(
				&worker->engine->steering_key, data, packet->data_len);
	owner = hash == 0 ? worker->index : steering_owner(hash, worker->engine->worker_count);
	if (unlikely(worker->services->transparent != NULL))
		owner = transparent_owner(worker, data, packet->data_len, owner);
	return owner;
}

unsigned int
steering_keep_own(struct worker *worker, struct rte_mbuf *packets[], unsigned int n)
{
	const unsigned int workers = worker->engine->worker_count;
	unsigned int kept = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct rte_mbuf *packet = packets[i];
		const unsigned int owner = steering_owner_of(worker, packet);

		if (owner == worker->index) {
			packets[kept++] = packet;
		} else {
			struct worker_handover *handover = &worker->handover[owner];

			handover->packet[handover->n++] = packet;
		}
	}
	for (unsigned int owner = 0; owner < workers; owner++) {
		if (worker->handover[owner].n > 0)
			steering_hand_over(worker, owner);
	}
	return kept;
}

/* Whether rules of the NIC steer what comes to an address. */
static bool
steering_is_ruled(const struct engine *engine, const struct port *port, const uint8_t address[16])
{
	const unsigned int local = local_ports_find(&engine->local_addresses, address);

	return local != LOCAL_PORTS_NONE &&
	       (engine->local_addresses.entry[local].ruled >> port->index & 1) != 0;
}

unsigned int
steering_flow_owner(
		const struct engine *engine, const struct port *port, const struct port_flow *flow)
{
	const unsigned int workers = engine->worker_count;

	if (workers == 1)
		return 0;
	/* Hardware steering: as many queues as workers, and queue i is worker i's. */
	if (!port->software_steering)
		return steering_is_ruled(engine, port, flow->local)
				       ? flow_rules_queue(workers, flow->local_port)
				       : port_rss_queue(port, flow);
	return steering_owner(steering_hash_of(&engine->steering_key, flow->remote, flow->local,
					      flow->remote_port, flow->local_port),
			workers);
}

bool
steering_pass_error(struct worker *worker, struct rte_mbuf *packet, const struct frame *frame)
{
	const struct port *port = &worker->engine->port[packet->port];
	struct icmp_error error;
	struct port_flow flow;
	unsigned int owner;

	if (!port->hardware_steering || icmp_error_read(rte_pktmbuf_mtod(packet, const uint8_t *),
							frame, &error) != DROP_NONE)
		return false;
	memcpy(flow.remote, error.remote, sizeof(flow.remote));
	memcpy(flow.local, error.local, sizeof(flow.local));
	flow.remote_port = error.remote_port;
	flow.local_port = error.local_port;
	owner = steering_flow_owner(worker->engine, port, &flow);
	if (owner == worker->index)
		return false;
	worker->handover[owner].packet[worker->handover[owner].n++] = packet;
	steering_hand_over(worker, owner);
	return true;
}

unsigned int
steering_take(struct worker *worker, struct rte_mbuf *packets[], unsigned int room)
{
	const unsigned int workers = worker->engine->worker_count;
	unsigned int n = 0;

	for (unsigned int from = 0; from < workers && n < room; from++) {
		if (worker->steer_in[from] != NULL)
			n += rte_ring_sc_dequeue_burst(worker->steer_in[from], (void **)&packets[n],
					room - n, NULL);
	}
	return n;
}
