/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef COLUMNS_H
#define COLUMNS_H

/**
 * @file
 * Sixteen packets in columns: the same four bytes of each in one register, a packet to a lane.
 *
 * Headers are rows of 32-bit words.  Turned by ninety degrees, one instruction compares, adds or
 * swaps a field of sixteen packets; turned back, the rows are stored where they belong.  Words are
 * as they are in memory, so a field in network byte order is swapped where its value matters.
 *
 * For the few files that are written this way, and only on x86-64 with AVX-512: who calls asks
 * columns_available() once, and has another way for other CPUs.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <rte_common.h>
#include <rte_vect.h>

/** Packets at once. */
#define COLUMNS 16

#ifdef RTE_ARCH_X86_64

/** For functions that go through lanes, too: masks are a bit for each. */
#define COLUMNS_AVX512 \
	__attribute__((target("avx512f,avx512bw,avx512cd,avx512dq,avx512vl,bmi,bmi2,lzcnt")))

static inline bool
columns_available(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("bmi") &&
	       __builtin_cpu_supports("bmi2");
}

/** A word as it is in memory, of the number that it is on the wire. */
#define COLUMNS_WORD(number) ((int)__builtin_bswap32(number))

COLUMNS_AVX512 static inline __m128i
columns_load_part(const uint8_t *from)
{
	return _mm_loadu_si128((const __m128i *)from);
}

/** Rows first, first + 4, first + 8 and first + 12, a quarter of the register each. */
COLUMNS_AVX512 static inline __m512i
columns_load_rows(const uint8_t *const rows[COLUMNS], unsigned int first, size_t offset)
{
	__m512i quarters = _mm512_castsi128_si512(columns_load_part(rows[first] + offset));

	quarters = _mm512_inserti32x4(quarters, columns_load_part(rows[first + 4] + offset), 1);
	quarters = _mm512_inserti32x4(quarters, columns_load_part(rows[first + 8] + offset), 2);
	return _mm512_inserti32x4(quarters, columns_load_part(rows[first + 12] + offset), 3);
}

/** Four by four words are turned, in each quarter. */
COLUMNS_AVX512 static inline void
columns_turn(__m512i words[4])
{
	const __m512i a = _mm512_unpacklo_epi32(words[0], words[1]);
	const __m512i b = _mm512_unpackhi_epi32(words[0], words[1]);
	const __m512i c = _mm512_unpacklo_epi32(words[2], words[3]);
	const __m512i d = _mm512_unpackhi_epi32(words[2], words[3]);

	words[0] = _mm512_unpacklo_epi64(a, c);
	words[1] = _mm512_unpackhi_epi64(a, c);
	words[2] = _mm512_unpacklo_epi64(b, d);
	words[3] = _mm512_unpackhi_epi64(b, d);
}

/** Four words at an offset of each row. */
COLUMNS_AVX512 static inline void
columns_load(const uint8_t *const rows[COLUMNS], size_t offset, __m512i words[4])
{
	words[0] = columns_load_rows(rows, 0, offset);
	words[1] = columns_load_rows(rows, 1, offset);
	words[2] = columns_load_rows(rows, 2, offset);
	words[3] = columns_load_rows(rows, 3, offset);
	columns_turn(words);
}

/** Four words of rows that are @p stride bytes apart. */
COLUMNS_AVX512 static inline void
columns_load_table(const void *table, size_t stride, __m512i words[4])
{
	const uint8_t *rows[COLUMNS];

	for (unsigned int i = 0; i < COLUMNS; i++)
		rows[i] = (const uint8_t *)table + i * stride;
	columns_load(rows, 0, words);
}

/** Store a quarter of a register as 16 bytes of a row. */
#define COLUMNS_STORE_PART(to, words, quarter) \
	_mm_storeu_si128((__m128i *)(to), _mm512_extracti32x4_epi32(words, quarter))

/** Four words at an offset of each row, rows that are @p stride bytes apart. */
COLUMNS_AVX512 static inline void
columns_store(void *rows, size_t stride, const __m512i columns[4])
{
	__m512i words[4] = {columns[0], columns[1], columns[2], columns[3]};
	uint8_t *to = rows;

	columns_turn(words);
	for (unsigned int i = 0; i < 4; i++, to += stride) {
		COLUMNS_STORE_PART(to, words[i], 0);
		COLUMNS_STORE_PART(to + 4 * stride, words[i], 1);
		COLUMNS_STORE_PART(to + 8 * stride, words[i], 2);
		COLUMNS_STORE_PART(to + 12 * stride, words[i], 3);
	}
}

/** Four words at an offset of each row, wherever the rows are. */
COLUMNS_AVX512 static inline void
columns_store_rows(uint8_t *const rows[COLUMNS], size_t offset, const __m512i columns[4])
{
	__m512i words[4] = {columns[0], columns[1], columns[2], columns[3]};

	columns_turn(words);
	for (unsigned int i = 0; i < 4; i++) {
		COLUMNS_STORE_PART(rows[i] + offset, words[i], 0);
		COLUMNS_STORE_PART(rows[i + 4] + offset, words[i], 1);
		COLUMNS_STORE_PART(rows[i + 8] + offset, words[i], 2);
		COLUMNS_STORE_PART(rows[i + 12] + offset, words[i], 3);
	}
}

/** Both MAC addresses of each row change places; the type stays. */
COLUMNS_AVX512 static inline void
columns_turn_ethernet(uint8_t *const rows[COLUMNS])
{
	const __m128i turned = _mm_setr_epi8(6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5, 12, 13, 14, 15);

	for (unsigned int i = 0; i < COLUMNS; i++)
		_mm_storeu_si128((__m128i *)(void *)rows[i],
				_mm_shuffle_epi8(columns_load_part(rows[i]), turned));
}

/**
 * Sums for the Internet checksum: of words, whatever carries out of them is lost; and of their
 * upper halves, which say what.
 */
struct columns_sum {
	__m512i words;
	__m512i upper;
};

COLUMNS_AVX512 static inline struct columns_sum
columns_sum_start(void)
{
	return (struct columns_sum){_mm512_setzero_si512(), _mm512_setzero_si512()};
}

COLUMNS_AVX512 static inline void
columns_sum_add(struct columns_sum *sum, __m512i words)
{
	sum->words = _mm512_add_epi32(sum->words, words);
	sum->upper = _mm512_add_epi32(sum->upper, _mm512_srli_epi32(words, 16));
}

/** What half words add up to, in 24 bits at most. */
COLUMNS_AVX512 static inline void
columns_sum_add_halves(struct columns_sum *sum, __m512i halves)
{
	sum->words = _mm512_add_epi32(sum->words, halves);
}

COLUMNS_AVX512 static inline __m512i
columns_fold_once(__m512i sum)
{
	return _mm512_add_epi32(_mm512_and_si512(sum, _mm512_set1_epi32(0xffff)),
			_mm512_srli_epi32(sum, 16));
}

/** As checksum_fold(). */
COLUMNS_AVX512 static inline __m512i
columns_sum_fold(const struct columns_sum *sum)
{
	const __m512i lower = _mm512_sub_epi32(sum->words, _mm512_slli_epi32(sum->upper, 16));

	return columns_fold_once(columns_fold_once(_mm512_add_epi32(lower, sum->upper)));
}

/** The bytes of each half word change places. */
COLUMNS_AVX512 static inline __m512i
columns_swap_16(__m512i words)
{
	return _mm512_shuffle_epi8(words, _mm512_broadcast_i32x4(_mm_setr_epi8(1, 0, 3, 2, 5, 4, 7,
							  6, 9, 8, 11, 10, 13, 12, 15, 14)));
}

/** From network byte order, or to it. */
COLUMNS_AVX512 static inline __m512i
columns_swap_32(__m512i words)
{
	return _mm512_shuffle_epi8(words, _mm512_broadcast_i32x4(_mm_setr_epi8(3, 2, 1, 0, 7, 6, 5,
							  4, 11, 10, 9, 8, 15, 14, 13, 12)));
}

/** Lanes whose word is @p word under @p mask. */
COLUMNS_AVX512 static inline __mmask16
columns_are(__m512i words, int mask, int word)
{
	return _mm512_cmpeq_epi32_mask(
			_mm512_and_si512(words, _mm512_set1_epi32(mask)), _mm512_set1_epi32(word));
}

#else

#define COLUMNS_AVX512

static inline bool
columns_available(void)
{
	return false;
}

#endif

#endif /* COLUMNS_H */
