/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef SIPHASH_LANES_H
#define SIPHASH_LANES_H

/**
 * @file
 * SipHash of sixteen messages in AVX-512 registers: two times eight, side by side, which hides the
 * latency of the chain that each of them is.
 *
 * For the few files that hash so, inside functions for that instruction set.
 */

#include <stdint.h>

#include <rte_vect.h>

#include "tcp/flow_key.h"

/** "somepseudorandomlygeneratedbytes", as the specification has it. */
#define SIPHASH_INIT_0 UINT64_C(0x736f6d6570736575)
#define SIPHASH_INIT_1 UINT64_C(0x646f72616e646f6d)
#define SIPHASH_INIT_2 UINT64_C(0x6c7967656e657261)
#define SIPHASH_INIT_3 UINT64_C(0x7465646279746573)

/** The last word of a message carries its length in the top byte. */
#define SIPHASH_FLOW_LENGTH ((uint64_t)sizeof(struct flow_key) << 56)

#ifdef RTE_ARCH_X86_64

#define SIPHASH_LANES_AVX512 __attribute__((target("avx512f,avx512dq,avx512vl")))

#define SIPHASH_LANES        16

/** A word of each message. */
struct siphash_words {
	__m512i half[2];
};

/** The state of each. */
struct siphash_lanes {
	struct siphash_words v0, v1, v2, v3;
};

SIPHASH_LANES_AVX512 static inline struct siphash_words
siphash_words_set(uint64_t word)
{
	const __m512i words = _mm512_set1_epi64((long long)word);

	return (struct siphash_words){{words, words}};
}

SIPHASH_LANES_AVX512 static inline struct siphash_words
siphash_words_xor(struct siphash_words a, struct siphash_words b)
{
	return (struct siphash_words){{_mm512_xor_si512(a.half[0], b.half[0]),
			_mm512_xor_si512(a.half[1], b.half[1])}};
}

SIPHASH_LANES_AVX512 static inline struct siphash_words
siphash_words_load(const uint64_t words[SIPHASH_LANES])
{
	return (struct siphash_words){{_mm512_loadu_si512(words), _mm512_loadu_si512(words + 8)}};
}

SIPHASH_LANES_AVX512 static inline void
siphash_words_store(uint64_t words[SIPHASH_LANES], struct siphash_words from)
{
	_mm512_storeu_si512(words, from.half[0]);
	_mm512_storeu_si512(words + 8, from.half[1]);
}

/** The words of keys, in the order in which they are hashed; of the last one 32 bits. */
SIPHASH_LANES_AVX512 static inline void
siphash_words_of_flows(const struct flow_key flows[SIPHASH_LANES], struct siphash_words words[3])
{
	/* Of eight keys, pairs of 32-bit words from the first two registers, and from the third. */
	const __m512i first = _mm512_setr_epi32(
			0, 1, 5, 6, 10, 11, 15, 16, 20, 21, 25, 26, 30, 31, 35 - 32, 36 - 32);
	const __m512i second = _mm512_add_epi32(first, _mm512_set1_epi32(2));
	const __m512i third = _mm512_add_epi32(first, _mm512_set1_epi32(4));
	const uint8_t *bytes = (const uint8_t *)flows;

	for (unsigned int i = 0; i < 2; i++) {
		const uint8_t *from = bytes + i * 8 * sizeof(flows[0]);
		const __m512i a = _mm512_loadu_si512(from);
		const __m512i b = _mm512_loadu_si512(from + 64);
		const __m512i c = _mm512_zextsi256_si512(
				_mm256_loadu_si256((const __m256i *)(const void *)(from + 128)));

		words[0].half[i] = _mm512_mask_permutexvar_epi32(
				_mm512_permutex2var_epi32(a, first, b), 0xc000, first, c);
		words[1].half[i] = _mm512_mask_permutexvar_epi32(
				_mm512_permutex2var_epi32(a, second, b), 0xf000, second, c);
		words[2].half[i] = _mm512_maskz_mov_epi32(
				0x5555, _mm512_mask_permutexvar_epi32(
							_mm512_permutex2var_epi32(a, third, b),
							0xf000, third, c));
	}
}

/** Each message under a key of its own, or all under one. */
SIPHASH_LANES_AVX512 static inline struct siphash_lanes
siphash_lanes_start(struct siphash_words k0, struct siphash_words k1)
{
	return (struct siphash_lanes){
			.v0 = siphash_words_xor(k0, siphash_words_set(SIPHASH_INIT_0)),
			.v1 = siphash_words_xor(k1, siphash_words_set(SIPHASH_INIT_1)),
			.v2 = siphash_words_xor(k0, siphash_words_set(SIPHASH_INIT_2)),
			.v3 = siphash_words_xor(k1, siphash_words_set(SIPHASH_INIT_3)),
	};
}

SIPHASH_LANES_AVX512 static inline void
siphash_lanes_round(struct siphash_lanes *s)
{
	for (unsigned int i = 0; i < 2; i++) {
		__m512i v0 = s->v0.half[i], v1 = s->v1.half[i];
		__m512i v2 = s->v2.half[i], v3 = s->v3.half[i];

		v0 = _mm512_add_epi64(v0, v1);
		v2 = _mm512_add_epi64(v2, v3);
		v1 = _mm512_xor_si512(_mm512_rol_epi64(v1, 13), v0);
		v3 = _mm512_xor_si512(_mm512_rol_epi64(v3, 16), v2);
		v0 = _mm512_rol_epi64(v0, 32);
		v2 = _mm512_add_epi64(v2, v1);
		v0 = _mm512_add_epi64(v0, v3);
		v1 = _mm512_xor_si512(_mm512_rol_epi64(v1, 17), v2);
		v3 = _mm512_xor_si512(_mm512_rol_epi64(v3, 21), v0);
		v2 = _mm512_rol_epi64(v2, 32);
		s->v0.half[i] = v0;
		s->v1.half[i] = v1;
		s->v2.half[i] = v2;
		s->v3.half[i] = v3;
	}
}

SIPHASH_LANES_AVX512 static inline void
siphash_lanes_compress(struct siphash_lanes *s, struct siphash_words words, unsigned int rounds)
{
	s->v3 = siphash_words_xor(s->v3, words);
	for (unsigned int i = 0; i < rounds; i++)
		siphash_lanes_round(s);
	s->v0 = siphash_words_xor(s->v0, words);
}

/** @return the hashes. */
SIPHASH_LANES_AVX512 static inline struct siphash_words
siphash_lanes_finish(struct siphash_lanes *s, unsigned int rounds)
{
	s->v2 = siphash_words_xor(s->v2, siphash_words_set(0xff));
	for (unsigned int i = 0; i < rounds; i++)
		siphash_lanes_round(s);
	return siphash_words_xor(siphash_words_xor(s->v0, s->v1), siphash_words_xor(s->v2, s->v3));
}

/** siphash_flow() of sixteen keys. */
SIPHASH_LANES_AVX512 static inline struct siphash_words
siphash_lanes_of_flows(struct siphash_words k0, struct siphash_words k1,
		const struct flow_key flows[SIPHASH_LANES])
{
	const __m512i length = _mm512_set1_epi64((long long)SIPHASH_FLOW_LENGTH);
	struct siphash_lanes s = siphash_lanes_start(k0, k1);
	struct siphash_words words[3];

	siphash_words_of_flows(flows, words);
	/* The third word is half a word; the length is above it. */
	words[2].half[0] = _mm512_or_si512(words[2].half[0], length);
	words[2].half[1] = _mm512_or_si512(words[2].half[1], length);
	for (unsigned int i = 0; i < 3; i++)
		siphash_lanes_compress(&s, words[i], 1);
	return siphash_lanes_finish(&s, 3);
}

#endif

#endif /* SIPHASH_LANES_H */
