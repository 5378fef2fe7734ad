/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef FINDINGS_H
#define FINDINGS_H

/**
 * @file
 * What doctor and preflight saw: each finding with what it is, why it matters and the command that
 * mends it.
 *
 * Of fixed size, so that no check has to deal with a failed allocation.
 */

#include <stdio.h>

#include <jansson.h>

#define FINDINGS_MAX 256

enum finding_severity {
	FINDING_OK,
	FINDING_INFO,
	FINDING_WARNING,  /**< It will run, but worse than it could. */
	FINDING_BLOCKING, /**< It will not run. */
	FINDING_SEVERITIES
};

struct finding {
	enum finding_severity severity;
	char id[48]; /**< "subject.detail", for programs; never changes its meaning. */
	char what[512];
	char why[384]; /**< May be empty, as may the next. */
	char fix[512]; /**< A command to copy, or words when no command can do it. */
};

struct findings {
	unsigned int count;
	unsigned int by_severity[FINDING_SEVERITIES];
	struct finding item[FINDINGS_MAX];
};

/** Allocate an empty list. @return NULL without memory; to be released by free(). */
struct findings *findings_create(void);

/** Add a finding; never NULL (the last place is used again when the list is full). */
struct finding *findings_add(struct findings *findings, enum finding_severity severity,
		const char *id, const char *what, ...) __attribute__((format(printf, 4, 5)));

/** Say why it matters. */
void finding_why(struct finding *finding, const char *format, ...)
		__attribute__((format(printf, 2, 3)));

/** Say what mends it. */
void finding_fix(struct finding *finding, const char *format, ...)
		__attribute__((format(printf, 2, 3)));

/** Print those of at least a severity, for people. */
void findings_print(const struct findings *findings, enum finding_severity least, FILE *out);

/** An array of objects, for programs. */
json_t *findings_json(const struct findings *findings);

#endif /* FINDINGS_H */
