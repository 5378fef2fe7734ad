/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef UTF8_H
#define UTF8_H

/**
 * @file
 * Checks UTF-8 that comes in pieces (RFC 3629 4): no overlong form, no surrogate, nothing above
 * U+10FFFF, and an error is found at its first byte.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Between two bytes; all zero is between two characters. */
struct utf8 {
	uint8_t left; /**< Bytes this character still needs; the next is from low to high. */
	uint8_t low;
	uint8_t high;
};

/** Read on.  @return how many bytes could be read: less than @p length before a wrong one. */
size_t utf8_read(struct utf8 *utf8, const uint8_t *text, size_t length);

/** Whether the text may end here. */
bool utf8_complete(const struct utf8 *utf8);

#endif /* UTF8_H */
