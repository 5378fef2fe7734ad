/* SPDX-License-Identifier: BSD-3-Clause */

#include <rte_bitops.h>

#include "engine/burst_merge.h"
#include "engine/buffers.h"
#include "step/step_masks.h"

/* Whether a segment repeats what a bare ACK before it said, and says more. */
static inline bool
merge_repeats(const struct tcp_segment *ack, const struct tcp_segment *more)
{
	return ack->payload_length == 0 && (more->flags & ~TCP_PSH & ~TCP_FIN) == ack->flags &&
	       (more->payload_length > 0 || (more->flags & TCP_FIN) != 0) &&
	       more->seq == ack->seq && more->ack == ack->ack && more->window == ack->window &&
	       more->options == ack->options && (int32_t)(more->tsval - ack->tsval) >= 0;
}

void
burst_merge(struct worker *worker, struct burst *burst)
{
	const uint64_t known = burst_merge_met(worker, burst);
	uint64_t left = known & known >> 1 & step_masks_same_as_next(burst->conn, worker->columns) &
			step_masks_equal(burst->event, TCP_EVENT_ACK, worker->columns);
	struct rte_mbuf *consumed[BURST_MAX];
	unsigned int n = 0;

	for (; left != 0; left &= left - 1) {
		const unsigned int i = rte_bsf64(left);

		if (burst->conn[i]->tcp.state != TCP_SYN_RCVD ||
				burst->segment[i].flags != TCP_ACK ||
				burst->packet[i]->port != burst->packet[i + 1]->port ||
				!merge_repeats(&burst->segment[i], &burst->segment[i + 1]))
			continue;
		worker_count(worker, (uint8_t)burst->packet[i]->port, DROP_consumed, 1);
		consumed[n++] = burst->packet[i];
		burst->packet[i] = NULL;
		burst->conn[i] = NULL;
		burst->silent |= UINT64_C(1) << i;
	}
	if (n > 0)
		buffers_free(consumed, n);
}
