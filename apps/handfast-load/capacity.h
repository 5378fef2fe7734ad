/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef CAPACITY_H
#define CAPACITY_H

/**
 * @file
 * Whether this machine has the cores and the memory of a run. Asked before DPDK starts: memory that
 * is not there is noticed only as it is written to, and then the kernel ends some process.
 */

#include "options.h"

/** @return an exit code; the reason was written to standard error. */
int capacity_check(const struct options *options);

#endif /* CAPACITY_H */
