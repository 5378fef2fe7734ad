/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Hugepages, the files that dead programs leave in them, and the limit for locked memory.
 */

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "doctor.h"

#define MEMLOCK_ENOUGH (64ull << 20)
#define OWNERS_MAX     32

/** Report one size of hugepages on one node. @return how many are free */
static unsigned long long
check_pages(const struct machine *machine, struct findings *findings, unsigned int node,
		const char *size_name)
{
	static const char *const format = "/sys/devices/system/node/node%u/hugepages/%s/%s";
	long long total;
	long long free_pages;
	unsigned int kilobytes = 0;

	sscanf(size_name, "hugepages-%ukB", &kilobytes);
	total = machine_number(machine, 0, format, node, size_name, "nr_hugepages");
	free_pages = machine_number(machine, 0, format, node, size_name, "free_hugepages");
	if (total > 0)
		findings_add(findings, free_pages > 0 ? FINDING_OK : FINDING_INFO,
				"memory.hugepages",
				"node %u: %lld of %lld hugepages of %u MiB free", node, free_pages,
				total, kilobytes / 1024);
	return (unsigned long long)free_pages;
}

static unsigned long long
check_node_pages(const struct machine *machine, struct findings *findings, unsigned int node)
{
	DIR *directory = machine_open_directory(
			machine, "/sys/devices/system/node/node%u/hugepages", node);
	unsigned long long free_pages = 0;
	struct dirent *entry;

	if (directory == NULL)
		return 0;
	while ((entry = readdir(directory)) != NULL)
		if (strncmp(entry->d_name, "hugepages-", 10) == 0)
			free_pages += check_pages(machine, findings, node, entry->d_name);
	closedir(directory);
	return free_pages;
}

static void
check_hugepages(const struct machine *machine, struct findings *findings)
{
	unsigned long long free_pages = 0;
	struct finding *finding;

	for (unsigned int i = 0; i < MACHINE_NODES_MAX; i++)
		if (machine->node[i].present)
			free_pages += check_node_pages(machine, findings, i);
	if (free_pages > 0)
		return;
	finding = findings_add(findings, FINDING_WARNING, "memory.hugepages",
			"no hugepage is free: memory: auto will use ordinary pages");
	finding_why(finding, "good for trying and tests; slower with many connections, and pci: "
			     "ports need hugepages");
	finding_fix(finding,
			"echo 512 | sudo tee /sys/devices/system/node/node%u/hugepages/"
			"hugepages-2048kB/nr_hugepages",
			0);
}

/**
 * Whether a process holds a lock on a file, as DPDK does on each hugepage file it uses.
 *
 * Read from /proc/locks: trying for the lock ourselves, as DPDK does when it cleans up, could make
 * a program that starts in this moment fail.
 */
static bool
is_locked(const struct machine *machine, const struct stat *status)
{
	FILE *file = machine_open(machine, "/proc/locks");
	char line[256];
	char wanted[64];
	bool found = false;

	if (file == NULL)
		return false;
	snprintf(wanted, sizeof(wanted), " %02x:%02x:%llu ", major(status->st_dev),
			minor(status->st_dev), (unsigned long long)status->st_ino);
	while (!found && fgets(line, sizeof(line), file) != NULL)
		found = strstr(line, wanted) != NULL;
	fclose(file);
	return found;
}

/** The files of one DPDK program in a mount; it names them PREFIXmap_NUMBER. */
struct owner {
	char prefix[MACHINE_NAME_MAX];
	unsigned int files;
	unsigned long long bytes;
	bool running;
};

static struct owner *
find_owner(struct owner owners[], unsigned int *count, const char *prefix, size_t length)
{
	for (unsigned int i = 0; i < *count; i++)
		if (strlen(owners[i].prefix) == length &&
				strncmp(owners[i].prefix, prefix, length) == 0)
			return &owners[i];
	if (*count == OWNERS_MAX || length >= MACHINE_NAME_MAX)
		return NULL;
	memcpy(owners[*count].prefix, prefix, length);
	return &owners[(*count)++];
}

static unsigned int
list_owners(const struct machine *machine, const char *mount, struct owner owners[])
{
	DIR *directory = machine_open_directory(machine, "%s", mount);
	unsigned int count = 0;
	struct dirent *entry;

	if (directory == NULL)
		return 0;
	while ((entry = readdir(directory)) != NULL) {
		const char *mark = strstr(entry->d_name, "map_");
		struct owner *owner;
		struct stat status;

		if (mark == NULL || mark[4 + strspn(mark + 4, "0123456789")] != '\0' ||
				fstatat(dirfd(directory), entry->d_name, &status, 0) != 0)
			continue;
		owner = find_owner(owners, &count, entry->d_name, (size_t)(mark - entry->d_name));
		if (owner == NULL)
			continue;
		owner->files++;
		owner->bytes += (unsigned long long)status.st_size;
		owner->running |= is_locked(machine, &status);
	}
	closedir(directory);
	return count;
}

/** Report a mount's files that were left behind. @return of how many programs */
static unsigned int
check_mount(const struct machine *machine, struct findings *findings, const char *mount)
{
	struct owner owners[OWNERS_MAX] = {0};
	unsigned int count = list_owners(machine, mount, owners);
	unsigned int stale = 0;

	for (unsigned int i = 0; i < count; i++) {
		const struct owner *owner = &owners[i];
		struct finding *finding;

		if (owner->running)
			continue;
		stale++;
		finding = findings_add(findings, FINDING_WARNING, "memory.stale",
				"%u files %s/%smap_* hold %llu MiB of hugepages that no running "
				"program uses",
				owner->files, mount, owner->prefix, owner->bytes >> 20);
		finding_why(finding, "a DPDK program leaves them behind when it ends; they stay "
				     "taken until removed");
		finding_fix(finding, "sudo rm %s/%smap_*", mount, owner->prefix);
	}
	return stale;
}

static void
check_stale(const struct machine *machine, struct findings *findings)
{
	FILE *mounts = machine_open(machine, "/proc/mounts");
	unsigned int stale = 0;
	char line[1024];

	if (mounts == NULL)
		return;
	while (fgets(line, sizeof(line), mounts) != NULL) {
		char where[512];
		char type[32];

		if (sscanf(line, "%*s %511s %31s", where, type) == 2 &&
				strcmp(type, "hugetlbfs") == 0)
			stale += check_mount(machine, findings, where);
	}
	fclose(mounts);
	if (stale == 0)
		findings_add(findings, FINDING_OK, "memory.stale", "no hugepages left behind");
}

static void
check_memlock(const struct machine *machine, struct findings *findings)
{
	FILE *file = machine_open(machine, "/proc/self/limits");
	struct finding *finding;
	char line[256];
	char soft[32] = "";

	if (file == NULL)
		return;
	while (fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "Max locked memory %31s", soft) == 1)
			break;
	fclose(file);
	if (strcmp(soft, "unlimited") == 0 || strtoull(soft, NULL, 10) >= MEMLOCK_ENOUGH ||
			machine_capable(machine, MACHINE_CAP_IPC_LOCK)) {
		findings_add(findings, FINDING_OK, "memory.locked",
				"may lock as much memory as it takes");
		return;
	}
	finding = findings_add(findings, FINDING_WARNING, "memory.locked",
			"may lock %llu KiB of memory only", strtoull(soft, NULL, 10) >> 10);
	finding_why(finding, "pci: ports and AF_XDP lock their buffers");
	finding_fix(finding, "ulimit -l unlimited    # or LimitMEMLOCK=infinity in the unit");
}

void
doctor_memory(const struct machine *machine, struct findings *findings)
{
	check_hugepages(machine, findings);
	check_stale(machine, findings);
	check_memlock(machine, findings);
}
