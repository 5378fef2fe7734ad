/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "engine/proxy.h"
#include "engine/proxy_ask.h"
#include "engine/proxy_held.h"
#include "engine/proxy_icmp.h"
#include "engine/proxy_send.h"
#include "engine/transmit.h"
#include "engine/transparent.h"
#include "engine/worker.h"
#include "tcp/tcp_seq.h"
#include "wire/bytes.h"
#include "wire/checksum.h"
#include "wire/icmp_error.h"

/* The error's own header, and so much of the quoted TCP header: ports and sequence number. */
#define ICMP_HEADER 8
#define TCP_QUOTED  8

/* What a side is told. */
struct proxy_icmp_error {
	uint8_t kind; /* enum icmp_error_kind */
	uint16_t mtu; /* With ICMP_ERROR_TOO_BIG: as the side's own IP version counts. */
	uint32_t seq; /* As the side wrote it. */
};

/* Type and code by kind and version: RFC 792, RFC 4443. */
static void
icmp_write_header(uint8_t *icmp, const struct proxy_icmp_error *error, bool ipv4)
{
	static const uint8_t types[3][2][2] = {
			[ICMP_ERROR_HARD] = {{1, 4}, {3, 3}},
			[ICMP_ERROR_SOFT] = {{1, 0}, {3, 0}},
			[ICMP_ERROR_TOO_BIG] = {{2, 0}, {3, 4}},
	};

	memset(icmp, 0, ICMP_HEADER);
	memcpy(icmp, types[error->kind][ipv4], 2);
	if (error->kind == ICMP_ERROR_TOO_BIG)
		bytes_write_16(icmp + 6, error->mtu);
}

static uint8_t *
icmp_write_ipv4(uint8_t *ip, const uint8_t source[16], const uint8_t destination[16],
		uint8_t protocol, uint16_t length)
{
	rte_be16_t checksum;

	memset(ip, 0, 20);
	ip[0] = 0x45;
	bytes_write_16(ip + 2, (uint16_t)(20 + length));
	ip[6] = 0x40;
	ip[8] = SPLICE_TTL;
	ip[9] = protocol;
	memcpy(ip + 12, source + 12, 4);
	memcpy(ip + 16, destination + 12, 4);
	checksum = checksum_finish(checksum_add(0, ip, 20));
	memcpy(ip + 10, &checksum, sizeof(checksum));
	return ip + 20;
}

static uint8_t *
icmp_write_ipv6(uint8_t *ip, const uint8_t source[16], const uint8_t destination[16],
		uint8_t protocol, uint16_t length)
{
	memset(ip, 0, 8);
	ip[0] = 0x60;
	bytes_write_16(ip + 4, length);
	ip[6] = protocol;
	ip[7] = SPLICE_TTL;
	memcpy(ip + 8, source, 16);
	memcpy(ip + 24, destination, 16);
	return ip + 40;
}

/* The error behind the Ethernet header, of a packet from path->remote to path->local. */
static uint8_t *
icmp_write(uint8_t *ip, const struct build_path *path, const struct proxy_icmp_error *error)
{
	const bool ipv4 = path->family == 4;
	const uint16_t quoted = TCP_QUOTED + (ipv4 ? 20 : 40);
	const uint16_t length = ICMP_HEADER + quoted;
	uint8_t *icmp = ipv4 ? icmp_write_ipv4(ip, path->local, path->remote, 1, length)
			     : icmp_write_ipv6(ip, path->local, path->remote, 58, length);
	uint8_t *tcp = ipv4 ? icmp_write_ipv4(icmp + ICMP_HEADER, path->remote, path->local, 6, 20)
			    : icmp_write_ipv6(icmp + ICMP_HEADER, path->remote, path->local, 6, 20);
	rte_be16_t checksum;
	uint64_t sum = 0;

	icmp_write_header(icmp, error, ipv4);
	memcpy(tcp, &path->remote_port, sizeof(path->remote_port));
	memcpy(tcp + 2, &path->local_port, sizeof(path->local_port));
	bytes_write_32(tcp + 4, error->seq);
	if (!ipv4)
		sum = checksum_pseudo(path->local, path->remote, 16, 58, length);
	checksum = checksum_finish(checksum_add(sum, icmp, length));
	memcpy(icmp + 2, &checksum, sizeof(checksum));
	return tcp + TCP_QUOTED;
}

static void
icmp_send(struct worker *worker, const struct conn *conn, enum splice_side to,
		const struct proxy_icmp_error *error)
{
	const struct splice *splice = proxy_splice(worker->proxy, worker->table, conn);
	struct rte_mbuf *packet;
	struct build_path path;
	uint8_t *data, *ip;

	if (!token_bucket_take(&worker->echoes, worker->now_us) ||
			!proxy_send_path(worker, conn, to, &path))
		return;
	packet = rte_pktmbuf_alloc(worker->pool);
	if (packet == NULL) {
		worker_count(worker, splice->port[to], COUNTER_unsent, 1);
		return;
	}
	data = rte_pktmbuf_mtod(packet, uint8_t *);
	ip = data + (path.tagged ? 18 : 14);
	memcpy(data, path.remote_mac, 6);
	memcpy(data + 6, path.local_mac, 6);
	if (path.tagged) {
		bytes_write_16(data + 12, RTE_ETHER_TYPE_VLAN);
		bytes_write_16(data + 14, path.vlan);
	}
	bytes_write_16(ip - 2, path.family == 4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6);
	packet->data_len = (uint16_t)(icmp_write(ip, &path, error) - data);
	packet->pkt_len = packet->data_len;
	worker_count(worker, splice->port[to], COUNTER_icmp_errors_sent, 1);
	transmit_originated(worker, packet, splice->port[to]);
}

/* The MTU of one IP version as the other has it: headers differ by 20 bytes. */
static uint16_t
icmp_mtu(uint16_t mtu, unsigned int from_family, unsigned int to_family)
{
	if (from_family == 4 && to_family == 6)
		mtu = (uint16_t)RTE_MIN(mtu + 20, UINT16_MAX);
	else if (from_family == 6 && to_family == 4)
		mtu = (uint16_t)(mtu - 20);
	return to_family == 6 ? RTE_MAX(mtu, ICMP_ERROR_MTU_MIN_IPV6) : mtu;
}

static unsigned int
icmp_family(const struct worker *worker, const struct conn *conn, enum splice_side side)
{
	const struct splice *splice = proxy_splice(worker->proxy, worker->table, conn);

	if (side == SPLICE_SERVER)
		return worker->engine->backends->entry[splice->server].family;
	return flow_key_is_ipv4(conn->key.address) ? 4 : 6;
}

void
proxy_icmp_too_big(struct worker *worker, const struct conn *conn, enum splice_side to,
		uint32_t seq, uint16_t mtu)
{
	const enum splice_side other = to == SPLICE_CLIENT ? SPLICE_SERVER : SPLICE_CLIENT;
	const struct proxy_icmp_error error = {
			.kind = ICMP_ERROR_TOO_BIG,
			.mtu = icmp_mtu(mtu, icmp_family(worker, conn, other),
					icmp_family(worker, conn, to)),
			.seq = seq,
	};

	icmp_send(worker, conn, to, &error);
}

/* The connection that a quoted packet belongs to, and the side that it went to. */
static struct conn *
icmp_find(const struct worker *worker, uint8_t port, const struct icmp_error *error,
		enum splice_side *went_to)
{
	struct flow_key key = {.port = error->remote_port};
	uint32_t slot = local_ports_slot_at(worker, error->local, error->local_port);
	const struct splice *splice;
	struct conn *conn;

	*went_to = SPLICE_SERVER;
	if (slot == CONN_TABLE_NO_SLOT && worker->services->transparent != NULL)
		slot = transparent_slot_of(worker, error);
	if (slot != CONN_TABLE_NO_SLOT) {
		conn = conn_table_conns(worker->table) + slot;
		splice = &worker->proxy->splice[slot];
		return memcmp(worker->engine->backends->entry[splice->server].address,
				       error->remote, 16) == 0
				       ? conn
				       : NULL;
	}
	*went_to = SPLICE_CLIENT;
	memcpy(key.address, error->remote, sizeof(key.address));
	key.endpoint = service_map_lookup(
			worker->services->map[port], error->local, error->local_port);
	if (!flow_key_is_passive(&key))
		return NULL;
	return conn_table_lookup(worker->table, &key, conn_table_hash(worker->table, &key));
}

/* Whether the quoted number is of something that the sender still waits for. */
static bool
icmp_in_flight(const struct splice *splice, enum splice_side from, uint32_t seq)
{
	const enum splice_side other = from == SPLICE_CLIENT ? SPLICE_SERVER : SPLICE_CLIENT;

	return tcp_seq_leq(splice->ack[other], seq) && tcp_seq_lt(seq, splice->next[from] + 1);
}

/* The text that a segment to the server may have. */
static uint32_t
icmp_server_mss(const struct splice *splice, const struct icmp_error *error)
{
	const bool timestamps = (splice->flags & SPLICE_SERVER_TIMESTAMPS) != 0;

	return error->mtu - (error->family == 4 ? 40u : 60u) - (timestamps ? 12u : 0u);
}

static enum counter
icmp_pass(struct worker *worker, struct conn *conn, enum splice_side went_to,
		const struct icmp_error *error)
{
	const struct splice *splice = proxy_splice(worker->proxy, worker->table, conn);
	const enum splice_side from = went_to == SPLICE_CLIENT ? SPLICE_SERVER : SPLICE_CLIENT;
	struct proxy_icmp_error told = {.kind = error->kind};
	const uint32_t seq = from == SPLICE_CLIENT ? error->seq - splice->add[SPLICE_CLIENT]
						   : error->seq;

	/* The client was told that we have it, so only we wait for it. */
	if (from == SPLICE_CLIENT && error->kind == ICMP_ERROR_TOO_BIG &&
			proxy_held_shorten(worker, conn, seq, icmp_server_mss(splice, error)))
		return DROP_consumed;
	if (!icmp_in_flight(splice, from, seq))
		return DROP_icmp_ignored;
	told.seq = from == SPLICE_CLIENT ? seq : seq - splice->add[SPLICE_SERVER];
	told.mtu = icmp_mtu(error->mtu, error->family, icmp_family(worker, conn, from));
	icmp_send(worker, conn, from, &told);
	return DROP_consumed;
}

bool
proxy_icmp(struct worker *worker, struct rte_mbuf *packet, const struct frame *frame)
{
	struct icmp_error error;
	enum splice_side went_to;
	struct conn *conn;

	if (worker->proxy == NULL || icmp_error_read(rte_pktmbuf_mtod(packet, const uint8_t *),
						     frame, &error) != DROP_NONE)
		return false;
	conn = icmp_find(worker, (uint8_t)packet->port, &error, &went_to);
	if (conn == NULL || conn->tcp.state < TCP_JOINING)
		return false;
	if (conn->tcp.state == TCP_SPLICED)
		worker_drop(worker, packet, icmp_pass(worker, conn, went_to, &error));
	else if (went_to == SPLICE_SERVER)
		worker_drop(worker, packet, proxy_ask_unreachable(worker, conn, &error));
	else
		worker_drop(worker, packet, DROP_icmp_ignored);
	return true;
}
