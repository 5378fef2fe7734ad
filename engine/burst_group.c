/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include <rte_bitops.h>

#include "engine/burst_env.h"
#include "engine/burst_group.h"
#include "engine/burst_reply.h"
#include "step/step_texts.h"
#include "tcp/tcp_expect.h"

#define AVX512 COLUMNS_AVX512

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

/* Lanes of these packets; mostly all. */
AVX512 static inline uint32_t
group_lanes(const struct burst_group *group, uint64_t packets)
{
	uint32_t lanes = 0;

	if (likely((group->packets & ~packets) == 0))
		return (1u << group->n) - 1;
	for (unsigned int lane = 0; lane < group->n; lane++)
		lanes |= (uint32_t)(packets >> group->packet[lane] & 1) << lane;
	return lanes;
}

static inline unsigned int
group_text_length(const struct burst_group *group, unsigned int lane)
{
	return group->columns.word[STEP_SKIP_TAKE][lane] >> 16;
}

static inline const uint8_t *
group_text(const struct burst_group *group, unsigned int lane)
{
	const struct burst *burst = group->run.burst;
	const unsigned int i = group->packet[lane];

	return group->frame[lane] + burst->frame[i].l4_offset + burst->segment[i].payload_offset;
}

/* What connections of a usual service are, before what comes now. */
struct looks {
	uint32_t new;     /* They owe nothing, and have heard nothing. */
	uint32_t strange; /* Their windows must be asked for. */
};

AVX512 static inline struct looks
group_look(const struct burst_group *group, uint32_t lanes)
{
	const struct respond_usual *usual = &group->run.desk->usual;
	const uint32_t least = group->columns.rcv_wnd[0];
	const uint64_t opened = usual->opened.state;
	const uint64_t closed = usual->closed.window >= least ? usual->closed.state : opened;
	const uint64_t asked = usual->text_length > 0 && usual->asked.window >= least
					       ? usual->asked.state
					       : opened;
	struct looks looks = {0};

	for (uint32_t left = lanes; left != 0; left &= left - 1) {
		const unsigned int lane = rte_bsf32(left);
		const struct respond_conn *conn = &group->tail[lane]->respond;
		const uint64_t state = respond_usual_state(conn);
		const bool owes = conn->base != group->columns.word[STEP_SND_NXT][lane];

		looks.new |= (uint32_t)((state == opened) & !owes) << lane;
		looks.strange |=
				(uint32_t)((state != opened) & (state != closed) & (state != asked))
				<< lane;
	}
	return looks;
}

/* Lanes whose segments do not fit into the windows of their connections. */
static uint32_t
group_exceed(const struct burst_group *group, const struct step_columns_result *result,
		uint32_t lanes)
{
	const struct expecting *run = &group->run;
	uint32_t exceed = 0;

	for (uint32_t left = lanes; left != 0; left &= left - 1) {
		const unsigned int lane = rte_bsf32(left);
		const uint32_t length =
				group_text_length(group, lane) + (result->peer_fin >> lane & 1);
		const uint32_t window = burst_env_window(
				run->worker, run->desk->service, group->conn[lane]);

		exceed |= (uint32_t)(length > window) << lane;
	}
	return exceed;
}

/* What expect_opened() does where no limit is near, but for what is the service's. */
AVX512 static void
group_open(struct burst_group *group, uint32_t lanes)
{
	const unsigned int n = (unsigned int)__builtin_popcount(lanes);
	struct worker *worker = group->run.worker;
	uint32_t took_us[COLUMNS], *to = took_us;

	for (uint32_t left = lanes; left != 0; left &= left - 1) {
		const unsigned int lane = rte_bsf32(left);
		const struct tcp_sender sender =
				tcp_output_begin(group->columns.word[STEP_SND_UNA][lane]);
		struct conn_tail *tail = group->tail[lane];

		half_open_take_out(worker, group->run.desk->share, group->conn[lane]);
		*to++ = (uint32_t)worker->now_us - tail->recover;
		tail->recover = sender.recover;
		tail->ssthresh = sender.ssthresh;
	}
	histogram_record_each(&worker->handshake_us, took_us, n);
	group->run.desk->share->half_open -= n;
	group->run.opened += n;
}

/* Lanes to which the text came that came before. */
AVX512 static uint32_t
group_have_text(struct burst_group *group, uint32_t lanes)
{
	const struct respond_usual *usual = &group->run.desk->usual;
	const uint8_t *text[COLUMNS];
	uint32_t same = 0;

	for (uint32_t left = lanes; left != 0; left &= left - 1) {
		const unsigned int lane = rte_bsf32(left);

		text[lane] = group_text(group, lane);
		same |= (uint32_t)(group_text_length(group, lane) == usual->text_length) << lane;
	}
	same = step_texts_are(text, (uint16_t)same, usual->text, usual->text_length);
	if (unlikely(same != lanes))
		group->stranger = (uint8_t)rte_bsf32(lanes & ~same);
	return same;
}

AVX512 static void
group_take(struct burst_group *group, uint32_t lanes)
{
	for (uint32_t left = lanes; left != 0; left &= left - 1) {
		const unsigned int lane = rte_bsf32(left);

		group->run.bytes_received += group_text_length(group, lane);
		memcpy(group->tail[lane]->peer_mac, group->frame[lane] + RTE_ETHER_ADDR_LEN,
				sizeof(group->tail[lane]->peer_mac));
	}
}

/* Connections become what they do after this. */
AVX512 static inline void
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
	answer->fin |= turn->fin ? (uint16_t)lanes : 0;
	answer->lanes |= (uint16_t)lanes;
}

/*
 * Let the usual happen to the services of those lanes to which it does, and note what they say.
 *
 * @param lanes
 *   Of connections that are opened by this or new, and can be answered.
 */
AVX512 static void
group_ask(struct burst_group *group, const struct step_columns_result *result, uint32_t lanes)
{
	const struct respond_usual *usual = &group->run.desk->usual;
	const uint32_t data = result->data, peer_fin = result->peer_fin;
	const uint32_t listens = usual->deaf ? 0 : data;
	uint32_t asked = 0;

	lanes &= ~(listens & peer_fin);
	if ((lanes & listens) != 0)
		asked = group_have_text(group, lanes & listens);
	lanes &= ~listens | asked;
	if ((lanes & result->opened) != 0)
		group_open(group, lanes & result->opened);
	group_take(group, lanes & data);
	group->run.requests += usual->requests * (unsigned int)__builtin_popcount(asked);
	group_turn(group, &usual->asked, asked);
	group_turn(group, &usual->closed, lanes & peer_fin);
	group_turn(group, &usual->opened, lanes & ~asked & ~peer_fin);
}

/* expect_ended() */
AVX512 static void
group_end(struct burst_group *group, const struct step_columns_result *result)
{
	const unsigned int n = (unsigned int)__builtin_popcount(result->ended);
	const struct burst_desk *desk = group->run.desk;
	struct worker *worker = group->run.worker;

	for (uint32_t left = result->ended; left != 0; left &= left - 1) {
		const unsigned int lane = rte_bsf32(left);
		const uint64_t hash = group->run.burst->hash[group->packet[lane]];

		if ((result->waits >> lane & 1) != 0) {
			time_wait_prefetch(worker->time_wait, hash);
			time_wait_prefetch_room(worker->time_wait, worker->ending_count);
		}
		group->tail[lane]->respond = (struct respond_conn){0};
		worker->ending[worker->ending_count++] =
				(struct worker_ending){.conn = group->conn[lane], .hash = hash};
	}
	services_release_bulk(desk->service, desk->share, n);
	group->run.closed += n;
}

/* The last answers of those that ended are from nobody's service. */
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
AVX512 static void
group_send(struct burst_group *group, bool timestamps, uint32_t lanes)
{
	struct expecting_answers *answers = &group->run.answers[timestamps];
	const struct respond_usual *usual = &group->run.desk->usual;
	const unsigned int headers =
			14 + (group->run.desk->family == 4 ? 20 : 40) + (timestamps ? 32 : 20);
	const struct step_answer *answer = &group->answer;
	struct burst *burst = group->run.burst;
	unsigned int n = answers->turns.n, texts = 0;
	uint8_t *text[COLUMNS];

	turn_columns_add_lanes(&answers->turns, answer->number, (uint16_t)lanes);
	for (uint32_t left = lanes; left != 0; left &= left - 1, n++) {
		const unsigned int lane = rte_bsf32(left), i = group->packet[lane];

		answers->packet[n] = burst->packet[i];
		answers->turns.data[n] = group->frame[lane];
		text[texts] = group->frame[lane] + headers;
		texts += answer->speaks >> lane & 1;
		burst_reply_finish(burst->packet[i],
				headers + answer->number[TURN_COLUMNS_PAYLOAD][lane]);
		burst->silent |= UINT64_C(1) << i;
	}
	if (texts > 0)
		step_texts_write(text, texts, usual->reply, usual->asked.says);
	group->run.bytes_sent += texts * usual->asked.says;
}

AVX512 static void
group_answer(struct burst_group *group)
{
	const uint32_t stamped = group->answer.timestamps, sends = group->answer.sends;
	const struct step_answer *answer = &group->answer;
	struct worker *worker = group->run.worker;

	timer_wheel_schedule_some(worker->wheel, group->conn, answer->delay_ms, worker->now_ms,
			answer->timed);
	if ((sends & ~stamped) != 0)
		group_send(group, false, sends & ~stamped);
	if ((sends & stamped) != 0)
		group_send(group, true, sends & stamped);
	for (uint32_t left = answer->settled & ~sends; left != 0; left &= left - 1)
		expecting_consume(&group->run, group->packet[rte_bsf32(left)]);
}

/* The text of a lane whose answer is not prepared may be prepared for from now on. */
static void
group_learn(struct burst_group *group)
{
	const struct expecting *run = &group->run;

	respond_usual_learn(&run->desk->usual, run->desk->service->respond,
			run->worker->echo_buffers, group_text(group, group->stranger),
			group_text_length(group, group->stranger));
}

/*
 * Work out what is said to those lanes that are as usual, and answer them: those that have the
 * burst to themselves; and the ACK of a SYN-ACK whatever follows, if it is answered by nothing.
 */
AVX512 static void
group_usual(struct burst_group *group, const struct step_columns_result *result, uint32_t new)
{
	const uint32_t opened = result->opened, comes = result->data | result->peer_fin;
	const uint32_t silent = group->run.desk->usual.opened.fin ? 0 : opened & ~comes;
	const uint32_t may = result->known & group_lanes(group, group->roomy) &
			     (group_lanes(group, group->alone) | silent);
	struct step_answer *answer = &group->answer;

	group->stranger = COLUMNS;
	if (result->ended != 0)
		group_ask_ended(group, may & result->ended);
	group_ask(group, result,
			may & (opened | new) & ~(uint32_t)(result->output | result->ended));
	if (answer->lanes != 0) {
		answer->opened = answer->lanes & result->opened;
		answer->text_sum = group->run.desk->usual.reply_sum;
		step_answer(&group->columns, answer, group->run.desk->env.config);
	}
	step_columns_store(&group->columns, result->known);
	if (answer->lanes != 0)
		group_answer(group);
	if (unlikely(group->stranger != COLUMNS))
		group_learn(group);
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

/* The ends of connections whose services must be told. */
static void
group_ended(struct burst_group *group, uint32_t lanes)
{
	for (uint32_t left = lanes; left != 0; left &= left - 1) {
		const struct expected this = group_lane(group, rte_bsf32(left));

		expect_ended(&this);
	}
}

/* Those in CLOSED have nothing to say. */
static void
group_settle_ended(struct burst_group *group, uint32_t lanes)
{
	for (uint32_t left = lanes; left != 0; left &= left - 1) {
		const unsigned int lane = rte_bsf32(left), i = group->packet[lane];

		if (group->run.burst->action[i].send == TCP_SEND_NOTHING)
			expecting_consume(&group->run, i);
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

/* What was not answered yet is left to burst_reply(), with what it has to know. */
static void
group_leave_answers(struct burst_group *group, uint32_t lanes)
{
	struct burst *burst = group->run.burst;
	struct tcp_action *action[COLUMNS];

	for (unsigned int lane = 0; lane < group->n; lane++)
		action[lane] = &burst->action[group->packet[lane]];
	step_columns_actions(&group->columns, action, (uint16_t)lanes);
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

/* Those that are not usual, or cannot be answered now. */
static void
group_unusual(struct burst_group *group, const struct step_columns_result *result)
{
	const uint32_t rest = result->known & ~(uint32_t)group->answer.lanes;
	const uint32_t unsettled = result->known & ~(uint32_t)group->answer.settled;

	group_leave_answers(group, unsettled);
	group_settle_ended(group, unsettled & result->ended & ~(uint32_t)result->waits);
	group_opened(group, result, rest & result->opened);
	group_brought(group, result, rest & ~(uint32_t)result->ended);
	if (group->crowded)
		group_owe(group, unsettled);
}

/* Who is known, less those whose windows are too small; and who is new. */
static uint32_t
group_check(struct burst_group *group, struct step_columns_result *result)
{
	const uint32_t comes = result->data | result->peer_fin;
	const struct looks looks = group_look(group, comes & ~(uint32_t)result->opened);
	uint32_t exceed;

	if (likely(looks.strange == 0))
		return looks.new;
	exceed = group_exceed(group, result, looks.strange);
	result->known &= (uint16_t)~exceed;
	result->data &= result->known;
	result->peer_fin &= result->known;
	result->output &= result->known;
	result->ended &= result->known;
	result->waits &= result->known;
	return looks.new & ~exceed;
}

void
burst_group_step(struct burst_group *group)
{
	const uint32_t all = (1u << group->n) - 1;
	struct step_columns_result result;
	uint32_t new = 0;

	result = step_columns_expect(&group->columns, group->n, group->run.desk->env.config);
	if (likely(group->usual))
		new = group_check(group, &result);
	if (unlikely(result.known != all))
		burst_group_leave(group, ~(uint32_t)result.known & all);
	step_columns_count(&group->columns, result.known, group->run.worker->rules);
	group->answer.lanes = 0;
	group->answer.ended = 0;
	group->answer.fin = 0;
	group->answer.settled = 0;
	if (likely(group->usual))
		group_usual(group, &result, new);
	else
		step_columns_store(&group->columns, result.known);
	if (likely(group->usual && !group->run.worker->revived))
		group_end(group, &result);
	else
		group_ended(group, result.ended);
	if ((result.known & ~group->answer.settled) != 0)
		group_unusual(group, &result);
}
