/* SPDX-License-Identifier: BSD-3-Clause */

#include <rte_mbuf.h>

#include "engine/burst_forward.h"
#include "engine/proxy.h"
#include "engine/proxy_held.h"
#include "engine/worker.h"

void
proxy_held_init(struct proxy *proxy)
{
	for (uint32_t i = 0; i + 1 < PROXY_HELD_MAX; i++)
		proxy->held[i].next = i + 2;
	proxy->held_free = 1;
}

bool
proxy_held_push(struct worker *worker, struct splice *splice, struct rte_mbuf *packet,
		const struct frame *frame)
{
	struct proxy *proxy = worker->proxy;
	struct proxy_held *held;

	if (proxy->held_packets >= proxy->held_most)
		return false;
	if (splice->held == 0) {
		if (proxy->held_free == 0)
			return false;
		splice->held = proxy->held_free;
		proxy->held_free = proxy->held[splice->held - 1].next;
	}
	held = &proxy->held[splice->held - 1];
	if (held->count == PROXY_HELD_SEGMENTS)
		return false;
	burst_forward_complete(packet, frame);
	held->packet[held->count++] = packet;
	proxy->held_packets++;
	return true;
}

/* The packets are gone. */
static void
proxy_held_clear(struct proxy *proxy, struct splice *splice)
{
	struct proxy_held *held = &proxy->held[splice->held - 1];

	proxy->held_packets -= held->count;
	held->count = 0;
	held->next = proxy->held_free;
	proxy->held_free = splice->held;
	splice->held = 0;
}

void
proxy_held_drop(struct worker *worker, struct splice *splice, enum counter reason)
{
	const struct proxy_held *held;

	if (splice->held == 0)
		return;
	held = &worker->proxy->held[splice->held - 1];
	for (uint32_t i = 0; i < held->count; i++)
		worker_drop(worker, held->packet[i], reason);
	proxy_held_clear(worker->proxy, splice);
}

void
proxy_held_forward(struct worker *worker, struct conn *conn, struct splice *splice, uint32_t tsval)
{
	const uint32_t stamp_add = splice->stamp_add;
	const struct proxy_held *held;

	if (splice->held == 0)
		return;
	held = &worker->proxy->held[splice->held - 1];
	for (uint32_t i = 0; i < held->count; i++) {
		struct rte_mbuf *packet = held->packet[i];
		struct tcp_segment segment;
		struct frame frame;

		/* It was read before, and its checksums were right. */
		parse_frame(rte_pktmbuf_mtod(packet, const uint8_t *), packet->data_len,
				PARSE_IP_CHECKSUM_GOOD | PARSE_TCP_CHECKSUM_GOOD, &frame, &segment);
		splice->stamp_add = segment.tsecr - tsval;
		burst_forward_segment(worker, conn, SPLICE_CLIENT,
				&(struct burst_forward_packet){packet, &frame, &segment});
	}
	splice->stamp_add = stamp_add;
	proxy_held_clear(worker->proxy, splice);
}
