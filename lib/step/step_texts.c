/* SPDX-License-Identifier: BSD-3-Clause */

#include "step/step_texts.h"

#ifdef RTE_ARCH_X86_64

#define AVX512 COLUMNS_AVX512
#define BLOCK  64

/* A bit for each byte of the block at @p at that is in a text. */
AVX512 static inline __mmask64
block_mask(size_t at, size_t length)
{
	return length - at >= BLOCK ? UINT64_MAX : (UINT64_C(1) << (length - at)) - 1;
}

AVX512 uint16_t
step_texts_are(const uint8_t *const texts[COLUMNS], uint16_t lanes, const uint8_t *text,
		size_t length)
{
	for (size_t at = 0; at < length; at += BLOCK) {
		const __mmask64 mask = block_mask(at, length);
		const __m512i block = _mm512_maskz_loadu_epi8(mask, text + at);

		for (uint32_t left = lanes; left != 0; left &= left - 1) {
			const unsigned int lane = (unsigned int)__builtin_ctz(left);
			const __m512i other = _mm512_maskz_loadu_epi8(mask, texts[lane] + at);
			const unsigned int differs = _mm512_cmpneq_epi8_mask(block, other) != 0;

			lanes &= (uint16_t) ~(differs << lane);
		}
	}
	return lanes;
}

AVX512 void
step_texts_write(uint8_t *const to[COLUMNS], unsigned int n, const uint8_t *text, size_t length)
{
	size_t at;

	for (at = 0; at + BLOCK <= length; at += BLOCK) {
		const __m512i block = _mm512_loadu_si512(text + at);

		for (unsigned int k = 0; k < n; k++)
			_mm512_storeu_si512(to[k] + at, block);
	}
	if (at < length) {
		const __mmask64 mask = block_mask(at, length);
		const __m512i block = _mm512_maskz_loadu_epi8(mask, text + at);

		for (unsigned int k = 0; k < n; k++)
			_mm512_mask_storeu_epi8(to[k] + at, mask, block);
	}
}

#else

uint16_t
step_texts_are(const uint8_t *const texts[COLUMNS], uint16_t lanes, const uint8_t *text,
		size_t length)
{
	(void)texts, (void)lanes, (void)text, (void)length;
	return 0;
}

void
step_texts_write(uint8_t *const to[COLUMNS], unsigned int n, const uint8_t *text, size_t length)
{
	(void)to, (void)n, (void)text, (void)length;
}

#endif
