/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TCP_CONN_H
#define TCP_CONN_H

/**
 * @file
 * Where a connection is in its life: the thirty-two bytes that tcp_step() reads and writes.
 *
 * Names are RFC 9293's (3.3.1).  What a segment seldom needs stands in struct tcp_sender, in
 * another cache line, so that opening and closing touch one line.
 */

#include <stdint.h>

/** RFC 9293 3.3.2. */
enum tcp_state {
	TCP_CLOSED,
	TCP_LISTEN,
	TCP_SYN_SENT,
	TCP_SYN_RCVD,
	TCP_ESTABLISHED,
	TCP_FIN_WAIT_1,
	TCP_FIN_WAIT_2,
	TCP_CLOSE_WAIT,
	TCP_CLOSING,
	TCP_LAST_ACK,
	TCP_TIME_WAIT,
	TCP_STATES,
	/* Let go by the machine, as the engine's proxy does; tcp_step() is not for them. */
	TCP_JOINING = TCP_STATES, /**< The client's handshake is complete, a backend's is not. */
	TCP_SPLICED,              /**< Segments are translated between both. */
};

/** What was negotiated, and what has happened. */
enum tcp_conn_flag {
	TCP_CONN_ACTIVE = 0x0001,       /**< We opened it (SYN_RCVD then came from SYN_SENT). */
	TCP_CONN_TIMESTAMPS = 0x0002,   /**< Every segment carries them (RFC 7323 3.2). */
	TCP_CONN_WINDOW_SCALE = 0x0004, /**< Both sent the option. */
	TCP_CONN_SACK = 0x0008,         /**< The peer may get, and may send, SACK blocks. */
	TCP_CONN_ECN = 0x0010,          /**< ECN set up (RFC 3168 6.1.1). */
	TCP_CONN_FIN_SENT = 0x0020,     /**< Our FIN is snd_nxt - 1. */
	TCP_CONN_SYN_RETRANSMITTED =
			0x0040,         /**< The RTO starts at 3 s (RFC 6298 5.7), cwnd at 1. */
	TCP_CONN_RETRANSMIT = 0x0080,   /**< Something at snd_una waits to be sent again. */
	TCP_CONN_RECOVERY = 0x0100,     /**< Until snd_una reaches tcp_sender.recover. */
	TCP_CONN_RTT_MEASURED = 0x0200, /**< srtt and rttvar hold a sample. */
	TCP_CONN_PERSIST = 0x0400,      /**< The timer probes a closed window (RFC 9293 3.8.6.1). */
	TCP_CONN_ORPHAN = 0x0800,       /**< The application is done; nobody takes data any more. */
	TCP_CONN_DUP_ACKS = 0x3000,     /**< Two bits: duplicate ACKs in a row, 0 to 3. */
	TCP_CONN_TIMER_DUE = 0x4000,    /**< Output began what the timer has to wait for. */
	TCP_CONN_ACK_DUE = 0x8000,      /**< Something was taken and not acknowledged yet. */
};

#define TCP_CONN_DUP_ACKS_SHIFT 12

struct tcp_conn {
	uint32_t snd_una;   /**< SND.UNA; ISS until the SYN is acknowledged. */
	uint32_t snd_nxt;   /**< SND.NXT, the highest ever sent; retransmission does not move it. */
	uint32_t rcv_nxt;   /**< RCV.NXT */
	uint32_t ts_recent; /**< TS.Recent (RFC 7323 4.3), with TCP_CONN_TIMESTAMPS. */
	uint16_t snd_wnd;   /**< SND.WND as it came, to be shifted by the low nibble of scales. */
	uint16_t mss;       /**< Largest payload we send, options already subtracted. */
	/**
	 * Smoothed RTT, in eighths of a millisecond, saturating.  Until TCP_CONN_RTT_MEASURED: when
	 * our SYN or SYN,ACK was sent, the low bits of tcp_env.ts_clock.
	 */
	uint16_t srtt_8ms;
	/**
	 * RTT variance, in quarters of a millisecond, saturating.  Until TCP_CONN_RTT_MEASURED: the
	 * lowest bit says whether srtt_8ms may be used, for our SYN was sent only once (Karn); the
	 * others are tcp_conn_syn_text().
	 */
	uint16_t rttvar_4ms;
	uint16_t flags;      /**< enum tcp_conn_flag */
	uint16_t timer_tick; /**< The timer wheel's, parked here to fill the line. */
	uint8_t state;       /**< enum tcp_state */
	/**
	 * Low nibble: Snd.Wind.Shift.  High: log2, rounded down, of the largest snd_wnd there was;
	 * 2 to the power of one more, shifted, bounds MAX.SND.WND (RFC 5961 5.2).
	 */
	uint8_t scales;
	/**
	 * Timeouts in a row; the RTO doubles with each.  With nothing in flight: keep-alive probes
	 * without an answer.
	 */
	uint8_t retries;
	uint8_t cwnd; /**< Congestion window, in segments. */
};

#define TCP_CONN_SYN_TEXT_MAX (UINT16_MAX >> 1)

_Static_assert(sizeof(struct tcp_conn) == 32, "half a cache line");

/**
 * How many bytes of text the peer's SYN brought, if they were taken (RFC 7413): then the connection
 * may send before it is ESTABLISHED.  0 in every state but SYN_RCVD.
 */
static inline uint16_t
tcp_conn_syn_text(const struct tcp_conn *conn)
{
	return conn->state == TCP_SYN_RCVD ? conn->rttvar_4ms >> 1 : 0;
}

/** What only a sender of data needs. */
struct tcp_sender {
	/**
	 * snd_nxt when recovery began (RFC 6582 3.1).  At snd_una after it, until more is
	 * acknowledged; at no other time, so congestion avoidance counts its round trips here.
	 */
	uint32_t recover;
	uint8_t ssthresh; /**< In segments. */
};

#endif /* TCP_CONN_H */
