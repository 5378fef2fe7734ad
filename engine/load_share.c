/* SPDX-License-Identifier: BSD-3-Clause */

/**
 * @file
 * What part of the load each worker carries.
 *
 * A connection's answers come to the worker that steering chooses for its tuple, so a worker can
 * begin only connections of its own tuples.  Where there are few it may have less of them than its
 * part of --concurrency, or none at all: then the others, which have the more, carry the rest.
 */

#include "engine/load.h"
#include "engine/worker.h"

/* So many tuples are looked at before it is asked whether they are enough. */
#define LOAD_SHARE_STEP 65536

uint64_t
load_part(uint64_t whole, unsigned int worker, unsigned int workers)
{
	return whole * (worker + 1) / workers - whole * worker / workers;
}

uint64_t
load_share(const struct worker *worker, uint64_t whole)
{
	const struct load_worker *load = worker->load;
	const unsigned __int128 all = whole;

	return (uint64_t)(all * (load->share_before + load->share) / load->load->shares -
			  all * load->share_before / load->load->shares);
}

double
load_rate(const struct worker *worker)
{
	const struct load *load = worker->load->load;

	return load->plan.rate * (double)worker->load->share / (double)load->shares;
}

/* How many connections a worker could have at once. */
static uint64_t
load_share_most(const struct worker *worker)
{
	return RTE_MIN(worker->load->tuples, (uint64_t)conn_table_capacity(worker->table));
}

uint64_t
load_places(const struct engine *engine)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < engine->worker_count; i++)
		sum += load_share_most(engine->worker[i]);
	return sum;
}

/* Whether every worker can have as many connections as any, were all parts the same. */
static bool
load_share_is_even(const struct engine *engine)
{
	const uint64_t concurrency = engine->load->plan.concurrency;
	const uint64_t part = (concurrency + engine->worker_count - 1) / engine->worker_count;

	for (unsigned int i = 0; i < engine->worker_count; i++) {
		if (load_share_most(engine->worker[i]) < part)
			return false;
	}
	return true;
}

/*
 * Whose a port's tuples are; of many only as many as tell that there are enough.  Steering spreads
 * them: who has no part in twice the number of all connections has next to none.
 */
static void
load_share_count(const struct engine *engine, unsigned int port)
{
	struct tuple_walk walk = engine->load->walk[port];
	uint64_t left = RTE_MIN(tuple_walk_count(&walk),
			2 * (uint64_t)engine->load->plan.concurrency + LOAD_SHARE_STEP);
	struct tuple tuple;

	tuple_walk_seek(&walk, 0);
	do {
		const uint64_t step = RTE_MIN(left, (uint64_t)LOAD_SHARE_STEP);

		for (uint64_t i = 0; i < step; i++) {
			struct load_worker *owner;

			tuple_walk_next(&walk, &tuple);
			owner = engine->worker[load_owner(engine, &tuple)]->load;
			owner->tuples++;
			owner->by_ports |= 1u << port;
		}
		left -= step;
	} while (left > 0 && !load_share_is_even(engine));
}

/* Give as many connections as there are to workers that can have more, the same to each. */
static void
load_share_deal(const struct engine *engine)
{
	uint64_t left = engine->load->plan.concurrency, each;
	unsigned int takers;

	do {
		takers = 0;
		for (unsigned int i = 0; i < engine->worker_count; i++)
			takers += engine->worker[i]->load->share <
				  load_share_most(engine->worker[i]);
		each = takers > 0 ? (left + takers - 1) / takers : 0;
		for (unsigned int i = 0; i < engine->worker_count; i++) {
			struct load_worker *load = engine->worker[i]->load;
			const uint64_t room = load_share_most(engine->worker[i]) - load->share;
			uint64_t more = RTE_MIN(each, room);

			more = RTE_MIN(more, left);
			load->share += more;
			left -= more;
		}
	} while (left > 0 && takers > 0);
}

/* One share for each worker; with fewer connections to be had than workers, not for all. */
static void
load_share_evenly(const struct engine *engine, uint64_t shares)
{
	for (unsigned int i = 0; i < engine->worker_count; i++)
		engine->worker[i]->load->share = i < shares;
}

void
load_share_out(struct engine *engine)
{
	const struct load_plan *plan = &engine->load->plan;
	const bool keeps_state = load_keeps_state(plan->exchange);
	const bool counts = keeps_state && engine->worker_count > 1;

	for (unsigned int i = 0; i < engine->worker_count; i++) {
		struct load_worker *load = engine->worker[i]->load;

		load->tuples = counts ? 0 : load_tuples(engine);
		load->by_ports = counts ? 0 : UINT32_MAX;
	}
	for (unsigned int p = 0; counts && p < engine->port_count; p++)
		load_share_count(engine, p);
	if (counts && !load_share_is_even(engine))
		load_share_deal(engine);
	else
		load_share_evenly(engine, keeps_state ? plan->concurrency : UINT64_MAX);
	for (unsigned int i = 0; i < engine->worker_count; i++) {
		struct load_worker *load = engine->worker[i]->load;

		load->share_before = engine->load->shares;
		engine->load->shares += load->share;
		if (load->tuples > 0 && (load->by_ports & 1) == 0)
			load_next_port(load, engine->port_count);
	}
}
