/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include <rte_bitops.h>

#include "engine/burst_columns.h"
#include "engine/burst_env.h"
#include "engine/burst_expecting.h"
#include "step/step_columns.h"
#include "step/step_masks.h"
#include "tcp/tcp_expect.h"

/* Fewer than so many at once take longer than one by one. */
#define BURST_COLUMNS_MIN 3

/* Connections are told apart by so many kinds of slots. */
#define BURST_COLUMNS_KINDS 1024

/* Kinds of connections. */
struct kinds {
	uint64_t bits[BURST_COLUMNS_KINDS / 64];
};

/* The packets of a burst that came to one desk, and those of them that are stepped together. */
struct group {
	struct expecting run;
	uint64_t done;            /* Packets to which this has happened. */
	uint64_t left;            /* Packets that were left alone. */
	uint16_t kind[BURST_MAX]; /* Of a packet's connection. */
	uint8_t first[BURST_MAX]; /* Packets, of each connection one. */
	unsigned int n;           /* Lanes. */
	uint8_t packet[COLUMNS];
	struct conn *conn[COLUMNS];
	struct conn_tail *tail[COLUMNS];
	struct step_columns columns;
};

/* In pieces whose size the compiler knows: it would begin a loop of microcode else. */
static inline void
kinds_clear(struct kinds *kinds)
{
	memset(kinds->bits, 0, sizeof(kinds->bits) / 2);
	memset(&kinds->bits[BURST_COLUMNS_KINDS / 64 / 2], 0, sizeof(kinds->bits) / 2);
}

static inline unsigned int
kind_of(const struct worker *worker, const struct conn *conn)
{
	return conn_table_slot(worker->table, conn) % BURST_COLUMNS_KINDS;
}

/* What the ACK of a SYN-ACK leaves to be said, which is nothing unless the service speaks first. */
static inline void
group_settle_opened(struct group *group, unsigned int lane)
{
	struct expecting *run = &group->run;
	struct worker *worker = run->worker;
	const struct burst_desk *desk = run->desk;
	struct conn *conn = group->conn[lane];
	struct tcp_stream stream;

	if (run->burst->action[group->packet[lane]].send != TCP_SEND_NOTHING)
		return;
	stream.end = respond_end(desk->service->respond, &group->tail[lane]->respond,
			worker->echo_buffers, &stream.fin);
	if (stream.fin || stream.end != conn->tcp.snd_nxt)
		return;
	timer_wheel_postpone(worker->wheel, conn,
			worker->now_ms + tcp_expect_output_timer(&conn->tcp, desk->env.config));
	expecting_consume(run, group->packet[lane]);
}

static inline struct expected
group_lane(struct group *group, unsigned int lane)
{
	return (struct expected){
			.run = &group->run,
			.i = group->packet[lane],
			.conn = group->conn[lane],
			.tail = group->tail[lane],
	};
}

static void
group_opened(struct group *group, const struct step_columns_result *result)
{
	const uint16_t silent = (uint16_t)(~(result->data | result->peer_fin));

	for (uint32_t left = result->opened; left != 0; left &= left - 1) {
		const unsigned int lane = rte_bsf32(left);
		const struct expected this = group_lane(group, lane);

		expect_opened(&this);
		if ((silent >> lane & 1) != 0)
			group_settle_opened(group, lane);
	}
}

static void
group_ended(struct group *group, const struct step_columns_result *result)
{
	for (uint32_t left = result->ended; left != 0; left &= left - 1) {
		const unsigned int lane = rte_bsf32(left);
		const struct expected this = group_lane(group, lane);

		expect_ended(&this);
		if (this.conn->tcp.state == TCP_CLOSED &&
				group->run.burst->action[this.i].send == TCP_SEND_NOTHING)
			expecting_consume(&group->run, this.i);
	}
}

/* Tell the service what came, to which nothing ended. */
static void
group_brought(struct group *group, const struct step_columns_result *result)
{
	const uint32_t taken = (result->data | result->peer_fin) & ~(uint32_t)result->output;
	struct expecting *run = &group->run;

	for (uint32_t left = taken & ~(uint32_t)result->ended; left != 0; left &= left - 1) {
		const unsigned int lane = rte_bsf32(left);
		const struct expected this = group_lane(group, lane);

		this.conn->tcp.flags |= TCP_CONN_ACK_DUE;
		if ((result->data >> lane & 1) != 0)
			expect_data(&this, run->burst->action[this.i].take);
		if ((result->peer_fin >> lane & 1) != 0)
			respond_peer_closed(run->desk->service->respond, &this.tail->respond);
	}
	for (uint32_t left = result->output & ~(uint32_t)result->ended; left != 0;
			left &= left - 1) {
		const unsigned int lane = rte_bsf32(left);

		burst_step_outcome(run->worker, run->burst, group->packet[lane],
				group->columns.acked[lane]);
	}
}

/* @param lanes  A bit for each lane to which nothing has happened. */
static void
group_leave(struct group *group, uint32_t lanes)
{
	for (; lanes != 0; lanes &= lanes - 1)
		group->left |= UINT64_C(1) << group->packet[rte_bsf32(lanes)];
}

/* Let the segments of a group happen. */
static void
group_step(struct group *group)
{
	const uint32_t all = (1u << group->n) - 1;
	struct step_columns_result result;

	result = step_columns_expect(&group->columns, group->n, group->run.desk->env.config);
	for (uint32_t left = result.known; left != 0; left &= left - 1)
		group->done |= UINT64_C(1) << group->packet[rte_bsf32(left)];
	for (unsigned int r = 0; r < result.rules; r++)
		group->run.worker->rules[result.rule[r]] += result.times[r];
	if (unlikely(result.known != all))
		group_leave(group, ~(uint32_t)result.known & all);
	group_opened(group, &result);
	group_ended(group, &result);
	group_brought(group, &result);
}

/* What a segment must fit into is asked only where it has a length: that takes a call. */
static void
group_windows(struct group *group, uint32_t lanes)
{
	const struct expecting *run = &group->run;

	for (; lanes != 0; lanes &= lanes - 1) {
		const unsigned int lane = rte_bsf32(lanes);

		group->columns.rcv_wnd[lane] = burst_env_window(
				run->worker, run->desk->service, group->conn[lane]);
	}
}

static void
group_load(struct group *group, const uint8_t packets[], unsigned int n)
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
	group_windows(group, with_length);
}

/* Bits by kind, to which one is added. @return whether it was there. */
static inline bool
kinds_add(struct kinds *kinds, unsigned int kind)
{
	uint64_t *word = &kinds->bits[kind / 64];
	const bool again = (*word >> kind % 64 & 1) != 0;

	*word |= UINT64_C(1) << kind % 64;
	return again;
}

/*
 * Of some packets, the first of each connection, unless an earlier one was left alone.  Two
 * connections of one kind are taken for one: the later waits for the next pass.
 *
 * @return how many; @p others becomes those to be looked at again.
 */
static unsigned int
group_choose(struct group *group, uint64_t packets, uint64_t *others)
{
	struct kinds seen, left_alone;
	unsigned int n = 0;

	kinds_clear(&seen);
	kinds_clear(&left_alone);
	for (uint64_t left = group->left; left != 0; left &= left - 1)
		kinds_add(&left_alone, group->kind[rte_bsf64(left)]);
	*others = 0;
	for (; packets != 0; packets &= packets - 1) {
		const unsigned int i = rte_bsf64(packets), kind = group->kind[i];
		const bool may = (left_alone.bits[kind / 64] >> kind % 64 & 1) == 0;
		const bool again = kinds_add(&seen, kind);

		group->first[n] = (uint8_t)i;
		n += may & !again;
		*others |= (uint64_t)(may & again) << i;
	}
	return n;
}

/*
 * Of packets of connections, those that may be expected, and of them the first of each connection;
 * the rest is left alone.  Without a branch, for where connections are is random.
 */
static unsigned int
group_begin(struct group *group, uint64_t known, uint64_t *others)
{
	const struct worker *worker = group->run.worker;
	const struct burst *burst = group->run.burst;
	const uint16_t endpoint = (uint16_t)group->run.desk->place;
	const uint8_t port = group->run.port;
	uint64_t packets = 0;
	struct kinds seen;
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
		const bool again = kinds_add(&seen, kind);

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
group_run(struct group *group, uint64_t known)
{
	uint64_t others;
	unsigned int n = group_begin(group, known, &others);

	while (n > 0) {
		for (unsigned int k = 0; k < n; k += COLUMNS) {
			group_load(group, &group->first[k], RTE_MIN(n - k, (unsigned int)COLUMNS));
			if (group->n >= BURST_COLUMNS_MIN)
				group_step(group);
			else
				group_leave(group, (1u << group->n) - 1);
		}
		n = others != 0 ? group_choose(group, others, &others) : 0;
	}
}

uint64_t
burst_columns(struct worker *worker, struct burst *burst)
{
	struct burst_desk *desk;
	struct group group;
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
	group.done = 0;
	group_run(&group, known);
	expecting_end(&group.run);
	return group.done;
}
