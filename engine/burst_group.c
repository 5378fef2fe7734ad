/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include <rte_bitops.h>

#include "engine/burst_env.h"
#include "engine/burst_group.h"
#include "engine/burst_reply.h"
#include "tcp/tcp_expect.h"

static inline struct expected
group_lane(struct burst_group *group, unsigned int lane)
{
	return (struct expected){
			.run = &group->run,
			.i = group->packet[lane],
			.conn = group->conn[lane],
			.tail = group->tail[lane],
	};
}

static inline uint8_t *
group_frame(const struct burst_group *group, unsigned int lane)
{
	return rte_pktmbuf_mtod(group->run.burst->packet[group->packet[lane]], uint8_t *);
}

static inline const uint8_t *
group_text(const struct burst_group *group, unsigned int lane)
{
	const struct burst *burst = group->run.burst;
	const unsigned int i = group->packet[lane];

	return group_frame(group, lane) + burst->frame[i].l4_offset +
	       burst->segment[i].payload_offset;
}

/* Lanes in whose packets an answer can be turned at once.  Without a branch, like all that is asked
 * lane by lane: in a mixture none could be foreseen. */
static uint32_t
group_have_room(const struct burst_group *group, uint32_t lanes)
{
	const uint8_t family = group->run.desk->family;
	const uint16_t l4_offset = family == 4 ? 34 : 54;
	uint32_t have = 0;

	for (uint32_t left = lanes; left != 0; left &= left - 1) {
		const unsigned int lane = rte_bsf32(left), i = group->packet[lane];
		const struct rte_mbuf *packet = group->run.burst->packet[i];
		const struct frame *frame = &group->run.burst->frame[i];
		const int mss = group->columns.word[STEP_WND_MSS][lane] >> 16;
		const bool plain = (frame->kind == FRAME_TCP) & (frame->l4_offset == l4_offset) &
				   turn_columns_may(frame);
		const bool fits = packet->buf_len - packet->data_off >= BUILD_HEADERS_MAX + mss;

		have |= (uint32_t)(plain & fits) << lane;
	}
	return have;
}

/* What expect_opened() does where no limit is near, but for what is the service's. */
static inline void
group_opens(struct burst_group *group, unsigned int lane)
{
	struct worker *worker = group->run.worker;
	struct conn_tail *tail = group->tail[lane];
	struct tcp_sender sender;

	half_open_take_out(worker, group->run.desk->share, group->conn[lane]);
	group->run.desk->share->half_open--;
	histogram_record(&worker->handshake_us, (uint32_t)worker->now_us - tail->recover, 1);
	group->run.opened++;
	sender = tcp_output_begin(group->columns.word[STEP_SND_UNA][lane]);
	tail->recover = sender.recover;
	tail->ssthresh = sender.ssthresh;
}

/* Lanes whose connection owes nothing and has heard nothing. */
static inline uint32_t
group_are_new(const struct burst_group *group, uint32_t lanes)
{
	const uint64_t opened = group->run.desk->usual.opened.state;
	uint32_t new = 0;

	for (uint32_t left = lanes; left != 0; left &= left - 1) {
		const unsigned int lane = rte_bsf32(left);
		const struct respond_conn *conn = &group->tail[lane]->respond;

		new |= (uint32_t)((conn->base == group->columns.word[STEP_SND_NXT][lane]) &
				       (respond_usual_state(conn) == opened))
		       << lane;
	}
	return new;
}

/* Lanes to which the text came that came before. */
static inline uint32_t
group_have_text(const struct burst_group *group, uint32_t lanes)
{
	const struct tcp_segment *segment = group->run.burst->segment;
	uint32_t have = 0;

	for (uint32_t left = lanes; left != 0; left &= left - 1) {
		const unsigned int lane = rte_bsf32(left);

		have |= (uint32_t)respond_usual_is_text(&group->run.desk->usual,
					group_text(group, lane),
					segment[group->packet[lane]].payload_length)
			<< lane;
	}
	return have;
}

static void
group_take(struct burst_group *group, uint32_t lanes)
{
	struct expecting *run = &group->run;

	for (uint32_t left = lanes; left != 0; left &= left - 1) {
		const unsigned int lane = rte_bsf32(left);

		run->bytes_received += run->burst->segment[group->packet[lane]].payload_length;
		memcpy(group->tail[lane]->peer_mac, group_frame(group, lane) + RTE_ETHER_ADDR_LEN,
				sizeof(group->tail[lane]->peer_mac));
	}
}

/* Connections of some lanes become what they do after this. @return those whose end it is. */
static uint32_t
group_turn(struct burst_group *group, const struct respond_usual_turn *turn, uint32_t lanes)
{
	struct step_answer *answer = &group->answer;

	for (uint32_t left = lanes; left != 0; left &= left - 1) {
		const unsigned int lane = rte_bsf32(left);
		const uint32_t next = group->columns.word[STEP_SND_NXT][lane];

		respond_usual_set(&group->tail[lane]->respond, next, turn);
		answer->end[lane] = next + turn->says;
		answer->window[lane] = turn->window;
	}
	return turn->fin ? lanes : 0;
}

/* Let the usual happen to the services of those lanes to which it does, and note what they say. */
static void
group_ask(struct burst_group *group, const struct step_columns_result *result, uint32_t lanes)
{
	const struct respond_usual *usual = &group->run.desk->usual;
	const uint32_t data = result->data, peer_fin = result->peer_fin;
	const uint32_t listens = usual->deaf ? 0 : data;
	uint32_t asked, fin;

	lanes &= ~(listens & peer_fin);
	lanes &= result->opened | group_are_new(group, lanes & ~(uint32_t)result->opened);
	asked = group_have_text(group, lanes & listens);
	if (unlikely((lanes & listens & ~asked) != 0))
		group->strange = (uint8_t)rte_bsf32(lanes & listens & ~asked);
	lanes &= ~listens | asked;
	for (uint32_t left = lanes & result->opened; left != 0; left &= left - 1)
		group_opens(group, rte_bsf32(left));
	group_take(group, lanes & data);
	group->run.requests += usual->requests * (unsigned int)__builtin_popcount(asked);
	fin = group_turn(group, &usual->asked, asked);
	fin |= group_turn(group, &usual->closed, lanes & peer_fin);
	fin |= group_turn(group, &usual->opened, lanes & ~asked & ~peer_fin);
	group->answer.fin = (uint16_t)fin;
	group->answer.lanes |= (uint16_t)lanes;
}

/* Those that are over have their last answer from nobody's service. */
static void
group_ask_ended(struct burst_group *group, uint32_t lanes)
{
	struct step_answer *answer = &group->answer;

	for (uint32_t left = lanes; left != 0; left &= left - 1)
		answer->window[rte_bsf32(left)] = group->run.desk->usual.gone_window;
	answer->ended = (uint16_t)lanes;
	answer->lanes |= (uint16_t)lanes;
}

/* The answers of some lanes, all with timestamps or without. */
static void
group_send(struct burst_group *group, bool timestamps, uint32_t lanes)
{
	struct expecting_answers *answers = &group->run.answers[timestamps];
	const struct respond_usual *usual = &group->run.desk->usual;
	const unsigned int headers =
			14 + (group->run.desk->family == 4 ? 20 : 40) + (timestamps ? 32 : 20);
	const struct step_answer *answer = &group->answer;
	unsigned int n = answers->turns.n;

	turn_columns_add_lanes(&answers->turns, answer->number, (uint16_t)lanes);
	for (uint32_t left = lanes; left != 0; left &= left - 1) {
		const unsigned int lane = rte_bsf32(left);
		struct rte_mbuf *packet = group->run.burst->packet[group->packet[lane]];
		uint8_t *frame = rte_pktmbuf_mtod(packet, uint8_t *);
		const unsigned int says = answer->number[TURN_COLUMNS_PAYLOAD][lane];

		if (says > 0)
			memcpy(frame + headers, usual->reply, says);
		group->run.bytes_sent += says;
		answers->packet[n] = packet;
		answers->turns.data[n++] = frame;
		burst_reply_finish(packet, headers + says);
		group->run.burst->silent |= UINT64_C(1) << group->packet[lane];
	}
}

static void
group_answer(struct burst_group *group)
{
	struct worker *worker = group->run.worker;
	struct step_answer *answer = &group->answer;

	for (uint32_t left = answer->timed; left != 0; left &= left - 1) {
		const unsigned int lane = rte_bsf32(left);

		timer_wheel_postpone(worker->wheel, group->conn[lane],
				worker->now_ms + answer->delay_ms[lane]);
	}
	if ((answer->sends & ~answer->timestamps) != 0)
		group_send(group, false, answer->sends & ~(uint32_t)answer->timestamps);
	if ((answer->sends & answer->timestamps) != 0)
		group_send(group, true, answer->sends & answer->timestamps);
	for (uint32_t left = answer->settled & ~(uint32_t)answer->sends; left != 0;
			left &= left - 1) {
		const unsigned int lane = rte_bsf32(left);

		expecting_consume(&group->run, group->packet[lane]);
	}
}

/* What the ACK of a SYN-ACK leaves to be said, which is nothing unless the service speaks first. */
static inline void
group_settle_opened(struct burst_group *group, unsigned int lane)
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

static void
group_opened(struct burst_group *group, const struct step_columns_result *result, uint32_t lanes)
{
	const uint16_t silent = (uint16_t)(~(result->data | result->peer_fin));

	for (uint32_t left = lanes; left != 0; left &= left - 1) {
		const unsigned int lane = rte_bsf32(left);
		const struct expected this = group_lane(group, lane);

		expect_opened(&this);
		if ((silent >> lane & 1) != 0)
			group_settle_opened(group, lane);
	}
}

static void
group_ended(struct burst_group *group, uint32_t lanes)
{
	for (uint32_t left = lanes; left != 0; left &= left - 1) {
		const unsigned int lane = rte_bsf32(left);
		const struct expected this = group_lane(group, lane);

		expect_ended(&this);
		if ((group->answer.settled >> lane & 1) == 0 &&
				this.conn->tcp.state == TCP_CLOSED &&
				group->run.burst->action[this.i].send == TCP_SEND_NOTHING)
			expecting_consume(&group->run, this.i);
	}
}

/* Tell the service what came. */
static void
group_brought(struct burst_group *group, const struct step_columns_result *result, uint32_t lanes)
{
	const uint32_t taken = (result->data | result->peer_fin) & ~(uint32_t)result->output;
	struct expecting *run = &group->run;

	for (uint32_t left = lanes & taken; left != 0; left &= left - 1) {
		const unsigned int lane = rte_bsf32(left);
		const struct expected this = group_lane(group, lane);

		this.conn->tcp.flags |= TCP_CONN_ACK_DUE;
		if ((result->data >> lane & 1) != 0)
			expect_data(&this, run->burst->action[this.i].take);
		if ((result->peer_fin >> lane & 1) != 0)
			respond_peer_closed(run->desk->service->respond, &this.tail->respond);
	}
	for (uint32_t left = lanes & result->output; left != 0; left &= left - 1) {
		const unsigned int lane = rte_bsf32(left);

		burst_step_outcome(run->worker, run->burst, group->packet[lane],
				group->columns.acked[lane]);
	}
}

/*
 * Whom to ask: those that can be answered now; and the ACK of a SYN-ACK whatever follows, if it is
 * answered by nothing.
 */
static inline uint32_t
group_may_ask(const struct burst_group *group, const struct step_columns_result *result)
{
	const struct respond_usual_turn *opened = &group->run.desk->usual.opened;
	const uint32_t comes = result->data | result->peer_fin;
	const uint32_t silent = opened->fin ? 0 : result->opened & ~comes;

	return ((comes | result->opened | result->ended) & group->alone) | silent;
}

/* Work out what is said to those lanes that are as usual, and answer them. */
static void
group_usual(struct burst_group *group, const struct step_columns_result *result)
{
	const struct expecting *run = &group->run;
	struct respond_usual *usual = &run->desk->usual;
	struct step_answer *answer = &group->answer;
	uint32_t lanes = group->answers ? group_may_ask(group, result) : 0;

	answer->lanes = answer->ended = answer->settled = 0;
	group->strange = COLUMNS;
	if (lanes != 0) {
		lanes = group_have_room(group, lanes);
		group_ask_ended(group, lanes & result->ended);
		group_ask(group, result, lanes & ~(uint32_t)(result->output | result->ended));
		answer->opened = answer->lanes & result->opened;
		answer->text_sum = usual->reply_sum;
		step_answer(&group->columns, answer, run->desk->env.config);
	}
	step_columns_store(&group->columns, result->known);
	if (lanes != 0)
		group_answer(group);
	if (unlikely(group->strange != COLUMNS))
		respond_usual_learn(usual, run->desk->service->respond, run->worker->echo_buffers,
				group_text(group, group->strange),
				run->burst->segment[group->packet[group->strange]].payload_length);
}

/* Those lanes are answered later, unless nothing is to be said. */
static void
group_owe(struct burst_group *group, uint32_t lanes)
{
	for (uint32_t left = lanes; left != 0; left &= left - 1) {
		const unsigned int i = group->packet[rte_bsf32(left)];

		if ((group->run.burst->silent >> i & 1) == 0)
			burst_kinds_add(&group->owing, group->kind[i]);
	}
}

void
burst_group_step(struct burst_group *group)
{
	const uint32_t all = (1u << group->n) - 1;
	struct step_columns_result result;
	uint32_t rest;

	result = step_columns_expect(&group->columns, group->n, group->run.desk->env.config);
	for (unsigned int r = 0; r < result.rules; r++)
		group->run.worker->rules[result.rule[r]] += result.times[r];
	if (unlikely(result.known != all))
		burst_group_leave(group, ~(uint32_t)result.known & all);
	group_usual(group, &result);
	group_ended(group, result.ended);
	rest = result.known & ~(uint32_t)(group->answer.lanes | result.ended);
	group_opened(group, &result, rest & result.opened);
	group_brought(group, &result, rest);
	if (group->crowded)
		group_owe(group, result.known & ~(uint32_t)group->answer.settled);
}
