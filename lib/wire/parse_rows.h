/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef PARSE_ROWS_H
#define PARSE_ROWS_H

/**
 * @file
 * What parse_columns() found out, turned into rows: for that file, and for CPUs with AVX-512.
 */

#include "tcp/flow_key.h"
#include "tcp/tcp_step.h"
#include "wire/columns.h"

#ifdef RTE_ARCH_X86_64

/**
 * Columns as rows of n words without a gap, the k-th register of them: word p is of row
 * (16 k + p) / n, column (16 k + p) % n.
 */
COLUMNS_AVX512 static inline __m512i
parse_rows_of(unsigned int n, unsigned int k)
{
	static const uint32_t row_of_3[3 * COLUMNS] = {0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4,
			5, 5, 5, 6, 6, 6, 7, 7, 7, 8, 8, 8, 9, 9, 9, 10, 10, 10, 11, 11, 11, 12, 12,
			12, 13, 13, 13, 14, 14, 14, 15, 15, 15};
	static const uint32_t row_of_5[5 * COLUMNS] = {0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2,
			3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 5, 5, 5, 5, 5, 6, 6, 6, 6, 6, 7, 7, 7, 7, 7,
			8, 8, 8, 8, 8, 9, 9, 9, 9, 9, 10, 10, 10, 10, 10, 11, 11, 11, 11, 11, 12,
			12, 12, 12, 12, 13, 13, 13, 13, 13, 14, 14, 14, 14, 14, 15, 15, 15, 15, 15};

	return _mm512_loadu_si512((n == 3 ? row_of_3 : row_of_5) + k * COLUMNS);
}

/** The words of register k that are of a column. */
static inline __mmask16
parse_rows_words(unsigned int n, unsigned int k, unsigned int column)
{
	const uint32_t every = n == 3 ? 0x9249 : 0x8421;

	return (__mmask16)(every << (column + n * COLUMNS - k * COLUMNS) % n);
}

COLUMNS_AVX512 static inline __m512i
parse_rows_put(__m512i to, unsigned int n, unsigned int k, unsigned int column, __m512i words)
{
	return _mm512_mask_permutexvar_epi32(
			to, parse_rows_words(n, k, column), parse_rows_of(n, k), words);
}

/** Keys of IPv4's flows: the upper words of the address are the same for all. */
COLUMNS_AVX512 static inline void
parse_rows_keys_4(struct flow_key *keys, __m512i address, __m512i rest)
{
	uint8_t *to = (uint8_t *)keys;

	for (unsigned int k = 0; k < 5; k++) {
		__m512i words = _mm512_maskz_set1_epi32(
				parse_rows_words(5, k, 2), (int)(uint32_t)FLOW_KEY_MAPPED);

		words = parse_rows_put(words, 5, k, 3, address);
		words = parse_rows_put(words, 5, k, 4, rest);
		_mm512_storeu_si512(to + k * sizeof(words), words);
	}
}

COLUMNS_AVX512 static inline void
parse_rows_keys_6(struct flow_key *keys, const __m512i address[4], __m512i rest)
{
	uint8_t *to = (uint8_t *)keys;

	for (unsigned int k = 0; k < 5; k++) {
		__m512i words = _mm512_permutexvar_epi32(parse_rows_of(5, k), rest);

		for (unsigned int column = 0; column < 4; column++)
			words = parse_rows_put(words, 5, k, column, address[column]);
		_mm512_storeu_si512(to + k * sizeof(words), words);
	}
}

COLUMNS_AVX512 static inline void
parse_rows_events(uint8_t *events, __m512i flags)
{
	const __m512i known = _mm512_cvtepu8_epi32(
			_mm_loadu_si128((const __m128i *)(const void *)tcp_step_events));
	const __m512i which = _mm512_or_si512(
			_mm512_and_si512(flags, _mm512_set1_epi32(TCP_FIN | TCP_SYN | TCP_RST)),
			_mm512_srli_epi32(_mm512_and_si512(flags, _mm512_set1_epi32(TCP_ACK)), 1));

	_mm_storeu_si128((__m128i *)(void *)events,
			_mm512_cvtepi32_epi8(_mm512_permutexvar_epi32(which, known)));
}

#endif

#endif /* PARSE_ROWS_H */
