/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "explain/explain_conn.h"
#include "explain/explain_track.h"
#include "tcp/tcp_seq.h"

/* After this long a SYN belongs to another connection: twice the longest 2 MSL in use. */
#define CONN_FORGOTTEN_NS (INT64_C(480) * 1000000000)

static const struct {
	const char *slug;
	const char *text;
} conn_event[] = {
#define EVENT(name, slug, text) {slug, text},
#define WHY(name, text)
#include "explain/explain_events.def"
#undef EVENT
#undef WHY
};

static const char *const conn_why[] = {
#define EVENT(name, slug, text)
#define WHY(name, text) text,
#include "explain/explain_events.def"
#undef EVENT
#undef WHY
};

const char *
explain_event_slug(unsigned int event)
{
	return conn_event[event].slug;
}

const char *
explain_event_text(unsigned int event)
{
	return conn_event[event].text;
}

const char *
explain_why_text(unsigned int why)
{
	return conn_why[why];
}

/* Who of the two opened the connection, when no SYN says so: servers have the lower ports. */
static bool
sent_by_client(const struct explain_packet *packet)
{
	const uint8_t flags = packet->segment.flags;

	if (flags & TCP_SYN)
		return !(flags & TCP_ACK);
	return packet->source_port >= packet->destination_port;
}

void
explain_conn_init(struct explain_conn *conn, const struct explain_packet *packet)
{
	const bool client = sent_by_client(packet);
	struct explain_end *source = &conn->end[client ? 0 : 1];
	struct explain_end *destination = &conn->end[client ? 1 : 0];

	memset(conn, 0, sizeof(*conn));
	memcpy(source->address, packet->source, sizeof(source->address));
	memcpy(destination->address, packet->destination, sizeof(destination->address));
	source->port = packet->source_port;
	destination->port = packet->destination_port;
	conn->times = (struct explain_times){
			.first = packet->time_ns,
			.last = packet->time_ns,
			.last_own = packet->time_ns,
			.syn = EXPLAIN_NEVER,
			.syn_ack = EXPLAIN_NEVER,
			.connected = EXPLAIN_NEVER,
			.application = EXPLAIN_NEVER,
			.request = EXPLAIN_NEVER,
			.reply = EXPLAIN_NEVER,
			.close = EXPLAIN_NEVER,
			.closed = EXPLAIN_NEVER,
	};
	if (packet->segment.flags & TCP_SYN)
		return;
	conn->middle = true;
}

/*
 * No state takes it, and where there is none it is answered by a RST (RFC 9293 3.10.7.1, 3.10.7.2,
 * 3.10.7.4), which is what scanners count on.  Whether somebody listens is not known yet.
 */
static bool
is_for_nobody(const struct tcp_segment *segment)
{
	return (segment->flags & (TCP_SYN | TCP_RST | TCP_ACK)) == 0;
}

static unsigned int
direction(const struct explain_conn *conn, const struct explain_packet *packet)
{
	const struct explain_end *client = &conn->end[0];

	return client->port == packet->source_port && memcmp(client->address, packet->source,
								      sizeof(client->address)) == 0
			       ? 0
			       : 1;
}

static bool
is_gone(const struct explain_end *end)
{
	return end->state == TCP_CLOSED || end->state == TCP_LISTEN || end->state == TCP_TIME_WAIT;
}

/*
 * Whether a SYN-ACK is of the next connection, whose SYN the capture has later or not at all: an
 * end that is gone has no new one for this connection.  An old one may come again; one for the same
 * SYN is a SYN cookie (RFC 4987 3.6), or comes from behind who refused it.
 */
static bool
is_next_syn_ack(const struct explain_conn *conn, const struct explain_end *sender,
		const struct tcp_segment *segment)
{
	return sender->heard && is_gone(sender) && segment->seq != sender->base &&
	       segment->ack != conn->syn_acked_seq;
}

bool
explain_conn_is_next(const struct explain_conn *conn, const struct explain_packet *packet)
{
	const unsigned int from = direction(conn, packet);
	const struct explain_end *sender = &conn->end[from];
	const struct tcp_segment *segment = &packet->segment;

	if ((segment->flags & (TCP_SYN | TCP_RST)) != TCP_SYN)
		return false;
	/*
	 * A capture of one direction lacks the rest of the close, and of the next connection may
	 * have the SYN-ACK alone.  Where the other end is heard, its state tells whether a SYN is
	 * forged (RFC 9293 3.10.7.4).
	 */
	if (conn->end[!from].packets == 0 && sender->fin_sent && segment->seq != sender->base)
		return true;
	if (segment->flags & TCP_ACK)
		return is_next_syn_ack(conn, sender, segment);
	if (packet->time_ns - conn->times.last > CONN_FORGOTTEN_NS)
		return true;
	/* What began in the middle and is ending has said all that it will. */
	if (conn->middle && conn->times.close != EXPLAIN_NEVER)
		return true;
	if (!sender->heard)
		return false;
	return is_gone(sender) || (sender->state == TCP_SYN_SENT && segment->seq != sender->base);
}

bool
explain_conn_is_replaced(const struct explain_conn *conn, const struct explain_packet *packet)
{
	const struct explain_piece *stray = &conn->end[!direction(conn, packet)].stray;
	const struct tcp_segment *segment = &packet->segment;

	return (segment->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == (TCP_SYN | TCP_ACK) &&
	       tcp_seq_lt(stray->from, segment->ack) && tcp_seq_leq(segment->ack, stray->to) &&
	       stray->from != stray->to;
}

void
explain_conn_untrack(struct explain_conn *conn, const struct explain_packet *packet)
{
	conn->packets--;
	conn->end[direction(conn, packet)].packets--;
	conn->counts[EXPLAIN_EVENT_STRAY_SYN]--;
	conn->times.last = conn->times.last_own;
}

/* Whoever is heard for the first time is measured from there. */
static void
meet(const struct track *track)
{
	const struct tcp_segment *segment = &track->packet->segment;
	struct explain_end *sender = track->sender, *receiver = track->receiver;

	if (!sender->heard) {
		sender->heard = true;
		/* What was acknowledged before is missing when this one comes after it. */
		if (!sender->acked_by_other || tcp_seq_lt(track->data_seq, sender->seen.next))
			explain_seen_start(&sender->seen, track->data_seq);
		if (!sender->acked_by_other)
			sender->base = segment->flags & (TCP_SYN | TCP_RST) ? segment->seq
									    : segment->seq - 1;
		sender->snd_nxt = segment->seq;
		if (!sender->acked_by_other)
			receiver->rcv_nxt = segment->seq;
	}
	if ((segment->flags & TCP_ACK) && !receiver->heard && !receiver->acked_by_other) {
		receiver->acked_by_other = true;
		receiver->base = segment->ack - 1;
		receiver->snd_nxt = segment->ack;
		sender->rcv_nxt = segment->ack;
		explain_seen_start(&receiver->seen, segment->ack);
	}
}

static void
note_times(struct explain_conn *conn, const struct track *track)
{
	struct explain_times *times = &conn->times;
	const int64_t now = track->packet->time_ns;
	const struct {
		int64_t *when;
		bool now;
	} notes[] = {
			{&times->syn, track_named(track, EXPLAIN_EVENT_SYN)},
			{&times->syn_ack, track_named(track, EXPLAIN_EVENT_SYN_ACK)},
			{&times->connected, track_named(track, EXPLAIN_EVENT_HANDSHAKE)},
			{&times->application,
					track_named(track, EXPLAIN_EVENT_APPLICATION_HANDSHAKE)},
			{&times->close, track_named(track, EXPLAIN_EVENT_FIN) || conn->reset},
			{&times->closed, is_gone(&conn->end[0]) && is_gone(&conn->end[1]) &&
							 (conn->reset || conn->end[0].fin_sent)},
	};

	times->last = now;
	if (!track_named(track, EXPLAIN_EVENT_STRAY_SYN) ||
			(track->packet->segment.flags & TCP_ACK))
		times->last_own = now;
	for (unsigned int i = 0; i < RTE_DIM(notes); i++)
		if (notes[i].now && *notes[i].when == EXPLAIN_NEVER)
			*notes[i].when = now;
}

/* Whether the other end's application can read on with this one; a SYN is before its data. */
static bool
is_next_text(const struct track *track)
{
	return tcp_seq_leq(track->packet->segment.seq, track->expected) &&
	       tcp_seq_lt(track->expected, track->data_seq + track->packet->payload_length);
}

/* What the payload says, and when request and reply began. */
static void
read_payload(struct explain_conn *conn, const struct track *track)
{
	const struct explain_packet *packet = track->packet;
	const struct explain_text text = {
			.offset = track->data_seq - track->sender->base - 1,
			.length = packet->payload_length,
			.captured = packet->payload_captured,
			.bytes = packet->payload,
			.acked = track->sender->last_ack - track->receiver->base - 1,
	};
	struct explain_times *times = &conn->times;

	if (text.length == 0 || conn->unread)
		return;
	if (conn->payload == NULL)
		conn->payload = calloc(1, sizeof(*conn->payload));
	if (conn->payload == NULL)
		return;
	if (explain_payload_add(conn->payload, track->step->from, &text)) {
		track_name(track, EXPLAIN_EVENT_APPLICATION_HANDSHAKE);
		if (explain_payload_request_follows(conn->payload))
			times->request = packet->time_ns;
		if (conn->payload->protocol == EXPLAIN_PROTOCOL_TLS)
			return;
	}
	if (conn->payload->protocol == EXPLAIN_PROTOCOL_TLS && !conn->payload->done)
		return;
	if (track->step->from == 0 && times->request == EXPLAIN_NEVER)
		times->request = packet->time_ns;
	if (track->step->from == 1 && times->reply == EXPLAIN_NEVER &&
			times->request != EXPLAIN_NEVER && is_next_text(track))
		times->reply = packet->time_ns;
}

static void
describe(const struct track *track)
{
	const struct explain_packet *packet = track->packet;
	const struct tcp_segment *segment = &packet->segment;
	struct explain_step *step = track->step;

	step->time_ns = packet->time_ns;
	step->number = packet->number;
	step->flags = segment->flags;
	step->payload_length = packet->payload_length;
	step->options_cut = packet->options_cut;
	step->options_length = packet->options_length;
	if (packet->options_length > 0)
		memcpy(step->options, packet->options, packet->options_length);
	step->seq = segment->seq - track->sender->base;
	step->ack = segment->flags & TCP_ACK ? segment->ack - track->receiver->base : 0;
	step->window = track_window(track);
}

/* The first segment of a connection whose handshake was not captured. */
static void
begin_in_the_middle(const struct track *track)
{
	struct explain_conn *conn = track->conn;

	if (!conn->middle || conn->packets != conn->counts[EXPLAIN_EVENT_NO_ACK])
		return;
	conn->end[0].state = TCP_ESTABLISHED;
	conn->end[1].state = TCP_ESTABLISHED;
	if (conn->packets == 0)
		track_name(track, EXPLAIN_EVENT_MIDDLE);
}

void
explain_conn_track(struct explain_conn *conn, const struct explain_packet *packet,
		struct explain_step *step)
{
	const unsigned int from = direction(conn, packet);
	const struct tcp_segment *segment = &packet->segment;
	const uint32_t seq = segment->seq;
	struct track track = {
			.conn = conn,
			.packet = packet,
			.step = step,
			.sender = &conn->end[from],
			.receiver = &conn->end[!from],
			.data_seq = seq + !!(segment->flags & TCP_SYN),
			.end_seq = seq + packet->payload_length + !!(segment->flags & TCP_SYN) +
				   !!(segment->flags & TCP_FIN),
	};

	memset(step, 0, sizeof(*step));
	step->from = (uint8_t)from;
	meet(&track);
	track.expected = track.receiver->rcv_nxt;
	if (is_for_nobody(segment)) {
		track_name(&track, EXPLAIN_EVENT_NO_ACK);
	} else {
		begin_in_the_middle(&track);
		track_segment(&track);
	}
	describe(&track);
	if ((segment->flags & TCP_RST) == 0 && !is_for_nobody(segment) && !track_is_ignored(&track))
		read_payload(conn, &track);
	step->state[0] = conn->end[0].state;
	step->state[1] = conn->end[1].state;
	note_times(conn, &track);
	conn->packets++;
	track.sender->packets++;
	for (unsigned int event = 0; event < EXPLAIN_EVENTS; event++)
		conn->counts[event] += (step->events & explain_event_bit(event)) != 0;
}

enum explain_fate
explain_conn_fate(const struct explain_conn *conn)
{
	if (conn->reset)
		return conn->fate_why == EXPLAIN_WHY_REFUSED ? EXPLAIN_FATE_REFUSED
							     : EXPLAIN_FATE_RESET;
	if (conn->times.closed != EXPLAIN_NEVER)
		return EXPLAIN_FATE_CLOSED;
	if (conn->times.close != EXPLAIN_NEVER)
		return EXPLAIN_FATE_CLOSING;
	if (conn->counts[EXPLAIN_EVENT_NO_ACK] + conn->counts[EXPLAIN_EVENT_RESET] == conn->packets)
		return EXPLAIN_FATE_IGNORED;
	return conn->end[0].state >= TCP_ESTABLISHED && conn->end[1].state >= TCP_ESTABLISHED
			       ? EXPLAIN_FATE_OPEN
			       : EXPLAIN_FATE_OPENING;
}

void
explain_conn_free(struct explain_conn *conn)
{
	for (unsigned int i = 0; i < 2; i++)
		explain_seen_free(&conn->end[i].seen);
	if (conn->payload != NULL)
		explain_payload_free(conn->payload);
	free(conn->payload);
	conn->payload = NULL;
}
