/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The kernel, the container around us if there is one, and what this user may do.
 */

#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "doctor.h"

/* XDP sockets need 4.18; in-memory hugepages (memfd) 4.14. */
#define KERNEL_MAJOR_MIN 4
#define KERNEL_MINOR_MIN 18

static void
check_kernel(const struct machine *machine, struct findings *findings)
{
	char release[128];
	unsigned int major = 0;
	unsigned int minor = 0;

	machine_read(machine, release, sizeof(release), "/proc/sys/kernel/osrelease");
	if (sscanf(release, "%u.%u", &major, &minor) == 2 &&
			(major < KERNEL_MAJOR_MIN ||
					(major == KERNEL_MAJOR_MIN && minor < KERNEL_MINOR_MIN)))
		finding_why(findings_add(findings, FINDING_WARNING, "system.kernel",
					    "Linux %s is old", release),
				"AF_XDP needs Linux 4.18");
	else
		findings_add(findings, FINDING_OK, "system.kernel", "Linux %s", release);
}

/** The kind of container, NULL outside. */
static const char *
container_kind(const struct machine *machine)
{
	static const char *const marks[] = {"kubepods", "docker", "lxc", "libpod", "containerd"};
	char text[4096];

	if (machine_exists(machine, "/.dockerenv"))
		return "docker";
	if (machine_exists(machine, "/run/.containerenv"))
		return "podman";
	if (machine_read(machine, text, sizeof(text), "/run/systemd/container") == 0)
		return "systemd";
	if (machine_read(machine, text, sizeof(text), "/proc/1/cgroup") != 0)
		return NULL;
	for (unsigned int i = 0; i < RTE_DIM(marks); i++)
		if (strstr(text, marks[i]) != NULL)
			return marks[i];
	return NULL;
}

static void
check_container(const struct machine *machine, struct findings *findings)
{
	const char *kind = container_kind(machine);
	struct finding *finding;

	if (kind == NULL)
		return;
	finding = findings_add(findings, FINDING_INFO, "system.container",
			"inside a container (%s)", kind);
	finding_why(finding, "devices and rights are those that the container was given");
	finding_fix(finding, "podman run --cap-add NET_ADMIN --cap-add NET_RAW --cap-add IPC_LOCK "
			     "--device /dev/net/tun ...");
}

static void
check_rights(const struct machine *machine, struct findings *findings)
{
	static const struct {
		enum machine_capability capability;
		const char *name;
	} rights[] = {
			{MACHINE_CAP_NET_ADMIN, " CAP_NET_ADMIN"},
			{MACHINE_CAP_NET_RAW, " CAP_NET_RAW"},
			{MACHINE_CAP_IPC_LOCK, " CAP_IPC_LOCK"},
			{MACHINE_CAP_SYS_ADMIN, " CAP_SYS_ADMIN"},
	};
	struct finding *finding;
	char missing[128] = "";

	for (unsigned int i = 0; i < RTE_DIM(rights); i++)
		if (!machine_capable(machine, rights[i].capability))
			strcat(missing, rights[i].name);
	if (missing[0] == '\0') {
		findings_add(findings, FINDING_OK, "system.rights",
				"has the capabilities for every kind of port");
		return;
	}
	finding = findings_add(findings, FINDING_WARNING, "system.rights",
			"missing capabilities:%s", missing);
	finding_why(finding, "tap: ports need NET_ADMIN; veth: NET_ADMIN, NET_RAW and for AF_XDP "
			     "SYS_ADMIN; pci: and hugepages IPC_LOCK, without an IOMMU SYS_ADMIN; "
			     "pcap:, null:, ring: and memif: none");
	finding_fix(finding, "sudo handfast run -c FILE");
}

void
doctor_system(const struct machine *machine, struct findings *findings)
{
	check_kernel(machine, findings);
	check_container(machine, findings);
	check_rights(machine, findings);
}
