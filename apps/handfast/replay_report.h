/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef REPLAY_REPORT_H
#define REPLAY_REPORT_H

/**
 * @file
 * What `handfast replay` prints at the end: what became of the packets, and the counters.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "replay_engine.h"

struct replay_report {
	const char *in;
	const struct replay_engine *engine;
	uint64_t seed;
	uint64_t played;
	uint64_t left_out;         /**< Of the captured server. */
	uint64_t cut;              /**< Not whole in the capture. */
	uint64_t too_long;         /**< For a buffer. */
	uint64_t ended;            /**< Connections, by what the capture has not (replay_end.h). */
	uint64_t backward;         /**< Older than the one before them. */
	unsigned int listen_short; /**< Places that SYNs went to and there was no room for. */
};

/** @return false when it cannot be written; errno says why. */
bool replay_report_print(const struct replay_report *report, bool json, FILE *out);

#endif /* REPLAY_REPORT_H */
