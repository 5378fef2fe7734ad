/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef MEMIF_COPY_H
#define MEMIF_COPY_H

/**
 * @file
 * A queue of a memif at the server's end: frames are copied out of the client's memory and into it.
 *
 * What the client's core has written is a round trip between cores away.  So all descriptors of a
 * burst are asked for before the first is read, then all frames before the first is copied, and
 * copies are of whole lines: how long a frame is decides nothing that would have to be guessed.
 *
 * What a descriptor says is believed as far as it lies in the memory that the client shares.
 */

#include "engine/memif_queue.h"

/** Frames that came. @return how many. */
unsigned int memif_copy_receive(
		struct memif_queue *queue, struct rte_mbuf *packets[], unsigned int most);

/** Copy and free frames. @return how many; the others stay the caller's. */
unsigned int memif_copy_transmit(
		struct memif_queue *queue, struct rte_mbuf *packets[], unsigned int n);

#endif /* MEMIF_COPY_H */
