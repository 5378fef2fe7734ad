/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdbool.h>

#include "respond/http_status.h"

static bool
is_digit(char character)
{
	return character >= '0' && character <= '9';
}

/* Whether a character is of a pattern's kind: digit, first digit, end of the status, itself. */
static bool
is_of(char kind, char character)
{
	switch (kind) {
	case 'd':
		return is_digit(character);
	case 'D':
		return is_digit(character) && character != '0';
	case 'e':
		return character == ' ' || character == '\r' || character == '\n';
	default:
		return character == kind;
	}
}

/*
 * Whether the bytes so far can begin an answer.  RFC 9112 4: a space follows the status, also where
 * no reason does; servers that leave out both are understood, and a bare LF is (RFC 9112 2.2).
 */
static bool
fits(const struct http_status *status)
{
	static const char pattern[HTTP_STATUS_BYTES + 1] = "HTTP/1.d Ddde";

	for (unsigned int i = 0; i < status->length; i++) {
		const char character = status->text[i];

		if (!is_of(pattern[i], character))
			return false;
	}
	return true;
}

int
http_status_read(struct http_status *status, const uint8_t *data, size_t length)
{
	for (size_t i = 0; i < length && status->length < HTTP_STATUS_BYTES; i++)
		status->text[status->length++] = (char)data[i];
	if (!fits(status))
		return HTTP_STATUS_BAD;
	if (status->length < HTTP_STATUS_BYTES)
		return HTTP_STATUS_MORE;
	return (status->text[9] - '0') * 100 + (status->text[10] - '0') * 10 + status->text[11] -
	       '0';
}
