/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef STEP_LANES_H
#define STEP_LANES_H

/**
 * @file
 * What the files of lib/step that have a lane for each connection ask of its words; private to
 * them, and for CPUs with AVX-512.
 */

#include "tcp/tcp_effect.h"
#include "wire/columns.h"

#ifdef RTE_ARCH_X86_64

COLUMNS_AVX512 static inline __m512i
step_lanes_set(uint32_t word)
{
	return _mm512_set1_epi32((int)word);
}

/** Lanes that have any of some bits. */
COLUMNS_AVX512 static inline __mmask16
step_lanes_have(__m512i words, uint32_t bits)
{
	return _mm512_test_epi32_mask(words, step_lanes_set(bits));
}

/** Lanes whose word is a number. */
COLUMNS_AVX512 static inline __mmask16
step_lanes_are(__m512i words, uint32_t number)
{
	return _mm512_cmpeq_epi32_mask(words, step_lanes_set(number));
}

COLUMNS_AVX512 static inline __m512i
step_lanes_byte(__m512i words, unsigned int byte)
{
	return _mm512_and_si512(_mm512_srli_epi32(words, byte * 8), step_lanes_set(0xff));
}

COLUMNS_AVX512 static inline __m512i
step_lanes_low_half(__m512i words)
{
	return _mm512_and_si512(words, step_lanes_set(0xffff));
}

/** tcp_effect_rto_ms(), where nothing was sent again. */
COLUMNS_AVX512 static inline __m512i
step_lanes_rto_ms(__m512i srtt_rttvar, __m512i flags, const struct tcp_config *config)
{
	const __m512i srtt_ms = _mm512_srli_epi32(step_lanes_low_half(srtt_rttvar), 3);
	const __m512i rttvar = _mm512_srli_epi32(srtt_rttvar, 16);
	const __m512i rto = _mm512_max_epu32(
			_mm512_add_epi32(srtt_ms, _mm512_max_epu32(rttvar, step_lanes_set(1))),
			step_lanes_set(config->rto_min_ms));

	return _mm512_min_epu32(_mm512_mask_mov_epi32(step_lanes_set(TCP_EFFECT_RTO_INITIAL_MS),
						step_lanes_have(flags, TCP_CONN_RTT_MEASURED), rto),
			step_lanes_set(config->rto_max_ms));
}

/** tcp_effect_idle_ms(), of those who were sent no probes. */
COLUMNS_AVX512 static inline __m512i
step_lanes_idle_ms(const struct tcp_config *config)
{
	const struct tcp_conn unprobed = {.retries = 0};

	return step_lanes_set(tcp_effect_idle_ms(&unprobed, config));
}

#endif

#endif /* STEP_LANES_H */
