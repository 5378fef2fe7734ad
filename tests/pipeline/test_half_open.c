/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Half-open connections: the lists by age, who pays for a full table, and the rate that begins
 * cookies.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

#define SYNRATE 100

static const char settings[] =
		"engine: {connections: 64, echo_buffers: 64}\n" RIG_LAN "services:\n"
		"  - {name: wide, listen: \"10.9.0.2:80\", cookies: never, max_syn_backlog: 1000}\n"
		"  - {name: small, listen: \"10.9.0.2:81\", cookies: never, max_syn_backlog: 10}\n"
		"  - {name: capped, listen: \"10.9.0.2:82\", cookies: never, max_connections: 20}\n"
		"  - {name: always, listen: \"10.9.0.2:83\", cookies: always, max_syn_backlog: "
		"10}\n"
		"  - {name: rated, listen: \"10.9.0.2:84\", cookies: auto, max_syn_rate: 100}\n";

/* A client that has no ports in common with the others. */
static void
prepare(struct client *client, struct rig *rig, uint16_t client_port, uint16_t port)
{
	client_init(client, rig, 4, port, &client_linux_syn);
	client->path.local_port = rte_cpu_to_be_16(client_port);
}

/* SYNs of clients that never answer, from port @p first on. @return how many were answered */
static unsigned int
flood(struct rig *rig, uint16_t first, unsigned int syns, uint16_t port)
{
	unsigned int answered = 0;

	for (unsigned int i = 0; i < syns; i++) {
		struct client client;

		prepare(&client, rig, (uint16_t)(first + i), port);
		answered += client_say_syn(&client);
	}
	return answered;
}

/* A client that opens. */
static void
open_client(struct client *client, struct rig *rig, uint16_t client_port, uint16_t port)
{
	prepare(client, rig, client_port, port);
	assert_true(client_say_syn(client));
	client_put(client, TCP_ACK, "");
	assert_int_equal(client_hear(client), 0);
	assert_int_equal(rig_state(rig, client_port), TCP_ESTABLISHED);
}

/* Every list has exactly the half-open connections of its service, by age; and nobody else. */
static void
check_lists(const struct rig *rig)
{
	const struct worker *worker = rig->engine.worker[0];
	unsigned int half_open = 0, listed = 0;

	for (uint32_t slot = 0; slot < conn_table_capacity(worker->table); slot++) {
		const struct conn *conn = conn_table_at(worker->table, slot);

		half_open += conn != NULL && conn->tcp.state == TCP_SYN_RCVD;
	}
	for (unsigned int s = 0; s < worker->services->service_count; s++) {
		const struct service_share *share = &worker->share[s];
		uint32_t older = 0, age_us = UINT32_MAX;
		unsigned int n = 0;

		for (uint32_t link = share->half_open_oldest; link != 0;) {
			const struct conn *conn = conn_table_at(worker->table, link - 1);
			const struct conn_tail *tail;

			assert_non_null(conn);
			tail = conn_table_tail(worker->table, conn);
			assert_int_equal(conn->tcp.state, TCP_SYN_RCVD);
			assert_int_equal(services_number(worker->services, &conn->key), s);
			assert_int_equal(tail->half_open.older, older);
			assert_true((uint32_t)worker->now_us - tail->recover <= age_us);
			age_us = (uint32_t)worker->now_us - tail->recover;
			older = link;
			link = tail->half_open.newer;
			n++;
		}
		assert_int_equal(share->half_open_newest, older);
		assert_int_equal(share->half_open, n);
		listed += n;
	}
	assert_int_equal(listed, half_open);
}

static void
full_table_takes_from_the_flood_and_from_nobody_else(void **state)
{
	struct client open[30], client;
	struct rig rig;

	(void)state;
	rig_init(&rig, settings, 1);
	for (uint16_t i = 0; i < RTE_DIM(open); i++)
		open_client(&open[i], &rig, (uint16_t)(40000 + i), 80);
	flood(&rig, 1000, 1000, 80);
	assert_true(rig_counter(&rig, COUNTER_half_open_evicted) > 500);
	assert_true(rig_connections(&rig) > 48);
	for (uint16_t i = 0; i < RTE_DIM(open); i++)
		assert_int_equal(rig_state(&rig, (uint16_t)(40000 + i)), TCP_ESTABLISHED);
	/* The flood pays for a client of another service, too. */
	prepare(&client, &rig, 50000, 81);
	assert_true(client_say_syn(&client));
	flood(&rig, 3000, 10, 80);
	client_put(&client, TCP_ACK, "");
	assert_int_equal(client_hear(&client), 0);
	assert_int_equal(rig_state(&rig, 50000), TCP_ESTABLISHED);
	check_lists(&rig);
	/* The established ones are as they were. */
	client_put(&open[7], TCP_ACK, "GET / HTTP/1.0\r\n\r\n");
	assert_true(client_hear(&open[7]) > 0);
	assert_true(open[7].heard.segment.payload_length > 0);
	rig_free(&rig);
}

static void
lists_hold_through_anything(void **state)
{
	const char *wanted = getenv("SEED");
	unsigned int seed = wanted != NULL ? (unsigned int)strtoul(wanted, NULL, 0) : 20261;
	struct client client[120];
	struct rig rig;

	(void)state;
	print_message("SEED=%u\n", seed);
	rig_init(&rig, settings, 1);
	for (uint16_t i = 0; i < RTE_DIM(client); i++)
		prepare(&client[i], &rig, (uint16_t)(1000 + i), (uint16_t)(80 + i % 5));
	for (unsigned int step = 0; step < 20000; step++) {
		struct client *one = &client[(unsigned int)rand_r(&seed) % RTE_DIM(client)];

		switch (rand_r(&seed) % 8) {
		case 0:
		case 1:
		case 2:
			one->next.options = client_linux_syn;
			one->next.options.mss = rand_r(&seed) % 4 == 0 ? 100 : 1400;
			one->next.seq = (uint32_t)rand_r(&seed) * 2;
			client_put(one, TCP_SYN, "");
			break;
		case 3:
		case 4:
			one->next.seq = one->heard.segment.ack;
			one->next.ack = one->heard.segment.seq + 1;
			one->next.options.options = TCP_OPTION_TIMESTAMPS;
			one->next.options.tsecr = one->heard.segment.tsval;
			client_put(one, TCP_ACK, "");
			break;
		case 5:
			client_put(one, TCP_RST, "");
			break;
		case 6:
			rig_wait_ms(&rig, (unsigned int)rand_r(&seed) % 500);
			break;
		default:
			(void)client_hear(one);
			check_lists(&rig);
			break;
		}
	}
	rig_wait_ms(&rig, 200000);
	check_lists(&rig);
	assert_true(rig_counter(&rig, COUNTER_half_open_evicted) > 0);
	assert_true(rig_counter(&rig, COUNTER_opened) > 0);
	rig_free(&rig);
}

static void
auto_begins_with_the_rate_of_syns_and_ends_below_half(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, settings, 1);
	/* As many as allowed are kept, in any second; the flood's own entries are closed again. */
	for (unsigned int second = 0; second < 3; second++) {
		for (uint16_t i = 0; i < SYNRATE; i++) {
			struct client client;

			prepare(&client, &rig, (uint16_t)(1000 + i), 84);
			assert_true(client_say_syn(&client));
			client_put(&client, TCP_RST, "");
			assert_int_equal(client_hear(&client), 0);
		}
		rig_wait_ms(&rig, 1001);
	}
	assert_int_equal(rig_counter(&rig, COUNTER_syn_cookies_sent), 0);
	/* One more in a second begins it, and what comes then is not kept. */
	flood(&rig, 1000, 40, 84);
	assert_int_equal(rig_connections(&rig), 40);
	flood(&rig, 2000, 2 * SYNRATE, 84);
	assert_int_equal(rig_counter(&rig, COUNTER_syn_cookies_sent), SYNRATE + 40);
	/* Above half of it, it stays. */
	rig_wait_ms(&rig, 1001);
	flood(&rig, 3000, SYNRATE / 2 + 1, 84);
	rig_wait_ms(&rig, 1001);
	flood(&rig, 4000, 1, 84);
	assert_int_equal(rig_counter(&rig, COUNTER_syn_cookies_sent),
			SYNRATE + 40 + SYNRATE / 2 + 2);
	/* A calm second ends it. */
	rig_wait_ms(&rig, 1001);
	flood(&rig, 5000, 1, 84);
	rig_wait_ms(&rig, 1001);
	flood(&rig, 6000, 1, 84);
	assert_int_equal(rig_state(&rig, 6000), TCP_SYN_RCVD);
	rig_free(&rig);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(full_table_takes_from_the_flood_and_from_nobody_else),
			cmocka_unit_test(lists_hold_through_anything),
			cmocka_unit_test(auto_begins_with_the_rate_of_syns_and_ends_below_half),
	};

	(void)argc;
	rig_start_dpdk(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
