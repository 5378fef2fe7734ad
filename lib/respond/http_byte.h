/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef HTTP_BYTE_H
#define HTTP_BYTE_H

/**
 * @file
 * The character classes of HTTP/1's grammar, by one look into a table.
 */

#include <stdbool.h>
#include <stdint.h>

/** What a byte may be part of; several may be set. */
enum http_byte {
	HTTP_BYTE_TOKEN = 1,  /**< tchar, RFC 9110 5.6.2 */
	HTTP_BYTE_TARGET = 2, /**< RFC 9112 3.2; bytes above 127 too, since clients send them. */
	HTTP_BYTE_VALUE = 4,  /**< RFC 9110 5.5: no control characters but HTAB. */
	HTTP_BYTE_HOST = 8,   /**< uri-host [ ":" port ], RFC 3986 3.2.2 */
};

extern const uint8_t http_byte_classes[256];

static inline bool
http_byte_is(uint8_t byte, enum http_byte class)
{
	return http_byte_classes[byte] & class;
}

static inline bool
http_byte_is_space(uint8_t byte)
{
	return byte == ' ' || byte == '\t';
}

static inline uint8_t
http_byte_lower(uint8_t byte)
{
	return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
}

#endif /* HTTP_BYTE_H */
