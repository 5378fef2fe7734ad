/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * tcp_output, call by call; whole connections are tests/rules/test_lossy.c.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tcp/tcp_output.h"

#define MSS    1000
#define ISS    (UINT32_MAX - 2500) /* Every stream here wraps in its third segment. */
#define WINDOW 60000               /* log2 is 15 */
#define RTO_MS 1000

static const struct tcp_config config = {
		.fin_timeout_ms = 60001,
		.idle_timeout_ms = 60002,
		.time_wait_ms = 60003,
		.rto_min_ms = 200,
		.rto_max_ms = 60000,
		.retries2 = 15,
		.orphan_retries = 8,
		.initial_cwnd = 10,
};

static const struct tcp_env env = {.config = &config, .rcv_wnd = 65535};

/* One connection and its service. */
struct talk {
	struct tcp_conn conn;
	struct tcp_sender sender;
	struct tcp_stream stream;
	struct tcp_chunk chunk;
};

static struct talk
talk_with(uint32_t bytes, uint16_t window, uint8_t cwnd)
{
	struct talk talk = {
			.conn = {.snd_una = ISS,
					.snd_nxt = ISS,
					.snd_wnd = window,
					.scales = 15 << 4,
					.mss = MSS,
					.state = TCP_ESTABLISHED},
			.stream = {.end = ISS + bytes},
	};

	tcp_output_open(&talk.conn, &talk.sender, &config);
	talk.conn.cwnd = cwnd;
	return talk;
}

static bool
next(struct talk *talk)
{
	return tcp_output_next(&talk->conn, &talk->stream, &env, &talk->chunk);
}

static unsigned int
send_all(struct talk *talk)
{
	unsigned int count = 0;

	while (next(talk))
		count++;
	return count;
}

static void
assert_chunk(const struct talk *talk, uint32_t offset, uint16_t length, uint8_t flags)
{
	assert_int_equal(talk->chunk.seq, ISS + offset);
	assert_int_equal(talk->chunk.length, length);
	assert_int_equal(talk->chunk.flags, flags);
}

/* As tcp_step() does it for an ACK up to @p offset, new or not, with this window. */
static void
acked(struct talk *talk, uint32_t offset, uint16_t window)
{
	const uint32_t bytes = ISS + offset - talk->conn.snd_una;
	const bool persist = (talk->conn.flags & TCP_CONN_PERSIST) != 0;
	struct tcp_action action = {0};

	if (bytes > 0) {
		action.outcome |= TCP_OUTCOME_ACKED;
		action.timer = TCP_TIMER_SET;
		talk->conn.retries = 0;
		talk->conn.flags &= (uint16_t)~TCP_CONN_DUP_ACKS;
	}
	if (persist || window != talk->conn.snd_wnd)
		action.outcome |= TCP_OUTCOME_OUTPUT;
	talk->conn.snd_una = ISS + offset;
	talk->conn.snd_wnd = window;
	tcp_output_react(&talk->conn, &talk->sender, &action, bytes);
}

static void
three_duplicates(struct talk *talk)
{
	const struct tcp_action action = {.outcome = TCP_OUTCOME_OUTPUT};

	talk->conn.flags |= TCP_CONN_DUP_ACKS | TCP_CONN_RETRANSMIT;
	tcp_output_react(&talk->conn, &talk->sender, &action, 0);
}

static void
timed_out(struct talk *talk)
{
	const struct tcp_action action = {
			.outcome = TCP_OUTCOME_OUTPUT,
			.timer = TCP_TIMER_SET,
	};

	talk->conn.retries++;
	talk->conn.flags &= (uint16_t)~TCP_CONN_DUP_ACKS;
	if (talk->conn.snd_una != talk->conn.snd_nxt)
		talk->conn.flags |= TCP_CONN_RETRANSMIT;
	tcp_output_react(&talk->conn, &talk->sender, &action, 0);
}

static uint32_t
timer(struct talk *talk)
{
	return tcp_output_timer(&talk->conn, &config);
}

/* ---- What goes out. ---- */

static void
a_stream_goes_out_in_full_segments_and_pushes_its_last_byte(void **state)
{
	struct talk talk = talk_with(2500, WINDOW, 10);

	(void)state;
	assert_true(next(&talk));
	assert_chunk(&talk, 0, MSS, TCP_ACK);
	assert_false(talk.chunk.again);
	assert_true(next(&talk));
	assert_chunk(&talk, 1000, MSS, TCP_ACK);
	assert_true(next(&talk));
	assert_chunk(&talk, 2000, 500, TCP_ACK | TCP_PSH);
	assert_false(next(&talk));
	assert_int_equal(talk.conn.snd_nxt, ISS + 2500);
	assert_int_equal(talk.conn.state, TCP_ESTABLISHED);
}

static void
nothing_ready_is_nothing_to_send(void **state)
{
	struct talk talk = talk_with(0, WINDOW, 10);

	(void)state;
	assert_false(next(&talk));
	assert_int_equal(talk.conn.flags & TCP_CONN_PERSIST, 0);
	assert_int_equal(timer(&talk), config.idle_timeout_ms);
}

static void
a_connection_begins_with_the_configured_window(void **state)
{
	struct talk talk = talk_with(100000, WINDOW, 0);

	(void)state;
	tcp_output_open(&talk.conn, &talk.sender, &config);
	assert_int_equal(send_all(&talk), 10);
}

static void
a_connection_that_lost_its_syn_begins_with_one_segment(void **state)
{
	struct talk talk = talk_with(100000, WINDOW, 0);

	(void)state;
	talk.conn.flags |= TCP_CONN_SYN_RETRANSMITTED;
	tcp_output_open(&talk.conn, &talk.sender, &config);
	assert_int_equal(send_all(&talk), 1);
}

static void
the_peers_window_is_filled_and_not_exceeded(void **state)
{
	struct talk talk = talk_with(100000, 3000, 10);

	(void)state;
	assert_int_equal(send_all(&talk), 3);
	acked(&talk, 1000, 2500);
	/* 500 bytes would fit, but they are no segment worth sending. */
	assert_int_equal(send_all(&talk), 0);
	acked(&talk, 2000, 2500);
	assert_int_equal(send_all(&talk), 1);
}

static void
windows_are_scaled(void **state)
{
	struct talk talk = talk_with(100000, 3, 10);

	(void)state;
	talk.conn.scales = 2 << 4 | 10; /* 3072 */
	assert_int_equal(send_all(&talk), 3);
}

static void
a_window_that_shrinks_below_the_flight_sends_nothing_new(void **state)
{
	struct talk talk = talk_with(100000, 5000, 10);

	(void)state;
	assert_int_equal(send_all(&talk), 5);
	acked(&talk, 1000, 100);
	assert_int_equal(send_all(&talk), 0);
	assert_int_equal(talk.conn.snd_nxt, ISS + 5000);
}

/* ---- FIN. ---- */

static void
the_fin_rides_on_the_last_segment(void **state)
{
	struct talk talk = talk_with(500, WINDOW, 10);

	(void)state;
	talk.stream.fin = true;
	assert_true(next(&talk));
	assert_chunk(&talk, 0, 500, TCP_ACK | TCP_PSH | TCP_FIN);
	assert_int_equal(talk.conn.snd_nxt, ISS + 501);
	assert_int_equal(talk.conn.state, TCP_FIN_WAIT_1);
	assert_false(next(&talk));
}

static void
the_fin_goes_alone_when_all_was_sent(void **state)
{
	struct talk talk = talk_with(500, WINDOW, 10);

	(void)state;
	talk.conn.state = TCP_CLOSE_WAIT;
	assert_int_equal(send_all(&talk), 1);
	talk.stream.fin = true;
	assert_true(next(&talk));
	assert_chunk(&talk, 500, 0, TCP_ACK | TCP_FIN);
	assert_int_equal(talk.conn.state, TCP_LAST_ACK);
	assert_false(next(&talk));
}

static void
the_fin_waits_for_a_place_in_the_peers_window(void **state)
{
	struct talk talk = talk_with(500, 500, 10);

	(void)state;
	talk.stream.fin = true;
	assert_true(next(&talk));
	assert_chunk(&talk, 0, 500, TCP_ACK | TCP_PSH);
	assert_false(next(&talk));
	acked(&talk, 500, 0);
	assert_false(next(&talk));
	assert_int_not_equal(talk.conn.flags & TCP_CONN_PERSIST, 0);
	acked(&talk, 500, 1);
	assert_true(next(&talk));
	assert_chunk(&talk, 500, 0, TCP_ACK | TCP_FIN);
	assert_int_equal(talk.conn.flags & TCP_CONN_PERSIST, 0);
}

static void
the_fin_does_not_wait_for_the_congestion_window(void **state)
{
	struct talk talk = talk_with(2000, WINDOW, 2);

	(void)state;
	assert_int_equal(send_all(&talk), 2);
	talk.stream.fin = true;
	assert_true(next(&talk));
	assert_chunk(&talk, 2000, 0, TCP_ACK | TCP_FIN);
}

static void
the_fin_waits_behind_data_that_must_wait(void **state)
{
	struct talk talk = talk_with(3000, WINDOW, 2);

	(void)state;
	talk.stream.fin = true;
	assert_int_equal(send_all(&talk), 2);
	assert_int_equal(talk.conn.state, TCP_ESTABLISHED);
}

static void
a_lost_fin_is_sent_again_with_the_data_before_it(void **state)
{
	struct talk talk = talk_with(1500, WINDOW, 10);

	(void)state;
	talk.stream.fin = true;
	assert_int_equal(send_all(&talk), 2);
	acked(&talk, 1000, WINDOW);
	timed_out(&talk);
	assert_true(next(&talk));
	assert_chunk(&talk, 1000, 500, TCP_ACK | TCP_PSH | TCP_FIN);
	assert_true(talk.chunk.again);
	assert_false(next(&talk));
	acked(&talk, 1500, WINDOW);
	timed_out(&talk);
	assert_true(next(&talk));
	assert_chunk(&talk, 1500, 0, TCP_ACK | TCP_FIN);
	assert_int_equal(talk.conn.snd_nxt, ISS + 1501);
}

static void
no_data_follows_the_fin(void **state)
{
	struct talk talk = talk_with(500, WINDOW, 10);

	(void)state;
	talk.stream.fin = true;
	assert_int_equal(send_all(&talk), 1);
	talk.stream.end += 500;
	assert_int_equal(send_all(&talk), 0);
	talk.conn.snd_una = talk.conn.snd_nxt;
	talk.conn.state = TCP_FIN_WAIT_2;
	assert_int_equal(send_all(&talk), 0);
}

/* ---- Congestion. ---- */

static void
slow_start_adds_a_segment_for_each_ack(void **state)
{
	struct talk talk = talk_with(100000, WINDOW, 2);

	(void)state;
	assert_int_equal(send_all(&talk), 2);
	acked(&talk, 1000, WINDOW);
	assert_int_equal(send_all(&talk), 2);
	acked(&talk, 2000, WINDOW);
	assert_int_equal(send_all(&talk), 2);
	assert_int_equal(talk.conn.cwnd, 4);
}

static void
acknowledging_byte_by_byte_does_not_open_the_window(void **state)
{
	struct talk talk = talk_with(100000, WINDOW, 2);

	(void)state;
	assert_int_equal(send_all(&talk), 2);
	for (uint32_t i = 1; i < 100; i++)
		acked(&talk, i, WINDOW);
	assert_int_equal(talk.conn.cwnd, 2);
}

static void
congestion_avoidance_adds_a_segment_for_each_round_trip(void **state)
{
	struct talk talk = talk_with(100000, WINDOW, 4);
	uint32_t offset = 0;

	(void)state;
	talk.sender.ssthresh = 4;
	assert_int_equal(send_all(&talk), 4);
	for (unsigned int round = 0; round < 5; round++) {
		const uint8_t cwnd = talk.conn.cwnd;

		assert_int_equal(cwnd, round == 0 ? 4 : 4 + round);
		/* As many ACKs as a window has segments. */
		for (unsigned int i = 0; i < cwnd; i++) {
			offset += MSS;
			acked(&talk, offset, WINDOW);
			send_all(&talk);
		}
		assert_int_equal(talk.conn.cwnd, cwnd + 1);
	}
}

static void
the_window_stops_growing_at_its_largest(void **state)
{
	struct talk talk = talk_with(UINT32_C(2000000), WINDOW, 254);
	uint32_t offset = 0;

	(void)state;
	talk.conn.scales = 15 << 4 | 5;
	talk.sender.ssthresh = 4;
	send_all(&talk);
	for (unsigned int i = 0; i < 1000; i++) {
		offset += MSS;
		acked(&talk, offset, WINDOW);
		send_all(&talk);
	}
	assert_int_equal(talk.conn.cwnd, UINT8_MAX);
}

static void
the_third_duplicate_sends_the_first_segment_again_and_halves(void **state)
{
	struct talk talk = talk_with(100000, WINDOW, 10);

	(void)state;
	assert_int_equal(send_all(&talk), 10);
	three_duplicates(&talk);
	assert_true(next(&talk));
	assert_chunk(&talk, 0, MSS, TCP_ACK);
	assert_true(talk.chunk.again);
	assert_false(next(&talk));
	assert_int_equal(talk.conn.cwnd, 5);
	assert_int_equal(talk.sender.ssthresh, 5);
	assert_int_equal(talk.conn.snd_nxt, ISS + 10000);
}

static void
half_of_a_small_flight_is_two_segments(void **state)
{
	struct talk talk = talk_with(3000, WINDOW, 10);

	(void)state;
	assert_int_equal(send_all(&talk), 3);
	three_duplicates(&talk);
	assert_int_equal(talk.conn.cwnd, 2);
}

static void
a_partial_ack_sends_the_next_hole_again(void **state)
{
	struct talk talk = talk_with(100000, WINDOW, 10);

	(void)state;
	assert_int_equal(send_all(&talk), 10);
	three_duplicates(&talk);
	assert_int_equal(send_all(&talk), 1);
	acked(&talk, 4000, WINDOW);
	assert_true(next(&talk));
	assert_chunk(&talk, 4000, MSS, TCP_ACK);
	assert_true(talk.chunk.again);
	assert_false(next(&talk));
	assert_int_equal(talk.conn.cwnd, 5);
}

static void
a_full_ack_ends_the_recovery(void **state)
{
	struct talk talk = talk_with(100000, WINDOW, 10);

	(void)state;
	assert_int_equal(send_all(&talk), 10);
	three_duplicates(&talk);
	assert_int_equal(send_all(&talk), 1);
	acked(&talk, 10000, WINDOW);
	assert_int_equal(talk.conn.flags & TCP_CONN_RECOVERY, 0);
	assert_int_equal(talk.conn.cwnd, 5);
	assert_true(next(&talk));
	assert_chunk(&talk, 10000, MSS, TCP_ACK);
	assert_false(talk.chunk.again);
}

static void
duplicates_within_a_recovery_change_nothing(void **state)
{
	struct talk talk = talk_with(100000, WINDOW, 10);

	(void)state;
	assert_int_equal(send_all(&talk), 10);
	three_duplicates(&talk);
	assert_int_equal(send_all(&talk), 1);
	acked(&talk, 4000, WINDOW);
	assert_int_equal(send_all(&talk), 1);
	three_duplicates(&talk);
	assert_int_equal(send_all(&talk), 0);
	assert_int_equal(talk.conn.cwnd, 5);
}

static void
duplicates_of_what_was_sent_twice_do_not_halve_again(void **state)
{
	struct talk talk = talk_with(100000, WINDOW, 10);

	(void)state;
	assert_int_equal(send_all(&talk), 10);
	timed_out(&talk);
	assert_int_equal(send_all(&talk), 1);
	acked(&talk, 10000, WINDOW); /* Nothing was lost, only late. */
	send_all(&talk);
	three_duplicates(&talk);
	assert_int_equal(send_all(&talk), 0);
	assert_int_equal(talk.sender.ssthresh, 5);
	/* The next loss is one again. */
	acked(&talk, 11000, WINDOW);
	send_all(&talk);
	three_duplicates(&talk);
	assert_true(next(&talk));
	assert_true(talk.chunk.again);
}

static void
the_first_loss_of_a_later_answer_is_repaired_at_once(void **state)
{
	struct talk talk = talk_with(1000, WINDOW, 10);

	(void)state;
	assert_int_equal(send_all(&talk), 1);
	acked(&talk, 1000, WINDOW);
	talk.stream.end += 5000;
	assert_int_equal(send_all(&talk), 5);
	three_duplicates(&talk);
	assert_true(next(&talk));
	assert_chunk(&talk, 1000, MSS, TCP_ACK);
	assert_true(talk.chunk.again);
}

static void
a_timeout_falls_to_one_segment(void **state)
{
	struct talk talk = talk_with(100000, WINDOW, 10);

	(void)state;
	assert_int_equal(send_all(&talk), 10);
	timed_out(&talk);
	assert_int_equal(talk.conn.cwnd, 1);
	assert_int_equal(talk.sender.ssthresh, 5);
	assert_true(next(&talk));
	assert_chunk(&talk, 0, MSS, TCP_ACK);
	assert_false(next(&talk));
}

static void
a_timeout_after_three_duplicates_sends_again(void **state)
{
	struct talk talk = talk_with(100000, WINDOW, 10);

	(void)state;
	assert_int_equal(send_all(&talk), 10);
	three_duplicates(&talk);
	assert_int_equal(send_all(&talk), 1);
	timed_out(&talk);
	assert_int_equal(talk.conn.cwnd, 1);
	assert_int_equal(send_all(&talk), 1);
}

static void
a_second_timeout_of_a_segment_keeps_the_threshold(void **state)
{
	struct talk talk = talk_with(100000, WINDOW, 20);

	(void)state;
	assert_int_equal(send_all(&talk), 20);
	timed_out(&talk);
	send_all(&talk);
	talk.sender.ssthresh = 7; /* To be recognized. */
	timed_out(&talk);
	send_all(&talk);
	assert_int_equal(talk.sender.ssthresh, 7);
}

static void
after_a_timeout_the_window_grows_from_one(void **state)
{
	struct talk talk = talk_with(100000, WINDOW, 10);

	(void)state;
	assert_int_equal(send_all(&talk), 10);
	timed_out(&talk);
	send_all(&talk);
	acked(&talk, 1000, WINDOW);
	assert_true(next(&talk));
	assert_chunk(&talk, 1000, MSS, TCP_ACK);
	assert_int_equal(talk.conn.cwnd, 2);
	assert_false(next(&talk));
	acked(&talk, 10000, WINDOW);
	assert_int_equal(talk.conn.cwnd, 3);
	assert_int_equal(send_all(&talk), 3);
}

/* ---- Closed and silly windows. ---- */

static void
a_closed_window_starts_the_persist_timer_and_sends_nothing(void **state)
{
	struct talk talk = talk_with(5000, 0, 10);

	(void)state;
	assert_false(next(&talk));
	assert_int_not_equal(talk.conn.flags & TCP_CONN_PERSIST, 0);
	assert_int_equal(timer(&talk), RTO_MS);
	timed_out(&talk);
	assert_false(next(&talk));
	assert_int_equal(timer(&talk), 2 * RTO_MS);
	assert_int_equal(talk.conn.snd_nxt, ISS);
}

static void
a_window_that_opens_ends_the_persist_timer(void **state)
{
	struct talk talk = talk_with(5000, 0, 10);

	(void)state;
	assert_int_equal(send_all(&talk), 0);
	timer(&talk);
	acked(&talk, 0, WINDOW);
	assert_int_equal(send_all(&talk), 5);
	assert_int_equal(talk.conn.flags & TCP_CONN_PERSIST, 0);
	assert_int_equal(timer(&talk), RTO_MS);
}

static void
half_of_the_largest_window_is_worth_a_segment(void **state)
{
	struct talk talk = talk_with(5000, 499, 10);

	(void)state;
	talk.conn.scales = 9 << 4; /* 512 */
	assert_int_equal(send_all(&talk), 1);
	talk = talk_with(5000, 255, 10);
	talk.conn.scales = 9 << 4;
	assert_int_equal(send_all(&talk), 0);
	assert_int_not_equal(talk.conn.flags & TCP_CONN_PERSIST, 0);
}

static void
a_silly_window_is_used_when_the_override_timer_runs_out(void **state)
{
	struct talk talk = talk_with(5000, 10, 10);

	(void)state;
	assert_int_equal(send_all(&talk), 0);
	assert_int_equal(timer(&talk), RTO_MS);
	timed_out(&talk);
	assert_true(next(&talk));
	assert_chunk(&talk, 0, 10, TCP_ACK);
	assert_false(next(&talk));
	assert_int_equal(talk.conn.flags & TCP_CONN_PERSIST, 0);
	acked(&talk, 10, 10);
	assert_int_equal(send_all(&talk), 0);
	assert_int_equal(timer(&talk), RTO_MS);
}

static void
a_timeout_with_data_in_flight_does_not_override(void **state)
{
	struct talk talk = talk_with(500, 700, 10);

	(void)state;
	assert_int_equal(send_all(&talk), 1);
	talk.stream.end += 5000;
	timed_out(&talk);
	assert_int_equal(send_all(&talk), 1); /* The first, again. */
	assert_int_equal(talk.conn.snd_nxt, ISS + 500);
}

static void
the_last_bytes_are_worth_a_segment(void **state)
{
	struct talk talk = talk_with(7, 10, 10);

	(void)state;
	assert_true(next(&talk));
	assert_chunk(&talk, 0, 7, TCP_ACK | TCP_PSH);
}

static void
what_is_sent_again_fits_a_window_that_shrank(void **state)
{
	struct talk talk = talk_with(5000, 5000, 10);

	(void)state;
	assert_int_equal(send_all(&talk), 5);
	acked(&talk, 1000, 300);
	send_all(&talk);
	timed_out(&talk);
	assert_true(next(&talk));
	assert_chunk(&talk, 1000, 300, TCP_ACK);
}

static void
a_window_that_shrinks_to_nothing_is_probed_and_sent_to_when_it_opens(void **state)
{
	struct talk talk = talk_with(5000, 5000, 10);

	(void)state;
	assert_int_equal(send_all(&talk), 5);
	acked(&talk, 1000, 0);
	assert_int_equal(send_all(&talk), 0);
	assert_int_not_equal(talk.conn.flags & TCP_CONN_PERSIST, 0);
	timed_out(&talk);
	assert_true(next(&talk));
	assert_chunk(&talk, 1000, 1, TCP_ACK);
	assert_false(next(&talk));
	timer(&talk);
	acked(&talk, 1000, 5000);
	assert_true(next(&talk));
	assert_chunk(&talk, 1000, MSS, TCP_ACK);
	assert_int_equal(talk.conn.flags & TCP_CONN_PERSIST, 0);
	assert_false(next(&talk));
	assert_int_equal(timer(&talk), 2 * RTO_MS);
}

static void
a_fin_behind_a_window_that_shrank_leaves_no_persist_timer(void **state)
{
	struct talk talk = talk_with(1000, 5000, 10);

	(void)state;
	talk.stream.fin = true;
	assert_int_equal(send_all(&talk), 1);
	acked(&talk, 500, 0);
	send_all(&talk);
	acked(&talk, 1001, 0);
	talk.conn.state = TCP_FIN_WAIT_2;
	assert_int_equal(send_all(&talk), 0);
	assert_int_equal(timer(&talk), config.fin_timeout_ms);
}

/* ---- The timer. ---- */

static void
the_first_segment_in_flight_starts_the_rto(void **state)
{
	struct talk talk = talk_with(5000, WINDOW, 2);

	(void)state;
	send_all(&talk);
	assert_int_equal(timer(&talk), RTO_MS);
	assert_int_equal(timer(&talk), TCP_OUTPUT_TIMER_KEEP);
}

static void
more_segments_do_not_restart_the_rto(void **state)
{
	struct talk talk = talk_with(1000, WINDOW, 10);

	(void)state;
	send_all(&talk);
	timer(&talk);
	talk.stream.end += 1000;
	assert_int_equal(send_all(&talk), 1);
	assert_int_equal(timer(&talk), TCP_OUTPUT_TIMER_KEEP);
}

static void
a_new_ack_restarts_the_rto(void **state)
{
	struct talk talk = talk_with(2000, WINDOW, 10);

	(void)state;
	send_all(&talk);
	timer(&talk);
	acked(&talk, 1000, WINDOW);
	send_all(&talk);
	assert_int_equal(timer(&talk), RTO_MS);
}

static void
sending_again_restarts_the_rto(void **state)
{
	struct talk talk = talk_with(5000, WINDOW, 10);

	(void)state;
	send_all(&talk);
	timer(&talk);
	three_duplicates(&talk);
	send_all(&talk);
	assert_int_equal(timer(&talk), RTO_MS);
	timed_out(&talk);
	send_all(&talk);
	assert_int_equal(timer(&talk), 2 * RTO_MS);
}

static void
answers_to_probes_do_not_restart_the_persist_timer(void **state)
{
	struct talk talk = talk_with(5000, 0, 10);

	(void)state;
	send_all(&talk);
	timer(&talk);
	acked(&talk, 0, 0);
	send_all(&talk);
	assert_int_equal(timer(&talk), TCP_OUTPUT_TIMER_KEEP);
}

static void
without_anything_to_wait_for_the_state_sets_the_timer(void **state)
{
	struct talk talk = talk_with(0, WINDOW, 10);

	(void)state;
	assert_int_equal(timer(&talk), config.idle_timeout_ms);
	talk.conn.state = TCP_FIN_WAIT_2;
	assert_int_equal(timer(&talk), config.fin_timeout_ms);
	talk.conn.state = TCP_TIME_WAIT;
	assert_int_equal(timer(&talk), config.time_wait_ms);
}

/* Fast Open: the peer's SYN brought @p text bytes, and our SYN is all that is in flight. */
static struct talk
talk_early(uint32_t bytes, uint16_t text)
{
	struct talk talk = talk_with(bytes, 65535, 10);

	talk.conn.snd_una = ISS - 1;
	talk.conn.state = TCP_SYN_RCVD;
	talk.conn.rttvar_4ms = (uint16_t)(text << 1 | 1);
	return talk;
}

static void
nothing_is_sent_before_the_handshake_is_complete(void **state)
{
	struct talk talk = talk_early(100, 0);

	(void)state;
	assert_false(next(&talk));
	assert_int_equal(talk.conn.flags, 0);
}

static void
fast_open_sends_before_the_handshake_is_complete(void **state)
{
	struct talk talk = talk_early(MSS + 100, 1);

	(void)state;
	talk.stream.fin = true;
	assert_true(next(&talk));
	assert_chunk(&talk, 0, MSS, TCP_ACK);
	assert_true(next(&talk));
	/* The FIN waits. */
	assert_chunk(&talk, MSS, 100, TCP_ACK | TCP_PSH);
	assert_false(next(&talk));
	assert_int_equal(talk.conn.state, TCP_SYN_RCVD);
	/* The timer is our SYN's. */
	assert_int_equal(tcp_output_timer(&talk.conn, &config), TCP_OUTPUT_TIMER_KEEP);
}

static void
fast_open_stays_in_the_first_windows(void **state)
{
	struct talk talk = talk_early(100 * MSS, 1);

	(void)state;
	/* Our SYN takes the place of a byte. */
	assert_int_equal(send_all(&talk), 9);
	talk = talk_early(100 * MSS, 1);
	talk.conn.snd_wnd = 0;
	assert_false(next(&talk));
	/* That the timer repeats our SYN is enough. */
	assert_int_equal(talk.conn.flags & TCP_CONN_PERSIST, 0);
}

static void
early_text_is_watched_over_when_the_handshake_is_complete(void **state)
{
	struct talk talk = talk_early(100, 1);

	(void)state;
	assert_int_equal(send_all(&talk), 1);
	talk.conn.snd_una = ISS;
	talk.conn.state = TCP_ESTABLISHED;
	tcp_output_open(&talk.conn, &talk.sender, &config);
	assert_false(next(&talk));
	assert_int_equal(tcp_output_timer(&talk.conn, &config), RTO_MS);
}

static void
early_text_behind_a_lost_syn_ack_goes_again_at_once(void **state)
{
	struct talk talk = talk_early(2 * MSS, 1);

	(void)state;
	assert_int_equal(send_all(&talk), 2);
	talk.conn.snd_una = ISS;
	talk.conn.state = TCP_ESTABLISHED;
	talk.conn.flags |= TCP_CONN_SYN_RETRANSMITTED;
	tcp_output_open(&talk.conn, &talk.sender, &config);
	assert_int_equal(send_all(&talk), 1);
	assert_chunk(&talk, 0, MSS, TCP_ACK);
	assert_true(talk.chunk.again);
	/* What was behind it was lost, too. */
	acked(&talk, MSS, 65535);
	assert_true(next(&talk));
	assert_chunk(&talk, MSS, MSS, TCP_ACK | TCP_PSH);
	assert_true(talk.chunk.again);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(
					a_stream_goes_out_in_full_segments_and_pushes_its_last_byte),
			cmocka_unit_test(nothing_ready_is_nothing_to_send),
			cmocka_unit_test(a_connection_begins_with_the_configured_window),
			cmocka_unit_test(a_connection_that_lost_its_syn_begins_with_one_segment),
			cmocka_unit_test(the_peers_window_is_filled_and_not_exceeded),
			cmocka_unit_test(windows_are_scaled),
			cmocka_unit_test(a_window_that_shrinks_below_the_flight_sends_nothing_new),
			cmocka_unit_test(the_fin_rides_on_the_last_segment),
			cmocka_unit_test(the_fin_goes_alone_when_all_was_sent),
			cmocka_unit_test(the_fin_waits_for_a_place_in_the_peers_window),
			cmocka_unit_test(the_fin_does_not_wait_for_the_congestion_window),
			cmocka_unit_test(the_fin_waits_behind_data_that_must_wait),
			cmocka_unit_test(a_lost_fin_is_sent_again_with_the_data_before_it),
			cmocka_unit_test(no_data_follows_the_fin),
			cmocka_unit_test(slow_start_adds_a_segment_for_each_ack),
			cmocka_unit_test(acknowledging_byte_by_byte_does_not_open_the_window),
			cmocka_unit_test(congestion_avoidance_adds_a_segment_for_each_round_trip),
			cmocka_unit_test(the_window_stops_growing_at_its_largest),
			cmocka_unit_test(
					the_third_duplicate_sends_the_first_segment_again_and_halves),
			cmocka_unit_test(half_of_a_small_flight_is_two_segments),
			cmocka_unit_test(a_partial_ack_sends_the_next_hole_again),
			cmocka_unit_test(a_full_ack_ends_the_recovery),
			cmocka_unit_test(duplicates_within_a_recovery_change_nothing),
			cmocka_unit_test(duplicates_of_what_was_sent_twice_do_not_halve_again),
			cmocka_unit_test(the_first_loss_of_a_later_answer_is_repaired_at_once),
			cmocka_unit_test(a_timeout_falls_to_one_segment),
			cmocka_unit_test(a_timeout_after_three_duplicates_sends_again),
			cmocka_unit_test(a_second_timeout_of_a_segment_keeps_the_threshold),
			cmocka_unit_test(after_a_timeout_the_window_grows_from_one),
			cmocka_unit_test(
					a_closed_window_starts_the_persist_timer_and_sends_nothing),
			cmocka_unit_test(a_window_that_opens_ends_the_persist_timer),
			cmocka_unit_test(half_of_the_largest_window_is_worth_a_segment),
			cmocka_unit_test(a_silly_window_is_used_when_the_override_timer_runs_out),
			cmocka_unit_test(a_timeout_with_data_in_flight_does_not_override),
			cmocka_unit_test(the_last_bytes_are_worth_a_segment),
			cmocka_unit_test(what_is_sent_again_fits_a_window_that_shrank),
			cmocka_unit_test(
					a_window_that_shrinks_to_nothing_is_probed_and_sent_to_when_it_opens),
			cmocka_unit_test(a_fin_behind_a_window_that_shrank_leaves_no_persist_timer),
			cmocka_unit_test(the_first_segment_in_flight_starts_the_rto),
			cmocka_unit_test(more_segments_do_not_restart_the_rto),
			cmocka_unit_test(a_new_ack_restarts_the_rto),
			cmocka_unit_test(sending_again_restarts_the_rto),
			cmocka_unit_test(answers_to_probes_do_not_restart_the_persist_timer),
			cmocka_unit_test(without_anything_to_wait_for_the_state_sets_the_timer),
			cmocka_unit_test(nothing_is_sent_before_the_handshake_is_complete),
			cmocka_unit_test(fast_open_sends_before_the_handshake_is_complete),
			cmocka_unit_test(fast_open_stays_in_the_first_windows),
			cmocka_unit_test(early_text_is_watched_over_when_the_handshake_is_complete),
			cmocka_unit_test(early_text_behind_a_lost_syn_ack_goes_again_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
