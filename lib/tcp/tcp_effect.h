/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TCP_EFFECT_H
#define TCP_EFFECT_H

/**
 * @file
 * What segments do to a connection, in line: for the machine (tcp_step.c), whose table says when,
 * and for the short way of the segments that are expected (tcp_expect.c).
 */

#include <rte_bitops.h>
#include <rte_branch_prediction.h>
#include <rte_common.h>

#include "tcp/tcp_rules.h"
#include "tcp/tcp_seq.h"
#include "tcp/tcp_step.h"

#define TCP_EFFECT_RTO_INITIAL_MS     1000  /* RFC 6298 2.1 */
#define TCP_EFFECT_RTO_RETRIED_SYN_MS 3000  /* RFC 6298 5.7 */
#define TCP_EFFECT_RTT_MAX_MS         60000 /* What is longer was not measured with our clock. */
#define TCP_EFFECT_WINDOW_SHIFT_MAX   14    /* RFC 7323 2.3 */
#define TCP_EFFECT_MSS_MIN            48    /* Below, a peer could make us send headers only. */
#define TCP_EFFECT_TIMESTAMPS_BYTES   12    /* With two NOPs (RFC 7323 appendix A). */
/* How far beyond the old SND.NXT a new incarnation begins if its clock is not beyond already. */
#define TCP_EFFECT_REOPEN_DISTANCE (UINT16_MAX + 1)

/* Nothing is in flight, and nothing is held back by the window. */
static inline bool
tcp_effect_is_idle(const struct tcp_conn *conn)
{
	return conn->snd_una == conn->snd_nxt && (conn->flags & TCP_CONN_PERSIST) == 0;
}

/* Forget everything but what is not ours, and begin at ISS. */
static inline void
tcp_effect_begin(struct tcp_conn *conn, uint32_t iss, const struct tcp_env *env)
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

/* SND.WND as it came.  In a SYN it came unscaled (RFC 7323 2.2). */
static inline void
tcp_effect_set_window(struct tcp_conn *conn, const struct tcp_segment *segment)
{
	const bool syn = (segment->flags & TCP_SYN) != 0;
	const uint16_t window = (uint16_t)(segment->window >> (syn ? conn->scales & 0xf : 0));
	const uint32_t log2 = rte_fls_u32(window | 1) - 1;

	conn->snd_wnd = window;
	if (log2 > conn->scales >> 4)
		conn->scales = (uint8_t)(log2 << 4 | (conn->scales & 0xf));
}

/* An option is used when both sides sent it: what we would use is in conn->flags. */
static inline void
tcp_effect_negotiate(
		struct tcp_conn *conn, const struct tcp_segment *segment, const struct tcp_env *env)
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
	mss = RTE_MAX(mss, TCP_EFFECT_MSS_MIN);
	if ((conn->flags & TCP_CONN_TIMESTAMPS) != 0) {
		mss -= TCP_EFFECT_TIMESTAMPS_BYTES;
		conn->ts_recent = segment->tsval;
	}
	conn->mss = mss;
	conn->scales = 0;
	if ((conn->flags & TCP_CONN_WINDOW_SCALE) != 0)
		conn->scales = RTE_MIN(segment->window_scale, TCP_EFFECT_WINDOW_SHIFT_MAX);
	conn->rcv_nxt = segment->seq + 1;
	conn->retries = 0;
	tcp_effect_set_window(conn, segment);
}

static inline void
tcp_effect_take_syn(
		struct tcp_conn *conn, const struct tcp_segment *segment, const struct tcp_env *env)
{
	const uint8_t setup = TCP_ECE | TCP_CWR; /* RFC 3168 6.1.1 */
	uint32_t iss = env->isn;

	/* RFC 9293 3.6.1: above every number that the last incarnation used. */
	if (conn->state == TCP_TIME_WAIT && tcp_seq_leq(iss, conn->snd_nxt))
		iss = conn->snd_nxt + TCP_EFFECT_REOPEN_DISTANCE;
	tcp_effect_begin(conn, iss, env);
	if (env->config->ecn && (segment->flags & setup) == setup)
		conn->flags |= TCP_CONN_ECN;
	tcp_effect_negotiate(conn, segment, env);
}

/* RFC 6298 2.2 and 2.3, with its fractions kept in the units of the fields. */
static inline void
tcp_effect_take_rtt(struct tcp_conn *conn, uint32_t rtt_ms)
{
	uint32_t srtt_8ms = rtt_ms * 8;
	uint32_t rttvar_4ms = rtt_ms * 2;

	if (rtt_ms > TCP_EFFECT_RTT_MAX_MS)
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
static inline void
tcp_effect_measure_rtt(
		struct tcp_conn *conn, const struct tcp_segment *segment, const struct tcp_env *env)
{
	const bool handshake = conn->state < TCP_ESTABLISHED;

	/* RFC 6298 5.7: the RTO is to begin at 3 s, whatever this round trip took. */
	if (handshake && (conn->flags & TCP_CONN_SYN_RETRANSMITTED) != 0)
		return;
	if ((conn->flags & TCP_CONN_TIMESTAMPS) != 0)
		tcp_effect_take_rtt(conn, env->ts_clock - segment->tsecr);
	else if (handshake && (conn->rttvar_4ms & 1) != 0)
		tcp_effect_take_rtt(conn, (uint16_t)(env->ts_clock - conn->srtt_8ms));
}

/* Our FIN has arrived: there is nothing more to send, whatever the window. */
static inline bool
tcp_effect_is_all_acked(const struct tcp_conn *conn)
{
	return (conn->flags & TCP_CONN_FIN_SENT) != 0 && conn->snd_una == conn->snd_nxt;
}

/* tcp_step_rto_ms() */
static inline uint32_t
tcp_effect_rto_ms(const struct tcp_conn *conn, const struct tcp_config *config)
{
	const uint32_t variance_ms = RTE_MAX(conn->rttvar_4ms, 1); /* Four times RTTVAR, or G. */
	uint64_t rto_ms = TCP_EFFECT_RTO_INITIAL_MS;

	if ((conn->flags & TCP_CONN_RTT_MEASURED) != 0)
		rto_ms = RTE_MAX((conn->srtt_8ms >> 3) + variance_ms, config->rto_min_ms);
	else if ((conn->flags & TCP_CONN_SYN_RETRANSMITTED) != 0 && conn->state >= TCP_ESTABLISHED)
		rto_ms = TCP_EFFECT_RTO_RETRIED_SYN_MS;
	rto_ms <<= RTE_MIN(conn->retries, 32);
	return (uint32_t)RTE_MIN(rto_ms, config->rto_max_ms);
}

/* tcp_step_idle_ms(), of a connection that was sent no probes in line. */
static inline uint32_t
tcp_effect_idle_ms(const struct tcp_conn *conn, const struct tcp_config *config)
{
	if (unlikely(conn->retries != 0))
		return tcp_step_idle_ms(conn, config);
	if (config->keepalive_time_ms == 0)
		return config->idle_timeout_ms;
	return RTE_MIN(config->keepalive_time_ms, config->idle_timeout_ms);
}

static inline void
tcp_effect_set_timer(struct tcp_action *action, uint32_t delay_ms)
{
	action->timer = TCP_TIMER_SET;
	action->delay_ms = delay_ms;
}

/* @param una  SND.UNA before the event. */
static inline void
tcp_effect_timer(const struct tcp_conn *conn, enum tcp_rule_timer timer, uint32_t una,
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
		tcp_effect_set_timer(action, tcp_effect_rto_ms(conn, config));
		break;
	case TCP_RULE_TIMER_HEARD:
		if (tcp_effect_is_idle(conn))
			tcp_effect_set_timer(action, tcp_effect_idle_ms(conn, config));
		else if (conn->snd_una != conn->snd_nxt && conn->snd_una != una)
			tcp_effect_set_timer(action, tcp_effect_rto_ms(conn, config));
		break;
	case TCP_RULE_TIMER_IDLE:
		tcp_effect_set_timer(action, tcp_effect_idle_ms(conn, config));
		break;
	case TCP_RULE_TIMER_FIN_WAIT:
		tcp_effect_set_timer(action, config->fin_timeout_ms);
		break;
	case TCP_RULE_TIMER_TIME_WAIT:
		tcp_effect_set_timer(action, config->time_wait_ms);
		break;
	}
}

#endif /* TCP_EFFECT_H */
