/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Connections that the generator holds in a byte each: how they are opened, spoken to and let go.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <rte_mbuf.h>
#include <rte_ring.h>

#include "bench.h"

/* One connection is to be held; its SYN was just heard. */
static void
begin_one(uint8_t retries)
{
	struct load_plan plan = bench_plan(LOAD_IDLE, "10.9.0.2", 9);

	plan.concurrency = 1;
	plan.retries = retries;
	plan.duration_us = 100000000;
	plan.timestamps = true;
	bench_begin(&plan);
	bench.seq = 777;
	bench_wait_ms(1);
	bench_expect(TCP_SYN, 0);
}

/* And it is held. */
static void
hold_one(void)
{
	begin_one(3);
	bench_say(TCP_SYN | TCP_ACK, 1000, NULL);
	bench_expect(TCP_ACK, 0);
}

/* To a peer that agreed to timestamps a segment without them says nothing (RFC 7323 3.2). */
static void
connections_with_timestamps_are_held_by_both_sides(void **state)
{
	struct load_plan plan = bench_plan(LOAD_IDLE, "10.9.0.2", 9);

	(void)state;
	plan.concurrency = 500;
	plan.duration_us = 50000;
	plan.drain_us = 1000000;
	plan.timestamps = true;
	bench_begin(&plan);
	bench_play(40000);
	assert_int_equal(bench_load()->active, 500);
	assert_int_equal(rig_counter(&bench.rig, COUNTER_opened), 500);
	assert_int_equal(rig_counter(&bench.rig, DROP_no_timestamp), 0);
	bench_play(20000);
	assert_int_equal(rig_counter(&bench.rig, COUNTER_reset), 500);
	assert_int_equal(rig_connections(&bench.rig), 0);
	bench_end();
}

static void
answers_echo_the_timestamp_of_what_they_answer(void **state)
{
	(void)state;
	begin_one(3);
	bench.tsval = 123456;
	bench_say(TCP_SYN | TCP_ACK, 1000, NULL);
	bench_expect(TCP_ACK, 0);
	assert_int_equal(bench.heard.segment.options, TCP_OPTION_TIMESTAMPS);
	assert_int_equal(bench.heard.segment.tsecr, 123456);
	assert_int_equal(bench.heard.segment.tsval, bench_load()->env.ts_clock);
	bench_wait_ms(5000);
	/* A keep-alive probe. */
	bench.tsval += 5000;
	bench.seq--;
	bench_say(TCP_ACK, 1000, NULL);
	bench_expect(TCP_ACK, 0);
	assert_int_equal(bench.heard.segment.tsecr, 128456);
	assert_int_equal(bench.heard.segment.tsval, bench_load()->env.ts_clock);
	/* RFC 7323 3.2: who answers without has not agreed. */
	bench.tsval = 0;
	bench_say(TCP_ACK, 1000, NULL);
	bench_expect(TCP_ACK, 0);
	assert_int_equal(bench.heard.segment.options, 0);
	bench_end();
}

/* Our FIN was lost, or only its acknowledgement is on the way. */
static void
a_fin_that_comes_again_is_answered_again(void **state)
{
	(void)state;
	hold_one();
	for (unsigned int i = 0; i < 2; i++) {
		const uint32_t ack = bench.ack;

		bench_say(TCP_FIN | TCP_ACK, 1000, NULL);
		bench_expect(TCP_FIN | TCP_ACK, 0);
		assert_int_equal(bench.heard.segment.seq, ack);
		assert_int_equal(bench.heard.segment.ack, 779);
		bench.ack -= i == 0;
		bench.seq--;
	}
	bench_say(TCP_FIN | TCP_ACK, 1000, NULL);
	bench_expect(TCP_ACK, 0);
	assert_int_equal(bench.heard.segment.ack, 779);
	bench_say(TCP_ACK, 1000, NULL);
	assert_false(bench_hear());
	assert_int_equal(bench_count(FIGURE_lost), 1);
	bench_end();
}

/* The peer's answers to SYNs are lost, but not what it says on a connection that is held. */
static void
lost_syns_leave_the_window(void **state)
{
	struct load_plan plan = bench_plan(LOAD_IDLE, "10.9.0.2", 9);
	struct rig_frame held;

	(void)state;
	plan.concurrency = 700;
	plan.duration_us = 100000000;
	bench_begin(&plan);
	bench.seq = 777;
	bench_wait_ms(1);
	bench_expect(TCP_SYN, 0);
	held = bench.heard;
	bench_say(TCP_SYN | TCP_ACK, 1000, NULL);
	while (bench_hear())
		continue;
	assert_in_range(bench_count(FIGURE_started), 512, 576);
	for (unsigned int i = 0; i < 250; i++) {
		bench_wait_ms(10);
		/* A keep-alive probe. */
		bench.heard = held;
		bench.seq = 777;
		bench_say(TCP_ACK, 1000, NULL);
	}
	assert_int_equal(bench_count(FIGURE_keepalives), 249);
	assert_int_equal(bench_count(FIGURE_started), 700);
	/* Nor do probes put off the next pass. */
	for (unsigned int i = 0; i < 200; i++) {
		bench_wait_ms(10);
		bench.heard = held;
		bench.seq = 777;
		bench_say(TCP_ACK, 1000, NULL);
	}
	assert_in_range(bench_count(FIGURE_syn_retransmits), 512, 699);
	bench_end();
}

/* RFC 6298 5.5, like those of any other connection. */
static void
syns_are_repeated_with_back_off(void **state)
{
	(void)state;
	begin_one(2);
	bench_wait_ms(990);
	assert_false(bench_hear());
	bench_wait_ms(20);
	bench_expect(TCP_SYN, 0);
	bench_wait_ms(1980);
	assert_false(bench_hear());
	bench_wait_ms(30);
	bench_expect(TCP_SYN, 0);
	bench_wait_ms(3970);
	assert_int_equal(bench_all_failed(), 0);
	bench_wait_ms(50);
	assert_int_equal(bench_failed(FAILURE_no_syn_ack), 1);
	bench_end();
}

/* The peer's host, or a firewall, says by ICMP that what was heard last arrived nowhere. */
static void
say_unreachable(void)
{
	struct rte_mbuf *packet = rte_pktmbuf_alloc(bench.rig.engine.pool);
	uint8_t mac[6];

	assert_non_null(packet);
	/* It is to us, and its receiver answers. */
	memcpy(mac, bench.heard.bytes, sizeof(mac));
	memcpy(rte_pktmbuf_mtod(packet, uint8_t *), bench.heard.bytes, bench.heard.length);
	packet->data_len = (uint16_t)build_port_unreachable(
			rte_pktmbuf_mtod(packet, uint8_t *), &bench.heard.frame, mac);
	packet->pkt_len = packet->data_len;
	assert_int_equal(rte_ring_enqueue(bench.rig.from_engine, packet), 0);
}

/* RFC 9293 3.9.2.2, as with any other exchange. */
static void
a_hard_icmp_error_about_the_syn_ends_it(void **state)
{
	(void)state;
	begin_one(3);
	/* RFC 5927 4.1: it quotes another SYN than ours. */
	bench.heard.bytes[14 + 20 + 4] ^= 1;
	say_unreachable();
	assert_false(bench_hear());
	assert_int_equal(bench_all_failed(), 0);
	bench.heard.bytes[14 + 20 + 4] ^= 1;
	say_unreachable();
	assert_false(bench_hear());
	assert_int_equal(bench_failed(FAILURE_unreachable), 1);
	/* It is not repeated any more, and has failed once. */
	bench_wait_ms(20000);
	assert_false(bench_hear());
	assert_int_equal(bench_all_failed(), 1);
	bench_end();
}

/* RFC 5927 5.2. */
static void
no_icmp_error_ends_a_held_connection(void **state)
{
	(void)state;
	hold_one();
	say_unreachable();
	assert_false(bench_hear());
	assert_int_equal(bench_load()->active, 1);
	assert_int_equal(bench_count(FIGURE_lost) + bench_all_failed(), 0);
	bench_end();
}

/* RFC 5961 4.2: the peer still has the tuple's last connection. */
static void
a_challenge_is_answered_by_a_reset_and_another_syn(void **state)
{
	(void)state;
	begin_one(1);
	for (unsigned int pass = 0; pass < 2; pass++) {
		const uint32_t isn = bench.heard.segment.seq;

		bench.ack = isn - 1000;
		bench_say(TCP_ACK, 1000, NULL);
		bench_expect(TCP_RST, 0);
		assert_int_equal(bench.heard.segment.seq, isn - 1000);
		bench_expect(TCP_SYN, 0);
		assert_int_equal(bench.heard.segment.seq, isn);
		/* A peer that does so always is asked again in a second. */
		bench.ack = isn - 1000;
		bench_say(TCP_ACK, 1000, NULL);
		bench_expect(TCP_RST, 0);
		assert_false(bench_hear());
		bench_wait_ms(1010);
		assert_int_equal(bench_hear(), pass == 0);
	}
	assert_int_equal(bench_count(FIGURE_challenges), 4);
	assert_int_equal(bench_count(FIGURE_syn_retransmits), 3);
	bench_end();
}

/* As behind a generator that was killed: each of the peer's connections is in the way. */
static void
challenges_do_not_fill_the_window(void **state)
{
	struct load_plan plan = bench_plan(LOAD_IDLE, "10.9.0.2", 9);

	(void)state;
	plan.concurrency = 2000;
	plan.duration_us = 100000000;
	bench_begin(&plan);
	bench.seq = 777;
	bench_wait_ms(1);
	while (bench_hear()) {
		if (bench.heard.segment.flags == TCP_SYN) {
			bench.ack = bench.heard.segment.seq - 1000;
			bench_say(TCP_ACK, 1000, NULL);
		}
	}
	assert_int_equal(bench_count(FIGURE_started), 2000);
	assert_int_equal(bench_count(FIGURE_challenges), 4000);
	bench_end();
}

/* However many they are, and however short --drain is. */
static void
all_that_is_held_is_reset_at_the_end(void **state)
{
	struct load_plan plan = bench_plan(LOAD_IDLE, "10.9.0.2", 9);

	(void)state;
	plan.concurrency = 4000;
	plan.duration_us = 50000;
	plan.drain_us = 10;
	bench_begin(&plan);
	bench_play(49990);
	assert_int_equal(rig_connections(&bench.rig), 4000);
	for (unsigned int i = 0; i < 1000 && !load_is_done(&bench.generator); i++)
		bench_play(1);
	assert_true(load_is_done(&bench.generator));
	assert_int_equal(bench_load()->active, 0);
	bench_play(10);
	assert_int_equal(rig_connections(&bench.rig), 0);
	assert_int_equal(rig_counter(&bench.rig, COUNTER_reset), 4000);
	bench_end();
}

static void
a_device_that_takes_no_resets_is_not_waited_for(void **state)
{
	struct load_plan plan = bench_plan(LOAD_IDLE, "10.9.0.2", 9);

	(void)state;
	plan.concurrency = 4000;
	plan.duration_us = 50000;
	plan.drain_us = 100000;
	bench_begin(&plan);
	bench_play(49990);
	assert_int_equal(bench_load()->active, 4000);
	/* From now on the peer reads nothing, and the device has little room. */
	for (unsigned int i = 0; i < 3000; i++)
		assert_int_equal(rte_ring_enqueue(bench.rig.to_engine,
						 rte_pktmbuf_alloc(bench.rig.engine.pool)),
				0);
	bench_wait_ms(400);
	assert_false(load_is_done(&bench.generator));
	bench_wait_ms(600);
	assert_true(load_is_done(&bench.generator));
	assert_in_range(bench_load()->active, 2800, 2999);
	bench_end();
}

/* --drain is for SYNs, too: what is answered in it opens, and what is not has failed. */
static void
syns_are_waited_for_until_the_drain_is_over(void **state)
{
	struct load_plan plan = bench_plan(LOAD_IDLE, "10.9.0.2", 9);

	(void)state;
	plan.concurrency = 3;
	/* It is the plan's, and has none for repetitions after its end. */
	plan.rate = 10000;
	plan.duration_us = 500000;
	plan.drain_us = 2000000;
	bench_begin(&plan);
	bench.seq = 777;
	bench_wait_ms(1);
	for (unsigned int i = 0; i < 3; i++)
		bench_expect(TCP_SYN, 0);
	bench_say(TCP_SYN | TCP_ACK, 1000, NULL);
	bench_expect(TCP_ACK, 0);
	bench_wait_ms(900);
	assert_false(bench_hear());
	bench_wait_ms(110);
	for (unsigned int i = 0; i < 2; i++)
		bench_expect(TCP_SYN, 0);
	bench.seq = 777;
	bench_say(TCP_SYN | TCP_ACK, 1000, NULL);
	bench_expect(TCP_ACK, 0);
	bench_wait_ms(1480);
	assert_false(bench_hear());
	assert_false(load_is_done(&bench.generator));
	bench_wait_ms(20);
	for (unsigned int i = 0; i < 2; i++)
		bench_expect(TCP_RST, 0);
	assert_true(load_is_done(&bench.generator));
	assert_int_equal(bench_count(FIGURE_started), 3);
	assert_int_equal(bench_count(FIGURE_opened), 2);
	assert_int_equal(bench_failed(FAILURE_no_syn_ack), 1);
	bench_end();
}

/* As with every exchange: it is unfinished, and who answers yet is reset. */
static void
a_syn_that_was_not_repeated_has_not_failed(void **state)
{
	struct load_plan plan = bench_plan(LOAD_IDLE, "10.9.0.2", 9);

	(void)state;
	plan.concurrency = 1;
	plan.duration_us = 50000;
	plan.drain_us = 50000;
	bench_begin(&plan);
	bench.seq = 777;
	bench_wait_ms(1);
	bench_expect(TCP_SYN, 0);
	bench_wait_ms(90);
	assert_false(load_is_done(&bench.generator));
	bench_wait_ms(20);
	assert_true(load_is_done(&bench.generator));
	assert_int_equal(bench_all_failed(), 0);
	bench_say(TCP_SYN | TCP_ACK, 1000, NULL);
	bench_expect(TCP_RST, 0);
	assert_int_equal(bench_count(FIGURE_opened), 0);
	bench_end();
}

/* Steering gives no worker just its part of them. */
static void
workers_hold_all_tuples_together(void **state)
{
	struct load_plan plan = bench_plan(LOAD_IDLE, "10.9.0.2", 9);

	(void)state;
	for (unsigned int workers = 2; workers <= 4; workers++) {
		bench.workers = workers;
		plan.concurrency = 3000;
		plan.first_port = 20001;
		plan.last_port = 23000;
		plan.retries = 0;
		plan.duration_us = 50000;
		bench_begin(&plan);
		bench_play(49990);
		assert_int_equal(bench_count(FIGURE_started), 3000);
		assert_int_equal(bench_count(FIGURE_opened), 3000);
		assert_int_equal(bench_count(FIGURE_syn_retransmits), 0);
		assert_int_equal(rig_connections(&bench.rig), 3000);
		bench_play(1000);
		assert_true(load_is_done(&bench.generator));
		assert_int_equal(rig_connections(&bench.rig), 0);
		bench_end();
	}
}

/* RFC 5961 5.2: it is told what we have sent, and counts for nothing. */
static void
what_acknowledges_something_else_is_challenged(void **state)
{
	uint32_t ack;

	(void)state;
	hold_one();
	ack = bench.ack;
	/* In order, and as a keep-alive probe. */
	for (uint32_t seq = 778; seq > 776; seq--) {
		bench.seq = seq;
		bench.ack = 0xdeadbeef;
		bench_say(TCP_ACK, 1000, NULL);
		bench_expect(TCP_ACK, 0);
		assert_int_equal(bench.heard.segment.seq, ack);
		assert_int_equal(bench.heard.segment.ack, 778);
	}
	bench.seq = 778;
	bench.ack = ack - 1;
	bench_say(TCP_FIN | TCP_ACK, 1000, "text");
	bench_expect(TCP_ACK, 0);
	assert_int_equal(bench.heard.segment.seq, ack);
	assert_int_equal(bench.heard.segment.ack, 778);
	assert_int_equal(bench_count(FIGURE_keepalives) + bench_count(FIGURE_lost), 0);
	/* Nor has it changed what is expected. */
	bench.seq = 777;
	bench_say(TCP_ACK, 1000, NULL);
	bench_expect(TCP_ACK, 0);
	assert_int_equal(bench_count(FIGURE_keepalives), 1);
	bench_end();
}

/* RFC 5961 7: they have a rate. */
static void
challenges_of_forged_acknowledgements_are_limited(void **state)
{
	unsigned int heard = 0;

	(void)state;
	hold_one();
	for (unsigned int i = 0; i < 5000; i++) {
		bench.ack = 0xdeadbeef;
		bench_say(TCP_ACK, 1000, NULL);
		heard += bench_hear();
	}
	assert_in_range(heard, 1, 2000);
	bench_end();
}

/* RFC 5961 3.2, as far as six bits of RCV.NXT say. */
static void
a_reset_ends_a_held_connection_where_it_is_in_order(void **state)
{
	(void)state;
	hold_one();
	bench_say(TCP_ACK, 1000, "text");
	bench_expect(TCP_ACK, 0);
	for (uint32_t away = 1; away < 64; away++) {
		bench.seq = 782 + 1000000 * 64 + away;
		bench_say(away % 2 != 0 ? TCP_RST : TCP_RST | TCP_ACK, 0, NULL);
		assert_false(bench_hear());
	}
	assert_int_equal(bench_count(FIGURE_lost), 0);
	assert_int_equal(bench_load()->active, 1);
	bench.seq = 782;
	bench_say(TCP_RST, 0, NULL);
	assert_false(bench_hear());
	assert_int_equal(bench_count(FIGURE_lost), 1);
	assert_int_equal(bench_load()->active, 0);
	bench_end();
}

/* The answer to it was lost: it is acknowledged again, and what came since is not forgotten. */
static void
a_syn_ack_that_comes_again_changes_nothing(void **state)
{
	(void)state;
	hold_one();
	bench_say(TCP_ACK, 1000, "text");
	bench_expect(TCP_ACK, 0);
	assert_int_equal(bench.heard.segment.ack, 782);
	bench.seq = 777;
	bench_say(TCP_SYN | TCP_ACK, 1000, NULL);
	bench_expect(TCP_ACK, 0);
	bench.seq = 781;
	bench_say(TCP_ACK, 1000, NULL);
	bench_expect(TCP_ACK, 0);
	assert_int_equal(bench.heard.segment.ack, 782);
	assert_int_equal(bench_count(FIGURE_keepalives), 1);
	bench_end();
}

/* It says nothing that an answer could be made of. */
static void
what_acknowledges_nothing_is_not_answered(void **state)
{
	(void)state;
	hold_one();
	bench_say(TCP_SYN, 1000, NULL);
	assert_false(bench_hear());
	bench_say(TCP_FIN, 1000, NULL);
	assert_false(bench_hear());
	assert_int_equal(bench_load()->active, 1);
	bench_end();
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			BENCH_TEST(connections_with_timestamps_are_held_by_both_sides),
			BENCH_TEST(answers_echo_the_timestamp_of_what_they_answer),
			BENCH_TEST(a_fin_that_comes_again_is_answered_again),
			BENCH_TEST(lost_syns_leave_the_window),
			BENCH_TEST(syns_are_repeated_with_back_off),
			BENCH_TEST(a_hard_icmp_error_about_the_syn_ends_it),
			BENCH_TEST(no_icmp_error_ends_a_held_connection),
			BENCH_TEST(a_challenge_is_answered_by_a_reset_and_another_syn),
			BENCH_TEST(challenges_do_not_fill_the_window),
			BENCH_TEST(all_that_is_held_is_reset_at_the_end),
			BENCH_TEST(a_device_that_takes_no_resets_is_not_waited_for),
			BENCH_TEST(syns_are_waited_for_until_the_drain_is_over),
			BENCH_TEST(a_syn_that_was_not_repeated_has_not_failed),
			BENCH_TEST(workers_hold_all_tuples_together),
			BENCH_TEST(what_acknowledges_nothing_is_not_answered),
			BENCH_TEST(what_acknowledges_something_else_is_challenged),
			BENCH_TEST(challenges_of_forged_acknowledgements_are_limited),
			BENCH_TEST(a_reset_ends_a_held_connection_where_it_is_in_order),
			BENCH_TEST(a_syn_ack_that_comes_again_changes_nothing),
	};

	(void)argc;
	rig_start_dpdk(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
