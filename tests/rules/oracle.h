/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef ORACLE_H
#define ORACLE_H

/**
 * @file
 * What the RFCs say must happen when one event happens to one connection: the second opinion that
 * tcp_step() is compared with.
 *
 * Written from the text of RFC 9293 section 3.10, RFC 5961, RFC 6191, RFC 6298, RFC 7323 and RFC
 * 1337 by someone who has not read the rules table, as plain nested switches in the order of the
 * RFC's own steps.  It is slow and wordy on purpose and is never linked into a program.
 *
 * Where the RFCs leave a choice, the verdict lists every answer they permit; where this project
 * has made the choice, only the project's.  A verdict says nothing about what the RFCs leave to the
 * implementation: rates, congestion control, the length of most timers.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tcp/tcp_conn.h"
#include "tcp/tcp_segment.h"
#include "tcp/tcp_step.h"

/** One event that happens to one connection. */
struct oracle_case {
	struct tcp_conn before;
	enum tcp_event event;
	struct tcp_segment segment; /**< All zero for TIMEOUT, OPEN, CLOSE and ABORT. */
	struct tcp_env env;
};

/** Which fields of a choice say something. */
enum oracle_field {
	ORACLE_RCV_NXT = 0x01,
	ORACLE_SND_UNA = 0x02,
	ORACLE_SND_NXT = 0x04,
	ORACLE_TS_RECENT = 0x08,
	ORACLE_SND_WND = 0x10,
	ORACLE_DELAY = 0x20,     /**< The timer is set to delay_ms. */
	ORACLE_NEW_ISS = 0x40,   /**< SND.UNA is a new ISS above the old SND.NXT; NXT is ISS+1. */
	ORACLE_VARIABLES = 0x1f, /**< The connection's numbers. */
};

#define ORACLE_BIT(value) (1u << (value))

/** One answer that the RFCs permit. */
struct oracle_choice {
	const char *because; /**< The paragraph that says so. */
	uint32_t states;     /**< Permitted next states, ORACLE_BIT(enum tcp_state). */
	uint32_t sends;      /**< Permitted segments, ORACLE_BIT(enum tcp_send). */
	uint32_t determined; /**< enum oracle_field */
	uint32_t rcv_nxt;
	uint32_t snd_una;
	uint32_t snd_nxt;
	uint32_t ts_recent;
	uint32_t delay_ms;
	uint16_t snd_wnd;
	uint16_t skip;
	uint16_t take;
	uint16_t flags;       /**< Wanted values of tcp_conn.flags ... */
	uint16_t flags_mask;  /**< ... for these bits. */
	uint8_t outcome;      /**< Wanted outcome bits, without the endings ... */
	uint8_t outcome_mask; /**< ... among these. */
	uint8_t endings;      /**< Exactly one of these outcomes happens; 0: none does. */
};

/** The outcomes that end a connection. */
#define ORACLE_ENDINGS (TCP_OUTCOME_CLOSED | TCP_OUTCOME_RESET | TCP_OUTCOME_TIMED_OUT)

#define ORACLE_CHOICES 8

/** Every answer that the RFCs permit; at least one. */
struct oracle_verdict {
	unsigned int count;
	struct oracle_choice choice[ORACLE_CHOICES];
};

/** What must happen. */
void oracle_judge(const struct oracle_case *question, struct oracle_verdict *verdict);

/** Whether a verdict permits what tcp_step() made of a case. */
bool oracle_permits(const struct oracle_verdict *verdict, const struct oracle_case *question,
		const struct tcp_conn *after, const struct tcp_action *action);

/** Print a case in words, relative to the connection's own numbers. */
void oracle_print_case(FILE *file, const struct oracle_case *question);

/** Print what a verdict permits, one line per choice. */
void oracle_print_verdict(FILE *file, const struct oracle_case *question,
		const struct oracle_verdict *verdict);

/** Print what happened, in the same words. */
void oracle_print_result(FILE *file, const struct oracle_case *question,
		const struct tcp_conn *after, const struct tcp_action *action);

#endif /* ORACLE_H */
