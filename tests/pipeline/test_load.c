/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The load generator on the bench: against the engine, ring to ring, and against a peer played by
 * hand, segment by segment, on a clock that is moved by hand.
 *
 * With a number as argument it is a benchmark instead: so many requests, for callgrind.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_eth_ring.h>

#include "engine/eal.h"
#include "engine/launch.h"
#include "engine/load.h"
#include "settings/settings_address.h"

#include "rig.h"

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

static const char request_text[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
static const char request_close_text[] = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

/* A generator whose port is the other end of a rig's. */
struct bench {
	struct rig rig;
	struct settings *settings;
	struct engine generator;
	struct load_plan plan;
	unsigned int workers;
	const char *vlan; /* Of the generator's port, as a line of its settings; or NULL. */
	bool open;
	struct rig_frame heard;
	uint32_t seq; /* What a peer played by hand says next. */
	uint32_t ack;
};

static struct bench bench;

static struct load_worker *
load(void)
{
	return bench.generator.worker[0]->load;
}

static struct figures whole;

/* Add up all workers' figures of all phases. */
static void
sum_up(void)
{
	memset(&whole, 0, sizeof(whole));
	for (unsigned int phase = 0; phase < LOAD_PHASES; phase++)
		load_figures(&bench.generator, (enum load_phase)phase, &whole);
}

static uint64_t
count(enum figure figure)
{
	sum_up();
	return whole.count[figure];
}

static uint64_t
failed(enum failure failure)
{
	sum_up();
	return whole.failed[failure];
}

static uint64_t
all_failed(void)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < FAILURES; i++) {
		if (failed((enum failure)i) > 0)
			print_message("failed: %s\n", figures_failure_name((enum failure)i));
		sum += failed((enum failure)i);
	}
	return sum;
}

static struct load_plan
plan_of(enum load_exchange exchange, const char *target, uint16_t port)
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
	const char *text = plan.peer_closes ? request_close_text : request_text;

	assert_true(settings_address_parse(target, plan.targets.item[0].address));
	plan.targets.item[0].port = rte_cpu_to_be_16(port);
	plan.request = (const uint8_t *)text;
	plan.request_length = (uint32_t)strlen(text);
	return plan;
}

static void
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

static void
bench_end(void)
{
	bench.open = false;
	bench.workers = 1;
	bench.vlan = NULL;
	load_free(&bench.generator);
	launch_disassemble(&bench.generator);
	rte_eal_hotplug_remove("vdev", "net_ring_load");
	settings_free(bench.settings);
	rig_close(&bench.rig);
}

/* After a test that failed in the middle. */
static int
tidy_up(void **state)
{
	(void)state;
	if (bench.open)
		bench_end();
	return 0;
}

static void
advance(uint64_t us)
{
	bench.generator.clock.base_us += us;
	bench.rig.engine.clock.base_us += us;
}

/* Both sides take turns, a microsecond each. */
static void
play(unsigned int turns)
{
	for (unsigned int i = 0; i < turns; i++) {
		for (unsigned int w = 0; w < bench.generator.worker_count; w++)
			load_turn(bench.generator.worker[w]);
		worker_turn(bench.rig.engine.worker[0]);
		advance(1);
	}
}

/* Time passes for the generator alone, a turn a millisecond. */
static void
wait_ms(unsigned int ms)
{
	for (unsigned int i = 0; i < ms; i++) {
		advance(1000);
		load_turn(bench.generator.worker[0]);
	}
}

/* The generator's next frame. @return whether there is one. */
static bool
hear(void)
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

static void
expect(uint8_t flags, unsigned int payload)
{
	assert_true(hear());
	assert_int_equal(bench.heard.segment.flags, flags);
	assert_int_equal(bench.heard.segment.payload_length, payload);
	if ((flags & TCP_RST) == 0)
		bench.ack = bench.heard.segment.seq + tcp_segment_length(&bench.heard.segment);
}

/* The peer says something to whom it heard last. */
static void
say(uint8_t flags, uint16_t window, const char *text)
{
	const struct build_tcp tcp = {
			.seq = bench.seq,
			.ack = (flags & TCP_ACK) != 0 ? bench.ack : 0,
			.window = window,
			.flags = flags,
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

/* One connection, whose SYN was just sent and heard. */
static void
begin_one(enum load_exchange exchange)
{
	struct load_plan plan = plan_of(exchange, "10.9.0.2", 80);

	plan.count = 1;
	bench_begin(&plan);
	bench.seq = 777;
	wait_ms(1);
	expect(TCP_SYN, 0);
}

static const struct {
	enum load_exchange exchange;
	const char *target;
	uint16_t port;
	bool alone;
	unsigned int packets; /* Of one connection, both ways. */
} exchanges[] = {
		{LOAD_OPEN_CLOSE, "10.9.0.2", 9, true, 6},
		{LOAD_OPEN_CLOSE, "fd00:9::2", 9, false, 5},
		/* The first to close is the server. */
		{LOAD_OPEN_CLOSE, "10.9.0.2", 81, false, 5},
		{LOAD_REQUEST, "10.9.0.2", 80, false, 6},
		{LOAD_REQUEST, "fd00:9::2", 80, true, 7},
		{LOAD_KEEPALIVE, "10.9.0.2", 80, false, 15},
		{LOAD_HANDSHAKE, "10.9.0.2", 9, false, 4},
};

static void
both_sides_count_the_same(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(exchanges); i++) {
		struct load_plan plan = plan_of(
				exchanges[i].exchange, exchanges[i].target, exchanges[i].port);

		plan.count = 1000;
		plan.third_ack_alone = exchanges[i].alone;
		bench_begin(&plan);
		play(20000);
		assert_true(load_is_done(&bench.generator));
		assert_int_equal(all_failed(), 0);
		assert_int_equal(count(FIGURE_started), 1000);
		assert_int_equal(count(FIGURE_opened), 1000);
		assert_int_equal(count(FIGURE_completed), 1000);
		assert_int_equal(count(FIGURE_requests), 1000 * plan.requests);
		assert_int_equal(count(FIGURE_packets_sent) + count(FIGURE_packets_received),
				1000 * exchanges[i].packets);
		assert_int_equal(rig_counter(&bench.rig, COUNTER_opened), 1000);
		assert_int_equal(rig_counter(&bench.rig, COUNTER_requests), 1000 * plan.requests);
		assert_int_equal(rig_connections(&bench.rig), 0);
		assert_int_equal(conn_table_count(bench.generator.worker[0]->table), 0);
		bench_end();
	}
}

static void
large_answers_are_taken_whole(void **state)
{
	struct load_plan plan = plan_of(LOAD_REQUEST, "10.9.0.2", 8080);

	(void)state;
	plan.count = 8;
	plan.concurrency = 4;
	bench_begin(&plan);
	play(20000);
	assert_int_equal(all_failed(), 0);
	assert_int_equal(count(FIGURE_completed), 8);
	assert_int_equal(count(FIGURE_requests), 8);
	assert_in_range(count(FIGURE_bytes_received), 8 << 20, (8 << 20) + 8 * 256);
	bench_end();
}

static void
workers_share_the_work(void **state)
{
	static const enum load_exchange shared[] = {
			LOAD_REQUEST, LOAD_OPEN_CLOSE, LOAD_IDLE, LOAD_SYN};

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(shared); i++) {
		struct load_plan plan = plan_of(shared[i], "10.9.0.2", 80);
		const bool idle = shared[i] == LOAD_IDLE;

		bench.workers = 3;
		plan.concurrency = idle ? 1000 : 64;
		plan.count = idle ? 0 : 1000;
		plan.duration_us = idle ? 15000 : 0;
		plan.drain_us = 1000000;
		bench_begin(&plan);
		play(25000);
		assert_true(load_is_done(&bench.generator));
		assert_int_equal(all_failed(), 0);
		assert_int_equal(count(FIGURE_started), 1000);
		assert_int_equal(count(FIGURE_opened), shared[i] == LOAD_SYN ? 0 : 1000);
		for (unsigned int w = 0; w < 3; w++) {
			const struct figures *own = bench.generator.worker[w]->load->phases;
			const uint64_t started = own[LOAD_RAMP_UP].count[FIGURE_started] +
						 own[LOAD_SUSTAIN].count[FIGURE_started];

			assert_in_range(started, 333, 334);
		}
		bench_end();
	}
}

static void
a_worker_without_a_tuple_says_so(void **state)
{
	struct load_plan plan = plan_of(LOAD_REQUEST, "10.9.0.2", 80);

	(void)state;
	bench.workers = 2;
	plan.first_port = plan.last_port;
	plan.concurrency = 1;
	plan.count = 4;
	bench_begin(&plan);
	play(30000);
	assert_true(load_is_done(&bench.generator));
	assert_int_equal(count(FIGURE_completed), 2);
	assert_int_equal(failed(FAILURE_no_tuple), 2);
	bench_end();
}

static void
no_more_than_the_concurrency_are_open(void **state)
{
	struct load_plan plan = plan_of(LOAD_REQUEST, "10.9.0.2", 80);

	(void)state;
	plan.concurrency = 7;
	plan.count = 500;
	bench_begin(&plan);
	for (unsigned int i = 0; i < 3000; i++) {
		play(1);
		assert_true(load()->active <= 7);
		assert_true(rig_connections(&bench.rig) <= 7);
	}
	assert_int_equal(count(FIGURE_completed), 500);
	bench_end();
}

static void
it_stops_at_the_end_of_its_duration(void **state)
{
	struct load_plan plan = plan_of(LOAD_OPEN_CLOSE, "10.9.0.2", 9);
	uint64_t before;

	(void)state;
	plan.duration_us = 20000;
	plan.drain_us = 1000000;
	bench_begin(&plan);
	play(19990);
	before = count(FIGURE_started);
	assert_false(load_is_done(&bench.generator));
	play(20);
	assert_true(count(FIGURE_started) > before);
	before = count(FIGURE_started);
	play(1000);
	assert_int_equal(count(FIGURE_started), before);
	assert_int_equal(count(FIGURE_completed), before);
	assert_true(load_is_done(&bench.generator));
	assert_int_equal(load()->sustained_us, 20000);
	bench_end();
}

static void
ramps_rise_and_fall(void **state)
{
	struct load_plan plan = plan_of(LOAD_OPEN_CLOSE, "10.9.0.2", 9);
	uint64_t begun[4];

	(void)state;
	plan.rate = 100000;
	plan.concurrency = 1000;
	plan.ramp_up_us = 100000;
	plan.duration_us = 100000;
	plan.ramp_down_us = 100000;
	bench_begin(&plan);
	for (unsigned int i = 0; i < 4; i++) {
		play(100000);
		begun[i] = count(FIGURE_started);
	}
	assert_in_range(begun[0], 4800, 5200);
	assert_in_range(begun[1] - begun[0], 9800, 10200);
	assert_in_range(begun[2] - begun[1], 4800, 5200);
	assert_int_equal(begun[3], begun[2]);
	assert_in_range(load()->phases[LOAD_SUSTAIN].count[FIGURE_completed], 9800, 10200);
	bench_end();
}

static void
latency_counts_from_the_intended_start(void **state)
{
	struct load_plan plan = plan_of(LOAD_OPEN_CLOSE, "10.9.0.2", 9);

	(void)state;
	plan.rate = 1000;
	plan.count = 100;
	bench_begin(&plan);
	play(10);
	/* The generator itself stands still for 50 ms; fifty starts were due meanwhile. */
	advance(50000);
	play(100000);
	assert_int_equal(count(FIGURE_completed), 100);
	assert_in_range(load()->phases[LOAD_SUSTAIN].connect_us.max, 48000, 51000);
	/* Half of them were late, by 25 ms on average; the other half were not. */
	assert_in_range(histogram_percentile(&load()->phases[LOAD_SUSTAIN].connect_us, 25), 1, 10);
	assert_in_range(histogram_percentile(&load()->phases[LOAD_SUSTAIN].connect_us, 75), 22000,
			28000);
	bench_end();
}

static void
silence_is_retried_with_back_off(void **state)
{
	static const unsigned int pauses_ms[] = {1000, 2000, 4000};

	(void)state;
	begin_one(LOAD_OPEN_CLOSE);
	for (unsigned int i = 0; i < RTE_DIM(pauses_ms); i++) {
		wait_ms(pauses_ms[i] - 100);
		assert_false(hear());
		wait_ms(120);
		expect(TCP_SYN, 0);
	}
	assert_int_equal(count(FIGURE_syn_retransmits), 3);
	wait_ms(8100);
	assert_false(hear());
	assert_int_equal(failed(FAILURE_no_syn_ack), 1);
	assert_int_equal(all_failed(), 1);
	assert_true(load_is_done(&bench.generator));
	bench_end();
}

static void
a_reset_of_the_syn_is_a_refusal(void **state)
{
	(void)state;
	begin_one(LOAD_OPEN_CLOSE);
	say(TCP_RST | TCP_ACK, 0, NULL);
	assert_false(hear());
	assert_int_equal(failed(FAILURE_refused), 1);
	bench_end();
}

static void
a_reset_that_acknowledges_nothing_of_ours_is_none(void **state)
{
	(void)state;
	begin_one(LOAD_OPEN_CLOSE);
	bench.ack += 5;
	say(TCP_RST | TCP_ACK, 0, NULL);
	assert_false(hear());
	assert_int_equal(all_failed(), 0);
	bench_end();
}

static void
a_challenge_is_answered_by_a_reset_and_retried(void **state)
{
	uint32_t syn;

	(void)state;
	begin_one(LOAD_OPEN_CLOSE);
	syn = bench.ack - 1;
	bench.ack = 0x12345678;
	say(TCP_ACK, 1000, NULL);
	expect(TCP_RST, 0);
	assert_int_equal(bench.heard.segment.seq, 0x12345678);
	assert_int_equal(count(FIGURE_challenges), 1);
	/* Not after a second: at once. */
	wait_ms(20);
	expect(TCP_SYN, 0);
	assert_int_equal(bench.heard.segment.seq, syn);
	say(TCP_SYN | TCP_ACK, 1000, NULL);
	expect(TCP_FIN | TCP_ACK, 0);
	assert_int_equal(count(FIGURE_opened), 1);
	bench_end();
}

static void
only_challenges_are_a_bad_acknowledgement(void **state)
{
	(void)state;
	begin_one(LOAD_OPEN_CLOSE);
	for (unsigned int ms = 0; ms < 30000; ms++) {
		if (bench.heard.segment.flags == TCP_SYN) {
			bench.ack = 0x12345678;
			say(TCP_SYN | TCP_ACK, 1000, NULL);
			expect(TCP_RST, 0);
		}
		wait_ms(1);
		hear();
	}
	assert_int_equal(failed(FAILURE_bad_ack), 1);
	bench_end();
}

static void
a_closed_window_lets_nothing_out(void **state)
{
	(void)state;
	begin_one(LOAD_REQUEST);
	say(TCP_SYN | TCP_ACK, 0, NULL);
	expect(TCP_ACK, 0);
	assert_false(hear());
	assert_int_equal(count(FIGURE_held_back), 1);
	say(TCP_ACK, 1000, NULL);
	expect(TCP_ACK | TCP_PSH, sizeof(request_close_text) - 1);
	say(TCP_ACK | TCP_FIN, 1000, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	expect(TCP_FIN | TCP_ACK, 0);
	say(TCP_ACK, 1000, NULL);
	assert_false(hear());
	assert_int_equal(count(FIGURE_completed), 1);
	assert_int_equal(count(FIGURE_requests), 1);
	bench_end();
}

static void
a_small_window_is_filled_and_no_more(void **state)
{
	(void)state;
	begin_one(LOAD_REQUEST);
	say(TCP_SYN | TCP_ACK, 20, NULL);
	expect(TCP_ACK, 20);
	assert_memory_equal(bench.heard.bytes + 54, request_close_text, 20);
	assert_false(hear());
	say(TCP_ACK, 1000, NULL);
	expect(TCP_ACK | TCP_PSH, sizeof(request_close_text) - 1 - 20);
	assert_memory_equal(bench.heard.bytes + 54, request_close_text + 20,
			sizeof(request_close_text) - 1 - 20);
	bench_end();
}

static void
a_lost_request_is_sent_again(void **state)
{
	uint32_t seq;

	(void)state;
	begin_one(LOAD_REQUEST);
	say(TCP_SYN | TCP_ACK, 1000, NULL);
	expect(TCP_ACK | TCP_PSH, sizeof(request_close_text) - 1);
	seq = bench.heard.segment.seq;
	wait_ms(300);
	expect(TCP_ACK | TCP_PSH, sizeof(request_close_text) - 1);
	assert_int_equal(bench.heard.segment.seq, seq);
	assert_memory_equal(
			bench.heard.bytes + 54, request_close_text, sizeof(request_close_text) - 1);
	assert_int_equal(count(FIGURE_retransmits), 1);
	wait_ms(60000);
	assert_int_equal(failed(FAILURE_timeout_established), 1);
	bench_end();
}

static void
wrong_bytes_are_reset(void **state)
{
	(void)state;
	begin_one(LOAD_REQUEST);
	say(TCP_SYN | TCP_ACK, 1000, NULL);
	expect(TCP_ACK | TCP_PSH, sizeof(request_close_text) - 1);
	say(TCP_ACK, 1000, "HTTP/1.1 500 Oops\r\n\r\n");
	expect(TCP_RST | TCP_ACK, 0);
	assert_int_equal(failed(FAILURE_wrong_reply), 1);
	assert_int_equal(all_failed(), 1);
	assert_int_equal(count(FIGURE_completed), 0);
	bench_end();
}

static void
an_answer_that_is_cut_off_is_closed_early(void **state)
{
	(void)state;
	begin_one(LOAD_REQUEST);
	say(TCP_SYN | TCP_ACK, 1000, NULL);
	expect(TCP_ACK | TCP_PSH, sizeof(request_close_text) - 1);
	say(TCP_ACK | TCP_FIN, 1000, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok");
	expect(TCP_FIN | TCP_ACK, 0);
	say(TCP_ACK, 1000, NULL);
	assert_false(hear());
	assert_int_equal(failed(FAILURE_closed_early), 1);
	assert_int_equal(all_failed(), 1);
	assert_int_equal(count(FIGURE_completed), 0);
	bench_end();
}

static void
an_answer_in_pieces_is_put_together(void **state)
{
	(void)state;
	begin_one(LOAD_REQUEST);
	say(TCP_SYN | TCP_ACK, 1000, NULL);
	expect(TCP_ACK | TCP_PSH, sizeof(request_close_text) - 1);
	say(TCP_ACK, 1000, "HTTP/1.1 200 OK\r\nContent-Le");
	expect(TCP_ACK, 0);
	say(TCP_ACK, 1000, "ngth: 12\r\n\r\nhello ");
	expect(TCP_ACK, 0);
	say(TCP_ACK | TCP_FIN, 1000, "world!");
	expect(TCP_FIN | TCP_ACK, 0);
	say(TCP_ACK, 1000, NULL);
	assert_false(hear());
	assert_int_equal(count(FIGURE_completed), 1);
	assert_int_equal(all_failed(), 0);
	bench_end();
}

static void
a_reset_in_the_middle_is_one(void **state)
{
	(void)state;
	begin_one(LOAD_REQUEST);
	say(TCP_SYN | TCP_ACK, 1000, NULL);
	expect(TCP_ACK | TCP_PSH, sizeof(request_close_text) - 1);
	say(TCP_RST | TCP_ACK, 0, NULL);
	assert_false(hear());
	assert_int_equal(failed(FAILURE_reset_established), 1);
	bench_end();
}

static void
a_peer_that_never_closes_is_timed_out(void **state)
{
	(void)state;
	begin_one(LOAD_OPEN_CLOSE);
	say(TCP_SYN | TCP_ACK, 1000, NULL);
	expect(TCP_FIN | TCP_ACK, 0);
	say(TCP_ACK, 1000, NULL);
	wait_ms(10100);
	assert_int_equal(failed(FAILURE_timeout_fin_wait_2), 1);
	assert_int_equal(all_failed(), 1);
	bench_end();
}

static void
the_last_acknowledgement_is_repeated_in_time_wait(void **state)
{
	(void)state;
	begin_one(LOAD_OPEN_CLOSE);
	say(TCP_SYN | TCP_ACK, 1000, NULL);
	expect(TCP_FIN | TCP_ACK, 0);
	say(TCP_FIN | TCP_ACK, 1000, NULL);
	expect(TCP_ACK, 0);
	assert_int_equal(count(FIGURE_completed), 1);
	for (unsigned int i = 0; i < 2; i++) {
		bench.seq--;
		say(TCP_FIN | TCP_ACK, 1000, NULL);
		expect(TCP_ACK, 0);
		assert_int_equal(bench.heard.segment.ack, bench.seq);
		assert_int_equal(bench.heard.segment.seq, bench.ack);
		advance(59000000);
	}
	/* Its number says how old it is. */
	advance(200000000);
	say(TCP_FIN | TCP_ACK, 1000, NULL);
	expect(TCP_RST, 0);
	assert_int_equal(count(FIGURE_completed), 1);
	bench_end();
}

static void
a_fin_of_no_connection_is_reset(void **state)
{
	(void)state;
	begin_one(LOAD_OPEN_CLOSE);
	say(TCP_SYN | TCP_ACK, 1000, NULL);
	expect(TCP_FIN | TCP_ACK, 0);
	say(TCP_RST | TCP_ACK, 1000, NULL);
	assert_false(hear());
	/* It acknowledges more than was ever said. */
	bench.ack += 1000000;
	say(TCP_FIN | TCP_ACK, 1000, NULL);
	expect(TCP_RST, 0);
	assert_int_equal(failed(FAILURE_reset_closing), 1);
	bench_end();
}

/* Of the machine, and of what is predicted. */
static void
a_reset_behind_the_last_fin_changes_nothing(void **state)
{
	(void)state;
	for (unsigned int timestamps = 0; timestamps < 2; timestamps++) {
		struct load_plan plan = plan_of(LOAD_OPEN_CLOSE, "10.9.0.2", 80);

		plan.count = 1;
		plan.timestamps = timestamps;
		bench_begin(&plan);
		bench.seq = 777;
		wait_ms(1);
		expect(TCP_SYN, 0);
		say(TCP_SYN | TCP_ACK, 1000, NULL);
		expect(TCP_FIN | TCP_ACK, 0);
		say(TCP_FIN | TCP_ACK, 1000, NULL);
		say(TCP_RST | TCP_ACK, 1000, NULL);
		expect(TCP_ACK, 0);
		assert_int_equal(count(FIGURE_completed), 1);
		assert_int_equal(all_failed(), 0);
		assert_int_equal(load()->active, 0);
		assert_int_equal(conn_table_count(bench.generator.worker[0]->table), 0);
		bench_end();
	}
}

/* RFC 6298: a path of 300 ms has an RTO of 900. */
static void
the_handshakes_round_trip_sets_the_timeout(void **state)
{
	(void)state;
	begin_one(LOAD_OPEN_CLOSE);
	wait_ms(300);
	say(TCP_SYN | TCP_ACK, 1000, NULL);
	expect(TCP_FIN | TCP_ACK, 0);
	wait_ms(880);
	assert_false(hear());
	wait_ms(40);
	expect(TCP_FIN | TCP_ACK, 0);
	assert_int_equal(count(FIGURE_retransmits), 1);
	bench_end();
}

static void
frames_bear_the_ports_vlan(void **state)
{
	(void)state;
	bench.vlan = "    vlan: 5\n";
	begin_one(LOAD_OPEN_CLOSE);
	assert_int_equal(bench.heard.frame.flags & FRAME_TAGGED, FRAME_TAGGED);
	assert_int_equal(bench.heard.frame.vlan, 5);
	bench.heard.frame.flags = 0;
	say(TCP_SYN | TCP_ACK, 1000, NULL);
	assert_false(hear());
	bench.heard.frame.flags = FRAME_TAGGED;
	bench.seq = 777;
	say(TCP_SYN | TCP_ACK, 1000, NULL);
	expect(TCP_FIN | TCP_ACK, 0);
	assert_int_equal(bench.heard.frame.vlan, 5);
	say(TCP_FIN | TCP_ACK, 1000, NULL);
	expect(TCP_ACK, 0);
	assert_int_equal(bench.heard.frame.vlan, 5);
	assert_int_equal(count(FIGURE_completed), 1);
	bench_end();
}

static void
what_is_open_at_the_end_is_reset_and_no_failure(void **state)
{
	struct load_plan plan = plan_of(LOAD_REQUEST, "10.9.0.2", 80);

	(void)state;
	plan.concurrency = 1;
	plan.duration_us = 10000;
	plan.drain_us = 5000;
	bench_begin(&plan);
	bench.seq = 777;
	wait_ms(1);
	expect(TCP_SYN, 0);
	say(TCP_SYN | TCP_ACK, 1000, NULL);
	expect(TCP_ACK | TCP_PSH, sizeof(request_close_text) - 1);
	wait_ms(20);
	expect(TCP_RST | TCP_ACK, 0);
	assert_true(load_is_done(&bench.generator));
	assert_int_equal(all_failed(), 0);
	assert_int_equal(count(FIGURE_completed), 0);
	bench_end();
}

static void
syns_are_answered_and_forged_segments_reset(void **state)
{
	static const enum load_exchange floods[] = {LOAD_SYN, LOAD_FORGED_ACK, LOAD_RST_FLOOD};

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(floods); i++) {
		struct load_plan plan = plan_of(floods[i], "10.9.0.2", 9);

		plan.count = 2000;
		plan.random_order = i == 1;
		bench_begin(&plan);
		play(200);
		assert_true(load_is_done(&bench.generator));
		assert_int_equal(count(FIGURE_started), 2000);
		assert_int_equal(count(FIGURE_packets_sent), 2000);
		assert_int_equal(count(FIGURE_syn_acks), i == 0 ? 2000 : 0);
		assert_int_equal(count(FIGURE_bad_syn_acks), 0);
		assert_int_equal(count(FIGURE_resets), i == 1 ? 2000 : 0);
		bench_end();
	}
}

static void
idle_connections_are_held_and_let_go(void **state)
{
	struct load_plan plan = plan_of(LOAD_IDLE, "10.9.0.2", 9);

	(void)state;
	plan.concurrency = 2000;
	plan.duration_us = 50000;
	plan.drain_us = 1000000;
	bench_begin(&plan);
	play(40000);
	assert_int_equal(count(FIGURE_opened), 2000);
	assert_int_equal(rig_connections(&bench.rig), 2000);
	assert_int_equal(load()->active, 2000);
	play(20000);
	assert_int_equal(rig_connections(&bench.rig), 0);
	assert_int_equal(rig_counter(&bench.rig, COUNTER_reset), 2000);
	assert_int_equal(all_failed() + count(FIGURE_lost), 0);
	assert_true(load_is_done(&bench.generator));
	bench_end();
}

static void
keep_alive_probes_are_answered_and_acknowledgements_are_not(void **state)
{
	struct load_plan plan = plan_of(LOAD_IDLE, "10.9.0.2", 9);

	(void)state;
	plan.concurrency = 1;
	plan.duration_us = 100000000;
	bench_begin(&plan);
	bench.seq = 777;
	wait_ms(1);
	expect(TCP_SYN, 0);
	say(TCP_SYN | TCP_ACK, 1000, NULL);
	expect(TCP_ACK, 0);
	/* An acknowledgement, and a probe: one sequence number below it. */
	say(TCP_ACK, 1000, NULL);
	assert_false(hear());
	bench.seq--;
	say(TCP_ACK, 1000, NULL);
	expect(TCP_ACK, 0);
	assert_int_equal(bench.heard.segment.ack, 778);
	assert_int_equal(count(FIGURE_keepalives), 1);
	/* The SYN,ACK again: our acknowledgement was lost. */
	bench.seq = 777;
	say(TCP_SYN | TCP_ACK, 1000, NULL);
	expect(TCP_ACK, 0);
	assert_int_equal(count(FIGURE_opened), 1);
	/* It ends, and that is a loss. */
	say(TCP_FIN | TCP_ACK, 1000, NULL);
	expect(TCP_FIN | TCP_ACK, 0);
	assert_int_equal(bench.heard.segment.ack, 779);
	assert_int_equal(count(FIGURE_lost), 1);
	bench_end();
}

static void
unanswered_idle_syns_are_repeated_and_given_up(void **state)
{
	struct load_plan plan = plan_of(LOAD_IDLE, "10.9.0.2", 9);

	(void)state;
	plan.concurrency = 3;
	plan.retries = 1;
	plan.duration_us = 100000000;
	bench_begin(&plan);
	wait_ms(1);
	for (unsigned int i = 0; i < 3; i++)
		expect(TCP_SYN, 0);
	say(TCP_SYN | TCP_ACK, 1000, NULL);
	expect(TCP_ACK, 0);
	wait_ms(1100);
	for (unsigned int i = 0; i < 2; i++)
		expect(TCP_SYN, 0);
	assert_int_equal(count(FIGURE_syn_retransmits), 2);
	wait_ms(3000);
	assert_false(hear());
	assert_int_equal(failed(FAILURE_no_syn_ack), 2);
	bench_end();
}

/* So many requests, as fast as it goes. */
static void
measure(unsigned long requests)
{
	struct load_plan plan = plan_of(LOAD_REQUEST, "10.9.0.2", 80);

	plan.count = requests;
	plan.concurrency = 256;
	bench_begin(&plan);
	while (!load_is_done(&bench.generator))
		play(1);
	printf("%llu completed\n", (unsigned long long)count(FIGURE_completed));
	bench_end();
}

#define LOAD_TEST(name) cmocka_unit_test_teardown(name, tidy_up)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			LOAD_TEST(both_sides_count_the_same),
			LOAD_TEST(large_answers_are_taken_whole),
			LOAD_TEST(workers_share_the_work),
			LOAD_TEST(a_worker_without_a_tuple_says_so),
			LOAD_TEST(no_more_than_the_concurrency_are_open),
			LOAD_TEST(it_stops_at_the_end_of_its_duration),
			LOAD_TEST(ramps_rise_and_fall),
			LOAD_TEST(latency_counts_from_the_intended_start),
			LOAD_TEST(silence_is_retried_with_back_off),
			LOAD_TEST(a_reset_of_the_syn_is_a_refusal),
			LOAD_TEST(a_reset_that_acknowledges_nothing_of_ours_is_none),
			LOAD_TEST(a_challenge_is_answered_by_a_reset_and_retried),
			LOAD_TEST(only_challenges_are_a_bad_acknowledgement),
			LOAD_TEST(a_closed_window_lets_nothing_out),
			LOAD_TEST(a_small_window_is_filled_and_no_more),
			LOAD_TEST(a_lost_request_is_sent_again),
			LOAD_TEST(wrong_bytes_are_reset),
			LOAD_TEST(an_answer_that_is_cut_off_is_closed_early),
			LOAD_TEST(an_answer_in_pieces_is_put_together),
			LOAD_TEST(a_reset_in_the_middle_is_one),
			LOAD_TEST(a_peer_that_never_closes_is_timed_out),
			LOAD_TEST(the_last_acknowledgement_is_repeated_in_time_wait),
			LOAD_TEST(a_fin_of_no_connection_is_reset),
			LOAD_TEST(a_reset_behind_the_last_fin_changes_nothing),
			LOAD_TEST(the_handshakes_round_trip_sets_the_timeout),
			LOAD_TEST(frames_bear_the_ports_vlan),
			LOAD_TEST(what_is_open_at_the_end_is_reset_and_no_failure),
			LOAD_TEST(syns_are_answered_and_forged_segments_reset),
			LOAD_TEST(idle_connections_are_held_and_let_go),
			cmocka_unit_test(
					keep_alive_probes_are_answered_and_acknowledgements_are_not),
			LOAD_TEST(unanswered_idle_syns_are_repeated_and_given_up),
	};

	rig_start_dpdk(argv[0]);
	if (argc > 1) {
		measure(strtoul(argv[1], NULL, 10));
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
