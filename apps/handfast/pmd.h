/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef PMD_H
#define PMD_H

/**
 * @file
 * DPDK's drivers as files.
 *
 * A distribution's DPDK loads every driver at run time from a directory of plugins, and each is a
 * package of its own: a missing one only shows as "no port".  Looking at the files says more, and
 * before the EAL starts.  A DPDK with its drivers linked in has no such directory; then nothing is
 * known here and every driver counts as present.
 */

#include <stdbool.h>

#include "findings.h"
#include "machine.h"

#define PMD_NAME_MAX 64

/** Where the plugins are; empty when the drivers are linked in. */
const char *pmd_directory(void);

/** Whether a driver such as "net_tap" or "mempool_ring" can be loaded. */
bool pmd_present(const struct machine *machine, const char *driver);

/** Say how to install a driver. */
void pmd_fix(struct finding *finding, const char *driver);

/** Find the installed driver for a PCI device. @return false if none is */
bool pmd_for_pci(const struct machine *machine, unsigned int vendor, unsigned int device,
		char driver[PMD_NAME_MAX]);

#endif /* PMD_H */
