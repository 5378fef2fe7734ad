/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TCP_OUTPUT_H
#define TCP_OUTPUT_H

/**
 * @file
 * What a connection may send now: window, congestion window, retransmission, and the FIN behind
 * the last byte.
 *
 * The application's stream is not buffered: it can be written again from any sequence number that
 * is not yet acknowledged (respond_fill()), so sending again is only a matter of asking for the
 * same numbers.  Congestion control is RFC 5681 with NewReno (RFC 6582) on a window of at most 255
 * segments.  It is more cautious than it might be (RFC 5681 3): duplicate ACKs do not inflate the
 * window, and a lost flight is repeated one segment per ACK.  It does not use SACK blocks, and does
 * not shrink the window of a connection that was idle (RFC 5681 4.1).
 *
 * With Fast Open, what the first window allows goes out in SYN_RCVD already, but for a FIN.
 *
 * Nothing new goes beyond the peer's window, not even a byte to probe it: the persist timer's
 * probe is TCP_SEND_PROBE, which every TCP must answer (RFC 9293 3.10.7.4 first).
 *
 * The order of calls after tcp_step() returned TCP_OUTCOME_ACKED, _OUTPUT, _OPENED or _DATA:
 * tell the application what was acknowledged and what came, ask it for its stream's end, then
 * call tcp_output_next() until it returns false, then tcp_output_timer() once.
 */

#include <stdbool.h>
#include <stdint.h>

#include "tcp/tcp_conn.h"
#include "tcp/tcp_step.h"

/** What the application has to say. */
struct tcp_stream {
	uint32_t end; /**< Sequence number after the last byte that is ready. */
	bool fin;     /**< Nothing will ever follow: FIN goes behind the last byte. */
};

/** One segment to build. */
struct tcp_chunk {
	uint32_t seq;    /**< SEG.SEQ */
	uint16_t length; /**< Payload bytes, to be written from seq on; may be 0 with FIN. */
	uint8_t flags;   /**< enum tcp_flag: ACK always, PSH on the last byte, FIN. */
	bool again;      /**< A retransmission. */
};

/** Where the sender of a connection begins whose stream does. */
static inline struct tcp_sender
tcp_output_begin(uint32_t snd_una)
{
	/* Never at SND.UNA: that is where recovery was. */
	return (struct tcp_sender){.recover = snd_una - 1, .ssthresh = UINT8_MAX};
}

/** A connection was opened: start the congestion window; with Fast Open, anew. */
void tcp_output_open(
		struct tcp_conn *conn, struct tcp_sender *sender, const struct tcp_config *config);

/**
 * Take the congestion consequences of an action: grow on ACKED, halve on the third duplicate ACK,
 * fall to one segment on a timeout.
 *
 * @param acked_bytes
 *   How far snd_una moved in this step.
 */
void tcp_output_react(struct tcp_conn *conn, struct tcp_sender *sender,
		const struct tcp_action *action, uint32_t acked_bytes);

/**
 * The next segment to send, if the windows allow one.
 *
 * Moves snd_nxt; when the chunk carries the FIN for the first time, TCP_EVENT_CLOSE happens to the
 * connection (ESTABLISHED to FIN_WAIT_1, CLOSE_WAIT to LAST_ACK).
 *
 * @return
 *   Whether @p chunk was filled and must be sent.
 */
bool tcp_output_next(struct tcp_conn *conn, const struct tcp_stream *stream,
		const struct tcp_env *env, struct tcp_chunk *chunk);

/** Leave the deadline as it is. */
#define TCP_OUTPUT_TIMER_KEEP UINT32_MAX

/**
 * The delay until the connection's next timeout, in milliseconds, after output is done: the RTO
 * while something is in flight, the persist timer while the window holds everything back, the
 * state's own timeout otherwise.
 *
 * @return
 *   TCP_OUTPUT_TIMER_KEEP when the timer already waits for the right thing: only new
 *   acknowledgments and retransmissions start the RTO anew (RFC 6298 5), or a peer that never
 *   stops talking would keep it from ever running out.
 */
uint32_t tcp_output_timer(struct tcp_conn *conn, const struct tcp_config *config);

#endif /* TCP_OUTPUT_H */
