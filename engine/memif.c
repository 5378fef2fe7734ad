/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "engine/log.h"
#include "engine/memif.h"
#include "engine/memif_server.h"
#include "engine/unmap.h"

/* A server that runs answers at once; one that is stopped must not keep us from ending. */
#define MEMIF_PATIENCE_MS 10000

/* Nor from what else control does, once we run. */
#define MEMIF_AGAIN_PATIENCE_MS 200

int
memif_memory_create(struct memif_memory *memory, const char *name, size_t bytes)
{
	const int file = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *base = MAP_FAILED;

	/* Who has the file must not be able to take pages away that we read. */
	if (file >= 0 && ftruncate(file, (off_t)bytes) == 0 &&
			fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0)
		base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (base == MAP_FAILED) {
		const int reason = errno;

		if (file >= 0)
			close(file);
		errno = reason;
		return -1;
	}
	*memory = (struct memif_memory){base, bytes, file};
	return 0;
}

void
memif_memory_free(struct memif_memory *memory)
{
	if (memory->base == NULL)
		return;
	munmap(memory->base, memory->bytes);
	close(memory->file);
	memory->base = NULL;
}

static size_t
memif_ring_bytes(unsigned int slots)
{
	return RTE_ALIGN_CEIL(sizeof(struct memif_ring) + slots * sizeof(struct memif_descriptor),
			RTE_CACHE_LINE_SIZE);
}

static bool
memif_lend(struct memif_lent *lent, uint8_t *ring, unsigned int slots)
{
	lent->ring = (struct memif_ring *)(void *)ring;
	lent->ring->cookie = MEMIF_COOKIE;
	lent->buffer = rte_zmalloc(
			"handfast_memif", slots * sizeof(lent->buffer[0]), RTE_CACHE_LINE_SIZE);
	return lent->buffer != NULL;
}

/* Of each queue first the ring of full buffers, then the one of empty ones. */
static bool
memif_make_rings(struct memif *memif, unsigned int number)
{
	const struct memif_plan *plan = &memif->plan;
	struct memif_queue *queue = &memif->queue[number];
	const unsigned int slots = settings_device_ring_slots(plan->device);
	uint8_t *rings = memif->rings.base + (size_t)2 * number * memif_ring_bytes(slots);

	queue->base = plan->lent->base;
	queue->slots = slots;
	queue->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (queue->event < 0 || !memif_lend(&queue->full, rings, slots) ||
			!memif_lend(&queue->empty, rings + memif_ring_bytes(slots), slots))
		return false;
	queue->empty.ring->flags = MEMIF_NO_WAKE_UP;
	return true;
}

static void
memif_make_queue(struct memif *memif, unsigned int number)
{
	const struct memif_plan *plan = &memif->plan;
	struct memif_queue *queue = &memif->queue[number];
	const struct rte_mbuf received = {.data_off = RTE_PKTMBUF_HEADROOM,
			.refcnt = 1,
			.nb_segs = 1,
			.port = plan->port};

	queue->up = &memif->up;
	queue->pool = plan->pool;
	queue->room = RTE_ALIGN_FLOOR(
			(uint32_t)rte_pktmbuf_data_room_size(plan->pool) - RTE_PKTMBUF_HEADROOM,
			(uint32_t)RTE_CACHE_LINE_SIZE);
	memcpy(&queue->rearm, &received.rearm_data, sizeof(queue->rearm));
	queue->event = -1;
	memif->queues++;
}

static bool
memif_make(struct memif *memif)
{
	const struct memif_plan *plan = &memif->plan;
	const unsigned int slots = settings_device_ring_slots(plan->device);

	memif->queue = rte_zmalloc("handfast_memif", plan->queues * sizeof(memif->queue[0]),
			RTE_CACHE_LINE_SIZE);
	if (memif->queue == NULL)
		return false;
	for (unsigned int i = 0; i < plan->queues; i++)
		memif_make_queue(memif, i);
	if (!settings_device_is_memif_client(plan->device))
		return true;
	if (memif_memory_create(&memif->rings, "handfast_rings",
			    2 * plan->queues * memif_ring_bytes(slots)) != 0)
		return false;
	for (unsigned int i = 0; i < plan->queues; i++) {
		if (!memif_make_rings(memif, i))
			return false;
	}
	return true;
}

static bool
memif_tell_rings(const struct memif *memif, bool to_server)
{
	const unsigned int slots = settings_device_ring_slots(memif->plan.device);

	for (unsigned int i = 0; i < memif->queues; i++) {
		const struct memif_place place = {
				.offset = (uint32_t)((2 * i + !to_server) *
						     memif_ring_bytes(slots)),
				.index = (uint16_t)i,
				.to_server = to_server,
				.log2_slots = (uint8_t)__builtin_ctz(slots),
				.event = memif->queue[i].event,
		};

		if (!memif_message_add_ring(memif->socket, &place))
			return false;
	}
	return true;
}

static bool
memif_introduce(const struct memif *memif, const struct settings_memif *wanted)
{
	return memif_message_init(memif->socket, wanted) &&
	       memif_message_add_region(memif->socket, 0, &memif->rings) &&
	       memif_message_add_region(memif->socket, 1, memif->plan.lent) &&
	       memif_tell_rings(memif, true) && memif_tell_rings(memif, false) &&
	       memif_message_start(memif->socket);
}

/* Buffers are lent once the server has begun with empty rings.  @return what is wrong, or NULL. */
static const char *
memif_connect(struct memif *memif, unsigned int patience_ms)
{
	struct settings_memif wanted;
	int reason;

	settings_device_memif(memif->plan.device, &wanted);
	memif->socket = memif_message_connect(&wanted, patience_ms);
	if (memif->socket < 0)
		return "nobody listens there: start the memif's server first";
	if (!memif_introduce(memif, &wanted)) {
		reason = errno;
		memif_message_leave(memif->socket);
		memif->socket = -1;
		errno = reason;
		return "the memif's server does not agree: its id and secret must be ours, it must "
		       "have as many queues, and nobody else";
	}
	__atomic_store_n(&memif->up, true, __ATOMIC_RELEASE);
	return NULL;
}

static bool
memif_join(struct memif *memif)
{
	const char *wrong = memif_connect(memif, MEMIF_PATIENCE_MS);
	struct settings_memif wanted;

	if (wrong == NULL)
		return true;
	settings_device_memif(memif->plan.device, &wanted);
	log_error(memif->plan.name, "the memif's socket %s: %s; %s", wanted.socket, strerror(errno),
			wrong);
	return false;
}

/* What was lent comes back, whatever the server may think of it; later if a worker is held up. */
static void
memif_part(struct memif *memif)
{
	if (!unmap_wait_for_workers())
		return;
	memif_message_leave(memif->socket);
	memif->socket = -1;
	for (unsigned int i = 0; i < memif->queues; i++)
		memif_queue_begin_anew(&memif->queue[i]);
}

void
memif_watch(struct memif *memif)
{
	if (memif->server != NULL)
		return;
	if (memif_is_up(memif)) {
		if (memif_message_still_there(memif->socket))
			return;
		__atomic_store_n(&memif->up, false, __ATOMIC_SEQ_CST);
	}
	if (memif->socket >= 0)
		memif_part(memif);
	else
		memif_connect(memif, MEMIF_AGAIN_PATIENCE_MS);
}

static bool
memif_serve(struct memif *memif)
{
	const struct memif_plan *plan = &memif->plan;
	struct memif_server *server = rte_zmalloc("handfast_memif", sizeof(*server), 0);

	if (server == NULL) {
		log_error(plan->name, "no memory for a memif");
		return false;
	}
	server->memif = memif;
	settings_device_memif(plan->device, &server->settings);
	for (unsigned int i = 0; i < memif->queues; i++)
		memif->queue[i].region = server->region;
	if (memif_server_start(server) != 0) {
		log_error(plan->name, "the memif's socket %s: %s", server->settings.socket,
				strerror(errno));
		rte_free(server);
		return false;
	}
	memif->server = server;
	return true;
}

struct memif *
memif_open(const struct memif_plan *plan)
{
	struct memif *memif = rte_zmalloc("handfast_memif", sizeof(*memif), RTE_CACHE_LINE_SIZE);

	if (memif != NULL) {
		memif->plan = *plan;
		memif->socket = -1;
	}
	if (memif == NULL || !memif_make(memif)) {
		log_error(plan->name, "no memory for a memif: %s", strerror(errno));
		memif_close(memif);
		return NULL;
	}
	if (settings_device_is_memif_client(plan->device) ? !memif_join(memif)
							  : !memif_serve(memif)) {
		memif_close(memif);
		return NULL;
	}
	return memif;
}

static void
memif_free_queue(struct memif_queue *queue)
{
	if (queue->event >= 0)
		close(queue->event);
	if (queue->full.buffer != NULL && queue->empty.buffer != NULL)
		memif_queue_take_back(queue);
	rte_free(queue->full.buffer);
	rte_free(queue->empty.buffer);
}

void
memif_close(struct memif *memif)
{
	if (memif == NULL)
		return;
	if (memif->socket >= 0)
		memif_message_leave(memif->socket);
	if (memif->server != NULL)
		memif_server_stop(memif->server);
	rte_free(memif->server);
	for (unsigned int i = 0; i < memif->queues; i++)
		memif_free_queue(&memif->queue[i]);
	rte_free(memif->queue);
	memif_memory_free(&memif->rings);
	rte_free(memif);
}
