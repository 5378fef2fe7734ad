/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Buckets of eight, and who gives way in a full one.
 */

#include <string.h>

#include <rte_common.h>
#include <rte_prefetch.h>

#include "balance/affinity.h"

#define WAYS 8

struct affinity_bucket {
	struct affinity_flow flow[WAYS];
} __rte_aligned(64);

_Static_assert(sizeof(struct affinity_bucket) == 64, "a bucket is one cache line");

struct affinity {
	struct affinity_bucket *buckets;
	uint32_t bucket_count;
	uint32_t swept; /* The bucket to sweep next. */
	struct affinity_timeouts timeouts;
} __rte_aligned(64);

static uint32_t
bucket_count_for(uint32_t flows)
{
	/* A third more: with 6 flows on average, 1 bucket in 16 would like more than eight. */
	return (uint32_t)((uint64_t)flows * 4 / (3 * WAYS)) + 1;
}

size_t
affinity_footprint(uint32_t flows)
{
	return sizeof(struct affinity) +
	       (size_t)bucket_count_for(flows) * sizeof(struct affinity_bucket);
}

struct affinity *
affinity_init(void *memory, uint32_t flows)
{
	struct affinity *affinity = memory;

	memset(memory, 0, affinity_footprint(flows));
	affinity->buckets = (struct affinity_bucket *)(affinity + 1);
	affinity->bucket_count = bucket_count_for(flows);
	return affinity;
}

void
affinity_set_timeouts(struct affinity *affinity, const struct affinity_timeouts *timeouts)
{
	affinity->timeouts = *timeouts;
}

uint32_t
affinity_capacity(const struct affinity *affinity)
{
	return affinity->bucket_count * WAYS;
}

/* The upper half of the hash places, the lower half tells flows of a bucket apart. */
static inline struct affinity_bucket *
bucket_of(const struct affinity *affinity, uint64_t hash)
{
	return &affinity->buckets[(hash >> 32) * affinity->bucket_count >> 32];
}

void
affinity_prefetch(const struct affinity *affinity, uint64_t hash)
{
	rte_prefetch0(bucket_of(affinity, hash));
}

static inline uint16_t
silence_s(const struct affinity_flow *flow, uint32_t now_s)
{
	return (uint16_t)(now_s - flow->seen_s);
}

static inline bool
is_over(const struct affinity *affinity, const struct affinity_flow *flow, uint32_t now_s)
{
	return silence_s(flow, now_s) >= affinity->timeouts.seconds[flow->state];
}

struct affinity_flow *
affinity_find(struct affinity *affinity, uint64_t hash, uint32_t now_s)
{
	struct affinity_bucket *bucket = bucket_of(affinity, hash);
	uint32_t ways = 0;

	/* All tags without a branch: where a flow is cannot be predicted. */
	for (unsigned int way = 0; way < WAYS; way++)
		ways |= (uint32_t)(bucket->flow[way].tag == (uint32_t)hash) << way;
	for (; ways != 0; ways &= ways - 1) {
		struct affinity_flow *flow = &bucket->flow[__builtin_ctz(ways)];

		if (flow->state != AFFINITY_FREE && !is_over(affinity, flow, now_s))
			return flow;
	}
	return NULL;
}

/* Who gives way first: free and forgotten ones, then SYNs, resets, closed ones, and new ones. */
enum reluctance {
	RELUCTANCE_FREE,
	RELUCTANCE_FORGOTTEN,
	RELUCTANCE_SYN,
	RELUCTANCE_RESET,
	RELUCTANCE_CLOSED,
	RELUCTANCE_NEW,
	RELUCTANCE_LIVE,
};

static enum reluctance
reluctance(const struct affinity *affinity, const struct affinity_flow *flow, uint32_t now_s)
{
	static const uint8_t by_state[AFFINITY_STATES] = {
			[AFFINITY_FREE] = RELUCTANCE_FREE,
			[AFFINITY_SYN] = RELUCTANCE_SYN,
			[AFFINITY_RESET] = RELUCTANCE_RESET,
			[AFFINITY_CLOSED] = RELUCTANCE_CLOSED,
			[AFFINITY_NEW] = RELUCTANCE_NEW,
			[AFFINITY_LIVE] = RELUCTANCE_LIVE,
	};

	if (flow->state != AFFINITY_FREE && is_over(affinity, flow, now_s))
		return RELUCTANCE_FORGOTTEN;
	return (enum reluctance)by_state[flow->state];
}

/* Who gives way to a flow, when nobody more reluctant than that has to; or NULL. */
static struct affinity_flow *
place_for(const struct affinity *affinity, uint64_t hash, uint32_t now_s, enum reluctance most)
{
	struct affinity_bucket *bucket = bucket_of(affinity, hash);
	struct affinity_flow *best = &bucket->flow[0];
	enum reluctance least = reluctance(affinity, best, now_s);

	for (unsigned int way = 1; way < WAYS; way++) {
		struct affinity_flow *flow = &bucket->flow[way];
		const enum reluctance reluctant = reluctance(affinity, flow, now_s);

		if (reluctant < least ||
				(reluctant == least &&
						silence_s(flow, now_s) > silence_s(best, now_s))) {
			best = flow;
			least = reluctant;
		}
	}
	return least <= most ? best : NULL;
}

/* Its backend, if it is more than a SYN. */
static inline uint16_t
backend_of(const struct affinity_flow *flow)
{
	return flow->state > AFFINITY_SYN ? flow->backend : AFFINITY_NONE;
}

/* @return the backend of the flow that was there, or AFFINITY_NONE. */
static uint16_t
settle(struct affinity_flow *place, uint64_t hash, uint16_t backend, uint32_t now_s)
{
	const uint16_t displaced = backend_of(place);

	*place = (struct affinity_flow){
			.tag = (uint32_t)hash,
			.seen_s = (uint16_t)now_s,
			.backend = backend & (AFFINITY_BACKENDS_MAX - 1),
			.state = AFFINITY_SYN,
	};
	return displaced;
}

uint16_t
affinity_expect(struct affinity *affinity, uint64_t hash, uint16_t backend, uint32_t now_s)
{
	struct affinity_flow *place = place_for(affinity, hash, now_s, RELUCTANCE_SYN);

	return place != NULL ? settle(place, hash, backend, now_s) : AFFINITY_NONE;
}

struct affinity_flow *
affinity_insert(struct affinity *affinity, uint64_t hash, uint16_t backend, uint32_t now_s,
		uint16_t *displaced)
{
	struct affinity_flow *place = place_for(affinity, hash, now_s, RELUCTANCE_NEW);

	*displaced = AFFINITY_NONE;
	if (place == NULL)
		return NULL;
	*displaced = settle(place, hash, backend, now_s);
	affinity_open(place, now_s);
	return place;
}

unsigned int
affinity_sweep(struct affinity *affinity, uint32_t now_s, uint32_t buckets, uint16_t backends[])
{
	unsigned int forgotten = 0;

	for (uint32_t i = 0; i < RTE_MIN(buckets, affinity->bucket_count); i++) {
		struct affinity_bucket *bucket = &affinity->buckets[affinity->swept];

		for (unsigned int way = 0; way < WAYS; way++) {
			struct affinity_flow *flow = &bucket->flow[way];

			if (flow->state == AFFINITY_FREE || !is_over(affinity, flow, now_s))
				continue;
			backends[forgotten] = flow->backend;
			forgotten += backend_of(flow) != AFFINITY_NONE;
			flow->state = AFFINITY_FREE;
		}
		if (++affinity->swept == affinity->bucket_count)
			affinity->swept = 0;
	}
	return forgotten;
}
