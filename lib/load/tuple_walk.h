/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TUPLE_WALK_H
#define TUPLE_WALK_H

/**
 * @file
 * Which local address and port the next connection comes from, and which target it goes to.
 *
 * A walk is three counters: over targets, source addresses and ports, the first turning fastest.
 * It visits every tuple once before any a second time, so the next tuple is always the one that
 * has been quiet for longest, and nothing is kept per tuple.  The place of a tuple in the walk can
 * be computed back from it.  Sources are any number of ranges; a step costs a few additions.
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <rte_byteorder.h>

#define TUPLE_WALK_RANGES_MAX 256
#define TUPLE_WALK_NONE       UINT64_MAX

/** Source addresses that follow each other; the low 32 bits do not wrap. */
struct tuple_walk_range {
	uint8_t first[16]; /**< IPv4-mapped. */
	uint64_t count;    /**< At most 2^32. */
};

struct tuple {
	uint8_t address[16]; /**< IPv4-mapped. */
	rte_be16_t port;
	uint16_t target;
};

struct tuple_walk {
	unsigned int range_count;
	struct tuple_walk_range range[TUPLE_WALK_RANGES_MAX];
	uint64_t source_count; /**< Of all ranges. */
	uint16_t first_port;
	uint32_t port_count;
	uint32_t first_target; /**< Number of the first target; 0 unless set after the init. */
	uint32_t target_count;

	uint32_t target; /**< What the next step gives. */
	unsigned int at; /**< Range, */
	uint64_t offset; /**< and address in it. */
	uint32_t port;   /**< From first_port on. */
	uint64_t rounds; /**< How often the walk came back to where it began. */
	uint64_t left;   /**< Steps to the end of the round. */
};

/** A walk without sources over the ports from @p first to @p last. */
void tuple_walk_init(struct tuple_walk *walk, uint16_t first, uint16_t last, uint32_t targets);

/**
 * Add the host addresses of a prefix; of IPv4 subnets not their first and last address. Prefixes
 * do not overlap: what is in two would be two sources.
 *
 * @param length
 *   0 to 32 for an IPv4-mapped address, else 0 to 128; of more than 2^32 addresses the first.
 * @return false when there are too many ranges.
 */
bool tuple_walk_add(struct tuple_walk *walk, const uint8_t address[16], unsigned int length);

/** Leave an address out; it may or may not be a source. @return false: too many ranges. */
bool tuple_walk_exclude(struct tuple_walk *walk, const uint8_t address[16]);

/** How many tuples there are, after all sources were added. */
uint64_t tuple_walk_count(const struct tuple_walk *walk);

/** Go to the tuple of a number below tuple_walk_count(); a round begins there. */
void tuple_walk_seek(struct tuple_walk *walk, uint64_t number);

static inline uint32_t
tuple_walk_low_bits(const uint8_t address[16])
{
	rte_be32_t low;

	memcpy(&low, address + 12, sizeof(low));
	return rte_be_to_cpu_32(low);
}

static inline void
tuple_walk_set_low_bits(uint8_t address[16], uint32_t bits)
{
	const rte_be32_t low = rte_cpu_to_be_32(bits);

	memcpy(address + 12, &low, sizeof(low));
}

/** Set the source to an address of a range. */
static inline void
tuple_walk_set_source(const struct tuple_walk_range *range, uint64_t offset, struct tuple *tuple)
{
	const uint32_t bits = tuple_walk_low_bits(range->first) + (uint32_t)offset;
	const uint64_t low = rte_cpu_to_be_32(bits);
	uint64_t word[2];

	/* As the words in which it is read: a load across two stores would wait for both. */
	memcpy(word, range->first, sizeof(word));
	word[1] = RTE_BYTE_ORDER == RTE_LITTLE_ENDIAN ? (uint32_t)word[1] | low << 32
						      : (word[1] >> 32) << 32 | low;
	memcpy(tuple->address, word, sizeof(word));
}

/** The next tuple. */
static inline void
tuple_walk_next(struct tuple_walk *walk, struct tuple *tuple)
{
	tuple_walk_set_source(&walk->range[walk->at], walk->offset, tuple);
	tuple->port = rte_cpu_to_be_16((uint16_t)(walk->first_port + walk->port));
	tuple->target = (uint16_t)(walk->first_target + walk->target);

	if (--walk->left == 0) {
		walk->left = tuple_walk_count(walk);
		walk->rounds++;
	}
	if (++walk->target < walk->target_count)
		return;
	walk->target = 0;
	if (++walk->offset < walk->range[walk->at].count)
		return;
	walk->offset = 0;
	if (++walk->at < walk->range_count)
		return;
	walk->at = 0;
	if (++walk->port == walk->port_count)
		walk->port = 0;
}

/** A number below @p limit from 32 random bits. */
static inline uint64_t
tuple_walk_below(uint32_t random, uint64_t limit)
{
	return (uint64_t)(((unsigned __int128)random * limit) >> 32);
}

/** Any tuple, by 64 random bits. */
static inline void
tuple_walk_random(const struct tuple_walk *walk, uint64_t random, struct tuple *tuple)
{
	uint64_t source = tuple_walk_below((uint32_t)random, walk->source_count);
	const uint32_t other = (uint32_t)(random >> 32);
	unsigned int at = 0;

	while (source >= walk->range[at].count)
		source -= walk->range[at++].count;
	tuple_walk_set_source(&walk->range[at], source, tuple);
	tuple->port = rte_cpu_to_be_16(
			(uint16_t)(walk->first_port + tuple_walk_below(other, walk->port_count)));
	tuple->target = (uint16_t)(walk->first_target +
				   tuple_walk_below(other * 0x9e3779b1u, walk->target_count));
}

/** The number of a tuple, or TUPLE_WALK_NONE when the walk does not have it. */
uint64_t tuple_walk_number(const struct tuple_walk *walk, const struct tuple *tuple);

/** Whether two walks have a source address in common. */
bool tuple_walk_overlaps(const struct tuple_walk *a, const struct tuple_walk *b);

/** Whether the walk has a source address. */
bool tuple_walk_has_source(const struct tuple_walk *walk, const uint8_t address[16]);

#endif /* TUPLE_WALK_H */
