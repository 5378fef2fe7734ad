/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Which devices a plugin drives stands in the plugin itself, as text that begins with
 * PMD_INFO_STRING: what dpdk-pmdinfo.py prints.  So no table of devices has to be kept here.
 */

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_config.h>

#include "pmd.h"

#define INFO_MARK "PMD_INFO_STRING= "

const char *
pmd_directory(void)
{
	return RTE_EAL_PMD_PATH;
}

bool
pmd_present(const struct machine *machine, const char *driver)
{
	return pmd_directory()[0] == '\0' ||
	       machine_exists(machine, "%s/librte_%s.so", pmd_directory(), driver);
}

void
pmd_fix(struct finding *finding, const char *driver)
{
	const char *version = strstr(pmd_directory(), "/pmds-");
	char package[PMD_NAME_MAX];
	unsigned int major;
	size_t i;

	/* Debian's naming: librte-net-tap23, but librte-net-e1000-23. */
	snprintf(package, sizeof(package), "%s", driver);
	for (i = 0; package[i] != '\0'; i++)
		if (package[i] == '_')
			package[i] = '-';
	if (strncmp(pmd_directory(), "/usr/lib/", 9) == 0 && version != NULL &&
			sscanf(version, "/pmds-%u", &major) == 1)
		finding_fix(finding, "apt-get install librte-%s%s%u", package,
				i > 0 && isdigit((unsigned char)package[i - 1]) ? "-" : "", major);
	else
		finding_fix(finding, "build DPDK with its driver %s enabled", driver);
}

/** Whether one PMD_INFO_STRING lists a device. */
static bool
info_has(const char *text, size_t length, unsigned int vendor, unsigned int device)
{
	json_t *info = json_loadb(text, length, JSON_DISABLE_EOF_CHECK, NULL);
	json_t *ids = json_object_get(info, "pci_ids");
	bool found = false;
	json_t *id;
	size_t i;

	json_array_foreach(ids, i, id)
	{
		json_int_t id_vendor = json_integer_value(json_array_get(id, 0));
		json_int_t id_device = json_integer_value(json_array_get(id, 1));

		found |= id_vendor == vendor && id_device == device;
	}
	json_decref(info);
	return found;
}

static bool
plugin_has(const char *bytes, size_t size, unsigned int vendor, unsigned int device)
{
	const char *end = bytes + size;
	const char *at = bytes;

	while ((at = memmem(at, (size_t)(end - at), INFO_MARK, strlen(INFO_MARK))) != NULL) {
		at += strlen(INFO_MARK);
		if (info_has(at, strnlen(at, (size_t)(end - at)), vendor, device))
			return true;
	}
	return false;
}

static bool
plugin_file_has(const char *path, unsigned int vendor, unsigned int device)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	bool found = false;
	void *bytes;

	if (fd < 0)
		return false;
	if (fstat(fd, &status) == 0 && status.st_size > 0) {
		bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (bytes != MAP_FAILED) {
			found = plugin_has(bytes, (size_t)status.st_size, vendor, device);
			munmap(bytes, (size_t)status.st_size);
		}
	}
	close(fd);
	return found;
}

bool
pmd_for_pci(const struct machine *machine, unsigned int vendor, unsigned int device,
		char driver[PMD_NAME_MAX])
{
	DIR *directory = machine_open_directory(machine, "%s", pmd_directory());
	bool found = false;
	struct dirent *entry;

	if (directory == NULL)
		return false;
	while (!found && (entry = readdir(directory)) != NULL) {
		char path[PATH_MAX];
		int length = 0;

		if (sscanf(entry->d_name, "librte_%63[^.].so%n", driver, &length) != 1 ||
				length == 0 || entry->d_name[length] != '\0' ||
				strncmp(driver, "net_", 4) != 0)
			continue;
		snprintf(path, sizeof(path), "%s%s/%s", machine->root, pmd_directory(),
				entry->d_name);
		found = plugin_file_has(path, vendor, device);
	}
	closedir(directory);
	return found;
}
