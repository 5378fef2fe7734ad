/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The generator's connections at their ends: which tuples they take, what is left of them, and what
 * their frames look like.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bench.h"

static void
the_last_acknowledgement_is_repeated_in_time_wait(void **state)
{
	(void)state;
	bench_begin_one(LOAD_OPEN_CLOSE);
	bench_say(TCP_SYN | TCP_ACK, 1000, NULL);
	bench_expect(TCP_FIN | TCP_ACK, 0);
	bench_say(TCP_FIN | TCP_ACK, 1000, NULL);
	bench_expect(TCP_ACK, 0);
	assert_int_equal(bench_count(FIGURE_completed), 1);
	for (unsigned int i = 0; i < 2; i++) {
		bench.seq--;
		bench_say(TCP_FIN | TCP_ACK, 1000, NULL);
		bench_expect(TCP_ACK, 0);
		assert_int_equal(bench.heard.segment.ack, bench.seq);
		assert_int_equal(bench.heard.segment.seq, bench.ack);
		bench_advance(59000000);
	}
	/* Its number says how old it is. */
	bench_advance(200000000);
	bench_say(TCP_FIN | TCP_ACK, 1000, NULL);
	bench_expect(TCP_RST, 0);
	assert_int_equal(bench_count(FIGURE_completed), 1);
	bench_end();
}

static void
a_fin_of_no_connection_is_reset(void **state)
{
	(void)state;
	bench_begin_one(LOAD_OPEN_CLOSE);
	bench_say(TCP_SYN | TCP_ACK, 1000, NULL);
	bench_expect(TCP_FIN | TCP_ACK, 0);
	bench_say(TCP_RST | TCP_ACK, 1000, NULL);
	assert_false(bench_hear());
	/* It acknowledges more than was ever said. */
	bench.ack += 1000000;
	bench_say(TCP_FIN | TCP_ACK, 1000, NULL);
	bench_expect(TCP_RST, 0);
	assert_int_equal(bench_failed(FAILURE_reset_closing), 1);
	bench_end();
}

/* Of the machine, and of what is predicted. */
static void
a_reset_behind_the_last_fin_changes_nothing(void **state)
{
	(void)state;
	for (unsigned int timestamps = 0; timestamps < 2; timestamps++) {
		struct load_plan plan = bench_plan(LOAD_OPEN_CLOSE, "10.9.0.2", 80);

		plan.count = 1;
		plan.timestamps = timestamps;
		bench_begin(&plan);
		bench.seq = 777;
		bench_wait_ms(1);
		bench_expect(TCP_SYN, 0);
		bench_say(TCP_SYN | TCP_ACK, 1000, NULL);
		bench_expect(TCP_FIN | TCP_ACK, 0);
		bench_say(TCP_FIN | TCP_ACK, 1000, NULL);
		bench_say(TCP_RST | TCP_ACK, 1000, NULL);
		bench_expect(TCP_ACK, 0);
		assert_int_equal(bench_count(FIGURE_completed), 1);
		assert_int_equal(bench_all_failed(), 0);
		assert_int_equal(bench_load()->active, 0);
		assert_int_equal(conn_table_count(bench.generator.worker[0]->table), 0);
		bench_end();
	}
}

/* RFC 6298: a path of 300 ms has an RTO of 900. */
static void
the_handshakes_round_trip_sets_the_timeout(void **state)
{
	(void)state;
	bench_begin_one(LOAD_OPEN_CLOSE);
	bench_wait_ms(300);
	bench_say(TCP_SYN | TCP_ACK, 1000, NULL);
	bench_expect(TCP_FIN | TCP_ACK, 0);
	bench_wait_ms(880);
	assert_false(bench_hear());
	bench_wait_ms(40);
	bench_expect(TCP_FIN | TCP_ACK, 0);
	assert_int_equal(bench_count(FIGURE_retransmits), 1);
	bench_end();
}

static void
frames_bear_the_ports_vlan(void **state)
{
	(void)state;
	bench.vlan = "    vlan: 5\n";
	bench_begin_one(LOAD_OPEN_CLOSE);
	assert_int_equal(bench.heard.frame.flags & FRAME_TAGGED, FRAME_TAGGED);
	assert_int_equal(bench.heard.frame.vlan, 5);
	bench.heard.frame.flags = 0;
	bench_say(TCP_SYN | TCP_ACK, 1000, NULL);
	assert_false(bench_hear());
	bench.heard.frame.flags = FRAME_TAGGED;
	bench.seq = 777;
	bench_say(TCP_SYN | TCP_ACK, 1000, NULL);
	bench_expect(TCP_FIN | TCP_ACK, 0);
	assert_int_equal(bench.heard.frame.vlan, 5);
	bench_say(TCP_FIN | TCP_ACK, 1000, NULL);
	bench_expect(TCP_ACK, 0);
	assert_int_equal(bench.heard.frame.vlan, 5);
	assert_int_equal(bench_count(FIGURE_completed), 1);
	bench_end();
}

/* In turn or at random: a tuple that a burst took already is not taken again. */
static void
a_tuple_is_taken_once_in_a_burst(void **state)
{
	(void)state;
	for (unsigned int random = 0; random < 2; random++) {
		struct load_plan plan = bench_plan(LOAD_OPEN_CLOSE, "10.9.0.2", 9);

		plan.random_order = random;
		plan.last_port = plan.first_port + 9;
		plan.rate = 1000000;
		plan.concurrency = 32;
		plan.count = 32;
		bench_begin(&plan);
		bench_wait_ms(1);
		assert_int_equal(bench_load()->active,
				conn_table_count(bench.generator.worker[0]->table));
		assert_in_range(bench_load()->active, 5, 10);
		assert_int_equal(bench_failed(FAILURE_no_tuple), 32 - bench_load()->active);
		bench_end();
	}
}

/* In a closed loop nothing is due until one is free. */
static void
a_closed_loop_waits_for_a_tuple(void **state)
{
	(void)state;
	for (unsigned int random = 0; random < 2; random++) {
		struct load_plan plan = bench_plan(LOAD_OPEN_CLOSE, "10.9.0.2", 9);

		plan.random_order = random;
		plan.last_port = plan.first_port + 9;
		plan.concurrency = 32;
		plan.count = 100;
		bench_begin(&plan);
		bench_wait_ms(20);
		assert_int_equal(bench_load()->active, 10);
		assert_int_equal(bench_count(FIGURE_started), 10);
		bench_play(20000);
		assert_true(load_is_done(&bench.generator));
		assert_int_equal(bench_count(FIGURE_started), 100);
		assert_int_equal(bench_count(FIGURE_completed), 100);
		assert_int_equal(bench_all_failed(), 0);
		bench_end();
	}
}

/* Also what was begun last, and had to wait for room. */
static void
a_flood_that_meets_a_full_device_ends_when_all_is_sent(void **state)
{
	static const enum load_exchange floods[] = {LOAD_SYN, LOAD_FORGED_ACK, LOAD_RST_FLOOD};

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(floods); i++) {
		struct load_plan plan = bench_plan(floods[i], "10.9.0.2", 80);
		unsigned int heard = 0;

		plan.count = 5003;
		bench_begin(&plan);
		bench_wait_ms(100);
		assert_false(load_is_done(&bench.generator));
		while (bench_hear())
			heard++;
		bench_wait_ms(2);
		assert_true(load_is_done(&bench.generator));
		assert_int_equal(heard, 5003);
		assert_int_equal(bench_count(FIGURE_started), 5003);
		bench_end();
	}
}

/* The run ends before the SYN is given up: what has had no answer to its repetition has failed. */
static void
an_unanswered_syn_is_a_failure_at_the_end_of_the_run(void **state)
{
	(void)state;
	for (unsigned int repeats = 0; repeats < 2; repeats++) {
		struct load_plan plan = bench_plan(LOAD_OPEN_CLOSE, "10.9.0.2", 80);

		plan.concurrency = 10;
		plan.duration_us = 20000;
		plan.drain_us = repeats ? 1500000 : 500000;
		bench_begin(&plan);
		bench_wait_ms(repeats ? 1600 : 600);
		assert_true(load_is_done(&bench.generator));
		assert_int_equal(bench_count(FIGURE_started), 10);
		assert_int_equal(bench_failed(FAILURE_no_syn_ack), repeats ? 10 : 0);
		assert_int_equal(bench_all_failed(), repeats ? 10 : 0);
		bench_end();
	}
}

/* All starts of --count are made: a connection that stays open is measured until --duration ends.
 */
static void
measured_time_goes_on_while_connections_are_open(void **state)
{
	(void)state;
	for (unsigned int answered = 0; answered < 2; answered++) {
		struct load_plan plan = bench_plan(LOAD_OPEN_CLOSE, "10.9.0.2", 80);

		plan.count = 1;
		plan.duration_us = 50000;
		bench_begin(&plan);
		bench.seq = 777;
		bench_wait_ms(10);
		bench_expect(TCP_SYN, 0);
		bench_say(TCP_SYN | TCP_ACK, 1000, NULL);
		bench_expect(TCP_FIN | TCP_ACK, 0);
		if (answered)
			bench_say(TCP_FIN | TCP_ACK, 1000, NULL);
		bench_wait_ms(60);
		assert_int_equal(bench_count(FIGURE_completed), answered);
		if (answered)
			assert_in_range(bench_load()->sustained_us, 10000, 15000);
		else
			assert_in_range(bench_load()->sustained_us, 50000, 52000);
		bench_end();
	}
}

/* Nobody answers: an open loop begins no more than the concurrency, and says what it did not. */
static void
starts_that_were_due_and_not_made_are_counted(void **state)
{
	static const struct {
		uint64_t ramp_up_ms, ramp_down_ms, count;
		uint32_t concurrency;
		unsigned int least, most;
	} cases[] = {
			{0, 0, 0, 5, 93, 95},
			{100, 0, 0, 5, 143, 148}, /* A ramp has half of its starts. */
			{0, 100, 0, 5, 93, 95},   /* Those due in it are not measured. */
			{0, 0, 20, 5, 15, 15},
			{0, 0, 0, 1000, 0, 0},
	};

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(cases); i++) {
		struct load_plan plan = bench_plan(LOAD_OPEN_CLOSE, "10.9.0.2", 80);

		plan.rate = 1000.0;
		plan.concurrency = cases[i].concurrency;
		plan.count = cases[i].count;
		plan.ramp_up_us = cases[i].ramp_up_ms * 1000;
		plan.duration_us = 100000;
		plan.ramp_down_us = cases[i].ramp_down_ms * 1000;
		bench_begin(&plan);
		bench_wait_ms((unsigned int)(cases[i].ramp_up_ms + 102 + cases[i].ramp_down_ms));
		if (cases[i].concurrency == 5)
			assert_int_equal(bench_count(FIGURE_started), 5);
		assert_in_range(bench_count(FIGURE_not_started), cases[i].least, cases[i].most);
		bench_end();
	}
}

/* The FIN that rides on it does not make it an answer that was cut off. */
static void
a_wrong_answer_with_its_fin_is_wrong(void **state)
{
	(void)state;
	bench_begin_one(LOAD_REQUEST);
	bench_say(TCP_SYN | TCP_ACK, 1000, NULL);
	bench_expect(TCP_ACK | TCP_PSH, bench.plan.request_length);
	bench_say(TCP_ACK | TCP_FIN, 1000, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
	bench_expect(TCP_RST | TCP_ACK, 0);
	assert_int_equal(bench_failed(FAILURE_wrong_reply), 1);
	assert_int_equal(bench_all_failed(), 1);
	assert_int_equal(bench_load()->active, 0);
	bench_end();
}

/* RFC 9293 figure 7: both sides send a SYN, and text opens the connection. */
static void
text_that_opens_a_handshake_ends_it_once(void **state)
{
	(void)state;
	bench_begin_one(LOAD_HANDSHAKE);
	bench_say(TCP_SYN, 1000, NULL);
	bench_expect(TCP_SYN | TCP_ACK, 0);
	bench_say(TCP_ACK, 1000, "x");
	bench_expect(TCP_RST | TCP_ACK, 0);
	assert_false(bench_hear());
	assert_int_equal(bench_count(FIGURE_opened), 1);
	assert_int_equal(bench_count(FIGURE_completed), 0);
	assert_int_equal(bench_failed(FAILURE_wrong_reply), 1);
	assert_int_equal(bench_all_failed(), 1);
	assert_int_equal(bench_load()->active, 0);
	assert_int_equal(conn_table_count(bench.generator.worker[0]->table), 0);
	bench_end();
}

/* A worker's turn may be older than the beginning that it reads. */
static void
what_has_not_begun_is_not_done(void **state)
{
	struct load_plan plan = bench_plan(LOAD_OPEN_CLOSE, "10.9.0.2", 9);

	(void)state;
	plan.count = 10;
	bench_begin(&plan);
	bench.generator.load->begin_us += 10;
	bench_play(5);
	assert_false(load_is_done(&bench.generator));
	bench_play(5000);
	assert_true(load_is_done(&bench.generator));
	assert_int_equal(bench_count(FIGURE_completed), 10);
	bench_end();
}

/* The pace does not begin when a worker first looks. */
static void
starts_before_the_first_look_are_late(void **state)
{
	struct load_plan plan = bench_plan(LOAD_OPEN_CLOSE, "10.9.0.2", 9);
	const struct histogram *connect_us;

	(void)state;
	plan.rate = 1000;
	plan.duration_us = 200000;
	bench_begin(&plan);
	bench_advance(100000);
	bench_play(110000);
	connect_us = &bench_load()->phases[LOAD_SUSTAIN].connect_us;
	assert_int_equal(bench_count(FIGURE_started), 200);
	assert_int_equal(bench_count(FIGURE_not_started), 0);
	assert_in_range(connect_us->max, 100000, 101000);
	assert_in_range(histogram_percentile(connect_us, 75), 48000, 52000);
	assert_in_range(histogram_percentile(connect_us, 40), 1, 10);
	bench_end();
}

/* When the worker looks first, all is over. */
static void
starts_of_a_run_that_was_slept_through_are_counted(void **state)
{
	struct load_plan plan = bench_plan(LOAD_OPEN_CLOSE, "10.9.0.2", 9);

	(void)state;
	plan.rate = 1000;
	plan.duration_us = 50000;
	bench_begin(&plan);
	bench_advance(100000);
	bench_play(10);
	assert_true(load_is_done(&bench.generator));
	assert_int_equal(bench_count(FIGURE_started), 0);
	assert_int_equal(bench_count(FIGURE_not_started), 50);
	bench_end();
}

/* Let the device be full, or empty it. */
static void
block_device(bool blocked)
{
	struct rte_mbuf *packet;

	while (blocked) {
		packet = rte_pktmbuf_alloc(bench.rig.engine.pool);
		assert_non_null(packet);
		if (rte_ring_enqueue(bench.rig.to_engine, packet) == 0)
			continue;
		rte_pktmbuf_free(packet);
		return;
	}
	while (rte_ring_dequeue(bench.rig.to_engine, (void **)&packet) == 0)
		rte_pktmbuf_free(packet);
}

/* A repetition that went out and had no answer is the network's, with several targets, too. */
static void
only_what_never_went_out_is_the_devices_failure(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		struct load_plan plan = bench_plan(LOAD_OPEN_CLOSE, "10.9.0.2", 80);
		const bool opens = i % 2 != 0;

		plan.count = 1;
		plan.retries = 2;
		plan.targets.count = 1 + i / 2;
		plan.targets.item[1] = plan.targets.item[0];
		plan.targets.item[1].port = rte_cpu_to_be_16(81);
		bench_begin(&plan);
		bench.generator.worker[0]->patience_us = 0;
		block_device(true);
		/* The batch is given up after a second, which is when its SYN is repeated first. */
		bench_wait_ms(1400);
		if (opens)
			block_device(false);
		bench_wait_ms(7000);
		block_device(false);
		assert_true(load_is_done(&bench.generator));
		assert_int_equal(bench_failed(opens ? FAILURE_no_syn_ack : FAILURE_transmit_full),
				1);
		assert_int_equal(bench_all_failed(), 1);
		bench_end();
	}
}

/* From one start to the next, whatever the exchange. */
static void
a_tuple_is_used_again_after_a_round(void **state)
{
	static const enum load_exchange exchanges[] = {
			LOAD_OPEN_CLOSE, LOAD_SYN, LOAD_FORGED_ACK, LOAD_RST_FLOOD};

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(exchanges); i++) {
		for (unsigned int count = 10; count <= 15; count += 5) {
			struct load_plan plan = bench_plan(exchanges[i], "10.9.0.2", 9);

			plan.last_port = plan.first_port + 9;
			plan.rate = 1000;
			plan.count = count;
			bench_begin(&plan);
			bench_play(20000);
			assert_int_equal(bench_count(FIGURE_started), count);
			assert_in_range(bench_load()->reuse_us, count == 10 ? 0 : 9999,
					count == 10 ? 0 : 10001);
			bench_end();
		}
	}
}

/* A worker passes over those of others, and those with a connection. */
static void
a_tuple_that_is_passed_over_is_not_used(void **state)
{
	struct load_plan plan = bench_plan(LOAD_HANDSHAKE, "10.9.0.3", 9);

	(void)state;
	bench.workers = 2;
	plan.last_port = plan.first_port + 99;
	plan.concurrency = 100;
	plan.ramp_up_us = 5000;
	bench_begin(&plan);
	bench_play(10000);
	assert_int_equal(bench_count(FIGURE_started), 100);
	for (unsigned int w = 0; w < 2; w++)
		assert_int_equal(bench.generator.worker[w]->load->reuse_us, 0);
	bench_end();
}

/* The one that is watched may be one whose connection stays: each second one's does. */
static void
a_tuple_with_a_connection_is_not_waited_for(void **state)
{
	struct load_plan plan = bench_plan(LOAD_OPEN_CLOSE, "10.9.0.3", 9);

	(void)state;
	plan.last_port = plan.first_port + 9;
	plan.concurrency = 20;
	plan.targets.count = 2;
	plan.targets.item[1] = plan.targets.item[0];
	plan.targets.item[1].address[15] = 2;
	bench_begin(&plan);
	bench_play(1000);
	assert_in_range(bench_load()->active, 10, 20);
	assert_in_range(bench_load()->reuse_us, 2, 50);
	bench_end();
}

/* In all, not of each worker; who may have none is done. */
static void
fewer_connections_than_workers_are_no_more(void **state)
{
	(void)state;
	for (unsigned int rate = 0; rate <= 10000; rate += 10000) {
		struct load_plan plan = bench_plan(LOAD_REQUEST, "10.9.0.2", 80);

		bench.workers = 3;
		plan.concurrency = 2;
		plan.rate = rate;
		plan.count = rate == 0 ? 100 : 0;
		plan.duration_us = rate == 0 ? 0 : 10000;
		bench_begin(&plan);
		for (unsigned int i = 0; i < 20000; i++) {
			bench_play(1);
			assert_in_range(rig_connections(&bench.rig), 0, 2);
		}
		assert_true(load_is_done(&bench.generator));
		assert_int_equal(bench_count(FIGURE_started), 100);
		assert_int_equal(bench_count(FIGURE_completed), 100);
		bench_end();
	}
}

/* Steering gives no worker just its part of the tuples, and may give it none. */
static void
workers_use_all_tuples_together(void **state)
{
	struct load_plan plan = bench_plan(LOAD_HANDSHAKE, "10.9.0.3", 9);

	(void)state;
	for (unsigned int tuples = 2; tuples <= 200; tuples *= 10) {
		for (unsigned int workers = 2; workers <= 4; workers++) {
			bench.workers = workers;
			plan.concurrency = tuples;
			plan.last_port = (uint16_t)(plan.first_port + tuples - 1);
			bench_begin(&plan);
			/* Nobody answers: none ends. */
			bench_play(1000);
			assert_int_equal(bench_count(FIGURE_started), tuples);
			assert_int_equal(bench_all_failed(), 0);
			bench_end();
		}
	}
}

/* In a closed loop and in an open one. */
static void
who_has_no_tuple_begins_nothing(void **state)
{
	(void)state;
	for (unsigned int rate = 0; rate <= 10000; rate += 10000) {
		struct load_plan plan = bench_plan(LOAD_OPEN_CLOSE, "10.9.0.2", 9);

		bench.workers = 4;
		plan.concurrency = 2;
		plan.last_port = plan.first_port + 1;
		plan.rate = rate;
		plan.count = 200;
		bench_begin(&plan);
		bench_play(25000);
		assert_true(load_is_done(&bench.generator));
		assert_int_equal(bench_all_failed(), 0);
		assert_int_equal(bench_count(FIGURE_completed), 200);
		assert_int_equal(bench_count(FIGURE_not_started), 0);
		bench_end();
	}
}

/* Its time is kept in 32 bits: what is more than half an hour late is so late. */
static void
a_start_that_is_hours_late_is_not_early(void **state)
{
	struct load_plan plan = bench_plan(LOAD_OPEN_CLOSE, "10.9.0.2", 9);

	(void)state;
	plan.rate = 10;
	plan.count = 5;
	bench_begin(&plan);
	bench_play(10);
	bench_advance(UINT64_C(5000000000));
	bench_play(1000);
	assert_int_equal(bench_count(FIGURE_completed), 5);
	assert_in_range(bench_load()->phases[LOAD_SUSTAIN].connect_us.max, UINT32_C(1) << 31,
			(UINT32_C(1) << 31) + 100);
	bench_end();
}

/* RFC 1122 4.2.2.17: as long as the peer acknowledges, with --retries 0, too. */
static void
probes_of_a_closed_window_go_on_while_they_are_answered(void **state)
{
	struct load_plan plan = bench_plan(LOAD_REQUEST, "10.9.0.2", 80);

	(void)state;
	plan.count = 1;
	plan.retries = 0;
	bench_begin(&plan);
	bench.seq = 777;
	bench_wait_ms(1);
	bench_expect(TCP_SYN, 0);
	bench_say(TCP_SYN | TCP_ACK, 0, NULL);
	bench_expect(TCP_ACK, 0);
	for (unsigned int i = 0; i < 5; i++) {
		const uint32_t ack = bench.ack;

		for (unsigned int ms = 0; ms < 450 && !bench_hear(); ms++)
			bench_wait_ms(1);
		assert_int_equal(bench.heard.segment.flags, TCP_ACK);
		assert_int_equal(bench.heard.segment.seq, ack - 1);
		/* But for the last one. */
		if (i < 4)
			bench_say(TCP_ACK, 0, NULL);
	}
	bench_wait_ms(450);
	bench_expect(TCP_RST | TCP_ACK, 0);
	assert_int_equal(bench_failed(FAILURE_timeout_established), 1);
	assert_int_equal(bench_all_failed(), 1);
	bench_end();
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			BENCH_TEST(the_last_acknowledgement_is_repeated_in_time_wait),
			BENCH_TEST(a_fin_of_no_connection_is_reset),
			BENCH_TEST(a_reset_behind_the_last_fin_changes_nothing),
			BENCH_TEST(the_handshakes_round_trip_sets_the_timeout),
			BENCH_TEST(frames_bear_the_ports_vlan),
			BENCH_TEST(a_tuple_is_taken_once_in_a_burst),
			BENCH_TEST(a_closed_loop_waits_for_a_tuple),
			BENCH_TEST(a_flood_that_meets_a_full_device_ends_when_all_is_sent),
			BENCH_TEST(an_unanswered_syn_is_a_failure_at_the_end_of_the_run),
			BENCH_TEST(measured_time_goes_on_while_connections_are_open),
			BENCH_TEST(starts_that_were_due_and_not_made_are_counted),
			BENCH_TEST(a_wrong_answer_with_its_fin_is_wrong),
			BENCH_TEST(text_that_opens_a_handshake_ends_it_once),
			BENCH_TEST(what_has_not_begun_is_not_done),
			BENCH_TEST(starts_before_the_first_look_are_late),
			BENCH_TEST(starts_of_a_run_that_was_slept_through_are_counted),
			BENCH_TEST(only_what_never_went_out_is_the_devices_failure),
			BENCH_TEST(a_tuple_is_used_again_after_a_round),
			BENCH_TEST(a_tuple_that_is_passed_over_is_not_used),
			BENCH_TEST(a_tuple_with_a_connection_is_not_waited_for),
			BENCH_TEST(fewer_connections_than_workers_are_no_more),
			BENCH_TEST(workers_use_all_tuples_together),
			BENCH_TEST(who_has_no_tuple_begins_nothing),
			BENCH_TEST(a_start_that_is_hours_late_is_not_early),
			BENCH_TEST(probes_of_a_closed_window_go_on_while_they_are_answered),
	};

	(void)argc;
	rig_start_dpdk(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
