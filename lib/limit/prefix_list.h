/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef PREFIX_LIST_H
#define PREFIX_LIST_H

/**
 * @file
 * A file of prefixes: one in a line, IPv4 and IPv6, an address alone being itself; `#` and `;`
 * begin comments.  Control plane only: allocates, and reads a million lines in less than a second.
 *
 * A prefix with bits set behind its length is refused: it was meant otherwise, and nobody knows
 * how.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct prefix {
	uint8_t address[16]; /**< IPv4-mapped or IPv6. */
	uint8_t length;      /**< Of those 128 bits: an IPv4 /24 has 120. */
	bool allow;
};

/** Prefixes of any number of files; begins zeroed. */
struct prefix_list {
	size_t count;
	size_t room;
	struct prefix *item;
};

/**
 * Add the prefixes of a file.
 *
 * @param errors
 *   Written to as `FILE:LINE:COLUMN: error: TEXT`, with the line, the place and a hint; every
 *   mistake, up to a hundred.
 * @return whether there was none; the list may have grown anyway.
 */
bool prefix_list_read(struct prefix_list *list, const char *path, bool allow, FILE *errors);

/** The same from memory; @p name stands for the file in messages. */
bool prefix_list_parse(struct prefix_list *list, const char *name, const char *text, size_t length,
		bool allow, FILE *errors);

/** Give the memory back; the list is empty again. */
void prefix_list_free(struct prefix_list *list);

#endif /* PREFIX_LIST_H */
