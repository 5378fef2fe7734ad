/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The first service of a kind comes with a reload: its memory is made then, for workers that run,
 * and those who are connected to other services do not notice.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_malloc.h>

#include "engine/direct.h"
#include "engine/proxy.h"
#include "engine/reload.h"
#include "engine/worker.h"

#include "client.h"
#include "scene.h"

#define HEAD_WITH(pool)                                                                         \
	"engine: {connections: 256, echo_buffers: 8}\n"                                         \
	"tcp: {fin_timeout: 10s}\n"                                                             \
	"ports: [{name: lan, device: 'vdev:net_ring_rig', mac: '02:00:00:00:00:02', "           \
	"addresses: ['10.9.0.2/24', 'fd00:9::2/64']}]\n"                                        \
	"pools: [{name: web, choice: round_robin, backends: ['10.9.0.11:8080', "                \
	"'10.9.0.12:8080', '10.9.0.13:8080']" pool "}]\n"                                       \
	"services:\n"                                                                           \
	"  - {name: banner, listen: ['10.9.0.2:25', '[fd00:9::2]:25'], reply: banner, banner: " \
	"hello}\n"
#define HEAD           HEAD_WITH("")
#define HEAD_ELSEWHERE HEAD_WITH(", local_addresses: [10.9.0.7]")
#define PROXY          "  - {name: web, listen: '10.9.0.2:80', mode: proxy, pool: web, idle_timeout: 60s}\n"
#define DIRECT(idle)                                                                            \
	"  - {name: dsr, listen: '10.9.0.2:8080', mode: direct, pool: web, idle_timeout: " idle \
	"}\n"

#define BANNER_CLIENT_PORT 41000

static struct scene scene;
static char report[4096];

static enum reload_result
reload_as(const char *yaml, bool dry_run)
{
	struct settings *wanted = settings_parse("new.yaml", yaml, strlen(yaml), stderr);
	FILE *to = fmemopen(report, sizeof(report), "w");
	enum reload_result result;

	assert_non_null(wanted);
	memset(report, 0, sizeof(report));
	result = reload_settings(&scene.rig.engine, wanted, dry_run, to);
	fclose(to);
	scene_listen(&scene);
	scene_listen(&scene);
	reload_poll(&scene.rig.engine);
	return result;
}

static void
reload(const char *yaml)
{
	if (reload_as(yaml, false) != RELOAD_DONE)
		fail_msg("%s", report);
}

static size_t
heap_used(void)
{
	struct rte_malloc_socket_stats stats;

	assert_int_equal(rte_malloc_get_socket_stats(0, &stats), 0);
	return stats.heap_allocsz_bytes;
}

/* A connection to the service that was there from the start. */
static void
open_banner(struct client *client, unsigned int family)
{
	client_init(client, &scene.rig, family, 25, &client_linux_syn);
	client->path.local_port = RTE_BE16(BANNER_CLIENT_PORT);
	assert_true(client_say_syn(client));
	client_put(client, TCP_ACK, "");
	assert_int_equal(client_hear(client), 1);
	assert_int_equal(client->heard.segment.payload_length, 5);
	client->next.ack += 5;
	client_put(client, TCP_ACK, "");
	client_hear(client);
}

static void
close_banner(struct client *client)
{
	client_put(client, TCP_FIN | TCP_ACK, "");
	assert_true(client_hear(client) > 0);
	assert_int_equal(client->heard.segment.flags & TCP_FIN, TCP_FIN);
	client->next.seq++;
	client->next.ack++;
	client_put(client, TCP_ACK, "");
	client_hear(client);
}

static void
first_proxied_service_comes_and_goes_with_reloads(void **state)
{
	struct client client;

	(void)state;
	scene_begin_with(&scene, 4, HEAD, 1);
	assert_null(scene_worker(&scene)->proxy);
	open_banner(&client, 4);
	reload(HEAD PROXY);
	assert_non_null(scene_worker(&scene)->proxy);
	scene_open_both(&scene);
	scene_talk(&scene);
	/* The splice goes on without its service, and so does the other connection. */
	reload(HEAD);
	scene_talk(&scene);
	close_banner(&client);
	reload(HEAD PROXY);
	scene_talk(&scene);
	scene_say(&scene, &scene.client, TCP_RST | TCP_ACK, 0);
	scene_hear(&scene, &scene.server, TCP_RST | TCP_ACK, 0);
	rig_wait_ms(&scene.rig, 10100);
	assert_int_equal(rig_connections(&scene.rig), 0);
	rig_free(&scene.rig);
}

static void
connections_in_all_states_survive_that_splices_come(void **state)
{
	struct client half_open, open, waiting;

	(void)state;
	scene_begin_with(&scene, 4, HEAD, 2);
	client_init(&half_open, &scene.rig, 4, 25, &client_linux_syn);
	half_open.path.local_port = RTE_BE16(BANNER_CLIENT_PORT + 1);
	assert_true(client_say_syn(&half_open));
	open_banner(&waiting, 6);
	close_banner(&waiting);
	open_banner(&open, 4);
	reload(HEAD PROXY DIRECT("100s"));
	client_put(&half_open, TCP_ACK, "");
	assert_int_equal(client_hear(&half_open), 1);
	assert_int_equal(half_open.heard.segment.payload_length, 5);
	close_banner(&open);
	scene_open_both(&scene);
	scene_talk(&scene);
	rig_close(&scene.rig);
}

static void
timeouts_of_direct_services_can_be_changed(void **state)
{
	(void)state;
	scene_begin_with(&scene, 4, HEAD, 1);
	reload(HEAD DIRECT("100s"));
	assert_non_null(scene_worker(&scene)->direct);
	scene.client.path.remote_port = RTE_BE16(8080);
	scene_say(&scene, &scene.client, TCP_ACK, 10);
	assert_int_equal(rig_counter(&scene.rig, COUNTER_direct_flows), 1);
	scene_say(&scene, &scene.client, TCP_ACK, 10);
	rig_wait_ms(&scene.rig, 60000);
	scene_say(&scene, &scene.client, TCP_ACK, 10);
	assert_int_equal(rig_counter(&scene.rig, COUNTER_direct_flows), 1);
	reload(HEAD DIRECT("10s"));
	rig_wait_ms(&scene.rig, 60000);
	scene_say(&scene, &scene.client, TCP_ACK, 10);
	assert_int_equal(rig_counter(&scene.rig, COUNTER_direct_flows), 2);
	rig_close(&scene.rig);
}

static void
trying_a_reload_takes_no_memory(void **state)
{
	size_t before;

	(void)state;
	scene_begin_with(&scene, 4, HEAD, 1);
	before = heap_used();
	assert_int_equal(reload_as(HEAD PROXY DIRECT("100s"), true), RELOAD_DONE);
	assert_null(scene_worker(&scene)->made.proxy);
	assert_null(scene_worker(&scene)->made.direct);
	/* The backends have their shares from then on. */
	assert_in_range(heap_used() - before, 0, 65536);
	rig_close(&scene.rig);
}

/* Addresses of a reload that was only tried are known, and nobody has ports of them. */
static void
address_of_a_tried_reload_serves_clients(void **state)
{
	struct client client;

	(void)state;
	scene_begin_with(&scene, 4, HEAD, 1);
	assert_int_equal(reload_as(HEAD PROXY, true), RELOAD_DONE);
	assert_false(local_ports_is_used(&scene.rig.engine,
			scene.rig.engine.local_addresses.entry[0].address, RTE_BE16(5000)));
	reload(HEAD_ELSEWHERE PROXY);
	open_banner(&client, 4);
	close_banner(&client);
	scene_open_both(&scene);
	rig_close(&scene.rig);
}

static void
without_memory_nothing_changes(void **state)
{
	static void *hog[4096];
	size_t piece = 1 << 20;
	struct client client;
	unsigned int n = 0;

	(void)state;
	scene_begin_with(&scene, 4, HEAD, 1);
	open_banner(&client, 4);
	while (n < RTE_DIM(hog) && piece >= 4096) {
		hog[n] = rte_malloc(NULL, piece, 0);
		if (hog[n] == NULL)
			piece /= 2;
		else
			n++;
	}
	assert_in_range(n, 1, RTE_DIM(hog) - 1);
	assert_int_equal(reload_as(HEAD PROXY, false), RELOAD_REFUSED);
	assert_non_null(strstr(report, "no memory for services with mode: proxy"));
	assert_non_null(strstr(report, "nothing was changed"));
	assert_null(scene_worker(&scene)->made.proxy);
	while (n > 0)
		rte_free(hog[--n]);
	reload(HEAD PROXY);
	scene_open_both(&scene);
	close_banner(&client);
	rig_close(&scene.rig);
}

static void
splices_made_by_a_reload_hold_early_text(void **state)
{
	(void)state;
	scene_begin_with(&scene, 4, HEAD, 2);
	reload(HEAD PROXY);
	for (unsigned int w = 0; w < 2; w++)
		assert_int_equal(scene.rig.engine.worker[w]->proxy->held.count, (8 << 20) / 256);
	scene_open_client(&scene);
	scene_say(&scene, &scene.client, TCP_ACK, 100);
	scene_answer(&scene);
	scene_hear(&scene, &scene.server, TCP_ACK, 100);
	rig_close(&scene.rig);
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
			RIG_TEST(first_proxied_service_comes_and_goes_with_reloads, scene.rig),
			RIG_TEST(connections_in_all_states_survive_that_splices_come, scene.rig),
			RIG_TEST(timeouts_of_direct_services_can_be_changed, scene.rig),
			RIG_TEST(trying_a_reload_takes_no_memory, scene.rig),
			RIG_TEST(address_of_a_tried_reload_serves_clients, scene.rig),
			RIG_TEST(without_memory_nothing_changes, scene.rig),
			RIG_TEST(splices_made_by_a_reload_hold_early_text, scene.rig),
	};

	(void)argc;
	rig_start_dpdk(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
