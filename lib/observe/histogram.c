/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * A log-linear histogram.
 *
 * Values below 2^SUB_BITS have a bucket each.  Above, a power of two is cut into 2^SUB_BITS equal
 * buckets, so a bucket is at most 1/32 of the values in it wide: that is the error bound.
 */

#include "histogram.h"

#define SUB_BUCKETS (1u << HISTOGRAM_SUB_BITS)

_Static_assert(1000 / SUB_BUCKETS < 32, "the 3.2 % that histogram.h promises");

static unsigned int
bucket_of(uint64_t value)
{
	unsigned int shift;

	if (value < SUB_BUCKETS)
		return (unsigned int)value;
	shift = 63 - (unsigned int)__builtin_clzll(value) - HISTOGRAM_SUB_BITS;
	return (shift << HISTOGRAM_SUB_BITS) + (unsigned int)(value >> shift);
}

/* The largest value that belongs to the bucket. */
static uint64_t
bucket_edge(unsigned int bucket)
{
	unsigned int shift;

	if (bucket < SUB_BUCKETS)
		return bucket;
	shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
	/* The last bucket's next edge is 2^64, which wraps to 0: minus one is right again. */
	return ((uint64_t)(SUB_BUCKETS + bucket % SUB_BUCKETS + 1) << shift) - 1;
}

void
histogram_record(struct histogram *histogram, uint64_t value, uint64_t n)
{
	uint64_t *count = &histogram->count[bucket_of(value)];

	if (n == 0)
		return;
	/* The maximum first: a reader who sees the count then finds a maximum that covers it. */
	if (value > histogram->max)
		__atomic_store_n(&histogram->max, value, __ATOMIC_RELAXED);
	__atomic_store_n(count, *count + n, __ATOMIC_RELEASE);
}

void
histogram_record_each(struct histogram *histogram, const uint32_t values[], unsigned int n)
{
	uint32_t max = 0;

	for (unsigned int i = 0; i < n; i++) {
		if (values[i] > max)
			max = values[i];
	}
	if (max > histogram->max)
		__atomic_store_n(&histogram->max, max, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < n; i++) {
		uint64_t *count = &histogram->count[bucket_of(values[i])];

		__atomic_store_n(count, *count + 1, __ATOMIC_RELEASE);
	}
}

void
histogram_add(struct histogram *sum, const struct histogram *from)
{
	uint64_t max;

	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++)
		sum->count[i] += __atomic_load_n(&from->count[i], __ATOMIC_ACQUIRE);
	max = __atomic_load_n(&from->max, __ATOMIC_RELAXED);
	if (max > sum->max)
		sum->max = max;
}

uint64_t
histogram_total(const struct histogram *histogram)
{
	uint64_t total = 0;

	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++)
		total += __atomic_load_n(&histogram->count[i], __ATOMIC_ACQUIRE);
	return total;
}

/* How many of the smallest values make up the share: at least one, at most all. */
static uint64_t
rank_of(double percentile, uint64_t total)
{
	double exact = percentile * (double)total / 100.0;
	uint64_t rank;

	if (!(exact > 1.0))
		return 1;
	if (exact >= (double)total)
		return total;
	rank = (uint64_t)exact;
	return (double)rank < exact ? rank + 1 : rank;
}

uint64_t
histogram_percentile(const struct histogram *histogram, double percentile)
{
	uint64_t total = histogram_total(histogram);
	uint64_t max = __atomic_load_n(&histogram->max, __ATOMIC_RELAXED);
	uint64_t seen = 0, rank, edge;

	if (total == 0)
		return 0;
	rank = rank_of(percentile, total);
	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += __atomic_load_n(&histogram->count[i], __ATOMIC_ACQUIRE);
		if (seen >= rank) {
			edge = bucket_edge(i);
			return edge < max ? edge : max;
		}
	}
	return max;
}
