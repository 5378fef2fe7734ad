/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * SipHash against the authors' vectors, and every fast way against the slow one.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <rte_common.h>

#include "cookie/siphash.h"

#define SEED 20240611

/* SipHash-2-4 under the key 00 01 .. 0f of the messages "", 00, 00 01, ... (vectors.h). */
static const uint64_t vectors[64] = {
		UINT64_C(0x726fdb47dd0e0e31),
		UINT64_C(0x74f839c593dc67fd),
		UINT64_C(0x0d6c8009d9a94f5a),
		UINT64_C(0x85676696d7fb7e2d),
		UINT64_C(0xcf2794e0277187b7),
		UINT64_C(0x18765564cd99a68d),
		UINT64_C(0xcbc9466e58fee3ce),
		UINT64_C(0xab0200f58b01d137),
		UINT64_C(0x93f5f5799a932462),
		UINT64_C(0x9e0082df0ba9e4b0),
		UINT64_C(0x7a5dbbc594ddb9f3),
		UINT64_C(0xf4b32f46226bada7),
		UINT64_C(0x751e8fbc860ee5fb),
		UINT64_C(0x14ea5627c0843d90),
		UINT64_C(0xf723ca908e7af2ee),
		UINT64_C(0xa129ca6149be45e5),
		UINT64_C(0x3f2acc7f57c29bdb),
		UINT64_C(0x699ae9f52cbe4794),
		UINT64_C(0x4bc1b3f0968dd39c),
		UINT64_C(0xbb6dc91da77961bd),
		UINT64_C(0xbed65cf21aa2ee98),
		UINT64_C(0xd0f2cbb02e3b67c7),
		UINT64_C(0x93536795e3a33e88),
		UINT64_C(0xa80c038ccd5ccec8),
		UINT64_C(0xb8ad50c6f649af94),
		UINT64_C(0xbce192de8a85b8ea),
		UINT64_C(0x17d835b85bbb15f3),
		UINT64_C(0x2f2e6163076bcfad),
		UINT64_C(0xde4daaaca71dc9a5),
		UINT64_C(0xa6a2506687956571),
		UINT64_C(0xad87a3535c49ef28),
		UINT64_C(0x32d892fad841c342),
		UINT64_C(0x7127512f72f27cce),
		UINT64_C(0xa7f32346f95978e3),
		UINT64_C(0x12e0b01abb051238),
		UINT64_C(0x15e034d40fa197ae),
		UINT64_C(0x314dffbe0815a3b4),
		UINT64_C(0x027990f029623981),
		UINT64_C(0xcadcd4e59ef40c4d),
		UINT64_C(0x9abfd8766a33735c),
		UINT64_C(0x0e3ea96b5304a7d0),
		UINT64_C(0xad0c42d6fc585992),
		UINT64_C(0x187306c89bc215a9),
		UINT64_C(0xd4a60abcf3792b95),
		UINT64_C(0xf935451de4f21df2),
		UINT64_C(0xa9538f0419755787),
		UINT64_C(0xdb9acddff56ca510),
		UINT64_C(0xd06c98cd5c0975eb),
		UINT64_C(0xe612a3cb9ecba951),
		UINT64_C(0xc766e62cfcadaf96),
		UINT64_C(0xee64435a9752fe72),
		UINT64_C(0xa192d576b245165a),
		UINT64_C(0x0a8787bf8ecb74b2),
		UINT64_C(0x81b3e73d20b49b6f),
		UINT64_C(0x7fa8220ba3b2ecea),
		UINT64_C(0x245731c13ca42499),
		UINT64_C(0xb78dbfaf3a8d83bd),
		UINT64_C(0xea1ad565322a1a0b),
		UINT64_C(0x60e61c23a3795013),
		UINT64_C(0x6606d7e446282b93),
		UINT64_C(0x6ca4ecb15c5f91e1),
		UINT64_C(0x9f626da15c9625f3),
		UINT64_C(0xe51b38608ef25f57),
		UINT64_C(0x958a324ceb064572),
};

static const struct siphash_key vector_key = {
		UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};

static uint64_t
plain_rotate(uint64_t x, int b)
{
	return x << b | x >> (64 - b);
}

/* The paper's section 2, word for word and byte by byte, with c and d rounds. */
static uint64_t
plain_siphash(const struct siphash_key *key, const uint8_t *m, size_t length, int c, int d)
{
	uint64_t v[4] = {key->k0 ^ UINT64_C(0x736f6d6570736575),
			key->k1 ^ UINT64_C(0x646f72616e646f6d),
			key->k0 ^ UINT64_C(0x6c7967656e657261),
			key->k1 ^ UINT64_C(0x7465646279746573)};
	size_t words = (length + 8) / 8;

	for (size_t word = 0; word <= words; word++) {
		int rounds = word < words ? c : d;
		uint64_t mi = 0;

		for (size_t i = 0; word < words && i < 8; i++)
			if (word * 8 + i < length)
				mi |= (uint64_t)m[word * 8 + i] << (8 * i);
		if (word == words - 1)
			mi |= (uint64_t)(length & 0xff) << 56;
		if (word < words)
			v[3] ^= mi;
		else
			v[2] ^= 0xff;
		while (rounds-- > 0) {
			v[0] += v[1], v[1] = plain_rotate(v[1], 13), v[1] ^= v[0];
			v[0] = plain_rotate(v[0], 32);
			v[2] += v[3], v[3] = plain_rotate(v[3], 16), v[3] ^= v[2];
			v[0] += v[3], v[3] = plain_rotate(v[3], 21), v[3] ^= v[0];
			v[2] += v[1], v[1] = plain_rotate(v[1], 17), v[1] ^= v[2];
			v[2] = plain_rotate(v[2], 32);
		}
		v[0] ^= mi;
	}
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static void
random_fill(void *data, size_t size)
{
	uint8_t *bytes = data;

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(random() >> 8);
}

static void
published_vectors_are_met(void **state)
{
	uint8_t message[64];

	(void)state;
	for (size_t i = 0; i < RTE_DIM(vectors); i++) {
		message[i] = (uint8_t)i;
		assert_int_equal(siphash_24(&vector_key, message, i), vectors[i]);
	}
}

static void
papers_example_is_met(void **state)
{
	uint8_t message[15];

	(void)state;
	for (size_t i = 0; i < sizeof(message); i++)
		message[i] = (uint8_t)i;
	assert_int_equal(siphash_24(&vector_key, message, sizeof(message)),
			UINT64_C(0xa129ca6149be45e5));
}

static void
one_three_equals_the_papers_text(void **state)
{
	uint8_t message[97];

	(void)state;
	print_message("seed %d\n", SEED);
	srandom(SEED);
	for (size_t length = 0; length <= sizeof(message); length++) {
		struct siphash_key key;

		random_fill(&key, sizeof(key));
		random_fill(message, sizeof(message));
		assert_int_equal(siphash_13(&key, message, length),
				plain_siphash(&key, message, length, 1, 3));
		assert_int_equal(siphash_24(&key, message, length),
				plain_siphash(&key, message, length, 2, 4));
	}
}

static void
flow_hash_equals_hash_of_twenty_bytes(void **state)
{
	struct siphash_key key;
	struct flow_key flow;

	(void)state;
	srandom(SEED);
	for (int i = 0; i < 1000; i++) {
		random_fill(&key, sizeof(key));
		random_fill(&flow, sizeof(flow));
		assert_int_equal(siphash_flow(&key, &flow), siphash_13(&key, &flow, sizeof(flow)));
	}
}

/* The arrays have exactly the size that is used, so that a sanitizer sees any step outside. */
static void
check_bulk(enum siphash_path path, unsigned int n)
{
	struct flow_key *flows = malloc(n * sizeof(*flows) + 1);
	uint64_t *hashes = malloc((n + 1) * sizeof(*hashes));
	struct siphash_key key;

	assert_non_null(flows);
	assert_non_null(hashes);
	random_fill(&key, sizeof(key));
	random_fill(flows, n * sizeof(*flows));
	hashes[n] = UINT64_C(0x5afe);
	siphash_flow_bulk_by(path, &key, flows, n, hashes);
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(hashes[i], plain_siphash(&key, (const uint8_t *)&flows[i],
							    sizeof(flows[i]), 1, 3));
	assert_int_equal(hashes[n], UINT64_C(0x5afe));
	free(flows);
	free(hashes);
}

static void
check_words(enum siphash_path path, unsigned int n)
{
	uint64_t *words = malloc(n * sizeof(*words) + 1);
	uint64_t *hashes = malloc((n + 1) * sizeof(*hashes));
	struct siphash_key key;

	assert_non_null(words);
	assert_non_null(hashes);
	random_fill(&key, sizeof(key));
	random_fill(words, n * sizeof(*words));
	hashes[n] = UINT64_C(0x5afe);
	siphash_word_bulk_by(path, &key, words, n, hashes);
	for (unsigned int i = 0; i < n; i++) {
		assert_int_equal(hashes[i],
				plain_siphash(&key, (const uint8_t *)&words[i], 8, 1, 3));
		assert_int_equal(hashes[i], siphash_word(&key, words[i]));
	}
	assert_int_equal(hashes[n], UINT64_C(0x5afe));
	free(words);
	free(hashes);
}

static void
every_bulk_path_equals_the_papers_text(void **state)
{
	(void)state;
	srandom(SEED);
	for (enum siphash_path path = 0; path < SIPHASH_PATHS; path++) {
		if (!siphash_path_available(path)) {
			print_message("path %d is not available here\n", path);
			continue;
		}
		for (unsigned int n = 0; n <= 70; n++) {
			check_bulk(path, n);
			check_words(path, n);
		}
	}
}

/* Message i is 24 to 31 bytes long, under a key of its own; the columns after n stay in bounds. */
static void
check_batch(enum siphash_path path, unsigned int n)
{
	struct siphash_batch *batch = malloc(sizeof(*batch));
	uint8_t message[SIPHASH_BATCH_MAX][32];

	assert_non_null(batch);
	random_fill(batch, sizeof(*batch));
	random_fill(message, sizeof(message));
	for (unsigned int i = 0; i < n; i++) {
		unsigned int length = 24 + i % 8;

		memset(message[i] + length, 0, 31 - length);
		message[i][31] = (uint8_t)length;
		for (unsigned int word = 0; word < SIPHASH_BATCH_WORDS; word++)
			memcpy(&batch->word[word][i], message[i] + 8 * word, 8);
	}
	siphash_24_batch_by(path, batch, n);
	for (unsigned int i = 0; i < n; i++) {
		const struct siphash_key key = {batch->k0[i], batch->k1[i]};

		assert_int_equal(batch->hash[i], plain_siphash(&key, message[i], 24 + i % 8, 2, 4));
	}
	free(batch);
}

static void
every_batch_path_equals_the_papers_text(void **state)
{
	(void)state;
	srandom(SEED);
	for (enum siphash_path path = 0; path < SIPHASH_PATHS; path++)
		for (unsigned int n = 0; n <= SIPHASH_BATCH_MAX; n++)
			if (siphash_path_available(path))
				check_batch(path, n);
}

static void
chosen_batch_path_equals_the_scalar_one(void **state)
{
	static struct siphash_batch a, b;

	(void)state;
	srandom(SEED);
	random_fill(&a, sizeof(a));
	b = a;
	for (int repeat = 0; repeat < 2; repeat++) {
		siphash_24_batch(&a, 37);
		siphash_24_batch_by(SIPHASH_SCALAR, &b, 37);
		assert_memory_equal(a.hash, b.hash, 37 * sizeof(a.hash[0]));
	}
}

static void
scalar_path_is_always_available(void **state)
{
	(void)state;
	assert_true(siphash_path_available(SIPHASH_SCALAR));
	assert_false(siphash_path_available(SIPHASH_PATHS));
}

static void
chosen_bulk_path_equals_flow_hash(void **state)
{
	struct flow_key flows[37];
	uint64_t hashes[37], words[37];

	(void)state;
	srandom(SEED);
	random_fill(flows, sizeof(flows));
	for (int repeat = 0; repeat < 2; repeat++) {
		memset(hashes, 0, sizeof(hashes));
		siphash_flow_bulk(&vector_key, flows, RTE_DIM(flows), hashes);
		for (size_t i = 0; i < RTE_DIM(flows); i++)
			assert_int_equal(hashes[i], siphash_flow(&vector_key, &flows[i]));
		memcpy(words, hashes, sizeof(words));
		siphash_word_bulk(&vector_key, words, RTE_DIM(words), hashes);
		for (size_t i = 0; i < RTE_DIM(words); i++)
			assert_int_equal(hashes[i], siphash_word(&vector_key, words[i]));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(published_vectors_are_met),
			cmocka_unit_test(papers_example_is_met),
			cmocka_unit_test(one_three_equals_the_papers_text),
			cmocka_unit_test(flow_hash_equals_hash_of_twenty_bytes),
			cmocka_unit_test(every_bulk_path_equals_the_papers_text),
			cmocka_unit_test(every_batch_path_equals_the_papers_text),
			cmocka_unit_test(chosen_batch_path_equals_the_scalar_one),
			cmocka_unit_test(scalar_path_is_always_available),
			cmocka_unit_test(chosen_bulk_path_equals_flow_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
