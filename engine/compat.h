/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef COMPAT_H
#define COMPAT_H

/**
 * @file
 * What differs between the DPDK releases we build on: 22.11, 23.11, 24.11.
 */

#include <rte_telemetry.h>
#include <rte_version.h>

/* Renamed in 23.03; the old name is gone in 25.11. */
static inline int
compat_add_dict_uint(struct rte_tel_data *data, const char *name, uint64_t value)
{
#if RTE_VERSION >= RTE_VERSION_NUM(23, 3, 0, 0)
	return rte_tel_data_add_dict_uint(data, name, value);
#else
	return rte_tel_data_add_dict_u64(data, name, value);
#endif
}

#endif /* COMPAT_H */
