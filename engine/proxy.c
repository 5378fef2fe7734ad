/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include <rte_malloc.h>
#include <rte_mbuf.h>

#include "cookie/isn.h"
#include "engine/burst_forward.h"
#include "engine/log.h"
#include "engine/pools.h"
#include "engine/proxy.h"
#include "engine/proxy_held.h"
#include "engine/proxy_send.h"
#include "engine/transparent.h"
#include "engine/worker.h"
#include "tcp/tcp_seq.h"
#include "wire/icmp_error.h"
#include "wire/proxy_protocol.h"

/* Until a SYN is sent again; twice as long each time, and given up after PROXY_TRIES. */
#define PROXY_RETRY_MS    200
#define PROXY_TRIES       2
#define PROXY_SERVERS_MAX 3

/* After an exact RST, and after both FINs are acknowledged. */
#define PROXY_RESET_MS  10000
#define PROXY_LINGER_MS 2000

/* How far beyond its last numbers a port's next connection begins at least. */
#define PROXY_ISN_BEYOND 64000

_Static_assert(PROXY_SERVERS_MAX <= CHOICE_AVOID_MAX + 1, "those tried can be avoided");

/* While nobody has answered, five members of the splice mean something else. */
#define JOINING_SINCE_US(splice) ((splice)->limit[SPLICE_SERVER])
#define JOINING_HELD_TO(splice)  ((splice)->limit[SPLICE_CLIENT])
#define JOINING_TRIED(splice)    ((splice)->ack)       /* Servers' numbers. */
#define JOINING_TOLD(splice)     ((splice)->our_scale) /* That the window is closed. */

/* Of a spliced connection the machine's words are free. */
#define SPLICED_TSVAL(conn) ((conn)->tcp.snd_una) /* Of the backend's SYN-ACK. */

/* How often a header of ours is sent to a backend that has acknowledged our SYN's SYN-ACK. */
#define PROXY_HEADER_TRIES 8

bool
proxy_is_wanted(const struct settings *settings)
{
	for (unsigned int i = 0; i < settings->service_count; i++) {
		if (settings->service[i].mode == SETTINGS_MODE_PROXY)
			return true;
	}
	return false;
}

uint64_t
proxy_footprint(const struct settings *settings)
{
	uint64_t bytes = sizeof(struct proxy) + PROXY_HELD_MAX * sizeof(struct proxy_held) +
			 (uint64_t)settings->engine.connections * sizeof(struct splice);

	if (!proxy_is_wanted(settings))
		return 0;
	for (unsigned int i = 0; i < settings->pool_count; i++)
		bytes += local_ports_footprint(&settings->pool[i].local_ports) *
			 RTE_MAX(settings->pool[i].local_addresses.count, 4u);
	return bytes;
}

unsigned int
proxy_buffers(const struct settings *settings)
{
	return proxy_is_wanted(settings) ? PROXY_HELD_MAX : 0;
}

int
proxy_create(struct worker *worker)
{
	const struct settings *settings = worker->engine->settings;
	struct proxy *proxy;

	if (!proxy_is_wanted(settings))
		return 0;
	proxy = rte_zmalloc_socket(
			"handfast_proxy", sizeof(*proxy), RTE_CACHE_LINE_SIZE, worker->numa_node);
	worker->proxy = proxy;
	if (proxy == NULL)
		goto no_memory;
	proxy->splice = rte_zmalloc_socket("handfast_splices",
			(size_t)settings->engine.connections * sizeof(struct splice),
			RTE_CACHE_LINE_SIZE, worker->numa_node);
	proxy->held = rte_zmalloc_socket("handfast_held",
			PROXY_HELD_MAX * sizeof(struct proxy_held), RTE_CACHE_LINE_SIZE,
			worker->numa_node);
	if (proxy->splice == NULL || proxy->held == NULL)
		goto no_memory;
	proxy_held_init(proxy);
	return 0;
no_memory:
	log_error("proxy", "no memory for splices on NUMA node %d", worker->numa_node);
	return -1;
}

void
proxy_free(struct worker *worker)
{
	if (worker->proxy == NULL)
		return;
	for (unsigned int i = 0; worker->proxy->held != NULL && i < PROXY_HELD_MAX; i++)
		rte_pktmbuf_free_bulk(worker->proxy->held[i].packet, worker->proxy->held[i].count);
	local_ports_free(worker);
	rte_free(worker->proxy->splice);
	rte_free(worker->proxy->held);
	rte_free(worker->proxy);
	worker->proxy = NULL;
}

static struct splice *
proxy_splice_of(const struct worker *worker, const struct conn *conn)
{
	return proxy_splice(worker->proxy, worker->table, conn);
}

static const struct service *
proxy_service(const struct worker *worker, const struct conn *conn)
{
	return services_of(worker->services, &conn->key);
}

/* TSval for the client now, as the machine would say it (burst_env()). */
static uint32_t
proxy_stamp(const struct worker *worker, const struct conn *conn)
{
	const struct cookies *cookies = &worker->engine->cookies;
	const uint64_t hash = conn_table_hash(worker->table, &conn->key);

	return worker->now_ms + cookies->ts_base_ms +
	       ((uint32_t)(hash >> 32) & cookies->ts_flow_mask);
}

static void
proxy_client_of(const struct worker *worker, const struct conn *conn, struct splice_client *client)
{
	const struct tcp_conn *tcp = &conn->tcp;

	*client = (struct splice_client){
			.rcv_nxt = tcp->rcv_nxt,
			.snd_nxt = tcp->snd_nxt,
			.window = tcp->snd_wnd,
			.scale = tcp->scales & 0xf,
			.our_scale = proxy_service(worker, conn)->tcp.rcv_wnd_scale,
			.scaled = (tcp->flags & TCP_CONN_WINDOW_SCALE) != 0,
			.sack = (tcp->flags & TCP_CONN_SACK) != 0,
			.timestamps = (tcp->flags & TCP_CONN_TIMESTAMPS) != 0,
	};
}

/* A segment to a client that waits for a backend. */
static void
proxy_tell_client(struct worker *worker, struct conn *conn, struct rte_mbuf *packet, uint8_t flags,
		uint16_t window)
{
	struct build_tcp tcp = {
			.seq = conn->tcp.snd_nxt,
			.ack = conn->tcp.rcv_nxt,
			.flags = flags,
			.window = window,
	};

	if ((conn->tcp.flags & TCP_CONN_TIMESTAMPS) != 0) {
		tcp.options.options = TCP_OPTION_TIMESTAMPS;
		tcp.options.tsval = proxy_stamp(worker, conn);
		tcp.options.tsecr = conn->tcp.ts_recent;
	}
	proxy_send(worker, conn, SPLICE_CLIENT, packet, &tcp);
}

/* What of our window is said to a client that waits, in its own scale. */
static uint16_t
proxy_first_window(const struct worker *worker, const struct conn *conn)
{
	const struct service *service = proxy_service(worker, conn);
	const bool scaled = (conn->tcp.flags & TCP_CONN_WINDOW_SCALE) != 0;

	return (uint16_t)(service->first_window >> (scaled ? service->tcp.rcv_wnd_scale : 0));
}

static void
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
proxy_header_ends(const struct worker *worker, const struct conn *conn,
		struct proxy_protocol_ends *ends)
{
	const struct listener *listener = &worker->services->listener[conn->key.endpoint];

	memcpy(ends->source, conn->key.address, sizeof(ends->source));
	memcpy(ends->destination, listener->address, sizeof(ends->destination));
	ends->source_port = conn->key.port;
	ends->destination_port = listener->port;
}

static enum proxy_protocol_version
proxy_header_version(const struct worker *worker, const struct conn *conn)
{
	return (enum proxy_protocol_version)proxy_service(worker, conn)
			->pool->settings->proxy_protocol;
}

static uint8_t
proxy_header_length(const struct worker *worker, const struct conn *conn)
{
	struct proxy_protocol_ends ends;

	proxy_header_ends(worker, conn, &ends);
	return (uint8_t)proxy_protocol_length(proxy_header_version(worker, conn), &ends);
}

/*
 * Who the client is, in front of its first word.  These bytes are ours to repeat; they are made
 * anew each time.
 */
static void
proxy_send_header(struct worker *worker, struct conn *conn)
{
	struct splice *splice = proxy_splice_of(worker, conn);
	struct build_tcp tcp = {
			.seq = splice->ack[SPLICE_SERVER] + splice->add[SPLICE_CLIENT] -
			       splice->header,
			.ack = splice->ack[SPLICE_CLIENT] - splice->add[SPLICE_SERVER],
			.flags = TCP_ACK | TCP_PSH,
			.window = splice_window(splice, SPLICE_CLIENT, conn->tcp.snd_wnd),
	};
	struct proxy_protocol_ends ends;
	uint8_t bytes[PROXY_PROTOCOL_MAX];
	struct proxy_send_text text = {.bytes = bytes};

	proxy_header_ends(worker, conn, &ends);
	text.length = (unsigned int)proxy_protocol_write(
			bytes, proxy_header_version(worker, conn), &ends);
	if ((splice->flags & SPLICE_SERVER_TIMESTAMPS) != 0) {
		tcp.options.options = TCP_OPTION_TIMESTAMPS;
		tcp.options.tsval = conn->tcp.ts_recent;
		tcp.options.tsecr = SPLICED_TSVAL(conn);
	}
	proxy_send_text(worker, conn, SPLICE_SERVER, &tcp, &text);
	splice->tries++;
}

/* What the server is not to wait for any longer. */
static void
proxy_reset_server(struct worker *worker, struct conn *conn, uint32_t seq)
{
	const struct build_tcp tcp = {.seq = seq, .flags = TCP_RST};

	proxy_send(worker, conn, SPLICE_SERVER, NULL, &tcp);
}

/* Let go of the server, and of our port towards it. */
static void
proxy_leave_server(struct worker *worker, struct splice *splice)
{
	if (splice->local_port == 0)
		return;
	if (splice->local != LOCAL_PORTS_CLIENT)
		local_ports_give(worker, splice->local, splice->local_port,
				splice->next[SPLICE_CLIENT] + splice->add[SPLICE_CLIENT]);
	backends_closed(worker->backends, splice->server);
	splice->local_port = 0;
}

static void
proxy_note(struct worker *worker, struct conn *conn, uint64_t hash)
{
	conn->tcp.state = TCP_CLOSED;
	burst_step_note(worker, &(struct worker_ending){.conn = conn, .hash = hash});
}

/* The connection is over; it stays in the table until the burst is. */
static void
proxy_end(struct worker *worker, struct conn *conn, enum counter how)
{
	struct splice *splice = proxy_splice_of(worker, conn);
	struct service_share *share = &worker->share[services_number(worker->services, &conn->key)];

	proxy_held_drop(worker, splice, DROP_consumed);
	proxy_leave_server(worker, splice);
	services_release(proxy_service(worker, conn), share);
	worker_count(worker, splice->port[SPLICE_CLIENT], how, 1);
	if (how == COUNTER_reset)
		share->reset++;
	else if (how == COUNTER_timed_out)
		share->timed_out++;
	else
		share->closed++;
	proxy_note(worker, conn, conn_table_hash(worker->table, &conn->key));
}

/* No backend: the client hears of it, unless the pool would rather be silent. */
static void
proxy_give_up(struct worker *worker, struct conn *conn, enum counter why)
{
	const struct splice *splice = proxy_splice_of(worker, conn);
	const struct pool *pool = proxy_service(worker, conn)->pool;

	worker_count(worker, splice->port[SPLICE_CLIENT], why, 1);
	if (why != COUNTER_backends_all_down ||
			pool->settings->when_down == SETTINGS_WHEN_DOWN_RESET)
		proxy_tell_client(worker, conn, NULL, TCP_RST | TCP_ACK, 0);
	proxy_end(worker, conn, COUNTER_reset);
}

/* An address of ours towards a server, one after the other; LOCAL_PORTS_NONE if there is none. */
static unsigned int
proxy_choose_local(struct worker *worker, const struct pool *pool, unsigned int server)
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
proxy_take_port(struct worker *worker, struct conn *conn, struct splice *splice,
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
		way.local = proxy_choose_local(worker, pool, splice->server);
		if (way.local == LOCAL_PORTS_NONE)
			return false;
		splice->local = (uint16_t)way.local;
		splice->local_port = local_ports_take(
				worker, &way, conn_table_slot(worker->table, conn));
	}
	return splice->local_port != 0;
}

/* RFC 6528, and beyond what the port's last connection said. */
static uint32_t
proxy_isn(const struct worker *worker, const struct splice *splice, const struct splice_ends *ends)
{
	struct flow_key key = {
			.port = splice->local_port,
			.endpoint = (uint16_t)(FLOW_KEY_ACTIVE | splice->server),
	};
	uint32_t isn, beyond;

	memcpy(key.address, ends->source, sizeof(key.address));
	isn = isn_make(&worker->engine->isn_key, &key, worker->now_us);
	if (splice->local == LOCAL_PORTS_CLIENT)
		return isn;
	beyond = local_ports_last(worker, splice->local, splice->local_port) + PROXY_ISN_BEYOND;
	return tcp_seq_lt(isn, beyond) ? beyond : isn;
}

/* Whom to ask next; CHOICE_NONE when enough were asked, or nobody is left. */
static unsigned int
proxy_choose_server(struct worker *worker, const struct conn *conn, const struct splice *splice)
{
	struct choice_client client = {
			.port = conn->key.port,
			.avoid_count = splice->servers,
	};

	if (splice->servers == PROXY_SERVERS_MAX)
		return CHOICE_NONE;
	memcpy(client.address, conn->key.address, sizeof(client.address));
	memcpy(client.avoid, JOINING_TRIED(splice), splice->servers * sizeof(client.avoid[0]));
	return pools_pick(worker, proxy_service(worker, conn)->pool, &client);
}

static void
proxy_send_first_syn(struct worker *worker, struct conn *conn, struct splice *splice)
{
	struct splice_ends client_ends, server_ends;
	struct splice_client client;

	proxy_send_ends(worker, conn, splice, SPLICE_CLIENT, &server_ends);
	proxy_send_ends(worker, conn, splice, SPLICE_SERVER, &client_ends);
	splice->sum_add = splice_sum(&client_ends, &server_ends);
	proxy_client_of(worker, conn, &client);
	splice_begin(splice, &client, proxy_isn(worker, splice, &server_ends),
			proxy_header_length(worker, conn));
	JOINING_SINCE_US(splice) = (uint32_t)worker->now_us;
	splice->tries = 1;
	proxy_send_syn(worker, conn, splice);
	timer_wheel_schedule(worker->wheel, conn, worker->now_ms + PROXY_RETRY_MS);
}

static void
proxy_ask_server(struct worker *worker, struct conn *conn)
{
	struct splice *splice = proxy_splice_of(worker, conn);
	const struct pool *pool = proxy_service(worker, conn)->pool;
	const unsigned int number = proxy_choose_server(worker, conn, splice);
	uint16_t tried = (uint16_t)number;

	if (number == CHOICE_NONE) {
		proxy_give_up(worker, conn,
				splice->servers == 0 ? COUNTER_backends_all_down
						     : COUNTER_backends_no_answer);
		return;
	}
	splice->server = tried;
	splice->port[SPLICE_SERVER] = worker->engine->backends->entry[number].port_index;
	if (!proxy_take_port(worker, conn, splice, pool)) {
		proxy_give_up(worker, conn, COUNTER_local_ports_used_up);
		return;
	}
	memcpy((uint8_t *)JOINING_TRIED(splice) + splice->servers * sizeof(tried), &tried,
			sizeof(tried));
	splice->servers++;
	backends_chosen(worker->backends, number);
	proxy_send_first_syn(worker, conn, splice);
}

static void
proxy_failed(struct worker *worker, struct conn *conn)
{
	struct splice *splice = proxy_splice_of(worker, conn);

	worker_count(worker, splice->port[SPLICE_SERVER], COUNTER_backend_failures, 1);
	backends_failed(worker->backends, splice->server);
	proxy_leave_server(worker, splice);
	proxy_ask_server(worker, conn);
}

/* A backend that cannot be reached is as good as one that refuses (RFC 9293 3.9.2.2). */
enum counter
proxy_unreachable(struct worker *worker, struct conn *conn, const struct icmp_error *error)
{
	if (error->kind != ICMP_ERROR_HARD ||
			error->seq != splice_iss(proxy_splice_of(worker, conn)))
		return DROP_icmp_ignored;
	proxy_failed(worker, conn);
	return DROP_consumed;
}

/* An early segment: what is next in order is kept, the rest the client will repeat. */
static void
proxy_early(struct worker *worker, struct burst *burst, unsigned int i, struct conn *conn)
{
	struct splice *splice = proxy_splice_of(worker, conn);
	const struct tcp_segment *segment = &burst->segment[i];
	const uint32_t length = tcp_segment_length(segment);
	struct rte_mbuf *packet = burst->packet[i];

	burst->packet[i] = NULL;
	if (tcp_seq_lt(conn->tcp.snd_nxt, segment->ack)) {
		worker_drop(worker, packet, DROP_bad_ack);
		return;
	}
	if ((segment->options & TCP_OPTION_TIMESTAMPS) != 0 &&
			tcp_seq_lt(conn->tcp.ts_recent, segment->tsval))
		conn->tcp.ts_recent = segment->tsval;
	if (segment->seq != JOINING_HELD_TO(splice)) {
		worker_drop(worker, packet,
				tcp_seq_lt(JOINING_HELD_TO(splice), segment->seq)
						? DROP_out_of_order
						: DROP_out_of_window);
		return;
	}
	conn->tcp.snd_wnd = segment->window;
	if (length == 0) {
		worker_drop(worker, packet, DROP_consumed);
	} else if (proxy_held_push(worker, splice, packet, &burst->frame[i])) {
		JOINING_HELD_TO(splice) += length;
		worker_count(worker, splice->port[SPLICE_CLIENT], COUNTER_early_segments, 1);
	} else {
		/* The client shall wait: what it sent it keeps. */
		JOINING_TOLD(splice) = 1;
		worker_drop(worker, packet, DROP_early_full);
		proxy_tell_client(worker, conn, NULL, TCP_ACK, 0);
	}
}

void
proxy_open(struct worker *worker, struct burst *burst, unsigned int i, uint32_t rcv_nxt)
{
	struct conn *conn = burst->conn[i];
	struct splice *splice = proxy_splice_of(worker, conn);
	const struct conn_tail *tail = conn_table_tail(worker->table, conn);

	memset(splice, 0, sizeof(*splice));
	memcpy(splice->client_mac, tail->peer_mac, sizeof(splice->client_mac));
	splice->port[SPLICE_CLIENT] = tail->port;
	conn->tcp.state = TCP_JOINING;
	conn->tcp.rcv_nxt = rcv_nxt;
	JOINING_HELD_TO(splice) = rcv_nxt;
	splice->next[SPLICE_CLIENT] = rcv_nxt;
	burst->action[i] = (struct tcp_action){.send = TCP_SEND_NOTHING};
	burst->conn[i] = NULL;
	if (tcp_segment_length(&burst->segment[i]) > 0)
		proxy_early(worker, burst, i, conn);
	proxy_ask_server(worker, conn);
}

/* Whether a challenge may be sent; one per connection in half a second, and so many in all. */
static bool
proxy_may_challenge(struct worker *worker, struct conn *conn)
{
	struct conn_tail *tail = conn_table_tail(worker->table, conn);
	const uint8_t half_second = (uint8_t)(1 + worker->now_ms / 500 % 15);

	if (tail->challenged == half_second ||
			!token_bucket_take(&worker->challenges, worker->now_us))
		return false;
	tail->challenged = half_second & 0xf;
	worker_count(worker, tail->port, COUNTER_challenge_acks, 1);
	return true;
}

/* RFC 5961 3.2, as the machine does it in ESTABLISHED. */
static void
proxy_joining_reset(struct worker *worker, struct burst *burst, unsigned int i, struct conn *conn)
{
	const struct splice *splice = proxy_splice_of(worker, conn);
	const uint32_t seq = burst->segment[i].seq;
	struct rte_mbuf *packet = burst->packet[i];

	burst->packet[i] = NULL;
	if (seq == conn->tcp.rcv_nxt || seq == JOINING_HELD_TO(splice)) {
		worker_drop(worker, packet, DROP_consumed);
		proxy_reset_server(worker, conn, splice_iss(splice) + 1);
		proxy_end(worker, conn, COUNTER_reset);
	} else if (tcp_seq_within(seq, conn->tcp.rcv_nxt,
				   proxy_service(worker, conn)->first_window) &&
			proxy_may_challenge(worker, conn)) {
		proxy_tell_client(worker, conn, packet, TCP_ACK, proxy_first_window(worker, conn));
	} else {
		worker_drop(worker, packet, DROP_bad_rst);
	}
}

static void
proxy_joining_syn(struct worker *worker, struct burst *burst, unsigned int i, struct conn *conn)
{
	struct rte_mbuf *packet = burst->packet[i];

	burst->packet[i] = NULL;
	if (proxy_may_challenge(worker, conn))
		proxy_tell_client(worker, conn, packet, TCP_ACK, proxy_first_window(worker, conn));
	else
		worker_drop(worker, packet, DROP_challenge_limited);
}

static void
proxy_joining_timeout(struct worker *worker, struct conn *conn)
{
	struct splice *splice = proxy_splice_of(worker, conn);

	if (splice->tries == PROXY_TRIES) {
		proxy_failed(worker, conn);
		return;
	}
	proxy_send_syn(worker, conn, splice);
	timer_wheel_schedule(
			worker->wheel, conn, worker->now_ms + (PROXY_RETRY_MS << splice->tries));
	splice->tries++;
}

/* Whoever still talks shall know that it is over. */
static void
proxy_reset_both(struct worker *worker, struct conn *conn, const struct splice *splice)
{
	const struct build_tcp to_client = {
			.seq = splice->next[SPLICE_SERVER],
			.ack = splice->next[SPLICE_CLIENT],
			.flags = TCP_RST | TCP_ACK,
	};

	proxy_send(worker, conn, SPLICE_CLIENT, NULL, &to_client);
	proxy_reset_server(worker, conn, splice->next[SPLICE_CLIENT] + splice->add[SPLICE_CLIENT]);
}

static void
proxy_spliced_timeout(struct worker *worker, struct conn *conn)
{
	struct splice *splice = proxy_splice_of(worker, conn);

	if (splice->header > 0 && splice->closing == 0 && splice->tries < PROXY_HEADER_TRIES) {
		proxy_send_header(worker, conn);
		timer_wheel_schedule(worker->wheel, conn,
				worker->now_ms + (PROXY_RETRY_MS << splice->tries));
	} else if ((splice->closing & SPLICE_ANY_RESET) != 0) {
		proxy_end(worker, conn, COUNTER_reset);
	} else if ((splice->closing & SPLICE_BOTH_FINS_ACKED) == SPLICE_BOTH_FINS_ACKED) {
		proxy_end(worker, conn, COUNTER_closed);
	} else {
		proxy_reset_both(worker, conn, splice);
		proxy_end(worker, conn, COUNTER_timed_out);
	}
}

static void
proxy_abort(struct worker *worker, struct conn *conn)
{
	const struct splice *splice = proxy_splice_of(worker, conn);

	if (conn->tcp.state == TCP_SPLICED) {
		proxy_reset_both(worker, conn, splice);
	} else {
		proxy_tell_client(worker, conn, NULL, TCP_RST | TCP_ACK, 0);
		proxy_reset_server(worker, conn, splice_iss(splice) + 1);
	}
	proxy_end(worker, conn, COUNTER_reset);
}

static void
proxy_event(struct worker *worker, struct conn *conn, enum tcp_event event)
{
	if (event == TCP_EVENT_ABORT)
		proxy_abort(worker, conn);
	else if (event == TCP_EVENT_TIMEOUT && conn->tcp.state == TCP_SPLICED)
		proxy_spliced_timeout(worker, conn);
	else if (event == TCP_EVENT_TIMEOUT)
		proxy_joining_timeout(worker, conn);
}

void
proxy_step(struct worker *worker, struct burst *burst, unsigned int i)
{
	struct conn *conn = burst->conn[i];

	burst->conn[i] = NULL;
	burst->action[i] = (struct tcp_action){.send = TCP_SEND_NOTHING};
	if (burst->packet[i] == NULL) {
		proxy_event(worker, conn, (enum tcp_event)burst->event[i]);
		return;
	}
	switch ((enum tcp_event)burst->event[i]) {
	case TCP_EVENT_RST:
		proxy_joining_reset(worker, burst, i, conn);
		return;
	case TCP_EVENT_SYN:
	case TCP_EVENT_SYN_ACK:
		proxy_joining_syn(worker, burst, i, conn);
		return;
	case TCP_EVENT_ACK:
	case TCP_EVENT_FIN:
		proxy_early(worker, burst, i, conn);
		return;
	case TCP_EVENT_BARE:
		burst->action[i].drop = TCP_REFUSAL_NO_ACK;
		return;
	default:
		burst->action[i].drop = TCP_REFUSAL_ICMP;
		return;
	}
}

/* What comes of the backend's SYN-ACK: an ACK, unless the client's first words are one. */
static void
proxy_acknowledge(struct worker *worker, struct conn *conn, struct rte_mbuf *packet,
		const struct tcp_segment *segment)
{
	const struct splice *splice = proxy_splice_of(worker, conn);
	struct build_tcp tcp = {
			.seq = splice->next[SPLICE_CLIENT] + splice->add[SPLICE_CLIENT],
			.ack = segment->seq + 1,
			.flags = TCP_ACK,
			.window = splice_window(splice, SPLICE_CLIENT, conn->tcp.snd_wnd),
	};

	if ((splice->flags & SPLICE_SERVER_TIMESTAMPS) != 0) {
		tcp.options.options = TCP_OPTION_TIMESTAMPS;
		tcp.options.tsval = conn->tcp.ts_recent;
		tcp.options.tsecr = segment->tsval;
	}
	proxy_send(worker, conn, SPLICE_SERVER, packet, &tcp);
}

/* The client was promised a few segments; now it may have what the backend takes. */
static void
proxy_open_window(struct worker *worker, struct conn *conn, uint16_t window)
{
	const struct splice *splice = proxy_splice_of(worker, conn);

	/* A SYN-ACK's window is not scaled (RFC 7323 2.2). */
	window = (uint16_t)(window >> splice->our_scale);
	proxy_tell_client(worker, conn, NULL, TCP_ACK, window);
}

static void
proxy_learn(struct worker *worker, unsigned int server, const struct splice_client *client,
		const struct tcp_segment *segment)
{
	const struct backends_profile profile = {
			.mss = (segment->options & TCP_OPTION_MSS) != 0 ? segment->mss : 0,
			.window_scale = segment->window_scale,
			.has_window_scale = (segment->options & TCP_OPTION_WINDOW_SCALE) != 0,
			.has_sack = (segment->options & TCP_OPTION_SACK_PERMITTED) != 0,
			.has_timestamps = (segment->options & TCP_OPTION_TIMESTAMPS) != 0,
	};

	/* What was not asked for cannot have been granted. */
	if (client->scaled && client->sack && client->timestamps)
		backends_learn(worker->engine->backends, server, &profile);
}

static void
proxy_join(struct worker *worker, struct conn *conn, struct rte_mbuf *packet,
		const struct tcp_segment *segment)
{
	struct splice *splice = proxy_splice_of(worker, conn);
	const uint32_t held = JOINING_HELD_TO(splice) - conn->tcp.rcv_nxt;
	const uint32_t since_us = JOINING_SINCE_US(splice);
	const bool told_zero = JOINING_TOLD(splice) != 0;
	struct splice_client client;

	proxy_client_of(worker, conn, &client);
	splice_join(splice, &client, segment, proxy_stamp(worker, conn));
	conn->tcp.state = TCP_SPLICED;
	SPLICED_TSVAL(conn) = segment->tsval;
	splice->tries = 0;
	backends_opened(worker->backends, splice->server, (uint32_t)worker->now_us - since_us);
	proxy_learn(worker, splice->server, &client, segment);
	worker_count(worker, splice->port[SPLICE_CLIENT], COUNTER_spliced, 1);
	timer_wheel_schedule(worker->wheel, conn,
			worker->now_ms + proxy_timeout_ms(worker, proxy_service(worker, conn),
							 splice));
	if (splice->header > 0) {
		worker_drop(worker, packet, DROP_consumed);
		proxy_send_header(worker, conn);
	} else if (held == 0) {
		proxy_acknowledge(worker, conn, packet, segment);
	} else {
		worker_drop(worker, packet, DROP_consumed);
	}
	if (told_zero || held == 0 || held * 2 > proxy_service(worker, conn)->first_window)
		proxy_open_window(worker, conn, segment->window);
	proxy_held_forward(worker, conn, splice, segment->tsval);
}

void
proxy_answer(struct worker *worker, struct conn *conn, struct burst_returns *returns,
		unsigned int i)
{
	struct splice *splice = proxy_splice_of(worker, conn);
	const struct tcp_segment *segment = &returns->segment[i];
	struct rte_mbuf *packet = returns->packet[i];

	returns->packet[i] = NULL;
	switch (splice_answer(splice, segment)) {
	case SPLICE_ANSWER_GOOD:
		proxy_join(worker, conn, packet, segment);
		return;
	case SPLICE_ANSWER_REFUSED:
		worker_drop(worker, packet, DROP_consumed);
		proxy_failed(worker, conn);
		return;
	case SPLICE_ANSWER_STALE:
		/* RFC 9293 3.10.7.3; once the old connection is gone our SYN is heard. */
		proxy_send(worker, conn, SPLICE_SERVER, packet,
				&(struct build_tcp){.seq = segment->ack, .flags = TCP_RST});
		if (splice->tries == 1) {
			splice->tries = PROXY_TRIES;
			proxy_send_syn(worker, conn, splice);
		}
		return;
	case SPLICE_ANSWER_NONE:
		worker_drop(worker, packet,
				(segment->flags & TCP_RST) != 0 ? DROP_bad_rst : DROP_bad_ack);
		return;
	}
}

void
proxy_forget(struct worker *worker, struct conn *conn)
{
	proxy_end(worker, conn, COUNTER_closed);
}

void
proxy_challenge_client(struct worker *worker, struct conn *conn, struct rte_mbuf *packet)
{
	const struct splice *splice = proxy_splice_of(worker, conn);
	const struct build_tcp tcp = {
			.seq = splice->next[SPLICE_SERVER],
			.ack = splice->ack[SPLICE_SERVER],
			.flags = TCP_ACK,
			.window = (uint16_t)((splice->limit[SPLICE_CLIENT] -
							     splice->ack[SPLICE_SERVER]) >>
					     splice->our_scale),
	};

	if (proxy_may_challenge(worker, conn))
		proxy_send(worker, conn, SPLICE_CLIENT, packet, &tcp);
	else
		worker_drop(worker, packet, DROP_challenge_limited);
}

void
proxy_challenge_server(struct worker *worker, struct conn *conn, struct rte_mbuf *packet)
{
	const struct splice *splice = proxy_splice_of(worker, conn);
	const uint32_t window = splice->limit[SPLICE_SERVER] - splice->ack[SPLICE_CLIENT];
	const struct build_tcp tcp = {
			.seq = splice->next[SPLICE_CLIENT] + splice->add[SPLICE_CLIENT],
			.ack = splice->ack[SPLICE_CLIENT] - splice->add[SPLICE_SERVER],
			.flags = TCP_ACK,
			.window = splice_window(splice, SPLICE_CLIENT,
					(uint16_t)(window >> splice->scale[SPLICE_CLIENT])),
	};

	if (proxy_may_challenge(worker, conn))
		proxy_send(worker, conn, SPLICE_SERVER, packet, &tcp);
	else
		worker_drop(worker, packet, DROP_challenge_limited);
}

uint32_t
proxy_timeout_ms(const struct worker *worker, const struct service *service,
		const struct splice *splice)
{
	const uint32_t used = conn_table_count(worker->table);

	if (likely(splice->closing == 0))
		return likely(splice->header == 0) ? service->tcp.idle_timeout_ms
						   : (uint32_t)PROXY_RETRY_MS << splice->tries;
	if ((splice->closing & SPLICE_ANY_RESET) != 0)
		return used * 2 > conn_table_capacity(worker->table) ? 0 : PROXY_RESET_MS;
	/* A FIN may come again; where room is short, a RST will have to do for it. */
	if ((splice->closing & SPLICE_BOTH_FINS_ACKED) == SPLICE_BOTH_FINS_ACKED)
		return used * 2 > conn_table_capacity(worker->table) ? 0 : PROXY_LINGER_MS;
	return RTE_MIN(service->tcp.idle_timeout_ms, 2 * service->tcp.fin_timeout_ms);
}
