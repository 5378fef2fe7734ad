/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef STEP_ANSWER_H
#define STEP_ANSWER_H

/**
 * @file
 * What is said to the segments that step_columns.h let happen, sixteen at once: tcp_expect_output()
 * and tcp_expect_output_timer(), and the numbers of the answers, ready for turn_columns.h.
 *
 * It changes what the lanes are about to become, so that a connection is stored once.  Who has more
 * to say than fits into one segment now is left alone (tests/unit/test_step_answer.c).
 *
 * For CPUs with AVX-512 (columns_available()) only.
 */

#include <stdint.h>

#include "step/step_columns.h"
#include "wire/turn_columns.h"

struct step_answer {
	/** Known lanes of which it is known what is to be said: opened ones and those to which text
	 * or FIN came, without step_columns_result.output; and ended ones. */
	uint16_t lanes;
	uint16_t ended;           /**< Of these lanes. */
	uint16_t opened;          /**< Of these lanes: their congestion windows begin. */
	uint16_t fin;             /**< tcp_stream.fin */
	uint16_t text_sum;        /**< checksum_fold() of whatever a lane says. */
	uint32_t end[COLUMNS];    /**< tcp_stream.end, of those that did not end. */
	uint32_t window[COLUMNS]; /**< What the application takes now. */

	/* Becomes: */
	uint16_t settled; /**< Nothing is left to be done for these lanes, but what follows: */
	uint16_t sends;   /**< these answer; */
	uint16_t speaks;  /**< with text; */
	uint16_t timed;   /**< these set their timers. */
	uint16_t timestamps;
	uint32_t delay_ms[COLUMNS];
	uint32_t number[TURN_COLUMNS_NUMBERS][COLUMNS];
};

/** Work it out, before step_columns_store(). */
void step_answer(struct step_columns *columns, struct step_answer *answer,
		const struct tcp_config *config);

#endif /* STEP_ANSWER_H */
