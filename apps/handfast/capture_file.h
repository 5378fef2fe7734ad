/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef CAPTURE_FILE_H
#define CAPTURE_FILE_H

/**
 * @file
 * Where `handfast capture` writes: one file up to a size, or a ring of files.
 *
 * pcapng, which keeps port names, directions and nanoseconds; classic pcap when the name ends in
 * .pcap, with nanoseconds too.  A ring's files are NAME.1, NAME.2...: the oldest is written anew.
 */

#include <stdbool.h>
#include <stdint.h>

#include "engine/tap_shared.h"

struct capture_file;

/** How it is written. */
struct capture_plan {
	const char *path;   /**< "-" is standard output. */
	uint64_t bytes;     /**< Of one file, at most; 0: no limit. */
	unsigned int files; /**< 1: writing ends with the first one. */
	const struct tap_memory *memory;
	const char *filter; /**< Noted in the file; NULL: none. */
};

/** @return NULL after the reason was written to standard error. */
struct capture_file *capture_file_open(const char *program, const struct capture_plan *plan);

/** What became of a packet. */
enum capture_written {
	CAPTURE_WRITTEN,
	CAPTURE_FULL,  /**< The one file has its size. */
	CAPTURE_ERROR, /**< Reported. */
};

enum capture_written capture_file_write(struct capture_file *file, const struct tap_slot *slot);

/** Let others see what was written. @return false after an error was reported. */
bool capture_file_flush(struct capture_file *file);

/**
 * Every error is reported once.
 *
 * @param unsure
 *   Set to the number of packets, the last that were CAPTURE_WRITTEN, of which it is not known
 *   whether they are in the file; 0 unless writing failed.
 * @return false after an error was reported.
 */
bool capture_file_close(struct capture_file *file, uint64_t dropped, uint64_t *unsure);

#endif /* CAPTURE_FILE_H */
