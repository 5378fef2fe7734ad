/* SPDX-License-Identifier: BSD-3-Clause */

#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>

#include "engine/eal.h"
#include "engine/worker.h"

#include "../handfast/exit_code.h"
#include "../handfast/machine.h"
#include "capacity.h"

/*
 * Two workers on one core halve each other, and the buffers in the rings between all of them grow
 * by the square of their number.  Who names cores may mean some that are kept free of others
 * (isolcpus), and are in nobody's affinity.
 */
static int
capacity_check_cores(const struct settings *settings)
{
	const unsigned int workers = settings->engine.workers.count;
	unsigned int cores;
	cpu_set_t allowed;

	if (workers == 0 || settings->engine.workers.cores[0] != SETTINGS_ANY_CORE ||
			sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
		return EXIT_CODE_OK;
	cores = (unsigned int)CPU_COUNT(&allowed);
	if (workers <= cores)
		return EXIT_CODE_OK;
	fprintf(stderr,
			"handfast-load: --workers: %u workers, and this process may use %u core%s; "
			"use at most %u\n",
			workers, cores, cores == 1 ? "" : "s", cores);
	return EXIT_CODE_PREFLIGHT;
}

/* What the engine computes of what it writes to; more may be reserved. */
static uint64_t
capacity_needed(struct settings *settings, const struct eal_cores *cores)
{
	const struct settings_engine said = settings->engine;
	struct eal_memory memory;

	settings->engine.memory = SETTINGS_MEMORY_HUGE;
	settings->engine.memory_size = 0;
	eal_choose_memory(settings, cores, &memory);
	settings->engine = said;
	return said.memory_size != 0 ? RTE_MIN(said.memory_size, memory.bytes) : memory.bytes;
}

/* Outside DPDK's memory: a byte for each tuple that may be held, by every worker (load_idle.c). */
static uint64_t
capacity_needed_held(const struct load_plan *plan, const struct eal_cores *cores)
{
	const unsigned int workers = cores->worker_count;

	return plan->exchange == LOAD_IDLE ? load_idle_span(plan->concurrency, workers) * workers
					   : 0;
}

/* Ordinary memory that can be had; when the kernel does not say, all there may ever be. */
static uint64_t
capacity_available(const struct machine *machine)
{
	unsigned long long kilobytes;
	char text[64];

	if (machine_field(machine, text, sizeof(text), "/proc/meminfo", "MemAvailable") != 0 ||
			sscanf(text, "%llu", &kilobytes) != 1)
		return UINT64_MAX;
	return (uint64_t)kilobytes << 10;
}

/* What makes it so much. */
static const char *
capacity_option(const struct settings *settings, const struct eal_cores *cores, uint64_t needed)
{
	if (cores->worker_count * worker_footprint(settings) > needed / 2)
		return "--concurrency or --connections";
	return cores->worker_count > 1 ? "--workers" : "--queues or --mtu";
}

static int
capacity_complain(uint64_t needed, uint64_t available, const char *kind, const char *option)
{
	fprintf(stderr,
			"handfast-load: %" PRIu64 " MiB of memory are needed, and %" PRIu64
			" MiB%s are free; lower %s\n",
			needed >> 20, available >> 20, kind, option);
	return EXIT_CODE_PREFLIGHT;
}

static int
capacity_check_memory(const struct load_plan *plan, struct settings *settings)
{
	const enum settings_memory mode = settings->engine.memory;
	uint64_t needed, held, pages, available;
	struct machine machine;
	struct eal_cores cores;
	const char *option;

	machine_init(&machine, "");
	eal_choose_cores(settings, &cores);
	needed = capacity_needed(settings, &cores);
	held = capacity_needed_held(plan, &cores);
	option = capacity_option(settings, &cores, needed);
	pages = mode == SETTINGS_MEMORY_NONE ? 0 : machine_free_hugepages(&machine);
	available = capacity_available(&machine);
	if (pages < needed && (mode == SETTINGS_MEMORY_HUGE || mode == SETTINGS_MEMORY_SHARED))
		return capacity_complain(needed, pages, " of hugepages", option);
	/* What is not in hugepages is in ordinary ones. */
	if (pages < needed && available < needed)
		return capacity_complain(needed, available, "", option);
	if (available < held + (pages < needed ? needed : 0))
		return capacity_complain(needed + held, available, "", "--concurrency");
	return EXIT_CODE_OK;
}

int
capacity_check(const struct options *options)
{
	const int code = capacity_check_cores(options->settings);

	return code == EXIT_CODE_OK ? capacity_check_memory(&options->plan, options->settings)
				    : code;
}
