/* SPDX-License-Identifier: BSD-3-Clause */

#include "engine/engine.h"
#include "engine/targets.h"
#include "engine/worker.h"

void
targets_init(struct targets *targets)
{
	memset(targets, 0, sizeof(*targets));
	pthread_mutex_init(&targets->control, NULL);
}

/* Whether anybody may still mean this target: a question on its way, or a connection. */
static bool
targets_in_use(const struct engine *engine, unsigned int number)
{
	if (engine->targets.pending[number] != 0)
		return true;
	for (unsigned int w = 0; w < engine->worker_count; w++) {
		if (__atomic_load_n(&engine->worker[w]->target_conns[number], __ATOMIC_ACQUIRE) !=
				0)
			return true;
	}
	return false;
}

/* A slot that nobody looks at: a new one, or the oldest target's without connections. */
static unsigned int
targets_vacate(struct engine *engine)
{
	struct targets *targets = &engine->targets;
	unsigned int oldest = TARGETS_NONE;

	if (targets->count < TARGETS_MAX)
		return targets->count;
	for (unsigned int i = 0; i < TARGETS_MAX; i++) {
		if (!targets_in_use(engine, i) &&
				(oldest == TARGETS_NONE ||
						targets->used[i] < targets->used[oldest]))
			oldest = i;
	}
	if (oldest == TARGETS_NONE)
		return oldest;
	__atomic_store_n(&targets->tag[oldest], 0, __ATOMIC_SEQ_CST);
	return worker_wait_for_turns(engine) ? oldest : TARGETS_NONE;
}

unsigned int
targets_take(struct engine *engine, const struct target *wanted)
{
	struct targets *targets = &engine->targets;
	unsigned int number;

	pthread_mutex_lock(&targets->control);
	number = targets_find(targets, wanted->port_index, wanted->address, wanted->port);
	if (number == TARGETS_NONE) {
		number = targets_vacate(engine);
		if (number != TARGETS_NONE) {
			targets->target[number] = *wanted;
			__atomic_store_n(&targets->tag[number],
					targets_tag(wanted->address, wanted->port),
					__ATOMIC_RELEASE);
			if (number == targets->count)
				__atomic_store_n(&targets->count, number + 1, __ATOMIC_RELEASE);
		}
	}
	if (number != TARGETS_NONE) {
		targets->pending[number]++;
		targets->used[number] = ++targets->uses;
	}
	pthread_mutex_unlock(&targets->control);
	return number;
}

void
targets_let_go(struct engine *engine, unsigned int number)
{
	pthread_mutex_lock(&engine->targets.control);
	engine->targets.pending[number]--;
	pthread_mutex_unlock(&engine->targets.control);
}

void
targets_get(struct engine *engine, unsigned int number, struct target *target)
{
	pthread_mutex_lock(&engine->targets.control);
	*target = engine->targets.target[number];
	pthread_mutex_unlock(&engine->targets.control);
}
