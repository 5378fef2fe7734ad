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

static void
enter_recovery(struct tcp_conn *conn, struct tcp_sender *sender)
{
	sender->recover = conn->snd_nxt;
	conn->flags |= TCP_CONN_RECOVERY;
}

void
tcp_output_open(struct tcp_conn *conn, struct tcp_sender *sender, const struct tcp_config *config)
{
	/* RFC 5681 3.1: after the loss of a SYN or SYN-ACK, one segment. */
	conn->cwnd = (conn->flags & TCP_CONN_SYN_RETRANSMITTED) != 0 ? 1 : config->initial_cwnd;
	*sender = tcp_output_begin(conn->snd_una);
	if (in_flight(conn) == 0)
		return;
	/* Text went out before the handshake was complete (RFC 7413 4.2.2).  If our SYN,ACK was
	 * lost, a peer in SYN_SENT has dropped what came behind it. */
	conn->flags |= TCP_CONN_TIMER_DUE;
	if ((conn->flags & TCP_CONN_SYN_RETRANSMITTED) != 0) {
		enter_recovery(conn, sender);
		conn->flags |= TCP_CONN_RETRANSMIT;
	}
}

/* Half of what is in flight, in segments: a loss makes it the threshold (RFC 5681 eqn. 4). */
static uint8_t
half_flight(const struct tcp_conn *conn)
{
	/* Counting by subtraction: flights are few segments long, and nothing divides here. */
	uint32_t bytes = in_flight(conn);
	uint32_t half = 0;

	while (bytes >= 2u * conn->mss && half < CWND_MAX) {
		bytes -= 2u * conn->mss;
		half++;
	}
	return (uint8_t)(half < SSTHRESH_MIN ? SSTHRESH_MIN : half);
}

static void
react_to_timeout(struct tcp_conn *conn, struct tcp_sender *sender)
{
	/* RFC 5681 3.1: held constant when the same segment times out again. */
	if (conn->retries <= 1)
		sender->ssthresh = half_flight(conn);
	conn->cwnd = 1; /* the loss window */
	enter_recovery(conn, sender);
}

static void
react_to_third_duplicate(struct tcp_conn *conn, struct tcp_sender *sender)
{
	/*
	 * RFC 6582 3.2 step 1: not for a loss that is being repaired, and not at the very end of
	 * a recovery, where what we sent twice makes the peer acknowledge twice.
	 */
	if ((conn->flags & TCP_CONN_RECOVERY) != 0 || sender->recover == conn->snd_una) {
		conn->flags &= (uint16_t)~TCP_CONN_RETRANSMIT;
		return;
	}
	sender->ssthresh = half_flight(conn);
	conn->cwnd = sender->ssthresh;
	enter_recovery(conn, sender);
}

static void
grow(struct tcp_conn *conn, struct tcp_sender *sender, uint32_t acked_bytes)
{
	if (conn->cwnd < sender->ssthresh) {
		/* RFC 5681 eqn. 2: not by a segment for every byte a peer acknowledges. */
		if (acked_bytes >= conn->mss || in_flight(conn) == 0)
			conn->cwnd++;
	} else if (tcp_seq_leq(sender->recover, conn->snd_una)) {
		/* Congestion avoidance: one segment a round trip, which is over when a byte that
		 * goes out from now on is acknowledged. */
		if (conn->cwnd < CWND_MAX)
			conn->cwnd++;
		sender->recover = conn->snd_nxt + 1;
	}
}

static void
react_to_ack(struct tcp_conn *conn, struct tcp_sender *sender, uint32_t acked_bytes)
{
	if ((conn->flags & TCP_CONN_RECOVERY) == 0) {
		grow(conn, sender, acked_bytes);
		return;
	}
	/* RFC 6582 3.2 step 3: a full acknowledgment ends it, a partial one says that the next
	 * segment is lost too. */
	if (tcp_seq_leq(sender->recover, conn->snd_una))
		conn->flags &= (uint16_t)~TCP_CONN_RECOVERY;
	else
		conn->flags |= TCP_CONN_RETRANSMIT;
	/* Slow start after a timeout; after three duplicates cwnd is ssthresh already. */
	if (conn->cwnd < sender->ssthresh)
		conn->cwnd++;
}

void
tcp_output_react(struct tcp_conn *conn, struct tcp_sender *sender, const struct tcp_action *action,
		uint32_t acked_bytes)
{
	if (action->timer == TCP_TIMER_SET)
		conn->flags |= TCP_CONN_TIMER_DUE;
	if ((action->outcome & TCP_OUTCOME_ACKED) != 0 && acked_bytes > 0) {
		react_to_ack(conn, sender, acked_bytes);
		return;
	}
	if ((conn->flags & TCP_CONN_RETRANSMIT) == 0 || in_flight(conn) == 0)
		return;
	/* Only a timeout sets the timer while nothing new is acknowledged. */
	if (action->timer == TCP_TIMER_SET)
		react_to_timeout(conn, sender);
	else
		react_to_third_duplicate(conn, sender);
}

/* Send again what is at snd_una. */
static void
again(struct tcp_conn *conn, struct tcp_chunk *chunk)
{
	const uint32_t data = in_flight(conn) - fin_was_sent(conn);
	const uint32_t window = send_window(conn);
	/* A peer that shrank its window to nothing is probed by a byte (RFC 9293 3.8.6, MUST-35).
	 */
	const uint32_t limit = smaller(window > 0 ? window : 1, conn->mss);

	conn->flags &= (uint16_t)~TCP_CONN_RETRANSMIT;
	conn->flags |= TCP_CONN_TIMER_DUE;
	*chunk = (struct tcp_chunk){
			.seq = conn->snd_una,
			.length = (uint16_t)smaller(data, limit),
			.flags = TCP_ACK,
			.again = true,
	};
	if (chunk->length < data)
		return;
	if (data > 0)
		chunk->flags |= TCP_PSH;
	if (fin_was_sent(conn))
		chunk->flags |= TCP_FIN;
}

/* How much of a window what is in flight leaves. */
static uint32_t
left_of(uint32_t window, const struct tcp_conn *conn)
{
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

/* How much new data goes out now. */
static uint32_t
new_length(const struct tcp_conn *conn, uint32_t ready)
{
	const uint32_t room = smaller(left_of(send_window(conn), conn),
			left_of((uint32_t)conn->cwnd * conn->mss, conn));
	const uint32_t length = smaller(smaller(ready, room), conn->mss);

	if (worth_sending(conn, length, ready))
		return length;
	/* The persist timer is the override timeout too: nothing else makes retries while nothing
	 * is in flight. */
	return in_flight(conn) == 0 && conn->retries > 0 ? length : 0;
}

/* The window holds everything back, and no acknowledgment is due that could open it. */
static void
held_back(struct tcp_conn *conn)
{
	if (in_flight(conn) > 0 || (conn->flags & TCP_CONN_PERSIST) != 0)
		return;
	conn->flags |= TCP_CONN_PERSIST | TCP_CONN_TIMER_DUE;
}

/*
 * A window that shrinks to nothing takes back what is in flight.  That must not end the connection
 * (RFC 9293 3.8.6, SHLD-17): as in front of any closed window, tcp_step() counts no timeout that is
 * answered.  When the window opens again, what was refused goes out at once.
 */
static void
watch_for_shrinking(struct tcp_conn *conn)
{
	if (in_flight(conn) == 0) {
		if (fin_was_sent(conn))
			conn->flags &= (uint16_t)~TCP_CONN_PERSIST;
	} else if (send_window(conn) == 0) {
		conn->flags |= TCP_CONN_PERSIST;
	} else if ((conn->flags & TCP_CONN_PERSIST) != 0) {
		conn->flags &= (uint16_t)~TCP_CONN_PERSIST;
		conn->flags |= TCP_CONN_RETRANSMIT;
	}
}

/* What was never sent: data, with the FIN on its end if nothing follows; or the FIN alone. */
static bool
never_sent(struct tcp_conn *conn, const struct tcp_stream *stream, const struct tcp_env *env,
		struct tcp_chunk *chunk)
{
	/* A stream that was exchanged for a shorter one has nothing new. */
	const uint32_t ready =
			tcp_seq_lt(stream->end, conn->snd_nxt) ? 0 : stream->end - conn->snd_nxt;
	const uint32_t length = new_length(conn, ready);
	/* The FIN needs a place in the peer's window, but not in the congestion window. */
	const bool fin = stream->fin && conn->state >= TCP_ESTABLISHED && length == ready &&
			 left_of(send_window(conn), conn) > length;

	if (length == 0 && !fin) {
		if (ready > 0 || stream->fin)
			held_back(conn);
		return false;
	}
	if (in_flight(conn) == 0) {
		conn->flags |= TCP_CONN_TIMER_DUE;
		/* Keep-alive probes without an answer are no timeouts of what goes out now. */
		if ((conn->flags & TCP_CONN_PERSIST) == 0)
			conn->retries = 0;
	}
	conn->flags &= (uint16_t)~TCP_CONN_PERSIST;
	*chunk = (struct tcp_chunk){
			.seq = conn->snd_nxt,
			.length = (uint16_t)length,
			.flags = TCP_ACK,
	};
	conn->snd_nxt += length;
	if (length > 0 && length == ready)
		chunk->flags |= TCP_PSH;
	if (fin) {
		chunk->flags |= TCP_FIN;
		tcp_step(conn, TCP_EVENT_CLOSE, NULL, env);
	}
	return true;
}

bool
tcp_output_next(struct tcp_conn *conn, const struct tcp_stream *stream, const struct tcp_env *env,
		struct tcp_chunk *chunk)
{
	/* What goes out before ESTABLISHED goes out once: until then only our SYN is repeated. */
	if (conn->state == TCP_SYN_RCVD)
		return tcp_conn_syn_text(conn) > 0 && never_sent(conn, stream, env, chunk);
	watch_for_shrinking(conn);
	if ((conn->flags & TCP_CONN_RETRANSMIT) != 0 && in_flight(conn) > 0) {
		again(conn, chunk);
		return true;
	}
	/* In every other state the FIN was sent. */
	if (conn->state != TCP_ESTABLISHED && conn->state != TCP_CLOSE_WAIT)
		return false;
	return never_sent(conn, stream, env, chunk);
}

uint32_t
tcp_output_timer(struct tcp_conn *conn, const struct tcp_config *config)
{
	const bool due = (conn->flags & TCP_CONN_TIMER_DUE) != 0;

	conn->flags &= (uint16_t)~TCP_CONN_TIMER_DUE;
	if (in_flight(conn) > 0 || (conn->flags & TCP_CONN_PERSIST) != 0)
		return due ? tcp_step_rto_ms(conn, config) : TCP_OUTPUT_TIMER_KEEP;
	switch (conn->state) {
	case TCP_FIN_WAIT_2:
		return config->fin_timeout_ms;
	case TCP_TIME_WAIT:
		return config->time_wait_ms;
	default:
		return tcp_step_idle_ms(conn, config);
	}
}
