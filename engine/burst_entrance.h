/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BURST_ENTRANCE_H
#define BURST_ENTRANCE_H

/**
 * @file
 * A listener at a port, as SYN cookies see it.
 *
 * The packets of a flood are for one or a few, and have a few sets of options; so what is the same
 * for all of them is worked out when the first comes, and kept from burst to burst until services
 * or keys change.  What may change at any time is asked once a burst; of what is promised in the
 * name of backends that is nearly everything.
 */

#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>

#include "cookie/syncookie.h"
#include "engine/burst.h"
#include "engine/services.h"
#include "engine/worker.h"
#include "wire/build_reply.h"

/** SYN-ACKs by what they offer: window scale, SACK and timestamps, as in enum tcp_option_bit; ECN.
 */
#define BURST_ENTRANCE_FORMS    16
#define BURST_ENTRANCE_FORM_ECN 1

_Static_assert((TCP_OPTION_WINDOW_SCALE | TCP_OPTION_SACK_PERMITTED | TCP_OPTION_TIMESTAMPS |
			       BURST_ENTRANCE_FORM_ECN) == BURST_ENTRANCE_FORMS - 1,
		"a form for each set of options");

/** Kinds of SYNs, by the upper bits of a product. */
#define BURST_ENTRANCE_KINDS_LOG2 4
#define BURST_ENTRANCE_KINDS      (1 << BURST_ENTRANCE_KINDS_LOG2)

struct burst_entrance {
	bool found;            /**< For the services of this turn. */
	uint32_t place;        /**< Port and listener. */
	uint32_t made_slot;    /**< Of the keys for which there are offers. */
	bool always;           /**< Whatever happens, SYNs are answered by cookies. */
	bool sends;            /**< SYNs are answered by cookies, so far. */
	bool is_auto;          /**< That is asked again for each SYN. */
	bool plain_only;       /**< But only without IP options and extension headers. */
	bool has_spent;        /**< Some must get none. */
	uint8_t granted;       /**< Options of SYNs that backends are known not to refuse. */
	uint8_t family;        /**< 4 or 6. */
	uint16_t first_window; /**< With a proxy. */
	uint32_t forms;        /**< Which are there. */
	uint32_t kinds;        /**< The same. */
	const struct port *port;
	const struct service *service;
	struct service_share *share;
	const struct service_map *map;       /**< Who cannot be a peer. */
	struct syncookie_request request;    /**< What all have in common. */
	uint64_t kind[BURST_ENTRANCE_KINDS]; /**< Of SYN: MSS and options. */
	struct syncookie_offer offer[BURST_ENTRANCE_KINDS];
	struct build_form form[BURST_ENTRANCE_FORMS];
};

/** Work out what answers a kind of SYNs; @p which is its place. */
void burst_entrance_write_offer(struct burst_entrance *entrance, const struct syncookie_keys *keys,
		const struct burst *burst, unsigned int i, unsigned int which);

/** Write the SYN-ACK that makes an offer, which has not been needed before. */
void burst_entrance_write_form(struct burst_entrance *entrance, unsigned int which,
		const struct syncookie_offer *offer);

/** The worker's entrance, for the SYNs of a burst that came to a place. */
struct burst_entrance *burst_entrance(
		struct worker *worker, uint32_t place, const struct syncookie_keys *keys);

/** All that a cookie depends on of a SYN but its number. */
static inline uint64_t
burst_entrance_kind(const struct tcp_segment *syn)
{
	return (uint64_t)(syn->flags & (TCP_ECE | TCP_CWR)) << 32 |
	       (uint32_t)syn->window_scale << 24 | (uint32_t)syn->options << 16 | syn->mss;
}

/**
 * What answers a SYN that came to the entrance: mostly what answered one before.
 *
 * @return NULL when its place is taken by what answers another kind, unless that may give way.
 */
static inline const struct syncookie_offer *
burst_entrance_offer(struct burst_entrance *entrance, const struct syncookie_keys *keys,
		const struct burst *burst, unsigned int i, bool may_give_way)
{
	const uint64_t kind = burst_entrance_kind(&burst->segment[i]);
	const unsigned int which = (unsigned int)(kind * UINT64_C(0x9e3779b97f4a7c15) >>
						  (64 - BURST_ENTRANCE_KINDS_LOG2));
	const bool known = (entrance->kinds >> which & 1) != 0;

	if (unlikely(!known || entrance->kind[which] != kind)) {
		if (known && !may_give_way)
			return NULL;
		entrance->kind[which] = kind;
		burst_entrance_write_offer(entrance, keys, burst, i, which);
	}
	return &entrance->offer[which];
}

/** The SYN-ACK that makes an offer. */
static inline const struct build_form *
burst_entrance_form(struct burst_entrance *entrance, const struct syncookie_offer *offer)
{
	const unsigned int which = offer->options | (offer->ecn ? BURST_ENTRANCE_FORM_ECN : 0);

	if (unlikely((entrance->forms & 1u << which) == 0))
		burst_entrance_write_form(entrance, which, offer);
	return &entrance->form[which];
}

/** Whether no SYN is answered with a cookie until a connection more is half open. */
static inline bool
burst_entrance_is_shut(const struct burst_entrance *entrance)
{
	return !entrance->sends &&
	       (!entrance->is_auto ||
			       (!entrance->share->cookies_on &&
					       entrance->service->settings->max_syn_rate == 0));
}

#endif /* BURST_ENTRANCE_H */
