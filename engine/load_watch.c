/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The look over the generator's connections that finds the ones for the timer wheel.
 *
 * It passes over the table's slots at a pace that brings it round in LOAD_WATCH_ROUND_MS, but never
 * looks at more than LOAD_WATCH_MAX in a millisecond: with more than half a million connections at
 * once a round takes longer, and a first timeout may be late by as much.
 */

#include "engine/load.h"
#include "engine/worker.h"

/* Less than the shortest RTO (tcp.rto_min). */
#define LOAD_WATCH_ROUND_MS 64
/* Slots in a millisecond: a percent of the time. */
#define LOAD_WATCH_MAX 8192

static void
load_watch_slot(struct worker *worker, uint32_t slot)
{
	struct conn *conn = conn_table_at(worker->table, slot);

	if (conn != NULL && !timer_wheel_is_scheduled(conn))
		timer_wheel_schedule(worker->wheel, conn, conn->timer_deadline_ms);
}

void
load_watch(struct worker *worker)
{
	struct load_worker *load = worker->load;
	const uint32_t used = conn_table_used(worker->table);
	const uint32_t ms =
			RTE_MIN(worker->now_ms - load->watched_ms, (uint32_t)LOAD_WATCH_ROUND_MS);
	uint32_t looks = ms * RTE_MIN(used / LOAD_WATCH_ROUND_MS + 1, (uint32_t)LOAD_WATCH_MAX);

	load->watched_ms = worker->now_ms;
	for (looks = RTE_MIN(looks, used); looks > 0; looks--) {
		if (load->watch_slot >= used)
			load->watch_slot = 0;
		load_watch_slot(worker, load->watch_slot++);
	}
}
