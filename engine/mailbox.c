/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>
#include <time.h>

#include <rte_common.h>

#include "engine/mailbox.h"
#include "engine/worker.h"

#define MAILBOX_WAIT_MS 1000

void
mailbox_init(struct mailbox *mailbox)
{
	memset(mailbox, 0, sizeof(*mailbox));
	pthread_mutex_init(&mailbox->control, NULL);
}

static bool
mailbox_wait(const struct mailbox *mailbox, uint32_t question)
{
	const struct timespec pause = {.tv_nsec = 200000};

	for (unsigned int i = 0; i < MAILBOX_WAIT_MS * 5; i++) {
		if (__atomic_load_n(&mailbox->answered, __ATOMIC_ACQUIRE) == question)
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

int
mailbox_ask(struct mailbox *mailbox, uint32_t *cursor, struct mailbox_record records[],
		unsigned int limit)
{
	int count = -1;
	uint32_t question;

	pthread_mutex_lock(&mailbox->control);
	/* A question given up earlier may still be worked on: let it end before writing. */
	if (mailbox->asked != __atomic_load_n(&mailbox->answered, __ATOMIC_ACQUIRE) &&
			!mailbox_wait(mailbox, mailbox->asked))
		goto unlock;
	question = mailbox->asked + 1;
	mailbox->cursor = *cursor;
	mailbox->limit = RTE_MIN(limit, (unsigned int)MAILBOX_RECORDS);
	__atomic_store_n(&mailbox->asked, question, __ATOMIC_RELEASE);
	if (mailbox_wait(mailbox, question)) {
		count = (int)mailbox->count;
		*cursor = mailbox->cursor;
		memcpy(records, mailbox->record, mailbox->count * sizeof(records[0]));
	}
unlock:
	pthread_mutex_unlock(&mailbox->control);
	return count;
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
}

void
mailbox_serve(struct worker *worker)
{
	struct mailbox *mailbox = &worker->mailbox;
	const uint32_t question = __atomic_load_n(&mailbox->asked, __ATOMIC_ACQUIRE);
	const uint32_t capacity = conn_table_capacity(worker->table);
	uint32_t last;

	if (question == mailbox->answered)
		return;
	if (question != mailbox->working_on) {
		mailbox->working_on = question;
		mailbox->count = 0;
	}
	last = (uint32_t)RTE_MIN((uint64_t)mailbox->cursor + MAILBOX_PER_TURN, capacity);
	while (mailbox->cursor < last && mailbox->count < mailbox->limit) {
		const struct conn *conn = conn_table_at(worker->table, mailbox->cursor++);

		if (conn != NULL)
			mailbox_record(worker, conn, &mailbox->record[mailbox->count++]);
	}
	if (mailbox->cursor >= capacity)
		mailbox->cursor = MAILBOX_NO_CURSOR;
	else if (mailbox->count < mailbox->limit)
		return;
	__atomic_store_n(&mailbox->answered, question, __ATOMIC_RELEASE);
}
