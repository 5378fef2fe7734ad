/* SPDX-License-Identifier: BSD-3-Clause */

#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <rte_interrupts.h>

#include "engine/engine.h"
#include "engine/unmap.h"
#include "engine/worker.h"

/* A worker that has not moved for a second holds no packet that matters any more. */
#define UNMAP_PATIENCE 10000
#define UNMAP_PAUSE_NS 100000

static const struct engine *unmap_engine; /* Atomic. */

void
unmap_wait_for(const struct engine *engine)
{
	__atomic_store_n(&unmap_engine, engine, __ATOMIC_SEQ_CST);
}

static uint64_t
unmap_turns(const struct worker *worker)
{
	return __atomic_load_n(&worker->turns, __ATOMIC_SEQ_CST);
}

/* Until every worker has begun two turns, or control waits for them to leave. @return which. */
static bool
unmap_wait(const struct engine *engine)
{
	const struct timespec pause = {.tv_nsec = UNMAP_PAUSE_NS};
	uint64_t begun[SETTINGS_WORKERS_MAX];
	unsigned int patience = UNMAP_PATIENCE;

	for (unsigned int w = 0; w < engine->worker_count; w++)
		begun[w] = unmap_turns(engine->worker[w]);
	for (unsigned int w = 0; w < engine->worker_count; w++) {
		while (unmap_turns(engine->worker[w]) - begun[w] < 2) {
			if (patience-- == 0 ||
					__atomic_load_n(&unmap_engine, __ATOMIC_SEQ_CST) == NULL)
				return false;
			nanosleep(&pause, NULL);
		}
	}
	return true;
}

bool
unmap_wait_for_workers(void)
{
	const struct engine *engine = __atomic_load_n(&unmap_engine, __ATOMIC_SEQ_CST);

	return engine == NULL || unmap_wait(engine);
}

/* Binds before the C library's. */
int
munmap(void *address, size_t length)
{
	const struct engine *engine = __atomic_load_n(&unmap_engine, __ATOMIC_SEQ_CST);

	if (engine != NULL && rte_thread_is_intr())
		unmap_wait(engine);
	return (int)syscall(SYS_munmap, address, length);
}
