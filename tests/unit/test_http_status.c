/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * HTTP status lines, whole, in pieces, and broken in every place.
 */

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "respond/http_status.h"

static int
read_text(struct http_status *status, const char *text)
{
	return http_status_read(status, (const uint8_t *)text, strlen(text));
}

static int
status_of(const char *text)
{
	struct http_status status = {0};

	return read_text(&status, text);
}

static void
status_is_read(void **state)
{
	(void)state;
	assert_int_equal(status_of("HTTP/1.1 200 OK\r\nServer: x\r\n\r\n"), 200);
	assert_int_equal(status_of("HTTP/1.0 404 "), 404);
	assert_int_equal(status_of("HTTP/1.0 404\r"), 404);
	assert_int_equal(status_of("HTTP/1.0 404\n"), 404);
	assert_int_equal(status_of("HTTP/1.1 999\r\n"), 999);
	assert_int_equal(status_of("HTTP/1.1 100 Continue"), 100);
}

static void
pieces_of_any_size_are_one_answer(void **state)
{
	const char text[] = "HTTP/1.1 503 Service Unavailable\r\n";

	(void)state;
	for (size_t piece = 1; piece < sizeof(text); piece++) {
		struct http_status status = {0};

		for (size_t i = 0; i < sizeof(text) - 1; i += piece) {
			size_t length = i + piece < sizeof(text) ? piece : sizeof(text) - 1 - i;
			int result = http_status_read(&status, (const uint8_t *)text + i, length);

			assert_int_equal(result,
					i + length < HTTP_STATUS_BYTES ? HTTP_STATUS_MORE : 503);
		}
	}
}

static void
nothing_yet_is_no_answer(void **state)
{
	struct http_status status = {0};

	(void)state;
	assert_int_equal(http_status_read(&status, NULL, 0), HTTP_STATUS_MORE);
	assert_int_equal(read_text(&status, "HTTP/1.1 20"), HTTP_STATUS_MORE);
	assert_int_equal(read_text(&status, "4"), HTTP_STATUS_MORE);
	assert_int_equal(read_text(&status, " "), 204);
	assert_int_equal(read_text(&status, "anything"), 204);
}

static void
anything_else_is_bad_at_once_and_stays_bad(void **state)
{
	const char good[] = "HTTP/1.1 200 ";

	(void)state;
	for (size_t i = 0; i < HTTP_STATUS_BYTES; i++) {
		struct http_status status = {0};
		char text[sizeof(good)];

		memcpy(text, good, sizeof(good));
		text[i] = 'x';
		text[i + 1] = '\0';
		assert_int_equal(read_text(&status, text), HTTP_STATUS_BAD);
		assert_int_equal(read_text(&status, good + i), HTTP_STATUS_BAD);
	}
	assert_int_equal(status_of("HTTP/1.1 042 "), HTTP_STATUS_BAD);
	assert_int_equal(status_of("HTTP/1.1 2000 OK"), HTTP_STATUS_BAD);
	assert_int_equal(status_of("HTTP/2.0 200"), HTTP_STATUS_BAD);
	assert_int_equal(status_of("SSH-2.0-OpenSSH_9.2\r\n"), HTTP_STATUS_BAD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(status_is_read),
			cmocka_unit_test(pieces_of_any_size_are_one_answer),
			cmocka_unit_test(nothing_yet_is_no_answer),
			cmocka_unit_test(anything_else_is_bad_at_once_and_stays_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
