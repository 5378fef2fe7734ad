/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Translation: every translated frame is read again by the parser, which finds a wrong checksum.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "random.h"
#include "splice/splice.h"
#include "tcp/flow_key.h"
#include "wire/build.h"
#include "wire/bytes.h"
#include "wire/checksum.h"

#define ROOM      64 /* in front of a frame, for a longer IP header */
#define FRAME_MAX 2048

/* A connection: what each side writes and what the other shall read. */
struct pair {
	struct splice splice;
	struct build_path client;              /* From the client to us. */
	struct build_path server;              /* From the server to us. */
	struct splice_ends ends[SPLICE_SIDES]; /* Of what each side sent, translated. */
};

/* A frame with room in front. */
struct packet {
	uint8_t buffer[ROOM + FRAME_MAX];
	uint8_t *data;
	unsigned int length;
	struct frame frame;
	struct tcp_segment segment;
};

static const struct splice_client usual_client = {
		.rcv_nxt = 1001,
		.snd_nxt = 5001,
		.window = 500,
		.scale = 7,
		.our_scale = 7,
		.scaled = true,
		.sack = true,
		.timestamps = true,
};

static const struct tcp_segment usual_syn_ack = {
		.seq = 90000,
		.ack = 70001,
		.flags = TCP_SYN | TCP_ACK,
		.window = 65160,
		.window_scale = 7,
		.tsval = 1000000,
		.options = TCP_OPTION_MSS | TCP_OPTION_WINDOW_SCALE | TCP_OPTION_SACK_PERMITTED |
			   TCP_OPTION_TIMESTAMPS,
};

static void
fill_address(uint8_t address[16], unsigned int family, uint8_t last)
{
	static const uint8_t six[16] = {0x20, 1, 0xd, 0xb8};

	memcpy(address, six, 16);
	if (family == 4)
		flow_key_map_ipv4(address, rte_cpu_to_be_32(0xc0000200u));
	address[15] = last;
}

/* client 1 : 40000 -> 2 : 80 | 3 : 2000 -> 4 : 8080 server */
static void
pair_begin_as(struct pair *pair, unsigned int client_family, unsigned int server_family,
		const struct splice_client *client, const struct tcp_segment *syn_ack)
{
	memset(pair, 0, sizeof(*pair));
	pair->client.family = (uint8_t)client_family;
	pair->server.family = (uint8_t)server_family;
	fill_address(pair->client.local, client_family, 1);
	fill_address(pair->client.remote, client_family, 2);
	fill_address(pair->server.remote, server_family, 3);
	fill_address(pair->server.local, server_family, 4);
	pair->client.local_port = rte_cpu_to_be_16(40000);
	pair->client.remote_port = rte_cpu_to_be_16(80);
	pair->server.remote_port = rte_cpu_to_be_16(2000);
	pair->server.local_port = rte_cpu_to_be_16(8080);
	pair->ends[SPLICE_CLIENT] = (struct splice_ends){pair->server.remote, pair->server.local,
			pair->server.remote_port, pair->server.local_port};
	pair->ends[SPLICE_SERVER] = (struct splice_ends){pair->client.remote, pair->client.local,
			pair->client.remote_port, pair->client.local_port};
	pair->splice.sum_add = splice_sum(
			&(struct splice_ends){pair->client.local, pair->client.remote,
					pair->client.local_port, pair->client.remote_port},
			&pair->ends[SPLICE_CLIENT]);
	splice_begin(&pair->splice, client, 70000, 0);
	assert_int_equal(splice_iss(&pair->splice), 70000);
	splice_join(&pair->splice, client, syn_ack, 3000000);
}

static void
pair_begin(struct pair *pair)
{
	pair_begin_as(pair, 4, 4, &usual_client, &usual_syn_ack);
}

static void
packet_read(struct packet *packet)
{
	assert_int_equal(parse_frame(packet->data, packet->length, 0, &packet->frame,
					 &packet->segment),
			DROP_NONE);
}

/* options of raw bytes, a multiple of four, replace those of tcp where given */
static void
packet_make(struct packet *packet, const struct build_path *path, const struct build_tcp *tcp,
		unsigned int payload, const uint8_t *options, unsigned int options_length)
{
	struct build_lengths lengths;
	unsigned int headers = build_tcp_headers_length(path, &tcp->options) + options_length;
	uint8_t *l4;
	rte_be16_t checksum;

	packet->data = packet->buffer + ROOM;
	for (unsigned int i = 0; i < payload; i++)
		packet->data[headers + i] = (uint8_t)(i * 7);
	packet->length = build_tcp(packet->data, path, tcp, payload + options_length,
			BUILD_CHECKSUM_SOFTWARE, &lengths);
	if (options_length > 0) {
		l4 = packet->data + lengths.l2 + lengths.l3;
		memcpy(l4 + 20, options, options_length);
		l4[12] = (uint8_t)((20 + options_length) / 4 << 4);
		memset(l4 + 16, 0, 2);
		checksum = checksum_finish(checksum_add(
				checksum_pseudo(path->family == 4 ? path->local + 12 : path->local,
						path->family == 4 ? path->remote + 12
								  : path->remote,
						path->family == 4 ? 4 : 16, 6,
						20 + options_length + payload),
				l4, 20 + options_length + payload));
		memcpy(l4 + 16, &checksum, 2);
	}
	packet_read(packet);
}

/* Translate, and read what came of it: the checksums must be right. */
static void
packet_translate(struct packet *packet, const struct pair *pair, enum splice_side from)
{
	const struct splice_ends *ends = &pair->ends[from];
	const unsigned int family =
			from == SPLICE_CLIENT ? pair->server.family : pair->client.family;
	const uint16_t l4_length = packet->frame.l4_length;
	uint8_t source[16], destination[16];
	uint8_t *ip;

	splice_segment(&pair->splice, from, ends, packet->data + packet->frame.l4_offset);
	ip = splice_addresses(packet->data, &packet->frame, ends, family);
	bytes_write_16(ip - 2, family == 4 ? 0x0800 : 0x86dd);
	packet->length = (unsigned int)(packet->data + packet->length - (ip - 14));
	packet->data = ip - 14;
	packet_read(packet);
	assert_int_equal(packet->frame.family, family);
	assert_int_equal(packet->frame.l4_length, l4_length);
	parse_source(packet->data, &packet->frame, source);
	parse_destination(packet->data, &packet->frame, destination);
	assert_memory_equal(source, ends->source, 16);
	assert_memory_equal(destination, ends->destination, 16);
	assert_memory_equal(packet->data + packet->frame.l4_offset, &ends->source_port, 2);
	assert_memory_equal(packet->data + packet->frame.l4_offset + 2, &ends->destination_port, 2);
	assert_int_equal(ip[family == 4 ? 8 : 7], SPLICE_TTL);
}

static void
numbers_move_by_what_the_handshakes_differ(void **state)
{
	struct pair pair;
	struct packet packet;
	struct build_tcp tcp = {.seq = 1001, .ack = 5001, .window = 500, .flags = TCP_ACK};

	(void)state;
	pair_begin(&pair);
	packet_make(&packet, &pair.client, &tcp, 100, NULL, 0);
	packet_translate(&packet, &pair, SPLICE_CLIENT);
	assert_int_equal(packet.segment.seq, 70001);
	assert_int_equal(packet.segment.ack, 90001);
	assert_int_equal(packet.segment.payload_length, 100);
	for (unsigned int i = 0; i < 100; i++)
		assert_int_equal(packet.data[packet.frame.l4_offset + 20 + i], (uint8_t)(i * 7));

	tcp = (struct build_tcp){.seq = 90001, .ack = 70101, .window = 510, .flags = TCP_ACK};
	packet_make(&packet, &pair.server, &tcp, 0, NULL, 0);
	packet_translate(&packet, &pair, SPLICE_SERVER);
	assert_int_equal(packet.segment.seq, 5001);
	assert_int_equal(packet.segment.ack, 1101);
}

static void
numbers_wrap(void **state)
{
	struct splice_client client = usual_client;
	struct tcp_segment syn_ack = usual_syn_ack;
	struct pair pair;
	struct packet packet;
	struct build_tcp tcp = {.seq = 0xfffffff0, .ack = 0x10, .flags = TCP_ACK};

	(void)state;
	client.rcv_nxt = 0xfffffff0;
	client.snd_nxt = 0x10;
	syn_ack.seq = 0xffffffff;
	pair_begin_as(&pair, 4, 4, &client, &syn_ack);
	packet_make(&packet, &pair.client, &tcp, 32, NULL, 0);
	packet_translate(&packet, &pair, SPLICE_CLIENT);
	assert_int_equal(packet.segment.seq, 70001);
	assert_int_equal(packet.segment.ack, 0);
	assert_int_equal(splice_track(&pair.splice, SPLICE_CLIENT,
					 &(struct tcp_segment){.seq = 0xfffffff0,
							 .ack = 0x10,
							 .flags = TCP_ACK | TCP_FIN,
							 .payload_length = 32}),
			SPLICE_FIN);
	assert_int_equal(pair.splice.next[SPLICE_CLIENT], 17);
}

static void
timestamps_of_the_server_go_on_where_ours_were(void **state)
{
	struct pair pair;
	struct packet packet;
	struct build_tcp tcp = {.seq = 90001,
			.ack = 70001,
			.flags = TCP_ACK,
			.options = {.options = TCP_OPTION_TIMESTAMPS,
					.tsval = 1000007,
					.tsecr = 44}};

	(void)state;
	pair_begin(&pair);
	packet_make(&packet, &pair.server, &tcp, 1, NULL, 0);
	packet_translate(&packet, &pair, SPLICE_SERVER);
	assert_int_equal(packet.segment.tsval, 3000007);
	assert_int_equal(packet.segment.tsecr, 44);

	tcp.seq = 1001;
	tcp.ack = 5002;
	tcp.options.tsval = 45;
	tcp.options.tsecr = 3000007;
	packet_make(&packet, &pair.client, &tcp, 1, NULL, 0);
	packet_translate(&packet, &pair, SPLICE_CLIENT);
	assert_int_equal(packet.segment.tsval, 45);
	assert_int_equal(packet.segment.tsecr, 1000007);
}

/* NOP, NOP, SACK of two blocks: not where the fast path looks. */
static void
sack_blocks_move_with_what_they_acknowledge(void **state)
{
	uint8_t options[20] = {1, 1, 5, 18};
	struct pair pair;
	struct packet packet;
	struct build_tcp tcp = {.seq = 1001, .ack = 5001, .flags = TCP_ACK};

	(void)state;
	pair_begin(&pair);
	for (unsigned int i = 0; i < 4; i++)
		bytes_write_32(options + 4 + 4 * i, 6001 + 100 * i);
	packet_make(&packet, &pair.client, &tcp, 3, options, sizeof(options));
	packet_translate(&packet, &pair, SPLICE_CLIENT);
	assert_int_equal(packet.segment.sack_count, 2);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(bytes_read_32(packet.data + packet.frame.l4_offset +
						 packet.segment.sack_offset + 4 * i),
				91001 + 100 * i);

	for (unsigned int i = 0; i < 4; i++)
		bytes_write_32(options + 4 + 4 * i, 70501 + 100 * i);
	packet_make(&packet, &pair.server, &tcp, 3, options, sizeof(options));
	packet_translate(&packet, &pair, SPLICE_SERVER);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(bytes_read_32(packet.data + packet.frame.l4_offset +
						 packet.segment.sack_offset + 4 * i),
				1501 + 100 * i);
}

static void
options_that_were_not_agreed_on_become_nops(void **state)
{
	/* timestamps, SACK of one block, MSS, an unknown one, fast open, no known length */
	static const uint8_t options[36] = {8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 5, 10, 0, 0, 1, 1, 0, 0,
			1, 9, 2, 4, 5, 180, 253, 3, 9, 34, 4, 1, 2, 77, 0, 5, 6, 7};
	struct tcp_segment syn_ack = usual_syn_ack;
	struct pair pair;
	struct packet packet;
	struct build_tcp tcp = {.seq = 1001, .ack = 5001, .flags = TCP_ACK};
	const uint8_t *left;

	(void)state;
	syn_ack.options = TCP_OPTION_MSS;
	pair_begin_as(&pair, 4, 4, &usual_client, &syn_ack);
	for (unsigned int side = 0; side < SPLICE_SIDES; side++) {
		packet_make(&packet, side == SPLICE_CLIENT ? &pair.client : &pair.server, &tcp, 9,
				options, sizeof(options));
		packet_translate(&packet, &pair, (enum splice_side)side);
		assert_int_equal(packet.segment.options, 0);
		assert_int_equal(packet.segment.payload_length, 9);
		left = packet.data + packet.frame.l4_offset + 20;
		for (unsigned int i = 0; i < 31; i++)
			assert_int_equal(left[i], 1);
		for (unsigned int i = 31; i < sizeof(options); i++)
			assert_int_equal(left[i], 0);
	}
}

static void
windows_are_said_in_the_scale_of_who_reads_them(void **state)
{
	struct splice_client client = usual_client;
	struct tcp_segment syn_ack = usual_syn_ack;
	struct pair pair;

	(void)state;
	pair_begin(&pair);
	assert_int_equal(splice_window(&pair.splice, SPLICE_CLIENT, 501), 501);
	assert_int_equal(splice_window(&pair.splice, SPLICE_SERVER, 501), 501);
	syn_ack.window_scale = 9;
	pair_begin_as(&pair, 4, 4, &usual_client, &syn_ack);
	assert_int_equal(splice_window(&pair.splice, SPLICE_SERVER, 501), 2004);
	assert_int_equal(splice_window(&pair.splice, SPLICE_SERVER, 65535), 65535);
	syn_ack.window_scale = 200; /* RFC 7323 2.3: as if it were 14 */
	pair_begin_as(&pair, 4, 4, &usual_client, &syn_ack);
	assert_int_equal(splice_window(&pair.splice, SPLICE_SERVER, 2), 256);
	syn_ack.window_scale = 0; /* 0 is an option, too */
	pair_begin_as(&pair, 4, 4, &usual_client, &syn_ack);
	assert_int_equal(splice_window(&pair.splice, SPLICE_CLIENT, 501), 501);
	assert_int_equal(splice_window(&pair.splice, SPLICE_SERVER, 1280), 10);
	syn_ack.options &= (uint8_t)~TCP_OPTION_WINDOW_SCALE;
	pair_begin_as(&pair, 4, 4, &usual_client, &syn_ack);
	assert_int_equal(splice_window(&pair.splice, SPLICE_CLIENT, 501), 501 << 7);
	assert_int_equal(splice_window(&pair.splice, SPLICE_CLIENT, 60000), 65535);
	client.scaled = false;
	pair_begin_as(&pair, 4, 4, &client, &usual_syn_ack);
	assert_int_equal(splice_window(&pair.splice, SPLICE_CLIENT, 60000), 60000);
	assert_int_equal(splice_window(&pair.splice, SPLICE_SERVER, 60000), 60000);
}

static void
urgent_pointer_and_flags_pass(void **state)
{
	struct pair pair;
	struct packet packet;
	struct build_tcp tcp = {.seq = 1001, .ack = 5001, .flags = TCP_ACK | TCP_URG | TCP_PSH};

	(void)state;
	pair_begin(&pair);
	packet_make(&packet, &pair.client, &tcp, 5, NULL, 0);
	packet_translate(&packet, &pair, SPLICE_CLIENT);
	assert_int_equal(packet.segment.flags, TCP_ACK | TCP_URG | TCP_PSH);
	assert_int_equal(bytes_read_16(packet.data + packet.frame.l4_offset + 18), 0);
}

static void
segment_without_ack_bit_keeps_its_field(void **state)
{
	struct pair pair;
	struct packet packet;
	struct build_tcp tcp = {.seq = 1001, .ack = 0, .flags = TCP_RST};

	(void)state;
	pair_begin(&pair);
	packet_make(&packet, &pair.client, &tcp, 0, NULL, 0);
	packet_translate(&packet, &pair, SPLICE_CLIENT);
	assert_int_equal(packet.segment.seq, 70001);
	assert_int_equal(bytes_read_32(packet.data + packet.frame.l4_offset + 8), 0);
}

static uint8_t
hear(struct pair *pair, enum splice_side from, uint32_t seq, uint32_t ack, uint8_t flags,
		uint16_t length)
{
	return splice_track(&pair->splice, from,
			&(struct tcp_segment){.seq = seq,
					.ack = ack,
					.flags = flags,
					.window = 512,
					.payload_length = length});
}

#define C_FIN   SPLICE_FIN
#define S_FIN   (SPLICE_FIN << SPLICE_SERVER)
#define C_ACKED SPLICE_FIN_ACKED
#define S_ACKED (SPLICE_FIN_ACKED << SPLICE_SERVER)
#define C_RST   SPLICE_RESET
#define S_RST   (SPLICE_RESET << SPLICE_SERVER)

static void
close_is_followed_in_both_orders(void **state)
{
	struct pair pair;

	(void)state;
	pair_begin(&pair);
	assert_int_equal(hear(&pair, SPLICE_CLIENT, 1001, 5001, TCP_ACK, 100), 0);
	assert_int_equal(hear(&pair, SPLICE_SERVER, 90001, 70101, TCP_ACK, 50), 0);
	assert_int_equal(hear(&pair, SPLICE_CLIENT, 1101, 5051, TCP_FIN | TCP_ACK, 0), C_FIN);
	assert_int_equal(hear(&pair, SPLICE_SERVER, 90051, 70101, TCP_ACK, 10), C_FIN);
	assert_int_equal(hear(&pair, SPLICE_SERVER, 90061, 70102, TCP_ACK, 0), C_FIN | C_ACKED);
	assert_int_equal(hear(&pair, SPLICE_SERVER, 90061, 70102, TCP_FIN | TCP_ACK, 3),
			C_FIN | C_ACKED | S_FIN);
	assert_int_equal(hear(&pair, SPLICE_CLIENT, 1102, 5064, TCP_ACK, 0),
			C_FIN | C_ACKED | S_FIN);
	assert_int_equal(hear(&pair, SPLICE_CLIENT, 1102, 5065, TCP_ACK, 0),
			C_FIN | C_ACKED | S_FIN | S_ACKED);

	pair_begin(&pair);
	assert_int_equal(hear(&pair, SPLICE_SERVER, 90001, 70001, TCP_FIN | TCP_ACK, 0), S_FIN);
	assert_int_equal(hear(&pair, SPLICE_CLIENT, 1001, 5002, TCP_FIN | TCP_ACK, 0),
			S_FIN | S_ACKED | C_FIN);
	assert_int_equal(hear(&pair, SPLICE_SERVER, 90002, 70002, TCP_ACK, 0),
			S_FIN | S_ACKED | C_FIN | C_ACKED);
}

static void
only_an_exact_reset_ends(void **state)
{
	struct pair pair;

	(void)state;
	pair_begin(&pair);
	hear(&pair, SPLICE_CLIENT, 1001, 5001, TCP_ACK, 100);
	assert_int_equal(hear(&pair, SPLICE_CLIENT, 1050, 0, TCP_RST, 0), 0);
	assert_int_equal(hear(&pair, SPLICE_CLIENT, 1102, 0, TCP_RST, 0), 0);
	assert_int_equal(hear(&pair, SPLICE_CLIENT, 1101, 0, TCP_RST, 0), C_RST);
	/* It was not the client who did, for the client goes on. */
	assert_int_equal(hear(&pair, SPLICE_CLIENT, 1101, 5001, TCP_ACK, 10), 0);
	assert_int_equal(hear(&pair, SPLICE_SERVER, 90002, 0, TCP_RST, 0), 0);
	assert_int_equal(hear(&pair, SPLICE_SERVER, 90001, 0, TCP_RST, 0), S_RST);
}

/* RFC 5961 3.2: what was not exact is not exact behind us. */
static void
reset_is_as_exact_behind_us_as_before(void **state)
{
	struct pair pair;
	struct packet packet;

	(void)state;
	for (int32_t off = -3; off <= 3; off++) {
		struct build_tcp tcp = {.seq = (uint32_t)(1001 + off), .flags = TCP_RST};

		pair_begin(&pair);
		packet_make(&packet, &pair.client, &tcp, 0, NULL, 0);
		packet_translate(&packet, &pair, SPLICE_CLIENT);
		assert_int_equal(packet.segment.seq, 70001 + off);
		tcp.seq = (uint32_t)(90001 + off);
		packet_make(&packet, &pair.server, &tcp, 0, NULL, 0);
		packet_translate(&packet, &pair, SPLICE_SERVER);
		assert_int_equal(packet.segment.seq, 5001 + off);
	}
}

static void
segments_outside_the_windows_teach_nothing(void **state)
{
	struct pair pair;
	struct splice before;

	(void)state;
	pair_begin(&pair);
	before = pair.splice;
	hear(&pair, SPLICE_CLIENT, 1001 + 70000, 5001, TCP_FIN | TCP_ACK, 0);   /* window */
	hear(&pair, SPLICE_CLIENT, 1001 - 2000000, 5001, TCP_FIN | TCP_ACK, 0); /* long ago */
	hear(&pair, SPLICE_CLIENT, 1001, 5002, TCP_FIN | TCP_ACK, 0);           /* never sent */
	hear(&pair, SPLICE_CLIENT, 1001, 5001 - 2000000, TCP_FIN | TCP_ACK, 0); /* long ago */
	hear(&pair, SPLICE_CLIENT, 1001, 0, TCP_FIN, 0);                        /* no ACK */
	hear(&pair, SPLICE_CLIENT, 1001, 5001, TCP_SYN | TCP_ACK, 0);
	assert_memory_equal(&before, &pair.splice, sizeof(before));
	/* 500 << 7 is what the client takes. */
	hear(&pair, SPLICE_SERVER, 90001, 70001, TCP_ACK | TCP_FIN, 64000);
	assert_memory_equal(&before, &pair.splice, sizeof(before));
	assert_int_equal(hear(&pair, SPLICE_SERVER, 90001, 70001, TCP_ACK | TCP_FIN, 63999), S_FIN);
}

static void
answers_to_the_syn_are_told_apart(void **state)
{
	struct splice splice = {.closing = 0};
	struct tcp_segment segment = usual_syn_ack;

	(void)state;
	splice_begin(&splice, &usual_client, 70000, 28);
	assert_int_equal(splice_iss(&splice), 70000);
	assert_int_equal(splice_answer(&splice, &segment), SPLICE_ANSWER_GOOD);
	segment.ack++;
	assert_int_equal(splice_answer(&splice, &segment), SPLICE_ANSWER_STALE);
	segment.flags = TCP_RST | TCP_ACK;
	assert_int_equal(splice_answer(&splice, &segment), SPLICE_ANSWER_NONE);
	segment.ack--;
	assert_int_equal(splice_answer(&splice, &segment), SPLICE_ANSWER_REFUSED);
	segment.flags = TCP_RST;
	assert_int_equal(splice_answer(&splice, &segment), SPLICE_ANSWER_NONE);
	segment.flags = TCP_SYN;
	assert_int_equal(splice_answer(&splice, &segment), SPLICE_ANSWER_NONE);
	segment.flags = TCP_ACK;
	assert_int_equal(splice_answer(&splice, &segment), SPLICE_ANSWER_NONE);
	segment.ack = 12345;
	assert_int_equal(splice_answer(&splice, &segment), SPLICE_ANSWER_STALE);
	segment.ack = 70001;
	segment.flags = TCP_SYN | TCP_ACK | TCP_FIN;
	assert_int_equal(splice_answer(&splice, &segment), SPLICE_ANSWER_NONE);
}

static void
header_of_ours_is_hidden_from_the_client(void **state)
{
	struct pair pair;
	struct packet packet;
	struct build_tcp tcp = {.seq = 90001, .ack = 70001 + 10, .flags = TCP_ACK};

	(void)state;
	pair_begin(&pair);
	splice_begin(&pair.splice, &usual_client, 70000, 28);
	splice_join(&pair.splice, &usual_client, &usual_syn_ack, 0);
	packet_make(&packet, &pair.server, &tcp, 0, NULL, 0);
	hear(&pair, SPLICE_SERVER, tcp.seq, tcp.ack, TCP_ACK, 0);
	packet_translate(&packet, &pair, SPLICE_SERVER);
	assert_int_equal(packet.segment.ack, 1001);
	assert_int_equal(pair.splice.header, 28);
	tcp.ack = 70001 + 28;
	hear(&pair, SPLICE_SERVER, tcp.seq, tcp.ack, TCP_ACK, 0);
	assert_int_equal(pair.splice.header, 0);
	tcp = (struct build_tcp){.seq = 1001, .ack = 5001, .flags = TCP_ACK};
	packet_make(&packet, &pair.client, &tcp, 0, NULL, 0);
	packet_translate(&packet, &pair, SPLICE_CLIENT);
	assert_int_equal(packet.segment.seq, 70001 + 28);
}

/* What we have acknowledged, and the server has not: the client hears of it as the server's. */
static void
what_is_ours_is_hidden_from_the_client(void **state)
{
	struct pair pair;
	struct packet packet;
	struct splice_client client = usual_client;
	struct build_tcp tcp = {.seq = 90001, .ack = 70001 + 1000, .flags = TCP_ACK, .window = 100};
	const uint32_t scaled = 100u << usual_syn_ack.window_scale;

	(void)state;
	pair_begin(&pair);
	client.ours = 3000;
	splice_begin(&pair.splice, &client, 70000, 0);
	splice_join(&pair.splice, &client, &usual_syn_ack, 0);
	assert_int_equal(pair.splice.ack[SPLICE_SERVER], client.rcv_nxt + 3000);
	pair.splice.closing = SPLICE_FIN;
	pair.splice.limit[SPLICE_CLIENT] = client.rcv_nxt;
	hear(&pair, SPLICE_SERVER, tcp.seq, tcp.ack, TCP_ACK, 0);
	assert_true((pair.splice.flags & SPLICE_OURS) != 0);
	assert_int_equal(pair.splice.closing, SPLICE_FIN);
	packet_make(&packet, &pair.server, &tcp, 0, NULL, 0);
	packet_translate(&packet, &pair, SPLICE_SERVER);
	assert_int_equal(packet.segment.ack, client.rcv_nxt + 3000);
	assert_int_equal(packet.segment.window,
			(scaled > 2000 ? scaled - 2000 : 0) >> client.our_scale);
	tcp.ack = 70001 + 3000;
	hear(&pair, SPLICE_SERVER, tcp.seq, tcp.ack, TCP_ACK, 0);
	assert_true((pair.splice.flags & SPLICE_OURS) == 0);
	assert_true((pair.splice.closing & SPLICE_FIN_ACKED) != 0);
	packet_make(&packet, &pair.server, &tcp, 0, NULL, 0);
	packet_translate(&packet, &pair, SPLICE_SERVER);
	assert_int_equal(packet.segment.ack, client.rcv_nxt + 3000);
	assert_int_equal(packet.segment.window, scaled >> client.our_scale);
}

/* Any numbers, options of any layout, both IP versions: the parser finds the checksums right. */
static void
checksums_are_those_of_a_full_computation(void **state)
{
	static const unsigned int families[] = {4, 6};
	uint64_t seed = 20261120;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (unsigned int round = 0; round < 20000; round++) {
		const enum splice_side from = (enum splice_side)random_below(&seed, 2);
		struct splice_client client = {
				.rcv_nxt = (uint32_t)random_next(&seed),
				.snd_nxt = (uint32_t)random_next(&seed),
				.window = (uint16_t)random_next(&seed),
				.scale = (uint8_t)random_below(&seed, 15),
				.our_scale = (uint8_t)random_below(&seed, 15),
				.scaled = random_below(&seed, 2),
				.sack = random_below(&seed, 2),
				.timestamps = random_below(&seed, 2),
		};
		struct tcp_segment syn_ack = usual_syn_ack;
		struct build_tcp tcp = {
				.seq = (uint32_t)random_next(&seed),
				.ack = (uint32_t)random_next(&seed),
				.window = (uint16_t)random_next(&seed),
				.flags = (uint8_t)(random_next(&seed) | TCP_ACK),
		};
		uint8_t options[40];
		const unsigned int length = 4 * random_below(&seed, 11);
		struct pair pair;
		struct packet packet;

		syn_ack.seq = (uint32_t)random_next(&seed);
		syn_ack.tsval = (uint32_t)random_next(&seed);
		syn_ack.options = (uint8_t)random_next(&seed);
		syn_ack.window_scale = (uint8_t)random_below(&seed, 20);
		pair_begin_as(&pair, families[random_below(&seed, 2)],
				families[random_below(&seed, 2)], &client, &syn_ack);
		if (random_below(&seed, 2)) {
			tcp.options = (struct tcp_options){.options = TCP_OPTION_TIMESTAMPS,
					.tsval = (uint32_t)random_next(&seed),
					.tsecr = (uint32_t)random_next(&seed)};
			packet_make(&packet, from == SPLICE_CLIENT ? &pair.client : &pair.server,
					&tcp, random_below(&seed, 64), NULL, 0);
		} else {
			for (unsigned int i = 0; i < length; i++)
				options[i] = (uint8_t)(random_below(&seed, 3)
								       ? random_below(&seed, 12)
								       : random_next(&seed));
			packet_make(&packet, from == SPLICE_CLIENT ? &pair.client : &pair.server,
					&tcp, random_below(&seed, 64), options, length);
		}
		packet_translate(&packet, &pair, from);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(numbers_move_by_what_the_handshakes_differ),
			cmocka_unit_test(numbers_wrap),
			cmocka_unit_test(timestamps_of_the_server_go_on_where_ours_were),
			cmocka_unit_test(sack_blocks_move_with_what_they_acknowledge),
			cmocka_unit_test(options_that_were_not_agreed_on_become_nops),
			cmocka_unit_test(windows_are_said_in_the_scale_of_who_reads_them),
			cmocka_unit_test(urgent_pointer_and_flags_pass),
			cmocka_unit_test(segment_without_ack_bit_keeps_its_field),
			cmocka_unit_test(close_is_followed_in_both_orders),
			cmocka_unit_test(only_an_exact_reset_ends),
			cmocka_unit_test(reset_is_as_exact_behind_us_as_before),
			cmocka_unit_test(segments_outside_the_windows_teach_nothing),
			cmocka_unit_test(answers_to_the_syn_are_told_apart),
			cmocka_unit_test(header_of_ours_is_hidden_from_the_client),
			cmocka_unit_test(what_is_ours_is_hidden_from_the_client),
			cmocka_unit_test(checksums_are_those_of_a_full_computation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
