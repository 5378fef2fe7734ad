/* SPDX-License-Identifier: BSD-3-Clause */

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_pause.h>

#include "cookie/spent_cookies.h"
#include "engine/buffers.h"
#include "engine/burst_cookie.h"
#include "engine/burst_desk.h"
#include "engine/burst_entrance.h"
#include "engine/burst_forward.h"
#include "engine/burst_limit.h"
#include "engine/direct.h"
#include "engine/grow.h"
#include "engine/log.h"
#include "engine/outside.h"
#include "engine/proxy.h"
#include "engine/resolver.h"
#include "engine/services_prefixes.h"
#include "engine/steering.h"
#include "engine/transmit.h"
#include "engine/worker.h"

/* Turns without work before `sleep` begins to sleep, and the longest nap. */
#define WORKER_IDLE_TURNS       256
#define WORKER_NAP_MAX_US       1000

#define WORKER_RESOLVE_EVERY_US 100000

/*
 * Packets taken from a queue at once, as multiples of the sixteen that columns have.  With 48 what
 * a burst touches stays near: SYNs took 8 % longer with 32 and 3 % with 64.  What comes out of
 * another core's cache is waited for once a burst, by all of it: the more, the better.
 */
#define WORKER_RECEIVE_MOST     48
#define WORKER_RECEIVE_MOST_FAR BURST_MAX

/* Questions of control, lapsed TIME_WAIT and the like wait so long at most. */
#define WORKER_HOUSE_EVERY_US 50

/* The whole life of a burst of packets, top to bottom. */
static void
worker_burst(struct worker *worker, struct burst *burst)
{
	burst_receive(worker, burst); /* NIC queues, and the rings from other workers, to packets */
	if (burst->n == 0) {
		transmit_flush(worker); /* What others gave us to send. */
		return;
	}
	burst_parse(worker, burst);    /* bytes to segments; malformed ones drop */
	burst_classify(worker, burst); /* ours or not; flags to events */
	burst_limit(worker, burst);    /* who is refused, or asks too often, drops */
	burst_direct(worker, burst);   /* backends that answer clients themselves: passed on */
	burst_lookup(worker, burst);   /* keys to connections, all cache misses at once */
	burst_forward(worker, burst);  /* spliced connections: translated and out again */
	burst_cookie(worker, burst);   /* misses that need no memory: SYN cookies, out and back */
	burst_step(worker, burst);     /* segment and connection to action */
	burst_reply(worker, burst);    /* action to bytes, in the same packet */
	burst_transmit(worker, burst); /* packets to NIC queues, in bursts */
}

/* A timeout is an event: the same stages, from step on. */
static unsigned int
worker_expire(struct worker *worker, struct burst *burst)
{
	unsigned int n;

	burst_expire(worker, burst);
	n = burst->n;
	if (n == 0)
		return 0;
	for (unsigned int i = 0; i < n; i++)
		worker_count(worker, conn_table_tail(worker->table, burst->conn[i])->port,
				COUNTER_timers_expired, 1);
	burst_step(worker, burst);
	burst_reply(worker, burst);
	burst_transmit(worker, burst);
	return n;
}

/* Whoever is still connected when the engine stops is told so. */
static void
worker_abort_all(struct worker *worker)
{
	struct burst burst;
	uint32_t slot = 0;

	while (slot < conn_table_capacity(worker->table)) {
		slot = burst_abort(worker, &burst, slot);
		burst_step(worker, &burst);
		burst_reply(worker, &burst);
		burst_transmit(worker, &burst);
	}
}

/* Others send through this worker's queues, so it stays until the last has said its last. */
void
worker_leave(struct worker *worker)
{
	struct engine *engine = worker->engine;

	__atomic_add_fetch(&engine->workers_done, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&engine->workers_done, __ATOMIC_ACQUIRE) < engine->worker_count) {
		transmit_flush(worker);
		rte_pause();
	}
	for (unsigned int i = 0; i < worker->transmit_for_count; i++) {
		while (!rte_ring_empty(worker->transmit_for[i]))
			transmit_flush(worker);
	}
}

static void
worker_read_clock(struct worker *worker)
{
	worker->now_us = clock_us(&worker->engine->clock);
	worker->now_ms = (uint32_t)(worker->now_us / 1000);
	worker->now_s = (uint32_t)(worker->now_us / 1000000);
}

static void
worker_adopt_rate(struct worker *worker, struct token_bucket *bucket, uint32_t rate_per_second)
{
	if (bucket->rate_per_second != rate_per_second)
		token_bucket_init(bucket, rate_per_second, worker->now_us);
}

/* The services are others than a turn ago. */
static void
worker_adopt(struct worker *worker, const struct services *services)
{
	const struct settings_tcp *tcp = &services->settings->tcp;

	worker->services = services;
	worker_expect_none(worker);
	memset(worker->desk, 0, BURST_DESKS * sizeof(*worker->desk));
	worker->entrance->found = false;
	services_adopt(services, worker->share);
	worker_adopt_rate(worker, &worker->resets, tcp->reset_rate);
	worker_adopt_rate(worker, &worker->challenges, tcp->challenge_ack_rate);
	worker_adopt_rate(worker, &worker->echoes, tcp->echo_rate);
	worker_adopt_rate(worker, &worker->unreachables, tcp->echo_rate);
	time_wait_set_lifetime(worker->time_wait, tcp->time_wait_ms);
	if (services->has_echo && worker->made.echo != NULL)
		worker->echo_buffers = worker->made.echo;
	if (services->has_proxy)
		worker->proxy = worker->made.proxy;
	if (services->has_direct)
		direct_adopt(worker);
}

/* What holds for a whole turn. */
void
worker_begin(struct worker *worker)
{
	const struct services *services = engine_services(worker->engine);

	worker_read_clock(worker);
	if (services != worker->services)
		worker_adopt(worker, services);
	worker->lists = lists_set(&worker->engine->lists);
}

/* What need not be looked after in every turn. @return whether there was work. */
static bool
worker_keep_house(struct worker *worker)
{
	bool busy = false;

	/* Who has a budget and used it up goes on in the next turn. */
	worker->house_is_due = time_wait_expire(worker->time_wait, worker->now_ms, BURST_MAX) > 0;
	busy |= mailbox_serve(worker);
	busy |= checks_serve(worker);
	worker->house_is_due |= busy;
	direct_expire(worker);
	if (worker->index == 0 && worker->now_us - worker->resolved_us > WORKER_RESOLVE_EVERY_US) {
		worker->resolved_us = worker->now_us;
		resolver_poll(worker);
	}
	worker->housekept_us = worker->now_us;
	return busy;
}

bool
worker_turn(struct worker *worker)
{
	const uint64_t before_us = worker->now_us;
	struct burst burst;
	bool busy;

	worker_begin(worker);
	/* The clock is read once a turn: a turn ends where the next one begins. */
	if (worker->was_busy)
		__atomic_store_n(&worker->busy_us, worker->busy_us + worker->now_us - before_us,
				__ATOMIC_RELAXED);
	worker_burst(worker, &burst);
	busy = worker->turn_packets > 0;
	busy |= worker_expire(worker, &burst) > 0;
	if (!busy || worker->house_is_due ||
			worker->now_us - worker->housekept_us >= WORKER_HOUSE_EVERY_US)
		busy |= worker_keep_house(worker);
	__atomic_store_n(&worker->turns, worker->turns + 1, __ATOMIC_RELEASE);
	worker->was_busy = busy;
	return busy;
}

/* Naps grow with the silence, so that a busy worker never naps. */
static void
worker_nap(struct worker *worker)
{
	struct timespec nap = {0};
	uint32_t us;

	worker->idle_turns++;
	if (worker->idle_turns < WORKER_IDLE_TURNS) {
		rte_pause();
		return;
	}
	us = 10 + (worker->idle_turns - WORKER_IDLE_TURNS) * 2;
	if (__atomic_load_n(&worker->engine->timing, __ATOMIC_RELAXED) > 0)
		us = 10;
	nap.tv_nsec = (long)RTE_MIN(us, (uint32_t)WORKER_NAP_MAX_US) * 1000;
	nanosleep(&nap, NULL);
}

void
worker_idle(struct worker *worker)
{
	switch (worker->engine->settings->engine.idle) {
	case SETTINGS_IDLE_SPIN:
		return;
	case SETTINGS_IDLE_PAUSE:
		rte_pause();
		return;
	case SETTINGS_IDLE_YIELD:
		/* The peer on this core runs until it has nothing to do either; so may others. */
		sched_yield();
		return;
	case SETTINGS_IDLE_SLEEP:
		worker_nap(worker);
		return;
	}
}

int
worker_run(void *argument)
{
	struct worker *worker = argument;

	while (engine_phase(worker->engine) != ENGINE_STOPPING) {
		if (worker_turn(worker))
			worker->idle_turns = 0;
		else
			worker_idle(worker);
	}
	worker_begin(worker);
	worker_abort_all(worker);
	worker_leave(worker);
	return 0;
}

bool
worker_wait_for_turns(const struct engine *engine)
{
	const struct timespec pause = {.tv_nsec = 100000};
	uint64_t begun[SETTINGS_WORKERS_MAX];
	unsigned int patience = 10000;

	for (unsigned int w = 0; w < engine->worker_count; w++)
		begun[w] = __atomic_load_n(&engine->worker[w]->turns, __ATOMIC_SEQ_CST);
	for (unsigned int w = 0; w < engine->worker_count; w++) {
		/* The turn in progress may have looked before; the one after it has not. */
		while (__atomic_load_n(&engine->worker[w]->turns, __ATOMIC_SEQ_CST) - begun[w] <
				2) {
			if (patience-- == 0 || engine_phase(engine) == ENGINE_STOPPING)
				return false;
			nanosleep(&pause, NULL);
		}
	}
	return true;
}

void
worker_drop(struct worker *worker, struct rte_mbuf *packet, enum counter reason)
{
	worker_count(worker, (uint8_t)packet->port, reason, 1);
	buffers_free(&packet, 1);
}

bool
worker_echoes(const struct settings_service *service)
{
	return service->mode == SETTINGS_MODE_RESPOND &&
	       (service->reply == RESPOND_ECHO ||
			       (service->reply == RESPOND_HTTP && service->websocket));
}

uint32_t
worker_echo_rings(const struct settings *settings)
{
	for (unsigned int i = 0; i < settings->service_count; i++) {
		if (worker_echoes(&settings->service[i]))
			return settings->engine.echo_buffers;
	}
	return 1;
}

static uint64_t
worker_tables_footprint(const struct settings *settings)
{
	return conn_table_footprint_with(settings->engine.connections, proxy_tail(settings)) +
	       RTE_ALIGN_CEIL(timer_wheel_footprint(), 64) +
	       time_wait_footprint(settings->tcp.max_tw_buckets) +
	       spent_cookies_footprint(settings->tcp.max_spent_cookies) +
	       echo_buffers_footprint(worker_echo_rings(settings));
}

uint64_t
worker_footprint(const struct settings *settings)
{
	return worker_tables_footprint(settings) + services_prefixes_footprint(settings);
}

/* Tables, wheel and echo rings in one piece of the node's memory. */
static int
worker_create_tables(struct worker *worker)
{
	const struct settings *settings = worker->engine->settings;
	const size_t table_bytes = conn_table_footprint_with(
			settings->engine.connections, proxy_tail(settings));
	const size_t wheel_bytes = RTE_ALIGN_CEIL(timer_wheel_footprint(), 64);
	const uint64_t bytes = worker_tables_footprint(settings);
	struct siphash_key key;
	uint8_t *memory;

	worker->memory = rte_malloc_socket("handfast_tables", bytes, 64, worker->numa_node);
	if (worker->memory == NULL) {
		log_error("worker",
				"%u: no %llu MiB of memory for %u connections on NUMA node %d; "
				"lower engine.connections or raise engine.memory_size",
				worker->index, (unsigned long long)(bytes >> 20),
				settings->engine.connections, worker->numa_node);
		return -1;
	}
	if (!outside_random(&key, sizeof(key)) ||
			!outside_random(&worker->challenge_random,
					sizeof(worker->challenge_random))) {
		log_error("worker", "the kernel gives no random bytes");
		return -1;
	}
	memory = worker->memory;
	worker->table = conn_table_init_with(
			memory, settings->engine.connections, proxy_tail(settings), &key);
	memory += table_bytes;
	worker->wheel = timer_wheel_init(memory, worker->table, worker->now_ms);
	memory += wheel_bytes;
	worker->time_wait = time_wait_init(
			memory, settings->tcp.max_tw_buckets, settings->tcp.time_wait_ms);
	memory += time_wait_footprint(settings->tcp.max_tw_buckets);
	worker->spent = spent_cookies_init(memory, settings->tcp.max_spent_cookies);
	memory += spent_cookies_footprint(settings->tcp.max_spent_cookies);
	worker->echo_buffers = echo_buffers_init(memory, worker_echo_rings(settings));
	return 0;
}

static void *
worker_alloc(const struct worker *worker, size_t count, size_t size)
{
	return rte_zmalloc_socket("handfast_worker", RTE_MAX(count, (size_t)1) * size,
			RTE_CACHE_LINE_SIZE, worker->numa_node);
}

/* The queues of all ports, dealt out to the workers in turn. */
static void
worker_assign_queues(struct worker *worker)
{
	const struct engine *engine = worker->engine;

	for (unsigned int p = 0; p < engine->port_count; p++) {
		for (unsigned int q = worker->index; q < engine->port[p].receive_queues;
				q += engine->worker_count)
			worker->queue[worker->queue_count++] =
					(struct worker_queue){(uint8_t)p, (uint16_t)q};
	}
}

static int
worker_create_arrays(struct worker *worker)
{
	const struct engine *engine = worker->engine;
	unsigned int queues = 0;

	for (unsigned int p = 0; p < engine->port_count; p++)
		queues += engine->port[p].receive_queues;
	worker->queue = worker_alloc(worker, queues, sizeof(*worker->queue));
	worker->handover = worker_alloc(worker, engine->worker_count, sizeof(*worker->handover));
	worker->steer_in = worker_alloc(worker, engine->worker_count, sizeof(*worker->steer_in));
	worker->transmit_through =
			worker_alloc(worker, engine->port_count, sizeof(*worker->transmit_through));
	worker->transmit_for =
			worker_alloc(worker, (size_t)engine->port_count * engine->worker_count,
					sizeof(*worker->transmit_for));
	worker->counters = worker_alloc(worker, engine->port_count, sizeof(*worker->counters));
	worker->share = worker_alloc(worker, SERVICES_MAX, sizeof(*worker->share));
	worker->desk = worker_alloc(worker, BURST_DESKS, sizeof(*worker->desk));
	worker->entrance = worker_alloc(worker, 1, sizeof(*worker->entrance));
	worker->rules = worker_alloc(worker, tcp_rules_count(), sizeof(*worker->rules));
	worker->backends = backends_counts_create(worker->numa_node);
	if (worker->queue == NULL || worker->handover == NULL || worker->steer_in == NULL ||
			worker->transmit_through == NULL || worker->transmit_for == NULL ||
			worker->counters == NULL || worker->share == NULL || worker->desk == NULL ||
			worker->entrance == NULL || worker->rules == NULL ||
			worker->backends == NULL) {
		log_error("worker", "%u: out of memory", worker->index);
		return -1;
	}
	worker_assign_queues(worker);
	return 0;
}

static unsigned int
worker_receive_most(const struct engine *engine)
{
	for (unsigned int p = 0; p < engine->port_count; p++) {
		if (engine->port[p].device.far)
			return WORKER_RECEIVE_MOST_FAR;
	}
	return WORKER_RECEIVE_MOST;
}

struct worker *
worker_create(struct engine *engine, unsigned int index, unsigned int lcore)
{
	const int numa_node = (int)rte_lcore_to_socket_id(lcore);
	struct worker *worker = rte_zmalloc_socket(
			"handfast_worker", sizeof(*worker), RTE_CACHE_LINE_SIZE, numa_node);

	if (worker == NULL) {
		log_error("worker", "%u: out of memory on NUMA node %d", index, numa_node);
		return NULL;
	}
	worker->engine = engine;
	worker->index = index;
	worker->lcore = lcore;
	worker->core = (unsigned int)rte_lcore_to_cpu_id((int)lcore);
	worker->numa_node = numa_node;
	worker->pool = engine->pool;
	worker->receive_most = worker_receive_most(engine);
	worker->columns = parse_columns_available();
	mailbox_init(&worker->mailbox, engine);
	mailbox_init(&worker->openings, engine);
	mailbox_init(&worker->census, engine);
	worker_read_clock(worker);
	if (worker_create_tables(worker) != 0 || worker_create_arrays(worker) != 0 ||
			grow_start(worker) != 0) {
		worker_free(worker);
		return NULL;
	}
	worker_adopt(worker, engine_services(engine));
	return worker;
}

void
worker_free(struct worker *worker)
{
	grow_free(worker);
	rte_free(worker->queue);
	rte_free(worker->handover);
	rte_free(worker->steer_in);
	rte_free(worker->transmit_through);
	rte_free(worker->transmit_for);
	rte_free(worker->counters);
	rte_free(worker->share);
	rte_free(worker->desk);
	rte_free(worker->entrance);
	rte_free(worker->rules);
	backends_counts_free(worker->backends);
	free(worker->listener_conns);
	rte_free(worker->memory);
	rte_free(worker);
}
