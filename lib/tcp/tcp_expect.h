/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TCP_EXPECT_H
#define TCP_EXPECT_H

/**
 * @file
 * The segments that everybody waits for, the short way: what a connection that loses nothing
 * consists of.
 *
 * tcp_step() asks for all facts, then for the row.  Of a segment that is exactly what the state
 * waits for the row is known, and what it does is little.  That decides nothing: the rows are those
 * of the table (tcp_rules_expected), what is done is tcp_effect.h's, and where anything is unusual,
 * loss, a closed window, probes, the answer is no and tcp_step() is asked.  Connection and action
 * are the same either way, to the last bit, which is tested (tests/unit/test_tcp_expect.c).
 *
 * In line, since it is done for nearly every segment there is.
 */

#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>

#include "tcp/tcp_effect.h"
#include "tcp/tcp_output.h"
#include "tcp/tcp_rules.h"

/** What has not to do with the segments that are expected. */
#define TCP_EXPECT_UNUSUAL (TCP_CONN_PERSIST | TCP_CONN_RETRANSMIT)

/** Whether SEG.ACK is what the state waits for. */
static inline bool
tcp_expect_ack(const struct tcp_conn *conn, uint32_t acked, bool has_length)
{
	const uint32_t in_flight = conn->snd_nxt - conn->snd_una;

	if (conn->state == TCP_ESTABLISHED) /* Else it may be a duplicate. */
		return acked <= in_flight && (acked != 0 || in_flight == 0 || has_length);
	if (conn->state == TCP_SYN_RCVD) /* And no text came with the SYN, or went out since. */
		return acked == 1 && in_flight == 1 && conn->rttvar_4ms <= 1;
	return acked == in_flight && (conn->flags & TCP_CONN_FIN_SENT) != 0;
}

/** RFC 7323 3.2 and 5.3. */
static inline bool
tcp_expect_timestamp(const struct tcp_conn *conn, const struct tcp_segment *segment)
{
	if ((conn->flags & TCP_CONN_TIMESTAMPS) == 0)
		return true;
	return (segment->options & TCP_OPTION_TIMESTAMPS) != 0 &&
	       (int32_t)(segment->tsval - conn->ts_recent) >= 0;
}

/** TAKE_HEADER. @return enum tcp_outcome bits */
static inline uint8_t
tcp_expect_take_header(struct tcp_conn *conn, const struct tcp_segment *segment, uint32_t acked,
		const struct tcp_env *env)
{
	uint8_t outcome = 0;

	if (acked != 0) {
		tcp_effect_measure_rtt(conn, segment, env);
		conn->snd_una += acked;
		conn->flags &= (uint16_t)~TCP_CONN_DUP_ACKS;
		conn->retries = 0;
		outcome = TCP_OUTCOME_ACKED;
	} else if (conn->snd_una == conn->snd_nxt) {
		conn->retries = 0;
	}
	if (conn->snd_wnd != segment->window && !tcp_effect_is_all_acked(conn))
		outcome |= TCP_OUTCOME_OUTPUT;
	tcp_effect_set_window(conn, segment);
	if ((conn->flags & TCP_CONN_TIMESTAMPS) != 0)
		conn->ts_recent = segment->tsval;
	return conn->state >= TCP_ESTABLISHED ? outcome : 0;
}

/**
 * Let a segment happen that is the next one of a connection which goes as it should.
 *
 * @param conn
 *   In one of the states of the machine.
 * @param env
 *   rcv_wnd may be any for a segment without text and FIN.
 * @param action
 *   Becomes what tcp_step() would return.
 * @return false when it is not that segment; then nothing has happened.
 */
static inline bool
tcp_expect(struct tcp_conn *conn, const struct tcp_segment *segment, const struct tcp_env *env,
		struct tcp_action *action)
{
	const uint8_t control = segment->flags & (TCP_SYN | TCP_RST | TCP_ACK | TCP_FIN);
	const uint32_t data = segment->payload_length, fin = control & TCP_FIN, length = data + fin;
	const unsigned int row = tcp_rules_expected[conn->state][fin << 1 | (data != 0)];
	const struct tcp_rule *rule = &tcp_rules[row];
	const uint32_t una = conn->snd_una, acked = segment->ack - una;
	uint8_t outcome;

	if (unlikely(row == 0 || (control | TCP_FIN) != (TCP_ACK | TCP_FIN) ||
			    segment->seq != conn->rcv_nxt ||
			    (length > env->rcv_wnd && length != 0) ||
			    (conn->flags & TCP_EXPECT_UNUSUAL) != 0 ||
			    !tcp_expect_ack(conn, acked, length != 0) ||
			    !tcp_expect_timestamp(conn, segment)))
		return false;
	outcome = rule->outcome | tcp_expect_take_header(conn, segment, acked, env) |
		  (data != 0 ? TCP_OUTCOME_DATA : 0) | (fin != 0 ? TCP_OUTCOME_PEER_FIN : 0);
	conn->rcv_nxt += length;
	if (rule->next_state != TCP_RULES_SAME)
		conn->state = rule->next_state;
	*action = (struct tcp_action){
			.rule = (uint16_t)row,
			.send = rule->send,
			.outcome = outcome,
			.take = (uint16_t)data,
	};
	tcp_effect_timer(conn, (enum tcp_rule_timer)rule->timer, una, env->config, action);
	return true;
}

/**
 * Let a SYN happen to a listener.
 *
 * @param conn
 *   In LISTEN.
 * @return false when it is no plain SYN; then nothing has happened.
 */
static inline bool
tcp_expect_syn(struct tcp_conn *conn, const struct tcp_segment *segment, const struct tcp_env *env,
		struct tcp_action *action)
{
	const unsigned int row = tcp_rules_expected[TCP_LISTEN][0];
	const struct tcp_rule *rule = &tcp_rules[row];

	if (unlikely((segment->flags & (TCP_SYN | TCP_RST | TCP_ACK | TCP_FIN)) != TCP_SYN ||
			    env->fast_open))
		return false;
	*action = (struct tcp_action){.rule = (uint16_t)row, .send = rule->send};
	tcp_effect_take_syn(conn, segment, env);
	conn->state = rule->next_state;
	tcp_effect_timer(conn, (enum tcp_rule_timer)rule->timer, 0, env->config, action);
	return true;
}

/** What a stream has to say. */
enum tcp_expect_output {
	TCP_EXPECT_UNKNOWN, /**< Nobody has looked: call tcp_output_next(). */
	TCP_EXPECT_NOTHING, /**< Nothing. */
	TCP_EXPECT_CHUNK,   /**< One segment, and nothing more. */
};

/**
 * As tcp_output_next() until it returns false, where nothing is in flight and all fits into one
 * segment, or there is nothing to say.
 *
 * @return TCP_EXPECT_UNKNOWN: nothing has happened; the others may be followed by
 * tcp_expect_output_timer().
 */
static inline enum tcp_expect_output
tcp_expect_output(struct tcp_conn *conn, const struct tcp_stream *stream, struct tcp_chunk *chunk)
{
	const uint32_t in_flight = conn->snd_nxt - conn->snd_una;
	const uint32_t window = (uint32_t)conn->snd_wnd << (conn->scales & 0x0f);
	const uint32_t ready = stream->end - conn->snd_nxt, length = ready + stream->fin;
	const bool open = conn->state == TCP_ESTABLISHED || conn->state == TCP_CLOSE_WAIT;

	if (unlikely((conn->flags & TCP_EXPECT_UNUSUAL) != 0 || conn->state < TCP_ESTABLISHED))
		return TCP_EXPECT_UNKNOWN;
	if (!open || (ready | stream->fin) == 0)
		return in_flight == 0 || window != 0 ? TCP_EXPECT_NOTHING : TCP_EXPECT_UNKNOWN;
	if (unlikely(in_flight != 0 || ready > conn->mss || length > window || conn->cwnd == 0))
		return TCP_EXPECT_UNKNOWN;
	*chunk = (struct tcp_chunk){
			.seq = conn->snd_nxt,
			.length = (uint16_t)ready,
			.flags = (uint8_t)(TCP_ACK | (ready > 0 ? TCP_PSH : 0) |
					   (stream->fin ? TCP_FIN : 0)),
	};
	conn->snd_nxt += length;
	conn->retries = 0;
	conn->flags |= TCP_CONN_TIMER_DUE | (stream->fin ? TCP_CONN_FIN_SENT : 0);
	/* TCP_EVENT_CLOSE */
	if (stream->fin)
		conn->state = conn->state == TCP_ESTABLISHED ? TCP_FIN_WAIT_1 : TCP_LAST_ACK;
	return TCP_EXPECT_CHUNK;
}

/** tcp_output_timer() */
static inline uint32_t
tcp_expect_output_timer(struct tcp_conn *conn, const struct tcp_config *config)
{
	const bool due = (conn->flags & TCP_CONN_TIMER_DUE) != 0;

	conn->flags &= (uint16_t)~TCP_CONN_TIMER_DUE;
	if (conn->snd_nxt != conn->snd_una)
		return due ? tcp_effect_rto_ms(conn, config) : TCP_OUTPUT_TIMER_KEEP;
	if (conn->state == TCP_FIN_WAIT_2)
		return config->fin_timeout_ms;
	if (conn->state == TCP_TIME_WAIT)
		return config->time_wait_ms;
	return tcp_effect_idle_ms(conn, config);
}

#endif /* TCP_EXPECT_H */
