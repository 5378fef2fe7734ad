/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_common.h>

#include "engine/memif.h"
#include "engine/memif_server.h"
#include "engine/unmap.h"

/* Behind each region, so that whole lines may be read up to its end. */
#define SERVER_PAGE 4096

/* Who has not said what it shares by then is in the way of others. */
#define SERVER_PATIENCE_MS 2000

static size_t
server_mapped_bytes(const struct memif_region *region)
{
	return RTE_ALIGN_CEIL(region->bytes, (size_t)SERVER_PAGE) + SERVER_PAGE;
}

static bool
server_map(struct memif_region *region, int file, size_t bytes)
{
	const struct memif_region wanted = {.bytes = bytes};
	struct stat about;
	void *base;

	if (file < 0 || bytes == 0 || fstat(file, &about) != 0 || (uint64_t)about.st_size < bytes)
		return false;
	base = mmap(NULL, server_mapped_bytes(&wanted), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return false;
	if (mmap(base, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0) ==
			MAP_FAILED) {
		munmap(base, server_mapped_bytes(&wanted));
		return false;
	}
	*region = (struct memif_region){base, bytes};
	return true;
}

static bool
server_take_init(struct memif_server *server, const struct memif_word *word)
{
	server->asked = word->id == server->settings.id && word->ethernet &&
			(server->settings.secret[0] == '\0' ||
					strcmp(word->secret, server->settings.secret) == 0);
	return server->asked;
}

/* Regions come in order, rings in any of them. */
static bool
server_take_region(struct memif_server *server, const struct memif_word *word)
{
	return server->asked && word->index < MEMIF_REGIONS - 1 &&
	       server->region[word->index].bytes == 0 &&
	       (word->index == 0 || server->region[word->index - 1].bytes != 0) &&
	       server_map(&server->region[word->index], word->file, word->bytes);
}

static bool
server_take_ring(struct memif_server *server, const struct memif_word *word)
{
	const struct memif_region *region =
			&server->region[RTE_MIN(word->region, MEMIF_REGIONS - 1)];
	const struct memif_place *place = &word->place;
	struct memif_queue *queue;
	struct memif_ring *ring;

	if (!server->asked || word->file < 0 || place->index >= server->memif->queues ||
			place->log2_slots > MEMIF_LOG2_SLOTS_MAX ||
			place->offset % RTE_CACHE_LINE_SIZE != 0 ||
			place->offset + sizeof(*ring) +
							(sizeof(struct memif_descriptor)
									<< place->log2_slots) >
					region->bytes)
		return false;
	ring = (struct memif_ring *)(void *)(region->base + place->offset);
	queue = &server->memif->queue[place->index];
	if (ring->cookie != MEMIF_COOKIE ||
			(queue->slots != 0 && queue->slots != 1u << place->log2_slots))
		return false;
	queue->slots = 1u << place->log2_slots;
	if (place->to_server) {
		queue->full = (struct memif_lent){.ring = ring};
		ring->flags = MEMIF_NO_WAKE_UP;
		return true; /* Nobody wakes us: the event is not needed. */
	}
	queue->empty = (struct memif_lent){.ring = ring};
	if (queue->event >= 0)
		close(queue->event);
	queue->event = dup(word->file);
	return queue->event >= 0;
}

/* Both ends begin with empty rings. */
static bool
server_begin(struct memif_server *server)
{
	struct memif *memif = server->memif;

	if (!server->asked || server->region[0].bytes == 0)
		return false;
	for (unsigned int i = 0; i < memif->queues; i++) {
		struct memif_ring *rings[] = {
				memif->queue[i].empty.ring, memif->queue[i].full.ring};

		for (unsigned int r = 0; r < RTE_DIM(rings); r++) {
			if (rings[r] == NULL)
				continue;
			__atomic_store_n(&rings[r]->head, 0, __ATOMIC_RELAXED);
			__atomic_store_n(&rings[r]->tail, 0, __ATOMIC_RELAXED);
		}
	}
	__atomic_store_n(&memif->up, true, __ATOMIC_RELEASE);
	return true;
}

static bool
server_answer(struct memif_server *server, int client, const struct memif_word *word)
{
	if (__atomic_load_n(&server->memif->up, __ATOMIC_RELAXED))
		return false; /* All has been said. */
	switch (word->kind) {
	case MEMIF_WORD_INIT:
		return server_take_init(server, word) && memif_message_agree(client, false);
	case MEMIF_WORD_REGION:
		return server_take_region(server, word) && memif_message_agree(client, false);
	case MEMIF_WORD_RING:
		return server_take_ring(server, word) && memif_message_agree(client, false);
	case MEMIF_WORD_START:
		return memif_message_wait_at_most(client, 0) && server_begin(server) &&
		       memif_message_agree(client, true);
	case MEMIF_WORD_OTHER:
		break;
	}
	return false;
}

/* What a client shared ends with it. */
static void
server_forget(struct memif_server *server)
{
	struct memif *memif = server->memif;

	if (__atomic_exchange_n(&memif->up, false, __ATOMIC_SEQ_CST))
		unmap_wait_for_workers();
	for (unsigned int i = 0; i < memif->queues; i++) {
		struct memif_queue *queue = &memif->queue[i];

		memset(&queue->empty, 0, sizeof(queue->empty));
		memset(&queue->full, 0, sizeof(queue->full));
		queue->slots = 0;
		if (queue->event >= 0)
			close(queue->event);
		queue->event = -1;
	}
	for (unsigned int i = 0; i < MEMIF_REGIONS && server->region[i].bytes != 0; i++)
		munmap(server->region[i].base, server_mapped_bytes(&server->region[i]));
	memset(server->region, 0, sizeof(server->region));
	server->asked = false;
}

static void
server_speak(struct memif_server *server, int client)
{
	struct memif_word word;
	bool goes_on = memif_message_wait_at_most(client, SERVER_PATIENCE_MS) &&
		       memif_message_greet(client, server->memif->queues);

	while (goes_on && memif_message_hear(client, &word)) {
		goes_on = server_answer(server, client, &word);
		if (word.file >= 0)
			close(word.file);
	}
}

static void *
server_run(void *argument)
{
	struct memif_server *server = argument;
	int client;

	while (!__atomic_load_n(&server->closing, __ATOMIC_SEQ_CST)) {
		client = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
		if (client < 0 && errno != EINTR && errno != ECONNABORTED)
			break;
		if (client < 0)
			continue;
		__atomic_store_n(&server->client, client, __ATOMIC_SEQ_CST);
		if (!__atomic_load_n(&server->closing, __ATOMIC_SEQ_CST))
			server_speak(server, client);
		__atomic_store_n(&server->client, -1, __ATOMIC_SEQ_CST);
		memif_message_leave(client);
		server_forget(server);
	}
	return NULL;
}

int
memif_server_start(struct memif_server *server)
{
	int result;

	server->client = -1;
	server->listener = memif_message_listen(&server->settings);
	if (server->listener < 0)
		return -1;
	result = pthread_create(&server->thread, NULL, server_run, server);
	if (result == 0)
		return 0;
	close(server->listener);
	errno = result;
	return -1;
}

void
memif_server_stop(struct memif_server *server)
{
	int client;

	__atomic_store_n(&server->closing, true, __ATOMIC_SEQ_CST);
	shutdown(server->listener, SHUT_RDWR);
	client = __atomic_load_n(&server->client, __ATOMIC_SEQ_CST);
	if (client >= 0)
		shutdown(client, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->listener);
	if (!server->settings.abstract)
		unlink(server->settings.socket);
}
