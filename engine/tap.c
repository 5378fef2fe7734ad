/* SPDX-License-Identifier: BSD-3-Clause */

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/file.h>
#include <sys/mman.h>

#include <rte_eal.h>

#include "engine/log.h"
#include "engine/outside.h"
#include "engine/tap.h"

/* There is one engine in a process, and one capture of it. */
static struct {
	pthread_mutex_t lock;
	struct tap_memory *memory; /**< NULL: not armed. */
	int file;                  /**< Of the memory. */
	uint64_t beat;             /**< The reader's last one, ... */
	uint64_t heard_ms;         /**< ... and when it was new. */
	int64_t unix_ns;           /**< Added to the engine's clock. */
} tap = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const char *
tap_path(char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s", rte_eal_get_runtime_dir(), TAP_FILE);
	return path;
}

/* The shared memory as a new file that only its owner may open. */
static struct tap_memory *
tap_map(uint64_t bytes)
{
	char path[PATH_MAX];
	void *memory = MAP_FAILED;

	unlink(tap_path(path));
	tap.file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (tap.file < 0)
		return NULL;
	/* Allocated now: what is missing later would be a signal in a worker. */
	if (posix_fallocate(tap.file, 0, (off_t)bytes) == 0)
		memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
				tap.file, 0);
	if (memory != MAP_FAILED)
		return memory;
	close(tap.file);
	unlink(path);
	return NULL;
}

static void
tap_describe(struct tap_memory *memory, const struct engine *engine, const struct tap_wish *wish,
		uint32_t slot_bytes)
{
	memory->bytes = tap_bytes(engine->worker_count, slot_bytes);
	memory->rings = engine->worker_count;
	memory->slot_bytes = slot_bytes;
	memory->snap = wish->snap;
	memory->ports = engine->port_count;
	memory->port = wish->port;
	memory->directions = wish->directions;
	for (unsigned int i = 0; i < engine->port_count; i++)
		snprintf(memory->name[i], TAP_NAME, "%s", engine->port[i].settings->name);
	__atomic_store_n(&memory->magic, TAP_MAGIC, __ATOMIC_RELEASE);
}

static void
tap_publish(struct engine *engine, struct tap_memory *memory)
{
	for (unsigned int i = 0; i < engine->worker_count; i++)
		__atomic_store_n(&engine->worker[i]->tap, memory, __ATOMIC_RELEASE);
}

/* With the lock held. */
static void
tap_end(struct engine *engine, enum tap_ended why)
{
	char path[PATH_MAX];

	if (tap.memory == NULL)
		return;
	tap_publish(engine, NULL);
	__atomic_store_n(&tap.memory->ended, why, __ATOMIC_RELEASE);
	/* Workers that take no turns any more keep it until the process ends. */
	if (worker_wait_for_turns(engine))
		munmap(tap.memory, tap.memory->bytes);
	tap.memory = NULL;
	close(tap.file);
	unlink(tap_path(path));
}

/*
 * The kernel unlocks the file when its reader ends, in whatever way and PID namespace.  With the
 * lock held.
 */
static bool
tap_reader_is_gone(void)
{
	return __atomic_load_n(&tap.memory->locked, __ATOMIC_ACQUIRE) != 0 &&
	       flock(tap.file, LOCK_EX | LOCK_NB) == 0;
}

enum tap_result
tap_start(struct engine *engine, const struct tap_wish *wish)
{
	const uint32_t slot_bytes =
			RTE_ALIGN_CEIL(wish->snap + (uint32_t)sizeof(struct tap_slot), 64u);
	enum tap_result result = TAP_NO_MEMORY;
	struct timespec now;

	if (engine_phase(engine) == ENGINE_STOPPING)
		return TAP_STOPPING;
	pthread_mutex_lock(&tap.lock);
	if (tap.memory != NULL && tap_reader_is_gone())
		tap_end(engine, TAP_ENDED_SILENT);
	if (tap.memory != NULL) {
		result = TAP_BUSY;
		goto end;
	}
	tap.memory = tap_map(tap_bytes(engine->worker_count, slot_bytes));
	if (tap.memory == NULL)
		goto end;
	clock_gettime(CLOCK_REALTIME, &now);
	tap.unix_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec -
		      (int64_t)clock_us(&engine->clock) * 1000;
	tap.beat = 0;
	tap.heard_ms = outside_ms(CLOCK_MONOTONIC);
	tap_describe(tap.memory, engine, wish, slot_bytes);
	tap_publish(engine, tap.memory);
	result = TAP_OK;
end:
	pthread_mutex_unlock(&tap.lock);
	return result;
}

void
tap_stop(struct engine *engine)
{
	pthread_mutex_lock(&tap.lock);
	tap_end(engine, TAP_ENDED_STOPPED);
	pthread_mutex_unlock(&tap.lock);
}

void
tap_watch(struct engine *engine)
{
	uint64_t beat, now_ms;

	pthread_mutex_lock(&tap.lock);
	/* Read with the lock held: while it was waited for, a capture may have begun. */
	now_ms = outside_ms(CLOCK_MONOTONIC);
	if (tap.memory != NULL) {
		beat = __atomic_load_n(&tap.memory->beat, __ATOMIC_RELAXED);
		if (beat != tap.beat) {
			tap.beat = beat;
			tap.heard_ms = now_ms;
		} else if (tap_reader_is_gone() ||
				now_ms - tap.heard_ms > TAP_PATIENCE_SECONDS * 1000) {
			log_warning("tap",
					"`handfast capture` is gone or stands still: its capture "
					"is ended");
			tap_end(engine, TAP_ENDED_SILENT);
		}
	}
	pthread_mutex_unlock(&tap.lock);
}

/* One packet into a slot. */
static void
tap_fill(const struct tap_memory *memory, struct tap_slot *slot, const struct rte_mbuf *packet)
{
	uint8_t *to = (uint8_t *)(slot + 1);
	const void *from;

	slot->length = packet->pkt_len;
	slot->captured = (uint16_t)RTE_MIN(packet->pkt_len, memory->snap);
	from = rte_pktmbuf_read(packet, 0, slot->captured, to);
	if (from != NULL && from != to)
		memcpy(to, from, slot->captured);
}

unsigned int
tap_copy(struct worker *worker, struct tap_memory *memory, uint8_t port,
		struct rte_mbuf *const packets[], unsigned int n, enum tap_direction direction)
{
	const struct tap_ring *ring = &memory->ring[worker->index];
	const uint32_t head = ring->head;
	const uint32_t used = head - __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
	const unsigned int copied = RTE_MIN(n, TAP_SLOTS - used);
	const uint64_t unix_ns =
			(uint64_t)(tap.unix_ns + (int64_t)clock_us(&worker->engine->clock) * 1000);

	for (unsigned int i = 0; i < copied; i++) {
		struct tap_slot *slot = tap_slot_at(memory, worker->index, head + i);

		slot->unix_ns = unix_ns;
		slot->port = port;
		slot->direction = (uint8_t)direction;
		tap_fill(memory, slot, packets[i]);
	}
	return copied;
}

void
tap_show(struct worker *worker, struct tap_memory *memory, unsigned int copied, unsigned int n)
{
	struct tap_ring *ring = &memory->ring[worker->index];
	const unsigned int shown = RTE_MIN(copied, n);

	if (shown < n)
		__atomic_store_n(&ring->dropped, ring->dropped + n - shown, __ATOMIC_RELAXED);
	__atomic_store_n(&ring->head, ring->head + shown, __ATOMIC_RELEASE);
}
