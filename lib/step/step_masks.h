/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef STEP_MASKS_H
#define STEP_MASKS_H

/**
 * @file
 * Of the packets of a burst, those of a kind, a bit for each: asked of all at once.
 *
 * Stages that are only for some packets begin with such a mask; made packet by packet it costs more
 * than many of them do.
 */

#include <stdbool.h>
#include <stdint.h>

/** Packets at once. */
#define STEP_MASKS_MAX 64

/**
 * Where a pointer is not NULL.
 *
 * @param pointers
 *   STEP_MASKS_MAX of them, to whatever.
 * @param columns
 *   Whether this CPU has AVX-512: columns_available().
 */
uint64_t step_masks_there(const void *pointers, bool columns);

/** Where a byte has a value. */
uint64_t step_masks_equal(const uint8_t bytes[STEP_MASKS_MAX], uint8_t value, bool columns);

/** Where a pointer is the same as the one behind it; never the last. */
uint64_t step_masks_same_as_next(const void *pointers, bool columns);

#endif /* STEP_MASKS_H */
