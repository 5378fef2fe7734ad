/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef CONTROL_H
#define CONTROL_H

/**
 * @file
 * The main thread while the engine runs: signals, draining, waiting.
 *
 * SIGTERM and SIGINT drain: no new connections, the others may finish for drain_timeout, then they
 * are reset.  A second one stops at once.  SIGHUP reads the configuration file again.  SIGUSR1
 * writes the statistics to standard error.  SIGUSR2 is our own: another thread wants something done
 * here.
 */

#include <stdbool.h>
#include <stdio.h>

struct engine;

/** Keep the process's signals for control_run(); before any other thread starts. */
void control_block_signals(void);

/** Serve signals until the engine is to stop. */
void control_run(struct engine *engine);

/**
 * Have something done by the control thread, and wait until it is done; from any other thread.
 *
 * @return
 *   false when the control thread does nothing any more, because the engine stops.
 */
bool control_call(void (*work)(struct engine *engine, void *argument), void *argument);

/**
 * After a change: wait until every worker has seen it; by the control thread.
 *
 * @param report
 *   Hears of a worker that had no turn within a second, because something else has its core.
 */
void control_await_workers(const struct engine *engine, FILE *report);

/** Log a report line by line; by the control thread. */
void control_log_report(const char *report, bool good);

#endif /* CONTROL_H */
