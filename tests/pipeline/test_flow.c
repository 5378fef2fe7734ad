/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Connections as a whole: windows, large bodies, full tables, stopping, being asked about, and the
 * gateways that the engine itself asks for.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_launch.h>

#include "engine/launch.h"
#include "engine/route.h"
#include "wire/bytes.h"

#include "rig.h"

#define CLIENT_PORT 40000
#define ETHERNET    14
#define BODY        (1u << 20)

/* One at a time; close_rig() takes it apart should a test fail. */
static struct rig rig;

/* A client's side of one connection, without options but an MSS. */
struct client {
	struct build_path path;
	struct build_tcp next; /* seq, ack and window of the next segment */
	uint32_t first;        /* the number of the engine's first byte */
};

static void
client_say(struct client *client, uint8_t flags, const void *payload, unsigned int length)
{
	client->next.flags = flags;
	rig_put_tcp(&rig, &client->path, &client->next, payload, length);
	client->next.seq += length + ((flags & TCP_SYN) != 0) + ((flags & TCP_FIN) != 0);
	rig_turn(&rig);
}

static void
client_hear(struct client *client, struct rig_frame *frame)
{
	assert_true(rig_take(&rig, frame));
	assert_int_equal(frame->frame.kind, FRAME_TCP);
	client->next.ack = frame->segment.seq + tcp_segment_length(&frame->segment);
}

static void
client_open(struct client *client, unsigned int family, uint16_t client_port, uint16_t engine_port,
		uint16_t window)
{
	struct rig_frame frame;

	memset(client, 0, sizeof(*client));
	rig_path(&rig, &client->path, family, client_port, engine_port);
	client->next.seq = 0x7ffffff0;
	client->next.window = window;
	client->next.options = (struct tcp_options){.options = TCP_OPTION_MSS, .mss = 1000};
	client_say(client, TCP_SYN, NULL, 0);
	client_hear(client, &frame);
	assert_int_equal(frame.segment.flags, TCP_SYN | TCP_ACK);
	client->first = client->next.ack;
	client->next.options.options = 0;
	client_say(client, TCP_ACK, NULL, 0);
}

static void
nothing_comes(void)
{
	struct rig_frame frame;

	rig_turn(&rig);
	assert_false(rig_take(&rig, &frame));
}

static void
echo_window_closes_and_opens_with_an_update(void **state)
{
	static const char text[1000];
	struct client client;
	struct rig_frame frame;
	unsigned int said = 0;

	(void)state;
	rig_init(&rig, NULL, 1);
	/* A peer that does not listen is not listened to any more. */
	client_open(&client, 4, CLIENT_PORT, 7, 0);
	do {
		const unsigned int length = RTE_MIN(16384u - said, 1000u);

		client_say(&client, TCP_ACK, text, length);
		said += length;
		assert_true(rig_take(&rig, &frame));
		assert_int_equal(frame.segment.payload_length, 0);
		assert_int_equal(frame.segment.ack, client.next.seq);
		assert_int_equal(frame.segment.window, 16384 - said);
	} while (said < 16384);
	nothing_comes();
	/* It listens: what it said comes back, and each thousand that it takes opens the window. */
	client.next.window = 65535;
	client_say(&client, TCP_ACK, NULL, 0);
	while (rig_take(&rig, &frame)) {
		assert_int_equal(frame.segment.window, 0);
		client.next.ack = frame.segment.seq + frame.segment.payload_length;
	}
	assert_true(client.next.ack - client.first >= 1000);
	client_say(&client, TCP_ACK, NULL, 0);
	assert_true(rig_take(&rig, &frame));
	assert_int_equal(frame.segment.window, client.next.ack - client.first);
	rig_free(&rig);
}

/*
 * Fetch the large body; the client takes what is in order, and of every @p lossy frames loses one.
 *
 * @return
 *   Bytes received, headers included.
 */
static unsigned int
fetch(struct client *client, uint8_t *to, unsigned int lossy)
{
	static const char request[] = "GET / HTTP/1.0\r\n\r\n";
	unsigned int received = 0, frames = 0, idle_ms = 0;
	struct rig_frame frame;
	bool ended = false;

	client_say(client, TCP_ACK | TCP_PSH, request, sizeof(request) - 1);
	while (!ended && idle_ms < 20000) {
		bool heard = false;

		while (!ended && rig_take(&rig, &frame)) {
			const uint8_t *payload = frame.bytes + frame.frame.l4_offset +
						 frame.segment.payload_offset;

			assert_true(frame.segment.payload_length <= client->next.window ||
					frame.segment.payload_length == 1);
			frames++;
			if (lossy != 0 && frames % lossy == 0)
				continue;
			heard = true;
			if (frame.segment.seq != client->next.ack)
				continue;
			assert_true(received + frame.segment.payload_length <= BODY + 1000);
			memcpy(to + received, payload, frame.segment.payload_length);
			received += frame.segment.payload_length;
			ended = (frame.segment.flags & TCP_FIN) != 0;
			client->next.ack += tcp_segment_length(&frame.segment);
			client_say(client, TCP_ACK, NULL, 0);
		}
		if (heard) {
			idle_ms = 0;
			continue;
		}
		rig_wait_ms(&rig, 10);
		idle_ms += 10;
	}
	assert_true(ended);
	return received;
}

static void
large_body_comes_whole_through_small_windows_and_losses(void **state)
{
	/* What the window is, and one of how many frames gets lost. */
	static const unsigned int ways[][2] = {{3000, 0}, {1, 0}, {65535, 11}, {2500, 13}};
	uint8_t *first = malloc(BODY + 1000), *again = malloc(BODY + 1000);
	unsigned int length;
	struct client client;

	(void)state;
	assert_non_null(first);
	assert_non_null(again);
	rig_init(&rig, NULL, 1);
	client_open(&client, 4, CLIENT_PORT, 8080, 65535);
	length = fetch(&client, first, 0);
	assert_true(length > BODY);
	assert_memory_equal(first, "HTTP/1.1 200 OK\r\n", 17);
	for (unsigned int i = 0; i < RTE_DIM(ways); i++) {
		/* A window of one byte is silly, and honoured; a body's worth of it is too much. */
		if (ways[i][0] == 1)
			continue;
		client_open(&client, 4, (uint16_t)(CLIENT_PORT + 1 + i), 8080,
				(uint16_t)ways[i][0]);
		assert_int_equal(fetch(&client, again, ways[i][1]), length);
		assert_memory_equal(first, again, length);
	}
	rig_free(&rig);
	free(first);
	free(again);
}

static void
full_table_drops_syns_and_counts_them(void **state)
{
	static const char yaml[] =
			"engine: {connections: 64}\n"
			"ports:\n"
			"  - {name: lan, device: \"vdev:net_ring_rig\", addresses: 10.9.0.2/24,\n"
			"     mac: 02:00:00:00:00:02}\n"
			"services: [{name: web, listen: \"10.9.0.2:80\"}]\n";
	unsigned int answered = 0;

	(void)state;
	rig_init(&rig, yaml, 1);
	for (uint16_t i = 0; i < 200; i++) {
		struct client client = {.next = {.seq = i, .window = 1000}};
		struct rig_frame frame;

		rig_path(&rig, &client.path, 4, (uint16_t)(CLIENT_PORT + i), 80);
		client_say(&client, TCP_SYN, NULL, 0);
		if (!rig_take(&rig, &frame))
			continue;
		client.next.ack = frame.segment.seq + 1;
		client_say(&client, TCP_ACK, NULL, 0);
		answered++;
	}
	assert_int_equal(rig_connections(&rig), answered);
	assert_int_equal(rig_counter(&rig, COUNTER_opened), answered);
	assert_int_equal(rig_counter(&rig, DROP_table_full), 200 - answered);
	/* The buckets are never all full, but nearly. */
	assert_in_range(answered, 48, 64);
	/* Who was not let in can come when others have left. */
	rig_wait_ms(&rig, 64000);
	assert_int_equal(rig_connections(&rig), 0);
	rig_free(&rig);
}

static void
draining_refuses_the_new_and_lets_the_old_finish(void **state)
{
	struct client client, late = {.next = {.seq = 1, .window = 1000}};
	struct rig_frame frame;

	(void)state;
	rig_init(&rig, NULL, 1);
	client_open(&client, 4, CLIENT_PORT, 7, 65535);
	rig.engine.phase = ENGINE_DRAINING;
	rig_path(&rig, &late.path, 4, CLIENT_PORT + 1, 7);
	client_say(&late, TCP_SYN, NULL, 0);
	nothing_comes();
	assert_int_equal(rig_counter(&rig, DROP_shutdown), 1);
	client_say(&client, TCP_ACK, "still here", 10);
	client_hear(&client, &frame);
	assert_int_equal(frame.segment.payload_length, 10);
	client_say(&client, TCP_ACK | TCP_FIN, NULL, 0);
	client_hear(&client, &frame);
	assert_int_equal(frame.segment.flags, TCP_ACK | TCP_FIN);
	client_say(&client, TCP_ACK, NULL, 0);
	assert_int_equal(rig_connections(&rig), 0);
	rig_free(&rig);
}

static void
stopping_resets_every_connection(void **state)
{
	(void)state;
	/* With several workers on a device with one queue, one of them sends for all. */
	for (unsigned int workers = 1; workers <= 3; workers++) {
		unsigned int resets = 0;
		struct rig_frame frame;

		rig_init(&rig, NULL, workers);
		for (uint16_t i = 0; i < 300; i++) {
			struct client client;

			client_open(&client, i % 2 == 0 ? 4 : 6, (uint16_t)(CLIENT_PORT + i), 9,
					65535);
		}
		assert_int_equal(rig_connections(&rig), 300);
		for (unsigned int w = 0; w < workers; w++)
			assert_int_equal(rte_eal_remote_launch(
							 worker_run, rig.engine.worker[w], w + 1),
					0);
		launch_quiesce(&rig.engine);
		while (rig_take(&rig, &frame)) {
			assert_int_equal(frame.segment.flags, TCP_RST | TCP_ACK);
			resets++;
		}
		assert_int_equal(resets, 300);
		assert_int_equal(rig_connections(&rig), 0);
		rig_free(&rig);
	}
}

#define ASKED 700

/* What another thread learns from a worker while that works. */
struct question {
	struct mailbox *mailbox;
	unsigned int seen[ASKED];
	unsigned int others;
	bool failed;
	bool done; /* atomic */
};

static void
take_record(struct question *question, const struct mailbox_record *record)
{
	const unsigned int at = rte_be_to_cpu_16(record->key.port) - CLIENT_PORT;

	if (at < ASKED && record->state == TCP_ESTABLISHED)
		question->seen[at]++;
	else
		question->others++;
}

static void *
ask_for_all(void *argument)
{
	static struct mailbox_answer answer;
	struct question *question = argument;
	struct mailbox_question dump = {.kind = MAILBOX_DUMP};

	dump.dump.limit = MAILBOX_RECORDS;
	while (dump.dump.cursor != MAILBOX_NO_CURSOR && !question->failed) {
		if (mailbox_ask(question->mailbox, &dump, MAILBOX_WAIT_MS, &answer) != 0) {
			question->failed = true;
			break;
		}
		for (unsigned int i = 0; i < answer.dump.count; i++)
			take_record(question, &answer.dump.record[i]);
		dump.dump.cursor = answer.dump.cursor;
	}
	__atomic_store_n(&question->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void
every_connection_is_told_of_once_while_traffic_runs(void **state)
{
	static struct client clients[ASKED];
	static struct question question;
	struct rig_frame frame;
	pthread_t asker;
	unsigned int turns = 0;

	(void)state;
	memset(&question, 0, sizeof(question));
	rig_init(&rig, NULL, 1);
	for (uint16_t i = 0; i < ASKED; i++)
		client_open(&clients[i], 4, (uint16_t)(CLIENT_PORT + i), 9, 65535);
	question.mailbox = &rig.engine.worker[0]->mailbox;
	assert_int_equal(pthread_create(&asker, NULL, ask_for_all, &question), 0);
	while (!__atomic_load_n(&question.done, __ATOMIC_ACQUIRE)) {
		client_say(&clients[turns++ % ASKED], TCP_ACK | TCP_PSH, "traffic", 7);
		while (rig_take(&rig, &frame))
			;
	}
	pthread_join(asker, NULL);
	assert_false(question.failed);
	assert_int_equal(question.others, 0);
	for (unsigned int i = 0; i < ASKED; i++)
		assert_int_equal(question.seen[i], 1);
	rig_free(&rig);
}

/* Take all frames: how many ask for the IPv4 gateway and how many for the IPv6 one. */
static void
count_questions(unsigned int *arp, unsigned int *solicitations)
{
	static const uint8_t gateway6[16] = {0xfd, 0, 0, 9, [15] = 0xfe};
	struct rig_frame frame;

	*arp = *solicitations = 0;
	while (rig_take(&rig, &frame)) {
		const uint8_t *l3 = frame.bytes + ETHERNET;

		if (frame.frame.kind == FRAME_ARP) {
			assert_int_equal(bytes_read_16(l3 + 6), 1);
			assert_memory_equal(l3 + 24, ((const uint8_t[]){10, 9, 0, 254}), 4);
			(*arp)++;
		} else {
			assert_int_equal(frame.frame.kind, FRAME_ICMP6);
			assert_int_equal(l3[7], 255);
			assert_int_equal(l3[40], 135);
			assert_memory_equal(l3 + 48, gateway6, 16);
			(*solicitations)++;
		}
	}
}

static void
answer_arp(void)
{
	uint8_t frame[60] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 0xfe, 8, 6};
	uint8_t *arp = frame + ETHERNET;

	memcpy(arp, (const uint8_t[]){0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 0xfe}, 14);
	memcpy(arp + 14, (const uint8_t[]){10, 9, 0, 254}, 4);
	memcpy(arp + 18, (const uint8_t[]){2, 0, 0, 0, 0, 2, 10, 9, 0, 2}, 10);
	rig_put(&rig, frame, sizeof(frame));
	rig_turn(&rig);
}

/* The gateway's solicitation for us tells its address as well as an advertisement would. */
static void
gateway_solicits(void)
{
	static const uint8_t engine_mac[6] = {2, 0, 0, 0, 0, 2}, mac[6] = {2, 0, 0, 0, 0, 0xfe};
	uint8_t frame[RIG_FRAME_MAX], gateway[16], engine[16];
	unsigned int length;

	inet_pton(AF_INET6, "fd00:9::fe", gateway);
	inet_pton(AF_INET6, RIG_ENGINE_IP6, engine);
	length = build_neighbour_solicitation(frame, mac, gateway, engine, false, 0);
	memcpy(frame, engine_mac, sizeof(engine_mac));
	rig_put(&rig, frame, length);
	rig_turn(&rig);
}

static void
gateways_are_asked_for_every_second_until_they_answer(void **state)
{
	static const char yaml[] =
			"engine: {connections: 64}\n"
			"ports:\n"
			"  - {name: lan, device: \"vdev:net_ring_rig\", mac: 02:00:00:00:00:02,\n"
			"     addresses: [10.9.0.2/24, \"fd00:9::2/64\"],\n"
			"     gateways: [10.9.0.254, \"fd00:9::fe\"]}\n"
			"services: [{name: web, listen: \"10.9.0.2:80\"}]\n";
	unsigned int arp, solicitations;
	struct rig_frame frame;
	uint8_t mac[6];

	(void)state;
	rig_init(&rig, yaml, 1);
	rig_wait_ms(&rig, 200);
	count_questions(&arp, &solicitations);
	assert_int_equal(arp, 1);
	assert_int_equal(solicitations, 1);
	/* Between two looks of the resolver lie up to 101 ms more than the second. */
	rig_wait_ms(&rig, 5600);
	count_questions(&arp, &solicitations);
	assert_int_equal(arp, 5);
	assert_int_equal(solicitations, 5);
	assert_false(resolver_get(&rig.engine.resolver, 0, mac));

	answer_arp();
	assert_true(resolver_get(&rig.engine.resolver, 0, mac));
	assert_memory_equal(mac, ((const uint8_t[]){2, 0, 0, 0, 0, 0xfe}), 6);
	assert_false(resolver_get(&rig.engine.resolver, 1, mac));
	gateway_solicits();
	assert_true(rig_take(&rig, &frame)); /* our advertisement */
	assert_true(resolver_get(&rig.engine.resolver, 1, mac));
	assert_memory_equal(mac, ((const uint8_t[]){2, 0, 0, 0, 0, 0xfe}), 6);

	/* Answered, they are asked again only to notice a change. */
	rig_wait_ms(&rig, 28000);
	count_questions(&arp, &solicitations);
	assert_int_equal(arp + solicitations, 0);
	rig_wait_ms(&rig, 3000);
	count_questions(&arp, &solicitations);
	assert_int_equal(arp, 1);
	assert_int_equal(solicitations, 1);
	rig_free(&rig);
}

/* Clients come in by one port's router, backends are behind the other one's. */
static void
address_of_ours_decides_between_gateways(void **state)
{
	static const char yaml[] = "ports:\n"
				   "  - {name: front, device: 'null:', addresses: [10.9.0.2/24, "
				   "'fd00:9::2/64'],\n"
				   "     gateways: [10.9.0.254, 'fd00:9::fe']}\n"
				   "  - {name: back, device: 'null:', addresses: [10.8.0.2/24, "
				   "'fd00:8::2/64'],\n"
				   "     gateways: [10.8.0.254]}\n"
				   "services: [{name: web, listen: '10.9.0.2:80'}]\n";
	struct settings *settings = settings_parse("x.yaml", yaml, strlen(yaml), stderr);
	struct engine *engine = calloc(1, sizeof(*engine));
	struct settings_addresses from = {.count = 2};
	uint8_t far[16], far6[16];
	struct route route;

	(void)state;
	assert_non_null(settings);
	assert_non_null(engine);
	engine->port_count = 2;
	for (unsigned int i = 0; i < 2; i++)
		engine->port[i] =
				(struct port){.settings = &settings->port[i], .index = (uint8_t)i};
	inet_pton(AF_INET6, "::ffff:10.7.0.1", far);
	inet_pton(AF_INET6, "fd00:7::1", far6);
	inet_pton(AF_INET6, "fd00:8::2", from.item[0]);
	inet_pton(AF_INET6, "::ffff:10.8.0.2", from.item[1]);
	assert_true(route_find(engine, far, NULL, &route));
	assert_ptr_equal(route.port, &engine->port[0]);
	assert_true(route_find(engine, far, &from, &route));
	assert_ptr_equal(route.port, &engine->port[1]);
	assert_memory_equal(route.next_hop + 12, ((const uint8_t[]){10, 8, 0, 254}), 4);
	assert_memory_equal(route.local + 12, ((const uint8_t[]){10, 8, 0, 2}), 4);
	/* That port has no gateway of the family. */
	assert_true(route_find(engine, far6, &from, &route));
	assert_ptr_equal(route.port, &engine->port[0]);
	free(engine);
	settings_free(settings);
}

#define TEST(name) RIG_TEST(name, rig)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			TEST(echo_window_closes_and_opens_with_an_update),
			TEST(large_body_comes_whole_through_small_windows_and_losses),
			TEST(full_table_drops_syns_and_counts_them),
			TEST(draining_refuses_the_new_and_lets_the_old_finish),
			TEST(stopping_resets_every_connection),
			TEST(every_connection_is_told_of_once_while_traffic_runs),
			TEST(gateways_are_asked_for_every_second_until_they_answer),
			TEST(address_of_ours_decides_between_gateways),
	};

	(void)argc;
	rig_start_dpdk(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
