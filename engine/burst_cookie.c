/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include <rte_common.h>

#include "cookie/syncookie.h"
#include "cookie/syncookie_columns.h"
#include "engine/burst.h"
#include "engine/burst_cookie.h"
#include "engine/burst_cookie_ack.h"
#include "engine/burst_entrance.h"
#include "engine/burst_env.h"
#include "engine/burst_reply.h"
#include "engine/cookies.h"
#include "engine/proxy.h"
#include "engine/services_pools.h"
#include "engine/worker.h"
#include "step/step_masks.h"
#include "wire/build_columns.h"
#include "wire/build_reply.h"

_Static_assert(BURST_MAX <= SYNCOOKIE_BURST_MAX, "one call for a whole burst");

_Static_assert(COLUMNS == SYNCOOKIE_COLUMNS, "cookies and their answers in one go");

/* Fewer SYNs in a row than so many are answered one by one. */
#define BURST_COOKIE_COLUMNS_MIN 4

/* cookies: auto lasts at least so long; twice as long each time it begins again soon. */
#define BURST_COOKIE_HOLD_MIN_US 1000000
#define BURST_COOKIE_HOLD_MAX_US 64000000

/* SYNs of a burst that came to one entrance and get a cookie. */
struct greeted {
	unsigned int n;
	uint8_t packet[BURST_MAX];
	struct syncookie_syn syn[BURST_MAX];
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

/* Of some packets, those for our services. */
static inline uint64_t
burst_cookie_passive(const struct burst *burst, uint64_t packets)
{
	/* Whom the parser knows are. */
	uint64_t passive = packets & burst->known;

	for (uint64_t left = packets & ~burst->known; left != 0; left &= left - 1) {
		const unsigned int i = rte_bsf64(left);

		passive |= (uint64_t)flow_key_is_passive(&burst->key[i]) << i;
	}
	return passive;
}

/*
 * Packets for our services that nobody knows yet; of ACKs, while cookies may return, those that
 * somebody knows, too.
 */
static void
burst_cookie_sort(const struct worker *worker, const struct burst *burst, uint64_t *syns,
		uint64_t *acks)
{
	const bool columns = worker->columns;
	const uint64_t known = step_masks_there(burst->conn, columns);
	const uint64_t left = burst_all(burst) & ~step_masks_there(burst->waiting, columns);

	*acks = left & (step_masks_equal(burst->event, TCP_EVENT_ACK, columns) |
				       step_masks_equal(burst->event, TCP_EVENT_FIN, columns));
	if (likely(!burst_cookie_may_return(worker)))
		*acks &= ~known;
	*acks = burst_cookie_passive(burst, *acks);
	*syns = left & ~known & step_masks_equal(burst->event, TCP_EVENT_SYN, columns);
	*syns = burst_cookie_passive(burst, *syns);
}

/* A SYN with a FIN gets no cookie, which could not say that the peer is done. */
static inline bool
burst_cookie_ends(const struct burst *burst, unsigned int i)
{
	return unlikely((burst->segment[i].flags & TCP_FIN) != 0);
}

/* Cheapest first (K15): does its service want cookies, may its source be answered. */
static inline bool
burst_cookie_wants_syn(struct worker *worker, struct burst *burst, unsigned int i,
		struct burst_entrance *entrance)
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
	       !(entrance->has_spent && burst_cookie_is_spent(worker, burst, i));
}

/*
 * Of some SYNs, those that came to the entrance and get a cookie.
 *
 * @return those that are to be looked at later: they came to another one, or are of a kind that has
 * no room beside those that are answered now.
 */
static uint64_t
burst_cookie_greet(struct worker *worker, struct burst *burst, uint64_t syns,
		const struct syncookie_keys *keys, struct burst_entrance *entrance,
		struct greeted *greeted)
{
	uint64_t later = 0;

	greeted->n = 0;
	for (; syns != 0; syns &= syns - 1) {
		const unsigned int i = rte_bsf64(syns);
		const struct syncookie_offer *offer = NULL;

		if (burst_cookie_ends(burst, i))
			continue;
		if (burst_cookie_place(burst, i) == entrance->place) {
			/* Also for who is kept half open: what is not read is not granted. */
			burst->segment[i].options &= entrance->granted;
			offer = burst_entrance_offer(entrance, keys, burst, i, greeted->n == 0);
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

/* SYN-ACKs leave, and are counted. */
static void
burst_cookie_send(struct worker *worker, struct rte_mbuf *answers[], unsigned int n,
		struct burst_entrance *entrance)
{
	const uint8_t port = entrance->port->index;

	transmit_replies(worker, answers, n, port);
	entrance->share->cookies_sent_us = worker->now_us;
	worker->cookies_sent_us = worker->now_us;
	worker_count(worker, port, COUNTER_syn_received, n);
	worker_count(worker, port, COUNTER_synack_sent, n);
	worker_count(worker, port, COUNTER_syn_cookies_sent, n);
}

/* The SYN-ACKs that say it all; nothing is kept. */
static void
burst_cookie_answer(struct worker *worker, struct burst *burst, const struct syncookie_keys *keys,
		struct burst_entrance *entrance, const struct greeted *greeted)
{
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
				burst_entrance_form(entrance, greeted->syn[k].offer), &numbers);
		answer[k] = burst->packet[i];
		burst->packet[i] = NULL;
	}
	burst_cookie_send(worker, answer, greeted->n, entrance);
}

/*
 * How many SYNs in a row, the first of @p syns on, the parser sent to one listener and found to
 * have the same flags, MSS and options; it looks at as many at once as there are columns.
 */
static unsigned int
burst_cookie_row(const struct burst *burst, uint64_t syns)
{
	const unsigned int first = rte_bsf64(syns);
	const uint64_t alike = (syns & burst->alike) >> first >> 1;

	return (burst->known >> first & 1) == 0 ? 0 : 1 + rte_bsf64(~alike);
}

/* Whether the sources of some known SYNs may all be answered. */
static bool
burst_cookie_are_sources(struct worker *worker, const struct burst *burst, uint64_t syns,
		const struct burst_entrance *entrance)
{
	uint64_t left = entrance->has_spent ? syns : syns & burst->doubtful;

	for (; left != 0; left &= left - 1) {
		const unsigned int i = rte_bsf64(left);

		if (burst->key[i].port == 0 ||
				service_map_is_no_peer(entrance->map, burst->key[i].address) ||
				(entrance->has_spent && burst_cookie_is_spent(worker, burst, i)))
			return false;
	}
	return true;
}

/* Whether all of some known SYNs want a cookie; nothing happens if not. */
static bool
burst_cookie_want_syns(struct worker *worker, const struct burst *burst, uint64_t syns,
		struct burst_entrance *entrance)
{
	if (worker->inserted)
		return false;
	if (entrance->is_auto)
		/* What it depends on but the number of SYNs stays as it is; more end nothing. */
		entrance->sends = burst_cookie_is_on(worker, entrance->service, entrance->share);
	if (!entrance->sends || !burst_cookie_are_sources(worker, burst, syns, entrance))
		return false;
	entrance->share->syns += (unsigned int)__builtin_popcountll(syns);
	return true;
}

/* Answer SYNs in a row at once.  @return false: they are for burst_cookie_greet(), each alone. */
static bool
burst_cookie_answer_columns(struct worker *worker, struct burst *burst, unsigned int first,
		unsigned int n, const struct syncookie_keys *keys, struct burst_entrance *entrance)
{
	const struct cookies *cookies = &worker->engine->cookies;
	struct tcp_segment *segment = &burst->segment[first];
	struct build_columns replies;
	const struct syncookie_columns columns = {
			.flows = &burst->key[first],
			.segments = segment,
			.hashes = &burst->hash[first],
			.n = n,
			.ts_clock = burst_env_ts_clock(worker, 0),
			.ts_flow_mask = cookies->ts_flow_mask,
			.seq = replies.seq,
			.ack = replies.ack,
			.tsval = replies.tsval,
			.tsecr = replies.tsecr,
	};
	const struct syncookie_offer *offer;
	const struct build_form *form;
	unsigned int length;

	if (entrance->port->transmit_offload)
		return false;
	replies.n = n;
	/* Also for who is kept half open: what is not read is not granted. */
	for (unsigned int k = 0; k < n && entrance->granted != UINT8_MAX; k++)
		segment[k].options &= entrance->granted;
	offer = burst_entrance_offer(entrance, keys, burst, first, true);
	form = burst_entrance_form(entrance, offer);
	if (!offer->possible || !build_columns_takes(form) ||
			!burst_cookie_want_syns(
					worker, burst, ((UINT64_C(1) << n) - 1) << first, entrance))
		return false;
	for (unsigned int k = 0; k < n; k++)
		replies.data[k] = rte_pktmbuf_mtod(burst->packet[first + k], uint8_t *);
	syncookie_columns_make(keys, offer, &columns);
	length = build_columns(&replies, form);
	for (unsigned int k = 0; k < n; k++)
		burst_reply_finish(burst->packet[first + k], length);
	burst_cookie_send(worker, &burst->packet[first], n, entrance);
	return true;
}

/* SYNs that came to an entrance which is shut are all kept. @return those that came to others. */
static uint64_t
burst_cookie_pass(struct burst *burst, uint64_t syns, const struct burst_entrance *entrance)
{
	uint64_t elsewhere = 0;

	for (; syns != 0; syns &= syns - 1) {
		const unsigned int i = rte_bsf64(syns);

		if (unlikely(burst_cookie_place(burst, i) != entrance->place))
			elsewhere |= syns & -syns;
		else
			burst->segment[i].options &= entrance->granted;
	}
	return elsewhere;
}

/*
 * One entrance after the other, so that cookies are made for many at once; and in columns where
 * that can be, as in a flood.  @return how many.
 */
static unsigned int
burst_cookie_answer_syns(struct worker *worker, struct burst *burst, uint64_t syns,
		const struct syncookie_keys *keys)
{
	struct burst_entrance *entrance = NULL;
	struct greeted greeted;
	unsigned int answered = 0;
	uint64_t sent = 0;

	while (syns != 0) {
		const unsigned int first = rte_bsf64(syns);
		const uint32_t place = burst_cookie_place(burst, first);
		unsigned int n = 0;
		uint64_t some = syns;

		if (burst_cookie_ends(burst, first)) {
			syns &= syns - 1;
			continue;
		}
		if (entrance == NULL || entrance->place != place)
			entrance = burst_entrance(worker, place, keys);
		if (burst_entrance_is_shut(entrance)) {
			syns = burst_cookie_pass(burst, syns, entrance);
			continue;
		}
		if (worker->columns)
			n = burst_cookie_row(burst, syns);
		if (n >= BURST_COOKIE_COLUMNS_MIN) {
			some = syns & ((UINT64_C(1) << n) - 1) << first;
			if (burst_cookie_answer_columns(worker, burst, first, n, keys, entrance)) {
				syns &= ~some;
				sent |= some;
				continue;
			}
		}
		syns &= ~some;
		syns |= burst_cookie_greet(worker, burst, some, keys, entrance, &greeted);
		if (greeted.n > 0)
			burst_cookie_answer(worker, burst, keys, entrance, &greeted);
		answered += greeted.n;
	}
	answered += (unsigned int)__builtin_popcountll(sent);
	for (; answered != burst->n && sent != 0; sent &= sent - 1)
		burst->packet[rte_bsf64(sent)] = NULL;
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
	unsigned int gone = 0;
	uint64_t syns, acks;

	burst_cookie_sort(worker, burst, &syns, &acks);
	if (acks != 0)
		gone = burst_cookie_ack(worker, burst, acks, keys);
	if (spent_cookies_any(worker->spent, worker->now_s)) {
		for (uint64_t left = syns; left != 0; left &= left - 1)
			spent_cookies_prefetch(worker->spent, burst->hash[rte_bsf64(left)]);
	}
	if (syns != 0 && engine_phase(worker->engine) == ENGINE_RUNNING)
		gone += burst_cookie_answer_syns(worker, burst, syns, keys);
	if (gone == burst->n)
		burst->n = 0; /* As in a flood: nothing is left for the other stages. */
}
