/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include <rte_bitops.h>

#include "engine/burst_columns.h"
#include "engine/burst_env.h"
#include "engine/burst_group.h"
#include "step/step_masks.h"

/* Fewer than so many at once take longer than one by one. */
#define BURST_COLUMNS_MIN 2

/* In pieces whose size the compiler knows: it would begin a loop of microcode else. */
static inline void
kinds_clear(struct burst_kinds *kinds)
{
	memset(kinds->bits, 0, sizeof(kinds->bits) / 2);
	memset(&kinds->bits[BURST_GROUP_KINDS / 64 / 2], 0, sizeof(kinds->bits) / 2);
}

static inline unsigned int
kind_of(const struct worker *worker, const struct conn *conn)
{
	return conn_table_slot(worker->table, conn) % BURST_GROUP_KINDS;
}

/* What a segment must fit into; any before the connection is open, for that has no part in it. */
static inline uint32_t
group_window(const struct burst_group *group, const struct conn *conn, const struct conn_tail *tail)
{
	const struct respond_usual *usual = &group->run.desk->usual;
	const uint64_t state = respond_usual_state(&tail->respond);
	uint32_t window;

	if (!usual->known || conn->tcp.state < TCP_ESTABLISHED)
		return burst_env_window(group->run.worker, group->run.desk->service, conn);
	if (state == usual->opened.state)
		window = usual->opened.window;
	else if (state == usual->asked.state && usual->text_length > 0)
		window = usual->asked.window;
	else
		return burst_env_window(group->run.worker, group->run.desk->service, conn);
	if ((conn->tcp.flags & TCP_CONN_WINDOW_SCALE) == 0)
		return RTE_MIN(window, (uint32_t)UINT16_MAX);
	return window;
}

/* Asked only where a segment has a length. */
static void
group_windows(struct burst_group *group, uint32_t lanes)
{
	for (; lanes != 0; lanes &= lanes - 1) {
		const unsigned int lane = rte_bsf32(lanes);

		group->columns.rcv_wnd[lane] =
				group_window(group, group->conn[lane], group->tail[lane]);
	}
}

static void
group_load(struct burst_group *group, const uint8_t packets[], unsigned int n)
{
	const struct worker *worker = group->run.worker;
	struct burst *burst = group->run.burst;
	uint32_t with_length = 0;

	group->n = n;
	for (unsigned int lane = 0; lane < n; lane++) {
		const unsigned int i = packets[lane];
		const struct tcp_segment *segment = &burst->segment[i];
		struct conn *conn = burst->conn[i];

		group->packet[lane] = (uint8_t)i;
		group->conn[lane] = conn;
		group->tail[lane] = conn_table_tail(worker->table, conn);
		group->columns.conn[lane] = &conn->tcp;
		group->columns.segment[lane] = segment;
		group->columns.action[lane] = &burst->action[i];
		group->columns.ts_clock[lane] = burst_env_ts_clock(worker, burst->hash[i]);
		group->columns.rcv_wnd[lane] = BURST_ENV_FIRST_WINDOW;
		with_length |= (uint32_t)((segment->payload_length | (segment->flags & TCP_FIN)) !=
					       0)
			       << lane;
	}
	group->alone = (uint16_t)((1u << n) - 1);
	group_windows(group, with_length);
}

/* Lanes whose connection has another packet in the burst, to be stepped later or answered later,
 * cannot be answered now. */
static void
group_set_alone(struct burst_group *group, const struct burst_kinds *busy)
{
	for (unsigned int lane = 0; lane < group->n; lane++)
		group->alone &= (uint16_t) ~(
				burst_kinds_have(busy, group->kind[group->packet[lane]]) << lane);
}

/* Connections of which more is to come, or is to be said. */
static void
group_look_around(struct burst_group *group, uint64_t others, struct burst_kinds *busy)
{
	if (!group->crowded) {
		if ((others | group->left) == 0)
			return;
		group->crowded = true;
		kinds_clear(&group->owing);
	}
	*busy = group->owing;
	for (uint64_t left = others | group->left; left != 0; left &= left - 1)
		burst_kinds_add(busy, group->kind[rte_bsf64(left)]);
}

/*
 * Of some packets, the first of each connection, unless an earlier one was left alone.  Two
 * connections of one kind are taken for one: the later waits for the next pass.
 *
 * @return how many; @p others becomes those to be looked at again.
 */
static unsigned int
group_choose(struct burst_group *group, uint64_t packets, uint64_t *others)
{
	struct burst_kinds seen, left_alone;
	unsigned int n = 0;

	kinds_clear(&seen);
	kinds_clear(&left_alone);
	for (uint64_t left = group->left; left != 0; left &= left - 1)
		burst_kinds_add(&left_alone, group->kind[rte_bsf64(left)]);
	*others = 0;
	for (; packets != 0; packets &= packets - 1) {
		const unsigned int i = rte_bsf64(packets), kind = group->kind[i];
		const bool may = (left_alone.bits[kind / 64] >> kind % 64 & 1) == 0;
		const bool again = burst_kinds_add(&seen, kind);

		group->first[n] = (uint8_t)i;
		n += may & !again;
		*others |= (uint64_t)(may & again) << i;
		group->left |= (uint64_t)!may << i;
	}
	return n;
}

/*
 * Of packets of connections, those that may be expected, and of them the first of each connection;
 * the rest is left alone.  Without a branch, for where connections are is random.
 */
static unsigned int
group_begin(struct burst_group *group, uint64_t known, uint64_t *others)
{
	const struct worker *worker = group->run.worker;
	const struct burst *burst = group->run.burst;
	const uint16_t endpoint = (uint16_t)group->run.desk->place;
	const uint8_t port = group->run.port;
	uint64_t packets = 0;
	struct burst_kinds seen;
	unsigned int n = 0;

	kinds_clear(&seen);
	*others = 0;
	for (uint64_t left = known; left != 0; left &= left - 1) {
		const unsigned int i = rte_bsf64(left);
		const struct conn *conn = burst->conn[i];
		const uint8_t event = burst->event[i];
		const bool may = (event == TCP_EVENT_ACK) | (event == TCP_EVENT_FIN);
		const bool here = (burst->packet[i]->port == port) &
				  (conn->key.endpoint == endpoint) &
				  (conn_table_tail(worker->table, conn)->port == port);
		const unsigned int kind = kind_of(worker, conn);
		const bool again = burst_kinds_add(&seen, kind);

		group->kind[i] = (uint16_t)kind;
		packets |= (uint64_t)(may & here) << i;
		*others |= (uint64_t)again << i;
		group->first[n] = (uint8_t)i;
		n += !again;
	}
	group->left = known & ~packets;
	if (likely(group->left == 0))
		return n;
	return group_choose(group, packets, others);
}

/* Of each connection the first packet, then the second one, and so on. */
static void
group_run(struct burst_group *group, uint64_t known)
{
	struct burst_kinds busy;
	uint64_t others;
	unsigned int n = group_begin(group, known, &others);

	group->crowded = false;
	while (n > 0) {
		group_look_around(group, others, &busy);
		for (unsigned int k = 0; k < n; k += COLUMNS) {
			group_load(group, &group->first[k], RTE_MIN(n - k, (unsigned int)COLUMNS));
			if (group->crowded)
				group_set_alone(group, &busy);
			if (group->n >= BURST_COLUMNS_MIN)
				burst_group_step(group);
			else
				burst_group_leave(group, (1u << group->n) - 1);
		}
		n = others != 0 ? group_choose(group, others, &others) : 0;
	}
}

uint64_t
burst_columns(struct worker *worker, struct burst *burst)
{
	struct burst_desk *desk;
	struct burst_group group;
	uint64_t known;
	unsigned int first;

	if (!worker->columns || unlikely(worker->services->changing))
		return 0;
	known = burst_all(burst) & step_masks_there(burst->conn, true) &
		step_masks_there(burst->packet, true);
	if (known == 0)
		return 0;
	first = rte_bsf64(known);
	if (!flow_key_is_passive(&burst->key[first]))
		return 0;
	desk = burst_desk(worker, (uint8_t)burst->packet[first]->port, burst->key[first].endpoint);
	if (desk == NULL || !desk->starts || !expecting_has_room(worker, desk))
		return 0;
	expecting_begin(&group.run, worker, burst);
	group.run.desk = desk;
	group.run.port = (uint8_t)(desk->place >> 16);
	group.answers = desk->usual.known && !worker->engine->port[group.run.port].transmit_offload;
	group_run(&group, known);
	expecting_end(&group.run);
	return known & ~group.left;
}
