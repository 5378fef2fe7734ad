/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TELEMETRY_RELOAD_H
#define TELEMETRY_RELOAD_H

/**
 * @file
 * The telemetry commands that change the engine's settings: reload and drain.
 *
 * The control thread does the work; the answer is {"result": WORD, "report": [...], "serial": N,
 * "next": OFFSET}.  A report that does not fit one answer goes on in reload_report.
 */

struct engine;
struct rte_tel_data;

/** run | dry */
int telemetry_reload(struct engine *engine, const char *parameters, struct rte_tel_data *data);

/** SERIAL,OFFSET of an answer */
int telemetry_reload_report(
		struct engine *engine, const char *parameters, struct rte_tel_data *data);

/** on|off,SERVICE or on|off,POOL/ADDRESS:PORT; * is all services. */
int telemetry_drain(struct engine *engine, const char *parameters, struct rte_tel_data *data);

#endif /* TELEMETRY_RELOAD_H */
