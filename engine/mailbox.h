/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef MAILBOX_H
#define MAILBOX_H

/**
 * @file
 * How control asks a worker about its connections, and to do something with them.
 *
 * One slot: control fills in the question and raises `asked`; the worker sees it once a turn and,
 * when done, raises `answered`.  A worker never waits: a listing looks at a bounded number of table
 * slots a turn, an opening is answered by the turn in which its handshake ends.  A question that
 * was given up is overwritten by the next one once it is answered.
 *
 * Every worker has two of these, so that who lists connections does not wait for who opens one.
 */

#include <stdbool.h>
#include <stdint.h>

#include <pthread.h>

#include "engine/conn_act.h"
#include "engine/opening.h"
#include "tcp/flow_key.h"

struct engine;
struct worker;

#define MAILBOX_RECORDS   64   /**< Most connections in one answer. */
#define MAILBOX_PER_TURN  1024 /**< Table slots looked at in one turn of the worker. */
#define MAILBOX_NO_CURSOR UINT32_MAX
#define MAILBOX_WAIT_MS   1000 /**< Enough for whatever is answered at once. */

enum mailbox_kind {
	MAILBOX_DUMP,   /**< List connections. */
	MAILBOX_OPEN,   /**< Open one: opening.h. */
	MAILBOX_ACT,    /**< Close, shut down or reset some: conn_act.h. */
	MAILBOX_CENSUS, /**< Count the connections of each listener. */
};

struct mailbox_question {
	enum mailbox_kind kind;
	union {
		struct {
			uint32_t cursor; /**< First table slot. */
			uint32_t limit;  /**< At most this many records. */
		} dump;
		struct opening_question opening;
		struct conn_act_question act;
	};
};

/** One connection, copied. */
struct mailbox_record {
	struct flow_key key;
	uint32_t snd_una;
	uint32_t snd_nxt;
	uint32_t rcv_nxt;
	int32_t deadline_ms; /**< Until the connection's timeout. */
	uint8_t state;
	uint8_t retries;
	uint8_t closing;  /**< enum splice_closing, in TCP_SPLICED. */
	bool has_backend; /**< In TCP_JOINING and TCP_SPLICED: what follows. */
	uint16_t backend; /**< Its number. */
	uint8_t local;    /**< Number of our address towards it. */
	rte_be16_t local_port;
};

struct mailbox_answer {
	union {
		struct {
			uint32_t cursor; /**< Where to go on, or MAILBOX_NO_CURSOR. */
			uint32_t count;
			struct mailbox_record record[MAILBOX_RECORDS];
		} dump;
		struct opening_answer opening;
		struct conn_act_answer act;
		uint32_t census_slot; /**< The next one to look at. */
	};
};

struct mailbox {
	const struct engine *engine; /**< Whoever waits stops with it. */
	pthread_mutex_t control;     /**< Among askers only. */
	uint32_t asked;              /**< Number of the question.  Atomic; written by control. */
	uint32_t answered; /**< Number of the last answer.  Atomic; written by the worker. */
	struct mailbox_question question;
	struct mailbox_answer answer;

	uint32_t working_on; /**< The worker's: the question its progress belongs to. */
};

void mailbox_init(struct mailbox *mailbox, const struct engine *engine);

/**
 * Ask, from any control thread, and wait for the answer.
 *
 * @return
 *   0, or -1 when there was none within @p wait_ms.
 */
int mailbox_ask(struct mailbox *mailbox, const struct mailbox_question *question,
		unsigned int wait_ms, struct mailbox_answer *answer);

/** Ask without waiting; one at a time. */
void mailbox_post(struct mailbox *mailbox, const struct mailbox_question *question);

/** Whether everything that was asked is answered. */
bool mailbox_is_answered(const struct mailbox *mailbox);

/** Work on questions, if there are any.  The worker's part. @return whether there were. */
bool mailbox_serve(struct worker *worker);

/** The answer is filled in.  The worker's part. */
void mailbox_answer(struct mailbox *mailbox);

#endif /* MAILBOX_H */
