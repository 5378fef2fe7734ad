/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * What the cores can do and how steadily they do it.
 */

#include <stdlib.h>
#include <string.h>

#include "doctor.h"

#define FLAGS_MAX 8192

static bool
has_flag(const char *flags, const char *flag)
{
	size_t length = strlen(flag);
	const char *at = flags;

	while ((at = strstr(at, flag)) != NULL) {
		if ((at == flags || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
			return true;
		at += length;
	}
	return false;
}

static void
check_instructions(const struct machine *machine, struct findings *findings)
{
	char model[128];
	char flags[FLAGS_MAX];
	struct finding *finding;

	if (machine_field(machine, flags, sizeof(flags), "/proc/cpuinfo", "flags") != 0) {
		findings_add(findings, FINDING_INFO, "cpu.instructions",
				"not an x86 processor: nothing to check");
		return;
	}
	machine_field(machine, model, sizeof(model), "/proc/cpuinfo", "model name");
	if (!has_flag(flags, "sse4_2")) {
		finding = findings_add(findings, FINDING_BLOCKING, "cpu.sse42",
				"the processor has no SSE4.2 (%s)", model);
		finding_why(finding, "DPDK is built for it and stops at once");
		finding_fix(finding, "in a virtual machine: give it the host's processor "
				     "(qemu -cpu host)");
		return;
	}
	findings_add(findings, FINDING_OK, "cpu.instructions", "%s: SSE4.2%s%s", model,
			has_flag(flags, "avx2") ? ", AVX2" : "",
			has_flag(flags, "avx512f") ? ", AVX-512" : "");
}

static void
check_cores(const struct machine *machine, struct findings *findings)
{
	unsigned int online = machine_list_count(machine->online);
	char isolated[MACHINE_LIST_MAX];
	struct finding *finding;

	machine_read(machine, isolated, sizeof(isolated), "/sys/devices/system/cpu/isolated");
	findings_add(findings, online > 1 ? FINDING_OK : FINDING_INFO, "cpu.cores",
			"%u cores online (%s)%s", online, machine->online,
			online > 1 ? "" : ": worker and control thread share it");
	if (isolated[0] != '\0') {
		findings_add(findings, FINDING_OK, "cpu.isolated", "isolated cores: %s", isolated);
		return;
	}
	finding = findings_add(findings, FINDING_INFO, "cpu.isolated", "no core is isolated");
	finding_why(finding, "the kernel may run other work on a worker's core; matters for "
			     "benchmarks and tail latency only");
	if (online > 2)
		finding_fix(finding,
				"add to the kernel's command line: isolcpus=1-%u nohz_full=1-%u "
				"rcu_nocbs=1-%u",
				online - 1, online - 1, online - 1);
}

static void
check_siblings(const struct machine *machine, struct findings *findings)
{
	char siblings[64];

	if (machine_number(machine, 0, "/sys/devices/system/cpu/smt/active") == 0) {
		findings_add(findings, FINDING_OK, "cpu.smt", "one thread per core");
		return;
	}
	machine_read(machine, siblings, sizeof(siblings),
			"/sys/devices/system/cpu/cpu0/topology/thread_siblings_list");
	finding_why(findings_add(findings, FINDING_INFO, "cpu.smt",
				    "threads share cores (core 0: %s)", siblings),
			"two workers on the threads of one core are little faster than one");
}

static void
check_governor(const struct machine *machine, struct findings *findings)
{
	DIR *directory = machine_open_directory(machine, "/sys/devices/system/cpu");
	struct dirent *entry;
	struct finding *finding;
	unsigned int slow = 0;
	char name[64] = "";

	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		char governor[64];

		if (strncmp(entry->d_name, "cpu", 3) == 0 &&
				machine_read(machine, governor, sizeof(governor),
						"/sys/devices/system/cpu/%s/cpufreq/"
						"scaling_governor",
						entry->d_name) == 0 &&
				strcmp(governor, "performance") != 0) {
			slow++;
			strcpy(name, governor);
		}
	}
	if (directory != NULL)
		closedir(directory);
	if (slow == 0) {
		findings_add(findings, FINDING_OK, "cpu.governor",
				"the cores' clock is not slowed down by a governor");
		return;
	}
	finding = findings_add(findings, FINDING_WARNING, "cpu.governor",
			"%u cores are under the frequency governor \"%s\"", slow, name);
	finding_why(finding, "the clock follows the load late: rates and latency vary");
	finding_fix(finding, "echo performance | sudo tee "
			     "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor");
}

static void
check_clock(const struct machine *machine, struct findings *findings)
{
	static const char *const current =
			"/sys/devices/system/clocksource/clocksource0/current_clocksource";
	struct finding *finding;
	char source[64];

	if (machine_read(machine, source, sizeof(source), "%s", current) != 0)
		return;
	if (strcmp(source, "tsc") == 0 || strcmp(source, "kvm-clock") == 0 ||
			strcmp(source, "arch_sys_counter") == 0) {
		findings_add(findings, FINDING_OK, "cpu.clock", "clock source %s", source);
		return;
	}
	finding = findings_add(findings, FINDING_WARNING, "cpu.clock",
			"the kernel's clock source is %s", source);
	finding_why(finding, "it did not trust the TSC, which DPDK counts time with");
	finding_fix(finding, "dmesg | grep -i -e tsc -e clocksource    # says why");
}

static void
check_nodes(const struct machine *machine, struct findings *findings)
{
	if (machine->node_count <= 1) {
		findings_add(findings, FINDING_OK, "cpu.numa", "one NUMA node: all memory is near");
		return;
	}
	for (unsigned int i = 0; i < MACHINE_NODES_MAX; i++) {
		const struct machine_node *node = &machine->node[i];
		char distances[256] = "";
		char cores[256] = "";

		if (!node->present)
			continue;
		for (unsigned int j = 0; j < MACHINE_NODES_MAX; j++) {
			size_t length = strlen(distances);

			if (j != i && machine->node[j].present)
				snprintf(distances + length, sizeof(distances) - length,
						"%s%u to node %u", length == 0 ? "" : ", ",
						node->distance[j], j);
		}
		machine_read(machine, cores, sizeof(cores),
				"/sys/devices/system/node/node%u/cpulist", i);
		findings_add(findings, FINDING_INFO, "cpu.numa",
				"NUMA node %u: cores %s, %.1f of %.1f GiB free, distance %s", i,
				cores[0] == '\0' ? "none" : cores,
				(double)node->free_bytes / (1 << 30),
				(double)node->memory_bytes / (1 << 30), distances);
	}
}

void
doctor_cpu(const struct machine *machine, struct findings *findings)
{
	check_instructions(machine, findings);
	check_cores(machine, findings);
	check_siblings(machine, findings);
	check_governor(machine, findings);
	check_clock(machine, findings);
	check_nodes(machine, findings);
}
