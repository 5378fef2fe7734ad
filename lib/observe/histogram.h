/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef HISTOGRAM_H
#define HISTOGRAM_H

/**
 * @file
 * A log-linear histogram: 32 linear sub-buckets in each power of two, at most 3.2 % error over the
 * whole range of 64 bits, no allocation, merged by addition.
 *
 * One writer; readers in other threads see whole words.
 */

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 5
#define HISTOGRAM_BUCKETS  ((64 - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)

struct histogram {
	uint64_t count[HISTOGRAM_BUCKETS];
	uint64_t max; /**< The largest value seen, exactly. */
};

/** Record @p n occurrences of @p value. */
void histogram_record(struct histogram *histogram, uint64_t value, uint64_t n);

/** Record @p n values. */
void histogram_record_each(struct histogram *histogram, const uint32_t values[], unsigned int n);

/** Add every count of @p from to @p sum. */
void histogram_add(struct histogram *sum, const struct histogram *from);

/** How many values were recorded. */
uint64_t histogram_total(const struct histogram *histogram);

/**
 * The smallest recorded value (bucket's upper edge, never above max) at or below which the share
 * @p percentile of all values lies; 0 when empty.
 *
 * @param percentile
 *   In per cent, 0 to 100, for example 99.9.
 */
uint64_t histogram_percentile(const struct histogram *histogram, double percentile);

#endif /* HISTOGRAM_H */
