/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Stores overlap at a header's end, so that none reaches into the text behind it.
 */

#include <string.h>

#include "wire/turn_columns.h"

#ifdef RTE_ARCH_X86_64

#define AVX512 COLUMNS_AVX512

#define ETHER  14
#define IPV4   20
#define IPV6   40

/* From the first word of the IP header to the last one of the TCP header, options and all. */
#define WORDS 18

/* Sixteen of them. */
struct turning {
	const struct turn_columns *turns;
	unsigned int first;
	uint8_t *data[COLUMNS];
};

struct turned {
	__m512i word[WORDS];
	struct columns_sum sum; /* Of what the TCP checksum covers, so far. */
};

AVX512 static inline __m512i
same(uint32_t number)
{
	return _mm512_set1_epi32(COLUMNS_WORD(number));
}

AVX512 static inline __m512i
finish(const struct columns_sum *sum)
{
	return _mm512_andnot_si512(columns_sum_fold(sum), _mm512_set1_epi32(0xffff));
}

/* In network byte order, and summed up. */
AVX512 static inline __m512i
number(const __m512i numbers, struct columns_sum *sum)
{
	const __m512i words = columns_swap_32(numbers);

	columns_sum_add(sum, words);
	return words;
}

/* What is told of the sixteen. */
AVX512 static inline __m512i
told(const struct turning *turning, enum turn_columns_number which)
{
	return _mm512_loadu_si512(&turning->turns->number[which][turning->first]);
}

/* The TCP header, and the pseudo-header's sum. @param at  Its first word. @return words of it. */
AVX512 static inline unsigned int
turn_tcp(struct turned *turned, const struct turning *turning, unsigned int at, __m512i ports)
{
	const bool timestamps = turning->turns->timestamps;
	const unsigned int words = timestamps ? 8 : 5;
	const __m512i length = _mm512_add_epi32(
			told(turning, TURN_COLUMNS_PAYLOAD), _mm512_set1_epi32((int)words * 4));
	const __m512i says = _mm512_or_si512(
			told(turning, TURN_COLUMNS_SAYS), _mm512_set1_epi32((int)(words << 28)));
	struct columns_sum *sum = &turned->sum;
	__m512i *word = &turned->word[at];

	number(length, sum);
	columns_sum_add(sum, same(BUILD_PROTOCOL_TCP));
	columns_sum_add(sum, told(turning, TURN_COLUMNS_PAYLOAD_SUM));
	columns_sum_add(sum, ports);
	word[0] = _mm512_rol_epi32(ports, 16);
	word[1] = number(told(turning, TURN_COLUMNS_SEQ), sum);
	word[2] = number(told(turning, TURN_COLUMNS_ACK), sum);
	word[3] = number(says, sum);
	if (timestamps) {
		word[5] = number(_mm512_set1_epi32(0x0101080a), sum);
		word[6] = number(told(turning, TURN_COLUMNS_TSVAL), sum);
		word[7] = number(told(turning, TURN_COLUMNS_TSECR), sum);
	}
	word[4] = finish(sum);
	return words;
}

/* Four words of each row, from word @p at on. */
AVX512 static inline void
store(const struct turned *turned, uint8_t *const rows[COLUMNS], unsigned int at)
{
	columns_store_rows(rows, ETHER + at * 4, &turned->word[at]);
}

AVX512 static void
turn_ipv4(struct turned *turned, const struct turning *turning)
{
	const unsigned int headers = IPV4 + (turning->turns->timestamps ? 32 : 20);
	const __m512i length = _mm512_add_epi32(told(turning, TURN_COLUMNS_PAYLOAD),
			_mm512_set1_epi32((int)(0x45000000u + headers)));
	struct columns_sum ip_sum;
	__m512i from[4]; /* Source, destination, ports, number. */

	columns_load((const uint8_t *const *)turning->data, ETHER + 12, from);
	columns_sum_add(&turned->sum, from[0]);
	columns_sum_add(&turned->sum, from[1]);
	ip_sum = turned->sum;
	turned->word[0] = number(length, &ip_sum);
	turned->word[1] = number(_mm512_set1_epi32(0x4000), &ip_sum); /* Don't fragment. */
	turned->word[2] =
			number(_mm512_set1_epi32(BUILD_HOP_LIMIT << 24 | BUILD_PROTOCOL_TCP << 16),
					&ip_sum);
	turned->word[2] = _mm512_or_si512(turned->word[2], _mm512_slli_epi32(finish(&ip_sum), 16));
	turned->word[3] = from[1];
	turned->word[4] = from[0];
	turn_tcp(turned, turning, 5, from[2]);
	columns_turn_ethernet(turning->data);
	store(turned, turning->data, 0);
	store(turned, turning->data, 4);
	if (turning->turns->timestamps)
		store(turned, turning->data, 8);
	store(turned, turning->data, turning->turns->timestamps ? 9 : 6);
}

AVX512 static void
turn_ipv6(struct turned *turned, const struct turning *turning)
{
	const uint8_t *const *rows = (const uint8_t *const *)turning->data;
	const unsigned int header = turning->turns->timestamps ? 32 : 20;
	const __m512i length =
			_mm512_slli_epi32(_mm512_add_epi32(told(turning, TURN_COLUMNS_PAYLOAD),
							  _mm512_set1_epi32((int)header)),
					16);
	__m512i tcp[4];

	columns_load(rows, ETHER + 8, &turned->word[6]);
	columns_load(rows, ETHER + 24, &turned->word[2]);
	columns_load(rows, ETHER + IPV6, tcp);
	for (unsigned int i = 2; i < 10; i++)
		columns_sum_add(&turned->sum, turned->word[i]);
	turned->word[0] = same(0x60000000u);
	turned->word[1] = columns_swap_32(_mm512_or_si512(
			length, _mm512_set1_epi32(BUILD_PROTOCOL_TCP << 8 | BUILD_HOP_LIMIT)));
	turn_tcp(turned, turning, 10, tcp[0]);
	columns_turn_ethernet(turning->data);
	store(turned, turning->data, 0);
	store(turned, turning->data, 4);
	store(turned, turning->data, 8);
	if (turning->turns->timestamps)
		store(turned, turning->data, 12);
	store(turned, turning->data, turning->turns->timestamps ? 14 : 11);
}

AVX512 static void
turn(const struct turn_columns *turns, unsigned int first)
{
	uint8_t nobody[BUILD_HEADERS_MAX] = {0};
	struct turning turning = {.turns = turns, .first = first};
	struct turned turned;

	for (unsigned int i = 0; i < COLUMNS; i++)
		turning.data[i] = first + i < turns->n ? turns->data[first + i] : nobody;
	turned.sum = columns_sum_start();
	if (turns->family == 4)
		turn_ipv4(&turned, &turning);
	else
		turn_ipv6(&turned, &turning);
}

void
turn_columns(struct turn_columns *turns)
{
	for (unsigned int first = 0; first < turns->n; first += COLUMNS)
		turn(turns, first);
	turns->n = 0;
}

AVX512 void
turn_columns_add_lanes(struct turn_columns *turns,
		const uint32_t number[TURN_COLUMNS_NUMBERS][COLUMNS], uint16_t lanes)
{
	for (unsigned int which = 0; which < TURN_COLUMNS_NUMBERS; which++) {
		const __m512i numbers = _mm512_loadu_si512(number[which]);

		_mm512_storeu_si512(&turns->number[which][turns->n],
				_mm512_maskz_compress_epi32(lanes, numbers));
	}
	turns->n += (unsigned int)__builtin_popcount(lanes);
}

#else

void
turn_columns(struct turn_columns *turns)
{
	turns->n = 0;
}

void
turn_columns_add_lanes(struct turn_columns *turns,
		const uint32_t number[TURN_COLUMNS_NUMBERS][COLUMNS], uint16_t lanes)
{
	(void)turns, (void)number, (void)lanes;
}

#endif
