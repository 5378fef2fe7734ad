/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include "cookie/syncookie.h"
#include "engine/burst.h"
#include "engine/burst_cookie.h"
#include "engine/burst_env.h"
#include "engine/cookies.h"
#include "engine/worker.h"
#include "wire/build.h"

_Static_assert(BURST_MAX <= SYNCOOKIE_BURST_MAX, "one call for a whole burst");

/* How long a cookie may come back after it was sent. */
#define BURST_COOKIE_LIFE_US ((uint64_t)SYNCOOKIE_LIFE_MS * 1000)

/* cookies: auto lasts at least so long; twice as long each time it begins again soon. */
#define BURST_COOKIE_HOLD_MIN_US 1000000
#define BURST_COOKIE_HOLD_MAX_US 64000000

/* Packets of a burst that a question is asked for, and the questions. */
struct asked {
	unsigned int n;
	unsigned int packet[BURST_MAX];
	struct syncookie_request request[BURST_MAX];
};

/* cookies: auto begins, for longer each time that follows soon. */
static void
burst_cookie_begin(const struct worker *worker, struct service_share *share)
{
	const bool soon = worker->now_us - share->cookies_until_us < 2 * share->cookies_hold_us;

	share->cookies_hold_us = soon ? share->cookies_hold_us * 2 : 0;
	share->cookies_hold_us =
			RTE_MAX(share->cookies_hold_us, (uint64_t)BURST_COOKIE_HOLD_MIN_US);
	share->cookies_hold_us =
			RTE_MIN(share->cookies_hold_us, (uint64_t)BURST_COOKIE_HOLD_MAX_US);
	share->cookies_until_us = worker->now_us + share->cookies_hold_us;
	__atomic_store_n(&share->cookies_on, true, __ATOMIC_RELAXED);
}

void
burst_cookie_half_open(const struct worker *worker, const struct service *service,
		struct service_share *share, bool entered)
{
	const struct settings_service *settings = service->settings;

	share->half_open += entered ? 1 : -1;
	if (settings->cookies == SETTINGS_COOKIES_AUTO && !share->cookies_on &&
			share->half_open >= settings->max_syn_backlog)
		burst_cookie_begin(worker, share);
}

/* SYNs are counted by the second: of the one that runs, and of the one before. */
static void
burst_cookie_count_second(const struct worker *worker, struct service_share *share)
{
	const uint64_t elapsed_us = worker->now_us - share->syns_since_us;

	if (elapsed_us < 1000000)
		return;
	share->syns_before = elapsed_us < 2000000 ? share->syns : 0;
	share->syns = 0;
	share->syns_since_us = worker->now_us;
}

/* Whether cookies: auto may end again: half of each threshold. */
static bool
burst_cookie_is_calm(const struct worker *worker, const struct settings_service *settings,
		const struct service_share *share)
{
	return worker->now_us > share->cookies_until_us &&
	       share->half_open * 2 < settings->max_syn_backlog &&
	       (settings->max_syn_rate == 0 || RTE_MAX(share->syns, share->syns_before) <=
							       settings->max_syn_rate / 2);
}

/* Whether a SYN for the service is answered with a cookie now. */
static bool
burst_cookie_is_on(const struct worker *worker, const struct service *service,
		struct service_share *share)
{
	const struct settings_service *settings = service->settings;

	if (settings->cookies != SETTINGS_COOKIES_AUTO)
		return settings->cookies == SETTINGS_COOKIES_ALWAYS;
	if (settings->max_syn_rate != 0) {
		burst_cookie_count_second(worker, share);
		if (!share->cookies_on && share->syns >= settings->max_syn_rate)
			burst_cookie_begin(worker, share);
	}
	if (share->cookies_on && burst_cookie_is_calm(worker, settings, share)) {
		share->cookies_until_us = worker->now_us;
		__atomic_store_n(&share->cookies_on, false, __ATOMIC_RELAXED);
	}
	return share->cookies_on;
}

static struct service_share *
burst_cookie_share(struct worker *worker, const struct flow_key *key)
{
	return &worker->share[services_number(worker->services, key)];
}

/* A packet that nobody knows yet and that is for one of our services. */
static bool
burst_cookie_may_ask(const struct burst *burst, unsigned int i)
{
	return burst->conn[i] == NULL && burst->waiting[i] == NULL &&
	       flow_key_is_passive(&burst->key[i]);
}

static bool
burst_cookie_is_spent(const struct worker *worker, const struct burst *burst, unsigned int i)
{
	return time_wait_count(worker->spent) > 0 &&
	       time_wait_lookup(worker->spent, &burst->key[i], burst->hash[i], worker->now_ms) !=
			       NULL;
}

/* Whether cookies of the service may still come back: sent by us, or by who shares the secret. */
static bool
burst_cookie_may_return(const struct worker *worker, const struct service *service,
		const struct service_share *share)
{
	if (service->settings->cookies == SETTINGS_COOKIES_NEVER)
		return false;
	return worker->engine->cookies.shared ||
	       (share->cookies_sent_us != 0 &&
			       worker->now_us - share->cookies_sent_us < BURST_COOKIE_LIFE_US);
}

void
burst_cookie_spend(struct worker *worker, const struct conn *conn, uint64_t hash)
{
	if (burst_cookie_may_return(worker, services_of(worker->services, &conn->key),
			    burst_cookie_share(worker, &conn->key)))
		time_wait_insert(worker->spent, &conn->key, hash, &conn->tcp, worker->now_ms);
}

/* Cheapest first (K15): is it a SYN, does its service want cookies, may its source be answered. */
static bool
burst_cookie_wants_syn(struct worker *worker, struct burst *burst, unsigned int i)
{
	const struct flow_key *key = &burst->key[i];
	const struct service *service;
	struct service_share *share;
	bool is_on;

	if (burst->conn[i] == NULL && worker->inserted)
		burst->conn[i] = conn_table_lookup(worker->table, key, burst->hash[i]);
	if (burst->event[i] != TCP_EVENT_SYN || !burst_cookie_may_ask(burst, i) ||
			(burst->segment[i].flags & TCP_FIN) != 0)
		return false;
	service = services_of(worker->services, key);
	share = burst_cookie_share(worker, key);
	is_on = burst_cookie_is_on(worker, service, share);
	share->syns++;
	return is_on && engine_phase(worker->engine) == ENGINE_RUNNING && key->port != 0 &&
	       !burst_step_bad_source(worker, (uint8_t)burst->packet[i]->port, key->address) &&
	       !burst_cookie_is_spent(worker, burst, i);
}

/*
 * Whether the client of a half-open connection answers another SYN-ACK than its own: its first SYN
 * got a cookie, and the copy behind it was kept, since the flood had ended in between.
 */
static bool
burst_cookie_contradicts(const struct conn *conn, const struct tcp_segment *segment)
{
	return conn->tcp.state == TCP_SYN_RCVD && tcp_conn_syn_text(&conn->tcp) == 0 &&
	       segment->ack != conn->tcp.snd_nxt;
}

/* An ACK is only judged where cookies were sent lately, by us or by whoever shares the secret. */
static bool
burst_cookie_wants_ack(struct worker *worker, const struct burst *burst, unsigned int i)
{
	const struct flow_key *key = &burst->key[i];

	if ((burst->event[i] != TCP_EVENT_ACK && burst->event[i] != TCP_EVENT_FIN) ||
			burst->waiting[i] != NULL || !flow_key_is_passive(key) ||
			(burst->conn[i] != NULL && !burst_cookie_contradicts(burst->conn[i],
								   &burst->segment[i])))
		return false;
	return burst_cookie_may_return(worker, services_of(worker->services, key),
			       burst_cookie_share(worker, key)) &&
	       !burst_cookie_is_spent(worker, burst, i);
}

static void
burst_cookie_ask(const struct worker *worker, const struct burst *burst, unsigned int i,
		struct asked *asked)
{
	const struct services *services = worker->services;
	const struct tcp_config *config = &services_of(services, &burst->key[i])->tcp;
	struct tcp_env env;

	burst_env(worker, burst, i, NULL, &env);
	asked->packet[asked->n] = i;
	asked->request[asked->n++] = (struct syncookie_request){
			.flow = &burst->key[i],
			.segment = &burst->segment[i],
			.endpoint = services->listener[burst->key[i].endpoint].cookie_endpoint,
			.ts_clock = env.ts_clock,
			.options = (uint8_t)(TCP_OPTION_MSS |
					     (config->timestamps ? TCP_OPTION_TIMESTAMPS : 0) |
					     (config->sack ? TCP_OPTION_SACK_PERMITTED : 0) |
					     (config->window_scaling ? TCP_OPTION_WINDOW_SCALE
								     : 0)),
			.ecn = config->ecn,
	};
}

/* The SYN-ACK that says it all; nothing is kept. */
static void
burst_cookie_answer(struct worker *worker, struct burst *burst, unsigned int i,
		const struct syncookie *cookie)
{
	const struct tcp_segment *syn = &burst->segment[i];
	const struct service *service = services_of(worker->services, &burst->key[i]);
	struct build_tcp tcp = {
			.seq = cookie->isn,
			.ack = syn->seq + 1,
			.flags = (uint8_t)(TCP_SYN | TCP_ACK | (cookie->ecn ? TCP_ECE : 0)),
	};
	struct tcp_env env;

	burst_env(worker, burst, i, NULL, &env);
	tcp.window = (uint16_t)RTE_MIN(env.rcv_wnd, (uint32_t)UINT16_MAX);
	tcp.options = (struct tcp_options){
			.options = cookie->options | TCP_OPTION_MSS,
			.mss = env.path_mss,
			.window_scale = service->tcp.rcv_wnd_scale,
			.tsval = cookie->tsval,
			.tsecr = syn->tsval,
	};
	worker_count(worker, (uint8_t)burst->packet[i]->port, COUNTER_syn_received, 1);
	worker_count(worker, (uint8_t)burst->packet[i]->port, COUNTER_synack_sent, 1);
	worker_count(worker, (uint8_t)burst->packet[i]->port, COUNTER_syn_cookies_sent, 1);
	burst_cookie_share(worker, &burst->key[i])->cookies_sent_us = worker->now_us;
	burst_reply_stranger(worker, burst, i, &tcp);
}

static void
burst_cookie_answer_syns(struct worker *worker, struct burst *burst,
		const struct syncookie_keys *keys, const struct asked *asked)
{
	struct syncookie cookie[BURST_MAX];
	const uint64_t made = syncookie_make_bulk(keys, asked->request, asked->n, cookie);

	for (unsigned int k = 0; k < asked->n; k++) {
		/* An MSS below the table's has no cookie: it goes on and is kept half open. */
		if ((made & (UINT64_C(1) << k)) != 0)
			burst_cookie_answer(worker, burst, asked->packet[k], &cookie[k]);
	}
}

/* The half-open connection that the SYN would have left, had we kept it. */
static void
burst_cookie_restore(struct worker *worker, struct burst *burst, unsigned int i,
		const struct tcp_segment *syn)
{
	struct tcp_conn tcp = {.state = TCP_LISTEN};
	struct tcp_env env;
	struct conn *kept;

	/* A segment before it in the burst may have done so already. */
	kept = conn_table_lookup(worker->table, &burst->key[i], burst->hash[i]);
	burst->conn[i] = kept;
	if (kept != NULL && kept->tcp.state != TCP_CLOSED &&
			!burst_cookie_contradicts(kept, &burst->segment[i]))
		return;
	burst_env(worker, burst, i, NULL, &env);
	env.isn = burst->segment[i].ack - 1;
	tcp_step(&tcp, TCP_EVENT_SYN, syn, &env);
	/* Twice, since nobody knows when our SYN-ACK left: its round trip must not be measured. */
	tcp_step(&tcp, TCP_EVENT_SYN, syn, &env);
	if (kept != NULL && kept->tcp.state == TCP_SYN_RCVD)
		burst_step_set_tcp(kept, &tcp);
	else
		burst_step_insert(worker, burst, i, &tcp);
	if (burst->conn[i] != NULL)
		worker_count(worker, (uint8_t)burst->packet[i]->port, COUNTER_syn_cookies_opened,
				1);
}

static void
burst_cookie_judge_acks(struct worker *worker, struct burst *burst,
		const struct syncookie_keys *keys, const struct asked *asked)
{
	static const enum counter counters[] = {
			[SYNCOOKIE_BAD] = COUNTER_syn_cookies_bad,
			[SYNCOOKIE_EXPIRED] = COUNTER_syn_cookies_expired,
			[SYNCOOKIE_AHEAD] = COUNTER_syn_cookies_ahead,
	};
	struct tcp_segment syn[BURST_MAX];
	uint8_t verdict[BURST_MAX];

	syncookie_check_bulk(keys, asked->request, asked->n, syn, verdict);
	for (unsigned int k = 0; k < asked->n; k++) {
		const unsigned int i = asked->packet[k];

		if (verdict[k] == SYNCOOKIE_GOOD)
			burst_cookie_restore(worker, burst, i, &syn[k]);
		else
			worker_count(worker, (uint8_t)burst->packet[i]->port, counters[verdict[k]],
					1);
	}
}

/*
 * ACKs first: a SYN behind one of the same burst then finds the connection, and goes to the machine
 * to be challenged instead of getting a cookie.
 */
void
burst_cookie(struct worker *worker, struct burst *burst)
{
	const struct syncookie_keys *keys = cookies_keys(&worker->engine->cookies);
	struct asked asked;

	asked.n = 0;
	for (unsigned int i = 0; i < burst->n; i++) {
		if (burst_cookie_wants_ack(worker, burst, i))
			burst_cookie_ask(worker, burst, i, &asked);
	}
	if (asked.n > 0)
		burst_cookie_judge_acks(worker, burst, keys, &asked);

	asked.n = 0;
	for (unsigned int i = 0; i < burst->n; i++) {
		if (burst_cookie_wants_syn(worker, burst, i))
			burst_cookie_ask(worker, burst, i, &asked);
	}
	if (asked.n > 0)
		burst_cookie_answer_syns(worker, burst, keys, &asked);
}
