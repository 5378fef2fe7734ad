/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Expected segments of sixteen connections at once, against the table: each lane must become what
 * tcp_step() makes of it, and nobody else may be touched.
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
#include "step/step_columns.h"
#include "tcp/tcp_expect.h"

#define SEED   20261120
#define ROUNDS 300000

/* More than there are rows. */
#define RULES_MAX 1024

/* Lanes of one call, and what they were. */
struct lanes {
	struct tcp_conn conn[COLUMNS], before[COLUMNS];
	struct tcp_segment segment[COLUMNS];
	struct tcp_action action[COLUMNS];
	struct tcp_env env[COLUMNS];
	struct step_columns columns;
};

/* A segment that is mostly what the connection waits for. */
static void
make_usual(struct tcp_conn *conn, struct tcp_segment *segment, uint64_t *state)
{
	conn->state = (uint8_t)PICK(TCP_SYN_RCVD, TCP_ESTABLISHED, TCP_FIN_WAIT_1, TCP_FIN_WAIT_2,
			TCP_LAST_ACK);
	conn->retries = 0;
	conn->flags &= TCP_CONN_TIMESTAMPS | TCP_CONN_RTT_MEASURED | TCP_CONN_DUP_ACKS;
	if (conn->state > TCP_ESTABLISHED)
		conn->flags |= TCP_CONN_FIN_SENT;
	if (conn->state == TCP_SYN_RCVD)
		conn->snd_nxt = conn->snd_una + 1;
	segment->seq = conn->rcv_nxt;
	segment->ack = conn->snd_nxt;
	segment->flags = (uint8_t)PICK(TCP_ACK, TCP_ACK | TCP_FIN);
}

static void
lanes_begin(struct lanes *lanes, uint64_t *state)
{
	for (unsigned int i = 0; i < COLUMNS; i++) {
		lanes->conn[i] = random_tcp_conn(state);
		lanes->segment[i] = random_tcp_segment(state, &lanes->conn[i]);
		if (random_below(state, 2) == 0)
			make_usual(&lanes->conn[i], &lanes->segment[i], state);
		lanes->before[i] = lanes->conn[i];
		lanes->env[i] = random_tcp_env(state);
		lanes->columns.conn[i] = &lanes->conn[i];
		lanes->columns.segment[i] = &lanes->segment[i];
		lanes->columns.ts_clock[i] = lanes->env[i].ts_clock;
		lanes->columns.rcv_wnd[i] = lanes->env[i].rcv_wnd;
	}
}

/* Whether the short way for one takes it, and no timeout makes it unusual. */
static bool
is_expected(const struct lanes *lanes, unsigned int i)
{
	struct tcp_conn conn = lanes->before[i];
	struct tcp_action action;

	return conn.state != TCP_LISTEN && conn.retries == 0 &&
	       (conn.flags & TCP_CONN_SYN_RETRANSMITTED) == 0 &&
	       tcp_expect(&conn, &lanes->segment[i], &lanes->env[i], &action);
}

static void
check_known(const struct lanes *lanes, unsigned int i, const struct step_columns_result *result)
{
	const struct tcp_segment *segment = &lanes->segment[i];
	struct tcp_conn wholly = lanes->before[i];
	const struct tcp_action whole =
			tcp_step(&wholly, tcp_step_event(segment->flags), segment, &lanes->env[i]);
	const uint8_t outcome = whole.outcome;

	assert_int_equal(lanes->action[i].rule, whole.rule);
	assert_int_equal(lanes->columns.acked[i], wholly.snd_una - lanes->before[i].snd_una);
	assert_memory_equal(&lanes->action[i], &whole, sizeof(whole));
	assert_memory_equal(&lanes->conn[i], &wholly, sizeof(wholly));
	assert_int_equal(result->opened >> i & 1, (outcome & TCP_OUTCOME_OPENED) != 0);
	assert_int_equal(result->data >> i & 1, (outcome & TCP_OUTCOME_DATA) != 0);
	assert_int_equal(result->peer_fin >> i & 1, (outcome & TCP_OUTCOME_PEER_FIN) != 0);
	assert_int_equal(result->output >> i & 1,
			(outcome & (TCP_OUTCOME_ACKED | TCP_OUTCOME_OUTPUT)) != 0);
	assert_int_equal(result->ended >> i & 1,
			wholly.state == TCP_CLOSED || wholly.state == TCP_TIME_WAIT);
}

/* Rows that fired are counted, those of some lanes. */
static void
check_counts(const struct lanes *lanes, uint16_t some)
{
	uint64_t rules[RULES_MAX] = {0};

	assert_in_range(tcp_rules_count(), 1, RULES_MAX);
	step_columns_count(&lanes->columns, some, rules);
	for (unsigned int i = 0; i < COLUMNS; i++)
		rules[lanes->action[i].rule] -= some >> i & 1;
	for (unsigned int row = 0; row < RTE_DIM(rules); row++)
		assert_int_equal(rules[row], 0);
}

static void
many_segments_at_once_and_the_table_agree(void **unused)
{
	unsigned int known[TCP_STATES] = {0};
	uint64_t seed = columns_begin(SEED), *state = &seed;
	struct lanes lanes;

	(void)unused;
	memset(&lanes, 0, sizeof(lanes));
	for (unsigned int round = 0; round < ROUNDS; round++) {
		const unsigned int n = 1 + random_below(state, COLUMNS);
		struct tcp_action *actions[COLUMNS];
		struct step_columns_result result;

		random_tcp_config.keepalive_time_ms = PICK(0, 1000, 7200000);
		random_tcp_config.rto_max_ms = PICK(500, 120000);
		lanes_begin(&lanes, state);
		result = step_columns_expect(&lanes.columns, n, &random_tcp_config);
		assert_memory_equal(lanes.conn, lanes.before, sizeof(lanes.conn));
		step_columns_store(&lanes.columns, result.known);
		for (unsigned int i = 0; i < COLUMNS; i++)
			actions[i] = &lanes.action[i];
		step_columns_actions(&lanes.columns, actions, result.known);
		for (unsigned int i = 0; i < COLUMNS; i++) {
			const bool took = (result.known >> i & 1) != 0;

			assert_int_equal(took, i < n && is_expected(&lanes, i));
			if (took)
				check_known(&lanes, i, &result);
			else
				assert_memory_equal(&lanes.conn[i], &lanes.before[i],
						sizeof(lanes.conn[i]));
			known[lanes.before[i].state] += took;
		}
		check_counts(&lanes, result.known & (uint16_t)random_next(state));
	}
	for (unsigned int s = TCP_SYN_RCVD; s < TCP_STATES; s++) {
		const bool any = tcp_rules_expected[s][0] != 0 || tcp_rules_expected[s][2] != 0;

		assert_true(any ? known[s] > ROUNDS / 10 : known[s] == 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(many_segments_at_once_and_the_table_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
