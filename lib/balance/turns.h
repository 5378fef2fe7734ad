/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TURNS_H
#define TURNS_H

/**
 * @file
 * Whose turn it is: any number of takers, each as often as its weight says, evenly spread.
 *
 * A taker of weight w has turns at the times (k + 1/2) / w; whoever's is next is the root of a
 * heap.  So a turn costs the logarithm of how many there are, nothing depends on the sum or the
 * largest of the weights, and when one leaves, the order among the others is what it was: Maglev's
 * tables live on that.  Ties go to the lower rank.
 *
 * One owner; pure computation, the same on every node.
 */

#include <stddef.h>
#include <stdint.h>

#define TURNS_WEIGHT_MAX 255
#define TURNS_NONE       UINT32_MAX

struct turns;

/** Bytes for @p n takers, a multiple of 8. */
size_t turns_footprint(uint32_t n);

/**
 * Lay turns out in @p memory, the caller's, aligned to 8 bytes.
 *
 * @param weights
 *   Not needed any more; 0 never has a turn.
 * @param first
 *   The taker of the lowest rank; the others follow in order, the last is followed by 0.
 */
struct turns *turns_init(void *memory, const uint8_t weights[], uint32_t n, uint32_t first);

/** How many ever have a turn. */
uint32_t turns_takers(const struct turns *turns);

/** Whose turn it is, and on to the next; TURNS_NONE when nobody ever has one. */
uint32_t turns_next(struct turns *turns);

#endif /* TURNS_H */
