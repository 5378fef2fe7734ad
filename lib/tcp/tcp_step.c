/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * Facts, then the first row that matches, then the row's orders: the TCP machine's interpreter.
 *
 * What is decided is in tcp_rules.def.  Here is only what its words mean: each fact is one
 * expression, each effect one function.
 */

#include <rte_bitops.h>
#include <rte_branch_prediction.h>
#include <rte_common.h>

#include "tcp/tcp_rules.h"
#include "tcp/tcp_seq.h"
#include "tcp/tcp_step.h"

#define STEP_RTO_INITIAL_MS     1000  /* RFC 6298 2.1 */
#define STEP_RTO_RETRIED_SYN_MS 3000  /* RFC 6298 5.7 */
#define STEP_RTT_MAX_MS         60000 /* What is longer was not measured with our clock. */
#define STEP_WINDOW_SHIFT_MAX   14    /* RFC 7323 2.3 */
#define STEP_MSS_MIN            48    /* Below, a peer could make us send headers only. */
#define STEP_TIMESTAMPS_BYTES   12    /* With two NOPs (RFC 7323 appendix A). */
/* How far beyond the old SND.NXT a new incarnation begins if its clock is not beyond already. */
#define STEP_REOPEN_DISTANCE (UINT16_MAX + 1)

/* Facts are shifted into place rather than branched on. */
#define FACT_IF(fact, condition) ((uint32_t)(condition) << TCP_FACT_POSITION_##fact)

const uint8_t tcp_step_events[16] = {
		[0] = TCP_EVENT_BARE,
		[TCP_FIN] = TCP_EVENT_BARE,
		[TCP_SYN] = TCP_EVENT_SYN,
		[TCP_SYN | TCP_FIN] = TCP_EVENT_SYN,
		[TCP_RST... TCP_RST | TCP_SYN | TCP_FIN] = TCP_EVENT_RST,
		[TCP_ACK >> 1] = TCP_EVENT_ACK,
		[TCP_ACK >> 1 | TCP_FIN] = TCP_EVENT_FIN,
		[TCP_ACK >> 1 | TCP_SYN] = TCP_EVENT_SYN_ACK,
		[TCP_ACK >> 1 | TCP_SYN | TCP_FIN] = TCP_EVENT_SYN_ACK,
		[TCP_ACK >> 1 | TCP_RST... 15] = TCP_EVENT_RST,
};

uint32_t
tcp_step_rto_ms(const struct tcp_conn *conn, const struct tcp_config *config)
{
	const uint32_t variance_ms = RTE_MAX(conn->rttvar_4ms, 1); /* Four times RTTVAR, or G. */
	uint64_t rto_ms = STEP_RTO_INITIAL_MS;

	if ((conn->flags & TCP_CONN_RTT_MEASURED) != 0)
		rto_ms = RTE_MAX((conn->srtt_8ms >> 3) + variance_ms, config->rto_min_ms);
	else if ((conn->flags & TCP_CONN_SYN_RETRANSMITTED) != 0 && conn->state >= TCP_ESTABLISHED)
		rto_ms = STEP_RTO_RETRIED_SYN_MS;
	rto_ms <<= RTE_MIN(conn->retries, 32);
	return (uint32_t)RTE_MIN(rto_ms, config->rto_max_ms);
}

/* The kernel's knobs, and idle_timeout beside them: when @p probes have had no answer. */
static uint64_t
step_next_probe_ms(const struct tcp_config *config, unsigned int probes)
{
	return config->keepalive_time_ms + (uint64_t)probes * config->keepalive_intvl_ms;
}

uint32_t
tcp_step_idle_ms(const struct tcp_conn *conn, const struct tcp_config *config)
{
	const uint64_t silent_ms =
			conn->retries == 0 ? 0 : step_next_probe_ms(config, conn->retries - 1u);
	const uint64_t next_ms = step_next_probe_ms(config, conn->retries);
	const uint64_t end_ms = RTE_MIN(next_ms, config->idle_timeout_ms);

	if (config->keepalive_time_ms == 0)
		return config->idle_timeout_ms;
	return (uint32_t)(end_ms > silent_ms ? end_ms - silent_ms : 0);
}

/* MAX.SND.WND, never less than it was and never twice as much (RFC 5961 5.2). */
static uint32_t
step_max_window(const struct tcp_conn *conn)
{
	return (uint32_t)2 << (conn->scales >> 4) << (conn->scales & 0xf);
}

/* Whether a SYN in TIME_WAIT may begin a new incarnation (RFC 6191 2; RFC 9293 3.6.1). */
static bool
step_is_newer_syn(const struct tcp_conn *conn, const struct tcp_segment *segment,
		const struct tcp_env *env)
{
	const bool timestamps =
			(segment->options & TCP_OPTION_TIMESTAMPS) != 0 && env->config->timestamps;
	const int32_t later = (int32_t)(segment->tsval - conn->ts_recent);
	const bool higher = tcp_seq_lt(conn->rcv_nxt, segment->seq);

	if ((segment->flags & TCP_FIN) != 0)
		return false;
	if (!timestamps)
		return higher;
	if ((conn->flags & TCP_CONN_TIMESTAMPS) == 0)
		return true;
	return later > 0 || (later == 0 && higher);
}

/* Nothing is in flight, and nothing is held back by the window. */
static bool
step_is_idle(const struct tcp_conn *conn)
{
	return conn->snd_una == conn->snd_nxt && (conn->flags & TCP_CONN_PERSIST) == 0;
}

static inline uint32_t
step_facts_of_ack(const struct tcp_conn *conn, const struct tcp_segment *segment)
{
	const uint32_t in_flight = conn->snd_nxt - conn->snd_una;
	const uint32_t acked = segment->ack - conn->snd_una;
	const uint32_t old = step_max_window(conn);
	const bool fin_sent = (conn->flags & TCP_CONN_FIN_SENT) != 0;

	if ((segment->flags & TCP_ACK) == 0)
		return 0;
	return FACT_IF(ACK_OK, acked + old <= in_flight + old) |
	       FACT_IF(ACK_NEW, acked - 1 < in_flight) |
	       FACT_IF(ACKS_FIN, fin_sent & (acked == in_flight));
}

static inline uint32_t
step_facts_of_segment(const struct tcp_conn *conn, const struct tcp_segment *segment,
		const struct tcp_env *env)
{
	const uint32_t window = env->rcv_wnd;
	const uint32_t length = tcp_segment_length(segment);
	const uint32_t data = segment->payload_length;
	const uint32_t offset = segment->seq - conn->rcv_nxt; /* Of the first byte from RCV.NXT. */
	const uint32_t fin_offset = offset + data;
	const bool gap = (int32_t)offset > 0;
	const bool at = offset == 0;
	const bool inside = offset < window;
	const bool last_inside = offset + length - 1 < window;
	const bool acceptable = length == 0 ? inside | (at & (window == 0)) : inside | last_inside;
	const bool new_data = !gap & (data != 0) & ((int32_t)fin_offset > 0) & (window != 0);
	const bool fin = (segment->flags & TCP_FIN) != 0;
	const bool syn = (segment->flags & TCP_SYN) != 0;
	const bool timed = (conn->flags & TCP_CONN_TIMESTAMPS) != 0;
	const bool timestamp = (segment->options & TCP_OPTION_TIMESTAMPS) != 0;
	const bool older = (int32_t)(segment->tsval - conn->ts_recent) < 0;
	uint32_t facts;

	facts = FACT_IF(TIMESTAMP_OK, !timed | timestamp) |
		FACT_IF(PAWS_OK, !(timed & timestamp & older)) | FACT_IF(ACCEPTABLE, acceptable) |
		FACT_IF(IN_WINDOW, inside) | FACT_IF(AT_RCV_NXT, at) |
		FACT_IF(WINDOW_CLOSED, at & (window == 0) & (length != 0)) |
		FACT_IF(HAS_DATA, data != 0) | FACT_IF(NEW_DATA, new_data) |
		FACT_IF(FIN_REACHED, fin & !gap & (fin_offset < window)) |
		FACT_IF(FIN_AGAIN, fin & (fin_offset == UINT32_MAX)) |
		FACT_IF(SYN_AGAIN, offset == UINT32_MAX - tcp_conn_syn_text(conn)) |
		FACT_IF(SYN_FIN, syn & fin) |
		FACT_IF(FAST_OPEN, env->fast_open & (data != 0) & (window != 0)) |
		FACT_IF(ACTIVE, (conn->flags & TCP_CONN_ACTIVE) != 0) |
		FACT_IF(ORPHAN, (conn->flags & TCP_CONN_ORPHAN) != 0) |
		FACT_IF(RFC1337, env->config->rfc1337);
	if (syn)
		facts |= FACT_IF(NEWER_SYN, step_is_newer_syn(conn, segment, env));
	return facts | step_facts_of_ack(conn, segment);
}

/* Whether the timer that ran out asks for a keep-alive probe (RFC 9293 3.8.4). */
static bool
step_is_keep_alive(const struct tcp_conn *conn, const struct tcp_config *config)
{
	return step_is_idle(conn) && config->keepalive_time_ms != 0 &&
	       conn->retries < config->keepalive_probes &&
	       step_next_probe_ms(config, conn->retries) < config->idle_timeout_ms;
}

static uint32_t
step_facts_of_timer(const struct tcp_conn *conn, const struct tcp_env *env)
{
	const struct tcp_config *config = env->config;
	const uint8_t limits[TCP_STATES] = {
			[TCP_SYN_SENT] = config->syn_retries,
			[TCP_SYN_RCVD] = config->synack_retries,
			[TCP_ESTABLISHED] = config->retries2,
			[TCP_CLOSE_WAIT] = config->retries2,
			[TCP_FIN_WAIT_1] = config->orphan_retries,
			[TCP_CLOSING] = config->orphan_retries,
			[TCP_LAST_ACK] = config->orphan_retries,
	};

	return FACT_IF(IN_FLIGHT, conn->snd_una != conn->snd_nxt) |
	       FACT_IF(PERSIST, (conn->flags & TCP_CONN_PERSIST) != 0) |
	       FACT_IF(KEEP_ALIVE, step_is_keep_alive(conn, config)) |
	       FACT_IF(RETRIES_LEFT, conn->retries < limits[conn->state]);
}

/* RFC 5927 4.1: who does not see our segments cannot quote one that is in flight. */
static uint32_t
step_facts_of_icmp(const struct tcp_conn *conn, const struct tcp_segment *quoted)
{
	return FACT_IF(QUOTED, quoted->seq - conn->snd_una < conn->snd_nxt - conn->snd_una) |
	       FACT_IF(ACTIVE, (conn->flags & TCP_CONN_ACTIVE) != 0);
}

static inline uint32_t
step_facts(const struct tcp_conn *conn, enum tcp_event event, const struct tcp_segment *segment,
		const struct tcp_env *env)
{
	if (likely(event <= TCP_EVENT_BARE))
		return step_facts_of_segment(conn, segment, env);
	if (event >= TCP_EVENT_UNREACHABLE)
		return step_facts_of_icmp(conn, segment);
	return step_facts_of_timer(conn, env);
}

/* Forget everything but what is not ours, and begin at ISS. */
static void
step_begin(struct tcp_conn *conn, uint32_t iss, const struct tcp_env *env)
{
	const struct tcp_config *config = env->config;

	*conn = (struct tcp_conn){
			.snd_una = iss,
			.snd_nxt = iss + 1,
			.srtt_8ms = (uint16_t)env->ts_clock,
			.rttvar_4ms = true,
			.timer_tick = conn->timer_tick,
			.flags = (uint16_t)((config->timestamps ? TCP_CONN_TIMESTAMPS : 0) |
					    (config->sack ? TCP_CONN_SACK : 0) |
					    (config->window_scaling ? TCP_CONN_WINDOW_SCALE : 0)),
	};
}

static void
step_open(struct tcp_conn *conn, const struct tcp_env *env)
{
	step_begin(conn, env->isn, env);
	conn->flags |= TCP_CONN_ACTIVE;
}

/* SND.WND as it came.  In a SYN it came unscaled (RFC 7323 2.2). */
static void
step_set_window(struct tcp_conn *conn, const struct tcp_segment *segment)
{
	const bool syn = (segment->flags & TCP_SYN) != 0;
	const uint16_t window = (uint16_t)(segment->window >> (syn ? conn->scales & 0xf : 0));
	const uint32_t log2 = rte_fls_u32(window | 1) - 1;

	conn->snd_wnd = window;
	if (log2 > conn->scales >> 4)
		conn->scales = (uint8_t)(log2 << 4 | (conn->scales & 0xf));
}

/* An option is used when both sides sent it: what we would use is in conn->flags. */
static void
step_negotiate(struct tcp_conn *conn, const struct tcp_segment *segment, const struct tcp_env *env)
{
	const uint8_t options = segment->options;
	uint16_t mss = (options & TCP_OPTION_MSS) != 0 ? segment->mss : env->default_mss;

	if ((options & TCP_OPTION_TIMESTAMPS) == 0)
		conn->flags &= (uint16_t)~TCP_CONN_TIMESTAMPS;
	if ((options & TCP_OPTION_SACK_PERMITTED) == 0)
		conn->flags &= (uint16_t)~TCP_CONN_SACK;
	if ((options & TCP_OPTION_WINDOW_SCALE) == 0)
		conn->flags &= (uint16_t)~TCP_CONN_WINDOW_SCALE;

	mss = RTE_MIN(mss, env->path_mss);
	mss = RTE_MAX(mss, STEP_MSS_MIN);
	if ((conn->flags & TCP_CONN_TIMESTAMPS) != 0) {
		mss -= STEP_TIMESTAMPS_BYTES;
		conn->ts_recent = segment->tsval;
	}
	conn->mss = mss;
	conn->scales = 0;
	if ((conn->flags & TCP_CONN_WINDOW_SCALE) != 0)
		conn->scales = RTE_MIN(segment->window_scale, STEP_WINDOW_SHIFT_MAX);
	conn->rcv_nxt = segment->seq + 1;
	conn->retries = 0;
	step_set_window(conn, segment);
}

static void
step_take_syn(struct tcp_conn *conn, const struct tcp_segment *segment, const struct tcp_env *env)
{
	const uint8_t setup = TCP_ECE | TCP_CWR; /* RFC 3168 6.1.1 */
	uint32_t iss = env->isn;

	/* RFC 9293 3.6.1: above every number that the last incarnation used. */
	if (conn->state == TCP_TIME_WAIT && tcp_seq_leq(iss, conn->snd_nxt))
		iss = conn->snd_nxt + STEP_REOPEN_DISTANCE;
	step_begin(conn, iss, env);
	if (env->config->ecn && (segment->flags & setup) == setup)
		conn->flags |= TCP_CONN_ECN;
	step_negotiate(conn, segment, env);
}

/* Of a SYN that TAKE_SYN has taken.  In front of its text is the SYN alone. */
static void
step_take_syn_text(struct tcp_conn *conn, const struct tcp_segment *segment,
		const struct tcp_env *env, struct tcp_action *action)
{
	const uint32_t room = RTE_MIN(env->rcv_wnd, (uint32_t)TCP_CONN_SYN_TEXT_MAX);

	action->take = (uint16_t)RTE_MIN(segment->payload_length, room);
	action->outcome |= TCP_OUTCOME_DATA;
	conn->rcv_nxt += action->take;
	conn->rttvar_4ms |= (uint16_t)(action->take << 1);
	conn->cwnd = env->config->initial_cwnd;
}

/* RFC 6298 2.2 and 2.3, with its fractions kept in the units of the fields. */
static void
step_take_rtt(struct tcp_conn *conn, uint32_t rtt_ms)
{
	uint32_t srtt_8ms = rtt_ms * 8;
	uint32_t rttvar_4ms = rtt_ms * 2;

	if (rtt_ms > STEP_RTT_MAX_MS)
		return;
	if ((conn->flags & TCP_CONN_RTT_MEASURED) != 0) {
		const uint32_t old_ms = conn->srtt_8ms >> 3;
		const uint32_t error_ms = old_ms > rtt_ms ? old_ms - rtt_ms : rtt_ms - old_ms;

		rttvar_4ms = conn->rttvar_4ms - (conn->rttvar_4ms >> 2) + error_ms;
		srtt_8ms = conn->srtt_8ms - old_ms + rtt_ms;
	}
	conn->srtt_8ms = (uint16_t)RTE_MIN(srtt_8ms, (uint32_t)UINT16_MAX);
	conn->rttvar_4ms = (uint16_t)RTE_MIN(rttvar_4ms, (uint32_t)UINT16_MAX);
	conn->flags |= TCP_CONN_RTT_MEASURED;
}

/* What a new ACK says about the round trip: by timestamps, or once by the handshake alone. */
static void
step_measure_rtt(
		struct tcp_conn *conn, const struct tcp_segment *segment, const struct tcp_env *env)
{
	const bool handshake = conn->state < TCP_ESTABLISHED;

	/* RFC 6298 5.7: the RTO is to begin at 3 s, whatever this round trip took. */
	if (handshake && (conn->flags & TCP_CONN_SYN_RETRANSMITTED) != 0)
		return;
	if ((conn->flags & TCP_CONN_TIMESTAMPS) != 0)
		step_take_rtt(conn, env->ts_clock - segment->tsecr);
	else if (handshake && (conn->rttvar_4ms & 1) != 0)
		step_take_rtt(conn, (uint16_t)(env->ts_clock - conn->srtt_8ms));
}

/* RFC 5681 2: what counts as a duplicate.  @return whether this is the third. */
static bool
step_is_third_duplicate(struct tcp_conn *conn, const struct tcp_segment *segment)
{
	const uint16_t count = conn->flags & TCP_CONN_DUP_ACKS;

	if (segment->payload_length != 0 || (segment->flags & TCP_FIN) != 0 ||
			segment->ack != conn->snd_una || conn->snd_una == conn->snd_nxt ||
			segment->window != conn->snd_wnd || count == TCP_CONN_DUP_ACKS)
		return false;
	conn->flags += 1 << TCP_CONN_DUP_ACKS_SHIFT;
	return (conn->flags & TCP_CONN_DUP_ACKS) == TCP_CONN_DUP_ACKS;
}

/* Our FIN has arrived: there is nothing more to send, whatever the window. */
static bool
step_is_all_acked(const struct tcp_conn *conn)
{
	return (conn->flags & TCP_CONN_FIN_SENT) != 0 && conn->snd_una == conn->snd_nxt;
}

/* @return enum tcp_outcome bits */
static uint8_t
step_take_ack(struct tcp_conn *conn, const struct tcp_segment *segment, const struct tcp_env *env)
{
	const uint32_t acked = segment->ack - conn->snd_una;
	const uint16_t window = conn->snd_wnd;
	uint8_t outcome = 0;

	/* Whatever it says, the peer is there: what retries counted was keep-alive probes. */
	if (step_is_idle(conn))
		conn->retries = 0;
	/* "If the ACK is a duplicate (SEG.ACK =< SND.UNA), it can be ignored": the old ones. */
	if (acked > conn->snd_nxt - conn->snd_una)
		return 0;
	if (acked != 0) {
		step_measure_rtt(conn, segment, env);
		outcome = TCP_OUTCOME_ACKED;
		conn->snd_una = segment->ack;
		conn->retries = 0;
		conn->flags &= (uint16_t)~TCP_CONN_DUP_ACKS;
		if (conn->snd_una == conn->snd_nxt)
			conn->flags &= (uint16_t)~TCP_CONN_RETRANSMIT;
	} else if (step_is_third_duplicate(conn, segment)) {
		conn->flags |= TCP_CONN_RETRANSMIT;
		outcome = TCP_OUTCOME_OUTPUT;
	}
	/*
	 * SND.WL1 and SND.WL2 are not kept: SEG.ACK is in order here, and an acceptable segment
	 * with an old SEG.SEQ is a retransmission, whose window is of today.
	 */
	step_set_window(conn, segment);
	if (conn->snd_wnd != window && !step_is_all_acked(conn))
		outcome |= TCP_OUTCOME_OUTPUT;
	if ((conn->flags & TCP_CONN_PERSIST) != 0) {
		const uint8_t answered = env->config->retries2 / 2;

		/* RFC 9293 3.8.6.1: while probes are answered their interval grows, but no end. */
		conn->retries = conn->snd_wnd == 0 ? RTE_MIN(conn->retries, answered) : 0;
		outcome |= TCP_OUTCOME_OUTPUT;
	}
	/* What acknowledges our SYN is told as TCP_OUTCOME_OPENED. */
	return conn->state >= TCP_ESTABLISHED ? outcome : 0;
}

/* RFC 7323 4.3 (2).  Every text is acknowledged at once, so Last.ACK.sent is RCV.NXT. */
static void
step_take_timestamp(struct tcp_conn *conn, const struct tcp_segment *segment)
{
	if ((conn->flags & TCP_CONN_TIMESTAMPS) != 0 &&
			(segment->options & TCP_OPTION_TIMESTAMPS) != 0 &&
			tcp_seq_leq(segment->seq, conn->rcv_nxt) &&
			tcp_seq_leq(conn->ts_recent, segment->tsval))
		conn->ts_recent = segment->tsval;
}

/* Only where NEW_DATA or FIN_REACHED holds: SEG.SEQ is at or before RCV.NXT. */
static void
step_take_data(struct tcp_conn *conn, const struct tcp_segment *segment, const struct tcp_env *env,
		struct tcp_action *action)
{
	const uint32_t skip = conn->rcv_nxt - segment->seq;

	if (segment->payload_length <= skip)
		return;
	action->skip = (uint16_t)skip;
	action->take = (uint16_t)RTE_MIN(segment->payload_length - skip, env->rcv_wnd);
	action->outcome |= TCP_OUTCOME_DATA;
	conn->rcv_nxt += action->take;
}

static void
step_back_off(struct tcp_conn *conn)
{
	conn->retries++;
	conn->flags &= (uint16_t)~TCP_CONN_DUP_ACKS;
	if (conn->state < TCP_ESTABLISHED) {
		conn->flags |= TCP_CONN_SYN_RETRANSMITTED;
		return;
	}
	/* The timer that ran out is to be set again, whether or not output finds work. */
	conn->flags |= TCP_CONN_TIMER_DUE;
	if (conn->snd_una != conn->snd_nxt)
		conn->flags |= TCP_CONN_RETRANSMIT;
}

/* RFC 1191 6.3, RFC 8201 5.2: never up, and not below what we take from a SYN. */
static void
step_lower_mss(struct tcp_conn *conn, const struct tcp_segment *quoted)
{
	uint16_t mss = RTE_MAX(quoted->mss, STEP_MSS_MIN);

	if ((conn->flags & TCP_CONN_TIMESTAMPS) != 0)
		mss -= STEP_TIMESTAMPS_BYTES;
	if (mss >= conn->mss)
		return;
	conn->mss = mss;
	if (conn->state >= TCP_ESTABLISHED)
		conn->flags |= TCP_CONN_RETRANSMIT;
}

/* In the order of the list in tcp_rules.h. */
static void
step_apply(struct tcp_conn *conn, uint16_t effects, const struct tcp_segment *segment,
		const struct tcp_env *env, struct tcp_action *action)
{
	if ((effects & TCP_EFFECT_OPEN) != 0)
		step_open(conn, env);
	if ((effects & TCP_EFFECT_TAKE_SYN) != 0)
		step_take_syn(conn, segment, env);
	if ((effects & TCP_EFFECT_NEGOTIATE) != 0)
		step_negotiate(conn, segment, env);
	if ((effects & TCP_EFFECT_TAKE_SYN_TEXT) != 0)
		step_take_syn_text(conn, segment, env, action);
	if ((effects & TCP_EFFECT_TAKE_ACK) != 0)
		action->outcome |= step_take_ack(conn, segment, env);
	if ((effects & TCP_EFFECT_TAKE_TIMESTAMP) != 0)
		step_take_timestamp(conn, segment);
	if ((effects & TCP_EFFECT_TAKE_DATA) != 0)
		step_take_data(conn, segment, env, action);
	if ((effects & TCP_EFFECT_TAKE_FIN) != 0) {
		conn->rcv_nxt++;
		action->outcome |= TCP_OUTCOME_PEER_FIN;
	}
	if ((effects & TCP_EFFECT_SEND_FIN) != 0) {
		conn->snd_nxt++;
		conn->flags |= TCP_CONN_FIN_SENT;
	}
	if ((effects & TCP_EFFECT_BACK_OFF) != 0)
		step_back_off(conn);
	if ((effects & TCP_EFFECT_ASK_AGAIN) != 0)
		conn->retries++;
	if ((effects & TCP_EFFECT_FORGET_RTT) != 0)
		conn->rttvar_4ms &= (uint16_t)~1;
	if ((effects & TCP_EFFECT_LOWER_MSS) != 0)
		step_lower_mss(conn, segment);
}

static void
step_set_timer(struct tcp_action *action, uint32_t delay_ms)
{
	action->timer = TCP_TIMER_SET;
	action->delay_ms = delay_ms;
}

/* @param una  SND.UNA before the event. */
static void
step_timer(const struct tcp_conn *conn, enum tcp_rule_timer timer, uint32_t una,
		const struct tcp_config *config, struct tcp_action *action)
{
	switch (timer) {
	case TCP_RULE_TIMER_KEEP:
	case TCP_RULE_TIMERS:
		break;
	case TCP_RULE_TIMER_STOP:
		action->timer = TCP_TIMER_STOP;
		break;
	case TCP_RULE_TIMER_RETRY:
		step_set_timer(action, tcp_step_rto_ms(conn, config));
		break;
	case TCP_RULE_TIMER_HEARD:
		if (step_is_idle(conn))
			step_set_timer(action, tcp_step_idle_ms(conn, config));
		else if (conn->snd_una != conn->snd_nxt && conn->snd_una != una)
			step_set_timer(action, tcp_step_rto_ms(conn, config));
		break;
	case TCP_RULE_TIMER_IDLE:
		step_set_timer(action, tcp_step_idle_ms(conn, config));
		break;
	case TCP_RULE_TIMER_FIN_WAIT:
		step_set_timer(action, config->fin_timeout_ms);
		break;
	case TCP_RULE_TIMER_TIME_WAIT:
		step_set_timer(action, config->time_wait_ms);
		break;
	}
}

struct tcp_action
tcp_step(struct tcp_conn *conn, enum tcp_event event, const struct tcp_segment *segment,
		const struct tcp_env *env)
{
	const uint32_t una = conn->snd_una;
	unsigned int row = tcp_rules_cell[conn->state][event];
	const struct tcp_rule *rule;
	struct tcp_action action;

	/* Of most strangers (LISTEN, CLOSED) no facts are asked: a flood of them costs less. */
	if (tcp_rules[row].when != 0) {
		const uint32_t facts = step_facts(conn, event, segment, env);
		const uint64_t failing = (uint64_t)facts << 32 | (uint32_t)~facts;

		while ((tcp_rules[row].when & failing) != 0)
			row++;
	}
	rule = &tcp_rules[row];
	action = (struct tcp_action){
			.rule = (uint16_t)row,
			.send = rule->send,
			.outcome = rule->outcome,
			.drop = rule->refusal,
	};
	step_apply(conn, rule->effects, segment, env, &action);
	if (rule->next_state != TCP_RULES_SAME)
		conn->state = rule->next_state;
	step_timer(conn, (enum tcp_rule_timer)rule->timer, una, env->config, &action);
	return action;
}
