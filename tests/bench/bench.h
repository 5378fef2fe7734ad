/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef BENCH_H
#define BENCH_H

/**
 * @file
 * Measuring small functions next to each other.
 *
 * A benchmark is a list of cases that are run in turn, over and over: case 1, case 2, ..., case 1
 * again, so that a machine that gets slower or busier for a while does so for all of them.  What is
 * printed is the median of the repetitions, with quartiles to tell how much to believe it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bench {
	bool quick;               /**< Only show that it runs: smallest sizes, few repetitions. */
	unsigned int repetitions; /**< Of every case. */
};

struct bench_case {
	const char *name;
	void *context;
	/** Do something that is timed as a whole; returns how many operations it was. */
	uint64_t (*run)(void *context);
	/** Called before each repetition, not timed; or NULL. */
	void (*prepare)(void *context);
};

/**
 * Read `--quick` from the command line, start the EAL without devices on the CPU we are on, and
 * print the environment line.
 *
 * @param memory_mb
 *   How much the EAL is to hold in a full run; a quick one has 256 MiB.  Huge pages are used when
 *   enough of them are free; otherwise all contestants alike live in ordinary pages.
 */
struct bench bench_start(int argc, char *argv[], unsigned int memory_mb);

/** Measure the cases and print them as a table under @p title; ratios are to the first case. */
void bench_run(const struct bench *bench, const char *title, const struct bench_case cases[],
		unsigned int n);

/** Memory from the EAL's heap, cache line aligned and zero; exits when there is none. */
void *bench_alloc(size_t size);

/** Give it back. */
void bench_free(void *memory);

/** Fill with reproducible noise. */
void bench_random(void *data, size_t size);

/** Make the compiler believe that a value is used. */
static inline void
bench_keep(uint64_t value)
{
	__asm__ volatile("" : : "r"(value) : "memory");
}

/** Return from main(). */
int bench_stop(void);

#endif /* BENCH_H */
