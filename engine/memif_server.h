/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef MEMIF_SERVER_H
#define MEMIF_SERVER_H

/**
 * @file
 * The server's end of a memif: a thread that speaks with one client after the other.
 *
 * Memory that a client shared is unmapped when it has left and no worker can be reading it any more
 * (unmap.h).
 */

#include <pthread.h>

#include "engine/memif_message.h"
#include "engine/memif_queue.h"

struct memif;

/** What a server keeps beside its queues. */
struct memif_server {
	struct settings_memif settings;
	struct memif *memif;
	pthread_t thread;
	int listener;
	int client;   /**< -1: none.  Atomic. */
	bool closing; /**< Atomic. */
	bool asked;   /**< The client has named itself. */
	struct memif_region region[MEMIF_REGIONS];
};

/** Listen, and let the thread begin. @return 0, or -1 with errno. */
int memif_server_start(struct memif_server *server);

/** End the thread; after the workers. */
void memif_server_stop(struct memif_server *server);

#endif /* MEMIF_SERVER_H */
