/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Checks of backends: what goes out, when, and what follows from what comes back.  The backends are
 * played here: each answers as it is told to.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "engine/health.h"
#include "engine/pools.h"
#include "wire/bytes.h"

#include "rig.h"

#define BACKENDS 3

static const char settings_head[] =
		"engine: {workers: 1, memory: none, connections: 1000}\n"
		"tcp: {max_tw_buckets: 100}\n"
		"ports: [{name: rig, device: 'vdev:net_ring_rig', "
		"addresses: ['" RIG_ENGINE_IP4 "/24', '" RIG_ENGINE_IP6 "/64']}]\n"
		"services: [{name: http, listen: '" RIG_ENGINE_IP4 ":80', reply: http}]\n";

static const char check_tcp[] =
		"pools: [{name: web, backends: ['10.9.0.11:8000', '10.9.0.12:8000 weight=3', "
		"'10.9.0.13:8000'], check: tcp, check_interval: 1s, check_timeout: 500ms}]\n";
/* No other check goes on beside the one that is looked at. */
static const char check_alone[] = "pools: [{name: web, backends: ['10.9.0.11:8000'], check: tcp, "
				  "check_interval: 1s, check_timeout: 500ms}]\n";
static const char check_http[] =
		"pools: [{name: web, backends: ['10.9.0.11:8000', '[fd00:9::12]:8000'], "
		"check: http, check_path: /alive, check_interval: 1s, check_timeout: 500ms, "
		"proxy_protocol: v1}]\n";
static const char check_none[] =
		"pools: [{name: web, backends: ['10.9.0.11:8000', '10.9.0.12:8000 weight=0']}]\n";

/* How a backend answers. */
enum manner {
	ACCEPTS,
	REFUSES,
	SILENT,
	SAYS_200,
	SAYS_500,
	SAYS_SSH,
	HANGS_UP,     /* Closes when it gets the request. */
	SAYS_NOTHING, /* Accepts and waits. */
};

struct world {
	struct rig rig;
	enum manner manner[BACKENDS];
	struct tcp_options options; /* Of SYN,ACKs. */
	unsigned int syns[BACKENDS];
	unsigned int resets[BACKENDS];
	char request[512]; /* The last one. */
	uint64_t ms;
};

static void
world_begin(struct world *world, const char *pools, unsigned int workers)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 9};
	char yaml[2048];
	struct engine *engine = &world->rig.engine;

	memset(world, 0, sizeof(*world));
	snprintf(yaml, sizeof(yaml), "%s%s", settings_head, pools);
	rig_init(&world->rig, yaml, workers);
	world->options = (struct tcp_options){
			.options = TCP_OPTION_MSS | TCP_OPTION_WINDOW_SCALE |
				   TCP_OPTION_SACK_PERMITTED,
			.mss = 1380,
			.window_scale = 9,
	};
	for (unsigned int i = 0; i < engine->backends->count; i++)
		resolver_learn(&engine->resolver, 0, engine->backends->entry[i].address, mac);
}

/* Answer what the engine said to a backend. */
static void
world_answer(struct world *world, const struct rig_frame *heard, unsigned int backend)
{
	const uint8_t *request =
			heard->bytes + heard->frame.l4_offset + heard->segment.payload_offset;
	const enum manner manner = world->manner[backend];
	struct build_path path;
	struct build_tcp tcp = {
			.seq = heard->segment.ack,
			.ack = heard->segment.seq + tcp_segment_length(&heard->segment),
			.window = 65535,
			.flags = TCP_ACK,
	};
	const char *text = manner == SAYS_200   ? "HTTP/1.1 302 Found\r\n"
			   : manner == SAYS_500 ? "HTTP/1.1 500 Oops\r\n"
						: "SSH-2.0-OpenSSH\r\n";

	build_path_reverse(&path, heard->bytes, &heard->frame);
	if ((heard->segment.flags & TCP_RST) != 0) {
		world->resets[backend]++;
	} else if ((heard->segment.flags & TCP_SYN) != 0) {
		world->syns[backend]++;
		tcp.flags = manner == REFUSES ? TCP_RST | TCP_ACK : TCP_SYN | TCP_ACK;
		tcp.seq = manner == REFUSES ? 0 : 12345;
		tcp.options = world->options;
		if (manner != SILENT)
			rig_put_tcp(&world->rig, &path, &tcp, NULL, 0);
	} else if (heard->segment.payload_length > 0) {
		assert_true(heard->segment.payload_length < sizeof(world->request));
		memcpy(world->request, request, heard->segment.payload_length);
		world->request[heard->segment.payload_length] = '\0';
		if (manner == HANGS_UP)
			tcp.flags |= TCP_FIN;
		if (manner == SAYS_NOTHING || manner == HANGS_UP)
			rig_put_tcp(&world->rig, &path, &tcp, NULL, 0);
		else
			rig_put_tcp(&world->rig, &path, &tcp, text, (unsigned int)strlen(text));
	}
}

/* Let time pass, control and workers running, the backends answering. */
static void
world_pass(struct world *world, unsigned int ms)
{
	for (unsigned int i = 0; i < ms; i++) {
		struct rig_frame heard;

		if (world->ms++ % HEALTH_POLL_MS == 0)
			health_poll(&world->rig.engine);
		rig_wait_ms(&world->rig, 1);
		while (rig_take(&world->rig, &heard)) {
			uint8_t to[16];

			if (heard.frame.kind != FRAME_TCP)
				continue;
			parse_destination(heard.bytes, &heard.frame, to);
			/* 10.9.0.11 and so on, fd00:9::12. */
			world_answer(world, &heard, to[15] == 0x12 ? 1 : to[15] - 11);
		}
	}
}

static enum backend_state
state_of(const struct world *world, unsigned int number)
{
	return backend_state(&world->rig.engine.backends->health[number]);
}

static const struct health_record *
record_of(const struct world *world, unsigned int number)
{
	return &world->rig.engine.health->record[number];
}

static const struct pool *
pool_of(const struct world *world)
{
	return &engine_services(&world->rig.engine)->pools->pool[0];
}

/* Everything that was begun is over: no connection, no port, no check. */
static void
world_end(struct world *world)
{
	struct engine *engine = &world->rig.engine;

	for (unsigned int i = 0; i < BACKENDS; i++)
		world->manner[i] = ACCEPTS;
	__atomic_store_n(&engine->phase, ENGINE_DRAINING, __ATOMIC_RELEASE);
	world_pass(world, 1000);
	assert_int_equal(rig_connections(&world->rig), 0);
	for (unsigned int port = 0; port <= UINT16_MAX; port++)
		assert_int_equal(engine->health->of_port[port], HEALTH_NOBODY);
	rig_free(&world->rig);
}

static void
a_handshake_is_enough_and_ends_by_reset(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, check_tcp, 1);
	assert_int_equal(state_of(&world, 0), BACKEND_UNKNOWN);
	world_pass(&world, 1050);
	for (unsigned int i = 0; i < BACKENDS; i++) {
		assert_int_equal(state_of(&world, i), BACKEND_UP);
		/* The last one may have ended since control looked. */
		assert_in_range(world.syns[i] - record_of(&world, i)->checks, 0, 1);
		assert_int_equal(world.resets[i], world.syns[i]);
		assert_int_equal(record_of(&world, i)->failures, 0);
		assert_int_equal(record_of(&world, i)->ups, 1);
	}
	world_pass(&world, 10000);
	for (unsigned int i = 0; i < BACKENDS; i++)
		assert_in_range(world.syns[i], 8, 13);
	assert_int_equal(rig_counter(&world.rig, COUNTER_checks_failed), 0);
	assert_int_equal(rig_counter(&world.rig, COUNTER_checks_passed),
			world.syns[0] + world.syns[1] + world.syns[2]);
	world_end(&world);
}

static void
checks_are_jittered_and_come_from_different_ports(void **state)
{
	struct world world;
	uint64_t began_ms[8] = {0};
	uint16_t ports[RTE_DIM(began_ms)] = {0};
	unsigned int alike = 0;
	unsigned int again = 0;
	unsigned int seen = 0;

	(void)state;
	world_begin(&world, check_tcp, 1);
	while (seen < RTE_DIM(began_ms)) {
		const unsigned int before = world.syns[0];

		world_pass(&world, 1);
		if (world.syns[0] == before)
			continue;
		began_ms[seen] = world.ms;
		ports[seen] = rte_be_to_cpu_16(world.rig.engine.health->check[0].key.port);
		assert_true(ports[seen] >= 49152);
		for (unsigned int i = 0; i < seen; i++)
			again += ports[i] == ports[seen];
		seen++;
	}
	/* Of 16384 ports at random any one may come again, by chance. */
	assert_in_range(again, 0, 1);
	for (unsigned int i = 1; i < RTE_DIM(began_ms); i++) {
		assert_in_range(began_ms[i] - began_ms[i - 1], 875 - HEALTH_POLL_MS,
				1125 + HEALTH_POLL_MS);
		alike += began_ms[i] - began_ms[i - 1] == began_ms[1] - began_ms[0];
	}
	assert_true(alike < RTE_DIM(began_ms) - 1);
	world_end(&world);
}

static void
refusal_brings_a_backend_down_after_three_and_up_after_two(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, check_tcp, 1);
	world_pass(&world, 1200);
	world.manner[1] = REFUSES;
	world.syns[1] = 0;
	while (state_of(&world, 1) == BACKEND_UP)
		world_pass(&world, HEALTH_POLL_MS);
	assert_int_equal(world.syns[1], 3);
	assert_int_equal(record_of(&world, 1)->result, CHECK_REFUSED);
	assert_int_equal(record_of(&world, 1)->downs, 1);
	assert_false(backends_is_usable(world.rig.engine.backends, 1));
	assert_true(backends_is_usable(world.rig.engine.backends, 0));
	world.manner[1] = ACCEPTS;
	world.syns[1] = 0;
	while (state_of(&world, 1) == BACKEND_DOWN)
		world_pass(&world, HEALTH_POLL_MS);
	assert_int_equal(world.syns[1], 2);
	world_pass(&world, HEALTH_POLL_MS);
	assert_true(backends_is_usable(world.rig.engine.backends, 1));
	world_end(&world);
}

static void
silence_is_over_after_check_timeout(void **state)
{
	struct world world;
	uint64_t began_ms;

	(void)state;
	world_begin(&world, check_tcp, 1);
	world.manner[2] = SILENT;
	while (world.syns[2] == 0)
		world_pass(&world, 1);
	began_ms = world.ms;
	while (state_of(&world, 2) == BACKEND_UNKNOWN)
		world_pass(&world, 1);
	assert_in_range(world.ms - began_ms, 500, 500 + 2 * HEALTH_POLL_MS);
	assert_int_equal(state_of(&world, 2), BACKEND_DOWN);
	assert_int_equal(record_of(&world, 2)->result, CHECK_TIMED_OUT);
	world_end(&world);
}

static void
nobody_home_at_the_next_hop_is_down(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, check_tcp, 1);
	world.rig.engine.resolver.entry[world.rig.engine.backends->entry[0].next_hop].mac = 0;
	world_pass(&world, 900);
	assert_int_equal(state_of(&world, 0), BACKEND_UNKNOWN);
	world_pass(&world, 2000);
	assert_int_equal(state_of(&world, 0), BACKEND_DOWN);
	assert_int_equal(record_of(&world, 0)->result, CHECK_UNRESOLVED);
	assert_int_equal(world.syns[0], 0);
	world_end(&world);
}

static void
http_is_asked_behind_the_proxy_header_and_any_2xx_or_3xx_is_well(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, check_http, 1);
	world.manner[0] = SAYS_200;
	world.manner[1] = SAYS_500;
	world_pass(&world, 1100);
	assert_int_equal(state_of(&world, 0), BACKEND_UP);
	assert_int_equal(record_of(&world, 0)->code, 302);
	assert_int_equal(state_of(&world, 1), BACKEND_DOWN);
	assert_int_equal(record_of(&world, 1)->code, 500);
	assert_int_equal(record_of(&world, 1)->result, CHECK_BAD_STATUS);
	world.manner[1] = SILENT;
	world_pass(&world, 1200);
	assert_string_equal(world.request, "PROXY UNKNOWN\r\nGET /alive HTTP/1.1\r\n"
					   "Host: 10.9.0.11:8000\r\nUser-Agent: handfast\r\n"
					   "Accept: */*\r\nConnection: close\r\n\r\n");
	world_end(&world);
}

static void
what_is_no_http_answer_is_not_well(void **state)
{
	static const struct {
		enum manner manner;
		enum check_result result;
	} cases[] = {{SAYS_SSH, CHECK_NO_HTTP}, {HANGS_UP, CHECK_CLOSED},
			{SAYS_NOTHING, CHECK_TIMED_OUT}, {REFUSES, CHECK_REFUSED},
			{SILENT, CHECK_TIMED_OUT}};

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(cases); i++) {
		struct world world;

		world_begin(&world, check_http, 1);
		world.manner[0] = SAYS_200;
		world.manner[1] = cases[i].manner;
		world_pass(&world, 1700);
		assert_int_equal(state_of(&world, 0), BACKEND_UP);
		assert_int_equal(state_of(&world, 1), BACKEND_DOWN);
		assert_int_equal(record_of(&world, 1)->result, cases[i].result);
		world_end(&world);
	}
}

static void
a_check_learns_what_the_backends_understand(void **state)
{
	struct world world;
	struct backends_profile profile;

	(void)state;
	world_begin(&world, check_tcp, 1);
	world_pass(&world, 1200);
	profile = pools_profile(pool_of(&world));
	assert_int_equal(profile.mss, 1380);
	assert_int_equal(profile.window_scale, 9);
	assert_true(profile.has_sack && profile.has_window_scale);
	assert_false(profile.has_timestamps);
	world.options = (struct tcp_options){.options = TCP_OPTION_MSS, .mss = 900};
	world.manner[0] = REFUSES;
	world_pass(&world, 4000);
	profile = pools_profile(pool_of(&world));
	assert_int_equal(profile.mss, 900);
	assert_false(profile.has_sack || profile.has_window_scale || profile.has_timestamps);
	world_end(&world);
}

static void
clients_handshakes_bring_an_unchecked_backend_down_for_a_while(void **state)
{
	struct world world;
	struct backends_counts *counts;

	(void)state;
	world_begin(&world, check_none, 1);
	counts = world.rig.engine.worker[0]->backends;
	world_pass(&world, 200);
	assert_int_equal(state_of(&world, 0), BACKEND_UNKNOWN);
	assert_int_equal(state_of(&world, 1), BACKEND_DRAIN);
	for (unsigned int i = 0; i < 5; i++)
		backends_failed(counts, 0);
	world_pass(&world, 200);
	assert_int_equal(state_of(&world, 0), BACKEND_DOWN);
	assert_false(backends_is_usable(world.rig.engine.backends, 0));
	assert_int_equal(pool_of(&world)->usable, 0);
	world_pass(&world, 5100);
	assert_int_equal(state_of(&world, 0), BACKEND_UNKNOWN);
	assert_int_equal(pool_of(&world)->usable, 1);
	backends_chosen(counts, 0);
	backends_opened(counts, 0, 100);
	backends_closed(counts, 0);
	for (unsigned int i = 0; i < 4; i++)
		backends_failed(counts, 0);
	world_pass(&world, 200);
	assert_int_equal(state_of(&world, 0), BACKEND_UNKNOWN);
	world_end(&world);
}

static void
segments_of_others_do_not_disturb_a_check(void **state)
{
	struct world world;
	struct build_path path;
	struct build_tcp tcp = {.flags = TCP_RST | TCP_ACK, .ack = 1};
	struct rig_frame heard;

	(void)state;
	world_begin(&world, check_alone, 1);
	world.manner[0] = SILENT;
	while (world.syns[0] == 0)
		world_pass(&world, 1);
	/* A blind reset, and one from another address to the port of the check. */
	rig_path(&world.rig, &path, 4, 8000,
			rte_be_to_cpu_16(world.rig.engine.health->check[0].key.port));
	rig_put_tcp(&world.rig, &path, &tcp, NULL, 0);
	path.local[15] = 11;
	rig_put_tcp(&world.rig, &path, &tcp, NULL, 0);
	rig_turn(&world.rig);
	assert_false(rig_take(&world.rig, &heard));
	assert_int_equal(rig_connections(&world.rig), 1);
	world_end(&world);
}

static void
several_workers_share_the_checks(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, check_tcp, 3);
	world_pass(&world, 12000);
	for (unsigned int i = 0; i < BACKENDS; i++) {
		assert_int_equal(state_of(&world, i), BACKEND_UP);
		assert_int_equal(record_of(&world, i)->failures, 0);
		assert_in_range(record_of(&world, i)->checks, 9, 15);
	}
	for (unsigned int w = 0; w < 3; w++)
		assert_int_not_equal(world.rig.engine.worker[w]->checks.begun, 0);
	world_end(&world);
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(a_handshake_is_enough_and_ends_by_reset),
			cmocka_unit_test(checks_are_jittered_and_come_from_different_ports),
			cmocka_unit_test(
					refusal_brings_a_backend_down_after_three_and_up_after_two),
			cmocka_unit_test(silence_is_over_after_check_timeout),
			cmocka_unit_test(nobody_home_at_the_next_hop_is_down),
			cmocka_unit_test(
					http_is_asked_behind_the_proxy_header_and_any_2xx_or_3xx_is_well),
			cmocka_unit_test(what_is_no_http_answer_is_not_well),
			cmocka_unit_test(a_check_learns_what_the_backends_understand),
			cmocka_unit_test(
					clients_handshakes_bring_an_unchecked_backend_down_for_a_while),
			cmocka_unit_test(segments_of_others_do_not_disturb_a_check),
			cmocka_unit_test(several_workers_share_the_checks),
	};

	(void)argc;
	rig_start_dpdk(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
