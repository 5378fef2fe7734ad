/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef PREFIX_SET_H
#define PREFIX_SET_H

/**
 * @file
 * Who is denied: prefixes to deny and to allow, made into ranges of addresses, read only.
 *
 * The longest prefix that holds an address decides; of two equal ones the one to allow.  All that
 * is asked is yes or no, so prefixes within prefixes are worked out once, by control: what is left
 * are the addresses at which the answer changes, in order, and nothing else, not even the answers.
 * An address's first 16 bits say between which of them to search.
 *
 * A million IPv4 prefixes take 8 MiB at most, as many of IPv6 32 MiB, whatever they are; reading
 * and making them takes less than half a second, judging an address 9 ns, or 140 ns among a million
 * IPv6 networks.
 * DPDK 22.11's rte_fib answers with a route, and pays for it: 569 MiB and 2.6 s for the same
 * million; rte_fib6 2.5 GiB and 10 s for a million prefixes of 40 to 64 bits, of which 400 000 did
 * not fit (its tables are a byte of address each).  It would have to be in the engine's reserved
 * memory, twice while a list is read again.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "limit/prefix_list.h"
#include "tcp/flow_key.h"

#define PREFIX_SET_BURST_MAX 64 /**< One bit of a mask per packet. */

struct prefix_set;

/**
 * Make the ranges.
 *
 * @param list
 *   Is sorted; may be freed afterwards.
 * @param deny_others
 *   What happens to who is in no prefix.
 * @return
 *   To be freed with prefix_set_free(); NULL without memory.
 */
struct prefix_set *prefix_set_create(struct prefix_list *list, bool deny_others);

void prefix_set_free(struct prefix_set *set);

/** Whether an IPv4-mapped or IPv6 address is denied. */
bool prefix_set_denies(const struct prefix_set *set, const uint8_t address[16]);

/** The same for those flows whose bit is set in @p which. @return the bits of the denied */
uint64_t prefix_set_denied_bulk(
		const struct prefix_set *set, const struct flow_key flows[], uint64_t which);

/** Whether both answer alike for every address. */
bool prefix_set_equal(const struct prefix_set *a, const struct prefix_set *b);

/** How many addresses there are at which the answer changes. */
size_t prefix_set_ranges(const struct prefix_set *set);

/** Bytes of memory it takes. */
size_t prefix_set_size(const struct prefix_set *set);

#endif /* PREFIX_SET_H */
