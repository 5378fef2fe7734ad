/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BURST_MERGE_H
#define BURST_MERGE_H

/**
 * @file
 * A client that has something to say, or nothing, sends the ACK of our SYN-ACK and its text or FIN
 * one right after the other, and a burst has both.
 *
 * The second says all that the first one did: same numbers, same window, a timestamp as new.  So
 * the first is taken in with nothing to answer, as if it had been lost, which a bare ACK may be at
 * any time (RFC 9293 3.10.7.4: the second completes the handshake by itself).  Then most
 * connections have one segment in a burst, and one answer.
 */

#include "engine/burst.h"
#include "engine/worker.h"
#include "step/step_masks.h"

/** Packets for which there is a connection, a bit for each. */
static inline uint64_t
burst_merge_met(const struct worker *worker, const struct burst *burst)
{
	return burst_all(burst) & step_masks_there(burst->conn, worker->columns) &
	       step_masks_there(burst->packet, worker->columns);
}

/** Drop ACKs that the packet behind them repeats. */
void burst_merge(struct worker *worker, struct burst *burst);

#endif /* BURST_MERGE_H */
