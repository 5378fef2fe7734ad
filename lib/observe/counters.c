/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The names and help texts of the counters, and sums over blocks.
 *
 * Everything about one counter stands in its line of counters.def; the tables here are expanded
 * from it in the enum's order, so they cannot disagree with it.
 */

#include "counters.h"

static const char *const names[COUNTERS] = {
#define COUNTER(name, help) [COUNTER_##name] = #name,
#define DROP(name, help)    [DROP_##name] = "drop_" #name,
#include "observe/counters.def"
#undef COUNTER
#undef DROP
};

static const char *const helps[COUNTERS] = {
#define COUNTER(name, help) [COUNTER_##name] = help,
#define DROP(name, help)    [DROP_##name] = help,
#include "observe/counters.def"
#undef COUNTER
#undef DROP
};

_Static_assert(COUNTER_rx == DROP_NONE, "DROP_NONE borrows the one index no packet is dropped for");

const char *
counters_name(enum counter counter)
{
	return names[counter];
}

const char *
counters_help(enum counter counter)
{
	return helps[counter];
}

void
counters_add(struct counters *sum, const struct counters *block)
{
	for (unsigned int i = 0; i < COUNTERS; i++)
		sum->value[i] += __atomic_load_n(&block->value[i], __ATOMIC_RELAXED);
}

uint64_t
counters_drops(const struct counters *counters)
{
	uint64_t sum = 0;

	for (unsigned int i = COUNTERS_BEFORE_DROPS; i < COUNTERS; i++)
		sum += __atomic_load_n(&counters->value[i], __ATOMIC_RELAXED);
	return sum;
}
