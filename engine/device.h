/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef DEVICE_H
#define DEVICE_H

/**
 * @file
 * What a `device:` of the settings is to DPDK: the EAL argument that creates or allows it, the
 * name it will be found by, and what is known about its kind beforehand.
 */

#include <stdbool.h>
#include <stddef.h>

#include "settings/settings.h"

#define DEVICE_NAME_MAX     64
#define DEVICE_ARGUMENT_MAX (SETTINGS_TEXT_MAX + 256)

/** How DPDK is told about a device. */
struct device {
	char name[DEVICE_NAME_MAX];         /**< For rte_eth_dev_get_port_by_name(). */
	char argument[DEVICE_ARGUMENT_MAX]; /**< One EAL argument: `--vdev=...` or `-a...`. */
	const char *driver;                 /**< PMD, as in librte_DRIVER.so; NULL for PCI. */
	const char *package;                /**< Debian package that holds it. */
	bool virtual;                       /**< No hardware: checksums and steering are ours. */
	bool own_mac;        /**< The kernel uses the device's address; we need another. */
	bool kernel_partial; /**< The local kernel leaves TCP checksums unfinished. */
	bool far;            /**< Packets come out of another core's cache. */
	bool few_files;      /**< Its other end is given DPDK's memory, in at most eight files. */
};

/**
 * Work a port's device out.
 *
 * @param index
 *   Distinguishes virtual devices: net_tap0, net_tap1.
 */
void device_resolve(struct device *device, const struct settings_port *port, unsigned int index);

#endif /* DEVICE_H */
