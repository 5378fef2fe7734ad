/* SPDX-License-Identifier: BSD-3-Clause */

#include <rte_common.h>

#include "explain/explain_track.h"
#include "tcp/tcp_seq.h"

/* A segment that fills a gap so soon after what overtook it was sent once, not twice. */
#define TRACK_REORDER_NS INT64_C(3000000)

/* Timestamps of a second or more, in microseconds, the finest unit in use; most use thousands. */
#define TRACK_STAMPS (UINT32_C(1) << 20)

uint32_t
track_window(const struct track *track)
{
	const uint32_t window = track->packet->segment.window;
	const struct explain_end *sender = track->sender;

	if (track_has(track, TCP_SYN) || !sender->scales || !track->receiver->scales)
		return window;
	return window << sender->window_scale;
}

/* Whether any byte of [from, to) was in the capture before. */
static bool
was_seen(const struct explain_end *receiver, uint32_t from, uint32_t to)
{
	if (tcp_seq_lt(from, receiver->rcv_nxt))
		return true;
	for (unsigned int i = 0; i < receiver->pieces; i++)
		if (tcp_seq_lt(from, receiver->piece[i].to) &&
				tcp_seq_lt(receiver->piece[i].from, to))
			return true;
	return false;
}

static void
name_retransmission(const struct track *track)
{
	struct explain_end *sender = track->sender;

	track_name(track, EXPLAIN_EVENT_RETRANSMISSION);
	if (track->receiver->acked && tcp_seq_leq(track->end_seq, track->receiver->last_ack))
		track_name(track, EXPLAIN_EVENT_NEEDLESS);
	sender->retransmissions++;
	if (sender->silence < UINT8_MAX)
		sender->silence++;
}

/* A segment with something in it that begins before what its sender sent last. */
static void
name_overlap(const struct track *track)
{
	const struct explain_times *times = &track->conn->times;
	const int64_t elapsed = track->packet->time_ns - track->sender->advanced_ns;
	const int64_t rtt = times->connected != EXPLAIN_NEVER && times->syn != EXPLAIN_NEVER
					    ? times->connected - times->syn
					    : 0;

	if (was_seen(track->receiver, track->packet->segment.seq, track->end_seq) ||
			elapsed >= RTE_MAX(rtt, TRACK_REORDER_NS))
		name_retransmission(track);
	else
		track_name(track, EXPLAIN_EVENT_OUT_OF_ORDER);
}

/*
 * An end that is asked whether it is still there (RFC 9293 3.8.4), or whether its window is still
 * closed (3.8.6.1): by the byte that it wants next, again and again the same one, or, by Linux, as
 * if it were a keep-alive.
 */
static bool
name_probe(const struct track *track)
{
	const struct explain_packet *packet = track->packet;
	struct explain_end *sender = track->sender, *receiver = track->receiver;
	const bool closed = receiver->window == 0;
	const uint32_t seq = packet->segment.seq;

	if (track_has(track, TCP_FIN) || packet->payload_length > 1 || !receiver->acked ||
			!track_is_synchronized(sender))
		return false;
	if (receiver->last_ack == sender->snd_nxt && seq == sender->snd_nxt - 1 && !closed) {
		track_name(track, EXPLAIN_EVENT_KEEP_ALIVE);
		receiver->due = EXPLAIN_EVENT_KEEP_ALIVE_ACK;
	} else if (closed && sender->snd_nxt - seq <= 1 &&
			(packet->payload_length == 1 ? seq - receiver->last_ack + 1 <= 1
						     : seq + 1 == receiver->last_ack)) {
		track_name(track, EXPLAIN_EVENT_WINDOW_PROBE);
		receiver->due = EXPLAIN_EVENT_WINDOW_PROBE_ACK;
	} else {
		return false;
	}
	if (sender->silence < UINT8_MAX)
		sender->silence++;
	return true;
}

/* An end's own FIN ends at @p end; in CLOSE_WAIT there is more to it. */
static void
note_fin(struct explain_end *sender, uint32_t end)
{
	sender->fin_sent = true;
	sender->fin = end;
	if (sender->state == TCP_SYN_RCVD || sender->state == TCP_ESTABLISHED)
		sender->state = TCP_FIN_WAIT_1;
}

/* Whether it echoes what the receiver sent lately (RFC 7323 3.2), which nobody forges blindly. */
static bool
echoes_receiver(const struct track *track)
{
	const struct tcp_segment *segment = &track->packet->segment;
	const struct explain_end *receiver = track->receiver;

	return (segment->options & TCP_OPTION_TIMESTAMPS) && receiver->stamps &&
	       tcp_seq_within(segment->tsecr, receiver->tsval - TRACK_STAMPS, 2 * TRACK_STAMPS);
}

/*
 * Whether a segment without SYN and RST lies beyond what the receiver gave room for, which is told
 * only where both window scales are known.  The capture may lack ACKs that gave more: believed is
 * what lies not far ahead, what the receiver acknowledges, and what goes on from a first one.
 */
static bool
is_outside(const struct track *track)
{
	const struct explain_end *sender = track->sender, *receiver = track->receiver;
	const uint32_t seq = track->packet->segment.seq;
	const uint32_t near = sender->snd_nxt + TRACK_WINDOW;

	if (!receiver->acked || !track_scales_known(track))
		return false;
	if (tcp_seq_leq(seq, near) || tcp_seq_leq(seq, receiver->edge))
		return false;
	if (receiver->doubted && seq - receiver->doubt <= TRACK_WINDOW)
		return false;
	if (echoes_receiver(track))
		return false;
	return !track_goes_on(sender, seq);
}

/* RFC 9293 3.10.7.4: such a segment is answered by an ACK, and is as if it had not been there. */
static void
take_outside(const struct track *track)
{
	track_name(track, EXPLAIN_EVENT_OUTSIDE);
	track->receiver->challenged = true;
	if (track->data_seq == track->end_seq)
		return;
	track->sender->outside = (struct explain_piece){track->data_seq, track->end_seq};
	track->sender->outside_fin = track_has(track, TCP_FIN);
}

void
track_believe(struct explain_end *sender)
{
	const struct explain_piece *piece = &sender->outside;

	sender->bytes += explain_seen_add(
			&sender->seen, piece->from, piece->to - sender->outside_fin);
	explain_seen_add(&sender->seen, piece->to - sender->outside_fin, piece->to);
	if (sender->outside_fin && !sender->fin_sent) {
		note_fin(sender, piece->to);
		if (sender->state == TCP_CLOSE_WAIT)
			sender->state = TCP_LAST_ACK;
	}
	sender->outside = (struct explain_piece){0};
}

/* Where a segment without SYN and RST lies in what its sender says. */
static void
name_place(const struct track *track)
{
	const struct explain_end *sender = track->sender, *receiver = track->receiver;
	const uint32_t seq = track->packet->segment.seq;

	if (name_probe(track))
		return;
	if (tcp_seq_lt(sender->snd_nxt, seq))
		track_name(track, EXPLAIN_EVENT_GAP);
	else if (tcp_seq_lt(seq, sender->snd_nxt) && track->end_seq != seq)
		name_overlap(track);
	if (track_named(track, EXPLAIN_EVENT_RETRANSMISSION))
		return;
	if (track_has(track, TCP_FIN) && !sender->fin_sent)
		track_name(track, EXPLAIN_EVENT_FIN);
	else if (track->packet->payload_length > 0 && sender->state == TCP_CLOSE_WAIT &&
			track->packet->segment.ack == receiver->fin)
		track_name(track, EXPLAIN_EVENT_HALF_CLOSED);
}

static void
take_syn_options(const struct track *track)
{
	const struct tcp_segment *segment = &track->packet->segment;
	struct explain_end *sender = track->sender;

	sender->scales = segment->options & TCP_OPTION_WINDOW_SCALE;
	sender->window_scale = RTE_MIN(segment->window_scale, TRACK_SCALE_MAX);
	sender->mss = segment->options & TCP_OPTION_MSS ? segment->mss : 0;
	sender->syn_sent = true;
	if (track->packet->payload_length > 0)
		track_name(track, EXPLAIN_EVENT_FAST_OPEN);
	if (track_has(track, TCP_FIN))
		track_name(track, EXPLAIN_EVENT_SYN_FIN);
}

/*
 * Whether a SYN is the one that a SYN-ACK before it in the capture has answered: a SYN-ACK
 * acknowledges the SYN, and of data on it what it took (RFC 7413 3).
 */
static bool
is_late_syn(const struct track *track)
{
	const uint32_t acked = track->conn->syn_acked_seq;

	return track->sender->opener && !track->sender->syn_sent &&
	       tcp_seq_lt(track->packet->segment.seq, acked) && tcp_seq_leq(acked, track->end_seq);
}

/* SYN without ACK. */
static void
take_syn(const struct track *track)
{
	struct explain_end *sender = track->sender, *receiver = track->receiver;
	const bool again = sender->syn_sent && track->packet->segment.seq == sender->base;

	if (is_late_syn(track)) {
		/* Both ends have their states from the SYN-ACK. */
		track_name(track, EXPLAIN_EVENT_SYN);
		track_name(track, EXPLAIN_EVENT_OUT_OF_ORDER);
		take_syn_options(track);
		sender->base = track->packet->segment.seq;
		return;
	}
	if (again) {
		name_retransmission(track);
		if (receiver->state == TCP_LISTEN || receiver->state == TCP_CLOSED)
			receiver->state = TCP_SYN_RCVD;
		return;
	}
	if (track_is_synchronized(sender) || track_is_synchronized(receiver) || sender->syn_sent) {
		track_name(track, EXPLAIN_EVENT_STRAY_SYN);
		receiver->challenged = true;
		sender->stray = (struct explain_piece){track->packet->segment.seq, track->end_seq};
		receiver->stray = (struct explain_piece){0};
		return;
	}
	track_name(track, EXPLAIN_EVENT_SYN);
	take_syn_options(track);
	sender->opener = true;
	track->conn->syn_acked_seq = track->end_seq;
	if (receiver->opener) {
		track_name(track, EXPLAIN_EVENT_SIMULTANEOUS_OPEN);
		sender->state = TCP_SYN_RCVD;
	} else {
		sender->state = TCP_SYN_SENT;
	}
	receiver->state = TCP_SYN_RCVD;
}

/* Two answers to one SYN with different ISNs: whoever gave them had forgotten the first. */
static void
take_other_isn(const struct track *track)
{
	struct explain_end *sender = track->sender, *receiver = track->receiver;
	const uint32_t seq = track->packet->segment.seq;

	track_name(track, EXPLAIN_EVENT_SYN_ACK);
	track_name(track, EXPLAIN_EVENT_COOKIE);
	if (sender->state != TCP_SYN_RCVD)
		return;
	sender->base = seq;
	sender->snd_nxt = seq;
	explain_seen_start(&sender->seen, track->data_seq);
	receiver->rcv_nxt = seq;
}

/*
 * A SYN-ACK that reaches an open connection and is not the one that opened it is answered by a
 * challenge ACK and changes nothing (RFC 9293 3.10.7.4, RFC 5961 4.2).
 */
static bool
is_stray_syn_ack(const struct track *track)
{
	return track_is_synchronized(track->sender) && track_is_synchronized(track->receiver) &&
	       track->packet->segment.seq != track->sender->base;
}

static void
take_syn_ack(const struct track *track)
{
	struct explain_end *sender = track->sender, *receiver = track->receiver;
	struct explain_conn *conn = track->conn;
	const struct tcp_segment *segment = &track->packet->segment;
	const bool answered = conn->counts[EXPLAIN_EVENT_SYN_ACK] > 0 && !sender->opener;

	if (is_stray_syn_ack(track)) {
		track_name(track, EXPLAIN_EVENT_STRAY_SYN);
		receiver->challenged = true;
		return;
	}
	if (answered && segment->seq != sender->base && segment->ack == conn->syn_acked_seq) {
		take_other_isn(track);
	} else if (sender->syn_sent && segment->seq == sender->base &&
			(answered || sender->acked)) {
		name_retransmission(track);
	} else if (track_is_synchronized(sender) || track_is_synchronized(receiver)) {
		/* Simultaneous open: the one that came second finds its peer open already. */
		track_name(track, EXPLAIN_EVENT_SYN_ACK);
	} else {
		track_name(track, EXPLAIN_EVENT_SYN_ACK);
		take_syn_options(track);
		sender->state = TCP_SYN_RCVD;
	}
	conn->syn_acked_seq = segment->ack;
	if (receiver->state == TCP_CLOSED && !receiver->heard) {
		/* The capture lacks the SYN. */
		receiver->state = TCP_SYN_SENT;
		receiver->opener = true;
	}
	if (receiver->state == TCP_SYN_SENT && !track_acks_syn(track))
		track_name(track, EXPLAIN_EVENT_BAD_ACK);
	else if (receiver->state == TCP_SYN_SENT)
		receiver->state = TCP_ESTABLISHED;
}

void
track_receive_fin(struct explain_end *receiver)
{
	switch (receiver->state) {
	case TCP_SYN_RCVD:
	case TCP_ESTABLISHED:
		receiver->state = TCP_CLOSE_WAIT;
		break;
	case TCP_FIN_WAIT_1:
		receiver->state = TCP_CLOSING;
		break;
	case TCP_FIN_WAIT_2:
		receiver->state = TCP_TIME_WAIT;
		break;
	default:
		break;
	}
}

void
track_join_pieces(struct explain_end *receiver)
{
	for (unsigned int i = 0; i < receiver->pieces;) {
		if (tcp_seq_lt(receiver->rcv_nxt, receiver->piece[i].from)) {
			i++;
			continue;
		}
		if (tcp_seq_lt(receiver->rcv_nxt, receiver->piece[i].to))
			receiver->rcv_nxt = receiver->piece[i].to;
		receiver->piece[i] = receiver->piece[--receiver->pieces];
		i = 0;
	}
}

/* Add to an island that it touches, or make one. */
static void
keep_piece(struct explain_end *receiver, uint32_t from, uint32_t to)
{
	for (unsigned int i = 0; i < receiver->pieces; i++) {
		struct explain_piece *piece = &receiver->piece[i];

		if (tcp_seq_lt(to, piece->from) || tcp_seq_lt(piece->to, from))
			continue;
		if (tcp_seq_lt(from, piece->from))
			piece->from = from;
		if (tcp_seq_lt(piece->to, to))
			piece->to = to;
		return;
	}
	if (receiver->pieces < EXPLAIN_PIECES)
		receiver->piece[receiver->pieces++] = (struct explain_piece){from, to};
	else
		receiver->forgot = true;
}

/* The sender says that it is done. */
static void
send_fin(const struct track *track)
{
	struct explain_end *sender = track->sender, *receiver = track->receiver;

	if (sender->fin_sent)
		return;
	/* What was acknowledged further has not ended there. */
	if (receiver->acked && tcp_seq_lt(track->end_seq, receiver->last_ack))
		return;
	note_fin(sender, track->end_seq);
	if (sender->state != TCP_CLOSE_WAIT)
		return;
	if (receiver->state == TCP_FIN_WAIT_1 && receiver->fin_sent &&
			tcp_seq_lt(track->packet->segment.ack, receiver->fin)) {
		/* It had not heard of the other's FIN; now it has. */
		track_name(track, EXPLAIN_EVENT_SIMULTANEOUS_CLOSE);
		sender->state = TCP_CLOSING;
	} else {
		sender->state = TCP_LAST_ACK;
	}
}

/*
 * Count what the segment says and the capture did not have: of a retransmission that is what was
 * lost on its way to where the capture was made.  The byte of a keep-alive is none of the sender's
 * (RFC 9293 3.8.4).
 */
static void
count_text(const struct track *track)
{
	struct explain_end *sender = track->sender;
	const uint32_t text_end = track->data_seq + track->packet->payload_length;
	uint32_t fresh;

	if (track_named(track, EXPLAIN_EVENT_KEEP_ALIVE))
		return;
	if (track_goes_on(sender, track->data_seq))
		track_believe(sender);
	fresh = explain_seen_add(&sender->seen, track->data_seq, text_end);
	if (track_has(track, TCP_FIN))
		explain_seen_add(&sender->seen, text_end, text_end + 1);
	sender->bytes += fresh;
	if (fresh > 0 && !track_has(track, TCP_SYN) &&
			!track_named(track, EXPLAIN_EVENT_WINDOW_PROBE))
		track_name(track, EXPLAIN_EVENT_DATA);
}

/* Both ends' places in the sequence space, once the segment has arrived. */
static void
move_on(const struct track *track)
{
	struct explain_end *sender = track->sender, *receiver = track->receiver;
	const uint32_t seq = track->packet->segment.seq;

	if (tcp_seq_lt(sender->snd_nxt, track->end_seq)) {
		sender->snd_nxt = track->end_seq;
		sender->advanced_ns = track->packet->time_ns;
	}
	if (track->end_seq == seq)
		return;
	if (tcp_seq_leq(seq, receiver->rcv_nxt)) {
		if (tcp_seq_lt(receiver->rcv_nxt, track->end_seq))
			receiver->rcv_nxt = track->end_seq;
		track_join_pieces(receiver);
	} else {
		keep_piece(receiver, seq, track->end_seq);
	}
}

static bool
is_over(const struct explain_conn *conn)
{
	for (unsigned int i = 0; i < 2; i++)
		if (conn->end[i].state != TCP_CLOSED && conn->end[i].state != TCP_TIME_WAIT)
			return false;
	return true;
}

void
track_segment(const struct track *track)
{
	struct explain_end *sender = track->sender, *receiver = track->receiver;
	const bool was_over = is_over(track->conn);
	const bool syn = track_has(track, TCP_SYN);

	if (track_has(track, TCP_RST)) {
		track_reset(track);
		return;
	}
	if (syn && track_has(track, TCP_ACK))
		take_syn_ack(track);
	else if (syn)
		take_syn(track);
	else if (is_outside(track))
		take_outside(track);
	else
		name_place(track);
	if (track_is_ignored(track))
		return;
	count_text(track);
	if (track_has(track, TCP_ACK))
		track_ack(track);
	if (track->packet->segment.window == 0 && track_has(track, TCP_ACK) &&
			!track_has(track, TCP_FIN))
		track_name(track, EXPLAIN_EVENT_ZERO_WINDOW);
	move_on(track);
	if (track_has(track, TCP_FIN) && !syn)
		send_fin(track);
	if (sender->fin_sent && tcp_seq_leq(sender->fin, receiver->rcv_nxt))
		track_receive_fin(receiver);
	if (!was_over && is_over(track->conn))
		track_name(track, EXPLAIN_EVENT_CLOSED);
	sender->last_window = track->packet->segment.window;
	sender->window = track_window(track);
	if (sender->acked && tcp_seq_lt(sender->edge, sender->last_ack + sender->window))
		sender->edge = sender->last_ack + sender->window;
	if (track->packet->segment.options & TCP_OPTION_TIMESTAMPS) {
		sender->stamps = true;
		sender->tsval = track->packet->segment.tsval;
	}
	receiver->silence = 0;
}
