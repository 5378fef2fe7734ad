/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef COUNTERS_H
#define COUNTERS_H

/**
 * @file
 * What happened, as numbers: one block of counters per worker and port.
 *
 * The owner adds with plain stores of whole words; anybody may read at any time and sum over
 * blocks.  Nothing is ever reset, readers subtract.
 */

#include <stdint.h>

#include <rte_common.h>

/** Index of every counter; the drop reasons follow the counters. */
enum counter {
#define COUNTER(name, help) COUNTER_##name,
#define DROP(name, help)
#include "observe/counters.def"
#undef COUNTER
#undef DROP
	COUNTERS_BEFORE_DROPS,
	COUNTERS_LAST_BEFORE_DROPS = COUNTERS_BEFORE_DROPS - 1,
#define COUNTER(name, help)
#define DROP(name, help) DROP_##name,
#include "observe/counters.def"
#undef COUNTER
#undef DROP
	COUNTERS,
	DROP_NONE = 0, /**< Not dropped.  (Counter 0 is rx, which no packet is dropped for.) */
};

struct counters {
	uint64_t value[COUNTERS];
} __rte_cache_aligned;

/** The name of a counter; drop reasons are prefixed with "drop_". */
const char *counters_name(enum counter counter);

/** One line of help. */
const char *counters_help(enum counter counter);

/** Add every value of @p block to @p sum; reads each word once. */
void counters_add(struct counters *sum, const struct counters *block);

/** Sum of all drop reasons. */
uint64_t counters_drops(const struct counters *counters);

/**
 * Count @p n more.  Owner only; a relaxed store, so that a reader in another thread sees whole
 * values.
 */
static inline void
counters_bump(struct counters *counters, enum counter counter, uint64_t n)
{
	__atomic_store_n(&counters->value[counter], counters->value[counter] + n, __ATOMIC_RELAXED);
}

#endif /* COUNTERS_H */
