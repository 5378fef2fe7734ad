/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include "engine/checks.h"
#include "engine/health.h"
#include "engine/worker.h"

/* Options of every segment of a connection with timestamps; tcp_conn.mss leaves them out. */
#define CHECKS_TIMESTAMPS_BYTES 12

void
checks_ask(struct worker *worker, unsigned int backend)
{
	struct checks *checks = &worker->checks;

	checks->ring[checks->asked % CHECKS_RING] = (uint16_t)backend;
	__atomic_store_n(&checks->asked, checks->asked + 1, __ATOMIC_RELEASE);
}

/* It is known how the check ends. */
static void
checks_decide(struct worker *worker, struct check *check, enum check_result result)
{
	check->decided = true;
	check->result = (uint8_t)result;
	check->took_us = (uint32_t)(clock_us(&worker->engine->clock) - check->began_us);
	worker_count(worker, check->origin.port,
			result == CHECK_GOOD ? COUNTER_checks_passed : COUNTER_checks_failed, 1);
}

/* Whether our end has a connection to the backend, or had one in the last 2 MSL. */
static bool
checks_port_is_used(const struct worker *worker, const struct flow_key *key)
{
	const uint64_t hash = conn_table_hash(worker->table, key);

	return conn_table_lookup(worker->table, key, hash) != NULL ||
	       time_wait_lookup(worker->time_wait, key, hash, worker->now_ms) != NULL;
}

static void
checks_begin(struct worker *worker, unsigned int backend)
{
	struct check *check = &worker->engine->health->check[backend];
	const struct service *service = services_of(worker->services, &check->key);
	struct service_share *share =
			&worker->share[services_number(worker->services, &check->key)];
	struct burst burst;

	worker->checks.running[worker->checks.running_count++] = (uint16_t)backend;
	check->conn = NULL;
	check->decided = false;
	check->code = 0;
	check->status = (struct http_status){0};
	check->began_us = clock_us(&worker->engine->clock);
	if (engine_phase(worker->engine) != ENGINE_RUNNING ||
			checks_port_is_used(worker, &check->key) ||
			!burst_open(worker, &burst, &check->key, &check->origin)) {
		check->decided = true;
		check->result = CHECK_NOT_MADE;
		return;
	}
	/* The service behind connections of our own has no limit. */
	services_admit(service, share);
	check->conn = burst.conn[0];
	burst_step(worker, &burst);
	burst_reply(worker, &burst);
	burst_transmit(worker, &burst);
}

/* Take the check back from the worker, whatever becomes of its connection. */
static void
checks_finish(struct worker *worker, struct check *check)
{
	struct conn *conn = check->conn;
	struct burst burst;

	check->conn = NULL;
	if (conn != NULL) {
		burst_happen(worker, &burst, conn, TCP_EVENT_ABORT);
		burst_step(worker, &burst);
		burst_reply(worker, &burst);
		burst_transmit(worker, &burst);
	}
	__atomic_store_n(&check->done, 1, __ATOMIC_RELEASE);
}

static void
checks_look(struct worker *worker)
{
	struct checks *checks = &worker->checks;
	unsigned int kept = 0;

	for (unsigned int i = 0; i < checks->running_count; i++) {
		const uint16_t backend = checks->running[i];
		struct check *check = &worker->engine->health->check[backend];

		/* Begun in this turn, it began after the turn did. */
		if (!check->decided && (int64_t)(worker->now_us - check->began_us) >=
						       (int64_t)check->timeout_ms * 1000)
			checks_decide(worker, check, CHECK_TIMED_OUT);
		if (check->decided)
			checks_finish(worker, check);
		else
			checks->running[kept++] = backend;
	}
	checks->running_count = kept;
}

bool
checks_serve(struct worker *worker)
{
	struct checks *checks = &worker->checks;
	const uint32_t asked = __atomic_load_n(&checks->asked, __ATOMIC_ACQUIRE);
	bool busy = false;

	while (checks->begun != asked && checks->running_count < CHECKS_RUNNING_MAX) {
		checks_begin(worker, checks->ring[checks->begun++ % CHECKS_RING]);
		busy = true;
	}
	if (checks->running_count > 0 && (busy || checks->looked_ms != worker->now_ms)) {
		checks->looked_ms = worker->now_ms;
		checks_look(worker);
	}
	return busy;
}

/* The check that a connection is, unless that is over. */
static struct check *
checks_of(const struct worker *worker, const struct conn *conn)
{
	struct check *check = &worker->engine->health->check[flow_key_backend(&conn->key)];

	return check->conn == conn && !check->decided ? check : NULL;
}

bool
checks_opened(struct worker *worker, const struct conn *conn)
{
	const struct tcp_conn *tcp = &conn->tcp;
	const bool timestamps = (tcp->flags & TCP_CONN_TIMESTAMPS) != 0;
	const struct backends_profile profile = {
			.mss = (uint16_t)(tcp->mss + (timestamps ? CHECKS_TIMESTAMPS_BYTES : 0)),
			.window_scale = tcp->scales & 0xf,
			.has_window_scale = (tcp->flags & TCP_CONN_WINDOW_SCALE) != 0,
			.has_sack = (tcp->flags & TCP_CONN_SACK) != 0,
			.has_timestamps = timestamps,
	};
	struct check *check = checks_of(worker, conn);

	if (check == NULL)
		return false;
	backends_learn(worker->engine->backends, flow_key_backend(&conn->key), &profile);
	if (check->http)
		return true;
	checks_decide(worker, check, CHECK_GOOD);
	check->conn = NULL;
	return false;
}

void
checks_input(struct worker *worker, const struct conn *conn, const uint8_t *data,
		unsigned int length)
{
	struct check *check = checks_of(worker, conn);
	int code;

	if (check == NULL)
		return;
	code = http_status_read(&check->status, data, length);
	if (code == HTTP_STATUS_MORE)
		return;
	if (code == HTTP_STATUS_BAD) {
		checks_decide(worker, check, CHECK_NO_HTTP);
		return;
	}
	check->code = (uint16_t)code;
	checks_decide(worker, check, code >= 200 && code < 400 ? CHECK_GOOD : CHECK_BAD_STATUS);
}

void
checks_peer_closed(struct worker *worker, const struct conn *conn)
{
	struct check *check = checks_of(worker, conn);

	if (check != NULL)
		checks_decide(worker, check, CHECK_CLOSED);
}

void
checks_ended(struct worker *worker, const struct conn *conn, enum tcp_event event)
{
	struct check *check = &worker->engine->health->check[flow_key_backend(&conn->key)];

	if (check->conn != conn)
		return;
	check->conn = NULL;
	if (check->decided)
		return;
	if (event == TCP_EVENT_RST)
		checks_decide(worker, check, CHECK_REFUSED);
	else if (event == TCP_EVENT_UNREACHABLE)
		checks_decide(worker, check, CHECK_UNREACHABLE);
	else if (event == TCP_EVENT_TIMEOUT)
		checks_decide(worker, check, CHECK_TIMED_OUT);
	else if (event == TCP_EVENT_ABORT)
		checks_decide(worker, check, CHECK_NOT_MADE);
	else
		checks_decide(worker, check, CHECK_CLOSED);
}
