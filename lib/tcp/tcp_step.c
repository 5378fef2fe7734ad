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

#include "tcp/tcp_effect.h"
#include "tcp/tcp_rules.h"
#include "tcp/tcp_seq.h"
#include "tcp/tcp_step.h"

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
	return tcp_effect_rto_ms(conn, config);
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
	return tcp_effect_is_idle(conn) && config->keepalive_time_ms != 0 &&
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
	/* RFC 9293 3.8.6.1, MUST-36: who may repeat nothing still asks a closed window. */
	const uint8_t probes = (conn->flags & TCP_CONN_PERSIST) != 0;

	return FACT_IF(IN_FLIGHT, conn->snd_una != conn->snd_nxt) |
	       FACT_IF(PERSIST, (conn->flags & TCP_CONN_PERSIST) != 0) |
	       FACT_IF(KEEP_ALIVE, step_is_keep_alive(conn, config)) |
	       FACT_IF(RETRIES_LEFT, conn->retries < RTE_MAX(limits[conn->state], probes));
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

static void
step_open(struct tcp_conn *conn, const struct tcp_env *env)
{
	tcp_effect_begin(conn, env->isn, env);
	conn->flags |= TCP_CONN_ACTIVE;
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

/* @return enum tcp_outcome bits */
static uint8_t
step_take_ack(struct tcp_conn *conn, const struct tcp_segment *segment, const struct tcp_env *env)
{
	const uint32_t acked = segment->ack - conn->snd_una;
	const uint16_t window = conn->snd_wnd;
	uint8_t outcome = 0;

	/* Whatever it says, the peer is there: what retries counted was keep-alive probes. */
	if (tcp_effect_is_idle(conn))
		conn->retries = 0;
	/* "If the ACK is a duplicate (SEG.ACK =< SND.UNA), it can be ignored": the old ones. */
	if (acked > conn->snd_nxt - conn->snd_una)
		return 0;
	if (acked != 0) {
		tcp_effect_measure_rtt(conn, segment, env);
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
	tcp_effect_set_window(conn, segment);
	if (conn->snd_wnd != window && !tcp_effect_is_all_acked(conn))
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
	uint16_t mss = RTE_MAX(quoted->mss, TCP_EFFECT_MSS_MIN);

	if ((conn->flags & TCP_CONN_TIMESTAMPS) != 0)
		mss -= TCP_EFFECT_TIMESTAMPS_BYTES;
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
		tcp_effect_take_syn(conn, segment, env);
	if ((effects & TCP_EFFECT_NEGOTIATE) != 0)
		tcp_effect_negotiate(conn, segment, env);
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
	tcp_effect_timer(conn, (enum tcp_rule_timer)rule->timer, una, env->config, &action);
	return action;
}
