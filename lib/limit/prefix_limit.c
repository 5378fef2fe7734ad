/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include <rte_bitops.h>
#include <rte_byteorder.h>
#include <rte_common.h>
#include <rte_prefetch.h>

#include "limit/gcra.h"
#include "limit/prefix_limit.h"
#include "tcp/flow_key.h"

/* Tells IPv4 networks from IPv6 ones: 0:1::/32 is nobody's (RFC 4291 2.4). */
#define IPV4_MARK (UINT64_C(1) << 32)

struct set {
	uint64_t network[PREFIX_LIMIT_WAYS];
	uint64_t full_at[PREFIX_LIMIT_WAYS];
} __rte_aligned(64);

_Static_assert(sizeof(struct set) == 64, "a set is one cache line");

struct prefix_limit {
	struct siphash_key key;
	uint64_t cost;
	uint64_t mask; /* Sets minus one. */
	struct set set[];
} __rte_aligned(64);

static uint64_t
sets_for(uint32_t networks)
{
	return rte_align64pow2(RTE_MAX(networks / PREFIX_LIMIT_WAYS, 1u));
}

size_t
prefix_limit_footprint(uint32_t networks)
{
	return sizeof(struct prefix_limit) + sets_for(networks) * sizeof(struct set);
}

struct prefix_limit *
prefix_limit_init(void *memory, uint32_t networks, uint32_t rate_per_second,
		const struct siphash_key *key)
{
	struct prefix_limit *limit = memory;

	memset(memory, 0, prefix_limit_footprint(networks));
	limit->key = *key;
	limit->cost = gcra_cost(rate_per_second);
	limit->mask = sets_for(networks) - 1;
	return limit;
}

/* The number of a network: an IPv6 address's first half, or IPv4's first three bytes, marked. */
static uint64_t
network_of(const uint8_t address[16])
{
	uint64_t half;
	uint32_t ipv4;

	if (!flow_key_is_ipv4(address)) {
		memcpy(&half, address, sizeof(half));
		return rte_be_to_cpu_64(half);
	}
	memcpy(&ipv4, address + 12, sizeof(ipv4));
	return IPV4_MARK | rte_be_to_cpu_32(ipv4) >> 8;
}

static inline struct set *
set_of(struct prefix_limit *limit, uint64_t network)
{
	return &limit->set[siphash_13(&limit->key, &network, sizeof(network)) & limit->mask];
}

static inline bool
set_take(struct set *set, uint64_t network, uint64_t now, uint64_t cost)
{
	unsigned int fullest = 0;

	for (unsigned int way = 0; way < PREFIX_LIMIT_WAYS; way++) {
		if (set->network[way] == network)
			return gcra_take(&set->full_at[way], now, cost);
		if (set->full_at[way] < set->full_at[fullest])
			fullest = way;
	}
	if (!gcra_take(&set->full_at[fullest], now, cost))
		return false;
	set->network[fullest] = network;
	return true;
}

bool
prefix_limit_take(struct prefix_limit *limit, const uint8_t address[16], uint64_t now_us)
{
	const uint64_t network = network_of(address);

	return set_take(set_of(limit, network), network, gcra_time(now_us), limit->cost);
}

uint64_t
prefix_limit_take_bulk(struct prefix_limit *limit, const struct flow_key flows[], uint64_t which,
		uint64_t now_us)
{
	uint64_t network[PREFIX_LIMIT_BURST_MAX];
	struct set *set[PREFIX_LIMIT_BURST_MAX];
	uint64_t refused = 0;

	for (uint64_t left = which; left != 0; left &= left - 1) {
		const unsigned int i = (unsigned int)__builtin_ctzll(left);

		network[i] = network_of(flows[i].address);
		set[i] = set_of(limit, network[i]);
		rte_prefetch0(set[i]);
	}
	for (uint64_t left = which; left != 0; left &= left - 1) {
		const unsigned int i = (unsigned int)__builtin_ctzll(left);

		if (!set_take(set[i], network[i], gcra_time(now_us), limit->cost))
			refused |= UINT64_C(1) << i;
	}
	return refused;
}
