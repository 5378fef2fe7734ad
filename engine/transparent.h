/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TRANSPARENT_H
#define TRANSPARENT_H

/**
 * @file
 * Replies of backends that hear from clients themselves (source: client).
 *
 * Such a reply goes to the client's address, which is not ours: it comes here because the backend
 * routes it through us.  Where it comes from says which listeners its connection may have come to;
 * with the client's end that is a key of the connection table, tried for each of them.  So one
 * client's port has one connection to a backend at a time, whichever listener it came to.
 */

#include <stdbool.h>
#include <stdint.h>

#include "wire/parse.h"

struct backends_entry;
struct conn;
struct engine;
struct services;
struct worker;

struct transparent;

/**
 * Note which listeners lead to which backends; by control, for a snapshot whose pools are there.
 *
 * @return 0, or -1 after the reason was logged; nothing is made when no pool wants it.
 */
int transparent_create(struct engine *engine, struct services *services);

void transparent_free(struct transparent *transparent);

/** The connection that a reply belongs to: its slot, or CONN_TABLE_NO_SLOT. */
uint32_t transparent_slot(
		const struct worker *worker, const uint8_t *data, const struct frame *frame);

struct icmp_error;

/** The connection whose packet to its backend an ICMP error quotes. */
uint32_t transparent_slot_of(const struct worker *worker, const struct icmp_error *error);

/** Whether a client's port has a connection to a backend already. */
bool transparent_is_taken(const struct worker *worker, const struct conn *conn,
		const struct backends_entry *server);

/** The worker that owns a reply's connection; @p otherwise for all that is no reply. */
unsigned int transparent_owner(const struct worker *worker, const uint8_t *data, uint32_t length,
		unsigned int otherwise);

#endif /* TRANSPARENT_H */
