/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * What an acknowledgement says of the end that it goes to, and whether to believe it; see
 * explain_conn.h.
 */

#include <rte_common.h>

#include "explain/explain_track.h"
#include "tcp/tcp_seq.h"

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
	track_join_pieces(sender);
	if (receiver->fin_sent && tcp_seq_leq(receiver->fin, sender->rcv_nxt))
		track_receive_fin(sender);
}

/*
 * Whether what an ACK is ahead of the capture may only be missing there.  What was never sent is
 * not to be believed (RFC 9293 3.10.7.4), or all that its sender says from then on would be
 * retransmissions.  An end acknowledges what its window had room for; where the capture lacks more
 * than that, data comes from beyond, before or afterwards, or its next ACK goes on from there.
 */
static bool
is_credible(const struct track *track)
{
	const struct explain_end *sender = track->sender;
	const uint32_t ack = track->packet->segment.ack;
	const uint32_t window = RTE_MAX(TRACK_WINDOW,
			track_scales_known(track)
					? sender->window
					: (uint32_t)sender->last_window << TRACK_SCALE_MAX);

	return !track->receiver->heard || !sender->acked || ack - sender->last_ack <= window ||
	       track_goes_on(track->receiver, ack) ||
	       (sender->doubted && ack - sender->doubt - 1 < window);
}

/* Whether an acknowledgement can be taken; names it where not. */
static bool
ack_is_good(const struct track *track)
{
	struct explain_end *sender = track->sender, *receiver = track->receiver;
	const uint32_t ack = track->packet->segment.ack;
	const bool beyond = tcp_seq_lt(receiver->snd_nxt, ack);

	if (receiver->state == TCP_SYN_SENT && !track_has(track, TCP_SYN)) {
		if (track_acks_syn(track)) {
			/* The capture lacks the SYN-ACK. */
			receiver->state = TCP_ESTABLISHED;
			return true;
		}
		/* RFC 5961 4.2: an end that is open already answers a SYN so. */
		track_name(track, EXPLAIN_EVENT_CHALLENGE_ACK);
		return false;
	}
	if (!receiver->heard || !receiver->syn_sent || track_is_synchronized(receiver)) {
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
		if (track_goes_on(receiver, ack))
			track_believe(receiver);
		receive_acknowledged(track);
		return true;
	}
	if (!track_acks_syn(track) && receiver->state == TCP_SYN_RCVD) {
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

	if (track_has(track, TCP_SYN))
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

void
track_ack(const struct track *track)
{
	struct explain_end *sender = track->sender, *receiver = track->receiver;
	const uint32_t ack = track->packet->segment.ack;
	const bool bare =
			track->packet->payload_length == 0 && !track_has(track, TCP_SYN | TCP_FIN);

	prove_handshake(track);
	if (!ack_is_good(track)) {
		/* A reset that answers it begins there (RFC 9293 3.10.7.3). */
		if (receiver->state == TCP_SYN_SENT) {
			sender->last_ack = ack;
			sender->acked = true;
		}
		return;
	}
	if (receiver->state == TCP_SYN_RCVD && (receiver->heard || !track_has(track, TCP_SYN))) {
		receiver->state = TCP_ESTABLISHED;
		/* When it was is known only where the other's SYN is in the capture. */
		if (track_is_synchronized(sender) && receiver->syn_sent)
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
	if (!sender->acked)
		sender->edge = ack;
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
