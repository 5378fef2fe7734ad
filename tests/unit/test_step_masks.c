/* SPDX-License-Identifier: BSD-3-Clause */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "random.h"
#include "step/step_masks.h"
#include "wire/columns.h"

#define SEED 20261120

static void
masks_name_those_of_the_kind(void **state)
{
	uint64_t random = SEED;

	(void)state;
	print_message("seed %u\n", SEED);
	for (unsigned int round = 0; round < 1000; round++) {
		const bool columns = columns_available() && (round & 1) != 0;
		void *pointers[STEP_MASKS_MAX];
		uint8_t bytes[STEP_MASKS_MAX];
		uint64_t there, equal, same;

		for (unsigned int i = 0; i < STEP_MASKS_MAX; i++) {
			bytes[i] = (uint8_t)random_below(&random, 4);
			pointers[i] = random_below(&random, 2) != 0 ? &bytes[i / 2] : NULL;
		}
		there = step_masks_there(pointers, columns);
		equal = step_masks_equal(bytes, 2, columns);
		same = step_masks_same_as_next(pointers, columns);
		assert_int_equal(same >> (STEP_MASKS_MAX - 1), 0);
		for (unsigned int i = 0; i + 1 < STEP_MASKS_MAX; i++)
			assert_int_equal(same >> i & 1, pointers[i] == pointers[i + 1]);
		for (unsigned int i = 0; i < STEP_MASKS_MAX; i++) {
			assert_int_equal(there >> i & 1, pointers[i] != NULL);
			assert_int_equal(equal >> i & 1, bytes[i] == 2);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(masks_name_those_of_the_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
