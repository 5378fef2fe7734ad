/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Texts compared and written at once, against memcmp() and memcpy().
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "columns_begin.h"
#include "random.h"
#include "step/step_texts.h"

#define SEED   20261121
#define ROUNDS 20000
#define ROOM   320

static uint8_t texts[COLUMNS][ROOM], expected[COLUMNS][ROOM], text[ROOM];

static void
check_same(uint64_t *random, size_t length, size_t from)
{
	const uint8_t *of[COLUMNS];
	const uint16_t lanes = (uint16_t)random_next(random);
	uint16_t same = 0;

	for (unsigned int i = 0; i < COLUMNS; i++) {
		of[i] = texts[i] + from;
		random_fill(random, texts[i], sizeof(texts[i]));
		memcpy(texts[i] + from, text, length);
		if (length > 0 && random_below(random, 2) == 0)
			texts[i][from + random_below(random, (uint32_t)length)] ^= 0x40;
		same |= (uint16_t)((memcmp(of[i], text, length) == 0) << i);
	}
	assert_int_equal(step_texts_are(of, lanes, text, length), lanes & same);
}

static void
check_written(uint64_t *random, size_t length, size_t from)
{
	const unsigned int n = random_below(random, COLUMNS + 1);
	uint8_t *to[COLUMNS];

	for (unsigned int i = 0; i < COLUMNS; i++) {
		memcpy(expected[i], texts[i], sizeof(expected[i]));
		to[i] = texts[i] + from;
		if (i < n)
			memcpy(expected[i] + from, text, length);
	}
	step_texts_write(to, n, text, length);
	assert_memory_equal(texts, expected, sizeof(texts));
}

static void
many_texts_are_what_each_of_them_is(void **state)
{
	uint64_t random = columns_begin(SEED);

	(void)state;
	for (unsigned int round = 0; round < ROUNDS; round++) {
		const size_t length = random_below(&random, ROOM - 16 + 1);
		const size_t from = random_below(&random, 16);

		random_fill(&random, text, sizeof(text));
		check_same(&random, length, from);
		check_written(&random, length, from);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(many_texts_are_what_each_of_them_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
