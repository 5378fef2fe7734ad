/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * How often SYNs are answered: per source network and per service, and that nobody else pays.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "engine/reload.h"

#include "client.h"

#define PREFIX_RATE  50
#define SERVICE_RATE 100

static const char settings[] =
		"engine: {connections: 4096, echo_buffers: 64}\n"
		"tcp: {synack_rate_per_prefix: 50}\n" RIG_LAN "services:\n"
		"  - {name: cookies, listen: [\"10.9.0.2:80\", \"[fd00:9::2]:80\"], cookies: "
		"always}\n"
		"  - {name: kept, listen: \"10.9.0.2:81\", cookies: never, synack_rate: 100}\n"
		"  - {name: wide, listen: \"10.9.0.2:82\", cookies: always, synack_rate: 20000}\n";

/* A SYN from any address and port, put before the engine. */
static void
put_syn(struct rig *rig, const char *address, uint16_t client_port, uint16_t port)
{
	struct client client;

	client_init_from(&client, rig, address, client_port, port);
	client_put(&client, TCP_SYN, "");
}

static unsigned int
answers(struct rig *rig)
{
	struct rig_frame frame;
	unsigned int n = 0;

	rig_turn(rig);
	while (rig_take(rig, &frame)) {
		assert_int_equal(frame.segment.flags, TCP_SYN | TCP_ACK);
		n++;
	}
	return n;
}

/* SYNs from hosts of a network, in bursts. @return how many were answered */
static unsigned int
flood(struct rig *rig, const char *network, unsigned int syns, uint16_t port)
{
	unsigned int answered = 0;

	for (unsigned int i = 0; i < syns; i++) {
		char address[64];

		snprintf(address, sizeof(address), "%s%x", network,
				strchr(network, ':') != NULL ? i + 1 : i % 10);
		put_syn(rig, address, (uint16_t)(1024 + i), port);
		if (i % 50 == 49)
			answered += answers(rig);
	}
	return answered + answers(rig);
}

static void
network_that_floods_is_limited_and_the_next_one_is_not(void **state)
{
	struct client client;
	struct rig rig;

	(void)state;
	rig_init(&rig, settings, 1);
	assert_int_equal(flood(&rig, "192.0.2.1", 1000, 80), PREFIX_RATE);
	assert_int_equal(rig_counter(&rig, DROP_synack_prefix_limited), 1000 - PREFIX_RATE);
	assert_int_equal(flood(&rig, "192.0.3.1", 20, 80), 20);
	assert_int_equal(flood(&rig, "2001:db8:0:1::", 1000, 80), PREFIX_RATE);
	assert_int_equal(flood(&rig, "2001:db8:0:2::", 20, 80), 20);
	/* A client elsewhere connects. */
	client_syn(&client, &rig, 4, 80, &client_linux_syn);
	client_put(&client, TCP_ACK, "");
	assert_int_equal(client_hear(&client), 0);
	assert_int_equal(rig_connections(&rig), 1);
	/* And so does who comes from the network a second later. */
	rig_wait_ms(&rig, 1000);
	assert_int_equal(flood(&rig, "192.0.2.1", 1000, 80), PREFIX_RATE);
	rig_free(&rig);
}

/* What goes on with a connection is no SYN: it needs no token. */
static void
limit_is_of_syns_alone(void **state)
{
	struct client client;
	struct rig rig;

	(void)state;
	rig_init(&rig, settings, 1);
	client_syn(&client, &rig, 4, 80, &client_linux_syn);
	assert_int_equal(flood(&rig, "10.9.0.1", 1000, 80), PREFIX_RATE - 1);
	client_put(&client, TCP_ACK, "GET / HTTP/1.0\r\n\r\n");
	assert_int_equal(client_hear(&client), 1);
	assert_true(client.heard.segment.payload_length > 0);
	/* SYNs to where nobody listens are answered by RST, which has a limit of its own. */
	put_syn(&rig, "10.9.0.1", 5000, 999);
	rig_turn(&rig);
	assert_true(rig_take(&rig, &client.heard));
	assert_int_equal(client.heard.segment.flags, TCP_RST | TCP_ACK);
	rig_free(&rig);
}

/* The same SYN over and over would make us send as many answers to whom it names. */
static void
repeated_syn_is_limited_like_any_other(void **state)
{
	struct rig rig;
	unsigned int answered = 0;

	(void)state;
	rig_init(&rig, settings, 1);
	for (unsigned int i = 0; i < 3 * PREFIX_RATE; i++) {
		put_syn(&rig, "198.51.100.7", 4000, 81);
		answered += answers(&rig);
	}
	assert_int_equal(answered, PREFIX_RATE);
	assert_int_equal(rig_connections(&rig), 1);
	rig_free(&rig);
}

static void
service_has_one_rate_for_all_workers(void **state)
{
	struct rig rig;

	(void)state;
	for (unsigned int workers = 1; workers <= 4; workers++) {
		unsigned int answered = 0;

		rig_init(&rig, settings, workers);
		for (unsigned int network = 0; network < 20; network++) {
			char prefix[32];

			snprintf(prefix, sizeof(prefix), "198.51.%u.1", network);
			answered += flood(&rig, prefix, 20, 81);
		}
		assert_int_equal(answered, SERVICE_RATE);
		assert_int_equal(
				rig_counter(&rig, DROP_synack_service_limited), 400 - SERVICE_RATE);
		assert_int_equal(rig_counter(&rig, DROP_synack_prefix_limited), 0);
		/* Other services do not notice. */
		assert_int_equal(flood(&rig, "203.0.113.1", 20, 80), 20);
		rig_wait_ms(&rig, 500);
		while (rig_take(&rig, &(struct rig_frame){0}))
			;
		assert_in_range(flood(&rig, "203.0.114.1", 50, 81) +
						flood(&rig, "203.0.115.1", 50, 81),
				SERVICE_RATE / 2, SERVICE_RATE / 2 + 1);
		rig_free(&rig);
	}
}

/* Tokens are then taken by the batch; what lies unused with a worker is little. */
static void
high_rate_is_shared_in_batches(void **state)
{
	unsigned int answered = 0;
	struct rig rig;

	(void)state;
	rig_init(&rig, settings, 3);
	for (unsigned int network = 0; network < 800; network++) {
		char prefix[32];

		snprintf(prefix, sizeof(prefix), "100.%u.%u.1", 64 + network / 200, network % 200);
		answered += flood(&rig, prefix, 40, 82);
	}
	assert_in_range(answered, 20000 - 3 * 16, 20000);
	rig_free(&rig);
}

static void
burst_keeps_its_order_where_some_are_refused(void **state)
{
	struct client first, last;
	struct rig rig;

	(void)state;
	rig_init(&rig, settings, 1);
	flood(&rig, "192.0.2.1", PREFIX_RATE, 80);
	client_init(&first, &rig, 4, 80, &client_linux_syn);
	client_init(&last, &rig, 6, 80, &client_linux_syn);
	last.next.seq = 12345;
	client_put(&first, TCP_SYN, "");
	for (unsigned int i = 0; i < 40; i++)
		put_syn(&rig, "192.0.2.77", (uint16_t)(9000 + i), 80);
	client_put(&last, TCP_SYN, "");
	rig_turn(&rig);
	assert_true(rig_take(&rig, &first.heard));
	assert_int_equal(first.heard.segment.ack, first.next.seq + 1);
	assert_true(rig_take(&rig, &last.heard));
	assert_int_equal(last.heard.segment.ack, last.next.seq + 1);
	assert_false(rig_take(&rig, &last.heard));
	assert_int_equal(rig_counter(&rig, DROP_synack_prefix_limited), 40);
	rig_free(&rig);
}

static void
reload_with_rate(struct rig *rig, unsigned int rate)
{
	char text[sizeof(settings) + 16];
	struct settings *wanted;
	const char *rest = strchr(strstr(settings, "synack_rate_per_prefix"), '}');

	snprintf(text, sizeof(text), "%.*s: %u%s",
			(int)(strstr(settings, "_prefix") - settings) + 7, settings, rate, rest);
	wanted = settings_parse("new.yaml", text, strlen(text), stderr);
	assert_non_null(wanted);
	assert_int_equal(reload_settings(&rig->engine, wanted, false, stdout), RELOAD_DONE);
	rig_turn(rig);
	reload_poll(&rig->engine);
}

static void
rate_of_networks_changes_with_a_reload(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, settings, 1);
	assert_int_equal(flood(&rig, "192.0.2.1", 500, 80), PREFIX_RATE);
	reload_with_rate(&rig, 20);
	assert_int_equal(flood(&rig, "192.0.2.1", 500, 80), 20);
	reload_with_rate(&rig, 0);
	assert_int_equal(flood(&rig, "192.0.2.1", 500, 80), 500);
	reload_with_rate(&rig, 300);
	assert_int_equal(flood(&rig, "192.0.2.1", 500, 80), 300);
	/* What has nothing to do with it changes nothing for those who have used theirs up. */
	assert_int_equal(reload_drain(&rig.engine, "kept", true, stdout), RELOAD_DONE);
	rig_turn(&rig);
	assert_int_equal(flood(&rig, "192.0.2.1", 500, 80), 0);
	rig_free(&rig);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(network_that_floods_is_limited_and_the_next_one_is_not),
			cmocka_unit_test(rate_of_networks_changes_with_a_reload),
			cmocka_unit_test(limit_is_of_syns_alone),
			cmocka_unit_test(repeated_syn_is_limited_like_any_other),
			cmocka_unit_test(service_has_one_rate_for_all_workers),
			cmocka_unit_test(high_rate_is_shared_in_batches),
			cmocka_unit_test(burst_keeps_its_order_where_some_are_refused),
	};

	(void)argc;
	rig_start_dpdk(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
