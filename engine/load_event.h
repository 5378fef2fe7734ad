/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef LOAD_EVENT_H
#define LOAD_EVENT_H

/**
 * @file
 * The turning points of a generator's connection, and what each is counted as.
 *
 * Each comes at most once or twice in a connection's life, so a call across files costs little.
 * What a segment brings in between, and whatever is sent, is load_step.c's: those functions are
 * called for every packet and stay in one file.  Of a connection only the first failure counts.
 */

#include <stdint.h>

#include "engine/load.h"

struct rte_mbuf;

/** One event in progress. */
struct load_event {
	struct worker *worker;
	struct load_worker *load;
	struct rte_mbuf *packet; /**< What came, until it has become an answer. */
	const struct flow_key *key;
	struct tcp_conn *tcp;
	struct conn *conn;
	struct load_conn *own;
};

/** The peer acknowledged our SYN. */
void load_event_opened(struct load_event *event);

/** It did not do what was planned; the first reason is counted. */
void load_event_fail(struct load_event *event, enum failure failure);

/** It closed in an orderly way: TIME_WAIT or CLOSED. */
void load_event_closed(struct load_event *event);

/**
 * The TCP machine is done with it: closed, reset or timed out.
 *
 * @param before
 *   The state that it was in when this happened.
 * @param outcome
 *   Of the step, TCP_OUTCOME_*.
 */
void load_event_ended(struct load_event *event, enum tcp_event happened, enum tcp_state before,
		uint8_t outcome);

/** Out of the table when the burst is over. */
void load_event_note(struct load_event *event);

/** What ended leaves the table; of TIME_WAIT nothing need be kept (load_stranger.c). */
void load_event_settle(struct worker *worker);

#endif /* LOAD_EVENT_H */
