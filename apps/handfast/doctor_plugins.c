/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Which of DPDK's drivers are installed, by the kinds of port that need them.
 */

#include <string.h>

#include <rte_common.h>

#include "doctor.h"
#include "pmd.h"

static const struct {
	const char *driver;
	const char *use;
	enum finding_severity missing; /**< How bad it is when there is no word of a port. */
} drivers[] = {
		{"mempool_ring", "every run: packet buffers", FINDING_BLOCKING},
		{"bus_vdev", "all ports but pci:", FINDING_WARNING},
		{"net_tap", "tap: ports, and the demo", FINDING_WARNING},
		{"net_af_packet", "veth: ports", FINDING_INFO},
		{"net_af_xdp", "veth: ports", FINDING_INFO},
		{"net_memif", "memif: ports", FINDING_INFO},
		{"net_vhost", "vhost: ports", FINDING_INFO},
		{"net_pcap", "pcap: ports", FINDING_INFO},
		{"net_ring", "ring: ports", FINDING_INFO},
		{"net_null", "null: ports", FINDING_INFO},
		{"bus_pci", "pci: ports", FINDING_INFO},
		{"net_virtio", "virtio NICs of virtual machines", FINDING_INFO},
		{"net_e1000", "Intel 1 GbE NICs", FINDING_INFO},
		{"net_ixgbe", "Intel 10 GbE NICs (82599, X540, X550)", FINDING_INFO},
		{"net_i40e", "Intel 10/40 GbE NICs (X710, XL710)", FINDING_INFO},
		{"net_ice", "Intel 100 GbE NICs (E810)", FINDING_INFO},
		{"net_iavf", "Intel virtual functions", FINDING_INFO},
		{"net_mlx5", "NVIDIA ConnectX-4 and later NICs", FINDING_INFO},
		{"net_bnxt", "Broadcom NetXtreme NICs", FINDING_INFO},
		{"net_ena", "Amazon's NICs", FINDING_INFO},
		{"net_vmxnet3", "VMware's NICs", FINDING_INFO},
};

void
doctor_plugins(const struct machine *machine, struct findings *findings)
{
	char present[384] = "";

	if (pmd_directory()[0] == '\0') {
		findings_add(findings, FINDING_OK, "dpdk.drivers",
				"this DPDK has its drivers linked in");
		return;
	}
	for (unsigned int i = 0; i < RTE_DIM(drivers); i++) {
		size_t length = strlen(present);
		struct finding *finding;

		if (pmd_present(machine, drivers[i].driver)) {
			snprintf(present + length, sizeof(present) - length, "%s%s",
					length == 0 ? "" : " ", drivers[i].driver);
			continue;
		}
		finding = findings_add(findings, drivers[i].missing, "dpdk.drivers",
				"DPDK's driver %s is not installed", drivers[i].driver);
		finding_why(finding, "needed for %s", drivers[i].use);
		pmd_fix(finding, drivers[i].driver);
	}
	if (present[0] != '\0')
		findings_add(findings, FINDING_OK, "dpdk.drivers", "installed: %s", present);
}
