/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The frame of every benchmark: the EAL, the clock, the table.
 */

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_debug.h>
#include <rte_eal.h>
#include <rte_malloc.h>
#include <rte_version.h>

#include "bench.h"
#include "engine/eal.h"
#include "version.h"

#define CASES_MAX         16
#define REPETITIONS       31
#define REPETITIONS_QUICK 3
#define MEMORY_QUICK_MB   256

static bool huge_pages;

/* The value after "name : " in a file of such lines, or "unknown". */
static const char *
file_value(const char *path, const char *name, char *line, size_t size)
{
	FILE *file = fopen(path, "r");
	const char *value = "unknown";

	while (file != NULL && fgets(line, (int)size, file) != NULL) {
		char *colon = strchr(line, ':');

		if (strncmp(line, name, strlen(name)) == 0 && colon != NULL) {
			line[strcspn(line, "\n")] = '\0';
			value = colon + 1 + strspn(colon + 1, " ");
			break;
		}
	}
	if (file != NULL)
		fclose(file);
	return value;
}

static bool
huge_pages_suffice(unsigned int memory_mb)
{
	char free_line[128];
	char size_line[128];
	long pages = atol(file_value(
			"/proc/meminfo", "HugePages_Free", free_line, sizeof(free_line)));
	long size_kb = atol(
			file_value("/proc/meminfo", "Hugepagesize", size_line, sizeof(size_line)));

	return pages * size_kb / 1024 >= (long)memory_mb;
}

static void
start_eal(const char *program, unsigned int memory_mb)
{
	static char text[16][64]; /* The EAL reorders argv and may keep what it points at. */
	char *argv[RTE_DIM(text)];
	int argc = 0;

	for (size_t i = 0; i < RTE_DIM(text); i++)
		argv[i] = text[i];
	snprintf(argv[argc++], sizeof(text[0]), "%s", program);
	snprintf(argv[argc++], sizeof(text[0]), "--lcores=0@%d", sched_getcpu());
	snprintf(argv[argc++], sizeof(text[0]), "-m%u", memory_mb);
	snprintf(argv[argc++], sizeof(text[0]), "--file-prefix=bench-%d", (int)getpid());
	snprintf(argv[argc++], sizeof(text[0]), "--no-pci");
	snprintf(argv[argc++], sizeof(text[0]), "--no-shconf");
	snprintf(argv[argc++], sizeof(text[0]), "--no-telemetry");
	snprintf(argv[argc++], sizeof(text[0]), "--log-level=error");
	snprintf(argv[argc++], sizeof(text[0]), huge_pages ? "--in-memory" : "--no-huge");
	eal_leave_no_folder();
	if (rte_eal_init(argc, argv) < 0)
		rte_exit(EXIT_FAILURE, "the EAL does not start with %u MiB\n", memory_mb);
}

struct bench
bench_start(int argc, char *argv[], unsigned int memory_mb)
{
	struct bench bench = {.repetitions = REPETITIONS};
	char line[256];

	if (argc == 2 && strcmp(argv[1], "--quick") == 0) {
		bench.quick = true;
		bench.repetitions = REPETITIONS_QUICK;
		memory_mb = MEMORY_QUICK_MB;
	} else if (argc != 1) {
		fprintf(stderr, "usage: %s [--quick]\n", argv[0]);
		exit(2);
	}
	huge_pages = huge_pages_suffice(memory_mb);
	start_eal(argv[0], memory_mb);
	printf("%s, %s, commit %s, %s pages, %u repetitions%s\n",
			file_value("/proc/cpuinfo", "model name", line, sizeof(line)),
			rte_version(), VERSION_COMMIT, huge_pages ? "huge" : "4 KiB",
			bench.repetitions, bench.quick ? " (quick: figures mean nothing)" : "");
	return bench;
}

static int
compare(const void *a, const void *b)
{
	const double *x = a;
	const double *y = b;

	return (*x > *y) - (*x < *y);
}

static double
repeat_once(const struct bench_case *this)
{
	uint64_t operations;
	uint64_t start;
	uint64_t cycles;

	if (this->prepare != NULL)
		this->prepare(this->context);
	start = rte_rdtsc_precise();
	operations = this->run(this->context);
	cycles = rte_rdtsc_precise() - start;
	return (double)cycles * 1e9 / (double)rte_get_tsc_hz() / (double)operations;
}

void
bench_run(const struct bench *bench, const char *title, const struct bench_case cases[],
		unsigned int n)
{
	static double ns[CASES_MAX][REPETITIONS];
	unsigned int last = bench->repetitions - 1;

	RTE_VERIFY(n <= CASES_MAX && bench->repetitions <= REPETITIONS);
	for (unsigned int i = 0; i < n; i++)
		bench_keep((uint64_t)repeat_once(&cases[i])); /* warm up */
	for (unsigned int repetition = 0; repetition <= last; repetition++)
		for (unsigned int i = 0; i < n; i++)
			ns[i][repetition] = repeat_once(&cases[i]);

	printf("\n%-44s %9s %9s %9s %7s\n", title, "median", "quartiles", "", "ratio");
	for (unsigned int i = 0; i < n; i++) {
		qsort(ns[i], bench->repetitions, sizeof(ns[i][0]), compare);
		printf("  %-42s %6.2f ns %6.2f .. %6.2f    %6.2f\n", cases[i].name, ns[i][last / 2],
				ns[i][last / 4], ns[i][last - last / 4],
				ns[i][last / 2] / ns[0][last / 2]);
	}
	fflush(stdout);
}

void *
bench_alloc(size_t size)
{
	void *memory = rte_zmalloc("bench", size, RTE_CACHE_LINE_SIZE);

	if (memory == NULL)
		rte_exit(EXIT_FAILURE, "no memory for %zu MiB\n", size >> 20);
	return memory;
}

void
bench_free(void *memory)
{
	rte_free(memory);
}

void
bench_random(void *data, size_t size)
{
	static uint64_t state = UINT64_C(0x853c49e6748fea9b);
	uint8_t *bytes = data;

	for (size_t i = 0; i < size; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		bytes[i] = (uint8_t)(state >> 32);
	}
}

int
bench_stop(void)
{
	rte_eal_cleanup();
	return 0;
}
