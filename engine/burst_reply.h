/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BURST_REPLY_H
#define BURST_REPLY_H

/**
 * @file
 * A built frame becomes a packet to send; and the short way for answers that need no connection.
 */

#include <rte_mbuf.h>

#include "engine/burst.h"
#include "engine/port.h"
#include "engine/transmit.h"
#include "engine/worker.h"
#include "wire/build_reply.h"

/** Say how long a built frame is; nothing that was said of the received one holds any more. */
static inline void
burst_reply_finish(struct rte_mbuf *packet, unsigned int length)
{
	packet->data_len = (uint16_t)length;
	packet->pkt_len = length;
	packet->ol_flags = 0;
}

/** Ask the NIC for the checksums. */
static inline void
burst_reply_offload(struct rte_mbuf *packet, uint8_t family, const struct build_lengths *lengths)
{
	packet->l2_len = lengths->l2;
	packet->l3_len = lengths->l3;
	packet->l4_len = lengths->l4;
	packet->ol_flags = RTE_MBUF_F_TX_TCP_CKSUM;
	packet->ol_flags |= family == 4 ? RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM
					: RTE_MBUF_F_TX_IPV6;
}

/** Turn a packet that came in through @p port into a segment of a form, ready to be sent. */
static inline void
burst_reply_form(struct rte_mbuf *packet, const struct frame *frame, const struct port *port,
		const struct build_form *form, const struct build_numbers *numbers)
{
	const bool offload = port->transmit_offload;

	burst_reply_finish(packet,
			build_reply(rte_pktmbuf_mtod(packet, uint8_t *), frame, form, numbers,
					offload ? BUILD_CHECKSUM_OFFLOAD
						: BUILD_CHECKSUM_SOFTWARE));
	if (unlikely(offload)) {
		const struct build_lengths lengths = {
				.l2 = frame->l3_offset,
				.l3 = form->family == 4 ? 20 : 40,
				.l4 = form->l4_length,
		};

		burst_reply_offload(packet, form->family, &lengths);
	}
}

/** The SYN-ACK's timeout is far; what follows when the handshake is complete is nearer. */
static inline void
burst_reply_first_timer(struct worker *worker, struct conn *conn, uint32_t delay_ms,
		const struct tcp_config *config)
{
	timer_wheel_schedule_early(worker->wheel, conn, worker->now_ms + delay_ms,
			worker->now_ms + config->rto_min_ms);
}

#endif /* BURST_REPLY_H */
