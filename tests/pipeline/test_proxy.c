/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * mode: proxy on the bench: a client and three backends on one port, every segment by hand.
 *
 * The rig reads every frame that the engine sends, so a checksum that translation got wrong fails
 * the test that saw it.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "engine/health.h"
#include "engine/proxy.h"
#include "wire/bytes.h"
#include "wire/checksum.h"

#include "rig.h"

#define CLIENT_PORT  40000
#define SERVICE_PORT 80
#define CLIENT_ISN   1000u
#define SERVER_ISN   900000u
#define SERVERS      3
#define HEARD_MAX    64

static const struct tcp_options linux_options = {
		.options = TCP_OPTION_MSS | TCP_OPTION_WINDOW_SCALE | TCP_OPTION_SACK_PERMITTED |
			   TCP_OPTION_TIMESTAMPS,
		.mss = 1460,
		.window_scale = 7,
		.tsval = 70000,
};

/* One end: what it says next, and what it has heard and not looked at. */
struct end {
	struct build_path path;
	struct build_tcp next;
	unsigned int heard;
	struct rig_frame queue[HEARD_MAX];
	struct rig_frame last;
};

struct scene {
	struct rig rig;
	struct end client;
	struct end server; /* Whichever of them got the SYN. */
	uint8_t payload[2000];
	unsigned int icmps;
	struct rig_frame icmp; /* The last one. */
};

static void
scene_yaml(char *text, size_t size, const char *pool, const char *service)
{
	snprintf(text, size,
			"engine: {connections: 256, echo_buffers: 64}\n"
			"tcp: {fin_timeout: 10s}\n"
			"ports:\n"
			"  - name: lan\n"
			"    device: \"vdev:net_ring_rig\"\n"
			"    mac: 02:00:00:00:00:02\n"
			"    addresses: [10.9.0.2/24, \"fd00:9::2/64\"]\n"
			"pools:\n"
			"  - {name: web, choice: round_robin, backends: [\"10.9.0.11:8080\", "
			"\"10.9.0.12:8080\", \"10.9.0.13:8080\"]%s%s}\n"
			"services:\n"
			"  - {name: web, listen: [\"10.9.0.2:80\", \"[fd00:9::2]:80\"], mode: "
			"proxy, "
			"pool: web, idle_timeout: 60s%s%s}\n",
			pool[0] != '\0' ? ", " : "", pool, service[0] != '\0' ? ", " : "", service);
}

/* Answer ARP for a backend: its Ethernet address ends as its IP address does. */
static void
scene_answer_arp(struct scene *scene, const struct rig_frame *request)
{
	uint8_t reply[42];

	memcpy(reply, request->bytes, sizeof(reply));
	memcpy(reply, request->bytes + 6, 6);
	memcpy(reply + 6, "\x02\0\0\0\0", 5);
	reply[11] = request->bytes[41];
	reply[21] = 2;
	memcpy(reply + 22, reply + 6, 6);
	memcpy(reply + 28, request->bytes + 38, 4);
	memcpy(reply + 32, request->bytes + 22, 10);
	rig_put(&scene->rig, reply, sizeof(reply));
}

/* Hand out what the engine has sent. */
static void
scene_listen(struct scene *scene)
{
	struct rig_frame frame;
	struct end *end;
	uint8_t to[16];

	rig_turn(&scene->rig);
	while (rig_take(&scene->rig, &frame)) {
		if (frame.frame.kind == FRAME_ARP) {
			scene_answer_arp(scene, &frame);
			continue;
		}
		if (frame.frame.kind != FRAME_TCP) {
			scene->icmp = frame;
			scene->icmps++;
			continue;
		}
		parse_destination(frame.bytes, &frame.frame, to);
		end = memcmp(to, scene->client.path.local, 16) == 0 ? &scene->client
								    : &scene->server;
		assert_true(end->heard < HEARD_MAX);
		end->queue[end->heard++] = frame;
	}
	rig_turn(&scene->rig);
}

static void
scene_begin_as(struct scene *scene, unsigned int family, const char *pool, const char *service,
		unsigned int workers)
{
	char text[2000];

	memset(scene, 0, sizeof(*scene));
	for (unsigned int i = 0; i < sizeof(scene->payload); i++)
		scene->payload[i] = (uint8_t)(i * 31);
	scene_yaml(text, sizeof(text), pool, service);
	rig_init(&scene->rig, text, workers);
	rig_path(&scene->rig, &scene->client.path, family, CLIENT_PORT, SERVICE_PORT);
	scene->client.next = (struct build_tcp){
			.seq = CLIENT_ISN, .window = 64240, .options = linux_options};
	scene->server.next = (struct build_tcp){
			.seq = SERVER_ISN, .window = 65160, .options = linux_options};
	scene->server.next.options.tsval = 5000000;
	scene_listen(scene);
	scene_listen(scene);
}

static void
scene_begin(struct scene *scene)
{
	scene_begin_as(scene, 4, "", "", 1);
}

static void
say(struct scene *scene, struct end *end, unsigned int flags, unsigned int length)
{
	end->next.flags = (uint8_t)flags;
	if ((flags & TCP_SYN) == 0)
		end->next.options.options &= TCP_OPTION_TIMESTAMPS;
	rig_put_tcp(&scene->rig, &end->path, &end->next, scene->payload, length);
	end->next.seq += length + ((flags & TCP_SYN) != 0) + ((flags & TCP_FIN) != 0);
	end->next.options.tsval++;
	scene_listen(scene);
}

static void
hear_nothing(struct scene *scene, const struct end *end)
{
	scene_listen(scene);
	assert_int_equal(end->heard, 0);
}

/* The next segment for this end; its next one acknowledges it. */
static void
hear(struct scene *scene, struct end *end, unsigned int flags, unsigned int length)
{
	scene_listen(scene);
	assert_true(end->heard > 0);
	end->last = end->queue[0];
	end->heard--;
	memmove(end->queue, end->queue + 1, end->heard * sizeof(end->queue[0]));
	assert_int_equal(end->last.segment.flags & ~TCP_PSH, flags);
	assert_int_equal(end->last.segment.payload_length, length);
	assert_memory_equal(end->last.bytes + end->last.frame.l4_offset +
					    end->last.segment.payload_offset,
			scene->payload, length);
	if ((flags & TCP_RST) != 0)
		return;
	end->next.ack = end->last.segment.seq + tcp_segment_length(&end->last.segment);
	if ((end->last.segment.options & TCP_OPTION_TIMESTAMPS) != 0)
		end->next.options.tsecr = end->last.segment.tsval;
}

/* Whoever gets a SYN is the server from then on. */
static void
hear_syn(struct scene *scene)
{
	struct end *server = &scene->server;
	const uint8_t *tcp;

	hear(scene, server, TCP_SYN, 0);
	tcp = server->last.bytes + server->last.frame.l4_offset;
	build_path_reverse(&server->path, server->last.bytes, &server->last.frame);
	assert_memory_equal(&server->path.local_port, tcp + 2, 2);
	assert_int_equal(server->last.bytes[5], server->path.local[15]);
}

/* The client's handshake, and our SYN to a server. */
static void
open_client(struct scene *scene)
{
	struct end *client = &scene->client;

	say(scene, client, TCP_SYN, 0);
	hear(scene, client, TCP_SYN | TCP_ACK, 0);
	client->next.window = 502;
	if ((client->last.segment.options & TCP_OPTION_TIMESTAMPS) == 0)
		client->next.options.options = 0;
	say(scene, client, TCP_ACK, 0);
	hear_syn(scene);
}

static void
answer(struct scene *scene)
{
	say(scene, &scene->server, TCP_SYN | TCP_ACK, 0);
	scene->server.next.window = 509;
}

/* Both handshakes, with nothing said yet. */
static void
open_both(struct scene *scene)
{
	open_client(scene);
	answer(scene);
	hear(scene, &scene->server, TCP_ACK, 0);
	assert_int_equal(scene->server.last.segment.window, 502);
	hear(scene, &scene->client, TCP_ACK, 0);
	assert_int_equal(rig_state(&scene->rig, CLIENT_PORT), TCP_SPLICED);
}

/* Data both ways, as each end expects it. */
static void
talk(struct scene *scene)
{
	struct end *client = &scene->client, *server = &scene->server;

	say(scene, client, TCP_ACK, 100);
	hear(scene, server, TCP_ACK, 100);
	assert_int_equal(server->last.segment.seq + 100, server->next.ack);
	assert_int_equal(server->last.segment.ack, server->next.seq);
	say(scene, server, TCP_ACK, 200);
	hear(scene, client, TCP_ACK, 200);
	assert_int_equal(client->last.segment.ack, client->next.seq);
	say(scene, client, TCP_ACK, 0);
	hear(scene, server, TCP_ACK, 0);
	assert_int_equal(server->last.segment.ack, server->next.seq);
}

static struct worker *
worker_of(struct scene *scene)
{
	return scene->rig.engine.worker[0];
}

static uint32_t
ports_in_use(struct scene *scene)
{
	const struct local_ports *ports = worker_of(scene)->proxy->ports[0];

	return ports->count - ports->free;
}

/* Nothing is left of any connection. */
static void
scene_end(struct scene *scene)
{
	assert_int_equal(rig_connections(&scene->rig), 0);
	assert_int_equal(ports_in_use(scene), 0);
	assert_int_equal(worker_of(scene)->proxy->held_packets, 0);
	for (unsigned int i = 0; i < SERVERS; i++)
		assert_int_equal(worker_of(scene)->backends->own[i], 0);
	assert_int_equal(worker_of(scene)->share[1].connections, 0);
	rig_free(&scene->rig);
}

static void
scene_end_after(struct scene *scene, unsigned int ms)
{
	rig_wait_ms(&scene->rig, ms);
	scene_end(scene);
}

/* FIN from both, the client first. */
static void
close_both(struct scene *scene)
{
	struct end *client = &scene->client, *server = &scene->server;

	say(scene, client, TCP_FIN | TCP_ACK, 0);
	hear(scene, server, TCP_FIN | TCP_ACK, 0);
	say(scene, server, TCP_FIN | TCP_ACK, 0);
	hear(scene, client, TCP_FIN | TCP_ACK, 0);
	say(scene, client, TCP_ACK, 0);
	hear(scene, server, TCP_ACK, 0);
	scene_end_after(scene, 2100);
}

static void
both_handshakes_become_one_connection(void **state)
{
	static const unsigned int families[] = {4, 6};

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct scene scene;

		scene_begin_as(&scene, families[i], "", "", 1);
		open_both(&scene);
		talk(&scene);
		assert_int_equal(rig_counter(&scene.rig, COUNTER_spliced), 1);
		close_both(&scene);
	}
}

static void
two_workers_find_replies(void **state)
{
	struct scene scene;

	(void)state;
	for (unsigned int i = 0; i < 8; i++) {
		scene_begin_as(&scene, 4, "", "", 3);
		scene.client.path.local_port = rte_cpu_to_be_16((uint16_t)(CLIENT_PORT + 17 * i));
		open_client(&scene);
		answer(&scene);
		hear(&scene, &scene.server, TCP_ACK, 0);
		hear(&scene, &scene.client, TCP_ACK, 0);
		talk(&scene);
		assert_int_equal(rig_counter(&scene.rig, DROP_foreign_reply), 0);
		rig_free(&scene.rig);
	}
}

static void
early_segments_are_held_and_come_in_order(void **state)
{
	struct scene scene;
	struct end *client = &scene.client, *server = &scene.server;

	(void)state;
	scene_begin(&scene);
	open_client(&scene);
	for (unsigned int i = 0; i < 3; i++)
		say(&scene, client, TCP_ACK, 1000);
	hear_nothing(&scene, client);
	/* repeated: the client still has them */
	client->next.seq -= 1000;
	say(&scene, client, TCP_ACK, 1000);
	hear_nothing(&scene, client);
	assert_int_equal(worker_of(&scene)->proxy->held_packets, 3);
	rig_wait_ms(&scene.rig, 30);
	answer(&scene);
	for (unsigned int i = 0; i < 3; i++) {
		hear(&scene, server, TCP_ACK, 1000);
		assert_int_equal(server->last.segment.ack, server->next.seq);
		/* Linux takes it for the end of the handshake only so. */
		assert_int_equal(server->last.segment.tsecr, 5000000);
	}
	hear(&scene, client, TCP_ACK, 0); /* the window */
	assert_int_equal(client->last.segment.window, 65160 >> 7);
	assert_int_equal(client->last.segment.ack, client->next.seq - 3000);
	hear_nothing(&scene, server);
	say(&scene, server, TCP_ACK, 0);
	hear(&scene, client, TCP_ACK, 0);
	assert_int_equal(client->last.segment.ack, client->next.seq);
	close_both(&scene);
}

/* Data on the third segment of the handshake, and a FIN behind it. */
static void
early_fin_comes_behind_its_data(void **state)
{
	struct scene scene;
	struct end *client = &scene.client, *server = &scene.server;

	(void)state;
	scene_begin(&scene);
	say(&scene, client, TCP_SYN, 0);
	hear(&scene, client, TCP_SYN | TCP_ACK, 0);
	client->next.window = 502;
	say(&scene, client, TCP_ACK | TCP_FIN, 77);
	hear_syn(&scene);
	hear_nothing(&scene, client);
	answer(&scene);
	hear(&scene, server, TCP_ACK | TCP_FIN, 77);
	say(&scene, server, TCP_FIN | TCP_ACK, 50);
	hear(&scene, client, TCP_ACK | TCP_FIN, 50);
	assert_int_equal(client->last.segment.ack, client->next.seq);
	say(&scene, client, TCP_ACK, 0);
	hear(&scene, server, TCP_ACK, 0);
	scene_end_after(&scene, 2100);
}

static void
fifth_early_segment_closes_the_window(void **state)
{
	struct scene scene;
	struct end *client = &scene.client, *server = &scene.server;

	(void)state;
	scene_begin(&scene);
	open_client(&scene);
	for (unsigned int i = 0; i < 4; i++)
		say(&scene, client, TCP_ACK, 10);
	hear_nothing(&scene, client);
	say(&scene, client, TCP_ACK, 10);
	hear(&scene, client, TCP_ACK, 0);
	assert_int_equal(client->last.segment.window, 0);
	assert_int_equal(rig_counter(&scene.rig, DROP_early_full), 1);
	answer(&scene);
	for (unsigned int i = 0; i < 4; i++)
		hear(&scene, server, TCP_ACK, 10);
	hear(&scene, client, TCP_ACK, 0);
	assert_int_equal(client->last.segment.window, 65160 >> 7);
	client->next.seq -= 10;
	say(&scene, client, TCP_ACK, 10);
	hear(&scene, server, TCP_ACK, 10);
	close_both(&scene);
}

static void
lost_backend_syn_is_sent_again(void **state)
{
	struct scene scene;
	uint32_t iss;

	(void)state;
	scene_begin(&scene);
	open_client(&scene);
	iss = scene.server.last.segment.seq;
	rig_wait_ms(&scene.rig, 150);
	hear_nothing(&scene, &scene.server);
	rig_wait_ms(&scene.rig, 60);
	hear_syn(&scene);
	assert_int_equal(scene.server.last.segment.seq, iss);
	answer(&scene);
	hear(&scene, &scene.server, TCP_ACK, 0);
	hear(&scene, &scene.client, TCP_ACK, 0);
	talk(&scene);
	close_both(&scene);
}

static void
silent_backend_is_left_for_another(void **state)
{
	struct scene scene;
	uint8_t first;

	(void)state;
	scene_begin(&scene);
	open_client(&scene);
	first = scene.server.path.local[15];
	say(&scene, &scene.client, TCP_ACK, 500);
	rig_wait_ms(&scene.rig, 250);
	hear_syn(&scene);
	rig_wait_ms(&scene.rig, 450);
	hear_syn(&scene);
	assert_int_not_equal(scene.server.path.local[15], first);
	answer(&scene);
	hear(&scene, &scene.server, TCP_ACK, 500);
	assert_int_equal(rig_counter(&scene.rig, COUNTER_backend_failures), 1);
	close_both(&scene);
}

static void
refusal_goes_on_to_another_at_once(void **state)
{
	struct scene scene;
	uint8_t first;

	(void)state;
	scene_begin(&scene);
	open_client(&scene);
	first = scene.server.path.local[15];
	/* RFC 9293 3.10.7.3: one that does not acknowledge our SYN is nobody's. */
	scene.server.next.ack++;
	say(&scene, &scene.server, TCP_RST | TCP_ACK, 0);
	hear_nothing(&scene, &scene.server);
	scene.server.next.ack--;
	say(&scene, &scene.server, TCP_RST | TCP_ACK, 0);
	hear_syn(&scene);
	assert_int_not_equal(scene.server.path.local[15], first);
	answer(&scene);
	hear(&scene, &scene.server, TCP_ACK, 0);
	hear(&scene, &scene.client, TCP_ACK, 0);
	close_both(&scene);
}

static void
client_is_reset_when_three_refused(void **state)
{
	struct scene scene;

	(void)state;
	scene_begin(&scene);
	open_client(&scene);
	say(&scene, &scene.client, TCP_ACK, 10);
	for (unsigned int i = 0; i < SERVERS; i++) {
		say(&scene, &scene.server, TCP_RST | TCP_ACK, 0);
		if (i + 1 < SERVERS)
			hear_syn(&scene);
	}
	hear(&scene, &scene.client, TCP_RST | TCP_ACK, 0);
	assert_int_equal(scene.client.last.segment.seq, scene.client.next.ack);
	assert_int_equal(rig_counter(&scene.rig, COUNTER_backends_no_answer), 1);
	scene_end(&scene);
}

static void
client_is_reset_when_all_are_down(void **state)
{
	struct scene scene;
	struct end *client = &scene.client;

	(void)state;
	for (unsigned int drop = 0; drop < 2; drop++) {
		scene_begin_as(&scene, 4, drop ? "when_down: drop" : "", "", 1);
		for (unsigned int i = 0; i < SERVERS; i++)
			scene.rig.engine.backends->usable[i] = 0;
		say(&scene, client, TCP_SYN, 0);
		hear(&scene, client, TCP_SYN | TCP_ACK, 0);
		say(&scene, client, TCP_ACK, 0);
		if (drop)
			hear_nothing(&scene, client);
		else
			hear(&scene, client, TCP_RST | TCP_ACK, 0);
		assert_int_equal(rig_counter(&scene.rig, COUNTER_backends_all_down), 1);
		scene_end(&scene);
	}
}

static void
used_up_local_ports_reset_the_client(void **state)
{
	struct scene scene;
	struct end *client = &scene.client;

	(void)state;
	scene_begin_as(&scene, 4, "local_ports: 5000-5000", "", 1);
	open_both(&scene);
	client->path.local_port = rte_cpu_to_be_16(CLIENT_PORT + 1);
	client->next.seq = CLIENT_ISN;
	client->next.options.options = linux_options.options;
	say(&scene, client, TCP_SYN, 0);
	hear(&scene, client, TCP_SYN | TCP_ACK, 0);
	say(&scene, client, TCP_ACK, 0);
	hear(&scene, client, TCP_RST | TCP_ACK, 0);
	assert_int_equal(rig_counter(&scene.rig, COUNTER_local_ports_used_up), 1);
	rig_free(&scene.rig);
}

/* The backend still has the port's last connection: a port used again begins beyond its numbers. */
static void
port_used_again_begins_beyond_its_last_numbers(void **state)
{
	struct scene scene;
	struct end *client = &scene.client;
	uint32_t end;

	(void)state;
	scene_begin_as(&scene, 4, "local_ports: 5000-5000", "", 1);
	open_both(&scene);
	for (unsigned int i = 0; i < 300; i++) {
		say(&scene, client, TCP_ACK, 1400);
		hear(&scene, &scene.server, TCP_ACK, 1400);
		say(&scene, &scene.server, TCP_ACK, 0);
		hear(&scene, client, TCP_ACK, 0);
	}
	end = scene.server.next.ack;
	say(&scene, client, TCP_RST, 0);
	hear(&scene, &scene.server, TCP_RST, 0);
	rig_wait_ms(&scene.rig, 10100);
	assert_int_equal(ports_in_use(&scene), 0);
	client->next = (struct build_tcp){.seq = 77, .window = 64240, .options = linux_options};
	scene.server.next.options.options = linux_options.options;
	open_client(&scene);
	assert_true((int32_t)(scene.server.last.segment.seq - end) > 0);
	rig_close(&scene.rig);
}

/* A challenge ACK, as from TIME_WAIT or a connection that only the backend remembers. */
static void
stale_connection_of_the_backend_is_reset(void **state)
{
	struct scene scene;
	struct end *server = &scene.server;
	struct build_tcp old;

	(void)state;
	scene_begin(&scene);
	open_client(&scene);
	old = server->next;
	server->next.ack = 12345;
	server->next.options.options = 0;
	say(&scene, server, TCP_ACK, 0);
	hear(&scene, server, TCP_RST, 0);
	assert_int_equal(server->last.segment.seq, 12345);
	server->next = old;
	hear_syn(&scene);
	answer(&scene);
	hear(&scene, server, TCP_ACK, 0);
	hear(&scene, &scene.client, TCP_ACK, 0);
	close_both(&scene);
}

static void
repeated_third_segment_opens_nothing(void **state)
{
	struct scene scene;
	struct build_tcp third;

	(void)state;
	scene_begin(&scene);
	open_client(&scene);
	third = scene.client.next;
	say(&scene, &scene.client, TCP_ACK, 0);
	hear_nothing(&scene, &scene.server);
	answer(&scene);
	hear(&scene, &scene.server, TCP_ACK, 0);
	hear(&scene, &scene.client, TCP_ACK, 0);
	scene.client.next = third;
	say(&scene, &scene.client, TCP_ACK, 0);
	hear(&scene, &scene.server, TCP_ACK, 0);
	assert_int_equal(rig_connections(&scene.rig), 1);
	assert_int_equal(ports_in_use(&scene), 1);
	close_both(&scene);
}

static void
repeated_syn_ack_is_acknowledged(void **state)
{
	struct scene scene;
	struct build_tcp syn_ack;

	(void)state;
	scene_begin(&scene);
	open_client(&scene);
	syn_ack = scene.server.next;
	answer(&scene);
	hear(&scene, &scene.server, TCP_ACK, 0);
	hear(&scene, &scene.client, TCP_ACK, 0);
	scene.server.next = syn_ack;
	say(&scene, &scene.server, TCP_SYN | TCP_ACK, 0);
	hear(&scene, &scene.server, TCP_ACK, 0);
	assert_int_equal(scene.server.last.segment.ack, scene.server.next.seq);
	hear_nothing(&scene, &scene.client);
	scene.server.next.options.options = TCP_OPTION_TIMESTAMPS;
	scene.server.next.window = 509;
	talk(&scene);
	close_both(&scene);
}

/* RFC 5961 4: a SYN on a live tuple is challenged, whatever its numbers. */
static void
syn_on_the_tuple_is_challenged(void **state)
{
	struct scene scene;
	struct end *client = &scene.client;
	struct build_tcp saved;

	(void)state;
	scene_begin(&scene);
	open_both(&scene);
	talk(&scene);
	saved = client->next;
	client->next.seq = 424242;
	client->next.ack = 0;
	client->next.options = linux_options;
	say(&scene, client, TCP_SYN, 0);
	hear(&scene, client, TCP_ACK, 0);
	assert_int_equal(client->last.segment.seq, saved.ack);
	assert_int_equal(client->last.segment.ack, saved.seq);
	hear_nothing(&scene, &scene.server);
	client->next = saved;
	talk(&scene);
	/* A client that has forgotten resets with the number of the challenge, and begins anew. */
	say(&scene, client, TCP_RST, 0);
	hear(&scene, &scene.server, TCP_RST, 0);
	assert_int_equal(scene.server.last.segment.seq, scene.server.next.ack);
	client->next = (struct build_tcp){.seq = 424242, .window = 64240, .options = linux_options};
	scene.server.next.options.options = linux_options.options;
	scene.server.next.seq = SERVER_ISN;
	open_both(&scene);
	assert_int_equal(ports_in_use(&scene), 1);
	close_both(&scene);
}

static void
half_close_in_either_order(void **state)
{
	struct scene scene;
	struct end *client = &scene.client, *server = &scene.server;

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct end *first = i == 0 ? client : server;
		struct end *second = i == 0 ? server : client;

		scene_begin(&scene);
		open_both(&scene);
		talk(&scene);
		say(&scene, first, TCP_FIN | TCP_ACK, 0);
		hear(&scene, second, TCP_FIN | TCP_ACK, 0);
		for (unsigned int n = 0; n < 5; n++) {
			say(&scene, second, TCP_ACK, 700);
			hear(&scene, first, TCP_ACK, 700);
			say(&scene, first, TCP_ACK, 0);
			hear(&scene, second, TCP_ACK, 0);
		}
		say(&scene, second, TCP_FIN | TCP_ACK, 0);
		hear(&scene, first, TCP_FIN | TCP_ACK, 0);
		say(&scene, first, TCP_ACK, 0);
		hear(&scene, second, TCP_ACK, 0);
		assert_int_equal(rig_connections(&scene.rig), 1);
		scene_end_after(&scene, 2100);
	}
}

static void
exact_reset_passes_and_ends(void **state)
{
	struct scene scene;
	struct end *client = &scene.client, *server = &scene.server;

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct end *from = i == 0 ? client : server, *to = i == 0 ? server : client;

		scene_begin(&scene);
		open_both(&scene);
		talk(&scene);
		/* not exact: passed on as inexact as it was, and nothing is forgotten */
		from->next.seq += 5;
		say(&scene, from, TCP_RST, 0);
		hear(&scene, to, TCP_RST, 0);
		assert_int_equal(to->last.segment.seq, to->next.ack + 5);
		from->next.seq -= 5;
		rig_wait_ms(&scene.rig, 11000);
		assert_int_equal(rig_connections(&scene.rig), 1);
		talk(&scene);
		say(&scene, from, TCP_RST, 0);
		hear(&scene, to, TCP_RST, 0);
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
	open_both(&scene);
	say(&scene, &scene.server, TCP_ACK, 40);
	hear(&scene, &scene.client, TCP_ACK, 40);
	say(&scene, &scene.client, TCP_ACK, 0);
	hear(&scene, &scene.server, TCP_ACK, 0);
	talk(&scene);
	close_both(&scene);
}

static void
silence_ends_with_resets_both_ways(void **state)
{
	struct scene scene;
	struct end *client = &scene.client, *server = &scene.server;

	(void)state;
	scene_begin(&scene);
	open_both(&scene);
	talk(&scene);
	rig_wait_ms(&scene.rig, 59000);
	hear_nothing(&scene, client);
	rig_wait_ms(&scene.rig, 1100);
	hear(&scene, client, TCP_RST | TCP_ACK, 0);
	assert_int_equal(client->last.segment.seq, client->next.ack);
	hear(&scene, server, TCP_RST, 0);
	assert_int_equal(server->last.segment.seq, server->next.ack);
	assert_int_equal(rig_counter(&scene.rig, COUNTER_timed_out), 1);
	scene_end(&scene);
}

static void
reset_while_joining_takes_the_backend_along(void **state)
{
	struct scene scene;
	struct end *client = &scene.client;

	(void)state;
	scene_begin(&scene);
	open_client(&scene);
	say(&scene, client, TCP_ACK, 10);
	client->next.seq += 100;
	say(&scene, client, TCP_RST, 0);
	hear(&scene, client, TCP_ACK, 0); /* RFC 5961 3.2 */
	client->next.seq -= 100;
	say(&scene, client, TCP_RST, 0);
	hear(&scene, &scene.server, TCP_RST, 0);
	assert_int_equal(scene.server.last.segment.seq, scene.server.next.ack);
	hear_nothing(&scene, client);
	scene_end(&scene);
}

/* The whole conversation with what either side can do: window scale, SACK, timestamps. */
static void
options_of_any_two_are_reconciled(void **state)
{
	static const uint8_t optional[] = {
			TCP_OPTION_WINDOW_SCALE, TCP_OPTION_SACK_PERMITTED, TCP_OPTION_TIMESTAMPS};
	static const uint16_t mss[] = {1460, 536};

	(void)state;
	for (unsigned int round = 0; round < 8 * 8 * 4; round++) {
		struct scene scene;
		struct end *client = &scene.client, *server = &scene.server;
		uint8_t has[2] = {TCP_OPTION_MSS, TCP_OPTION_MSS};
		uint8_t both;

		scene_begin(&scene);
		for (unsigned int i = 0; i < 3; i++) {
			has[0] |= (round >> i & 1) ? optional[i] : 0;
			has[1] |= (round >> (3 + i) & 1) ? optional[i] : 0;
		}
		both = has[0] & has[1];
		client->next.options.options = has[0];
		client->next.options.mss = mss[round >> 6 & 1];
		server->next.options.mss = mss[round >> 7 & 1];
		client->next.options.window_scale = 3;
		say(&scene, client, TCP_SYN, 0);
		hear(&scene, client, TCP_SYN | TCP_ACK, 0);
		assert_int_equal(client->last.segment.options, has[0]);
		client->next.window = 502;
		say(&scene, client, TCP_ACK, 0);
		hear_syn(&scene);
		/* No more is asked of the server than the client has. */
		assert_int_equal(server->last.segment.options, has[0]);
		assert_int_equal(server->last.segment.mss, client->next.options.mss);
		if ((has[0] & TCP_OPTION_WINDOW_SCALE) != 0)
			assert_int_equal(server->last.segment.window_scale, 3);
		server->next.options.options = both;
		server->next.options.window_scale = 9;
		server->next.window = 8000;
		say(&scene, server, TCP_SYN | TCP_ACK, 0);
		hear(&scene, server, TCP_ACK, 0);
		assert_int_equal(server->last.segment.options, both & TCP_OPTION_TIMESTAMPS);
		hear(&scene, client, TCP_ACK, 0);
		assert_int_equal(client->last.segment.window,
				(has[0] & TCP_OPTION_WINDOW_SCALE) != 0 ? 8000 >> 7 : 8000);
		if ((both & TCP_OPTION_TIMESTAMPS) == 0)
			server->next.options.options = 0;

		say(&scene, client, TCP_ACK, 100);
		hear(&scene, server, TCP_ACK, 100);
		assert_int_equal(server->last.segment.options, both & TCP_OPTION_TIMESTAMPS);
		assert_int_equal(server->last.segment.window,
				(has[0] & ~both & TCP_OPTION_WINDOW_SCALE) != 0 ? 502 << 3 : 502);
		if ((both & TCP_OPTION_TIMESTAMPS) != 0)
			assert_int_equal(
					server->last.segment.tsecr, server->next.options.tsval - 1);
		server->next.window = 100;
		say(&scene, server, TCP_ACK, 60);
		hear(&scene, client, TCP_ACK, 60);
		assert_int_equal(client->last.segment.options, both & TCP_OPTION_TIMESTAMPS);
		assert_int_equal(client->last.segment.window,
				(both & TCP_OPTION_WINDOW_SCALE) != 0     ? 100 << 9 >> 7
				: (has[0] & TCP_OPTION_WINDOW_SCALE) != 0 ? 100 >> 7
									  : 100);
		if ((both & TCP_OPTION_TIMESTAMPS) != 0)
			assert_int_equal(
					client->last.segment.tsecr, client->next.options.tsval - 1);
		assert_int_equal(client->last.segment.ack, client->next.seq);
		close_both(&scene);
	}
}

/* What a pool says of its backends is what clients are offered. */
static void
profile_of_the_pool_limits_the_syn_ack(void **state)
{
	struct scene scene;

	(void)state;
	scene_begin_as(&scene, 4, "mss: 1000, sack: false, timestamps: false", "", 1);
	say(&scene, &scene.client, TCP_SYN, 0);
	hear(&scene, &scene.client, TCP_SYN | TCP_ACK, 0);
	assert_int_equal(scene.client.last.segment.options,
			TCP_OPTION_MSS | TCP_OPTION_WINDOW_SCALE);
	assert_int_equal(scene.client.last.segment.mss, 1000);
	assert_int_equal(scene.client.last.segment.window, 4096);
	rig_close(&scene.rig);
}

/* A backend that takes less than the path does: those that come later are told. */
static void
mss_of_the_backends_is_learnt(void **state)
{
	struct scene scene;

	(void)state;
	scene_begin(&scene);
	scene.server.next.options.mss = 1200;
	open_both(&scene);
	say(&scene, &scene.client, TCP_RST, 0);
	hear(&scene, &scene.server, TCP_RST, 0);
	health_poll(&scene.rig.engine);
	rig_wait_ms(&scene.rig, 300);
	health_poll(&scene.rig.engine);
	scene.client.path.local_port = rte_cpu_to_be_16(CLIENT_PORT + 1);
	scene.client.next = (struct build_tcp){
			.seq = CLIENT_ISN, .window = 64240, .options = linux_options};
	say(&scene, &scene.client, TCP_SYN, 0);
	hear(&scene, &scene.client, TCP_SYN | TCP_ACK, 0);
	assert_int_equal(scene.client.last.segment.mss, 1200);
	rig_close(&scene.rig);
}

static void
cookie_opens_a_splice(void **state)
{
	struct scene scene;

	(void)state;
	scene_begin_as(&scene, 4, "", "cookies: always", 1);
	say(&scene, &scene.client, TCP_SYN, 0);
	assert_int_equal(rig_connections(&scene.rig), 0);
	hear(&scene, &scene.client, TCP_SYN | TCP_ACK, 0);
	assert_int_equal(scene.client.last.segment.options, linux_options.options);
	assert_int_equal(scene.client.last.segment.window_scale, 7);
	assert_int_equal(scene.client.last.segment.window, 5888); /* 4 * 1460, a whole 128 */
	assert_int_equal(scene.client.last.segment.mss, 1460);
	scene.client.next.window = 502;
	say(&scene, &scene.client, TCP_ACK, 400);
	hear_syn(&scene);
	assert_int_equal(scene.server.last.segment.window_scale, 7);
	answer(&scene);
	hear(&scene, &scene.server, TCP_ACK, 400);
	assert_int_equal(scene.server.last.segment.window, 502);
	talk(&scene);
	close_both(&scene);
}

/* The header is ours to repeat, is in nobody's way, and shifts the client's numbers. */
static void
proxy_header_comes_first_and_again(void **state)
{
	static const char line[] = "PROXY TCP4 10.9.0.1 10.9.0.2 40000 80\r\n";
	const unsigned int length = sizeof(line) - 1;
	struct scene scene;
	struct end *client = &scene.client, *server = &scene.server;

	(void)state;
	scene_begin_as(&scene, 4, "proxy_protocol: v1", "", 1);
	open_client(&scene);
	say(&scene, client, TCP_ACK, 300);
	memmove(scene.payload + length, scene.payload, 300);
	memcpy(scene.payload, line, length);
	answer(&scene);
	hear(&scene, server, TCP_ACK, length);
	assert_int_equal(server->last.segment.tsecr, 5000000);
	memmove(scene.payload, scene.payload + length, 300);
	hear(&scene, server, TCP_ACK, 300);
	/* Lost: the server asks for the header with SACK or not; we do not wait to be asked. */
	memcpy(scene.payload, line, length);
	rig_wait_ms(&scene.rig, 450);
	hear(&scene, server, TCP_ACK, length);
	/* Part of it is nothing that the client knows of. */
	server->next.ack -= 3;
	say(&scene, server, TCP_ACK, 0);
	hear(&scene, client, TCP_ACK, 0);
	assert_int_equal(client->last.segment.ack, client->next.seq - 300);
	server->next.ack += 3 + 300;
	say(&scene, server, TCP_ACK, 0);
	hear(&scene, client, TCP_ACK, 0);
	assert_int_equal(client->last.segment.ack, client->next.seq);
	rig_wait_ms(&scene.rig, 3000);
	hear_nothing(&scene, server);
	talk(&scene);
	close_both(&scene);
}

/* A router's word about the last frame that an end got, quoting eight bytes of TCP. */
static void
say_too_big(struct scene *scene, const struct end *end, uint16_t mtu)
{
	const struct rig_frame *frame = &end->last;
	const bool ipv4 = frame->frame.family == 4;
	const unsigned int header = ipv4 ? 20 : 40;
	uint8_t bytes[200] = {0};
	uint8_t *ip = bytes + 14, *icmp = ip + header;
	rte_be16_t checksum;
	uint64_t sum = 0;

	memcpy(bytes, frame->bytes + 6, 6);
	memcpy(bytes + 6, frame->bytes, 6);
	memcpy(bytes + 12, frame->bytes + 12, 2);
	memcpy(ip, frame->bytes + 14, header);
	icmp[0] = ipv4 ? 3 : 2;
	icmp[1] = ipv4 ? 4 : 0;
	bytes_write_16(icmp + 6, mtu);
	memcpy(icmp + 8, frame->bytes + 14, header);
	memcpy(icmp + 8 + header, frame->bytes + frame->frame.l4_offset, 8);
	if (ipv4) {
		memcpy(ip + 12, frame->bytes + 14 + 16, 4);
		memcpy(ip + 16, frame->bytes + 14 + 12, 4);
		bytes_write_16(ip + 2, 56);
		ip[9] = 1;
		memset(ip + 10, 0, 2);
		checksum = checksum_finish(checksum_add(0, ip, 20));
		memcpy(ip + 10, &checksum, 2);
	} else {
		memcpy(ip + 8, frame->bytes + 14 + 24, 16);
		memcpy(ip + 24, frame->bytes + 14 + 8, 16);
		bytes_write_16(ip + 4, 56);
		ip[6] = 58;
		sum = checksum_pseudo(ip + 8, ip + 24, 16, 58, 56);
	}
	checksum = checksum_finish(checksum_add(sum, icmp, header + 16));
	memcpy(icmp + 2, &checksum, 2);
	rig_put(&scene->rig, bytes, 14 + header + header + 16);
	scene_listen(scene);
}

/* What an end was told: about which of its numbers, and how small to be. */
static void
hear_too_big(struct scene *scene, const struct end *end, uint32_t seq, uint16_t mtu)
{
	const struct rig_frame *frame = &scene->icmp;
	const bool ipv4 = end->path.family == 4;
	const uint8_t *icmp = frame->bytes + frame->frame.l4_offset;
	const uint8_t *quoted = icmp + 8;
	const uint8_t *tcp = quoted + (ipv4 ? 20 : 40);

	assert_int_equal(frame->frame.kind, ipv4 ? FRAME_ICMP : FRAME_ICMP6);
	assert_memory_equal(frame->bytes, end->path.local_mac, 6);
	assert_int_equal(icmp[0], ipv4 ? 3 : 2);
	assert_int_equal(icmp[1], ipv4 ? 4 : 0);
	assert_int_equal(bytes_read_16(icmp + 6), mtu);
	assert_memory_equal(
			quoted + (ipv4 ? 12 : 8), end->path.local + (ipv4 ? 12 : 0), ipv4 ? 4 : 16);
	assert_memory_equal(quoted + (ipv4 ? 16 : 24), end->path.remote + (ipv4 ? 12 : 0),
			ipv4 ? 4 : 16);
	assert_memory_equal(tcp, &end->path.local_port, 2);
	assert_memory_equal(tcp + 2, &end->path.remote_port, 2);
	assert_int_equal(bytes_read_32(tcp + 4), seq);
}

static void
icmp_errors_reach_who_sent_what_they_quote(void **state)
{
	static const unsigned int families[] = {4, 6};

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct scene scene;
		struct end *client = &scene.client, *server = &scene.server;
		struct end old;

		scene_begin_as(&scene, families[i], "", "", 1);
		open_both(&scene);
		talk(&scene);
		say(&scene, client, TCP_ACK, 1000);
		hear(&scene, server, TCP_ACK, 1000);
		old = *server;
		say_too_big(&scene, server, 1300);
		assert_int_equal(scene.icmps, 1);
		hear_too_big(&scene, client, client->next.seq - 1000,
				families[i] == 4 ? 1300 : 1320);
		say(&scene, server, TCP_ACK, 900);
		hear(&scene, client, TCP_ACK, 900);
		say_too_big(&scene, client, 1380);
		assert_int_equal(scene.icmps, 2);
		hear_too_big(&scene, server, server->next.seq - 900,
				families[i] == 4 ? 1380 : 1360);
		/* RFC 5927 4.1: what is acknowledged is not in flight. */
		say(&scene, client, TCP_ACK, 0);
		hear(&scene, server, TCP_ACK, 0);
		say(&scene, client, TCP_ACK, 10);
		hear(&scene, server, TCP_ACK, 10);
		say(&scene, server, TCP_ACK, 0);
		hear(&scene, client, TCP_ACK, 0);
		say_too_big(&scene, &old, 1300);
		assert_int_equal(scene.icmps, 2);
		assert_int_equal(rig_counter(&scene.rig, COUNTER_icmp_errors_sent), 2);
		close_both(&scene);
	}
}

/* Only the backend that was asked may answer. */
static void
reply_from_elsewhere_is_dropped(void **state)
{
	struct scene scene;
	struct end other;

	(void)state;
	scene_begin(&scene);
	open_client(&scene);
	other = scene.server;
	other.path.local[15]++;
	say(&scene, &other, TCP_SYN | TCP_ACK, 0);
	assert_int_equal(rig_counter(&scene.rig, DROP_foreign_reply), 1);
	answer(&scene);
	hear(&scene, &scene.server, TCP_ACK, 0);
	hear(&scene, &scene.client, TCP_ACK, 0);
	close_both(&scene);
}

static void
engine_that_stops_resets_both(void **state)
{
	struct scene scene;
	struct burst burst;

	(void)state;
	scene_begin(&scene);
	open_both(&scene);
	talk(&scene);
	burst_abort(worker_of(&scene), &burst, 0);
	burst_step(worker_of(&scene), &burst);
	burst_reply(worker_of(&scene), &burst);
	burst_transmit(worker_of(&scene), &burst);
	hear(&scene, &scene.client, TCP_RST | TCP_ACK, 0);
	hear(&scene, &scene.server, TCP_RST, 0);
	scene_end(&scene);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(both_handshakes_become_one_connection),
			cmocka_unit_test(two_workers_find_replies),
			cmocka_unit_test(early_segments_are_held_and_come_in_order),
			cmocka_unit_test(early_fin_comes_behind_its_data),
			cmocka_unit_test(fifth_early_segment_closes_the_window),
			cmocka_unit_test(lost_backend_syn_is_sent_again),
			cmocka_unit_test(silent_backend_is_left_for_another),
			cmocka_unit_test(refusal_goes_on_to_another_at_once),
			cmocka_unit_test(client_is_reset_when_three_refused),
			cmocka_unit_test(client_is_reset_when_all_are_down),
			cmocka_unit_test(used_up_local_ports_reset_the_client),
			cmocka_unit_test(port_used_again_begins_beyond_its_last_numbers),
			cmocka_unit_test(stale_connection_of_the_backend_is_reset),
			cmocka_unit_test(repeated_third_segment_opens_nothing),
			cmocka_unit_test(repeated_syn_ack_is_acknowledged),
			cmocka_unit_test(syn_on_the_tuple_is_challenged),
			cmocka_unit_test(half_close_in_either_order),
			cmocka_unit_test(exact_reset_passes_and_ends),
			cmocka_unit_test(server_speaks_first),
			cmocka_unit_test(silence_ends_with_resets_both_ways),
			cmocka_unit_test(reset_while_joining_takes_the_backend_along),
			cmocka_unit_test(options_of_any_two_are_reconciled),
			cmocka_unit_test(profile_of_the_pool_limits_the_syn_ack),
			cmocka_unit_test(mss_of_the_backends_is_learnt),
			cmocka_unit_test(cookie_opens_a_splice),
			cmocka_unit_test(proxy_header_comes_first_and_again),
			cmocka_unit_test(icmp_errors_reach_who_sent_what_they_quote),
			cmocka_unit_test(reply_from_elsewhere_is_dropped),
			cmocka_unit_test(engine_that_stops_resets_both),
	};

	(void)argc;
	rig_start_dpdk(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
