/* SPDX-License-Identifier: BSD-3-Clause */

#include <stddef.h>

#include "engine/half_open.h"
#include "engine/services.h"
#include "engine/worker.h"

static struct conn_links *
half_open_links(const struct worker *worker, uint32_t link)
{
	const struct conn *conn = conn_table_conns(worker->table) + (link - 1);

	return &conn_table_tail(worker->table, conn)->half_open;
}

void
half_open_push(struct worker *worker, struct service_share *share, struct conn *conn)
{
	const uint32_t link = conn_table_slot(worker->table, conn) + 1;

	*half_open_links(worker, link) = (struct conn_links){.older = share->half_open_newest};
	if (share->half_open_newest != 0)
		half_open_links(worker, share->half_open_newest)->newer = link;
	else
		share->half_open_oldest = link;
	share->half_open_newest = link;
	if (share->half_open >= worker->share[worker->half_open_most].half_open)
		worker->half_open_most = (unsigned int)(share - worker->share);
}

void
half_open_remove(struct worker *worker, struct service_share *share, struct conn *conn)
{
	const uint32_t link = conn_table_slot(worker->table, conn) + 1;
	struct conn_links *links = half_open_links(worker, link);

	if (links->older == 0 && share->half_open_oldest != link)
		return;
	if (links->older != 0)
		half_open_links(worker, links->older)->newer = links->newer;
	else
		share->half_open_oldest = links->newer;
	if (links->newer != 0)
		half_open_links(worker, links->newer)->older = links->older;
	else
		share->half_open_newest = links->older;
	*links = (struct conn_links){0};
}

struct conn *
half_open_oldest(const struct worker *worker, const struct service_share *share)
{
	if (share->half_open_oldest == 0)
		return NULL;
	return conn_table_conns(worker->table) + (share->half_open_oldest - 1);
}
