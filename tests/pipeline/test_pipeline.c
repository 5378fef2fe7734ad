/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The seven stages over an in-memory port: frames in, frames out, everything counted.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "rig.h"

#define CLIENT_PORT 40000

static const struct tcp_options linux_syn = {
		.options = TCP_OPTION_MSS | TCP_OPTION_WINDOW_SCALE | TCP_OPTION_SACK_PERMITTED |
			   TCP_OPTION_TIMESTAMPS,
		.mss = 1460,
		.window_scale = 7,
		.tsval = 1000,
};

/* One at a time; close_rig() takes it apart should a test fail. */
static struct rig rig;

/* A client's side of one connection, as plain as can be. */
struct client {
	struct build_path path;
	struct build_tcp next; /* seq, ack, window and options of the next segment */
};

static void
client_say(struct client *client, uint8_t flags, const void *payload, unsigned int length)
{
	client->next.flags = flags;
	rig_put_tcp(&rig, &client->path, &client->next, payload, length);
	client->next.seq += length + ((flags & TCP_SYN) != 0) + ((flags & TCP_FIN) != 0);
}

/* The one frame that the engine answers with. */
static void
client_hear(struct client *client, struct rig_frame *frame)
{
	rig_turn(&rig);
	assert_true(rig_take(&rig, frame));
	assert_int_equal(frame->frame.kind, FRAME_TCP);
	client->next.ack = frame->segment.seq + tcp_segment_length(&frame->segment);
	client->next.options.tsecr = frame->segment.tsval;
}

static void
nothing_comes(void)
{
	struct rig_frame frame;

	rig_turn(&rig);
	assert_false(rig_take(&rig, &frame));
}

static void
client_open(struct client *client, unsigned int family, uint16_t client_port, uint16_t engine_port)
{
	struct rig_frame frame;

	memset(client, 0, sizeof(*client));
	rig_path(&rig, &client->path, family, client_port, engine_port);
	client->next.seq = 0xfffffff0; /* wraps early */
	client->next.window = 65535;
	client->next.options = linux_syn;
	client_say(client, TCP_SYN, NULL, 0);
	client_hear(client, &frame);
	assert_int_equal(frame.segment.flags, TCP_SYN | TCP_ACK);
	assert_int_equal(frame.segment.ack, client->next.seq);
	assert_int_equal(frame.segment.options, linux_syn.options);
	assert_int_equal(frame.segment.tsecr, linux_syn.tsval);
	client->next.options.options = TCP_OPTION_TIMESTAMPS;
	client_say(client, TCP_ACK, NULL, 0);
}

static void
http_request_is_answered_over(unsigned int family)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	struct client client;
	struct rig_frame frame;

	rig_init(&rig, NULL, 1);
	client_open(&client, family, CLIENT_PORT, 80);
	nothing_comes();
	client_say(&client, TCP_ACK | TCP_PSH, request, sizeof(request) - 1);
	client_hear(&client, &frame);
	assert_int_equal(frame.segment.flags, TCP_ACK | TCP_PSH | TCP_FIN);
	assert_int_equal(frame.segment.ack, client.next.seq);
	assert_memory_equal(frame.bytes + frame.frame.l4_offset + frame.segment.payload_offset,
			"HTTP/1.1 200 OK\r\n", 17);
	client_say(&client, TCP_ACK | TCP_FIN, NULL, 0);
	client_hear(&client, &frame);
	assert_int_equal(frame.segment.flags, TCP_ACK);
	assert_int_equal(frame.segment.ack, client.next.seq);
	assert_int_equal(rig_counter(&rig, COUNTER_opened), 1);
	assert_int_equal(rig_counter(&rig, COUNTER_requests), 1);
	assert_int_equal(rig_counter(&rig, COUNTER_closed), 1);
	rig_wait_ms(&rig, 60100);
	assert_int_equal(rig_connections(&rig), 0);
	rig_free(&rig);
}

static void
http_request_is_answered_over_ipv4(void **state)
{
	(void)state;
	http_request_is_answered_over(4);
}

static void
http_request_is_answered_over_ipv6(void **state)
{
	(void)state;
	http_request_is_answered_over(6);
}

static void
syn_ack_is_sent_again_and_then_given_up(void **state)
{
	/* RFC 6298: after 1 s, then doubling; five times, as synack_retries says. */
	static const unsigned int at_ms[] = {1000, 3000, 7000, 15000, 31000};
	struct client client = {.next = {.seq = 7, .window = 1000}};
	struct rig_frame frame;
	unsigned int now_ms = 0, sent = 0;
	uint32_t isn;

	(void)state;
	rig_init(&rig, NULL, 1);
	rig_path(&rig, &client.path, 4, CLIENT_PORT, 80);
	client_say(&client, TCP_SYN, NULL, 0);
	client_hear(&client, &frame);
	isn = frame.segment.seq;
	for (; now_ms < 70000; now_ms++) {
		rig_wait_ms(&rig, 1);
		if (!rig_take(&rig, &frame))
			continue;
		assert_int_equal(frame.segment.flags, TCP_SYN | TCP_ACK);
		assert_int_equal(frame.segment.seq, isn);
		assert_in_range(now_ms, at_ms[sent] - 1, at_ms[sent] + 2 * TIMER_WHEEL_TICK_MS);
		sent++;
	}
	assert_int_equal(sent, 5);
	assert_int_equal(rig_counter(&rig, COUNTER_timed_out), 1);
	assert_int_equal(rig_connections(&rig), 0);
	rig_free(&rig);
}

static void
echo_says_what_it_hears(void **state)
{
	struct client client;
	struct rig_frame frame;

	(void)state;
	rig_init(&rig, NULL, 1);
	client_open(&client, 4, CLIENT_PORT, 7);
	nothing_comes();
	for (int i = 0; i < 100; i++) {
		char text[32];
		const unsigned int length =
				(unsigned int)snprintf(text, sizeof(text), "line %d", i);

		client_say(&client, TCP_ACK | TCP_PSH, text, length);
		client_hear(&client, &frame);
		assert_int_equal(frame.segment.payload_length, length);
		assert_memory_equal(
				frame.bytes + frame.frame.l4_offset + frame.segment.payload_offset,
				text, length);
	}
	client_say(&client, TCP_ACK | TCP_FIN, NULL, 0);
	client_hear(&client, &frame);
	assert_int_equal(frame.segment.flags, TCP_ACK | TCP_FIN);
	client_say(&client, TCP_ACK, NULL, 0);
	nothing_comes();
	assert_int_equal(rig_connections(&rig), 0);
	rig_free(&rig);
}

static void
banner_speaks_first(void **state)
{
	struct client client;
	struct rig_frame frame;

	(void)state;
	rig_init(&rig, NULL, 1);
	client_open(&client, 4, CLIENT_PORT, 25);
	client_hear(&client, &frame);
	assert_int_equal(frame.segment.payload_length, strlen("220 hi\r\n"));
	rig_free(&rig);
}

static void
lost_reply_is_sent_again(void **state)
{
	struct client client;
	struct rig_frame first, second;

	(void)state;
	rig_init(&rig, NULL, 1);
	client_open(&client, 4, CLIENT_PORT, 25);
	rig_turn(&rig);
	assert_true(rig_take(&rig, &first));
	rig_wait_ms(&rig, 300); /* rto_min is 200 ms; the next would come 400 ms later */
	assert_true(rig_take(&rig, &second));
	assert_int_equal(second.segment.seq, first.segment.seq);
	assert_int_equal(second.segment.payload_length, first.segment.payload_length);
	assert_memory_equal(first.bytes + first.length - 8, second.bytes + second.length - 8, 8);
	assert_int_equal(rig_counter(&rig, COUNTER_data_retransmits), 1);
	rig_free(&rig);
}

/* Take all that came out. @return how many frames; @p last is the latest of them. */
static unsigned int
client_hear_all(struct client *client, struct rig_frame *last)
{
	unsigned int n = 0;

	rig_turn(&rig);
	while (rig_take(&rig, last))
		n++;
	if (n > 0)
		client->next.ack = last->segment.seq + tcp_segment_length(&last->segment);
	return n;
}

/* Reordered on the way, an old acknowledgment shares a burst with the one that lets data out. */
static void
old_ack_in_the_burst_keeps_the_retransmission_timer(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
	struct client client;
	struct rig_frame frame;
	uint32_t acknowledged;

	(void)state;
	rig_init(&rig, NULL, 1);
	client_open(&client, 4, CLIENT_PORT, 8080);
	client_say(&client, TCP_ACK | TCP_PSH, request, sizeof(request) - 1);
	assert_true(client_hear_all(&client, &frame) > 2);
	acknowledged = client.next.ack;
	client_say(&client, TCP_ACK, NULL, 0);
	client.next.ack -= frame.segment.payload_length;
	client_say(&client, TCP_ACK, NULL, 0);
	assert_true(client_hear_all(&client, &frame) > 2);
	rig_wait_ms(&rig, 1000);
	assert_true(rig_take(&rig, &frame));
	assert_int_equal(frame.segment.seq, acknowledged);
	assert_true(rig_counter(&rig, COUNTER_data_retransmits) > 0);
	rig_free(&rig);
}

static void
two_segments_of_one_flow_share_a_burst(void **state)
{
	struct client client = {.next = {.seq = 100, .window = 1000}};
	struct rig_frame frame;

	(void)state;
	rig_init(&rig, NULL, 1);
	rig_path(&rig, &client.path, 4, CLIENT_PORT, 80);
	/* The same SYN twice: one connection, two equal SYN-ACKs. */
	client_say(&client, TCP_SYN, NULL, 0);
	client.next.seq = 100;
	client_say(&client, TCP_SYN, NULL, 0);
	client_hear(&client, &frame);
	client_hear(&client, &frame);
	assert_int_equal(rig_connections(&rig), 1);
	/* A reset and a new SYN: the second opens the connection anew. */
	client_say(&client, TCP_RST, NULL, 0);
	client.next.seq = 5000;
	client_say(&client, TCP_SYN, NULL, 0);
	client_hear(&client, &frame);
	assert_int_equal(frame.segment.flags, TCP_SYN | TCP_ACK);
	assert_int_equal(frame.segment.ack, 5001);
	assert_int_equal(rig_connections(&rig), 1);
	assert_int_equal(rig_counter(&rig, COUNTER_reset), 1);
	rig_free(&rig);
}

static void
closed_port_answers_with_a_reset(void **state)
{
	struct client client = {.next = {.seq = 100, .window = 1000}};
	struct rig_frame frame;

	(void)state;
	rig_init(&rig, NULL, 1);
	rig_path(&rig, &client.path, 4, CLIENT_PORT, 4444);
	client_say(&client, TCP_SYN, NULL, 0);
	client_hear(&client, &frame);
	assert_int_equal(frame.segment.flags, TCP_RST | TCP_ACK);
	assert_int_equal(frame.segment.seq, 0);
	assert_int_equal(frame.segment.ack, 101);
	client.next.ack = 0x12345678;
	client_say(&client, TCP_ACK, NULL, 0);
	client_hear(&client, &frame);
	assert_int_equal(frame.segment.flags, TCP_RST);
	assert_int_equal(frame.segment.seq, 0x12345678);
	client_say(&client, TCP_RST, NULL, 0);
	nothing_comes();
	rig_free(&rig);
}

static void
any_number_of_workers_shares_one_queue_by_flow(void **state)
{
	(void)state;
	for (unsigned int workers = 2; workers <= 3; workers++) {

		rig_init(&rig, NULL, workers);
		for (uint16_t i = 0; i < 300; i++) {
			struct client client;

			client_open(&client, i % 2 == 0 ? 4 : 6, (uint16_t)(CLIENT_PORT + i), 80);
		}
		rig_turn(&rig);
		assert_int_equal(rig_counter(&rig, COUNTER_opened), 300);
		assert_int_equal(rig_counter(&rig, COUNTER_steered_in),
				rig_counter(&rig, COUNTER_steered_out));
		for (unsigned int w = 0; w < workers; w++)
			assert_true(conn_table_count(rig.engine.worker[w]->table) >
					300 / workers / 2);
		rig_free(&rig);
	}
}

static void
full_service_refuses_exactly_above_its_limit(void **state)
{
	static const char yaml[] =
			"engine: {connections: 4096}\n"
			"ports:\n"
			"  - {name: lan, device: \"vdev:net_ring_rig\", addresses: 10.9.0.2/24}\n"
			"services:\n"
			"  - {name: few, listen: \"10.9.0.2:80\", max_connections: 10}\n";
	struct client client;

	(void)state;
	rig_init(&rig, yaml, 2);
	for (uint16_t i = 0; i < 10; i++)
		client_open(&client, 4, (uint16_t)(CLIENT_PORT + i), 80);
	rig_path(&rig, &client.path, 4, CLIENT_PORT + 10, 80);
	client.next = (struct build_tcp){.seq = 1, .window = 1000};
	client_say(&client, TCP_SYN, NULL, 0);
	nothing_comes();
	assert_int_equal(rig_counter(&rig, DROP_service_full), 1);
	assert_int_equal(rig_connections(&rig), 10);
	rig_free(&rig);
}

static void
frames_of_any_content_are_all_accounted_for(void **state)
{
	static const uint64_t seed = 20261120;
	struct rig_frame answer;
	uint64_t random = seed;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	rig_init(&rig, NULL, 2);
	for (unsigned int i = 0; i < 20000; i++) {
		struct build_path path;
		struct build_tcp tcp = {.seq = i, .window = 1000};
		struct build_lengths lengths;
		uint8_t bytes[RIG_FRAME_MAX] = {0};
		unsigned int length;

		random = random * 6364136223846793005u + 1442695040888963407u;
		rig_path(&rig, &path, (random >> 60) % 2 == 0 ? 4 : 6,
				(uint16_t)(CLIENT_PORT + (random >> 32) % 50), 80);
		tcp.flags = (uint8_t)(random >> 40);
		tcp.options = linux_syn;
		length = build_tcp(bytes, &path, &tcp, (random >> 33) % 64, BUILD_CHECKSUM_SOFTWARE,
				&lengths);
		if ((random >> 50) % 4 != 0)
			bytes[(random >> 20) % length] ^= (uint8_t)(random >> 12);
		if ((random >> 53) % 8 == 0)
			length = (unsigned int)((random >> 24) % length) + 1;
		rig_put(&rig, bytes, length);
		if (i % 16 == 0)
			rig_turn(&rig);
		while (rig_take(&rig, &answer))
			;
	}
	rig_turn(&rig);
	rig_check_conservation(&rig);
	assert_int_equal(rig_counter(&rig, COUNTER_rx), 20000);
	rig_free(&rig);
}

#define TEST(name) RIG_TEST(name, rig)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			TEST(http_request_is_answered_over_ipv4),
			TEST(http_request_is_answered_over_ipv6),
			TEST(syn_ack_is_sent_again_and_then_given_up),
			TEST(echo_says_what_it_hears),
			TEST(banner_speaks_first),
			TEST(lost_reply_is_sent_again),
			TEST(old_ack_in_the_burst_keeps_the_retransmission_timer),
			TEST(two_segments_of_one_flow_share_a_burst),
			TEST(closed_port_answers_with_a_reset),
			TEST(any_number_of_workers_shares_one_queue_by_flow),
			TEST(full_service_refuses_exactly_above_its_limit),
			TEST(frames_of_any_content_are_all_accounted_for),
	};

	(void)argc;
	rig_start_dpdk(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
