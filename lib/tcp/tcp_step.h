/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TCP_STEP_H
#define TCP_STEP_H

/**
 * @file
 * One event happens to one connection: the TCP machine as a function.
 *
 * tcp_step() computes facts about the segment, finds the first row of the table's cell for (state,
 * event) whose facts hold (tcp_rules.def), changes the connection as the row says and returns what
 * is to be done.  It touches *conn and nothing else: no clock, no allocation, no packet, no log.
 *
 * Data is not copied here.  An application behind handfast takes every byte inside the window it
 * asked for (tcp_env.rcv_wnd), so a row that accepts data moves rcv_nxt at once and reports which
 * bytes of the payload are new.  Text that comes out of order is not kept.
 *
 * What there is to send is tcp_output.h's business.  TCP_OUTCOME_OUTPUT asks it to look again:
 *   - the peer's window changed;
 *   - the third duplicate ACK came: TCP_CONN_RETRANSMIT is set, the timer runs on;
 *   - a timeout with something in flight: TCP_CONN_RETRANSMIT is set, and the timer;
 *   - the persist timer ran out: if nothing can be sent even so, TCP_SEND_PROBE is to be.
 * A FIN waits for ESTABLISHED (tcp_stream.fin): CLOSE in SYN_RCVD changes nothing.  Text waits,
 * too, unless the peer's SYN brought some with a good Fast Open cookie: the caller is told of it by
 * TCP_OUTCOME_DATA, and answers behind the SYN,ACK if it likes (RFC 7413 4.2.2).  What of that
 * answer is acknowledged with our SYN is told by TCP_OUTCOME_OPENED alone.
 * Probes grow apart like retransmissions, and end the connection only when retries2 of them in a
 * row (half as many, once some were answered; at least one) get no answer at all (RFC 9293
 * 3.8.6.1).
 *
 * The timer that is returned is right for a connection whose application has nothing to say; after
 * any outcome but the end, tcp_output_timer() knows better.
 */

#include <stdbool.h>
#include <stdint.h>

#include "tcp/tcp_conn.h"
#include "tcp/tcp_segment.h"

/** What can happen to a connection.  The first six are segments, classed by their flags. */
enum tcp_event {
	TCP_EVENT_SYN,     /**< SYN without ACK or RST. */
	TCP_EVENT_SYN_ACK, /**< SYN and ACK, no RST. */
	TCP_EVENT_ACK,     /**< ACK without SYN, FIN, RST; with or without data. */
	TCP_EVENT_FIN,     /**< FIN and ACK, no SYN, no RST. */
	TCP_EVENT_RST,     /**< RST, whatever else is set. */
	TCP_EVENT_BARE,    /**< No SYN, no ACK, no RST: never acceptable (RFC 9293 3.10.7.4). */
	TCP_EVENT_TIMEOUT, /**< The connection's one timer ran out. */
	TCP_EVENT_OPEN,    /**< Local active open, from CLOSED. */
	TCP_EVENT_CLOSE,   /**< Local close: everything was sent, now the FIN; not in SYN_RCVD. */
	TCP_EVENT_ABORT,   /**< Local abort (RFC 9293 3.10.5). */
	/* ICMP errors: the segment holds the quoted SEG.SEQ, and as MSS what the path takes. */
	TCP_EVENT_UNREACHABLE, /**< Port or protocol unreachable: hard (RFC 9293 3.9.2.2). */
	TCP_EVENT_TOO_BIG,     /**< Fragmentation needed, packet too big (RFC 1191, RFC 8201). */
	TCP_EVENTS,
};

/** Timeouts and retries, from the settings; names and meanings are the kernel's. */
struct tcp_config {
	uint32_t fin_timeout_ms;     /**< FIN_WAIT_2 of an orphan. */
	uint32_t idle_timeout_ms;    /**< ESTABLISHED without a segment; below 24 days (PAWS). */
	uint32_t keepalive_time_ms;  /**< Silence before the first probe; 0 sends none (MUST-25). */
	uint32_t keepalive_intvl_ms; /**< Between probes that get no answer. */
	uint8_t keepalive_probes;    /**< So many without an answer end the connection. */
	uint32_t time_wait_ms;       /**< 2 MSL. */
	uint32_t rto_min_ms;         /**< RFC 6298 2.4 says 1000; the kernel uses 200. */
	uint32_t rto_max_ms;         /**< RFC 6298 2.5: at least 60000. */
	uint8_t synack_retries;      /**< SYN-ACK retransmissions before giving up. */
	uint8_t syn_retries;         /**< SYN retransmissions before giving up. */
	uint8_t retries2;            /**< Data retransmissions before giving up (R2). */
	uint8_t orphan_retries;      /**< FIN retransmissions before giving up. */
	uint8_t initial_cwnd;        /**< Segments (RFC 6928: 10). */
	uint8_t rcv_wnd_scale;       /**< Our Rcv.Wind.Shift. */
	bool timestamps;             /**< Offer or accept the option. */
	bool sack;                   /**< Offer or accept SACK-permitted. */
	bool window_scaling;         /**< Offer or accept the option. */
	bool ecn;                    /**< Accept an ECN-setup SYN. */
	bool rfc1337;                /**< Ignore RST in TIME_WAIT. */
};

/** What the machine must know of the world for one event. */
struct tcp_env {
	const struct tcp_config *config;
	uint32_t now_ms;   /**< The worker's clock. */
	uint32_t ts_clock; /**< TSval to send now: milliseconds plus the connection's offset. */
	uint32_t rcv_wnd;  /**< Bytes the application takes now (RCV.WND), unscaled. */
	uint32_t isn;      /**< ISS should this event open a connection (RFC 6528). */
	uint16_t path_mss; /**< Largest payload the path takes without options: MTU - 40 or - 60. */
	uint16_t default_mss; /**< What to send when the peer gives no MSS: 536 or 1220. */
	bool fast_open; /**< Text in this SYN may be taken: its cookie is good (RFC 7413 4.2.2). */
};

/** Control segments to send; sequence numbers come from the connection or the segment. */
enum tcp_send {
	TCP_SEND_NOTHING,
	TCP_SEND_SYN,           /**< <SEQ=ISS><CTL=SYN> */
	TCP_SEND_SYN_ACK,       /**< <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK> */
	TCP_SEND_ACK,           /**< <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK> */
	TCP_SEND_CHALLENGE_ACK, /**< The same, rate limited (RFC 5961 7). */
	TCP_SEND_RST,     /**< Answer: <SEQ=SEG.ACK><CTL=RST> (RFC 9293 3.10.7.1), rate limited. */
	TCP_SEND_RST_ACK, /**< Answer: <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>, rate limited. */
	TCP_SEND_ABORT,   /**< <SEQ=SND.NXT><ACK=RCV.NXT><CTL=RST,ACK>: we give up. */
	TCP_SEND_FIN,     /**< <SEQ=SND.NXT-1><ACK=RCV.NXT><CTL=FIN,ACK> */
	TCP_SEND_PROBE,   /**< <SEQ=SND.UNA-1><ACK=RCV.NXT><CTL=ACK>: window or keep-alive probe. */
};

/** Things that happened, for the caller; several may be set. */
enum tcp_outcome {
	TCP_OUTCOME_OPENED = 0x01,   /**< The peer acknowledged our SYN: ESTABLISHED or beyond. */
	TCP_OUTCOME_DATA = 0x02,     /**< The payload holds new bytes: skip and take. */
	TCP_OUTCOME_PEER_FIN = 0x04, /**< The peer will send no more. */
	TCP_OUTCOME_ACKED = 0x08,    /**< snd_una moved over data or FIN. */
	TCP_OUTCOME_OUTPUT = 0x10, /**< Call tcp_output_next(): window, timer or duplicate ACKs. */
	TCP_OUTCOME_CLOSED =
			0x20, /**< Entered CLOSED by an orderly close or its timeout: free it. */
	TCP_OUTCOME_RESET = 0x40, /**< Entered CLOSED by a reset, ours or the peer's: free it. */
	TCP_OUTCOME_TIMED_OUT = 0x80, /**< Entered CLOSED because retries or patience ran out. */
};

/** What is to happen to the connection's timer. */
enum tcp_timer {
	TCP_TIMER_KEEP, /**< Leave the deadline as it is. */
	TCP_TIMER_SET,  /**< Deadline is now + delay_ms. */
	TCP_TIMER_STOP, /**< No deadline (only on the way to CLOSED). */
};

/** What tcp_step() wants done.  Sixteen bytes, returned in registers. */
struct tcp_action {
	uint32_t delay_ms; /**< With TCP_TIMER_SET. */
	uint16_t skip;     /**< With TCP_OUTCOME_DATA: payload bytes seen before. */
	uint16_t take;     /**< With TCP_OUTCOME_DATA: new bytes after those. */
	uint16_t rule;     /**< Which row fired: an index into tcp_rules_describe(). */
	uint8_t send;      /**< enum tcp_send */
	uint8_t timer;     /**< enum tcp_timer */
	uint8_t outcome;   /**< enum tcp_outcome bits */
	uint8_t drop;      /**< enum tcp_refusal, for the counters. */
	uint16_t reserved;
};

_Static_assert(sizeof(struct tcp_action) == 16, "returned in two registers");

/**
 * Why a segment's text changed nothing; each has a drop reason of its own in counters.def.  Of a
 * segment that is out of order, or probes our closed window, the ACK may have been taken.
 */
enum tcp_refusal {
	TCP_REFUSAL_NONE,          /**< It was taken, or its answer says all. */
	TCP_REFUSAL_NOT_A_SYN,     /**< LISTEN: neither SYN, ACK nor RST; or SYN with FIN. */
	TCP_REFUSAL_BAD_RST,       /**< RST outside the window, or for no connection. */
	TCP_REFUSAL_NO_ACK,        /**< A synchronized state and no ACK bit. */
	TCP_REFUSAL_BAD_ACK,       /**< SEG.ACK acknowledges what was never sent, or is too old. */
	TCP_REFUSAL_OUT_OF_WINDOW, /**< SEG.SEQ not acceptable, answered by an ACK or not. */
	TCP_REFUSAL_OUT_OF_ORDER,  /**< In the window but not at RCV.NXT: not kept. */
	TCP_REFUSAL_PAWS,          /**< Older timestamp than TS.Recent. */
	TCP_REFUSAL_NO_TIMESTAMP, /**< Timestamps negotiated, none in the segment (RFC 7323 3.2). */
	TCP_REFUSAL_ICMP,  /**< An ICMP error that quotes nothing in flight, or is soft here. */
	TCP_REFUSAL_STATE, /**< No row: the event means nothing in this state. */
	TCP_REFUSALS,
};

/** enum tcp_event by FIN, SYN, RST and, in RST's successor's place, ACK. */
extern const uint8_t tcp_step_events[16];

/** The event a segment with these control bits is. */
static inline enum tcp_event
tcp_step_event(uint8_t flags)
{
	return (enum tcp_event)tcp_step_events[(flags & (TCP_FIN | TCP_SYN | TCP_RST)) |
					       (flags & TCP_ACK) >> 1];
}

/**
 * Let one event happen.
 *
 * @param conn
 *   The connection; in state LISTEN (all other fields zero) for a segment that found no connection
 *   but a service, CLOSED for one that found no service.
 * @param event
 *   What happens; tcp_step_event(segment->flags) for segments.
 * @param segment
 *   The segment; for TIMEOUT, OPEN, CLOSE and ABORT NULL.
 * @return
 *   What is to be done.  After TCP_OUTCOME_CLOSED, _RESET or _TIMED_OUT the connection is in state
 *   CLOSED and belongs to the caller to be freed; it may still name a segment to send first.
 */
struct tcp_action tcp_step(struct tcp_conn *conn, enum tcp_event event,
		const struct tcp_segment *segment, const struct tcp_env *env);

/** The retransmission timeout now, back-off included, in milliseconds (RFC 6298). */
uint32_t tcp_step_rto_ms(const struct tcp_conn *conn, const struct tcp_config *config);

/**
 * How long a connection with nothing in flight waits from now: for the next keep-alive probe, or
 * until idle_timeout is over.  Probes that are due later than that are never sent.
 */
uint32_t tcp_step_idle_ms(const struct tcp_conn *conn, const struct tcp_config *config);

#endif /* TCP_STEP_H */
