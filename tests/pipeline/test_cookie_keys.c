/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The secrets of SYN cookies while an engine runs: rotated without a loss, or not at all.
 *
 * The engine's worker turns in a thread of its own while a secret is rotated, as it does in life.
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
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"

#define SECRET_A  "zyxwvutsrqponmlkjihgZYXWVUTSRQPO"
#define SECRET_B  "abcdefghijklmnopqrstABCDEFGHIJKL"
#define SECRET_C  "0123456789abcdefghijklmnopqrstuv"

#define PATH_SIZE 64

/* Files of one test. */
struct files {
	char folder[PATH_SIZE];
	char secret[PATH_SIZE + 16];
	char accepted[PATH_SIZE + 16];
};

static const char services[] = RIG_LAN
		"services:\n"
		"  - {name: web, listen: [\"10.9.0.2:80\", \"[fd00:9::2]:80\"], cookies: always}\n";

static void
write_secret(const char *path, const char *text)
{
	FILE *file;

	unlink(path);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0600), 0);
}

static void
files_make(struct files *files)
{
	snprintf(files->folder, sizeof(files->folder), "/tmp/handfast-keys-XXXXXX");
	assert_non_null(mkdtemp(files->folder));
	snprintf(files->secret, sizeof(files->secret), "%s/secret", files->folder);
	snprintf(files->accepted, sizeof(files->accepted), "%s/accepted", files->folder);
	write_secret(files->secret, SECRET_A);
}

static void
files_remove(const struct files *files)
{
	unlink(files->secret);
	unlink(files->accepted);
	assert_int_equal(rmdir(files->folder), 0);
}

static void
start(struct rig *rig, const char *secret, const char *accepted)
{
	char settings[2048];

	snprintf(settings, sizeof(settings),
			"engine: {connections: 4096, echo_buffers: 64, secret: \"%s\", "
			"secret_accepted: \"%s\"}\n%s",
			secret, accepted, services);
	rig_init(rig, settings, 1);
}

struct rotation {
	struct rig *rig;
	struct cookies_ids ids;
	struct secret_problem problem;
	bool good;
	bool done; /* Atomic. */
};

static void *
rotation_thread(void *argument)
{
	struct rotation *rotation = argument;

	rotation->good = cookies_rotate(&rotation->rig->engine, &rotation->ids, &rotation->problem);
	__atomic_store_n(&rotation->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void
rotate(struct rig *rig, struct rotation *rotation)
{
	pthread_t thread;

	*rotation = (struct rotation){.rig = rig};
	assert_int_equal(pthread_create(&thread, NULL, rotation_thread, rotation), 0);
	while (!__atomic_load_n(&rotation->done, __ATOMIC_ACQUIRE))
		rig_turn(rig);
	pthread_join(thread, NULL);
}

/* The third segment of the handshake opens, or is refused. */
static void
acknowledge(struct client *client, bool opens)
{
	const unsigned int before = rig_connections(client->rig);

	client_put(client, TCP_ACK, "");
	assert_int_equal(client_hear(client), opens ? 0 : 1);
	if (!opens)
		assert_int_equal(client->heard.segment.flags, TCP_RST);
	assert_int_equal(rig_connections(client->rig), before + (opens ? 1 : 0));
}

/* Handshakes of a client each: the SYN before something happens, the ACK after it. */
static void
begin(struct rig *rig, struct client *client, unsigned int number, bool timestamps)
{
	struct tcp_options options = client_linux_syn;

	if (!timestamps)
		options.options &= (uint8_t)~TCP_OPTION_TIMESTAMPS;
	client_init(client, rig, 4, 80, &options);
	client->path.local_port = rte_cpu_to_be_16((uint16_t)(CLIENT_FIRST_PORT + number));
	assert_true(client_say_syn(client));
}

static void
handshake_across_a_rotation_opens(void **state)
{
	struct rotation rotation;
	struct client client[4];
	struct files files;
	struct rig rig;

	(void)state;
	files_make(&files);
	start(&rig, files.secret, "");
	begin(&rig, &client[0], 0, true);
	begin(&rig, &client[1], 1, false);
	write_secret(files.secret, SECRET_B);
	rotate(&rig, &rotation);
	assert_true(rotation.good);
	assert_string_not_equal(rotation.ids.before, rotation.ids.active);
	assert_string_equal(rotation.ids.before, rotation.ids.retired);
	acknowledge(&client[0], true);
	acknowledge(&client[1], true);
	begin(&rig, &client[2], 2, true);
	begin(&rig, &client[3], 3, false);
	acknowledge(&client[2], true);
	acknowledge(&client[3], true);
	assert_int_equal(rig_counter(&rig, COUNTER_syn_cookies_opened), 4);
	rig_free(&rig);
	files_remove(&files);
}

static void
stand_alone_engine_makes_itself_a_new_secret(void **state)
{
	struct rotation rotation;
	struct client client;
	struct rig rig;

	(void)state;
	start(&rig, "", "");
	begin(&rig, &client, 0, true);
	rotate(&rig, &rotation);
	assert_true(rotation.good);
	assert_string_not_equal(rotation.ids.before, rotation.ids.active);
	acknowledge(&client, true);
	rig_free(&rig);
}

static void
second_rotation_waits_for_the_cookies_of_the_first(void **state)
{
	struct rotation rotation;
	struct client client;
	struct files files;
	char active[SECRET_ID_DIGITS + 1];
	struct rig rig;

	(void)state;
	files_make(&files);
	start(&rig, files.secret, "");
	begin(&rig, &client, 0, true);
	write_secret(files.secret, SECRET_B);
	rotate(&rig, &rotation);
	assert_true(rotation.good);
	memcpy(active, rotation.ids.active, sizeof(active));
	write_secret(files.secret, SECRET_C);
	rotate(&rig, &rotation);
	assert_false(rotation.good);
	assert_non_null(strstr(rotation.problem.remedy, "again in 6"));
	assert_string_equal(rotation.ids.active, active);
	acknowledge(&client, true);
	/* When its cookies are too old, the retired one is forgotten, and the next may come. */
	rig.engine.cookies.retired_until_ms = 0;
	cookies_refresh(&rig.engine.cookies);
	rotate(&rig, &rotation);
	assert_true(rotation.good);
	assert_string_equal(rotation.ids.retired, active);
	rig_free(&rig);
	files_remove(&files);
}

static void
wrong_files_change_nothing(void **state)
{
	static const char *const what[] = {"mode 0644", "hexadecimal", "cannot be opened"};
	struct rotation rotation;
	struct client client;
	struct files files;
	char active[SECRET_ID_DIGITS + 1];
	struct rig rig;

	(void)state;
	files_make(&files);
	start(&rig, files.secret, files.accepted);
	for (unsigned int i = 0; i < 6; i++) {
		/* The active one, then the accepted one: who may read it, short, not there. */
		const char *path = i < 3 ? files.secret : files.accepted;

		begin(&rig, &client, i, true);
		write_secret(files.secret, SECRET_A);
		write_secret(path, i % 3 == 1 ? "abcdef" : SECRET_B);
		if (i % 3 == 0)
			assert_int_equal(chmod(path, 0644), 0);
		if (i % 3 == 2)
			unlink(path);
		rotate(&rig, &rotation);
		memcpy(active, rotation.ids.before, sizeof(active));
		assert_string_equal(rotation.ids.active, active);
		/* An accepted secret may be missing. */
		assert_int_equal(rotation.good, i == 5);
		if (!rotation.good) {
			assert_non_null(strstr(rotation.problem.what, path));
			assert_non_null(strstr(rotation.problem.what, what[i % 3]));
			assert_true(rotation.problem.remedy[0] != '\0');
			assert_null(strstr(rotation.problem.what, "abcdef"));
		}
		acknowledge(&client, true);
	}
	rig_free(&rig);
	files_remove(&files);
}

/* What a fleet does: all accept the new secret, then all make cookies with it. */
static void
accepted_secret_opens_and_is_never_used_to_sign(void **state)
{
	struct rotation rotation;
	struct client client[2];
	struct files files;
	struct rig old, fresh;

	(void)state;
	files_make(&files);
	write_secret(files.accepted, SECRET_B);
	/* A cookie from a node that is further on. */
	start(&fresh, files.accepted, "");
	begin(&fresh, &client[0], 0, true);
	rig_free(&fresh);
	start(&old, files.secret, "");
	client[0].rig = &old;
	acknowledge(&client[0], false);
	rig_free(&old);
	start(&old, files.secret, files.accepted);
	client[0].rig = &old;
	acknowledge(&client[0], true);
	begin(&old, &client[1], 1, true);
	/* Told to take it away again, the node refuses. */
	unlink(files.accepted);
	rotate(&old, &rotation);
	assert_true(rotation.good);
	assert_string_equal(rotation.ids.accepted, "");
	assert_string_equal(rotation.ids.retired, "");
	client[0].path.local_port = rte_cpu_to_be_16(CLIENT_FIRST_PORT + 2);
	acknowledge(&client[0], false);
	rig_free(&old);
	/* Its own cookies were made with the active one alone. */
	write_secret(files.accepted, SECRET_B);
	start(&fresh, files.accepted, "");
	client[1].rig = &fresh;
	acknowledge(&client[1], false);
	rig_free(&fresh);
	files_remove(&files);
}

static void
credential_of_systemd_stands_in_for_the_option(void **state)
{
	struct cookies_ids from_file, from_credential;
	char path[PATH_SIZE + 32], accepted[PATH_SIZE + 32];
	struct files files;
	struct rig rig;

	(void)state;
	files_make(&files);
	snprintf(path, sizeof(path), "%s/" COOKIES_CREDENTIAL, files.folder);
	snprintf(accepted, sizeof(accepted), "%s/" COOKIES_CREDENTIAL_ACCEPTED, files.folder);
	start(&rig, files.secret, "");
	cookies_show(&rig.engine.cookies, &from_file);
	assert_int_equal(from_file.source, COOKIES_FILE);
	rig_free(&rig);

	/* The variable alone, for other credentials, means nothing. */
	setenv("CREDENTIALS_DIRECTORY", files.folder, 1);
	start(&rig, "", "");
	assert_false(rig.engine.cookies.shared);
	rig_free(&rig);

	write_secret(path, SECRET_A);
	assert_int_equal(chmod(path, 0440), 0); /* As systemd makes it. */
	write_secret(accepted, SECRET_B);
	start(&rig, "", "");
	cookies_show(&rig.engine.cookies, &from_credential);
	assert_int_equal(from_credential.source, COOKIES_CREDENTIALS);
	assert_string_equal(from_credential.active, from_file.active);
	assert_true(from_credential.accepted[0] != '\0');
	assert_true(rig.engine.cookies.shared);
	rig_free(&rig);
	/* The option goes first. */
	start(&rig, files.secret, "");
	assert_int_equal(rig.engine.cookies.source, COOKIES_FILE);
	rig_free(&rig);
	unsetenv("CREDENTIALS_DIRECTORY");
	unlink(path);
	unlink(accepted);
	files_remove(&files);
}

/* A clock that is wrong by a number of epochs, on the node that made the cookie. */
static void
make_keys_of_another_time(struct rig *rig, int epochs)
{
	struct cookies *cookies = &rig->engine.cookies;
	struct timespec now;
	uint64_t now_ms;

	/* Not where the epoch might change before the other node looks. */
	do {
		clock_gettime(CLOCK_REALTIME, &now);
		now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	} while (now_ms % SYNCOOKIE_EPOCH_MS > SYNCOOKIE_EPOCH_MS - 1000);
	assert_true(syncookie_keys_derive(cookies->snapshot[0], cookies->secret, NULL,
			now_ms + (uint64_t)((int64_t)epochs * SYNCOOKIE_EPOCH_MS)));
	cookies->keys = cookies->snapshot[0];
}

static void
clock_may_be_wrong_by_one_epoch_and_more_is_counted(void **state)
{
	struct client client;
	struct files files;
	struct rig rig;

	(void)state;
	files_make(&files);
	for (int epochs = -3; epochs <= 3; epochs++) {
		start(&rig, files.secret, "");
		make_keys_of_another_time(&rig, epochs);
		begin(&rig, &client, 0, true);
		rig_free(&rig);
		start(&rig, files.secret, "");
		client.rig = &rig;
		acknowledge(&client, epochs >= -1 && epochs <= 1);
		assert_int_equal(rig_counter(&rig, COUNTER_syn_cookies_opened),
				epochs >= -1 && epochs <= 1);
		assert_int_equal(rig_counter(&rig, COUNTER_syn_cookies_expired), epochs == -2);
		assert_int_equal(rig_counter(&rig, COUNTER_syn_cookies_ahead), epochs == 2);
		/* Further off, nobody can tell it from a forged one. */
		assert_int_equal(rig_counter(&rig, COUNTER_syn_cookies_bad),
				epochs < -2 || epochs > 2);
		rig_free(&rig);
	}
	files_remove(&files);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(handshake_across_a_rotation_opens),
			cmocka_unit_test(stand_alone_engine_makes_itself_a_new_secret),
			cmocka_unit_test(second_rotation_waits_for_the_cookies_of_the_first),
			cmocka_unit_test(wrong_files_change_nothing),
			cmocka_unit_test(accepted_secret_opens_and_is_never_used_to_sign),
			cmocka_unit_test(credential_of_systemd_stands_in_for_the_option),
			cmocka_unit_test(clock_may_be_wrong_by_one_epoch_and_more_is_counted),
	};

	(void)argc;
	rig_start_dpdk(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
