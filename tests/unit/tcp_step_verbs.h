/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TCP_STEP_VERBS_H
#define TCP_STEP_VERBS_H

/**
 * @file
 * Exchanges as C: GIVEN a state, a segment comes IN, an action goes OUT.
 *
 * Numbers are relative: SND is the first byte after our SYN, RCV the first after the peer's.  The
 * tests run with several bases, so that every one of them also runs across the wrap of the circle.
 */

#include <stdbool.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <rte_common.h>

#include "tcp/tcp_rules.h"
#include "tcp/tcp_step.h"

/* IN() has a default window, which a test may overwrite. */
#pragma GCC diagnostic ignored "-Woverride-init"

#define WND 10000 /* Both windows. */

static struct tcp_config config;
static struct tcp_env env;
static struct tcp_conn conn;
static struct tcp_action action;
static uint32_t iss, irs;

#define SND (iss + 1)
#define RCV (irs + 1)

enum segment_name {
	SYN = TCP_SYN,
	SYN_ACK = TCP_SYN | TCP_ACK,
	ACK = TCP_ACK,
	FIN = TCP_FIN | TCP_ACK,
	FIN_ONLY = TCP_FIN,
	RST = TCP_RST,
	RST_ACK = TCP_RST | TCP_ACK,
	SYN_FIN = TCP_SYN | TCP_FIN,
	NULL_SEGMENT = 0,
};

static inline void
given(enum tcp_state state)
{
	const bool fin_sent = state == TCP_FIN_WAIT_1 || state == TCP_FIN_WAIT_2 ||
			      state == TCP_CLOSING || state == TCP_LAST_ACK ||
			      state == TCP_TIME_WAIT;
	const bool fin_acked = state == TCP_FIN_WAIT_2 || state == TCP_TIME_WAIT;
	const bool fin_taken = state >= TCP_CLOSE_WAIT;
	const bool syn_acked = state >= TCP_ESTABLISHED;

	config = (struct tcp_config){
			.fin_timeout_ms = 60000,
			.idle_timeout_ms = 300000,
			.time_wait_ms = 120000,
			.rto_min_ms = 200,
			.rto_max_ms = 100000,
			.synack_retries = 5,
			.syn_retries = 6,
			.retries2 = 8,
			.orphan_retries = 4,
			.initial_cwnd = 10,
			.rcv_wnd_scale = 7,
			.timestamps = true,
			.sack = true,
			.window_scaling = true,
	};
	env = (struct tcp_env){
			.config = &config,
			.now_ms = 7000,
			.ts_clock = 9000,
			.rcv_wnd = WND,
			.isn = iss,
			.path_mss = 1460,
			.default_mss = 536,
	};
	conn = (struct tcp_conn){.state = (uint8_t)state, .timer_tick = 77};
	action = (struct tcp_action){0};
	if (state == TCP_CLOSED || state == TCP_LISTEN)
		return;
	conn.snd_una = syn_acked ? SND + fin_acked : iss;
	conn.snd_nxt = SND + fin_sent;
	conn.rcv_nxt = state == TCP_SYN_SENT ? 0 : RCV + fin_taken;
	conn.flags = fin_sent ? TCP_CONN_FIN_SENT : 0;
	if (state == TCP_SYN_SENT)
		conn.flags |= TCP_CONN_ACTIVE | TCP_CONN_TIMESTAMPS | TCP_CONN_SACK |
			      TCP_CONN_WINDOW_SCALE;
	conn.snd_wnd = WND;
	conn.scales = 13 << 4; /* log2 of WND */
	conn.mss = 1460;
}

/* Bytes that were sent and are not acknowledged. */
static inline void
given_in_flight(uint32_t bytes)
{
	conn.snd_nxt += bytes;
}

static inline void
given_timestamps(uint32_t ts_recent)
{
	conn.flags |= TCP_CONN_TIMESTAMPS;
	conn.ts_recent = ts_recent;
}

static inline void
in(struct tcp_segment segment)
{
	action = tcp_step(&conn, tcp_step_event(segment.flags), &segment, &env);
	assert_int_equal(conn.timer_tick, 77);
}

static inline void
happens(enum tcp_event event)
{
	action = tcp_step(&conn, event, NULL, &env);
	assert_int_equal(conn.timer_tick, 77);
}

#define GIVEN(state)     given(TCP_##state)
#define IN(name, ...)    in((struct tcp_segment){.window = WND, .flags = (name), ##__VA_ARGS__})
#define HAPPENS(event)   happens(TCP_EVENT_##event)
#define TIMESTAMP(value) .options = TCP_OPTION_TIMESTAMPS, .tsval = (value)

/* What is sent, and the state afterwards. */
#define OUT(sent, after)                                                       \
	do {                                                                   \
		assert_int_equal(action.send, TCP_SEND_##sent);                \
		assert_string_equal(tcp_rules_state_name(conn.state), #after); \
	} while (0)

/* What the caller is told, all of it. */
#define TOLD(outcomes)  assert_int_equal(action.outcome, (outcomes))

#define REFUSED(reason) assert_int_equal(action.drop, TCP_REFUSAL_##reason)

#define TIMER_SET(ms)                                          \
	do {                                                   \
		assert_int_equal(action.timer, TCP_TIMER_SET); \
		assert_int_equal(action.delay_ms, (ms));       \
	} while (0)

#define TIMER_KEPT()    assert_int_equal(action.timer, TCP_TIMER_KEEP)
#define TIMER_STOPPED() assert_int_equal(action.timer, TCP_TIMER_STOP)

enum told {
	NOTHING = 0,
	OPENED = TCP_OUTCOME_OPENED,
	DATA = TCP_OUTCOME_DATA,
	PEER_FIN = TCP_OUTCOME_PEER_FIN,
	ACKED = TCP_OUTCOME_ACKED,
	OUTPUT = TCP_OUTCOME_OUTPUT,
	CLOSED = TCP_OUTCOME_CLOSED,
	RESET = TCP_OUTCOME_RESET,
	TIMED_OUT = TCP_OUTCOME_TIMED_OUT,
};

static const enum tcp_state synchronized_states[] = {TCP_ESTABLISHED, TCP_FIN_WAIT_1,
		TCP_FIN_WAIT_2, TCP_CLOSE_WAIT, TCP_CLOSING, TCP_LAST_ACK, TCP_TIME_WAIT};

/* Run the tests with sequence numbers in the middle of the circle and across both its seams. */
static inline int
run_across_the_circle(const struct CMUnitTest *tests, size_t count)
{
	static const struct {
		const char *name;
		uint32_t iss, irs;
	} bases[] = {
			{"plain", 1000, 500000},
			{"wrap of ours", UINT32_MAX, 5000},
			{"wrap of theirs", 77777, UINT32_MAX},
			{"both wrap a little later", UINT32_MAX - 50, UINT32_MAX - 50},
			{"sign changes", INT32_MAX, INT32_MAX - 10u},
	};
	int failed = 0;

	for (size_t i = 0; i < RTE_DIM(bases); i++) {
		iss = bases[i].iss;
		irs = bases[i].irs;
		failed += _cmocka_run_group_tests(bases[i].name, tests, count, NULL, NULL);
	}
	return failed;
}

#endif /* TCP_STEP_VERBS_H */
