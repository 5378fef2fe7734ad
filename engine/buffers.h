/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BUFFERS_H
#define BUFFERS_H

/**
 * @file
 * Packet buffers that go back to where they came from as they are.
 *
 * DPDK frees packets one by one and looks at the second line of each.  Nearly all of ours are one
 * buffer that nobody else has: what says so lies in the first line, that was read anyhow.
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <rte_mbuf.h>

/** Of a buffer's first fields: one reference, one segment. */
#define BUFFERS_PLAIN      UINT64_C(0x0000000100010000)
#define BUFFERS_PLAIN_MASK UINT64_C(0x0000ffffffff0000)
#define BUFFERS_ELSEWHERE  (RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL)

_Static_assert(offsetof(struct rte_mbuf, refcnt) == offsetof(struct rte_mbuf, rearm_data) + 2 &&
				offsetof(struct rte_mbuf, nb_segs) ==
						offsetof(struct rte_mbuf, rearm_data) + 4,
		"BUFFERS_PLAIN");

/** Whether a packet is one buffer of the pool's, to go back there as it is. */
static inline bool
buffers_is_plain(const struct rte_mempool *pool, const struct rte_mbuf *packet)
{
	uint64_t fields;

	/* By bytes, as who reads them one by one must not be taken for somebody else. */
	memcpy(&fields, (const uint8_t *)packet + offsetof(struct rte_mbuf, rearm_data),
			sizeof(fields));
	return (fields & BUFFERS_PLAIN_MASK) == BUFFERS_PLAIN && packet->pool == pool &&
	       (packet->ol_flags & BUFFERS_ELSEWHERE) == 0;
}

/** Free packets, of which there is at least one. */
void buffers_free(struct rte_mbuf *packets[], unsigned int n);

#endif /* BUFFERS_H */
