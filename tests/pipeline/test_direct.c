/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * `mode: direct`: frames are passed on to the right backend with a new Ethernet header and nothing
 * else changed, flows stay where their SYN went, and floods displace none that live.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "engine/pools.h"
#include "wire/bytes.h"
#include "wire/checksum.h"

#include "rig.h"

#define BACKENDS     4
#define CLIENTS      400
#define SERVICE_PORT 8080

static const char settings[] =
		"engine: {connections: 4096}\n"
		"ports: [{name: lan, device: 'vdev:net_ring_rig', mac: '02:00:00:00:00:02', "
		"addresses: ['" RIG_ENGINE_IP4 "/24', '" RIG_ENGINE_IP6 "/64']}]\n"
		"pools:\n"
		"  - {name: web, backends: ['10.9.0.11:8080', '10.9.0.12:8080', "
		"'10.9.0.13:8080', '10.9.0.14:8080']}\n"
		"  - {name: six, when_down: drop, backends: ['[fd00:9::11]:8080']}\n"
		"services:\n"
		"  - {name: web, listen: '" RIG_ENGINE_IP4 ":8080', mode: direct, pool: web, "
		"idle_timeout: 100s}\n"
		"  - {name: six, listen: '[" RIG_ENGINE_IP6 "]:8080', mode: direct, pool: six}\n"
		"  - {name: http, listen: '" RIG_ENGINE_IP4 ":80'}\n";

static void
begin(struct rig *rig, unsigned int workers)
{
	rig_init(rig, settings, workers);
	for (unsigned int i = 0; i < rig->engine.backends->count; i++) {
		const uint8_t mac[6] = {2, 0, 0, 0, 1, (uint8_t)i};

		resolver_learn(&rig->engine.resolver, 0, rig->engine.backends->entry[i].address,
				mac);
	}
}

/* The next frame that is no question of the engine's own. */
static bool
take(struct rig *rig, struct rig_bytes *out)
{
	while (rig_take_bytes(rig, out)) {
		const bool arp = bytes_read_16(out->data + 12) == 0x0806;
		const bool solicitation = bytes_read_16(out->data + 12) == 0x86dd &&
					  out->data[20] == 58 && out->data[54] == 135;

		if (!arp && !solicitation)
			return true;
	}
	return false;
}

/* Give the engine a segment of a client; it comes out for a backend, unchanged behind the
 * Ethernet header. @return the backend */
static unsigned int
pass(struct rig *rig, unsigned int family, uint16_t client_port, unsigned int flags,
		const char *payload)
{
	uint8_t before[RIG_FRAME_MAX];
	struct build_path path;
	struct build_lengths lengths;
	const struct build_tcp tcp = {
			.seq = 1000,
			.ack = (flags & TCP_ACK) != 0 ? 2000 : 0,
			.window = 512,
			.flags = (uint8_t)flags,
	};
	const unsigned int size = (unsigned int)strlen(payload);
	const unsigned int offset = family == 4 ? 54 : 74;
	unsigned int backend;
	unsigned int length;
	struct rig_bytes out;

	rig_path(rig, &path, family, client_port, SERVICE_PORT);
	memcpy(before + offset, payload, size);
	length = build_tcp(before, &path, &tcp, size, BUILD_CHECKSUM_SOFTWARE, &lengths);
	rig_put(rig, before, length);
	rig_turn(rig);
	assert_true(take(rig, &out));
	assert_int_equal(out.length, length);
	assert_memory_equal(out.data + 12, before + 12, length - 12);
	assert_memory_equal(out.data + 6, "\x02\0\0\0\0\x02", 6);
	assert_memory_equal(out.data, "\x02\0\0\0\x01", 5);
	backend = out.data[5];
	assert_false(take(rig, &out));
	return backend;
}

static uint32_t
flows(const struct rig *rig)
{
	uint32_t sum = 0;

	for (unsigned int i = 0; i < rig->engine.backends->count; i++)
		sum += backends_connections(&rig->engine, i);
	return sum;
}

static void
set_usable(struct rig *rig, unsigned int backend, bool usable)
{
	__atomic_store_n(&rig->engine.backends->usable[backend], usable, __ATOMIC_RELAXED);
}

static void
frames_are_passed_on_unchanged_and_all_to_one_backend(void **state)
{
	struct rig rig;
	unsigned int seen[BACKENDS] = {0};

	(void)state;
	begin(&rig, 1);
	for (uint16_t port = 2000; port < 2000 + CLIENTS; port++) {
		const unsigned int backend = pass(&rig, 4, port, TCP_SYN, "");

		assert_true(backend < BACKENDS);
		seen[backend]++;
		assert_int_equal(pass(&rig, 4, port, TCP_ACK, ""), backend);
		assert_int_equal(pass(&rig, 4, port, TCP_ACK | TCP_PSH, "GET /"), backend);
		assert_int_equal(pass(&rig, 4, port, TCP_FIN | TCP_ACK, ""), backend);
	}
	for (unsigned int i = 0; i < BACKENDS; i++)
		assert_in_range(seen[i], CLIENTS / 4 * 7 / 10, CLIENTS / 4 * 13 / 10);
	assert_int_equal(rig_counter(&rig, COUNTER_forwards), 4 * CLIENTS);
	assert_int_equal(rig_counter(&rig, COUNTER_syn_received), CLIENTS);
	assert_int_equal(rig_connections(&rig), 0);
	rig_free(&rig);
}

static void
ipv6_goes_the_same_way(void **state)
{
	struct rig rig;

	(void)state;
	begin(&rig, 1);
	assert_int_equal(pass(&rig, 6, 2000, TCP_SYN, ""), BACKENDS);
	assert_int_equal(pass(&rig, 6, 2000, TCP_ACK, "x"), BACKENDS);
	rig_free(&rig);
}

static void
syns_are_no_flows(void **state)
{
	struct rig rig;

	(void)state;
	begin(&rig, 1);
	for (uint16_t port = 2000; port < 2000 + CLIENTS; port++)
		pass(&rig, 4, port, TCP_SYN, "");
	assert_int_equal(flows(&rig), 0);
	assert_int_equal(rig_counter(&rig, COUNTER_direct_flows), 0);
	rig_free(&rig);
}

static void
handshakes_end_where_they_began(void **state)
{
	struct rig rig;

	(void)state;
	begin(&rig, 1);
	for (uint16_t port = 2000; port < 2000 + CLIENTS; port++) {
		const unsigned int backend = pass(&rig, 4, port, TCP_SYN, "");
		const unsigned int other = (backend + 1) % BACKENDS;

		/* Whoever chose now would choose another one. */
		set_usable(&rig, backend, false);
		assert_int_equal(pass(&rig, 4, port, TCP_ACK, ""), backend);
		assert_int_equal(pass(&rig, 4, port, TCP_ACK | TCP_PSH, "GET /"), backend);
		set_usable(&rig, backend, true);
		set_usable(&rig, other, false);
		assert_int_equal(pass(&rig, 4, port, TCP_FIN | TCP_ACK, ""), backend);
		set_usable(&rig, other, true);
	}
	assert_int_equal(rig_counter(&rig, COUNTER_direct_flows), CLIENTS);
	assert_int_equal(flows(&rig), CLIENTS);
	rig_free(&rig);
}

static void
a_syn_again_goes_past_a_backend_that_is_down(void **state)
{
	struct rig rig;
	unsigned int backend, other;

	(void)state;
	begin(&rig, 1);
	backend = pass(&rig, 4, 2000, TCP_SYN, "");
	assert_int_equal(pass(&rig, 4, 2000, TCP_SYN, ""), backend);
	set_usable(&rig, backend, false);
	other = pass(&rig, 4, 2000, TCP_SYN, "");
	assert_int_not_equal(other, backend);
	set_usable(&rig, backend, true);
	assert_int_equal(pass(&rig, 4, 2000, TCP_SYN, ""), other);
	assert_int_equal(pass(&rig, 4, 2000, TCP_ACK, ""), other);
	assert_int_equal(backends_connections(&rig.engine, other), 1);
	assert_int_equal(flows(&rig), 1);
	rig_free(&rig);
}

static void
floods_of_syns_displace_no_flows(void **state)
{
	struct rig rig;
	uint8_t backend_of[CLIENTS];

	(void)state;
	begin(&rig, 1);
	for (unsigned int i = 0; i < CLIENTS; i++) {
		backend_of[i] = (uint8_t)pass(&rig, 4, (uint16_t)(2000 + i), TCP_SYN, "");
		pass(&rig, 4, (uint16_t)(2000 + i), TCP_ACK, "");
		if (i % 4 == 1)
			pass(&rig, 4, (uint16_t)(2000 + i), TCP_ACK, "b");
		else if (i % 4 == 2)
			pass(&rig, 4, (uint16_t)(2000 + i), TCP_FIN | TCP_ACK, "");
		else if (i % 4 == 3)
			pass(&rig, 4, (uint16_t)(2000 + i), TCP_RST, "");
	}
	for (unsigned int port = 3000; port < 33000; port++)
		pass(&rig, 4, (uint16_t)port, TCP_SYN, "");
	assert_int_equal(rig_counter(&rig, COUNTER_direct_displaced), 0);
	assert_int_equal(flows(&rig), CLIENTS);
	for (unsigned int b = 0; b < BACKENDS; b++)
		set_usable(&rig, b, b == 0);
	for (unsigned int i = 0; i < CLIENTS; i++)
		assert_int_equal(pass(&rig, 4, (uint16_t)(2000 + i), TCP_ACK, "c"), backend_of[i]);
	/* Nor do they keep new ones out. */
	pass(&rig, 4, 40000, TCP_ACK, "");
	assert_int_equal(flows(&rig), CLIENTS + 1);
	assert_int_equal(rig_counter(&rig, COUNTER_direct_full), 0);
	rig_free(&rig);
}

static void
live_flows_stay_when_backends_fail_and_come_back(void **state)
{
	struct rig rig;
	uint8_t backend_of[CLIENTS];
	unsigned int moved = 0;

	(void)state;
	begin(&rig, 1);
	for (unsigned int i = 0; i < CLIENTS; i++) {
		backend_of[i] = (uint8_t)pass(&rig, 4, (uint16_t)(2000 + i), TCP_SYN, "");
		pass(&rig, 4, (uint16_t)(2000 + i), TCP_ACK, "");
	}
	set_usable(&rig, 1, false);
	for (unsigned int i = 0; i < CLIENTS; i++) {
		const uint16_t port = (uint16_t)(2000 + i);
		unsigned int other;

		assert_int_equal(pass(&rig, 4, port, TCP_ACK, "more"), backend_of[i]);
		/* A new flow of the same kind goes where somebody is, and stays there, too. */
		other = pass(&rig, 4, (uint16_t)(port + 10000), TCP_SYN, "");
		assert_int_not_equal(other, 1);
		assert_int_equal(pass(&rig, 4, (uint16_t)(port + 10000), TCP_ACK, ""), other);
	}
	set_usable(&rig, 1, true);
	for (unsigned int i = 0; i < CLIENTS; i++) {
		const uint16_t port = (uint16_t)(12000 + i);
		const unsigned int stays = pass(&rig, 4, port, TCP_ACK, "");

		assert_int_not_equal(stays, 1);
		moved += pass(&rig, 4, (uint16_t)(port + 10000), TCP_SYN, "") == 1;
	}
	assert_true(moved > 0);
	assert_int_equal(flows(&rig), 2 * CLIENTS);
	rig_free(&rig);
}

static void
flows_end_by_fin_reset_and_silence(void **state)
{
	struct rig rig;

	(void)state;
	begin(&rig, 1);
	for (uint16_t port = 2000; port < 2030; port++) {
		pass(&rig, 4, port, TCP_ACK, "a");
		pass(&rig, 4, port, TCP_ACK, "b");
	}
	for (uint16_t port = 2000; port < 2010; port++)
		pass(&rig, 4, port, TCP_RST | TCP_ACK, "");
	for (uint16_t port = 2010; port < 2020; port++)
		pass(&rig, 4, port, TCP_FIN | TCP_ACK, "");
	assert_int_equal(flows(&rig), 30);
	assert_int_equal(rig.engine.worker[0]->share[1].opened, 30);
	assert_int_equal(rig.engine.worker[0]->share[1].reset, 10);
	assert_int_equal(rig.engine.worker[0]->share[1].closed, 10);
	for (unsigned int s = 0; s < 80; s++) {
		rig.engine.clock.base_us += 990000;
		rig_wait_ms(&rig, 10);
	}
	assert_int_equal(flows(&rig), 20);
	for (unsigned int s = 0; s < 150; s++) {
		rig.engine.clock.base_us += 990000;
		rig_wait_ms(&rig, 10);
	}
	assert_int_equal(flows(&rig), 0);
	rig_free(&rig);
}

static void
a_syn_after_the_end_begins_a_new_flow(void **state)
{
	struct rig rig;
	unsigned int backend;

	(void)state;
	begin(&rig, 1);
	backend = pass(&rig, 4, 2000, TCP_ACK, "");
	pass(&rig, 4, 2000, TCP_ACK, "");
	set_usable(&rig, backend, false);
	assert_int_equal(pass(&rig, 4, 2000, TCP_SYN, ""), backend);
	assert_int_equal(pass(&rig, 4, 2000, TCP_FIN | TCP_ACK, ""), backend);
	assert_int_not_equal(pass(&rig, 4, 2000, TCP_SYN, ""), backend);
	assert_int_not_equal(pass(&rig, 4, 2000, TCP_ACK, ""), backend);
	rig_free(&rig);
}

static void
floods_of_acks_do_not_displace_live_flows(void **state)
{
	struct rig rig;
	uint8_t backend_of[CLIENTS];

	(void)state;
	begin(&rig, 1);
	for (unsigned int i = 0; i < CLIENTS; i++) {
		backend_of[i] = (uint8_t)pass(&rig, 4, (uint16_t)(2000 + i), TCP_ACK, "a");
		pass(&rig, 4, (uint16_t)(2000 + i), TCP_ACK, "b");
	}
	for (unsigned int port = 3000; port < 33000; port++)
		pass(&rig, 4, (uint16_t)port, TCP_ACK, "");
	assert_int_not_equal(rig_counter(&rig, COUNTER_direct_displaced), 0);
	/* Eight to a bucket, a third more than connections. */
	assert_in_range(flows(&rig), CLIENTS, 4096 * 4 / 3 + 8);
	for (unsigned int b = 0; b < BACKENDS; b++)
		set_usable(&rig, b, b == 0);
	for (unsigned int i = 0; i < CLIENTS; i++)
		assert_int_equal(pass(&rig, 4, (uint16_t)(2000 + i), TCP_ACK, "c"), backend_of[i]);
	rig_free(&rig);
}

static void
nobody_left_is_told_or_not_as_configured(void **state)
{
	struct rig rig;
	struct build_path path;
	struct build_tcp syn = {.seq = 77, .flags = TCP_SYN};
	struct rig_frame frame;

	(void)state;
	begin(&rig, 1);
	for (unsigned int i = 0; i <= BACKENDS; i++)
		set_usable(&rig, i, false);
	rig_path(&rig, &path, 4, 2000, SERVICE_PORT);
	rig_put_tcp(&rig, &path, &syn, NULL, 0);
	rig_turn(&rig);
	do
		assert_true(rig_take(&rig, &frame));
	while (frame.frame.kind != FRAME_TCP);
	assert_int_equal(frame.segment.flags, TCP_RST | TCP_ACK);
	assert_int_equal(frame.segment.ack, 78);
	rig_path(&rig, &path, 6, 2000, SERVICE_PORT);
	rig_put_tcp(&rig, &path, &syn, NULL, 0);
	rig_turn(&rig);
	while (rig_take(&rig, &frame))
		assert_int_not_equal(frame.frame.kind, FRAME_TCP);
	assert_int_equal(rig_counter(&rig, (enum counter)DROP_no_backend), 1);
	rig_free(&rig);
}

static void
an_unknown_ethernet_address_drops(void **state)
{
	struct rig rig;
	struct build_path path;
	struct build_tcp syn = {.seq = 77, .flags = TCP_SYN};
	struct rig_frame frame;

	(void)state;
	rig_init(&rig, settings, 1);
	rig_path(&rig, &path, 4, 2000, SERVICE_PORT);
	rig_put_tcp(&rig, &path, &syn, NULL, 0);
	rig_turn(&rig);
	while (rig_take(&rig, &frame))
		assert_int_not_equal(frame.frame.kind, FRAME_TCP);
	assert_int_equal(rig_counter(&rig, (enum counter)DROP_unresolved), 1);
	rig_free(&rig);
}

static void
an_icmp_error_about_a_flow_follows_it(void **state)
{
	struct rig rig;
	struct build_path path;
	struct build_lengths lengths;
	const struct build_tcp quoted = {.seq = 2000, .ack = 1000, .flags = TCP_ACK};
	uint8_t frame[256] = {0};
	uint8_t *icmp = frame + 34;
	uint8_t inner[128];
	unsigned int backend;
	struct rig_bytes out;

	(void)state;
	begin(&rig, 1);
	backend = pass(&rig, 4, 2000, TCP_ACK, "");
	set_usable(&rig, backend, false);
	rig_path(&rig, &path, 4, 2000, SERVICE_PORT);
	/* Headers from the client give the outer ones; what is quoted went the other way. */
	build_tcp(frame, &path, &quoted, 0, BUILD_CHECKSUM_SOFTWARE, &lengths);
	memcpy(inner, frame + 14, 40);
	memcpy(inner + 12, frame + 14 + 16, 4);
	memcpy(inner + 16, frame + 14 + 12, 4);
	memcpy(inner + 20, frame + 34 + 2, 2);
	memcpy(inner + 22, frame + 34, 2);
	bytes_write_16(frame + 16, 20 + 8 + 28);
	frame[23] = 1;
	bytes_write_16(frame + 24, 0);
	memset(icmp, 0, 8);
	icmp[0] = 3;
	icmp[1] = 4;
	bytes_write_16(icmp + 6, 1400);
	memcpy(icmp + 8, inner, 28);
	{
		rte_be16_t sum = checksum_finish(checksum_add(0, frame + 14, 20));

		memcpy(frame + 24, &sum, 2);
		sum = checksum_finish(checksum_add(0, icmp, 36));
		memcpy(icmp + 2, &sum, 2);
	}
	rig_put(&rig, frame, 14 + 20 + 36);
	rig_turn(&rig);
	assert_true(take(&rig, &out));
	assert_int_equal(out.length, 14 + 20 + 36);
	assert_int_equal(out.data[5], backend);
	assert_memory_equal(out.data + 12, frame + 12, out.length - 12);
	rig_free(&rig);
}

static void
other_services_are_answered_here(void **state)
{
	struct rig rig;
	struct build_path path;
	struct build_tcp syn = {.seq = 77, .window = 1000, .flags = TCP_SYN};
	struct rig_frame frame;

	(void)state;
	begin(&rig, 1);
	rig_path(&rig, &path, 4, 2000, 80);
	rig_put_tcp(&rig, &path, &syn, NULL, 0);
	rig_turn(&rig);
	do
		assert_true(rig_take(&rig, &frame));
	while (frame.frame.kind != FRAME_TCP);
	assert_int_equal(frame.segment.flags, TCP_SYN | TCP_ACK);
	rig_free(&rig);
}

static void
workers_choose_alike(void **state)
{
	struct rig rig;

	(void)state;
	begin(&rig, 3);
	for (uint16_t port = 2000; port < 2000 + CLIENTS; port++) {
		const unsigned int backend = pass(&rig, 4, port, TCP_SYN, "");
		const struct choice *choice = engine_services(&rig.engine)->pools->pool[0].choice;
		struct build_path path;

		assert_int_equal(pass(&rig, 4, port, TCP_ACK, ""), backend);
		rig_path(&rig, &path, 4, port, SERVICE_PORT);
		assert_int_equal(choice_by_hash(choice,
						 &engine_services(&rig.engine)->pools->load[0],
						 choice_hash(choice, path.local,
								 rte_cpu_to_be_16(port))),
				backend);
	}
	rig_free(&rig);
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(frames_are_passed_on_unchanged_and_all_to_one_backend),
			cmocka_unit_test(ipv6_goes_the_same_way),
			cmocka_unit_test(syns_are_no_flows),
			cmocka_unit_test(handshakes_end_where_they_began),
			cmocka_unit_test(a_syn_again_goes_past_a_backend_that_is_down),
			cmocka_unit_test(floods_of_syns_displace_no_flows),
			cmocka_unit_test(live_flows_stay_when_backends_fail_and_come_back),
			cmocka_unit_test(flows_end_by_fin_reset_and_silence),
			cmocka_unit_test(a_syn_after_the_end_begins_a_new_flow),
			cmocka_unit_test(floods_of_acks_do_not_displace_live_flows),
			cmocka_unit_test(nobody_left_is_told_or_not_as_configured),
			cmocka_unit_test(an_unknown_ethernet_address_drops),
			cmocka_unit_test(an_icmp_error_about_a_flow_follows_it),
			cmocka_unit_test(other_services_are_answered_here),
			cmocka_unit_test(workers_choose_alike),
	};

	(void)argc;
	rig_start_dpdk(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
