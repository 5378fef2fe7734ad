/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The grammar of RFC 3629 4 as bounds on the next byte: only the byte after the first of a
 * character has bounds other than 80..BF.
 */

#include <string.h>

#include "utf8.h"

static bool
begins(struct utf8 *utf8, uint8_t byte)
{
	utf8->low = 0x80;
	utf8->high = 0xbf;
	if (byte < 0x80) {
		return true;
	} else if (byte >= 0xc2 && byte <= 0xdf) {
		utf8->left = 1;
	} else if (byte >= 0xe0 && byte <= 0xef) {
		utf8->left = 2;
		if (byte == 0xe0)
			utf8->low = 0xa0; /* overlong */
		else if (byte == 0xed)
			utf8->high = 0x9f; /* surrogates */
	} else if (byte >= 0xf0 && byte <= 0xf4) {
		utf8->left = 3;
		if (byte == 0xf0)
			utf8->low = 0x90; /* overlong */
		else if (byte == 0xf4)
			utf8->high = 0x8f; /* above U+10FFFF */
	} else {
		return false;
	}
	return true;
}

static bool
continues(struct utf8 *utf8, uint8_t byte)
{
	if (byte < utf8->low || byte > utf8->high)
		return false;
	utf8->left--;
	utf8->low = 0x80;
	utf8->high = 0xbf;
	return true;
}

size_t
utf8_read(struct utf8 *utf8, const uint8_t *text, size_t length)
{
	size_t at = 0;

	while (at < length) {
		uint64_t eight;

		if (utf8->left > 0) {
			if (!continues(utf8, text[at]))
				break;
			at++;
			continue;
		}
		if (length - at >= sizeof(eight)) {
			memcpy(&eight, text + at, sizeof(eight));
			if ((eight & UINT64_C(0x8080808080808080)) == 0) {
				at += sizeof(eight);
				continue;
			}
		}
		if (!begins(utf8, text[at]))
			break;
		at++;
	}
	return at;
}

bool
utf8_complete(const struct utf8 *utf8)
{
	return utf8->left == 0;
}
