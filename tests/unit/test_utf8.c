/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * utf8: every character, and every sequence compared with a decoder that looks at values.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "random.h"
#include "respond/utf8.h"

#define SEED UINT64_C(0x75746638)

/* RFC 3629 3, by arithmetic. */
static size_t
encode(uint32_t character, uint8_t text[4])
{
	if (character < 0x80) {
		text[0] = (uint8_t)character;
		return 1;
	}
	if (character < 0x800) {
		text[0] = (uint8_t)(0xc0 | character >> 6);
		text[1] = (uint8_t)(0x80 | (character & 0x3f));
		return 2;
	}
	if (character < 0x10000) {
		text[0] = (uint8_t)(0xe0 | character >> 12);
		text[1] = (uint8_t)(0x80 | (character >> 6 & 0x3f));
		text[2] = (uint8_t)(0x80 | (character & 0x3f));
		return 3;
	}
	text[0] = (uint8_t)(0xf0 | character >> 18);
	text[1] = (uint8_t)(0x80 | (character >> 12 & 0x3f));
	text[2] = (uint8_t)(0x80 | (character >> 6 & 0x3f));
	text[3] = (uint8_t)(0x80 | (character & 0x3f));
	return 4;
}

static bool
is_character(uint32_t character)
{
	return character <= 0x10ffff && (character < 0xd800 || character > 0xdfff);
}

static bool
is_valid(const uint8_t *text, size_t length)
{
	struct utf8 utf8 = {0};

	return utf8_read(&utf8, text, length) == length && utf8_complete(&utf8);
}

static void
every_character_is_read_and_no_surrogate(void **state)
{
	(void)state;
	for (uint32_t character = 0; character < 0x200000; character++) {
		uint8_t text[4];
		size_t length = encode(character, text);
		struct utf8 utf8 = {0};

		assert_int_equal(is_valid(text, length), is_character(character));
		if (!is_character(character))
			continue;
		for (size_t i = 0; i < length; i++) {
			assert_int_equal(utf8_read(&utf8, text + i, 1), 1);
			assert_int_equal(utf8_complete(&utf8), i == length - 1);
		}
	}
}

static void
overlong_forms_are_wrong_at_the_first_byte_that_tells(void **state)
{
	static const struct {
		const char *text;
		size_t valid;
	} samples[] = {
			{"\xc0\x80", 0},
			{"\xc1\xbf", 0},
			{"\xe0\x80\x80", 1},
			{"\xe0\x9f\xbf", 1},
			{"\xf0\x80\x80\x80", 1},
			{"\xf0\x8f\xbf\xbf", 1},
			{"\xed\xa0\x80", 1},
			{"\xf4\x90\x80\x80", 1},
			{"\xf5\x80\x80\x80", 0},
			{"\xff", 0},
			{"\x80", 0},
			{"\xbf", 0},
			{"a\xc3(", 2},
			{"\xe2\x82", 2},
			{"\xe2\x28\xa1", 1},
			{"abcdefghijklmnop\xfe", 16},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		size_t length = strlen(samples[i].text);
		struct utf8 utf8 = {0};

		assert_int_equal(utf8_read(&utf8, (const uint8_t *)samples[i].text, length),
				samples[i].valid);
		assert_false(is_valid((const uint8_t *)samples[i].text, length));
	}
}

/* The length of the character at the start of @p text, 0 if there is none. */
static size_t
character_at(const uint8_t *text, size_t length)
{
	for (size_t bytes = 1; bytes <= 4 && bytes <= length; bytes++) {
		static const uint8_t marks[] = {0, 0x00, 0x1f, 0x0f, 0x07};
		uint32_t character = text[0] & (bytes == 1 ? 0xff : marks[bytes]);
		uint8_t again[4];

		for (size_t i = 1; i < bytes; i++)
			character = character << 6 | (text[i] & 0x3f);
		if (is_character(character) && encode(character, again) == bytes &&
				memcmp(again, text, bytes) == 0)
			return bytes;
	}
	return 0;
}

static void
chance_is_judged_as_a_decoder_does_wherever_it_is_split(void **state)
{
	static const uint8_t bytes[] = {'a', 'z', 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc1,
			0xc2, 0xdf, 0xe0, 0xe1, 0xed, 0xef, 0xf0, 0xf1, 0xf4, 0xf5};
	uint64_t seed = SEED;

	(void)state;
	print_message("seed %#llx\n", (unsigned long long)SEED);
	for (unsigned int round = 0; round < 200000; round++) {
		uint8_t text[24];
		size_t length = 0, good = 0, at = 0;
		struct utf8 utf8 = {0};

		while (length < 20) {
			if (random_below(&seed, 4) == 0)
				text[length++] = bytes[random_below(&seed, sizeof(bytes))];
			else
				length += encode(random_below(&seed, 0xd800), text + length);
		}
		while (good < length) {
			size_t step = character_at(text + good, length - good);

			if (step == 0)
				break;
			good += step;
		}
		assert_int_equal(is_valid(text, length), good == length);
		while (at < length) {
			size_t piece = 1 + random_below(&seed, 10);
			size_t used;

			piece = piece < length - at ? piece : length - at;
			used = utf8_read(&utf8, text + at, piece);
			at += used;
			if (used < piece)
				break;
		}
		/* It stops inside the first wrong character, at its first wrong byte. */
		assert_true(at >= good && at < good + 4);
		assert_int_equal(at == length && utf8_complete(&utf8), good == length);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(every_character_is_read_and_no_surrogate),
			cmocka_unit_test(overlong_forms_are_wrong_at_the_first_byte_that_tells),
			cmocka_unit_test(chance_is_judged_as_a_decoder_does_wherever_it_is_split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
