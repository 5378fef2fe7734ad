/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BURST_COOKIE_ACK_H
#define BURST_COOKIE_ACK_H

/**
 * @file
 * Cookies that come back: ACKs that nobody knows are judged all at once (burst_cookie.h).
 *
 * What is forged is nobody's, and the machine has one answer to that: a reset, as many as
 * tcp.reset_rate allows.  So where the row says so and the allowance is used up, as in a flood,
 * they leave here, counted as the machine and the limit would have counted them.
 *
 * Whether a cookie was spent is asked last, of those few whose MAC is right: a flood of forged ACKs
 * must not wait for memory.
 */

#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>

#include "cookie/spent_cookies.h"
#include "cookie/syncookie.h"
#include "engine/burst.h"
#include "engine/worker.h"

struct service;
struct service_share;
struct syncookie_keys;

/**
 * Open for the ACKs that bring good cookies, and drop those that bring forged ones and get no
 * answer.
 *
 * @param acks
 *   A bit for each segment with ACK that came to a service of ours.
 * @return how many were dropped; their places in the burst are empty.
 */
unsigned int burst_cookie_ack(struct worker *worker, struct burst *burst, uint64_t acks,
		const struct syncookie_keys *keys);

/** How long a cookie may come back after it was sent. */
#define BURST_COOKIE_LIFE_US ((uint64_t)SYNCOOKIE_LIFE_MS * 1000)

/** Whether cookies of any service may still come back, as far as this worker knows. */
static inline bool
burst_cookie_may_return(const struct worker *worker)
{
	return worker->engine->cookies.shared ||
	       (worker->cookies_sent_us != 0 &&
			       worker->now_us - worker->cookies_sent_us < BURST_COOKIE_LIFE_US);
}

/** A port and a listener at it, where a packet of a burst came to. */
static inline uint32_t
burst_cookie_place(const struct burst *burst, unsigned int i)
{
	return (uint32_t)burst->packet[i]->port << 16 | burst->key[i].endpoint;
}

/** Whether RSS knows the packet's flow, where that matters (burst_cookie.h). */
static inline bool
burst_cookie_is_plain(const struct frame *frame)
{
	return frame->l4_offset - frame->l3_offset == (frame->family == 4 ? 20 : 40);
}

/** Whether a cookie of the packet's flow, under an older number of its listener, was spent. */
bool burst_cookie_was_spent_before(
		const struct worker *worker, const struct burst *burst, unsigned int i);

/** Whether a cookie of the packet's flow opened a connection that has closed since. */
static inline bool
burst_cookie_is_spent(const struct worker *worker, const struct burst *burst, unsigned int i)
{
	if (likely(!spent_cookies_any(worker->spent, worker->now_s)))
		return false;
	return spent_cookies_has(worker->spent, burst->hash[i], worker->now_s) ||
	       (unlikely(worker->services->changing) &&
			       burst_cookie_was_spent_before(worker, burst, i));
}

#endif /* BURST_COOKIE_ACK_H */
