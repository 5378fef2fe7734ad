/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/log.h"

static enum log_level log_limit = LOG_LEVEL_INFO;
static bool log_to_journal;
static _Thread_local FILE *log_copy;

static const struct {
	const char *name;
	int journal_priority; /* as in syslog(3) */
} log_levels[] = {
		[LOG_LEVEL_ERROR] = {"error", 3},
		[LOG_LEVEL_WARNING] = {"warning", 4},
		[LOG_LEVEL_INFO] = {"info", 6},
		[LOG_LEVEL_DEBUG] = {"debug", 7},
};

void
log_init(enum log_level level)
{
	log_limit = level;
	log_to_journal = getenv("JOURNAL_STREAM") != NULL;
}

void
log_copy_to(FILE *copy)
{
	log_copy = copy;
}

void
log_write(enum log_level level, const char *subject, const char *format, ...)
{
	char line[1024];
	int length = 0;
	va_list arguments;
	int text;

	if (level > log_limit)
		return;
	if (log_to_journal)
		length = snprintf(line, sizeof(line), "<%d>", log_levels[level].journal_priority);
	length += snprintf(line + length, sizeof(line) - length, "%s ", log_levels[level].name);
	text = length;
	length += snprintf(line + length, sizeof(line) - length, "%s ", subject);
	va_start(arguments, format);
	vsnprintf(line + length, sizeof(line) - length, format, arguments);
	va_end(arguments);
	/* One call, so that lines of several threads do not mix. */
	fprintf(stderr, "%s\n", line);
	if (log_copy != NULL && level == LOG_LEVEL_ERROR)
		fprintf(log_copy, "%s\n", line + text);
}
