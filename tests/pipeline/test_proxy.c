/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * mode: proxy on the bench: the life of a connection, from asking backends to closing.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/pools.h"
#include "engine/proxy.h"

#include "scene.h"

static void
both_handshakes_become_one_connection(void **state)
{
	static const unsigned int families[] = {4, 6};

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct scene scene;

		scene_begin_as(&scene, families[i], "", "", 1);
		scene_open_both(&scene);
		scene_talk(&scene);
		assert_int_equal(rig_counter(&scene.rig, COUNTER_spliced), 1);
		scene_close_both(&scene);
	}
}

static void
two_workers_find_replies(void **state)
{
	struct scene scene;

	(void)state;
	for (unsigned int i = 0; i < 8; i++) {
		scene_begin_as(&scene, 4, "", "", 3);
		scene.client.path.local_port =
				rte_cpu_to_be_16((uint16_t)(SCENE_CLIENT_PORT + 17 * i));
		scene_open_client(&scene);
		scene_answer(&scene);
		scene_hear(&scene, &scene.server, TCP_ACK, 0);
		scene_hear(&scene, &scene.client, TCP_ACK, 0);
		scene_talk(&scene);
		assert_int_equal(rig_counter(&scene.rig, DROP_foreign_reply), 0);
		rig_free(&scene.rig);
	}
}

/* Data on the third segment of the handshake, and a FIN behind it. */
static void
early_fin_comes_behind_its_data(void **state)
{
	struct scene scene;
	struct scene_peer *client = &scene.client, *server = &scene.server;

	(void)state;
	scene_begin(&scene);
	scene_say(&scene, client, TCP_SYN, 0);
	scene_hear(&scene, client, TCP_SYN | TCP_ACK, 0);
	client->next.window = 502;
	scene_say(&scene, client, TCP_ACK | TCP_FIN, 77);
	scene_hear_syn(&scene);
	scene_hear_nothing(&scene, client);
	scene_answer(&scene);
	scene_hear(&scene, server, TCP_ACK | TCP_FIN, 77);
	scene_say(&scene, server, TCP_FIN | TCP_ACK, 50);
	scene_hear(&scene, client, TCP_ACK | TCP_FIN, 50);
	assert_int_equal(client->last.segment.ack, client->next.seq);
	scene_say(&scene, client, TCP_ACK, 0);
	scene_hear(&scene, server, TCP_ACK, 0);
	scene_end_after(&scene, 2100);
}

static void
lost_backend_syn_is_sent_again(void **state)
{
	struct scene scene;
	uint32_t iss;

	(void)state;
	scene_begin(&scene);
	scene_open_client(&scene);
	iss = scene.server.last.segment.seq;
	rig_wait_ms(&scene.rig, 150);
	scene_hear_nothing(&scene, &scene.server);
	rig_wait_ms(&scene.rig, 60);
	scene_hear_syn(&scene);
	assert_int_equal(scene.server.last.segment.seq, iss);
	scene_answer(&scene);
	scene_hear(&scene, &scene.server, TCP_ACK, 0);
	scene_hear(&scene, &scene.client, TCP_ACK, 0);
	scene_talk(&scene);
	scene_close_both(&scene);
}

static void
silent_backend_is_left_for_another(void **state)
{
	struct scene scene;
	uint32_t tsval;
	uint8_t first;

	(void)state;
	scene_begin(&scene);
	scene_open_client(&scene);
	first = scene.server.path.local[15];
	scene_say(&scene, &scene.client, TCP_ACK, 500);
	rig_wait_ms(&scene.rig, 250);
	scene_hear_syn(&scene);
	scene_hear(&scene, &scene.client, TCP_ACK, 0);
	/* The client repeats itself, later, and is told again. */
	scene.client.next.seq -= 500;
	scene_say(&scene, &scene.client, TCP_ACK, 500);
	scene_hear(&scene, &scene.client, TCP_ACK, 0);
	assert_int_equal(scene.client.last.segment.ack, scene.client.next.seq);
	rig_wait_ms(&scene.rig, 450);
	scene_hear_syn(&scene);
	assert_int_not_equal(scene.server.path.local[15], first);
	tsval = scene.server.last.segment.tsval;
	scene_answer(&scene);
	scene_hear(&scene, &scene.server, TCP_ACK, 500);
	/* What was held is no older than the SYN, or the server would drop it (RFC 7323 5.3). */
	assert_true((int32_t)(scene.server.last.segment.tsval - tsval) >= 0);
	scene_hear(&scene, &scene.client, TCP_ACK, 0); /* the window */
	scene_say(&scene, &scene.server, TCP_ACK, 0);
	scene_hear(&scene, &scene.client, TCP_ACK, 0);
	assert_int_equal(rig_counter(&scene.rig, COUNTER_backend_failures), 1);
	scene_close_both(&scene);
}

static void
refusal_goes_on_to_another_at_once(void **state)
{
	struct scene scene;
	uint8_t first;

	(void)state;
	scene_begin(&scene);
	scene_open_client(&scene);
	first = scene.server.path.local[15];
	/* RFC 9293 3.10.7.3: one that does not acknowledge our SYN is nobody's. */
	scene.server.next.ack++;
	scene_say(&scene, &scene.server, TCP_RST | TCP_ACK, 0);
	scene_hear_nothing(&scene, &scene.server);
	scene.server.next.ack--;
	scene_say(&scene, &scene.server, TCP_RST | TCP_ACK, 0);
	scene_hear_syn(&scene);
	assert_int_not_equal(scene.server.path.local[15], first);
	scene_answer(&scene);
	scene_hear(&scene, &scene.server, TCP_ACK, 0);
	scene_hear(&scene, &scene.client, TCP_ACK, 0);
	scene_close_both(&scene);
}

static void
client_is_reset_when_three_refused(void **state)
{
	struct scene scene;

	(void)state;
	scene_begin(&scene);
	scene_open_client(&scene);
	scene_say(&scene, &scene.client, TCP_ACK, 10);
	for (unsigned int i = 0; i < SCENE_SERVERS; i++) {
		scene_say(&scene, &scene.server, TCP_RST | TCP_ACK, 0);
		if (i + 1 < SCENE_SERVERS)
			scene_hear_syn(&scene);
	}
	scene_hear(&scene, &scene.client, TCP_RST | TCP_ACK, 0);
	assert_int_equal(scene.client.last.segment.seq, scene.client.next.ack);
	assert_int_equal(rig_counter(&scene.rig, COUNTER_backends_no_answer), 1);
	scene_end(&scene);
}

static void
client_is_reset_when_all_are_down(void **state)
{
	struct scene scene;
	struct scene_peer *client = &scene.client;

	(void)state;
	for (unsigned int drop = 0; drop < 2; drop++) {
		scene_begin_as(&scene, 4, drop ? "when_down: drop" : "", "", 1);
		for (unsigned int i = 0; i < SCENE_SERVERS; i++)
			scene.rig.engine.backends->usable[i] = 0;
		scene_say(&scene, client, TCP_SYN, 0);
		scene_hear(&scene, client, TCP_SYN | TCP_ACK, 0);
		scene_say(&scene, client, TCP_ACK, 0);
		if (drop)
			scene_hear_nothing(&scene, client);
		else
			scene_hear(&scene, client, TCP_RST | TCP_ACK, 0);
		assert_int_equal(rig_counter(&scene.rig, COUNTER_backends_all_down), 1);
		scene_end(&scene);
	}
}

/* As of control's last look; a RST is counted and limited as any. */
static void
client_of_a_pool_that_is_down_hears_it_by_its_syn(void **state)
{
	struct scene scene;
	struct scene_peer *client = &scene.client;

	(void)state;
	for (unsigned int drop = 0; drop < 2; drop++) {
		struct pool *pool;

		scene_begin_as(&scene, 4, drop ? "when_down: drop" : "", "", 1);
		pool = &engine_services(&scene.rig.engine)->pools->pool[0];
		scene_open_both(&scene);
		pool->usable = 0;
		scene.rig.engine.backends->pools_down = 1;
		scene_talk(&scene);
		client->path.local_port = rte_cpu_to_be_16(SCENE_CLIENT_PORT + 1);
		client->next.seq = SCENE_CLIENT_ISN;
		scene_say(&scene, client, TCP_SYN, 0);
		if (drop) {
			scene_hear_nothing(&scene, client);
			assert_int_equal(rig_counter(&scene.rig, (enum counter)DROP_no_backend), 1);
		} else {
			scene_hear(&scene, client, TCP_RST | TCP_ACK, 0);
			assert_int_equal(client->last.segment.ack, SCENE_CLIENT_ISN + 1);
			assert_int_equal(rig_counter(&scene.rig, COUNTER_resets_sent), 1);
		}
		assert_int_equal(rig_counter(&scene.rig, COUNTER_backends_all_down), 1);
		pool->usable = 1;
		client->next.seq = SCENE_CLIENT_ISN;
		scene_say(&scene, client, TCP_SYN, 0);
		scene_hear(&scene, client, TCP_SYN | TCP_ACK, 0);
		rig_free(&scene.rig);
	}
}

/* Another connection of the client, its SYN-ACK acknowledged. */
static void
open_another(struct scene *scene, uint16_t from, uint16_t to)
{
	struct scene_peer *client = &scene->client;

	client->path.local_port = rte_cpu_to_be_16(from);
	client->path.remote_port = rte_cpu_to_be_16(to);
	client->next.seq = SCENE_CLIENT_ISN;
	client->next.options.options = scene_linux.options;
	scene_say(scene, client, TCP_SYN, 0);
	scene_hear(scene, client, TCP_SYN | TCP_ACK, 0);
	scene_say(scene, client, TCP_ACK, 0);
}

/* A client's port can be at a backend once; then another is asked, until it is at all of them. */
static void
port_of_the_client_is_at_each_backend_once(void **state)
{
	struct scene scene;
	struct scene_peer *server = &scene.server;
	uint8_t first, second;

	(void)state;
	scene_begin_with(&scene, 4,
			"engine: {connections: 256}\n" RIG_LAN
			"pools: [{name: web, source: client, choice: round_robin, backends: "
			"[\"10.9.0.11:8080\", \"10.9.0.12:8080\"]}]\n"
			"services: [{name: web, mode: proxy, pool: web, listen: [\"10.9.0.2:80\", "
			"\"10.9.0.2:81\", \"10.9.0.2:82\"]}]\n",
			1);
	open_another(&scene, SCENE_CLIENT_PORT, 80);
	scene_hear_syn(&scene);
	first = server->path.local[15];
	open_another(&scene, SCENE_CLIENT_PORT + 1, 80);
	scene_hear_syn(&scene);
	second = server->path.local[15];
	assert_int_not_equal(second, first);

	open_another(&scene, SCENE_CLIENT_PORT, 81);
	scene_hear_syn(&scene);
	assert_int_equal(server->path.local[15], second);
	assert_int_equal(server->path.remote_port, rte_cpu_to_be_16(SCENE_CLIENT_PORT));
	assert_int_equal(rig_counter(&scene.rig, COUNTER_local_ports_used_up), 0);
	/* And its answer is for this connection, not for the first one of the port. */
	scene_answer(&scene);
	scene_hear(&scene, server, TCP_ACK, 0);
	scene_hear(&scene, &scene.client, TCP_ACK, 0);
	scene_talk(&scene);

	open_another(&scene, SCENE_CLIENT_PORT, 82);
	scene_hear(&scene, &scene.client, TCP_RST | TCP_ACK, 0);
	scene_hear_nothing(&scene, server);
	assert_int_equal(rig_counter(&scene.rig, COUNTER_local_ports_used_up), 1);
	rig_free(&scene.rig);
}

static void
used_up_local_ports_reset_the_client(void **state)
{
	struct scene scene;
	struct scene_peer *client = &scene.client;

	(void)state;
	scene_begin_as(&scene, 4, "local_ports: 5000-5000", "", 1);
	scene_open_both(&scene);
	open_another(&scene, SCENE_CLIENT_PORT + 1, SCENE_SERVICE_PORT);
	scene_hear(&scene, client, TCP_RST | TCP_ACK, 0);
	assert_int_equal(rig_counter(&scene.rig, COUNTER_local_ports_used_up), 1);
	local_ports_report(&scene.rig.engine);
	assert_int_equal(scene.rig.engine.local_addresses.missed, 1);
	rig_free(&scene.rig);
}

/* Ports that were never used have no numbers to go beyond. */
static void
first_numbers_of_ports_cannot_be_guessed(void **state)
{
	uint32_t seen[12];
	struct scene scene;

	(void)state;
	scene_begin(&scene);
	for (unsigned int i = 0; i < RTE_DIM(seen); i++) {
		scene.client.path.local_port = rte_cpu_to_be_16((uint16_t)(SCENE_CLIENT_PORT + i));
		scene.client.next = (struct build_tcp){
				.seq = SCENE_CLIENT_ISN, .window = 64240, .options = scene_linux};
		scene_open_client(&scene);
		seen[i] = scene.server.last.segment.seq;
		for (unsigned int k = 0; k < i; k++)
			assert_true(seen[i] - seen[k] > 1000 && seen[k] - seen[i] > 1000);
	}
	rig_free(&scene.rig);
}

/* The backend still has the port's last connection: a port used again begins beyond its numbers. */
static void
port_used_again_begins_beyond_its_last_numbers(void **state)
{
	struct scene scene;
	struct scene_peer *client = &scene.client;
	uint32_t end;

	(void)state;
	scene_begin_as(&scene, 4, "local_ports: 5000-5000", "", 1);
	scene_open_both(&scene);
	for (unsigned int i = 0; i < 300; i++) {
		scene_say(&scene, client, TCP_ACK, 1400);
		scene_hear(&scene, &scene.server, TCP_ACK, 1400);
		scene_say(&scene, &scene.server, TCP_ACK, 0);
		scene_hear(&scene, client, TCP_ACK, 0);
	}
	end = scene.server.next.ack;
	scene_say(&scene, client, TCP_RST, 0);
	scene_hear(&scene, &scene.server, TCP_RST, 0);
	rig_wait_ms(&scene.rig, 10100);
	assert_int_equal(scene_ports_in_use(&scene), 0);
	client->next = (struct build_tcp){.seq = 77, .window = 64240, .options = scene_linux};
	scene.server.next.options.options = scene_linux.options;
	scene_open_client(&scene);
	assert_true((int32_t)(scene.server.last.segment.seq - end) > 0);
	rig_close(&scene.rig);
}

/* A challenge ACK, as from TIME_WAIT or a connection that only the backend remembers; to our first
 * SYN, or to the second one when the first was lost. */
static void
stale_connection_of_the_backend_is_reset(void **state)
{
	struct scene scene;
	struct scene_peer *server = &scene.server;
	struct build_tcp old;

	(void)state;
	for (unsigned int lost = 0; lost < 2; lost++) {
		scene_begin(&scene);
		scene_open_client(&scene);
		if (lost) {
			rig_wait_ms(&scene.rig, 210);
			scene_hear_syn(&scene);
		}
		old = server->next;
		server->next.ack = 12345;
		server->next.options.options = 0;
		scene_say(&scene, server, TCP_ACK, 0);
		scene_hear(&scene, server, TCP_RST, 0);
		assert_int_equal(server->last.segment.seq, 12345);
		server->next = old;
		scene_hear_syn(&scene);
		scene_answer(&scene);
		scene_hear(&scene, server, TCP_ACK, 0);
		scene_hear(&scene, &scene.client, TCP_ACK, 0);
		scene_close_both(&scene);
	}
}

static void
repeated_third_segment_opens_nothing(void **state)
{
	struct scene scene;
	struct build_tcp third;

	(void)state;
	scene_begin(&scene);
	scene_open_client(&scene);
	third = scene.client.next;
	scene_say(&scene, &scene.client, TCP_ACK, 0);
	scene_hear_nothing(&scene, &scene.server);
	scene_answer(&scene);
	scene_hear(&scene, &scene.server, TCP_ACK, 0);
	scene_hear(&scene, &scene.client, TCP_ACK, 0);
	scene.client.next = third;
	scene_say(&scene, &scene.client, TCP_ACK, 0);
	scene_hear(&scene, &scene.server, TCP_ACK, 0);
	assert_int_equal(rig_connections(&scene.rig), 1);
	assert_int_equal(scene_ports_in_use(&scene), 1);
	scene_close_both(&scene);
}

static void
repeated_syn_ack_is_acknowledged(void **state)
{
	struct scene scene;
	struct build_tcp syn_ack;

	(void)state;
	scene_begin(&scene);
	scene_open_client(&scene);
	syn_ack = scene.server.next;
	scene_answer(&scene);
	scene_hear(&scene, &scene.server, TCP_ACK, 0);
	scene_hear(&scene, &scene.client, TCP_ACK, 0);
	scene.server.next = syn_ack;
	scene_say(&scene, &scene.server, TCP_SYN | TCP_ACK, 0);
	scene_hear(&scene, &scene.server, TCP_ACK, 0);
	assert_int_equal(scene.server.last.segment.ack, scene.server.next.seq);
	scene_hear_nothing(&scene, &scene.client);
	scene.server.next.options.options = TCP_OPTION_TIMESTAMPS;
	scene.server.next.window = 509;
	scene_talk(&scene);
	scene_close_both(&scene);
}

/* A port that lingers serves nobody else: with few of them two seconds are the service's rate. */
static void
connection_does_not_linger_where_ports_are_scarce(void **state)
{
	struct scene scene;
	struct scene_peer *client = &scene.client, *server = &scene.server;

	(void)state;
	scene_begin_as(&scene, 4, "local_ports: 5000-5000", "", 1);
	scene_open_both(&scene);
	scene_say(&scene, client, TCP_FIN | TCP_ACK, 0);
	scene_hear(&scene, server, TCP_FIN | TCP_ACK, 0);
	rig_wait_ms(&scene.rig, 1000);
	assert_int_equal(scene_ports_in_use(&scene), 1);
	scene_say(&scene, server, TCP_FIN | TCP_ACK, 0);
	scene_hear(&scene, client, TCP_FIN | TCP_ACK, 0);
	scene_say(&scene, client, TCP_ACK, 0);
	scene_hear(&scene, server, TCP_ACK, 0);
	scene_end_after(&scene, 20);
}

static uint32_t
conns_of_backends(struct scene *scene)
{
	uint32_t sum = 0;

	for (unsigned int i = 0; i < SCENE_SERVERS; i++)
		sum += scene_worker(scene)->backends->own[i];
	return sum;
}

/* After a reset, or both FINs, it is over for the backend, unless it goes on after all. */
static void
what_lingers_is_no_connection_of_its_backend(void **state)
{
	struct scene scene;
	struct scene_peer *client = &scene.client, *server = &scene.server;

	(void)state;
	scene_begin(&scene);
	scene_open_both(&scene);
	assert_int_equal(conns_of_backends(&scene), 1);
	scene_say(&scene, client, TCP_RST, 0);
	scene_hear(&scene, server, TCP_RST, 0);
	assert_int_equal(conns_of_backends(&scene), 0);
	scene_talk(&scene);
	assert_int_equal(conns_of_backends(&scene), 1);
	scene_say(&scene, client, TCP_FIN | TCP_ACK, 0);
	scene_hear(&scene, server, TCP_FIN | TCP_ACK, 0);
	scene_say(&scene, server, TCP_FIN | TCP_ACK, 0);
	scene_hear(&scene, client, TCP_FIN | TCP_ACK, 0);
	assert_int_equal(conns_of_backends(&scene), 1);
	scene_say(&scene, client, TCP_ACK, 0);
	scene_hear(&scene, server, TCP_ACK, 0);
	assert_int_equal(conns_of_backends(&scene), 0);
	assert_int_equal(scene_worker(&scene)->backends->share[server->path.local[15] - 11]->chosen,
			1);
	scene_end_after(&scene, 2100);
}

/* The clock of either end as the other one has heard it last, and has to hear it next. */
static void
hear_challenge(struct scene *scene, struct scene_peer *end, const struct scene_peer *other)
{
	const uint32_t heard = end->next.options.tsecr, sent = end->next.options.tsval - 1;

	rig_wait_ms(&scene->rig, 600);
	scene_say(scene, end, TCP_SYN, 0);
	end->next.seq--;
	end->next.options.tsval--;
	scene_hear(scene, end, TCP_ACK, 0);
	scene_hear_nothing(scene, other);
	assert_int_equal(end->last.segment.options, TCP_OPTION_TIMESTAMPS);
	assert_int_equal(end->last.segment.tsval, heard);
	assert_int_equal(end->last.segment.tsecr, sent);
}

/* RFC 7323 3.2, and 5: with the other end's clock, or it is dropped as an old one. */
static void
challenges_have_timestamps(void **state)
{
	struct scene scene;
	struct scene_peer *client = &scene.client, *server = &scene.server;

	(void)state;
	scene_begin(&scene);
	scene_open_both(&scene);
	hear_challenge(&scene, client, server);
	hear_challenge(&scene, server, client);
	client->next.options.tsval += 100000;
	server->next.options.tsval += 300000;
	scene_talk(&scene);
	scene_say(&scene, server, TCP_ACK, 0);
	scene_hear(&scene, client, TCP_ACK, 0);
	hear_challenge(&scene, client, server);
	hear_challenge(&scene, server, client);
	/* Who guesses a number beyond what was said moves nobody's clock. */
	server->next.seq += 1000;
	server->next.options.tsval += 1000000;
	scene_say(&scene, server, TCP_ACK, 0);
	scene_hear(&scene, client, TCP_ACK, 0);
	server->next.seq -= 1000;
	client->next.ack -= 1000;
	server->next.options.tsval -= 1000001;
	client->next.options.tsecr -= 1000001;
	scene_talk(&scene);
	hear_challenge(&scene, client, server);
	rig_close(&scene.rig);
}

/* What a client was promised it is told, whether the backend can or not. */
static void
challenges_have_timestamps_of_our_own(void **state)
{
	struct scene scene;
	struct scene_peer *client = &scene.client;
	uint32_t before;

	(void)state;
	scene_begin(&scene);
	scene_open_client(&scene);
	before = client->last.segment.tsval;
	scene.server.next.options.options = TCP_OPTION_MSS;
	scene_answer(&scene);
	scene_hear(&scene, &scene.server, TCP_ACK, 0);
	scene_hear(&scene, client, TCP_ACK, 0);
	rig_wait_ms(&scene.rig, 600);
	scene_say(&scene, client, TCP_SYN, 0);
	scene_hear(&scene, client, TCP_ACK, 0);
	assert_int_equal(client->last.segment.options, TCP_OPTION_TIMESTAMPS);
	assert_in_range(client->last.segment.tsval - before, 600, 10000);
	rig_close(&scene.rig);
}

/* RFC 5961 4: a SYN on a live tuple is challenged, whatever its numbers. */
static void
syn_on_the_tuple_is_challenged(void **state)
{
	struct scene scene;
	struct scene_peer *client = &scene.client;
	struct build_tcp saved;

	(void)state;
	scene_begin(&scene);
	scene_open_both(&scene);
	scene_talk(&scene);
	saved = client->next;
	client->next.seq = 424242;
	client->next.ack = 0;
	client->next.options = scene_linux;
	scene_say(&scene, client, TCP_SYN, 0);
	scene_hear(&scene, client, TCP_ACK, 0);
	assert_int_equal(client->last.segment.seq, saved.ack);
	assert_int_equal(client->last.segment.ack, saved.seq);
	scene_hear_nothing(&scene, &scene.server);
	client->next = saved;
	scene_talk(&scene);
	/* A client that has forgotten resets with the number of the challenge, and begins anew. */
	scene_say(&scene, client, TCP_RST, 0);
	scene_hear(&scene, &scene.server, TCP_RST, 0);
	assert_int_equal(scene.server.last.segment.seq, scene.server.next.ack);
	client->next = (struct build_tcp){.seq = 424242, .window = 64240, .options = scene_linux};
	scene.server.next.options.options = scene_linux.options;
	scene.server.next.seq = SCENE_SERVER_ISN;
	scene_open_both(&scene);
	assert_int_equal(scene_ports_in_use(&scene), 1);
	assert_int_equal(rig_counter(&scene.rig, COUNTER_reset), 1);
	assert_int_equal(rig_counter(&scene.rig, COUNTER_closed), 0);
	scene_close_both(&scene);
}

static void
half_close_in_either_order(void **state)
{
	struct scene scene;
	struct scene_peer *client = &scene.client, *server = &scene.server;

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct scene_peer *first = i == 0 ? client : server;
		struct scene_peer *second = i == 0 ? server : client;

		scene_begin(&scene);
		scene_open_both(&scene);
		scene_talk(&scene);
		scene_say(&scene, first, TCP_FIN | TCP_ACK, 0);
		scene_hear(&scene, second, TCP_FIN | TCP_ACK, 0);
		for (unsigned int n = 0; n < 5; n++) {
			scene_say(&scene, second, TCP_ACK, 700);
			scene_hear(&scene, first, TCP_ACK, 700);
			scene_say(&scene, first, TCP_ACK, 0);
			scene_hear(&scene, second, TCP_ACK, 0);
		}
		scene_say(&scene, second, TCP_FIN | TCP_ACK, 0);
		scene_hear(&scene, first, TCP_FIN | TCP_ACK, 0);
		scene_say(&scene, first, TCP_ACK, 0);
		scene_hear(&scene, second, TCP_ACK, 0);
		assert_int_equal(rig_connections(&scene.rig), 1);
		scene_end_after(&scene, 2100);
	}
}

static void
exact_reset_passes_and_ends(void **state)
{
	struct scene scene;
	struct scene_peer *client = &scene.client, *server = &scene.server;

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct scene_peer *from = i == 0 ? client : server, *to = i == 0 ? server : client;

		scene_begin(&scene);
		scene_open_both(&scene);
		scene_talk(&scene);
		/* not exact: passed on as inexact as it was, and nothing is forgotten */
		from->next.seq += 5;
		scene_say(&scene, from, TCP_RST, 0);
		scene_hear(&scene, to, TCP_RST, 0);
		assert_int_equal(to->last.segment.seq, to->next.ack + 5);
		from->next.seq -= 5;
		rig_wait_ms(&scene.rig, 11000);
		assert_int_equal(rig_connections(&scene.rig), 1);
		scene_talk(&scene);
		scene_say(&scene, from, TCP_RST, 0);
		scene_hear(&scene, to, TCP_RST, 0);
		assert_int_equal(to->last.segment.seq, to->next.ack);
		rig_wait_ms(&scene.rig, 10100);
		assert_int_equal(rig_counter(&scene.rig, COUNTER_reset), 1);
		scene_end(&scene);
	}
}

static void
server_speaks_first(void **state)
{
	struct scene scene;

	(void)state;
	scene_begin(&scene);
	scene_open_both(&scene);
	scene_say(&scene, &scene.server, TCP_ACK, 40);
	scene_hear(&scene, &scene.client, TCP_ACK, 40);
	scene_say(&scene, &scene.client, TCP_ACK, 0);
	scene_hear(&scene, &scene.server, TCP_ACK, 0);
	scene_talk(&scene);
	scene_close_both(&scene);
}

static void
silence_ends_with_resets_both_ways(void **state)
{
	struct scene scene;
	struct scene_peer *client = &scene.client, *server = &scene.server;

	(void)state;
	scene_begin(&scene);
	scene_open_both(&scene);
	scene_talk(&scene);
	rig_wait_ms(&scene.rig, 59000);
	scene_hear_nothing(&scene, client);
	rig_wait_ms(&scene.rig, 1100);
	scene_hear(&scene, client, TCP_RST | TCP_ACK, 0);
	assert_int_equal(client->last.segment.seq, client->next.ack);
	scene_hear(&scene, server, TCP_RST, 0);
	assert_int_equal(server->last.segment.seq, server->next.ack);
	assert_int_equal(rig_counter(&scene.rig, COUNTER_timed_out), 1);
	scene_end(&scene);
}

static void
reset_while_joining_takes_the_backend_along(void **state)
{
	struct scene scene;
	struct scene_peer *client = &scene.client;

	(void)state;
	scene_begin(&scene);
	scene_open_client(&scene);
	scene_say(&scene, client, TCP_ACK, 10);
	client->next.seq += 100;
	scene_say(&scene, client, TCP_RST, 0);
	scene_hear(&scene, client, TCP_ACK, 0); /* RFC 5961 3.2 */
	client->next.seq -= 100;
	scene_say(&scene, client, TCP_RST, 0);
	scene_hear(&scene, &scene.server, TCP_RST, 0);
	assert_int_equal(scene.server.last.segment.seq, scene.server.next.ack);
	scene_hear_nothing(&scene, client);
	/* The client's word, which says nothing of the backend. */
	assert_int_equal(rig_counter(&scene.rig, COUNTER_backend_failures), 0);
	scene_end(&scene);
}

/* Only the backend that was asked may answer. */
static void
reply_from_elsewhere_is_dropped(void **state)
{
	struct scene scene;
	struct scene_peer other;

	(void)state;
	scene_begin(&scene);
	scene_open_client(&scene);
	other = scene.server;
	other.path.local[15]++;
	scene_say(&scene, &other, TCP_SYN | TCP_ACK, 0);
	assert_int_equal(rig_counter(&scene.rig, DROP_foreign_reply), 1);
	scene_answer(&scene);
	scene_hear(&scene, &scene.server, TCP_ACK, 0);
	scene_hear(&scene, &scene.client, TCP_ACK, 0);
	scene_close_both(&scene);
}

static void
engine_that_stops_resets_both(void **state)
{
	struct scene scene;
	struct burst burst;

	(void)state;
	scene_begin(&scene);
	scene_open_both(&scene);
	scene_talk(&scene);
	burst_abort(scene_worker(&scene), &burst, 0);
	burst_step(scene_worker(&scene), &burst);
	burst_reply(scene_worker(&scene), &burst);
	burst_transmit(scene_worker(&scene), &burst);
	scene_hear(&scene, &scene.client, TCP_RST | TCP_ACK, 0);
	scene_hear(&scene, &scene.server, TCP_RST, 0);
	scene_end(&scene);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(both_handshakes_become_one_connection),
			cmocka_unit_test(two_workers_find_replies),
			cmocka_unit_test(early_fin_comes_behind_its_data),
			cmocka_unit_test(lost_backend_syn_is_sent_again),
			cmocka_unit_test(silent_backend_is_left_for_another),
			cmocka_unit_test(refusal_goes_on_to_another_at_once),
			cmocka_unit_test(client_is_reset_when_three_refused),
			cmocka_unit_test(client_is_reset_when_all_are_down),
			cmocka_unit_test(client_of_a_pool_that_is_down_hears_it_by_its_syn),
			cmocka_unit_test(port_of_the_client_is_at_each_backend_once),
			cmocka_unit_test(used_up_local_ports_reset_the_client),
			cmocka_unit_test(first_numbers_of_ports_cannot_be_guessed),
			cmocka_unit_test(port_used_again_begins_beyond_its_last_numbers),
			cmocka_unit_test(stale_connection_of_the_backend_is_reset),
			cmocka_unit_test(repeated_third_segment_opens_nothing),
			cmocka_unit_test(repeated_syn_ack_is_acknowledged),
			cmocka_unit_test(what_lingers_is_no_connection_of_its_backend),
			cmocka_unit_test(challenges_have_timestamps),
			cmocka_unit_test(challenges_have_timestamps_of_our_own),
			cmocka_unit_test(syn_on_the_tuple_is_challenged),
			cmocka_unit_test(half_close_in_either_order),
			cmocka_unit_test(connection_does_not_linger_where_ports_are_scarce),
			cmocka_unit_test(exact_reset_passes_and_ends),
			cmocka_unit_test(server_speaks_first),
			cmocka_unit_test(silence_ends_with_resets_both_ways),
			cmocka_unit_test(reset_while_joining_takes_the_backend_along),
			cmocka_unit_test(reply_from_elsewhere_is_dropped),
			cmocka_unit_test(engine_that_stops_resets_both),
	};

	(void)argc;
	rig_start_dpdk(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
