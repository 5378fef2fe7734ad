/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The handfast command: finds the verb and calls it.  The only file of the program that decides the
 * exit code of the process.
 */

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "descriptors.h"
#include "exit_code.h"
#include "verbs.h"

struct verb {
	const char *name;
	const char *summary;
	const char *help;
	int (*call)(int argc, char **argv);
};

static const struct verb verbs[] = {
		{"run", "run the engine with a configuration", run_help, run_verb},
		{"demo", "show it working: real clients and servers around it, no NIC needed",
				demo_help, demo_verb},
		{"doctor", "look at this machine and say what is missing, changing nothing",
				doctor_help, doctor_verb},
		{"check", "read a configuration file and report every mistake", check_help,
				check_verb},
		{"reload", "have a running engine read its configuration again", reload_help,
				reload_verb},
		{"drain", "have a service take no new connections", drain_help, drain_verb},
		{"undrain", "have it take new connections again", undrain_help, undrain_verb},
		{"stats", "statistics of a running engine, once or every second", stats_help,
				stats_verb},
		{"top", "live statistics on the whole terminal", top_help, top_verb},
		{"conns", "list the connections of a running engine, or end one", conns_help,
				conns_verb},
		{"probe", "have a running engine open and time connections", probe_help,
				probe_verb},
		{"key", "change the secret of SYN cookies, or show its public number", key_help,
				key_verb},
		{"explain", "show what happened on every connection of a capture file",
				explain_help, explain_verb},
		{"replay", "play a capture file through the engine, without a network", replay_help,
				replay_verb},
		{"capture", "packets of a running engine into a file, in every memory mode",
				capture_help, capture_verb},
		{"bench", "measure this machine and this build, no NIC needed", bench_help,
				bench_verb},
		{"lists", "who may connect to a running engine; read the lists again", lists_help,
				lists_verb},
		{"version", "versions of handfast, DPDK and the compiler", version_help,
				version_verb},
};

static void
print_help(FILE *out)
{
	fputs("handfast: a packet engine for TCP's opening and closing\n\n"
	      "usage: handfast VERB [OPTIONS]\n\n",
			out);
	for (unsigned int i = 0; i < RTE_DIM(verbs); i++)
		fprintf(out, "  %-9s %s\n", verbs[i].name, verbs[i].summary);
	fputs("\n`handfast VERB --help` explains a verb and gives examples.\n"
	      "\n"
	      "exit codes: 0 ok, 1 runtime failure, 2 usage, 3 bad configuration, 4 preflight "
	      "failed,\n"
	      "            5 port or device, 6 permission, 7 threshold missed\n",
			out);
}

static const struct verb *
find_verb(const char *name)
{
	for (unsigned int i = 0; i < RTE_DIM(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

/** How many letters to insert, remove or change to turn one word into the other. */
static unsigned int
edit_distance(const char *from, const char *to)
{
	unsigned int row[32];
	size_t length = strlen(to);

	if (length >= RTE_DIM(row))
		return UINT_MAX;
	for (unsigned int i = 0; i <= length; i++)
		row[i] = i;
	for (unsigned int i = 1; from[i - 1] != '\0'; i++) {
		unsigned int diagonal = row[0];

		row[0] = i;
		for (unsigned int j = 1; j <= length; j++) {
			unsigned int changed = diagonal + (from[i - 1] != to[j - 1]);
			unsigned int resized = RTE_MIN(row[j], row[j - 1]) + 1;

			diagonal = row[j];
			row[j] = RTE_MIN(changed, resized);
		}
	}
	return row[length];
}

static int
report_unknown(const char *word)
{
	unsigned int nearest_distance = 3;
	const struct verb *nearest = NULL;

	fprintf(stderr, "handfast: there is no verb \"%s\"\n", word);
	for (unsigned int i = 0; i < RTE_DIM(verbs); i++) {
		unsigned int distance = edit_distance(word, verbs[i].name);

		if (distance < nearest_distance) {
			nearest_distance = distance;
			nearest = &verbs[i];
		}
	}
	if (nearest != NULL)
		fprintf(stderr, "did you mean: handfast %s\n", nearest->name);
	else
		fputs("`handfast --help` lists them\n", stderr);
	return EXIT_CODE_USAGE;
}

static bool
is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static bool
asks_for_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (is_help(argv[i]))
			return true;
	return false;
}

static int
call_verb(int argc, char **argv)
{
	const struct verb *verb = find_verb(argv[0]);
	char program[64];

	if (verb == NULL)
		return report_unknown(argv[0]);
	if (asks_for_help(argc, argv)) {
		fputs(verb->help, stdout);
		return EXIT_CODE_OK;
	}
	snprintf(program, sizeof(program), "handfast %s", verb->name);
	argv[0] = program;
	return verb->call(argc, argv);
}

/* A full disk or a closed pipe must not look like success to a script. */
static int
finish(int code)
{
	return fflush(stdout) != 0 && code == EXIT_CODE_OK ? EXIT_CODE_RUNTIME : code;
}

int
main(int argc, char **argv)
{
	static char version_name[] = "version";

	if (!descriptors_open_standard("handfast"))
		return EXIT_CODE_RUNTIME;
	if (argc < 2) {
		print_help(stderr);
		return EXIT_CODE_USAGE;
	}
	if (is_help(argv[1]) || (strcmp(argv[1], "help") == 0 && argc == 2)) {
		print_help(stdout);
		return finish(EXIT_CODE_OK);
	}
	if (strcmp(argv[1], "help") == 0) {
		static char help_option[] = "--help";

		argv[1] = argv[2];
		argv[2] = help_option;
	} else if (strcmp(argv[1], "--version") == 0) {
		argv[1] = version_name;
	}
	return finish(call_verb(argc - 1, argv + 1));
}
