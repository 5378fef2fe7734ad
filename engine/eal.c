/* SPDX-License-Identifier: BSD-3-Clause */

#include <dirent.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>

#include "engine/device.h"
#include "engine/direct.h"
#include "engine/eal.h"
#include "engine/grow.h"
#include "engine/log.h"
#include "engine/memif.h"
#include "engine/port.h"
#include "engine/proxy.h"
#include "engine/worker.h"

#define EAL_ARGUMENTS_MAX  128
#define EAL_ARGUMENT_BYTES 1024

#ifdef __has_feature
#define EAL_HAS_FEATURE(name) __has_feature(name)
#else
#define EAL_HAS_FEATURE(name) 0
#endif

/*
 * DPDK's usual place, from 4 GiB on, is AddressSanitizer's: memory was then reserved among threads'
 * stacks.  DPDK tries a page of 1 GiB first, the kernel says that it has none and has forgotten the
 * reservation, a thread that begins just then has its stack there, and DPDK reserves it once more.
 */
#if defined(__SANITIZE_ADDRESS__) || EAL_HAS_FEATURE(address_sanitizer)
static const char *const eal_place = "--base-virtaddr=0x200000000000";
#else
static const char *const eal_place;
#endif

/* What DPDK, its drivers and the rings need beside our tables and buffers. */
#define EAL_RESERVE_BYTES (64ull << 20)

struct eal_arguments {
	int count;
	char *text[EAL_ARGUMENTS_MAX];
};

static void eal_add(struct eal_arguments *arguments, const char *format, ...)
		__rte_format_printf(2, 3);

static void
eal_add(struct eal_arguments *arguments, const char *format, ...)
{
	char text[EAL_ARGUMENT_BYTES];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	if (arguments->count < EAL_ARGUMENTS_MAX - 1)
		arguments->text[arguments->count++] = strdup(text);
}

static bool
eal_core_is_worker(const struct eal_cores *cores, unsigned int core)
{
	for (unsigned int i = 0; i < cores->worker_count; i++) {
		if (cores->worker[i] == core)
			return true;
	}
	return false;
}

/* The cores this process may run on, in order. */
static unsigned int
eal_allowed_cores(uint16_t allowed[EAL_WORKERS_MAX])
{
	cpu_set_t set;
	unsigned int n = 0;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		CPU_SET(0, &set);
	for (unsigned int core = 0; core < CPU_SETSIZE && n < EAL_WORKERS_MAX; core++) {
		if (CPU_ISSET(core, &set))
			allowed[n++] = (uint16_t)core;
	}
	return n;
}

void
eal_choose_cores(const struct settings *settings, struct eal_cores *cores)
{
	uint16_t allowed[EAL_WORKERS_MAX];
	const unsigned int n = eal_allowed_cores(allowed);
	const struct settings_engine *engine = &settings->engine;
	const bool main_chosen = engine->main_core != SETTINGS_AUTO;

	cores->worker_count = 0;
	cores->main_core = main_chosen ? engine->main_core : allowed[0];
	if (engine->workers.count > 0) {
		for (unsigned int i = 0; i < engine->workers.count; i++)
			cores->worker[cores->worker_count++] =
					engine->workers.cores[i] == SETTINGS_ANY_CORE
							? allowed[i % n]
							: engine->workers.cores[i];
	} else {
		for (unsigned int i = 0; i < n; i++) {
			if (n == 1 || allowed[i] != cores->main_core)
				cores->worker[cores->worker_count++] = allowed[i];
		}
	}
	/* The main thread sleeps most of the time: it may share, but better not. */
	for (unsigned int i = 0; !main_chosen && i < n; i++) {
		if (!eal_core_is_worker(cores, allowed[i])) {
			cores->main_core = allowed[i];
			break;
		}
	}
}

bool
eal_lends_buffers(const struct settings *settings)
{
	for (unsigned int i = 0; i < settings->port_count; i++) {
		if (settings_device_is_zero_copy(&settings->port[i].device))
			return true;
	}
	return false;
}

unsigned int
eal_buffer_count(const struct settings *settings, const struct eal_cores *cores)
{
	const unsigned int workers = cores->worker_count;
	unsigned int descriptors = 0;

	for (unsigned int i = 0; i < settings->port_count; i++) {
		const struct settings_port *port = &settings->port[i];
		unsigned int most = PORT_DESCRIPTORS;

		/* Its rings are full of our buffers, all the time. */
		if (settings_device_is_zero_copy(&port->device))
			most = RTE_MAX(most, settings_device_ring_slots(&port->device));
		descriptors += RTE_MAX(port->queues, workers) * most;
	}
	/* Descriptors both ways; caches and bursts of every worker; rings between them. */
	return descriptors * 2 + workers * 1024 + workers * (workers - 1) * 1024 +
	       workers * proxy_buffers(settings) + 4095;
}

unsigned int
eal_buffer_bytes(const struct settings *settings)
{
	unsigned int data = RTE_MBUF_DEFAULT_DATAROOM;

	for (unsigned int i = 0; i < settings->port_count; i++)
		data = RTE_MAX(data, settings->port[i].mtu + 64);
	return RTE_ALIGN_CEIL(data, 64u) + RTE_PKTMBUF_HEADROOM;
}

static uint64_t
eal_memory_needed(const struct settings *settings, const struct eal_cores *cores)
{
	const uint64_t buffers = (uint64_t)eal_buffer_count(settings, cores) *
				 (eal_buffer_bytes(settings) + sizeof(struct rte_mbuf) + 128);

	const uint64_t each = worker_footprint(settings) +
			      (proxy_is_wanted(settings) ? proxy_footprint(settings) : 0) +
			      (direct_is_wanted(settings) ? direct_footprint(settings) : 0);

	return cores->worker_count * each + buffers + EAL_RESERVE_BYTES;
}

/* A number of one size of hugepages, 0 where it cannot be read. */
static unsigned long long
eal_hugepages(const char *size, const char *which)
{
	unsigned long long pages = 0;
	char name[512];
	FILE *file;

	snprintf(name, sizeof(name), "/sys/kernel/mm/hugepages/%s/%s", size, which);
	file = fopen(name, "r");
	if (file == NULL)
		return 0;
	if (fscanf(file, "%llu", &pages) != 1)
		pages = 0;
	fclose(file);
	return pages;
}

/*
 * Hugepage memory of all sizes that may be had: the kernel counts as free, too, what a process has
 * mapped and not written to yet (Documentation/admin-guide/mm/hugetlbpage.rst, HugePages_Rsvd).
 */
static uint64_t
eal_free_hugepages(void)
{
	static const char *const path = "/sys/kernel/mm/hugepages";
	uint64_t bytes = 0;
	DIR *directory = opendir(path);
	const struct dirent *entry;

	if (directory == NULL)
		return 0;
	while ((entry = readdir(directory)) != NULL) {
		unsigned long long kilobytes, pages, reserved;

		if (sscanf(entry->d_name, "hugepages-%llukB", &kilobytes) != 1)
			continue;
		pages = eal_hugepages(entry->d_name, "free_hugepages");
		reserved = eal_hugepages(entry->d_name, "resv_hugepages");
		bytes += (pages - RTE_MIN(pages, reserved)) * kilobytes * 1024;
	}
	closedir(directory);
	return bytes;
}

void
eal_choose_memory(const struct settings *settings, const struct eal_cores *cores,
		struct eal_memory *memory)
{
	const uint64_t needed = eal_memory_needed(settings, cores);
	const uint64_t free_bytes = eal_free_hugepages();

	memory->free_bytes = free_bytes;
	memory->mode = settings->engine.memory;
	memory->bytes = settings->engine.memory_size != 0 ? settings->engine.memory_size : needed;
	if (memory->mode == SETTINGS_MEMORY_AUTO && free_bytes >= memory->bytes) {
		memory->mode = SETTINGS_MEMORY_HUGE;
	} else if (memory->mode == SETTINGS_MEMORY_AUTO) {
		memory->mode = SETTINGS_MEMORY_NONE;
		log_warning("memory",
				"%llu MiB of hugepages are free and %llu are needed: running on "
				"ordinary pages, slower. For hugepages: echo %llu > "
				"/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages",
				(unsigned long long)(free_bytes >> 20),
				(unsigned long long)(memory->bytes >> 20),
				(unsigned long long)((memory->bytes >> 21) + 1));
	}
	/* Of hugepages more can be had later.  Ordinary ones are taken when they are written to. */
	if (memory->mode == SETTINGS_MEMORY_NONE && settings->engine.memory_size == 0)
		memory->bytes += cores->worker_count * grow_footprint(settings);
}

void
eal_explain_shortage(const struct eal_memory *memory)
{
	if (memory->mode == SETTINGS_MEMORY_HUGE)
		log_error("memory",
				"%llu MiB of hugepages were free when they were counted, %llu are "
				"now: if another process took some, start again (memory: auto "
				"then takes ordinary pages), or have more of them",
				(unsigned long long)(memory->free_bytes >> 20),
				(unsigned long long)(eal_free_hugepages() >> 20));
}

static void
eal_add_memory(struct eal_arguments *arguments, const struct eal_memory *memory)
{
	const unsigned long long megabytes = (memory->bytes >> 20) + 1;

	switch (memory->mode) {
	case SETTINGS_MEMORY_HUGE:
	case SETTINGS_MEMORY_AUTO:
		eal_add(arguments, "--in-memory");
		break;
	case SETTINGS_MEMORY_SHARED:
		break;
	case SETTINGS_MEMORY_NONE:
		eal_add(arguments, "--no-huge");
		eal_add(arguments, "--no-shconf");
		eal_add(arguments, "-m");
		eal_add(arguments, "%llu", megabytes);
		break;
	}
}

static void
eal_add_cores(struct eal_arguments *arguments, const struct eal_cores *cores)
{
	char map[EAL_ARGUMENT_BYTES];
	int length = snprintf(map, sizeof(map), "0@%u", cores->main_core);

	for (unsigned int i = 0; i < cores->worker_count; i++)
		length += snprintf(map + length, sizeof(map) - (size_t)length, ",%u@%u", i + 1,
				cores->worker[i]);
	eal_add(arguments, "--lcores=%s", map);
	eal_add(arguments, "--main-lcore=0");
}

static void
eal_add_devices(struct eal_arguments *arguments, const struct settings *settings,
		const struct eal_memory *memory)
{
	bool pci = false;
	bool few_files = false;

	for (unsigned int i = 0; i < settings->port_count; i++) {
		struct device device;

		if (memif_is_ours(&settings->port[i].device))
			continue; /* engine/memif.h */
		device_resolve(&device, &settings->port[i], i);
		eal_add(arguments, "%s", device.argument);
		pci |= !device.virtual;
		few_files |= device.few_files;
	}
	if (!pci)
		eal_add(arguments, "--no-pci");
	if (few_files && memory->mode != SETTINGS_MEMORY_NONE)
		eal_add(arguments, "--single-file-segments");
}

/* Raw arguments of the settings, split at blanks. */
static void
eal_add_raw(struct eal_arguments *arguments, const char *raw)
{
	char *copy = strdup(raw);
	char *rest = NULL;

	for (char *word = strtok_r(copy, " \t", &rest); word != NULL;
			word = strtok_r(NULL, " \t", &rest))
		eal_add(arguments, "%s", word);
	free(copy);
}

static void
eal_log_arguments(const struct eal_arguments *arguments)
{
	char line[EAL_ARGUMENT_BYTES] = "";
	size_t length = 0;

	for (int i = 1; i < arguments->count && length < sizeof(line); i++)
		length += (size_t)snprintf(
				line + length, sizeof(line) - length, " %s", arguments->text[i]);
	log_info("eal", "arguments:%s", line);
}

/* DPDK leaves it; not empty while memory is shared, for others may use what is there. */
static void
eal_remove_folder(void)
{
	rmdir(rte_eal_get_runtime_dir());
}

void
eal_leave_no_folder(void)
{
	if (atexit(eal_remove_folder) != 0)
		log_warning("eal", "%s will stay", rte_eal_get_runtime_dir());
}

int
eal_start(const struct settings *settings, const struct eal_cores *cores,
		const struct eal_memory *memory)
{
	/* DPDK keeps pointers into its arguments: they live as long as the process. */
	static struct eal_arguments arguments;
	int result;

	eal_add(&arguments, "handfast");
	eal_add_cores(&arguments, cores);
	eal_add(&arguments, "--file-prefix=%s", settings->engine.instance);
	if (eal_place != NULL)
		eal_add(&arguments, "%s", eal_place);
	eal_add_memory(&arguments, memory);
	eal_add_devices(&arguments, settings, memory);
	if (settings->engine.log_level < SETTINGS_LOG_DEBUG)
		eal_add(&arguments, "--log-level=*:error");
	eal_add_raw(&arguments, settings->engine.eal);
	eal_log_arguments(&arguments);

	eal_leave_no_folder();
	result = rte_eal_init(arguments.count, arguments.text);
	if (result < 0) {
		log_error("eal",
				"DPDK does not start: %s; its own reason stands above. Is another "
				"instance named %s running? `handfast doctor` checks the machine",
				rte_strerror(rte_errno), settings->engine.instance);
		return -1;
	}
	return 0;
}
