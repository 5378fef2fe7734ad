/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef AFFINITY_H
#define AFFINITY_H

/**
 * @file
 * Which backend a flow has, for as long as it is alive: eight bytes per flow.
 *
 * For `mode: direct`, where we see one direction and keep no connection: the choice by hash is the
 * same for every packet until the backends change, and this table is what holds live flows when
 * they do.  So it may forget: a flow that finds no room, or loses it, is where its hash leads.
 *
 * A bucket is one cache line of eight flows, and a flow lives in one bucket.  Keys are not kept but
 * 32 more bits of their keyed hash: a flow that is new is taken for another one once in some
 * hundred million times, and then has a backend that it might as well have got.
 *
 * A flow is new until its second packet: who floods with segments of flows that do not exist
 * displaces other new ones, and nobody who has spoken twice, as long as that one is not idle.  A
 * SYN is remembered, too, for the backends may change before its ACK comes, and then only the
 * backend that had the SYN can take it.  But whoever floods with SYNs displaces nothing but SYNs.
 *
 * One lcore creates, reads and writes a table.  Times are whole seconds and may wrap.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AFFINITY_NONE UINT16_MAX /**< No backend. */

enum affinity_state {
	AFFINITY_FREE,
	AFFINITY_SYN, /**< Nothing but SYNs so far. */
	AFFINITY_NEW, /**< One packet behind the SYN so far. */
	AFFINITY_LIVE,
	AFFINITY_CLOSED, /**< The client's FIN went by: what follows is the rest of a close. */
	AFFINITY_RESET,  /**< A reset went by. */
	AFFINITY_STATES,
};

/** After how many seconds of silence a flow is forgotten, by state; each from 1 to 32767. */
struct affinity_timeouts {
	uint16_t seconds[AFFINITY_STATES];
};

struct affinity_flow {
	uint32_t tag;
	uint16_t seen_s;
	uint16_t backend : 13;
	uint16_t state : 3; /**< enum affinity_state */
};

_Static_assert(sizeof(struct affinity_flow) == 8, "eight flows are one cache line");

#define AFFINITY_BACKENDS_MAX (1U << 13)

struct affinity;

/** Bytes for at least @p flows flows, a multiple of 64. */
size_t affinity_footprint(uint32_t flows);

/** Lay an empty table out in @p memory, the caller's, 64-byte aligned; timeouts are to be set. */
struct affinity *affinity_init(void *memory, uint32_t flows);

/** For the flows that there are, too. */
void affinity_set_timeouts(struct affinity *affinity, const struct affinity_timeouts *timeouts);

/** How many flows it has room for. */
uint32_t affinity_capacity(const struct affinity *affinity);

/** Fetch what a flow's hash will need. */
void affinity_prefetch(const struct affinity *affinity, uint64_t hash);

/** Find a flow that is not idle for too long; its address is good until the next insertion. */
struct affinity_flow *affinity_find(struct affinity *affinity, uint64_t hash, uint32_t now_s);

/** A packet of a flow went by, or a SYN of what is to become one. */
static inline void
affinity_touch(struct affinity_flow *flow, uint32_t now_s)
{
	flow->seen_s = (uint16_t)now_s;
	if (flow->state == AFFINITY_NEW)
		flow->state = AFFINITY_LIVE;
}

/** The first packet behind the SYN went by. */
static inline void
affinity_open(struct affinity_flow *flow, uint32_t now_s)
{
	flow->seen_s = (uint16_t)now_s;
	flow->state = AFFINITY_NEW;
}

/** A FIN or a reset went by; neither makes a flow live longer again. */
static inline void
affinity_close(struct affinity_flow *flow, bool reset)
{
	if (reset)
		flow->state = AFFINITY_RESET;
	else if (flow->state != AFFINITY_RESET)
		flow->state = AFFINITY_CLOSED;
}

/**
 * A SYN went by, of a flow that is not in the table: remember it, unless flows take all room.
 *
 * @return
 *   As @p displaced of affinity_insert(): it was forgotten already.
 */
uint16_t affinity_expect(
		struct affinity *affinity, uint64_t hash, uint16_t backend, uint32_t now_s);

/**
 * Add a flow that is not in the table.
 *
 * @param displaced
 *   Set to the backend of the flow that gave way, or AFFINITY_NONE; a SYN is no flow yet.
 * @return
 *   NULL when there is no room: its bucket is full of live ones.
 */
struct affinity_flow *affinity_insert(struct affinity *affinity, uint64_t hash, uint16_t backend,
		uint32_t now_s, uint16_t *displaced);

/** Forget a flow. */
static inline void
affinity_remove(struct affinity_flow *flow)
{
	flow->state = AFFINITY_FREE;
}

/**
 * Forget flows that are idle for too long, some buckets a call.  All buckets are to be visited
 * within half an hour, or silence looks short again when the clock has wrapped.
 *
 * @param backends
 *   The backends of those forgotten, SYNs left out, with room for 8 times @p buckets.
 * @return
 *   How many were.
 */
unsigned int affinity_sweep(
		struct affinity *affinity, uint32_t now_s, uint32_t buckets, uint16_t backends[]);

#endif /* AFFINITY_H */
