/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * SipHash, one message at a time, many flow keys at a time, and many keyed messages at a time.
 *
 * A round is a chain of dependent additions, rotations and exclusive ors, so one message leaves
 * most of a core idle.  The bulk versions put one key in each 64-bit lane and run two vectors side
 * by side, which hides the chain's latency; the last ones are hashed together with some before
 * them, again, rather than one by one.  They are compiled for their instruction set by attribute
 * and chosen at run time, so that one binary serves every CPU.
 *
 * Not constant in time over lengths; keys are never used as addresses or branch conditions.
 */

#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_vect.h>

#include "cookie/siphash.h"
#include "cookie/siphash_lanes.h"

#define WORD_LENGTH_WORD ((uint64_t)sizeof(uint64_t) << 56)

/* So many messages take longer one by one than sixteen at once. */
#define AVX512_MIN 3

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t
rotate(uint64_t word, unsigned int bits)
{
	return word << bits | word >> (64 - bits);
}

static inline uint64_t
load_64(const void *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return rte_le_to_cpu_64(word);
}

static inline struct sip
sip_start(const struct siphash_key *key)
{
	return (struct sip){key->k0 ^ SIPHASH_INIT_0, key->k1 ^ SIPHASH_INIT_1,
			key->k0 ^ SIPHASH_INIT_2, key->k1 ^ SIPHASH_INIT_3};
}

static inline void
sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 = rotate(s->v2, 32);
}

static inline void
sip_compress(struct sip *s, uint64_t word, unsigned int rounds)
{
	s->v3 ^= word;
	for (unsigned int i = 0; i < rounds; i++)
		sip_round(s);
	s->v0 ^= word;
}

static inline uint64_t
sip_finish(struct sip *s, unsigned int rounds)
{
	s->v2 ^= 0xff;
	for (unsigned int i = 0; i < rounds; i++)
		sip_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

static inline uint64_t
sip_message(const struct siphash_key *key, const uint8_t *bytes, size_t length,
		unsigned int compress_rounds, unsigned int finish_rounds)
{
	const uint8_t *end = bytes + (length & ~(size_t)7);
	uint64_t last = (uint64_t)length << 56;
	struct sip s = sip_start(key);

	for (; bytes != end; bytes += 8)
		sip_compress(&s, load_64(bytes), compress_rounds);
	for (unsigned int i = 0; i < (length & 7); i++)
		last |= (uint64_t)end[i] << (8 * i);
	sip_compress(&s, last, compress_rounds);
	return sip_finish(&s, finish_rounds);
}

uint64_t
siphash_24(const struct siphash_key *key, const void *data, size_t length)
{
	return sip_message(key, data, length, 2, 4);
}

uint64_t
siphash_13(const struct siphash_key *key, const void *data, size_t length)
{
	return sip_message(key, data, length, 1, 3);
}

/* Three words; the third is read four bytes early, so that no byte after the key is touched. */
static inline uint64_t
flow_hash(const struct siphash_key *key, const struct flow_key *flow)
{
	const uint8_t *bytes = (const uint8_t *)flow;
	struct sip s = sip_start(key);

	sip_compress(&s, load_64(bytes), 1);
	sip_compress(&s, load_64(bytes + 8), 1);
	sip_compress(&s, load_64(bytes + 12) >> 32 | SIPHASH_FLOW_LENGTH, 1);
	return sip_finish(&s, 3);
}

uint64_t
siphash_flow(const struct siphash_key *key, const struct flow_key *flow)
{
	return flow_hash(key, flow);
}

static void
bulk_scalar(const struct siphash_key *key, const struct flow_key flows[], unsigned int n,
		uint64_t hashes[])
{
	for (unsigned int i = 0; i < n; i++)
		hashes[i] = flow_hash(key, &flows[i]);
}

static inline uint64_t
word_hash(const struct siphash_key *key, uint64_t word)
{
	struct sip s = sip_start(key);

	sip_compress(&s, word, 1);
	sip_compress(&s, WORD_LENGTH_WORD, 1);
	return sip_finish(&s, 3);
}

uint64_t
siphash_word(const struct siphash_key *key, uint64_t word)
{
	return word_hash(key, word);
}

static void
words_scalar(const struct siphash_key *key, const uint64_t words[], unsigned int n,
		uint64_t hashes[])
{
	for (unsigned int i = 0; i < n; i++)
		hashes[i] = word_hash(key, words[i]);
}

static void
batch_scalar(struct siphash_batch *batch, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		const struct siphash_key key = {batch->k0[i], batch->k1[i]};
		struct sip s = sip_start(&key);

		for (unsigned int word = 0; word < SIPHASH_BATCH_WORDS; word++)
			sip_compress(&s, batch->word[word][i], 2);
		batch->hash[i] = sip_finish(&s, 4);
	}
}

#ifdef RTE_ARCH_X86_64

/* Lanes that nobody asked for repeat the first message. */
static inline void
batch_pad(struct siphash_batch *batch, unsigned int n, unsigned int lanes)
{
	for (; n % lanes != 0; n++) {
		batch->k0[n] = batch->k0[0];
		batch->k1[n] = batch->k1[0];
		for (unsigned int word = 0; word < SIPHASH_BATCH_WORDS; word++)
			batch->word[word][n] = batch->word[word][0];
	}
}

#define AVX2 __attribute__((target("avx2")))

struct sip_4 {
	__m256i v0, v1, v2, v3;
};

AVX2 static inline __m256i
rotate_4(__m256i word, int bits)
{
	return _mm256_or_si256(_mm256_slli_epi64(word, bits), _mm256_srli_epi64(word, 64 - bits));
}

AVX2 static inline void
sip_round_4(struct sip_4 *s)
{
	const __m256i rotate_16 = _mm256_broadcastsi128_si256(
			_mm_setr_epi8(6, 7, 0, 1, 2, 3, 4, 5, 14, 15, 8, 9, 10, 11, 12, 13));

	s->v0 = _mm256_add_epi64(s->v0, s->v1);
	s->v2 = _mm256_add_epi64(s->v2, s->v3);
	s->v1 = _mm256_xor_si256(rotate_4(s->v1, 13), s->v0);
	s->v3 = _mm256_xor_si256(_mm256_shuffle_epi8(s->v3, rotate_16), s->v2);
	s->v0 = _mm256_shuffle_epi32(s->v0, _MM_SHUFFLE(2, 3, 0, 1));
	s->v2 = _mm256_add_epi64(s->v2, s->v1);
	s->v0 = _mm256_add_epi64(s->v0, s->v3);
	s->v1 = _mm256_xor_si256(rotate_4(s->v1, 17), s->v2);
	s->v3 = _mm256_xor_si256(rotate_4(s->v3, 21), s->v0);
	s->v2 = _mm256_shuffle_epi32(s->v2, _MM_SHUFFLE(2, 3, 0, 1));
}

/* The words at one offset of four keys, twenty bytes apart. */
AVX2 static inline __m256i
words_4(const struct flow_key flows[], size_t offset)
{
	const uint8_t *bytes = (const uint8_t *)flows + offset;

	return _mm256_set_epi64x((long long)load_64(bytes + 60), (long long)load_64(bytes + 40),
			(long long)load_64(bytes + 20), (long long)load_64(bytes));
}

AVX2 static inline void
sip_compress_4(struct sip_4 s[2], __m256i words_a, __m256i words_b)
{
	s[0].v3 = _mm256_xor_si256(s[0].v3, words_a);
	s[1].v3 = _mm256_xor_si256(s[1].v3, words_b);
	sip_round_4(&s[0]);
	sip_round_4(&s[1]);
	s[0].v0 = _mm256_xor_si256(s[0].v0, words_a);
	s[1].v0 = _mm256_xor_si256(s[1].v0, words_b);
}

AVX2 static inline __m256i
last_words_4(const struct flow_key flows[])
{
	return _mm256_or_si256(_mm256_srli_epi64(words_4(flows, 12), 32),
			_mm256_set1_epi64x((long long)SIPHASH_FLOW_LENGTH));
}

AVX2 static inline __m256i
sip_sum_4(const struct sip_4 *s)
{
	return _mm256_xor_si256(_mm256_xor_si256(s->v0, s->v1), _mm256_xor_si256(s->v2, s->v3));
}

AVX2 static inline void
sip_start_all_4(const struct siphash_key *key, struct sip_4 s[2])
{
	const struct sip start = sip_start(key);

	s[0].v0 = _mm256_set1_epi64x((long long)start.v0);
	s[0].v1 = _mm256_set1_epi64x((long long)start.v1);
	s[0].v2 = _mm256_set1_epi64x((long long)start.v2);
	s[0].v3 = _mm256_set1_epi64x((long long)start.v3);
	s[1] = s[0];
}

AVX2 static inline void
sip_rounds_4(struct sip_4 s[2], unsigned int rounds)
{
	for (unsigned int round = 0; round < rounds; round++) {
		sip_round_4(&s[0]);
		sip_round_4(&s[1]);
	}
}

AVX2 static inline void
sip_finish_4(struct sip_4 s[2], unsigned int rounds, uint64_t hashes[8])
{
	const __m256i finish = _mm256_set1_epi64x(0xff);

	s[0].v2 = _mm256_xor_si256(s[0].v2, finish);
	s[1].v2 = _mm256_xor_si256(s[1].v2, finish);
	sip_rounds_4(s, rounds);
	_mm256_storeu_si256((__m256i *)&hashes[0], sip_sum_4(&s[0]));
	_mm256_storeu_si256((__m256i *)&hashes[4], sip_sum_4(&s[1]));
}

AVX2 static void
bulk_avx2(const struct siphash_key *key, const struct flow_key flows[], unsigned int n,
		uint64_t hashes[])
{
	if (n < 8) {
		bulk_scalar(key, flows, n, hashes);
		return;
	}
	for (unsigned int i = 0; i < n; i += 8) {
		unsigned int first = RTE_MIN(i, n - 8);
		const struct flow_key *a = &flows[first];
		const struct flow_key *b = &flows[first + 4];
		struct sip_4 s[2];

		sip_start_all_4(key, s);
		sip_compress_4(s, words_4(a, 0), words_4(b, 0));
		sip_compress_4(s, words_4(a, 8), words_4(b, 8));
		sip_compress_4(s, last_words_4(a), last_words_4(b));
		sip_finish_4(s, 3, &hashes[first]);
	}
}

AVX2 static inline __m256i
load_4(const uint64_t words[])
{
	return _mm256_loadu_si256((const __m256i *)words);
}

AVX2 static void
words_avx2(const struct siphash_key *key, const uint64_t words[], unsigned int n, uint64_t hashes[])
{
	const __m256i length = _mm256_set1_epi64x((long long)WORD_LENGTH_WORD);

	if (n < 8) {
		words_scalar(key, words, n, hashes);
		return;
	}
	for (unsigned int i = 0; i < n; i += 8) {
		const unsigned int first = RTE_MIN(i, n - 8);
		struct sip_4 s[2];

		sip_start_all_4(key, s);
		sip_compress_4(s, load_4(&words[first]), load_4(&words[first + 4]));
		sip_compress_4(s, length, length);
		sip_finish_4(s, 3, &hashes[first]);
	}
}

AVX2 static inline struct sip_4
sip_start_4(const struct siphash_batch *batch, unsigned int i)
{
	__m256i k0 = load_4(&batch->k0[i]);
	__m256i k1 = load_4(&batch->k1[i]);

	return (struct sip_4){
			_mm256_xor_si256(k0, _mm256_set1_epi64x((long long)SIPHASH_INIT_0)),
			_mm256_xor_si256(k1, _mm256_set1_epi64x((long long)SIPHASH_INIT_1)),
			_mm256_xor_si256(k0, _mm256_set1_epi64x((long long)SIPHASH_INIT_2)),
			_mm256_xor_si256(k1, _mm256_set1_epi64x((long long)SIPHASH_INIT_3)),
	};
}

AVX2 static void
batch_avx2(struct siphash_batch *batch, unsigned int n)
{
	/* Eight cost as much as two and a half. */
	if (n < 3) {
		batch_scalar(batch, n);
		return;
	}
	batch_pad(batch, n, 8);
	for (unsigned int i = 0; i < n; i += 8) {
		struct sip_4 s[2] = {sip_start_4(batch, i), sip_start_4(batch, i + 4)};

		for (unsigned int word = 0; word < SIPHASH_BATCH_WORDS; word++) {
			__m256i a = load_4(&batch->word[word][i]);
			__m256i b = load_4(&batch->word[word][i + 4]);

			s[0].v3 = _mm256_xor_si256(s[0].v3, a);
			s[1].v3 = _mm256_xor_si256(s[1].v3, b);
			sip_rounds_4(s, 2);
			s[0].v0 = _mm256_xor_si256(s[0].v0, a);
			s[1].v0 = _mm256_xor_si256(s[1].v0, b);
		}
		sip_finish_4(s, 4, &batch->hash[i]);
	}
}

/* Lanes that nobody asked for hold any bytes. */
SIPHASH_LANES_AVX512 static void
bulk_few(const struct siphash_key *key, const struct flow_key flows[], unsigned int n,
		uint64_t hashes[])
{
	struct flow_key some[SIPHASH_LANES];
	uint64_t sums[SIPHASH_LANES];

	if (n < AVX512_MIN) {
		bulk_scalar(key, flows, n, hashes);
		return;
	}
	memset(some, 0, sizeof(some));
	for (unsigned int i = 0; i < n; i++)
		some[i] = flows[i];
	siphash_words_store(sums, siphash_lanes_of_flows(siphash_words_set(key->k0),
						  siphash_words_set(key->k1), some));
	for (unsigned int i = 0; i < n; i++)
		hashes[i] = sums[i];
}

SIPHASH_LANES_AVX512 static void
bulk_avx512(const struct siphash_key *key, const struct flow_key flows[], unsigned int n,
		uint64_t hashes[])
{
	const struct siphash_words k0 = siphash_words_set(key->k0);
	const struct siphash_words k1 = siphash_words_set(key->k1);

	if (n < SIPHASH_LANES) {
		bulk_few(key, flows, n, hashes);
		return;
	}
	for (unsigned int i = 0; i < n; i += SIPHASH_LANES) {
		const unsigned int first = RTE_MIN(i, n - SIPHASH_LANES);

		siphash_words_store(&hashes[first], siphash_lanes_of_flows(k0, k1, &flows[first]));
	}
}

/* Nothing is read or written beyond the last word. */
SIPHASH_LANES_AVX512 static void
words_avx512(const struct siphash_key *key, const uint64_t words[], unsigned int n,
		uint64_t hashes[])
{
	const struct siphash_words k0 = siphash_words_set(key->k0);
	const struct siphash_words k1 = siphash_words_set(key->k1);
	const struct siphash_words length = siphash_words_set(WORD_LENGTH_WORD);

	if (n < AVX512_MIN) {
		words_scalar(key, words, n, hashes);
		return;
	}
	for (unsigned int i = 0; i < n; i += SIPHASH_LANES) {
		const unsigned int left = RTE_MIN(n - i, (unsigned int)SIPHASH_LANES);
		const uint32_t lanes = (1u << left) - 1;
		const struct siphash_words some = {{_mm512_maskz_loadu_epi64(
								    (__mmask8)lanes, &words[i]),
				_mm512_maskz_loadu_epi64((__mmask8)(lanes >> 8), &words[i + 8])}};
		struct siphash_lanes s = siphash_lanes_start(k0, k1);
		struct siphash_words sum;

		siphash_lanes_compress(&s, some, 1);
		siphash_lanes_compress(&s, length, 1);
		sum = siphash_lanes_finish(&s, 3);
		_mm512_mask_storeu_epi64(&hashes[i], (__mmask8)lanes, sum.half[0]);
		_mm512_mask_storeu_epi64(&hashes[i + 8], (__mmask8)(lanes >> 8), sum.half[1]);
	}
}

SIPHASH_LANES_AVX512 static void
batch_avx512(struct siphash_batch *batch, unsigned int n)
{
	if (n <= 8) {
		batch_avx2(batch, n);
		return;
	}
	batch_pad(batch, n, SIPHASH_LANES);
	for (unsigned int i = 0; i < n; i += SIPHASH_LANES) {
		struct siphash_lanes s = siphash_lanes_start(siphash_words_load(&batch->k0[i]),
				siphash_words_load(&batch->k1[i]));

		for (unsigned int word = 0; word < SIPHASH_BATCH_WORDS; word++)
			siphash_lanes_compress(&s, siphash_words_load(&batch->word[word][i]), 2);
		siphash_words_store(&batch->hash[i], siphash_lanes_finish(&s, 4));
	}
}

bool
siphash_path_available(enum siphash_path path)
{
	bool avx2 = __builtin_cpu_supports("avx2");

	switch (path) {
	case SIPHASH_AVX512:
		return avx2 && __builtin_cpu_supports("avx512f") &&
		       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
	case SIPHASH_AVX2:
		return avx2;
	default:
		return path == SIPHASH_SCALAR;
	}
}

#else

#define bulk_avx2    bulk_scalar
#define bulk_avx512  bulk_scalar
#define words_avx2   words_scalar
#define words_avx512 words_scalar
#define batch_avx2   batch_scalar
#define batch_avx512 batch_scalar

bool
siphash_path_available(enum siphash_path path)
{
	return path == SIPHASH_SCALAR;
}

#endif

/* What a path does. */
struct functions {
	void (*bulk)(const struct siphash_key *key, const struct flow_key flows[], unsigned int n,
			uint64_t hashes[]);
	void (*words)(const struct siphash_key *key, const uint64_t words[], unsigned int n,
			uint64_t hashes[]);
	void (*batch)(struct siphash_batch *batch, unsigned int n);
};

static const struct functions paths[SIPHASH_PATHS] = {
		[SIPHASH_SCALAR] = {bulk_scalar, words_scalar, batch_scalar},
		[SIPHASH_AVX2] = {bulk_avx2, words_avx2, batch_avx2},
		[SIPHASH_AVX512] = {bulk_avx512, words_avx512, batch_avx512},
};

/* Of the fastest path.  Every thread that chooses, chooses the same: a relaxed store is enough. */
static inline const struct functions *
fastest(void)
{
	static const struct functions *chosen;
	const struct functions *functions = __atomic_load_n(&chosen, __ATOMIC_RELAXED);
	enum siphash_path path = SIPHASH_PATHS - 1;

	if (likely(functions != NULL))
		return functions;
	while (!siphash_path_available(path))
		path--;
	__atomic_store_n(&chosen, &paths[path], __ATOMIC_RELAXED);
	return &paths[path];
}

void
siphash_flow_bulk_by(enum siphash_path path, const struct siphash_key *key,
		const struct flow_key flows[], unsigned int n, uint64_t hashes[])
{
	paths[path].bulk(key, flows, n, hashes);
}

void
siphash_flow_bulk(const struct siphash_key *key, const struct flow_key flows[], unsigned int n,
		uint64_t hashes[])
{
	fastest()->bulk(key, flows, n, hashes);
}

void
siphash_word_bulk_by(enum siphash_path path, const struct siphash_key *key, const uint64_t words[],
		unsigned int n, uint64_t hashes[])
{
	paths[path].words(key, words, n, hashes);
}

void
siphash_word_bulk(const struct siphash_key *key, const uint64_t words[], unsigned int n,
		uint64_t hashes[])
{
	fastest()->words(key, words, n, hashes);
}

void
siphash_24_batch_by(enum siphash_path path, struct siphash_batch *batch, unsigned int n)
{
	paths[path].batch(batch, n);
}

void
siphash_24_batch(struct siphash_batch *batch, unsigned int n)
{
	fastest()->batch(batch, n);
}
