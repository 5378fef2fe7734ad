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

/** Segments of as many different connections, with what tcp_env says of each. */
struct step_columns {
	struct tcp_conn *conn[COLUMNS];
	const struct tcp_segment *segment[COLUMNS];
	struct tcp_action *action[COLUMNS]; /**< Written for known ones; for others anything. */
	uint32_t ts_clock[COLUMNS];
	uint32_t rcv_wnd[COLUMNS]; /**< Any for a segment without text and FIN. */
	uint32_t acked[COLUMNS];   /**< Written: how far SND.UNA went, of known ones. */
};

/** What happened, a bit for each lane. */
struct step_columns_result {
	uint16_t known; /**< The others were left as they are. */
	uint16_t opened;
	uint16_t ended; /**< In CLOSED or TIME_WAIT. */
	uint16_t data;
	uint16_t peer_fin;
	uint16_t output; /**< TCP_OUTCOME_ACKED or TCP_OUTCOME_OUTPUT. */
	uint8_t rules;   /**< How many rows fired; which, and for how many lanes: */
	uint16_t rule[COLUMNS];
	uint8_t times[COLUMNS];
};

/**
 * Let up to sixteen segments happen.
 *
 * @param n
 *   How many.
 * @param config
 *   What all have in common.
 */
struct step_columns_result step_columns_expect(
		struct step_columns *columns, unsigned int n, const struct tcp_config *config);

#endif /* STEP_COLUMNS_H */
