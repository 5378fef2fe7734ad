/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef REPORT_JSON_H
#define REPORT_JSON_H

/**
 * @file
 * The JSON lines of a run; README.md has their schema, which only grows.
 */

#include "report.h"

#define REPORT_JSON_SCHEMA 1

/** About a second. */
struct report_second {
	const struct report_sample *sample; /**< At its end. */
	const struct figures *figures;      /**< Of it. */
	double seconds;
	double rate;
	double busy; /**< 0 to 1, of all workers. */
};

/** About the run. */
struct report_whole {
	double seconds; /**< Of the measured part. */
	uint64_t done;  /**< In it. */
	double rate;
	double goodput; /**< Payload bytes per second. */
	double busy;
	double packets; /**< Per connection, both directions, of the whole run. */
	double reuse_seconds;
	uint64_t unfinished;
	bool cut_short; /**< A signal came before the plan's end. */
};

const char *report_phase_name(enum load_phase phase);

/** How often the exchange was done: completed, opened for idle, sent for stateless ones. */
uint64_t report_done(enum load_exchange exchange, const struct figures *figures);

void report_json_start(struct report *report);
void report_json_second(struct report *report, const struct report_second *second);
void report_json_end(struct report *report, const struct report_whole *whole);

#endif /* REPORT_JSON_H */
