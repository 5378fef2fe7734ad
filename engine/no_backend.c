/* SPDX-License-Identifier: BSD-3-Clause */

#include <rte_mbuf.h>

#include "engine/burst_reply.h"
#include "engine/no_backend.h"
#include "engine/pools.h"
#include "engine/transmit.h"
#include "engine/worker.h"
#include "wire/build.h"

bool
no_backend_concerns(const struct worker *worker, const struct burst *burst, unsigned int i)
{
	const struct pool *pool;

	if (burst->event[i] != TCP_EVENT_SYN || burst->conn[i] != NULL ||
			!flow_key_is_passive(&burst->key[i]))
		return false;
	pool = services_of(worker->services, &burst->key[i])->pool;
	return pool != NULL && !pools_is_usable(pool);
}

void
no_backend_answer(
		struct worker *worker, struct burst *burst, unsigned int i, const struct pool *pool)
{
	const struct tcp_segment *segment = &burst->segment[i];
	const struct build_tcp reset = {
			.ack = segment->seq + tcp_segment_length(segment),
			.flags = TCP_RST | TCP_ACK,
	};
	struct rte_mbuf *packet = burst->packet[i];
	struct build_lengths lengths;
	struct build_path path;

	if (burst->event[i] != TCP_EVENT_SYN ||
			pool->settings->when_down != SETTINGS_WHEN_DOWN_RESET) {
		worker_drop(worker, packet, DROP_no_backend);
		return;
	}
	if (!token_bucket_take(&worker->resets, worker->now_us)) {
		worker_drop(worker, packet, DROP_rst_limited);
		return;
	}
	worker_count(worker, (uint8_t)packet->port, COUNTER_resets_sent, 1);
	build_path_reverse(&path, rte_pktmbuf_mtod(packet, const uint8_t *), &burst->frame[i]);
	rte_pktmbuf_reset_headroom(packet);
	burst_reply_finish(packet, build_tcp(rte_pktmbuf_mtod(packet, uint8_t *), &path, &reset, 0,
						   BUILD_CHECKSUM_SOFTWARE, &lengths));
	transmit_reply(worker, packet);
}
