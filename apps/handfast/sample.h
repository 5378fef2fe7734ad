/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef SAMPLE_H
#define SAMPLE_H

/**
 * @file
 * Everything a running engine tells, read at one moment.
 *
 * The engine's numbers only grow and are never reset, so a rate is the difference of two samples.
 * Kept as JSON values: `stats --json` passes on what a newer engine adds without being rebuilt.
 */

#include <stdint.h>

#include <jansson.h>

#include "telemetry_client.h"

struct sample {
	double seconds;       /**< When, on a clock that does not jump. */
	int64_t unix_seconds; /**< When, for people. */
	json_t *info;         /**< Of /handfast/info, an object. */
	json_t *counters;     /**< Summed over all ports, an object. */
	json_t *latency;      /**< Of handshakes, an object. */
	json_t *workers;      /**< An array of objects, as are the following. */
	json_t *ports;        /**< Each with its "counters". */
	json_t *services;
	json_t *backends;
};

/** Ask for everything. @return 0, or -1 after a failure was reported; sample_free() in any case. */
int sample_take(struct sample *sample, struct telemetry_client *client);

void sample_free(struct sample *sample);

/** A number of an object, 0 when it is not there. */
uint64_t sample_number(const json_t *object, const char *name);

/** A text of an object, "-" when it is not there. */
const char *sample_text(const json_t *object, const char *name);

/** Sum of a number over an array of objects. */
uint64_t sample_sum(const json_t *array, const char *name);

/**
 * Packets lost or refused for any reason.  Not those of drop_consumed: they had done their work.
 */
uint64_t sample_drops(const json_t *counters);

/** How much a number grew per second since the sample before; 0 if the engine began anew. */
double sample_rate(const struct sample *now, const struct sample *before, uint64_t number_now,
		uint64_t number_before);

#endif /* SAMPLE_H */
