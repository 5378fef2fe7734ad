/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TELEMETRY_KEY_H
#define TELEMETRY_KEY_H

/**
 * @file
 * The telemetry commands for the secrets of SYN cookies: what is in use, and read them again.
 *
 * Secrets are named by their public numbers (secret_id()); nothing else of them is ever said.
 */

struct engine;
struct rte_tel_data;

/** No parameters. */
int telemetry_key(struct engine *engine, const char *parameters, struct rte_tel_data *data);

/** No parameters; what goes wrong is {"result": "error", "reason": [...], "remedy": [...]}. */
int telemetry_key_rotate(struct engine *engine, const char *parameters, struct rte_tel_data *data);

#endif /* TELEMETRY_KEY_H */
