/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The message of a cookie's MAC in columns: address, port and endpoint, number and options.
 */

#include <stddef.h>
#include <string.h>

#include "cookie/siphash_lanes.h"
#include "cookie/syncookie_columns.h"
#include "wire/columns.h"

#ifdef RTE_ARCH_X86_64

_Static_assert(SYNCOOKIE_COLUMNS == SIPHASH_LANES && SYNCOOKIE_COLUMNS == COLUMNS,
		"all are hashed at once");
_Static_assert(offsetof(struct tcp_segment, seq) == 0 && offsetof(struct tcp_segment, tsval) == 8,
		"the first and the third word of a segment");

bool
syncookie_columns_available(void)
{
	return columns_available();
}

/* The peer's port as a number, and our endpoint. */
SIPHASH_LANES_AVX512 static inline struct siphash_words
port_words(struct siphash_words last, uint64_t endpoint_word)
{
	const __m512i endpoint = _mm512_set1_epi64((long long)endpoint_word);
	const __m512i low = _mm512_set1_epi64(0xff), high = _mm512_set1_epi64(0xff00);

	for (unsigned int i = 0; i < 2; i++) {
		const __m512i port = last.half[i];
		const __m512i swapped =
				_mm512_or_si512(_mm512_and_si512(_mm512_slli_epi64(port, 8), high),
						_mm512_and_si512(_mm512_srli_epi64(port, 8), low));

		last.half[i] = _mm512_or_si512(swapped, endpoint);
	}
	return last;
}

SIPHASH_LANES_AVX512 static inline struct siphash_words
number_words(__m512i numbers, uint64_t code_word)
{
	const __m512i code = _mm512_set1_epi64((long long)code_word);

	return (struct siphash_words){{
			_mm512_or_si512(code,
					_mm512_cvtepu32_epi64(_mm512_castsi512_si256(numbers))),
			_mm512_or_si512(code, _mm512_cvtepu32_epi64(_mm512_extracti64x4_epi64(
							      numbers, 1))),
	}};
}

SIPHASH_LANES_AVX512 static inline __m512i
low_halves(struct siphash_words words)
{
	return _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi64_epi32(words.half[0])),
			_mm512_cvtepi64_epi32(words.half[1]), 1);
}

/* The upper halves of the hashes of flows. */
COLUMNS_AVX512 static inline __m512i
upper_halves(const uint64_t *hashes, unsigned int n)
{
	const uint32_t lanes = (1u << n) - 1;
	const __m512i low = _mm512_maskz_loadu_epi64((__mmask8)lanes, hashes);
	const __m512i high = _mm512_maskz_loadu_epi64((__mmask8)(lanes >> 8), hashes + 8);

	return low_halves((struct siphash_words){
			{_mm512_srli_epi64(low, 32), _mm512_srli_epi64(high, 32)}});
}

COLUMNS_AVX512 void
syncookie_columns_make(const struct syncookie_keys *keys, const struct syncookie_offer *offer,
		const struct syncookie_columns *columns)
{
	const __m512i mask = _mm512_set1_epi32((int)((1u << offer->mac_bits) - 1));
	const __m512i clock = _mm512_add_epi32(_mm512_set1_epi32((int)columns->ts_clock),
			_mm512_and_si512(upper_halves(columns->hashes, columns->n),
					_mm512_set1_epi32((int)columns->ts_flow_mask)));
	const __m512i ts_mask = _mm512_set1_epi32((1 << SYNCOOKIE_TS_BITS) - 1);
	const struct siphash_key *key = &keys->key[0][keys->made_slot];
	struct siphash_lanes s =
			siphash_lanes_start(siphash_words_set(key->k0), siphash_words_set(key->k1));
	struct siphash_words words[3];
	__m512i said[4], isn, behind;

	columns_load_table(columns->segments, sizeof(*columns->segments), said);
	siphash_words_of_flows(columns->flows, words);
	siphash_lanes_compress(&s, words[0], 2);
	siphash_lanes_compress(&s, words[1], 2);
	siphash_lanes_compress(&s, port_words(words[2], offer->endpoint_word), 2);
	siphash_lanes_compress(&s, number_words(said[0], offer->code_word), 2);
	isn = _mm512_and_si512(low_halves(siphash_lanes_finish(&s, 4)), mask);
	isn = _mm512_or_si512(isn, _mm512_set1_epi32((int)offer->isn_bits));
	/* The bits above the MAC are hidden by its lowest ones. */
	isn = _mm512_xor_si512(isn, _mm512_sll_epi32(isn, _mm_cvtsi32_si128(offer->mac_bits)));
	_mm512_storeu_si512(columns->seq, isn);
	_mm512_storeu_si512(columns->ack, _mm512_add_epi32(said[0], _mm512_set1_epi32(1)));
	behind = _mm512_and_si512(
			_mm512_sub_epi32(clock, _mm512_set1_epi32(offer->ts_bits)), ts_mask);
	_mm512_storeu_si512(columns->tsval, _mm512_sub_epi32(clock, behind));
	_mm512_storeu_si512(columns->tsecr, said[2]);
}

#else

bool
syncookie_columns_available(void)
{
	return false;
}

void
syncookie_columns_make(const struct syncookie_keys *keys, const struct syncookie_offer *offer,
		const struct syncookie_columns *columns)
{
	(void)keys;
	(void)offer;
	(void)columns;
}

#endif
