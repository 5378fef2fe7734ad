/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef CONTROL_H
#define CONTROL_H

/**
 * @file
 * The main thread while the engine runs: signals, draining, waiting.
 *
 * SIGTERM and SIGINT drain: no new connections, the others may finish for drain_timeout, then they
 * are reset.  A second one stops at once.  SIGUSR1 writes the statistics to standard error.
 */

struct engine;

/** Keep the process's signals for control_run(); before any other thread starts. */
void control_block_signals(void);

/** Serve signals until the engine is to stop. */
void control_run(struct engine *engine);

#endif /* CONTROL_H */
