/* SPDX-License-Identifier: BSD-3-Clause */

#include <rte_branch_prediction.h>
#include <rte_mempool.h>

#include "engine/buffers.h"

void
buffers_free(struct rte_mbuf *packets[], unsigned int n)
{
	struct rte_mempool *pool = packets[0]->pool;
	bool plain = true;

	for (unsigned int i = 0; i < n; i++)
		plain &= buffers_is_plain(pool, packets[i]);
	if (likely(plain))
		rte_mempool_put_bulk(pool, (void *const *)packets, n);
	else
		rte_pktmbuf_free_bulk(packets, n);
}
