/* SPDX-License-Identifier: BSD-3-Clause */

#include <rte_common.h>

#include "explain/explain_track.h"
#include "tcp/tcp_seq.h"

/* A segment that fills a gap so soon after what overtook it was sent once, not twice. */
#define TRACK_REORDER_NS INT64_C(3000000)

/* What is this far from where an end is at most is believed, however small the known window is. */
#define TRACK_WINDOW    UINT32_C(65535)

#define TRACK_SCALE_MAX 14 /* RFC 7323 2.3 */

static bool
has_flag(const struct track *track, uint8_t flags)
{
	return track->packet->segment.flags & flags;
}

static bool
is_synchronized(const struct explain_end *end)
{
	return end->state >= TCP_ESTABLISHED;
}

uint32_t
track_window(const struct track *track)
{
	const uint32_t window = track->packet->segment.window;
	const struct explain_end *sender = track->sender;

	if (has_flag(track, TCP_SYN) || !sender->scales || !track->receiver->scales)
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
	const int64_t rtt = times->connected != 0 && times->syn != 0 ? times->connected - times->syn
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

	if (has_flag(track, TCP_FIN) || packet->payload_length > 1 || !receiver->acked ||
			!is_synchronized(sender))
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
	if (has_flag(track, TCP_FIN) && !sender->fin_sent)
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
	if (has_flag(track, TCP_FIN))
		track_name(track, EXPLAIN_EVENT_SYN_FIN);
}

/* SYN without ACK. */
static void
take_syn(const struct track *track)
{
	struct explain_end *sender = track->sender, *receiver = track->receiver;
	const bool again = sender->syn_sent && track->packet->segment.seq == sender->base;

	if (again) {
		name_retransmission(track);
		if (receiver->state == TCP_LISTEN || receiver->state == TCP_CLOSED)
			receiver->state = TCP_SYN_RCVD;
		return;
	}
	if (is_synchronized(sender) || is_synchronized(receiver) || sender->syn_sent) {
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

static bool
acks_syn(const struct track *track)
{
	const uint32_t ack = track->packet->segment.ack;

	return tcp_seq_lt(track->receiver->base, ack) && tcp_seq_leq(ack, track->receiver->snd_nxt);
}

/*
 * A SYN-ACK that reaches an open connection and is not the one that opened it is answered by a
 * challenge ACK and changes nothing (RFC 9293 3.10.7.4, RFC 5961 4.2).
 */
static bool
is_stray_syn_ack(const struct track *track)
{
	return is_synchronized(track->sender) && is_synchronized(track->receiver) &&
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
	} else if (is_synchronized(sender) || is_synchronized(receiver)) {
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
		receiver->syn_sent = true;
	}
	if (receiver->state == TCP_SYN_SENT && !acks_syn(track))
		track_name(track, EXPLAIN_EVENT_BAD_ACK);
	else if (receiver->state == TCP_SYN_SENT)
		receiver->state = TCP_ESTABLISHED;
}

/* A bare ACK that acknowledges nothing new. */
static void
name_repeated_ack(const struct track *track)
{
	struct explain_end *sender = track->sender;
	const struct tcp_segment *segment = &track->packet->segment;

	if (sender->challenged) {
		track_name(track, EXPLAIN_EVENT_CHALLENGE_ACK);
		sender->challenged = false;
		return;
	}
	if (sender->due != 0)
		track_name(track, sender->due);
	if (segment->window != sender->last_window) {
		if (segment->window != 0)
			track_name(track, EXPLAIN_EVENT_WINDOW_UPDATE);
	} else if (sender->due == 0 && (track->receiver->snd_nxt != segment->ack ||
						       (segment->options & TCP_OPTION_SACK))) {
		track_name(track, EXPLAIN_EVENT_DUPLICATE_ACK);
	}
	sender->due = 0;
}

static void
receive_fin(struct explain_end *receiver)
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

/* Islands that the shore has reached become part of it. */
static void
join_pieces(struct explain_end *receiver)
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

/* What an end acknowledges has reached it (RFC 9293 3.10.7.4), whatever the capture has of it. */
static void
receive_acknowledged(const struct track *track)
{
	struct explain_end *sender = track->sender, *receiver = track->receiver;
	const uint32_t ack = track->packet->segment.ack;

	if (!tcp_seq_lt(sender->rcv_nxt, ack))
		return;
	if (!sender->forgot)
		track_name(track, EXPLAIN_EVENT_ACKS_UNSEEN);
	sender->forgot = false;
	sender->rcv_nxt = ack;
	join_pieces(sender);
	if (receiver->fin_sent && tcp_seq_leq(receiver->fin, sender->rcv_nxt))
		receive_fin(sender);
}

/*
 * Whether what an ACK is ahead of the capture may only be missing there.  What was never sent is
 * not to be believed (RFC 9293 3.10.7.4), or all that its sender says from then on would be
 * retransmissions.  An end acknowledges what its window had room for; where the capture lacks more
 * than that, data comes from beyond, or its next ACK goes on from there.
 */
static bool
is_credible(const struct track *track)
{
	const struct explain_end *sender = track->sender;
	const struct explain_conn *conn = track->conn;
	const uint32_t ack = track->packet->segment.ack;
	const bool scale_known = conn->counts[EXPLAIN_EVENT_SYN] > 0 &&
				 conn->counts[EXPLAIN_EVENT_SYN_ACK] > 0;
	const uint32_t window = RTE_MAX(TRACK_WINDOW,
			scale_known ? sender->window
				    : (uint32_t)sender->last_window << TRACK_SCALE_MAX);

	return !track->receiver->heard || !sender->acked || ack - sender->last_ack <= window ||
	       (sender->doubted && ack - sender->doubt - 1 < window);
}

/* Whether an acknowledgement can be taken; names it where not. */
static bool
ack_is_good(const struct track *track)
{
	struct explain_end *sender = track->sender, *receiver = track->receiver;
	const uint32_t ack = track->packet->segment.ack;
	const bool beyond = tcp_seq_lt(receiver->snd_nxt, ack);

	if (receiver->state == TCP_SYN_SENT && !has_flag(track, TCP_SYN)) {
		if (acks_syn(track)) {
			/* The capture lacks the SYN-ACK. */
			receiver->state = TCP_ESTABLISHED;
			return true;
		}
		/* RFC 5961 4.2: an end that is open already answers a SYN so. */
		track_name(track, EXPLAIN_EVENT_CHALLENGE_ACK);
		return false;
	}
	if (!receiver->heard || !receiver->syn_sent || is_synchronized(receiver)) {
		sender->doubted = beyond && !is_credible(track);
		/* What was never sent is answered by an ACK; what was, is not. */
		receiver->challenged = sender->doubted || (receiver->challenged && !beyond);
		if (sender->doubted) {
			track_name(track, EXPLAIN_EVENT_ACK_TOO_FAR);
			sender->doubt = ack;
			return false;
		}
		if (beyond)
			receiver->snd_nxt = ack;
		receive_acknowledged(track);
		return true;
	}
	if (!acks_syn(track) && receiver->state == TCP_SYN_RCVD) {
		track_name(track, EXPLAIN_EVENT_BAD_ACK);
		return false;
	}
	return !beyond;
}

/*
 * An end that acknowledges without SYN has had the other's (RFC 9293 3.10.7.3), and one that
 * acknowledges more than the SYN has had the handshake's third segment; where packets of the two
 * directions take different ways, the capture may lack those.
 */
static void
prove_handshake(const struct track *track)
{
	struct explain_end *sender = track->sender;
	const struct tcp_segment *segment = &track->packet->segment;

	if (has_flag(track, TCP_SYN))
		return;
	if (sender->state == TCP_SYN_SENT &&
			tcp_seq_within(segment->seq, sender->base + 1, TRACK_WINDOW)) {
		sender->state = TCP_ESTABLISHED;
		track_name(track, EXPLAIN_EVENT_ACKS_UNSEEN);
	} else if (sender->state == TCP_SYN_RCVD && !sender->opener &&
			tcp_seq_lt(track->conn->syn_acked_seq, segment->ack)) {
		sender->state = TCP_ESTABLISHED;
	}
}

/* What an acknowledgement does to the end that it goes to. */
static void
take_ack(const struct track *track)
{
	struct explain_end *sender = track->sender, *receiver = track->receiver;
	const uint32_t ack = track->packet->segment.ack;
	const bool bare = track->packet->payload_length == 0 && !has_flag(track, TCP_SYN | TCP_FIN);

	prove_handshake(track);
	if (!ack_is_good(track)) {
		/* A reset that answers it begins there (RFC 9293 3.10.7.3). */
		if (receiver->state == TCP_SYN_SENT) {
			sender->last_ack = ack;
			sender->acked = true;
		}
		return;
	}
	if (receiver->state == TCP_SYN_RCVD && (receiver->heard || !has_flag(track, TCP_SYN))) {
		receiver->state = TCP_ESTABLISHED;
		/* When it was is known only where the other's SYN is in the capture. */
		if (is_synchronized(sender) && receiver->syn_sent)
			track_name(track, EXPLAIN_EVENT_HANDSHAKE);
	} else if (sender->acked && bare && ack == sender->last_ack && track->step->events == 0) {
		name_repeated_ack(track);
	}
	if (!sender->acked || tcp_seq_lt(sender->last_ack, ack)) {
		/* A probe's byte found room. */
		if (sender->due == EXPLAIN_EVENT_WINDOW_PROBE_ACK && bare)
			track_name(track, EXPLAIN_EVENT_WINDOW_PROBE_ACK);
		sender->last_ack = ack;
		sender->due = 0;
	}
	sender->acked = true;
	if (!receiver->fin_sent || tcp_seq_lt(ack, receiver->fin))
		return;
	if (receiver->state == TCP_FIN_WAIT_1)
		receiver->state = TCP_FIN_WAIT_2;
	else if (receiver->state == TCP_CLOSING)
		receiver->state = TCP_TIME_WAIT;
	else if (receiver->state == TCP_LAST_ACK)
		receiver->state = TCP_CLOSED;
}

/* The sender says that it is done. */
static void
send_fin(const struct track *track)
{
	struct explain_end *sender = track->sender, *receiver = track->receiver;

	if (sender->fin_sent)
		return;
	sender->fin_sent = true;
	sender->fin = track->end_seq;
	if (sender->state == TCP_SYN_RCVD || sender->state == TCP_ESTABLISHED)
		sender->state = TCP_FIN_WAIT_1;
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
	fresh = explain_seen_add(&sender->seen, track->data_seq, text_end);
	if (has_flag(track, TCP_FIN))
		explain_seen_add(&sender->seen, text_end, text_end + 1);
	sender->bytes += fresh;
	if (fresh > 0 && !has_flag(track, TCP_SYN) &&
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
		join_pieces(receiver);
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
	const bool syn = has_flag(track, TCP_SYN);

	if (has_flag(track, TCP_RST)) {
		track_reset(track);
		return;
	}
	if (syn && has_flag(track, TCP_ACK))
		take_syn_ack(track);
	else if (syn)
		take_syn(track);
	else
		name_place(track);
	if (track_named(track, EXPLAIN_EVENT_STRAY_SYN))
		return;
	count_text(track);
	if (has_flag(track, TCP_ACK))
		take_ack(track);
	if (track->packet->segment.window == 0 && has_flag(track, TCP_ACK) &&
			!has_flag(track, TCP_FIN))
		track_name(track, EXPLAIN_EVENT_ZERO_WINDOW);
	move_on(track);
	if (has_flag(track, TCP_FIN) && !syn)
		send_fin(track);
	if (sender->fin_sent && tcp_seq_leq(sender->fin, receiver->rcv_nxt))
		receive_fin(receiver);
	if (!was_over && is_over(track->conn))
		track_name(track, EXPLAIN_EVENT_CLOSED);
	sender->last_window = track->packet->segment.window;
	sender->window = track_window(track);
	receiver->silence = 0;
}
