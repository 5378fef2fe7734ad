/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef SETTINGS_PROBLEM_H
#define SETTINGS_PROBLEM_H

/**
 * @file
 * What is wrong with a configuration file and where, collected while reading and written at the
 * end in the order of the file.
 *
 * Each message is a literal at the line of code that finds the error: grep for what you saw.
 * tests/settings/run.py holds every literal against the golden messages.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <rte_common.h>

#define SETTINGS_PROBLEMS_MAX     100
#define SETTINGS_PROBLEM_TEXT_MAX 256

/** A place in the file; line 0 is the file as a whole. */
struct settings_place {
	size_t index;    /**< Characters, not bytes, before it. */
	uint32_t line;   /**< From 1. */
	uint32_t column; /**< From 1, in characters. */
};

struct settings_problem {
	struct settings_place place;
	unsigned int order; /**< When it was found; keeps the sort stable. */
	char text[SETTINGS_PROBLEM_TEXT_MAX];
	char hint[SETTINGS_PROBLEM_TEXT_MAX];
};

/** The errors of one file, and the file's text to show lines of. */
struct settings_problems {
	const char *name;
	const char *text;
	size_t length;
	unsigned int count;
	bool doubtful; /**< The text is not UTF-8 without controls: show ASCII only. */
	struct settings_problem *last; /**< What a hint belongs to; NULL when the list was full. */
	struct settings_problem item[SETTINGS_PROBLEMS_MAX];
};

void settings_problem_add(struct settings_problems *errors, const struct settings_place *place,
		const char *format, ...) __rte_format_printf(3, 4);

/** Say how to mend the error added last. */
void settings_problem_hint(struct settings_problems *errors, const char *format, ...)
		__rte_format_printf(2, 3);

/** @return whether further errors would not be kept: time to stop looking for them. */
bool settings_problem_full(const struct settings_problems *errors);

void settings_problem_write(struct settings_problems *errors, FILE *out);

/** A search for the word that was probably meant. */
struct settings_nearest {
	const char *word;
	const char *best; /**< NULL: nothing is near. */
	unsigned int distance;
};

/** Offer a candidate; the nearest one stays. */
void settings_nearest_offer(struct settings_nearest *nearest, const char *candidate);

#endif /* SETTINGS_PROBLEM_H */
