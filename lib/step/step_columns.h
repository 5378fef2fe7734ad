/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef STEP_COLUMNS_H
#define STEP_COLUMNS_H

/**
 * @file
 * tcp_expect() for sixteen connections at once, wherever each of them is in its life.
 *
 * One by one, what a segment is decides where the processor goes, and in a burst of all kinds it
 * guesses wrong once or twice for each of them.  Here every question is asked of all sixteen at
 * once, and the answers are masks.  As with tcp_expect(), the row is the table's
 * (tcp_rules_expected), and connection and action are what tcp_step() would make of them
 * (tests/unit/test_step_columns.c); who is not sure of that leaves the lane alone, for
 * tcp_expect().
 *
 * For CPUs with AVX-512 (columns_available()) only.
 */

#include "tcp/tcp_conn.h"
#include "tcp/tcp_segment.h"
#include "tcp/tcp_step.h"
#include "wire/columns.h"

/** Words of struct tcp_conn, and behind them those of struct tcp_action. */
enum step_columns_word {
	STEP_SND_UNA,
	STEP_SND_NXT,
	STEP_RCV_NXT,
	STEP_TS_RECENT,
	STEP_WND_MSS,
	STEP_SRTT_RTTVAR,
	STEP_FLAGS_TICK,
	STEP_STATE_SCALES_RETRIES_CWND,
	STEP_DELAY,
	STEP_SKIP_TAKE,
	STEP_RULE_SEND_TIMER,
	STEP_OUTCOME,
	STEP_WORDS,
};

/** Segments of as many different connections, with what tcp_env says of each. */
struct step_columns {
	struct tcp_conn *conn[COLUMNS];
	const struct tcp_segment *segment[COLUMNS];
	uint32_t ts_clock[COLUMNS];
	uint32_t rcv_wnd[COLUMNS]; /**< Any for a segment without text and FIN. */
	uint32_t acked[COLUMNS];   /**< Becomes how far SND.UNA went, of known ones. */
	/** What known ones become, a lane after the other; step_columns_store() stores it. */
	uint32_t word[STEP_WORDS][COLUMNS] __rte_aligned(64);
};

/** What happened, a bit for each lane. */
struct step_columns_result {
	uint16_t known; /**< Of the others nothing is. */
	uint16_t opened;
	uint16_t ended; /**< In CLOSED or TIME_WAIT. */
	uint16_t waits; /**< In TIME_WAIT. */
	uint16_t data;
	uint16_t peer_fin;
	uint16_t output; /**< TCP_OUTCOME_ACKED or TCP_OUTCOME_OUTPUT. */
};

/**
 * Work out what up to sixteen segments do; it has not happened until it is stored.
 *
 * @param n
 *   How many.
 * @param config
 *   What all have in common.
 */
struct step_columns_result step_columns_expect(
		struct step_columns *columns, unsigned int n, const struct tcp_config *config);

/** Let it happen: connections of these lanes, known ones, become what they are. */
void step_columns_store(const struct step_columns *columns, uint16_t lanes);

/** Write the actions of these lanes, known ones; the others' pointers may be any. */
void step_columns_actions(const struct step_columns *columns, struct tcp_action *action[COLUMNS],
		uint16_t lanes);

/** Add what these lanes, known ones, are to the numbers of times that rows fired. */
void step_columns_count(const struct step_columns *columns, uint16_t lanes, uint64_t rules[]);

#endif /* STEP_COLUMNS_H */
