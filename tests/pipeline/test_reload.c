/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Reload and drain through the whole pipeline: who is served with what while the services change
 * under open connections, and when a number is used again.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/reload.h"
#include "engine/services_build.h"

#include "client.h"

#define HEAD                                            \
	"engine: {connections: 256, echo_buffers: 8}\n" \
	"ports:\n"                                      \
	"  - name: lan\n"                               \
	"    device: \"vdev:net_ring_rig\"\n"           \
	"    mac: 02:00:00:00:00:02\n"                  \
	"    addresses: [10.9.0.2/24, \"fd00:9::2/64\"]\n"

#define WEB(more) "  - {name: web, listen: \"10.9.0.2:80\", " more "}\n"
#define ECHO      "  - {name: echo, listen: \"10.9.0.2:7\", reply: echo}\n"
#define SINK      "  - {name: sink, listen: \"10.9.0.2:9\", reply: discard, close: at_once}\n"

/* Past TIME_WAIT and whatever a cookie may do. */
#define QUIET_S 112

static struct rig bench;
static char *report_text;

static enum reload_result
reload(struct rig *rig, const char *yaml)
{
	struct settings *wanted = settings_parse("new.yaml", yaml, strlen(yaml), stderr);
	enum reload_result result;
	size_t size;
	FILE *report;

	free(report_text);
	report = open_memstream(&report_text, &size);
	assert_non_null(wanted);
	result = reload_settings(&rig->engine, wanted, false, report);
	fclose(report);
	rig_turn(rig);
	reload_poll(&rig->engine);
	return result;
}

static enum reload_result
drain(struct rig *rig, const char *name, bool drained)
{
	enum reload_result result;
	size_t size;
	FILE *report;

	free(report_text);
	report = open_memstream(&report_text, &size);
	result = reload_drain(&rig->engine, name, drained, report);
	fclose(report);
	rig_turn(rig);
	reload_poll(&rig->engine);
	return result;
}

static void
assert_reported(const char *text)
{
	if (strstr(report_text, text) == NULL)
		fail_msg("\"%s\" is not in:\n%s", text, report_text);
}

/* Let time pass as control sees it. */
static void
pass_seconds(struct rig *rig, unsigned int seconds)
{
	for (unsigned int i = 0; i < seconds * 10; i++) {
		rig_wait_ms(rig, 100);
		reload_poll(&rig->engine);
	}
}

static void
prepare(struct client *client, struct rig *rig, uint16_t client_port, uint16_t port)
{
	client_init(client, rig, 4, port, &client_linux_syn);
	client->path.local_port = rte_cpu_to_be_16(client_port);
}

static void
open_client(struct client *client, struct rig *rig, uint16_t client_port, uint16_t port)
{
	prepare(client, rig, client_port, port);
	assert_true(client_say_syn(client));
	client_put(client, TCP_ACK, "");
	client_hear(client);
	assert_int_not_equal(rig_state(rig, client_port), TCP_CLOSED);
}

/* A new client's SYN is answered as where nobody listens. */
static void
assert_refused(struct rig *rig, uint16_t client_port, uint16_t port)
{
	struct client client;

	prepare(&client, rig, client_port, port);
	client_put(&client, TCP_SYN, "");
	assert_int_equal(client_hear(&client), 1);
	assert_int_equal(client.heard.segment.flags, TCP_RST | TCP_ACK);
}

/* Say something, and take the answer in. @return its text */
static const char *
ask(struct client *client, const char *text)
{
	static char answer[RIG_FRAME_MAX];
	const struct tcp_segment *segment = &client->heard.segment;

	client_put(client, TCP_ACK | TCP_PSH, text);
	assert_true(client_hear(client) > 0);
	client->next.seq += (uint32_t)strlen(text);
	assert_int_equal(segment->ack, client->next.seq);
	snprintf(answer, sizeof(answer), "%.*s", (int)segment->payload_length,
			(const char *)client->heard.bytes + client->heard.frame.l4_offset +
					segment->payload_offset);
	client->next.ack = segment->seq + segment->payload_length;
	client_put(client, TCP_ACK, "");
	client_hear(client);
	return answer;
}

/* The body is so long. */
static void
assert_length(struct client *client, unsigned int length)
{
	char field[64];
	const char *answer = ask(client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");

	snprintf(field, sizeof(field), "Content-Length: %u\r\n", length);
	if (strstr(answer, field) == NULL)
		fail_msg("%s is not in:\n%s", field, answer);
}

static void
abort_client(struct client *client)
{
	client_put(client, TCP_RST, "");
	client_hear(client);
	assert_int_equal(rig_state(client->rig, rte_be_to_cpu_16(client->path.local_port)),
			TCP_CLOSED);
}

static const struct service_share *
share_of(const struct rig *rig, const char *name)
{
	const unsigned int number = services_find(rig->engine.services, name);

	assert_int_not_equal(number, 0);
	return &rig->engine.worker[0]->share[number];
}

static void
connections_end_with_the_reply_they_began_with(void **state)
{
	struct client before, after;

	(void)state;
	rig_init(&bench, HEAD "services:\n" WEB("body_size: 11"), 1);
	open_client(&before, &bench, 40000, 80);
	assert_length(&before, 11);
	assert_int_equal(reload(&bench, HEAD "services:\n" WEB("body_size: 22")), RELOAD_DONE);
	assert_reported("service web: body_size 11 -> 22\n1 change in force\n");
	open_client(&after, &bench, 40001, 80);
	assert_length(&after, 22);
	assert_length(&before, 11);
	/* One service all the while. */
	assert_int_equal(share_of(&bench, "web")->connections, 2);
	assert_int_equal(share_of(&bench, "web")->requests, 3);
	abort_client(&before);
	abort_client(&after);
	assert_int_equal(share_of(&bench, "web")->connections, 0);
	rig_free(&bench);
}

static void
options_that_are_no_reply_change_for_open_connections_too(void **state)
{
	struct client client;

	(void)state;
	rig_init(&bench, HEAD "services:\n" WEB("body_size: 11"), 1);
	open_client(&client, &bench, 40000, 80);
	assert_int_equal(reload(&bench, HEAD "services:\n" WEB("body_size: 11, idle_timeout: 1s")),
			RELOAD_DONE);
	assert_length(&client, 11);
	rig_wait_ms(&bench, 900);
	assert_int_equal(rig_state(&bench, 40000), TCP_ESTABLISHED);
	rig_wait_ms(&bench, 300);
	assert_int_equal(rig_state(&bench, 40000), TCP_CLOSED);
	rig_close(&bench);
}

static void
removed_service_serves_whom_it_has_and_refuses_others(void **state)
{
	struct client client;

	(void)state;
	rig_init(&bench, HEAD "services:\n" WEB("body_size: 11") ECHO, 1);
	open_client(&client, &bench, 40000, 7);
	assert_int_equal(reload(&bench, HEAD "services:\n" WEB("body_size: 11")), RELOAD_DONE);
	assert_reported("service echo: removed\nservice echo: 1 connections stay until they end\n");
	assert_string_equal(ask(&client, "still there?"), "still there?");
	assert_refused(&bench, 40001, 7);
	/* And it comes back with what it had. */
	assert_int_equal(reload(&bench, HEAD "services:\n" WEB("body_size: 11") ECHO), RELOAD_DONE);
	assert_string_equal(ask(&client, "me, too"), "me, too");
	assert_int_equal(share_of(&bench, "echo")->connections, 1);
	open_client(&client, &bench, 40002, 7);
	assert_int_equal(share_of(&bench, "echo")->connections, 2);
	rig_free(&bench);
}

static void
number_of_a_removed_service_is_used_again_when_it_is_quiet(void **state)
{
	unsigned int number, listeners;
	struct client client;

	(void)state;
	rig_init(&bench, HEAD "services:\n" WEB("body_size: 11") ECHO, 2);
	open_client(&client, &bench, 40000, 7);
	number = services_find(bench.engine.services, "echo");
	listeners = bench.engine.services->listener_count;
	assert_int_equal(reload(&bench, HEAD "services:\n" WEB("body_size: 11")), RELOAD_DONE);
	pass_seconds(&bench, 30);
	assert_string_equal(ask(&client, "still there?"), "still there?");
	abort_client(&client);
	pass_seconds(&bench, 50);
	/* A cookie might still name it. */
	assert_int_equal(services_find(bench.engine.services, "echo"), number);
	pass_seconds(&bench, QUIET_S - 50);
	assert_int_equal(services_find(bench.engine.services, "echo"), 0);
	assert_false(bench.engine.services->changing);
	assert_refused(&bench, 40001, 7);
	assert_int_equal(reload(&bench, HEAD "services:\n" WEB("body_size: 11") SINK), RELOAD_DONE);
	assert_int_equal(services_find(bench.engine.services, "sink"), number);
	assert_int_equal(bench.engine.services->listener_count, listeners);
	assert_int_equal(share_of(&bench, "sink")->opened, 0);
	rig_free(&bench);
}

static void
older_version_goes_when_its_last_connection_has(void **state)
{
	struct client before, after;

	(void)state;
	rig_init(&bench, HEAD "services:\n" WEB("body_size: 11, idle_timeout: 10h"), 1);
	open_client(&before, &bench, 40000, 80);
	assert_int_equal(reload(&bench, HEAD "services:\n" WEB("body_size: 22, idle_timeout: 10h")),
			RELOAD_DONE);
	open_client(&after, &bench, 40001, 80);
	pass_seconds(&bench, 2 * QUIET_S);
	assert_length(&before, 11);
	abort_client(&before);
	pass_seconds(&bench, QUIET_S);
	assert_false(bench.engine.services->changing);
	assert_int_equal(
			bench.engine.services->edition_count, bench.engine.services->service_count);
	assert_length(&after, 22);
	rig_free(&bench);
}

static void
service_that_takes_over_an_address_serves_only_new_connections(void **state)
{
	struct client before, after;

	(void)state;
	rig_init(&bench, HEAD "services:\n" WEB("body_size: 11") ECHO, 1);
	open_client(&before, &bench, 40000, 7);
	assert_int_equal(reload(&bench, HEAD
					 "services:\n"
					 "  - {name: web, listen: \"10.9.0.2:7\", body_size: 11}\n"
					 "  - {name: echo, listen: \"10.9.0.2:80\", reply: "
					 "echo}\n"),
			RELOAD_DONE);
	open_client(&after, &bench, 40001, 7);
	assert_length(&after, 11);
	assert_string_equal(ask(&before, "hello"), "hello");
	assert_int_equal(share_of(&bench, "echo")->connections, 1);
	assert_int_equal(share_of(&bench, "web")->connections, 1);
	open_client(&after, &bench, 40002, 80);
	assert_string_equal(ask(&after, "GET /"), "GET /");
	rig_free(&bench);
}

static void
what_cannot_be_built_changes_nothing(void **state)
{
	const struct services *services;
	struct client client;

	(void)state;
	rig_init(&bench, HEAD "services:\n" WEB("body_size: 11"), 1);
	services = bench.engine.services;
	assert_int_equal(reload(&bench, HEAD "services:\n" WEB("body_file: /nowhere/body")),
			RELOAD_REFUSED);
	assert_reported("service web: body_file /nowhere/body cannot be read: No such file or "
			"directory\nnothing was changed\n");
	assert_ptr_equal(bench.engine.services, services);
	assert_int_equal(reload(&bench, HEAD "services:\n" WEB("body_size: 11")), RELOAD_SAME);
	assert_string_equal(report_text, "nothing has changed\n");
	assert_ptr_equal(bench.engine.services, services);
	open_client(&client, &bench, 40000, 80);
	assert_length(&client, 11);
	rig_free(&bench);
}

static void
what_needs_a_restart_stays_and_is_named(void **state)
{

	(void)state;
	rig_init(&bench, HEAD "services:\n" WEB("body_size: 11"), 1);
	assert_int_equal(reload(&bench, "tcp: {max_tw_buckets: 100, fin_timeout: 5s}\n" HEAD
					"services:\n" WEB("body_size: 11")),
			RELOAD_DONE);
	assert_reported("tcp: fin_timeout 1m -> 5s\n"
			"tcp: max_tw_buckets 262144 -> 100; needs a restart, stays 262144\n"
			"1 change in force, 1 waits for a restart\n");
	assert_int_equal(bench.engine.services->settings->tcp.max_tw_buckets, 262144);
	assert_int_equal(bench.engine.services->settings->tcp.fin_timeout_ms, 5000);
	rig_free(&bench);
}

static void
drained_service_keeps_its_connections_and_takes_no_new_ones(void **state)
{
	struct client client;

	(void)state;
	rig_init(&bench, HEAD "services:\n" WEB("body_size: 11") ECHO, 1);
	open_client(&client, &bench, 40000, 80);
	assert_int_equal(drain(&bench, "web", true), RELOAD_DONE);
	assert_string_equal(report_text,
			"service web: takes no new connections; 1 stay until they end\n");
	assert_refused(&bench, 40001, 80);
	assert_length(&client, 11);
	open_client(&client, &bench, 40002, 7);
	/* A reload does not take it back. */
	assert_int_equal(reload(&bench, HEAD "services:\n" WEB("body_size: 22")), RELOAD_DONE);
	assert_refused(&bench, 40003, 80);
	assert_int_equal(drain(&bench, "web", true), RELOAD_SAME);
	assert_int_equal(drain(&bench, NULL, false), RELOAD_DONE);
	open_client(&client, &bench, 40004, 80);
	assert_length(&client, 22);
	assert_int_equal(drain(&bench, "nobody", true), RELOAD_REFUSED);
	assert_string_equal(report_text, "there is no service nobody\n");
	rig_free(&bench);
}

static void
drained_service_does_not_begin_again_out_of_time_wait(void **state)
{
	struct client client;

	(void)state;
	rig_init(&bench, HEAD "services:\n" SINK, 1);
	open_client(&client, &bench, 40000, 9);
	assert_int_equal(client.heard.segment.flags, TCP_FIN | TCP_ACK);
	client.next.ack++;
	client_put(&client, TCP_FIN | TCP_ACK, "");
	client_hear(&client);
	assert_int_equal(rig_state(&bench, 40000), TCP_TIME_WAIT);
	assert_int_equal(drain(&bench, "sink", true), RELOAD_DONE);
	client.next.seq += 1000;
	client_put(&client, TCP_SYN, "");
	assert_int_equal(client_hear(&client), 1);
	assert_int_equal(client.heard.segment.flags, TCP_RST | TCP_ACK);
	assert_int_equal(rig_state(&bench, 40000), TCP_TIME_WAIT);
	rig_free(&bench);
}

static void
time_wait_of_an_older_version_answers_and_lets_new_ones_in(void **state)
{
	struct client client;

	(void)state;
	rig_init(&bench, HEAD "services:\n" SINK, 1);
	open_client(&client, &bench, 40000, 9);
	client.next.ack++;
	client_put(&client, TCP_FIN | TCP_ACK, "");
	client_hear(&client);
	assert_int_equal(rig_state(&bench, 40000), TCP_TIME_WAIT);
	assert_int_equal(reload(&bench, HEAD "services:\n"
					     "  - {name: sink, listen: \"10.9.0.2:9\", reply: "
					     "echo}\n"),
			RELOAD_DONE);
	/* The peer did not hear our last ACK. */
	client_put(&client, TCP_FIN | TCP_ACK, "");
	assert_int_equal(client_hear(&client), 1);
	assert_int_equal(client.heard.segment.flags, TCP_ACK);
	assert_int_equal(client.heard.segment.ack, client.next.seq + 1);
	open_client(&client, &bench, 40000, 9);
	assert_string_equal(ask(&client, "new"), "new");
	rig_free(&bench);
}

static void
syn_behind_the_end_of_an_older_connection_gets_the_new_version(void **state)
{
	struct client client;

	(void)state;
	rig_init(&bench, HEAD "services:\n" WEB("body_size: 11"), 1);
	open_client(&client, &bench, 40000, 80);
	assert_int_equal(reload(&bench, HEAD "services:\n" WEB("body_size: 22")), RELOAD_DONE);
	/* Both in one burst. */
	client_put(&client, TCP_RST, "");
	client_init(&client, &bench, 4, 80, &client_linux_syn);
	client.next.seq = 77777;
	assert_true(client_say_syn(&client));
	client_put(&client, TCP_ACK, "");
	client_hear(&client);
	assert_length(&client, 22);
	rig_free(&bench);
}

static void
cookie_of_before_opens_after_a_reload(void **state)
{
	struct client client;

	(void)state;
	rig_init(&bench, HEAD "services:\n" WEB("body_size: 11, cookies: always"), 1);
	prepare(&client, &bench, 40000, 80);
	assert_true(client_say_syn(&client));
	assert_int_equal(rig_state(&bench, 40000), TCP_CLOSED);
	assert_int_equal(reload(&bench, HEAD "services:\n" WEB("body_size: 22, cookies: always")),
			RELOAD_DONE);
	client_put(&client, TCP_ACK, "");
	client_hear(&client);
	assert_length(&client, 22);
	/* Also where the service is gone: who was promised a connection has one. */
	prepare(&client, &bench, 40001, 80);
	assert_true(client_say_syn(&client));
	assert_int_equal(reload(&bench, HEAD "services:\n" ECHO), RELOAD_DONE);
	client_put(&client, TCP_ACK, "");
	client_hear(&client);
	assert_length(&client, 22);
	assert_refused(&bench, 40002, 80);
	rig_free(&bench);
}

/* Whose cookie was spent at an older version, before the reload or after it, gets in no more. */
static void
cookie_spent_at_an_older_version_opens_nothing(void **state)
{
	(void)state;
	for (unsigned int ends_later = 0; ends_later < 2; ends_later++) {
		struct client client, third;

		rig_init(&bench, HEAD "services:\n" WEB("body_size: 11, cookies: always"), 1);
		prepare(&client, &bench, 40000, 80);
		assert_true(client_say_syn(&client));
		third = client;
		client_put(&client, TCP_ACK, "");
		client_hear(&client);
		assert_int_equal(rig_state(&bench, 40000), TCP_ESTABLISHED);
		if (!ends_later)
			abort_client(&client);
		assert_int_equal(reload(&bench, HEAD "services:\n" WEB("body_size: 22, cookies: "
								       "always")),
				RELOAD_DONE);
		if (ends_later)
			abort_client(&client);
		client_put(&third, TCP_ACK, "");
		client_hear(&third);
		assert_int_equal(rig_state(&bench, 40000), TCP_CLOSED);
		assert_int_equal(rig_counter(&bench, COUNTER_opened), 1);
		assert_int_equal(rig_counter(&bench, COUNTER_syn_cookies_replayed), 1);
		rig_free(&bench);
	}
}

static void
limit_of_connections_counts_those_there_are(void **state)
{
	struct client client;

	(void)state;
	for (unsigned int workers = 1; workers <= 3; workers += 2) {
		rig_init(&bench, HEAD "services:\n" WEB("body_size: 11"), workers);
		for (uint16_t i = 0; i < 10; i++)
			open_client(&client, &bench, (uint16_t)(40000 + i), 80);
		reload(&bench, HEAD "services:\n" WEB("body_size: 11, max_connections: 12"));
		for (uint16_t i = 10; i < 12; i++)
			open_client(&client, &bench, (uint16_t)(40000 + i), 80);
		prepare(&client, &bench, 40100, 80);
		assert_false(client_say_syn(&client));
		/* Below what there is: the next one has to wait for three. */
		reload(&bench, HEAD "services:\n" WEB("body_size: 11, max_connections: 10"));
		for (uint16_t i = 0; i < 3; i++) {
			prepare(&client, &bench, 40100, 80);
			assert_false(client_say_syn(&client));
			prepare(&client, &bench, (uint16_t)(40000 + i), 80);
			client.next.seq = 0xffffffff;
			client_put(&client, TCP_RST, "");
			client_hear(&client);
		}
		open_client(&client, &bench, 40100, 80);
		prepare(&client, &bench, 40101, 80);
		assert_false(client_say_syn(&client));
		reload(&bench, HEAD "services:\n" WEB("body_size: 11"));
		open_client(&client, &bench, 40101, 80);
		rig_free(&bench);
	}
}

static void
first_service_that_echoes_gets_rings(void **state)
{
	struct client client;

	(void)state;
	rig_init(&bench, HEAD "services:\n" SINK, 1);
	assert_int_equal(reload(&bench, HEAD "services:\n" SINK ECHO), RELOAD_DONE);
	for (uint16_t i = 0; i < 8; i++) {
		open_client(&client, &bench, (uint16_t)(40000 + i), 7);
		assert_string_equal(ask(&client, "hello"), "hello");
	}
	rig_free(&bench);
}

static void
versions_with_connections_are_limited_per_address(void **state)
{
	struct client client[SERVICES_OLDER_MAX + 2];
	char yaml[1024];

	(void)state;
	rig_init(&bench, HEAD "services:\n" WEB("body_size: 100"), 1);
	for (unsigned int i = 0; i <= SERVICES_OLDER_MAX; i++) {
		open_client(&client[i], &bench, (uint16_t)(40000 + i), 80);
		snprintf(yaml, sizeof(yaml), HEAD "services:\n" WEB("body_size: %u"), 101 + i);
		assert_int_equal(reload(&bench, yaml),
				i < SERVICES_OLDER_MAX ? RELOAD_DONE : RELOAD_REFUSED);
	}
	assert_reported("connections of 32 earlier versions of it are still open");
	for (unsigned int i = 0; i <= SERVICES_OLDER_MAX; i++)
		assert_length(&client[i], 100 + i);
	rig_free(&bench);
}

static int
clear_bench(void **state)
{
	(void)state;
	if (bench.open)
		rig_close(&bench);
	return 0;
}

static int
free_report(void **state)
{
	(void)state;
	free(report_text);
	report_text = NULL;
	return 0;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_teardown(connections_end_with_the_reply_they_began_with,
					clear_bench),
			cmocka_unit_test_teardown(
					options_that_are_no_reply_change_for_open_connections_too,
					clear_bench),
			cmocka_unit_test_teardown(
					removed_service_serves_whom_it_has_and_refuses_others,
					clear_bench),
			cmocka_unit_test_teardown(
					number_of_a_removed_service_is_used_again_when_it_is_quiet,
					clear_bench),
			cmocka_unit_test_teardown(older_version_goes_when_its_last_connection_has,
					clear_bench),
			cmocka_unit_test_teardown(
					service_that_takes_over_an_address_serves_only_new_connections,
					clear_bench),
			cmocka_unit_test_teardown(
					what_cannot_be_built_changes_nothing, clear_bench),
			cmocka_unit_test_teardown(
					what_needs_a_restart_stays_and_is_named, clear_bench),
			cmocka_unit_test_teardown(
					drained_service_keeps_its_connections_and_takes_no_new_ones,
					clear_bench),
			cmocka_unit_test_teardown(
					drained_service_does_not_begin_again_out_of_time_wait,
					clear_bench),
			cmocka_unit_test_teardown(
					time_wait_of_an_older_version_answers_and_lets_new_ones_in,
					clear_bench),
			cmocka_unit_test_teardown(
					syn_behind_the_end_of_an_older_connection_gets_the_new_version,
					clear_bench),
			cmocka_unit_test_teardown(
					cookie_of_before_opens_after_a_reload, clear_bench),
			cmocka_unit_test_teardown(cookie_spent_at_an_older_version_opens_nothing,
					clear_bench),
			cmocka_unit_test_teardown(
					limit_of_connections_counts_those_there_are, clear_bench),
			cmocka_unit_test_teardown(
					first_service_that_echoes_gets_rings, clear_bench),
			cmocka_unit_test_teardown(versions_with_connections_are_limited_per_address,
					clear_bench),
	};

	(void)argc;
	rig_start_dpdk(argv[0]);
	return cmocka_run_group_tests(tests, NULL, free_report);
}
