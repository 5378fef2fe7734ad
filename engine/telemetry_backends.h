/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TELEMETRY_BACKENDS_H
#define TELEMETRY_BACKENDS_H

/**
 * @file
 * The telemetry command for backends: where, how well, how many connections, how fast.
 */

struct engine;
struct rte_tel_data;

/** How many backends all pools have together. */
unsigned int telemetry_backends_count(const struct engine *engine);

/** Parameter: first row; a row has the keys of the README's `stats --json`. */
int telemetry_backends(struct engine *engine, const char *parameters, struct rte_tel_data *data);

#endif /* TELEMETRY_BACKENDS_H */
