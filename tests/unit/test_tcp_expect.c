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
#include "random_tcp.h"
#include "tcp/tcp_expect.h"
#include "tcp/tcp_output.h"

#define SEED   UINT64_C(0x7a11c0de)
#define ROUNDS 4000000

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
		struct tcp_conn conn = random_tcp_conn(state);
		struct tcp_segment segment = random_tcp_segment(state, &conn);
		struct tcp_env env = random_tcp_env(state);

		if (conn.state == TCP_LISTEN)
			conn = (struct tcp_conn){.state = TCP_LISTEN, .timer_tick = 77};
		random_tcp_config.keepalive_time_ms = PICK(0, 1000, 7200000);
		random_tcp_config.ecn = random_below(state, 2) == 0;
		random_tcp_config.timestamps = random_below(state, 2) == 0;
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
	assert_int_equal(tcp_expect_output_timer(&shortly, &random_tcp_config),
			tcp_output_timer(&wholly, &random_tcp_config));
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
		struct tcp_conn conn = random_tcp_conn(state);
		const struct tcp_env env = random_tcp_env(state);
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
	const struct tcp_env env = {.config = &random_tcp_config,
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
