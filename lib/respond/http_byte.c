/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The table, made by the preprocessor.
 */

#include "http_byte.h"

#define IS_ALNUM(c) \
	(((c) >= '0' && (c) <= '9') || ((c) >= 'A' && (c) <= 'Z') || ((c) >= 'a' && (c) <= 'z'))
#define IS_TOKEN(c)                                                                              \
	(IS_ALNUM(c) || (c) == '!' || ((c) >= '#' && (c) <= '\'') || (c) == '*' || (c) == '+' || \
			(c) == '-' || (c) == '.' || ((c) >= '^' && (c) <= '`') || (c) == '|' ||  \
			(c) == '~')
#define IS_HOST(c)                                                                              \
	(IS_ALNUM(c) || (c) == '!' || ((c) >= '$' && (c) <= '.') || (c) == ':' || (c) == ';' || \
			(c) == '=' || (c) == '[' || (c) == ']' || (c) == '_' || (c) == '~')
#define IS_VISIBLE(c) ((c) > ' ' && (c) != 127)
#define CLASS_1(c)                                                                           \
	(IS_TOKEN(c) ? HTTP_BYTE_TOKEN : 0) | (IS_VISIBLE(c) ? HTTP_BYTE_TARGET : 0) |       \
			(IS_VISIBLE(c) || (c) == ' ' || (c) == '\t' ? HTTP_BYTE_VALUE : 0) | \
			(IS_HOST(c) ? HTTP_BYTE_HOST : 0)
#define CLASS_4(c)  CLASS_1(c), CLASS_1((c) + 1), CLASS_1((c) + 2), CLASS_1((c) + 3)
#define CLASS_16(c) CLASS_4(c), CLASS_4((c) + 4), CLASS_4((c) + 8), CLASS_4((c) + 12)
#define CLASS_64(c) CLASS_16(c), CLASS_16((c) + 16), CLASS_16((c) + 32), CLASS_16((c) + 48)

const uint8_t http_byte_classes[256] = {CLASS_64(0), CLASS_64(64), CLASS_64(128), CLASS_64(192)};
