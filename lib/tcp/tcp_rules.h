/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TCP_RULES_H
#define TCP_RULES_H

/**
 * @file
 * The TCP machine as a table: what a row may ask, and what a row may order.
 *
 * The rows are in tcp_rules.def, in the order of RFC 9293's section 3.10, to be read beside it.
 * tcp_step() finds the cell of (state, event) and takes the first row whose condition holds.  The
 * last row of every cell has no condition; a cell that is not in the table refuses the event.
 *
 * A condition is one 64-bit word: facts that must hold in the low half, facts that must not in the
 * high half.  With the facts that fail in a word of the same shape, a row matches when the two
 * have no bit in common: one AND and one branch for each row passed.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "tcp/tcp_conn.h"
#include "tcp/tcp_step.h"

/**
 * What may be true of an event and the connection it happens to.  A segment's facts are false for
 * an event without a segment, and the timer's facts are false for a segment.
 */
/* clang-format off */
#define TCP_RULES_FACTS(FACT)                                                                      \
	/* The segment's timestamp (RFC 7323). */                                                  \
	FACT(TIMESTAMP_OK)  /* It has one, if timestamps were negotiated (3.2). */                 \
	FACT(PAWS_OK)       /* Its TSval is not before TS.Recent (5.3 R1). */                      \
	/* The segment's place (RFC 9293 3.10.7.4, first check). */                                \
	FACT(ACCEPTABLE)    /* One of the four cases: part of it is in the receive window. */      \
	FACT(IN_WINDOW)     /* SEG.SEQ itself is in the receive window. */                         \
	FACT(AT_RCV_NXT)    /* SEG.SEQ = RCV.NXT. */                                               \
	FACT(WINDOW_CLOSED) /* RCV.WND = 0, and the segment at RCV.NXT has a length. */            \
	/* What it brings. */                                                                      \
	FACT(HAS_DATA)      /* A payload, wherever it is. */                                       \
	FACT(NEW_DATA)      /* Bytes from RCV.NXT on, inside the window. */                        \
	FACT(FIN_REACHED)   /* A FIN inside the window, and nothing missing before it. */          \
	FACT(FIN_AGAIN)     /* The FIN that RCV.NXT - 1 already counts. */                         \
	FACT(SYN_AGAIN)     /* SEG.SEQ = RCV.NXT - 1, less the text that our peer's SYN brought:   \
	                     * in SYN_RCVD, the SYN that opened us. */                             \
	FACT(SYN_FIN)       /* SYN and FIN together. */                                            \
	FACT(NEWER_SYN)     /* A SYN that cannot be an old duplicate (RFC 6191 2). */              \
	FACT(FAST_OPEN)     /* Text that fits, with a good cookie (RFC 7413 4.2.2). */             \
	/* What it acknowledges; all false without the ACK bit. */                                 \
	FACT(ACK_OK)        /* SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT (RFC 5961 5.2). */      \
	FACT(ACK_NEW)       /* SND.UNA < SEG.ACK <= SND.NXT. */                                    \
	FACT(ACKS_FIN)      /* SEG.ACK = SND.NXT, and our FIN was sent. */                         \
	/* The connection. */                                                                      \
	FACT(ACTIVE)        /* We opened it. */                                                    \
	FACT(ORPHAN)        /* No application takes data any more. */                              \
	FACT(RFC1337)       /* The setting: TIME_WAIT ignores RST. */                              \
	/* The ICMP error. */                                                                      \
	FACT(QUOTED)        /* It quotes a segment in flight (RFC 5927 4.1). */                    \
	/* The timer that ran out. */                                                              \
	FACT(IN_FLIGHT)     /* SND.UNA < SND.NXT. */                                               \
	FACT(PERSIST)       /* It was to probe a closed window. */                                 \
	FACT(KEEP_ALIVE)    /* It was to ask a silent peer, and may go on asking. */               \
	FACT(RETRIES_LEFT)  /* The state's limit of timeouts in a row is not reached. */

/** What a row does to the connection, in this order. */
#define TCP_RULES_EFFECTS(EFFECT)                                                                  \
	EFFECT(OPEN)           /* SND.UNA = ISS, SND.NXT = ISS + 1; offer every option we have. */ \
	EFFECT(TAKE_SYN)       /* From nothing: choose ISS, then NEGOTIATE. */                     \
	EFFECT(NEGOTIATE)      /* RCV.NXT = SEG.SEQ + 1; keep the options that both sides sent. */ \
	EFFECT(TAKE_SYN_TEXT)  /* RCV.NXT moves over it; sending may begin. */                     \
	EFFECT(TAKE_ACK)       /* SND.UNA, SND.WND, RTT sample, duplicate ACKs. */                 \
	EFFECT(TAKE_TIMESTAMP) /* TS.Recent, if SEG.SEQ <= RCV.NXT (RFC 7323 4.3). */              \
	EFFECT(TAKE_DATA)      /* RCV.NXT moves over the new bytes in the window. */               \
	EFFECT(TAKE_FIN)       /* RCV.NXT moves over the FIN. */                                   \
	EFFECT(SEND_FIN)       /* SND.NXT moves over our FIN. */                                   \
	EFFECT(BACK_OFF)       /* One more timeout: what is in flight is to be sent again. */      \
	EFFECT(ASK_AGAIN)      /* One more keep-alive probe without an answer. */                  \
	EFFECT(FORGET_RTT)     /* Our SYN goes out twice: its round trip is not measured (Karn). */ \
	EFFECT(LOWER_MSS)      /* What the smaller path takes; what is in flight is sent again. */

/** What happens to the connection's timer. */
#define TCP_RULES_TIMERS(TIMER)                                                                    \
	TIMER(KEEP)      /* It stays as it is. */                                                  \
	TIMER(STOP)      /* Nothing to wait for: CLOSED. */                                        \
	TIMER(RETRY)     /* The RTO, doubled for every timeout in a row (RFC 6298 5.5). */         \
	TIMER(HEARD)     /* In flight: the RTO if SEG.ACK was new (RFC 6298 5.3), else kept;       \
	                  * nothing in flight: IDLE. */                                            \
	TIMER(IDLE)      /* The next keep-alive probe, or idle_timeout. */                         \
	TIMER(FIN_WAIT)  /* fin_timeout */                                                         \
	TIMER(TIME_WAIT) /* time_wait: 2 MSL. */
/* clang-format on */

#define TCP_RULES_POSITION(name) TCP_FACT_POSITION_##name,
enum tcp_fact_position { TCP_RULES_FACTS(TCP_RULES_POSITION) TCP_FACTS };
#undef TCP_RULES_POSITION

#define TCP_RULES_BIT(name) TCP_FACT_##name = 1u << TCP_FACT_POSITION_##name,
enum tcp_fact { TCP_RULES_FACTS(TCP_RULES_BIT) };
#undef TCP_RULES_BIT

_Static_assert(TCP_FACTS <= 31, "an enum of bits, and room for both halves of a condition");

#define TCP_RULES_POSITION(name) TCP_EFFECT_POSITION_##name,
enum tcp_effect_position { TCP_RULES_EFFECTS(TCP_RULES_POSITION) TCP_EFFECTS };
#undef TCP_RULES_POSITION

#define TCP_RULES_BIT(name) TCP_EFFECT_##name = 1u << TCP_EFFECT_POSITION_##name,
enum tcp_effect { TCP_RULES_EFFECTS(TCP_RULES_BIT) };
#undef TCP_RULES_BIT

_Static_assert(TCP_EFFECTS <= 16, "tcp_rule.effects is 16 bits wide");

#define TCP_RULES_TIMER(name) TCP_RULE_TIMER_##name,
enum tcp_rule_timer { TCP_RULES_TIMERS(TCP_RULES_TIMER) TCP_RULE_TIMERS };
#undef TCP_RULES_TIMER

/** In tcp_rule.next_state: the state does not change. */
#define TCP_RULES_SAME TCP_STATES

/** One row. */
struct tcp_rule {
	uint64_t when;      /**< Facts needed, and << 32, facts that must not hold. */
	uint16_t effects;   /**< enum tcp_effect bits */
	uint8_t next_state; /**< enum tcp_state or TCP_RULES_SAME */
	uint8_t send;       /**< enum tcp_send */
	uint8_t timer;      /**< enum tcp_rule_timer */
	uint8_t outcome;    /**< enum tcp_outcome bits beyond those that the effects find out. */
	uint8_t refusal;    /**< enum tcp_refusal */
	uint8_t reserved;
};

_Static_assert(sizeof(struct tcp_rule) == 16, "four rows to a cache line");

/** All rows, cell after cell; row 0 is the one that refuses, for the cells not in the table. */
extern const struct tcp_rule tcp_rules[];

/** The first row of each cell. */
extern const uint16_t tcp_rules_cell[TCP_STATES][TCP_EVENTS];

/** Kinds of expected segments: text is 1, a FIN 2. */
#define TCP_RULES_EXPECTED 4

/**
 * The row of a segment that is what the state waits for (tcp_expect.h), by kind; 0 where nothing
 * is.
 */
extern const uint16_t tcp_rules_expected[TCP_STATES][TCP_RULES_EXPECTED];

/** How many rows there are, row 0 included: what tcp_action.rule stays below. */
unsigned int tcp_rules_count(void);

/** The row's condition and orders as one line: "ESTABLISHED RST: AT_RCV_NXT -> CLOSED, ...". */
const char *tcp_rules_describe(unsigned int rule, char *text, size_t size);

/** Why the row is there, with the section of the RFC. */
const char *tcp_rules_reason(unsigned int rule);

/** The name of an enum tcp_state, as in RFC 9293 with underscores. */
const char *tcp_rules_state_name(unsigned int state);

/** The name of an enum tcp_event, without its prefix. */
const char *tcp_rules_event_name(unsigned int event);

/** The whole table in Markdown. */
void tcp_rules_print(FILE *out);

#endif /* TCP_RULES_H */
