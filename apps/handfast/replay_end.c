/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include <rte_common.h>
#include <rte_ether.h>

#include "tcp/flow_key.h"
#include "wire/bytes.h"

#include "replay_end.h"

/* From the client to the engine, whoever of both the packet is from. */
static void
take_path(const struct replay_end *end, struct build_path *path)
{
	const struct explain_packet *packet = end->packet;

	*path = (struct build_path){
			.local_port = rte_cpu_to_be_16(packet->source_port),
			.remote_port = rte_cpu_to_be_16(packet->destination_port),
			.tagged = bytes_read_16(end->data + 12) == RTE_ETHER_TYPE_VLAN,
			.family = flow_key_is_ipv4(packet->source) ? 4 : 6,
	};
	memcpy(path->local, packet->source, 16);
	memcpy(path->remote, packet->destination, 16);
	if (end->from_server) {
		RTE_SWAP(path->local_port, path->remote_port);
		memcpy(path->local, packet->destination, 16);
		memcpy(path->remote, packet->source, 16);
	}
	memcpy(path->remote_mac, replay_engine_mac(end->engine, end->port), 6);
	memcpy(path->local_mac, end->data + 6, 6);
	/* All frames that had no Ethernet header are from somebody to the engine. */
	if (end->from_server && memcmp(end->data, path->remote_mac, 6) != 0)
		memcpy(path->local_mac, end->data, 6);
	if (path->tagged)
		path->vlan = bytes_read_16(end->data + 14) & 0xfff;
}

static const struct tcp_conn *
find(const struct replay_end *end, const struct build_path *path)
{
	struct flow_key client = {.port = path->local_port};

	memcpy(client.address, path->local, sizeof(client.address));
	return replay_engine_connection(
			end->engine, end->port, &client, path->remote, path->remote_port);
}

/* Of all that the engine has said, its FIN too. */
static void
acknowledge(const struct replay_end *end, const struct tcp_conn *conn, struct build_tcp *tcp)
{
	tcp->flags = TCP_ACK;
	tcp->ack = conn->snd_nxt;
	tcp->window = UINT16_MAX;
	if (conn->flags & TCP_CONN_TIMESTAMPS) {
		tcp->options.options = TCP_OPTION_TIMESTAMPS;
		tcp->options.tsval = conn->ts_recent;
		tcp->options.tsecr =
				replay_follow_tsval(end->follow, end->packet, !end->from_server);
	}
}

/*
 * Whether the client's kernel knows no such connection any more.  Who said FIN and opens another
 * one has closed, also where nothing of the captured server was captured.
 */
static bool
is_unknown(const struct replay_end *end, const struct tcp_conn *conn)
{
	if (end->from_server)
		return (end->packet->segment.flags & TCP_RST) != 0;
	return conn->state == TCP_CLOSE_WAIT || replay_follow_is_over(end->follow, end->packet);
}

unsigned int
replay_end_write(const struct replay_end *end, uint8_t frame[BUILD_HEADERS_MAX])
{
	struct build_path path;
	const struct tcp_conn *conn;
	struct build_lengths lengths;
	struct build_tcp tcp = {.flags = TCP_RST};

	take_path(end, &path);
	conn = find(end, &path);
	if (conn == NULL)
		return 0;
	tcp.seq = conn->rcv_nxt;
	/* Only the ACK of the engine's FIN is missing, which the captured server never sent. */
	if (conn->state == TCP_LAST_ACK || conn->state == TCP_CLOSING)
		acknowledge(end, conn, &tcp);
	else if (!is_unknown(end, conn))
		return 0;
	return build_tcp(frame, &path, &tcp, 0, BUILD_CHECKSUM_SOFTWARE, &lengths);
}
