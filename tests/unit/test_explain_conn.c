/* SPDX-License-Identifier: BSD-3-Clause */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "explain/explain_conn.h"

#define MS        INT64_C(1000000)
#define CLIENT    0
#define SERVER    1
#define S         TCP_SYN
#define A         TCP_ACK
#define F         TCP_FIN
#define R         TCP_RST
#define BIT(name) explain_event_bit(EXPLAIN_EVENT_##name)

/** A connection, and the last segment of it. */
struct scene {
	struct explain_conn conn;
	struct explain_step step;
	struct explain_packet packet;
	int64_t now;
	uint16_t window;
	bool begun;
};

static const uint32_t isn[2] = {0xfffffff0, 5000}; /* The client's wraps. */

static int
set_up(void **state)
{
	static struct scene scene;

	memset(&scene, 0, sizeof(scene));
	scene.now = 1000 * MS;
	scene.window = 1000;
	*state = &scene;
	return 0;
}

static int
tear_down(void **state)
{
	struct scene *scene = *state;

	explain_conn_free(&scene->conn);
	return 0;
}

static void
make(struct scene *scene, unsigned int from, uint8_t flags, uint32_t seq, uint32_t ack,
		uint32_t length)
{
	static const uint8_t zeros[1500];
	struct explain_packet *packet = &scene->packet;

	memset(packet, 0, sizeof(*packet));
	packet->source[15] = (uint8_t)(1 + from);
	packet->destination[15] = (uint8_t)(2 - from);
	packet->source_port = from == CLIENT ? 40000 : 80;
	packet->destination_port = from == CLIENT ? 80 : 40000;
	packet->time_ns = scene->now;
	packet->segment.flags = flags;
	packet->segment.seq = isn[from] + seq;
	packet->segment.ack = flags & A ? isn[!from] + ack : 0;
	packet->segment.window = scene->window;
	packet->payload_length = length;
	packet->payload_captured = length;
	packet->payload = zeros;
}

static void
track(struct scene *scene)
{
	if (!scene->begun)
		explain_conn_init(&scene->conn, &scene->packet);
	scene->begun = true;
	explain_conn_track(&scene->conn, &scene->packet, &scene->step);
	scene->now += MS;
}

/* A segment with numbers relative to both ISNs, and what is to come of it. */
static void
says(struct scene *scene, unsigned int from, uint8_t flags, uint32_t seq, uint32_t ack,
		uint32_t length)
{
	make(scene, from, flags, seq, ack, length);
	track(scene);
}

static void
assert_states(const struct scene *scene, enum tcp_state client, enum tcp_state server)
{
	assert_int_equal(scene->step.state[CLIENT], client);
	assert_int_equal(scene->step.state[SERVER], server);
}

static void
open_connection(struct scene *scene)
{
	says(scene, CLIENT, S, 0, 0, 0);
	says(scene, SERVER, S | A, 0, 1, 0);
	says(scene, CLIENT, A, 1, 1, 0);
	assert_int_equal(scene->step.events, BIT(HANDSHAKE));
	assert_states(scene, TCP_ESTABLISHED, TCP_ESTABLISHED);
}

static void
handshake_takes_three_segments(void **state)
{
	struct scene *scene = *state;

	says(scene, CLIENT, S, 0, 0, 0);
	assert_int_equal(scene->step.events, BIT(SYN));
	assert_states(scene, TCP_SYN_SENT, TCP_SYN_RCVD);
	says(scene, SERVER, S | A, 0, 1, 0);
	assert_int_equal(scene->step.events, BIT(SYN_ACK));
	assert_states(scene, TCP_ESTABLISHED, TCP_SYN_RCVD);
	says(scene, CLIENT, A, 1, 1, 0);
	assert_int_equal(scene->step.events, BIT(HANDSHAKE));
	assert_states(scene, TCP_ESTABLISHED, TCP_ESTABLISHED);
	assert_int_equal(scene->step.seq, 1);
	assert_int_equal(scene->step.ack, 1);
	assert_int_equal(scene->conn.times.connected - scene->conn.times.syn, 2 * MS);
}

static void
close_passes_through_all_states(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	says(scene, CLIENT, F | A, 1, 1, 0);
	assert_int_equal(scene->step.events, BIT(FIN));
	assert_states(scene, TCP_FIN_WAIT_1, TCP_CLOSE_WAIT);
	says(scene, SERVER, A, 1, 2, 0);
	assert_states(scene, TCP_FIN_WAIT_2, TCP_CLOSE_WAIT);
	says(scene, SERVER, A, 1, 2, 100);
	assert_int_equal(scene->step.events, BIT(DATA) | BIT(HALF_CLOSED));
	says(scene, CLIENT, A, 2, 101, 0);
	says(scene, SERVER, F | A, 101, 2, 0);
	assert_states(scene, TCP_TIME_WAIT, TCP_LAST_ACK);
	says(scene, CLIENT, A, 2, 102, 0);
	assert_int_equal(scene->step.events, BIT(CLOSED));
	assert_states(scene, TCP_TIME_WAIT, TCP_CLOSED);
	assert_int_equal(explain_conn_fate(&scene->conn), EXPLAIN_FATE_CLOSED);
}

static void
fins_that_cross_are_a_simultaneous_close(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	says(scene, CLIENT, F | A, 1, 1, 0);
	says(scene, SERVER, F | A, 1, 1, 0);
	assert_int_equal(scene->step.events, BIT(FIN) | BIT(SIMULTANEOUS_CLOSE));
	assert_states(scene, TCP_CLOSING, TCP_CLOSING);
	says(scene, CLIENT, A, 2, 2, 0);
	assert_states(scene, TCP_CLOSING, TCP_TIME_WAIT);
	says(scene, SERVER, A, 2, 2, 0);
	assert_states(scene, TCP_TIME_WAIT, TCP_TIME_WAIT);
	assert_int_equal(scene->step.events, BIT(CLOSED));
}

static void
syns_that_cross_are_a_simultaneous_open(void **state)
{
	struct scene *scene = *state;

	says(scene, CLIENT, S, 0, 0, 0);
	says(scene, SERVER, S, 0, 0, 0);
	assert_int_equal(scene->step.events, BIT(SYN) | BIT(SIMULTANEOUS_OPEN));
	assert_states(scene, TCP_SYN_RCVD, TCP_SYN_RCVD);
	says(scene, CLIENT, S | A, 0, 1, 0);
	assert_int_equal(scene->step.events, BIT(SYN_ACK));
	assert_states(scene, TCP_SYN_RCVD, TCP_ESTABLISHED);
	says(scene, SERVER, S | A, 0, 1, 0);
	assert_int_equal(scene->step.events, BIT(SYN_ACK) | BIT(HANDSHAKE));
	assert_states(scene, TCP_ESTABLISHED, TCP_ESTABLISHED);
}

static void
reset_of_a_syn_is_a_refusal(void **state)
{
	struct scene *scene = *state;

	says(scene, CLIENT, S, 0, 0, 0);
	says(scene, SERVER, R | A, 0, 1, 0);
	assert_int_equal(scene->step.why, EXPLAIN_WHY_REFUSED);
	assert_states(scene, TCP_CLOSED, TCP_CLOSED);
	assert_int_equal(explain_conn_fate(&scene->conn), EXPLAIN_FATE_REFUSED);
}

static void
reset_that_acknowledges_another_syn_is_ignored(void **state)
{
	struct scene *scene = *state;

	says(scene, CLIENT, S, 0, 0, 0);
	says(scene, SERVER, R | A, 0, 7, 0);
	assert_int_equal(scene->step.why, EXPLAIN_WHY_OUTSIDE);
	assert_states(scene, TCP_SYN_SENT, TCP_SYN_RCVD);
}

static void
reset_of_the_syn_ack_is_a_scan(void **state)
{
	struct scene *scene = *state;

	says(scene, CLIENT, S, 0, 0, 0);
	says(scene, SERVER, S | A, 0, 1, 0);
	says(scene, CLIENT, R, 1, 0, 0);
	assert_int_equal(scene->step.why, EXPLAIN_WHY_UNWANTED);
	assert_states(scene, TCP_CLOSED, TCP_LISTEN);
}

static void
challenge_of_an_old_connection_is_answered_and_asked_again(void **state)
{
	struct scene *scene = *state;

	says(scene, CLIENT, S, 0, 0, 0);
	says(scene, SERVER, A, 70000, 123456, 0);
	assert_int_equal(scene->step.events, BIT(CHALLENGE_ACK));
	says(scene, CLIENT, R, 123456, 0, 0);
	/* Its SEQ is the challenge's ACK, in the client's own numbers. */
	assert_int_equal(scene->step.why, EXPLAIN_WHY_OLD_CONNECTION);
	assert_states(scene, TCP_SYN_SENT, TCP_LISTEN);
	says(scene, CLIENT, S, 0, 0, 0);
	assert_int_equal(scene->step.events, BIT(RETRANSMISSION));
	says(scene, SERVER, S | A, 0, 1, 0);
	says(scene, CLIENT, A, 1, 1, 0);
	assert_int_equal(scene->step.events, BIT(HANDSHAKE));
	assert_states(scene, TCP_ESTABLISHED, TCP_ESTABLISHED);
}

static void
blind_reset_is_challenged(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	says(scene, CLIENT, R, 500, 0, 0);
	assert_int_equal(scene->step.why, EXPLAIN_WHY_NOT_EXACT);
	assert_states(scene, TCP_ESTABLISHED, TCP_ESTABLISHED);
	says(scene, SERVER, A, 1, 1, 0);
	says(scene, SERVER, A, 1, 1, 0);
	assert_false(explain_conn_fate(&scene->conn) == EXPLAIN_FATE_RESET);
	assert_int_equal(scene->conn.counts[EXPLAIN_EVENT_CHALLENGE_ACK], 1);
	says(scene, CLIENT, R, 5000, 0, 0);
	assert_int_equal(scene->step.why, EXPLAIN_WHY_OUTSIDE);
}

static void
exact_reset_aborts(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	says(scene, SERVER, R | A, 1, 1, 0);
	assert_int_equal(scene->step.why, EXPLAIN_WHY_ABORTED);
	assert_states(scene, TCP_CLOSED, TCP_CLOSED);
	says(scene, CLIENT, R, 1, 0, 0);
	assert_int_equal(scene->step.why, EXPLAIN_WHY_AGAIN);
	says(scene, CLIENT, F | A, 1, 1, 0);
	assert_states(scene, TCP_CLOSED, TCP_CLOSED);
}

static void
data_after_close_is_the_reason_of_a_reset(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	says(scene, CLIENT, F | A, 1, 1, 0);
	says(scene, SERVER, A, 1, 2, 100);
	says(scene, CLIENT, R, 2, 0, 0);
	assert_int_equal(scene->step.why, EXPLAIN_WHY_AFTER_CLOSE);
}

static void
reset_after_close_without_data_has_another_reason(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	says(scene, SERVER, A, 1, 1, 40);
	says(scene, SERVER, F | A, 41, 1, 0);
	says(scene, CLIENT, F | A, 1, 42, 0);
	says(scene, SERVER, R, 42, 0, 0);
	assert_int_equal(scene->step.why, EXPLAIN_WHY_NO_CONNECTION);
}

static void
reset_after_half_close_is_an_abort(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	says(scene, CLIENT, F | A, 1, 1, 0);
	says(scene, SERVER, A, 1, 2, 100);
	says(scene, CLIENT, A, 2, 101, 0);
	says(scene, CLIENT, R | A, 2, 101, 0);
	assert_int_equal(scene->step.why, EXPLAIN_WHY_ABORTED);
}

static void
syn_with_fin_is_said(void **state)
{
	struct scene *scene = *state;

	says(scene, CLIENT, S | F, 0, 0, 0);
	assert_int_equal(scene->step.events, BIT(SYN) | BIT(SYN_FIN));
}

static void
silence_is_the_reason_of_a_reset(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	for (unsigned int i = 0; i < 5; i++)
		says(scene, CLIENT, A, 1, 1, 10);
	says(scene, CLIENT, R | A, 11, 1, 0);
	assert_int_equal(scene->step.why, EXPLAIN_WHY_GAVE_UP);
}

static void
what_was_seen_before_is_a_retransmission(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	says(scene, CLIENT, A, 1, 1, 100);
	assert_int_equal(scene->step.events, BIT(DATA));
	says(scene, CLIENT, A, 1, 1, 100);
	assert_int_equal(scene->step.events, BIT(RETRANSMISSION));
	says(scene, SERVER, A, 1, 101, 0);
	says(scene, CLIENT, A, 1, 1, 100);
	assert_int_equal(scene->step.events, BIT(RETRANSMISSION) | BIT(NEEDLESS));
	assert_int_equal(scene->conn.end[CLIENT].retransmissions, 2);
	assert_int_equal(scene->conn.end[CLIENT].bytes, 100);
}

static void
handshake_segments_are_retransmitted(void **state)
{
	struct scene *scene = *state;

	says(scene, CLIENT, S, 0, 0, 0);
	says(scene, CLIENT, S, 0, 0, 0);
	assert_int_equal(scene->step.events, BIT(RETRANSMISSION));
	says(scene, SERVER, S | A, 0, 1, 0);
	says(scene, SERVER, S | A, 0, 1, 0);
	assert_int_equal(scene->step.events, BIT(RETRANSMISSION));
	assert_states(scene, TCP_ESTABLISHED, TCP_SYN_RCVD);
}

static void
what_fills_a_gap_soon_was_overtaken(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	says(scene, CLIENT, A, 101, 1, 100);
	assert_int_equal(scene->step.events, BIT(GAP) | BIT(DATA));
	says(scene, CLIENT, A, 1, 1, 100);
	assert_int_equal(scene->step.events, BIT(OUT_OF_ORDER) | BIT(DATA));
	assert_int_equal(scene->conn.end[SERVER].rcv_nxt, isn[CLIENT] + 201);
}

static void
what_fills_a_gap_late_was_lost(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	says(scene, CLIENT, A, 101, 1, 100);
	scene->now += 200 * MS;
	says(scene, CLIENT, A, 1, 1, 100);
	assert_int_equal(scene->step.events, BIT(RETRANSMISSION) | BIT(DATA));
	assert_int_equal(scene->conn.end[CLIENT].bytes, 200);
	says(scene, CLIENT, A, 1, 1, 100);
	assert_int_equal(scene->step.events, BIT(RETRANSMISSION));
	assert_int_equal(scene->conn.end[CLIENT].bytes, 200);
}

static void
what_is_partly_new_counts_for_that_part(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	says(scene, CLIENT, A, 1, 1, 100);
	says(scene, CLIENT, A, 51, 1, 100);
	assert_int_equal(scene->step.events, BIT(RETRANSMISSION) | BIT(DATA));
	assert_int_equal(scene->conn.end[CLIENT].bytes, 150);
}

static void
what_comes_after_its_acknowledgement_counts(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	says(scene, SERVER, A, 1, 101, 0);
	assert_int_equal(scene->step.events, BIT(ACKS_UNSEEN));
	says(scene, CLIENT, A, 1, 1, 100);
	assert_int_equal(scene->conn.end[CLIENT].bytes, 100);
	says(scene, CLIENT, A, 100, 1, 1);
	assert_int_equal(scene->step.events, BIT(KEEP_ALIVE));
	assert_int_equal(scene->conn.end[CLIENT].bytes, 100);
}

static void
what_opens_a_gap_without_data_counts_nothing(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	says(scene, CLIENT, A, 101, 1, 0);
	says(scene, CLIENT, F | A, 101, 1, 0);
	assert_int_equal(scene->conn.end[CLIENT].bytes, 0);
	scene->now += 200 * MS;
	says(scene, CLIENT, A, 1, 1, 100);
	assert_int_equal(scene->step.events, BIT(RETRANSMISSION) | BIT(DATA));
	says(scene, CLIENT, A, 102, 1, 0);
	assert_int_equal(scene->conn.end[CLIENT].bytes, 100);
}

static void
fin_beyond_a_gap_waits_for_it(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	says(scene, CLIENT, F | A, 101, 1, 0);
	assert_states(scene, TCP_FIN_WAIT_1, TCP_ESTABLISHED);
	says(scene, CLIENT, A, 1, 1, 100);
	assert_states(scene, TCP_FIN_WAIT_1, TCP_CLOSE_WAIT);
}

static void
keep_alive_is_known_with_its_answer(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	says(scene, CLIENT, A, 1, 1, 10);
	says(scene, SERVER, A, 1, 11, 0);
	says(scene, CLIENT, A, 10, 1, 0);
	assert_int_equal(scene->step.events, BIT(KEEP_ALIVE));
	says(scene, SERVER, A, 1, 11, 0);
	assert_int_equal(scene->step.events, BIT(KEEP_ALIVE_ACK));
}

static void
closed_window_is_probed_and_opens(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	says(scene, CLIENT, A, 1, 1, 10);
	scene->window = 0;
	says(scene, SERVER, A, 1, 11, 0);
	assert_int_equal(scene->step.events, BIT(ZERO_WINDOW));
	scene->window = 1000;
	says(scene, CLIENT, A, 11, 1, 1);
	assert_int_equal(scene->step.events, BIT(WINDOW_PROBE));
	says(scene, SERVER, A, 1, 11, 0);
	says(scene, SERVER, A, 1, 12, 0);
	scene->window = 3000;
	says(scene, SERVER, A, 1, 12, 0);
	assert_int_equal(scene->step.events, BIT(WINDOW_UPDATE));
}

static void
closed_window_is_probed_by_the_same_byte_again(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	for (unsigned int i = 0; i < 3; i++) {
		scene->window = 0;
		says(scene, SERVER, A, 1, 1, 0);
		assert_int_equal(scene->step.events,
				BIT(ZERO_WINDOW) | (i > 0 ? BIT(WINDOW_PROBE_ACK) : 0));
		scene->window = 1000;
		says(scene, CLIENT, A, 1, 1, 1);
		assert_int_equal(scene->step.events, BIT(WINDOW_PROBE));
	}
	assert_int_equal(scene->conn.end[CLIENT].retransmissions, 0);
	says(scene, SERVER, A, 1, 2, 0);
	assert_int_equal(scene->step.events, BIT(WINDOW_PROBE_ACK));
	says(scene, CLIENT, A, 1, 1, 1);
	assert_int_equal(scene->step.events, BIT(KEEP_ALIVE));
	assert_int_equal(scene->conn.end[CLIENT].bytes, 1);
	scene->window = 0;
	says(scene, SERVER, A, 1, 2, 0);
	assert_int_equal(scene->step.events, BIT(KEEP_ALIVE_ACK) | BIT(ZERO_WINDOW));
	says(scene, CLIENT, A, 1, 1, 0);
	assert_int_equal(scene->step.events, BIT(WINDOW_PROBE) | BIT(ZERO_WINDOW));
	scene->window = 1000;
	says(scene, SERVER, A, 1, 2, 0);
	assert_int_equal(scene->step.events, BIT(WINDOW_PROBE_ACK) | BIT(WINDOW_UPDATE));
}

static void
repeated_ack_with_data_in_flight_is_a_duplicate(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	says(scene, CLIENT, A, 1, 1, 10);
	says(scene, SERVER, A, 1, 11, 0);
	says(scene, SERVER, A, 1, 11, 0);
	assert_int_equal(scene->step.events, 0);
	says(scene, CLIENT, A, 21, 1, 10);
	says(scene, SERVER, A, 1, 11, 0);
	assert_int_equal(scene->step.events, BIT(DUPLICATE_ACK));
}

static void
second_isn_for_one_syn_is_a_cookie(void **state)
{
	struct scene *scene = *state;

	says(scene, CLIENT, S, 0, 0, 0);
	says(scene, SERVER, S | A, 0, 1, 0);
	says(scene, CLIENT, S, 0, 0, 0);
	says(scene, SERVER, S | A, 777, 1, 0);
	assert_int_equal(scene->step.events, BIT(SYN_ACK) | BIT(COOKIE));
	assert_int_equal(scene->step.seq, 0);
	says(scene, CLIENT, A, 1, 778, 0);
	assert_int_equal(scene->step.events, BIT(HANDSHAKE));
}

static void
syn_for_an_open_connection_is_challenged(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	make(scene, CLIENT, S, 90000, 0, 0);
	assert_false(explain_conn_is_next(&scene->conn, &scene->packet));
	track(scene);
	assert_int_equal(scene->step.events, BIT(STRAY_SYN));
	assert_states(scene, TCP_ESTABLISHED, TCP_ESTABLISHED);
}

static void
syn_ack_for_an_open_connection_moves_nothing(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	says(scene, CLIENT, A, 1, 1, 5);
	says(scene, SERVER, A, 1, 6, 0);
	/* As the SYN was acknowledged; as the data are; from the client. */
	for (unsigned int i = 0; i < 3; i++) {
		const unsigned int from = i == 2 ? CLIENT : SERVER;

		says(scene, from, S | A, 9999, i == 1 ? 6 : 1, 0);
		assert_int_equal(scene->step.events, BIT(STRAY_SYN));
		assert_states(scene, TCP_ESTABLISHED, TCP_ESTABLISHED);
		says(scene, !from, A, from == CLIENT ? 1 : 6, from == CLIENT ? 6 : 1, 0);
		assert_int_equal(scene->step.events, BIT(CHALLENGE_ACK));
	}
	says(scene, SERVER, A, 1, 6, 9);
	assert_int_equal(scene->step.events, BIT(DATA));
	assert_int_equal(scene->conn.end[SERVER].bytes, 9);
	/* The genuine one, once more. */
	says(scene, SERVER, S | A, 0, 1, 0);
	assert_int_equal(scene->step.events, BIT(RETRANSMISSION) | BIT(NEEDLESS));
}

static void
answer_to_a_stray_syn_proves_another_connection(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	make(scene, SERVER, S | A, 70000, 90001, 0);
	assert_false(explain_conn_is_replaced(&scene->conn, &scene->packet));
	says(scene, CLIENT, S, 90000, 0, 0);
	assert_int_equal(scene->step.events, BIT(STRAY_SYN));
	/* Another number; a challenge ACK; the old SYN-ACK once more; the client's own. */
	make(scene, SERVER, S | A, 70000, 90002, 0);
	assert_false(explain_conn_is_replaced(&scene->conn, &scene->packet));
	make(scene, SERVER, A, 1, 90001, 0);
	assert_false(explain_conn_is_replaced(&scene->conn, &scene->packet));
	make(scene, SERVER, S | A, 0, 1, 0);
	assert_false(explain_conn_is_replaced(&scene->conn, &scene->packet));
	make(scene, CLIENT, S | A, 70000, 90001, 0);
	assert_false(explain_conn_is_replaced(&scene->conn, &scene->packet));
	make(scene, SERVER, S | A, 70000, 90001, 0);
	assert_true(explain_conn_is_replaced(&scene->conn, &scene->packet));
	make(scene, CLIENT, S, 90000, 0, 0);
	explain_conn_untrack(&scene->conn, &scene->packet);
	assert_int_equal(scene->conn.packets, 3);
	assert_int_equal(scene->conn.end[CLIENT].packets, 2);
	assert_int_equal(scene->conn.counts[EXPLAIN_EVENT_STRAY_SYN], 0);
	assert_int_equal(scene->conn.times.last - scene->conn.times.first, 2 * MS);
}

static void
syn_for_a_closed_connection_is_the_next_one(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	says(scene, SERVER, R | A, 1, 1, 0);
	make(scene, CLIENT, S, 90000, 0, 0);
	assert_true(explain_conn_is_next(&scene->conn, &scene->packet));
}

static void
connection_is_picked_up_in_the_middle(void **state)
{
	struct scene *scene = *state;

	says(scene, CLIENT, A, 1000, 2000, 10);
	assert_int_equal(scene->step.events, BIT(MIDDLE) | BIT(DATA));
	assert_int_equal(scene->step.seq, 1);
	assert_int_equal(scene->step.ack, 1);
	assert_states(scene, TCP_ESTABLISHED, TCP_ESTABLISHED);
	says(scene, SERVER, A, 2000, 1010, 100);
	assert_int_equal(scene->step.events, BIT(DATA));
	assert_int_equal(scene->step.seq, 1);
	assert_int_equal(scene->step.ack, 11);
	says(scene, SERVER, F | A, 2100, 1010, 0);
	assert_states(scene, TCP_CLOSE_WAIT, TCP_FIN_WAIT_1);
}

static void
segment_without_ack_is_for_nobody(void **state)
{
	struct scene *scene = *state;

	says(scene, CLIENT, F, 1000, 0, 0);
	assert_int_equal(scene->step.events, BIT(NO_ACK));
	assert_int_equal(explain_conn_fate(&scene->conn), EXPLAIN_FATE_IGNORED);
	says(scene, SERVER, R | A, 0, 1001, 0);
	assert_int_equal(scene->step.events, BIT(RESET));
	assert_int_equal(scene->step.why, EXPLAIN_WHY_NO_CONNECTION);
	assert_int_equal(explain_conn_fate(&scene->conn), EXPLAIN_FATE_RESET);
}

static void
segment_without_ack_moves_no_open_connection(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	says(scene, CLIENT, F, 1, 0, 10);
	assert_int_equal(scene->step.events, BIT(NO_ACK));
	assert_states(scene, TCP_ESTABLISHED, TCP_ESTABLISHED);
	says(scene, CLIENT, A, 1, 1, 10);
	assert_int_equal(scene->step.events, BIT(DATA));
}

static void
what_the_capture_lacks_is_noticed(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	says(scene, SERVER, A, 1, 501, 0);
	assert_int_equal(scene->step.events, BIT(ACKS_UNSEEN));
	says(scene, CLIENT, A, 501, 1, 10);
	assert_int_equal(scene->step.events, BIT(DATA));
}

static void
what_is_acknowledged_has_arrived_though_the_capture_lacks_it(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	says(scene, SERVER, A, 11, 1, 30);
	assert_int_equal(scene->step.events, BIT(GAP) | BIT(DATA));
	says(scene, CLIENT, A, 1, 1, 0);
	assert_int_equal(scene->step.events, BIT(DUPLICATE_ACK));
	says(scene, CLIENT, A, 1, 41, 0);
	assert_int_equal(scene->step.events, BIT(ACKS_UNSEEN));
	says(scene, CLIENT, F | A, 1, 41, 0);
	says(scene, SERVER, F | A, 41, 2, 0);
	assert_states(scene, TCP_TIME_WAIT, TCP_LAST_ACK);
	says(scene, CLIENT, A, 2, 42, 0);
	assert_int_equal(scene->step.events, BIT(CLOSED));
}

static void
fin_beyond_a_gap_arrives_when_it_is_acknowledged(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	says(scene, SERVER, F | A, 11, 1, 0);
	assert_states(scene, TCP_ESTABLISHED, TCP_FIN_WAIT_1);
	says(scene, CLIENT, F | A, 1, 12, 0);
	assert_int_equal(scene->step.events, BIT(ACKS_UNSEEN) | BIT(FIN));
	assert_states(scene, TCP_LAST_ACK, TCP_TIME_WAIT);
}

static void
more_islands_than_are_remembered_are_no_gap_of_the_capture(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	for (unsigned int i = 0; i < EXPLAIN_PIECES + 2; i++)
		says(scene, SERVER, A, 11 + 20 * i, 1, 10);
	for (unsigned int i = 0; i < EXPLAIN_PIECES + 2; i++)
		says(scene, SERVER, A, 1 + 20 * i, 1, 10);
	says(scene, CLIENT, A, 1, 1 + 20 * (EXPLAIN_PIECES + 2), 0);
	assert_int_equal(scene->step.events, 0);
}

static void
client_alone_in_the_capture_passes_through_its_states(void **state)
{
	struct scene *scene = *state;

	says(scene, CLIENT, S, 0, 0, 0);
	says(scene, CLIENT, A, 1, 1, 0);
	assert_int_equal(scene->step.events, BIT(ACKS_UNSEEN));
	assert_states(scene, TCP_ESTABLISHED, TCP_ESTABLISHED);
	assert_int_equal(explain_conn_fate(&scene->conn), EXPLAIN_FATE_OPEN);
	assert_int_equal(scene->conn.times.connected, EXPLAIN_NEVER);
	says(scene, CLIENT, A, 1, 1, 27);
	assert_int_equal(scene->step.events, BIT(DATA));
	says(scene, CLIENT, A, 28, 41, 0);
	assert_int_equal(scene->step.events, BIT(ACKS_UNSEEN));
	says(scene, CLIENT, F | A, 28, 41, 0);
	assert_states(scene, TCP_FIN_WAIT_1, TCP_CLOSE_WAIT);
}

static void
server_alone_in_the_capture_passes_through_its_states(void **state)
{
	struct scene *scene = *state;

	says(scene, SERVER, S | A, 0, 1, 0);
	says(scene, SERVER, S | A, 0, 1, 0);
	assert_states(scene, TCP_ESTABLISHED, TCP_SYN_RCVD);
	says(scene, SERVER, A, 1, 28, 40);
	assert_int_equal(scene->step.events, BIT(ACKS_UNSEEN) | BIT(DATA));
	assert_states(scene, TCP_ESTABLISHED, TCP_ESTABLISHED);
	assert_int_equal(scene->conn.times.connected, EXPLAIN_NEVER);
	says(scene, SERVER, F | A, 41, 29, 0);
	assert_states(scene, TCP_CLOSE_WAIT, TCP_FIN_WAIT_1);
}

static void
segment_of_an_older_connection_proves_no_handshake(void **state)
{
	struct scene *scene = *state;

	says(scene, CLIENT, S, 0, 0, 0);
	says(scene, CLIENT, A, 5000000, 70000, 0);
	assert_int_equal(scene->step.state[CLIENT], TCP_SYN_SENT);
}

static void
data_on_the_syn_proves_no_handshake(void **state)
{
	struct scene *scene = *state;

	says(scene, CLIENT, S, 0, 0, 10);
	says(scene, SERVER, S | A, 0, 11, 0);
	says(scene, SERVER, A, 1, 11, 40);
	assert_states(scene, TCP_ESTABLISHED, TCP_SYN_RCVD);
	says(scene, CLIENT, A, 11, 41, 0);
	assert_int_equal(scene->step.events, BIT(HANDSHAKE));
}

static void
forged_ack_far_ahead_moves_nothing(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	says(scene, CLIENT, A, 1, 999999, 0);
	assert_int_equal(scene->step.events, BIT(ACK_TOO_FAR));
	says(scene, SERVER, A, 1, 1, 0);
	assert_int_equal(scene->step.events, BIT(CHALLENGE_ACK));
	says(scene, CLIENT, F | A, 1, 1, 0);
	says(scene, SERVER, F | A, 1, 2, 0);
	assert_int_equal(scene->step.events, BIT(FIN));
	says(scene, CLIENT, A, 2, 2, 0);
	assert_int_equal(scene->step.events, BIT(CLOSED));
}

static void
ack_far_ahead_is_believed_when_the_next_goes_on_from_there(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	says(scene, CLIENT, A, 1, 999999, 0);
	says(scene, CLIENT, A, 1, 999999, 0);
	assert_int_equal(scene->step.events, BIT(ACK_TOO_FAR));
	says(scene, CLIENT, A, 1, 1000999, 0);
	assert_int_equal(scene->step.events, BIT(ACKS_UNSEEN));
	says(scene, SERVER, A, 1000999, 1, 10);
	assert_int_equal(scene->step.events, BIT(DATA));
}

static void
ack_far_ahead_is_believed_when_data_goes_on_from_there(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	says(scene, CLIENT, A, 1, 999999, 0);
	says(scene, SERVER, A, 999999, 1, 10);
	assert_int_equal(scene->step.events, BIT(GAP) | BIT(DATA));
	says(scene, CLIENT, A, 1, 1000009, 0);
	assert_int_equal(scene->step.events, BIT(ACKS_UNSEEN));
	says(scene, SERVER, F | A, 1000009, 1, 0);
	assert_states(scene, TCP_CLOSE_WAIT, TCP_FIN_WAIT_1);
}

static void
segment_outside_the_window_moves_nothing(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	says(scene, CLIENT, F | A, 70000, 1, 0);
	assert_int_equal(scene->step.events, BIT(OUTSIDE));
	assert_states(scene, TCP_ESTABLISHED, TCP_ESTABLISHED);
	says(scene, SERVER, A, 1, 1, 0);
	assert_true(scene->step.events & BIT(CHALLENGE_ACK));
	for (unsigned int i = 0; i < 2; i++) {
		says(scene, CLIENT, A, 70000, 1, 0);
		assert_int_equal(scene->step.events, BIT(OUTSIDE));
		says(scene, CLIENT, A, 70000, 1, 10);
		assert_int_equal(scene->step.events, BIT(OUTSIDE));
	}
	says(scene, CLIENT, A, 1, 1, 5);
	assert_int_equal(scene->step.events, BIT(DATA));
	says(scene, CLIENT, F | A, 6, 1, 0);
	assert_int_equal(scene->step.events, BIT(FIN));
	assert_int_equal(scene->conn.end[CLIENT].bytes, 5);
	assert_int_equal(explain_conn_fate(&scene->conn), EXPLAIN_FATE_CLOSING);
}

static void
data_far_ahead_are_believed_when_the_next_go_on_from_there(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	says(scene, CLIENT, A, 70000, 1, 1000);
	assert_int_equal(scene->step.events, BIT(OUTSIDE));
	says(scene, CLIENT, A, 71000, 1, 1000);
	assert_int_equal(scene->step.events, BIT(GAP) | BIT(DATA));
	assert_int_equal(scene->conn.end[CLIENT].bytes, 2000);
	/* As well as that whose end is acknowledged. */
	says(scene, CLIENT, A, 170000, 1, 1000);
	assert_int_equal(scene->step.events, BIT(OUTSIDE));
	says(scene, SERVER, A, 1, 171000, 0);
	assert_int_equal(scene->step.events, BIT(ACKS_UNSEEN));
	assert_int_equal(scene->conn.end[CLIENT].bytes, 3000);
	says(scene, CLIENT, A, 171000, 1, 1000);
	assert_int_equal(scene->step.events, BIT(DATA));
}

static void
window_of_unknown_scale_ends_nowhere(void **state)
{
	struct scene *scene = *state;

	says(scene, CLIENT, A, 1, 1, 10);
	says(scene, SERVER, A, 1, 11, 0);
	says(scene, CLIENT, A, 700000, 1, 10);
	assert_int_equal(scene->step.events, BIT(GAP) | BIT(DATA));
}

static void
fin_before_what_was_acknowledged_is_none(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	says(scene, CLIENT, A, 1, 1, 500);
	says(scene, SERVER, A, 1, 501, 0);
	says(scene, CLIENT, F | A, 100, 1, 0);
	assert_int_equal(scene->step.events, BIT(RETRANSMISSION) | BIT(NEEDLESS));
	assert_states(scene, TCP_ESTABLISHED, TCP_ESTABLISHED);
}

static void
reply_begins_when_it_can_be_read(void **state)
{
	struct scene *scene = *state;

	open_connection(scene);
	says(scene, CLIENT, A, 1, 1, 10);
	says(scene, SERVER, A, 101, 11, 100);
	assert_int_equal(scene->conn.times.reply, EXPLAIN_NEVER);
	scene->now += 500 * MS;
	says(scene, SERVER, A, 1, 11, 100);
	assert_int_equal(scene->conn.times.reply, scene->step.time_ns);
}

static void
windows_are_scaled_when_both_ends_scale(void **state)
{
	struct scene *scene = *state;

	make(scene, CLIENT, S, 0, 0, 0);
	scene->packet.segment.options = TCP_OPTION_WINDOW_SCALE;
	scene->packet.segment.window_scale = 7;
	track(scene);
	assert_int_equal(scene->step.window, 1000);
	make(scene, SERVER, S | A, 0, 1, 0);
	scene->packet.segment.options = TCP_OPTION_WINDOW_SCALE;
	scene->packet.segment.window_scale = 200; /* Taken as 14 (RFC 7323 2.3). */
	track(scene);
	says(scene, CLIENT, A, 1, 1, 0);
	assert_int_equal(scene->step.window, 1000 << 7);
	says(scene, SERVER, A, 1, 1, 0);
	assert_int_equal(scene->step.window, 1000 << 14);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
			TEST(handshake_takes_three_segments),
			TEST(close_passes_through_all_states),
			TEST(fins_that_cross_are_a_simultaneous_close),
			TEST(syns_that_cross_are_a_simultaneous_open),
			TEST(reset_of_a_syn_is_a_refusal),
			TEST(reset_that_acknowledges_another_syn_is_ignored),
			TEST(reset_of_the_syn_ack_is_a_scan),
			TEST(challenge_of_an_old_connection_is_answered_and_asked_again),
			TEST(blind_reset_is_challenged),
			TEST(exact_reset_aborts),
			TEST(data_after_close_is_the_reason_of_a_reset),
			TEST(reset_after_close_without_data_has_another_reason),
			TEST(reset_after_half_close_is_an_abort),
			TEST(syn_with_fin_is_said),
			TEST(silence_is_the_reason_of_a_reset),
			TEST(what_was_seen_before_is_a_retransmission),
			TEST(handshake_segments_are_retransmitted),
			TEST(what_fills_a_gap_soon_was_overtaken),
			TEST(what_fills_a_gap_late_was_lost),
			TEST(what_is_partly_new_counts_for_that_part),
			TEST(what_comes_after_its_acknowledgement_counts),
			TEST(what_opens_a_gap_without_data_counts_nothing),
			TEST(fin_beyond_a_gap_waits_for_it),
			TEST(keep_alive_is_known_with_its_answer),
			TEST(closed_window_is_probed_and_opens),
			TEST(closed_window_is_probed_by_the_same_byte_again),
			TEST(repeated_ack_with_data_in_flight_is_a_duplicate),
			TEST(second_isn_for_one_syn_is_a_cookie),
			TEST(syn_for_an_open_connection_is_challenged),
			TEST(syn_ack_for_an_open_connection_moves_nothing),
			TEST(answer_to_a_stray_syn_proves_another_connection),
			TEST(syn_for_a_closed_connection_is_the_next_one),
			TEST(connection_is_picked_up_in_the_middle),
			TEST(segment_without_ack_is_for_nobody),
			TEST(segment_without_ack_moves_no_open_connection),
			TEST(what_the_capture_lacks_is_noticed),
			TEST(what_is_acknowledged_has_arrived_though_the_capture_lacks_it),
			TEST(fin_beyond_a_gap_arrives_when_it_is_acknowledged),
			TEST(more_islands_than_are_remembered_are_no_gap_of_the_capture),
			TEST(client_alone_in_the_capture_passes_through_its_states),
			TEST(server_alone_in_the_capture_passes_through_its_states),
			TEST(segment_of_an_older_connection_proves_no_handshake),
			TEST(data_on_the_syn_proves_no_handshake),
			TEST(forged_ack_far_ahead_moves_nothing),
			TEST(ack_far_ahead_is_believed_when_the_next_goes_on_from_there),
			TEST(ack_far_ahead_is_believed_when_data_goes_on_from_there),
			TEST(segment_outside_the_window_moves_nothing),
			TEST(data_far_ahead_are_believed_when_the_next_go_on_from_there),
			TEST(window_of_unknown_scale_ends_nowhere),
			TEST(fin_before_what_was_acknowledged_is_none),
			TEST(reply_begins_when_it_can_be_read),
			TEST(windows_are_scaled_when_both_ends_scale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
