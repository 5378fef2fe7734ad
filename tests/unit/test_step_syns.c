/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * SYNs of sixteen new connections at once, against the short way for one.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <rte_bitops.h>
#include <rte_common.h>

#include "columns_begin.h"
#include "random.h"
#include "random_tcp.h"
#include "step/step_syns.h"
#include "tcp/tcp_expect.h"

#define SEED   20261121
#define ROUNDS 100000

/* Lanes of one call. */
struct lanes {
	struct tcp_conn conn[COLUMNS];
	struct tcp_segment segment[COLUMNS];
	struct step_syns syns;
};

static struct tcp_segment
random_syn(uint64_t *state)
{
	return (struct tcp_segment){
			.seq = PICK(0, RCV, 0xffffffff),
			.tsval = PICK(5, 0xfffffffa),
			.tsecr = PICK(0, 7),
			.window = (uint16_t)PICK(0, 1, 1000, 64240, 65535),
			.payload_length = (uint16_t)PICK(0, 6),
			.payload_offset = 40,
			.mss = (uint16_t)random_next(state),
			.flags = (uint8_t)(TCP_SYN |
					   PICK(0, 0, TCP_ECE | TCP_CWR, TCP_ECE, TCP_PSH)),
			.options = (uint8_t)random_below(state, 64),
			.window_scale = (uint8_t)PICK(0, 7, 14, 15, 255),
	};
}

static void
lanes_begin(struct lanes *lanes, uint64_t *state)
{
	memset(lanes, 0, sizeof(*lanes));
	lanes->syns.n = 1 + random_below(state, COLUMNS);
	for (unsigned int i = 0; i < COLUMNS; i++) {
		lanes->segment[i] = random_syn(state);
		lanes->syns.conn[i] = &lanes->conn[i];
		lanes->syns.segment[i] = &lanes->segment[i];
		lanes->syns.isn[i] = PICK(0, 1000, 0xffffffff);
		lanes->syns.ts_clock[i] = (uint32_t)random_next(state);
	}
}

static void
check_conn(const struct lanes *lanes, unsigned int i, const struct tcp_env *common)
{
	struct tcp_conn conn = {.state = TCP_LISTEN};
	struct tcp_env env = *common;
	struct tcp_action action;

	env.isn = lanes->syns.isn[i];
	env.ts_clock = lanes->syns.ts_clock[i];
	assert_true(tcp_expect_syn(&conn, &lanes->segment[i], &env, &action));
	assert_memory_equal(&lanes->conn[i], &conn, sizeof(conn));
	assert_int_equal(lanes->syns.flags[i], conn.flags);
}

/* Every lane is answered once, with others that have its flags. */
static void
check_answers(const struct lanes *lanes)
{
	uint16_t left = (uint16_t)((1u << lanes->syns.n) - 1);

	while (left != 0) {
		struct build_columns answers;
		const uint16_t alike = step_syns_answer(&lanes->syns, left, &answers);
		unsigned int k = 0;

		assert_true((alike & left) == alike && (alike & left & -left) != 0);
		for (uint32_t lanes_left = alike; lanes_left != 0; lanes_left &= lanes_left - 1) {
			const struct tcp_conn *conn = &lanes->conn[rte_bsf32(lanes_left)];

			assert_int_equal(conn->flags, lanes->conn[rte_bsf32(left)].flags);
			assert_int_equal(answers.seq[k], conn->snd_una);
			assert_int_equal(answers.ack[k], conn->rcv_nxt);
			assert_int_equal(answers.tsval[k],
					lanes->syns.ts_clock[rte_bsf32(lanes_left)]);
			assert_int_equal(answers.tsecr[k], conn->ts_recent);
			k++;
		}
		left &= (uint16_t)~alike;
	}
}

static void
many_syns_at_once_make_what_each_makes(void **unused)
{
	static const struct tcp_conn untouched;
	uint64_t seed = columns_begin(SEED), *state = &seed;
	struct lanes lanes;

	(void)unused;
	for (unsigned int round = 0; round < ROUNDS; round++) {
		struct tcp_config config = random_tcp_config;
		const struct tcp_env env = {
				.config = &config,
				.rcv_wnd = 65535,
				.path_mss = (uint16_t)PICK(40, 1440, 1460, 8960),
				.default_mss = (uint16_t)PICK(536, 1220),
		};

		config.timestamps = random_below(state, 4) != 0;
		config.sack = random_below(state, 4) != 0;
		config.window_scaling = random_below(state, 4) != 0;
		config.ecn = random_below(state, 2) != 0;
		lanes_begin(&lanes, state);
		step_syns_take(&lanes.syns, &env);
		for (unsigned int i = 0; i < lanes.syns.n; i++)
			check_conn(&lanes, i, &env);
		for (unsigned int i = lanes.syns.n; i < COLUMNS; i++)
			assert_memory_equal(&lanes.conn[i], &untouched, sizeof(untouched));
		check_answers(&lanes);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(many_syns_at_once_make_what_each_makes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
