/* SPDX-License-Identifier: BSD-3-Clause */

#include "engine/conn_act.h"
#include "engine/worker.h"

/* The service is done; output sends what it owes and the FIN, now or when the windows allow. */
static void
conn_act_finish(struct worker *worker, struct conn *conn, bool orphan)
{
	const struct service *service = services_of(worker->services, &conn->key);
	struct burst burst;

	respond_peer_closed(service->respond, &conn_table_tail(worker->table, conn)->respond);
	if (orphan)
		conn->tcp.flags |= TCP_CONN_ORPHAN;
	burst_happen(worker, &burst, conn, TCP_EVENT_CLOSE);
	burst.action[0] = (struct tcp_action){.outcome = TCP_OUTCOME_OUTPUT};
	burst_reply(worker, &burst);
	burst_transmit(worker, &burst);
}

static void
conn_act_reset(struct worker *worker, struct conn *conn)
{
	struct burst burst;

	burst_happen(worker, &burst, conn, TCP_EVENT_ABORT);
	burst_step(worker, &burst);
	burst_reply(worker, &burst);
	burst_transmit(worker, &burst);
}

/* @return whether the act means anything to the connection. */
static bool
conn_act_one(struct worker *worker, struct conn *conn, enum conn_act act)
{
	const bool open = conn->tcp.state == TCP_ESTABLISHED || conn->tcp.state == TCP_CLOSE_WAIT;

	if (act == CONN_ACT_RESET)
		conn_act_reset(worker, conn);
	else if (open)
		conn_act_finish(worker, conn, act == CONN_ACT_CLOSE);
	else
		return false;
	return true;
}

void
conn_act_apply(struct worker *worker, const struct conn_act_question *question,
		struct conn_act_answer *answer)
{
	*answer = (struct conn_act_answer){0};
	for (unsigned int i = 0; i < question->count; i++) {
		const struct flow_key *key = &question->key[i];
		struct conn *conn = conn_table_lookup(
				worker->table, key, conn_table_hash(worker->table, key));

		if (conn == NULL)
			continue;
		if (conn_act_one(worker, conn, question->act))
			answer->done++;
		else
			answer->unfit++;
	}
}
