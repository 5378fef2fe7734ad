/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef PREDICT_H
#define PREDICT_H

/**
 * @file
 * The steps that a connection of the generator takes when all goes well, without asking the TCP
 * machine: opening, the SYN,ACK that answers, requests and their answers, closing behind them, and
 * the peer's FIN.
 *
 * Each function does what tcp_step() and tcp_output would do, bit by bit, or says that it cannot
 * and has changed nothing.  They hold for connections that lost nothing so far; that is what makes
 * the machine's facts known beforehand.  test_predict.c runs both over random connections and
 * segments and compares.
 */

#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>

#include "tcp/tcp_effect.h"
#include "tcp/tcp_output.h"
#include "tcp/tcp_step.h"

/* Eight times that still fits where SRTT is kept. */
#define PREDICT_RTT_MAX_MS 8000

/** What must not have happened to a connection whose steps are predicted. */
#define PREDICT_TROUBLES                                                                   \
	(TCP_CONN_SACK | TCP_CONN_ECN | TCP_CONN_SYN_RETRANSMITTED | TCP_CONN_RETRANSMIT | \
			TCP_CONN_RECOVERY | TCP_CONN_PERSIST | TCP_CONN_ORPHAN |           \
			TCP_CONN_DUP_ACKS | TCP_CONN_TIMER_DUE | TCP_CONN_ACK_DUE)

/** Whether steps can be predicted at all. */
static inline bool
predict_is_possible(const struct tcp_config *config)
{
	return !config->sack && config->initial_cwnd > 0;
}

/** TCP_EVENT_OPEN, from CLOSED. */
static inline void
predict_begin(struct tcp_conn *conn, const struct tcp_env *env)
{
	tcp_effect_begin(conn, env->isn, env);
	conn->flags |= TCP_CONN_ACTIVE;
	conn->state = TCP_SYN_SENT;
}

/** The RTO of a connection whose only round trip was its handshake, without timeouts. */
static inline uint32_t
predict_rto_ms(const struct tcp_conn *conn, const struct tcp_config *config)
{
	uint32_t rto_ms = (conn->srtt_8ms >> 3) + RTE_MAX(conn->rttvar_4ms, 1);

	rto_ms = RTE_MAX(rto_ms, config->rto_min_ms);
	return RTE_MIN(rto_ms, config->rto_max_ms);
}

/** Whether the segment's timestamp is one that the connection can take (RFC 7323 3.2 and 5.3). */
static inline bool
predict_is_timely(const struct tcp_conn *conn, const struct tcp_segment *segment)
{
	return likely((conn->flags & TCP_CONN_TIMESTAMPS) == 0) ||
	       ((segment->options & TCP_OPTION_TIMESTAMPS) != 0 &&
			       (int32_t)(segment->tsval - conn->ts_recent) >= 0);
}

/** What the timestamp says: TS.Recent, and the round trip of what was acknowledged. */
static inline void
predict_take_timestamp(struct tcp_conn *conn, const struct tcp_segment *segment,
		const struct tcp_env *env, uint32_t acked)
{
	if (likely((conn->flags & TCP_CONN_TIMESTAMPS) == 0))
		return;
	if (acked != 0)
		tcp_effect_take_rtt(conn, env->ts_clock - segment->tsecr);
	conn->ts_recent = segment->tsval;
}

/**
 * TCP_EVENT_SYN_ACK in SYN_SENT, and tcp_output_open().
 *
 * @return false: not as predicted.
 */
static inline bool
predict_open(struct tcp_conn *conn, const struct tcp_segment *segment, const struct tcp_env *env)
{
	const bool timed = (conn->flags & TCP_CONN_TIMESTAMPS) != 0 &&
			   (segment->options & TCP_OPTION_TIMESTAMPS) != 0;
	const uint32_t rtt_ms = timed ? env->ts_clock - segment->tsecr
				      : (uint16_t)(env->ts_clock - conn->srtt_8ms);
	const bool scaled = (conn->flags & TCP_CONN_WINDOW_SCALE) != 0 &&
			    (segment->options & TCP_OPTION_WINDOW_SCALE) != 0;
	const uint8_t shift =
			scaled ? RTE_MIN(segment->window_scale, TCP_EFFECT_WINDOW_SHIFT_MAX) : 0;
	const uint16_t window = (uint16_t)(segment->window >> shift);
	uint16_t mss = (segment->options & TCP_OPTION_MSS) != 0 ? segment->mss : env->default_mss;

	if (unlikely(conn->state != TCP_SYN_SENT || segment->ack != conn->snd_nxt ||
			    (conn->flags & PREDICT_TROUBLES) != 0 || conn->rttvar_4ms != 1 ||
			    window == 0 || rtt_ms > PREDICT_RTT_MAX_MS))
		return false;
	mss = RTE_MIN(mss, env->path_mss);
	mss = RTE_MAX(mss, TCP_EFFECT_MSS_MIN);
	conn->mss = timed ? mss - TCP_EFFECT_TIMESTAMPS_BYTES : mss;
	if (timed)
		conn->ts_recent = segment->tsval;
	else
		conn->flags &= (uint16_t)~TCP_CONN_TIMESTAMPS;
	conn->snd_una = segment->ack;
	conn->rcv_nxt = segment->seq + 1;
	conn->srtt_8ms = (uint16_t)(rtt_ms * 8);
	conn->rttvar_4ms = (uint16_t)(rtt_ms * 2);
	conn->flags |= TCP_CONN_RTT_MEASURED;
	if (!scaled)
		conn->flags &= (uint16_t)~TCP_CONN_WINDOW_SCALE;
	conn->scales = shift;
	conn->retries = 0;
	conn->cwnd = env->config->initial_cwnd;
	tcp_effect_set_window(conn, segment);
	conn->state = TCP_ESTABLISHED;
	return true;
}

/** tcp_output_next() right after predict_open(): a FIN, and nothing before it. */
static inline void
predict_close(struct tcp_conn *conn)
{
	conn->snd_nxt++;
	conn->flags |= TCP_CONN_FIN_SENT;
	conn->state = TCP_FIN_WAIT_1;
}

/**
 * tcp_output_next() right after predict_open(): so much text in one segment, and no FIN.
 *
 * @return false: it does not fit.
 */
static inline bool
predict_send(struct tcp_conn *conn, uint32_t length)
{
	if (length > conn->mss || length > (uint32_t)conn->snd_wnd << (conn->scales & 0xf))
		return false;
	conn->snd_nxt += length;
	return true;
}

/**
 * TCP_EVENT_FIN without text in FIN_WAIT_1 or FIN_WAIT_2, when it acknowledges our FIN: on to
 * TIME_WAIT.
 *
 * @return false: not as predicted.
 */
static inline bool
predict_finish(struct tcp_conn *conn, const struct tcp_segment *segment, const struct tcp_env *env)
{
	if (unlikely((conn->state != TCP_FIN_WAIT_1 && conn->state != TCP_FIN_WAIT_2) ||
			    segment->seq != conn->rcv_nxt || segment->ack != conn->snd_nxt ||
			    segment->payload_length != 0 || env->rcv_wnd == 0 ||
			    (conn->flags & PREDICT_TROUBLES) != 0 ||
			    !predict_is_timely(conn, segment)))
		return false;
	predict_take_timestamp(conn, segment, env, segment->ack - conn->snd_una);
	conn->snd_una = segment->ack;
	conn->rcv_nxt++;
	conn->retries = 0;
	tcp_effect_set_window(conn, segment);
	conn->state = TCP_TIME_WAIT;
	return true;
}

/**
 * TCP_EVENT_FIN with the peer's last text in ESTABLISHED, when it acknowledges all we said, then
 * tcp_output_react() and tcp_output_next(): our FIN, which acknowledges it; LAST_ACK.
 *
 * @param ssthresh
 *   The sender's.
 * @return false: not as predicted.
 */
static inline bool
predict_answer(struct tcp_conn *conn, const struct tcp_segment *segment, const struct tcp_env *env,
		uint8_t ssthresh)
{
	if (unlikely(conn->state != TCP_ESTABLISHED || segment->seq != conn->rcv_nxt ||
			    segment->ack != conn->snd_nxt || conn->snd_una == conn->snd_nxt ||
			    segment->payload_length >= env->rcv_wnd || segment->window == 0 ||
			    conn->cwnd >= ssthresh || (conn->flags & PREDICT_TROUBLES) != 0 ||
			    !predict_is_timely(conn, segment)))
		return false;
	predict_take_timestamp(conn, segment, env, 1);
	conn->snd_una = segment->ack;
	conn->snd_nxt++;
	conn->rcv_nxt += segment->payload_length + 1u;
	conn->retries = 0;
	conn->cwnd++;
	conn->flags |= TCP_CONN_FIN_SENT;
	tcp_effect_set_window(conn, segment);
	conn->state = TCP_LAST_ACK;
	return true;
}

/**
 * TCP_EVENT_ACK with text in ESTABLISHED, when it acknowledges all we said, then tcp_output_react()
 * and tcp_output_next(): so much text in one segment, or our FIN, either of which acknowledges it.
 *
 * @param length
 *   0: a FIN.
 * @param sender
 *   What the connection has of it.
 * @return false: not as predicted.
 */
static inline bool
predict_go_on(struct tcp_conn *conn, const struct tcp_segment *segment, const struct tcp_env *env,
		uint32_t length, struct tcp_sender *sender)
{
	const uint32_t window = (uint32_t)segment->window << (conn->scales & 0xf);

	if (unlikely(conn->state != TCP_ESTABLISHED || segment->seq != conn->rcv_nxt ||
			    segment->ack != conn->snd_nxt || conn->snd_una == conn->snd_nxt ||
			    segment->payload_length == 0 ||
			    segment->payload_length >= env->rcv_wnd || window == 0 ||
			    length > window || length > conn->mss ||
			    sender->ssthresh != UINT8_MAX ||
			    (conn->flags & PREDICT_TROUBLES) != 0 ||
			    !predict_is_timely(conn, segment)))
		return false;
	predict_take_timestamp(conn, segment, env, 1);
	if (conn->cwnd < UINT8_MAX)
		conn->cwnd++;
	else if ((int32_t)(segment->ack - sender->recover) >= 0)
		sender->recover = segment->ack + 1;
	conn->snd_una = segment->ack;
	conn->rcv_nxt += segment->payload_length;
	conn->retries = 0;
	tcp_effect_set_window(conn, segment);
	conn->snd_nxt += length;
	if (length == 0)
		predict_close(conn);
	return true;
}

/** Whether TCP_EVENT_ACK acknowledges our FIN in LAST_ACK, and so ends the connection. */
static inline bool
predict_is_last_ack(const struct tcp_conn *conn, const struct tcp_segment *segment,
		const struct tcp_env *env)
{
	return conn->state == TCP_LAST_ACK && segment->seq == conn->rcv_nxt &&
	       segment->ack == conn->snd_nxt && segment->payload_length == 0 && env->rcv_wnd > 0 &&
	       (conn->flags & PREDICT_TROUBLES) == 0 && predict_is_timely(conn, segment);
}

#endif /* PREDICT_H */
