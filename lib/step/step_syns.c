/* SPDX-License-Identifier: BSD-3-Clause */

#include <stddef.h>

#include <rte_bitops.h>
#include <rte_common.h>

#include "step/step_lanes.h"
#include "step/step_syns.h"

#ifdef RTE_ARCH_X86_64

#define AVX512 COLUMNS_AVX512

/* What SYNs say that matters, and what both sides agree on. */
struct offers {
	__m512i seq;
	__m512i tsval;
	__m512i window;
	__m512i mss;
	__m512i rest;    /* Flags, options and window scale, a byte each. */
	__m512i agreed;  /* enum tcp_conn_flag */
	__mmask16 stamp; /* Of these, timestamps; */
	__mmask16 scale; /* scaled windows. */
};

_Static_assert(offsetof(struct tcp_segment, tsval) == 8 &&
				offsetof(struct tcp_segment, window) == 16 &&
				offsetof(struct tcp_segment, mss) == 22 &&
				offsetof(struct tcp_segment, flags) == 24 &&
				offsetof(struct tcp_segment, options) == 25 &&
				offsetof(struct tcp_segment, window_scale) == 26,
		"the words of a segment");

AVX512 static inline void
offers_load(struct offers *offers, const struct step_syns *syns)
{
	static const struct tcp_segment no_segment;
	const uint8_t *rows[COLUMNS];
	__m512i words[8];

	for (unsigned int i = 0; i < COLUMNS; i++)
		rows[i] = (const uint8_t *)(i < syns->n ? syns->segment[i] : &no_segment);
	columns_load(rows, 0, &words[0]);
	columns_load(rows, 16, &words[4]);
	offers->seq = words[0];
	offers->tsval = words[2];
	offers->window = step_lanes_low_half(words[4]);
	offers->mss = _mm512_srli_epi32(words[5], 16);
	offers->rest = words[6];
}

/* A flag where both want it. */
AVX512 static inline __m512i
flag_where(__mmask16 offered, bool wanted, enum tcp_conn_flag flag)
{
	return _mm512_maskz_mov_epi32(offered, step_lanes_set(wanted ? flag : 0));
}

AVX512 static inline void
offers_agree(struct offers *offers, const struct tcp_config *config)
{
	const int setup = TCP_ECE | TCP_CWR; /* RFC 3168 6.1.1 */
	const __mmask16 stamp = step_lanes_have(offers->rest, TCP_OPTION_TIMESTAMPS << 8);
	const __mmask16 scale = step_lanes_have(offers->rest, TCP_OPTION_WINDOW_SCALE << 8);
	const __mmask16 sack = step_lanes_have(offers->rest, TCP_OPTION_SACK_PERMITTED << 8);
	const __mmask16 ecn = columns_are(offers->rest, setup, setup);

	offers->stamp = config->timestamps ? stamp : 0;
	offers->scale = config->window_scaling ? scale : 0;
	offers->agreed = _mm512_or_si512(
			_mm512_or_si512(flag_where(stamp, config->timestamps, TCP_CONN_TIMESTAMPS),
					flag_where(scale, config->window_scaling,
							TCP_CONN_WINDOW_SCALE)),
			_mm512_or_si512(flag_where(sack, config->sack, TCP_CONN_SACK),
					flag_where(ecn, config->ecn, TCP_CONN_ECN)));
}

/* The largest payload. */
AVX512 static inline __m512i
mss_of(const struct offers *offers, const struct tcp_env *env)
{
	const __mmask16 offered = step_lanes_have(offers->rest, TCP_OPTION_MSS << 8);
	const __m512i mss = _mm512_mask_mov_epi32(
			step_lanes_set(env->default_mss), offered, offers->mss);
	const __m512i fits = _mm512_max_epu32(_mm512_min_epu32(mss, step_lanes_set(env->path_mss)),
			step_lanes_set(TCP_EFFECT_MSS_MIN));

	return _mm512_mask_sub_epi32(
			fits, offers->stamp, fits, step_lanes_set(TCP_EFFECT_TIMESTAMPS_BYTES));
}

/* SND.WND and how it is scaled. */
AVX512 static inline __m512i
window_of(const struct offers *offers, __m512i *scales)
{
	const __m512i shift =
			_mm512_maskz_min_epu32(offers->scale, step_lanes_byte(offers->rest, 2),
					step_lanes_set(TCP_EFFECT_WINDOW_SHIFT_MAX));
	const __m512i window = _mm512_srlv_epi32(offers->window, shift);
	const __m512i log2 = _mm512_sub_epi32(step_lanes_set(31),
			_mm512_lzcnt_epi32(_mm512_or_si512(window, step_lanes_set(1))));

	*scales = _mm512_or_si512(_mm512_slli_epi32(log2, 4), shift);
	return window;
}

AVX512 static inline void
store(const struct step_syns *syns, const __m512i words[8])
{
	struct tcp_conn nobody;
	uint8_t *rows[COLUMNS];

	for (unsigned int i = 0; i < COLUMNS; i++)
		rows[i] = (uint8_t *)(i < syns->n ? syns->conn[i] : &nobody);
	columns_store_rows(rows, 0, &words[0]);
	columns_store_rows(rows, 16, &words[4]);
}

_Static_assert(sizeof(struct tcp_conn) == 32 && offsetof(struct tcp_conn, snd_una) == 0 &&
				offsetof(struct tcp_conn, snd_nxt) == 4 &&
				offsetof(struct tcp_conn, rcv_nxt) == 8 &&
				offsetof(struct tcp_conn, ts_recent) == 12 &&
				offsetof(struct tcp_conn, snd_wnd) == 16 &&
				offsetof(struct tcp_conn, srtt_8ms) == 20 &&
				offsetof(struct tcp_conn, rttvar_4ms) == 22 &&
				offsetof(struct tcp_conn, flags) == 24 &&
				offsetof(struct tcp_conn, state) == 28 &&
				offsetof(struct tcp_conn, scales) == 29,
		"the words of a connection");

/* tcp_effect_take_syn(), of connections that were not there. */
AVX512 void
step_syns_take(struct step_syns *syns, const struct tcp_env *env)
{
	const unsigned int row = tcp_rules_expected[TCP_LISTEN][0];
	const __m512i one = step_lanes_set(1);
	struct offers offers;
	__m512i words[8], scales;

	offers_load(&offers, syns);
	offers_agree(&offers, env->config);
	words[0] = _mm512_loadu_si512(syns->isn);
	words[1] = _mm512_add_epi32(words[0], one);
	words[2] = _mm512_add_epi32(offers.seq, one);
	words[3] = _mm512_maskz_mov_epi32(offers.stamp, offers.tsval);
	words[4] = _mm512_or_si512(
			window_of(&offers, &scales), _mm512_slli_epi32(mss_of(&offers, env), 16));
	words[5] = _mm512_or_si512(step_lanes_low_half(_mm512_loadu_si512(syns->ts_clock)),
			_mm512_slli_epi32(one, 16));
	words[6] = offers.agreed;
	words[7] = _mm512_or_si512(
			_mm512_slli_epi32(scales, 8), step_lanes_set(tcp_rules[row].next_state));
	store(syns, words);
	_mm512_storeu_si512(syns->rcv_nxt, words[2]);
	_mm512_storeu_si512(syns->ts_recent, words[3]);
	_mm512_storeu_si512(syns->flags, words[6]);
}

AVX512 uint16_t
step_syns_answer(const struct step_syns *syns, uint16_t lanes, struct build_columns *answers)
{
	const __m512i flags = _mm512_loadu_si512(syns->flags);
	const __mmask16 alike = lanes & step_lanes_are(flags, syns->flags[rte_bsf32(lanes)]);

	_mm512_storeu_si512(answers->seq,
			_mm512_maskz_compress_epi32(alike, _mm512_loadu_si512(syns->isn)));
	_mm512_storeu_si512(answers->ack,
			_mm512_maskz_compress_epi32(alike, _mm512_loadu_si512(syns->rcv_nxt)));
	_mm512_storeu_si512(answers->tsval,
			_mm512_maskz_compress_epi32(alike, _mm512_loadu_si512(syns->ts_clock)));
	_mm512_storeu_si512(answers->tsecr,
			_mm512_maskz_compress_epi32(alike, _mm512_loadu_si512(syns->ts_recent)));
	return alike;
}

#else

void
step_syns_take(struct step_syns *syns, const struct tcp_env *env)
{
	(void)syns, (void)env;
}

uint16_t
step_syns_answer(const struct step_syns *syns, uint16_t lanes, struct build_columns *answers)
{
	(void)syns, (void)answers;
	return lanes;
}

#endif
