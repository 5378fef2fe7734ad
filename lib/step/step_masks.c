/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include <rte_branch_prediction.h>

#include "step/step_masks.h"
#include "wire/columns.h"

#ifdef RTE_ARCH_X86_64

_Static_assert(sizeof(void *) == 8, "eight pointers to a register");

COLUMNS_AVX512 static uint64_t
there_columns(const void *pointers)
{
	const uint8_t *from = pointers;
	uint64_t there = 0;

	for (unsigned int i = 0; i < STEP_MASKS_MAX; i += 8) {
		const __m512i words = _mm512_loadu_si512(from + i * sizeof(void *));

		there |= (uint64_t)_mm512_test_epi64_mask(words, words) << i;
	}
	return there;
}

COLUMNS_AVX512 static uint64_t
equal_columns(const uint8_t bytes[STEP_MASKS_MAX], uint8_t value)
{
	return _mm512_cmpeq_epi8_mask(_mm512_loadu_si512(bytes), _mm512_set1_epi8((char)value));
}

COLUMNS_AVX512 static uint64_t
same_as_next_columns(const void *pointers)
{
	const uint8_t *from = pointers;
	uint64_t same = 0;

	for (unsigned int i = 0; i < STEP_MASKS_MAX; i += 8) {
		const __mmask8 lanes = i + 8 < STEP_MASKS_MAX ? 0xff : 0x7f;
		const __m512i words = _mm512_loadu_si512(from + i * sizeof(void *));
		const __m512i next =
				_mm512_maskz_loadu_epi64(lanes, from + (i + 1) * sizeof(void *));

		same |= (uint64_t)_mm512_mask_cmpeq_epi64_mask(lanes, words, next) << i;
	}
	return same;
}

#else

static uint64_t
there_columns(const void *pointers)
{
	return step_masks_there(pointers, false);
}

static uint64_t
equal_columns(const uint8_t bytes[STEP_MASKS_MAX], uint8_t value)
{
	return step_masks_equal(bytes, value, false);
}

static uint64_t
same_as_next_columns(const void *pointers)
{
	return step_masks_same_as_next(pointers, false);
}

#endif

uint64_t
step_masks_there(const void *pointers, bool columns)
{
	const uint8_t *from = pointers;
	uint64_t there = 0;

	if (likely(columns))
		return there_columns(pointers);
	for (unsigned int i = 0; i < STEP_MASKS_MAX; i++) {
		uintptr_t pointer;

		memcpy(&pointer, from + i * sizeof(pointer), sizeof(pointer));
		there |= (uint64_t)(pointer != 0) << i;
	}
	return there;
}

uint64_t
step_masks_equal(const uint8_t bytes[STEP_MASKS_MAX], uint8_t value, bool columns)
{
	uint64_t equal = 0;

	if (likely(columns))
		return equal_columns(bytes, value);
	for (unsigned int i = 0; i < STEP_MASKS_MAX; i++)
		equal |= (uint64_t)(bytes[i] == value) << i;
	return equal;
}

uint64_t
step_masks_same_as_next(const void *pointers, bool columns)
{
	const uint8_t *from = pointers;
	uint64_t same = 0;

	if (likely(columns))
		return same_as_next_columns(pointers);
	for (unsigned int i = 0; i + 1 < STEP_MASKS_MAX; i++) {
		const uint8_t *at = from + i * sizeof(void *);

		same |= (uint64_t)(memcmp(at, at + sizeof(void *), sizeof(void *)) == 0) << i;
	}
	return same;
}
