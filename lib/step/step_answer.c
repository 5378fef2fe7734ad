/* SPDX-License-Identifier: BSD-3-Clause */

#include "step/step_answer.h"
#include "step/step_lanes.h"
#include "tcp/tcp_output.h"

#ifdef RTE_ARCH_X86_64

#define AVX512 COLUMNS_AVX512

/* Connections as they are about to become. */
struct talk {
	__m512i una;
	__m512i next;
	__m512i flags;
	__m512i last; /* STEP_STATE_SCALES_RETRIES_CWND */
	__m512i state;
	__m512i ready;  /* Bytes of text. */
	__mmask16 fin;  /* Behind them, ours. */
	__mmask16 said; /* Lanes that send them. */
	__mmask16 acks; /* Lanes whose row says that they acknowledge. */
};

AVX512 static inline __m512i
word(const struct step_columns *columns, enum step_columns_word which)
{
	return _mm512_load_si512(columns->word[which]);
}

AVX512 static inline void
talk_begin(struct talk *talk, const struct step_columns *columns, const struct step_answer *answer,
		const struct tcp_config *config)
{
	const __m512i send = step_lanes_byte(word(columns, STEP_RULE_SEND_TIMER), 2);
	const __m512i last = word(columns, STEP_STATE_SCALES_RETRIES_CWND);
	const __m512i begun = _mm512_or_si512(_mm512_and_si512(last, step_lanes_set(0xffffff)),
			step_lanes_set((uint32_t)config->initial_cwnd << 24));
	const __mmask16 brought = step_lanes_have(
			word(columns, STEP_OUTCOME), TCP_OUTCOME_DATA | TCP_OUTCOME_PEER_FIN);
	const __m512i flags = step_lanes_low_half(word(columns, STEP_FLAGS_TICK));

	talk->una = word(columns, STEP_SND_UNA);
	talk->next = word(columns, STEP_SND_NXT);
	talk->flags = _mm512_mask_or_epi32(flags, brought & answer->lanes & ~answer->ended, flags,
			step_lanes_set(TCP_CONN_ACK_DUE));
	talk->last = _mm512_mask_mov_epi32(last, answer->opened, begun);
	talk->state = step_lanes_byte(last, 0);
	talk->ready = _mm512_sub_epi32(_mm512_loadu_si512(answer->end), talk->next);
	talk->fin = answer->fin;
	talk->acks = step_lanes_are(send, TCP_SEND_ACK);
}

/* Whether tcp_expect_output() would know what is to be said. @return those that are settled. */
AVX512 static inline __mmask16
talk_decide(struct talk *talk, const struct step_columns *columns, const struct step_answer *answer)
{
	const __m512i window_mss = word(columns, STEP_WND_MSS);
	const __m512i scale = _mm512_and_si512(step_lanes_byte(talk->last, 1), step_lanes_set(0xf));
	const __m512i window = _mm512_sllv_epi32(step_lanes_low_half(window_mss), scale);
	const __m512i length = _mm512_mask_add_epi32(
			talk->ready, talk->fin, talk->ready, step_lanes_set(1));
	const __mmask16 has_stream = answer->lanes & ~answer->ended;
	const __mmask16 open = step_lanes_are(talk->state, TCP_ESTABLISHED) |
			       step_lanes_are(talk->state, TCP_CLOSE_WAIT);
	const __mmask16 idle = _mm512_cmpeq_epi32_mask(talk->una, talk->next);
	const __mmask16 wants = open & _mm512_test_epi32_mask(length, length);
	const __mmask16 fits =
			idle &
			_mm512_cmple_epu32_mask(talk->ready, _mm512_srli_epi32(window_mss, 16)) &
			_mm512_cmple_epu32_mask(length, window) &
			step_lanes_have(talk->last, 0xff000000);
	const __mmask16 waits = idle | _mm512_test_epi32_mask(window, window);

	talk->said = has_stream & wants & fits;
	return talk->said | (has_stream & ~wants & waits) | (answer->lanes & answer->ended);
}

/* tcp_expect_output() */
AVX512 static inline void
talk_say(struct talk *talk)
{
	const __mmask16 fin = talk->said & talk->fin;
	const __mmask16 first = fin & step_lanes_are(talk->state, TCP_ESTABLISHED);

	talk->next = _mm512_mask_add_epi32(talk->next, talk->said, talk->next, talk->ready);
	talk->next = _mm512_mask_add_epi32(talk->next, fin, talk->next, step_lanes_set(1));
	talk->flags = _mm512_mask_or_epi32(
			talk->flags, talk->said, talk->flags, step_lanes_set(TCP_CONN_TIMER_DUE));
	talk->flags = _mm512_mask_or_epi32(
			talk->flags, fin, talk->flags, step_lanes_set(TCP_CONN_FIN_SENT));
	talk->state = _mm512_mask_mov_epi32(talk->state, fin, step_lanes_set(TCP_LAST_ACK));
	talk->state = _mm512_mask_mov_epi32(talk->state, first, step_lanes_set(TCP_FIN_WAIT_1));
}

/* tcp_expect_output_timer(), and of those who ended what their rows say. */
AVX512 static inline void
talk_set_timers(struct talk *talk, const struct step_columns *columns, struct step_answer *answer,
		const struct tcp_config *config)
{
	const __mmask16 has_stream = answer->settled & ~answer->ended;
	const __mmask16 flies = _mm512_cmpneq_epi32_mask(talk->una, talk->next);
	const __mmask16 due = step_lanes_have(talk->flags, TCP_CONN_TIMER_DUE);
	const __m512i timer = _mm512_srli_epi32(word(columns, STEP_RULE_SEND_TIMER), 24);
	const __m512i rto_ms =
			step_lanes_rto_ms(word(columns, STEP_SRTT_RTTVAR), talk->flags, config);
	__m512i delay = step_lanes_idle_ms(config);

	delay = _mm512_mask_mov_epi32(delay, step_lanes_are(talk->state, TCP_FIN_WAIT_2),
			step_lanes_set(config->fin_timeout_ms));
	delay = _mm512_mask_mov_epi32(delay, flies, rto_ms);
	delay = _mm512_mask_mov_epi32(delay, answer->ended, word(columns, STEP_DELAY));
	_mm512_storeu_si512(answer->delay_ms, delay);
	talk->flags = _mm512_mask_andnot_epi32(
			talk->flags, has_stream, step_lanes_set(TCP_CONN_TIMER_DUE), talk->flags);
	answer->timed = (has_stream & (~flies | due)) |
			(answer->settled & answer->ended & step_lanes_are(timer, TCP_TIMER_SET));
}

/* Our window as it goes on the wire. */
AVX512 static inline __m512i
window_of(const struct talk *talk, const struct step_answer *answer,
		const struct tcp_config *config)
{
	const __m512i most = step_lanes_set(UINT16_MAX);
	const __m512i window = _mm512_loadu_si512(answer->window);
	const __mmask16 scaled = step_lanes_have(talk->flags, TCP_CONN_WINDOW_SCALE);

	return _mm512_min_epu32(
			_mm512_mask_srli_epi32(window, scaled, window, config->rcv_wnd_scale),
			most);
}

/* @param seq  SND.NXT before anything was said. */
AVX512 static inline void
talk_number(const struct talk *talk, const struct step_columns *columns, struct step_answer *answer,
		__m512i seq, __m512i window)
{
	const __mmask16 fin = talk->said & talk->fin;
	__m512i says = _mm512_or_si512(window, step_lanes_set(TCP_ACK << 16));

	says = _mm512_mask_or_epi32(says, answer->speaks, says, step_lanes_set(TCP_PSH << 16));
	says = _mm512_mask_or_epi32(says, fin, says, step_lanes_set(TCP_FIN << 16));
	_mm512_storeu_si512(answer->number[TURN_COLUMNS_SEQ], seq);
	_mm512_storeu_si512(answer->number[TURN_COLUMNS_ACK], word(columns, STEP_RCV_NXT));
	_mm512_storeu_si512(
			answer->number[TURN_COLUMNS_TSVAL], _mm512_loadu_si512(columns->ts_clock));
	_mm512_storeu_si512(answer->number[TURN_COLUMNS_TSECR], word(columns, STEP_TS_RECENT));
	_mm512_storeu_si512(answer->number[TURN_COLUMNS_SAYS], says);
	_mm512_storeu_si512(answer->number[TURN_COLUMNS_PAYLOAD],
			_mm512_maskz_mov_epi32(talk->said, talk->ready));
	_mm512_storeu_si512(answer->number[TURN_COLUMNS_PAYLOAD_SUM],
			_mm512_maskz_mov_epi32(answer->speaks, step_lanes_set(answer->text_sum)));
}

/* Connections become what they are after it. */
AVX512 static inline void
talk_keep(struct talk *talk, struct step_columns *columns, const struct step_answer *answer)
{
	const __m512i tick =
			_mm512_andnot_si512(step_lanes_set(0xffff), word(columns, STEP_FLAGS_TICK));
	const __m512i rest = _mm512_andnot_si512(step_lanes_set(0xff), talk->last);

	talk->flags = _mm512_mask_andnot_epi32(
			talk->flags, answer->sends, step_lanes_set(TCP_CONN_ACK_DUE), talk->flags);
	_mm512_store_si512(columns->word[STEP_SND_NXT], talk->next);
	_mm512_store_si512(columns->word[STEP_FLAGS_TICK], _mm512_or_si512(tick, talk->flags));
	_mm512_store_si512(columns->word[STEP_STATE_SCALES_RETRIES_CWND],
			_mm512_or_si512(rest, talk->state));
}

AVX512 void
step_answer(struct step_columns *columns, struct step_answer *answer,
		const struct tcp_config *config)
{
	const __m512i seq = word(columns, STEP_SND_NXT);
	struct talk talk;

	talk_begin(&talk, columns, answer, config);
	answer->timestamps = step_lanes_have(talk.flags, TCP_CONN_TIMESTAMPS);
	answer->settled = talk_decide(&talk, columns, answer);
	answer->sends = talk.said | (answer->settled & talk.acks);
	answer->speaks = talk.said & _mm512_test_epi32_mask(talk.ready, talk.ready);
	talk_say(&talk);
	talk_set_timers(&talk, columns, answer, config);
	talk_number(&talk, columns, answer, seq, window_of(&talk, answer, config));
	talk_keep(&talk, columns, answer);
}

#else

void
step_answer(struct step_columns *columns, struct step_answer *answer,
		const struct tcp_config *config)
{
	(void)columns, (void)config;
	answer->settled = 0;
}

#endif
