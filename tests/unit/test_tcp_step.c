/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Opening, closing and refusing, exchange by exchange.
 */

#include "tcp_step_verbs.h"

/* An exchange is read in columns: what comes in, what goes out, what the caller is told. */
/* clang-format off */

static void
flags_name_the_event(void **state)
{
	(void)state;
	assert_int_equal(tcp_step_event(TCP_SYN), TCP_EVENT_SYN);
	assert_int_equal(tcp_step_event(TCP_SYN | TCP_FIN | TCP_URG), TCP_EVENT_SYN);
	assert_int_equal(tcp_step_event(TCP_SYN | TCP_PSH | TCP_ECE | TCP_CWR), TCP_EVENT_SYN);
	assert_int_equal(tcp_step_event(TCP_SYN | TCP_ACK), TCP_EVENT_SYN_ACK);
	assert_int_equal(tcp_step_event(TCP_SYN | TCP_ACK | TCP_FIN), TCP_EVENT_SYN_ACK);
	assert_int_equal(tcp_step_event(TCP_ACK | TCP_PSH), TCP_EVENT_ACK);
	assert_int_equal(tcp_step_event(TCP_ACK | TCP_FIN), TCP_EVENT_FIN);
	assert_int_equal(tcp_step_event(TCP_FIN | TCP_PSH | TCP_URG), TCP_EVENT_BARE);
	assert_int_equal(tcp_step_event(0), TCP_EVENT_BARE);
	for (unsigned int flags = 0; flags < 256; flags++)
		if ((flags & TCP_RST) != 0)
			assert_int_equal(tcp_step_event((uint8_t)flags), TCP_EVENT_RST);
}

static void
closed_port_resets_what_can_be_reset(void **state)
{
	(void)state;
	GIVEN(CLOSED);
	IN(SYN, .seq = RCV);			OUT(RST_ACK, CLOSED);
	IN(NULL_SEGMENT, .seq = RCV);		OUT(RST_ACK, CLOSED);
	IN(FIN_ONLY, .seq = RCV);		OUT(RST_ACK, CLOSED);
	IN(SYN_ACK, .seq = RCV, .ack = SND);	OUT(RST, CLOSED);
	IN(ACK, .seq = RCV, .ack = SND);	OUT(RST, CLOSED);
	IN(FIN, .seq = RCV, .ack = SND);	OUT(RST, CLOSED);
	IN(RST, .seq = RCV);			OUT(NOTHING, CLOSED);	REFUSED(BAD_RST);
	IN(RST_ACK, .seq = RCV, .ack = SND);	OUT(NOTHING, CLOSED);	REFUSED(BAD_RST);
	TOLD(NOTHING);
}

static void
listener_refuses_what_is_not_a_syn(void **state)
{
	(void)state;
	GIVEN(LISTEN);
	IN(RST, .seq = RCV);			OUT(NOTHING, LISTEN);	REFUSED(BAD_RST);
	IN(SYN | TCP_RST, .seq = RCV);		OUT(NOTHING, LISTEN);	REFUSED(BAD_RST);
	IN(ACK, .seq = RCV, .ack = SND);	OUT(RST, LISTEN);	REFUSED(BAD_ACK);
	IN(SYN_ACK, .seq = RCV, .ack = SND);	OUT(RST, LISTEN);
	IN(FIN, .seq = RCV, .ack = SND);	OUT(RST, LISTEN);
	IN(NULL_SEGMENT, .seq = RCV);		OUT(NOTHING, LISTEN);	REFUSED(NOT_A_SYN);
	IN(FIN_ONLY, .seq = RCV);		OUT(NOTHING, LISTEN);	REFUSED(NOT_A_SYN);
	IN(SYN_FIN, .seq = RCV);		OUT(NOTHING, LISTEN);	REFUSED(NOT_A_SYN);
	IN(0xff, .seq = RCV);			OUT(NOTHING, LISTEN);	REFUSED(BAD_RST);
}

static void
client_opens_and_closes_first(void **state)
{
	(void)state;
	GIVEN(LISTEN);
	IN(SYN, .seq = irs);			OUT(SYN_ACK, SYN_RCVD);	TIMER_SET(1000);
	TOLD(NOTHING);
	assert_int_equal(conn.snd_una, iss);
	assert_int_equal(conn.snd_nxt, SND);
	assert_int_equal(conn.rcv_nxt, RCV);
	IN(ACK, .seq = RCV, .ack = SND);	OUT(NOTHING, ESTABLISHED);	TOLD(OPENED);
	TIMER_SET(300000);
	assert_int_equal(conn.snd_una, SND);
	IN(FIN, .seq = RCV, .ack = SND);	OUT(ACK, CLOSE_WAIT);	TOLD(PEER_FIN);
	assert_int_equal(conn.rcv_nxt, RCV + 1);
	HAPPENS(CLOSE);				OUT(FIN, LAST_ACK);	TOLD(NOTHING);
	TIMER_SET(tcp_step_rto_ms(&conn, &config));
	assert_int_equal(conn.snd_nxt, SND + 1);
	IN(ACK, .seq = RCV + 1, .ack = SND + 1); OUT(NOTHING, CLOSED);	TOLD(ACKED | CLOSED);
	TIMER_STOPPED();
}

static void
we_open_and_close_first(void **state)
{
	(void)state;
	GIVEN(CLOSED);
	HAPPENS(OPEN);				OUT(SYN, SYN_SENT);	TIMER_SET(1000);
	assert_int_equal(conn.snd_una, iss);
	assert_int_equal(conn.snd_nxt, SND);
	assert_true((conn.flags & TCP_CONN_ACTIVE) != 0);
	IN(SYN_ACK, .seq = irs, .ack = SND);	OUT(ACK, ESTABLISHED);	TOLD(OPENED);
	assert_int_equal(conn.rcv_nxt, RCV);
	assert_int_equal(conn.snd_una, SND);
	HAPPENS(CLOSE);				OUT(FIN, FIN_WAIT_1);
	IN(ACK, .seq = RCV, .ack = SND + 1);	OUT(NOTHING, FIN_WAIT_2); TOLD(ACKED);
	TIMER_SET(60000);
	IN(FIN, .seq = RCV, .ack = SND + 1);	OUT(ACK, TIME_WAIT);	TOLD(PEER_FIN);
	TIMER_SET(120000);
	HAPPENS(TIMEOUT);			OUT(NOTHING, CLOSED);	TOLD(CLOSED);
}

static void
active_open_offers_what_the_settings_allow(void **state)
{
	(void)state;
	GIVEN(CLOSED);
	HAPPENS(OPEN);
	assert_int_equal(conn.flags, TCP_CONN_ACTIVE | TCP_CONN_TIMESTAMPS | TCP_CONN_SACK |
					     TCP_CONN_WINDOW_SCALE);
	assert_int_equal(conn.ts_recent, 0);
	GIVEN(LISTEN);
	config.timestamps = config.sack = config.window_scaling = false;
	HAPPENS(OPEN);				OUT(SYN, SYN_SENT);
	assert_int_equal(conn.flags, TCP_CONN_ACTIVE);
}

static void
third_segment_may_carry_all(void **state)
{
	(void)state;
	GIVEN(SYN_RCVD);
	IN(ACK, .seq = RCV, .ack = SND, .payload_length = 100);
	OUT(ACK, ESTABLISHED);	TOLD(OPENED | DATA);
	assert_int_equal(action.take, 100);
	GIVEN(SYN_RCVD);
	IN(FIN, .seq = RCV, .ack = SND);
	OUT(ACK, CLOSE_WAIT);	TOLD(OPENED | PEER_FIN);
	GIVEN(SYN_RCVD);
	IN(FIN, .seq = RCV, .ack = SND, .payload_length = 100);
	OUT(ACK, CLOSE_WAIT);	TOLD(OPENED | DATA | PEER_FIN);
	assert_int_equal(conn.rcv_nxt, RCV + 101);
}

static void
third_segment_lost_then_later_ones_open(void **state)
{
	(void)state;
	GIVEN(SYN_RCVD);
	IN(ACK, .seq = RCV + 100, .ack = SND, .payload_length = 100);
	OUT(ACK, ESTABLISHED);	TOLD(OPENED);	REFUSED(OUT_OF_ORDER);
	assert_int_equal(conn.rcv_nxt, RCV);
	GIVEN(SYN_RCVD);
	IN(FIN, .seq = RCV + 100, .ack = SND);
	OUT(ACK, ESTABLISHED);	TOLD(OPENED);	REFUSED(OUT_OF_ORDER);
	GIVEN(SYN_RCVD);
	env.rcv_wnd = 100;
	IN(FIN, .seq = RCV, .ack = SND, .payload_length = 100);
	OUT(ACK, ESTABLISHED);	TOLD(OPENED | DATA);
}

static void
wrong_ack_of_the_handshake_is_reset_and_the_right_one_still_works(void **state)
{
	const uint32_t wrong[] = {iss, iss - 1, SND + 1, SND + 0x40000000, SND + 0x80000000};

	(void)state;
	GIVEN(SYN_RCVD);
	for (size_t i = 0; i < RTE_DIM(wrong); i++) {
		IN(ACK, .seq = RCV, .ack = wrong[i]);	OUT(RST, SYN_RCVD);	REFUSED(BAD_ACK);
		IN(FIN, .seq = RCV, .ack = wrong[i]);	OUT(RST, SYN_RCVD);	TIMER_KEPT();
	}
	IN(ACK, .seq = RCV, .ack = SND);	OUT(NOTHING, ESTABLISHED);
}

static void
handshake_ack_outside_the_window_is_told_where_it_should_be(void **state)
{
	(void)state;
	GIVEN(SYN_RCVD);
	IN(ACK, .seq = RCV + WND, .ack = SND);	OUT(CHALLENGE_ACK, SYN_RCVD);
	REFUSED(OUT_OF_WINDOW);
	IN(ACK, .seq = RCV - 1, .ack = SND);	OUT(CHALLENGE_ACK, SYN_RCVD);
	IN(ACK, .seq = RCV - 5, .ack = SND, .payload_length = 5); OUT(ACK, SYN_RCVD);
	IN(FIN, .seq = RCV - 1, .ack = SND);	OUT(ACK, SYN_RCVD);
	IN(ACK, .seq = RCV, .ack = SND);	OUT(NOTHING, ESTABLISHED);
}

static void
syn_again_gets_the_same_answer(void **state)
{
	(void)state;
	GIVEN(LISTEN);
	IN(SYN, .seq = irs);			OUT(SYN_ACK, SYN_RCVD);
	env.isn += 12345;
	IN(SYN, .seq = irs);			OUT(SYN_ACK, SYN_RCVD);	TIMER_KEPT();
	assert_int_equal(conn.snd_una, iss);
	assert_int_equal(conn.rcv_nxt, RCV);
	IN(ACK, .seq = RCV, .ack = SND);	OUT(NOTHING, ESTABLISHED);
}

static void
other_syn_does_not_break_the_handshake(void **state)
{
	(void)state;
	GIVEN(SYN_RCVD);
	IN(SYN, .seq = RCV + 10);		OUT(CHALLENGE_ACK, SYN_RCVD);
	IN(SYN, .seq = RCV + 0x40000000);	OUT(CHALLENGE_ACK, SYN_RCVD);
	IN(SYN, .seq = RCV);			OUT(CHALLENGE_ACK, SYN_RCVD);
	IN(SYN_ACK, .seq = irs, .ack = SND);	OUT(CHALLENGE_ACK, SYN_RCVD);
	IN(ACK, .seq = RCV, .ack = SND);	OUT(NOTHING, ESTABLISHED);
}

static void
syn_ack_is_sent_again_until_patience_ends_in_silence(void **state)
{
	static const uint32_t delays[] = {2000, 4000, 8000, 16000, 32000};

	(void)state;
	GIVEN(LISTEN);
	IN(SYN, .seq = irs);			TIMER_SET(1000);
	for (size_t i = 0; i < RTE_DIM(delays); i++) {
		HAPPENS(TIMEOUT);		OUT(SYN_ACK, SYN_RCVD);	TIMER_SET(delays[i]);
		TOLD(NOTHING);
	}
	HAPPENS(TIMEOUT);			OUT(NOTHING, CLOSED);	TOLD(TIMED_OUT);
}

static void
syn_is_sent_again_until_patience_ends(void **state)
{
	static const uint32_t delays[] = {2000, 4000, 8000, 16000, 32000, 64000};

	(void)state;
	GIVEN(CLOSED);
	HAPPENS(OPEN);
	for (size_t i = 0; i < RTE_DIM(delays); i++) {
		HAPPENS(TIMEOUT);		OUT(SYN, SYN_SENT);	TIMER_SET(delays[i]);
	}
	HAPPENS(TIMEOUT);			OUT(NOTHING, CLOSED);	TOLD(TIMED_OUT);
}

static void
retried_handshake_starts_with_three_seconds(void **state)
{
	(void)state;
	GIVEN(LISTEN);
	IN(SYN, .seq = irs);
	HAPPENS(TIMEOUT);			OUT(SYN_ACK, SYN_RCVD);
	IN(ACK, .seq = RCV, .ack = SND);	OUT(NOTHING, ESTABLISHED);
	assert_true((conn.flags & TCP_CONN_SYN_RETRANSMITTED) != 0);
	assert_int_equal(tcp_step_rto_ms(&conn, &config), 3000);
	GIVEN(LISTEN);
	IN(SYN, .seq = irs, TIMESTAMP(5));
	HAPPENS(TIMEOUT);
	IN(ACK, .seq = RCV, .ack = SND, TIMESTAMP(5), .tsecr = env.ts_clock);
	assert_int_equal(tcp_step_rto_ms(&conn, &config), 3000);
}

static void
simultaneous_open_meets_in_the_middle(void **state)
{
	(void)state;
	GIVEN(CLOSED);
	HAPPENS(OPEN);				OUT(SYN, SYN_SENT);
	IN(SYN, .seq = irs);			OUT(SYN_ACK, SYN_RCVD);	TIMER_SET(1000);
	assert_int_equal(conn.snd_una, iss);
	IN(SYN_ACK, .seq = irs, .ack = SND);	OUT(ACK, ESTABLISHED);	TOLD(OPENED);
	assert_int_equal(conn.snd_una, SND);
	assert_int_equal(conn.rcv_nxt, RCV);

	GIVEN(CLOSED);
	HAPPENS(OPEN);
	IN(SYN, .seq = irs);
	HAPPENS(TIMEOUT);			OUT(SYN_ACK, SYN_RCVD);
	IN(ACK, .seq = RCV, .ack = SND);	OUT(NOTHING, ESTABLISHED);	TOLD(OPENED);
}

static void
simultaneous_open_refuses_a_wrong_ack_and_an_old_timestamp(void **state)
{
	(void)state;
	GIVEN(SYN_SENT);
	IN(SYN, .seq = irs);
	IN(SYN_ACK, .seq = irs, .ack = iss);	OUT(CHALLENGE_ACK, SYN_RCVD);
	IN(SYN_ACK, .seq = irs, .ack = SND + 1); OUT(CHALLENGE_ACK, SYN_RCVD);
	IN(SYN_ACK, .seq = irs + 7, .ack = SND); OUT(CHALLENGE_ACK, SYN_RCVD);
	given_timestamps(100);
	IN(SYN_ACK, .seq = irs, .ack = SND, TIMESTAMP(99)); OUT(CHALLENGE_ACK, SYN_RCVD);
	IN(SYN_ACK, .seq = irs, .ack = SND, TIMESTAMP(100)); OUT(ACK, ESTABLISHED);
}

static void
active_open_ignores_what_is_not_an_answer(void **state)
{
	(void)state;
	GIVEN(SYN_SENT);
	IN(SYN_ACK, .seq = irs, .ack = iss);	OUT(RST, SYN_SENT);	REFUSED(BAD_ACK);
	IN(SYN_ACK, .seq = irs, .ack = SND + 1); OUT(RST, SYN_SENT);
	IN(ACK, .seq = irs, .ack = iss - 100);	OUT(RST, SYN_SENT);	TIMER_KEPT();
	IN(FIN, .seq = irs, .ack = SND + 9);	OUT(RST, SYN_SENT);
	IN(ACK, .seq = irs, .ack = SND);	OUT(NOTHING, SYN_SENT);	REFUSED(STATE);
	IN(FIN, .seq = irs, .ack = SND);	OUT(NOTHING, SYN_SENT);	REFUSED(STATE);
	IN(FIN_ONLY, .seq = irs);		OUT(NOTHING, SYN_SENT);	REFUSED(STATE);
	IN(RST, .seq = irs);			OUT(NOTHING, SYN_SENT);	REFUSED(BAD_RST);
	IN(RST_ACK, .seq = irs, .ack = iss);	OUT(NOTHING, SYN_SENT);	REFUSED(BAD_RST);
	IN(RST_ACK, .seq = irs, .ack = SND + 1); OUT(NOTHING, SYN_SENT);
	IN(SYN_ACK, .seq = irs, .ack = SND);	OUT(ACK, ESTABLISHED);
}

static void
active_open_is_refused_by_a_reset_of_its_syn(void **state)
{
	(void)state;
	GIVEN(SYN_SENT);
	IN(RST_ACK, .seq = 0, .ack = SND);	OUT(NOTHING, CLOSED);	TOLD(RESET);
	TIMER_STOPPED();
}

static void
text_and_fin_of_a_syn_ack_are_left_to_be_sent_again(void **state)
{
	(void)state;
	GIVEN(SYN_SENT);
	IN(SYN_ACK | TCP_FIN, .seq = irs, .ack = SND, .payload_length = 10);
	OUT(ACK, ESTABLISHED);	TOLD(OPENED);
	assert_int_equal(conn.rcv_nxt, RCV);
}

static void
both_close_at_once(void **state)
{
	(void)state;
	GIVEN(ESTABLISHED);
	HAPPENS(CLOSE);				OUT(FIN, FIN_WAIT_1);
	IN(FIN, .seq = RCV, .ack = SND);	OUT(ACK, CLOSING);	TOLD(PEER_FIN);
	TIMER_KEPT();
	IN(ACK, .seq = RCV + 1, .ack = SND + 1); OUT(NOTHING, TIME_WAIT); TOLD(ACKED);
	TIMER_SET(120000);
}

static void
fin_that_acknowledges_ours_goes_straight_to_time_wait(void **state)
{
	(void)state;
	GIVEN(FIN_WAIT_1);
	IN(FIN, .seq = RCV, .ack = SND + 1);	OUT(ACK, TIME_WAIT);	TOLD(ACKED | PEER_FIN);
	GIVEN(FIN_WAIT_1);
	IN(FIN, .seq = RCV, .ack = SND + 1, .payload_length = 5);
	OUT(ACK, TIME_WAIT);	TOLD(ACKED | PEER_FIN | DATA);
	assert_int_equal(conn.rcv_nxt, RCV + 6);
}

static void
half_closed_peer_goes_on_sending(void **state)
{
	(void)state;
	GIVEN(FIN_WAIT_1);
	IN(ACK, .seq = RCV, .ack = SND, .payload_length = 5); OUT(ACK, FIN_WAIT_1); TOLD(DATA);
	IN(ACK, .seq = RCV + 5, .ack = SND + 1, .payload_length = 5);
	OUT(ACK, FIN_WAIT_2);	TOLD(ACKED | DATA);	TIMER_SET(60000);
	IN(ACK, .seq = RCV + 10, .ack = SND + 1, .payload_length = 5);
	OUT(ACK, FIN_WAIT_2);	TOLD(DATA);	TIMER_SET(60000);
	IN(ACK, .seq = RCV + 20, .ack = SND + 1, .payload_length = 5);
	OUT(ACK, FIN_WAIT_2);	REFUSED(OUT_OF_ORDER);
	IN(ACK, .seq = RCV + 15, .ack = SND + 1); OUT(NOTHING, FIN_WAIT_2);	TIMER_KEPT();
	IN(FIN, .seq = RCV + 15, .ack = SND + 1, .payload_length = 5);
	OUT(ACK, TIME_WAIT);	TOLD(DATA | PEER_FIN);
}

static void
text_for_nobody_is_answered_by_a_reset(void **state)
{
	static const enum tcp_state half_closed[] = {TCP_FIN_WAIT_1, TCP_FIN_WAIT_2};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(half_closed); i++) {
		given(half_closed[i]);
		conn.flags |= TCP_CONN_ORPHAN;
		IN(ACK, .seq = RCV, .ack = SND + 1, .payload_length = 5);
		OUT(ABORT, CLOSED);	TOLD(RESET);
		given(half_closed[i]);
		conn.flags |= TCP_CONN_ORPHAN;
		IN(FIN, .seq = RCV, .ack = SND + 1, .payload_length = 5);
		OUT(ABORT, CLOSED);	TOLD(RESET);
		given(half_closed[i]);
		conn.flags |= TCP_CONN_ORPHAN;
		IN(FIN, .seq = RCV, .ack = SND + 1);
		OUT(ACK, TIME_WAIT);
	}
}

static void
fin_behind_a_gap_waits_for_its_turn(void **state)
{
	(void)state;
	GIVEN(ESTABLISHED);
	IN(FIN, .seq = RCV + 10, .ack = SND, .payload_length = 5);
	OUT(ACK, ESTABLISHED);	TOLD(NOTHING);	REFUSED(OUT_OF_ORDER);
	GIVEN(FIN_WAIT_1);
	IN(FIN, .seq = RCV + 10, .ack = SND); OUT(ACK, FIN_WAIT_1);	REFUSED(OUT_OF_ORDER);
	IN(FIN, .seq = RCV + 10, .ack = SND + 1); OUT(ACK, FIN_WAIT_2);	REFUSED(OUT_OF_ORDER);
	TOLD(ACKED);
	IN(FIN, .seq = RCV + 10, .ack = SND + 1); OUT(ACK, FIN_WAIT_2);	REFUSED(OUT_OF_ORDER);
}

static void
fin_beyond_the_window_is_not_taken_but_the_text_before_is(void **state)
{
	(void)state;
	GIVEN(ESTABLISHED);
	env.rcv_wnd = 5;
	IN(FIN, .seq = RCV, .ack = SND, .payload_length = 5);
	OUT(ACK, ESTABLISHED);	TOLD(DATA);
	assert_int_equal(conn.rcv_nxt, RCV + 5);
	IN(FIN, .seq = RCV, .ack = SND, .payload_length = 5);	OUT(ACK, CLOSE_WAIT);
	TOLD(PEER_FIN);

	GIVEN(FIN_WAIT_1);
	env.rcv_wnd = 5;
	IN(FIN, .seq = RCV, .ack = SND, .payload_length = 5);	OUT(ACK, FIN_WAIT_1);
	IN(FIN, .seq = RCV + 5, .ack = SND + 1, .payload_length = 5); OUT(ACK, FIN_WAIT_2);
	TOLD(ACKED | DATA);
	IN(FIN, .seq = RCV + 10, .ack = SND + 1, .payload_length = 5); OUT(ACK, FIN_WAIT_2);
	TOLD(DATA);
}

static void
retransmitted_fin_is_acknowledged_in_every_state(void **state)
{
	(void)state;
	for (unsigned int s = TCP_CLOSE_WAIT; s <= TCP_TIME_WAIT; s++) {
		given((enum tcp_state)s);
		IN(FIN, .seq = RCV, .ack = conn.snd_una);
		assert_int_equal(action.send, TCP_SEND_ACK);
		assert_int_equal(conn.state, s);
		assert_int_equal(conn.rcv_nxt, RCV + 1);
		TOLD(NOTHING);
		assert_int_equal(action.timer,
				s == TCP_TIME_WAIT ? TCP_TIMER_SET : TCP_TIMER_KEEP);
	}
}

static void
text_and_fin_behind_the_fin_move_nothing(void **state)
{
	(void)state;
	for (unsigned int s = TCP_CLOSE_WAIT; s <= TCP_TIME_WAIT; s++) {
		given((enum tcp_state)s);
		IN(ACK, .seq = RCV + 1, .ack = conn.snd_una, .payload_length = 5);
		assert_int_equal(action.send, TCP_SEND_NOTHING);
		IN(FIN, .seq = RCV + 1, .ack = conn.snd_una, .payload_length = 5);
		assert_int_equal(action.send, TCP_SEND_ACK);
		assert_int_equal(conn.state, s);
		assert_int_equal(conn.rcv_nxt, RCV + 1);
		TOLD(NOTHING);
	}
	GIVEN(CLOSING);
	IN(FIN, .seq = RCV + 1, .ack = SND + 1);	OUT(ACK, TIME_WAIT);	TOLD(ACKED);
	TIMER_SET(120000);
	GIVEN(LAST_ACK);
	IN(FIN, .seq = RCV + 1, .ack = SND + 1);	OUT(NOTHING, CLOSED);
}

static void
last_ack_waits_for_the_ack_of_the_fin(void **state)
{
	(void)state;
	GIVEN(LAST_ACK);
	conn.snd_una -= 10;
	IN(ACK, .seq = RCV + 1, .ack = SND - 5); OUT(NOTHING, LAST_ACK); TOLD(ACKED);
	IN(ACK, .seq = RCV + 1, .ack = SND);	OUT(NOTHING, LAST_ACK);
	IN(ACK, .seq = RCV + 1, .ack = SND + 2); OUT(CHALLENGE_ACK, LAST_ACK); REFUSED(BAD_ACK);
	IN(ACK, .seq = RCV + 1, .ack = SND + 1); OUT(NOTHING, CLOSED);	TOLD(ACKED | CLOSED);
}

static void
fin_is_sent_again_until_orphan_retries(void **state)
{
	static const enum tcp_state states[] = {TCP_FIN_WAIT_1, TCP_CLOSING, TCP_LAST_ACK};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(states); i++) {
		given(states[i]);
		for (uint32_t retry = 1; retry <= config.orphan_retries; retry++) {
			HAPPENS(TIMEOUT);
			assert_int_equal(conn.state, states[i]);
			TOLD(OUTPUT);
			TIMER_SET(1000u << retry);
			assert_true((conn.flags & TCP_CONN_RETRANSMIT) != 0);
		}
		HAPPENS(TIMEOUT);		OUT(NOTHING, CLOSED);	TOLD(TIMED_OUT);
	}
}

static void
fin_wait_2_ends_when_nobody_closes(void **state)
{
	(void)state;
	GIVEN(FIN_WAIT_2);
	HAPPENS(TIMEOUT);			OUT(NOTHING, CLOSED);	TOLD(TIMED_OUT);
}

static void
close_waits_for_the_handshake_to_end(void **state)
{
	(void)state;
	GIVEN(SYN_RCVD);
	HAPPENS(CLOSE);				OUT(NOTHING, SYN_RCVD);	TOLD(NOTHING);
	TIMER_KEPT();
	HAPPENS(TIMEOUT);			OUT(SYN_ACK, SYN_RCVD);
	IN(ACK, .seq = RCV, .ack = SND);	OUT(NOTHING, ESTABLISHED);	TOLD(OPENED);
	HAPPENS(CLOSE);				OUT(FIN, FIN_WAIT_1);
}

static void
close_without_a_peer_is_silent(void **state)
{
	(void)state;
	GIVEN(SYN_SENT);
	HAPPENS(CLOSE);				OUT(NOTHING, CLOSED);	TOLD(CLOSED);
	GIVEN(LISTEN);
	HAPPENS(CLOSE);				OUT(NOTHING, CLOSED);	TOLD(CLOSED);
}

static void
events_that_mean_nothing_are_refused(void **state)
{
	static const struct {
		enum tcp_state state;
		enum tcp_event event;
	} cells[] = {
			{TCP_CLOSED, TCP_EVENT_CLOSE}, {TCP_CLOSED, TCP_EVENT_ABORT},
			{TCP_CLOSED, TCP_EVENT_TIMEOUT}, {TCP_LISTEN, TCP_EVENT_TIMEOUT},
			{TCP_FIN_WAIT_1, TCP_EVENT_CLOSE}, {TCP_FIN_WAIT_2, TCP_EVENT_CLOSE},
			{TCP_CLOSING, TCP_EVENT_CLOSE}, {TCP_LAST_ACK, TCP_EVENT_CLOSE},
			{TCP_TIME_WAIT, TCP_EVENT_CLOSE}, {TCP_ESTABLISHED, TCP_EVENT_OPEN},
	};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(cells); i++) {
		struct tcp_conn before;

		given(cells[i].state);
		before = conn;
		happens(cells[i].event);
		REFUSED(STATE);
		TOLD(NOTHING);
		TIMER_KEPT();
		assert_int_equal(action.rule, 0);
		assert_memory_equal(&conn, &before, sizeof(conn));
	}
}

static void
abort_resets_who_could_still_be_waiting(void **state)
{
	(void)state;
	for (unsigned int s = TCP_LISTEN; s < TCP_STATES; s++) {
		const bool resets = s >= TCP_SYN_RCVD && s <= TCP_CLOSE_WAIT;

		given((enum tcp_state)s);
		HAPPENS(ABORT);
		assert_int_equal(action.send, resets ? TCP_SEND_ABORT : TCP_SEND_NOTHING);
		assert_int_equal(conn.state, TCP_CLOSED);
		TOLD(s >= TCP_CLOSING ? CLOSED : RESET);
		TIMER_STOPPED();
	}
}

static void
exact_reset_ends_every_state(void **state)
{
	(void)state;
	for (unsigned int s = TCP_SYN_RCVD; s < TCP_STATES; s++) {
		given((enum tcp_state)s);
		given_timestamps(100);
		IN(RST, .seq = conn.rcv_nxt, .ack = 12345);
		OUT(NOTHING, CLOSED);	TOLD(RESET);	TIMER_STOPPED();
		given((enum tcp_state)s);
		env.rcv_wnd = 0;
		IN(RST_ACK, .seq = conn.rcv_nxt, .ack = SND);
		OUT(NOTHING, CLOSED);	TOLD(RESET);
	}
}

static void
blind_reset_is_challenged(void **state)
{
	(void)state;
	for (unsigned int s = TCP_SYN_RCVD; s < TCP_STATES; s++) {
		given((enum tcp_state)s);
		IN(RST, .seq = conn.rcv_nxt + 1);
		assert_int_equal(action.send, TCP_SEND_CHALLENGE_ACK);
		IN(RST, .seq = conn.rcv_nxt + WND - 1);
		assert_int_equal(action.send, TCP_SEND_CHALLENGE_ACK);
		assert_int_equal(conn.state, s);
		TIMER_KEPT();
	}
}

static void
reset_outside_the_window_is_ignored(void **state)
{
	(void)state;
	for (unsigned int s = TCP_SYN_RCVD; s < TCP_STATES; s++) {
		given((enum tcp_state)s);
		IN(RST, .seq = conn.rcv_nxt - 1);
		assert_int_equal(action.send, TCP_SEND_NOTHING);
		REFUSED(BAD_RST);
		IN(RST, .seq = conn.rcv_nxt + WND);
		assert_int_equal(action.send, TCP_SEND_NOTHING);
		REFUSED(BAD_RST);
		assert_int_equal(conn.state, s);
	}
}

static void
syn_in_a_synchronized_state_is_challenged(void **state)
{
	(void)state;
	for (size_t i = 0; i < RTE_DIM(synchronized_states); i++) {
		const uint32_t offsets[] = {-1u, 0, 1, WND - 1, WND, 0x80000000};

		for (size_t k = 0; k < RTE_DIM(offsets); k++) {
			given(synchronized_states[i]);
			IN(SYN_ACK, .seq = conn.rcv_nxt + offsets[k], .ack = conn.snd_una);
			assert_int_equal(action.send, TCP_SEND_CHALLENGE_ACK);
			assert_int_equal(conn.state, synchronized_states[i]);
			if (synchronized_states[i] == TCP_TIME_WAIT)
				continue;
			IN(SYN, .seq = conn.rcv_nxt + offsets[k]);
			assert_int_equal(action.send, TCP_SEND_CHALLENGE_ACK);
			assert_int_equal(conn.state, synchronized_states[i]);
		}
	}
}

static void
segment_without_ack_is_dropped(void **state)
{
	(void)state;
	for (unsigned int s = TCP_SYN_RCVD; s < TCP_STATES; s++) {
		given((enum tcp_state)s);
		IN(FIN_ONLY, .seq = conn.rcv_nxt);
		assert_int_equal(action.send, TCP_SEND_NOTHING);
		REFUSED(NO_ACK);
		IN(NULL_SEGMENT, .seq = conn.rcv_nxt, .payload_length = 5);
		REFUSED(NO_ACK);
		assert_int_equal(conn.state, s);
		TIMER_KEPT();
	}
}

static void
time_wait_acknowledges_and_is_silent_to_acks(void **state)
{
	(void)state;
	GIVEN(TIME_WAIT);
	IN(ACK, .seq = RCV + 1, .ack = SND + 1); OUT(NOTHING, TIME_WAIT); TIMER_KEPT();
	IN(ACK, .seq = RCV - 5, .ack = SND + 1, .payload_length = 5); OUT(ACK, TIME_WAIT);
	TIMER_KEPT();
	IN(ACK, .seq = RCV, .ack = SND + 1);	OUT(CHALLENGE_ACK, TIME_WAIT);
	IN(ACK, .seq = RCV + 1, .ack = SND + 2); OUT(CHALLENGE_ACK, TIME_WAIT); REFUSED(BAD_ACK);
	IN(FIN, .seq = RCV, .ack = SND + 2);	OUT(ACK, TIME_WAIT);	TIMER_KEPT();
	IN(FIN, .seq = RCV, .ack = SND + 1);	OUT(ACK, TIME_WAIT);	TIMER_SET(120000);
	given_timestamps(100);
	IN(FIN, .seq = RCV + 1, .ack = SND + 1, TIMESTAMP(102));	OUT(ACK, TIME_WAIT);
	assert_int_equal(conn.ts_recent, 102);
	IN(FIN, .seq = RCV, .ack = SND + 1, TIMESTAMP(103));	OUT(ACK, TIME_WAIT);
	assert_int_equal(conn.ts_recent, 103);
}

static void
rfc1337_keeps_time_wait_alive(void **state)
{
	(void)state;
	GIVEN(TIME_WAIT);
	config.rfc1337 = true;
	IN(RST, .seq = RCV + 1);		OUT(NOTHING, TIME_WAIT); REFUSED(BAD_RST);
	IN(RST, .seq = RCV + 2);		OUT(NOTHING, TIME_WAIT); REFUSED(BAD_RST);
	config.rfc1337 = false;
	IN(RST, .seq = RCV + 1);		OUT(NOTHING, CLOSED);
}

static void
new_incarnation_needs_a_higher_number_without_timestamps(void **state)
{
	(void)state;
	GIVEN(TIME_WAIT);
	IN(SYN, .seq = RCV);			OUT(CHALLENGE_ACK, TIME_WAIT);
	IN(SYN, .seq = RCV + 1);		OUT(CHALLENGE_ACK, TIME_WAIT);
	IN(SYN_FIN, .seq = RCV + 2);		OUT(CHALLENGE_ACK, TIME_WAIT);
	IN(SYN, .seq = RCV + 2 + 0x80000000);	OUT(CHALLENGE_ACK, TIME_WAIT);
	IN(SYN, .seq = RCV + 2);		OUT(SYN_ACK, SYN_RCVD);	TIMER_SET(1000);
	assert_int_equal(conn.rcv_nxt, RCV + 3);
	assert_int_equal(conn.flags & TCP_CONN_FIN_SENT, 0);
}

static void
new_incarnation_is_known_by_its_timestamp(void **state)
{
	(void)state;
	GIVEN(TIME_WAIT);
	given_timestamps(100);
	IN(SYN, .seq = RCV + 9, TIMESTAMP(99));	OUT(CHALLENGE_ACK, TIME_WAIT);
	IN(SYN, .seq = RCV - 9, TIMESTAMP(100)); OUT(CHALLENGE_ACK, TIME_WAIT);
	IN(SYN, .seq = RCV - 9, TIMESTAMP(101)); OUT(SYN_ACK, SYN_RCVD);
	assert_int_equal(conn.ts_recent, 101);
	GIVEN(TIME_WAIT);
	given_timestamps(100);
	IN(SYN, .seq = RCV + 9, TIMESTAMP(100)); OUT(SYN_ACK, SYN_RCVD);
	GIVEN(TIME_WAIT);
	given_timestamps(100);
	IN(SYN, .seq = RCV - 9);		OUT(CHALLENGE_ACK, TIME_WAIT);
	IN(SYN, .seq = RCV + 9);		OUT(SYN_ACK, SYN_RCVD);
	assert_int_equal(conn.flags & TCP_CONN_TIMESTAMPS, 0);
	GIVEN(TIME_WAIT);
	IN(SYN, .seq = RCV - 9, TIMESTAMP(1));	OUT(SYN_ACK, SYN_RCVD);
	GIVEN(TIME_WAIT);
	config.timestamps = false;
	IN(SYN, .seq = RCV - 9, TIMESTAMP(1));	OUT(CHALLENGE_ACK, TIME_WAIT);
}

static void
new_incarnation_begins_above_the_old_numbers(void **state)
{
	(void)state;
	GIVEN(TIME_WAIT);
	env.isn = conn.snd_nxt + 12;
	IN(SYN, .seq = RCV + 9);		OUT(SYN_ACK, SYN_RCVD);
	assert_int_equal(conn.snd_una, SND + 1 + 12);
	assert_int_equal(conn.snd_nxt, SND + 1 + 13);
	GIVEN(TIME_WAIT);
	env.isn = conn.snd_nxt;
	IN(SYN, .seq = RCV + 9);
	assert_true((int32_t)(conn.snd_una - (SND + 1)) > 0);
	GIVEN(TIME_WAIT);
	env.isn = conn.snd_nxt - 0x7fffffff;
	IN(SYN, .seq = RCV + 9);
	assert_true((int32_t)(conn.snd_una - (SND + 1)) > 0);
	assert_int_equal(conn.snd_nxt, conn.snd_una + 1);
}

/* clang-format on */

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(flags_name_the_event),
			cmocka_unit_test(closed_port_resets_what_can_be_reset),
			cmocka_unit_test(listener_refuses_what_is_not_a_syn),
			cmocka_unit_test(client_opens_and_closes_first),
			cmocka_unit_test(we_open_and_close_first),
			cmocka_unit_test(active_open_offers_what_the_settings_allow),
			cmocka_unit_test(third_segment_may_carry_all),
			cmocka_unit_test(third_segment_lost_then_later_ones_open),
			cmocka_unit_test(
					wrong_ack_of_the_handshake_is_reset_and_the_right_one_still_works),
			cmocka_unit_test(
					handshake_ack_outside_the_window_is_told_where_it_should_be),
			cmocka_unit_test(syn_again_gets_the_same_answer),
			cmocka_unit_test(other_syn_does_not_break_the_handshake),
			cmocka_unit_test(syn_ack_is_sent_again_until_patience_ends_in_silence),
			cmocka_unit_test(syn_is_sent_again_until_patience_ends),
			cmocka_unit_test(retried_handshake_starts_with_three_seconds),
			cmocka_unit_test(simultaneous_open_meets_in_the_middle),
			cmocka_unit_test(
					simultaneous_open_refuses_a_wrong_ack_and_an_old_timestamp),
			cmocka_unit_test(active_open_ignores_what_is_not_an_answer),
			cmocka_unit_test(active_open_is_refused_by_a_reset_of_its_syn),
			cmocka_unit_test(text_and_fin_of_a_syn_ack_are_left_to_be_sent_again),
			cmocka_unit_test(both_close_at_once),
			cmocka_unit_test(fin_that_acknowledges_ours_goes_straight_to_time_wait),
			cmocka_unit_test(half_closed_peer_goes_on_sending),
			cmocka_unit_test(text_for_nobody_is_answered_by_a_reset),
			cmocka_unit_test(fin_behind_a_gap_waits_for_its_turn),
			cmocka_unit_test(fin_beyond_the_window_is_not_taken_but_the_text_before_is),
			cmocka_unit_test(retransmitted_fin_is_acknowledged_in_every_state),
			cmocka_unit_test(text_and_fin_behind_the_fin_move_nothing),
			cmocka_unit_test(last_ack_waits_for_the_ack_of_the_fin),
			cmocka_unit_test(fin_is_sent_again_until_orphan_retries),
			cmocka_unit_test(fin_wait_2_ends_when_nobody_closes),
			cmocka_unit_test(close_waits_for_the_handshake_to_end),
			cmocka_unit_test(close_without_a_peer_is_silent),
			cmocka_unit_test(events_that_mean_nothing_are_refused),
			cmocka_unit_test(abort_resets_who_could_still_be_waiting),
			cmocka_unit_test(exact_reset_ends_every_state),
			cmocka_unit_test(blind_reset_is_challenged),
			cmocka_unit_test(reset_outside_the_window_is_ignored),
			cmocka_unit_test(syn_in_a_synchronized_state_is_challenged),
			cmocka_unit_test(segment_without_ack_is_dropped),
			cmocka_unit_test(time_wait_acknowledges_and_is_silent_to_acks),
			cmocka_unit_test(rfc1337_keeps_time_wait_alive),
			cmocka_unit_test(new_incarnation_needs_a_higher_number_without_timestamps),
			cmocka_unit_test(new_incarnation_is_known_by_its_timestamp),
			cmocka_unit_test(new_incarnation_begins_above_the_old_numbers),
	};

	return run_across_the_circle(tests, RTE_DIM(tests));
}
