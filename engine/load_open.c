/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * The generator's connections begin here: a few at a time, between two bursts of answers, so that
 * what is sent stays even (a burst of launches is a burst of loss).
 */

#include <string.h>

#include "engine/load.h"
#include "engine/load_table.h"
#include "engine/steering.h"
#include "engine/transmit.h"
#include "engine/worker.h"
#include "load/predict.h"

/* Starts per burst of answers, at most. */
#define LOAD_OPEN_MAX 32
/*
 * Of so many connections at once a receive queue has room for all answers.  With more, those that
 * wait are read before others begin: what is full loses packets, and a lost one is waited for.
 */
#define LOAD_OPEN_SURE 512
/* How long a device may take nothing. */
#define LOAD_BATCH_PATIENCE_US 1000000
/* Tuples of other workers passed over for one start: with hundreds of workers it does not happen.
 */
#define LOAD_OPEN_SEARCH 65536
/* Tuples looked at for one start before there is none to be had, */
#define LOAD_OPEN_TRIES 64
/* and the first of them, of which one may be found where nobody is. */
#define LOAD_OPEN_TRIES_FREE 4
/* How late a start may be said to be: its time is kept in 32 bits, and the peer needs some, too. */
#define LOAD_OPEN_LAG_MAX_US (UINT64_C(1) << 31)

/* Connections that are about to begin. */
struct load_starts {
	unsigned int n;
	unsigned int failed; /* No connection could be had for so many others. */
	uint64_t intended_us[LOAD_OPEN_MAX];
	struct flow_key key[LOAD_OPEN_MAX];
	uint64_t isn[LOAD_OPEN_MAX];
	struct conn *conn[LOAD_OPEN_MAX];
	const struct frame_shape *shape; /* Of the SYNs that are to be written, */
	struct frame_shape_rows rows;    /* which are these. */
};

/* Whose a TCP frame of ours is. @return false: nobody's. */
static bool
load_open_read(const struct load *load, const struct rte_mbuf *packet, uint8_t port,
		struct flow_key *key)
{
	const uint8_t *data = rte_pktmbuf_mtod(packet, const uint8_t *);

	for (unsigned int t = 0; t < load->target_count; t++) {
		const struct load_target *target = &load->target[t];
		const uint8_t *ip = data + target->frames.l3, *tcp = data + target->frames.l4;
		const bool ipv4 = target->frames.family == 4;
		const unsigned int length = ipv4 ? 4 : 16;
		rte_be32_t source;

		if (target->by_port != port ||
				memcmp(ip + (ipv4 ? 16 : 24), target->address + 16 - length,
						length) != 0 ||
				memcmp(tcp + 2, &target->port, sizeof(target->port)) != 0)
			continue;
		memcpy(&source, ip + 12, sizeof(source));
		if (ipv4)
			flow_key_map_ipv4(key->address, source);
		else
			memcpy(key->address, ip + 8, sizeof(key->address));
		memcpy(&key->port, tcp, sizeof(key->port));
		key->endpoint = (uint16_t)(FLOW_KEY_ACTIVE | t);
		return true;
	}
	return false;
}

void
load_refused(struct worker *worker, struct rte_mbuf *packets[], unsigned int n, uint8_t port)
{
	for (unsigned int i = 0; i < n; i++) {
		struct flow_key key;
		struct conn *conn;

		if (!load_open_read(worker->load->load, packets[i], port, &key))
			continue;
		conn = load_table_find(worker, &key);
		if (conn != NULL && conn->tcp.state == TCP_SYN_SENT)
			load_conn_of(worker->load, conn)->flags |= LOAD_CONN_UNSENT;
	}
}

bool
load_batch_send(struct worker *worker)
{
	struct load_worker *load = worker->load;
	unsigned int n = load->batch_end - load->batch_first;

	if (n > 0) {
		/* Answers that were made before go first. */
		n = transmit_flush_with(
				worker, &load->batch[load->batch_first], n, load->batch_port);
		load->batch_first += n;
		if (n > 0)
			load->batch_us = worker->now_us;
		if (load->batch_first < load->batch_end &&
				worker->now_us - load->batch_us > LOAD_BATCH_PATIENCE_US) {
			transmit_discard(worker, &load->batch[load->batch_first],
					load->batch_end - load->batch_first, load->batch_port);
			load->batch_first = load->batch_end;
		}
	}
	if (load->batch_first < load->batch_end)
		return false;
	load->batch_first = 0;
	load->batch_end = 0;
	load->batch_us = worker->now_us;
	return true;
}

unsigned int
load_owner(const struct engine *engine, const struct tuple *tuple)
{
	const struct load_target *target = &engine->load->target[tuple->target];
	struct port_flow flow = {.remote_port = target->port, .local_port = tuple->port};

	memcpy(flow.remote, target->address, sizeof(flow.remote));
	memcpy(flow.local, tuple->address, sizeof(flow.local));
	return steering_flow_owner(engine, &engine->port[target->by_port], &flow);
}

bool
load_owns(const struct worker *worker, const struct tuple *tuple)
{
	return worker->engine->worker_count == 1 ||
	       load_owner(worker->engine, tuple) == worker->index;
}

static inline void
load_open_walk(struct load_worker *load, struct tuple *tuple)
{
	struct tuple_walk *walk = &load->walk[load->port];

	if (load->load->plan.random_order)
		tuple_walk_random(walk, load_random(load), tuple);
	else
		tuple_walk_next(walk, tuple);
}

/* The next tuple whose answers will come to this worker; nobody's when it has none. */
static void
load_open_next_own(struct worker *worker, struct flow_key *key)
{
	unsigned int tries = LOAD_OPEN_SEARCH;
	struct tuple tuple;

	do
		load_open_walk(worker->load, &tuple);
	while (!load_owns(worker, &tuple) && --tries > 0);
	load_set_key(key, &tuple);
	if (tries == 0)
		key->endpoint |= FLOW_KEY_NOBODY;
}

static inline void
load_open_next(struct worker *worker, struct flow_key *key)
{
	struct load_worker *load = worker->load;
	struct tuple tuple;

	if (worker->engine->worker_count > 1) {
		load_open_next_own(worker, key);
		return;
	}
	load_open_walk(load, &tuple);
	load_set_key(key, &tuple);
}

/* How many are to begin now, and when each was meant to. */
static unsigned int
load_open_due(struct worker *worker, struct load_starts *starts)
{
	struct load_worker *load = worker->load;
	unsigned int room = load->active < load->limit ? load->limit - load->active : 0;
	unsigned int n = 0;

	room = RTE_MIN(room, (unsigned int)LOAD_OPEN_MAX);
	if (room > load->left)
		room = (unsigned int)load->left;
	if (load->load->plan.rate == 0.0) {
		while (n < room)
			starts->intended_us[n++] = worker->now_us;
	} else {
		while (n < room && pace_take(&load->pace, worker->now_us, &starts->intended_us[n]))
			n++;
	}
	return n;
}

/*
 * Whether a start for which there is no room waits until one of @p more connections or of those
 * before ends: in a closed loop it is not due until then.
 */
static inline bool
load_open_waits(const struct load_worker *load, unsigned int more)
{
	return load->load->plan.rate == 0.0 && load->active + more > 0;
}

/*
 * A tuple that has no connection gets one; NULL: it did not, and why is counted if @p counts.
 *
 * @param key
 *   The first tuple to be tried; which it was.
 */
static struct conn *
load_open_take(struct worker *worker, struct flow_key *key, uint32_t place, bool counts)
{
	struct load_worker *load = worker->load;
	enum load_table_result result = LOAD_TABLE_FULL;
	struct conn *conn = NULL;

	for (unsigned int tries = 0; tries < LOAD_OPEN_TRIES; tries++) {
		if (tries > 0) {
			load_open_next(worker, key);
			place = tuple_index_place(&load->index, key);
		}
		if (unlikely(!flow_key_is_active(key)))
			break;
		/* At random any other will do as well: one that is quickly found again. */
		if (load->load->plan.random_order && tries < LOAD_OPEN_TRIES_FREE &&
				tuple_index_at(&load->index, place) != TUPLE_INDEX_NONE)
			continue;
		result = load_table_add(worker, key, place, &conn);
		if (likely(result != LOAD_TABLE_PRESENT))
			break;
	}
	if (unlikely(conn == NULL && counts))
		figures_fail(load->figures, result == LOAD_TABLE_FULL && flow_key_is_active(key)
							    ? FAILURE_table_full
							    : FAILURE_no_tuple);
	return conn;
}

/*
 * Connections for tuples that have none; fewer than asked for where there is no room for more.
 * All tuples are chosen before the first is looked up, whose places are far away by then if many
 * connections are there.
 */
static void
load_open_choose(struct worker *worker, struct load_starts *starts)
{
	const struct tuple_index *index = &worker->load->index;
	uint32_t place[LOAD_OPEN_MAX];
	unsigned int n = 0;
	bool waits;

	starts->failed = 0;
	for (unsigned int i = 0; i < starts->n; i++) {
		load_open_next(worker, &starts->key[i]);
		place[i] = tuple_index_place(index, &starts->key[i]);
		tuple_index_prefetch(index, place[i]);
	}
	for (unsigned int i = 0; i < starts->n; i++) {
		starts->intended_us[n] = starts->intended_us[i];
		starts->key[n] = starts->key[i];
		waits = load_open_waits(worker->load, n);
		starts->conn[n] = load_open_take(worker, &starts->key[n], place[i], !waits);
		if (likely(starts->conn[n] != NULL))
			n++;
		else if (waits)
			break;
		else
			starts->failed++;
	}
	starts->n = n;
	siphash_flow_bulk(&worker->engine->isn_key, starts->key, n, starts->isn);
}

/* By the machine. @return the SYN's length. */
static unsigned int
load_open_begin(struct worker *worker, struct conn *conn, struct rte_mbuf *packet)
{
	struct load_worker *load = worker->load;
	const struct tcp_action action = tcp_step(&conn->tcp, TCP_EVENT_OPEN, NULL, &load->env);
	const struct frame_tcp tcp = {
			.source = conn->key.address,
			.port = conn->key.port,
			.window = (uint16_t)RTE_MIN(load->env.rcv_wnd, (uint32_t)UINT16_MAX),
			.seq = conn->tcp.snd_una,
			.flags = TCP_SYN,
	};

	timer_wheel_schedule(worker->wheel, conn, worker->now_ms + action.delay_ms);
	return frame_template_write(&load->load->target[flow_key_target(&conn->key)].frames,
			rte_pktmbuf_mtod(packet, uint8_t *), &tcp, &load->syn_options, NULL);
}

static void
load_open_write(struct load_starts *starts)
{
	if (starts->rows.n > 0)
		frame_shape_write_rows(starts->shape, &starts->rows);
	starts->rows.n = 0;
}

/*
 * The same where it is known beforehand; the wheel need not know of it yet, and the SYN is written
 * with others.
 */
static unsigned int
load_open_plain(struct worker *worker, struct load_starts *starts, struct conn *conn,
		struct rte_mbuf *packet)
{
	struct load_worker *load = worker->load;
	const struct frame_shape *shape = &load->load->target[flow_key_target(&conn->key)].syn;
	struct frame_shape_rows *rows = &starts->rows;

	predict_begin(&conn->tcp, &load->env);
	conn->timer_deadline_ms = worker->now_ms + load->syn_rto_ms;
	if (shape != starts->shape || rows->n == FRAME_SHAPE_ROWS)
		load_open_write(starts);
	starts->shape = shape;
	rows->to[rows->n] = rte_pktmbuf_mtod(packet, uint8_t *);
	rows->local[rows->n] = &conn->key;
	rows->seq[rows->n] = conn->tcp.snd_una;
	rows->tsecr[rows->n] = 0;
	rows->ack[rows->n++] = 0;
	return shape->length;
}

/* The SYN of a connection into @p packet. */
static inline void
load_open_one(struct worker *worker, struct load_starts *starts, unsigned int i,
		struct rte_mbuf *packet)
{
	struct load_worker *load = worker->load;
	struct conn *conn = starts->conn[i];
	struct load_conn *own = load_conn_of(load, conn);
	const uint64_t lag_us =
			RTE_MIN(worker->now_us - starts->intended_us[i], LOAD_OPEN_LAG_MAX_US);
	unsigned int length;

	own->begin_us = (uint32_t)(worker->now_us - lag_us);
	own->requests_left = load->load->plan.requests;
	load_note_start(load, &conn->key, worker->now_us);
	/* RFC 6528: a clock of 4 us, so that a reused tuple's numbers rise, and a secret. */
	load->env.isn = (uint32_t)starts->isn[i] + (uint32_t)(worker->now_us >> 2);
	length = load->predicts ? load_open_plain(worker, starts, conn, packet)
				: load_open_begin(worker, conn, packet);
	packet->port = load->port;
	packet->data_len = (uint16_t)length;
	packet->pkt_len = length;
}

static void
load_open_count(struct worker *worker, unsigned int n)
{
	struct load_worker *load = worker->load;

	if (n == 0)
		return;
	figures_count(load->figures, FIGURE_started, n);
	load->left -= n;
	load->starting = load->left > 0;
	load->finished_us = worker->now_us;
}

/* No buffers: those starts are lost, and said to be, unless they can wait for one. */
static void
load_open_without_buffers(struct worker *worker, unsigned int n)
{
	if (load_open_waits(worker->load, 0))
		return;
	load_open_count(worker, n);
	for (unsigned int i = 0; i < n; i++)
		figures_fail(worker->load->figures, FAILURE_no_buffer);
}

/* @return how many; fewer than LOAD_OPEN_MAX: there is no more to do. */
static unsigned int
load_open_batch(struct worker *worker)
{
	struct load_worker *load = worker->load;
	struct load_starts starts;
	unsigned int n;

	if (!load_batch_send(worker) || !load->starting ||
			(load->received > LOAD_RECEIVE_MAX / 2 && load->active >= LOAD_OPEN_SURE))
		return 0;
	starts.n = load_open_due(worker, &starts);
	if (starts.n == 0)
		return 0;
	if (rte_pktmbuf_alloc_bulk(worker->pool, load->batch, starts.n) != 0) {
		load_open_without_buffers(worker, starts.n);
		return 0;
	}
	n = starts.n;
	load_open_choose(worker, &starts);
	load_open_count(worker, starts.n + starts.failed);
	starts.shape = NULL;
	starts.rows.n = 0;
	starts.rows.tsval = load->env.ts_clock;
	for (unsigned int i = 0; i < starts.n; i++)
		load_open_one(worker, &starts, i, load->batch[i]);
	load_open_write(&starts);
	if (unlikely(starts.n < n))
		rte_pktmbuf_free_bulk(&load->batch[starts.n], n - starts.n);
	load->active += starts.n;
	load->batch_end = starts.n;
	load->batch_port = load->port;
	load_next_port(load, worker->engine->port_count);
	load->batch_us = worker->now_us;
	load_batch_send(worker);
	return starts.n + starts.failed;
}

unsigned int
load_open(struct worker *worker)
{
	unsigned int batches = RTE_MAX((worker->load->received + BURST_MAX - 1) / BURST_MAX, 1u);
	unsigned int began = 0, n;

	do {
		n = load_open_batch(worker);
		began += n;
	} while (n == LOAD_OPEN_MAX && --batches > 0);
	return began;
}
