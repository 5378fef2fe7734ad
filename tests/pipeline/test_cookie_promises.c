/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * What a SYN-ACK with a cookie promises is kept: segment sizes, a lost third segment, one
 * connection for each cookie.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "rig.h"
#include "wire/bytes.h"

#define CLIENT_PORT 40000
#define BACKLOG     10
#define BODY        100000

static const char promise_settings[] =
		"engine: {connections: 4096, echo_buffers: 64}\n"
		"tcp: {time_wait: 1s}\n" RIG_LAN "services:\n"
		"  - {name: web, listen: [\"10.9.0.2:80\", \"[fd00:9::2]:80\"], cookies: always,\n"
		"     body_size: 100000}\n"
		"  - {name: auto, listen: \"10.9.0.2:81\", cookies: auto, max_syn_backlog: 10}\n"
		"  - {name: mail, listen: \"10.9.0.2:25\", cookies: always, reply: banner}\n"
		"  - {name: brief, listen: \"10.9.0.2:9\", cookies: always, reply: discard,\n"
		"     close: at_once}\n"
		"  - {name: sink, listen: \"10.9.0.2:10\", cookies: always, reply: discard}\n";

static const struct tcp_options linux_syn = {
		.options = TCP_OPTION_MSS | TCP_OPTION_WINDOW_SCALE | TCP_OPTION_SACK_PERMITTED |
			   TCP_OPTION_TIMESTAMPS,
		.mss = 1400,
		.window_scale = 7,
		.tsval = 1000,
};

struct client {
	struct build_path path;
	struct build_tcp next;
	struct rig_frame heard;
};

/* One at a time; close_rig() takes it apart should a test fail. */
static struct rig rig;

static unsigned int
client_hear(struct client *client)
{
	unsigned int heard = 0;

	rig_turn(&rig);
	while (rig_take(&rig, &client->heard))
		heard++;
	return heard;
}

static void
client_put(const struct client *client, uint8_t flags, const char *text)
{
	struct build_tcp tcp = client->next;

	tcp.flags = flags;
	rig_put_tcp(&rig, &client->path, &tcp, text, (unsigned int)strlen(text));
}

/* What the third segment says. */
static void
client_take_syn_ack(struct client *client)
{
	assert_int_equal(client->heard.segment.flags, TCP_SYN | TCP_ACK);
	assert_int_equal(client->heard.segment.ack, client->next.seq + 1);
	client->next.seq++;
	client->next.ack = client->heard.segment.seq + 1;
	client->next.options.options &= TCP_OPTION_TIMESTAMPS;
	client->next.options.tsecr = client->heard.segment.tsval;
}

static void
client_syn(struct client *client, unsigned int family, uint16_t port,
		const struct tcp_options *options)
{
	memset(client, 0, sizeof(*client));
	rig_path(&rig, &client->path, family, CLIENT_PORT, port);
	client->next = (struct build_tcp){.seq = 0xfffffffe, .window = 60000, .options = *options};
	client_put(client, TCP_SYN, "");
	assert_int_equal(client_hear(client), 1);
	client_take_syn_ack(client);
}

/* ---- segment sizes ---- */

/* Take a whole body, and acknowledge all of it. @return its largest segment, options included. */
static unsigned int
largest_segment(struct client *client)
{
	unsigned int largest = 0, total = 0;
	bool over = false;

	client_put(client, TCP_ACK | TCP_PSH, "GET / HTTP/1.0\r\n\r\n");
	client->next.seq += 18;
	while (!over) {
		unsigned int came = 0;

		rig_turn(&rig);
		while (rig_take(&rig, &client->heard)) {
			const struct tcp_segment *segment = &client->heard.segment;

			came += segment->payload_length;
			/* RFC 6691: an MSS is without options; a segment with some has less. */
			largest = RTE_MAX(largest, (unsigned int)(segment->payload_length +
								   segment->payload_offset - 20));
			client->next.ack = segment->seq + tcp_segment_length(segment);
			client->next.options.tsecr = segment->tsval;
			over = over || (segment->flags & TCP_FIN) != 0;
		}
		assert_true(came > 0);
		total += came;
		client_put(client, TCP_ACK, "");
	}
	rig_turn(&rig);
	assert_true(total > BODY);
	return largest;
}

/* What is remembered of an MSS: the largest size of the table that is not above it. */
static uint16_t
rounded_down(const uint16_t sizes[SYNCOOKIE_MSS_SIZES], uint16_t mss)
{
	uint16_t best = 0;

	for (unsigned int i = 0; i < SYNCOOKIE_MSS_SIZES; i++) {
		if (sizes[i] <= mss)
			best = sizes[i];
	}
	return best;
}

static void
no_segment_exceeds_the_mss_that_the_cookie_says(void **state)
{
	/* As lib/cookie/syncookie.c has them: IPv4, IPv6. */
	static const uint16_t sizes[2][SYNCOOKIE_MSS_SIZES] = {
			{216, 536, 1200, 1360, 1400, 1440, 1460, 8960},
			{536, 1220, 1280, 1360, 1400, 1420, 1440, 8940},
	};

	(void)state;
	for (unsigned int n = 0; n < SYNCOOKIE_MSS_SIZES * 12; n++) {
		const unsigned int form = n % 4, family = form / 2;
		/* Exactly a size, one more, and one less than the next. */
		const unsigned int at = n / 4 % 3, size = n / 12;
		struct tcp_options options = linux_syn;
		struct client client;
		uint16_t mss = sizes[family][size], expected;

		if (at == 1)
			mss++;
		else if (at == 2)
			mss = size + 1 < SYNCOOKIE_MSS_SIZES
					      ? (uint16_t)(sizes[family][size + 1] - 1)
					      : UINT16_MAX;
		options.mss = mss;
		if (form % 2 == 0)
			options.options &= (uint8_t)~TCP_OPTION_TIMESTAMPS;
		rig_init(&rig, promise_settings, 1);
		client_syn(&client, family == 0 ? 4 : 6, 80, &options);
		assert_int_equal(rig_counter(&rig, COUNTER_syn_cookies_sent), 1);
		expected = rounded_down(sizes[family], mss);
		/* Ours is the link's. */
		expected = RTE_MIN(expected, (uint16_t)(family == 0 ? 1460 : 1440));
		assert_int_equal(largest_segment(&client), expected);
		rig_free(&rig);
	}
}

static void
who_announces_none_gets_the_default(void **state)
{
	struct tcp_options options = {0};
	struct client client;

	(void)state;
	rig_init(&rig, promise_settings, 1);
	client_syn(&client, 4, 80, &options);
	assert_int_equal(largest_segment(&client), 536);
	rig_free(&rig);
	rig_init(&rig, promise_settings, 1);
	client_syn(&client, 6, 80, &options);
	/* The minimum MTU's; RFC 9293 3.7.1 SHLD-6. */
	assert_int_equal(largest_segment(&client), 1220);
	rig_free(&rig);
}

/* ---- a lost third segment ---- */

static void
client_that_acknowledges_later_is_let_in(void **state)
{
	struct client client;

	(void)state;
	/* A window update, an ACK again, half a minute later still. */
	rig_init(&rig, promise_settings, 1);
	client_syn(&client, 4, 80, &linux_syn);
	rig_wait_ms(&rig, 30000);
	client.next.window = 1234;
	client_put(&client, TCP_ACK, "");
	assert_int_equal(client_hear(&client), 0);
	assert_int_equal(rig_state(&rig, CLIENT_PORT), TCP_ESTABLISHED);
	rig_free(&rig);
}

static void
text_that_comes_first_opens_and_is_answered(void **state)
{
	struct client client;

	(void)state;
	rig_init(&rig, promise_settings, 1);
	client_syn(&client, 4, 80, &linux_syn);
	client_put(&client, TCP_ACK | TCP_PSH, "GET / HT");
	client_put(&client, TCP_ACK | TCP_PSH, "GET / HT");
	/* One segment takes it, the copy is told so. */
	assert_int_equal(client_hear(&client), 2);
	assert_int_equal(client.heard.segment.ack, client.next.seq + 8);
	assert_int_equal(rig_counter(&rig, COUNTER_opened), 1);
	rig_free(&rig);
}

/* Its text begins after a gap, because the first segment of it was lost as well. */
static void
later_text_alone_does_not_open(void **state)
{
	struct client client;

	(void)state;
	rig_init(&rig, promise_settings, 1);
	client_syn(&client, 4, 80, &linux_syn);
	client.next.seq += 100;
	client_put(&client, TCP_ACK | TCP_PSH, "later");
	client_hear(&client);
	assert_int_equal(rig_connections(&rig), 0);
	rig_free(&rig);
}

static void
service_that_speaks_first_waits_for_any_segment(void **state)
{
	struct client client;

	(void)state;
	/* The usual case: the third segment comes, and the banner goes. */
	rig_init(&rig, promise_settings, 1);
	client_syn(&client, 4, 25, &linux_syn);
	client_put(&client, TCP_ACK, "");
	assert_int_equal(client_hear(&client), 1);
	assert_true(client.heard.segment.payload_length > 0);
	rig_free(&rig);
	/* It is lost: nothing reminds us, until the client says anything. */
	rig_init(&rig, promise_settings, 1);
	client_syn(&client, 4, 25, &linux_syn);
	rig_wait_ms(&rig, 20000);
	assert_int_equal(client_hear(&client), 0);
	client_put(&client, TCP_ACK | TCP_PSH, "EHLO x\r\n");
	assert_int_equal(client_hear(&client), 1);
	assert_true(client.heard.segment.payload_length > 0);
	assert_int_equal(client.heard.segment.ack, client.next.seq + 8);
	rig_free(&rig);
	/* Or too late; then it hears that there is nothing. */
	rig_init(&rig, promise_settings, 1);
	client_syn(&client, 4, 25, &linux_syn);
	rig_wait_ms(&rig, SYNCOOKIE_LIFE_MS + 1000);
	client_put(&client, TCP_ACK | TCP_PSH, "EHLO x\r\n");
	assert_int_equal(client_hear(&client), 1);
	assert_int_equal(client.heard.segment.flags, TCP_RST);
	rig_free(&rig);
}

/* The flood ends between a client's SYN and its copy: one got a cookie, the other is kept. */
static void
cookie_counts_although_a_copy_of_the_syn_was_kept(void **state)
{
	struct build_tcp syn = {.seq = 1, .window = 1000, .flags = TCP_SYN, .options = linux_syn};
	struct build_path path;
	struct client client, copy;

	(void)state;
	rig_init(&rig, promise_settings, 1);
	for (uint16_t i = 0; i < BACKLOG; i++) {
		rig_path(&rig, &path, 4, (uint16_t)(1000 + i), 81);
		rig_put_tcp(&rig, &path, &syn, NULL, 0);
	}
	client_hear(&client);
	client_syn(&client, 4, 81, &linux_syn);
	assert_int_equal(rig_counter(&rig, COUNTER_syn_cookies_sent), 1);
	for (uint16_t i = 0; i < BACKLOG; i++) {
		struct build_tcp reset = {.seq = 2, .flags = TCP_RST};

		rig_path(&rig, &path, 4, (uint16_t)(1000 + i), 81);
		rig_put_tcp(&rig, &path, &reset, NULL, 0);
	}
	rig_turn(&rig);
	assert_int_equal(rig_connections(&rig), 0);
	rig_wait_ms(&rig, 1100);
	client_syn(&copy, 4, 81, &linux_syn);
	assert_int_equal(rig_connections(&rig), 1);
	assert_int_not_equal(copy.next.ack, client.next.ack);
	/* It answers the first one, twice in a burst, and then asks. */
	client_put(&client, TCP_ACK, "");
	client_put(&client, TCP_ACK | TCP_PSH, "GET / HTTP/1.0\r\n\r\n");
	assert_int_equal(client_hear(&client), 1);
	assert_int_equal(client.heard.segment.flags, TCP_ACK | TCP_PSH | TCP_FIN);
	assert_int_equal(client.heard.segment.seq, client.next.ack);
	assert_int_equal(rig_counter(&rig, COUNTER_opened), 1);
	assert_int_equal(rig_connections(&rig), 1);
	rig_free(&rig);
}

static void
forged_ack_at_a_half_open_connection_still_leaves_it(void **state)
{
	struct client client, forger;

	(void)state;
	rig_init(&rig, promise_settings, 1);
	client_syn(&client, 4, 81, &linux_syn);
	forger = client;
	forger.next.ack += 12345;
	client_put(&forger, TCP_ACK, "");
	assert_int_equal(client_hear(&forger), 1);
	assert_int_equal(forger.heard.segment.flags, TCP_RST);
	client_put(&client, TCP_ACK, "");
	assert_int_equal(client_hear(&client), 0);
	assert_int_equal(rig_state(&rig, CLIENT_PORT), TCP_ESTABLISHED);
	rig_free(&rig);
}

/* ---- one connection for each cookie ---- */

static void
replays_open_nothing(const struct client *third, unsigned int copies)
{
	struct client replay = *third;
	const uint64_t opened = rig_counter(&rig, COUNTER_opened);

	for (unsigned int i = 0; i < copies; i++)
		client_put(&replay, TCP_ACK, i % 2 != 0 ? "text" : "");
	client_hear(&replay);
	assert_int_equal(rig_counter(&rig, COUNTER_opened), opened);
}

static void
replay_opens_nothing_however_the_first_one_ended(void **state)
{
	/* By us first, through TIME_WAIT; by the client first; by its reset. */
	static const uint16_t ports[] = {9, 10, 10};

	(void)state;
	for (unsigned int way = 0; way < RTE_DIM(ports); way++) {
		struct client client, third;

		rig_init(&rig, promise_settings, 1);
		client_syn(&client, 4, ports[way], &linux_syn);
		third = client;
		client_put(&client, TCP_ACK, "");
		client_hear(&client);
		assert_int_equal(rig_counter(&rig, COUNTER_opened), 1);
		/* Of a live connection they are duplicates, but for their text. */
		replays_open_nothing(&third, 8);
		client.next.seq += (uint32_t)strlen("text");
		if (way == 0)
			client.next.ack++;
		client_put(&client, way == 2 ? TCP_RST : TCP_FIN | TCP_ACK, "");
		client_hear(&client);
		if (way == 1) {
			client.next.seq++;
			client.next.ack++;
			client_put(&client, TCP_ACK, "");
			client_hear(&client);
		}
		assert_int_equal(rig_connections(&rig), 0);
		/* At once, after TIME_WAIT (of a second), and until the cookie is too old. */
		for (unsigned int seconds = 0; seconds < SYNCOOKIE_SPENT_S + 10; seconds += 3) {
			replays_open_nothing(&third, 2);
			rig_wait_ms(&rig, 3000);
		}
		assert_int_equal(rig_connections(&rig), 0);
		rig_free(&rig);
	}
}

#define TEST(name) RIG_TEST(name, rig)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			TEST(no_segment_exceeds_the_mss_that_the_cookie_says),
			TEST(who_announces_none_gets_the_default),
			TEST(client_that_acknowledges_later_is_let_in),
			TEST(text_that_comes_first_opens_and_is_answered),
			TEST(later_text_alone_does_not_open),
			TEST(service_that_speaks_first_waits_for_any_segment),
			TEST(cookie_counts_although_a_copy_of_the_syn_was_kept),
			TEST(forged_ack_at_a_half_open_connection_still_leaves_it),
			TEST(replay_opens_nothing_however_the_first_one_ended),
	};

	(void)argc;
	rig_start_dpdk(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
