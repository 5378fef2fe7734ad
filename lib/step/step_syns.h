/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef STEP_SYNS_H
#define STEP_SYNS_H

/**
 * @file
 * tcp_expect_syn() for sixteen listeners at once, and the numbers of the SYN-ACKs.
 *
 * What a SYN makes of a connection is eight words that depend on nothing but the SYN, its initial
 * number and its clock; so they are worked out in columns and stored whole, where one by one each
 * of a dozen fields is a store of its own (tests/unit/test_step_syns.c).
 *
 * For CPUs with AVX-512 (columns_available()) only.
 */

#include <stdint.h>

#include "tcp/tcp_conn.h"
#include "tcp/tcp_segment.h"
#include "tcp/tcp_step.h"
#include "wire/build_columns.h"
#include "wire/columns.h"

/** Plain SYNs of as many new connections, with what tcp_env says of each. */
struct step_syns {
	struct tcp_conn *conn[COLUMNS]; /**< All zero. */
	const struct tcp_segment *segment[COLUMNS];
	uint32_t isn[COLUMNS];
	uint32_t ts_clock[COLUMNS];
	unsigned int n;

	/* Becomes, of each connection: */
	uint32_t rcv_nxt[COLUMNS];
	uint32_t ts_recent[COLUMNS];
	uint32_t flags[COLUMNS];
};

/**
 * Let them happen.
 *
 * @param env
 *   What all have in common: Fast Open is none of it.
 */
void step_syns_take(struct step_syns *syns, const struct tcp_env *env);

/**
 * The numbers of the SYN-ACKs of some lanes that offer the same: those like the lowest one.
 *
 * @param lanes
 *   A bit for each, not none.
 * @param answers
 *   Their numbers, in order; whose they are is the caller's to be said.
 * @return those lanes.
 */
uint16_t step_syns_answer(
		const struct step_syns *syns, uint16_t lanes, struct build_columns *answers);

#endif /* STEP_SYNS_H */
