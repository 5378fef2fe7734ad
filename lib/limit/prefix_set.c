/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Ranges from prefixes, and the search in them.
 *
 * A family's ranges begin at the addresses in `start`, of which the first is 0; the answer is
 * another one in each, so a range's number says it.  `index[b]` is how many ranges begin before the
 * addresses whose first 16 bits are b.
 */

#include <stdlib.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_common.h>

#include "limit/prefix_set.h"

#define INDEX_BITS 16
#define INDEX_SIZE ((1u << INDEX_BITS) + 1)

/* Prefixes that hold one another: one of each length at most. */
#define DEPTH_MAX 129

__extension__ typedef unsigned __int128 wide;

/* An IPv6 address. */
struct address6 {
	uint64_t high;
	uint64_t low;
};

struct prefix_set {
	bool first4; /* Whether the first range is denied. */
	bool first6;
	uint32_t count4;
	uint32_t count6;
	uint32_t index4[INDEX_SIZE];
	uint32_t index6[INDEX_SIZE];
	uint32_t *start4;
	struct address6 *start6;
};

/* The ranges of one family while they are made. */
struct ranges {
	uint32_t count;
	wide *start;
	bool *denied;
};

/* A prefix that holds the place where the making has come to. */
struct outer {
	wide last;
	bool denied;
};

static wide
wide_of(const uint8_t address[16])
{
	uint64_t high, low;

	memcpy(&high, address, sizeof(high));
	memcpy(&low, address + sizeof(high), sizeof(low));
	return (wide)rte_be_to_cpu_64(high) << 64 | rte_be_to_cpu_64(low);
}

/* By address; those that hold others first; of two equal ones the one that decides last. */
static int
compare(const void *left, const void *right)
{
	const struct prefix *a = left, *b = right;
	const int order = memcmp(a->address, b->address, sizeof(a->address));

	if (order != 0)
		return order;
	return a->length != b->length ? a->length - b->length : a->allow - b->allow;
}

/* From @p start on the answer is this. */
static void
ranges_add(struct ranges *ranges, wide start, bool denied)
{
	if (ranges->count > 0 && ranges->start[ranges->count - 1] == start)
		ranges->count--;
	if (ranges->count > 0 && ranges->denied[ranges->count - 1] == denied)
		return;
	ranges->start[ranges->count] = start;
	ranges->denied[ranges->count++] = denied;
}

/* Make the ranges of one family out of sorted prefixes, of addresses up to @p highest. */
static void
ranges_make(struct ranges *ranges, const struct prefix *prefixes, size_t count, wide highest,
		bool deny_others)
{
	struct outer outer[DEPTH_MAX + 1] = {{highest, deny_others}};
	unsigned int depth = 0;

	ranges_add(ranges, 0, deny_others);
	for (size_t i = 0; i < count; i++) {
		const struct prefix *prefix = &prefixes[i];
		const wide first = wide_of(prefix->address) & highest;
		const wide last = first | (prefix->length == 128 ? 0 : ~(wide)0 >> prefix->length);

		/* Equal ones differ in what they say at most; the last one has the word. */
		if (i + 1 < count && prefixes[i + 1].length == prefix->length &&
				memcmp(prefixes[i + 1].address, prefix->address, 16) == 0)
			continue;
		while (outer[depth].last < first) {
			const wide end = outer[depth--].last;

			ranges_add(ranges, end + 1, outer[depth].denied);
		}
		outer[++depth] = (struct outer){last, !prefix->allow};
		ranges_add(ranges, first, !prefix->allow);
	}
	while (depth > 0) {
		const wide end = outer[depth--].last;

		if (end != highest)
			ranges_add(ranges, end + 1, outer[depth].denied);
	}
}

/* Count the ranges that begin in each part of the addresses, then those before it. */
static void
index_make(uint32_t index[INDEX_SIZE], const struct ranges *ranges, unsigned int shift)
{
	memset(index, 0, INDEX_SIZE * sizeof(*index));
	for (uint32_t i = 0; i < ranges->count; i++)
		index[(uint32_t)(ranges->start[i] >> shift) + 1]++;
	for (uint32_t b = 1; b < INDEX_SIZE; b++)
		index[b] += index[b - 1];
}

static bool
set_keep4(struct prefix_set *set, const struct ranges *ranges)
{
	set->start4 = calloc(ranges->count, sizeof(*set->start4));
	if (set->start4 == NULL)
		return false;
	for (uint32_t i = 0; i < ranges->count; i++)
		set->start4[i] = (uint32_t)ranges->start[i];
	set->count4 = ranges->count;
	set->first4 = ranges->denied[0];
	index_make(set->index4, ranges, 32 - INDEX_BITS);
	return true;
}

static bool
set_keep6(struct prefix_set *set, const struct ranges *ranges)
{
	set->start6 = calloc(ranges->count, sizeof(*set->start6));
	if (set->start6 == NULL)
		return false;
	for (uint32_t i = 0; i < ranges->count; i++)
		set->start6[i] = (struct address6){
				(uint64_t)(ranges->start[i] >> 64), (uint64_t)ranges->start[i]};
	set->count6 = ranges->count;
	set->first6 = ranges->denied[0];
	index_make(set->index6, ranges, 128 - INDEX_BITS);
	return true;
}

/* IPv4-mapped addresses stand together in the order; where they begin, or @p count. */
static size_t
ipv4_begin(const struct prefix *prefixes, size_t count)
{
	size_t i = 0;

	while (i < count && !flow_key_is_ipv4(prefixes[i].address))
		i++;
	return i;
}

static size_t
ipv4_count(const struct prefix *prefixes, size_t count)
{
	size_t i = 0;

	while (i < count && flow_key_is_ipv4(prefixes[i].address))
		i++;
	return i;
}

/* Move the IPv4 prefixes behind the others, which stay in order. */
static size_t
split_families(struct prefix *prefixes, size_t count)
{
	const size_t begin = ipv4_begin(prefixes, count);
	const size_t n = ipv4_count(prefixes + begin, count - begin);
	struct prefix *ipv4 = malloc(RTE_MAX(n, (size_t)1) * sizeof(*ipv4));

	if (ipv4 == NULL)
		return SIZE_MAX;
	memcpy(ipv4, prefixes + begin, n * sizeof(*ipv4));
	memmove(prefixes + begin, prefixes + begin + n, (count - begin - n) * sizeof(*prefixes));
	memcpy(prefixes + count - n, ipv4, n * sizeof(*ipv4));
	free(ipv4);
	return n;
}

struct prefix_set *
prefix_set_create(struct prefix_list *list, bool deny_others)
{
	struct prefix_set *set = calloc(1, sizeof(*set));
	struct ranges ranges = {
			.start = calloc(2 * list->count + 1, sizeof(*ranges.start)),
			.denied = calloc(2 * list->count + 1, sizeof(*ranges.denied)),
	};
	struct prefix none, *item = list->count > 0 ? list->item : &none;
	size_t n4 = SIZE_MAX;
	bool good = false;

	if (list->count > 1)
		qsort(item, list->count, sizeof(*item), compare);
	if (set != NULL && ranges.start != NULL && ranges.denied != NULL)
		n4 = split_families(item, list->count);
	if (n4 != SIZE_MAX) {
		ranges_make(&ranges, item, list->count - n4, ~(wide)0, deny_others);
		good = set_keep6(set, &ranges);
		ranges.count = 0;
		ranges_make(&ranges, item + list->count - n4, n4, UINT32_MAX, deny_others);
		good = good && set_keep4(set, &ranges);
	}
	free(ranges.start);
	free(ranges.denied);
	if (good)
		return set;
	prefix_set_free(set);
	return NULL;
}

void
prefix_set_free(struct prefix_set *set)
{
	if (set == NULL)
		return;
	free(set->start4);
	free(set->start6);
	free(set);
}

/* How many of @p count ascending numbers are not above @p address; no branch depends on them. */
static inline uint32_t
search4(const uint32_t *start, uint32_t count, uint32_t address)
{
	const uint32_t *base = start;

	while (count > 1) {
		const uint32_t half = count / 2;

		base += base[half - 1] <= address ? half : 0;
		count -= half;
	}
	return (uint32_t)(base - start) + (count == 1 && *base <= address);
}

/* 1 or 0, without a branch, which would be guessed wrong every second time. */
static inline uint64_t
not_above(const struct address6 *start, const struct address6 *address)
{
	const wide a = (wide)start->high << 64 | start->low;
	const wide b = (wide)address->high << 64 | address->low;

	return a <= b;
}

static inline bool
denies4(const struct prefix_set *set, uint32_t address)
{
	const uint32_t part = address >> (32 - INDEX_BITS);
	const uint32_t from = set->index4[part];
	const uint32_t number =
			from + search4(&set->start4[from], set->index4[part + 1] - from, address);

	return set->first4 ^ ((number - 1) & 1);
}

/* A search among IPv6 ranges under way. */
struct search6 {
	struct address6 address;
	const struct address6 *base;
	uint32_t count;
};

static inline void
search6_begin(const struct prefix_set *set, struct search6 *search, const uint8_t address[16])
{
	uint32_t part;

	memcpy(&search->address, address, sizeof(search->address));
	search->address.high = rte_be_to_cpu_64(search->address.high);
	search->address.low = rte_be_to_cpu_64(search->address.low);
	part = (uint32_t)(search->address.high >> (64 - INDEX_BITS));
	search->base = &set->start6[set->index6[part]];
	search->count = set->index6[part + 1] - set->index6[part];
}

/* @return whether it goes on */
static inline bool
search6_step(struct search6 *search)
{
	const uint32_t half = search->count / 2;

	if (search->count <= 1)
		return false;
	search->base += half & -not_above(&search->base[half - 1], &search->address);
	search->count -= half;
	return search->count > 1;
}

static inline bool
search6_denies(const struct prefix_set *set, const struct search6 *search)
{
	const uint32_t number = (uint32_t)(search->base - set->start6) +
				(search->count == 1 && not_above(search->base, &search->address));

	return set->first6 ^ ((number - 1) & 1);
}

bool
prefix_set_denies(const struct prefix_set *set, const uint8_t address[16])
{
	struct search6 search;
	uint32_t ipv4;

	if (flow_key_is_ipv4(address)) {
		memcpy(&ipv4, address + 12, sizeof(ipv4));
		return denies4(set, rte_be_to_cpu_32(ipv4));
	}
	search6_begin(set, &search, address);
	while (search6_step(&search))
		;
	return search6_denies(set, &search);
}

/* Step by step all together, so that they wait for memory together. */
static uint64_t
denied6_bulk(const struct prefix_set *set, const struct flow_key flows[], uint64_t which)
{
	struct search6 search[PREFIX_SET_BURST_MAX];
	uint64_t denied = 0, going = which;

	for (uint64_t left = which; left != 0; left &= left - 1) {
		const unsigned int i = (unsigned int)__builtin_ctzll(left);

		search6_begin(set, &search[i], flows[i].address);
	}
	while (going != 0) {
		uint64_t next = 0;

		for (uint64_t left = going; left != 0; left &= left - 1) {
			const unsigned int i = (unsigned int)__builtin_ctzll(left);

			next |= (uint64_t)search6_step(&search[i]) << i;
		}
		going = next;
	}
	for (uint64_t left = which; left != 0; left &= left - 1) {
		const unsigned int i = (unsigned int)__builtin_ctzll(left);

		denied |= (uint64_t)search6_denies(set, &search[i]) << i;
	}
	return denied;
}

uint64_t
prefix_set_denied_bulk(const struct prefix_set *set, const struct flow_key flows[], uint64_t which)
{
	uint64_t denied = 0, ipv6 = 0;

	for (uint64_t left = which; left != 0; left &= left - 1) {
		const unsigned int i = (unsigned int)__builtin_ctzll(left);

		if (flow_key_is_ipv4(flows[i].address))
			denied |= (uint64_t)prefix_set_denies(set, flows[i].address) << i;
		else
			ipv6 |= UINT64_C(1) << i;
	}
	return ipv6 == 0 ? denied : denied | denied6_bulk(set, flows, ipv6);
}

bool
prefix_set_equal(const struct prefix_set *a, const struct prefix_set *b)
{
	return a->first4 == b->first4 && a->first6 == b->first6 && a->count4 == b->count4 &&
	       a->count6 == b->count6 &&
	       memcmp(a->start4, b->start4, a->count4 * sizeof(*a->start4)) == 0 &&
	       memcmp(a->start6, b->start6, a->count6 * sizeof(*a->start6)) == 0;
}

size_t
prefix_set_ranges(const struct prefix_set *set)
{
	return (size_t)set->count4 + set->count6;
}

size_t
prefix_set_size(const struct prefix_set *set)
{
	return sizeof(*set) + set->count4 * sizeof(*set->start4) +
	       set->count6 * sizeof(*set->start6);
}
