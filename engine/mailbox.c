/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>
#include <time.h>

#include <rte_common.h>

#include "engine/mailbox.h"
#include "engine/proxy.h"
#include "engine/worker.h"

#define MAILBOX_PAUSE_NS 100000
/* A stopping worker answers in its last turn or never. */
#define MAILBOX_STOP_MS 100

void
mailbox_init(struct mailbox *mailbox, const struct engine *engine)
{
	memset(mailbox, 0, sizeof(*mailbox));
	mailbox->engine = engine;
	pthread_mutex_init(&mailbox->control, NULL);
}

bool
mailbox_is_answered(const struct mailbox *mailbox)
{
	return __atomic_load_n(&mailbox->answered, __ATOMIC_ACQUIRE) == mailbox->asked;
}

static uint64_t
mailbox_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool
mailbox_wait(const struct mailbox *mailbox, unsigned int wait_ms)
{
	const struct timespec pause = {.tv_nsec = MAILBOX_PAUSE_NS};
	uint64_t end_ms = mailbox_now_ms() + wait_ms;

	while (!mailbox_is_answered(mailbox)) {
		const uint64_t now_ms = mailbox_now_ms();

		if (now_ms >= end_ms)
			return false;
		if (engine_phase(mailbox->engine) == ENGINE_STOPPING)
			end_ms = RTE_MIN(end_ms, now_ms + MAILBOX_STOP_MS);
		nanosleep(&pause, NULL);
	}
	return true;
}

void
mailbox_post(struct mailbox *mailbox, const struct mailbox_question *question)
{
	mailbox->question = *question;
	__atomic_store_n(&mailbox->asked, mailbox->asked + 1, __ATOMIC_RELEASE);
}

int
mailbox_ask(struct mailbox *mailbox, const struct mailbox_question *question, unsigned int wait_ms,
		struct mailbox_answer *answer)
{
	int result = -1;

	pthread_mutex_lock(&mailbox->control);
	/* A question given up earlier may still be worked on: let it end before writing. */
	if (mailbox_wait(mailbox, MAILBOX_WAIT_MS)) {
		mailbox_post(mailbox, question);
		if (mailbox_wait(mailbox, wait_ms)) {
			*answer = mailbox->answer;
			result = 0;
		}
	}
	pthread_mutex_unlock(&mailbox->control);
	return result;
}

void
mailbox_answer(struct mailbox *mailbox)
{
	__atomic_store_n(&mailbox->answered, mailbox->working_on, __ATOMIC_RELEASE);
}

/* Of a connection with two halves: the other one, and numbers that the machine does not keep. */
static void
mailbox_record_backend(
		const struct worker *worker, const struct conn *conn, struct mailbox_record *record)
{
	const struct splice *splice = proxy_splice(worker->proxy, worker->table, conn);

	record->backend = splice->server;
	record->local = splice->local;
	record->local_port = splice->local_port;
	record->closing = 0;
	record->retries = splice->tries;
	if (conn->tcp.state != TCP_SPLICED)
		return;
	record->closing = splice->closing;
	record->snd_una = splice->ack[SPLICE_CLIENT];
	record->snd_nxt = splice->next[SPLICE_SERVER];
	record->rcv_nxt = splice->next[SPLICE_CLIENT];
}

static void
mailbox_record(const struct worker *worker, const struct conn *conn, struct mailbox_record *record)
{
	record->key = conn->key;
	record->snd_una = conn->tcp.snd_una;
	record->snd_nxt = conn->tcp.snd_nxt;
	record->rcv_nxt = conn->tcp.rcv_nxt;
	record->deadline_ms = (int32_t)(conn->timer_deadline_ms - worker->now_ms);
	record->state = conn->tcp.state;
	record->retries = conn->tcp.retries;
	record->has_backend = conn->tcp.state >= TCP_JOINING;
	if (record->has_backend)
		mailbox_record_backend(worker, conn, record);
}

/* A piece of the table a turn; the question's own cursor moves on. */
static void
mailbox_dump(struct worker *worker, struct mailbox *mailbox, bool begin)
{
	const uint32_t capacity = conn_table_capacity(worker->table);
	struct mailbox_question *question = &mailbox->question;
	struct mailbox_answer *answer = &mailbox->answer;
	const uint32_t limit = RTE_MIN(question->dump.limit, (uint32_t)MAILBOX_RECORDS);
	uint32_t last;

	if (begin) {
		answer->dump.cursor = question->dump.cursor;
		answer->dump.count = 0;
	}
	last = (uint32_t)RTE_MIN((uint64_t)answer->dump.cursor + MAILBOX_PER_TURN, capacity);
	while (answer->dump.cursor < last && answer->dump.count < limit) {
		const struct conn *conn = conn_table_at(worker->table, answer->dump.cursor++);

		if (conn != NULL)
			mailbox_record(worker, conn, &answer->dump.record[answer->dump.count++]);
	}
	if (answer->dump.cursor >= capacity)
		answer->dump.cursor = MAILBOX_NO_CURSOR;
	else if (answer->dump.count < limit)
		return;
	mailbox_answer(mailbox);
}

/* Count into worker->listener_conns, a piece of the table a turn. */
static void
mailbox_census(struct worker *worker, struct mailbox *mailbox, bool begin)
{
	const uint32_t capacity = conn_table_capacity(worker->table);
	uint32_t *slot = &mailbox->answer.census_slot;
	uint32_t last;

	if (begin) {
		*slot = 0;
		memset(worker->listener_conns, 0,
				SERVICES_LISTENERS_MAX * sizeof(*worker->listener_conns));
	}
	last = (uint32_t)RTE_MIN((uint64_t)*slot + MAILBOX_PER_TURN, capacity);
	while (*slot < last) {
		const struct conn *conn = conn_table_at(worker->table, (*slot)++);

		if (conn != NULL && flow_key_is_passive(&conn->key))
			worker->listener_conns[conn->key.endpoint]++;
	}
	if (*slot == capacity)
		mailbox_answer(mailbox);
}

/* @return whether a question was there. */
static bool
mailbox_look(struct worker *worker, struct mailbox *mailbox)
{
	const uint32_t asked = __atomic_load_n(&mailbox->asked, __ATOMIC_ACQUIRE);
	const bool begin = asked != mailbox->working_on;

	if (asked == mailbox->answered)
		return false;
	mailbox->working_on = asked;
	switch (mailbox->question.kind) {
	case MAILBOX_DUMP:
		mailbox_dump(worker, mailbox, begin);
		return true;
	case MAILBOX_OPEN:
		if (begin)
			opening_begin(worker, &mailbox->question.opening);
		return begin;
	case MAILBOX_ACT:
		conn_act_apply(worker, &mailbox->question.act, &mailbox->answer.act);
		mailbox_answer(mailbox);
		return true;
	case MAILBOX_CENSUS:
		mailbox_census(worker, mailbox, begin);
		return true;
	}
	return false;
}

bool
mailbox_serve(struct worker *worker)
{
	bool busy = mailbox_look(worker, &worker->mailbox);

	busy |= mailbox_look(worker, &worker->openings);
	return mailbox_look(worker, &worker->census) || busy;
}
