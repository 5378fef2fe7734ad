/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef OPTIONS_H
#define OPTIONS_H

/**
 * @file
 * The command line of handfast-load: a plan for the workers, settings for the engine, and what is
 * to be told.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/load.h"

extern const char options_help[];

struct options {
	struct load_plan plan;
	struct settings *settings;
	uint32_t resolve_ms;
	bool json;           /**< Lines on standard output; the text then goes to standard error. */
	bool quiet;          /**< No line per second. */
	const char *csv;     /**< File, or NULL. */
	double min_rate;     /**< Completed per second; 0: no threshold. */
	uint64_t max_p99_us; /**< Of connect; 0: no threshold. */
	bool has_max_failures;
	bool max_failures_is_share; /**< Of the connections begun. */
	double max_failures;
	uint8_t *request; /**< plan.request, to be freed. */
};

/** Names of exchanges, in the order of enum load_exchange. */
extern const char *const options_exchanges[];

/**
 * Segments of one connection in both directions when nothing is lost and the peer rides its FIN on
 * its answer; for stateless exchanges those we send.
 */
unsigned int options_packets(const struct load_plan *plan);

/** Read the command line. @return an exit code; the reason was written to standard error. */
int options_parse(int argc, char **argv, struct options *options);

void options_free(struct options *options);

#endif /* OPTIONS_H */
