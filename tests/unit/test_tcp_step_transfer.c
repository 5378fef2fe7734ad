/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Between opening and closing: options, text, acknowledgments, windows, round trips, timeouts.
 */

#include "tcp_step_verbs.h"

/* clang-format off */

#define ALL_OPTIONS                                                                                \
	(TCP_OPTION_MSS | TCP_OPTION_WINDOW_SCALE | TCP_OPTION_SACK_PERMITTED |                    \
			TCP_OPTION_TIMESTAMPS)

static uint8_t
options_of(uint16_t flags)
{
	return (uint8_t)(((flags & TCP_CONN_WINDOW_SCALE) != 0 ? TCP_OPTION_WINDOW_SCALE : 0) |
			 ((flags & TCP_CONN_SACK) != 0 ? TCP_OPTION_SACK_PERMITTED : 0) |
			 ((flags & TCP_CONN_TIMESTAMPS) != 0 ? TCP_OPTION_TIMESTAMPS : 0));
}

static void
option_is_used_exactly_when_offered_and_allowed(void **state)
{
	(void)state;
	for (unsigned int offered = 0; offered <= ALL_OPTIONS; offered++) {
		for (unsigned int allowed = 0; allowed <= ALL_OPTIONS; allowed++) {
			const unsigned int both = offered & allowed & ALL_OPTIONS & ~TCP_OPTION_MSS;

			GIVEN(LISTEN);
			config.timestamps = (allowed & TCP_OPTION_TIMESTAMPS) != 0;
			config.sack = (allowed & TCP_OPTION_SACK_PERMITTED) != 0;
			config.window_scaling = (allowed & TCP_OPTION_WINDOW_SCALE) != 0;
			IN(SYN, .seq = irs, .options = (uint8_t)offered, .tsval = 4711,
					.window_scale = 5);
			assert_int_equal(options_of(conn.flags), both);
			assert_int_equal(conn.scales & 0xf,
					(both & TCP_OPTION_WINDOW_SCALE) != 0 ? 5 : 0);
			assert_int_equal(conn.ts_recent,
					(both & TCP_OPTION_TIMESTAMPS) != 0 ? 4711 : 0);

			HAPPENS(ABORT);
			conn.state = TCP_CLOSED;
			HAPPENS(OPEN);
			IN(SYN_ACK, .seq = irs, .ack = SND, .options = (uint8_t)offered,
					.window_scale = 5);
			assert_int_equal(options_of(conn.flags), both);
		}
	}
}

static uint16_t
mss_after_syn(uint8_t options, uint16_t mss)
{
	GIVEN(LISTEN);
	IN(SYN, .seq = irs, .options = options, .mss = mss);
	return conn.mss;
}

static void
mss_is_the_least_of_both_with_a_floor_and_room_for_options(void **state)
{
	(void)state;
	assert_int_equal(mss_after_syn(0, 0), 536);
	assert_int_equal(mss_after_syn(0, 9000), 536);
	assert_int_equal(mss_after_syn(TCP_OPTION_MSS, 0), 48);
	assert_int_equal(mss_after_syn(TCP_OPTION_MSS, 1), 48);
	assert_int_equal(mss_after_syn(TCP_OPTION_MSS, 47), 48);
	assert_int_equal(mss_after_syn(TCP_OPTION_MSS, 49), 49);
	assert_int_equal(mss_after_syn(TCP_OPTION_MSS, 1400), 1400);
	assert_int_equal(mss_after_syn(TCP_OPTION_MSS, 65535), 1460);
	assert_int_equal(mss_after_syn(TCP_OPTION_MSS | TCP_OPTION_TIMESTAMPS, 1400), 1388);
	assert_int_equal(mss_after_syn(TCP_OPTION_MSS | TCP_OPTION_TIMESTAMPS, 1), 36);
}

static void
window_scale_above_fourteen_is_fourteen(void **state)
{
	static const uint8_t sent[] = {0, 1, 14, 15, 255};
	static const uint8_t used[] = {0, 1, 14, 14, 14};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(sent); i++) {
		GIVEN(LISTEN);
		IN(SYN, .seq = irs, .options = TCP_OPTION_WINDOW_SCALE, .window_scale = sent[i]);
		assert_int_equal(conn.scales & 0xf, used[i]);
	}
}

static void
window_of_a_syn_is_not_scaled(void **state)
{
	(void)state;
	GIVEN(SYN_SENT);
	IN(SYN_ACK, .seq = irs, .ack = SND, .window = 0x8000,
			.options = TCP_OPTION_WINDOW_SCALE, .window_scale = 7);
	assert_int_equal((uint32_t)conn.snd_wnd << (conn.scales & 0xf), 0x8000);
	GIVEN(LISTEN);
	IN(SYN, .seq = irs, .window = 0x8000, .options = TCP_OPTION_WINDOW_SCALE, .window_scale = 7);
	IN(ACK, .seq = RCV, .ack = SND, .window = 0x200);	OUT(NOTHING, ESTABLISHED);
	assert_int_equal((uint32_t)conn.snd_wnd << (conn.scales & 0xf), 0x200 << 7);
}

static void
ecn_is_set_up_when_both_bits_ask_and_the_settings_allow(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 8; i++) {
		const uint8_t bits = (uint8_t)(((i & 1) != 0 ? TCP_ECE : 0) | ((i & 2) != 0 ? TCP_CWR : 0));

		GIVEN(LISTEN);
		config.ecn = (i & 4) != 0;
		IN(SYN | bits, .seq = irs);	OUT(SYN_ACK, SYN_RCVD);
		assert_int_equal((conn.flags & TCP_CONN_ECN) != 0, i == 7);
	}
}

static void
text_in_a_syn_is_ignored(void **state)
{
	(void)state;
	GIVEN(LISTEN);
	IN(SYN, .seq = irs, .payload_length = 100);	OUT(SYN_ACK, SYN_RCVD);	TOLD(NOTHING);
	assert_int_equal(conn.rcv_nxt, RCV);
	IN(ACK, .seq = RCV, .ack = SND, .payload_length = 100);	OUT(ACK, ESTABLISHED);
	TOLD(OPENED | DATA);
}

static void
text_in_order_is_taken_and_acknowledged_at_once(void **state)
{
	(void)state;
	GIVEN(ESTABLISHED);
	IN(ACK, .seq = RCV, .ack = SND, .payload_length = 1000);	OUT(ACK, ESTABLISHED);
	TOLD(DATA);	REFUSED(NONE);	TIMER_SET(300000);
	assert_int_equal(action.skip, 0);
	assert_int_equal(action.take, 1000);
	assert_int_equal(conn.rcv_nxt, RCV + 1000);
}

static void
overlap_is_cut_off_on_both_sides(void **state)
{
	(void)state;
	GIVEN(ESTABLISHED);
	conn.rcv_nxt += 100;
	env.rcv_wnd = 300;
	IN(ACK, .seq = RCV, .ack = SND, .payload_length = 300);	OUT(ACK, ESTABLISHED);
	assert_int_equal(action.skip, 100);
	assert_int_equal(action.take, 200);
	assert_int_equal(conn.rcv_nxt, RCV + 300);
	IN(ACK, .seq = RCV + 300, .ack = SND, .payload_length = 500);	TOLD(DATA);
	assert_int_equal(action.skip, 0);
	assert_int_equal(action.take, 300);
	assert_int_equal(conn.rcv_nxt, RCV + 600);
}

static void
old_text_and_keep_alives_are_answered(void **state)
{
	(void)state;
	GIVEN(ESTABLISHED);
	conn.rcv_nxt += 100;
	IN(ACK, .seq = RCV, .ack = SND, .payload_length = 100);		OUT(ACK, ESTABLISHED);
	REFUSED(OUT_OF_WINDOW);	TOLD(NOTHING);	TIMER_KEPT();
	IN(ACK, .seq = RCV + 99, .ack = SND, .payload_length = 1);	OUT(ACK, ESTABLISHED);
	IN(ACK, .seq = RCV + 99, .ack = SND);			OUT(CHALLENGE_ACK, ESTABLISHED);
	IN(ACK, .seq = RCV + 100 + WND, .ack = SND, .payload_length = 1); OUT(ACK, ESTABLISHED);
	IN(ACK, .seq = RCV + 100 + WND, .ack = SND);		OUT(CHALLENGE_ACK, ESTABLISHED);
	assert_int_equal(conn.rcv_nxt, RCV + 100);
}

static void
text_behind_a_gap_gets_a_duplicate_ack(void **state)
{
	(void)state;
	GIVEN(ESTABLISHED);
	given_in_flight(50);
	IN(ACK, .seq = RCV + 1, .ack = SND + 20, .payload_length = 10);	OUT(ACK, ESTABLISHED);
	REFUSED(OUT_OF_ORDER);	TOLD(ACKED);
	assert_int_equal(conn.rcv_nxt, RCV);
	assert_int_equal(conn.snd_una, SND + 20);
}

static void
ack_is_not_acknowledged(void **state)
{
	(void)state;
	GIVEN(ESTABLISHED);
	IN(ACK, .seq = RCV, .ack = SND);	OUT(NOTHING, ESTABLISHED);	TOLD(NOTHING);
	TIMER_SET(300000);
	GIVEN(CLOSE_WAIT);
	IN(ACK, .seq = RCV + 1, .ack = SND);	OUT(NOTHING, CLOSE_WAIT);	TIMER_SET(300000);
}

static void
ack_of_the_unsent_is_challenged_and_its_text_dropped(void **state)
{
	(void)state;
	for (size_t i = 0; i < RTE_DIM(synchronized_states); i++) {
		given(synchronized_states[i]);
		IN(ACK, .seq = conn.rcv_nxt, .ack = conn.snd_nxt + 1, .payload_length = 10);
		assert_int_equal(action.send, TCP_SEND_CHALLENGE_ACK);
		REFUSED(BAD_ACK);
		TOLD(NOTHING);
	}
	GIVEN(ESTABLISHED);
	IN(FIN, .seq = RCV, .ack = SND + 1);	OUT(CHALLENGE_ACK, ESTABLISHED);
	assert_int_equal(conn.rcv_nxt, RCV);
}

static void
ack_older_than_a_window_is_challenged(void **state)
{
	(void)state;
	GIVEN(ESTABLISHED);
	IN(ACK, .seq = RCV, .ack = SND - WND, .payload_length = 10);	OUT(ACK, ESTABLISHED);
	TOLD(DATA);
	IN(ACK, .seq = RCV + 10, .ack = SND - 2 * WND, .payload_length = 10);
	OUT(CHALLENGE_ACK, ESTABLISHED);	REFUSED(BAD_ACK);
	conn.scales |= 7;
	IN(ACK, .seq = RCV + 10, .ack = SND - (WND << 7), .payload_length = 10); OUT(ACK, ESTABLISHED);
	IN(ACK, .seq = RCV + 20, .ack = SND - (WND << 8), .payload_length = 10);
	OUT(CHALLENGE_ACK, ESTABLISHED);
}

static void
largest_window_is_remembered(void **state)
{
	(void)state;
	GIVEN(SYN_RCVD);
	conn.scales = 0;
	IN(ACK, .seq = RCV, .ack = SND, .window = 65535);
	IN(ACK, .seq = RCV, .ack = SND, .window = 1);
	assert_int_equal(conn.snd_wnd, 1);
	IN(ACK, .seq = RCV, .ack = SND - 65535, .window = 1);	OUT(NOTHING, ESTABLISHED);
	REFUSED(NONE);
}

static void
new_ack_restarts_the_timer_and_the_last_ends_it(void **state)
{
	(void)state;
	GIVEN(ESTABLISHED);
	given_in_flight(100);
	conn.retries = 3;
	IN(ACK, .seq = RCV, .ack = SND);		OUT(NOTHING, ESTABLISHED);	TIMER_KEPT();
	assert_int_equal(conn.retries, 3);
	IN(ACK, .seq = RCV, .ack = SND + 40);	TOLD(ACKED);	TIMER_SET(1000);
	assert_int_equal(conn.retries, 0);
	IN(ACK, .seq = RCV, .ack = SND + 20);	TOLD(NOTHING);	TIMER_KEPT();
	assert_int_equal(conn.snd_una, SND + 40);
	IN(ACK, .seq = RCV, .ack = SND + 100);	TOLD(ACKED);	TIMER_SET(300000);
}

static void
old_ack_does_not_bring_its_window(void **state)
{
	(void)state;
	GIVEN(ESTABLISHED);
	IN(ACK, .seq = RCV, .ack = SND - 1, .window = 5);	TOLD(NOTHING);
	assert_int_equal(conn.snd_wnd, WND);
}

static void
window_update_asks_for_output(void **state)
{
	(void)state;
	GIVEN(ESTABLISHED);
	IN(ACK, .seq = RCV, .ack = SND, .window = WND + 1);	OUT(NOTHING, ESTABLISHED);
	TOLD(OUTPUT);
	assert_int_equal(conn.snd_wnd, WND + 1);
	GIVEN(FIN_WAIT_2);
	IN(ACK, .seq = RCV, .ack = SND + 1, .window = WND + 1);	TOLD(NOTHING);
}

static void
third_duplicate_ack_asks_for_retransmission(void **state)
{
	(void)state;
	GIVEN(ESTABLISHED);
	given_in_flight(5000);
	IN(ACK, .seq = RCV, .ack = SND);	TOLD(NOTHING);
	IN(ACK, .seq = RCV, .ack = SND, .payload_length = 1);	TOLD(DATA);
	IN(ACK, .seq = RCV + 1, .ack = SND, .window = WND + 1);	TOLD(OUTPUT);
	IN(ACK, .seq = RCV + 1, .ack = SND, .window = WND + 1);	TOLD(NOTHING);
	assert_int_equal(conn.flags & TCP_CONN_RETRANSMIT, 0);
	IN(ACK, .seq = RCV + 1, .ack = SND, .window = WND + 1);	TOLD(OUTPUT);	TIMER_KEPT();
	assert_true((conn.flags & TCP_CONN_RETRANSMIT) != 0);
	IN(ACK, .seq = RCV + 1, .ack = SND, .window = WND + 1);	TOLD(NOTHING);
	IN(ACK, .seq = RCV + 1, .ack = SND + 100, .window = WND + 1);	TOLD(ACKED);
	assert_int_equal(conn.flags & TCP_CONN_DUP_ACKS, 0);
}

static void
duplicate_ack_needs_something_in_flight(void **state)
{
	(void)state;
	GIVEN(ESTABLISHED);
	for (int i = 0; i < 5; i++) {
		IN(ACK, .seq = RCV, .ack = SND);	TOLD(NOTHING);
	}
	assert_int_equal(conn.flags & TCP_CONN_DUP_ACKS, 0);
}

static void
probe_of_our_closed_window_brings_its_ack(void **state)
{
	(void)state;
	GIVEN(ESTABLISHED);
	given_in_flight(100);
	env.rcv_wnd = 0;
	IN(ACK, .seq = RCV, .ack = SND + 100, .payload_length = 1);	OUT(ACK, ESTABLISHED);
	TOLD(ACKED);	REFUSED(OUT_OF_WINDOW);
	assert_int_equal(conn.rcv_nxt, RCV);
	IN(ACK, .seq = RCV, .ack = SND + 100);	OUT(NOTHING, ESTABLISHED);	REFUSED(NONE);
	IN(FIN, .seq = RCV, .ack = SND + 100);	OUT(ACK, ESTABLISHED);	TOLD(NOTHING);
	IN(ACK, .seq = RCV, .ack = SND + 101, .payload_length = 1);	OUT(ACK, ESTABLISHED);
	TOLD(NOTHING);
	GIVEN(FIN_WAIT_1);
	env.rcv_wnd = 0;
	IN(ACK, .seq = RCV, .ack = SND, .payload_length = 1);	OUT(ACK, FIN_WAIT_1);
	IN(ACK, .seq = RCV, .ack = SND + 1, .payload_length = 1);	OUT(ACK, FIN_WAIT_2);
	TOLD(ACKED);	TIMER_SET(60000);	REFUSED(OUT_OF_WINDOW);
	GIVEN(FIN_WAIT_1);
	env.rcv_wnd = 0;
	IN(FIN, .seq = RCV, .ack = SND);	OUT(ACK, FIN_WAIT_1);
	IN(FIN, .seq = RCV, .ack = SND + 1);	OUT(ACK, FIN_WAIT_2);
}

static void
text_is_sent_again_with_back_off_until_retries2(void **state)
{
	static const enum tcp_state states[] = {TCP_ESTABLISHED, TCP_CLOSE_WAIT};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(states); i++) {
		given(states[i]);
		given_in_flight(100);
		for (uint32_t retry = 1; retry <= config.retries2; retry++) {
			HAPPENS(TIMEOUT);	TOLD(OUTPUT);
			assert_int_equal(action.send, TCP_SEND_NOTHING);
			assert_int_equal(conn.state, states[i]);
			TIMER_SET(RTE_MIN(1000u << retry, config.rto_max_ms));
			assert_true((conn.flags & TCP_CONN_RETRANSMIT) != 0);
			assert_true((conn.flags & TCP_CONN_TIMER_DUE) != 0);
		}
		HAPPENS(TIMEOUT);		OUT(ABORT, CLOSED);	TOLD(TIMED_OUT);
	}
}

static void
idle_connection_is_given_up_with_a_reset(void **state)
{
	(void)state;
	GIVEN(ESTABLISHED);
	HAPPENS(TIMEOUT);			OUT(ABORT, CLOSED);	TOLD(TIMED_OUT);
	GIVEN(CLOSE_WAIT);
	HAPPENS(TIMEOUT);			OUT(ABORT, CLOSED);	TOLD(TIMED_OUT);
}

/* The kernel's knobs: after 7 s, then every 2 s, three times. */
static void
given_keepalive(void)
{
	config.keepalive_time_ms = 7000;
	config.keepalive_intvl_ms = 2000;
	config.keepalive_probes = 3;
}

static void
silent_peer_is_asked_and_given_up(void **state)
{
	(void)state;
	for (int half_closed = 0; half_closed < 2; half_closed++) {
		given(half_closed ? TCP_CLOSE_WAIT : TCP_ESTABLISHED);
		given_keepalive();
		IN(ACK, .seq = conn.rcv_nxt, .ack = SND);	TIMER_SET(7000);
		for (int i = 0; i < 3; i++) {
			HAPPENS(TIMEOUT);	TIMER_SET(2000);	TOLD(0);
			assert_int_equal(action.send, TCP_SEND_PROBE);
		}
		HAPPENS(TIMEOUT);		OUT(ABORT, CLOSED);	TOLD(TIMED_OUT);
	}
}

static void
answer_to_a_keep_alive_starts_anew(void **state)
{
	(void)state;
	GIVEN(ESTABLISHED);
	given_keepalive();
	for (int i = 0; i < 100; i++) {
		HAPPENS(TIMEOUT);		OUT(PROBE, ESTABLISHED);
		HAPPENS(TIMEOUT);		OUT(PROBE, ESTABLISHED);
		IN(ACK, .seq = RCV, .ack = SND);	OUT(NOTHING, ESTABLISHED);	TIMER_SET(7000);
		assert_int_equal(conn.retries, 0);
	}
}

static void
idle_timeout_comes_before_later_keep_alives(void **state)
{
	(void)state;
	GIVEN(ESTABLISHED);
	given_keepalive();
	config.idle_timeout_ms = 9500;
	IN(ACK, .seq = RCV, .ack = SND);	TIMER_SET(7000);
	HAPPENS(TIMEOUT);	OUT(PROBE, ESTABLISHED);	TIMER_SET(2000);
	HAPPENS(TIMEOUT);	OUT(PROBE, ESTABLISHED);	TIMER_SET(500);
	HAPPENS(TIMEOUT);	OUT(ABORT, CLOSED);		TOLD(TIMED_OUT);

	GIVEN(ESTABLISHED);
	given_keepalive();
	config.idle_timeout_ms = 7000;
	IN(ACK, .seq = RCV, .ack = SND);	TIMER_SET(7000);
	HAPPENS(TIMEOUT);	OUT(ABORT, CLOSED);		TOLD(TIMED_OUT);
}

static void
text_in_flight_is_not_asked_about(void **state)
{
	(void)state;
	GIVEN(ESTABLISHED);
	given_keepalive();
	given_in_flight(100);
	HAPPENS(TIMEOUT);	OUT(NOTHING, ESTABLISHED);	TOLD(OUTPUT);
	TIMER_SET(tcp_step_rto_ms(&conn, &config));
}

static void
closed_window_is_probed_as_long_as_the_peer_answers(void **state)
{
	uint32_t delay_ms = 0;

	(void)state;
	GIVEN(ESTABLISHED);
	conn.flags |= TCP_CONN_PERSIST;
	conn.snd_wnd = 0;
	for (int i = 0; i < 100; i++) {
		HAPPENS(TIMEOUT);		OUT(PROBE, ESTABLISHED);	TOLD(OUTPUT);
		assert_true(action.delay_ms >= RTE_MIN(delay_ms, 1000u << config.retries2 / 2));
		delay_ms = action.delay_ms;
		IN(ACK, .seq = RCV, .ack = SND, .window = 0);	OUT(NOTHING, ESTABLISHED);
		TOLD(OUTPUT);	TIMER_KEPT();
	}
	assert_int_equal(delay_ms, 1000 << (config.retries2 / 2 + 1));
	IN(ACK, .seq = RCV, .ack = SND, .window = 5);	TOLD(OUTPUT);
	assert_int_equal(conn.retries, 0);
}

static void
closed_window_without_answers_is_given_up(void **state)
{
	(void)state;
	GIVEN(CLOSE_WAIT);
	conn.flags |= TCP_CONN_PERSIST;
	conn.snd_wnd = 0;
	for (int i = 0; i < config.retries2; i++) {
		HAPPENS(TIMEOUT);		OUT(PROBE, CLOSE_WAIT);
	}
	HAPPENS(TIMEOUT);			OUT(ABORT, CLOSED);	TOLD(TIMED_OUT);
}

static void
segment_without_the_negotiated_timestamp_is_dropped_in_silence(void **state)
{
	(void)state;
	for (unsigned int s = TCP_SYN_RCVD; s < TCP_STATES; s++) {
		given((enum tcp_state)s);
		given_timestamps(100);
		IN(ACK, .seq = conn.rcv_nxt, .ack = conn.snd_nxt, .payload_length = 10);
		assert_int_equal(action.send, TCP_SEND_NOTHING);
		REFUSED(NO_TIMESTAMP);
		IN(FIN, .seq = conn.rcv_nxt, .ack = conn.snd_nxt);
		REFUSED(NO_TIMESTAMP);
		assert_int_equal(conn.state, s);
	}
}

static void
old_timestamp_is_answered_and_dropped(void **state)
{
	static const uint32_t recent[] = {100, 0, 0x80000000, UINT32_MAX};

	(void)state;
	for (unsigned int s = TCP_SYN_RCVD; s < TCP_STATES; s++) {
		for (size_t i = 0; i < RTE_DIM(recent); i++) {
			given((enum tcp_state)s);
			given_timestamps(recent[i]);
			IN(ACK, .seq = conn.rcv_nxt, .ack = conn.snd_nxt, .payload_length = 10,
					TIMESTAMP(recent[i] - 1));
			assert_int_equal(action.send, TCP_SEND_CHALLENGE_ACK);
			REFUSED(PAWS);
			IN(FIN, .seq = conn.rcv_nxt, .ack = conn.snd_nxt,
					TIMESTAMP(recent[i] - 0x7fffffff));
			REFUSED(PAWS);
			assert_int_equal(conn.state, s);
			assert_int_equal(conn.ts_recent, recent[i]);
		}
	}
}

static void
ts_recent_follows_segments_at_or_before_rcv_nxt_only(void **state)
{
	(void)state;
	GIVEN(ESTABLISHED);
	given_timestamps(UINT32_MAX);
	IN(ACK, .seq = RCV + 1, .ack = SND, TIMESTAMP(5));			TOLD(NOTHING);
	assert_int_equal(conn.ts_recent, UINT32_MAX);
	IN(ACK, .seq = RCV, .ack = SND, .payload_length = 10, TIMESTAMP(5));	TOLD(DATA);
	assert_int_equal(conn.ts_recent, 5);
	IN(ACK, .seq = RCV + 10, .ack = SND, TIMESTAMP(5));			TOLD(NOTHING);
	IN(ACK, .seq = RCV + 11, .ack = SND, .payload_length = 10, TIMESTAMP(9)); TOLD(NOTHING);
	assert_int_equal(conn.ts_recent, 5);
	IN(ACK, .seq = RCV + 10 + WND, .ack = SND, TIMESTAMP(9));		TOLD(NOTHING);
	assert_int_equal(conn.ts_recent, 5);
}

static void
first_round_trip_sets_the_rto_and_later_ones_smooth_it(void **state)
{
	(void)state;
	GIVEN(ESTABLISHED);
	given_timestamps(1);
	given_in_flight(1000);
	assert_int_equal(tcp_step_rto_ms(&conn, &config), 1000);
	IN(ACK, .seq = RCV, .ack = SND + 1, TIMESTAMP(1), .tsecr = env.ts_clock - 400);
	assert_int_equal(tcp_step_rto_ms(&conn, &config), 400 + 4 * 200);
	IN(ACK, .seq = RCV, .ack = SND + 2, TIMESTAMP(1), .tsecr = env.ts_clock - 480);
	assert_int_equal(tcp_step_rto_ms(&conn, &config), 410 + 4 * 170);
	IN(ACK, .seq = RCV, .ack = SND + 2, TIMESTAMP(1), .tsecr = env.ts_clock - 5);
	assert_int_equal(tcp_step_rto_ms(&conn, &config), 410 + 4 * 170);
	IN(ACK, .seq = RCV, .ack = SND + 3, TIMESTAMP(1), .tsecr = env.ts_clock + 1);
	assert_int_equal(tcp_step_rto_ms(&conn, &config), 410 + 4 * 170);
}

static void
rto_stays_between_its_limits(void **state)
{
	(void)state;
	GIVEN(ESTABLISHED);
	given_timestamps(1);
	given_in_flight(1000);
	IN(ACK, .seq = RCV, .ack = SND + 1, TIMESTAMP(1), .tsecr = env.ts_clock);
	assert_int_equal(tcp_step_rto_ms(&conn, &config), 200);
	config.rto_min_ms = 1000;
	assert_int_equal(tcp_step_rto_ms(&conn, &config), 1000);
	conn.retries = 255;
	assert_int_equal(tcp_step_rto_ms(&conn, &config), 100000);
	conn.retries = 0;
	for (uint32_t i = 2; i < 50; i++)
		IN(ACK, .seq = RCV, .ack = SND + i, TIMESTAMP(1), .tsecr = env.ts_clock - 59000);
	assert_int_equal(conn.srtt_8ms, UINT16_MAX);
	assert_in_range(tcp_step_rto_ms(&conn, &config), 8191, 100000);
}

static void
handshake_is_measured_without_timestamps_if_sent_once(void **state)
{
	(void)state;
	GIVEN(LISTEN);
	IN(SYN, .seq = irs);
	env.ts_clock += 300;
	IN(ACK, .seq = RCV, .ack = SND);		OUT(NOTHING, ESTABLISHED);
	assert_int_equal(tcp_step_rto_ms(&conn, &config), 300 + 4 * 150);
	GIVEN(LISTEN);
	IN(SYN, .seq = irs);
	IN(SYN, .seq = irs);
	env.ts_clock += 300;
	IN(ACK, .seq = RCV, .ack = SND);
	assert_int_equal(tcp_step_rto_ms(&conn, &config), 1000);
	GIVEN(CLOSED);
	HAPPENS(OPEN);
	env.ts_clock += 300;
	IN(SYN_ACK, .seq = irs, .ack = SND);
	assert_int_equal(tcp_step_rto_ms(&conn, &config), 300 + 4 * 150);
}

static void
text_is_not_measured_without_timestamps(void **state)
{
	(void)state;
	GIVEN(ESTABLISHED);
	given_in_flight(100);
	IN(ACK, .seq = RCV, .ack = SND + 100, .options = TCP_OPTION_TIMESTAMPS, .tsecr = 8000);
	assert_int_equal(conn.flags & TCP_CONN_RTT_MEASURED, 0);
}

static void
icmp(enum tcp_event event, uint32_t seq, uint16_t mss)
{
	const struct tcp_segment quoted = {.seq = seq, .mss = mss};

	action = tcp_step(&conn, event, &quoted, &env);
}

static void
smaller_path_lowers_the_mss_and_sends_again(void **state)
{
	(void)state;
	GIVEN(ESTABLISHED);
	given_in_flight(3000);
	icmp(TCP_EVENT_TOO_BIG, SND - 1, 1000);		OUT(NOTHING, ESTABLISHED); REFUSED(ICMP);
	icmp(TCP_EVENT_TOO_BIG, SND + 3000, 1000);	OUT(NOTHING, ESTABLISHED); REFUSED(ICMP);
	assert_int_equal(conn.mss, 1460);
	icmp(TCP_EVENT_TOO_BIG, SND, 1460);
	assert_int_equal(conn.flags & TCP_CONN_RETRANSMIT, 0);
	icmp(TCP_EVENT_TOO_BIG, SND + 2999, 1000);	OUT(NOTHING, ESTABLISHED); TOLD(OUTPUT);
	assert_int_equal(conn.mss, 1000);
	assert_true((conn.flags & TCP_CONN_RETRANSMIT) != 0);
	icmp(TCP_EVENT_TOO_BIG, SND, 0);
	assert_int_equal(conn.mss, 48);
	given_timestamps(1);
	icmp(TCP_EVENT_TOO_BIG, SND, 0);
	assert_int_equal(conn.mss, 36);
	icmp(TCP_EVENT_TOO_BIG, SND, 40);
	assert_int_equal(conn.mss, 36);
}

static void
hard_error_ends_an_active_open_and_nothing_else(void **state)
{
	(void)state;
	for (unsigned int s = TCP_SYN_RCVD; s < TCP_STATES; s++) {
		given((enum tcp_state)s);
		icmp(TCP_EVENT_UNREACHABLE, conn.snd_una, 0);
		assert_int_equal(conn.state, s);
		TOLD(NOTHING);
	}
	GIVEN(SYN_SENT);
	icmp(TCP_EVENT_UNREACHABLE, iss + 1, 0);	OUT(NOTHING, SYN_SENT);	REFUSED(ICMP);
	icmp(TCP_EVENT_UNREACHABLE, iss, 0);		OUT(NOTHING, CLOSED);	TOLD(RESET);
}

/* clang-format on */

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(option_is_used_exactly_when_offered_and_allowed),
			cmocka_unit_test(
					mss_is_the_least_of_both_with_a_floor_and_room_for_options),
			cmocka_unit_test(window_scale_above_fourteen_is_fourteen),
			cmocka_unit_test(window_of_a_syn_is_not_scaled),
			cmocka_unit_test(ecn_is_set_up_when_both_bits_ask_and_the_settings_allow),
			cmocka_unit_test(text_in_a_syn_is_ignored),
			cmocka_unit_test(text_in_order_is_taken_and_acknowledged_at_once),
			cmocka_unit_test(overlap_is_cut_off_on_both_sides),
			cmocka_unit_test(old_text_and_keep_alives_are_answered),
			cmocka_unit_test(text_behind_a_gap_gets_a_duplicate_ack),
			cmocka_unit_test(ack_is_not_acknowledged),
			cmocka_unit_test(ack_of_the_unsent_is_challenged_and_its_text_dropped),
			cmocka_unit_test(ack_older_than_a_window_is_challenged),
			cmocka_unit_test(largest_window_is_remembered),
			cmocka_unit_test(new_ack_restarts_the_timer_and_the_last_ends_it),
			cmocka_unit_test(old_ack_does_not_bring_its_window),
			cmocka_unit_test(window_update_asks_for_output),
			cmocka_unit_test(third_duplicate_ack_asks_for_retransmission),
			cmocka_unit_test(duplicate_ack_needs_something_in_flight),
			cmocka_unit_test(probe_of_our_closed_window_brings_its_ack),
			cmocka_unit_test(text_is_sent_again_with_back_off_until_retries2),
			cmocka_unit_test(idle_connection_is_given_up_with_a_reset),
			cmocka_unit_test(silent_peer_is_asked_and_given_up),
			cmocka_unit_test(answer_to_a_keep_alive_starts_anew),
			cmocka_unit_test(idle_timeout_comes_before_later_keep_alives),
			cmocka_unit_test(text_in_flight_is_not_asked_about),
			cmocka_unit_test(closed_window_is_probed_as_long_as_the_peer_answers),
			cmocka_unit_test(closed_window_without_answers_is_given_up),
			cmocka_unit_test(
					segment_without_the_negotiated_timestamp_is_dropped_in_silence),
			cmocka_unit_test(old_timestamp_is_answered_and_dropped),
			cmocka_unit_test(ts_recent_follows_segments_at_or_before_rcv_nxt_only),
			cmocka_unit_test(first_round_trip_sets_the_rto_and_later_ones_smooth_it),
			cmocka_unit_test(rto_stays_between_its_limits),
			cmocka_unit_test(handshake_is_measured_without_timestamps_if_sent_once),
			cmocka_unit_test(text_is_not_measured_without_timestamps),
			cmocka_unit_test(smaller_path_lowers_the_mss_and_sends_again),
			cmocka_unit_test(hard_error_ends_an_active_open_and_nothing_else),
	};

	return run_across_the_circle(tests, RTE_DIM(tests));
}
