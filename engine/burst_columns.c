/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include <rte_bitops.h>

#include "engine/burst_columns.h"
#include "engine/burst_env.h"
#include "engine/burst_group.h"
#include "engine/burst_merge.h"
#include "step/step_masks.h"

/* Fewer than so many at once take longer than one by one. */
#define BURST_COLUMNS_MIN 2

#define AVX512            COLUMNS_AVX512

/* In pieces whose size the compiler knows: it would begin a loop of microcode else. */
static inline void
kinds_clear(struct burst_kinds *kinds)
{
	memset(kinds->bits, 0, sizeof(kinds->bits) / 2);
	memset(&kinds->bits[BURST_GROUP_KINDS / 64 / 2], 0, sizeof(kinds->bits) / 2);
}

/*
 * The smallest window that a connection of a usual service has which owes nothing: what fits into
 * it fits into theirs, and of others it is asked when it is known who they are.
 */
static uint32_t
group_least_window(const struct burst_group *group)
{
	const uint32_t window = RTE_MIN(group->run.desk->usual.opened.window, (uint32_t)UINT16_MAX);

	return RTE_MIN(window, (uint32_t)BURST_ENV_FIRST_WINDOW);
}

/* What segments of an unusual service must fit into; asked where one has a length: it is a call. */
static void
group_ask_windows(struct burst_group *group)
{
	const struct expecting *run = &group->run;

	for (unsigned int lane = 0; lane < group->n; lane++) {
		const struct tcp_segment *segment = group->columns.segment[lane];

		group->columns.rcv_wnd[lane] = BURST_ENV_FIRST_WINDOW;
		if (tcp_segment_length(segment) != 0)
			group->columns.rcv_wnd[lane] = burst_env_window(
					run->worker, run->desk->service, group->conn[lane]);
	}
}

/* The next packets become lanes. @return those that are left. */
AVX512 static uint64_t
group_load(struct burst_group *group, uint64_t packets)
{
	const struct worker *worker = group->run.worker;
	struct burst *burst = group->run.burst;
	const uint64_t before = packets;
	unsigned int n;

	for (n = 0; packets != 0 && n < COLUMNS; n++, packets &= packets - 1) {
		const unsigned int i = rte_bsf64(packets);
		struct conn *conn = burst->conn[i];

		group->packet[n] = (uint8_t)i;
		group->conn[n] = conn;
		group->tail[n] = conn_table_tail(worker->table, conn);
		group->frame[n] = rte_pktmbuf_mtod(burst->packet[i], uint8_t *);
		group->columns.conn[n] = &conn->tcp;
		group->columns.segment[n] = &burst->segment[i];
		group->columns.ts_clock[n] = burst_env_ts_clock(worker, burst->hash[i]);
	}
	group->n = n;
	group->packets = before & ~packets;
	if (unlikely(!group->usual))
		group_ask_windows(group);
	return packets;
}

/* Those connections have another packet in the burst, to be stepped or answered later. */
AVX512 static void
group_look_around(struct burst_group *group, uint64_t now, uint64_t others)
{
	struct burst_kinds busy;

	group->alone = now;
	if (!group->crowded) {
		if (others == 0)
			return;
		group->crowded = true;
		kinds_clear(&group->owing);
	}
	busy = group->owing;
	for (uint64_t left = others; left != 0; left &= left - 1)
		burst_kinds_add(&busy, group->kind[rte_bsf64(left)]);
	for (uint64_t left = now; left != 0; left &= left - 1) {
		const unsigned int i = rte_bsf64(left);

		group->alone &= ~((uint64_t)burst_kinds_have(&busy, group->kind[i]) << i);
	}
}

/*
 * Of some packets, the first of each connection.  Two connections of one kind are taken for one:
 * the later waits for the next pass.  Whatever is in the list is of a packet that is asked for.
 */
AVX512 static uint64_t
group_first(const struct burst_group *group, uint64_t packets)
{
	uint8_t list[BURST_GROUP_KINDS];
	uint64_t first = 0;

	for (uint64_t left = packets; left != 0;) {
		const unsigned int i = 63 - (unsigned int)__builtin_clzll(left);

		list[group->kind[i]] = (uint8_t)i;
		left &= ~(UINT64_C(1) << i);
	}
	for (uint64_t left = packets; left != 0; left &= left - 1) {
		const unsigned int i = rte_bsf64(left);

		first |= (uint64_t)(list[group->kind[i]] == i) << i;
	}
	return first;
}

/* Packets of whose connections an earlier one was left alone are left alone. @return the others. */
AVX512 static uint64_t
group_follow(struct burst_group *group, uint64_t packets)
{
	struct burst_kinds left_alone;
	uint64_t may = 0;

	if (group->left == 0)
		return packets;
	kinds_clear(&left_alone);
	for (uint64_t left = group->left; left != 0; left &= left - 1)
		burst_kinds_add(&left_alone, group->kind[rte_bsf64(left)]);
	for (uint64_t left = packets; left != 0; left &= left - 1) {
		const unsigned int i = rte_bsf64(left);

		may |= (uint64_t)!burst_kinds_have(&left_alone, group->kind[i]) << i;
	}
	group->left |= packets & ~may;
	return may;
}

/* Whether a frame is one that is turned with others; of those that were parsed at once it is known.
 */
static inline bool
group_is_plain(const struct burst *burst, unsigned int i)
{
	return build_turn_may(&burst->frame[i]) && turn_columns_may(&burst->frame[i]);
}

/*
 * What packets of connections are: whose, of those that may be expected, and with room for an
 * answer.  Without a branch, for where connections are is random.
 *
 * @return those that may be expected; the rest is left alone.
 */
AVX512 static uint64_t
group_begin(struct burst_group *group, uint64_t known)
{
	const struct worker *worker = group->run.worker;
	const struct burst *burst = group->run.burst;
	const uint16_t endpoint = (uint16_t)group->run.desk->place;
	const int room = BUILD_HEADERS_MAX + group->run.desk->env.path_mss;
	const uint8_t port = group->run.port;
	uint64_t here = 0, roomy = 0;

	for (uint64_t left = known; left != 0; left &= left - 1) {
		const unsigned int i = rte_bsf64(left);
		const struct rte_mbuf *packet = burst->packet[i];
		const struct conn *conn = burst->conn[i];

		here |= (uint64_t)((packet->port == port) & (conn->key.endpoint == endpoint) &
					(conn_table_tail(worker->table, conn)->port == port))
			<< i;
		roomy |= (uint64_t)(packet->buf_len - packet->data_off >= room) << i;
		group->kind[i] = (uint16_t)(conn_table_slot(worker->table, conn) %
					    BURST_GROUP_KINDS);
	}
	group->roomy = roomy & burst->known;
	for (uint64_t left = roomy & ~burst->known; left != 0; left &= left - 1)
		group->roomy |= (uint64_t)group_is_plain(burst, rte_bsf64(left)) << rte_bsf64(left);
	here &= step_masks_equal(burst->event, TCP_EVENT_ACK, true) |
		step_masks_equal(burst->event, TCP_EVENT_FIN, true);
	group->left = known & ~here;
	return group_follow(group, known & here);
}

/* Of each connection the first packet, then the second one, and so on. */
static void
group_run(struct burst_group *group, uint64_t known)
{
	uint64_t packets = group_begin(group, known);

	group->crowded = false;
	while (packets != 0) {
		uint64_t now = group_first(group, packets);

		packets &= ~now;
		group_look_around(group, now, packets);
		while (now != 0) {
			now = group_load(group, now);
			if (group->n >= BURST_COLUMNS_MIN)
				burst_group_step(group);
			else
				burst_group_leave(group, (1u << group->n) - 1);
		}
		if (packets != 0)
			packets = group_follow(group, packets);
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
	known = burst_merge_met(worker, burst);
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
	group.usual = desk->usual.known && !worker->engine->port[group.run.port].transmit_offload;
	for (unsigned int lane = 0; lane < COLUMNS && group.usual; lane++)
		group.columns.rcv_wnd[lane] = group_least_window(&group);
	group_run(&group, known);
	expecting_end(&group.run);
	return known & ~group.left;
}
