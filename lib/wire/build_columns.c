/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Answers in columns: who sent a frame is read from it, what it gets is summed up and stored by
 * fours of words.
 *
 * The form's words are the same in all rows.  Lanes that nobody asked for are built over each
 * other, where nobody looks.
 */

#include <string.h>

#include "wire/build_columns.h"

#define ETHER   14
#define IPV4    20
#define IPV6    40
#define OPTIONS 5 /* Words, behind the data offset and the checksum. */

#ifdef RTE_ARCH_X86_64

#define AVX512 COLUMNS_AVX512

/* What answers have from the TCP header on: ports to the last option. */
struct answer {
	__m512i ports;
	__m512i seq;
	__m512i ack;
	__m512i first; /* Data offset, flags, window. */
	__m512i checksum;
	__m512i option[OPTIONS];
	struct columns_sum sum; /* Of the two addresses, and with them of all of it. */
};

AVX512 static inline __m512i
word_of(const uint8_t *from)
{
	int word;

	memcpy(&word, from, sizeof(word));
	return _mm512_set1_epi32(word);
}

/* A sum that is the same for all. */
AVX512 static inline __m512i
folded(uint64_t sum)
{
	return _mm512_set1_epi32(checksum_fold(sum));
}

/* As checksum_finish(). */
AVX512 static inline __m512i
finish(const struct columns_sum *sum)
{
	return _mm512_andnot_si512(columns_sum_fold(sum), _mm512_set1_epi32(0xffff));
}

AVX512 static inline __m512i
number(const uint32_t numbers[COLUMNS], struct columns_sum *sum)
{
	const __m512i words = columns_swap_32(_mm512_loadu_si512(numbers));

	columns_sum_add(sum, words);
	return words;
}

/* @param answer its sum is that of the addresses. */
AVX512 static inline void
answer_fill(struct answer *answer, const struct build_columns *replies,
		const struct build_form *form, __m512i ports)
{
	answer->ports = _mm512_rol_epi32(ports, 16);
	columns_sum_add(&answer->sum, ports);
	columns_sum_add_halves(&answer->sum, folded(form->tcp_sum + form->pseudo_sum));
	answer->seq = number(replies->seq, &answer->sum);
	answer->ack = number(replies->ack, &answer->sum);
	answer->first = word_of(form->rest);
	for (unsigned int i = 0; i < OPTIONS; i++)
		answer->option[i] = word_of(form->rest + 8 + i * 4);
	if (form->timestamps != 0) {
		answer->option[2] = number(replies->tsval, &answer->sum);
		answer->option[3] = number(replies->tsecr, &answer->sum);
	}
	answer->checksum = finish(&answer->sum);
}

/* Four words at an offset of each row. */
AVX512 static inline void
store(uint8_t *const rows[COLUMNS], size_t offset, __m512i a, __m512i b, __m512i c, __m512i d)
{
	const __m512i words[4] = {a, b, c, d};

	columns_store_rows(rows, offset, words);
}

AVX512 static void
build_ipv4(const struct build_columns *replies, const struct build_form *form)
{
	const __m512i hop = _mm512_set1_epi32(BUILD_HOP_LIMIT | BUILD_PROTOCOL_TCP << 8);
	__m512i from[4]; /* Source, destination, ports, number. */
	struct columns_sum ip_sum;
	struct answer answer;
	__m512i ip_checksum;

	columns_load((const uint8_t *const *)replies->data, ETHER + 12, from);
	answer.sum = columns_sum_start();
	columns_sum_add(&answer.sum, from[0]);
	columns_sum_add(&answer.sum, from[1]);
	ip_sum = answer.sum;
	columns_sum_add_halves(&ip_sum, folded(form->ip_sum));
	ip_checksum = _mm512_slli_epi32(finish(&ip_sum), 16);
	answer_fill(&answer, replies, form, from[2]);
	columns_turn_ethernet(replies->data);
	store(replies->data, ETHER, word_of(form->ip), word_of(form->ip + 4),
			_mm512_or_si512(hop, ip_checksum), from[1]);
	store(replies->data, ETHER + 16, from[0], answer.ports, answer.seq, answer.ack);
	store(replies->data, ETHER + 32, answer.first, answer.checksum, answer.option[0],
			answer.option[1]);
	store(replies->data, ETHER + 48, answer.option[2], answer.option[3], answer.option[4],
			_mm512_setzero_si512());
}

AVX512 static void
build_ipv6(const struct build_columns *replies, const struct build_form *form)
{
	const uint8_t *const *rows = (const uint8_t *const *)replies->data;
	__m512i source[4], destination[4], tcp[4];
	struct answer answer;

	columns_load(rows, ETHER + 8, source);
	columns_load(rows, ETHER + 24, destination);
	columns_load(rows, ETHER + IPV6, tcp);
	answer.sum = columns_sum_start();
	for (unsigned int i = 0; i < 4; i++) {
		columns_sum_add(&answer.sum, source[i]);
		columns_sum_add(&answer.sum, destination[i]);
	}
	answer_fill(&answer, replies, form, tcp[0]);
	columns_turn_ethernet(replies->data);
	store(replies->data, ETHER, word_of(form->ip), word_of(form->ip + 4), destination[0],
			destination[1]);
	store(replies->data, ETHER + 16, destination[2], destination[3], source[0], source[1]);
	store(replies->data, ETHER + 32, source[2], source[3], answer.ports, answer.seq);
	store(replies->data, ETHER + 48, answer.ack, answer.first, answer.checksum,
			answer.option[0]);
	store(replies->data, ETHER + 64, answer.option[1], answer.option[2], answer.option[3],
			answer.option[4]);
}

unsigned int
build_columns(struct build_columns *replies, const struct build_form *form)
{
	uint8_t nobody[BUILD_HEADERS_MAX] = {0};

	for (unsigned int i = replies->n; i < COLUMNS; i++)
		replies->data[i] = nobody;
	if (form->family == 4) {
		build_ipv4(replies, form);
		return ETHER + IPV4 + form->l4_length;
	}
	build_ipv6(replies, form);
	return ETHER + IPV6 + form->l4_length;
}

#else

unsigned int
build_columns(struct build_columns *replies, const struct build_form *form)
{
	(void)replies;
	return form->l4_length;
}

#endif
