/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * tcp_expect.h and what it uses of tcp_effect.h, with a lane for each connection.
 *
 * A connection is eight words, as in memory; so is a segment.  Words that hold several fields are
 * taken apart where a field is needed, and put together before they are stored.
 */

#include <string.h>

#include <rte_bitops.h>

#include "step/step_columns.h"
#include "step/step_lanes.h"
#include "tcp/tcp_rules.h"

#ifdef RTE_ARCH_X86_64

#define AVX512     COLUMNS_AVX512

#define CONN_WORDS STEP_DELAY

/* Words of struct tcp_segment. */
enum {
	SEG_SEQ,
	SEG_ACK,
	SEG_TSVAL,
	SEG_TSECR,
	SEG_WINDOW_LENGTH,
	SEG_OFFSET_MSS,
	SEG_FLAGS_OPTIONS,
	SEG_REST,
	SEG_WORDS,
};

_Static_assert(sizeof(struct tcp_conn) == CONN_WORDS * 4 &&
				offsetof(struct tcp_conn, snd_wnd) == STEP_WND_MSS * 4 &&
				offsetof(struct tcp_conn, srtt_8ms) == STEP_SRTT_RTTVAR * 4 &&
				offsetof(struct tcp_conn, flags) == STEP_FLAGS_TICK * 4 &&
				offsetof(struct tcp_conn, state) ==
						STEP_STATE_SCALES_RETRIES_CWND * 4 &&
				offsetof(struct tcp_conn, retries) == 30,
		"the words of a connection");
_Static_assert(sizeof(struct tcp_segment) == SEG_WORDS * 4 &&
				offsetof(struct tcp_segment, window) == SEG_WINDOW_LENGTH * 4 &&
				offsetof(struct tcp_segment, flags) == SEG_FLAGS_OPTIONS * 4 &&
				offsetof(struct tcp_segment, options) == 25,
		"the words of a segment");
_Static_assert(sizeof(struct tcp_rule) == 16 && offsetof(struct tcp_rule, effects) == 8 &&
				offsetof(struct tcp_rule, next_state) == 10 &&
				offsetof(struct tcp_rule, send) == 11 &&
				offsetof(struct tcp_rule, timer) == 12 &&
				offsetof(struct tcp_rule, outcome) == 13,
		"the words of a row");
_Static_assert(offsetof(struct tcp_action, skip) == 4 && offsetof(struct tcp_action, rule) == 8 &&
				offsetof(struct tcp_action, send) == 10 &&
				offsetof(struct tcp_action, timer) == 11 &&
				offsetof(struct tcp_action, outcome) == 12,
		"the words of an action");

/* What the lanes are about; nothing of it is stored until all is known. */
struct lanes {
	__m512i conn[CONN_WORDS];
	__m512i segment[SEG_WORDS];
	__m512i flags; /* enum tcp_conn_flag */
	__m512i state;
	__m512i data; /* Bytes of text. */
	__m512i acked;
	__m512i row;
	__m512i rule[2]; /* Of struct tcp_rule, the second half. */
	__m512i outcome;
	__mmask16 fin;
	__mmask16 has_data;
	__mmask16 known;
	__mmask16 timestamps; /* Negotiated. */
	__mmask16 open;       /* In ESTABLISHED or beyond. */
};

/* The row of each lane's segment; 0 is none. */
AVX512 static inline __m512i
row_of(const struct lanes *lanes)
{
	const uint16_t *rows = &tcp_rules_expected[0][0];
	const __m512i first = _mm512_loadu_si512(rows);
	const __m512i rest = _mm512_maskz_loadu_epi16(
			(UINT32_C(1) << (TCP_STATES * TCP_RULES_EXPECTED - 32)) - 1, rows + 32);
	__m512i place = _mm512_slli_epi32(lanes->state, 2);

	place = _mm512_mask_or_epi32(place, lanes->has_data, place, step_lanes_set(1));
	place = _mm512_mask_or_epi32(place, lanes->fin, place, step_lanes_set(2));
	/* A half word in each lane: the upper one's row is not wanted. */
	return step_lanes_low_half(_mm512_permutex2var_epi16(first, place, rest));
}

_Static_assert(TCP_STATES *TCP_RULES_EXPECTED > 32 && TCP_STATES * TCP_RULES_EXPECTED < 64,
		"two registers of rows");

/* tcp_expect_ack() */
AVX512 static inline __mmask16
ack_is_expected(const struct lanes *lanes, __mmask16 has_length)
{
	const __m512i in_flight =
			_mm512_sub_epi32(lanes->conn[STEP_SND_NXT], lanes->conn[STEP_SND_UNA]);
	const __mmask16 all = _mm512_cmpeq_epi32_mask(lanes->acked, in_flight);
	const __mmask16 some = _mm512_cmple_epu32_mask(lanes->acked, in_flight);
	const __mmask16 none_in_flight = _mm512_testn_epi32_mask(in_flight, in_flight);
	const __mmask16 is_new = _mm512_test_epi32_mask(lanes->acked, lanes->acked);
	const __mmask16 established =
			_mm512_cmpeq_epi32_mask(lanes->state, step_lanes_set(TCP_ESTABLISHED));
	const __mmask16 half_open =
			_mm512_cmpeq_epi32_mask(lanes->state, step_lanes_set(TCP_SYN_RCVD));
	const __mmask16 one = _mm512_cmpeq_epi32_mask(lanes->acked, step_lanes_set(1));
	const __mmask16 no_text = _mm512_cmplt_epu32_mask(
			lanes->conn[STEP_SRTT_RTTVAR], step_lanes_set(2 << 16));

	return (established & some & (is_new | none_in_flight | has_length)) |
	       (half_open & one & all & no_text) |
	       (~established & ~half_open & all & step_lanes_have(lanes->flags, TCP_CONN_FIN_SENT));
}

/* tcp_expect_timestamp() */
AVX512 static inline __mmask16
timestamp_is_expected(const struct lanes *lanes)
{
	const __m512i ahead =
			_mm512_sub_epi32(lanes->segment[SEG_TSVAL], lanes->conn[STEP_TS_RECENT]);

	return ~lanes->timestamps |
	       (step_lanes_have(lanes->segment[SEG_FLAGS_OPTIONS], TCP_OPTION_TIMESTAMPS << 8) &
			       _mm512_cmpge_epi32_mask(ahead, _mm512_setzero_si512()));
}

/* Which lanes tcp_expect() would know, of those whose RTO is not backed off. */
AVX512 static inline void
lanes_know(struct lanes *lanes, const uint32_t rcv_wnd[COLUMNS])
{
	const uint32_t control = TCP_SYN | TCP_RST | TCP_ACK | TCP_FIN;
	const __m512i segment_flags = lanes->segment[SEG_FLAGS_OPTIONS];
	const __m512i windows = _mm512_loadu_si512(rcv_wnd);
	__mmask16 has_length, unusual;
	__m512i length;

	lanes->state = step_lanes_byte(lanes->conn[STEP_STATE_SCALES_RETRIES_CWND], 0);
	lanes->flags = step_lanes_low_half(lanes->conn[STEP_FLAGS_TICK]);
	lanes->data = _mm512_srli_epi32(lanes->segment[SEG_WINDOW_LENGTH], 16);
	lanes->acked = _mm512_sub_epi32(lanes->segment[SEG_ACK], lanes->conn[STEP_SND_UNA]);
	lanes->fin = step_lanes_have(segment_flags, TCP_FIN);
	lanes->has_data = _mm512_test_epi32_mask(lanes->data, lanes->data);
	lanes->timestamps = step_lanes_have(lanes->flags, TCP_CONN_TIMESTAMPS);
	lanes->open = _mm512_cmpge_epu32_mask(lanes->state, step_lanes_set(TCP_ESTABLISHED));
	lanes->row = row_of(lanes);
	has_length = lanes->has_data | lanes->fin;
	length = _mm512_mask_add_epi32(lanes->data, lanes->fin, lanes->data, step_lanes_set(1));
	unusual = step_lanes_have(lanes->flags, TCP_CONN_PERSIST | TCP_CONN_RETRANSMIT |
								TCP_CONN_SYN_RETRANSMITTED) |
		  step_lanes_have(lanes->conn[STEP_STATE_SCALES_RETRIES_CWND], 0xff0000);
	lanes->known = _mm512_test_epi32_mask(lanes->row, lanes->row) & ~unusual &
		       _mm512_cmplt_epu32_mask(lanes->state, step_lanes_set(TCP_STATES)) &
		       _mm512_cmpge_epu32_mask(lanes->state, step_lanes_set(TCP_SYN_RCVD)) &
		       columns_are(segment_flags, (int)(control & ~(uint32_t)TCP_FIN), TCP_ACK) &
		       _mm512_cmpeq_epi32_mask(lanes->segment[SEG_SEQ], lanes->conn[STEP_RCV_NXT]) &
		       (~has_length | _mm512_cmple_epu32_mask(length, windows)) &
		       ack_is_expected(lanes, has_length) & timestamp_is_expected(lanes);
	lanes->conn[STEP_RCV_NXT] = _mm512_add_epi32(lanes->conn[STEP_RCV_NXT], length);
}

/* tcp_effect_measure_rtt(), of lanes that acknowledge something. */
AVX512 static inline void
lanes_measure_rtt(struct lanes *lanes, __mmask16 acks, const uint32_t ts_clock[COLUMNS])
{
	const __m512i clocks = _mm512_loadu_si512(ts_clock);
	const __m512i most = step_lanes_set(UINT16_MAX);
	__m512i srtt = step_lanes_low_half(lanes->conn[STEP_SRTT_RTTVAR]);
	__m512i rttvar = _mm512_srli_epi32(lanes->conn[STEP_SRTT_RTTVAR], 16);
	const __mmask16 by_handshake =
			~lanes->timestamps & ~lanes->open & step_lanes_have(rttvar, 1);
	const __mmask16 measured = step_lanes_have(lanes->flags, TCP_CONN_RTT_MEASURED);
	const __m512i rtt = _mm512_mask_mov_epi32(
			step_lanes_low_half(_mm512_sub_epi32(clocks, srtt)), lanes->timestamps,
			_mm512_sub_epi32(clocks, lanes->segment[SEG_TSECR]));
	const __mmask16 takes = acks & (lanes->timestamps | by_handshake) &
				_mm512_cmple_epu32_mask(rtt, step_lanes_set(TCP_EFFECT_RTT_MAX_MS));
	const __m512i old = _mm512_srli_epi32(srtt, 3);
	const __m512i error = _mm512_abs_epi32(_mm512_sub_epi32(old, rtt));
	const __m512i smooth = _mm512_add_epi32(_mm512_sub_epi32(srtt, old), rtt);
	const __m512i varies = _mm512_add_epi32(
			_mm512_sub_epi32(rttvar, _mm512_srli_epi32(rttvar, 2)), error);

	srtt = _mm512_min_epu32(
			_mm512_mask_mov_epi32(_mm512_slli_epi32(rtt, 3), measured, smooth), most);
	rttvar = _mm512_min_epu32(
			_mm512_mask_mov_epi32(_mm512_slli_epi32(rtt, 1), measured, varies), most);
	lanes->conn[STEP_SRTT_RTTVAR] = _mm512_mask_or_epi32(
			lanes->conn[STEP_SRTT_RTTVAR], takes, srtt, _mm512_slli_epi32(rttvar, 16));
	lanes->flags = _mm512_mask_or_epi32(
			lanes->flags, takes, lanes->flags, step_lanes_set(TCP_CONN_RTT_MEASURED));
}

/* SND.WND as it came, and the largest there was. @return where it is news. */
AVX512 static inline __mmask16
lanes_set_window(struct lanes *lanes)
{
	const __m512i window = step_lanes_low_half(lanes->segment[SEG_WINDOW_LENGTH]);
	const __m512i log2 = _mm512_sub_epi32(step_lanes_set(31),
			_mm512_lzcnt_epi32(_mm512_or_si512(window, step_lanes_set(1))));
	const __m512i last = lanes->conn[STEP_STATE_SCALES_RETRIES_CWND];
	const __m512i scales = step_lanes_byte(last, 1);
	const __mmask16 larger = _mm512_cmpgt_epu32_mask(log2, _mm512_srli_epi32(scales, 4));
	const __m512i grown = _mm512_or_si512(_mm512_andnot_si512(step_lanes_set(0xf000), last),
			_mm512_slli_epi32(log2, 12));
	const __m512i before = step_lanes_low_half(lanes->conn[STEP_WND_MSS]);

	lanes->conn[STEP_STATE_SCALES_RETRIES_CWND] = _mm512_mask_mov_epi32(last, larger, grown);
	lanes->conn[STEP_WND_MSS] = _mm512_or_si512(
			_mm512_andnot_si512(step_lanes_set(0xffff), lanes->conn[STEP_WND_MSS]),
			window);
	return _mm512_cmpneq_epi32_mask(before, window);
}

/* tcp_expect_take_header() */
AVX512 static inline void
lanes_take_header(struct lanes *lanes, const uint32_t ts_clock[COLUMNS])
{
	const __mmask16 acks = _mm512_test_epi32_mask(lanes->acked, lanes->acked);
	__mmask16 all_acked, news;

	lanes_measure_rtt(lanes, acks, ts_clock);
	lanes->conn[STEP_SND_UNA] = _mm512_add_epi32(lanes->conn[STEP_SND_UNA], lanes->acked);
	lanes->flags = _mm512_mask_andnot_epi32(
			lanes->flags, acks, step_lanes_set(TCP_CONN_DUP_ACKS), lanes->flags);
	all_acked = step_lanes_have(lanes->flags, TCP_CONN_FIN_SENT) &
		    _mm512_cmpeq_epi32_mask(lanes->conn[STEP_SND_UNA], lanes->conn[STEP_SND_NXT]);
	news = lanes_set_window(lanes) & ~all_acked;
	lanes->conn[STEP_TS_RECENT] = _mm512_mask_mov_epi32(
			lanes->conn[STEP_TS_RECENT], lanes->timestamps, lanes->segment[SEG_TSVAL]);
	lanes->outcome = _mm512_maskz_mov_epi32(
			acks & lanes->open, step_lanes_set(TCP_OUTCOME_ACKED));
	lanes->outcome = _mm512_mask_or_epi32(lanes->outcome, news & lanes->open, lanes->outcome,
			step_lanes_set(TCP_OUTCOME_OUTPUT));
}

/* tcp_effect_timer(). @return enum tcp_timer */
AVX512 static inline __m512i
lanes_timer(const struct lanes *lanes, const struct tcp_config *config, __m512i *delay_ms)
{
	const __m512i timer = step_lanes_byte(lanes->rule[1], 0);
	const __mmask16 idle = _mm512_cmpeq_epi32_mask(
			lanes->conn[STEP_SND_UNA], lanes->conn[STEP_SND_NXT]);
	const __mmask16 acks = _mm512_test_epi32_mask(lanes->acked, lanes->acked);
	const __mmask16 stop = _mm512_cmpeq_epi32_mask(timer, step_lanes_set(TCP_RULE_TIMER_STOP));
	const __mmask16 retry =
			_mm512_cmpeq_epi32_mask(timer, step_lanes_set(TCP_RULE_TIMER_RETRY));
	const __mmask16 heard =
			_mm512_cmpeq_epi32_mask(timer, step_lanes_set(TCP_RULE_TIMER_HEARD));
	const __mmask16 fin_wait =
			_mm512_cmpeq_epi32_mask(timer, step_lanes_set(TCP_RULE_TIMER_FIN_WAIT));
	const __mmask16 time_wait =
			_mm512_cmpeq_epi32_mask(timer, step_lanes_set(TCP_RULE_TIMER_TIME_WAIT));
	const __mmask16 waits =
			_mm512_cmpeq_epi32_mask(timer, step_lanes_set(TCP_RULE_TIMER_IDLE)) |
			(heard & idle);
	const __mmask16 flies = retry | (heard & ~idle & acks);
	__m512i delay = _mm512_maskz_mov_epi32(waits, step_lanes_idle_ms(config));

	delay = _mm512_mask_mov_epi32(delay, flies,
			step_lanes_rto_ms(lanes->conn[STEP_SRTT_RTTVAR], lanes->flags, config));
	delay = _mm512_mask_mov_epi32(delay, fin_wait, step_lanes_set(config->fin_timeout_ms));
	*delay_ms = _mm512_mask_mov_epi32(delay, time_wait, step_lanes_set(config->time_wait_ms));
	return _mm512_mask_mov_epi32(_mm512_maskz_mov_epi32(waits | flies | fin_wait | time_wait,
						     step_lanes_set(TCP_TIMER_SET)),
			stop, step_lanes_set(TCP_TIMER_STOP));
}

/* What the row says, and the words that several fields share. */
AVX512 static inline void
lanes_follow_row(struct lanes *lanes)
{
	const __m512i place =
			_mm512_slli_epi32(_mm512_maskz_mov_epi32(lanes->known, lanes->row), 4);
	const uint8_t *rules = (const uint8_t *)tcp_rules;
	const __m512i last = lanes->conn[STEP_STATE_SCALES_RETRIES_CWND];
	__m512i next;

	lanes->rule[0] = _mm512_i32gather_epi32(place, rules + 8, 1);
	lanes->rule[1] = _mm512_i32gather_epi32(place, rules + 12, 1);
	next = step_lanes_byte(lanes->rule[0], 2);
	next = _mm512_mask_mov_epi32(next,
			_mm512_cmpeq_epi32_mask(next, step_lanes_set(TCP_RULES_SAME)),
			lanes->state);
	lanes->conn[STEP_STATE_SCALES_RETRIES_CWND] =
			_mm512_or_si512(_mm512_andnot_si512(step_lanes_set(0xff), last), next);
	lanes->state = next;
	lanes->outcome = _mm512_or_si512(lanes->outcome, step_lanes_byte(lanes->rule[1], 1));
	lanes->outcome = _mm512_mask_or_epi32(lanes->outcome, lanes->has_data, lanes->outcome,
			step_lanes_set(TCP_OUTCOME_DATA));
	lanes->outcome = _mm512_mask_or_epi32(lanes->outcome, lanes->fin, lanes->outcome,
			step_lanes_set(TCP_OUTCOME_PEER_FIN));
	lanes->conn[STEP_FLAGS_TICK] = _mm512_or_si512(
			_mm512_andnot_si512(step_lanes_set(0xffff), lanes->conn[STEP_FLAGS_TICK]),
			lanes->flags);
}

/* What is to be stored, if it is to happen. */
AVX512 static inline void
lanes_keep(struct lanes *lanes, struct step_columns *columns, const struct tcp_config *config)
{
	const __m512i send = _mm512_slli_epi32(step_lanes_byte(lanes->rule[0], 3), 16);
	__m512i delay, timer;

	for (unsigned int w = 0; w < CONN_WORDS; w++)
		_mm512_store_si512(columns->word[w], lanes->conn[w]);
	timer = lanes_timer(lanes, config, &delay);
	_mm512_store_si512(columns->word[STEP_DELAY], delay);
	_mm512_store_si512(columns->word[STEP_SKIP_TAKE], _mm512_slli_epi32(lanes->data, 16));
	_mm512_store_si512(columns->word[STEP_RULE_SEND_TIMER],
			_mm512_or_si512(lanes->row,
					_mm512_or_si512(send, _mm512_slli_epi32(timer, 24))));
	_mm512_store_si512(columns->word[STEP_OUTCOME], lanes->outcome);
	_mm512_storeu_si512(columns->acked, lanes->acked);
}

AVX512 static void
lanes_load(struct lanes *lanes, const struct step_columns *columns)
{
	const uint8_t *const *conns = (const uint8_t *const *)columns->conn;
	const uint8_t *const *segments = (const uint8_t *const *)columns->segment;

	columns_load(conns, 0, &lanes->conn[0]);
	columns_load(conns, 16, &lanes->conn[4]);
	columns_load(segments, 0, &lanes->segment[0]);
	columns_load(segments, 16, &lanes->segment[4]);
}

AVX512 struct step_columns_result
step_columns_expect(struct step_columns *columns, unsigned int n, const struct tcp_config *config)
{
	static struct tcp_conn no_conn; /* CLOSED: no segment is expected. */
	static const struct tcp_segment no_segment;
	struct step_columns_result result;
	struct lanes lanes;
	uint16_t known;

	for (unsigned int i = n; i < COLUMNS; i++) {
		columns->conn[i] = &no_conn;
		columns->segment[i] = &no_segment;
	}
	lanes_load(&lanes, columns);
	lanes_know(&lanes, columns->rcv_wnd);
	lanes.known &= (__mmask16)((UINT32_C(1) << n) - 1);
	known = lanes.known;
	lanes_take_header(&lanes, columns->ts_clock);
	lanes_follow_row(&lanes);
	lanes_keep(&lanes, columns, config);
	result.known = known;
	result.opened = known & step_lanes_have(lanes.outcome, TCP_OUTCOME_OPENED);
	result.data = known & step_lanes_have(lanes.outcome, TCP_OUTCOME_DATA);
	result.peer_fin = known & step_lanes_have(lanes.outcome, TCP_OUTCOME_PEER_FIN);
	result.output = known &
			step_lanes_have(lanes.outcome, TCP_OUTCOME_ACKED | TCP_OUTCOME_OUTPUT);
	result.waits = known & step_lanes_are(lanes.state, TCP_TIME_WAIT);
	result.ended = result.waits | (known & step_lanes_are(lanes.state, TCP_CLOSED));
	return result;
}

/* Four words of each lane, of which some are wanted. */
AVX512 static inline void
store(void *const rows[COLUMNS], size_t offset, const uint32_t word[][COLUMNS], uint16_t lanes)
{
	uint8_t nobody[16], *to[COLUMNS];
	__m512i words[4];

	for (unsigned int w = 0; w < 4; w++)
		words[w] = _mm512_load_si512(word[w]);
	for (unsigned int i = 0; i < COLUMNS; i++)
		to[i] = (lanes >> i & 1) != 0 ? (uint8_t *)rows[i] + offset : nobody;
	columns_turn(words);
	for (unsigned int i = 0; i < 4; i++) {
		COLUMNS_STORE_PART(to[i], words[i], 0);
		COLUMNS_STORE_PART(to[i + 4], words[i], 1);
		COLUMNS_STORE_PART(to[i + 8], words[i], 2);
		COLUMNS_STORE_PART(to[i + 12], words[i], 3);
	}
}

AVX512 void
step_columns_store(const struct step_columns *columns, uint16_t lanes)
{
	store((void *const *)columns->conn, 0, &columns->word[0], lanes);
	store((void *const *)columns->conn, 16, &columns->word[4], lanes);
}

AVX512 void
step_columns_actions(const struct step_columns *columns, struct tcp_action *action[COLUMNS],
		uint16_t lanes)
{
	store((void *const *)action, 0, &columns->word[STEP_DELAY], lanes);
}

/* By rows: mostly all lanes go by one or two. */
AVX512 void
step_columns_count(const struct step_columns *columns, uint16_t lanes, uint64_t rules[])
{
	const __m512i rows =
			step_lanes_low_half(_mm512_load_si512(columns->word[STEP_RULE_SEND_TIMER]));

	while (lanes != 0) {
		const uint32_t row = columns->word[STEP_RULE_SEND_TIMER][rte_bsf32(lanes)] & 0xffff;
		const __mmask16 same = lanes & step_lanes_are(rows, row);

		rules[row] += (uint64_t)__builtin_popcount(same);
		lanes &= (uint16_t)~same;
	}
}

#else

struct step_columns_result
step_columns_expect(struct step_columns *columns, unsigned int n, const struct tcp_config *config)
{
	(void)columns, (void)n, (void)config;
	return (struct step_columns_result){0};
}

void
step_columns_store(const struct step_columns *columns, uint16_t lanes)
{
	(void)columns, (void)lanes;
}

void
step_columns_actions(const struct step_columns *columns, struct tcp_action *action[COLUMNS],
		uint16_t lanes)
{
	(void)columns, (void)action, (void)lanes;
}

void
step_columns_count(const struct step_columns *columns, uint16_t lanes, uint64_t rules[])
{
	(void)columns, (void)lanes, (void)rules;
}

#endif
