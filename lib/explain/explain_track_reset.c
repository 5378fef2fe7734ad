/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * What a reset does, and why it was sent; see explain_conn.h.
 */

#include "explain/explain_track.h"
#include "tcp/tcp_seq.h"

/* So many of its own retransmissions without an answer are a reason to give up. */
#define RESET_SILENCE 3

/* Nothing has opened, or begun to: RST is looked at before SYN (RFC 9293 3.10.7.2). */
static bool
is_nothing_open(const struct explain_conn *conn)
{
	return conn->packets == conn->counts[EXPLAIN_EVENT_RESET] +
						conn->counts[EXPLAIN_EVENT_NO_ACK] &&
	       !conn->reset;
}

/* Whether the receiver takes a reset: RFC 9293 3.10.7.3, 3.10.7.4; RFC 5961 3.2. */
static enum explain_why
judge(const struct track *track)
{
	const struct tcp_segment *segment = &track->packet->segment;
	const struct explain_end *sender = track->sender, *receiver = track->receiver;

	if (receiver->state == TCP_CLOSED || receiver->state == TCP_LISTEN)
		return is_nothing_open(track->conn) ? EXPLAIN_WHY_NOTHING : EXPLAIN_WHY_AGAIN;
	if (receiver->state == TCP_SYN_SENT) {
		const bool acks_syn = track_has(track, TCP_ACK) && track_acks_syn(track);

		return acks_syn ? EXPLAIN_WHY_NONE : EXPLAIN_WHY_OUTSIDE;
	}
	/* The capture may lack what the receiver lacks, and the sender may have been reborn. */
	if (segment->seq == receiver->rcv_nxt || segment->seq == sender->snd_nxt ||
			(receiver->acked && segment->seq == receiver->last_ack))
		return EXPLAIN_WHY_NONE;
	return tcp_seq_within(segment->seq, receiver->rcv_nxt, receiver->window)
			       ? EXPLAIN_WHY_NOT_EXACT
			       : EXPLAIN_WHY_OUTSIDE;
}

/* Data for an end that has closed is answered by a reset (RFC 9293 3.6.1), and stays without ACK.
 */
static bool
got_data_after_close(const struct track *track)
{
	const struct explain_end *sender = track->sender, *receiver = track->receiver;
	const uint32_t end = receiver->snd_nxt - receiver->fin_sent;

	return sender->fin_sent && tcp_seq_lt(sender->last_ack, end);
}

static enum explain_why
find_reason(const struct track *track)
{
	const struct explain_end *sender = track->sender, *receiver = track->receiver;

	if (receiver->state == TCP_SYN_SENT && !sender->syn_sent)
		return EXPLAIN_WHY_REFUSED;
	if (sender->state == TCP_SYN_SENT && receiver->packets > 0)
		return EXPLAIN_WHY_OLD_CONNECTION;
	if (sender->opener && receiver->state < TCP_ESTABLISHED)
		return EXPLAIN_WHY_UNWANTED;
	if (sender->state == TCP_CLOSED || sender->packets == 0)
		return EXPLAIN_WHY_NO_CONNECTION;
	if (got_data_after_close(track))
		return EXPLAIN_WHY_AFTER_CLOSE;
	if (sender->silence >= RESET_SILENCE)
		return EXPLAIN_WHY_GAVE_UP;
	if (!(track->packet->segment.flags & TCP_ACK))
		return EXPLAIN_WHY_NO_CONNECTION;
	return EXPLAIN_WHY_ABORTED;
}

void
track_reset(const struct track *track)
{
	struct explain_end *sender = track->sender, *receiver = track->receiver;
	enum explain_why why = judge(track);

	track_name(track, EXPLAIN_EVENT_RESET);
	track->step->why = why;
	if (why == EXPLAIN_WHY_NOT_EXACT)
		receiver->challenged = true;
	if (why != EXPLAIN_WHY_NONE)
		return;
	why = find_reason(track);
	track->step->why = why;
	if (why == EXPLAIN_WHY_OLD_CONNECTION) {
		receiver->state = TCP_LISTEN;
		receiver->heard = false;
		receiver->acked_by_other = false;
		receiver->syn_sent = false;
		receiver->acked = false;
		return;
	}
	receiver->state = receiver->state == TCP_SYN_RCVD && !receiver->opener ? TCP_LISTEN
									       : TCP_CLOSED;
	sender->state = TCP_CLOSED;
	/* Both ends had closed; this ends no more than the wait in TIME_WAIT (RFC 1337). */
	if (track->conn->times.closed != EXPLAIN_NEVER)
		return;
	track->conn->reset = true;
	track->conn->fate_why = (uint8_t)why;
}
