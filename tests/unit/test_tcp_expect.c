/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The short way of expected segments against the table: from the same connection, both must make
 * the same of a segment.
 *
 * Connections are made of random numbers in a small range around those that matter, so that also
 * fields which the machine would never combine are compared.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <rte_common.h>

#include "random.h"
#include "tcp/tcp_expect.h"
#include "tcp/tcp_output.h"

#define SEED   UINT64_C(0x7a11c0de)
#define ROUNDS 4000000

#define RCV    0xfffffffeu /* Numbers wrap. */
#define SND    0x7ffffffeu

static struct tcp_config config = {
		.fin_timeout_ms = 60000,
		.idle_timeout_ms = 300000,
		.keepalive_time_ms = 7200000,
		.keepalive_intvl_ms = 75000,
		.keepalive_probes = 9,
		.time_wait_ms = 60000,
		.rto_min_ms = 200,
		.rto_max_ms = 120000,
		.synack_retries = 5,
		.syn_retries = 6,
		.retries2 = 15,
		.orphan_retries = 8,
		.initial_cwnd = 10,
		.rcv_wnd_scale = 2,
		.timestamps = true,
		.sack = true,
		.window_scaling = true,
};

/* One of the numbers that make a difference. */
static uint32_t
pick(uint64_t *state, const uint32_t numbers[], unsigned int n)
{
	return numbers[random_below(state, n)];
}

#define PICK(...)                                    \
	pick(state, (const uint32_t[]){__VA_ARGS__}, \
			sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static struct tcp_conn
random_conn(uint64_t *state)
{
	struct tcp_conn conn = {
			.snd_una = SND,
			.snd_nxt = SND + PICK(0, 1, 1, 2, 100, 101),
			.rcv_nxt = RCV,
			.ts_recent = PICK(5, 0xfffffffa),
			.snd_wnd = (uint16_t)PICK(0, 1, 1000, 64240, 65535),
			.mss = 1448,
			.srtt_8ms = (uint16_t)PICK(0, 8, 100, 65535),
			.rttvar_4ms = (uint16_t)PICK(0, 1, 1, 2, 3, 100),
			.state = (uint8_t)random_below(state, TCP_STATES),
			.scales = (uint8_t)PICK(0, 7, 0xf7, 0xe0, 0x90),
			.retries = (uint8_t)PICK(0, 0, 0, 1, 8, 15),
			.cwnd = (uint8_t)PICK(1, 10),
			.timer_tick = 77,
	};

	if (random_below(state, 4) == 0)
		conn.flags = (uint16_t)random_next(state);
	else
		conn.flags = (uint16_t)(PICK(0, TCP_CONN_TIMESTAMPS) |
					PICK(0, TCP_CONN_WINDOW_SCALE | TCP_CONN_SACK) |
					PICK(0, TCP_CONN_RTT_MEASURED) |
					PICK(0, TCP_CONN_SYN_RETRANSMITTED) |
					PICK(0, TCP_CONN_FIN_SENT) | PICK(0, 0x1000, 0x2000));
	return conn;
}

static struct tcp_segment
random_segment(uint64_t *state, const struct tcp_conn *conn)
{
	struct tcp_segment segment = {
			.seq = RCV + PICK(0, 0, 0, 0, 0, 0, 1, -1u, 100),
			.ack = SND + PICK(0, 0, 1, 1, 2, 100, 101, -1u),
			.tsval = conn->ts_recent + PICK(0, 1, 100, -1u),
			.tsecr = PICK(0, 900, 1000, 0xffff0000u),
			.window = (uint16_t)PICK(conn->snd_wnd, conn->snd_wnd, 0, 500, 65535),
			.payload_length = (uint16_t)PICK(0, 0, 0, 1, 99, 100, 1000),
			.options = (uint8_t)PICK(
					0, TCP_OPTION_TIMESTAMPS, TCP_OPTION_TIMESTAMPS, 0x3f),
			.mss = 1460,
			.window_scale = (uint8_t)PICK(0, 7, 20),
			.flags = (uint8_t)PICK(TCP_ACK, TCP_ACK, TCP_ACK | TCP_PSH,
					TCP_ACK | TCP_FIN, TCP_ACK | TCP_FIN | TCP_PSH, TCP_SYN,
					TCP_SYN | TCP_ECE | TCP_CWR),
	};

	if (random_below(state, 16) == 0)
		segment.flags = (uint8_t)random_next(state);
	return segment;
}

static struct tcp_env
random_env(uint64_t *state)
{
	return (struct tcp_env){
			.config = &config,
			.now_ms = 1000,
			.ts_clock = PICK(1000, 0x10000, 0xffff0010u),
			.rcv_wnd = PICK(0, 1, 2, 99, 100, 101, 16384, 65535),
			.isn = 0x12345678,
			.path_mss = 1460,
			.default_mss = 536,
			.fast_open = random_below(state, 8) == 0,
	};
}

/* @return whether the short way knew the segment. */
static bool
compare(const struct tcp_conn *conn, const struct tcp_segment *segment, const struct tcp_env *env)
{
	struct tcp_conn shortly = *conn, wholly = *conn;
	struct tcp_action action, whole;
	bool known;

	if (conn->state == TCP_LISTEN)
		known = tcp_expect_syn(&shortly, segment, env, &action);
	else
		known = tcp_expect(&shortly, segment, env, &action);
	if (!known) {
		assert_memory_equal(&shortly, conn, sizeof(shortly));
		return false;
	}
	whole = tcp_step(&wholly, tcp_step_event(segment->flags), segment, env);
	assert_int_equal(action.rule, whole.rule);
	assert_memory_equal(&action, &whole, sizeof(action));
	assert_memory_equal(&shortly, &wholly, sizeof(shortly));
	return true;
}

static void
short_way_and_table_agree_on_random_segments(void **unused)
{
	unsigned int known[TCP_STATES] = {0};
	uint64_t seed = SEED, *state = &seed;

	(void)unused;
	print_message("seed 0x%llx\n", (unsigned long long)seed);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		struct tcp_conn conn = random_conn(state);
		struct tcp_segment segment = random_segment(state, &conn);
		struct tcp_env env = random_env(state);

		if (conn.state == TCP_LISTEN)
			conn = (struct tcp_conn){.state = TCP_LISTEN, .timer_tick = 77};
		config.keepalive_time_ms = PICK(0, 1000, 7200000);
		config.ecn = random_below(state, 2) == 0;
		config.timestamps = random_below(state, 2) == 0;
		known[conn.state] += compare(&conn, &segment, &env);
	}
	for (unsigned int s = 0; s < TCP_STATES; s++) {
		const bool any = tcp_rules_expected[s][0] != 0 || tcp_rules_expected[s][2] != 0;

		assert_true(any ? known[s] > ROUNDS / 10000 : known[s] == 0);
	}
}

/* @return whether the short way knew what to say. */
static bool
compare_output(const struct tcp_conn *conn, const struct tcp_stream *stream,
		const struct tcp_env *env)
{
	struct tcp_conn shortly = *conn, wholly = *conn;
	struct tcp_chunk chunk, whole, more;
	const enum tcp_expect_output output = tcp_expect_output(&shortly, stream, &chunk);

	if (output == TCP_EXPECT_UNKNOWN) {
		assert_memory_equal(&shortly, conn, sizeof(shortly));
		return false;
	}
	assert_int_equal(tcp_output_next(&wholly, stream, env, &whole), output == TCP_EXPECT_CHUNK);
	if (output == TCP_EXPECT_CHUNK) {
		assert_memory_equal(&chunk, &whole, sizeof(chunk));
		assert_false(tcp_output_next(&wholly, stream, env, &more));
	}
	assert_memory_equal(&shortly, &wholly, sizeof(shortly));
	assert_int_equal(tcp_expect_output_timer(&shortly, &config),
			tcp_output_timer(&wholly, &config));
	assert_memory_equal(&shortly, &wholly, sizeof(shortly));
	return true;
}

static void
short_way_and_output_agree_on_random_streams(void **unused)
{
	unsigned int known[TCP_STATES] = {0};
	uint64_t seed = SEED + 1, *state = &seed;

	(void)unused;
	print_message("seed 0x%llx\n", (unsigned long long)seed);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		struct tcp_conn conn = random_conn(state);
		const struct tcp_env env = random_env(state);
		const struct tcp_stream stream = {
				.end = conn.snd_nxt +
				       PICK(0, 0, 1, 100, 999, 1000, 1448, 1449, 5000, -1u),
				.fin = random_below(state, 2) == 0,
		};

		if (conn.state == TCP_LISTEN || conn.state == TCP_CLOSED)
			continue;
		/* Output never asks without it. */
		conn.flags |= conn.state > TCP_ESTABLISHED && conn.state != TCP_CLOSE_WAIT
					      ? TCP_CONN_FIN_SENT
					      : 0;
		known[conn.state] += compare_output(&conn, &stream, &env);
	}
	for (unsigned int s = TCP_ESTABLISHED; s < TCP_STATES; s++)
		assert_true(known[s] > ROUNDS / 1000);
}

/* What a client says that opens, asks and closes, and what the short way must know of it. */
static void
connection_without_loss_is_expected_throughout(void **unused)
{
	const struct tcp_env env = {.config = &config,
			.ts_clock = 1000,
			.rcv_wnd = 16384,
			.isn = SND - 1,
			.path_mss = 1460,
			.default_mss = 536};
	struct tcp_segment segment = {.seq = RCV - 1, .window = 64240, .flags = TCP_SYN};
	struct tcp_conn conn = {.state = TCP_LISTEN};
	struct tcp_action action;

	(void)unused;
	assert_true(tcp_expect_syn(&conn, &segment, &env, &action));
	assert_int_equal(action.send, TCP_SEND_SYN_ACK);
	segment = (struct tcp_segment){.seq = RCV, .ack = SND, .window = 64240, .flags = TCP_ACK};
	assert_true(tcp_expect(&conn, &segment, &env, &action));
	assert_int_equal(action.outcome, TCP_OUTCOME_OPENED);
	segment.payload_length = 100;
	assert_true(tcp_expect(&conn, &segment, &env, &action));
	assert_int_equal(action.take, 100);
	conn.snd_nxt += 50;
	tcp_step(&conn, TCP_EVENT_CLOSE, NULL, &env);
	segment = (struct tcp_segment){
			.seq = RCV + 100, .ack = SND + 51, .window = 64240, .flags = TCP_ACK};
	assert_true(tcp_expect(&conn, &segment, &env, &action));
	assert_int_equal(conn.state, TCP_FIN_WAIT_2);
	segment.flags |= TCP_FIN;
	assert_true(tcp_expect(&conn, &segment, &env, &action));
	assert_int_equal(conn.state, TCP_TIME_WAIT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(short_way_and_table_agree_on_random_segments),
			cmocka_unit_test(short_way_and_output_agree_on_random_streams),
			cmocka_unit_test(connection_without_loss_is_expected_throughout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
