/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef FIGURES_H
#define FIGURES_H

/**
 * @file
 * What the generator counts and times, for one worker or for all, and in which words it is told.
 *
 * One writer; readers in other threads see whole words.
 */

#include <stdint.h>

#include "observe/histogram.h"

enum figure {
#define FIGURE(name, help) FIGURE_##name,
#include "load/figures.def"
	FIGURES,
};

enum failure {
#define FAILURE(name, help) FAILURE_##name,
#include "load/figures.def"
	FAILURES,
};

struct figures {
	uint64_t count[FIGURES];
	uint64_t failed[FAILURES];
	struct histogram connect_us;    /**< From the intended start to ESTABLISHED. */
	struct histogram first_byte_us; /**< From when a request could be sent to its answer. */
	struct histogram close_us;      /**< From our FIN to the end. */
};

static inline void
figures_count(struct figures *figures, enum figure figure, uint64_t n)
{
	__atomic_store_n(&figures->count[figure], figures->count[figure] + n, __ATOMIC_RELAXED);
}

static inline void
figures_fail(struct figures *figures, enum failure failure)
{
	__atomic_store_n(&figures->failed[failure], figures->failed[failure] + 1, __ATOMIC_RELAXED);
}

/** Add all of @p from to @p sum. */
void figures_add(struct figures *sum, const struct figures *from);

/** Failures of every class. */
uint64_t figures_failed(const struct figures *figures);

/** Failures of connections that never opened: no latency of theirs is known. */
uint64_t figures_never_opened(const struct figures *figures);

/**
 * Connections of a whole run that did not open, and are none of figures_never_opened(): their SYN
 * had no answer yet when the run ended.
 */
uint64_t figures_unopened(const struct figures *whole);

/** As in figures.def. */
const char *figures_name(enum figure figure);
const char *figures_failure_name(enum failure failure);
const char *figures_failure_help(enum failure failure);

#endif /* FIGURES_H */
