/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * mode: proxy on the bench: what two ends that have never agreed on anything are told of each
 * other: options, cookies, the PROXY protocol's header and ICMP errors.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "engine/health.h"
#include "wire/bytes.h"
#include "wire/checksum.h"

#include "scene.h"

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
		struct scene_peer *client = &scene.client, *server = &scene.server;
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
		scene_say(&scene, client, TCP_SYN, 0);
		scene_hear(&scene, client, TCP_SYN | TCP_ACK, 0);
		assert_int_equal(client->last.segment.options, has[0]);
		client->next.window = 502;
		scene_say(&scene, client, TCP_ACK, 0);
		scene_hear_syn(&scene);
		/* No more is asked of the server than the client has. */
		assert_int_equal(server->last.segment.options, has[0]);
		assert_int_equal(server->last.segment.mss, client->next.options.mss);
		if ((has[0] & TCP_OPTION_WINDOW_SCALE) != 0)
			assert_int_equal(server->last.segment.window_scale, 3);
		server->next.options.options = both;
		server->next.options.window_scale = 9;
		server->next.window = 8000;
		scene_say(&scene, server, TCP_SYN | TCP_ACK, 0);
		scene_hear(&scene, server, TCP_ACK, 0);
		assert_int_equal(server->last.segment.options, both & TCP_OPTION_TIMESTAMPS);
		scene_hear(&scene, client, TCP_ACK, 0);
		assert_int_equal(client->last.segment.window,
				(has[0] & TCP_OPTION_WINDOW_SCALE) != 0 ? 8000 >> 7 : 8000);
		if ((both & TCP_OPTION_TIMESTAMPS) == 0)
			server->next.options.options = 0;

		scene_say(&scene, client, TCP_ACK, 100);
		scene_hear(&scene, server, TCP_ACK, 100);
		assert_int_equal(server->last.segment.options, both & TCP_OPTION_TIMESTAMPS);
		assert_int_equal(server->last.segment.window,
				(has[0] & ~both & TCP_OPTION_WINDOW_SCALE) != 0 ? 502 << 3 : 502);
		if ((both & TCP_OPTION_TIMESTAMPS) != 0)
			assert_int_equal(
					server->last.segment.tsecr, server->next.options.tsval - 1);
		server->next.window = 100;
		scene_say(&scene, server, TCP_ACK, 60);
		scene_hear(&scene, client, TCP_ACK, 60);
		assert_int_equal(client->last.segment.options, both & TCP_OPTION_TIMESTAMPS);
		assert_int_equal(client->last.segment.window,
				(both & TCP_OPTION_WINDOW_SCALE) != 0     ? 100 << 9 >> 7
				: (has[0] & TCP_OPTION_WINDOW_SCALE) != 0 ? 100 >> 7
									  : 100);
		if ((both & TCP_OPTION_TIMESTAMPS) != 0)
			assert_int_equal(
					client->last.segment.tsecr, client->next.options.tsval - 1);
		assert_int_equal(client->last.segment.ack, client->next.seq);
		scene_close_both(&scene);
	}
}

/* What a pool says of its backends is what clients are offered. */
static void
profile_of_the_pool_limits_the_syn_ack(void **state)
{
	struct scene scene;

	(void)state;
	scene_begin_as(&scene, 4, "mss: 1000, sack: false, timestamps: false", "", 1);
	scene_say(&scene, &scene.client, TCP_SYN, 0);
	scene_hear(&scene, &scene.client, TCP_SYN | TCP_ACK, 0);
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
	scene_open_both(&scene);
	scene_say(&scene, &scene.client, TCP_RST, 0);
	scene_hear(&scene, &scene.server, TCP_RST, 0);
	health_poll(&scene.rig.engine);
	rig_wait_ms(&scene.rig, 300);
	health_poll(&scene.rig.engine);
	scene.client.path.local_port = rte_cpu_to_be_16(SCENE_CLIENT_PORT + 1);
	scene.client.next = (struct build_tcp){
			.seq = SCENE_CLIENT_ISN, .window = 64240, .options = scene_linux};
	scene_say(&scene, &scene.client, TCP_SYN, 0);
	scene_hear(&scene, &scene.client, TCP_SYN | TCP_ACK, 0);
	assert_int_equal(scene.client.last.segment.mss, 1200);
	rig_close(&scene.rig);
}

/* One more client, after control has summed up what the last one taught. @return its SYN-ACK's */
static uint8_t
options_of_the_next_syn_ack(struct scene *scene, unsigned int n, uint8_t server_has)
{
	struct scene_peer *client = &scene->client, *server = &scene->server;
	uint8_t granted;

	health_poll(&scene->rig.engine);
	rig_wait_ms(&scene->rig, 300);
	health_poll(&scene->rig.engine);
	client->path.local_port = rte_cpu_to_be_16((uint16_t)(SCENE_CLIENT_PORT + n));
	client->next = (struct build_tcp){
			.seq = SCENE_CLIENT_ISN, .window = 64240, .options = scene_linux};
	scene_say(scene, client, TCP_SYN, 0);
	scene_hear(scene, client, TCP_SYN | TCP_ACK, 0);
	granted = client->last.segment.options;
	if ((granted & TCP_OPTION_TIMESTAMPS) == 0)
		client->next.options.options = 0;
	scene_say(scene, client, TCP_ACK, 0);
	scene_hear_syn(scene);
	assert_int_equal(server->last.segment.options, granted);
	server->next = (struct build_tcp){
			.seq = SCENE_SERVER_ISN,
			.ack = server->next.ack,
			.window = 65160,
			.options = scene_linux,
	};
	server->next.options.options = server_has & granted;
	scene_answer(scene);
	scene_hear(scene, server, TCP_ACK, 0);
	scene_hear(scene, client, TCP_ACK, 0);
	return granted;
}

/* What a backend turns out to lack is not promised to the next client; one thing after another. */
static void
options_of_the_backends_are_learnt(void **state)
{
	static const uint8_t lacks[] = {TCP_OPTION_TIMESTAMPS, TCP_OPTION_SACK_PERMITTED,
			TCP_OPTION_WINDOW_SCALE, 0};

	(void)state;
	for (unsigned int cookies = 0; cookies < 2; cookies++) {
		uint8_t learnt = scene_linux.options;
		struct scene scene;

		scene_begin_as(&scene, 4, "", cookies ? "cookies: always" : "", 1);
		/* One backend, so that the next client meets what was learnt of it. */
		for (unsigned int i = 1; i < SCENE_SERVERS; i++)
			scene.rig.engine.backends->drained[i] = true;
		for (unsigned int i = 0; i < RTE_DIM(lacks); i++) {
			const uint8_t has = learnt & (uint8_t)~lacks[i];

			assert_int_equal(options_of_the_next_syn_ack(&scene, i, has), learnt);
			learnt = has;
		}
		assert_int_equal(learnt, TCP_OPTION_MSS);
		rig_free(&scene.rig);
	}
}

static void
cookie_opens_a_splice(void **state)
{
	struct scene scene;

	(void)state;
	scene_begin_as(&scene, 4, "", "cookies: always", 1);
	scene_say(&scene, &scene.client, TCP_SYN, 0);
	assert_int_equal(rig_connections(&scene.rig), 0);
	scene_hear(&scene, &scene.client, TCP_SYN | TCP_ACK, 0);
	assert_int_equal(scene.client.last.segment.options, scene_linux.options);
	assert_int_equal(scene.client.last.segment.window_scale, 7);
	assert_int_equal(scene.client.last.segment.window, 5888); /* 4 * 1460, a whole 128 */
	assert_int_equal(scene.client.last.segment.mss, 1460);
	scene.client.next.window = 502;
	scene_say(&scene, &scene.client, TCP_ACK, 400);
	scene_hear_syn(&scene);
	assert_int_equal(scene.server.last.segment.window_scale, 7);
	scene_answer(&scene);
	scene_hear(&scene, &scene.server, TCP_ACK, 400);
	assert_int_equal(scene.server.last.segment.window, 502);
	scene_talk(&scene);
	scene_close_both(&scene);
}

/* The header is ours to repeat, is in nobody's way, and shifts the client's numbers. */
static void
proxy_header_comes_first_and_again(void **state)
{
	static const char line[] = "PROXY TCP4 10.9.0.1 10.9.0.2 40000 80\r\n";
	const unsigned int length = sizeof(line) - 1;
	struct scene scene;
	struct scene_peer *client = &scene.client, *server = &scene.server;

	(void)state;
	scene_begin_as(&scene, 4, "proxy_protocol: v1", "", 1);
	scene_open_client(&scene);
	scene_say(&scene, client, TCP_ACK, 300);
	memmove(scene.payload + length, scene.payload, 300);
	memcpy(scene.payload, line, length);
	scene_answer(&scene);
	scene_hear(&scene, server, TCP_ACK, length);
	assert_int_equal(server->last.segment.tsecr, 5000000);
	memmove(scene.payload, scene.payload + length, 300);
	scene_hear(&scene, server, TCP_ACK, 300);
	/* Lost: the server asks for the header with SACK or not; we do not wait to be asked. */
	memcpy(scene.payload, line, length);
	rig_wait_ms(&scene.rig, 450);
	scene_hear(&scene, server, TCP_ACK, length);
	/* Part of it is nothing that the client knows of. */
	server->next.ack -= 3;
	scene_say(&scene, server, TCP_ACK, 0);
	scene_hear_nothing(&scene, client);
	server->next.ack += 3 + 300;
	scene_say(&scene, server, TCP_ACK, 0);
	scene_hear(&scene, client, TCP_ACK, 0);
	assert_int_equal(client->last.segment.ack, client->next.seq);
	rig_wait_ms(&scene.rig, 3000);
	scene_hear_nothing(&scene, server);
	scene_talk(&scene);
	scene_close_both(&scene);
}

/* What an end was told: about which of its numbers, and how small to be. */
static void
hear_too_big(struct scene *scene, const struct scene_peer *end, uint32_t seq, uint16_t mtu)
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
		struct scene_peer *client = &scene.client, *server = &scene.server;
		struct scene_peer old;

		scene_begin_as(&scene, families[i], "", "", 1);
		scene_open_both(&scene);
		scene_talk(&scene);
		scene_say(&scene, client, TCP_ACK, 1000);
		scene_hear(&scene, server, TCP_ACK, 1000);
		old = *server;
		scene_say_too_big(&scene, server, 1300);
		assert_int_equal(scene.icmps, 1);
		hear_too_big(&scene, client, client->next.seq - 1000,
				families[i] == 4 ? 1300 : 1320);
		scene_say(&scene, server, TCP_ACK, 900);
		scene_hear(&scene, client, TCP_ACK, 900);
		scene_say_too_big(&scene, client, 1380);
		assert_int_equal(scene.icmps, 2);
		hear_too_big(&scene, server, server->next.seq - 900,
				families[i] == 4 ? 1380 : 1360);
		/* RFC 5927 4.1: what is acknowledged is not in flight. */
		scene_say(&scene, client, TCP_ACK, 0);
		scene_hear(&scene, server, TCP_ACK, 0);
		scene_say(&scene, client, TCP_ACK, 10);
		scene_hear(&scene, server, TCP_ACK, 10);
		scene_say(&scene, server, TCP_ACK, 0);
		scene_hear(&scene, client, TCP_ACK, 0);
		scene_say_too_big(&scene, &old, 1300);
		assert_int_equal(scene.icmps, 2);
		assert_int_equal(rig_counter(&scene.rig, COUNTER_icmp_errors_sent), 2);
		scene_close_both(&scene);
	}
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(options_of_any_two_are_reconciled),
			cmocka_unit_test(profile_of_the_pool_limits_the_syn_ack),
			cmocka_unit_test(mss_of_the_backends_is_learnt),
			cmocka_unit_test(options_of_the_backends_are_learnt),
			cmocka_unit_test(cookie_opens_a_splice),
			cmocka_unit_test(proxy_header_comes_first_and_again),
			cmocka_unit_test(icmp_errors_reach_who_sent_what_they_quote),
	};

	(void)argc;
	rig_start_dpdk(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
