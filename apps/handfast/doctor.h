/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef DOCTOR_H
#define DOCTOR_H

/**
 * @file
 * The subjects that doctor looks at whatever the configuration; each adds its findings.
 */

#include "findings.h"
#include "machine.h"

/** Instructions, cores, clock, NUMA. */
void doctor_cpu(const struct machine *machine, struct findings *findings);

/** Hugepages, files that were left behind, the limit for locked memory. */
void doctor_memory(const struct machine *machine, struct findings *findings);

/** Plugins of DPDK. */
void doctor_plugins(const struct machine *machine, struct findings *findings);

/** NICs, TAP, vfio and IOMMU. */
void doctor_network(const struct machine *machine, struct findings *findings);

/** Kernel, container and what this user may do. */
void doctor_system(const struct machine *machine, struct findings *findings);

#endif /* DOCTOR_H */
