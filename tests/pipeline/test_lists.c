/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Who may speak to services: denied and allowed, changed while the engine runs, or not at all.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"

/* Files of one test. */
struct files {
	char folder[64];
	char deny[80];
	char allow[80];
};

static void
files_make(struct files *files)
{
	snprintf(files->folder, sizeof(files->folder), "/tmp/handfast-lists-XXXXXX");
	assert_non_null(mkdtemp(files->folder));
	snprintf(files->deny, sizeof(files->deny), "%s/deny", files->folder);
	snprintf(files->allow, sizeof(files->allow), "%s/allow", files->folder);
}

static void
files_remove(const struct files *files)
{
	unlink(files->deny);
	unlink(files->allow);
	assert_int_equal(rmdir(files->folder), 0);
}

static void
write_list(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void
write_settings(char *settings, size_t size, const char *deny, const char *allow)
{
	snprintf(settings, size,
			"engine: {connections: 4096, echo_buffers: 64, deny: \"%s\", "
			"allow: \"%s\"}\n" RIG_LAN "services:\n"
			"  - {name: web, listen: [\"10.9.0.2:80\", \"[fd00:9::2]:80\"]}\n"
			"  - {name: wary, listen: [\"10.9.0.2:81\"], cookies: always}\n",
			deny, allow);
}

static void
start(struct rig *rig, const char *deny, const char *allow)
{
	char settings[2048];

	write_settings(settings, sizeof(settings), deny, allow);
	rig_init(rig, settings, 1);
}

/* What comes of a SYN from an address: the flags of the answer, or 0. */
static uint8_t
knock(struct rig *rig, const char *address, uint16_t port)
{
	static uint16_t client_port = 1024;
	struct client client;

	client_init_from(&client, rig, address, client_port++, port);
	client_put(&client, TCP_SYN, "");
	return client_hear(&client) == 0 ? 0 : client.heard.segment.flags;
}

#define ANSWERED (TCP_SYN | TCP_ACK)
#define REFUSED  (TCP_RST | TCP_ACK)

struct rereading {
	struct rig *rig;
	struct settings *settings; /* The whole configuration anew; NULL: the lists alone. */
	FILE *errors;
	bool good;
	bool done; /* Atomic. */
};

static void *
reload_thread(void *argument)
{
	struct rereading *reading = argument;

	if (reading->settings != NULL)
		reading->good = reload_settings(&reading->rig->engine, reading->settings, false,
						reading->errors) == RELOAD_DONE;
	else
		reading->good = lists_reload(&reading->rig->engine, NULL, reading->errors);
	__atomic_store_n(&reading->done, true, __ATOMIC_RELEASE);
	return NULL;
}

/* While the worker takes turns, as it does in life. */
static bool
reread(struct rig *rig, struct settings *settings, char *said, size_t size)
{
	struct rereading request = {
			.rig = rig, .settings = settings, .errors = fmemopen(said, size, "w")};
	pthread_t thread;

	said[0] = '\0';
	assert_int_equal(pthread_create(&thread, NULL, reload_thread, &request), 0);
	while (!__atomic_load_n(&request.done, __ATOMIC_ACQUIRE))
		rig_turn(rig);
	pthread_join(thread, NULL);
	fclose(request.errors);
	return request.good;
}

/* @return whether the lists were good */
static bool
reload(struct rig *rig, char *said, size_t size)
{
	return reread(rig, NULL, said, size);
}

static void
denied_networks_get_no_answer_and_are_counted(void **state)
{
	struct files files;
	struct rig rig;

	(void)state;
	files_make(&files);
	write_list(files.deny, "# not welcome\n192.0.2.0/24\n2001:db8::/32\n");
	write_list(files.allow, "192.0.2.128/25\n2001:db8:1::/48\n");
	start(&rig, files.deny, files.allow);
	assert_int_equal(knock(&rig, "192.0.2.1", 80), 0);
	assert_int_equal(knock(&rig, "192.0.2.127", 80), 0);
	assert_int_equal(knock(&rig, "192.0.2.128", 80), ANSWERED);
	assert_int_equal(knock(&rig, "192.0.3.1", 80), ANSWERED);
	assert_int_equal(knock(&rig, "2001:db8::1", 80), 0);
	assert_int_equal(knock(&rig, "2001:db8:1::1", 80), ANSWERED);
	assert_int_equal(knock(&rig, "2001:db9::1", 80), ANSWERED);
	assert_int_equal(rig_counter(&rig, DROP_denied_prefix), 3);
	/* Nor are they told that a port is closed. */
	assert_int_equal(knock(&rig, "192.0.2.1", 999), 0);
	assert_int_equal(knock(&rig, "192.0.3.1", 999), REFUSED);
	assert_int_equal(rig_counter(&rig, DROP_denied_prefix), 4);
	rig_free(&rig);
	files_remove(&files);
}

static void
list_of_the_allowed_alone_denies_everybody_else(void **state)
{
	struct files files;
	struct rig rig;

	(void)state;
	files_make(&files);
	write_list(files.allow, "10.9.0.0/24\n");
	start(&rig, "", files.allow);
	assert_int_equal(knock(&rig, RIG_CLIENT_IP4, 80), ANSWERED);
	assert_int_equal(knock(&rig, "10.8.0.1", 80), 0);
	assert_int_equal(knock(&rig, RIG_CLIENT_IP6, 80), 0);
	rig_free(&rig);
	files_remove(&files);
}

/* Those of one burst by turns from a network that is denied and from elsewhere. */
#define MIXED 32

/* Two kinds of SYNs, four of each in a row; who is denied is the first of its kind. */
static void
put_mixed(struct rig *rig, struct client clients[MIXED])
{
	for (unsigned int i = 0; i < MIXED; i++) {
		struct client *client = &clients[i];

		client_init_from(client, rig, i % 4 == 0 ? "192.0.2.1" : "192.0.3.1",
				(uint16_t)(30000 + i), 81);
		if ((i / 4 & 1) != 0)
			client->next.options.options = TCP_OPTION_MSS;
		client_put(client, TCP_SYN, "");
	}
}

/* Who is gone from a burst leaves nobody behind who is taken for like the one before the gap. */
static void
who_follows_one_denied_is_answered_as_it_asked(void **state)
{
	struct client clients[MIXED];
	struct rig_frame answer;
	unsigned int answers = 0;
	struct files files;
	struct rig rig;

	(void)state;
	files_make(&files);
	write_list(files.deny, "192.0.2.0/24\n");
	start(&rig, files.deny, "");
	/* Shows where they go. */
	assert_int_equal(knock(&rig, "192.0.3.2", 81), ANSWERED);
	put_mixed(&rig, clients);
	rig_turn(&rig);
	for (; rig_take(&rig, &answer); answers++) {
		const uint8_t *ports = answer.bytes + answer.frame.l4_offset;
		const struct client *client = &clients[(ports[2] << 8 | ports[3]) - 30000];

		assert_int_equal(answer.segment.options, client->next.options.options);
		assert_int_equal(answer.segment.ack, client->next.seq + 1);
	}
	assert_int_equal(answers, MIXED - MIXED / 4);
	assert_int_equal(rig_counter(&rig, DROP_denied_prefix), MIXED / 4);
	assert_int_equal(rig_counter(&rig, COUNTER_syn_cookies_sent), answers + 1);
	rig_free(&rig);
	files_remove(&files);
}

static void
without_lists_there_is_no_set(void **state)
{
	struct lists_report report;
	char said[256];
	struct rig rig;

	(void)state;
	start(&rig, "", "");
	assert_null(rig.engine.lists.set);
	assert_true(reload(&rig, said, sizeof(said)));
	lists_show(&rig.engine.lists, &report);
	assert_false(report.used);
	assert_int_equal(knock(&rig, RIG_CLIENT_IP4, 80), ANSWERED);
	rig_free(&rig);
}

static void
lists_are_read_again_while_connections_go_on(void **state)
{
	struct lists_report report;
	struct client client;
	struct files files;
	char said[512];
	struct rig rig;

	(void)state;
	files_make(&files);
	write_list(files.deny, "192.0.2.0/24\n");
	start(&rig, files.deny, "");
	client_syn(&client, &rig, 4, 80, &client_linux_syn);
	client_put(&client, TCP_ACK, "");
	assert_int_equal(client_hear(&client), 0);
	assert_int_equal(knock(&rig, "192.0.2.1", 80), 0);
	assert_int_equal(knock(&rig, "198.51.100.1", 80), ANSWERED);

	write_list(files.deny, "198.51.100.0/24\n203.0.113.0/24\n");
	assert_true(reload(&rig, said, sizeof(said)));
	lists_show(&rig.engine.lists, &report);
	assert_int_equal(report.denied, 2);
	assert_int_equal(knock(&rig, "192.0.2.1", 80), ANSWERED);
	assert_int_equal(knock(&rig, "198.51.100.1", 80), 0);

	/* Who is denied from now on is cut off in the middle. */
	write_list(files.deny, "10.9.0.0/24\n");
	assert_true(reload(&rig, said, sizeof(said)));
	client_put(&client, TCP_ACK, "GET / HTTP/1.0\r\n\r\n");
	assert_int_equal(client_hear(&client), 0);
	write_list(files.deny, "");
	assert_true(reload(&rig, said, sizeof(said)));
	client_put(&client, TCP_ACK, "GET / HTTP/1.0\r\n\r\n");
	assert_true(client_hear(&client) > 0);
	assert_true(client.heard.segment.payload_length > 0);
	rig_free(&rig);
	files_remove(&files);
}

static void
wrong_file_changes_nothing_and_says_where(void **state)
{
	const struct prefix_set *before;
	struct files files;
	char said[1024], place[128];
	struct rig rig;

	(void)state;
	files_make(&files);
	write_list(files.deny, "192.0.2.0/24\n");
	start(&rig, files.deny, "");
	before = rig.engine.lists.set;
	write_list(files.deny, "198.51.100.0/24\n\n  10.0.0.1/8\n");
	assert_false(reload(&rig, said, sizeof(said)));
	snprintf(place, sizeof(place), "%s:3:3: error: ", files.deny);
	assert_ptr_equal(strstr(said, place), said);
	assert_ptr_equal(rig.engine.lists.set, before);
	unlink(files.deny);
	assert_false(reload(&rig, said, sizeof(said)));
	assert_non_null(strstr(said, "No such file"));
	assert_int_equal(knock(&rig, "192.0.2.1", 80), 0);
	assert_int_equal(knock(&rig, "198.51.100.1", 80), ANSWERED);
	rig_free(&rig);

	/* Nobody allowed at all is a mistake rather than a wish. */
	write_list(files.allow, "10.9.0.0/24\n");
	start(&rig, "", files.allow);
	write_list(files.allow, "# nobody\n");
	assert_false(reload(&rig, said, sizeof(said)));
	assert_non_null(strstr(said, "nobody is allowed"));
	assert_int_equal(knock(&rig, RIG_CLIENT_IP4, 80), ANSWERED);
	rig_free(&rig);
	files_remove(&files);
}

/* Read again with everything else, and with it or not at all. */
static void
configuration_brings_lists_with_it(void **state)
{
	char text[2048], said[1024];
	struct files files;
	struct rig rig;

	(void)state;
	files_make(&files);
	write_list(files.deny, "192.0.2.0/24\n");
	start(&rig, "", "");
	assert_int_equal(knock(&rig, "192.0.2.1", 80), ANSWERED);
	write_settings(text, sizeof(text), files.deny, "");
	assert_true(reread(&rig, settings_parse("new", text, strlen(text), stderr), said,
			sizeof(said)));
	assert_non_null(strstr(said, "1 prefixes denied"));
	assert_int_equal(knock(&rig, "192.0.2.1", 80), 0);
	/* The file alone is new. */
	write_list(files.deny, "198.51.100.0/24\n");
	assert_true(reread(&rig, settings_parse("new", text, strlen(text), stderr), said,
			sizeof(said)));
	assert_int_equal(knock(&rig, "192.0.2.1", 80), ANSWERED);
	assert_int_equal(knock(&rig, "198.51.100.1", 80), 0);
	/* Nothing is. */
	assert_false(reread(&rig, settings_parse("new", text, strlen(text), stderr), said,
			sizeof(said)));
	assert_non_null(strstr(said, "nothing has changed"));
	/* And wrong. */
	write_list(files.deny, "nonsense\n");
	assert_false(reread(&rig, settings_parse("new", text, strlen(text), stderr), said,
			sizeof(said)));
	assert_non_null(strstr(said, ":1:1: error: "));
	assert_int_equal(knock(&rig, "198.51.100.1", 80), 0);
	rig_free(&rig);
	files_remove(&files);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(denied_networks_get_no_answer_and_are_counted),
			cmocka_unit_test(list_of_the_allowed_alone_denies_everybody_else),
			cmocka_unit_test(who_follows_one_denied_is_answered_as_it_asked),
			cmocka_unit_test(without_lists_there_is_no_set),
			cmocka_unit_test(lists_are_read_again_while_connections_go_on),
			cmocka_unit_test(wrong_file_changes_nothing_and_says_where),
			cmocka_unit_test(configuration_brings_lists_with_it),
	};

	(void)argc;
	rig_start_dpdk(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
