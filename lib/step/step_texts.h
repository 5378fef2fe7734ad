/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef STEP_TEXTS_H
#define STEP_TEXTS_H

/**
 * @file
 * Many texts that are one: whether they are, and making them.
 *
 * For CPUs with AVX-512 (columns_available()) only.
 */

#include <stddef.h>
#include <stdint.h>

#include "wire/columns.h"

/**
 * Whether texts are the same as one.
 *
 * @param texts
 *   Of at least @p length bytes each, where a lane is asked for.
 * @param lanes
 *   A bit for each that is asked for.
 * @return those that are.
 */
uint16_t step_texts_are(const uint8_t *const texts[COLUMNS], uint16_t lanes, const uint8_t *text,
		size_t length);

/** Write a text to @p n places. */
void step_texts_write(
		uint8_t *const to[COLUMNS], unsigned int n, const uint8_t *text, size_t length);

#endif /* STEP_TEXTS_H */
