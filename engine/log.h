/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef LOG_H
#define LOG_H

/**
 * @file
 * Lines for people, on standard error: `LEVEL SUBJECT TEXT`.  Control plane only; the packet path
 * counts and never logs.
 *
 * Under systemd (JOURNAL_STREAM) each line carries its priority as journald expects it.
 */

#include <stdio.h>

#include <rte_common.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

/** Lines above @p level are left out from now on. */
void log_init(enum log_level level);

/** Errors of the calling thread go to @p copy, too, for whoever asked for what fails; or NULL. */
void log_copy_to(FILE *copy);

/** Write one line; @p format has no newline. */
void log_write(enum log_level level, const char *subject, const char *format, ...)
		__rte_format_printf(3, 4);

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif /* LOG_H */
