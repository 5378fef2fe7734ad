/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The fifth stage: events happen to connections, and the services behind them hear of it.
 *
 * Two packets of one flow can share a burst, and the lookup answered for both before either had
 * acted.  Two rules follow.  Insertion looks again: a packet that found nothing asks once more when
 * this burst has opened connections.  Removal waits: a connection that ends is only noted, and
 * settled when the burst has been sent; a SYN behind it may open it anew in place.
 *
 * TIME_WAIT is kept elsewhere, in small entries.  A packet for one borrows it: it becomes a
 * connection for the length of the burst, and the machine knows no difference.
 */

#include <string.h>

#include <rte_bitops.h>

#include "cookie/isn.h"
#include "engine/burst.h"
#include "engine/burst_columns.h"
#include "engine/burst_cookie.h"
#include "engine/burst_env.h"
#include "engine/burst_expect.h"
#include "engine/burst_fast_open.h"
#include "engine/burst_merge.h"
#include "engine/burst_older.h"
#include "engine/burst_syn.h"
#include "engine/half_open.h"
#include "engine/proxy.h"
#include "engine/worker.h"
#include "tcp/tcp_output.h"

static const struct service *
burst_step_service(const struct worker *worker, const struct flow_key *key)
{
	return services_of(worker->services, key);
}

static struct service_share *
burst_step_share(struct worker *worker, const struct flow_key *key)
{
	return &worker->share[services_number(worker->services, key)];
}

/* Only what opens a connection can need an initial sequence number. */
static void
burst_step_isn(const struct worker *worker, const struct burst *burst, unsigned int i,
		struct tcp_env *env)
{
	if (burst->event[i] == TCP_EVENT_SYN || burst->event[i] == TCP_EVENT_OPEN)
		env->isn = isn_make(&worker->engine->isn_key, burst->hash[i], worker->now_us);
}

/* A packet ends in this stage. */
static void
burst_step_drop(struct worker *worker, struct burst *burst, unsigned int i, enum counter reason)
{
	worker_drop(worker, burst->packet[i], reason);
	burst->packet[i] = NULL;
	burst->conn[i] = NULL;
	burst->action[i] = (struct tcp_action){.send = TCP_SEND_NOTHING};
}

/* To be settled when the burst is over; once, also when it began again in between. */
void
burst_step_note(struct worker *worker, const struct worker_ending *ending)
{
	for (unsigned int i = 0; worker->revived && i < worker->ending_count; i++) {
		if (worker->ending[i].conn == ending->conn)
			return;
	}
	worker->ending[worker->ending_count++] = *ending;
}

/* The connection is over: tell its service, and mark it for burst_transmit(). */
static void
burst_step_closed(struct worker *worker, struct burst *burst, unsigned int i, uint8_t before)
{
	const bool had_credit = before != TCP_TIME_WAIT;
	struct conn *conn = burst->conn[i];
	const struct service *service = burst_step_service(worker, &conn->key);
	struct service_share *share = burst_step_share(worker, &conn->key);
	struct conn_tail *tail = conn_table_tail(worker->table, conn);
	const uint8_t outcome = burst->action[i].outcome;

	if (flow_key_is_check(&conn->key))
		checks_ended(worker, conn, (enum tcp_event)burst->event[i]);
	else
		opening_ended(worker, conn, (enum tcp_event)burst->event[i]);
	respond_closed(service->respond, &tail->respond, worker->echo_buffers);
	if (had_credit)
		services_release(service, share);
	if ((outcome & TCP_OUTCOME_RESET) != 0) {
		worker_count(worker, tail->port, COUNTER_reset, 1);
		share->reset++;
	} else if ((outcome & TCP_OUTCOME_TIMED_OUT) != 0) {
		worker_count(worker, tail->port, COUNTER_timed_out, 1);
		share->timed_out++;
	} else if (had_credit) {
		worker_count(worker, tail->port, COUNTER_closed, 1);
		share->closed++;
	}
	/* In TIME_WAIT it was noted already. */
	if (had_credit)
		burst_step_note(worker, &(struct worker_ending){
							.conn = conn,
							.hash = burst->hash[i],
							.unopened = before == TCP_SYN_RCVD,
					});
}

/* TIME_WAIT only keeps the ports quiet: it is no longer a connection of the service. */
static void
burst_step_entered_time_wait(struct worker *worker, struct conn *conn, uint64_t hash)
{
	struct conn_tail *tail = conn_table_tail(worker->table, conn);
	const struct service *service = burst_step_service(worker, &conn->key);
	struct service_share *share = burst_step_share(worker, &conn->key);

	if (flow_key_is_check(&conn->key))
		checks_ended(worker, conn, TCP_EVENT_FIN);
	respond_closed(service->respond, &tail->respond, worker->echo_buffers);
	services_release(service, share);
	worker_count(worker, tail->port, COUNTER_closed, 1);
	share->closed++;
	time_wait_prefetch(worker->time_wait, hash);
	burst_step_note(worker, &(struct worker_ending){.conn = conn, .hash = hash});
}

/*
 * @param early
 *   The service has the connection since its SYN.
 * @return false when the connection is to be aborted: no room, or opened only to see it open.
 */
static bool
burst_step_opened(struct worker *worker, struct conn *conn, bool early)
{
	struct conn_tail *tail = conn_table_tail(worker->table, conn);
	const struct service *service = burst_step_service(worker, &conn->key);
	struct tcp_sender sender;
	bool wanted = true;

	if (flow_key_is_check(&conn->key))
		wanted = checks_opened(worker, conn);
	else if (flow_key_is_active(&conn->key))
		wanted = opening_opened(worker, conn);
	else
		histogram_record(
				&worker->handshake_us, (uint32_t)worker->now_us - tail->recover, 1);
	worker_count(worker, tail->port, COUNTER_opened, 1);
	burst_step_share(worker, &conn->key)->opened++;
	tcp_output_open(&conn->tcp, &sender, &service->tcp);
	tail->recover = sender.recover;
	tail->ssthresh = sender.ssthresh;
	if (early) {
		respond_acked(service->respond, &tail->respond, worker->echo_buffers,
				conn->tcp.snd_una);
		return true;
	}
	return respond_open(service->respond, &tail->respond, conn->tcp.snd_una,
			       worker->echo_buffers) &&
	       wanted;
}

static void
burst_step_data(struct worker *worker, const struct burst *burst, unsigned int i)
{
	const struct tcp_action *action = &burst->action[i];
	struct conn *conn = burst->conn[i];
	struct conn_tail *tail = conn_table_tail(worker->table, conn);
	const struct service *service = burst_step_service(worker, &conn->key);
	const struct rte_ether_hdr *ethernet =
			rte_pktmbuf_mtod(burst->packet[i], const struct rte_ether_hdr *);
	const uint8_t *payload = rte_pktmbuf_mtod_offset(burst->packet[i], const uint8_t *,
			burst->frame[i].l4_offset + burst->segment[i].payload_offset);
	const unsigned int requests = respond_input(service->respond, &tail->respond,
			worker->echo_buffers, payload + action->skip, action->take);

	if (flow_key_is_check(&conn->key))
		checks_input(worker, conn, payload + action->skip, action->take);
	/* What a timer may have to send goes where the latest data came from. */
	memcpy(tail->peer_mac, ethernet->src_addr.addr_bytes, sizeof(tail->peer_mac));
	worker_count(worker, tail->port, COUNTER_data_bytes_received, action->take);
	worker_count(worker, tail->port, COUNTER_requests, requests);
	burst_step_share(worker, &conn->key)->requests += requests;
}

/*
 * What the peer has need not be kept: that may open a window that was too small for a segment, and
 * then the peer must hear of it (RFC 9293 3.8.6.2.2).
 */
static void
burst_step_acked(struct worker *worker, struct burst *burst, unsigned int i)
{
	struct conn *conn = burst->conn[i];
	struct conn_tail *tail = conn_table_tail(worker->table, conn);
	const struct service *service = burst_step_service(worker, &conn->key);
	const uint32_t before =
			respond_window(service->respond, &tail->respond, worker->echo_buffers);

	respond_acked(service->respond, &tail->respond, worker->echo_buffers, conn->tcp.snd_una);
	if (before < conn->tcp.mss && burst->action[i].send == TCP_SEND_NOTHING &&
			respond_window(service->respond, &tail->respond, worker->echo_buffers) >=
					conn->tcp.mss)
		burst->action[i].send = TCP_SEND_ACK;
}

void
burst_step_outcome(struct worker *worker, struct burst *burst, unsigned int i, uint32_t acked)
{
	struct tcp_action *action = &burst->action[i];
	struct conn *conn = burst->conn[i];
	struct conn_tail *tail = conn_table_tail(worker->table, conn);
	const struct service *service = burst_step_service(worker, &conn->key);
	const uint8_t outcome = action->outcome;

	if ((outcome & (TCP_OUTCOME_ACKED | TCP_OUTCOME_OUTPUT)) != 0) {
		struct tcp_sender sender = {tail->recover, tail->ssthresh};

		tcp_output_react(&conn->tcp, &sender, action, acked);
		tail->recover = sender.recover;
		tail->ssthresh = sender.ssthresh;
	}
	if ((outcome & TCP_OUTCOME_ACKED) != 0)
		burst_step_acked(worker, burst, i);
	if ((outcome & (TCP_OUTCOME_DATA | TCP_OUTCOME_PEER_FIN)) != 0)
		conn->tcp.flags |= TCP_CONN_ACK_DUE;
	if ((outcome & TCP_OUTCOME_DATA) != 0)
		burst_step_data(worker, burst, i);
	if ((outcome & TCP_OUTCOME_PEER_FIN) != 0 && flow_key_is_check(&conn->key))
		checks_peer_closed(worker, conn);
	if ((outcome & TCP_OUTCOME_PEER_FIN) != 0)
		respond_peer_closed(service->respond, &tail->respond);
}

/* The service cannot serve: reset the peer. */
static void
burst_step_abort(struct burst *burst, unsigned int i, const struct tcp_env *env)
{
	burst->action[i] = tcp_step(&burst->conn[i]->tcp, TCP_EVENT_ABORT, NULL, env);
}

/* The timer wheel's note in the line is not the machine's to overwrite. */
void
burst_step_set_tcp(struct conn *conn, const struct tcp_conn *tcp)
{
	const uint16_t timer_tick = conn->tcp.timer_tick;

	conn->tcp = *tcp;
	conn->tcp.timer_tick = timer_tick;
}

/* A SYN was taken: until it opens, the tail knows where from and when. */
static void
burst_step_tail(struct worker *worker, const struct burst *burst, unsigned int i)
{
	struct conn_tail *tail = conn_table_tail(worker->table, burst->conn[i]);
	const struct rte_ether_hdr *ethernet =
			rte_pktmbuf_mtod(burst->packet[i], const struct rte_ether_hdr *);

	memset(tail, 0, sizeof(*tail));
	tail->port = (uint8_t)burst->packet[i]->port;
	tail->recover = (uint32_t)worker->now_us;
	memcpy(tail->peer_mac, ethernet->src_addr.addr_bytes, sizeof(tail->peer_mac));
}

/* Refuse a connection that never counted: silently, and gone when the burst is over. */
static void
burst_step_forget(struct worker *worker, struct burst *burst, unsigned int i, enum counter reason)
{
	burst->conn[i]->tcp.state = TCP_CLOSED;
	burst_step_drop(worker, burst, i, reason);
}

/* A SYN opened a connection in TIME_WAIT anew: it counts again. */
static void
burst_step_reopened(struct worker *worker, struct burst *burst, unsigned int i)
{
	const struct flow_key *key = &burst->conn[i]->key;

	worker_count(worker, (uint8_t)burst->packet[i]->port, COUNTER_syn_received, 1);
	burst_step_tail(worker, burst, i);
	if (!services_admit(burst_step_service(worker, key), burst_step_share(worker, key)))
		burst_step_forget(worker, burst, i, DROP_service_full);
}

#define BURST_STEP_ENDED (TCP_OUTCOME_CLOSED | TCP_OUTCOME_RESET | TCP_OUTCOME_TIMED_OUT)

/* The client has proven itself: somebody else's now, with all that the segment brought. */
static void
burst_step_opened_for_backend(
		struct worker *worker, struct burst *burst, unsigned int i, uint32_t rcv_nxt)
{
	struct conn *conn = burst->conn[i];
	struct conn_tail *tail = conn_table_tail(worker->table, conn);

	histogram_record(&worker->handshake_us, (uint32_t)worker->now_us - tail->recover, 1);
	worker_count(worker, tail->port, COUNTER_opened, 1);
	burst_step_share(worker, &conn->key)->opened++;
	proxy_open(worker, burst, i, rcv_nxt);
}

static void
burst_step_known(struct worker *worker, struct burst *burst, unsigned int i)
{
	struct conn *conn = burst->conn[i];
	const struct tcp_segment *segment = burst->packet[i] != NULL ? &burst->segment[i] : NULL;
	const uint8_t before = conn->tcp.state;
	const uint32_t una = conn->tcp.snd_una;
	const uint32_t rcv_nxt = conn->tcp.rcv_nxt;
	const bool early = tcp_conn_syn_text(&conn->tcp) != 0;
	struct tcp_env env;

	burst_env(worker, burst, i, conn, &env);
	burst_step_isn(worker, burst, i, &env);
	burst->action[i] = tcp_step(&conn->tcp, (enum tcp_event)burst->event[i], segment, &env);
	worker->rules[burst->action[i].rule]++;
	if (burst->action[i].timer == TCP_TIMER_SET)
		burst->action[i].delay_ms = opening_patience_ms(
				&worker->opening, conn, worker->now_us, burst->action[i].delay_ms);

	if (before == TCP_SYN_RCVD && conn->tcp.state != TCP_SYN_RCVD)
		half_open_left(worker, conn, early);
	if ((burst->action[i].outcome & TCP_OUTCOME_OPENED) != 0 &&
			burst_step_service(worker, &conn->key)->pool != NULL) {
		burst_step_opened_for_backend(worker, burst, i, rcv_nxt);
		return;
	}
	if ((burst->action[i].outcome & TCP_OUTCOME_OPENED) != 0 &&
			!burst_step_opened(worker, conn, early))
		burst_step_abort(burst, i, &env);
	if ((burst->action[i].outcome & BURST_STEP_ENDED) != 0)
		burst_step_closed(worker, burst, i, before);
	else if (before != TCP_TIME_WAIT && conn->tcp.state == TCP_TIME_WAIT)
		burst_step_entered_time_wait(worker, conn, burst->hash[i]);
	else if (before == TCP_TIME_WAIT && conn->tcp.state == TCP_SYN_RCVD)
		burst_step_reopened(worker, burst, i);
	else if (burst->action[i].outcome != 0)
		burst_step_outcome(worker, burst, i, conn->tcp.snd_una - una);
	if (before != TCP_SYN_RCVD && conn->tcp.state == TCP_SYN_RCVD)
		half_open_entered(worker, conn);
}

void
burst_step_insert(struct worker *worker, struct burst *burst, unsigned int i,
		const struct tcp_conn *tcp)
{
	const struct service *service = burst_step_service(worker, &burst->key[i]);
	struct service_share *share = burst_step_share(worker, &burst->key[i]);
	struct conn *conn = burst->conn[i];

	if (engine_phase(worker->engine) != ENGINE_RUNNING) {
		burst_step_drop(worker, burst, i, DROP_shutdown);
		return;
	}
	half_open_limit(worker, &burst->key[i], burst->event[i] != TCP_EVENT_SYN);
	if (!services_admit(service, share) && !(half_open_evict(worker, service, share) &&
							       services_admit(service, share))) {
		burst_step_drop(worker, burst, i, DROP_service_full);
		return;
	}
	if (conn != NULL)
		worker->revived = true; /* It was noted; that it lives will be seen. */
	else
		conn = conn_table_insert(worker->table, &burst->key[i], burst->hash[i]);
	if (conn == NULL) {
		services_release(service, share);
		burst_step_drop(worker, burst, i, DROP_table_full);
		return;
	}
	burst->conn[i] = conn;
	worker_inserted(worker, burst->hash[i]);
	burst_step_set_tcp(conn, tcp);
	burst_step_tail(worker, burst, i);
	burst_cookie_half_open(worker, service, share, true);
}

/* A SYN's text counts (RFC 7413 4.2.2): the service gets it before the handshake ends. */
static void
burst_step_fast_open(struct worker *worker, struct burst *burst, unsigned int i,
		const struct tcp_env *env)
{
	struct conn *conn = burst->conn[i];
	struct conn_tail *tail = conn_table_tail(worker->table, conn);
	const struct service *service = burst_step_service(worker, &conn->key);

	if (!respond_open(service->respond, &tail->respond, conn->tcp.snd_nxt,
			    worker->echo_buffers)) {
		burst_step_abort(burst, i, env);
		burst_step_closed(worker, burst, i, TCP_SYN_RCVD);
		burst_cookie_half_open(
				worker, service, burst_step_share(worker, &conn->key), false);
		return;
	}
	burst_step_share(worker, &conn->key)->fast_open_pending++;
	worker_count(worker, tail->port, COUNTER_fast_opens, 1);
	burst_step_data(worker, burst, i);
}

/* What a flood of segments that belong nowhere is called; an answer or a drop counts, too. */
static void
burst_step_count_stray(struct worker *worker, const struct burst *burst, unsigned int i)
{
	static const enum counter strays[TCP_EVENTS] = {
			[TCP_EVENT_SYN] = COUNTER_refused_syns,
			[TCP_EVENT_SYN_ACK] = COUNTER_stray_syn_acks,
			[TCP_EVENT_ACK] = COUNTER_stray_acks,
			[TCP_EVENT_FIN] = COUNTER_stray_fins,
			[TCP_EVENT_RST] = COUNTER_stray_resets,
			[TCP_EVENT_BARE] = COUNTER_stray_bare,
	};

	worker_count(worker, (uint8_t)burst->packet[i]->port, strays[burst->event[i]], 1);
}

/* A SYN is kept: as the newest half-open connection, unless it is half served already. */
static void
burst_step_keep(struct worker *worker, struct burst *burst, unsigned int i,
		const struct tcp_conn *tcp)
{
	struct service_share *share = burst_step_share(worker, &burst->key[i]);

	worker_count(worker, (uint8_t)burst->packet[i]->port, COUNTER_syn_received, 1);
	burst_step_insert(worker, burst, i, tcp);
	if (burst->conn[i] != NULL && tcp_conn_syn_text(tcp) == 0)
		half_open_push(worker, share, burst->conn[i]);
}

/* A packet of no connection: LISTEN where a service is, CLOSED where none is. */
static void
burst_step_stranger(struct worker *worker, struct burst *burst, unsigned int i)
{
	const uint8_t port = (uint8_t)burst->packet[i]->port;
	const struct flow_key *key = &burst->key[i];
	const bool listening = flow_key_is_passive(key) &&
			       !worker->services->listener[key->endpoint].closed;
	struct tcp_conn tcp = {.state = listening ? TCP_LISTEN : TCP_CLOSED};
	const uint8_t before = tcp.state;
	struct tcp_env env;

	if (burst->event[i] == TCP_EVENT_UNREACHABLE || burst->event[i] == TCP_EVENT_TOO_BIG) {
		burst_step_drop(worker, burst, i, DROP_icmp_ignored);
		return;
	}
	/*
	 * A target's address was judged when it became one; the key holds ours.  Port 0 is nobody's
	 * (RFC 6335 6): who answers it is used against a third.
	 */
	if (key->port == 0 || (!flow_key_is_active(key) &&
					      service_map_is_no_peer(worker->services->map[port],
							      key->address))) {
		burst_step_drop(worker, burst, i, DROP_bad_source);
		return;
	}
	burst_env(worker, burst, i, NULL, &env);
	burst_step_isn(worker, burst, i, &env);
	env.fast_open = burst_fast_open_admits(worker, burst, i);
	burst->action[i] =
			tcp_step(&tcp, (enum tcp_event)burst->event[i], &burst->segment[i], &env);
	worker->rules[burst->action[i].rule]++;
	if (tcp.state != before) {
		burst_step_keep(worker, burst, i, &tcp);
	} else {
		burst_step_count_stray(worker, burst, i);
		burst->conn[i] = NULL;
	}
	if (burst->conn[i] != NULL && (burst->action[i].outcome & TCP_OUTCOME_DATA) != 0)
		burst_step_fast_open(worker, burst, i, &env);
}

/* A connection in TIME_WAIT is spoken to: lend it to the burst, or drop the packet. */
static void
burst_step_waiting(struct worker *worker, struct burst *burst, unsigned int i,
		const struct tcp_conn *tcp)
{
	struct conn *conn = conn_table_insert(worker->table, &burst->key[i], burst->hash[i]);

	if (conn == NULL) {
		burst_step_drop(worker, burst, i, DROP_table_full);
		return;
	}
	if (flow_key_is_active(&conn->key))
		worker_count_target(worker, flow_key_target(&conn->key), 1);
	burst->conn[i] = conn;
	worker_inserted(worker, burst->hash[i]);
	burst_step_set_tcp(conn, tcp);
	burst_step_tail(worker, burst, i);
	conn_table_tail(worker->table, conn)->challenged =
			time_wait_challenged(burst->waiting[i]) & 0xf;
	burst_step_note(worker,
			&(struct worker_ending){
					.conn = conn, .hash = burst->hash[i], .borrowed = true});
	burst_step_known(worker, burst, i);
}

static void
burst_step_one(struct worker *worker, struct burst *burst, unsigned int i)
{
	struct tcp_conn tcp;

	if (burst->packet[i] == NULL && burst->conn[i] == NULL) {
		/* Answered or dropped before. */
		burst->action[i] = (struct tcp_action){.send = TCP_SEND_NOTHING};
		return;
	}
	if (burst->conn[i] == NULL && worker_may_have_inserted(worker, burst->hash[i]))
		burst->conn[i] = conn_table_lookup(worker->table, &burst->key[i], burst->hash[i]);
	if (unlikely(worker->services->changing) && burst->conn[i] != NULL &&
			burst->conn[i]->tcp.state == TCP_CLOSED)
		burst_older_renew(worker, burst, i);
	if (burst->conn[i] != NULL && burst->conn[i]->tcp.state >= TCP_JOINING)
		proxy_step(worker, burst, i);
	else if (burst->conn[i] != NULL && (burst->conn[i]->tcp.state != TCP_CLOSED ||
							   burst->event[i] == TCP_EVENT_OPEN))
		burst_step_known(worker, burst, i);
	else if (burst->conn[i] == NULL && burst->waiting[i] != NULL &&
			time_wait_load(burst->waiting[i], &tcp))
		burst_step_waiting(worker, burst, i, &tcp);
	else
		burst_step_stranger(worker, burst, i);
}

void
burst_step(struct worker *worker, struct burst *burst)
{
	uint64_t left;

	burst->isns = 0;
	burst->silent = 0;
	if (likely(!worker->services->changing))
		burst_merge(worker, burst);
	left = burst_all(burst) & ~burst->silent & ~burst_columns(worker, burst);
	left &= ~burst_syn(worker, burst, left);
	for (; (left = burst_expect(worker, burst, left)) != 0; left &= left - 1)
		burst_step_one(worker, burst, rte_bsf64(left));
}
