/* SPDX-License-Identifier: BSD-3-Clause */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "load/http_answer.h"

/* Feed a text in pieces of one length; @return the result, and how much of it was taken. */
static enum http_answer_result
feed(struct http_answer *answer, const char *text, size_t piece, size_t *taken)
{
	const size_t length = strlen(text);
	enum http_answer_result result = HTTP_ANSWER_MORE;

	*answer = (struct http_answer){0};
	*taken = 0;
	while (*taken < length && result == HTTP_ANSWER_MORE) {
		const size_t now = piece < length - *taken ? piece : length - *taken;
		size_t n;

		result = http_answer_input(answer, (const uint8_t *)text + *taken, now, &n);
		*taken += n;
	}
	return result;
}

/* However it is cut, a text ends the same way after as many bytes. */
static void
expect(const char *text, enum http_answer_result wanted, size_t length)
{
	for (size_t piece = 1; piece <= strlen(text); piece++) {
		struct http_answer answer;
		size_t taken;

		assert_int_equal(feed(&answer, text, piece, &taken), wanted);
		if (wanted == HTTP_ANSWER_DONE)
			assert_int_equal(taken, length);
	}
}

static void
an_answer_ends_behind_its_content(void **state)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\n\r\nhello";

	(void)state;
	expect(text, HTTP_ANSWER_DONE, sizeof(text) - 1);
}

static void
what_follows_is_not_taken(void **state)
{
	(void)state;
	expect("HTTP/1.1 200 OK\r\ncontent-length:2\r\n\r\nabHTTP/1.1 200", HTTP_ANSWER_DONE, 39);
}

static void
an_empty_answer_ends_with_its_header(void **state)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nCONTENT-LENGTH: 0\r\n\r\n";
	static const char no_content[] = "HTTP/1.1 204 No Content\r\nX: y\r\n\r\n";
	static const char not_modified[] = "HTTP/1.1 304 Same\r\nContent-Length: 9\r\n\r\n";

	(void)state;
	expect(text, HTTP_ANSWER_DONE, sizeof(text) - 1);
	expect(no_content, HTTP_ANSWER_DONE, sizeof(no_content) - 1);
	expect(not_modified, HTTP_ANSWER_DONE, sizeof(not_modified) - 1);
}

/* RFC 9110 15.2; what they say of their length does not count (RFC 9112 6.3). */
static void
interim_answers_are_part_of_the_final_one(void **state)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n"
				   "HTTP/1.1 103 Early Hints\r\nContent-Length: 7\r\n\r\n"
				   "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab";
	static const char empty[] = "HTTP/1.1 199 X\r\nTransfer-Encoding: chunked\r\n\r\n"
				    "HTTP/1.1 204 No Content\r\n\r\n";
	struct http_answer answer;
	size_t taken;

	(void)state;
	expect(text, HTTP_ANSWER_DONE, sizeof(text) - 1);
	expect(empty, HTTP_ANSWER_DONE, sizeof(empty) - 1);
	assert_int_equal(feed(&answer, "HTTP/1.1 100 Continue\r\n\r\n", 9, &taken),
			HTTP_ANSWER_MORE);
	assert_int_equal(http_answer_closed(&answer), HTTP_ANSWER_WRONG);
}

static void
bare_line_feeds_are_line_ends(void **state)
{
	static const char text[] = "HTTP/1.0 200 OK\nContent-Length: 3\n\nabc";

	(void)state;
	expect(text, HTTP_ANSWER_DONE, sizeof(text) - 1);
}

static void
other_fields_are_not_mistaken_for_the_length(void **state)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nX-Content-Length: 9\r\nContent-Type: a\r\n"
				   "Content-Lengt: 8\r\nContent-Length: 1\r\n\r\nz";

	(void)state;
	expect(text, HTTP_ANSWER_DONE, sizeof(text) - 1);
}

static void
chunks_are_followed_to_the_last(void **state)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
				   "5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n";

	(void)state;
	expect(text, HTTP_ANSWER_DONE, sizeof(text) - 1);
}

/* RFC 9112 5: blanks around a value; 7.1: and, of old, behind a chunk's size. */
static void
blanks_around_a_value_are_none_of_it(void **state)
{
	static const char length[] =
			"HTTP/1.1 200 OK\r\nContent-Length:\t 12 \t\r\n\r\n0123456789ab";
	static const char coding[] = "HTTP/1.1 200 OK\nTransfer-Encoding:\tCHUNKED \r\n\r\n"
				     "5 \r\nhello\n1 ;x\na\r\n0\r\n\r\n";
	static const char most[] = "HTTP/1.1 200 OK\r\nContent-Length:4294967295\r\n\r\n";
	struct http_answer answer;
	size_t taken;

	(void)state;
	expect(length, HTTP_ANSWER_DONE, sizeof(length) - 1);
	expect(coding, HTTP_ANSWER_DONE, sizeof(coding) - 1);
	assert_int_equal(feed(&answer, most, 1, &taken), HTTP_ANSWER_MORE);
	assert_int_equal(answer.left, UINT32_MAX);
}

static void
without_a_length_the_connection_ends_it(void **state)
{
	struct http_answer answer;
	size_t taken;

	(void)state;
	assert_int_equal(feed(&answer, "HTTP/1.1 200 OK\r\n\r\nanything", 4, &taken),
			HTTP_ANSWER_MORE);
	assert_int_equal(http_answer_closed(&answer), HTTP_ANSWER_DONE);
}

static void
a_close_in_the_middle_is_wrong(void **state)
{
	struct http_answer answer;
	size_t taken;

	(void)state;
	assert_int_equal(feed(&answer, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", 9,
					 &taken),
			HTTP_ANSWER_MORE);
	assert_true(http_answer_is_counted(&answer));
	assert_int_equal(answer.left, 1);
	assert_int_equal(http_answer_closed(&answer), HTTP_ANSWER_WRONG);
	assert_int_equal(feed(&answer, "HTTP/1.1 200 OK\r\nCont", 9, &taken), HTTP_ANSWER_MORE);
	assert_int_equal(http_answer_closed(&answer), HTTP_ANSWER_WRONG);
}

static void
wrong_answers_are_wrong(void **state)
{
	static const char *const texts[] = {
			"SSH-2.0-OpenSSH_9.2\r\n",
			"HTTP/2 200\r\n\r\n",
			"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
			"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
			"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
			"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\n\r\n",
			"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
			"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
			"HTTP/1.1 200 OK\r\nContent-Length: 4294967296\r\n\r\n",
			/* One number is wanted (RFC 9112 6.3, RFC 9110 8.6). */
			"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
			"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab",
			"HTTP/1.1 200 OK\r\nContent-Length: 1 2\r\n\r\n0123456789ab",
			"HTTP/1.1 200 OK\r\nContent-Length: 1\r2\r\n\r\n0123456789ab",
			"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
			/* One coding, the one that needs no asking (RFC 9112 7.4). */
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: notchunked\r\n\r\n0\r\n\r\n",
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n",
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chun ked\r\n\r\n0\r\n\r\n",
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunk\r\n\r\n0\r\n\r\n",
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
			"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
			/* What is behind a chunk or its size has a place of its own. */
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
			"5\r\nhelloXXXX\r\n0\r\n\r\n",
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
			"5\r\nhello\r\r\n0\r\n\r\n",
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
			"5z\r\nhello\r\n0\r\n\r\n",
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		expect(texts[i], HTTP_ANSWER_WRONG, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(an_answer_ends_behind_its_content),
			cmocka_unit_test(what_follows_is_not_taken),
			cmocka_unit_test(an_empty_answer_ends_with_its_header),
			cmocka_unit_test(interim_answers_are_part_of_the_final_one),
			cmocka_unit_test(bare_line_feeds_are_line_ends),
			cmocka_unit_test(other_fields_are_not_mistaken_for_the_length),
			cmocka_unit_test(chunks_are_followed_to_the_last),
			cmocka_unit_test(blanks_around_a_value_are_none_of_it),
			cmocka_unit_test(without_a_length_the_connection_ends_it),
			cmocka_unit_test(a_close_in_the_middle_is_wrong),
			cmocka_unit_test(wrong_answers_are_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
