/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "given_problem.h"

struct given_problem_word {
	const char *setting;
	const char *option;
};

static const struct given_problem_word known[] = {
		{"device", "port"},
		{"addresses", "address"},
		{"gateways", "gateway"},
		{"mac", "mac"},
		{"vlan", "vlan"},
		{"mtu", "mtu"},
		{"queues", "queues"},
		{"instance", "instance"},
		{"workers", "workers"},
		{"main_core", "main-core"},
		{"memory", "memory"},
		{"memory_size", "memory-size"},
		{"idle", "idle"},
		{"eal", "eal"},
		{"log_level", "log-level"},
		{"connections", "connections"},
};

static const char *
given_problem_next(const char *line)
{
	line += strcspn(line, "\n");
	return *line != '\0' ? line + 1 : line;
}

/* Of the setting in a line; NULL: it was not made of an option. */
static const struct given_problem_word *
given_problem_word(const char *settings, unsigned int line)
{
	size_t length;

	while (line-- > 1)
		settings = given_problem_next(settings);
	settings += strspn(settings, " -");
	length = strcspn(settings, ":\n");
	for (unsigned int i = 0; i < RTE_DIM(known); i++) {
		if (strlen(known[i].setting) == length &&
				strncmp(known[i].setting, settings, length) == 0)
			return &known[i];
	}
	return NULL;
}

/* "vlan: 5000 is above 4094", mostly, but not always, with the setting's name. */
static void
given_problem_write(const struct given_problem_word *word, const char *text, const char *program,
		FILE *errors)
{
	const size_t length = word != NULL ? strlen(word->setting) : 0;
	bool named = false;

	fprintf(errors, "%s: ", program);
	if (word != NULL) {
		named = strncmp(text, word->setting, length) == 0 &&
			(text[length] == ':' || text[length] == ' ');
		fprintf(errors, "--%s%s", word->option, named ? "" : ": ");
	}
	text += named ? length : 0;
	fprintf(errors, "%.*s\n", (int)strcspn(text, "\n"), text);
}

/* "mtu is in line 13": where that is, too, nobody has seen. */
static void
given_problem_write_hint(const char *settings, const char *hint, FILE *errors)
{
	static const char place[] = " in line ";
	const int length = (int)strcspn(hint, "\n");
	const char *at = memmem(hint, (size_t)length, place, sizeof(place) - 1);
	const struct given_problem_word *word = NULL;

	if (at != NULL)
		word = given_problem_word(
				settings, (unsigned int)strtoul(at + sizeof(place) - 1, NULL, 10));
	if (word != NULL)
		fprintf(errors, "%.*s given by --%s\n", (int)(at - hint), hint, word->option);
	else
		fprintf(errors, "%.*s\n", length, hint);
}

void
given_problem_print(const char *settings, const char *problems, const char *program, FILE *errors)
{
	static const char hint[] = "  hint: ";
	bool written = false;

	for (; *problems != '\0'; problems = given_problem_next(problems)) {
		const struct given_problem_word *word;
		unsigned int line, column;
		int length = 0;

		if (sscanf(problems, ":%u:%u: error: %n", &line, &column, &length) == 2 &&
				length > 0) {
			word = given_problem_word(settings, line);
			/* What is there besides follows from what was said. */
			if (word == NULL && written)
				continue;
			given_problem_write(word, problems + length, program, errors);
			written = true;
		} else if (written && strncmp(problems, hint, sizeof(hint) - 1) == 0) {
			given_problem_write_hint(settings, problems, errors);
		} else if (problems[0] == ':') {
			given_problem_write(
					NULL, problems + strspn(problems, ": "), program, errors);
		}
	}
}
