/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The load generator on the bench: against the engine, ring to ring, and against a peer played by
 * hand, segment by segment, on a clock that is moved by hand.
 *
 * With a number as argument it is a benchmark instead: so many requests, for callgrind.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_eth_ring.h>

#include "engine/eal.h"
#include "engine/launch.h"
#include "engine/load.h"
#include "settings/settings_address.h"

#include "bench.h"

#define REQUEST_LENGTH ((unsigned int)strlen(bench_request_close))

static const struct {
	enum load_exchange exchange;
	const char *target;
	uint16_t port;
	bool alone;
	unsigned int packets; /* Of one connection, both ways. */
} exchanges[] = {
		{LOAD_OPEN_CLOSE, "10.9.0.2", 9, true, 6},
		{LOAD_OPEN_CLOSE, "fd00:9::2", 9, false, 5},
		/* The first to close is the server. */
		{LOAD_OPEN_CLOSE, "10.9.0.2", 81, false, 5},
		{LOAD_REQUEST, "10.9.0.2", 80, false, 6},
		{LOAD_REQUEST, "fd00:9::2", 80, true, 7},
		{LOAD_KEEPALIVE, "10.9.0.2", 80, false, 15},
		{LOAD_HANDSHAKE, "10.9.0.2", 9, false, 4},
};

static void
both_sides_count_the_same(void **state)
{
	(void)state;
	for (unsigned int both = 0; both < 2 * RTE_DIM(exchanges); both++) {
		const unsigned int i = both / 2;
		struct load_plan plan = bench_plan(
				exchanges[i].exchange, exchanges[i].target, exchanges[i].port);

		plan.count = 1000;
		plan.third_ack_alone = exchanges[i].alone;
		plan.timestamps = both % 2 != 0;
		bench_begin(&plan);
		bench_play(20000);
		assert_true(load_is_done(&bench.generator));
		assert_int_equal(bench_all_failed(), 0);
		assert_int_equal(bench_count(FIGURE_started), 1000);
		assert_int_equal(bench_count(FIGURE_opened), 1000);
		assert_int_equal(bench_count(FIGURE_completed), 1000);
		assert_int_equal(bench_count(FIGURE_requests), 1000 * plan.requests);
		assert_int_equal(bench_count(FIGURE_packets_sent) +
						 bench_count(FIGURE_packets_received),
				1000 * exchanges[i].packets);
		assert_int_equal(rig_counter(&bench.rig, COUNTER_opened), 1000);
		assert_int_equal(rig_counter(&bench.rig, COUNTER_requests), 1000 * plan.requests);
		assert_int_equal(rig_connections(&bench.rig), 0);
		assert_int_equal(conn_table_count(bench.generator.worker[0]->table), 0);
		bench_end();
	}
}

static void
large_answers_are_taken_whole(void **state)
{
	struct load_plan plan = bench_plan(LOAD_REQUEST, "10.9.0.2", 8080);

	(void)state;
	plan.count = 8;
	plan.concurrency = 4;
	bench_begin(&plan);
	bench_play(20000);
	assert_int_equal(bench_all_failed(), 0);
	assert_int_equal(bench_count(FIGURE_completed), 8);
	assert_int_equal(bench_count(FIGURE_requests), 8);
	assert_in_range(bench_count(FIGURE_bytes_received), 8 << 20, (8 << 20) + 8 * 256);
	bench_end();
}

static void
workers_share_the_work(void **state)
{
	static const enum load_exchange shared[] = {
			LOAD_REQUEST, LOAD_OPEN_CLOSE, LOAD_IDLE, LOAD_SYN};

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(shared); i++) {
		struct load_plan plan = bench_plan(shared[i], "10.9.0.2", 80);
		const bool idle = shared[i] == LOAD_IDLE;

		bench.workers = 3;
		plan.concurrency = idle ? 1000 : 64;
		plan.count = idle ? 0 : 1000;
		plan.duration_us = idle ? 15000 : 0;
		plan.drain_us = 1000000;
		bench_begin(&plan);
		bench_play(25000);
		assert_true(load_is_done(&bench.generator));
		assert_int_equal(bench_all_failed(), 0);
		assert_int_equal(bench_count(FIGURE_started), 1000);
		assert_int_equal(bench_count(FIGURE_opened), shared[i] == LOAD_SYN ? 0 : 1000);
		for (unsigned int w = 0; w < 3; w++) {
			const struct figures *own = bench.generator.worker[w]->load->phases;
			const uint64_t started = own[LOAD_RAMP_UP].count[FIGURE_started] +
						 own[LOAD_SUSTAIN].count[FIGURE_started];

			assert_in_range(started, 333, 334);
		}
		/* What one took from the port for another is no packet more. */
		assert_int_equal(bench_count(FIGURE_packets_received),
				rig_counter(&bench.rig, COUNTER_tx));
		assert_int_equal(bench_count(FIGURE_packets_sent),
				rig_counter(&bench.rig, COUNTER_rx));
		bench_end();
	}
}

/* The one that has the tuple begins all, and says what it has none for. */
static void
a_worker_without_a_tuple_begins_nothing(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct load_plan plan =
				bench_plan(LOAD_REQUEST, i == 0 ? "10.9.0.2" : "10.9.0.3", 80);

		bench.workers = 2;
		plan.first_port = plan.last_port;
		plan.concurrency = 2;
		plan.count = 4;
		plan.rate = i == 0 ? 0 : 10000;
		bench_begin(&plan);
		bench_play(30000);
		/* Nobody answers the second. */
		assert_int_equal(load_is_done(&bench.generator), i == 0);
		assert_int_equal(bench_count(FIGURE_completed), i == 0 ? 4 : 0);
		assert_int_equal(bench_failed(FAILURE_no_tuple), i == 0 ? 0 : 3);
		bench_end();
	}
}

static void
no_more_than_the_concurrency_are_open(void **state)
{
	struct load_plan plan = bench_plan(LOAD_REQUEST, "10.9.0.2", 80);

	(void)state;
	plan.concurrency = 7;
	plan.count = 500;
	bench_begin(&plan);
	for (unsigned int i = 0; i < 3000; i++) {
		bench_play(1);
		assert_true(bench_load()->active <= 7);
		assert_true(rig_connections(&bench.rig) <= 7);
	}
	assert_int_equal(bench_count(FIGURE_completed), 500);
	bench_end();
}

/* More than have a place of their own. */
static void
all_tuples_can_be_open_at_once(void **state)
{
	struct load_plan plan = bench_plan(LOAD_REQUEST, "10.9.0.2", 80);

	(void)state;
	plan.concurrency = 600;
	plan.first_port = 20001;
	plan.last_port = 20600;
	plan.count = 600;
	bench_begin(&plan);
	bench_wait_ms(40);
	assert_int_equal(bench_load()->active, 600);
	assert_int_equal(conn_table_count(bench.generator.worker[0]->table), 600);
	bench_play(20000);
	assert_true(load_is_done(&bench.generator));
	assert_int_equal(bench_all_failed(), 0);
	assert_int_equal(bench_count(FIGURE_completed), 600);
	assert_int_equal(bench_count(FIGURE_syn_retransmits), 0);
	assert_int_equal(conn_table_count(bench.generator.worker[0]->table), 0);
	bench_end();
}

static void
it_stops_at_the_end_of_its_duration(void **state)
{
	struct load_plan plan = bench_plan(LOAD_OPEN_CLOSE, "10.9.0.2", 9);
	uint64_t before;

	(void)state;
	plan.duration_us = 20000;
	plan.drain_us = 1000000;
	bench_begin(&plan);
	bench_play(19990);
	before = bench_count(FIGURE_started);
	assert_false(load_is_done(&bench.generator));
	bench_play(20);
	assert_true(bench_count(FIGURE_started) > before);
	before = bench_count(FIGURE_started);
	bench_play(1000);
	assert_int_equal(bench_count(FIGURE_started), before);
	assert_int_equal(bench_count(FIGURE_completed), before);
	assert_true(load_is_done(&bench.generator));
	assert_int_equal(bench_load()->sustained_us, 20000);
	bench_end();
}

static void
ramps_rise_and_fall(void **state)
{
	struct load_plan plan = bench_plan(LOAD_OPEN_CLOSE, "10.9.0.2", 9);
	uint64_t begun[4];

	(void)state;
	plan.rate = 100000;
	plan.concurrency = 1000;
	plan.ramp_up_us = 100000;
	plan.duration_us = 100000;
	plan.ramp_down_us = 100000;
	bench_begin(&plan);
	for (unsigned int i = 0; i < 4; i++) {
		bench_play(100000);
		begun[i] = bench_count(FIGURE_started);
	}
	assert_in_range(begun[0], 4800, 5200);
	assert_in_range(begun[1] - begun[0], 9800, 10200);
	assert_in_range(begun[2] - begun[1], 4800, 5200);
	assert_int_equal(begun[3], begun[2]);
	assert_in_range(bench_load()->phases[LOAD_SUSTAIN].count[FIGURE_completed], 9800, 10200);
	bench_end();
}

static void
latency_counts_from_the_intended_start(void **state)
{
	struct load_plan plan = bench_plan(LOAD_OPEN_CLOSE, "10.9.0.2", 9);

	(void)state;
	plan.rate = 1000;
	plan.count = 100;
	bench_begin(&plan);
	bench_play(10);
	/* The generator itself stands still for 50 ms; fifty starts were due meanwhile. */
	bench_advance(50000);
	bench_play(100000);
	assert_int_equal(bench_count(FIGURE_completed), 100);
	assert_in_range(bench_load()->phases[LOAD_SUSTAIN].connect_us.max, 48000, 51000);
	/* Half of them were late, by 25 ms on average; the other half were not. */
	assert_in_range(histogram_percentile(&bench_load()->phases[LOAD_SUSTAIN].connect_us, 25), 1,
			10);
	assert_in_range(histogram_percentile(&bench_load()->phases[LOAD_SUSTAIN].connect_us, 75),
			22000, 28000);
	bench_end();
}

/* A peer of 100 ms each way and back: neither connecting nor what came before is in it. */
static void
the_first_byte_counts_from_when_its_request_could_be_sent(void **state)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	const unsigned int length = (unsigned int)strlen(bench_request);
	const struct histogram *first_byte_us;

	(void)state;
	for (unsigned int alone = 0; alone < 2; alone++) {
		struct load_plan plan = bench_plan(LOAD_KEEPALIVE, "10.9.0.2", 80);

		plan.count = 1;
		plan.requests = 3;
		plan.third_ack_alone = alone;
		bench_begin(&plan);
		bench.seq = 777;
		bench_wait_ms(1);
		bench_expect(TCP_SYN, 0);
		bench_wait_ms(100);
		bench_say(TCP_SYN | TCP_ACK, 1000, NULL);
		if (alone)
			bench_expect(TCP_ACK, 0);
		for (unsigned int i = 0; i < plan.requests; i++) {
			bench_expect(TCP_ACK | TCP_PSH, length);
			bench_wait_ms(100);
			bench_say(TCP_ACK, 1000, answer);
		}
		bench_expect(TCP_FIN | TCP_ACK, 0);
		first_byte_us = &bench_load()->phases[LOAD_SUSTAIN].first_byte_us;
		assert_int_equal(histogram_total(first_byte_us), 3);
		assert_in_range(histogram_percentile(first_byte_us, 1), 96000, 100000);
		assert_in_range(first_byte_us->max, 100000, 101000);
		bench_end();
	}
}

/* The second one's steps are predicted, the first one's answer is not. */
static void
a_single_requests_first_byte_counts_alike(void **state)
{
	struct load_plan plan = bench_plan(LOAD_REQUEST, "10.9.0.2", 80);
	const struct figures *figures;

	(void)state;
	plan.count = 2;
	plan.concurrency = 1;
	bench_begin(&plan);
	figures = &bench_load()->phases[LOAD_SUSTAIN];
	for (unsigned int i = 0; i < plan.count; i++) {
		bench.seq = 777;
		bench_wait_ms(1);
		bench_expect(TCP_SYN, 0);
		bench_wait_ms(100);
		bench_say(TCP_SYN | TCP_ACK, 1000, NULL);
		bench_expect(TCP_ACK | TCP_PSH, REQUEST_LENGTH);
		bench_wait_ms(100);
		bench_say(TCP_ACK | TCP_FIN, 1000,
				"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
		bench_expect(TCP_FIN | TCP_ACK, 0);
		bench_say(TCP_ACK, 1000, NULL);
	}
	assert_false(bench_hear());
	assert_int_equal(bench_count(FIGURE_completed), 2);
	assert_int_equal(histogram_total(&figures->first_byte_us), 2);
	assert_in_range(figures->first_byte_us.max, 100000, 101000);
	assert_in_range(figures->connect_us.max, 100000, 101000);
	bench_end();
}

static void
silence_is_retried_with_back_off(void **state)
{
	static const unsigned int pauses_ms[] = {1000, 2000, 4000};

	(void)state;
	bench_begin_one(LOAD_OPEN_CLOSE);
	for (unsigned int i = 0; i < RTE_DIM(pauses_ms); i++) {
		bench_wait_ms(pauses_ms[i] - 100);
		assert_false(bench_hear());
		bench_wait_ms(120);
		bench_expect(TCP_SYN, 0);
	}
	assert_int_equal(bench_count(FIGURE_syn_retransmits), 3);
	bench_wait_ms(8100);
	assert_false(bench_hear());
	assert_int_equal(bench_failed(FAILURE_no_syn_ack), 1);
	assert_int_equal(bench_all_failed(), 1);
	assert_true(load_is_done(&bench.generator));
	bench_end();
}

static void
a_reset_of_the_syn_is_a_refusal(void **state)
{
	(void)state;
	bench_begin_one(LOAD_OPEN_CLOSE);
	bench_say(TCP_RST | TCP_ACK, 0, NULL);
	assert_false(bench_hear());
	assert_int_equal(bench_failed(FAILURE_refused), 1);
	bench_end();
}

static void
a_reset_that_acknowledges_nothing_of_ours_is_none(void **state)
{
	(void)state;
	bench_begin_one(LOAD_OPEN_CLOSE);
	bench.ack += 5;
	bench_say(TCP_RST | TCP_ACK, 0, NULL);
	assert_false(bench_hear());
	assert_int_equal(bench_all_failed(), 0);
	bench_end();
}

static void
a_challenge_is_answered_by_a_reset_and_retried(void **state)
{
	uint32_t syn;

	(void)state;
	bench_begin_one(LOAD_OPEN_CLOSE);
	syn = bench.ack - 1;
	bench.ack = 0x12345678;
	bench_say(TCP_ACK, 1000, NULL);
	bench_expect(TCP_RST, 0);
	assert_int_equal(bench.heard.segment.seq, 0x12345678);
	assert_int_equal(bench_count(FIGURE_challenges), 1);
	/* Not after a second: at once. */
	bench_wait_ms(20);
	bench_expect(TCP_SYN, 0);
	assert_int_equal(bench.heard.segment.seq, syn);
	bench_say(TCP_SYN | TCP_ACK, 1000, NULL);
	bench_expect(TCP_FIN | TCP_ACK, 0);
	assert_int_equal(bench_count(FIGURE_opened), 1);
	bench_end();
}

static void
only_challenges_are_a_bad_acknowledgement(void **state)
{
	(void)state;
	bench_begin_one(LOAD_OPEN_CLOSE);
	for (unsigned int ms = 0; ms < 30000; ms++) {
		if (bench.heard.segment.flags == TCP_SYN) {
			bench.ack = 0x12345678;
			bench_say(TCP_SYN | TCP_ACK, 1000, NULL);
			bench_expect(TCP_RST, 0);
		}
		bench_wait_ms(1);
		bench_hear();
	}
	assert_int_equal(bench_failed(FAILURE_bad_ack), 1);
	bench_end();
}

static void
a_closed_window_lets_nothing_out(void **state)
{
	(void)state;
	bench_begin_one(LOAD_REQUEST);
	bench_say(TCP_SYN | TCP_ACK, 0, NULL);
	bench_expect(TCP_ACK, 0);
	assert_false(bench_hear());
	assert_int_equal(bench_count(FIGURE_held_back), 1);
	bench_say(TCP_ACK, 1000, NULL);
	bench_expect(TCP_ACK | TCP_PSH, REQUEST_LENGTH);
	bench_say(TCP_ACK | TCP_FIN, 1000, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	bench_expect(TCP_FIN | TCP_ACK, 0);
	bench_say(TCP_ACK, 1000, NULL);
	assert_false(bench_hear());
	assert_int_equal(bench_count(FIGURE_completed), 1);
	assert_int_equal(bench_count(FIGURE_requests), 1);
	bench_end();
}

static void
a_small_window_is_filled_and_no_more(void **state)
{
	(void)state;
	bench_begin_one(LOAD_REQUEST);
	bench_say(TCP_SYN | TCP_ACK, 20, NULL);
	bench_expect(TCP_ACK, 20);
	assert_memory_equal(bench.heard.bytes + 54, bench_request_close, 20);
	assert_false(bench_hear());
	bench_say(TCP_ACK, 1000, NULL);
	bench_expect(TCP_ACK | TCP_PSH, REQUEST_LENGTH - 20);
	assert_memory_equal(bench.heard.bytes + 54, bench_request_close + 20, REQUEST_LENGTH - 20);
	bench_end();
}

static void
a_lost_request_is_sent_again(void **state)
{
	uint32_t seq;

	(void)state;
	bench_begin_one(LOAD_REQUEST);
	bench_say(TCP_SYN | TCP_ACK, 1000, NULL);
	bench_expect(TCP_ACK | TCP_PSH, REQUEST_LENGTH);
	seq = bench.heard.segment.seq;
	bench_wait_ms(300);
	bench_expect(TCP_ACK | TCP_PSH, REQUEST_LENGTH);
	assert_int_equal(bench.heard.segment.seq, seq);
	assert_memory_equal(bench.heard.bytes + 54, bench_request_close, REQUEST_LENGTH);
	assert_int_equal(bench_count(FIGURE_retransmits), 1);
	bench_wait_ms(60000);
	assert_int_equal(bench_failed(FAILURE_timeout_established), 1);
	bench_end();
}

static void
wrong_bytes_are_reset(void **state)
{
	(void)state;
	bench_begin_one(LOAD_REQUEST);
	bench_say(TCP_SYN | TCP_ACK, 1000, NULL);
	bench_expect(TCP_ACK | TCP_PSH, REQUEST_LENGTH);
	bench_say(TCP_ACK, 1000, "HTTP/1.1 500 Oops\r\n\r\n");
	bench_expect(TCP_RST | TCP_ACK, 0);
	assert_int_equal(bench_failed(FAILURE_wrong_reply), 1);
	assert_int_equal(bench_all_failed(), 1);
	assert_int_equal(bench_count(FIGURE_completed), 0);
	bench_end();
}

static void
an_answer_that_is_cut_off_is_closed_early(void **state)
{
	(void)state;
	bench_begin_one(LOAD_REQUEST);
	bench_say(TCP_SYN | TCP_ACK, 1000, NULL);
	bench_expect(TCP_ACK | TCP_PSH, REQUEST_LENGTH);
	bench_say(TCP_ACK | TCP_FIN, 1000, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok");
	bench_expect(TCP_FIN | TCP_ACK, 0);
	bench_say(TCP_ACK, 1000, NULL);
	assert_false(bench_hear());
	assert_int_equal(bench_failed(FAILURE_closed_early), 1);
	assert_int_equal(bench_all_failed(), 1);
	assert_int_equal(bench_count(FIGURE_completed), 0);
	bench_end();
}

static void
an_answer_in_pieces_is_put_together(void **state)
{
	(void)state;
	bench_begin_one(LOAD_REQUEST);
	bench_say(TCP_SYN | TCP_ACK, 1000, NULL);
	bench_expect(TCP_ACK | TCP_PSH, REQUEST_LENGTH);
	bench_say(TCP_ACK, 1000, "HTTP/1.1 200 OK\r\nContent-Le");
	bench_expect(TCP_ACK, 0);
	bench_say(TCP_ACK, 1000, "ngth: 12\r\n\r\nhello ");
	bench_expect(TCP_ACK, 0);
	bench_say(TCP_ACK | TCP_FIN, 1000, "world!");
	bench_expect(TCP_FIN | TCP_ACK, 0);
	bench_say(TCP_ACK, 1000, NULL);
	assert_false(bench_hear());
	assert_int_equal(bench_count(FIGURE_completed), 1);
	assert_int_equal(bench_all_failed(), 0);
	bench_end();
}

/* RFC 9110 15.2: also when it comes alone, and what follows begins like the answers before. */
static void
an_interim_answer_is_skipped(void **state)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	struct load_plan plan = bench_plan(LOAD_KEEPALIVE, "10.9.0.2", 80);

	(void)state;
	plan.count = 1;
	plan.requests = 2;
	bench_begin(&plan);
	bench.seq = 777;
	bench_wait_ms(1);
	bench_expect(TCP_SYN, 0);
	bench_say(TCP_SYN | TCP_ACK, 1000, NULL);
	bench_expect(TCP_ACK | TCP_PSH, (unsigned int)strlen(bench_request));
	bench_say(TCP_ACK, 1000, answer);
	bench_expect(TCP_ACK | TCP_PSH, (unsigned int)strlen(bench_request));
	bench_say(TCP_ACK, 1000, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
	bench_expect(TCP_ACK, 0);
	bench_say(TCP_ACK, 1000, answer);
	bench_expect(TCP_FIN | TCP_ACK, 0);
	bench_say(TCP_FIN | TCP_ACK, 1000, NULL);
	bench_expect(TCP_ACK, 0);
	assert_int_equal(bench_count(FIGURE_requests), 2);
	assert_int_equal(bench_count(FIGURE_completed), 1);
	assert_int_equal(bench_all_failed(), 0);
	bench_end();
}

static void
a_reset_in_the_middle_is_one(void **state)
{
	(void)state;
	bench_begin_one(LOAD_REQUEST);
	bench_say(TCP_SYN | TCP_ACK, 1000, NULL);
	bench_expect(TCP_ACK | TCP_PSH, REQUEST_LENGTH);
	bench_say(TCP_RST | TCP_ACK, 0, NULL);
	assert_false(bench_hear());
	assert_int_equal(bench_failed(FAILURE_reset_established), 1);
	bench_end();
}

static void
a_peer_that_never_closes_is_timed_out(void **state)
{
	(void)state;
	bench_begin_one(LOAD_OPEN_CLOSE);
	bench_say(TCP_SYN | TCP_ACK, 1000, NULL);
	bench_expect(TCP_FIN | TCP_ACK, 0);
	bench_say(TCP_ACK, 1000, NULL);
	bench_wait_ms(10100);
	assert_int_equal(bench_failed(FAILURE_timeout_fin_wait_2), 1);
	assert_int_equal(bench_all_failed(), 1);
	bench_end();
}

/* It does not take Connection: close for an order.  That is not the fault of its answer. */
static void
a_peer_that_answers_and_does_not_close_is_told_apart(void **state)
{
	(void)state;
	for (unsigned int whole = 0; whole < 2; whole++) {
		bench_begin_one(LOAD_REQUEST);
		bench_say(TCP_SYN | TCP_ACK, 1000, NULL);
		bench_expect(TCP_ACK | TCP_PSH, REQUEST_LENGTH);
		bench_say(TCP_ACK, 1000,
				whole ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
				      : "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no");
		bench_expect(TCP_ACK, 0);
		bench_wait_ms(10100);
		assert_int_equal(bench_count(FIGURE_requests), whole);
		assert_int_equal(bench_failed(whole ? FAILURE_timeout_answered
						    : FAILURE_timeout_established),
				1);
		assert_int_equal(bench_all_failed(), 1);
		bench_end();
	}
}

static void
what_is_open_at_the_end_is_reset_and_no_failure(void **state)
{
	struct load_plan plan = bench_plan(LOAD_REQUEST, "10.9.0.2", 80);

	(void)state;
	plan.concurrency = 1;
	plan.duration_us = 10000;
	plan.drain_us = 5000;
	bench_begin(&plan);
	bench.seq = 777;
	bench_wait_ms(1);
	bench_expect(TCP_SYN, 0);
	bench_say(TCP_SYN | TCP_ACK, 1000, NULL);
	bench_expect(TCP_ACK | TCP_PSH, REQUEST_LENGTH);
	bench_wait_ms(20);
	bench_expect(TCP_RST | TCP_ACK, 0);
	assert_true(load_is_done(&bench.generator));
	assert_int_equal(bench_all_failed(), 0);
	assert_int_equal(bench_count(FIGURE_completed), 0);
	bench_end();
}

static void
syns_are_answered_and_forged_segments_reset(void **state)
{
	static const enum load_exchange floods[] = {LOAD_SYN, LOAD_FORGED_ACK, LOAD_RST_FLOOD};

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(floods); i++) {
		struct load_plan plan = bench_plan(floods[i], "10.9.0.2", 9);

		plan.count = 2000;
		plan.random_order = i == 1;
		bench_begin(&plan);
		bench_play(200);
		assert_true(load_is_done(&bench.generator));
		assert_int_equal(bench_count(FIGURE_started), 2000);
		assert_int_equal(bench_count(FIGURE_packets_sent), 2000);
		assert_int_equal(bench_count(FIGURE_syn_acks), i == 0 ? 2000 : 0);
		assert_int_equal(bench_count(FIGURE_bad_syn_acks), 0);
		assert_int_equal(bench_count(FIGURE_resets), i == 1 ? 2000 : 0);
		bench_end();
	}
}

static void
idle_connections_are_held_and_let_go(void **state)
{
	struct load_plan plan = bench_plan(LOAD_IDLE, "10.9.0.2", 9);

	(void)state;
	plan.concurrency = 2000;
	plan.duration_us = 50000;
	plan.drain_us = 1000000;
	bench_begin(&plan);
	bench_play(40000);
	assert_int_equal(bench_count(FIGURE_opened), 2000);
	assert_int_equal(rig_connections(&bench.rig), 2000);
	assert_int_equal(bench_load()->active, 2000);
	bench_play(20000);
	assert_int_equal(rig_connections(&bench.rig), 0);
	assert_int_equal(rig_counter(&bench.rig, COUNTER_reset), 2000);
	assert_int_equal(bench_all_failed() + bench_count(FIGURE_lost), 0);
	assert_true(load_is_done(&bench.generator));
	bench_end();
}

static void
keep_alive_probes_are_answered_and_acknowledgements_are_not(void **state)
{
	struct load_plan plan = bench_plan(LOAD_IDLE, "10.9.0.2", 9);

	(void)state;
	plan.concurrency = 1;
	plan.duration_us = 100000000;
	bench_begin(&plan);
	bench.seq = 777;
	bench_wait_ms(1);
	bench_expect(TCP_SYN, 0);
	bench_say(TCP_SYN | TCP_ACK, 1000, NULL);
	bench_expect(TCP_ACK, 0);
	/* An acknowledgement, and a probe: one sequence number below it. */
	bench_say(TCP_ACK, 1000, NULL);
	assert_false(bench_hear());
	bench.seq--;
	bench_say(TCP_ACK, 1000, NULL);
	bench_expect(TCP_ACK, 0);
	assert_int_equal(bench.heard.segment.ack, 778);
	assert_int_equal(bench_count(FIGURE_keepalives), 1);
	/* The SYN,ACK again: our acknowledgement was lost. */
	bench.seq = 777;
	bench_say(TCP_SYN | TCP_ACK, 1000, NULL);
	bench_expect(TCP_ACK, 0);
	assert_int_equal(bench_count(FIGURE_opened), 1);
	/* It ends, and that is a loss. */
	bench_say(TCP_FIN | TCP_ACK, 1000, NULL);
	bench_expect(TCP_FIN | TCP_ACK, 0);
	assert_int_equal(bench.heard.segment.ack, 779);
	assert_int_equal(bench_count(FIGURE_lost), 1);
	bench_end();
}

static void
unanswered_idle_syns_are_repeated_and_given_up(void **state)
{
	struct load_plan plan = bench_plan(LOAD_IDLE, "10.9.0.2", 9);

	(void)state;
	plan.concurrency = 3;
	plan.retries = 1;
	plan.duration_us = 100000000;
	bench_begin(&plan);
	bench_wait_ms(1);
	for (unsigned int i = 0; i < 3; i++)
		bench_expect(TCP_SYN, 0);
	bench_say(TCP_SYN | TCP_ACK, 1000, NULL);
	bench_expect(TCP_ACK, 0);
	bench_wait_ms(1100);
	for (unsigned int i = 0; i < 2; i++)
		bench_expect(TCP_SYN, 0);
	assert_int_equal(bench_count(FIGURE_syn_retransmits), 2);
	bench_wait_ms(3000);
	assert_false(bench_hear());
	assert_int_equal(bench_failed(FAILURE_no_syn_ack), 2);
	bench_end();
}

/* So many requests, as fast as it goes. */
static void
measure(unsigned long requests)
{
	struct load_plan plan = bench_plan(LOAD_REQUEST, "10.9.0.2", 80);

	plan.count = requests;
	plan.concurrency = 256;
	bench_begin(&plan);
	while (!load_is_done(&bench.generator))
		bench_play(1);
	printf("%llu completed\n", (unsigned long long)bench_count(FIGURE_completed));
	bench_end();
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			BENCH_TEST(both_sides_count_the_same),
			BENCH_TEST(large_answers_are_taken_whole),
			BENCH_TEST(workers_share_the_work),
			BENCH_TEST(a_worker_without_a_tuple_begins_nothing),
			BENCH_TEST(no_more_than_the_concurrency_are_open),
			BENCH_TEST(all_tuples_can_be_open_at_once),
			BENCH_TEST(it_stops_at_the_end_of_its_duration),
			BENCH_TEST(ramps_rise_and_fall),
			BENCH_TEST(latency_counts_from_the_intended_start),
			BENCH_TEST(the_first_byte_counts_from_when_its_request_could_be_sent),
			BENCH_TEST(a_single_requests_first_byte_counts_alike),
			BENCH_TEST(silence_is_retried_with_back_off),
			BENCH_TEST(a_reset_of_the_syn_is_a_refusal),
			BENCH_TEST(a_reset_that_acknowledges_nothing_of_ours_is_none),
			BENCH_TEST(a_challenge_is_answered_by_a_reset_and_retried),
			BENCH_TEST(only_challenges_are_a_bad_acknowledgement),
			BENCH_TEST(a_closed_window_lets_nothing_out),
			BENCH_TEST(a_small_window_is_filled_and_no_more),
			BENCH_TEST(a_lost_request_is_sent_again),
			BENCH_TEST(wrong_bytes_are_reset),
			BENCH_TEST(an_answer_that_is_cut_off_is_closed_early),
			BENCH_TEST(an_answer_in_pieces_is_put_together),
			BENCH_TEST(an_interim_answer_is_skipped),
			BENCH_TEST(a_reset_in_the_middle_is_one),
			BENCH_TEST(a_peer_that_never_closes_is_timed_out),
			BENCH_TEST(a_peer_that_answers_and_does_not_close_is_told_apart),
			BENCH_TEST(what_is_open_at_the_end_is_reset_and_no_failure),
			BENCH_TEST(syns_are_answered_and_forged_segments_reset),
			BENCH_TEST(idle_connections_are_held_and_let_go),
			cmocka_unit_test(
					keep_alive_probes_are_answered_and_acknowledgements_are_not),
			BENCH_TEST(unanswered_idle_syns_are_repeated_and_given_up),
	};

	rig_start_dpdk(argv[0]);
	if (argc > 1) {
		measure(strtoul(argv[1], NULL, 10));
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
