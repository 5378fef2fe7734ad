/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * TCP Fast Open (RFC 7413), exchange by exchange: what a SYN's text does, and does not.
 */

#include "tcp_step_verbs.h"

#define TEXT 700 /* Bytes that the SYN brings. */

/* clang-format off */

static void
given_fast_open(void)
{
	given(TCP_LISTEN);
	env.fast_open = true;
	in((struct tcp_segment){.window = WND, .flags = SYN, .seq = irs, .payload_length = TEXT});
	env.fast_open = false;
}

static void
text_with_a_good_cookie_is_taken_with_the_syn(void **state)
{
	(void)state;
	given_fast_open();			OUT(SYN_ACK, SYN_RCVD);	TOLD(DATA);
	TIMER_SET(1000);
	assert_int_equal(action.skip, 0);
	assert_int_equal(action.take, TEXT);
	assert_int_equal(conn.rcv_nxt, RCV + TEXT);
	assert_int_equal(conn.snd_una, iss);
	assert_int_equal(conn.snd_nxt, SND);
	assert_int_equal(tcp_conn_syn_text(&conn), TEXT);
	assert_int_equal(conn.cwnd, 10);
	IN(ACK, .seq = RCV + TEXT, .ack = SND);	OUT(NOTHING, ESTABLISHED);	TOLD(OPENED);
	assert_int_equal(tcp_conn_syn_text(&conn), 0);
	TIMER_SET(300000);
}

static void
text_without_a_good_cookie_is_left_to_be_sent_again(void **state)
{
	(void)state;
	GIVEN(LISTEN);
	IN(SYN, .seq = irs, .payload_length = TEXT);	OUT(SYN_ACK, SYN_RCVD);	TOLD(NOTHING);
	assert_int_equal(conn.rcv_nxt, RCV);
	assert_int_equal(conn.cwnd, 0);
	IN(ACK, .seq = RCV, .ack = SND, .payload_length = TEXT);
	OUT(ACK, ESTABLISHED);			TOLD(OPENED | DATA);
	assert_int_equal(action.skip, 0);
	assert_int_equal(action.take, TEXT);
}

static void
cookie_without_text_opens_as_ever(void **state)
{
	(void)state;
	GIVEN(LISTEN);
	env.fast_open = true;
	IN(SYN, .seq = irs);			OUT(SYN_ACK, SYN_RCVD);	TOLD(NOTHING);
	assert_int_equal(conn.rcv_nxt, RCV);
	assert_int_equal(tcp_conn_syn_text(&conn), 0);
	GIVEN(LISTEN);
	env.fast_open = true;
	env.rcv_wnd = 0;
	IN(SYN, .seq = irs, .payload_length = TEXT);	OUT(SYN_ACK, SYN_RCVD);	TOLD(NOTHING);
	assert_int_equal(conn.rcv_nxt, RCV);
}

static void
text_beyond_the_window_is_left_to_be_sent_again(void **state)
{
	(void)state;
	GIVEN(LISTEN);
	env.fast_open = true;
	env.rcv_wnd = 100;
	IN(SYN, .seq = irs, .payload_length = TEXT);	OUT(SYN_ACK, SYN_RCVD);	TOLD(DATA);
	assert_int_equal(action.take, 100);
	assert_int_equal(conn.rcv_nxt, RCV + 100);
	GIVEN(LISTEN);
	env.fast_open = true;
	env.rcv_wnd = 100000;
	IN(SYN, .seq = irs, .payload_length = 60000);	TOLD(DATA);
	assert_int_equal(action.take, TCP_CONN_SYN_TEXT_MAX);
	assert_int_equal(conn.rcv_nxt, RCV + TCP_CONN_SYN_TEXT_MAX);
	assert_int_equal(tcp_conn_syn_text(&conn), TCP_CONN_SYN_TEXT_MAX);
}

static void
syn_with_fin_opens_nothing_whatever_its_cookie(void **state)
{
	(void)state;
	GIVEN(LISTEN);
	env.fast_open = true;
	IN(SYN_FIN, .seq = irs, .payload_length = TEXT);
	OUT(NOTHING, LISTEN);			REFUSED(NOT_A_SYN);
}

static void
retransmitted_syn_is_known_with_and_without_its_text(void **state)
{
	(void)state;
	given_fast_open();
	IN(SYN, .seq = irs, .payload_length = TEXT);	OUT(SYN_ACK, SYN_RCVD);	TOLD(NOTHING);
	TIMER_KEPT();
	assert_int_equal(conn.rcv_nxt, RCV + TEXT);
	assert_int_equal(tcp_conn_syn_text(&conn), TEXT);
	IN(SYN, .seq = irs);			OUT(SYN_ACK, SYN_RCVD);	TOLD(NOTHING);
	assert_int_equal(conn.rcv_nxt, RCV + TEXT);
	/* Neighbours of the number are not the SYN. */
	IN(SYN, .seq = irs - 1);		OUT(CHALLENGE_ACK, SYN_RCVD);
	IN(SYN, .seq = RCV);			OUT(CHALLENGE_ACK, SYN_RCVD);
	IN(SYN, .seq = RCV + TEXT - 1);		OUT(CHALLENGE_ACK, SYN_RCVD);
	/* A cookie that comes later opens nothing. */
	GIVEN(LISTEN);
	IN(SYN, .seq = irs, .payload_length = TEXT);	OUT(SYN_ACK, SYN_RCVD);
	env.fast_open = true;
	IN(SYN, .seq = irs, .payload_length = TEXT);	OUT(SYN_ACK, SYN_RCVD);	TOLD(NOTHING);
	assert_int_equal(conn.rcv_nxt, RCV);
}

static void
timeouts_repeat_the_syn_ack_only(void **state)
{
	(void)state;
	given_fast_open();
	given_in_flight(1000); /* The answer. */
	for (unsigned int i = 0; i < config.synack_retries; i++) {
		HAPPENS(TIMEOUT);		OUT(SYN_ACK, SYN_RCVD);	TOLD(NOTHING);
		assert_int_equal(conn.flags & TCP_CONN_RETRANSMIT, 0);
		assert_int_equal(conn.rcv_nxt, RCV + TEXT);
	}
	HAPPENS(TIMEOUT);			OUT(NOTHING, CLOSED);	TOLD(TIMED_OUT);
}

static void
answer_may_be_acknowledged_with_our_syn_or_after_it(void **state)
{
	(void)state;
	given_fast_open();
	given_in_flight(1000);
	IN(ACK, .seq = RCV + TEXT, .ack = SND + 1000);
	OUT(NOTHING, ESTABLISHED);		TOLD(OPENED);
	assert_int_equal(conn.snd_una, SND + 1000);
	TIMER_SET(300000);

	given_fast_open();
	given_in_flight(1000);
	IN(ACK, .seq = RCV + TEXT, .ack = SND);	OUT(NOTHING, ESTABLISHED);	TOLD(OPENED);
	assert_int_equal(conn.snd_una, SND);
	TIMER_SET(tcp_step_rto_ms(&conn, &config));
	IN(ACK, .seq = RCV + TEXT, .ack = SND + 1000);	TOLD(ACKED);

	given_fast_open();
	given_in_flight(1000);
	IN(ACK, .seq = RCV + TEXT, .ack = iss);	OUT(RST, SYN_RCVD);	REFUSED(BAD_ACK);
	IN(ACK, .seq = RCV + TEXT, .ack = SND + 1001);
	OUT(RST, SYN_RCVD);			REFUSED(BAD_ACK);
}

static void
peer_may_close_with_the_third_segment(void **state)
{
	(void)state;
	given_fast_open();
	IN(FIN, .seq = RCV + TEXT, .ack = SND);	OUT(ACK, CLOSE_WAIT);	TOLD(OPENED | PEER_FIN);
}

static void
text_of_the_syn_that_comes_again_is_not_taken_twice(void **state)
{
	(void)state;
	given_fast_open();
	IN(ACK, .seq = RCV, .ack = SND, .payload_length = TEXT);
	OUT(ACK, SYN_RCVD);			REFUSED(OUT_OF_WINDOW);	TOLD(NOTHING);
	IN(ACK, .seq = RCV, .ack = SND, .payload_length = TEXT + 5);
	OUT(ACK, ESTABLISHED);			TOLD(OPENED | DATA);
	assert_int_equal(action.skip, TEXT);
	assert_int_equal(action.take, 5);
}

static void
reset_ends_a_pending_fast_open(void **state)
{
	(void)state;
	given_fast_open();
	IN(RST, .seq = RCV + TEXT);		OUT(NOTHING, CLOSED);	TOLD(RESET);
	given_fast_open();
	IN(RST, .seq = RCV + TEXT + 1);		OUT(CHALLENGE_ACK, SYN_RCVD);
}

static void
round_trip_is_measured_as_ever(void **state)
{
	(void)state;
	given_fast_open();
	env.ts_clock += 300;
	IN(ACK, .seq = RCV + TEXT, .ack = SND);	OUT(NOTHING, ESTABLISHED);
	assert_int_equal(conn.srtt_8ms, 8 * 300);
	/* Not when our SYN went out twice (Karn). */
	given_fast_open();
	IN(SYN, .seq = irs);			OUT(SYN_ACK, SYN_RCVD);
	env.ts_clock += 300;
	IN(ACK, .seq = RCV + TEXT, .ack = SND);	OUT(NOTHING, ESTABLISHED);
	assert_int_equal(conn.flags & TCP_CONN_RTT_MEASURED, 0);
}

static void
time_wait_is_not_reopened_fast(void **state)
{
	(void)state;
	GIVEN(TIME_WAIT);
	env.fast_open = true;
	IN(SYN, .seq = RCV + 1000, .payload_length = TEXT);
	OUT(SYN_ACK, SYN_RCVD);			TOLD(NOTHING);
	assert_int_equal(conn.rcv_nxt, RCV + 1001);
	assert_int_equal(tcp_conn_syn_text(&conn), 0);
}

/* clang-format on */

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(text_with_a_good_cookie_is_taken_with_the_syn),
			cmocka_unit_test(text_without_a_good_cookie_is_left_to_be_sent_again),
			cmocka_unit_test(cookie_without_text_opens_as_ever),
			cmocka_unit_test(text_beyond_the_window_is_left_to_be_sent_again),
			cmocka_unit_test(syn_with_fin_opens_nothing_whatever_its_cookie),
			cmocka_unit_test(retransmitted_syn_is_known_with_and_without_its_text),
			cmocka_unit_test(timeouts_repeat_the_syn_ack_only),
			cmocka_unit_test(answer_may_be_acknowledged_with_our_syn_or_after_it),
			cmocka_unit_test(peer_may_close_with_the_third_segment),
			cmocka_unit_test(text_of_the_syn_that_comes_again_is_not_taken_twice),
			cmocka_unit_test(reset_ends_a_pending_fast_open),
			cmocka_unit_test(round_trip_is_measured_as_ever),
			cmocka_unit_test(time_wait_is_not_reopened_fast),
	};

	return run_across_the_circle(tests, RTE_DIM(tests));
}
