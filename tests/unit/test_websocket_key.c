/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * websocket_key: what is a key, and RFC 6455's own answer.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>

#include "respond/websocket_key.h"

static struct websocket_key
read_key(const char *text)
{
	struct websocket_key key = {0};

	for (; *text != '\0'; text++)
		websocket_key_add(&key, (uint8_t)*text);
	websocket_key_end(&key);
	return key;
}

static bool
is_key(const char *text)
{
	const struct websocket_key key = read_key(text);

	return websocket_key_valid(&key);
}

static void
the_sample_handshake_is_accepted(void **state)
{
	const struct websocket_key key = read_key("dGhlIHNhbXBsZSBub25jZQ==");
	EVP_MD *sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
	char accept[WEBSOCKET_ACCEPT_LENGTH + 1];

	(void)state;
	assert_non_null(sha1);
	assert_true(websocket_key_valid(&key));
	assert_true(websocket_key_accept(&key, sha1, accept));
	assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
	EVP_MD_free(sha1);
}

static void
sixteen_bytes_in_base64_are_a_key(void **state)
{
	(void)state;
	assert_true(is_key("AQIDBAUGBwgJCgsMDQ4PEC==")); /* RFC 6455 4.1, not canonical */
	assert_true(is_key("AQIDBAUGBwgJCgsMDQ4PEA=="));
	assert_true(is_key("++++++++++//////////ZZ=="));
}

static void
anything_else_is_none(void **state)
{
	static const char whole[] = "dGhlIHNhbXBsZSBub25jZQ==";

	(void)state;
	assert_false(is_key(""));
	assert_false(is_key("dGhlIHNhbXBsZSBub25jZQ==="));
	assert_false(is_key("dGhlIHNhbXBsZSBub25jZQ==a"));
	assert_false(is_key("dGhlIHNhbXBsZSBub25jZQaa"));
	assert_false(is_key("dGhlIHNhbXBsZSBub25jZQ=a"));
	assert_false(is_key("dGhlIHNhbXBsZSBub25jZa=="
			    "dGhlIHNhbXBsZSBub25jZa=="));
	for (size_t length = 0; length < sizeof(whole) - 1; length++) {
		char text[sizeof(whole)];

		memcpy(text, whole, sizeof(whole));
		text[length] = '\0';
		assert_false(is_key(text));
		memcpy(text, whole, sizeof(whole));
		for (unsigned int byte = 1; byte < 256; byte++) {
			text[length] = (char)byte;
			if (length >= 22)
				assert_int_equal(is_key(text), byte == '=');
			else
				assert_int_equal(is_key(text),
						byte < 128 && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ"
								     "abcdefghijklmnopqrstuvwxyz"
								     "0123456789+/",
									      (int)byte) != NULL);
		}
	}
}

static void
what_ended_too_early_cannot_be_continued(void **state)
{
	struct websocket_key key = read_key("dGhlIHNhbXBsZSBu");

	(void)state;
	for (const char *rest = "b25jZQ=="; *rest != '\0'; rest++)
		websocket_key_add(&key, (uint8_t)*rest);
	websocket_key_end(&key);
	assert_false(websocket_key_valid(&key));
	key = read_key("");
	assert_int_not_equal(key.length, 0);
	for (const char *rest = "dGhlIHNhbXBsZSBub25jZQ=="; *rest != '\0'; rest++)
		websocket_key_add(&key, (uint8_t)*rest);
	assert_false(websocket_key_valid(&key));
}

static void
a_key_once_whole_stays_whole_when_it_ends_again(void **state)
{
	struct websocket_key key = read_key("dGhlIHNhbXBsZSBub25jZQ==");

	(void)state;
	websocket_key_end(&key);
	assert_true(websocket_key_valid(&key));
	websocket_key_add(&key, '=');
	assert_false(websocket_key_valid(&key));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(the_sample_handshake_is_accepted),
			cmocka_unit_test(sixteen_bytes_in_base64_are_a_key),
			cmocka_unit_test(anything_else_is_none),
			cmocka_unit_test(what_ended_too_early_cannot_be_continued),
			cmocka_unit_test(a_key_once_whole_stays_whole_when_it_ends_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
