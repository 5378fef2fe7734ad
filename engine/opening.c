/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include "engine/opening.h"
#include "engine/worker.h"

static void
opening_answer(struct worker *worker, enum opening_result result)
{
	struct opening_answer *answer = &worker->openings.answer.opening;

	answer->result = (uint8_t)result;
	answer->handshake_us =
			(uint32_t)(clock_us(&worker->engine->clock) - worker->opening.began_us);
	worker->opening.conn = NULL;
	mailbox_answer(&worker->openings);
}

/* Whether the local end has a connection to the target, or had one in the last 2 MSL. */
static bool
opening_is_used(const struct worker *worker, const struct flow_key *key)
{
	const uint64_t hash = conn_table_hash(worker->table, key);

	return conn_table_lookup(worker->table, key, hash) != NULL ||
	       time_wait_lookup(worker->time_wait, key, hash, worker->now_ms) != NULL;
}

void
opening_begin(struct worker *worker, const struct opening_question *question)
{
	const struct flow_key *key = &question->key;
	const struct services *services = worker->services;
	const struct service *service = services_of(services, key);
	struct service_share *share = &worker->share[services_number(services, key)];
	struct burst burst;

	worker->opening.began_us = clock_us(&worker->engine->clock);
	worker->opening.deadline_us =
			worker->opening.began_us + (uint64_t)question->timeout_ms * 1000;
	worker->opening.reset = question->reset;
	if (engine_phase(worker->engine) != ENGINE_RUNNING) {
		opening_answer(worker, OPENING_STOPPED);
		return;
	}
	if (opening_is_used(worker, key)) {
		opening_answer(worker, OPENING_PORT_USED);
		return;
	}
	if (!burst_open(worker, &burst, key, &question->origin)) {
		opening_answer(worker, OPENING_FULL);
		return;
	}
	/* The service of our own has no limit. */
	services_admit(service, share);
	worker->opening.conn = burst.conn[0];
	burst_step(worker, &burst);
	burst_reply(worker, &burst);
	burst_transmit(worker, &burst);
}

bool
opening_opened(struct worker *worker, const struct conn *conn)
{
	/* Opened once more out of TIME_WAIT: nobody asked. */
	if (conn != worker->opening.conn)
		return true;
	opening_answer(worker, OPENING_OPENED);
	return !worker->opening.reset;
}

void
opening_ended(struct worker *worker, const struct conn *conn, enum tcp_event event)
{
	if (conn != worker->opening.conn)
		return;
	if (event == TCP_EVENT_RST)
		opening_answer(worker, OPENING_REFUSED);
	else if (event == TCP_EVENT_UNREACHABLE)
		opening_answer(worker, OPENING_UNREACHABLE);
	else if (event == TCP_EVENT_TIMEOUT)
		opening_answer(worker, OPENING_TIMED_OUT);
	else
		opening_answer(worker, OPENING_STOPPED);
}
