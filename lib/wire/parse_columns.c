/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Headers in columns: each check of parse_plain() once for sixteen frames, as a mask of lanes.
 *
 * Nothing branches on what a frame holds but for what whole groups have in common: an IP version,
 * data, unusual options.  Rows are written for all lanes, and count only where the mask says so.
 */

#include <string.h>

#include "tcp/tcp_step.h"
#include "wire/bytes.h"
#include "wire/checksum.h"
#include "wire/columns.h"
#include "wire/options_columns.h"
#include "wire/parse_columns.h"
#include "wire/parse_rows.h"
#include "wire/tcp_options.h"

#define ETHER        14
#define IPV4         20
#define IPV6         40
#define TCP_WORDS    5  /* Of a header without options. */
#define TCP_COLUMNS  11 /* Of the longest header that is taken. */
#define TCP_SHORT_4  7  /* Of what 64 bytes of a frame hold with IPv4, */
#define TCP_SHORT_6  6  /* and what is loaded at once with IPv6. */
#define TCP_USUAL_6  10 /* Of a SYN from Linux: a load less than the longest takes. */
#define IPV4_WORDS   5
#define IPV6_WORDS   10
#define FAMILY_SHIFT 8
#define GROUP_SHIFT  16
#define CLASS_SHIFT  24

_Static_assert(PARSE_COLUMNS_READ == ETHER + 96, "six times four words behind the link's header");
_Static_assert(sizeof(struct frame) == 3 * 4 && sizeof(struct flow_key) == 5 * 4 &&
				sizeof(struct tcp_segment) == 8 * 4,
		"rows of whole words");
_Static_assert(FRAME_TCP == 0 && FRAME_GROUP == 1, "frame: kind, family, flags, traffic class");
_Static_assert(TCP_FIN == 1 && TCP_SYN == 2 && TCP_RST == 4 && TCP_ACK == 16,
		"tcp_step_event() takes these bits together");

#ifdef RTE_ARCH_X86_64

#define AVX512 COLUMNS_AVX512

bool
parse_columns_available(void)
{
	return columns_available();
}

/* Sixteen TCP segments. */
struct segments {
	__m512i word[TCP_COLUMNS]; /* Of the header; those behind a lane's last are 0. */
	__m512i l4_length;
	__m512i header;         /* Bytes. */
	struct columns_sum sum; /* The pseudo-header's. */
	unsigned int l4_offset;
	unsigned int words; /* That were loaded: a constant wherever it is asked for. */
	__mmask16 good;     /* So far. */
	__mmask16 syns;     /* Those with the SYN bit. */
};

AVX512 static inline void
write_frames(struct frame *frames, const struct segments *segments, __m512i last)
{
	const __m512i offsets =
			_mm512_set1_epi32((int)(ETHER | (uint32_t)segments->l4_offset << 16));
	uint8_t *to = (uint8_t *)frames;

	for (unsigned int k = 0; k < 3; k++) {
		__m512i words = _mm512_maskz_mov_epi32(parse_rows_words(3, k, 0), offsets);

		words = parse_rows_put(words, 3, k, 1, segments->l4_length);
		words = parse_rows_put(words, 3, k, 2, last);
		_mm512_storeu_si512(to + k * sizeof(words), words);
	}
}

/* Data is summed up where it is, behind the headers. */
AVX512 static __attribute__((noinline)) __m512i
add_data(const struct parse_columns_frames *frames, const struct segments *segments,
		__mmask16 with_data, __m512i folded)
{
	uint32_t sum[COLUMNS], header[COLUMNS], length[COLUMNS];

	_mm512_storeu_si512(sum, folded);
	_mm512_storeu_si512(header, segments->header);
	_mm512_storeu_si512(length, segments->l4_length);
	for (uint32_t left = with_data; left != 0; left &= left - 1) {
		const unsigned int lane = (unsigned int)__builtin_ctz(left);
		const uint8_t *data = frames->data[lane] + segments->l4_offset + header[lane];

		sum[lane] = checksum_fold(
				checksum_add(sum[lane], data, length[lane] - header[lane]));
	}
	return _mm512_loadu_si512(sum);
}

/* Lanes whose checksum is right. */
AVX512 static inline __mmask16
verify(const struct parse_columns_frames *frames, struct segments *segments)
{
	struct columns_sum sum = segments->sum;
	__mmask16 with_data;
	__m512i folded;

	for (unsigned int i = 0; i < segments->words; i++)
		columns_sum_add(&sum, segments->word[i]);
	folded = columns_sum_fold(&sum);
	with_data = _mm512_mask_cmpgt_epu32_mask(
			segments->good, segments->l4_length, segments->header);
	if (with_data != 0)
		folded = add_data(frames, segments, with_data, folded);
	return _mm512_cmpeq_epi32_mask(folded, _mm512_set1_epi32(0xffff));
}

/* Headers that are whole.  What is behind them becomes zero. */
AVX512 static inline void
check_headers(const struct parse_columns_frames *frames, struct segments *segments)
{
	const __m512i ports = segments->word[0];
	const __m512i words = _mm512_and_si512(
			_mm512_srli_epi32(segments->word[3], 4), _mm512_set1_epi32(0xf));

	segments->header = _mm512_slli_epi32(words, 2);
	for (unsigned int i = TCP_WORDS; i < segments->words; i++)
		segments->word[i] = _mm512_maskz_mov_epi32(
				_mm512_cmpgt_epi32_mask(words, _mm512_set1_epi32((int)i)),
				segments->word[i]);
	/* Equal ports may be a "land" attack. */
	segments->good &= _mm512_cmpneq_epi32_mask(ports, _mm512_rol_epi32(ports, 16)) &
			  _mm512_cmpge_epi32_mask(words, _mm512_set1_epi32(TCP_WORDS)) &
			  _mm512_cmple_epi32_mask(words, _mm512_set1_epi32(TCP_COLUMNS)) &
			  _mm512_cmple_epi32_mask(segments->header, segments->l4_length);
	if ((frames->flags & PARSE_TCP_CHECKSUM_GOOD) == 0)
		segments->good &= verify(frames, segments);
	segments->syns = _mm512_mask_test_epi32_mask(
			segments->good, segments->word[3], _mm512_set1_epi32(TCP_SYN << 8));
}

AVX512 static inline void
read_options(const struct segments *segments, struct options_columns *options)
{
	const __mmask16 some = _mm512_mask_cmpgt_epu32_mask(
			segments->good, segments->header, _mm512_set1_epi32(4 * TCP_WORDS));

	if (some == 0)
		return;
	options_columns_read(&segments->word[TCP_WORDS], segments->header, segments->syns, options);
	options->other &= segments->good;
}

/* Those few lanes whose options are walked. */
static __attribute__((noinline)) void
read_others(const struct parse_columns_frames *frames, unsigned int l4_offset, uint32_t others,
		struct tcp_segment segments[])
{
	for (; others != 0; others &= others - 1) {
		const unsigned int lane = (unsigned int)__builtin_ctz(others);
		struct tcp_segment *segment = &segments[lane];

		tcp_options_parse(segment, frames->data[lane] + l4_offset + 4 * TCP_WORDS,
				segment->payload_offset - 4u * TCP_WORDS);
	}
}

/* Lanes whose word is that of the lane before; never the first. */
AVX512 static inline __mmask16
as_before(__m512i words)
{
	return _mm512_mask_cmpeq_epi32_mask(
			0xfffe, words, _mm512_alignr_epi32(words, words, COLUMNS - 1));
}

/* @return SYNs like the lane before, by flags, MSS and options. */
AVX512 static inline __mmask16
write_segments(const struct parse_columns_frames *frames, const struct segments *segments,
		const struct parse_columns_rows *rows)
{
	const __m512i zero = _mm512_setzero_si512();
	const __m512i *word = segments->word;
	const __mmask16 acknowledges =
			_mm512_test_epi32_mask(word[3], _mm512_set1_epi32(TCP_ACK << 8));
	struct options_columns options = {zero, zero, zero, zero, 0};
	__m512i columns[8];

	read_options(segments, &options);
	columns[0] = columns_swap_32(word[1]);
	columns[1] = _mm512_maskz_mov_epi32(acknowledges, columns_swap_32(word[2]));
	columns[2] = options.tsval;
	columns[3] = options.tsecr;
	columns[4] = _mm512_or_si512(_mm512_srli_epi32(columns_swap_16(word[3]), 16),
			_mm512_slli_epi32(_mm512_sub_epi32(segments->l4_length, segments->header),
					16));
	columns[5] = _mm512_or_si512(
			segments->header, _mm512_and_si512(columns_swap_16(options.mss),
							  _mm512_set1_epi32((int)0xffff0000)));
	columns[6] = _mm512_or_si512(options.bits,
			_mm512_and_si512(_mm512_srli_epi32(word[3], 8), _mm512_set1_epi32(0xff)));
	columns[7] = zero;
	columns_store(rows->segment, sizeof(*rows->segment), columns);
	columns_store((uint8_t *)rows->segment + 16, sizeof(*rows->segment), columns + 4);
	parse_rows_events(rows->event, columns[6]);
	if (unlikely(options.other != 0))
		read_others(frames, segments->l4_offset, options.other, rows->segment);
	if (segments->syns == 0)
		return 0;
	return segments->syns & as_before(columns[5]) & as_before(columns[6]) &
	       (__mmask16) ~(options.other | options.other << 1);
}

/* Not "this network", loopback, multicast or broadcast. */
AVX512 static inline __mmask16
are_hosts_4(__m512i address)
{
	const __m512i first = _mm512_and_si512(address, _mm512_set1_epi32(0xff));

	return _mm512_cmplt_epu32_mask(_mm512_sub_epi32(first, _mm512_set1_epi32(1)),
			       _mm512_set1_epi32(223)) &
	       _mm512_cmpneq_epi32_mask(first, _mm512_set1_epi32(127));
}

/* Unspecified, loopback and IPv4-mapped begin with zeroes, multicast with ones. */
AVX512 static inline __mmask16
are_hosts_6(const __m512i address[4])
{
	const __m512i first = _mm512_or_si512(address[0], address[1]);

	return _mm512_test_epi32_mask(first, first) &
	       (__mmask16)~columns_are(address[0], 0xff, 0xff);
}

AVX512 static inline __m512i
load_lengths(const struct parse_columns_frames *frames)
{
	return _mm512_loadu_si512(frames->length);
}

/* A frame's last word: what it is, its group bit, its traffic class. */
AVX512 static inline __m512i
frame_words(int family, __m512i ether, __m512i traffic_class)
{
	const __m512i group = _mm512_and_si512(ether, _mm512_set1_epi32(FRAME_GROUP));

	return _mm512_or_si512(_mm512_set1_epi32(family << FAMILY_SHIFT),
			_mm512_or_si512(_mm512_slli_epi32(group, GROUP_SHIFT),
					_mm512_slli_epi32(traffic_class, CLASS_SHIFT)));
}

/* The ports of segments, the end's in the upper half. */
AVX512 static inline __m512i
ports_of(const struct parse_columns_end *end, __m512i ports)
{
	return end->is_source ? _mm512_rol_epi32(ports, 16) : ports;
}

/* Lanes whose frame and segment are for the end, by MAC address and port. */
AVX512 static inline __mmask16
are_for(const struct parse_columns_end *end, const __m512i ether[4], __m512i ports)
{
	uint32_t mac[2];

	memcpy(mac, end->mac, sizeof(mac));
	return columns_are(ether[0], -1, (int)mac[0]) & columns_are(ether[1], 0xffff, (int)mac[1]) &
	       _mm512_cmpeq_epi32_mask(
			       _mm512_srli_epi32(ports, 16), _mm512_set1_epi32(end->local.port));
}

/* SYNs whose other end may be no peer: port 0 is nobody's (RFC 6335 6). */
AVX512 static inline __mmask16
are_doubtful(const struct parse_columns_end *end, __mmask16 syns, __m512i ports,
		__m512i address_end)
{
	const __mmask16 nobody =
			_mm512_mask_testn_epi32_mask(syns, ports, _mm512_set1_epi32(0xffff));
	const uint32_t *bits;
	__m512i place, word;

	if (syns == 0 || end->no_peers == NULL)
		return nobody;
	bits = end->no_peers->bits;
	place = _mm512_mullo_epi32(address_end, _mm512_set1_epi32((int)NO_PEERS_FACTOR));
	word = _mm512_permutex2var_epi32(_mm512_loadu_si512(bits),
			_mm512_srli_epi32(place, NO_PEERS_WORD_SHIFT),
			_mm512_loadu_si512(bits + NO_PEERS_WORDS / 2));
	place = _mm512_and_si512(
			_mm512_srli_epi32(place, NO_PEERS_BIT_SHIFT), _mm512_set1_epi32(31));
	return nobody | _mm512_mask_test_epi32_mask(
					syns, _mm512_srlv_epi32(word, place), _mm512_set1_epi32(1));
}

/* A key's last word: the other end's port, and who listens. */
AVX512 static inline __m512i
key_words(const struct parse_columns_end *end, __m512i ports)
{
	return _mm512_or_si512(_mm512_and_si512(ports, _mm512_set1_epi32(0xffff)),
			_mm512_set1_epi32((int)((uint32_t)end->local.endpoint << 16)));
}

AVX512 static inline int
end_word(const struct parse_columns_end *end, unsigned int which)
{
	int word;

	memcpy(&word, end->local.address + which * sizeof(word), sizeof(word));
	return word;
}

/* Frames of one IP version, whom they are for, and where their rows go. */
struct group {
	const struct parse_columns_frames *frames;
	const __m512i *ether; /* Four columns: the link's headers. */
	const struct parse_columns_end *end;
	const struct parse_columns_rows *rows;
	__mmask16 lanes;
};

/* The IPv4 packets of some lanes, whose TCP headers have no more than so many words. */
AVX512 static __rte_always_inline struct parse_columns_verdict
read_ipv4(const struct group *group, unsigned int words)
{
	const struct parse_columns_frames *frames = group->frames;
	const struct parse_columns_end *end = group->end;
	struct segments segments = {.l4_offset = ETHER + IPV4, .good = group->lanes};
	const __m512i available = _mm512_sub_epi32(load_lengths(frames), _mm512_set1_epi32(ETHER));
	__m512i word[4 * 4], total, ports, address;
	__mmask16 here, alike;

	for (unsigned int i = 0; 4 * i < IPV4_WORDS + words; i++)
		columns_load(frames->data, ETHER + i * 16, &word[i * 4]);
	segments.words = words;
	memcpy(segments.word, &word[IPV4_WORDS], words * sizeof(word[0]));
	total = _mm512_srli_epi32(columns_swap_16(word[0]), 16);
	segments.l4_length = _mm512_sub_epi32(total, _mm512_set1_epi32(IPV4));
	segments.good &= columns_are(word[0], 0xff, 0x45) & columns_are(word[2], 0xff00, 0x600) &
			 _mm512_testn_epi32_mask(word[1], _mm512_set1_epi32(COLUMNS_WORD(0x3fff))) &
			 _mm512_cmpge_epi32_mask(total, _mm512_set1_epi32(IPV4 + 4 * TCP_WORDS)) &
			 _mm512_cmple_epi32_mask(total, available) & are_hosts_4(word[3]) &
			 are_hosts_4(word[4]);
	segments.sum = columns_sum_start();
	columns_sum_add(&segments.sum, word[3]);
	columns_sum_add(&segments.sum, word[4]);
	if ((frames->flags & PARSE_IP_CHECKSUM_GOOD) == 0) {
		struct columns_sum sum = segments.sum;

		for (unsigned int i = 0; i < 3; i++)
			columns_sum_add(&sum, word[i]);
		segments.good &= columns_are(columns_sum_fold(&sum), -1, 0xffff);
	}
	columns_sum_add_halves(&segments.sum, _mm512_set1_epi32(6 << 8));
	columns_sum_add(&segments.sum, columns_swap_16(segments.l4_length));
	check_headers(frames, &segments);
	ports = ports_of(end, word[IPV4_WORDS]);
	here = segments.good & are_for(end, group->ether, ports) &
	       columns_are(end->is_source ? word[3] : word[4], -1, end_word(end, 3));
	address = end->is_source ? word[4] : word[3];
	write_frames(group->rows->frame, &segments,
			frame_words(4, group->ether[0],
					_mm512_and_si512(_mm512_srli_epi32(word[0], 8),
							_mm512_set1_epi32(0xff))));
	parse_rows_keys_4(group->rows->key, address, key_words(end, ports));
	alike = write_segments(frames, &segments, group->rows);
	return (struct parse_columns_verdict){segments.good, here, alike & here & here << 1,
			are_doubtful(end, here & segments.syns, ports, address)};
}

/* The same of IPv6. */
AVX512 static __rte_always_inline struct parse_columns_verdict
read_ipv6(const struct group *group, unsigned int words)
{
	const struct parse_columns_frames *frames = group->frames;
	const struct parse_columns_end *end = group->end;
	struct segments segments = {.l4_offset = ETHER + IPV6, .good = group->lanes};
	const __m512i available =
			_mm512_sub_epi32(load_lengths(frames), _mm512_set1_epi32(ETHER + IPV6));
	__m512i word[6 * 4], others[4], ports;
	__mmask16 here, alike;

	for (unsigned int i = 0; 4 * i < IPV6_WORDS + words; i++)
		columns_load(frames->data, ETHER + i * 16, &word[i * 4]);
	segments.words = words;
	memcpy(segments.word, &word[IPV6_WORDS], words * sizeof(word[0]));
	segments.l4_length = _mm512_and_si512(columns_swap_16(word[1]), _mm512_set1_epi32(0xffff));
	segments.good &= columns_are(word[0], 0xf0, 0x60) &
			 columns_are(word[1], 0xff0000, 0x060000) &
			 _mm512_cmpge_epi32_mask(
					 segments.l4_length, _mm512_set1_epi32(4 * TCP_WORDS)) &
			 _mm512_cmple_epi32_mask(segments.l4_length, available) &
			 are_hosts_6(&word[2]) & are_hosts_6(&word[6]);
	segments.sum = columns_sum_start();
	for (unsigned int i = 2; i < IPV6_WORDS; i++)
		columns_sum_add(&segments.sum, word[i]);
	columns_sum_add_halves(&segments.sum, _mm512_set1_epi32(6 << 8));
	columns_sum_add(&segments.sum, columns_swap_16(segments.l4_length));
	check_headers(frames, &segments);
	ports = ports_of(end, word[IPV6_WORDS]);
	here = segments.good & are_for(end, group->ether, ports);
	for (unsigned int i = 0; i < 4; i++) {
		here &= columns_are(
				end->is_source ? word[2 + i] : word[6 + i], -1, end_word(end, i));
		others[i] = end->is_source ? word[6 + i] : word[2 + i];
	}
	/* Version, traffic class: four bits each, but that the bytes are the other way round. */
	write_frames(group->rows->frame, &segments,
			frame_words(6, group->ether[0],
					_mm512_and_si512(_mm512_srli_epi32(columns_swap_32(word[0]),
									 20),
							_mm512_set1_epi32(0xff))));
	parse_rows_keys_6(group->rows->key, others, key_words(end, ports));
	alike = write_segments(frames, &segments, group->rows);
	return (struct parse_columns_verdict){segments.good, here, alike & here & here << 1,
			are_doubtful(end, here & segments.syns, ports, others[3])};
}

/*
 * Short frames need the first line of memory only, or the words that are loaded of it.  Each of the
 * two has a function of its own: registers are short, and one loop with a count that is not known
 * keeps everything in memory (2 ns of 34 that a SYN of a flood takes).
 */
AVX512 static __rte_noinline struct parse_columns_verdict
read_short_ipv4(const struct group *group)
{
	return read_ipv4(group, TCP_SHORT_4);
}

AVX512 static __rte_noinline struct parse_columns_verdict
read_long_ipv4(const struct group *group)
{
	return read_ipv4(group, TCP_COLUMNS);
}

AVX512 static __rte_noinline struct parse_columns_verdict
read_short_ipv6(const struct group *group)
{
	return read_ipv6(group, TCP_SHORT_6);
}

AVX512 static __rte_noinline struct parse_columns_verdict
read_usual_ipv6(const struct group *group)
{
	return read_ipv6(group, TCP_USUAL_6);
}

AVX512 static __rte_noinline struct parse_columns_verdict
read_long_ipv6(const struct group *group)
{
	return read_ipv6(group, TCP_COLUMNS);
}

AVX512 static inline bool
are_short(const struct group *group, int most)
{
	return _mm512_mask_cmpgt_epu32_mask(group->lanes, load_lengths(group->frames),
			       _mm512_set1_epi32(most)) == 0;
}

AVX512 static struct parse_columns_verdict
parse_ipv4(const struct group *group)
{
	return are_short(group, ETHER + IPV4 + 4 * TCP_SHORT_4) ? read_short_ipv4(group)
								: read_long_ipv4(group);
}

AVX512 static struct parse_columns_verdict
parse_ipv6(const struct group *group)
{
	if (are_short(group, ETHER + IPV6 + 4 * TCP_SHORT_6))
		return read_short_ipv6(group);
	return are_short(group, ETHER + IPV6 + 4 * TCP_USUAL_6) ? read_usual_ipv6(group)
								: read_long_ipv6(group);
}

/* Rows that only some lanes have to give to a group that mixes both versions. */
struct some_rows {
	struct frame frame[COLUMNS];
	struct tcp_segment segment[COLUMNS];
	struct flow_key key[COLUMNS];
	uint8_t event[COLUMNS];
};

static void
copy_rows(const struct some_rows *from, uint32_t lanes, const struct parse_columns_rows *to)
{
	for (; lanes != 0; lanes &= lanes - 1) {
		const unsigned int lane = (unsigned int)__builtin_ctz(lanes);

		to->frame[lane] = from->frame[lane];
		to->segment[lane] = from->segment[lane];
		to->key[lane] = from->key[lane];
		to->event[lane] = from->event[lane];
	}
}

AVX512 static __rte_noinline struct parse_columns_verdict
parse_mixed(const struct group *v4, struct group *v6)
{
	const struct parse_columns_rows *rows = v6->rows;
	struct some_rows some;
	const struct parse_columns_rows aside = {some.frame, some.segment, some.key, some.event};
	const struct parse_columns_verdict one = parse_ipv4(v4);
	struct parse_columns_verdict other;

	v6->rows = &aside;
	other = parse_ipv6(v6);
	copy_rows(&some, other.good, rows);
	return (struct parse_columns_verdict){one.good | other.good, one.here | other.here,
			one.alike | other.alike, one.doubtful | other.doubtful};
}

/* Those lanes whose frames say that they are of a version, and are long enough. */
AVX512 static inline __mmask16
lanes_of(const struct parse_columns_frames *frames, const __m512i ether[4], int ether_type,
		int ip_header)
{
	const __mmask16 all = (__mmask16)((1u << frames->n) - 1);
	const int least = ETHER + ip_header + 4 * TCP_WORDS;

	return all & columns_are(ether[3], 0xffff, ether_type) &
	       _mm512_cmpge_epi32_mask(load_lengths(frames), _mm512_set1_epi32(least));
}

AVX512 struct parse_columns_verdict
parse_columns(const struct parse_columns_frames *frames, const struct parse_columns_end end[2],
		const struct parse_columns_rows *rows)
{
	__m512i ether[4];
	struct group v4 = {frames, ether, &end[0], rows, 0};
	struct group v6 = {frames, ether, &end[1], rows, 0};

	columns_load(frames->data, 0, ether);
	v4.lanes = lanes_of(frames, ether, 0x0008, IPV4);
	v6.lanes = lanes_of(frames, ether, 0xdd86, IPV6);
	if (likely(v6.lanes == 0))
		return parse_ipv4(&v4);
	if (v4.lanes == 0)
		return parse_ipv6(&v6);
	return parse_mixed(&v4, &v6);
}

#else

bool
parse_columns_available(void)
{
	return false;
}

struct parse_columns_verdict
parse_columns(const struct parse_columns_frames *frames, const struct parse_columns_end end[2],
		const struct parse_columns_rows *rows)
{
	(void)frames;
	(void)end;
	(void)rows;
	return (struct parse_columns_verdict){0, 0, 0, 0};
}

#endif
