/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include <rte_common.h>
#include <rte_prefetch.h>

#include "cookie/spent_cookies.h"
#include "cookie/syncookie.h"

#define WAYS       8
#define WAYS_USED  4 /* On average, at capacity. */
#define TIME_BITS  16
#define TIME_MASK  ((UINT64_C(1) << TIME_BITS) - 1)
#define TAG_IN_USE (UINT64_C(1) << TIME_BITS) /* So that no flow is 0, which is nobody. */

/* The upper bits of the flow's hash, and the second it was spent in. */
struct bucket {
	uint64_t flow[WAYS];
};

_Static_assert(sizeof(struct bucket) == 64, "one cache line");
_Static_assert(SYNCOOKIE_SPENT_S < TIME_MASK / 2, "ages are told apart");

struct spent_cookies {
	uint32_t count;  /* Of buckets. */
	uint32_t last_s; /* When the last flow came; meaningless before the first. */
	bool begun;
	struct bucket buckets[] __rte_aligned(64);
};

static uint32_t
buckets_for(uint32_t capacity)
{
	return RTE_MAX(capacity / WAYS_USED, 1u);
}

size_t
spent_cookies_footprint(uint32_t capacity)
{
	return sizeof(struct spent_cookies) + buckets_for(capacity) * sizeof(struct bucket);
}

struct spent_cookies *
spent_cookies_init(void *memory, uint32_t capacity)
{
	struct spent_cookies *spent = memory;

	memset(memory, 0, spent_cookies_footprint(capacity));
	spent->count = buckets_for(capacity);
	return spent;
}

static inline uint32_t
place_of(const struct spent_cookies *spent, uint64_t hash)
{
	return (uint32_t)((hash & UINT32_MAX) * spent->count >> 32);
}

static inline uint64_t
tag_of(uint64_t hash)
{
	return (hash & ~TIME_MASK) | TAG_IN_USE;
}

static inline uint32_t
age_of(uint64_t flow, uint32_t now_s)
{
	return (now_s - (uint32_t)flow) & TIME_MASK;
}

/* The place of a flow in a bucket, or else the best to give way. */
static unsigned int
way_of(const struct bucket *bucket, uint64_t tag, uint32_t now_s)
{
	unsigned int oldest = 0;
	uint32_t oldest_age = 0;

	for (unsigned int i = 0; i < WAYS; i++) {
		const uint64_t flow = bucket->flow[i];
		const uint32_t age = flow == 0 ? TIME_MASK + 1 : age_of(flow, now_s);

		if ((flow & ~TIME_MASK) == tag)
			return i;
		if (age > oldest_age) {
			oldest = i;
			oldest_age = age;
		}
	}
	return oldest;
}

static inline bool
is_alive(uint64_t flow, uint32_t now_s)
{
	/* Seconds that have begun count. */
	return flow != 0 && age_of(flow, now_s) <= SYNCOOKIE_SPENT_S;
}

bool
spent_cookies_any(const struct spent_cookies *spent, uint32_t now_s)
{
	return spent->begun && now_s - spent->last_s <= SYNCOOKIE_SPENT_S;
}

void
spent_cookies_prefetch(const struct spent_cookies *spent, uint64_t hash)
{
	rte_prefetch0(&spent->buckets[place_of(spent, hash)]);
}

bool
spent_cookies_add(struct spent_cookies *spent, uint64_t hash, uint32_t now_s)
{
	struct bucket *bucket = &spent->buckets[place_of(spent, hash)];
	const uint64_t tag = tag_of(hash);
	const unsigned int way = way_of(bucket, tag, now_s);
	const bool forgotten = (bucket->flow[way] & ~TIME_MASK) != tag &&
			       is_alive(bucket->flow[way], now_s);
	bucket->flow[way] = tag | (now_s & TIME_MASK);
	spent->last_s = now_s;
	spent->begun = true;
	return forgotten;
}

bool
spent_cookies_has(const struct spent_cookies *spent, uint64_t hash, uint32_t now_s)
{
	const struct bucket *bucket = &spent->buckets[place_of(spent, hash)];
	const uint64_t tag = tag_of(hash);

	if (!spent_cookies_any(spent, now_s))
		return false;
	for (unsigned int i = 0; i < WAYS; i++) {
		if ((bucket->flow[i] & ~TIME_MASK) == tag)
			return is_alive(bucket->flow[i], now_s);
	}
	return false;
}
