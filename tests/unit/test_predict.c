/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * What the generator predicts is what the TCP machine does: both run over random connections and
 * segments, most of them nearly right, and everything they leave is compared.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "load/predict.h"
#include "tcp/tcp_output.h"

#include "random.h"

#define ROUNDS 300000

static uint64_t seed = 20261120;

static uint32_t
any(void)
{
	return (uint32_t)random_next(&seed);
}

/* Mostly the first, sometimes anything. */
static uint32_t
mostly(uint32_t value)
{
	return any() % 8 != 0 ? value : any() % 4 != 0 ? value + any() % 5 - 2 : any();
}

static struct tcp_config config;
static struct tcp_env env;

static void
any_world(void)
{
	config = (struct tcp_config){
			.fin_timeout_ms = 10000,
			.idle_timeout_ms = 10000,
			.time_wait_ms = 60000,
			.rto_min_ms = 1 + any() % 1000,
			.rto_max_ms = 500 + any() % 120000,
			.syn_retries = 3,
			.retries2 = 3,
			.orphan_retries = 3,
			.initial_cwnd = (uint8_t)(1 + any() % 20),
			.rcv_wnd_scale = 2,
			.window_scaling = any() & 1,
			.timestamps = any() & 1,
	};
	env = (struct tcp_env){
			.config = &config,
			.now_ms = any(),
			.ts_clock = any(),
			.rcv_wnd = any() % 16 == 0 ? 0 : 65535u << 2,
			.isn = any(),
			.path_mss = (uint16_t)(any() % 9000),
			.default_mss = 536,
	};
}

static struct tcp_conn
begun(void)
{
	struct tcp_conn conn = {.timer_tick = (uint16_t)any()};

	tcp_step(&conn, TCP_EVENT_OPEN, NULL, &env);
	return conn;
}

static struct tcp_segment
any_segment(const struct tcp_conn *conn, uint8_t flags)
{
	return (struct tcp_segment){
			.seq = mostly(conn->rcv_nxt),
			.ack = mostly(conn->snd_nxt),
			.window = (uint16_t)(any() % 8 == 0 ? any() % 3 : any()),
			.payload_length = (uint16_t)(any() % 8 == 0 ? any() % 100 : 0),
			.payload_offset = 20,
			.mss = (uint16_t)any(),
			.flags = flags,
			.options = (uint8_t)((any() & (TCP_OPTION_MSS | TCP_OPTION_WINDOW_SCALE)) |
					     (any() % 16 != 0 ? TCP_OPTION_TIMESTAMPS : 0)),
			.tsval = any() % 2 == 0 ? conn->ts_recent + any() % 100
						: mostly(conn->ts_recent),
			.tsecr = any() % 16 == 0 ? any() : env.ts_clock - any() % 100,
			.window_scale = (uint8_t)(any() % 20),
	};
}

static void
an_opening_is_the_machines(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct tcp_conn conn = {.timer_tick = (uint16_t)any()}, same = conn;

		any_world();
		tcp_step(&conn, TCP_EVENT_OPEN, NULL, &env);
		predict_begin(&same, &env);
		assert_memory_equal(&same, &conn, sizeof(conn));
	}
}

/* A timeout or two, so that not all went well. */
static void
sometimes_retry(struct tcp_conn *conn)
{
	while (any() % 8 == 0)
		tcp_step(conn, TCP_EVENT_TIMEOUT, NULL, &env);
}

/* The machine opens, and says what the stream holds. @return the delay until its timeout. */
static uint32_t
open_and_say(struct tcp_conn *conn, const struct tcp_segment *segment,
		const struct tcp_stream *stream, struct tcp_chunk *chunk)
{
	struct tcp_sender sender;
	const struct tcp_action action = tcp_step(conn, TCP_EVENT_SYN_ACK, segment, &env);

	assert_true((action.outcome & TCP_OUTCOME_OPENED) != 0);
	tcp_output_open(conn, &sender, &config);
	assert_int_equal(sender.recover, conn->snd_una - 1);
	assert_int_equal(sender.ssthresh, UINT8_MAX);
	assert_true(tcp_output_next(conn, stream, &env, chunk));
	return tcp_output_timer(conn, &config);
}

static void
a_syn_ack_and_what_follows_it_are_the_machines(void **state)
{
	unsigned int taken = 0;

	(void)state;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct tcp_conn conn, same;
		struct tcp_segment segment;
		struct tcp_stream stream;
		struct tcp_chunk chunk;
		const bool close = any() & 1;
		const uint32_t length = close ? 0 : 1 + any() % 1200;
		uint32_t delay_ms;

		any_world();
		conn = begun();
		sometimes_retry(&conn);
		if (conn.state != TCP_SYN_SENT)
			continue;
		env.ts_clock += any() % 16 == 0 ? any() % 10000 : any() % 50;
		segment = any_segment(&conn, TCP_SYN | TCP_ACK);
		same = conn;
		if (!predict_open(&same, &segment, &env)) {
			assert_memory_equal(&same, &conn, sizeof(conn));
			continue;
		}
		if (close)
			predict_close(&same);
		else if (!predict_send(&same, length))
			continue;
		taken++;
		stream = (struct tcp_stream){conn.snd_nxt + length, close};
		delay_ms = open_and_say(&conn, &segment, &stream, &chunk);
		assert_memory_equal(&same, &conn, sizeof(conn));
		assert_int_equal(predict_rto_ms(&same, &config), delay_ms);
		assert_int_equal(chunk.length, length);
		assert_int_equal(chunk.flags, close ? TCP_ACK | TCP_FIN : TCP_ACK | TCP_PSH);
		assert_int_equal(chunk.seq, same.snd_una);
	}
	assert_in_range(taken, ROUNDS / 4, ROUNDS);
}

static void
the_last_fin_is_the_machines(void **state)
{
	unsigned int taken = 0;

	(void)state;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct tcp_conn conn, same;
		struct tcp_segment segment;
		struct tcp_action action;

		any_world();
		conn = begun();
		segment = any_segment(&conn, TCP_SYN | TCP_ACK);
		segment.ack = conn.snd_nxt;
		segment.window |= 1;
		segment.window_scale = 0;
		if (!predict_open(&conn, &segment, &env))
			continue;
		predict_close(&conn);
		sometimes_retry(&conn);
		segment = any_segment(&conn, TCP_ACK);
		if (any() % 4 == 0)
			tcp_step(&conn, TCP_EVENT_ACK, &segment, &env);
		segment = any_segment(&conn, TCP_ACK | TCP_FIN);
		same = conn;
		if (!predict_finish(&same, &segment, &env)) {
			assert_memory_equal(&same, &conn, sizeof(conn));
			continue;
		}
		taken++;
		action = tcp_step(&conn, TCP_EVENT_FIN, &segment, &env);
		assert_memory_equal(&same, &conn, sizeof(conn));
		assert_int_equal(conn.state, TCP_TIME_WAIT);
		assert_int_equal(action.send, TCP_SEND_ACK);
	}
	assert_in_range(taken, ROUNDS / 8, ROUNDS);
}

/* A connection that asked something, as predicted. @return false: another one, please. */
static bool
asked(struct tcp_conn *conn, uint32_t length)
{
	struct tcp_segment segment;

	any_world();
	*conn = begun();
	segment = any_segment(conn, TCP_SYN | TCP_ACK);
	segment.ack = conn->snd_nxt;
	segment.window |= 0x8000;
	return predict_open(conn, &segment, &env) && predict_send(conn, length);
}

static void
an_answer_with_a_fin_is_the_machines(void **state)
{
	unsigned int taken = 0;

	(void)state;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		const uint32_t length = 1 + any() % 400;
		struct tcp_stream stream = {.fin = true};
		struct tcp_sender sender = {.ssthresh = UINT8_MAX};
		struct tcp_conn conn, same;
		struct tcp_segment segment;
		struct tcp_action action;
		struct tcp_chunk chunk;
		uint32_t una, delay_ms;

		if (!asked(&conn, length))
			continue;
		sometimes_retry(&conn);
		stream.end = conn.snd_nxt;
		sender.recover = conn.snd_una - 1;
		segment = any_segment(&conn, TCP_ACK | TCP_FIN);
		segment.payload_length = (uint16_t)(any() % 1400);
		same = conn;
		if (!predict_answer(&same, &segment, &env, sender.ssthresh)) {
			assert_memory_equal(&same, &conn, sizeof(conn));
			continue;
		}
		taken++;
		una = conn.snd_una;
		action = tcp_step(&conn, TCP_EVENT_FIN, &segment, &env);
		assert_int_equal(action.skip, 0);
		assert_int_equal(action.take, segment.payload_length);
		tcp_output_react(&conn, &sender, &action, conn.snd_una - una);
		assert_int_equal(sender.ssthresh, UINT8_MAX);
		assert_int_equal(sender.recover, una - 1);
		assert_true(tcp_output_next(&conn, &stream, &env, &chunk));
		delay_ms = tcp_output_timer(&conn, &config);
		assert_memory_equal(&same, &conn, sizeof(conn));
		assert_int_equal(predict_rto_ms(&same, &config), delay_ms);
		assert_int_equal(chunk.flags, TCP_ACK | TCP_FIN);
		assert_int_equal(chunk.length, 0);
		assert_int_equal(chunk.seq, same.snd_una);
	}
	assert_in_range(taken, ROUNDS / 8, ROUNDS);
}

/* The machine takes an answer, and says what the stream holds then. */
static void
go_on(struct tcp_conn *conn, struct tcp_sender *sender, const struct tcp_segment *segment,
		const struct tcp_stream *stream, struct tcp_chunk *chunk)
{
	const uint32_t una = conn->snd_una;
	const struct tcp_action action = tcp_step(conn, TCP_EVENT_ACK, segment, &env);

	assert_int_equal(action.skip, 0);
	assert_int_equal(action.take, segment->payload_length);
	tcp_output_react(conn, sender, &action, conn->snd_una - una);
	assert_true(tcp_output_next(conn, stream, &env, chunk));
	assert_false(tcp_output_next(conn, stream, &env, &(struct tcp_chunk){0}));
}

static void
an_answer_and_what_follows_it_are_the_machines(void **state)
{
	unsigned int taken = 0;

	(void)state;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		const uint32_t length = any() % 3 == 0 ? 0 : 1 + any() % 400;
		struct tcp_stream stream = {.fin = length == 0};
		struct tcp_sender sender = {
				.ssthresh = any() % 16 == 0 ? (uint8_t)any() : UINT8_MAX};
		struct tcp_conn conn, same;
		struct tcp_segment segment;
		struct tcp_sender same_sender;
		struct tcp_chunk chunk;
		uint32_t delay_ms;

		if (!asked(&conn, 1 + any() % 400))
			continue;
		if (any() % 4 == 0)
			conn.cwnd = (uint8_t)(UINT8_MAX - any() % 3);
		sometimes_retry(&conn);
		stream.end = conn.snd_nxt + length;
		sender.recover = conn.snd_una - 1 + any() % 4;
		segment = any_segment(&conn, TCP_ACK | (any() & TCP_PSH));
		segment.payload_length = (uint16_t)(any() % 1400);
		same = conn;
		same_sender = sender;
		if (!predict_go_on(&same, &segment, &env, length, &same_sender)) {
			assert_memory_equal(&same, &conn, sizeof(conn));
			assert_int_equal(same_sender.recover, sender.recover);
			continue;
		}
		taken++;
		go_on(&conn, &sender, &segment, &stream, &chunk);
		delay_ms = tcp_output_timer(&conn, &config);
		assert_memory_equal(&same, &conn, sizeof(conn));
		assert_int_equal(same_sender.recover, sender.recover);
		assert_int_equal(same_sender.ssthresh, sender.ssthresh);
		assert_int_equal(predict_rto_ms(&same, &config), delay_ms);
		assert_int_equal(chunk.flags, TCP_ACK | (length == 0 ? TCP_FIN : TCP_PSH));
		assert_int_equal(chunk.length, length);
		assert_int_equal(chunk.seq, same.snd_una);
	}
	assert_in_range(taken, ROUNDS / 8, ROUNDS);
}

static void
the_last_ack_is_the_machines(void **state)
{
	unsigned int taken = 0;

	(void)state;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct tcp_conn conn;
		struct tcp_segment segment;
		struct tcp_action action;

		if (!asked(&conn, 100))
			continue;
		segment = any_segment(&conn, TCP_ACK | TCP_FIN);
		if (!predict_answer(&conn, &segment, &env, UINT8_MAX))
			continue;
		sometimes_retry(&conn);
		segment = any_segment(&conn, TCP_ACK);
		if (!predict_is_last_ack(&conn, &segment, &env))
			continue;
		taken++;
		action = tcp_step(&conn, TCP_EVENT_ACK, &segment, &env);
		assert_int_equal(conn.state, TCP_CLOSED);
		assert_int_equal(action.send, TCP_SEND_NOTHING);
		assert_true((action.outcome & TCP_OUTCOME_CLOSED) != 0);
		assert_true((action.outcome & (TCP_OUTCOME_RESET | TCP_OUTCOME_TIMED_OUT)) == 0);
	}
	assert_in_range(taken, ROUNDS / 16, ROUNDS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(an_opening_is_the_machines),
			cmocka_unit_test(a_syn_ack_and_what_follows_it_are_the_machines),
			cmocka_unit_test(the_last_fin_is_the_machines),
			cmocka_unit_test(an_answer_with_a_fin_is_the_machines),
			cmocka_unit_test(an_answer_and_what_follows_it_are_the_machines),
			cmocka_unit_test(the_last_ack_is_the_machines),
	};

	printf("seed %llu\n", (unsigned long long)seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
