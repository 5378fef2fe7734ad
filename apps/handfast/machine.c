/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Nothing here changes the machine, takes a lock or loads a module.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_common.h>

#include "machine.h"

/** PATH under the root, from a printf format. */
#define EXPAND(machine, expanded, path)                     \
	do {                                                \
		va_list arguments;                          \
		va_start(arguments, path);                  \
		expand(machine, expanded, path, arguments); \
		va_end(arguments);                          \
	} while (0)

static void __attribute__((format(printf, 3, 0)))
expand(const struct machine *machine, char expanded[PATH_MAX], const char *path, va_list arguments)
{
	size_t length = strlen(machine->root);

	memcpy(expanded, machine->root, length);
	vsnprintf(expanded + length, PATH_MAX - length, path, arguments);
}

void
machine_init(struct machine *machine, const char *root)
{
	memset(machine, 0, sizeof(*machine));
	snprintf(machine->root, sizeof(machine->root), "%s", root);
	machine_read(machine, machine->online, sizeof(machine->online),
			"/sys/devices/system/cpu/online");
	machine_nodes_init(machine);
}

bool
machine_is_real(const struct machine *machine)
{
	return machine->root[0] == '\0';
}

static int
read_file(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "re");
	size_t length;

	text[0] = '\0';
	if (file == NULL)
		return -errno;
	length = fread(text, 1, size - 1, file);
	fclose(file);
	while (length > 0 && text[length - 1] == '\n')
		length--;
	text[length] = '\0';
	return 0;
}

int
machine_read(const struct machine *machine, char *text, size_t size, const char *path, ...)
{
	char expanded[PATH_MAX];

	EXPAND(machine, expanded, path);
	return read_file(expanded, text, size);
}

long long
machine_number(const struct machine *machine, long long missing, const char *path, ...)
{
	char expanded[PATH_MAX];
	char text[64];
	char *end;
	long long number;

	EXPAND(machine, expanded, path);
	if (read_file(expanded, text, sizeof(text)) != 0)
		return missing;
	number = strtoll(text, &end, 0);
	return end == text ? missing : number;
}

bool
machine_exists(const struct machine *machine, const char *path, ...)
{
	char expanded[PATH_MAX];

	EXPAND(machine, expanded, path);
	return access(expanded, F_OK) == 0;
}

FILE *
machine_open(const struct machine *machine, const char *path, ...)
{
	char expanded[PATH_MAX];

	EXPAND(machine, expanded, path);
	return fopen(expanded, "re");
}

DIR *
machine_open_directory(const struct machine *machine, const char *path, ...)
{
	char expanded[PATH_MAX];

	EXPAND(machine, expanded, path);
	return opendir(expanded);
}

const char *
machine_link(const struct machine *machine, char name[MACHINE_NAME_MAX], const char *path, ...)
{
	char expanded[PATH_MAX];
	char target[PATH_MAX];
	const char *last;
	ssize_t length;

	EXPAND(machine, expanded, path);
	name[0] = '\0';
	length = readlink(expanded, target, sizeof(target) - 1);
	if (length < 0)
		return name;
	target[length] = '\0';
	last = strrchr(target, '/');
	snprintf(name, MACHINE_NAME_MAX, "%.*s", MACHINE_NAME_MAX - 1,
			last == NULL ? target : last + 1);
	return name;
}

/** Take one range off the front of a list. @return false at its end */
static bool
next_range(const char **list, unsigned int *first, unsigned int *last)
{
	int length;

	if (sscanf(*list, "%u-%u%n", first, last, &length) == 2) {
		*list += length;
	} else if (sscanf(*list, "%u%n", first, &length) == 1) {
		*last = *first;
		*list += length;
	} else {
		return false;
	}
	*list += **list == ',';
	return true;
}

bool
machine_list_has(const char *list, unsigned int number)
{
	unsigned int first;
	unsigned int last;

	while (next_range(&list, &first, &last))
		if (number >= first && number <= last)
			return true;
	return false;
}

unsigned int
machine_list_count(const char *list)
{
	unsigned int count = 0;
	unsigned int first;
	unsigned int last;

	while (next_range(&list, &first, &last))
		count += last - first + 1;
	return count;
}

int
machine_field(const struct machine *machine, char *value, size_t size, const char *path,
		const char *name)
{
	FILE *file = machine_open(machine, "%s", path);
	size_t name_length = strlen(name);
	int result = -ENOENT;
	char *line = NULL;
	size_t line_size = 0;

	value[0] = '\0';
	if (file == NULL)
		return -errno;
	while (getline(&line, &line_size, file) > 0) {
		const char *rest = line + name_length;

		if (strncmp(line, name, name_length) != 0)
			continue;
		/* "flags\t\t: fpu vme", "CapEff:\t0000". */
		rest += strspn(rest, " \t");
		if (*rest != ':')
			continue;
		rest++;
		rest += strspn(rest, " \t");
		snprintf(value, size, "%.*s", (int)strcspn(rest, "\n"), rest);
		result = 0;
		break;
	}
	free(line);
	fclose(file);
	return result;
}

bool
machine_capable(const struct machine *machine, enum machine_capability capability)
{
	char effective[64];

	if (machine_field(machine, effective, sizeof(effective), "/proc/self/status", "CapEff") !=
			0)
		return false;
	return strtoull(effective, NULL, 16) >> capability & 1;
}

static bool
has_default_route_ipv4(const struct machine *machine, const char *interface)
{
	FILE *file = machine_open(machine, "/proc/net/route");
	bool found = false;
	char line[512];

	if (file == NULL)
		return false;
	while (!found && fgets(line, sizeof(line), file) != NULL) {
		char name[MACHINE_NAME_MAX];
		char destination[16];
		char mask[16];

		found = sscanf(line, "%63s %15s %*s %*s %*s %*s %*s %15s", name, destination,
					mask) == 3 &&
			strcmp(name, interface) == 0 && strcmp(destination, "00000000") == 0 &&
			strcmp(mask, "00000000") == 0;
	}
	fclose(file);
	return found;
}

static bool
has_default_route_ipv6(const struct machine *machine, const char *interface)
{
	FILE *file = machine_open(machine, "/proc/net/ipv6_route");
	bool found = false;
	char line[512];

	if (file == NULL)
		return false;
	while (!found && fgets(line, sizeof(line), file) != NULL) {
		char name[MACHINE_NAME_MAX];
		char destination[40];
		char length[8];

		found = sscanf(line, "%39s %7s %*s %*s %*s %*s %*s %*s %*s %63s", destination,
					length, name) == 3 &&
			strcmp(name, interface) == 0 && strcmp(length, "00") == 0 &&
			strspn(destination, "0") == 32;
	}
	fclose(file);
	return found;
}

bool
machine_has_default_route(const struct machine *machine, const char *interface)
{
	return has_default_route_ipv4(machine, interface) ||
	       has_default_route_ipv6(machine, interface);
}

/** The PCI address in the real path of an interface's device, such as .../0000:00:03.0/virtio2. */
static void
find_pci_address(const struct machine *machine, const char *interface,
		char address[MACHINE_NAME_MAX])
{
	char path[PATH_MAX];
	char resolved[PATH_MAX];
	char *component;
	char *rest;

	address[0] = '\0';
	snprintf(path, sizeof(path), "%s/sys/class/net/%s/device", machine->root, interface);
	if (realpath(path, resolved) == NULL)
		return;
	for (component = strtok_r(resolved, "/", &rest); component != NULL;
			component = strtok_r(NULL, "/", &rest)) {
		unsigned int part[4];
		int length = 0;

		if (sscanf(component, "%4x:%2x:%2x.%1x%n", &part[0], &part[1], &part[2], &part[3],
				    &length) == 4 &&
				component[length] == '\0')
			snprintf(address, MACHINE_NAME_MAX, "%.*s", MACHINE_NAME_MAX - 1,
					component);
	}
}

static void
describe_pci(const struct machine *machine, struct machine_nic *nic)
{
	const char *address = nic->address;

	nic->vendor = (unsigned int)machine_number(
			machine, 0, "/sys/bus/pci/devices/%s/vendor", address);
	nic->device = (unsigned int)machine_number(
			machine, 0, "/sys/bus/pci/devices/%s/device", address);
	nic->node = (int)machine_number(machine, -1, "/sys/bus/pci/devices/%s/numa_node", address);
}

static unsigned int
list_interfaces(const struct machine *machine, struct machine_nic nics[], unsigned int max)
{
	DIR *directory = machine_open_directory(machine, "/sys/class/net");
	unsigned int count = 0;
	struct dirent *entry;

	if (directory == NULL)
		return 0;
	while (count < max && (entry = readdir(directory)) != NULL) {
		struct machine_nic *nic = &nics[count];

		/* Virtual interfaces have no device. */
		if (entry->d_name[0] == '.' ||
				!machine_exists(machine, "/sys/class/net/%s/device", entry->d_name))
			continue;
		memset(nic, 0, sizeof(*nic));
		nic->node = -1;
		snprintf(nic->name, sizeof(nic->name), "%.*s", MACHINE_NAME_MAX - 1, entry->d_name);
		machine_link(machine, nic->driver, "/sys/class/net/%s/device/driver", nic->name);
		find_pci_address(machine, nic->name, nic->address);
		if (nic->address[0] != '\0')
			describe_pci(machine, nic);
		nic->default_route = machine_has_default_route(machine, nic->name);
		count++;
	}
	closedir(directory);
	return count;
}

static bool
is_listed(const struct machine_nic nics[], unsigned int count, const char *address)
{
	for (unsigned int i = 0; i < count; i++)
		if (strcmp(nics[i].address, address) == 0)
			return true;
	return false;
}

/** Add the network devices (PCI class 02) that no kernel interface belongs to. */
static unsigned int
list_detached(const struct machine *machine, struct machine_nic nics[], unsigned int count,
		unsigned int max)
{
	DIR *directory = machine_open_directory(machine, "/sys/bus/pci/devices");
	struct dirent *entry;

	if (directory == NULL)
		return count;
	while (count < max && (entry = readdir(directory)) != NULL) {
		struct machine_nic *nic = &nics[count];

		if (entry->d_name[0] == '.' || is_listed(nics, count, entry->d_name) ||
				machine_number(machine, 0, "/sys/bus/pci/devices/%s/class",
						entry->d_name) >>
								16 !=
						0x02)
			continue;
		memset(nic, 0, sizeof(*nic));
		snprintf(nic->address, sizeof(nic->address), "%.*s", MACHINE_NAME_MAX - 1,
				entry->d_name);
		machine_link(machine, nic->driver, "/sys/bus/pci/devices/%s/driver", nic->address);
		describe_pci(machine, nic);
		count++;
	}
	closedir(directory);
	return count;
}

unsigned int
machine_nics(const struct machine *machine, struct machine_nic nics[], unsigned int max)
{
	return list_detached(machine, nics, list_interfaces(machine, nics, max), max);
}
