/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef OPTIONS_COLUMNS_H
#define OPTIONS_COLUMNS_H

/**
 * @file
 * TCP options in columns: the layouts that usual stacks write, told apart by whole words; for
 * parse_columns.c alone.
 *
 * What has another layout is named, and left to tcp_options_parse().
 */

#include "wire/columns.h"
#include "wire/tcp_options.h"

#ifdef RTE_ARCH_X86_64

#define OPTIONS_COLUMNS_WORDS 6 /**< Of the longest options that are read. */

/** What options say. */
struct options_columns {
	__m512i bits;  /**< Which there are, and the window scale: as in a segment's word. */
	__m512i mss;   /**< The option with the MSS, as on the wire. */
	__m512i tsval; /**< A number, as tsecr. */
	__m512i tsecr;
	__mmask16 other; /**< Lanes with another layout. */
};

/* Usual layouts: lanes that have them. */
struct options_layouts {
	__mmask16 timestamps;
	__mmask16 mss_only;
	__mmask16 mss_scale;
	__mmask16 by_linux; /* Or the same without SACK. */
	__mmask16 by_windows;
	__mmask16 by_apple;
	__mmask16 sack;
	__mmask16 other;
};

/* Which layout each lane's options have; words behind the last are zero, and no NOP. */
COLUMNS_AVX512 static inline void
options_layouts_find(const __m512i word[OPTIONS_COLUMNS_WORDS], __m512i header, __mmask16 syns,
		struct options_layouts *layouts)
{
	const int upper = COLUMNS_WORD(0xffffff00);
	const __mmask16 opens = syns & columns_are(word[0], COLUMNS_WORD(0xffff0000),
						       COLUMNS_WORD(TCP_OPTIONS_WORD_MSS));
	const __mmask16 scale_second =
			columns_are(word[1], upper, COLUMNS_WORD(TCP_OPTIONS_WORD_WINDOW_SCALE));
	const __mmask16 sack_second =
			columns_are(word[1], -1, COLUMNS_WORD(TCP_OPTIONS_WORD_SACK_TIMESTAMPS));
	const __mmask16 none = columns_are(header, -1, 20), of_12 = columns_are(header, -1, 32);

	layouts->timestamps =
			of_12 & columns_are(word[0], -1, COLUMNS_WORD(TCP_OPTIONS_WORD_TIMESTAMPS));
	layouts->mss_only = opens & columns_are(header, -1, 24);
	layouts->mss_scale = opens & scale_second & columns_are(header, -1, 28);
	layouts->by_linux =
			opens & columns_are(header, -1, 40) &
			(sack_second | columns_are(word[1], -1,
						       COLUMNS_WORD(TCP_OPTIONS_WORD_TIMESTAMPS))) &
			columns_are(word[4], upper, COLUMNS_WORD(TCP_OPTIONS_WORD_WINDOW_SCALE));
	layouts->by_windows = opens & of_12 & scale_second &
			      columns_are(word[2], -1, COLUMNS_WORD(TCP_OPTIONS_WORD_SACK));
	layouts->by_apple = opens & scale_second & columns_are(header, -1, 44) &
			    columns_are(word[2], -1, COLUMNS_WORD(TCP_OPTIONS_WORD_TIMESTAMPS)) &
			    columns_are(word[5], -1, COLUMNS_WORD(TCP_OPTIONS_WORD_SACK_END));
	layouts->sack = (layouts->by_linux & sack_second) | layouts->by_windows | layouts->by_apple;
	layouts->other = (__mmask16) ~(none | layouts->timestamps | layouts->mss_only |
				       layouts->mss_scale | layouts->by_linux |
				       layouts->by_windows | layouts->by_apple);
}

/* Where lanes have an option. */
COLUMNS_AVX512 static inline __m512i
options_layouts_add(__m512i bits, __mmask16 lanes, int option)
{
	return _mm512_mask_or_epi32(bits, lanes, bits, _mm512_set1_epi32(option << 8));
}

/* Options, window scale: the upper part of a segment's word. */
COLUMNS_AVX512 static inline __m512i
options_layouts_bits(
		const __m512i word[OPTIONS_COLUMNS_WORDS], const struct options_layouts *layouts)
{
	const __mmask16 scale_second = layouts->mss_scale | layouts->by_windows | layouts->by_apple;
	__m512i scale = _mm512_maskz_mov_epi32(layouts->by_linux, word[4]);
	__m512i bits;

	scale = _mm512_mask_mov_epi32(scale, scale_second, word[1]);
	bits = _mm512_slli_epi32(_mm512_srli_epi32(scale, 24), 16);
	bits = options_layouts_add(bits, scale_second | layouts->by_linux, TCP_OPTION_WINDOW_SCALE);
	bits = options_layouts_add(
			bits, scale_second | layouts->by_linux | layouts->mss_only, TCP_OPTION_MSS);
	bits = options_layouts_add(bits, layouts->sack, TCP_OPTION_SACK_PERMITTED);
	return options_layouts_add(bits,
			layouts->by_linux | layouts->by_apple | layouts->timestamps,
			TCP_OPTION_TIMESTAMPS);
}

/**
 * Read options.
 *
 * @param word
 *   Those behind the header without options; those behind a lane's last are 0.
 * @param header
 *   Bytes of the whole header.
 * @param syns
 *   Lanes whose SYN bit is set.
 */
COLUMNS_AVX512 static inline void
options_columns_read(const __m512i word[OPTIONS_COLUMNS_WORDS], __m512i header, __mmask16 syns,
		struct options_columns *options)
{
	__m512i tsval, tsecr;
	struct options_layouts layouts;

	options_layouts_find(word, header, syns, &layouts);
	tsval = _mm512_maskz_mov_epi32(layouts.by_linux, word[2]);
	tsval = _mm512_mask_mov_epi32(tsval, layouts.timestamps, word[1]);
	tsval = _mm512_mask_mov_epi32(tsval, layouts.by_apple, word[3]);
	tsecr = _mm512_maskz_mov_epi32(layouts.by_linux, word[3]);
	tsecr = _mm512_mask_mov_epi32(tsecr, layouts.timestamps, word[2]);
	tsecr = _mm512_mask_mov_epi32(tsecr, layouts.by_apple, word[4]);
	options->tsval = columns_swap_32(tsval);
	options->tsecr = columns_swap_32(tsecr);
	options->mss = _mm512_maskz_mov_epi32(layouts.mss_only | layouts.mss_scale |
							      layouts.by_linux |
							      layouts.by_windows | layouts.by_apple,
			word[0]);
	options->bits = options_layouts_bits(word, &layouts);
	options->other = layouts.other;
}

#endif

#endif /* OPTIONS_COLUMNS_H */
