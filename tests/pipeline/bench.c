/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Puts a generator beside a rig: its port sends into the ring that the rig's engine hears.
 *
 * Both clocks stand still but for bench_advance(), so every latency is exact.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_eth_ring.h>

#include "engine/eal.h"
#include "engine/launch.h"
#include "settings/settings_address.h"

#include "bench.h"

struct bench bench;

static const char generator_settings[] = "engine: {connections: 16384}\n"
					 "tcp: {max_tw_buckets: 64}\n"
					 "ports:\n"
					 "  - name: load\n"
					 "    device: \"vdev:net_ring_load\"\n"
					 "    mac: 02:00:00:00:00:01\n"
					 "    addresses: [10.9.0.1/24, \"fd00:9::1/64\"]\n"
					 "%s"
					 "services:\n"
					 "  - {name: none, listen: \"10.9.0.1:1\"}\n";

const char bench_request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const char bench_request_close[] = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

struct load_worker *
bench_load(void)
{
	return bench.generator.worker[0]->load;
}

static struct figures bench_whole;

/* Add up all workers' figures of all phases. */
static void
bench_sum_up(void)
{
	memset(&bench_whole, 0, sizeof(bench_whole));
	for (unsigned int phase = 0; phase < LOAD_PHASES; phase++)
		load_figures(&bench.generator, (enum load_phase)phase, &bench_whole);
}

uint64_t
bench_count(enum figure figure)
{
	bench_sum_up();
	return bench_whole.count[figure];
}

uint64_t
bench_failed(enum failure failure)
{
	bench_sum_up();
	return bench_whole.failed[failure];
}

uint64_t
bench_all_failed(void)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < FAILURES; i++) {
		if (bench_failed((enum failure)i) > 0)
			print_message("failed: %s\n", figures_failure_name((enum failure)i));
		sum += bench_failed((enum failure)i);
	}
	return sum;
}

struct load_plan
bench_plan(enum load_exchange exchange, const char *target, uint16_t port)
{
	struct load_plan plan = {
			.exchange = exchange,
			.http = true,
			.concurrency = 64,
			.retries = 3,
			.timeout_ms = 10000,
			.first_port = 20000,
			.last_port = 29999,
			.has_target_mac = true,
			.target_mac = {0x02, 0, 0, 0, 0, 0x02},
			.targets.count = 1,
			.requests = exchange == LOAD_KEEPALIVE ? 5 : exchange == LOAD_REQUEST,
			.peer_closes = exchange == LOAD_REQUEST,
	};
	const char *text = plan.peer_closes ? bench_request_close : bench_request;

	assert_true(settings_address_parse(target, plan.targets.item[0].address));
	plan.targets.item[0].port = rte_cpu_to_be_16(port);
	plan.request = (const uint8_t *)text;
	plan.request_length = (uint32_t)strlen(text);
	return plan;
}

void
bench_begin(const struct load_plan *plan)
{
	const struct eal_cores cores = {.worker_count = RTE_MAX(bench.workers, 1u)};
	char text[512];
	unsigned int which;

	memset(&bench.generator, 0, sizeof(bench.generator));
	bench.open = true;
	rig_init(&bench.rig, NULL, 1);
	assert_true(rte_eth_from_rings("load", &bench.rig.from_engine, 1, &bench.rig.to_engine, 1,
				    0) >= 0);
	snprintf(text, sizeof(text), generator_settings, bench.vlan != NULL ? bench.vlan : "");
	bench.settings = settings_parse("load.yaml", text, strlen(text), stderr);
	assert_non_null(bench.settings);
	bench.settings->service_count = 0;
	assert_int_equal(launch_assemble(&bench.generator, bench.settings, &cores), LAUNCH_OK);
	bench.generator.clock.us_per_tsc_2_64 = 0;
	bench.generator.clock.base_us = 1000000;
	bench.plan = *plan;
	assert_int_equal(load_init(&bench.generator, &bench.plan, &which), LOAD_OK);
	assert_int_equal(load_begin(&bench.generator, 0, &which), LOAD_OK);
}

/* What is under way is of both pools, which end one after the other. */
static void
bench_drain(struct rte_ring *ring)
{
	struct rte_mbuf *packet;

	while (rte_ring_dequeue(ring, (void **)&packet) == 0)
		rte_pktmbuf_free(packet);
}

void
bench_end(void)
{
	bench_drain(bench.rig.from_engine);
	bench_drain(bench.rig.to_engine);
	bench.open = false;
	bench.workers = 1;
	bench.vlan = NULL;
	bench.tsval = 0;
	load_free(&bench.generator);
	launch_disassemble(&bench.generator);
	rte_eal_hotplug_remove("vdev", "net_ring_load");
	settings_free(bench.settings);
	rig_close(&bench.rig);
}

int
bench_tidy_up(void **state)
{
	(void)state;
	if (bench.open)
		bench_end();
	return 0;
}

void
bench_advance(uint64_t us)
{
	bench.generator.clock.base_us += us;
	bench.rig.engine.clock.base_us += us;
}

void
bench_play(unsigned int turns)
{
	for (unsigned int i = 0; i < turns; i++) {
		for (unsigned int w = 0; w < bench.generator.worker_count; w++)
			load_turn(bench.generator.worker[w]);
		worker_turn(bench.rig.engine.worker[0]);
		bench_advance(1);
	}
}

void
bench_wait_ms(unsigned int ms)
{
	for (unsigned int i = 0; i < ms; i++) {
		bench_advance(1000);
		load_turn(bench.generator.worker[0]);
	}
}

bool
bench_hear(void)
{
	struct rte_mbuf *packet;
	struct rig_frame *heard = &bench.heard;

	load_turn(bench.generator.worker[0]);
	if (rte_ring_dequeue(bench.rig.to_engine, (void **)&packet) != 0)
		return false;
	heard->length = packet->pkt_len;
	memcpy(heard->bytes, rte_pktmbuf_mtod(packet, uint8_t *), heard->length);
	rte_pktmbuf_free(packet);
	assert_int_equal(
			parse_frame(heard->bytes, heard->length, 0, &heard->frame, &heard->segment),
			DROP_NONE);
	return true;
}

void
bench_expect(uint8_t flags, unsigned int payload)
{
	assert_true(bench_hear());
	assert_int_equal(bench.heard.segment.flags, flags);
	assert_int_equal(bench.heard.segment.payload_length, payload);
	if ((flags & TCP_RST) == 0)
		bench.ack = bench.heard.segment.seq + tcp_segment_length(&bench.heard.segment);
}

void
bench_say(uint8_t flags, uint16_t window, const char *text)
{
	const struct build_tcp tcp = {
			.seq = bench.seq,
			.ack = (flags & TCP_ACK) != 0 ? bench.ack : 0,
			.window = window,
			.flags = flags,
			.options = {.options = bench.tsval != 0 ? TCP_OPTION_TIMESTAMPS : 0,
					.tsval = bench.tsval,
					.tsecr = bench.heard.segment.tsval},
	};
	const unsigned int length = text != NULL ? (unsigned int)strlen(text) : 0;
	struct rte_mbuf *packet = rte_pktmbuf_alloc(bench.rig.engine.pool);
	struct build_lengths lengths;
	struct build_path path;

	assert_non_null(packet);
	build_path_reverse(&path, bench.heard.bytes, &bench.heard.frame);
	if (length > 0)
		memcpy(rte_pktmbuf_mtod(packet, uint8_t *) +
						build_tcp_headers_length(&path, &tcp.options),
				text, length);
	packet->pkt_len = build_tcp(rte_pktmbuf_mtod(packet, uint8_t *), &path, &tcp, length,
			BUILD_CHECKSUM_SOFTWARE, &lengths);
	packet->data_len = (uint16_t)packet->pkt_len;
	bench.seq += length + !!(flags & TCP_SYN) + !!(flags & TCP_FIN);
	assert_int_equal(rte_ring_enqueue(bench.rig.from_engine, packet), 0);
}

void
bench_begin_one(enum load_exchange exchange)
{
	struct load_plan plan = bench_plan(exchange, "10.9.0.2", 80);

	plan.count = 1;
	bench_begin(&plan);
	bench.seq = 777;
	bench_wait_ms(1);
	bench_expect(TCP_SYN, 0);
}
