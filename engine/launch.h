/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef LAUNCH_H
#define LAUNCH_H

/**
 * @file
 * From settings to a running engine and back: each step has its undo, and they run in reverse.
 */

#include "settings/settings.h"

struct eal_cores;
struct engine;

/** What can keep an engine from starting; the reasons are in the log. */
enum launch_result {
	LAUNCH_OK,
	LAUNCH_NO_MEMORY, /**< Hugepages, tables, buffers. */
	LAUNCH_NO_DEVICE, /**< A port's device. */
	LAUNCH_NO_EAL,    /**< DPDK itself refused. */
};

/**
 * Start DPDK, the ports and the workers.
 *
 * @param settings
 *   Must live until launch_stop().
 * @param engine
 *   Set on success.
 */
enum launch_result launch_start(const struct settings *settings, struct engine **engine);

/**
 * The first half of launch_start(): everything but the workers' first turn.
 *
 * @param engine
 *   Set on success.
 */
enum launch_result launch_prepare(const struct settings *settings, struct engine **engine);

/** The second half: let every worker run a loop, an lcore_function_t that takes the worker. */
void launch_workers(struct engine *engine, int (*loop)(void *));

/** Stop the workers, which reset whoever is still connected; the figures stay to be read. */
void launch_quiesce(struct engine *engine);

/** Close ports and DPDK and free the engine; after launch_quiesce(). */
void launch_stop(struct engine *engine);

/**
 * Everything between DPDK's start and the workers' first turn: services, buffers, ports, workers.
 * Tests that turn the workers by hand use it alone.
 *
 * @param engine
 *   Zeroed; also after a failure to be given to launch_disassemble().
 */
enum launch_result launch_assemble(struct engine *engine, const struct settings *settings,
		const struct eal_cores *cores);

/** Undo launch_assemble(), as far as it came. */
void launch_disassemble(struct engine *engine);

#endif /* LAUNCH_H */
