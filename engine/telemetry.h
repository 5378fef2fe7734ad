/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TELEMETRY_H
#define TELEMETRY_H

/**
 * @file
 * The engine's figures over DPDK's telemetry socket, under /handfast/.
 *
 * `handfast stats`, `top` and `conns` are clients of it, and so is dpdk-telemetry.py.  Commands run
 * in DPDK's telemetry threads, several at a time: they read counters, ask workers through their
 * mailboxes, and touch nothing else.
 */

#include <stdio.h>

struct engine;

/** Register the commands for a running engine. */
void telemetry_init(struct engine *engine);

/** The engine is going away: commands answer nothing from now on. */
void telemetry_stop(void);

/** Write the main figures as text, one `name value` per line; for SIGUSR1. */
void telemetry_dump(const struct engine *engine, FILE *out);

/** Connections of all services and workers now, those in TIME_WAIT left out. */
unsigned int telemetry_connections(const struct engine *engine);

#endif /* TELEMETRY_H */
