/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Cookies in columns: gather what is hashed, hash all at once, then write or judge.
 *
 * Keys are selected by table, not by branch; the result of a comparison leaves only as a verdict.
 */

#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>

#include "cookie/syncookie.h"

#define EPOCH_LABEL    "handfast syncookie epoch"

#define MAC_BITS       24 /* Without timestamps. */
#define MAC_BITS_TS    27
#define MSS_SHIFT      27
#define WIN_SHIFT      24
#define EPOCH_SHIFT    30
#define INDEX_MASK     7u
#define TS_MASK        ((1u << SYNCOOKIE_TS_BITS) - 1)
#define TS_SCALE_NONE  15u
#define TS_SCALE_MASK  15u
#define TS_SACK        0x10u
#define TS_ECN         0x20u
#define SCALE_MAX      14  /* RFC 7323 2.3 */
#define DEFAULT_MSS_4  536 /* RFC 9293 3.7.1 MUST-15 */
#define DEFAULT_MSS_6  1220
#define ENDPOINT_BITS  48
#define MESSAGE_LENGTH 31

/* In the hashed word: which form, then the options as they stand in ISN and TSval. */
#define CODE_SHIFT     32
#define CODE_TS        0x8000u
#define CODE_MSS_SHIFT SYNCOOKIE_TS_BITS

_Static_assert(EPOCH_SHIFT - MSS_SHIFT == 3 && MSS_SHIFT == MAC_BITS_TS, "E, MSS, MAC: 32 bits");
_Static_assert(MSS_SHIFT - WIN_SHIFT == 3 && WIN_SHIFT == MAC_BITS, "E, MSS, WIN, MAC: 32 bits");
_Static_assert(1 << (32 - EPOCH_SHIFT) == SYNCOOKIE_SLOTS, "a key for each E");
_Static_assert(SYNCOOKIE_BURST_MAX == 64, "a bit of the mask for each");

static const uint16_t mss_sizes[2][SYNCOOKIE_MSS_SIZES] = {
		{216, 536, 1200, 1360, 1400, 1440, 1460, 8960},
		{536, 1220, 1280, 1360, 1400, 1420, 1440, 8940},
};

static const struct {
	uint8_t scale;
	uint8_t options;
} win_pairs[8] = {
		{0, 0},
		{0, TCP_OPTION_WINDOW_SCALE},
		{6, TCP_OPTION_WINDOW_SCALE},
		{0, TCP_OPTION_SACK_PERMITTED},
		{0, TCP_OPTION_SACK_PERMITTED | TCP_OPTION_WINDOW_SCALE},
		{3, TCP_OPTION_SACK_PERMITTED | TCP_OPTION_WINDOW_SCALE},
		{6, TCP_OPTION_SACK_PERMITTED | TCP_OPTION_WINDOW_SCALE},
		{8, TCP_OPTION_SACK_PERMITTED | TCP_OPTION_WINDOW_SCALE},
};

/* By TS_SCALE and TS_SACK bits: the pair with the largest scale that is not above. */
static const uint8_t win_index[32] = {
		1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0, /* Without SACK. */
		4, 4, 4, 5, 5, 5, 6, 6, 7, 7, 7, 7, 7, 7, 7, 3, /* With it. */
};

/* ACKs between gathering and judging, one to a column. */
struct syncookie_columns {
	uint32_t isn_bits[SYNCOOKIE_BURST_MAX]; /* E, MSS, WIN and MAC in their places. */
	uint32_t mac_mask[SYNCOOKIE_BURST_MAX]; /* Says which form it is. */
	struct siphash_batch batch;
};

typedef void (*hash_function)(enum siphash_path path, struct siphash_batch *batch, unsigned int n);

static void
hash_chosen(enum siphash_path path, struct siphash_batch *batch, unsigned int n)
{
	(void)path;
	siphash_24_batch(batch, n);
}

uint64_t
syncookie_endpoint(const uint8_t address[16], rte_be16_t port)
{
	/* No secret: our addresses are ours, and whoever shares them has to get the same number. */
	static const struct siphash_key key = {0};
	uint8_t message[18];

	memcpy(message, address, 16);
	memcpy(message + 16, &port, sizeof(port));
	return siphash_24(&key, message, sizeof(message)) >> (64 - ENDPOINT_BITS);
}

/* What a cookie is that verifies under the key of an epoch so far from the current one. */
static enum syncookie_verdict
distance_verdict(int distance, bool two_secrets, bool second_half)
{
	int oldest = two_secrets && second_half ? 0 : -1;
	int newest = two_secrets && !second_half ? 0 : 1;

	if (distance < oldest)
		return SYNCOOKIE_EXPIRED;
	if (distance > newest)
		return SYNCOOKIE_AHEAD;
	return SYNCOOKIE_GOOD;
}

static bool
keys_add(struct syncookie_keys *keys, unsigned int attempt, const struct secret *secret,
		uint64_t epoch, enum syncookie_verdict verdict)
{
	unsigned int slot = epoch % SYNCOOKIE_SLOTS;

	keys->verdict[attempt][slot] = (uint8_t)verdict;
	return secret_derive(secret, EPOCH_LABEL, epoch, &keys->key[attempt][slot]);
}

bool
syncookie_keys_derive(struct syncookie_keys *keys, const struct secret *active,
		const struct secret *accepted, uint64_t unix_ms)
{
	const uint64_t epoch = unix_ms / SYNCOOKIE_EPOCH_MS;
	const uint64_t half = unix_ms / (SYNCOOKIE_EPOCH_MS / 2);
	const bool two = accepted != NULL && !secret_equal(active, accepted);
	bool good = true;

	memset(keys, 0, sizeof(*keys));
	keys->until_ms = (half + 1) * (SYNCOOKIE_EPOCH_MS / 2);
	keys->made_slot = epoch % SYNCOOKIE_SLOTS;
	for (int distance = -2; distance <= 1; distance++) {
		const uint64_t other = epoch + (uint64_t)(int64_t)distance;
		enum syncookie_verdict verdict = distance_verdict(distance, two, half & 1);

		good = good && keys_add(keys, 0, active, other, verdict);
		if (two)
			good = good && keys_add(keys, 1, accepted, other, verdict);
	}
	/* Two ahead has the E of two behind, so it takes an attempt of its own. */
	if (!two)
		good = good && keys_add(keys, 1, active, epoch + 2, SYNCOOKIE_AHEAD);
	if (!good)
		explicit_bzero(keys, sizeof(*keys));
	return good;
}

/* The last size of the table that is not above, or the first: three steps without a branch. */
static inline unsigned int
mss_index(const uint16_t sizes[SYNCOOKIE_MSS_SIZES], uint16_t mss)
{
	unsigned int index = mss >= sizes[4] ? 4 : 0;

	index += mss >= sizes[index + 2] ? 2 : 0;
	index += mss >= sizes[index + 1];
	return index;
}

/* The hashed word of what the cookie says: form, MSS, and WIN or the TSval bits. */
static inline uint64_t
code_word(bool timestamps, uint32_t mss, uint32_t rest)
{
	const uint32_t code = (timestamps ? CODE_TS : 0) | mss << CODE_MSS_SHIFT | rest;

	return (uint64_t)MESSAGE_LENGTH << 56 | (uint64_t)code << CODE_SHIFT;
}

/* The column of the batch that a cookie's MAC is the hash of; under which key is said elsewhere. */
static inline void
gather(struct siphash_batch *batch, unsigned int i, const struct flow_key *flow,
		uint64_t endpoint_word, uint64_t last_word)
{
	uint64_t words[2];

	memcpy(words, flow->address, sizeof(words));
	batch->word[0][i] = rte_le_to_cpu_64(words[0]);
	batch->word[1][i] = rte_le_to_cpu_64(words[1]);
	batch->word[2][i] = rte_be_to_cpu_16(flow->port) | endpoint_word;
	batch->word[3][i] = last_word;
}

static inline void
gather_key(struct siphash_batch *batch, unsigned int i, const struct siphash_key *key)
{
	batch->k0[i] = key->k0;
	batch->k1[i] = key->k1;
}

/* XOR the bits above the MAC with its lowest ones; twice is nothing. */
static inline uint32_t
whiten(uint32_t isn, unsigned int mac_bits)
{
	return isn ^ (isn << mac_bits);
}

static inline uint32_t
mac_mask(unsigned int mac_bits)
{
	return (1u << mac_bits) - 1;
}

/* TSval bits that say what the SYN had and the service accepts. */
static inline uint8_t
ts_bits_of(const struct syncookie_request *request, uint8_t options)
{
	const struct tcp_segment *syn = request->segment;
	unsigned int scale = RTE_MIN(syn->window_scale, SCALE_MAX);

	if ((options & TCP_OPTION_WINDOW_SCALE) == 0)
		scale = TS_SCALE_NONE;
	return (uint8_t)(scale | ((options & TCP_OPTION_SACK_PERMITTED) != 0 ? TS_SACK : 0));
}

void
syncookie_offer(const struct syncookie_keys *keys, const struct syncookie_request *request,
		struct syncookie_offer *offer)
{
	const struct tcp_segment *syn = request->segment;
	const uint8_t options = syn->options & request->options;
	const bool ipv4 = flow_key_is_ipv4(request->flow->address);
	const uint16_t mss = (syn->options & TCP_OPTION_MSS) != 0 ? syn->mss
			     : ipv4                               ? DEFAULT_MSS_4
								  : DEFAULT_MSS_6;
	const uint32_t size = mss_index(mss_sizes[!ipv4], mss);
	const bool timestamps = (options & TCP_OPTION_TIMESTAMPS) != 0;
	const bool ecn = timestamps && request->ecn &&
			 (syn->flags & (TCP_ECE | TCP_CWR)) == (TCP_ECE | TCP_CWR);
	const uint8_t ts_bits = ts_bits_of(request, options) | (ecn ? TS_ECN : 0);
	const uint32_t win = timestamps ? 0 : win_index[ts_bits];

	*offer = (struct syncookie_offer){
			.endpoint_word = request->endpoint << 16,
			.code_word = code_word(timestamps, size, timestamps ? ts_bits : win),
			.isn_bits = keys->made_slot << EPOCH_SHIFT | size << MSS_SHIFT |
				    win << WIN_SHIFT,
			.mac_bits = timestamps ? MAC_BITS_TS : MAC_BITS,
			.ts_bits = ts_bits,
			.options = options & (TCP_OPTION_WINDOW_SCALE | TCP_OPTION_SACK_PERMITTED |
							     TCP_OPTION_TIMESTAMPS),
			.ecn = ecn,
			.possible = mss >= mss_sizes[!ipv4][0],
	};
}

/* The largest number with these low bits that is not after the clock. */
static inline uint32_t
tsval_before(uint32_t clock, uint32_t bits)
{
	return clock - ((clock - bits) & TS_MASK);
}

static inline void
make_offered(hash_function hash, enum siphash_path path, const struct syncookie_keys *keys,
		const struct syncookie_syn syns[], unsigned int n,
		struct syncookie_numbers numbers[])
{
	const struct siphash_key *key = &keys->key[0][keys->made_slot];
	struct siphash_batch batch;

	for (unsigned int i = 0; i < n; i++) {
		const struct syncookie_offer *offer = syns[i].offer;

		gather(&batch, i, syns[i].flow, offer->endpoint_word,
				offer->code_word | syns[i].seq);
		gather_key(&batch, i, key);
	}
	hash(path, &batch, n);
	for (unsigned int i = 0; i < n; i++) {
		const struct syncookie_offer *offer = syns[i].offer;
		const uint32_t mac = (uint32_t)batch.hash[i] & mac_mask(offer->mac_bits);

		numbers[i].isn = whiten(offer->isn_bits | mac, offer->mac_bits);
		numbers[i].tsval = tsval_before(syns[i].ts_clock, offer->ts_bits);
	}
}

static inline uint64_t
make_bulk(hash_function hash, enum siphash_path path, const struct syncookie_keys *keys,
		const struct syncookie_request requests[], unsigned int n,
		struct syncookie cookies[])
{
	struct syncookie_numbers numbers[SYNCOOKIE_BURST_MAX];
	struct syncookie_offer offers[SYNCOOKIE_BURST_MAX];
	struct syncookie_syn syns[SYNCOOKIE_BURST_MAX];
	uint64_t made = 0;

	for (unsigned int i = 0; i < n; i++) {
		syncookie_offer(keys, &requests[i], &offers[i]);
		made |= (uint64_t)offers[i].possible << i;
		syns[i] = (struct syncookie_syn){requests[i].flow, &offers[i],
				requests[i].segment->seq, requests[i].ts_clock};
	}
	make_offered(hash, path, keys, syns, n, numbers);
	for (unsigned int i = 0; i < n; i++)
		cookies[i] = (struct syncookie){
				numbers[i].isn, numbers[i].tsval, offers[i].options, offers[i].ecn};
	return made;
}

/* Whether an ACK answers a SYN-ACK with timestamps. */
static inline bool
ack_has_timestamps(const struct tcp_segment *ack, bool accepted)
{
	return accepted && (ack->options & TCP_OPTION_TIMESTAMPS) != 0;
}

/* An ACK under its first key; its lowest TSecr bits have no meaning without timestamps. */
static inline void
gather_ack(const struct syncookie_keys *keys, const struct flow_key *flow,
		const struct tcp_segment *ack, uint64_t endpoint_word, bool timestamps,
		struct syncookie_columns *columns, unsigned int i)
{
	const uint32_t isn_bits = whiten(ack->ack - 1, timestamps ? MAC_BITS_TS : MAC_BITS);
	const uint32_t rest =
			timestamps ? ack->tsecr & TS_MASK : isn_bits >> WIN_SHIFT & INDEX_MASK;

	columns->isn_bits[i] = isn_bits;
	columns->mac_mask[i] = mac_mask(timestamps ? MAC_BITS_TS : MAC_BITS);
	gather(&columns->batch, i, flow, endpoint_word,
			code_word(timestamps, isn_bits >> MSS_SHIFT & INDEX_MASK, rest) |
					(ack->seq - 1));
	gather_key(&columns->batch, i, &keys->key[0][isn_bits >> EPOCH_SHIFT]);
}

static inline bool
mac_matches(const struct syncookie_columns *columns, unsigned int i, uint64_t hash)
{
	return ((columns->isn_bits[i] ^ (uint32_t)hash) & columns->mac_mask[i]) == 0;
}

void
syncookie_rebuild(const struct syncookie_gate *gate, const struct flow_key *flow,
		const struct tcp_segment *ack, struct tcp_segment *syn)
{
	const bool timestamps = ack_has_timestamps(ack, gate->timestamps);
	const uint32_t isn_bits = whiten(ack->ack - 1, timestamps ? MAC_BITS_TS : MAC_BITS);
	const uint32_t win = isn_bits >> WIN_SHIFT & INDEX_MASK;
	const bool ipv4 = flow_key_is_ipv4(flow->address);
	uint32_t window;

	*syn = (struct tcp_segment){
			.seq = ack->seq - 1,
			.mss = mss_sizes[!ipv4][isn_bits >> MSS_SHIFT & INDEX_MASK],
			.flags = TCP_SYN,
			.options = TCP_OPTION_MSS,
	};
	if (!timestamps) {
		syn->window_scale = win_pairs[win].scale;
		syn->options |= win_pairs[win].options;
	} else {
		const unsigned int scale = ack->tsecr & TS_SCALE_MASK;

		syn->tsval = ack->tsval;
		syn->options |= TCP_OPTION_TIMESTAMPS;
		if ((ack->tsecr & TS_SACK) != 0)
			syn->options |= TCP_OPTION_SACK_PERMITTED;
		if ((ack->tsecr & TS_ECN) != 0)
			syn->flags |= TCP_ECE | TCP_CWR;
		if (scale != TS_SCALE_NONE) {
			syn->window_scale = (uint8_t)scale;
			syn->options |= TCP_OPTION_WINDOW_SCALE;
		}
	}
	/* A SYN's window is not scaled (RFC 7323 2.2). */
	window = (uint32_t)ack->window << syn->window_scale;
	syn->window = (uint16_t)RTE_MIN(window, (uint32_t)UINT16_MAX);
}

static inline uint32_t
column_slot(const struct syncookie_columns *columns, unsigned int i)
{
	return columns->isn_bits[i] >> EPOCH_SHIFT;
}

/* The second attempt.  @return a mask of those whose MAC is right. */
static uint64_t
check_again(hash_function hash, enum siphash_path path, const struct syncookie_keys *keys,
		const struct syncookie_columns *columns, uint64_t left, uint8_t verdicts[])
{
	struct siphash_batch batch;
	uint8_t which[SYNCOOKIE_BURST_MAX];
	uint64_t genuine = 0;
	unsigned int n = 0;

	for (; left != 0; left &= left - 1) {
		const unsigned int i = (unsigned int)__builtin_ctzll(left);

		for (unsigned int word = 0; word < SIPHASH_BATCH_WORDS; word++)
			batch.word[word][n] = columns->batch.word[word][i];
		gather_key(&batch, n, &keys->key[1][column_slot(columns, i)]);
		which[n++] = (uint8_t)i;
	}
	hash(path, &batch, n);
	for (unsigned int k = 0; k < n; k++) {
		const unsigned int i = which[k];

		if (likely(!mac_matches(columns, i, batch.hash[k])))
			continue;
		verdicts[i] = keys->verdict[1][column_slot(columns, i)];
		genuine |= UINT64_C(1) << i;
	}
	return genuine;
}

/* Judge what was gathered.  @return a mask of those that are not SYNCOOKIE_BAD. */
static inline uint64_t
judge(hash_function hash, enum siphash_path path, const struct syncookie_keys *keys,
		struct syncookie_columns *columns, unsigned int n, uint8_t verdicts[])
{
	uint32_t tried[2] = {0, 0}; /* Bit E: there is a key to try. */
	uint64_t genuine = 0, left = 0;

	for (unsigned int slot = 0; slot < SYNCOOKIE_SLOTS; slot++) {
		tried[0] |= (uint32_t)(keys->verdict[0][slot] != SYNCOOKIE_BAD) << slot;
		tried[1] |= (uint32_t)(keys->verdict[1][slot] != SYNCOOKIE_BAD) << slot;
	}
	hash(path, &columns->batch, n);
	memset(verdicts, SYNCOOKIE_BAD, n);
	for (unsigned int i = 0; i < n; i++) {
		const uint32_t slot = column_slot(columns, i);
		const uint32_t matches = mac_matches(columns, i, columns->batch.hash[i]);

		genuine |= (uint64_t)(matches & tried[0] >> slot) << i;
		left |= (uint64_t)(tried[1] >> slot & 1) << i;
	}
	left &= ~genuine;
	for (uint64_t first = genuine; first != 0; first &= first - 1) {
		const unsigned int i = (unsigned int)__builtin_ctzll(first);

		verdicts[i] = keys->verdict[0][column_slot(columns, i)];
	}
	if (left != 0)
		genuine |= check_again(hash, path, keys, columns, left, verdicts);
	return genuine;
}

uint64_t
syncookie_check_acks(const struct syncookie_keys *keys, const struct syncookie_gate *gate,
		const struct syncookie_acks *acks, uint8_t verdicts[])
{
	struct syncookie_columns columns;

	for (unsigned int i = 0; i < acks->n; i++) {
		const struct tcp_segment *ack = &acks->segments[acks->which[i]];

		gather_ack(keys, &acks->flows[acks->which[i]], ack, gate->endpoint << 16,
				ack_has_timestamps(ack, gate->timestamps), &columns, i);
	}
	return judge(hash_chosen, SIPHASH_SCALAR, keys, &columns, acks->n, verdicts);
}

static inline uint64_t
check_bulk(hash_function hash, enum siphash_path path, const struct syncookie_keys *keys,
		const struct syncookie_request requests[], unsigned int n,
		struct tcp_segment syns[], uint8_t verdicts[])
{
	struct syncookie_gate gates[SYNCOOKIE_BURST_MAX];
	struct syncookie_columns columns;
	uint64_t genuine, good = 0;

	for (unsigned int i = 0; i < n; i++) {
		const struct syncookie_request *request = &requests[i];

		gates[i].timestamps = (request->options & TCP_OPTION_TIMESTAMPS) != 0;
		gather_ack(keys, request->flow, request->segment, request->endpoint << 16,
				ack_has_timestamps(request->segment, gates[i].timestamps), &columns,
				i);
	}
	genuine = judge(hash, path, keys, &columns, n, verdicts);
	for (; genuine != 0; genuine &= genuine - 1) {
		const unsigned int i = (unsigned int)__builtin_ctzll(genuine);

		if (verdicts[i] != SYNCOOKIE_GOOD)
			continue;
		good |= UINT64_C(1) << i;
		syncookie_rebuild(&gates[i], requests[i].flow, requests[i].segment, &syns[i]);
	}
	return good;
}

void
syncookie_make_offered(const struct syncookie_keys *keys, const struct syncookie_syn syns[],
		unsigned int n, struct syncookie_numbers numbers[])
{
	make_offered(hash_chosen, SIPHASH_SCALAR, keys, syns, n, numbers);
}

uint64_t
syncookie_make_bulk(const struct syncookie_keys *keys, const struct syncookie_request requests[],
		unsigned int n, struct syncookie cookies[])
{
	return make_bulk(hash_chosen, SIPHASH_SCALAR, keys, requests, n, cookies);
}

uint64_t
syncookie_check_bulk(const struct syncookie_keys *keys, const struct syncookie_request requests[],
		unsigned int n, struct tcp_segment syns[], uint8_t verdicts[])
{
	return check_bulk(hash_chosen, SIPHASH_SCALAR, keys, requests, n, syns, verdicts);
}

uint64_t
syncookie_make_bulk_by(enum siphash_path path, const struct syncookie_keys *keys,
		const struct syncookie_request requests[], unsigned int n,
		struct syncookie cookies[])
{
	return make_bulk(siphash_24_batch_by, path, keys, requests, n, cookies);
}

uint64_t
syncookie_check_bulk_by(enum siphash_path path, const struct syncookie_keys *keys,
		const struct syncookie_request requests[], unsigned int n,
		struct tcp_segment syns[], uint8_t verdicts[])
{
	return check_bulk(siphash_24_batch_by, path, keys, requests, n, syns, verdicts);
}
