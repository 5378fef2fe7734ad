/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_debug.h>
#include <rte_ether.h>
#include <rte_mbuf.h>

#include "wire/build.h"
#include "wire/bytes.h"
#include "wire/checksum.h"

#include "bench_peers.h"

/* Addresses, host byte order. */
#define OUR_ADDRESS     0x0a000002u /* 10.0.0.2 */
#define BACKENDS_FROM   0x0a000101u /* 10.0.1.1 */
#define CLIENTS_FROM    0x0a400000u /* 10.64.0.0 */

#define BACKENDS        16
#define CLIENT_PORTS    40000
#define CLIENT_PORT     20000
#define PORTS_PER_LOCAL 64512
#define BACKEND_PORT    8080
#define SERVICE_PORT    80

#define TEXT_LENGTH     6
#define FRAME_LENGTH    60

/* Offsets in an IPv4 frame without a tag and without IP options, as all of these are. */
enum {
	AT_IP = 14,
	AT_SOURCE = 26,
	AT_DESTINATION = 30,
	AT_TCP = 34,
	AT_SEQ = 38,
	AT_ACK = 42,
	AT_OFFSET = 46,
	AT_FLAGS = 47,
	AT_WINDOW = 48,
	AT_CHECKSUM = 50,
	AT_TEXT = 54,
};

/* Towards backends we are 10.1.0.1 and so on. */
static const uint8_t our_mac[6] = {0x02, 0, 0, 0, 0, 0x02};
static const uint8_t peers_mac[6] = {0x02, 0, 0, 0, 0, 0x01};

static const struct tcp_options linux_options = {
		.options = TCP_OPTION_MSS | TCP_OPTION_WINDOW_SCALE | TCP_OPTION_SACK_PERMITTED |
			   TCP_OPTION_TIMESTAMPS,
		.mss = 1460,
		.window_scale = 7,
		.tsval = 70000,
};

static const struct tcp_options plain_options = {.options = TCP_OPTION_MSS, .mss = 1460};

char *
bench_peers_yaml(uint32_t connections, const char *mode)
{
	/* Some to spare: a port serves nobody while its connection lingers. */
	const unsigned int locals = connections / (PORTS_PER_LOCAL - 512) + 2;
	const bool proxied = strcmp(mode, "proxy") == 0;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	RTE_VERIFY(locals <= SETTINGS_LOCALS_MAX);
	fprintf(out,
			"engine: {connections: %u, echo_buffers: 1}\n"
			"ports:\n"
			"  - {name: lan, device: \"vdev:net_ring_bench\", mac: 02:00:00:00:00:02, "
			"addresses: [10.0.0.2/8]}\n"
			"pools:\n"
			"  - {name: web, ",
			connections + connections / 64 + 1024);
	for (unsigned int i = 1; i <= locals && proxied; i++)
		fprintf(out, "%s10.1.0.%u", i > 1 ? ", " : "local_addresses: [", i);
	fprintf(out, "%sbackends: [", proxied ? "], choice: round_robin, " : "");
	for (unsigned int i = 1; i <= BACKENDS; i++)
		fprintf(out, "%s\"10.0.1.%u:%u\"", i > 1 ? ", " : "", i, BACKEND_PORT);
	fprintf(out,
			"]}\n"
			"services:\n"
			"  - {name: web, listen: \"10.0.0.2:%u\", mode: %s, pool: web, "
			"%sidle_timeout: 600s}\n",
			SERVICE_PORT, mode, proxied ? "cookies: always, " : "");
	fclose(out);
	return text;
}

static void
put_tcp(struct bench_peers *peers, const struct build_path *path, const struct build_tcp *tcp,
		const void *text, unsigned int length)
{
	const unsigned int headers = build_tcp_headers_length(path, &tcp->options);
	struct rte_mbuf *packet = bench_engine_frame(peers->engine, headers + length);
	uint8_t *data = rte_pktmbuf_mtod(packet, uint8_t *);
	struct build_lengths lengths;

	if (length > 0)
		memcpy(data + headers, text, length);
	packet->data_len = (uint16_t)build_tcp(
			data, path, tcp, length, BUILD_CHECKSUM_SOFTWARE, &lengths);
	packet->pkt_len = packet->data_len;
	bench_engine_put(peers->engine, packet);
}

static uint32_t
client_address(uint32_t client)
{
	return CLIENTS_FROM + client / CLIENT_PORTS;
}

static uint16_t
client_port(uint32_t client)
{
	return (uint16_t)(CLIENT_PORT + client % CLIENT_PORTS);
}

static uint32_t
client_number(uint32_t address, uint16_t port)
{
	return (address - CLIENTS_FROM) * CLIENT_PORTS + port - CLIENT_PORT;
}

static void
client_path(uint32_t client, struct build_path *path)
{
	memset(path, 0, sizeof(*path));
	path->family = 4;
	memcpy(path->local_mac, peers_mac, sizeof(path->local_mac));
	memcpy(path->remote_mac, our_mac, sizeof(path->remote_mac));
	flow_key_map_ipv4(path->local, rte_cpu_to_be_32(client_address(client)));
	flow_key_map_ipv4(path->remote, rte_cpu_to_be_32(OUR_ADDRESS));
	path->local_port = rte_cpu_to_be_16(client_port(client));
	path->remote_port = rte_cpu_to_be_16(SERVICE_PORT);
}

void
bench_peers_open(struct bench_peers *peers, uint32_t client)
{
	const struct build_tcp syn = {
			.seq = client * UINT32_C(2654435761),
			.flags = TCP_SYN,
			.window = 64240,
			.options = peers->linux_like ? linux_options : plain_options,
	};
	struct build_path path;

	client_path(client, &path);
	put_tcp(peers, &path, &syn, NULL, 0);
}

/* Everybody's Ethernet address is the same. */
static void
answer_arp(struct bench_peers *peers, const uint8_t *request)
{
	struct rte_mbuf *packet = bench_engine_frame(peers->engine, 42);
	uint8_t *reply = rte_pktmbuf_mtod(packet, uint8_t *);

	memcpy(reply, request, 42);
	memcpy(reply, request + 6, 6);
	memcpy(reply + 6, peers_mac, 6);
	reply[21] = 2;
	memcpy(reply + 22, peers_mac, 6);
	memcpy(reply + 28, request + 38, 4);
	memcpy(reply + 32, request + 22, 10);
	bench_engine_put(peers->engine, packet);
}

/* What answers a segment, but for flags: numbers, and timestamps where there were some. */
static void
answer_to(const struct tcp_segment *segment, struct build_tcp *tcp)
{
	memset(tcp, 0, sizeof(*tcp));
	tcp->seq = segment->ack;
	tcp->ack = segment->seq + tcp_segment_length(segment);
	tcp->window = 502;
	if ((segment->options & TCP_OPTION_TIMESTAMPS) != 0) {
		tcp->options.options = TCP_OPTION_TIMESTAMPS;
		tcp->options.tsval = (segment->flags & TCP_SYN) != 0 ? 70001 : segment->tsecr + 1;
		tcp->options.tsecr = segment->tsval;
	}
}

static void
remember_server(struct bench_peers *peers, const uint8_t *data, const struct tcp_segment *segment)
{
	const uint32_t to = bytes_read_32(data + AT_DESTINATION);
	struct bench_peers_conn *conn;
	uint32_t client;

	memcpy(&client, data + AT_TCP + segment->payload_offset, sizeof(client));
	RTE_VERIFY(client < peers->clients);
	conn = &peers->conn[client];
	conn->server_seq = segment->ack;
	conn->server_ack = segment->seq + segment->payload_length;
	memcpy(&conn->local, data + AT_SOURCE, sizeof(conn->local));
	memcpy(&conn->local_port, data + AT_TCP, sizeof(conn->local_port));
	conn->server = (uint16_t)(to - BACKENDS_FROM);
}

static void
serve_server(struct bench_peers *peers, const uint8_t *data, const struct build_path *path,
		const struct tcp_segment *segment)
{
	struct build_tcp tcp;

	answer_to(segment, &tcp);
	if ((segment->flags & TCP_SYN) != 0) {
		tcp.seq = segment->seq * 3 + 1;
		tcp.flags = TCP_SYN | TCP_ACK;
		tcp.window = 65160;
		tcp.options = peers->linux_like ? linux_options : plain_options;
		tcp.options.tsval = 5000000;
		tcp.options.tsecr = segment->tsval;
		put_tcp(peers, path, &tcp, NULL, 0);
	} else if (segment->payload_length > 0) {
		peers->opened++;
		if (peers->conn != NULL) {
			remember_server(peers, data, segment);
			return;
		}
		tcp.flags = TCP_PSH | TCP_ACK;
		put_tcp(peers, path, &tcp, data, 100);
	} else if ((segment->flags & TCP_FIN) != 0) {
		tcp.flags = TCP_FIN | TCP_ACK;
		put_tcp(peers, path, &tcp, NULL, 0);
	}
}

static void
serve_client(struct bench_peers *peers, uint32_t client, const struct build_path *path,
		const struct tcp_segment *segment)
{
	uint8_t text[100] = {0};
	struct build_tcp tcp;

	answer_to(segment, &tcp);
	if ((segment->flags & TCP_SYN) != 0) {
		const unsigned int length = peers->conn != NULL ? TEXT_LENGTH : sizeof(text);

		memcpy(text, &client, sizeof(client));
		tcp.flags = TCP_ACK;
		put_tcp(peers, path, &tcp, NULL, 0);
		tcp.flags = TCP_PSH | TCP_ACK;
		put_tcp(peers, path, &tcp, text, length);
		if (peers->conn != NULL) {
			peers->conn[client].client_seq = tcp.seq + TEXT_LENGTH;
			peers->conn[client].client_ack = tcp.ack;
		}
	} else if (segment->payload_length > 0 && peers->closing) {
		tcp.flags = TCP_ACK;
		put_tcp(peers, path, &tcp, NULL, 0);
		tcp.flags = TCP_FIN | TCP_ACK;
		put_tcp(peers, path, &tcp, NULL, 0);
	} else if ((segment->flags & TCP_FIN) != 0) {
		tcp.flags = TCP_ACK;
		put_tcp(peers, path, &tcp, NULL, 0);
		peers->closed++;
	}
}

static void
serve_frame(struct bench_peers *peers, const uint8_t *data, uint32_t length)
{
	struct tcp_segment segment;
	struct build_path path;
	struct frame frame;
	uint32_t to;

	if (parse_frame(data, length, PARSE_IP_CHECKSUM_GOOD | PARSE_TCP_CHECKSUM_GOOD, &frame,
			    &segment) != DROP_NONE) {
		peers->refused++;
		return;
	}
	if (frame.kind == FRAME_ARP) {
		answer_arp(peers, data);
		return;
	}
	if ((segment.flags & TCP_RST) != 0) {
		peers->resets++;
		return;
	}
	to = bytes_read_32(data + AT_DESTINATION);
	build_path_reverse(&path, data, &frame);
	if (to >= CLIENTS_FROM)
		serve_client(peers, client_number(to, bytes_read_16(data + AT_TCP + 2)), &path,
				&segment);
	else
		serve_server(peers, data, &path, &segment);
}

unsigned int
bench_peers_serve(struct bench_peers *peers)
{
	struct rte_mbuf *packets[BURST_MAX];
	unsigned int frames = 0, n;

	while ((n = bench_engine_take(peers->engine, packets, BURST_MAX)) > 0) {
		frames += n;
		for (unsigned int i = 0; i < n; i++)
			serve_frame(peers, rte_pktmbuf_mtod(packets[i], const uint8_t *),
					packets[i]->pkt_len);
		rte_pktmbuf_free_bulk(packets, n);
	}
	return frames;
}

void
bench_peers_begin(struct bench_peers *peers)
{
	const uint64_t until = rte_get_tsc_cycles() + rte_get_tsc_hz() / 2;

	while (rte_get_tsc_cycles() < until) {
		bench_engine_turn(peers->engine);
		bench_peers_serve(peers);
	}
}

static void
write_segment(uint8_t *data, uint32_t seq, uint32_t ack)
{
	rte_be16_t checksum;

	memcpy(data, our_mac, sizeof(our_mac));
	memcpy(data + 6, peers_mac, sizeof(peers_mac));
	bytes_write_16(data + 12, RTE_ETHER_TYPE_IPV4);
	bytes_write_32(data + AT_IP, 0x45000000 | (FRAME_LENGTH - AT_IP));
	bytes_write_32(data + AT_IP + 4, 0x00014000);
	bytes_write_32(data + AT_IP + 8, 0x40060000);
	checksum = checksum_finish(checksum_add_words(0, data + AT_IP, 20));
	memcpy(data + AT_IP + 10, &checksum, sizeof(checksum));
	bytes_write_32(data + AT_SEQ, seq);
	bytes_write_32(data + AT_ACK, ack);
	bytes_write_32(data + AT_OFFSET, 0x501801f6);
	bytes_write_32(data + AT_CHECKSUM, 0);
	memset(data + AT_TEXT, 0x55, TEXT_LENGTH);
	checksum = checksum_finish(
			checksum_add_words(checksum_pseudo(data + AT_SOURCE, data + AT_DESTINATION,
							   4, 6, FRAME_LENGTH - AT_TCP),
					data + AT_TCP, FRAME_LENGTH - AT_TCP - 2) +
			checksum_add(0, data + FRAME_LENGTH - 2, 2));
	memcpy(data + AT_CHECKSUM, &checksum, sizeof(checksum));
}

struct rte_mbuf *
bench_peers_segment(struct bench_peers *peers, uint32_t client, bool from_server)
{
	struct bench_peers_conn *conn = &peers->conn[client];
	struct rte_mbuf *packet = bench_engine_frame(peers->engine, FRAME_LENGTH);
	uint8_t *data = rte_pktmbuf_mtod(packet, uint8_t *);

	if (from_server) {
		bytes_write_32(data + AT_SOURCE, BACKENDS_FROM + conn->server);
		memcpy(data + AT_DESTINATION, &conn->local, 4);
		bytes_write_16(data + AT_TCP, BACKEND_PORT);
		memcpy(data + AT_TCP + 2, &conn->local_port, 2);
		write_segment(data, conn->server_seq, conn->server_ack);
		conn->server_seq += TEXT_LENGTH;
		conn->client_ack += TEXT_LENGTH;
	} else {
		bytes_write_32(data + AT_SOURCE, client_address(client));
		bytes_write_32(data + AT_DESTINATION, OUR_ADDRESS);
		bytes_write_16(data + AT_TCP, client_port(client));
		bytes_write_16(data + AT_TCP + 2, SERVICE_PORT);
		write_segment(data, conn->client_seq, conn->client_ack);
		conn->client_seq += TEXT_LENGTH;
		conn->server_ack += TEXT_LENGTH;
	}
	return packet;
}

bool
bench_peers_is_right(const struct bench_peers *peers, const struct rte_mbuf *packet)
{
	const uint8_t *data = rte_pktmbuf_mtod(packet, const uint8_t *);
	const uint32_t to = bytes_read_32(data + AT_DESTINATION);
	const struct bench_peers_conn *conn;
	struct tcp_segment segment;
	struct frame frame;

	if (parse_frame(data, packet->pkt_len, 0, &frame, &segment) != DROP_NONE ||
			segment.payload_length != TEXT_LENGTH)
		return false;
	/* What goes to a backend does not say whose it is. */
	if (to < CLIENTS_FROM)
		return memcmp(data, peers_mac, sizeof(peers_mac)) == 0;
	conn = &peers->conn[client_number(to, bytes_read_16(data + AT_TCP + 2))];
	return (uint32_t)(conn->client_ack - segment.seq) <= 64 * TEXT_LENGTH &&
	       (uint32_t)(conn->client_seq - segment.ack) <= 64 * TEXT_LENGTH;
}
