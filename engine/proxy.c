/* SPDX-License-Identifier: BSD-3-Clause */

#include <stddef.h>
#include <string.h>

#include <rte_malloc.h>
#include <rte_mbuf.h>

#include "engine/burst_env.h"
#include "engine/log.h"
#include "engine/proxy.h"
#include "engine/proxy_ask.h"
#include "engine/proxy_close.h"
#include "engine/proxy_held.h"
#include "engine/proxy_send.h"
#include "engine/worker.h"
#include "tcp/tcp_seq.h"
#include "wire/bytes.h"

/* The machine's tail and the splice agree on what others look at, whose connection it ever is. */
_Static_assert(offsetof(struct splice, client_mac) == offsetof(struct conn_tail, peer_mac) &&
				offsetof(struct splice, port) ==
						offsetof(struct conn_tail, ssthresh) - 1,
		"conn_tail.port is splice.port[SPLICE_CLIENT]");
_Static_assert(SETTINGS_PORTS_MAX <= 16, "conn_tail.challenged of a splice is 0");
_Static_assert(LOCAL_PORTS_ADDRESSES_MAX <= LOCAL_PORTS_CLIENT, "splice.local holds all of them");

/* Below this an MSS is no MSS (RFC 791 3.1: 68 bytes pass everywhere). */
#define PROXY_MSS_MIN 64u

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
	uint64_t bytes = sizeof(struct proxy) + proxy_held_footprint(settings);

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
	return proxy_is_wanted(settings) ? BURST_MAX * (PROXY_FIRST_SEGMENTS + 1) : 0;
}

/* The table's tails are too short. */
static int
proxy_create_apart(struct worker *worker, struct proxy *proxy)
{
	const struct engine *engine = worker->engine;

	proxy->apart = rte_malloc_socket("handfast_splices",
			proxy_splices_footprint(engine->settings), RTE_CACHE_LINE_SIZE,
			worker->numa_node);
	proxy->splice = proxy->apart;
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
	if (!at_start && proxy_create_apart(worker, proxy) != 0)
		goto no_memory;
	if (proxy_held_create(worker, &proxy->held) != 0)
		goto no_memory;
	return 0;
no_memory:
	log_error("proxy", "no memory for early text on NUMA node %d; lower engine.early_memory",
			worker->numa_node);
	return -1;
}

void
proxy_free(struct worker *worker)
{
	struct proxy *proxy = worker->made.proxy;

	if (proxy == NULL)
		return;
	rte_free(proxy->held.chunk);
	local_ports_free(proxy);
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

/*
 * A segment that brought nothing that could be taken: its sender shall know where we are (RFC 9293
 * 3.10.7.4), also who only asks whether a window is open again (3.8.6.1); but not without end.
 */
static void
proxy_early_refuse(struct worker *worker, struct conn *conn, struct rte_mbuf *packet,
		enum counter reason)
{
	if (proxy_may_challenge(worker, conn))
		proxy_ask_acknowledge(worker, conn, packet);
	else
		worker_drop(worker, packet, reason);
}

/* What of a segment is next in order, and within what was promised. */
static void
proxy_early_text(const struct worker *worker, const struct conn *conn, struct burst *burst,
		unsigned int i, struct proxy_held_text *text)
{
	const struct splice *splice = proxy_splice_of(worker, conn);
	const struct tcp_segment *segment = &burst->segment[i];
	const uint8_t *tcp = rte_pktmbuf_mtod_offset(
			burst->packet[i], const uint8_t *, burst->frame[i].l4_offset);
	const uint32_t old = PROXY_ASK_HELD_TO(splice) - segment->seq;
	const uint32_t room = proxy_service(worker, conn)->first_window -
			      (PROXY_ASK_HELD_TO(splice) - conn->tcp.rcv_nxt);
	const uint32_t length = segment->payload_length - old;

	*text = (struct proxy_held_text){
			.bytes = tcp + segment->payload_offset + old,
			.length = RTE_MIN(length, room),
			.flags = segment->flags & (TCP_FIN | TCP_PSH | TCP_URG),
	};
	if (length > room)
		text->flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	if ((text->flags & TCP_URG) != 0 && bytes_read_16(tcp + 18) > old)
		text->urgent = bytes_read_16(tcp + 18) - old;
	else
		text->flags &= (uint8_t)~TCP_URG;
}

/* Text in order, or a FIN: the second piece is acknowledged at once, the first may wait. */
static void
proxy_early_keep(struct worker *worker, struct burst *burst, unsigned int i, struct conn *conn)
{
	struct splice *splice = proxy_splice_of(worker, conn);
	const bool waits = PROXY_ASK_HELD_TO(splice) != PROXY_ASK_ACKED(splice);
	const bool had_fin = proxy_held_has_fin(worker, splice);
	struct rte_mbuf *packet = burst->packet[i];
	struct proxy_held_text text;
	uint32_t taken;

	proxy_early_text(worker, conn, burst, i, &text);
	taken = had_fin ? 0 : proxy_held_push(worker, splice, &text);
	PROXY_ASK_HELD_TO(splice) += taken;
	worker_count(worker, splice->port[SPLICE_CLIENT], COUNTER_early_segments, taken > 0);
	worker_count(worker, splice->port[SPLICE_CLIENT], COUNTER_early_bytes,
			RTE_MIN(taken, text.length));
	if (had_fin || (text.length == 0 && (text.flags & TCP_FIN) == 0)) {
		proxy_early_refuse(worker, conn, packet, DROP_out_of_window);
	} else if (taken < text.length + ((text.flags & TCP_FIN) != 0)) {
		/* The pool is used up: what was not taken the client keeps, and is to wait. */
		if (PROXY_ASK_TOLD(splice) != 0 && taken == 0) {
			proxy_early_refuse(worker, conn, packet, DROP_early_full);
			return;
		}
		worker_drop(worker, packet, taken > 0 ? DROP_consumed : DROP_early_full);
		proxy_ask_acknowledge(worker, conn, NULL);
	} else if (waits) {
		proxy_ask_acknowledge(worker, conn, packet);
	} else {
		worker_drop(worker, packet, DROP_consumed);
		proxy_ask_schedule(worker, conn);
	}
}

/* An early segment: what is next in order is kept, the rest the client will repeat. */
static void
proxy_early(struct worker *worker, struct burst *burst, unsigned int i, struct conn *conn)
{
	const struct splice *splice = proxy_splice_of(worker, conn);
	const struct tcp_segment *segment = &burst->segment[i];
	const uint32_t length = tcp_segment_length(segment);
	const uint32_t held_to = PROXY_ASK_HELD_TO(splice);
	struct rte_mbuf *packet = burst->packet[i];

	burst->packet[i] = NULL;
	/* We have said nothing since our SYN: who acknowledges another number is not the client. */
	if (segment->ack != conn->tcp.snd_nxt) {
		proxy_early_refuse(worker, conn, packet, DROP_bad_ack);
		return;
	}
	if (tcp_seq_lt(held_to, segment->seq)) {
		proxy_early_refuse(worker, conn, packet, DROP_out_of_order);
		return;
	}
	if (segment->seq != held_to && tcp_seq_leq(segment->seq + length, held_to)) {
		proxy_early_refuse(worker, conn, packet, DROP_out_of_window);
		return;
	}
	/* What we pass on of it later is no older than what we say before (PAWS, RFC 7323 5). */
	if ((segment->options & TCP_OPTION_TIMESTAMPS) != 0 &&
			tcp_seq_lt(conn->tcp.ts_recent, segment->tsval))
		conn->tcp.ts_recent = segment->tsval;
	conn->tcp.snd_wnd = segment->window;
	if (length == 0) {
		worker_drop(worker, packet, DROP_consumed);
		return;
	}
	burst->packet[i] = packet;
	proxy_early_keep(worker, burst, i, conn);
	burst->packet[i] = NULL;
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
	PROXY_ASK_ACKED(splice) = rcv_nxt;
	splice->next[SPLICE_CLIENT] = rcv_nxt;
	burst->action[i] = (struct tcp_action){.send = TCP_SEND_NOTHING};
	burst->conn[i] = NULL;
	proxy_ask_server(worker, conn);
	if (conn->tcp.state == TCP_JOINING && tcp_segment_length(&burst->segment[i]) > 0)
		proxy_early(worker, burst, i, conn);
}

/* RFC 5961 3.2, as the machine does it in ESTABLISHED. */
static void
proxy_joining_reset(struct worker *worker, struct burst *burst, unsigned int i, struct conn *conn)
{
	const struct splice *splice = proxy_splice_of(worker, conn);
	const uint32_t seq = burst->segment[i].seq;
	struct rte_mbuf *packet = burst->packet[i];

	burst->packet[i] = NULL;
	if (seq == PROXY_ASK_ACKED(splice) || seq == PROXY_ASK_HELD_TO(splice)) {
		worker_drop(worker, packet, DROP_consumed);
		proxy_send_reset(worker, conn, splice_iss(splice) + 1);
		proxy_close(worker, conn, COUNTER_reset);
	} else if (tcp_seq_within(seq, conn->tcp.rcv_nxt,
				   proxy_service(worker, conn)->first_window) &&
			proxy_may_challenge(worker, conn)) {
		proxy_ask_acknowledge(worker, conn, packet);
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
		proxy_ask_acknowledge(worker, conn, packet);
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

/* The largest text that a backend takes, by its SYN-ACK (RFC 9293 3.7.1, RFC 6691). */
static uint32_t
proxy_server_mss(const struct worker *worker, const struct splice *splice,
		const struct tcp_segment *segment)
{
	const struct backends_entry *server = &worker->engine->backends->entry[splice->server];
	const bool ipv4 = server->family == 4;
	const uint32_t path = worker->engine->port[server->port_index].mtu - (ipv4 ? 40u : 60u);
	const uint32_t said = (segment->options & TCP_OPTION_MSS) != 0 ? segment->mss
			      : ipv4                                   ? BURST_ENV_DEFAULT_MSS_IPV4
								       : BURST_ENV_DEFAULT_MSS_IPV6;
	const uint32_t mss = RTE_MIN(path, said);

	return RTE_MAX(mss, PROXY_MSS_MIN) -
	       ((splice->flags & SPLICE_SERVER_TIMESTAMPS) != 0 ? 12u : 0u);
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
	splice->tries = 1;
	backends_opened(worker->backends, splice->server, (uint32_t)worker->now_us - since_us);
	proxy_learn(worker, splice->server, &client, segment);
	worker_count(worker, splice->port[SPLICE_CLIENT], COUNTER_spliced, 1);
	timer_wheel_schedule(worker->wheel, conn,
			worker->now_ms + proxy_close_after_ms(worker, proxy_service(worker, conn),
							 splice));
	if (splice->header == 0 && held == 0)
		proxy_acknowledge(worker, conn, packet, segment);
	else
		worker_drop(worker, packet, DROP_consumed);
	if (splice->header > 0)
		proxy_send_header(worker, conn);
	if (told_zero || held == 0 || client.ours > 0 ||
			held * 2 > proxy_service(worker, conn)->first_window)
		proxy_send_client(worker, conn, NULL, TCP_ACK, proxy_send_window(splice));
	proxy_held_begin(worker, conn, proxy_server_mss(worker, splice, segment));
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
proxy_challenge(struct worker *worker, struct conn *conn, enum splice_side to,
		struct rte_mbuf *packet)
{
	if (proxy_may_challenge(worker, conn))
		proxy_send_challenge(worker, conn, to, packet);
	else
		worker_drop(worker, packet, DROP_challenge_limited);
}
