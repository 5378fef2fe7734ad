/* SPDX-License-Identifier: BSD-3-Clause */

#include <stddef.h>

#include "engine/burst.h"
#include "engine/burst_cookie.h"
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
	half_open_push_many(worker, share, &conn, 1);
}

void
half_open_push_many(struct worker *worker, struct service_share *share, struct conn *const conns[],
		unsigned int n)
{
	uint32_t older = share->half_open_newest;
	uint32_t link = conn_table_slot(worker->table, conns[0]) + 1;

	if (older != 0)
		half_open_links(worker, older)->newer = link;
	else
		share->half_open_oldest = link;
	for (unsigned int k = 0; k < n; k++) {
		const uint32_t newer =
				k + 1 < n ? conn_table_slot(worker->table, conns[k + 1]) + 1 : 0;

		*half_open_links(worker, link) = (struct conn_links){older, newer};
		older = link;
		link = newer;
	}
	share->half_open_newest = older;
	if (share->half_open >= worker->share[worker->half_open_most].half_open)
		worker->half_open_most = (unsigned int)(share - worker->share);
}

void
half_open_take_out(struct worker *worker, struct service_share *share, struct conn *conn)
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

static struct conn *
half_open_oldest(const struct worker *worker, const struct service_share *share)
{
	if (share->half_open_oldest == 0)
		return NULL;
	return conn_table_conns(worker->table) + (share->half_open_oldest - 1);
}

bool
half_open_evict(struct worker *worker, const struct service *service, struct service_share *share)
{
	struct conn *conn = half_open_oldest(worker, share);

	if (conn == NULL)
		return false;
	half_open_take_out(worker, share, conn);
	burst_cookie_half_open(worker, service, share, false);
	services_release(service, share);
	worker_count(worker, conn_table_tail(worker->table, conn)->port, COUNTER_half_open_evicted,
			1);
	conn->tcp.state = TCP_CLOSED;
	/* It may have come out of TIME_WAIT in this burst, and be noted already. */
	worker->revived = true;
	burst_step_note(worker, &(struct worker_ending){
						.conn = conn,
						.hash = conn_table_hash(worker->table, &conn->key),
						.unopened = true,
				});
	return true;
}

void
half_open_limit(struct worker *worker, const struct flow_key *key, bool proven)
{
	const unsigned int number = services_number(worker->services, key);
	const struct service *service = &worker->services->service[number];

	if (!proven && worker->share[number].half_open >= service->settings->max_syn_backlog) {
		half_open_evict(worker, service, &worker->share[number]);
	} else if (unlikely(half_open_is_crowded(worker))) {
		const unsigned int most = worker->half_open_most;

		if (worker->share[most].half_open_oldest == 0 ||
				!half_open_evict(worker, &worker->services->service[most],
						&worker->share[most]))
			half_open_evict(worker, service, &worker->share[number]);
	}
}

void
half_open_entered(struct worker *worker, struct conn *conn)
{
	const struct service *service = services_of(worker->services, &conn->key);
	struct service_share *share = &worker->share[services_number(worker->services, &conn->key)];

	if (flow_key_is_passive(&conn->key)) {
		half_open_limit(worker, &conn->key, false);
		half_open_push(worker, share, conn);
	}
	burst_cookie_half_open(worker, service, share, true);
}

void
half_open_left(struct worker *worker, struct conn *conn, bool early)
{
	struct service_share *share = &worker->share[services_number(worker->services, &conn->key)];

	if (early)
		share->fast_open_pending--;
	else if (flow_key_is_passive(&conn->key))
		half_open_take_out(worker, share, conn);
	burst_cookie_half_open(worker, services_of(worker->services, &conn->key), share, false);
}
