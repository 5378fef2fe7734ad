/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef HTTP_ANSWER_H
#define HTTP_ANSWER_H

/**
 * @file
 * Where an HTTP/1.x answer ends, and whether it is a good one, as its bytes come (RFC 9112).
 *
 * Knows the status, Content-Length and chunked transfer coding; an answer with neither ends with
 * the connection. A length or chunk above 2^32 - 1 is wrong, as is either field twice, or another
 * coding, which nobody asked for. Interim answers (1xx, RFC 9110 15.2) belong to the one that
 * follows them. Header fields are found in any case; their text is not kept.  Six bytes for each
 * connection.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http_answer_result {
	HTTP_ANSWER_MORE,  /**< Not at its end. */
	HTTP_ANSWER_DONE,  /**< Its last byte came. */
	HTTP_ANSWER_WRONG, /**< Not HTTP/1.x, status 101 or from 400 on, or broken framing. */
};

/** All zero before the first byte. */
struct http_answer {
	uint32_t left; /**< Bytes of body or chunk that are to come. */
	uint8_t state;
	uint8_t match;
};

/**
 * Take bytes.
 *
 * @param taken
 *   How many belong to this answer.
 */
enum http_answer_result http_answer_input(
		struct http_answer *answer, const uint8_t *data, size_t length, size_t *taken);

/** Whether nothing is to come but a body of a known length. */
bool http_answer_is_counted(const struct http_answer *answer);

/** The peer closed: whether that ends the answer as it should. */
enum http_answer_result http_answer_closed(const struct http_answer *answer);

#endif /* HTTP_ANSWER_H */
