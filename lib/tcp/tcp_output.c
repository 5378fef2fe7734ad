/* SPDX-License-Identifier: BSD-3-Clause */

#include <stddef.h>

#include "tcp/tcp_output.h"
#include "tcp/tcp_seq.h"

#define CWND_MAX     UINT8_MAX
#define SSTHRESH_MIN 2 /* segments (RFC 5681 eqn. 4) */

static uint32_t
smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* FlightSize (RFC 5681 2), the FIN included. */
static uint32_t
in_flight(const struct tcp_conn *conn)
{
	return conn->snd_nxt - conn->snd_una;
}

/* SND.WND in bytes. */
static uint32_t
send_window(const struct tcp_conn *conn)
{
	return (uint32_t)conn->snd_wnd << (conn->scales & 0x0f);
}

static bool
fin_was_sent(const struct tcp_conn *conn)
{
	return (conn->flags & TCP_CONN_FIN_SENT) != 0;
}

static uint8_t
dup_acks(const struct tcp_conn *conn)
{
	return (conn->flags & TCP_CONN_DUP_ACKS) >> TCP_CONN_DUP_ACKS_SHIFT;
}

void
tcp_output_open(struct tcp_conn *conn, struct tcp_sender *sender, const struct tcp_config *config)
{
	/* RFC 5681 3.1: after the loss of a SYN or SYN-ACK, one segment. */
	conn->cwnd = (conn->flags & TCP_CONN_SYN_RETRANSMITTED) != 0 ? 1 : config->initial_cwnd;
	sender->ssthresh = CWND_MAX;
	sender->recover = conn->snd_nxt;
}

/* A loss: half of what was in flight is the new threshold (RFC 5681 eqn. 4). */
static void
enter_recovery(struct tcp_conn *conn, struct tcp_sender *sender)
{
	/* Counting by subtraction: flights are few segments long, and nothing divides here. */
	uint32_t bytes = in_flight(conn);
	uint32_t half = 0;

	while (bytes > 2u * conn->mss && half < CWND_MAX) {
		bytes -= 2u * conn->mss;
		half++;
	}
	sender->ssthresh = (uint8_t)(half < SSTHRESH_MIN ? SSTHRESH_MIN : half);
	sender->recover = conn->snd_nxt;
	conn->flags |= TCP_CONN_RECOVERY;
}

static void
grow(struct tcp_conn *conn, struct tcp_sender *sender)
{
	if (conn->cwnd == CWND_MAX)
		return;
	if (conn->cwnd < sender->ssthresh) {
		conn->cwnd++; /* slow start */
	} else if (tcp_seq_leq(sender->recover, conn->snd_una)) {
		/* Congestion avoidance: one segment a round trip, which recover marks the end of.
		 */
		conn->cwnd++;
		sender->recover = conn->snd_nxt;
	}
}

static void
react_to_ack(struct tcp_conn *conn, struct tcp_sender *sender)
{
	if ((conn->flags & TCP_CONN_RECOVERY) == 0) {
		grow(conn, sender);
		return;
	}
	if (tcp_seq_leq(sender->recover, conn->snd_una)) {
		/* RFC 6582 3.2: a full acknowledgement ends it. */
		conn->flags &= (uint16_t)~TCP_CONN_RECOVERY;
		conn->cwnd = sender->ssthresh;
		sender->recover = conn->snd_nxt;
		return;
	}
	/* A partial one says that the next segment is lost too. */
	conn->flags |= TCP_CONN_RETRANSMIT;
	if (conn->cwnd < sender->ssthresh)
		conn->cwnd++;
}

void
tcp_output_react(struct tcp_conn *conn, struct tcp_sender *sender, const struct tcp_action *action,
		uint32_t acked_bytes)
{
	if ((action->outcome & TCP_OUTCOME_ACKED) != 0 && acked_bytes > 0) {
		react_to_ack(conn, sender);
		return;
	}
	if ((conn->flags & TCP_CONN_RETRANSMIT) == 0 || in_flight(conn) == 0)
		return;
	if (dup_acks(conn) < 3) {
		/* Timeout: RFC 5681 3.1, the loss window is one segment. */
		enter_recovery(conn, sender);
		conn->cwnd = 1;
	} else if ((conn->flags & TCP_CONN_RECOVERY) == 0) {
		enter_recovery(conn, sender);
		conn->cwnd = sender->ssthresh;
	} else {
		/* More duplicates of a loss that is being repaired already. */
		conn->flags &= (uint16_t)~TCP_CONN_RETRANSMIT;
	}
}

/* Send again what is at snd_una. */
static void
again(struct tcp_conn *conn, struct tcp_chunk *chunk)
{
	const uint32_t data = in_flight(conn) - fin_was_sent(conn);

	conn->flags &= (uint16_t)~TCP_CONN_RETRANSMIT;
	*chunk = (struct tcp_chunk){
			.seq = conn->snd_una,
			.length = (uint16_t)smaller(data, conn->mss),
			.flags = TCP_ACK,
			.again = true,
	};
	if (chunk->length == data) {
		chunk->flags |= TCP_PSH;
		if (fin_was_sent(conn))
			chunk->flags |= TCP_FIN;
	}
}

/* How many bytes the peer's window and the congestion window still allow. */
static uint32_t
room(const struct tcp_conn *conn)
{
	const uint32_t congestion = (uint32_t)conn->cwnd * conn->mss;
	const uint32_t window = smaller(send_window(conn), congestion);
	const uint32_t flight = in_flight(conn);

	return window > flight ? window - flight : 0;
}

/*
 * Whether a segment of @p length is worth sending (RFC 9293 3.8.6.2.1): it is full, or the last of
 * what there is, or half of the largest window ever seen.
 */
static bool
worth_sending(const struct tcp_conn *conn, uint32_t length, uint32_t ready)
{
	const uint32_t largest_window = 1u << ((conn->scales >> 4) + (conn->scales & 0x0f));

	return length > 0 &&
	       (length == conn->mss || length == ready || length >= largest_window / 2);
}

/* New data's length now; 0 when it must wait. */
static uint32_t
new_length(struct tcp_conn *conn, uint32_t ready)
{
	const uint32_t length = smaller(smaller(ready, room(conn)), conn->mss);
	const bool timer_said_so = (conn->flags & TCP_CONN_RETRANSMIT) != 0;

	if (worth_sending(conn, length, ready) || ready == 0)
		return length;
	if (in_flight(conn) > 0)
		return 0;
	/*
	 * The window holds everything back and no acknowledgement is due: the persist timer runs,
	 * and when it runs out a byte goes beyond the window (RFC 9293 3.8.6.1), or what fits in a
	 * silly one.
	 */
	conn->flags |= TCP_CONN_PERSIST;
	if (!timer_said_so)
		return 0;
	return length > 0 ? length : 1;
}

/* What was never sent: data, with the FIN on its end if nothing follows; or the FIN alone. */
static bool
never_sent(struct tcp_conn *conn, const struct tcp_stream *stream, const struct tcp_env *env,
		struct tcp_chunk *chunk)
{
	const uint32_t ready = stream->end - conn->snd_nxt;
	const uint32_t length = new_length(conn, ready);
	const bool last = length == ready;

	conn->flags &= (uint16_t)~TCP_CONN_RETRANSMIT;
	if (length == 0 && !(last && stream->fin))
		return false;
	*chunk = (struct tcp_chunk){
			.seq = conn->snd_nxt,
			.length = (uint16_t)length,
			.flags = TCP_ACK,
	};
	conn->snd_nxt += length;
	if (length > 0 && last)
		chunk->flags |= TCP_PSH;
	if (last && stream->fin) {
		chunk->flags |= TCP_FIN;
		tcp_step(conn, TCP_EVENT_CLOSE, NULL, env);
	}
	return true;
}

bool
tcp_output_next(struct tcp_conn *conn, const struct tcp_stream *stream, const struct tcp_env *env,
		struct tcp_chunk *chunk)
{
	if ((conn->flags & TCP_CONN_RETRANSMIT) != 0 && in_flight(conn) > 0) {
		again(conn, chunk);
		return true;
	}
	if (fin_was_sent(conn) || (conn->state != TCP_ESTABLISHED && conn->state != TCP_CLOSE_WAIT))
		return false;
	if (send_window(conn) > in_flight(conn))
		conn->flags &= (uint16_t)~TCP_CONN_PERSIST;
	return never_sent(conn, stream, env, chunk);
}

uint32_t
tcp_output_timer(const struct tcp_conn *conn, const struct tcp_config *config)
{
	if (in_flight(conn) > 0 || (conn->flags & TCP_CONN_PERSIST) != 0)
		return tcp_step_rto_ms(conn, config);
	switch (conn->state) {
	case TCP_FIN_WAIT_2:
		return config->fin_timeout_ms;
	case TCP_TIME_WAIT:
		return config->time_wait_ms;
	default:
		return config->idle_timeout_ms;
	}
}
