/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef MAILBOX_H
#define MAILBOX_H

/**
 * @file
 * How control asks a worker about its connections.
 *
 * One slot: control fills in the question and raises `asked`; the worker, once a turn, works on it
 * for a bounded number of table slots and, when done, raises `answered`.  A worker never waits; a
 * question that was given up is overwritten by the next one.
 */

#include <stdbool.h>
#include <stdint.h>

#include <pthread.h>

#include "tcp/flow_key.h"

struct worker;

#define MAILBOX_RECORDS   64   /**< Most connections in one answer. */
#define MAILBOX_PER_TURN  1024 /**< Table slots looked at in one turn of the worker. */
#define MAILBOX_NO_CURSOR UINT32_MAX

/** One connection, copied. */
struct mailbox_record {
	struct flow_key key;
	uint32_t snd_una;
	uint32_t snd_nxt;
	uint32_t rcv_nxt;
	int32_t deadline_ms; /**< Until the connection's timeout. */
	uint8_t state;
	uint8_t retries;
};

struct mailbox {
	pthread_mutex_t control; /**< Among askers only. */
	uint32_t asked;          /**< Number of the question.  Atomic; written by control. */
	uint32_t answered;       /**< Number of the last answer.  Atomic; written by the worker. */
	uint32_t cursor;         /**< In: first table slot.  Out: where to go on, or NO_CURSOR. */
	uint32_t limit;          /**< In: at most this many records. */
	uint32_t count;          /**< Out: records filled. */
	struct mailbox_record record[MAILBOX_RECORDS];

	uint32_t working_on; /**< The worker's: the question its progress belongs to. */
};

void mailbox_init(struct mailbox *mailbox);

/**
 * Ask a worker for connections, from any control thread; waits for at most a second.
 *
 * @param cursor
 *   Where to begin, 0 at first; set to where to go on, or MAILBOX_NO_CURSOR at the end.
 * @param records
 *   Room for @p limit records.
 * @return
 *   Records filled, or -1 when the worker did not answer.
 */
int mailbox_ask(struct mailbox *mailbox, uint32_t *cursor, struct mailbox_record records[],
		unsigned int limit);

/** Work on a question, if there is one.  The worker's part. */
void mailbox_serve(struct worker *worker);

#endif /* MAILBOX_H */
