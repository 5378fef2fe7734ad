/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * What one port needs: its driver, the rights, the thing it is made of, and a near NUMA node.
 */

#include <net/if_arp.h>
#include <string.h>

#include <rte_common.h>

#include "engine/memif.h"

#include "pmd.h"
#include "preflight.h"

#define NICS_MAX 64

/** A port under examination, to keep the argument lists short. */
struct examination {
	const struct machine *machine;
	const struct settings *settings;
	const struct settings_port *port;
	struct findings *findings;
};

/** The machine's NICs. */
struct nics {
	unsigned int count;
	struct machine_nic item[NICS_MAX];
};

static struct finding *
blocking(const struct examination *examination, const char *id)
{
	return findings_add(examination->findings, FINDING_BLOCKING, id,
			"port %s: ", examination->port->name);
}

/** Append to what a finding says. */
#define SAY(finding, ...)                                   \
	snprintf((finding)->what + strlen((finding)->what), \
			sizeof((finding)->what) - strlen((finding)->what), __VA_ARGS__)

static void
need_driver(const struct examination *examination, const char *driver)
{
	struct finding *finding;

	if (pmd_present(examination->machine, driver))
		return;
	finding = blocking(examination, "port.driver");
	SAY(finding, "DPDK's driver %s is not installed", driver);
	finding_why(finding, "each driver is a package of its own");
	pmd_fix(finding, driver);
}

static void
need_capability(const struct examination *examination, enum machine_capability capability,
		const char *name)
{
	struct finding *finding;

	if (machine_capable(examination->machine, capability))
		return;
	finding = blocking(examination, "port.rights");
	SAY(finding, "%s is missing", name);
	/* Whose command it is, this file does not know: handfast's or handfast-load's. */
	finding_fix(finding, "start it as root: sudo in front of its command");
}

static void
check_tap(const struct examination *examination)
{
	const struct machine *machine = examination->machine;
	const char *name = examination->port->device.argument;
	struct finding *finding;

	need_driver(examination, "net_tap");
	need_capability(examination, MACHINE_CAP_NET_ADMIN, "CAP_NET_ADMIN");
	if (!machine_exists(machine, "/dev/net/tun")) {
		finding = blocking(examination, "port.tun");
		SAY(finding, "/dev/net/tun is missing");
		finding_fix(finding,
				"sudo modprobe tun    # in a container: --device /dev/net/tun");
	}
	if (machine_exists(machine, "/sys/class/net/%s", name)) {
		finding = blocking(examination, "port.name");
		SAY(finding, "an interface %s is there already", name);
		finding_why(finding, "handfast makes the TAP itself");
		/* Only a TAP's deletion may be proposed: the name can be that of a NIC in use. */
		if (machine_exists(machine, "/sys/class/net/%s/tun_flags", name))
			finding_fix(finding, "sudo ip link delete %s    # if nobody needs that TAP",
					name);
		else
			finding_fix(finding, "use another name in device: tap:NAME");
	}
}

static void
refuse_default_route(const struct examination *examination, const char *interface)
{
	struct finding *finding = blocking(examination, "port.default_route");

	SAY(finding, "%s carries the default route", interface);
	finding_why(finding, "this machine would lose its connection, or answer twice");
	finding_fix(finding, "use another NIC, or a veth pair: sudo ip link add veth0 type veth "
			     "peer name veth1");
}

/* The kernel takes what AF_PACKET sends to it, and so do we: nobody else is there to answer. */
static void
refuse_loopback(const struct examination *examination, const char *interface)
{
	struct finding *finding = blocking(examination, "port.loopback");

	SAY(finding, "%s is the loopback, which has no other end", interface);
	finding_why(finding, "what is sent there comes back, to the kernel and to the sender");
	finding_fix(finding, "use a veth pair: sudo ip link add veth0 type veth peer name veth1");
}

/* On a veth, AF_XDP receives from the first queue alone. */
static void
check_one_queue(const struct examination *examination, const char *name)
{
	struct finding *finding;

	if (!machine_exists(examination->machine, "/sys/class/net/%s/queues/rx-1", name))
		return;
	finding = blocking(examination, "port.queues");
	SAY(finding, "%s has more than one receive queue", name);
	finding_why(finding, "AF_XDP would lose every packet that the kernel puts into another");
	finding_fix(finding,
			"make it with one: sudo ip link add %s numrxqueues 1 numtxqueues 1 type "
			"veth peer name %s-peer; or use veth:%s,af_packet",
			name, name, name);
}

static void
check_veth(const struct examination *examination)
{
	const struct machine *machine = examination->machine;
	const char *argument = examination->port->device.argument;
	const bool af_xdp = strstr(argument, ",af_xdp") != NULL;
	struct finding *finding;
	char name[SETTINGS_NAME_MAX];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(argument, ","), argument);
	need_driver(examination, af_xdp ? "net_af_xdp" : "net_af_packet");
	if (af_xdp)
		check_one_queue(examination, name);
	need_capability(examination, MACHINE_CAP_NET_ADMIN, "CAP_NET_ADMIN");
	need_capability(examination, MACHINE_CAP_NET_RAW, "CAP_NET_RAW");
	if (machine_exists(machine, "/sys/class/net/%s", name)) {
		if (machine_number(machine, 0, "/sys/class/net/%s/type", name) == ARPHRD_LOOPBACK)
			refuse_loopback(examination, name);
		else if (machine_has_default_route(machine, name))
			refuse_default_route(examination, name);
		return;
	}
	finding = blocking(examination, "port.interface");
	SAY(finding, "there is no interface %s", name);
	finding_fix(finding,
			"sudo ip link add %s numrxqueues 1 numtxqueues 1 type veth peer name "
			"%s-peer && sudo ip link set %s up",
			name, name, name);
}

static void
check_vhost(const struct examination *examination)
{
	need_driver(examination, "net_vhost");
}

static void
check_pcap(const struct examination *examination)
{
	const char *argument = examination->port->device.argument;
	int length = (int)strcspn(argument, ",");
	struct finding *finding;

	need_driver(examination, "net_pcap");
	if (length == 0 || machine_exists(examination->machine, "%s%.*s",
					   argument[0] == '/' ? "" : "./", length, argument))
		return;
	finding = blocking(examination, "port.file");
	SAY(finding, "there is no file %.*s", length, argument);
}

/** DPDK's name for a virtual device is its driver's name and a number: net_ring0. */
static void
check_vdev(const struct examination *examination)
{
	const char *argument = examination->port->device.argument;
	size_t length = strcspn(argument, ",");
	char driver[PMD_NAME_MAX];

	while (length > 0 && argument[length - 1] >= '0' && argument[length - 1] <= '9')
		length--;
	snprintf(driver, sizeof(driver), "%.*s", (int)length, argument);
	/* virtio_user is part of virtio. */
	need_driver(examination, strcmp(driver, "net_virtio_user") == 0 ? "net_virtio" : driver);
}

/** Warn when a worker's memory accesses to a port's buffers cross the machine. */
static void
check_node(const struct examination *examination, const struct machine_nic *nic)
{
	const struct settings_workers *workers = &examination->settings->engine.workers;
	const struct machine *machine = examination->machine;

	if (nic->node < 0 || nic->node >= MACHINE_NODES_MAX || machine->node_count < 2)
		return;
	for (unsigned int i = 0; i < workers->count; i++) {
		int node = machine_node_of_core(machine, workers->cores[i]);
		struct finding *finding;
		char near[256] = "";

		if (node < 0 || node >= MACHINE_NODES_MAX || node == nic->node)
			continue;
		finding = findings_add(examination->findings, FINDING_WARNING, "port.numa",
				"port %s: it is on NUMA node %d, the worker on core %u on node %d, "
				"at distance %u (10 is local)",
				examination->port->name, nic->node, workers->cores[i], node,
				machine->node[node].distance[nic->node]);
		finding_why(finding, "every packet crosses the link between the nodes");
		machine_read(machine, near, sizeof(near), "/sys/devices/system/node/node%d/cpulist",
				nic->node);
		finding_fix(finding, "set engine.workers to cores of node %d: %s", nic->node, near);
	}
}

/** What the NIC's kernel driver should be, with the command that makes it so. */
static void
check_binding(const struct examination *examination, const struct machine_nic *nic)
{
	static const char *const given[] = {
			"vfio-pci", "uio_pci_generic", "igb_uio", "mlx4_core", "mlx5_core"};
	struct finding *finding;

	for (unsigned int i = 0; i < RTE_DIM(given); i++)
		if (strcmp(nic->driver, given[i]) == 0)
			return;
	finding = blocking(examination, "port.binding");
	SAY(finding, "%s is bound to %s", nic->address,
			nic->driver[0] == '\0' ? "no driver" : nic->driver);
	finding_why(finding, "DPDK drives a NIC through vfio-pci; the kernel then loses it%s%s",
			nic->name[0] == '\0' ? "" : " and its interface ", nic->name);
	finding_fix(finding, "sudo modprobe vfio-pci && sudo driverctl set-override %s vfio-pci",
			nic->address);
}

/**
 * The interface of a PCI device that carries the default route, NULL if none does.  A device can
 * have several interfaces: ConnectX-3 has both of its ports in one.
 */
static const char *
default_route_of(const struct nics *nics, const char *address)
{
	for (unsigned int i = 0; i < nics->count; i++)
		if (nics->item[i].default_route && strcmp(nics->item[i].address, address) == 0)
			return nics->item[i].name;
	return NULL;
}

/** All devices of an IOMMU group belong to one owner; name those that are still the kernel's. */
static void
check_group(const struct examination *examination, const struct machine_nic *nic,
		const struct nics *nics)
{
	const struct machine *machine = examination->machine;
	DIR *directory = machine_open_directory(
			machine, "/sys/bus/pci/devices/%s/iommu_group/devices", nic->address);
	struct dirent *entry;

	if (directory == NULL || strcmp(nic->driver, "vfio-pci") != 0) {
		if (directory != NULL)
			closedir(directory);
		return;
	}
	while ((entry = readdir(directory)) != NULL) {
		char driver[MACHINE_NAME_MAX];
		struct finding *finding;

		if (entry->d_name[0] == '.' || strcmp(entry->d_name, nic->address) == 0)
			continue;
		machine_link(machine, driver, "/sys/bus/pci/devices/%s/driver", entry->d_name);
		/* A device without a driver, a bridge's port driver and vfio-pci are viable. */
		if (driver[0] == '\0' || strcmp(driver, "vfio-pci") == 0 ||
				strcmp(driver, "pcieport") == 0)
			continue;
		finding = blocking(examination, "port.iommu_group");
		SAY(finding, "%s shares its IOMMU group with %s, which is bound to %s",
				nic->address, entry->d_name, driver);
		finding_why(finding, "a group is given to a program whole or not at all");
		if (default_route_of(nics, entry->d_name) != NULL)
			finding_fix(finding, "use a NIC in another slot: that one carries the "
					     "default route");
		else
			finding_fix(finding, "sudo driverctl set-override %s vfio-pci",
					entry->d_name);
	}
	closedir(directory);
}

static void
check_pci_driver(const struct examination *examination, const struct machine_nic *nic)
{
	struct finding *finding;
	char driver[PMD_NAME_MAX];

	/* Another machine's plugins cannot be read here. */
	if (!machine_is_real(examination->machine) || pmd_directory()[0] == '\0' ||
			pmd_for_pci(examination->machine, nic->vendor, nic->device, driver))
		return;
	finding = blocking(examination, "port.driver");
	SAY(finding, "no installed driver of DPDK is for %s (%04x:%04x)", nic->address, nic->vendor,
			nic->device);
	finding_fix(finding, "apt-get install librte-meta-net    # all drivers for NICs");
}

static void
check_pci(const struct examination *examination)
{
	const char *address = examination->port->device.argument;
	const struct machine_nic *nic = NULL;
	const char *interface;
	struct finding *finding;
	struct nics nics;

	need_driver(examination, "bus_pci");
	nics.count = machine_nics(examination->machine, nics.item, NICS_MAX);
	for (unsigned int i = 0; i < nics.count && nic == NULL; i++)
		if (strcmp(nics.item[i].address, address) == 0)
			nic = &nics.item[i];
	if (nic == NULL) {
		finding = blocking(examination, "port.device");
		SAY(finding, "there is no NIC at PCI address %s", address);
		finding_fix(finding, "handfast doctor    # lists the NICs with their addresses");
		return;
	}
	/* Before any advice to take the NIC from the kernel. */
	interface = default_route_of(&nics, address);
	if (interface != NULL)
		refuse_default_route(examination, interface);
	else
		check_binding(examination, nic);
	check_group(examination, nic, &nics);
	check_pci_driver(examination, nic);
	check_node(examination, nic);
}

static void
check_memif(const struct examination *examination)
{
	if (!memif_is_ours(&examination->port->device))
		need_driver(examination, "net_memif");
}

static void
check_null(const struct examination *examination)
{
	need_driver(examination, "net_null");
}

static void
check_ring(const struct examination *examination)
{
	need_driver(examination, "net_ring");
}

void
preflight_device_check(const struct machine *machine, const struct settings *settings,
		const struct settings_port *port, struct findings *findings)
{
	static void (*const checks[])(const struct examination *examination) = {
			[SETTINGS_DEVICE_PCI] = check_pci,
			[SETTINGS_DEVICE_TAP] = check_tap,
			[SETTINGS_DEVICE_VETH] = check_veth,
			[SETTINGS_DEVICE_MEMIF] = check_memif,
			[SETTINGS_DEVICE_VHOST] = check_vhost,
			[SETTINGS_DEVICE_PCAP] = check_pcap,
			[SETTINGS_DEVICE_NULL] = check_null,
			[SETTINGS_DEVICE_RING] = check_ring,
			[SETTINGS_DEVICE_VDEV] = check_vdev,
	};
	struct examination examination = {machine, settings, port, findings};
	unsigned int before = findings->by_severity[FINDING_BLOCKING];

	if (port->device.kind != SETTINGS_DEVICE_PCI)
		need_driver(&examination, "bus_vdev");
	checks[port->device.kind](&examination);
	if (findings->by_severity[FINDING_BLOCKING] == before)
		findings_add(findings, FINDING_OK, "port.ready", "port %s: nothing in its way",
				port->name);
}
