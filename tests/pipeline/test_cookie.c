/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * SYN cookies through the whole pipeline: nothing kept until a good one comes back.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "wire/checksum.h"

#define BACKLOG 10

static const char cookie_settings[] =
		"engine: {connections: 4096, echo_buffers: 64}\n" RIG_LAN "services:\n"
		"  - {name: web, listen: [\"10.9.0.2:80\", \"[fd00:9::2]:80\"], cookies: always}\n"
		"  - {name: auto, listen: \"10.9.0.2:81\", cookies: auto, max_syn_backlog: 10}\n"
		"  - {name: never, listen: \"10.9.0.2:82\", cookies: never}\n";

static void
nothing_is_kept_until_the_cookie_comes_back(void **state)
{
	struct rig rig;
	struct client client;

	(void)state;
	for (unsigned int workers = 1; workers <= 3; workers++) {
		for (unsigned int family = 4; family <= 6; family += 2) {
			rig_init(&rig, cookie_settings, workers);
			client_syn(&client, &rig, family, 80, &client_linux_syn);
			assert_int_equal(client.heard.segment.options, client_linux_syn.options);
			assert_int_equal(client.heard.segment.tsecr, client_linux_syn.tsval);
			assert_int_equal(rig_connections(&rig), 0);
			client_put(&client, TCP_ACK, "GET / HTTP/1.0\r\n\r\n");
			assert_int_equal(client_hear(&client), 1);
			assert_int_equal(client.heard.segment.flags, TCP_ACK | TCP_PSH | TCP_FIN);
			assert_int_equal(rig_counter(&rig, COUNTER_syn_cookies_opened), 1);
			assert_int_equal(rig_counter(&rig, COUNTER_opened), 1);
			rig_free(&rig);
		}
	}
}

static void
options_survive_with_and_without_timestamps(void **state)
{
	struct tcp_options options = client_linux_syn;
	struct rig rig;
	struct client client;

	(void)state;
	for (unsigned int timestamps = 0; timestamps < 2; timestamps++) {
		options.options = client_linux_syn.options;
		if (timestamps == 0)
			options.options &= (uint8_t)~TCP_OPTION_TIMESTAMPS;
		rig_init(&rig, cookie_settings, 1);
		client_syn(&client, &rig, 4, 80, &options);
		/* Only what will be remembered is promised. */
		assert_int_equal(client.heard.segment.options & ~TCP_OPTION_MSS,
				options.options & ~TCP_OPTION_MSS);
		client_put(&client, TCP_ACK, "");
		assert_int_equal(client_hear(&client), 0);
		for (uint32_t slot = 0; slot < conn_table_capacity(rig.engine.worker[0]->table);
				slot++) {
			const struct conn *conn = conn_table_at(rig.engine.worker[0]->table, slot);

			if (conn == NULL)
				continue;
			assert_int_equal(conn->tcp.state, TCP_ESTABLISHED);
			assert_true((conn->tcp.flags & TCP_CONN_SACK) != 0);
			assert_int_equal(conn->tcp.scales & 0xf, timestamps != 0 ? 7 : 6);
			assert_true(conn->tcp.mss <= 1400);
		}
		assert_int_equal(rig_connections(&rig), 1);
		rig_free(&rig);
	}
}

/* A SYN of a kind: its MSS and options follow from its number. */
static struct build_tcp
syn_of_kind(unsigned int number)
{
	struct build_tcp syn = {.seq = 1000 * number, .flags = TCP_SYN, .window = 64000};

	syn.options.options = TCP_OPTION_MSS | (number & 1 ? TCP_OPTION_SACK_PERMITTED : 0) |
			      (number & 2 ? TCP_OPTION_WINDOW_SCALE : 0) |
			      (number & 4 ? TCP_OPTION_TIMESTAMPS : 0);
	syn.options.mss = (uint16_t)(600 + 50 * number);
	syn.options.window_scale = (uint8_t)(number % 15);
	syn.options.tsval = 77 * number;
	return syn;
}

#define KINDS_PORT 41000

/* More kinds of SYNs in one burst than there is room for, over both IP versions in turn. */
static void
each_kind_of_syn_in_a_burst_gets_what_it_asked_for(void **state)
{
	struct build_path path;
	struct rig rig;
	struct rig_frame answer;
	unsigned int answers = 0;

	(void)state;
	rig_init(&rig, cookie_settings, 1);
	for (unsigned int i = 0; i < 48; i++) {
		const struct build_tcp syn = syn_of_kind(i);

		rig_path(&rig, &path, i & 8 ? 6 : 4, (uint16_t)(KINDS_PORT + i), 80);
		rig_put_tcp(&rig, &path, &syn, "", 0);
	}
	rig_turn(&rig);
	while (rig_take(&rig, &answer)) {
		const uint8_t *ports = answer.bytes + answer.frame.l4_offset;
		const unsigned int i = (unsigned int)(ports[2] << 8 | ports[3]) - KINDS_PORT;
		struct build_tcp syn = syn_of_kind(i);
		const uint8_t options = syn.options.options;

		answers++;
		assert_int_equal(answer.frame.family, i & 8 ? 6 : 4);
		assert_int_equal(answer.segment.flags, TCP_SYN | TCP_ACK);
		assert_int_equal(answer.segment.ack, syn.seq + 1);
		assert_int_equal(answer.segment.options, options);
		assert_int_equal(answer.segment.mss, i & 8 ? 1440 : 1460);
		syn.flags = TCP_ACK;
		syn.seq++;
		syn.ack = answer.segment.seq + 1;
		syn.options.options = options & TCP_OPTION_TIMESTAMPS;
		syn.options.tsecr = answer.segment.tsval;
		rig_path(&rig, &path, i & 8 ? 6 : 4, (uint16_t)(KINDS_PORT + i), 80);
		rig_put_tcp(&rig, &path, &syn, "", 0);
	}
	assert_int_equal(answers, 48);
	rig_turn(&rig);
	assert_int_equal(rig_counter(&rig, COUNTER_syn_cookies_sent), 48);
	assert_int_equal(rig_counter(&rig, COUNTER_syn_cookies_opened), 48);
	rig_free(&rig);
}

#define ROW 40

/* One of a row of SYNs; some are of another kind. */
static struct build_tcp
syn_in_row(unsigned int kind, unsigned int i)
{
	struct build_tcp syn = syn_of_kind(i == 6 ? kind ^ 1 : kind);

	syn.seq = 0xfffff000 + 1000 * i;
	syn.options.tsval = 77 * i;
	return syn;
}

static void
put_row(struct rig *rig, unsigned int family, unsigned int kind)
{
	struct build_path path;

	for (unsigned int i = 0; i < ROW; i++) {
		const struct build_tcp syn = syn_in_row(kind, i);

		rig_path(rig, &path, family, (uint16_t)(KINDS_PORT + i), 80);
		if (i == 35) /* Nobody's. */
			path.local_port = 0;
		rig_put_tcp(rig, &path, &syn, "", 0);
	}
	rig_turn(rig);
}

/* Take SYN-ACKs and send what opens. @return how many there were. */
static unsigned int
open_row(struct rig *rig, unsigned int family, unsigned int kind)
{
	struct rig_frame answer;
	struct build_path path;
	unsigned int answers = 0;

	while (rig_take(rig, &answer)) {
		const uint8_t *ports = answer.bytes + answer.frame.l4_offset;
		const unsigned int i = (unsigned int)(ports[2] << 8 | ports[3]) - KINDS_PORT;
		struct build_tcp next = syn_in_row(kind, i);

		answers++;
		assert_int_equal(answer.segment.flags, TCP_SYN | TCP_ACK);
		assert_int_equal(answer.segment.ack, next.seq + 1);
		assert_int_equal(answer.segment.options, next.options.options);
		if ((next.options.options & TCP_OPTION_TIMESTAMPS) != 0)
			assert_int_equal(answer.segment.tsecr, next.options.tsval);
		next.flags = TCP_ACK;
		next.seq++;
		next.ack = answer.segment.seq + 1;
		next.options.options &= TCP_OPTION_TIMESTAMPS;
		next.options.tsecr = answer.segment.tsval;
		rig_path(rig, &path, family, (uint16_t)(KINDS_PORT + i), 80);
		rig_put_tcp(rig, &path, &next, "", 0);
	}
	rig_turn(rig);
	return answers;
}

/* The first one shows where they go; then those of a row are parsed and answered at once. */
static void
syns_in_a_row_get_cookies_of_their_own(void **state)
{
	struct rig rig;
	struct client client;

	(void)state;
	for (unsigned int kind = 0; kind < 16; kind++) {
		const unsigned int family = kind & 8 ? 6 : 4;

		rig_init(&rig, cookie_settings, 1);
		client_syn(&client, &rig, family, 80, &client_linux_syn);
		put_row(&rig, family, kind);
		assert_int_equal(open_row(&rig, family, kind), ROW - 1);
		assert_int_equal(rig_counter(&rig, COUNTER_syn_cookies_sent), ROW);
		assert_int_equal(rig_counter(&rig, COUNTER_syn_cookies_opened), ROW - 1);
		assert_int_equal(rig_connections(&rig), ROW - 1);
		rig_free(&rig);
	}
}

/*
 * A SYN from a port of a client's, with so many words of IP options that mean nothing; port 0 says
 * it to another machine.
 */
static void
put_syn_behind_options(struct rig *rig, uint16_t port, unsigned int words)
{
	const struct build_tcp tcp = {
			.seq = 1000, .window = 1000, .flags = TCP_SYN, .options = client_linux_syn};
	uint8_t bytes[RIG_FRAME_MAX], *ip = bytes + sizeof(struct rte_ether_hdr);
	struct build_lengths lengths;
	struct build_path path;
	unsigned int total;
	uint16_t sum;

	rig_path(rig, &path, 4, port, 80);
	total = build_tcp(bytes, &path, &tcp, 0, BUILD_CHECKSUM_SOFTWARE, &lengths);
	memmove(ip + 20 + words * 4, ip + 20, total - 34);
	memset(ip + 20, 1, words * 4);
	total += words * 4;
	bytes[5] ^= port == 0;
	ip[0] = (uint8_t)(0x45 + words);
	ip[3] = (uint8_t)(total - 14);
	memset(ip + 10, 0, 2);
	sum = checksum_finish(checksum_add(0, ip, 20 + words * 4));
	memcpy(ip + 10, &sum, sizeof(sum));
	rig_put(rig, bytes, total);
}

/* What was dropped before it must not make it one of those that are answered all alike. */
static void
syn_with_ip_options_behind_usual_ones_is_answered(void **state)
{
	const struct build_tcp reset = {.seq = 1, .flags = TCP_RST};
	struct rig rig;
	struct rig_frame frame;
	struct build_path path;

	(void)state;
	rig_init(&rig, cookie_settings, 1);
	put_syn_behind_options(&rig, 2000, 0);
	rig_turn(&rig);
	assert_true(rig_take(&rig, &frame));
	put_syn_behind_options(&rig, 0, 0);
	rig_path(&rig, &path, 4, 3000, 80);
	rig_put_tcp(&rig, &path, &reset, NULL, 0);
	for (uint16_t port = 2001; port < 2016; port++)
		put_syn_behind_options(&rig, port, port == 2010);
	rig_turn(&rig);
	assert_int_equal(rig_counter(&rig, COUNTER_syn_cookies_sent), 16);
	for (uint64_t ports = 0x7fff; ports != 0;) {
		uint16_t port;

		assert_true(rig_take(&rig, &frame));
		assert_int_equal(frame.segment.flags, TCP_SYN | TCP_ACK);
		assert_int_equal(frame.segment.ack, 1001);
		memcpy(&port, frame.bytes + frame.frame.l4_offset + 2, sizeof(port));
		port = (uint16_t)(rte_be_to_cpu_16(port) - 2001);
		assert_true(port < 15 && (ports >> port & 1) != 0);
		ports &= ~(UINT64_C(1) << port);
	}
	rig_free(&rig);
}

static void
forged_ack_is_reset_and_opens_nothing(void **state)
{
	struct rig rig;
	struct client client;

	(void)state;
	rig_init(&rig, cookie_settings, 1);
	client_syn(&client, &rig, 4, 80, &client_linux_syn);
	for (unsigned int bit = 0; bit < 32; bit++) {
		client.next.ack ^= 1u << bit;
		client_put(&client, TCP_ACK, "");
		assert_int_equal(client_hear(&client), 1);
		assert_int_equal(client.heard.segment.flags, TCP_RST);
		assert_int_equal(client.heard.segment.seq, client.next.ack);
		client.next.ack ^= 1u << bit;
	}
	assert_int_equal(rig_connections(&rig), 0);
	/* The right one still opens. */
	client_put(&client, TCP_ACK, "");
	assert_int_equal(client_hear(&client), 0);
	assert_int_equal(rig_connections(&rig), 1);
	rig_free(&rig);
}

static void
reset_and_syn_ack_with_its_number_open_nothing(void **state)
{
	static const uint8_t flags[] = {TCP_RST, TCP_RST | TCP_ACK, TCP_SYN | TCP_ACK};
	struct rig rig;
	struct client client;

	(void)state;
	rig_init(&rig, cookie_settings, 1);
	client_syn(&client, &rig, 4, 80, &client_linux_syn);
	for (unsigned int i = 0; i < RTE_DIM(flags); i++) {
		client_put(&client, flags[i], "");
		/* A reset is never answered; a SYN,ACK to a listener is, by one. */
		assert_int_equal(client_hear(&client), (flags[i] & TCP_RST) != 0 ? 0 : 1);
		assert_int_equal(rig_connections(&rig), 0);
	}
	assert_int_equal(client.heard.segment.flags, TCP_RST);
	rig_free(&rig);
}

static void
cookie_is_bound_to_ports_and_to_the_clients_isn(void **state)
{
	struct rig rig;
	struct client client;

	(void)state;
	rig_init(&rig, cookie_settings, 1);
	client_syn(&client, &rig, 4, 80, &client_linux_syn);
	client.path.local_port = rte_cpu_to_be_16(CLIENT_FIRST_PORT + 1);
	client_put(&client, TCP_ACK, "");
	assert_int_equal(client_hear(&client), 1);
	assert_int_equal(client.heard.segment.flags, TCP_RST);
	client.path.local_port = rte_cpu_to_be_16(CLIENT_FIRST_PORT);
	client.next.seq++;
	client.next.ack++; /* Both moved by one: a closed connection's last ACK. */
	client_put(&client, TCP_ACK, "");
	assert_int_equal(client_hear(&client), 1);
	assert_int_equal(client.heard.segment.flags, TCP_RST);
	assert_int_equal(rig_connections(&rig), 0);
	rig_free(&rig);
}

static void
lost_third_segment_is_made_up_for_by_text_or_fin(void **state)
{
	struct rig rig;
	struct client client;

	(void)state;
	rig_init(&rig, cookie_settings, 1);
	client_syn(&client, &rig, 4, 80, &client_linux_syn);
	client_put(&client, TCP_FIN | TCP_ACK, "GET / HTTP/1.0\r\n\r\n");
	assert_int_equal(client_hear(&client), 1);
	assert_true((client.heard.segment.flags & TCP_FIN) != 0);
	rig_free(&rig);
}

static void
ack_and_text_in_one_burst_open_one_connection(void **state)
{
	struct rig rig;
	struct client client;

	(void)state;
	rig_init(&rig, cookie_settings, 1);
	client_syn(&client, &rig, 4, 80, &client_linux_syn);
	client_put(&client, TCP_ACK, "");
	client_put(&client, TCP_ACK, "GET / HTTP/1.0\r\n");
	client.next.seq += 16;
	client_put(&client, TCP_ACK, "\r\n");
	assert_int_equal(client_hear(&client), 1);
	assert_int_equal(rig_counter(&rig, COUNTER_opened), 1);
	assert_int_equal(rig_counter(&rig, COUNTER_syn_cookies_bad), 0);
	assert_int_equal(rig_connections(&rig), 1);
	rig_free(&rig);
}

static void
syn_behind_the_ack_in_one_burst_is_challenged(void **state)
{
	struct rig rig;
	struct client client;

	(void)state;
	rig_init(&rig, cookie_settings, 1);
	client_syn(&client, &rig, 4, 80, &client_linux_syn);
	client_put(&client, TCP_ACK, "");
	client_put(&client, TCP_SYN, "");
	assert_int_equal(client_hear(&client), 1);
	assert_int_equal(client.heard.segment.flags, TCP_ACK);
	assert_int_equal(rig_connections(&rig), 1);
	rig_free(&rig);
}

static void
copy_of_the_ack_opens_a_closed_connection_no_more(void **state)
{
	struct rig rig;
	struct client client;
	struct build_tcp third;

	(void)state;
	rig_init(&rig, cookie_settings, 1);
	client_syn(&client, &rig, 4, 80, &client_linux_syn);
	third = client.next;
	client_put(&client, TCP_ACK, "");
	assert_int_equal(client_hear(&client), 0);
	client_put(&client, TCP_RST, "");
	assert_int_equal(client_hear(&client), 0);
	assert_int_equal(rig_connections(&rig), 0);
	client.next = third;
	client_put(&client, TCP_ACK, "");
	assert_int_equal(client_hear(&client), 1);
	assert_int_equal(client.heard.segment.flags, TCP_RST);
	assert_int_equal(rig_connections(&rig), 0);
	/* A new SYN of the same flow is welcome, and kept. */
	client_syn(&client, &rig, 4, 80, &client_linux_syn);
	assert_int_equal(rig_connections(&rig), 1);
	assert_int_equal(rig_counter(&rig, COUNTER_syn_cookies_sent), 1);
	/* When the cookie is too old by itself, the flow is forgotten. */
	client_put(&client, TCP_RST, "");
	rig_wait_ms(&rig, SYNCOOKIE_SPENT_S * 1000 + 1000);
	client_syn(&client, &rig, 4, 80, &client_linux_syn);
	assert_int_equal(rig_connections(&rig), 0);
	assert_int_equal(rig_counter(&rig, COUNTER_syn_cookies_sent), 2);
	rig_free(&rig);
}

static void
where_no_cookie_was_sent_none_is_looked_for(void **state)
{
	struct rig rig;
	struct client client;

	(void)state;
	rig_init(&rig, cookie_settings, 1);
	client_syn(&client, &rig, 4, 82, &client_linux_syn);
	assert_int_equal(rig_connections(&rig), 1);
	client.path.local_port = rte_cpu_to_be_16(CLIENT_FIRST_PORT + 1);
	client_put(&client, TCP_ACK, "");
	assert_int_equal(client_hear(&client), 1);
	assert_int_equal(rig_counter(&rig, COUNTER_syn_cookies_bad), 0);
	rig_free(&rig);
}

/* SYNs from many ports. */
static void
flood(struct rig *rig, struct client *client, unsigned int syns)
{
	for (unsigned int i = 0; i < syns; i++) {
		rig_path(rig, &client->path, 4, (uint16_t)(1024 + i), 81);
		client_put(client, TCP_SYN, "");
		rig_turn(rig);
		while (rig_take(rig, &client->heard))
			;
	}
}

static void
auto_begins_at_the_backlog_and_ends_below_half(void **state)
{
	struct rig rig;
	struct client client = {.rig = &rig};

	(void)state;
	rig_init(&rig, cookie_settings, 1);
	client.next = (struct build_tcp){.seq = 1, .window = 1000, .options = client_linux_syn};
	flood(&rig, &client, 1000);
	/* Memory is bounded: the rest got cookies. */
	assert_int_equal(rig_connections(&rig), BACKLOG);
	assert_int_equal(rig_counter(&rig, COUNTER_syn_cookies_sent), 1000 - BACKLOG);
	/* A client in the middle of it gets in. */
	client_syn(&client, &rig, 4, 81, &client_linux_syn);
	assert_int_equal(rig_connections(&rig), BACKLOG);
	client_put(&client, TCP_ACK, "");
	assert_int_equal(client_hear(&client), 0);
	assert_int_equal(rig_connections(&rig), BACKLOG + 1);
	/* The half-open ones are given up after a while; then a SYN is kept again. */
	rig_wait_ms(&rig, 64000);
	while (rig_take(&rig, &client.heard))
		;
	client.next = (struct build_tcp){.seq = 1, .window = 1000, .options = client_linux_syn};
	flood(&rig, &client, 1);
	assert_int_equal(rig_counter(&rig, COUNTER_syn_cookies_sent), 1000 - BACKLOG + 1);
	rig_free(&rig);
}

/* An engine that has the secret in @p path. */
static void
start_node(struct rig *rig, const char *path)
{
	char settings[2048];

	snprintf(settings, sizeof(settings),
			"engine: {connections: 4096, echo_buffers: 64, secret: \"%s\"}\n%s", path,
			strchr(cookie_settings, '\n') + 1);
	rig_init(rig, settings, 1);
}

static void
another_node_with_the_secret_opens(void **state)
{
	char path[] = "/tmp/handfast-secret-XXXXXX";
	const int file = mkstemp(path); /* mode 0600 */
	struct rig rig;
	struct client client;
	uint32_t tsval;

	(void)state;
	assert_true(file >= 0);
	assert_int_equal(write(file, "zyxwvutsrqponmlkjihgZYXWVUTSRQPO", 32), 32);
	close(file);
	for (unsigned int timestamps = 0; timestamps < 2; timestamps++) {
		struct tcp_options options = client_linux_syn;

		if (timestamps == 0)
			options.options &= (uint8_t)~TCP_OPTION_TIMESTAMPS;
		start_node(&rig, path);
		client_syn(&client, &rig, 4, 80, &options);
		tsval = client.heard.segment.tsval;
		rig_free(&rig);
		start_node(&rig, path);
		client.rig = &rig;
		client_put(&client, TCP_ACK, "GET / HTTP/1.0\r\n\r\n");
		assert_int_equal(client_hear(&client), 1);
		assert_int_equal(client.heard.segment.flags, TCP_ACK | TCP_PSH | TCP_FIN);
		/* Its clock goes on where the other's stood. */
		if (timestamps != 0)
			assert_true((int32_t)(client.heard.segment.tsval - tsval) >= 0);
		rig_free(&rig);
	}
	/* A node with a secret of its own refuses the same ACK. */
	rig_init(&rig, cookie_settings, 1);
	client.rig = &rig;
	client_put(&client, TCP_ACK, "");
	assert_int_equal(client_hear(&client), 1);
	assert_int_equal(client.heard.segment.flags, TCP_RST);
	rig_free(&rig);
	unlink(path);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(nothing_is_kept_until_the_cookie_comes_back),
			cmocka_unit_test(options_survive_with_and_without_timestamps),
			cmocka_unit_test(each_kind_of_syn_in_a_burst_gets_what_it_asked_for),
			cmocka_unit_test(syns_in_a_row_get_cookies_of_their_own),
			cmocka_unit_test(syn_with_ip_options_behind_usual_ones_is_answered),
			cmocka_unit_test(forged_ack_is_reset_and_opens_nothing),
			cmocka_unit_test(reset_and_syn_ack_with_its_number_open_nothing),
			cmocka_unit_test(cookie_is_bound_to_ports_and_to_the_clients_isn),
			cmocka_unit_test(lost_third_segment_is_made_up_for_by_text_or_fin),
			cmocka_unit_test(ack_and_text_in_one_burst_open_one_connection),
			cmocka_unit_test(syn_behind_the_ack_in_one_burst_is_challenged),
			cmocka_unit_test(copy_of_the_ack_opens_a_closed_connection_no_more),
			cmocka_unit_test(where_no_cookie_was_sent_none_is_looked_for),
			cmocka_unit_test(another_node_with_the_secret_opens),
			cmocka_unit_test(auto_begins_at_the_backlog_and_ends_below_half),
	};

	(void)argc;
	rig_start_dpdk(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
