/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include <rte_mbuf.h>

#include "engine/burst_reply.h"
#include "engine/pools.h"
#include "engine/proxy.h"
#include "engine/proxy_ask.h"
#include "engine/proxy_send.h"
#include "engine/transmit.h"
#include "engine/worker.h"
#include "wire/proxy_protocol.h"

void
proxy_send_ends(const struct worker *worker, const struct conn *conn, const struct splice *splice,
		enum splice_side from, struct splice_ends *ends)
{
	const struct listener *listener = &worker->services->listener[conn->key.endpoint];
	const struct backends_entry *server = &worker->engine->backends->entry[splice->server];

	if (from == SPLICE_CLIENT && splice->local == LOCAL_PORTS_CLIENT)
		*ends = (struct splice_ends){
				conn->key.address, server->address, conn->key.port, server->port};
	else if (from == SPLICE_CLIENT)
		*ends = (struct splice_ends){
				worker->engine->local_addresses.entry[splice->local].address,
				server->address, splice->local_port, server->port};
	else
		*ends = (struct splice_ends){listener->address, conn->key.address, listener->port,
				conn->key.port};
}

bool
proxy_send_path(const struct worker *worker, const struct conn *conn, enum splice_side to,
		struct build_path *path)
{
	const struct engine *engine = worker->engine;
	const struct splice *splice = proxy_splice(worker->proxy, worker->table, conn);
	const struct port *port = &engine->port[splice->port[to]];
	struct splice_ends ends;

	proxy_send_ends(worker, conn, splice, to == SPLICE_CLIENT ? SPLICE_SERVER : SPLICE_CLIENT,
			&ends);
	memcpy(path->local, ends.source, sizeof(path->local));
	memcpy(path->remote, ends.destination, sizeof(path->remote));
	path->local_port = ends.source_port;
	path->remote_port = ends.destination_port;
	path->family = flow_key_is_ipv4(path->remote) ? 4 : 6;
	path->tagged = port->tagged;
	path->vlan = port->vlan;
	memcpy(path->local_mac, port->mac.addr_bytes, sizeof(path->local_mac));
	if (to == SPLICE_SERVER)
		return backends_mac(engine, splice->server, path->remote_mac);
	memcpy(path->remote_mac, splice->client_mac, sizeof(path->remote_mac));
	return true;
}

/* Headers, and the text behind them, into the packet; and off it goes. */
static void
proxy_send_built(struct worker *worker, struct rte_mbuf *packet, const struct port *port,
		const struct build_path *path, const struct build_tcp *tcp,
		const struct proxy_send_text *text)
{
	const enum build_checksum checksum =
			port->transmit_offload ? BUILD_CHECKSUM_OFFLOAD : BUILD_CHECKSUM_SOFTWARE;
	struct build_lengths lengths;
	uint8_t *data;

	rte_pktmbuf_reset_headroom(packet);
	packet->ol_flags = 0;
	data = rte_pktmbuf_mtod(packet, uint8_t *);
	if (text->length > 0)
		memcpy(data + build_tcp_headers_length(path, &tcp->options), text->bytes,
				text->length);
	packet->data_len = (uint16_t)build_tcp(data, path, tcp, text->length, checksum, &lengths);
	packet->pkt_len = packet->data_len;
	if (port->transmit_offload)
		burst_reply_offload(packet, path->family, &lengths);
	if ((tcp->flags & TCP_RST) != 0)
		worker_count(worker, port->index, COUNTER_resets_sent, 1);
}

void
proxy_send(struct worker *worker, const struct conn *conn, enum splice_side to,
		struct rte_mbuf *packet, const struct build_tcp *tcp)
{
	static const struct proxy_send_text nothing;
	const struct splice *splice = proxy_splice(worker->proxy, worker->table, conn);
	const struct port *port = &worker->engine->port[splice->port[to]];
	const bool answers = packet != NULL && packet->port == port->index;
	struct build_path path;

	if (packet != NULL && !answers)
		worker_drop(worker, packet, DROP_consumed);
	if (!proxy_send_path(worker, conn, to, &path)) {
		if (answers)
			worker_drop(worker, packet, DROP_consumed);
		worker_count(worker, port->index, COUNTER_unsent, 1);
		return;
	}
	if (!answers)
		packet = rte_pktmbuf_alloc(worker->pool);
	if (packet == NULL) {
		worker_count(worker, port->index, COUNTER_unsent, 1);
		return;
	}
	proxy_send_built(worker, packet, port, &path, tcp, &nothing);
	if (answers)
		transmit_reply(worker, packet);
	else
		transmit_originated(worker, packet, port->index);
}

void
proxy_send_text(struct worker *worker, const struct conn *conn, enum splice_side to,
		const struct build_tcp *tcp, const struct proxy_send_text *text)
{
	const struct splice *splice = proxy_splice(worker->proxy, worker->table, conn);
	const struct port *port = &worker->engine->port[splice->port[to]];
	struct rte_mbuf *packet = rte_pktmbuf_alloc(worker->pool);
	struct build_path path;

	if (packet == NULL || !proxy_send_path(worker, conn, to, &path)) {
		rte_pktmbuf_free(packet);
		worker_count(worker, port->index, COUNTER_unsent, 1);
		return;
	}
	proxy_send_built(worker, packet, port, &path, tcp, text);
	transmit_originated(worker, packet, port->index);
}

uint32_t
proxy_send_stamp(const struct worker *worker, const struct conn *conn)
{
	const struct cookies *cookies = &worker->engine->cookies;
	const uint64_t hash = conn_table_hash(worker->table, &conn->key);

	return worker->now_ms + cookies->ts_base_ms +
	       ((uint32_t)(hash >> 32) & cookies->ts_flow_mask);
}

void
proxy_send_client(struct worker *worker, struct conn *conn, struct rte_mbuf *packet, uint8_t flags,
		uint16_t window)
{
	const struct splice *splice = proxy_splice(worker->proxy, worker->table, conn);
	struct build_tcp tcp = {
			.seq = conn->tcp.snd_nxt,
			.ack = conn->tcp.state == TCP_SPLICED ? splice->ack[SPLICE_SERVER]
							      : PROXY_ASK_ACKED(splice),
			.flags = flags,
			.window = window,
	};

	if ((conn->tcp.flags & TCP_CONN_TIMESTAMPS) != 0) {
		tcp.options.options = TCP_OPTION_TIMESTAMPS;
		tcp.options.tsval = proxy_send_stamp(worker, conn);
		tcp.options.tsecr = conn->tcp.ts_recent;
	}
	proxy_send(worker, conn, SPLICE_CLIENT, packet, &tcp);
}

void
proxy_send_syn(struct worker *worker, struct conn *conn, const struct splice *splice)
{
	const struct tcp_conn *client = &conn->tcp;
	const struct engine *engine = worker->engine;
	const struct backends_entry *server = &engine->backends->entry[splice->server];
	const uint32_t path_mss =
			engine->port[server->port_index].mtu - (server->family == 4 ? 40u : 60u);
	const bool stamps = (client->flags & TCP_CONN_TIMESTAMPS) != 0;
	const uint32_t window = (uint32_t)client->snd_wnd << (client->scales & 0xf);
	struct build_tcp tcp = {
			.seq = splice_iss(splice),
			.flags = TCP_SYN,
			.window = (uint16_t)RTE_MIN(window, (uint32_t)UINT16_MAX),
			.options = {.options = TCP_OPTION_MSS,
					.mss = (uint16_t)RTE_MIN(path_mss,
							client->mss + (stamps ? 12u : 0u))},
	};

	if (stamps) {
		tcp.options.options |= TCP_OPTION_TIMESTAMPS;
		tcp.options.tsval = client->ts_recent;
	}
	if ((client->flags & TCP_CONN_SACK) != 0)
		tcp.options.options |= TCP_OPTION_SACK_PERMITTED;
	if ((client->flags & TCP_CONN_WINDOW_SCALE) != 0) {
		tcp.options.options |= TCP_OPTION_WINDOW_SCALE;
		tcp.options.window_scale = client->scales & 0xf;
	}
	worker_count(worker, server->port_index, COUNTER_syn_sent, 1);
	proxy_send(worker, conn, SPLICE_SERVER, NULL, &tcp);
}

static void
proxy_send_header_ends(const struct worker *worker, const struct conn *conn,
		struct proxy_protocol_ends *ends)
{
	const struct listener *listener = &worker->services->listener[conn->key.endpoint];

	memcpy(ends->source, conn->key.address, sizeof(ends->source));
	memcpy(ends->destination, listener->address, sizeof(ends->destination));
	ends->source_port = conn->key.port;
	ends->destination_port = listener->port;
}

static enum proxy_protocol_version
proxy_send_header_version(const struct worker *worker, const struct conn *conn)
{
	return (enum proxy_protocol_version)services_of(worker->services, &conn->key)
			->pool->settings->proxy_protocol;
}

uint8_t
proxy_send_header_length(const struct worker *worker, const struct conn *conn)
{
	struct proxy_protocol_ends ends;

	proxy_send_header_ends(worker, conn, &ends);
	return (uint8_t)proxy_protocol_length(proxy_send_header_version(worker, conn), &ends);
}

/*
 * Who the client is, in front of its first word.  These bytes are ours to repeat; they are made
 * anew each time.
 */
void
proxy_send_header(struct worker *worker, struct conn *conn)
{
	const struct splice *splice = proxy_splice(worker->proxy, worker->table, conn);
	struct build_tcp tcp = {
			.seq = conn->tcp.rcv_nxt + splice->add[SPLICE_CLIENT] - splice->header,
			.ack = splice->ack[SPLICE_CLIENT] - splice->add[SPLICE_SERVER],
			.flags = TCP_ACK | TCP_PSH,
			.window = splice_window(splice, SPLICE_CLIENT, conn->tcp.snd_wnd),
	};
	struct proxy_protocol_ends ends;
	uint8_t bytes[PROXY_PROTOCOL_MAX];
	struct proxy_send_text text = {.bytes = bytes};

	proxy_send_header_ends(worker, conn, &ends);
	text.length = (unsigned int)proxy_protocol_write(
			bytes, proxy_send_header_version(worker, conn), &ends);
	if ((splice->flags & SPLICE_SERVER_TIMESTAMPS) != 0) {
		tcp.options.options = TCP_OPTION_TIMESTAMPS;
		tcp.options.tsval = conn->tcp.ts_recent;
		tcp.options.tsecr = PROXY_SEND_TSVAL(conn);
	}
	proxy_send_text(worker, conn, SPLICE_SERVER, &tcp, &text);
}

uint16_t
proxy_send_window(const struct splice *splice)
{
	const uint32_t window = splice->limit[SPLICE_CLIENT] - splice->ack[SPLICE_SERVER];

	return (int32_t)window < 0 ? 0 : (uint16_t)(window >> splice->our_scale);
}

/* A client that has timestamps, and a server that does not, gets those of our own clock. */
static void
proxy_send_challenge_client(
		const struct worker *worker, const struct conn *conn, struct build_tcp *tcp)
{
	const struct splice *splice = proxy_splice(worker->proxy, worker->table, conn);

	*tcp = (struct build_tcp){
			.seq = splice->next[SPLICE_SERVER],
			.ack = splice->ack[SPLICE_SERVER],
			.flags = TCP_ACK,
			.window = proxy_send_window(splice),
	};
	if ((conn->tcp.flags & TCP_CONN_TIMESTAMPS) == 0)
		return;
	tcp->options.options = TCP_OPTION_TIMESTAMPS;
	tcp->options.tsval = (splice->flags & SPLICE_CLIENT_TIMESTAMPS) != 0
					     ? PROXY_SEND_TSVAL(conn) + splice->stamp_add
					     : proxy_send_stamp(worker, conn);
	tcp->options.tsecr = conn->tcp.ts_recent;
}

static void
proxy_send_challenge_server(
		const struct worker *worker, const struct conn *conn, struct build_tcp *tcp)
{
	const struct splice *splice = proxy_splice(worker->proxy, worker->table, conn);
	const uint32_t window = splice->limit[SPLICE_SERVER] - splice->ack[SPLICE_CLIENT];

	*tcp = (struct build_tcp){
			.seq = splice->next[SPLICE_CLIENT] + splice->add[SPLICE_CLIENT],
			.ack = splice->ack[SPLICE_CLIENT] - splice->add[SPLICE_SERVER],
			.flags = TCP_ACK,
			.window = splice_window(splice, SPLICE_CLIENT,
					(uint16_t)(window >> splice->scale[SPLICE_CLIENT])),
	};
	if ((splice->flags & SPLICE_SERVER_TIMESTAMPS) == 0)
		return;
	tcp->options.options = TCP_OPTION_TIMESTAMPS;
	tcp->options.tsval = conn->tcp.ts_recent;
	tcp->options.tsecr = PROXY_SEND_TSVAL(conn);
}

void
proxy_send_challenge(struct worker *worker, const struct conn *conn, enum splice_side to,
		struct rte_mbuf *packet)
{
	struct build_tcp tcp;

	if (to == SPLICE_CLIENT)
		proxy_send_challenge_client(worker, conn, &tcp);
	else
		proxy_send_challenge_server(worker, conn, &tcp);
	proxy_send(worker, conn, to, packet, &tcp);
}

void
proxy_send_reset(struct worker *worker, struct conn *conn, uint32_t seq)
{
	const struct build_tcp tcp = {.seq = seq, .flags = TCP_RST};

	proxy_send(worker, conn, SPLICE_SERVER, NULL, &tcp);
}
