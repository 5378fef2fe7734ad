/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * NUMA nodes: how many, how large, how far apart, and the hugepages on each.
 */

#include <stdlib.h>
#include <string.h>

#include <numa.h>

#include <rte_common.h>

#include "machine.h"

static void
read_from_libnuma(struct machine *machine)
{
	int last = RTE_MIN(numa_max_node(), MACHINE_NODES_MAX - 1);

	for (int i = 0; i <= last; i++) {
		struct machine_node *node = &machine->node[i];
		long long free_bytes = 0;
		long long bytes = numa_node_size64(i, &free_bytes);

		if (bytes < 0)
			continue;
		node->present = true;
		node->memory_bytes = (uint64_t)bytes;
		node->free_bytes = (uint64_t)free_bytes;
		machine->node_count++;
		for (int j = 0; j <= last; j++)
			node->distance[j] = (uint8_t)numa_distance(i, j);
	}
}

/** The value in bytes of a line such as "Node 0 MemTotal:  4810964 kB". */
static uint64_t
node_memory(const struct machine *machine, unsigned int node, const char *name)
{
	char label[64];
	char value[64];
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%u/meminfo", node);
	snprintf(label, sizeof(label), "Node %u %s", node, name);
	machine_field(machine, value, sizeof(value), path, label);
	return strtoull(value, NULL, 10) * 1024;
}

static void
read_from_files(struct machine *machine)
{
	for (unsigned int i = 0; i < MACHINE_NODES_MAX; i++) {
		struct machine_node *node = &machine->node[i];
		char distances[256];
		char *next = distances;

		if (!machine_exists(machine, "/sys/devices/system/node/node%u", i))
			continue;
		node->present = true;
		node->memory_bytes = node_memory(machine, i, "MemTotal");
		node->free_bytes = node_memory(machine, i, "MemFree");
		machine->node_count++;
		machine_read(machine, distances, sizeof(distances),
				"/sys/devices/system/node/node%u/distance", i);
		/* One number per node present. */
		for (unsigned int j = 0; j < MACHINE_NODES_MAX && *next != '\0'; j++)
			if (machine_exists(machine, "/sys/devices/system/node/node%u", j))
				node->distance[j] = (uint8_t)strtoul(next, &next, 10);
	}
}

void
machine_nodes_init(struct machine *machine)
{
	if (!machine_is_real(machine))
		read_from_files(machine);
	else if (numa_available() >= 0)
		read_from_libnuma(machine);
}

int
machine_node_of_core(const struct machine *machine, unsigned int core)
{
	if (machine_is_real(machine))
		return numa_available() < 0 ? -1 : numa_node_of_cpu((int)core);
	for (unsigned int i = 0; i < MACHINE_NODES_MAX; i++) {
		char cores[MACHINE_LIST_MAX];

		if (machine->node[i].present &&
				machine_read(machine, cores, sizeof(cores),
						"/sys/devices/system/node/node%u/cpulist",
						i) == 0 &&
				machine_list_has(cores, core))
			return (int)i;
	}
	return -1;
}

/* The kernel counts as free, too, what a process has mapped and not written to yet. */
static uint64_t
size_free_pages(const struct machine *machine, const char *size)
{
	static const char *const format = "/sys/kernel/mm/hugepages/%s/%s";
	const long long pages = machine_number(machine, 0, format, size, "free_hugepages");
	const long long reserved = machine_number(machine, 0, format, size, "resv_hugepages");

	return pages > reserved ? (uint64_t)(pages - reserved) : 0;
}

uint64_t
machine_free_hugepages(const struct machine *machine)
{
	DIR *directory = machine_open_directory(machine, "/sys/kernel/mm/hugepages");
	uint64_t bytes = 0;
	struct dirent *entry;

	if (directory == NULL)
		return 0;
	while ((entry = readdir(directory)) != NULL) {
		unsigned int kilobytes;

		if (sscanf(entry->d_name, "hugepages-%ukB", &kilobytes) == 1)
			bytes += (uint64_t)kilobytes * 1024 *
				 size_free_pages(machine, entry->d_name);
	}
	closedir(directory);
	return bytes;
}
