/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include <rte_mbuf.h>

#include "engine/local.h"
#include "engine/transmit.h"
#include "engine/worker.h"
#include "load/tuple_walk.h"
#include "wire/build.h"
#include "wire/neighbour.h"

/* Send the packet, whose data now holds @p length bytes of answer. */
static void
local_reply(struct worker *worker, struct rte_mbuf *packet, unsigned int length,
		enum counter counter)
{
	packet->data_len = (uint16_t)length;
	packet->pkt_len = length;
	worker_count(worker, (uint8_t)packet->port, counter, 1);
	transmit_reply(worker, packet);
}

/* Whether an address is ours: one of the settings', or a generator's source. */
static bool
local_is_ours(const struct worker *worker, uint8_t port, const uint8_t address[16])
{
	const struct tuple_walk *sources = worker->engine->port[port].sources;

	return service_map_is_ours(worker->services->map[port], address) ||
	       (sources != NULL && tuple_walk_has_source(sources, address));
}

/* ARP request or neighbour solicitation. */
static void
local_asked(struct worker *worker, struct rte_mbuf *packet, const struct frame *frame,
		const struct neighbour_message *message)
{
	const struct port *port = &worker->engine->port[packet->port];
	uint8_t *data = rte_pktmbuf_mtod(packet, uint8_t *);

	if (message->has_mac)
		resolver_learn(&worker->engine->resolver, port->index, message->sender,
				message->mac);
	if (!local_is_ours(worker, port->index, message->target))
		worker_drop(worker, packet,
				frame->kind == FRAME_ARP ? DROP_arp_ignored : DROP_ndp_ignored);
	else if (frame->kind == FRAME_ARP)
		local_reply(worker, packet, build_arp_reply(data, frame, port->mac.addr_bytes),
				COUNTER_arp_replies);
	else
		local_reply(worker, packet,
				build_neighbour_advertisement(data, frame, port->mac.addr_bytes),
				COUNTER_ndp_replies);
}

static void
local_pinged(struct worker *worker, struct rte_mbuf *packet, const struct frame *frame)
{
	const struct port *port = &worker->engine->port[packet->port];
	uint8_t *data = rte_pktmbuf_mtod(packet, uint8_t *);
	uint8_t address[16];

	parse_destination(data, frame, address);
	if (!local_is_ours(worker, (uint8_t)packet->port, address))
		worker_drop(worker, packet, DROP_unknown_destination);
	else if ((frame->flags & FRAME_GROUP) != 0)
		worker_drop(worker, packet, DROP_not_for_us);
	else if (!token_bucket_take(&worker->echoes, worker->now_us))
		worker_drop(worker, packet, DROP_echo_limited);
	else
		local_reply(worker, packet, build_echo_reply(data, frame, port->mac.addr_bytes),
				COUNTER_echo_replies);
}

/*
 * UDP to an address of ours, where nobody listens for any: it is said so (RFC 1122 3.2.2.1), for
 * that is how traceroute knows its end.  As seldom as echoes, but apart from them.
 */
static void
local_unreachable(struct worker *worker, struct rte_mbuf *packet, const struct frame *frame)
{
	const struct port *port = &worker->engine->port[packet->port];
	uint8_t *data = rte_pktmbuf_mtod(packet, uint8_t *);
	uint8_t address[16];

	parse_destination(data, frame, address);
	if (!local_is_ours(worker, port->index, address))
		worker_drop(worker, packet, DROP_unknown_destination);
	else if (rte_pktmbuf_tailroom(packet) + packet->data_len < BUILD_UNREACHABLE_MAX ||
			!token_bucket_take(&worker->unreachables, worker->now_us))
		worker_drop(worker, packet, DROP_unknown_protocol);
	else
		local_reply(worker, packet,
				build_port_unreachable(data, frame, port->mac.addr_bytes),
				COUNTER_unreachables_sent);
}

void
local_input(struct worker *worker, struct rte_mbuf *packet, const struct frame *frame)
{
	const uint8_t *data = rte_pktmbuf_mtod(packet, const uint8_t *);
	struct neighbour_message message;
	enum counter reason;

	if (frame->kind == FRAME_UDP) {
		local_unreachable(worker, packet, frame);
		return;
	}
	reason = neighbour_read(data, frame, &message);
	if (reason != DROP_NONE) {
		worker_drop(worker, packet, reason);
		return;
	}
	switch ((enum neighbour_kind)message.kind) {
	case NEIGHBOUR_REQUEST:
		local_asked(worker, packet, frame, &message);
		break;
	case NEIGHBOUR_ANSWER:
		if (message.has_mac)
			resolver_learn(&worker->engine->resolver, (uint8_t)packet->port,
					message.target, message.mac);
		worker_drop(worker, packet, DROP_consumed);
		break;
	case NEIGHBOUR_ECHO:
		local_pinged(worker, packet, frame);
		break;
	case NEIGHBOUR_OTHER:
		worker_drop(worker, packet, DROP_icmp_ignored);
		break;
	}
}
