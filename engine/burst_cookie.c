/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include <rte_common.h>

#include "cookie/syncookie.h"
#include "engine/burst.h"
#include "engine/burst_cookie.h"
#include "engine/burst_cookie_ack.h"
#include "engine/burst_env.h"
#include "engine/burst_reply.h"
#include "engine/cookies.h"
#include "engine/services_pools.h"
#include "engine/worker.h"
#include "wire/build_reply.h"

_Static_assert(BURST_MAX <= SYNCOOKIE_BURST_MAX, "one call for a whole burst");

/* cookies: auto lasts at least so long; twice as long each time it begins again soon. */
#define BURST_COOKIE_HOLD_MIN_US 1000000
#define BURST_COOKIE_HOLD_MAX_US 64000000

/* SYNs of a burst that came to one entrance and get a cookie. */
struct greeted {
	unsigned int n;
	uint8_t packet[BURST_MAX];
	struct syncookie_syn syn[BURST_MAX];
};

/* SYN-ACKs by what they offer: window scale, SACK and timestamps, as in enum tcp_option_bit; ECN.
 */
#define ENTRANCE_FORMS    16
#define ENTRANCE_FORM_ECN 1

_Static_assert((TCP_OPTION_WINDOW_SCALE | TCP_OPTION_SACK_PERMITTED | TCP_OPTION_TIMESTAMPS |
			       ENTRANCE_FORM_ECN) == ENTRANCE_FORMS - 1,
		"a form for each set of options");

/* Kinds of SYNs, by the upper bits of a product. */
#define ENTRANCE_KINDS_LOG2 4
#define ENTRANCE_KINDS      (1 << ENTRANCE_KINDS_LOG2)

/*
 * A listener at a port, as cookies see it.  The packets of a flood are for one or a few, and have a
 * few sets of options; so what is the same for all of them is worked out when the first comes.
 */
struct entrance {
	uint32_t place;  /* Port and listener. */
	bool sends;      /* SYNs are answered by cookies, so far. */
	bool is_auto;    /* That is asked again for each SYN. */
	bool plain_only; /* But only without IP options and extension headers. */
	uint8_t granted; /* Options of SYNs that backends are known not to refuse. */
	uint8_t family;  /* 4 or 6. */
	uint32_t forms;  /* Which are there. */
	const struct port *port;
	const struct service *service;
	struct service_share *share;
	const struct service_map *map;    /* Who cannot be a peer. */
	struct syncookie_request request; /* What all have in common. */
	uint64_t kind[ENTRANCE_KINDS];    /* Of SYN: MSS and options; 0 is none. */
	struct syncookie_offer offer[ENTRANCE_KINDS];
	struct build_form form[ENTRANCE_FORMS];
};

#define ENTRANCE_NONE UINT32_MAX

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

static void
entrance_find(struct worker *worker, uint32_t place, struct entrance *entrance)
{
	const struct services *services = worker->services;
	const struct listener *listener = &services->listener[place & UINT16_MAX];
	const struct service *service = &services->service[listener->edition];
	const struct tcp_config *tcp = &service->tcp;

	entrance->place = place;
	entrance->port = &worker->engine->port[place >> 16];
	entrance->map = services->map[entrance->port->index];
	entrance->family = listener->family;
	entrance->service = service;
	entrance->share = &worker->share[listener->service];
	entrance->is_auto =
			!listener->closed && service->settings->cookies == SETTINGS_COOKIES_AUTO;
	entrance->sends =
			!listener->closed && service->settings->cookies == SETTINGS_COOKIES_ALWAYS;
	entrance->plain_only = entrance->port->hardware_steering;
	entrance->request = (struct syncookie_request){
			.endpoint = listener->cookie_endpoint,
			.options = (uint8_t)(TCP_OPTION_MSS |
					     (tcp->timestamps ? TCP_OPTION_TIMESTAMPS : 0) |
					     (tcp->sack ? TCP_OPTION_SACK_PERMITTED : 0) |
					     (tcp->window_scaling ? TCP_OPTION_WINDOW_SCALE : 0)),
			.ecn = tcp->ecn,
	};
	entrance->granted = service->pool != NULL ? services_granted(service) : UINT8_MAX;
	entrance->forms = 0;
	memset(entrance->kind, 0, sizeof(entrance->kind));
}

/* All that a cookie depends on of a SYN but its number; never 0. */
static inline uint64_t
entrance_kind(const struct tcp_segment *syn)
{
	return UINT64_C(1) << 63 | (uint64_t)(syn->flags & (TCP_ECE | TCP_CWR)) << 32 |
	       (uint32_t)syn->window_scale << 24 | (uint32_t)syn->options << 16 | syn->mss;
}

static inline unsigned int
entrance_kind_place(uint64_t kind)
{
	return (kind * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - ENTRANCE_KINDS_LOG2);
}

/*
 * What answers a SYN that came to the entrance: mostly what answered one before.
 *
 * @return NULL when its place is taken by what answers another kind, unless that may give way.
 */
static inline const struct syncookie_offer *
entrance_offer(struct entrance *entrance, const struct syncookie_keys *keys,
		const struct burst *burst, unsigned int i, bool may_give_way)
{
	const uint64_t kind = entrance_kind(&burst->segment[i]);
	const unsigned int place = entrance_kind_place(kind);

	if (unlikely(entrance->kind[place] != kind)) {
		if (entrance->kind[place] != 0 && !may_give_way)
			return NULL;
		entrance->request.flow = &burst->key[i];
		entrance->request.segment = &burst->segment[i];
		syncookie_offer(keys, &entrance->request, &entrance->offer[place]);
		entrance->kind[place] = kind;
	}
	return &entrance->offer[place];
}

static void
entrance_write_form(
		struct entrance *entrance, unsigned int which, const struct syncookie_offer *offer)
{
	const struct service *service = entrance->service;
	struct build_tcp syn_ack = {
			.flags = (uint8_t)(TCP_SYN | TCP_ACK | (offer->ecn ? TCP_ECE : 0)),
			.window = (uint16_t)RTE_MIN(BURST_ENV_FIRST_WINDOW, UINT16_MAX),
			.options.options = offer->options | TCP_OPTION_MSS,
			.options.mss = burst_env_path_mss(entrance->port, entrance->family == 4),
			.options.window_scale = service->tcp.rcv_wnd_scale,
	};

	/* What is promised in the name of backends; burst_env() says the same. */
	if (service->pool != NULL) {
		syn_ack.window = service->first_window;
		syn_ack.options.mss = services_mss(service, syn_ack.options.mss);
	}
	build_reply_form(&entrance->form[which], &syn_ack, entrance->family);
	entrance->forms |= 1u << which;
}

/* The SYN-ACK that makes an offer. */
static inline const struct build_form *
entrance_form(struct entrance *entrance, const struct syncookie_offer *offer)
{
	const unsigned int which = offer->options | (offer->ecn ? ENTRANCE_FORM_ECN : 0);

	if (unlikely((entrance->forms & 1u << which) == 0))
		entrance_write_form(entrance, which, offer);
	return &entrance->form[which];
}

/* Packets for our services that nobody knows yet; of ACKs, those that somebody knows, too. */
static void
burst_cookie_sort(const struct burst *burst, uint64_t *syns, uint64_t *acks)
{
	*syns = 0;
	*acks = 0;
	for (unsigned int i = 0; i < burst->n; i++) {
		const uint8_t event = burst->event[i];
		const bool passive =
				burst->waiting[i] == NULL && flow_key_is_passive(&burst->key[i]);
		const bool syn = event == TCP_EVENT_SYN && burst->conn[i] == NULL &&
				 (burst->segment[i].flags & TCP_FIN) == 0;
		const bool ack = event == TCP_EVENT_ACK || event == TCP_EVENT_FIN;

		*syns |= (uint64_t)(passive & syn) << i;
		*acks |= (uint64_t)(passive & ack) << i;
	}
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
	       (likely(!entrance->plain_only) || burst_cookie_is_plain(&burst->frame[i])) &&
	       !service_map_is_no_peer(entrance->map, key->address) &&
	       !burst_cookie_is_spent(worker, burst, i);
}

/*
 * Of some SYNs, those that came to the entrance and get a cookie.
 *
 * @return those that are to be looked at later: they came to another one, or are of a kind that has
 * no room beside those that are answered now.
 */
static uint64_t
burst_cookie_greet(struct worker *worker, struct burst *burst, uint64_t syns,
		const struct syncookie_keys *keys, struct entrance *entrance,
		struct greeted *greeted)
{
	uint64_t later = 0;

	greeted->n = 0;
	for (; syns != 0; syns &= syns - 1) {
		const unsigned int i = rte_bsf64(syns);
		const struct syncookie_offer *offer = NULL;

		if (burst_cookie_place(burst, i) == entrance->place) {
			/* Also for who is kept half open: what is not read is not granted. */
			burst->segment[i].options &= entrance->granted;
			offer = entrance_offer(entrance, keys, burst, i, greeted->n == 0);
		}
		if (offer == NULL) {
			later |= syns & -syns;
			continue;
		}
		/* Where a cookie is not possible, the connection is kept half open. */
		if (!burst_cookie_wants_syn(worker, burst, i, entrance) || !offer->possible)
			continue;
		greeted->packet[greeted->n] = (uint8_t)i;
		greeted->syn[greeted->n++] = (struct syncookie_syn){
				.flow = &burst->key[i],
				.offer = offer,
				.seq = burst->segment[i].seq,
				.ts_clock = burst_env_ts_clock(worker, burst->hash[i]),
		};
	}
	return later;
}

/* The SYN-ACKs that say it all; nothing is kept. */
static void
burst_cookie_answer(struct worker *worker, struct burst *burst, const struct syncookie_keys *keys,
		struct entrance *entrance, const struct greeted *greeted)
{
	const uint8_t port = entrance->port->index;
	struct syncookie_numbers cookie[BURST_MAX];
	struct rte_mbuf *answer[BURST_MAX];

	syncookie_make_offered(keys, greeted->syn, greeted->n, cookie);
	for (unsigned int k = 0; k < greeted->n; k++) {
		const unsigned int i = greeted->packet[k];
		const struct build_numbers numbers = {
				.seq = cookie[k].isn,
				.ack = greeted->syn[k].seq + 1,
				.tsval = cookie[k].tsval,
				.tsecr = burst->segment[i].tsval,
		};

		burst_reply_form(burst->packet[i], &burst->frame[i], entrance->port,
				entrance_form(entrance, greeted->syn[k].offer), &numbers);
		answer[k] = burst->packet[i];
		burst->packet[i] = NULL;
	}
	transmit_replies(worker, answer, greeted->n, port);
	entrance->share->cookies_sent_us = worker->now_us;
	worker_count(worker, port, COUNTER_syn_received, greeted->n);
	worker_count(worker, port, COUNTER_synack_sent, greeted->n);
	worker_count(worker, port, COUNTER_syn_cookies_sent, greeted->n);
}

/* One entrance after the other, so that cookies are made for many at once.  @return how many. */
static unsigned int
burst_cookie_answer_syns(struct worker *worker, struct burst *burst, uint64_t syns,
		const struct syncookie_keys *keys, struct entrance *entrance)
{
	struct greeted greeted;
	unsigned int answered = 0;

	while (syns != 0) {
		const uint32_t place = burst_cookie_place(burst, rte_bsf64(syns));

		if (entrance->place != place)
			entrance_find(worker, place, entrance);
		syns = burst_cookie_greet(worker, burst, syns, keys, entrance, &greeted);
		if (greeted.n > 0)
			burst_cookie_answer(worker, burst, keys, entrance, &greeted);
		answered += greeted.n;
	}
	return answered;
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
	unsigned int gone = 0;
	uint64_t syns, acks;

	burst_cookie_sort(burst, &syns, &acks);
	if (acks != 0)
		gone = burst_cookie_ack(worker, burst, acks, keys);
	entrance.place = ENTRANCE_NONE;
	if (syns != 0 && engine_phase(worker->engine) == ENGINE_RUNNING)
		gone += burst_cookie_answer_syns(worker, burst, syns, keys, &entrance);
	if (gone == burst->n)
		burst->n = 0; /* As in a flood: nothing is left for the other stages. */
}
