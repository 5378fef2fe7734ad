/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TELEMETRY_PROBE_H
#define TELEMETRY_PROBE_H

/**
 * @file
 * The telemetry commands that do something: open a connection, end one.
 *
 * What goes wrong is an answer, too: {"result": ..., "reason": ...}.
 */

#include <stddef.h>

struct engine;
struct mailbox_record;
struct rte_tel_data;

/** ADDRESS,PORT,fin|rst,TIMEOUT_MS */
int telemetry_probe(struct engine *engine, const char *parameters, struct rte_tel_data *data);

/** close|shutdown|reset,SERVICE,REMOTE_ADDRESS,REMOTE_PORT; SERVICE as telemetry_conn_name() wrote
 * it, or "*". */
int telemetry_conn_act(struct engine *engine, const char *parameters, struct rte_tel_data *data);

/** Write SERVICE, REMOTE_ADDRESS and REMOTE_PORT of a connection, separated by blanks. */
void telemetry_conn_name(struct engine *engine, const struct mailbox_record *record, char *text,
		size_t size);

#endif /* TELEMETRY_PROBE_H */
