/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef APPS_EXPLAIN_H
#define APPS_EXPLAIN_H

/**
 * @file
 * Between the parts of `handfast explain`: explain.c reads the file, the others write.
 */

#include <stdint.h>
#include <stdio.h>

#include "explain/explain.h"

/** What the file said about itself, and how its reading ended. */
struct explain_file {
	const char *path;
	const char *link;    /**< Link layer. */
	const char *problem; /**< Why its end could not be read; NULL if it could. */
};

/** Nanoseconds between two instants as seconds; negative when one of them never was. */
static inline double
explain_seconds(int64_t from, int64_t to)
{
	return from != EXPLAIN_NEVER && to != EXPLAIN_NEVER ? (double)(to - from) / 1e9 : -1;
}

/** Every wanted connection as a ladder. */
void explain_print_ladders(const struct explain *explain, FILE *out);

/** A line for each wanted connection, and what the file held. */
void explain_print_summary(
		const struct explain *explain, const struct explain_file *file, FILE *out);

/** One JSON object, a line for each connection in it. */
void explain_print_json(const struct explain *explain, const struct explain_file *file, FILE *out);

#endif /* APPS_EXPLAIN_H */
