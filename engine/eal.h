/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef EAL_H
#define EAL_H

/**
 * @file
 * The command line that DPDK is started with, made from the settings: nobody has to know `--`.
 */

#include <stdbool.h>
#include <stdint.h>

#include "settings/settings.h"

#define EAL_WORKERS_MAX SETTINGS_WORKERS_MAX

/** Which core does what. */
struct eal_cores {
	unsigned int main_core;
	unsigned int worker_count;
	uint16_t worker[EAL_WORKERS_MAX];
};

/** How DPDK gets its memory. */
struct eal_memory {
	enum settings_memory mode; /**< Never auto. */
	uint64_t bytes;
	uint64_t free_bytes; /**< Of hugepages, when the mode was chosen. */
};

/** Choose cores: the settings', or all we may use but one for control where there are several. */
void eal_choose_cores(const struct settings *settings, struct eal_cores *cores);

/** Whether another process sees our packet buffers (a memif with zero-copy=yes). */
bool eal_lends_buffers(const struct settings *settings);

/** Packet buffers for all ports and workers. */
unsigned int eal_buffer_count(const struct settings *settings, const struct eal_cores *cores);

/** Bytes of one packet buffer's data, headroom included. */
unsigned int eal_buffer_bytes(const struct settings *settings);

/** Choose a memory mode and size; auto takes hugepages when enough are free. */
void eal_choose_memory(const struct settings *settings, const struct eal_cores *cores,
		struct eal_memory *memory);

/** Log what may be the reason that memory which was counted could not be had. */
void eal_explain_shortage(const struct eal_memory *memory);

/**
 * Have DPDK's folder of this process removed when it exits.
 *
 * Call it before rte_eal_init(), so that it comes after what DPDK itself removes at the exit.
 */
void eal_leave_no_folder(void);

/**
 * Start DPDK.  lcore 0 is the main thread's, lcore 1 + i worker i's.
 *
 * @return 0, or -1 after the reason was logged.
 */
int eal_start(const struct settings *settings, const struct eal_cores *cores,
		const struct eal_memory *memory);

#endif /* EAL_H */
