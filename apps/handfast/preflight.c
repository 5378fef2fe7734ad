/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Cores, memory, packet buffers and the name of the instance; ports are in preflight_device.c.
 */

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_config.h>

#include "exit_code.h"
#include "cookie/secret.h"
#include "limit/prefix_list.h"
#include "pmd.h"
#include "preflight.h"
#include "telemetry_client.h"

static void
check_core(const struct machine *machine, const char *option, unsigned int core,
		struct findings *findings)
{
	struct finding *finding;
	cpu_set_t allowed;

	if (!machine_list_has(machine->online, core)) {
		finding = findings_add(findings, FINDING_BLOCKING, "run.cores",
				"%s: there is no core %u; online are %s", option, core,
				machine->online);
		finding_fix(finding, "set %s to cores of %s, or to auto", option, machine->online);
		return;
	}
	if (machine_is_real(machine) && sched_getaffinity(0, sizeof(allowed), &allowed) == 0 &&
			!CPU_ISSET(core, &allowed)) {
		finding = findings_add(findings, FINDING_BLOCKING, "run.cores",
				"%s: this process may not use core %u", option, core);
		finding_why(finding, "a cpuset, a container or taskset keeps it off that core");
		finding_fix(finding,
				"grep Cpus_allowed_list /proc/self/status    # choose of these");
	}
}

static void
check_cores(const struct machine *machine, const struct settings *settings,
		struct findings *findings)
{
	const struct settings_engine *engine = &settings->engine;
	unsigned int before = findings->by_severity[FINDING_BLOCKING];
	struct finding *finding;

	for (unsigned int i = 0; i < engine->workers.count; i++) {
		if (engine->workers.cores[i] != SETTINGS_ANY_CORE)
			check_core(machine, "engine.workers", engine->workers.cores[i], findings);
	}
	if (engine->main_core != SETTINGS_AUTO)
		check_core(machine, "engine.main_core", engine->main_core, findings);
	if (engine->workers.count > RTE_MAX_LCORE - 1) {
		finding = findings_add(findings, FINDING_BLOCKING, "run.cores",
				"engine.workers: %u workers; this DPDK is built for %u threads",
				engine->workers.count, RTE_MAX_LCORE);
		finding_fix(finding, "set engine.workers to fewer cores");
	}
	if (findings->by_severity[FINDING_BLOCKING] == before)
		findings_add(findings, FINDING_OK, "run.cores", "the cores of engine are there");
}

static void
check_memory(const struct machine *machine, const struct settings *settings,
		struct findings *findings)
{
	enum settings_memory memory = settings->engine.memory;
	uint64_t wanted = settings->engine.memory_size;
	uint64_t pages = machine_free_hugepages(machine);
	struct finding *finding;

	if ((memory != SETTINGS_MEMORY_HUGE && memory != SETTINGS_MEMORY_SHARED) ||
			(pages > 0 && pages >= wanted))
		return;
	/* Half a GiB is enough for a small set-up whose size is computed later. */
	if (wanted == 0)
		wanted = 512ull << 20;
	finding = findings_add(findings, FINDING_BLOCKING, "run.memory",
			"engine.memory asks for hugepages: %llu MiB are free, %llu MiB are needed",
			(unsigned long long)pages >> 20, (unsigned long long)wanted >> 20);
	finding_why(finding, "memory: auto would use ordinary pages instead");
	finding_fix(finding,
			"echo %llu | sudo tee /sys/kernel/mm/hugepages/hugepages-2048kB/"
			"nr_hugepages",
			(unsigned long long)(wanted + (2ull << 20) - 1) >> 21);
}

/** Memory that other processes are to share lies in files. */
static void
check_shared_memory(const struct machine *machine, const struct settings *settings,
		struct findings *findings)
{
	FILE *mounts = machine_open(machine, "/proc/mounts");
	struct finding *finding;
	char line[1024];
	bool mounted = false;

	while (mounts != NULL && !mounted && fgets(line, sizeof(line), mounts) != NULL) {
		char type[32];

		mounted = sscanf(line, "%*s %*s %31s", type) == 1 && strcmp(type, "hugetlbfs") == 0;
	}
	if (mounts != NULL)
		fclose(mounts);
	if (mounted || settings->engine.memory != SETTINGS_MEMORY_SHARED)
		return;
	finding = findings_add(findings, FINDING_BLOCKING, "run.hugetlbfs",
			"engine.memory is shared, and no hugetlbfs is mounted");
	finding_why(finding, "secondary processes (dpdk-dumpcap, dpdk-proc-info) find the memory "
			     "by its files");
	finding_fix(finding, "sudo mkdir -p /dev/hugepages && sudo mount -t hugetlbfs none "
			     "/dev/hugepages");
}

/** A secret that the engine would refuse at its start. */
static void
check_secret_file(const char *option, const char *path, struct findings *findings)
{
	struct secret_problem problem;
	struct secret *secret;
	struct finding *finding;

	if (path[0] == '\0')
		return;
	secret = secret_load(path, &problem);
	if (secret == NULL) {
		finding = findings_add(findings, FINDING_BLOCKING, "run.secret", "%s: %s", option,
				problem.what);
		finding_fix(finding, "%s", problem.remedy);
	}
	secret_free(secret);
}

static void
check_secret(const struct settings *settings, struct findings *findings)
{
	check_secret_file("engine.secret", settings->engine.secret, findings);
	/* The second one may be missing. */
	if (access(settings->engine.secret_accepted, F_OK) == 0)
		check_secret_file("engine.secret_accepted", settings->engine.secret_accepted,
				findings);
}

/** Lists that the engine would refuse at its start. */
static void
check_list(const char *option, const char *path, struct findings *findings)
{
	struct prefix_list list = {0};
	struct finding *finding;
	char *text = NULL;
	size_t length;
	FILE *errors;

	if (path[0] == '\0')
		return;
	errors = open_memstream(&text, &length);
	if (errors == NULL)
		return;
	if (!prefix_list_read(&list, path, false, errors)) {
		fflush(errors);
		finding = findings_add(findings, FINDING_BLOCKING, "run.lists", "%s: %.*s", option,
				(int)strcspn(text, "\n"), text);
		finding_fix(finding, "one prefix in a line, such as 192.0.2.0/24; # begins a "
				     "comment");
	}
	fclose(errors);
	free(text);
	prefix_list_free(&list);
}

static void
check_drivers(const struct machine *machine, struct findings *findings)
{
	struct finding *finding;

	if (pmd_present(machine, "mempool_ring"))
		return;
	finding = findings_add(findings, FINDING_BLOCKING, "run.drivers",
			"DPDK's driver mempool_ring is not installed");
	finding_why(finding, "no packet buffer can be made without it");
	pmd_fix(finding, "mempool_ring");
}

static void
check_instance(const struct machine *machine, const struct settings *settings,
		struct findings *findings)
{
	const char *name = settings->engine.instance;
	struct finding *finding;

	/* A process of ours, not a fact of some tree of files. */
	if (!machine_is_real(machine) || !telemetry_client_answers(name))
		return;
	finding = findings_add(findings, FINDING_BLOCKING, "run.instance",
			"an instance \"%s\" runs already", name);
	finding_fix(finding, "stop that one, or set engine.instance to another name");
}

void
preflight_check(const struct machine *machine, const struct settings *settings,
		struct findings *findings)
{
	check_cores(machine, settings, findings);
	check_memory(machine, settings, findings);
	check_shared_memory(machine, settings, findings);
	check_secret(settings, findings);
	check_list("engine.deny", settings->engine.deny, findings);
	check_list("engine.allow", settings->engine.allow, findings);
	check_drivers(machine, findings);
	check_instance(machine, settings, findings);
	for (unsigned int i = 0; i < settings->port_count; i++)
		preflight_device_check(machine, settings, &settings->port[i], findings);
}

int
preflight(const struct settings *settings, FILE *errors)
{
	struct findings *findings = findings_create();
	struct machine machine;
	bool blocked;

	if (findings == NULL)
		return EXIT_CODE_RUNTIME;
	machine_init(&machine, "");
	preflight_check(&machine, settings, findings);
	findings_print(findings, FINDING_WARNING, errors);
	blocked = findings->by_severity[FINDING_BLOCKING] > 0;
	free(findings);
	return blocked ? EXIT_CODE_PREFLIGHT : EXIT_CODE_OK;
}
