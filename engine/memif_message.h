/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef MEMIF_MESSAGE_H
#define MEMIF_MESSAGE_H

/**
 * @file
 * What a memif's client and server say to each other over their socket, version 2.0: who they are,
 * which memory they share and where in it the rings are.
 *
 * The client asks and waits for each answer; control does that.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "settings/settings.h"

/** A piece of memory that both ends have. */
struct memif_memory {
	uint8_t *base; /**< NULL: none. */
	size_t bytes;
	int file;
};

/** Where a ring lies in region 0. */
struct memif_place {
	uint32_t offset;
	uint16_t index; /**< Of the queue. */
	bool to_server; /**< Its direction. */
	uint8_t log2_slots;
	int event; /**< What wakes its reader up. */
};

/** @param patience_ms For each word of the server. @return its socket, or -1 with errno. */
int memif_message_connect(const struct settings_memif *wanted, unsigned int patience_ms);

/** The words of a client, each until the server has agreed. @return whether it did. */
bool memif_message_init(int socket, const struct settings_memif *wanted);
bool memif_message_add_region(int socket, uint16_t index, const struct memif_memory *memory);
bool memif_message_add_ring(int socket, const struct memif_place *place);
bool memif_message_start(int socket);

/** What a client said, and the file that came with it. */
struct memif_word {
	enum {
		MEMIF_WORD_INIT,
		MEMIF_WORD_REGION,
		MEMIF_WORD_RING,
		MEMIF_WORD_START,
		MEMIF_WORD_OTHER,
	} kind;
	int file; /**< -1: none.  The receiver's to close. */
	uint32_t id;
	char secret[25];
	bool ethernet;
	uint16_t index; /**< Of a region or ring. */
	uint64_t bytes;
	uint16_t region; /**< Where a ring is. */
	struct memif_place place;
};

/** @return a socket that clients connect to, or -1 with errno. */
int memif_message_listen(const struct settings_memif *wanted);

/** How long to wait for a peer's word, 0: as long as it takes. @return whether that could be set.
 */
bool memif_message_wait_at_most(int socket, unsigned int patience_ms);

/** Greet a client that came, who may have so many queues. @return whether it can be spoken to. */
bool memif_message_greet(int socket, unsigned int queues);

/** Wait for the client's next word. @return false: it has left, or waited too long with it. */
bool memif_message_hear(int socket, struct memif_word *word);

/** Agree; with the last word, start. */
bool memif_message_agree(int socket, bool start);

/** Say goodbye and close the socket. */
void memif_message_leave(int socket);

/** Whether the server has neither left nor said that it will; does not wait. */
bool memif_message_still_there(int socket);

#endif /* MEMIF_MESSAGE_H */
