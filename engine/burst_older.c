/* SPDX-License-Identifier: BSD-3-Clause */

#include "engine/burst.h"
#include "engine/burst_older.h"
#include "engine/worker.h"

/* Look packet i up as one of another listener. @return whether it is one's. */
static bool
burst_older_find(struct worker *worker, struct burst *burst, unsigned int i, uint16_t listener)
{
	struct flow_key key = burst->key[i];
	uint64_t hash;

	key.endpoint = listener;
	hash = conn_table_hash(worker->table, &key);
	burst->conn[i] = conn_table_lookup(worker->table, &key, hash);
	/*
	 * A SYN that follows a connection in TIME_WAIT is a new one, and new ones are for the
	 * newest listener; there it meets nobody it could be taken for.
	 */
	if (burst->conn[i] == NULL && burst->event[i] != TCP_EVENT_SYN)
		burst->waiting[i] = time_wait_lookup(worker->time_wait, &key, hash, worker->now_ms);
	if (burst->conn[i] == NULL && burst->waiting[i] == NULL)
		return false;
	burst->key[i] = key;
	burst->hash[i] = hash;
	return true;
}

void
burst_older(struct worker *worker, struct burst *burst)
{
	const struct services *services = worker->services;

	for (unsigned int i = 0; i < burst->n; i++) {
		const struct listener *listener;
		uint16_t older;

		if (!flow_key_is_passive(&burst->key[i]) || burst->conn[i] != NULL)
			continue;
		listener = &services->listener[burst->key[i].endpoint];
		if (listener->closed && burst->event[i] == TCP_EVENT_SYN)
			burst->waiting[i] = NULL;
		older = burst->waiting[i] == NULL ? listener->older : LISTENER_NONE;
		while (older != LISTENER_NONE && !burst_older_find(worker, burst, i, older))
			older = services->listener[older].older;
	}
}

void
burst_older_renew(struct worker *worker, struct burst *burst, unsigned int i)
{
	struct flow_key *key = &burst->key[i];

	if (!flow_key_is_passive(key) ||
			worker->services->listener[key->endpoint].newest == key->endpoint)
		return;
	key->endpoint = worker->services->listener[key->endpoint].newest;
	burst->hash[i] = conn_table_hash(worker->table, key);
	burst->conn[i] = conn_table_lookup(worker->table, key, burst->hash[i]);
}
