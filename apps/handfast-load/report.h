/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef REPORT_H
#define REPORT_H

/**
 * @file
 * What is told of a run: text for people, JSON lines (README.md), CSV.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/load.h"

#include "options.h"

/** Everything up to a moment. */
struct report_sample {
	uint64_t us; /**< Since the beginning. */
	enum load_phase phase;
	uint32_t active;
	struct figures sum; /**< Of all phases. */
};

/** A threshold and what came of it. */
struct report_threshold {
	const char *name;
	double wanted;
	double got;
	bool met;
	bool nothing; /**< There was nothing to get. */
};

#define REPORT_THRESHOLDS_MAX 3

struct report {
	const struct options *options;
	const struct engine *engine;
	FILE *text;
	FILE *json; /**< NULL: none. */
	FILE *csv;  /**< NULL: none. */
	bool lost;  /**< Something could not be written, and that was said. */
	unsigned int threshold_count;
	struct report_threshold threshold[REPORT_THRESHOLDS_MAX];
	struct report_sample latest;
	struct report_sample now;
	struct figures phase[LOAD_PHASES]; /**< Of the latest sample, which the end tells, too. */
	struct figures between;            /**< Scratch of an interval: what is new in it. */
	struct figures whole;              /**< Scratch of report_end(): all phases, */
	struct figures timed;              /**< and all whose latencies count. */
};

/** @return an exit code; the reason was written to standard error. */
int report_open(struct report *report, const struct options *options, const struct engine *engine);

void report_start(struct report *report);

/** A second, or so, has passed. */
void report_second(struct report *report);

/** All is over: the part of a second since, for who adds intervals up; people get no line of it. */
void report_rest(struct report *report);

/** The end. @return EXIT_CODE_OK, or EXIT_CODE_THRESHOLD. */
int report_end(struct report *report);

/** Hand what was written to the kernel; the first error is said at once. */
void report_flush(struct report *report, FILE *file);

/** @return EXIT_CODE_OK, or EXIT_CODE_RUNTIME: something that was to be told is lost. */
int report_close(struct report *report);

#endif /* REPORT_H */
