/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef HTTP_STATUS_H
#define HTTP_STATUS_H

/**
 * @file
 * The status of an HTTP/1 answer, read as its bytes come: nothing but "HTTP/1.1 200 " is looked
 * at (RFC 9112 4).
 */

#include <stddef.h>
#include <stdint.h>

#define HTTP_STATUS_BYTES 13 /**< "HTTP/1.1 200" and what ends it. */
#define HTTP_STATUS_MORE  0  /**< Too few bytes so far. */
#define HTTP_STATUS_BAD   -1 /**< No HTTP/1 answer. */

/** Zero before the first byte. */
struct http_status {
	char text[HTTP_STATUS_BYTES];
	uint8_t length;
};

/**
 * More bytes came; those behind the status are ignored, in this call and later ones.
 *
 * @return
 *   The status, 100 to 999; HTTP_STATUS_MORE; or HTTP_STATUS_BAD, from then on.
 */
int http_status_read(struct http_status *status, const uint8_t *data, size_t length);

#endif /* HTTP_STATUS_H */
