/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * What a reload says, word for word, and which values stay until a restart.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settings/settings_diff.h"

#define PORT  "ports: [{name: lan, device: \"tap:hf0\", addresses: 10.9.0.2/24}]\n"
#define WEB   "{name: web, listen: \"10.9.0.2:80\"}"
#define PLAIN PORT "services: [" WEB "]\n"

static struct settings *
parsed(const char *text)
{
	struct settings *settings = settings_parse("test.yaml", text, strlen(text), stderr);

	assert_non_null(settings);
	return settings;
}

static void
assert_diff(const struct settings *running, const struct settings *wanted, const char *expected,
		struct settings_diff expected_diff)
{
	struct settings_diff diff;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_true(settings_diff_print(running, wanted, out, &diff));
	fclose(out);
	assert_string_equal(text, expected);
	assert_int_equal(diff.reload, expected_diff.reload);
	assert_int_equal(diff.restart, expected_diff.restart);
	free(text);
}

static void
assert_differ(const char *running_text, const char *wanted_text, const char *expected,
		struct settings_diff expected_diff)
{
	struct settings *running = parsed(running_text);
	struct settings *wanted = parsed(wanted_text);

	assert_diff(running, wanted, expected, expected_diff);
	settings_free(running);
	settings_free(wanted);
}

static void
equal_files_do_not_differ(void **state)
{
	(void)state;
	assert_differ(PLAIN, PLAIN, "", (struct settings_diff){0});
}

static void
values_are_compared_not_how_they_are_written(void **state)
{
	(void)state;
	assert_differ("tcp: {fin_timeout: 60s}\n" PLAIN, "tcp: {fin_timeout: 60000ms}\n" PLAIN, "",
			(struct settings_diff){0});
}

static void
what_a_shorter_text_leaves_behind_is_no_difference(void **state)
{
	struct settings *running = parsed(PLAIN);
	struct settings *wanted = parsed(PLAIN);

	(void)state;
	wanted->service[0].content_type[strlen(wanted->service[0].content_type) + 1] = 'x';
	assert_diff(running, wanted, "", (struct settings_diff){0});
	settings_free(running);
	settings_free(wanted);
}

static void
an_option_is_shown_before_and_after(void **state)
{
	(void)state;
	assert_differ(PLAIN,
			"tcp: {fin_timeout: 30s}\n" PORT
			"services: [{name: web, listen: \"10.9.0.2:80\", idle_timeout: 1500ms, "
			"content_type: text/html}]\n",
			"tcp: fin_timeout 1m -> 30s\n"
			"service web: content_type \"text/plain\" -> \"text/html\"\n"
			"service web: idle_timeout 1m -> 1500ms\n",
			(struct settings_diff){.reload = 3});
}

static void
what_needs_a_restart_says_so_and_what_stays(void **state)
{
	(void)state;
	assert_differ(PLAIN,
			"engine: {workers: 2, log_level: debug}\n"
			"tcp: {max_tw_buckets: 1000}\n" PLAIN,
			"engine: workers auto -> 2; needs a restart, stays auto\n"
			"engine: log_level info -> debug\n"
			"tcp: max_tw_buckets 262144 -> 1000; needs a restart, stays 262144\n",
			(struct settings_diff){.reload = 1, .restart = 2});
}

static void
services_come_and_go_by_name(void **state)
{
	(void)state;
	assert_differ(PLAIN, PORT "services: [{name: api, listen: \"10.9.0.2:81\"}]\n",
			"service web: removed\n"
			"service api: added\n",
			(struct settings_diff){.reload = 2});
}

static void
the_order_of_services_means_nothing(void **state)
{
	(void)state;
	assert_differ(PORT "services: [{name: a, listen: \"10.9.0.2:81\"}, " WEB "]\n",
			PORT "services: [" WEB ", {name: a, listen: \"10.9.0.2:81\"}]\n", "",
			(struct settings_diff){0});
}

static void
ports_come_and_go_with_a_restart(void **state)
{
	(void)state;
	assert_differ(PLAIN,
			"ports: [{name: lan, device: \"tap:hf0\", addresses: 10.9.0.2/24, "
			"mtu: 9000}, {name: wan, device: \"tap:hf1\"}]\n"
			"services: [" WEB "]\n",
			"port lan: mtu 1500 -> 9000; needs a restart, stays 1500\n"
			"port wan: added; needs a restart\n",
			(struct settings_diff){.restart = 2});
}

static void
of_lists_only_what_differs_is_shown(void **state)
{
	(void)state;
	assert_differ(PORT "services: [{name: web, listen: [\"10.9.0.2:80\", \"10.9.0.2:81\"]}]\n",
			PORT
			"services: [{name: web, listen: [\"10.9.0.2:82\", \"10.9.0.2:80\"]}]\n",
			"service web: listen -\"10.9.0.2:81\" +\"10.9.0.2:82\"\n",
			(struct settings_diff){.reload = 1});
	assert_differ(PORT "services: [{name: web, listen: [\"10.9.0.2:80\", \"10.9.0.2:81\"]}]\n",
			PORT
			"services: [{name: web, listen: [\"10.9.0.2:81\", \"10.9.0.2:80\"]}]\n",
			"service web: listen in another order\n",
			(struct settings_diff){.reload = 1});
	/* A value that another one begins with is not that one. */
	assert_differ(PORT "services: [{name: web, listen: \"10.9.0.2:80\"}]\n",
			PORT "services: [{name: web, listen: [\"10.9.0.2:80\", "
			     "\"10.9.0.2:8080\"]}]\n",
			"service web: listen +\"10.9.0.2:8080\"\n",
			(struct settings_diff){.reload = 1});
}

static void
what_needs_a_restart_keeps_its_value(void **state)
{
	struct settings *running = parsed("engine: {workers: 1, connections: 1000}\n" PLAIN);
	struct settings *wanted =
			parsed("engine: {workers: 2, drain_timeout: 9s}\n"
			       "tcp: {max_tw_buckets: 64, fin_timeout: 5s}\n"
			       "ports: [{name: lan, device: \"tap:hf0\", addresses: "
			       "10.9.0.2/24, mtu: 9000}, {name: wan, device: "
			       "\"tap:hf1\"}]\n"
			       "services: [" WEB ", {name: api, listen: \"10.9.0.2:81\"}]\n");

	(void)state;
	settings_diff_keep(running, wanted);
	assert_int_equal(wanted->engine.workers.count, 1);
	assert_int_equal(wanted->engine.connections, 1000);
	assert_int_equal(wanted->tcp.max_tw_buckets, 262144);
	assert_int_equal(wanted->port_count, 1);
	assert_int_equal(wanted->port[0].mtu, 1500);
	/* And the rest is as asked for. */
	assert_int_equal(wanted->engine.drain_timeout_ms, 9000);
	assert_int_equal(wanted->tcp.fin_timeout_ms, 5000);
	assert_int_equal(wanted->service_count, 2);
	settings_free(running);
	settings_free(wanted);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(equal_files_do_not_differ),
			cmocka_unit_test(values_are_compared_not_how_they_are_written),
			cmocka_unit_test(what_a_shorter_text_leaves_behind_is_no_difference),
			cmocka_unit_test(an_option_is_shown_before_and_after),
			cmocka_unit_test(what_needs_a_restart_says_so_and_what_stays),
			cmocka_unit_test(services_come_and_go_by_name),
			cmocka_unit_test(the_order_of_services_means_nothing),
			cmocka_unit_test(ports_come_and_go_with_a_restart),
			cmocka_unit_test(of_lists_only_what_differs_is_shown),
			cmocka_unit_test(what_needs_a_restart_keeps_its_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
