/* SPDX-License-Identifier: BSD-3-Clause */

#include <stddef.h>
#include <string.h>

#include <rte_malloc.h>
#include <rte_mbuf.h>

#include "engine/log.h"
#include "engine/proxy.h"
#include "engine/proxy_ask.h"
#include "engine/proxy_close.h"
#include "engine/proxy_held.h"
#include "engine/proxy_send.h"
#include "engine/worker.h"
#include "tcp/tcp_seq.h"

/* The machine's tail and the splice agree on what others look at, whose connection it ever is. */
_Static_assert(offsetof(struct splice, client_mac) == offsetof(struct conn_tail, peer_mac) &&
				offsetof(struct splice, port) ==
						offsetof(struct conn_tail, ssthresh) - 1,
		"conn_tail.port is splice.port[SPLICE_CLIENT]");
_Static_assert(SETTINGS_PORTS_MAX <= 16, "conn_tail.challenged of a splice is 0");
_Static_assert(LOCAL_PORTS_ADDRESSES_MAX <= LOCAL_PORTS_CLIENT, "splice.local holds all of them");

/* Buffers that may be held, of all workers, where the pool was not made for any. */
#define PROXY_HELD_SPARE 2048

/* Line, splice, a bucket for eight, and what local_ports_footprint() counts for a port. */
_Static_assert(sizeof(struct conn) + sizeof(struct splice) + 64 / 8 + LOCAL_PORTS_BYTES <= 160,
		"all memory of a proxied connection");

bool
proxy_is_wanted(const struct settings *settings)
{
	for (unsigned int i = 0; i < settings->service_count; i++) {
		if (settings->service[i].mode == SETTINGS_MODE_PROXY)
			return true;
	}
	return false;
}

size_t
proxy_tail(const struct settings *settings)
{
	return proxy_is_wanted(settings) ? sizeof(struct splice) : sizeof(struct conn_tail);
}

uint64_t
proxy_footprint(const struct settings *settings)
{
	uint64_t bytes = sizeof(struct proxy) + PROXY_HELD_MAX * sizeof(struct proxy_held);

	for (unsigned int i = 0; i < settings->pool_count; i++)
		bytes += local_ports_footprint(&settings->pool[i].local_ports) *
			 RTE_MAX(settings->pool[i].local_addresses.count, 4u);
	return bytes;
}

static uint64_t
proxy_splices_footprint(const struct settings *settings)
{
	return (uint64_t)settings->engine.connections * sizeof(struct splice);
}

uint64_t
proxy_footprint_apart(const struct settings *settings)
{
	return proxy_footprint(settings) + proxy_splices_footprint(settings);
}

unsigned int
proxy_buffers(const struct settings *settings)
{
	return proxy_is_wanted(settings) ? PROXY_HELD_MAX : 0;
}

/* The table's tails are too short, and the buffers were counted without those that are held. */
static int
proxy_create_apart(struct worker *worker, struct proxy *proxy)
{
	const struct engine *engine = worker->engine;

	proxy->apart = rte_malloc_socket("handfast_splices",
			proxy_splices_footprint(engine->settings), RTE_CACHE_LINE_SIZE,
			worker->numa_node);
	proxy->splice = proxy->apart;
	proxy->held_most = PROXY_HELD_SPARE / engine->worker_count + PROXY_HELD_SEGMENTS;
	return proxy->apart != NULL ? 0 : -1;
}

int
proxy_create(struct worker *worker, bool at_start)
{
	struct proxy *proxy;

	proxy = rte_zmalloc_socket(
			"handfast_proxy", sizeof(*proxy), RTE_CACHE_LINE_SIZE, worker->numa_node);
	worker->made.proxy = proxy;
	if (proxy == NULL)
		goto no_memory;
	proxy->splice = conn_table_tails(worker->table);
	proxy->held_most = PROXY_HELD_MAX;
	if (!at_start && proxy_create_apart(worker, proxy) != 0)
		goto no_memory;
	proxy->held = rte_zmalloc_socket("handfast_held",
			PROXY_HELD_MAX * sizeof(struct proxy_held), RTE_CACHE_LINE_SIZE,
			worker->numa_node);
	if (proxy->held == NULL)
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
	struct proxy *proxy = worker->made.proxy;

	if (proxy == NULL)
		return;
	for (unsigned int i = 0; proxy->held != NULL && i < PROXY_HELD_MAX; i++)
		rte_pktmbuf_free_bulk(proxy->held[i].packet, proxy->held[i].count);
	local_ports_free(proxy);
	rte_free(proxy->held);
	rte_free(proxy->apart);
	rte_free(proxy);
	worker->made.proxy = NULL;
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

/* What of our window is said to a client that waits, in its own scale. */
static uint16_t
proxy_first_window(const struct worker *worker, const struct conn *conn)
{
	const struct service *service = proxy_service(worker, conn);
	const bool scaled = (conn->tcp.flags & TCP_CONN_WINDOW_SCALE) != 0;

	return (uint16_t)(service->first_window >> (scaled ? service->tcp.rcv_wnd_scale : 0));
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
	/* What our next SYN says must not be younger than what is held (PAWS, RFC 7323 5). */
	if (splice->held == 0 && (segment->options & TCP_OPTION_TIMESTAMPS) != 0 &&
			tcp_seq_lt(conn->tcp.ts_recent, segment->tsval))
		conn->tcp.ts_recent = segment->tsval;
	if (segment->seq != PROXY_ASK_HELD_TO(splice)) {
		worker_drop(worker, packet,
				tcp_seq_lt(PROXY_ASK_HELD_TO(splice), segment->seq)
						? DROP_out_of_order
						: DROP_out_of_window);
		return;
	}
	conn->tcp.snd_wnd = segment->window;
	if (length == 0) {
		worker_drop(worker, packet, DROP_consumed);
	} else if (proxy_held_push(worker, splice, packet, &burst->frame[i])) {
		PROXY_ASK_HELD_TO(splice) += length;
		worker_count(worker, splice->port[SPLICE_CLIENT], COUNTER_early_segments, 1);
	} else {
		/* The client shall wait: what it sent it keeps. */
		PROXY_ASK_TOLD(splice) = 1;
		worker_drop(worker, packet, DROP_early_full);
		proxy_send_client(worker, conn, NULL, TCP_ACK, 0);
	}
}

void
proxy_open(struct worker *worker, struct burst *burst, unsigned int i, uint32_t rcv_nxt)
{
	struct conn *conn = burst->conn[i];
	struct splice *splice = proxy_splice_of(worker, conn);
	const struct conn_tail tail = *conn_table_tail(worker->table, conn);

	memset(splice, 0, sizeof(*splice));
	memcpy(splice->client_mac, tail.peer_mac, sizeof(splice->client_mac));
	splice->port[SPLICE_CLIENT] = tail.port;
	conn->tcp.state = TCP_JOINING;
	conn->tcp.rcv_nxt = rcv_nxt;
	PROXY_ASK_HELD_TO(splice) = rcv_nxt;
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
	struct splice *splice = proxy_splice_of(worker, conn);
	const uint8_t half_second = (uint8_t)(1 + worker->now_ms / 500 % 15);

	if (splice->challenged == half_second ||
			!token_bucket_take(&worker->challenges, worker->now_us))
		return false;
	splice->challenged = half_second;
	worker_count(worker, splice->port[SPLICE_CLIENT], COUNTER_challenge_acks, 1);
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
	if (seq == conn->tcp.rcv_nxt || seq == PROXY_ASK_HELD_TO(splice)) {
		worker_drop(worker, packet, DROP_consumed);
		proxy_send_reset(worker, conn, splice_iss(splice) + 1);
		proxy_close(worker, conn, COUNTER_reset);
	} else if (tcp_seq_within(seq, conn->tcp.rcv_nxt,
				   proxy_service(worker, conn)->first_window) &&
			proxy_may_challenge(worker, conn)) {
		proxy_send_client(worker, conn, packet, TCP_ACK, proxy_first_window(worker, conn));
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
		proxy_send_client(worker, conn, packet, TCP_ACK, proxy_first_window(worker, conn));
	else
		worker_drop(worker, packet, DROP_challenge_limited);
}

static void
proxy_event(struct worker *worker, struct conn *conn, enum tcp_event event)
{
	if (event == TCP_EVENT_ABORT)
		proxy_close_abort(worker, conn);
	else if (event == TCP_EVENT_TIMEOUT && conn->tcp.state == TCP_SPLICED)
		proxy_close_timeout(worker, conn);
	else if (event == TCP_EVENT_TIMEOUT)
		proxy_ask_timeout(worker, conn);
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
	proxy_send_client(worker, conn, NULL, TCP_ACK, window);
}

/* What was not asked for cannot have been granted, and nothing is learnt about it. */
static void
proxy_learn(struct worker *worker, unsigned int server, const struct splice_client *client,
		const struct tcp_segment *segment)
{
	struct backends_profile profile = backends_profile(worker->engine->backends, server);
	const bool is_new = profile.mss == 0;

	if (is_new && !(client->scaled && client->sack && client->timestamps))
		return;
	profile.mss = (segment->options & TCP_OPTION_MSS) != 0 ? segment->mss : 0;
	if (client->scaled) {
		profile.has_window_scale = (segment->options & TCP_OPTION_WINDOW_SCALE) != 0;
		profile.window_scale = segment->window_scale;
	}
	if (client->sack)
		profile.has_sack = (segment->options & TCP_OPTION_SACK_PERMITTED) != 0;
	if (client->timestamps)
		profile.has_timestamps = (segment->options & TCP_OPTION_TIMESTAMPS) != 0;
	backends_learn(worker->engine->backends, server, &profile);
}

static void
proxy_join(struct worker *worker, struct conn *conn, struct rte_mbuf *packet,
		const struct tcp_segment *segment)
{
	struct splice *splice = proxy_splice_of(worker, conn);
	const uint32_t held = PROXY_ASK_HELD_TO(splice) - conn->tcp.rcv_nxt;
	const uint32_t since_us = PROXY_ASK_SINCE_US(splice);
	const bool told_zero = PROXY_ASK_TOLD(splice) != 0;
	struct splice_client client;

	proxy_ask_client(worker, conn, &client);
	splice_join(splice, &client, segment, proxy_send_stamp(worker, conn));
	conn->tcp.state = TCP_SPLICED;
	PROXY_SEND_TSVAL(conn) = segment->tsval;
	splice->tries = 0;
	backends_opened(worker->backends, splice->server, (uint32_t)worker->now_us - since_us);
	proxy_learn(worker, splice->server, &client, segment);
	worker_count(worker, splice->port[SPLICE_CLIENT], COUNTER_spliced, 1);
	timer_wheel_schedule(worker->wheel, conn,
			worker->now_ms + proxy_close_after_ms(worker, proxy_service(worker, conn),
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
		proxy_ask_failed(worker, conn);
		return;
	case SPLICE_ANSWER_STALE:
		/* RFC 9293 3.10.7.3; once the old connection is gone our SYN is heard. */
		proxy_send(worker, conn, SPLICE_SERVER, packet,
				&(struct build_tcp){.seq = segment->ack, .flags = TCP_RST});
		proxy_ask_again(worker, conn);
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
	const struct splice *splice = proxy_splice_of(worker, conn);

	proxy_close(worker, conn,
			(splice->closing & SPLICE_ANY_RESET) != 0 ? COUNTER_reset : COUNTER_closed);
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
