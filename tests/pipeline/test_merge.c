/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The ACK of a SYN-ACK and what comes right behind it, in one burst: one segment, if the second
 * says all that the first one did.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "client.h"
#include "tcp/tcp_rules.h"

static const char settings[] =
		"engine: {connections: 64}\n" RIG_LAN "services:\n"
		"  - {name: sink, listen: [\"10.9.0.2:9\", \"[fd00:9::2]:9\"], reply: discard}\n"
		"  - {name: web, listen: [\"10.9.0.2:80\", \"[fd00:9::2]:80\"], body_size: 100,\n"
		"     close: after_reply}\n";

#define GET "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

static const struct tcp_options plain_syn = {.options = TCP_OPTION_MSS, .mss = 1400};

/* Segments that the rules were asked about. */
static uint64_t
segments(const struct rig *rig)
{
	const struct worker *worker = rig->engine.worker[0];
	uint64_t sum = 0;

	for (unsigned int row = 0; row < tcp_rules_count(); row++)
		sum += worker->rules[row];
	return sum;
}

/* A client says two things in one burst. @return of how many segments the rules heard */
static uint64_t
hear_both(struct client *client, unsigned int answers)
{
	const uint64_t before = segments(client->rig);

	assert_int_equal(client_hear(client), answers);
	return segments(client->rig) - before;
}

static int
start(void **state)
{
	static struct rig rig;

	rig_init(&rig, settings, 1);
	*state = &rig;
	return 0;
}

static int
stop(void **state)
{
	rig_free(*state);
	return 0;
}

static void
request_speaks_for_the_ack_before_it(void **state)
{
	static const unsigned int families[] = {4, 6};
	struct rig *rig = *state;
	struct client client;

	for (unsigned int i = 0; i < RTE_DIM(families) * 2; i++) {
		client_syn(&client, rig, families[i / 2], 80,
				i % 2 == 0 ? &client_linux_syn : &plain_syn);
		client_put(&client, TCP_ACK, "");
		client_put(&client, TCP_PSH | TCP_ACK, GET);
		assert_int_equal(hear_both(&client, 1), 1);
		assert_int_equal(client.heard.segment.flags, TCP_PSH | TCP_FIN | TCP_ACK);
		assert_int_equal(client.heard.segment.ack,
				(uint32_t)(client.next.seq + sizeof(GET) - 1));
		assert_int_equal(rig_counter(rig, COUNTER_opened), i + 1);
		assert_int_equal(rig_counter(rig, COUNTER_requests), i + 1);
		/* ACK and RST. */
		assert_int_equal(rig_counter(rig, DROP_consumed), 2 * i + 1);
		client.next.options.options = 0;
		client.next.seq = client.heard.segment.ack;
		client_put(&client, TCP_RST, "");
		assert_int_equal(client_hear(&client), 0);
		assert_int_equal(rig_connections(rig), 0);
	}
}

static void
fin_speaks_for_the_ack_before_it(void **state)
{
	struct rig *rig = *state;
	struct client client;

	client_syn(&client, rig, 4, 9, &client_linux_syn);
	client_put(&client, TCP_ACK, "");
	client_put(&client, TCP_FIN | TCP_ACK, "");
	assert_int_equal(hear_both(&client, 1), 1);
	assert_int_equal(client.heard.segment.flags, TCP_FIN | TCP_ACK);
	assert_int_equal(rig_state(rig, CLIENT_FIRST_PORT), TCP_LAST_ACK);
}

/* Whoever is heard twice, is so because one of these differs. */
static void
ack_that_says_something_else_is_heard(void **state)
{
	enum { SEQ, ACKNOWLEDGED, WINDOW, NO_TIMESTAMP, OLDER, NEWER, CASES };
	struct rig *rig = *state;

	for (unsigned int which = 0; which < CASES; which++) {
		struct client client;

		client_syn(&client, rig, 4, 80, &client_linux_syn);
		client_put(&client, TCP_ACK, "");
		client.next.seq += which == SEQ ? 100000 : 0;
		client.next.ack -= which == ACKNOWLEDGED ? 100000 : 0;
		client.next.window += which == WINDOW;
		if (which == NO_TIMESTAMP)
			client.next.options.options = 0;
		client.next.options.tsval -= which == OLDER ? 1000 : 0;
		client.next.options.tsval += which == NEWER;
		client_put(&client, TCP_PSH | TCP_ACK, GET);
		assert_int_equal(hear_both(&client, which != NO_TIMESTAMP), which != NEWER ? 2 : 1);
		rig_free(rig);
		rig_init(rig, settings, 1);
	}
}

static void
reset_behind_an_ack_is_another_segment(void **state)
{
	struct rig *rig = *state;
	struct client client;

	client_syn(&client, rig, 4, 80, &client_linux_syn);
	client_put(&client, TCP_ACK, "");
	client_put(&client, TCP_RST | TCP_ACK, "");
	assert_int_equal(hear_both(&client, 0), 2);
	assert_int_equal(rig_counter(rig, COUNTER_opened), 1);
	assert_int_equal(rig_connections(rig), 0);
}

static void
ack_of_an_open_connection_is_heard(void **state)
{
	struct rig *rig = *state;
	struct client client;

	client_syn(&client, rig, 4, 80, &client_linux_syn);
	client_put(&client, TCP_ACK, "");
	assert_int_equal(hear_both(&client, 0), 1);
	client_put(&client, TCP_ACK, "");
	client_put(&client, TCP_PSH | TCP_ACK, GET);
	assert_int_equal(hear_both(&client, 1), 2);
}

static void
ack_of_another_client_is_heard(void **state)
{
	struct rig *rig = *state;
	struct client one, other;

	client_init_from(&one, rig, "10.9.0.77", 50000, 80);
	assert_true(client_say_syn(&one));
	client_init_from(&other, rig, "10.9.0.78", 50000, 80);
	assert_true(client_say_syn(&other));
	client_put(&one, TCP_ACK, "");
	client_put(&other, TCP_PSH | TCP_ACK, GET);
	assert_int_equal(hear_both(&other, 1), 2);
	assert_int_equal(rig_counter(rig, COUNTER_opened), 2);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(
					request_speaks_for_the_ack_before_it, start, stop),
			cmocka_unit_test_setup_teardown(
					fin_speaks_for_the_ack_before_it, start, stop),
			cmocka_unit_test_setup_teardown(
					ack_that_says_something_else_is_heard, start, stop),
			cmocka_unit_test_setup_teardown(
					reset_behind_an_ack_is_another_segment, start, stop),
			cmocka_unit_test_setup_teardown(
					ack_of_an_open_connection_is_heard, start, stop),
			cmocka_unit_test_setup_teardown(
					ack_of_another_client_is_heard, start, stop),
	};

	(void)argc;
	rig_start_dpdk(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
