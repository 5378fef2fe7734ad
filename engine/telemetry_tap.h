/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TELEMETRY_TAP_H
#define TELEMETRY_TAP_H

/**
 * @file
 * The telemetry commands behind `handfast capture`.
 */

struct engine;
struct rte_tel_data;

/** Parameters: port's name or *, in|out|both, snap length. */
int telemetry_tap_start(struct engine *engine, const char *parameters, struct rte_tel_data *data);

/** No parameters. */
int telemetry_tap_stop(struct engine *engine, const char *parameters, struct rte_tel_data *data);

#endif /* TELEMETRY_TAP_H */
