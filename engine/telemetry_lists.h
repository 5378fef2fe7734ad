/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TELEMETRY_LISTS_H
#define TELEMETRY_LISTS_H

/**
 * @file
 * The telemetry commands for the lists of who is denied: what is in use, and read them again.
 */

struct engine;
struct rte_tel_data;

/** No parameters. */
int telemetry_lists(struct engine *engine, const char *parameters, struct rte_tel_data *data);

/** No parameters; what goes wrong is {"result": "error", "reason": [...]}. */
int telemetry_lists_reload(
		struct engine *engine, const char *parameters, struct rte_tel_data *data);

#endif /* TELEMETRY_LISTS_H */
