/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The ways out of this machine: TAP devices, NICs, and what lets a program drive a NIC.
 */

#include <string.h>

#include "doctor.h"
#include "pmd.h"

#define NICS_MAX 64

static void
check_tun(const struct machine *machine, struct findings *findings)
{
	struct finding *finding;

	if (machine_exists(machine, "/dev/net/tun")) {
		findings_add(findings, FINDING_OK, "network.tun", "/dev/net/tun is there");
		return;
	}
	finding = findings_add(findings, FINDING_WARNING, "network.tun", "/dev/net/tun is missing");
	finding_why(finding, "tap: ports and the demo need it");
	finding_fix(finding, "sudo modprobe tun    # in a container: --device /dev/net/tun");
}

static unsigned int
count_iommu_groups(const struct machine *machine)
{
	DIR *directory = machine_open_directory(machine, "/sys/kernel/iommu_groups");
	struct dirent *entry;
	unsigned int count = 0;

	if (directory == NULL)
		return 0;
	while ((entry = readdir(directory)) != NULL)
		count += entry->d_name[0] != '.';
	closedir(directory);
	return count;
}

static void
check_vfio(const struct machine *machine, struct findings *findings)
{
	bool loaded = machine_exists(machine, "/sys/bus/pci/drivers/vfio-pci");
	unsigned int groups = count_iommu_groups(machine);
	struct finding *finding;

	if (loaded && groups > 0) {
		findings_add(findings, FINDING_OK, "network.vfio",
				"vfio-pci is loaded, %u IOMMU groups", groups);
		return;
	}
	finding = findings_add(findings, FINDING_INFO, "network.vfio", "%s, %s",
			loaded ? "vfio-pci is loaded" : "vfio-pci is not loaded",
			groups > 0 ? "an IOMMU is there" : "no IOMMU");
	finding_why(finding, "matters for pci: ports only (not for NVIDIA's, which stay with "
			     "their kernel driver)");
	if (groups > 0)
		finding_fix(finding, "sudo modprobe vfio-pci");
	else
		finding_fix(finding, "intel_iommu=on or amd_iommu=on on the kernel's command line; "
				     "in a virtual machine, without protection: sudo modprobe vfio "
				     "enable_unsafe_noiommu_mode=1 && sudo modprobe vfio-pci");
}

static void
check_nics(const struct machine *machine, struct findings *findings)
{
	struct machine_nic nics[NICS_MAX];
	unsigned int count = machine_nics(machine, nics, NICS_MAX);

	if (count == 0)
		findings_add(findings, FINDING_INFO, "network.nic",
				"no NIC: tap:, veth: and memif: ports remain");
	for (unsigned int i = 0; i < count; i++) {
		const struct machine_nic *nic = &nics[i];
		char pmd[PMD_NAME_MAX] = "";
		struct finding *finding;
		char node[32] = "";

		if (nic->node >= 0)
			snprintf(node, sizeof(node), ", node %d", nic->node);
		pmd_for_pci(machine, nic->vendor, nic->device, pmd);
		finding = findings_add(findings, FINDING_INFO, "network.nic",
				"%s%s%s, kernel driver %s%s%s%s%s", nic->name,
				nic->name[0] == '\0' || nic->address[0] == '\0' ? "" : " at ",
				nic->address, nic->driver[0] == '\0' ? "none" : nic->driver, node,
				pmd[0] == '\0' ? "" : ", DPDK driver ", pmd,
				nic->default_route ? ", carries the default route" : "");
		if (nic->default_route)
			finding_why(finding, "this machine is reached through it: not one to give "
					     "to handfast");
	}
}

void
doctor_network(const struct machine *machine, struct findings *findings)
{
	check_tun(machine, findings);
	check_vfio(machine, findings);
	check_nics(machine, findings);
}
