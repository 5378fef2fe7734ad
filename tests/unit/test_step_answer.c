/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Answers to segments of sixteen connections at once, against those to one: what
 * tcp_expect_output() and tcp_expect_output_timer() make of each connection, and what then would be
 * sent.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <rte_common.h>

#include "columns_begin.h"
#include "random.h"
#include "random_tcp.h"
#include "step/step_answer.h"
#include "tcp/tcp_expect.h"

#define SEED   20261121
#define ROUNDS 200000

/* Lanes of one call, and what they are after their segments. */
struct lanes {
	struct tcp_conn conn[COLUMNS];
	struct tcp_segment segment[COLUMNS];
	struct tcp_action action[COLUMNS];
	struct tcp_env env[COLUMNS];
	struct step_columns columns;
	struct step_columns_result result;
	struct step_answer answer;
	struct tcp_stream stream[COLUMNS];
};

/* How often each thing happened. */
struct seen {
	unsigned int chunks;
	unsigned int acks;
	unsigned int silent;
	unsigned int ended;
	unsigned int left;
};

/* A segment that is mostly what the connection waits for. */
static void
make_usual(struct tcp_conn *conn, struct tcp_segment *segment, uint64_t *state)
{
	conn->state = (uint8_t)PICK(TCP_SYN_RCVD, TCP_ESTABLISHED, TCP_ESTABLISHED, TCP_FIN_WAIT_1,
			TCP_FIN_WAIT_2, TCP_LAST_ACK);
	conn->retries = 0;
	conn->flags &= TCP_CONN_TIMESTAMPS | TCP_CONN_RTT_MEASURED | TCP_CONN_WINDOW_SCALE |
		       TCP_CONN_TIMER_DUE;
	if (conn->state > TCP_ESTABLISHED)
		conn->flags |= TCP_CONN_FIN_SENT;
	if (conn->state == TCP_SYN_RCVD) {
		conn->snd_nxt = conn->snd_una + 1;
		conn->rttvar_4ms &= 1;
	}
	if (conn->state == TCP_ESTABLISHED && random_below(state, 8) != 0)
		conn->snd_nxt = conn->snd_una;
	conn->mss = (uint16_t)PICK(100, 536, 1460);
	segment->seq = conn->rcv_nxt;
	segment->ack = conn->snd_nxt;
	segment->flags = (uint8_t)PICK(TCP_ACK, TCP_ACK, TCP_ACK | TCP_FIN);
	segment->window = (uint16_t)PICK(conn->snd_wnd, conn->snd_wnd, 200, 0);
	segment->payload_length = (uint16_t)PICK(0, 1, 100);
}

static void
lanes_begin(struct lanes *lanes, uint64_t *state)
{
	struct tcp_action *actions[COLUMNS];

	for (unsigned int i = 0; i < COLUMNS; i++) {
		lanes->conn[i] = random_tcp_conn(state);
		lanes->segment[i] = random_tcp_segment(state, &lanes->conn[i]);
		make_usual(&lanes->conn[i], &lanes->segment[i], state);
		lanes->env[i] = random_tcp_env(state);
		lanes->env[i].rcv_wnd = 1000;
		lanes->columns.conn[i] = &lanes->conn[i];
		lanes->columns.segment[i] = &lanes->segment[i];
		actions[i] = &lanes->action[i];
		lanes->columns.ts_clock[i] = lanes->env[i].ts_clock;
		lanes->columns.rcv_wnd[i] = lanes->env[i].rcv_wnd;
	}
	lanes->result = step_columns_expect(&lanes->columns, COLUMNS, &random_tcp_config);
	step_columns_store(&lanes->columns, lanes->result.known);
	step_columns_actions(&lanes->columns, actions, lanes->result.known);
}

/* What services say, to some of those that they may be asked for. */
static void
lanes_ask(struct lanes *lanes, uint64_t *state)
{
	const struct step_columns_result *result = &lanes->result;
	const uint16_t comes = result->opened | result->data | result->peer_fin;
	struct step_answer *answer = &lanes->answer;

	answer->lanes = ((comes & ~result->output) | result->ended) & (uint16_t)random_next(state);
	answer->ended = answer->lanes & result->ended;
	answer->opened = answer->lanes & result->opened & ~answer->ended;
	answer->fin = 0;
	answer->text_sum = (uint16_t)random_next(state);
	for (unsigned int i = 0; i < COLUMNS; i++) {
		struct tcp_stream *stream = &lanes->stream[i];

		stream->end = lanes->conn[i].snd_nxt + (uint32_t)PICK(0, 0, 1, 100, 101, 536, 2000);
		stream->fin = random_below(state, 2) != 0;
		answer->fin |= (uint16_t)(stream->fin << i);
		answer->end[i] = stream->end;
		answer->window[i] = (uint32_t)PICK(0, 1000, 65535, 65536, 262140);
	}
}

static void
check_numbers(const struct lanes *lanes, unsigned int i, const struct tcp_conn *conn,
		const struct tcp_chunk *chunk)
{
	const struct step_answer *answer = &lanes->answer;
	const bool scaled = (conn->flags & TCP_CONN_WINDOW_SCALE) != 0;
	const uint32_t window = scaled ? answer->window[i] >> random_tcp_config.rcv_wnd_scale
				       : answer->window[i];

	assert_int_equal(answer->number[TURN_COLUMNS_SEQ][i], chunk->seq);
	assert_int_equal(answer->number[TURN_COLUMNS_ACK][i], conn->rcv_nxt);
	assert_int_equal(answer->number[TURN_COLUMNS_TSVAL][i], lanes->env[i].ts_clock);
	assert_int_equal(answer->number[TURN_COLUMNS_TSECR][i], conn->ts_recent);
	assert_int_equal(answer->number[TURN_COLUMNS_SAYS][i],
			(uint32_t)chunk->flags << 16 | RTE_MIN(window, (uint32_t)UINT16_MAX));
	assert_int_equal(answer->number[TURN_COLUMNS_PAYLOAD][i], chunk->length);
	assert_int_equal(answer->number[TURN_COLUMNS_PAYLOAD_SUM][i],
			chunk->length > 0 ? answer->text_sum : 0);
	assert_int_equal(answer->timestamps >> i & 1, (conn->flags & TCP_CONN_TIMESTAMPS) != 0);
	assert_int_equal(answer->speaks >> i & 1, chunk->length > 0);
}

static void
check_timer(const struct lanes *lanes, unsigned int i, bool timed, uint32_t delay_ms)
{
	assert_int_equal(lanes->answer.timed >> i & 1, timed);
	if (timed)
		assert_int_equal(lanes->answer.delay_ms[i], delay_ms);
}

static void
check_ended(const struct lanes *lanes, unsigned int i, struct tcp_conn *conn, struct seen *seen)
{
	const struct tcp_action *action = &lanes->action[i];
	const struct tcp_chunk chunk = {.seq = conn->snd_nxt, .flags = TCP_ACK};
	const bool sends = action->send == TCP_SEND_ACK;

	assert_true(sends || action->send == TCP_SEND_NOTHING);
	assert_int_equal(lanes->answer.sends >> i & 1, sends);
	if (sends) {
		check_numbers(lanes, i, conn, &chunk);
		conn->flags &= (uint16_t)~TCP_CONN_ACK_DUE;
	}
	check_timer(lanes, i, action->timer == TCP_TIMER_SET, action->delay_ms);
	seen->ended++;
}

static void
check_talk(const struct lanes *lanes, unsigned int i, struct tcp_conn *conn, struct seen *seen)
{
	const struct tcp_action *action = &lanes->action[i];
	struct tcp_chunk chunk = {.seq = conn->snd_nxt, .flags = TCP_ACK};
	struct tcp_sender sender;
	enum tcp_expect_output output;
	uint32_t delay_ms;
	bool sends;

	if ((lanes->answer.opened >> i & 1) != 0)
		tcp_output_open(conn, &sender, &random_tcp_config);
	if ((action->outcome & (TCP_OUTCOME_DATA | TCP_OUTCOME_PEER_FIN)) != 0)
		conn->flags |= TCP_CONN_ACK_DUE;
	output = tcp_expect_output(conn, &lanes->stream[i], &chunk);
	assert_int_equal(lanes->answer.settled >> i & 1, output != TCP_EXPECT_UNKNOWN);
	if (output == TCP_EXPECT_UNKNOWN) {
		seen->left++;
		return;
	}
	sends = output == TCP_EXPECT_CHUNK || action->send == TCP_SEND_ACK;
	assert_int_equal(lanes->answer.sends >> i & 1, sends);
	if (sends) {
		check_numbers(lanes, i, conn, &chunk);
		conn->flags &= (uint16_t)~TCP_CONN_ACK_DUE;
	}
	delay_ms = tcp_expect_output_timer(conn, &random_tcp_config);
	check_timer(lanes, i, delay_ms != TCP_OUTPUT_TIMER_KEEP, delay_ms);
	seen->chunks += output == TCP_EXPECT_CHUNK;
	seen->acks += output != TCP_EXPECT_CHUNK && sends;
	seen->silent += !sends;
}

static void
many_answers_at_once_are_those_to_one(void **unused)
{
	uint64_t seed = columns_begin(SEED), *state = &seed;
	struct seen seen = {0};
	struct lanes lanes;

	(void)unused;
	memset(&lanes, 0, sizeof(lanes));
	for (unsigned int round = 0; round < ROUNDS; round++) {
		struct tcp_conn conn[COLUMNS];

		random_tcp_config.keepalive_time_ms = PICK(0, 1000, 7200000);
		random_tcp_config.rto_max_ms = PICK(500, 120000);
		lanes_begin(&lanes, state);
		memcpy(conn, lanes.conn, sizeof(conn));
		lanes_ask(&lanes, state);
		step_answer(&lanes.columns, &lanes.answer, &random_tcp_config);
		step_columns_store(&lanes.columns, lanes.result.known);
		assert_int_equal(lanes.answer.settled & ~lanes.answer.lanes, 0);
		assert_int_equal(lanes.answer.sends & ~lanes.answer.settled, 0);
		assert_int_equal(lanes.answer.timed & ~lanes.answer.settled, 0);
		for (unsigned int i = 0; i < COLUMNS; i++) {
			if ((lanes.answer.ended >> i & 1) != 0)
				check_ended(&lanes, i, &conn[i], &seen);
			else if ((lanes.answer.lanes >> i & 1) != 0)
				check_talk(&lanes, i, &conn[i], &seen);
			assert_memory_equal(&lanes.conn[i], &conn[i], sizeof(conn[i]));
		}
	}
	assert_true(seen.chunks > ROUNDS / 10 && seen.acks > ROUNDS / 10);
	assert_true(seen.silent > ROUNDS / 100 && seen.ended > ROUNDS / 10);
	assert_true(seen.left > ROUNDS / 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(many_answers_at_once_are_those_to_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
