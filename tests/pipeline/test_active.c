/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Connections that we open, and what control does to live ones: the worker's side, without control.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "cookie/isn.h"
#include "wire/bytes.h"
#include "wire/checksum.h"

#include "rig.h"

#define LOCAL_PORT   50123
#define SERVER_PORT  443
#define TIME_WAIT_MS 60000

static const struct tcp_options server_options = {
		.options = TCP_OPTION_MSS | TCP_OPTION_WINDOW_SCALE | TCP_OPTION_SACK_PERMITTED |
			   TCP_OPTION_TIMESTAMPS,
		.mss = 1400,
		.window_scale = 7,
		.tsval = 7000,
};

/* The server that the engine opens a connection to. */
struct server {
	struct rig rig;
	struct worker *worker;
	struct build_path path; /* From the server to the engine. */
	struct build_tcp next;  /* seq, ack, window and options of its next segment */
	struct rig_frame last;  /* The engine's last segment. */
	struct mailbox_question question;
};

static void
server_begin(struct server *server, unsigned int family)
{
	struct target target = {.port = rte_cpu_to_be_16(SERVER_PORT)};
	struct opening_question *opening = &server->question.opening;
	unsigned int number;

	memset(server, 0, sizeof(*server));
	rig_init(&server->rig, NULL, 1);
	server->worker = server->rig.engine.worker[0];
	rig_path(&server->rig, &server->path, family, SERVER_PORT, LOCAL_PORT);
	memcpy(target.address, server->path.local, sizeof(target.address));
	number = targets_take(&server->rig.engine, &target);
	assert_int_not_equal(number, TARGETS_NONE);
	server->question.kind = MAILBOX_OPEN;
	memcpy(opening->key.address, server->path.remote, sizeof(opening->key.address));
	opening->key.port = server->path.remote_port;
	opening->key.endpoint = (uint16_t)(FLOW_KEY_ACTIVE | number);
	memcpy(opening->origin.peer_mac, server->path.local_mac, 6);
	opening->timeout_ms = 3000;
	server->next.seq = 0xffffffff; /* wraps behind the SYN */
	server->next.window = 65535;
	server->next.options = server_options;
}

/* The one segment that the engine sends. */
static void
server_hear(struct server *server, unsigned int flags)
{
	struct rig_frame more;

	rig_turn(&server->rig);
	assert_true(rig_take(&server->rig, &server->last));
	assert_int_equal(server->last.frame.kind, FRAME_TCP);
	assert_int_equal(server->last.segment.flags, flags);
	assert_memory_equal(server->last.bytes, server->path.local_mac, 6);
	if ((flags & TCP_RST) == 0) {
		server->next.ack = server->last.segment.seq +
				   tcp_segment_length(&server->last.segment);
		server->next.options.tsecr = server->last.segment.tsval;
	}
	assert_false(rig_take(&server->rig, &more));
}

static void
server_hear_nothing(struct server *server)
{
	rig_turn(&server->rig);
	assert_false(rig_take(&server->rig, &server->last));
}

static void
server_say(struct server *server, unsigned int flags)
{
	server->next.flags = (uint8_t)flags;
	rig_put_tcp(&server->rig, &server->path, &server->next, NULL, 0);
	server->next.seq += ((flags & TCP_SYN) != 0) + ((flags & TCP_FIN) != 0);
	if ((flags & TCP_SYN) != 0)
		server->next.options.options = TCP_OPTION_TIMESTAMPS;
}

/* Have the engine open, and hear its SYN. */
static void
server_open(struct server *server)
{
	mailbox_post(&server->worker->openings, &server->question);
	server_hear(server, TCP_SYN);
}

static bool
server_answered(const struct server *server, enum opening_result result)
{
	const struct mailbox *mailbox = &server->worker->openings;

	return mailbox_is_answered(mailbox) && mailbox->answer.opening.result == result;
}

/* Nothing is left of it, anywhere. */
static void
server_end(struct server *server)
{
	assert_int_equal(rig_connections(&server->rig), 0);
	assert_int_equal(server->worker->target_conns[0], 0);
	assert_null(server->worker->opening.conn);
	rig_free(&server->rig);
}

static void
is_opened_timed_and_closed_over(unsigned int family)
{
	struct server server;

	server_begin(&server, family);
	server_open(&server);
	assert_int_equal(server.last.segment.options, server_options.options);
	assert_int_equal(server.last.segment.seq,
			isn_make(&server.rig.engine.isn_key,
					conn_table_hash(server.worker->table,
							&server.question.opening.key),
					server.worker->now_us));
	assert_int_equal(server.last.segment.mss, family == 4 ? 1460 : 1440);
	assert_int_equal(
			bytes_read_16(server.last.bytes + server.last.frame.l4_offset), LOCAL_PORT);
	assert_int_equal(bytes_read_16(server.last.bytes + server.last.frame.l4_offset + 2),
			SERVER_PORT);
	rig_wait_ms(&server.rig, 5);
	assert_false(mailbox_is_answered(&server.worker->openings));
	server_say(&server, TCP_SYN | TCP_ACK);
	server_hear(&server, TCP_FIN | TCP_ACK);
	assert_int_equal(server.last.segment.ack, server.next.seq);
	assert_true(server_answered(&server, OPENING_OPENED));
	assert_int_equal(server.worker->openings.answer.opening.handshake_us, 5000);
	server_say(&server, TCP_FIN | TCP_ACK);
	server_hear(&server, TCP_ACK);
	assert_int_equal(rig_state(&server.rig, LOCAL_PORT), TCP_TIME_WAIT);
	assert_int_equal(rig_counter(&server.rig, COUNTER_opened), 1);
	assert_int_equal(rig_counter(&server.rig, COUNTER_closed), 1);
	assert_int_equal(rig_counter(&server.rig, COUNTER_syn_received), 0);
	assert_int_equal(rig_counter(&server.rig, COUNTER_syn_sent), 1);
	rig_wait_ms(&server.rig, TIME_WAIT_MS + 100);
	assert_int_equal(rig_state(&server.rig, LOCAL_PORT), TCP_CLOSED);
	server_end(&server);
}

static void
a_connection_is_opened_timed_and_closed_over_ipv4(void **state)
{
	(void)state;
	is_opened_timed_and_closed_over(4);
}

static void
a_connection_is_opened_timed_and_closed_over_ipv6(void **state)
{
	(void)state;
	is_opened_timed_and_closed_over(6);
}

static void
a_lost_last_fin_is_acknowledged_again_from_time_wait(void **state)
{
	struct server server;

	(void)state;
	server_begin(&server, 4);
	server_open(&server);
	server_say(&server, TCP_SYN | TCP_ACK);
	server_hear(&server, TCP_FIN | TCP_ACK);
	server_say(&server, TCP_FIN | TCP_ACK);
	server_hear(&server, TCP_ACK);
	server.next.seq--;
	server_say(&server, TCP_FIN | TCP_ACK);
	server_hear(&server, TCP_ACK);
	server_end(&server);
}

static void
a_handshake_can_be_answered_by_reset_instead(void **state)
{
	struct server server;

	(void)state;
	server_begin(&server, 4);
	server.question.opening.reset = true;
	server_open(&server);
	server_say(&server, TCP_SYN | TCP_ACK);
	server_hear(&server, TCP_RST | TCP_ACK);
	assert_int_equal(server.last.segment.seq, server.next.ack);
	assert_true(server_answered(&server, OPENING_OPENED));
	assert_int_equal(rig_state(&server.rig, LOCAL_PORT), TCP_CLOSED);
	server_end(&server);
}

static void
a_reset_that_acknowledges_the_syn_refuses(void **state)
{
	struct server server;

	(void)state;
	server_begin(&server, 6);
	server_open(&server);
	/* RFC 9293 3.10.7.3: not of our SYN, so not the peer's. */
	server.next.ack++;
	server_say(&server, TCP_RST | TCP_ACK);
	server_hear_nothing(&server);
	assert_int_equal(rig_counter(&server.rig, DROP_bad_rst), 1);
	server.next.ack--;
	server_say(&server, TCP_RST);
	server_hear_nothing(&server);
	assert_false(mailbox_is_answered(&server.worker->openings));
	server_say(&server, TCP_RST | TCP_ACK);
	server_hear_nothing(&server);
	assert_true(server_answered(&server, OPENING_REFUSED));
	server_end(&server);
}

static void
a_silent_peer_is_asked_again_and_given_up_at_the_limit(void **state)
{
	/* RFC 6298: after 1 s, then doubling; the limit comes before the fifth. */
	static const unsigned int at_ms[] = {1000, 3000, 7000};
	const unsigned int limit_ms = 9500;
	struct server server;
	unsigned int now_ms = 0, sent = 0;
	uint32_t iss;

	(void)state;
	server_begin(&server, 4);
	server.question.opening.timeout_ms = limit_ms;
	server_open(&server);
	iss = server.last.segment.seq;
	while (!mailbox_is_answered(&server.worker->openings)) {
		rig_wait_ms(&server.rig, 1);
		now_ms++;
		assert_true(now_ms <= limit_ms + 2 * TIMER_WHEEL_TICK_MS);
		if (!rig_take(&server.rig, &server.last))
			continue;
		assert_true(sent < RTE_DIM(at_ms));
		assert_int_equal(server.last.segment.flags, TCP_SYN);
		assert_int_equal(server.last.segment.seq, iss);
		assert_in_range(now_ms, at_ms[sent], at_ms[sent] + 2 * TIMER_WHEEL_TICK_MS);
		sent++;
	}
	assert_int_equal(sent, RTE_DIM(at_ms));
	assert_true(now_ms >= limit_ms);
	assert_true(server_answered(&server, OPENING_TIMED_OUT));
	assert_int_equal(rig_counter(&server.rig, COUNTER_timed_out), 1);
	assert_int_equal(rig_counter(&server.rig, COUNTER_syn_sent), 4);
	server_end(&server);
}

static void
a_limit_below_the_first_timeout_is_kept(void **state)
{
	struct server server;

	(void)state;
	server_begin(&server, 4);
	server.question.opening.timeout_ms = 6 * TIMER_WHEEL_TICK_MS;
	server.rig.engine.clock.base_us += 700; /* not on a millisecond */
	server_open(&server);
	server.rig.engine.clock.base_us += 300;
	rig_wait_ms(&server.rig, 6 * TIMER_WHEEL_TICK_MS - 1);
	assert_false(mailbox_is_answered(&server.worker->openings));
	rig_wait_ms(&server.rig, 2 * TIMER_WHEEL_TICK_MS);
	assert_true(server_answered(&server, OPENING_TIMED_OUT));
	server_hear_nothing(&server);
	server_end(&server);
}

static void
a_wrong_acknowledgement_is_reset_and_the_right_one_still_opens(void **state)
{
	struct server server;

	(void)state;
	server_begin(&server, 4);
	server_open(&server);
	server.next.ack += 1000;
	server_say(&server, TCP_SYN | TCP_ACK);
	server_hear(&server, TCP_RST);
	assert_int_equal(server.last.segment.seq, server.next.ack);
	assert_int_equal(rig_state(&server.rig, LOCAL_PORT), TCP_SYN_SENT);
	server.next.ack -= 1000;
	server.next.seq--;
	server.next.options = server_options;
	server_say(&server, TCP_SYN | TCP_ACK);
	server_hear(&server, TCP_FIN | TCP_ACK);
	assert_true(server_answered(&server, OPENING_OPENED));
	rig_free(&server.rig);
}

static void
both_may_open_at_once(void **state)
{
	struct server server;
	uint32_t iss;

	(void)state;
	server_begin(&server, 4);
	server_open(&server);
	iss = server.last.segment.seq;
	server.next.ack = 0;
	server_say(&server, TCP_SYN);
	server_hear(&server, TCP_SYN | TCP_ACK);
	assert_int_equal(server.last.segment.seq, iss);
	assert_int_equal(server.last.segment.ack, server.next.seq);
	assert_false(mailbox_is_answered(&server.worker->openings));
	/* RFC 9293 figure 7: the SYN again, with the acknowledgement. */
	server.next.seq--;
	server.next.options = server_options;
	server_say(&server, TCP_SYN | TCP_ACK);
	server_hear(&server, TCP_FIN | TCP_ACK);
	assert_true(server_answered(&server, OPENING_OPENED));
	server_say(&server, TCP_FIN | TCP_ACK);
	server_hear(&server, TCP_ACK);
	server_end(&server);
}

static void
opening_at_once_does_not_outlast_the_limit(void **state)
{
	struct server server;

	(void)state;
	server_begin(&server, 4);
	server.question.opening.timeout_ms = 500;
	server_open(&server);
	server.next.ack = 0;
	server_say(&server, TCP_SYN);
	server_hear(&server, TCP_SYN | TCP_ACK);
	rig_wait_ms(&server.rig, 500 + 2 * TIMER_WHEEL_TICK_MS);
	assert_true(server_answered(&server, OPENING_TIMED_OUT));
	server_hear_nothing(&server);
	server_end(&server);
}

/* ICMP port unreachable that quotes the engine's last segment (RFC 792, RFC 5927 4.1). */
static void
server_say_unreachable(struct server *server)
{
	uint8_t frame[14 + 20 + 8 + 28] = {0};
	uint8_t *ip = frame + 14;
	uint8_t *icmp = ip + 20;
	rte_be16_t checksum;

	memcpy(frame, server->path.remote_mac, 6);
	memcpy(frame + 6, server->path.local_mac, 6);
	frame[12] = 0x08;
	ip[0] = 0x45;
	ip[3] = sizeof(frame) - 14;
	ip[8] = 64;
	ip[9] = 1;
	memcpy(ip + 12, server->path.local + 12, 4);
	memcpy(ip + 16, server->path.remote + 12, 4);
	checksum = checksum_finish(checksum_add(0, ip, 20));
	memcpy(ip + 10, &checksum, sizeof(checksum));
	icmp[0] = 3;
	icmp[1] = 3;
	memcpy(icmp + 8, server->last.bytes + 14, 28);
	checksum = checksum_finish(checksum_add(0, icmp, 8 + 28));
	memcpy(icmp + 2, &checksum, sizeof(checksum));
	rig_put(&server->rig, frame, sizeof(frame));
}

static void
an_icmp_error_ends_the_attempt(void **state)
{
	struct server server;

	(void)state;
	server_begin(&server, 4);
	server_open(&server);
	server_say_unreachable(&server);
	server_hear_nothing(&server);
	assert_true(server_answered(&server, OPENING_UNREACHABLE));
	server_end(&server);
}

static void
a_port_is_not_used_twice_within_2_msl(void **state)
{
	struct server server;

	(void)state;
	server_begin(&server, 4);
	server_open(&server);
	server_say(&server, TCP_SYN | TCP_ACK);
	server_hear(&server, TCP_FIN | TCP_ACK);
	mailbox_post(&server.worker->openings, &server.question);
	server_hear_nothing(&server);
	assert_true(server_answered(&server, OPENING_PORT_USED));
	server_say(&server, TCP_FIN | TCP_ACK);
	server_hear(&server, TCP_ACK);
	mailbox_post(&server.worker->openings, &server.question);
	server_hear_nothing(&server);
	assert_true(server_answered(&server, OPENING_PORT_USED));
	rig_wait_ms(&server.rig, TIME_WAIT_MS + 100);
	server_open(&server);
	rig_free(&server.rig);
}

static void
what_nobody_opened_is_a_closed_port(void **state)
{
	struct server server;

	(void)state;
	server_begin(&server, 4);
	server.next.ack = 0x12345678;
	server_say(&server, TCP_SYN | TCP_ACK);
	server_hear(&server, TCP_RST);
	assert_int_equal(server.last.segment.seq, 0x12345678);
	server_say(&server, TCP_SYN);
	server_hear(&server, TCP_RST | TCP_ACK);
	assert_int_equal(rig_counter(&server.rig, COUNTER_syn_received), 0);
	server_end(&server);
}

static void
a_target_may_also_be_a_client(void **state)
{
	struct server server;

	(void)state;
	server_begin(&server, 4);
	rig_path(&server.rig, &server.path, 4, SERVER_PORT, 9);
	server_say(&server, TCP_SYN);
	server_hear(&server, TCP_SYN | TCP_ACK);
	server_say(&server, TCP_ACK);
	server_hear_nothing(&server);
	assert_int_equal(rig_state(&server.rig, SERVER_PORT), TCP_ESTABLISHED);
	rig_free(&server.rig);
}

static void
a_draining_engine_opens_nothing(void **state)
{
	struct server server;

	(void)state;
	server_begin(&server, 4);
	server.rig.engine.phase = ENGINE_DRAINING;
	mailbox_post(&server.worker->openings, &server.question);
	server_hear_nothing(&server);
	assert_true(server_answered(&server, OPENING_STOPPED));
	server_end(&server);
}

/* Act on the connection that server_open() opened. */
static struct conn_act_answer
server_act(struct server *server, enum conn_act act)
{
	struct mailbox_question question = {
			.kind = MAILBOX_ACT,
			.act = {.act = act, .count = 1, .key = {server->question.opening.key}},
	};

	mailbox_post(&server->worker->mailbox, &question);
	rig_turn(&server->rig);
	assert_true(mailbox_is_answered(&server->worker->mailbox));
	return server->worker->mailbox.answer.act;
}

static void
an_attempt_can_be_given_up(void **state)
{
	struct server server;

	(void)state;
	server_begin(&server, 4);
	server_open(&server);
	assert_int_equal(server_act(&server, CONN_ACT_CLOSE).unfit, 1);
	assert_int_equal(server_act(&server, CONN_ACT_RESET).done, 1);
	server_hear_nothing(&server);
	assert_true(server_answered(&server, OPENING_STOPPED));
	assert_int_equal(server_act(&server, CONN_ACT_RESET).done, 0);
	server_end(&server);
}

/* A client of ours with an open connection to a service, to act upon. */
static void
client_begin(struct server *client, uint16_t engine_port)
{
	struct flow_key *key = &client->question.opening.key;

	server_begin(client, 4);
	rig_path(&client->rig, &client->path, 4, SERVER_PORT, engine_port);
	memcpy(key->address, client->path.local, sizeof(key->address));
	key->port = client->path.local_port;
	key->endpoint = service_map_lookup(client->rig.engine.services->map[0], client->path.remote,
			client->path.remote_port);
	server_say(client, TCP_SYN);
	server_hear(client, TCP_SYN | TCP_ACK);
	server_say(client, TCP_ACK);
	server_hear_nothing(client);
}

static void
client_send(struct server *client, const char *text)
{
	client->next.flags = TCP_ACK | TCP_PSH;
	rig_put_tcp(&client->rig, &client->path, &client->next, text, (unsigned int)strlen(text));
	client->next.seq += (uint32_t)strlen(text);
}

static void
a_closed_connection_refuses_what_comes_later(void **state)
{
	struct server client;

	(void)state;
	client_begin(&client, 9);
	assert_int_equal(server_act(&client, CONN_ACT_CLOSE).done, 1);
	server_hear(&client, TCP_FIN | TCP_ACK);
	assert_int_equal(server_act(&client, CONN_ACT_CLOSE).unfit, 1);
	/* RFC 9293 3.6.1, SHLD-3 */
	client_send(&client, "more");
	server_hear(&client, TCP_RST | TCP_ACK);
	server_end(&client);
}

static void
a_connection_that_was_shut_down_still_takes_data(void **state)
{
	struct server client;

	(void)state;
	client_begin(&client, 9);
	assert_int_equal(server_act(&client, CONN_ACT_SHUTDOWN).done, 1);
	server_hear(&client, TCP_FIN | TCP_ACK);
	client_send(&client, "more");
	server_hear(&client, TCP_ACK);
	assert_int_equal(client.last.segment.ack, client.next.seq);
	assert_int_equal(rig_counter(&client.rig, COUNTER_data_bytes_received), 4);
	server_say(&client, TCP_FIN | TCP_ACK);
	server_hear(&client, TCP_ACK);
	assert_int_equal(rig_state(&client.rig, SERVER_PORT), TCP_TIME_WAIT);
	server_end(&client);
}

static void
a_close_waits_behind_what_is_owed(void **state)
{
	struct server client;

	(void)state;
	client_begin(&client, 7);
	client.next.window = 0;
	client_send(&client, "echo this");
	server_hear(&client, TCP_ACK);
	assert_int_equal(server_act(&client, CONN_ACT_SHUTDOWN).done, 1);
	server_hear_nothing(&client);
	client.next.window = 1000;
	server_say(&client, TCP_ACK);
	server_hear(&client, TCP_FIN | TCP_PSH | TCP_ACK);
	assert_int_equal(client.last.segment.payload_length, strlen("echo this"));
	rig_free(&client.rig);
}

static void
a_connection_is_reset_at_once(void **state)
{
	struct server client;

	(void)state;
	client_begin(&client, 80);
	assert_int_equal(server_act(&client, CONN_ACT_RESET).done, 1);
	server_hear(&client, TCP_RST | TCP_ACK);
	assert_int_equal(client.last.segment.seq, client.next.ack);
	server_end(&client);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(a_connection_is_opened_timed_and_closed_over_ipv4),
			cmocka_unit_test(a_connection_is_opened_timed_and_closed_over_ipv6),
			cmocka_unit_test(a_lost_last_fin_is_acknowledged_again_from_time_wait),
			cmocka_unit_test(a_handshake_can_be_answered_by_reset_instead),
			cmocka_unit_test(a_reset_that_acknowledges_the_syn_refuses),
			cmocka_unit_test(a_silent_peer_is_asked_again_and_given_up_at_the_limit),
			cmocka_unit_test(a_limit_below_the_first_timeout_is_kept),
			cmocka_unit_test(
					a_wrong_acknowledgement_is_reset_and_the_right_one_still_opens),
			cmocka_unit_test(both_may_open_at_once),
			cmocka_unit_test(opening_at_once_does_not_outlast_the_limit),
			cmocka_unit_test(an_icmp_error_ends_the_attempt),
			cmocka_unit_test(a_port_is_not_used_twice_within_2_msl),
			cmocka_unit_test(what_nobody_opened_is_a_closed_port),
			cmocka_unit_test(a_target_may_also_be_a_client),
			cmocka_unit_test(a_draining_engine_opens_nothing),
			cmocka_unit_test(an_attempt_can_be_given_up),
			cmocka_unit_test(a_closed_connection_refuses_what_comes_later),
			cmocka_unit_test(a_connection_that_was_shut_down_still_takes_data),
			cmocka_unit_test(a_close_waits_behind_what_is_owed),
			cmocka_unit_test(a_connection_is_reset_at_once),
	};

	(void)argc;
	rig_start_dpdk(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
