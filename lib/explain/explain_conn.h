/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef EXPLAIN_CONN_H
#define EXPLAIN_CONN_H

/**
 * @file
 * One captured connection: both ends' states (RFC 9293 3.3.2) after every segment, and the name of
 * what each segment did.
 *
 * The tracker sees the wire, not the hosts: states are those that the ends have if every captured
 * segment arrives.  Where an end's own words prove otherwise (its FIN does not acknowledge the
 * other's: simultaneous close) it is corrected.  Sequence numbers in steps are relative to the
 * SYNs, or to the first segment seen of an end.
 */

#include <stdbool.h>
#include <stdint.h>

#include "explain/explain_packet.h"
#include "explain/explain_payload.h"
#include "explain/explain_seen.h"
#include "tcp/tcp_conn.h"

#define EVENT(name, slug, text) EXPLAIN_EVENT_##name,
#define WHY(name, text)
enum explain_event {
#include "explain/explain_events.def"
	EXPLAIN_EVENTS
};
#undef EVENT
#undef WHY

#define EVENT(name, slug, text)
#define WHY(name, text) EXPLAIN_WHY_##name,
enum explain_why {
#include "explain/explain_events.def"
	EXPLAIN_WHYS
};
#undef EVENT
#undef WHY

_Static_assert(EXPLAIN_EVENTS <= 64, "a step's events are bits of a word");

/** Its bit in a step's events. */
static inline uint64_t
explain_event_bit(unsigned int event)
{
	return UINT64_C(1) << event;
}

/** The word for JSON, and the one for people. */
const char *explain_event_slug(unsigned int event);
const char *explain_event_text(unsigned int event);
const char *explain_why_text(unsigned int why);

#define EXPLAIN_PIECES 8 /**< Islands of received data beyond a gap that are remembered. */

/** One end of a connection. */
struct explain_end {
	uint8_t address[16];
	uint16_t port;
	uint8_t state; /**< enum tcp_state */
	bool heard;    /**< It has sent something: base, snd_nxt are known. */
	bool syn_sent; /**< In the capture. */
	bool fin_sent;
	bool acked_by_other; /**< The other end spoke of it first: base is known. */
	bool acked;          /**< It has sent an ACK: last_ack is known. */
	bool challenged;     /**< It is due to answer with a challenge ACK. */
	uint8_t due;         /**< enum explain_event that will answer the probe it got, or 0. */
	bool opener;         /**< It sent a SYN without ACK, as the capture or its answer says. */
	bool scales;         /**< Its SYN had the window scale option. */
	uint8_t window_scale;
	uint8_t silence; /**< Retransmissions since it last heard from the other end. */
	uint16_t mss;
	uint32_t base;     /**< What relative sequence numbers count from. */
	uint32_t snd_nxt;  /**< After the highest that it sent. */
	uint32_t fin;      /**< After its FIN. */
	uint32_t rcv_nxt;  /**< After what the capture has of the other end without a gap. */
	uint32_t last_ack; /**< The highest that it acknowledged. */
	uint32_t doubt;    /**< What its last ACK said, when that was too far to be believed. */
	bool doubted;
	uint32_t edge; /**< What it gave room for at most: right edge of its window. */
	struct explain_piece outside; /**< What it said last beyond the other's window, or empty. */
	bool outside_fin;             /**< With a FIN at its end. */
	bool stamps;                  /**< It sends timestamps. */
	uint32_t tsval;               /**< The last one. */
	uint16_t last_window;
	uint32_t window;     /**< The same in bytes. */
	int64_t advanced_ns; /**< When snd_nxt last moved. */
	unsigned int pieces; /**< What came beyond rcv_nxt. */
	struct explain_piece piece[EXPLAIN_PIECES];
	bool forgot; /**< There were more islands. */
	struct explain_piece
			stray; /**< Its last SYN that did not open this connection, or empty. */
	struct explain_seen seen;
	uint64_t packets;
	uint64_t bytes; /**< Payload, each byte once. */
	uint64_t retransmissions;
};

/** A segment with what it did: one line of the ladder. */
struct explain_step {
	int64_t time_ns;
	uint64_t number; /**< Of the packet in its file. */
	uint64_t events; /**< explain_event_bit() of each. */
	uint32_t seq;    /**< Relative. */
	uint32_t ack;    /**< Relative. */
	uint32_t window; /**< In bytes, as far as the scale is known. */
	uint32_t payload_length;
	uint8_t why;      /**< enum explain_why, with EXPLAIN_EVENT_RESET. */
	uint8_t flags;    /**< enum tcp_flag */
	uint8_t from;     /**< 0: the client sent it. */
	uint8_t state[2]; /**< Of client and server, afterwards. */
	bool options_cut;
	uint8_t options_length;
	uint8_t options[40];
};

#define EXPLAIN_NEVER INT64_MIN /**< No time of a capture; 0 is one. */

/** When something happened for the first time, in nanoseconds of the capture, or EXPLAIN_NEVER. */
struct explain_times {
	int64_t first;
	int64_t last;
	int64_t last_own; /**< The same without SYNs that may be the next connection's. */
	int64_t syn;
	int64_t syn_ack;
	int64_t connected;   /**< The third segment of the handshake. */
	int64_t application; /**< TLS or WebSocket handshake finished. */
	int64_t request;     /**< First payload of the client after both handshakes. */
	int64_t reply;       /**< First payload of the server after that, in order. */
	int64_t close;       /**< First FIN or effective RST. */
	int64_t closed;      /**< Both ends gone, or in TIME_WAIT. */
};

/** How a connection stands at the end of the capture. */
enum explain_fate {
	EXPLAIN_FATE_OPEN,    /**< Established, or picked up in the middle. */
	EXPLAIN_FATE_OPENING, /**< The handshake has not completed. */
	EXPLAIN_FATE_CLOSING, /**< A FIN was there. */
	EXPLAIN_FATE_CLOSED,  /**< By FIN from both ends. */
	EXPLAIN_FATE_RESET,   /**< By RST. */
	EXPLAIN_FATE_REFUSED, /**< By RST in answer to the SYN. */
	EXPLAIN_FATE_IGNORED, /**< No segment that any state takes: a scan's. */
};

struct explain_conn {
	struct explain_end end[2]; /**< Client, server. */
	struct explain_times times;
	struct explain_payload *payload; /**< NULL as long as nobody said anything. */
	uint64_t packets;
	uint32_t counts[EXPLAIN_EVENTS]; /**< Steps with each event. */
	uint32_t syn_acked_seq; /**< After the SYN, or what the last SYN-ACK acknowledged. */
	uint8_t fate_why;       /**< enum explain_why of the RST that ended it. */
	bool reset;
	bool middle; /**< The handshake is not in the capture. */
	bool unread; /**< Nobody wants to know what it says: payload is not looked at. */
};

/** Make the connection that a packet begins. */
void explain_conn_init(struct explain_conn *conn, const struct explain_packet *packet);

/** Whether a SYN, or a SYN-ACK, cannot belong to this connection any more and opens the next. */
bool explain_conn_is_next(const struct explain_conn *conn, const struct explain_packet *packet);

/**
 * Whether a SYN-ACK answers a SYN that was taken for a stray one.  An end that still had this
 * connection would have answered with a challenge ACK (RFC 9293 3.10.7.4), so there is another one,
 * and the SYN was its first segment.
 */
bool explain_conn_is_replaced(const struct explain_conn *conn, const struct explain_packet *packet);

/** Take back a SYN that was tracked as a stray one: it is another connection's. */
void explain_conn_untrack(struct explain_conn *conn, const struct explain_packet *packet);

/** Take a packet of the connection into account and say what it did. */
void explain_conn_track(struct explain_conn *conn, const struct explain_packet *packet,
		struct explain_step *step);

enum explain_fate explain_conn_fate(const struct explain_conn *conn);

/** Free what the connection holds; not the connection. */
void explain_conn_free(struct explain_conn *conn);

#endif /* EXPLAIN_CONN_H */
