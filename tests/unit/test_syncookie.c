/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Cookies: what they remember, whom they believe, and how often a guess passes.
 *
 * `test_syncookie forge LOG2` counts over 2^LOG2 forged ACKs of each form, beside what the header
 * of syncookie.h promises, and with a number from 0 to 3 behind it one form alone.  The suite does
 * 2^26, and a few under sanitizers; 2^32 is a benchmark.
 */

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <rte_common.h>

#include "../tcp_defaults.h"
#include "cookie/syncookie.h"
#include "random.h"
#include "tcp/tcp_step.h"

#define SEED       20240611
#define NOW_MS     (UINT64_C(1700000000) / 32 * 32 * 1000 + 5000) /* Five seconds into an epoch. */
#define ALL        (TCP_OPTION_WINDOW_SCALE | TCP_OPTION_SACK_PERMITTED | TCP_OPTION_TIMESTAMPS)
#define NO_SCALE   255
#define FORGE_LOG2 22

static struct secret *secret, *other_secret;
static struct syncookie_keys keys;
static uint64_t noise = SEED;

static uint64_t
random_64(void)
{
	return random_next(&noise);
}

/* A client and what it says, from SYN to ACK. */
struct client {
	struct flow_key flow;
	struct tcp_segment syn;
	struct tcp_segment ack;
	struct syncookie_request request;
	struct syncookie cookie;
};

static void
client_init(struct client *client, bool ipv4, bool timestamps)
{
	const rte_be32_t address = htonl(0x0a000000 | (uint32_t)(random_64() & 0xffffff));

	*client = (struct client){0};
	for (unsigned int i = 0; i < 16; i++)
		client->flow.address[i] = (uint8_t)random_64();
	if (ipv4)
		flow_key_map_ipv4(client->flow.address, address);
	client->flow.port = (rte_be16_t)random_64();
	client->syn.flags = TCP_SYN;
	client->syn.seq = (uint32_t)random_64();
	client->syn.options = TCP_OPTION_MSS | TCP_OPTION_SACK_PERMITTED | TCP_OPTION_WINDOW_SCALE;
	client->syn.mss = ipv4 ? 1460 : 1440;
	client->syn.window_scale = 7;
	client->syn.window = 64240;
	if (timestamps)
		client->syn.options |= TCP_OPTION_TIMESTAMPS;
	client->syn.tsval = (uint32_t)random_64();
	client->request = (struct syncookie_request){
			.flow = &client->flow,
			.endpoint = random_64() >> 16,
			.ts_clock = (uint32_t)random_64(),
			.options = ALL,
			.ecn = true,
	};
}

/* The SYN, and the ACK that an honest client answers with. */
static bool
client_open(struct client *client, const struct syncookie_keys *with)
{
	bool made;

	client->request.segment = &client->syn;
	made = syncookie_make_bulk(with, &client->request, 1, &client->cookie);
	client->ack = (struct tcp_segment){
			.flags = TCP_ACK,
			.seq = client->syn.seq + 1,
			.ack = client->cookie.isn + 1,
			.window = 502,
	};
	if ((client->cookie.options & TCP_OPTION_TIMESTAMPS) != 0) {
		client->ack.options = TCP_OPTION_TIMESTAMPS;
		client->ack.tsval = client->syn.tsval + 20;
		client->ack.tsecr = client->cookie.tsval;
	}
	client->request.segment = &client->ack;
	return made;
}

static enum syncookie_verdict
client_verdict(const struct client *client, const struct syncookie_keys *with,
		struct tcp_segment *syn)
{
	uint8_t verdict;
	uint64_t good = syncookie_check_bulk(with, &client->request, 1, syn, &verdict);

	assert_int_equal(good, verdict == SYNCOOKIE_GOOD);
	return verdict;
}

static enum syncookie_verdict
verdict_of(const struct client *client, const struct syncookie_keys *with)
{
	struct tcp_segment syn;

	return client_verdict(client, with, &syn);
}

static void
derive(struct syncookie_keys *to, const struct secret *active, const struct secret *accepted,
		uint64_t unix_ms)
{
	assert_true(syncookie_keys_derive(to, active, accepted, unix_ms));
}

/* Always the same, so that a failure comes again. */
static struct secret *
secret_from_noise(void)
{
	char path[] = "/tmp/test_syncookie.XXXXXX";
	struct secret_problem problem;
	struct secret *made;
	int file = mkstemp(path);

	assert_true(file >= 0);
	for (unsigned int i = 0; i < 4; i++) {
		const uint64_t word = random_64();

		assert_int_equal(write(file, &word, sizeof(word)), sizeof(word));
	}
	close(file);
	made = secret_load(path, &problem);
	unlink(path);
	assert_non_null(made);
	return made;
}

static int
setup(void **state)
{
	(void)state;
	secret = secret_from_noise();
	other_secret = secret_from_noise();
	derive(&keys, secret, NULL, NOW_MS);
	print_message("seed %d\n", SEED);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	secret_free(secret);
	secret_free(other_secret);
	return 0;
}

static void
honest_client_is_let_in(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 4000; i++) {
		struct client client;
		struct tcp_segment syn;

		client_init(&client, i & 1, i & 2);
		assert_true(client_open(&client, &keys));
		assert_int_equal(client_verdict(&client, &keys, &syn), SYNCOOKIE_GOOD);
		assert_int_equal(syn.seq, client.syn.seq);
		assert_int_equal(syn.flags, TCP_SYN);
		assert_int_equal(syn.options, client.syn.options);
		assert_int_equal(syn.tsval, i & 2 ? client.ack.tsval : 0);
		assert_true(syn.window <= (uint32_t)client.ack.window << syn.window_scale);
	}
}

/* The rules, which know nothing of cookies, open the connection from the SYN and the ACK. */
static void
rules_open_what_is_rebuilt(void **state)
{
	static const struct tcp_config config = {TCP_DEFAULTS, .idle_timeout_ms = 60000};

	(void)state;
	for (unsigned int i = 0; i < 8; i++) {
		struct tcp_conn conn = {.state = TCP_LISTEN};
		struct client client;
		struct tcp_segment syn;
		struct tcp_env env = {.config = &config, .rcv_wnd = 65535, .path_mss = 1460};

		client_init(&client, i & 1, i & 2);
		client_open(&client, &keys);
		client.ack.payload_length = i & 4 ? 100 : 0;
		assert_int_equal(client_verdict(&client, &keys, &syn), SYNCOOKIE_GOOD);
		env.isn = client.ack.ack - 1;
		env.ts_clock = client.request.ts_clock + 20;
		tcp_step(&conn, tcp_step_event(syn.flags), &syn, &env);
		assert_int_equal(conn.state, TCP_SYN_RCVD);
		tcp_step(&conn, tcp_step_event(client.ack.flags), &client.ack, &env);
		assert_int_equal(conn.state, TCP_ESTABLISHED);
		assert_int_equal(conn.rcv_nxt, client.ack.seq + client.ack.payload_length);
		assert_int_equal(conn.snd_nxt, client.ack.ack);
		assert_int_equal(conn.mss, (i & 1 ? 1460 : 1440) - (i & 2 ? 12 : 0));
		assert_int_equal(conn.scales & 0xf, i & 2 ? 7 : 6);
		assert_int_equal(conn.snd_wnd, 502);
		assert_int_equal(conn.flags & TCP_CONN_TIMESTAMPS, i & 2 ? TCP_CONN_TIMESTAMPS : 0);
		assert_true(conn.flags & TCP_CONN_SACK);
	}
}

static void
data_and_fin_do_not_matter(void **state)
{
	struct client client;

	(void)state;
	client_init(&client, true, false);
	client_open(&client, &keys);
	client.ack.flags |= TCP_FIN | TCP_PSH;
	client.ack.payload_length = 1000;
	assert_int_equal(verdict_of(&client, &keys), SYNCOOKIE_GOOD);
}

/* The hashed bytes, as the header says them, put together without any of the code under test. */
static uint32_t
plain_isn(const struct client *client, uint32_t epoch, uint32_t mss, uint32_t win, uint32_t ts_bits,
		bool timestamps)
{
	const uint32_t code = timestamps ? 0x8000 | mss << 6 | ts_bits : mss << 6 | win;
	const unsigned int bits = timestamps ? 27 : 24;
	uint8_t message[31];
	struct siphash_key key;
	uint32_t isn;

	memcpy(message, client->flow.address, 16);
	message[16] = (uint8_t)ntohs(client->flow.port);
	message[17] = (uint8_t)(ntohs(client->flow.port) >> 8);
	for (unsigned int i = 0; i < 6; i++)
		message[18 + i] = (uint8_t)(client->request.endpoint >> (8 * i));
	for (unsigned int i = 0; i < 4; i++)
		message[24 + i] = (uint8_t)(client->syn.seq >> (8 * i));
	for (unsigned int i = 0; i < 3; i++)
		message[28 + i] = (uint8_t)(code >> (8 * i));
	assert_true(secret_derive(secret, "handfast syncookie epoch", epoch, &key));
	isn = (uint32_t)siphash_24(&key, message, sizeof(message)) & ((1u << bits) - 1);
	isn |= epoch << 30 | mss << 27 | (timestamps ? 0 : win << 24);
	return isn ^ isn << bits;
}

static void
layout_is_what_the_header_draws(void **state)
{
	const uint32_t epoch = (uint32_t)(NOW_MS / 32000);
	struct client client;

	(void)state;
	client_init(&client, true, false);
	client_open(&client, &keys);
	assert_int_equal(client.cookie.isn, plain_isn(&client, epoch, 6, 6, 0, false));
	client_init(&client, false, true);
	client.syn.flags |= TCP_ECE | TCP_CWR;
	client_open(&client, &keys);
	assert_int_equal(client.cookie.isn, plain_isn(&client, epoch, 6, 0, 0x37, true));
	assert_int_equal(client.cookie.tsval & 63, 0x37);
}

static void
any_flipped_bit_is_refused(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 400; i++) {
		for (unsigned int bit = 0; bit < 32; bit++) {
			struct client client;

			client_init(&client, i & 1, i & 2);
			client_open(&client, &keys);
			client.ack.ack = (client.cookie.isn ^ 1u << bit) + 1;
			assert_int_not_equal(verdict_of(&client, &keys), SYNCOOKIE_GOOD);
			client.ack.ack = client.cookie.isn + 1;
			client.ack.seq ^= 1u << bit;
			assert_int_not_equal(verdict_of(&client, &keys), SYNCOOKIE_GOOD);
		}
	}
}

static void
options_in_tsecr_cannot_be_changed(void **state)
{
	(void)state;
	for (unsigned int bit = 0; bit < 6; bit++) {
		struct client client;

		client_init(&client, true, true);
		client_open(&client, &keys);
		client.ack.tsecr ^= 1u << bit;
		assert_int_equal(verdict_of(&client, &keys), SYNCOOKIE_BAD);
	}
}

static void
bound_to_addresses_and_ports(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		struct client client;

		client_init(&client, i & 1, i & 2);
		client_open(&client, &keys);
		for (unsigned int bit = 0; bit < 128; bit++) {
			client.flow.address[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_int_not_equal(verdict_of(&client, &keys), SYNCOOKIE_GOOD);
			client.flow.address[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		for (unsigned int bit = 0; bit < 16; bit++) {
			client.flow.port ^= (rte_be16_t)(1u << bit);
			assert_int_not_equal(verdict_of(&client, &keys), SYNCOOKIE_GOOD);
			client.flow.port ^= (rte_be16_t)(1u << bit);
		}
		for (unsigned int bit = 0; bit < 48; bit++) {
			client.request.endpoint ^= UINT64_C(1) << bit;
			assert_int_not_equal(verdict_of(&client, &keys), SYNCOOKIE_GOOD);
			client.request.endpoint ^= UINT64_C(1) << bit;
		}
		assert_int_equal(verdict_of(&client, &keys), SYNCOOKIE_GOOD);
	}
}

static void
endpoints_differ_by_address_and_port(void **state)
{
	uint8_t a[16], b[16];
	uint64_t end;

	(void)state;
	flow_key_map_ipv4(a, htonl(0x0a090002));
	flow_key_map_ipv4(b, htonl(0x0a090003));
	end = syncookie_endpoint(a, htons(80));
	assert_int_equal(end >> 48, 0);
	assert_int_equal(end, syncookie_endpoint(a, htons(80)));
	assert_int_not_equal(end, syncookie_endpoint(a, htons(81)));
	assert_int_not_equal(end, syncookie_endpoint(b, htons(80)));
}

static void
numbers_moved_together_are_refused(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		for (int32_t step = -1000; step <= 1000; step++) {
			struct client client;

			client_init(&client, true, i & 1);
			client_open(&client, &keys);
			client.ack.seq += (uint32_t)step;
			client.ack.ack += (uint32_t)step;
			assert_int_equal(verdict_of(&client, &keys) == SYNCOOKIE_GOOD, step == 0);
		}
	}
}

static void
forms_are_not_exchangeable(void **state)
{
	struct client client;

	(void)state;
	for (unsigned int i = 0; i < 1000; i++) {
		client_init(&client, true, i & 1);
		client_open(&client, &keys);
		client.ack.options ^= TCP_OPTION_TIMESTAMPS;
		client.ack.tsecr = (uint32_t)random_64();
		assert_int_not_equal(verdict_of(&client, &keys), SYNCOOKIE_GOOD);
	}
}

static void
unwanted_timestamps_are_not_looked_at(void **state)
{
	struct client client;
	struct tcp_segment syn;

	(void)state;
	client_init(&client, true, true);
	client.request.options = TCP_OPTION_WINDOW_SCALE;
	client_open(&client, &keys);
	assert_int_equal(client.cookie.options, TCP_OPTION_WINDOW_SCALE);
	client.ack.options = TCP_OPTION_TIMESTAMPS;
	assert_int_equal(client_verdict(&client, &keys, &syn), SYNCOOKIE_GOOD);
	assert_int_equal(syn.options, TCP_OPTION_MSS | TCP_OPTION_WINDOW_SCALE);
}

static void
mss_is_never_rounded_up(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 4 * 65536; i++) {
		const uint16_t mss = (uint16_t)i;
		const bool ipv4 = i >> 16 & 1;
		struct client client;
		struct tcp_segment syn;
		bool made;

		client_init(&client, ipv4, i >> 17);
		client.syn.mss = mss;
		made = client_open(&client, &keys);
		assert_int_equal(made, mss >= (ipv4 ? 216 : 536));
		if (!made)
			continue;
		assert_int_equal(client_verdict(&client, &keys, &syn), SYNCOOKIE_GOOD);
		assert_true(syn.mss <= mss);
		if (mss >= (ipv4 ? 1360 : 1220) && mss <= 1460)
			assert_true(mss - syn.mss < 80);
	}
}

static void
table_sizes_are_exact(void **state)
{
	static const uint16_t sizes[2][8] = {{216, 536, 1200, 1360, 1400, 1440, 1460, 8960},
			{536, 1220, 1280, 1360, 1400, 1420, 1440, 8940}};

	(void)state;
	for (unsigned int i = 0; i < 16; i++) {
		struct client client;
		struct tcp_segment syn;

		client_init(&client, i / 8 == 0, i & 1);
		client.syn.mss = sizes[i / 8][i % 8];
		assert_true(client_open(&client, &keys));
		assert_int_equal(client_verdict(&client, &keys, &syn), SYNCOOKIE_GOOD);
		assert_int_equal(syn.mss, client.syn.mss);
	}
}

static void
absent_mss_is_the_default_one(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		struct client client;
		struct tcp_segment syn;

		client_init(&client, i & 1, i & 2);
		client.syn.options &= (uint8_t)~TCP_OPTION_MSS;
		assert_true(client_open(&client, &keys));
		assert_int_equal(client_verdict(&client, &keys, &syn), SYNCOOKIE_GOOD);
		assert_int_equal(syn.mss, i & 1 ? 536 : 1220);
	}
}

/* What comes back of a window scale, NO_SCALE meaning none; the other options are exact. */
static unsigned int
scale_through_cookie(unsigned int scale, bool sack, bool timestamps)
{
	struct client client;
	struct tcp_segment syn;

	client_init(&client, true, timestamps);
	client.syn.window_scale = (uint8_t)scale;
	if (scale == NO_SCALE)
		client.syn.options &= (uint8_t)~TCP_OPTION_WINDOW_SCALE;
	if (!sack)
		client.syn.options &= (uint8_t)~TCP_OPTION_SACK_PERMITTED;
	client_open(&client, &keys);
	assert_int_equal(client_verdict(&client, &keys, &syn), SYNCOOKIE_GOOD);
	assert_int_equal(syn.options, client.syn.options);
	assert_int_equal(client.cookie.options, client.syn.options & ALL);
	return (syn.options & TCP_OPTION_WINDOW_SCALE) != 0 ? syn.window_scale : NO_SCALE;
}

static void
window_scale_zero_is_not_its_absence(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		assert_int_equal(scale_through_cookie(0, i & 1, i & 2), 0);
		assert_int_equal(scale_through_cookie(NO_SCALE, i & 1, i & 2), NO_SCALE);
	}
}

static void
window_scale_is_exact_with_timestamps(void **state)
{
	(void)state;
	for (unsigned int scale = 0; scale <= 20; scale++)
		for (unsigned int sack = 0; sack < 2; sack++)
			assert_int_equal(scale_through_cookie(scale, sack, true),
					RTE_MIN(scale, 14u));
}

static void
window_scale_is_rounded_down_without(void **state)
{
	(void)state;
	for (unsigned int scale = 0; scale <= 20; scale++) {
		unsigned int with = scale_through_cookie(scale, true, false);
		unsigned int without = scale_through_cookie(scale, false, false);

		assert_true(with <= scale);
		assert_true(without <= with);
		if (scale <= 9)
			assert_true(scale - with <= 2);
	}
	assert_int_equal(scale_through_cookie(8, true, false), 8);
}

static void
ecn_is_remembered_with_timestamps_only(void **state)
{
	static const uint8_t flags[4] = {0, TCP_ECE, TCP_CWR, TCP_ECE | TCP_CWR};

	(void)state;
	for (unsigned int i = 0; i < 16; i++) {
		const bool ecn = (i & 3) == 3 && (i & 4) != 0 && (i & 8) != 0;
		struct client client;
		struct tcp_segment syn;

		client_init(&client, true, i & 4);
		client.syn.flags |= flags[i & 3];
		client.request.ecn = i & 8;
		client_open(&client, &keys);
		assert_int_equal(client_verdict(&client, &keys, &syn), SYNCOOKIE_GOOD);
		assert_int_equal(client.cookie.ecn, ecn);
		assert_int_equal(syn.flags, TCP_SYN | (ecn ? TCP_ECE | TCP_CWR : 0));
	}
}

static void
rebuilt_window_is_not_scaled(void **state)
{
	struct client client;
	struct tcp_segment syn;

	(void)state;
	client_init(&client, true, true);
	client_open(&client, &keys);
	assert_int_equal(client_verdict(&client, &keys, &syn), SYNCOOKIE_GOOD);
	assert_int_equal(syn.window, 502 << 7);
	client.ack.window = 513;
	assert_int_equal(client_verdict(&client, &keys, &syn), SYNCOOKIE_GOOD);
	assert_int_equal(syn.window, UINT16_MAX);
}

static void
tsval_never_goes_back(void **state)
{
	struct client client;
	uint32_t last = 0;

	(void)state;
	client_init(&client, true, true);
	client.request.ts_clock = UINT32_MAX - 500;
	for (unsigned int i = 0; i < 2000; i++, client.request.ts_clock += i % 3) {
		client_open(&client, &keys);
		assert_true(client.request.ts_clock - client.cookie.tsval < 64);
		assert_int_equal(client.cookie.tsval & 63, 7 | 0x10);
		assert_true(i == 0 || (int32_t)(client.cookie.tsval - last) >= 0);
		last = client.cookie.tsval;
	}
}

static void
retransmitted_syn_gets_the_same_isn(void **state)
{
	struct syncookie_keys later;
	struct client client;
	uint32_t isn;

	(void)state;
	client_init(&client, true, true);
	client_open(&client, &keys);
	isn = client.cookie.isn;
	derive(&later, secret, NULL, NOW_MS / 32000 * 32000 + 31999);
	client.request.ts_clock += 1000;
	client_open(&client, &later);
	assert_int_equal(client.cookie.isn, isn);
}

/* A cookie made now, judged by a node whose clock shows something else. */
static enum syncookie_verdict
judged_at(int64_t skew_ms, const struct secret *active, const struct secret *accepted,
		bool timestamps)
{
	struct syncookie_keys then;
	struct client client;

	client_init(&client, true, timestamps);
	client_open(&client, &keys);
	derive(&then, active, accepted, NOW_MS + (uint64_t)skew_ms);
	return verdict_of(&client, &then);
}

static void
cookies_expire(void **state)
{
	(void)state;
	for (int timestamps = 0; timestamps < 2; timestamps++) {
		/* Made five seconds into an epoch: good to the end of the next. */
		assert_int_equal(judged_at(0, secret, NULL, timestamps), SYNCOOKIE_GOOD);
		assert_int_equal(judged_at(32000, secret, NULL, timestamps), SYNCOOKIE_GOOD);
		assert_int_equal(judged_at(58999, secret, NULL, timestamps), SYNCOOKIE_GOOD);
		assert_int_equal(judged_at(59000, secret, NULL, timestamps), SYNCOOKIE_EXPIRED);
		assert_int_equal(judged_at(90999, secret, NULL, timestamps), SYNCOOKIE_EXPIRED);
		assert_int_equal(judged_at(91000, secret, NULL, timestamps), SYNCOOKIE_BAD);
	}
}

static void
clock_skew_of_an_epoch_is_tolerated(void **state)
{
	(void)state;
	for (int timestamps = 0; timestamps < 2; timestamps++) {
		assert_int_equal(judged_at(-5001, secret, NULL, timestamps), SYNCOOKIE_GOOD);
		assert_int_equal(judged_at(-32000, secret, NULL, timestamps), SYNCOOKIE_GOOD);
		assert_int_equal(judged_at(-37000, secret, NULL, timestamps), SYNCOOKIE_GOOD);
		assert_int_equal(judged_at(-37001, secret, NULL, timestamps), SYNCOOKIE_AHEAD);
		assert_int_equal(judged_at(-69000, secret, NULL, timestamps), SYNCOOKIE_AHEAD);
		assert_int_equal(judged_at(-69001, secret, NULL, timestamps), SYNCOOKIE_BAD);
	}
}

static void
foreign_secret_is_refused(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 1000; i++)
		assert_int_equal(judged_at(0, other_secret, NULL, i & 1), SYNCOOKIE_BAD);
}

/* Made with one secret, judged by a node anywhere else in the rotation. */
static void
rotation_loses_nothing(void **state)
{
	(void)state;
	for (int64_t now = -16000; now <= 16000; now += 500) {
		assert_int_equal(judged_at(now, secret, other_secret, now & 512), SYNCOOKIE_GOOD);
		assert_int_equal(judged_at(now, other_secret, secret, now & 512), SYNCOOKIE_GOOD);
	}
	/* Sixteen to forty-eight seconds; sooner than with one secret, and told apart. */
	assert_int_equal(judged_at(42999, other_secret, secret, false), SYNCOOKIE_GOOD);
	assert_int_equal(judged_at(43000, other_secret, secret, false), SYNCOOKIE_EXPIRED);
	assert_int_equal(judged_at(-21000, other_secret, secret, false), SYNCOOKIE_GOOD);
	assert_int_equal(judged_at(-21001, other_secret, secret, false), SYNCOOKIE_AHEAD);
}

static void
same_secret_twice_is_one_secret(void **state)
{
	(void)state;
	assert_int_equal(judged_at(58999, secret, secret, false), SYNCOOKIE_GOOD);
}

/* Keys that are accepted, of the four that E can select in each attempt. */
static unsigned int
accepted_keys(const struct syncookie_keys *of)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < 2 * SYNCOOKIE_SLOTS; i++)
		n += of->verdict[i / SYNCOOKIE_SLOTS][i % SYNCOOKIE_SLOTS] == SYNCOOKIE_GOOD;
	return n;
}

static void
never_more_than_four_keys_are_accepted(void **state)
{
	struct syncookie_keys some;

	(void)state;
	for (uint64_t now = NOW_MS; now < NOW_MS + 200000; now += 1000) {
		derive(&some, secret, NULL, now);
		assert_int_equal(accepted_keys(&some), 3);
		assert_true(some.until_ms > now && some.until_ms <= now + 16000);
		derive(&some, secret, other_secret, now);
		assert_int_equal(accepted_keys(&some), 4);
	}
}

static void
clocks_at_their_ends_work(void **state)
{
	static const uint64_t times[] = {0, 31999, 32000, 64000, 96000, UINT64_MAX / 2};

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(times); i++) {
		struct syncookie_keys then;
		struct client client;

		derive(&then, secret, NULL, times[i]);
		client_init(&client, true, i & 1);
		client.syn.seq = UINT32_MAX;
		client_open(&client, &then);
		assert_int_equal(client.ack.seq, 0);
		assert_int_equal(verdict_of(&client, &then), SYNCOOKIE_GOOD);
	}
}

/* Field by field: what is between them nobody writes. */
static void
assert_same_cookie(const struct syncookie *one, const struct syncookie *other)
{
	assert_int_equal(one->isn, other->isn);
	assert_int_equal(one->tsval, other->tsval);
	assert_int_equal(one->options, other->options);
	assert_int_equal(one->ecn, other->ecn);
}

/*
 * A burst of which every third ACK is spoilt, every fifth has a cookie of the other secret, and
 * every seventh SYN cannot have one.
 */
static void
check_burst(enum siphash_path path, unsigned int n)
{
	struct syncookie_keys other_keys, rotating;
	struct client *clients = calloc(n + 1, sizeof(*clients));
	struct syncookie_request *requests = malloc((n + 1) * sizeof(*requests));
	struct syncookie *cookies = calloc(n + 1, sizeof(*cookies));
	struct tcp_segment *syns = calloc(n + 1, sizeof(*syns));
	uint8_t *verdicts = malloc(n + 1);
	uint64_t made, good;

	derive(&other_keys, other_secret, NULL, NOW_MS);
	derive(&rotating, secret, other_secret, NOW_MS);
	for (unsigned int i = 0; i < n; i++) {
		client_init(&clients[i], random_64() & 1, random_64() & 1);
		clients[i].syn.mss = i % 7 == 3 ? 100 : clients[i].syn.mss;
		client_open(&clients[i], &keys);
		requests[i] = clients[i].request;
		requests[i].segment = &clients[i].syn;
	}
	made = syncookie_make_bulk_by(path, &keys, requests, n, cookies);
	for (unsigned int i = 0; i < n; i++) {
		assert_int_equal(made >> i & 1, i % 7 != 3);
		if (made >> i & 1)
			assert_same_cookie(&cookies[i], &clients[i].cookie);
		if (i % 5 == 2)
			client_open(&clients[i], &other_keys);
		clients[i].ack.ack += i % 3 == 1;
		requests[i].segment = &clients[i].ack;
	}
	verdicts[n] = 0x5a;
	good = syncookie_check_bulk_by(path, &rotating, requests, n, syns, verdicts);
	for (unsigned int i = 0; i < n; i++) {
		struct tcp_segment syn = {0};

		assert_int_equal(verdicts[i], client_verdict(&clients[i], &rotating, &syn));
		assert_int_equal(good >> i & 1, verdicts[i] == SYNCOOKIE_GOOD);
		assert_memory_equal(&syns[i], &syn, sizeof(syn));
		if (i % 7 != 3)
			assert_int_equal(verdicts[i] == SYNCOOKIE_GOOD, i % 3 != 1);
	}
	assert_int_equal(verdicts[n], 0x5a);
	assert_int_equal(n < 64 ? (made | good) >> n : 0, 0);
	free(clients);
	free(requests);
	free(cookies);
	free(syns);
	free(verdicts);
}

static void
every_path_and_burst_size_agree(void **state)
{
	(void)state;
	for (enum siphash_path path = 0; path < SIPHASH_PATHS; path++)
		for (unsigned int n = 0; n <= SYNCOOKIE_BURST_MAX; n++)
			if (siphash_path_available(path))
				check_burst(path, n);
}

static void
isns_spread_over_the_whole_space(void **state)
{
	unsigned int ones[32] = {0};

	(void)state;
	for (unsigned int i = 0; i < 4096; i++) {
		struct client client;

		client_init(&client, true, i & 1);
		client_open(&client, &keys);
		for (unsigned int bit = 0; bit < 32; bit++)
			ones[bit] += client.cookie.isn >> bit & 1;
	}
	/* Six standard deviations of 32 each. */
	for (unsigned int bit = 0; bit < 32; bit++)
		assert_in_range(ones[bit], 2048 - 192, 2048 + 192);
}

/* Forged ACKs from one client after the other, guessing ACK and TSecr; how many pass. */
static uint64_t
forge(const struct syncookie_keys *with, bool timestamps, uint64_t tries)
{
	struct syncookie_request requests[SYNCOOKIE_BURST_MAX];
	struct tcp_segment acks[SYNCOOKIE_BURST_MAX], syns[SYNCOOKIE_BURST_MAX];
	struct flow_key flows[SYNCOOKIE_BURST_MAX];
	uint8_t verdicts[SYNCOOKIE_BURST_MAX];
	struct client client;
	uint64_t passed = 0;

	client_init(&client, true, timestamps);
	client_open(&client, with);
	for (unsigned int i = 0; i < SYNCOOKIE_BURST_MAX; i++) {
		flows[i] = client.flow;
		acks[i] = client.ack;
		requests[i] = client.request;
		requests[i].flow = &flows[i];
		requests[i].segment = &acks[i];
	}
	for (uint64_t done = 0; done < tries; done += SYNCOOKIE_BURST_MAX) {
		for (unsigned int i = 0; i < SYNCOOKIE_BURST_MAX; i++) {
			const uint64_t guess = random_64();

			flows[i].port = (rte_be16_t)(done >> 6);
			acks[i].seq = (uint32_t)(done >> 22) + i;
			acks[i].ack = (uint32_t)guess;
			acks[i].tsecr = (uint32_t)(guess >> 32);
		}
		passed += (uint64_t)__builtin_popcountll(syncookie_check_bulk(
				with, requests, SYNCOOKIE_BURST_MAX, syns, verdicts));
	}
	return passed;
}

/* Expected 3/16, 1/4 and 1/43: more than this has a probability below 10^-3. */
static void
forged_acks_hardly_ever_pass(void **state)
{
	struct syncookie_keys rotating;

	(void)state;
	derive(&rotating, secret, other_secret, NOW_MS);
	assert_in_range(forge(&keys, false, UINT64_C(1) << FORGE_LOG2), 0, 3);
	assert_in_range(forge(&rotating, false, UINT64_C(1) << FORGE_LOG2), 0, 3);
	assert_in_range(forge(&keys, true, UINT64_C(1) << FORGE_LOG2), 0, 1);
}

/* Of all ISNs exactly those pass that have the one right MAC for what their upper bits say. */
static void
one_mac_for_each_key_and_options(void **state)
{
	(void)state;
	for (unsigned int timestamps = 0; timestamps < 2; timestamps++) {
		const unsigned int bits = timestamps ? 27 : 24;
		struct client client;
		unsigned int passed = 0;

		client_init(&client, true, timestamps);
		client_open(&client, &keys);
		for (uint32_t epoch = 0; epoch < 4; epoch++) {
			const uint32_t at = (uint32_t)(NOW_MS / 32000) - 2 + epoch;

			for (uint32_t top = 0; top < 1u << (30 - bits); top++) {
				const uint32_t mss = timestamps ? top : top >> 3;

				client.ack.ack = 1 + plain_isn(&client, at, mss, top & 7,
								     client.cookie.tsval & 63,
								     timestamps);
				passed += verdict_of(&client, &keys) == SYNCOOKIE_GOOD;
			}
		}
		assert_int_equal(passed, 3u << (30 - bits));
	}
}

/* How many pass, beside how many should, in all ways from @p first to @p last. */
static int
count_forgeries(unsigned int log2, unsigned int first, unsigned int last)
{
	struct syncookie_keys rotating;
	bool good = true;

	setup(NULL);
	derive(&rotating, secret, other_secret, NOW_MS);
	for (unsigned int i = first; i <= last; i++) {
		const bool timestamps = i & 1, two = i & 2;
		const double expected = (two ? 1.0 : 0.75) * (double)(UINT64_C(1) << log2) /
					(double)(1u << (timestamps ? 27 : 24));
		uint64_t passed = forge(two ? &rotating : &keys, timestamps, UINT64_C(1) << log2);

		/* Five standard deviations, and a bit for expectations near nothing. */
		good = good && ((double)passed - expected) * ((double)passed - expected) <
					       25 * expected + 25;
		printf("2^%u forged ACKs, %s timestamps, %s: %llu passed, %.1f expected\n", log2,
				timestamps ? "with" : "without", two ? "two secrets" : "one secret",
				(unsigned long long)passed, expected);
		fflush(stdout);
	}
	teardown(NULL);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(honest_client_is_let_in),
			cmocka_unit_test(rules_open_what_is_rebuilt),
			cmocka_unit_test(data_and_fin_do_not_matter),
			cmocka_unit_test(layout_is_what_the_header_draws),
			cmocka_unit_test(any_flipped_bit_is_refused),
			cmocka_unit_test(options_in_tsecr_cannot_be_changed),
			cmocka_unit_test(bound_to_addresses_and_ports),
			cmocka_unit_test(endpoints_differ_by_address_and_port),
			cmocka_unit_test(numbers_moved_together_are_refused),
			cmocka_unit_test(forms_are_not_exchangeable),
			cmocka_unit_test(unwanted_timestamps_are_not_looked_at),
			cmocka_unit_test(mss_is_never_rounded_up),
			cmocka_unit_test(table_sizes_are_exact),
			cmocka_unit_test(absent_mss_is_the_default_one),
			cmocka_unit_test(window_scale_zero_is_not_its_absence),
			cmocka_unit_test(window_scale_is_exact_with_timestamps),
			cmocka_unit_test(window_scale_is_rounded_down_without),
			cmocka_unit_test(ecn_is_remembered_with_timestamps_only),
			cmocka_unit_test(rebuilt_window_is_not_scaled),
			cmocka_unit_test(tsval_never_goes_back),
			cmocka_unit_test(retransmitted_syn_gets_the_same_isn),
			cmocka_unit_test(cookies_expire),
			cmocka_unit_test(clock_skew_of_an_epoch_is_tolerated),
			cmocka_unit_test(foreign_secret_is_refused),
			cmocka_unit_test(rotation_loses_nothing),
			cmocka_unit_test(same_secret_twice_is_one_secret),
			cmocka_unit_test(never_more_than_four_keys_are_accepted),
			cmocka_unit_test(clocks_at_their_ends_work),
			cmocka_unit_test(every_path_and_burst_size_agree),
			cmocka_unit_test(isns_spread_over_the_whole_space),
			cmocka_unit_test(one_mac_for_each_key_and_options),
			cmocka_unit_test(forged_acks_hardly_ever_pass),
	};

	/* The benchmarks' --quick has a few forged; a number, 0 to 3, is one way alone. */
	if (argc == 4 && strcmp(argv[3], "--quick") == 0)
		return count_forgeries(FORGE_LOG2, 0, 3);
	if (argc == 4 && strcmp(argv[1], "forge") == 0)
		return count_forgeries((unsigned int)atoi(argv[2]), (unsigned int)atoi(argv[3]) & 3,
				(unsigned int)atoi(argv[3]) & 3);
	if (argc == 3 && strcmp(argv[1], "forge") == 0)
		return count_forgeries((unsigned int)atoi(argv[2]), 0, 3);
	return cmocka_run_group_tests(tests, setup, teardown);
}
