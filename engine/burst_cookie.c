/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include "cookie/syncookie.h"
#include "engine/burst.h"
#include "engine/burst_cookie.h"
#include "engine/burst_env.h"
#include "engine/burst_reply.h"
#include "engine/cookies.h"
#include "engine/worker.h"
#include "wire/build_reply.h"

_Static_assert(BURST_MAX <= SYNCOOKIE_BURST_MAX, "one call for a whole burst");

/* How long a cookie may come back after it was sent. */
#define BURST_COOKIE_LIFE_US ((uint64_t)SYNCOOKIE_LIFE_MS * 1000)

/* cookies: auto lasts at least so long; twice as long each time it begins again soon. */
#define BURST_COOKIE_HOLD_MIN_US 1000000
#define BURST_COOKIE_HOLD_MAX_US 64000000

/* Packets of a burst that a question is asked for, and the questions. */
struct asked {
	unsigned int n;
	uint8_t packet[BURST_MAX];
	struct syncookie_request request[BURST_MAX];
};

/* Packets of a burst that a cookie may be for, still to be looked at. */
struct suspects {
	unsigned int n;
	uint8_t packet[BURST_MAX];
};

/* SYN-ACKs by what they offer: window scale, SACK and timestamps, as in enum tcp_option_bit; ECN.
 */
#define ENTRANCE_FORMS    16
#define ENTRANCE_FORM_ECN 1

/*
 * A listener at a port, as cookies see it.  Packets of a flood follow one another to the same one,
 * so what is the same for all of them is worked out when the first comes.
 */
struct entrance {
	uint32_t place;  /* Port and listener. */
	bool sends;      /* SYNs are answered by cookies, so far. */
	bool is_auto;    /* That is asked again for each SYN. */
	bool takes_back; /* ACKs may bring cookies. */
	bool ecn;
	uint8_t options;   /* enum tcp_option_bit: what the service accepts. */
	uint64_t endpoint; /* What stands for it in a cookie. */
	const struct service *service;
	struct service_share *share;
	const struct port *port;
	uint8_t family;           /* 4 or 6. */
	uint32_t forms;           /* Which are there. */
	struct build_tcp syn_ack; /* What all forms have in common. */
	struct build_form form[ENTRANCE_FORMS];
};

#define ENTRANCE_NONE UINT32_MAX

_Static_assert((ENTRANCE_FORM_ECN & (TCP_OPTION_WINDOW_SCALE | TCP_OPTION_SACK_PERMITTED |
						    TCP_OPTION_TIMESTAMPS)) == 0 &&
				(TCP_OPTION_WINDOW_SCALE | TCP_OPTION_SACK_PERMITTED |
						TCP_OPTION_TIMESTAMPS | ENTRANCE_FORM_ECN) <
						ENTRANCE_FORMS,
		"a form for each set of options");

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

static void
entrance_find(struct worker *worker, uint32_t place, struct entrance *entrance)
{
	const struct services *services = worker->services;
	const struct listener *listener = &services->listener[place & UINT16_MAX];
	const struct service *service = &services->service[listener->edition];
	const struct tcp_config *tcp = &service->tcp;
	struct service_share *share = &worker->share[listener->service];
	const struct port *port = &worker->engine->port[place >> 16];

	entrance->place = place;
	entrance->is_auto =
			!listener->closed && service->settings->cookies == SETTINGS_COOKIES_AUTO;
	entrance->sends =
			!listener->closed && service->settings->cookies == SETTINGS_COOKIES_ALWAYS;
	entrance->takes_back = !listener->sealed && burst_cookie_may_return(worker, service, share);
	entrance->ecn = tcp->ecn;
	entrance->options =
			(uint8_t)(TCP_OPTION_MSS | (tcp->timestamps ? TCP_OPTION_TIMESTAMPS : 0) |
					(tcp->sack ? TCP_OPTION_SACK_PERMITTED : 0) |
					(tcp->window_scaling ? TCP_OPTION_WINDOW_SCALE : 0));
	entrance->endpoint = listener->cookie_endpoint;
	entrance->service = service;
	entrance->share = share;
	entrance->port = port;
	entrance->family = listener->family;
	entrance->forms = 0;
	entrance->syn_ack.window = (uint16_t)RTE_MIN(BURST_ENV_FIRST_WINDOW, UINT16_MAX);
	entrance->syn_ack.options.mss = burst_env_path_mss(port, listener->family == 4);
	entrance->syn_ack.options.window_scale = tcp->rcv_wnd_scale;
	if (service->pool == NULL)
		return;
	/* What is promised in the name of backends; burst_env() says the same. */
	entrance->syn_ack.window = service->first_window;
	entrance->syn_ack.options.mss =
			RTE_MIN(entrance->syn_ack.options.mss, service->path_mss);
}

static void
entrance_write_form(struct entrance *entrance, unsigned int which, const struct syncookie *cookie)
{
	struct build_tcp *tcp = &entrance->syn_ack;

	tcp->flags = (uint8_t)(TCP_SYN | TCP_ACK | (cookie->ecn ? TCP_ECE : 0));
	tcp->options.options = cookie->options | TCP_OPTION_MSS;
	build_reply_form(&entrance->form[which], tcp, entrance->family);
	entrance->forms |= 1u << which;
}

/* The form of the SYN-ACK with a cookie; what it offers has no MSS bit. */
static inline const struct build_form *
entrance_form(struct entrance *entrance, const struct syncookie *cookie)
{
	const unsigned int which = cookie->options | (cookie->ecn ? ENTRANCE_FORM_ECN : 0);

	if (unlikely((entrance->forms & 1u << which) == 0))
		entrance_write_form(entrance, which, cookie);
	return &entrance->form[which];
}

/* The entrance that a packet came to; mostly the last one's. */
static inline void
entrance_of(struct worker *worker, const struct burst *burst, unsigned int i,
		struct entrance *entrance)
{
	const uint32_t place = (uint32_t)burst->packet[i]->port << 16 | burst->key[i].endpoint;

	if (unlikely(entrance->place != place))
		entrance_find(worker, place, entrance);
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

/* Those for one of our services that nobody knows yet, or that somebody knows amiss. */
static void
burst_cookie_sort(const struct burst *burst, struct suspects *syns, struct suspects *acks)
{
	syns->n = 0;
	acks->n = 0;
	for (unsigned int i = 0; i < burst->n; i++) {
		const uint8_t event = burst->event[i];
		const bool passive =
				burst->waiting[i] == NULL && flow_key_is_passive(&burst->key[i]);
		const bool unknown = burst->conn[i] == NULL ||
				     burst_cookie_contradicts(burst->conn[i], &burst->segment[i]);
		const bool fin = (burst->segment[i].flags & TCP_FIN) != 0;

		syns->packet[syns->n] = (uint8_t)i;
		syns->n += passive && burst->conn[i] == NULL && event == TCP_EVENT_SYN && !fin;
		acks->packet[acks->n] = (uint8_t)i;
		acks->n += passive && unknown && (event == TCP_EVENT_ACK || event == TCP_EVENT_FIN);
	}
}

static inline bool
burst_cookie_is_spent(const struct worker *worker, const struct burst *burst, unsigned int i)
{
	return time_wait_count(worker->spent) > 0 &&
	       time_wait_lookup(worker->spent, &burst->key[i], burst->hash[i], worker->now_ms) !=
			       NULL;
}

/* Cheapest first (K15): does its service want cookies, may its source be answered. */
static inline bool
burst_cookie_wants_syn(struct worker *worker, struct burst *burst, unsigned int i,
		struct entrance *entrance)
{
	const struct flow_key *key = &burst->key[i];

	if (unlikely(worker->inserted)) {
		burst->conn[i] = conn_table_lookup(worker->table, key, burst->hash[i]);
		if (burst->conn[i] != NULL)
			return false;
	}
	if (entrance->is_auto)
		entrance->sends = burst_cookie_is_on(worker, entrance->service, entrance->share);
	entrance->share->syns++;
	return entrance->sends && key->port != 0 &&
	       !burst_step_bad_source(worker, entrance->port->index, key->address) &&
	       !burst_cookie_is_spent(worker, burst, i);
}

static inline void
burst_cookie_ask(const struct worker *worker, const struct burst *burst, unsigned int i,
		const struct entrance *entrance, struct asked *asked)
{
	asked->packet[asked->n] = (uint8_t)i;
	asked->request[asked->n++] = (struct syncookie_request){
			.flow = &burst->key[i],
			.segment = &burst->segment[i],
			.endpoint = entrance->endpoint,
			.ts_clock = burst_env_ts_clock(worker, burst->hash[i]),
			.options = entrance->options,
			.ecn = entrance->ecn,
	};
}

static void
burst_cookie_ask_for_syns(struct worker *worker, struct burst *burst, const struct suspects *syns,
		struct entrance *entrance, struct asked *asked)
{
	asked->n = 0;
	for (unsigned int k = 0; k < syns->n; k++) {
		const unsigned int i = syns->packet[k];

		entrance_of(worker, burst, i, entrance);
		if (burst_cookie_wants_syn(worker, burst, i, entrance))
			burst_cookie_ask(worker, burst, i, entrance, asked);
	}
}

/* An ACK is only judged where cookies were sent lately, by us or by whoever shares the secret. */
static void
burst_cookie_ask_for_acks(struct worker *worker, const struct burst *burst,
		const struct suspects *acks, struct entrance *entrance, struct asked *asked)
{
	asked->n = 0;
	for (unsigned int k = 0; k < acks->n; k++) {
		const unsigned int i = acks->packet[k];

		entrance_of(worker, burst, i, entrance);
		if (entrance->takes_back && !burst_cookie_is_spent(worker, burst, i))
			burst_cookie_ask(worker, burst, i, entrance, asked);
	}
}

/* The SYN-ACK that says it all; nothing is kept. */
static inline void
burst_cookie_answer(struct worker *worker, struct burst *burst, unsigned int i,
		const struct syncookie *cookie, struct entrance *entrance)
{
	const struct tcp_segment *syn = &burst->segment[i];
	const struct build_numbers numbers = {
			.seq = cookie->isn,
			.ack = syn->seq + 1,
			.tsval = cookie->tsval,
			.tsecr = syn->tsval,
	};

	entrance->share->cookies_sent_us = worker->now_us;
	burst_reply_form(worker, burst, i, entrance->port, entrance_form(entrance, cookie),
			&numbers);
}

static void
burst_cookie_answer_syns(struct worker *worker, struct burst *burst,
		const struct syncookie_keys *keys, const struct asked *asked,
		struct entrance *entrance)
{
	struct syncookie cookie[BURST_MAX];
	unsigned int answered[SETTINGS_PORTS_MAX] = {0};
	const uint64_t made = syncookie_make_bulk(keys, asked->request, asked->n, cookie);

	for (unsigned int k = 0; k < asked->n; k++) {
		const unsigned int i = asked->packet[k];

		/* An MSS below the table's has no cookie: it goes on and is kept half open. */
		if ((made & (UINT64_C(1) << k)) == 0)
			continue;
		entrance_of(worker, burst, i, entrance);
		answered[entrance->port->index]++;
		burst_cookie_answer(worker, burst, i, &cookie[k], entrance);
	}
	for (uint8_t port = 0; port < worker->engine->port_count; port++) {
		worker_count(worker, port, COUNTER_syn_received, answered[port]);
		worker_count(worker, port, COUNTER_synack_sent, answered[port]);
		worker_count(worker, port, COUNTER_syn_cookies_sent, answered[port]);
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
	struct entrance entrance;
	struct suspects syns, acks;
	struct asked asked;

	entrance.place = ENTRANCE_NONE;
	burst_cookie_sort(burst, &syns, &acks);
	if (acks.n > 0) {
		burst_cookie_ask_for_acks(worker, burst, &acks, &entrance, &asked);
		burst_cookie_judge_acks(worker, burst, keys, &asked);
	}
	if (syns.n > 0 && engine_phase(worker->engine) == ENGINE_RUNNING) {
		burst_cookie_ask_for_syns(worker, burst, &syns, &entrance, &asked);
		burst_cookie_answer_syns(worker, burst, keys, &asked, &entrance);
	}
}
