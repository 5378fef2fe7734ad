/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include "cookie/isn.h"
#include "engine/pools.h"
#include "engine/proxy.h"
#include "engine/proxy_ask.h"
#include "engine/proxy_close.h"
#include "engine/proxy_held.h"
#include "engine/proxy_send.h"
#include "engine/transparent.h"
#include "engine/worker.h"
#include "tcp/tcp_seq.h"
#include "wire/icmp_error.h"

/* SYNs to one backend, and backends for one client. */
#define PROXY_ASK_TRIES       2
#define PROXY_ASK_SERVERS_MAX 3

/* How long an acknowledgement is put off (RFC 9293 3.8.6.3): less than anybody's RTO. */
#define PROXY_ASK_DELAY_MS 40

/* How far beyond its last numbers a port's next connection begins at least; and 30 bits more. */
#define PROXY_ASK_ISN_BEYOND 64000

_Static_assert(PROXY_ASK_SERVERS_MAX <= CHOICE_AVOID_MAX + 1, "those tried can be avoided");

/* Once something was acknowledged, all is: the client is about to hear of its window. */
static uint32_t
proxy_ask_ours(const struct worker *worker, const struct conn *conn)
{
	const struct splice *splice = proxy_splice(worker->proxy, worker->table, conn);

	return PROXY_ASK_ACKED(splice) != conn->tcp.rcv_nxt
			       ? PROXY_ASK_HELD_TO(splice) - conn->tcp.rcv_nxt
			       : 0;
}

void
proxy_ask_client(const struct worker *worker, const struct conn *conn, struct splice_client *client)
{
	const struct tcp_conn *tcp = &conn->tcp;

	*client = (struct splice_client){
			.rcv_nxt = tcp->rcv_nxt,
			.ours = proxy_ask_ours(worker, conn),
			.snd_nxt = tcp->snd_nxt,
			.window = tcp->snd_wnd,
			.scale = tcp->scales & 0xf,
			.our_scale = services_of(worker->services, &conn->key)->tcp.rcv_wnd_scale,
			.scaled = (tcp->flags & TCP_CONN_WINDOW_SCALE) != 0,
			.sack = (tcp->flags & TCP_CONN_SACK) != 0,
			.timestamps = (tcp->flags & TCP_CONN_TIMESTAMPS) != 0,
	};
}

/* Until the time for the last SYN, twice that for the one before, is over; not above 0 then. */
static int32_t
proxy_ask_left_ms(const struct worker *worker, const struct splice *splice)
{
	const uint32_t elapsed_us = (uint32_t)worker->now_us - PROXY_ASK_SINCE_US(splice);
	const int32_t tries = RTE_MIN(splice->tries, PROXY_ASK_TRIES);

	return (PROXY_RETRY_MS << tries) - PROXY_RETRY_MS - (int32_t)((elapsed_us + 999) / 1000);
}

void
proxy_ask_schedule(struct worker *worker, struct conn *conn)
{
	const struct splice *splice = proxy_splice(worker->proxy, worker->table, conn);
	int32_t wait_ms = RTE_MAX(proxy_ask_left_ms(worker, splice), 1);

	if (PROXY_ASK_HELD_TO(splice) != PROXY_ASK_ACKED(splice))
		wait_ms = RTE_MIN(wait_ms, PROXY_ASK_DELAY_MS);
	timer_wheel_schedule(worker->wheel, conn, worker->now_ms + (uint32_t)wait_ms);
}

void
proxy_ask_acknowledge(struct worker *worker, struct conn *conn, struct rte_mbuf *packet)
{
	struct splice *splice = proxy_splice(worker->proxy, worker->table, conn);
	const struct service *service = services_of(worker->services, &conn->key);
	const bool scaled = (conn->tcp.flags & TCP_CONN_WINDOW_SCALE) != 0;
	const uint32_t held = PROXY_ASK_HELD_TO(splice) - conn->tcp.rcv_nxt;
	const uint32_t promised = service->first_window > held ? service->first_window - held : 0;
	const uint32_t window = proxy_held_window(worker, promised);

	PROXY_ASK_ACKED(splice) = PROXY_ASK_HELD_TO(splice);
	PROXY_ASK_TOLD(splice) = window == 0;
	proxy_send_client(worker, conn, packet, TCP_ACK,
			(uint16_t)(window >> (scaled ? service->tcp.rcv_wnd_scale : 0)));
}

/* An address of ours towards a server, one after the other; LOCAL_PORTS_NONE if there is none. */
static unsigned int
proxy_ask_local(struct worker *worker, const struct pool *pool, unsigned int server)
{
	const struct backends_entry *entry = &worker->engine->backends->entry[server];
	const struct settings_addresses *addresses = &pool->settings->local_addresses;
	const bool ipv4 = entry->family == 4;

	if (addresses->count == 0)
		return local_ports_find(&worker->engine->local_addresses, entry->local);
	for (unsigned int tries = 0; tries < addresses->count; tries++) {
		const uint8_t *address = addresses->item[worker->proxy->turn++ % addresses->count];

		if (flow_key_is_ipv4(address) == ipv4)
			return local_ports_find(&worker->engine->local_addresses, address);
	}
	return LOCAL_PORTS_NONE;
}

static bool
proxy_ask_port(struct worker *worker, struct conn *conn, struct splice *splice,
		const struct pool *pool)
{
	const struct backends_entry *server = &worker->engine->backends->entry[splice->server];
	struct local_ports_way way = {
			.remote = server->address,
			.remote_port = server->port,
			.port_index = server->port_index,
	};
	unsigned int tries = RTE_MAX(pool->settings->local_addresses.count, 1u);

	if (pool->settings->source == SETTINGS_SOURCE_CLIENT) {
		splice->local = LOCAL_PORTS_CLIENT;
		splice->local_port =
				transparent_is_taken(worker, conn, server) ? 0 : conn->key.port;
		return splice->local_port != 0;
	}
	for (; tries > 0 && splice->local_port == 0; tries--) {
		way.local = proxy_ask_local(worker, pool, splice->server);
		if (way.local == LOCAL_PORTS_NONE)
			return false;
		splice->local = (uint8_t)way.local;
		splice->local_port = local_ports_take(
				worker, &way, conn_table_slot(worker->table, conn));
	}
	return splice->local_port != 0;
}

/* RFC 6528, and beyond what the port's last connection said. */
static uint32_t
proxy_ask_isn(const struct worker *worker, const struct splice *splice,
		const struct splice_ends *ends)
{
	struct flow_key key = {
			.port = splice->local_port,
			.endpoint = (uint16_t)(FLOW_KEY_ACTIVE | splice->server),
	};
	uint32_t isn, last, beyond;

	memcpy(key.address, ends->source, sizeof(key.address));
	isn = isn_make(&worker->engine->isn_key, conn_table_hash(worker->table, &key),
			worker->now_us);
	if (splice->local == LOCAL_PORTS_CLIENT)
		return isn;
	last = local_ports_last(worker, splice->local, splice->local_port);
	beyond = last + PROXY_ASK_ISN_BEYOND;
	/* Who can guess where the last one ended is not to guess where this one begins. */
	return last != 0 && tcp_seq_lt(isn, beyond) ? beyond + (isn >> 2) : isn;
}

/* Whom to ask next; CHOICE_NONE when enough were asked, or nobody is left. */
static unsigned int
proxy_ask_choose(struct worker *worker, const struct conn *conn, const struct splice *splice)
{
	struct choice_client client = {
			.port = conn->key.port,
			.avoid_count = splice->servers,
	};

	if (splice->servers == PROXY_ASK_SERVERS_MAX)
		return CHOICE_NONE;
	memcpy(client.address, conn->key.address, sizeof(client.address));
	memcpy(client.avoid, PROXY_ASK_TRIED(splice), splice->servers * sizeof(client.avoid[0]));
	return pools_pick(worker, services_of(worker->services, &conn->key)->pool, &client);
}

static void
proxy_ask_first(struct worker *worker, struct conn *conn, struct splice *splice)
{
	struct splice_ends client_ends, server_ends;
	struct splice_client client;

	proxy_send_ends(worker, conn, splice, SPLICE_CLIENT, &server_ends);
	proxy_send_ends(worker, conn, splice, SPLICE_SERVER, &client_ends);
	splice->sum_add = splice_sum(&client_ends, &server_ends);
	proxy_ask_client(worker, conn, &client);
	splice_begin(splice, &client, proxy_ask_isn(worker, splice, &server_ends),
			proxy_send_header_length(worker, conn));
	PROXY_ASK_SINCE_US(splice) = (uint32_t)worker->now_us;
	splice->tries = 1;
	proxy_send_syn(worker, conn, splice);
	proxy_ask_schedule(worker, conn);
}

/* No backend: the client hears of it, unless the pool would rather be silent. */
static void
proxy_ask_give_up(struct worker *worker, struct conn *conn, enum counter why)
{
	const struct splice *splice = proxy_splice(worker->proxy, worker->table, conn);
	const struct pool *pool = services_of(worker->services, &conn->key)->pool;

	worker_count(worker, splice->port[SPLICE_CLIENT], why, 1);
	if (why != COUNTER_backends_all_down ||
			pool->settings->when_down == SETTINGS_WHEN_DOWN_RESET)
		proxy_send_client(worker, conn, NULL, TCP_RST | TCP_ACK, 0);
	proxy_close(worker, conn, COUNTER_reset);
}

/* A backend, and a port to reach it from: where there is none, another one is as good. */
static bool
proxy_ask_find(struct worker *worker, struct conn *conn, enum counter *why)
{
	struct splice *splice = proxy_splice(worker->proxy, worker->table, conn);
	const struct pool *pool = services_of(worker->services, &conn->key)->pool;

	*why = splice->servers == 0 ? COUNTER_backends_all_down : COUNTER_backends_no_answer;
	for (;;) {
		const unsigned int number = proxy_ask_choose(worker, conn, splice);
		const uint16_t tried = (uint16_t)number;

		if (number == CHOICE_NONE)
			return false;
		memcpy((uint8_t *)PROXY_ASK_TRIED(splice) + splice->servers * sizeof(tried), &tried,
				sizeof(tried));
		splice->servers++;
		splice->server = tried;
		splice->port[SPLICE_SERVER] = worker->engine->backends->entry[number].port_index;
		if (proxy_ask_port(worker, conn, splice, pool))
			return true;
		*why = COUNTER_local_ports_used_up;
	}
}

void
proxy_ask_server(struct worker *worker, struct conn *conn)
{
	struct splice *splice = proxy_splice(worker->proxy, worker->table, conn);
	enum counter why;

	if (!proxy_ask_find(worker, conn, &why)) {
		proxy_ask_give_up(worker, conn, why);
		return;
	}
	backends_chosen(worker->backends, splice->server);
	proxy_ask_first(worker, conn, splice);
}

void
proxy_ask_failed(struct worker *worker, struct conn *conn)
{
	struct splice *splice = proxy_splice(worker->proxy, worker->table, conn);

	worker_count(worker, splice->port[SPLICE_SERVER], COUNTER_backend_failures, 1);
	backends_failed(worker->backends, splice->server);
	proxy_close_server(worker, splice);
	proxy_ask_server(worker, conn);
}

void
proxy_ask_timeout(struct worker *worker, struct conn *conn)
{
	struct splice *splice = proxy_splice(worker->proxy, worker->table, conn);

	if (PROXY_ASK_HELD_TO(splice) != PROXY_ASK_ACKED(splice))
		proxy_ask_acknowledge(worker, conn, NULL);
	if (proxy_ask_left_ms(worker, splice) <= 0) {
		if (splice->tries >= PROXY_ASK_TRIES) {
			proxy_ask_failed(worker, conn);
			return;
		}
		proxy_send_syn(worker, conn, splice);
		splice->tries++;
	}
	proxy_ask_schedule(worker, conn);
}

void
proxy_ask_again(struct worker *worker, struct conn *conn)
{
	struct splice *splice = proxy_splice(worker->proxy, worker->table, conn);

	if (splice->tries > PROXY_ASK_TRIES)
		return;
	splice->tries = PROXY_ASK_TRIES + 1;
	proxy_send_syn(worker, conn, splice);
}

/* A backend that cannot be reached is as good as one that refuses (RFC 9293 3.9.2.2). */
enum counter
proxy_ask_unreachable(struct worker *worker, struct conn *conn, const struct icmp_error *error)
{
	if (error->kind != ICMP_ERROR_HARD ||
			error->seq != splice_iss(proxy_splice(worker->proxy, worker->table, conn)))
		return DROP_icmp_ignored;
	proxy_ask_failed(worker, conn);
	return DROP_consumed;
}
