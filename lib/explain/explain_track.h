/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef EXPLAIN_TRACK_H
#define EXPLAIN_TRACK_H

/**
 * @file
 * The rules of explain_conn.h's tracker; nobody but explain_conn.c calls it.
 */

#include "explain/explain_conn.h"
#include "tcp/tcp_seq.h"

/** What is this far from where an end is at most is believed, however small the known window is. */
#define TRACK_WINDOW    UINT32_C(65535)

#define TRACK_SCALE_MAX 14 /**< RFC 7323 2.3 */

/** One segment on its way from one end to the other. */
struct track {
	struct explain_conn *conn;
	const struct explain_packet *packet;
	struct explain_step *step;
	struct explain_end *sender;
	struct explain_end *receiver;
	uint32_t data_seq; /**< Of the first byte of payload. */
	uint32_t end_seq;  /**< SEG.SEQ + SEG.LEN */
	uint32_t expected; /**< The receiver's rcv_nxt before it. */
};

static inline void
track_name(const struct track *track, enum explain_event event)
{
	track->step->events |= explain_event_bit(event);
}

static inline bool
track_named(const struct track *track, enum explain_event event)
{
	return track->step->events & explain_event_bit(event);
}

/** Whether the segment changes nothing, whatever it says. */
static inline bool
track_is_ignored(const struct track *track)
{
	return track_named(track, EXPLAIN_EVENT_STRAY_SYN) ||
	       track_named(track, EXPLAIN_EVENT_OUTSIDE);
}

/** Whether the segment has one of these. */
static inline bool
track_has(const struct track *track, uint8_t flags)
{
	return track->packet->segment.flags & flags;
}

static inline bool
track_is_synchronized(const struct explain_end *end)
{
	return end->state >= TCP_ESTABLISHED;
}

/** Whether it acknowledges what a receiver that is not synchronized yet has sent. */
static inline bool
track_acks_syn(const struct track *track)
{
	const uint32_t ack = track->packet->segment.ack;

	return tcp_seq_lt(track->receiver->base, ack) && tcp_seq_leq(ack, track->receiver->snd_nxt);
}

/** Whether both window scales are known: else windows are not. */
static inline bool
track_scales_known(const struct track *track)
{
	return track->conn->counts[EXPLAIN_EVENT_SYN] > 0 &&
	       track->conn->counts[EXPLAIN_EVENT_SYN_ACK] > 0;
}

/** Name the segment, and move both ends on. */
void track_segment(const struct track *track);

/** The same for one with RST. */
void track_reset(const struct track *track);

/** What its acknowledgement does to the end that it goes to. */
void track_ack(const struct track *track);

/** Whether a segment goes on from, or acknowledges, what an end said outside the window. */
static inline bool
track_goes_on(const struct explain_end *end, uint32_t seq)
{
	return end->outside.from != end->outside.to && seq == end->outside.to;
}

/** It was genuine, since there is such a segment. */
void track_believe(struct explain_end *sender);

/** The other end's FIN has reached an end. */
void track_receive_fin(struct explain_end *receiver);

/** Islands that the shore has reached become part of it. */
void track_join_pieces(struct explain_end *receiver);

/** SEG.WND in bytes. */
uint32_t track_window(const struct track *track);

#endif /* EXPLAIN_TRACK_H */
