/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef COLUMNS_BEGIN_H
#define COLUMNS_BEGIN_H

/**
 * @file
 * How every property test of columns begins.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/columns.h"

/** Leave the test on a CPU that has no columns; else print the seed. @return it, to draw from. */
static inline uint64_t
columns_begin(uint64_t seed)
{
	if (!columns_available()) {
		print_message("this CPU has no AVX-512\n");
		skip();
	}
	print_message("seed %llu\n", (unsigned long long)seed);
	return seed;
}

#endif /* COLUMNS_BEGIN_H */
