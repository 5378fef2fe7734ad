/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Plays scripts: run_script [-v] [-r] FILE|FOLDER...
 *
 * Each in IPv4 and IPv6.  -v names each; -r lists the rows of the TCP table that none fires.
 *
 * A script with a known failure has to fail, so that its line goes when the
 * reason has gone.  Exits 0 when all were as expected.
 */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/pipeline/rig.h"

#include "play.h"

#define PATHS_MAX   4096
#define FAILURE_MAX 4096

struct run {
	unsigned int path_count;
	char *path[PATHS_MAX];
	unsigned int failed;
	unsigned int known;
	bool verbose;
	bool rules;
};

static int
compare_paths(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool
ends_in(const char *text, const char *end)
{
	const size_t length = strlen(text);

	return length >= strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

/* A script, or all scripts in a folder and the folders in it. */
static void
collect(struct run *run, const char *path)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;

	if (folder == NULL) {
		if (ends_in(path, ".pkt") && run->path_count < PATHS_MAX)
			run->path[run->path_count++] = strdup(path);
		return;
	}
	while ((entry = readdir(folder)) != NULL) {
		char inner[1024];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
		collect(run, inner);
	}
	closedir(folder);
}

/* @return whether it passed in both families; otherwise @p failure says why. */
static bool
run_families(const char *path, struct script *script, char *failure)
{
	for (unsigned int family = 4; family <= 6; family += 2) {
		failure[0] = '\0';
		if (!script_read(script, path, family, failure, FAILURE_MAX)) {
			/* A script that cannot be read is never a known failure. */
			script->known_failure[0] = '\0';
			return false;
		}
		if (script->only_family != 0 && script->only_family != family)
			continue;
		if (!play(script, path, family, failure, FAILURE_MAX))
			return false;
	}
	return true;
}

static void
run_one(struct run *run, const char *path)
{
	static struct script script;
	char failure[FAILURE_MAX];
	const bool passed = run_families(path, &script, failure);

	if (run->verbose)
		printf("%s %s\n", passed ? "ok    " : "FAILED", path);
	if (script.known_failure[0] != '\0') {
		run->known++;
		printf("known failure: %s: %s\n", path, script.known_failure);
		if (passed) {
			run->failed++;
			printf("    it passes now: remove its known_failure line\n");
		} else if (run->verbose) {
			printf("%s\n", failure);
		}
		return;
	}
	if (passed)
		return;
	run->failed++;
	printf("%s\n    # %s\n", failure, script.claim);
}

int
main(int argc, char **argv)
{
	static struct run run;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-v") == 0)
			run.verbose = true;
		else if (strcmp(argv[i], "-r") == 0)
			run.rules = true;
		else
			collect(&run, argv[i]);
	}
	qsort(run.path, run.path_count, sizeof(run.path[0]), compare_paths);
	setvbuf(stdout, NULL, _IOLBF, 0);
	rig_start_dpdk(argv[0]);
	for (unsigned int i = 0; i < run.path_count; i++) {
		run_one(&run, run.path[i]);
		free(run.path[i]);
	}
	if (run.rules)
		printf("%u rows are not fired\n", play_print_unfired());
	printf("%u scripts, %u failed, %u known failures\n", run.path_count, run.failed, run.known);
	return run.failed > 0 || run.path_count == 0;
}
