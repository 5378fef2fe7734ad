/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include "load/tuple_walk.h"
#include "tcp/flow_key.h"

void
tuple_walk_init(struct tuple_walk *walk, uint16_t first, uint16_t last, uint32_t targets)
{
	memset(walk, 0, sizeof(*walk));
	walk->first_port = first;
	walk->port_count = (uint32_t)last - first + 1;
	walk->target_count = targets;
}

static bool
add_range(struct tuple_walk *walk, const uint8_t address[16], uint32_t first, uint64_t count)
{
	struct tuple_walk_range *range = &walk->range[walk->range_count];

	if (count == 0)
		return true;
	if (walk->range_count == TUPLE_WALK_RANGES_MAX)
		return false;
	memcpy(range->first, address, sizeof(range->first));
	tuple_walk_set_low_bits(range->first, first);
	range->count = count;
	walk->range_count++;
	walk->source_count += count;
	return true;
}

bool
tuple_walk_add(struct tuple_walk *walk, const uint8_t address[16], unsigned int length)
{
	const bool ipv4 = flow_key_is_ipv4(address);
	const unsigned int host_bits = (ipv4 ? 32 : 128) - length;
	const unsigned int bits = host_bits < 32 ? host_bits : 32;
	const uint64_t count = UINT64_C(1) << bits;
	const uint32_t first = tuple_walk_low_bits(address) & ~(uint32_t)(count - 1);

	if (host_bits == 0)
		return add_range(walk, address, first, 1);
	/* RFC 3021: of two addresses both are hosts. */
	if (ipv4 && host_bits >= 2)
		return add_range(walk, address, first + 1, count - 2);
	/* RFC 4291 2.6.1: the subnet's first is its routers'. */
	if (!ipv4 && host_bits >= 2)
		return add_range(walk, address, first + 1, count - 1);
	return add_range(walk, address, first, count);
}

/* The position of an address in a range, or one behind its end. */
static inline uint64_t
position(const struct tuple_walk_range *range, const uint8_t address[16])
{
	const uint32_t offset = tuple_walk_low_bits(address) - tuple_walk_low_bits(range->first);

	if (memcmp(address, range->first, 12) != 0 || offset >= range->count)
		return range->count;
	return offset;
}

bool
tuple_walk_exclude(struct tuple_walk *walk, const uint8_t address[16])
{
	for (unsigned int i = 0; i < walk->range_count; i++) {
		struct tuple_walk_range *range = &walk->range[i];
		const uint64_t at = position(range, address);
		const uint64_t behind = range->count - at - 1;

		if (at == range->count)
			continue;
		walk->source_count -= 1 + behind;
		range->count = at;
		if (!add_range(walk, address, tuple_walk_low_bits(address) + 1, behind))
			return false;
		if (at == 0) {
			*range = walk->range[--walk->range_count];
			i--;
		}
	}
	return true;
}

uint64_t
tuple_walk_count(const struct tuple_walk *walk)
{
	return walk->source_count * walk->port_count * walk->target_count;
}

void
tuple_walk_seek(struct tuple_walk *walk, uint64_t number)
{
	walk->left = tuple_walk_count(walk);
	walk->rounds = 0;
	walk->target = (uint32_t)(number % walk->target_count);
	number /= walk->target_count;
	walk->offset = number % walk->source_count;
	walk->port = (uint32_t)(number / walk->source_count);
	walk->at = 0;
	while (walk->offset >= walk->range[walk->at].count)
		walk->offset -= walk->range[walk->at++].count;
}

uint64_t
tuple_walk_number(const struct tuple_walk *walk, const struct tuple *tuple)
{
	const uint32_t port = (uint32_t)rte_be_to_cpu_16(tuple->port) - walk->first_port;
	const uint32_t target = tuple->target - walk->first_target;
	uint64_t before = 0;

	if (port >= walk->port_count || target >= walk->target_count)
		return TUPLE_WALK_NONE;
	for (unsigned int i = 0; i < walk->range_count; i++) {
		const uint64_t at = position(&walk->range[i], tuple->address);

		if (at < walk->range[i].count)
			return (port * walk->source_count + before + at) * walk->target_count +
			       target;
		before += walk->range[i].count;
	}
	return TUPLE_WALK_NONE;
}

bool
tuple_walk_has_source(const struct tuple_walk *walk, const uint8_t address[16])
{
	for (unsigned int i = 0; i < walk->range_count; i++) {
		if (position(&walk->range[i], address) < walk->range[i].count)
			return true;
	}
	return false;
}

bool
tuple_walk_overlaps(const struct tuple_walk *a, const struct tuple_walk *b)
{
	/* Of two ranges that overlap, one holds the other's first address. */
	for (unsigned int i = 0; i < a->range_count; i++) {
		if (tuple_walk_has_source(b, a->range[i].first))
			return true;
	}
	for (unsigned int i = 0; i < b->range_count; i++) {
		if (tuple_walk_has_source(a, b->range[i].first))
			return true;
	}
	return false;
}
