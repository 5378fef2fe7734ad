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

/* Who gives way first: free and forgotten ones, then resets, closed ones, and those still new. */
static unsigned int
reluctance(const struct affinity *affinity, const struct affinity_flow *flow, uint32_t now_s)
{
	static const uint8_t by_state[AFFINITY_STATES] = {
			[AFFINITY_FREE] = 0,
			[AFFINITY_RESET] = 2,
			[AFFINITY_CLOSED] = 3,
			[AFFINITY_NEW] = 4,
			[AFFINITY_LIVE] = 5,
	};

	if (flow->state != AFFINITY_FREE && is_over(affinity, flow, now_s))
		return 1;
	return by_state[flow->state];
}

struct affinity_flow *
affinity_insert(struct affinity *affinity, uint64_t hash, uint16_t backend, uint32_t now_s,
		uint16_t *displaced)
{
	struct affinity_bucket *bucket = bucket_of(affinity, hash);
	struct affinity_flow *best = &bucket->flow[0];
	unsigned int least = reluctance(affinity, best, now_s);

	*displaced = AFFINITY_NONE;
	for (unsigned int way = 1; way < WAYS; way++) {
		struct affinity_flow *flow = &bucket->flow[way];
		const unsigned int reluctant = reluctance(affinity, flow, now_s);

		if (reluctant < least ||
				(reluctant == least &&
						silence_s(flow, now_s) > silence_s(best, now_s))) {
			best = flow;
			least = reluctant;
		}
	}
	if (best->state == AFFINITY_LIVE && least > 1)
		return NULL;
	if (best->state != AFFINITY_FREE)
		*displaced = best->backend;
	*best = (struct affinity_flow){
			.tag = (uint32_t)hash,
			.seen_s = (uint16_t)now_s,
			.backend = backend & (AFFINITY_BACKENDS_MAX - 1),
			.state = AFFINITY_NEW,
	};
	return best;
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
			backends[forgotten++] = flow->backend;
			flow->state = AFFINITY_FREE;
		}
		if (++affinity->swept == affinity->bucket_count)
			affinity->swept = 0;
	}
	return forgotten;
}
