/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdio.h>
#include <string.h>

#include "engine/device.h"

/* Large rings: with the PMD's defaults a veth loses a quarter of a fast burst, uncounted. */
#define DEVICE_AF_PACKET_RING "blocksz=2097152,framesz=2048,framecnt=8192,qdisc_bypass=1"

static const struct {
	const char *driver;
	const char *package;
	bool own_mac;
	bool kernel_partial;
	bool far;
} device_kinds[] = {
		[SETTINGS_DEVICE_PCI] = {NULL, "librte-meta-net", false, false, false},
		[SETTINGS_DEVICE_TAP] = {"net_tap", "librte-net-tap23", true, false, false},
		[SETTINGS_DEVICE_VETH] = {"net_af_packet", "librte-net-af-packet23", true, true,
				false},
		[SETTINGS_DEVICE_MEMIF] = {"net_memif", "librte-net-memif23", false, false, true},
		[SETTINGS_DEVICE_VHOST] = {"net_vhost", "librte-net-vhost23", false, false, true},
		[SETTINGS_DEVICE_PCAP] = {"net_pcap", "librte-net-pcap23", false, false, false},
		[SETTINGS_DEVICE_NULL] = {"net_null", "librte-net-null23", false, false, false},
		[SETTINGS_DEVICE_RING] = {"net_ring", "librte-net-ring23", false, false, true},
		[SETTINGS_DEVICE_VDEV] = {NULL, "librte-meta-all", false, false, false},
};

static unsigned int
device_queues(const struct settings_port *port)
{
	return port->queues == 0 ? 1 : port->queues;
}

/* NAME[,af_packet|,af_xdp] */
static void
device_resolve_veth(
		struct device *device, const struct settings_port *port, char *devargs, size_t size)
{
	const char *argument = port->device.argument;
	const int name_length = (int)strcspn(argument, ",");

	if (strcmp(argument + name_length, ",af_xdp") == 0) {
		device->driver = "net_af_xdp";
		device->package = "librte-net-af-xdp23";
		snprintf(devargs, size, "iface=%.*s", name_length, argument);
	} else {
		snprintf(devargs, size, "iface=%.*s,qpairs=%u,%s", name_length, argument,
				device_queues(port), DEVICE_AF_PACKET_RING);
	}
}

static void
device_resolve_pcap(const struct settings_port *port, char *devargs, size_t size)
{
	const char *argument = port->device.argument;
	const int in_length = (int)strcspn(argument, ",");
	const char *out = argument[in_length] == ',' ? argument + in_length + 1 : "";
	size_t used = 0;

	if (in_length > 0)
		used = (size_t)snprintf(devargs, size, "rx_pcap=%.*s", in_length, argument);
	if (out[0] != '\0' && used < size)
		snprintf(devargs + used, size - used, "%stx_pcap=%s", used > 0 ? "," : "", out);
}

static void
device_resolve_vdev(struct device *device, const char *argument)
{
	const size_t name_length = strcspn(argument, ",");

	snprintf(device->name, sizeof(device->name), "%.*s", (int)name_length, argument);
	snprintf(device->argument, sizeof(device->argument), "--vdev=%s", argument);
	/* VHOST_MEMORY_MAX_NREGIONS; by default DPDK makes a file of each hugepage. */
	device->few_files = strncmp(argument, "net_virtio_user", strlen("net_virtio_user")) == 0;
}

void
device_resolve(struct device *device, const struct settings_port *port, unsigned int index)
{
	const enum settings_device_kind kind = port->device.kind;
	const char *argument = port->device.argument;
	char devargs[SETTINGS_TEXT_MAX + 96] = "";

	memset(device, 0, sizeof(*device));
	device->driver = device_kinds[kind].driver;
	device->package = device_kinds[kind].package;
	device->own_mac = device_kinds[kind].own_mac;
	device->kernel_partial = device_kinds[kind].kernel_partial;
	device->far = device_kinds[kind].far;
	device->virtual = kind != SETTINGS_DEVICE_PCI;

	switch (kind) {
	case SETTINGS_DEVICE_PCI:
		snprintf(device->name, sizeof(device->name), "%s%.48s",
				strlen(argument) < strlen("0000:00:00.0") ? "0000:" : "", argument);
		snprintf(device->argument, sizeof(device->argument), "-a%s", device->name);
		return;
	case SETTINGS_DEVICE_VDEV:
		device_resolve_vdev(device, argument);
		return;
	case SETTINGS_DEVICE_TAP:
		snprintf(devargs, sizeof(devargs), "iface=%s", argument);
		break;
	case SETTINGS_DEVICE_VETH:
		device_resolve_veth(device, port, devargs, sizeof(devargs));
		break;
	case SETTINGS_DEVICE_VHOST:
		snprintf(devargs, sizeof(devargs), "iface=%s,queues=%u", argument,
				device_queues(port));
		break;
	case SETTINGS_DEVICE_PCAP:
		device_resolve_pcap(port, devargs, sizeof(devargs));
		break;
	case SETTINGS_DEVICE_MEMIF:
	case SETTINGS_DEVICE_NULL:
	case SETTINGS_DEVICE_RING:
		snprintf(devargs, sizeof(devargs), "%s", argument);
		break;
	}
	snprintf(device->name, sizeof(device->name), "%s%u", device->driver, index);
	snprintf(device->argument, sizeof(device->argument), "--vdev=%s%s%s", device->name,
			devargs[0] != '\0' ? "," : "", devargs);
}
